package scimsync_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// Every fault while planning ends it.
func TestPlanFails(t *testing.T) {
	t.Parallel()
	const teams, members = "/orgs/ministryofjustice/teams$", "/orgs/*/teams/*/members"
	reset := time.Now().Add(20 * time.Minute).Truncate(time.Second)
	for _, test := range []struct {
		name   string
		people []string
		fault  func(*world)
		kind   ops.Kind
		parts  []string
	}{
		{
			"a login that isn't on GitHub",
			[]string{"octocat", "ghost"},
			func(*world) {}, ops.Invalid,
			[]string{"GitHub has no user ghost.", "Check the spelling"},
		},
		{
			"GitHub accepts no credentials", nil, func(w *world) { w.github.RevokeToken("ghp_reader") }, ops.Unavailable,
			[]string{"GitHub doesn't accept the bot's credentials (401).", "renew"},
		},
		{
			"GitHub's rate limit is used up", nil, func(w *world) { w.github.Fail(teams, githubtest.Fault{RateLimited: true, Reset: reset}) }, ops.Unavailable,
			[]string{"GitHub's rate limit for the bot is used up (403).", reset.UTC().Format("15:04:05") + " UTC"},
		},
		{
			"GitHub's rate limit is used up, with 429", nil, func(w *world) { w.github.Fail(teams, githubtest.Fault{RateLimited: true, Status: 429}) }, ops.Unavailable,
			[]string{"GitHub asks the bot to slow down (429)."},
		},
		{
			"GitHub's secondary limit", nil, func(w *world) { w.github.Fail(members, githubtest.Fault{Secondary: true, RetryAfter: 2 * time.Minute}) }, ops.Unavailable,
			[]string{"GitHub asks the bot to slow down (secondary rate limit).", "Try again in 2m0s."},
		},
		{
			"GitHub's secondary limit, without saying how long", nil, func(w *world) { w.github.Fail(members, githubtest.Fault{Secondary: true}) }, ops.Unavailable,
			[]string{"GitHub asks the bot to slow down (secondary rate limit).", "Try again in "},
		},
		{
			"GitHub refuses for want of a permission", nil, func(w *world) {
				w.github.Fail(teams, githubtest.Fault{Status: 403, Message: "Resource not accessible by integration"})
			}, ops.Unavailable,
			[]string{"GitHub refused the bot (403): Resource not accessible by integration.", "read access to the organisation's members"},
		},
		{
			"GitHub is in trouble", nil, func(w *world) { w.github.Fail(teams, githubtest.Fault{Status: 502, Body: "<html>Unicorn!</html>"}) }, ops.Unavailable,
			[]string{"GitHub answered 502 to GET /orgs/ministryofjustice/teams.", "githubstatus.com"},
		},
		{
			"GitHub is in trouble with one team's members", nil, func(w *world) { w.github.Fail(members, githubtest.Fault{Status: 503}) }, ops.Unavailable,
			[]string{"GitHub answered 503 to GET /orgs/ministryofjustice/teams/", "/members: "},
		},
		{
			"GitHub doesn't know the organisation", nil, func(w *world) { w.github.Fail(teams, githubtest.Fault{Status: 404}) }, ops.Unavailable,
			[]string{"GitHub answered 404 to GET /orgs/ministryofjustice/teams."},
		},
		{
			"GitHub doesn't answer", nil, func(w *world) {
				w.github.Fail(members, githubtest.Fault{Hang: true, Times: 1})
				w.impatient(200 * time.Millisecond)
			}, ops.Unavailable,
			[]string{"GitHub did not answer in time."},
		},
		{
			"GitHub is away", nil, func(w *world) { w.github.Close() }, ops.Unavailable,
			[]string{"GitHub could not be reached."},
		},
		{
			"GitHub's answer is cut off", nil, func(w *world) { w.github.Fail(members, githubtest.Fault{Cut: true}) }, ops.Unavailable,
			[]string{"GitHub could not be reached."},
		},
		{
			"GitHub is away when somebody is looked up",
			[]string{"octocat"},
			func(w *world) { w.github.Close() }, ops.Unavailable,
			[]string{"GitHub could not be reached."},
		},
		{
			"GitHub is in trouble when somebody is looked up",
			[]string{"octocat"},
			func(w *world) { w.github.Fail("/users", githubtest.Fault{Status: 500}) }, ops.Unavailable,
			[]string{"GitHub answered 500 to GET /users/octocat."},
		},
		{
			"GitHub has no teams", nil, func(w *world) {
				for team := range w.github.Teams() {
					w.github.RemoveTeam(team)
				}
			}, ops.Refused,
			[]string{"GitHub says that the organisation ministryofjustice has no teams.", "would delete every group and user"},
		},
		{
			"GitHub has no teams but those to ignore", nil, func(w *world) {
				for _, team := range []string{"platform", "security", "newcomers"} {
					w.github.RemoveTeam(team)
				}
			}, ops.Refused,
			[]string{"would delete every group and user"},
		},
		{
			"throttling without an end", nil, func(w *world) {
				w.aws.Fail("identitystore:ListGroupMemberships", awstest.Fault{Code: "ThrottlingException"})
			}, ops.Unavailable,
			[]string{"AWS is throttling identitystore:ListGroupMemberships", "Try again"},
		},
		{
			"AWS is in trouble", nil, func(w *world) {
				w.aws.Fail("identitystore:ListUsers", awstest.Fault{Code: "InternalServerException", Message: "Something broke"})
			}, ops.Unavailable,
			[]string{"AWS answered identitystore:ListUsers with InternalServerException: Something broke."},
		},
		{
			"AWS doesn't know the identity store", nil, func(w *world) {
				w.settings.IdentityStore = "d-ffffffffff"
				w.role(lookRole, w.fill(w.operation().Access.Look))
			}, ops.Unavailable,
			[]string{"AWS answered identitystore:List", "with ResourceNotFoundException"},
		},
		{
			"AWS is away", nil, func(w *world) { w.aws.Close() }, ops.Unavailable,
			[]string{"AWS could not be reached for sts:AssumeRole."},
		},
		{
			"AWS hangs up", nil, func(w *world) { w.aws.Fail("identitystore:ListUsers", awstest.Fault{Cut: true}) }, ops.Unavailable,
			[]string{"AWS could not be reached for identitystore:ListUsers."},
		},
		{
			"AWS doesn't accept the bot's own credentials", nil, func(w *world) {
				w.aws.Fail("sts:AssumeRole", awstest.Fault{Code: "ExpiredToken", Status: http.StatusForbidden})
			}, ops.Unavailable,
			[]string{"AWS doesn't accept the bot's credentials, which have run out (ExpiredToken at sts:AssumeRole).", "renew"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.store.Snapshot()
			test.fault(w)
			_, err := w.walk(test.people...).Look(t.Context())
			refused(t, err, test.kind, test.parts...)
			speaksOfThePast(t, err)
			if words := ops.Words(err, request); strings.Contains(words, "ghp_reader") || strings.Contains(words, w.aws.SecretAccessKey) {
				t.Errorf("the words hold a secret: %s", words)
			}
			if after := w.store.Snapshot(); len(after.Users) != len(before.Users) {
				t.Errorf("users %v", after.Users)
			}
			w.done(0)
		})
	}
}

func TestPlanFailsWhenAWSDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.Fail("identitystore:*", awstest.Fault{Hang: true}) // users and groups are listed at once
	// The desk gives planning a deadline.
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := w.walk().Look(ctx)
	refused(t, err, ops.Unavailable, "AWS did not answer identitystore:List", " in time.")
}

func TestThrottlingIsWaitedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, action := range []string{"identitystore:ListUsers", "identitystore:ListGroups", "identitystore:ListGroupMemberships"} {
		w.aws.Fail(action, awstest.Fault{Code: "ThrottlingException", Times: 7})
	}
	w.aws.Fail("sts:AssumeRole", awstest.Fault{Code: "Throttling", Times: 2})
	if report := w.run(w.walk()); !report.OK() {
		t.Errorf("problems %v", report.Problems)
	}
	w.synced()
	w.done(1)
}

// The words for people name the action that was refused, and the role.
func TestAccessDeniedNamesActionAndRole(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"sts:AssumeRole", "sts:SetSourceIdentity"} {
		t.Run("the role for looking doesn't trust the bot with "+action, func(t *testing.T) {
			w := newWorld(t)
			w.aws.AddRole(awstest.Role{ARN: lookRole, Policy: w.fill(w.operation().Access.Look), Trust: withoutStatement(t, action)})
			_, err := w.walk().Look(t.Context())
			refused(t, err, ops.Unavailable, "doesn't let the bot assume the role "+lookRole+" ("+action+" was refused)", "manifests/iam")
			w.done(0)
		})
	}
	for _, action := range []string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"} {
		t.Run("the role for acting doesn't trust the bot with "+action, func(t *testing.T) {
			w := newWorld(t)
			w.aws.AddRole(awstest.Role{ARN: actRole, Policy: w.fill(w.operation().Access.Act), Trust: withoutStatement(t, action)})
			walk := w.walk()
			err := walk.Run(t.Context())
			refused(t, err, ops.Unavailable, "doesn't let the bot assume the role "+actRole+" ("+action+" was refused)", "manifests/iam")
			w.done(0)
			// Nothing was sent, so a later call may invoke.
			w.role(actRole, w.fill(w.operation().Access.Act))
			if report := w.run(walk); !report.OK() {
				t.Errorf("problems %v", report.Problems)
			}
			w.done(1)
		})
	}
	for _, action := range []string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"} {
		t.Run("the bot's own identity lacks "+action, func(t *testing.T) {
			own := policy{Version: "2012-10-17", Statement: []statement{{
				Effect: "Allow", Resource: words{lookRole, actRole},
				Action: without(words{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"}, action),
			}}}
			w := newWorldWith(t, awstest.Options{Policy: own.text(t)})
			refused(t, w.walk().Run(t.Context()), ops.Unavailable, "doesn't let the bot assume the role "+lookRole[:len(lookRole)-4], "("+action+" was refused)", "The bot's own identity")
			w.done(0)
		})
	}
	t.Run("the role doesn't exist", func(t *testing.T) {
		w := newWorld(t)
		w.aws.RemoveRole(lookRole)
		_, err := w.walk().Look(t.Context())
		refused(t, err, ops.Unavailable, "doesn't let the bot assume the role "+lookRole, "The bot's own identity")
		w.done(0)
	})
}

