package githubaccess_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// reply is one answer of a GitHub that is in trouble.
type reply struct {
	status int
	header map[string]string
	body   string
	err    error // in place of an answer
	cut    bool  // the body breaks off
	hang   bool  // no answer comes at all
}

// replies gives one after another, and the last one for ever.
type replies struct {
	list  []reply
	asked []string // method and address of each call
	at    []time.Duration
	began time.Time
}

func (a *replies) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.began.IsZero() {
		a.began = time.Now()
	}
	next := a.list[min(len(a.asked), len(a.list)-1)]
	body := ""
	if r.Body != nil {
		text, _ := io.ReadAll(r.Body)
		body = " " + strings.TrimSpace(string(text))
	}
	a.asked = append(a.asked, r.Method+" "+r.URL.String()+body)
	a.at = append(a.at, time.Since(a.began).Round(100*time.Millisecond))
	switch {
	case next.hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case next.err != nil:
		return nil, next.err
	}
	var text io.Reader = strings.NewReader(next.body)
	if next.cut {
		text = io.MultiReader(strings.NewReader(`[{"slug":`), brokenOff{})
	}
	response := &http.Response{StatusCode: next.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(text), Request: r}
	for key, value := range next.header {
		response.Header.Set(key, value)
	}
	return response, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

var fine = reply{status: 200, body: `[{"slug":"otters"}]`}

const secondary = `{"message":"You have exceeded a secondary rate limit.","documentation_url":"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"}`

