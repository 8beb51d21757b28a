package chat_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestACardLivesThroughItsStates(t *testing.T) {
	t.Parallel()
	looked, worked := make(chan bool), make(chan bool)
	operation := tidy(func(ctx context.Context, run ops.Run) error { <-worked; return work(ctx, run) })
	plan := operation.Plan
	operation.Plan = func(ctx context.Context, r ops.Request, p ops.Progress) (ops.Plan, error) {
		<-looked
		return plan(ctx, r, p)
	}
	o := start(t, operation)
	if said := o.types(o.ada, o.home, "octocat hubot"); said != "" {
		t.Errorf("the ack says %q", said)
	}
	first := o.card("Looking")
	for _, words := range []string{"/tidy-up", "<@" + o.ada.ID + ">", "GitHub: ada", "GitHub logins: octocat, hubot"} {
		if !strings.Contains(first.PlainText(), words) {
			t.Errorf("the card doesn't say %q:\n%s", words, first.PlainText())
		}
	}
	close(looked)
	o.card("Running")
	close(worked)
	last := o.card("Done")
	o.quietly()
	if len(o.cards()) != 1 || last.TS != first.TS || last.Edited < 2 {
		t.Errorf("%d cards; the last stands at %s, the first at %s, edited %d times", len(o.cards()), last.TS, first.TS, last.Edited)
	}
	same(t, "its thread", []string{"Plan", "Log", "Result"}, o.replies(last))
	thread := o.thread(last)
	for i, words := range []string{"dust of shelf 1", "dusting", "confirmed"} {
		if !strings.Contains(thread[i].PlainText(), words) {
			t.Errorf("reply %d doesn't say %q:\n%s", i, words, thread[i].PlainText())
		}
	}
	if n := len(o.Ephemerals(o.ada.ID)); n != 0 {
		t.Errorf("who looks at the card already is told %d times where it is", n)
	}
	o.fine()
}

func TestWhoAsksElsewhereIsPointedToTheThread(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		faulty bool // response_url
		where  func(*office) slacktest.Channel
		direct bool
	}{
		{"through response_url", false, func(o *office) slacktest.Channel { return o.general }, false},
		{"where the command was typed, if response_url fails", true, func(o *office) slacktest.Channel { return o.lobby }, false},
		{"by direct message, if the bot isn't there", true, func(o *office) slacktest.Channel { return o.general }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := start(t, tidy(work))
			if test.faulty {
				o.Fail("response_url", slacktest.Fault{Status: 500}, slacktest.Fault{Status: 500}, slacktest.Fault{Status: 500})
			}
			o.types(o.ada, test.where(o), "")
			card := o.card("Done")
			o.quietly()
			told := o.told(o.ada)
			if test.direct {
				for _, m := range o.Direct(o.ada.ID) {
					told = append(told, m.PlainText())
				}
			}
			link := "archives/" + o.home.ID + "/p" + strings.ReplaceAll(card.TS, ".", "")
			if len(told) != 1 || !strings.Contains(told[0], link) || !strings.Contains(told[0], "<#"+o.home.ID+">") {
				t.Errorf("ada is told %q, want once where %s is", told, link)
			}
			if test.direct != (len(o.Direct(o.ada.ID)) == 1) {
				t.Errorf("%d direct messages", len(o.Direct(o.ada.ID)))
			}
			if n := len(o.Messages(test.where(o).ID)); n != 0 {
				t.Errorf("%d public messages where the command was typed", n)
			}
			o.fine()
		})
	}
}

