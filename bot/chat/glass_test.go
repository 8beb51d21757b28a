package chat_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// emergency is a meeting where Grace may have something run alone.
func emergency(t *testing.T, c *crew, changes ...func(*ops.Operation, *request.Terms)) *office {
	t.Helper()
	o := build(t, slacktest.Options{})
	// A login has no case.
	o.setUp = func(d *bot.Desk) { d.BreakGlass = []string{"GRACE"} }
	o.meet(c, changes...)
	return o
}

// sealed waits for the buttons with which somebody's fate is decided, where it
// may be decided alone.
func (o *office) sealed(card slacktest.Message, about string) slacktest.Message {
	o.t.Helper()
	return o.buttons(card, about, "approve", "reject", "withdraw", "break-glass")
}

func reason(text string) map[string]slacktest.Value {
	return map[string]slacktest.Value{"reason": slacktest.Text(text)}
}

// notices are the loud messages in the log channel.
func (o *office) notices() []slacktest.Message {
	return slices.DeleteFunc(o.cards(), func(m slacktest.Message) bool { return !strings.Contains(m.PlainText(), "*Break glass*") })
}

// notice waits for the only notice to say something.
func (o *office) notice(says string) slacktest.Message {
	o.t.Helper()
	o.wait("a notice that says "+says, func() bool {
		return len(o.notices()) > 0 && strings.Contains(o.notices()[0].PlainText(), says)
	})
	if n := len(o.notices()); n != 1 {
		o.t.Errorf("%d notices:\n%s", n, o.story())
	}
	return o.notices()[0]
}

func TestAnEmergencyIsRunAloneLoudlyAndLookedAtAfterwards(t *testing.T) {
	t.Parallel()
	c := &crew{busy: make(chan bool)}
	o := emergency(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.sealed(card, ann)
	same(t, "what the button says", "Break glass…", choice.Buttons()[3].Text)
	o.presses(o.grace, choice, "break-glass")
	form := o.form(o.grace)
	golden(t, "form-break-glass.txt", o.RenderView(form))
	contains(t, "the form", string(form.Blocks), `"multiline":true`)
	if _, err := o.Submit(t.Context(), o.grace.ID, form.ID, nil); err == nil {
		t.Error("the form can be sent without a reason")
	}
	if ack := o.fills(o.grace, reason(" \n ")); ack.Errors["reason"] == "" {
		t.Error("a reason of blanks is taken")
	}
	if len(o.notices()) > 0 || c.runs(ann) > 0 {
		t.Fatalf("it is run before there is a reason:\n%s", o.story())
	}
	o.fills(o.grace, reason("Nobody is awake,\nand Ann sells <secrets>."))
	notice := o.notice("Reason: ")
	contains(t, "the notice", notice.PlainText(), "<!channel>", "<@U0GRACE> (grace)", "/let-go", ann, "without the 1 approval that it needs",
		"Reason: Nobody is awake, and Ann sells <secrets>.", o.link(card), "Another member of the team must look at this afterwards")
	same(t, "the notice's buttons", []string{"reviewed"}, labels(notice))
	same(t, "what its button says", "I have looked at it", notice.Buttons()[0].Text)
	contains(t, "what phones show", notice.Text, "<!channel>", "/let-go", ann)
	if notice.ThreadTS != "" {
		t.Error("the notice is hidden in a thread")
	}
	contains(t, "the card", o.says(card, "Run alone").PlainText(), "without its approvals, by <@U0GRACE> (grace) at ", "Nobody is awake")
	contains(t, "what was decided", o.says(choice, "Run alone").PlainText(), "/let-go", ann)
	if b := labels(o.again(choice)); len(b) > 0 {
		t.Errorf("there are still the buttons %q", b)
	}

	close(c.busy)
	ended := o.notice("Done")
	contains(t, "the notice at the end", ended.PlainText(), ann+" is gone.", "must look at this")
	same(t, "its buttons", []string{"reviewed"}, labels(ended))
	same(t, "who approved, as the run sees it", []string{"grace"}, c.by)
	o.quietly()

	told := map[string]int{}
	for _, no := range []struct {
		who  slacktest.User
		says string
	}{
		{o.grace, "Somebody else must look at it"}, {o.ada, "Somebody else must look at it"}, {o.mallory, "not a member"}, {o.nemo, "don't know which GitHub login"},
	} {
		o.presses(no.who, ended, "reviewed")
		if told["forms"]++; told["forms"] == 1 {
			golden(t, "form-reviewed.txt", o.RenderView(o.form(no.who)))
			contains(t, "the form", string(o.form(no.who).Blocks), `"multiline":true`)
		}
		if told["forms"] <= 2 {
			o.fills(no.who, reason("Fine, I say."))
		}
		contains(t, no.who.Name+"'s answer", o.hears(no.who, 1), no.says)
	}
	if b := labels(o.notice("must look at this")); len(b) != 1 || o.request().Looked != nil {
		t.Fatalf("somebody who may not has looked at it:\n%s", o.story())
	}
	o.presses(o.hedy, ended, "reviewed")
	o.fills(o.hedy, reason("Needed, & it did\nwhat it should."))
	looked := o.notice("Looked at by <@U0HEDY> (hedy) at ")
	contains(t, "the notice", looked.PlainText(), "Needed, & it did what it should.", "Done")
	if len(looked.Buttons()) > 0 || strings.Contains(looked.PlainText(), "must look at this") || looked.TS != notice.TS {
		t.Errorf("in the end the notice is\n%s", looked.PlainText())
	}
	contains(t, "the card", o.says(card, "Looked at afterwards").PlainText(), "by <@U0HEDY> (hedy) at ")
	o.quietly()
	for _, who := range []slacktest.User{o.ada, o.grace, o.hedy} {
		for _, text := range o.told(who)[min(1, len(o.told(who))):] {
			t.Errorf("%s is told %q", who.Name, text)
		}
	}
	var kinds []string
	for _, e := range o.recorded("") {
		kinds = append(kinds, e.Kind)
	}
	for kind, by := range map[string]string{"break-glass": "grace", "reviewed": "hedy"} {
		events := o.recorded(kind)
		if len(events) != 1 || events[0].By != by || events[0].Data["reason"] == "" {
			t.Errorf("recorded as %s are %+v among %q", kind, events, kinds)
		}
	}
	o.fine()
}

// link is the address of a message.
func (o *office) link(m slacktest.Message) string {
	return "/archives/" + m.Channel + "/p" + strings.ReplaceAll(m.TS, ".", "")
}

func TestNobodyLooksAtAnEmergencyTwice(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{})
	choice := o.sealed(o.proposes(o.ada, ann), ann)
	o.presses(o.grace, choice, "break-glass")
	o.fills(o.grace, reason("Now."))
	notice := o.notice("Done")
	old := value(o.request())
	o.presses(o.hedy, notice, "reviewed")
	o.fills(o.hedy, reason("Fine."))
	o.notice("Looked at by")
	o.quietly()
	o.presses(o.ada, o.relic("reviewed", old), "reviewed")
	contains(t, "ada's answer", o.hears(o.ada, 1), "hedy has looked at it already")
	if len(o.Views(o.ada.ID)) > 0 || len(o.recorded("reviewed")) != 1 {
		t.Error("it can be looked at twice")
	}
}

