package deleteaccount_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// supportEnds is the day: of two closings beside each other, one may be tomorrow's.
var supportEnds = regexp.MustCompile(`until \d+ \w+ \d{4}`)

// watched walks to the end, and after every call of a step plans again: nothing
// may be new, for nobody would have approved it. Where a process dies, it is the
// call in which it does that counts, and the end.
func (w *world) watched(walk *opstest.Walk) ops.Report {
	w.Helper()
	shown := w.look(walk)
	for !walk.Done() {
		died := walk.Points() >= walk.Kill
		if err := walk.Step(w.Context()); err != nil {
			w.Fatalf("step %q: %v\n%s", walk.At(), err, text(walk.Lines()))
		}
		if dies := !died && walk.Points() >= walk.Kill; walk.Kill > 0 && !dies && !walk.Done() {
			continue
		}
		plan, err := w.again(walk, shown)
		if err != nil {
			w.Fatalf("planned again after step %q: %v", walk.At(), err)
		}
		if beyond := plan.Beyond(shown); len(beyond) > 0 {
			w.Errorf("after step %q there is beyond what was shown: %q", walk.At(), beyond)
		}
		if !cmp.Equal(plan.Facts, shown.Facts) || !cmp.Equal(plan.Warnings, shown.Warnings) {
			w.Errorf("after step %q other facts are shown", walk.At())
		}
		if walk.Done() && len(plan.Effects()) > 0 {
			w.Errorf("in the end there is still to do: %q", plan.Effects())
		}
	}
	report, _ := walk.Report()
	return report
}

// after is what a run has left behind.
type after struct {
	Account           awstest.OrgAccount
	Closed            []string
	Summary           string
	Truth             []string
	Reminders         int
	Accepted, Settled bool // that they were told
}

func (w *world) after(walk *opstest.Walk, report ops.Report) after {
	a := after{Account: w.account(sinking), Closed: w.o.Closed(), Summary: supportEnds.ReplaceAllString(report.Summary, "until …"), Truth: truth(report), Reminders: len(walk.Reminders())}
	a.Account.CloseRequested = a.Account.CloseRequested.Truncate(24 * time.Hour)
	told := map[string]bool{}
	for _, line := range walk.Lines() {
		told[line.Key] = true
	}
	a.Accepted, a.Settled = told["closing"], told["closed"]
	return a
}

// However often a process dies, the account ends up the same, and is closed once.
func TestAnyProcessMayDie(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		for _, slow := range []bool{false, true} {
			if slow && (!way.disabled || !way.closed || way.grace == 0) {
				continue // it is the same step
			}
			closed := func(t *testing.T, change func(*opstest.Walk)) (left after, points int) {
				w := newWorld(t)
				w.modes(way.disabled, way.closed, way.grace)
				if slow { // AWS shows late that it has accepted, and not steadily
					w.o.SetClosing(awstest.ClosingStep{After: 30 * time.Minute, State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: 45 * time.Minute, State: "ACTIVE"}, awstest.ClosingStep{After: time.Hour, State: "CLOSED"})
				}
				walk := w.walk()
				change(walk)
				report := w.watched(walk)
				w.done()
				return w.after(walk, report), walk.Points()
			}
			t.Run(fmt.Sprintf("%s, slow: %v", way.name, slow), func(t *testing.T) {
				t.Parallel()
				want, points := closed(t, func(*opstest.Walk) {})
				if want.Account.State != "CLOSED" || len(want.Closed) != 1 || !want.Accepted || !want.Settled {
					t.Fatalf("left behind: %+v", want)
				}
				same := func(name string, change func(*opstest.Walk)) {
					t.Run(name, func(t *testing.T) {
						t.Parallel()
						got, _ := closed(t, change)
						if diff := cmp.Diff(want, got); diff != "" {
							t.Errorf("left behind (-undisturbed +got):\n%s", diff)
						}
					})
				}
				same("each step twice", func(w *opstest.Walk) { w.Twice = true })
				same("a new process for each call", func(w *opstest.Walk) { w.Fresh = true })
				if points < 10 {
					t.Errorf("only %d points to die at", points)
				}
				if way.disabled && way.grace == 0 {
					return // its steps are those of a way with more of them
				}
				for _, n := range opstest.Some(t, points, 2) {
					same(fmt.Sprintf("killed at point %d", n), func(w *opstest.Walk) { w.Kill = n })
				}
			})
		}
	}
	t.Run("restore", func(t *testing.T) {
		t.Parallel()
		restored := func(t *testing.T, twice, fresh bool, kill int) int {
			w := newWorld(t)
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags["closure-request"] = "0198" })
			before := w.account(sinking)
			walk := w.walk()
			walk.Twice, walk.Fresh, walk.Kill = twice, fresh, kill
			w.graced(walk)
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			if report, ok := walk.Report(); !ok || !report.OK() || !walk.Done() {
				t.Errorf("report %+v, done %v", report, walk.Done())
			}
			// What was taken back can be asked for anew.
			if plan := w.look(w.walk()); len(plan.Effects()) != 4 {
				t.Errorf("afterwards it is planned to do %q", plan.Effects())
			}
			w.done()
			return walk.Points()
		}
		points := restored(t, false, false, 0)
		restored(t, true, false, 0)
		restored(t, false, true, 0)
		for _, n := range opstest.Some(t, points, 2) {
			restored(t, false, false, n)
		}
	})
}

// What was done is not done again by a step that is called again, even where AWS
// shows late what it has accepted.
func TestNothingIsDoneTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.o.SetClosing(awstest.ClosingStep{After: 2 * time.Hour, State: "CLOSED"})
	walk := w.walk()
	walk.Twice = true
	w.run(walk)
	if diff := cmp.Diff(ways[0].writes, w.writes()); diff != "" || w.aws.Count("organizations:CloseAccount") != 1 {
		t.Errorf("%d calls of CloseAccount, writes (-want +got):\n%s", w.aws.Count("organizations:CloseAccount"), diff)
	}
	for _, line := range walk.Lines() {
		if line.Level == ops.Warning && !strings.HasPrefix(line.Text, "One more day: ") {
			t.Errorf("told %s", line.Text)
		}
	}
	w.done()
}

// A restore that fails in the middle goes on from there.
func TestRestoreFailsHalfWay(t *testing.T) {
	t.Parallel()
	for _, fault := range []awstest.Fault{{Code: "AccessDeniedException"}, {Code: "AccessDeniedException", Skip: 1}} {
		for _, action := range []string{"MoveAccount", "UntagResource", "TagResource"} {
			if action == "MoveAccount" && fault.Skip > 0 {
				continue // there is but one
			}
			t.Run(fmt.Sprintf("%s after %d", action, fault.Skip), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) {
					if action == "TagResource" {
						a.Tags["closure-request"], a.Tags["closure-from"] = "0198", "once"
					}
				})
				before := w.account(sinking)
				walk := w.walk()
				w.graced(walk)
				w.aws.Fail("organizations:"+action, fault)
				w.refused(walk.Undo(t.Context()), ops.Unavailable, "AWS refused organizations:"+action+" to the role "+actRole+".")
				if a := w.account(sinking); a.Tags["closure-request"] != request {
					t.Errorf("the tag of the request went before everything else: %v", a.Tags)
				}
				w.aws.Heal("*")
				if err := walk.Undo(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.same(before)
				w.done()
			})
		}
	}
}
