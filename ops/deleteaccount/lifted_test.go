package deleteaccount_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

const otherRequest = "0199a3c2-0000-7000-8000-000000000000"

// liftings are how people undo by hand what a run has done.
var liftings = []struct {
	name string
	lift func(*world)
	says string
}{
	{
		"it was moved back", func(w *world) { w.o.Move(sinking, w.ponds) },
		"Account " + sinkingText + " was moved back by hand: it is in Root / Workloads / Ponds (${ponds}). It can be used again.",
	},
	{"it was moved back and its tags were removed", func(w *world) {
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) {
			a.Parent = w.ponds
			delete(a.Tags, "closure-request")
			delete(a.Tags, "closure-from")
		})
	}, "was moved back by hand: it is in Root / Workloads / Ponds (${ponds}). It can be used again."},
	{
		"it was moved elsewhere", func(w *world) { w.o.Move(sinking, w.workloads) },
		"Account " + sinkingText + " was moved by hand: it is in Root / Workloads (${workloads}), not in Disabled accounts (${disabled}).",
	},
	{"its tag was removed", func(w *world) {
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { delete(a.Tags, "closure-request") })
	}, "Account " + sinkingText + " is still in Disabled accounts (${disabled}), but its tag closure-request was removed by hand."},
	{
		"its unit's policy was detached", func(w *world) { w.o.DetachPolicy(w.denyAll, w.disabled) },
		"Account " + sinkingText + " is still in Disabled accounts (${disabled}), but the policies there were changed by hand: none of them denies everything now, so the account can be used again. Have the policies deny everything there again",
	},
	{"its unit's policy was changed", func(w *world) {
		w.o.AddPolicy("deny-all", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":"s3:*","Resource":"*"}]}`)
	}, "so the account can be used again in part: s3:* for everybody, by deny-all ("},
	{"its tag names another request", func(w *world) {
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags["closure-request"] = otherRequest })
	}, "is still in Disabled accounts (${disabled}), but its tag closure-request was changed by hand: it names another request, " + otherRequest + "."},
}

// mended has the unit for disabled accounts deny everything again.
func (w *world) mended() {
	w.o.AttachPolicy(w.o.AddPolicy("deny-all", denyAll), w.disabled)
}

func (w *world) fillUnits(text string) string {
	return strings.NewReplacer("${ponds}", w.ponds, "${workloads}", w.workloads, "${disabled}", w.disabled).Replace(text)
}

// What people lifted by hand is not closed, whenever they did it; and where time
// passes until then, that is noticed within a day.
func TestLiftedByHand(t *testing.T) {
	t.Parallel()
	for _, lifting := range liftings {
		for _, moment := range opstest.SomeOf(t, moments[2:], 2) {
			t.Run(lifting.name+", "+moment.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				walk := w.walk()
				w.look(walk)
				moment.come(w, walk)
				tries := w.aws.Count("organizations:CloseAccount")
				w.aws.Heal("*")
				lifting.lift(w)
				was, began := w.account(sinking), w.clock.Now()
				w.refused(walk.Run(t.Context()), ops.Lifted, w.fillUnits(lifting.says))
				if took := w.clock.Now().Sub(began); took > day {
					t.Errorf("noticed after %v", took)
				}
				w.same(was)
				if n := w.aws.Count("organizations:CloseAccount"); n != tries || len(w.o.Closed()) > 0 {
					t.Errorf("%d calls of CloseAccount, %d before", n, tries)
				}
				// However often it looks, it says so.
				w.refused(walk.Run(t.Context()), ops.Lifted, w.fillUnits(lifting.says))
				w.done()
			})
		}
	}
}

// AWS may show late what was changed; a process may die in the middle. Neither is
// lifted by anybody.
func TestNotLifted(t *testing.T) {
	t.Parallel()
	t.Run("what AWS shows as it was, for a moment", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.until(walk, "grace")
		w.o.Move(sinking, w.ponds)
		for range 3 {
			if err := walk.Step(t.Context()); err != nil || walk.At() != "grace" {
				t.Fatal(err, walk.At())
			}
		}
		w.o.Move(sinking, w.disabled)
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
	t.Run("what AWS shows late from the beginning", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.look(walk)
		late := true // the look after the move sees the account where it was
		w.aws.OnCall("organizations:ListParents", func(c awstest.Call) {
			if late && w.account(sinking).Parent == w.disabled {
				w.o.Move(sinking, w.ponds)
				late = false
			}
		})
		if report := w.run(walk); !report.OK() || late {
			t.Errorf("report %+v", report)
		}
	})
	t.Run("what AWS never shows", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.look(walk)
		w.aws.OnCall("organizations:ListTagsForResource", func(c awstest.Call) {
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags = nil })
		})
		w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS has accepted that account "+sinkingText+" is disabled, and doesn't show it")
		if walk.At() != "disable" || walk.Calls() > 200 {
			t.Errorf("at %q after %d calls", walk.At(), walk.Calls())
		}
	})
	t.Run("what is being closed by hand", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.graced(walk)
		w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Parent, a.State = w.ponds, "CLOSED" })
		report := w.run(walk)
		if diff := cmp.Diff([]string{"State CLOSED (confirmed)", "In Root / Workloads / Ponds (" + w.ponds + ") (failed)"}, truth(report)); diff != "" || !report.Final || w.aws.Count("organizations:CloseAccount") > 0 {
			t.Errorf("report (-want +got):\n%s", diff)
		}
		w.done()
	})
}

