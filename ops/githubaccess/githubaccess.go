// Package githubaccess makes GitHub clients and turns GitHub's errors into
// words. Operations and bot/team share it, so that a rate limit reads the same
// wherever it strikes.
package githubaccess

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"
)

// Patience is how long one answer of GitHub may take. A read is tried again.
const Patience = 15 * time.Second

// DefaultURL is GitHub's own API.
const DefaultURL = "https://api.github.com/"

// New returns a client of the API at address, which ends in a slash and is
// used as it is. transport adds the credentials; see Token and App. The client tries a
// read again whose trouble may pass, within seconds; see Patiently. It may use up the hour
// that GitHub gives the bot; see Sparing.
func New(address string, transport http.RoundTripper) (*github.Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Host == "" || !strings.HasSuffix(base.Path, "/") {
		return nil, fmt.Errorf("GitHub's address %q must be a URL that ends in a slash", address)
	}
	client := github.NewClient(&http.Client{Transport: &retrying{next: transport}, CheckRedirect: follow})
	client.BaseURL = base
	client.UserAgent = "rootbot"
	return client, nil
}

// login is all that GitHub has as one: letters, digits and hyphens, behind which "_" and
// a short code stand for the users of an enterprise. New logins follow narrower rules, and
// GitHub keeps older ones: those that end with a hyphen, or have two in a row. GitHub says
// whether there is such a user.
// https://docs.github.com/en/enterprise-cloud@latest/admin/managing-iam/iam-configuration-reference/username-considerations-for-external-authentication
var login = regexp.MustCompile(`^-?[A-Za-z0-9][A-Za-z0-9_-]*$`)

// IsLogin tells whether a text can be somebody's login on GitHub, and so may be a part of
// an address of the API.
func IsLogin(text string) bool { return len(text) <= 39 && login.MatchString(text) }

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
