package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

const (
	planFor   = 15 * time.Minute // how long planning may take
	planFresh = time.Minute      // how old a plan may be when its run begins
	stepFor   = 10 * time.Minute // how long one call of a step may take

	progressFirst = 2 * time.Second
	progressThen  = 3 * time.Second
)

// apply makes a thing happen to a request, if the request is still as it was read.
func (d *Desk) apply(ctx context.Context, r store.Request, h happening) error {
	now, err := d.Store.Update(ctx, r.ID, func(now *store.Request) (store.Change, error) {
		if err := stillCarries(ctx, *now); err != nil {
			return store.Change{}, err
		}
		if now.Version != r.Version {
			return store.Change{}, store.ErrStale
		}
		next, change, err := after(*now, h, d.now())
		if err != nil {
			return change, err
		}
		*now = next
		return change, nil
	})
	if err == nil {
		d.entered(r.State, now)
		by := r.By
		if h.login != "" {
			by = h.login
		}
		d.Log.Info("request "+string(h.kind), "request", r.ID, "operation", r.Operation, "by", by, "reason", h.reason)
	}
	return err
}

// entered counts the state that a request is in after a change, if that is another
// one, and has the audit anchored when a run has ended.
func (d *Desk) entered(was store.State, now store.Request) {
	if now.State != was {
		d.Meter.Request(now.Operation, string(now.State))
	}
	d.runEnded(now)
}

// admit finds out who asks and whether they may.
func (d *Desk) admit(ctx context.Context, o ops.Operation, r store.Request) error {
	login, err := d.MayAsk(ctx, r.Operation, r.Asker)
	var account int64
	if err == nil {
		account, err = d.account(ctx, r.Asker, login)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.report(err, r)
		d.Meter.Refused(ops.KindOf(err).String())
		return d.apply(ctx, r, happening{kind: turnedAway, login: login, reason: ops.Words(err, r.ID), fault: ops.KindOf(err), quiet: d.said(ctx, r, ops.Words(err, r.ID))})
	}
	h := happening{kind: admitted, login: login, account: account}
	if o.Lock != nil && !r.Preview {
		asked := r.For()
		asked.By = login
		if h.held, err = safely(func() (string, error) { return o.Lock(asked), nil }); err != nil {
			d.report(err, r)
			return d.apply(ctx, r, happening{kind: turnedAway, login: login, reason: ops.Words(err, r.ID)})
		}
	}
	err = d.apply(ctx, r, h)
	held, busy := errors.AsType[*store.HeldError](err)
	if !busy {
		return err
	}
	reason := o.Command + " is already under way."
	if other, err := d.Store.Request(ctx, held.By); err == nil {
		reason = fmt.Sprintf("%s is already under way: %s asked for it at %s UTC.", o.Command, other.By, other.At.Format("15:04"))
	}
	return d.apply(ctx, r, happening{
		kind: turnedAway, login: login, fault: ops.Busy, pointer: held.By,
		reason: reason + " Nothing more was started; follow that one, and ask again when it has ended.",
	})
}

// said tells whether the first of r's group was turned away with the same words.
func (d *Desk) said(ctx context.Context, r store.Request, words string) bool {
	if r.Card == r.ID {
		return false
	}
	first, err := d.Store.Request(ctx, r.Card)
	return err == nil && first.State == store.Refused && first.Reason == words
}

// report tells the operator what a person isn't told.
func (d *Desk) report(err error, r store.Request) {
	d.Log.Warn("request stopped", "request", r.ID, "operation", r.Operation, "by", r.By, "error", err)
}

func (d *Desk) plan(ctx context.Context, o ops.Operation, r store.Request) error {
	plan, err := d.look(ctx, o, r)
	if ctx.Err() != nil || d.stopping.Load() {
		return context.Canceled
	}
	// Progress may have been written meanwhile.
	r, again := d.Store.Request(ctx, r.ID)
	if again != nil {
		return again
	}
	if r.State != store.Planning {
		return store.ErrStale // withdrawn meanwhile
	}
	if err != nil {
		d.report(err, r)
		reason := ops.Words(err, r.ID)
		if !strings.Contains(strings.ToLower(reason), "nothing was run") {
			reason += " Nothing was run."
		}
		return d.apply(ctx, r, happening{kind: unplanned, reason: reason, fault: ops.KindOf(err)})
	}
	return d.apply(ctx, r, happening{kind: planned, plan: &plan, terms: d.TermsOf(o.Name)})
}

// look makes a plan, and tells where that stands while it takes long.
func (d *Desk) look(ctx context.Context, o ops.Operation, r store.Request) (ops.Plan, error) {
	limited, cancel := d.looks.begin(ctx)
	defer cancel()
	var text atomic.Pointer[string]
	var telling sync.WaitGroup
	telling.Go(func() { d.progress(limited, r, &text) })
	asked := r.For()
	asked.Shown = r.Plan // nil at the first look
	if len(o.Counts) > 0 {
		called, err := d.Store.Calls(ctx, d.now().AddDate(0, 0, -30), o.Counts)
		if err != nil {
			return ops.Plan{}, fmt.Errorf("count earlier calls: %w", err)
		}
		asked.Called = called
	}
	plan, err := safely(func() (ops.Plan, error) {
		return o.Plan(limited, asked, func(format string, args ...any) {
			s := fmt.Sprintf(format, args...)
			text.Store(&s)
		})
	})
	cancel()
	telling.Wait()
	if err == nil {
		err = o.Check(plan)
	}
	return plan, err
}

