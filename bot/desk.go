// Package bot is the desk: it takes a request, finds out who asks and whether
// they may, has its operation plan it, runs the plan, and tells. It knows
// neither Slack nor AWS; a front end draws its messages, and an operation
// does the work.
//
// A request is a row, and everything that happens to it is a change of that
// row, written with its events, its messages and the wake-up that carries it
// on, in one transaction. Whatever process is woken reads the row and does the
// next thing, so a process may die anywhere.
package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// Desk carries requests from asked to told. Store, Team,
// Operations and Log must be set before Start.
type Desk struct {
	Store      *store.Store
	Team       *team.Team
	Operations []ops.Operation
	Terms      map[string]request.Terms // by the operation's name; DefaultTerms where there are none
	Log        *slog.Logger
	Meter      *meter.Meter // nil counts nothing
	Now        func() time.Time

	// Present returns nil if somebody is in a place, for operations that everybody
	// there may ask for. Nil: nobody is.
	Present func(ctx context.Context, user, place string) error

	// BreakGlass are the GitHub logins, in any case, who may have something run
	// alone in an emergency. Empty: nobody.
	BreakGlass []string

	// FreshProof is how old a proof may be of who approves something dangerous, or has
	// something run alone. 0: no proof is asked for beyond knowing who they are.
	FreshProof time.Duration

	// Vault keeps the head of the audit where the bot can't change it, and tells
	// where. Nil: there is none.
	Vault func(context.Context, store.Head) (where string, err error)

	// Front is the front end that this process has, as Asker.Front names it. What was
	// asked for in another is left to processes that have that. Empty: none is left.
	Front string

	// SettingsOf returns a digest of an operation's settings and terms. A request that
	// was planned with others is left to processes that have those. Nil: they aren't compared.
	SettingsOf func(operation string) string

	// Only is the ID of the one request that this process asks for and carries on. It
	// answers no clicks. Empty: it carries all that it can judge.
	Only string

	// Version and Settings are what runs: a version, and the hash of the settings.
	Version, Settings string

	began     time.Time // zero: it hasn't
	stopping  atomic.Bool
	carried   sync.Map // IDs of requests that this process has carried on
	checks    sync.Map // when a request's run was last allowed to go on, by its ID
	looks     looks
	lately    lately
	anchoring anchoring

	missingFor time.Duration // 0: as the constant has it
}

// looks are the plans being made. They only read, so stopping needn't wait for them.
type looks struct {
	mu      sync.Mutex
	stopped bool
	cancels map[*context.CancelFunc]struct{}
}

// begin returns a context that ends when the desk stops.
func (l *looks) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, planFor)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		cancel()
	}
	if l.cancels == nil {
		l.cancels = map[*context.CancelFunc]struct{}{}
	}
	key := &cancel
	l.cancels[key] = struct{}{}
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.cancels, key)
		cancel()
	}
}

func (l *looks) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for cancel := range l.cancels {
		(*cancel)()
	}
}

// Asking is what somebody asks for.
type Asking struct {
	Operation string
	Asker     request.Asker
	Inputs    ops.Inputs
	Preview   bool
	Again     string         // the request that is to be run again; its operation and inputs are taken
	Origin    string         // what tells it from everything else that is asked; empty: nothing does
	Reply     *request.Reply // where to answer for their eyes only; nil: nowhere in particular
}

// Start begins to carry requests on, those left by an earlier process included.
func (d *Desk) Start(ctx context.Context) error {
	if err := ops.Validate(d.Operations); err != nil {
		return err
	}
	d.began = d.now()
	if err := d.recordStart(ctx); err != nil {
		return err
	}
	d.anchoring.ended = make(chan struct{}, 1) // before anything can end
	if err := d.Store.Join(ctx, d.process()); err != nil {
		return err
	}
	if err := d.Store.Start(ctx, 16, d.carry, d.answers); err != nil {
		return err
	}
	if d.Only == "" {
		if err := d.listLinks(ctx); err != nil {
			return err
		}
	}
	if d.Only == "" || !d.Store.Shared() { // else it is the others' duty
		d.startAnchoring(ctx)
	}
	return nil
}

// Stop lets the steps at hand finish and stops carrying requests on.
func (d *Desk) Stop(ctx context.Context) error {
	d.stopping.Store(true)
	d.looks.stop()
	d.anchoring.stop()
	err := d.Store.Stop(ctx)
	// Also when the time to stop in is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, d.Store.Record(ctx, request.Event{At: d.now(), Kind: "process-stopped"}))
}

