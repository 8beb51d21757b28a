package removeuser

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// head is where a branch stands.
type head struct {
	branch string // its name now
	sha    string
}

// head finds the head of the branch of pull requests. Where people renamed the branch
// since a plan with it was shown, it is found under its new name, to which GitHub leads
// and moves pull requests. Before a plan was shown, no other branch is taken: GitHub
// leads from master to the default branch also where there never was a master.
// https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-branches-in-your-repository/renaming-a-branch
func (o *operation) head(ctx context.Context, in source, shown bool) (head, error) {
	owner, name := in.owner()
	ref, _, err := o.github.Git.GetRef(ctx, owner, name, "heads/"+in.Branch)
	if err == nil {
		return head{in.Branch, ref.GetObject().GetSHA()}, nil
	}
	no := o.unread(in, "branch "+in.Branch, err)
	if !shown || !githubaccess.NotFound(err) {
		return head{}, no
	}
	// GetBranch of the library follows without asking CheckRedirect.
	ask, err := o.github.NewRequest(http.MethodGet, fmt.Sprintf("repos/%s/%s/branches/%s", owner, name, url.PathEscape(in.Branch)), nil)
	if err != nil {
		return head{}, err
	}
	var there github.Branch
	switch _, err := o.github.Do(ctx, ask, &there); {
	case githubaccess.NotFound(err):
		return head{}, no
	case err != nil:
		return head{}, o.unread(in, "branch "+in.Branch, err)
	case there.GetName() == "" || there.GetCommit().GetSHA() == "":
		return head{}, no
	}
	return head{there.GetName(), there.GetCommit().GetSHA()}, nil
}

// base is the name that the branch of pull requests has now. That people renamed it is
// told, once.
func (o *operation) base(ctx context.Context, run ops.Run, in source) (string, error) {
	now, err := o.head(ctx, in, true)
	if err != nil || now.branch == in.Branch {
		return now.branch, err
	}
	text := fmt.Sprintf("The branch %s of %s is called %s now. The bot goes on there. Write %s as branch in the bot's settings.", in.Branch, in.Repository, now.branch, now.branch)
	return now.branch, run.Log(ctx, ops.Line{Key: "renamed " + now.branch, Level: ops.Warning, Text: text})
}
