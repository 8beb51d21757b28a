package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

const (
	planFor   = 15 * time.Minute // how long planning may take
	planFresh = time.Minute      // how old a plan may be when its run begins
	stepFor   = 2 * time.Minute  // how long one call of a step may take

	progressFirst = 2 * time.Second
	progressThen  = 3 * time.Second
)

// apply makes a thing happen to a request, if the request is still as it was read.
func (d *Desk) apply(ctx context.Context, r store.Request, h happening) error {
	_, err := d.Store.Update(ctx, r.ID, func(now *store.Request) (store.Change, error) {
		if now.Version != r.Version {
			return store.Change{}, store.ErrStale
		}
		next, change, err := after(*now, h, d.now())
		if err != nil {
			return change, err
		}
		*now = next
		return change, nil
	})
	if err == nil {
		by := r.By
		if h.login != "" {
			by = h.login
		}
		d.Log.Info("request "+string(h.kind), "request", r.ID, "operation", r.Operation, "by", by, "reason", h.reason)
	}
	return err
}

// admit finds out who asks and whether they may.
func (d *Desk) admit(ctx context.Context, o ops.Operation, r store.Request) error {
	login, err := d.may(ctx, r.Asker)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.report(err, r)
		return d.apply(ctx, r, happening{kind: turnedAway, login: login, reason: ops.Words(err, r.ID), fault: ops.KindOf(err)})
	}
	h := happening{kind: admitted, login: login}
	if o.Lock != nil && !r.Preview {
		h.held = o.Lock(r.For())
	}
	err = d.apply(ctx, r, h)
	held, busy := errors.AsType[*store.HeldError](err)
	if !busy {
		return err
	}
	reason := o.Command + " is already under way."
	if other, err := d.Store.Request(ctx, held.By); err == nil {
		reason = fmt.Sprintf("%s is already under way: %s asked for it at %s UTC.", o.Command, other.By, other.At.Format("15:04"))
	}
	return d.apply(ctx, r, happening{kind: turnedAway, login: login, fault: ops.Busy, pointer: held.By,
		reason: reason + " Nothing more was started; follow that one, and ask again when it has ended."})
}

// may tells which login the asker is and returns nil if they may ask.
func (d *Desk) may(ctx context.Context, a store.Asker) (string, error) {
	login := a.Login
	if login == "" {
		var err error
		if login, err = d.Team.Login(a.User); err != nil {
			return "", err
		}
	}
	return login, d.Team.Member(ctx, login)
}

// report tells the operator what a person isn't told.
func (d *Desk) report(err error, r store.Request) {
	d.Log.Warn("request stopped", "request", r.ID, "operation", r.Operation, "by", r.By, "error", err)
}

