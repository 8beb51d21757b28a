package githubtest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

const notByToken = "Resource not accessible by personal access token"

// AddFineGrainedToken makes a fine-grained personal access token for the login, who is added as AddToken adds them. It
// may what the permissions say ({"contents": "write", "pull_requests": "write"}; "members" is the organisation's) and its
// owner may too, in the repositories named ("name" or "owner/name"; none named: all that its owner sees).
// https://docs.github.com/en/rest/authentication/permissions-required-for-fine-grained-personal-access-tokens
func (s *Server) AddFineGrainedToken(text, login string, permissions map[string]string, repositories ...string) {
	s.AddToken(text, login)
	s.edit(func() {
		t := &token{user: s.ensureUser(login), permissions: maps.Clone(permissions), repositories: slices.Clone(repositories)}
		if t.permissions == nil {
			t.permissions = map[string]string{}
		}
		s.tokens[text] = t
	})
}

// repositoryPermissions are those of which any brings "metadata" along.
var repositoryPermissions = []string{"metadata", "contents", "pull_requests", "issues", "administration", "checks", "statuses", "workflows"}

// need is one permission that lets a call through.
type need struct{ permission, level string }

// needed reads a route's needs: "contents:write", or several of which one is enough, "issues:read|pull_requests:read".
func needed(text string) []need {
	var list []need
	for alternative := range strings.SplitSeq(text, "|") {
		permission, level, _ := strings.Cut(alternative, ":")
		list = append(list, need{permission, level})
	}
	return list
}

// has reports whether an installation or a fine-grained token was given the permission at that level.
func (c caller) has(n need) bool {
	level := func(permissions map[string]string) int {
		if n.permission == "metadata" && anyOf(permissions) {
			return ranks["read"]
		}
		return ranks[permissions[n.permission]]
	}
	if c.token.permissions != nil && level(c.token.permissions) < ranks[n.level] {
		return false
	}
	return c.app == nil || level(c.app.Permissions) >= ranks[n.level]
}

// names reports whether a list of repositories has this one; nil is all.
func names(list []string, in *repository) bool {
	return list == nil || slices.ContainsFunc(list, func(name string) bool {
		return strings.EqualFold(name, in.name) || strings.EqualFold(name, in.fullName())
	})
}

// reaches reports whether the token or installation is for this repository at all.
func (s *Server) reaches(c caller, in *repository) bool {
	switch {
	case c.installed:
		return in.owner == s.org.login && names(c.app.Repositories, in) && names(c.token.repositories, in)
	case s.roleIn(in, c.user) == "":
		return false
	case c.app != nil:
		return in.owner == s.org.login && names(c.app.Repositories, in) && names(c.token.repositories, in)
	case !c.classic():
		return c.token.permissions != nil && names(c.token.repositories, in)
	}
	return c.scoped("repo") || in.public && c.scoped("public_repo")
}

// admit finds the repository of a call and lets the caller in, or says what GitHub says: 404 to those who may not know of
// it, 403 to those who may and whose permissions don't reach.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#404-not-found-for-an-existing-resource
func (s *Server) admit(r *request) (answer, bool) {
	in := s.repositoryOf(r.parameters)
	if in == nil {
		return r.notFound(), false
	}
	r.repository = in
	needs := needed(r.route.needs)
	reading := needs[0].level == "read"
	classic := r.who.classic()
	forbidden := refuse(http.StatusForbidden, notByIntegration, r.route.doc)
	if r.who.app == nil {
		forbidden = refuse(http.StatusForbidden, notByToken, r.route.doc)
	}
	reaches := s.reaches(r.who, in)
	switch {
	case reading && in.public:
		return answer{}, true
	case !reaches && (classic || !in.public):
		return r.notFound(), false
	case !reaches:
		return forbidden, false
	case !classic && !slices.ContainsFunc(needs, r.who.has):
		if !in.public && !r.who.has(need{"metadata", "read"}) {
			return r.notFound(), false
		}
		return forbidden, false
	}
	if r.who.user != nil && !r.route.readers && ranks[s.roleIn(in, r.who.user)] < ranks[needs[0].level] {
		if classic {
			return r.notFound(), false
		}
		return forbidden, false
	}
	return answer{}, true
}

// accepted is the X-Accepted-GitHub-Permissions of a route.
func accepted(needs string) string {
	return strings.NewReplacer(":", "=", "|", "; ").Replace(needs)
}
