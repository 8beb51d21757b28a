package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/user"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/anchor"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Verification computes the audit's chain anew and compares it with its anchors, and
// the anchors with what the record says of them.
type Verification struct {
	Env     Environment
	Config  *Config      // says where anchors are; nil only if Offline
	Offline bool         // no other anchors than Anchors
	Anchors []store.Head // that somebody has kept
	Since   time.Time    // anchors that were left before need not stand any more
}

// anchors are what is compared with the chain.
type anchors struct {
	believed []store.Head
	wrong    []string // about those that are missing or were changed
	from     []string // how many come from where, in words
}

// Run says what it finds. An error means that the audit or an anchor was changed, or
// that it can't be told.
func (v Verification) Run(ctx context.Context, out io.Writer) error {
	db, err := record(ctx, v.Env)
	if err != nil {
		return err
	}
	defer db.Close()
	// What the record says of its anchors counts only if it is as it was written.
	if _, err := db.Verify(ctx, nil); err != nil {
		return changed(err)
	}
	found, err := v.gather(ctx, db)
	if err != nil {
		return err
	}
	breaks, err := audit.Breaks(db.EventsOf(ctx, "restored"))
	if err != nil {
		return err
	}
	standing := audit.Standing(found.believed, breaks)
	head, err := db.Verify(ctx, standing)
	if err != nil {
		return errors.Join(changed(err), found.fault())
	}
	unapproved := audit.Approved(db.EventsSince(ctx, time.Time{}))
	if without, ok := errors.AsType[*audit.UnapprovedError](unapproved); ok {
		unapproved = fmt.Errorf("the record stands as written, and something ran that it doesn't allow. The first event that shows it is %w", without)
	}
	if err := errors.Join(unapproved, found.fault()); err != nil {
		return err
	}
	if head.Seq == 0 {
		return errors.New("no event is recorded in this database, so there is nothing to verify: look whether DATABASE_URL names the right one, and whether a copy is whole")
	}
	t := terminal{out}
	t.line("%s as written. The head is %s", counted(head.Seq, "event stands", "events stand"), head)
	for _, b := range breaks {
		t.line("An announced break: %s.", b)
	}
	if len(standing) == 0 {
		t.line("No anchor was compared: that the end was cut off, or that all was written anew, would not show.")
		return nil
	}
	t.line("%s: %s.", counted(int64(len(standing)), "anchor agrees", "anchors agree"), strings.Join(found.from, ", "))
	return nil
}

// changed says that the audit was changed, if an error shows that.
func changed(err error) error {
	if broken, ok := errors.AsType[*store.BrokenError](err); ok {
		return fmt.Errorf("the audit was changed. The first event that shows it is %w", broken)
	}
	return err
}

// fault names the anchors that are missing or were changed; nil: none is.
func (a anchors) fault() error {
	const most = 20
	if len(a.wrong) == 0 {
		return nil
	}
	text := counted(int64(len(a.wrong)), "anchor is", "anchors are") + " not as the record says; who can write where they stand may have done that, and Slack's own retention may. --since leaves out what was anchored before a time"
	for i, wrong := range a.wrong {
		if i == most {
			text += fmt.Sprintf("\n  and %d more", len(a.wrong)-most)
			break
		}
		text += "\n  " + wrong
	}
	return errors.New(text)
}

func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// gather reads what the record says of its anchors, and then the anchors: what is
// anchored meanwhile is no fault.
func (v Verification) gather(ctx context.Context, db *store.Store) (anchors, error) {
	found := anchors{believed: v.Anchors}
	if len(v.Anchors) > 0 {
		found.from = append(found.from, fmt.Sprintf("%d given", len(v.Anchors)))
	}
	if v.Offline {
		return found, nil
	}
	inSlack, err := audit.Left(db.EventsOf(ctx, "anchored"))
	if err != nil {
		return found, err
	}
	inS3, err := audit.Left(db.EventsOf(ctx, "anchored-vault"))
	if err != nil {
		return found, err
	}
	posted, channel, err := v.posted(ctx, db)
	if err != nil {
		return found, err
	}
	found.add("in Slack", channel+"/", v.Since, inSlack, posted, nil)
	if v.Config.Audit.Bucket == "" {
		return found, nil
	}
	kept, hidden, blind, err := v.kept(ctx)
	if err != nil {
		return found, err
	}
	since := v.Since
	if kept := time.Now().Add(-v.Config.Audit.Retain); kept.After(since) {
		since = kept // Object Lock has let go of what is older
	}
	found.add("in S3", v.Config.bucketPlace(), since, inS3, kept, hidden)
	if blind != nil {
		found.from[len(found.from)-1] += fmt.Sprintf(" (whether delete markers hide others isn't known: %s)", ops.Words(blind, ""))
	}
	return found, nil
}

