package chat

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
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
	file   file   // the zero file: none
	anchor string // the head of the audit that it shows; empty: none
}

type file struct{ name, title, text string }

// name is who asked: by GitHub login, or by their place in Slack where that isn't known.
func name(r store.Request) string {
	if r.By == "" || strings.HasPrefix(r.By, "slack.") {
		return "<@" + r.Asker.User + ">"
	}
	return escape(r.By)
}

// state is how a card says where its request stands.
func state(r store.Request) string {
	switch r.State {
	case store.Planning:
		if r.Progress != "" {
			return "🔎 *Looking* — " + escape(r.Progress)
		}
		return "🔎 *Looking* at what would be done"
	case store.Waiting:
		return fmt.Sprintf("⏳ *Waiting* for %s, until %s", approvals(r.Missing()), moment(r.ExpiresAt))
	case store.Approved:
		return "▶️ *About to run*"
	case store.Running:
		step := r.Plan.Steps[min(r.Step, len(r.Plan.Steps)-1)]
		return fmt.Sprintf("▶️ *Running* — step %d of %d: %s", r.Step+1, len(r.Plan.Steps), escape(step.Title))
	case store.Succeeded:
		switch {
		case r.Preview:
			return "📋 *Preview* — " + escape(r.Plan.Summary) + " Nothing was run."
		case len(r.Plan.Steps) == 0:
			return "✅ *Nothing to do* — " + escape(r.Plan.Summary)
		case r.Report != nil:
			return "✅ *Done* — " + escape(r.Report.Summary)
		}
		return "✅ *Done*"
	case store.Failed:
		return "❌ *Failed* — " + escape(r.Reason)
	case store.Refused:
		return "⛔ *Not run* — " + escape(r.Reason)
	case store.Withdrawn:
		if r.StartedAt.IsZero() {
			return "↩️ *Withdrawn* — " + escape(r.Reason) + " Nothing was run."
		}
		return "↩️ *Withdrawn* — " + escape(r.Reason)
	case store.Expired:
		return "⌛ *Expired* — " + escape(r.Reason)
	case store.Undoing:
		return "↩️ *Being taken back* by " + escape(r.Decided.By) + ": " + escape(r.Decided.Reason)
	case store.Undone:
		return "↩️ *Taken back* — " + escape(r.Reason)
	case store.Unknown:
		return "❓ *Not known* — " + escape(r.Reason)
	}
	return "⏳ *Asked*"
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// on is a time of day, with its day where that is another than since's.
func on(t, since time.Time) string {
	if t.UTC().Format(time.DateOnly) == since.UTC().Format(time.DateOnly) {
		return clock(t)
	}
	return moment(t)
}

func moment(t time.Time) string { return t.UTC().Format("2 Jan 15:04") + " UTC" }

func approvals(n int) string {
	if n == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", n)
}

// drawCard draws the card of one request or of several that were asked for
// together: who asked for what, when, who decided, and where it stands.
func drawCard(o ops.Operation, all []store.Request) drawing {
	first, command := all[0], o.Command
	if first.Preview {
		command += " plan"
	}
	head := fmt.Sprintf("`%s` asked for by <@%s>", command, first.Asker.User)
	if !strings.HasPrefix(first.By, "slack.") {
		head += " (GitHub: " + escape(first.By) + ")"
	}
	common := first.Inputs
	if len(all) > 1 {
		common = map[string][]string{}
		for name, values := range first.Inputs {
			if slices.Equal(values, all[1].Inputs[name]) {
				common[name] = values
			}
		}
	}
	for _, f := range o.Form {
		if text := strings.Join(common[f.Name], ", "); text != "" && len(f.Agree) == 0 {
			head += "\n" + escape(cut(f.Label+": "+oneLine(text), lineLimit))
		}
	}
	b := sheet{}
	b.add(head)
	for _, r := range all {
		line := state(r)
		if len(all) > 1 {
			line = "*" + escape(subject(r, common)) + "*: " + line
		}
		for _, decision := range decisions(r) {
			line += "\n" + decision
		}
		b.add(line)
	}
	foot := fmt.Sprintf("%s · asked %s UTC", ops.Short(first.ID), first.At.UTC().Format("2 Jan 2006 15:04:05"))
	if first.Again != "" {
		foot += " · runs " + ops.Short(first.Again) + " again"
	}
	if !first.StartedAt.IsZero() && len(all) == 1 {
		foot += " · started " + on(first.StartedAt, first.At)
	}
	if !first.EndedAt.IsZero() && len(all) == 1 {
		foot += " · ended " + on(first.EndedAt, first.At)
	}
	return drawing{
		text:   fmt.Sprintf("%s, asked for by %s: %s", command, name(first), strings.ReplaceAll(state(first), "*", "")),
		blocks: append(b.blocks(), small(foot)),
	}
}

// subject is what one of several requests on a card is about.
func subject(r store.Request, common ops.Inputs) string {
	var own []string
	for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
		if _, shared := common[name]; !shared {
			own = append(own, strings.Join(r.Inputs[name], ", "))
		}
	}
	return strings.Join(own, ", ")
}

