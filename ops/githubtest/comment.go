package githubtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

type comment struct {
	id   int64
	by   *user
	body string
	at   time.Time
}

func (s *Server) comment(p *pull, by *user, body string) comment {
	c := comment{id: s.nextID(), by: by, body: body, at: s.options.Now()}
	p.comments = append(p.comments, c)
	p.updated = c.at
	return c
}

func (c comment) json(s *Server, in *repository, p *pull) map[string]any {
	return map[string]any{
		"id": c.id, "node_id": node("IssueComment", c.id), "body": c.body, "user": c.by.simple(s), "author_association": "MEMBER",
		"created_at": stamp(c.at), "updated_at": stamp(c.at),
		"url":       fmt.Sprintf("%s/issues/comments/%d", in.api(s), c.id),
		"issue_url": fmt.Sprintf("%s/issues/%d", in.api(s), p.number),
		"html_url":  fmt.Sprintf("%s/pull/%d#issuecomment-%d", in.html(), p.number, c.id),
	}
}

// createComment writes below a pull request, which is an issue to this endpoint. There are no other issues here.
// https://docs.github.com/en/rest/issues/comments#create-an-issue-comment
func createComment(s *Server, r *request) answer {
	p := r.pullOf()
	if p == nil {
		return r.notFound()
	}
	var asked struct {
		Body *string `json:"body"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if bad, ok := r.supplied("body", asked.Body != nil); !ok {
		return bad
	}
	switch {
	case strings.TrimSpace(*asked.Body) == "":
		return r.invalid(custom("IssueComment", "Body cannot be blank"))
	case len([]rune(*asked.Body)) > 65536:
		return r.invalid(custom("IssueComment", "Body is too long (maximum is 65536 characters)"))
	}
	c := s.comment(p, s.actor(r.who), *asked.Body)
	a := answer{status: http.StatusCreated, body: c.json(s, r.repository, p)}
	a.set("Location", fmt.Sprintf("%s/issues/comments/%d", r.repository.api(s), c.id))
	return a
}

func listComments(s *Server, r *request) answer {
	p := r.pullOf()
	if p == nil {
		return r.notFound()
	}
	since := time.Time{}
	if text := r.URL.Query().Get("since"); text != "" {
		since, _ = time.Parse(time.RFC3339, text)
	}
	var list []map[string]any
	for _, c := range p.comments {
		if !c.at.Before(since) {
			list = append(list, c.json(s, r.repository, p))
		}
	}
	return page(s, r, r.repository.numeric(fmt.Sprintf("issues/%d/comments", p.number)), list)
}
