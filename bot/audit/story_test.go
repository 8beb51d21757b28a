package audit_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

func tell(t *testing.T, r request.Request, events ...request.Event) string {
	t.Helper()
	var b bytes.Buffer
	if err := audit.Story(&b, r, events); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// removal is the otter's request.
func removal(state request.State, change func(*request.Request)) request.Request {
	r := request.Request{
		ID: cafe, Operation: "remove-user", State: state, At: noon, AdmittedAt: noon, By: "otter",
		Asker:  request.Asker{Front: "slack", Workspace: "T1", User: "U0TTER", Channel: "C1"},
		Inputs: ops.Inputs{"emails": {emails}, "reason": {"has left"}},
	}
	if state.Ended() {
		r.EndedAt = noon.Add(time.Hour)
	}
	if change != nil {
		change(&r)
	}
	return r
}

// of are the events of some kinds, the first of each.
func of(t *testing.T, kinds ...string) []request.Event {
	t.Helper()
	var list []request.Event
	all := everyKind(t)
	for _, kind := range kinds {
		list = append(list, all[slices.IndexFunc(all, func(e request.Event) bool { return e.Kind == kind })])
	}
	return list
}

// later is an event at the end of its request.
func later(e request.Event) request.Event {
	e.At = noon.Add(time.Hour)
	return e
}

func TestStories(t *testing.T) {
	for _, test := range []struct {
		name, file string
		r          request.Request
		events     []request.Event
	}{
		{
			"a removal that two people approved, with a plan, calls of AWS and a report", "story-done.txt",
			removal(request.Failed, func(r *request.Request) { r.Report = &report }),
			append(of(t, "asked", "admitted", "planned", "shown", "approved", "started", "step-begun", "calling", "called"), later(
				event(t, "step-ended", "otter", data{"step": "Wait in case of an error", "report": report, "state": request.Failed}))),
		},
		{
			"a plan that changed while people decided", "story-stale.txt",
			removal(request.Waiting, nil), of(t, "asked", "planned", "reminded", "approved", "stale"),
		},
		{
			"somebody who may not ask is told to have been refused, and is in no trail", "story-refused.txt",
			removal(request.Refused, func(r *request.Request) {
				r.By, r.AdmittedAt, r.Reason = "", time.Time{}, "You aren't in the team. Nothing was done."
			}), append(of(t, "asked"), later(event(t, "refused", "slack:T1/U0TTER", data{"reason": "You aren't in the team. Nothing was done."}))),
		},
		{
			"somebody without a login, by their place in the chat", "story-unknown-login.txt",
			removal(request.Succeeded, func(r *request.Request) {
				r.By, r.Asker.Channel, r.Preview, r.Inputs = "slack.U0TTER", "", true, nil
				r.Reason = "This was only a preview: nothing was run."
			}), nil,
		},
		{
			"an ask from a terminal, again, by a login of one letter", "story-terminal.txt",
			removal(request.Withdrawn, func(r *request.Request) {
				r.By, r.Asker, r.Again = "x", request.Asker{Front: "terminal", Login: "x"}, "01970000-0000-7000-8000-00000000beef"
			}),
			[]request.Event{later(event(t, "withdrawn", "x", data{"state": request.Withdrawn}))},
		},
		{"every kind of event, heard of or not", "story-every-kind.txt", removal(request.Unknown, nil), everyKind(t)},
	} {
		t.Run(test.name, func(t *testing.T) { golden(t, test.file, tell(t, test.r, test.events...)) })
	}
}

// nasty is what somebody may have typed or named: an escape sequence, a title for
// the window, a line of its own, and an override of the direction of writing.
const nasty = "a\x1b[2J\x1b]0;owned\x07\r\n2026-03-02 12:00:00 UTC  badger approved\u202e\u2066\u200b\u009b31m\x7f\xff\u2028z"

func TestAStoryCantCommandTheTerminal(t *testing.T) {
	p := ops.Plan{
		Summary: nasty, Target: nasty, Warnings: []string{nasty}, Facts: []ops.Fact{{Label: nasty, Value: nasty}},
		Approval: ops.Rule{Count: 1, Why: nasty}, Steps: []ops.Step{{Title: nasty, Effects: []string{nasty}}},
	}
	ended := ops.Report{
		Summary: nasty, Problems: []string{nasty}, Notes: []string{nasty},
		Sections: []ops.Section{{Title: nasty, Outcomes: []ops.Outcome{{Text: nasty, State: nasty, Why: nasty}}}},
	}
	r := removal(request.Failed, func(r *request.Request) {
		r.ID, r.Operation, r.By, r.Reason, r.Again, r.State = nasty+cafe, nasty, nasty, nasty, nasty, nasty
		r.Asker = request.Asker{Front: "slack", Workspace: nasty, User: nasty, Channel: nasty, Login: nasty}
		r.Inputs = ops.Inputs{nasty: {nasty}}
	})
	events := []request.Event{{At: noon, Kind: nasty, By: nasty, Data: data{nasty: nasty}}}
	for _, e := range everyKind(t) {
		d := data{"plan": p, "report": ended, nasty: []any{nasty, data{nasty: nasty}}}
		for key := range e.Data {
			if key != "plan" && key != "report" {
				d[key] = nasty
			}
		}
		for _, by := range []string{nasty, "slack:" + nasty, "terminal:" + nasty} {
			hostile := event(t, e.Kind, by, d)
			events = append(events, hostile)
		}
	}
	story := tell(t, r, events...)
	for i, c := range story {
		if c != '\n' && !unicode.IsGraphic(c) {
			t.Fatalf("%q at %d: %q", c, i, story[max(0, i-40):i])
		}
	}
	for line := range strings.Lines(story) {
		if strings.HasPrefix(line, "2026-03-02 12:00:00 UTC  badger approved") {
			t.Errorf("somebody wrote a line of the story: %s", line)
		}
	}
	if want := `a\x1b[2J\x1b]0;owned\a\r\n2026-03-02 12:00:00 UTC  badger approved\u202e\u2066\u200b\u009b31m\x7f\xff\u2028z`; !strings.Contains(story, want) {
		t.Errorf("what was typed can't be read: %s", story[:1000])
	}
}

func TestTheHintIsOneWordToTheShell(t *testing.T) {
	for _, test := range []struct{ name, by, want string }{
		{"a login is one as it is", "otter", "AttributeValue=otter@0000cafe\n"},
		{"so is a managed user's", "otter_corp", "AttributeValue=otter_corp@0000cafe\n"},
		{"what the shell would read isn't", "otter; rm -rf /", "AttributeValue='otter; rm -rf /@0000cafe'\n"},
		{"nor is a quote", "o'tter", `AttributeValue='o'\''tter@0000cafe'` + "\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			story := tell(t, removal(request.Failed, func(r *request.Request) { r.By = test.by }))
			if !strings.Contains(story, test.want) {
				t.Errorf("no %q in %s", test.want, story)
			}
		})
	}
}

func TestAStoryThatCantBeWritten(t *testing.T) {
	broken := errors.New("broken")
	if err := audit.Story(full{broken}, removal(request.Failed, nil), everyKind(t)); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
