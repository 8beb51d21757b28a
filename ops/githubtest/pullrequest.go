package githubtest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// simple is the pull request as lists have it: without what takes GitHub time to find out.
func (p *pull) simple(s *Server, in *repository) map[string]any {
	api, html := fmt.Sprintf("%s/pulls/%d", in.api(s), p.number), fmt.Sprintf("%s/pull/%d", in.html(), p.number)
	issue := fmt.Sprintf("%s/issues/%d", in.api(s), p.number)
	side := func(branch, sha string) map[string]any {
		return map[string]any{"label": in.owner + ":" + branch, "ref": branch, "sha": sha, "user": s.ownerOf(in), "repo": in.simple(s)}
	}
	href := func(url string) map[string]any { return map[string]any{"href": url} }
	m := map[string]any{
		"id": p.id, "number": p.number, "node_id": node("PullRequest", p.id), "url": api, "html_url": html, "issue_url": issue,
		"diff_url": html + ".diff", "patch_url": html + ".patch", "commits_url": api + "/commits",
		"comments_url": issue + "/comments", "review_comments_url": api + "/comments",
		"review_comment_url": in.api(s) + "/pulls/comments{/number}", "statuses_url": in.api(s) + "/statuses/" + p.headSHA,
		"state": p.state(), "locked": false, "title": p.title, "body": nil, "draft": p.draft, "user": p.author.simple(s),
		"created_at": stamp(p.created), "updated_at": stamp(p.updated), "closed_at": nil, "merged_at": nil,
		"merge_commit_sha": nil, "assignee": nil, "assignees": []any{}, "requested_reviewers": []any{}, "requested_teams": []any{},
		"labels": []any{}, "milestone": nil, "author_association": "MEMBER", "auto_merge": nil, "active_lock_reason": nil,
		"head": side(p.head, p.headSHA), "base": side(p.base, p.baseSHA),
		"_links": map[string]any{
			"self": href(api), "html": href(html), "issue": href(issue), "comments": href(issue + "/comments"),
			"commits": href(api + "/commits"), "statuses": href(in.api(s) + "/statuses/" + p.headSHA),
			"review_comments": href(api + "/comments"), "review_comment": href(in.api(s) + "/pulls/comments{/number}"),
		},
	}
	if len(p.reviewers) > 0 {
		m["requested_reviewers"] = p.asked(s)
	}
	if p.body != "" {
		m["body"] = p.body
	}
	if !p.open {
		m["closed_at"] = stamp(p.ended)
	}
	if p.merged {
		m["merged_at"], m["merge_commit_sha"] = stamp(p.ended), p.mergeSHA
	}
	if p.author.bot {
		m["author_association"] = "CONTRIBUTOR"
	}
	return m
}

// full is the pull request as an endpoint of its own has it. Whether it can be merged isn't known when it's first asked
// for, nor after either branch has moved: null is an answer that clients must wait out.
// https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-your-git-database#checking-mergeability-of-pull-requests
func (p *pull) full(s *Server, in *repository) map[string]any {
	m := p.simple(s, in)
	changes, commits := in.changed(p), in.commits(p)
	added, removed := 0, 0
	for _, c := range changes {
		file := c.json(s, in, p.headSHA)
		added, removed = added+file["additions"].(int), removed+file["deletions"].(int)
	}
	m["merged"], m["merged_by"] = p.merged, nil
	if p.mergedBy != nil {
		m["merged_by"] = p.mergedBy.simple(s)
	}
	m["comments"], m["review_comments"], m["commits"] = len(p.comments), 0, len(commits)
	m["additions"], m["deletions"], m["changed_files"] = added, removed, len(changes)
	m["maintainer_can_modify"] = false
	m["mergeable"], m["rebaseable"], m["mergeable_state"] = nil, nil, "unknown"
	if now := p.headSHA + in.tip(p.base); p.open && p.checked == now {
		before, _ := in.treeOf(in.parted(p))
		base, _ := in.treeOf(in.tip(p.base))
		head, _ := in.treeOf(p.headSHA)
		_, conflicts := in.objects.merge(before, base, head)
		clean := len(conflicts) == 0
		m["mergeable"], m["rebaseable"], m["mergeable_state"] = clean, clean, map[bool]string{true: "clean", false: "dirty"}[clean]
		if p.draft && clean {
			m["mergeable_state"] = "draft"
		}
	} else if p.open {
		p.checked = now
	}
	return m
}

