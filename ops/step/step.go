// Package step is what the steps of acting operations share.
package step

import (
	"context"
	"errors"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

const (
	retryFor   = 6 * time.Hour   // how long a step is tried again, from the first failure of one trouble on
	retryAfter = 2 * time.Minute // how soon
)

// Retry makes a step go on trying while its trouble may pass (ops.IsPassing), for
// six hours from the first failure of that trouble, and says so in the log. Each
// trouble has its own time: a step may wait for days before it meets one, and what
// an earlier step met, or a Restore that was given up, is another trouble. So is one
// after six hours without a try: the bot was stopped then.
func Retry(do func(context.Context, ops.Run) error) func(context.Context, ops.Run) error {
	return func(ctx context.Context, run ops.Run) error {
		err := do(ctx, run)
		var since time.Time // of the trouble; zero: there is none
		if _, failed := run.Recall(ctx, "trouble", &since); failed != nil {
			return errors.Join(err, failed)
		}
		var tried time.Time // when it was tried last
		if _, failed := run.Recall(ctx, "tried", &tried); failed != nil {
			return errors.Join(err, failed)
		}
		if begun := run.Begun(); begun.IsZero() || since.Before(begun.Add(-time.Second)) || !tried.IsZero() && run.Now().After(tried.Add(retryFor)) {
			since = time.Time{}
		}
		switch {
		case !ops.IsPassing(err) && since.IsZero():
			return err
		case !ops.IsPassing(err):
			return errors.Join(err, run.Remember(ctx, "trouble", time.Time{}))
		case since.IsZero():
			if err := run.Remember(ctx, "trouble", run.Now().UTC()); err != nil {
				return err
			}
		case run.Now().After(since.Add(retryFor)):
			return err
		}
		if err := run.Remember(ctx, "tried", run.Now().UTC()); err != nil {
			return err
		}
		words := ops.Words(err, run.Request().ID)
		if err := run.Log(ctx, ops.Line{Key: "again " + words, Level: ops.Warning, Text: "This is tried again every two minutes: " + words}); err != nil {
			return err
		}
		return ops.Again(retryAfter)
	}
}