// add compares the anchors of one kind that the record has left since a time, at places
// that begin alike, with those that stand. Where it was another place once, nobody looks.
// Places that are hidden are those where an anchor stands and doesn't show.
func (a *anchors) add(kind, begins string, since time.Time, left, standing []audit.Witness, hidden map[string]bool) {
	var expected []audit.Witness
	elsewhere := 0
	for _, w := range left {
		switch {
		case w.At.Before(since):
		case strings.HasPrefix(w.Where, begins):
			expected = append(expected, w)
		default:
			elsewhere++
		}
	}
	believed, wrong := audit.Compare(expected, standing)
	a.believed, a.wrong = append(a.believed, believed...), append(a.wrong, wrong...)
	for _, w := range expected {
		if hidden[w.Where] {
			a.wrong = append(a.wrong, fmt.Sprintf("%s is hidden by a delete marker: the anchor of event %d stands behind it, and was compared. Removing the marker shows it again", w.Where, w.Head.Seq))
		}
	}
	text := fmt.Sprintf("%d %s", len(believed), kind)
	if elsewhere > 0 {
		text += fmt.Sprintf(" (%d stand where the settings don't lead any more, and weren't read)", elsewhere)
	}
	a.from = append(a.from, text)
}

// posted are the anchors in the log channel, and its ID.
func (v Verification) posted(ctx context.Context, db *store.Store) ([]audit.Witness, string, error) {
	if err := errors.Join(v.Env.slackFaults()...); err != nil {
		return nil, "", fmt.Errorf("the anchors in Slack can't be read: %w\nWithout Slack, use --offline and --anchor", err)
	}
	quiet := slog.New(slog.DiscardHandler)
	face := chat.New(&bot.Desk{Store: db, Team: &team.Team{}, Log: quiet}, chat.Settings{
		AppToken: v.Env.SlackAppToken, BotToken: v.Env.SlackBotToken, APIURL: v.Env.SlackAPIURL, LogChannel: v.Config.Slack.LogChannel,
	}, quiet)
	if _, err := face.Open(ctx); err != nil {
		return nil, "", err
	}
	standing, err := face.Standing(ctx)
	var list []audit.Witness
	for _, a := range standing {
		list = append(list, audit.Witness{Where: a.Where, Head: a.Head})
	}
	return list, face.LogChannel(), err
}

// bucketPlace is how the places of the bucket's anchors begin.
func (c *Config) bucketPlace() string { return "s3://" + c.Audit.Bucket + "/" + c.Audit.Prefix }

// kept are the anchors in the bucket.
func (v Verification) kept(ctx context.Context) (all []audit.Witness, hidden map[string]bool, blind, err error) {
	base, err := loadAWS(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	found, err := v.Config.vault(awsaccess.New(base)).List(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	where := func(a anchor.Anchor) string { return fmt.Sprintf("%s%020d-%s", v.Config.bucketPlace(), a.Seq, a.Hash) }
	for _, a := range found.Anchors {
		all = append(all, audit.Witness{Where: where(a), Head: store.Head{Seq: a.Seq, Hash: a.Hash}})
	}
	hidden = map[string]bool{}
	for _, a := range found.Hidden {
		hidden[where(a)] = true
	}
	return all, hidden, found.Blind, nil
}

// Restored records that the record was restored from a backup, and why: the anchors
// that contradict it now, for what they stand for was lost, don't count any more. It is
// told in the log channel, anchored, and told by every later verification. What was
// changed within the record itself can't be announced away.
func (v Verification) Restored(ctx context.Context, reason string, out io.Writer) error {
	db, err := record(ctx, v.Env)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Verify(ctx, nil); err != nil {
		return fmt.Errorf("the record itself was changed, which no restore explains: %w", err)
	}
	found, err := v.gather(ctx, db)
	if err != nil {
		return err
	}
	breaks, err := audit.Breaks(db.EventsOf(ctx, "restored"))
	if err != nil {
		return err
	}
	void, err := audit.Contradicting(audit.Standing(found.believed, breaks), db.EventsSince(ctx, time.Time{}))
	if err != nil {
		return err
	}
	if len(void) == 0 {
		return errors.New("all anchors agree with the record, so there is no restore to announce")
	}
	b := audit.Break{At: time.Now().UTC(), By: operator(), Reason: ops.Redact(reason), Void: void}
	text := fmt.Sprintf("The record of what was done was restored from a backup, says %s: %s. %s of what was lost. Members who know of no restore: ask now.",
		strings.TrimPrefix(b.By, "terminal:"), strings.TrimSuffix(b.Reason, "."), counted(int64(len(void)), "anchor is", "anchors are"))
	if err := db.Tell(ctx, request.Change{Events: []request.Event{b.Event()}, Messages: []request.Message{{Kind: request.Announce, Body: request.Body{Text: text}}}}); err != nil {
		return err
	}
	head, err := db.Head(ctx)
	if err != nil {
		return err
	}
	if err := db.Tell(ctx, request.Change{Messages: []request.Message{{Kind: request.Anchor, Body: request.Body{Text: head.String()}}}}); err != nil {
		return err
	}
	terminal{out}.line("Recorded: %s. The bot tells it in the log channel.", b)
	terminal{out}.line("The head is %s", head)
	return nil
}

// operator is who is at this terminal, as events have it.
func operator() string {
	if me, err := user.Current(); err == nil && me.Username != "" {
		return "terminal:" + me.Username
	}
	return "terminal:"
}
