package githubtest

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const docRates = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"

// anonymousLimit is what GitHub gives an address without credentials; only a fault gets that far here.
const anonymousLimit = 60

// window is one caller's hour: GitHub counts from the first call and starts afresh when the hour is over.
type window struct {
	used  int
	reset time.Time
}

// rate is what a caller is told of its window. The zero value is a caller that has none.
type rate struct {
	limit, used int
	reset       time.Time
	resource    string
}

func (r rate) remaining() int { return max(r.limit-r.used, 0) }

func (r rate) set(h http.Header) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(r.limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(r.remaining()))
	h.Set("X-RateLimit-Used", strconv.Itoa(r.used))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(r.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", cmp.Or(r.resource, "core"))
}

func (r rate) json() map[string]any {
	return map[string]any{"limit": r.limit, "used": r.used, "remaining": r.remaining(), "reset": r.reset.Unix(), "resource": cmp.Or(r.resource, "core")}
}

// rate is the caller's window as it stands; none for a caller without credentials. The caller holds mu.
func (s *Server) rate(who caller) rate {
	w := s.window(who)
	if w == nil {
		return rate{}
	}
	r := rate{limit: s.options.RateLimit, used: w.used, reset: w.reset}
	if who.graph {
		r.resource = "graphql"
	}
	return r
}

func (s *Server) window(who caller) *window {
	key := who.key()
	if key == "" {
		return nil
	}
	now := s.options.Now()
	w := s.windows[key]
	if w == nil || !now.Before(w.reset) {
		w = &window{reset: now.Add(time.Hour).Truncate(time.Second)}
		s.windows[key] = w
	}
	return w
}

// spend counts one call and reports whether the caller had it to spend. The caller holds mu.
func (s *Server) spend(who caller) bool {
	w := s.window(who)
	if w.used >= s.options.RateLimit {
		return false
	}
	w.used++
	return true
}

// refund takes back a call that GitHub doesn't count: a 304.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
func (s *Server) refund(who caller) {
	if w := s.window(who); w.used > 0 {
		w.used--
	}
}

// exceeded is a 403 in the REST API and a 200 in GraphQL.
func exceeded(who caller) answer {
	subject := "this address"
	switch {
	case who.user != nil:
		subject = fmt.Sprintf("user ID %d", who.user.id)
	case who.installed:
		subject = fmt.Sprintf("installation ID %d", who.app.InstallationID)
	case who.app != nil:
		subject = fmt.Sprintf("app ID %d", who.app.ID)
	}
	if who.graph {
		return graphErrors(&graphError{kind: "RATE_LIMITED", message: "API rate limit exceeded for " + subject + "."})
	}
	return refuse(http.StatusForbidden, "API rate limit exceeded for "+subject+
		". If you reach out to GitHub Support for help, please include the request ID.", docRates)
}

func getRateLimit(s *Server, r *request) answer {
	core, graph := s.rate(r.who).json(), r.who
	graph.graph = true
	return answer{status: http.StatusOK, body: map[string]any{
		"resources": map[string]any{"core": core, "graphql": s.rate(graph).json()},
		"rate":      core,
	}}
}