// disabledAgain has a run begin anew whose work people lifted, as the desk does
// once a member has pressed the button. It returns the effects that nobody was
// shown.
func (w *world) disabledAgain(walk *opstest.Walk, lift func(*world)) []string {
	w.Helper()
	shown := walk.Plan()
	w.graced(walk)
	w.clock.Advance(10 * day)
	lift(w)
	w.refused(walk.Run(w.Context()), ops.Lifted)
	w.mended()
	plan := w.look(walk) // begins anew, with the memory that it has
	return plan.Beyond(shown)
}

// Disabled again, an account has the time of grace anew.
func TestDisabledAgain(t *testing.T) {
	t.Parallel()
	for _, lifting := range liftings {
		for _, restore := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, and is restored then: %v", lifting.name, restore), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				before := w.account(sinking)
				walk := w.walk()
				w.look(walk)
				beyond := w.disabledAgain(walk, lifting.lift)
				want := ""
				if lifting.name == "it was moved elsewhere" {
					before.Parent = w.workloads
					want = "Move account " + sinkingText + " from " + w.unit(w.workloads) + " to " + w.unit(w.disabled)
				}
				if got := strings.Join(beyond, "; "); got != want {
					t.Errorf("beyond what was shown: %q, want %q", got, want)
				}
				began := w.clock.Now()
				w.graced(walk)
				if length := walk.Offered().Sub(began); length < 14*day || length > 14*day+time.Minute {
					t.Errorf("the grace is %v", length)
				}
				a := w.account(sinking)
				if a.Parent != w.disabled || a.Tags["closure-request"] != request || a.Tags["closure-from"] != before.Parent {
					t.Errorf("account %+v", a)
				}
				if n := strings.Count(text(walk.Lines()), "change Tagged account"); n != 2 {
					t.Errorf("tagged, as told, %d times", n)
				}
				if restore {
					if err := walk.Undo(t.Context()); err != nil {
						t.Fatal(err)
					}
					w.same(before)
				} else if report := w.run(walk); !report.OK() {
					t.Errorf("report %+v", report)
				}
				w.done()
			})
		}
	}
}

// A process that disables it again may die anywhere.
func TestDisabledAgainByAProcessThatDies(t *testing.T) {
	t.Parallel()
	again := func(kill int) (points int) {
		w := newWorld(t)
		walk := w.walk()
		w.look(walk)
		w.disabledAgain(walk, liftings[0].lift)
		before := walk.Points()
		if kill > 0 {
			walk.Kill = before + kill
		}
		began := w.clock.Now()
		w.until(walk, "grace")
		points = walk.Points() - before
		w.graced(walk)
		if length := walk.Offered().Sub(began); length < 14*day || length > 14*day+time.Minute {
			t.Errorf("killed at %d: the grace is %v", kill, length)
		}
		if report := w.run(walk); !report.OK() {
			t.Errorf("killed at %d: report %+v", kill, report)
		}
		w.done()
		return points
	}
	points := again(0)
	for _, n := range opstest.Some(t, points, 2) {
		again(n)
	}
}

// A step that ended without being recorded doesn't disable again what people
// lifted meanwhile: nobody has asked for that.
func TestLiftedBeforeTheStepWasRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	w.look(walk)
	w.until(walk, "disable")
	for walk.Plan().Steps != nil && w.account(sinking).Parent != w.disabled {
		walk.Twice = true
		if err := walk.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.clock.Advance(time.Hour)
	walk.Restart()
	w.o.Move(sinking, w.ponds)
	for range 2 {
		w.refused(walk.Step(t.Context()), ops.Lifted, "was moved back by hand")
	}
	if a := w.account(sinking); a.Parent != w.ponds {
		t.Errorf("account %+v", a)
	}
	w.done()
}