// progress brings the card up to date while a plan takes long.
func (d *Desk) progress(ctx context.Context, r store.Request, text *atomic.Pointer[string]) {
	timer := time.NewTimer(progressFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(progressThen)
		now := text.Load()
		if now == nil {
			continue
		}
		if _, err := d.Store.Update(ctx, r.ID, func(r *store.Request) (store.Change, error) {
			if r.State != store.Planning {
				return store.Change{}, context.Canceled
			}
			r.Progress = *now
			return store.Change{Messages: []store.Message{{Request: r.ID, Kind: store.Card}}}, nil
		}); err != nil && ctx.Err() == nil {
			d.Log.Warn("write progress", "request", r.ID, "error", err)
		}
	}
}

// wait waits for people to decide.
func (d *Desk) wait(ctx context.Context, r store.Request) (time.Duration, error) {
	now := d.now()
	switch {
	case !now.Before(r.ExpiresAt):
		return 0, d.apply(ctx, r, happening{kind: expired})
	case !r.RemindAt.IsZero() && !now.Before(r.RemindAt):
		return 0, d.apply(ctx, r, happening{kind: reminded, terms: d.TermsOf(r.Operation)})
	}
	until := r.ExpiresAt
	if !r.RemindAt.IsZero() && r.RemindAt.Before(until) {
		until = r.RemindAt
	}
	return max(until.Sub(now), time.Millisecond), nil
}

// start begins the run, if whoever asked and whoever approved still may, and if
// the plan is still what was shown.
func (d *Desk) start(ctx context.Context, o ops.Operation, r store.Request) error {
	err := d.still(ctx, r)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.report(err, r)
		reason := ops.Words(err, r.ID)
		if !r.StartedAt.IsZero() { // its plan had grown in the middle of a run
			reason = strings.ReplaceAll(reason, "othing was done", "othing more was done")
		}
		return d.apply(ctx, r, happening{kind: turnedAway, login: r.By, reason: reason, fault: ops.KindOf(err)})
	}
	// What is dangerous is looked at once more after the last word, however soon that was.
	last := r.PlannedAt
	for _, review := range r.Reviews {
		last = later(last, review.At)
	}
	if r.Glass != nil {
		last = later(last, r.Glass.At)
	}
	if d.now().Sub(r.PlannedAt) > planFresh || o.Dangerous && last.After(r.PlannedAt) {
		_, err := d.replan(ctx, o, r)
		return err
	}
	return d.apply(ctx, r, happening{kind: started})
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// lookAgainFor is how long a run that is under way waits for a system that
// doesn't answer when the plan must be made again.
const lookAgainFor = 24 * time.Hour

// replan looks again before something is changed: the effects must be among
// those that were shown. A run that is half done isn't given up because a
// system is out of reach for a while.
func (d *Desk) replan(ctx context.Context, o ops.Operation, r store.Request) (time.Duration, error) {
	plan, err := d.look(ctx, o, r)
	if ctx.Err() != nil || d.stopping.Load() {
		return 0, context.Canceled
	}
	if err != nil {
		d.report(err, r)
		words := ops.Words(err, r.ID)
		var since time.Time
		if _, err := d.Store.Recall(ctx, r.ID, "desk/replan", &since); err != nil {
			return 0, err
		}
		if since.Before(r.PlannedAt) {
			since = d.now()
		}
		if r.State == store.Running && ops.KindOf(err) == ops.Unavailable && d.now().Before(since.Add(lookAgainFor)) {
			again := &run{desk: d, request: r}
			return time.Minute, errors.Join(
				again.Remember(ctx, "desk/replan", since),
				again.Log(ctx, ops.Line{Key: "desk/replan " + words, Level: ops.Warning, Text: "The run waits: before it goes on, the plan must be made again. " + words}))
		}
		return 0, d.apply(ctx, r, happening{kind: gaveUp, reason: "The plan couldn't be made again before the run went on, so it stopped. " + words})
	}
	need, _ := d.TermsOf(o.Name).need(plan)
	if len(plan.Beyond(*r.Plan)) > 0 || r.State == store.Approved && len(plan.Steps) > 0 && need > r.Need-r.Missing() {
		return 0, d.apply(ctx, r, happening{kind: stale, plan: &plan, terms: d.TermsOf(o.Name)})
	}
	return 0, d.apply(ctx, r, happening{kind: replanned, plan: &plan})
}

