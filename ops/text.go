package ops

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Longest is the most characters that a text of somebody's may have, or the
// values of a list together: what a Slack form field takes.
// https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element
const Longest = 3000

// CheckText returns an Invalid *Error unless a text is one that people can
// read as it is: not too long, in UTF-8, without control characters (line ends
// and tabs are none) and without what turns the direction of writing.
func CheckText(text string) error {
	switch {
	case utf8.RuneCountInString(text) > Longest:
		return &Error{Kind: Invalid, What: fmt.Sprintf("That is longer than %d characters.", Longest)}
	case !utf8.ValidString(text), strings.ContainsFunc(text, unreadable):
		return &Error{Kind: Invalid, What: "There are characters in it that can't be seen. Please type it anew."}
	}
	return nil
}

func unreadable(r rune) bool {
	return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r) || unicode.Is(unicode.Bidi_Control, r)
}

// Blank tells whether there is nothing in a text that people can see: it is
// empty, or made of spaces, of spaces without width and of letters that show
// nothing. A reason that is blank is none.
func Blank(text string) bool { return !strings.ContainsFunc(text, seen) }

// seen tells whether a character leaves a mark on the page, by itself.
func seen(r rune) bool {
	const emptyBraille = '\u2800'
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) && r != emptyBraille && !unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r)
}

// Count writes a number of things: "1 team", "2 teams", and with the word for many
// "2 people".
func Count(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// Span writes a duration in the largest unit of which it is a whole number: "2 days",
// "24 hours", "10 minutes", "1m30s".
func Span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return Count(int(d/(24*time.Hour)), "day")
	case d >= time.Hour && d%time.Hour == 0:
		return Count(int(d/time.Hour), "hour")
	case d >= time.Minute && d%time.Minute == 0:
		return Count(int(d/time.Minute), "minute")
	}
	return d.String()
}
