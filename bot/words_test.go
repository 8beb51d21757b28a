package bot_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// faults are errors of every kind, as an operation returns them.
var faults = map[string]error{
	"a refusal":              &ops.Error{Kind: ops.Refused, What: "The box is protected.", Next: "Ask its owner."},
	"an impossible wish":     &ops.Error{Kind: ops.Invalid, What: "There is no box."},
	"another one at it":      &ops.Error{Kind: ops.Busy, What: "The box is in use."},
	"a system that says no":  &ops.Error{Kind: ops.Unavailable, What: "AWS refused it."},
	"an outcome in the dark": &ops.Error{Kind: ops.Unknown, What: "No answer came."},
	"a fault of the program": errors.New("secret"),
}

// moments are when an error can arise, and what was changed by then.
var moments = []struct {
	name    string
	arises  func(*grace, error)
	changed func(error) ops.Changed
}{
	{
		name:    "when it is planned",
		arises:  func(g *grace, err error) { g.unplannable = err },
		changed: func(error) ops.Changed { return ops.ChangedNothing },
	},
	{
		name:    "when it is planned again before the run",
		arises:  func(g *grace, err error) { g.later = err },
		changed: func(error) ops.Changed { return ops.ChangedNothing },
	},
	{
		name:    "in the first step, before its first call",
		arises:  func(g *grace, err error) { g.first = err },
		changed: func(error) ops.Changed { return ops.ChangedNothing },
	},
	{
		name:    "in the last step, before its first call",
		arises:  func(g *grace, err error) { g.breaks = err },
		changed: partly,
	},
	{
		name:    "in a call that AWS refused",
		arises:  func(g *grace, err error) { g.denied = err },
		changed: partly,
	},
}

// partly is what was changed by an error that follows a change.
func partly(err error) ops.Changed {
	if ops.KindOf(err) == ops.Unknown {
		return ops.ChangedUnknown
	}
	return ops.ChangedPart
}

func TestEveryErrorInEveryStateSaysHowMuchWasChanged(t *testing.T) {
	t.Parallel()
	all := []ops.Changed{ops.ChangedNothing, ops.ChangedPart, ops.ChangedAll, ops.ChangedUnknown}
	for _, moment := range moments {
		for name, fault := range faults {
			t.Run(name+" "+moment.name, func(t *testing.T) {
				t.Parallel()
				g := &grace{}
				h := g.opened(t)
				g.change(func() { moment.arises(g, fault) })
				r := h.until(h.ask().ID, "at rest", func(r request.Request) bool { return r.State == request.Waiting || r.State.Ended() })
				if r.State == request.Waiting {
					h.press("U2", request.Approve, r, "")
					r = h.until(r.ID, "at rest", func(r request.Request) bool { return r.State.Ended() || !r.UndoUntil.IsZero() })
					h.forward(time.Hour)
					h.wake(r.ID)
					r = h.ended(r.ID)
				}
				want := moment.changed(fault)
				if r.Changed != want || !strings.Contains(r.Reason, want.Words()) {
					t.Errorf("it ended as %s, with %q changed, and people read %q; want %q", r.State, r.Changed, r.Reason, want)
				}
				said := slices.DeleteFunc(slices.Clone(all), func(c ops.Changed) bool { return !strings.Contains(r.Reason, c.Words()) })
				if len(said) != 1 || strings.Contains(r.Reason, "secret") {
					t.Errorf("people read %q, which says %v", r.Reason, said)
				}
				if e, ok := fault.(*ops.Error); ok && !strings.Contains(r.Reason, fmt.Sprintf("%s %s", e.What, want.Words())) {
					t.Errorf("people read %q, which doesn't say what was changed right behind %q", r.Reason, e.What)
				}
			})
		}
	}
}
