package githubtest_test

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// authorized is a user access token for that login; more is what else the poll says.
func authorized(t *testing.T, gh *githubtest.Server, app githubtest.App, login string, more ...string) (access, refresh string) {
	t.Helper()
	form, userCode := begin(t, gh, app.ClientID)
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	if err := gh.Authorize(userCode, login); err != nil {
		t.Fatal(err)
	}
	code, body := polled(t, gh, form)
	equal(t, code, "")
	return body["access_token"].(string), body["refresh_token"].(string)
}

// TestAUserTokenMayWhatBothMay has a person read the team and their own place in it through an App.
func TestAUserTokenMayWhatBothMay(t *testing.T) {
	for _, tc := range []struct {
		name        string
		permissions map[string]string
		login       string
		list, team  string
	}{
		{"a member and an App with members", nil, "alice", "", ""},
		{"a member and an App without members", map[string]string{"metadata": "read"}, "alice", byIntegration, byIntegration},
		{"a member and an App with nothing", map[string]string{}, "alice", byIntegration, byIntegration},
		{"a stranger and an App with members", nil, "stranger", "Must have admin rights to Repository.", "Not Found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gh := family(t)
			app := add(gh, githubtest.App{Permissions: tc.permissions})
			token, _ := authorized(t, gh, app, tc.login)
			c := client(t, gh, token)
			me, resp, err := c.Users.Get(t.Context(), "")
			if err != nil || me.GetLogin() != tc.login || resp.Header.Get("X-OAuth-Scopes") != "" {
				t.Errorf("got %v, %v", me, err)
			}
			check := func(err error, status int, message string) {
				t.Helper()
				if message != "" {
					refused(t, err, status, message)
				} else if err != nil {
					t.Error(err)
				}
			}
			_, _, err = c.Teams.ListTeams(t.Context(), org, nil)
			check(err, http.StatusForbidden, tc.list)
			_, _, err = c.Teams.GetTeamMembershipBySlug(t.Context(), org, "admins", "alice")
			status := http.StatusForbidden
			if tc.login == "stranger" {
				status = http.StatusNotFound
			}
			check(err, status, tc.team)
			_, _, err = c.Apps.Get(t.Context(), "")
			refused(t, err, http.StatusUnauthorized, "A JSON web token could not be decoded")
		})
	}
}

func TestAUserTokenReachesTheRepositoriesOfBoth(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddToOrganization("alice")
	ids := map[string]int64{}
	for _, name := range []string{"a", "b", "c"} {
		ids[name] = gh.AddRepository(org+"/"+name, githubtest.RepositoryOptions{})
	}
	gh.AddRepository("alice/own", githubtest.RepositoryOptions{})
	gh.AddCollaborator(org+"/a", "alice", "write")
	app := add(gh, githubtest.App{Permissions: map[string]string{"contents": "write"}, Repositories: []string{"a", "b"}})
	reads := func(token string) map[string]bool {
		all := map[string]bool{}
		for _, name := range []string{org + "/a", org + "/b", org + "/c", "alice/own"} {
			resp, _ := raw(t, gh, "GET", "/repos/"+name+"/contents/README.md", "Authorization", "Bearer "+token)
			all[name] = resp.StatusCode == 200
		}
		return all
	}
	token, _ := authorized(t, gh, app, "alice")
	equal(t, reads(token), map[string]bool{org + "/a": true, org + "/b": true, org + "/c": false, "alice/own": false})
	one, _ := authorized(t, gh, app, "alice", "repository_id", strconv.FormatInt(ids["b"], 10))
	equal(t, reads(one), map[string]bool{org + "/a": false, org + "/b": true, org + "/c": false, "alice/own": false})
	other, _ := authorized(t, gh, app, "alice", "repository_id", strconv.FormatInt(ids["c"], 10))
	equal(t, reads(other), reads(token))
	stranger, _ := authorized(t, gh, app, "stranger")
	equal(t, reads(stranger), map[string]bool{org + "/a": false, org + "/b": false, org + "/c": false, "alice/own": false})

	for name, want := range map[string]int{"a": 201, "b": 403} {
		r, err := client(t, gh, token).NewRequest("POST", "repos/"+org+"/"+name+"/git/blobs", map[string]string{"content": "x"})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client(t, gh, token).Do(t.Context(), r, nil)
		if resp == nil || resp.StatusCode != want {
			t.Errorf("%s: got %v", name, err)
		}
		if want == 403 {
			refused(t, err, 403, byIntegration)
		}
	}
}

