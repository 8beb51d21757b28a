package githubtest

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strconv"
	"time"
)

const (
	userTokenLife    = 8 * time.Hour
	refreshTokenLife = 15897600 * time.Second // six months

	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	refreshGrant = "refresh_token"

	docOAuth = "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/"
)

// UserToken is a token that lets an App act for a person, who got it through the device flow or a refresh.
type UserToken struct {
	// Text is what clients send: "ghu_…".
	Text string
	// Login is the person's.
	Login string
	// ClientID is the App's.
	ClientID string
	// Made and Expires are by Options.Now; RevokeToken may end it before.
	Made, Expires time.Time
}

// userToken is a user access token and the refresh token that came with it.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
type userToken struct {
	text, refresh string // the latter empty once it's used
	by            *user
	app           *App
	made          time.Time
	repositories  []string
}

// UserTokens lists every user access token that was ever given out, oldest first. CallsWith tells what each was used for.
func (s *Server) UserTokens() []UserToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []UserToken{}
	for _, t := range s.userTokens {
		list = append(list, UserToken{Text: t.text, Login: t.by.login, ClientID: t.app.ClientID, Made: t.made, Expires: t.made.Add(userTokenLife)})
	}
	return list
}

// issue makes a user access token.
func (s *Server) issue(app *App, by *user, repositories []string) *userToken {
	refresh := "ghr_" + rand.Text() + rand.Text() + rand.Text()
	t := &userToken{
		text: "ghu_" + rand.Text() + rand.Text()[:10], refresh: refresh[:80], by: by, app: app,
		made: s.options.Now().Truncate(time.Second), repositories: repositories,
	}
	s.userTokens = append(s.userTokens, t)
	s.tokens[t.text] = &token{user: by, app: app, expires: t.made.Add(userTokenLife), repositories: repositories}
	return t
}

func (t *userToken) json() map[string]any {
	return map[string]any{
		"access_token":             t.text,
		"expires_in":               int(userTokenLife.Seconds()),
		"refresh_token":            t.refresh,
		"refresh_token_expires_in": int(refreshTokenLife.Seconds()),
		"scope":                    "",
		"token_type":               "bearer",
	}
}

// restricted is the repository that a token is asked for; nil, all, where none is or it isn't the App's.
func (s *Server) restricted(r *request, app *App) []string {
	id, err := strconv.ParseInt(r.parameter("repository_id"), 10, 64)
	if err != nil {
		return nil
	}
	list, _ := s.narrow(app, nil, []int64{id})
	return namesOf(list)
}

// createUserToken is the endpoint of every OAuth flow; the web application flow isn't here. Errors are a 200.
// https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-oauth-app-access-token-request-errors
func createUserToken(s *Server, r *request) answer {
	app := s.client(r.parameter("client_id"))
	if app == nil {
		return r.oauthError("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.", docOAuth+"#incorrect-client-credentials")
	}
	switch grant := r.parameter("grant_type"); grant {
	case deviceGrant:
		return s.poll(r, app)
	case refreshGrant:
		return s.refresh(r, app)
	case "", "authorization_code":
		s.problem("%s %s: githubtest doesn't know the web application flow (grant_type %q)", r.Method, r.URL.Path, grant)
		return r.oauthError("bad_verification_code", "The code passed is incorrect or expired.", docOAuth+"#bad-verification-code")
	}
	return r.oauthError("unsupported_grant_type", "The grant_type provided is not supported.", docDevice)
}

// refresh exchanges a refresh token for a new pair. The old pair ends. No secret is asked for, for all tokens here come
// from the device flow.
func (s *Server) refresh(r *request, app *App) answer {
	i := slices.IndexFunc(s.userTokens, func(t *userToken) bool {
		return t.refresh != "" && t.refresh == r.parameter("refresh_token") && t.app.ID == app.ID && s.tokens[t.text] != nil
	})
	if i < 0 || !s.options.Now().Before(s.userTokens[i].made.Add(refreshTokenLife)) {
		return r.oauthError("bad_refresh_token", "The refresh token passed is incorrect or expired.", docOAuth+"#bad-refresh-token")
	}
	old := s.userTokens[i]
	delete(s.tokens, old.text)
	old.refresh = ""
	return r.form(http.StatusOK, s.issue(app, old.by, old.repositories).json())
}
