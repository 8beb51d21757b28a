package deleteaccount_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// What couldn't be read in the end isn't known, and the report says why; nothing
// else of what was done is lost by that.
func TestWhatCouldNotBeReadIsNotKnown(t *testing.T) {
	t.Parallel()
	denied := awstest.Fault{Code: "AccessDeniedException"}
	later := awstest.Fault{Code: "AccessDeniedException", Skip: 1}
	for _, test := range []struct {
		name    string
		ruin    func(*world)
		truth   []string // in the unit for closed accounts at the end, where it is moved
		why     string   // of the last outcome
		summary string
		moved   bool
		final   bool // Restore isn't offered any more
	}{
		{
			"its state", func(w *world) { w.aws.Fail("organizations:DescribeAccount", denied) },
			[]string{"Closed (not known)", "In ${closed} (not known)"},
			"AWS refused organizations:DescribeAccount to the role " + lookRole + ".", "Its state couldn't be read.", false, false,
		},
		{
			"where it is", func(w *world) { w.aws.Fail("organizations:ListParents", denied) },
			[]string{"State CLOSED (confirmed)", "In ${closed} (not known)"},
			"AWS refused organizations:ListParents to the role " + lookRole + ".", "is closed. AWS's support can reinstate it until", false, true,
		},
		{
			"its state, after it was moved", func(w *world) { w.aws.Fail("organizations:DescribeAccount", later) },
			[]string{"Closed (not known)", "In ${closed} (not known)"},
			"AWS refused organizations:DescribeAccount", "Its state couldn't be read.", true, false,
		},
		{
			"its state, for days", func(w *world) { w.breaks("DescribeAccount", 2*day) },
			[]string{"Closed (not known)", "In ${closed} (not known)"},
			"AWS answered organizations:DescribeAccount with ServiceException", "Its state couldn't be read.", false, false,
		},
		{
			"what AWS doesn't say", func(w *world) { w.o.SetState(sinking, "", "") },
			[]string{"State unknown (not known)", "In Root / Closed accounts (${id}) (confirmed)"},
			"", "Its state is unknown now.", true, false,
		},
		{
			"what has vanished", func(w *world) { w.o.RemoveAccount(sinking) },
			[]string{"Closed (not known)", "In ${closed} (not known)"},
			"an account that isn't in the organisation can't be read", "and it is not in the organisation any more.", false, true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.walk()
			w.until(walk, "archive")
			w.clock.Advance(time.Minute)
			test.ruin(w)
			report := w.run(walk)
			want := strings.NewReplacer("${closed}", w.unit(w.closed), "${id}", w.closed).Replace(strings.Join(test.truth, "\n"))
			if diff := cmp.Diff(want, strings.Join(truth(report), "\n")); diff != "" || report.OK() {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			outcomes := report.Sections[0].Outcomes
			if why := outcomes[len(outcomes)-1].Why; !strings.HasPrefix(why, test.why) || why == "" && test.why != "" {
				t.Errorf("why %q, want %q", why, test.why)
			}
			for _, outcome := range outcomes {
				if outcome.State == ops.NotKnown && outcome.Why == "" {
					t.Errorf("%s isn't known, for no reason", outcome.Text)
				}
			}
			if !strings.Contains(report.Summary, test.summary) || !strings.Contains(report.Summary, sinkingText) {
				t.Errorf("summary %q", report.Summary)
			}
			if a, ok := w.o.Account(sinking); ok && (a.Parent == w.closed) != test.moved {
				t.Errorf("account %+v", a)
			}
			if report.Final != test.final {
				t.Errorf("final: %v", report.Final)
			}
			if len(walk.Reminders()) != 1 {
				t.Errorf("reminders %v", walk.Reminders())
			}
			w.done()
		})
	}
}

// A refused move is told as AWS says it.
func TestArchivingIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	w.until(walk, "archive")
	w.aws.Fail("organizations:MoveAccount", awstest.Fault{Code: "AccessDeniedException"})
	w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS refused organizations:MoveAccount to the role "+actRole+".")
	w.done()
}
