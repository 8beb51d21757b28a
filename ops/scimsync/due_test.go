package scimsync_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// What GitHub has changed since the plan was made isn't due any more, and hasn't
// failed.
func TestWhatIsNotDueAnyMore(t *testing.T) {
	t.Parallel()
	const since = " on GitHub after the plan was made"
	for _, test := range []struct {
		name   string
		change func(*world)
		truth  []string
	}{
		{"a person comes back to a team", func(w *world) { w.github.AddMember("security", "octocat") }, []string{"People: octocat stays in security: joined again" + since}},
		{
			"a person comes back who was to be deleted", func(w *world) { w.github.AddMember("platform", "leaver") },
			[]string{"People: leaver stays: joined a team again" + since, "People: leaver stays in platform: joined again" + since},
		},
		{
			"a person comes back to another team than before", func(w *world) { w.github.AddMember("security", "leaver") },
			[]string{"People: leaver removed (confirmed), from platform", "People: leaver stays: joined a team again" + since, "Added meanwhile, not in the plan: leaver added to security"},
		},
		{
			"a person leaves who was to be added", func(w *world) { w.github.RemoveMember("platform", "mona") },
			[]string{"People: mona is not added to platform: left it" + since},
		},
		{
			"a new person leaves all teams", func(w *world) {
				w.github.RemoveMember("platform", "hubot")
				w.github.RemoveMember("newcomers", "hubot")
			},
			[]string{"People: hubot is not created: left all teams" + since, "People: hubot is not added to newcomers: left it" + since},
		},
		{
			"a new team is deleted", func(w *world) { w.github.RemoveTeam("newcomers") },
			[]string{"Groups: group newcomers is not needed: the team was deleted" + since, "People: hubot is not added to newcomers: the team was deleted" + since},
		},
		{
			"a team is made again", func(w *world) {
				w.github.AddTeam("retired")
				w.github.AddMember("retired", "octocat")
			},
			[]string{"Groups: group retired stays: the team was made again" + since},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			walk := w.walk()
			if _, err := walk.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			test.change(w)
			report := w.run(walk)
			if !report.OK() {
				t.Errorf("the report is a failure: %+v", report)
			}
			got := truth(report)
			for _, line := range test.truth {
				if !slices.Contains(got, line) {
					t.Errorf("no %q in\n%s", line, strings.Join(got, "\n"))
				}
			}
			if strings.Contains(report.Summary, "Not ") {
				t.Errorf("summary %q", report.Summary)
			}
			w.done(1)
		})
	}
}