func TestOnlyWhomTheSettingsNameBreaksGlass(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := emergency(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.sealed(card, ann)
	o.gh.RemoveMember(admins, "grace")
	for _, no := range []struct {
		who  slacktest.User
		says string
	}{{o.hedy, "Only those whom the bot's settings name"}, {o.ada, "Only those whom the bot's settings name"}, {o.mallory, "not a member"}, {o.grace, "not a member"}} {
		o.presses(no.who, choice, "break-glass")
		contains(t, no.who.Name+"'s answer", o.hears(no.who, 1), no.says)
	}
	o.quietly()
	if r := o.request(); r.State != request.Waiting || r.Glass != nil || len(o.notices()) > 0 {
		t.Errorf("it is %s:\n%s", r.State, o.story())
	}
	for _, e := range o.recorded("refused") {
		if e.Data["tried"] != "break-glass" {
			t.Errorf("recorded is %+v", e)
		}
	}
	if n := len(o.recorded("refused")); n != 4 {
		t.Errorf("%d refusals are recorded", n)
	}
	o.fine()
}

func TestWhereNobodyMayBreakGlassThereIsNoButton(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	choice := o.choice(o.proposes(o.ada, ann), ann)
	o.presses(o.grace, o.relic("break-glass", value(o.request())), "break-glass")
	contains(t, "grace's answer", o.hears(o.grace, 1), "Only those whom the bot's settings name")
	if r := o.request(); r.State != request.Waiting || len(labels(o.again(choice))) != 3 {
		t.Errorf("it is %s", r.State)
	}
}

// The settings may be changed while a request waits.
func TestTheButtonThatBreaksGlassGoesWithTheSettings(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{words: ops.Plan{Approval: ops.Rule{Count: 2}}})
	card := o.proposes(o.ada, ann)
	choice := o.sealed(card, ann)
	o.quietly()
	o.setUp = nil
	o.restart()
	o.presses(o.hedy, choice, "approve")
	o.says(choice, "Approved by")
	same(t, "the buttons", []string{"approve", "reject", "withdraw"}, labels(o.again(choice)))
	o.fine()
}

