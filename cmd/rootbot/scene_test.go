package main_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// small is a world in which a look is done in no time.
var small = worldtest.Options{Size: 24, Teams: 10}

// patience is how long what must come may take on a busy machine.
const patience = 40 * time.Second

// scene is a world and the bot in it, the process of which may come and go.
type scene struct {
	*testing.T
	*worldtest.World
	dir string
	env map[string]string
	bot *processtest.Process
}

// begin makes a world and a folder with the settings. The fakes must have
// nothing to complain of in the end.
func begin(t *testing.T, o worldtest.Options) *scene {
	t.Helper()
	o.Grid = slacktest.GridFor(t.Name())
	return beginIn(t, o)
}

// beginIn is begin in the kind of workspace that the options say.
func beginIn(t *testing.T, o worldtest.Options) *scene {
	t.Helper()
	s := &scene{T: t, World: worldtest.New(o), dir: t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			var b strings.Builder
			s.Slack.Transcript(&b)
			t.Logf("what was said:\n%s", b.String())
		}
		s.World.Close()
		for _, problem := range s.Problems() {
			t.Error(problem)
		}
	})
	s.settings(s.Config())
	s.env = s.Env()
	maps.Copy(s.env, map[string]string{"DATABASE_URL": "sqlite:rootbot.db", "ROOTBOT_LISTEN": "127.0.0.1:0"})
	return s
}

// settings writes the settings file, without the pauses that a real AWS needs.
func (s *scene) settings(text string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "rootbot.yaml"), []byte(hasty(text)), 0o600); err != nil {
		s.Fatal(err)
	}
}

func hasty(settings string) string {
	return settings + "    settle: 0s\n    calls_per_second: 0\n"
}

// serve starts the bot and returns when Slack has its connections.
func (s *scene) serve() {
	s.Helper()
	s.serveAs(processtest.Binary(s.T))
}

func (s *scene) serveAs(path string) {
	s.Helper()
	// Those of a process that was killed are noticed a moment later.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Slack.Wait(ctx, func() bool { return len(s.Slack.Connections()) == 0 }); err != nil {
		s.Fatalf("wait for the connections of an earlier process to end: %v", err)
	}
	s.bot = processtest.Launch(s.T, path, s.dir, s.env, "serve")
	s.until("the bot to connect", func() bool { return len(s.Slack.Connections()) >= 2 })
}

// until waits for something that Slack sees.
func (s *scene) until(what string, holds func() bool) {
	s.Helper()
	if err := s.bot.Within(patience, s.Slack.Wait, holds); err != nil {
		s.Fatalf("wait for %s: %v", what, err)
	}
}

// untilAWS waits for something that AWS sees.
func (s *scene) untilAWS(what string, holds func() bool) {
	s.Helper()
	if err := s.bot.Within(patience, s.AWS.Wait, holds); err != nil {
		s.Fatalf("wait for %s: %v", what, err)
	}
}

// types has somebody type /scim-sync and what stands behind it.
func (s *scene) types(who slacktest.User, where slacktest.Channel, words string) slacktest.Ack {
	s.Helper()
	ack, err := s.Slack.Command(s.Context(), who.ID, where.ID, "/scim-sync", words)
	if err != nil {
		s.Fatalf("%s types /scim-sync %s: %v", who.Name, words, err)
	}
	return ack
}

// cards are the messages at the top level of the log channel.
func (s *scene) cards() []slacktest.Message { return s.Slack.Messages(s.Log.ID) }

// replies are what stands in the thread of the n-th card, from 0.
func (s *scene) replies(n int) []slacktest.Message {
	if cards := s.cards(); n < len(cards) {
		return s.Slack.Thread(s.Log.ID, cards[n].TS)
	}
	return nil
}

// thread is the text of the thread of the n-th card.
func (s *scene) thread(n int) string {
	var b strings.Builder
	for _, m := range s.replies(n) {
		b.WriteString(m.PlainText() + "\n")
	}
	return b.String()
}

// result is the message with the result in the thread of the n-th card.
func (s *scene) result(n int) (slacktest.Message, bool) {
	for _, m := range s.replies(n) {
		if strings.HasPrefix(m.PlainText(), "*Result*") {
			return m, true
		}
	}
	return slacktest.Message{}, false
}

