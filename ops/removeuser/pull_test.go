package removeuser_test

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// The files without the leaver.
var (
	usersAfter = strings.Replace(usersText, `        {
            "aws_iam_user": {
                "jo_doe": {
                    "name": "jo.doe@digital.cabinet-office.gov.uk",
                    "force_destroy": true
                }
            }
        },
`, "", 1)
	membersAfter = strings.Replace(membersText, `                    "${aws_iam_user.jo_doe.name}",
`, "", 1)
)

func TestPullRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	walk := w.walk()
	walk.Approvers = []string{"mona", "hubot"}
	w.until(walk, "merge")
	pull := w.firstPull()
	want := []githubtest.Change{
		{Path: usersFile, Status: "modified", Before: usersText, After: usersAfter},
		{Path: membersFile, Status: "modified", Before: membersText, After: membersAfter},
	}
	if diff := cmp.Diff(want, pull.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if pull.Title != "Remove AWS user jo.doe" || pull.Head != branch || pull.Base != "master" || pull.Draft {
		t.Errorf("title %q, from %q to %q, draft %v", pull.Title, pull.Head, pull.Base, pull.Draft)
	}
	for _, part := range []string{"`" + leaver + "`", request, "Asked for by: @octocat", "Approved by: @mona, @hubot", "Reason: ` Left the department `", "Ticket: ` OPS-42 `", "quarantine"} {
		if !strings.Contains(pull.Body, part) {
			t.Errorf("no %q in the body\n%s", part, pull.Body)
		}
	}
	if len(pull.Commits) != 1 {
		t.Fatalf("%d commits: %q", len(pull.Commits), pull.Commits)
	}
	message := "Remove AWS user jo.doe\n\nRequest " + request + ".\n"
	for _, login := range []string{"octocat", "mona", "hubot"} {
		message += "\nCo-authored-by: " + login + " <" + login + "@users.noreply.github.com>"
	}
	if diff := cmp.Diff(message, strings.TrimSpace(pull.Commits[0])); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if told := text(walk.Lines()); !strings.Contains(told, "change Opened pull request "+repo+"#1: https://") {
		t.Errorf("told:\n%s", told)
	}
	if !w.iam.Powerless(leaver) {
		t.Error("the user isn't powerless while the pull request is open")
	}
	w.run(walk)
	if text, _ := w.github.File(repo, "master", "README.md"); text != "# Users\n" {
		t.Errorf("the other file is now %q", text)
	}
	if told := text(walk.Lines()); !strings.Contains(told, "change Pull request #1 was merged by ann.") {
		t.Errorf("told:\n%s", told)
	}
	w.done()
}

// Nothing that somebody wrote as a reason works as a mention, a link or markup.
func TestPullRequestQuotes(t *testing.T) {
	t.Parallel()
	code := regexp.MustCompile("(`+)( .*? )(`+)")
	for _, test := range []struct{ name, text string }{
		{"a mention", "thanks @alphagov/everybody"},
		{"a link", "[click](https://example.org) and https://example.org #1 GH-1 alphagov/secret#1"},
		{"an image and HTML", "![x](https://example.org/x.png) <img src=x onerror=alert(1)> <!--"},
		{"a text that ends the quotation", "` @mona `"},
		{"a text that ends any quotation", "`` ``` @mona ```` ` ``"},
		{"a fence", "x\n```\n@mona\n```\n"},
		{"another line", "x\n\n# Approved by: @mona\n- Asked for by: @mona\r\n\u2028@mona\u0085@mona"},
		{"a comment that closes what another opens", "--> @mona"},
		{"a backtick at each end", "`@mona`"},
		{"nothing but backticks", "```"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			walk.Request.Inputs["reason"], walk.Request.Inputs["ticket"] = []string{test.text}, []string{test.text}
			w.until(walk, "merge")
			body := w.firstPull().Body
			// As CommonMark reads it: a run of backticks opens, the next run as long closes.
			// https://spec.commonmark.org/0.31.2/#code-spans
			var plain []string
			for line := range strings.Lines(body) {
				if strings.HasPrefix(line, "- Reason:") || strings.HasPrefix(line, "- Ticket:") {
					label, rest := line[:len("- Reason: ")], strings.TrimSpace(line[len("- Reason: "):])
					fence := rest[:len(rest)-len(strings.TrimLeft(rest, "`"))]
					inner := strings.TrimSuffix(strings.TrimPrefix(rest, fence), fence)
					if fence == "" || len(rest) < 2*len(fence) || slices.Contains(runs(inner), len(fence)) || code.FindString(rest) == "" {
						t.Errorf("not one quotation: %q", rest)
					}
					line = label
				}
				plain = append(plain, line)
			}
			left := strings.Join(plain, "\n")
			if strings.Contains(left, "example.org") || strings.Contains(left, "<") || strings.Count(left, "@mona") != 1 || strings.Contains(left, "@alphagov") {
				t.Errorf("something of it stands outside of the quotation:\n%s", body)
			}
			if commit := w.firstPull().Commits[0]; strings.Contains(commit, "example.org") || strings.Count(commit, "mona") != 2 {
				t.Errorf("the commit says %q", commit)
			}
		})
	}
}

