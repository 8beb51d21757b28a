package deleteaccount

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
)

// before is how the account was before the run, so that it can be restored
// exactly. It is remembered before the first change.
type before struct {
	At     time.Time         `json:"at,omitzero"`      // since when the account is disabled; zero: it isn't yet
	From   Unit              `json:"from"`             // the unit that it was in
	Put    []Unit            `json:"put,omitempty"`    // where the run has put it, or was about to
	Tags   map[string]string `json:"tags"`             // earlier values of the tags of closing
	Lifted bool              `json:"lifted,omitempty"` // people undid by hand what the run had done
	Round  int               `json:"round,omitempty"`  // how often it was disabled again; its lines are told each time

	// Unmarked tells that AWS didn't let the account be tagged. Then it is this request's as
	// long as it is where the run has put it and no other tag says otherwise.
	Unmarked bool `json:"unmarked,omitempty"`
}

// marks tells whether an account is this request's, by its tag or by the run's memory.
func (was before) marks(r ops.Request, a *Account) bool {
	if ours(r, a) {
		return true
	}
	now, is := a.Tags[tagRequest]
	then, had := was.Tags[tagRequest]
	return was.Unmarked && is == had && now == then
}

// recall is what the run remembers of the account; known is false where it was
// never about to be disabled.
func recall(ctx context.Context, run ops.Run) (was before, known bool, err error) {
	if known, err = run.Recall(ctx, "before", &was); err != nil || !known || len(was.Put) > 0 {
		return was, known, err
	}
	d, err := kept(run) // remembered by an older version of the bot
	was.Put = []Unit{d.Disabled}
	return was, known, err
}

