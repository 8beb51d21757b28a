package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// takenOver is for the operator's log.
const takenOver = "request was taken over by another process"

// beat keeps a claim, and ends the work when it is lost: somebody else has it then.
func (d *Desk) beat(ctx context.Context, lost context.CancelFunc, id string, job int64) {
	tick := time.NewTicker(leaseBeat)
	defer tick.Stop()
	kept := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := time.Now()
		limited, cancel := context.WithTimeout(ctx, leaseBeat)
		err := d.Store.Renew(limited, id, job, now, lease)
		cancel()
		switch {
		case err == nil:
			kept = now
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrLost):
			d.Log.Warn(takenOver, "request", id)
			lost()
			return
		default:
			d.Log.Warn("renew lease", "request", id, "error", err)
			if time.Since(kept) > lease {
				lost()
				return
			}
		}
	}
}

// update has fn change a request. Where r was given to a worker, it is store.ErrLost once
// another worker holds the request: a process that was frozen may wake up when its work
// has been taken over, and must change nothing.
func (d *Desk) update(ctx context.Context, r request.Request, fn func(*request.Request) (request.Change, error)) (request.Request, error) {
	return d.Store.Update(ctx, r.ID, func(now *request.Request) (request.Change, error) {
		if r.Lease != 0 && r.Lease != now.Holder {
			return request.Change{}, store.ErrLost
		}
		return fn(now)
	})
}

// reread reads a request again, for the worker that it was given to.
func (d *Desk) reread(ctx context.Context, r request.Request) (request.Request, error) {
	now, err := d.Store.Request(ctx, r.ID)
	now.Lease = r.Lease
	return now, err
}

// record adds an event of a worker's, if it still holds the request; else it is
// store.ErrLost. A lease of 0 is no worker's.
func (d *Desk) record(ctx context.Context, lease int64, e request.Event) error {
	if lease == 0 {
		return d.Store.Record(ctx, e)
	}
	return d.Store.RecordAs(ctx, e.Request, lease, e)
}

// interrupted tells the people who watch a run which calls an earlier process was
// making when it died: what they did shows in nobody's log, and the plan that is
// made afterwards doesn't have it any more. It does so once in each process.
func (d *Desk) interrupted(ctx context.Context, id string, lease int64) error {
	if _, before := d.carried.LoadOrStore(id, true); before {
		return nil
	}
	r, err := d.reread(ctx, request.Request{ID: id, Lease: lease})
	if err != nil || r.State != request.Running && r.State != request.Undoing {
		return err
	}
	events, err := d.Store.Events(ctx, id)
	if err != nil {
		return err
	}
	if err := d.remark(ctx, r, events); err != nil {
		return err
	}
	open := map[string]request.Event{}
	for _, e := range events {
		call := fmt.Sprintf("%v %v (%v)", e.Data["service"], e.Data["action"], e.Data["target"])
		switch e.Kind {
		case "calling":
			open[call] = e
		case "called":
			delete(open, call)
		}
	}
	var lines []ops.Line
	for call, e := range open {
		lines = append(lines, ops.Line{
			Key: fmt.Sprintf("desk/interrupted %d", e.Seq), At: e.At, Level: ops.Warning,
			Text: "The bot was stopped while it called " + call + ": AWS may have done it.",
		})
	}
	return (&run{desk: d, request: r}).Log(ctx, lines...)
}

// remark notes in a request's row what its record says it has changed: a version of
// the bot that kept no such notes may have begun the run, and people must be able to
// restore it all the same.
func (d *Desk) remark(ctx context.Context, r request.Request, events []request.Event) error {
	o, ok := d.Operation(r.Operation)
	if !ok || !r.ActedAt.IsZero() {
		return nil
	}
	var acted, final time.Time
	for _, e := range events {
		if e.Kind != "called" || e.Data["outcome"] == "failed" {
			continue
		}
		word := func(key string) string { text, _ := e.Data[key].(string); return text }
		if acted.IsZero() {
			acted = e.At
		}
		if final.IsZero() && (o.Irreversible == nil || o.Irreversible(ops.Call{Service: word("service"), Action: word("action"), Target: word("target")})) {
			final = e.At
		}
	}
	if acted.IsZero() {
		return nil
	}
	_, err := d.update(ctx, r, func(now *request.Request) (request.Change, error) {
		if now.ActedAt.IsZero() {
			now.ActedAt, now.FinalAt = acted, final
		}
		return request.Change{Messages: []request.Message{{Request: r.ID, Kind: request.Ask}}}, nil
	})
	return err
}
