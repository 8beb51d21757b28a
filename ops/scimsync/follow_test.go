package scimsync_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// speaksJSON replaces the function by the same one with another log.
func (w *world) speaksJSON(level string, faults awstest.SyncFaults) {
	w.sync = w.aws.AddSyncFunction(awstest.SyncFunction{
		EmailSuffix: suffix, LogFormat: "JSON", SystemLogLevel: level, Faults: faults,
		Teams: func() ([]awstest.Team, error) { return awstest.TeamsOf(w.github.Teams())() },
	})
}

// The end of a run is known by Lambda's report, by the end of the code with every
// planned change in Identity Center, or by the function's time limit. A report that
// doesn't come never overrides changes that are there.
func TestEndOfTheRun(t *testing.T) {
	t.Parallel()
	const (
		all   = "Identity Center has every planned change."
		limit = 40 * time.Second
	)
	for _, test := range []struct {
		name        string
		change      func(*world)
		least, most time.Duration // how long it takes
		note        string
	}{
		{"a report in text", func(*world) {}, 0, 10 * time.Second, ""},
		{"a report in JSON", func(w *world) { w.speaksJSON("", awstest.SyncFaults{}) }, 0, 10 * time.Second, ""},
		{
			"no report line", func(w *world) { w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.NoReport = true }) }, 0, 30 * time.Second,
			"Lambda's report line didn't come; " + all,
		},
		{
			"a log in JSON without Lambda's own lines", func(w *world) { w.speaksJSON("WARN", awstest.SyncFaults{}) }, limit, limit + 5*time.Second,
			"The function's log is in JSON without Lambda's own lines (its system log level is above INFO), so it doesn't tell the end of a run. " + all,
		},
		{
			"a log that can't be read", func(w *world) {
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "AccessDeniedException"})
			}, limit, limit + 5*time.Second,
			"The function's log couldn't be read, so faults that it tells of aren't known. AWS refused logs:FilterLogEvents to the role " + actRole + ".",
		},
		{
			"a log group that isn't there", func(w *world) {
				w.settings.LogGroup = "/elsewhere/sync"
				w.role(actRole, w.fill(w.operation().Access.Act))
			}, limit, limit + 5*time.Second,
			"The function's log couldn't be read to its end. The log group /elsewhere/sync doesn't exist. " + all,
		},
		{
			"a log that can't be read for trouble", func(w *world) {
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "ServiceUnavailableException", Status: 503})
			}, limit, limit + 5*time.Second,
			"The function's log couldn't be read to its end. AWS answered logs:FilterLogEvents with ServiceUnavailableException",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.settings.Timeout = limit
			test.change(w)
			began := w.clock.Now()
			report := w.run(w.walk())
			if !report.OK() || report.Count(ops.Confirmed) != 7 {
				t.Errorf("report %+v", report)
			}
			if notes := strings.Join(report.Notes, "\n"); !strings.HasPrefix(notes, test.note) || test.note == "" && notes != "" || test.note != "" && len(report.Notes) != 1 {
				t.Errorf("notes %q, want %q", report.Notes, test.note)
			}
			if took := w.clock.Now().Sub(began); took < test.least || took > test.most {
				t.Errorf("took %v, want %v to %v", took, test.least, test.most)
			}
			w.synced()
			w.done(1)
		})
	}
}

// With nothing planned there is nothing by which the end could be known but the
// report; then it is said that it isn't.
func TestEndOfARunWithNothingToDo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		truth  string
	}{
		{
			"no report line", func(w *world) { w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.NoReport = true }) },
			"The function: whether it came to its end (not known), Lambda's report line, which says so, didn't come",
		},
		{
			"a log that can't be read", func(w *world) {
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "AccessDeniedException"})
			},
			"The function: whether it came to its end (not known), its log couldn't be read",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.settings.Timeout = 30 * time.Second
			w.bringInSync()
			test.change(w)
			report := w.run(w.walk())
			if report.OK() || report.Alarm != "" || !slices.Contains(truth(report), test.truth) {
				t.Errorf("report %+v, want %q", report, test.truth)
			}
			if want := "Nothing changed in Identity Center. Whether the function came to its end isn't known."; report.Summary != want {
				t.Errorf("summary %q, want %q", report.Summary, want)
			}
			w.done(2)
		})
	}
}

// A log that never shows an end is a remark, once the function's time limit is over.
func TestEndOfARunWithNothingToDoWithoutLambdasLines(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Timeout = 30 * time.Second
	w.bringInSync()
	w.speaksJSON("WARN", awstest.SyncFaults{})
	report := w.run(w.walk())
	const note = "The function's log is in JSON without Lambda's own lines (its system log level is above INFO), so it doesn't tell the end of a run."
	if !report.OK() || report.Summary != "Nothing changed in Identity Center." || !slices.Contains(report.Notes, note) {
		t.Errorf("report %+v", report)
	}
	w.done(2)
}

