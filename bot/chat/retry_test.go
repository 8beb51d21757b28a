package chat_test

import (
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// failed is an office with a failed run, and the message with its button.
func failed(t *testing.T) (*office, slacktest.Message) {
	t.Helper()
	o := start(t, tidy(broken))
	o.types(o.ada, o.home, "octocat")
	card := o.card("Failed")
	o.quietly()
	thread := o.thread(card)
	return o, thread[len(thread)-1]
}

func TestRunAgain(t *testing.T) {
	t.Parallel()
	t.Run("whoever may can ask for the same again", func(t *testing.T) {
		t.Parallel()
		o, result := failed(t)
		buttons := result.Buttons()
		if len(buttons) != 1 || buttons[0].ActionID != "retry" || buttons[0].Text != "Run again" {
			t.Fatalf("buttons: %+v", buttons)
		}
		if _, err := o.Click(t.Context(), o.grace.ID, o.home.ID, result.TS, "retry"); err != nil {
			t.Fatal(err)
		}
		o.wait("a second card", func() bool { return len(o.cards()) == 2 })
		list := o.requests()
		if len(list) != 2 || list[1].Again != list[0].ID || list[1].Asker.User != o.grace.ID {
			t.Fatalf("requests: %+v", list)
		}
		same(t, "inputs", ops.Inputs{"people": {"octocat"}}, list[1].Inputs)
		o.fine()
	})
	t.Run("a stranger's click is refused for their eyes only", func(t *testing.T) {
		t.Parallel()
		o, result := failed(t)
		before := len(o.thread(o.cards()[0]))
		if _, err := o.Click(t.Context(), o.mallory.ID, o.home.ID, result.TS, "retry"); err != nil {
			t.Fatal(err)
		}
		o.wait("told", func() bool { return len(o.told(o.mallory)) > 0 })
		o.quietly()
		if told := o.told(o.mallory); len(told) != 1 || !strings.Contains(told[0], "not a member") {
			t.Errorf("mallory is told %q", told)
		}
		if len(o.cards()) != 1 || len(o.thread(o.cards()[0])) != before {
			t.Errorf("something public came of it:\n%s", o.story())
		}
		o.fine()
	})
	t.Run("a user of another workspace has no identity here", func(t *testing.T) {
		t.Parallel()
		o, result := failed(t)
		alien := o.AddUser(slacktest.User{ID: "U0ALIEN", RealName: "Alien", TeamID: "T0ELSEWHERE", Stranger: true})
		o.Invite(o.home.ID, alien.ID)
		if _, err := o.Click(t.Context(), alien.ID, o.home.ID, result.TS, "retry"); err != nil {
			t.Fatal(err)
		}
		o.wait("told or answered", func() bool { return len(o.told(alien)) > 0 || len(o.cards()) > 1 })
		if len(o.cards()) > 1 {
			t.Errorf("a user of another workspace was let in:\n%s", o.story())
		}
	})
	t.Run("a button that was made up does nothing", func(t *testing.T) {
		t.Parallel()
		o, result := failed(t)
		id := o.requests()[0].ID
		for i, value := range []string{"", ":", "nobody:", id, id + ":", id + ":0000", strings.Repeat("x", 1900)} {
			payload := map[string]any{
				"type": "block_actions", "team": map[string]any{"id": o.TeamID}, "user": map[string]any{"id": o.ada.ID, "team_id": o.TeamID},
				"channel": map[string]any{"id": o.home.ID}, "response_url": "http://127.0.0.1:1/", "message": map[string]any{"ts": result.TS},
				"actions": []any{map[string]any{"type": "button", "action_id": "retry", "block_id": "retry", "value": value}},
			}
			if _, err := o.Send(t.Context(), "interactive", payload); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
		if n := len(o.requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
		o.fine()
	})
	t.Run("what went well has no button", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		o.types(o.ada, o.home, "")
		card := o.card("Done")
		o.quietly()
		for _, m := range append(o.thread(card), card) {
			if len(m.Buttons()) > 0 {
				t.Errorf("there are buttons in\n%s", m.PlainText())
			}
		}
	})
	t.Run("an operation that isn't offered any more is what the clicker is told", func(t *testing.T) {
		t.Parallel()
		o, result := failed(t)
		o.leave()
		other := tidy(work)
		other.Name, other.Command = "dust-off", "/dust-off"
		o.begin(other)
		if _, err := o.Click(t.Context(), o.ada.ID, o.home.ID, result.TS, "retry"); err != nil {
			t.Fatal(err)
		}
		o.wait("told", func() bool { return len(o.told(o.ada)) > 0 })
		if told := o.told(o.ada); strings.Contains(told[0], "database") {
			t.Errorf("ada is told %q, and the database is well", told)
		}
	})
}
