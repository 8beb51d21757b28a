package scimsync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/scimsync"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*scimsync.Settings)
		want   []string // "key: part of the problem"; none: they can work
	}{
		{"the defaults and an installer's roles and store", func(*scimsync.Settings) {}, nil},
		{"no role for looking", func(s *scimsync.Settings) { s.LookRole = "" }, []string{"look_role: missing"}},
		{"no role for acting", func(s *scimsync.Settings) { s.ActRole = "" }, []string{"act_role: missing"}},
		{"a role that is a name", func(s *scimsync.Settings) { s.LookRole = "rootbot" }, []string{`look_role: "rootbot" is not the ARN of a role`}},
		{"a role that is a user", func(s *scimsync.Settings) { s.ActRole = "arn:aws:iam::111111111111:user/rootbot" }, []string{"act_role: "}},
		{"a role of no account", func(s *scimsync.Settings) { s.ActRole = "arn:aws:iam::1:role/rootbot" }, []string{"act_role: "}},
		{"a role in another service", func(s *scimsync.Settings) { s.ActRole = "arn:aws:s3:::bucket" }, []string{"act_role: "}},
		{"a region by its city", func(s *scimsync.Settings) { s.Region = "London" }, []string{`region: "London"`}},
		{"a region of another partition", func(s *scimsync.Settings) { s.Region = "us-gov-west-1" }, []string{`region: "us-gov-west-1" is a region of another partition`}},
		{"a role of another partition", func(s *scimsync.Settings) { s.LookRole = "arn:aws-us-gov:iam::111111111111:role/look" }, []string{`look_role: "arn:aws-us-gov:iam::111111111111:role/look" is of the partition aws-us-gov`}},
		{"no function", func(s *scimsync.Settings) { s.Function = "" }, []string{"function: "}},
		{"a function by its ARN", func(s *scimsync.Settings) { s.Function = "arn:aws:lambda:eu-west-2:111111111111:function:f" }, []string{"function: "}},
		{"a log group with a space", func(s *scimsync.Settings) { s.LogGroup = "a b" }, []string{"log_group: "}},
		{"a log group", func(s *scimsync.Settings) { s.LogGroup = "/aws/lambda/other" }, nil},
		{"no identity store", func(s *scimsync.Settings) { s.IdentityStore = "" }, []string{"identity_store: missing"}},
		{"an identity store that is an instance", func(s *scimsync.Settings) { s.IdentityStore = "ssoins-1234567890abcdef" }, []string{"identity_store: "}},
		{"an identity store with an old ID", func(s *scimsync.Settings) { s.IdentityStore = "0b2f7c3e-1a2b-4c3d-8e9f-001122334455" }, nil},
		{"no timeout", func(s *scimsync.Settings) { s.Timeout = 0 }, []string{"timeout: "}},
		{"a timeout below zero", func(s *scimsync.Settings) { s.Timeout = -time.Second }, []string{"timeout: "}},
		{"the longest timeout", func(s *scimsync.Settings) { s.Timeout = 15 * time.Minute }, nil},
		{"a longer timeout than Lambda has", func(s *scimsync.Settings) { s.Timeout = 15*time.Minute + 1 }, []string{"timeout: "}},
		{"no deletions", func(s *scimsync.Settings) { s.MaxDeletions = 0 }, nil},
		{"fewer than no deletions", func(s *scimsync.Settings) { s.MaxDeletions = -1 }, []string{"max_deletions: "}},
		{"calls without a limit", func(s *scimsync.Settings) { s.CallsPerSecond = 0 }, nil},
		{"fewer than no calls", func(s *scimsync.Settings) { s.CallsPerSecond = -1 }, []string{"calls_per_second: "}},
		{"settling before the end", func(s *scimsync.Settings) { s.Settle = -1 }, []string{"settle: "}},
		{"settling for too long", func(s *scimsync.Settings) { s.Settle = time.Hour }, []string{"settle: "}},
		{"a group to ignore that is no pattern", func(s *scimsync.Settings) { s.IgnoreGroups = []string{"ok-*", "[a"} }, []string{`ignore_groups: "[a" is not a pattern`}},
		{"a word that isn't in the vocabulary", func(s *scimsync.Settings) { s.Vocabulary["dance"] = "x" }, []string{"vocabulary.dance: unknown"}},
		{"a vocabulary that doesn't compile", func(s *scimsync.Settings) { s.Vocabulary["join"] = "(" }, []string{"vocabulary.join: error parsing regexp"}},
		{"a word taken out of the vocabulary", func(s *scimsync.Settings) { s.Vocabulary["mention"] = "" }, nil},
		{
			"everything at once", func(s *scimsync.Settings) {
				*s = scimsync.Settings{Timeout: time.Hour, MaxDeletions: -1, CallsPerSecond: -1, Settle: -1, Vocabulary: scimsync.Vocabulary{"x": "", "join": "("}}
			},
			[]string{
				"act_role: ", "calls_per_second: ", "function: ", "identity_store: ", "look_role: ", "max_deletions: ", "region: ", "settle: ", "timeout: ",
				"vocabulary.join: ", "vocabulary.x: ",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := settings()
			test.change(s)
			var got []string
			for _, f := range s.Check() {
				got = append(got, f.Key+": "+f.Problem)
			}
			slices.Sort(got)
			if len(got) != len(test.want) {
				t.Fatalf("faults %q, want %q", got, test.want)
			}
			for i, want := range test.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("fault %q, want %q", got[i], want)
				}
			}
		})
	}
}

