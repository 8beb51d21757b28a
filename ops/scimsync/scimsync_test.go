package scimsync_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
)

func TestPlanSaysByNameWhatTheFunctionWillDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan := w.look()
	id := func(name string) string {
		if u := w.store.UserID(name + suffix); u != "" {
			return name + " (" + u + ")"
		}
		return name + " (" + w.store.GroupID(name) + ")"
	}
	want := []string{
		"Invoke the Lambda function aws-sso-scim-github in eu-west-2 with {}",
		"Remove " + id("leaver") + " from team " + id("platform") + ", membership " + w.store.MembershipID("platform", "leaver"+suffix),
		"Delete user leaver" + suffix + " (" + w.store.UserID("leaver"+suffix) + ")",
		"Delete group " + id("retired") + ", with 1 member: octocat",
		"Remove " + id("octocat") + " from team " + id("security") + ", membership " + w.store.MembershipID("security", "octocat"+suffix),
		"Create group newcomers",
		"Create user hubot" + suffix,
		"Add hubot (new user) to team newcomers (new group)",
		"Add hubot (new user) to team " + id("platform"),
		"Add " + id("mona") + " to team " + id("platform"),
	}
	if diff := cmp.Diff(want, plan.Effects()); diff != "" {
		t.Errorf("effects (-want +got):\n%s", diff)
	}
	if want := "The sync will delete 1 user, delete 1 group, remove 3 memberships, create 1 group, create 1 user and add 3 memberships, in 4 teams."; plan.Summary != want {
		t.Errorf("summary %q, want %q", plan.Summary, want)
	}
	if plan.Approval != (ops.Rule{}) || len(plan.Warnings) > 0 {
		t.Errorf("approval %v, warnings %v", plan.Approval, plan.Warnings)
	}
	if again := w.look(); again.Digest() != plan.Digest() {
		t.Error("the same plan of the same world has another digest")
	}
	w.done(0)
}

func TestRunSaysByNameWhatHappened(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	entra, azure := w.store.UserID("entra@example.org"), w.store.GroupID("azure-aws-sso-admins")
	leaver, retired := w.store.UserID("leaver"+suffix), w.store.GroupID("retired")
	left := w.store.MembershipID("security", "octocat"+suffix)
	walk := w.walk()
	report := w.run(walk)
	if !report.OK() {
		t.Errorf("problems: %v", report.Problems)
	}
	want := []string{
		"People: hubot created (confirmed)", "People: hubot added (confirmed), to newcomers and platform",
		"People: leaver deleted (confirmed), left platform",
		"People: mona added (confirmed), to platform", "People: octocat removed (confirmed), from security",
		"Groups: retired: group deleted (confirmed), with 1 member: octocat", "Groups: newcomers: group created (confirmed)",
	}
	if diff := cmp.Diff(want, truth(report)); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if want := "Read back from Identity Center: 3 memberships added, 3 memberships removed, 1 user created, 1 user deleted, 1 group created and 1 group deleted."; report.Summary != want {
		t.Errorf("summary %q, want %q", report.Summary, want)
	}

	log := text(walk.Lines())
	octocat, mona, hubot := w.store.UserID("octocat"+suffix), w.store.UserID("mona"+suffix), w.store.UserID("hubot"+suffix)
	platform, security, newcomers := w.store.GroupID("platform"), w.store.GroupID("security"), w.store.GroupID("newcomers")
	for _, line := range []string{
		"change creating group newcomers",
		"change creating user hubot" + suffix,
		"change deleting user leaver (" + leaver + ")",
		"change deleting group retired (" + retired + ")",
		"change creating group membership for user mona (" + mona + ") in group platform (" + platform + ")",
		"change creating group membership for user hubot (" + hubot + ") in group newcomers (" + newcomers + ")",
		"change deleting membership " + left + " of user octocat (" + octocat + ") in group security (" + security + ")",
		"reading Fetching group memberships for group newcomers (" + newcomers + "), attempt 1 of 3...",
	} {
		if strings.Count(log, line+"\n") != 1 {
			t.Errorf("the log doesn't have this once: %s\n%s", line, log)
		}
	}
	id := w.aws.Invocations(function)[0].RequestID
	for _, line := range []string{"START RequestId: " + id, "END RequestId: " + id, "REPORT RequestId: " + id, "request ID " + id + "."} {
		if strings.Count(log, line) != 1 {
			t.Errorf("the log doesn't have this once: %s\n%s", line, log)
		}
	}
	if strings.Contains(log, "INIT_START") {
		t.Error("the log has Lambda's note about the runtime")
	}
	if w.store.UserID("entra@example.org") != entra || w.store.GroupID("azure-aws-sso-admins") != azure || w.store.MembershipID("azure-aws-sso-admins", "entra@example.org") == "" {
		t.Error("what comes from Entra ID was touched")
	}
	w.synced()
	w.done(1)
}

func TestRunWithNothingToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.walk())
	walk := w.walk()
	report := w.run(walk)
	if plan := walk.Plan(); len(plan.Effects()) != 1 || plan.Summary != "Identity Center is as GitHub is: the sync has nothing to change." {
		t.Errorf("plan %q with %v", plan.Summary, plan.Effects())
	}
	if !report.OK() || len(report.Sections) > 0 || report.Summary != "Nothing changed in Identity Center." {
		t.Errorf("report %+v", report)
	}
	w.done(2)
}

func TestPreviewRunsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.store.Snapshot()
	walk := w.walk()
	walk.Request.Preview = true
	if err := walk.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.store.Snapshot()); diff != "" {
		t.Errorf("identity store:\n%s", diff)
	}
	if n := w.aws.Count("lambda:*") + w.aws.Count("logs:*"); n > 0 {
		t.Errorf("%d calls of Lambda and its log", n)
	}
	if !slices.ContainsFunc(walk.Progress(), func(s string) bool { return strings.Contains(s, "GitHub: 3 of 3 teams") }) ||
		!slices.ContainsFunc(walk.Progress(), func(s string) bool { return strings.Contains(s, "Identity Center: 4 of 4 groups") }) {
		t.Errorf("progress %q", walk.Progress())
	}
	w.done(0)
}

func TestPeopleAskedForByName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		people []string
		fact   string
		want   []string
	}{
		{
			"someone who stays and leaves",
			[]string{"octocat"},
			"in Identity Center: platform, retired, security; on GitHub: platform",
			[]string{"octocat: in platform since before this run", "octocat: no longer in retired, since this run (confirmed)", "octocat: no longer in security, since this run (confirmed)"},
		},
		{
			"someone who joins, typed in another case",
			[]string{"MONA"},
			"in Identity Center: security; on GitHub: platform, security",
			[]string{"mona: in platform since this run (confirmed)", "mona: in security since before this run"},
		},
		{
			"someone who has no user yet",
			[]string{"hubot"},
			"in Identity Center: no team; on GitHub: newcomers, platform",
			[]string{"hubot: in newcomers since this run (confirmed)", "hubot: in platform since this run (confirmed)"},
		},
		{
			"someone who is only in teams that are ignored",
			[]string{"stranger"},
			"in Identity Center: no team; on GitHub: no team",
			[]string{"stranger: has no user in Identity Center"},
		},
		{
			"someone who loses their user",
			[]string{"leaver"},
			"in Identity Center: platform; on GitHub: no team",
			[]string{"leaver: no longer in platform, since this run (confirmed)", "leaver: has no user in Identity Center"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.github.AddUser("leaver")
			walk := w.walk(test.people...)
			report := w.run(walk)
			if got := truth(report); len(got) < len(test.want) || cmp.Diff(test.want, got[:len(test.want)]) != "" {
				t.Errorf("got %q, want first %q", got, test.want)
			}
			facts := walk.Plan().Facts
			if fact := facts[len(facts)-1]; fact.Label != strings.ToLower(test.people[0]) || fact.Value != test.fact {
				t.Errorf("fact %+v, want %q", fact, test.fact)
			}
			w.done(1)
		})
	}
}

func TestPersonInNoTeamIsWarnedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if warnings := w.look("stranger").Warnings; !slices.Equal(warnings, []string{"stranger is in none of the organisation's teams."}) {
		t.Errorf("warnings %q", warnings)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
		want   []string // effects beyond those of the story
		gone   []string // effects of the story that are none any more, by their beginning
	}{
		{
			"users and groups in capitals are the same ones", func(w *world) {
				w.store.AddUser("HuBot" + suffix)
				w.store.AddGroup("Newcomers")
			}, nil, []string{"Create group", "Create user", "Add hubot (new user) to team newcomers (new group)"},
		},
		{
			"a user made by hand without the suffix, whose login is on GitHub, is that user", func(w *world) {
				w.store.AddUser("hubot")
			}, nil, []string{"Create user"},
		},
		{
			"a user made by hand whom GitHub doesn't have is deleted", func(w *world) {
				w.store.AddUser("byhand@example.org")
			}, []string{"Delete user byhand@example.org"}, nil,
		},
		{
			"a user from Entra ID in a team of GitHub's leaves it, and stays", func(w *world) {
				w.store.AddMember("platform", "entra@example.org")
			}, []string{"Remove entra@example.org"}, nil,
		},
		{
			"a child team's members are in the parent too", func(w *world) {
				w.github.AddTeam("platform-night", "platform")
				w.github.AddMember("platform-night", "owl")
			}, []string{"Create group platform-night", "Create user owl", "Add owl (new user) to team platform ", "Add owl (new user) to team platform-night "}, nil,
		},
		{
			"somebody invited is no member yet", func(w *world) { w.github.AddPending("platform", "invited") }, nil, nil,
		},
		{
			"an empty team gets a group", func(w *world) { w.github.AddTeam("empty") }, []string{"Create group empty"}, nil,
		},
		{
			"pages are read to their end", func(w *world) {
				w.aws.SetPageSize(1)
			}, nil, nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			before := w.look().Effects()
			test.change(w)
			plan := w.look()
			has := func(effects []string, beginning string) bool {
				return slices.ContainsFunc(effects, func(e string) bool { return strings.HasPrefix(e, beginning) })
			}
			for _, e := range test.want {
				if has(before, e) || !has(plan.Effects(), e) {
					t.Errorf("%q isn't a new effect; effects:\n%s", e, strings.Join(plan.Effects(), "\n"))
				}
			}
			for _, e := range test.gone {
				if !has(before, e) || has(plan.Effects(), e) {
					t.Errorf("%q is still an effect; effects:\n%s", e, strings.Join(plan.Effects(), "\n"))
				}
			}
			if len(test.want)+len(test.gone) == 0 && cmp.Diff(before, plan.Effects()) != "" {
				t.Errorf("effects changed:\n%s", cmp.Diff(before, plan.Effects()))
			}
			// What the plan says is what the function does.
			if report := w.run(w.walk()); !report.OK() || slices.ContainsFunc(report.Sections, func(s ops.Section) bool { return strings.Contains(s.Title, "not in the plan") }) {
				t.Errorf("report %+v", report)
			}
			if w.store.UserID("entra@example.org") == "" {
				t.Error("the user from Entra ID is gone")
			}
			w.synced()
			w.done(1)
		})
	}
}

func TestGitHubPagesAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 101 {
		w.github.AddTeam("many-" + string(rune('a'+i/26)) + string(rune('a'+i%26)))
	}
	if got := w.look().Facts[0].Value; got != "104 teams with 3 people in ministryofjustice" {
		t.Errorf("GitHub: %s", got)
	}
	if w.github.Count("GET /orgs/*/teams$?page=2")+w.github.Count("GET /organizations/*/teams$?page=2") != 1 {
		t.Errorf("the second page wasn't read once: %v", w.github.Calls()[:3])
	}
}

func TestMaxDeletions(t *testing.T) {
	t.Parallel()
	// The story deletes leaver with the membership of platform, the group retired with
	// two memberships, and octocat's membership of security: six.
	for _, test := range []struct {
		name      string
		most      int
		approvals int
	}{
		{"as many deletions as allowed need no approval", 6, 0},
		{"one more needs an approval", 5, 1},
		{"with none allowed, any needs an approval", 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			// A membership that goes with its user and with its group counts once.
			w.store.AddMember("retired", "leaver"+suffix)
			w.settings.MaxDeletions = test.most
			plan := w.look()
			if plan.Approval.Count != test.approvals {
				t.Errorf("approval %+v", plan.Approval)
			}
			if want := fmt.Sprintf("The sync would delete 1 user and 1 group and remove 2 people from teams (4 memberships) (limit without approval: %d).", test.most); test.approvals > 0 && plan.Approval.Why != want {
				t.Errorf("why: %s", plan.Approval.Why)
			}
			if !slices.ContainsFunc(plan.Facts, func(f ops.Fact) bool { return f.Label == "Deletions" && strings.HasPrefix(f.Value, "6, of at most ") }) {
				t.Errorf("facts %v", plan.Facts)
			}
			w.done(0)
		})
	}
}

func TestIdentityCenterEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.IdentityStore("d-0000000000")
	w.settings.IdentityStore = "d-0000000000"
	w.role(lookRole, w.fill(w.operation().Access.Look))
	plan := w.look()
	if len(plan.Warnings) != 1 || !strings.Contains(plan.Warnings[0], "Is d-0000000000 the right identity store?") {
		t.Errorf("warnings %q", plan.Warnings)
	}
	if plan.Approval.Count != 0 || !strings.Contains(plan.Summary, "create 3 groups, create 3 users and add 5 memberships") {
		t.Errorf("plan %q, approval %+v", plan.Summary, plan.Approval)
	}
	w.done(0)
}

func TestAdditionsBeyondThePlanAreNoFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	if _, err := walk.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	// After the plan somebody joins a team, and somebody else another one.
	w.github.AddMember("security", "octocat")
	w.github.AddMember("platform", "late")
	report := w.run(walk)
	if !report.OK() || report.Alarm != "" {
		t.Errorf("the report is a failure: %+v", report)
	}
	got := truth(report)
	for _, line := range []string{
		"People: octocat stays in security: joined again on GitHub after the plan was made",
		"Added meanwhile, not in the plan: late created",
		"Added meanwhile, not in the plan: late added to platform",
	} {
		if !slices.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, strings.Join(got, "\n"))
		}
	}
	w.done(1)
}
