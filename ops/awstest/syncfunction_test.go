package awstest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

var gitHub = map[string][]string{
	"Platform":        {"Octocat", "mona"},
	"security":        {"mona"},
	"all-org-members": {"octocat", "mona", "stranger"},
}

// wanted is what Identity Center looks like when it agrees with gitHub and nothing else was there.
var wanted = awstest.Snapshot{
	Users:  []string{"mona@example.org", "octocat@example.org"},
	Groups: []string{"platform", "security"},
	Member: map[string][]string{"platform": {"mona@example.org", "octocat@example.org"}, "security": {"mona@example.org"}},
}

func newSync(t *testing.T, f awstest.SyncFunction) (*world, *awstest.Sync, *awstest.IdentityStore) {
	t.Helper()
	w := newWorld(t, awstest.Options{}, allowAll)
	f.EmailSuffix = "@example.org"
	if f.Teams == nil {
		f.Teams = awstest.TeamsOf(gitHub)
	}
	s := w.AddSyncFunction(f)
	return w, s, w.IdentityStore(storeID)
}

// runSync runs the function once more and returns the lines of that run without time, ID and level, and its error.
func (w *world) runSync() (lines []string, problem string) {
	w.t.Helper()
	before := len(w.Log(group))
	out, id := w.invoke(types.InvocationTypeRequestResponse, "{}")
	for _, line := range w.Log(group)[before:] {
		if fields := strings.SplitN(strings.TrimSuffix(line, "\n"), "\t", 4); len(fields) == 4 && (fields[1] == id || fields[1] == "undefined") {
			lines = append(lines, fields[2]+" "+fields[3])
		}
	}
	return lines, aws.ToString(out.FunctionError)
}

func same(t *testing.T, s *awstest.IdentityStore, want awstest.Snapshot) {
	t.Helper()
	if diff := cmp.Diff(want, s.Snapshot()); diff != "" {
		t.Errorf("identity store (-want +got):\n%s", diff)
	}
}

func TestSyncFromNothing(t *testing.T) {
	w, _, s := newSync(t, awstest.SyncFunction{})
	lines, problem := w.runSync()
	platform, security, mona, octocat := s.GroupID("platform"), s.GroupID("security"), s.UserID("mona@example.org"), s.UserID("octocat@example.org")
	fetch := func(id string) []string {
		return []string{
			"INFO Fetching group memberships for group " + id + " with up to 3 retries on throttling...",
			"INFO Fetching group memberships for group " + id + ", attempt 1 of 3...",
		}
	}
	expected := []string{
		"INFO creating group platform", "INFO creating group security",
		"INFO creating user octocat@example.org", "INFO creating user mona@example.org",
	}
	expected = append(expected, fetch(platform)...)
	expected = append(expected, "INFO creating group membership for user "+octocat+" in group "+platform,
		"INFO creating group membership for user "+mona+" in group "+platform)
	expected = append(expected, fetch(security)...)
	expected = append(expected, "INFO creating group membership for user "+mona+" in group "+security)
	if diff := cmp.Diff(expected, lines); diff != "" || problem != "" {
		t.Errorf("error %q, log (-want +got):\n%s", problem, diff)
	}
	same(t, s, wanted)

	again, _ := w.runSync()
	for _, line := range again {
		if !strings.HasPrefix(line, "INFO Fetching") {
			t.Errorf("a second run still does: %s", line)
		}
	}
	same(t, s, wanted)
	w.noProblems()
}

