package deleteaccount_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

func TestRestore(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		before func(*world, *awstest.OrgAccount)
	}{
		{"from a unit in a unit", func(*world, *awstest.OrgAccount) {}},
		{"from the root", func(w *world, a *awstest.OrgAccount) { a.Parent = w.rootID() }},
		{"without tags", func(_ *world, a *awstest.OrgAccount) { a.Tags = nil }},
		{"with an earlier request's tags", func(_ *world, a *awstest.OrgAccount) {
			a.Tags["closure-request"], a.Tags["closure-from"] = "0198ffff-0000-7000-8000-000000000000", "ou-abcd-11111111"
		}},
		{"with one of the tags, empty", func(_ *world, a *awstest.OrgAccount) { a.Tags["closure-from"] = "" }},
		{"with the tags in another case", func(_ *world, a *awstest.OrgAccount) { a.Tags["Closure-Request"] = "old" }},
		{"of one that was disabled by hand", func(w *world, a *awstest.OrgAccount) { a.Parent = w.disabled }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			root := w.o.Root()
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) {
				if test.before(w, a); a.Parent == "root" {
					a.Parent = root
				}
			})
			before := w.account(sinking)
			walk := w.walk()
			w.graced(walk)
			if a := w.account(sinking); a.Parent != w.disabled || a.Tags["closure-request"] != request || a.Tags["closure-from"] != before.Parent {
				t.Errorf("disabled: %+v", a)
			}
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			report, ok := walk.Report()
			if !ok || !report.OK() || !strings.HasPrefix(report.Summary, "Account "+sinkingText+" is back in Root") || !walk.Done() {
				t.Errorf("report %+v", report)
			}
			if n := w.aws.Count("organizations:CloseAccount"); n > 0 {
				t.Errorf("%d calls of CloseAccount", n)
			}
			w.done()
		})
	}
}

// rootID stands for the root where the Cloud must not be called.
func (*world) rootID() string { return "root" }

// wouldRestore is what the operation says that restoring would do; that changes
// nothing.
func (w *world) wouldRestore(walk *opstest.Walk) ([]string, error) {
	w.Helper()
	was, writes, points := w.account(sinking), len(w.writes()), walk.Points()
	effects, err := walk.UndoPlan(w.Context())
	w.same(was)
	if len(w.writes()) != writes || walk.Points() != points {
		w.Error("saying what would be restored has changed something")
	}
	return effects, err
}

