package bot

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// run is a step's view of its request.
type run struct {
	desk      *Desk
	operation ops.Operation
	request   request.Request
	begun     time.Time
	halted    atomic.Pointer[answer] // why the desk stopped it before a change; nil: it didn't

	mu     sync.Mutex
	marked string          // the call for which the row was marked; empty: none
	before request.Request // the row's marks before that
}

type runKey struct{}

// MayAct asks whether the run may go on, unless that was asked a moment ago, and
// records that a change outside AWS follows.
func (r *run) MayAct(ctx context.Context) error {
	if err := r.ask(ctx, false); err != nil {
		return err
	}
	if err := r.mark(ctx, "", false); err != nil {
		return err
	}
	e := request.NewEvent(r.request, r.desk.now(), "acting", map[string]any{"step": r.title()})
	return r.desk.record(ctx, r.request.Lease, e)
}

func (r *run) title() string {
	if r.request.State == request.Undoing {
		return r.operation.UndoLabel
	}
	return r.request.Plan.Steps[min(r.request.Step, len(r.request.Plan.Steps)-1)].Title
}

// ask asks whether the run may go on to a change. A run that is being restored may:
// who wants that was asked, and every moment that it takes is one without access.
func (r *run) ask(ctx context.Context, irreversible bool) error {
	if halted := r.halted.Load(); halted != nil {
		return halted.halt()
	}
	if r.request.State == request.Undoing || !r.desk.needsAsking(r.request.ID, irreversible) {
		r.desk.debug(ctx, r.request, "may change something without being asked about again", "irreversible", irreversible)
		r.desk.opened(r.request.ID)
		return nil
	}
	a, err := r.desk.mayAct(ctx, r.operation, r.request)
	if err != nil {
		return &ops.HaltError{Err: err}
	}
	if !a.yes() {
		r.halted.Store(&a)
		return a.halt()
	}
	r.desk.asked(r.request.ID, false)
	return nil
}

// mark notes in the request's row that it is about to change something, which is
// when people can begin to restore it, or something that can't be taken back, which
// is when they no longer can. What people decided meanwhile stops the change.
func (r *run) mark(ctx context.Context, call string, irreversible bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.marked = ""
	if !r.request.ActedAt.IsZero() && (!irreversible || !r.request.FinalAt.IsZero()) {
		return nil
	}
	now, err := r.desk.update(ctx, r.request, func(now *request.Request) (request.Change, error) {
		if now.State != r.request.State {
			return request.Change{}, store.ErrStale
		}
		at := r.desk.now()
		if now.ActedAt.IsZero() {
			now.ActedAt = at
		}
		if irreversible && now.FinalAt.IsZero() && now.State != request.Undoing {
			now.FinalAt = at
		}
		if r.operation.Undo == "" {
			return request.Change{}, nil // no member can restore it, so there is nothing to offer
		}
		return request.Change{Messages: []request.Message{{Request: now.ID, Kind: request.Ask}, {Request: now.ID, Kind: request.Card}}}, nil
	})
	if errors.Is(err, store.ErrStale) {
		return &ops.HaltError{Err: err}
	}
	if err == nil {
		r.desk.debug(ctx, now, "is about to change something", "call", call, "irreversible", irreversible)
		r.marked, r.before = call, r.request
		r.request.ActedAt, r.request.FinalAt = now.ActedAt, now.FinalAt
	}
	return err
}

// unmark takes back what mark did for a call that AWS has refused: it changed
// nothing.
func (r *run) unmark(ctx context.Context, call string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.marked != call || call == "" {
		return nil
	}
	now, err := r.desk.update(ctx, r.request, func(now *request.Request) (request.Change, error) {
		now.ActedAt, now.FinalAt = r.before.ActedAt, r.before.FinalAt
		return request.Change{Messages: []request.Message{{Request: now.ID, Kind: request.Ask}}}, nil
	})
	if err == nil {
		r.request.ActedAt, r.request.FinalAt = now.ActedAt, now.FinalAt
	}
	return err
}

// irreversible tells whether a call of this run can't be taken back.
func (r *run) irreversible(call ops.Call) bool {
	if r.request.State == request.Undoing {
		return false
	}
	return r.operation.Irreversible == nil || r.operation.Irreversible(call)
}

