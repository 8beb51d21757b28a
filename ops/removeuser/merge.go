package removeuser

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

const (
	// applyWithin is how long Terraform may take to remove a user who is ready for it.
	applyWithin = 30 * time.Minute
	// lookEveryMerge is how often the run looks, while people have still to merge,
	// whether the quarantine stands.
	lookEveryMerge = time.Hour
)

// merge waits until people have merged the pull request, or taken the user out of the
// branch by another commit. It changes nothing but the pull request's branch, where
// others' changes got in its way.
func (o *operation) merge(ctx context.Context, run ops.Run) error {
	d, err := kept(run)
	if err != nil {
		return err
	}
	owner, name := d.Source.owner()
	var p proposal
	if _, err := run.Recall(ctx, "proposal", &p); err != nil {
		return err
	}
	if p.Number == 0 {
		return nil // the branch no longer defined the user, so none was opened
	}
	var now *defining // of the branch, where it has moved
	pull, _, err := o.github.PullRequests.Get(githubaccess.Repeatedly(ctx), owner, name, p.Number)
	switch {
	case err != nil:
		// It can be asked again as long as it takes, but people should know.
		words := ops.Words(o.explain(d.Source, fmt.Errorf("look at pull request %d: %w", p.Number, err)), run.Request().ID)
		if err := run.Log(ctx, ops.Line{Key: "unseen " + words, Level: ops.Warning, Text: fmt.Sprintf("Pull request #%d can't be looked at, which is tried again: %s", p.Number, words)}); err != nil {
			return err
		}
		if err := o.standsHourly(ctx, run); err != nil {
			return err
		}
		return o.lookAgain(ctx, run, nil)
	case !pull.GetMerged() && pull.GetState() == "closed":
		return o.closed(ctx, run, d.Source, p)
	case !pull.GetMerged():
		var decided bool
		if decided, now, err = o.decidedWhileOpen(ctx, run, d.Source, p); decided || err != nil {
			return err
		}
	}
	if err := o.asProposed(ctx, run, d.Source, p, pull); err != nil {
		return err
	}
	if !pull.GetMerged() {
		return o.awaitMerge(ctx, run, d, p, pull, now)
	}
	merged := pull.GetMergedAt().UTC()
	if err := o.staysDecided(ctx, run, d.Source, fmt.Sprintf("%s merged pull request %s#%d", cmp.Or(pull.GetMergedBy().GetLogin(), "A person"), d.Source.Repository, p.Number)); err != nil {
		return err
	}
	text := fmt.Sprintf("Pull request #%d was merged by %s.", p.Number, pull.GetMergedBy().GetLogin())
	if err := run.Log(ctx, ops.Line{Key: "merged", Level: ops.Change, Text: text}); err != nil {
		return err
	}
	if _, _, _, err := o.standing(ctx, run); err != nil {
		return err
	}
	return run.Remember(ctx, "merged", merged)
}

// standsHourly looks once an hour whether the quarantine stands.
func (o *operation) standsHourly(ctx context.Context, run ops.Run) error {
	var looked time.Time
	if _, err := run.Recall(ctx, "looked", &looked); err != nil || !run.Now().After(looked.Add(lookEveryMerge)) {
		return err
	}
	if _, _, _, err := o.standing(ctx, run); err != nil {
		return err
	}
	return run.Remember(ctx, "looked", run.Now().UTC())
}

// awaitMerge tells who has to do what while the pull request is open.
func (o *operation) awaitMerge(ctx context.Context, run ops.Run, d data, p proposal, pull *github.PullRequest, now *defining) error {
	if err := o.standsHourly(ctx, run); err != nil {
		return err
	}
	user := userOf(run.Request())
	text := fmt.Sprintf("%s has no access now. Please merge %s: then Terraform removes the user.", user, p.URL)
	if d.User == nil {
		text = fmt.Sprintf("%s isn't in IAM any more. Please merge %s: then Terraform doesn't make the user again.", user, p.URL)
	}
	hindered, err := o.keepUp(ctx, run, d.Source, pull, now)
	if err != nil {
		return err
	}
	switch {
	case hindered != "":
		text = hindered
	case len(p.Reviewers) > 0:
		text += " GitHub has asked " + strings.Join(p.Reviewers, ", ") + " to look at it."
	}
	if err := run.Waiting(ctx, ops.Waiting{For: text, Person: true}); err != nil {
		return err
	}
	return o.lookAgain(ctx, run, pull)
}

