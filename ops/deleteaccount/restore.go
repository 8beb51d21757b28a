package deleteaccount

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
)

// repair is what restoring an account would do now.
type repair struct {
	account *Account
	home    Unit              // where it is to be
	move    bool              // it is elsewhere
	untag   []string          // keys of tags that weren't there
	retag   map[string]string // earlier values of the others
}

// left tells whether there is anything to do.
func (p *repair) left() bool { return p.move || len(p.untag) > 0 || len(p.retag) > 0 }

// effects are what it would do, with exact IDs.
func (p *repair) effects() []string {
	var list []string
	if p.move {
		list = append(list, fmt.Sprintf("Move account %s from %s to %s", p.account, p.account.parent(), p.home))
	}
	if len(p.untag) > 0 {
		list = append(list, fmt.Sprintf("Remove the tags %s from account %s", strings.Join(p.untag, " and "), p.account))
	}
	for _, key := range marks {
		if value, ok := p.retag[key]; ok {
			list = append(list, fmt.Sprintf("Set the tag %s of account %s back to %q", key, p.account, value))
		}
	}
	if !p.left() {
		list = append(list, fmt.Sprintf("Nothing is left to do: account %s is in %s, without this request's tags", p.account, p.home))
	}
	return list
}

// marks are the tags of a request in the order in which they are restored: the one
// that says whose the account is goes last.
var marks = []string{tagFrom, tagRequest}

// undoPlan tells what restore would do now.
func (o *operation) undoPlan(ctx context.Context, run ops.Run) ([]string, error) {
	p, err := o.repair(ctx, run)
	if err != nil {
		return nil, err
	}
	return p.effects(), nil
}

// repair reads what restore has to do. It refuses an account that isn't this
// request's any more.
func (o *operation) repair(ctx context.Context, run ops.Run) (*repair, error) {
	r := run.Request()
	was, known, err := recall(ctx, run)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, refused("This request has changed nothing that could be restored.")
	}
	_, look, a, err := o.present(ctx, run)
	if err != nil {
		return nil, err
	}
	c, err := closingOf(ctx, run)
	if err != nil {
		return nil, err
	}
	if err := c.bars(run.Now(), a); err != nil {
		return nil, err
	}
	if err := o.mayRestore(r, was, a); err != nil {
		return nil, err
	}
	p := &repair{account: a, home: was.From, move: a.Parent != was.From.ID, retag: map[string]string{}}
	if p.move {
		if err := o.stillThere(ctx, look, a, was.From); err != nil {
			return nil, err
		}
	}
	if !ours(r, a) {
		return p, nil
	}
	for _, key := range marks {
		value, tagged := was.Tags[key]
		switch now, is := a.Tags[key]; {
		case key == tagFrom && now != was.From.ID, tagged && is && now == value:
			// People have changed it since, or it is as it was.
		case tagged:
			p.retag[key] = value
		case is:
			p.untag = append(p.untag, key)
		}
	}
	return p, nil
}

// bars refuses to restore an account that is closed or may still become so. One that is
// active a week after AWS has accepted its closing isn't being closed: that had no effect.
// One that others have had closed, and that is active again, was reinstated.
func (c closing) bars(now time.Time, a *Account) error {
	switch {
	case a.State == pending, a.gone(), c.known && a.State != active:
		return &ops.Error{
			Kind: ops.Refused, What: fmt.Sprintf("AWS is closing account %s, or has closed it: its state is %s.", a, a.State),
			Next: "AWS's support can reinstate it for 90 days.",
		}
	case c.known && !c.byOthers && !now.After(c.at.Add(longest)):
		return &ops.Error{
			Kind: ops.Refused, What: fmt.Sprintf("AWS is closing account %s, or has closed it: it accepted that on %s, and shows the state %s still.", a, moment(c.at), a.State),
			Next: fmt.Sprintf("If AWS doesn't carry it out, a member can restore the account after %s.", moment(c.at.Add(longest))),
		}
	}
	return nil
}

// mayRestore refuses an account that bears another request's mark, or that people
// have moved elsewhere.
func (o *operation) mayRestore(r ops.Request, was before, a *Account) error {
	put := slices.ContainsFunc(was.Put, func(u Unit) bool { return u.ID == a.Parent })
	tag, tagged := a.Tags[tagRequest]
	earlier, before := was.Tags[tagRequest]
	switch {
	case tagged && tag != r.ID && (!before || tag != earlier):
		return &ops.Error{
			Kind: ops.Refused, What: fmt.Sprintf("Account %s belongs to another request since: its tag %s names %s.", a, tagRequest, tag),
			Next: "Restore that one, if it can be.",
		}
	case a.Parent == was.From.ID:
		return nil
	case !put:
		return astray(a)
	case !was.marks(r, a):
		return &ops.Error{
			Kind: ops.Refused, What: fmt.Sprintf("Account %s is in %s, but the tag %s of this request was taken from it by hand, so it isn't known whose it is.", a, a.where(), tagRequest),
			Next: fmt.Sprintf("If it is to be used again, move it to %s in the console.", was.From),
		}
	}
	return nil
}