// Waiting tells what the run waits for. People who must do something are called at
// once, and then each working day.
func (r *run) Waiting(ctx context.Context, w ops.Waiting) error {
	w.Until = w.Until.UTC()
	if r.request.Waits == w {
		return nil
	}
	change := request.Change{Messages: []request.Message{{Request: r.request.ID, Kind: request.Ask}, {Request: r.request.ID, Kind: request.Card}}}
	if w.Person && w.For != r.request.Waits.For {
		change.Messages = append(change.Messages, request.Message{Request: r.request.ID, Kind: request.Note, Body: request.Body{Text: w.For, Mention: true}})
		change.Memory = map[string]any{nudgeAt: r.desk.TermsOf(r.request.Operation).Hours.NextDay(r.desk.now())}
	}
	_, err := r.desk.update(ctx, r.request, func(now *request.Request) (request.Change, error) {
		if now.State != r.request.State {
			return request.Change{}, store.ErrStale
		}
		now.Waits = w
		return change, nil
	})
	if err == nil {
		r.request.Waits = w
	}
	return err
}

func (r *run) Request() ops.Request { return r.request.For() }
func (r *run) Plan() ops.Plan       { return *r.request.Plan }
func (r *run) Begun() time.Time     { return r.begun }
func (r *run) Now() time.Time       { return r.desk.now() }

func (r *run) Approvers() []string {
	var logins []string
	for _, review := range r.request.Reviews {
		logins = append(logins, review.By)
	}
	glass := r.request.Glass
	if r.request.Alone() && !slices.ContainsFunc(logins, func(login string) bool { return strings.EqualFold(login, glass.By) }) {
		logins = append(logins, glass.By)
	}
	return logins
}

func (r *run) Attempted(ctx context.Context, service, action string) (bool, error) {
	events, err := r.desk.Store.Events(ctx, r.request.ID)
	return slices.ContainsFunc(events, func(e request.Event) bool {
		return e.Kind == "calling" && e.Data["service"] == service && e.Data["action"] == action
	}), err
}

func (r *run) OfferUndo(ctx context.Context, until time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.request.UndoUntil.Equal(until) && r.request.FinalAt.IsZero() {
		return nil
	}
	now, err := r.desk.update(ctx, r.request, func(now *request.Request) (request.Change, error) {
		if now.State != request.Running {
			return request.Change{}, store.ErrStale
		}
		now.UndoUntil, now.FinalAt = until.UTC(), time.Time{}
		return request.Change{Messages: []request.Message{{Request: now.ID, Kind: request.Ask}}}, nil
	})
	if err == nil {
		r.request.UndoUntil, r.request.FinalAt = now.UndoUntil, now.FinalAt
	}
	return err
}

func (r *run) Log(ctx context.Context, lines ...ops.Line) error {
	if len(lines) == 0 {
		return nil
	}
	return r.note(ctx, request.Change{Lines: lines})
}

func (r *run) Remember(ctx context.Context, key string, v any) error {
	return r.note(ctx, request.Change{Memory: map[string]any{key: v}})
}

func (r *run) Recall(ctx context.Context, key string, v any) (bool, error) {
	return r.desk.Store.Recall(ctx, r.request.ID, key, v)
}

func (r *run) Remind(ctx context.Context, at time.Time, text string) error {
	key := "desk/remind " + text
	if told, err := r.desk.Store.Recall(ctx, r.request.ID, key, new(bool)); told || err != nil {
		return err
	}
	// It is delivered beside the thread's other messages, which must not wait for it.
	return r.note(ctx, request.Change{
		Memory:   map[string]any{key: true},
		Messages: []request.Message{{Thread: "reminder/" + r.request.ID + at.UTC().Format("/20060102T150405"), Request: r.request.ID, Kind: request.Note, Body: request.Body{Text: text}, Due: at}},
	})
}

func (r *run) Report(ctx context.Context, report ops.Report) error {
	_, err := r.desk.update(ctx, r.request, func(now *request.Request) (request.Change, error) {
		now.Report = &report
		return request.Change{}, nil
	})
	return err
}

// note writes what belongs to the request and leaves it as it is.
func (r *run) note(ctx context.Context, c request.Change) error {
	return r.desk.Store.Note(ctx, r.request, r.request.Lease, c)
}
