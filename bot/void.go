package bot

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// voidFor is how long it is tried to take back what may have been stored though
// somebody was told that it wasn't.
const voidFor = time.Hour

// VoidRequest takes back what Ask, having returned an error, may have stored
// nevertheless: a database that is too slow may commit after nobody waits for it
// any more, and whoever asked was told that nothing was done. It returns once the
// database has said that nothing is left of it, or ctx ends.
func (d *Desk) VoidRequest(ctx context.Context, card string) {
	d.void(ctx, card, func() error {
		// Writing something first waits for what is still being committed.
		if err := d.Store.Record(ctx); err != nil {
			return err
		}
		all, err := d.Store.OnCard(ctx, card)
		if err != nil {
			return err
		}
		for _, r := range all {
			_, err := d.Store.Update(ctx, r.ID, func(now *request.Request) (request.Change, error) {
				next, change, err := request.Apply(*now, request.Trigger{Event: request.EventVoided, Changed: ops.ChangedNothing}, d.now())
				if err == nil {
					*now, change.Wake = next, true
				}
				return change, err
			})
			if _, tooLate := errors.AsType[*request.NotNowError](err); tooLate {
				d.Log.Error("a request ran whose requester was told that it wasn't taken", "request", r.ID, "state", r.State)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
}

// VoidClick does for Click what VoidRequest does for Ask.
func (d *Desk) VoidClick(ctx context.Context, c request.Click) {
	d.void(ctx, c.Request, func() error {
		_, err := d.Store.VoidClick(ctx, c.Origin, request.Event{
			At: d.now(), Request: c.Request, Kind: string(request.EventVoided), By: c.Asker.Name(), Data: map[string]any{"tried": c.Verb},
		})
		return err
	})
}

func (d *Desk) void(ctx context.Context, request string, try func() error) {
	// It must be first: what was stored and isn't worked on is looked for every few seconds.
	often := backoff.NewExponentialBackOff()
	often.MaxInterval = time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, try() }, backoff.WithBackOff(often), backoff.WithMaxElapsedTime(voidFor))
	if err != nil {
		d.Log.Error("take back what may have been stored too late", "request", request, "error", err)
	}
}
