package githubtest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

var terraform = map[string]string{
	"terraform/users.json":   "ann\nbob\ncid\n",
	"terraform/members.json": "ann\nbob\ncid\n",
	"README.md":              "Users\n",
}

// failed checks that err is a 422 "Validation Failed" with that one error in words.
func failed(t *testing.T, err error, message string) {
	t.Helper()
	refused(t, err, http.StatusUnprocessableEntity, "Validation Failed")
	var e *github.ErrorResponse
	if errors.As(err, &e) && (len(e.Errors) != 1 || e.Errors[0].Code != "custom" || e.Errors[0].Message != message) {
		t.Errorf("got %+v, want %q", e.Errors, message)
	}
}

// propose makes a branch with one commit of the files, by way of a tree, and a pull request of it.
func propose(t *testing.T, c *github.Client, branch string, files map[string]string) *github.PullRequest {
	t.Helper()
	ctx := t.Context()
	base := must(c.Git.GetRef(ctx, org, "users", "heads/main"))(t)
	tip := must(c.Git.GetCommit(ctx, org, "users", base.GetObject().GetSHA()))(t)
	var entries []*github.TreeEntry
	for path, content := range files {
		entries = append(entries, &github.TreeEntry{Path: new(path), Mode: new("100644"), Type: new("blob"), Content: new(content)})
	}
	tree := must(c.Git.CreateTree(ctx, org, "users", tip.GetTree().GetSHA(), entries))(t)
	commit := must(c.Git.CreateCommit(ctx, org, "users", &github.Commit{Message: new("Remove bob"), Tree: tree, Parents: []*github.Commit{tip}}, nil))(t)
	must(c.Git.CreateRef(ctx, org, "users", &github.Reference{Ref: new("refs/heads/" + branch), Object: &github.GitObject{SHA: commit.SHA}}))(t)
	return must(c.PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: new("Remove bob"), Head: new(branch), Base: new("main"), Body: new("Asked by ann")}))(t)
}

func TestAPullRequestsLife(t *testing.T) {
	var merged []githubtest.Pull
	var gh *githubtest.Server
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform, OnMerge: func(p githubtest.Pull) {
		content, _ := gh.File(p.Repository, p.Base, "terraform/users.json")
		equal(t, content, "ann\ncid\n")
		merged = append(merged, p)
	}})
	ctx := t.Context()
	made := propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n", "terraform/members.json": "ann\ncid\n"})
	if made.GetNumber() != 1 || made.GetState() != "open" || made.Mergeable != nil || made.GetUser().GetLogin() != "writer" || made.GetHead().GetLabel() != org+":remove-bob" || made.GetChangedFiles() != 2 {
		t.Errorf("got %v", made)
	}
	list := must(c.PullRequests.List(ctx, org, "users", &github.PullRequestListOptions{Head: org + ":remove-bob"}))(t)
	if len(list) != 1 || list[0].GetNumber() != 1 || list[0].Mergeable != nil {
		t.Errorf("got %v", list)
	}
	files := must(c.PullRequests.ListFiles(ctx, org, "users", 1, nil))(t)
	if len(files) != 2 || files[0].GetFilename() != "terraform/members.json" || files[0].GetStatus() != "modified" || files[0].GetDeletions() != 1 || files[0].GetAdditions() != 0 ||
		files[0].GetPatch() != "@@ -1,3 +1,2 @@\n ann\n-bob\n cid" {
		t.Errorf("got %v", files)
	}
	p := must(c.PullRequests.Get(ctx, org, "users", 1))(t)
	equal(t, p.GetMergeableState(), "clean")
	must(c.Issues.CreateComment(ctx, org, "users", 1, &github.IssueComment{Body: new("Approved by cid")}))(t)
	gh.Comment(users, 1, "dan", "Fine")
	comments := must(c.Issues.ListComments(ctx, org, "users", 1, nil))(t)
	if len(comments) != 2 || comments[0].GetUser().GetLogin() != "writer" || comments[1].GetBody() != "Fine" {
		t.Errorf("got %v", comments)
	}
	must(c.PullRequests.Edit(ctx, org, "users", 1, &github.PullRequest{Title: new("Remove AWS user bob")}))(t)

	if err := gh.Merge(users, 1, "dan"); err != nil {
		t.Fatal(err)
	}
	p = must(c.PullRequests.Get(ctx, org, "users", 1))(t)
	if !p.GetMerged() || p.GetState() != "closed" || p.GetMergedBy().GetLogin() != "dan" || p.GetMergedAt().IsZero() || p.GetMergeCommitSHA() == "" || p.GetChangedFiles() != 2 {
		t.Errorf("got %v", p)
	}
	if is, _, err := c.PullRequests.IsMerged(ctx, org, "users", 1); err != nil || !is {
		t.Errorf("got %v, %v", is, err)
	}
	merge := must(c.Git.GetCommit(ctx, org, "users", p.GetMergeCommitSHA()))(t)
	if len(merge.Parents) != 2 || merge.GetMessage() != "Merge pull request #1 from "+org+"/remove-bob\n\nRemove AWS user bob" || merge.GetCommitter().GetName() != "GitHub" {
		t.Errorf("got %v", merge)
	}
	want := gh.Pull(users, 1)
	equal(t, merged, []githubtest.Pull{want})
	equal(t, want.Files, []githubtest.Change{
		{Path: "terraform/members.json", Status: "modified", Before: "ann\nbob\ncid\n", After: "ann\ncid\n"},
		{Path: "terraform/users.json", Status: "modified", Before: "ann\nbob\ncid\n", After: "ann\ncid\n"},
	})
	equal(t, want.Commits, []string{"Remove bob"})
	equal(t, want.Comments, []githubtest.Comment{{By: "writer", Body: "Approved by cid"}, {By: "dan", Body: "Fine"}})
	equal(t, want.Body, "Asked by ann")
	if err := gh.Merge(users, 1, "dan"); err == nil || errors.Is(err, githubtest.ErrConflict) {
		t.Errorf("merged twice: %v", err)
	}
	_, _, err := c.PullRequests.Edit(ctx, org, "users", 1, &github.PullRequest{State: new("open")})
	failed(t, err, "state cannot be changed. The pull request cannot be reopened.")
	if _, err := c.Git.DeleteRef(ctx, org, "users", "heads/remove-bob"); err != nil {
		t.Error(err)
	}
	equal(t, gh.Branches(users), []string{"main"})
}

