package removeuser

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Visible finds what the settings name and GitHub doesn't show the bot. An error says
// that it can't be told now.
func (s *Settings) Visible(ctx context.Context, client *github.Client) ([]ops.Fault, error) {
	if s.Users != byTerraform {
		return nil, nil
	}
	is, err := githubaccess.List(ctx, client, s.Repository, s.Branch)
	switch {
	case err != nil:
		return nil, githubaccess.Explain(err)
	case is.NoRepository:
		return []ops.Fault{{Key: "repository", Problem: fmt.Sprintf("GitHub shows the bot no repository %s: look at its name, and that the GitHub App may read and write its contents and pull requests", s.Repository)}}, nil
	case is.NoBranch:
		return []ops.Fault{{Key: "branch", Problem: fmt.Sprintf("%s has no branch %s that GitHub shows the bot", s.Repository, s.Branch)}}, nil
	case is.Incomplete:
		return nil, nil
	}
	var faults []ops.Fault
	for _, f := range []struct{ key, file string }{{"users_file", s.UsersFile}, {"members_file", s.MembersFile}} {
		if !slices.Contains(is.Files, f.file) {
			faults = append(faults, ops.Fault{Key: f.key, Problem: fmt.Sprintf("%s (%s) has no file %s", s.Repository, is.Branch, f.file)})
		}
	}
	return faults, nil
}
