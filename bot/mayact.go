package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// Before a run changes something, the desk asks again: whether the requester may
// still ask, whether every approver may still approve, whether the record has
// their approvals, and what the plan is now. That is one question, mayAct, for
// every operation, step and front end. It is asked when an approved run begins,
// right before every call that can't be taken back, and before every other change
// that comes after a wait or more than a minute after the last question.

const (
	checkedFor = time.Minute      // how long an answer holds for a change that can be taken back
	openingFor = 10 * time.Second // how long the answer with which a run begins holds for its first change
	heldUpFor  = 24 * time.Hour   // how long a run waits for GitHub or AWS, of whom it must ask
	heldUpLook = time.Minute      // how often it asks again
)

// answer is what came of asking whether a run may go on to its next change.
type answer struct {
	plan  *ops.Plan       // as it is now; nil: it couldn't be made
	stale bool            // it has an effect, or a term, that was never shown
	lost  *request.Review // whose approval doesn't count any more
	err   error           // why the run may not go on, or why that can't be told
}

func (a answer) yes() bool { return a.err == nil && !a.stale }

// halt is the answer as a step sees it.
func (a answer) halt() error {
	if a.err == nil {
		return &ops.HaltError{Err: errors.New("the plan has changed since it was shown")}
	}
	return &ops.HaltError{Err: a.err}
}

// mayAct asks whether a run may go on to its next change. An error is one of
// ctx's.
func (d *Desk) mayAct(ctx context.Context, o ops.Operation, r request.Request) (answer, error) {
	a, err := d.askAgain(ctx, o, r)
	if err == nil {
		why := ""
		if a.err != nil {
			why = a.err.Error()
		}
		d.debug(ctx, r, "asked again whether it may go on", "yes", a.yes(), "unseen", a.stale, "why", why)
	}
	return a, err
}

func (d *Desk) askAgain(ctx context.Context, o ops.Operation, r request.Request) (answer, error) {
	if no, err := d.mayPeople(ctx, r); no.err != nil || err != nil {
		return no, err
	}
	plan, unplannable := d.look(ctx, o, r)
	if ctx.Err() != nil || d.stopping.Load() {
		return answer{}, context.Canceled
	}
	// Making a plan can take minutes, in which people come and go.
	if no, err := d.mayPeople(ctx, r); no.err != nil || err != nil {
		return no, err
	}
	if unplannable != nil {
		return answer{err: unplannable}, nil
	}
	need, _ := d.TermsOf(o.Name).Need(plan)
	stale := len(plan.Beyond(*r.Plan)) > 0 || len(plan.NewTerms(*r.Plan)) > 0 ||
		len(plan.Steps) > 0 && need > r.Need-r.Missing()
	return answer{plan: &plan, stale: stale}, nil
}

// mayPeople asks about the record and the people alone.
func (d *Desk) mayPeople(ctx context.Context, r request.Request) (answer, error) {
	err := d.recorded(ctx, r)
	if err == nil {
		err = d.still(ctx, r)
	}
	if ctx.Err() != nil {
		return answer{}, ctx.Err()
	}
	a := answer{err: err}
	if gone, ok := errors.AsType[*lapsedError](err); ok && ops.KindOf(err) == ops.Refused {
		a.lost = &gone.review
	}
	return a, nil
}

// checked is when a run was last allowed to go on.
type checked struct {
	at      time.Time
	opening bool // the run has just begun, and nothing was changed yet
}

// asked remembers that a run may go on, until it waits. A plan of a thousand teams
// takes minutes to make, so the answer with which a run begins holds for its first
// change as well, if that follows at once.
func (d *Desk) asked(id string, opening bool) { d.checks.Store(id, checked{d.now(), opening}) }

// waited forgets it: what waited is asked about again.
func (d *Desk) waited(id string) { d.checks.Delete(id) }

