package githubtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// organization is the one there is.
type organization struct {
	id      int64
	login   string
	created time.Time
	members map[*user]*orgMember
	saml    bool // it has an identity provider
}

type orgMember struct{ owner, pending bool }

func (m *orgMember) role() string {
	if m.owner {
		return "admin"
	}
	return "member"
}

func (m *orgMember) state() string {
	if m.pending {
		return "pending"
	}
	return "active"
}

// AddToOrganization makes the login a member of the organisation, without a team; one who was invited accepts.
func (s *Server) AddToOrganization(login string) {
	s.edit(func() { s.join(s.ensureUser(login)) })
}

// AddOwner makes the login an owner of the organisation: role "admin" there, "maintainer" in the teams they're in. It
// doesn't put them in any team.
func (s *Server) AddOwner(login string) {
	s.edit(func() {
		u := s.ensureUser(login)
		s.join(u)
		s.org.members[u].owner = true
	})
}

// RemoveFromOrganization takes the login out of the organisation and all its teams, as when somebody leaves; their
// account and tokens stay. One who isn't there is no error.
func (s *Server) RemoveFromOrganization(login string) {
	s.edit(func() {
		u := s.users[strings.ToLower(login)]
		delete(s.org.members, u)
		for _, t := range s.teams {
			delete(t.members, u)
		}
	})
}

// join makes the user an active member. The caller holds mu.
func (s *Server) join(u *user) {
	m := s.org.members[u]
	if m == nil {
		m = &orgMember{}
		s.org.members[u] = m
	}
	m.pending = false
}

// organization is the one that the path names, by login or number; nil where it's another.
func (r *request) organization(s *Server) *organization {
	login, id := r.parameters["org"], r.parameters["org_id"]
	if strings.EqualFold(login, s.org.login) || id == strconv.FormatInt(s.org.id, 10) {
		return s.org
	}
	return nil
}

// simple is the organisation as other objects have it.
func (o *organization) simple(s *Server) map[string]any {
	api := s.url + "orgs/" + o.login
	return map[string]any{
		"login":              o.login,
		"id":                 o.id,
		"node_id":            node("Organization", o.id),
		"url":                api,
		"repos_url":          api + "/repos",
		"members_url":        api + "/members{/member}",
		"public_members_url": api + "/public_members{/member}",
		"avatar_url":         fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", o.id),
		"description":        "",
	}
}

func (o *organization) full(s *Server) map[string]any {
	m := o.simple(s)
	m["name"] = o.login
	m["html_url"] = "https://github.com/" + o.login
	m["type"] = "Organization"
	m["has_organization_projects"], m["has_repository_projects"] = true, true
	for _, key := range []string{"public_repos", "public_gists", "followers", "following"} {
		m[key] = 0
	}
	m["created_at"], m["updated_at"] = stamp(o.created), stamp(o.created)
	return m
}

// owner is the organisation where a user could stand.
func (o *organization) owner(s *Server) map[string]any {
	m := (&user{id: o.id, login: o.login, created: o.created}).full(s)
	m["type"], m["node_id"] = "Organization", node("Organization", o.id)
	return m
}

func getOrganization(s *Server, r *request) answer {
	o := r.organization(s)
	if o == nil {
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: o.full(s)}
}

// listOrganizationMembers sends strangers, and tokens that may not read the organisation, to the public members.
func listOrganizationMembers(s *Server, r *request) answer {
	o := r.organization(s)
	if o == nil {
		return r.notFound()
	}
	if !s.sees(r.who) {
		a := answer{status: http.StatusFound}
		a.set("Location", fmt.Sprintf("%sorganizations/%d/public_members", s.url, o.id))
		return a
	}
	role, ok := choice(r, "role", "all", "admin", "member")
	if filter := r.URL.Query().Get("filter"); !ok || filter != "" && filter != "all" {
		return refuse(http.StatusUnprocessableEntity, "Validation Failed", r.route.doc)
	}
	var list []map[string]any
	for _, u := range sorted(o.members) {
		if m := o.members[u]; !m.pending && (role == "all" || role == m.role()) {
			list = append(list, u.simple(s))
		}
	}
	return page(s, r, fmt.Sprintf("organizations/%d/members", o.id), list)
}

// listPublicMembers is empty: memberships are concealed until a member says otherwise, and here nobody does.
func listPublicMembers(s *Server, r *request) answer {
	o := r.organization(s)
	if o == nil {
		return r.notFound()
	}
	return page(s, r, fmt.Sprintf("organizations/%d/public_members", o.id), nil)
}

func getOrganizationMembership(s *Server, r *request) answer {
	o := r.organization(s)
	u := s.users[strings.ToLower(r.parameters["login"])]
	if o == nil || u == nil {
		return r.notFound()
	}
	if !s.sees(r.who) {
		return refuse(http.StatusForbidden, fmt.Sprintf("You must be a member of %s to see membership information for %s.", o.login, u.login), r.route.doc)
	}
	m := o.members[u]
	if m == nil {
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: map[string]any{
		"url":              fmt.Sprintf("%sorgs/%s/memberships/%s", s.url, o.login, u.login),
		"state":            m.state(),
		"role":             m.role(),
		"organization_url": s.url + "orgs/" + o.login,
		"organization":     o.simple(s),
		"user":             u.simple(s),
	}}
}

// choice is a query parameter that has to be one of a few words; the first is what its absence means.
func choice(r *request, name string, words ...string) (string, bool) {
	value := cmp.Or(r.URL.Query().Get(name), words[0])
	return value, slices.Contains(words, value)
}

// sorted is the users of a map in the order of every list: by login, whatever its case.
func sorted[V any](m map[*user]V) []*user {
	var list []*user
	for u := range m {
		list = append(list, u)
	}
	slices.SortFunc(list, func(a, b *user) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.login), strings.ToLower(b.login)), cmp.Compare(a.id, b.id))
	})
	return list
}
