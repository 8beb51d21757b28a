package removeuser_test

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

// After the grace it is planned again: nothing may be new, for nobody would
// have approved it.
func TestPlansConverge(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mode)
			walk := w.walk()
			first := w.look(walk)
			w.quarantined(walk)
			second := w.look(walk)
			if beyond := second.Beyond(first); len(beyond) > 0 {
				t.Errorf("after the quarantine there is beyond what was shown: %q", beyond)
			}
			if len(second.Steps[0].Effects) > 0 {
				t.Errorf("the quarantine has still to do: %q", second.Steps[0].Effects)
			}
			w.quarantined(walk)
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			if restored := w.look(w.walk()); !cmp.Equal(restored.Effects(), first.Effects()) {
				t.Errorf("after the restore another plan is made:\n%s", cmp.Diff(first.Effects(), restored.Effects()))
			}
			w.run(w.walk())
			_, err := w.walk().Look(t.Context())
			w.refused(err, ops.Invalid, "No IAM user is called "+leaver)
			w.done()
		})
	}
}

// What the user gets between the approval and the removal has not been approved.
func TestChangesShowInTheNextPlan(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name   string
			change func(*awstest.IAMUser)
			want   string // beyond what was shown
		}{
			{"a group", func(u *awstest.IAMUser) { u.Groups = append(u.Groups, "late") }, "Remove " + leaver + " from group late"},
			{"a key", func(u *awstest.IAMUser) {
				u.AccessKeys[0] = awstest.AccessKey{ID: "AKIALATE000000000000", Inactive: true}
			}, "Delete access key AKIALATE000000000000"},
			{"a policy", func(u *awstest.IAMUser) { u.Inline["late"] = "{}" }, "Delete inline policy late"},
		} {
			t.Run(mode+", "+test.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				walk := w.walk()
				first := w.look(walk)
				w.quarantined(walk)
				w.iam.ChangeUser(leaver, test.change)
				if diff := cmp.Diff([]string{test.want}, w.look(walk).Beyond(first)); diff != "" {
					t.Errorf("beyond what was shown (-want +got):\n%s", diff)
				}
				w.done()
			})
		}
	}
}

// after is what a run has left behind.
type after struct {
	Users, Devices []string
	Files          [2]string
	Pulls          []string
	Report         []string
	There, Opened  bool // the user; that the pull request was told
	Applied        error
}

func (w *world) after(walk *opstest.Walk) after {
	report, _ := walk.Report()
	a := after{Users: w.iam.Users(), Devices: w.iam.VirtualDevices(), Report: truth(report), Applied: w.applied}
	for i, path := range []string{usersFile, membersFile} {
		a.Files[i], _ = w.github.File(repo, "master", path)
	}
	for _, p := range w.github.Pulls(repo) {
		a.Pulls = append(a.Pulls, fmt.Sprint(p.Head, p.State, p.Merged, len(p.Commits), len(p.Files)))
	}
	_, a.There = w.iam.User(leaver)
	a.Opened = strings.Contains(text(walk.Lines()), "Opened pull request")
	return a
}

// fewer leaves one of each kind of removal.
func fewer(u *awstest.IAMUser) {
	u.AccessKeys, u.MFA, u.Attached = []awstest.AccessKey{{}}, u.MFA[1:2], u.Attached[:1]
	u.Login, u.Groups, u.SSHKeys, u.Certificates, u.Credentials, u.Inline, u.Boundary = nil, nil, nil, nil, nil, nil, ""
}

