package removeuser_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
	"github.com/aws-root-account/rootbot/ops/removeuser"
)

// counting counts how often the desk is asked whether the run may go on.
func (w *world) counting(times *int) func(context.Context) error {
	return func(context.Context) error { *times++; return nil }
}

// What an approval is about stands in the plan as it was then.
func TestTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	w.settings.Protected, w.settings.ProtectedTags = []string{"root@*", "break-glass-*"}, map[string]string{"b": "2", "a": "1"}
	walk := w.walk()
	shown := w.look(walk)
	want := []ops.Fact{
		{Label: "Time of grace", Value: "7 days"},
		{Label: "Protected names", Value: "break-glass-*; root@*"},
		{Label: "Protected tags", Value: "a=1; b=2"},
		{Label: "Owner of the users", Value: "Terraform, in " + repo + " (master): " + usersFile + " and " + membersFile},
	}
	if diff := cmp.Diff(want, shown.Terms); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		name   string
		change func(*removeuser.Settings)
		want   []string
	}{
		{"nothing", func(*removeuser.Settings) {}, nil},
		{"a shorter grace", func(s *removeuser.Settings) { s.Grace = time.Hour }, []string{"Time of grace: 7 days, now 1 hour"}},
		{"no grace", func(s *removeuser.Settings) { s.Grace = 0 }, []string{"Time of grace: 7 days, now none"}},
		{"nobody protected", func(s *removeuser.Settings) { s.Protected, s.ProtectedTags = nil, nil }, []string{"Protected names: break-glass-*; root@*, now none", "Protected tags: a=1; b=2, now none"}},
		{"another owner", func(s *removeuser.Settings) { s.Users = iamMode }, []string{want[3].Label + ": " + want[3].Value + ", now nobody: the bot deletes them"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			was := *w.settings
			defer func() { *w.settings = was }()
			test.change(w.settings)
			r := walk.Request
			r.Shown = &shown
			plan, err := w.operation().Plan(t.Context(), r, func(string, ...any) {})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, plan.NewTerms(shown)); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		})
	}
}

// The grace is the one that was approved, not that of the settings of the day; and so
// is the repository.
func TestStepsGoByThePlan(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mode)
			walk := w.walk()
			w.until(walk, "grace")
			w.settings.Grace, w.settings.Repository, w.settings.UsersFile = 0, "alphagov/elsewhere", "elsewhere.json"
			began := w.clock.Now()
			walk.Restart()
			if report := w.run(walk); !report.OK() {
				t.Errorf("report %+v", report)
			}
			if took := w.clock.Now().Sub(began); took < 7*day-time.Minute { // it began with the quarantine
				t.Errorf("removed after %v", took)
			}
			w.done()
		})
	}
}

// A plan that the desk makes again in mid-run reads the protections of that moment.
func TestProtectedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, step := range []string{"quarantine", "grace", "delete", "merge"} {
			if (step == "delete") != (mode == iamMode) && step != "quarantine" && step != "grace" {
				continue
			}
			for name, protect := range map[string]func(*world){
				"by name": func(w *world) { w.settings.Protected = []string{leaver} },
				"by tag": func(w *world) {
					w.settings.ProtectedTags = map[string]string{"keep": "yes"}
					w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.Tags["keep"] = "yes" })
				},
				"recreated": func(w *world) {
					w.iam.DeleteUser(leaver)
					anew := everything(leaver)
					anew.ID = "AIDAANOTHERONE0000000"
					w.iam.AddUser(anew)
				},
			} {
				t.Run(mode+" "+name+" before "+step, func(t *testing.T) {
					t.Parallel()
					w := newWorld(t, mode)
					walk := w.walk()
					w.until(walk, step)
					protect(w)
					shown, r := walk.Plan(), walk.Request
					r.Shown = &shown
					_, err := w.operation().Plan(t.Context(), r, func(string, ...any) {})
					w.refused(err, ops.Refused, leaver)
				})
			}
		}
	}
}

