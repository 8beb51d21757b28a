package githubaccess_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const tokens = "POST /app/installations/*/access_tokens"

func newApp(t *testing.T, change ...func(*githubtest.App)) (*githubtest.Server, *githubaccess.App, *github.Client) {
	t.Helper()
	gh := githubtest.New(githubtest.Options{Organization: "ministryofjustice"})
	t.Cleanup(gh.Close)
	gh.AddTeam("platform")
	var registered githubtest.App
	for _, f := range change {
		f(&registered)
	}
	registered = gh.AddApp(registered)
	key, err := githubaccess.ParseKey([]byte(registered.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	app := &githubaccess.App{ID: strconv.FormatInt(registered.ID, 10), Installation: registered.InstallationID, Key: key, Address: gh.URL()}
	client, err := githubaccess.New(gh.URL(), app)
	if err != nil {
		t.Fatal(err)
	}
	return gh, app, client
}

func teams(ctx context.Context, client *github.Client) error {
	_, _, err := client.Teams.ListTeams(ctx, "ministryofjustice", nil)
	return err
}

func TestAppGetsOneTokenForMany(t *testing.T) {
	gh, _, client := newApp(t)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if err := teams(t.Context(), client); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := gh.Count(tokens); n != 1 {
		t.Errorf("%d tokens for 20 calls", n)
	}
	for _, call := range gh.Calls() {
		if !strings.HasSuffix(call.By, "[bot]") {
			t.Errorf("%s %s by %q", call.Method, call.Path, call.By)
		}
	}
	if p := gh.Problems(); len(p) > 0 {
		t.Error(p)
	}
}

// aging makes the tokens that GitHub hands out last only so long more.
type aging struct{ left time.Duration }

func (a *aging) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/access_tokens") {
		return response, err
	}
	var body map[string]any
	err = json.NewDecoder(response.Body).Decode(&body)
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	body["expires_at"] = time.Now().Add(a.left).Format(time.RFC3339Nano)
	text, err := json.Marshal(body)
	response.Body = io.NopCloser(bytes.NewReader(text))
	response.ContentLength = int64(len(text))
	return response, err
}

func TestAppRenewsItsTokenBeforeItExpires(t *testing.T) {
	for _, test := range []struct {
		name   string
		left   time.Duration
		tokens int
	}{
		{"with half an hour left it's used again", 30 * time.Minute, 1},
		{"with two minutes left it's used again", 2 * time.Minute, 1},
		{"with half a minute left it's renewed", 30 * time.Second, 3},
		{"once expired it's renewed", -time.Second, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			gh, app, client := newApp(t)
			app.Next = &aging{test.left}
			for range 3 {
				if err := teams(t.Context(), client); err != nil {
					t.Fatal(err)
				}
			}
			if n := gh.Count(tokens); n != test.tokens {
				t.Errorf("%d tokens for three calls, want %d", n, test.tokens)
			}
		})
	}
}