// The order of faults doesn't change from one look to the next.
func TestSettingsFaultsComeInOneOrder(t *testing.T) {
	t.Parallel()
	s := settings()
	s.LookRole, s.ActRole = "", ""
	first := s.Check()
	for range 50 {
		if diff := cmp.Diff(first, s.Check()); diff != "" {
			t.Fatalf("another order:\n%s", diff)
		}
	}
}

func TestDefaultsAreNotShared(t *testing.T) {
	t.Parallel()
	s := scimsync.Defaults()
	s.Vocabulary["join"], s.IgnoreTeams[0], s.IgnoreGroups[0] = "", "", ""
	if d := scimsync.Defaults(); d.Vocabulary["join"] == "" || d.IgnoreTeams[0] == "" || d.IgnoreGroups[0] == "" {
		t.Error("changing the defaults of one changes those of the next")
	}
}

func TestCard(t *testing.T) {
	t.Parallel()
	card := settings().Operation(nil, nil, "")
	if err := ops.Validate([]ops.Operation{card}); err != nil {
		t.Error(err)
	}
	if card.Lock(ops.Request{ID: "1"}) == "" || card.Lock(ops.Request{ID: "1"}) != card.Lock(ops.Request{ID: "2"}) {
		t.Error("two requests don't lock each other out")
	}
	for _, test := range []struct {
		name  string
		words []string
		ok    bool
	}{
		{"nobody", nil, true},
		{"people", []string{"octocat", "a", "a-b", "A1", "octo-cat_moj"}, true},
		{"a login as long as any", []string{strings.Repeat("a", 39)}, true},
		{"a longer login", []string{strings.Repeat("a", 40)}, false},
		{"old logins, with hyphens where new ones have none", []string{"oldname-", "-oldname-", "old--name"}, true},
		{"a managed user whose name ends with a hyphen", []string{"octo-_moj"}, true},
		{"hyphens alone", []string{"--"}, false},
		{"a flag", []string{"--force"}, false},
		{"an underscore first", []string{"_moj"}, false},
		{"an address", []string{"octocat@example.org"}, false},
		{"a path", []string{"../teams"}, false},
		{"markup", []string{"<!channel>"}, false},
		{"a line break", []string{"a\nb"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			inputs, err := card.Words(test.words)
			if test.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if test.ok && !slices.Equal(inputs["people"], test.words) {
				t.Errorf("inputs %v", inputs)
			}
			if !test.ok {
				refused(t, err, ops.Invalid, "can't be a GitHub login.")
			}
		})
	}
}

// A word that can be mended is mended in the answer.
func TestWordsThatAreNearlyLogins(t *testing.T) {
	t.Parallel()
	card := settings().Operation(nil, nil, "")
	for _, test := range []struct{ name, word, want string }{
		{"the name in Slack", "@badger", "@badger is a Slack name. Did you mean: /scim-sync badger"},
		{"a mention as Slack sends it", "<@U0123ABC|badger>", "@badger is a Slack name. Did you mean: /scim-sync badger"},
		{"a name in Slack that no login can be", "@brisk.badger", "@brisk.badger is a Slack name. A GitHub login is needed, such as octocat."},
		{"a quotation mark before it", `"quick`, `"quick can't be a GitHub login. Did you mean: /scim-sync quick`},
		{"quotation marks as phones write them", "“quick”", "“quick” can't be a GitHub login. Did you mean: /scim-sync quick"},
		{"a comma behind it", "quick,", "quick, can't be a GitHub login. Did you mean: /scim-sync quick"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := card.Words([]string{test.word})
			refused(t, err, ops.Invalid, test.want)
		})
	}
}

// Each API, GitHub's and AWS's, is called at most so many times a second, over
// any second.
func TestCallsPerSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const limit = 15
	for i := range 27 {
		name := fmt.Sprintf("team-%d", i)
		w.github.AddTeam(name)
		w.store.AddGroup(name)
	}
	w.settings.CallsPerSecond = limit
	w.look()
	at := map[string][]time.Time{}
	for _, call := range w.aws.Calls() {
		at[call.Name()] = append(at[call.Name()], call.At)
	}
	for _, call := range w.github.Calls() {
		api := "GitHub's teams"
		if strings.HasSuffix(call.Path, "/members") {
			api = "GitHub's members"
		}
		at[api] = append(at[api], call.At)
	}
	for api, want := range map[string]int{"identitystore:ListGroupMemberships": 31, "GitHub's members": 30} {
		if len(at[api]) != want {
			t.Errorf("%d calls of %s, want %d", len(at[api]), api, want)
		}
	}
	// Calls arrive later than they are sent, on a busy machine by more or less.
	const jitter = 300 * time.Millisecond
	for api, times := range at {
		slices.SortFunc(times, time.Time.Compare)
		for i := limit; i < len(times); i++ {
			if apart := times[i].Sub(times[i-limit]); apart < time.Second-jitter {
				t.Errorf("%s: %d calls within %v", api, limit+1, apart)
			}
		}
	}
	w.done(0)
}
