package deleteaccount_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// What others have closed isn't told as the bot's own closing, and no day is named that
// isn't known.
func TestClosedByOthers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		come func(*world, *opstest.Walk) (seen time.Time)
	}{
		{"on the first day of the grace, while AWS couldn't be read", func(w *world, walk *opstest.Walk) time.Time {
			w.graced(walk)
			return w.clock.Now()
		}},
		{"late in the grace", func(w *world, walk *opstest.Walk) time.Time {
			w.graced(walk)
			for range 5 {
				if err := walk.Step(w.Context()); err != nil {
					w.Fatal(err)
				}
			}
			return w.clock.Now().Add(-day) // a look each day
		}},
		{"while AWS's quota is waited for", func(w *world, walk *opstest.Walk) time.Time {
			w.aws.Fail("organizations:CloseAccount", constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED"))
			w.until(walk, "close")
			for range 2 {
				if err := walk.Step(w.Context()); err != nil {
					w.Fatal(err)
				}
			}
			return w.clock.Now().Add(-time.Hour)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings.Grace = 30 * day
			walk := w.walk()
			seen := test.come(w, walk)
			w.o.SetState(sinking, "CLOSED", "SUSPENDED")
			w.clock.Advance(20 * day)
			report := w.run(walk)
			lines := text(walk.Lines())
			const says = "Account " + sinkingText + " was closed by others than the bot, which saw it active for the last time on "
			told, rest, _ := strings.Cut(strings.TrimPrefix(report.Summary, says), ". ")
			last, err := time.Parse("2 Jan 15:04 UTC", told)
			if last = last.AddDate(seen.Year(), 0, 0); err != nil || last.Sub(seen).Abs() > 2*time.Hour {
				t.Errorf("seen %v, summary %q", seen, report.Summary)
			}
			earliest := last.Add(90 * day).Format("2 Jan 2006")
			if want := "It is closed. The 90 days in which AWS's support can reinstate it began at a time that isn't known: they end on " + earliest + " at the earliest."; rest != want {
				t.Errorf("summary %q, want %q", rest, want)
			}
			if !strings.Contains(lines, "warning "+says) || strings.Contains(lines, "AWS has accepted") || strings.Contains(report.Summary, "AWS accepted") {
				t.Errorf("told %s", lines)
			}
			if reminders := fmt.Sprint(walk.Reminders()); !strings.Contains(reminders, says) || !strings.Contains(reminders, "From "+earliest+" on AWS may delete it for good.") {
				t.Errorf("reminders %s", reminders)
			}
			if !report.Final || len(w.o.Closed()) > 0 || w.account(sinking).Parent != w.closed {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
}

// A closing whose answer was lost is the bot's own.
func TestAClosingWhoseAnswerWasLostIsTheBots(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.atClosing()
	w.aws.Fail("organizations:CloseAccount", awstest.Fault{CutAfter: true, Times: 1})
	if report := w.run(walk); strings.Contains(report.Summary, "by others") || !strings.Contains(report.Summary, "AWS's support can reinstate it until ") {
		t.Errorf("summary %q", report.Summary)
	}
	w.done()
}