// A plan of which nothing is due any more shows as little of the function's end as an
// empty one.
func TestEndOfARunOfWhichNothingIsDue(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Timeout = 30 * time.Second
	w.bringInSync()
	w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.NoReport = true })
	w.github.AddMember("security", "hubot")
	walk := w.walk()
	if _, err := walk.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.github.RemoveMember("security", "hubot")
	got := truth(w.run(walk))
	for _, line := range []string{
		"People: hubot is not added to security: left it on GitHub after the plan was made",
		"The function: whether it came to its end (not known), Lambda's report line, which says so, didn't come",
	} {
		if !slices.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, strings.Join(got, "\n"))
		}
	}
	w.done(2)
}

// A function that has made every planned change and still runs may take away what it
// likes: no success is told before it has ended.
func TestWhatARunTakesAwayAfterThePlannedChanges(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		speaks func(inv *awstest.Invocation, line string)
	}{
		{"with a log that can't be read", func(w *world) {
			w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "AccessDeniedException"})
		}, func(*awstest.Invocation, string) {}},
		{"with a log that can be read", func(*world) {}, func(inv *awstest.Invocation, line string) { inv.Log("INFO", line) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.bringInSync()
			w.settings.Timeout = time.Minute
			w.github.AddMember("security", "hubot")
			line := "creating group membership for user " + w.store.UserID("hubot"+suffix) + " in group " + w.store.GroupID("security")
			added, release := make(chan struct{}), make(chan struct{})
			let := sync.OnceFunc(func() { close(release) })
			t.Cleanup(let)
			w.speaks(func(inv *awstest.Invocation) {
				test.speaks(inv, line)
				w.store.AddMember("security", "hubot"+suffix)
				close(added)
				<-release
				w.store.RemoveGroup("platform")
			})
			test.change(w)
			walk := w.walk()
			began := w.clock.Now()
			walk.Waiting = func(ctx context.Context) error {
				<-added
				if w.clock.Now().Sub(began) < 50*time.Second {
					return nil
				}
				let()
				return w.rest(ctx)
			}
			report := w.run(walk)
			if report.OK() || !strings.Contains(report.Alarm, "1 group") {
				t.Errorf("report %+v", report)
			}
			w.done(2)
		})
	}
}

// Where neither the report nor the changes come, people are told how long the
// function may still be running.
func TestEndThatIsNotSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Timeout = 30 * time.Second
	w.speaksJSON("WARN", awstest.SyncFaults{Drop: []string{"mona in platform"}})
	began := w.clock.Now()
	report := w.run(w.walk())
	failing(t, report, "The function's end was not seen until ", "It may still be running, so wait until ", "before you press Run again, or it runs twice.")
	if waited := w.clock.Now().Sub(began); waited < 90*time.Second || waited > 2*time.Minute {
		t.Errorf("waited %v, want the function's 30s and a minute", waited)
	}
	if want := "Half done: 2 of 3 memberships added (hubot). Not added: mona. Why: not known, for its log has no end."; report.Summary != want {
		t.Errorf("summary %q, want %q", report.Summary, want)
	}
	w.done(1)
}

// Lambda tries a run that failed twice more, each time as long as it may take, after
// one minute and after two.
func TestWhenToPressRunAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		faults awstest.SyncFaults
		late   time.Duration // how long after the function's end the result is read
		wait   bool
	}{
		{"after a timeout", awstest.SyncFaults{TimeOutAfter: 2}, 0, true},
		{"after a crash", awstest.SyncFaults{CrashAfter: 2}, 0, true},
		{"after a timeout, long ago", awstest.SyncFaults{TimeOutAfter: 2}, time.Hour, false},
		{"after a lost change", awstest.SyncFaults{Reject: []string{"mona in platform"}}, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.sync.Update(func(f *awstest.SyncFunction) { f.Faults = test.faults })
			walk := w.walk()
			var ended time.Time
			w.meanwhile(walk, func() { ended = w.clock.Now() })
			if _, err := walk.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			for walk.At() != "check" {
				if err := walk.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			w.clock.Advance(test.late)
			walk.Restart() // a session of AWS would have expired
			problems := strings.Join(w.run(walk).Problems, "\n")
			const before = " before you press Run again, or it runs twice."
			if !test.wait {
				if strings.Contains(problems, before) {
					t.Errorf("told to wait: %s", problems)
				}
				return
			}
			_, after, _ := strings.Cut(problems, "wait until ")
			until, _, _ := strings.Cut(after, " UTC"+before)
			earliest := ended.Add(2*w.settings.Timeout + 3*time.Minute).UTC()
			if until != earliest.Add(-5*time.Second).Truncate(time.Minute).Add(time.Minute).Format("15:04") && until != earliest.Truncate(time.Minute).Add(time.Minute).Format("15:04") {
				t.Errorf("told to wait until %q, want a minute after %v: %s", until, earliest, problems)
			}
			if strings.Count(problems, "Run again") != 1 {
				t.Errorf("told more than one thing about running again: %s", problems)
			}
		})
	}
}