// ended waits for the result under the n-th card.
func (s *scene) ended(n int) slacktest.Message {
	s.Helper()
	s.until("the result", func() bool { _, ok := s.result(n); return ok })
	m, _ := s.result(n)
	return m
}

// whispered waits for the n-th message that only who sees, from 0.
func (s *scene) whispered(who slacktest.User, n int) string {
	s.Helper()
	s.until("a private answer to "+who.Name, func() bool { return len(s.Slack.Ephemerals(who.ID)) > n })
	return s.Slack.Ephemerals(who.ID)[n].PlainText()
}

// invoked wants the function to have been called so often, always with {}.
func (s *scene) invoked(times int) {
	s.Helper()
	n := 0
	for _, c := range s.AWS.Calls() {
		if c.Name() != "lambda:InvokeFunction" {
			continue
		}
		n++
		if string(c.Payload) != "{}" || c.InvocationType != "Event" {
			s.Errorf("the function was invoked as %s with %s", c.InvocationType, c.Payload)
		}
	}
	if n != times {
		s.Errorf("the function was invoked %d times, not %d", n, times)
	}
}

// told wants the n-th card to tell of a run that went well, once: one message
// with the result and each line of the function's log in one place.
func (s *scene) told(n int) {
	s.Helper()
	results := 0
	for _, m := range s.replies(n) {
		if strings.HasPrefix(m.PlainText(), "*Result*") {
			results++
		}
	}
	if results != 1 {
		s.Errorf("there are %d results in the thread", results)
	}
	if card := s.cards()[n].PlainText(); !strings.Contains(card, "*Done*") {
		s.Errorf("the card reads\n%s", card)
	}
	thread := s.thread(n)
	for _, line := range []string{
		"START RequestId", "REPORT RequestId", "Lambda took the call",
		"creating user quick-heron", "*Plan*",
	} {
		if got := strings.Count(thread, line); got != 1 {
			s.Errorf("%q stands %d times in the thread:\n%s", line, got, thread)
		}
	}
	if got := strings.Count(thread, "creating group membership for user "+s.Joiner+" ("); got != 2 {
		s.Errorf("%s's two memberships are in the log %d times:\n%s", s.Joiner, got, thread)
	}
}

// event is an entry of the audit as the database has it.
type event struct {
	Request, Kind, By string
	Data              map[string]any
}

// events reads the audit. The process must have ended: SQLite serves one at a time.
func (s *scene) events() []event {
	s.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "rootbot.db"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT request, kind, by, data FROM events ORDER BY seq")
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	var all []event
	for rows.Next() {
		var e event
		var data string
		if err := rows.Scan(&e.Request, &e.Kind, &e.By, &data); err != nil {
			s.Fatal(err)
		}
		if err := json.Unmarshal([]byte(data), &e.Data); err != nil {
			s.Fatal(err)
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		s.Fatal(err)
	}
	return all
}

// lives are the events of requests' lives, without those of what AWS was asked
// and people were told: they come beside.
func (s *scene) lives() []event {
	s.Helper()
	return slices.DeleteFunc(s.events(), func(e event) bool {
		return e.Request == "" || slices.Contains([]string{"shown", "told", "calling", "called"}, e.Kind)
	})
}

// gate holds the function in the middle of its work.
type gate struct {
	reached chan struct{} // closed when the function stands at the gate
	open    func()        // lets it go on
}

// hold has every run from now on stop before the n-th thing it does, the
// first one of them to get there for as long as the gate is closed.
func (s *scene) hold(n int) *gate {
	reached, opened := make(chan struct{}), make(chan struct{})
	g := &gate{reached: reached, open: func() { close(opened) }}
	count := 0
	s.Sync.Update(func(f *awstest.SyncFunction) {
		f.Gate = func(ctx context.Context, _ awstest.SyncEntity) {
			if count++; count != n {
				return
			}
			close(reached)
			select {
			case <-opened:
			case <-ctx.Done():
			}
		}
	})
	return g
}

// middle waits until the function stands at the gate and the thread tells of
// what it did before.
func (s *scene) middle(g *gate) {
	s.Helper()
	select {
	case <-g.reached:
	case <-time.After(patience):
		s.Fatal("the function wasn't run")
	}
	s.until("the beginning of the log", func() bool { return strings.Contains(s.thread(0), "START RequestId") })
}
