package scimsync_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// meanwhile does something to the world once, while the function's run is followed.
func (w *world) meanwhile(walk *opstest.Walk, do func()) {
	done := false
	walk.Waiting = func(ctx context.Context) error {
		if err := w.rest(ctx); err != nil {
			return err
		}
		if !done {
			done = true
			do()
		}
		return nil
	}
}

// bringInSync brings Identity Center to where GitHub is: octocat, mona and hubot
// in platform, mona in security, hubot in newcomers.
func (w *world) bringInSync() {
	w.Helper()
	if report := w.run(w.walk()); !report.OK() {
		w.Fatalf("the world isn't in sync: %+v", report)
	}
	w.synced()
}

// What is taken away and wasn't in the plan makes the result a failure, said first,
// with how much, who has lost access, what probably happened and what to do.
func TestWhatIsTakenAwayBeyondThePlan(t *testing.T) {
	t.Parallel()
	empty := func(f *awstest.SyncFunction) { f.Faults = awstest.SyncFaults{EmptyGitHub: true} }
	const again = "Don't run it again before /scim-sync plan looks right."
	for _, test := range []struct {
		name    string
		before  func(*world) // the plan
		during  func(*world) // the function's run
		alarm   string
		summary string
		taken   []string // each the beginning of an outcome
	}{
		{
			"GitHub gives the function an empty list, and nobody is left",
			func(w *world) { w.store.RemoveUser("entra@example.org"); w.sync.Update(empty) }, nil,
			"The sync deleted 3 users and 3 groups that were not in the plan. 5 memberships went with them. Nobody can sign in to AWS with SSO now. " +
				"Most likely GitHub gave the function an empty list. " + again,
			"3 users and 3 groups were deleted that were not in the plan.",
			[]string{"hubot deleted (", "mona deleted (", "octocat deleted (", "newcomers: group deleted (", "platform: group deleted (", "security: group deleted ("},
		},
		{
			"GitHub gives the function an empty list, and people from Entra ID are left",
			func(w *world) { w.sync.Update(empty) }, nil,
			"The sync deleted 3 users and 3 groups that were not in the plan. 5 memberships went with them. hubot, mona and octocat can't sign in to AWS with SSO now. " +
				"Most likely GitHub gave the function an empty list. " + again,
			"3 users and 3 groups were deleted that were not in the plan.", nil,
		},
		{
			"the same, and the log can't be read",
			func(w *world) {
				w.sync.Update(empty)
				w.settings.Timeout = 30 * time.Second
				w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "AccessDeniedException"})
			}, nil,
			"While the sync ran, 3 users and 3 groups were deleted that were not in the plan. 5 memberships went with them. hubot, mona and octocat can't sign in to AWS with SSO now. " +
				"Most likely GitHub gave the function an empty list. " + again,
			"3 users and 3 groups were deleted that were not in the plan.", nil,
		},
		{
			"the same, in a plan with something to do",
			func(w *world) { w.github.AddMember("security", "hubot"); w.sync.Update(empty) }, nil,
			"The sync deleted 3 users and 3 groups that were not in the plan. 5 memberships went with them. hubot, mona and octocat can't sign in to AWS with SSO now. " +
				"Most likely GitHub gave the function an empty list. " + again,
			"3 users and 3 groups were deleted that were not in the plan. Not done: 0 of 1 person added. Not added: hubot.", nil,
		},
		{
			"GitHub gives the function a part of its teams",
			func(w *world) {
				w.sync.Update(func(f *awstest.SyncFunction) {
					f.Teams = awstest.TeamsOf(map[string][]string{"platform": {"octocat", "mona", "hubot"}, "security": {"mona"}})
				})
			}, nil,
			"The sync deleted 1 group that was not in the plan. 1 membership went with it. hubot lost the access of newcomers. Most likely GitHub gave the function an incomplete list. " + again,
			"1 group was deleted that was not in the plan.",
			[]string{"newcomers: group deleted ("},
		},
		{
			"GitHub gives the function a team without its members",
			func(w *world) {
				w.sync.Update(func(f *awstest.SyncFunction) {
					f.Teams = awstest.TeamsOf(map[string][]string{"platform": {"octocat"}, "security": {"mona"}, "newcomers": {"hubot"}})
				})
			}, nil,
			"The sync removed 2 people from a team, which was not in the plan. hubot and mona lost the access of platform. Most likely GitHub gave the function an incomplete list. " + again,
			"2 people were removed from a team, which was not in the plan.",
			[]string{"hubot removed from platform (membership ", "mona removed from platform (membership "},
		},
		{
			"somebody deletes a user by hand",
			nil, func(w *world) { w.store.RemoveUser("mona" + suffix) },
			"While the sync ran, 1 user was deleted that was not in the plan. 2 memberships went with them. mona can't sign in to AWS with SSO now. " +
				"Most likely somebody else changed Identity Center, or the scheduled run did. " + again,
			"1 user was deleted that was not in the plan.",
			[]string{"mona deleted ("},
		},
		{
			"somebody takes a person out of a team by hand",
			nil, func(w *world) { w.store.RemoveMember("platform", "mona"+suffix) },
			"While the sync ran, 1 person was removed from a team, which was not in the plan. mona lost the access of platform. " +
				"Most likely somebody else changed Identity Center, or the scheduled run did. " + again,
			"1 person was removed from a team, which was not in the plan.",
			[]string{"mona removed from platform (membership "},
		},
		{
			"somebody deletes a group and makes it again, which is another one without its access",
			nil, func(w *world) {
				w.store.RemoveGroup("security")
				w.store.AddGroup("security")
				w.store.AddMember("security", "mona"+suffix)
			},
			"While the sync ran, 1 group was deleted that was not in the plan. 1 membership went with it. mona lost the access of security. " +
				"Most likely somebody else changed Identity Center, or the scheduled run did. " + again,
			"1 group was deleted that was not in the plan.",
			[]string{"security: group deleted ("},
		},
		{
			"the function deletes a group that the settings leave out",
			func(w *world) {
				id := w.store.GroupID("azure-aws-sso-admins")
				w.speaks(func(inv *awstest.Invocation) {
					inv.Log("INFO", "deleting group "+id)
					w.store.RemoveGroup("azure-aws-sso-admins")
				})
			}, nil,
			"The sync deleted 1 group that was not in the plan. 1 membership went with it. entra@example.org lost the access of azure-aws-sso-admins. " +
				"By operations.scim-sync.ignore_groups the function leaves azure-aws-sso-admins alone. The function's own settings don't say so. " + again,
			"1 group was deleted that was not in the plan.",
			[]string{"azure-aws-sso-admins: group deleted ("},
		},
		{
			"the function empties a group that the settings leave out",
			func(w *world) {
				id := w.store.MembershipID("azure-aws-sso-admins", "entra@example.org")
				w.speaks(func(inv *awstest.Invocation) {
					inv.Log("INFO", "deleting membership "+id)
					w.store.RemoveMember("azure-aws-sso-admins", "entra@example.org")
				})
			}, nil,
			"The sync removed 1 person from a team, which was not in the plan. entra@example.org lost the access of azure-aws-sso-admins. " +
				"By operations.scim-sync.ignore_groups the function leaves azure-aws-sso-admins alone. The function's own settings don't say so. " + again,
			"1 person was removed from a team, which was not in the plan.",
			[]string{"entra@example.org removed from azure-aws-sso-admins (membership "},
		},
		{
			"somebody deletes a group by hand that the settings leave out",
			nil, func(w *world) { w.store.RemoveGroup("azure-aws-sso-admins") },
			"While the sync ran, 1 group was deleted that was not in the plan. 1 membership went with it. entra@example.org lost the access of azure-aws-sso-admins. " +
				"Most likely somebody else changed Identity Center, or the scheduled run did. " + again,
			"1 group was deleted that was not in the plan.",
			[]string{"azure-aws-sso-admins: group deleted ("},
		},
		{
			"somebody leaves GitHub after the plan was made",
			func(w *world) {
				w.sync.Update(func(f *awstest.SyncFunction) {
					teams := f.Teams
					f.Teams = func() ([]awstest.Team, error) {
						w.github.RemoveMember("newcomers", "hubot")
						return teams()
					}
				})
			}, nil,
			"The sync removed 1 person from a team, which was not in the plan. hubot lost the access of newcomers. " +
				"GitHub doesn't have them any more either: it has changed since the plan was made. " + again,
			"1 person was removed from a team, which was not in the plan.",
			[]string{"hubot removed from newcomers (membership "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.bringInSync()
			if test.before != nil {
				test.before(w)
			}
			walk := w.walk()
			if test.during != nil {
				w.meanwhile(walk, func() { test.during(w) })
			}
			report := w.run(walk)
			if report.OK() {
				t.Errorf("the report is a success: %+v", report)
			}
			if report.Alarm != test.alarm {
				t.Errorf("alarm\n%s\nwant\n%s", report.Alarm, test.alarm)
			}
			if !strings.HasPrefix(report.Summary, test.summary) {
				t.Errorf("summary\n%s\nwant\n%s", report.Summary, test.summary)
			}
			taken := report.Sections[0]
			if taken.Title != "Taken away, not in the plan" || report.Count(ops.Beyond) != len(taken.Outcomes) {
				t.Fatalf("the first section isn't that of what was taken away: %+v", report.Sections)
			}
			if test.taken != nil && len(taken.Outcomes) != len(test.taken) {
				t.Errorf("taken away: %+v, want %q", taken.Outcomes, test.taken)
			}
			for _, want := range test.taken {
				if !slices.ContainsFunc(taken.Outcomes, func(o ops.Outcome) bool { return strings.HasPrefix(o.Text, want) }) {
					t.Errorf("no %q in %+v", want, taken.Outcomes)
				}
			}
		})
	}
}

