package githubtest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Pull is a pull request as it stands.
type Pull struct {
	Repository string // "owner/name"
	Number     int
	Title      string
	Body       string
	Draft      bool
	// Head and Base are branches of the same repository, without their owner.
	Head, Base string
	// HeadSHA is what there is to merge; BaseSHA is the base branch's commit when it was opened or last pushed to.
	HeadSHA, BaseSHA string
	// State is "open" or "closed"; a merged one is closed.
	State string
	// Author, ClosedBy and MergedBy are logins, "<slug>[bot]" for an App's. Empty: not closed, not merged.
	Author, ClosedBy, MergedBy string
	Merged                     bool
	// MergeSHA is the commit that the merge made in the base branch. Empty: not merged.
	MergeSHA string
	// Files are what it changes, sorted by path.
	Files []Change
	// Commits are the messages of its commits, the oldest first.
	Commits  []string
	Comments []Comment
	// Reviewers are the logins of who was asked for a review, in the order in which they were.
	Reviewers []string
	Created   time.Time
	Closed    time.Time // zero: open
}

// Change is one file of a pull request.
type Change struct {
	Path string
	// Previous is where a renamed file was.
	Previous string
	// Status is "added", "removed", "modified" or "renamed".
	Status string
	// Before and After are the contents where the branches parted and at the head; empty where there's no such file.
	Before, After string
}

// Comment is what somebody wrote below a pull request.
type Comment struct{ By, Body string }

// ErrConflict is what Merge returns for a pull request whose files were changed in the base branch too.
var ErrConflict = errors.New("githubtest: merge conflict")

type pull struct {
	id                      int64
	number                  int
	title, body             string
	draft                   bool
	author                  *user
	head, base              string
	headSHA, baseSHA        string
	open, merged            bool
	closedBy, mergedBy      *user
	mergeSHA                string
	created, updated, ended time.Time
	comments                []comment
	reviewers               []*user
	fork                    string // where the branches parted, from when it was closed; while it's open see parted
	checked                 string // the heads whose mergeability was asked for: only the second time it's known
}

// Pull is the pull request of that number. It panics where there's none.
func (s *Server) Pull(repo string, number int) Pull {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, p := s.pull("Pull", repo, number)
	return in.show(p)
}

// Pulls lists a repository's pull requests, open and closed, the oldest first.
func (s *Server) Pulls(repo string) []Pull {
	s.mu.Lock()
	defer s.mu.Unlock()
	in := s.repository("Pulls", repo)
	list := []Pull{}
	for _, p := range in.pulls {
		list = append(list, in.show(p))
	}
	return list
}

// Merge is a person merging a pull request with a merge commit; the head branch stays. OnMerge has returned when it
// returns. ErrConflict: it couldn't, for a file that it changes was changed in the base branch as well (files are
// taken whole, which is stricter than GitHub); another error: it isn't open. It panics where there's no such pull request.
func (s *Server) Merge(repo string, number int, by string) (err error) {
	s.edit(func() {
		in, p := s.pull("Merge", repo, number)
		if !p.open {
			err = fmt.Errorf("githubtest: merge %s#%d: it isn't open", repo, number)
		} else if conflicts := s.merge(in, p, s.person(by), mergeOrder{}); len(conflicts) > 0 {
			err = fmt.Errorf("%w in %s", ErrConflict, strings.Join(conflicts, ", "))
		}
	})
	return err
}

// ClosePull is a person closing a pull request without merging it; one that is closed already stays as it is. It panics
// where there's none.
func (s *Server) ClosePull(repo string, number int, by string) {
	s.edit(func() {
		in, p := s.pull("ClosePull", repo, number)
		if p.open {
			s.shut(in, p, s.person(by))
		}
	})
}

// Comment is a person writing below a pull request. It panics where there's none.
func (s *Server) Comment(repo string, number int, by, body string) {
	s.edit(func() {
		_, p := s.pull("Comment", repo, number)
		s.comment(p, s.person(by), body)
	})
}

// person is the user or bot of that login, added where missing.
func (s *Server) person(login string) *user {
	if u := s.lookUp(login); u != nil {
		return u
	}
	return s.ensureUser(login)
}

func (s *Server) pull(method, repo string, number int) (*repository, *pull) {
	in := s.repository(method, repo)
	p := in.pull(number)
	if p == nil {
		panic(fmt.Sprintf("githubtest: %s: no pull request %s#%d", method, repo, number))
	}
	return in, p
}

func (in *repository) pull(number int) *pull {
	if number < 1 || number > len(in.pulls) {
		return nil
	}
	return in.pulls[number-1]
}

// parted is the commit where the pull request's branches parted.
func (in *repository) parted(p *pull) string {
	if !p.open {
		return p.fork
	}
	return in.objects.mergeBase(in.tip(p.base), p.headSHA)
}

// changed is what the pull request does to the files.
func (in *repository) changed(p *pull) []change {
	before, _ := in.treeOf(in.parted(p))
	return in.objects.changes(before, in.objects.commit(p.headSHA).tree)
}

func (in *repository) commits(p *pull) []*commit {
	return in.objects.between(in.parted(p), p.headSHA)
}

