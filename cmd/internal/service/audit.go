package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/store"
)

// record opens a database that is there, to look at what was recorded.
func record(ctx context.Context, env Environment) (*store.Store, error) {
	if path, ok := store.File(env.DatabaseURL); ok {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("there is no database %s: name it with DATABASE_URL", path)
		}
	}
	return store.Open(ctx, env.DatabaseURL, slog.New(slog.DiscardHandler))
}

// AuditShow tells the story of the request that an ID, or the end of one, names.
func AuditShow(ctx context.Context, env Environment, id string, out io.Writer) error {
	db, err := record(ctx, env)
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := db.Find(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no request %q: name one by its ID, or by the end of it that the bot's cards show", id)
	}
	if err != nil {
		return err
	}
	events, err := db.Events(ctx, r.ID)
	if err != nil {
		return err
	}
	return audit.Story(out, r, events)
}

// AuditExport writes all events since a time in one of audit.Formats.
func AuditExport(ctx context.Context, env Environment, since time.Time, format string, out io.Writer) error {
	db, err := record(ctx, env)
	if err != nil {
		return err
	}
	defer db.Close()
	return audit.Export(out, format, db.EventsSince(ctx, since))
}