// A run that waits says for what, and until when.
func TestWhatARunWaitsFor(t *testing.T) {
	t.Parallel()
	moment := func(t time.Time) string { return t.UTC().Format("15:04:05") + " UTC" }
	for _, test := range []struct {
		name   string
		change func(*world)
		want   func(w *world, sent time.Time) string // the beginning of what is waited for
		warned string                                // in the log
	}{
		{
			"for Lambda's report line", func(w *world) { w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.NoReport = true }) },
			func(*world, time.Time) string { return "The function ended at " }, "",
		},
		{
			"with a log that can't be read", func(w *world) {
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "AccessDeniedException"})
			},
			func(w *world, sent time.Time) string {
				return fmt.Sprintf("The function's log can't be read (AWS refused logs:FilterLogEvents to the role %s). Waiting until %s, its time limit, then comparing Identity Center with the plan.",
					actRole, moment(sent.Add(w.settings.Timeout)))
			}, "warning The function's log can't be read. AWS refused logs:FilterLogEvents",
		},
		{
			"with a log that can't be read for a while", func(w *world) {
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "ServiceUnavailableException", Status: 503, Message: "no"})
			},
			func(w *world, sent time.Time) string {
				return fmt.Sprintf("The function's log can't be read now (AWS answered logs:FilterLogEvents with ServiceUnavailableException: no). Trying again until %s, then comparing Identity Center with the plan.",
					moment(sent.Add(w.settings.Timeout+time.Minute)))
			}, "",
		},
		{
			"for a function that says no more", func(w *world) { w.speaksJSON("WARN", awstest.SyncFaults{}) },
			func(*world, time.Time) string { return "The function's last log line came at " }, "",
		},
		{
			"for the time limit of a function that has made every planned change", func(w *world) { w.speaksJSON("WARN", awstest.SyncFaults{}) },
			func(w *world, sent time.Time) string {
				return fmt.Sprintf("Identity Center has every planned change. Whether nothing else changes is looked at once more at %s, the function's time limit, because the function's log doesn't show its end.",
					moment(sent.Add(w.settings.Timeout)))
			}, "",
		},
		{
			"for a change that Identity Center doesn't show", func(w *world) {
				w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.Drop = []string{"mona in platform"} })
			},
			func(*world, time.Time) string {
				return "Identity Center doesn't show 1 change yet that the function may still be making; looking again until "
			}, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.change(w)
			walk := w.walk()
			w.run(walk)
			sent := walk.Lines()[0].At // "Lambda took the call"
			waits := walk.Waits()
			i := slices.IndexFunc(waits, func(o ops.Waiting) bool { return strings.HasPrefix(o.For, test.want(w, sent)) })
			if i < 0 {
				t.Fatalf("no %q among %+v", test.want(w, sent), waits)
			}
			if waits[i].Person || waits[i].Until.IsZero() || !strings.Contains(waits[i].For, moment(waits[i].Until)) {
				t.Errorf("it doesn't say until when: %+v", waits[i])
			}
			if n := len(slices.Compact(waits)); n != len(walk.Waits()) || n > 2 {
				t.Errorf("told more than once: %+v", waits)
			}
			if test.warned != "" && strings.Count(text(walk.Lines()), test.warned) != 1 {
				t.Errorf("the log doesn't have %q once:\n%s", test.warned, text(walk.Lines()))
			}
			w.done(1)
		})
	}
	t.Run("for nothing beyond the log", func(t *testing.T) {
		w := newWorld(t)
		walk := w.walk()
		w.run(walk)
		if waits := walk.Waits(); len(waits) > 0 {
			t.Errorf("waits %+v", waits)
		}
	})
}

// Identity Center is asked seldom while the function may be at work: both draw on
// the same quota.
func TestIdentityCenterIsAskedSeldom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Timeout = time.Minute
	w.speaksJSON("WARN", awstest.SyncFaults{Drop: []string{"mona in platform"}})
	walk := w.walk()
	asked := 0
	walk.Waiting = func(ctx context.Context) error {
		if walk.At() == "follow" {
			asked = w.aws.Count("identitystore:ListUsers")
		}
		return w.rest(ctx)
	}
	w.run(walk)
	if asked > 15 {
		t.Errorf("asked %d times in two minutes", asked)
	}
}

// What the log said before it couldn't be read any more still counts.
func TestErrorsSeenBeforeTheLogWasLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.Noise = []string{"panic: it broke"} })
	walk := w.walk()
	walk.Waiting = w.rest
	if _, err := walk.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	for walk.At() != "check" {
		if err := walk.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "ServiceUnavailableException", Status: 503})
	failing(t, w.run(walk), "The function logged errors, and its log couldn't be read again to say which.")
}
