package bot_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// grace is an operation that does a first thing, waits for an hour in which
// that can be taken back, and does a last thing.
type grace struct {
	mu   sync.Mutex
	did  []string
	fail error  // of taking it back
	at   func() // called by the waiting step when the hour has passed
}

func (g *grace) note(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.did = append(g.did, what)
}

func (g *grace) done() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.did...)
}

func (g *grace) operation() ops.Operation {
	o := tidy(nil)
	o.Undo, o.UndoLabel = "put back", "Put back"
	o.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
		return ops.Plan{Summary: "tidy up", Steps: []ops.Step{
			{Do: "box", Title: "Box", Effects: []string{"all in a box"}}, {Do: "wait", Title: "Wait"}, {Do: "burn", Title: "Burn", Effects: []string{"ashes"}},
		}}, nil
	}
	o.Do = map[string]func(context.Context, ops.Run) error{
		"box": func(context.Context, ops.Run) error { g.note("boxed"); return nil },
		"wait": func(ctx context.Context, run ops.Run) error {
			end := noon.Add(time.Hour)
			if err := run.OfferUndo(ctx, end); err != nil {
				return err
			}
			if run.Now().Before(end) {
				return ops.Again(50 * time.Millisecond)
			}
			if g.at != nil {
				g.at()
			}
			return nil
		},
		"burn":     func(context.Context, ops.Run) error { g.note("burnt"); return nil },
		"put back": func(context.Context, ops.Run) error { g.note("put back"); return g.fail },
	}
	return o
}

// offered runs until it can be taken back.
func (h *house) offered() store.Request {
	h.t.Helper()
	r := h.waiting()
	h.press("U2", bot.Approve, r, "")
	return h.until(r.ID, "open to be taken back", func(r store.Request) bool { return !r.UndoUntil.IsZero() })
}

func TestTakingARunBack(t *testing.T) {
	t.Parallel()
	g := &grace{}
	h := hall(t, 1, g.operation())
	r := h.waiting()
	says(t, h.press("U2", bot.Undo, r, "early"), "isn't possible while the request is waiting")
	h.press("U2", bot.Approve, r, "")
	r = h.until(r.ID, "open to be taken back", func(r store.Request) bool { return !r.UndoUntil.IsZero() })
	if !r.UndoUntil.Equal(noon.Add(time.Hour)) || r.State != store.Running {
		t.Errorf("it is %s and can be taken back until %v", r.State, r.UndoUntil)
	}
	told := kindsOf(h.told(r.ID))
	same(t, "what is told in the end", store.Ask, told[len(told)-1])
	says(t, h.press("U3", bot.Undo, r, "because"), "not a member")
	says(t, h.press("U4", bot.Undo, r, ""), "needs a reason")
	says(t, h.press("U2", bot.Approve, r, ""), "too late", "being run", "hubot approved it at 2 Mar 12:00:00 UTC")
	if got := h.press("U4", bot.Undo, r, "wrong shelf"); got != "" {
		t.Errorf("who took it back is told %q", got)
	}
	r = h.ended(r.ID)
	if r.State != store.Undone || !r.UndoUntil.IsZero() {
		t.Errorf("it ended as %s", r.State)
	}
	says(t, r.Reason, "monalisa", "wrong shelf")
	same(t, "what was done", []string{"boxed", "put back"}, g.done())
	for _, kind := range []string{"undo", "undone"} {
		same(t, "by whom it was "+kind, "monalisa", h.last(r.ID, kind).By)
	}
	same(t, "the reason in the record", any("wrong shelf"), h.last(r.ID, "undo").Data["reason"])
	says(t, h.press("U2", bot.Undo, r, "me too"), "too late", "undone", "monalisa", "2 Mar 12:00:00 UTC")
	same(t, "what became of it", r, h.request(r.ID))
}