func TestSyncDeletesWhatGitHubDoesNotHave(t *testing.T) {
	w, _, s := newSync(t, awstest.SyncFunction{})
	s.AddUser("Mona@example.org")
	s.AddUser("gone@example.org")
	s.AddUser("entra@example.org", awstest.Email{Value: "entra@example.org", Type: "work"}, awstest.Email{Value: "e@entra.example.org", Type: "EntraId"})
	s.AddGroup("Azure-AWS-SSO-readers")
	s.AddGroup("Platform")
	s.AddGroup("handmade")
	s.AddMember("Platform", "gone@example.org", "entra@example.org")
	s.AddMember("Azure-AWS-SSO-readers", "entra@example.org")
	gone, handmade, stay := s.UserID("gone@example.org"), s.GroupID("handmade"), s.MembershipID("platform", "entra@example.org")

	lines, _ := w.runSync()
	text := strings.Join(lines, "\n")
	for _, part := range []string{
		"INFO deleting group " + handmade, "INFO deleting user " + gone, "INFO deleting membership " + stay,
		"DEBUG Skipping deletion EntraID User: entra@example.org, e@entra.example.org",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the log has no line %q:\n%s", part, text)
		}
	}
	same(t, s, awstest.Snapshot{
		Users:  []string{"Mona@example.org", "entra@example.org", "octocat@example.org"},
		Groups: []string{"Azure-AWS-SSO-readers", "Platform", "security"},
		Member: map[string][]string{
			"Azure-AWS-SSO-readers": {"entra@example.org"},
			"Platform":              {"Mona@example.org", "octocat@example.org"}, "security": {"Mona@example.org"},
		},
	})
	w.noProblems()
}

