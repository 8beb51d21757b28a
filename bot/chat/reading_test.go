package chat_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
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
