package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

func TestWhatIsApprovedRuns(t *testing.T) {
	t.Parallel()
	c := &crew{words: ops.Plan{Warnings: []string{"Last seen 3 days ago."}}}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	contains(t, "the card", o.says(card, "Waiting").PlainText(), "/let-go", "<@U0ADA>", "GitHub: ada", ann, "has left", "Waiting", "1 approval")
	thread := o.under(card)
	if len(thread) != 2 || thread[1].TS != choice.TS {
		t.Fatalf("under the card stands\n%s", o.story())
	}
	contains(t, "the plan", thread[0].PlainText(), "Lets "+ann+" go.", "Last seen 3 days ago.", "take the badge of "+ann)
	logged := o.card("Waiting")
	contains(t, "the card in the log channel", logged.PlainText(), "<@U0ADA>", ann)
	if c.runs(ann) != 0 {
		t.Error("it ran before anybody approved")
	}

	o.presses(o.grace, choice, "approve")
	o.says(card, "Done")
	o.quietly()
	if n := c.runs(ann); n != 1 {
		t.Errorf("it ran %d times", n)
	}
	same(t, "who approved, as the run sees it", []string{"grace"}, c.by)
	for _, m := range []slacktest.Message{o.again(card), o.card("Done"), o.again(choice)} {
		contains(t, "a card", m.PlainText(), "Approved by <@U0GRACE> (grace) at "+time.Now().UTC().Format("2 Jan "), "is gone")
		if len(m.Buttons()) > 0 {
			t.Errorf("there are buttons in\n%s", m.PlainText())
		}
	}
	if n := len(o.under(card)); n != 2 {
		t.Errorf("%d messages under the card, want the plan and the decision:\n%s", n, o.story())
	}
	same(t, "the log channel's thread", []string{"Log", "Result"}, o.replies(logged))
	direct := o.Direct(o.ada.ID)
	if len(direct) != 1 {
		t.Fatalf("ada has %d direct messages", len(direct))
	}
	contains(t, "ada's direct message", direct[0].PlainText(), "/let-go", ann, "Done", "/archives/"+o.place.ID+"/p"+strings.ReplaceAll(card.TS, ".", ""))
	for _, who := range []slacktest.User{o.ada, o.grace} {
		if told := o.told(who); len(told) > 0 {
			t.Errorf("%s is told in private: %q", who.Name, told)
		}
	}
	o.fine()
}

func TestARejectionGivesItsReason(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	o.presses(o.grace, choice, "reject")
	golden(t, "form-reject.txt", o.RenderView(o.form(o.grace)))
	if _, err := o.Submit(t.Context(), o.grace.ID, o.form(o.grace).ID, nil); err == nil {
		t.Error("the form can be sent without a reason")
	}
	if ack := o.fills(o.grace, map[string]slacktest.Value{"reason": slacktest.Text("  ")}); ack.Errors["reason"] == "" {
		t.Error("a reason of blanks is taken")
	}
	o.fills(o.grace, map[string]slacktest.Value{"reason": slacktest.Text("Still needed.")})
	o.says(card, "Not run")
	o.quietly()
	for _, m := range []slacktest.Message{o.again(card), o.card("Not run"), o.again(choice)} {
		contains(t, "a card", m.PlainText(), "grace rejected it: Still needed.")
		if len(m.Buttons()) > 0 {
			t.Errorf("there are buttons in\n%s", m.PlainText())
		}
	}
	if len(o.Direct(o.ada.ID)) != 1 {
		t.Fatalf("ada has %d direct messages", len(o.Direct(o.ada.ID)))
	}
	contains(t, "ada's direct message", o.Direct(o.ada.ID)[0].PlainText(), ann, "Still needed.")
	if c.runs(ann) != 0 || len(o.Direct(o.grace.ID)) > 0 {
		t.Errorf("it ran %d times; grace has %d direct messages", c.runs(ann), len(o.Direct(o.grace.ID)))
	}
	o.fine()
}

func TestWithdrawing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		who  func(*office) slacktest.User
		by   string // empty: refused
	}{
		{"who asked may", func(o *office) slacktest.User { return o.ada }, "ada"},
		{"a member may", func(o *office) slacktest.User { return o.grace }, "grace"},
		{"somebody else may not", func(o *office) slacktest.User { return o.mallory }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := meeting(t, &crew{})
			card := o.proposes(o.ada, ann)
			choice := o.choice(card, ann)
			o.presses(test.who(o), choice, "withdraw")
			if test.by == "grace" {
				// It is somebody else's request, which takes a reason.
				golden(t, "form-withdraw.txt", o.RenderView(o.form(o.grace)))
				if ack := o.fills(o.grace, reason(" ")); ack.Errors["reason"] == "" {
					t.Error("a reason of blanks is taken")
				}
				o.fills(o.grace, reason("Ann stays."))
			} else if views := o.Views(test.who(o).ID); len(views) > 0 {
				t.Errorf("a form is open:\n%s", o.RenderView(views[0]))
			}
			if test.by == "" {
				contains(t, "mallory's answer", o.hears(o.mallory, 1), "not a member", admins)
				if !o.request().EndedAt.IsZero() {
					t.Errorf("it is %s", o.request().State)
				}
				o.fine()
				return
			}
			contains(t, "the card", o.says(card, "Withdrawn").PlainText(), test.by+" withdrew it")
			o.quietly()
			if b := labels(o.again(choice)); len(b) > 0 {
				t.Errorf("there are still the buttons %q", b)
			}
			o.fine()
		})
	}
}

