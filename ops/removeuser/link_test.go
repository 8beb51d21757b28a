package removeuser_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
)

// Git has a symbolic link's target as its text: what it leads to is looked through, and
// no edit takes a link's place.
func TestSymbolicLinksAmongTerraformsFiles(t *testing.T) {
	t.Parallel()
	const shared = "shared/shared"
	for _, test := range []struct {
		name, file, target, text string
		refused, warned          string
	}{
		{"a reference in the file behind a link", "terraform/shared.tf", "../shared/shared.tf", "output \"jo\" {\n  value = aws_iam_user.jo_doe.arn\n}\n", "terraform/shared.tf:2 (aws_iam_user.jo_doe)", ""},
		{"what would be cut out of the file behind a link", "terraform/shared.tf.json", "../shared/shared.tf", `{"resource": {"aws_iam_access_key": {"k": {"user": "${aws_iam_user.jo_doe.name}"}}}}`, "terraform/shared.tf.json is a symbolic link to shared/shared.tf", ""},
		{"a link out of the repository", "terraform/shared.tf", "../../elsewhere.tf", "", "", "terraform/shared.tf:1 is a symbolic link to ../elsewhere.tf, which is no file of the repository, so whether it names the user isn't known."},
		{"a link to what doesn't matter", "terraform/shared.tf", "../shared/shared.tf", "locals {\n}\n", "", ""},
		{"the file of users", usersFile, "../shared/shared.tf", usersText, usersFile + " is a symbolic link to shared/shared.tf", ""},
		{"the file of users, out of the repository", usersFile, "/etc/users.json", "", usersFile + " is a symlink to /etc/users.json, and no file of the repository", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			w.github.Commit(repo, "master", map[string]string{shared + ".tf": test.text}, "Shared")
			w.github.Link(repo, "master", test.file, test.target)
			plan, err := w.walk().Look(t.Context())
			if (err != nil) != (test.refused != "") || err != nil && !strings.Contains(ops.Words(err, request), test.refused) {
				t.Fatalf("error %v", err)
			}
			warned := slices.ContainsFunc(plan.Warnings, func(s string) bool { return strings.Contains(s, "symbolic link") })
			if warned != (test.warned != "") || warned && !slices.Contains(plan.Warnings, test.warned) {
				t.Errorf("warnings %q", plan.Warnings)
			}
		})
	}
}

// A provider with an alias may be one of another account, where the name is another
// user's.
func TestAProviderOfTheUsersBlockIsTold(t *testing.T) {
	t.Parallel()
	for provider, told := range map[string]bool{"aws.other_account": true, "${aws.other_account}": true, "aws": false} {
		w := newWorld(t, terraformMode)
		w.github.Commit(repo, "master", map[string]string{
			usersFile: strings.Replace(usersText, `"name": "`+leaver, `"provider": "`+provider+`", "name": "`+leaver, 1),
		}, "Another provider")
		plan, err := w.walk().Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := "aws_iam_user.jo_doe goes by the provider " + provider + ": check that it is of the account of this user."
		if got := slices.ContainsFunc(plan.Warnings, func(s string) bool { return strings.HasPrefix(s, want) }); got != told {
			t.Errorf("%s: warnings %q", provider, plan.Warnings)
		}
	}
}
