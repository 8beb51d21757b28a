package chat_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// face is a chat that only knows what its operations are called.
func face(s *store.Store, settings chat.Settings) *chat.Chat {
	return chat.New(&bot.Desk{
		Store: s, Log: quiet, Team: &team.Team{}, Operations: []ops.Operation{tidy(work), new(crew).letGo()},
	}, settings, quiet)
}

func TestListenEndsWhenNoWaitingMends(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code, says string
	}{
		{"invalid_auth", "doesn't accept the token"},
		{"not_authed", "got no token"},
		{"account_inactive", "deleted"},
		{"token_revoked", "revoked"},
		{"token_expired", "expired"},
		{"not_allowed_token_type", "wrong type"},
		{"missing_scope", "lacks a scope"},
		{"link_disabled", "switched off"},
		{"team_access_not_granted", "doesn't belong"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			o := build(t, slacktest.Options{})
			s, err := store.Open(t.Context(), o.address, quiet)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			for range 50 {
				o.Fail("apps.connections.open", slacktest.Fault{Error: test.code})
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			err = face(s, o.settings()).Listen(ctx)
			if ctx.Err() != nil {
				t.Fatalf("it still listened after 3 s (%v)", err)
			}
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "SLACK_APP_TOKEN") || strings.Contains(err.Error(), "xapp-") {
				t.Errorf("the error is %v", err)
			}
		})
	}
	t.Run("revoked while it listens", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		for range 50 {
			o.Fail("apps.connections.open", slacktest.Fault{Error: "token_revoked"})
		}
		o.Disconnect(slacktest.RefreshRequested)
		select {
		case err := <-o.listened:
			if err == nil || !strings.Contains(err.Error(), "revoked") {
				t.Errorf("the error is %v", err)
			}
		case <-time.After(5 * time.Second):
			t.Error("it still listens")
		}
	})
	t.Run("the end of its context is no fault", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		o.leave()
		select {
		case err := <-o.listened:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(5 * time.Second):
			t.Error("it still listens")
		}
		if n := o.chat.Connections(); n != 0 {
			t.Errorf("%d connections stand", n)
		}
	})
}

func TestConnectionsComeAndGo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		gone int // connections that end
		fate func(*office, *slacktest.Connection)
	}{
		{"one is told to refresh", 1, func(_ *office, c *slacktest.Connection) { c.Disconnect(slacktest.RefreshRequested) }},
		{"one is warned", 1, func(_ *office, c *slacktest.Connection) { c.Disconnect(slacktest.Warning) }},
		{"one is closed", 1, func(_ *office, c *slacktest.Connection) { c.Close() }},
		{"one is reset", 1, func(_ *office, c *slacktest.Connection) { c.Reset() }},
		{"all are told to refresh", 2, func(o *office, _ *slacktest.Connection) { o.Disconnect(slacktest.RefreshRequested) }},
		{"Slack is in trouble meanwhile", 1, func(o *office, c *slacktest.Connection) {
			o.Fail("apps.connections.open", slacktest.Fault{Status: 503}, slacktest.Fault{Cut: true}, slacktest.Fault{Error: "internal_error"})
			c.Reset()
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := start(t, tidy(work))
			before := o.Connections()
			test.fate(o, before[0])
			gone := before[:test.gone]
			o.wait("connected twice", func() bool {
				there := o.Connections()
				return len(there) == 2 && o.chat.Connections() == 2 &&
					!slices.ContainsFunc(gone, func(c *slacktest.Connection) bool { return slices.Contains(there, c) })
			})
			for range 4 {
				if said := o.types(o.ada, o.home, "help"); said == "" {
					t.Error("no help came")
				}
			}
			o.types(o.ada, o.home, "")
			o.card("Done")
			o.fine()
		})
	}
}

func TestWhatWasTakenIsFinished(t *testing.T) {
	t.Parallel()
	checking, goOn := make(chan bool), make(chan bool)
	operation := tidy(work)
	operation.Form = []ops.Field{{Name: "people", Label: "GitHub logins", List: true, Optional: true, Check: func(string) error {
		close(checking)
		<-goOn
		return nil
	}}}
	o := start(t, operation)
	acked := make(chan error, 1)
	go func() {
		_, err := o.Command(context.Background(), o.ada.ID, o.home.ID, "/tidy-up", "octocat")
		acked <- err
	}()
	<-checking
	left := make(chan bool)
	go func() { o.leave(); close(left) }()
	close(goOn)
	<-left
	<-acked
	o.begin(tidy(work))
	list := o.requests()
	if len(list) != 1 {
		t.Fatalf("%d requests are stored, want the one that was taken", len(list))
	}
	o.card("Done")
}