func TestOnePullRequestPerBranch(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	ctx := t.Context()
	open := func(head, base string) error {
		_, _, err := c.PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: new("x"), Head: &head, Base: &base})
		return err
	}
	gh.AddBranch(users, "idle")
	failed(t, open("idle", "main"), "No commits between main and idle")
	propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
	failed(t, open("remove-bob", "main"), "A pull request already exists for "+org+":remove-bob.")
	failed(t, open(org+":remove-bob", "main"), "A pull request already exists for "+org+":remove-bob.")
	for _, tc := range []struct{ head, base, field string }{
		{"nothing", "main", "head"}, {"somebody:remove-bob", "main", "head"}, {"remove-bob", "master", "base"},
	} {
		err := open(tc.head, tc.base)
		refused(t, err, http.StatusUnprocessableEntity, "Validation Failed")
		if e := (*github.ErrorResponse)(nil); errors.As(err, &e) && (len(e.Errors) != 1 || e.Errors[0].Field != tc.field || e.Errors[0].Code != "invalid") {
			t.Errorf("got %+v", e.Errors)
		}
	}
	tip := must(c.Git.GetRef(ctx, org, "users", "heads/main"))(t).GetObject()
	_, _, err := c.Git.CreateRef(ctx, org, "users", &github.Reference{Ref: new("refs/heads/remove-bob"), Object: tip})
	refused(t, err, http.StatusUnprocessableEntity, "Reference already exists")
	equal(t, len(gh.Pulls(users)), 1)

	gh.ClosePull(users, 1, "dan")
	if err := open("remove-bob", "main"); err != nil {
		t.Errorf("after the first is closed: %v", err)
	}
	_, _, err = c.PullRequests.Edit(ctx, org, "users", 1, &github.PullRequest{State: new("open")})
	failed(t, err, "state cannot be changed. There is already an open pull request from remove-bob to main.")
}