// step calls the step at hand once.
func (d *Desk) step(ctx context.Context, o ops.Operation, r store.Request) (time.Duration, error) {
	begun, step := r.StepBegun, r.Plan.Steps[r.Step]
	if begun.IsZero() {
		if len(step.Effects) > 0 && d.now().Sub(r.PlannedAt) > planFresh {
			return d.replan(ctx, o, r)
		}
		if err := d.apply(ctx, r, happening{kind: stepBegun}); err != nil {
			return 0, err
		}
	}
	wait, err := d.call(ctx, o.Do[step.Do], &r, begun)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, store.ErrLost):
		return 0, err
	case wait > 0:
		d.Meter.Step(o.Name, "again")
		return wait, nil
	case err != nil:
		outcome := "failed"
		if ops.KindOf(err) == ops.Unknown {
			outcome = "unknown"
		}
		d.Meter.Step(o.Name, outcome)
		d.report(err, r)
		return 0, d.apply(ctx, r, happening{kind: stepFailed, reason: ops.Words(err, r.ID), fault: ops.KindOf(err)})
	}
	d.Meter.Step(o.Name, "done")
	return 0, d.apply(ctx, r, happening{kind: stepEnded})
}

// undo takes back what the run has done.
func (d *Desk) undo(ctx context.Context, o ops.Operation, r store.Request) (time.Duration, error) {
	wait, err := d.call(ctx, o.Do[o.Undo], &r, r.Decided.At)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, store.ErrLost):
		return 0, err
	case wait > 0:
		return wait, nil
	case err != nil:
		d.report(err, r)
		return 0, d.apply(ctx, r, happening{kind: stepFailed, reason: "Taking it back has stopped half-way. " + ops.Words(err, r.ID), fault: ops.KindOf(err)})
	}
	return 0, d.apply(ctx, r, happening{kind: undone})
}

// call calls a function of the card once. It returns a wait if the function
// wants to be called again. r is read again, for the function writes to it.
func (d *Desk) call(ctx context.Context, do func(context.Context, ops.Run) error, r *store.Request, begun time.Time) (time.Duration, error) {
	limited, cancel := context.WithTimeout(ctx, stepFor)
	defer cancel()
	_, err := safely(func() (struct{}, error) {
		return struct{}{}, do(limited, &run{desk: d, request: *r, begun: begun})
	})
	if again, ok := errors.AsType[*ops.AgainError](err); ok {
		return max(again.After, time.Millisecond), nil
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if errors.Is(err, store.ErrLost) {
		return 0, store.ErrLost // no fault of the step's
	}
	if err != nil && limited.Err() != nil {
		err = &ops.Error{Kind: ops.Unknown, Err: err, What: fmt.Sprintf("It took longer than %v and was stopped, so it isn't known how far it came.", stepFor)}
	}
	state := r.State
	now, readErr := d.Store.Request(ctx, r.ID)
	if readErr != nil {
		return 0, readErr
	}
	if now.State != state {
		return 0, store.ErrStale
	}
	*r = now
	return 0, err
}

// safely turns a panic of an operation into an error.
func safely[T any](fn func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}

// run is a step's view of its request.
type run struct {
	desk    *Desk
	request store.Request
	begun   time.Time
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
	return slices.ContainsFunc(events, func(e store.Event) bool {
		return e.Kind == "calling" && e.Data["service"] == service && e.Data["action"] == action
	}), err
}

func (r *run) MayAct(context.Context) error { return nil }

func (r *run) Waiting(context.Context, ops.Waiting) error { return nil }

func (r *run) OfferUndo(ctx context.Context, until time.Time) error {
	if r.request.UndoUntil.Equal(until) {
		return nil
	}
	_, err := r.desk.Store.Update(ctx, r.request.ID, func(now *store.Request) (store.Change, error) {
		if err := stillCarries(ctx, *now); err != nil {
			return store.Change{}, err
		}
		if now.State != store.Running {
			return store.Change{}, store.ErrStale
		}
		now.UndoUntil = until.UTC()
		return store.Change{Messages: []store.Message{{Request: now.ID, Kind: store.Ask}}}, nil
	})
	return err
}

func (r *run) Log(ctx context.Context, lines ...ops.Line) error {
	if len(lines) == 0 {
		return nil
	}
	return r.write(ctx, nil, store.Change{Lines: lines})
}

func (r *run) Remember(ctx context.Context, key string, v any) error {
	return r.write(ctx, nil, store.Change{Memory: map[string]any{key: v}})
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
	return r.write(ctx, nil, store.Change{
		Memory:   map[string]any{key: true},
		Messages: []store.Message{{Thread: "reminder/" + r.request.ID + at.UTC().Format("/20060102T150405"), Request: r.request.ID, Kind: store.Note, Body: store.Body{Text: text}, Due: at}},
	})
}

func (r *run) Report(ctx context.Context, report ops.Report) error {
	return r.write(ctx, &report, store.Change{})
}

func (r *run) write(ctx context.Context, report *ops.Report, c store.Change) error {
	_, err := r.desk.Store.Update(ctx, r.request.ID, func(now *store.Request) (store.Change, error) {
		if err := stillCarries(ctx, *now); err != nil {
			return store.Change{}, err
		}
		if report != nil {
			now.Report = report
		}
		return c, nil
	})
	return err
}
