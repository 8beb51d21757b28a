package githubaccess

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
)

// Transient tells whether the trouble that made a call of GitHub fail may pass by
// itself. It is the one place that decides so: answers of 5xx, 408 and 429, both of
// GitHub's rate limits, calls without a whole answer, and what Unsettled tells of are transient; a certificate
// that the bot doesn't trust, and a caller that gave up, aren't.
func Transient(err error) bool {
	if err == nil || ops.Halted(err) || errors.Is(err, context.Canceled) {
		return false
	}
	_, primary := errors.AsType[*github.RateLimitError](err)
	_, secondary := errors.AsType[*github.AbuseRateLimitError](err)
	if primary || secondary {
		return true
	}
	if answer, ok := errors.AsType[*github.ErrorResponse](err); ok && answer.Response != nil {
		return mayPass(answer.Response) || Unsettled(err) || answer.Response.StatusCode == http.StatusForbidden && isSecondary(answer.Message)
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !untrusted
}

// Unsettled tells whether GitHub refused to use a commit or a branch as if there were
// none, or as too new: it says so now and then of what it has just made. It says the
// first of what isn't there, too, so who tries again should stop at some point.
// https://github.com/nix-community/nixpkgs-update/issues/363
// https://github.com/derberg/manage-files-in-multiple-repositories/pull/4
// https://github.com/whatwg/spec-factory/issues/55
func Unsettled(err error) bool {
	answer, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok || Status(err) != http.StatusUnprocessableEntity || answer.Response.Request == nil || answer.Response.Request.Method == http.MethodGet {
		return false
	}
	if path := answer.Response.Request.URL.Path; strings.Contains(path, "/git/refs") || strings.HasSuffix(path, "/git/commits") {
		return strings.Contains(answer.Message, "Object does not exist") || strings.Contains(answer.Message, "Tree SHA does not exist")
	}
	return strings.Contains(answer.Message, tooQuickly) || slices.ContainsFunc(answer.Errors, func(e github.Error) bool {
		return strings.Contains(e.Message, tooQuickly) || e.Resource == "PullRequest" && e.Field == "head" && e.Code == "invalid"
	})
}

const tooQuickly = "submitted too quickly"

// mayPass tells of an answer whether the same call may be answered otherwise later.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func mayPass(r *http.Response) bool {
	switch status := r.StatusCode; {
	case status >= http.StatusInternalServerError, status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return true
	case status == http.StatusForbidden:
		return r.Header.Get("Retry-After") != "" || r.Header.Get("X-RateLimit-Remaining") == "0"
	}
	return false
}

// isSecondary tells of a 403 by its message: GitHub leaves Retry-After out at times.
func isSecondary(message string) bool { return strings.Contains(message, "secondary rate limit") }

const (
	// tries is how often a read is tried in all, and patientTries where its caller is
	// patient: the pauses between them grow from a fifth of a second to some seconds.
	tries        = 3
	patientTries = 4
	// wait is how long a read waits in all where its caller isn't patient.
	wait = 5 * time.Second
)

type (
	readKey     struct{}
	patienceKey struct{}
)

// Reading marks a call that changes nothing although its method is POST, as GraphQL's
// queries are: it is tried again like any other read.
func Reading(ctx context.Context) context.Context { return context.WithValue(ctx, readKey{}, true) }

// Patiently has each read with ctx wait for up to so long where GitHub is in trouble or
// asks the bot to wait. It is for long looks that nobody waits for at a screen.
func Patiently(ctx context.Context, most time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, most)
}

// retrying tries reads again whose trouble may pass. It waits as long as GitHub asks, or
// else a little longer each time. Writes are tried once: what became of one whose answer
// was lost, only its caller can look up.
type retrying struct {
	next  http.RoundTripper
	quota quota
	seen  seen
}

