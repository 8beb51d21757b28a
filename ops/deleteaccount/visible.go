package deleteaccount

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Visible finds what the settings name and GitHub doesn't show the bot: a pattern of
// paths that no file is like finds no account either. An error says that it can't be told
// now.
func (s *Settings) Visible(ctx context.Context, client *github.Client) ([]ops.Fault, error) {
	if s.Repository == "" {
		return nil, nil
	}
	is, err := githubaccess.List(ctx, client, s.Repository, s.Branch)
	switch {
	case err != nil:
		return nil, githubaccess.Explain(err)
	case is.NoRepository:
		return []ops.Fault{{Key: "repository", Problem: fmt.Sprintf("GitHub shows the bot no repository %s: look at its name, and that the GitHub App may read its contents", s.Repository)}}, nil
	case is.NoBranch:
		return []ops.Fault{{Key: "branch", Problem: fmt.Sprintf("%s has no branch %s that GitHub shows the bot", s.Repository, is.Branch)}}, nil
	case is.Incomplete:
		return nil, nil
	}
	var faults []ops.Fault
	for _, pattern := range s.Paths {
		like := func(file string) bool { matched, _ := path.Match(pattern, file); return matched }
		if !slices.ContainsFunc(is.Files, like) {
			faults = append(faults, ops.Fault{Key: "paths", Problem: fmt.Sprintf("no file of %s (%s) is like %s", s.Repository, is.Branch, pattern)})
		}
	}
	return faults, nil
}
