package bot_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

func TestAPlanThatGrewSinceItWasShownIsShownAndApprovedAgain(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	r := h.waiting()
	h.forward(2 * time.Minute)
	s.put(*planOf(2))
	h.press("U2", request.Approve, r, "")
	grown := h.until(r.ID, "waiting again", func(r request.Request) bool { return r.State == request.Waiting && len(r.Plan.Steps) == 2 })
	if len(grown.Reviews) > 0 || len(s.runs()) > 0 {
		t.Errorf("of the approvals of the old plan %v are kept; %d runs", grown.Reviews, len(s.runs()))
	}
	if want := noon.Add(2*time.Minute + 72*time.Hour); !grown.ExpiresAt.Equal(want) {
		t.Errorf("it waits until %v, want %v", grown.ExpiresAt, want)
	}
	for _, m := range h.told(r.ID) {
		if m.Kind == request.Note {
			says(t, m.Body.Text, "dust of shelf 2", "approved again")
		}
	}
	same(t, "the difference in the record", any([]any{"dust of shelf 2"}), h.last(r.ID, "stale").Data["beyond"])
	says(t, h.press("U4", request.Approve, r, ""), "plan has changed", "newest plan")
	h.press("U2", request.Approve, grown, "")
	if got := h.ended(r.ID); got.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", got.State, got.Reason)
	}
	same(t, "what was run", []ops.Plan{*planOf(2), *planOf(2)}, s.runs())
	same(t, "events", []string{
		"asked", "admitted", "planned", "shown", "approved", "stale", "too-late", "shown", "approved", "replanned", "started", "step-begun", "step-ended", "step-begun", "step-ended",
	}, h.events(r.ID))
}

func TestAPlanThatIsMadeAgainBeforeTheRun(t *testing.T) {
	t.Parallel()
	renamed := *planOf(1)
	renamed.Summary = "tidy up, with care"
	stricter := *planOf(1)
	stricter.Approval = ops.Rule{Count: 2, Why: "It is a lot by now."}
	for _, test := range []struct {
		name string
		now  ops.Plan
		want request.State
		runs []ops.Plan
	}{
		{"it is the same", *planOf(2), request.Succeeded, []ops.Plan{*planOf(2), *planOf(2)}},
		{"it has other words and the same effects", renamed, request.Succeeded, []ops.Plan{renamed}},
		{"part of it is done already", *planOf(1), request.Succeeded, []ops.Plan{*planOf(1)}},
		{"all of it is done already", *planOf(0), request.Succeeded, nil},
		{"it demands more approvals than it got", stricter, request.Waiting, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, s := shelved(t, 1, 2)
			h.patience = 6 * time.Second
			r := h.waiting()
			h.forward(2 * time.Minute)
			s.put(test.now)
			h.press("U2", request.Approve, r, "")
			r = h.until(r.ID, string(test.want)+" with the plan as it is", func(r request.Request) bool { return r.State == test.want })
			same(t, "what was run", test.runs, s.runs())
			same(t, "the plan", &test.now, r.Plan)
		})
	}
	t.Run("it can't be made", func(t *testing.T) {
		t.Parallel()
		s := &shelf{plan: *planOf(1)}
		operation := s.operation()
		look, broken := operation.Plan, false
		operation.Plan = func(ctx context.Context, r ops.Request, p ops.Progress) (ops.Plan, error) {
			if broken {
				if r.Shown == nil {
					t.Error("the second look isn't told what was shown")
				}
				return ops.Plan{}, &ops.Error{Kind: ops.Unavailable, What: "AWS is away."}
			}
			broken = true
			return look(ctx, r, p)
		}
		h := hall(t, 1, operation)
		r := h.waiting()
		h.forward(2 * time.Minute)
		h.press("U2", request.Approve, r, "")
		r = h.ended(r.ID)
		if r.State != request.Failed || len(s.runs()) > 0 {
			t.Errorf("it ended as %s", r.State)
		}
		says(t, r.Reason, "stopped before its next change", "AWS is away", "Nothing was changed")
	})
}

func TestAPlanThatGrowsInTheMiddleOfARunStopsIt(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(2)}
	operation := s.operation()
	do := operation.Do["tidy"]
	var h *house
	operation.Do["tidy"] = func(ctx context.Context, run ops.Run) error {
		if len(s.runs()) == 0 {
			h.forward(2 * time.Minute)
			s.put(*planOf(3))
		}
		return do(ctx, run)
	}
	h = hall(t, 1, operation)
	r := h.waiting()
	h.press("U2", request.Approve, r, "")
	r = h.until(r.ID, "waiting again", func(r request.Request) bool { return r.State == request.Waiting && len(r.Plan.Steps) == 3 })
	same(t, "what was run", []ops.Plan{*planOf(2)}, s.runs())
	if len(r.Reviews) > 0 || r.Step != 0 {
		t.Errorf("it waits at step %d with %v", r.Step, r.Reviews)
	}
	h.press("U4", request.Approve, r, "")
	if r = h.ended(r.ID); r.State != request.Succeeded || r.Step != 3 || len(s.runs()) != 4 {
		t.Errorf("it ended as %s at step %d after %d calls: %s", r.State, r.Step, len(s.runs()), r.Reason)
	}
}

func TestAPlanThatIsTooOldIsMadeAgainAfterARestart(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	r := h.waiting()
	renamed := *planOf(1)
	renamed.Summary = "plan 2"
	var c request.Click
	h.restart(func() {
		c = h.click("U2", request.Approve, r, "")
		s.put(renamed)
		h.forward(2 * time.Minute)
	}, s.operation())
	if got := h.answer(c); got != "" {
		t.Errorf("who approved is told %q", got)
	}
	r = h.ended(r.ID)
	if r.State != request.Succeeded || r.Plan.Summary != "plan 2" {
		t.Errorf("it ended as %s with %q: %s", r.State, r.Plan.Summary, r.Reason)
	}
	same(t, "events", []string{"asked", "admitted", "planned", "shown", "approved", "replanned", "started", "step-begun", "step-ended"}, h.events(r.ID))
}
