package bot_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestProgressIsToldAfterTwoSeconds(t *testing.T) {
	t.Parallel()
	goOn := make(chan bool)
	operation := tidy(nothing)
	operation.Plan = func(_ context.Context, _ ops.Request, progress ops.Progress) (ops.Plan, error) {
		var wait sync.WaitGroup
		for i := range 4 {
			wait.Go(func() { progress("shelf %d", i) })
		}
		wait.Wait()
		progress("%d of %d shelves", 3, 4)
		<-goOn
		return *planOf(1), nil
	}
	h := open(t, operation)
	at := time.Now()
	r := h.ask()
	slow := h.until(r.ID, "showing progress", func(r request.Request) bool { return r.Progress != "" })
	if after := time.Since(at); after < 1900*time.Millisecond || after > 4*time.Second {
		t.Errorf("progress was shown after %v, want about 2 s", after)
	}
	if slow.Progress != "3 of 4 shelves" || slow.State != request.Planning {
		t.Errorf("it is %s: %q", slow.State, slow.Progress)
	}
	told := kindsOf(h.told(r.ID))
	if last := told[len(told)-1]; last != request.Card {
		t.Errorf("with the progress a %s is told", last)
	}
	close(goOn)
	if r = h.ended(r.ID); r.State != request.Succeeded || r.Progress != "" {
		t.Errorf("it ended as %s with the progress %q", r.State, r.Progress)
	}
}

func TestAStepThatTheCardCantDoAnyMore(t *testing.T) {
	t.Parallel()
	begun := make(chan bool, 10)
	h := open(t, tidy(func(context.Context, ops.Run) error { begun <- true; return ops.Again(time.Millisecond) }))
	r := h.ask()
	<-begun
	h.end()
	other := tidy(nil)
	other.Do = map[string]func(context.Context, ops.Run) error{"polish": nothing}
	h.begin(other)
	if r = h.ended(r.ID); r.State == request.Succeeded {
		t.Errorf("it ended as %s: %q", r.State, r.Reason)
	}
}

func TestADeskGoesOnWhereAnotherStopped(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		next func(h *house, operation ops.Operation)
	}{
		{"after it was stopped", func(h *house, o ops.Operation) { h.end(); h.begin(o) }},
		{"after it was killed", func(h *house, o ops.Operation) { h.crash(o) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			first := make(chan bool, 100)
			began := tidy(func(ctx context.Context, run ops.Run) error {
				if err := run.Log(ctx, ops.Line{Key: "a", Text: "A"}); err != nil {
					return err
				}
				if err := run.Remember(ctx, "invoked", "yes"); err != nil {
					return err
				}
				select {
				case first <- true:
				default:
				}
				return ops.Again(100 * time.Millisecond)
			})
			h := open(t, began)
			asked := h.ask()
			<-first
			var begun time.Time
			var memory string
			test.next(h, tidy(func(ctx context.Context, run ops.Run) error {
				begun = run.Begun()
				if _, err := run.Recall(ctx, "invoked", &memory); err != nil {
					return err
				}
				return run.Log(ctx, ops.Line{Key: "a", Text: "A"}, ops.Line{Key: "b", Text: "B"})
			}))
			r := h.ended(asked.ID)
			if r.State != request.Succeeded || begun.IsZero() || memory != "yes" {
				t.Errorf("it ended as %s (%s); the step is told that it began at %v and remembers %q", r.State, r.Reason, begun, memory)
			}
			same(t, "the log", []string{"A", "B"}, h.lines(r.ID))
			same(t, "events", []string{"asked", "admitted", "planned", "started", "step-begun", "replanned", "step-ended"}, h.events(r.ID))
		})
	}
	t.Run("a request that was only stored is taken up", func(t *testing.T) {
		t.Parallel()
		operation := tidy(nothing)
		h := open(t, operation)
		h.gh.Fail("", githubtest.Fault{Delay: time.Second, Times: 1})
		r := h.ask()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := h.gh.Wait(ctx, func() bool { return len(h.gh.Calls()) > 0 }); err != nil {
			t.Fatal(err)
		}
		h.crash(operation)
		if got := h.ended(r.ID); got.State != request.Succeeded {
			t.Errorf("it ended as %s: %s", got.State, got.Reason)
		}
	})
}

func TestStoppingLetsTheStepAtHandFinish(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan bool), make(chan bool)
	var calls atomic.Int64
	operation := tidy(func(ctx context.Context, run ops.Run) error {
		if calls.Add(1) == 1 {
			close(begun)
			<-goOn
			return run.Remember(ctx, "done", true)
		}
		return nil
	})
	operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) { return *planOf(2), nil }
	h := open(t, operation)
	r := h.ask()
	<-begun
	h.mustStop()
	close(goOn)
	if err := h.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.request(r.ID); got.State != request.Running || got.Step != 1 || calls.Load() != 1 {
		t.Errorf("after stopping it is %s at step %d after %d calls; want the first step done and the second not begun", got.State, got.Step, calls.Load())
	}
	if err := h.Store.Close(); err != nil {
		t.Fatal(err)
	}
	h.begin(operation)
	if got := h.ended(r.ID); got.State != request.Succeeded || calls.Load() != 2 {
		t.Errorf("it ended as %s after %d calls", got.State, calls.Load())
	}
}
