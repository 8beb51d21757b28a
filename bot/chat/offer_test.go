package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// What was done can be restored until something irreversible was done, whatever
// became of the request.
func TestWhatWasDoneOffersItsRestore(t *testing.T) {
	t.Parallel()
	acted := func(r *request.Request) { r.StartedAt, r.ActedAt = noon, noon }
	final := func(r *request.Request) { acted(r); r.FinalAt = noon }
	tried := func(r *request.Request) {
		acted(r)
		r.Restoring = &request.Review{By: "hedy", User: "U0HEDY", At: noon, Reason: "Wrong."}
	}
	lifted := func(r *request.Request) { acted(r); r.Lifted = "Ann has her badge back." }
	for _, test := range []struct {
		name   string
		state  request.State
		with   func(*request.Request)
		ask    []string
		result []string
		label  string
	}{
		{"it runs", request.Running, acted, []string{"undo"}, nil, "Restore"},
		{"it runs, and nothing was done", request.Running, nil, nil, nil, ""},
		{"it was approved, and can't begin yet", request.Approved, func(r *request.Request) { r.HeldUp = "GitHub is away." }, []string{"withdraw"}, nil, ""},
		{"it runs and waits, and nothing was done", request.Running, func(r *request.Request) { r.Waits.For = "AWS closes no account today." }, []string{"withdraw"}, nil, ""},
		{"it runs, and something irreversible was done", request.Running, final, nil, nil, ""},
		{"it waits for approvals in the middle", request.Waiting, acted, []string{"approve", "reject", "withdraw", "undo"}, nil, "Restore"},
		{"people undid it by hand, and it waits", request.Waiting, lifted, []string{"quarantine-again", "end", "undo"}, nil, "Restore"},
		{"people undid it by hand, and it runs", request.Running, lifted, []string{"quarantine-again", "end", "undo"}, nil, "Restore"},
		{"it failed", request.Failed, acted, []string{"undo"}, []string{"retry", "undo"}, "Restore"},
		{"it failed after something irreversible", request.Failed, final, nil, []string{"retry"}, ""},
		{"nobody knows how it ended", request.Unknown, acted, []string{"undo"}, []string{"retry", "undo"}, "Restore"},
		{"it expired in the middle", request.Expired, acted, []string{"undo"}, []string{"undo"}, "Restore"},
		{"it was rejected in the middle", request.Refused, acted, []string{"undo"}, []string{"undo"}, "Restore"},
		{"it was withdrawn in the middle", request.Withdrawn, acted, []string{"undo"}, []string{"undo"}, "Restore"},
		{"restoring it has failed", request.Failed, tried, []string{"undo"}, []string{"undo"}, "Restore again"},
		{"nobody knows how restoring it has ended", request.Unknown, tried, []string{"undo"}, []string{"undo"}, "Restore again"},
		{"it is being restored", request.Undoing, tried, nil, nil, ""},
		{"it was restored", request.Undone, tried, nil, nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for kind, want := range map[string][]string{request.Ask: test.ask, request.Result: test.result} {
				if kind == request.Result && !test.state.Ended() {
					continue
				}
				_, list := drawn(t, drawing{r: removal(ann, test.state, test.with), kind: kind})
				same(t, "the buttons of the "+kind, want, labels(list[0]))
				for _, b := range list[0].Buttons() {
					if b.ActionID == "undo" && b.Text != test.label {
						t.Errorf("the button of the %s says %q", kind, b.Text)
					}
					if b.ActionID == "quarantine-again" && (b.Text != "Let go again" || b.Confirm == "") {
						t.Errorf("the button says %q, and asks %q", b.Text, b.Confirm)
					}
				}
			}
		})
	}
}

func TestWhatCantBeRunAgainSafelyHasNoButtonForThat(t *testing.T) {
	t.Parallel()
	_, list := drawn(t, drawing{r: requestIn(request.Failed, func(r *request.Request) { r.Report = alarming(3) }), kind: request.Result})
	if b := labels(list[0]); len(b) > 0 {
		t.Errorf("what took away more than was planned has the buttons %q", b)
	}
}