func (in *repository) show(p *pull) Pull {
	shown := Pull{
		Repository: in.fullName(), Number: p.number, Title: p.title, Body: p.body, Draft: p.draft, Head: p.head, Base: p.base,
		HeadSHA: p.headSHA, BaseSHA: p.baseSHA, State: p.state(), Author: p.author.login, Merged: p.merged, MergeSHA: p.mergeSHA,
		Created: p.created, Closed: p.ended,
	}
	if p.closedBy != nil {
		shown.ClosedBy = p.closedBy.login
	}
	if p.mergedBy != nil {
		shown.MergedBy = p.mergedBy.login
	}
	for _, c := range in.changed(p) {
		before, _ := in.objects.get("blob", c.before.sha)
		after, _ := in.objects.get("blob", c.after.sha)
		shown.Files = append(shown.Files, Change{Path: c.path, Previous: c.previous, Status: c.status, Before: string(before), After: string(after)})
	}
	for _, c := range in.commits(p) {
		shown.Commits = append(shown.Commits, c.message)
	}
	for _, u := range p.reviewers {
		shown.Reviewers = append(shown.Reviewers, u.login)
	}
	for _, c := range p.comments {
		shown.Comments = append(shown.Comments, Comment{By: c.by.login, Body: c.body})
	}
	return shown
}

func (p *pull) state() string {
	if p.open {
		return "open"
	}
	return "closed"
}

// shut closes a pull request and keeps what it was about.
func (s *Server) shut(in *repository, p *pull, by *user) {
	p.fork = in.parted(p)
	p.open, p.closedBy, p.ended = false, by, s.options.Now()
	p.updated = p.ended
}

// moved tells the open pull requests from and to a branch that it isn't where it was, or is gone: as on GitHub they
// follow, are closed with it or when nothing is left between their branches, and are merged when somebody has pushed
// their commits into the base branch.
// https://docs.github.com/en/pull-requests/collaborating-with-pull-requests/incorporating-changes-from-a-pull-request/about-pull-request-merges#indirect-merges
func (s *Server) moved(in *repository, branch string, by *user) {
	tip := in.tip(branch)
	for _, p := range in.pulls {
		if !p.open || p.head != branch && p.base != branch {
			continue
		}
		if tip == "" {
			// Its parting can't be found any more once the base is gone.
			if p.base == branch {
				in.refs[heads+branch] = p.baseSHA
			}
			s.shut(in, p, by)
			if p.base == branch {
				delete(in.refs, heads+branch)
			}
			continue
		}
		if p.base == branch {
			if in.objects.history(tip)[p.headSHA] {
				p.fork = in.objects.mergeBase(p.baseSHA, p.headSHA)
				p.open, p.merged, p.closedBy, p.mergedBy, p.mergeSHA = false, true, by, by, tip
				p.ended = s.options.Now()
				p.updated = p.ended
				s.announce(in, p)
			}
			continue
		}
		p.updated = s.options.Now()
		if in.objects.history(in.tip(p.base))[tip] {
			s.shut(in, p, by)
			continue
		}
		p.headSHA, p.baseSHA = tip, in.tip(p.base)
		in.refs[fmt.Sprintf("%s%d/head", pulls, p.number)] = tip
	}
}

// mergeOrder is how a merge is wanted. The zero value is a merge commit with GitHub's own words.
type mergeOrder struct {
	squash         bool
	title, message *string
}

// merge brings an open pull request into its base branch, or says which files it can't. The caller holds mu.
func (s *Server) merge(in *repository, p *pull, by *user, order mergeOrder) (conflicts []string) {
	base, head := in.objects.commit(in.tip(p.base)), in.objects.commit(p.headSHA)
	fork := in.parted(p)
	before, _ := in.treeOf(fork)
	files, conflicts := in.objects.merge(before, base.tree, head.tree)
	if len(conflicts) > 0 {
		return conflicts
	}
	title := fmt.Sprintf("Merge pull request #%d from %s/%s", p.number, in.owner, p.head)
	message, parents, author := p.title, []string{base.sha, head.sha}, s.signature(by)
	if order.squash {
		title, message, parents = fmt.Sprintf("%s (#%d)", p.title, p.number), "", []string{base.sha}
		author = s.signature(p.author)
		if list := in.commits(p); len(list) == 1 {
			_, message, _ = strings.Cut(list[0].message, "\n\n")
		} else {
			for _, c := range list {
				message += "* " + c.message + "\n\n"
			}
		}
	}
	if order.title != nil && *order.title != "" {
		title = *order.title
	}
	if order.message != nil {
		message = *order.message
	}
	committer := s.signature(by)
	committer.name, committer.email = webFlowName, webFlowEmail
	sha := in.objects.putCommit(commit{
		tree: in.objects.putTree(files), parents: parents, author: author, committer: committer,
		message: strings.TrimSpace(title + "\n\n" + message),
	})
	p.fork = fork
	p.open, p.merged, p.closedBy, p.mergedBy, p.mergeSHA = false, true, by, by, sha
	p.ended = s.options.Now()
	p.updated = p.ended
	in.refs[heads+p.base] = sha
	s.announce(in, p)
	s.moved(in, p.base, by)
	return nil
}

// announce has OnMerge called as soon as mu is free.
func (s *Server) announce(in *repository, p *pull) {
	if in.onMerge != nil {
		shown := in.show(p)
		s.later = append(s.later, func() { in.onMerge(shown) })
	}
}
