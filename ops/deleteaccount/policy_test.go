package deleteaccount_test

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
	"github.com/aws/aws-sdk-go-v2/service/costexplorer"
	cost "github.com/aws/aws-sdk-go-v2/service/costexplorer/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// whole is everything that the operation can do: find, disable, restore, close,
// from a unit and from the root.
func (w *world) whole() error {
	if _, err := w.search(w.operation(), "pond"); err != nil {
		return err
	}
	for _, from := range []string{w.o.Root(), w.ponds} {
		w.o.Move(sinking, from)
		walk := w.walk()
		if _, err := walk.Look(w.Context()); err != nil {
			return err
		}
		for walk.Offered().IsZero() {
			if err := walk.Step(w.Context()); err != nil {
				return err
			}
		}
		if err := walk.Undo(w.Context()); err != nil {
			return err
		}
	}
	return w.walk().Run(w.Context())
}

// policy is a policy document that a test takes pieces out of.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid, Effect      string
	Action, Resource words
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

// text is the document without what has become empty: what IAM wouldn't take.
func (p policy) text(t *testing.T) string {
	t.Helper()
	p.Statement = slices.DeleteFunc(slices.Clone(p.Statement), func(s statement) bool { return len(s.Action) == 0 || len(s.Resource) == 0 })
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// The policies allow what is needed, and nothing beside it.
func TestPolicies(t *testing.T) {
	t.Parallel()
	access := newWorld(t).operation().Access
	t.Run("with all of them", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		if err := w.whole(); err != nil {
			t.Error(err)
		}
		for _, c := range w.aws.Calls() {
			if !c.Allowed {
				t.Errorf("%s was refused: %s", c.Name(), c.Params)
			}
		}
		w.done()
	})
	type lack struct {
		role, document, what string
		take                 func(*policy)
	}
	var lacks []lack
	without := func(role, document, what string, take func(*policy)) {
		lacks = append(lacks, lack{role, document, what, take})
	}
	play := func(lack lack) {
		t.Run("without "+lack.what, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			less := parsePolicy(t, w.fill(lack.document))
			lack.take(&less)
			w.role(lack.role, less.text(t))
			err := w.whole()
			i := slices.IndexFunc(w.aws.Calls(), func(c awstest.Call) bool { return !c.Allowed })
			if i < 0 {
				t.Fatal("nothing was refused: it isn't needed")
			}
			if name := w.aws.Calls()[i].Name(); strings.HasPrefix(name, "ce:") || name == "organizations:DescribePolicy" || name == "organizations:TagResource" { // what is needed all the same goes on without it
				if err != nil {
					t.Error(err)
				}
			} else {
				w.refused(err, ops.Unavailable, "AWS refused "+name+" to the role "+lack.role+".", "manifests/iam")
			}
			for _, p := range w.aws.Problems() {
				t.Error(p)
			}
		})
	}
	for role, document := range map[string]string{lookRole: access.Look, actRole: access.Act} {
		for i, s := range parsePolicy(t, document).Statement {
			if s.Effect != "Allow" {
				continue
			}
			for j, action := range s.Action {
				without(role, document, action+" of "+s.Sid, func(p *policy) { p.Statement[i].Action = slices.Delete(p.Statement[i].Action, j, j+1) })
				if strings.Contains(action, "*") || strings.Contains(action, ":Create") || strings.Contains(action, ":Attach") || strings.Contains(action, ":Put") {
					t.Errorf("%s is allowed", action)
				}
			}
			for j, resource := range s.Resource {
				without(role, document, resource+" of "+s.Sid, func(p *policy) { p.Statement[i].Resource = slices.Delete(p.Statement[i].Resource, j, j+1) })
				if resource == "*" && s.Sid != "FindTheAccount" {
					t.Errorf("%s allows everything", s.Sid)
				}
			}
		}
	}
	for _, lack := range opstest.SomeOf(t, lacks, 12) {
		play(lack)
	}
}

