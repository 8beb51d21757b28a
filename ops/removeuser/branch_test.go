package removeuser_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// bothFiles puts the files of users and members into a commit on the branch.
func (w *world) bothFiles(users, members string) string {
	w.Helper()
	return w.github.Commit(repo, "master", map[string]string{usersFile: users, membersFile: members}, "By hand")
}

// A merge that people have reverted decides nothing, whenever they do it: all that hangs
// on the user stays, and Restore puts everything back.
func TestAMergeThatPeopleReverted(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"merge", "empty"} {
		t.Run("before "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			before := w.user(leaver)
			walk := w.walk()
			w.until(walk, "merge")
			w.asksAgain(walk)
			if err := w.github.Merge(repo, 1, "ann"); err != nil {
				t.Fatal(err)
			}
			w.until(walk, step)
			w.bothFiles(usersText, membersText)
			walk.Waiting = func(ctx context.Context) error { return ctx.Err() }
			w.refused(walk.Run(t.Context()), ops.Refused, "but "+repo+" (master) defines "+leaver+" again at commit ", "Press Restore")
			w.refused(walk.Run(t.Context()), ops.Refused, "defines "+leaver+" again")
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			w.done()
		})
	}
	t.Run("and that people made again", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.settings.Grace = 0
		walk := w.walk()
		w.until(walk, "merge")
		if err := w.github.Merge(repo, 1, "ann"); err != nil {
			t.Fatal(err)
		}
		w.bothFiles(usersText, membersText)
		walk.Waiting = func(ctx context.Context) error { return ctx.Err() }
		w.refused(walk.Run(t.Context()), ops.Refused, "ann merged pull request "+repo+"#1, but "+repo+" (master) defines")
		w.bothFiles(usersAfter, membersAfter)
		walk.Waiting = func(context.Context) error { w.apply(); return nil }
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
	t.Run("while the user is being taken apart", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.settings.Grace = 0
		walk := w.walk()
		w.until(walk, "merge")
		if err := w.github.Merge(repo, 1, "ann"); err != nil {
			t.Fatal(err)
		}
		w.until(walk, "empty")
		walk.Waiting = nil
		if err := walk.Step(t.Context()); err != nil || walk.At() != "empty" {
			t.Fatalf("at step %q: %v", walk.At(), err)
		}
		w.bothFiles(usersText, membersText)
		w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.Tags["team"] = "others" })
		left := w.user(leaver)
		err := walk.Run(t.Context())
		w.refused(err, ops.Refused, "defines "+leaver+" again", "can't be undone")
		if strings.Contains(err.Error(), "Restore") {
			t.Errorf("Restore is promised: %v", err)
		}
		w.same(left)
	})
}

// GitHub may show a branch for some seconds as it was before a merge that it shows.
func TestAMergeThatTheBranchDoesNotShowYet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	w.settings.Grace = 0
	walk := w.walk()
	w.until(walk, "merge")
	if err := w.github.Merge(repo, 1, "ann"); err != nil {
		t.Fatal(err)
	}
	w.bothFiles(usersText, membersText)
	n := 0
	walk.Waiting = func(context.Context) error {
		if n++; n == 1 {
			w.bothFiles(usersAfter, membersAfter)
		}
		w.apply()
		return nil
	}
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	if diff := cmp.Diff(1, strings.Count(text(walk.Lines()), "was merged by ann")); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
