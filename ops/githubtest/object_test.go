package githubtest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const users = org + "/users"

// library is a GitHub with one repository and the token "writer" of somebody who may write there.
func library(t *testing.T, options githubtest.RepositoryOptions) (*githubtest.Server, *github.Client) {
	t.Helper()
	gh := start(t, githubtest.Options{Now: newClock().Now})
	gh.AddRepository(users, options)
	gh.AddCollaborator(users, "writer", "write")
	gh.AddToken("writer", "writer", "repo")
	return gh, client(t, gh, "writer")
}

func must[T any](v T, _ *github.Response, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestObjectsAreGits(t *testing.T) {
	_, c := library(t, githubtest.RepositoryOptions{})
	ctx := t.Context()
	blob := func(content string) string {
		return must(c.Git.CreateBlob(ctx, org, "users", &github.Blob{Content: new(content), Encoding: new("utf-8")}))(t).GetSHA()
	}
	equal(t, blob(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
	equal(t, blob("hello world\n"), "3b18e512dba79e4c8300dd08aeb37f8e728b8dad")
	equal(t, blob("what is up, doc?"), "bd9dbf5aae1a3862dd1526723246b20206e5fc37") // the Git book's
	encoded := must(c.Git.CreateBlob(ctx, org, "users", &github.Blob{Content: new("aGVsbG8gd29ybGQK"), Encoding: new("base64")}))(t)
	equal(t, encoded.GetSHA(), "3b18e512dba79e4c8300dd08aeb37f8e728b8dad")

	tree := must(c.Git.CreateTree(ctx, org, "users", "", []*github.TreeEntry{
		{Path: new("a/b.txt"), Mode: new("100644"), Type: new("blob"), Content: new("hello world\n")},
		{Path: new("a.txt"), Mode: new("100755"), Type: new("blob"), SHA: new("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")},
		{Path: new("a0"), Mode: new("100644"), Type: new("blob"), Content: new("what is up, doc?")},
	}))(t)
	// What git mktree and git hash-object say.
	equal(t, tree.GetSHA(), "e18cd0c83cc102bd42e97e00e9803c7100350a9b")

	at := github.Timestamp{Time: time.Date(2026, 11, 22, 13, 0, 0, 0, time.FixedZone("", 3600))}
	commit := must(c.Git.CreateCommit(ctx, org, "users", &github.Commit{
		Message: new("One\n\nCo-authored-by: Ann <ann@example.com>"), Tree: tree,
		Author:    &github.CommitAuthor{Name: new("Ann Écrit"), Email: new("ann@example.com"), Date: &at},
		Committer: &github.CommitAuthor{Name: new("Bob"), Email: new("bob@example.com"), Date: &github.Timestamp{Time: at.UTC()}},
	}, nil))(t)
	equal(t, commit.GetSHA(), "d7419ba23d4143013dbf9ad01796ef9941e33643")
	again := must(c.Git.GetCommit(ctx, org, "users", commit.GetSHA()))(t)
	if again.GetAuthor().GetName() != "Ann Écrit" || !again.GetAuthor().GetDate().Equal(at) || again.GetMessage() != commit.GetMessage() || again.GetTree().GetSHA() != tree.GetSHA() {
		t.Errorf("got %v", again)
	}
}

// TestGitAgrees has git make the same objects out of what the API says of them.
func TestGitAgrees(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git here to compare with")
	}
	gh, c := library(t, githubtest.RepositoryOptions{Files: map[string]string{"lib/x.go": "package lib\n", "lib.go": "", "lib-a": "1", "README.md": "ü\n"}})
	gh.Commit(users, "main", map[string]string{"lib/deep/er.txt": "no newline"}, "Second\n", "lib-a")
	ctx := t.Context()
	directory := t.TempDir()
	git := func(stdin string, environment []string, arguments ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, "git", arguments...)
		cmd.Dir, cmd.Stdin = directory, strings.NewReader(stdin)
		cmd.Env = append(os.Environ(), append(environment, "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_DIR="+directory+"/.git")...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("git %s: %v", arguments, err)
		}
		return strings.TrimSpace(string(out))
	}
	git("", nil, "init", "-q")
	var check func(string) string
	check = func(sha string) string {
		var listing strings.Builder
		for _, e := range must(c.Git.GetTree(ctx, org, "users", sha, false))(t).Entries {
			if e.GetType() == "tree" {
				check(e.GetSHA())
			} else {
				raw, _, err := c.Git.GetBlobRaw(ctx, org, "users", e.GetSHA())
				if err != nil {
					t.Fatal(err)
				}
				equal(t, git(string(raw), nil, "hash-object", "-w", "--stdin"), e.GetSHA())
			}
			listing.WriteString(e.GetMode() + " " + e.GetType() + " " + e.GetSHA() + "\t" + e.GetPath() + "\n")
		}
		equal(t, git(listing.String(), nil, "mktree"), sha)
		return sha
	}
	parent := ""
	comparison := must(c.Repositories.CompareCommits(ctx, org, "users", "main", "main", nil))(t)
	second := must(c.Git.GetCommit(ctx, org, "users", comparison.GetBaseCommit().GetSHA()))(t)
	first := must(c.Git.GetCommit(ctx, org, "users", second.Parents[0].GetSHA()))(t)
	for _, commit := range []*github.Commit{first, second} {
		who := func(role string, a *github.CommitAuthor) []string {
			return []string{"GIT_" + role + "_NAME=" + a.GetName(), "GIT_" + role + "_EMAIL=" + a.GetEmail(), "GIT_" + role + "_DATE=" + a.GetDate().Format("2006-01-02T15:04:05Z0700")}
		}
		arguments := []string{"commit-tree", check(commit.GetTree().GetSHA()), "-F", "-"}
		if parent != "" {
			arguments = append(arguments, "-p", parent)
		}
		message := commit.GetMessage()
		if !strings.HasSuffix(message, "\n") {
			// commit-tree would add a newline, which GitHub doesn't.
			equal(t, git("tree "+commit.GetTree().GetSHA()+"\nauthor Somebody <somebody@example.com> 1795348800 +0000\ncommitter Somebody <somebody@example.com> 1795348800 +0000\n\n"+message,
				nil, "hash-object", "-w", "-t", "commit", "--stdin"), commit.GetSHA())
		} else {
			equal(t, git(message, append(who("AUTHOR", commit.Author), who("COMMITTER", commit.Committer)...), arguments...), commit.GetSHA())
		}
		parent = commit.GetSHA()
	}
}

// TestPatchesApply has git apply the patches of files changed at random.
func TestPatchesApply(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIPPED: no git here to compare with")
	}
	random := rand.New(rand.NewPCG(1, 2))
	text := func(lines []string) string { return strings.Join(lines, "\n") + []string{"", "\n"}[random.IntN(2)] }
	before, after := map[string]string{}, map[string]string{}
	for i := range 60 {
		name := fmt.Sprintf("file-%02d", i)
		var was, now []string
		for range random.IntN(40) {
			was = append(was, fmt.Sprint(random.IntN(10)))
		}
		for _, line := range was {
			switch random.IntN(12) {
			case 0:
			case 1:
				now = append(now, line, "new")
			default:
				now = append(now, line)
			}
		}
		before[name], after[name] = text(was), text(now)
	}
	gh, c := library(t, githubtest.RepositoryOptions{Files: before})
	gh.Commit(users, "changed", after, "x")
	directory := t.TempDir()
	var patches strings.Builder
	for name, content := range before {
		if err := os.WriteFile(filepath.Join(directory, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range must(c.Repositories.CompareCommits(t.Context(), org, "users", "main", "changed", nil))(t).Files {
		fmt.Fprintf(&patches, "--- a/%[1]s\n+++ b/%[1]s\n%[2]s\n", f.GetFilename(), f.GetPatch())
		added, removed := strings.Count("\n"+f.GetPatch(), "\n+"), strings.Count("\n"+f.GetPatch(), "\n-")
		if f.GetAdditions() != added || f.GetDeletions() != removed {
			t.Errorf("%s: %d and %d in\n%s", f.GetFilename(), f.GetAdditions(), f.GetDeletions(), f.GetPatch())
		}
	}
	cmd := exec.CommandContext(t.Context(), "git", "apply", "-")
	cmd.Dir, cmd.Stdin = directory, strings.NewReader(patches.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, content := range after {
		if got, err := os.ReadFile(filepath.Join(directory, name)); err != nil || string(got) != content {
			t.Errorf("%s: %q, want %q, %v", name, got, content, err)
		}
	}
}