// needsAsking tells whether a change must be asked about.
func (d *Desk) needsAsking(id string, irreversible bool) bool {
	v, ok := d.checks.Load(id)
	if !ok {
		return true
	}
	last := v.(checked)
	age := d.now().Sub(last.at)
	if irreversible {
		return !last.opening || age > openingFor
	}
	return age > checkedFor
}

// opened notes that a run makes its first change.
func (d *Desk) opened(id string) {
	if v, ok := d.checks.Load(id); ok {
		d.checks.Store(id, checked{at: v.(checked).at})
	}
}

// act does what an answer demands: it begins, ends, holds up or asks people, and
// returns how long to wait. Nothing is left to do where the answer is yes.
func (d *Desk) act(ctx context.Context, r request.Request, a answer) (time.Duration, error) {
	terms := d.TermsOf(r.Operation)
	switch {
	case a.yes():
		if err := d.apply(ctx, r, request.Trigger{Event: request.EventReplanned, Plan: a.plan}); err != nil {
			return 0, err
		}
		d.asked(r.ID, r.State == request.Approved)
		return 0, nil
	case a.stale:
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventStale, Plan: a.plan, Terms: terms, Settings: d.settingsOf(r.Operation)})
	}
	d.report(a.err, r)
	if d.mayPass(r, a.err) {
		since := r.HeldSince
		if since.IsZero() {
			since = d.now()
		}
		since = d.attended(since) // a bot that was stopped has asked no member
		if until := since.Add(heldUpFor); d.now().Before(until) {
			d.debug(ctx, r, "waits until it can be asked again", "until", until)
			return heldUpLook, d.holdUp(ctx, r, a.err, since, until)
		}
	}
	changed, err := d.changed(ctx, r, a.err)
	if err != nil {
		return 0, err
	}
	words := ops.WordsChanged(a.err, r.ID, changed)
	switch {
	case r.ActedAt.IsZero() && r.State == request.Approved && (ops.KindOf(a.err) == ops.Refused || ops.KindOf(a.err) == ops.Invalid):
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventRefused, Login: r.By, Reason: words, Fault: ops.KindOf(a.err), Changed: changed})
	case a.lost != nil && !r.ActedAt.IsZero() && r.Need > 0:
		return 0, d.apply(ctx, r, request.Trigger{Event: request.EventLapsed, Terms: terms, Lost: *a.lost, Reason: ops.Words(a.err, r.ID)})
	}
	return 0, d.apply(ctx, r, request.Trigger{Event: request.EventGaveUp, Reason: "The run stopped before its next change. " + words, Changed: changed})
}

// mayPass tells whether an error is only that something can't be asked now: it is
// waited for, for it is neither a yes nor a no. Where nothing has been done yet,
// what only people can mend ends the run.
func (d *Desk) mayPass(r request.Request, err error) bool {
	if ops.KindOf(err) != ops.Unavailable {
		return false
	}
	return ops.IsPassing(err) || !r.ActedAt.IsZero()
}

// holdUp says why the run can't go on for now, what stands and until when it waits.
func (d *Desk) holdUp(ctx context.Context, r request.Request, why error, since, until time.Time) error {
	changed, err := d.changed(ctx, r, nil)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("Waiting until %s UTC at the latest, because it must be asked again before the next change, and can't be: %s",
		until.Format("2 Jan 15:04"), ops.WordsChanged(why, r.ID, changed))
	if r.HeldUp == text {
		return nil
	}
	_, err = d.update(ctx, r, func(now *request.Request) (request.Change, error) {
		if now.State != r.State {
			return request.Change{}, store.ErrStale
		}
		now.HeldUp, now.HeldSince = text, since
		return request.Change{
			Lines:    []ops.Line{{Key: "desk/held-up " + text, Level: ops.Warning, Text: text}},
			Messages: []request.Message{{Request: r.ID, Kind: request.Card}, {Request: r.ID, Kind: request.Ask}},
		}, nil
	})
	return err
}

// lapsedError says that somebody who approved may not any more.
type lapsedError struct {
	review request.Review
	err    error
}