// held tells whether the account is disabled by this very request: it is in the
// unit for that, and bears the request's mark.
func held(r ops.Request, d data, was before, a *Account) bool {
	return was.marks(r, a) && a.Parent == d.Disabled.ID
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

// disable marks the account and moves it to where a policy denies everything. It
// has ended when AWS shows both.
func (o *operation) disable(ctx context.Context, run ops.Run) error {
	r := run.Request()
	d, look, a, err := o.present(ctx, run)
	if err != nil {
		return err
	}
	if err := a.stopped(); err != nil {
		return err
	}
	was, err := o.ready(ctx, run, d, a)
	if err != nil {
		return err
	}
	if a.Parent != d.Disabled.ID && a.Parent != was.From.ID && a.Parent != d.Account.Parent {
		return astray(a)
	}
	act, err := o.writer(r, "Mark", "Move")
	if err != nil {
		return err
	}
	if was, err = o.mark(ctx, run, act, was, d, a); err != nil {
		return err
	}
	if err := o.move(ctx, run, act, a, a.parent(), d.Disabled, was.Round); err != nil || !was.At.IsZero() {
		return err
	}
	// AWS shows a change late at times, and until then it would look as if people had lifted it.
	if a, err = readAccount(ctx, look, a.ID); err != nil {
		return o.explainLook(err)
	}
	switch {
	case a == nil:
		return gone(&d.Account)
	case held(r, d, was, a):
		was.At = run.Now().UTC()
		return run.Remember(ctx, "before", was)
	case run.Begun().IsZero():
		return ops.Again(time.Second)
	}
	return &ops.Error{
		Kind: ops.Unavailable, Passing: true,
		What: fmt.Sprintf("AWS has accepted that account %s is disabled, and doesn't show it: it is in %s, with the tag %s=%s.", a, a.where(), tagRequest, a.Tags[tagRequest]),
	}
}

// tagFor is how long tagging an account is tried while trouble may pass.
const tagFor = 10 * time.Minute

// mark tags the account with the request. What keeps AWS from that, such as fifty tags
// or a tag policy, doesn't keep the account from being disabled: the run remembers that
// the account is its own.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_TagResource.html
func (o *operation) mark(ctx context.Context, run ops.Run, act *organizations.Client, was before, d data, a *Account) (before, error) {
	r := run.Request()
	if was.Unmarked && !ours(r, a) {
		return was, nil
	}
	if !ours(r, a) || a.Parent != d.Disabled.ID && a.Tags[tagFrom] != was.From.ID {
		mark, from := types.Tag{Key: aws.String(tagRequest), Value: &r.ID}, types.Tag{Key: aws.String(tagFrom), Value: &was.From.ID}
		_, err := act.TagResource(ctx, &organizations.TagResourceInput{ResourceId: &a.ID, Tags: []types.Tag{mark, from}})
		if full, ok := typed[*types.ConstraintViolationException](err); ok && full.Reason == types.ConstraintViolationExceptionReasonMaxTagLimitExceeded && !ops.Halted(err) {
			_, err = act.TagResource(ctx, &organizations.TagResourceInput{ResourceId: &a.ID, Tags: []types.Tag{mark}}) // there may be room for one
		}
		if err != nil {
			err = o.explainAct(fmt.Errorf("tag account %s: %w", a.ID, err))
			begun := run.Begun()
			if ops.Halted(err) || ops.IsPassing(err) && (begun.IsZero() || run.Now().Before(begun.Add(tagFor))) {
				return was, err
			}
			was.Unmarked = true
			if err := run.Remember(ctx, "before", was); err != nil {
				return was, err
			}
			return was, run.Log(ctx, ops.Line{
				Key: fmt.Sprintf("untagged %d", was.Round), Level: ops.Warning,
				Text: fmt.Sprintf("Account %s can't be tagged with %s. %s It is disabled all the same: the bot's own record says that it is this request's.", a, tagRequest, ops.Words(err, r.ID)),
			})
		}
	}
	return was, run.Log(ctx, ops.Line{Key: fmt.Sprintf("tagged %d", was.Round), Level: ops.Change, Text: fmt.Sprintf("Tagged account %s with %s=%s.", a, tagRequest, r.ID)})
}

// ready is what the run remembers, brought up to what it is about to do. Where
// people lifted what it had done, that is told; once a member has the run begin
// anew, the account is disabled again and has the time of grace anew.
func (o *operation) ready(ctx context.Context, run ops.Run, d data, a *Account) (before, error) {
	was, known, err := recall(ctx, run)
	if err != nil {
		return was, err
	}
	anew := false
	switch {
	case !known:
		was, anew = before{From: d.Account.parent(), Tags: map[string]string{}}, true
		for _, key := range []string{tagRequest, tagFrom} {
			if value, ok := a.Tags[key]; ok {
				was.Tags[key] = value
			}
		}
	case was.Lifted, !was.At.IsZero() && !held(run.Request(), d, was, a) && run.Begun().IsZero():
		was.At, was.Lifted, was.Unmarked, was.Round, anew = time.Time{}, false, false, was.Round+1, true
	case !was.At.IsZero():
		if err := stands(run, d, was, a); err != nil {
			return was, err
		}
	}
	put := func(u Unit) bool { return slices.ContainsFunc(was.Put, func(p Unit) bool { return p.ID == u.ID }) }
	if !put(d.Disabled) {
		was.Put, anew = append(was.Put, d.Disabled), true
	}
	// A plan that was approved anew may take it from where people moved it meanwhile.
	if from := d.Account.parent(); from.ID != was.From.ID && !put(from) {
		was.From, was.At, anew = from, time.Time{}, true
	}
	if anew {
		return was, run.Remember(ctx, "before", was)
	}
	return was, nil
}

// settle is how long AWS may show what was so before the account was disabled.
const settle = time.Minute

// watch returns nil as long as the account is disabled by this request. That
// people have undone it by hand is an error of the kind Lifted, and remembered, so
// that it is disabled again once a member has the run begin anew.
func (o *operation) watch(ctx context.Context, run ops.Run, d data, was before, a *Account) error {
	err := stands(run, d, was, a)
	if err == nil {
		err = o.stillDenied(ctx, run, d, a)
	}
	if ops.KindOf(err) != ops.Lifted {
		return err
	}
	was.Lifted = true
	if err := run.Remember(ctx, "before", was); err != nil {
		return err
	}
	return err
}

// stands is watch without its memory.
func stands(run ops.Run, d data, was before, a *Account) error {
	r := run.Request()
	if held(r, d, was, a) {
		return nil
	}
	if run.Now().Before(was.At.Add(settle)) {
		return ops.Again(10 * time.Second)
	}
	lifted := &ops.Error{Kind: ops.Lifted}
	other, tagged := a.Tags[tagRequest]
	switch {
	case a.Parent == was.From.ID && a.Parent != d.Disabled.ID:
		lifted.What = fmt.Sprintf("Account %s was moved back by hand: it is in %s. It can be used again.", a, a.where())
	case a.Parent != d.Disabled.ID:
		lifted.What = fmt.Sprintf("Account %s was moved by hand: it is in %s, not in %s. It can be used as far as the policies there allow.", a, a.where(), d.Disabled)
	case tagged:
		lifted.What = fmt.Sprintf("Account %s is still in %s, but its tag %s was changed by hand: it names another request, %s.", a, d.Disabled, tagRequest, other)
	default:
		lifted.What = fmt.Sprintf("Account %s is still in %s, but its tag %s was removed by hand. It can't be used as long as it is there.", a, d.Disabled, tagRequest)
	}
	return lifted
}

// stillDenied returns nil as long as the policies of the unit for disabled accounts leave
// no more of them usable than the approvers were told.
func (o *operation) stillDenied(ctx context.Context, run ops.Run, d data, a *Account) error {
	if d.Left == nil {
		return nil
	}
	look, err := o.reader(run.Request())
	if err != nil {
		return err
	}
	path, list, err := within(ctx, look, d.Disabled)
	if err != nil {
		return o.explainLook(err)
	}
	left, err := leaves(ctx, look, d.gained(path), list, d.Before)
	if err != nil {
		return o.explainLook(err)
	}
	if !left.wider(*d.Left) {
		return nil
	}
	what := fmt.Sprintf("Account %s is still in %s, but the policies there were changed by hand", a, d.Disabled)
	if left.grade() == usableByAll {
		what += ": none of them denies everything now, so the account can be used again."
	} else {
		what += fmt.Sprintf(", so the account can be used again in part: %s.", left)
	}
	return &ops.Error{Kind: ops.Lifted, What: what, Next: "Have the policies deny everything there again before it is disabled again."}
}

func gone(a *Account) error { return refused("Account %s is not in the organisation any more.", a) }

// astray refuses an account that is neither where the plan saw it nor where the
// run has put it: people moved it, and had a reason.
func astray(a *Account) error {
	return refused("Account %s was moved by hand: it is in %s.", a, a.where())
}

// move moves an account from where it is meant to be to a unit. The round tells
// its line in the log from that of an earlier move.
func (o *operation) move(ctx context.Context, run ops.Run, act *organizations.Client, a *Account, from, to Unit, round int) error {
	line := ops.Line{Key: fmt.Sprintf("moved %s %d", to.ID, round), Level: ops.Change, Text: fmt.Sprintf("Account %s is in %s.", a, to)}
	if a.Parent == to.ID {
		return run.Log(ctx, line)
	}
	if a.Parent != from.ID {
		return astray(a)
	}
	_, err := act.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: &a.ID, SourceParentId: &from.ID, DestinationParentId: &to.ID})
	if err != nil && !ops.Halted(err) {
		_, moved := typed[*types.SourceParentNotFoundException](err)
		_, there := typed[*types.DuplicateAccountException](err)
		// That is what AWS says of an account that isn't in the source.
		_, away := typed[*types.AccountNotFoundException](err)
		if moved || there || away {
			// By an earlier call whose answer was lost, or by hand: look again.
			return ops.Again(time.Second)
		}
	}
	if err != nil {
		return o.explainAct(fmt.Errorf("move account %s to %s: %w", a.ID, to.ID, err))
	}
	line.Text = fmt.Sprintf("Moved account %s from %s to %s.", a, from, to)
	return run.Log(ctx, line)
}

