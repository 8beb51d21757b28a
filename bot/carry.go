package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
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

// apply has an event happen to a request, if the request is still as it was read.
func (d *Desk) apply(ctx context.Context, r request.Request, t request.Trigger) error {
	now, err := d.update(ctx, r, func(now *request.Request) (request.Change, error) {
		if now.Version != r.Version {
			return request.Change{}, store.ErrStale
		}
		next, change, err := request.Apply(*now, t, d.now())
		if err != nil {
			return change, err
		}
		*now = next
		return change, nil
	})
	if err == nil {
		d.entered(r.State, now)
		by := r.By
		if t.Login != "" {
			by = t.Login
		}
		d.Log.Info("request "+string(t.Event), "request", r.ID, "operation", r.Operation, "by", by, "reason", t.Reason)
	}
	return err
}

// entered counts the state that a request is in after a change, if that is another
// one, and has the audit anchored when a run has ended.
func (d *Desk) entered(was request.State, now request.Request) {
	if now.State != was {
		d.Meter.Request(now.Operation, string(now.State))
		if now.State == request.Failed && now.Report != nil && now.Report.Alarm != "" {
			d.Meter.Unplanned(now.Operation)
		}
	}
	d.runEnded(now)
}

// admit finds out who asks and whether they may.
func (d *Desk) admit(ctx context.Context, o ops.Operation, r request.Request) error {
	login, err := "", d.noMember(r.Operation, r.Asker)
	if err == nil {
		login, err = d.inCrowd(ctx, r.Operation, r.Asker)
	}
	if err == nil {
		login, err = d.MayAsk(ctx, r.Operation, r.Asker)
	}
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
		words := ops.WordsChanged(err, r.ID, ops.ChangedNothing)
		return d.apply(ctx, r, request.Trigger{Event: request.EventRefused, Login: login, Reason: words, Fault: ops.KindOf(err), Changed: ops.ChangedNothing, Quiet: d.said(ctx, r, words)})
	}
	d.debug(ctx, r, "may ask", "login", login, "account", account)
	asked := r.For()
	asked.By = login
	if o.Doubt != nil {
		// Whatever is wrong, only the requester is told.
		if _, err := safely(func() (struct{}, error) { return struct{}{}, o.Doubt(ctx, asked) }); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			d.report(err, r)
			words := ops.WordsChanged(err, r.ID, ops.ChangedNothing)
			return d.apply(ctx, r, request.Trigger{Event: request.EventRefused, Login: login, Reason: words, Fault: ops.KindOf(err), Changed: ops.ChangedNothing, Quiet: d.said(ctx, r, words)})
		}
	}
	h := request.Trigger{Event: request.EventAdmitted, Login: login, Account: account}
	if o.Lock != nil && !r.Preview {
		if h.Held, err = safely(func() (string, error) { return o.Lock(asked), nil }); err != nil {
			d.report(err, r)
			return d.apply(ctx, r, request.Trigger{Event: request.EventRefused, Login: login, Reason: ops.WordsChanged(err, r.ID, ops.ChangedNothing), Changed: ops.ChangedNothing})
		}
	}
	d.debug(ctx, r, "nothing is doubtful", "lock", h.Held)
	err = d.apply(ctx, r, h)
	held, busy := errors.AsType[*store.HeldError](err)
	if !busy {
		return err
	}
	reason := o.Command + " is already under way."
	if other, err := d.Store.Request(ctx, held.By); err == nil {
		reason = fmt.Sprintf("%s is already under way: %s asked for it at %s UTC.", o.Command, other.By, other.At.Format("15:04"))
	}
	return d.apply(ctx, r, request.Trigger{
		Event: request.EventRefused, Login: login, Fault: ops.Busy, Pointer: held.By, Changed: ops.ChangedNothing,
		Reason: reason + " Your request was not started; follow that one, and ask again when it has ended.",
	})
}

// said tells whether the first of r's group was turned away with the same words.
func (d *Desk) said(ctx context.Context, r request.Request, words string) bool {
	if r.Card == r.ID {
		return false
	}
	first, err := d.Store.Request(ctx, r.Card)
	return err == nil && first.State == request.Refused && first.Reason == words
}

