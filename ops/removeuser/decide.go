package removeuser

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// defining is what the head of the branch says of the user.
type defining struct {
	commit string // that was read
	gone   bool   // no file defines or names the user any more, so Terraform's next apply deletes the user
	unsure string // why that can't be told, though no block defines the user; empty: it can
	edit   edit   // that takes the user out
}

// lookAtBranch tells whether the branch still defines the user. People may take the user
// out of it by another commit than the pull request's. A user who is merely defined in a
// way that the bot can't read isn't gone.
func (o *operation) lookAtBranch(ctx context.Context, run ops.Run, at source) (defining, error) {
	user := userOf(run.Request())
	e, sha, err := o.readAt(ctx, at, user, true)
	now := defining{commit: sha, edit: e}
	if err != nil || e.found() {
		return now, err
	}
	no := fmt.Sprintf("No block in %s (%s) defines %s at commit %s", at.Repository, at.Branch, user, short(sha))
	switch {
	case len(e.Left) > 0:
		now.unsure = fmt.Sprintf("%s, but the name stands at %s, so whether Terraform removes the user isn't known.", no, mentions(e.Left))
	case e.unseen != "":
		now.unsure = fmt.Sprintf("%s, but the bot can't read the other files. %s", no, e.unseen)
	default:
		why, err := o.appeared(ctx, run, at, e)
		if err != nil {
			return now, err
		}
		if why != "" {
			now.unsure = fmt.Sprintf("%s, but %s, so whether Terraform removes the user isn't known.", no, why)
		}
	}
	now.gone = now.unsure == ""
	return now, nil
}

// ask stops a run because the branch doesn't tell whether it defines the user.
func (d defining) ask(user string) *ops.Error {
	return &ops.Error{
		Kind: ops.Refused, What: d.unsure,
		Next: fmt.Sprintf("If %s is to go, take that out of the branch and run it again. Otherwise press Restore to give the access back.", user),
	}
}

// decide goes on as after a merge: the user is defined no more, whatever became of the
// pull request, and Terraform's next apply fails unless the user is emptied first.
func (o *operation) decide(ctx context.Context, run ops.Run, at source, now defining, how string) error {
	text := fmt.Sprintf("%s %s (%s) no longer defines %s as of commit %s. That decides the removal, which goes on.", how, at.Repository, at.Branch, userOf(run.Request()), short(now.commit))
	if err := run.Log(ctx, ops.Line{Key: "merged", Level: ops.Change, Text: text}); err != nil {
		return err
	}
	if _, _, _, err := o.standing(ctx, run); err != nil {
		return err
	}
	for key, commit := range map[string]string{"otherwise": short(now.commit), "gone": now.commit} {
		if err := run.Remember(ctx, key, commit); err != nil {
			return err
		}
	}
	return run.Remember(ctx, "merged", run.Now().UTC())
}

// staysDecided stops the removal where people have put the user back into the branch since
// it was decided, told by how: Terraform keeps the user then, and Restore gives back all
// that the quarantine took. It reads the files only where the branch has moved since they
// last decided it.
func (o *operation) staysDecided(ctx context.Context, run ops.Run, at source, how string) error {
	var seen string
	var since time.Time
	for key, to := range map[string]any{"gone": &seen, "defined": &since} {
		if _, err := run.Recall(ctx, key, to); err != nil {
			return err
		}
	}
	head, err := o.head(githubaccess.Repeatedly(ctx), at, true)
	if err != nil || head.sha == seen {
		return err
	}
	now, err := o.lookAtBranch(ctx, run, at)
	switch {
	case err != nil:
		return err
	case now.gone:
		return run.Remember(ctx, "gone", now.commit)
	case seen == "" && since.IsZero():
		// GitHub may show the branch as it was before the merge for some seconds more.
		if err := run.Remember(ctx, "defined", run.Now().UTC()); err != nil {
			return err
		}
		return ops.Again(o.settings.Poll)
	case seen == "" && run.Now().Before(since.Add(settle)):
		return ops.Again(o.settings.Poll)
	}
	was, _, err := recall(ctx, run)
	if err != nil {
		return err
	}
	user := userOf(run.Request())
	said := &ops.Error{
		Kind: ops.Refused, What: fmt.Sprintf("%s, but %s (%s) defines %s again at commit %s, so Terraform doesn't remove the user.", how, at.Repository, at.Branch, user, short(now.commit)),
		Next: "Press Restore to give the access back, or ask for the removal anew.",
	}
	if now.unsure != "" {
		said = now.ask(user)
		said.What = fmt.Sprintf("%s, but that isn't sure any more. %s", how, now.unsure)
	}
	if was.Removing {
		said.Next = fmt.Sprintf("The bot has begun to take apart %s, which can't be undone: decide together whether the user is to go. If so, take the user out of the branch and run it again.", user)
	}
	return said
}

