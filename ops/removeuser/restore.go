package removeuser

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// undoing is one thing that Restore has to do.
type undoing struct {
	effect string // as people are shown it
	thing  string // what it puts back: a key's ID, "tags", "deny"
	do     func(context.Context, *iam.Client) error
}

// restoring holds the things that Restore has still to put back.
type restoring struct {
	user *User // nil: nobody was quarantined
	was  before
	todo []undoing

	request ops.Request // bears the user's name as it is now
}

// undoPlan tells what Restore would do now.
func (o *operation) undoPlan(ctx context.Context, run ops.Run) ([]string, error) {
	run, err := spellRun(run)
	if err != nil {
		return nil, err
	}
	left, err := o.toRestore(ctx, run)
	if err != nil {
		return nil, err
	}
	var effects []string
	for _, u := range left.todo {
		effects = append(effects, u.effect)
	}
	p, err := o.toWithdraw(ctx, run)
	if err != nil {
		return nil, err
	}
	return append(effects, p.effects()...), nil
}

// toRestore finds the things that Restore has still to put back, deny-all last, from
// the run's memory and the world as it is. It refuses where the user isn't in this
// request's quarantine any more.
func (o *operation) toRestore(ctx context.Context, run ops.Run) (restoring, error) {
	was, known, err := recall(ctx, run)
	if err != nil || !known {
		return restoring{}, err
	}
	r := run.Request()
	name := userOf(r)
	look, err := o.reader(r)
	if err != nil {
		return restoring{}, err
	}
	u, err := glance(ctx, look, name, nil)
	if err != nil {
		return restoring{}, awsaccess.Explain(err, o.settings.LookRole)
	}
	if u == nil || u.ID != was.ID {
		to, err := o.renamed(ctx, r, was.ID)
		if err != nil {
			return restoring{}, err
		}
		if to != "" {
			r, name = spelled(r, to), to
			if look, err = o.reader(r); err != nil {
				return restoring{}, err
			}
			if u, err = glance(ctx, look, name, nil); err != nil {
				return restoring{}, awsaccess.Explain(err, o.settings.LookRole)
			}
		}
	}
	refuse := func(next, format string, args ...any) (restoring, error) {
		return restoring{}, &ops.Error{Kind: ops.Refused, What: fmt.Sprintf(format, args...), Next: next}
	}
	switch {
	case u == nil:
		return refuse("", "IAM user %s (%s) is gone, so it can't be restored.", name, was.ID)
	case u.ID != was.ID:
		return refuse("", "The IAM user %s is another one now: %s was locked out, and %s is there, which is left alone.", name, was.ID, u.ID)
	}
	// A tag that was there before, or was left by the quarantine taken over, is no newer request's.
	if mark := u.Tags[tagRequest]; mark != "" && mark != r.ID && mark != was.Took && mark != was.Tags[tagRequest] {
		return refuse("Restore that request.", "%s is in quarantine by a newer request now, %s.", name, mark)
	}
	left := restoring{user: u, was: was, request: r}
	for _, k := range u.Keys {
		if !k.Active && slices.Contains(was.Keys, k.ID) {
			left.todo = append(left.todo, undoing{"Activate access key " + k.ID, k.ID, func(ctx context.Context, act *iam.Client) error {
				return setKey(ctx, act, name, k.ID, types.StatusTypeActive)
			}})
		}
	}
	left.todo = append(left.todo, untag(u, was, r.ID)...)
	left.todo = append(left.todo, o.allow(r, u, was)...)
	return left, nil
}

