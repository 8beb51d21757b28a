package deleteaccount_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// ways are what an installer may leave out.
var ways = []struct {
	name             string
	disabled, closed bool
	grace            time.Duration
	writes           []string
}{
	{"with everything", true, true, 2 * day, []string{"TagResource", "MoveAccount", "CloseAccount", "MoveAccount"}},
	{"without grace", true, true, 0, []string{"TagResource", "MoveAccount", "CloseAccount", "MoveAccount"}},
	{"without a unit for closed accounts", true, false, 0, []string{"TagResource", "MoveAccount", "CloseAccount"}},
	{"without a unit for disabled accounts", false, true, 0, []string{"CloseAccount", "MoveAccount"}},
	{"without units", false, false, 0, []string{"CloseAccount"}},
}

func TestAnAccountIsClosed(t *testing.T) {
	t.Parallel()
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(way.disabled, way.closed, way.grace)
			bystanders := []awstest.OrgAccount{w.account(neighbour), w.account(rooted), w.account(auditor), w.account(management)}
			walk := w.walk()
			began := w.clock.Now()
			report := w.run(walk)
			place := map[bool]string{true: w.closed, false: map[bool]string{true: w.disabled, false: w.ponds}[way.disabled]}[way.closed]
			a := w.account(sinking)
			if a.State != "CLOSED" || a.Parent != place {
				t.Errorf("account %+v", a)
			}
			if diff := cmp.Diff(way.writes, w.writes()); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			if after := a.CloseRequested.Sub(began); after < way.grace-time.Second || after > way.grace+time.Minute {
				t.Errorf("closed after %v", after)
			}
			tags := map[string]string{"owner": "Ponds", "is-production": "false"}
			if way.disabled {
				tags["closure-request"], tags["closure-from"] = request, w.ponds
			}
			if diff := cmp.Diff(tags, a.Tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			last := a.CloseRequested.Add(90 * day).Format("2 Jan 2006")
			if want := "Account " + sinkingText + " is closed. AWS's support can reinstate it until " + last + "."; report.Summary != want || !report.OK() {
				t.Errorf("report %+v", report)
			}
			want := []string{"State CLOSED (confirmed)"}
			if way.closed {
				want = append(want, "In Root / Closed accounts ("+w.closed+") (confirmed)")
			}
			if diff := cmp.Diff(want, truth(report)); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if len(walk.Reminders()) != 1 {
				t.Errorf("reminders %v", walk.Reminders())
			}
			for words, at := range walk.Reminders() {
				if early := a.CloseRequested.Add(76 * day).Sub(at).Abs(); early > time.Minute || !strings.Contains(words, sinkingText) || !strings.Contains(words, "On "+last+" AWS deletes it for good") {
					t.Errorf("reminded at %v: %s", at, words)
				}
			}
			told := text(walk.Lines())
			for _, part := range []string{"change AWS has accepted that account " + sinkingText + " is closed.\n", "info The state of account " + sinkingText + " is PENDING_CLOSURE.\n", "change Account " + sinkingText + " is closed.\n"} {
				if strings.Count(told, part) != 1 {
					t.Errorf("%q isn't told once:\n%s", part, told)
				}
			}
			if way.disabled && !strings.Contains(told, "change Moved account "+sinkingText+" from "+w.unit(w.ponds)+" to "+w.unit(w.disabled)+".") {
				t.Errorf("told %s", told)
			}
			for _, was := range bystanders {
				w.same(was)
			}
			w.done()
		})
	}
}

// The 90 days count from what AWS accepted, however long the bot is down then.
func TestTheDaysCountFromTheClosure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	w.until(walk, "close")
	walk.Kill = walk.Points() + 2 // once it has remembered
	if err := walk.Step(t.Context()); err != nil || walk.At() != "close" {
		t.Fatalf("%v, at %q", err, walk.At())
	}
	w.clock.Advance(3 * day)
	w.run(walk)
	for words, at := range walk.Reminders() {
		if early := w.account(sinking).CloseRequested.Add(76 * day).Sub(at).Abs(); early > time.Minute {
			t.Errorf("reminded at %v: %s", at, words)
		}
	}
	w.done()
}

// Until the grace ends, and not a moment longer, the run can be taken back.
func TestGraceIsHowLongItCanBePutBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	began := w.clock.Now()
	w.graced(walk)
	if a := w.account(sinking); a.Parent != w.disabled || a.State != "ACTIVE" {
		t.Errorf("account %+v", a)
	}
	if length := walk.Offered().Sub(began); length < 14*day || length > 14*day+time.Minute {
		t.Errorf("it can be put back for %v", length)
	}
	w.clock.Advance(walk.Offered().Sub(w.clock.Now()) - time.Minute)
	if err := walk.Step(t.Context()); err != nil || walk.At() != "grace" || walk.Offered().IsZero() {
		t.Errorf("%v, at %q until %v", err, walk.At(), walk.Offered())
	}
	if err := walk.Step(t.Context()); err != nil || walk.At() != "close" || !walk.Offered().IsZero() {
		t.Errorf("%v, at %q until %v", err, walk.At(), walk.Offered())
	}
	if n := w.aws.Count("organizations:CloseAccount"); n > 0 {
		t.Errorf("%d calls of CloseAccount", n)
	}
	w.run(walk)
	w.done()
}

