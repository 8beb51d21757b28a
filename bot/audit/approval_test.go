package audit_test

import (
	"errors"
	"iter"
	"testing"

	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/request"
)

// course are the events of one request, numbered from 1.
func course(events ...request.Event) iter.Seq2[request.Event, error] {
	return func(yield func(request.Event, error) bool) {
		for i, e := range events {
			e.Seq, e.Request = int64(i+1), "0197-one"
			if !yield(e, nil) {
				return
			}
		}
	}
}

func TestWhatRanMustHaveBeenApproved(t *testing.T) {
	planned := request.Event{Kind: "planned", Data: map[string]any{"digest": "aa", "need": 1.0}}
	approved := request.Event{Kind: "approved", By: "Hubot", Data: map[string]any{"digest": "aa"}}
	started := request.Event{Kind: "started", Data: map[string]any{"digest": "aa", "need": 1.0, "approved": []any{"hubot"}}}
	calling := request.Event{Kind: "calling", Data: map[string]any{"service": "iam", "action": "DeleteUser"}}
	alone := request.Event{Kind: "started", Data: map[string]any{"digest": "aa", "need": 2.0, "approved": []any{}, "alone": "hubot"}}
	ended := request.Event{Kind: "step-ended", Data: map[string]any{"state": "succeeded"}}
	for _, test := range []struct {
		name   string
		events []request.Event
		seq    int64 // of the event that shows it; 0: all is well
	}{
		{"a run with its approval", []request.Event{planned, approved, started, calling, ended}, 0},
		{"a run that needed none", []request.Event{planned, {Kind: "started"}, calling, ended}, 0},
		{"a run without an approval", []request.Event{planned, started, calling}, 2},
		{"a run with an approval of another plan", []request.Event{planned, {Kind: "approved", By: "hubot", Data: map[string]any{"digest": "bb"}}, started}, 3},
		{"a run with an approval that came later", []request.Event{planned, started, approved}, 2},
		{"a run with too few approvals", []request.Event{approved, {Kind: "started", Data: map[string]any{"digest": "aa", "need": 2.0, "approved": []any{"hubot"}}}}, 2},
		{"a run that a member had run alone", []request.Event{{Kind: "break-glass", By: "hubot", Data: map[string]any{"digest": "aa"}}, alone, calling}, 0},
		{"a run that nobody had run alone", []request.Event{planned, alone}, 2},
		{"a call before any run", []request.Event{planned, approved, calling}, 3},
		{"a call after the run", []request.Event{approved, started, calling, ended, calling}, 5},
		{"a call while the run waits for people", []request.Event{approved, started, calling, {Kind: "lifted"}, calling}, 5},
		{"a call of a restoring", []request.Event{approved, started, calling, ended, {Kind: "undo"}, calling}, 0},
		{"a refusal in the middle ends nothing", []request.Event{approved, started, {Kind: "refused", Data: map[string]any{"state": "running"}}, calling}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := audit.Approved(course(test.events...))
			found, _ := errors.AsType[*audit.UnapprovedError](err)
			switch {
			case test.seq == 0 && err != nil:
				t.Error(err)
			case test.seq > 0 && (found == nil || found.Seq != test.seq):
				t.Errorf("it finds %v, want event %d", err, test.seq)
			}
		})
	}
	t.Run("events that can't be read", func(t *testing.T) {
		broken := errors.New("no disk")
		if err := audit.Approved(func(yield func(request.Event, error) bool) { yield(request.Event{}, broken) }); !errors.Is(err, broken) {
			t.Error(err)
		}
	})
}
