package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// unsaid complains of an event that holds any of these words.
func (o *office) unsaid(words ...string) []request.Event {
	o.t.Helper()
	events, err := o.desk.Store.Events(o.t.Context(), "")
	if err != nil {
		o.t.Fatal(err)
	}
	for _, e := range events {
		text := fmt.Sprint(e.By, e.Data)
		for _, w := range words {
			if strings.Contains(text, w) {
				o.t.Errorf("what was typed stands in the record: %.200s", text)
			}
		}
	}
	return events
}

func TestMoreThanAnybodyTypesIsRefusedAndNotKept(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		text    string
		refused bool
	}{
		{"a word too long to be one", strings.Repeat("verbose", 3000), true},
		{"a byte more than is read", strings.Repeat("ü", 10_000) + "y", true},
		{"help behind it is no help", "help " + strings.Repeat("verbose ", 3000), true},
		{"as much as is read", strings.TrimSpace(strings.Repeat("verbose ", 2500)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := start(t, tidy(work))
			said := o.types(o.ada, o.home, test.text)
			if !test.refused {
				if said != "" {
					t.Errorf("the ack says %q", said)
				}
				o.card("Done")
				o.fine()
				return
			}
			contains(t, "the answer", said, "more than anybody types", "Nothing was changed")
			events := o.recorded("refused")
			if len(events) != 1 || events[0].By != "slack:"+o.TeamID+"/U0ADA" || events[0].Data["tried"] != "/tidy-up" {
				t.Errorf("recorded are %+v", events)
			}
			o.unsaid("verbose", "üü")
			if len(o.requests()) != 0 || len(o.cards()) != 0 {
				t.Errorf("something came of it:\n%s", o.story())
			}
			o.fine()
		})
	}
}

func TestAWrongFormIsRecordedWithoutWhatWasTyped(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	o.commands(o.ada, o.place, "/let-go", "")
	values := map[string]slacktest.Value{"emails": slacktest.Text("my-password"), "reason": slacktest.Text("bell \a hunter2"), "confirmed": slacktest.Pick("yes")}
	if ack := o.fills(o.ada, values); len(ack.Errors) != 2 {
		t.Fatalf("the form says %v", ack.Errors)
	}
	events := o.recorded("refused")
	if len(events) != 1 || events[0].By != "slack:"+o.TeamID+"/U0ADA" || events[0].Data["tried"] != "/let-go" {
		t.Fatalf("recorded are %+v", events)
	}
	same(t, "why", "The form was wrong at: emails, reason.", events[0].Data["reason"])

	values = map[string]slacktest.Value{"emails": slacktest.Text(ann), "reason": slacktest.Text("has left"), "confirmed": slacktest.Pick("yes")}
	o.fills(o.ada, values)
	o.wait("a card", func() bool { return len(o.Messages(o.place.ID)) == 1 })
	choice := o.choice(o.Messages(o.place.ID)[0], ann)
	o.presses(o.grace, choice, "reject")
	if ack := o.fills(o.grace, reason("bell \a hunter2")); len(ack.Errors) != 1 {
		t.Fatalf("the form says %v", ack.Errors)
	}
	events = o.recorded("refused")
	if len(events) != 2 || events[1].By != "slack:"+o.TeamID+"/U0GRACE" || events[1].Data["tried"] != "reject" {
		t.Fatalf("recorded are %+v", events)
	}
	same(t, "why", "The form was wrong at: reason.", events[1].Data["reason"])

	payload := o.filled(o.grace, "decide:reject", value(o.request()), "hunter2")
	payload["view"].(map[string]any)["private_metadata"] = "hunter2"
	ack := o.sends("interactive", payload)
	contains(t, "the ack", string(ack.Payload), "isn't one of mine", "Nothing was changed")
	payload = o.filled(o.grace, "decide:hunter3", value(o.request()), "hunter2")
	ack = o.sends("interactive", payload)
	contains(t, "the ack", string(ack.Payload), "isn't one of mine", "Nothing was changed")
	o.unsaid("my-password", "hunter2")
	if n := len(o.recorded("refused")); n != 4 {
		t.Errorf("%d refusals are recorded", n)
	}
	if r := o.request(); r.State != request.Waiting {
		t.Errorf("it is %s", r.State)
	}
	o.fine()
}

func TestAWordThatCantBeIsRecordedWithoutTheWord(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.types(o.mallory, o.general, "octocat wr<o>ng")
	events := o.recorded("refused")
	if len(events) != 1 || events[0].By != "slack:"+o.TeamID+"/U0MALLORY" || events[0].Data["tried"] != "/tidy-up" {
		t.Errorf("recorded are %+v", events)
	}
	o.unsaid("octocat", "wr<o>ng")
	o.fine()
}

// Whoever pastes a token where a login belongs, or where a reason does, finds it
// kept nowhere.
func TestASecretThatWasTypedIsTakenOut(t *testing.T) {
	t.Parallel()
	const secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
	o := emergency(t, &crew{})
	choice := o.sealed(o.proposes(o.ada, ann), ann)
	o.presses(o.grace, choice, "break-glass")
	o.fills(o.grace, reason("The key is "+secret+"."))
	notice := o.notice("Done")
	o.presses(o.hedy, notice, "reviewed")
	o.fills(o.hedy, reason("I used "+secret+" too."))
	o.notice("Looked at by")
	o.quietly()
	o.unsaid(secret)
	for _, call := range o.Calls() {
		if strings.Contains(fmt.Sprint(call.Args), secret) {
			t.Errorf("it is told in %s", call.Method)
		}
	}
	o.fine()
}
