package service_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/aws-root-account/rootbot/cmd/internal/service"
	"github.com/aws-root-account/rootbot/ops"
)

const (
	head   = "github: {organization: ministryofjustice, team: aws-root-account-admin-team}\nslack: {log_channel: aws-root-account}\n"
	syncs  = "operations:\n  scim-sync:\n    look_role: arn:aws:iam::111111111111:role/look\n    act_role: arn:aws:iam::111111111111:role/act\n    identity_store: d-1234567890\n"
	secret = "xoxb-" + "17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy" // in two, so that no scanner takes it for a real one
)

// bomb is a text whose aliases stand for very many values.
func bomb(begin, end string) string {
	var b strings.Builder
	b.WriteString(begin + "\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n")
	for name := 'b'; name <= 'i'; name++ {
		before := "*" + string(name-1)
		b.WriteString("  " + string(name) + ": &" + string(name) + " [" + strings.Repeat(before+", ", 9) + before + "]\n")
	}
	return b.String() + end
}

// FuzzSettings looks for a settings file that isn't either read, and read the
// same each time, or refused with faults that say where they are and show
// nothing but what they quote.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		"", "\n", "---\n", "--- {}\n", "null", "[]", "github", "{", "\t", "\x00", "\xff\xfe", "%YAML 1.1\n---\n{}", "# nothing\n",
		head, head + syncs, strings.ReplaceAll(head+syncs, "\n", "\r\n"),
		head + "operations: {scim-sync: null, remove-user: }\n",
		head + "operations:\n  remove-user: {channel: reliability-eng, requesters: channel, approvals: 2, expiry: 72h, reminders: [1h, 4h], grace: 0s}\n",
		head + syncs + "    vocabulary: {join: '^x (?P<user>\\S+)$', leave: '('}\n    calls_per_second: .nan\n    timeout: 5 minutes\n    ignore_groups: ['azure-[aws']\n",
		head + "identities:\n  - {slack: U0OTTER, github: otter}\n  - {slack: U0OTTER, github: badger}\n  - {slack: W0, github: Otter}\n  - {slack: otter}\n  - {slack: U0FOX}\n",
		head + "identities:\n  - {slack: U0OTTER, github: \"a\\nb\"}\n  - {slack: U0FOX, github: " + secret + "}\n  - {slack: U0OWL, github: " + secret + "}\n",
		head + "break_glass: [ada, Ada, \"x y\"]\naudit: {bucket: anchors, prefix: /x, role: " + secret + ", retain: 1}\n",
		"github: {organization: o, team: t, client_id: \"" + secret + " \", saml: {domains: [X.org, " + secret + "]}}\nslack: {log_channel: c, a b: " + secret + "}\n",
		head + "working_hours: {from: \"09:00\", to: \"25:00\", zone: Europe/Nowhere}\n",
		head + "github: {team: elsewhere}\n", head + "slack: {bot_token: " + secret + "}\n",
		"github: " + secret + "\nslack: [" + secret + "]\n" + secret + ": 1\n",
		"github: &g {organization: o, team: t}\nslack: {log_channel: c}\noperations: {scim-sync: *g, <<: {remove-user: {}}}\n",
		head + "operations: {<<: {remove-user: {look_role: arn:aws:iam::111111111111:role/look, act_role: arn:aws:iam::111111111111:role/act, domains: [example.com], users: iam}}}\n",
		head + "operations: {remove-user: &r {look_role: arn:aws:iam::111111111111:role/look, act_role: arn:aws:iam::111111111111:role/act, domains: [example.com], users: iam}}\n",
		"slack: {log_channel: &k remove-user}\n" + head[:strings.Index(head, "slack")] + "operations: {*k : {look_role: arn:aws:iam::111111111111:role/look, act_role: arn:aws:iam::111111111111:role/act, domains: [example.com], users: iam}}\n",
		"base: &b\n  github: {organization: o, team: t}\n<<: *b\n",
		"\xff\xfe( ( 00", "!000000 {0xoxb-17653,{}}", head + "---\n" + head, head + "...\n{", head + syncs + "    calls_per_second: .nan\n",
		head + "--- [\n", head + "operations: {scim-sync: &s {function: *s}}\n",
		bomb("github:", ""), bomb("x:", head), bomb("slack: {log_channel: x}\nidentities:", "operations: {remove-user: {domains: *i, regions: *h, reminders: *g}}\n"),
		strings.Repeat("a: 1\n", 3000), strings.Repeat("[", 3000), strings.Repeat("a: {", 500), "a: " + strings.Repeat("- ", 2000), "x: |\n  a\n  b\ngithub: >\n  c\n",
	} {
		f.Add([]byte(seed))
	}
	files, err := filepath.Glob("../../rootbot/testdata/script/settings*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("the settings of cmd/rootbot's scripts aren't there: %v", err)
	}
	for _, name := range files {
		archive, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range regexp.MustCompile(`(?m)^-- .* --\n`).Split(string(archive), -1)[1:] {
			f.Add([]byte(part))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 16<<10 {
			t.Skip("longer than any settings")
		}
		began := time.Now()
		config, err := service.ParseConfig("rootbot.yaml", text)
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("reading %d bytes took %v", len(text), took)
		}
		again, errAgain := service.ParseConfig("rootbot.yaml", text)
		if !reflect.DeepEqual(config, again) || !reflect.DeepEqual(err, errAgain) {
			t.Errorf("read once it is %+v, %v, and read twice %+v, %v", config, err, again, errAgain)
		}
		switch {
		case (config == nil) != (err != nil):
			t.Errorf("the settings are %+v, and the error is %v", config, err)
		case err != nil:
			refused(t, text, err)
		default:
			read(t, text, config)
		}
	})
}