// A wildcard in a resource that is filled in must not reach another account's
// organisation, and no statement of the acting role may reach beyond accounts
// and units.
func TestPoliciesNameTheManagementAccount(t *testing.T) {
	t.Parallel()
	access := newWorld(t).operation().Access
	for _, document := range []string{access.Look, access.Act} {
		for _, s := range parsePolicy(t, document).Statement {
			for _, resource := range s.Resource {
				if resource != "*" && !strings.HasPrefix(resource, "arn:aws:organizations::${account}:") {
					t.Errorf("%s has %s", s.Sid, resource)
				}
			}
		}
	}
}

// sessions are the session policies that a whole run used, by what they are for.
func (w *world) sessions() map[string]string {
	used := map[string]string{}
	for _, c := range w.aws.Calls() {
		switch {
		case c.Name() == "organizations:DescribeAccount":
			used["look"] = c.SessionPolicy
		case c.Name() == "organizations:ListAccounts" && strings.Contains(c.SessionPolicy, "000000000000"):
			used["search"] = c.SessionPolicy
		case c.Name() == "organizations:TagResource":
			used["disable"] = c.SessionPolicy
		case c.Name() == "organizations:CloseAccount":
			used["close"] = c.SessionPolicy
		case c.Name() == "organizations:MoveAccount" && !strings.Contains(c.SessionPolicy, "organizations:TagResource"):
			used["archive"] = c.SessionPolicy
		}
	}
	return used
}

// session is a client with an all-powerful role and a session policy.
func (w *world) session(policy string) aws.Config {
	config := w.base.Copy()
	config.Region = "us-east-1"
	config.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(w.base), actRole, func(o *stscreds.AssumeRoleOptions) {
		for _, key := range []string{"request", "operation", "requested-by"} { // the trust policy demands them
			o.Tags = append(o.Tags, ststypes.Tag{Key: aws.String(key), Value: aws.String("octocat")})
		}
		o.RoleSessionName, o.SourceIdentity = "octocat", aws.String("octocat")
		if policy != "" {
			o.Policy = aws.String(policy)
		}
	}))
	return config
}

const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

type tries map[string]func(context.Context, aws.Config) error

// onAccount is what could be done to an account.
func (w *world) onAccount(id string) tries {
	from := w.account(id).Parent
	return tries{
		"close": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: &id})
			return err
		},
		"move": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: &id, SourceParentId: &from, DestinationParentId: &w.workloads})
			return err
		},
		"tag": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).TagResource(ctx, &organizations.TagResourceInput{ResourceId: &id, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
			return err
		},
		"untag": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: &id, TagKeys: []string{"owner"}})
			return err
		},
		"describe": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: &id})
			return err
		},
		"list tags of": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &id})
			return err
		},
	}
}

// beside is what could be done to something else.
func (w *world) beside() tries {
	return tries{
		"list all accounts": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).ListAccounts(ctx, &organizations.ListAccountsInput{})
			return err
		},
		"tag a unit": func(ctx context.Context, c aws.Config) error {
			_, err := organizations.NewFromConfig(c).TagResource(ctx, &organizations.TagResourceInput{ResourceId: &w.ponds, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
			return err
		},
		"read costs": func(ctx context.Context, c aws.Config) error {
			_, err := costexplorer.NewFromConfig(c).GetCostAndUsage(ctx, &costexplorer.GetCostAndUsageInput{
				Granularity: cost.GranularityMonthly, Metrics: []string{"UnblendedCost"},
				TimePeriod: &cost.DateInterval{Start: aws.String("2026-01-01"), End: aws.String("2026-02-01")},
			})
			return err
		},
	}
}

func (t tries) only(names ...string) tries {
	kept := maps.Clone(t)
	maps.DeleteFunc(kept, func(name string, _ func(context.Context, aws.Config) error) bool {
		return !slices.Contains(names, name)
	})
	return kept
}

func (t tries) but(names ...string) tries {
	kept := maps.Clone(t)
	maps.DeleteFunc(kept, func(name string, _ func(context.Context, aws.Config) error) bool { return slices.Contains(names, name) })
	return kept
}

