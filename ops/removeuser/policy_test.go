package removeuser_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// whole is everything that the operation can do: search for a name, quarantine and
// restore in both ways, removal.
func (w *world) whole() error {
	if _, err := w.walkFor("jo.doee@softwire.com").Look(w.Context()); ops.KindOf(err) != ops.Invalid {
		return fmt.Errorf("a misspelled name: %w", err)
	}
	was := w.user(leaver)
	for _, change := range []func(*awstest.IAMUser){
		func(*awstest.IAMUser) {}, func(u *awstest.IAMUser) { full(10)(u); u.Boundary = "" },
	} {
		w.iam.ChangeUser(leaver, change)
		walk := w.walk()
		if _, err := walk.Look(w.Context()); err != nil {
			return err
		}
		for walk.At() == "quarantine" {
			if err := walk.Step(w.Context()); err != nil {
				return err
			}
		}
		if err := walk.Undo(w.Context()); err != nil {
			return err
		}
	}
	w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.Attached, u.Boundary = was.Attached, was.Boundary })
	return w.walk().Run(w.Context())
}

// full attaches policies to a user until there are so many.
func full(many int) func(*awstest.IAMUser) {
	return func(u *awstest.IAMUser) {
		for n := len(u.Attached); n < many; n++ {
			u.Attached = append(u.Attached, fmt.Sprintf("arn:aws:iam::aws:policy/Policy%d", n))
		}
	}
}

// The policies allow what is needed, and nothing beside it.
func TestPolicies(t *testing.T) {
	t.Parallel()
	access := settings(iamMode).Operation(nil, nil, "").Access
	for _, mode := range modes {
		t.Run(mode+" with all of them", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mode)
			w.assumed("eu-west-2", "333333333333", "Admin", day)
			if err := w.whole(); err != nil {
				t.Error(err)
			}
			for _, c := range w.aws.Calls() {
				if !c.Allowed {
					t.Errorf("%s was refused: %s", c.Name(), c.Params)
				}
				if c.RoleARN == actRole && (strings.Contains(c.SessionPolicy, ":group/*\"") || strings.Contains(c.SessionPolicy, ":mfa/*\"")) {
					t.Errorf("the session of %s may do so to every group or device: %s", c.Name(), c.SessionPolicy)
				}
			}
			w.done()
		})
	}
	for role, document := range map[string]string{lookRole: access.Look, actRole: access.Act} {
		var actions []string
		for _, s := range parsePolicy(t, document).Statement {
			actions = append(actions, s.Action...)
		}
		slices.Sort(actions)
		for _, action := range opstest.SomeOf(t, slices.Compact(actions), 10) {
			t.Run("without "+action, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, iamMode)
				w.assumed("eu-west-2", "333333333333", "Admin", day)
				less := parsePolicy(t, w.fill(document))
				for i := range less.Statement {
					less.Statement[i].Action = slices.DeleteFunc(less.Statement[i].Action, func(a string) bool { return a == action })
				}
				w.role(role, less.text(t))
				err := w.whole()
				if !slices.ContainsFunc(w.aws.Calls(), func(c awstest.Call) bool { return c.Name() == action && !c.Allowed }) {
					t.Error("nothing was refused: the action isn't needed")
				}
				if strings.HasPrefix(action, "iam:") && action != "iam:TagUser" {
					w.refused(err, ops.Unavailable, "AWS refused "+action+" to the role "+role+".", "manifests/iam")
				} else if err != nil {
					t.Error(err)
				}
			})
			if strings.Contains(action, "*") || strings.Contains(action, ":Put") && action != "iam:PutUserPermissionsBoundary" || strings.Contains(action, ":Create") || strings.Contains(action, ":Add") {
				t.Errorf("%s is allowed", action)
			}
		}
	}
}

// sessions are the session policies that a whole run used, by what they are for.
func (w *world) sessions() map[string]string {
	used := map[string]string{}
	for _, c := range w.aws.Calls() {
		switch {
		case c.Name() == "iam:ListUsers":
			used["search"] = c.SessionPolicy
		case c.Name() == "iam:PutUserPermissionsBoundary":
			used["bind"] = c.SessionPolicy
		case c.Name() == "iam:GetUser":
			used["look"] = c.SessionPolicy
		case c.Name() == "iam:TagUser":
			used["quarantine"] = c.SessionPolicy
		case c.Name() == "iam:DeleteAccessKey":
			used["remove"] = c.SessionPolicy
		}
	}
	return used
}

