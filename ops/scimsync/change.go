package scimsync

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// change is one thing that differs between two states of Identity Center, or
// between GitHub and Identity Center. People and teams are told apart by name,
// because that is how the function does it; IDs are there where they exist.
type change struct {
	what  string // a name of the Vocabulary: createGroup … deleteUser
	team  string // empty for createUser and deleteUser
	login string // empty for createGroup and deleteGroup

	title, name string // of the group and the user as Identity Center has them; empty: it is the team, the login

	teamID, userID, membershipID string
	members                      []string // of a group that is deleted
}

// group and user are whom and what a change is about, as people find them.
func (c change) group() string { return cmp.Or(c.title, c.team) }

func (c change) user() string { return cmp.Or(c.name, c.login) }

// same tells whether two changes have the same result.
func (c change) same(d change) bool {
	return c.what == d.what && c.team == d.team && c.login == d.login
}

// intended is what the function will do with what GitHub says, by its own
// rules (see reference in the package comment).
func intended(teams Teams, have Directory) []change {
	var changes []change
	wanted := map[string]bool{}
	for _, members := range teams {
		for _, login := range members {
			wanted[login] = true
		}
	}
	groups, users, in := have.teams(), have.logins(), have.pairs()
	for id, name := range have.Groups {
		if _, ok := teams[name]; !ok {
			changes = append(changes, change{what: deleteGroup, team: name, title: have.Titles[id], teamID: id, members: have.membersOf(id)})
		}
	}
	for id, user := range have.Users {
		if !wanted[user.Login] && !user.Entra {
			changes = append(changes, change{what: deleteUser, login: user.Login, name: user.Name, userID: id})
		}
	}
	for login := range wanted {
		if _, ok := users[login]; !ok {
			changes = append(changes, change{what: createUser, login: login})
		}
	}
	// Who is deleted leaves their teams: each of these is a change of its own, which
	// stays the same whatever else becomes of the person.
	whole := have.whole()
	for id, m := range whole.Memberships {
		team, user := whole.Groups[m.Group], whole.Users[m.User]
		members, kept := teams[team]
		leaves := kept && !slices.Contains(members, user.Login)
		if have.left(m.Group) {
			leaves = !wanted[user.Login] && !user.Entra // with the user, whom the function deletes
		}
		if leaves {
			changes = append(changes, change{what: leave, team: team, login: user.Login, title: whole.Titles[m.Group], name: user.Name, teamID: m.Group, userID: m.User, membershipID: id})
		}
	}
	for team, members := range teams {
		if _, ok := groups[team]; !ok {
			changes = append(changes, change{what: createGroup, team: team})
		}
		for _, login := range members {
			if in[pair{team, login}] == "" {
				changes = append(changes, change{what: join, team: team, login: login, teamID: groups[team], userID: users[login]})
			}
		}
	}
	return sorted(changes)
}

// happened is what differs between two readings of Identity Center. It goes by
// IDs: a group that was deleted and made again is another one, without the access
// that the first one had. Who lost a membership with their group is named by the
// group's deletion.
func happened(before, after Directory) []change {
	var changes []change
	for id, user := range after.Users {
		if _, ok := before.Users[id]; !ok {
			changes = append(changes, change{what: createUser, login: user.Login, name: user.Name, userID: id})
		}
	}
	for id, user := range before.Users {
		if _, ok := after.Users[id]; !ok {
			changes = append(changes, change{what: deleteUser, login: user.Login, name: user.Name, userID: id})
		}
	}
	for id, team := range after.Groups {
		if _, ok := before.Groups[id]; !ok {
			changes = append(changes, change{what: createGroup, team: team, title: after.Titles[id], teamID: id})
		}
	}
	for id, team := range before.Groups {
		if _, ok := after.Groups[id]; !ok {
			changes = append(changes, change{what: deleteGroup, team: team, title: before.Titles[id], teamID: id, members: before.membersOf(id)})
		}
	}
	was, is := before.memberships(), after.memberships()
	for m, id := range is {
		if was[m] == "" {
			changes = append(changes, change{what: join, team: after.Groups[m.Group], login: after.Users[m.User].Login, title: after.Titles[m.Group], name: after.Users[m.User].Name, teamID: m.Group, userID: m.User, membershipID: id})
		}
	}
	for m, id := range was {
		if _, kept := after.Groups[m.Group]; kept && is[m] == "" {
			changes = append(changes, change{what: leave, team: before.Groups[m.Group], login: before.Users[m.User].Login, title: before.Titles[m.Group], name: before.Users[m.User].Name, teamID: m.Group, userID: m.User, membershipID: id})
		}
	}
	return sorted(changes)
}

