package removeuser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/terraform"
)

// readAt reads the files at the head of the branch, takes the user out of them in
// memory, and says which commit that is about. A branch that people renamed since a
// plan with it was shown is followed.
func (o *operation) readAt(ctx context.Context, from source, user string, shown bool) (edit, string, error) {
	now, err := o.head(ctx, from, shown)
	if err != nil {
		return edit{}, "", err
	}
	e, err := o.editAt(ctx, from, now.sha, user)
	return e, now.sha, err
}

// editAt reads the files at a commit, and takes the user out of them in memory.
func (o *operation) editAt(ctx context.Context, from source, sha, user string) (edit, error) {
	var files []terraform.File
	for _, file := range []string{from.UsersFile, from.MembersFile} {
		text, err := o.textAt(ctx, from, sha, file)
		if err != nil {
			return edit{}, err
		}
		files = append(files, terraform.File{Path: file, Text: []byte(text)})
	}
	e := edit{modes: map[string]string{}, links: map[string]string{}, commit: sha, was: map[string]string{}}
	others, err := o.besides(ctx, from, sha, e)
	if err != nil {
		err = o.unread(from, "list of files", err)
		if ops.IsPassing(err) {
			return edit{}, err
		}
		e.unseen = ops.Words(err, "") // it is no reason to leave the user's access as it is
	}
	files = append(files, others...)
	e.looked = len(files)
	e.Removal, err = terraform.RemoveUser(files, user, from.UsersFile, from.MembersFile)
	if err != nil {
		return e, &ops.Error{
			Kind: ops.Unavailable, Err: err, What: fmt.Sprintf("The bot can't edit the files of %s. %s.", from.Repository, err),
			Next: "Mend that file, then ask again.",
		}
	}
	for _, f := range files {
		if _, ok := e.Changed[f.Path]; ok {
			e.was[f.Path] = string(f.Text)
		}
	}
	return e, nil
}

// unread says why something of the repository can't be read.
func (o *operation) unread(from source, doing string, err error) error {
	if githubaccess.NotFound(err) {
		return &ops.Error{
			Kind: ops.Unavailable, Err: err,
			What: fmt.Sprintf("GitHub shows the bot no %s in %s.", doing, from.Repository),
			Next: "Check repository, branch and files in the bot's settings, and that the GitHub App may read and write that repository's contents and pull requests.",
		}
	}
	return o.explain(from, fmt.Errorf("read %s of %s: %w", doing, from.Repository, err))
}

// textAt reads a file at a commit.
func (o *operation) textAt(ctx context.Context, from source, sha, file string) (string, error) {
	owner, name := from.owner()
	content, _, _, err := o.github.Repositories.GetContents(ctx, owner, name, file, &github.RepositoryContentGetOptions{Ref: sha})
	if err != nil {
		return "", o.unread(from, "file "+file, err)
	}
	text, err := o.textOf(ctx, owner, name, content)
	if err != nil {
		return "", o.unread(from, "file "+file, err)
	}
	return text, nil
}

// textOf is a file's text. Files above 1 MB come without it and are read as blobs.
// https://docs.github.com/en/rest/repos/contents#get-repository-content
func (o *operation) textOf(ctx context.Context, owner, name string, content *github.RepositoryContent) (string, error) {
	if content == nil {
		return "", &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("In %s/%s one of the files of users is a folder.", owner, name), Next: "Check users_file and members_file in the bot's settings."}
	}
	if kind := content.GetType(); kind != "file" {
		return "", &ops.Error{
			Kind: ops.Unavailable, What: fmt.Sprintf("In %s/%s the file of users %s is a %s to %s, and no file of the repository.", owner, name, content.GetPath(), kind, cmp.Or(content.GetTarget(), "another repository")),
			Next: "Check users_file and members_file in the bot's settings.",
		}
	}
	if content.GetEncoding() != "none" {
		return content.GetContent()
	}
	raw, _, err := o.github.Git.GetBlobRaw(ctx, owner, name, content.GetSHA())
	return string(raw), err
}

// explain is githubaccess.Explain with the permissions that are needed here.
func (o *operation) explain(about source, err error) error {
	said := githubaccess.Explain(err)
	if words, ok := errors.AsType[*ops.Error](said); ok && githubaccess.Unpermitted(err) {
		words.Next = fmt.Sprintf("The GitHub App must be allowed to read and write contents and pull requests of %s.", about.Repository)
	}
	return said
}

// proposal is the pull request of a request.
type proposal struct {
	Number    int      `json:"number"`
	URL       string   `json:"url"`
	Reviewers []string `json:"reviewers,omitempty"` // who was asked on GitHub to look at it
	Author    string   `json:"author,omitempty"`    // the bot's login on GitHub; empty: not known
	AuthorID  int64    `json:"author_id,omitempty"` // of the bot on GitHub; 0: not known

	For time.Time `json:"for,omitzero"` // when the quarantine began that it belongs to
}

