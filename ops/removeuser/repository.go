package removeuser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// readRepository reads the two files at the head of the branch and takes the
// user out of them, in memory.
func (o *operation) readRepository(ctx context.Context, user string) (edit, error) {
	e, _, err := o.readAt(ctx, user)
	return e, err
}

func (o *operation) readAt(ctx context.Context, user string) (edit, string, error) {
	owner, name := o.settings.owner()
	explain := func(doing string, err error) error {
		if githubaccess.NotFound(err) {
			return &ops.Error{
				Kind: ops.Unavailable, Err: err,
				What: fmt.Sprintf("GitHub shows the bot no %s in %s.", doing, o.settings.Repository),
				Next: "Check repository, branch and files in the bot's settings, and that the GitHub App may read and write that repository's contents and pull requests.",
			}
		}
		return o.explain(fmt.Errorf("read %s of %s: %w", doing, o.settings.Repository, err))
	}
	head, _, err := o.github.Git.GetRef(ctx, owner, name, "heads/"+o.settings.Branch)
	if err != nil {
		return edit{}, "", explain("branch "+o.settings.Branch, err)
	}
	sha := head.GetObject().GetSHA()
	var texts []string
	for _, file := range []string{o.settings.UsersFile, o.settings.MembersFile} {
		content, _, _, err := o.github.Repositories.GetContents(ctx, owner, name, file, &github.RepositoryContentGetOptions{Ref: sha})
		if err != nil {
			return edit{}, "", explain("file "+file, err)
		}
		text, err := o.textOf(ctx, owner, name, content)
		if err != nil {
			return edit{}, "", explain("file "+file, err)
		}
		texts = append(texts, text)
	}
	e, err := removeFrom(texts[0], texts[1], user)
	if err != nil {
		return e, sha, &ops.Error{Kind: ops.Unavailable, Err: err, What: fmt.Sprintf("The files of %s don't have the shape that is known: %v.", o.settings.Repository, err)}
	}
	return e, sha, nil
}

// textOf is a file's text. Files above 1 MB come without it and are read as blobs.
// https://docs.github.com/en/rest/repos/contents#get-repository-content
func (o *operation) textOf(ctx context.Context, owner, name string, content *github.RepositoryContent) (string, error) {
	if content == nil {
		return "", &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("In %s/%s one of the files of users is a folder.", owner, name), Next: "Check users_file and members_file in the bot's settings."}
	}
	if content.GetEncoding() != "none" {
		return content.GetContent()
	}
	raw, _, err := o.github.Git.GetBlobRaw(ctx, owner, name, content.GetSHA())
	return string(raw), err
}

// explain is githubaccess.Explain with the permissions that are needed here.
func (o *operation) explain(err error) error {
	said := githubaccess.Explain(err)
	response, answered := errors.AsType[*github.ErrorResponse](err)
	words, ok := errors.AsType[*ops.Error](said)
	if answered && ok && response.Response != nil && response.Response.StatusCode == http.StatusForbidden {
		words.Next = fmt.Sprintf("The GitHub App must be allowed to read and write contents and pull requests of %s.", o.settings.Repository)
	}
	return said
}

// proposal is the pull request of a request.
type proposal struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
}

// branch is the name of the request's branch: no two requests share one.
func branch(r ops.Request) string {
	local, _, _ := strings.Cut(userOf(r), "@")
	return "remove-aws-user-" + strings.NewReplacer(".", "-", "+", "-", "=", "-", ",", "-", "_", "-").Replace(local) + "-" + ops.Short(r.ID)
}

// propose opens the pull request that removes exactly the one user.
func (o *operation) propose(ctx context.Context, run ops.Run) error {
	r := run.Request()
	owner, name := o.settings.owner()
	var p proposal
	if done, err := run.Recall(ctx, "proposal", &p); err != nil {
		return err
	} else if done {
		return o.tell(ctx, run, p)
	}
	pull, err := o.findPull(ctx, branch(r))
	if err != nil {
		return err
	}
	if pull == nil {
		if err := o.push(ctx, run); err != nil {
			return err
		}
		local, _, _ := strings.Cut(userOf(r), "@")
		pull, _, err = o.github.PullRequests.Create(ctx, owner, name, &github.NewPullRequest{
			Title: github.String("Remove AWS user " + local), Head: github.String(branch(r)), Base: github.String(o.settings.Branch),
			Body: github.String(o.body(run)), MaintainerCanModify: github.Bool(false),
		})
		if err != nil {
			return o.explain(fmt.Errorf("open a pull request to %s: %w", o.settings.Repository, err))
		}
	}
	p = proposal{Number: pull.GetNumber(), URL: pull.GetHTMLURL()}
	if err := run.Remember(ctx, "proposal", p); err != nil {
		return err
	}
	return o.tell(ctx, run, p)
}

