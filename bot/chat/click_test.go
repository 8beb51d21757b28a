package chat_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

func TestAClickThatComesTooLateIsAnsweredWithWhatHappenedAndWhen(t *testing.T) {
	t.Parallel()
	reason := func(s string) map[string]slacktest.Value {
		return map[string]slacktest.Value{"reason": slacktest.Text(s)}
	}
	for _, test := range []struct {
		name  string
		terms func(*ops.Operation, *request.Terms)
		end   func(*office, *crew, slacktest.Message) // how it was decided
		card  string
		says  []string
	}{
		{"rejected", nil, func(o *office, _ *crew, m slacktest.Message) {
			o.presses(o.grace, m, "reject")
			o.fills(o.grace, reason("Still needed."))
		}, "Not run", []string{"grace rejected it: Still needed."}},
		{"withdrawn", nil, func(o *office, _ *crew, m slacktest.Message) { o.presses(o.ada, m, "withdraw") }, "Withdrawn", []string{"ada withdrew it."}},
		{"expired", nil, func(o *office, _ *crew, _ slacktest.Message) {
			o.ahead.Store(int64(100 * time.Hour))
			o.restart()
		}, "Expired", []string{"Nobody decided by"}},
		{"run", nil, func(o *office, _ *crew, m slacktest.Message) { o.presses(o.grace, m, "approve") }, "Done", []string{"as succeeded"}},
		{"running", nil, func(o *office, c *crew, m slacktest.Message) {
			c.with(func(c *crew) { c.busy = make(chan bool) })
			o.presses(o.grace, m, "approve")
		}, "Running", []string{"being run", "grace approved it at "}},
		{"failed", nil, func(o *office, c *crew, m slacktest.Message) {
			c.with(func(c *crew) { c.fault = &ops.Error{Kind: ops.Unavailable, What: "No door."} })
			o.presses(o.grace, m, "approve")
		}, "Failed", []string{"No door."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &crew{}
			o := meeting(t, c)
			card := o.proposes(o.ada, ann)
			test.end(o, c, o.choice(card, ann))
			if test.name == "running" {
				t.Cleanup(func() { close(c.busy) })
			}
			o.says(card, test.card)
			o.quietly()
			told, runs := len(o.told(o.hedy)), c.runs(ann)
			actions := []string{"approve"}
			if test.name == "rejected" {
				actions = append(actions, "reject", "withdraw")
			}
			for i, action := range actions {
				o.presses(o.hedy, o.relic(action, value(o.request())), action)
				contains(t, "the answer to "+action, o.hears(o.hedy, told+i+1),
					append(test.says, time.Now().Add(time.Duration(o.ahead.Load())).UTC().Format("2 Jan "), "UTC", "changed nothing")...)
			}
			o.quietly()
			if n := len(o.told(o.hedy)); n != told+len(actions) || c.runs(ann) != runs {
				t.Errorf("told %d times, run %d times", n-told, c.runs(ann))
			}
			if n := len(o.Views(o.hedy.ID)); n > 0 {
				t.Errorf("%d forms were opened", n)
			}
			o.fine()
		})
	}
}

// restart ends the bot's process and begins another on the same database.
func (o *office) restart() {
	o.t.Helper()
	operations := o.desk.Operations
	o.leave()
	o.begin(operations...)
}

func TestButtonsWorkAfterARestart(t *testing.T) {
	t.Parallel()
	c := &crew{grace: true}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	o.quietly()
	o.restart()
	o.presses(o.grace, choice, "approve")
	offer := o.buttons(card, "Restore", "undo")
	o.presses(o.hedy, offer, "undo")
	form := o.form(o.hedy)
	o.restart()
	if _, err := o.Submit(t.Context(), o.hedy.ID, form.ID, map[string]slacktest.Value{"reason": slacktest.Text("The wrong Ann.")}); err != nil {
		t.Fatal(err)
	}
	o.says(card, "Restored")
	o.quietly()
	// The log channel has the notice of the restore as well.
	if len(o.Messages(o.place.ID)) != 1 || len(o.cards()) != 2 {
		t.Errorf("%d cards where it is decided, %d in the log channel", len(o.Messages(o.place.ID)), len(o.cards()))
	}
	o.fine()
}

func TestAButtonOfNoRequestIsAnswered(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	card := o.proposes(o.ada, ann)
	o.choice(card, ann)
	id := o.request().ID
	told := 0
	for _, value := range []string{"", ":", "nobody:", strings.Repeat("x", 1900)} {
		for _, action := range []string{"approve", "withdraw"} {
			if value == "" {
				continue // Slack sends no button without a value
			}
			o.presses(o.grace, o.relic(action, value), action)
			told++
			contains(t, "the answer", o.hears(o.grace, told), "don't know the request", "Nothing was changed")
		}
	}
	for _, value := range []string{id, id + ":", id + ":0000"} {
		o.presses(o.grace, o.relic("approve", value), "approve")
		told++
		contains(t, "the answer", o.hears(o.grace, told), "plan has changed")
	}
	if r := o.request(); r.State != request.Waiting || len(r.Reviews) > 0 {
		t.Errorf("it is %s with %d approvals", r.State, len(r.Reviews))
	}
	o.fine()
}

