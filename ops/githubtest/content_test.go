package githubtest_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestContents(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{DefaultBranch: "master", Files: terraform})
	ctx := t.Context()
	get := func(path, ref string) (*github.RepositoryContent, []*github.RepositoryContent, error) {
		file, list, _, err := c.Repositories.GetContents(ctx, org, "users", path, &github.RepositoryContentGetOptions{Ref: ref})
		return file, list, err
	}
	file, _, err := get("terraform/users.json", "")
	if err != nil {
		t.Fatal(err)
	}
	content, err := file.GetContent()
	if err != nil || content != "ann\nbob\ncid\n" || file.GetSize() != 12 || file.GetSHA() != "4dec597a34b8fd0a40d9b6432f7210a2bc4f2a6a" || file.GetName() != "users.json" || file.GetType() != "file" {
		t.Errorf("got %v, %v", file, err)
	}
	for _, path := range []string{"", "/"} {
		_, list, err := get(path, "master")
		if err != nil || len(list) != 2 || list[0].GetName() != "README.md" || list[1].GetType() != "dir" || list[0].Content != nil {
			t.Errorf("%q: %v, %v", path, list, err)
		}
	}
	_, list, err := get("terraform", "refs/heads/master")
	if err != nil || len(list) != 2 || list[1].GetPath() != "terraform/users.json" {
		t.Errorf("got %v, %v", list, err)
	}
	_, _, err = get("nowhere", "")
	refused(t, err, http.StatusNotFound, "Not Found")
	_, _, err = get("README.md", "nowhere")
	refused(t, err, http.StatusNotFound, "No commit found for the ref nowhere")

	before := gh.Commit(users, "master", nil, "A mark")
	gh.Commit(users, "master", map[string]string{"README.md": "New\n"}, "Later")
	for _, ref := range []string{before, before[:9]} {
		if file, _, err = get("README.md", ref); err != nil || file.GetSize() != 6 {
			t.Errorf("%s: %v, %v", ref, file, err)
		}
	}
}

func TestOneFileIsChanged(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	ctx := t.Context()
	const path = "terraform/users.json"
	file, _, _, err := c.Repositories.GetContents(ctx, org, "users", path, nil)
	if err != nil {
		t.Fatal(err)
	}
	change := func(path, content, branch string, sha *string) (*github.RepositoryContentResponse, *github.Response, error) {
		return c.Repositories.UpdateFile(ctx, org, "users", path, &github.RepositoryContentFileOptions{
			Message: new("Change"), Content: []byte(content), SHA: sha, Branch: &branch, Author: &github.CommitAuthor{Name: new("Ann"), Email: new("ann@example.com")},
		})
	}
	_, _, err = change(path, "x", "main", nil)
	refused(t, err, http.StatusUnprocessableEntity, "Invalid request.\n\n\"sha\" wasn't supplied.")
	_, _, err = change(path, "x", "nowhere", file.SHA)
	refused(t, err, http.StatusNotFound, "Branch nowhere not found")
	done, resp, err := change(path, "ann\n", "main", file.SHA)
	if err != nil || resp.StatusCode != 200 || done.Commit.GetAuthor().GetName() != "Ann" || done.Commit.GetCommitter().GetName() != "GitHub" || done.GetContent().GetSize() != 4 {
		t.Errorf("got %v, %v", done, err)
	}
	_, _, err = change(path, "y", "main", file.SHA)
	refused(t, err, http.StatusConflict, path+" does not match "+file.GetSHA())
	_, resp, err = change("new/file", "", "main", nil)
	if err != nil || resp.StatusCode != 201 {
		t.Errorf("got %v", err)
	}
	_, _, err = change("new", "", "main", file.SHA)
	refused(t, err, http.StatusUnprocessableEntity, "new is a directory")
	_, _, err = c.Repositories.CreateFile(ctx, org, "users", "more", &github.RepositoryContentFileOptions{Content: []byte("x")})
	refused(t, err, http.StatusUnprocessableEntity, "Invalid request.\n\n\"message\" wasn't supplied.")
	_, _, err = c.Repositories.DeleteFile(ctx, org, "users", path, &github.RepositoryContentFileOptions{Message: new("Gone"), SHA: file.SHA})
	refused(t, err, http.StatusConflict, path+" does not match "+file.GetSHA())
	if _, _, err = c.Repositories.DeleteFile(ctx, org, "users", path, &github.RepositoryContentFileOptions{Message: new("Gone"), SHA: done.GetContent().SHA}); err != nil {
		t.Error(err)
	}
	if _, there := gh.File(users, "main", path); there {
		t.Error("it's still there")
	}
	empty, there := gh.File(users, "main", "new/file")
	equal(t, fmt.Sprint(empty, there), "true")
}