func TestAppFails(t *testing.T) {
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		app    func(*githubtest.App)
		change func(*githubtest.Server, *githubaccess.App)
		want   string
	}{
		{"with another App's key", nil, func(_ *githubtest.Server, a *githubaccess.App) { a.Key = other }, "GitHub doesn't accept the bot's credentials (401)."},
		{"with an ID that nobody has", nil, func(_ *githubtest.Server, a *githubaccess.App) { a.ID = "999999" }, "GitHub "},
		{"where it isn't installed", nil, func(_ *githubtest.Server, a *githubaccess.App) { a.Installation++ }, "GitHub answered 404 to POST /app/installations/"},
		{"without the permission to read members", func(a *githubtest.App) { a.Permissions = map[string]string{} }, func(*githubtest.Server, *githubaccess.App) {}, "GitHub refused the bot (403): Resource not accessible by integration."},
		{"when GitHub is in trouble", nil, func(gh *githubtest.Server, _ *githubaccess.App) { gh.Fail(tokens, githubtest.Fault{Status: 502}) }, "GitHub answered 502 to POST /app/installations/"},
		{"when GitHub is away", nil, func(gh *githubtest.Server, _ *githubaccess.App) { gh.Close() }, "GitHub could not be reached."},
	} {
		t.Run(test.name, func(t *testing.T) {
			var changes []func(*githubtest.App)
			if test.app != nil {
				changes = append(changes, test.app)
			}
			gh, app, client := newApp(t, changes...)
			test.change(gh, app)
			err := githubaccess.Explain(teams(t.Context(), client))
			if ops.KindOf(err) != ops.Unavailable || !strings.HasPrefix(ops.Words(err, ""), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAppRecoversFromAFailure(t *testing.T) {
	for _, test := range []struct {
		name  string
		times int // that GitHub answers 502 to the question for a token
		fails bool
	}{
		{"one 502 at the token costs nothing", 1, false},
		{"what lasts is told, and the next call works", 3, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			gh, _, client := newApp(t)
			gh.Fail(tokens, githubtest.Fault{Status: 502, Times: test.times})
			if err := teams(t.Context(), client); (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
			if err := teams(t.Context(), client); err != nil {
				t.Errorf("the next call: %v", err)
			}
		})
	}
}

func TestNew(t *testing.T) {
	for _, test := range []struct {
		name, address string
		ok            bool
	}{
		{"GitHub's own", githubaccess.DefaultURL, true},
		{"a path", "https://github.example.org/api/v3/", true},
		{"no slash at the end", "https://api.github.com", false},
		{"no host", "/api/", false},
		{"no address", "", false},
		{"no URL", "http://a b/", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, err := githubaccess.New(test.address, nil)
			if test.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if test.ok && client.BaseURL.String() != test.address {
				t.Errorf("address %s", client.BaseURL)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	reset := time.Now().Add(10 * time.Minute).Truncate(time.Second)
	for _, test := range []struct {
		name  string
		fault githubtest.Fault
		parts []string
	}{
		{"401", githubtest.Fault{Status: 401}, []string{"GitHub doesn't accept the bot's credentials (401).", "renew"}},
		{"403 for want of a permission", githubtest.Fault{Status: 403, Message: "Resource not accessible by integration."}, []string{"GitHub refused the bot (403): Resource not accessible by integration.", "read access"}},
		{"403 with the rate limit used up", githubtest.Fault{RateLimited: true, Reset: reset}, []string{"GitHub's rate limit for the bot is used up (403).", "It resets at " + reset.UTC().Format("15:04:05") + " UTC"}},
		{"429 with the rate limit used up", githubtest.Fault{RateLimited: true, Status: 429, Reset: reset}, []string{"GitHub asks the bot to slow down (429)."}},
		{"403 with the secondary limit", githubtest.Fault{Secondary: true, RetryAfter: 90 * time.Second}, []string{"secondary rate limit", "Try again in 1m30s."}},
		{"429 with the secondary limit", githubtest.Fault{Secondary: true, Status: 429, RetryAfter: 90 * time.Second}, []string{"GitHub asks the bot to slow down (429)."}},
		{"404", githubtest.Fault{Status: 404}, []string{"GitHub answered 404 to GET /orgs/ministryofjustice/teams."}},
		{"500", githubtest.Fault{Status: 500}, []string{"GitHub answered 500 to GET /orgs/ministryofjustice/teams.", "githubstatus.com"}},
		{"503 with a page for browsers", githubtest.Fault{Status: 503, Body: "<html>Unicorn!</html>"}, []string{"GitHub answered 503 to GET", "githubstatus.com"}},
		{"half an answer", githubtest.Fault{Cut: true}, []string{"GitHub could not be reached."}},
		{"no answer", githubtest.Fault{Hang: true}, []string{"GitHub did not answer in time."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			gh := githubtest.New(githubtest.Options{})
			defer gh.Close()
			gh.AddToken("ghp_secret", "reader")
			gh.Fail("/orgs", test.fault)
			client, err := githubaccess.New(gh.URL(), githubaccess.Token{Value: "ghp_secret"})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if test.fault.Hang {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
			}
			cause := teams(ctx, client)
			got := githubaccess.Explain(cause)
			if ops.KindOf(got) != ops.Unavailable || !errors.Is(got, cause) || strings.Contains(got.Error(), "ghp_secret") {
				t.Errorf("got %v", got)
			}
			for _, part := range test.parts {
				if words := ops.Words(got, ""); !strings.Contains(words, part) {
					t.Errorf("got %q, want %q in it", words, part)
				}
			}
			if githubaccess.NotFound(cause) != (test.fault.Status == 404) {
				t.Errorf("NotFound(%v) = %v", cause, githubaccess.NotFound(cause))
			}
		})
	}
	if githubaccess.Explain(nil) != nil || githubaccess.NotFound(nil) {
		t.Error("nothing became something")
	}
	already := &ops.Error{Kind: ops.Refused, What: "No."}
	if got := githubaccess.Explain(already); got != error(already) {
		t.Errorf("words became other words: %v", got)
	}
}

func TestLogin(t *testing.T) {
	t.Run("an App's", func(t *testing.T) {
		_, _, client := newApp(t)
		login, err := githubaccess.Login(t.Context(), client)
		if err != nil || !strings.HasSuffix(login, "[bot]") {
			t.Errorf("got %q, %v", login, err)
		}
	})
	t.Run("a token's", func(t *testing.T) {
		gh := githubtest.New(githubtest.Options{})
		defer gh.Close()
		gh.AddToken("ghp_secret", "reader")
		client, err := githubaccess.New(gh.URL(), githubaccess.Token{Value: "ghp_secret"})
		if err != nil {
			t.Fatal(err)
		}
		if login, err := githubaccess.Login(t.Context(), client); err != nil || login != "reader" {
			t.Errorf("got %q, %v", login, err)
		}
	})
	for _, test := range []struct {
		text string
		ok   bool
	}{
		{"octocat", true},
		{"a", true},
		{"oldname-", true},
		{"-oldname-", true},
		{"old--name", true},
		{"mona_moj", true},
		{strings.Repeat("a", 39), true},
		{strings.Repeat("a", 40), false},
		{"--", false},
		{"--force", false},
		{"_moj", false},
		{"../teams", false},
		{"a b", false},
		{"", false},
	} {
		if githubaccess.IsLogin(test.text) != test.ok {
			t.Errorf("%q is a login: %v", test.text, !test.ok)
		}
	}
}