const (
	day      = 24 * time.Hour // how often at least a run in its grace looks whether the account is still disabled
	lookSoon = time.Hour      // when it looks again after AWS couldn't be read
)

// grace waits while the account can be restored, and looks at it each day: the
// thread never says that an account can't be used which can.
func (o *operation) grace(ctx context.Context, run ops.Run) error {
	was, known, err := recall(ctx, run)
	if err != nil {
		return err
	}
	if !known || was.At.IsZero() {
		return &ops.Error{Kind: ops.Unknown, What: "It isn't known when the account was disabled."}
	}
	d, _, a, err := o.present(ctx, run)
	end := was.At.Add(d.Grace)
	left := end.Sub(run.Now())
	switch {
	case ops.KindOf(err) == ops.Unavailable:
		return o.unseen(ctx, run, d, end, err)
	case err != nil:
		return err
	case a.State == pending || a.gone():
		return nil // closed by hand: it is followed
	case a.State == suspended:
		return a.stopped()
	}
	switch err := o.watch(ctx, run, d, was, a); {
	case ops.KindOf(err) == ops.Unavailable:
		return o.unseen(ctx, run, d, end, err)
	case err != nil || left <= 0:
		return err
	}
	if a.State == active {
		if err := run.Remember(ctx, lastSeen, run.Now().UTC()); err != nil {
			return err
		}
	}
	if err := run.OfferUndo(ctx, end); err != nil {
		return err
	}
	text := fmt.Sprintf("%s has been disabled since %s and will be closed on %s, unless a member presses Restore.", a, moment(was.At), moment(end))
	if err := run.Waiting(ctx, ops.Waiting{For: text, Until: end}); err != nil {
		return err
	}
	next := min(left, day)
	if d.Grace > day {
		if left > day {
			next = min(next, left-day)
		} else if err := run.Log(ctx, ops.Line{Key: "soon " + moment(end), Level: ops.Warning, Text: "One more day: " + text}); err != nil {
			return err
		}
	}
	return ops.Again(next)
}

// unseen goes on waiting to the end of the grace although the account couldn't be
// read. The next step looks anew, and has its own patience.
func (o *operation) unseen(ctx context.Context, run ops.Run, d data, end time.Time, err error) error {
	left := end.Sub(run.Now())
	if left <= 0 {
		return nil
	}
	words := ops.Words(err, run.Request().ID)
	text := fmt.Sprintf("Whether %s is still disabled isn't known now. %s The bot looks again each hour; AWS is asked to close it on %s at the earliest, unless a member presses Restore.", &d.Account, words, moment(end))
	if err := run.Log(ctx, ops.Line{Key: "unseen " + words, Level: ops.Warning, Text: text}); err != nil {
		return err
	}
	if err := run.Waiting(ctx, ops.Waiting{For: text, Until: end}); err != nil {
		return err
	}
	return ops.Again(min(lookSoon, left))
}
