package bot

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// recordStart records what begins to run here, and whether its settings are
// others than those that ran before.
func (d *Desk) recordStart(ctx context.Context) error {
	var names []string
	for _, o := range d.Operations {
		names = append(names, o.Name)
	}
	now := d.now()
	events := []request.Event{{At: now, Kind: "process-started", Data: map[string]any{"version": d.Version, "settings": d.Settings, "operations": names}}}
	before, err := d.Store.LastEvent(ctx, "process-started")
	switch {
	case errors.Is(err, store.ErrNotFound):
	case err != nil:
		return err
	case before.Data["settings"] != d.Settings:
		events = append(events, request.Event{At: now, Kind: "settings", Data: map[string]any{"before": before.Data["settings"], "hash": d.Settings}})
	}
	return d.Store.Record(ctx, events...)
}

// Called records a call of AWS that changes something: before it is made, with
// no outcome, and after. A call that can't be recorded must not be made.
func (d *Desk) Called(ctx context.Context, r ops.Request, call ops.Call) error {
	kind := "called"
	if call.Outcome == "" {
		kind = "calling"
	}
	data := map[string]any{"service": call.Service, "action": call.Action, "target": call.Target}
	for key, value := range map[string]string{"aws_request": call.AWSRequest, "outcome": call.Outcome, "error": call.Fault} {
		if value != "" {
			data[key] = value
		}
	}
	e := request.Event{At: d.now(), Request: r.ID, Kind: kind, By: r.By, Data: data}
	at, ours := ctx.Value(runKey{}).(*run)
	ours = ours && at.request.ID == r.ID
	if ours && call.Outcome == "" {
		final := at.irreversible(call)
		if err := at.ask(ctx, final); err != nil {
			return err
		}
		if err := at.mark(ctx, nameOfCall(call), final); err != nil {
			return err
		}
	}
	if ours && call.Outcome == "failed" {
		// AWS said no, so nothing has changed.
		if err := at.unmark(ctx, nameOfCall(call)); err != nil {
			return errors.Join(err, d.Store.Record(ctx, e))
		}
	}
	// What was done is recorded whoever did it; what is about to be done, only by
	// whom the request is with.
	if call.Outcome == "" {
		return d.record(ctx, r.Lease, e)
	}
	return d.Store.Record(ctx, e)
}

func nameOfCall(call ops.Call) string { return call.Service + " " + call.Action + " " + call.Target }

const (
	anchorDaily = 24 * time.Hour
	anchorLook  = time.Minute // how often to look whether it is time
)

// anchoring is what has the head of the audit written down elsewhere.
type anchoring struct {
	ended  chan struct{} // a run has ended
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (a *anchoring) stop() {
	if a.cancel != nil {
		a.cancel()
		a.done.Wait()
	}
}

// runEnded has the head of the audit anchored in the vault, if the request was run.
func (d *Desk) runEnded(r request.Request) {
	if r.State.Ended() && !r.StartedAt.IsZero() {
		select {
		case d.anchoring.ended <- struct{}{}:
		default:
		}
	}
}

func (d *Desk) startAnchoring(ctx context.Context) {
	ctx, d.anchoring.cancel = context.WithCancel(context.WithoutCancel(ctx))
	d.anchoring.done.Go(func() {
		tick := time.NewTicker(anchorLook)
		defer tick.Stop()
		due := true // a run may have ended while nobody was here
		for {
			if err := d.anchor(ctx, &due); err != nil && ctx.Err() == nil {
				d.Log.Error("anchor the audit; trying again", "error", err, "in", anchorLook)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			case <-d.anchoring.ended:
				due = true
			}
		}
	})
}

// anchor has the head told in the chat once a day, and put into the vault then
// and when it is due. In the chat each run's card tells it besides.
func (d *Desk) anchor(ctx context.Context, due *bool) error {
	head, err := d.Store.Head(ctx)
	if err != nil {
		return err
	}
	daily, _, err := d.sinceAnchor(ctx, "anchored-daily", head)
	if err != nil {
		return err
	}
	if daily && d.Store.Shared() {
		// Of several processes that find it due at once, one tells it.
		if daily, err = d.Store.Lead(ctx, "anchored-daily", anchorLook); err != nil {
			return err
		}
	}
	if daily {
		if err := d.Store.Tell(ctx, request.Change{
			Events:   []request.Event{{At: d.now(), Kind: "anchored-daily", Data: map[string]any{"seq": head.Seq, "hash": head.Hash, "where": "the log channel"}}},
			Messages: []request.Message{{Kind: request.Anchor, Body: request.Body{Text: head.String()}}},
		}); err != nil {
			return err
		}
	}
	if d.Vault == nil {
		return nil
	}
	late, moved, err := d.sinceAnchor(ctx, "anchored-vault", head)
	if err != nil || !moved || !late && !*due {
		return err
	}
	where, err := d.Vault(ctx, head)
	if err != nil {
		return fmt.Errorf("put the head into the vault: %w", err)
	}
	*due = false
	return d.Store.Record(ctx, request.Event{At: d.now(), Kind: "anchored-vault", Data: map[string]any{"seq": head.Seq, "hash": head.Hash, "where": where}})
}

// sinceAnchor tells whether the newest anchor of a kind is a day old, and
// whether anything but anchors was recorded since. The day begins with the first event.
func (d *Desk) sinceAnchor(ctx context.Context, kind string, head store.Head) (late, moved bool, err error) {
	last, err := d.Store.LastEvent(ctx, kind)
	if errors.Is(err, store.ErrNotFound) {
		last, err = d.Store.FirstEvent(ctx)
		if errors.Is(err, store.ErrNotFound) {
			return false, false, nil
		}
		last.Seq = 0
	}
	if err != nil {
		return false, false, err
	}
	moved = head.Seq > last.Seq
	return moved && !d.now().Before(last.At.Add(anchorDaily)), moved, nil
}

// Receipt is what is recorded when a message was delivered: that a plan was
// shown, or that something was told, to whom and where; nothing of cards, logs
// and buttons, which follow what is recorded anyway.
func (d *Desk) Receipt(m request.Message, r request.Request, at store.Post) []request.Event {
	e := request.Event{At: d.now(), Request: m.Request, Kind: "told", Data: map[string]any{"message": m.Kind}}
	switch m.Kind {
	case request.Plan:
		e.Kind, e.Data = "shown", map[string]any{"digest": r.Digest()}
	case request.Private, request.Pointer, request.Direct, request.Letter:
		to := r.Asker
		if m.Body.For != nil {
			to = *m.Body.For
		}
		e.Data["to"] = to.Name()
		if m.Kind == request.Letter && m.Body.Other != "" {
			e.Data["alarm"] = m.Body.Other
		}
	case request.Result, request.Note, request.Announce, request.Anchor, request.Glass, request.GlassDue, request.Restore, request.Linking:
	default:
		return nil
	}
	for key, value := range map[string]string{"channel": at.Channel, "ts": at.TS} {
		if value != "" {
			e.Data[key] = value
		}
	}
	return []request.Event{e}
}