// runs are the lengths of the runs of backticks in a text.
func runs(text string) []int {
	var lengths []int
	for _, run := range regexp.MustCompile("`+").FindAllString(text, -1) {
		lengths = append(lengths, len(run))
	}
	return lengths
}

func TestWhoAskedIsNoGitHubLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	w.settings.Grace = 0
	walk := w.walk()
	walk.Request.By = "slack.U0123"
	w.until(walk, "merge")
	pull := w.firstPull()
	if !strings.Contains(pull.Body, "Asked for by: Slack user U0123\n") || strings.Contains(pull.Commits[0], "U0123") || !strings.Contains(pull.Commits[0], "Co-authored-by: mona <") {
		t.Errorf("body\n%s\ncommit\n%s", pull.Body, pull.Commits[0])
	}
}

// What somebody else has done in the repository before the bot comes to it.
func TestRepositoryAsItIsThen(t *testing.T) {
	t.Parallel()
	const force, noForce = `"ann.other@softwire.com",
                    "force_destroy": true`, `"ann.other@softwire.com",
                    "force_destroy": false`
	for _, test := range []struct {
		name   string
		change func(*world)
		check  func(*world, githubtest.Pull)
	}{
		{
			"the files were edited since they were planned with", func(w *world) {
				w.github.Commit(repo, "master", map[string]string{usersFile: strings.Replace(usersText, force, noForce, 1)}, "Somebody else's")
			}, func(w *world, p githubtest.Pull) {
				if want := strings.Replace(usersAfter, force, noForce, 1); p.Files[0].After != want {
					w.Errorf("the users are\n%s", cmp.Diff(want, p.Files[0].After))
				}
			},
		},
		{
			"a branch of that name was left by an earlier try", func(w *world) {
				w.github.Commit(repo, branch, map[string]string{"junk": "x"}, "Left behind")
				w.github.Commit(repo, "master", map[string]string{"README.md": "# Newer\n"}, "Newer")
			}, func(w *world, p githubtest.Pull) {
				if len(p.Commits) != 1 || len(p.Files) != 2 {
					w.Errorf("commits %q, files %v", p.Commits, p.Files)
				}
			},
		},
		{
			"a branch of the form's name is there", func(w *world) {
				w.github.Commit(repo, "remove-aws-user-jo-doe", map[string]string{"other": "x"}, "The form's")
			}, func(w *world, p githubtest.Pull) {
				if text, _ := w.github.File(repo, "remove-aws-user-jo-doe", "other"); text != "x" || p.Head == "remove-aws-user-jo-doe" {
					w.Errorf("the form's branch was used: %v", p)
				}
			},
		},
		{
			"the one file is larger than a megabyte", func(w *world) {
				large := strings.Replace(usersText, "\n", "\n"+strings.Repeat(" ", 1<<20)+"\n", 1)
				w.github.Commit(repo, "master", map[string]string{usersFile: large}, "Large")
			}, func(w *world, p githubtest.Pull) {
				if want := strings.Replace(usersAfter, "\n", "\n"+strings.Repeat(" ", 1<<20)+"\n", 1); p.Files[0].After != want {
					w.Errorf("%d bytes, want %d", len(p.Files[0].After), len(want))
				}
			},
		},
		{
			"the user is a member no more", func(w *world) {
				w.github.Commit(repo, "master", map[string]string{membersFile: membersAfter}, "No member")
			}, func(w *world, p githubtest.Pull) {
				if len(p.Files) != 1 || p.Files[0].Path != usersFile {
					w.Errorf("files %v", p.Files)
				}
			},
		},
		{
			"letters that JSON may write as numbers", func(w *world) {
				w.github.Commit(repo, "master", map[string]string{usersFile: strings.Replace(usersText, "{", `{ "//": "é <&> \u00e9 \u003c",`, 1)}, "Letters")
			}, func(w *world, p githubtest.Pull) {
				if want := strings.Replace(usersAfter, "{", `{ "//": "é <&> \u00e9 \u003c",`, 1); p.Files[0].After != want {
					w.Errorf("the users are\n%s", cmp.Diff(want, p.Files[0].After))
				}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "propose")
			test.change(w)
			w.until(walk, "merge")
			pull := w.firstPull()
			for _, f := range pull.Files {
				if !json.Valid([]byte(f.After)) || !strings.HasSuffix(f.After, "}\n") {
					t.Errorf("%s is no JSON, or has no newline at its end:\n%s", f.Path, f.After)
				}
			}
			test.check(w, pull)
			w.run(walk)
			w.done()
		})
	}
}