// What is written before what, so that a failure half-way leaves an account that
// is out of use and says why.
func TestTheTagSaysWhereItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.OnCall("organizations:MoveAccount", func(awstest.Call) {
		if a := w.account(sinking); a.Tags["closure-request"] != request || a.Tags["closure-from"] != w.ponds {
			t.Errorf("moved with the tags %v", a.Tags)
		}
	})
	w.aws.OnCall("organizations:CloseAccount", func(awstest.Call) {
		if a := w.account(sinking); a.Parent != w.disabled {
			t.Errorf("closed in %s", a.Parent)
		}
	})
	w.run(w.walk())
	w.done()
}

// People who move an account have a reason: what they did is not undone, and what
// they took out of the units of closing is not closed.
func TestMovedBySomebodyElse(t *testing.T) {
	t.Parallel()
	refused := func(w *world, err error, in string) {
		w.Helper()
		w.refused(err, ops.Refused, "Account "+sinkingText+" was moved by hand: it is in Root", in+").")
		if a := w.account(sinking); a.Parent != in || a.State != "ACTIVE" {
			w.Errorf("account %+v", a)
		}
		if n := w.aws.Count("organizations:CloseAccount"); n > 0 {
			w.Errorf("%d calls of CloseAccount", n)
		}
		w.done()
	}
	for _, way := range ways {
		t.Run("between plan and run, "+way.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(way.disabled, way.closed, way.grace)
			walk := w.walk()
			shown := w.look(walk)
			w.o.Move(sinking, w.workloads)
			plan, err := w.again(walk, shown)
			if err != nil {
				t.Fatal(err)
			}
			if beyond := plan.Beyond(shown); len(beyond) == 0 || !strings.Contains(beyond[0], w.unit(w.workloads)) {
				t.Errorf("beyond what was shown: %q", beyond)
			}
			// Even by the old plan it is left alone.
			refused(w, walk.Run(t.Context()), w.workloads)
			if list := w.writes(); len(list) > 0 {
				t.Errorf("the bot called %v", list)
			}
		})
	}
	t.Run("before it is restored", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.graced(walk)
		w.o.Move(sinking, w.workloads)
		refused(w, walk.Undo(t.Context()), w.workloads)
	})
	t.Run("at the last moment before it is disabled", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.aws.OnCall("organizations:MoveAccount", func(awstest.Call) { w.o.Move(sinking, w.workloads) })
		refused(w, w.walk().Run(t.Context()), w.workloads)
	})
	t.Run("once it was closed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.until(walk, "archive")
		w.o.Move(sinking, w.workloads)
		report := w.run(walk)
		if diff := cmp.Diff([]string{"State CLOSED (confirmed)", "In Root / Workloads (" + w.workloads + ") (failed)"}, truth(report)); diff != "" || report.OK() {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		if why := report.Sections[0].Outcomes[1].Why; why != "it was moved there by hand, and stays there" {
			t.Errorf("why %q", why)
		}
		if a := w.account(sinking); a.Parent != w.workloads || len(walk.Reminders()) != 1 {
			t.Errorf("account %+v, reminders %v", a, walk.Reminders())
		}
		w.done()
	})
}

// A plan that was approved anew, after somebody had moved the account out in the
// grace, disables it from there and has the grace anew; taking it back brings it
// there, with the tags of the very beginning.
func TestApprovedAnew(t *testing.T) {
	t.Parallel()
	anew := func(t *testing.T, ends func(*world, *opstest.Walk)) {
		w := newWorld(t)
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags["closure-from"] = "once" })
		walk := w.walk()
		w.graced(walk)
		w.clock.Advance(10 * day)
		w.o.Move(sinking, w.workloads)
		w.look(walk)
		began := w.clock.Now()
		w.graced(walk)
		if length := walk.Offered().Sub(began); length < 14*day || length > 14*day+time.Minute {
			t.Errorf("it can be put back for %v", length)
		}
		ends(w, walk)
		w.done()
	}
	t.Run("and closed", func(t *testing.T) {
		t.Parallel()
		anew(t, func(w *world, walk *opstest.Walk) {
			if report := w.run(walk); !report.OK() || w.account(sinking).Parent != w.closed {
				t.Errorf("report %+v", report)
			}
		})
	})
	t.Run("and taken back", func(t *testing.T) {
		t.Parallel()
		anew(t, func(w *world, walk *opstest.Walk) {
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			a := w.account(sinking)
			if diff := cmp.Diff(map[string]string{"owner": "Ponds", "is-production": "false", "closure-from": "once"}, a.Tags); diff != "" || a.Parent != w.workloads {
				t.Errorf("in %s, tags (-want +got):\n%s", a.Parent, diff)
			}
		})
	})
	t.Run("for another reason", func(t *testing.T) {
		t.Parallel()
		// The account is where the run has put it: the grace goes on.
		w := newWorld(t)
		walk := w.walk()
		began := w.clock.Now()
		w.graced(walk)
		w.clock.Advance(10 * day)
		w.look(walk)
		w.graced(walk)
		if end := walk.Offered().Sub(began); end < 14*day || end > 14*day+time.Minute {
			t.Errorf("it can be put back until %v after", end)
		}
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a := w.account(sinking); a.Parent != w.ponds || len(a.Tags) != 2 {
			t.Errorf("account %+v", a)
		}
		w.done()
	})
}