func TestWhatIsDangerousIsApprovedByName(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c, func(op *ops.Operation, _ *request.Terms) { op.Dangerous = true })
	card := o.proposes(o.ada, "Ann@example.com")
	choice := o.choice(card, "Ann@example.com")
	for i, typed := range []string{"ann@example.com", "Ann@example.com ", "Ann"} {
		o.presses(o.grace, choice, "approve")
		if i == 0 {
			golden(t, "form-approve.txt", o.RenderView(o.form(o.grace)))
		}
		ack := o.fills(o.grace, map[string]slacktest.Value{"name": slacktest.Text(typed)})
		contains(t, "the form, at the field", ack.Errors["name"], "You typed “"+typed+"”", "is “Ann@example.com”")
	}
	if r := o.request(); r.State != request.Waiting || len(r.Reviews) > 0 {
		t.Fatalf("it is %s with %d approvals", r.State, len(r.Reviews))
	}
	o.presses(o.grace, choice, "approve")
	o.fills(o.grace, map[string]slacktest.Value{"name": slacktest.Text("Ann@example.com")})
	o.says(card, "Done")
	if n := c.runs("Ann@example.com"); n != 1 {
		t.Errorf("it ran %d times", n)
	}
	o.fine()
}

func TestWhatWasDoneIsTakenBack(t *testing.T) {
	t.Parallel()
	c := &crew{grace: true}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	o.presses(o.grace, o.choice(card, ann), "approve")
	offer := o.buttons(card, "Restore", "undo")
	contains(t, "the offer", offer.PlainText(), ann, "Press *Restore* by ", "everything is as before", "Approved by <@U0GRACE>")
	contains(t, "the card", o.again(card).PlainText(), "Running")

	o.presses(o.mallory, offer, "undo")
	contains(t, "mallory's answer", o.hears(o.mallory, 1), "not a member")
	if len(o.Views(o.mallory.ID)) > 0 {
		t.Error("a form is open before mallory")
	}

	o.presses(o.hedy, offer, "undo")
	golden(t, "form-restore.txt", o.RenderView(o.form(o.hedy)))
	o.fills(o.hedy, map[string]slacktest.Value{"reason": slacktest.Text("The wrong Ann.")})
	contains(t, "the card", o.says(card, "Restored").PlainText(), "hedy", "The wrong Ann.")
	o.quietly()
	c.with(func(c *crew) {
		if c.gone[ann] != 1 || c.back[ann] != 1 {
			t.Errorf("let go %d times, taken back %d times", c.gone[ann], c.back[ann])
		}
	})
	if b := labels(o.again(offer)); len(b) > 0 {
		t.Errorf("there are still the buttons %q", b)
	}
	if n := len(o.Direct(o.ada.ID)); n != 1 {
		t.Errorf("ada has %d direct messages", n)
	}
	o.fine()
}

func TestTwoApprovalsAreOfTwoPeople(t *testing.T) {
	t.Parallel()
	c := &crew{words: ops.Plan{Approval: ops.Rule{Count: 2, Why: "They hold the <keys>."}}}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	contains(t, "what is to be decided", choice.PlainText(), "2 approvals", "They hold the <keys>.")
	o.presses(o.ada, choice, "approve")
	contains(t, "ada's answer", o.hears(o.ada, 1), "asked for")
	o.presses(o.nemo, choice, "approve")
	contains(t, "nemo's answer", o.hears(o.nemo, 1), "don't know which GitHub login", admins)
	o.presses(o.grace, choice, "approve")
	o.says(card, "Waiting* for 1 approval")
	contains(t, "what is to be decided", o.says(choice, "Approved by").PlainText(), "1 approval")
	o.presses(o.grace, choice, "approve")
	contains(t, "grace's answer", o.hears(o.grace, 1), "approved this already", "one person counts once")
	if c.runs(ann) != 0 {
		t.Error("it ran with one approval")
	}
	o.presses(o.hedy, choice, "approve")
	contains(t, "the card", o.says(card, "Done").PlainText(), "(grace)", "(hedy)")
	if n := c.runs(ann); n != 1 {
		t.Errorf("it ran %d times", n)
	}
	o.fine()
}

