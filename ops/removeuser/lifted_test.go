package removeuser_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// liftings are what people may do to a user in quarantine, by hand.
var liftings = []struct {
	name string
	lift func(was awstest.IAMUser) func(*awstest.IAMUser)
	want []string // in what people are told
}{
	{"put back exactly", func(was awstest.IAMUser) func(*awstest.IAMUser) {
		return func(u *awstest.IAMUser) { u.Tags, u.Attached, u.AccessKeys = was.Tags, was.Attached, was.AccessKeys }
	}, []string{leaver + " was put back by hand: AWSDenyAll is not attached any more, access key AKIA", "is active", "the tag removal-request is gone", leaver + " has access again."}},
	{"deny-all detached", func(was awstest.IAMUser) func(*awstest.IAMUser) {
		return func(u *awstest.IAMUser) { u.Attached = was.Attached }
	}, []string{leaver + " was put back by hand: AWSDenyAll is not attached any more. " + leaver + " isn't locked out any more."}},
	{"a key activated", func(was awstest.IAMUser) func(*awstest.IAMUser) {
		return func(u *awstest.IAMUser) { u.AccessKeys = was.AccessKeys }
	}, []string{"The quarantine of " + leaver + " was changed by hand: access key AKIA", "is active. AWSDenyAll still takes all access away."}},
	{"the tag taken off", func(was awstest.IAMUser) func(*awstest.IAMUser) {
		return func(u *awstest.IAMUser) { delete(u.Tags, "removal-request") }
	}, []string{"The quarantine of " + leaver + " was changed by hand: the tag removal-request is gone. AWSDenyAll still takes"}},
	{"the tag of another request", func(was awstest.IAMUser) func(*awstest.IAMUser) {
		return func(u *awstest.IAMUser) { u.Tags["removal-request"] = "0199ffff-0000-7000-8000-000000000000" }
	}, []string{"the tag removal-request names another request, 0199ffff-0000-7000-8000-000000000000"}},
}

// A quarantine that people lift by hand is never followed by a removal, whenever
// they do it; once they want it again, it begins anew, with a grace of its own.
func TestLiftedByHand(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		steps := []string{"grace", "delete"}
		if mode == terraformMode {
			steps = []string{"grace", "propose", "merge", "empty"}
		}
		for _, step := range steps {
			for _, test := range opstest.SomeOf(t, liftings, 2) {
				t.Run(mode+", "+test.name+" before "+step, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, mode)
					w.iam.ChangeUser(leaver, fewer)
					was := w.user(leaver)
					walk := w.walk()
					w.until(walk, step)
					if step == "grace" {
						w.quarantined(walk)
					}
					w.iam.ChangeUser(leaver, test.lift(was))
					left := w.user(leaver)
					writes, began := len(w.writes()), w.clock.Now()
					err := walk.Run(t.Context())
					w.refused(err, ops.Lifted, test.want...)
					if took := w.clock.Now().Sub(began); step == "grace" && took > 24*time.Hour+time.Minute {
						t.Errorf("it took %v to see it", took)
					}
					w.same(left)
					if more := w.writes()[writes:]; len(more) > 0 {
						t.Errorf("writes after that: %v", more)
					}
					if err := walk.Run(t.Context()); ops.KindOf(err) != ops.Lifted {
						t.Errorf("when it is called once more: %v", err)
					}
					if test.name == liftings[0].name {
						w.quarantineAgain(walk)
					}
				})
			}
		}
	}
}

// quarantineAgain has the run begin again at its first step, as the desk does once
// people want that.
func (w *world) quarantineAgain(walk *opstest.Walk) {
	w.Helper()
	w.look(walk)
	again := w.clock.Now()
	w.until(walk, "grace")
	if !w.iam.Powerless(leaver) || w.user(leaver).Tags["removal-request"] != request {
		w.Errorf("not in quarantine again: %+v", w.user(leaver))
	}
	w.quarantined(walk)
	if grace := walk.Offered().Sub(again).Round(time.Minute); grace != 7*day {
		w.Errorf("a grace of %v", grace)
	}
	if report := w.run(walk); !report.OK() || w.clock.Now().Sub(again) < 7*day {
		w.Errorf("report %+v after %v", report, w.clock.Now().Sub(again))
	}
	if _, there := w.iam.User(leaver); there {
		w.Errorf("the user is still there")
	}
	w.done()
}

// After people had the quarantine made again, Restore gives back the state before
// the first one.
func TestRestoreAfterQuarantineAgain(t *testing.T) {
	t.Parallel()
	for _, test := range liftings {
		if strings.Contains(test.name, "another request") {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			was := w.user(leaver)
			walk := w.walk()
			w.quarantined(walk)
			w.iam.ChangeUser(leaver, test.lift(was))
			w.refused(walk.Run(t.Context()), ops.Lifted)
			w.look(walk)
			w.quarantined(walk)
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			now := w.user(leaver)
			if test.name == "the tag taken off" { // people left the others there
				now.Tags = was.Tags
			}
			if diff := diffUsers(was, now); diff != "" {
				t.Errorf("-was +is:\n%s", diff)
			}
			w.done()
		})
	}
}