func TestSyncDryRunOnlySays(t *testing.T) {
	w, _, s := newSync(t, awstest.SyncFunction{DryRun: true})
	s.AddGroup("old")
	old := s.GroupID("old")
	lines, _ := w.runSync()
	want := []string{
		"INFO Mode: dry-run (set env var NOT_DRY_RUN to `true` to change)",
		"INFO [dry-run] would create group platform", "INFO [dry-run] would create group security", "INFO [dry-run] would delete group " + old,
		"INFO [dry-run] would create user octocat@example.org", "INFO [dry-run] would create user mona@example.org",
		"INFO Fetching group memberships for group " + old + " with up to 3 retries on throttling...",
		"INFO Fetching group memberships for group " + old + ", attempt 1 of 3...",
		"WARN cannot find old - this group exists in identity store but not in github, these should have already been deleted or ignored",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	same(t, s, awstest.Snapshot{Users: []string{}, Groups: []string{"old"}, Member: map[string][]string{}})
}

func TestSyncFails(t *testing.T) {
	w, _, s := newSync(t, awstest.SyncFunction{Teams: func() ([]awstest.Team, error) { return nil, errors.New("Bad credentials") }})
	s.AddGroup("platform")
	lines, problem := w.runSync()
	if problem != "Unhandled" || len(lines) != 1 || !strings.HasPrefix(lines[0], "ERROR Invoke Error \t") || !strings.Contains(lines[0], "Bad credentials") {
		t.Errorf("error %q, log %q", problem, lines)
	}
	same(t, s, awstest.Snapshot{Users: []string{}, Groups: []string{"platform"}, Member: map[string][]string{}})
}

func TestSyncFaults(t *testing.T) {
	without := func(change func(*awstest.Snapshot)) awstest.Snapshot {
		s := awstest.Snapshot{Users: wanted.Users, Groups: wanted.Groups, Member: map[string][]string{}}
		for group, members := range wanted.Member {
			s.Member[group] = members
		}
		change(&s)
		return s
	}
	for _, test := range []struct {
		name     string
		faults   awstest.SyncFaults
		after    awstest.Snapshot
		problem  string
		says     []string // each in a line
		silent   []string
		repaired bool // by a second run without the fault
	}{
		{
			"a line whose call is lost",
			awstest.SyncFaults{Drop: []string{"security", "mona in platform"}},
			without(func(s *awstest.Snapshot) {
				s.Groups = []string{"platform"}
				s.Member = map[string][]string{"platform": {"octocat@example.org"}}
			}), "",
			[]string{"creating group security", "creating group membership for user"},
			[]string{"ERROR"},
			true,
		},
		{
			"a user whose call is lost",
			awstest.SyncFaults{Drop: []string{"octocat"}},
			without(func(s *awstest.Snapshot) {
				s.Users = []string{"mona@example.org"}
				s.Member["platform"] = []string{"mona@example.org"}
			}), "",
			[]string{"creating user octocat@example.org", "for user undefined in group", "ERROR"},
			nil, true,
		},
		{
			"new users not seen",
			awstest.SyncFaults{BlindToNewUsers: true},
			without(func(s *awstest.Snapshot) { s.Member = map[string][]string{} }), "",
			[]string{"creating group membership for user undefined in group"},
			nil, true,
		},
		{
			"new groups not seen",
			awstest.SyncFaults{BlindToNewGroups: true},
			without(func(s *awstest.Snapshot) { s.Member = map[string][]string{} }), "",
			[]string{"creating group platform"},
			[]string{"membership"},
			true,
		},
		{
			"an unhandled rejection",
			awstest.SyncFaults{Reject: []string{"mona in security"}},
			without(func(s *awstest.Snapshot) { delete(s.Member, "security") }), "",
			[]string{"ERROR Unhandled Promise Rejection \t{\"errorType\":\"Runtime.UnhandledPromiseRejection\",\"errorMessage\":\"ThrottlingException: Rate exceeded\""},
			nil, true,
		},
		{
			"an error line without ID",
			awstest.SyncFaults{Reject: []string{"mona in security"}, ErrorsWithoutID: true},
			without(func(s *awstest.Snapshot) { delete(s.Member, "security") }), "",
			[]string{"ERROR Unhandled Promise Rejection"},
			nil, true,
		},
		{
			"a crash under throttling",
			awstest.SyncFaults{CrashAfter: 3},
			awstest.Snapshot{Users: []string{"octocat@example.org"}, Groups: []string{"platform", "security"}, Member: map[string][]string{}},
			"Unhandled",
			[]string{"creating user mona@example.org", "ThrottlingException"},
			[]string{"Fetching"},
			true,
		},
		{
			"a time-out",
			awstest.SyncFaults{TimeOutAfter: 5},
			without(func(s *awstest.Snapshot) { s.Member = map[string][]string{"platform": {"octocat@example.org"}} }), "Unhandled",
			[]string{"creating group membership"},
			nil, true,
		},
		{
			"the last group lost",
			awstest.SyncFaults{LoseLastGroup: true},
			without(func(s *awstest.Snapshot) { delete(s.Member, "security") }), "",
			[]string{"creating group membership"},
			[]string{"ERROR"},
			true,
		},
		{
			"GitHub has nothing",
			awstest.SyncFaults{EmptyGitHub: true},
			awstest.Snapshot{Users: []string{}, Groups: []string{}, Member: map[string][]string{}},
			"", nil,
			[]string{"creating"},
			true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, sync, s := newSync(t, awstest.SyncFunction{Faults: test.faults})
			lines, problem := w.runSync()
			text := strings.Join(lines, "\n")
			if problem != test.problem {
				t.Errorf("error %q, want %q", problem, test.problem)
			}
			for _, part := range test.says {
				if !strings.Contains(text, part) {
					t.Errorf("the log doesn't say %q:\n%s", part, text)
				}
			}
			for _, part := range test.silent {
				if strings.Contains(text, part) {
					t.Errorf("the log says %q:\n%s", part, text)
				}
			}
			same(t, s, test.after)
			sync.Update(func(f *awstest.SyncFunction) { f.Faults = awstest.SyncFaults{} })
			w.runSync()
			if test.repaired {
				same(t, s, wanted)
			}
			w.noProblems()
		})
	}
}

func TestSyncWithoutTeamsDeletesEverythingItOwns(t *testing.T) {
	w, sync, s := newSync(t, awstest.SyncFunction{})
	w.runSync()
	s.AddUser("entra@example.org", awstest.Email{Value: "e", Type: "EntraId"})
	s.AddGroup("azure-aws-sso-x")
	sync.Update(func(f *awstest.SyncFunction) { f.Faults.EmptyGitHub = true })
	if _, problem := w.runSync(); problem != "" {
		t.Errorf("error %q", problem)
	}
	same(t, s, awstest.Snapshot{Users: []string{"entra@example.org"}, Groups: []string{"azure-aws-sso-x"}, Member: map[string][]string{}})
}