// Restore says what it would do, and does that: what bears the request's mark goes
// back to what was there before.
func TestRestoreDoesWhatItSays(t *testing.T) {
	t.Parallel()
	move := "Move account " + sinkingText + " from Disabled accounts (${disabled}) to Ponds (${ponds})"
	untag := "Remove the tags closure-from and closure-request from account " + sinkingText
	for _, test := range []struct {
		name      string
		arrange   func(*awstest.OrgAccount)
		meanwhile func(*world, *awstest.OrgAccount)
		effects   []string
		left      func(*awstest.OrgAccount) // of what was changed meanwhile
	}{
		{name: "what was disabled", effects: []string{move, untag}},
		{
			name: "with earlier tags", arrange: func(a *awstest.OrgAccount) {
				a.Tags["closure-request"], a.Tags["closure-from"] = otherRequest, "once"
			},
			effects: []string{move, "Set the tag closure-from of account " + sinkingText + ` back to "once"`, "Set the tag closure-request of account " + sinkingText + ` back to "` + otherRequest + `"`},
		},
		{
			name:      "what people have moved back already",
			meanwhile: func(w *world, a *awstest.OrgAccount) { a.Parent = w.ponds },
			effects:   []string{untag},
		},
		{
			name: "what people have restored already",
			meanwhile: func(w *world, a *awstest.OrgAccount) {
				a.Parent = w.ponds
				delete(a.Tags, "closure-request")
				delete(a.Tags, "closure-from")
			},
			effects: []string{"Nothing is left to do: account " + sinkingText + " is in Ponds (${ponds}), without this request's tags"},
		},
		{
			name:      "but not tags that people have changed",
			meanwhile: func(_ *world, a *awstest.OrgAccount) { a.Tags["closure-from"], a.Tags["owner"] = "elsewhere", "Rivers" },
			effects:   []string{move, "Remove the tags closure-request from account " + sinkingText},
			left:      func(a *awstest.OrgAccount) { a.Tags["closure-from"], a.Tags["owner"] = "elsewhere", "Rivers" },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.arrange != nil {
				w.o.ChangeAccount(sinking, test.arrange)
			}
			before := w.account(sinking)
			walk := w.walk()
			w.graced(walk)
			w.clock.Advance(time.Hour)
			walk.Restart()
			if test.meanwhile != nil {
				w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { test.meanwhile(w, a) })
			}
			effects, err := w.wouldRestore(walk)
			want := strings.Split(w.fillUnits(strings.Join(test.effects, "\n")), "\n")
			if diff := cmp.Diff(want, effects); diff != "" || err != nil {
				t.Errorf("%v, effects (-want +got):\n%s", err, diff)
			}
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			if test.left != nil {
				test.left(&before)
			}
			w.same(before)
			if report, ok := walk.Report(); !ok || !report.OK() {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
}

// What others have acted on since is theirs, and what is closed can't be restored
// here: the reason is told, before and when the button is pressed.
func TestRestoreIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		meanwhile func(*world)
		says      string
	}{
		{"for a newer request's tag", func(w *world) {
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags["closure-request"] = otherRequest })
		}, "Account " + sinkingText + " belongs to another request since: its tag closure-request names " + otherRequest + "."},
		{"for a newer request's tag where it was", func(w *world) {
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Parent, a.Tags["closure-request"] = w.ponds, otherRequest })
		}, "belongs to another request since"},
		{"for a tag that people have removed", func(w *world) {
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { delete(a.Tags, "closure-request") })
		}, "the tag closure-request of this request was taken from it by hand, so it isn't known whose it is. If it is to be used again, move it to Ponds (${ponds}) in the console."},
		{
			"where people moved it elsewhere", func(w *world) { w.o.Move(sinking, w.workloads) },
			"Account " + sinkingText + " was moved by hand: it is in Root / Workloads (${workloads}).",
		},
		{
			"while it is being closed", func(w *world) { w.o.SetState(sinking, "PENDING_CLOSURE", "") },
			"AWS is closing account " + sinkingText + ", or has closed it: its state is PENDING_CLOSURE. AWS's support can reinstate it for 90 days.",
		},
		{"when it is closed", func(w *world) { w.o.SetState(sinking, "", "SUSPENDED") }, "its state is CLOSED. AWS's support"},
		{"where its unit is gone", func(w *world) {
			w.o.Move(neighbour, w.o.Root())
			w.o.RemoveOU(w.ponds)
		}, "Account " + sinkingText + " was in Ponds (${ponds}), and that organizational unit isn't there any more. Move the account to another one in the console."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.walk()
			w.graced(walk)
			test.meanwhile(w)
			was := w.account(sinking)
			_, err := w.wouldRestore(walk)
			w.refused(err, ops.Refused, w.fillUnits(test.says))
			w.refused(walk.Undo(t.Context()), ops.Refused, w.fillUnits(test.says))
			w.same(was)
			w.done()
		})
	}
	t.Run("when it has left the organisation", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.graced(walk)
		w.o.RemoveAccount(sinking)
		_, err := walk.UndoPlan(t.Context())
		w.refused(err, ops.Refused, "Account "+sinkingText+" is not in the organisation any more.")
		w.done()
	})
	t.Run("when AWS has accepted that it is closed, and doesn't show it yet", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.o.SetClosing(awstest.ClosingStep{After: time.Hour, State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: 2 * time.Hour, State: "CLOSED"})
		walk := w.walk()
		w.until(walk, "follow")
		_, err := w.wouldRestore(walk)
		w.refused(err, ops.Refused, "AWS is closing account "+sinkingText+", or has closed it")
		w.done()
	})
	for _, disabled := range []bool{true, false} {
		t.Run(fmt.Sprintf("of what was never disabled, with a unit for that: %v", disabled), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(disabled, true, 0)
			walk := w.walk()
			w.look(walk)
			const says = "This request has changed nothing that could be restored."
			_, err := w.wouldRestore(walk)
			w.refused(err, ops.Refused, says)
			w.refused(walk.Undo(t.Context()), ops.Refused, says)
			w.untouched()
		})
	}
}

// Wherever a run ends, what it did until then can be restored, by what it remembers.
func TestRestoreOfWhatIsHalfDone(t *testing.T) {
	t.Parallel()
	killed := func(t *testing.T, kill int) (points int) {
		w := newWorld(t)
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags["closure-from"] = "once" })
		before := w.account(sinking)
		walk := w.walk()
		walk.Kill = kill
		w.look(walk)
		for walk.At() == "disable" && (kill == 0 || walk.Points() < kill) {
			if err := walk.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		points = walk.Points()
		if _, err := w.wouldRestore(walk); err != nil {
			if w.same(before); kill > 1 {
				t.Error(err)
			}
			return points // it died before it remembered anything
		}
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		w.done()
		return points
	}
	points := killed(t, 0)
	for _, n := range opstest.Some(t, points, 3) {
		t.Run(fmt.Sprintf("killed at point %d", n), func(t *testing.T) {
			t.Parallel()
			killed(t, n)
		})
	}
}