// However often a process dies, the world ends up the same, and on the way the
// user never has power again.
func TestAnyProcessMayDie(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		removed := func(t *testing.T, change func(*opstest.Walk)) (left after, from, to int) {
			w := newWorld(t, mode)
			w.iam.ChangeUser(leaver, fewer)
			w.settings.Grace = time.Hour
			w.noPowerAgain()
			walk := w.walk()
			change(walk)
			if mode == terraformMode { // what comes before is the same for both
				w.settings.Grace = 0
				w.until(walk, "propose")
			}
			from = walk.Points()
			w.run(walk)
			w.done()
			return w.after(walk), from, walk.Points()
		}
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			want, from, to := removed(t, func(*opstest.Walk) {})
			same := func(name string, change func(*opstest.Walk)) {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					got, _, _ := removed(t, change)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("left behind (-undisturbed +got):\n%s", diff)
					}
				})
			}
			same("each step twice", func(w *opstest.Walk) { w.Twice = true })
			same("a new process for each call", func(w *opstest.Walk) { w.Fresh = true })
			if to-from < 10 {
				t.Errorf("only %d points to die at", to-from)
			}
			for _, n := range opstest.Some(t, to-from, 3) {
				n += from
				same(fmt.Sprintf("killed at point %d", n), func(w *opstest.Walk) { w.Kill = n })
			}
		})
	}
	t.Run("restore", func(t *testing.T) {
		t.Parallel()
		restored := func(t *testing.T, twice bool, kill int) int {
			w := newWorld(t, iamMode)
			w.iam.ChangeUser(leaver, fewer)
			w.settings.Grace = time.Hour
			before := w.user(leaver)
			walk := w.walk()
			walk.Twice, walk.Kill = twice, kill
			w.quarantined(walk)
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			if report, ok := walk.Report(); !ok || !report.OK() || !walk.Done() {
				t.Errorf("report %+v, done %v", report, walk.Done())
			}
			w.done()
			return walk.Points()
		}
		points := restored(t, false, 0)
		restored(t, true, 0)
		for _, n := range opstest.Some(t, points, 2) {
			restored(t, false, n)
		}
	})
}

// A restore that fails in the middle leaves deny-all where it is.
func TestRestoreFailsHalfWay(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"UpdateAccessKey", "UntagUser", "DetachUserPolicy"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			before := w.user(leaver)
			walk := w.walk()
			w.quarantined(walk)
			w.aws.Fail("iam:"+action, awstest.Fault{Code: "AccessDenied"})
			w.refused(walk.Undo(t.Context()), ops.Unavailable, "AWS refused iam:"+action+" to the role "+actRole+".")
			if u := w.user(leaver); !strings.Contains(fmt.Sprint(u.Attached), awstest.AWSDenyAll) {
				t.Errorf("attached %v", u.Attached)
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

// A user who is in quarantine by an earlier request is taken over by the next:
// the grace counts on, and a restore gives back what was there before the first.
func TestQuarantineIsTakenOver(t *testing.T) {
	t.Parallel()
	takenOver := func(t *testing.T, kill int) int {
		w := newWorld(t, iamMode)
		w.iam.ChangeUser(leaver, fewer)
		before := w.user(leaver)
		w.quarantined(w.walk())
		begun, _ := time.Parse(time.RFC3339, w.user(leaver).Tags["quarantined-at"])
		next := w.walk()
		next.Request.ID, next.Kill = "0199a3c2-7d51-7c0a-9f3e-5b6f0a0b0c0d", kill
		if plan := w.look(next); !strings.Contains(strings.Join(plan.Warnings, " "), "in quarantine since "+begun.UTC().Format("2 Jan 15:04")+" UTC, by request "+request) {
			t.Errorf("warnings %q", plan.Warnings)
		}
		w.until(next, "grace")
		points := next.Points()
		w.quarantined(next)
		if grace := next.Offered().Sub(begun); grace > 7*day+time.Second {
			t.Errorf("a grace of %v", grace)
		}
		if err := next.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		return points
	}
	points := takenOver(t, 0)
	for _, n := range opstest.Some(t, points, 2) {
		t.Run(fmt.Sprintf("killed at point %d", n), func(t *testing.T) {
			t.Parallel()
			takenOver(t, n)
		})
	}
}

// The plan says when a user is removed whose quarantine an earlier request began: its
// time of grace counts on.
func TestThePlanTellsTheEndOfAnEarlierGrace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		since         time.Duration
		summary, step string
	}{
		{"which is over", 30 * day, "and remove the user at once: the time of grace, which began with an earlier quarantine, was over at ", "Wait no longer: the time of grace was over at "},
		{"which goes on", 3 * day, "and remove the user at ", "Wait until "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			end := w.clock.Now().Add(7*day - test.since).UTC().Format("2 Jan 15:04")
			w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) {
				u.Attached = append(u.Attached, "arn:aws:iam::aws:policy/AWSDenyAll")
				u.Tags["removal-request"] = "0199a3c2-0000-7c0a-9f3e-5b6f1d2c3e4f"
				u.Tags["quarantined-at"] = w.clock.Now().Add(-test.since).UTC().Format(time.RFC3339)
				u.Tags["quarantined-keys"] = ""
			})
			plan := w.look(w.walk())
			if !strings.Contains(plan.Summary, test.summary+end+" UTC") || !strings.HasPrefix(plan.Steps[1].Title, test.step+end+" UTC") {
				t.Errorf("summary %q, step %q", plan.Summary, plan.Steps[1].Title)
			}
		})
	}
}
