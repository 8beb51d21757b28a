package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// Slack's limits, with some room.
// https://docs.slack.dev/reference/block-kit/blocks/section-block
const (
	sectionLimit = 2900 // of 3,000 characters
	blockLimit   = 45   // of 50 blocks
	lineLimit    = 600  // of one line of a log, as it is shown
	effectsShown = 25   // more of them go into a file
)

const (
	wholeLog = 100 // lines up to which a thread carries the whole log
	batch    = 100 // lines in one message
)

// drawing is a message as Slack takes it. text is what notifications show.
type drawing struct {
	text   string
	blocks []slack.Block
	file   file // the zero file: none
}

type file struct{ name, title, text string }

// escape makes text harmless: nothing in it is a mention, a link or a channel.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

func section(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, false), nil, nil)
}

func small(text string) slack.Block {
	return slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, text, false, false))
}

// state is how a card says where its request stands.
func state(r store.Request) string {
	switch r.State {
	case store.Planning:
		if r.Progress != "" {
			return "🔎 *Looking* — " + escape(r.Progress)
		}
		return "🔎 *Looking* at what would be done"
	case store.Approved:
		return "▶️ *About to run*"
	case store.Running:
		step := r.Plan.Steps[min(r.Step, len(r.Plan.Steps)-1)]
		return fmt.Sprintf("▶️ *Running* — step %d of %d: %s", r.Step+1, len(r.Plan.Steps), escape(step.Title))
	case store.Succeeded:
		switch {
		case r.Preview:
			return "📋 *Preview* — " + escape(r.Plan.Summary) + " Nothing was run."
		case r.Report != nil:
			return "✅ *Done* — " + escape(r.Report.Summary)
		}
		return "✅ *Done*"
	case store.Failed:
		return "❌ *Failed* — " + escape(r.Reason)
	case store.Refused:
		return "⛔ *Not run* — " + escape(r.Reason)
	case store.Unknown:
		return "❓ *Not known* — " + escape(r.Reason)
	}
	return "⏳ *Asked*"
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// drawCard draws the card: who asked for what, when, and where it stands.
func drawCard(r store.Request) drawing {
	asked := fmt.Sprintf("asked for by <@%s> (GitHub: %s)", r.Asker.User, escape(r.By))
	title := "`/" + r.Operation + "`"
	if r.Preview {
		title = "`/" + r.Operation + " plan`"
	}
	var inputs []string
	for name, values := range r.Inputs {
		inputs = append(inputs, escape(name+": "+strings.Join(values, ", ")))
	}
	head := title + " " + asked
	if len(inputs) > 0 {
		head += "\n" + strings.Join(inputs, "\n")
	}
	foot := fmt.Sprintf("%s · asked %s UTC", ops.Short(r.ID), r.At.UTC().Format("2 Jan 2006 15:04:05"))
	if r.Again != "" {
		foot += " · runs " + ops.Short(r.Again) + " again"
	}
	if !r.StartedAt.IsZero() {
		foot += " · started " + clock(r.StartedAt)
	}
	if !r.EndedAt.IsZero() {
		foot += " · ended " + clock(r.EndedAt)
	}
	return drawing{
		text:   fmt.Sprintf("/%s, asked for by %s: %s", r.Operation, escape(r.By), strings.ReplaceAll(state(r), "*", "")),
		blocks: []slack.Block{section(head), section(cut(state(r), sectionLimit)), small(foot)},
	}
}

// drawPlan draws what would be done, and why somebody might not want it.
func drawPlan(r store.Request) drawing {
	p := r.Plan
	var b sheet
	b.add("*Plan* — " + escape(p.Summary))
	for _, w := range p.Warnings {
		b.add("⚠️ " + escape(w))
	}
	for _, f := range p.Facts {
		b.add("*" + escape(f.Label) + "*: " + escape(f.Value))
	}
	var whole strings.Builder
	n, hidden := 0, 0
	for i, s := range p.Steps {
		b.add(fmt.Sprintf("%d. %s", i+1, escape(s.Title)))
		fmt.Fprintf(&whole, "%d. %s\n", i+1, s.Title)
		for _, e := range s.Effects {
			fmt.Fprintf(&whole, "   - %s\n", e)
			if n++; n <= effectsShown {
				b.add("    • " + escape(cut(e, lineLimit)))
			} else {
				hidden++
			}
		}
		if hidden > 0 {
			b.add(fmt.Sprintf("    • … and %d more, all in the file below", hidden))
			hidden = 0
		}
	}
	d := drawing{text: "Plan: " + escape(p.Summary), blocks: b.blocks()}
	if n > effectsShown {
		d.file = file{name: r.Operation + "-" + ops.Short(r.ID) + "-plan.txt", title: "The whole plan", text: p.Summary + "\n\n" + whole.String()}
	}
	d.blocks = append(d.blocks, small("Plan "+p.Digest()[:12]))
	return d
}

// visible are the lines that a thread carries: all of a short log, and of a
// long one, which goes up as a file in the end, those that matter.
func visible(lines []store.Line) []store.Line {
	var shown []store.Line
	for _, l := range lines {
		if l.Seq <= wholeLog || l.Level != ops.Info {
			shown = append(shown, l)
		}
	}
	return shown
}

var marks = map[ops.Level]string{ops.Info: "  ", ops.Change: "› ", ops.Warning: "! ", ops.Failure: "✗ "}

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
		line := clock(l.At) + " " + marks[l.Level] + strings.ReplaceAll(escape(cut(l.Text, lineLimit)), "```", "'''") + "\n"
		if utf8.RuneCountInString(text.String())+utf8.RuneCountInString(line) > room {
			flush()
		}
		text.WriteString(line)
	}
	flush()
	return drawing{text: fmt.Sprintf("Log, lines %d to %d", lines[0].Seq, lines[len(lines)-1].Seq), blocks: blocks}
}