// A user whom another commit took out of the branch needs no pull request, but Terraform's
// next apply needs the user emptied.
func TestRemovedBeforeItWasProposed(t *testing.T) {
	t.Parallel()
	for _, twice := range []bool{false, true} {
		t.Run(map[bool]string{false: "once", true: "each step is called twice"}[twice], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			walk.Twice = twice
			w.until(walk, "propose")
			w.asksAgain(walk)
			sha := w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter}, "By hand")
			walk.Waiting = func(context.Context) error {
				walk.Restart()
				w.apply()
				return nil
			}
			if report := w.run(walk); !report.OK() || report.Summary != leaver+" is removed." {
				t.Errorf("report %+v", report)
			}
			if w.applied != nil {
				t.Errorf("Terraform's apply: %v", w.applied)
			}
			told, want := text(walk.Lines()), "No pull request is needed: "+repo+" (master) no longer defines "+leaver+" as of commit "+sha[:7]+". That decides the removal, which goes on."
			if pulls := w.github.Pulls(repo); len(pulls) > 0 || strings.Count(told, want) != 1 {
				t.Errorf("pull requests %v; told, and not %q once:\n%s", pulls, want, told)
			}
			w.done()
		})
	}
}

// A user who may still be defined in another way isn't taken for removed.
func TestTakenOutAndNamedElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	w.settings.Grace = 0
	walk := w.walk()
	w.until(walk, "propose")
	w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter, "terraform/people.tf": "locals {\n  people = [\"" + leaver + "\"]\n}\n"}, "By hand")
	err := walk.Run(t.Context())
	w.refused(err, ops.Unavailable, leaver+" isn't defined in "+repo+" any more", "Run it again")
	if pulls := w.github.Pulls(repo); len(pulls) > 0 || !w.iam.Powerless(leaver) {
		t.Errorf("pull requests %v, powerless %v", pulls, w.iam.Powerless(leaver))
	}
	w.done()
}

// When others' changes get in the pull request's way, it is made anew on top of them.
func TestConflictIsResolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	walk := w.walk()
	w.until(walk, "merge")
	newer := strings.Replace(usersText, `"ann.other@softwire.com"`, `"ann.other@digital.cabinet-office.gov.uk"`, 1)
	w.github.Commit(repo, "master", map[string]string{usersFile: newer}, "Somebody else's")
	walk.Waiting = nil
	for range 4 { // GitHub works out in the background whether it can be merged
		if err := walk.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		walk.Restart()
	}
	if err := w.github.Merge(repo, 1, "ann"); err != nil {
		t.Fatalf("it still can't be merged: %v", err)
	}
	if text, _ := w.github.File(repo, "master", usersFile); text != strings.Replace(usersAfter, `"ann.other@softwire.com"`, `"ann.other@digital.cabinet-office.gov.uk"`, 1) {
		t.Errorf("merged:\n%s", text)
	}
	if pull := w.firstPull(); len(pull.Commits) != 1 {
		t.Errorf("commits %q", pull.Commits)
	}
}

func TestNoSecondPullRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		twice bool
		kill  int // the point of the step at which the process dies
	}{
		{"when each step is called twice", true, 0},
		{"when the process died before it could remember it", false, 1},
		{"when the process died before it could tell of it", false, 2},
		{"when the process died while it told of it", false, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "propose")
			walk.Twice = test.twice
			if test.kill > 0 {
				walk.Kill = walk.Points() + test.kill
			}
			w.until(walk, "merge")
			if pull := w.firstPull(); len(pull.Commits) != 1 {
				t.Errorf("commits %q", pull.Commits)
			}
			if told := text(walk.Lines()); strings.Count(told, "Opened pull request "+repo+"#1: https://") != 1 {
				t.Errorf("the pull request isn't told once:\n%s", told)
			}
			w.run(walk)
			w.firstPull()
			w.done()
		})
	}
	t.Run("when GitHub's answer was lost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.settings.Grace = 0
		walk := w.walk()
		w.until(walk, "propose")
		w.github.Fail("POST /repos/*/*/pulls$", githubtest.Fault{Cut: true, Times: 1})
		if err := walk.Run(t.Context()); err != nil { // or it was tried again at once
			w.refused(err, ops.Unavailable, "GitHub")
			w.run(walk)
		}
		w.firstPull()
		w.done()
	})
}

func TestClosedUnmerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	walk := w.walk()
	w.until(walk, "merge")
	w.github.ClosePull(repo, 1, "ann")
	err := walk.Run(t.Context())
	w.refused(err, ops.Refused, "ann closed pull request "+repo+"#1 without merging it", leaver+" is still without access.", "/pull/1", "Press Restore to give the access back, or run it again")
	if !w.iam.Powerless(leaver) {
		t.Error("the user isn't powerless")
	}
	// Asked for anew, it is proposed anew.
	again := w.walk()
	again.Request.ID = "0199a3c2-7d51-7c0a-9f3e-5b6f0a0b0c0d"
	w.run(again)
	if pulls := w.github.Pulls(repo); len(pulls) != 2 || pulls[0].Head == pulls[1].Head || pulls[0].Merged || !pulls[1].Merged {
		t.Errorf("pull requests %+v", pulls)
	}
}

// A commit that takes the user out of the branch decides the removal, and Terraform's next
// apply needs the user emptied, whatever becomes of the pull request.
func TestRemovedByAnotherCommit(t *testing.T) {
	t.Parallel()
	gone := map[string]string{usersFile: usersAfter, membersFile: membersAfter}
	more := map[string]string{usersFile: strings.Replace(usersAfter, `"force_destroy": true`, `"force_destroy": false`, 1), membersFile: membersAfter}
	for _, test := range []struct {
		name   string
		files  map[string]string
		closed bool
		says   string
	}{
		{"the pull request is closed because of it", gone, true, "ann closed pull request " + repo + "#1 without merging it, but " + repo},
		{"the commit changes more than was proposed", more, true, "without merging it, but " + repo},
		{"the pull request stays open", gone, false, "Pull request " + repo + "#1 is open and can be closed: " + repo},
		{"the pull request stays open and conflicts", more, false, "is open and can be closed: " + repo},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "merge")
			w.asksAgain(walk)
			sha := w.github.Commit(repo, "master", test.files, "Remove leavers")
			if test.closed {
				w.github.ClosePull(repo, 1, "ann")
			}
			walk.Waiting = func(context.Context) error {
				walk.Restart()
				if walk.At() == "empty" {
					w.apply()
				}
				return nil
			}
			if report := w.run(walk); !report.OK() || report.Summary != leaver+" is removed." {
				t.Errorf("report %+v", report)
			}
			if w.applied != nil {
				t.Errorf("Terraform's apply: %v", w.applied)
			}
			told := text(walk.Lines())
			if want := test.says + " (master) no longer defines " + leaver + " as of commit " + sha[:7] + ". That decides the removal, which goes on."; strings.Count(told, want) != 1 {
				t.Errorf("told, and not %q once:\n%s", want, told)
			}
			if pull := w.firstPull(); pull.Merged || (pull.State == "closed") != test.closed {
				t.Errorf("pull request %+v", pull)
			}
			w.done()
		})
	}
}

// A user whom the files may still define in another way isn't taken for removed.
func TestClosedWhereTheBranchDoesNotTell(t *testing.T) {
	t.Parallel()
	elsewhere := func(text string) func(*world) {
		return func(w *world) {
			w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter, "terraform/people.tf": text}, "In another way")
		}
	}
	for _, test := range []struct {
		name   string
		change func(*world)
		says   string
	}{
		{"the name stands in another file", elsewhere("locals {\n  people = [\"" + leaver + "\"]\n}\n"), "but the name stands at terraform/people.tf:2"},
		{"names are put together by an expression", elsewhere("resource \"aws_iam_user\" \"all\" {\n  for_each = local.people\n  name = each.key\n}\n"), "is an aws_iam_user whose name is an expression, so whether Terraform removes the user isn't known."},
		{"the file of users isn't there any more", func(w *world) {
			w.github.Commit(repo, "master", map[string]string{"README.md": "# Moved\n"}, "Moved", usersFile)
		}, "and the bot can't see whether " + repo + " (master) still defines " + leaver + ": GitHub shows the bot no file " + usersFile},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "merge")
			test.change(w)
			w.github.ClosePull(repo, 1, "ann")
			w.refused(walk.Run(t.Context()), ops.Refused, "ann closed pull request "+repo+"#1 without merging it", test.says, leaver+" is still without access.", "Press Restore")
			if !w.iam.Powerless(leaver) {
				t.Error("the user isn't powerless")
			}
		})
	}
}