// While people have to merge, they are told what, where and why, and GitHub asks
// those who approved.
func TestWaitingForTheMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	walk := w.walk()
	walk.Approvers = []string{"mona", "hubot", "rootbot-users", "slack.U0123"}
	w.until(walk, "merge")
	began := len(walk.Waits())
	walk.Waiting = nil
	if err := walk.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []ops.Waiting{{
		For:    leaver + " has no access now. Please merge https://github.com/" + repo + "/pull/1: then Terraform removes the user. GitHub has asked mona to look at it.",
		Person: true,
	}}
	if diff := cmp.Diff(want, walk.Waits()[began:]); diff != "" {
		t.Errorf("waits for (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"mona"}, w.firstPull().Reviewers); diff != "" {
		t.Errorf("reviewers (-want +got):\n%s", diff)
	}
	if told := text(walk.Lines()); !strings.Contains(told, "info GitHub couldn't ask hubot to review pull request #1: ") || strings.Contains(told, "U0123") {
		t.Errorf("told\n%s", told)
	}
	for _, s := range walk.Plan().Steps {
		if waits := s.Do == "merge"; waits && len(s.Effects) > 0 {
			t.Errorf("the step that waits has effects: %q", s.Effects)
		}
	}
	walk.Restart()
	walk.Waiting = func(context.Context) error { walk.Restart(); w.mergeAndApply(); return nil }
	w.run(walk)
	last := walk.Waits()[len(walk.Waits())-1]
	if !strings.HasPrefix(last.For, leaver+" has neither access nor credentials any more. Terraform's apply in "+repo) || last.Until.IsZero() || last.Person {
		t.Errorf("waits at last for %+v", last)
	}
	w.done()
}

// Before each change at GitHub the desk is asked, and what it stops isn't made.
func TestTheDeskIsAskedBeforeGitHub(t *testing.T) {
	t.Parallel()
	writes := []string{"POST /repos/*/*/git/trees", "POST /repos/*/*/git/refs", "POST /repos/*/*/pulls$", "POST /repos/*/*/pulls/*/requested_reviewers"}
	for stop := range len(writes) {
		t.Run("stopped before "+writes[stop], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "propose")
			asked, no := 0, &ops.HaltError{Err: errors.New("who approved has left the team")}
			walk.MayAct = func(context.Context) error {
				if asked++; asked > stop {
					return no
				}
				return nil
			}
			if err := walk.Run(t.Context()); !ops.Halted(err) {
				t.Errorf("got %v", err)
			}
			for i, write := range writes {
				if made := w.github.Count(write) > 0; made != (i < stop) {
					t.Errorf("%s was made: %v", write, made)
				}
			}
			walk.MayAct = nil
			if report := w.run(walk); !report.OK() || len(w.github.Pulls(repo)) != 1 {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
	t.Run("stopped before the branch is moved", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		walk := w.walk()
		w.until(walk, "merge")
		walk.MayAct = func(context.Context) error { return &ops.HaltError{Err: errors.New("no")} }
		w.github.Commit(repo, "master", map[string]string{usersFile: strings.Replace(usersText, `"ann.other@softwire.com"`, `"ann.else@softwire.com"`, 1)}, "Another's")
		was := w.firstPull().HeadSHA
		walk.Waiting = nil
		err := error(nil)
		for n := 0; n < 4 && err == nil; n++ {
			err = walk.Step(t.Context())
		}
		if !ops.Halted(err) || w.firstPull().HeadSHA != was {
			t.Errorf("got %v", err)
		}
	})
}

// After a pull request was closed and the quarantine begins again, it is proposed anew.
func TestProposedAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	was := w.user(leaver)
	walk := w.walk()
	w.until(walk, "merge")
	w.github.ClosePull(repo, 1, "ann")
	w.iam.ChangeUser(leaver, liftings[0].lift(was))
	w.clock.Advance(time.Hour)
	walk.Restart()
	w.refused(walk.Run(t.Context()), ops.Lifted, leaver+" has access again.", "If no person did that, Terraform's apply in "+repo+" did")
	w.look(walk)
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	if pulls := w.github.Pulls(repo); len(pulls) != 2 || !pulls[1].Merged {
		t.Errorf("pull requests %+v", pulls)
	}
	w.done()
}