// decisions are who decided what, and when.
func decisions(r store.Request) []string {
	var lines []string
	for _, review := range r.Reviews {
		lines = append(lines, fmt.Sprintf("Approved by %s at %s", person(review), moment(review.At)))
	}
	if r.Glass != nil {
		what := "🚨 Run alone, without its approvals,"
		if !r.Alone() {
			what = "🚨 Break glass for an earlier plan"
		}
		lines = append(lines, fmt.Sprintf("%s by %s at %s: %s", what, person(*r.Glass), moment(r.Glass.At), escape(cut(r.Glass.Reason, lineLimit))))
	}
	if r.Looked != nil {
		lines = append(lines, fmt.Sprintf("Looked at afterwards by %s at %s", person(*r.Looked), moment(r.Looked.At)))
	}
	// While it is being taken back, its state says by whom.
	if r.Decided != nil && r.State != store.Undoing {
		verb := map[store.State]string{store.Refused: "Rejected", store.Withdrawn: "Withdrawn", store.Undone: "Taken back"}[r.State]
		lines = append(lines, fmt.Sprintf("%s by %s at %s", cmp.Or(verb, "Decided"), person(*r.Decided), moment(r.Decided.At)))
	}
	return lines
}

func person(r store.Review) string {
	if r.User == "" {
		return escape(r.By)
	}
	if strings.HasPrefix(r.By, "slack.") {
		return "<@" + r.User + ">"
	}
	return fmt.Sprintf("<@%s> (%s)", r.User, escape(r.By))
}

// drawAsk draws who must decide, with the buttons for that; and what was
// decided, without them. alone: there is somebody who may have it run alone.
func drawAsk(r store.Request, undo string, alone bool) drawing {
	var b sheet
	value := r.ID + ":" + r.Digest()
	button := func(action, label string, style slack.Style) slack.BlockElement {
		return slack.NewButtonBlockElement(action, value, slack.NewTextBlockObject(slack.PlainTextType, label, false, false)).WithStyle(style)
	}
	var buttons []slack.BlockElement
	target := ""
	if r.Plan != nil && r.Plan.Target != "" {
		target = " — " + escape(r.Plan.Target)
	}
	switch {
	case r.State == store.Waiting:
		b.add(fmt.Sprintf("*To decide*%s: %s needed, by %s of the team other than <@%s>.", target, approvals(r.Missing()),
			map[bool]string{true: "a member", false: "members"}[r.Missing() == 1], r.Asker.User))
		if r.Why != "" {
			b.add(escape(r.Why))
		}
		buttons = []slack.BlockElement{
			button(bot.Approve, "Approve", slack.StylePrimary), button(bot.Reject, "Reject", slack.StyleDanger), button(bot.Withdraw, "Withdraw", slack.StyleDefault),
		}
		if alone {
			buttons = append(buttons, button(bot.BreakGlass, "Break glass…", slack.StyleDefault))
		}
	case !r.UndoUntil.IsZero():
		b.add(fmt.Sprintf("*%s*%s: possible for any member of the team, until %s.", escape(undo), target, moment(r.UndoUntil)))
		buttons = []slack.BlockElement{button(bot.Undo, undo, slack.StyleDanger)}
	default:
		b.add("*Decided*" + target + ": " + state(r))
	}
	for _, decision := range decisions(r) {
		b.add(decision)
	}
	d := drawing{text: "Decided" + target, blocks: b.blocks()}
	if len(buttons) > 0 {
		d.text = "To decide" + target
	}
	if len(buttons) > 0 {
		d.blocks = append(d.blocks, slack.NewActionBlock("decide", buttons...))
	}
	return d
}

// drawNote draws a remark of the bot's.
func drawNote(text string) drawing {
	var b sheet
	long := false
	for line := range strings.SplitSeq(text, "\n") {
		long = long || utf8.RuneCountInString(line) > lineLimit
		b.add(escape(cut(line, lineLimit)))
	}
	d := drawing{text: escape(cut(text, lineLimit)), blocks: b.blocks()}
	if !b.fits() || long {
		d.blocks = d.blocks[:1]
		d.file = file{name: "note.txt", title: "The whole note", text: text}
	}
	return d
}

