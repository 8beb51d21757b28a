package removeuser_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
)

const newReference = "output \"jo\" {\n  value = aws_iam_user.jo_doe.arn\n}\n"

// A reference to the user that people add while the pull request is open, where the bot
// doesn't edit, is told by its line; the run goes on once it is gone.
func TestAReferenceThatHindersTheMerge(t *testing.T) {
	t.Parallel()
	for _, merged := range []bool{false, true} {
		t.Run(map[bool]string{false: "and is taken out again", true: "and the pull request is merged all the same"}[merged], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "merge")
			w.asksAgain(walk)
			w.github.Commit(repo, "master", map[string]string{"terraform/new.tf": newReference}, "New")
			left := w.user(leaver)
			walk.Waiting = nil
			for range 3 {
				walk.Restart()
				if err := walk.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			const line = "the user is also named at terraform/new.tf:2 (aws_iam_user.jo_doe), which the bot doesn't edit."
			waits := walk.Waits()
			if told := text(walk.Lines()); strings.Count(told, line) != 1 || !strings.Contains(waits[len(waits)-1].For, line) {
				t.Errorf("not told once, or not as what it waits for: %v\n%s", waits, told)
			}
			if merged {
				if err := w.github.Merge(repo, 1, "ann"); err != nil {
					t.Fatal(err)
				}
				w.refused(walk.Run(t.Context()), ops.Refused, "the user is named at terraform/new.tf:2 (aws_iam_user.jo_doe)")
				w.same(left)
			}
			w.github.Commit(repo, "master", map[string]string{"README.md": "# New\n"}, "Mended", "terraform/new.tf")
			walk.Waiting = func(context.Context) error { w.mergeAndApply(); return nil }
			if report := w.run(walk); !report.OK() {
				t.Errorf("report %+v", report)
			}
			waits = walk.Waits()
			if last := waits[len(waits)-1].For; strings.Contains(last, "new.tf") {
				t.Errorf("it still says %q", last)
			}
			w.done()
		})
	}
}

// A reference that the bot can take out goes into the pull request; what isn't about the user
// leaves the pull request and its reviews as they are.
func TestThePullRequestKeepsUpWithItsBase(t *testing.T) {
	t.Parallel()
	again := strings.Replace(membersText, "        }\n    }", `        },
        "aws_iam_policy_attachment": {
            "limits": {
                "users": [
                    "${aws_iam_user.ann_other.name}",
                    "${aws_iam_user.jo_doe.name}"
                ]
            }
        }
    }`, 1)
	for _, test := range []struct {
		name   string
		change map[string]string
		pushes int // the fake takes any two changes of one file for a conflict
		told   int // of those because of the user
		halts  string
	}{
		{"another file", map[string]string{"terraform/new.tf": "locals {\n  jo = 1\n}\n"}, 0, 0, ""},
		{"another user, elsewhere in the files", map[string]string{usersFile: strings.Replace(usersText, "}\n    ]", "},\n        { \"aws_iam_user\": { \"zoe\": { \"name\": \"zoe@softwire.com\" } } }\n    ]", 1)}, 1, 0, ""},
		{"a second list that has the user", map[string]string{membersFile: again}, 1, 1, ""},
		{"a list in another file", map[string]string{"terraform/more.tf.json": membersText}, 0, 0, "nobody was shown: Open a pull request to " + repo + " (master) that removes " + leaver + " from " + usersFile + ", " + membersFile + " and terraform/more.tf.json"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.settings.Grace = 0
			walk := w.walk()
			w.until(walk, "merge")
			w.asksAgain(walk)
			w.github.Commit(repo, "master", test.change, "Others'")
			walk.Waiting = nil
			for range 3 {
				walk.Restart()
				err := walk.Step(t.Context())
				if halted := ops.Halted(err); halted != (test.halts != "") || !halted && err != nil || halted && !strings.Contains(err.Error(), test.halts) {
					t.Fatalf("got %v, want %q", err, test.halts)
				}
			}
			if n := w.github.Count("PATCH /repos/*/*/git/refs/"); n != test.pushes {
				t.Errorf("pushed %d times, want %d", n, test.pushes)
			}
			if told := strings.Count(text(walk.Lines()), "Made the commit of pull request #1 anew"); told != test.told {
				t.Errorf("told %d times", told)
			}
			if test.halts != "" {
				return
			}
			if err := w.github.Merge(repo, 1, "ann"); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{usersFile, membersFile} {
				if text, _ := w.github.File(repo, "master", file); strings.Contains(text, "jo_doe.") || strings.Contains(text, leaver) {
					t.Errorf("%s still names the user:\n%s", file, text)
				}
			}
			walk.Waiting = func(context.Context) error { w.apply(); return nil }
			if report := w.run(walk); !report.OK() {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
}
