package deleteaccount

import (
	"context"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

const (
	reinstatable = 90 * day // from the closing on
	remindBefore = 14 * day
)

// readBack titles what a report has read.
const readBack = "Read back from AWS Organizations"

// unreadError is that the account couldn't be read after all that was done.
type unreadError struct {
	seen *Account // what was read of it before; nil: nothing
	err  error
}

func (e *unreadError) Error() string { return e.err.Error() }

func (e *unreadError) Unwrap() error { return e.err }

// told has a run whose last look fails end with a report nevertheless, which says
// what isn't known, and why.
func told(do func(context.Context, ops.Run) error, report func(context.Context, ops.Run, *Account, error) error) func(context.Context, ops.Run) error {
	return func(ctx context.Context, run ops.Run) error {
		err := do(ctx, run)
		if unread, ok := typed[*unreadError](err); ok {
			return report(ctx, run, unread.seen, unread.err)
		}
		return err
	}
}

// archive moves the closed account out of the way, and says until when AWS's
// support can reinstate it.
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
	c, err := closingOf(ctx, run)
	if err != nil {
		return err
	}
	reminder := fmt.Sprintf("Account %s was closed on %s. On %s AWS deletes it for good.", &d.Account, date(c.at), date(c.last()))
	if c.byOthers {
		reminder = fmt.Sprintf("%s. From %s on AWS may delete it for good.", c.words(&d.Account), date(c.last()))
	}
	if err := run.Remind(ctx, c.last().Add(-remindBefore), reminder+" If anything in it is still needed, ask AWS's support before."); err != nil {
		return err
	}
	for moved := false; ; moved = true {
		a, err := describe(ctx, look, targetOf(r))
		if err == nil && a != nil {
			err = find(ctx, look, a)
		}
		if err != nil {
			return &unreadError{a, o.explainLook(err)}
		}
		if moved && a != nil && a.Parent == d.place().ID && (run.Begun().IsZero() || run.Now().Before(run.Begun().Add(settle))) {
			return ops.Again(2 * time.Second) // AWS may show it where it was a little longer
		}
		if moved || a == nil || d.Closed.ID == "" || a.Parent != d.place().ID {
			return o.reportClosed(ctx, run, a, nil)
		}
		act, err := o.writer(r, "Move")
		if err != nil {
			return err
		}
		if err := o.move(ctx, run, act, a, d.place(), d.Closed, 0); err != nil {
			return err
		}
	}
}

// reportClosed tells what has become of the account. Nil: it isn't there, or
// wasn't read, and then err says why. One that has no path was read in part.
func (o *operation) reportClosed(ctx context.Context, run ops.Run, a *Account, err error) error {
	d, failed := kept(run)
	if failed != nil {
		return failed
	}
	c, failed := closingOf(ctx, run)
	if failed != nil {
		return failed
	}
	report := ops.Report{
		Summary: fmt.Sprintf("Account %s is closed. %s", &d.Account, c.until()),
		Notes:   []string{"A reminder follows two weeks before that."},
		Final:   a == nil && err == nil || a != nil && a.gone(),
	}
	accepted := fmt.Sprintf("AWS accepted on %s that account %s is closed", date(c.at), &d.Account)
	if c.byOthers {
		accepted = c.words(&d.Account)
		report.Summary = fmt.Sprintf("%s. It is closed. %s", accepted, c.until())
	}
	why := reason(err, run)
	var outcomes []ops.Outcome
	switch {
	case err != nil && a == nil:
		report.Summary = accepted + ". Its state couldn't be read."
		outcomes = append(outcomes, ops.Outcome{Text: "Closed", State: ops.NotKnown, Why: why})
	case a == nil:
		report.Summary = accepted + ", and it is not in the organisation any more."
		outcomes = append(outcomes, ops.Outcome{Text: "Closed", State: ops.NotKnown, Why: why})
	case !a.gone():
		report.Summary = accepted + ". Its state is " + a.State + " now."
		fallthrough
	default:
		outcomes = append(outcomes, a.stateAs(a.gone()))
	}
	if d.Closed.ID != "" {
		in := a.inAs(d.Closed, why)
		if in.State == ops.Missing && a.Parent != d.place().ID {
			in.State, in.Why = ops.Failed, "it was moved there by hand, and stays there"
		}
		outcomes = append(outcomes, in)
	}
	report.Sections = []ops.Section{{Title: readBack, Outcomes: outcomes}}
	return run.Report(ctx, report)
}

// stateAs is the account's state as an outcome, which is as wanted or not.
func (a *Account) stateAs(wanted bool) ops.Outcome {
	outcome := ops.Outcome{Text: "State " + a.State, State: truth(wanted)}
	if a.State == unknown {
		outcome.State, outcome.Why = ops.NotKnown, "AWS doesn't say"
	}
	if a.State == suspended {
		outcome.Why = "AWS itself has suspended it, which isn't a closing"
	}
	return outcome
}

// inAs is where the account is as an outcome; it is meant to be in unit. why is
// the reason if that wasn't read.
func (a *Account) inAs(unit Unit, why string) ops.Outcome {
	if a == nil || len(a.Path) == 0 {
		return ops.Outcome{Text: "In " + unit.String(), State: ops.NotKnown, Why: why}
	}
	return ops.Outcome{Text: "In " + a.where(), State: truth(a.Parent == unit.ID)}
}

// reason says why an account wasn't read; nil: it isn't in the organisation.
func reason(err error, run ops.Run) string {
	if err == nil {
		return "an account that isn't in the organisation can't be read"
	}
	return ops.Words(err, run.Request().ID)
}

func truth(holds bool) ops.Truth {
	if holds {
		return ops.Confirmed
	}
	return ops.Missing
}
