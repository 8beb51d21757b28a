package githubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// Call is one HTTP call that came in.
type Call struct {
	Method string
	// Path begins with a slash and is unescaped: "/orgs/ministryofjustice/teams".
	Path string
	// Query is the raw query, without the question mark. Empty: none.
	Query string
	// Status is what was answered. 0: still under way, or the client left before an answer.
	Status int
	// By is the login whose token it was (a user access token is the person's, not the App's), or "<slug>[bot]" for a
	// GitHub App (JSON web token or installation). Empty: no credentials, or bad ones.
	By string
	// At is when it came in, by Options.Now.
	At time.Time
}

// Calls lists every call, in the order in which they came in.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Call, len(s.calls))
	for i, c := range s.calls {
		list[i] = *c
	}
	return list
}

// CallsWith lists the calls that brought that token (any kind of token, a JSON web token too), in the order in which they
// came in: what a client did with what it was given, and whether it still used it later on.
func (s *Server) CallsWith(token string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Call{}
	for i, c := range s.calls {
		if s.bearers[i] == token {
			list = append(list, *c)
		}
	}
	return list
}

// Count is how many calls match the pattern, as Fail reads it: Count("GET /orgs/*/teams$"). Empty counts all. It panics
// on a pattern that can't be read.
func (s *Server) Count(pattern string) int {
	p := parsePattern(pattern)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if p.matches(c) {
			n++
		}
	}
	return n
}

// begin records a call that came in; false once the server is closed.
func (s *Server) begin(r *http.Request) (*Call, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	s.inflight.Add(1)
	c := &Call{Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, At: s.options.Now()}
	who, _ := s.authenticate(r)
	c.By = who.name()
	_, text := bearer(r)
	s.calls, s.bearers = append(s.calls, c), append(s.bearers, text)
	s.notify()
	return c, true
}

func (s *Server) end(c *Call, status int) {
	s.mu.Lock()
	c.Status = status
	s.notify()
	s.mu.Unlock()
	s.inflight.Done()
}

// pattern is what Fail and Count are given, read.
type pattern struct {
	method   string
	segments []string
	exact    bool
	query    url.Values
}

func parsePattern(text string) pattern {
	var p pattern
	rest := strings.TrimSpace(text)
	if method, after, found := strings.Cut(rest, " "); found {
		p.method, rest = method, strings.TrimSpace(after)
	}
	rest, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		panic(fmt.Sprintf("githubtest: pattern %q: %v", text, err))
	}
	p.query = values
	rest, p.exact = strings.CutSuffix(rest, "$")
	p.segments = segments(strings.ToLower(rest))
	for _, segment := range p.segments {
		if _, err := path.Match(segment, ""); err != nil {
			panic(fmt.Sprintf("githubtest: pattern %q: %v", text, err))
		}
	}
	return p
}

func (p pattern) matches(c *Call) bool {
	if p.method != "" && !strings.EqualFold(p.method, c.Method) {
		return false
	}
	got := segments(strings.ToLower(c.Path))
	if len(got) < len(p.segments) || p.exact && len(got) != len(p.segments) {
		return false
	}
	for i, segment := range p.segments {
		if ok, _ := path.Match(segment, got[i]); !ok {
			return false
		}
	}
	query, _ := url.ParseQuery(c.Query)
	for key, values := range p.query {
		for _, value := range values {
			if !slices.Contains(query[key], value) {
				return false
			}
		}
	}
	return true
}

// segments splits a path at its slashes; the root has none.
func segments(p string) []string {
	p = strings.Trim(p, "/")
	if p == "" {
		return nil
	}
	return strings.Split(p, "/")
}