// allow takes deny-all off again, if this request put it there.
func (o *operation) allow(r ops.Request, u *User, was before) []undoing {
	name := aws.String(u.Name)
	var todo []undoing
	add := func(effect string, do func(context.Context, *iam.Client) error) {
		todo = append(todo, undoing{effect, "deny", do})
	}
	if was.Attached && !was.Deny && u.attached(denyAll) {
		add(fmt.Sprintf("Detach %s from IAM user %s (%s)", denyAll, u.Name, u.ID), func(ctx context.Context, act *iam.Client) error {
			_, err := act.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: name, PolicyArn: aws.String(denyAll)})
			return err
		})
	}
	switch {
	case !was.Bounded || u.Boundary != denyAll:
	case was.Boundary == "":
		add(fmt.Sprintf("Delete permissions boundary %s of IAM user %s (%s)", denyAll, u.Name, u.ID), func(ctx context.Context, _ *iam.Client) error {
			act, err := o.writer(r, "", "DenyAsBoundary")
			if err == nil {
				_, err = act.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: name})
			}
			return err
		})
	default:
		add(fmt.Sprintf("Set %s as permissions boundary of IAM user %s (%s) again, in place of %s", was.Boundary, u.Name, u.ID, denyAll), func(ctx context.Context, _ *iam.Client) error {
			act, err := o.writer(r, was.Boundary, "DenyAsBoundary")
			if err == nil {
				_, err = act.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: aws.String(was.Boundary)})
			}
			return err
		})
	}
	return todo
}