func TestAPlanThatHasChangedIsDecidedAnew(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	old := o.choice(card, ann)
	before := o.request()
	c.with(func(c *crew) { c.keys = []string{"<AKIA1>"} })
	o.ahead.Store(int64(5 * time.Minute))
	o.presses(o.grace, old, "approve")
	o.says(old, "replaced by a newer one")
	newer := o.choice(card, ann)
	o.quietly()
	if newer.TS == old.TS || len(labels(o.again(old))) > 0 {
		t.Fatalf("the old buttons stand:\n%s", o.story())
	}
	var note string
	for _, m := range o.under(card) {
		if strings.Contains(m.PlainText(), "has changed") {
			note = m.PlainText()
		}
	}
	contains(t, "the note", note, "must be approved again", "take key <AKIA1> of "+ann)
	if strings.Contains(note, "badge") {
		t.Errorf("the note names what was shown before: %s", note)
	}
	contains(t, "the card", o.again(card).PlainText(), "Waiting", "1 approval")
	if strings.Contains(o.again(card).PlainText(), "Approved by") || c.runs(ann) > 0 {
		t.Errorf("the old approval counts; it ran %d times", c.runs(ann))
	}

	o.presses(o.hedy, o.relic("approve", value(before)), "approve")
	contains(t, "the answer", o.hears(o.hedy, 1), "plan has changed", "newest plan", time.Now().UTC().Format("2 Jan "))
	o.presses(o.hedy, o.relic("reject", value(before)), "reject")
	o.fills(o.hedy, map[string]slacktest.Value{"reason": slacktest.Text("No.")})
	contains(t, "the answer", o.hears(o.hedy, 2), "plan has changed")

	o.presses(o.grace, newer, "approve")
	o.says(card, "Done")
	if n := c.runs(ann); n != 1 {
		t.Errorf("it ran %d times", n)
	}
	o.fine()
}

// Between the plan and the approval facts may change that bind nobody.
func TestASecondLookThatFindsNothingNewLeavesTheDecisionWhereItStands(t *testing.T) {
	t.Parallel()
	c := &crew{grace: true}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	o.ahead.Store(int64(5 * time.Minute))
	o.presses(o.grace, choice, "approve")
	offer := o.buttons(card, "Restore", "undo")
	o.quietly()
	if strings.Contains(o.story(), "replaced by a newer one") || offer.TS != choice.TS {
		t.Errorf("the decision is said to be replaced, and no other plan was shown:\n%s", o.story())
	}
	o.fine()
}

func TestManyHandsMakeOneDecision(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	var pressing sync.WaitGroup
	for _, press := range []struct {
		who    slacktest.User
		action string
	}{{o.grace, "approve"}, {o.hedy, "approve"}, {o.grace, "approve"}, {o.ada, "withdraw"}} {
		pressing.Go(func() { o.Click(t.Context(), press.who.ID, choice.Channel, choice.TS, press.action) })
	}
	pressing.Wait()
	o.wait("ended", func() bool { return o.request().State.Ended() })
	// One decides; the other three are told.
	o.wait("told", func() bool { return len(o.told(o.grace))+len(o.told(o.hedy))+len(o.told(o.ada)) >= 3 })
	o.quietly()
	r, told := o.request(), len(o.told(o.grace))+len(o.told(o.hedy))+len(o.told(o.ada))
	if want := map[request.State]int{request.Succeeded: 1, request.Withdrawn: 0}; want[r.State] != c.runs(ann) || told != 3 {
		t.Errorf("it is %s, ran %d times, and %d were told:\n%s", r.State, c.runs(ann), told, o.story())
	}
	o.fine()
}

func TestSlackThatDoesntOpenAForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		press  func(*office, slacktest.Message)
		faults []slacktest.Fault
	}{
		{"at a command", func(o *office, _ slacktest.Message) { o.commands(o.grace, o.place, "/let-go", ann) }, []slacktest.Fault{{Error: "expired_trigger_id"}}},
		{"at a rejection", func(o *office, m slacktest.Message) { o.presses(o.grace, m, "reject") }, []slacktest.Fault{{Status: 503}}},
		{"at a rejection, and answering fails once", func(o *office, m slacktest.Message) {
			o.Fail("response_url", slacktest.Fault{Status: 500})
			o.presses(o.grace, m, "reject")
		}, []slacktest.Fault{{Error: "internal_error"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := meeting(t, &crew{})
			choice := o.choice(o.proposes(o.ada, ann), ann)
			o.Fail("views.open", test.faults...)
			test.press(o, choice)
			contains(t, "the answer", o.hears(o.grace, 1), "didn't open the form", "othing was changed")
			if r := o.request(); r.State != request.Waiting {
				t.Errorf("it is %s", r.State)
			}
			o.fine()
		})
	}
}

func TestADatabaseThatFailsAtADecision(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"approve", "reject"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			o := meeting(t, &crew{})
			choice := o.choice(o.proposes(o.ada, ann), ann)
			o.quietly()
			if action == "reject" {
				o.presses(o.grace, choice, "reject")
				o.form(o.grace)
			}
			if err := o.desk.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			o.desk.Store.Close()
			if action == "reject" {
				ack := o.fills(o.grace, map[string]slacktest.Value{"reason": slacktest.Text("No.")})
				contains(t, "the form", ack.Errors["reason"], "othing was changed", "database")
				return
			}
			o.presses(o.grace, choice, "approve")
			contains(t, "the answer", o.hears(o.grace, 1), "othing was changed", "database")
		})
	}
}

func TestGitHubInTroubleDecidesNothing(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	o.gh.RemoveMember(admins, "grace")
	o.presses(o.grace, choice, "approve")
	contains(t, "grace's answer", o.hears(o.grace, 1), "not a member", admins)
	events, err := o.desk.Store.Events(t.Context(), o.request().ID)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events, func(e request.Event) bool { return e.Kind == "refused" && e.By == "grace" }) {
		t.Error("the refusal isn't recorded")
	}
	if r := o.request(); r.State != request.Waiting || len(labels(o.again(choice))) != 3 {
		t.Errorf("it is %s", r.State)
	}
	o.fine()
}
