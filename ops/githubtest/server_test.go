package githubtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const org = "ministryofjustice"

// clock is a time that tests move by hand.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// start is a GitHub with the token "reader" of a member of the organisation. At the end it must have no problems.
func start(t *testing.T, options githubtest.Options) *githubtest.Server {
	t.Helper()
	gh := loud(t, options)
	t.Cleanup(func() {
		if problems := gh.Problems(); len(problems) > 0 {
			t.Errorf("problems: %q", problems)
		}
	})
	return gh
}

// loud is start for tests that cause problems and look at them.
func loud(t *testing.T, options githubtest.Options) *githubtest.Server {
	gh := githubtest.New(options)
	t.Cleanup(gh.Close)
	gh.AddToken("reader", "reader")
	return gh
}

func client(t *testing.T, gh *githubtest.Server, token string) *github.Client {
	t.Helper()
	c := github.NewClient(&http.Client{Transport: transport(t)})
	if token != "" {
		c = c.WithAuthToken(token)
	}
	root, err := url.Parse(gh.URL())
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL = root
	return c
}

func transport(t *testing.T) *http.Transport {
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// raw asks without a client library; header is name, value, name, value.
func raw(t *testing.T, gh *githubtest.Server, method, path string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, gh.URL()+strings.TrimPrefix(path, "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "token reader")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return do(t, r)
}

// do sends a request and follows no redirects.
func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	c := &http.Client{Transport: transport(t), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// refused checks that err is GitHub's, with that status and message.
func refused(t *testing.T, err error, status int, message string) {
	t.Helper()
	var e *github.ErrorResponse
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want a %d", err, err, status)
	}
	if e.Response.StatusCode != status || e.Message != message {
		t.Errorf("got %d %q, want %d %q", e.Response.StatusCode, e.Message, status, message)
	}
	if !strings.HasPrefix(e.DocumentationURL, "https://docs.github.com/rest") {
		t.Errorf("documentation_url %q", e.DocumentationURL)
	}
}

func logins(users []*github.User) []string {
	list := []string{}
	for _, u := range users {
		list = append(list, u.GetLogin())
	}
	return list
}

func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheURLIsTheRootOfTheAPI(t *testing.T) {
	gh := start(t, githubtest.Options{})
	if !strings.HasPrefix(gh.URL(), "http://127.0.0.1:") || strings.Count(gh.URL(), "/") != 3 || !strings.HasSuffix(gh.URL(), "/") {
		t.Errorf("URL %q", gh.URL())
	}
	equal(t, gh.Organization(), org)
}

func TestHeadersAreGitHubs(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	gh.AddToken("classic", "reader", "read:org", "repo")
	resp, _ := raw(t, gh, "GET", "/user", "Authorization", "Bearer classic")
	for name, want := range map[string]string{
		"Content-Type":          "application/json; charset=utf-8",
		"Date":                  "Sun, 22 Nov 2026 12:00:00 GMT",
		"X-RateLimit-Limit":     "5000",
		"X-RateLimit-Remaining": "4999",
		"X-RateLimit-Used":      "1",
		"X-RateLimit-Reset":     "1795352400",
		"X-RateLimit-Resource":  "core",
		"X-OAuth-Scopes":        "read:org, repo",
		"X-GitHub-Media-Type":   "github.v3; format=json",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if strings.Count(resp.Header.Get("X-GitHub-Request-Id"), ":") != 4 {
		t.Errorf("X-GitHub-Request-Id %q", resp.Header.Get("X-GitHub-Request-Id"))
	}
}

func TestAnUnchangedAnswerIs304AndCostsNothing(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("platform")
	path := "/orgs/" + org + "/teams"
	first, _ := raw(t, gh, "GET", path)
	tag := first.Header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) {
		t.Fatalf("ETag %q", tag)
	}
	again, body := raw(t, gh, "GET", path, "If-None-Match", `"other", `+tag)
	if again.StatusCode != http.StatusNotModified || body != "" {
		t.Errorf("got %d %q", again.StatusCode, body)
	}
	equal(t, again.Header.Get("X-RateLimit-Used"), "1")

	gh.AddTeam("security")
	changed, _ := raw(t, gh, "GET", path, "If-None-Match", tag)
	if changed.StatusCode != http.StatusOK || changed.Header.Get("ETag") == tag {
		t.Errorf("got %d with ETag %q", changed.StatusCode, changed.Header.Get("ETag"))
	}
	equal(t, changed.Header.Get("X-RateLimit-Used"), "2")
}

func TestUnknownEndpointsAre404AndAProblem(t *testing.T) {
	for _, tc := range []struct{ method, path string }{
		{"GET", "/"},
		{"GET", "/repos/x/y/issues"},
		{"POST", "/user"},
		{"GET", "/orgs/" + org + "/teams/"},
		{"GET", "//user"},
		{"GET", "/api/v3/user"},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			gh := loud(t, githubtest.Options{})
			resp, body := raw(t, gh, tc.method, tc.path)
			if resp.StatusCode != http.StatusNotFound || !strings.Contains(body, `"message":"Not Found"`) {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
			if p := gh.Problems(); len(p) != 1 || !strings.HasPrefix(p[0], tc.method+" /") {
				t.Errorf("problems %q", p)
			}
		})
	}
}

func TestOtherAPIVersionsAndNoUserAgentAreProblems(t *testing.T) {
	gh := loud(t, githubtest.Options{})
	resp, _ := raw(t, gh, "GET", "/user", "X-GitHub-Api-Version", "1999-01-01")
	equal(t, resp.StatusCode, http.StatusBadRequest)
	resp, body := raw(t, gh, "GET", "/user", "User-Agent", "")
	equal(t, resp.StatusCode, http.StatusForbidden)
	if !strings.Contains(body, "User-Agent") {
		t.Errorf("body %q", body)
	}
	equal(t, len(gh.Problems()), 2)
}

func TestCallsRecordWhoAskedWhatAndWhatTheyGot(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	gh.AddTeam("platform")
	ctx := t.Context()
	client(t, gh, "reader").Teams.ListTeams(ctx, org, &github.ListOptions{Page: 2})
	c.Add(time.Second)
	client(t, gh, "nonsense").Users.Get(ctx, "")
	equal(t, gh.Calls(), []githubtest.Call{
		{Method: "GET", Path: "/orgs/" + org + "/teams", Query: "page=2", Status: 200, By: "reader", At: c.Now().Add(-time.Second)},
		{Method: "GET", Path: "/user", Status: 401, At: c.Now()},
	})
	for pattern, want := range map[string]int{
		"":                         2,
		"/orgs":                    1,
		"/ORGS/Ministry*/teams":    1,
		"/orgs/min":                0,
		"/orgs/*$":                 0,
		"GET /orgs/*/teams$":       1,
		"POST /orgs":               0,
		"/orgs/*/teams$?page=2":    1,
		"GET /orgs/*/teams?page=1": 0,
		"/user":                    1,
	} {
		if got := gh.Count(pattern); got != want {
			t.Errorf("Count(%q) = %d, want %d", pattern, got, want)
		}
	}
}

func TestWaitEnds(t *testing.T) {
	t.Run("when a change makes it true", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		gh.AddTeam("platform")
		go gh.AddMember("platform", "alice")
		if err := gh.Wait(t.Context(), func() bool { return len(gh.Teams()["platform"]) == 1 }); err != nil {
			t.Error(err)
		}
	})
	t.Run("when a call comes in, before it's answered", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		gh.Fail("/user", githubtest.Fault{Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		gone := make(chan error)
		go func() {
			_, _, err := client(t, gh, "reader").Users.Get(ctx, "")
			gone <- err
		}()
		if err := gh.Wait(t.Context(), func() bool { return gh.Count("/user") == 1 }); err != nil {
			t.Error(err)
		}
		equal(t, gh.Calls()[0].Status, 0)
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	t.Run("with the context's cause", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		why := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(why)
		if err := gh.Wait(ctx, func() bool { return false }); !errors.Is(err, why) {
			t.Error(err)
		}
	})
	t.Run("when the server closes", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		go gh.Close()
		if err := gh.Wait(t.Context(), func() bool { return false }); !errors.Is(err, githubtest.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestCloseEndsWhatHangs(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.Fail("", githubtest.Fault{Hang: true})
	gone := make(chan error)
	go func() {
		_, _, err := client(t, gh, "reader").Users.Get(context.Background(), "")
		gone <- err
	}()
	if err := gh.Wait(t.Context(), func() bool { return gh.Count("") == 1 }); err != nil {
		t.Fatal(err)
	}
	gh.Close()
	gh.Close()
	if err := <-gone; err == nil {
		t.Error("the call came back without an error")
	}
}

func TestManyAtOnce(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("platform")
	c := client(t, gh, "reader")
	var wg sync.WaitGroup
	for _, login := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			gh.AddMember("platform", login)
			if _, _, err := c.Teams.GetTeamMembershipBySlug(t.Context(), org, "platform", login); err != nil {
				t.Error(err)
			}
			gh.Calls()
		})
	}
	wg.Wait()
	equal(t, gh.Teams(), map[string][]string{"platform": {"a", "b", "c", "d"}})
}

func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return m
}
