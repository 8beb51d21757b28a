package ops

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redacted stands where a secret stood.
const redacted = "[redacted]"

// secrets are the shapes of what must never be kept, and what is kept of them: a
// word before it makes no text a secret. Most texts have no hint of one, and looking
// for hints is much faster.
var secrets = []secret{
	// A key that is cut off is a key too.
	{[]string{"-----begin "}, regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`), redacted, nil},
	// https://docs.slack.dev/authentication/tokens
	{[]string{"xox", "xapp-", "xwfp-"}, regexp.MustCompile(`\bx(?:ox[a-np-z]|oxe\.xox[a-z]|app|wfp)-[A-Za-z0-9-]{8,}`), redacted, nil},
	{[]string{"://"}, regexp.MustCompile(`(https?://[^\s"'<>]*/(?:services|commands|actions|app|workflows|triggers)/)T[A-Z0-9]+/[^\s"'<>|]+`), "${1}" + redacted, nil},
	// 36 characters behind the prefix, or more; a piece of one is one too.
	// https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, regexp.MustCompile(`\b(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{20,}`), redacted, nil},
	// Which key it was shall still be told: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
	{[]string{"akia", "asia"}, regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{12}([A-Z0-9]{4})\b`), "${1}…${2}", nil},
	{[]string{"eyj"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]*)?`), redacted, nil},
	{[]string{"://"}, regexp.MustCompile(`(://[^\s/:@"']+:)[^\s/@"']+@`), "${1}" + redacted + "@", nil},
	// https://www.rfc-editor.org/rfc/rfc9110#section-11.6.2
	{[]string{"authorization"}, regexp.MustCompile(`(?i)(authorization\\?["']?\s*[:=]\s*\\?["']?(?:basic|bearer|digest|token)\s+)([A-Za-z0-9._~+/=:-]{8,})`), "${1}" + redacted, sent},
	{[]string{"bearer "}, regexp.MustCompile(`(?i)\b(bearer )([A-Za-z0-9._~+/=-]{20,})`), "${1}" + redacted, random},
	{[]string{"basic "}, regexp.MustCompile(`(?i)\b(basic )([A-Za-z0-9+/]{8,}=*)`), "${1}" + redacted, basic},
	// As programs write it, and as people do.
	{names, regexp.MustCompile(`(?i)(` + secretName + `\\?(?:["']\s*:\s*|["']?=>?))(?:\\?"[^"]*"|'[^']*'|[^\s"',;&}\\]+)`), "${1}" + redacted, nil},
	{names, regexp.MustCompile(`(?i)(` + secretName + `["']?\s*(?::|=>?)\s*["']?)([A-Za-z0-9!#$%*+/=?^_.~-]{7,})`), "${1}" + redacted, mixed},
}

// secret is one shape of secrets.
type secret struct {
	hints []string // one of them is in every such secret, in any case
	shape *regexp.Regexp
	keep  string
	is    func(string) bool // of what the last group holds; nil: every one
}

// hinted tells whether a text in lower case may hold such a secret.
func (s secret) hinted(lower string) bool {
	return slices.ContainsFunc(s.hints, func(hint string) bool { return strings.Contains(lower, hint) })
}

// replace takes such secrets out of a text.
func (s secret) replace(text string) string {
	if s.is == nil {
		return s.shape.ReplaceAllString(text, s.keep)
	}
	var b []byte
	done := 0
	for _, at := range s.shape.FindAllStringSubmatchIndex(text, -1) {
		if !s.is(text[at[len(at)-2]:at[len(at)-1]]) {
			continue
		}
		b = append(b, text[done:at[0]]...)
		b, done = s.shape.ExpandString(b, s.keep, text, at), at[1]
	}
	return string(append(b, text[done:]...))
}

// names are hints of secretName.
var names = []string{"pass", "secret", "key", "token", "authorization", "credential", "code"}

// mixed tells whether a word has letters and digits, as passwords and tokens have
// and words, dates and counts have not.
func mixed(word string) bool {
	return strings.ContainsFunc(word, unicode.IsLetter) && strings.ContainsFunc(word, unicode.IsDigit)
}

// random tells whether small letters, capitals and digits change as often as in
// what a machine drew.
func random(word string) bool {
	changes, before := 0, 0
	for _, r := range word {
		kind := before
		switch {
		case unicode.IsDigit(r):
			kind = 1
		case unicode.IsUpper(r):
			kind = 2
		case unicode.IsLetter(r):
			kind = 3
		}
		if kind != before {
			changes++
		}
		before = kind
	}
	return 5*changes > 2*len(word) && mixed(word)
}

// sent tells whether a word behind the name of a header's field and a scheme is
// what a program sent there.
func sent(word string) bool { return mixed(word) || len(word) >= 16 }

// basic tells whether a word is a name, a colon and a password in base64.
// https://www.rfc-editor.org/rfc/rfc7617#section-2
func basic(word string) bool {
	pair, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(word, "="))
	return err == nil && utf8.Valid(pair) && bytes.ContainsRune(pair, ':') && !bytes.ContainsFunc(pair, unicode.IsControl)
}

// secretName is what fields are called that hold secrets.
const secretName = `(?:password|passwd|passphrase|secret|secret[_-]?access[_-]?key|client[_-]?secret|private[_-]?key|(?:access|session|security|refresh|id|api|auth|bot|app)[_-]?token|api[_-]?key|token|authorization|credential|device[_-]?code)`

var secretField = regexp.MustCompile(`(?i)^[a-z_-]*` + secretName + `$`)

// Redact takes secrets out of a text: tokens of Slack and GitHub, private keys,
// JSON web tokens, passwords that stand behind their name and look like one. Of an
// AWS access key ID, which is no secret by itself, beginning and end are left.
// Everything that outlives the process as log or audit goes through it; what is
// compared with something else never does.
func Redact(text string) string {
	lower := strings.ToLower(text)
	for _, s := range secrets {
		if s.hinted(lower) {
			text = s.replace(text)
		}
	}
	return text
}

// RedactJSON is Redact for every text in v, which is anything that JSON can
// hold: the result is v as JSON decodes it, with numbers as json.Number. Texts
// in fields that are called like secrets go altogether.
func RedactJSON(v any) (any, error) {
	encoded, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode what is to be redacted: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		return nil, fmt.Errorf("decode what is to be redacted: %w", err)
	}
	return redactValue("", decoded), nil
}

func redactValue(field string, v any) any {
	switch v := v.(type) {
	case string:
		if v != "" && secretField.MatchString(field) {
			return redacted
		}
		return Redact(strings.ToValidUTF8(v, "\ufffd"))
	case []any:
		for i := range v {
			v[i] = redactValue(field, v[i])
		}
	case map[string]any:
		for key, value := range v {
			clean := Redact(key)
			if clean != key {
				delete(v, key)
			}
			v[clean] = redactValue(key, value)
		}
	}
	return v
}
