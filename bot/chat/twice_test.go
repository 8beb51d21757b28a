package chat_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// twice complains unless exactly n things that somebody tried are recorded as
// having arrived twice, and nothing else as refused.
func (o *office) twice(n int, who slacktest.User, tried string) {
	o.t.Helper()
	o.wait(fmt.Sprintf("%d things recorded as having arrived twice", n), func() bool { return len(o.recorded("refused")) >= n })
	o.quietly()
	events := o.recorded("refused")
	if len(events) != n {
		o.t.Errorf("%d refusals are recorded, want %d", len(events), n)
	}
	for _, e := range events {
		if e.By != "slack:"+o.TeamID+"/"+who.ID || e.Data["tried"] != tried || !strings.Contains(fmt.Sprint(e.Data["reason"]), "arrived twice") {
			o.t.Errorf("recorded is the refusal %+v", e)
		}
	}
}

// resends delivers an envelope again.
func (o *office) resends(ack slacktest.Ack) slacktest.Ack {
	o.t.Helper()
	again, err := o.Resend(o.t.Context(), ack.EnvelopeID)
	if err != nil {
		o.t.Fatal(err)
	}
	return again
}

func TestACommandThatArrivesTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	t.Run("in the same envelope", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		ack, err := o.Command(t.Context(), o.ada.ID, o.general.ID, "/tidy-up", "octocat")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if again := o.resends(ack); again.Message != nil {
				t.Errorf("the second ack shows %q", again.Message.Text)
			}
		}
		o.card("Done")
		o.twice(2, o.ada, "/tidy-up")
		if len(o.requests()) != 1 || len(o.cards()) != 1 || len(o.told(o.ada)) != 1 {
			t.Errorf("%d requests; ada is told %q:\n%s", len(o.requests()), o.told(o.ada), o.story())
		}
		// Whoever types the same once more means it.
		o.types(o.ada, o.general, "octocat")
		o.wait("a second request", func() bool { return len(o.requests()) == 2 })
		o.fine()
	})
	t.Run("in another envelope", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		typed := func(trigger, text string) map[string]any {
			return map[string]any{"team_id": o.TeamID, "channel_id": o.home.ID, "user_id": o.ada.ID, "command": "/tidy-up", "text": text, "trigger_id": trigger}
		}
		var sending sync.WaitGroup
		for range 4 {
			sending.Go(func() { o.Send(t.Context(), "slash_commands", typed("1", "octocat")) })
		}
		sending.Wait()
		o.card("Done")
		o.twice(3, o.ada, "/tidy-up")
		if len(o.requests()) != 1 {
			t.Errorf("%d requests", len(o.requests()))
		}
		// After a restart it still came before.
		o.restart()
		o.sends("slash_commands", typed("1", "octocat"))
		o.twice(4, o.ada, "/tidy-up")
		// What differs is something else, and so is what can't be told apart.
		o.sends("slash_commands", typed("2", "octocat"))
		o.sends("slash_commands", typed("1", "hubot"))
		o.sends("slash_commands", typed("", "octocat"))
		o.sends("slash_commands", typed("", "octocat"))
		o.wait("the other requests", func() bool { return len(o.requests()) == 5 })
		o.twice(4, o.ada, "/tidy-up")
		if told := o.told(o.ada); len(told) != 0 {
			t.Errorf("ada is told %q", told)
		}
		o.fine()
	})
	t.Run("that makes several requests", func(t *testing.T) {
		t.Parallel()
		o := meeting(t, &crew{})
		o.commands(o.ada, o.place, "/let-go", ann+" "+bob)
		ack := o.fills(o.ada, map[string]slacktest.Value{"reason": slacktest.Text("has left"), "confirmed": slacktest.Pick("yes")})
		if again := o.resends(ack); len(again.Errors) > 0 {
			t.Errorf("the form says %v", again.Errors)
		}
		o.wait("a card", func() bool { return len(o.Messages(o.place.ID)) == 1 })
		o.twice(1, o.ada, "/let-go")
		if len(o.requests()) != 2 || len(o.Messages(o.place.ID)) != 1 {
			t.Errorf("%d requests:\n%s", len(o.requests()), o.story())
		}
		o.fine()
	})
}

func TestAClickThatArrivesTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	t.Run("an approval, in the same envelope", func(t *testing.T) {
		t.Parallel()
		c := &crew{words: ops.Plan{Approval: ops.Rule{Count: 2}}}
		o := meeting(t, c)
		card := o.proposes(o.ada, ann)
		choice := o.choice(card, ann)
		ack, err := o.Click(t.Context(), o.grace.ID, choice.Channel, choice.TS, "approve")
		if err != nil {
			t.Fatal(err)
		}
		o.resends(ack)
		o.says(choice, "Approved by")
		o.twice(1, o.grace, "approve")
		if r := o.request(); len(r.Reviews) != 1 || r.State != request.Waiting || len(o.told(o.grace)) != 0 {
			t.Errorf("%d approvals; grace is told %q", len(r.Reviews), o.told(o.grace))
		}
		o.fine()
	})
	t.Run("an approval, in another envelope", func(t *testing.T) {
		t.Parallel()
		c := &crew{words: ops.Plan{Approval: ops.Rule{Count: 2}}}
		o := meeting(t, c)
		card := o.proposes(o.ada, ann)
		choice := o.choice(card, ann)
		payload := o.pressed(o.grace, choice, "approve", "1")
		var sending sync.WaitGroup
		for range 3 {
			sending.Go(func() { o.Send(t.Context(), "interactive", payload) })
		}
		sending.Wait()
		o.says(choice, "Approved by")
		o.twice(2, o.grace, "approve")
		// Somebody else's click is another one, whatever it looks like.
		o.sends("interactive", o.pressed(o.hedy, choice, "approve", "1"))
		o.says(card, "Done")
		o.twice(2, o.grace, "approve")
		if n := c.runs(ann); n != 1 || len(o.told(o.grace)) != 0 {
			t.Errorf("it ran %d times; grace is told %q", n, o.told(o.grace))
		}
		o.fine()
	})
	t.Run("a click that is refused is answered once", func(t *testing.T) {
		t.Parallel()
		o := meeting(t, &crew{})
		choice := o.choice(o.proposes(o.ada, ann), ann)
		ack, err := o.Click(t.Context(), o.mallory.ID, choice.Channel, choice.TS, "withdraw")
		if err != nil {
			t.Fatal(err)
		}
		o.hears(o.mallory, 1)
		o.resends(ack)
		o.wait("recorded", func() bool { return len(o.recorded("refused")) == 2 })
		o.quietly()
		if told := o.told(o.mallory); len(told) != 1 {
			t.Errorf("mallory is told %q", told)
		}
		o.fine()
	})
	t.Run("Run again", func(t *testing.T) {
		t.Parallel()
		o, result := failed(t)
		ack, err := o.Click(t.Context(), o.grace.ID, o.home.ID, result.TS, "retry")
		if err != nil {
			t.Fatal(err)
		}
		o.resends(ack)
		o.wait("a second card", func() bool { return len(o.cards()) == 2 })
		o.resends(ack) // when the newer request is there
		o.twice(2, o.grace, "retry")
		if len(o.requests()) != 2 || len(o.told(o.grace)) != 0 {
			t.Errorf("%d requests; grace is told %q", len(o.requests()), o.told(o.grace))
		}
		o.fine()
	})
}

