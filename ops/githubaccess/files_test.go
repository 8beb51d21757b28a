package githubaccess_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// A symbolic link's text in git is the path to which it leads, and no configuration.
func TestLinksAreFollowedWithinTheRepository(t *testing.T) {
	t.Parallel()
	server := githubtest.New(githubtest.Options{Organization: "alphagov"})
	defer server.Close()
	const repo = "alphagov/users"
	server.AddRepository(repo, githubtest.RepositoryOptions{DefaultBranch: "main", Files: map[string]string{
		"tf/a.tf": "a", "shared/b.tf": "b", "shared/more/c.txt": "c",
	}})
	for file, target := range map[string]string{
		"tf/file.tf": "../shared/b.tf", "tf/link.tf": "file.tf", "tf/none.tf": "missing.tf", "tf/folder.tf": "../shared",
		"tf/out.tf": "../../../etc/b.tf", "tf/absolute.tf": "/shared/b.tf", "tf/round.tf": "round.tf",
	} {
		server.Link(repo, "main", file, target)
	}
	server.AddToken("ghp_bot", "bot", "repo")
	client, err := githubaccess.New(server.URL(), githubaccess.Token{Value: "ghp_bot"})
	if err != nil {
		t.Fatal(err)
	}
	const none = ", which is no file of the repository"
	want := []githubaccess.File{
		{Path: "tf/a.tf", Mode: "100644", Text: []byte("a")},
		{Path: "tf/absolute.tf", Mode: "120000", Unseen: "a symbolic link to /shared/b.tf" + none},
		{Path: "tf/file.tf", Mode: "120000", Text: []byte("b"), Link: "shared/b.tf"},
		{Path: "tf/folder.tf", Mode: "120000", Unseen: "a symbolic link to shared" + none},
		{Path: "tf/link.tf", Mode: "120000", Text: []byte("b"), Link: "shared/b.tf"},
		{Path: "tf/none.tf", Mode: "120000", Unseen: "a symbolic link to tf/missing.tf" + none},
		{Path: "tf/out.tf", Mode: "120000", Unseen: "a symbolic link to ../../etc/b.tf" + none},
		{Path: "tf/round.tf", Mode: "120000", Unseen: "a symbolic link that leads from link to link"},
	}
	var files githubaccess.Files
	for range 2 { // the second time from what it keeps
		got, err := files.Read(t.Context(), client, repo, "main", func([]string) func(string) bool {
			return func(file string) bool { return strings.HasPrefix(file, "tf/") }
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}