// Who leaves with a user or a group is named with them.
func TestMembershipsThatGoWithAUserAreNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bringInSync()
	walk := w.walk()
	w.meanwhile(walk, func() { w.store.RemoveUser("mona" + suffix) })
	if got := w.run(walk).Sections[0].Outcomes; len(got) != 1 || got[0].Why != "left platform and security" {
		t.Errorf("outcomes %+v", got)
	}
}

// What the function tries to take away and doesn't is told too: the next run may.
func TestRemovalsThatWereOnlyTried(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bringInSync()
	w.sync.Update(func(f *awstest.SyncFunction) {
		f.Faults.Drop = []string{"hubot", "newcomers", "hubot in platform", "hubot in newcomers", "mona in platform"}
		f.Teams = awstest.TeamsOf(map[string][]string{"platform": {"octocat"}, "security": {"mona"}})
	})
	report := w.run(w.walk())
	failing(t, report, "The function tried to remove more than was planned, and these are still there: hubot, group newcomers and mona in platform.")
	if report.Alarm != "" {
		t.Errorf("alarm %q", report.Alarm)
	}
}

// A removal of an unknown ID isn't a success, whatever it was.
func TestAnnouncedRemovalsOfUnknownIDs(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"deleting group 44444444-4444":      "Announced removals: whether group 44444444-4444 was deleted (not known), ",
		"deleting user 33333333-3333":       "Announced removals: whether user 33333333-3333 was deleted (not known), ",
		"deleting membership 22222222-2222": "Announced removals: whether membership 22222222-2222 was removed (not known), ",
	} {
		t.Run(line, func(t *testing.T) {
			w := newWorld(t)
			w.bringInSync()
			w.speaks(func(inv *awstest.Invocation) {
				inv.Log("INFO", line)
				inv.Log("INFO", line)
			})
			report := w.run(w.walk())
			if got := truth(report); report.OK() || len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("outcomes %q, want %q", got, want)
			}
			if want := "Nothing changed in Identity Center. The function announced "; !strings.HasPrefix(report.Summary, want) {
				t.Errorf("summary %q, want %q", report.Summary, want)
			}
		})
	}
}