func TestWhatIsDangerousIsRunAloneByName(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := emergency(t, c, func(op *ops.Operation, _ *request.Terms) { op.Dangerous = true })
	card := o.proposes(o.ada, ann)
	choice := o.sealed(card, ann)
	both := func(name, why string) map[string]slacktest.Value {
		return map[string]slacktest.Value{"name": slacktest.Text(name), "reason": slacktest.Text(why)}
	}
	for i, typed := range []string{"Ann@example.com", ann + " ", "ann"} {
		o.presses(o.grace, choice, "break-glass")
		if i == 0 {
			golden(t, "form-break-glass-dangerous.txt", o.RenderView(o.form(o.grace)))
			if _, err := o.Submit(t.Context(), o.grace.ID, o.form(o.grace).ID, reason("Now.")); err == nil {
				t.Error("the form can be sent without the name")
			}
		}
		contains(t, "the form, at the field", o.fills(o.grace, both(typed, "Now.")).Errors["name"], "You typed “"+typed+"”", "is “"+ann+"”")
	}
	o.quietly()
	if r := o.request(); r.State != request.Waiting || r.Glass != nil || len(o.notices()) > 0 {
		t.Fatalf("it is %s:\n%s", r.State, o.story())
	}
	o.presses(o.grace, choice, "break-glass")
	o.fills(o.grace, both(ann, "Now."))
	o.says(card, "Done")
	o.notice("Done")
	if n := c.runs(ann); n != 1 {
		t.Errorf("it ran %d times", n)
	}
	o.fine()
}

func TestANoticeStandsOnceWhateverSlackAnswers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		faults []slacktest.Fault // of chat.postMessage
	}{
		{"its answer is lost", []slacktest.Fault{{CutAfter: true}}},
		{"its answer is lost, and then the connection", []slacktest.Fault{{Cut: true}, {Status: 500}, {CutAfter: true}}},
		{"it is told to wait", []slacktest.Fault{{RetryAfter: time.Second}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &crew{busy: make(chan bool)}
			o := emergency(t, c)
			choice := o.sealed(o.proposes(o.ada, ann), ann)
			o.quietly()
			// Nothing else is posted until the run goes on.
			o.Fail("chat.postMessage", test.faults...)
			o.presses(o.grace, choice, "break-glass")
			o.fills(o.grace, reason("Now."))
			o.notice("Reason: ")
			o.quietly()
			close(c.busy)
			notice := o.notice("Done")
			o.quietly()
			if n := len(o.notices()); n != 1 {
				t.Errorf("%d notices:\n%s", n, o.story())
			}
			o.presses(o.hedy, notice, "reviewed")
			o.fills(o.hedy, reason("Fine."))
			o.notice("Looked at by")
			o.fine()
		})
	}
}

func TestANoticeStandsOnceAfterARestart(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{grace: true})
	card := o.proposes(o.ada, ann)
	o.presses(o.grace, o.sealed(card, ann), "break-glass")
	o.fills(o.grace, reason("Now."))
	offer := o.buttons(card, "Restore", "undo")
	before := o.notice("Reason: ")
	o.quietly()
	o.restart()
	o.presses(o.hedy, offer, "undo")
	o.fills(o.hedy, reason("The wrong Ann."))
	after := o.notice("Restored")
	o.quietly()
	if before.TS != after.TS || len(o.notices()) != 1 {
		t.Errorf("%d notices:\n%s", len(o.notices()), o.story())
	}
	o.fine()
}

func TestAnEmergencyThatCantRunIsToldAsWell(t *testing.T) {
	t.Parallel()
	c := &crew{fault: &ops.Error{Kind: ops.Unavailable, What: "No <door>."}}
	o := emergency(t, c)
	o.presses(o.grace, o.sealed(o.proposes(o.ada, ann), ann), "break-glass")
	o.fills(o.grace, reason("Now."))
	notice := o.notice("Failed")
	contains(t, "the notice", notice.PlainText(), "No <door>.")
	same(t, "its buttons", []string{"reviewed"}, labels(notice))
}

func TestTheNoticeOfAnEmergencyGoesWithTheRun(t *testing.T) {
	t.Parallel()
	c := &crew{busy: make(chan bool), grace: true}
	o := emergency(t, c)
	card := o.proposes(o.ada, ann)
	o.presses(o.grace, o.sealed(card, ann), "break-glass")
	o.fills(o.grace, reason("Now."))
	o.notice("Running")
	close(c.busy)
	offer := o.buttons(card, "Restore", "undo")
	o.presses(o.hedy, offer, "undo")
	o.fills(o.hedy, reason("The wrong Ann."))
	o.notice("Restored")
	o.fine()
}