// What a run did that failed, or that waits, can be restored.
func TestRestoreOfWhatFailed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault awstest.Fault
		on    string
	}{
		{"the move is refused", awstest.Fault{Code: "AccessDeniedException"}, "MoveAccount"},
		{"the closing is refused", constraint("CLOSE_ACCOUNT_HAS_A_MARKETPLACE_SELLER"), "CloseAccount"},
		{"the quota is waited for", constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED"), "CloseAccount"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.account(sinking)
			walk := w.walk()
			w.aws.Fail("organizations:"+test.on, test.fault)
			w.look(walk)
			for failed := error(nil); failed == nil && len(walk.Waits()) < 20; {
				failed = walk.Step(t.Context())
			}
			if w.aws.Count("organizations:"+test.on) == 0 {
				t.Errorf("it didn't come to that: at %q", walk.At())
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

// It is restored from where the run has put it, also if that is another unit now.
func TestRestoreFromAnotherUnit(t *testing.T) {
	t.Parallel()
	t.Run("a plan with another unit was made meanwhile, and nobody approved it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		before := w.account(sinking)
		walk := w.walk()
		w.graced(walk)
		w.settings.DisabledOU = w.workloads
		w.look(walk)
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		w.done()
	})
	t.Run("a plan with another unit was approved meanwhile", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		before := w.account(sinking)
		walk := w.walk()
		w.graced(walk)
		w.settings.DisabledOU = w.o.AddOU("Disabled, too", "")
		w.look(walk)
		w.graced(walk)
		if a := w.account(sinking); a.Parent != w.settings.DisabledOU {
			t.Errorf("account %+v", a)
		}
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		w.done()
	})
}

// What couldn't be read after it was restored isn't said to be there.
func TestRestoredAndNotRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.account(sinking)
	walk := w.walk()
	w.graced(walk)
	w.aws.Fail("organizations:DescribeAccount", awstest.Fault{Code: "AccessDeniedException", Skip: 1})
	if err := walk.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.same(before)
	report, _ := walk.Report()
	if diff := cmp.Diff([]string{"In " + w.unit(w.ponds) + " (not known)"}, truth(report)); diff != "" || report.OK() {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if why := report.Sections[0].Outcomes[0].Why; !strings.HasPrefix(why, "AWS refused organizations:DescribeAccount") {
		t.Errorf("why %q", why)
	}
	w.done()
}

// Only the closing itself can't be restored.
func TestWhatIsIrreversible(t *testing.T) {
	t.Parallel()
	card := newWorld(t).operation()
	for action, want := range map[string]bool{"TagResource": false, "UntagResource": false, "MoveAccount": false, "CloseAccount": true, "LeaveOrganization": true} {
		if got := card.Irreversible(ops.Call{Service: "organizations", Action: action}); got != want {
			t.Errorf("%s: %v", action, got)
		}
	}
	if card.Again != "Disable again" || card.UndoLabel != "Restore" || card.UndoPlan == nil || card.Subject != nil {
		t.Errorf("card %+v", card)
	}
}

// Restoring stops where the desk stops it.
func TestRestoreIsHalted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	w.graced(walk)
	was := w.account(sinking)
	w.record = halting(map[string]bool{"MoveAccount": true}, errors.New("the lease is lost"))
	walk.Restart()
	if err := walk.Undo(t.Context()); !ops.Halted(err) {
		t.Errorf("got %v", err)
	}
	w.same(was)
	w.done()
}

// A closing that AWS accepts and doesn't carry out leaves a way back.
func TestAClosingThatIsNotCarriedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.modes(true, true, 0)
	w.settings.Poll = 6 * time.Hour
	w.o.SetClosing(awstest.ClosingStep{State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: time.Hour, State: "ACTIVE"})
	before := w.account(sinking)
	walk := w.walk()
	w.until(walk, "follow")
	w.clock.Advance(2 * time.Hour)
	walk.Restart()
	_, err := w.wouldRestore(walk)
	w.refused(err, ops.Refused, "AWS is closing account "+sinkingText+", or has closed it: it accepted that on ", "shows the state ACTIVE still. If AWS doesn't carry it out, a member can restore the account after ")
	w.refused(walk.Run(t.Context()), ops.Unknown, "AWS accepted on ", "A week later its state still is ACTIVE. AWS hasn't carried that out.", "If it is to be used again, a member can press Restore.")
	if since := w.clock.Now().Sub(walk.Offered()); since < 0 || since > time.Hour {
		t.Errorf("restoring was offered %v ago, and nothing irreversible was done", since)
	}
	if effects, err := w.wouldRestore(walk); err != nil || len(effects) != 2 {
		t.Errorf("%v, effects %q", err, effects)
	}
	if err := walk.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	before.CloseRequested = w.account(sinking).CloseRequested
	w.same(before)
	if report, _ := walk.Report(); !report.OK() || !strings.Contains(report.Summary, "is back in") {
		t.Errorf("report %+v", report)
	}
	w.done()
}
