package bot_test

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// grace is an operation that does a first thing, waits for an hour in which that
// can be restored, and does a last thing, which can't be taken back.
type grace struct {
	record func(context.Context, ops.Request, ops.Call) error // the desk's record of calls

	mu          sync.Mutex
	did         []string
	fail        error  // of restoring it
	refuse      error  // why it can't be restored; nil: it can
	breaks      error  // of the last step
	denied      error  // what AWS says to the last call
	unplannable error  // why no plan can be made
	later       error  // why none can be made again
	first       error  // of the first step, before its change
	more        string // another effect of the last step
	hours       string // the time of grace in the settings
	lifted      bool   // people undid the first thing
	lock        string // what requests hold
	subject     string // whom requests are about
	at          func() // called by the waiting step when the hour has passed
}

// change changes the world.
func (g *grace) change(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

func (g *grace) note(what string) { g.change(func() { g.did = append(g.did, what) }) }

func (g *grace) done() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.did...)
}

func (g *grace) plan(_ context.Context, r ops.Request, _ ops.Progress) (ops.Plan, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.Shown != nil && g.later != nil {
		return ops.Plan{}, g.later
	}
	burn := ops.Step{Do: "burn", Title: "Burn", Effects: []string{"ashes"}}
	if g.more != "" {
		burn.Effects = append(burn.Effects, g.more)
	}
	p := ops.Plan{Summary: "tidy up", Steps: []ops.Step{
		{Do: "box", Title: "Box", Effects: []string{"all in a box"}}, {Do: "wait", Title: "Wait"}, burn,
	}}
	if g.hours != "" {
		p.Terms = []ops.Fact{{Label: "Time of grace", Value: g.hours}}
	}
	return p, g.unplannable
}

func (g *grace) operation() ops.Operation {
	o := tidy(nil)
	o.Undo, o.UndoLabel, o.Again = "put back", "Restore", "Box again"
	o.UndoPlan = func(context.Context, ops.Run) ([]string, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		return []string{"all out of the box"}, g.refuse
	}
	if g.lock != "" {
		o.Lock = func(ops.Request) string { return g.lock }
	}
	o.Irreversible = func(c ops.Call) bool { return c.Action == "Burn" }
	o.Subject = func(ops.Request) string { return g.subject }
	o.Plan = g.plan
	o.Do = map[string]func(context.Context, ops.Run) error{"box": g.box, "wait": g.wait, "burn": g.burn, "put back": func(context.Context, ops.Run) error {
		g.note("put back")
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.fail
	}}
	return o
}

func (g *grace) box(ctx context.Context, run ops.Run) error {
	g.mu.Lock()
	first := g.first
	g.mu.Unlock()
	if first != nil {
		return first
	}
	if err := run.MayAct(ctx); err != nil {
		return err
	}
	g.note("boxed")
	return nil
}

func (g *grace) wait(ctx context.Context, run ops.Run) error {
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
}

func (g *grace) burn(ctx context.Context, run ops.Run) error {
	g.mu.Lock()
	lifted, breaks := g.lifted, g.breaks
	g.mu.Unlock()
	if lifted {
		return &ops.Error{Kind: ops.Lifted, What: "The box was opened by hand."}
	}
	if breaks != nil {
		return breaks
	}
	if err := g.irreversibly(ctx, run); err != nil {
		return err
	}
	g.note("burnt")
	return nil
}

// irreversibly records a call that can't be taken back, as a client of AWS does.
func (g *grace) irreversibly(ctx context.Context, run ops.Run) error {
	call := ops.Call{Service: "fire", Action: "Burn", Target: "box"}
	if err := g.record(ctx, run.Request(), call); err != nil {
		return err
	}
	g.mu.Lock()
	denied := g.denied
	g.mu.Unlock()
	call.Outcome = "done"
	if denied != nil {
		call.Outcome, call.Fault = "failed", "AccessDenied"
	}
	return errors.Join(g.record(ctx, run.Request(), call), denied)
}

// opened is a hall for the operation, whose calls its desk records.
func (g *grace) opened(t *testing.T) *house {
	t.Helper()
	h := hall(t, 1, g.operation())
	g.record = func(ctx context.Context, r ops.Request, c ops.Call) error { return h.Called(ctx, r, c) }
	return h
}

// offered runs until it can be taken back.
func (h *house) offered() request.Request {
	h.t.Helper()
	r := h.waiting()
	h.press("U2", request.Approve, r, "")
	return h.until(r.ID, "open to be taken back", func(r request.Request) bool { return !r.UndoUntil.IsZero() })
}

func TestTakingARunBack(t *testing.T) {
	t.Parallel()
	g := &grace{}
	h := g.opened(t)
	r := h.waiting()
	says(t, h.press("U2", request.Undo, r, "early"), "nothing to restore", "has changed nothing")
	h.press("U2", request.Approve, r, "")
	r = h.until(r.ID, "open to be taken back", func(r request.Request) bool { return !r.UndoUntil.IsZero() })
	if !r.UndoUntil.Equal(noon.Add(time.Hour)) || r.State != request.Running {
		t.Errorf("it is %s and can be taken back until %v", r.State, r.UndoUntil)
	}
	told := kindsOf(h.told(r.ID))
	same(t, "what is told in the end", request.Ask, told[len(told)-1])
	says(t, h.press("U3", request.Undo, r, "because"), "not a member")
	says(t, h.press("U4", request.Undo, r, ""), "needs a reason")
	says(t, h.press("U2", request.Approve, r, ""), "too late", "being run", "hubot approved it at 2 Mar 12:00:00 UTC")
	if got := h.press("U4", request.Undo, r, "wrong shelf"); got != "" {
		t.Errorf("who took it back is told %q", got)
	}
	r = h.ended(r.ID)
	if r.State != request.Undone || !r.UndoUntil.IsZero() {
		t.Errorf("it ended as %s", r.State)
	}
	says(t, r.Reason, "monalisa", "wrong shelf")
	same(t, "what was done", []string{"boxed", "put back"}, g.done())
	for _, kind := range []string{"undo", "undone"} {
		same(t, "by whom it was "+kind, "monalisa", h.last(r.ID, kind).By)
	}
	same(t, "the reason in the record", any("wrong shelf"), h.last(r.ID, "undo").Data["reason"])
	says(t, h.press("U2", request.Undo, r, "me too"), "too late", "undone", "monalisa", "2 Mar 12:00:00 UTC")
	same(t, "what became of it", r, h.request(r.ID))
}

