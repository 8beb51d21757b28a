package chat_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/ops"
)

// What a run reads is one message that counts, so that what it changes is seen.
func TestReadingIsCountedNotListed(t *testing.T) {
	t.Parallel()
	const reads, changes = 84, 10
	o := start(t, tidy(func(ctx context.Context, run ops.Run) error {
		for i := range reads {
			lines := []ops.Line{{Key: fmt.Sprint("read", i), Level: ops.Reading, Text: fmt.Sprintf("looking at group %d", i)}}
			if i%8 == 0 && i/8 < changes {
				lines = append(lines, ops.Line{Key: fmt.Sprint("change", i), Level: ops.Change, Text: fmt.Sprintf("line %d: added a user", i)})
			}
			if err := run.Log(ctx, lines...); err != nil {
				return err
			}
		}
		return nil
	}))
	o.types(o.ada, o.home, "")
	card := o.card("Done")
	o.quietly()
	thread := o.thread(card)
	var counts []string
	for _, m := range thread {
		if strings.Contains(m.Text, "Reading:") {
			counts = append(counts, m.Text)
		}
	}
	if len(counts) != 1 || !strings.Contains(counts[0], "84 lines") {
		t.Errorf("the thread counts the reading as %q, want once, and all of it", counts)
	}
	shown := logged(thread)
	if len(shown) != changes {
		t.Errorf("the thread lists %d lines, want the %d changes: %q", len(shown), changes, shown)
	}
	files := o.Files()
	if len(files) != 1 || strings.Count(string(files[0].Content), "\n") != reads+changes {
		t.Errorf("%d files; want one with all %d lines", len(files), reads+changes)
	}
	o.fine()
}

// Slack takes files at an address of its own, which a network may bar.
func TestALogIsToldAsTextWhereFilesCantBeUploaded(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{FilesURL: "http://127.0.0.1:1"})
	o.begin(tidy(func(ctx context.Context, run ops.Run) error {
		return run.Log(ctx, ops.Line{Level: ops.Reading, Text: "looking at group 1"}, ops.Line{Level: ops.Change, Text: "line 1"})
	}))
	o.types(o.ada, o.home, "")
	card := o.card("Done")
	o.waitFor("the result told", time.Minute, func() bool {
		thread := o.thread(card)
		return strings.Contains(thread[len(thread)-1].PlainText(), "Done")
	})
	var all strings.Builder
	for _, m := range o.thread(card) {
		all.WriteString(m.PlainText())
	}
	contains(t, "the thread", all.String(), "Slack doesn't take the file", "the address that Slack gives for files can't be reached", "looking at group 1")
}

// A count that Slack doesn't let be edited keeps no line from people.
func TestLinesAreToldThoughTheCountCantBeEdited(t *testing.T) {
	t.Parallel()
	goOn := make(chan bool)
	o := start(t, tidy(func(ctx context.Context, run ops.Run) error {
		if err := run.Log(ctx, ops.Line{Key: "r1", Level: ops.Reading, Text: "looking at group 1"}); err != nil {
			return err
		}
		<-goOn
		return run.Log(ctx, ops.Line{Key: "r2", Level: ops.Reading, Text: "looking at group 2"}, ops.Line{Key: "c", Level: ops.Warning, Text: "removed badger from payments"})
	}))
	o.types(o.ada, o.home, "")
	card := o.card("Running")
	says := func(words string) func() bool {
		return func() bool {
			return slices.ContainsFunc(o.thread(card), func(m slacktest.Message) bool { return strings.Contains(m.PlainText(), words) })
		}
	}
	o.wait("the count", says("Reading: 1 line"))
	o.Refuse("chat.update", "some_new_error", func(args map[string]string) bool { return strings.Contains(args["text"], "Reading") })
	close(goOn)
	o.card("Done")
	o.wait("the warning told", says("removed badger"))
}

// A card that can't be edited, for whatever reason Slack has, goes on as another one.
func TestACardThatSlackNeverEditsHoldsUpNothing(t *testing.T) {
	t.Parallel()
	storetest.OnlyOn(t, storetest.PostgreSQL) // a SQLite file lets no other process write
	goOn := make(chan bool)
	o := start(t, tidy(func(ctx context.Context, run ops.Run) error { <-goOn; return work(ctx, run) }))
	o.Refuse("chat.update", "internal_error", nil)
	o.types(o.ada, o.home, "")
	o.wait("tried", func() bool { return o.Count("chat.update") > 0 })
	db, err := sql.Open("pgx", o.address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	close(goOn)
	o.waitFor("the result told", time.Minute, func() bool {
		// As if it had been tried for a minute and a half.
		if _, err := db.ExecContext(t.Context(), `UPDATE messages SET tries = 9, due_at = 0 WHERE sent_at IS NULL AND tries BETWEEN 1 AND 8`); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(o.story(), "All is tidy")
	})
}