func TestCallsInFlightResumeInTheNextInvocation(t *testing.T) {
	w, sync, s := newSync(t, awstest.SyncFunction{Faults: awstest.SyncFaults{ThawLastGroup: true}})
	w.runSync()
	if s.MembershipID("security", "mona@example.org") != "" {
		t.Error("the last group is there already")
	}
	sync.Update(func(f *awstest.SyncFunction) {
		f.Faults, f.Teams = awstest.SyncFaults{}, func() ([]awstest.Team, error) { return nil, errors.New("down") }
	})
	w.runSync()
	same(t, s, wanted)
}

func TestSyncEndings(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults awstest.SyncFaults
		ending []string
	}{
		{"as usual", awstest.SyncFaults{}, []string{`END RequestId: ID\n`, `REPORT RequestId: ID\t.*\t\n`}},
		{"no report", awstest.SyncFaults{NoReport: true}, []string{`TIME\tID\tINFO\tcreating group membership .*\n`, `END RequestId: ID\n`}},
		{"a time-out", awstest.SyncFaults{TimeOutAfter: 1}, []string{`TIME ID Task timed out after 300.00 seconds\n\n`, `REPORT RequestId: ID\t.*Status: timeout\n`}},
		{"a crash", awstest.SyncFaults{CrashAfter: 1}, []string{`END RequestId: ID\n`, `REPORT RequestId: ID\t.*Error Type: Runtime.ExitError\n`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _, _ := newSync(t, awstest.SyncFunction{Faults: test.faults})
			_, id := w.invoke(types.InvocationTypeEvent, "{}")
			w.idle(1)
			log := w.Log(group)
			inOrder(t, log[len(log)-len(test.ending):], id, test.ending...)
		})
	}
}

func TestSyncPrintsWhatOthersSay(t *testing.T) {
	w, _, _ := newSync(t, awstest.SyncFunction{Faults: awstest.SyncFaults{Noise: []string{"~~~"}}})
	_, id := w.invoke(types.InvocationTypeRequestResponse, "{}")
	inOrder(t, w.Log(group)[:3], id, initLine, startLine, "~~~")
}

func TestSyncCanBeHeldInTheMiddle(t *testing.T) {
	reached, release := make(chan awstest.SyncEntity), make(chan struct{})
	w, _, s := newSync(t, awstest.SyncFunction{Gate: func(ctx context.Context, e awstest.SyncEntity) {
		if e.Kind == "user" && e.Name == "mona" {
			reached <- e
			<-release
		}
	}})
	w.invoke(types.InvocationTypeEvent, "{}")
	if e := <-reached; e != (awstest.SyncEntity{Verb: "create", Kind: "user", Name: "mona"}) {
		t.Errorf("held at %+v", e)
	}
	same(t, s, awstest.Snapshot{Users: []string{"octocat@example.org"}, Groups: []string{"platform", "security"}, Member: map[string][]string{}})
	if log := strings.Join(w.Log(group), ""); strings.Contains(log, "mona") {
		t.Errorf("the line is printed too early:\n%s", log)
	}
	close(release)
	w.idle(1)
	same(t, s, wanted)
}

func TestSyncTakesItsTimeAndEndsWithTheCloud(t *testing.T) {
	w, sync, s := newSync(t, awstest.SyncFunction{Pace: time.Millisecond})
	began := time.Now()
	w.runSync()
	if took := time.Since(began); took < 10*time.Millisecond {
		t.Errorf("took %v", took)
	}
	same(t, s, wanted)
	sync.Update(func(f *awstest.SyncFunction) { f.Pace = time.Hour })
	w.Trigger(function)
	w.Close()
	if states := w.Invocations(function); states[1].Running {
		t.Errorf("still running after Close: %+v", states[1])
	}
}
