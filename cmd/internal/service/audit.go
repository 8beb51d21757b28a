package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// record opens a database that is there, to look at what was recorded.
func record(ctx context.Context, env Environment) (*store.Store, error) {
	if path, ok := strings.CutPrefix(env.DatabaseURL, "sqlite:"); ok {
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

// Verification computes the audit's chain anew and compares it with its anchors.
type Verification struct {
	Env     Environment
	Config  *Config      // says where anchors are; nil only if Offline
	Offline bool         // no other anchors than Anchors
	Anchors []store.Head // that somebody has kept
}

// Run says what it finds. An error means that the audit was changed, or that it
// can't be told.
func (v Verification) Run(ctx context.Context, out io.Writer) error {
	db, err := record(ctx, v.Env)
	if err != nil {
		return err
	}
	defer db.Close()
	anchors := v.Anchors
	var from []string
	if len(anchors) > 0 {
		from = append(from, fmt.Sprintf("%d given", len(anchors)))
	}
	if !v.Offline {
		posted, err := v.posted(ctx, db)
		if err != nil {
			return err
		}
		kept, err := v.kept(ctx)
		if err != nil {
			return err
		}
		anchors = append(append(anchors, posted...), kept...)
		from = append(from, fmt.Sprintf("%d in Slack", len(posted)))
		if v.Config.Audit.Bucket != "" {
			from = append(from, fmt.Sprintf("%d in S3", len(kept)))
		}
	}
	head, err := db.Verify(ctx, anchors)
	if broken, ok := errors.AsType[*store.BrokenError](err); ok {
		return fmt.Errorf("the audit was changed. The first event that shows it is %w", broken)
	}
	if err != nil {
		return err
	}
	unapproved := audit.Approved(db.EventsSince(ctx, time.Time{}))
	if without, ok := errors.AsType[*audit.UnapprovedError](unapproved); ok {
		return fmt.Errorf("the record stands as written, and something ran that it doesn't allow. The first event that shows it is %w", without)
	}
	if unapproved != nil {
		return unapproved
	}
	if head.Seq == 0 {
		fmt.Fprintln(out, "No event was recorded yet.")
		return nil
	}
	fmt.Fprintf(out, "%s as written. The head is %s\n", counted(head.Seq, "event stands", "events stand"), head)
	if len(anchors) == 0 {
		fmt.Fprintln(out, "No anchor was compared: that the end was cut off, or that all was written anew, would not show.")
		return nil
	}
	fmt.Fprintf(out, "%s: %s.\n", counted(int64(len(anchors)), "anchor agrees", "anchors agree"), strings.Join(from, ", "))
	return nil
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// posted are the anchors in the log channel.
func (v Verification) posted(ctx context.Context, db *store.Store) ([]store.Head, error) {
	if err := errors.Join(v.Env.slackFaults()...); err != nil {
		return nil, fmt.Errorf("the anchors in Slack can't be read: %w\nWithout Slack, use --offline and --anchor", err)
	}
	quiet := slog.New(slog.DiscardHandler)
	face := chat.New(&bot.Desk{Store: db, Team: &team.Team{}, Log: quiet}, chat.Settings{
		AppToken: v.Env.SlackAppToken, BotToken: v.Env.SlackBotToken, APIURL: v.Env.SlackAPIURL, LogChannel: v.Config.Slack.LogChannel,
	}, quiet)
	if err := face.Open(ctx); err != nil {
		return nil, err
	}
	return face.Anchors(ctx)
}

// kept are the anchors in the bucket.
func (v Verification) kept(ctx context.Context) ([]store.Head, error) {
	if v.Config.Audit.Bucket == "" {
		return nil, nil
	}
	base, err := loadAWS(ctx)
	if err != nil {
		return nil, err
	}
	list, err := v.Config.vault(awsaccess.New(base)).List(ctx)
	if err != nil {
		return nil, err
	}
	var heads []store.Head
	for _, a := range list {
		heads = append(heads, store.Head{Seq: a.Seq, Hash: a.Hash})
	}
	return heads, nil
}
