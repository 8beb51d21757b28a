package deleteaccount_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// moments are those of a run at which the desk has the plan made anew.
var moments = []struct {
	name string
	come func(*world, *opstest.Walk)
}{
	{"before it is disabled", func(*world, *opstest.Walk) {}},
	{"when it is tagged, and not moved yet", func(w *world, walk *opstest.Walk) {
		w.aws.Fail("organizations:MoveAccount", awstest.Fault{Code: "ServiceException", Status: 400})
		if err := walk.Step(w.Context()); err != nil || w.account(sinking).Tags["closure-request"] != request {
			w.Fatal(err, w.account(sinking))
		}
		w.aws.Heal("*")
	}},
	{"when it is disabled", func(w *world, walk *opstest.Walk) { w.until(walk, "grace") }},
	{"in the grace", func(w *world, walk *opstest.Walk) {
		w.graced(walk)
		w.clock.Advance(5 * day)
	}},
	{"right before it is closed", func(w *world, walk *opstest.Walk) { w.until(walk, "close") }},
	{"while AWS's quota is waited for", func(w *world, walk *opstest.Walk) {
		w.until(walk, "close")
		w.aws.Fail("organizations:CloseAccount", constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED"))
		for range 3 {
			if err := walk.Step(w.Context()); err != nil {
				w.Fatal(err)
			}
		}
	}},
}

// What would be refused at first is refused whenever the plan is made anew: there
// may be weeks between them.
func TestRefusedInTheMiddleOfARun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		want   string // empty: it goes on
	}{
		{"nothing has changed", func(*world) {}, ""},
		{"it is protected meanwhile", func(w *world) { w.settings.Protected.Accounts = []string{sinking} }, "is protected by the bot's settings"},
		{"its unit is protected meanwhile", func(w *world) { w.settings.Protected.OUs = []string{w.ponds} }, "the organizational unit Ponds (${ponds}), which is protected by the bot's settings"},
		{"the unit of its unit is protected meanwhile", func(w *world) { w.settings.Protected.OUs = []string{w.workloads} }, "the organizational unit Workloads (${workloads}), which is protected by the bot's settings"},
		{"another unit is protected meanwhile", func(w *world) { w.settings.Protected.OUs = []string{"ou-abcd-11111111"} }, ""},
		{"its unit is protected meanwhile, and the tag that says where it was is gone", func(w *world) {
			w.settings.Protected.OUs = []string{w.ponds}
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { delete(a.Tags, "closure-from") })
		}, "the organizational unit Ponds (${ponds}), which is protected by the bot's settings"},
		{"it has a protecting tag meanwhile", func(w *world) {
			w.settings.Protected.Tags = map[string]string{"keep": "yes"}
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Tags["keep"] = "yes" })
		}, "is protected by its tag keep=yes"},
		{"it administers a service meanwhile", func(w *world) { w.o.RegisterDelegatedAdministrator(sinking, "config.amazonaws.com") }, "is a delegated administrator of config.amazonaws.com"},
		{"it is in Terraform again", func(w *world) {
			w.github.Commit(repo, "main", map[string]string{accounts: "id = \"" + sinking + "\"\n"}, "Again")
		}, "is still defined in " + repo},
		{"it is called otherwise meanwhile", func(w *world) {
			w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Name = "pond-monitoring-live" })
		}, "Account " + sinking + " was called " + sinkingName + " when this was asked for. It is called pond-monitoring-live now."},
		{"its state isn't known", func(w *world) { w.o.SetState(sinking, "HIBERNATING", "") }, "is HIBERNATING, so it isn't known whether it can be closed"},
		{"it has left the organisation", func(w *world) { w.o.RemoveAccount(sinking) }, "Account " + sinkingText + " is not in the organisation any more."},
	} {
		for _, moment := range opstest.SomeOf(t, moments, 2) {
			t.Run(test.name+", "+moment.name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				walk := w.walk()
				shown := w.look(walk)
				moment.come(w, walk)
				test.change(w)
				before, writes := w.o.Closed(), w.writes()
				plan, err := w.again(walk, shown)
				switch {
				case test.want != "" && err == nil:
					t.Errorf("plan %+v", plan)
				case test.want != "":
					w.refused(err, ops.Refused, strings.NewReplacer("${ponds}", w.ponds, "${workloads}", w.workloads).Replace(test.want))
				case err != nil:
					t.Error(err)
				case len(plan.Beyond(shown)) > 0:
					t.Errorf("beyond what was shown: %q", plan.Beyond(shown))
				}
				if !slices.Equal(before, w.o.Closed()) || !slices.Equal(writes, w.writes()) {
					t.Error("a plan has changed something")
				}
				w.done()
			})
		}
	}
}

// A unit for disabled accounts inside a protected one is no trap: it is the run
// that moved the account there.
func TestTheRunsOwnMoveProtectsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	platform := w.o.AddOU("Platform", "")
	w.settings.DisabledOU = w.o.AddOU("Disabled", platform)
	w.settings.Protected.OUs = []string{platform}
	walk := w.walk()
	if report := w.watched(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	w.o.AddAccount("999999999999", "lake", "lake@example.org", func(a *awstest.OrgAccount) { a.Parent = w.settings.DisabledOU })
	_, err := w.walkFor("999999999999", "lake").Look(t.Context())
	w.refused(err, ops.Refused, "is in the organizational unit Platform ("+platform+"), which is protected")
}

