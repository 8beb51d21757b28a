package step_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/step"
)

// run is what Retry needs of an ops.Run; anything else panics.
type run struct {
	ops.Run
	now, begun time.Time
	memory     map[string]time.Time
	lines      []string
}

func (r *run) Request() ops.Request { return ops.Request{ID: "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f"} }
func (r *run) Now() time.Time       { return r.now }
func (r *run) Begun() time.Time     { return r.begun }

func (r *run) Recall(_ context.Context, key string, v any) (bool, error) {
	at, known := r.memory[key]
	if known {
		*v.(*time.Time) = at
	}
	return known, nil
}

func (r *run) Remember(_ context.Context, key string, v any) error {
	r.memory[key] = v.(time.Time)
	return nil
}

func (r *run) Log(_ context.Context, lines ...ops.Line) error {
	for _, l := range lines {
		r.lines = append(r.lines, string(l.Level)+" "+l.Text)
	}
	return nil
}

// call is one call of a step: when, counted from the step's beginning, and what it returns.
type call struct {
	at   time.Duration
	step int // whose step it is: another one has another beginning
	err  error
}

func TestRetry(t *testing.T) {
	passing := &ops.Error{Kind: ops.Unavailable, What: "AWS is throttling.", Passing: true}
	final := &ops.Error{Kind: ops.Unavailable, What: "AWS refused it."}
	halt := &ops.HaltError{Err: passing}
	waits := ops.Again(time.Hour)
	for _, test := range []struct {
		name  string
		calls []call
		want  []string // what becomes of each call: done, again, waits, gave up
	}{
		{"a step that works isn't called again", []call{{err: nil}}, []string{"done"}},
		{"what may pass is tried again", []call{{err: passing}, {at: time.Minute, err: nil}}, []string{"again", "done"}},
		{"what won't pass ends the step", []call{{err: final}}, []string{"gave up"}},
		{"a run that the desk stopped isn't tried again", []call{{err: halt}}, []string{"gave up"}},
		{"it is tried for six hours", []call{{err: passing}, {at: 5 * time.Hour, err: passing}, {at: 7 * time.Hour, err: passing}}, []string{"again", "again", "gave up"}},
		{
			"the time counts from the first failure, not from the step's beginning",
			[]call{{err: waits}, {at: 30 * time.Hour, err: passing}, {at: 35 * time.Hour, err: passing}, {at: 37 * time.Hour, err: passing}},
			[]string{"waits", "again", "again", "gave up"},
		},
		{
			"each trouble has its own time",
			[]call{{err: passing}, {at: time.Hour, err: waits}, {at: 30 * time.Hour, err: passing}, {at: 31 * time.Hour, err: nil}},
			[]string{"again", "waits", "again", "done"},
		},
		{
			"the trouble of an earlier step isn't this one's",
			[]call{{err: passing}, {at: 3 * time.Hour, err: passing}, {at: 7 * time.Hour, err: passing}, {step: 1, err: passing}, {step: 1, at: time.Hour, err: nil}},
			[]string{"again", "again", "gave up", "again", "done"},
		},
		{
			"a bot that was stopped for the whole time has its time anew",
			[]call{{err: passing}, {at: 30 * time.Hour, err: passing}, {at: 35 * time.Hour, err: passing}, {at: 37 * time.Hour, err: passing}},
			[]string{"again", "again", "again", "gave up"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			start := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
			r := &run{memory: map[string]time.Time{}}
			var got []string
			for i, c := range test.calls {
				began := start.AddDate(0, 0, 7*c.step)
				r.now, r.begun = began.Add(c.at), began
				if i == 0 || test.calls[i-1].step != c.step {
					r.begun = time.Time{} // the first call of a step
				}
				err := step.Retry(func(context.Context, ops.Run) error { return c.err })(t.Context(), r)
				again, wait := errors.AsType[*ops.AgainError](err)
				switch {
				case err == nil:
					got = append(got, "done")
				case wait && again.After == time.Hour:
					got = append(got, "waits")
				case wait:
					got = append(got, "again")
				case errors.Is(err, c.err):
					got = append(got, "gave up")
				default:
					t.Errorf("call %d: %v", i, err)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, line := range r.lines {
				if line != "warning This is tried again every two minutes: AWS is throttling." {
					t.Errorf("told %q", line)
				}
			}
			if tried := strings.Count(strings.Join(got, " "), "again"); tried != len(r.lines) {
				t.Errorf("told %d times of %d", len(r.lines), tried)
			}
		})
	}
}
