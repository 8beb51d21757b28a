package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/slack-go/slack"
)

// escape makes text harmless: nothing in it is a mention, a link or a channel.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

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

// cutEscaped shortens an escaped text without breaking an escape.
func cutEscaped(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	s = cut(s, n)
	if i := strings.LastIndexByte(s, '&'); i >= 0 && !strings.Contains(s[i:], ";") {
		s = s[:i] + "…"
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