func TestTheBaseMoves(t *testing.T) {
	t.Run("elsewhere, and both changes are merged", func(t *testing.T) {
		gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
		propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
		gh.Commit(users, "main", map[string]string{"README.md": "Users!\n"}, "Meanwhile")
		result := must(c.PullRequests.Merge(t.Context(), org, "users", 1, "", nil))(t)
		if !result.GetMerged() || gh.Pull(users, 1).MergedBy != "writer" || gh.Pull(users, 1).MergeSHA != result.GetSHA() {
			t.Errorf("got %v, %+v", result, gh.Pull(users, 1))
		}
		readme, _ := gh.File(users, "main", "README.md")
		list, _ := gh.File(users, "main", "terraform/users.json")
		equal(t, readme+list, "Users!\nann\ncid\n")
		equal(t, len(gh.Pull(users, 1).Files), 1)
	})
	t.Run("in the same file, and there's a conflict", func(t *testing.T) {
		gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
		ctx := t.Context()
		propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
		gh.Commit(users, "main", map[string]string{"terraform/users.json": "ann\nbob\ncid\ndee\n"}, "Meanwhile")
		states := ""
		for range 2 {
			p := must(c.PullRequests.Get(ctx, org, "users", 1))(t)
			states += fmt.Sprint(p.GetMergeableState(), p.Mergeable != nil, " ")
		}
		equal(t, states, "unknownfalse dirtytrue ")
		_, _, err := c.PullRequests.Merge(ctx, org, "users", 1, "", nil)
		refused(t, err, http.StatusMethodNotAllowed, "Pull Request is not mergeable")
		if err := gh.Merge(users, 1, "dan"); !errors.Is(err, githubtest.ErrConflict) || !strings.Contains(err.Error(), "terraform/users.json") {
			t.Errorf("got %v", err)
		}
		equal(t, gh.Pull(users, 1).State, "open")

		tip := must(c.Repositories.GetBranch(ctx, org, "users", "main", 0))(t).GetCommit()
		tree := must(c.Git.CreateTree(ctx, org, "users", tip.GetSHA(), []*github.TreeEntry{{Path: new("terraform/users.json"), Mode: new("100644"), Content: new("ann\ncid\ndee\n")}}))(t)
		again := must(c.Git.CreateCommit(ctx, org, "users", &github.Commit{Message: new("Remove bob, again"), Tree: tree, Parents: []*github.Commit{{SHA: tip.SHA}}}, nil))(t)
		ref := &github.Reference{Ref: new("refs/heads/remove-bob"), Object: &github.GitObject{SHA: again.SHA}}
		_, _, err = c.Git.UpdateRef(ctx, org, "users", ref, false)
		refused(t, err, http.StatusUnprocessableEntity, "Update is not a fast forward")
		must(c.Git.UpdateRef(ctx, org, "users", ref, true))(t)
		_, _, err = c.PullRequests.Merge(ctx, org, "users", 1, "", &github.PullRequestOptions{SHA: tip.GetSHA()})
		refused(t, err, http.StatusConflict, "Head branch was modified. Review and try the merge again.")
		must(c.PullRequests.Merge(ctx, org, "users", 1, "", &github.PullRequestOptions{SHA: again.GetSHA(), MergeMethod: "squash"}))(t)
		squashed := must(c.Repositories.GetCommit(ctx, org, "users", "main", nil))(t)
		if len(squashed.Parents) != 1 || squashed.GetCommit().GetMessage() != "Remove bob (#1)" || len(squashed.Files) != 1 {
			t.Errorf("got %v", squashed)
		}
	})
	t.Run("because somebody pushed the commits themselves", func(t *testing.T) {
		called := 0
		gh, c := library(t, githubtest.RepositoryOptions{Files: terraform, OnMerge: func(githubtest.Pull) { called++ }})
		p := propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
		must(c.Git.UpdateRef(t.Context(), org, "users", &github.Reference{Ref: new("heads/main"), Object: &github.GitObject{SHA: p.GetHead().SHA}}, false))(t)
		equal(t, gh.Pull(users, 1).Merged, true)
		equal(t, len(gh.Pull(users, 1).Files), 1)
		equal(t, called, 1)
	})
}

