package githubtest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// user is a person on GitHub. The ID stays when the login changes.
type user struct {
	id      int64
	login   string
	created time.Time
	bot     bool // an App's
}

var loginForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,38}$`)

// AddUser puts a person on GitHub, outside the organisation, and returns their numeric ID. One who is there already (in
// any case) stays as they are. A login that GitHub wouldn't have panics.
func (s *Server) AddUser(login string) (id int64) {
	s.edit(func() { id = s.ensureUser(login).id })
	return id
}

// RenameUser gives a person another login; their ID, memberships and tokens stay. The old login answers 404, and
// whoever is added under it next is somebody else. It panics where there's no such user or the new login is taken.
// https://docs.github.com/en/account-and-profile/setting-up-and-managing-your-personal-account-on-github/managing-personal-account-settings/changing-your-github-username
func (s *Server) RenameUser(login, to string) {
	s.edit(func() {
		u := s.users[strings.ToLower(login)]
		if u == nil {
			panic(fmt.Sprintf("githubtest: RenameUser: no user %q", login))
		}
		if other := s.users[strings.ToLower(to)]; other != nil && other != u {
			panic(fmt.Sprintf("githubtest: RenameUser: %q is taken", to))
		}
		delete(s.users, strings.ToLower(login))
		u.login = checkLogin(to)
		s.users[strings.ToLower(to)] = u
	})
}

// ID is the numeric ID of a login, that of an App's bot and of the organisation too. It panics where there's none.
func (s *Server) ID(login string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if strings.EqualFold(login, s.org.login) {
		return s.org.id
	}
	u := s.lookUp(login)
	if u == nil {
		panic(fmt.Sprintf("githubtest: ID: no user %q", login))
	}
	return u.id
}

// Users lists every login, sorted.
func (s *Server) Users() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, u := range s.users {
		list = append(list, u.login)
	}
	slices.Sort(list)
	return list
}

// ensureUser is the user of that login, added where missing. The caller holds mu.
func (s *Server) ensureUser(login string) *user {
	u := s.users[strings.ToLower(login)]
	if u == nil {
		u = &user{id: s.nextID(), login: checkLogin(login), created: s.options.Now()}
		s.users[strings.ToLower(login)] = u
	}
	return u
}

func checkLogin(login string) string {
	if !loginForm.MatchString(login) {
		panic(fmt.Sprintf("githubtest: %q isn't a GitHub login", login))
	}
	return login
}

// simple is the user as lists have it.
func (u *user) simple(s *Server) map[string]any {
	api := s.url + "users/" + url.PathEscape(u.login)
	m := map[string]any{
		"login":             u.login,
		"id":                u.id,
		"node_id":           node("User", u.id),
		"avatar_url":        fmt.Sprintf("https://avatars.githubusercontent.com/u/%d?v=4", u.id),
		"gravatar_id":       "",
		"url":               api,
		"html_url":          "https://github.com/" + u.login,
		"organizations_url": api + "/orgs",
		"repos_url":         api + "/repos",
		"type":              "User",
		"user_view_type":    "public",
		"site_admin":        false,
	}
	if u.bot {
		m["type"], m["node_id"] = "Bot", node("Bot", u.id)
		m["html_url"] = "https://github.com/apps/" + strings.TrimSuffix(u.login, "[bot]")
	}
	return m
}

// full is the user as an endpoint of its own has it: without a name and e-mail address, as most are.
func (u *user) full(s *Server) map[string]any {
	m := u.simple(s)
	for _, key := range []string{"name", "company", "location", "email", "hireable", "bio", "twitter_username"} {
		m[key] = nil
	}
	m["blog"] = ""
	for _, key := range []string{"public_repos", "public_gists", "followers", "following"} {
		m[key] = 0
	}
	m["created_at"], m["updated_at"] = stamp(u.created), stamp(u.created)
	return m
}

func getAuthenticatedUser(s *Server, r *request) answer {
	if r.who.user == nil {
		return refuse(http.StatusForbidden, notByIntegration, r.route.doc)
	}
	return answer{status: http.StatusOK, body: r.who.user.full(s)}
}

// getUser finds organisations and Apps' bots too, for they share the logins: only "type" tells them apart.
func getUser(s *Server, r *request) answer {
	login := r.parameters["login"]
	if strings.EqualFold(login, s.org.login) {
		return answer{status: http.StatusOK, body: s.org.owner(s)}
	}
	u := s.lookUp(login)
	if u == nil {
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: u.full(s)}
}

// getUserByID is getUser by what stays when a login changes. What isn't a number is another endpoint ("/user/repos").
func getUserByID(s *Server, r *request) answer {
	id, err := strconv.ParseInt(r.parameters["account_id"], 10, 64)
	if err != nil {
		return r.unknown(s)
	}
	if id == s.org.id {
		return answer{status: http.StatusOK, body: s.org.owner(s)}
	}
	for _, u := range s.users {
		if u.id == id {
			return answer{status: http.StatusOK, body: u.full(s)}
		}
	}
	for _, app := range s.apps {
		if app.bot != nil && app.bot.id == id {
			return answer{status: http.StatusOK, body: app.bot.full(s)}
		}
	}
	return r.notFound()
}

// node is a global node ID, in the older of GitHub's two forms.
func node(kind string, id int64) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "0%d:%s%d", len(kind), kind, id))
}

// stamp writes a time as GitHub does: UTC, whole seconds.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
