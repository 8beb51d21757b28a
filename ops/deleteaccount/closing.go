package deleteaccount

import (
	"context"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// closing is what the run remembers of how the account came to be closed.
type closing struct {
	known    bool
	at       time.Time // when AWS accepted it, or when the bot found that others had closed the account
	byOthers bool
	seen     time.Time // closed by others: when the bot saw the account active for the last time
}

// The keys of that memory. A run may meet all of them.
const (
	closingAt = "closing" // time.Time
	closingBy = "others"  // time.Time: closing.seen; not there where AWS accepted the run's own closing
	closeAsk  = "asked"   // time.Time: when AWS was asked; zero: it refused
	lastSeen  = "seen"    // time.Time: when the account was seen active
)

// closingOf recalls it.
func closingOf(ctx context.Context, run ops.Run) (c closing, err error) {
	if c.known, err = run.Recall(ctx, closingAt, &c.at); err != nil {
		return c, err
	}
	c.byOthers, err = run.Recall(ctx, closingBy, &c.seen)
	return c, err
}

// words say how an account came to be closed, as a sentence without its end.
func (c closing) words(a *Account) string {
	if c.byOthers {
		return fmt.Sprintf("Account %s was closed by others than the bot, which saw it active for the last time on %s", a, moment(c.seen))
	}
	return fmt.Sprintf("AWS accepted on %s that account %s is closed", moment(c.at), a)
}

// last is until when AWS's support can reinstate the account. Of one that others have
// closed, only the earliest such time is known.
func (c closing) last() time.Time {
	if c.byOthers {
		return c.seen.Add(reinstatable)
	}
	return c.at.Add(reinstatable)
}

// until says that in a sentence.
func (c closing) until() string {
	if c.byOthers {
		return fmt.Sprintf("The 90 days in which AWS's support can reinstate it began at a time that isn't known: they end on %s at the earliest.", date(c.last()))
	}
	return fmt.Sprintf("AWS's support can reinstate it until %s.", date(c.last()))
}

func date(t time.Time) string { return t.Format("2 Jan 2006") }

// asked tells whether AWS may have accepted a closing that this run asked for.
func asked(ctx context.Context, run ops.Run) (bool, error) {
	var at time.Time
	known, err := run.Recall(ctx, closeAsk, &at)
	if err != nil || known {
		return !at.IsZero(), err
	}
	refused, err := run.Recall(ctx, "refused", new(time.Time))
	if err != nil || refused || run.Begun().IsZero() {
		return false, err
	}
	// An older version of the bot, which kept no such memory, may have asked.
	return run.Attempted(ctx, "organizations", closeAction)
}

// accepted remembers that the account is being closed or is closed, and by whom.
func (o *operation) accepted(ctx context.Context, run ops.Run, a *Account, mine bool) error {
	c, err := closingOf(ctx, run)
	if err != nil {
		return err
	}
	if !c.known {
		if c.at = run.Now().UTC(); !mine {
			if c.seen, err = seenActive(ctx, run); err != nil {
				return err
			}
			c.byOthers = true
			if err := run.Remember(ctx, closingBy, c.seen); err != nil {
				return err
			}
		}
		if err := run.Remember(ctx, closingAt, c.at); err != nil {
			return err
		}
	}
	if c.byOthers {
		return run.Log(ctx, ops.Line{Key: "closing", Level: ops.Warning, Text: fmt.Sprintf("%s. Its state is %s.", c.words(a), a.State)})
	}
	return run.Log(ctx, ops.Line{Key: "closing", Level: ops.Change, Text: fmt.Sprintf("AWS has accepted that account %s is closed.", a)})
}

// seenActive is when the run saw the account active for the last time. Its plan did at
// least, for it refuses any other.
func seenActive(ctx context.Context, run ops.Run) (time.Time, error) {
	seen := run.Request().At
	was, known, err := recall(ctx, run)
	if err != nil {
		return seen, err
	}
	if known && was.At.After(seen) {
		seen = was.At
	}
	var looked time.Time
	if _, err := run.Recall(ctx, lastSeen, &looked); err != nil {
		return seen, err
	}
	if looked.After(seen) {
		seen = looked
	}
	return seen.UTC(), nil
}
