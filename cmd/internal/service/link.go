package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// LinkList writes who has proved to be which GitHub account, and whether that counts.
func LinkList(ctx context.Context, env Environment, out io.Writer) error {
	db, links, err := links(ctx, env)
	if err != nil {
		return err
	}
	defer db.Close()
	table := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "GITHUB\tID\tSLACK\tSINCE\tSTATE")
	for _, l := range links {
		fmt.Fprintf(table, "%s\t%d\t%s/%s\t%s\t%s\n", ops.Visible(l.Login), l.GitHub, ops.Visible(l.Workspace), ops.Visible(l.User), l.At.Format(time.DateOnly), stateOf(l, time.Now()))
	}
	return table.Flush()
}

// links opens the record, which the caller closes, and reads the links of all workspaces.
func links(ctx context.Context, env Environment) (*store.Store, []store.Link, error) {
	db, err := record(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	list, err := db.Links(ctx, "")
	if err != nil {
		db.Close()
		return nil, nil, err
	}
	return db, list, nil
}

// stateOf words whether a link counts.
func stateOf(l store.Link, now time.Time) string {
	at := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
	switch {
	case l.ConfirmedBy == store.ByUpgrade:
		return "counts, from before links were confirmed"
	case l.Counts():
		return "counts, confirmed by " + ops.Visible(l.ConfirmedBy) + " at " + at(l.Confirmed)
	case !l.Confirmed.IsZero():
		return "counts once the log channel was told, confirmed by " + ops.Visible(l.ConfirmedBy) + " at " + at(l.Confirmed)
	case l.Asked.IsZero():
		return "gives no rights: no member of the team when it was proved"
	case now.Before(bot.ConfirmTill(l)):
		return "waits for a member to confirm it until " + at(bot.ConfirmTill(l))
	}
	return "was not confirmed by " + at(bot.ConfirmTill(l))
}

// LinkConfirm confirms the link to a GitHub account, named by its login or its number,
// in the name of the operator by. It counts once the log channel has been told.
func LinkConfirm(ctx context.Context, env Environment, account string, out io.Writer) error {
	return withLink(ctx, env, account, func(db *store.Store, l store.Link) error {
		if !l.Confirmed.IsZero() {
			return fmt.Errorf("the link to %s was confirmed by %s at %s already", l.Login, l.ConfirmedBy, l.Confirmed.UTC().Format(time.RFC3339))
		}
		now, by := time.Now().UTC(), operator()
		if err := db.ConfirmLink(ctx, l, by, now, bot.LinkConfirmed(l, by, now)); err != nil {
			return ended(err, l)
		}
		fmt.Fprintf(out, "Confirmed: %s/%s is %s (ID %d) on GitHub. The link counts once the bot has told its log channel.\n", l.Workspace, l.User, l.Login, l.GitHub)
		return nil
	})
}

// LinkRemove takes the link to a GitHub account away, named by its login or its
// number, in the name of who is at this terminal.
func LinkRemove(ctx context.Context, env Environment, account string, out io.Writer) error {
	return withLink(ctx, env, account, func(db *store.Store, l store.Link) error {
		if err := db.EndLink(ctx, l, bot.LinkRevoked(l, operator(), time.Now().UTC())); err != nil {
			return ended(err, l)
		}
		fmt.Fprintf(out, "Removed: %s/%s isn't %s (ID %d) on GitHub any more.\n", l.Workspace, l.User, l.Login, l.GitHub)
		return nil
	})
}

// ended words that a link changed meanwhile.
func ended(err error, l store.Link) error {
	if errors.Is(err, store.ErrLost) {
		return fmt.Errorf("the link to %s changed meanwhile: look at `rootbot link list`", l.Login)
	}
	return err
}

// withLink finds the one link to an account.
func withLink(ctx context.Context, env Environment, account string, do func(*store.Store, store.Link) error) error {
	db, links, err := links(ctx, env)
	if err != nil {
		return err
	}
	defer db.Close()
	var found []store.Link
	for _, l := range links {
		if strings.EqualFold(l.Login, account) || strconv.FormatInt(l.GitHub, 10) == account {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return fmt.Errorf("there is no link to the GitHub account %q: `rootbot link list` has all; a renamed account stands there under its earlier login", account)
	case 1:
		return do(db, found[0])
	}
	return fmt.Errorf("there are %d links to accounts of the login %q: name one by its ID, as `rootbot link list` has it", len(found), account)
}
