package githubaccess

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-github/v62/github"
)

// Listing is what GitHub shows of a repository, for a look at whether settings name what
// is there.
type Listing struct {
	NoRepository bool // GitHub shows none
	NoBranch     bool // GitHub shows the repository without that branch
	Branch       string
	Files        []string // paths
	Incomplete   bool     // there are more files than GitHub lists
}

// List looks at a branch of a repository ("owner/name"); an empty branch is the
// repository's default one. An error says that GitHub can't be asked now.
func List(ctx context.Context, client *github.Client, repository, branch string) (Listing, error) {
	owner, name, _ := strings.Cut(repository, "/")
	is, _, err := client.Repositories.Get(ctx, owner, name)
	switch {
	case NotFound(err):
		return Listing{NoRepository: true, Branch: branch}, nil
	case err != nil:
		return Listing{}, fmt.Errorf("look up %s: %w", repository, err)
	case branch == "":
		branch = is.GetDefaultBranch()
	}
	tree, _, err := client.Git.GetTree(ctx, owner, name, branch, true)
	switch {
	case NotFound(err), Status(err) == http.StatusConflict: // an empty repository has no branch
		return Listing{NoBranch: true, Branch: branch}, nil
	case err != nil:
		return Listing{}, fmt.Errorf("list the files of %s: %w", repository, err)
	}
	l := Listing{Branch: branch, Incomplete: tree.GetTruncated()}
	for _, entry := range tree.Entries {
		if entry.GetType() == "blob" {
			l.Files = append(l.Files, entry.GetPath())
		}
	}
	return l, nil
}
