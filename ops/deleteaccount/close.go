package deleteaccount

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
)

// How soon the closing is tried again that AWS refuses for now.
const (
	afterConflict = 2 * time.Minute
	afterTooMany  = 15 * time.Minute
	afterQuota    = time.Hour // and whatever AWS says, once it has refused for a day
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
	c, err := closingOf(ctx, run)
	if err != nil {
		return err
	}
	mine, err := asked(ctx, run)
	if err != nil {
		return err
	}
	a, err := describe(ctx, look, targetOf(r))
	switch {
	case err != nil:
		return o.explainLook(err)
	case a == nil:
		return gone(&d.Account)
	case c.known, a.State == pending, a.gone():
		return o.accepted(ctx, run, a, mine)
	case a.State == suspended:
		return a.stopped()
	case a.State != active:
		return refused("The state of account %s is %s, and the bot closes active accounts only.", a, a.State)
	}
	if err := locate(ctx, look, a); err != nil {
		return o.explainLook(err)
	}
	if err := o.mayClose(ctx, run, d, a); err != nil {
		return err
	}
	act, err := o.writer(r, "Close")
	if err != nil {
		return err
	}
	if err := run.Remember(ctx, lastSeen, run.Now().UTC()); err != nil {
		return err
	}
	// The answer may be lost: then this tells the run's own closing from one by other hands.
	if err := run.Remember(ctx, closeAsk, run.Now().UTC()); err != nil {
		return err
	}
	// Each try is asked about by itself, so the SDK makes only one.
	_, err = act.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: &a.ID}, func(c *organizations.Options) { c.RetryMaxAttempts = 1 })
	if err == nil {
		return o.accepted(ctx, run, a, true)
	}
	if _, ok := typed[*types.AccountAlreadyClosedException](err); ok && !ops.Halted(err) {
		return o.accepted(ctx, run, a, mine)
	}
	_, violates := typed[*types.ConstraintViolationException](err)
	_, conflicts := typed[*types.ConflictException](err)
	if !mine && (violates || conflicts || !ops.IsPassing(o.explainAct(err))) { // AWS has refused it, or wasn't asked
		if err := run.Remember(ctx, closeAsk, time.Time{}); err != nil {
			return err
		}
	}
	return o.notClosed(ctx, run, d, a, err)
}

// mayClose returns nil if the account is where it is to be closed, and disabled by
// this request where there is such a step.
func (o *operation) mayClose(ctx context.Context, run ops.Run, d data, a *Account) error {
	if d.Disabled.ID == "" {
		if a.Parent != d.place().ID {
			return astray(a)
		}
		return nil
	}
	was, known, err := recall(ctx, run)
	if err != nil {
		return err
	}
	if !known {
		return &ops.Error{Kind: ops.Unknown, What: fmt.Sprintf("It isn't known when account %s was disabled.", a)}
	}
	return o.watch(ctx, run, d, was, a)
}

// notClosed is what follows when AWS didn't accept the closing.
func (o *operation) notClosed(ctx context.Context, run ops.Run, d data, a *Account, err error) error {
	if ops.Halted(err) {
		return o.explainAct(err) // AWS wasn't asked, whatever the desk met
	}
	if _, ok := typed[*types.ConflictException](err); ok {
		return o.await(ctx, run, d, a, afterConflict, "something else is being done to it")
	}
	if constraint, ok := typed[*types.ConstraintViolationException](err); ok {
		switch constraint.Reason {
		case types.ConstraintViolationExceptionReasonCloseAccountQuotaExceeded:
			return o.await(ctx, run, d, a, afterQuota, "the organisation's quota of closures in 30 days is used up")
		case types.ConstraintViolationExceptionReasonCloseAccountRequestsLimitExceeded:
			return o.await(ctx, run, d, a, afterTooMany, "too many accounts are being closed at once")
		case types.ConstraintViolationExceptionReasonCannotCloseManagementAccount:
			return &ops.Error{Kind: ops.Refused, Err: err, What: fmt.Sprintf("Account %s is the management account, which can't be closed.", a)}
		}
		return &ops.Error{Kind: ops.Refused, Err: err, What: fmt.Sprintf("AWS refuses to close account %s: %s.", a, cmp.Or(string(constraint.Reason), "it doesn't say why")), Next: "Look at it in the console, and ask again."}
	}
	// An answer that was lost: the state will say whether it was accepted, and to
	// ask twice for the same account does no harm.
	return o.explainAct(fmt.Errorf("close account %s: %w", a.ID, err))
}