func TestReadsAreTriedAgain(t *testing.T) {
	seconds := func(n ...float64) []time.Duration {
		var all []time.Duration
		for _, s := range n {
			all = append(all, time.Duration(s*float64(time.Second)))
		}
		return all
	}
	for _, test := range []struct {
		name    string
		replies []reply
		patient time.Duration
		within  time.Duration // the caller's own time
		at      []time.Duration
		fails   string // in words; empty: it works
	}{
		{name: "a good answer is the only call", replies: []reply{fine}, at: seconds(0)},
		{name: "one 502 with a page for browsers costs nothing", replies: []reply{{status: 502, body: "<html>"}, fine}, at: seconds(0, 0.2)},
		{name: "nor two", replies: []reply{{status: 500}, {status: 503}, fine}, at: seconds(0, 0.2, 1)},
		{name: "nor a reset", replies: []reply{{err: errors.New("connection reset by peer")}, fine}, at: seconds(0, 0.2)},
		{name: "nor half an answer", replies: []reply{{status: 200, cut: true}, fine}, at: seconds(0, 0.2)},
		{name: "nor an answer that isn't whole, though its connection says so", replies: []reply{{status: 200, body: `[{"slug"`}, fine}, at: seconds(0, 0.2)},
		{name: "nor a proxy's page in its place", replies: []reply{{status: 200, body: "<html>", header: map[string]string{"Content-Type": "text/html"}}, fine}, at: seconds(0, 0.2)},
		{name: "which is told where it lasts", replies: []reply{{status: 200, body: "<html>", header: map[string]string{"Content-Type": "text/html"}}}, at: seconds(0, 0.2, 1), fails: "a proxy may have put it in its place"},
		{name: "a GitHub that is away is told after three tries", replies: []reply{{status: 502}}, at: seconds(0, 0.2, 1), fails: "GitHub answered 502 to GET /orgs/o/teams."},
		{name: "a patient caller tries once more", replies: []reply{{status: 502}}, patient: time.Minute, at: seconds(0, 0.2, 1, 4.2), fails: "GitHub answered 502"},
		{name: "a wait that GitHub asks for is kept", replies: []reply{{status: 429, header: map[string]string{"Retry-After": "3"}}, fine}, at: seconds(0, 3)},
		{name: "also by a date", replies: []reply{{status: 503, header: map[string]string{"Retry-After": "Sat, 01 Jan 2000 00:00:04 GMT"}}, fine}, at: seconds(0, 4)},
		{name: "also at the secondary limit", replies: []reply{{status: 403, body: secondary, header: map[string]string{"Retry-After": "2"}}, fine}, at: seconds(0, 2)},
		{name: "which may come without a time", replies: []reply{{status: 403, body: secondary}, fine}, at: seconds(0, 0.2)},
		{name: "which the patient give a minute", replies: []reply{{status: 403, body: secondary}, fine}, patient: 2 * time.Minute, at: seconds(0, 60)},
		{name: "a long wait is for the patient alone", replies: []reply{{status: 403, body: secondary, header: map[string]string{"Retry-After": "60"}}, fine}, at: seconds(0), fails: "GitHub asks the bot to slow down (secondary rate limit). Try again in 1m0s."},
		{name: "who wait for it", replies: []reply{{status: 403, body: secondary, header: map[string]string{"Retry-After": "60"}}, fine}, patient: 2 * time.Minute, at: seconds(0, 60)},
		{name: "but not beyond the caller's own time", replies: []reply{{status: 429, header: map[string]string{"Retry-After": "60"}}, fine}, patient: 2 * time.Minute, within: 30 * time.Second, at: seconds(0), fails: "GitHub asks the bot to slow down (429). Try again in 1m0s."},
		{
			name: "the hourly limit is waited for until it resets", patient: 2 * time.Minute, at: seconds(0, 31),
			replies: []reply{{status: 403, body: `{"message":"API rate limit exceeded"}`, header: map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(bubbleEpoch+30, 10)}}, fine},
		},
		{name: "a GitHub that hangs is left after its time", replies: []reply{{hang: true}}, at: seconds(0), fails: "GitHub did not answer in time."},
		{name: "and asked again by the patient", replies: []reply{{hang: true}, fine}, patient: time.Minute, at: seconds(0, 15.2)},
		{name: "a refusal is an answer", replies: []reply{{status: 403, body: `{"message":"Resource not accessible by integration"}`}}, at: seconds(0), fails: "GitHub refused the bot (403): Resource not accessible by integration."},
		{name: "so is 404", replies: []reply{{status: 404}}, at: seconds(0), fails: "GitHub answered 404"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &replies{list: test.replies}
				client, err := githubaccess.New(githubaccess.DefaultURL, network)
				if err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if test.patient > 0 {
					ctx = githubaccess.Patiently(ctx, test.patient)
				}
				if test.within > 0 {
					limited, cancel := context.WithTimeout(ctx, test.within)
					defer cancel()
					ctx = limited
				}
				list, _, err := client.Teams.ListTeams(ctx, "o", nil)
				if words := ops.Words(githubaccess.Explain(err), ""); test.fails != "" && !strings.Contains(words, test.fails) {
					t.Errorf("got %q, want %q", words, test.fails)
				}
				if test.fails == "" && (err != nil || len(list) != 1) {
					t.Errorf("got %v, %v", list, err)
				}
				if diff := cmp.Diff(test.at, network.at); diff != "" {
					t.Errorf("asked at (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// bubbleEpoch is when a bubble's time begins.
const bubbleEpoch = 946684800

func TestWritesAreTriedOnce(t *testing.T) {
	for _, test := range []struct {
		name  string
		reply reply
	}{
		{"502", reply{status: 502}},
		{"429", reply{status: 429, header: map[string]string{"Retry-After": "1"}}},
		{"a reset", reply{err: errors.New("connection reset by peer")}},
		{"half an answer", reply{status: 201, cut: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			network := &replies{list: []reply{test.reply}}
			client, err := githubaccess.New(githubaccess.DefaultURL, network)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = client.Git.CreateRef(t.Context(), "o", "r", &github.Reference{Ref: github.String("refs/heads/b"), Object: &github.GitObject{SHA: github.String("1")}})
			if len(network.asked) != 1 || !ops.IsPassing(githubaccess.Explain(err)) {
				t.Errorf("asked %v: %v", network.asked, err)
			}
		})
	}
	t.Run("but a query of GraphQL's is a read", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			network := &replies{list: []reply{{status: 502}, {status: 200, body: `{}`}}}
			client, err := githubaccess.New(githubaccess.DefaultURL, network)
			if err != nil {
				t.Fatal(err)
			}
			request, err := client.NewRequest(http.MethodPost, "graphql", map[string]string{"query": "q"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Do(githubaccess.Reading(t.Context()), request, nil)
			want := `POST https://api.github.com/graphql {"query":"q"}`
			if diff := cmp.Diff([]string{want, want}, network.asked); err != nil || diff != "" {
				t.Errorf("%v\n%s", err, diff)
			}
		})
	})
}

// A call at the end of the hour isn't refused by go-github before it is made.
func TestTheLastCallOfTheHour(t *testing.T) {
	last := fine
	last.header = map[string]string{"X-RateLimit-Limit": "5000", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10)}
	network := &replies{list: []reply{last, fine}}
	client, err := githubaccess.New(githubaccess.DefaultURL, network)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := teams(t.Context(), client); err != nil {
			t.Error(err)
		}
	}
}

func TestRedirects(t *testing.T) {
	for _, test := range []struct {
		name, method string
		status       int
		to           string
		followed     bool
	}{
		{"a read of a repository that was renamed is followed", http.MethodGet, 301, "https://api.github.com/repositories/1", true},
		{"a write that may be sent as it is, too", http.MethodPost, 307, "https://api.github.com/repositories/1", true},
		{"a write that would become a read isn't", http.MethodPost, 301, "https://api.github.com/repositories/1", false},
		{"nor one to another server, with the bot's token", http.MethodGet, 301, "https://evil.example/repositories/1", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			network := &replies{list: []reply{{status: test.status, header: map[string]string{"Location": test.to}}, {status: 200, body: `{}`}}}
			client, err := githubaccess.New(githubaccess.DefaultURL, network)
			if err != nil {
				t.Fatal(err)
			}
			request, err := client.NewRequest(test.method, "repos/o/old", map[string]string{"a": "b"})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Do(t.Context(), request, nil)
			if test.followed {
				if err != nil || len(network.asked) != 2 || !strings.HasPrefix(network.asked[1], test.method+" "+test.to) {
					t.Errorf("asked %v: %v", network.asked, err)
				}
				return
			}
			want := fmt.Sprintf("GitHub says that %s /repos/o/old has moved to %s (301): the organisation or the repository was renamed. Put the new name into the bot's settings.", test.method, test.to)
			if words := ops.Words(githubaccess.Explain(err), ""); words != want || len(network.asked) != 1 || ops.IsPassing(githubaccess.Explain(err)) {
				t.Errorf("asked %v, got %q", network.asked, words)
			}
		})
	}
}

