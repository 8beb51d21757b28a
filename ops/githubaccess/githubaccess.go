// Package githubaccess makes GitHub clients and turns GitHub's errors into
// words. Operations and bot/team share it, so that a rate limit reads the same
// wherever it strikes.
package githubaccess

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
)

// Patience is how long one answer of GitHub may take.
const Patience = 15 * time.Second

// DefaultURL is GitHub's own API.
const DefaultURL = "https://api.github.com/"

// New returns a client of the API at address, which ends in a slash and is
// used as it is. transport adds the credentials; see Token and App.
func New(address string, transport http.RoundTripper) (*github.Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || !strings.HasSuffix(base.Path, "/") {
		return nil, fmt.Errorf("GitHub's address %q must be a URL that ends in a slash", address)
	}
	client := github.NewClient(&http.Client{Transport: transport, Timeout: Patience})
	client.BaseURL = base
	client.UserAgent = "rootbot"
	return client, nil
}

// Token is a transport that sends a personal or installation token.
type Token struct {
	Value string
	Next  http.RoundTripper // nil: http.DefaultTransport
}

// RoundTrip sends the request with the token.
func (t Token) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+t.Value)
	next := t.Next
	if next == nil {
		next = http.DefaultTransport
	}
	return next.RoundTrip(r)
}

// NotFound tells whether GitHub answered 404: there is no such thing, or the
// token may not see it.
func NotFound(err error) bool {
	response, ok := errors.AsType[*github.ErrorResponse](err)
	return ok && response.Response != nil && response.Response.StatusCode == http.StatusNotFound
}

// Explain turns an error of a GitHub call into words for people. Nil stays nil.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*ops.Error](err); ok {
		return err
	}
	said := &ops.Error{Kind: ops.Unavailable, Err: err}
	response, answered := errors.AsType[*github.ErrorResponse](err)
	status := 0
	if answered && response.Response != nil {
		status = response.Response.StatusCode
	}
	if limit, ok := errors.AsType[*github.RateLimitError](err); ok {
		said.Passing = true
		said.What = "GitHub's rate limit for the bot is used up (403)."
		said.Next = "It resets at " + limit.Rate.Reset.UTC().Format("15:04:05") + " UTC; try again then."
		return said
	}
	if limit, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		said.Passing = true
		said.What = "GitHub asks the bot to slow down (secondary rate limit)."
		said.Next = "Try again in a few minutes."
		if limit.RetryAfter != nil {
			said.Next = fmt.Sprintf("Try again in %v.", limit.RetryAfter.Round(time.Second))
		}
		return said
	}
	switch timeout, _ := errors.AsType[net.Error](err); {
	case status == http.StatusUnauthorized:
		said.What = "GitHub doesn't accept the bot's credentials (401)."
		said.Next = "Whoever runs the bot must renew them."
	case status == http.StatusTooManyRequests:
		// go-github v62 knows only 403 as a rate limit.
		said.Passing = true
		said.What = "GitHub asks the bot to slow down (429)."
		said.Next = "Try again in a few minutes."
	case status == http.StatusForbidden:
		said.What = "GitHub refused the bot (403): " + strings.TrimSuffix(response.Message, ".") + "."
		said.Next = "The GitHub App or token needs read access to the organisation's members."
	case status != 0:
		said.What = fmt.Sprintf("GitHub answered %d to %s %s.", status, response.Response.Request.Method, response.Response.Request.URL.Path)
		if status >= 500 {
			said.Passing = true
			said.Next = "Try again; githubstatus.com tells whether GitHub is in trouble."
		}
	case errors.Is(err, context.DeadlineExceeded) || timeout != nil && timeout.Timeout():
		said.Passing = true
		said.What = "GitHub did not answer in time."
		said.Next = "Try again; githubstatus.com tells whether GitHub is in trouble."
	default:
		said.Passing = true
		said.What = "GitHub could not be reached."
		said.Next = "Try again; if it goes on, look at the bot's network."
	}
	return said
}