func TestBigFilesComeAsBlobs(t *testing.T) {
	big := strings.Repeat("0123456789abcde\n", 1<<16) // 1 MB
	_, c := library(t, githubtest.RepositoryOptions{Files: map[string]string{"full": big, "over": big + "x"}})
	ctx := t.Context()
	get := func(path string) *github.RepositoryContent {
		file, _, _, err := c.Repositories.GetContents(ctx, org, "users", path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	if content, err := get("full").GetContent(); err != nil || content != big {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	over := get("over")
	if content, err := over.GetContent(); err == nil || over.GetEncoding() != "none" || over.GetSize() != len(big)+1 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	if data, _, err := c.Git.GetBlobRaw(ctx, org, "users", over.GetSHA()); err != nil || string(data) != big+"x" {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	blob := must(c.Git.GetBlob(ctx, org, "users", over.GetSHA()))(t)
	equal(t, blob.GetSize(), len(big)+1)
	again := must(c.Git.CreateBlob(ctx, org, "users", &github.Blob{Content: new(big + "x"), Encoding: new("utf-8")}))(t)
	equal(t, again.GetSHA(), over.GetSHA())
}

func TestTrees(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	ctx := t.Context()
	base := must(c.Git.GetTree(ctx, org, "users", "main", true))(t)
	paths := func(tree *github.Tree) (list []string) {
		for _, e := range must(c.Git.GetTree(ctx, org, "users", tree.GetSHA(), true))(t).Entries {
			list = append(list, e.GetPath())
		}
		return list
	}
	equal(t, paths(base), []string{"README.md", "terraform", "terraform/members.json", "terraform/users.json"})
	make := func(base string, entries ...*github.TreeEntry) (*github.Tree, error) {
		tree, _, err := c.Git.CreateTree(ctx, org, "users", base, entries)
		return tree, err
	}
	file := func(path, content string) *github.TreeEntry {
		return &github.TreeEntry{Path: &path, Mode: new("100644"), Type: new("blob"), Content: &content}
	}
	gone := func(path string) *github.TreeEntry {
		return &github.TreeEntry{Path: &path, Mode: new("100644"), Type: new("blob")}
	}
	for _, tc := range []struct {
		name    string
		base    string
		entries []*github.TreeEntry
		want    []string
		refusal string
	}{
		{"alone it's all there is", "", []*github.TreeEntry{file("a/b", "1")}, []string{"a", "a/b"}, ""},
		{"on a base it's added", base.GetSHA(), []*github.TreeEntry{file("b", "1")}, []string{"README.md", "b", "terraform", "terraform/members.json", "terraform/users.json"}, ""},
		{"null takes away, and empty directories with it", base.GetSHA(), []*github.TreeEntry{gone("terraform/members.json"), gone("terraform/users.json")}, []string{"README.md"}, ""},
		{"null for what isn't there", base.GetSHA(), []*github.TreeEntry{gone("nowhere")}, nil, "GitRPC::BadObjectState"},
		{"a file in a directory's place", base.GetSHA(), []*github.TreeEntry{file("terraform", "1")}, []string{"README.md", "terraform"}, ""},
		{"an unknown base", strings.Repeat("0", 40), []*github.TreeEntry{file("a", "1")}, nil, "base_tree is not a valid tree oid"},
		{"an unknown blob", "", []*github.TreeEntry{{Path: new("a"), Mode: new("100644"), SHA: new(strings.Repeat("0", 40))}}, nil, "tree.sha " + strings.Repeat("0", 40) + " is not a valid blob"},
		{"an unknown mode", "", []*github.TreeEntry{{Path: new("a"), Mode: new("644"), Content: new("")}}, nil, "Must supply a valid tree.mode"},
		{"a slash before it", "", []*github.TreeEntry{file("/a", "1")}, nil, "tree.path cannot start with a slash"},
		{"two dots", "", []*github.TreeEntry{file("a/../b", "1")}, nil, "tree.path contains a malformed path component"},
		{"nothing", base.GetSHA(), nil, nil, "Invalid tree info"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tree, err := make(tc.base, tc.entries...)
			if tc.refusal != "" {
				refused(t, err, http.StatusUnprocessableEntity, tc.refusal)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			equal(t, paths(tree), tc.want)
		})
	}
	equal(t, gh.Branches(users), []string{"main"})
}

func TestReferences(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{})
	ctx := t.Context()
	tip := must(c.Git.GetRef(ctx, org, "users", "refs/heads/main"))(t).GetObject()
	create := func(ref, sha string) error {
		_, _, err := c.Git.CreateRef(ctx, org, "users", &github.Reference{Ref: &ref, Object: &github.GitObject{SHA: &sha}})
		return err
	}
	for _, tc := range []struct{ name, ref, sha, refusal string }{
		{"a branch with a slash", "refs/heads/remove/bob", tip.GetSHA(), ""},
		{"a tag", "refs/tags/v1", tip.GetSHA(), ""},
		{"there already", "refs/heads/main", tip.GetSHA(), "Reference already exists"},
		{"below another branch", "refs/heads/main/x", tip.GetSHA(), "Reference update failed"},
		{"above another branch", "refs/heads/remove", tip.GetSHA(), "Reference update failed"},
		{"an unknown commit", "refs/heads/x", strings.Repeat("0", 40), "Object does not exist"},
		{"a short SHA", "refs/heads/x", tip.GetSHA()[:7], "The sha parameter must be exactly 40 characters and contain only [0-9a-f]."},
		{"no name that git would have", "refs/heads/a b", tip.GetSHA(), "refs/heads/a b is not a valid ref name."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := create(tc.ref, tc.sha); tc.refusal != "" {
				refused(t, err, http.StatusUnprocessableEntity, tc.refusal)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	for _, branch := range []string{"main", "remove/bob"} {
		b := must(c.Repositories.GetBranch(ctx, org, "users", branch, 0))(t)
		if b.GetName() != branch || b.GetCommit().GetSHA() != tip.GetSHA() || b.GetCommit().GetCommit().GetMessage() != "Initial commit" {
			t.Errorf("got %v", b)
		}
	}
	_, resp, _ := c.Repositories.GetBranch(ctx, org, "users", "nowhere", 0)
	equal(t, resp.StatusCode, 404)
	_, _, err := c.Git.GetRef(ctx, org, "users", "heads/remove")
	refused(t, err, http.StatusNotFound, "Not Found")
	matching := must(c.Git.ListMatchingRefs(ctx, org, "users", &github.ReferenceListOptions{Ref: "heads/remove"}))(t)
	equal(t, len(matching), 1)
	_, _, err = c.Git.UpdateRef(ctx, org, "users", &github.Reference{Ref: new("heads/x"), Object: tip}, true)
	refused(t, err, http.StatusUnprocessableEntity, "Reference does not exist")
	_, err = c.Git.DeleteRef(ctx, org, "users", "heads/x")
	refused(t, err, http.StatusUnprocessableEntity, "Reference does not exist")
	_, err = c.Git.DeleteRef(ctx, org, "users", "heads/main")
	refused(t, err, http.StatusUnprocessableEntity, "Reference update failed")
	if _, err = c.Git.DeleteRef(ctx, org, "users", "heads/remove/bob"); err != nil {
		t.Error(err)
	}
	equal(t, gh.Branches(users), []string{"main"})
}

func TestCompare(t *testing.T) {
	gh, c := library(t, githubtest.RepositoryOptions{Files: terraform})
	ctx := t.Context()
	gh.Commit(users, "ours", map[string]string{"a": "1\n"}, "One")
	gh.Commit(users, "ours", map[string]string{"b": "2\n", "docs/README.md": "Users\n"}, "Two", "README.md")
	gh.Commit(users, "main", map[string]string{"a": "other"}, "Meanwhile")
	for _, tc := range []struct {
		base, head, status string
		ahead, behind      int
		files              string
	}{
		{"main", "ours", "diverged", 2, 1, "added a, added b, renamed docs/README.md"},
		{"main", org + ":main", "identical", 0, 0, ""},
		{"main^", "main", "", 0, 0, ""},
	} {
		got, resp, err := c.Repositories.CompareCommits(ctx, org, "users", tc.base, tc.head, nil)
		if tc.status == "" {
			if e := (*github.ErrorResponse)(nil); !errors.As(err, &e) || resp.StatusCode != 404 {
				t.Errorf("%s: %v", tc.base, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, f := range got.Files {
			files = append(files, f.GetStatus()+" "+f.GetFilename())
		}
		equal(t, fmt.Sprint(got.GetStatus(), got.GetAheadBy(), got.GetBehindBy(), strings.Join(files, ", ")), fmt.Sprint(tc.status, tc.ahead, tc.behind, tc.files))
		if tc.ahead > 0 && (got.Commits[0].GetCommit().GetMessage() != "One" || got.Files[2].GetPreviousFilename() != "README.md") {
			t.Errorf("got %v", got)
		}
	}
	_, _, err := c.Repositories.GetCommit(ctx, org, "users", "nowhere", nil)
	refused(t, err, http.StatusUnprocessableEntity, "No commit found for SHA: nowhere")
	sha, _, err := c.Repositories.GetCommitSHA1(ctx, org, "users", "ours", "")
	if ref := must(c.Git.GetRef(ctx, org, "users", "heads/ours"))(t); err != nil || sha != ref.GetObject().GetSHA() {
		t.Errorf("got %q, %v", sha, err)
	}
}

func TestCommitsAreChecked(t *testing.T) {
	_, c := library(t, githubtest.RepositoryOptions{})
	ctx := t.Context()
	tip := must(c.Repositories.GetCommit(ctx, org, "users", "main", nil))(t)
	zero := strings.Repeat("0", 40)
	for _, tc := range []struct {
		name, tree, parent, refusal string
	}{
		{"an unknown tree", zero, tip.GetSHA(), "Tree SHA does not exist"},
		{"a commit as tree", tip.GetSHA(), tip.GetSHA(), "Tree SHA does not exist"},
		{"an unknown parent", tip.GetCommit().GetTree().GetSHA(), zero, "Parent SHA does not exist or is not a commit object"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := c.Git.CreateCommit(ctx, org, "users", &github.Commit{Message: new("x"), Tree: &github.Tree{SHA: &tc.tree}, Parents: []*github.Commit{{SHA: &tc.parent}}}, nil)
			refused(t, err, http.StatusUnprocessableEntity, tc.refusal)
		})
	}
	_, _, err := c.Git.CreateCommit(ctx, org, "users", &github.Commit{Tree: &github.Tree{SHA: &zero}}, nil)
	refused(t, err, http.StatusUnprocessableEntity, "Invalid request.\n\n\"message\" wasn't supplied.")
}

func TestEndpointsThatAreNotHereAreProblems(t *testing.T) {
	gh := loud(t, githubtest.Options{})
	gh.AddRepository(users, githubtest.RepositoryOptions{Public: true})
	ctx := t.Context()
	c := client(t, gh, "reader")
	if _, _, err := c.Repositories.GetCombinedStatus(ctx, org, "users", "main", nil); err == nil {
		t.Error("a status")
	}
	if _, _, err := c.PullRequests.GetRaw(ctx, org, "users", 1, github.RawOptions{Type: github.Diff}); err == nil {
		t.Error("a diff")
	}
	if _, _, err := c.Repositories.ListTags(ctx, org, "users", nil); err == nil {
		t.Error("tags")
	}
	equal(t, len(gh.Problems()), 3)
}
