package deleteaccount

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
)

// before is how the account was, so that it can be put back exactly.
type before struct {
	At   time.Time         `json:"at"`   // when it was disabled
	From Unit              `json:"from"` // the unit that it was in
	Tags map[string]string `json:"tags"` // earlier values of our tags
}

// present reads the account as it is now, beside what the plan has of it. One
// that has left the organisation is an error.
func (o *operation) present(ctx context.Context, run ops.Run) (data, *organizations.Client, *Account, error) {
	d, err := kept(run)
	if err != nil {
		return d, nil, nil, err
	}
	look, err := o.reader(run.Request())
	if err != nil {
		return d, nil, nil, err
	}
	a, err := readAccount(ctx, look, targetOf(run.Request()))
	if err != nil {
		return d, nil, nil, o.explainLook(err)
	}
	if a == nil {
		return d, nil, nil, gone(&d.Account)
	}
	return d, look, a, nil
}

// disable marks the account and moves it to where a policy denies everything.
func (o *operation) disable(ctx context.Context, run ops.Run) error {
	r := run.Request()
	d, _, a, err := o.present(ctx, run)
	if err != nil {
		return err
	}
	var was before
	known, err := run.Recall(ctx, "before", &was)
	if err != nil {
		return err
	}
	if !known {
		was.Tags = map[string]string{}
		for _, key := range []string{tagRequest, tagFrom} {
			if value, ok := a.Tags[key]; ok {
				was.Tags[key] = value
			}
		}
	}
	// Once moved out by somebody, it is disabled anew by a plan that says so, if
	// that was approved, and has the time of grace anew.
	if from := d.Account.parent(); !known || from.ID != was.From.ID && from.ID != d.Disabled.ID {
		was.At, was.From = run.Now().UTC(), from
		if err := run.Remember(ctx, "before", was); err != nil {
			return err
		}
	}
	if a.Parent != was.From.ID && a.Parent != d.Disabled.ID {
		return astray(a)
	}
	act, err := o.writer(r, "Mark", "Move")
	if err != nil {
		return err
	}
	if !ours(r, a) {
		if _, err := act.TagResource(ctx, &organizations.TagResourceInput{ResourceId: &a.ID, Tags: []types.Tag{
			{Key: aws.String(tagRequest), Value: &r.ID}, {Key: aws.String(tagFrom), Value: &was.From.ID},
		}}); err != nil {
			return o.explainAct(fmt.Errorf("tag account %s: %w", a.ID, err))
		}
	}
	if err := run.Log(ctx, ops.Line{Key: "tagged", Level: ops.Change, Text: fmt.Sprintf("Tagged account %s with %s=%s.", a, tagRequest, r.ID)}); err != nil {
		return err
	}
	return o.move(ctx, run, act, a, was.From, d.Disabled)
}

func gone(a *Account) error {
	return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("Account %s is not in the organisation any more.", a)}
}

// astray refuses an account that is neither where the plan saw it nor where the
// run has put it: people moved it, and had a reason.
func astray(a *Account) error {
	return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("Account %s was moved by hand: it is in %s.", a, a.where())}
}

// move moves an account from where it is meant to be to a unit.
func (o *operation) move(ctx context.Context, run ops.Run, act *organizations.Client, a *Account, from, to Unit) error {
	if a.Parent == to.ID {
		return run.Log(ctx, ops.Line{Key: "moved " + to.ID, Level: ops.Change, Text: fmt.Sprintf("Account %s is in %s.", a, to)})
	}
	if a.Parent != from.ID {
		return astray(a)
	}
	_, err := act.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: &a.ID, SourceParentId: &from.ID, DestinationParentId: &to.ID})
	_, moved := typed[*types.SourceParentNotFoundException](err)
	_, there := typed[*types.DuplicateAccountException](err)
	// That is what AWS says of an account that isn't in the source.
	_, away := typed[*types.AccountNotFoundException](err)
	if moved || there || away {
		// By an earlier call whose answer was lost, or by somebody: look again.
		return ops.Again(time.Second)
	}
	if err != nil {
		return o.explainAct(fmt.Errorf("move account %s to %s: %w", a.ID, to.ID, err))
	}
	return run.Log(ctx, ops.Line{Key: "moved " + to.ID, Level: ops.Change, Text: fmt.Sprintf("Moved account %s from %s to %s.", a, from, to)})
}

// grace waits while the account can be put back.
func (o *operation) grace(ctx context.Context, run ops.Run) error {
	d, err := kept(run)
	if err != nil {
		return err
	}
	var was before
	known, err := run.Recall(ctx, "before", &was)
	if err != nil {
		return err
	}
	if !known {
		return &ops.Error{Kind: ops.Unknown, What: "It isn't known when the account was disabled."}
	}
	end := was.At.Add(d.Grace)
	if left := end.Sub(run.Now()); left > 0 {
		if err := run.OfferUndo(ctx, end); err != nil {
			return err
		}
		return ops.Again(left)
	}
	return nil
}

