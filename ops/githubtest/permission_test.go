package githubtest_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const (
	byIntegration = "Resource not accessible by integration"
	byToken       = "Resource not accessible by personal access token"
)

// TestWhoMayDoWhat has each caller read the repository and a file, list the pull requests, make a blob, open, comment on
// and merge a pull request.
func TestWhoMayDoWhat(t *testing.T) {
	type want struct{ repository, file, list, blob, open, comment, merge string }
	const ok, missing, integration, token = "", "Not Found", byIntegration, byToken
	every := func(s string) want { return want{s, s, s, s, s, s, s} }
	app := func(permissions map[string]string, repositories ...string) func(*testing.T, *githubtest.Server) string {
		return func(t *testing.T, gh *githubtest.Server) string {
			app := gh.AddApp(githubtest.App{Permissions: permissions, Repositories: repositories})
			jwt := sign(t, app.PrivateKey, "RS256", claims(app.ID, time.Now().Add(-time.Second)))
			made, _, err := client(t, gh, jwt).Apps.CreateInstallationToken(t.Context(), app.InstallationID, nil)
			if err != nil {
				t.Fatal(err)
			}
			return made.GetToken()
		}
	}
	both := map[string]string{"contents": "write", "pull_requests": "write"}
	for _, tc := range []struct {
		name    string
		public  bool
		prepare func(*testing.T, *githubtest.Server) string
		want    want
	}{
		{"an App with what it needs", false, app(both), every(ok)},
		{"an App for this repository", false, app(both, "users"), every(ok)},
		{"an App for this repository by its full name", false, app(both, users), every(ok)},
		{"an App for another repository", false, app(both, "other"), every(missing)},
		{"an App for no repository", false, app(both, []string{}...), every(missing)},
		{"an App without repository permissions", false, app(nil), every(missing)},
		{
			"an App that may only read", false, app(map[string]string{"contents": "read", "pull_requests": "read"}),
			want{ok, ok, ok, integration, integration, integration, integration},
		},
		{
			"an App without pull requests", false, app(map[string]string{"contents": "write"}),
			want{ok, ok, integration, ok, integration, integration, ok},
		},
		{
			"an App without contents", false, app(map[string]string{"pull_requests": "write"}),
			want{ok, integration, ok, integration, ok, ok, integration},
		},
		{
			"an App with issues alone", false, app(map[string]string{"issues": "write"}),
			want{ok, integration, integration, integration, integration, ok, integration},
		},
		{
			"an App for another repository, of a public one", true, app(both, "other"),
			want{ok, ok, ok, integration, integration, integration, integration},
		},
		{"a classic token of one who may write", false, classic("writer", "write", "repo"), every(ok)},
		{"a classic token without repo", false, classic("writer", "write", "read:org"), every(missing)},
		{
			"a classic token without repo, of a public one", true, classic("writer", "write", "read:org"),
			want{ok, ok, ok, missing, missing, missing, missing},
		},
		{"a classic token with public_repo, of a public one", true, classic("writer", "write", "public_repo"), every(ok)},
		{"a classic token with public_repo, of a private one", false, classic("writer", "write", "public_repo"), every(missing)},
		{
			"a classic token of one who may read", false, classic("member", "", "repo"),
			want{ok, ok, ok, missing, missing, ok, missing},
		},
		{"a classic token of a stranger", false, func(t *testing.T, gh *githubtest.Server) string {
			defer gh.RemoveFromOrganization("stranger")
			return classic("stranger", "", "repo")(t, gh)
		}, every(missing)},
		{"an owner's", false, func(t *testing.T, gh *githubtest.Server) string {
			gh.AddOwner("boss")
			return classic("boss", "", "repo")(t, gh)
		}, every(ok)},
		{"a fine-grained token", false, fine("write", both), every(ok)},
		{"a fine-grained token for this repository", false, fine("write", both, users), every(ok)},
		{"a fine-grained token for another repository", false, fine("write", both, "other"), every(missing)},
		{
			"a fine-grained token that may only read", false, fine("write", map[string]string{"contents": "read", "pull_requests": "read"}),
			want{ok, ok, ok, token, token, token, token},
		},
		{
			"a fine-grained token of one who may only read", false, fine("read", both),
			want{ok, ok, ok, token, token, ok, token},
		},
		{"a token without any repository permission", false, func(t *testing.T, gh *githubtest.Server) string {
			gh.AddToken("plain", "reader")
			return "plain"
		}, every(missing)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gh := start(t, githubtest.Options{})
			gh.AddRepository(users, githubtest.RepositoryOptions{Public: tc.public})
			gh.AddRepository(org+"/other", githubtest.RepositoryOptions{})
			gh.Commit(users, "one", map[string]string{"one": ""}, "x")
			gh.Commit(users, "two", map[string]string{"two": ""}, "x")
			gh.AddCollaborator(users, "helper", "write")
			gh.AddToken("helper", "helper", "repo")
			ctx := t.Context()
			must(client(t, gh, "helper").PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: new("x"), Head: new("one"), Base: new("main")}))(t)
			c := client(t, gh, tc.prepare(t, gh))
			check := func(name, want string, err error) {
				t.Helper()
				switch {
				case want == "" && err != nil:
					t.Errorf("%s: %v", name, err)
				case want == missing:
					refused(t, err, http.StatusNotFound, want)
				case want != "":
					refused(t, err, http.StatusForbidden, want)
				}
			}
			_, _, err := c.Repositories.Get(ctx, org, "users")
			check("repository", tc.want.repository, err)
			_, _, _, err = c.Repositories.GetContents(ctx, org, "users", "README.md", nil)
			check("file", tc.want.file, err)
			_, _, err = c.PullRequests.List(ctx, org, "users", nil)
			check("list", tc.want.list, err)
			_, _, err = c.Git.CreateBlob(ctx, org, "users", &github.Blob{Content: new("x")})
			check("blob", tc.want.blob, err)
			_, _, err = c.PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: new("x"), Head: new("two"), Base: new("main")})
			check("open", tc.want.open, err)
			_, _, err = c.Issues.CreateComment(ctx, org, "users", 1, &github.IssueComment{Body: new("x")})
			check("comment", tc.want.comment, err)
			_, _, err = c.PullRequests.Merge(ctx, org, "users", 1, "", nil)
			check("merge", tc.want.merge, err)
		})
	}
}

