package slacktest

import (
	"regexp"
	"strings"
	"unicode"
)

// kept are the parts of mrkdwn in which * and _ mean nothing.
var kept = regexp.MustCompile("<[^<>\n]+>|`[^`\n]+`")

// mrkdwn turns Slack's markup into what a person reads in a terminal: names for
// IDs, texts for links, emoji for their names, and no marks of bold and italic.
// Code keeps its backticks. See https://docs.slack.dev/messaging/formatting-message-text/.
func (w *Workspace) mrkdwn(s string) string {
	const first = '\ue000'
	var parts []string
	s = kept.ReplaceAllStringFunc(s, func(part string) string {
		parts = append(parts, part)
		return string(first + rune(len(parts)-1))
	})
	s = unmark(unmark(s, '*'), '_')
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if quoted, ok := strings.CutPrefix(l, "&gt;"); ok {
			lines[i] = "▎ " + strings.TrimPrefix(quoted, " ")
		}
	}
	var b strings.Builder
	for _, r := range emojify(decode(strings.Join(lines, "\n"))) {
		if i := int(r - first); i >= 0 && i < len(parts) {
			b.WriteString(w.part(parts[i]))
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// part is what a person reads for <…> or `…`.
func (w *Workspace) part(s string) string {
	if strings.HasPrefix(s, "`") {
		return decode(s)
	}
	target, label, labelled := strings.Cut(s[1:len(s)-1], "|")
	label = emojify(decode(label))
	switch {
	case strings.HasPrefix(target, "@"):
		if w.user(target[1:]) == nil && labelled {
			return "@" + strings.TrimPrefix(label, "@")
		}
		return "@" + w.name(target[1:])
	case strings.HasPrefix(target, "#"):
		if ch := w.channel(target[1:]); ch != nil {
			return "#" + ch.Name
		}
		return "#" + label
	case labelled:
		return label
	case strings.HasPrefix(target, "!"):
		return "@" + target[1:]
	}
	return strings.TrimPrefix(decode(target), "mailto:")
}

// unmark takes away pairs of mark that stand around words within one line.
func unmark(s string, mark rune) string {
	text := []rune(s)
	drop := map[int]bool{}
	for i := 0; i < len(text); i++ {
		if text[i] != mark || !edge(text, i-1) || i+1 >= len(text) || unicode.IsSpace(text[i+1]) || text[i+1] == mark {
			continue
		}
		for j := i + 2; j < len(text) && text[j] != '\n'; j++ {
			if text[j] == mark && !unicode.IsSpace(text[j-1]) && edge(text, j+1) {
				drop[i], drop[j] = true, true
				i = j
				break
			}
		}
	}
	var b strings.Builder
	for i, r := range text {
		if !drop[i] {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// edge reports whether no word goes on at text[i].
func edge(text []rune, i int) bool {
	return i < 0 || i >= len(text) || !unicode.IsLetter(text[i]) && !unicode.IsDigit(text[i])
}

var colons = regexp.MustCompile(`:[a-z0-9_+'-]+:`)

// emojify writes the emoji that are known here as such; others stay :names:.
func emojify(s string) string {
	return colons.ReplaceAllStringFunc(s, func(name string) string {
		if e, ok := emoji[name[1:len(name)-1]]; ok {
			return e
		}
		return name
	})
}

// emoji are those that bots like.
var emoji = map[string]string{
	"+1": "👍", "-1": "👎", "alarm_clock": "⏰", "arrow_forward": "▶️", "arrow_right": "➡️", "arrows_counterclockwise": "🔄",
	"ballot_box_with_check": "☑️", "bar_chart": "📊", "bell": "🔔", "black_square_for_stop": "⏹️", "broom": "🧹",
	"bust_in_silhouette": "👤", "busts_in_silhouette": "👥", "calendar": "📅", "clipboard": "📋", "clock1": "🕐", "cloud": "☁️",
	"credit_card": "💳", "email": "✉️", "exclamation": "❗", "eyes": "👀", "fire": "🔥", "gear": "⚙️", "grey_question": "❔",
	"heavy_check_mark": "✔️", "hourglass": "⌛", "hourglass_flowing_sand": "⏳", "information_source": "ℹ️", "key": "🔑",
	"large_blue_circle": "🔵", "large_green_circle": "🟢", "large_orange_circle": "🟠", "large_yellow_circle": "🟡",
	"leftwards_arrow_with_hook": "↩️", "link": "🔗", "lock": "🔒", "mag": "🔍", "memo": "📝", "no_entry": "⛔",
	"no_entry_sign": "🚫", "octagonal_sign": "🛑", "office": "🏢", "package": "📦", "page_facing_up": "📄", "paperclip": "📎",
	"point_right": "👉", "pushpin": "📌", "question": "❓", "raised_hand": "✋", "red_circle": "🔴", "repeat": "🔁",
	"robot_face": "🤖", "rotating_light": "🚨", "scroll": "📜", "shield": "🛡️", "skull": "💀", "speech_balloon": "💬",
	"stopwatch": "⏱️", "tada": "🎉", "thumbsdown": "👎", "thumbsup": "👍", "unlock": "🔓", "warning": "⚠️",
	"wastebasket": "🗑️", "wave": "👋", "white_check_mark": "✅", "white_circle": "⚪", "wrench": "🔧", "x": "❌", "zap": "⚡",
	"double_vertical_bar": "⏸️", "pause_button": "⏸️", "seedling": "🌱", "sparkles": "✨", "star": "⭐", "zzz": "💤",
}
