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

// receipts are what is recorded as shown and told of a request, each as one line:
// what, to whom, and where.
func (o *office) receipts(request string) []string {
	o.t.Helper()
	events, err := o.desk.Store.Events(o.t.Context(), request)
	if err != nil {
		o.t.Fatal(err)
	}
	var lines []string
	for _, e := range events {
		if e.Request != request || e.Kind != "shown" && e.Kind != "told" {
			continue
		}
		line := e.Kind
		for _, key := range []string{"message", "digest", "to", "channel", "ts"} {
			if v, ok := e.Data[key]; ok {
				line += fmt.Sprintf(" %s=%v", key, v)
			}
		}
		if e.By != "" {
			line += " by " + e.By
		}
		lines = append(lines, line)
	}
	return lines
}

// stands is where a message stands, as a receipt says it.
func stands(m slacktest.Message) string { return "channel=" + m.Channel + " ts=" + m.TS }

func TestWhatWasShownAndToldIsRecordedWithWhereItStands(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	o.presses(o.mallory, choice, "approve")
	o.hears(o.mallory, 1)
	o.presses(o.grace, choice, "approve")
	logged := o.card("Done")
	o.quietly()
	r := o.request()
	plan, thread := o.under(card)[0], o.thread(logged)
	got := o.receipts(r.ID)
	for _, want := range []string{
		"shown digest=" + r.Digest() + " " + stands(plan),
		"told message=private to=slack:" + o.TeamID + "/U0MALLORY",
		"told message=result " + stands(thread[len(thread)-1]),
		"told message=direct to=slack:" + o.TeamID + "/U0ADA " + stands(o.Direct(o.ada.ID)[0]),
	} {
		if n := len(slices.DeleteFunc(slices.Clone(got), func(line string) bool { return !strings.HasPrefix(line, want) })); n != 1 {
			t.Errorf("%q is recorded %d times among\n%s", want, n, strings.Join(got, "\n"))
		}
	}
	// What was told can be read nowhere in the record.
	for _, e := range o.recorded("told") {
		if _, ok := e.Data["text"]; ok {
			t.Errorf("recorded is %+v", e)
		}
	}
	o.fine()
}

func TestANewPlanIsRecordedAsShownWhereItStands(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	card := o.proposes(o.ada, ann)
	old := o.choice(card, ann)
	before := o.request().Plan.Digest()
	c.with(func(c *crew) { c.keys = []string{"AKIA1"} })
	o.ahead.Store(int64(5 * time.Minute))
	o.presses(o.grace, old, "approve")
	o.says(old, "replaced by a newer one")
	o.choice(card, ann)
	o.quietly()
	r := o.request()
	var shown []string
	for _, line := range o.receipts(r.ID) {
		if strings.HasPrefix(line, "shown") {
			shown = append(shown, line)
		}
	}
	var plans []slacktest.Message
	for _, m := range o.under(card) {
		if strings.HasPrefix(m.Text, "Plan") {
			plans = append(plans, m)
		}
	}
	if len(plans) != 2 {
		t.Fatalf("%d plans:\n%s", len(plans), o.story())
	}
	same(t, "what was shown", []string{
		"shown digest=" + before + " " + stands(plans[0]), "shown digest=" + r.Plan.Digest() + " " + stands(plans[1]),
	}, shown)
}

func TestWhereAPrivateAnswerStandsIsRecorded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		where func(*office) slacktest.Channel
		fault slacktest.Fault // of response_url
		at    func(*office) string
	}{
		{"through response_url", func(o *office) slacktest.Channel { return o.general }, slacktest.Fault{}, func(o *office) string { return "channel=" + o.general.ID }},
		{"where it was asked for", func(o *office) slacktest.Channel { return o.lobby }, slacktest.Fault{Status: 500}, func(o *office) string { return stands(o.Ephemerals(o.mallory.ID)[0]) }},
		{"by direct message", func(o *office) slacktest.Channel { return o.general }, slacktest.Fault{Status: 500}, func(o *office) string { return stands(o.Direct(o.mallory.ID)[0]) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := start(t, tidy(work))
			o.SetDelay("users.info", 100*time.Millisecond)
			o.Fail("response_url", test.fault)
			o.types(o.mallory, test.where(o), "")
			o.wait("told", func() bool { return len(o.recorded("told")) == 1 })
			same(t, "what is recorded", []string{"told message=private to=slack:" + o.TeamID + "/U0MALLORY " + test.at(o)}, o.receipts(o.request().ID))
		})
	}
}

