package terraform_test

import (
	"strings"
	"testing"
)

// A list loses an element only where nothing counts on where the others stand.
func TestListsWhoseOrderCounts(t *testing.T) {
	t.Parallel()
	const (
		people = `"people": ["a@softwire.com", "b@softwire.com"]`
		teams  = `"teams": {"x": ["a@softwire.com", "b@softwire.com"], "y": ["b@softwire.com"]}`
	)
	block := func(arguments string) string {
		return "resource \"aws_x\" \"x\" {\n  " + arguments + "\n}\n"
	}
	for _, test := range []struct {
		name, locals, hcl string
		at                string // where the list is used by its order; empty: nowhere
	}{
		{"not used", people, "", ""},
		{"another local of a like name", people, block("x = local.people_of[0]"), ""},
		{"made a set to be gone through", people, block("for_each = toset(local.people)\n  user = each.value"), ""},
		{"asked whether it has somebody", people, block("count = contains(local.people, \"b\") ? 1 : 0"), ""},
		{"asked whether it is empty", people, block("count = length(local.people) > 0 ? 1 : 0"), ""},
		{"put together with others to a set", people, block("for_each = setunion(local.people, [\"c\"])"), ""},
		{"sorted and joined to a list, and then a set", people + `, "all": "${sort(concat(local.people, [\"c\"]))}"`, block("for_each = toset(local.all)"), ""},
		{"made a map by its own elements", people, block("for_each = {for p in local.people : p => upper(p) if p != \"c\"}\n  user = each.value"), ""},
		{"members of a group", people, "resource \"aws_iam_group_membership\" \"m\" {\n  users = local.people\n}\n", ""},
		{"principals of a policy", people, "data \"aws_iam_policy_document\" \"d\" {\n  statement {\n    principals {\n      identifiers = [for p in local.people : \"x/${p}\"]\n    }\n  }\n}\n", ""},
		{"blocks for a set", people, block("dynamic \"y\" {\n    for_each = toset(local.people)\n    content {\n      z = y.value\n    }\n  }"), ""},
		{"teams gone through", teams, "resource \"aws_iam_group_membership\" \"m\" {\n  for_each = local.teams\n  group = each.key\n  users = each.value\n}\n", ""},
		{"one team of several", teams, block("for_each = toset(local.teams[\"x\"])"), ""},
		{"another team by position", teams, block("user = local.teams.y[0]"), ""},
		{"pairs of teams and people", teams + `, "pairs": "${flatten([for t, people in local.teams : [for p in people : {team = t, person = p}]])}"`, block("for_each = {for m in local.pairs : \"${m.team}/${m.person}\" => m}\n  user = each.value.person"), ""},
		{"all people of teams", teams, block("for_each = toset(flatten(values(local.teams)))"), ""},
		{"the teams' names", teams, block("for_each = toset(keys(local.teams))"), ""},

		{"by number", people, block("user = local.people[0]"), "x.tf:2"},
		{"by an old way of numbers", people, block("user = local.people.0"), "x.tf:2"},
		{"counted", people, block("count = length(local.people)"), "x.tf:2"},
		{"by count's number", people, block("user = local.people[count.index]"), "x.tf:2"},
		{"the first", people, block("x = 1\n  user = element(local.people, 0)"), "x.tf:3"},
		{"a slice", people, block("for_each = toset(slice(local.people, 0, 1))"), "x.tf:2"},
		{"with another list beside, in JSON", people + `, "roles": "${zipmap(local.people, [1, 2])}"`, "", "users.tf.json:2"},
		{"its numbers as keys", people, block("for_each = {for i, p in local.people : i => p}"), "x.tf:2"},
		{"by number in a local in between", people + `, "all": "${concat([\"c\"], local.people)}"`, block("user = local.all[1]"), "x.tf:2"},
		{"by number through each", teams, block("for_each = local.teams\n  user = each.value[0]"), "x.tf:3"},
		{"a team by number", teams, block("user = local.teams[each.key][0]"), "x.tf:2"},
		{"for a module", people, "module \"m\" {\n  users = local.people\n}\n", "x.tf:2"},
		{"for other configurations", people, "output \"o\" {\n  value = local.people\n}\n", "x.tf:2"},
		{"as a text", people, block("x = join(\",\", local.people)"), "x.tf:2"},
		{"each local at once", people, block("x = local[each.key]"), "x.tf:2"},
		{"blocks in its order", people, block("dynamic \"y\" {\n    for_each = local.people\n    content {\n    }\n  }"), "x.tf:3"},
		{"in what can't be read", people, "x = local.people[\n", "x.tf:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			users := "{\"resource\": {\"aws_iam_user\": {\"a\": {\"name\": \"a@softwire.com\"}, \"b\": {\"name\": \"b@softwire.com\"}}}, \"locals\":\n{" + test.locals + "}}"
			r, err := remove(users, `{}`, "x.tf", test.hcl)
			if err != nil {
				t.Fatal(err)
			}
			cut := strings.Count(r.Changed[usersFile], "a@softwire.com") == 0
			if test.at == "" {
				if !cut || len(r.Left) > 0 {
					t.Errorf("left %v: %s", r.Left, r.Changed[usersFile])
				}
				return
			}
			want := usersFile + ":2 (a@softwire.com, in a list whose order may count at " + test.at + ")"
			if cut || len(r.Left) != 1 || r.Left[0].String() != want {
				t.Errorf("left %v, want %s: %s", r.Left, want, r.Changed[usersFile])
			}
		})
	}
}