func TestWhatCantBeTakenBackAnyMore(t *testing.T) {
	t.Parallel()
	t.Run("it has ended", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := g.opened(t)
		r := h.offered()
		h.forward(time.Hour)
		r = h.ended(r.ID)
		says(t, h.press("U4", request.Undo, r, "wrong shelf"), "can't be restored any more", "2 Mar 13:00:00 UTC")
		same(t, "what was done", []string{"boxed", "burnt"}, g.done())
	})
	t.Run("it never could be", func(t *testing.T) {
		t.Parallel()
		begun, goOn := make(chan bool), make(chan bool)
		h := open(t, tidy(func(context.Context, ops.Run) error { close(begun); <-goOn; return nil }))
		r := h.ask()
		<-begun
		says(t, h.press("U2", request.Undo, h.request(r.ID), "wrong shelf"), "nothing to restore")
		close(goOn)
		if r = h.ended(r.ID); r.State != request.Succeeded {
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
			h := g.opened(t)
			r := h.offered()
			h.forward(time.Hour - left)
			var wait sync.WaitGroup
			clicks := make([]request.Click, 2)
			for i, user := range []string{"U2", "U4"} {
				wait.Go(func() { clicks[i] = h.click(user, request.Undo, r, "wrong shelf") })
			}
			wait.Wait()
			h.answer(clicks[0])
			h.answer(clicks[1])
			h.forward(time.Minute)
			r = h.ended(r.ID)
			want := map[request.State][]string{request.Succeeded: {"boxed", "burnt"}, request.Undone: {"boxed", "put back"}}[r.State]
			if want == nil {
				t.Fatalf("it ended as %s: %s", r.State, r.Reason)
			}
			same(t, "what was done in one that "+string(r.State), want, g.done())
		})
	}
}

// The click arrives while the step is at it.
func TestARunThatIsRestoredWhileItsStepIsAtWorkDoesNothingMore(t *testing.T) {
	t.Parallel()
	g := &grace{}
	h := g.opened(t)
	var r request.Request
	g.at = func() {
		if got := h.press("U4", request.Undo, r, "wrong shelf"); got != "" {
			t.Errorf("the person who restores it is told %q", got)
		}
	}
	r = h.offered()
	h.stand(noon.Add(time.Hour))
	if r = h.ended(r.ID); r.State != request.Undone {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
	same(t, "what was done", []string{"boxed", "put back"}, g.done())
}

func TestTakingItBackFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault error
		want  request.State
	}{
		{"because something is away", &ops.Error{Kind: ops.Unavailable, What: "No dust."}, request.Failed},
		{"and nobody knows how far it came", &ops.Error{Kind: ops.Unknown, What: "Dark."}, request.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := &grace{fail: test.fault}
			h := g.opened(t)
			r := h.offered()
			h.press("U4", request.Undo, r, "wrong shelf")
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
		h := g.opened(t)
		r := h.offered()
		h.press("U4", request.Undo, r, "wrong shelf")
		h.restart(func() { g.change(func() { g.fail = nil }) }, g.operation())
		if r = h.ended(r.ID); r.State != request.Undone || r.Restoring.By != "monalisa" {
			t.Errorf("it ended as %s: %s", r.State, r.Reason)
		}
	})
}

// The answer to the irreversible call is lost, and AWS refuses the next one: nothing
// irreversible was done, and the step says so when it offers Restore.
func TestWhatAWSRefusesAfterALostAnswerCanBeRestored(t *testing.T) {
	t.Parallel()
	g := &grace{}
	o := g.operation()
	lost := false
	o.Do["burn"] = func(ctx context.Context, run ops.Run) error {
		call := ops.Call{Service: "fire", Action: "Burn", Target: "box"}
		if err := g.record(ctx, run.Request(), call); err != nil {
			return err
		}
		call.Outcome, call.Fault = "failed", "A quota is used up."
		if !lost {
			call.Outcome, lost = "unknown", true
		}
		if err := g.record(ctx, run.Request(), call); err != nil || call.Outcome == "unknown" {
			return cmp.Or(err, ops.Again(time.Millisecond))
		}
		if err := run.OfferUndo(ctx, run.Now().Add(time.Hour)); err != nil {
			return err
		}
		return ops.Again(time.Hour)
	}
	h := hall(t, 1, o)
	g.record = func(ctx context.Context, r ops.Request, c ops.Call) error { return h.Called(ctx, r, c) }
	r := h.offered()
	until := r.UndoUntil
	h.forward(time.Hour)
	h.wake(r.ID)
	r = h.until(r.ID, "refused", func(r request.Request) bool { return r.UndoUntil.After(until) })
	if !r.FinalAt.IsZero() || !r.Acted() {
		t.Errorf("it can't be restored: %+v", r)
	}
	if got := h.press("U4", request.Undo, r, "wrong shelf"); got != "" {
		t.Errorf("the person who restores it is told %q", got)
	}
	same(t, "what it ends as", request.Undone, h.ended(r.ID).State)
}