func TestAPullRequestEndsUnmerged(t *testing.T) {
	for _, tc := range []struct {
		name string
		end  func(*testing.T, *githubtest.Server, *github.Client)
		by   string
	}{
		{"closed by a person", func(_ *testing.T, gh *githubtest.Server, _ *github.Client) { gh.ClosePull(users, 1, "dan") }, "dan"},
		{"closed through the API", func(t *testing.T, _ *githubtest.Server, c *github.Client) {
			must(c.PullRequests.Edit(t.Context(), org, "users", 1, &github.PullRequest{State: new("closed")}))(t)
		}, "writer"},
		{"its branch deleted", func(t *testing.T, _ *githubtest.Server, c *github.Client) {
			if _, err := c.Git.DeleteRef(t.Context(), org, "users", "heads/remove-bob"); err != nil {
				t.Error(err)
			}
		}, "writer"},
		{"its branch deleted by a person", func(_ *testing.T, gh *githubtest.Server, _ *github.Client) { gh.DeleteBranch(users, "remove-bob") }, "ghost"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gh, c := library(t, githubtest.RepositoryOptions{Files: terraform, OnMerge: func(githubtest.Pull) { t.Error("OnMerge") }})
			propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
			tc.end(t, gh, c)
			p := must(c.PullRequests.Get(t.Context(), org, "users", 1))(t)
			if p.GetState() != "closed" || p.GetMerged() || p.MergedAt != nil || p.ClosedAt == nil || p.GetChangedFiles() != 1 {
				t.Errorf("got %v", p)
			}
			equal(t, gh.Pull(users, 1).ClosedBy, tc.by)
			equal(t, len(must(c.PullRequests.List(t.Context(), org, "users", nil))(t)), 0)
			_, _, err := c.PullRequests.Merge(t.Context(), org, "users", 1, "", nil)
			refused(t, err, http.StatusMethodNotAllowed, "Pull Request is not mergeable")
			content, _ := gh.File(users, "main", "terraform/users.json")
			equal(t, content, terraform["terraform/users.json"])
		})
	}
	t.Run("and again", func(t *testing.T) {
		gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
		propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
		gh.ClosePull(users, 1, "dan")
		p := must(c.PullRequests.Edit(t.Context(), org, "users", 1, &github.PullRequest{State: new("open"), Body: new("")}))(t)
		if p.GetState() != "open" || p.ClosedAt != nil || p.Body != nil {
			t.Errorf("got %v", p)
		}
		if err := gh.Merge(users, 1, "dan"); err != nil {
			t.Error(err)
		}
	})
}

func TestPullRequestsComeInPages(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{})
	ctx := t.Context()
	for i := range 5 {
		branch := fmt.Sprintf("feature/%d", i)
		gh.Commit(users, branch, map[string]string{branch: "x"}, "x")
		must(c.PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: &branch, Head: &branch, Base: new("main")}))(t)
	}
	gh.ClosePull(users, 3, "dan")
	numbers := func(o github.PullRequestListOptions) (list []int) {
		for {
			pulls, resp, err := c.PullRequests.List(ctx, org, "users", &o)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pulls {
				list = append(list, p.GetNumber())
			}
			if o.Page = resp.NextPage; o.Page == 0 {
				return list
			}
		}
	}
	two := github.ListOptions{PerPage: 2}
	equal(t, numbers(github.PullRequestListOptions{ListOptions: two}), []int{5, 4, 2, 1})
	equal(t, numbers(github.PullRequestListOptions{State: "all", Direction: "asc", ListOptions: two}), []int{1, 2, 3, 4, 5})
	equal(t, numbers(github.PullRequestListOptions{State: "closed"}), []int{3})
	equal(t, numbers(github.PullRequestListOptions{State: "all", Head: org + ":feature/2"}), []int{3})
	equal(t, numbers(github.PullRequestListOptions{Head: "feature/2"}), []int{5, 4, 2, 1})
	equal(t, len(numbers(github.PullRequestListOptions{Base: "master"})), 0)

	resp, _ := raw(t, gh, "GET", "/repos/"+users+"/pulls?per_page=2", "Authorization", "Bearer writer")
	_, path, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"+gh.URL()), "repositories/")
	path, _, _ = strings.Cut(path, ">")
	next, body := raw(t, gh, "GET", "/repositories/"+path, "Authorization", "Bearer writer")
	if next.StatusCode != 200 || !strings.Contains(body, `"number":2`) {
		t.Errorf("%s: %d %s", path, next.StatusCode, body)
	}
	branches, _, err := c.Repositories.ListBranches(ctx, org, "users", &github.BranchListOptions{ListOptions: github.ListOptions{PerPage: 4, Page: 2}})
	if err != nil || len(branches) != 2 || branches[1].GetName() != "main" {
		t.Errorf("got %v, %v", branches, err)
	}
}

