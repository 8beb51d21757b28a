package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// sendLog posts the lines of the first message and of those behind it that fit.
func (c *Chat) sendLog(ctx context.Context, waiting []request.Message, r request.Request, card store.Post) ([]int64, error) {
	first := waiting[0]
	with, last := []int64{first.ID}, first
	for _, m := range waiting[1:] {
		if m.Kind == request.Card {
			continue
		}
		if m.Kind != request.Log || m.Request != r.ID || m.Body.To-first.Body.From >= batch {
			break
		}
		with, last = append(with, m.ID), m
	}
	lines, err := c.store.Lines(ctx, r.ID, first.Body.From, last.Body.To)
	if err != nil {
		return with, err
	}
	if slices.ContainsFunc(lines, isReading) {
		if err := c.sendReading(ctx, span(first, last), r, card); unwilling(err, first.Tries) {
			c.log.Warn("what a run reads isn't counted", "request", r.ID, "error", err)
		} else if err != nil {
			return with, err
		}
	}
	if shown := visible(lines); len(shown) > 0 {
		p, err := c.tell(ctx, span(first, last), card, drawLog(shown))
		if err != nil {
			return with, err
		}
		// An earlier try whose answer was lost may have had fewer lines.
		with = with[:0]
		for _, m := range waiting {
			if m.Kind == request.Log && m.Request == r.ID && m.Body.To <= p.to {
				with = append(with, m.ID)
			}
		}
	}
	return with, c.delivered(ctx, store.Delivery{Messages: with})
}

// sendReading brings the one message up to date that counts what the run has read
// up to the end of m.
func (c *Chat) sendReading(ctx context.Context, m request.Message, r request.Request, card store.Post) error {
	lines, err := c.store.Lines(ctx, r.ID, 1, m.Body.To)
	if err != nil {
		return err
	}
	read := slices.DeleteFunc(lines, func(l store.Line) bool { return !isReading(l) })
	d := drawing{text: fmt.Sprintf("📖 Reading: %s until %s UTC. The file that comes when the run has ended has all lines.", ops.Count(len(read), "line"), clock(read[len(read)-1].At))}
	place := store.ReadPlace + r.ID
	at, posted, err := c.store.Posted(ctx, r.Card, place)
	if err != nil {
		return err
	}
	m.Body.Other = "reading" // the lines themselves have a message of their own
	now := at
	if posted {
		now, err = c.amend(ctx, m, at, card, d)
	} else {
		var p posting
		p, err = c.tell(ctx, m, card, d)
		now = p.Post
	}
	if err != nil || now == at {
		return err
	}
	return c.delivered(ctx, store.Delivery{Thread: r.Card, Place: place, Post: now})
}

func isReading(l store.Line) bool { return l.Level == ops.Reading }

// hasFile tells whether a log goes up as a file in the end: the thread lacks lines of it.
func hasFile(lines []store.Line) bool {
	return len(lines) > wholeLog || slices.ContainsFunc(lines, isReading)
}

// visible are the lines that a thread carries: all of a short log but what is only
// reading, and of a long one those that matter.
func visible(lines []store.Line) []store.Line {
	var shown []store.Line
	for _, l := range lines {
		if !isReading(l) && (l.Seq <= wholeLog || l.Level != ops.Info) {
			shown = append(shown, l)
		}
	}
	return shown
}

// logged is the text of one line of a log. What stands on further lines of it is
// marked, so that it doesn't look like lines of their own.
func logged(text string) string {
	return strings.ReplaceAll(ops.VisibleLines(text), "\n", "\n           | ")
}

var marks = map[ops.Level]string{ops.Reading: "  ", ops.Info: "  ", ops.Change: "› ", ops.Warning: "! ", ops.Failure: "✗ "}

// drawLog draws lines as code, so that nothing in them is formatting.
func drawLog(lines []store.Line) drawing {
	var blocks []slack.Block
	var text strings.Builder
	room := sectionLimit - len("```\n```")
	flush := func() {
		if text.Len() > 0 {
			blocks = append(blocks, section("```\n"+text.String()+"```"))
			text.Reset()
		}
	}
	for _, l := range lines {
		line := clock(l.At) + "Z " + marks[l.Level] + cutEscaped(escape(strings.ReplaceAll(logged(cut(l.Text, lineLimit)), "```", "'''")), lineLimit) + "\n"
		if utf8.RuneCountInString(text.String())+utf8.RuneCountInString(line) > room {
			flush()
		}
		text.WriteString(line)
	}
	flush()
	return drawing{text: fmt.Sprintf("Log, lines %d to %d", lines[0].Seq, lines[len(lines)-1].Seq), blocks: blocks}
}

func drawLogFile(r request.Request, lines []store.Line) file {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s %s%s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), marks[l.Level], logged(l.Text))
	}
	return file{name: r.Operation + "-" + ops.Short(r.ID) + ".log", title: fmt.Sprintf("The whole log: %d lines", len(lines)), text: b.String()}
}