// However much the role may, a session may only what its policy says: do one
// thing to one user.
func TestSessionPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, iamMode)
	if err := w.whole(); err != nil {
		t.Fatal(err)
	}
	used := w.sessions()
	if len(used) != 5 {
		t.Fatalf("sessions for %v", slices.Sorted(maps.Keys(used)))
	}
	w.iam.AddUser(everything(leaver))
	before := w.user(leaver)
	const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	w.role(actRole, all)
	const readOnly, admin = "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/AdministratorAccess"
	w.iam.AddPolicy(admin)
	key := func(user string) *string { return aws.String(w.user(user).AccessKeys[0].ID) }
	name := aws.String
	type tries map[string]func(context.Context, *iam.Client) error
	// to is what could be done to a user.
	to := func(user string) tries {
		return tries{
			"attach deny-all": func(ctx context.Context, c *iam.Client) error {
				_, err := c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: name(user), PolicyArn: name(awstest.AWSDenyAll)})
				return err
			},
			"switch a key": func(ctx context.Context, c *iam.Client) error {
				_, err := c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: name(user), AccessKeyId: key(user), Status: types.StatusTypeActive})
				return err
			},
			"tag": func(ctx context.Context, c *iam.Client) error {
				_, err := c.TagUser(ctx, &iam.TagUserInput{UserName: name(user), Tags: []types.Tag{{Key: name("a"), Value: name("b")}}})
				return err
			},
			"untag": func(ctx context.Context, c *iam.Client) error {
				_, err := c.UntagUser(ctx, &iam.UntagUserInput{UserName: name(user), TagKeys: []string{"team"}})
				return err
			},
		}
	}
	removing := func(user string) tries {
		return tries{
			"delete": func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name(user)})
				return err
			},
			"delete a key": func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name(user), AccessKeyId: key(user)})
				return err
			},
			"delete the password": func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: name(user)})
				return err
			},
			"deactivate a device": func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: name(user), SerialNumber: name(w.user(user).MFA[0].Serial)})
				return err
			},
			"detach a policy": func(ctx context.Context, c *iam.Client) error {
				_, err := c.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: name(user), PolicyArn: name(readOnly)})
				return err
			},
			"delete the boundary": func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: name(user)})
				return err
			},
			"delete an inline policy": func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name(user), PolicyName: name("own")})
				return err
			},
		}
	}
	escalations := func(user string) tries {
		return tries{
			"attach another policy": func(ctx context.Context, c *iam.Client) error {
				_, err := c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: name(user), PolicyArn: name(admin)})
				return err
			},
			"put an inline policy": func(ctx context.Context, c *iam.Client) error {
				_, err := c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name(user), PolicyName: name("p"), PolicyDocument: name(all)})
				return err
			},
			"create a key": func(ctx context.Context, c *iam.Client) error {
				_, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name(user)})
				return err
			},
			"create a password": func(ctx context.Context, c *iam.Client) error {
				_, err := c.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: name(user), Password: name("correct horse battery staple")})
				return err
			},
			"add to a group": func(ctx context.Context, c *iam.Client) error {
				_, err := c.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: name(user), GroupName: name("payments")})
				return err
			},
			"put another boundary": func(ctx context.Context, c *iam.Client) error {
				_, err := c.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: name(user), PermissionsBoundary: name(admin)})
				return err
			},
		}
	}
	look := func(user string) tries {
		return tries{"look": func(ctx context.Context, c *iam.Client) error {
			_, err := c.GetUser(ctx, &iam.GetUserInput{UserName: name(user)})
			return err
		}}
	}
	without := func(all tries, one string) tries { delete(all, one); return all }
	lists := tries{"list all users": func(ctx context.Context, c *iam.Client) error {
		_, err := c.ListUsers(ctx, &iam.ListUsersInput{})
		return err
	}}
	for _, test := range []struct {
		session string
		tries   []tries
	}{
		{"look", []tries{to(leaver), removing(leaver), escalations(leaver), look(namesake), to(namesake), removing(namesake), lists}},
		{"search", []tries{to(leaver), removing(leaver), escalations(leaver), look(leaver), look(namesake)}},
		{"bind", []tries{to(leaver), without(removing(leaver), "delete the boundary"), escalations(leaver), look(leaver), look(namesake), to(namesake), removing(namesake), escalations(namesake), lists}},
		{"quarantine", []tries{removing(leaver), escalations(leaver), look(leaver), look(namesake), to(namesake), removing(namesake), escalations(namesake), lists}},
		{"remove", []tries{escalations(leaver), look(leaver), look(namesake), to(namesake), removing(namesake), escalations(namesake), lists}},
	} {
		client := w.session(used[test.session])
		for i, group := range test.tries {
			for what, try := range group {
				err := try(t.Context(), client)
				if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "AccessDenied" {
					t.Errorf("a session to %s may %s (%d): %v", test.session, what, i, err)
				}
			}
		}
	}
	w.same(before)
	w.same(w.others[0])
}