func (e *lapsedError) Error() string { return e.err.Error() }

func (e *lapsedError) Unwrap() error { return e.err }

// recorded returns nil if the record has what the request's row says of its plan and
// of its approvals: each with the login and the digest of the plan that was shown. A
// person with the database's password can rewrite the row; the record can't be
// rewritten unseen.
func (d *Desk) recorded(ctx context.Context, r request.Request) error {
	events, err := d.Store.Events(ctx, r.ID)
	if err != nil {
		return err
	}
	need, known := plannedNeed(events, r.Digest())
	if !known || r.Plan != nil && !slices.ContainsFunc(events, func(e request.Event) bool { return e.Data["digest"] == r.Plan.Digest() }) {
		return unrecorded("The record doesn't have this plan.")
	}
	if need = max(need, r.Need); need == 0 {
		return nil
	}
	has := func(kind request.EventKind, review request.Review) bool {
		for _, e := range events {
			if e.Kind == string(kind) && strings.EqualFold(e.By, review.By) && e.Data["digest"] == review.Digest && !e.At.Before(review.At.Add(-time.Second)) {
				return true
			}
		}
		return false
	}
	counted := len(r.Reviews)
	for _, review := range r.Reviews {
		if !has(request.EventApproved, review) || review.Digest != r.Digest() {
			return unrecorded(fmt.Sprintf("The record has no approval of this plan by %s.", review.By))
		}
	}
	if r.Alone() {
		if !has(request.EventBreakGlass, *r.Glass) {
			return unrecorded(fmt.Sprintf("The record doesn't say that %s had this plan run alone.", r.Glass.By))
		}
		return nil
	}
	if counted < need {
		return unrecorded("The record doesn't have the approvals that this plan needs.")
	}
	return nil
}

// plannedNeed is how many approvals a plan needed when it was recorded.
func plannedNeed(events []request.Event, digest string) (need int, known bool) {
	for _, e := range events {
		if (e.Kind != string(request.EventPlanned) && e.Kind != string(request.EventStale)) || e.Data["digest"] != digest {
			continue
		}
		known = true
		if n, ok := e.Data["need"].(float64); ok { // JSON's numbers
			need = int(n)
		}
	}
	return need, known
}

func unrecorded(what string) error {
	return &ops.Error{Kind: ops.Refused, What: what, Next: "The database was changed by other hands than the bot's: tell its operator, and run `rootbot audit verify`."}
}

// changed tells how much a request has changed, by the record of its calls. why is
// the error that ends it; nil: none.
func (d *Desk) changed(ctx context.Context, r request.Request, why error) (ops.Changed, error) {
	if r.ActedAt.IsZero() && r.FinalAt.IsZero() {
		return ops.ChangedNothing, nil
	}
	if ops.KindOf(why) == ops.Unknown && why != nil {
		return ops.ChangedUnknown, nil
	}
	events, err := d.Store.Events(ctx, r.ID)
	if err != nil {
		return "", err
	}
	done, open, acting := 0, 0, 0
	for _, e := range events {
		switch {
		case e.Kind == "calling":
			open++
		case e.Kind == "acting":
			acting++
		case e.Kind == string(request.EventStepEnded):
			done, acting = done+acting, 0
		case e.Kind != "called":
		case e.Data["outcome"] == "done":
			done, open = done+1, open-1
		case e.Data["outcome"] == "failed":
			open--
		}
	}
	last := 0 // the step after the last one with effects
	if r.Plan != nil {
		for i, s := range r.Plan.Steps {
			if len(s.Effects) > 0 {
				last = i + 1
			}
		}
	}
	switch {
	case r.Step >= last && r.State == request.Running:
		return ops.ChangedAll, nil
	case done > 0:
		return ops.ChangedPart, nil
	case open > 0 || acting > 0:
		return ops.ChangedUnknown, nil
	}
	return ops.ChangedNothing, nil
}
