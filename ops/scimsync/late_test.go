package scimsync_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A bot that was stopped reads the result late: what others did meanwhile isn't told
// as if it had been done while the sync ran.
func TestTheResultIsReadLate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		late  time.Duration
		begin string // of the alarm
		note  string
	}{
		{"a minute later", time.Minute, "While the sync ran, 1 user was deleted", ""},
		{"eight hours later", 8 * time.Hour, "Since the sync began, 1 user was deleted", "Identity Center was read only 8 hours after the function was called, because the bot was stopped meanwhile."},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.bringInSync()
			walk := w.walk()
			w.meanwhile(walk, func() {})
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
			w.store.RemoveUser("mona" + suffix)
			report := w.run(walk)
			if !strings.HasPrefix(report.Alarm, test.begin) {
				t.Errorf("alarm %q, want %q", report.Alarm, test.begin)
			}
			told := slices.ContainsFunc(report.Notes, func(n string) bool { return strings.Contains(n, "because the bot was stopped") })
			if told != (test.note != "") || told && !strings.HasPrefix(report.Notes[0], test.note) {
				t.Errorf("notes %q, want %q", report.Notes, test.note)
			}
		})
	}
}