func TestASecondEmergencyIsAsLoudAsTheFirst(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := emergency(t, c)
	card := o.proposes(o.ada, ann)
	choice := o.sealed(card, ann)
	c.with(func(c *crew) { c.keys = []string{"AKIA1"} })
	o.ahead.Store(int64(5 * time.Minute))
	o.presses(o.grace, choice, "break-glass")
	o.fills(o.grace, reason("Now."))
	o.says(choice, "replaced by a newer one")
	newer := o.sealed(card, ann)
	contains(t, "the notice", o.notice("Waiting").PlainText(), "has changed since", "doesn't count")
	text := o.says(card, "Waiting").PlainText()
	if strings.Contains(text, "Run alone") || c.runs(ann) > 0 {
		t.Errorf("nothing was run, and the card says\n%s", text)
	}
	o.quietly()
	o.presses(o.grace, newer, "break-glass")
	o.fills(o.grace, reason("Still now."))
	o.wait("two notices", func() bool { return len(o.notices()) == 2 })
	second := o.says(o.notices()[1], "Done")
	contains(t, "the second notice", second.PlainText(), "<!channel>", "Still now.")
	o.quietly()
	if first := o.notices()[0]; len(first.Buttons()) > 0 || strings.Contains(first.PlainText(), "<!channel>") || len(second.Buttons()) != 1 {
		t.Errorf("in the end the notices are\n%s\n%s", first.PlainText(), second.PlainText())
	}
	contains(t, "the card", o.says(card, "Done").PlainText(), "Run alone", "Still now.")
	o.presses(o.hedy, second, "reviewed")
	o.fills(o.hedy, reason("Fine."))
	o.says(second, "Looked at by")
	o.fine()
}

func TestWhoAskedDoesntLookAtItUnderAnotherLogin(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{}, func(_ *ops.Operation, terms *request.Terms) { terms.Requesters = request.ByPlace })
	o.presses(o.grace, o.sealed(o.proposes(o.nemo, ann), ann), "break-glass")
	o.fills(o.grace, reason("Now."))
	notice := o.notice("Done")
	o.quietly()
	settings := o.setUp
	o.setUp = func(d *bot.Desk) {
		settings(d)
		delete(d.Team.Identities, o.hedy.ID)
		d.Team.Identities[o.nemo.ID] = "hedy"
	}
	o.restart()
	told := len(o.told(o.nemo))
	o.presses(o.nemo, notice, "reviewed")
	o.fills(o.nemo, reason("Fine."))
	o.wait("answered", func() bool { return len(o.told(o.nemo)) > told || o.request().Looked != nil })
	if o.request().Looked != nil {
		t.Error("who asked has looked at it")
	}
}

func TestDrawingsOfAnEmergency(t *testing.T) {
	t.Parallel()
	broken := func(r *request.Request) {
		r.Need, r.Shown, r.StartedAt = 2, "", noon.Add(time.Hour)
		r.Glass = &request.Review{By: "grace", User: "U0GRACE", At: noon.Add(time.Hour), Reason: "Nobody is awake & <!here> it burns.", Digest: r.Plan.Digest()}
	}
	looked := func(r *request.Request) {
		broken(r)
		r.Report = &ops.Report{Summary: ann + " is gone."}
		r.Looked = &request.Review{By: "hedy", User: "U0HEDY", At: noon.Add(2 * time.Hour), Reason: "Needed."}
	}
	for _, test := range []struct {
		name  string
		kind  string
		state request.State
		with  func(*request.Request)
	}{
		{"glass-approved", request.Glass, request.Approved, broken},
		{"glass-running", request.Glass, request.Running, broken},
		{"glass-done", request.Glass, request.Succeeded, func(r *request.Request) { looked(r); r.Looked = nil }},
		{"glass-looked", request.Glass, request.Succeeded, looked},
		{"glass-due", request.GlassDue, request.Succeeded, func(r *request.Request) { looked(r); r.Looked = nil }},
		{"card-glass", request.Card, request.Running, broken},
		{"card-glass-looked", request.Card, request.Succeeded, looked},
		{"ask-glass", request.Ask, request.Running, broken},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, list := drawn(t, drawing{r: removal(ann, test.state, test.with), kind: test.kind})
			var text strings.Builder
			for _, m := range list {
				text.WriteString(shape(t, m))
				for _, found := range angle.FindAllString(m.Text+fmt.Sprint(textObjects(t, m)), -1) {
					if !slices.Contains([]string{"<!channel>", "<@U0ADA>", "<@U0GRACE>", "<@U0HEDY>"}, found) && !strings.HasSuffix(found, "|Here is the thread>") {
						t.Errorf("there is a %q in\n%s", found, m.PlainText())
					}
				}
			}
			golden(t, test.name+".txt", heads.ReplaceAllString(stamps.ReplaceAllString(text.String(), "/p…|"), "<head>"))
		})
	}
}

// heads are those of the audit, which hang on the hour.
var heads = regexp.MustCompile(`[0-9]+:[0-9a-f]{64}`)
