package scimsync

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
)

// alarm says first and loud what was taken away though it wasn't in the plan: how
// much, who has lost access, what probably happened and what to do. Empty: nothing
// was.
func (r result) alarm() string {
	if r.beyond.count() == 0 {
		return ""
	}
	direct, along := r.directly()
	by := "While the sync ran, "
	if r.late() > 0 {
		by = "Since the sync began, "
	}
	if r.announced() {
		by = "The sync "
	}
	parts := []string{headline(by, direct)}
	if n := len(along.memberships); n > 0 {
		with := "them"
		if len(direct.users) == 0 && len(direct.groups) == 1 {
			with = "it"
		}
		parts = append(parts, ops.Count(n, "membership")+" went with "+with+".")
	}
	parts = append(parts, r.hit(), r.cause(), "Don't run it again before /scim-sync plan looks right.")
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
}

// directly parts what was taken away into what was removed itself and the
// memberships that went with their user or their group.
func (r result) directly() (direct, along loss) {
	direct = loss{users: r.beyond.users, groups: r.beyond.groups, memberships: map[pair]bool{}}
	along.memberships = map[pair]bool{}
	for m := range r.beyond.memberships {
		if slices.Contains(direct.users, m.login) || slices.Contains(direct.groups, m.team) {
			along.memberships[m] = true
		} else {
			direct.memberships[m] = true
		}
	}
	return direct, along
}

func headline(by string, l loss) string {
	active := by == "The sync "
	deleted, removed := l.deleted(), l.removed()
	one := len(l.users)+len(l.groups) == 1
	was, were := "were", "were"
	if one {
		was = "was"
	}
	if strings.HasPrefix(removed, "1 ") {
		were = "was"
	}
	switch {
	case removed == "" && active:
		return fmt.Sprintf("%sdeleted %s that %s not in the plan.", by, deleted, was)
	case removed == "":
		return fmt.Sprintf("%s%s %s deleted that %s not in the plan.", by, deleted, was, was)
	case deleted == "" && active:
		return fmt.Sprintf("%sremoved %s, which was not in the plan.", by, removed)
	case deleted == "":
		people, from, _ := strings.Cut(removed, " from ")
		return fmt.Sprintf("%s%s %s removed from %s, which was not in the plan.", by, people, were, from)
	case active:
		return fmt.Sprintf("%sdeleted %s and removed %s, none of which was in the plan.", by, deleted, removed)
	}
	people, from, _ := strings.Cut(removed, " from ")
	return fmt.Sprintf("%s%s %s deleted and %s %s removed from %s, none of which was in the plan.", by, deleted, was, people, were, from)
}

// announced tells whether this run's own log announces any of it.
func (r result) announced() bool {
	return slices.ContainsFunc(r.told.attempted, func(t change) bool {
		return slices.ContainsFunc(r.unplanned(r.changed), t.same)
	})
}

// hit says who can't get in any more.
func (r result) hit() string {
	if len(r.after.Users) == 0 {
		return "Nobody can sign in to AWS with SSO now."
	}
	var parts []string
	users := slices.Sorted(slices.Values(r.beyond.users))
	switch {
	case len(users) > 5:
		parts = append(parts, fmt.Sprintf("%d people can't sign in to AWS with SSO now.", len(users)))
	case len(users) > 0:
		parts = append(parts, and(users)+" can't sign in to AWS with SSO now.")
	}
	people := slices.DeleteFunc(r.beyond.people(), func(login string) bool { return slices.Contains(users, login) })
	teams := map[string]bool{}
	for m := range r.beyond.memberships {
		if slices.Contains(people, m.login) {
			teams[m.team] = true
		}
	}
	if len(people) > 0 {
		who := fmt.Sprintf("%d people", len(people))
		if len(people) <= 5 {
			who = and(people)
		}
		parts = append(parts, fmt.Sprintf("%s lost the access of %s.", who, some(slices.Sorted(maps.Keys(teams)), 3)))
	}
	return strings.Join(parts, " ")
}