func TestExplainGivesGitHubsReason(t *testing.T) {
	for _, test := range []struct {
		name  string
		reply reply
		want  []string
	}{
		{
			"a ruleset",
			reply{status: 422, body: `{"message":"Repository rule violations found\n\n- Cannot create ref due to creations being restricted.\n\n"}`},
			[]string{"GitHub answered 422 to GET /orgs/o/teams: Repository rule violations found - Cannot create ref due to creations being restricted.", "past that ruleset"},
		},
		{
			"what is wrong with a parameter",
			reply{status: 422, body: `{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for o:b."}]}`},
			[]string{": Validation Failed; A pull request already exists for o:b."},
		},
		{
			"a field without words",
			reply{status: 422, body: `{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"head","code":"invalid"}]}`},
			[]string{": Validation Failed; PullRequest head invalid."},
		},
		{
			"a permission that is missing",
			reply{status: 403, body: `{"message":"Resource not accessible by integration"}`, header: map[string]string{"X-Accepted-GitHub-Permissions": "contents=write,workflows=write"}},
			[]string{"(403): Resource not accessible by integration.", "needs the permission contents: write, workflows: write"},
		},
		{
			"single sign-on",
			reply{status: 403, body: `{"message":"Resource protected by organization SAML enforcement."}`, header: map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/o/sso?authorization_request=A1"}},
			[]string{"single sign-on", "at https://github.com/orgs/o/sso?authorization_request=A1"},
		},
		{"a suspended installation", reply{status: 403, body: `{"message":"This installation has been suspended"}`}, []string{"must unsuspend"}},
		{"an archived repository", reply{status: 403, body: `{"message":"Repository was archived so is read-only."}`}, []string{"is archived: an administrator must unarchive it"}},
		{"an IP allow list", reply{status: 403, body: "{\"message\":\"Although you appear to have the correct authorization credentials, the `o` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.\"}"}, []string{"on the organisation's IP allow list"}},
		{"a wrong clock", reply{status: 401, body: `{"message":"'Expiration time' claim ('exp') is too far in the future"}`}, []string{"clock of the bot's machine"}},
		{"a key of another App", reply{status: 401, body: `{"message":"A JSON web token could not be decoded"}`}, []string{"GITHUB_APP_PRIVATE_KEY must be a key of the GitHub App"}},
		{"a secondary limit that go-github doesn't know", reply{status: 403, body: `{"message":"You have exceeded a secondary rate limit."}`, header: map[string]string{"Retry-After": "90"}}, []string{"GitHub asks the bot to slow down (403). Try again in 1m30s."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, err := githubaccess.New(githubaccess.DefaultURL, &replies{list: []reply{test.reply}})
				if err != nil {
					t.Fatal(err)
				}
				_, _, err = client.Teams.ListTeams(t.Context(), "o", nil)
				words := ops.Words(githubaccess.Explain(err), "")
				for _, part := range test.want {
					if !strings.Contains(words, part) {
						t.Errorf("got %q, want %q in it", words, part)
					}
				}
			})
		})
	}
}
