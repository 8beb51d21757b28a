package scimsync_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	confirmed, missing = " (confirmed)", " (attempted but not there)"
	add                = ", the function tried to add them and it didn't take"
)

// The function's own faults: what Lambda calls a success isn't believed.
func TestFaultsOfTheFunction(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		faults   awstest.SyncFaults
		truth    []string // among the outcomes
		problems []string // each in one of the problems
		only     bool     // there are no other problems
		count    int      // of problems, where one has several of the parts
		ok       bool     // the report is a success
		repaired bool     // a second run repairs it
	}{
		{
			name: "a call that quietly fails is told as attempted but not there", faults: awstest.SyncFaults{Drop: []string{"mona in platform", "octocat in security", "retired", "leaver"}},
			truth: []string{
				"People: mona is not in platform" + missing + add, "People: hubot added" + confirmed + ", to newcomers and platform",
				"People: octocat is still in security" + missing + ", the function tried to remove them and it didn't take",
				"Groups: group retired was not deleted" + missing + ", the function tried to delete it and it didn't take",
				"People: leaver was not deleted" + missing + ", the function tried to delete them and it didn't take",
				"People: leaver removed" + confirmed + ", from platform",
			},
			only: true,
		},
		{
			name: "a user and a group that quietly aren't made", faults: awstest.SyncFaults{Drop: []string{"hubot", "newcomers"}},
			truth: []string{
				"People: hubot was not created" + missing + ", the function tried to create them and it didn't take",
				"Groups: group newcomers was not created" + missing + ", the function tried to create it and it didn't take", "People: mona added" + confirmed + ", to platform",
			},
		},
		{
			name: "a new user without an ID yet", faults: awstest.SyncFaults{BlindToNewUsers: true},
			truth:    []string{"People: hubot created" + confirmed, "People: hubot is not in platform" + missing + add, "People: hubot is not in newcomers" + missing + add},
			problems: []string{"hubot exists now but is in no team yet (a known fault of the function). Press Run again: it puts that right."}, only: true, repaired: true,
		},
		{
			name: "a new group that stays empty", faults: awstest.SyncFaults{BlindToNewGroups: true},
			truth: []string{"Groups: newcomers: group created" + confirmed, "People: hubot is not in newcomers (failed), the function came to its end without trying it"},
			only:  true, repaired: true,
		},
		{
			name: "an unhandled rejection", faults: awstest.SyncFaults{Reject: []string{"mona in platform"}},
			truth:    []string{"People: mona is not in platform" + missing + add, "People: hubot added" + confirmed + ", to newcomers and platform"},
			problems: []string{"AWS slowed the function down and it lost a change. Run again in a minute."}, only: true, repaired: true,
		},
		{
			name: "an error that the log has without the request ID", faults: awstest.SyncFaults{Reject: []string{"mona in platform"}, ErrorsWithoutID: true},
			truth:    []string{"People: mona is not in platform" + missing + add},
			problems: []string{"AWS slowed the function down and it lost a change. Run again in a minute."}, only: true, repaired: true,
		},
		{
			name: "GitHub empty for the function alone: everything it owns is deleted", faults: awstest.SyncFaults{EmptyGitHub: true},
			truth: []string{
				"People: leaver deleted" + confirmed + ", left platform", "Groups: retired: group deleted" + confirmed + ", with 1 member: octocat",
				"People: mona is not in platform (failed), the function came to its end without trying it",
			},
			repaired: true,
		},
		{
			name: "a crash on the way", faults: awstest.SyncFaults{CrashAfter: 3},
			truth: []string{"People: mona is not in platform (failed), the function stopped before it got there"},
			problems: []string{
				"The function crashed half way. What follows is what Identity Center has now. Lambda may start it again by itself, up to twice, so wait until ",
				" UTC before you press Run again, or it runs twice.", "AWS slowed the function down and it lost a change.",
			}, count: 2, repaired: true,
		},
		{
			name: "a stop at its timeout", faults: awstest.SyncFaults{TimeOutAfter: 3},
			truth: []string{"People: mona is not in platform (failed), the function stopped before it got there"},
			problems: []string{
				"The function was stopped at its 5-minute limit. Lambda may start it again by itself, up to twice, so wait until ", " UTC before you press Run again, or it runs twice.",
			}, count: 1, repaired: true,
		},
		{
			name: "the last group's memberships are lost", faults: awstest.SyncFaults{LoseLastGroup: true}, only: true, repaired: true,
		},
		{
			name: "the last group's memberships come with the next invocation", faults: awstest.SyncFaults{ThawLastGroup: true}, only: true, repaired: true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.sync.Update(func(f *awstest.SyncFunction) { f.Faults = test.faults })
			walk := w.walk()
			report := w.run(walk)
			if report.OK() != test.ok {
				t.Errorf("the report is a success: %v; problems %v", report.OK(), report.Problems)
			}
			failing(t, report, test.problems...)
			if test.count > 0 && len(report.Problems) != test.count || test.only && len(report.Problems) != len(test.problems) {
				t.Errorf("problems %q, want only %q", report.Problems, test.problems)
			}
			got := truth(report)
			for _, line := range test.truth {
				if !slices.Contains(got, line) {
					t.Errorf("no %q in\n%s", line, strings.Join(got, "\n"))
				}
			}
			// What is told is what is there.
			effects := w.look().Effects()[1:]
			if n := report.Count(ops.Missing) + report.Count(ops.Failed); n != len(effects) && !test.faults.EmptyGitHub {
				t.Errorf("%d outcomes aren't there, and the plan has still to do: %q", n, effects)
			}
			if test.repaired {
				w.sync.Update(func(f *awstest.SyncFunction) { f.Faults = awstest.SyncFaults{} })
				if again := w.run(w.walk()); !again.OK() {
					t.Errorf("the second run: %v\n%s", again.Problems, strings.Join(truth(again), "\n"))
				}
				w.synced()
				w.done(2)
			}
		})
	}
}

