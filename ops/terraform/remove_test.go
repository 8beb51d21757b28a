package terraform_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/terraform"
)

func TestRemoveUser(t *testing.T) {
	t.Parallel()
	const (
		block  = `{"aws_iam_user": {"a": {"name": "a@softwire.com", "force_destroy": true}}}`
		other  = `{"aws_iam_user": {"b": {"name": "b@softwire.com", "force_destroy": true}}}`
		longer = `{"aws_iam_user": {"a_b": {"name": "a.b@softwire.com", "force_destroy": true}}}`
		ref    = `"${aws_iam_user.a.name}"`
		refB   = `"${aws_iam_user.b.name}"`
		refAB  = `"${aws_iam_user.a_b.name}"`
	)
	users := func(list string) string { return `{"resource": [` + list + "]}\n" }
	members := func(list string) string {
		return `{"resource": {"aws_iam_group_membership": {"m": {"name": "n", "users": [` + list + `], "group": "g"}}}}` + "\n"
	}
	for _, test := range []struct {
		name           string
		users, members string
		wantUsers      string // "": nothing changes
		wantMembers    string // "": nothing changes
	}{
		{"the first", users(block + ", " + other), members(ref + ", " + refB), users(other), members(refB)},
		{"the last", users(other + ",\n\t" + block + "\n"), members(refB + ",\n" + ref + "\n"), users(other + "\n"), members(refB + "\n")},
		{"the one in the middle", users(other + " ,\n  " + block + "\n , " + longer), members(refB + " ,\n  " + ref + "\n , " + refAB), users(other + " ,\n  " + longer), members(refB + " ,\n  " + refAB)},
		{"the only one", users("\n  " + block + "\n"), members("\n  " + ref + "\n"), users(""), members("")},
		{"one in each other's place", users(block + "," + other), members(refB + "," + ref), users(other), members(refB)},
		{"lines that end as in Windows", users("\r\n " + block + ",\r\n " + other + "\r\n"), members(ref), users("\r\n " + other + "\r\n"), members("")},
		{"no newline at the end", strings.TrimSpace(users(block + "," + other)), strings.TrimSpace(members(ref)), strings.TrimSpace(users(other)), strings.TrimSpace(members(""))},
		{"one that is no member", users(block + "," + other), members(refB), users(other), ""},
		{"one whose name begins alike", users(longer), members(refAB), "", ""},
		{"a member that isn't defined", users(other), members(ref + "," + refB), "", ""},
		{"nobody", users(""), members(""), "", ""},
		{"a block of something else", users(`{"aws_iam_group": {"a": {"name": "a@softwire.com"}}},` + block), members(ref), users(`{"aws_iam_group": {"a": {"name": "a@softwire.com"}}}`), members("")},
		{"further keys before and after", `{"//": ["x"], "resource": [` + block + `], "variable": {}}`, members(ref), `{"//": ["x"], "resource": [], "variable": {}}`, members("")},
		{"letters that are written as numbers", users(`{"aws_iam_user": {"a": {"name": "\u0061\u0040softwire.com"}}}, ` + other), members(`"\u0024{aws_iam_user.a.name}", ` + refB), users(other), members(refB)},
		{"brackets and braces in texts", users(`{"aws_iam_user": {"c": {"name": "]}, {["}}}, ` + block), members(`"]},", ` + ref), users(`{"aws_iam_user": {"c": {"name": "]}, {["}}}`), members(`"]},"`)},
		{"a name in another case", users(strings.ReplaceAll(block, "a@soft", "A@soft")), members(ref), users(""), members("")},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := remove(test.users, test.members)
			if err != nil {
				t.Fatal(err)
			}
			_, inUsers := r.Changed[usersFile]
			_, inMembers := r.Changed[membersFile]
			gotUsers, gotMembers := now(r, usersFile, test.users), now(r, membersFile, test.members)
			check := func(what, was, got, want string, found bool) {
				if want == "" {
					want = was
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
				if found != (want != was) {
					t.Errorf("%s: found %v", what, found)
				}
			}
			check("users", test.users, gotUsers, test.wantUsers, inUsers)
			check("members", test.members, gotMembers, test.wantMembers, inMembers)
		})
	}
}