// withoutStatement is the trust policy without its statement of an action.
func withoutStatement(t *testing.T, action string) string {
	p := parsePolicy(t, strings.ReplaceAll(awsaccess.Trust, "${bot_role}", botRole))
	for i, s := range p.Statement {
		if s.Action[0] == action {
			p.Statement = append(p.Statement[:i], p.Statement[i+1:]...)
			return p.text(t)
		}
	}
	t.Fatalf("the trust policy doesn't have %s", action)
	return ""
}

// The operation's policies are sufficient and minimal: with exactly them it
// passes, and without any one action or resource of them it is refused.
func TestPolicies(t *testing.T) {
	t.Parallel()
	t.Run("exactly the policies are enough", func(t *testing.T) {
		w := newWorld(t)
		w.aws.SetPageSize(1)
		if report := w.run(w.walk("octocat")); !report.OK() {
			t.Errorf("problems %v", report.Problems)
		}
		for _, call := range w.aws.Calls() {
			if !call.Allowed {
				t.Errorf("%s was refused", call.Name())
			}
		}
		w.done(1)
	})
	w := &world{settings: settings()}
	access := w.settings.Operation(nil, nil, "").Access
	for _, stage := range []struct{ role, policy string }{{lookRole, access.Look}, {actRole, access.Act}} {
		p := parsePolicy(t, w.fill(stage.policy))
		for i, s := range p.Statement {
			for _, action := range s.Action {
				if strings.ContainsAny(action, "*?") {
					t.Errorf("the action %s has a wildcard", action)
				}
				t.Run("without the action "+action, func(t *testing.T) {
					less := parsePolicy(t, w.fill(stage.policy))
					less.Statement[i].Action = without(s.Action, action)
					isRefused(t, stage.role, less.text(t), action)
				})
			}
			for _, resource := range s.Resource {
				t.Run("without the resource "+resource, func(t *testing.T) {
					less := parsePolicy(t, w.fill(stage.policy))
					less.Statement[i].Resource = without(s.Resource, resource)
					isRefused(t, stage.role, less.text(t), "")
				})
			}
		}
	}
}

// isRefused runs the operation with a policy that lacks something.
func isRefused(t *testing.T, role, policy, action string) {
	w := newWorld(t)
	w.role(role, policy)
	walk, began := w.walk(), w.clock.Now()
	err := walk.Run(t.Context())
	if action == "" {
		action = "AWS refused "
	} else {
		action = "AWS refused " + action + " to the role " + role + "."
	}
	if err == nil {
		// Without its log a run that was begun is still checked and told.
		report := w.report(walk)
		if notes := strings.Join(report.Notes, "\n"); !report.OK() || !strings.Contains(notes, action) || !strings.Contains(notes, " to the role "+role) {
			t.Errorf("problems %q, notes %q, want %q among the notes", report.Problems, report.Notes, action)
		}
		if took := w.clock.Now().Sub(began); took > w.settings.Timeout+5*time.Second {
			t.Errorf("waited %v for a log that can't be read", took)
		}
		w.synced()
		w.done(1)
		return
	}
	refused(t, err, ops.Unavailable, action, " to the role "+role)
	w.done(strings.Count(walk.At(), "invoke")) // the refused call itself
}

// The session policy alone narrows as far: a role that may do everything can't
// be used beyond it.
func TestSessionPoliciesNarrowARoleThatMayDoAll(t *testing.T) {
	t.Parallel()
	const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	w := newWorld(t)
	w.role(lookRole, all)
	w.role(actRole, all)
	if report := w.run(w.walk()); !report.OK() {
		t.Errorf("problems %v", report.Problems)
	}
	for _, call := range w.aws.Calls() {
		want := ""
		switch call.RoleARN {
		case lookRole:
			want = w.fill(w.operation().Access.Look)
		case actRole:
			want = w.fill(w.operation().Access.Act)
		default:
			continue
		}
		if got := parsePolicy(t, call.SessionPolicy).text(t); got != parsePolicy(t, want).text(t) {
			t.Errorf("%s with the session policy %s", call.Name(), got)
		}
	}
	w.done(1)
}