// branch is the name of the request's branch: no two requests share one.
func branch(r ops.Request) string {
	local, _, _ := strings.Cut(userOf(r), "@")
	return "remove-aws-user-" + strings.NewReplacer(".", "-", "+", "-", "=", "-", ",", "-", "_", "-").Replace(local) + "-" + ops.Short(r.ID)
}

// propose opens the pull request that removes exactly the one user.
func (o *operation) propose(ctx context.Context, run ops.Run) error {
	r := run.Request()
	d, err := kept(run)
	if err != nil {
		return err
	}
	_, was, _, err := o.standing(ctx, run)
	if err != nil {
		return err
	}
	var p proposal
	if _, err := run.Recall(ctx, "proposal", &p); err != nil {
		return err
	}
	if p.Number > 0 && p.For.Equal(was.At) {
		return o.tell(ctx, run, d.Source, p)
	}
	pull, err := o.findPull(ctx, d.Source, branch(r))
	if err != nil {
		return err
	}
	if pull != nil {
		if err := o.ours(ctx, run, d.Source, pull); err != nil {
			return err
		}
	}
	// One that people closed before they had the quarantine begin again is proposed anew.
	if pull == nil || pull.GetState() == "closed" && pull.GetMergedAt().IsZero() && pull.GetClosedAt().Before(was.At) {
		now, err := o.lookAtBranch(ctx, run, d.Source)
		if err != nil {
			return err
		}
		if now.gone {
			return o.decide(ctx, run, d.Source, now, "No pull request is needed:")
		}
		if pull, err = o.open(ctx, run, d.Source); err != nil {
			return err
		}
	}
	p = proposal{Number: pull.GetNumber(), URL: pull.GetHTMLURL(), For: was.At, Author: pull.GetUser().GetLogin(), AuthorID: pull.GetUser().GetID()}
	if pull.GetState() == "open" {
		if p.Reviewers, err = o.askReviewers(ctx, run, d.Source, pull); err != nil {
			return err
		}
	}
	if err := run.Remember(ctx, "proposal", p); err != nil {
		return err
	}
	return o.tell(ctx, run, d.Source, p)
}

// open makes the branch and opens its pull request.
func (o *operation) open(ctx context.Context, run ops.Run, to source) (*github.PullRequest, error) {
	r := run.Request()
	owner, name := to.owner()
	if err := run.Remember(ctx, "proposing", true); err != nil {
		return nil, err
	}
	if err := o.push(ctx, run, to); err != nil {
		return nil, o.unsettled(ctx, run, err)
	}
	base, err := o.base(ctx, run, to)
	if err != nil {
		return nil, err
	}
	if err := run.MayAct(ctx); err != nil {
		return nil, err
	}
	local, _, _ := strings.Cut(userOf(r), "@")
	pull, _, err := o.github.PullRequests.Create(ctx, owner, name, &github.NewPullRequest{
		Title: github.String("Remove AWS user " + local), Head: github.String(branch(r)), Base: github.String(base),
		Body: github.String(o.body(run)), MaintainerCanModify: github.Bool(false),
	})
	if err != nil {
		return nil, o.unsettled(ctx, run, o.explain(to, fmt.Errorf("open a pull request to %s: %w", to.Repository, err)))
	}
	return pull, nil
}

// mostUnsettled is how often in all a run lets GitHub say that what was just made isn't
// there, before it takes that for the truth.
const mostUnsettled = 10

// unsettled ends the trying of what GitHub goes on refusing as if what was just made
// weren't there. Any other error stays as it is.
func (o *operation) unsettled(ctx context.Context, run ops.Run, err error) error {
	said, ok := errors.AsType[*ops.Error](err)
	if !ok || !githubaccess.Unsettled(err) {
		return err
	}
	var times int
	if _, err := run.Recall(ctx, "unsettled", &times); err != nil {
		return err
	}
	if times++; times > mostUnsettled {
		said.Passing, said.Next = false, "GitHub went on saying so. Look whether the branch is there, then run it again."
		times = 0
	}
	return errors.Join(err, run.Remember(ctx, "unsettled", times))
}

// askReviewers asks those who approved the removal for a review on GitHub, so that
// GitHub tells them as well, and returns who was asked. It is no failure if GitHub
// won't: not every approver can see the repository.
func (o *operation) askReviewers(ctx context.Context, run ops.Run, at source, pull *github.PullRequest) ([]string, error) {
	owner, name := at.owner()
	var asked []string
	for _, login := range run.Approvers() {
		if strings.HasPrefix(login, "slack.") || strings.EqualFold(login, pull.GetUser().GetLogin()) {
			continue
		}
		if err := run.MayAct(ctx); err != nil {
			return nil, err
		}
		_, _, err := o.github.PullRequests.RequestReviewers(ctx, owner, name, pull.GetNumber(), github.ReviewersRequest{Reviewers: []string{login}})
		if err == nil {
			asked = append(asked, login)
			continue
		}
		text := fmt.Sprintf("GitHub couldn't ask %s to review pull request #%d: %s", login, pull.GetNumber(), ops.Words(o.explain(at, err), run.Request().ID))
		if err := run.Log(ctx, ops.Line{Key: "reviewer " + login, Text: text}); err != nil {
			return nil, err
		}
	}
	return asked, nil
}

