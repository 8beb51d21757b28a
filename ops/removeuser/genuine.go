package removeuser

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// ours refuses a pull request that has the name of this request's branch and that the
// bot didn't open: the name stands in the thread, so others may take it.
func (o *operation) ours(ctx context.Context, run ops.Run, in source, pull *github.PullRequest) error {
	var began bool
	if _, err := run.Recall(ctx, "proposing", &began); err != nil {
		return err
	}
	author := pull.GetUser().GetLogin()
	self, err := githubaccess.Login(ctx, o.github)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && githubaccess.Transient(err):
		return o.explain(in, err)
	case began && (err != nil || author == "" || strings.EqualFold(self, author)):
		// Where GitHub doesn't tell who the bot is, the content must do.
		return o.asProposed(ctx, run, in, proposal{Number: pull.GetNumber(), URL: pull.GetHTMLURL()}, pull)
	}
	return notOurs(in, pull, fmt.Sprintf("was opened by %s and not by the bot", author))
}

// notOurs says why a pull request isn't the one that the bot proposed.
func notOurs(in source, pull *github.PullRequest, why string) error {
	return &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("Pull request %s#%d %s, so it isn't what was approved. %s", in.Repository, pull.GetNumber(), why, pull.GetHTMLURL()),
		Next: "Look at it together. If it was merged, revert what it changed beyond the removal. Otherwise close it, delete its branch, and run it again.",
	}
}

// by tells whether a GitHub account opened the pull request, as far as both are
// known. A login may change and be another's next; the ID stays.
// https://docs.github.com/en/account-and-profile/setting-up-and-managing-your-personal-account-on-github/managing-personal-account-settings/changing-your-github-username
func (p proposal) by(user *github.User) bool {
	if p.AuthorID != 0 && user.GetID() != 0 {
		return p.AuthorID == user.GetID()
	}
	return p.Author == "" || user.GetLogin() == "" || strings.EqualFold(p.Author, user.GetLogin())
}

// asProposed tells whether a pull request, open or merged, still is the bot's: by its
// author, into the branch and with the content that people have approved. That it is
// merged says nothing of what was merged. Its branch may have been brought up to date
// with others' changes since.
func (o *operation) asProposed(ctx context.Context, run ops.Run, in source, p proposal, pull *github.PullRequest) error {
	author, base, head := pull.GetUser().GetLogin(), pull.GetBase().GetRef(), pull.GetHead().GetSHA()
	if !p.by(pull.GetUser()) {
		return notOurs(in, pull, fmt.Sprintf("is %s's and not the bot's", author))
	}
	if base != "" && base != in.Branch {
		// GitHub moves open pull requests along with a branch that people rename.
		now, err := o.base(ctx, run, in)
		switch {
		case err != nil && (ops.IsPassing(err) || ops.Halted(err) || ctx.Err() != nil):
			return err
		case err != nil:
			return notOurs(in, pull, fmt.Sprintf("goes to the branch %s now, and GitHub shows the bot no branch %s any more", base, in.Branch))
		case base != now:
			return notOurs(in, pull, fmt.Sprintf("goes to the branch %s and not to %s", base, now))
		}
	}
	var pushed string
	if _, err := run.Recall(ctx, "pushed", &pushed); err != nil {
		return err
	}
	if head == pushed || head == "" {
		return nil
	}
	owner, name := in.owner()
	diff, _, err := o.github.Repositories.CompareCommits(ctx, owner, name, pull.GetBase().GetSHA(), head, nil)
	if err != nil {
		return o.explain(in, fmt.Errorf("compare pull request %d with its base: %w", pull.GetNumber(), err))
	}
	e, err := o.editAt(ctx, in, diff.GetMergeBaseCommit().GetSHA(), userOf(run.Request()))
	if err != nil {
		return err
	}
	for _, file := range diff.Files {
		if _, ok := e.Changed[file.GetFilename()]; !ok {
			return notOurs(in, pull, fmt.Sprintf("changes %s too, which the bot didn't propose", file.GetFilename()))
		}
	}
	for file, want := range e.Changed {
		is, err := o.textAt(ctx, in, head, file)
		if err != nil {
			return err
		}
		if is != want {
			return notOurs(in, pull, "has another content than the bot proposed")
		}
	}
	return nil
}
