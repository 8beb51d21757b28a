package deleteaccount_test

import (
	"testing"
	"time"
)

// AWS shows a change late at times. What it doesn't show yet isn't missing.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_troubleshoot_general.html
func TestAWSShowsAChangeLate(t *testing.T) {
	t.Parallel()
	const lag = 5 * time.Second
	t.Run("an account that is restored is there as soon as AWS shows it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		before := w.account(sinking)
		walk := w.walk()
		w.graced(walk)
		w.o.SetLag(lag)
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		if report, ok := walk.Report(); !ok || !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
	t.Run("a closed account is in its unit as soon as AWS shows it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.until(walk, "archive")
		w.o.SetLag(lag)
		if err := walk.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if report, ok := walk.Report(); !ok || !report.OK() {
			t.Errorf("report %+v", report)
		}
		if a := w.account(sinking); a.Parent != w.closed {
			t.Errorf("it is in %s", a.Parent)
		}
		w.done()
	})
	t.Run("what never shows is told as missing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.graced(walk)
		w.o.SetLag(24 * time.Hour)
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if report, ok := walk.Report(); !ok || report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
}
