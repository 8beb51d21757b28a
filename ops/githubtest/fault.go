package githubtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Fault is what goes wrong with the calls that Fail names. Exactly one of Status, RateLimited, Secondary and Hang decides
// the answer; with none of them the true answer is given, late (Delay) or not whole (Cut). The zero value changes nothing.
type Fault struct {
	// Status is answered instead of the truth; nothing is looked at, not even the token. With RateLimited and Secondary
	// it may be 429 instead of their 403, for both are real.
	Status int
	// Message is the "message" of the JSON error. Empty: what GitHub says with that status.
	Message string
	// Body is sent as it is instead of a JSON error: "<html>Unicorn!</html>". Empty: the JSON error. It needs Status.
	Body string
	// Times is how many calls it hits before it's used up. 0: all, until ClearFaults.
	Times int
	// Delay comes before the answer.
	Delay time.Duration
	// Cut drops the connection halfway through the answer, whose headers promise all of it: what was asked for has
	// happened, the client can't know. (A connection dropped before the first byte is no use here: Go's transport
	// silently asks again. Close the Server to have those.)
	Cut bool
	// Hang never answers: the call ends when the client leaves or the Server is closed.
	Hang bool
	// RateLimited answers that the caller's hourly limit is used up: 403, X-RateLimit-Remaining 0 and Reset.
	// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
	RateLimited bool
	// Reset is the X-RateLimit-Reset of RateLimited, in whole seconds. Zero: when the caller's hour ends by Options.Now.
	// go-github sends nothing more until that moment of the machine's clock: give one that has passed to let it go on.
	Reset time.Time
	// Secondary answers that a secondary limit (too many at once, too fast) is exceeded: 403 and Retry-After.
	// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
	Secondary bool
	// RetryAfter is the Retry-After of Secondary, rounded up to whole seconds. 0: the header is left out, as GitHub
	// sometimes does. Any Fault with a Status may have one too (a 503, say).
	RetryAfter time.Duration
}

type fault struct {
	Fault
	pattern pattern
	left    int
}

// Fail has the calls that match the pattern go wrong, from now on. A pattern is the beginning of a path, by whole
// segments and in any case, as in "/orgs/ministryofjustice/teams"; a segment may hold path.Match's wildcards
// ("/orgs/*/teams/*/memberships"), a method may stand before it ("POST /app"), a "$" at its end stands for the end of the
// path ("/orgs/*/teams$" is the list alone), and a query after it must be there ("/orgs/*/teams$?page=2"). The empty
// pattern is every call. Of several faults that match, the first given comes first, until it's used up: three faults with
// Times 1 are three calls' fate. It panics on a pattern or a Fault that can't be read.
//
// Below /graphql a used-up hourly limit is a 200 with the error RATE_LIMITED, as documented, unless Status says 403 or 429.
// Below /login/, where github.com answers itself, statuses from 500 on and limits (429 there) come as HTML and the others
// as {"error": Message}, form-encoded unless the call accepts JSON; it has no hourly limit, so RateLimited is Secondary.
//
// Links in the Link header are numeric, as GitHub's are ("/organizations/1001/teams?page=2"): a client that follows them
// verbatim asks under that path.
func (s *Server) Fail(pattern string, f Fault) {
	decides := 0
	for _, set := range []bool{f.Status != 0 && !f.RateLimited && !f.Secondary, f.RateLimited, f.Secondary, f.Hang} {
		if set {
			decides++
		}
	}
	switch {
	case decides > 1:
		panic(fmt.Sprintf("githubtest: Fail %q: only one of Status, RateLimited, Secondary and Hang can decide", pattern))
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		panic(fmt.Sprintf("githubtest: Fail %q: status %d isn't one", pattern, f.Status))
	case (f.Body != "" || f.Message != "") && (decides == 0 || f.Hang):
		panic(fmt.Sprintf("githubtest: Fail %q: a Body or Message needs a Status", pattern))
	case f.RetryAfter != 0 && (decides == 0 || f.Hang), !f.Reset.IsZero() && !f.RateLimited:
		panic(fmt.Sprintf("githubtest: Fail %q: RetryAfter needs a Status or Secondary, Reset needs RateLimited", pattern))
	case f.Times < 0:
		panic(fmt.Sprintf("githubtest: Fail %q: Times is %d", pattern, f.Times))
	}
	p := parsePattern(pattern)
	s.edit(func() { s.faults = append(s.faults, &fault{Fault: f, pattern: p, left: f.Times}) })
}

// ClearFaults ends every fault, but for the calls that it has already hit.
func (s *Server) ClearFaults() {
	s.edit(func() { s.faults = nil })
}

// SetDelay has every call answered that much later (a fault's Delay comes on top). 0: at once.
func (s *Server) SetDelay(d time.Duration) {
	s.edit(func() { s.delay = d })
}

// take finds the fault that this call meets, uses it up by one, and adds up the delay.
func (s *Server) take(c *Call) (Fault, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !f.pattern.matches(c) {
			continue
		}
		if f.Times > 0 {
			if f.left--; f.left == 0 {
				s.faults = slices.Delete(s.faults, i, i+1)
			}
		}
		return f.Fault, s.delay + f.Delay
	}
	return Fault{}, s.delay
}

// failure is the answer that a fault gives instead of the truth; false where it lets the truth be told.
func (s *Server) failure(f Fault, who caller) (answer, bool) {
	var a answer
	rate := s.rate(who)
	switch {
	case f.RateLimited:
		if rate.limit == 0 {
			rate.limit, rate.reset = anonymousLimit, s.options.Now().Add(time.Hour)
		}
		rate.used = rate.limit
		if !f.Reset.IsZero() {
			rate.reset = f.Reset
		}
		a = exceeded(who)
	case f.Secondary:
		a = refuse(http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
			"https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits")
	case f.Status != 0:
		a = refuse(f.Status, phrase(f.Status), docRoot)
	default:
		return answer{}, false
	}
	if f.RateLimited && f.Status != 0 {
		who.graph = false
		a = exceeded(who)
	}
	a.status = cmp.Or(f.Status, a.status)
	if f.Message != "" {
		a.message(f.Message)
	}
	a.header = http.Header{}
	if rate.limit > 0 {
		rate.set(a.header)
	}
	f.dress(&a)
	return a, true
}

// dress adds what a fault says of the answer's form.
func (f Fault) dress(a *answer) {
	if f.RetryAfter > 0 {
		a.set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if f.Body != "" {
		a.raw = []byte(f.Body)
		a.set("Content-Type", "application/json; charset=utf-8")
		if !json.Valid(a.raw) {
			a.set("Content-Type", "text/html; charset=utf-8")
		}
	}
}

// phrase is what GitHub says with a status when it has nothing better to say.
func phrase(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return badCredentials
	case http.StatusForbidden:
		return notByIntegration
	case http.StatusInternalServerError, http.StatusBadGateway:
		return "Server Error"
	case http.StatusServiceUnavailable:
		return "No server is currently available to service your request. Sorry about that. Please try resubmitting your request and contact us if the problem persists."
	case http.StatusGatewayTimeout:
		return "We couldn't respond to your request in time. Sorry about that. Please try resubmitting your request and contact us if the problem persists."
	case http.StatusUnprocessableEntity:
		return "Validation Failed"
	}
	return http.StatusText(status)
}