func TestFaultsInTheMiddleOfAPullRequest(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	ctx := t.Context()
	gh.Commit(users, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"}, "x")
	create := func() error {
		_, _, err := c.PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: new("x"), Head: new("remove-bob"), Base: new("main")})
		return err
	}
	gh.Fail("POST /repos/*/*/pulls$", githubtest.Fault{Status: 502, Times: 1})
	gh.Fail("POST /repos/*/*/pulls$", githubtest.Fault{Status: 422, Message: "Was submitted too quickly", Times: 1})
	gh.Fail("POST /repos/*/*/pulls$", githubtest.Fault{Cut: true, Times: 1})
	refused(t, create(), 502, "Server Error")
	refused(t, create(), 422, "Was submitted too quickly")
	equal(t, len(gh.Pulls(users)), 0)
	if err := create(); err == nil {
		t.Error("a cut answer is an answer")
	}
	failed(t, create(), "A pull request already exists for "+org+":remove-bob.")
	gh.Fail("PUT /repos/*/*/contents/terraform/users.json", githubtest.Fault{Status: 409, Times: 1})
	_, _, err := c.Repositories.UpdateFile(ctx, org, "users", "terraform/users.json", &github.RepositoryContentFileOptions{Message: new("x")})
	refused(t, err, 409, "Conflict")

	resp, _ := raw(t, gh, "GET", "/repos/"+users+"/git/ref/heads/main", "Authorization", "Bearer writer")
	again, _ := raw(t, gh, "GET", "/repos/"+users+"/git/ref/heads/main", "Authorization", "Bearer writer", "If-None-Match", resp.Header.Get("ETag"))
	gh.Commit(users, "main", nil, "empty")
	moved, _ := raw(t, gh, "GET", "/repos/"+users+"/git/ref/heads/main", "Authorization", "Bearer writer", "If-None-Match", resp.Header.Get("ETag"))
	equal(t, []int{resp.StatusCode, again.StatusCode, moved.StatusCode}, []int{200, 304, 200})
}

func TestOnMergeMayUseTheServer(t *testing.T) {
	var gh *githubtest.Server
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform, OnMerge: func(p githubtest.Pull) {
		gh.Commit(p.Repository, p.Base, map[string]string{"applied": fmt.Sprint(p.Number)}, "terraform apply")
		gh.DeleteBranch(p.Repository, p.Head)
	}})
	propose(t, c, "remove-bob", map[string]string{"terraform/users.json": "ann\ncid\n"})
	must(c.PullRequests.Merge(t.Context(), org, "users", 1, "", nil))(t)
	content, _ := gh.File(users, "main", "applied")
	equal(t, content, "1")
	equal(t, gh.Branches(users), []string{"main"})

	if err := gh.Wait(context.Background(), func() bool { return gh.Pull(users, 1).Merged }); err != nil {
		t.Error(err)
	}
	gh.Fail("/repos", githubtest.Fault{Cut: true})
	if _, _, err := c.PullRequests.Get(t.Context(), org, "users", 1); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("got %v", err)
	}
}

func TestPullRequestsAreChecked(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	ctx := t.Context()
	tree := must(c.Git.GetTree(ctx, org, "users", "main", false))(t)
	root := must(c.Git.GetCommit(ctx, org, "users", tree.GetSHA()))(t)
	orphan := must(c.Git.CreateCommit(ctx, org, "users", &github.Commit{Message: new("Orphan"), Tree: root.GetTree()}, nil))(t)
	must(c.Git.CreateRef(ctx, org, "users", &github.Reference{Ref: new("heads/orphan"), Object: &github.GitObject{SHA: orphan.SHA}}))(t)
	create := func(title, head, body string) error {
		_, _, err := c.PullRequests.Create(ctx, org, "users", &github.NewPullRequest{Title: &title, Head: &head, Base: new("main"), Body: &body})
		return err
	}
	gh.Commit(users, "topic", map[string]string{"x": "y"}, "x")
	failed(t, create("x", "orphan", ""), "The orphan branch has no history in common with main")
	failed(t, create(strings.Repeat("é", 257), "topic", ""), "title is too long (maximum is 256 characters)")
	failed(t, create("x", "topic", strings.Repeat("x", 65537)), "body is too long (maximum is 65536 characters)")
	refused(t, create(" ", "topic", ""), http.StatusUnprocessableEntity, "Validation Failed")
	if err := create(strings.Repeat("é", 256), "topic", strings.Repeat("x", 65536)); err != nil {
		t.Error(err)
	}
	_, _, err := c.PullRequests.Get(ctx, org, "users", 2)
	refused(t, err, http.StatusNotFound, "Not Found")
	_, _, err = c.Issues.CreateComment(ctx, org, "users", 1, &github.IssueComment{Body: new("")})
	failed(t, err, "Body cannot be blank")

	// A base that is pushed over with another history leaves the pull request open and nothing that could be found.
	must(c.Git.UpdateRef(ctx, org, "users", &github.Reference{Ref: new("heads/main"), Object: &github.GitObject{SHA: orphan.SHA}}, true))(t)
	for range 2 {
		must(c.PullRequests.Get(ctx, org, "users", 1))(t)
	}
	equal(t, gh.Pull(users, 1).State, "open")
}
