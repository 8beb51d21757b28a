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

	teamID, userID, membershipID string
	members                      []string // of a group that is deleted
}

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
			changes = append(changes, change{what: deleteGroup, team: name, teamID: id, members: have.membersOf(id)})
		}
	}
	for id, user := range have.Users {
		if !wanted[user.Login] && !user.Entra {
			changes = append(changes, change{what: deleteUser, login: user.Login, userID: id})
		}
	}
	for login := range wanted {
		if _, ok := users[login]; !ok {
			changes = append(changes, change{what: createUser, login: login})
		}
	}
	for id, m := range have.Memberships {
		team, login := have.Groups[m.Group], have.Users[m.User].Login
		members, kept := teams[team]
		deleted := !wanted[login] && !have.Users[m.User].Entra
		if kept && !deleted && !slices.Contains(members, login) {
			changes = append(changes, change{what: leave, team: team, login: login, teamID: m.Group, userID: m.User, membershipID: id})
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

// happened is what differs between two readings of Identity Center. Who lost a
// membership with their group or their user is not listed again.
func happened(before, after Directory) []change {
	var changes []change
	had, has := before.logins(), after.logins()
	for login, id := range has {
		if had[login] == "" {
			changes = append(changes, change{what: createUser, login: login, userID: id})
		}
	}
	for login, id := range had {
		if has[login] == "" {
			changes = append(changes, change{what: deleteUser, login: login, userID: id})
		}
	}
	was, is := before.teams(), after.teams()
	for team, id := range is {
		if was[team] == "" {
			changes = append(changes, change{what: createGroup, team: team, teamID: id})
		}
	}
	for team, id := range was {
		if is[team] == "" {
			changes = append(changes, change{what: deleteGroup, team: team, teamID: id, members: before.membersOf(id)})
		}
	}
	in, now := before.pairs(), after.pairs()
	for pair, id := range now {
		if in[pair] == "" {
			m := after.Memberships[id]
			changes = append(changes, change{what: join, team: pair.team, login: pair.login, teamID: m.Group, userID: m.User, membershipID: id})
		}
	}
	for pair, id := range in {
		if now[pair] == "" && is[pair.team] != "" && has[pair.login] != "" {
			m := before.Memberships[id]
			changes = append(changes, change{what: leave, team: pair.team, login: pair.login, teamID: m.Group, userID: m.User, membershipID: id})
		}
	}
	return sorted(changes)
}

// deletions counts what people lose: groups and their members, users, and
// memberships. A deleted user counts once, whatever teams they were in.
func deletions(changes []change) int {
	gone := map[string]bool{}
	for _, c := range changes {
		if c.what == deleteUser {
			gone[c.login] = true
		}
	}
	n := 0
	for _, c := range changes {
		switch c.what {
		case deleteGroup:
			n++
			for _, login := range c.members {
				if !gone[login] {
					n++
				}
			}
		case deleteUser, leave:
			n++
		}
	}
	return n
}

// effect is the change as a plan shows it.
func (c change) effect(suffix string) string {
	switch c.what {
	case createGroup:
		return fmt.Sprintf("Create group %s", c.team)
	case createUser:
		return fmt.Sprintf("Create user %s%s", c.login, suffix)
	case join:
		return fmt.Sprintf("Add %s to team %s", named(c.login, c.userID, "new user"), named(c.team, c.teamID, "new group"))
	case leave:
		return fmt.Sprintf("Remove %s from team %s, membership %s", named(c.login, c.userID, ""), named(c.team, c.teamID, ""), c.membershipID)
	case deleteGroup:
		text := fmt.Sprintf("Delete group %s", named(c.team, c.teamID, ""))
		switch len(c.members) {
		case 0:
			return text + ", which has no members"
		case 1:
			return text + ", with 1 member: " + c.members[0]
		default:
			return fmt.Sprintf("%s, with %d members: %s", text, len(c.members), strings.Join(c.members, ", "))
		}
	default:
		return fmt.Sprintf("Delete user %s%s (%s)", c.login, suffix, c.userID)
	}
}

// done is the change as a report tells it, under the heading of its team.
func (c change) done() string {
	switch c.what {
	case createGroup:
		return "group created"
	case createUser:
		return c.login + " created"
	case join:
		return c.login + " added"
	case leave:
		return c.login + " removed"
	case deleteGroup:
		return "group deleted"
	default:
		return c.login + " deleted"
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

// order is that of a plan: what takes away comes first, because it is what
// whoever reads it must not miss.
var order = []string{deleteUser, deleteGroup, leave, createGroup, createUser, join}

func sorted(changes []change) []change {
	slices.SortFunc(changes, func(a, b change) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.what), slices.Index(order, b.what)),
			cmp.Compare(a.team, b.team), cmp.Compare(a.login, b.login), cmp.Compare(a.membershipID, b.membershipID))
	})
	return changes
}

// membersOf is the logins of a group's members, sorted.
func (d Directory) membersOf(group string) []string {
	var logins []string
	for _, m := range d.Memberships {
		if m.Group == group {
			logins = append(logins, d.Users[m.User].Login)
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

// pairs is the MembershipIds by who is in which team.
func (d Directory) pairs() map[pair]string {
	pairs := map[pair]string{}
	for id, m := range d.Memberships {
		pairs[pair{d.Groups[m.Group], d.Users[m.User].Login}] = id
	}
	return pairs
}
