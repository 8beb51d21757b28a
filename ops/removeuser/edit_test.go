package removeuser_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/removeuser"
)

func TestEdit(t *testing.T) {
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
			gotUsers, gotMembers, inUsers, inMembers, err := removeuser.RemoveFrom(test.users, test.members, "a@softwire.com")
			if err != nil {
				t.Fatal(err)
			}
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

// What isn't of the known shape is left alone, and said.
func TestEditRefuses(t *testing.T) {
	t.Parallel()
	const (
		block   = `{"aws_iam_user": {"a": {"name": "a@softwire.com"}}}`
		ref     = `"${aws_iam_user.a.name}"`
		users   = `{"resource": [` + block + `]}`
		members = `{"resource": {"aws_iam_group_membership": {"m": {"users": [` + ref + `]}}}}`
	)
	for _, test := range []struct{ name, users, members, want string }{
		{"users as an object", `{"resource": {"aws_iam_user": {"a": {"name": "a@softwire.com"}}}}`, members, "the file of users: no list at resource"},
		{"no users at all", `{}`, members, `the file of users: no key "resource"`},
		{"an empty file of users", ``, members, "the file of users: no object"},
		{"users that aren't JSON", `resource "aws_iam_user" "a" {}`, members, "the file of users: no object"},
		{"users cut off", users[:len(users)-8], members, "the file of users: "},
		{"something behind the users", users + " x", members, "would leave no valid JSON"},
		{"a block that is a text", `{"resource": ["a@softwire.com"]}`, members, "the file of users: "},
		{"a name that is a number", `{"resource": [{"aws_iam_user": {"a": {"name": 1}}}]}`, members, "the file of users: "},
		{"a user who is defined twice", `{"resource": [` + block + `,{"aws_iam_user": {"b": {"name": "a@softwire.com"}}}]}`, members, "the file of users: a@softwire.com is defined twice"},
		{"a block that is shared with another user", `{"resource": [{"aws_iam_user": {"a": {"name": "a@softwire.com"}, "b": {"name": "b@softwire.com"}}}]}`, members, "the file of users: a@softwire.com shares a block with others"},
		{"a block that is shared with something else", `{"resource": [{"aws_iam_user": {"a": {"name": "a@softwire.com"}}, "aws_iam_group": {"g": {"name": "g"}}}]}`, members, "the file of users: a@softwire.com shares a block with others"},
		{"members as a list of blocks", users, `{"resource": [{"aws_iam_group_membership": {"m": {"users": [` + ref + `]}}}]}`, "the file of members: no object"},
		{"members of two groups", users, `{"resource": {"aws_iam_group_membership": {"m": {"users": []}, "n": {"users": [` + ref + `]}}}}`, "the file of members: "},
		{"no members at all", users, `{"resource": {}}`, `the file of members: no key "aws_iam_group_membership"`},
		{"no group", users, `{"resource": {"aws_iam_group_membership": {}}}`, "the file of members: no key"},
		{"an empty file of members", users, ``, "the file of members: no object"},
		{"a member that isn't a text", users, `{"resource": {"aws_iam_group_membership": {"m": {"users": [1, ` + ref + `]}}}}`, "the file of members: "},
		{"a member who is listed twice", users, `{"resource": {"aws_iam_group_membership": {"m": {"users": [` + ref + `,` + ref + `]}}}}`, "the file of members: a@softwire.com is listed twice"},
		{"something behind the members", users, members + "}", "would leave no valid JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, _, _, err := removeuser.RemoveFrom(test.users, test.members, "a@softwire.com")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// FuzzEdit looks for texts out of which more or less goes than one user.
func FuzzEdit(f *testing.F) {
	f.Add(usersText, membersText, leaver)
	f.Add(usersText, membersText, namesake)
	f.Add(usersText, membersText, "ann.other@softwire.com")
	f.Add(strings.ReplaceAll(usersText, "\n", "\r\n"), membersText, leaver)
	f.Add(`{"resource":[{"aws_iam_user":{"a":{"name":"a"}}}]}`, `{"resource":{"aws_iam_group_membership":{"m":{"users":["${aws_iam_user.a.name}"]}}}}`, "a")
	f.Add(`{"resource":[{"aws_iam_user":{"a":{"name":"a"}},"x":1}]}`, `{"resource":{"aws_iam_group_membership":{"m":{"users":["x"]},"n":{}}}}`, "a")
	f.Fuzz(func(t *testing.T, users, members, name string) {
		newUsers, newMembers, inUsers, inMembers, err := removeuser.RemoveFrom(users, members, name)
		if err != nil {
			return
		}
		for _, file := range []struct {
			what, was, is string
			found         bool
		}{{"users", users, newUsers, inUsers}, {"members", members, newMembers, inMembers}} {
			if !file.found {
				if file.was != file.is {
					t.Errorf("%s: %q has become %q, though nobody was found", file.what, file.was, file.is)
				}
				continue
			}
			if !json.Valid([]byte(file.is)) {
				t.Errorf("%s: %q isn't JSON any more: %q", file.what, file.was, file.is)
			}
			if !oneCut(file.was, file.is) {
				t.Errorf("%s: more than one piece was taken out of %q: %q", file.what, file.was, file.is)
			}
			if was, is := leaves(t, file.was), leaves(t, file.is); is >= was {
				t.Errorf("%s: %d values, then %d", file.what, was, is)
			}
		}
		if again, _, found, _, err := removeuser.RemoveFrom(newUsers, newMembers, name); inUsers && (err != nil || found || again != newUsers) {
			t.Errorf("a second time: found %v, %v", found, err)
		}
	})
}

// oneCut tells whether is comes of was by taking out one piece.
func oneCut(was, is string) bool {
	if len(is) >= len(was) {
		return false
	}
	start := 0
	for start < len(is) && was[start] == is[start] {
		start++
	}
	return strings.HasSuffix(was, is[start:])
}

// leaves counts the texts, numbers and so on of a JSON value.
func leaves(t *testing.T, text string) int {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Errorf("%q: %v", text, err)
	}
	var count func(any) int
	count = func(v any) int {
		n := 0
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				n += count(one)
			}
		case map[string]any:
			for _, one := range v {
				n += count(one)
			}
		default:
			n = 1
		}
		return n
	}
	return count(value)
}
