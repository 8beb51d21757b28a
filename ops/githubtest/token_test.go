package githubtest_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestCredentials(t *testing.T) {
	for _, tc := range []struct {
		name, header string
		want         int
	}{
		{"Bearer", "Bearer reader", 200},
		{"token", "token reader", 200},
		{"in any case", "bearer reader", 200},
		{"missing", "", 401},
		{"unknown", "Bearer nonsense", 401},
		{"revoked", "Bearer revoked", 401},
		{"without a scheme", "reader", 401},
		{"as a password", "Basic cmVhZGVyOg==", 401},
		{"a scheme alone", "Bearer ", 401},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gh := start(t, githubtest.Options{})
			gh.AddToken("revoked", "reader")
			gh.RevokeToken("revoked")
			resp, body := raw(t, gh, "GET", "/user", "Authorization", tc.header)
			equal(t, resp.StatusCode, tc.want)
			if m := decode(t, body); tc.want == 401 && (m["message"] != "Bad credentials" || m["documentation_url"] != "https://docs.github.com/rest") {
				t.Errorf("got %v", m)
			}
		})
	}
}

func TestABadTokenIsRefusedEverywhere(t *testing.T) {
	gh := start(t, githubtest.Options{})
	for _, path := range []string{"/user", "/users/reader", "/orgs/" + org, "/orgs/" + org + "/teams", "/orgs/" + org + "/members", "/rate_limit"} {
		resp, _ := raw(t, gh, "GET", path, "Authorization", "Bearer nonsense")
		equal(t, resp.StatusCode, 401)
	}
}

func TestTokensThatMayNotReadTheOrganisation(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(*githubtest.Server)
	}{
		{"a stranger's", func(gh *githubtest.Server) {
			gh.AddToken("weak", "stranger")
			gh.RemoveFromOrganization("stranger")
		}},
		{"a classic one without read:org", func(gh *githubtest.Server) { gh.AddToken("weak", "reader", "repo") }},
		{"one whose user is only invited", func(gh *githubtest.Server) {
			gh.AddToken("weak", "percy")
			gh.RemoveFromOrganization("percy")
			gh.AddPending("admins", "percy")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gh := family(t)
			tc.prepare(gh)
			c := client(t, gh, "weak")
			ctx := t.Context()
			_, _, err := c.Teams.ListTeams(ctx, org, nil)
			refused(t, err, http.StatusForbidden, "Must have admin rights to Repository.")
			_, _, err = c.Teams.GetTeamBySlug(ctx, org, "admins")
			refused(t, err, http.StatusNotFound, "Not Found")
			_, _, err = c.Teams.GetTeamMembershipBySlug(ctx, org, "admins", "alice")
			refused(t, err, http.StatusNotFound, "Not Found")
			_, _, err = c.Organizations.GetOrgMembership(ctx, "alice", org)
			refused(t, err, http.StatusForbidden, "You must be a member of "+org+" to see membership information for alice.")
			users, _, err := c.Organizations.ListMembers(ctx, org, nil)
			if err != nil || len(users) != 0 {
				t.Errorf("the public members are %v, %v", users, err)
			}
			if _, _, err = c.Users.Get(ctx, "alice"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTheHourlyLimitIsPerUserAndEnds(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{RateLimit: 2, Now: c.Now})
	gh.AddToken("second", "reader")
	gh.AddToken("other", "other")
	ask := func(token string) int {
		resp, _ := raw(t, gh, "GET", "/user", "Authorization", "Bearer "+token)
		return resp.StatusCode
	}
	equal(t, []int{ask("reader"), ask("second"), ask("reader"), ask("other")}, []int{200, 200, 403, 200})
	c.Add(time.Hour)
	equal(t, ask("reader"), 200)
}

func TestRateLimit(t *testing.T) {
	gh := start(t, githubtest.Options{RateLimit: 2})
	c := client(t, gh, "reader")
	for range 2 {
		if _, _, err := c.Users.Get(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	limits, _, err := c.RateLimit.Get(t.Context())
	if err != nil || limits.Core.Limit != 2 || limits.Core.Remaining != 0 || time.Until(limits.Core.Reset.Time) < 59*time.Minute {
		t.Fatalf("got %v, %v", limits, err)
	}
	_, _, err = client(t, gh, "reader").Users.Get(t.Context(), "")
	var limited *github.RateLimitError
	if !errors.As(err, &limited) || limited.Rate.Limit != 2 || !strings.HasPrefix(limited.Message, "API rate limit exceeded for user ID ") {
		t.Errorf("got %v (%T)", err, err)
	}
	equal(t, gh.Count("/user"), 3)
}