// untag takes off those of our tags that this request set, and puts back what they
// took the place of. The mark goes last, as long as it is there the others are ours.
func untag(u *User, was before, request string) []undoing {
	set := map[string]string{}
	for _, t := range was.tags(request) {
		set[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	var drop, keys []string
	var back []types.Tag
	for _, key := range ourTags {
		value, there := u.Tags[key]
		if mark := u.Tags[tagRequest]; !there || value != set[key] && mark != request && (was.Took == "" || mark != was.Took) {
			continue
		}
		replaced := false
		for old, value := range was.Tags {
			if strings.EqualFold(old, key) {
				replaced = true
				back, keys = append(back, types.Tag{Key: aws.String(old), Value: aws.String(value)}), append(keys, old)
			}
		}
		if !replaced {
			drop = append(drop, key)
		}
	}
	var todo []undoing
	if len(back) > 0 {
		todo = append(todo, undoing{fmt.Sprintf("Put back the earlier tags %s of %s", strings.Join(keys, ", "), u.Name), "tags", func(ctx context.Context, act *iam.Client) error {
			_, err := act.TagUser(ctx, &iam.TagUserInput{UserName: aws.String(u.Name), Tags: back})
			return err
		}})
	}
	if len(drop) > 0 {
		todo = append(todo, undoing{fmt.Sprintf("Remove the tags %s from %s", strings.Join(drop, ", "), u.Name), "tags", func(ctx context.Context, act *iam.Client) error {
			_, err := act.UntagUser(ctx, &iam.UntagUserInput{UserName: aws.String(u.Name), TagKeys: drop})
			return err
		}})
	}
	if !slices.Contains(drop, tagRequest) {
		slices.Reverse(todo)
	}
	return todo
}

// restore puts back what this request changed and nobody has changed since:
// deny-all goes last at AWS, and then the pull request.
func (o *operation) restore(ctx context.Context, run ops.Run) error {
	left, err := o.toRestore(ctx, run)
	if err != nil {
		return err
	}
	if len(left.todo) > 0 {
		act, err := o.writer(left.request, "", "DenyAllAndUndo", "Quarantine")
		if err != nil {
			return err
		}
		for _, u := range left.todo {
			if err := u.do(ctx, act); err != nil && !isGone(err) {
				return awsaccess.Explain(fmt.Errorf("%s: %w", u.effect, err), o.settings.ActRole)
			}
		}
	}
	p, err := o.toWithdraw(ctx, run)
	if err != nil {
		return err
	}
	if err := o.withdraw(ctx, run, p); err != nil {
		return err
	}
	return o.confirmRestore(ctx, run, p)
}

// confirmRestore reads back: nothing must be left to put back.
func (o *operation) confirmRestore(ctx context.Context, run ops.Run, p withdrawal) error {
	name := userOf(run.Request())
	left, err := o.toRestore(ctx, run)
	if err != nil {
		return err
	}
	report := ops.Report{Summary: name + " is as before the quarantine.", Notes: p.notes(name)}
	switch {
	case left.user != nil && left.user.Name != name:
		report.Summary = fmt.Sprintf("%s, who is called %s now, is as before the quarantine.", name, left.user.Name)
	case left.user == nil:
		report.Summary = "There was nothing to put back at AWS."
	}
	report.Sections = []ops.Section{{Title: name, Outcomes: append(left.outcomes(), p.outcomes()...)}}
	if !report.OK() {
		if run.Now().Before(run.Begun().Add(settle)) {
			return ops.Again(2 * time.Second)
		}
		report.Summary = name + " is not as before the quarantine."
	}
	return run.Report(ctx, report)
}

// outcomes tell of each thing whether it is as it was before.
func (r restoring) outcomes() []ops.Outcome {
	var outcomes []ops.Outcome
	add := func(text, thing string) {
		state := ops.Confirmed
		if slices.ContainsFunc(r.todo, func(u undoing) bool { return u.thing == thing }) {
			state = ops.Missing
		}
		outcomes = append(outcomes, ops.Outcome{Text: text, State: state})
	}
	if r.was.Attached || r.was.Bounded {
		add(denyAll+" as it was before", "deny")
	}
	for _, id := range r.was.Keys {
		if slices.ContainsFunc(r.user.Keys, func(k Key) bool { return k.ID == id }) {
			add("access key "+id+" active again", id)
		} else {
			outcomes = append(outcomes, ops.Outcome{Text: "access key " + id + " was deleted meanwhile, by others"})
		}
	}
	if r.was.Tagged {
		add("tags as they were before", "tags")
	}
	return outcomes
}

// withdrawal is what Restore does about the request's pull request. The zero value:
// there is none.
type withdrawal struct {
	proposal
	Source source
	Branch string // that is still there and may go; empty: none
	Open   bool
	Merged string // by whom; empty: it isn't

	Otherwise string // the commit by which the branch was seen not to define the user; empty: none
}

func (p withdrawal) effects() []string {
	if p.Otherwise != "" {
		closed := p
		closed.Otherwise = ""
		return append(closed.effects(), fmt.Sprintf("Not undone: %s no longer defines the user as of commit %s, so Terraform deletes the user at its next apply unless the block is put back", p.Source.Repository, p.Otherwise))
	}
	switch {
	case p.Open:
		return []string{fmt.Sprintf("Close pull request %s#%d and delete its branch %s", p.Source.Repository, p.Number, p.Branch)}
	case p.Branch != "":
		return []string{fmt.Sprintf("Delete the branch %s of %s", p.Branch, p.Source.Repository)}
	case p.Merged != "":
		return []string{p.warning()}
	}
	return nil
}

func (p withdrawal) warning() string {
	return fmt.Sprintf("Not undone: pull request %s#%d was merged by %s, so Terraform deletes the user at its next apply unless that is reverted (%s)", p.Source.Repository, p.Number, p.Merged, p.URL)
}

func (p withdrawal) notes(name string) []string {
	switch {
	case p.Otherwise != "":
		return []string{fmt.Sprintf("%s no longer defines %s as of commit %s: put the block back, or Terraform deletes the user at its next apply.", p.Source.Repository, name, p.Otherwise)}
	case p.Merged == "":
		return nil
	}
	return []string{fmt.Sprintf("Pull request %s#%d was merged by %s: revert it, or Terraform deletes %s at its next apply. %s", p.Source.Repository, p.Number, p.Merged, name, p.URL)}
}

func (p withdrawal) outcomes() []ops.Outcome {
	if !p.Open {
		return nil
	}
	return []ops.Outcome{{Text: fmt.Sprintf("pull request %s#%d is closed", p.Source.Repository, p.Number), State: ops.Confirmed}}
}

// toWithdraw looks for the request's pull request and its branch.
func (o *operation) toWithdraw(ctx context.Context, run ops.Run) (withdrawal, error) {
	d, err := kept(run)
	if err != nil {
		return withdrawal{}, err
	}
	var began bool
	if _, err := run.Recall(ctx, "proposing", &began); err != nil || !began {
		return withdrawal{}, err
	}
	p := withdrawal{Source: d.Source}
	if _, err := run.Recall(ctx, "otherwise", &p.Otherwise); err != nil {
		return p, err
	}
	owner, name := p.Source.owner()
	branch := branch(run.Request())
	pull, err := o.findPull(ctx, p.Source, branch)
	if err != nil {
		return p, err
	}
	if pull != nil {
		p.proposal = proposal{Number: pull.GetNumber(), URL: pull.GetHTMLURL()}
		p.Open = pull.GetState() == "open"
		if !pull.GetMergedAt().IsZero() {
			p.Merged = "people"
			if full, _, err := o.github.PullRequests.Get(ctx, owner, name, p.Number); err == nil && full.GetMergedBy().GetLogin() != "" {
				p.Merged = full.GetMergedBy().GetLogin()
			}
			if o.putBack(ctx, run, p.Source) {
				return withdrawal{}, nil
			}
			return p, nil
		}
	}
	if p.Otherwise != "" && o.putBack(ctx, run, p.Source) {
		p.Otherwise = ""
	}
	_, answer, err := o.github.Git.GetRef(ctx, owner, name, "heads/"+branch)
	switch {
	case err == nil:
		p.Branch = branch
	case answer == nil || answer.StatusCode != http.StatusNotFound:
		return p, o.explain(p.Source, fmt.Errorf("look for branch %s of %s: %w", branch, p.Source.Repository, err))
	}
	return p, nil
}

// putBack tells whether people have put the user back into the branch, so that Terraform
// doesn't delete the user. Where that can't be read, they are told that it may.
func (o *operation) putBack(ctx context.Context, run ops.Run, in source) bool {
	e, _, err := o.readAt(ctx, in, userOf(run.Request()), true)
	return err == nil && e.found()
}

// withdraw closes the pull request, with a word why, and deletes its branch.
func (o *operation) withdraw(ctx context.Context, run ops.Run, p withdrawal) error {
	owner, name := p.Source.owner()
	explain := func(err error) error {
		return o.explain(p.Source, fmt.Errorf("withdraw the pull request to %s: %w", p.Source.Repository, err))
	}
	if p.Open {
		if err := run.MayAct(ctx); err != nil {
			return err
		}
		var said bool
		if _, err := run.Recall(ctx, "withdrawn", &said); err != nil {
			return err
		}
		if !said {
			text := fmt.Sprintf("Request %s is being restored: `%s` keeps the access, so this is closed.", run.Request().ID, userOf(run.Request()))
			if _, _, err := o.github.Issues.CreateComment(ctx, owner, name, p.Number, &github.IssueComment{Body: github.String(text)}); err != nil {
				return explain(err)
			}
			if err := run.Remember(ctx, "withdrawn", true); err != nil {
				return err
			}
		}
		if _, _, err := o.github.PullRequests.Edit(ctx, owner, name, p.Number, &github.PullRequest{State: github.String("closed")}); err != nil {
			return explain(err)
		}
		text := fmt.Sprintf("Closed pull request %s#%d: %s", p.Source.Repository, p.Number, p.URL)
		if err := run.Log(ctx, ops.Line{Key: "withdrawn", Level: ops.Change, Text: text}); err != nil {
			return err
		}
	}
	if p.Branch == "" {
		return nil
	}
	if err := run.MayAct(ctx); err != nil {
		return err
	}
	_, err := o.github.Git.DeleteRef(ctx, owner, name, "heads/"+p.Branch)
	if githubaccess.Status(err) == http.StatusUnprocessableEntity {
		// Either it is gone already, or a ruleset keeps it.
		if _, _, none := o.github.Git.GetRef(ctx, owner, name, "heads/"+p.Branch); githubaccess.NotFound(none) {
			err = nil
		}
	}
	if err != nil {
		return explain(err)
	}
	return nil
}
