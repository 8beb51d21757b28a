package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// said asks /readyz until it says something.
func (s *scene) said(what string, status int) {
	s.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		got, body := s.bot.Get("readyz")
		if strings.Contains(body, what) && got == status {
			return
		}
		if time.Since(begun) > patience {
			s.Fatalf("/readyz answers %d, without %q:\n%s", got, what, body)
		}
	}
}

func TestReadyzSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.said("database: ready\nslack: ready, connections: 2\ngithub: ready\naws: no role was assumed yet\nready\n", http.StatusOK)

	there, away := filepath.Join(s.dir, "rootbot.db"), filepath.Join(s.dir, "away.db")
	if err := os.Rename(there, away); err != nil {
		t.Fatal(err)
	}
	s.said("database: not ready: the database file is gone", http.StatusServiceUnavailable)
	if said := s.types(s.Member, s.Log, "").Message; said == nil || !strings.Contains(said.PlainText(), "can't write to its database") {
		t.Errorf("whoever asks is told %v", said)
	}
	if err := os.Rename(away, there); err != nil {
		t.Fatal(err)
	}
	s.said("database: ready", http.StatusOK)

	s.types(s.Member, s.Log, "")
	s.ended(0)
	s.said("aws: a role was assumed last at ", http.StatusOK)

	for _, c := range s.Slack.Connections() {
		s.Slack.Fail("apps.connections.open", slacktest.Fault{RetryAfter: 3 * time.Second})
		c.Reset()
	}
	s.said("slack: not ready: no connection to Slack", http.StatusServiceUnavailable)
	s.said("slack: ready, connections: 2", http.StatusOK)
}

func TestReadyzSaysThatGitHubDoesntAnswer(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.GitHub.Fail("", githubtest.Fault{Status: http.StatusInternalServerError})
	s.said("github: not ready: ", http.StatusServiceUnavailable)
	s.GitHub.ClearFaults()
	s.said("github: ready", http.StatusOK)
}
