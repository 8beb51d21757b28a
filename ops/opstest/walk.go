// Package opstest drives one operation without the desk: it plans, then walks
// the plan's steps, and keeps in memory what the desk would keep in its
// database. Nothing waits: where a step asks to be called again after a while,
// the clock is moved on by that while.
//
//	walk := &opstest.Walk{Operation: card, Request: request, Clock: clock}
//	err := walk.Run(ctx)
//	report, ok := walk.Report()
//
// The promises that a step makes are tried by running the same walk in other
// ways: Twice calls each step once more after it has succeeded, Fresh makes the
// operation anew for every call, as after a restart, and Kill ends the process
// between two writes and goes on with another one.
package opstest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// Walk carries one request through one operation. Operation and Request must be
// set; everything else may be zero. A Walk is for one goroutine; what steps
// call may come from several.
type Walk struct {
	// Operation makes the card, with nothing in it that a process would lose.
	Operation func() ops.Operation

	Request ops.Request

	// Approvers are who approved the plan.
	Approvers []string

	// Clock is the desk's clock; nil: one that only this walk sees.
	Clock *Clock

	// Waiting is called when a step wants to be called again, before the clock
	// moves on: the place to let the world come to rest. Nil: nothing to do.
	Waiting func(context.Context) error

	// MayAct is what Run.MayAct answers; nil: the run may go on.
	MayAct func(context.Context) error

	// Twice calls each step once more after it has succeeded: the process died
	// before that was recorded.
	Twice bool

	// Fresh makes the operation anew for every call.
	Fresh bool

	// Kill is the point at which the process dies, once; 0: never. The points
	// are, in order: before and after each thing that a step writes (Remember,
	// Log, Report), and after each call of a step. The call's context ends, what
	// the call still tries to write is lost, and the step is called again by a
	// new process.
	Kill int

	// Limit is the most calls of steps; 0: 2,000.
	Limit int

	mu        sync.Mutex
	operation *ops.Operation
	plan      []byte // as JSON; nil: not planned yet
	step      int
	begun     time.Time // of the step at hand
	again     bool      // the step at hand is being called once more for Twice
	calls     int
	points    int
	memory    map[string][]byte
	lines     []ops.Line
	told      map[string]bool
	report    []byte
	progress  []string
	offered   time.Time // until when the run can be restored at least
	waits     []ops.Waiting
	undoing   bool
	reminders map[string]time.Time // by their texts
}

// Reminders are when people will be reminded of what, by the words for it.
func (w *Walk) Reminders() map[string]time.Time { return maps.Clone(w.reminders) }

// Look plans, and keeps the plan for the steps. Once there is a plan, it is a
// second look: the operation is given the plan as it was shown.
func (w *Walk) Look(ctx context.Context) (ops.Plan, error) {
	o := w.card()
	if err := ops.Validate([]ops.Operation{o}); err != nil {
		return ops.Plan{}, err
	}
	asked := w.Request
	if w.plan != nil {
		shown := w.Plan()
		asked.Shown = &shown
	}
	p, err := o.Plan(ctx, asked, func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.progress = append(w.progress, fmt.Sprintf(format, args...))
	})
	if err != nil {
		return ops.Plan{}, err
	}
	if err := o.Check(p); err != nil {
		return ops.Plan{}, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return ops.Plan{}, fmt.Errorf("store the plan: %w", err)
	}
	var stored ops.Plan
	if err := json.Unmarshal(text, &stored); err != nil {
		return ops.Plan{}, fmt.Errorf("read the stored plan: %w", err)
	}
	if p.Digest() != stored.Digest() {
		return ops.Plan{}, errors.New("the plan is another one after it was stored")
	}
	w.plan, w.step, w.begun = text, 0, time.Time{}
	return stored, nil
}

