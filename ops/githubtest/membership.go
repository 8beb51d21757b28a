package githubtest

import (
	"fmt"
	"net/http"
	"strings"
)

// teamMember is somebody's place in a team; the zero value is a plain active member.
type teamMember struct{ maintainer, pending bool }

// AddMember puts the login in the team, as an active member, and in the organisation; both at once, without an
// invitation. One who was invited accepts. A login that GitHub doesn't have is added; a team that isn't there panics.
func (s *Server) AddMember(slug, login string) { s.enrol("AddMember", slug, login, teamMember{}) }

// AddMaintainer is AddMember with the role "maintainer".
func (s *Server) AddMaintainer(slug, login string) {
	s.enrol("AddMaintainer", slug, login, teamMember{maintainer: true})
}

// AddPending invites the login to the team: the membership is there, its state is "pending", and no list of members has
// it. One who isn't in the organisation is invited there too; one who is an active member of the team no longer is.
// https://docs.github.com/en/rest/teams/members#get-team-membership-for-a-user
func (s *Server) AddPending(slug, login string) {
	s.enrol("AddPending", slug, login, teamMember{pending: true})
}

// RemoveMember takes the login, active or invited, out of the team itself; in the organisation and in child teams they
// stay. One who isn't there is no error; a team that isn't there panics.
func (s *Server) RemoveMember(slug, login string) {
	s.edit(func() {
		delete(s.team("RemoveMember", slug).members, s.users[strings.ToLower(login)])
	})
}

func (s *Server) enrol(method, slug, login string, m teamMember) {
	s.edit(func() {
		t, u := s.team(method, slug), s.ensureUser(login)
		switch {
		case !m.pending:
			s.join(u)
		case s.org.members[u] == nil:
			s.org.members[u] = &orgMember{pending: true}
		}
		t.members[u] = &m
	})
}

// role is a member's role in a team: owners of the organisation are maintainers wherever they are.
func (s *Server) role(u *user, m *teamMember) string {
	if o := s.org.members[u]; m.maintainer || o != nil && o.owner && !o.pending {
		return "maintainer"
	}
	return "member"
}

func listTeamMembers(s *Server, r *request) answer {
	t := r.team(s)
	if t == nil {
		return r.notFound()
	}
	role, ok := choice(r, "role", "all", "member", "maintainer")
	if !ok {
		return refuse(http.StatusUnprocessableEntity, "Validation Failed", r.route.doc)
	}
	everyone := t.everyone(s)
	var list []map[string]any
	for _, u := range sorted(everyone) {
		if role == "all" || role == s.role(u, everyone[u]) {
			list = append(list, u.simple(s))
		}
	}
	return page(s, r, fmt.Sprintf("organizations/%d/team/%d/members", s.org.id, t.id), list)
}

func getTeamMembership(s *Server, r *request) answer {
	t, u := r.team(s), s.users[strings.ToLower(r.parameters["login"])]
	if t == nil || u == nil {
		return r.notFound()
	}
	m, state := t.everyone(s)[u], "active"
	if m == nil {
		m, state = t.members[u], "pending"
	}
	if m == nil {
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: map[string]any{
		"url":   fmt.Sprintf("%sorganizations/%d/team/%d/memberships/%s", s.url, s.org.id, t.id, u.login),
		"role":  s.role(u, m),
		"state": state,
	}}
}