// stillThere refuses to move an account to a unit that is gone.
func (o *operation) stillThere(ctx context.Context, look *organizations.Client, a *Account, home Unit) error {
	if !unitID.MatchString(home.ID) {
		return nil // the root, which can't go
	}
	_, err := readUnit(ctx, look, home.ID)
	if _, none := typed[*types.OrganizationalUnitNotFoundException](err); none {
		return &ops.Error{
			Kind: ops.Refused, What: fmt.Sprintf("Account %s was in %s, and that organizational unit isn't there any more.", a, home),
			Next: "Move the account to another one in the console.",
		}
	}
	return o.explainLook(err)
}

// restore moves a disabled account to where it was, with the tags that it had.
func (o *operation) restore(ctx context.Context, run ops.Run) error {
	var done time.Time // when all of it had been asked of AWS
	if _, err := run.Recall(ctx, restoredAt, &done); err != nil {
		return err
	}
	if !done.IsZero() && !done.Before(run.Begun()) {
		return o.confirmRestored(ctx, run, done)
	}
	p, err := o.repair(ctx, run)
	if err != nil {
		return err
	}
	a := p.account
	act, err := o.writer(run.Request(), "Mark", "Move")
	if err != nil {
		return err
	}
	if p.move {
		if err := o.move(ctx, run, act, a, a.parent(), p.home, -1); err != nil {
			return err
		}
	}
	for _, key := range marks {
		if value, ok := p.retag[key]; ok {
			_, err = act.TagResource(ctx, &organizations.TagResourceInput{ResourceId: &a.ID, Tags: []types.Tag{{Key: &key, Value: &value}}})
		} else if slices.Contains(p.untag, key) {
			_, err = act.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: &a.ID, TagKeys: []string{key}})
		}
		if err != nil {
			return o.explainAct(fmt.Errorf("restore the tag %s of account %s: %w", key, a.ID, err))
		}
	}
	done = run.Now().UTC()
	if err := run.Remember(ctx, restoredAt, done); err != nil {
		return err
	}
	return o.confirmRestored(ctx, run, done)
}

// restoredAt is where a run remembers when a Restore had asked AWS for all of it.
const restoredAt = "restored"

// confirmRestored reads back. AWS shows a change late at times, so a difference from
// before is looked at again for a while.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_troubleshoot_general.html
func (o *operation) confirmRestored(ctx context.Context, run ops.Run, done time.Time) error {
	was, _, err := recall(ctx, run)
	if err != nil {
		return err
	}
	look, err := o.reader(run.Request())
	if err != nil {
		return err
	}
	now, err := readAccount(ctx, look, targetOf(run.Request()))
	if err != nil {
		return &unreadError{nil, o.explainLook(err)}
	}
	if now != nil && (now.Parent != was.From.ID || ours(run.Request(), now)) && run.Now().Before(done.Add(settle)) {
		return ops.Again(2 * time.Second)
	}
	return o.reportRestored(ctx, run, now, nil)
}

// reportRestored tells where the account is after it was restored. Nil: it isn't
// there, or wasn't read, and then err says why.
func (o *operation) reportRestored(ctx context.Context, run ops.Run, a *Account, err error) error {
	was, _, failed := recall(ctx, run)
	if failed != nil {
		return failed
	}
	d, failed := kept(run)
	if failed != nil {
		return failed
	}
	if a == nil {
		return run.Report(ctx, ops.Report{
			Summary:  fmt.Sprintf("Account %s was moved to %s. It couldn't be read afterwards.", &d.Account, was.From),
			Sections: []ops.Section{{Title: readBack, Outcomes: []ops.Outcome{a.inAs(was.From, reason(err, run))}}},
		})
	}
	return run.Report(ctx, ops.Report{
		Summary: fmt.Sprintf("Account %s is back in %s.", a, a.where()),
		Sections: []ops.Section{{Title: readBack, Outcomes: []ops.Outcome{
			a.stateAs(a.State == active),
			a.inAs(was.From, ""),
			{Text: "Without the tags of this request", State: truth(!ours(run.Request(), a))},
		}}},
	})
}