// The result says only things that the run knows: that this very user is gone, and by
// whom. Whoever did it, there is nobody left to restore.
func TestTheResultIsAboutTheUserWhoWasShown(t *testing.T) {
	t.Parallel()
	another := func(w *world) {
		w.iam.DeleteUser(leaver)
		anew := everything(leaver)
		anew.ID = "AIDAANOTHERONE0000000"
		w.iam.AddUser(anew)
	}
	for _, test := range []struct {
		name, step string
		change     func(*world)
		summary    string
		note       string // in the notes
		ok         bool
	}{
		{"gone before the run began", "quarantine", func(w *world) { w.iam.DeleteUser(leaver) }, leaver + " was already gone when the run began: not removed by this run.", "", true},
		{"deleted by others in the grace", "grace", func(w *world) { w.iam.DeleteUser(leaver) }, leaver + " is removed.", "hadn't begun to delete the user: others did.", true},
		{"another one at the end", "check", another, "is gone, and another one of the same name is there.", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			walk := w.walk()
			if test.step == "check" {
				w.until(walk, "check")
				w.iam.AddUser(awstest.IAMUser{Name: leaver}) // for another to take the place of
			}
			w.until(walk, test.step)
			test.change(w)
			report := w.run(walk)
			if report.OK() != test.ok || !report.Final || !strings.Contains(report.Summary, test.summary) || !strings.Contains(strings.Join(report.Notes, " "), test.note) {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
	t.Run("gone between approval and run", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		walk := w.walk()
		w.look(walk)
		w.iam.DeleteUser(leaver)
		if plan := w.look(walk); len(plan.Steps) != 1 || len(plan.Effects()) > 0 {
			t.Errorf("plan %+v", plan)
		}
		if report := w.run(walk); report.Summary != leaver+" was already gone when the run began: not removed by this run." {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
}

// No error of the operation speaks of the past: the desk does.
func TestErrorsDontSpeakOfThePast(t *testing.T) {
	t.Parallel()
	for name, provoke := range map[string]func(*world, *opstest.Walk) error{
		"protected": func(w *world, walk *opstest.Walk) error {
			w.settings.Protected = []string{leaver}
			_, err := walk.Look(w.Context())
			return err
		},
		"another user": func(w *world, walk *opstest.Walk) error {
			w.until(walk, "delete")
			w.iam.DeleteUser(leaver)
			anew := everything(leaver)
			anew.ID = "AIDAANOTHERONE0000000"
			w.iam.AddUser(anew)
			return walk.Run(w.Context())
		},
		"lifted": func(w *world, walk *opstest.Walk) error {
			was := w.user(leaver)
			w.until(walk, "delete")
			w.iam.ChangeUser(leaver, liftings[0].lift(was))
			return walk.Run(w.Context())
		},
		"refused": func(w *world, walk *opstest.Walk) error {
			w.aws.Fail("iam:AttachUserPolicy", awstest.Fault{Code: "AccessDenied"})
			return walk.Run(w.Context())
		},
		"not found": func(w *world, _ *opstest.Walk) error {
			_, err := w.walkFor("never.was@softwire.com").Look(w.Context())
			return err
		},
		"out of reach": func(w *world, walk *opstest.Walk) error {
			w.settings.Users = terraformMode
			w.github.Fail("/repos", githubtest.Fault{Status: 404})
			_, err := walk.Look(w.Context())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			err := provoke(w, w.walk())
			said, ok := errors.AsType[*ops.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			words := strings.ToLower(said.What + " " + said.Next)
			if i := slices.IndexFunc([]string{"nothing was", "nothing more", "was run", "wasn't run"}, func(s string) bool { return strings.Contains(words, s) }); i >= 0 || said.Changed != "" {
				t.Errorf("it says %q, changed %q", words, said.Changed)
			}
		})
	}
}
