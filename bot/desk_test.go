package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(request.Request{}, "Holder")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestTheWholeLife(t *testing.T) {
	t.Parallel()
	type call struct {
		Step  string
		First bool
		Seen  string // what was remembered before
	}
	var mu sync.Mutex
	var calls []call
	var seen ops.Request
	work := func(step string, again bool) func(context.Context, ops.Run) error {
		return func(ctx context.Context, run ops.Run) error {
			c := call{Step: step, First: run.Begun().IsZero()}
			if _, err := run.Recall(ctx, "last", &c.Seen); err != nil {
				return err
			}
			mu.Lock()
			calls, seen = append(calls, c), run.Request()
			mu.Unlock()
			if err := run.Log(ctx, ops.Line{Key: step, Text: "at " + step}); err != nil {
				return err
			}
			if again && c.First {
				return ops.Again(time.Millisecond)
			}
			if err := run.Remember(ctx, "last", step); err != nil {
				return err
			}
			return run.Report(ctx, ops.Report{Summary: "done with " + step})
		}
	}
	operation := tidy(nil)
	plan := ops.Plan{Summary: "two shelves", Steps: []ops.Step{{Do: "one", Title: "Shelf one", Effects: []string{"dust"}}, {Do: "two", Title: "Shelf two"}}}
	operation.Plan = func(_ context.Context, r ops.Request, _ ops.Progress) (ops.Plan, error) {
		if r.By != "octocat" || !slices.Equal(r.Inputs["people"], []string{"a", "b"}) {
			return plan, fmt.Errorf("planned for %+v", r)
		}
		return plan, nil
	}
	operation.Do = map[string]func(context.Context, ops.Run) error{"one": work("one", false), "two": work("two", true)}
	h := open(t, operation)
	asked := h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1"), Inputs: ops.Inputs{"people": {"a", "b"}}})
	if asked.State != request.Asked || asked.By != "" {
		t.Errorf("right after asking it is %s by %q", asked.State, asked.By)
	}
	r := h.ended(asked.ID)
	if r.State != request.Succeeded || r.By != "octocat" || r.Step != 2 || r.Report.Summary != "done with two" || r.EndedAt.IsZero() {
		t.Errorf("it ended as %+v", r)
	}
	same(t, "the plan", &plan, r.Plan)
	same(t, "calls", []call{{"one", true, ""}, {"two", true, "one"}, {"two", false, "one"}}, calls)
	same(t, "what a step sees of the request", ops.Request{ID: r.ID, Operation: "tidy-up", By: "octocat", Inputs: ops.Inputs{"people": {"a", "b"}}, At: r.At, Lease: seen.Lease}, seen)
	if seen.Lease == 0 {
		t.Error("a step has no lease")
	}
	same(t, "the log", []string{"at one", "at two"}, h.lines(r.ID))
	same(t, "events", []string{"asked", "admitted", "planned", "started", "step-begun", "step-ended", "step-begun", "step-ended"}, h.events(r.ID))
	var rest []string
	for _, kind := range kindsOf(h.told(r.ID)) {
		if kind != request.Card {
			rest = append(rest, kind)
		}
	}
	same(t, "what is told beside the card", []string{"pointer", "plan", "log", "log", "logfile", "result"}, rest)
	list, err := h.Store.Events(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "by whom it was asked", "slack:T1/U1", list[0].By)
	for _, e := range list[1:] {
		same(t, "by whom it was "+e.Kind, "octocat", e.By)
	}
	if problems := h.gh.Problems(); problems != nil {
		t.Error(problems)
	}
}

func TestAStepThatWaitsIsCalledAgain(t *testing.T) {
	t.Parallel()
	var begun []time.Time
	h := open(t, tidy(func(_ context.Context, run ops.Run) error {
		if begun = append(begun, run.Begun()); len(begun) < 4 {
			return fmt.Errorf("not there yet: %w", ops.Again(time.Millisecond))
		}
		return nil
	}))
	if r := h.ended(h.ask().ID); r.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
	if len(begun) != 4 || !begun[0].IsZero() || begun[1].IsZero() || !begun[1].Equal(begun[2]) || !begun[2].Equal(begun[3]) {
		t.Errorf("the step was told that it began at %v", begun)
	}
}

func TestAStepThatFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fault  error
		panics bool
		want   request.State
		reason string
		hides  string
	}{
		{name: "a refusal", fault: &ops.Error{Kind: ops.Refused, What: "Not that shelf.", Next: "Take another."}, want: request.Failed, reason: "Not that shelf. Nothing was changed. Take another."},
		{name: "something that can't be", fault: &ops.Error{Kind: ops.Invalid, What: "No shelf."}, want: request.Failed, reason: "No shelf."},
		{name: "somebody else is at it", fault: &ops.Error{Kind: ops.Busy, What: "Wet paint."}, want: request.Failed, reason: "Wet paint."},
		{name: "a system that doesn't answer", fault: &ops.Error{Kind: ops.Unavailable, What: "AWS is away.", Err: errors.New("secret detail")}, want: request.Failed, reason: "AWS is away.", hides: "secret"},
		{name: "a wrapped fault", fault: fmt.Errorf("tidy: %w", &ops.Error{Kind: ops.Unavailable, What: "AWS is away."}), want: request.Failed, reason: "AWS is away."},
		{name: "nobody knows whether it was done", fault: &ops.Error{Kind: ops.Unknown, What: "Was it me?"}, want: request.Unknown, reason: "Was it me?"},
		{name: "a fault of the program", fault: errors.New("secret: index out of range"), want: request.Failed, reason: "Internal error (request ", hides: "secret"},
		{name: "a fault that says it is the program's", fault: &ops.Error{Kind: ops.Internal, What: "secret"}, want: request.Failed, reason: "Internal error (request ", hides: "secret"},
		{name: "a panic", panics: true, want: request.Failed, reason: "Internal error (request ", hides: "secret"},
	}
	calls, operations := make([]int, len(tests)), []ops.Operation(nil)
	for i, test := range tests {
		operation := called(i, tidy(func(context.Context, ops.Run) error {
			if calls[i]++; test.panics {
				panic("secret")
			}
			return test.fault
		}))
		operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) { return *planOf(2), nil }
		operations = append(operations, operation)
	}
	house := open(t, operations...)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := house.within(t)
			r := h.ended(h.askFor(i).ID)
			calls := calls[i]
			if r.State != test.want || !strings.HasPrefix(r.Reason, test.reason) || r.Step != 0 || calls != 1 {
				t.Errorf("it ended as %s at step %d after %d calls: %q; want %s: %q", r.State, r.Step, calls, r.Reason, test.want, test.reason)
			}
			if test.hides != "" && strings.Contains(r.Reason, test.hides) {
				t.Errorf("people read %q", r.Reason)
			}
			if strings.HasPrefix(test.reason, "Internal") && !strings.Contains(r.Reason, ops.Short(r.ID)) {
				t.Errorf("%q doesn't name the request %s", r.Reason, ops.Short(r.ID))
			}
			events := h.events(r.ID)
			if last := events[len(events)-1]; last != "step-failed" {
				t.Errorf("the last event is %s", last)
			}
			told := kindsOf(h.told(r.ID))
			if last := told[len(told)-1]; last != request.Result {
				t.Errorf("what is told ends with %s", last)
			}
		})
	}
}

func TestAReportDecidesWhetherARunSucceeded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		report *ops.Report
		want   request.State
	}{
		{"no report", nil, request.Succeeded},
		{"all confirmed", &ops.Report{Summary: "clean", Sections: []ops.Section{{Outcomes: []ops.Outcome{{State: ops.Confirmed}}}}}, request.Succeeded},
		{"a note", &ops.Report{Summary: "clean", Notes: []string{"smells"}}, request.Succeeded},
		{"a problem", &ops.Report{Summary: "dirty", Problems: []string{"dust"}}, request.Failed},
		{"attempted but not there", &ops.Report{Summary: "dirty", Sections: []ops.Section{{Outcomes: []ops.Outcome{{State: ops.Missing}}}}}, request.Failed},
		{"something failed", &ops.Report{Summary: "dirty", Sections: []ops.Section{{Outcomes: []ops.Outcome{{State: ops.Failed}}}}}, request.Failed},
	}
	var operations []ops.Operation
	for i, test := range tests {
		operations = append(operations, called(i, tidy(func(ctx context.Context, run ops.Run) error {
			if test.report == nil {
				return nil
			}
			if err := run.Report(ctx, ops.Report{Summary: "an earlier one", Problems: []string{"the last one counts"}}); err != nil {
				return err
			}
			return run.Report(ctx, *test.report)
		})))
	}
	house := open(t, operations...)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := house.within(t)
			r := h.ended(h.askFor(i).ID)
			if r.State != test.want || r.State == request.Failed && r.Reason != test.report.Summary {
				t.Errorf("it ended as %s (%s), want %s", r.State, r.Reason, test.want)
			}
			same(t, "the report", test.report, r.Report)
		})
	}
}