// coveredBy tells whether people who were shown s have been shown c: it has the
// same result, for the same IDs where s has any, and takes nothing from anybody
// whom s doesn't name.
func (c change) coveredBy(s change) bool {
	same := func(shown, now string) bool { return shown == "" || shown == now }
	return c.same(s) && same(s.teamID, c.teamID) && same(s.userID, c.userID) && same(s.membershipID, c.membershipID) &&
		!slices.ContainsFunc(c.members, func(login string) bool { return !slices.Contains(s.members, login) })
}

// effects are the changes as a plan shows them. What people have been shown before
// reads as it did then: a user whom the run at hand has made has an ID by now, and a
// group that it is about to delete has lost members.
func effects(changes, shown []change, suffix string) []string {
	var texts []string
	for _, c := range changes {
		if i := slices.IndexFunc(shown, c.coveredBy); i >= 0 {
			c = shown[i]
		}
		texts = append(texts, c.effect(suffix))
	}
	return texts
}

// effect is the change as a plan shows it.
func (c change) effect(suffix string) string {
	switch c.what {
	case createGroup:
		return fmt.Sprintf("Create group %s", c.team)
	case createUser:
		return fmt.Sprintf("Create user %s%s", c.login, suffix)
	case join:
		return fmt.Sprintf("Add %s to team %s", named(c.user(), c.userID, "new user"), named(c.group(), c.teamID, "new group"))
	case leave:
		return fmt.Sprintf("Remove %s from team %s, membership %s", named(c.user(), c.userID, ""), named(c.group(), c.teamID, ""), c.membershipID)
	case deleteGroup:
		text := fmt.Sprintf("Delete group %s", named(c.group(), c.teamID, ""))
		switch len(c.members) {
		case 0:
			return text + ", which has no members"
		case 1:
			return text + ", with 1 member: " + c.members[0]
		default:
			return fmt.Sprintf("%s, with %d members: %s", text, len(c.members), strings.Join(c.members, ", "))
		}
	default:
		return fmt.Sprintf("Delete user %s (%s)", cmp.Or(c.name, c.login+suffix), c.userID)
	}
}

func named(name, id, without string) string {
	switch {
	case id != "":
		return name + " (" + id + ")"
	case without != "":
		return name + " (" + without + ")"
	}
	return name
}

// order is that of a plan: what takes away comes first, because readers must not
// miss it. The memberships of a deleted user stand before the deletion.
var order = []string{deleteUser, deleteGroup, leave, createGroup, createUser, join}

func sorted(changes []change) []change {
	gone := map[string]bool{}
	for _, c := range changes {
		if c.what == deleteUser {
			gone[c.login] = true
		}
	}
	leaver := func(c change) string {
		if gone[c.login] && (c.what == deleteUser || c.what == leave) {
			return c.login
		}
		return ""
	}
	rank := func(c change) int {
		if leaver(c) != "" {
			return 0
		}
		return slices.Index(order, c.what)
	}
	last := func(c change) int {
		if c.what == deleteUser {
			return 1
		}
		return 0
	}
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)), cmp.Compare(leaver(a), leaver(b)), cmp.Compare(last(a), last(b)),
			cmp.Compare(a.team, b.team), cmp.Compare(a.login, b.login), cmp.Compare(a.userID, b.userID), cmp.Compare(a.membershipID, b.membershipID))
	})
	return changes
}

// membersOf is the names of a group's members, for people, sorted.
func (d Directory) membersOf(group string) []string {
	var logins []string
	for _, m := range d.Memberships {
		if m.Group == group {
			logins = append(logins, d.Users[m.User].told())
		}
	}
	slices.Sort(logins)
	return logins
}

// logins is the UserIds by login.
func (d Directory) logins() map[string]string {
	logins := map[string]string{}
	for id, user := range d.Users {
		logins[user.Login] = id
	}
	return logins
}

// teams is the GroupIds by name.
func (d Directory) teams() map[string]string {
	teams := map[string]string{}
	for id, name := range d.Groups {
		teams[name] = id
	}
	return teams
}

// pair is who is in which team, by name.
type pair struct{ team, login string }

// memberships is the MembershipIds by group and user.
func (d Directory) memberships() map[Membership]string {
	ids := map[Membership]string{}
	for id, m := range d.Memberships {
		ids[m] = id
	}
	return ids
}

// pairs is the MembershipIds by who is in which team.
func (d Directory) pairs() map[pair]string {
	pairs := map[pair]string{}
	for id, m := range d.Memberships {
		pairs[pair{d.Groups[m.Group], d.Users[m.User].Login}] = id
	}
	return pairs
}