// tell tells of the pull request, once.
func (o *operation) tell(ctx context.Context, run ops.Run, p proposal) error {
	return run.Log(ctx, ops.Line{Key: "proposal", Level: ops.Change, Text: fmt.Sprintf("Opened pull request %s#%d: %s", o.settings.Repository, p.Number, p.URL)})
}

// findPull finds the pull request of a branch, in whatever state; nil if there is none.
func (o *operation) findPull(ctx context.Context, branch string) (*github.PullRequest, error) {
	owner, name := o.settings.owner()
	pulls, _, err := o.github.PullRequests.List(ctx, owner, name, &github.PullRequestListOptions{State: "all", Head: owner + ":" + branch})
	if err != nil {
		return nil, o.explain(fmt.Errorf("list the pull requests of %s: %w", o.settings.Repository, err))
	}
	for _, pull := range pulls {
		if pull.GetHead().GetRef() == branch {
			return pull, nil
		}
	}
	return nil, nil
}

// push makes the request's branch with one commit on the newest head. A branch
// that an earlier try left is moved: it is this request's alone.
func (o *operation) push(ctx context.Context, run ops.Run) error {
	r := run.Request()
	owner, name := o.settings.owner()
	e, sha, err := o.readAt(ctx, userOf(r))
	if err != nil {
		return err
	}
	if !e.found() {
		return &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("%s isn't defined in %s any more, so there is nothing to propose. Run it again to look anew.", userOf(r), o.settings.Repository)}
	}
	explain := func(err error) error {
		return o.explain(fmt.Errorf("make a commit in %s: %w", o.settings.Repository, err))
	}
	parent, _, err := o.github.Git.GetCommit(ctx, owner, name, sha)
	if err != nil {
		return explain(err)
	}
	var entries []*github.TreeEntry
	add := func(changed bool, file, text string) {
		if changed {
			entries = append(entries, &github.TreeEntry{Path: github.String(file), Mode: github.String("100644"), Type: github.String("blob"), Content: github.String(text)})
		}
	}
	add(e.inUsers, o.settings.UsersFile, e.users)
	add(e.inMembers, o.settings.MembersFile, e.members)
	tree, _, err := o.github.Git.CreateTree(ctx, owner, name, parent.GetTree().GetSHA(), entries)
	if err != nil {
		return explain(err)
	}
	commit, _, err := o.github.Git.CreateCommit(ctx, owner, name, &github.Commit{
		Message: github.String(o.message(run)), Tree: tree, Parents: []*github.Commit{{SHA: github.String(sha)}},
	}, nil)
	if err != nil {
		return explain(err)
	}
	ref := &github.Reference{Ref: github.String("refs/heads/" + branch(r)), Object: &github.GitObject{SHA: commit.SHA}}
	_, _, err = o.github.Git.CreateRef(ctx, owner, name, ref)
	if response, ok := errors.AsType[*github.ErrorResponse](err); ok && response.Response.StatusCode == http.StatusUnprocessableEntity {
		_, _, err = o.github.Git.UpdateRef(ctx, owner, name, ref, true)
	}
	if err != nil {
		return explain(err)
	}
	return nil
}

// people are the logins of who asked and who approved.
func people(run ops.Run) []string {
	all := run.Approvers()
	if by := run.Request().By; !strings.HasPrefix(by, "slack.") {
		all = append([]string{by}, all...)
	}
	return all
}

func (o *operation) message(run ops.Run) string {
	local, _, _ := strings.Cut(userOf(run.Request()), "@")
	text := "Remove AWS user " + local + "\n\nRequest " + run.Request().ID + ".\n"
	for _, login := range people(run) {
		text += fmt.Sprintf("\nCo-authored-by: %s <%s@users.noreply.github.com>", login, login)
	}
	return text + "\n"
}

