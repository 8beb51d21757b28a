package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// mayRestore looks before anything is restored, and tells what that would do. It is
// refused to the person whom the request is about, and where a newer request or
// people have acted on the target since. What can't be looked at now is no refusal:
// the restoring itself looks again, and tries until it can.
func (d *Desk) mayRestore(ctx context.Context, r request.Request, c request.Click) ([]string, error) {
	o, ok := d.Operation(r.Operation)
	if !ok || o.Undo == "" {
		return nil, &ops.Error{Kind: ops.Refused, What: "This can't be restored."}
	}
	if err := d.notTheirs(ctx, o, r, c); err != nil {
		return nil, err
	}
	newer, err := d.Store.Newer(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, other := range newer {
		if !other.ActedAt.IsZero() && other.State != request.Undone {
			return nil, &ops.Error{
				Kind: ops.Refused,
				What: fmt.Sprintf("A newer request (%s, by %s) has acted on it since, so this one can't be restored.", ops.Short(other.ID), other.By),
				Next: "Restore that one instead.",
			}
		}
	}
	if o.UndoPlan == nil {
		return nil, nil
	}
	limited, cancel := context.WithTimeout(ctx, planFor)
	defer cancel()
	effects, err := safely(func() ([]string, error) { return o.UndoPlan(limited, &run{desk: d, operation: o, request: r}) })
	if err != nil && ops.KindOf(err) != ops.Refused {
		d.report(err, r)
		return nil, nil
	}
	return effects, err
}

// notTheirs refuses to the person whom a request is about that they restore it. The
// chat knows people by their confirmed e-mail addresses.
func (d *Desk) notTheirs(ctx context.Context, o ops.Operation, r request.Request, c request.Click) error {
	if o.Subject == nil || c.Asker.User == "" {
		return nil
	}
	address := o.Subject(r.For())
	if address == "" {
		return nil
	}
	person, err := d.Team.Person(ctx, c.Asker.Workspace, c.Asker.User)
	if err != nil {
		return err
	}
	if strings.EqualFold(person.Email, address) {
		return &ops.Error{Kind: ops.Refused, What: "This request is about you, so another member of the team must restore it."}
	}
	return nil
}

// busyWith says which request is at work on what another one needs.
func (d *Desk) busyWith(ctx context.Context, id string) string {
	text := "A newer request is at work on it, so this one can't be restored."
	if other, err := d.Store.Request(ctx, id); err == nil {
		text = fmt.Sprintf("A newer request is at work on it (%s asked at %s UTC), so this one can't be restored.", other.By, other.At.Format("2 Jan 15:04"))
	}
	return text + " Your click changed nothing."
}

// wasShown tells whether the plan with a digest has reached people: a decision about
// anything else doesn't count.
func (d *Desk) wasShown(ctx context.Context, id, digest string) (bool, error) {
	events, err := d.Store.Events(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	for _, e := range events {
		if e.Kind == "shown" && e.Data["digest"] == digest {
			return true, nil
		}
	}
	return false, nil
}

// listed are the points of a list, each on one line: they have names of others in them.