func drawLogFile(r store.Request, lines []store.Line) file {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s %s%s\n", l.At.UTC().Format("2006-01-02T15:04:05.000Z"), marks[l.Level], l.Text)
	}
	return file{name: r.Operation + "-" + ops.Short(r.ID) + ".log", title: fmt.Sprintf("The whole log: %d lines", len(lines)), text: b.String()}
}

var truths = map[ops.Truth]string{"": "•", ops.Confirmed: "✅", ops.Missing: "❓", ops.Failed: "❌"}

// drawResult draws the outcome. Problems and what isn't there come first, and
// a result that is too long for a message goes into a file as a whole.
func drawResult(r store.Request) drawing {
	var b sheet
	var whole strings.Builder
	report := r.Report
	if report == nil {
		report = &ops.Report{}
	}
	b.add("*Result* — " + strings.TrimSpace(state(r)))
	for _, p := range report.Problems {
		b.add("❗ " + escape(cut(p, lineLimit)))
		fmt.Fprintf(&whole, "! %s\n", p)
	}
	for _, n := range report.Notes {
		b.add(escape(cut(n, lineLimit)))
	}
	for _, s := range report.Sections {
		b.add("*" + escape(s.Title) + "*")
		fmt.Fprintf(&whole, "%s\n", s.Title)
		for _, o := range s.Outcomes {
			text := o.Text
			if o.State != "" {
				text += " — " + string(o.State)
			}
			if o.Why != "" {
				text += ": " + o.Why
			}
			b.add(truths[o.State] + " " + escape(cut(text, lineLimit)))
			fmt.Fprintf(&whole, "  - %s\n", text)
		}
	}
	d := drawing{text: "Result: " + strings.ReplaceAll(state(r), "*", "")}
	if b.fits() {
		d.blocks = b.blocks()
	} else {
		d.blocks = shortResult(r, report).blocks()
		d.file = file{name: r.Operation + "-" + ops.Short(r.ID) + "-result.txt", title: "The whole result", text: whole.String()}
	}
	if retryable(r) {
		button := slack.NewButtonBlockElement(actionRetry, r.ID+":"+digestOf(r), slack.NewTextBlockObject(slack.PlainTextType, "Run again", false, false))
		d.blocks = append(d.blocks, slack.NewActionBlock("retry", button))
	}
	return d
}

// shortResult is a result without what went well.
func shortResult(r store.Request, report *ops.Report) *sheet {
	var b sheet
	b.add("*Result* — " + strings.TrimSpace(state(r)))
	for _, p := range report.Problems {
		b.add("❗ " + escape(cut(p, lineLimit)))
	}
	n := 0
	for _, s := range report.Sections {
		for _, o := range s.Outcomes {
			if o.State != ops.Missing && o.State != ops.Failed {
				continue
			}
			if n++; n <= effectsShown {
				b.add(truths[o.State] + " " + escape(cut(s.Title+": "+o.Text+" — "+string(o.State), lineLimit)))
			}
		}
	}
	if n > effectsShown {
		b.add(fmt.Sprintf("… and %d more.", n-effectsShown))
	}
	b.add(fmt.Sprintf("%d confirmed; all of it is in the file below.", report.Count(ops.Confirmed)))
	return &b
}

// sheet gathers paragraphs into as few section blocks as hold them.
type sheet struct{ texts []string }

func (s *sheet) add(paragraph string) {
	paragraph = cut(paragraph, sectionLimit)
	if n := len(s.texts) - 1; n >= 0 && utf8.RuneCountInString(s.texts[n])+1+utf8.RuneCountInString(paragraph) <= sectionLimit {
		s.texts[n] += "\n" + paragraph
		return
	}
	s.texts = append(s.texts, paragraph)
}

// fits tells whether it can be one message: Slack allows 50 blocks, but nobody
// reads more than a few screens.
func (s *sheet) fits() bool { return len(s.texts) <= 4 }

func (s *sheet) blocks() []slack.Block {
	var blocks []slack.Block
	for _, text := range s.texts[:min(len(s.texts), blockLimit)] {
		blocks = append(blocks, section(text))
	}
	return blocks
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