// cause says what most likely happened.
func (r result) cause() string {
	empty := len(r.after.Groups) == 0 && !slices.ContainsFunc(slices.Collect(maps.Values(r.after.Users)), func(u User) bool { return !u.Entra })
	switch {
	case empty:
		return "Most likely GitHub gave the function an empty list."
	case len(r.unspared()) > 0:
		return fmt.Sprintf("By operations.scim-sync.ignore_groups the function leaves %s alone. The function's own settings don't say so.", some(r.unspared(), 3))
	case r.teams != nil && r.agreed():
		return "GitHub doesn't have them any more either: it has changed since the plan was made."
	case r.announced():
		return "Most likely GitHub gave the function an incomplete list."
	}
	return "Most likely somebody else changed Identity Center, or the scheduled run did."
}

// unspared are the groups of which the run's own log announces a removal, although the
// settings say that the function leaves them alone.
func (r result) unspared() []string {
	var groups []string
	for _, c := range r.unplanned(r.changed) {
		if r.before.left(c.teamID) && slices.ContainsFunc(r.told.attempted, c.same) {
			groups = append(groups, c.group())
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// agreed tells whether GitHub, as it is now, has nothing of what was taken away.
func (r result) agreed() bool {
	return !slices.ContainsFunc(r.unplanned(r.changed), func(c change) bool {
		members, team := r.teams[c.team]
		switch {
		case r.before.left(c.teamID):
			return true // GitHub has no say in it
		case c.what == deleteUser:
			return r.teams.has(c.login)
		case c.what == deleteGroup:
			return team
		}
		return slices.Contains(members, c.login)
	})
}

// happened is the headline of a summary: "205 users and 42 groups were deleted that
// were not in the plan."; empty: nothing was.
func (l loss) happened() string {
	if l.count() == 0 {
		return ""
	}
	direct, _ := result{beyond: l}.directly()
	return headline("", direct)
}

// named lists users, groups and memberships by name, the first few of each.
func (l loss) named() string {
	var parts []string
	if len(l.users) > 0 {
		parts = append(parts, some(slices.Sorted(slices.Values(l.users)), 5))
	}
	for _, team := range slices.Sorted(slices.Values(l.groups)) {
		parts = append(parts, "group "+team)
	}
	direct, _ := result{beyond: l}.directly()
	var members []string
	for m := range direct.memberships {
		members = append(members, m.login+" in "+m.team)
	}
	slices.Sort(members)
	return some(append(parts, members...), 8)
}

// taken is the section of what was taken away and not planned: each user with the
// teams they leave, each group with its members, each membership.
func (r result) taken() ops.Section {
	section := ops.Section{Title: "Taken away, not in the plan"}
	teams := map[string][]string{}
	for _, m := range sortedPairs(r.beyond.memberships) {
		teams[m.login] = append(teams[m.login], m.team)
	}
	for _, c := range r.unplanned(r.changed) {
		o := ops.Outcome{State: ops.Beyond}
		switch {
		case c.what == deleteUser:
			o.Text = fmt.Sprintf("%s deleted (%s)", c.user(), c.userID)
			if len(teams[c.user()]) > 0 {
				o.Why = "left " + and(teams[c.user()])
			}
		case c.what == deleteGroup:
			o.Text, o.Why = fmt.Sprintf("%s: group deleted (%s)", c.group(), c.teamID), c.with()
		case slices.Contains(r.beyond.users, c.user()):
			continue // it is named with the user
		default:
			o.Text = fmt.Sprintf("%s removed from %s (membership %s)", c.user(), c.group(), c.membershipID)
		}
		section.Outcomes = append(section.Outcomes, o)
	}
	return section
}

// added is the section of what was added and not planned, which takes nothing from
// anybody.
func (r result) added() ops.Section {
	section := ops.Section{Title: "Added meanwhile, not in the plan"}
	for _, c := range r.changed {
		if c.takes() || slices.ContainsFunc(r.expected, c.same) {
			continue
		}
		text := c.subject() + " created"
		switch c.what {
		case createGroup:
			text = c.group() + ": group created"
		case join:
			text = c.user() + " added to " + c.group()
		}
		section.Outcomes = append(section.Outcomes, ops.Outcome{Text: text})
	}
	return section
}

// takes tells whether a change takes something away.
func (c change) takes() bool { return c.what == deleteUser || c.what == deleteGroup || c.what == leave }