func TestAUserTokenEnds(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	app := add(gh, githubtest.App{})
	token, refresh := authorized(t, gh, app, "alice")
	ask := func(token string) int {
		resp, _ := raw(t, gh, "GET", "/user", "Authorization", "Bearer "+token)
		return resp.StatusCode
	}
	equal(t, ask(token), 200)
	c.Add(8*time.Hour - time.Second)
	equal(t, ask(token), 200)
	c.Add(time.Second)
	equal(t, ask(token), 401)

	revoked, gone := authorized(t, gh, app, "alice")
	gh.RevokeToken(revoked)
	equal(t, ask(revoked), 401)
	for refreshed, want := range map[string]string{refresh: "", gone: "bad_refresh_token", "": "bad_refresh_token"} {
		code, _ := polled(t, gh, url.Values{"client_id": {app.ClientID}, "grant_type": {"refresh_token"}, "refresh_token": {refreshed}})
		equal(t, code, want)
	}
	if ends := gh.UserTokens()[2].Expires; len(gh.UserTokens()) != 3 || !ends.Equal(c.Now().Add(8*time.Hour)) {
		t.Errorf("got %v", gh.UserTokens())
	}
	equal(t, len(gh.CallsWith(token)), 3)
	equal(t, gh.CallsWith(revoked), []githubtest.Call{{Method: "GET", Path: "/user", Status: 401, At: c.Now()}})
	equal(t, gh.CallsWith("nonsense"), []githubtest.Call{})
}

func TestARefreshEndsTheOldPair(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	app := add(gh, githubtest.App{})
	access, refresh := authorized(t, gh, app, "alice")
	c.Add(9 * time.Hour)
	old := &oauth2.Token{AccessToken: access, RefreshToken: refresh, Expiry: time.Now().Add(-time.Hour)}
	fresh, err := config(gh, app.ClientID).TokenSource(t.Context(), old).Token()
	if err != nil || fresh.AccessToken == access || fresh.RefreshToken == refresh {
		t.Fatalf("got %v, %v", fresh, err)
	}
	me, _, err := client(t, gh, fresh.AccessToken).Users.Get(t.Context(), "")
	if err != nil || me.GetLogin() != "alice" {
		t.Errorf("got %v, %v", me, err)
	}
	failed := func(conf *oauth2.Config, token *oauth2.Token, want string) {
		t.Helper()
		_, err := conf.TokenSource(t.Context(), token).Token()
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) || e.ErrorCode != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	fresh.Expiry = old.Expiry
	failed(config(gh, app.ClientID), old, "bad_refresh_token")
	failed(config(gh, add(gh, githubtest.App{}).ClientID), fresh, "bad_refresh_token")
	failed(config(gh, "nobody"), fresh, "incorrect_client_credentials")
	c.Add(15897600 * time.Second)
	failed(config(gh, app.ClientID), fresh, "bad_refresh_token")
}

func TestAPersonsTokensShareTheHour(t *testing.T) {
	gh := start(t, githubtest.Options{RateLimit: 2})
	gh.AddToken("hers", "alice")
	token, _ := authorized(t, gh, add(gh, githubtest.App{}), "alice")
	var got []int
	for _, text := range []string{"hers", token, token} {
		resp, _ := raw(t, gh, "GET", "/user", "Authorization", "Bearer "+text)
		got = append(got, resp.StatusCode)
	}
	equal(t, got, []int{200, 200, 403})
	for _, call := range gh.CallsWith(token) {
		equal(t, call.By, "alice")
	}
}
