package main_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// soon is how long the program may take to find out that it can't start.
const soon = 15 * time.Second

// clear wants a process that ended with a fault to have said so in few lines,
// with all of these words.
func clear(t *testing.T, p *processtest.Process, lines int, words ...string) {
	t.Helper()
	if code := p.Exit(soon); code == 0 {
		t.Error("the exit status is 0")
	}
	said := p.Err.String()
	if n := strings.Count(said, "\n"); n > lines || !strings.HasPrefix(said, "rootbot: ") {
		t.Errorf("it said, in %d lines:\n%s", n, said)
	}
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("it doesn't say %q:\n%s", word, said)
		}
	}
}

func TestASecondBotOnTheSameDatabaseSaysSoAndLeaves(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	clear(t, processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "serve"), 1, "rootbot.db", "in use by another rootbot")
	// Nor does the command line get in beside it.
	clear(t, processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "run", "scim-sync"), 1, "rootbot.db", "in use by another rootbot")
	s.types(s.Member, s.Log, s.Joiner)
	s.ended(0)
	s.whole()
}

func TestAFaultAtTheStartIsOneClearLine(t *testing.T) {
	t.Parallel()
	w := worldtest.New(small)
	t.Cleanup(w.Close)
	w.Slack.AddChannel(slacktest.Channel{ID: "C0BYGONE", Name: "bygone", Archived: true, Members: []string{w.Slack.BotUserID, w.Member.ID}})
	w.Slack.AddChannel(slacktest.Channel{ID: "G0SECRET1", Name: "secret", Private: true, Members: []string{w.Member.ID}})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	w.GitHub.AddToken("ghp_magpie", "magpie")

	for _, c := range []struct {
		name    string
		env     map[string]string
		channel string // in place of the log channel
		words   []string
	}{
		{"no app token", map[string]string{"SLACK_APP_TOKEN": ""}, "", []string{"SLACK_APP_TOKEN is not set", "xapp-"}},
		{"no bot token", map[string]string{"SLACK_BOT_TOKEN": ""}, "", []string{"SLACK_BOT_TOKEN is not set", "xoxb-"}},
		{"the tokens in each other's place", map[string]string{"SLACK_APP_TOKEN": slacktest.DefaultBotToken, "SLACK_BOT_TOKEN": slacktest.DefaultAppToken}, "", []string{"SLACK_APP_TOKEN", "SLACK_BOT_TOKEN"}},
		{"a user's token", map[string]string{"SLACK_BOT_TOKEN": "xoxp-1234567890-secret"}, "", []string{"SLACK_BOT_TOKEN is not a bot token", "xoxb-"}},
		{"a bot token that Slack refuses", map[string]string{"SLACK_BOT_TOKEN": "xoxb-1234567890-wrong"}, "", []string{"invalid_auth", "SLACK_BOT_TOKEN"}},
		{"an app token that Slack refuses", map[string]string{"SLACK_APP_TOKEN": "xapp-1-A0ROOTBOT-wrong"}, "", []string{"invalid_auth", "SLACK_APP_TOKEN"}},
		{"nobody at Slack's address", map[string]string{"SLACK_API_URL": "http://" + nobody.Addr().String() + "/api/"}, "", []string{"Slack", nobody.Addr().String()}},
		{"no channel", nil, "no-such-channel", []string{"slack.log_channel", "no-such-channel", "/invite"}},
		{"a channel's ID that isn't there", nil, "C0NOSUCHCHANNEL", []string{"slack.log_channel", "C0NOSUCHCHANNEL", "/invite"}},
		{"a private channel that the bot can't see", nil, "secret", []string{"slack.log_channel", "secret", "/invite"}},
		{"an archived channel", nil, "bygone", []string{"slack.log_channel", "bygone", "archived"}},
		{"an archived channel by its ID", nil, "C0BYGONE", []string{"slack.log_channel", "archived"}},
		{"a channel that the bot isn't in", nil, "general", []string{"slack.log_channel", "general", "/invite @rootbot"}},
		{"a channel that the bot isn't in by its ID", nil, "C0GENERAL", []string{"slack.log_channel", "C0GENERAL", "/invite @rootbot"}},
		{"an address for health checks that is taken", map[string]string{"ROOTBOT_LISTEN": taken.Addr().String()}, "", []string{"ROOTBOT_LISTEN", "address already in use"}},
		{"no credentials for GitHub", map[string]string{"GITHUB_TOKEN": ""}, "", []string{"GITHUB_APP_ID", "GITHUB_TOKEN"}},
		{"half of a GitHub App", map[string]string{"GITHUB_APP_ID": "1"}, "", []string{"GITHUB_APP_INSTALLATION_ID", "GITHUB_APP_PRIVATE_KEY"}},
		{"a GitHub App's key that is none", map[string]string{"GITHUB_APP_ID": "1", "GITHUB_APP_INSTALLATION_ID": "2", "GITHUB_APP_PRIVATE_KEY": "s3cret"}, "", []string{"GITHUB_APP_PRIVATE_KEY"}},
		{"a database in a folder that isn't there", map[string]string{"DATABASE_URL": "sqlite:no/such/folder.db"}, "", []string{"no/such/folder.db"}},
		{"a database of a kind that isn't served", map[string]string{"DATABASE_URL": "mysql://rootbot:hunter2@db/rootbot"}, "", []string{"DATABASE_URL", "sqlite:"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &scene{T: t, World: w, dir: t.TempDir(), env: w.Env()}
			s.env["DATABASE_URL"] = "sqlite:" + filepath.Join(s.dir, "rootbot.db")
			s.env["ROOTBOT_LISTEN"] = "127.0.0.1:0"
			for name, value := range c.env {
				s.env[name] = value
			}
			settings := s.Config()
			if c.channel != "" {
				settings = strings.Replace(settings, "log_channel: "+s.Log.Name, "log_channel: "+c.channel, 1)
			}
			s.settings(settings)
			p := processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "serve")
			switch c.name {
			case "an app token that Slack refuses":
				// By then it has written to its log that it serves.
				if code := p.Exit(soon); code == 0 {
					t.Error("the exit status is 0")
				}
				lines := strings.Split(strings.TrimSpace(p.Err.String()), "\n")
				for _, word := range c.words {
					if last := lines[len(lines)-1]; !strings.HasPrefix(last, "rootbot: ") || !strings.Contains(last, word) {
						t.Errorf("the last line doesn't say %q:\n%s", word, p.Err.String())
					}
				}
			default:
				clear(t, p, 2, c.words...)
			}
			for _, bad := range []string{"hunter2", "s3cret"} {
				if strings.Contains(p.Err.String(), bad) {
					t.Errorf("it shows a secret:\n%s", p.Err.String())
				}
			}
		})
	}
}