func (d *Desk) now() time.Time {
	if d.Now == nil {
		return time.Now().UTC()
	}
	return d.Now().UTC()
}

// attended is since when this process can have seen to what began at a time: then, or
// when the process began.
func (d *Desk) attended(since time.Time) time.Time {
	if d.began.After(since) && !d.began.After(d.now()) {
		return d.began
	}
	return since
}

// Clock is the desk's time, in UTC.
func (d *Desk) Clock() time.Time { return d.now() }

// Operation finds an operation by its name.
func (d *Desk) Operation(name string) (ops.Operation, bool) {
	for _, o := range d.Operations {
		if o.Name == name {
			return o, true
		}
	}
	return ops.Operation{}, false
}

// TermsOf are an operation's terms.
func (d *Desk) TermsOf(name string) request.Terms {
	t, ok := d.Terms[name]
	if !ok {
		t = request.DefaultTerms()
	}
	if o, _ := d.Operation(name); o.Approval.Count > t.Approval.Count {
		t.Approval = o.Approval
	}
	return t
}

// Ask stores a request, or, where the operation is split by a field, one for
// each value of that field, under the card of the first; that one is returned.
// Once it returns without an error, the request will be
// answered. Nothing is checked yet, so that it returns fast. store.ErrTaken says
// that it was asked before.
func (d *Desk) Ask(ctx context.Context, a Asking) (request.Request, error) {
	if a.Again != "" {
		before, err := d.Store.Request(ctx, a.Again)
		if err != nil {
			return request.Request{}, fmt.Errorf("read the request to run again: %w", err)
		}
		if o, ok := d.Operation(before.Operation); ok && o.Asks() && a.Inputs == nil {
			return request.Request{}, &ops.Error{Kind: ops.Invalid, What: "A form states things in the name of the person who sends it, so it can't be sent again by another.", Next: "Type " + o.Command + " and fill it in."}
		}
		a.Operation, a.Preview = before.Operation, before.Preview
		if a.Inputs == nil {
			a.Inputs = before.Inputs
		}
	}
	o, ok := d.Operation(a.Operation)
	if !ok {
		return request.Request{}, &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf("The operation %s isn't offered.", a.Operation)}
	}
	var requests []request.Request
	var changes []request.Change
	for _, inputs := range split(o, clean(o, a.Inputs)) {
		id, err := uuid.NewV7()
		if err != nil {
			return request.Request{}, fmt.Errorf("make a request's ID: %w", err)
		}
		r := request.Request{
			ID: id.String(), Card: id.String(), Operation: a.Operation, State: request.Asked, Version: 1, At: d.now(),
			Asker: a.Asker, Inputs: inputs, Preview: a.Preview, Again: a.Again, Settings: d.settingsOf(a.Operation),
		}
		if d.Only != "" && len(requests) == 0 {
			r.ID, r.Card = d.Only, d.Only
		}
		if len(requests) > 0 {
			r.Card = requests[0].ID
		}
		requests = append(requests, r)
		changes = append(changes, request.Change{
			Events: []request.Event{request.NewEvent(r, r.At, "asked", map[string]any{
				"operation": r.Operation, "inputs": r.Inputs, "preview": r.Preview, "again": r.Again, "asker": r.Asker,
			})},
			Wake: true,
		})
	}
	changes[0].Reply = a.Reply
	return requests[0], d.Store.InsertAll(ctx, a.Origin, requests, changes)
}

// clean takes secrets out of values that people typed: nobody can use them there,
// and the store would keep them. A name that the operation compares with one in the
// world stays as it was typed, because such names may look like secrets; but one that
// the operation knows not to match is no such name.
func clean(o ops.Operation, inputs ops.Inputs) ops.Inputs {
	var wrong map[string]string
	if o.Match != nil {
		wrong = o.Match(inputs)
	}
	kept := ops.Inputs{}
	for name, values := range inputs {
		compared := wrong[name] == "" && slices.ContainsFunc(o.Form, func(f ops.Field) bool {
			return f.Name == name && (f.Retype || f.Search != nil)
		})
		for _, value := range values {
			if !compared {
				value = ops.Redact(value)
			}
			kept[name] = append(kept[name], value)
		}
	}
	return kept
}

