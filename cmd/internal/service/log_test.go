package service_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

func TestNoSecretGetsIntoTheOperatorsLog(t *testing.T) {
	t.Parallel()
	// Put together here, so that no scanner takes them for real ones.
	for name, secret := range map[string]string{
		"a Slack token":   "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKl",
		"an app token":    "xapp-" + "1-A0123456789-1234567890123-0123456789abcdef",
		"a GitHub token":  "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
		"an access key":   "AKIA" + "IOSFODNN7EXAMPLE",
		"a private key":   "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
		"a web token":     "eyJ" + "hbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0NSJ9.c2lnbmF0dXJl",
		"a password":      "password=" + "correct-horse",
		"a response_url":  "https://hooks.slack.com/commands/" + "T0123456789/1234567890123/AbCdEfGhIjKl",
		"a database's":    "postgres://rootbot:" + "horse-battery@db.example/rootbot",
		"a bearer header": "Authorization: Bearer " + "abcdefghijklmnop",
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			log := service.Log(&b, slog.LevelInfo).With("with", secret).WithGroup("group")
			log.Error("message with "+secret, "text", secret, "error", errors.New("said "+secret), "list", []string{secret},
				"map", map[string]any{"deep": []any{secret}}, "struct", struct{ Text string }{secret}, slog.Group("inner", "text", secret), "number", 7)
			told := b.String()
			parts := strings.FieldsFunc(secret, func(r rune) bool { return strings.ContainsRune("\n=: /", r) })
			for _, part := range parts[len(parts)-1:] {
				if len(part) > 8 && strings.Contains(told, part) && !strings.HasPrefix(part, "KEY-----") && part != "rootbot" {
					t.Errorf("%q is in %s", part, told)
				}
			}
			if strings.Contains(told, secret) || strings.Contains(told, "MIIEowIBAAKCAQEA") || strings.Contains(told, "horse") {
				t.Errorf("the secret is in %s", told)
			}
			if !strings.Contains(told, "message with ") || !strings.Contains(told, `"number":7`) || strings.Count(told, "redacted")+strings.Count(told, "…") < 8 {
				t.Errorf("the rest isn't told: %s", told)
			}
		})
	}
}

func TestTheOperatorsLogTellsWhatItsLevelAsksFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ set, want string }{
		{"", "info warn error"},
		{"info", "info warn error"},
		{"debug", "debug info warn error"},
		{"warn", "warn error"},
		{"loud", "info warn error"}, // what the fault is told with
	} {
		t.Run("ROOTBOT_LOG="+test.set, func(t *testing.T) {
			level, err := service.ReadEnvironment(func(name string) string { return map[string]string{"ROOTBOT_LOG": test.set}[name] }).Level()
			if (err != nil) != (test.set == "loud") {
				t.Errorf("the error is %v", err)
			}
			var b bytes.Buffer
			log := service.Log(&b, level)
			for _, tell := range []func(string, ...any){log.Debug, log.Info, log.Warn, log.Error} {
				tell("told")
			}
			var told []string
			for line := range strings.Lines(b.String()) {
				var entry struct{ Level string }
				if err := json.Unmarshal([]byte(line), &entry); err != nil {
					t.Fatal(err)
				}
				told = append(told, strings.ToLower(entry.Level))
			}
			if got := strings.Join(told, " "); got != test.want {
				t.Errorf("it tells %s, not %s", got, test.want)
			}
		})
	}
}
