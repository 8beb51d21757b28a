package scimsync_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/scimsync"
)

func TestTermsOfAPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := []ops.Fact{
		{Label: "Deletions without an approval", Value: "20"},
		{Label: "Function", Value: "aws-sso-scim-github in eu-west-2"},
		{Label: "Identity store", Value: storeID},
		{Label: "Ignored teams", Value: "all-org-members, business-units"},
		{Label: "Ignored groups", Value: "azure-aws-sso-*"},
		{Label: "E-mail suffix", Value: suffix},
	}
	shown := w.look()
	if diff := cmp.Diff(want, shown.Terms); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	w.settings.MaxDeletions, w.settings.IgnoreTeams = 500, nil
	want2 := []string{"Deletions without an approval: 20, now 500", "Ignored teams: all-org-members, business-units, now none"}
	if diff := cmp.Diff(want2, w.look().NewTerms(shown)); diff != "" {
		t.Errorf("new terms (-want +got):\n%s", diff)
	}
}

// A run goes by the settings that its plan was made with, also after a restart with
// other ones.
func TestARunGoesByThePlansSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	walk.Fresh = true
	w.meanwhile(walk, func() {
		w.settings.IdentityStore, w.settings.EmailSuffix, w.settings.Function = "d-0000000000", "@example.org", "another"
		w.settings.IgnoreGroups, w.settings.IgnoreTeams = []string{"*"}, nil
	})
	if report := w.run(walk); !report.OK() || report.Count(ops.Confirmed) != 7 {
		t.Errorf("report %+v", report)
	}
	w.done(1)
}

// A deleted user's teams are named, in the plan and in the result, and each counts
// as the removal that it is.
func TestADeletedUserLeavesTheirTeams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.store.AddUser("mallory" + suffix)
	for _, team := range []string{"payments-prod", "courts-dev"} {
		w.github.AddTeam(team)
		w.store.AddGroup(team)
		w.store.AddMember(team, "mallory"+suffix)
	}
	walk := w.walk()
	plan, err := walk.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(plan.Effects(), func(e string) bool { return strings.HasPrefix(e, "Delete user mallory"+suffix) })
	if at < 2 {
		t.Fatalf("effects:\n%s", strings.Join(plan.Effects(), "\n"))
	}
	for i, team := range []string{"courts-dev", "payments-prod"} {
		want := "Remove mallory (" + w.store.UserID("mallory"+suffix) + ") from team " + team + " (" + w.store.GroupID(team) + "), membership " + w.store.MembershipID(team, "mallory"+suffix)
		if got := plan.Effects()[at-2+i]; got != want {
			t.Errorf("effect %q, want %q", got, want)
		}
	}
	fact := func(label string) string {
		for _, f := range plan.Facts {
			if f.Label == label {
				return f.Value
			}
		}
		return ""
	}
	// leaver and platform; retired and octocat; octocat and security; mallory and two teams.
	if got, want := fact("Deletions"), "8, of at most 20 without an approval"; got != want {
		t.Errorf("deletions %q, want %q", got, want)
	}
	if got, want := fact("Deleted users"), "leaver leaves platform, and is deleted; mallory leaves courts-dev and payments-prod, and is deleted"; got != want {
		t.Errorf("deleted users %q, want %q", got, want)
	}
	report := w.run(walk)
	if got, want := truth(report), "People: mallory deleted (confirmed), left courts-dev and payments-prod"; !report.OK() || !slices.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, strings.Join(got, "\n"))
	}
	w.done(1)
}