// A user who is deleted leaves also the groups that the function leaves alone, and
// the plan says so.
func TestDeletedUsersLeaveTheGroupsThatAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.AddMember("azure-aws-sso-admins", "leaver"+suffix, "mona"+suffix)
	walk := w.walk()
	plan, err := walk.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	effects := strings.Join(plan.Steps[0].Effects, "\n")
	if !strings.Contains(effects, "Remove leaver (") || strings.Count(effects, "azure-aws-sso-admins") != 1 {
		t.Errorf("effects\n%s", effects)
	}
	want := "People: leaver deleted (confirmed), left azure-aws-sso-admins and platform"
	if report := w.run(walk); !report.OK() || !slices.Contains(truth(report), want) {
		t.Errorf("report %+v, want %q", report, want)
	}
}

// The groups that the function leaves alone cost one call each, before and after.
func TestCallsForGroupsThatAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bringInSync()
	id, calls := w.store.GroupID("azure-aws-sso-admins"), 0
	before := len(w.aws.Calls())
	w.run(w.walk())
	for _, call := range w.aws.Calls()[before:] {
		if call.Action == "ListGroupMemberships" && strings.Contains(string(call.Params), id) {
			calls++
		}
	}
	if calls != 2 {
		t.Errorf("%d calls, want one before and one after", calls)
	}
}
