package chat_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/bot/team"
)

// A token of another workspace than the database's is told before anything else can
// go wrong there.
func TestATokenOfAnotherWorkspaceThanTheDatabasesIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	s, err := store.Open(t.Context(), "sqlite:"+storetest.File(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	open := func(id string, channel bool) string {
		t.Helper()
		w := slacktest.New(slacktest.Options{TeamID: id})
		defer w.Close()
		if channel {
			w.AddChannel(slacktest.Channel{ID: "C0HOME001", Name: "home", Members: []string{w.BotUserID}})
		}
		var log bytes.Buffer
		out := slog.New(slog.NewTextHandler(io.Writer(&log), nil))
		c := chat.New(&bot.Desk{Store: s, Team: &team.Team{}, Log: out}, chat.Settings{
			AppToken: w.AppToken, BotToken: w.BotToken, APIURL: strings.TrimSuffix(w.URL(), "/") + "/", LogChannel: "home",
		}, out)
		if err := c.Wire(t.Context()); (err == nil) != channel {
			t.Fatal(err)
		}
		return log.String()
	}
	if said := open("T0FIRST01", true); strings.Contains(said, "WARN") {
		t.Errorf("at the first start it says %s", said)
	}
	if said := open("T0FIRST01", true); strings.Contains(said, "WARN") {
		t.Errorf("at the second start it says %s", said)
	}
	if err := s.AddLink(t.Context(), store.Link{Workspace: "T0FIRST01", User: "U1", GitHub: 7, Login: "ada", At: time.Now(), How: team.HowDevice}, request.Change{}); err != nil {
		t.Fatal(err)
	}
	for _, channel := range []bool{false, true} {
		if said := open("T0OTHER01", channel); !strings.Contains(said, "level=WARN") || !strings.Contains(said, "SLACK_BOT_TOKEN is of the Slack workspace T0OTHER01 (") || !strings.Contains(said, "are of T0FIRST01 too") {
			t.Errorf("with the channel %v it says %s", channel, said)
		}
	}
}
