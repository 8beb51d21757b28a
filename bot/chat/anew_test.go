package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
)

// brought brings a message of a request's up to date, as the desk has it done.
func (o *office) brought(s *store.Store, r request.Request, kinds ...string) {
	o.t.Helper()
	if _, err := s.Update(o.t.Context(), r.ID, func(*request.Request) (request.Change, error) {
		var c request.Change
		for _, kind := range kinds {
			c.Messages = append(c.Messages, request.Message{Request: r.ID, Kind: kind, Body: request.Body{Text: "And so on."}})
		}
		return c, nil
	}); err != nil {
		o.t.Fatal(err)
	}
	if !deliver(o.t, o, s, 30*time.Second, emptied(s)) {
		o.t.Fatalf("something still waits:\n%s", o.story())
	}
}

func TestADecisionWhoseMessageIsGoneIsPostedAnew(t *testing.T) {
	t.Parallel()
	broken := func(r *request.Request) {
		r.StartedAt = noon.Add(time.Hour)
		r.Glass = &request.Review{By: "grace", User: "U0GRACE", At: noon.Add(time.Hour), Reason: "Now.", Digest: r.Plan.Digest()}
	}
	acted := func(r *request.Request) { r.StartedAt, r.ActedAt = noon, noon }
	for _, test := range []struct {
		name    string
		kind    string
		state   request.State
		with    func(*request.Request)
		buttons []string
	}{
		{"who must decide", request.Ask, request.Waiting, nil, []string{"approve", "reject", "withdraw"}},
		{"what can be restored", request.Ask, request.Running, acted, []string{"undo"}},
		{"a run without its approvals", request.Glass, request.Running, broken, []string{"reviewed"}},
		{"what can be run again", request.Result, request.Failed, nil, []string{"retry"}},
	} {
		for _, how := range []string{"deleted", "cant_update_message", "edit_window_closed", "message_not_found"} {
			t.Run(test.name+", "+how, func(t *testing.T) {
				t.Parallel()
				o, s := outbox(t)
				r := removal(ann, test.state, test.with)
				r.ID, r.Asker.Workspace, r.Asker.Channel = "", o.TeamID, o.home.ID
				r = o.stored(s, r, request.Card)
				o.brought(s, r, test.kind)
				before := o.pressable()
				if len(before) != 1 {
					t.Fatalf("%d messages with buttons:\n%s", len(before), o.story())
				}
				if how == "deleted" {
					o.deletes(before[0])
				} else {
					o.Refuse("chat.update", how, func(args map[string]string) bool { return args["ts"] == before[0].TS })
				}
				o.brought(s, r, test.kind)
				after := slices.DeleteFunc(o.pressable(), func(m slacktest.Message) bool { return m.TS == before[0].TS })
				if len(after) != 1 || after[0].ThreadTS != before[0].ThreadTS {
					t.Fatalf("%d messages with buttons came anew:\n%s", len(after), o.story())
				}
				same(t, "its buttons", test.buttons, labels(after[0]))
				// From now on that one is brought up to date.
				o.brought(s, r, test.kind)
				if n := len(slices.DeleteFunc(o.pressable(), func(m slacktest.Message) bool { return m.TS == before[0].TS })); n != 1 {
					t.Errorf("%d messages with buttons in the end:\n%s", n, o.story())
				}
			})
		}
	}
}

// pressable are the messages in the log channel, and in its threads, that have buttons.
func (o *office) pressable() (list []slacktest.Message) {
	for _, m := range o.Messages(o.home.ID) {
		list = append(append(list, m), o.Thread(o.home.ID, m.TS)...)
	}
	return slices.DeleteFunc(list, func(m slacktest.Message) bool { return len(m.Buttons()) == 0 })
}

func TestAThreadWhoseCardIsGoneGoesOnUnderANewOne(t *testing.T) {
	t.Parallel()
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprintf("its whole thread is gone: %v", whole), func(t *testing.T) {
			t.Parallel()
			c := &crew{grace: true}
			o := meeting(t, c)
			card := o.proposes(o.ada, ann)
			choice := o.choice(card, ann)
			o.quietly()
			if whole {
				for _, m := range o.under(card) {
					o.deletes(m)
				}
			}
			o.deletes(card)
			// A click on the message that somebody still sees.
			o.sends("interactive", o.made(o.grace, choice, "approve", value(o.request()), "1.2.3"))
			cards := func() []slacktest.Message {
				return slices.DeleteFunc(o.Messages(o.place.ID), func(m slacktest.Message) bool { return m.Tombstone })
			}
			o.wait("a new card", func() bool { return len(cards()) == 1 && strings.Contains(cards()[0].PlainText(), "Running") })
			anew := cards()[0]
			offer := o.buttons(anew, "Restore", "undo")
			o.presses(o.hedy, offer, "undo")
			o.fills(o.hedy, reason("The wrong Ann."))
			o.says(anew, "Restored")
			o.quietly()
			if whole {
				return
			}
			// The buttons of the old thread are gone.
			for _, m := range o.under(card) {
				if len(m.Buttons()) > 0 {
					t.Errorf("there are buttons in the old thread:\n%s", m.PlainText())
				}
			}
		})
	}
}

func TestAReplyToACardThatIsGoneStandsUnderANewOne(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := removal(ann, request.Waiting, func(r *request.Request) { r.ID = "" })
	r.Asker.Workspace, r.Asker.Channel = o.TeamID, o.home.ID
	r = o.stored(s, r, request.Card)
	o.brought(s, r, request.Plan, request.Ask)
	old := o.cards()[0]
	for _, m := range append(o.thread(old), old) {
		o.deletes(m)
	}
	o.brought(s, r, request.Note)
	if n := len(o.cards()); n != 1 {
		t.Fatalf("%d cards:\n%s", n, o.story())
	}
	var read []string
	for _, m := range o.thread(o.cards()[0]) {
		read = append(read, m.PlainText())
	}
	contains(t, "the new thread", strings.Join(read, "\n"), "And so on.", "*Plan*", "take the badge", "*Approve?*")
	if n := len(o.pressable()); n != 1 {
		t.Errorf("%d messages with buttons:\n%s", n, o.story())
	}
}