// drawDirect tells the asker how it ended.
func drawDirect(command string, r store.Request, where string) drawing {
	text := "`" + command + "`"
	if r.Plan != nil && r.Plan.Target != "" {
		text += " " + escape(r.Plan.Target)
	}
	text += ": " + state(r)
	if where != "" {
		text += fmt.Sprintf("\n<%s|Here is the thread>.", where)
	}
	return drawing{text: strings.ReplaceAll(state(r), "*", ""), blocks: []slack.Block{section(cutEscaped(text, sectionLimit))}}
}

// drawPlan draws what would be done, and why somebody might not want it. What
// is too long for a message goes into a file as a whole.
func drawPlan(r store.Request) drawing {
	p := r.Plan
	var b sheet
	var whole strings.Builder
	long := false
	add := func(mark, text string) {
		if utf8.RuneCountInString(text) > lineLimit {
			long = true
		}
		b.add(mark + escape(cut(text, lineLimit)))
	}
	add("*Plan* — ", p.Summary)
	fmt.Fprintf(&whole, "%s\n\n", p.Summary)
	for _, w := range p.Warnings {
		add("⚠️ ", w)
		fmt.Fprintf(&whole, "! %s\n", w)
	}
	for _, f := range p.Facts {
		add("*"+escape(cut(f.Label, lineLimit))+"*: ", f.Value)
		fmt.Fprintf(&whole, "%s: %s\n", f.Label, f.Value)
	}
	n, hidden := 0, 0
	for i, s := range p.Steps {
		add(fmt.Sprintf("%d. ", i+1), s.Title)
		fmt.Fprintf(&whole, "\n%d. %s\n", i+1, s.Title)
		for _, e := range s.Effects {
			fmt.Fprintf(&whole, "   - %s\n", e)
			if n++; n <= effectsShown {
				add("    • ", e)
			} else {
				hidden++
			}
		}
		if hidden > 0 {
			add("    • ", fmt.Sprintf("… and %d more, all in the file below", hidden))
			hidden = 0
		}
	}
	d := drawing{text: "Plan: " + escape(p.Summary), blocks: b.blocks()}
	if n > effectsShown || long || !b.fits() {
		d.file = file{name: fmt.Sprintf("%s-%s-plan-%s.txt", r.Operation, ops.Short(r.ID), first(r.Digest(), 6)), title: "The whole plan", text: whole.String()}
		d.blocks = d.blocks[:min(len(d.blocks), 4)]
	}
	d.blocks = append(d.blocks, small("Plan "+first(r.Digest(), 12)))
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
		line := clock(l.At) + " " + marks[l.Level] + cutEscaped(escape(strings.ReplaceAll(cut(l.Text, lineLimit), "```", "'''")), lineLimit) + "\n"
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
	long := false
	add := func(mark, text, plain string) {
		if utf8.RuneCountInString(text) > lineLimit {
			long = true
		}
		b.add(mark + escape(cut(text, lineLimit)))
		fmt.Fprintf(&whole, "%s%s\n", plain, text)
	}
	b.add("*Result* — " + strings.TrimSpace(state(r)))
	fmt.Fprintf(&whole, "%s %s\n\n", r.State, r.Reason)
	for _, p := range report.Problems {
		add("❗ ", p, "! ")
	}
	for _, n := range report.Notes {
		add("", n, "")
	}
	for _, s := range report.Sections {
		b.add("*" + escape(cut(s.Title, lineLimit)) + "*")
		fmt.Fprintf(&whole, "%s\n", s.Title)
		for _, o := range s.Outcomes {
			text := o.Text
			if o.State != "" {
				text += " — " + string(o.State)
			}
			if o.Why != "" {
				text += ": " + o.Why
			}
			add(truths[o.State]+" ", text, "  - ")
		}
	}
	d := drawing{text: "Result: " + strings.ReplaceAll(state(r), "*", "")}
	if b.fits() && !long {
		d.blocks = b.blocks()
	} else {
		d.blocks = shortResult(r, report).blocks()
		d.file = file{name: r.Operation + "-" + ops.Short(r.ID) + "-result.txt", title: "The whole result", text: whole.String()}
	}
	if retryable(r) {
		button := slack.NewButtonBlockElement(actionRetry, r.ID+":"+r.Digest(), slack.NewTextBlockObject(slack.PlainTextType, "Run again", false, false))
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