// await has the closing tried again, for as long as the plan says from the first
// refusal on. Until AWS accepts it, the account can be restored.
func (o *operation) await(ctx context.Context, run ops.Run, d data, a *Account, after time.Duration, why string) error {
	was, known, err := recall(ctx, run)
	if err != nil {
		return err
	}
	var since time.Time // of the first refusal
	if _, err := run.Recall(ctx, "refused", &since); err != nil {
		return err
	}
	now := run.Now()
	if since.IsZero() || since.Before(was.At) {
		since = now.UTC()
		if err := run.Remember(ctx, "refused", since); err != nil {
			return err
		}
	}
	longest := cmp.Or(d.QuotaWait, quotaDays)
	end := since.Add(longest)
	if !now.Before(end) {
		return &ops.Error{
			Kind: ops.Unavailable, What: fmt.Sprintf("AWS refused for %s to close account %s: %s.", ops.Span(longest), a, why),
			Next: "Look at it in the console, or ask AWS's support.",
		}
	}
	if now.Sub(since) >= day {
		after = max(after, afterQuota)
	}
	next := now.Add(min(after, end.Sub(now)))
	text := fmt.Sprintf("AWS doesn't close account %s yet: %s. The bot tries again at %s, and goes on until %s.", a, why, moment(next), moment(end))
	if known {
		text += fmt.Sprintf(" The account has been disabled since %s. Until AWS accepts, a member can press Restore.", moment(was.At))
		if err := run.OfferUndo(ctx, next); err != nil {
			return err
		}
	} else {
		text += " Until AWS accepts, it can be withdrawn."
	}
	if err := run.Log(ctx, ops.Line{Key: "wait " + why, Level: ops.Warning, Text: text}); err != nil {
		return err
	}
	if err := run.Waiting(ctx, ops.Waiting{For: text, Until: end}); err != nil {
		return err
	}
	return ops.Again(next.Sub(now))
}

// longest is how long a closing is followed; it takes hours, at most days.
const longest = 7 * day

// follow waits until the account is closed.
func (o *operation) follow(ctx context.Context, run ops.Run) error {
	r := run.Request()
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	c, err := closingOf(ctx, run)
	if err != nil {
		return err
	}
	end := c.at.Add(longest)
	seen := run.Now() // the account may be closed while this step reads on
	a, err := describe(ctx, look, targetOf(r))
	if err != nil {
		return o.explainLook(err)
	}
	switch {
	case a == nil:
		return run.Log(ctx, ops.Line{Key: "vanished", Level: ops.Warning, Text: fmt.Sprintf("Account %s is not in the organisation any more.", targetOf(r))})
	case a.gone():
		return run.Log(ctx, ops.Line{Key: "closed", Level: ops.Change, Text: fmt.Sprintf("Account %s is closed.", a)})
	case a.State == suspended:
		return &ops.Error{
			Kind: ops.Unknown, What: fmt.Sprintf("%s. Its state is SUSPENDED now, which isn't CLOSED: AWS itself has suspended it.", c.words(a)),
			Next: "Ask AWS's support whether the closing goes on.",
		}
	case seen.After(end) && a.State == active:
		if err := run.OfferUndo(ctx, seen); err != nil { // for the closing had no effect
			return err
		}
		return &ops.Error{
			Kind: ops.Unknown, What: fmt.Sprintf("%s. A week later its state still is ACTIVE. AWS hasn't carried that out.", c.words(a)),
			Next: "Look at it in the console, and ask AWS's support whether AWS still closes it. If it is to be used again, a member can press Restore.",
		}
	case seen.After(end):
		return &ops.Error{
			Kind: ops.Unknown, What: fmt.Sprintf("%s. A week later its state still is %s.", c.words(a), a.State),
			Next: "Look at it in the console, and ask AWS's support.",
		}
	}
	if err := run.Log(ctx, ops.Line{Key: "state " + a.State, Text: fmt.Sprintf("The state of account %s is %s.", a, a.State)}); err != nil {
		return err
	}
	text := fmt.Sprintf("%s. AWS takes hours for that, at times days; the account's state is %s now.", c.words(a), a.State)
	if err := run.Waiting(ctx, ops.Waiting{For: text, Until: end}); err != nil {
		return err
	}
	return ops.Again(o.settings.Poll)
}
