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

// saying is of messages that say something, in their text or in their blocks.
func saying(words string) func(map[string]string) bool {
	return func(args map[string]string) bool { return strings.Contains(args["text"]+args["blocks"], words) }
}

// built is of messages with blocks that say something.
func built(words string) func(map[string]string) bool {
	return func(args map[string]string) bool { return strings.Contains(args["blocks"], words) }
}

// keys are so many keys that somebody has.
func keys(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("AKIA-of-a-long-name-%03d", i))
	}
	return list
}

func TestAPlanIsShownInWhateverWaySlackTakesIt(t *testing.T) {
	t.Parallel()
	refuse := func(o *office, code, words string) { o.Refuse("chat.postMessage", code, built(words)) }
	for _, test := range []struct {
		name  string
		keys  int
		world func(*office)
		file  bool // the plan is read in a file
		parts bool // it comes in several messages
	}{
		{name: "its blocks are refused", world: func(o *office) { refuse(o, "invalid_blocks", "*Plan*") }},
		{name: "it is too long with its blocks", world: func(o *office) { refuse(o, "msg_blocks_too_long", "*Plan*") }},
		{name: "its arguments are refused, nobody knows why", world: func(o *office) { refuse(o, "invalid_arguments", "*Plan*") }},
		{name: "no text of it is taken", world: func(o *office) { o.Refuse("chat.postMessage", "msg_too_long", saying("*Plan*")) }, file: true},
		{name: "a long one's blocks are refused", keys: 200, world: func(o *office) { refuse(o, "invalid_blocks", "*Plan*") }, file: true},
		{name: "a long one's file is refused", keys: 200, world: func(o *office) { o.Refuse("files.getUploadURLExternal", "file_uploads_disabled", nil) }, parts: true},
		{name: "a long one's file needs a scope that the app lacks", keys: 200, world: func(o *office) { o.Refuse("files.getUploadURLExternal", "missing_scope", nil) }, parts: true},
		{name: "a long one's content is refused", keys: 200, world: func(o *office) { o.Fail("upload", times(20, slacktest.Fault{Status: 413})...) }, parts: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &crew{keys: keys(test.keys)}
			o := build(t, slacktest.Options{})
			test.world(o)
			o.meet(c)
			card := o.proposes(o.ada, ann)
			choice := o.choice(card, ann)
			o.quietly()
			var read strings.Builder
			for _, m := range o.under(card) {
				read.WriteString(m.PlainText() + "\n")
			}
			before, _, _ := strings.Cut(read.String(), "Approve?")
			for _, f := range o.Files() {
				before += string(f.Content)
			}
			contains(t, "what stands before the buttons", before, append(slices.Clone(c.keys), "take the badge of "+ann)...)
			if n := len(o.Files()); (n > 0) != test.file {
				t.Errorf("%d files", n)
			}
			if n := len(o.under(card)); (n > 3) != test.parts {
				t.Errorf("%d messages under the card:\n%s", n, o.story())
			}
			shown := slices.DeleteFunc(o.recorded("shown"), func(e request.Event) bool { return e.Data["digest"] != o.request().Plan.Digest() })
			if len(shown) != 1 {
				t.Errorf("recorded as shown are %+v", o.recorded("shown"))
			}
			o.presses(o.grace, choice, "approve")
			o.says(card, "Done")
		})
	}
}