func (t *retrying) RoundTrip(r *http.Request) (*http.Response, error) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Context().Value(readKey{}) != nil && (r.Body == nil || r.GetBody != nil)
	most, patient := r.Context().Value(patienceKey{}).(time.Duration)
	left, end := tries, time.Now().Add(wait)
	if patient {
		left, end = patientTries, time.Now().Add(most)
	}
	if reads {
		if err := t.quota.spare(r, end); err != nil {
			return nil, err
		}
	}
	for pause := 200 * time.Millisecond; ; pause = min(4*pause, 5*time.Second) {
		response, err := t.once(r)
		if left--; !reads || left <= 0 || r.Context().Err() != nil || !again(response, err) {
			return response, err
		}
		next := time.Now().Add(max(pause, asked(response)))
		if patient && slowedDown(response) && asked(response) == 0 {
			next = time.Now().Add(unsaidWait)
		}
		if deadline, ok := r.Context().Deadline(); next.After(end) || ok && next.After(deadline) {
			return response, err
		}
		if sleep(r.Context(), time.Until(next)) != nil {
			return response, err
		}
		if r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return response, err
			}
			r = r.Clone(r.Context())
			r.Body = body
		}
	}
}

// again tells whether a read is worth another try.
func again(response *http.Response, err error) bool {
	if response == nil {
		return Transient(err)
	}
	if mayPass(response) || slowedDown(response) {
		return true
	}
	body, _ := response.Body.(*answer)
	return body != nil && !body.whole
}

// asked is how long GitHub asks to wait; 0: it doesn't say.
func asked(r *http.Response) time.Duration {
	if r == nil {
		return 0
	}
	if after := r.Header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.Atoi(after); err == nil {
			return time.Duration(seconds) * time.Second
		}
		if at, err := http.ParseTime(after); err == nil {
			return time.Until(at)
		}
	}
	if reset, err := strconv.ParseInt(r.Header.Get("X-RateLimit-Reset"), 10, 64); err == nil && r.Header.Get("X-RateLimit-Remaining") == "0" {
		return time.Until(time.Unix(reset+1, 0))
	}
	return 0
}

// unsaidWait is how long GitHub wants callers to wait at its secondary limit where it names no time.
// A caller that isn't patient tries again at once, twice: members wait for its answer.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
const unsaidWait = time.Minute

// slowedDown tells of an answer at GitHub's secondary limit.
func slowedDown(r *http.Response) bool {
	if r == nil || r.StatusCode != http.StatusForbidden && r.StatusCode != http.StatusTooManyRequests {
		return false
	}
	body, _ := r.Body.(*answer)
	return body != nil && isSecondary(string(body.text))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// answer is a body that was read to its end.
type answer struct {
	*bytes.Reader
	text  []byte
	whole bool // it is what its Content-Type promises
}

func (*answer) Close() error { return nil }

// once makes one try, and reads its answer to the end: half an answer is no answer.
func (t *retrying) once(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), Patience)
	defer cancel()
	next := t.next
	if next == nil {
		next = http.DefaultTransport
	}
	r, had := t.seen.conditional(r)
	response, err := next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	t.quota.heard(response.Header)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read GitHub's answer to %s %s: %w", r.Method, r.URL.Path, err)
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	good := response.StatusCode < 300 && len(text) > 0
	// A page for browsers with status 200 is a proxy's.
	broken := good && (kind == "text/html" || kind == "application/json" && !json.Valid(text))
	response.Body = &answer{Reader: bytes.NewReader(text), text: text, whole: !broken}
	t.seen.resolve(r, had, response)
	if response.StatusCode < 300 && response.Header.Get("X-RateLimit-Remaining") == "0" {
		// go-github would refuse the next call itself, until the reset: that one is to wait.
		response.Header.Del("X-RateLimit-Reset")
	}
	return response, nil
}

// follow lets a redirect of GitHub's be followed that asks for the same of the same
// server; any other is an answer of its own. A repository or an organisation that was
// renamed redirects.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#follow-redirects
func follow(next *http.Request, before []*http.Request) error {
	if first := before[0]; len(before) > 3 || next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme || next.Method != first.Method {
		return http.ErrUseLastResponse
	}
	return nil
}