// What the approvers were told that stays usable isn't lifted by anybody, and no other
// policy of the unit is theirs to miss. What isn't denied again after it was lifted still
// stops the run.
func TestPoliciesAreComparedWithWhatWasApproved(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		before, after func(*world)
		lifted        bool
	}{
		{"a unit that denied nothing", func(w *world) { w.o.DetachPolicy(w.denyAll, w.disabled) }, func(*world) {}, false},
		{"a unit that denies more now", func(w *world) { w.o.DetachPolicy(w.denyAll, w.disabled) }, (*world).mended, false},
		{
			"another policy that denies everything", func(*world) {}, func(w *world) {
				w.o.AttachPolicy(w.o.AddPolicy("other", denyAll), w.disabled)
				w.o.DetachPolicy(w.denyAll, w.disabled)
			}, false,
		},
		{"more that is excepted", func(w *world) {
			w.o.AddPolicy("deny-all", strings.Replace(denyAll, `"Action":"*"`, `"NotAction":["sso:*"]`, 1))
		}, func(w *world) {
			w.o.AddPolicy("deny-all", strings.Replace(denyAll, `"Action":"*"`, `"NotAction":["sso:*","s3:*"]`, 1))
		}, true},
		{"what is lifted twice", func(*world) {}, func(w *world) { w.o.DetachPolicy(w.denyAll, w.disabled) }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings.Grace = 2 * day
			test.before(w)
			walk := w.walk()
			w.graced(walk)
			test.after(w)
			if !test.lifted {
				if report := w.run(walk); !report.OK() {
					t.Errorf("report %+v", report)
				}
				return
			}
			for range 2 {
				w.refused(walk.Run(t.Context()), ops.Lifted, "the policies there were changed by hand")
				if _, err := w.again(walk, walk.Plan()); err != nil {
					t.Error(err)
				}
			}
			if len(w.o.Closed()) > 0 {
				t.Error("it was closed")
			}
		})
	}
}

// Policies that can't be read end no grace, and close nothing.
func TestPoliciesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Grace = 2 * day
	walk := w.walk()
	w.graced(walk)
	w.aws.Fail("organizations:DescribePolicy", awstest.Fault{Code: "AccessDeniedException"})
	w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS refused organizations:DescribePolicy")
	if walk.At() != "close" || len(w.o.Closed()) > 0 || !strings.Contains(text(walk.Lines()), "Whether "+sinkingText+" is still disabled isn't known now. AWS refused organizations:DescribePolicy") {
		t.Errorf("at %q, closed %v\n%s", walk.At(), w.o.Closed(), text(walk.Lines()))
	}
	w.done()
}

// In the grace people can see what is so, until when, and what they can do; a day
// before its end they are told once more.
func TestTheGraceIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	w.graced(walk)
	end := walk.Offered()
	want := sinkingText + " has been disabled since " + at(end.Add(-14*day)) + " and will be closed on " + at(end) + ", unless a member presses Restore."
	if waits := walk.Waits(); len(waits) != 1 || waits[0] != (ops.Waiting{For: want, Until: end}) {
		t.Errorf("waits for %+v", waits)
	}
	looks := w.aws.Count("organizations:DescribeAccount")
	w.until(walk, "close")
	if n := w.aws.Count("organizations:DescribeAccount") - looks; n < 14 || n > 20 {
		t.Errorf("looked %d times in 14 days", n)
	}
	told := 0
	for _, line := range walk.Lines() {
		if line.Text == "One more day: "+want {
			told++
			if left := end.Sub(line.At); left > day || left < day-time.Minute || line.Level != ops.Warning {
				t.Errorf("told %v before the end, as %s", left, line.Level)
			}
		}
	}
	if told != 1 {
		t.Errorf("told %d times:\n%s", told, text(walk.Lines()))
	}
	w.done()
	t.Run("but not of a day that has just begun", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.settings.Grace = day
		walk := w.walk()
		w.until(walk, "close")
		if strings.Contains(text(walk.Lines()), "One more day") {
			t.Errorf("told %s", text(walk.Lines()))
		}
	})
}

// That AWS can't be read doesn't end a grace: there is nothing to do in it.
func TestTheGraceWithoutAWS(t *testing.T) {
	t.Parallel()
	for _, fault := range []awstest.Fault{{Code: "AccessDeniedException"}, {Code: "ServiceException", Status: 400}} {
		t.Run(fault.Code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.walk()
			w.graced(walk)
			end := walk.Offered()
			w.aws.Fail("organizations:ListParents", fault)
			for range 30 {
				if err := walk.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			waits := walk.Waits()
			last := waits[len(waits)-1]
			if !strings.HasPrefix(last.For, "Whether "+sinkingText+" is still disabled isn't known now. AWS ") || !strings.Contains(last.For, "unless a member presses Restore") || !last.Until.Equal(end) {
				t.Errorf("waits for %+v", last)
			}
			if n := strings.Count(text(walk.Lines()), "isn't known now"); n != 1 {
				t.Errorf("told %d times", n)
			}
			w.aws.Heal("*")
			w.until(walk, "close")
			if early := end.Sub(w.clock.Now()); early > 0 || early < -time.Minute {
				t.Errorf("the grace ended %v early", early)
			}
			if report := w.run(walk); !report.OK() {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
	t.Run("to its end", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.graced(walk)
		w.aws.Fail("organizations:DescribeAccount", awstest.Fault{Code: "AccessDeniedException"})
		w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS refused organizations:DescribeAccount")
		if walk.At() != "close" || w.aws.Count("organizations:CloseAccount") > 0 {
			t.Errorf("at %q", walk.At())
		}
	})
}
