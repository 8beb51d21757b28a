package chat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// These are the hands of people who ask for what others decide.

// ann and bob are who is let go.
const ann, bob = "ann@example.com", "bob@example.com"

// meeting is an office where letting somebody go is asked for in #reliability-eng,
// and takes one approval.
func meeting(t *testing.T, c *crew, changes ...func(*ops.Operation, *request.Terms)) *office {
	t.Helper()
	o := build(t, slacktest.Options{})
	o.meet(c, changes...)
	return o
}

// meet begins a meeting.
func (o *office) meet(c *crew, changes ...func(*ops.Operation, *request.Terms)) {
	o.t.Helper()
	operation, terms := c.letGo(), request.DefaultTerms()
	terms.Place, terms.Approval = "reliability-eng", ops.Rule{Count: 1}
	for _, change := range changes {
		change(&operation, &terms)
	}
	o.terms = map[string]request.Terms{"let-go": terms}
	o.begin(operation)
}

// form waits for the form that somebody has open.
func (o *office) form(who slacktest.User) slacktest.View {
	o.t.Helper()
	o.wait("a form before "+who.Name, func() bool { return len(o.Views(who.ID)) > 0 })
	views := o.Views(who.ID)
	return views[len(views)-1]
}

// fills enters values into the form that somebody has open, and sends it.
func (o *office) fills(who slacktest.User, values map[string]slacktest.Value) slacktest.Ack {
	o.t.Helper()
	ack, err := o.Submit(o.t.Context(), who.ID, o.form(who).ID, values)
	if err != nil {
		o.t.Fatal(err)
	}
	return ack
}

// proposes asks to let people go and returns the card where that is decided.
func (o *office) proposes(who slacktest.User, emails string) slacktest.Message {
	o.t.Helper()
	before := len(o.Messages(o.place.ID))
	if said := o.commands(who, o.place, "/let-go", emails); said != "" {
		o.t.Fatalf("the ack says %q", said)
	}
	ack := o.fills(who, map[string]slacktest.Value{"reason": slacktest.Text("has left"), "confirmed": slacktest.Pick("yes")})
	if len(ack.Errors) > 0 {
		o.t.Fatalf("the form says %v", ack.Errors)
	}
	o.wait("a card", func() bool { return len(o.Messages(o.place.ID)) > before })
	return o.Messages(o.place.ID)[before]
}

// under are the replies to a message, in the channel where it stands.
func (o *office) under(card slacktest.Message) []slacktest.Message {
	return o.Thread(card.Channel, card.TS)
}

// again is a message as it stands now.
func (o *office) again(m slacktest.Message) slacktest.Message {
	all := o.Messages(m.Channel)
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		all = o.Thread(m.Channel, m.ThreadTS)
	}
	for _, now := range all {
		if now.TS == m.TS {
			return now
		}
	}
	o.t.Fatalf("the message %s is gone:\n%s", m.TS, o.story())
	return m
}

// says waits for a message to say something.
func (o *office) says(m slacktest.Message, words string) slacktest.Message {
	o.t.Helper()
	o.wait("the message says "+words, func() bool { return strings.Contains(o.again(m).PlainText(), words) })
	return o.again(m)
}

func labels(m slacktest.Message) []string {
	var actions []string
	for _, b := range m.Buttons() {
		actions = append(actions, b.ActionID)
	}
	return actions
}

// buttons waits for the message under a card that is about somebody and has
// exactly these buttons.
func (o *office) buttons(card slacktest.Message, about string, actions ...string) slacktest.Message {
	o.t.Helper()
	var found slacktest.Message
	o.wait(fmt.Sprintf("the buttons %q for %s", actions, about), func() bool {
		for _, m := range o.under(card) {
			if strings.Contains(m.PlainText(), about) && slices.Equal(labels(m), actions) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// choice waits for the buttons with which somebody's fate is decided.
func (o *office) choice(card slacktest.Message, about string) slacktest.Message {
	o.t.Helper()
	return o.buttons(card, about, "approve", "reject", "withdraw")
}

// presses clicks a button.
func (o *office) presses(who slacktest.User, m slacktest.Message, action string) {
	o.t.Helper()
	if _, err := o.Click(o.t.Context(), who.ID, m.Channel, m.TS, action); err != nil {
		o.t.Fatalf("%v\n%s", err, o.story())
	}
}

// hears waits until somebody was told n things in private, and returns the last.
func (o *office) hears(who slacktest.User, n int) string {
	o.t.Helper()
	o.wait(fmt.Sprintf("%s told %d times in private", who.Name, n), func() bool { return len(o.told(who)) >= n })
	return o.told(who)[n-1]
}

// contains complains of words that a text lacks.
func contains(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s doesn't say %q:\n%s", what, w, text)
		}
	}
}

// relic is a message of the bot's with one button, as an earlier process may
// have left it.
func (o *office) relic(action, value string) slacktest.Message {
	o.t.Helper()
	blocks, err := json.Marshal([]any{map[string]any{"type": "actions", "elements": []any{map[string]any{
		"type": "button", "action_id": action, "value": value, "text": map[string]any{"type": "plain_text", "text": "Old"},
	}}}})
	if err != nil {
		o.t.Fatal(err)
	}
	form := url.Values{"token": {o.BotToken}, "channel": {o.place.ID}, "text": {"an old message"}, "blocks": {string(blocks)}}
	response, err := http.PostForm(o.apiURL()+"chat.postMessage", form)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		OK bool
		TS string
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || !answer.OK {
		o.t.Fatalf("post: %v %+v", err, answer)
	}
	return slacktest.Message{Channel: o.place.ID, TS: answer.TS}
}

// value is what a button of a request's carries.
func value(r request.Request) string { return r.ID + ":" + r.Plan.Digest() }

// request is the only one that was stored.
func (o *office) request() request.Request {
	o.t.Helper()
	list := o.requests()
	if len(list) != 1 {
		o.t.Fatalf("%d requests", len(list))
	}
	return list[0]
}