// split gives each value of the operation's Split field inputs of its own.
func split(o ops.Operation, inputs ops.Inputs) []ops.Inputs {
	if o.Split == "" || len(inputs[o.Split]) < 2 {
		return []ops.Inputs{inputs}
	}
	var each []ops.Inputs
	for _, value := range inputs[o.Split] {
		one := maps.Clone(inputs)
		one[o.Split] = []string{value}
		each = append(each, one)
	}
	return each
}

// event is an entry of the audit about r, by whoever asked.
const (
	lease      = 30 * time.Second
	leaseBeat  = 10 * time.Second
	takeover   = 200 * time.Millisecond // how soon to look again whether another is done
	afterFault = 3 * time.Second        // how soon to try again when the database or a step's fault stood in the way
)

// carry does whatever is next for a request, until it has ended, must wait, or
// somebody else carries it.
func (d *Desk) carry(ctx context.Context, id string, job int64) (wait time.Duration) {
	seen, takes, adopts, err := d.takes(ctx, id, job)
	if err != nil {
		d.Log.Error("look whose request it is", "request", id, "error", err)
		return afterFault
	}
	if !takes {
		d.debug(ctx, seen, "left to another process, or as it is", "job", job)
		return 0
	}
	at := time.Now()
	claimed, err := d.Store.Claim(ctx, id, job, at, lease)
	if err != nil {
		d.Log.Error("claim request", "request", id, "error", err)
		return afterFault
	}
	if !claimed {
		d.debug(ctx, seen, "not claimed: another job has it", "job", job)
		if r, err := d.Store.Request(ctx, id); err == nil && r.State.Ended() {
			return 0
		}
		if newer, err := d.Store.Superseded(ctx, id, job); err == nil && newer {
			return 0
		}
		return takeover
	}
	d.debug(ctx, seen, "claimed", "job", job, "adopts", adopts)
	ctx, stop := context.WithCancel(ctx)
	go d.beat(ctx, stop, id, job)
	defer func() {
		stop()
		if err := d.Store.Release(context.WithoutCancel(ctx), id, job, at, wait); err != nil {
			d.Log.Error("release request", "request", id, "error", err)
		}
	}()
	if adopts {
		seen.Lease = job
		if err := d.adopt(ctx, seen); err != nil {
			d.Log.Error("adopt request", "request", id, "error", err)
			return takeover
		}
	}
	if err := d.interrupted(ctx, id, job); err != nil && ctx.Err() == nil {
		d.Log.Error("look what was interrupted", "request", id, "error", err)
	}
	for {
		if d.stopping.Load() {
			return takeover
		}
		r, err := d.reread(ctx, request.Request{ID: id, Lease: job})
		if err != nil {
			d.Log.Error("read request", "request", id, "error", err)
			return afterFault
		}
		if r.State.Ended() {
			return 0
		}
		wait, err := d.next(ctx, r)
		switch {
		case ctx.Err() != nil:
			return takeover
		case errors.Is(err, store.ErrLost):
			d.Log.Warn(takenOver, "request", id)
			return takeover // which will find out by whom
		case errors.Is(err, store.ErrStale):
			continue
		case err != nil && d.stopping.Load():
			return takeover
		case err != nil:
			d.Log.Error("carry request on", "request", id, "operation", r.Operation, "state", r.State, "error", err)
			return afterFault
		case wait > 0:
			if mine, err := d.Store.Carries(ctx, id, job); err == nil && !mine {
				return 0
			}
			return wait
		}
	}
}

// next does one thing for a request. An error means that it couldn't be
// recorded: the thing will be done again.
func (d *Desk) next(ctx context.Context, r request.Request) (time.Duration, error) {
	operation, ok := d.Operation(r.Operation)
	if !ok {
		return afterFault, nil // carry leaves such a request to others
	}
	switch r.State {
	case request.Asked:
		if r.Card != r.ID {
			first, err := d.Store.Request(ctx, r.Card)
			if err != nil {
				return 0, err
			}
			if first.State == request.Asked {
				d.debug(ctx, r, "waits for the first request of its group", "first", r.Card)
				return takeover, nil // the first of a group goes first
			}
		}
		return 0, d.admit(ctx, operation, r)
	case request.Planning:
		return 0, d.plan(ctx, operation, r)
	case request.Waiting:
		return d.wait(ctx, r)
	case request.Approved:
		return d.start(ctx, operation, r)
	case request.Undoing:
		return d.undo(ctx, operation, r)
	default:
		return d.step(ctx, operation, r)
	}
}
