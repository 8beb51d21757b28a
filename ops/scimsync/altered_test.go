package scimsync_test

import (
	"slices"
	"testing"
)

// Users and groups that are still there may have been changed all the same.
func TestWhatIsAlteredDuringTheRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		during        func(*world)
		ok            bool
		summary       string
		problem, note string
	}{
		{
			"a user is disabled", func(w *world) { w.store.DisableUser("mona" + suffix) }, false,
			"Read back from Identity Center: 1 user disabled.",
			"While the sync ran, mona was disabled, which was not in the plan, and can't sign in to AWS with SSO now.", "",
		},
		{
			"a user gets another name", func(w *world) { w.store.RenameUser("mona"+suffix, "otter"+suffix) }, true,
			"Read back from Identity Center: 1 name changed.", "",
			"While the sync ran, Identity Center got other names of users: mona is now otter. The next sync goes by the new names.",
		},
		{
			"a group gets another name", func(w *world) { w.store.RenameGroup("security", "Secrets") }, true,
			"Read back from Identity Center: 1 name changed.", "",
			"While the sync ran, Identity Center got other names of groups: security is now Secrets. The next sync goes by the new names.",
		},
		{
			"a group gets a name that the settings leave out", func(w *world) { w.store.RenameGroup("security", "azure-aws-sso-security") }, true,
			"Read back from Identity Center: 1 name changed.", "",
			"While the sync ran, Identity Center got other names of groups: security is now azure-aws-sso-security. The next sync goes by the new names.",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.bringInSync()
			walk := w.walk()
			w.meanwhile(walk, func() { test.during(w) })
			report := w.run(walk)
			if report.OK() != test.ok || report.Summary != test.summary {
				t.Errorf("report %+v, want %q", report, test.summary)
			}
			if test.problem != "" && !slices.Contains(report.Problems, test.problem) || test.note != "" && !slices.Contains(report.Notes, test.note) {
				t.Errorf("problems %q, notes %q", report.Problems, report.Notes)
			}
		})
	}
	t.Run("a user who was disabled before", func(t *testing.T) {
		w := newWorld(t)
		w.bringInSync()
		w.store.DisableUser("mona" + suffix)
		if report := w.run(w.walk()); !report.OK() || report.Summary != "Nothing changed in Identity Center." {
			t.Errorf("report %+v", report)
		}
	})
}
