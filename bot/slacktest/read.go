package slacktest

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// reader turns messages and blocks into lines as a person reads them.
type reader struct {
	mrkdwn  func(string) string
	plain   func(string) string
	columns bool // lay out as Slack's window does: fields side by side, code set off
}

// line is one line; code is neither wrapped nor rewritten.
type line struct {
	text string
	code bool
}

func texts(lines []line) []string {
	all := make([]string, len(lines))
	for i, l := range lines {
		all[i] = l.text
	}
	return all
}

func (r reader) message(m *Message) []line {
	lines := r.blocks(list(m.Blocks))
	if m.Blocks == nil && m.Text != "" {
		lines = r.lines(m.Text)
	}
	for _, a := range list(m.Attachments) {
		for _, part := range []string{"pretext", "title", "text"} {
			if s := str(a, part); s != "" {
				lines = append(lines, r.lines(s)...)
			}
		}
		lines = append(lines, r.blocks(objs(a, "blocks"))...)
	}
	for _, f := range m.Files {
		lines = append(lines, line{text: f.String()})
	}
	return lines
}

func (r reader) blocks(blocks []object) []line {
	var all []line
	for _, b := range blocks {
		all = append(all, r.block(b)...)
	}
	return all
}

func (r reader) block(b object) []line {
	switch str(b, "type") {
	case "section":
		return r.section(b)
	case "header":
		return r.text(obj(b, "text"))
	case "divider":
		return []line{{text: strings.Repeat("─", 24), code: true}}
	case "context":
		var parts []string
		for _, e := range objs(b, "elements") {
			if str(e, "type") == "image" {
				parts = append(parts, r.image(e))
				continue
			}
			parts = append(parts, strings.Join(texts(r.text(e)), " "))
		}
		return []line{{text: strings.Join(parts, "  ")}}
	case "actions":
		var parts []string
		for _, e := range objs(b, "elements") {
			parts = append(parts, r.element(e))
		}
		return []line{{text: strings.Join(parts, "  ")}}
	case "input":
		label := strings.Join(texts(r.text(obj(b, "label"))), " ")
		if optional, _ := b["optional"].(bool); optional {
			label += " (optional)"
		}
		lines := []line{{text: label}, {text: r.element(obj(b, "element"))}}
		return append(lines, r.text(obj(b, "hint"))...)
	case "image":
		return append(r.text(obj(b, "title")), line{text: r.image(b)})
	case "markdown":
		return r.lines(escape(str(b, "text")))
	case "rich_text":
		return r.rich(b)
	case "file":
		return []line{{text: "📎 " + str(b, "external_id")}}
	}
	return []line{{text: fmt.Sprintf("[%s]", str(b, "type"))}}
}

func (r reader) image(o object) string { return "🖼  " + r.plain(str(o, "alt_text")) }

func (r reader) text(o object) []line {
	if o == nil {
		return nil
	}
	if str(o, "type") == "mrkdwn" {
		return r.lines(str(o, "text"))
	}
	var all []line
	for s := range strings.SplitSeq(r.plain(str(o, "text")), "\n") {
		all = append(all, line{text: s})
	}
	return all
}

// lines splits mrkdwn. Where it is not left as it is, what stands in ``` fences is
// kept apart.
func (r reader) lines(mrkdwn string) []line {
	var all []line
	if !r.columns {
		for s := range strings.SplitSeq(r.mrkdwn(mrkdwn), "\n") {
			all = append(all, line{text: s})
		}
		return all
	}
	for i, part := range strings.Split(mrkdwn, "```") {
		if i%2 == 0 {
			if part = strings.Trim(part, "\n"); part != "" || i == 0 && mrkdwn == "" {
				for s := range strings.SplitSeq(r.mrkdwn(part), "\n") {
					all = append(all, line{text: s})
				}
			}
			continue
		}
		all = append(all, r.code(decode(part))...)
	}
	return all
}

func (r reader) code(s string) []line {
	var all []line
	for s := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		if r.columns {
			s = "    " + s
		}
		all = append(all, line{text: s, code: true})
	}
	return all
}