func TestAFormThatArrivesTwiceIsTakenOnce(t *testing.T) {
	t.Parallel()
	t.Run("a rejection, in the same envelope", func(t *testing.T) {
		t.Parallel()
		o := meeting(t, &crew{})
		card := o.proposes(o.ada, ann)
		choice := o.choice(card, ann)
		o.presses(o.grace, choice, "reject")
		ack := o.fills(o.grace, reason("Still needed."))
		if again := o.resends(ack); len(again.Errors) > 0 {
			t.Errorf("the form says %v", again.Errors)
		}
		o.says(card, "Not run")
		o.twice(1, o.grace, "reject")
		if len(o.told(o.grace)) != 0 || len(o.recorded("rejected")) != 1 {
			t.Errorf("grace is told %q", o.told(o.grace))
		}
		o.fine()
	})
	t.Run("an emergency, in another envelope", func(t *testing.T) {
		t.Parallel()
		c := &crew{}
		o := emergency(t, c)
		card := o.proposes(o.ada, ann)
		o.sealed(card, ann)
		payload := o.filled(o.grace, "decide:break-glass", value(o.request()), "Now.")
		for range 3 {
			o.sends("interactive", payload)
		}
		o.notice("Done")
		o.twice(2, o.grace, "break-glass")
		if n := c.runs(ann); n != 1 || len(o.told(o.grace)) != 0 || len(o.notices()) != 1 {
			t.Errorf("it ran %d times; grace is told %q", n, o.told(o.grace))
		}
		o.fine()
	})
	t.Run("a request, in another envelope", func(t *testing.T) {
		t.Parallel()
		o := meeting(t, &crew{})
		state := map[string]any{}
		for block, text := range map[string]string{"emails": ann, "reason": "has left", "confirmed": "yes"} {
			state[block] = map[string]any{block: map[string]any{"type": "plain_text_input", "value": text}}
		}
		for range 3 {
			o.sends("interactive", map[string]any{
				"type": "view_submission", "trigger_id": "1", "team": map[string]any{"id": o.TeamID}, "user": map[string]any{"id": o.ada.ID, "team_id": o.TeamID},
				"view": map[string]any{"id": "V1", "hash": "h", "type": "modal", "callback_id": "ask:let-go", "private_metadata": o.place.ID, "state": map[string]any{"values": state}},
			})
		}
		o.wait("a card", func() bool { return len(o.Messages(o.place.ID)) == 1 })
		o.twice(2, o.ada, "/let-go")
		if len(o.requests()) != 1 || len(o.Messages(o.place.ID)) != 1 {
			t.Errorf("%d requests:\n%s", len(o.requests()), o.story())
		}
		o.fine()
	})
}

// filled is the form of a decision as Slack sends it, made up.
func (o *office) filled(who slacktest.User, callback, value, why string) map[string]any {
	return map[string]any{
		"type": "view_submission", "trigger_id": "1", "team": map[string]any{"id": o.TeamID}, "user": map[string]any{"id": who.ID, "team_id": o.TeamID},
		"view": map[string]any{
			"id": "V1", "hash": "h", "type": "modal", "callback_id": callback, "private_metadata": fmt.Sprintf(`{"value":%q,"channel":%q}`, value, o.place.ID),
			"state": map[string]any{"values": map[string]any{"reason": map[string]any{"reason": map[string]any{"type": "plain_text_input", "value": why}}}},
		},
	}
}

func TestAFormThatIsOpenIsntSaidToBeShut(t *testing.T) {
	t.Parallel()
	t.Run("where its command arrives twice", func(t *testing.T) {
		t.Parallel()
		o := meeting(t, &crew{})
		ack, err := o.Command(t.Context(), o.ada.ID, o.place.ID, "/let-go", ann)
		if err != nil {
			t.Fatal(err)
		}
		o.form(o.ada)
		o.resends(ack)
		o.twice(1, o.ada, "/let-go")
		if told := o.told(o.ada); len(told) != 0 || len(o.Views(o.ada.ID)) != 1 {
			t.Errorf("ada has %d forms open, and is told %q", len(o.Views(o.ada.ID)), told)
		}
	})
	t.Run("where its click arrives twice", func(t *testing.T) {
		t.Parallel()
		o := meeting(t, &crew{})
		choice := o.choice(o.proposes(o.ada, ann), ann)
		ack, err := o.Click(t.Context(), o.grace.ID, choice.Channel, choice.TS, "reject")
		if err != nil {
			t.Fatal(err)
		}
		o.form(o.grace)
		o.resends(ack)
		o.twice(1, o.grace, "reject")
		if told := o.told(o.grace); len(told) != 0 || len(o.Views(o.grace.ID)) != 1 {
			t.Errorf("grace has %d forms open, and is told %q", len(o.Views(o.grace.ID)), told)
		}
	})
}

func TestWhatIsStoredNowhereIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	t.Run("/rootbot link", func(t *testing.T) {
		t.Parallel()
		r := registers(t, githubtest.Options{})
		ack, err := r.Command(t.Context(), r.nemo.ID, r.general.ID, "/rootbot", "link")
		if err != nil {
			t.Fatal(err)
		}
		r.hears(r.nemo, 1)
		r.resends(ack)
		r.twice(1, r.nemo, "/rootbot link")
		if n := len(r.gh.Codes()); n != 1 || len(r.told(r.nemo)) != 1 {
			t.Errorf("GitHub has given %d codes, and nemo is told %q", n, r.told(r.nemo))
		}
	})
	t.Run("a button that there isn't", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		for _, relic := range []slacktest.Message{o.relic("burn-down", "x"), o.relic("approve", "nobody:")} {
			before := len(o.told(o.grace))
			ack, err := o.Click(t.Context(), o.grace.ID, relic.Channel, relic.TS, o.again(relic).Buttons()[0].ActionID)
			if err != nil {
				t.Fatal(err)
			}
			o.hears(o.grace, before+1)
			o.resends(ack)
			o.quietly()
			if told := o.told(o.grace); len(told) != before+1 {
				t.Errorf("grace is told %q", told)
			}
		}
		n := 0
		for _, e := range o.recorded("refused") {
			if strings.Contains(fmt.Sprint(e.Data["reason"]), "arrived twice") {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d are recorded as having arrived twice", n)
		}
	})
}