func TestThereAreNoButtonsBeforeThePlanIsShown(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{})
	end := o.Refuse("chat.postMessage", "msg_too_long", saying("take the badge"))
	noFile := o.Refuse("files.getUploadURLExternal", "file_uploads_disabled", nil)
	o.meet(&crew{})
	card := o.proposes(o.ada, ann)
	// Tried in all its ways, and again later.
	o.waitFor("the plan tried again", time.Minute, func() bool { return o.Count("files.getUploadURLExternal") >= 3 })
	o.wait("the members told", func() bool { return len(o.Direct(o.grace.ID)) > 0 })
	contains(t, "the letter", o.Direct(o.grace.ID)[0].PlainText(), "can't show the plan", ann, "msg_too_long", "can't be decided before")
	for _, m := range append(o.under(card), o.cards()...) {
		if len(m.Buttons()) > 0 {
			t.Errorf("there are buttons without a plan:\n%s", m.PlainText())
		}
	}
	if len(o.recorded("shown")) > 0 {
		t.Errorf("recorded as shown is %+v", o.recorded("shown"))
	}
	end()
	noFile()
	o.waitFor("the plan", 40*time.Second, func() bool { return len(o.recorded("shown")) == 1 })
	choice := o.choice(card, ann)
	if shown := fmt.Sprint(o.recorded("shown")[0].Data["ts"]); shown > choice.TS {
		t.Errorf("the plan of %s stands below its buttons:\n%s", shown, o.story())
	}
}

// What ends meanwhile needs no plan any more, and its thread goes on.
func TestAPlanThatNobodyDecidesAboutHoldsUpNothing(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := removal(ann, request.Expired, func(r *request.Request) { r.ID, r.Reason = "", "Nobody decided." })
	r.Asker.Workspace, r.Asker.Channel = o.TeamID, o.home.ID
	o.Refuse("chat.postMessage", "msg_too_long", saying("take the badge"))
	o.Refuse("files.getUploadURLExternal", "file_uploads_disabled", nil)
	o.stored(s, r, request.Card, request.Plan, request.Ask, request.Result)
	if !deliver(t, o, s, 30*time.Second, emptied(s)) {
		t.Errorf("something still waits:\n%s", o.story())
	}
	contains(t, "the thread", o.story(), "Result", "Nobody decided.")
}

