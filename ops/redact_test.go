package ops_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
)

// The secrets are put together here so that no scanner takes them for real ones.
var known = map[string]string{
	"a Slack bot token":        "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx",
	"a Slack app token":        "xapp-" + "1-A0123456789-1234567890123-0123456789abcdef0123456789abcdef",
	"a rotated Slack token":    "xoxe." + "xoxp-1-Mi0yLTEyMzQ1Njc4OTAtMTIzNDU2Nzg5MA",
	"a response_url":           "T0123456789/1234567890123/AbCdEfGhIjKlMnOpQrStUvWx",
	"a GitHub token":           "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
	"a GitHub user token":      "ghu_" + "0123456789abcdefghijABCDEFGHIJ012345",
	"a fine-grained token":     "github_pat_" + "11ABCDEFG0123456789_abcdefghijABCDEFGHIJ",
	"an AWS access key ID":     "AKIA" + "IOSFODNN7EXAMPLE",
	"a session's key ID":       "ASIA" + "IOSFODNN7EXAMPLE",
	"a private key":            "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nabcdef==\n-----END RSA PRIVATE KEY-----",
	"a private key, cut off":   "-----BEGIN " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEAuvw",
	"a JSON web token":         "eyJ" + "hbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.c2lnbmF0dXJl",
	"a password":               "correct-horse-battery",
	"a secret access key":      "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	"a password of an address": "hunter2hunter2",
	"a pair of basic":          "cm9vdGJvdDpodW50ZXIyaHVudGVyMg==",
	"a header of basic":        "cm9vdGJvdA==",
	"a header of bearer":       "correcthorsebattery",
	"a header of another kind": "otter0tter",
	"a bearer's token":         "bGV0bWVpbi10eXBlZC1pbi1ieS1vdHRlcg9Zx",
	"a password in a sentence": "tr0ub4dor&3",
	"a password in a query":    "battery",
	"a password in YAML":       "hunter2hunter3",
}

// written is how each of them is met in a text.
var written = map[string]string{
	"a password":               `login failed: password=%s for otter`,
	"a secret access key":      `{"SecretAccessKey": "%s"}`,
	"a password of an address": "postgres://rootbot:%s@db.example/rootbot",
	"a response_url":           "https://hooks.slack.com/commands/%s",
	"a pair of basic":          "curl says Basic %s was wrong",
	"a header of basic":        "Authorization: Basic %s",
	"a header of bearer":       "authorization: bearer %s",
	"a header of another kind": `-H "Authorization: token %s"`,
	"a bearer's token":         "it sent Bearer %s to GitHub",
	"a password in a sentence": "my password: %s",
	"a password in a query":    "https://example.com/login?user=otter&password=%s&remember=1",
	"a password in YAML":       "api_key: '%s'",
}

func TestNoKnownSecretIsLeft(t *testing.T) {
	for name, secret := range known {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(form(name), "%s", secret, 1)
			if got := ops.Redact(text); strings.Contains(got, secret) || got == text {
				t.Errorf("%q became %q", text, got)
			}
			quoted, err := json.Marshal(map[string]string{"said": text})
			if err != nil {
				t.Fatal(err)
			}
			if got := ops.Redact(string(quoted)); strings.Contains(got, secret) || got == string(quoted) {
				t.Errorf("as JSON %s became %s", quoted, got)
			}
			clean, err := ops.RedactJSON(map[string]any{"deep": []any{map[string]any{"said": text, "in " + text: 1}}})
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(clean)
			if err != nil {
				t.Fatal(err)
			}
			for part := range strings.SplitSeq(secret, "\n") {
				if !strings.HasPrefix(part, "-----") && strings.Contains(string(encoded), part) {
					t.Errorf("in a structure %q is left: %s", part, encoded)
				}
			}
		})
	}
}

func TestRedactingLeavesTheRest(t *testing.T) {
	for _, text := range []string{
		"", "Delete IAM user user@example.gov.uk (AIDA0123456789EXAMPLE)", "Attach deny-all to otter",
		"Delete the login profile (password)", "role arn:aws:iam::111111111111:role/rootbot", "3 tokens were counted",
		"digest 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "https://github.com/ministryofjustice/users/pull/7",
		"request 01970000-0000-7000-8000-00000000cafe", "12:30 › creating user otter@digital.justice.gov.uk",
		// Ordinary words behind the words that stand before secrets.
		"Basic Analytics Platform", "basic Infrastructure2026 Environment", "BASIC ANALYTICSPLATFORM", "The Basic Authentication service of 2026",
		"bearer certificates no longer used", "Bearer Token-Rotation-Service-2", "bearer arn:aws:iam::111111111111:role/rootbot",
		"get an installation token: POST https://api.github.com/app/installations/2/access_tokens: 401", "Password: forgotten, since 2026-01-31",
		"secret: nobody knows it", "token => expired", "Token: 20260131", "the credential: otter's own", "api key: rotated 3 times",
		"xoxo-with-love-from-otter", "ghp_count of pages", "ghs_tokens", "AKIA and ASIA are prefixes", "ASIA-PACIFIC", "eyJ.a.b",
		"Authorization: see the README", "authorization of 3 people", "Authorization: token required", "asks for authorization: otter",
	} {
		if got := ops.Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestWhatAnAccessKeyWasCanStillBeTold(t *testing.T) {
	if got, want := ops.Redact("Deactivate "+known["an AWS access key ID"]), "Deactivate AKIA…MPLE"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}

func TestFieldsThatAreCalledLikeSecretsAreEmptied(t *testing.T) {
	type nested struct {
		Password    string `json:"password"`
		OldPassword string `json:"old_password"`
		Count       int64  `json:"count"`
		Login       string `json:"login"`
	}
	got, err := ops.RedactJSON(map[string]any{"one": nested{"horse", "battery", 1 << 60, "otter"}, "token": []string{"horse"}, "none": nil})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"one":   map[string]any{"password": "[redacted]", "old_password": "[redacted]", "count": json.Number("1152921504606846976"), "login": "otter"},
		"token": []any{"[redacted]"}, "none": nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzRedact(f *testing.F) {
	for name, secret := range known {
		f.Add(strings.Replace(form(name), "%s", secret, 1))
	}
	f.Add("password: ' x")
	left := regexp.MustCompile(`\b(xox[a-np-z]-[A-Za-z0-9-]{8}|gh[pousr]_[A-Za-z0-9]{20}|AKIA[A-Z0-9]{16}\b)`)
	f.Fuzz(func(t *testing.T, text string) {
		got := ops.Redact(text)
		if found := left.FindString(got); found != "" {
			t.Errorf("%q is left of %q in %q", found, text, got)
		}
	})
}

// form is how a secret is met in a text.
func form(name string) string {
	if form := written[name]; form != "" {
		return form
	}
	return "before %s after"
}