func TestAPlanThatCantBeMade(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		plan   func() (ops.Plan, error)
		want   request.State
		reason string
	}{
		{"refused", func() (ops.Plan, error) {
			return ops.Plan{}, &ops.Error{Kind: ops.Refused, What: "Too much dust."}
		}, request.Refused, "Too much dust. Nothing was changed."},
		{"invalid", func() (ops.Plan, error) { return ops.Plan{}, &ops.Error{Kind: ops.Invalid, What: "No shelf."} }, request.Refused, "No shelf. Nothing was changed."},
		{"busy", func() (ops.Plan, error) { return ops.Plan{}, &ops.Error{Kind: ops.Busy, What: "Wet paint."} }, request.Failed, "Wet paint. Nothing was changed."},
		{"unavailable", func() (ops.Plan, error) {
			return ops.Plan{}, &ops.Error{Kind: ops.Unavailable, What: "AWS is away."}
		}, request.Failed, "AWS is away. Nothing was changed."},
		{"a fault of the program", func() (ops.Plan, error) { return ops.Plan{}, errors.New("secret") }, request.Failed, "Internal error (request "},
		{"a panic", func() (ops.Plan, error) { panic("secret") }, request.Failed, "Internal error (request "},
		{"a step that the card can't do", func() (ops.Plan, error) {
			return ops.Plan{Steps: []ops.Step{{Do: "polish", Title: "Polish"}}}, nil
		}, request.Failed, "Internal error (request "},
	}
	var ran atomic.Bool
	var operations []ops.Operation
	for i, test := range tests {
		operation := called(i, tidy(func(context.Context, ops.Run) error { ran.Store(true); return nil }))
		operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) { return test.plan() }
		operations = append(operations, operation)
	}
	house := open(t, operations...)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := house.within(t)
			r := h.ended(h.askFor(i).ID)
			if r.State != test.want || !strings.HasPrefix(r.Reason, test.reason) || !strings.Contains(r.Reason, "Nothing was changed") || strings.Contains(r.Reason, "secret") {
				t.Errorf("it ended as %s: %q; want %s: %q", r.State, r.Reason, test.want, test.reason)
			}
			if ran.Load() {
				t.Error("a step was called")
			}
			same(t, "events", []string{"asked", "admitted", "unplanned"}, h.events(r.ID))
		})
	}
}

func TestWhatIsntOfferedCantBeAskedFor(t *testing.T) {
	t.Parallel()
	h := open(t, tidy(nothing))
	if _, err := h.Ask(t.Context(), bot.Asking{Operation: "burn-down", Asker: by("U1")}); err == nil {
		t.Error("it was asked for")
	}
	if _, err := h.Ask(t.Context(), bot.Asking{Again: "nobody", Asker: by("U1")}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("again of what isn't there: %v", err)
	}
	same(t, "events", []string{"process-started"}, h.events(""))
}

func TestAnOperationThatNeedsApprovalIsntRunWithout(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		operation ops.Rule
		plan      ops.Rule
	}{
		{"its card demands approval", ops.Rule{Count: 1, Why: "Always two."}, ops.Rule{}},
		{"its plan demands approval", ops.Rule{}, ops.Rule{Count: 1, Why: "It is much."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var ran atomic.Bool
			operation := tidy(func(context.Context, ops.Run) error { ran.Store(true); return nil })
			operation.Approval = test.operation
			operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
				p := *planOf(1)
				p.Approval = test.plan
				return p, nil
			}
			h := open(t, operation)
			r := h.until(h.ask().ID, "past its planning", func(r request.Request) bool {
				return r.State != request.Asked && r.State != request.Planning && r.State != request.Approved
			})
			if r.State == request.Running || r.State == request.Succeeded || ran.Load() {
				t.Errorf("it is %s and nobody has approved it", r.State)
			}
		})
	}
}

func TestAPlanWithoutStepsEnds(t *testing.T) {
	t.Parallel()
	operation := tidy(nothing)
	operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
		return ops.Plan{Summary: "Nothing to do."}, nil
	}
	h := open(t, operation)
	h.patience = 6 * time.Second
	if r := h.ended(h.ask().ID); r.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
}

func TestAPreviewRunsNothingAndHoldsNothing(t *testing.T) {
	t.Parallel()
	ran, goOn := false, make(chan bool)
	operation := tidy(func(context.Context, ops.Run) error { ran = true; <-goOn; return nil })
	operation.Lock = func(ops.Request) string { return "shelf" }
	h := open(t, operation)
	preview := func() request.Request {
		return h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1"), Preview: true}).ID)
	}
	r := preview()
	if r.State != request.Succeeded || r.Plan == nil || ran {
		t.Errorf("the preview ended as %s with plan %v; a step was called: %v", r.State, r.Plan, ran)
	}
	same(t, "events", []string{"asked", "admitted", "planned"}, h.events(r.ID))
	run := h.ask()
	h.until(run.ID, "running", func(r request.Request) bool { return r.State == request.Running })
	if r := preview(); r.State != request.Succeeded {
		t.Errorf("beside a run the preview ended as %s: %s", r.State, r.Reason)
	}
	close(goOn)
	h.ended(run.ID)
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	h := open(t, tidy(func(context.Context, ops.Run) error {
		if calls.Add(1)%3 == 0 {
			return ops.Again(time.Millisecond)
		}
		return nil
	}))
	var ids []string
	for range 12 {
		ids = append(ids, h.ask().ID)
	}
	for _, id := range ids {
		if r := h.ended(id); r.State != request.Succeeded {
			t.Errorf("%s ended as %s: %s", id, r.State, r.Reason)
		}
	}
}

func TestADeskWithBadCardsDoesntStart(t *testing.T) {
	t.Parallel()
	h := open(t, tidy(nothing))
	h.end()
	desk := &bot.Desk{Store: h.Store, Team: h.Team, Log: quiet, Operations: []ops.Operation{tidy(nothing), tidy(nothing)}}
	if err := desk.Start(t.Context()); err == nil {
		t.Error("it started with one command twice")
	}
}
