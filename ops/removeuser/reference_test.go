package removeuser_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const folder = "terraform/"

// What others wrote in the files, in any shape that Terraform takes, keeps nobody from
// leaving, and stays as it is.
func TestOthersEntriesKeepNobodyFromLeaving(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	odd := "\ufeff" + strings.NewReplacer(
		`"resource": [`, `"resource": [{"odd": [{"x": 1}]}, {"aws_iam_user": {"//": "since 2019", "bo": {"name": 7}}},`,
		"\n", "\r\n", leaver, "Jo.Doe@Digital.cabinet-office.gov.uk").Replace(usersText)
	block := "\r\n        {\r\n            \"aws_iam_user\": {\r\n                \"jo_doe\": {\r\n                    \"name\": \"Jo.Doe@Digital.cabinet-office.gov.uk\",\r\n                    \"force_destroy\": true\r\n                }\r\n            }\r\n        },"
	if !strings.Contains(odd, block) {
		t.Fatalf("%q isn't in %q", block, odd)
	}
	w.github.Commit(repo, "master", map[string]string{usersFile: odd}, "Odd")
	if report := w.run(w.walk()); !report.OK() {
		t.Errorf("report %+v", report)
	}
	if text, _ := w.github.File(repo, "master", usersFile); text != strings.Replace(odd, block, "", 1) {
		t.Errorf("the file is now\n%q", text)
	}
	w.done()
}

// Every reference to the user goes with the user, in whatever file of the folder.
func TestReferencesGoWithTheUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	const more = `{"resource": [{"aws_iam_user_policy_attachment": {"jo": {"user": "${aws_iam_user.jo_doe.name}", "policy_arn": "x"}}}, {"other": {}}]}`
	w.github.Commit(repo, "master", map[string]string{
		membersFile:               strings.Replace(membersText, "${aws_iam_user.jo_doe.name}", "${ aws_iam_user.jo_doe.id }", 1),
		folder + "more.tf.json":   more,
		folder + "roles.tf":       "# jo.doe@digital.cabinet-office.gov.uk has left\nlocals {\n  x = data.aws_iam_user.jo_doe.arn\n}\n",
		"elsewhere/users.tf.json": more,
	}, "More")
	walk := w.walk()
	w.asksAgain(walk)
	plan := w.look(walk)
	const want = "Open a pull request to " + repo + " (master) that removes " + leaver + " from " + usersFile + ", " + membersFile + " and " + folder + "more.tf.json"
	if !slices.Contains(plan.Effects(), want) {
		t.Errorf("effects %q", plan.Effects())
	}
	if got, want := fact(plan, "Terraform"), "aws_iam_user.jo_doe, defined at "+usersFile+":14 in "+repo+" (master), 4 files looked through"; got != want {
		t.Errorf("fact %q, want %q", got, want)
	}
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	for file, want := range map[string]string{usersFile: usersAfter, folder + "more.tf.json": `{"resource": [{"other": {}}]}`, "elsewhere/users.tf.json": more} {
		if text, _ := w.github.File(repo, "master", file); text != want {
			t.Errorf("%s is now\n%s", file, text)
		}
	}
	if text, _ := w.github.File(repo, "master", membersFile); strings.Contains(text, "jo_doe.") || len(text) < 300 {
		t.Errorf("%s is now\n%s", membersFile, text)
	}
	w.done()
}

// What can't be taken out is named with its line, before the user loses anything.
func TestReferencesThatWouldBeLeft(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, text string
		want             string // in the refusal; empty: it isn't refused
		warning          string // the beginning of one
	}{
		{"a policy in HCL", folder + "roles.tf", "locals {\n  x = [aws_iam_user.jo_doe.arn]\n}\n", folder + "roles.tf:2 (aws_iam_user.jo_doe)", ""},
		{"an output", folder + "out.tf.json", "{\"output\": {\n\"x\": {\"value\": \"${aws_iam_user.jo_doe.arn}\"}}}", folder + "out.tf.json:2 (aws_iam_user.jo_doe)", ""},
		{"the address in another's tag", folder + "out.tf.json", "{\"resource\": {\"x\": {\"y\": {\"tags\": {\n\n\"owner\": \"Jo.Doe@digital.cabinet-office.gov.uk\"}}}}}", folder + "out.tf.json:3 (" + leaver + ")", ""},
		{"a comment in JSON", folder + "out.tf.json", `{"//": "for jo.doe@digital.cabinet-office.gov.uk"}`, "", "Comments that name the user stay: " + folder + "out.tf.json:1"},
		{"a file that isn't JSON", folder + "out.tf.json", "{", "", folder + "out.tf.json:1 is not valid JSON, so whether it names the user isn't known."},
		{"a file elsewhere", "other/roles.tf", "locals {\n  x = [aws_iam_user.jo_doe.arn]\n}\n", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.github.Commit(repo, "master", map[string]string{test.file: test.text}, "More")
			plan, err := w.walk().Look(t.Context())
			if test.want != "" {
				w.refused(err, ops.Refused, leaver+" can't be taken out of "+repo+" by the bot", test.want+".", "Take that out there by hand")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if test.warning != "" && !slices.ContainsFunc(plan.Warnings, func(s string) bool { return strings.HasPrefix(s, test.warning) }) {
				t.Errorf("warnings %q", plan.Warnings)
			}
		})
	}
	t.Run("and come up after the approval", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.settings.Grace = 0
		walk := w.walk()
		w.until(walk, "propose")
		w.github.Commit(repo, "master", map[string]string{folder + "roles.tf": "locals {\n  x = aws_iam_user.jo_doe.arn\n}\n"}, "More")
		w.refused(walk.Run(t.Context()), ops.Refused, folder+"roles.tf:2 (aws_iam_user.jo_doe)")
		if len(w.github.Pulls(repo)) > 0 || !w.iam.Powerless(leaver) {
			t.Error("there is a pull request, or the user has power")
		}
	})
	t.Run("and stand where no file defines the user", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.github.Commit(repo, "master", map[string]string{usersFile: usersAfter, membersFile: membersAfter, folder + "users.tf": "resource \"aws_iam_user\" \"jo\" {\n  name = \"" + leaver + "\"\n}\n"}, "In HCL")
		plan := w.look(w.walk())
		const want = leaver + " is in IAM, and no aws_iam_user in " + repo + " has that name, but the name stands at " + folder + "users.tf:2 (" + leaver + "). The bot doesn't edit that, so it will only quarantine the user."
		if !slices.Contains(plan.Warnings, want) {
			t.Errorf("warnings %q", plan.Warnings)
		}
	})
	t.Run("and the other files can't be listed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.github.Fail("/repos/*/*/git/trees", githubtest.Fault{Status: 404})
		plan := w.look(w.walk())
		if !slices.ContainsFunc(plan.Warnings, func(s string) bool { return strings.HasPrefix(s, "Whether other files name the user isn't known.") }) {
			t.Errorf("warnings %q", plan.Warnings)
		}
	})
}
