package removeuser_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// by is a client of somebody who may write to the repository.
func (w *world) by(login string) *github.Client {
	w.Helper()
	w.github.AddFineGrainedToken("github_pat_"+login, login, map[string]string{"contents": "write", "pull_requests": "write"}, repo)
	w.github.AddCollaborator(repo, login, "write")
	client, err := githubaccess.New(w.github.URL(), githubaccess.Token{Value: "github_pat_" + login, Next: w.next})
	if err != nil {
		w.Fatal(err)
	}
	return client
}

// What others made of the pull request isn't taken for what was approved, whatever its
// branch is called and though it was merged.
func TestAnotherPullRequestThanProposed(t *testing.T) {
	t.Parallel()
	owner, name, _ := strings.Cut(repo, "/")
	for _, test := range []struct {
		name   string
		at     string // the step before which it comes
		change func(*world)
		says   string
	}{
		{"somebody else opens one from that branch first", "propose", func(w *world) {
			w.github.Commit(repo, branch, map[string]string{usersFile: usersAfter, membersFile: membersAfter}, "Mine")
			if _, _, err := w.by("mallory").PullRequests.Create(t.Context(), owner, name, &github.NewPullRequest{Title: github.String("x"), Head: github.String(branch), Base: github.String("master")}); err != nil {
				w.Error(err)
			}
		}, "was opened by mallory and not by the bot"},
		{"its base is changed", "merge", func(w *world) {
			w.github.AddBranch(repo, "elsewhere")
			if _, _, err := w.by("mallory").PullRequests.Edit(t.Context(), owner, name, 1, &github.PullRequest{Base: &github.PullRequestBranch{Ref: github.String("elsewhere")}}); err != nil {
				w.Error(err)
			}
		}, "goes to the branch elsewhere and not to master"},
		{"its base is changed, and the branch is deleted", "merge", func(w *world) {
			w.github.AddBranch(repo, "elsewhere")
			if _, _, err := w.by("mallory").PullRequests.Edit(t.Context(), owner, name, 1, &github.PullRequest{Base: &github.PullRequestBranch{Ref: github.String("elsewhere")}}); err != nil {
				w.Error(err)
			}
			w.github.DeleteBranch(repo, "master")
		}, "goes to the branch elsewhere now, and GitHub shows the bot no branch master any more"},
		{"another file is changed in it", "merge", func(w *world) {
			w.github.Commit(repo, branch, map[string]string{"README.md": "# Mine\n"}, "More")
		}, "changes README.md too, which the bot didn't propose"},
		{"another user is taken out as well", "merge", func(w *world) {
			w.github.Commit(repo, branch, map[string]string{usersFile: strings.Replace(usersAfter, `"ann.other@softwire.com"`, `"mallory@softwire.com"`, 1)}, "More")
		}, "has another content than the bot proposed"},
		{"it is merged with another content", "merge", func(w *world) {
			w.github.Commit(repo, branch, map[string]string{usersFile: strings.Replace(usersAfter, `"ann.other@softwire.com"`, `"mallory@softwire.com"`, 1)}, "More")
			if err := w.github.Merge(repo, 1, "mallory"); err != nil {
				w.Error(err)
			}
		}, "has another content than the bot proposed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, test.at)
			test.change(w)
			walk.Waiting = func(context.Context) error { walk.Restart(); return nil }
			w.refused(walk.Run(t.Context()), ops.Refused, "Pull request "+repo+"#1 "+test.says+", so it isn't what was approved.", "/pull/1", "run it again")
			if !w.iam.Powerless(leaver) {
				t.Error("the user isn't powerless")
			}
			if _, there := w.iam.User(leaver); !there {
				t.Error("the user was removed")
			}
		})
	}
	t.Run("the same removal on top of others' changes is what was proposed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.settings.Grace = 0
		walk := w.walk()
		w.until(walk, "merge")
		w.github.Commit(repo, branch, map[string]string{usersFile: usersAfter + "\n"}, "A newline more")
		w.github.Commit(repo, branch, map[string]string{usersFile: usersAfter}, "And less")
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
	})
}

// The bot's account may get another login while its pull request is open: it is the bot's
// still. Who takes the old login isn't the bot.
func TestTheBotIsRenamedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"propose", "merge"} {
		t.Run("before "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, step)
			w.github.RenameUser("rootbot-users", "root-account-bot")
			w.github.AddUser("rootbot-users")
			if report := w.run(walk); !report.OK() {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
}

// People rename a branch in the days that a removal takes: the same branch goes on.
func TestABranchThatIsRenamedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"quarantine", "propose", "merge", "empty"} {
		t.Run("before "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, step)
			w.github.RenameBranch(repo, "master", "main")
			if report := w.run(walk); !report.OK() {
				t.Errorf("report %+v", report)
			}
			if pull := w.github.Pull(repo, 1); !pull.Merged || pull.Base != "main" && step != "empty" {
				t.Errorf("the pull request is %+v", pull)
			}
			if users, _ := w.github.File(repo, "main", usersFile); users != usersAfter {
				t.Errorf("the branch has\n%s", users)
			}
			told := strings.Count(text(walk.Lines()), "The branch master of "+repo+" is called main now.")
			if want := map[bool]int{true: 0, false: 1}[step == "empty"]; told != want {
				t.Errorf("told %d times:\n%s", told, text(walk.Lines()))
			}
		})
	}
	t.Run("before it is asked for, no other branch is taken", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.github.RenameBranch(repo, "master", "main")
		w.refused(w.walk().Run(t.Context()), ops.Unavailable, "GitHub shows the bot no branch master in "+repo)
	})
}