// decidedWhileOpen decides by the branch while the pull request is open. It reads the
// files only where the branch has moved since the pull request last kept up with it, and
// returns what they say: nil where they weren't read.
func (o *operation) decidedWhileOpen(ctx context.Context, run ops.Run, at source, p proposal) (bool, *defining, error) {
	var looked string
	if _, err := run.Recall(ctx, "branch", &looked); err != nil {
		return false, nil, err
	}
	head, err := o.head(githubaccess.Repeatedly(ctx), at, true)
	if err != nil {
		return false, nil, o.branchUnseen(ctx, run, at, err)
	}
	if head.sha == looked {
		return false, nil, nil
	}
	now, err := o.lookAtBranch(ctx, run, at)
	switch {
	case err != nil:
		return false, nil, o.branchUnseen(ctx, run, at, err)
	case now.gone:
		// It may be this very pull request that was merged, which GitHub shows open for some
		// seconds more: the next look decides.
		var seen string
		if _, err := run.Recall(ctx, "gone", &seen); err != nil {
			return false, nil, err
		}
		if seen != now.commit {
			if err := run.Remember(ctx, "gone", now.commit); err != nil {
				return false, nil, err
			}
			return false, nil, ops.Again(o.settings.Poll)
		}
		return true, nil, o.decide(ctx, run, at, now, fmt.Sprintf("Pull request %s#%d is open and can be closed:", at.Repository, p.Number))
	case now.unsure != "":
		return false, nil, now.ask(userOf(run.Request()))
	}
	return false, &now, nil
}

// keepUp makes the pull request's commit again where it conflicts with the branch, or the
// branch has moved and names the user at other places since: merged as it was, it would leave a reference to nobody behind, and
// Terraform's plan would fail for the whole repository. Where the bot can't take
// the user out there, it tells people which line hinders the merge; by that it returns.
func (o *operation) keepUp(ctx context.Context, run ops.Run, at source, pull *github.PullRequest, now *defining) (hindered string, err error) {
	conflicts := pull.Mergeable != nil && !*pull.Mergeable // nil: GitHub hasn't worked it out yet
	if now == nil {
		if _, err := run.Recall(ctx, "hindered", &hindered); err != nil || hindered != "" || !conflicts {
			return hindered, err
		}
		return "", o.push(ctx, run, at)
	}
	var cuts map[string][]string
	known, err := run.Recall(ctx, "cuts", &cuts)
	if err != nil {
		return "", err
	}
	moved := known && !maps.EqualFunc(now.edit.cuts(), cuts, slices.Equal)
	switch {
	case now.edit.mayBeMade(at, userOf(run.Request())) != nil:
		hindered = fmt.Sprintf("Please don't merge %s as it is: since commit %s of %s (%s), the user is also named at %s, which the bot doesn't edit. Take that out there by hand; then the bot goes on.",
			pull.GetHTMLURL(), short(now.commit), at.Repository, at.Branch, mentions(now.edit.Left))
		if err := run.Log(ctx, ops.Line{Key: "hindered " + hindered, Level: ops.Warning, Text: hindered}); err != nil {
			return "", err
		}
	case conflicts || moved:
		if err := o.push(ctx, run, at); err != nil {
			return "", err
		}
		text := fmt.Sprintf("Made the commit of pull request #%d anew: at commit %s of %s (%s) it has to take the user out of %s.", pull.GetNumber(), short(now.commit), at.Repository, at.Branch, and(now.edit.files(at)))
		if err := run.Log(ctx, ops.Line{Key: "anew " + now.commit, Level: ops.Change, Text: text}); err != nil {
			return "", err
		}
	}
	if err := run.Remember(ctx, "hindered", hindered); err != nil {
		return "", err
	}
	return hindered, run.Remember(ctx, "branch", now.commit)
}

// branchUnseen tells that the branch can't be read, which is tried again.
func (o *operation) branchUnseen(ctx context.Context, run ops.Run, at source, err error) error {
	if ctx.Err() != nil || ops.Halted(err) {
		return err
	}
	words := ops.Words(err, run.Request().ID)
	text := fmt.Sprintf("Whether %s (%s) still defines %s isn't known, which is tried again: %s", at.Repository, at.Branch, userOf(run.Request()), words)
	return run.Log(ctx, ops.Line{Key: "unseen " + words, Level: ops.Warning, Text: text})
}

// short is a commit as people are told of it.
func short(sha string) string { return sha[:min(len(sha), 7)] }