// The run's own work is neither lifting nor beyond what was shown: it goes on where
// it is asked about before each change, called twice, and when its process dies.
func TestOwnWorkIsNotLifting(t *testing.T) {
	t.Parallel()
	removed := func(t *testing.T, mode string, bound bool, change func(*world, *opstest.Walk)) int {
		t.Helper()
		w := newWorld(t, mode)
		w.iam.ChangeUser(leaver, fewer)
		if bound {
			w.iam.ChangeUser(leaver, full(10))
		}
		w.settings.Grace = 0
		walk := w.walk()
		change(w, walk)
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
		return walk.Points()
	}
	for _, mode := range modes {
		for _, bound := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, as boundary: %v", mode, bound), func(t *testing.T) {
				t.Parallel()
				removed(t, mode, bound, func(w *world, walk *opstest.Walk) { w.asksAgain(walk) })
				removed(t, mode, bound, func(w *world, walk *opstest.Walk) { w.asksAgain(walk); walk.Twice = true })
			})
		}
	}
	// Deny-all attached is what every process may die over elsewhere.
	t.Run("killed, as boundary", func(t *testing.T) {
		t.Parallel()
		points := removed(t, iamMode, true, func(*world, *opstest.Walk) {})
		for _, n := range opstest.Some(t, points, 2) {
			removed(t, iamMode, true, func(_ *world, walk *opstest.Walk) { walk.Kill = n })
		}
	})
}

// Additions in a wait of days are shown to nobody: the plan made again has them as
// effects, and nothing is deleted before they are approved.
func TestAddedWhilePeopleHaveToMerge(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		add  func(*awstest.IAMUser)
		want string
	}{
		{"an inline policy", func(u *awstest.IAMUser) { u.Inline["late"] = "{}" }, "Delete inline policy late"},
		{"a group", func(u *awstest.IAMUser) { u.Groups = append(u.Groups, "late") }, "Remove " + leaver + " from group late"},
		{"a key", func(u *awstest.IAMUser) { u.AccessKeys[1] = awstest.AccessKey{ID: "AKIALATE000000000000"} }, "Delete access key AKIALATE000000000000"},
	} {
		for _, desk := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, with a desk that asks: %v", test.name, desk), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, terraformMode)
				walk := w.walk()
				if desk {
					w.asksAgain(walk)
				}
				w.until(walk, "empty")
				applying := walk.Waiting
				walk.Waiting = nil
				w.iam.ChangeUser(leaver, test.add)
				left := w.user(leaver)
				walk.Limit = walk.Calls() + 10
				err := walk.Run(t.Context())
				if desk && (!ops.Halted(err) || !strings.Contains(err.Error(), test.want)) {
					t.Errorf("got %v", err)
				}
				if !desk && !strings.Contains(text(walk.Lines()), test.want+". That is done only once it has been shown and approved.") {
					t.Errorf("got %v, told\n%s", err, text(walk.Lines()))
				}
				w.applied = nil
				if now := w.user(leaver); desk && diffUsers(left, now) != "" {
					t.Errorf("deleted (-was +is):\n%s", diffUsers(left, now))
				} else if !slices.Contains(now.Attached, awstest.AWSDenyAll) {
					t.Errorf("it has power: %+v", now)
				}
				walk.Limit, walk.Waiting = 0, applying
				w.look(walk)
				if report := w.run(walk); !report.OK() {
					t.Errorf("report %+v", report)
				}
				w.done()
			})
		}
	}
}

// What can't be looked at in the time of grace is waited for: it is over when IAM
// answers again, and nothing is removed before.
func TestIAMIsAwayInTheGrace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	walk := w.walk()
	w.quarantined(walk)
	w.aws.Fail("iam:GetUser", awstest.Fault{Code: "AccessDenied", Times: 5})
	walk.Waiting = func(context.Context) error { walk.Restart(); return nil }
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	if told := text(walk.Lines()); strings.Count(told, "warning Whether "+leaver+" is still locked out isn't known now, and is looked at again: AWS refused iam:GetUser") != 1 {
		t.Errorf("told\n%s", told)
	}
	w.done()
}

// Whether the quarantine stands is looked at also while GitHub doesn't show the pull request.
func TestLiftedWhileThePullRequestIsOutOfSight(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	w.settings.Grace = 0
	walk := w.walk()
	w.until(walk, "merge")
	w.github.Fail("GET /repos/*/*/pulls/1", githubtest.Fault{Status: 404})
	w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) {
		u.Attached = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
		u.AccessKeys[0].Inactive = false
	})
	begun := w.clock.Now()
	walk.Waiting = func(context.Context) error { walk.Restart(); return nil }
	err := walk.Run(t.Context())
	if took := w.clock.Now().Sub(begun); ops.KindOf(err) != ops.Lifted || took > 2*time.Hour {
		t.Errorf("after %v: %v", took, err)
	}
}