func TestOnlyTheNewestResultCanBeRunAgain(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(broken))
	var results []slacktest.Message
	for i := range 3 {
		if i < 2 {
			o.types(o.ada, o.home, "octocat")
		} else {
			o.presses(o.grace, results[1], "retry")
		}
		o.wait("failed", func() bool { return len(o.cards()) == i+1 && strings.Contains(o.cards()[i].PlainText(), "Failed") })
		o.quietly()
		thread := o.thread(o.cards()[i])
		results = append(results, thread[len(thread)-1])
		for n, result := range results {
			want := []string{}
			if n == i {
				want = []string{"retry"}
			}
			same(t, fmt.Sprintf("the buttons of result %d of %d", n, i), want, labels(o.again(result)))
		}
	}
	contains(t, "the second result", o.again(results[1]).PlainText(), "Result", "No broom.", "grace asked for it again at ", o.link(o.cards()[2]))
	// Who still sees the old button is told where the newest is.
	o.presses(o.hedy, o.relic("retry", value(o.requests()[0])), "retry")
	contains(t, "hedy's answer", o.hears(o.hedy, 1), "asked for it again", "Nothing was changed")
	// What is about somebody else has its own.
	o.types(o.ada, o.home, "hubot")
	o.wait("failed", func() bool { return len(o.cards()) == 4 && strings.Contains(o.cards()[3].PlainText(), "Failed") })
	o.quietly()
	same(t, "the buttons of the newest", []string{"retry"}, labels(o.again(results[2])))
	o.fine()
}

// What a person must state isn't copied from another person.
func TestRunningAgainAsksAnewWhatMustBeStated(t *testing.T) {
	t.Parallel()
	c := &crew{fault: &ops.Error{Kind: ops.Unavailable, What: "No door."}}
	o := meeting(t, c, func(op *ops.Operation, _ *request.Terms) {
		op.Form = slices.Clone(op.Form)
		op.Form[2].Retype = true
	})
	o.commands(o.ada, o.place, "/let-go", ann)
	o.fills(o.ada, map[string]slacktest.Value{"reason": slacktest.Text("has left"), "ticket": slacktest.Text("T-1"), "confirmed": slacktest.Pick("yes")})
	o.wait("a card", func() bool { return len(o.Messages(o.place.ID)) == 1 })
	card := o.Messages(o.place.ID)[0]
	o.presses(o.grace, o.choice(card, ann), "approve")
	logged := o.card("Failed")
	o.quietly()
	thread := o.thread(logged)
	result := thread[len(thread)-1]

	o.presses(o.mallory, result, "retry")
	contains(t, "mallory's answer", o.hears(o.mallory, 1), "not a member")
	if len(o.Views(o.mallory.ID)) > 0 {
		t.Error("a form is open before mallory")
	}

	o.presses(o.hedy, result, "retry")
	form := o.form(o.hedy)
	contains(t, "the form", form.PlainText(), ann, "has left", "I have asked their other teams")
	if strings.Contains(form.PlainText(), "T-1") {
		t.Errorf("what must be typed anew stands there already:\n%s", form.PlainText())
	}
	if _, err := o.Submit(t.Context(), o.hedy.ID, form.ID, nil); err == nil {
		t.Error("the form can be sent without the statement")
	}
	o.fills(o.hedy, map[string]slacktest.Value{"confirmed": slacktest.Pick("yes")})
	o.wait("a second request", func() bool { return len(o.requests()) == 2 })
	list := o.requests()
	if list[1].Again != list[0].ID || list[1].Asker.User != o.hedy.ID || list[1].Asker.Channel != o.place.ID {
		t.Errorf("stored is %+v", list[1])
	}
	o.fine()
}

// What is open can be decided where it is listed, also where its message is gone.
func TestWhatIsOpenIsListedWithItsButtons(t *testing.T) {
	t.Parallel()
	c := &crew{grace: true}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	second := o.proposes(o.ada, bob)
	o.choice(second, bob)
	o.quietly()
	o.deletes(choice)
	listed := func(who slacktest.User) slacktest.Message {
		before := len(o.told(who))
		o.asksAbout(who, "requests")
		return o.Ephemerals(who.ID)[before]
	}
	list := listed(o.grace)
	same(t, "the buttons", []string{"approve", "reject", "withdraw", "approve", "reject", "withdraw"}, labels(list))
	var values []string
	for _, b := range list.Buttons() {
		if b.ActionID == "approve" {
			values = append(values, b.Value)
		}
	}
	same(t, "what they are about", []string{value(o.requests()[0]), value(o.requests()[1])}, values)
	o.presses(o.grace, list, "approve")
	offer := o.buttons(card, "Restore", "undo")
	o.quietly()
	o.deletes(offer)
	list = listed(o.hedy)
	same(t, "the buttons", []string{"undo", "approve", "reject", "withdraw"}, labels(list))
	o.presses(o.hedy, list, "undo")
	o.fills(o.hedy, reason("The wrong Ann."))
	o.says(card, "Restored")
	c.with(func(c *crew) {
		if c.back[ann] != 1 {
			t.Errorf("restored %d times", c.back[ann])
		}
	})
	o.fine()
}