// A file that can't be read, and a user who is defined twice, are named with the line.
func TestRemoveUserRefuses(t *testing.T) {
	t.Parallel()
	const members = `{"resource": {"aws_iam_group_membership": {"m": {"users": []}}}}`
	for _, test := range []struct{ name, users, members, want string }{
		{"an empty file of users", ``, members, "users.tf.json:1: it isn't valid JSON from there on"},
		{"HCL", `resource "aws_iam_user" "a" {}`, members, "users.tf.json:1: it isn't valid JSON"},
		{"users cut off", "{\n\"resource\": [\n{}", members, "users.tf.json:3: it isn't valid JSON"},
		{"a comma too many", "{\n\"resource\": [\n{},\n]}", members, "users.tf.json:4: it isn't valid JSON"},
		{"something behind the users", "{}\nx", members, "users.tf.json:2: it isn't valid JSON"},
		{"something behind the members", "{}", "{}\n\n}", "members.tf.json:3: it isn't valid JSON"},
		{"what isn't UTF-8", "{\"a\": \"\xff\"}", members, "users.tf.json:1: it isn't in UTF-8"},
		{"values within values without end", strings.Repeat("[", 1000) + strings.Repeat("]", 1000), members, "it isn't valid JSON"},
		{"a user who is defined twice", `{"resource": [{"aws_iam_user": {"a": {"name": "a@softwire.com"}}},` + "\n" + `{"aws_iam_user": {"b": {"name": "A@softwire.com"}}}]}`, members, "users.tf.json:2: a@softwire.com is defined twice: also at users.tf.json:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := remove(test.users, test.members)
			if _, ok := errors.AsType[*terraform.BrokenError](err); !ok || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

const (
	usersFile   = "users.tf.json"
	membersFile = "members.tf.json"
	leaver      = "a@softwire.com"
)

// remove takes the leaver out of the two files, and looks through others: name, text, ….
func remove(users, members string, others ...string) (terraform.Removal, error) {
	files := []terraform.File{{Path: usersFile, Text: []byte(users)}, {Path: membersFile, Text: []byte(members)}}
	for i := 0; i < len(others); i += 2 {
		files = append(files, terraform.File{Path: others[i], Text: []byte(others[i+1])})
	}
	return terraform.RemoveUser(files, leaver, usersFile, membersFile)
}

// now is a file's text after a removal.
func now(r terraform.Removal, file, was string) string {
	if text, changed := r.Changed[file]; changed {
		return text
	}
	return was
}

// What others wrote, in any shape that Terraform takes, stays as it is.
func TestOthersEntriesArePassedOver(t *testing.T) {
	t.Parallel()
	const entry = `{"aws_iam_user": {"a": {"name": "a@softwire.com"}}}`
	for _, test := range []struct{ name, users, want string }{
		{"an entry of an odd shape", `{"resource": [{"odd": [{"x": [1, null, true, {"y": -1.5e3}]}]}, ` + entry + `]}`, `{"resource": [{"odd": [{"x": [1, null, true, {"y": -1.5e3}]}]}]}`},
		{"a comment in another's block", `{"resource": [` + entry + `, {"aws_iam_user": {"//": "since 2019", "b": {"//": ["x"], "name": "b@softwire.com"}}}]}`, `{"resource": [{"aws_iam_user": {"//": "since 2019", "b": {"//": ["x"], "name": "b@softwire.com"}}}]}`},
		{"a text and a number among the entries", `{"resource": ["x", 1, ` + entry + `]}`, `{"resource": ["x", 1]}`},
		{"a name that is a number, one that is missing", `{"resource": [{"aws_iam_user": {"b": {"name": 1}, "c": {}, "d": []}}, ` + entry + `]}`, `{"resource": [{"aws_iam_user": {"b": {"name": 1}, "c": {}, "d": []}}]}`},
		{"a byte order mark and lines as in Windows", "\ufeff{\r\n\"resource\": [\r\n" + entry + ",\r\n{}\r\n]}\r\n", "\ufeff{\r\n\"resource\": [\r\n{}\r\n]}\r\n"},
		{"users in one object", `{"resource": {"aws_iam_user": {"a": {"name": "a@softwire.com"}, "b": {"name": "b@softwire.com"}}}}`, `{"resource": {"aws_iam_user": {"b": {"name": "b@softwire.com"}}}}`},
		{"the only user in one object", `{"resource": {"aws_iam_user": {"a": {"name": "a@softwire.com"}}, "x": {"y": {}}}}`, `{"resource": {"x": {"y": {}}}}`},
		{"the only user of all", `{"resource": {"aws_iam_user": {"a": {"name": "a@softwire.com"}}}}`, `{"resource": {}}`},
		{"blocks in lists at every level", `{"resource": [{"aws_iam_user": [{"b": [{"name": "b@softwire.com"}]}, {"a": [{"name": "a@softwire.com"}]}]}]}`, `{"resource": [{"aws_iam_user": [{"b": [{"name": "b@softwire.com"}]}]}]}`},
		{"a list of roots", `[{"resource": [` + entry + `]}, {"x": 1}]`, `[{"resource": []}, {"x": 1}]`},
		{"the same key twice", `{"resource": [` + entry + `], "resource": {"aws_iam_user": {"b": {"name": "b"}}}}`, `{"resource": [], "resource": {"aws_iam_user": {"b": {"name": "b"}}}}`},
		{"a block that is shared with something else", `{"resource": [{"aws_iam_user": {"a": {"name": "a@softwire.com"}}, "aws_iam_group": {"g": {"name": "g"}}}]}`, `{"resource": [{"aws_iam_group": {"g": {"name": "g"}}}]}`},
		{"a comment about the user alone goes too", `{"resource": [{"//": "Ann's", "aws_iam_user": {"a": {"//": "x", "name": "a@softwire.com"}}}, {}]}`, `{"resource": [{}]}`},
		{"a comment about all users stays", `{"resource": {"aws_iam_user": {"//": "all of us", "a": {"name": "a@softwire.com"}}}}`, `{"resource": {"aws_iam_user": {"//": "all of us"}}}`},
		{"a user whose name only looks alike", `{"resource": [` + entry + `, {"aws_iam_user": {"aa": {"name": "aa@softwire.com"}, "c": {"name": "a@softwire.com.au"}}}]}`, `{"resource": [{"aws_iam_user": {"aa": {"name": "aa@softwire.com"}, "c": {"name": "a@softwire.com.au"}}}]}`},
		{"a data source of the same label", `{"resource": [` + entry + `], "data": {"x": {"y": {"v": "${data.aws_iam_user.a.arn}"}}}}`, `{"resource": [], "data": {"x": {"y": {"v": "${data.aws_iam_user.a.arn}"}}}}`},
		{"nothing known at all", `{}`, `{}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := remove(test.users, `{}`)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, now(r, usersFile, test.users)); diff != "" || len(r.Left) > 0 {
				t.Errorf("(-want +got):\n%s; left %v", diff, r.Left)
			}
		})
	}
}

// Every reference goes with the user, or is named with its file and line.
func TestReferences(t *testing.T) {
	t.Parallel()
	const users = `{"resource": [{"aws_iam_user": {"a": {"name": "A@softwire.com"}}}, {"aws_iam_user": {"b": {"name": "b@softwire.com"}}}]}`
	group := func(list string) string {
		return `{"resource": {"aws_iam_group_membership": {"m": {"users": [` + list + `], "group": "g"}}}}`
	}
	for _, test := range []struct {
		name, members, want string
		left                string // the first that is left; empty: none
		comments            int
	}{
		{"by name", group(`"${aws_iam_user.a.name}", "x"`), group(`"x"`), "", 0},
		{"by ID", group(`"x", "${aws_iam_user.a.id}"`), group(`"x"`), "", 0},
		{"by ARN, with spaces", group(`"x", "${ aws_iam_user.a.arn }", "y"`), group(`"x", "y"`), "", 0},
		{"with no attribute", group(`"${aws_iam_user.a}"`), group(``), "", 0},
		{"by address, in another case", group(`"a@Softwire.com", "x"`), group(`"x"`), "", 0},
		{"by the alias of an address", group(`"${resource.aws_iam_user.a.name}", "x"`), group(`"x"`), "", 0},
		{"over lines, with comments between", group(`"x", "${ resource /* jo */ .aws_iam_user # jo\n .a\n.name }"`), group(`"x"`), "", 0},
		{"an attachment by the alias", `{"resource": [{"aws_iam_user_policy_attachment": {"p": {"user": "${resource.aws_iam_user.a.name}"}}}, {"x": {}}]}`, `{"resource": [{"x": {}}]}`, "", 0},
		{"an output of the alias", "{\n\n\"output\": {\"a\": {\"value\": \"${resource.aws_iam_user.a.arn}\"}}}", "", "members.tf.json:3 (aws_iam_user.a)", 0},
		{"in an expression, with a comment between", group(`"${join(\",\", [aws_iam_user /* jo */\n.a.name])}"`), "", "members.tf.json:1 (aws_iam_user.a)", 0},
		{"another module's", group(`"${module.x.aws_iam_user.a.name}"`), group(`"${module.x.aws_iam_user.a.name}"`), "", 0},
		{"twice, each in its way", group(`"a@softwire.com", "x", "${aws_iam_user.a.name}"`), group(`"x"`), "", 0},
		{"in two groups", `{"resource": {"aws_iam_group_membership": {"m": {"users": ["${aws_iam_user.a.id}", "x"]}, "n": {"users": ["${aws_iam_user.a.id}"]}}}}`, `{"resource": {"aws_iam_group_membership": {"m": {"users": ["x"]}, "n": {"users": []}}}}`, "", 0},
		{"a policy attachment", `{"resource": [{"aws_iam_user_policy_attachment": {"p": {"user": "${aws_iam_user.a.name}", "policy_arn": "x"}}}, {"x": {}}]}`, `{"resource": [{"x": {}}]}`, "", 0},
		{"a key, and a group that depends on both", `{"resource": {"aws_iam_access_key": {"k": {"user": "a@softwire.com"}}, "aws_iam_group": {"g": {"depends_on": ["aws_iam_user.a", "aws_iam_access_key.k", "x.y"]}}}}`, `{"resource": {"aws_iam_group": {"g": {"depends_on": ["x.y"]}}}}`, "", 0},
		{"an attachment that is for several", `{"resource": {"aws_iam_policy_attachment": {"p": {"users": ["${aws_iam_user.a.name}", "${aws_iam_user.b.name}"]}}}}`, `{"resource": {"aws_iam_policy_attachment": {"p": {"users": ["${aws_iam_user.b.name}"]}}}}`, "", 0},
		{"an attachment that would be for nobody", "{\n\"resource\": {\"aws_iam_policy_attachment\": {\"p\": {\"users\": [\n\"${aws_iam_user.a.name}\"]}}}}", "", "members.tf.json:3 (aws_iam_user.a)", 0},
		{"a list of users in locals", `{"locals": {"people": ["${aws_iam_user.a.name}", "B@softwire.com", "${resource.aws_iam_user.c.arn}"]}}`, `{"locals": {"people": ["B@softwire.com", "${resource.aws_iam_user.c.arn}"]}}`, "", 0},
		{"the only one in a list of a map of locals", `{"locals": [{"teams": {"x": ["a@softwire.com"], "y": ["z"]}}]}`, `{"locals": [{"teams": {"x": [], "y": ["z"]}}]}`, "", 0},
		{"a list of users and others in locals", "{\"locals\": {\"people\": [\"x\",\n\"a@softwire.com\"]}}", "{\"locals\": {\"people\": [\"x\",\n\"a@softwire.com\"]}}", "members.tf.json:2 (a@softwire.com)", 0},
		{"a list of users and a number in locals", `{"locals": {"people": ["${aws_iam_user.a.name}", 1]}}`, `{"locals": {"people": ["${aws_iam_user.a.name}", 1]}}`, "members.tf.json:1 (aws_iam_user.a)", 0},
		{"pairs of users and roles in locals", "{\"locals\": {\"roles\": [\n[\"a@softwire.com\", \"admin\"], [\"b@softwire.com\", \"reader\"]]}}", "{\"locals\": {\"roles\": [\n[\"a@softwire.com\", \"admin\"], [\"b@softwire.com\", \"reader\"]]}}", "members.tf.json:2 (a@softwire.com)", 0},
		{"pairs of users in locals", `{"locals": {"deputies": [["a@softwire.com", "b@softwire.com"]]}}`, `{"locals": {"deputies": [["a@softwire.com", "b@softwire.com"]]}}`, "members.tf.json:1 (a@softwire.com)", 0},
		{"an import and a moved block", `{"import": [{"to": "aws_iam_user.a", "id": "a@softwire.com"}, {"to": "x.y", "id": "z"}], "moved": {"from": "aws_iam_user.old", "to": "aws_iam_user.a"}}`, `{"import": [{"to": "x.y", "id": "z"}]}`, "", 0},
		{"an output", "{\n\n\"output\": {\"a\": {\"value\": \"${aws_iam_user.a.arn}\"}}}", "", "members.tf.json:3 (aws_iam_user.a)", 0},
		{"in the middle of an expression", group(`"${join(\",\", [aws_iam_user.a.name])}"`), "", "members.tf.json:1 (aws_iam_user.a)", 0},
		{"in an ARN", group(`"arn:aws:iam::222222222222:user/a@softwire.com"`), "", "members.tf.json:1 (a@softwire.com)", 0},
		{"another's tag", `{"resource": {"aws_iam_role": {"r": {"tags": {"owner": "a@softwire.com"}}}}}`, "", "members.tf.json:1 (a@softwire.com)", 0},
		{"a key of a map", `{"locals": {"people": {"a@softwire.com": {}}}}`, "", "members.tf.json:1 (a@softwire.com)", 0},
		{"a comment", `{"//": "a@softwire.com left", "x": {"//": {"y": "aws_iam_user.a"}}}`, `{"//": "a@softwire.com left", "x": {"//": {"y": "aws_iam_user.a"}}}`, "", 2},
		{"another label that begins alike", group(`"${aws_iam_user.a-b.name}", "${aws_iam_user.ab.name}", "${aws_iam_user.a_b.name}"`), group(`"${aws_iam_user.a-b.name}", "${aws_iam_user.ab.name}", "${aws_iam_user.a_b.name}"`), "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := remove(users, test.members)
			if err != nil {
				t.Fatal(err)
			}
			var left string
			if len(r.Left) > 0 {
				left = r.Left[0].String()
			}
			if left != test.left || len(r.Comments) != test.comments {
				t.Errorf("left %v, comments %v", r.Left, r.Comments)
			}
			if diff := cmp.Diff(test.want, now(r, membersFile, test.members)); test.want != "" && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Files that no setting names are looked through as well.
func TestOtherFiles(t *testing.T) {
	t.Parallel()
	const users = `{"resource": [{"aws_iam_user": {"a": {"name": "a@softwire.com"}}}]}`
	for _, test := range []struct {
		name, file, text string
		changed          string   // how it is then; empty: as before
		left             []string // what is left in it
	}{
		{"a reference in HCL", "roles.tf", "locals {\n  x = aws_iam_user . a.arn\n  y = data.aws_iam_user.a.arn\n}\n", "", []string{"roles.tf:2 (aws_iam_user.a)"}},
		{"the alias of a reference in HCL", "roles.tf", "output \"u\" {\n  value = resource.aws_iam_user.a.arn\n}\n", "", []string{"roles.tf:2 (aws_iam_user.a)"}},
		{"a reference over lines in HCL", "roles.tf", "locals {\n  x = [aws_iam_user\n  .a.name]\n  y = [resource\n  .aws_iam_user. # jo\n  a.name]\n}\n", "", []string{"roles.tf:2 (aws_iam_user.a)", "roles.tf:5 (aws_iam_user.a)"}},
		{"a comment in a reference in HCL", "roles.tf", "locals {\n  x = [aws_iam_user /* jo */ .a.name]\n}\n", "", []string{"roles.tf:2 (aws_iam_user.a)"}},
		{"what only ends alike, over lines in HCL", "roles.tf", "locals {\n  x = [data.\n  aws_iam_user.a.name, module.x.aws_iam_user.a, var.resource.aws_iam_user.a]\n}\n", "", nil},
		{"an address in HCL", "roles.tf", "locals {\n  x = \"for a@softwire.com\"\n  y = <<EOT\nA@softwire.com\nEOT\n}\n", "", []string{"roles.tf:2 (a@softwire.com)", "roles.tf:4 (a@softwire.com)"}},
		{"a comment in HCL", "roles.tf", "# aws_iam_user.a is a@softwire.com\n/* aws_iam_user.a */\n", "", nil},
		{"a value of a variable", "terraform.tfvars", "people = [\"a@softwire.com\"]\n", "", []string{"terraform.tfvars:1 (a@softwire.com)"}},
		{"an attachment in JSON", "more.tf.json", `{"resource": [{"aws_iam_user_policy": {"p": {"user": "${aws_iam_user.a.name}"}}}]}`, `{"resource": []}`, nil},
		{"another's user of the same label in another folder", "groups/more.tf.json", `{"resource": {"aws_iam_user": {"a": {"name": "c@softwire.com"}}, "aws_iam_group_membership": {"m": {"users": ["a@softwire.com", "${aws_iam_user.a.name}"]}}, "aws_iam_access_key": {"k": {"user": "${aws_iam_user.a.name}"}}}}`, `{"resource": {"aws_iam_user": {"a": {"name": "c@softwire.com"}}, "aws_iam_group_membership": {"m": {"users": ["${aws_iam_user.a.name}"]}}, "aws_iam_access_key": {"k": {"user": "${aws_iam_user.a.name}"}}}}`, nil},
		{"a key of the user in another folder, and what depends on it there", "groups/more.tf.json", `{"resource": {"aws_iam_access_key": {"k": {"user": "a@softwire.com"}}, "aws_iam_group": {"g": {"depends_on": ["aws_iam_access_key.k", "aws_iam_user.a"]}}}}`, `{"resource": {"aws_iam_group": {"g": {"depends_on": ["aws_iam_user.a"]}}}}`, nil},
		{"an address in HCL of another folder", "groups/roles.tf", "locals {\n  x = aws_iam_user.a.arn\n  y = \"a@softwire.com\"\n}\n", "", []string{"groups/roles.tf:3 (a@softwire.com)"}},
		{"a block of the user's label with another's name", "more.tf.json", "{\"resource\": [\n{\"aws_iam_user\": {\"a\": {\"name\": \"c@softwire.com\"}}}]}", "", []string{"more.tf.json:2 (aws_iam_user.a)"}},
		{"an override of the user", "more_override.tf.json", "{\"resource\": [\n{\"aws_iam_user\": {\"a\": {\"force_destroy\": true}}}]}", "", []string{"more_override.tf.json:2 (aws_iam_user.a)"}},
		{"an override of the user in HCL", "override.tf", "# x\nresource \"aws_iam_user\" \"a\" {\n  force_destroy = true\n}\n", "", []string{"override.tf:2 (aws_iam_user.a)"}},
		{"an override of the user in HCL without quotes", "a_override.tf", "resource aws_iam_user a {\n}\n", "", []string{"a_override.tf:1 (aws_iam_user.a)"}},
		{"an override of the user in HCL that isn't whole", "a_override.tf", "resource \"aws_iam_user\" \"a\" {\n  tags = {}\n}\nlocals {", "", []string{"a_override.tf:1 (aws_iam_user.a)"}},
		{"overrides of others in HCL, and of the label elsewhere", "override.tf", "resource \"aws_iam_user\" \"ab\" {}\nresource \"aws_iam_role\" \"a\" {}\ndata \"aws_iam_user\" \"a\" {}\n", "", nil},
		{"another's resource of the same label in HCL of another folder", "groups/override.tf", "resource \"aws_iam_user\" \"a\" {}\n", "", nil},
		{"what isn't configuration", "README.md", "aws_iam_user.a a@softwire.com", "", nil},
		{"what isn't JSON", "more.tf.json", "{", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := remove(users, `{}`, test.file, test.text)
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, m := range r.Left {
				left = append(left, m.String())
			}
			if diff := cmp.Diff(test.left, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.changed, r.Changed[test.file]); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
			if (test.text == "{") != (len(r.Unread) == 1) {
				t.Errorf("unread %v", r.Unread)
			}
		})
	}
}

// What goes with the user may be overridden too, and Terraform takes no override of what
// isn't there.
func TestOverridesOfWhatGoesWithTheUser(t *testing.T) {
	t.Parallel()
	const users = `{"resource": [{"aws_iam_user": {"a": {"name": "a@softwire.com"}}}, {"aws_iam_access_key": {"k": {"user": "${aws_iam_user.a.name}"}}}]}`
	for file, text := range map[string]string{
		"k_override.tf":      "resource \"aws_iam_access_key\" \"k\" {\n  status = \"Inactive\"\n}\n",
		"k_override.tf.json": `{"resource": {"aws_iam_access_key": {"k": {"status": "Inactive"}}}}`,
	} {
		r, err := remove(users, `{}`, file, text)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Left) != 1 || r.Left[0].String() != file+":1 (aws_iam_access_key.k)" {
			t.Errorf("%s: left %v", file, r.Left)
		}
	}
}

// Where no block has the name as a text, those are named that have it, or may have it,
// by an expression.
func TestUsersByExpression(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, text, left, unread string }{
		{"a name made of locals", "locals {\n  d = \"softwire.com\"\n}\nresource \"aws_iam_user\" \"x\" {\n  name = \"a@${local.d}\"\n}\n", "x.tf:5 (aws_iam_user.x)", ""},
		{"for_each over a set", "resource \"aws_iam_user\" \"x\" {\n  for_each = toset([\"a@softwire.com\", \"b@softwire.com\"])\n  name = each.key\n}\n", "x.tf:2 (a@softwire.com)", ""},
		{"a name that depends on more", "resource \"aws_iam_user\" \"x\" {\n  name = var.x\n}\n", "", "x.tf:1 an aws_iam_user whose name is an expression"},
		{"another name", "resource \"aws_iam_user\" \"x\" {\n  name = \"b@softwire.com\"\n}\n", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := remove(`{}`, `{}`, "x.tf", test.text)
			if err != nil {
				t.Fatal(err)
			}
			var left, unread string
			if len(r.Left) > 0 {
				left = r.Left[0].String()
			}
			for _, u := range r.Unread {
				unread += u.Place.String() + " " + u.Why
			}
			if left != test.left || unread != test.unread {
				t.Errorf("left %v, unread %v", r.Left, r.Unread)
			}
		})
	}
}

// FuzzRemoveUser looks for texts out of which more or less goes than one user.
func FuzzRemoveUser(f *testing.F) {
	f.Add(`{"resource":[{"aws_iam_user":{"a":{"name":"a@softwire.com"}}},{"aws_iam_user":{"b":{"name":"b"}}}]}`, `{"resource":{"aws_iam_group_membership":{"m":{"users":["${aws_iam_user.a.name}", "x"]}}}}`)
	f.Add("{\r\n\"resource\":[\r\n{\"aws_iam_user\":{\"a\":{\"name\":\"a@softwire.com\"},\"x\":1}}]}", `{"resource":[{"aws_iam_user_policy":{"m":{"user":"a@softwire.com"},"n":{}}}]}`)
	f.Add(`{"resource":[{"aws_iam_user":{"a":{"name":"a@softwire.com"}}}],"import":{"to":"aws_iam_user.a","id":""}}`, `{"moved":[{"to":"aws_iam_user.a"}],"locals":{"x":["aws_iam_user.a"]}}`)
	f.Fuzz(func(t *testing.T, users, members string) {
		r, err := remove(users, members)
		if err != nil {
			return
		}
		if r.Label == "" && len(r.Changed) > 0 {
			t.Errorf("nobody was found, and %q changed", r.Changed)
		}
		for file, was := range map[string]string{usersFile: users, membersFile: members} {
			is, changed := r.Changed[file]
			if !changed {
				continue
			}
			if !json.Valid([]byte(strings.TrimPrefix(is, "\ufeff"))) {
				t.Errorf("%s: %q isn't JSON any more: %q", file, was, is)
			}
			if !within(was, is) {
				t.Errorf("%s: %q isn't made of %q by taking things out", file, is, was)
			}
		}
		again, err := remove(now(r, usersFile, users), now(r, membersFile, members))
		if r.Label != "" && (err != nil || again.Label != "" && len(r.Left) == 0 || len(again.Changed) > 0) {
			t.Errorf("a second time: %+v, %v", again, err)
		}
	})
}

// within tells whether a text comes of another by taking pieces out.
func within(was, is string) bool {
	i := 0
	for j := 0; j < len(was) && i < len(is); j++ {
		if was[j] == is[i] {
			i++
		}
	}
	return i == len(is)
}
