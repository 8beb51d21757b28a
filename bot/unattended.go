package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// People were told until when they can press Restore. Where that time ended while no
// process was there to take the click, they get as much of it again, a day at most,
// before the run goes on.

const (
	unattendedFrom = 10 * time.Minute // how much later the process must have begun
	unattendedMost = 24 * time.Hour   // how much time people get at most
)

// unattendedTill is where a run remembers until when it waits because of that.
const unattendedTill = "desk/unattended-till"

// unattended returns how long a run waits because the time to restore it ended while
// no process was there; 0: it goes on.
func (d *Desk) unattended(ctx context.Context, o ops.Operation, r request.Request) (time.Duration, error) {
	if r.UndoUntil.IsZero() || o.Undo == "" || !r.Acted() {
		return 0, nil
	}
	now := d.now()
	var till time.Time
	if _, err := d.Store.Recall(ctx, r.ID, unattendedTill, &till); err != nil {
		return 0, err
	}
	if now.Before(till) {
		return till.Sub(now), nil
	}
	if d.attended(r.UndoUntil).Before(r.UndoUntil.Add(unattendedFrom)) {
		return 0, nil
	}
	wait := min(r.UndoUntil.Sub(r.ActedAt), unattendedMost)
	if wait <= 0 {
		return 0, nil
	}
	till = now.Add(wait)
	text := fmt.Sprintf("The bot was stopped when the time to press %s ended, at %s UTC, so it goes on only at %s UTC. Until then a member can still press %s.",
		o.UndoLabel, r.UndoUntil.Format("2 Jan 15:04"), till.Format("2 Jan 15:04"), o.UndoLabel)
	_, err := d.update(ctx, r, func(now *request.Request) (request.Change, error) {
		if now.State != r.State {
			return request.Change{}, store.ErrStale
		}
		now.UndoUntil, now.Waits = till, ops.Waiting{For: text, Until: till}
		return request.Change{
			Memory: map[string]any{unattendedTill: till},
			Messages: []request.Message{
				{Request: r.ID, Kind: request.Ask},
				{Request: r.ID, Kind: request.Card},
				{Request: r.ID, Kind: request.Note, Body: request.Body{Text: text, Mention: true}},
			},
		}, nil
	})
	return wait, err
}
