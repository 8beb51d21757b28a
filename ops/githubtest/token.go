package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// token is a credential that isn't a JSON web token: a person's, an installation's or, with both, a person's through an
// App, who may what both may.
type token struct {
	user   *user
	app    *App
	scopes []string
	// permissions are a fine-grained token's, or an installation token's that asked for less than the App has; nil: all
	// of that, or what AddToken says.
	permissions  map[string]string
	repositories []string  // the same of repositories; nil: all
	expires      time.Time // zero: never
}

// AddToken makes a personal access token for the login, who is added to GitHub and to the organisation where missing
// (RemoveFromOrganization makes it a stranger's token). With scopes it's a classic one, which reads teams and
// memberships only if it has read:org, write:org or admin:org; without, a fine-grained one with organisation permission
// "members", which reaches no repository that isn't public (AddFineGrainedToken makes one that does); classic ones need
// repo for that, and their login a place in the repository. A token that is there already changes hands. An empty token panics.
// https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens
func (s *Server) AddToken(text, login string, scopes ...string) {
	s.edit(func() {
		if text == "" {
			panic("githubtest: AddToken: empty token")
		}
		u := s.ensureUser(login)
		s.join(u)
		s.tokens[text] = &token{user: u, scopes: slices.Clone(scopes)}
	})
}

// RevokeToken ends a personal, a user access or an installation token: 401 from now on. A user access token takes its
// refresh token along. One that isn't there is no error.
func (s *Server) RevokeToken(text string) {
	s.edit(func() { delete(s.tokens, text) })
}

// caller is who asks. The zero value is nobody.
type caller struct {
	token     *token
	user      *user
	app       *App
	installed bool // as an installation, neither for a person nor with a JSON web token
	graph     bool // through GraphQL, which has an hourly limit of its own
}

// signed reports whether the caller is an App with its JSON web token.
func (c caller) signed() bool { return c.app != nil && c.token == nil }

// classic reports whether the caller has a personal access token that goes by scopes.
func (c caller) classic() bool { return c.token != nil && len(c.token.scopes) > 0 }

// scoped reports whether a classic token has any of the scopes.
func (c caller) scoped(scopes ...string) bool {
	return slices.ContainsFunc(c.token.scopes, func(scope string) bool { return slices.Contains(scopes, scope) })
}

func (c caller) name() string {
	switch {
	case c.user != nil:
		return c.user.login
	case c.app != nil:
		return c.app.Slug + "[bot]"
	}
	return ""
}

// key names the caller's rate limit: all tokens of a user share one, those through Apps included.
func (c caller) key() string {
	if c.graph {
		c.graph = false
		if key := c.key(); key != "" {
			return key + " graphql"
		}
	}
	switch {
	case c.user != nil:
		return fmt.Sprintf("user %d", c.user.id)
	case c.installed:
		return fmt.Sprintf("installation %d", c.app.InstallationID)
	case c.app != nil:
		return fmt.Sprintf("app %d", c.app.ID)
	}
	return ""
}

// may reports whether an installation, or an App for a person, has the permission, at least to read.
func (c caller) may(permission string) bool {
	if c.token.permissions != nil && c.token.permissions[permission] == "" {
		return false
	}
	return c.app.Permissions[permission] != ""
}

// sees reports whether the caller may read the organisation's teams and concealed members. The caller holds mu.
func (s *Server) sees(c caller) bool {
	if c.installed {
		return c.may("members")
	}
	m := s.org.members[c.user]
	if m == nil || m.pending {
		return false
	}
	if c.app != nil {
		return c.may("members")
	}
	if c.token.permissions != nil {
		return c.token.permissions["members"] != ""
	}
	return !c.classic() || c.scoped("read:org", "write:org", "admin:org")
}

// bearer is the scheme and the token of a request.
func bearer(r *http.Request) (scheme, text string) {
	scheme, text, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	return scheme, strings.TrimSpace(text)
}

// authenticate is who asks, or what GitHub says with its 401. The caller holds mu.
// https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
func (s *Server) authenticate(r *http.Request) (caller, string) {
	scheme, text := bearer(r)
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") || text == "" {
		return caller{}, badCredentials
	}
	if t := s.tokens[text]; t != nil {
		if !t.expires.IsZero() && !s.options.Now().Before(t.expires) {
			return caller{}, badCredentials
		}
		who := caller{token: t, user: t.user, installed: t.user == nil}
		if t.app != nil {
			who.app = s.apps[t.app.ID]
		}
		return who, ""
	}
	if strings.Count(text, ".") == 2 && strings.EqualFold(scheme, "Bearer") {
		app, bad := s.verify(text)
		return caller{app: app}, bad
	}
	return caller{}, badCredentials
}
