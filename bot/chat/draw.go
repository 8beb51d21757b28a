package chat

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// Slack's limits, with some room.
// https://docs.slack.dev/reference/block-kit/blocks/section-block
const (
	sectionLimit = 2900 // of 3,000 characters
	blockLimit   = 45   // of 50 blocks
	buttonLimit  = 75   // characters of a button's text: https://docs.slack.dev/reference/block-kit/block-elements/button-element
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
	call   string // mentions of people, which must be in it however it is told
	anchor string // the head of the audit that it shows; empty: none
	whole  bool   // it says everything without its file
}

type file struct{ name, title, text string }

// words are all that a drawing says, but for its buttons, as mrkdwn.
func (d drawing) words() string {
	if d.file.name != "" {
		return strings.TrimSpace(d.call + "\n" + escape(d.file.text))
	}
	var texts []string
	for _, block := range d.blocks {
		switch block := block.(type) {
		case *slack.SectionBlock:
			texts = append(texts, block.Text.Text)
		case *slack.ContextBlock:
			for _, element := range block.ContextElements.Elements {
				if text, ok := element.(*slack.TextBlockObject); ok {
					texts = append(texts, text.Text)
				}
			}
		}
	}
	if len(texts) == 0 {
		return d.text
	}
	return strings.Join(texts, "\n")
}

// buttons are those of a drawing.
func (d drawing) buttons() []slack.BlockElement {
	for _, block := range d.blocks {
		if actions, ok := block.(*slack.ActionBlock); ok {
			return actions.Elements.ElementSet
		}
	}
	return nil
}

// button is a button about a request and the plan that it shows.
func button(action, label string, r request.Request, style slack.Style) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(action, r.ID+":"+r.Digest(), plain(cut(label, buttonLimit))).WithStyle(style)
}

// name is who asked: by GitHub login, or by their place in Slack where that isn't known.
func name(r request.Request) string {
	if r.By == "" || strings.HasPrefix(r.By, "slack.") {
		return "<@" + r.Asker.User + ">"
	}
	return escape(r.By)
}

func person(r request.Review) string {
	if r.User == "" {
		return escape(r.By)
	}
	if strings.HasPrefix(r.By, "slack.") {
		return "<@" + r.User + ">"
	}
	return fmt.Sprintf("<@%s> (%s)", r.User, escape(r.By))
}

// people are those of a request, by their IDs in the chat: who asked and who
// approved.
func people(r request.Request) []string {
	list := []string{r.Asker.User}
	for _, review := range r.Reviews {
		list = append(list, review.User)
	}
	if r.Glass != nil {
		list = append(list, r.Glass.User)
	}
	return list
}

// mostCalled is how many people one message calls: more names than anybody reads.
const mostCalled = 60

// calling mentions people, each once.
func calling(users ...string) string {
	var mentions []string
	for _, user := range users {
		mention := "<@" + user + ">"
		if user != "" && !slices.Contains(mentions, mention) && len(mentions) < mostCalled {
			mentions = append(mentions, mention)
		}
	}
	return strings.Join(mentions, " ")
}

// target is what a request is about, as it stands behind its command.
func target(r request.Request) string {
	if r.Plan == nil || r.Plan.Target == "" {
		return ""
	}
	return " — " + item(r.Plan.Target, lineLimit)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05") }

// on is a time of day, with its day where that is another than since's.
func on(t, since time.Time) string {
	if t.UTC().Format(time.DateOnly) == since.UTC().Format(time.DateOnly) {
		return clock(t) + " UTC"
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

// unstarred is mrkdwn as a notification shows it, which knows no bold.
func unstarred(text string) string { return strings.ReplaceAll(text, "*", "") }

// drawNote draws a remark of the bot's; call mentions the people whom it is for.
func drawNote(text, call string) drawing {
	var b sheet
	long := false
	if call != "" {
		b.add(call)
	}
	for line := range strings.SplitSeq(text, "\n") {
		long = long || utf8.RuneCountInString(line) > lineLimit
		b.add(linked(cut(line, lineLimit)))
	}
	d := drawing{text: escape(cut(text, lineLimit)), blocks: b.blocks(), call: call}
	if !b.fits() || long {
		d.blocks = d.blocks[:1]
		d.file = file{name: "note.txt", title: "The whole note", text: text}
	}
	return d
}

// drawDirect tells the asker how it ended: in said, if that isn't empty.
func drawDirect(command string, r request.Request, said, where string) drawing {
	text := linked(said)
	if said == "" {
		text = "`" + command + "`"
		if r.Plan != nil && r.Plan.Target != "" {
			text += " " + item(r.Plan.Target, lineLimit)
		}
		text += ": " + state(r, linked)
	}
	d := drawing{text: escape(cut(said, lineLimit))}
	if said == "" {
		d.text = unstarred(state(r, escape))
	}
	if where != "" {
		text += fmt.Sprintf("\n<%s|Here is the thread>.", where)
	}
	d.blocks = []slack.Block{section(cutEscaped(text, sectionLimit))}
	return d
}

// drawPlan draws the steps with their effects, and why people might not want them. A
// plan that is too long for a message goes into a file as a whole.
func drawPlan(r request.Request) drawing {
	p := r.Plan
	var b sheet
	var whole strings.Builder
	long := false
	add := func(mark, text string) {
		if utf8.RuneCountInString(text) > lineLimit {
			long = true
		}
		b.add(mark + item(text, lineLimit))
	}
	add("*Plan* — ", p.Summary)
	fmt.Fprintf(&whole, "%s\n\n", ops.Visible(p.Summary))
	for _, w := range p.Warnings {
		add("⚠️ ", w)
		fmt.Fprintf(&whole, "! %s\n", ops.Visible(w))
	}
	for _, f := range p.Facts {
		add("*"+item(f.Label, lineLimit)+"*: ", f.Value)
		fmt.Fprintf(&whole, "%s: %s\n", ops.Visible(f.Label), ops.Visible(f.Value))
	}
	n, hidden := 0, 0
	for i, s := range p.Steps {
		add(fmt.Sprintf("%d. ", i+1), s.Title)
		fmt.Fprintf(&whole, "\n%d. %s\n", i+1, ops.Visible(s.Title))
		for _, e := range s.Effects {
			fmt.Fprintf(&whole, "   - %s\n", ops.Visible(e))
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
	for _, term := range p.Terms {
		if slices.Contains(p.Facts, term) {
			continue
		}
		add("*"+item(term.Label, lineLimit)+"*: ", term.Value)
		fmt.Fprintf(&whole, "%s: %s\n", ops.Visible(term.Label), ops.Visible(term.Value))
	}
	d := drawing{text: "Plan: " + line(p.Summary), blocks: b.blocks()}
	if n > effectsShown || long || !b.fits() {
		d.file = file{name: fmt.Sprintf("%s-%s-plan-%s.txt", r.Operation, ops.Short(r.ID), first(r.Digest(), 6)), title: "The whole plan", text: whole.String()}
		d.blocks = d.blocks[:min(len(d.blocks), 4)]
	}
	d.blocks = append(d.blocks, small("An approval counts for this plan only: plan "+first(r.Digest(), 12)))
	return d
}