var (
	quoted = regexp.MustCompile(`"(\\.|[^"\\])*"|'[^']*'`)
	breaks = regexp.MustCompile("\r\n|[\n\r\u0085\u2028\u2029]")
)

// refused complains of faults that don't say where they are, or show too much.
func refused(t *testing.T, text []byte, err error) {
	t.Helper()
	wrong, ok := errors.AsType[*service.ConfigError](err)
	if !ok || len(wrong.Faults) == 0 {
		t.Fatalf("the error is %T: %v", err, err)
	}
	lines := len(breaks.FindAllIndex(text, -1)) + 2 // the end of a file may count as a line of its own
	for i, fault := range wrong.Faults {
		if fault.Line < 0 || fault.Line > lines {
			t.Errorf("line %d of %d: %s", fault.Line, lines, fault.Problem)
		}
		if i > 0 && fault.Line < wrong.Faults[i-1].Line {
			t.Errorf("line %d stands behind line %d", fault.Line, wrong.Faults[i-1].Line)
		}
		if fault.Problem == "" || !utf8.ValidString(fault.Problem) || strings.ContainsFunc(fault.Problem, unicode.IsControl) {
			t.Errorf("line %d: the problem is %q", fault.Line, fault.Problem)
		}
		if bare := quoted.ReplaceAllString(fault.Problem, ""); strings.Contains(bare, secret[:10]) {
			t.Errorf("line %d shows a secret: %s", fault.Line, fault.Problem)
		}
	}
	if n := strings.Count(err.Error(), "\n"); n != len(wrong.Faults) {
		t.Errorf("%d faults are told in %d lines:\n%v", len(wrong.Faults), n, err)
	}
}

// read complains of settings that can't be served, or that aren't what the file says.
func read(t *testing.T, text []byte, config *service.Config) {
	t.Helper()
	if config.GitHub.Organization == "" || config.GitHub.Team == "" || config.Slack.LogChannel == "" {
		t.Errorf("something is missing in %+v", config)
	}
	var offered []string
	var cards []ops.Operation
	for _, o := range config.Operations {
		offered = append(offered, o.Settings.Name())
		cards = append(cards, o.Settings.Operation(nil, nil, config.GitHub.Organization))
		if faults := o.Settings.Check(); len(faults) > 0 {
			t.Errorf("%s: %v", o.Settings.Name(), faults)
		}
		if o.Terms.Expiry <= 0 || o.Terms.Hours.Zone == nil || o.Terms.Hours.End <= o.Terms.Hours.Begin || o.Terms.Approval.Count < cards[len(cards)-1].Approval.Count {
			t.Errorf("%s: the terms are %+v", o.Settings.Name(), o.Terms)
		}
	}
	if err := ops.Validate(cards); err != nil {
		t.Error(err)
	}
	var whole struct {
		Operations map[string]any `yaml:"operations"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&whole); err != nil {
		t.Fatalf("it was read, and yet: %v", err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		t.Errorf("something stands behind the settings: %v", err)
	}
	for name := range whole.Operations {
		if !slices.Contains(offered, name) {
			t.Errorf("%s has settings and isn't offered, only %v", name, offered)
		}
	}
	if len(offered) != len(whole.Operations) {
		t.Errorf("%v are offered, and the file has %v", offered, whole.Operations)
	}
}
