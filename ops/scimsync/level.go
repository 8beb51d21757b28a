package scimsync

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// The head of a line is what a logger writes before the message: a time, a level, the
// name of a thread, a logger or a process, in any order, parted by blanks, colons,
// dashes, bars or brackets. headLevel reads the first level in it. A line whose text
// merely mentions a level has other words before that, or another level.
//
// A level in capitals stands by itself, or behind a dot ("production.ERROR:"). One in
// other letters may be a word of a sentence, so it needs an end that no sentence has: a
// bracket, a bar, a colon, a dash between blanks, or a column's blanks.
func headLevel(text string, inside bool) (level, message string, ok bool) {
	h := head{rest: text, inside: inside}
	for range headTokens {
		h.skip()
		switch {
		case h.rest == "" || h.rest[0] == '\n':
			h.broken = true
		case strings.ContainsRune("[(", rune(h.rest[0])):
			if level, ok := h.bracket(); ok {
				return level, h.message(), true
			}
		default:
			if level, ok := h.word(); ok {
				return level, h.message(), true
			}
		}
		if h.broken {
			break
		}
	}
	// java.util.logging has the level on a line of its own.
	// https://docs.oracle.com/en/java/javase/21/docs/api/java.logging/java/util/logging/SimpleFormatter.html
	if m := secondLine.FindStringSubmatch(text); m != nil && h.timed {
		return levelOf(m[1]), m[2], true
	}
	return "", "", false
}

// headTokens is how many words and brackets a head has at most.
const headTokens = 12

// head is the rest of a line while its head is read.
type head struct {
	rest     string
	inside   bool // the line stands in the envelope of another form, which has a level
	timed    bool // there was a time or a date
	enclosed bool // there was a bracket, a bar or the like: a logger wrote this
	named    int  // how many names of loggers there were
	broken   bool // the message has begun
}

var (
	headWord   = regexp.MustCompile(`^[\p{L}\p{N}_.$/@&-]+`)
	headTime   = regexp.MustCompile(`^(?:\d{4}[-/.]\d\d?[-/.]\d\d?(?:[T_ ]\d\d?:[\d:.,]+)?(?:Z|[+-]\d\d:?\d\d)?|\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?(?:[AP]M|Z|[+-]\d\d:?\d\d)?|\d\d?[-/. ][A-Z][a-z]{2}[-/. ]\d{4}|\d\d?[-/.]\d\d?[-/.]\d{2,4}|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?,?(?: \d\d?,?)?(?: \d{4})?)(?:$|[\s,|\])(:-])`)
	headNumber = regexp.MustCompile(`^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+(?:\.\d+)?(?:ms|s)?|AM|PM|UTC|GMT|Z)(?:$|[\s,|:-])`)
	// closed is what follows a level that isn't a word of a sentence.
	closed     = regexp.MustCompile(`^(?:\s*\||:(?:\s|$|[\w.]+:)|\t| {2,}|\s+-{1,3}\s|\[\d+\])`)
	ended      = regexp.MustCompile(`^(?:[\s|:\[(]|$)`)
	part       = regexp.MustCompile(`^(?:\s*\||\s+-{1,3}\s|:\s?|\t| {2,})`)
	leavings   = regexp.MustCompile(`^(?:[\])]|\[\d+\]|\s\(\d+\))*[\s:|-]*`)
	secondLine = regexp.MustCompile(`(?s)^[^\n]*\n(SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): (.*)$`)
)

// skip passes over blanks and what only adorns: bars, dashes, dots, arrows, ticks.
func (h *head) skip() {
	h.rest = strings.TrimLeftFunc(h.rest, func(r rune) bool {
		if r == '|' {
			h.enclosed = true
		}
		return r != '\n' && (unicode.IsSpace(r) || strings.ContainsRune("|:,-–—•·", r) || unicode.IsSymbol(r) && !strings.ContainsRune("=<>+$^`~", r) || r == '\ufe0f')
	})
}

// message is what follows the level.
func (h *head) message() string { return h.rest[len(leavings.FindString(h.rest)):] }

// bracket reads a bracket: a level, or a time, a thread, a process.
func (h *head) bracket() (level string, ok bool) {
	end := strings.IndexAny(h.rest, ")]\n")
	if end < 0 || h.rest[end] == '\n' {
		h.broken = true
		return "", false
	}
	content := strings.TrimSpace(h.rest[1:end])
	square := h.rest[0] == '['
	h.rest = h.rest[end+1:]
	if len(content) > 1 && square {
		if level = levelNamed(content); level != "" {
			return level, true
		}
	}
	fields := strings.Fields(content)
	for i, field := range fields {
		if field = strings.Trim(field, ":|,"); square && (i == 0 || headTime.MatchString(fields[0])) && isUpper(field) && levelNamed(field) != "" {
			return levelNamed(field), true
		}
	}
	h.timed = h.timed || headTime.MatchString(content)
	h.enclosed = true
	return "", false
}

// word reads a word: a level, a time, a number, a name.
func (h *head) word() (level string, ok bool) {
	if m := headTime.FindString(h.rest); m != "" {
		h.timed, h.rest = true, h.rest[max(len(m)-1, 1):]
		return "", false
	}
	word := headWord.FindString(h.rest)
	after := h.rest[len(word):]
	tail := word[strings.LastIndexByte(word, '.')+1:]
	is := levelNamed(tail)
	switch {
	case word == "":
		h.broken = true
	case len(tail) < 3 || is == "":
		h.name(word, after)
	case tail != word && !(isUpper(tail) && strings.HasPrefix(after, ":")):
		h.name(word, after)
	case isUpper(tail) && ended.MatchString(after) && (!h.inside || h.timed || h.enclosed || closed.MatchString(after)),
		closed.MatchString(after) && (!h.inside || tail == strings.ToLower(tail) || isUpper(tail)):
		h.rest = after
		return is, true
	default:
		h.broken = true
	}
	return "", false
}

// name passes over the name of a logger, a process or a thread; anything else is the
// message.
func (h *head) name(word, after string) {
	switch {
	case h.timed && headNumber.MatchString(h.rest):
	case part.MatchString(after) && h.named < 2, h.timed && strings.Contains(word, ".") && h.named < 2:
		h.named++
	default:
		h.broken = true
		return
	}
	h.rest = after
}

// levelNamed is a level by its name; empty: the word is none, or a number.
func levelNamed(word string) string {
	if _, err := strconv.Atoi(word); err == nil {
		return ""
	}
	return levelOf(word)
}

func isUpper(word string) bool { return word == strings.ToUpper(word) }

// syslogLine is the beginning of a line of syslog's, or of one for systemd.
// https://www.rfc-editor.org/rfc/rfc5424#section-6.2.1
var syslogLine = regexp.MustCompile(`(?s)^<(\d{1,3})>(.*)$`)

// headEntry reads a line by its head.
func headEntry(text string, inside bool) (entry, bool) {
	if m := syslogLine.FindStringSubmatch(text); m != nil {
		n, err := strconv.Atoi(m[1])
		return entry{level: syslog(n % 8), message: m[2]}, err == nil && n < 192
	}
	level, message, ok := headLevel(text, inside)
	return entry{level: level, message: message}, ok
}

// syslog is a level by its number of syslog's.
func syslog(n int) string {
	return []string{"ERROR", "ERROR", "ERROR", "ERROR", "WARN", "INFO", "INFO", "DEBUG"}[min(max(n, 0), 7)]
}