// again are how long to wait before the next try.
const (
	afterConflict = 2 * time.Minute
	afterTooMany  = 15 * time.Minute
	afterQuota    = time.Hour
)

// close closes the account. AWS accepts that and does it later. What it answers
// by a typed reason is waited for where waiting helps.
func (o *operation) close(ctx context.Context, run ops.Run) error {
	r := run.Request()
	d, err := kept(run)
	if err != nil {
		return err
	}
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	accepted, err := run.Recall(ctx, "closing", new(time.Time))
	if err != nil {
		return err
	}
	a, err := describe(ctx, look, targetOf(r))
	switch {
	case err != nil:
		return o.explainLook(err)
	case a == nil:
		return gone(&d.Account)
	case accepted, a.State == pending, a.gone():
		return o.accepted(ctx, run, a)
	case a.State != active:
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("The state of account %s is %s, and the bot closes active accounts only.", a, a.State)}
	}
	if err := locate(ctx, look, a); err != nil {
		return o.explainLook(err)
	}
	if a.Parent != d.place().ID {
		return astray(a)
	}
	act, err := o.writer(r, "Close")
	if err != nil {
		return err
	}
	_, err = act.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: &a.ID}, func(c *organizations.Options) { c.RetryMaxAttempts = 1 })
	if err == nil {
		return o.accepted(ctx, run, a)
	}
	wait := func(d time.Duration, why string) error {
		text := fmt.Sprintf("AWS doesn't close it yet: %s. This is tried again at %s UTC.", why, run.Now().Add(d).UTC().Format("2 Jan 15:04"))
		if err := run.Log(ctx, ops.Line{Key: "wait " + why, Level: ops.Warning, Text: text}); err != nil {
			return err
		}
		return ops.Again(d)
	}
	if _, ok := typed[*types.AccountAlreadyClosedException](err); ok {
		return o.accepted(ctx, run, a)
	}
	if _, ok := typed[*types.ConflictException](err); ok {
		return wait(afterConflict, "something else is being done to it")
	}
	if constraint, ok := typed[*types.ConstraintViolationException](err); ok {
		switch constraint.Reason {
		case types.ConstraintViolationExceptionReasonCloseAccountQuotaExceeded:
			return wait(afterQuota, "the organisation's quota of closures in 30 days is used up")
		case types.ConstraintViolationExceptionReasonCloseAccountRequestsLimitExceeded:
			return wait(afterTooMany, "too many accounts are being closed at once")
		case types.ConstraintViolationExceptionReasonCannotCloseManagementAccount:
			return &ops.Error{Kind: ops.Refused, Err: err, What: fmt.Sprintf("Account %s is the management account, which can't be closed.", a)}
		}
		return &ops.Error{Kind: ops.Refused, Err: err, What: fmt.Sprintf("AWS refuses to close account %s: %s.", a, cmp.Or(string(constraint.Reason), "it doesn't say why")), Next: "Look at it in the console, and ask again."}
	}
	// An answer that was lost: the state will say whether it was accepted, and to
	// ask twice for the same account does no harm.
	return o.explainAct(fmt.Errorf("close account %s: %w", a.ID, err))
}

// accepted remembers when the closing began.
func (o *operation) accepted(ctx context.Context, run ops.Run, a *Account) error {
	var at time.Time
	known, err := run.Recall(ctx, "closing", &at)
	if err != nil {
		return err
	}
	if !known {
		if err := run.Remember(ctx, "closing", run.Now().UTC()); err != nil {
			return err
		}
	}
	return run.Log(ctx, ops.Line{Key: "closing", Level: ops.Change, Text: fmt.Sprintf("AWS has accepted that account %s is closed.", a)})
}

// longest is how long a closing is followed; it takes hours, at most days.
const longest = 7 * 24 * time.Hour

// follow waits until the account is closed.
func (o *operation) follow(ctx context.Context, run ops.Run) error {
	r := run.Request()
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	a, err := describe(ctx, look, targetOf(r))
	if err != nil {
		return o.explainLook(err)
	}
	switch {
	case a == nil:
		return run.Log(ctx, ops.Line{Key: "vanished", Level: ops.Warning, Text: fmt.Sprintf("Account %s is not in the organisation any more.", targetOf(r))})
	case a.gone():
		return run.Log(ctx, ops.Line{Key: "closed", Level: ops.Change, Text: fmt.Sprintf("Account %s is closed.", a)})
	case !run.Begun().IsZero() && run.Now().After(run.Begun().Add(longest)):
		return &ops.Error{Kind: ops.Unknown, What: fmt.Sprintf("AWS accepted a week ago that account %s is closed, and its state still is %s.", a, a.State), Next: "Look at it in the console, and ask AWS's support."}
	}
	if err := run.Log(ctx, ops.Line{Key: "state " + a.State, Text: fmt.Sprintf("The state of account %s is %s.", a, a.State)}); err != nil {
		return err
	}
	return ops.Again(o.settings.Poll)
}