// tell tells of the pull request, once.
func (o *operation) tell(ctx context.Context, run ops.Run, to source, p proposal) error {
	return run.Log(ctx, ops.Line{Key: fmt.Sprint("proposal ", p.Number), Level: ops.Change, Text: fmt.Sprintf("Opened pull request %s#%d: %s", to.Repository, p.Number, p.URL)})
}

// findPull finds the pull request of a branch, in whatever state; nil if there is none.
func (o *operation) findPull(ctx context.Context, in source, branch string) (*github.PullRequest, error) {
	owner, name := in.owner()
	pulls, _, err := o.github.PullRequests.List(ctx, owner, name, &github.PullRequestListOptions{State: "all", Head: owner + ":" + branch})
	if err != nil {
		return nil, o.explain(in, fmt.Errorf("list the pull requests of %s: %w", in.Repository, err))
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
func (o *operation) push(ctx context.Context, run ops.Run, to source) error {
	r := run.Request()
	owner, name := to.owner()
	e, sha, err := o.readAt(ctx, to, userOf(r), true)
	if err != nil {
		return err
	}
	if !e.found() {
		return &ops.Error{Kind: ops.Unavailable, What: fmt.Sprintf("%s isn't defined in %s any more, so there is nothing to propose.", userOf(r), to.Repository), Next: "Run it again to look anew."}
	}
	if err := e.mayBeMade(to, userOf(r)); err != nil {
		return err
	}
	explain := func(err error) error {
		return o.explain(to, fmt.Errorf("make a commit in %s: %w", to.Repository, err))
	}
	parent, _, err := o.github.Git.GetCommit(ctx, owner, name, sha)
	if err != nil {
		return explain(err)
	}
	var entries []*github.TreeEntry
	for _, file := range e.files(to) {
		entries = append(entries, &github.TreeEntry{
			Path: github.String(file), Mode: github.String(cmp.Or(e.modes[file], "100644")), Type: github.String("blob"), Content: github.String(e.Changed[file]),
		})
	}
	if err := run.MayAct(ctx); err != nil {
		return err
	}
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
	for key, what := range map[string]any{"pushed": commit.GetSHA(), "cuts": e.cuts()} {
		if err := run.Remember(ctx, key, what); err != nil {
			return err
		}
	}
	// A tree and a commit are seen by nobody; the branch is.
	if err := run.MayAct(ctx); err != nil {
		return err
	}
	ref := &github.Reference{Ref: github.String("refs/heads/" + branch(r)), Object: &github.GitObject{SHA: commit.SHA}}
	_, _, err = o.github.Git.CreateRef(ctx, owner, name, ref)
	if githubaccess.Status(err) != http.StatusUnprocessableEntity {
		return o.notMade(to, r, err)
	}
	// GitHub has one status for a branch that is there and for one that a ruleset forbids.
	if _, _, none := o.github.Git.GetRef(ctx, owner, name, "heads/"+branch(r)); none != nil {
		return o.notMade(to, r, err)
	}
	_, _, err = o.github.Git.UpdateRef(ctx, owner, name, ref, true)
	return o.notMade(to, r, err)
}

// notMade says why GitHub didn't make or move the request's branch. Nil stays nil.
func (o *operation) notMade(in source, r ops.Request, err error) error {
	said := o.explain(in, err)
	if words, ok := errors.AsType[*ops.Error](said); ok && githubaccess.Status(err) == http.StatusUnprocessableEntity {
		words.What = fmt.Sprintf("GitHub refused to make the branch %s of %s (422): %s.", branch(r), in.Repository, cmp.Or(githubaccess.Reason(err), "it doesn't say why"))
	}
	return said
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
	fmt.Fprintf(&b, "Removes the IAM user `%s` and what is the user's alone, and nothing else.\n\n", userOf(r))
	fmt.Fprintf(&b, "- Request: %s\n- Asked for by: %s\n- Approved by: %s\n", r.ID, mention(r.By), mention(run.Approvers()...))
	for _, field := range []string{"reason", "ticket"} {
		for _, text := range r.Inputs[field] {
			fmt.Fprintf(&b, "- %s: %s\n", strings.ToUpper(field[:1])+field[1:], ops.Code(text))
		}
	}
	b.WriteString("\nThe user is in quarantine: it has no power any more. Merging removes it for good; closing this keeps it locked out.\n")
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