// Where the plan that was shown has lost its data, the tag says where the account was.
func TestAPlanAnewWithoutItsData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	shown := w.look(walk).WithoutData()
	w.graced(walk)
	if plan, err := w.again(walk, shown); err != nil || len(plan.Beyond(shown)) > 0 {
		t.Errorf("%v, beyond what was shown: %q", err, plan.Beyond(shown))
	}
	w.settings.Protected.OUs = []string{w.workloads}
	_, err := w.again(walk, shown)
	w.refused(err, ops.Refused, "came from the organizational unit "+w.unit(w.workloads)+", which is protected")
	w.done()
}

// The settings that an approval is about stand in the plan, each by its own name.
func TestTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	shown := w.look(w.walk())
	want := []ops.Fact{
		{Label: "Time of grace", Value: "14 days"},
		{Label: "Protected accounts", Value: "none"},
		{Label: "Protected units", Value: "none"},
		{Label: "Protected tags", Value: "none"},
		{Label: "Quota of closings", Value: "20% of the accounts in 30 days, but at least 250 and at most 1000"},
		{Label: "Wait for that quota", Value: "30 days at most"},
		{Label: "Disabled accounts go to", Value: w.unit(w.disabled)},
		{Label: "Closed accounts go to", Value: w.unit(w.closed)},
		{Label: "Terraform repository", Value: repo},
		{Label: "Terraform branch", Value: "its default"},
		{Label: "Terraform paths", Value: "management-account/terraform/organizations-accounts*.tf"},
	}
	if diff := cmp.Diff(want, shown.Terms); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	for _, test := range []struct {
		name   string
		change func(*world)
		want   string
	}{
		{"a shorter grace", func(w *world) { w.settings.Grace = time.Hour }, "Time of grace: 14 days, now 1 hour"},
		{"no grace", func(w *world) { w.settings.Grace = 0 }, "Time of grace: 14 days, now none"},
		{"other protected accounts", func(w *world) { w.settings.Protected.Accounts = []string{rooted, neighbour} }, "Protected accounts: none, now " + neighbour + ", " + rooted},
		{"other protected units", func(w *world) { w.settings.Protected.OUs = []string{"ou-abcd-11111111"} }, "Protected units: none, now ou-abcd-11111111"},
		{"other protected tags", func(w *world) { w.settings.Protected.Tags = map[string]string{"keep": "yes", "b": ""} }, "Protected tags: none, now b=, keep=yes"},
		{"another quota", func(w *world) { w.settings.Quota.Minimum = 3 }, "Quota of closings: 20% of the accounts in 30 days, but at least 250 and at most 1000, now 20% of the accounts in 30 days, but at least 3 and at most 1000"},
		{"no unit for closed accounts", func(w *world) { w.settings.ClosedOU = "" }, "Closed accounts go to: ${closed}, now none"},
		{"another unit for disabled accounts", func(w *world) { w.settings.DisabledOU = w.workloads }, "Disabled accounts go to: ${disabled}, now ${workloads}"},
		{"another branch", func(w *world) { w.settings.Branch = "main" }, "Terraform branch: its default, now main"},
		{"other paths", func(w *world) { w.settings.Paths = []string{"management-account/terraform/*.tf"} }, "Terraform paths: management-account/terraform/organizations-accounts*.tf, now management-account/terraform/*.tf"},
		{"not how often it looks", func(w *world) { w.settings.Poll, w.settings.WarnSpend = time.Hour, 7 }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.walk()
			shown := w.look(walk)
			test.change(w)
			plan, err := w.again(walk, shown)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.NewReplacer("${disabled}", w.unit(w.disabled), "${closed}", w.unit(w.closed), "${workloads}", w.unit(w.workloads)).Replace(test.want)
			if got := strings.Join(plan.NewTerms(shown), "; "); got != want {
				t.Errorf("new terms %q, want %q", got, want)
			}
		})
	}
	t.Run("without a repository", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		shown := w.look(w.walk())
		w.settings.Repository = ""
		plan := w.look(w.walk())
		if got := plan.NewTerms(shown); len(got) != 3 {
			t.Errorf("new terms %q", got)
		}
	})
}

// A run goes by the grace that was approved, not by the settings of the day.
func TestTheGraceIsTheApprovedOne(t *testing.T) {
	t.Parallel()
	for _, grace := range []time.Duration{0, time.Hour, 100 * day} {
		t.Run(grace.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.walk()
			w.graced(walk)
			began := w.clock.Now()
			w.settings.Grace = grace
			w.until(walk, "close")
			if waited := w.clock.Now().Sub(began); waited < 14*day-time.Minute || waited > 14*day+time.Minute {
				t.Errorf("waited for %v", waited)
			}
			w.done()
		})
	}
}
