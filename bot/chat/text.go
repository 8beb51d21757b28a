package chat

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/ops"
)

// escape makes text harmless: nothing in it is a mention, a link or a channel.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func escape(s string) string {
	s = ops.VisibleLines(s)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// line is escape for what must be one line, such as a sentence that passes on what
// another system says.
func line(s string) string { return escape(ops.Visible(s)) }

// item is a name or a value that others have chosen, of so many characters at most, as
// mrkdwn that shows it as it is: on one line, and as code where Slack would take a part
// of it for formatting, so that it doesn't look like the bot's own words.
func item(s string, n int) string {
	s = cut(ops.Visible(s), n)
	if !formatting(s) {
		return escape(s)
	}
	return "`" + escape(strings.ReplaceAll(s, "`", "'")) + "`"
}

// What Slack takes for formatting: *bold*, _italic_, ~struck~ and :emoji: beside what is
// no letter and no number; a quotation; and code anywhere.
// https://docs.slack.dev/messaging/formatting-message-text
var (
	formats = regexp.MustCompile("`|^\\s*>|" + `(?:^|[^\pL\pN])(?:\*\S(?:.*\S)?\*|_\S(?:.*\S)?_|~\S(?:.*\S)?~|:[a-z0-9_+'-]+:)(?:[^\pL\pN]|$)`)
	shaping = "*_~:`>"
)

func formatting(s string) bool { return strings.ContainsAny(s, shaping) && formats.MatchString(s) }

// oneLine keeps what somebody typed from looking like lines of the bot's own.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// section is a text in which nothing becomes a link by itself (verbatim).
func section(text string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, text, false, true), nil, nil)
}

func small(text string) slack.Block {
	return slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, text, false, true))
}

// sheet gathers paragraphs into as few section blocks as hold them.
type sheet struct {
	texts []string
	cut   bool // a paragraph didn't fit
}

func (s *sheet) add(paragraph string) {
	if utf8.RuneCountInString(paragraph) > sectionLimit {
		paragraph, s.cut = cutEscaped(paragraph, sectionLimit), true
	}
	if n := len(s.texts) - 1; n >= 0 && utf8.RuneCountInString(s.texts[n])+1+utf8.RuneCountInString(paragraph) <= sectionLimit {
		s.texts[n] += "\n" + paragraph
		return
	}
	s.texts = append(s.texts, paragraph)
}

// fits tells whether it can be one message: Slack allows 50 blocks, but nobody
// reads more than a few screens.
func (s *sheet) fits() bool { return !s.cut && len(s.texts) <= 4 }

func (s *sheet) blocks() []slack.Block {
	var blocks []slack.Block
	for _, text := range s.texts[:min(len(s.texts), blockLimit)] {
		blocks = append(blocks, section(text))
	}
	return blocks
}

// first is the first n characters of a digest.
func first(digest string, n int) string { return digest[:min(n, len(digest))] }

// cutEscaped shortens an escaped text without breaking an escape or a link.
func cutEscaped(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	s = cut(s, n)
	for _, ends := range []struct {
		begin byte
		end   string
	}{{'<', ">"}, {'&', ";"}} {
		if i := strings.LastIndexByte(s, ends.begin); i >= 0 && !strings.Contains(s[i:], ends.end) {
			s = s[:i] + "…"
		}
	}
	return s
}

// cut shortens a text to n characters.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// address finds web addresses.
var address = regexp.MustCompile("https://[^\\s<>|\"'`]+")

// linked is escape for a text of the bot's own in which addresses are links. Each
// link shows where it leads.
func linked(s string) string {
	var b strings.Builder
	for {
		found := address.FindStringIndex(s)
		if found == nil {
			return b.String() + escape(s)
		}
		end := found[0] + len(strings.TrimRight(s[found[0]:found[1]], ".,;:!?)"))
		b.WriteString(escape(s[:found[0]]) + "<" + escape(s[found[0]:end]) + ">")
		s = s[end:]
	}
}

// unescape is an escaped text as it was, for files and notifications.
func unescape(s string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(s)
}

// parts cuts a text into pieces of at most n characters, at the ends of lines where
// there are some, and breaks no escape.
func parts(s string, n int) []string {
	var list []string
	for utf8.RuneCountInString(s) > n {
		head := cutEscaped(s, n+1)
		head = strings.TrimSuffix(head, "…")
		if i := strings.LastIndexByte(head, '\n'); i > len(head)/2 {
			head = head[:i+1]
		}
		if head == "" {
			head = string([]rune(s)[:n])
		}
		list, s = append(list, head), s[len(head):]
	}
	return append(list, s)
}

// cutWord shortens an escaped text to n characters, at the end of a word.
func cutWord(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	s = strings.TrimSuffix(cutEscaped(s, n), "…")
	if i := strings.LastIndexByte(s, ' '); i > len(s)/2 {
		s = s[:i]
	}
	return strings.TrimRight(s, " ,.;:—") + " …"
}