const (
	reinstatable = 90 * 24 * time.Hour // from the closing on
	remindBefore = 14 * 24 * time.Hour
)

// archive moves the closed account out of the way, and says until when it can
// be had back.
func (o *operation) archive(ctx context.Context, run ops.Run) error {
	r := run.Request()
	d, err := kept(run)
	if err != nil {
		return err
	}
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	var closed time.Time
	if _, err := run.Recall(ctx, "closing", &closed); err != nil {
		return err
	}
	last := closed.Add(reinstatable)
	if err := run.Remind(ctx, last.Add(-remindBefore), fmt.Sprintf("Account %s was closed on %s. On %s AWS deletes it for good: who still needs something of it must ask AWS's support before.",
		&d.Account, closed.Format("2 Jan 2006"), last.Format("2 Jan 2006"))); err != nil {
		return err
	}
	a, err := readAccount(ctx, look, targetOf(r))
	if err != nil {
		return o.explainLook(err)
	}
	if a != nil && d.Closed.ID != "" {
		act, err := o.writer(r, "Move")
		if err != nil {
			return err
		}
		if err := o.move(ctx, run, act, a, d.place(), d.Closed); err != nil {
			return err
		}
		if a, err = readAccount(ctx, look, targetOf(r)); err != nil {
			return o.explainLook(err)
		}
	}
	report := ops.Report{
		Summary: fmt.Sprintf("Account %s is closed. AWS's support can reinstate it until %s.", &d.Account, last.Format("2 Jan 2006")),
		Notes:   []string{"A reminder follows two weeks before that."},
	}
	section := ops.Section{Title: "Read back from AWS Organizations"}
	if a != nil {
		section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "State " + a.State, State: truth(a.gone())})
		if d.Closed.ID != "" {
			section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "In " + a.where(), State: truth(a.Parent == d.Closed.ID)})
		}
	} else {
		report.Summary = fmt.Sprintf("AWS accepted on %s that account %s is closed, and it is not in the organisation any more.", closed.Format("2 Jan 2006"), &d.Account)
		section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "Closed", State: ops.Missing, Why: "what is not in the organisation can't be read"})
	}
	report.Sections = []ops.Section{section}
	return run.Report(ctx, report)
}

func truth(holds bool) ops.Truth {
	if holds {
		return ops.Confirmed
	}
	return ops.Missing
}

// restore puts a disabled account back where it was.
func (o *operation) restore(ctx context.Context, run ops.Run) error {
	r := run.Request()
	var was before
	known, err := run.Recall(ctx, "before", &was)
	if err != nil {
		return err
	}
	if !known {
		return &ops.Error{Kind: ops.Unknown, What: "It isn't known where the account was."}
	}
	d, look, a, err := o.present(ctx, run)
	if err != nil {
		return err
	}
	act, err := o.writer(r, "Mark", "Move")
	if err != nil {
		return err
	}
	if err := o.move(ctx, run, act, a, d.Disabled, was.From); err != nil {
		return err
	}
	if ours(r, a) {
		for _, key := range []string{tagFrom, tagRequest} { // the request's own tag goes last
			if value, ok := was.Tags[key]; ok {
				_, err = act.TagResource(ctx, &organizations.TagResourceInput{ResourceId: &a.ID, Tags: []types.Tag{{Key: &key, Value: &value}}})
			} else {
				_, err = act.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: &a.ID, TagKeys: []string{key}})
			}
			if err != nil {
				return o.explainAct(fmt.Errorf("put back the tag %s of account %s: %w", key, a.ID, err))
			}
		}
	}
	if a, err = readAccount(ctx, look, targetOf(r)); err != nil {
		return o.explainLook(err)
	}
	return run.Report(ctx, ops.Report{
		Summary: fmt.Sprintf("Account %s is back in %s.", a, a.where()),
		Sections: []ops.Section{{Title: "Read back from AWS Organizations", Outcomes: []ops.Outcome{
			{Text: "State " + a.State, State: truth(a.State == active)},
			{Text: "In " + a.where(), State: truth(a.Parent == was.From.ID)},
			{Text: "Without the tags of this request", State: truth(!ours(r, a))},
		}}},
	})
}
