package removeuser

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// less and greater are the angle brackets as Slack sends them from a command; the
// semicolon is where texts come apart.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
var less, greater = regexp.MustCompile(`&lt;?\s*`), regexp.MustCompile(`\s*&gt;?`)

// readAddresses takes the addresses out of what people paste: "Jo Doe <jo.doe@…>",
// a mailto link of Slack's, "jo.doe@… and ann.other@…". It leaves what isn't clear
// as it is, for checkAddress to say what is wrong.
func readAddresses(typed []string) []string {
	text := greater.ReplaceAllString(less.ReplaceAllString(strings.Join(typed, " "), "<"), ">")
	var found []string
	for line := range strings.Lines(text) {
		found = append(found, readLine(line)...)
	}
	return found
}

// readLine reads the addresses of one line. A name belongs to an address of its own line.
func readLine(line string) []string {
	var words []string
	for _, word := range strings.Fields(line) {
		words = append(words, apart(word)...)
	}
	var found, before []string // before: the words since the last address
	for i, word := range words {
		address, inBrackets := unwrap(word)
		switch {
		case !strings.Contains(address, "@"):
			joins := slices.Contains([]string{"and", "&", "+"}, strings.ToLower(word))
			if joins && i > 0 && i < len(words)-1 && len(before) == 0 {
				continue
			}
			before = append(before, word)
			continue
		case !inBrackets:
			found = append(found, before...)
		}
		// What stands before an address in angle brackets is its owner's name.
		found, before = append(found, address), nil
	}
	return append(found, before...)
}

// apart splits a word at its commas and semicolons, but where such a one stands in
// front of an @: IAM allows commas in names.
func apart(word string) []string {
	var all []string
	for word != "" {
		end := strings.Index(word, "@") + 1
		cut := strings.IndexFunc(word[end:], func(r rune) bool { return strings.ContainsRune(",;，；、", r) })
		if cut < 0 {
			return append(all, word)
		}
		_, size := utf8.DecodeRuneInString(word[end+cut:])
		if first := word[:end+cut]; first != "" {
			all = append(all, first)
		}
		word = word[end+cut+size:]
	}
	return all
}

// wrappings are the pairs of signs that people, and the programs they copy from, put
// around an address.
var wrappings = []struct{ open, end string }{{"<", ">"}, {"(", ")"}, {"[", "]"}, {`"`, `"`}, {"'", "'"}, {"`", "`"}, {"“", "”"}, {"‘", "’"}}

// unwrap takes an address out of what it stands in, and tells whether that was a pair
// of angle brackets. Slack writes an address as <mailto:jo@…|jo@…>; a link that shows
// another address than it leads to stays as it is.
// https://docs.slack.dev/messaging/formatting-message-text#advanced
func unwrap(word string) (address string, inBrackets bool) {
	address = word
	for again := true; again; {
		again = false
		for _, w := range wrappings {
			if len(address) > len(w.open)+len(w.end) && strings.HasPrefix(address, w.open) && strings.HasSuffix(address, w.end) {
				address = address[len(w.open) : len(address)-len(w.end)]
				inBrackets, again = inBrackets || w.open == "<", true
			}
		}
	}
	to, shown, labelled := strings.Cut(address, "|")
	if rest, isLink := cutPrefixFold(to, "mailto:"); isLink {
		to, _, _ = strings.Cut(rest, "?")
		if plain, err := url.PathUnescape(to); err == nil {
			to = plain
		}
	}
	if labelled && !strings.EqualFold(to, shown) && strings.Contains(shown, "@") {
		return word, false
	}
	return to, inBrackets
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

// longestName is how many characters IAM takes for the name of a user.
const longestName = 64

// inName tells whether IAM allows a character in the name of a user.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_User.html
func inName(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("_+=,.@-", r)
}

// checkAddress finds what keeps an address from being the name of one of our
// users, and names it. The whole address counts, never its local part alone; its
// case doesn't.
func (s *Settings) checkAddress(address string) error {
	local, domain, hasAt := strings.Cut(address, "@")
	shown := visible(address)
	switch i := strings.IndexFunc(address, func(r rune) bool { return !inName(r) }); {
	case address == "":
		return invalid("An empty text is not an e-mail address.")
	case i >= 0:
		return invalid("%s has %s %s: the name of an IAM user can't have that.", shown, nameOf(address[i:]), place(address, i))
	case !hasAt:
		return invalid("%s is not an e-mail address: there is no @ in it.", shown)
	case strings.Contains(domain, "@"):
		return invalid("%s is not an e-mail address: there is more than one @ in it.", shown)
	case local == "" || domain == "":
		return invalid("%s is not an e-mail address: one side of its @ is empty.", shown)
	case strings.HasSuffix(address, "."):
		return invalid("%s has a full stop at the end. If that isn't part of it, take it away.", shown)
	case !slices.ContainsFunc(s.Domains, func(d string) bool { return strings.EqualFold(d, domain) }):
		return invalid("%s: only addresses at %s can be removed.", shown, strings.Join(s.Domains, ", "))
	case len(address) > longestName:
		return invalid("%s has %d characters, and IAM takes %d.", shown, len(address), longestName)
	}
	return nil
}

// visible is a text as a message can show it: not too long, without characters that
// can't be seen.
func visible(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) && r != utf8.RuneError {
			return r
		}
		return -1
	}, text)
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return text
}

// place says where in a text the character at i stands.
func place(text string, i int) string {
	_, size := utf8.DecodeRuneInString(text[i:])
	switch before := []rune(visible(text[:i])); {
	case i+size == len(text):
		return "at the end"
	case i == 0:
		return "at the beginning"
	default:
		return "behind “" + string(before[max(0, len(before)-20):]) + "”"
	}
}

// characters are those that come along when people copy an address, or that look
// like another.
var characters = map[rune]string{
	' ': "a space", '\t': "a tab", '\n': "a line end", '\r': "a line end", '\u00a0': "a no-break space", '\u200b': "a zero-width space",
	'\u200c': "a zero-width non-joiner", '\u200d': "a zero-width joiner", '\u2060': "a word joiner", '\ufeff': "a byte order mark", '\u00ad': "a soft hyphen",
	'\'': "an apostrophe", '’': "an apostrophe", '`': "a backtick", '"': "a quotation mark", '*': "an asterisk", '?': "a question mark", '!': "an exclamation mark",
	':': "a colon", '/': "a slash", '\\': "a backslash", '<': "an angle bracket", '>': "an angle bracket", '(': "a bracket", ')': "a bracket", '[': "a bracket", ']': "a bracket",
	'|': "a vertical bar", '$': "a dollar sign", '{': "a brace", '}': "a brace", '&': "an ampersand", '%': "a percent sign", '＠': "a full-width @",
}

// nameOf names the first character of a text.
func nameOf(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	switch name, known := characters[r]; {
	case known:
		return name
	case r == utf8.RuneError && size == 1:
		return "a byte that isn't a character"
	case unicode.IsGraphic(r):
		return fmt.Sprintf("the character %c (U+%04X)", r, r)
	default:
		return fmt.Sprintf("a character that can't be seen (U+%04X)", r)
	}
}