func classic(login, permission string, scopes ...string) func(*testing.T, *githubtest.Server) string {
	return func(t *testing.T, gh *githubtest.Server) string {
		gh.AddToken("caller", login, scopes...)
		gh.AddCollaborator(users, login, permission)
		return "caller"
	}
}

func fine(permission string, permissions map[string]string, repositories ...string) func(*testing.T, *githubtest.Server) string {
	return func(t *testing.T, gh *githubtest.Server) string {
		gh.AddFineGrainedToken("caller", "writer", permissions, repositories...)
		gh.AddCollaborator(users, "writer", permission)
		return "caller"
	}
}

func TestAnInstallationTokenForOneRepository(t *testing.T) {
	gh := start(t, githubtest.Options{})
	id := gh.AddRepository(users, githubtest.RepositoryOptions{})
	gh.AddRepository(org+"/other", githubtest.RepositoryOptions{})
	gh.AddRepository("alice/users", githubtest.RepositoryOptions{})
	app := gh.AddApp(githubtest.App{Slug: "rootbot", Permissions: map[string]string{"contents": "write", "pull_requests": "write", "members": "read"}})
	ctx := t.Context()
	jwt := client(t, gh, sign(t, app.PrivateKey, "RS256", claims(app.ID, time.Now().Add(-time.Second))))
	made := must(jwt.Apps.CreateInstallationToken(ctx, app.InstallationID, &github.InstallationTokenOptions{
		Repositories: []string{"users"}, RepositoryIDs: []int64{id},
		Permissions: &github.InstallationPermissions{Contents: new("write"), PullRequests: new("write"), Metadata: new("read")},
	}))(t)
	if len(made.Repositories) != 1 || made.Repositories[0].GetFullName() != users {
		t.Errorf("got %v", made)
	}
	c := client(t, gh, made.GetToken())
	_, _, err := c.Repositories.Get(ctx, org, "other")
	refused(t, err, http.StatusNotFound, "Not Found")
	_, _, err = c.Repositories.Get(ctx, "alice", "users")
	refused(t, err, http.StatusNotFound, "Not Found")

	gh.Commit(users, "x", map[string]string{"x": ""}, "x")
	p := must(c.PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: new("x"), Head: new("x"), Base: new("main")}))(t)
	if p.GetUser().GetLogin() != "rootbot[bot]" || p.GetUser().GetType() != "Bot" {
		t.Errorf("got %v", p.GetUser())
	}
	bot := must(c.Users.Get(ctx, "rootbot[bot]"))(t)
	if bot.GetID() != p.GetUser().GetID() || bot.GetID() == app.ID {
		t.Errorf("got %v", bot)
	}
	done := must(c.Repositories.CreateFile(ctx, org, "users", "y", &github.RepositoryContentFileOptions{Message: new("y"), Content: []byte("y"), Branch: new("x")}))(t)
	if author := done.Commit.GetAuthor(); author.GetName() != "rootbot[bot]" {
		t.Errorf("got %v", author)
	}
	equal(t, gh.Pull(users, 1).Author, "rootbot[bot]")
	equal(t, len(gh.Pull(users, 1).Files), 2)

	gh.AddRepository(org+"/third", githubtest.RepositoryOptions{})
	app.Repositories = []string{"third"}
	gh.AddApp(app)
	_, _, err = c.Repositories.Get(ctx, org, "users")
	refused(t, err, http.StatusNotFound, "Not Found")
	_, _, err = jwt.Apps.CreateInstallationToken(ctx, app.InstallationID, &github.InstallationTokenOptions{Repositories: []string{"users"}})
	refused(t, err, http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
}

func TestAFineGrainedTokenReadsTeamsOnlyWithMembers(t *testing.T) {
	gh := family(t)
	gh.AddFineGrainedToken("without", "reader", map[string]string{"contents": "read"})
	gh.AddFineGrainedToken("with", "reader", map[string]string{"members": "read"})
	_, _, err := client(t, gh, "without").Teams.GetTeamBySlug(t.Context(), org, "admins")
	refused(t, err, http.StatusNotFound, "Not Found")
	must(client(t, gh, "with").Teams.GetTeamBySlug(t.Context(), org, "admins"))(t)
}