func TestWhatCantBeTakenBackAnyMore(t *testing.T) {
	t.Parallel()
	t.Run("the hour has passed and the step hasn't noticed yet", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := hall(t, 1, g.operation())
		var answer string
		var r store.Request
		g.at = func() { answer = h.press("U4", bot.Undo, r, "wrong shelf") }
		r = h.offered()
		h.forward(time.Hour)
		r = h.ended(r.ID)
		says(t, answer, "can't be taken back any more")
		if r.State != store.Succeeded {
			t.Errorf("it ended as %s: %s", r.State, r.Reason)
		}
		same(t, "what was done", []string{"boxed", "burnt"}, g.done())
	})
	t.Run("it has ended", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := hall(t, 1, g.operation())
		r := h.offered()
		h.forward(time.Hour)
		r = h.ended(r.ID)
		says(t, h.press("U4", bot.Undo, r, "wrong shelf"), "too late", "succeeded", "2 Mar 13:00:00 UTC")
		same(t, "what was done", []string{"boxed", "burnt"}, g.done())
	})
	t.Run("it never could be", func(t *testing.T) {
		t.Parallel()
		begun, goOn := make(chan bool), make(chan bool)
		h := open(t, tidy(func(context.Context, ops.Run) error { close(begun); <-goOn; return nil }))
		r := h.ask()
		<-begun
		says(t, h.press("U2", bot.Undo, h.request(r.ID), "wrong shelf"), "can't be taken back any more")
		close(goOn)
		if r = h.ended(r.ID); r.State != store.Succeeded {
			t.Errorf("it ended as %s: %s", r.State, r.Reason)
		}
	})
}

func TestTakingBackAtTheVeryMomentWhenTheGraceEndsHasOneOutcome(t *testing.T) {
	t.Parallel()
	for _, left := range []time.Duration{0, time.Nanosecond} {
		t.Run("with so much left: "+left.String(), func(t *testing.T) {
			t.Parallel()
			g := &grace{}
			h := hall(t, 1, g.operation())
			r := h.offered()
			h.forward(time.Hour - left)
			var wait sync.WaitGroup
			clicks := make([]store.Click, 2)
			for i, user := range []string{"U2", "U4"} {
				wait.Go(func() { clicks[i] = h.click(user, bot.Undo, r, "wrong shelf") })
			}
			wait.Wait()
			h.answer(clicks[0])
			h.answer(clicks[1])
			h.forward(time.Minute)
			r = h.ended(r.ID)
			want := map[store.State][]string{store.Succeeded: {"boxed", "burnt"}, store.Undone: {"boxed", "put back"}}[r.State]
			if want == nil {
				t.Fatalf("it ended as %s: %s", r.State, r.Reason)
			}
			same(t, "what was done in one that "+string(r.State), want, g.done())
		})
	}
}

// The click arrives while the step is at it: the hour had passed by the step's
// clock, and not yet by that of the click.
func TestWhoeverIsRecordedFirstWinsWhenAStepEndsAsItIsTakenBack(t *testing.T) {
	t.Parallel()
	g := &grace{}
	h := hall(t, 1, g.operation())
	var r store.Request
	g.at = func() {
		h.stand(noon.Add(time.Hour - time.Second))
		if got := h.press("U4", bot.Undo, r, "wrong shelf"); got != "" {
			t.Errorf("who took it back is told %q", got)
		}
	}
	r = h.offered()
	h.stand(noon.Add(time.Hour))
	if r = h.ended(r.ID); r.State != store.Undone {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
	same(t, "what was done", []string{"boxed", "put back"}, g.done())
}

func TestTakingItBackFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault error
		want  store.State
	}{
		{"because something is away", &ops.Error{Kind: ops.Unavailable, What: "No dust."}, store.Failed},
		{"and nobody knows how far it came", &ops.Error{Kind: ops.Unknown, What: "Dark."}, store.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := &grace{fail: test.fault}
			h := hall(t, 1, g.operation())
			r := h.offered()
			h.press("U4", bot.Undo, r, "wrong shelf")
			if r = h.ended(r.ID); r.State != test.want {
				t.Errorf("it ended as %s", r.State)
			}
			says(t, r.Reason, "half-way", ops.Words(test.fault, r.ID))
			same(t, "what was done", []string{"boxed", "put back"}, g.done())
		})
	}
	t.Run("and is tried again as often as it wants to be, a restart included", func(t *testing.T) {
		t.Parallel()
		g := &grace{fail: ops.Again(50 * time.Millisecond)}
		h := hall(t, 1, g.operation())
		r := h.offered()
		h.press("U4", bot.Undo, r, "wrong shelf")
		h.restart(func() { g.fail = nil }, g.operation())
		if r = h.ended(r.ID); r.State != store.Undone || r.Decided.By != "monalisa" {
			t.Errorf("it ended as %s: %s", r.State, r.Reason)
		}
	})
}