func TestWhoIsToldNothingIsntRecordedAsTold(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.types(o.ada, o.home, "")
	o.card("Done")
	o.quietly()
	for _, line := range o.receipts(o.request().ID) {
		if strings.Contains(line, "U0ADA") {
			t.Errorf("ada was told nothing, and recorded is %q", line)
		}
	}
	o.types(o.ada, o.lobby, "")
	o.hears(o.ada, 1)
	o.quietly()
	if list := o.receipts(o.requests()[1].ID); !strings.Contains(strings.Join(list, "\n"), "message=pointer to=slack:"+o.TeamID+"/U0ADA") {
		t.Errorf("ada was pointed to the card, and recorded is %q", list)
	}
}

// A receipt comes with the message, not before it.
func TestNothingIsRecordedAsToldBeforeItIs(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.of(request.Refused)
	r.Plan = &ops.Plan{Summary: "Two shelves.", Steps: []ops.Step{{Do: "tidy", Title: "Tidy"}}}
	r = o.stored(s, r, request.Card, request.Plan)
	o.Fail("chat.postMessage", slacktest.Fault{}, slacktest.Fault{CutAfter: true}, slacktest.Fault{Cut: true})
	if !deliver(t, o, s, 8*time.Second, emptied(s)) {
		t.Fatal("not delivered")
	}
	events, err := s.Events(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	thread := o.thread(o.cards()[0])
	if len(thread) != 1 || len(events) != 1 || events[0].Kind != "shown" || events[0].Data["ts"] != thread[0].TS || events[0].Data["channel"] != o.home.ID {
		t.Errorf("there stand %d plans, and recorded are %+v", len(thread), events)
	}
}

func TestWhatSlackRefusesForGoodIsNotRecordedAsTold(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.of(request.Refused)
	r = o.stored(s, r, request.Card, request.Result)
	o.Refuse("chat.postMessage", "msg_too_long", saying("Result"))
	o.Refuse("files.getUploadURLExternal", "file_uploads_disabled", nil)
	if !deliver(t, o, s, 30*time.Second, emptied(s)) {
		t.Fatal("not given up")
	}
	if events, err := s.Events(t.Context(), r.ID); err != nil || len(events) != 0 {
		t.Errorf("recorded are %+v, %v", events, err)
	}
}

func TestTheNoticeOfAnEmergencyIsRecordedAsTold(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{})
	o.presses(o.grace, o.sealed(o.proposes(o.ada, ann), ann), "break-glass")
	o.fills(o.grace, reason("Now."))
	notice := o.notice("Done")
	o.quietly()
	want := "told message=glass " + stands(notice)
	if got := o.receipts(o.request().ID); !slices.Contains(got, want) {
		t.Errorf("%q isn't among\n%s", want, strings.Join(got, "\n"))
	}
}

func TestARemindersReceiptSaysWhereItStands(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	card := o.proposes(o.ada, ann)
	o.choice(card, ann)
	o.quietly()
	o.ahead.Store(int64(71 * time.Hour))
	o.restart()
	o.wait("a reminder", func() bool { return len(o.under(card)) == 3 })
	o.quietly()
	if got, want := o.receipts(o.request().ID), "told message=note "+stands(o.under(card)[2]); !slices.Contains(got, want) {
		t.Errorf("%q isn't among\n%s", want, strings.Join(got, "\n"))
	}
}
