package githubaccess_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// GitHub may end an installation token before the bot's clock does, or before its hour.
func TestATokenThatGitHubRefusesIsRenewedOnce(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		ended int    // how many of the first tokens GitHub refuses
		does  string // what it is asked
		fails bool
		asked int // of it
	}{
		{"a read", 1, "GET", false, 2},
		{"a change, whose body is sent again", 1, "POST", false, 2},
		{"a read with a new token that is refused as well", 9, "GET", true, 2},
		{"a read with a good token", 0, "GET", false, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			minted := 0
			var bodies []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				if strings.HasSuffix(r.URL.Path, "/access_tokens") {
					minted++
					w.WriteHeader(http.StatusCreated)
					fmt.Fprintf(w, `{"token":"t%d","expires_at":%q}`, minted, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
					return
				}
				body, _ := io.ReadAll(r.Body)
				bodies = append(bodies, string(body))
				var token int
				fmt.Sscanf(r.Header.Get("Authorization"), "Bearer t%d", &token)
				if token <= test.ended {
					w.WriteHeader(http.StatusUnauthorized)
					io.WriteString(w, `{"message":"Bad credentials"}`)
					return
				}
				io.WriteString(w, `{}`)
			}))
			defer server.Close()
			client, err := githubaccess.New(server.URL+"/", &githubaccess.App{ID: "1", Installation: 1, Key: key, Address: server.URL + "/"})
			if err != nil {
				t.Fatal(err)
			}
			if test.does == "GET" {
				_, _, err = client.Users.Get(t.Context(), "octocat")
			} else {
				_, _, err = client.Issues.CreateComment(t.Context(), "o", "r", 1, &github.IssueComment{Body: github.String("hello")})
			}
			if (err != nil) != test.fails || len(bodies) != test.asked || minted != test.asked {
				t.Errorf("%d tokens, asked with %q: %v", minted, bodies, err)
			}
			if len(slices.Compact(bodies)) != 1 || test.does == "POST" && !strings.Contains(bodies[0], "hello") {
				t.Errorf("asked with %q", bodies)
			}
		})
	}
}