// The conditions keep a session from giving power instead of taking it: without one,
// it could.
func TestConditionsAreNeeded(t *testing.T) {
	t.Parallel()
	const admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	attach := func(ctx context.Context, c *iam.Client) error {
		_, err := c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String(leaver), PolicyArn: aws.String(admin)})
		return err
	}
	bind := func(ctx context.Context, c *iam.Client) error {
		_, err := c.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: aws.String(leaver), PermissionsBoundary: aws.String(admin)})
		return err
	}
	unbind := func(ctx context.Context, c *iam.Client) error {
		_, err := c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: aws.String(leaver)})
		return err
	}
	tries := map[string]map[string]func(context.Context, *iam.Client) error{
		"DenyAllAndUndo": {"attach another policy": attach},
		"DenyAsBoundary": {"set another boundary": bind, "take away a boundary that isn't listed": unbind},
	}
	for _, s := range parsePolicy(t, settings(iamMode).Operation(nil, nil, "").Access.Act).Statement {
		if conditional := slices.ContainsFunc(s.Action, func(a string) bool {
			return strings.Contains(a, ":Attach") || strings.Contains(a, ":Put")
		}); conditional != (len(s.Condition) > 0) {
			t.Errorf("%s has the condition %s", s.Sid, s.Condition)
		}
		if len(s.Condition) == 0 {
			continue
		}
		if len(tries[s.Sid]) == 0 {
			t.Errorf("%s isn't tried", s.Sid)
		}
		for what, try := range tries[s.Sid] {
			for _, condition := range []bool{true, false} {
				w := newWorld(t, iamMode)
				w.iam.AddPolicy(admin)
				w.iam.ChangeUser(leaver, func(u *awstest.IAMUser) { u.Boundary = "arn:aws:iam::" + account + ":policy/of-others" })
				w.role(actRole, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
				one := s
				if !condition {
					one.Condition = nil
				}
				err := try(t.Context(), w.session(w.fill(policy{Version: "2012-10-17", Statement: []statement{one}}.text(t))))
				api, ok := errors.AsType[smithy.APIError](err)
				if refused := ok && api.ErrorCode() == "AccessDenied"; refused != condition {
					t.Errorf("%s with its condition: %v; may %s: %v", s.Sid, condition, what, err)
				}
			}
		}
	}
}

// session is a client with an all-powerful role and a session policy.
func (w *world) session(policy string) *iam.Client {
	config := w.base.Copy()
	config.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(w.base), actRole, func(o *stscreds.AssumeRoleOptions) {
		for _, key := range []string{"request", "operation", "requested-by"} { // the trust policy demands them
			o.Tags = append(o.Tags, ststypes.Tag{Key: aws.String(key), Value: aws.String("octocat")})
		}
		o.RoleSessionName, o.SourceIdentity, o.Policy = "octocat", aws.String("octocat"), aws.String(policy)
	}))
	return iam.NewFromConfig(config)
}

// STS takes no longer session policy than this, however long the name.
func TestSessionPoliciesFit(t *testing.T) {
	t.Parallel()
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, mode)
			long := strings.Repeat("a", 64-len("@digital.cabinet-office.gov.uk")) + "@digital.cabinet-office.gov.uk"
			w.iam.AddUser(everything(long))
			w.github.Commit(repo, "master", map[string]string{usersFile: strings.Replace(usersText, leaver, long, 1)}, "Long")
			w.iam.DeleteUser(leaver)
			if report := w.run(w.walkFor(long)); !report.OK() {
				t.Errorf("report %+v", report)
			}
			longest := 0
			for _, c := range w.aws.Calls() {
				longest = max(longest, len(c.SessionPolicy))
			}
			if longest > awsaccess.SessionPolicyLimit || longest < 64 {
				t.Errorf("the longest has %d characters", longest)
			}
			w.done()
		})
	}
}

// policy is a policy document that a test takes pieces out of.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect      string
	Action, Resource words
	Condition        json.RawMessage `json:",omitempty"`
}

// text is the document without what has become empty: what IAM wouldn't take.
func (p policy) text(t *testing.T) string {
	t.Helper()
	kept := p
	kept.Statement = slices.DeleteFunc(slices.Clone(p.Statement), func(s statement) bool { return len(s.Action) == 0 })
	raw, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// words is a string or a list of them.
type words []string

func (w *words) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(w))
}

func parsePolicy(t *testing.T, text string) policy {
	t.Helper()
	var p policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}
