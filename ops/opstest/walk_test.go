package opstest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// counting is an operation that adds one to a number in the world, waits for a
// minute and reports. It keeps to the rules for steps.
func counting(world *int) func() ops.Operation {
	return func() ops.Operation {
		return ops.Operation{
			Name: "count", Command: "/count", Doc: "Count",
			Plan: func(_ context.Context, _ ops.Request, progress ops.Progress) (ops.Plan, error) {
				progress("%d of %d", 1, 1)
				return ops.Plan{Summary: "Add one.", Steps: []ops.Step{{Do: "add", Title: "Add"}, {Do: "wait", Title: "Wait"}}}, nil
			},
			Do: map[string]func(context.Context, ops.Run) error{
				"add": func(ctx context.Context, run ops.Run) error {
					var from int
					if known, err := run.Recall(ctx, "from", &from); err != nil {
						return err
					} else if !known {
						from = *world
						if err := run.Remember(ctx, "from", from); err != nil {
							return err
						}
					}
					*world = from + 1
					return run.Log(ctx, ops.Line{Key: "added", Text: "added"})
				},
				"wait": func(ctx context.Context, run ops.Run) error {
					if begun := run.Begun(); begun.IsZero() || run.Now().Before(begun.Add(time.Minute)) {
						return ops.Again(10 * time.Second)
					}
					return run.Report(ctx, ops.Report{Summary: "Added."})
				},
			},
		}
	}
}

func TestWalk(t *testing.T) {
	began := time.Now()
	for _, test := range []struct {
		name string
		walk *opstest.Walk
	}{
		{"once", &opstest.Walk{}},
		{"each step twice", &opstest.Walk{Twice: true}},
		{"a new process for every call", &opstest.Walk{Fresh: true}},
		{"killed before the first write", &opstest.Walk{Kill: 1}},
		{"killed after the first write", &opstest.Walk{Kill: 2}},
		{"killed before the log", &opstest.Walk{Kill: 3}},
		{"killed after the log", &opstest.Walk{Kill: 4}},
		{"killed when the first step had ended", &opstest.Walk{Kill: 5}},
		{"killed while it waited", &opstest.Walk{Kill: 6}},
		{"killed after the report", &opstest.Walk{Kill: 14}},
	} {
		t.Run(test.name, func(t *testing.T) {
			world := 41
			w := test.walk
			w.Operation = counting(&world)
			if err := w.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			report, ok := w.Report()
			if world != 42 || !ok || report.Summary != "Added." || !w.Done() {
				t.Errorf("world %d, report %v %v, at %q", world, report, ok, w.At())
			}
			if lines := w.Lines(); len(lines) != 1 || lines[0].Level != ops.Info || lines[0].At.IsZero() {
				t.Errorf("lines %+v", lines)
			}
			if diff := cmp.Diff([]string{"1 of 1"}, w.Progress()); diff != "" {
				t.Error(diff)
			}
			if w.Points() < w.Kill {
				t.Errorf("only %d points, so nothing was killed", w.Points())
			}
		})
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v: something waited for real", took)
	}
}

func TestWalkStops(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name  string
		do    func(context.Context, ops.Run) error
		limit int
		want  string
	}{
		{"at a step's error", func(context.Context, ops.Run) error { return broken }, 0, "broken"},
		{"at a step that never ends", func(context.Context, ops.Run) error { return ops.Again(time.Hour) }, 3, `opstest: step "do" doesn't come to an end: 3 calls`},
		{"at memory that isn't JSON", func(ctx context.Context, run ops.Run) error { return run.Remember(ctx, "f", func() {}) }, 0, "remember f: json: unsupported type: func()"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := &opstest.Walk{Limit: test.limit, Operation: func() ops.Operation {
				return ops.Operation{
					Name: "broken", Command: "/broken", Doc: "Broken",
					Plan: func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
						return ops.Plan{Steps: []ops.Step{{Do: "do", Title: "Do"}}}, nil
					},
					Do: map[string]func(context.Context, ops.Run) error{"do": test.do},
				}
			}}
			if err := w.Run(t.Context()); err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if w.Done() || w.At() != "do" {
				t.Errorf("done %v, at %q: the step must stay at hand", w.Done(), w.At())
			}
		})
	}
}

func TestWalkOnlyPlansAPreview(t *testing.T) {
	world := 0
	w := &opstest.Walk{Operation: counting(&world), Request: ops.Request{Preview: true}}
	if err := w.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if world != 0 || w.Calls() != 0 || w.Plan().Summary != "Add one." {
		t.Errorf("world %d, %d calls, plan %+v", world, w.Calls(), w.Plan())
	}
}
