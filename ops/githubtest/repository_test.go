package githubtest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestARepository(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{DefaultBranch: "master"})
	repo := must(c.Repositories.Get(t.Context(), strings.ToUpper(org), "Users"))(t)
	if repo.GetFullName() != users || repo.GetDefaultBranch() != "master" || !repo.GetPrivate() || repo.GetOwner().GetType() != "Organization" || !repo.GetPermissions()["push"] || repo.GetPermissions()["admin"] {
		t.Errorf("got %v", repo)
	}
	byID := must(c.Repositories.GetByID(t.Context(), repo.GetID()))(t)
	equal(t, byID.GetName(), "users")
	readme, _ := gh.File(users, "master", "README.md")
	equal(t, readme, "# users\n")
	_, _, err := c.Repositories.Get(t.Context(), org, "nothing")
	refused(t, err, http.StatusNotFound, "Not Found")
}

func TestABranchThatIsRenamed(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{DefaultBranch: "master"})
	gh.Commit(users, "topic", map[string]string{"a": "b"}, "x")
	must(c.PullRequests.Create(t.Context(), org, "users", &github.NewPullRequest{Title: github.String("x"), Head: github.String("topic"), Base: github.String("master")}))(t)
	gh.RenameBranch(users, "master", "main")
	equal(t, gh.Pull(users, 1).Base, "main")
	equal(t, must(c.Repositories.Get(t.Context(), org, "users"))(t).GetDefaultBranch(), "main")
	equal(t, must(c.Repositories.GetBranch(t.Context(), org, "users", "master", 1))(t).GetName(), "main")
	_, _, err := c.Git.GetRef(t.Context(), org, "users", "heads/master")
	refused(t, err, http.StatusNotFound, "Not Found")
}

func TestRepositoriesOfOthers(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddRepository("alice/tools", githubtest.RepositoryOptions{})
	gh.AddToken("hers", "alice", "repo")
	gh.AddToken("his", "bob", "repo")
	repo := must(client(t, gh, "hers").Repositories.Get(t.Context(), "alice", "tools"))(t)
	if repo.GetOwner().GetLogin() != "alice" || repo.GetOwner().GetType() != "User" || !repo.GetPermissions()["admin"] {
		t.Errorf("got %v", repo)
	}
	_, _, err := client(t, gh, "his").Repositories.Get(t.Context(), "alice", "tools")
	refused(t, err, http.StatusNotFound, "Not Found")
	gh.AddCollaborator("alice/tools", "bob", "read")
	must(client(t, gh, "his").Repositories.Get(t.Context(), "alice", "tools"))(t)
	gh.AddCollaborator("alice/tools", "bob", "")
	_, _, err = client(t, gh, "his").Repositories.Get(t.Context(), "alice", "tools")
	refused(t, err, http.StatusNotFound, "Not Found")
}

func TestMistakesWithRepositoriesPanic(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddRepository(users, githubtest.RepositoryOptions{})
	for name, mistake := range map[string]func(){
		"a repository without an owner": func() { gh.AddRepository("users", githubtest.RepositoryOptions{}) },
		"a repository twice":            func() { gh.AddRepository(strings.ToUpper(users), githubtest.RepositoryOptions{}) },
		"a path that git wouldn't have": func() { gh.Commit(users, "main", map[string]string{"a//b": ""}, "x") },
		"a file to remove that isn't":   func() { gh.Commit(users, "main", nil, "x", "nothing") },
		"a branch to rename that isn't": func() { gh.RenameBranch(users, "nothing", "main2") },
		"no such repository":            func() { gh.File("x/y", "main", "z") },
		"no such pull request":          func() { gh.Merge(users, 1, "dan") },
		"no such permission":            func() { gh.AddCollaborator(users, "dan", "push") },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			mistake()
		})
	}
	equal(t, gh.Branches(users), []string{"main"})
}

func TestAPullRequestChangesItsBase(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	ctx := t.Context()
	propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
	gh.Commit(users, "remove-bob", map[string]string{"README.md": "Two\n"}, "Two")
	gh.AddBranch(users, "stable")
	p := must(c.PullRequests.Edit(ctx, org, "users", 1, &github.PullRequest{Base: &github.PullRequestBranch{Ref: new("stable")}}))(t)
	equal(t, p.GetBase().GetRef(), "stable")
	var messages []string
	for _, commit := range must(c.PullRequests.ListCommits(ctx, org, "users", 1, nil))(t) {
		messages = append(messages, commit.GetCommit().GetMessage())
	}
	equal(t, messages, []string{"Remove bob", "Two"})
	_, _, err := c.PullRequests.Edit(ctx, org, "users", 1, &github.PullRequest{Base: &github.PullRequestBranch{Ref: new("nowhere")}})
	refused(t, err, http.StatusUnprocessableEntity, "Validation Failed")
	_, _, err = c.PullRequests.Merge(ctx, org, "users", 1, "", &github.PullRequestOptions{MergeMethod: "rebase"})
	refused(t, err, http.StatusMethodNotAllowed, "Rebase merges are not allowed on this repository.")
	if merged, _, err := c.PullRequests.IsMerged(ctx, org, "users", 1); merged || err != nil {
		t.Errorf("got %v, %v", merged, err)
	}
	gh.DeleteBranch(users, "stable")
	equal(t, gh.Pull(users, 1).State, "closed")
	equal(t, len(gh.Pull(users, 1).Files), 2)
	_, _, err = c.PullRequests.Edit(ctx, org, "users", 1, &github.PullRequest{State: new("open")})
	failed(t, err, "state cannot be changed. The stable branch has been deleted.")
}

func TestBodiesThatCannotBeRead(t *testing.T) {
	gh, _ := library(t, githubtest.RepositoryOptions{})
	for _, tc := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"ref":`, 400, "Problems parsing JSON"},
		{`{"ref":1,"sha":"x"}`, 422, "Invalid request."},
		{``, 422, `\"ref\", \"sha\" weren't supplied.`},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", gh.URL()+"repos/"+users+"/git/refs", strings.NewReader(tc.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer writer")
		resp, err := (&http.Client{Transport: transport(t)}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer strings.Builder
		if err := resp.Write(&answer); err != nil || resp.StatusCode != tc.status || !strings.Contains(answer.String(), tc.want) {
			t.Errorf("%s: %s, %v", tc.body, answer.String(), err)
		}
	}
}
