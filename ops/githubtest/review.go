package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// asked is who was asked for a review, as a pull request has it.
func (p *pull) asked(s *Server) []map[string]any {
	list := []map[string]any{}
	for _, u := range p.reviewers {
		list = append(list, u.simple(s))
	}
	return list
}

// requestReviewers asks people for a review. Like GitHub it refuses all of them for one who isn't a collaborator or is
// the author, and asks nobody twice. There are no teams to ask here.
// https://docs.github.com/en/rest/pulls/review-requests#request-reviewers-for-a-pull-request
func requestReviewers(s *Server, r *request) answer {
	in, p := r.repository, r.pullOf()
	if p == nil {
		return r.notFound()
	}
	var asked struct {
		Reviewers []string `json:"reviewers"`
		Teams     []string `json:"team_reviewers"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if len(asked.Teams) > 0 {
		s.problem("%s %s: githubtest has no teams that review", r.Method, r.URL.Path)
	}
	var people []*user
	for _, login := range asked.Reviewers {
		u := s.lookUp(login)
		switch {
		case u == nil || s.roleIn(in, u) == "":
			return r.unprocessable(fmt.Sprintf("Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the %s repository.", in.fullName()))
		case strings.EqualFold(u.login, p.author.login):
			return r.unprocessable("Review cannot be requested from pull request author.")
		}
		people = append(people, u)
	}
	for _, u := range people {
		if !slices.Contains(p.reviewers, u) {
			p.reviewers = append(p.reviewers, u)
		}
	}
	p.updated = s.options.Now()
	return answer{status: http.StatusCreated, body: p.simple(s, in)}
}

// getIssue is a pull request as an issue, which says who closed it. There are no other issues here.
// https://docs.github.com/en/rest/issues/issues#get-an-issue
func getIssue(s *Server, r *request) answer {
	in, p := r.repository, r.pullOf()
	if p == nil {
		return r.notFound()
	}
	pull := p.simple(s, in)
	m := map[string]any{"closed_by": nil, "comments": len(p.comments), "state_reason": nil, "pull_request": map[string]any{
		"url": pull["url"], "html_url": pull["html_url"], "diff_url": pull["diff_url"], "patch_url": pull["patch_url"], "merged_at": pull["merged_at"],
	}}
	for _, key := range []string{
		"id", "number", "node_id", "state", "locked", "title", "body", "draft", "user", "created_at", "updated_at", "closed_at", "assignee", "assignees",
		"labels", "milestone", "author_association", "active_lock_reason", "html_url", "comments_url",
	} {
		m[key] = pull[key]
	}
	m["url"], m["repository_url"] = pull["issue_url"], in.api(s)
	if p.closedBy != nil {
		m["closed_by"] = p.closedBy.simple(s)
	}
	return answer{status: http.StatusOK, body: m}
}
