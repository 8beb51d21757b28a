package meter_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/bot/meter"
)

// calls are the counted calls, by method and outcome.
func calls(t *testing.T, m *meter.Meter) map[string]string {
	t.Helper()
	counted := map[string]string{}
	for series, value := range told(t, m) {
		if labels, ok := strings.CutPrefix(series, "rootbot_calls_total{"); ok {
			parts := strings.Split(labels, `"`)
			counted[parts[1]+" "+parts[3]] = value
		}
	}
	return counted
}

// The bot answers a command through an address that is a key.
func TestAnAnswersAddressIsNotTold(t *testing.T) {
	for _, test := range []struct{ address, want string }{
		{"https://hooks.slack.com/commands/T0/123/SecretKey", "response_url"},
		{"https://hooks.slack.com/actions/T0/123/Secret.Key", "response_url"},
		{"https://hooks.slack.com/app/T0/123/SecretKey", "response_url"},
		{"https://files.slack.com/upload/v1/SecretKey", "upload"},
		{"https://slack.com/api/users.profile.get?user=U0", "users.profile.get"},
		{"http://127.0.0.1:1/api/chat.postMessage", "chat.postMessage"},
		{"http://127.0.0.1:1/chat.postMessage", "chat.postMessage"},
		{"https://slack.com/api/SecretKey", "other"},
		{"https://slack.com/api/some.secret-key", "other"},
		{"https://slack.com/", "other"},
		{"https://slack.com", "other"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, test.address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := meter.SlackMethod(r); got != test.want {
			t.Errorf("%s is %s, want %s", test.address, got, test.want)
		}
	}
}

func TestABodyIsGivenOnAsItCame(t *testing.T) {
	noise := make([]byte, 200<<10)
	rand.Read(noise)
	long := `{"ok":true,"text":"` + strings.Repeat("x", 200<<10) + `"}`
	for _, test := range []struct {
		name, kind, body, outcome string
		cut                       bool
	}{
		{name: "a yes", kind: "application/json; charset=utf-8", body: `{"ok":true}`, outcome: meter.OK},
		{name: "a no", kind: "application/json; charset=utf-8", body: `{"error":"x","ok": false}` + "\n", outcome: meter.Refused},
		{name: "a yes with a no inside", kind: "application/json", body: `{"ok":true,"results":[{"ok":false}]}`, outcome: meter.OK},
		{name: "a long yes", kind: "application/json", body: long, outcome: meter.OK},
		{name: "a list", kind: "application/json", body: `[{"ok":false}]`, outcome: meter.OK},
		{name: "half of one", kind: "application/json", body: `{"ok":false`, outcome: meter.OK},
		{name: "none", kind: "application/json", outcome: meter.OK},
		{name: "a text", kind: "text/plain", body: `{"ok":false}`, outcome: meter.OK},
		{name: "of no kind", body: "ok", outcome: meter.OK},
		{name: "noise", kind: "application/octet-stream", body: string(noise), outcome: meter.OK},
		{name: "one that breaks off", kind: "application/json", body: `{"ok":true,`, cut: true, outcome: meter.Cut},
		{name: "a long one that breaks off late", kind: "application/json", body: long, cut: true, outcome: meter.OK},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if test.kind != "" {
					w.Header().Set("Content-Type", test.kind)
				}
				io.WriteString(w, test.body)
				if test.cut {
					w.(http.Flusher).Flush()
					panic(http.ErrAbortHandler)
				}
			}))
			defer server.Close()
			m := meter.New()
			client := &http.Client{Transport: meter.Transport(m, "slack", meter.SlackMethod, server.Client().Transport)}
			response, err := client.Get(server.URL + "/api/api.test")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			if (err != nil) != test.cut || !bytes.Equal(got, []byte(test.body)) {
				t.Errorf("got %d bytes of %d, and %v", len(got), len(test.body), err)
			}
			if err := response.Body.Close(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(map[string]string{"api.test " + test.outcome: "1"}, calls(t, m)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestOutcomesOfHTTP(t *testing.T) {
	for _, test := range []struct {
		status int
		header string
		want   string
	}{
		{200, "", meter.OK},
		{204, "", meter.OK},
		{304, "", meter.OK},
		{401, "", meter.Refused},
		{404, "", meter.Refused},
		{422, "", meter.Refused},
		{403, "", meter.Refused},
		{403, "X-RateLimit-Remaining: 0", meter.Limited},
		{403, "X-RateLimit-Remaining: 17", meter.Refused},
		{403, "Retry-After: 60", meter.Limited},
		{429, "", meter.Limited},
		{500, "", meter.Failed},
		{503, "Retry-After: 60", meter.Failed},
	} {
		m := meter.New()
		next := answering(func(*http.Request) (*http.Response, error) {
			header := http.Header{}
			if name, value, ok := strings.Cut(test.header, ": "); ok {
				header.Set(name, value)
			}
			return &http.Response{StatusCode: test.status, Header: header, Body: http.NoBody}, nil
		})
		r := httptest.NewRequest(http.MethodGet, "https://api.github.com/user", nil)
		if _, err := meter.Transport(m, "github", meter.GitHubRoute, next).RoundTrip(r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"GET /user " + test.want: "1"}, calls(t, m)); diff != "" {
			t.Errorf("%d %s (-want +got)\n%s", test.status, test.header, diff)
		}
	}
}

type answering func(*http.Request) (*http.Response, error)

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

func TestIdleConnectionsAreClosed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	own := &idle{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	(&http.Client{Transport: meter.Transport(meter.New(), "github", meter.GitHubRoute, own)}).CloseIdleConnections()
	(&http.Client{Transport: meter.Transport(meter.New(), "github", meter.GitHubRoute, answering(nil))}).CloseIdleConnections()
	if !own.closed {
		t.Error("they stay")
	}
}

type idle struct {
	*http.Transport
	closed bool
}

func (i *idle) CloseIdleConnections() { i.closed = true }

// The real client says what its calls look like on the wire.
func TestRoutesOfGitHubHaveTheirNames(t *testing.T) {
	ctx := t.Context()
	named := ""
	client := github.NewClient(&http.Client{Transport: answering(func(r *http.Request) (*http.Response, error) {
		named = meter.GitHubRoute(r)
		return nil, errors.New("not sent")
	})})
	for _, test := range []struct {
		want string
		call func()
	}{
		{"GET /user", func() { client.Users.Get(ctx, "") }},
		{"GET /users/{user}", func() { client.Users.Get(ctx, "octocat") }},
		{"GET /user/{id}", func() { client.Users.GetByID(ctx, 17) }},
		{"GET /orgs/{org}/teams", func() { client.Teams.ListTeams(ctx, "moj", &github.ListOptions{Page: 2}) }},
		{"GET /orgs/{org}/teams/{team}", func() { client.Teams.GetTeamBySlug(ctx, "moj", "root") }},
		{"GET /orgs/{org}/teams/{team}/members", func() { client.Teams.ListTeamMembersBySlug(ctx, "moj", "root", nil) }},
		{"GET /orgs/{org}/teams/{team}/memberships/{user}", func() { client.Teams.GetTeamMembershipBySlug(ctx, "moj", "root", "octocat") }},
		{"POST /app/installations/{installation}/access_tokens", func() { client.Apps.CreateInstallationToken(ctx, 17, nil) }},
		{"GET /repos/{owner}/{repo}", func() { client.Repositories.Get(ctx, "moj", "users") }},
		{"GET /repos/{owner}/{repo}/contents/...", func() { client.Repositories.GetContents(ctx, "moj", "users", "a/b c.tf", nil) }},
		{"GET /repos/{owner}/{repo}/git/ref/...", func() { client.Git.GetRef(ctx, "moj", "users", "heads/feature/x") }},
		{"POST /repos/{owner}/{repo}/git/refs", func() { client.Git.CreateRef(ctx, "moj", "users", ref()) }},
		{"PATCH /repos/{owner}/{repo}/git/refs/...", func() { client.Git.UpdateRef(ctx, "moj", "users", ref(), true) }},
		{"GET /repos/{owner}/{repo}/git/blobs/{sha}", func() { client.Git.GetBlobRaw(ctx, "moj", "users", "abc") }},
		{"GET /repos/{owner}/{repo}/git/trees/...", func() { client.Git.GetTree(ctx, "moj", "users", "feature/x", true) }},
		{"POST /repos/{owner}/{repo}/git/trees", func() { client.Git.CreateTree(ctx, "moj", "users", "abc", []*github.TreeEntry{{}}) }},
		{"GET /repos/{owner}/{repo}/git/commits/{sha}", func() { client.Git.GetCommit(ctx, "moj", "users", "abc") }},
		{"POST /repos/{owner}/{repo}/git/commits", func() { client.Git.CreateCommit(ctx, "moj", "users", &github.Commit{Tree: &github.Tree{}}, nil) }},
		{"GET /repos/{owner}/{repo}/pulls", func() { client.PullRequests.List(ctx, "moj", "users", nil) }},
		{"POST /repos/{owner}/{repo}/pulls", func() { client.PullRequests.Create(ctx, "moj", "users", nil) }},
		{"GET /repos/{owner}/{repo}/pulls/{number}", func() { client.PullRequests.Get(ctx, "moj", "users", 17) }},
		{"GET other", func() { client.Licenses.List(ctx) }},
		{"DELETE other", func() { client.Issues.DeleteLabel(ctx, "moj", "users", "secret") }},
	} {
		named = ""
		test.call()
		if named != test.want {
			t.Errorf("it is %q, want %q", named, test.want)
		}
	}
	for _, test := range []struct{ verb, address, want string }{
		{"POST", "https://api.github.com/graphql", "POST /graphql"},
		{"POST", "https://github.example.org/api/graphql", "POST /graphql"},
		{"GET", "https://github.example.org/api/v3/users/octocat", "GET /users/{user}"},
		{"GET", "https://api.github.com/users/", "GET other"},
		{"GET", "https://api.github.com/repos/moj/users/contents", "GET other"},
		{"GET", "https://api.github.com/repos//users", "GET other"},
		{"BREW", "https://api.github.com/secret", "other other"},
	} {
		if got := meter.GitHubRoute(httptest.NewRequest(test.verb, test.address, nil)); got != test.want {
			t.Errorf("%s %s is %q, want %q", test.verb, test.address, got, test.want)
		}
	}
}

func ref() *github.Reference {
	return &github.Reference{Ref: github.String("refs/heads/feature/x"), Object: &github.GitObject{SHA: github.String("abc")}}
}
