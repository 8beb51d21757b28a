package githubtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestAStatusInsteadOfTheTruth(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("admins")
	gh.Fail("/orgs/*/teams$", githubtest.Fault{Status: 502, Times: 1})
	gh.Fail("/orgs/*/teams$", githubtest.Fault{Status: 503, Message: "Down for lunch", RetryAfter: 1500 * time.Millisecond, Times: 2})
	c := client(t, gh, "reader")

	_, _, err := c.Teams.ListTeams(t.Context(), org, nil)
	refused(t, err, 502, "Server Error")
	for range 2 {
		_, resp, err := c.Teams.ListTeams(t.Context(), org, nil)
		refused(t, err, 503, "Down for lunch")
		equal(t, resp.Header.Get("Retry-After"), "2")
	}
	if _, _, err := c.Teams.GetTeamBySlug(t.Context(), org, "admins"); err != nil {
		t.Errorf("the team alone: %v", err)
	}
	if _, _, err := c.Teams.ListTeams(t.Context(), org, nil); err != nil {
		t.Errorf("the fourth time: %v", err)
	}
	equal(t, gh.Calls()[0].Status, 502)
}

func TestFaultsLastUntilTheyAreCleared(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.Fail("/user", githubtest.Fault{Status: 500})
	c := client(t, gh, "reader")
	for range 3 {
		_, _, err := c.Users.Get(t.Context(), "")
		refused(t, err, 500, "Server Error")
	}
	gh.ClearFaults()
	if _, _, err := c.Users.Get(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

func TestABodyAsItIs(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("admins")
	gh.Fail("", githubtest.Fault{Status: 502, Body: "<html>Unicorn!</html>", Times: 1})
	gh.Fail("", githubtest.Fault{Status: 200, Body: "[]", Times: 1})
	c := client(t, gh, "reader")

	_, resp, err := c.Teams.ListTeams(t.Context(), org, nil)
	if e := (*github.ErrorResponse)(nil); !errors.As(err, &e) || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("got %v, %v", resp, err)
	}
	teams, _, err := c.Teams.ListTeams(t.Context(), org, nil)
	if err != nil || len(teams) != 0 {
		t.Errorf("got %v, %v", teams, err)
	}
}

func TestTheHourlyLimitAsAFault(t *testing.T) {
	for _, tc := range []struct {
		name  string
		reset time.Time
		sent  int
	}{
		{"with a reset to come the client stops asking", time.Now().Add(time.Hour), 1},
		{"with a reset that has passed it asks again", time.Now().Add(-time.Minute), 2},
		{"without a reset it's the end of the hour", time.Time{}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gh := start(t, githubtest.Options{})
			gh.Fail("/user", githubtest.Fault{RateLimited: true, Reset: tc.reset, Times: 1})
			c := client(t, gh, "reader")
			_, _, err := c.Users.Get(t.Context(), "")
			var limited *github.RateLimitError
			if !errors.As(err, &limited) || limited.Rate.Remaining != 0 || limited.Rate.Limit != 5000 {
				t.Fatalf("got %v (%T)", err, err)
			}
			if !tc.reset.IsZero() && limited.Rate.Reset.Unix() != tc.reset.Unix() {
				t.Errorf("reset at %v, want %v", limited.Rate.Reset, tc.reset)
			}
			_, _, err = c.Users.Get(t.Context(), "")
			if again := errors.As(err, &limited); again != (tc.sent == 1) {
				t.Errorf("then %v", err)
			}
			equal(t, gh.Count("/user"), tc.sent)
		})
	}
	t.Run("it comes before the token is looked at", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		gh.Fail("/user", githubtest.Fault{RateLimited: true})
		_, _, err := client(t, gh, "").Users.Get(t.Context(), "")
		var limited *github.RateLimitError
		if !errors.As(err, &limited) || limited.Rate.Limit != 60 || time.Until(limited.Rate.Reset.Time) <= 0 {
			t.Errorf("got %v (%T)", err, err)
		}
	})
	t.Run("as 429 go-github doesn't recognise it", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		gh.Fail("/user", githubtest.Fault{RateLimited: true, Status: 429})
		_, resp, err := client(t, gh, "reader").Users.Get(t.Context(), "")
		if e := (*github.ErrorResponse)(nil); !errors.As(err, &e) || resp.StatusCode != 429 || resp.Rate.Remaining != 0 {
			t.Errorf("got %v (%T)", err, err)
		}
	})
}

