package removeuser_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
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
			if report, _ := walk.Report(); !report.OK() || len(report.Notes) > 0 {
				t.Errorf("report %+v", report)
			}
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

// A user whom people moved within Terraform's files stays Terraform's: that the file of
// users defines the user no more doesn't tell that Terraform deletes the user.
func TestMovedWithinTheRepository(t *testing.T) {
	t.Parallel()
	const forEach = "resource \"aws_iam_user\" \"all\" {\n  for_each = toset(yamldecode(file(\"people.yaml\")))\n  name     = each.key\n}\n"
	moved := strings.Replace(usersAfter, `"resource": [`, `"moved": [{"from": "aws_iam_user.jo_doe", "to": "module.people.aws_iam_user.this"}], "resource": [`, 1)
	for _, test := range []struct {
		name           string
		before, change map[string]string // files beside those of users and members, which lose the user
		says           string
	}{
		{"into a module, with a moved block", nil, map[string]string{usersFile: moved}, usersFile + ":2 (aws_iam_user.jo_doe)"},
		{"into a folder of its own", nil, map[string]string{"modules/people/users.tf.json": usersText}, "modules/people/users.tf.json:13 (jo_doe), modules/people/users.tf.json:14 (" + leaver + ")"},
		{"into a folder of its own, in letters that JSON writes as numbers", nil, map[string]string{"modules/people/list.json": strings.ReplaceAll(`["`+leaver+`"]`, "@", `\u0040`)}, "modules/people/list.json:1 (" + leaver + ")"},
		{
			"into a list that a block reads",
			map[string]string{"terraform/people.tf": forEach, "terraform/people.yaml": "- zoe@softwire.com\n"},
			map[string]string{"terraform/people.yaml": "- zoe@softwire.com\n- " + leaver + "\n"},
			"terraform/people.yaml:2 (" + leaver + ")",
		},
		{
			"into a list of names without their domain",
			map[string]string{"terraform/people.tf": forEach, "terraform/people.yaml": "- zoe\n"},
			map[string]string{"terraform/people.yaml": "- zoe\n- jo.doe\n"},
			"terraform/people.yaml:2 (jo.doe)",
		},
		{
			"behind a block that is another one now",
			map[string]string{"terraform/people.tf": forEach},
			map[string]string{"terraform/people.tf": strings.Replace(forEach, "people.yaml", "all.txt", 1)},
			"terraform/people.tf:1 is an aws_iam_user whose name is an expression",
		},
		{"out of Terraform's reach", nil, map[string]string{"terraform/removed.tf": "removed {\n  from = aws_iam_user.jo_doe\n  lifecycle {\n    destroy = false\n  }\n}\n"}, "terraform/removed.tf:2 (aws_iam_user.jo_doe)"},
		{"to another name at the same address", nil, map[string]string{usersFile: strings.Replace(usersText, leaver, "jo.married@softwire.com", 1)}, ""},
	} {
		for _, closed := range []bool{true, false} {
			t.Run(test.name+map[bool]string{true: ", closed", false: ", open"}[closed], func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, terraformMode)
				w.settings.Grace = 0
				if test.before != nil {
					w.github.Commit(repo, "master", test.before, "Before")
				}
				walk := w.walk()
				w.until(walk, "merge")
				left := w.user(leaver)
				files := map[string]string{usersFile: usersAfter, membersFile: membersAfter}
				for file, text := range test.change {
					files[file] = text
				}
				w.github.Commit(repo, "master", files, "Move")
				if closed {
					w.github.ClosePull(repo, 1, "ann")
				}
				walk.Waiting = func(ctx context.Context) error { return ctx.Err() }
				w.refused(walk.Run(t.Context()), ops.Refused, "No block in "+repo+" (master) defines "+leaver, test.says, "so whether Terraform removes the user isn't known.")
				w.same(left)
			})
		}
	}
}

// What stood there when the removal was proposed, and what doesn't mean the user, hinders
// no removal.
func TestNamedElsewhereAllAlong(t *testing.T) {
	t.Parallel()
	const expressions = "resource \"aws_iam_user\" \"all\" {\n  for_each = toset(yamldecode(file(\"people.yaml\")))\n  name     = each.key\n}\n"
	w := newWorld(t, terraformMode)
	w.settings.Grace = 0
	w.github.Commit(repo, "master", map[string]string{"staging/users.tf.json": usersText, "terraform/people.tf": expressions, "terraform/people.yaml": "- zoe@softwire.com\n"}, "Before")
	walk := w.walk()
	w.until(walk, "merge")
	if err := w.github.Merge(repo, 1, "ann"); err != nil {
		t.Fatal(err)
	}
	w.github.Commit(repo, "master", map[string]string{
		"staging/users.tf.json": strings.Replace(usersText, "ann.other@softwire.com", "zoe@softwire.com", 1),
		"terraform/people.tf":   "locals {\n  people = 1\n}\n\n" + expressions,
		"terraform/people.yaml": "- zoe@softwire.com\n- max.jo.doe@softwire.com\n- jo.doe.smith@softwire.com\n- " + namesake + "\n# " + leaver + " left\n",
		"README.md":             "# Users\n" + leaver + " left.\n",
	}, "Others' work")
	walk.Waiting = func(context.Context) error { w.apply(); return nil }
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	w.done()
}

// GitHub may show a pull request open for some seconds after its merge.
func TestMergedAndStillShownOpen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	w.settings.Grace = 0
	walk := w.walk()
	w.until(walk, "merge")
	w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter}, "The merge")
	walk.Waiting = nil
	if err := walk.Step(t.Context()); err != nil || walk.At() != "merge" {
		t.Fatalf("at step %q: %v", walk.At(), err)
	}
	if err := w.github.Merge(repo, 1, "ann"); err != nil {
		t.Fatal(err)
	}
	w.until(walk, "empty")
	if told := text(walk.Lines()); !strings.Contains(told, "Pull request #1 was merged by ann.") || strings.Contains(told, "can be closed") {
		t.Errorf("told:\n%s", told)
	}
}

// GitHub out of order decides nothing: the branch is read again later.
func TestRemovedByAnotherCommitOnceGitHubTells(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{true, false} {
		t.Run(map[bool]string{true: "closed", false: "open"}[closed], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "merge")
			w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter}, "Remove leavers")
			if closed {
				w.github.ClosePull(repo, 1, "ann")
			}
			w.github.Fail("GET /repos/*/*/git/ref/heads/master$", githubtest.Fault{Status: 503})
			walk.Waiting = nil
			if err := walk.Step(t.Context()); err != nil || walk.At() != "merge" {
				t.Fatalf("at step %q: %v", walk.At(), err)
			}
			if told, want := text(walk.Lines()), "warning Whether "+repo+" (master) still defines "+leaver+" isn't known, which is tried again: "; !strings.Contains(told, want) {
				t.Errorf("told, without %q:\n%s", want, told)
			}
			w.github.ClearFaults()
			w.until(walk, "empty")
		})
	}
}