// Whether the function tried is told only where its log was read from its start to
// its end, and every line of it.
func TestWhetherTheFunctionTried(t *testing.T) {
	t.Parallel()
	github := func(w *world) {
		w.github.Fail("/orgs/ministryofjustice/teams$", githubtest.Fault{Status: 502})
	}
	for _, test := range []struct {
		name   string
		faults awstest.SyncFaults
		before func(*world) // the run
		after  func(*world) // the function's end
		truth  string
		note   string
	}{
		{
			"the log can't be read",
			awstest.SyncFaults{Drop: []string{"hubot"}},
			func(w *world) {
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "AccessDeniedException"})
			}, nil,
			"People: hubot was not created (failed), whether the function tried isn't known: its log couldn't be read", "The function's log couldn't be read",
		},
		{
			"the log can't be read again",
			awstest.SyncFaults{Drop: []string{"hubot"}},
			nil, func(w *world) {
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "ServiceUnavailableException", Status: 503})
			},
			"People: hubot was not created (failed), whether the function tried isn't known: its log couldn't be read to its end", "The function's log couldn't be read again to look for faults in it.",
		},
		{
			"the log has no end",
			awstest.SyncFaults{BlindToNewGroups: true, NoReport: true},
			nil, nil,
			"People: hubot is not in newcomers (failed), whether the function tried isn't known: its log has no end", "Lambda's report line didn't come.",
		},
		{
			"a line can't be read",
			awstest.SyncFaults{BlindToNewGroups: true, Noise: []string{"~~~ what is this ~~~", "~~~ and this ~~~"}},
			nil, nil,
			"People: hubot is not in newcomers (failed), whether the function tried isn't known: 2 of 17 log lines are in a form that I can't read",
			"2 of 17 log lines are in a form that I can't read, so what the function tried isn't known.",
		},
		{
			"the function crashed before",
			awstest.SyncFaults{CrashAfter: 1},
			nil, nil,
			"People: mona is not in platform (failed), the function stopped before it got there", "",
		},
		{
			"the function was stopped before",
			awstest.SyncFaults{TimeOutAfter: 1},
			nil, nil,
			"People: mona is not in platform (failed), the function stopped before it got there", "",
		},
		{
			"the function passed it over",
			awstest.SyncFaults{BlindToNewGroups: true},
			nil, nil,
			"People: hubot is not in newcomers (failed), the function came to its end without trying it", "",
		},
		{
			"the function tried",
			awstest.SyncFaults{Drop: []string{"mona in platform"}},
			nil, nil,
			"People: mona is not in platform (attempted but not there), the function tried to add them and it didn't take", "",
		},
		{
			"GitHub can't be asked, and the log shows no try",
			awstest.SyncFaults{BlindToNewGroups: true},
			nil, github,
			"People: hubot is not in newcomers (not known), GitHub couldn't be asked whether that is still due", "GitHub couldn't be asked which changes are still due. GitHub answered 502",
		},
		{
			"GitHub can't be asked, and the function tried",
			awstest.SyncFaults{Drop: []string{"mona in platform"}},
			nil, github,
			"People: mona is not in platform (attempted but not there), the function tried to add them and it didn't take", "GitHub couldn't be asked which changes are still due. GitHub answered 502",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.settings.Timeout = 30 * time.Second
			w.sync.Update(func(f *awstest.SyncFunction) { f.Faults = test.faults })
			walk := w.walk()
			if _, err := walk.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			if test.before != nil {
				test.before(w)
			}
			if test.after != nil {
				walk.Waiting = func(ctx context.Context) error {
					if err := w.rest(ctx); err != nil {
						return err
					}
					if walk.At() == "check" || strings.Contains(text(walk.Lines()), "REPORT RequestId") {
						w.aws.Heal("*")
						test.after(w)
					}
					return nil
				}
			}
			report := w.run(walk)
			if report.OK() {
				t.Errorf("the report is a success: %+v", report)
			}
			if got := truth(report); !slices.Contains(got, test.truth) {
				t.Errorf("no %q in\n%s", test.truth, strings.Join(got, "\n"))
			}
			if !strings.Contains(strings.Join(report.Notes, "\n"), test.note) {
				t.Errorf("no %q in the notes %q", test.note, report.Notes)
			}
			w.done(1)
		})
	}
}

// The first line of a result names who is done and who isn't, and why.
func TestHalfDoneIsToldByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bringInSync()
	for _, login := range []string{"otter", "seconduser", "fourthuser"} {
		w.store.AddUser(login + suffix)
		w.github.AddMember("platform", login)
	}
	w.sync.Update(func(f *awstest.SyncFunction) {
		teams := f.Teams
		f.Teams = func() ([]awstest.Team, error) { // fourthuser is the first to be added
			all, err := teams()
			for _, team := range all {
				slices.SortFunc(team.Members, func(a, b string) int {
					if (a == "fourthuser") != (b == "fourthuser") {
						return map[bool]int{true: -1, false: 1}[a == "fourthuser"]
					}
					return strings.Compare(a, b)
				})
			}
			return all, err
		}
		f.Faults.TimeOutAfter = 1
	})
	report := w.run(w.walk())
	if want := "Half done: 1 of 3 people added (fourthuser). Not added: otter and seconduser. Why: stopped at its 5-minute limit."; report.Summary != want {
		t.Errorf("summary %q, want %q", report.Summary, want)
	}
	if got := report.Count(ops.Failed); got != 2 {
		t.Errorf("%d outcomes failed", got)
	}
}