// The function doesn't wait for its calls: what it began may come true after its
// end, and is waited for, though not for ever.
func TestLateChangesAreWaitedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		after time.Duration // the function's end
		want  string
	}{
		{"while the world settles", 10 * time.Second, "People: mona added" + confirmed + ", to platform"},
		{"and after that no more", time.Minute, "People: mona is not in platform" + missing + add},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.Drop = []string{"mona in platform"} })
			walk := w.walk()
			var ended time.Time
			walk.Waiting = func(ctx context.Context) error {
				if err := w.rest(ctx); err != nil {
					return err
				}
				if ended.IsZero() {
					ended = w.clock.Now()
				}
				if w.clock.Now().After(ended.Add(test.after)) && w.store.MembershipID("platform", "mona"+suffix) == "" {
					w.store.AddMember("platform", "mona"+suffix)
				}
				return nil
			}
			if got := truth(w.run(walk)); !slices.Contains(got, test.want) {
				t.Errorf("no %q in\n%s", test.want, strings.Join(got, "\n"))
			}
			w.done(1)
		})
	}
}

func TestFunctionFailsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Update(func(f *awstest.SyncFunction) {
		f.Teams = func() ([]awstest.Team, error) { return nil, fmt.Errorf("Bad credentials") }
	})
	report := w.run(w.walk())
	failing(t, report, "The function crashed half way.")
	if want := "Not done: 0 of 3 memberships added, 0 of 2 people removed, 0 of 1 user created, 0 of 1 user deleted, 0 of 1 group created and 0 of 1 group deleted. " +
		"Not added: hubot and mona. Not removed: leaver and octocat. Not created: hubot. Not deleted: leaver. Not created: group newcomers. Not deleted: group retired. Why: the function crashed."; report.Summary != want {
		t.Errorf("summary %q", report.Summary)
	}
	w.done(1)
}

func TestDryRunModeIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.store.Snapshot()
	w.sync.Update(func(f *awstest.SyncFunction) { f.DryRun = true })
	walk := w.walk()
	report := w.run(walk)
	failing(t, report, "The function is in dry-run mode")
	if diff := cmp.Diff(before, w.store.Snapshot()); diff != "" {
		t.Errorf("identity store:\n%s", diff)
	}
	if report.Count(ops.Confirmed) != 0 || report.Count(ops.Missing) != 0 {
		t.Errorf("outcomes:\n%s", strings.Join(truth(report), "\n"))
	}
	if !strings.Contains(text(walk.Lines()), "warning [dry-run] would create group newcomers\n") {
		t.Errorf("log:\n%s", text(walk.Lines()))
	}
	w.done(1)
}

func TestLogInAnotherGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.LogGroup = "/elsewhere/sync"
	w.role(actRole, w.fill(w.operation().Access.Act))
	// The function writes there: what Lambda put into its usual group is copied.
	walk := w.walk()
	walk.Waiting = func(ctx context.Context) error {
		if err := w.rest(ctx); err != nil {
			return err
		}
		if len(w.aws.Log("/elsewhere/sync")) == 0 {
			for _, line := range w.aws.Log(logGroup) {
				w.aws.PutLogEvent("/elsewhere/sync", "2026/01/02/[$LATEST]0123", line)
			}
		}
		return nil
	}
	if report := w.run(walk); !report.OK() {
		t.Errorf("problems %v", report.Problems)
	}
	w.done(1)
}