func (d *Desk) plan(ctx context.Context, o ops.Operation, r request.Request) error {
	plan, err := d.look(ctx, o, r)
	if ctx.Err() != nil || d.stopping.Load() {
		return context.Canceled
	}
	if err != nil {
		d.report(err, r)
		return d.apply(ctx, r, request.Trigger{Event: request.EventUnplanned, Reason: ops.WordsChanged(err, r.ID, ops.ChangedNothing), Fault: ops.KindOf(err), Changed: ops.ChangedNothing})
	}
	d.debug(ctx, r, "a plan is made", "steps", len(plan.Steps), "effects", len(plan.Effects()), "demands", plan.Approval.Count)
	return d.apply(ctx, r, request.Trigger{Event: request.EventPlanned, Plan: &plan, Terms: d.TermsOf(o.Name), Settings: d.settingsOf(o.Name), Few: d.tooFew(ctx, r, plan)})
}

// look makes a plan, and tells where that stands while it takes long.
func (d *Desk) look(ctx context.Context, o ops.Operation, r request.Request) (ops.Plan, error) {
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
	if o.Dangerous && d.FreshProof > 0 {
		// A term like the operation's own: approvals from before the setting don't count.
		plan.Terms = append(plan.Terms, ops.Fact{Label: "Who approves", Value: "has signed in to GitHub within " + ops.Span(d.FreshProof)})
	}
	return plan, err
}

// progress brings the card up to date while a plan takes long.
func (d *Desk) progress(ctx context.Context, r request.Request, text *atomic.Pointer[string]) {
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
		if err := d.Store.Progress(ctx, r, *now); err != nil && ctx.Err() == nil {
			d.Log.Warn("write progress", "request", r.ID, "error", err)
		}
	}
}

// wait waits for people to decide.
func (d *Desk) wait(ctx context.Context, r request.Request) (time.Duration, error) {
	now := d.now()
	switch {
	case !now.Before(r.ExpiresAt):
		changed, err := d.changed(ctx, r, nil)
		if err != nil {
			return 0, err
		}
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventExpired, Changed: changed})
	case !r.RemindAt.IsZero() && !now.Before(r.RemindAt):
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventReminded, Terms: d.TermsOf(r.Operation)})
	}
	until := r.ExpiresAt
	if !r.RemindAt.IsZero() && r.RemindAt.Before(until) {
		until = r.RemindAt
	}
	d.debug(ctx, r, "waits for approvals", "missing", r.Missing(), "until", until)
	return max(until.Sub(now), time.Millisecond), nil
}

// start begins the run, if the requester and the approvers still may, and if the
// plan is still what was shown. A run that needs no approval acts on the plan that
// was just made; every other plan is made again, however young it is.
func (d *Desk) start(ctx context.Context, o ops.Operation, r request.Request) (time.Duration, error) {
	if r.Alone() {
		if wait, err := d.heard(ctx, r); wait > 0 || err != nil {
			d.debug(ctx, r, "no member has heard yet that it runs without its approvals")
			return wait, err
		}
	}
	if r.Need > 0 || d.now().Sub(r.PlannedAt) > planFresh || o.Dangerous {
		a, err := d.mayAct(ctx, o, r)
		if err != nil {
			return 0, err
		}
		wait, err := d.act(ctx, r, a)
		if err != nil || !a.yes() {
			return wait, err
		}
		if r, err = d.reread(ctx, r); err != nil {
			return 0, err
		}
		if r.State != request.Approved {
			return 0, nil // there is nothing left to do
		}
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventStarted})
	}
	err := d.recorded(ctx, r)
	if err == nil {
		err = d.still(ctx, r)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil {
		return d.act(ctx, r, answer{err: err})
	}
	d.debug(ctx, r, "may run: its plan is fresh and needs no approval")
	d.asked(r.ID, true)
	return 0, d.apply(ctx, r, request.Trigger{Event: request.EventStarted})
}

