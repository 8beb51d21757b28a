package bot_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

func TestWhatBeginsAndEndsIsRecordedAndWhetherTheSettingsAreOthers(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.stand(noon)
	version, settings := "v1.0.0", "cafe"
	h.settle = func(d *bot.Desk) { d.Version, d.Settings = version, settings }
	start := func() {
		h.begin(tidy(nothing), called(1, tidy(nothing)))
	}
	start()
	h.end()
	version = "v1.1.0"
	start()
	h.end()
	settings = "f00d"
	start()
	h.crash(tidy(nothing)) // with the same settings, and an operation less
	h.end()
	settings = "cafe"
	start()

	began := func(version, settings string, operations ...any) request.Event {
		return request.Event{At: noon, Kind: "process-started", Data: map[string]any{"version": version, "settings": settings, "operations": operations}}
	}
	ended := request.Event{At: noon, Kind: "process-stopped"}
	changed := func(before, hash string) request.Event {
		return request.Event{At: noon, Kind: "settings", Data: map[string]any{"before": before, "hash": hash}}
	}
	same(t, "the record", []request.Event{
		began("v1.0.0", "cafe", "tidy-up", "tidy-b"), ended,
		began("v1.1.0", "cafe", "tidy-up", "tidy-b"), ended,
		began("v1.1.0", "f00d", "tidy-up", "tidy-b"), changed("cafe", "f00d"),
		began("v1.1.0", "f00d", "tidy-up"), ended,
		began("v1.1.0", "cafe", "tidy-up", "tidy-b"), changed("f00d", "cafe"),
	}, h.kept("process-started", "process-stopped", "settings"))
	if _, err := h.Store.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestWhatStopsInAHurryIsRecorded(t *testing.T) {
	t.Parallel()
	h := open(t, tidy(nothing))
	h.mustStop()
	same(t, "the record", []string{"process-started", "process-stopped"}, h.events(""))
}

func TestADeskThatCantRecordItsStartDoesntStart(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.Store.Close()
	if err := h.Start(t.Context()); err == nil {
		t.Error("it started")
	}
}

func TestACallIsRecordedBeforeAndAfterItIsMade(t *testing.T) {
	t.Parallel()
	h := idle(t)
	r := ops.Request{ID: "0197-one", By: "octocat"}
	call := ops.Call{Service: "iam", Action: "DeleteUser", Target: "arn:aws:iam::123456789012:user/otter"}
	if err := h.Called(t.Context(), r, call); err != nil {
		t.Fatal(err)
	}
	call.Outcome, call.AWSRequest = "done", "d9d3"
	if err := h.Called(t.Context(), r, call); err != nil {
		t.Fatal(err)
	}
	call.Outcome, call.Fault = "failed", "AccessDenied: password=tr0ub4dor-typed is wrong"
	if err := h.Called(t.Context(), r, call); err != nil {
		t.Fatal(err)
	}
	event := func(kind string, more ...string) request.Event {
		e := request.Event{At: noon, Request: "0197-one", Kind: kind, By: "octocat", Data: map[string]any{"service": "iam", "action": "DeleteUser", "target": call.Target}}
		for i := 0; i < len(more); i += 2 {
			e.Data[more[i]] = more[i+1]
		}
		return e
	}
	same(t, "the record", []request.Event{
		event("calling"), event("called", "outcome", "done", "aws_request", "d9d3"),
		event("called", "outcome", "failed", "aws_request", "d9d3", "error", "AccessDenied: password=[redacted] is wrong"),
	}, h.kept("calling", "called"))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Called(ctx, r, ops.Call{}); err == nil {
		t.Error("a call that isn't recorded may be made")
	}
}

func TestWhatWasDeliveredIsRecorded(t *testing.T) {
	t.Parallel()
	h := idle(t)
	r := in(request.Waiting)
	at := store.Post{Channel: "C1", TS: "1772452800.000100"}
	someone := by("U7")
	told := func(data map[string]any) []request.Event {
		return []request.Event{{At: noon, Request: r.ID, Kind: "told", Data: data}}
	}
	for _, test := range []struct {
		name string
		m    request.Message
		at   store.Post
		want []request.Event
	}{
		{"a plan is recorded as shown, by its digest", request.Message{Kind: request.Plan}, at, []request.Event{{
			At: noon, Request: r.ID, Kind: "shown", Data: map[string]any{"digest": r.Digest(), "channel": "C1", "ts": at.TS},
		}}},
		{"a result", request.Message{Kind: request.Result}, at, told(map[string]any{"message": "result", "channel": "C1", "ts": at.TS})},
		{"a note", request.Message{Kind: request.Note, Body: request.Body{Text: "Hush."}}, at, told(map[string]any{"message": "note", "channel": "C1", "ts": at.TS})},
		{"that something runs alone", request.Message{Kind: request.Glass}, at, told(map[string]any{"message": "glass", "channel": "C1", "ts": at.TS})},
		{"an answer through an address that doesn't say when", request.Message{Kind: request.Private}, store.Post{Channel: "C1"}, told(map[string]any{"message": "private", "to": "slack:T1/U1", "channel": "C1"})},
		{"what was printed at a terminal", request.Message{Kind: request.Result}, store.Post{}, told(map[string]any{"message": "result"})},
		{"how it ended, to the asker", request.Message{Kind: request.Direct}, at, told(map[string]any{"message": "direct", "to": "slack:T1/U1", "channel": "C1", "ts": at.TS})},
		{"something for somebody's eyes only", request.Message{Kind: request.Private, Body: request.Body{Text: "Hush.", For: &someone}}, store.Post{}, told(map[string]any{"message": "private", "to": "slack:T1/U7"})},
		{"where the other card is", request.Message{Kind: request.Pointer, Body: request.Body{Other: "0197-zero"}}, store.Post{}, told(map[string]any{"message": "pointer", "to": "slack:T1/U1"})},
		{"a letter", request.Message{Kind: request.Letter, Body: request.Body{For: &someone}}, at, told(map[string]any{"message": "letter", "to": "slack:T1/U7", "channel": "C1", "ts": at.TS})},
		{"who has linked which account", request.Message{Kind: request.Announce, Body: request.Body{For: &someone}}, at, told(map[string]any{"message": "announce", "channel": "C1", "ts": at.TS})},
		{"an anchor", request.Message{Kind: request.Anchor}, at, told(map[string]any{"message": "anchor", "channel": "C1", "ts": at.TS})},
		{"of a card nothing is recorded", request.Message{Kind: request.Card}, at, nil},
		{"of buttons nothing is recorded", request.Message{Kind: request.Ask}, at, nil},
		{"of a log nothing is recorded", request.Message{Kind: request.Log}, at, nil},
		{"of a log's file nothing is recorded", request.Message{Kind: request.LogFile}, at, nil},
		{"of what nobody knows nothing is recorded", request.Message{Kind: "song"}, at, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.m.Request = r.ID
			got := h.Receipt(test.m, r, test.at)
			same(t, "the record", test.want, got)
			if test.m.Kind == request.Letter || test.m.Kind == request.Announce || test.m.Kind == request.Anchor {
				test.m.Request = ""
				if got := h.Receipt(test.m, request.Request{}, test.at); len(got) != 1 || got[0].Request != "" {
					t.Errorf("of no request: %+v", got)
				}
			}
			if len(got) == 0 {
				return
			}
			if err := h.Store.Sent(t.Context(), noon, store.Delivery{Messages: []int64{1}, Events: got}); err != nil {
				t.Fatal(err)
			}
			last, err := h.Store.LastEvent(t.Context(), got[0].Kind)
			if err != nil || last.Request != r.ID || strings.Contains(strings.Join(keysOf(last.Data), " "), "text") {
				t.Errorf("stored is %+v, %v", last, err)
			}
		})
	}
	if h.written("Hush.") {
		t.Error("what was said is in the record")
	}
}

func keysOf(data map[string]any) []string {
	var keys []string
	for key := range data {
		keys = append(keys, key)
	}
	return keys
}