// The plan that an earlier try has posted is another one than is there now.
func TestAPlanIsShownAsItIsNow(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := removal(ann, request.Waiting, func(r *request.Request) { r.ID = "" })
	r.Asker.Workspace, r.Asker.Channel = o.TeamID, o.home.ID
	r = o.stored(s, r, request.Card, request.Plan)
	o.Fail("chat.postMessage", slacktest.Fault{}, slacktest.Fault{CutAfter: true})
	moved := false
	done := func() bool {
		if plans := o.Count("chat.postMessage"); !moved && plans == 2 {
			moved = true
			if _, err := s.Update(t.Context(), r.ID, func(r *request.Request) (request.Change, error) {
				p := *r.Plan
				p.Steps = []ops.Step{{Do: "go", Title: "Go", Effects: []string{"take a key"}}}
				r.Plan = &p
				return request.Change{}, nil
			}); err != nil {
				t.Error(err)
			}
		}
		return moved && emptied(s)()
	}
	if !deliver(t, o, s, 15*time.Second, done) {
		t.Fatal("not delivered")
	}
	now, err := s.Request(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	events, err := s.Events(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	thread := o.thread(o.cards()[0])
	last := thread[len(thread)-1]
	if e := events[len(events)-1]; e.Kind != "shown" || e.Data["digest"] != now.Plan.Digest() || e.Data["ts"] != last.TS || !strings.Contains(last.PlainText(), "take a key") {
		t.Errorf("recorded is %+v, and the last plan in the thread is\n%s", e, last.PlainText())
	}
}

func TestWhatSlackRefusesIsToldInAnotherWay(t *testing.T) {
	t.Parallel()
	failed := func(r *request.Request) { r.Reason = "The door is stuck." }
	broken := func(r *request.Request) {
		r.StartedAt, r.Reason = noon.Add(time.Hour), "The door is stuck."
		r.Glass = &request.Review{By: "grace", User: "U0GRACE", At: noon.Add(time.Hour), Reason: "The door is stuck.", Digest: r.Plan.Digest()}
	}
	lifted := func(r *request.Request) { r.Lifted = "The door is stuck." }
	for _, test := range []struct {
		kind  string
		state request.State
		with  func(*request.Request)
	}{
		{request.Card, request.Failed, failed},
		{request.Result, request.Failed, failed},
		{request.Note, request.Waiting, nil},
		{request.Ask, request.Waiting, lifted},
		{request.Direct, request.Failed, failed},
		{request.Glass, request.Failed, broken},
		{request.GlassDue, request.Failed, broken},
		{request.Restore, request.Undoing, broken},
	} {
		for _, how := range []struct {
			name string
			when func(map[string]string) bool
		}{
			{"its blocks", func(args map[string]string) bool { return args["blocks"] != "" }},
			{"all but a file", saying("door is stuck")},
		} {
			if test.kind == request.Card && how.name != "its blocks" {
				continue // it is the beginning of a thread
			}
			t.Run(test.kind+": "+how.name, func(t *testing.T) {
				t.Parallel()
				o, s := outbox(t)
				r := removal(ann, test.state, test.with)
				r.ID, r.Asker.Workspace, r.Asker.Channel = "", o.TeamID, o.home.ID
				r = o.stored(s, r, request.Card)
				if test.kind != request.Card && !deliver(t, o, s, 10*time.Second, emptied(s)) {
					t.Fatal("no card")
				}
				o.Refuse("chat.postMessage", "invalid_blocks", how.when)
				if _, err := s.Update(t.Context(), r.ID, func(*request.Request) (request.Change, error) {
					return request.Change{Messages: []request.Message{
						{Thread: r.ID, Request: r.ID, Kind: test.kind, Body: request.Body{Text: "The door is stuck."}},
						{Thread: r.ID, Request: r.ID, Kind: request.Note, Body: request.Body{Text: "And this follows."}},
					}}, nil
				}); err != nil {
					t.Fatal(err)
				}
				if !deliver(t, o, s, 40*time.Second, emptied(s)) {
					t.Errorf("something still waits:\n%s", o.story())
				}
				read := o.story()
				for _, f := range o.Files() {
					read += string(f.Content)
				}
				contains(t, "what people read", strings.Join(strings.Fields(read), " "), "The door is stuck.", "And this follows.")
			})
		}
	}
}

// Buttons that Slack takes only in their simplest form, or not at all.
func TestADecisionThatSlackRefusesCanStillBeMade(t *testing.T) {
	t.Parallel()
	t.Run("with simpler buttons", func(t *testing.T) {
		t.Parallel()
		o := build(t, slacktest.Options{})
		o.Refuse("chat.postMessage", "invalid_blocks", built(`"style"`))
		o.meet(&crew{})
		card := o.proposes(o.ada, ann)
		choice := o.choice(card, ann)
		o.presses(o.grace, choice, "approve")
		o.says(card, "Done")
	})
	t.Run("where /rootbot requests says", func(t *testing.T) {
		t.Parallel()
		c := &crew{}
		o := build(t, slacktest.Options{})
		o.Refuse("chat.postMessage", "invalid_blocks", built("Approve?"))
		o.meet(c)
		card := o.proposes(o.ada, ann)
		o.wait("what is to be decided", func() bool { return len(o.under(card)) == 2 })
		contains(t, "what is to be decided", o.under(card)[1].PlainText(), "Approve?", ann, "/rootbot requests")
		o.asksAbout(o.grace, "requests")
		list := o.Ephemerals(o.grace.ID)
		same(t, "its buttons", []string{"approve", "reject", "withdraw"}, labels(list[0]))
		o.presses(o.grace, list[0], "approve")
		o.says(card, "Done")
		if c.runs(ann) != 1 {
			t.Errorf("it ran %d times", c.runs(ann))
		}
	})
}

// A message that says nothing can't be told in any way, and holds up none.
func TestAMessageThatSaysNothingHoldsUpNone(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.stored(s, o.of(request.Failed), request.Card, request.Note, request.Result)
	if !deliver(t, o, s, 20*time.Second, emptied(s)) {
		t.Errorf("something of %s still waits:\n%s", r.ID, o.story())
	}
	same(t, "the thread", []string{"Result"}, o.replies(o.cards()[0]))
}
