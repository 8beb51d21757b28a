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

type team struct {
	id      int64
	slug    string
	name    string
	parent  *team
	created time.Time
	members map[*user]*teamMember
}

// AddTeam makes a team and returns its numeric ID; with a parent, a child team, whose members are the parent's too. The
// slug is made of what is given as GitHub makes it of a name: lower case, with hyphens for all but letters, digits, "_"
// and ".". A team that is there already stays and moves below the parent where one is given. It panics where there's no
// such parent, where a team would be its own ancestor, and on more than one parent.
// https://docs.github.com/en/organizations/organizing-members-into-teams/about-teams#nested-teams
func (s *Server) AddTeam(slug string, parent ...string) (id int64) {
	s.edit(func() {
		if len(parent) > 1 {
			panic(fmt.Sprintf("githubtest: AddTeam %q: %d parents", slug, len(parent)))
		}
		key := slugOf(slug)
		if key == "" {
			panic(fmt.Sprintf("githubtest: AddTeam: %q makes no slug", slug))
		}
		t := s.teams[key]
		if t == nil {
			t = &team{slug: key, name: slug, created: s.options.Now(), members: map[*user]*teamMember{}}
		}
		for _, name := range parent {
			above := s.team("AddTeam", name)
			if slices.Contains(above.line(), t) {
				panic(fmt.Sprintf("githubtest: AddTeam: %s would be its own ancestor", key))
			}
			t.parent = above
		}
		if t.id == 0 {
			t.id = s.nextID()
			s.teams[key] = t
		}
		id = t.id
	})
	return id
}

// RemoveTeam deletes a team and, as GitHub does, its child teams. It panics where there's none.
func (s *Server) RemoveTeam(slug string) {
	s.edit(func() {
		gone := s.team("RemoveTeam", slug)
		for key, t := range s.teams {
			if slices.Contains(t.line(), gone) {
				delete(s.teams, key)
			}
		}
	})
}

// Teams is every team's active members by slug, those of child teams included, sorted: what GraphQL's Team.members and
// so the sync function sees. Teams without members are there too, with an empty list.
// https://docs.github.com/en/graphql/reference/enums#teammembershiptype
func (s *Server) Teams() map[string][]string {
	return s.logins((*team).everyone)
}

// Direct is every team's own active members by slug, without those of child teams, sorted.
func (s *Server) Direct() map[string][]string {
	return s.logins(func(t *team, _ *Server) map[*user]*teamMember { return t.own(false) })
}

// Pending is who has been invited to a team and not accepted, by slug, sorted. Teams without such are left out.
func (s *Server) Pending() map[string][]string {
	all := s.logins(func(t *team, _ *Server) map[*user]*teamMember { return t.own(true) })
	for slug, list := range all {
		if len(list) == 0 {
			delete(all, slug)
		}
	}
	return all
}

func (s *Server) logins(of func(*team, *Server) map[*user]*teamMember) map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string][]string, len(s.teams))
	for slug, t := range s.teams {
		all[slug] = []string{}
		for _, u := range sorted(of(t, s)) {
			all[slug] = append(all[slug], u.login)
		}
	}
	return all
}

// team is the team of that slug or name; it panics in the name of the method where there's none. The caller holds mu.
func (s *Server) team(method, slug string) *team {
	t := s.teams[slugOf(slug)]
	if t == nil {
		panic(fmt.Sprintf("githubtest: %s: no team %q", method, slug))
	}
	return t
}

func slugOf(name string) string {
	slug := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '.':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name)
	for strings.Contains(slug, "--") {
		slug = strings.ReplaceAll(slug, "--", "-")
	}
	return strings.Trim(slug, "-")
}

// line is the team and its ancestors.
func (t *team) line() []*team {
	var list []*team
	for ; t != nil; t = t.parent {
		list = append(list, t)
	}
	return list
}

// own is the team's direct members, active or pending.
func (t *team) own(pending bool) map[*user]*teamMember {
	list := map[*user]*teamMember{}
	for u, m := range t.members {
		if m.pending == pending {
			list[u] = m
		}
	}
	return list
}

// everyone is the active members of the team and of all below it; in one's own team counts for the role.
func (t *team) everyone(s *Server) map[*user]*teamMember {
	list := t.own(false)
	for _, below := range s.teams {
		if below == t || !slices.Contains(below.line(), t) {
			continue
		}
		for u := range below.own(false) {
			if list[u] == nil {
				list[u] = &teamMember{}
			}
		}
	}
	return list
}

// team is the one that the path names, by slug or number; nil where there's none or the caller may not know of it.
func (r *request) team(s *Server) *team {
	if r.organization(s) == nil || !s.sees(r.who) {
		return nil
	}
	if slug := r.parameters["team"]; slug != "" {
		return s.teams[strings.ToLower(slug)]
	}
	for _, t := range s.teams {
		if r.parameters["team_id"] == strconv.FormatInt(t.id, 10) {
			return t
		}
	}
	return nil
}

// bare is the team without its parent, as parents are shown.
func (t *team) bare(s *Server) map[string]any {
	api := fmt.Sprintf("%sorganizations/%d/team/%d", s.url, s.org.id, t.id)
	return map[string]any{
		"id":                   t.id,
		"node_id":              node("Team", t.id),
		"name":                 t.name,
		"slug":                 t.slug,
		"description":          "",
		"privacy":              "closed",
		"notification_setting": "notifications_enabled",
		"permission":           "pull",
		"url":                  api,
		"html_url":             fmt.Sprintf("https://github.com/orgs/%s/teams/%s", s.org.login, t.slug),
		"members_url":          api + "/members{/member}",
		"repositories_url":     api + "/repos",
	}
}

func (t *team) simple(s *Server) map[string]any {
	m := t.bare(s)
	m["parent"] = nil
	if t.parent != nil {
		m["parent"] = t.parent.bare(s)
	}
	return m
}

func listTeams(s *Server, r *request) answer {
	o := r.organization(s)
	if o == nil {
		return r.notFound()
	}
	if !s.sees(r.who) {
		return refuse(http.StatusForbidden, "Must have admin rights to Repository.", r.route.doc)
	}
	var teams []*team
	for _, t := range s.teams {
		teams = append(teams, t)
	}
	slices.SortFunc(teams, func(a, b *team) int { return cmp.Compare(a.slug, b.slug) })
	var list []map[string]any
	for _, t := range teams {
		list = append(list, t.simple(s))
	}
	return page(s, r, fmt.Sprintf("organizations/%d/teams", o.id), list)
}

func getTeam(s *Server, r *request) answer {
	t := r.team(s)
	if t == nil {
		return r.notFound()
	}
	m := t.simple(s)
	m["members_count"], m["repos_count"] = len(t.everyone(s)), 0
	m["created_at"], m["updated_at"] = stamp(t.created), stamp(t.created)
	m["organization"] = s.org.full(s)
	return answer{status: http.StatusOK, body: m}
}
