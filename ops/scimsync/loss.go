package scimsync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
)

// loss is what changes take away: each user, each group, and each membership,
// also those that go with a user or a group, by their names for people.
type loss struct {
	users, groups []string
	memberships   map[pair]bool
}

func lost(changes []change) loss {
	l := loss{memberships: map[pair]bool{}}
	for _, c := range changes {
		switch c.what {
		case deleteUser:
			l.users = append(l.users, c.user())
		case deleteGroup:
			l.groups = append(l.groups, c.group())
			for _, name := range c.members {
				l.memberships[pair{c.group(), name}] = true
			}
		case leave:
			l.memberships[pair{c.group(), c.user()}] = true
		}
	}
	return l
}

// count is how many removals these are.
func (l loss) count() int { return len(l.users) + len(l.groups) + len(l.memberships) }

// deleted counts users and groups: "3 users and 1 group"; empty: none.
func (l loss) deleted() string {
	var parts []string
	if n := len(l.users); n > 0 {
		parts = append(parts, ops.Count(n, "user"))
	}
	if n := len(l.groups); n > 0 {
		parts = append(parts, ops.Count(n, "group"))
	}
	return and(parts)
}

// removed counts memberships by their people: "22 people from teams", "1 person
// from a team"; empty: none.
func (l loss) removed() string {
	people, teams := map[string]bool{}, map[string]bool{}
	for m := range l.memberships {
		people[m.login], teams[m.team] = true, true
	}
	if len(people) == 0 {
		return ""
	}
	text := ops.Count(len(people), "person", "people") + " from teams"
	if len(teams) == 1 {
		text = ops.Count(len(people), "person", "people") + " from a team"
	}
	if len(people) != len(l.memberships) {
		text += fmt.Sprintf(" (%d memberships)", len(l.memberships))
	}
	return text
}

// why says why a plan that takes away so much needs an approval.
func (l loss) why(most int) string {
	var parts []string
	if text := l.deleted(); text != "" {
		parts = append(parts, "delete "+text)
	}
	if text := l.removed(); text != "" {
		parts = append(parts, "remove "+text)
	}
	return fmt.Sprintf("The sync would %s (limit without approval: %d).", and(parts), most)
}

// namedOneByOne is how many people a text names one by one.
const namedOneByOne = 10

// leavers says of each user who is deleted which teams they leave; empty: nobody is
// deleted.
func (l loss) leavers() string {
	teams := map[string][]string{}
	for m := range l.memberships {
		teams[m.login] = append(teams[m.login], m.team)
	}
	var parts []string
	for _, login := range slices.Sorted(slices.Values(l.users)) {
		if slices.Sort(teams[login]); len(teams[login]) == 0 {
			parts = append(parts, login+" is in no team, and is deleted")
		} else {
			parts = append(parts, fmt.Sprintf("%s leaves %s, and is deleted", login, and(teams[login])))
		}
	}
	if more := len(parts) - namedOneByOne; more > 0 {
		parts = append(parts[:namedOneByOne], fmt.Sprintf("and %d more, whom the effects name", more))
	}
	return strings.Join(parts, "; ")
}

// people are the logins that lose something, sorted.
func (l loss) people() []string {
	all := map[string]bool{}
	for _, login := range l.users {
		all[login] = true
	}
	for m := range l.memberships {
		all[m.login] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func sortedPairs(set map[pair]bool) []pair {
	return slices.SortedFunc(maps.Keys(set), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.login, b.login), cmp.Compare(a.team, b.team))
	})
}
