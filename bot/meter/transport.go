package meter

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"time"
)

// peekAtMost is how much of an answer is read to find out what it says. What
// Slack refuses is said in a few hundred bytes.
const peekAtMost = 64 << 10

// Transport counts the calls that go through next (nil: http.DefaultTransport) to
// slack, github or aws. method gives a call a name without anything variable:
// SlackMethod or GitHubRoute. A nil Meter adds nothing to next.
func Transport(m *Meter, to string, method func(*http.Request) string, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	if m == nil {
		return next
	}
	return &transport{m, to, method, next}
}

type transport struct {
	meter  *Meter
	to     string
	method func(*http.Request) string
	next   http.RoundTripper
}

// RoundTrip sends the request. The answer is given on as it came.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	method := t.method(r)
	began := time.Now()
	response, err := t.next.RoundTrip(r)
	took := time.Since(began)
	outcome := Cut
	if err == nil {
		outcome = outcomeOf(response)
		if t.to == "slack" && outcome == OK {
			outcome = said(response)
		}
	}
	t.meter.Called(t.to, method, outcome, took)
	return response, err
}

// CloseIdleConnections is what http.Client.CloseIdleConnections looks for.
func (t *transport) CloseIdleConnections() {
	if closer, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

func outcomeOf(r *http.Response) string {
	switch {
	case r.StatusCode == http.StatusTooManyRequests:
		return Limited
	case r.StatusCode == http.StatusForbidden && (r.Header.Get("Retry-After") != "" || r.Header.Get("X-RateLimit-Remaining") == "0"):
		// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
		return Limited
	case r.StatusCode >= 500:
		return Failed
	case r.StatusCode >= 400:
		return Refused
	}
	return OK
}

// said is the outcome of a call that Slack answered with 200: what it refuses, it
// says in the body. The body that is read here is put back, with the error that
// reading it ended in.
// https://docs.slack.dev/apis/web-api/#responses
func said(r *http.Response) string {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/json" || r.Body == nil {
		return OK
	}
	begin, err := io.ReadAll(io.LimitReader(r.Body, peekAtMost))
	rest := io.Reader(r.Body)
	if err != nil {
		rest = broken{err}
	}
	r.Body = body{io.MultiReader(bytes.NewReader(begin), rest), r.Body}
	if err != nil {
		return Cut
	}
	var answer struct{ OK *bool }
	if len(begin) == peekAtMost || json.Unmarshal(begin, &answer) != nil || answer.OK == nil || *answer.OK {
		return OK
	}
	return Refused
}

type body struct {
	io.Reader
	io.Closer
}

// broken is a reader of which reading ended in an error already.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