func (r reader) section(b object) []line {
	all := r.text(obj(b, "text"))
	fields := objs(b, "fields")
	for i := 0; i < len(fields); i++ {
		left := r.text(fields[i])
		if !r.columns || i+1 == len(fields) {
			all = append(all, left...)
			continue
		}
		i++
		all = append(all, beside(left, r.text(fields[i]))...)
	}
	if e := obj(b, "accessory"); e != nil {
		all = append(all, line{text: r.element(e)})
	}
	return all
}

// column is how wide the left one of two fields is.
const column = 36

func beside(left, right []line) []line {
	for _, l := range left {
		if utf8.RuneCountInString(l.text) >= column {
			return append(left, right...)
		}
	}
	var all []line
	for i := range max(len(left), len(right)) {
		var l, r string
		if i < len(left) {
			l = left[i].text
		}
		if i < len(right) {
			r = right[i].text
		}
		gap := strings.Repeat(" ", column-utf8.RuneCountInString(l))
		all = append(all, line{text: strings.TrimRight(l+gap+r, " "), code: true})
	}
	return all
}

func (r reader) element(e object) string {
	if e == nil {
		return ""
	}
	show := func(o object) string { return strings.Join(texts(r.text(o)), " ") }
	switch kind := str(e, "type"); kind {
	case "button", "workflow_button":
		return "[ " + show(obj(e, "text")) + " ]"
	case "image":
		return r.image(e)
	case "overflow":
		var parts []string
		for _, o := range objs(e, "options") {
			parts = append(parts, show(obj(o, "text")))
		}
		return "[ ⋯ " + strings.Join(parts, " · ") + " ]"
	case "checkboxes", "radio_buttons":
		var parts []string
		for _, o := range objs(e, "options") {
			parts = append(parts, "◻ "+show(obj(o, "text")))
		}
		return strings.Join(parts, "  ")
	default:
		shown := r.plain(str(e, "initial_value"))
		for _, initial := range []string{"initial_date", "initial_time"} {
			shown += str(e, initial)
		}
		if o := obj(e, "initial_option"); o != nil {
			shown = show(obj(o, "text"))
		}
		if shown == "" {
			shown = show(obj(e, "placeholder"))
		}
		if strings.HasSuffix(kind, "_select") {
			return "[ " + strings.TrimSpace(shown+" ▾") + " ]"
		}
		return "[ " + shown + strings.Repeat("_", max(0, 24-utf8.RuneCountInString(shown))) + " ]"
	}
}

func (r reader) rich(b object) []line {
	var all []line
	for _, e := range objs(b, "elements") {
		switch str(e, "type") {
		case "rich_text_list":
			for i, item := range objs(e, "elements") {
				mark := "• "
				if str(e, "style") == "ordered" {
					mark = fmt.Sprintf("%d. ", i+1)
				}
				all = append(all, r.lines(mark+richText(item))...)
			}
		case "rich_text_preformatted":
			all = append(all, r.code(decode(richText(e)))...)
		case "rich_text_quote":
			for s := range strings.SplitSeq(strings.Trim(richText(e), "\n"), "\n") {
				all = append(all, r.lines("&gt; "+s)...)
			}
		default:
			all = append(all, r.lines(richText(e))...)
		}
	}
	return all
}

// richText writes the elements of a rich text section as mrkdwn.
func richText(section object) string {
	var s strings.Builder
	for _, e := range objs(section, "elements") {
		switch str(e, "type") {
		case "text":
			s.WriteString(escape(str(e, "text")))
		case "link":
			s.WriteString("<" + str(e, "url"))
			if t := str(e, "text"); t != "" {
				s.WriteString("|" + escape(t))
			}
			s.WriteString(">")
		case "user":
			s.WriteString("<@" + str(e, "user_id") + ">")
		case "channel":
			s.WriteString("<#" + str(e, "channel_id") + ">")
		case "usergroup":
			s.WriteString("<!subteam^" + str(e, "usergroup_id") + ">")
		case "broadcast":
			s.WriteString("<!" + str(e, "range") + ">")
		case "emoji":
			s.WriteString(":" + str(e, "name") + ":")
		case "date":
			s.WriteString(str(e, "fallback"))
		}
	}
	return s.String()
}

var (
	decoder = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
	encoder = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
)

// decode and escape are Slack's: only these three characters.
// See https://docs.slack.dev/messaging/formatting-message-text/#escaping.
func decode(s string) string { return decoder.Replace(s) }

func escape(s string) string { return encoder.Replace(s) }