func TestARefusalIsForTheAskersEyesOnly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		who   func(*office) slacktest.User
		world func(*office)
		says  []string
	}{
		{"of somebody without a login", func(o *office) slacktest.User { return o.nemo }, nil, []string{admins, "don't know which GitHub login"}},
		{"of somebody who isn't in the team", func(o *office) slacktest.User { return o.mallory }, nil, []string{admins, "mallory", "not a member", "#aws-root-account"}},
		{"because GitHub is in trouble", func(o *office) slacktest.User { return o.ada }, func(o *office) { o.gh.Fail("", githubtest.Fault{Status: 502}) }, []string{admins, "502", "othing was"}},
		{"where response_url fails", func(o *office) slacktest.User { return o.mallory }, func(o *office) { o.Fail("response_url", slacktest.Fault{Cut: true}) }, []string{admins}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := start(t, tidy(work))
			if test.world != nil {
				test.world(o)
			}
			who := test.who(o)
			o.types(who, o.lobby, "")
			o.wait("told", func() bool { return len(o.told(who)) > 0 })
			o.quietly()
			told := o.told(who)
			for _, words := range test.says {
				if !strings.Contains(told[0], words) {
					t.Errorf("%q doesn't say %q", told[0], words)
				}
			}
			if len(told) != 1 {
				t.Errorf("told %d times: %q", len(told), told)
			}
			for _, c := range o.Channels() {
				if n := len(o.Messages(c.ID)); n != 0 {
					t.Errorf("%d messages in #%s", n, c.Name)
				}
			}
			for _, other := range []slacktest.User{o.ada, o.grace} {
				if other.ID != who.ID && len(o.told(other)) > 0 {
					t.Errorf("%s is told %q", other.Name, o.told(other))
				}
			}
			if n := o.Count("chat.postMessage"); n != 0 {
				t.Errorf("%d messages were posted", n)
			}
			o.fine()
		})
	}
}

func TestASecondAskerIsPointedToTheFirstsThread(t *testing.T) {
	t.Parallel()
	goOn := make(chan bool)
	operation := tidy(func(ctx context.Context, run ops.Run) error { <-goOn; return work(ctx, run) })
	operation.Lock = func(ops.Request) string { return "shelf" }
	o := start(t, operation)
	o.types(o.ada, o.home, "")
	card := o.card("Running")
	o.types(o.grace, o.home, "")
	o.wait("grace told", func() bool { return len(o.told(o.grace)) > 0 })
	told := o.told(o.grace)[0]
	if !strings.Contains(told, "ada") || !strings.Contains(told, "/p"+strings.ReplaceAll(card.TS, ".", "")) {
		t.Errorf("grace is told %q", told)
	}
	if len(o.cards()) != 1 {
		t.Errorf("%d cards", len(o.cards()))
	}
	close(goOn)
	o.card("Done")
	o.quietly()
	o.fine()
}

func TestAnswersAtOnce(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	for _, test := range []struct{ name, text, golden string }{
		{"help", "help", "help.txt"},
		{"help with more words", "help me please", "help.txt"},
		{"words that can't be", "wr<o>ng", "wrong.txt"},
		{"a handler that panics", "panic", "panic.txt"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ack, err := o.Command(t.Context(), o.nemo.ID, o.general.ID, "/tidy-up", test.text)
			if err != nil || ack.Message == nil {
				t.Fatalf("ack %+v, %v", ack, err)
			}
			golden(t, test.golden, ack.Message.Text+"\n")
			if ack.Message.VisibleTo != o.nemo.ID || strings.Contains(ack.Message.Text, "secret") {
				t.Errorf("it is shown to %q: %s", ack.Message.VisibleTo, ack.Message.Text)
			}
			if n := len(o.requests()); n != 0 {
				t.Errorf("%d requests were stored", n)
			}
		})
	}
	t.Run("a command of another bot", func(t *testing.T) {
		ack, err := o.Command(t.Context(), o.ada.ID, o.home.ID, "/burn-down", "all")
		if err != nil || ack.Message == nil || ack.Message.VisibleTo != o.ada.ID || !strings.Contains(ack.Message.Text, "Nothing was changed") {
			t.Errorf("ack %+v, %v", ack, err)
		}
	})
	// And the bot lives on.
	o.types(o.ada, o.home, "")
	o.card("Done")
	o.fine()
}

func TestAPreview(t *testing.T) {
	t.Parallel()
	ran := false
	o := start(t, tidy(func(context.Context, ops.Run) error { ran = true; return nil }))
	o.types(o.ada, o.home, "plan octocat")
	card := o.card("Preview")
	o.quietly()
	if ran || !strings.Contains(card.PlainText(), "GitHub logins: octocat") || len(card.Buttons()) > 0 {
		t.Errorf("a step was called: %v; the card:\n%s", ran, card.PlainText())
	}
	same(t, "its thread", "Plan", o.replies(card)[0])
	o.fine()
}

