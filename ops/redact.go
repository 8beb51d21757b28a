package ops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// redacted stands where a secret stood.
const redacted = "[redacted]"

// secrets are the shapes of what must never be kept, and what is kept of them.
// Most texts have no hint of one, and looking for hints is much faster.
var secrets = []struct {
	hints []string // one of them is in every such secret, in any case
	shape *regexp.Regexp
	keep  string
}{
	// A key that is cut off is a key too.
	{[]string{"-----begin "}, regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)`), redacted},
	// https://docs.slack.dev/authentication/tokens
	{[]string{"xox", "xapp-", "xwfp-"}, regexp.MustCompile(`\bx(?:ox[a-z]|oxe\.xox[a-z]|app|wfp)-[A-Za-z0-9-]{4,}`), redacted},
	{[]string{"://"}, regexp.MustCompile(`(https?://[^\s"'<>]*/(?:services|commands|actions|app|workflows|triggers)/)T[A-Z0-9]+/[^\s"'<>|]+`), "${1}" + redacted},
	// https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, regexp.MustCompile(`\b(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{4,}`), redacted},
	// Which key it was shall still be told: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
	{[]string{"akia", "asia"}, regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{8,}([A-Z0-9]{4})\b`), "${1}…${2}"},
	{[]string{"eyj"}, regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?`), redacted},
	{[]string{"://"}, regexp.MustCompile(`(://[^\s/:@"']+:)[^\s/@"']+@`), "${1}" + redacted + "@"},
	{[]string{"bearer ", "basic "}, regexp.MustCompile(`(?i)\b(bearer|basic) [A-Za-z0-9._~+/=-]{8,}`), "${1} " + redacted},
	{[]string{"pass", "secret", "key", "token", "authorization", "credential", "code"}, regexp.MustCompile(`(?i)(` + secretName + `\\?["']?\s*(?::|=>?)\s*)(?:\\?"[^"]*"|'[^']*'|[^\s"',;&}\\]+)`), "${1}" + redacted},
}

// secretName is what fields are called that hold secrets.
const secretName = `(?:password|passwd|passphrase|secret|secret[_-]?access[_-]?key|client[_-]?secret|private[_-]?key|(?:access|session|security|refresh|id|api|auth|bot|app)[_-]?token|api[_-]?key|token|authorization|credential|device[_-]?code)`

var secretField = regexp.MustCompile(`(?i)^[a-z_-]*` + secretName + `$`)

// Redact takes secrets out of a text: tokens of Slack and GitHub, private keys,
// JSON web tokens, passwords that stand behind their name. Of an AWS access key
// ID, which is no secret by itself, beginning and end are left. Everything that
// outlives the process as log or audit goes through it.
func Redact(text string) string {
	lower := strings.ToLower(text)
	for _, s := range secrets {
		if slices.ContainsFunc(s.hints, func(hint string) bool { return strings.Contains(lower, hint) }) {
			text = s.shape.ReplaceAllString(text, s.keep)
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
