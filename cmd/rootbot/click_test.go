package main_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// answers is an address that private answers are sent to.
type answers struct {
	t   *testing.T
	url string
	got chan string
}

func listenForAnswers(t *testing.T) *answers {
	t.Helper()
	a := &answers{t: t, got: make(chan string, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a.got <- string(body)
	}))
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// next waits for an answer and wants it to be ephemeral.
func (a *answers) next() string {
	a.t.Helper()
	select {
	case said := <-a.got:
		if !strings.Contains(said, `"response_type":"ephemeral"`) || strings.Contains(said, `"replace_original":true`) {
			a.t.Errorf("the answer is for others too: %s", said)
		}
		return said
	case <-time.After(patience):
		a.t.Fatal("there was no private answer")
		return ""
	}
}

// forge sends a click on a button that no message has.
func (s *scene) forge(who slacktest.User, action, value string) slacktest.Ack {
	s.Helper()
	ack, _ := s.forgeIn(s.Slack.TeamID, who, action, value)
	return ack
}

func (s *scene) forgeIn(workspace string, who slacktest.User, action, value string) (slacktest.Ack, *answers) {
	s.Helper()
	a := listenForAnswers(s.T)
	ack, err := s.Slack.Send(s.Context(), "interactive", map[string]any{
		"type": "block_actions", "api_app_id": s.Slack.AppID, "response_url": a.url,
		"team": map[string]any{"id": workspace}, "channel": map[string]any{"id": s.Log.ID},
		"user":      map[string]any{"id": who.ID, "name": who.Name, "team_id": workspace},
		"container": map[string]any{"type": "message", "channel_id": s.Log.ID, "message_ts": "1.000000"},
		"actions":   []any{map[string]any{"type": "button", "action_id": action, "block_id": "retry", "value": value, "action_ts": "1.000000"}},
	})
	if err != nil {
		s.Fatalf("click: %v", err)
	}
	return ack, a
}

// button is the one button of a message.
func button(t *testing.T, m slacktest.Message) slacktest.Button {
	t.Helper()
	all := m.Buttons()
	if len(all) != 1 || all[0].ActionID != "retry" || all[0].Text != "Run again" {
		t.Fatalf("the buttons are %+v in\n%s", all, m.PlainText())
	}
	return all[0]
}

func TestOnlyAMemberRunsAFailedSyncAgain(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.Sync.Update(func(f *awstest.SyncFunction) { f.Faults = awstest.SyncFaults{BlindToNewUsers: true} })
	s.types(s.Member, s.Log, s.Joiner)
	failed := s.ended(0)
	value := button(t, failed).Value
	if text := failed.PlainText(); !strings.Contains(text, "Failed") || !strings.Contains(text, "attempted but not there") {
		t.Errorf("the result is\n%s", text)
	}
	if card := s.cards()[0].PlainText(); !strings.Contains(card, "*Failed*") {
		t.Errorf("the card reads\n%s", card)
	}
	calls := len(s.AWS.Calls())

	for _, who := range []slacktest.User{s.Outside, s.Unknown} {
		if _, err := s.Slack.Click(t.Context(), who.ID, s.Log.ID, failed.TS, "retry"); err != nil {
			t.Fatal(err)
		}
		if said := s.whispered(who, 0); !strings.Contains(said, worldtest.Team) || !strings.Contains(said, "Nothing was changed") {
			t.Errorf("%s was told %q", who.Name, said)
		}
	}
	_, abroad := s.forgeIn("T0ELSEWHERE", s.Member, "retry", value)
	if said := abroad.next(); !strings.Contains(said, worldtest.Team) {
		t.Errorf("a click from another workspace was answered with %s", said)
	}

	id, digest, _ := strings.Cut(value, ":")
	for name, edited := range map[string]string{
		"an edited digest":   id + ":" + strings.Repeat("0", len(digest)),
		"no digest":          id,
		"an unknown request": "0197f3a0-0000-7000-8000-000000000000:" + digest,
		"nothing":            "",
		"another language":   "' OR 1=1 --:" + digest,
	} {
		_, a := s.forgeIn(s.Slack.TeamID, s.Member, "retry", edited)
		if said := a.next(); !strings.Contains(said, "Nothing was changed") {
			t.Errorf("a button with %s was answered with %s", name, said)
		}
	}
	// What the bot has no button for does nothing and is acknowledged.
	s.forge(s.Member, "approve", value)
	if n := len(s.AWS.Calls()); n != calls {
		t.Errorf("AWS was called %d times by clicks that don't count", n-calls)
	}
	if n := len(s.cards()); n != 1 {
		t.Errorf("there are %d cards", n)
	}

	s.Sync.Update(func(f *awstest.SyncFunction) { f.Faults = awstest.SyncFaults{} })
	if _, err := s.Slack.Click(t.Context(), s.Second.ID, s.Log.ID, failed.TS, "retry"); err != nil {
		t.Fatal(err)
	}
	again := s.ended(1)
	if text := again.PlainText(); !strings.Contains(text, "*Done*") || !strings.Contains(text, s.Joiner+" added") || len(again.Buttons()) != 0 {
		t.Errorf("the second result is\n%s", text)
	}
	if card := s.cards()[1].PlainText(); !strings.Contains(card, "badger") || !strings.Contains(card, "again") || !strings.Contains(card, s.Joiner) {
		t.Errorf("the second card reads\n%s", card)
	}
	// The run that went well can't be run again by a forged button.
	db := s.bot
	db.Terminate()
	s.invoked(2)
	var second string
	for _, e := range s.events() {
		if e.By == "badger" {
			second = e.Request
		}
	}
	s.serve()
	_, a := s.forgeIn(s.Slack.TeamID, s.Member, "retry", second+":"+digest)
	if said := a.next(); !strings.Contains(said, "Nothing was changed") {
		t.Errorf("a forged button for a run that went well was answered with %s", said)
	}
	s.bot.Terminate()
	s.invoked(2)
	if n := len(s.cards()); n != 2 {
		t.Errorf("there are %d cards", n)
	}
	for _, e := range s.events() {
		if e.Kind == "refused" && e.By == "" {
			t.Errorf("a refusal names nobody: %+v", e)
		}
	}
}
