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

// carrier is what a context says of the job that works on a request.
type carrier struct {
	request string
	job     int64
}

type carrierKey struct{}

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

// stillCarries returns store.ErrLost if ctx is of a job that doesn't carry the
// request any more: a process that was frozen may wake up when another has taken
// its work over, and must change nothing.
func stillCarries(ctx context.Context, now request.Request) error {
	if as, ok := ctx.Value(carrierKey{}).(carrier); ok && as.request == now.ID && as.job != now.Carrier {
		return store.ErrLost
	}
	return nil
}

// interrupted tells the people who watch a run which calls an earlier process was
// making when it died: what they did shows in nobody's log, and the plan that is
// made afterwards doesn't have it any more. It does so once in each process.
func (d *Desk) interrupted(ctx context.Context, id string) error {
	if _, before := d.carried.LoadOrStore(id, true); before {
		return nil
	}
	r, err := d.Store.Request(ctx, id)
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
	_, err := d.Store.Update(ctx, r.ID, func(now *request.Request) (request.Change, error) {
		if err := stillCarries(ctx, *now); err != nil {
			return request.Change{}, err
		}
		if now.ActedAt.IsZero() {
			now.ActedAt, now.FinalAt = acted, final
		}
		return request.Change{Messages: []request.Message{{Request: r.ID, Kind: request.Ask}}}, nil
	})
	return err
}
