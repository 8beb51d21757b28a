package ops

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text from outside, such as the names of others, what people type and what a
// function logs, is made harmless for each one who reads it, here and nowhere else:
//
//	Visible       a terminal, one line
//	VisibleLines  a terminal, several lines
//	Logged        a line of a program's log in JSON
//	Cell          a spreadsheet
//	Code          GitHub's Markdown
//
// Slack's forms are package chat's.

// Hidden tells whether a character can't be seen: a control, an override of the
// direction of writing, a space of no width. An ordinary space can.
func Hidden(r rune) bool { return !unicode.IsGraphic(r) }

// Visible is a text that a terminal only shows, as one line: what can't be seen, such
// as the beginning of a command to the terminal, a line's end or an override of the
// direction of writing, is written out.
func Visible(text string) string { return written(text, Hidden) }

// VisibleLines is Visible for a text whose line ends and tabs may stay as they are.
// A carriage return before a line end goes.
func VisibleLines(text string) string {
	return written(strings.ReplaceAll(text, "\r\n", "\n"), func(r rune) bool { return Hidden(r) && r != '\n' && r != '\t' })
}

// Logged is a text for a log in JSON, which escapes the control characters of ASCII
// by itself: what else can't be seen is written out.
func Logged(text string) string {
	return written(text, func(r rune) bool { return Hidden(r) && (r > unicode.MaxASCII || r == 0x7f) })
}

// written is a text with some of its characters written out, and what is no UTF-8.
func written(text string, which func(rune) bool) string {
	if utf8.ValidString(text) && !strings.ContainsFunc(text, which) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		case which(r):
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		default:
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// Cell is a text that no spreadsheet takes as a formula, as one line without what
// can't be seen: an apostrophe is put before what begins like a formula, behind any
// white space. https://owasp.org/www-community/attacks/CSV_Injection
func Cell(text string) string {
	first, _ := utf8.DecodeRuneInString(strings.TrimSpace(text))
	start, _ := utf8.DecodeRuneInString(text)
	if text != "" && (strings.ContainsRune("=+-@＝＋－＠", first) || strings.ContainsRune("\t\r\n\x00", start)) {
		text = "'" + text
	}
	return Visible(text)
}

// Code is a text in Markdown as it is, on one line: no mention, link, HTML or markup
// in it works. https://github.github.com/gfm/#code-spans
func Code(text string) string {
	text = Visible(strings.Join(strings.Fields(text), " "))
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + " " + text + " " + fence
}