// pullOf is the pull request that the path names; nil where there's none.
func (r *request) pullOf() *pull {
	number, _ := strconv.Atoi(r.parameters["number"])
	return r.repository.pull(number)
}

// twin is the open pull request between the same branches; nil where there's none.
func (in *repository) twin(head, base string, but *pull) *pull {
	for _, p := range in.pulls {
		if p.open && p != but && p.head == head && p.base == base {
			return p
		}
	}
	return nil
}

func createPull(s *Server, r *request) answer {
	in := r.repository
	var asked struct {
		Title    *string `json:"title"`
		Head     *string `json:"head"`
		HeadRepo string  `json:"head_repo"`
		Base     *string `json:"base"`
		Body     string  `json:"body"`
		Draft    bool    `json:"draft"`
		Issue    int     `json:"issue"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if bad, ok := r.supplied("head", asked.Head != nil, "base", asked.Base != nil); !ok {
		return bad
	}
	if asked.Issue != 0 {
		s.problem("%s %s: githubtest has no issues to turn into pull requests", r.Method, r.URL.Path)
		return r.invalid(faulty("PullRequest", "issue", "invalid"))
	}
	if asked.Title == nil || strings.TrimSpace(*asked.Title) == "" {
		return r.invalid(faulty("PullRequest", "title", "missing_field"))
	}
	if bad, ok := r.fits(asked.Title, &asked.Body); !ok {
		return bad
	}
	head, base := strings.TrimPrefix(in.local(*asked.Head), heads), strings.TrimPrefix(*asked.Base, heads)
	var wrong []map[string]any
	if in.tip(head) == "" || asked.HeadRepo != "" && !strings.EqualFold(asked.HeadRepo, in.name) {
		wrong = append(wrong, faulty("PullRequest", "head", "invalid"))
	}
	if in.tip(base) == "" {
		wrong = append(wrong, faulty("PullRequest", "base", "invalid"))
	}
	if len(wrong) > 0 {
		return r.invalid(wrong...)
	}
	if bad, ok := r.mergeable(head, base, nil); !ok {
		return bad
	}
	now := s.options.Now()
	p := &pull{
		id: s.nextID(), number: len(in.pulls) + 1, title: *asked.Title, body: asked.Body, draft: asked.Draft, author: s.actor(r.who),
		head: head, base: base, headSHA: in.tip(head), baseSHA: in.tip(base), open: true, created: now, updated: now,
	}
	in.pulls = append(in.pulls, p)
	in.refs[fmt.Sprintf("%s%d/head", pulls, p.number)] = p.headSHA
	a := answer{status: http.StatusCreated, body: p.full(s, in)}
	a.set("Location", fmt.Sprintf("%s/pulls/%d", in.api(s), p.number))
	return a
}

// fits reports whether a title and a body are as short as GitHub wants them.
func (r *request) fits(title, body *string) (answer, bool) {
	for _, text := range []struct {
		name  string
		value *string
		most  int
	}{{"title", title, 256}, {"body", body, 65536}} {
		if text.value != nil && utf8.RuneCountInString(*text.value) > text.most {
			wrong := custom("Issue", fmt.Sprintf("%s is too long (maximum is %d characters)", text.name, text.most))
			wrong["field"] = text.name
			return r.invalid(wrong), false
		}
	}
	return answer{}, true
}

// mergeable reports whether there may be a pull request between two branches.
func (r *request) mergeable(head, base string, but *pull) (answer, bool) {
	in := r.repository
	switch {
	case in.twin(head, base, but) != nil:
		return r.invalid(custom("PullRequest", fmt.Sprintf("A pull request already exists for %s:%s.", in.owner, head))), false
	case in.objects.mergeBase(in.tip(base), in.tip(head)) == "":
		return r.invalid(custom("PullRequest", fmt.Sprintf("The %s branch has no history in common with %s", head, base))), false
	case len(in.objects.between(in.tip(base), in.tip(head))) == 0:
		return r.invalid(custom("PullRequest", fmt.Sprintf("No commits between %s and %s", base, head))), false
	}
	return answer{}, true
}

// listPulls goes by state, head and base. A head without its owner ("branch" instead of "owner:branch") is no filter at
// all, as on GitHub.
// https://docs.github.com/en/rest/pulls/pulls#list-pull-requests
func listPulls(s *Server, r *request) answer {
	in, query := r.repository, r.URL.Query()
	state, ok := choice(r, "state", "open", "closed", "all")
	sort, known := choice(r, "sort", "created", "updated", "popularity", "long-running")
	otherwise := "asc"
	if sort == "created" {
		otherwise = "desc"
	}
	direction := cmp.Or(query.Get("direction"), otherwise)
	if !ok || !known || direction != "asc" && direction != "desc" {
		return r.unprocessable("Validation Failed")
	}
	owner, head, filtered := strings.Cut(query.Get("head"), ":")
	var found []*pull
	for _, p := range in.pulls {
		switch {
		case state != "all" && state != p.state():
		case filtered && (!strings.EqualFold(owner, in.owner) || head != p.head):
		case query.Get("base") != "" && query.Get("base") != p.base:
		default:
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *pull) int {
		by := 0
		switch sort {
		case "updated":
			by = a.updated.Compare(b.updated)
		case "popularity":
			by = cmp.Compare(len(a.comments), len(b.comments))
		}
		if by = cmp.Or(by, cmp.Compare(a.number, b.number)); direction == "desc" {
			return -by
		}
		return by
	})
	var list []map[string]any
	for _, p := range found {
		list = append(list, p.simple(s, in))
	}
	return page(s, r, in.numeric("pulls"), list)
}

func getPull(s *Server, r *request) answer {
	p := r.pullOf()
	switch {
	case r.wants("diff"), r.wants("patch"):
		return r.unknown(s)
	case p == nil:
		return r.notFound()
	}
	return answer{status: http.StatusOK, body: p.full(s, r.repository)}
}

func listPullFiles(s *Server, r *request) answer {
	p := r.pullOf()
	if p == nil {
		return r.notFound()
	}
	var list []map[string]any
	for _, c := range r.repository.changed(p) {
		list = append(list, c.json(s, r.repository, p.headSHA))
	}
	return page(s, r, r.repository.numeric(fmt.Sprintf("pulls/%d/files", p.number)), list)
}

func listPullCommits(s *Server, r *request) answer {
	p := r.pullOf()
	if p == nil {
		return r.notFound()
	}
	var list []map[string]any
	for _, c := range r.repository.commits(p) {
		list = append(list, r.repository.fullCommit(s, c))
	}
	return page(s, r, r.repository.numeric(fmt.Sprintf("pulls/%d/commits", p.number)), list[:min(len(list), 250)])
}

func updatePull(s *Server, r *request) answer {
	in, p := r.repository, r.pullOf()
	if p == nil {
		return r.notFound()
	}
	var asked struct {
		Title *string          `json:"title"`
		Body  nullable[string] `json:"body"`
		State *string          `json:"state"`
		Base  *string          `json:"base"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if asked.Title != nil && strings.TrimSpace(*asked.Title) == "" {
		return r.invalid(faulty("PullRequest", "title", "missing_field"))
	}
	if bad, ok := r.fits(asked.Title, asked.Body.value); !ok {
		return bad
	}
	reopen := asked.State != nil && *asked.State == "open" && !p.open
	switch {
	case asked.State != nil && *asked.State != "open" && *asked.State != "closed":
		return r.invalid(faulty("PullRequest", "state", "invalid"))
	case reopen && p.merged:
		return r.invalid(custom("PullRequest", "state cannot be changed. The pull request cannot be reopened."))
	case reopen && in.tip(p.head) == "":
		return r.invalid(custom("PullRequest", fmt.Sprintf("state cannot be changed. The %s branch has been deleted.", p.head)))
	case reopen && in.tip(p.base) == "":
		return r.invalid(custom("PullRequest", fmt.Sprintf("state cannot be changed. The %s branch has been deleted.", p.base)))
	case reopen && in.twin(p.head, p.base, p) != nil:
		return r.invalid(custom("PullRequest", fmt.Sprintf("state cannot be changed. There is already an open pull request from %s to %s.", p.head, p.base)))
	case reopen && len(in.objects.between(in.tip(p.base), in.tip(p.head))) == 0:
		return r.invalid(custom("PullRequest", fmt.Sprintf("state cannot be changed. There are no new commits on the %s branch.", p.head)))
	case asked.Base != nil && *asked.Base != p.base && !p.open:
		return r.invalid(custom("PullRequest", "Cannot change base branch of closed pull request"))
	case asked.Base != nil && in.tip(*asked.Base) == "":
		return r.invalid(faulty("PullRequest", "base", "invalid"))
	}
	if asked.Base != nil && *asked.Base != p.base {
		if bad, ok := r.mergeable(p.head, *asked.Base, p); !ok {
			return bad
		}
		p.base, p.baseSHA = *asked.Base, in.tip(*asked.Base)
	}
	if asked.Title != nil {
		p.title = *asked.Title
	}
	if asked.Body.set {
		p.body = ""
		if asked.Body.value != nil {
			p.body = *asked.Body.value
		}
	}
	p.updated = s.options.Now()
	switch {
	case reopen:
		p.open, p.closedBy, p.fork = true, nil, ""
		p.ended = time.Time{}
		p.headSHA, p.baseSHA = in.tip(p.head), in.tip(p.base)
	case asked.State != nil && *asked.State == "closed" && p.open:
		s.shut(in, p, s.actor(r.who))
	}
	return answer{status: http.StatusOK, body: p.full(s, in)}
}

func getMerged(_ *Server, r *request) answer {
	if p := r.pullOf(); p == nil || !p.merged {
		return r.notFound()
	}
	return answer{status: http.StatusNoContent}
}

// mergePull knows merge commits and squashing; rebasing isn't allowed in these repositories.
// https://docs.github.com/en/rest/pulls/pulls#merge-a-pull-request
func mergePull(s *Server, r *request) answer {
	in, p := r.repository, r.pullOf()
	if p == nil {
		return r.notFound()
	}
	var asked struct {
		Title   *string `json:"commit_title"`
		Message *string `json:"commit_message"`
		SHA     *string `json:"sha"`
		Method  string  `json:"merge_method"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	refused := func(message string) answer { return refuse(http.StatusMethodNotAllowed, message, r.route.doc) }
	switch {
	case asked.Method != "" && asked.Method != "merge" && asked.Method != "squash" && asked.Method != "rebase":
		return r.unprocessable("Invalid request.\n\n" + asked.Method + " is not a member of [\"merge\", \"squash\", \"rebase\"].")
	case asked.Method == "rebase":
		return refused("Rebase merges are not allowed on this repository.")
	case !p.open:
		return refused("Pull Request is not mergeable")
	case p.draft:
		return refused("Pull Request is still a draft")
	case asked.SHA != nil && *asked.SHA != p.headSHA:
		return refuse(http.StatusConflict, "Head branch was modified. Review and try the merge again.", r.route.doc)
	}
	order := mergeOrder{squash: asked.Method == "squash", title: asked.Title, message: asked.Message}
	if conflicts := s.merge(in, p, s.actor(r.who), order); len(conflicts) > 0 {
		return refused("Pull Request is not mergeable")
	}
	return answer{status: http.StatusOK, body: map[string]any{"sha": p.mergeSHA, "merged": true, "message": "Pull Request successfully merged"}}
}
