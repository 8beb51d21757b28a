package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// token is a credential that isn't a JSON web token: a person's, or an installation's.
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

// RevokeToken ends a personal or an installation token: 401 from now on. One that isn't there is no error.
func (s *Server) RevokeToken(text string) {
	s.edit(func() { delete(s.tokens, text) })
}

// caller is who asks. The zero value is nobody.
type caller struct {
	token     *token
	user      *user
	app       *App
	installed bool // as an installation, not with a JSON web token
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

// key names the caller's rate limit: all tokens of a user share one.
func (c caller) key() string {
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

// may reports whether an installation has the permission, at least to read.
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
	if c.token.permissions != nil {
		return c.token.permissions["members"] != ""
	}
	return len(c.token.scopes) == 0 || slices.ContainsFunc(c.token.scopes, func(scope string) bool {
		return scope == "read:org" || scope == "write:org" || scope == "admin:org"
	})
}

// authenticate is who asks, or what GitHub says with its 401. The caller holds mu.
// https://docs.github.com/en/rest/authentication/authenticating-to-the-rest-api
func (s *Server) authenticate(r *http.Request) (caller, string) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	text = strings.TrimSpace(text)
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "token") || text == "" {
		return caller{}, badCredentials
	}
	if t := s.tokens[text]; t != nil {
		if !t.expires.IsZero() && !s.options.Now().Before(t.expires) {
			return caller{}, badCredentials
		}
		if t.app == nil {
			return caller{token: t, user: t.user}, ""
		}
		return caller{token: t, app: s.apps[t.app.ID], installed: true}, ""
	}
	if strings.Count(text, ".") == 2 && strings.EqualFold(scheme, "Bearer") {
		app, bad := s.verify(text)
		return caller{app: app}, bad
	}
	return caller{}, badCredentials
}