// Run plans, if that hasn't been done, and calls the steps until the last one
// has succeeded or one fails, whose error it returns. A preview is only planned.
func (w *Walk) Run(ctx context.Context) error {
	if w.plan == nil {
		if _, err := w.Look(ctx); err != nil {
			return err
		}
	}
	for !w.Request.Preview && !w.Done() {
		if err := w.Step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Step calls the step at hand once. It returns nil when the step has succeeded
// or wants to be called again, and the step's error otherwise; then the same
// step is called next.
func (w *Walk) Step(ctx context.Context) error {
	if w.plan == nil || w.Done() {
		return errors.New("opstest: no step is at hand")
	}
	if w.calls++; w.calls > cmp.Or(w.Limit, 2000) {
		return fmt.Errorf("opstest: step %q doesn't come to an end: %d calls", w.At(), w.calls-1)
	}
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &call{walk: w, begun: w.begun, cancel: cancel}
	if w.begun.IsZero() {
		w.begun = w.now()
	}
	name := w.At()
	if w.undoing {
		name = w.card().Undo
	}
	err := w.card().Do[name](limited, c)
	c.point()
	if c.died() {
		w.Restart()
		return ctx.Err()
	}
	if again, ok := errors.AsType[*ops.AgainError](err); ok {
		if w.Waiting != nil {
			if err := w.Waiting(ctx); err != nil {
				return err
			}
		}
		w.clock().Advance(max(again.After, time.Millisecond))
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	if w.again = w.Twice && !w.again; !w.again {
		w.step, w.begun = w.step+1, time.Time{}
		w.undoing, w.offered = false, time.Time{}
	}
	return nil
}

// Waits is what steps told that they wait for, in order.
func (w *Walk) Waits() []ops.Waiting {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.waits)
}

// UndoPlan is what the operation says that Undo would do now.
func (w *Walk) UndoPlan(ctx context.Context) ([]string, error) {
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	return w.card().UndoPlan(limited, &call{walk: w, begun: w.begun, cancel: cancel})
}

// Offered is until when the run can be restored at least, as the step at hand
// says; the zero time: it doesn't say.
func (w *Walk) Offered() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.offered
}

// Undo restores what the run did, as if a member had pressed the button: it calls
// the operation's Undo until that has succeeded, and no step any more. That it is
// offered is the desk's business, and not asked here.
func (w *Walk) Undo(ctx context.Context) error {
	w.undoing, w.begun, w.again = true, w.now(), false
	for w.undoing {
		if err := w.Step(ctx); err != nil {
			return err
		}
	}
	w.step = len(w.Plan().Steps)
	return nil
}

// Restart has the next call made by a new process: with an operation made anew.
func (w *Walk) Restart() { w.operation = nil }

// Plan is the plan as it was stored; the zero Plan before Look.
func (w *Walk) Plan() ops.Plan {
	var p ops.Plan
	if w.plan != nil {
		mustDecode(w.plan, &p)
	}
	return p
}

// At is the name of the step at hand, "" when there's none.
func (w *Walk) At() string {
	if steps := w.Plan().Steps; w.step < len(steps) {
		return steps[w.step].Do
	}
	return ""
}

// Done tells whether every step has succeeded.
func (w *Walk) Done() bool { return w.plan != nil && w.At() == "" }

// Calls is how often steps were called.
func (w *Walk) Calls() int { return w.calls }

// Points is how many points there have been at which Kill could strike.
func (w *Walk) Points() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.points
}

// Lines is the log as people see it.
func (w *Walk) Lines() []ops.Line {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.lines)
}

// Progress is what Plan told while it looked.
func (w *Walk) Progress() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.progress)
}

// Report is the last report and whether there was one.
func (w *Walk) Report() (ops.Report, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var r ops.Report
	if w.report == nil {
		return r, false
	}
	mustDecode(w.report, &r)
	return r, true
}

func (w *Walk) card() ops.Operation {
	if w.operation == nil || w.Fresh {
		o := w.Operation()
		w.operation = &o
	}
	return *w.operation
}

func (w *Walk) clock() *Clock {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.Clock == nil {
		w.Clock = &Clock{}
	}
	return w.Clock
}

func (w *Walk) now() time.Time { return w.clock().Now() }

func mustDecode(text []byte, v any) {
	if err := json.Unmarshal(text, v); err != nil {
		panic(fmt.Sprintf("opstest: decode what was encoded here: %v", err))
	}
}
