package chat_test

import (
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		change  func(*office, *chat.Settings)
		options slacktest.Options
		says    []string
	}{
		{name: "a channel by its name", says: nil},
		{name: "a channel by its name with #", change: func(_ *office, s *chat.Settings) { s.LogChannel = "#aws-root-account" }},
		{name: "a channel by its ID", change: func(_ *office, s *chat.Settings) { s.LogChannel = "C0HOME001" }},
		{name: "a private channel", change: func(o *office, s *chat.Settings) {
			o.AddChannel(slacktest.Channel{Name: "secret", Private: true, Members: []string{o.BotUserID}})
			s.LogChannel = "secret"
		}},
		{name: "a channel that isn't there", change: func(_ *office, s *chat.Settings) { s.LogChannel = "nowhere" }, says: []string{"slack.log_channel", "nowhere", "/invite"}},
		{name: "an ID that isn't there", change: func(_ *office, s *chat.Settings) { s.LogChannel = "C0NOWHERE" }, says: []string{"slack.log_channel", "C0NOWHERE"}},
		{name: "a channel without the bot", change: func(_ *office, s *chat.Settings) { s.LogChannel = "general" }, says: []string{"not in the channel general", "/invite @rootbot"}},
		{name: "an archived channel", change: func(o *office, s *chat.Settings) {
			o.AddChannel(slacktest.Channel{Name: "attic", Archived: true, Members: []string{o.BotUserID}})
			s.LogChannel = "attic"
		}, says: []string{"attic", "archived"}},
		{name: "a bad token", change: func(_ *office, s *chat.Settings) { s.BotToken = "xoxb-wrong" }, says: []string{"invalid_auth", "SLACK_BOT_TOKEN"}},
		{name: "the app token as the bot's", change: func(_ *office, s *chat.Settings) { s.BotToken = s.AppToken }, says: []string{"SLACK_BOT_TOKEN"}},
		{name: "a token that was revoked", change: func(o *office, _ *chat.Settings) { o.Fail("auth.test", slacktest.Fault{Error: "token_revoked"}) }, says: []string{"revoked", "SLACK_BOT_TOKEN"}},
		{name: "an app without a scope", options: slacktest.Options{Scopes: []string{"chat:write"}}, says: []string{"scope", "channels:read", "SLACK_BOT_TOKEN"}},
		{name: "a Slack that is in trouble for a moment", change: func(o *office, _ *chat.Settings) { o.Fail("auth.test", slacktest.Fault{Status: 503}) }},
		{name: "a Slack that isn't there", change: func(_ *office, s *chat.Settings) { s.APIURL = "http://127.0.0.1:1/" }, says: []string{"127.0.0.1:1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := build(t, test.options)
			settings := o.settings()
			if test.change != nil {
				test.change(o, &settings)
			}
			s, err := store.Open(t.Context(), o.address, quiet)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = face(s, settings).Wire(t.Context())
			if (err == nil) != (test.says == nil) {
				t.Fatalf("Open: %v", err)
			}
			for _, words := range test.says {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("the error doesn't say %q: %v", words, err)
				}
			}
			if err != nil && (strings.Contains(err.Error(), "xoxb-") || strings.Contains(err.Error(), "xapp-")) {
				t.Errorf("the error shows a token: %v", err)
			}
		})
	}
}