func TestAnAckDoesntWaitForTheWorld(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	// Slack waits 3 s for an ack.
	o.gh.SetDelay(3500 * time.Millisecond)
	o.SetDelay("", 3500*time.Millisecond)
	ack, err := o.Command(t.Context(), o.ada.ID, o.home.ID, "/tidy-up", "")
	if err != nil || ack.Late {
		t.Errorf("the ack came after %v: %v", ack.After, err)
	}
}

func TestADatabaseThatFails(t *testing.T) {
	t.Parallel()
	t.Run("at a command", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		if err := o.desk.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.desk.Store.Close()
		said := o.types(o.ada, o.home, "")
		if !strings.Contains(said, "othing was changed") || !strings.Contains(said, "database") {
			t.Errorf("the answer is %q", said)
		}
	})
	t.Run("at a click", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(broken))
		o.types(o.ada, o.home, "")
		card := o.card("Failed")
		o.quietly()
		result := o.thread(card)[len(o.thread(card))-1]
		if err := o.desk.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.desk.Store.Close()
		if _, err := o.Click(t.Context(), o.ada.ID, o.home.ID, result.TS, "retry"); err != nil {
			t.Fatal(err)
		}
		o.wait("told", func() bool { return len(o.told(o.ada)) > 0 })
		if told := o.told(o.ada); !strings.Contains(told[0], "othing was changed") {
			t.Errorf("the answer is %q", told)
		}
	})
}

func TestACommandOfAnotherWorkspaceIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	payload := map[string]any{
		"team_id": "T0ELSEWHERE", "channel_id": o.lobby.ID, "user_id": "U0ALIEN", "command": "/tidy-up", "text": "", "response_url": "",
	}
	if _, err := o.Send(t.Context(), "slash_commands", payload); err != nil {
		t.Fatal(err)
	}
	o.wait("refused", func() bool { return len(o.requests()) == 1 && o.requests()[0].State.Ended() })
	r := o.requests()[0]
	if r.State != request.Refused || r.By != "" {
		t.Errorf("it is %s by %q", r.State, r.By)
	}
	events, err := o.desk.Store.Events(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "by whom", "slack:T0ELSEWHERE/U0ALIEN", events[0].By)
	// Whoever can't be told is given up, or tried ever less.
	o.wait("given up or tried four times", func() bool {
		list, err := o.desk.Store.Unsent(t.Context())
		return err == nil && len(list) == 0 || o.Count("chat.postEphemeral") >= 4
	})
	everLess(o, "chat.postEphemeral")
}

// everLess complains where the fourth call of a method follows the third as
// fast as an early one may: after 0.25, 0.5 and 1 s.
func everLess(o *office, method string) {
	o.t.Helper()
	var at []time.Time
	for _, c := range o.Calls() {
		if c.Method == method {
			at = append(at, c.At)
		}
	}
	if len(at) >= 4 && at[3].Sub(at[2]) < 700*time.Millisecond {
		o.t.Errorf("%s: the fourth try came %v after the third", method, at[3].Sub(at[2]).Round(time.Millisecond))
	}
}

func TestSomebodyWhoCantBeToldDoesntHoldUpTheThread(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	for range 200 {
		o.Fail("response_url", slacktest.Fault{Status: 500})
		o.Fail("chat.postEphemeral", slacktest.Fault{Status: 500})
	}
	o.types(o.ada, o.general, "")
	o.waitFor("told in the thread what came of it", 8*time.Second, func() bool {
		return len(o.cards()) == 1 && strings.Contains(o.cards()[0].PlainText(), "Done") && slices.Contains(o.replies(o.cards()[0]), "Result")
	})
}

func TestManyWordsAreNoFault(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	var logins []string
	for i := range 200 {
		logins = append(logins, fmt.Sprintf("a-rather-long-login-of-number-%d", i))
	}
	o.types(o.ada, o.home, strings.Join(logins, " "))
	o.waitFor("told that it is done", 8*time.Second, func() bool { return strings.Contains(o.story(), "Done") })
	o.quietly()
	o.fine()
}