func (d *Desk) plan(ctx context.Context, o ops.Operation, r store.Request) error {
	limited, cancel := context.WithTimeout(ctx, planFor)
	defer cancel()
	var text atomic.Pointer[string]
	var telling sync.WaitGroup
	telling.Go(func() { d.progress(limited, r, &text) })
	plan, err := safely(func() (ops.Plan, error) {
		return o.Plan(limited, r.For(), func(format string, args ...any) {
			s := fmt.Sprintf(format, args...)
			text.Store(&s)
		})
	})
	cancel()
	telling.Wait()
	if err == nil {
		err = o.Check(plan)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// Progress may have been written meanwhile; the state can't have changed.
	r, again := d.Store.Request(ctx, r.ID)
	if again != nil {
		return again
	}
	if err != nil {
		d.report(err, r)
		reason := ops.Words(err, r.ID)
		if !strings.Contains(reason, "Nothing was run") && !strings.Contains(reason, "nothing was run") {
			reason += " Nothing was run."
		}
		return d.apply(ctx, r, happening{kind: unplanned, reason: reason, fault: ops.KindOf(err)})
	}
	return d.apply(ctx, r, happening{kind: planned, plan: &plan})
}

// progress brings the card up to date while a plan takes long.
func (d *Desk) progress(ctx context.Context, r store.Request, text *atomic.Pointer[string]) {
	timer := time.NewTimer(progressFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(progressThen)
		now := text.Load()
		if now == nil {
			continue
		}
		if _, err := d.Store.Update(ctx, r.ID, func(r *store.Request) (store.Change, error) {
			if r.State != store.Planning {
				return store.Change{}, context.Canceled
			}
			r.Progress = *now
			return store.Change{Messages: []store.Message{{Request: r.ID, Kind: store.Card}}}, nil
		}); err != nil && ctx.Err() == nil {
			d.Log.Warn("write progress", "request", r.ID, "error", err)
		}
	}
}

// start begins the run, if the plan is fresh and the asker still may.
func (d *Desk) start(ctx context.Context, o ops.Operation, r store.Request) error {
	if d.now().Sub(r.PlannedAt) > planFresh {
		return d.apply(ctx, r, happening{kind: outdated, reason: "The plan was made at " + r.PlannedAt.Format("15:04:05") + " UTC; planning again."})
	}
	_, err := d.may(ctx, r.Asker)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		d.report(err, r)
		return d.apply(ctx, r, happening{kind: turnedAway, login: r.By, reason: ops.Words(err, r.ID), fault: ops.KindOf(err)})
	}
	return d.apply(ctx, r, happening{kind: started})
}

// step calls the step at hand once.
func (d *Desk) step(ctx context.Context, o ops.Operation, r store.Request) (time.Duration, error) {
	begun := r.StepBegun
	if begun.IsZero() {
		if err := d.apply(ctx, r, happening{kind: stepBegun}); err != nil {
			return 0, err
		}
	}
	step := r.Plan.Steps[r.Step]
	limited, cancel := context.WithTimeout(ctx, stepFor)
	defer cancel()
	_, err := safely(func() (struct{}, error) {
		return struct{}{}, o.Do[step.Do](limited, &run{desk: d, request: r, begun: begun})
	})
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if again, ok := errors.AsType[*ops.AgainError](err); ok {
		return max(again.After, time.Millisecond), nil
	}
	r, readErr := d.Store.Request(ctx, r.ID)
	if readErr != nil {
		return 0, readErr
	}
	if err != nil {
		d.report(err, r)
		return 0, d.apply(ctx, r, happening{kind: stepFailed, reason: ops.Words(err, r.ID), fault: ops.KindOf(err)})
	}
	return 0, d.apply(ctx, r, happening{kind: stepEnded})
}

// safely turns a panic of an operation into an error.
func safely[T any](fn func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}

// run is a step's view of its request.
type run struct {
	desk    *Desk
	request store.Request
	begun   time.Time
}

func (r *run) Request() ops.Request { return r.request.For() }
func (r *run) Plan() ops.Plan       { return *r.request.Plan }
func (r *run) Begun() time.Time     { return r.begun }
func (r *run) Now() time.Time       { return r.desk.now() }

func (r *run) Log(ctx context.Context, lines ...ops.Line) error {
	if len(lines) == 0 {
		return nil
	}
	return r.write(ctx, nil, store.Change{Lines: lines})
}

func (r *run) Remember(ctx context.Context, key string, v any) error {
	return r.write(ctx, nil, store.Change{Memory: map[string]any{key: v}})
}

func (r *run) Recall(ctx context.Context, key string, v any) (bool, error) {
	return r.desk.Store.Recall(ctx, r.request.ID, key, v)
}

func (r *run) Report(ctx context.Context, report ops.Report) error {
	return r.write(ctx, &report, store.Change{})
}

func (r *run) write(ctx context.Context, report *ops.Report, c store.Change) error {
	_, err := r.desk.Store.Update(ctx, r.request.ID, func(now *store.Request) (store.Change, error) {
		if report != nil {
			now.Report = report
		}
		return c, nil
	})
	return err
}