// What ended can still be restored, and what ran alone still be looked at.
func TestWhatHasEndedIsListedWhereThereIsSomethingToDecide(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	add := func(about string, state request.State, change func(*request.Request)) {
		r := removal(about, state, change)
		r.ID, r.At, r.Asker.Workspace = "", time.Now(), o.TeamID
		o.stored(o.desk.Store, r)
	}
	add("restorable@example.com", request.Failed, func(r *request.Request) { r.ActedAt = noon })
	add("final@example.com", request.Failed, func(r *request.Request) { r.ActedAt, r.FinalAt = noon, noon })
	add("alone@example.com", request.Succeeded, func(r *request.Request) {
		r.Glass = &request.Review{By: "grace", User: "U0GRACE", At: noon, Reason: "Now."}
	})
	add("looked@example.com", request.Succeeded, func(r *request.Request) {
		r.Glass = &request.Review{By: "grace", User: "U0GRACE", At: noon, Reason: "Now."}
		r.Looked = &request.Review{By: "hedy", User: "U0HEDY", At: noon, Reason: "Fine."}
	})
	said := o.asksAbout(o.hedy, "requests")
	contains(t, "the list", said, "restorable@example.com", "alone@example.com")
	for _, not := range []string{"final@example.com", "looked@example.com"} {
		if strings.Contains(said, not) {
			t.Errorf("%s is listed", not)
		}
	}
	same(t, "the buttons", []string{"undo", "reviewed"}, labels(o.Ephemerals(o.hedy.ID)[0]))
}

func TestWhoCantDecideIsToldBeforeTheFormOpens(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{}, func(op *ops.Operation, _ *request.Terms) { op.Dangerous = true })
	choice := o.sealed(o.proposes(o.ada, ann), ann)
	told := map[string]int{}
	for _, no := range []struct {
		who    slacktest.User
		action string
		says   []string
	}{
		{o.ada, "approve", []string{"You asked for this, so grace or hedy must approve."}},
		{o.mallory, "approve", []string{"not a member"}},
		{o.mallory, "reject", []string{"not a member"}},
		{o.mallory, "withdraw", []string{"not a member"}},
		{o.nemo, "reject", []string{"don't know which GitHub login"}},
		{o.hedy, "break-glass", []string{"Only those whom the bot's settings name", "GRACE"}},
	} {
		told[no.who.ID]++
		o.presses(no.who, choice, no.action)
		contains(t, no.who.Name+"'s answer", o.hears(no.who, told[no.who.ID]), no.says...)
		if views := o.Views(no.who.ID); len(views) > 0 {
			t.Errorf("a form is open before %s", no.who.Name)
		}
	}
	for _, e := range o.recorded("refused") {
		if e.Request != o.request().ID || e.Data["tried"] == "" {
			t.Errorf("recorded is %+v", e)
		}
	}
	if n := len(o.recorded("refused")); n != 6 {
		t.Errorf("%d refusals are recorded", n)
	}
	// Who may, and who may isn't known in time, gets the form.
	o.presses(o.hedy, choice, "approve")
	o.form(o.hedy)
	o.chat.Patient(100*time.Millisecond, 8*time.Second)
	o.SetDelay("users.info", time.Second)
	o.presses(o.grace, choice, "reject")
	o.form(o.grace)
	o.fine()
}

func TestTheCardsOfTwoChannelsLeadToEachOther(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	card := o.proposes(o.ada, ann)
	o.choice(card, ann)
	o.quietly()
	card, logged := o.again(card), o.cards()[0]
	contains(t, "the card where it is decided", card.PlainText(), o.link(logged)+"|log and result")
	contains(t, "the card in the log channel", logged.PlainText(), o.link(card)+"|plan and decision")
}