// closed goes on where people have closed the pull request because the branch doesn't
// define the user any more. Otherwise it says who closed it, if GitHub tells, and what
// stands now.
func (o *operation) closed(ctx context.Context, run ops.Run, at source, p proposal) error {
	now, err := o.lookAtBranch(ctx, run, at)
	if err != nil && (ctx.Err() != nil || ops.Halted(err)) {
		return err
	}
	if ops.IsPassing(err) {
		if err := o.branchUnseen(ctx, run, at, err); err != nil {
			return err
		}
		return o.lookAgain(ctx, run, nil)
	}
	owner, name := at.owner()
	user := userOf(run.Request())
	who := fmt.Sprintf("Pull request %s#%d was closed without being merged", at.Repository, p.Number)
	if issue, _, err := o.github.Issues.Get(ctx, owner, name, p.Number); err == nil && issue.GetClosedBy().GetLogin() != "" {
		who = fmt.Sprintf("%s closed pull request %s#%d without merging it", issue.GetClosedBy().GetLogin(), at.Repository, p.Number)
	}
	if now.gone {
		return o.decide(ctx, run, at, now, who+", but")
	}
	what := fmt.Sprintf("%s, so Terraform doesn't remove %s.", who, user)
	switch {
	case err != nil:
		what = fmt.Sprintf("%s, and the bot can't see whether %s (%s) still defines %s: %s", who, at.Repository, at.Branch, user, ops.Words(err, run.Request().ID))
	case now.unsure != "":
		what = fmt.Sprintf("%s. %s", who, now.unsure)
	}
	stands := fmt.Sprintf("%s is still without access", user)
	if now, _, known, err := o.standing(ctx, run); err != nil {
		return err
	} else if !known || now == nil {
		stands = fmt.Sprintf("%s isn't in IAM", user)
	}
	return &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("%s %s. %s", what, stands, p.URL),
		Next: "Press Restore to give the access back, or run it again to propose the removal anew.",
	}
}

// empty takes everything off the user once the merge has decided it, and waits until
// Terraform has removed the user. Terraform's force_destroy takes credentials and
// groups from a user but no policies, and IAM deletes no user that has one: so all
// that hangs on the user goes first, deny-all at the very end. Each call looks first
// whether people have put the user back into the branch.
// https://github.com/hashicorp/terraform-provider-aws/issues/4176
func (o *operation) empty(ctx context.Context, run ops.Run) error {
	r := run.Request()
	d, err := kept(run)
	if err != nil {
		return err
	}
	var p proposal
	var merged, emptied time.Time
	var otherwise string
	for key, to := range map[string]any{"proposal": &p, "merged": &merged, "emptied": &emptied, "otherwise": &otherwise} {
		if _, err := run.Recall(ctx, key, to); err != nil {
			return err
		}
	}
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	seen := run.Now() // the user may go while this step reads on
	user, err := readUser(ctx, look, userOf(r))
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	if err := o.notRenamed(ctx, run, d, user); err != nil || user == nil {
		return err
	}
	how := fmt.Sprintf("Pull request %s#%d was merged at %s", d.Source.Repository, p.Number, moment(merged))
	if otherwise != "" {
		how = fmt.Sprintf("At %s the bot saw that %s no longer defines the user as of commit %s", moment(merged), d.Source.Repository, otherwise)
	}
	if err := o.staysDecided(ctx, run, d.Source, how); err != nil {
		return err
	}
	act, err := o.writer(r, "", "DenyAllAndUndo", "Delete")
	if err != nil {
		return err
	}
	was, err := o.takeApart(ctx, run, act, user)
	if err != nil {
		return err
	}
	if emptied.Before(was.At) {
		emptied = run.Now().UTC()
		if err := run.Remember(ctx, "emptied", emptied); err != nil {
			return err
		}
	}
	end := emptied.Add(applyWithin)
	if seen.After(end) {
		return &ops.Error{
			Kind: ops.Unavailable,
			What: fmt.Sprintf("%s, but Terraform hasn't removed %s since. The user has neither credentials nor policies any more.", how, userOf(r)),
			Next: "Run Terraform's apply again.",
		}
	}
	text := fmt.Sprintf("%s has neither access nor credentials any more. Terraform's apply in %s removes the user.", userOf(r), d.Source.Repository)
	if err := run.Waiting(ctx, ops.Waiting{For: text, Until: end}); err != nil {
		return err
	}
	return ops.Again(o.settings.Poll)
}