// However much the role may, a session may only what its policy says: do one
// thing to one account.
func TestSessionPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.whole(); err != nil {
		t.Fatal(err)
	}
	used := w.sessions()
	if len(used) != 5 {
		t.Fatalf("sessions for %v", slices.Sorted(maps.Keys(used)))
	}
	for name, policy := range used {
		if len(policy) > awsaccess.SessionPolicyLimit {
			t.Errorf("the policy of %s has %d characters", name, len(policy))
		}
	}
	w.o.SetState(sinking, "ACTIVE", "")
	w.role(actRole, all)
	before := []awstest.OrgAccount{w.account(sinking), w.account(neighbour), w.account(rooted)}
	target, other, third := w.onAccount(sinking), w.onAccount(neighbour), w.onAccount(rooted)
	for _, test := range []struct {
		session string
		never   []tries
		may     []tries // so that what is never allowed isn't for another reason
	}{
		{"search", []tries{target, other, w.beside().only("tag a unit")}, []tries{w.beside().only("list all accounts")}},
		{"look", []tries{target.but("describe", "list tags of"), other, third, w.beside().only("tag a unit")}, []tries{target.only("describe", "list tags of")}},
		{"disable", []tries{target.but("tag", "untag", "move"), other, third, w.beside()}, nil},
		{"close", []tries{target.but("close"), other, third, w.beside()}, nil},
		{"archive", []tries{target.but("move"), other, third, w.beside()}, nil},
	} {
		session := w.session(used[test.session])
		for i, group := range test.never {
			for what, try := range group {
				err := try(t.Context(), session)
				if api, ok := errors.AsType[smithy.APIError](err); !ok || api.ErrorCode() != "AccessDeniedException" {
					t.Errorf("a session to %s may %s (%d): %v", test.session, what, i, err)
				}
			}
		}
		for _, group := range test.may {
			for what, try := range group {
				if err := try(t.Context(), session); err != nil {
					t.Errorf("a session to %s may not %s: %v", test.session, what, err)
				}
			}
		}
	}
	for _, was := range before {
		w.same(was)
	}
	// What the sessions are for, they can do.
	for session, what := range map[string]string{"disable": "tag", "archive": "move", "close": "close"} {
		if err := target[what](t.Context(), w.session(used[session])); err != nil {
			t.Errorf("a session to %s may not %s: %v", session, what, err)
		}
	}
	if p := w.aws.Problems(); len(p) > 0 {
		t.Errorf("problems %q", p)
	}
}

// What an installer protects is protected by the role itself, whatever the bot
// does and believes.
func TestTheRoleDeniesWhatIsProtected(t *testing.T) {
	t.Parallel()
	protect := func(w *world) {
		w.role(actRole, strings.NewReplacer("${account}", management, "${target}", "*", "${protected}", sinking).Replace(w.operation().Access.Act))
	}
	t.Run("when a request gets so far", func(t *testing.T) {
		t.Parallel()
		for _, way := range ways {
			w := newWorld(t)
			w.modes(way.disabled, way.closed, way.grace)
			protect(w)
			action := map[bool]string{true: "MoveAccount", false: "CloseAccount"}[way.disabled]
			w.refused(w.walk().Run(t.Context()), ops.Unavailable, "AWS refused organizations:"+action+" to the role "+actRole+".")
			if a := w.account(sinking); a.Parent != w.ponds || a.State != "ACTIVE" {
				t.Errorf("%s: account %+v", way.name, a)
			}
			w.done()
		}
	})
	t.Run("and nothing else", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		protect(w)
		if err := w.walkFor(neighbour, "pond-monitoring-prod").Run(t.Context()); err != nil {
			t.Error(err)
		}
		if fmt.Sprint(w.o.Closed()) != "["+neighbour+"]" {
			t.Errorf("closed %v", w.o.Closed())
		}
		w.done()
	})
	t.Run("without a session policy", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		protect(w)
		before := w.account(sinking)
		for what, try := range w.onAccount(sinking).only("close", "move") {
			if err := try(t.Context(), w.session("")); err == nil || !strings.Contains(err.Error(), "with an explicit deny in an identity-based policy") {
				t.Errorf("%s: %v", what, err)
			}
		}
		w.same(before)
		// The same calls of an account that isn't protected.
		for _, what := range []string{"move", "close"} {
			if err := w.onAccount(neighbour)[what](t.Context(), w.session("")); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
