package chat_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
)

// A response_url is a key to a person's conversation: no row of the database shows it,
// and only a process with the same SLACK_APP_TOKEN can use it, for that person.
func TestResponseURLsAreSealed(t *testing.T) {
	t.Parallel()
	const url = "https://hooks.slack.example/commands/T0BENCH/123/sesame"
	path := filepath.Join(t.TempDir(), "rootbot.db")
	b := newBenchOn(t, "sqlite:"+path, nil)
	typed := slack.SlashCommand{Command: "/sweep-up", TeamID: benchTeam, UserID: "U0ADA", ChannelID: benchPlace, TriggerID: "1.2.3", ResponseURL: url}
	if said := b.chat.Command(t.Context(), typed); said != nil {
		t.Fatalf("the ack says %v", said)
	}
	list, err := b.store.Recent(t.Context(), "sweep-up", 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("%d requests: %v", len(list), err)
	}
	id, ada := list[0].ID, list[0].Asker
	other := func(token string) *chat.Chat {
		return chat.New(b.desk, chat.Settings{AppToken: token, BotToken: "xoxb-1"}, quiet)
	}
	grace := ada
	grace.User = "U0GRACE"
	for _, test := range []struct {
		name string
		chat *chat.Chat
		who  request.Asker
		want string
	}{
		{"another process with the same token", other("xapp-1"), ada, url},
		{"a process with another token", other("xapp-2"), ada, ""},
		{"another person", other("xapp-1"), grace, ""},
	} {
		same(t, "what "+test.name+" has", test.want, test.chat.ReplyURL(t.Context(), test.who, id))
	}
	for _, file := range []string{path, path + "-wal"} {
		if text, err := os.ReadFile(file); err != nil || !bytes.Contains(text, []byte(id)) && file != path || bytes.Contains(text, []byte("sesame")) {
			t.Errorf("%s has the request %v, and shows the address %v: %v", file, bytes.Contains(text, []byte(id)), bytes.Contains(text, []byte("sesame")), err)
		}
	}
	if err := b.store.DropReply(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	same(t, "what is left of it", "", b.chat.ReplyURL(t.Context(), ada, id))
	if err := b.store.Close(); err != nil {
		t.Fatal(err)
	}
}