func (o *operation) body(run ops.Run) string {
	r := run.Request()
	var b strings.Builder
	fmt.Fprintf(&b, "Removes the IAM user `%s`, and nothing else.\n\n", userOf(r))
	fmt.Fprintf(&b, "- Request: %s\n- Asked for by: %s\n- Approved by: %s\n", r.ID, mention(r.By), mention(run.Approvers()...))
	for _, field := range []string{"reason", "ticket"} {
		for _, text := range r.Inputs[field] {
			fmt.Fprintf(&b, "- %s: %s\n", strings.ToUpper(field[:1])+field[1:], quote(text))
		}
	}
	b.WriteString("\nThe user is in quarantine: it has no power any more. Merging removes it for good.\n")
	return b.String()
}

func mention(logins ...string) string {
	var all []string
	for _, login := range logins {
		if strings.HasPrefix(login, "slack.") {
			all = append(all, "Slack user "+strings.TrimPrefix(login, "slack."))
		} else {
			all = append(all, "@"+login)
		}
	}
	return strings.Join(all, ", ")
}

// quote shows somebody's text as it is: no mention, link or markup in it works.
func quote(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + " " + strings.Join(strings.Fields(text), " ") + " " + fence
}

// applyWithin is how long Terraform may take to remove a user after the merge.
const applyWithin = 30 * time.Minute

// merge waits until the pull request is merged and Terraform has removed the
// user. Terraform's force_destroy takes credentials and groups from a user but
// no policies, and IAM deletes no user that has one: so once the merge has
// decided it, all that hangs on the user goes first, deny-all at the very end.
// https://github.com/hashicorp/terraform-provider-aws/issues/4176
func (o *operation) merge(ctx context.Context, run ops.Run) error {
	r := run.Request()
	owner, name := o.settings.owner()
	var p proposal
	if _, err := run.Recall(ctx, "proposal", &p); err != nil {
		return err
	}
	pull, _, err := o.github.PullRequests.Get(ctx, owner, name, p.Number)
	switch {
	case err != nil:
		// It can be asked again as long as it takes, but people should know.
		words := ops.Words(o.explain(fmt.Errorf("look at pull request %d: %w", p.Number, err)), r.ID)
		if err := run.Log(ctx, ops.Line{Key: "unseen " + words, Level: ops.Warning, Text: fmt.Sprintf("Pull request #%d can't be looked at, which is tried again: %s", p.Number, words)}); err != nil {
			return err
		}
		return ops.Again(o.settings.Poll)
	case !pull.GetMerged() && pull.GetState() == "closed":
		return &ops.Error{
			Kind: ops.Unknown,
			What: fmt.Sprintf("Pull request %s#%d was closed without being merged, so %s is not removed. It stays in quarantine.", o.settings.Repository, p.Number, userOf(r)),
			Next: "Decide in the thread what to do: run it again to propose it anew, or have the quarantine lifted in the console.",
		}
	case !pull.GetMerged():
		// Nil: GitHub hasn't worked it out yet.
		if pull.Mergeable != nil && !*pull.Mergeable {
			if err := o.push(ctx, run); err != nil {
				return err
			}
		}
		return ops.Again(o.settings.Poll)
	}
	if err := run.Log(ctx, ops.Line{Key: "merged", Level: ops.Change, Text: fmt.Sprintf("Pull request #%d was merged by %s.", p.Number, pull.GetMergedBy().GetLogin())}); err != nil {
		return err
	}
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	user, err := readUser(ctx, look, userOf(r))
	switch {
	case err != nil:
		return awsaccess.Explain(err, o.settings.LookRole)
	case user == nil:
		return nil
	}
	act, err := o.writer(r, "DenyAllAndUndo", "Delete", "DeleteElsewhere")
	if err != nil {
		return err
	}
	if err := o.empty(ctx, run, act, user); err != nil {
		return err
	}
	if merged := pull.GetMergedAt().Time; run.Now().After(merged.Add(applyWithin)) {
		return &ops.Error{
			Kind: ops.Unavailable,
			What: fmt.Sprintf("Pull request %s#%d was merged at %s UTC, but Terraform hasn't removed %s since. The user has neither credentials nor policies any more.",
				o.settings.Repository, p.Number, merged.UTC().Format("2 Jan 15:04"), userOf(r)),
			Next: "Run Terraform's apply again.",
		}
	}
	return ops.Again(o.settings.Poll)
}
