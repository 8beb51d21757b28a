package removeuser_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const married = "jo.married@digital.cabinet-office.gov.uk"

// A user whom people rename is there still: no step takes the old name's being free for
// the user's being gone, and Restore gives the access back under the new name.
func TestRenamedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		steps := []string{"grace", "delete"}
		if mode == terraformMode {
			steps = []string{"grace", "propose", "merge", "empty"}
		}
		for _, step := range steps {
			t.Run(mode+" before "+step, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				was := w.user(leaver)
				walk := w.walk()
				w.until(walk, step)
				if step == "grace" {
					w.quarantined(walk)
				}
				w.iam.RenameUser(leaver, married)
				left := w.user(married)
				walk.Waiting = func(context.Context) error {
					if walk.Restart(); step == "merge" && walk.At() == "merge" && !w.firstPull().Merged {
						return w.github.Merge(repo, 1, "ann")
					}
					return nil
				}
				w.refused(walk.Run(t.Context()), ops.Refused, "IAM user "+leaver+" ("+was.ID+") was renamed to "+married+", so this run doesn't remove the user. "+married+" is still in quarantine.", "press Restore", "ask for the removal of "+married)
				w.same(left)
				if effects, err := walk.UndoPlan(t.Context()); err != nil || !strings.Contains(strings.Join(effects, "\n"), "Detach "+awstest.AWSDenyAll+" from IAM user "+married) {
					t.Errorf("Restore would: %q, %v", effects, err)
				}
				if err := walk.Undo(t.Context()); err != nil {
					t.Fatal(err)
				}
				was.Name = married
				w.same(was)
				if report, _ := walk.Report(); !report.OK() || report.Summary != leaver+", who is called "+married+" now, is as before the quarantine." {
					t.Errorf("report %+v", report)
				}
				w.done()
			})
		}
	}
	t.Run("before the quarantine", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		walk := w.walk()
		w.look(walk)
		w.iam.RenameUser(leaver, married)
		before := w.user(married)
		w.refused(walk.Run(t.Context()), ops.Refused, "was renamed to "+married, "ask for the removal of "+married)
		w.same(before)
	})
	t.Run("before the result is read back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, terraformMode)
		w.bothFiles(usersAfter, membersAfter)
		walk := w.walk()
		w.until(walk, "check")
		w.iam.RenameUser(leaver, married)
		w.iam.AddUser(awstest.IAMUser{Name: leaver, ID: "AIDAANOTHERONE0000000"})
		report := w.run(walk)
		if report.OK() || report.Final || report.Summary != leaver+" was renamed to "+married+", and is not removed." || !strings.Contains(report.Problems[0], married+" is still in quarantine.") {
			t.Errorf("report %+v", report)
		}
	})
	t.Run("and let out", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		walk := w.walk()
		w.quarantined(walk)
		w.iam.RenameUser(leaver, married)
		w.iam.ChangeUser(married, func(u *awstest.IAMUser) { u.Attached = nil })
		w.refused(walk.Run(t.Context()), ops.Refused, "was renamed to "+married, "The quarantine isn't as this run made it: AWSDenyAll is not attached any more.")
	})
}
