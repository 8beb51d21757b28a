package scimsync_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/scimsync"
)

var directory = scimsync.Directory{
	Users:       map[string]scimsync.User{"u1": {Login: "mona"}, "u2": {Login: "octocat"}},
	Groups:      map[string]string{"g1": "platform"},
	Memberships: map[string]scimsync.Membership{"m1": {Group: "g1", User: "u2"}},
}

func TestLinesOfTheLog(t *testing.T) {
	const node = "2026-01-02T06:00:01.123Z\t6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b\t"
	for _, test := range []struct {
		name, text       string
		level, announces string
		named            string
	}{
		{"a group is made", node + "INFO\tcreating group platform", "change", "create_group", "creating group platform"},
		{"a user is made", node + "INFO\tcreating user mona@example.org", "change", "create_user", "creating user mona@example.org"},
		{"a membership is made", node + "INFO\tcreating group membership for user u1 in group g1", "change", "join", "creating group membership for user mona (u1) in group platform (g1)"},
		{"a membership of strangers is made", node + "INFO\tcreating group membership for user u9 in group g9", "change", "join", "creating group membership for user u9 in group g9"},
		{"a membership of a user without an ID", node + "INFO\tcreating group membership for user undefined in group g1", "error", "join", "creating group membership for user undefined in group platform (g1)"},
		{"a membership is deleted", node + "INFO\tdeleting membership m1", "change", "leave", "deleting membership m1 of user octocat (u2) in group platform (g1)"},
		{"a group is deleted", node + "INFO\tdeleting group g1", "change", "delete_group", "deleting group platform (g1)"},
		{"a user is deleted", node + "INFO\tdeleting user u1", "change", "delete_user", "deleting user mona (u1)"},
		{"members are read", node + "INFO\tFetching group memberships for group g1, attempt 1 of 3...", "reading", "mention", "Fetching group memberships for group platform (g1), attempt 1 of 3..."},
		{"a dry run", node + "INFO\t[dry-run] would delete user u1", "warning", "dry_run", "[dry-run] would delete user u1"},
		{"a dry run's first line", node + "INFO\tMode: dry-run (set env var NOT_DRY_RUN to `true` to change)", "warning", "dry_run", "Mode: dry-run (set env var NOT_DRY_RUN to `true` to change)"},
		{"something else", node + "DEBUG\tSkipping deletion EntraID User: x@example.org", "info", "", "Skipping deletion EntraID User: x@example.org"},
		{"a warning", node + "WARN\tcannot find platform - this group exists", "warning", "", "cannot find platform - this group exists"},
		{"an error", node + "ERROR\tit broke\n    at once", "error", "", "it broke\n    at once"},
		{"an error without an ID", "2026-01-02T06:00:01.123Z\tundefined\tERROR\tit broke", "error", "", "it broke"},
		{"throttling in a warning", node + "WARN\tThrottlingException, trying again", "error", "", "ThrottlingException, trying again"},
		{"the beginning", "START RequestId: 6f1f Version: $LATEST", "info", "", "START RequestId: 6f1f Version: $LATEST"},
		{"the end", "REPORT RequestId: 6f1f\tDuration: 1 ms\tBilled Duration: 1 ms", "info", "", "REPORT RequestId: 6f1f  Duration: 1 ms  Billed Duration: 1 ms"},
		{"the end at a timeout", "REPORT RequestId: 6f1f\tDuration: 3000 ms\tStatus: timeout", "error", "", "REPORT RequestId: 6f1f  Duration: 3000 ms  Status: timeout"},
		{"Lambda's timeout", "2026-01-02T06:00:01.123Z 6f1f Task timed out after 3.00 seconds", "error", "", "2026-01-02T06:00:01.123Z 6f1f Task timed out after 3.00 seconds"},
		{"the process's end", "RequestId: 6f1f Error: Runtime exited with error: exit status 128\nRuntime.ExitError", "error", "", "RequestId: 6f1f Error: Runtime exited with error: exit status 128\nRuntime.ExitError"},
		{"JSON", `{"timestamp":"2026-01-02T06:00:01Z","level":"info","requestId":"6f1f","message":"deleting user u1"}`, "change", "delete_user", "deleting user mona (u1)"},
		{"JSON with an object", `{"level":"FATAL","message":{"a":1}}`, "error", "", `{"a":1}`},
		{"JSON of something else", `{"a":1}`, "info", "", `{"a":1}`},
		{"broken JSON", `{"level":"ERROR","message":`, "info", "", `{"level":"ERROR","message":`},
		{"nothing", "", "info", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			level, announces, _, named, err := scimsync.Read(scimsync.Defaults().Vocabulary, test.text, directory)
			if err != nil {
				t.Fatal(err)
			}
			if level != test.level || announces != test.announces || named != test.named {
				t.Errorf("got %s, %q, %q, want %s, %q, %q", level, announces, named, test.level, test.announces, test.named)
			}
		})
	}
}

// Whatever a line says, reading it adds names and takes nothing away.
func FuzzLine(f *testing.F) {
	for _, seed := range []string{
		"START RequestId: 1 Version: $LATEST", "REPORT RequestId: 1\tDuration: 1 ms",
		"2026-01-02T06:00:01.123Z\t1\tINFO\tcreating group membership for user u1 in group g1",
		"2026-01-02T06:00:01.123Z\tundefined\tERROR\tdeleting membership m1", "deleting user u1", "deleting group g1",
		`{"level":"INFO","message":"deleting user u1"}`, `{"type":"platform.report"}`, "{", "\t\t\t", "\xff", "[dry-run] would ",
	} {
		f.Add(seed)
	}
	vocabulary := scimsync.Defaults().Vocabulary
	f.Fuzz(func(t *testing.T, text string) {
		level, announces, message, named, err := scimsync.Read(vocabulary, text, directory)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains([]ops.Level{ops.Reading, ops.Info, ops.Change, ops.Warning, ops.Failure}, ops.Level(level)) {
			t.Errorf("level %q", level)
		}
		if announces == "" && named != message {
			t.Errorf("%q became %q though nothing is known of it", message, named)
		}
		if utf8.ValidString(text) && !utf8.ValidString(named) {
			t.Errorf("%q became %q", text, named)
		}
		bare := strings.NewReplacer("mona (u1)", "u1", "octocat (u2)", "u2", "platform (g1)", "g1").Replace
		if got := strings.Replace(bare(named), "m1 of user u2 in group g1", "m1", 1); got != strings.Replace(bare(message), "m1 of user u2 in group g1", "m1", 1) {
			t.Errorf("%q became %q", message, named)
		}
	})
}

// An installer's vocabulary either has a fault or can be used on any line.
func FuzzVocabulary(f *testing.F) {
	f.Add("join", `^DID add (?P<user_name>\S+) -> '(?P<group_name>[^']+)'$`, "DID add mona -> 'platform'")
	f.Add("join", `(?P<group>a(?P<user>b))`, "ab")
	f.Add("leave", `(?P<membership>m1)?`, "m")
	f.Add("mention", `(?P<group>)(?P<user>)`, "u1")
	f.Add("delete_user", `(?P<user>u1)|(?P<user>u2)`, "u2 u1")
	f.Add("", "(", "")
	f.Fuzz(func(t *testing.T, name, pattern, message string) {
		s := settings()
		s.Vocabulary[name] = pattern
		faults := s.Check()
		_, _, _, _, err := scimsync.Read(s.Vocabulary, message, directory)
		if len(faults) == 0 && err != nil {
			t.Errorf("no fault, and yet %v", err)
		}
	})
}