func TestLogComesLateAndInPieces(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
	}{
		{"empty pages with a token", func(w *world) { w.aws.SetEmptyPages(2) }},
		{"every line 5 seconds late", func(w *world) { w.aws.SetLogLag(func(string) time.Duration { return 5 * time.Second }) }},
		{"the first lines later than the last", func(w *world) {
			w.aws.SetLogLag(func(message string) time.Duration {
				if strings.HasPrefix(message, "START") || strings.Contains(message, "creating user") {
					return 3 * time.Second
				}
				return 0
			})
		}},
		{"an error without the request ID, 3 seconds after the end", func(w *world) {
			w.sync.Update(func(f *awstest.SyncFunction) {
				f.Faults = awstest.SyncFaults{Reject: []string{"retired"}, ErrorsWithoutID: true}
			})
			w.aws.SetLogLag(func(message string) time.Duration {
				if strings.Contains(message, "ERROR") {
					return 3 * time.Second
				}
				return 0
			})
		}},
		{"throttling now and then", func(w *world) { w.aws.Fail("logs:*", awstest.Fault{Code: "ThrottlingException", Times: 7}) }},
		{"connections cut now and then", func(w *world) { w.aws.Fail("logs:*", awstest.Fault{CutAfter: true, Times: 7}) }},
		{"errors now and then", func(w *world) {
			w.aws.Fail("logs:*", awstest.Fault{Code: "ServiceUnavailableException", Times: 4, Skip: 1})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			walk := w.walk()
			report := w.run(walk)
			rejected := strings.Contains(test.name, "error without")
			if report.OK() == rejected {
				t.Errorf("problems %v", report.Problems)
			}
			log := text(walk.Lines())
			for _, line := range w.aws.Log(logGroup) {
				parts := strings.Split(strings.TrimSpace(line), "\t")
				words, _, _ := strings.Cut(parts[len(parts)-1], " (")
				if !strings.HasPrefix(line, "INIT_START") && !strings.Contains(words, "membership") && !strings.HasPrefix(words, "deleting") && !strings.Contains(log, words) {
					t.Errorf("the log lacks %q:\n%s", words, log)
				}
			}
			seen := map[string]bool{}
			for _, line := range walk.Lines() {
				if line.Key == "" || seen[line.Key] {
					t.Errorf("told twice, or could be: %+v", line)
				}
				seen[line.Key] = true
			}
			w.done(1)
		})
	}
}

// Another run of the function at the same time, by its schedule, is another
// request ID: neither its lines nor its faults are this run's.
func TestScheduledRunAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var scheduled string
	inFirst := make(chan struct{})
	release := make(chan struct{})
	started := false
	w.sync.Update(func(f *awstest.SyncFunction) {
		f.Faults = awstest.SyncFaults{Reject: []string{"mona in platform"}, ErrorsWithoutID: true, NoReport: true}
		f.Gate = func(ctx context.Context, _ awstest.SyncEntity) {
			if !started {
				started = true
				close(inFirst)
			}
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
	})
	scheduled = w.aws.Trigger(function)
	<-inFirst
	// From here on the function is well; the scheduled run goes on with its faults.
	w.sync.Update(func(f *awstest.SyncFunction) { f.Faults, f.Gate = awstest.SyncFaults{}, nil })
	walk := w.walk()
	ended := false
	walk.Waiting = func(ctx context.Context) error {
		return w.aws.Wait(ctx, func() bool {
			all := w.aws.Invocations(function)
			if len(all) == 2 && !all[1].Running && !ended {
				ended = true
				close(release)
			}
			return len(all) == 2 && !all[0].Running && !all[1].Running
		})
	}
	report := w.run(walk)
	if !report.OK() {
		t.Errorf("problems %v\n%s", report.Problems, strings.Join(truth(report), "\n"))
	}
	own := w.aws.Invocations(function)[1].RequestID
	log := text(walk.Lines())
	if strings.Contains(log, scheduled) || strings.Contains(log, "ERROR") || !strings.Contains(log, "REPORT RequestId: "+own) {
		t.Errorf("the log isn't that of %s alone:\n%s", own, log)
	}
	for _, line := range walk.Lines() {
		if line.Level == ops.Failure {
			t.Errorf("a line of the scheduled run: %s", line.Text)
		}
	}
	w.done(1)
}
