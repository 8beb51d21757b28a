package githubaccess_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// hour is a GitHub with few calls an hour, and the client that asks about membership.
func hour(t *testing.T, calls int) (*githubtest.Server, *github.Client) {
	t.Helper()
	gh := githubtest.New(githubtest.Options{Organization: "ministryofjustice", RateLimit: calls})
	t.Cleanup(gh.Close)
	gh.AddTeam("admins")
	gh.AddRepository("ministryofjustice/users", githubtest.RepositoryOptions{Files: map[string]string{"a.json": "{}\n"}})
	app := gh.AddApp(githubtest.App{Permissions: map[string]string{"contents": "write", "pull_requests": "write", "members": "read"}})
	key, err := githubaccess.ParseKey([]byte(app.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	client, err := githubaccess.New(gh.URL(), &githubaccess.App{ID: strconv.FormatInt(app.ID, 10), Installation: app.InstallationID, Key: key, Address: gh.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return gh, client
}

func TestTheLastCallsOfAnHourAreForMembership(t *testing.T) {
	t.Parallel()
	gh, client := hour(t, 110)
	spares := githubaccess.Sparing(client)
	made := 0
	var err error
	for ; err == nil && made < 110; made++ {
		err = teams(t.Context(), spares)
	}
	if made != 56 {
		t.Errorf("%d calls were made in all", made)
	}
	said := githubaccess.Explain(err)
	words := ops.Words(said, "")
	if ops.KindOf(said) != ops.Unavailable || !ops.IsPassing(said) || !strings.HasPrefix(words, "Of the calls that GitHub allows the bot an hour 55 are left, and the bot keeps them for checking who is a member. GitHub's next hour begins at ") {
		t.Errorf("it says %q, %v", words, said)
	}
	if before := gh.Count("/orgs/"); before != 55 {
		t.Errorf("GitHub was asked %d times", before)
	}
	// What has begun is written down.
	if _, _, err := spares.Git.CreateBlob(t.Context(), "ministryofjustice", "users", &github.Blob{Content: new("{}"), Encoding: new("utf-8")}); err != nil {
		t.Errorf("a write: %v", err)
	}
	for n := range 54 {
		if err := teams(t.Context(), client); err != nil {
			t.Fatalf("question %d about membership: %v", n, err)
		}
	}
	if p := gh.Problems(); len(p) > 0 {
		t.Error(p)
	}
	login, err := githubaccess.Login(t.Context(), spares)
	if err != nil || !strings.HasSuffix(login, "[bot]") {
		t.Errorf("the client that spares acts as %q, %v", login, err)
	}
}

func TestWhatMayBeAskedIsSaidByGitHubsHour(t *testing.T) {
	says := func(limit, remaining int, reset int64, more ...string) reply {
		header := map[string]string{"X-RateLimit-Limit": strconv.Itoa(limit), "X-RateLimit-Remaining": strconv.Itoa(remaining), "X-RateLimit-Reset": strconv.FormatInt(bubbleEpoch+reset, 10)}
		for _, resource := range more {
			header["X-RateLimit-Resource"] = resource
		}
		return reply{status: 200, body: fine.body, header: header}
	}
	for _, test := range []struct {
		name    string
		before  []reply // to questions about membership
		patient time.Duration
		waits   time.Duration
		refused bool
	}{
		{name: "more than a tenth is left", before: []reply{says(5000, 501, 3000)}},
		{name: "a tenth is left", before: []reply{says(5000, 500, 3000)}, refused: true},
		{name: "of an enterprise's hour a tenth is more", before: []reply{says(15000, 1500, 3000)}, refused: true},
		{name: "of a small hour a hundred are kept", before: []reply{says(500, 100, 3000)}, refused: true},
		{name: "of a tiny one half", before: []reply{says(60, 31, 3000)}},
		{name: "a GitHub without limits", before: []reply{fine}},
		{name: "a patient read waits for the next hour", before: []reply{says(5000, 3, 60)}, patient: 90 * time.Second, waits: 61 * time.Second},
		{name: "but not for longer than it may", before: []reply{says(5000, 3, 3000)}, patient: 90 * time.Second, refused: true},
		{name: "an hour that is over counts no more", before: []reply{says(5000, 3, -5)}},
		{name: "GraphQL has its own", before: []reply{says(5000, 3, 3000, "graphql")}},
		{name: "an answer that was overtaken changes nothing", before: []reply{says(5000, 400, 3000), says(5000, 600, 3001)}, refused: true},
		{name: "nor does one of the hour before", before: []reply{says(5000, 4000, 3000), says(5000, 3, 100)}},
		{name: "the next hour's answer does", before: []reply{says(5000, 3, 100), says(5000, 4999, 3700)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := &replies{list: append(test.before, fine)}
				client, err := githubaccess.New(githubaccess.DefaultURL, network)
				if err != nil {
					t.Fatal(err)
				}
				for range test.before {
					if err := teams(t.Context(), client); err != nil {
						t.Fatal(err)
					}
				}
				ctx, began := t.Context(), time.Now()
				if test.patient > 0 {
					ctx = githubaccess.Patiently(ctx, test.patient)
				}
				err = teams(ctx, githubaccess.Sparing(client))
				if (err != nil) != test.refused || time.Since(began) != test.waits {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				if err != nil && !strings.Contains(ops.Words(githubaccess.Explain(err), ""), "begins at 00:50:00 UTC; try again then.") {
					t.Errorf("it says %q", ops.Words(githubaccess.Explain(err), ""))
				}
			})
		})
	}
}

func TestWhatIsAskedRepeatedlyCostsNothingWhileNothingChanges(t *testing.T) {
	t.Parallel()
	gh, client := hour(t, 1000)
	repeated := githubaccess.Repeatedly(t.Context())
	look := func(ctx context.Context, text string, left int) {
		t.Helper()
		file, _, response, err := client.Repositories.GetContents(ctx, "ministryofjustice", "users", "a.json", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := file.GetContent(); err != nil || got != text || response.Rate.Remaining != left || response.StatusCode != 200 {
			t.Errorf("%q with %d left (%d), %v; want %q with %d", got, response.Rate.Remaining, response.StatusCode, err, text, left)
		}
	}
	look(repeated, "{}\n", 999)
	look(repeated, "{}\n", 999)
	look(repeated, "{}\n", 999)
	look(t.Context(), "{}\n", 998) // a single look is a call
	gh.Commit("ministryofjustice/users", "main", map[string]string{"a.json": "[]\n"}, "Change")
	look(repeated, "[]\n", 997)
	look(repeated, "[]\n", 997)
	gh.Fail("/contents/", githubtest.Fault{Status: 502, Times: 1})
	look(repeated, "[]\n", 997)
	if p := gh.Problems(); len(p) > 0 {
		t.Error(p)
	}
}
