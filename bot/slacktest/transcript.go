package slacktest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	width  = 80
	margin = "       " // as wide as "15:04  "
	rail   = margin + "│ "
)

// Transcript writes the workspace as people see it in Slack: every channel and
// direct conversation in which something was said, each message with its time,
// author, text, buttons and files, replies beside a rail below their parent, and
// ephemeral messages where they appeared, marked with who sees them. The times
// are in Options.Location.
func (w *Workspace) Transcript(out io.Writer) error {
	w.mu.Lock()
	var b bytes.Buffer
	for _, ch := range w.channels {
		w.conversation(&b, ch)
	}
	w.mu.Unlock()
	if _, err := out.Write(bytes.TrimPrefix(b.Bytes(), []byte("\n"))); err != nil {
		return fmt.Errorf("write the transcript: %w", err)
	}
	return nil
}

func (w *Workspace) conversation(b *bytes.Buffer, ch *channel) {
	all := slices.Clone(ch.messages)
	for _, m := range w.ephemerals {
		if m.Channel == ch.ID {
			all = append(all, m)
		}
	}
	if len(all) == 0 {
		return
	}
	slices.SortStableFunc(all, func(x, y *Message) int {
		switch {
		case later(x.TS, y.TS):
			return 1
		case later(y.TS, x.TS):
			return -1
		}
		return 0
	})
	title := "# " + ch.Name
	switch {
	case ch.partner != "":
		title = "@ " + w.name(ch.partner)
	case ch.Private:
		title = "🔒 " + ch.Name
	}
	if ch.Archived {
		title += " (archived)"
	}
	fmt.Fprintf(b, "\n%s %s\n", title, strings.Repeat("─", max(4, width-1-columns(title))))
	for _, m := range all {
		if m.ThreadTS != "" && m.ThreadTS != m.TS {
			continue
		}
		b.WriteString("\n")
		w.write(b, m, "")
		for _, r := range all {
			if r.ThreadTS == m.TS && r != m {
				b.WriteString(strings.TrimRight(rail, " ") + "\n")
				w.write(b, r, rail)
			}
		}
	}
}

// Render writes a single message as Transcript does, a reply with its rail. It
// ends in a newline.
func (w *Workspace) Render(m Message) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	prefix := ""
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		prefix = rail
	}
	var b bytes.Buffer
	w.write(&b, &m, prefix)
	return b.String()
}

// RenderView writes a modal or Home tab as its user sees it. It ends in a newline.
func (w *Workspace) RenderView(v View) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	title := v.Title
	if title == "" {
		title = "Home of " + w.name(v.User)
	}
	lines := v.lines(w.reader())
	if v.Title != "" {
		lines = lines[1:]
	}
	var b strings.Builder
	fmt.Fprintf(&b, "╭ %s %s\n", title, strings.Repeat("─", max(4, width-3-columns(title))))
	for _, l := range wrap(lines, width-2) {
		b.WriteString(strings.TrimRight("│ "+l, " ") + "\n")
	}
	fmt.Fprintf(&b, "╰%s\n", strings.Repeat("─", width-1))
	return b.String()
}

func (w *Workspace) write(b *bytes.Buffer, m *Message, prefix string) {
	head := w.clock(m.TS) + "  " + w.name(m.User)
	if m.Edited > 0 {
		head += " (edited)"
	}
	if m.VisibleTo != "" {
		head += " · Only visible to " + w.name(m.VisibleTo)
	}
	b.WriteString(prefix + head + "\n")
	lines := w.reader().message(m)
	var reactions []string
	for _, r := range m.Reactions {
		reactions = append(reactions, fmt.Sprintf("%s %d", emojify(":"+r.Name+":"), len(r.Users)))
	}
	if reactions != nil {
		lines = append(lines, line{text: strings.Join(reactions, "  ")})
	}
	for _, l := range wrap(lines, width-utf8.RuneCountInString(prefix+margin)) {
		b.WriteString(strings.TrimRight(prefix+margin+l, " ") + "\n")
	}
}

// clock is when a message was written: 15:04.
func (w *Workspace) clock(ts string) string {
	seconds, _, _ := strings.Cut(ts, ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return "--:--"
	}
	return time.Unix(n, 0).In(w.opts.Location).Format("15:04")
}

func (w *Workspace) name(userID string) string {
	if u := w.user(userID); u != nil {
		return u.RealName
	}
	return userID
}

func (w *Workspace) reader() reader {
	return reader{
		mrkdwn:  w.mrkdwn,
		plain:   func(s string) string { return emojify(decode(s)) },
		columns: true,
	}
}

// wrap breaks lines at spaces so that they fit; what continues a list item stands
// under its text. Code is left alone.
func wrap(lines []line, most int) []string {
	var all []string
	for _, l := range lines {
		if l.code || columns(l.text) <= most {
			all = append(all, l.text)
			continue
		}
		hang := hanging(l.text)
		current := ""
		for i, word := range strings.Split(l.text, " ") {
			switch {
			case i == 0:
				current = word
			case columns(current)+1+columns(word) > most:
				all = append(all, current)
				current = hang + word
			default:
				current += " " + word
			}
		}
		all = append(all, current)
	}
	return all
}

func hanging(s string) string {
	for _, mark := range []string{"• ", "- ", "▎ "} {
		if strings.HasPrefix(s, mark) {
			if mark == "▎ " {
				return mark
			}
			return "  "
		}
	}
	return ""
}

// columns is how much room s takes in a terminal: emoji take two.
func columns(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r == '\ufe0f' || r == '\u200d':
		case r >= 0x1f000 || slices.Contains(wide, r):
			n += 2
		default:
			n++
		}
	}
	return n
}

// wide are emoji outside the emoji planes that terminals draw two columns wide.
var wide = []rune("⌚⌛⏩⏪⏫⏬⏰⏳⚡⚪⚫⛔✅✋✨❌❎❓❔❕❗➕➖⬛⬜⭐⭕")
