package removeuser_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// What Terraform does after the merge, and when.
func TestTerraform(t *testing.T) {
	t.Parallel()
	t.Run("applies at once, fails on what force_destroy leaves, and succeeds when run again", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		walk := w.walk()
		w.until(walk, "merge")
		if err := w.github.Merge(repo, 1, "ann"); err != nil {
			t.Fatal(err)
		}
		w.apply()
		if w.applied == nil {
			t.Fatal("the first apply should fail")
		}
		if report := w.run(walk); !report.OK() || w.applied != nil {
			t.Errorf("report %+v; apply %v", report, w.applied)
		}
		w.done()
	})
	t.Run("never applies", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.settings.Poll = 2 * time.Minute
		walk := w.walk()
		w.until(walk, "merge")
		if err := w.github.Merge(repo, 1, "ann"); err != nil {
			t.Fatal(err)
		}
		merged := w.clock.Now()
		walk.Waiting = func(ctx context.Context) error { walk.Restart(); return ctx.Err() }
		err := walk.Run(t.Context())
		w.refused(err, ops.Unavailable, repo+"#1 was merged at "+merged.UTC().Format("2 Jan 15:04")+" UTC, but Terraform hasn't removed "+leaver, "neither credentials nor policies", "Run Terraform's apply again.")
		if waited := w.clock.Now().Sub(merged).Minutes(); waited < 30 || waited > 33 {
			t.Errorf("waited %v minutes", waited)
		}
		// What is left can be destroyed, and then it goes on.
		if w.apply(); w.applied != nil {
			t.Error(w.applied)
		}
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
	t.Run("is unharmed by a GitHub that is away for a while", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		walk := w.walk()
		w.until(walk, "merge")
		w.github.Fail("GET /repos/*/*/pulls", githubtest.Fault{Status: 502, Times: 3})
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
	})
}

// A pull request that can't be read any more is waited for, but not silently.
func TestPullRequestOutOfSight(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault func(*world)
		want  string
	}{
		{"the token was revoked", func(w *world) { w.github.RevokeToken(w.token) }, "GitHub doesn't accept the bot's credentials (401)."},
		{"the App may read it no more", func(w *world) { w.mayGitHub(map[string]string{"contents": "write"}) }, "GitHub refused the bot (403)"},
		{"the repository is gone", func(w *world) { w.github.Fail("/repos", githubtest.Fault{Status: 404}) }, "GitHub answered 404"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			walk := w.walk()
			w.until(walk, "merge")
			test.fault(w)
			walk.Waiting = nil
			for range 3 {
				if err := walk.Step(t.Context()); err != nil {
					w.refused(err, ops.Unavailable, test.want)
					return
				}
			}
			if told := text(walk.Lines()); strings.Count(told, test.want) != 1 {
				t.Errorf("%q isn't told once:\n%s", test.want, told)
			}
		})
	}
}

func TestRepositoryCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		parts  []string
	}{
		{"there is no such repository", func(w *world) { w.settings.Repository = "alphagov/elsewhere" }, []string{"GitHub shows the bot no branch master in alphagov/elsewhere.", "settings", "GitHub App"}},
		{"there is no such branch", func(w *world) { w.settings.Branch = "mast" }, []string{"GitHub shows the bot no branch mast in " + repo}},
		{"there is no such file", func(w *world) { w.settings.UsersFile = "users.tf.json" }, []string{"GitHub shows the bot no file users.tf.json in " + repo}},
		{"a file is a folder", func(w *world) { w.settings.MembersFile = "terraform" }, []string{repo, "folder"}},
		{"the token is no more", func(w *world) { w.github.RevokeToken(w.token) }, []string{"GitHub doesn't accept the bot's credentials (401)."}},
		{"the token doesn't reach the repository", func(w *world) {
			w.github.AddFineGrainedToken(w.token, "rootbot-users", map[string]string{"contents": "write"}, "alphagov/another")
		}, []string{"GitHub shows the bot no branch master in " + repo}},
		{"the token may not read contents", func(w *world) { w.mayGitHub(map[string]string{"pull_requests": "write"}) }, []string{"contents", repo}},
		{"a file isn't JSON", func(w *world) {
			w.github.Commit(repo, "master", map[string]string{usersFile: "{\n  \"resource\": [,]\n}"}, "Broken")
		}, []string{"The bot can't edit the files of " + repo + ". " + usersFile + ":2: it isn't valid JSON from there on.", "Mend that file"}},
		{"the user is defined twice", func(w *world) {
			w.github.Commit(repo, "master", map[string]string{usersFile: strings.Replace(usersText, namesake, leaver, 1)}, "Twice")
		}, []string{usersFile + ":21: " + leaver + " is defined twice: also at " + usersFile + ":14."}},
		{"GitHub is in trouble", func(w *world) { w.github.Fail("/repos", githubtest.Fault{Status: 500}) }, []string{"GitHub answered 500 to GET /repos/" + repo + "/git/ref/heads/master.", "githubstatus.com"}},
		{"GitHub is away", func(w *world) { w.github.Close() }, []string{"GitHub could not be reached."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			before := w.user(leaver)
			test.change(w)
			_, err := w.walk().Look(t.Context())
			w.refused(err, ops.Unavailable, test.parts...)
			w.same(before)
		})
	}
}

func TestRepositoryCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		parts  []string
	}{
		{"the token may only read contents", func(w *world) { w.mayGitHub(map[string]string{"contents": "read", "pull_requests": "write"}) }, []string{"403", repo, "contents"}},
		{"the token may make no pull requests", func(w *world) { w.mayGitHub(map[string]string{"contents": "write", "pull_requests": "read"}) }, []string{"403", repo, "pull requests"}},
		{"GitHub is in trouble with commits", func(w *world) { w.github.Fail("POST /repos/*/*/git/commits", githubtest.Fault{Status: 503}) }, []string{"GitHub answered 503 to POST"}},
		{"a ruleset lets nobody make branches", func(w *world) {
			w.github.Fail("POST /repos/*/*/git/refs$", githubtest.Fault{Status: 422, Message: "Repository rule violations found\n\n- Cannot create ref due to creations being restricted.\n\n"})
		}, []string{"GitHub refused to make the branch " + branch + " of " + repo + " (422): Repository rule violations found - Cannot create ref due to creations being restricted.", "past that ruleset"}},
		{"the repository is archived", func(w *world) {
			w.github.Fail("POST /repos/*/*/git/trees$", githubtest.Fault{Status: 403, Message: "Repository was archived so is read-only."})
		}, []string{"GitHub refused the bot (403): Repository was archived so is read-only.", "must unarchive it"}},
		{"GitHub's rate limit is used up", func(w *world) { w.github.Fail("POST /repos/*/*/pulls", githubtest.Fault{Secondary: true}) }, []string{"slow down"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "propose")
			test.change(w)
			waiting := walk.Waiting
			walk.Waiting = func(context.Context) error { walk.Restart(); w.clock.Advance(time.Hour); return nil }
			w.refused(walk.Run(t.Context()), ops.Unavailable, test.parts...)
			walk.Waiting = waiting
			if !w.iam.Powerless(leaver) {
				t.Error("the user isn't powerless")
			}
			// Once that is mended it goes on where it was.
			w.github.ClearFaults()
			w.mayGitHub(map[string]string{"contents": "write", "pull_requests": "write"})
			w.firstOrNone()
			if fmt.Sprint(test.parts) != "[slow down]" { // go-github itself sends nothing more for a while
				if report := w.run(walk); !report.OK() {
					t.Errorf("report %+v", report)
				}
				w.done()
			}
		})
	}
}

// firstOrNone checks that there is at most one pull request.
func (w *world) firstOrNone() {
	w.Helper()
	if pulls := w.github.Pulls(repo); len(pulls) > 1 {
		w.Errorf("%d pull requests", len(pulls))
	}
}

// IAM and the repository don't agree about who there is.
func TestUserInOneOfTwo(t *testing.T) {
	t.Parallel()
	t.Run("in IAM alone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter}, "By hand")
		walk := w.walk()
		plan := w.look(walk)
		const want = leaver + " is in IAM but not in " + repo + ": it isn't Terraform's, so no pull request can remove it. It will only be quarantined."
		if !slices.Contains(plan.Warnings, want) {
			t.Errorf("warnings %q", plan.Warnings)
		}
		if second := w.look(walk); !cmp.Equal(second.Warnings, plan.Warnings) {
			t.Errorf("the second look warns of %q", second.Warnings)
		}
		report := w.run(walk)
		if !report.OK() || report.Final || !w.iam.Powerless(leaver) || len(w.github.Pulls(repo)) > 0 || report.Summary != leaver+" is not removed; it is in quarantine." {
			t.Errorf("report %+v; powerless %v", report, w.iam.Powerless(leaver))
		}
		// Nothing that people read promises more than the quarantine.
		said := []string{plan.Summary, text(walk.Lines()), strings.Join(report.Notes, " ")}
		for _, step := range plan.Steps {
			said = append(said, step.Title)
		}
		for _, wait := range walk.Waits() {
			said = append(said, wait.For)
		}
		told := strings.Join(said, "\n")
		for _, promise := range []string{"remove the user ", "will be removed", "Restore by", "is gone", "can't be undone"} {
			if strings.Contains(told, promise) {
				t.Errorf("%q is promised:\n%s", promise, told)
			}
		}
		for _, part := range []string{
			"now, and leave the user in quarantine: no file of " + repo + " defines the user", "Look whether " + leaver + " is in quarantine",
			", and stays in quarantine: this run doesn't remove the user.", "Reminder: this run ends at ", "delete the user by hand, or press Restore.",
		} {
			if !strings.Contains(told, part) {
				t.Errorf("%q isn't told:\n%s", part, told)
			}
		}
		w.done()
	})
	t.Run("in IAM alone, and let out in the end", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter}, "By hand")
		walk := w.walk()
		w.until(walk, "check")
		w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.Attached = nil })
		if report := w.run(walk); report.OK() || report.Summary != leaver+" is not removed." || len(report.Problems) != 1 {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
	t.Run("in the repository alone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.iam.DeleteUser(leaver)
		walk := w.walk()
		plan := w.look(walk)
		if want := leaver + " is no longer in IAM, but still defined in " + repo + "."; plan.Summary != want || len(plan.Effects()) != 1 {
			t.Errorf("summary %q, effects %q", plan.Summary, plan.Effects())
		}
		if report := w.run(walk); !report.OK() || !w.firstPull().Merged {
			t.Errorf("report %+v", report)
		}
		if writes := w.writes(); len(writes) > 0 {
			t.Errorf("writes %v", writes)
		}
		w.done()
	})
}