func TestSeveralAreDecidedEachByThemselvesUnderOneCard(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann+" "+bob)
	first, second := o.choice(card, ann), o.choice(card, bob)
	contains(t, "the card", o.again(card).PlainText(), ann, bob, "has left")
	list := o.requests()
	if len(list) != 2 || list[0].Card != list[1].Card {
		t.Fatalf("%d requests", len(list))
	}
	o.presses(o.grace, second, "reject")
	o.fills(o.grace, map[string]slacktest.Value{"reason": slacktest.Text("Not Bob.")})
	o.says(card, "Not Bob.")
	o.presses(o.grace, first, "approve")
	text := o.says(card, "Done").PlainText()
	o.quietly()
	if c.runs(ann) != 1 || c.runs(bob) != 0 {
		t.Errorf("ann is let go %d times, bob %d times", c.runs(ann), c.runs(bob))
	}
	contains(t, "the card", text, ann, bob, "grace rejected it: Not Bob.", "Approved by <@U0GRACE> (grace) at ")
	if len(o.Messages(o.place.ID)) != 1 || len(o.cards()) != 1 {
		t.Errorf("%d cards where it is decided, %d in the log channel", len(o.Messages(o.place.ID)), len(o.cards()))
	}
	if n := len(o.Direct(o.ada.ID)); n != 2 {
		t.Errorf("ada has %d direct messages", n)
	}
	o.fine()
}

// Who decided what, and when: also where several stand on one card.
func TestACardSaysWhenSomebodyDecided(t *testing.T) {
	t.Parallel()
	at := noon.Add(25 * time.Hour)
	decided := func(r *request.Request) {
		r.Decided = &request.Review{By: "grace", User: "U0GRACE", At: at, Reason: "Not Bob."}
		r.Reason, r.EndedAt = "grace rejected it: Not Bob.", at
	}
	for _, test := range []struct {
		name string
		d    drawing
	}{
		{"of one", drawing{r: removal(bob, request.Refused, decided), kind: request.Card}},
		{"of several", drawing{r: removal(ann, request.Waiting, nil), kind: request.Card, others: []request.Request{removal(bob, request.Refused, decided)}}},
		{"below the card", drawing{r: removal(bob, request.Refused, decided), kind: request.Ask}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, list := drawn(t, test.d)
			contains(t, "it", list[0].PlainText(), "grace", "Not Bob.", "3 Mar 13:00")
		})
	}
}

func TestWhatNeedsNothingDoneAsksNobody(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	c.with(func(c *crew) { c.gone[ann] = 1 })
	card := o.proposes(o.ada, ann)
	contains(t, "the card", o.says(card, "Nothing to do").PlainText(), ann+" isn't here.")
	o.quietly()
	for _, m := range o.under(card) {
		if strings.Contains(m.PlainText(), "Decided") || len(m.Buttons()) > 0 {
			t.Errorf("nobody decided anything, and there stands\n%s", m.PlainText())
		}
	}
	o.fine()
}

func TestRunningAgainIsDecidedAgain(t *testing.T) {
	t.Parallel()
	c := &crew{fault: &ops.Error{Kind: ops.Unavailable, What: "No door."}}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	o.presses(o.grace, o.choice(card, ann), "approve")
	logged := o.card("Failed")
	o.quietly()
	thread := o.thread(logged)
	result := thread[len(thread)-1]
	same(t, "its buttons", []string{"retry", "undo"}, labels(result))
	c.with(func(c *crew) { c.fault = nil })
	o.presses(o.grace, result, "retry")
	o.fills(o.grace, map[string]slacktest.Value{"confirmed": slacktest.Pick("yes")})
	o.wait("a second card", func() bool { return len(o.Messages(o.place.ID)) == 2 })
	second := o.Messages(o.place.ID)[1]
	choice := o.choice(second, ann)
	contains(t, "the second card", o.says(second, "Waiting").PlainText(), "<@U0GRACE>", "again")
	o.presses(o.grace, choice, "approve")
	contains(t, "grace's answer", o.hears(o.grace, 1), "asked for")
	o.presses(o.ada, choice, "approve")
	o.says(second, "Done")
	if n := c.runs(ann); n != 1 {
		t.Errorf("it ran %d times", n)
	}
	o.fine()
}

func TestPeopleAreRemindedInTheThread(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	card := o.proposes(o.ada, ann)
	o.choice(card, ann)
	o.quietly()
	o.ahead.Store(int64(71 * time.Hour))
	o.restart()
	o.wait("a reminder", func() bool { return len(o.under(card)) == 3 })
	contains(t, "the reminder", o.under(card)[2].PlainText(), "Still waiting for 1 approval, until ", "Lets "+ann+" go.")
	o.quietly()
	if len(o.under(card)) != 3 {
		t.Errorf("reminded more than once:\n%s", o.story())
	}
	o.fine()
}

// One of several that were asked for together may be turned away by itself.
func TestNobodyIsTurnedAwayWithoutAWord(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{}, func(op *ops.Operation, _ *request.Terms) {
		op.Lock = func(r ops.Request) string {
			if r.Inputs["emails"][0] == bob {
				panic("no lock for Bob")
			}
			return ""
		}
	})
	card := o.proposes(o.ada, ann+" "+bob)
	o.choice(card, ann)
	o.wait("both checked", func() bool {
		l := o.requests()
		return len(l) == 2 && l[1].State == request.Refused
	})
	o.quietly()
	if text := o.again(card).PlainText(); len(o.told(o.ada)) == 0 && !strings.Contains(text, bob) {
		t.Errorf("Bob's request was turned away, and neither the card nor anything else says so:\n%s", o.story())
	}
}