func TestASecondaryLimit(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.Fail("/user", githubtest.Fault{Secondary: true, RetryAfter: time.Minute, Times: 1})
	c := client(t, gh, "reader")
	_, _, err := c.Users.Get(t.Context(), "")
	var abuse *github.AbuseRateLimitError
	if !errors.As(err, &abuse) || abuse.GetRetryAfter() != time.Minute {
		t.Fatalf("got %v (%T)", err, err)
	}
	_, _, err = c.Users.Get(t.Context(), "alice")
	if !errors.As(err, &abuse) {
		t.Errorf("then %v", err)
	}
	equal(t, gh.Count(""), 1)

	t.Run("may be a 429", func(t *testing.T) {
		gh.Fail("/user", githubtest.Fault{Secondary: true, Status: 429, RetryAfter: time.Second, Times: 1})
		resp, _ := raw(t, gh, "GET", "/user")
		equal(t, resp.StatusCode, 429)
		equal(t, resp.Header.Get("Retry-After"), "1")
	})
	t.Run("may not say for how long", func(t *testing.T) {
		gh.Fail("/user", githubtest.Fault{Secondary: true, Times: 1})
		resp, _ := raw(t, gh, "GET", "/user")
		equal(t, resp.StatusCode, 403)
		equal(t, resp.Header.Get("Retry-After"), "")
	})
}

func TestACutAnswerHasHappened(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("admins")
	c := client(t, gh, "reader")
	for _, slug := range []string{"/orgs/*/teams$", "/orgs/*/teams/admins/members$"} {
		gh.Fail(slug, githubtest.Fault{Cut: true, Times: 1})
	}
	if _, _, err := c.Teams.ListTeams(t.Context(), org, nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
	if _, _, err := c.Teams.ListTeamMembersBySlug(t.Context(), org, "admins", nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v for an empty list", err)
	}
	teams, _, err := c.Teams.ListTeams(t.Context(), org, nil)
	if err != nil || len(teams) != 1 {
		t.Errorf("got %v, %v", teams, err)
	}
	equal(t, gh.Count(""), 3)

	app := gh.AddApp(githubtest.App{})
	gh.Fail("POST /app", githubtest.Fault{Cut: true, Times: 1})
	jwt := sign(t, app.PrivateKey, "RS256", claims(app.ID, time.Now().Add(-time.Second)))
	_, _, err = client(t, gh, jwt).Apps.CreateInstallationToken(t.Context(), app.InstallationID, nil)
	if syntax := (*json.SyntaxError)(nil); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.As(err, &syntax) {
		t.Errorf("got %v", err)
	}
	equal(t, gh.Calls()[3].Status, http.StatusCreated)
}

func TestDelays(t *testing.T) {
	t.Run("of one answer", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		gh.Fail("/user", githubtest.Fault{Delay: 30 * time.Millisecond, Times: 1})
		c := client(t, gh, "reader")
		before := time.Now()
		if _, _, err := c.Users.Get(t.Context(), ""); err != nil || time.Since(before) < 30*time.Millisecond {
			t.Errorf("after %v: %v", time.Since(before), err)
		}
	})
	t.Run("of all, until they're taken off", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		gh.SetDelay(time.Hour)
		c := client(t, gh, "reader")
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, _, err := c.Users.Get(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		gh.SetDelay(0)
		if _, _, err := c.Users.Get(t.Context(), ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("see the world as it is when they end", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		gh.AddTeam("admins")
		gh.AddMember("admins", "alice")
		gh.SetDelay(30 * time.Millisecond)
		go func() {
			gh.Wait(context.Background(), func() bool { return gh.Count("") == 1 })
			gh.RemoveMember("admins", "alice")
		}()
		_, _, err := client(t, gh, "reader").Teams.GetTeamMembershipBySlug(t.Context(), org, "admins", "alice")
		refused(t, err, http.StatusNotFound, "Not Found")
	})
}