// step calls the step at hand once.
func (d *Desk) step(ctx context.Context, o ops.Operation, r request.Request) (time.Duration, error) {
	if wait, err := d.unattended(ctx, o, r); wait > 0 || err != nil {
		return wait, err
	}
	begun, step := r.StepBegun, r.Plan.Steps[r.Step]
	if len(step.Effects) > 0 && d.needsAsking(r.ID, false) {
		a, err := d.mayAct(ctx, o, r)
		if err != nil {
			return 0, err
		}
		return d.act(ctx, r, a) // and comes back
	}
	if begun.IsZero() {
		if err := d.apply(ctx, r, request.Trigger{Event: request.EventStepBegun}); err != nil {
			return 0, err
		}
	}
	d.debug(ctx, r, "calls a step", "step", step.Do, "again", !begun.IsZero())
	wait, halted, err := d.call(ctx, o, step.Do, &r, begun)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, store.ErrLost):
		return 0, err
	case halted != nil:
		d.waited(r.ID)
		return d.act(ctx, r, *halted)
	case wait > 0:
		d.debug(ctx, r, "the step waits", "step", step.Do, "after", wait, "for", r.Waits.For)
		d.waited(r.ID)
		d.Meter.Step(o.Name, "again")
		return wait, d.nudge(ctx, r)
	case ops.Halted(err):
		return 0, err // it couldn't even be asked whether it may
	case ops.KindOf(err) == ops.Lifted:
		d.Meter.Step(o.Name, "lifted")
		d.report(err, r)
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventLifted, Reason: ops.Words(err, r.ID), Terms: d.TermsOf(o.Name)})
	case err != nil:
		outcome := "failed"
		if ops.KindOf(err) == ops.Unknown {
			outcome = "unknown"
		}
		d.Meter.Step(o.Name, outcome)
		d.report(err, r)
		changed, failed := d.changed(ctx, r, err)
		if failed != nil {
			return 0, failed
		}
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventStepFailed, Reason: ops.WordsChanged(err, r.ID, changed), Fault: ops.KindOf(err), Changed: changed})
	}
	d.Meter.Step(o.Name, "done")
	return 0, d.apply(ctx, r, request.Trigger{Event: request.EventStepEnded})
}

// nudge reminds people each working day of what they must do, while a step waits
// for that.
func (d *Desk) nudge(ctx context.Context, r request.Request) error {
	if !r.Waits.Person {
		return nil
	}
	var due time.Time
	if known, err := d.Store.Recall(ctx, r.ID, nudgeAt, &due); !known || err != nil || d.now().Before(due) {
		return err
	}
	again := &run{desk: d, request: r}
	return again.note(ctx, request.Change{
		Memory:   map[string]any{nudgeAt: d.TermsOf(r.Operation).Hours.NextDay(d.now())},
		Messages: []request.Message{{Request: r.ID, Kind: request.Note, Body: request.Body{Text: "Still waiting. " + r.Waits.For, Mention: true}}},
	})
}

// nudgeAt is where a run remembers when people are reminded next.
const nudgeAt = "desk/nudge-at"

// undo restores what the run has done.
func (d *Desk) undo(ctx context.Context, o ops.Operation, r request.Request) (time.Duration, error) {
	d.debug(ctx, r, "calls the undo", "step", o.Undo)
	wait, _, err := d.call(ctx, o, o.Undo, &r, r.Restoring.At)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case errors.Is(err, store.ErrLost):
		return 0, err
	case wait > 0:
		return wait, nil
	case err != nil:
		d.report(err, r)
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventStepFailed, Reason: "Restoring has stopped half-way. " + ops.Words(err, r.ID), Fault: ops.KindOf(err), Changed: ops.ChangedPart})
	}
	return 0, d.apply(ctx, r, request.Trigger{Event: request.EventUndone})
}

// call calls a function of the card once. It returns a wait if the function
// wants to be called again. r is read again, for the function writes to it.
//
// halted is the answer for which the desk stopped it before a change, whatever the
// function made of that; nil: it didn't.
func (d *Desk) call(ctx context.Context, o ops.Operation, name string, r *request.Request, begun time.Time) (wait time.Duration, halted *answer, err error) {
	limited, cancel := context.WithTimeout(ctx, stepFor)
	defer cancel()
	run := &run{desk: d, operation: o, request: *r, begun: begun}
	_, err = safely(func() (struct{}, error) {
		return struct{}{}, o.Do[name](context.WithValue(limited, runKey{}, run), run)
	})
	if ctx.Err() != nil {
		return 0, nil, ctx.Err()
	}
	if errors.Is(err, store.ErrLost) {
		return 0, nil, store.ErrLost // no fault of the step's
	}
	if err != nil && limited.Err() != nil {
		err = &ops.Error{Kind: ops.Unknown, Err: err, What: fmt.Sprintf("It took longer than %v and was stopped, so it isn't known how far it came.", stepFor)}
	}
	state := r.State
	now, readErr := d.reread(ctx, *r)
	if readErr != nil {
		return 0, nil, readErr
	}
	if now.State != state {
		return 0, nil, store.ErrStale
	}
	*r = now
	if halted := run.halted.Load(); halted != nil {
		return 0, halted, nil
	}
	if again, ok := errors.AsType[*ops.AgainError](err); ok {
		return max(again.After, time.Millisecond), nil, nil
	}
	return 0, nil, err
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
