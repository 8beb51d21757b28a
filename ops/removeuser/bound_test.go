package removeuser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// Where IAM attaches no policy more, deny-all becomes the permissions boundary.
func TestTenPolicies(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		for _, test := range []struct {
			name     string
			boundary string
			policies int
			effect   string // what the plan says of it
		}{
			{"and no boundary", "", 10, "Set " + awstest.AWSDenyAll + " as permissions boundary of IAM user " + leaver + " (%s), because ten policies are attached already"},
			{"and a boundary that the settings list", limits, 10, "Set " + awstest.AWSDenyAll + " as permissions boundary of IAM user " + leaver + " (%s), in place of " + limits + ", because ten policies are attached already"},
			{"and more, by a raised quota", "", 12, "Set " + awstest.AWSDenyAll + " as permissions boundary of IAM user " + leaver + " (%s), because 12 policies are attached already"},
			{"of them deny-all", limits, 0, ""},
		} {
			t.Run(mode+" "+test.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, mode)
				w.settings.Grace = 3 * time.Hour // in which it looks every hour
				w.iam.ChangeUser(leaver, fewer)
				w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) {
					u.Boundary = test.boundary
					if test.policies == 0 {
						u.Attached = append(u.Attached, awstest.AWSDenyAll)
					}
				})
				w.iam.ChangeUser(leaver, full(max(10, test.policies)))
				before := w.user(leaver)
				walk := w.walk()
				plan := w.look(walk)
				first := plan.Effects()[0]
				if want := fmt.Sprintf(test.effect, before.ID); test.effect != "" && first != want || test.effect == "" && !strings.HasPrefix(first, "Deactivate") {
					t.Errorf("the plan says %q, want %q", first, want)
				}
				if warned := slices.ContainsFunc(plan.Warnings, func(s string) bool {
					return strings.HasPrefix(s, "Terraform takes a permissions boundary off again")
				}); warned != (mode == terraformMode && test.effect != "") {
					t.Errorf("warnings %q", plan.Warnings)
				}
				w.quarantined(walk)
				if now := w.user(leaver); !w.iam.Powerless(leaver) || len(now.Inline) != len(before.Inline) || len(now.Attached) != len(before.Attached) {
					t.Errorf("in quarantine: %+v", now)
				}
				if err := walk.Undo(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.same(before)
				if report := w.run(w.walk()); !report.OK() {
					t.Errorf("report %+v", report)
				}
				w.done()
			})
		}
	}
}

// A boundary that couldn't be put back is never replaced: the plan is refused, with
// the way out.
func TestTenPoliciesAndAnotherBoundary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	w.settings.Boundaries = nil
	w.iam.ChangeUser(leaver, full(10))
	before := w.user(leaver)
	_, err := w.walk().Look(t.Context())
	w.refused(err, ops.Refused, leaver+" can't be locked out: ten policies are attached", limits, "Detach one policy, or add the boundary to boundaries in the bot's settings")
	w.same(before)
	w.done()
}

// fills has a policy attached by others as soon as the bot attaches deny-all.
func (w *world) fills() {
	w.aws.OnCall("iam:AttachUserPolicy", func(awstest.Call) { w.iam.ChangeUser(leaver, full(10)) })
}

// What the plan couldn't foresee IAM says: the keys go first, then deny-all becomes
// the boundary all the same.
func TestTheTenthPolicyComesLate(t *testing.T) {
	t.Parallel()
	t.Run("and the boundary may be replaced", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		before := w.user(leaver)
		w.fills()
		walk := w.walk()
		w.quarantined(walk)
		if !w.iam.Powerless(leaver) {
			t.Errorf("the user has power: %+v", w.user(leaver))
		}
		if diff := cmp.Diff([]string{"iam:UpdateAccessKey", "iam:PutUserPermissionsBoundary", "iam:TagUser"}, w.writes()); diff != "" {
			t.Errorf("writes (-want +got):\n%s", diff)
		}
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.Attached = before.Attached })
		w.same(before)
		w.done()
	})
	t.Run("and the boundary may not be replaced", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		w.settings.Boundaries = nil
		before := w.user(leaver)
		w.fills()
		walk := w.walk()
		w.refused(walk.Run(t.Context()), ops.Refused, leaver+" can't be locked out", limits)
		now := w.user(leaver)
		if now.Boundary != limits || slices.ContainsFunc(now.AccessKeys, func(k awstest.AccessKey) bool { return !k.Inactive }) || now.Tags["removal-request"] != request {
			t.Errorf("now %+v", now)
		}
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.Attached = before.Attached })
		w.same(before)
	})
}

// A part that AWS refuses keeps no other part from being done, and Restore takes back
// the parts that were done.
func TestKeysGoWhenOtherPartsAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		action string
		want   string // "": the quarantine is there all the same
	}{
		{"AttachUserPolicy", "AWS refused iam:AttachUserPolicy to the role " + actRole + "."},
		{"ListUserPolicies", "AWS refused iam:ListUserPolicies to the role " + lookRole + "."},
		{"ListAccessKeys", "AWS refused iam:ListAccessKeys to the role " + lookRole + "."},
		{"TagUser", ""},
	} {
		t.Run(test.action, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			before := w.user(leaver)
			walk := w.walk()
			w.look(walk)
			w.aws.Fail("iam:"+test.action, awstest.Fault{Code: "AccessDenied"})
			if test.want != "" {
				w.refused(walk.Run(t.Context()), ops.Unavailable, test.want)
			} else {
				w.quarantined(walk)
				if told := text(walk.Lines()); !strings.Contains(told, "warning "+leaver+" couldn't be tagged as quarantined, and is in quarantine all the same: AWS refused iam:TagUser") {
					t.Errorf("told\n%s", told)
				}
			}
			now := w.user(leaver)
			if slices.ContainsFunc(now.AccessKeys, func(k awstest.AccessKey) bool { return !k.Inactive }) {
				t.Errorf("a key is active: %+v", now.AccessKeys)
			}
			if denied := slices.Contains(now.Attached, awstest.AWSDenyAll); denied == (test.action == "AttachUserPolicy") {
				t.Errorf("deny-all is attached: %v", denied)
			}
			w.aws.Heal("*")
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			w.done()
		})
	}
}

// A user has 50 tags at most: the mark alone is set if it fits, and without it the
// quarantine is one all the same, from which the user is removed.
func TestFiftyTags(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		tags   int
		marked bool
	}{{48, true}, {49, true}, {50, false}} {
		t.Run(fmt.Sprint(test.tags), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) {
				for n := len(u.Tags); n < test.tags; n++ {
					u.Tags["tag"+string(rune('A'+n))] = ""
				}
			})
			w.iam.ChangeUser(leaver, fewer)
			before := w.user(leaver)
			walk := w.walk()
			w.quarantined(walk)
			now := w.user(leaver)
			if marked := now.Tags["removal-request"] == request; !w.iam.Powerless(leaver) || marked != test.marked {
				t.Errorf("marked %v, user %+v", marked, now)
			}
			if warned := strings.Contains(text(walk.Lines()), "couldn't be tagged"); warned == test.marked {
				t.Errorf("told\n%s", text(walk.Lines()))
			}
			if err := walk.Undo(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.same(before)
			next := w.walk()
			w.asksAgain(next)
			if report := w.run(next); !report.OK() {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
}