// A plan that is made again while its own run is under way has no effect that wasn't
// shown, wherever the function stands; nor has one with less to do.
func TestPlanMadeAgain(t *testing.T) {
	t.Parallel()
	// again makes the plan as the desk does, with the one that was shown.
	again := func(w *world, shown ops.Plan) ops.Plan {
		r := w.walk().Request
		r.Shown = &shown
		plan, err := w.operation().Plan(t.Context(), r, func(string, ...any) {})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	for _, test := range []struct {
		name   string
		change func(*world)
		beyond []string // the beginnings of what is new
	}{
		{"nothing changed", func(*world) {}, nil},
		{"a person comes back to a team", func(w *world) { w.github.AddMember("security", "octocat") }, nil},
		{"a person comes back who was to be deleted", func(w *world) { w.github.AddMember("platform", "leaver") }, nil},
		{"a person comes back to another team than before", func(w *world) { w.github.AddMember("newcomers", "leaver") }, []string{"Add leaver ("}},
		{"a member of a group to be deleted has left it", func(w *world) { w.store.RemoveMember("retired", "octocat"+suffix) }, nil},
		{"a person joins a group that is to be deleted", func(w *world) { w.store.AddMember("retired", "mona"+suffix) }, []string{"Delete group retired ("}},
		{"a person who is to be deleted joins another team", func(w *world) { w.store.AddMember("security", "leaver"+suffix) }, []string{"Remove leaver ("}},
		{"a person who is to be deleted has left a team", func(w *world) { w.store.RemoveMember("platform", "leaver"+suffix) }, nil},
		{"a new user has been made", func(w *world) { w.store.AddUser("hubot" + suffix) }, nil},
		{"a new group has been made", func(w *world) { w.store.AddGroup("newcomers") }, nil},
		{"a user to be added to a team is another one by now", func(w *world) {
			w.store.RemoveUser("mona" + suffix)
			w.store.AddUser("mona" + suffix)
		}, []string{"Add mona (", "Add mona ("}},
		{"somebody else leaves GitHub", func(w *world) { w.github.RemoveMember("security", "mona") }, []string{"Remove mona ("}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			shown := w.look()
			test.change(w)
			beyond := again(w, shown).Beyond(shown)
			if len(beyond) != len(test.beyond) {
				t.Fatalf("beyond what was shown: %q, want %q", beyond, test.beyond)
			}
			for i, want := range test.beyond {
				if !strings.HasPrefix(beyond[i], want) {
					t.Errorf("beyond what was shown: %q, want %q", beyond[i], want)
				}
			}
		})
	}
	t.Run("in the middle of the function's run", func(t *testing.T) {
		w := newWorld(t)
		shown := w.look()
		step, next := make(chan awstest.SyncEntity), make(chan bool)
		w.sync.Update(func(f *awstest.SyncFunction) {
			f.Gate = func(ctx context.Context, e awstest.SyncEntity) {
				select {
				case step <- e:
				case <-ctx.Done():
				}
				select {
				case <-next:
				case <-ctx.Done():
				}
			}
		})
		w.aws.Trigger(function)
		for range 8 {
			e := <-step
			if beyond := again(w, shown).Beyond(shown); len(beyond) > 0 {
				t.Errorf("before %s %s %s, beyond what was shown: %q", e.Verb, e.Kind, e.Name, beyond)
			}
			next <- true
		}
		if err := w.rest(t.Context()); err != nil {
			t.Fatal(err)
		}
		if plan := again(w, shown); len(plan.Effects()) != 1 || len(plan.Beyond(shown)) > 0 {
			t.Errorf("after the run: %q", plan.Effects())
		}
	})
}

// What holds right before the call is what the result is judged by, also if the desk
// has made the plan again since.
func TestResultIsJudgedByWhatHeldBeforeTheCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bringInSync()
	w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.EmptyGitHub = true })
	walk := w.walk()
	if _, err := walk.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := walk.Step(t.Context()); err != nil { // the function is invoked
		t.Fatal(err)
	}
	if err := w.rest(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := walk.Look(t.Context()); err != nil { // and by now has deleted everybody
		t.Fatal(err)
	}
	if report := w.run(walk); !strings.HasPrefix(report.Alarm, "The sync deleted 3 users and 3 groups that were not in the plan.") {
		t.Errorf("report %+v", report)
	}
}

func TestWhyAPlanNeedsAnApproval(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(w *world)
		want   string
	}{
		{"users and memberships", func(w *world) {
			for _, login := range []string{"a1", "a2", "a3"} {
				w.store.AddUser(login + suffix)
				w.store.AddMember("platform", login+suffix)
			}
		}, "The sync would delete 3 users and remove 3 people from a team (limit without approval: 0)."},
		{"one user without a team", func(w *world) { w.store.AddUser("a1" + suffix) }, "The sync would delete 1 user (limit without approval: 0)."},
		{"one membership", func(w *world) { w.store.AddMember("security", "octocat"+suffix) }, "The sync would remove 1 person from a team (limit without approval: 0)."},
		{"people in several teams", func(w *world) {
			w.store.AddMember("security", "octocat"+suffix)
			w.store.AddMember("newcomers", "octocat"+suffix, "mona"+suffix)
		}, "The sync would remove 2 people from teams (3 memberships) (limit without approval: 0)."},
		{"a group with members", func(w *world) {
			w.store.AddGroup("old")
			w.store.AddMember("old", "octocat"+suffix, "mona"+suffix)
		}, "The sync would delete 1 group and remove 2 people from a team (limit without approval: 0)."},
		{"groups", func(w *world) { w.store.AddGroup("old"); w.store.AddGroup("older") }, "The sync would delete 2 groups (limit without approval: 0)."},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.bringInSync()
			w.settings.MaxDeletions = 0
			test.change(w)
			if got := w.look().Approval; got.Count != 1 || got.Why != test.want {
				t.Errorf("approval %+v, want %q", got, test.want)
			}
		})
	}
}

// A plan from before the terms were kept goes by the settings.
func TestPlanWithoutTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var data map[string]json.RawMessage
	if err := json.Unmarshal(w.look().Data, &data); err != nil {
		t.Fatal(err)
	}
	delete(data, "terms")
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	if store, err := scimsync.PlannedStore(w.settings, text); err != nil || store != storeID {
		t.Errorf("the store is %q, %v", store, err)
	}
}
