package removeuser_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// errStop ends a run of a test that waits for people.
var errStop = errors.New("seen enough")

// GitHub says now and then that what it has just made isn't there, or is too new.
func TestWhatGitHubSaysOfWhatItHasJustMade(t *testing.T) {
	t.Parallel()
	const (
		noObject   = `{"message":"Object does not exist","documentation_url":"https://docs.github.com/rest/git/refs#create-a-reference"}`
		noHead     = `{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"head","code":"invalid"}]}`
		tooQuick   = `{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"was submitted too quickly"}]}`
		noBase     = `{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"base","code":"invalid"}]}`
		toRefs     = "POST /repos/*/*/git/refs"
		toPulls    = "POST /repos/*/*/pulls"
		mostTimes  = 10
		everything = 0
	)
	for _, test := range []struct {
		name, at, body string
		times          int
		fails          string // empty: it passes
	}{
		{"the commit isn't there for a while", toRefs, noObject, 2, ""},
		{"the branch isn't there for a while", toPulls, noHead, 2, ""},
		{"the branch is too new", toPulls, tooQuick, 1, ""},
		{"the branch is never there", toPulls, noHead, everything, "GitHub went on saying so"},
		{"the base is gone", toPulls, noBase, everything, "PullRequest base invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, terraformMode)
			walk := w.walk()
			w.until(walk, "propose")
			w.github.Fail(test.at, githubtest.Fault{Status: 422, Body: test.body, Times: test.times})
			waits := 0
			walk.Waiting = func(context.Context) error {
				if waits++; waits > 2*mostTimes || len(w.github.Pulls(repo)) > 0 {
					return errStop
				}
				return nil
			}
			err := walk.Run(t.Context())
			switch {
			case test.fails == "" && (len(w.github.Pulls(repo)) != 1 || !errors.Is(err, errStop)):
				t.Errorf("%d pull requests after %d waits: %v", len(w.github.Pulls(repo)), waits, err)
			case test.fails != "" && (err == nil || !strings.Contains(ops.Words(err, request), test.fails) || waits > mostTimes):
				t.Errorf("after %d waits: %v", waits, err)
			}
		})
	}
}
