package githubaccess

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-github/v62/github"
)

// App is a transport that authenticates as the installation of a GitHub App: it
// signs a JWT with the App's key, changes it for an installation token, and
// renews that before its hour is over.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app
type App struct {
	ID           string
	Installation int64
	Key          *rsa.PrivateKey
	Address      string            // of the API, ending in a slash
	Next         http.RoundTripper // nil: http.DefaultTransport

	mu      sync.Mutex
	token   string
	expires time.Time
}

// RoundTrip sends the request with an installation token. GitHub goes by its own clock,
// and may end a token early: one that it refuses is dropped, and the request sent once
// more with a new one, for GitHub has done nothing with it.
func (a *App) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := a.fresh(r.Context())
	if err != nil {
		return nil, err
	}
	response, err := Token{Value: token, Next: a.Next}.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	a.drop(token)
	again := r.Clone(r.Context())
	switch {
	case r.Body == nil || r.Body == http.NoBody:
	case r.GetBody == nil:
		return response, nil
	default:
		if again.Body, err = r.GetBody(); err != nil {
			return response, nil
		}
	}
	response.Body.Close()
	if token, err = a.fresh(r.Context()); err != nil {
		return nil, err
	}
	return Token{Value: token, Next: a.Next}.RoundTrip(again)
}

// drop forgets a token, unless a newer one has taken its place.
func (a *App) drop(token string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token == token {
		a.token, a.expires = "", time.Time{}
	}
}

func (a *App) fresh(ctx context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Until(a.expires) > time.Minute {
		return a.token, nil
	}
	client, err := a.signed()
	if err != nil {
		return "", err
	}
	token, _, err := client.Apps.CreateInstallationToken(ctx, a.Installation, &github.InstallationTokenOptions{})
	if err != nil {
		return "", fmt.Errorf("get an installation token: %w", err)
	}
	a.token, a.expires = token.GetToken(), token.GetExpiresAt().Time
	return a.token, nil
}

// signed is a client that authenticates as the App itself.
func (a *App) signed() (*github.Client, error) {
	jwt, err := a.jwt(time.Now())
	if err != nil {
		return nil, err
	}
	return New(a.Address, Token{Value: jwt, Next: a.Next})
}

// jwt is RFC 7519 with RS256. It begins a minute ago, as GitHub advises for
// clocks that differ, and lasts less than the ten minutes that are allowed.
func (a *App) jwt(now time.Time) (string, error) {
	claims, err := json.Marshal(map[string]any{
		"iss": a.ID,
		"iat": now.Add(-time.Minute).Unix(),
		"exp": now.Add(8 * time.Minute).Unix(),
	})
	if err != nil {
		return "", fmt.Errorf("encode JWT: %w", err)
	}
	var text bytes.Buffer
	text.WriteString(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)))
	text.WriteByte('.')
	text.WriteString(base64.RawURLEncoding.EncodeToString(claims))
	sum := sha256.Sum256(text.Bytes())
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.Key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign JWT: %w", err)
	}
	return text.String() + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