func TestAButtonThatThereIsntIsRefusedAndRecorded(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	choice := o.choice(o.proposes(o.ada, ann), ann)
	long := strings.Repeat("x", 200)
	for i, action := range []string{"burn-down", "approved", "admitted", long} {
		o.presses(o.grace, o.relic(action, value(o.request())), action)
		contains(t, "the answer", o.hears(o.grace, i+1), "don't know that button", "Nothing was changed")
	}
	o.presses(o.grace, o.relic("approve", "nobody:"+strings.Repeat("y", 500)), "approve")
	contains(t, "the answer", o.hears(o.grace, 5), "don't know the request", "Nothing was changed")
	o.quietly()
	var tried []string
	for _, e := range o.recorded("refused") {
		if e.By != "slack:"+o.TeamID+"/U0GRACE" {
			t.Errorf("recorded is %+v", e)
		}
		tried = append(tried, fmt.Sprint(e.Data["tried"], ": ", e.Data["reason"]))
	}
	const none = ": There is no such button."
	same(t, "what is recorded", []string{
		"button burn-down" + none, "button approved" + none, "button admitted" + none, "button " + strings.Repeat("x", 99) + "…" + none, "button approve: There is no request nobody.",
	}, tried)
	if r := o.request(); r.State != request.Waiting || len(labels(o.again(choice))) != 3 {
		t.Errorf("it is %s", r.State)
	}
	o.fine()
}

// A form may be of a request that the database, restored from an older copy,
// doesn't know.
func TestAFormOfNoRequestIsAnswered(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{})
	for i, verb := range []string{request.Approve, request.Reject, request.BreakGlass, request.Reviewed, request.Undo} {
		payload := o.filled(o.grace, "decide:"+verb, "01970000-0000-7000-8000-00000000cafe:0000", "Now.")
		payload["trigger_id"] = verb
		if verb == request.Approve {
			state := payload["view"].(map[string]any)["state"].(map[string]any)["values"].(map[string]any)
			state["name"] = map[string]any{"name": map[string]any{"type": "plain_text_input", "value": ann}}
		}
		ack := o.sends("interactive", payload)
		if len(ack.Payload) > 0 {
			t.Errorf("the ack of %s is %s", verb, ack.Payload)
		}
		o.wait("grace told", func() bool { return len(o.Direct(o.grace.ID)) == i+1 })
		contains(t, "grace's answer", o.Direct(o.grace.ID)[i].PlainText(), "no such request", "othing")
	}
	o.quietly()
	events := o.recorded("refused")
	for _, e := range events {
		if e.By != "slack:"+o.TeamID+"/U0GRACE" || e.Request != "" {
			t.Errorf("recorded is %+v", e)
		}
	}
	if len(events) != 5 || len(o.requests()) != 0 || len(o.cards()) != 0 {
		t.Errorf("%d refusals, %d requests:\n%s", len(events), len(o.requests()), o.story())
	}
	o.fine()
}

// Without a trigger, an envelope that comes again is told by its own ID.
func TestAnEnvelopeWithoutATriggerThatArrivesTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	payload := map[string]any{
		"team_id": o.TeamID, "user_id": o.ada.ID, "channel_id": o.home.ID, "command": "/tidy-up", "text": "octocat", "response_url": "http://127.0.0.1:1/",
	}
	ack, err := o.Send(t.Context(), "slash_commands", payload)
	if err != nil {
		t.Fatal(err)
	}
	o.resends(ack)
	if _, err := o.Send(t.Context(), "slash_commands", payload); err != nil { // somebody types the same once more
		t.Fatal(err)
	}
	o.wait("two cards", func() bool { return len(o.cards()) == 2 })
	o.twice(1, o.ada, "/tidy-up")
}
