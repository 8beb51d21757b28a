package awstest_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	payments = "333333333333"
	staging  = "444444444444"
	nobodyIs = "999999999999"
)

// estate is a world with an Organization: payments and staging in an OU of live accounts, and OUs for those that are to go.
type estate struct {
	*world
	o                            *awstest.Organization
	root, live, disabled, closed string
}

func newEstate(t *testing.T, options awstest.Options, policy string) *estate {
	t.Helper()
	e := &estate{world: newWorld(t, options, policy)}
	e.o = e.Organization()
	e.root = e.o.Root()
	e.live = e.o.AddOU("Live", "")
	e.disabled = e.o.AddOU("Disabled accounts", "")
	e.closed = e.o.AddOU("Closed accounts", "")
	in := func(a *awstest.OrgAccount) { a.Parent = e.live }
	e.o.AddAccount(payments, "payments-prod", "aws-root+payments-prod@example.org", in)
	e.o.AddAccount(staging, "payments-staging", "aws-root+payments-staging@example.org", in)
	return e
}

// account is the account as it is.
func (e *estate) account(id string) awstest.OrgAccount {
	e.t.Helper()
	a, ok := e.o.Account(id)
	if !ok {
		e.t.Fatalf("no account %s", id)
	}
	return a
}

// arn is the ARN of a root, an OU or an account: kind is root, ou or account.
func (e *estate) arn(kind, id string) string {
	return "arn:aws:organizations::111111111111:" + kind + "/" + e.o.ID() + "/" + id
}

func (e *estate) move(id, from, to string) error {
	_, err := e.organizations().MoveAccount(e.t.Context(), &organizations.MoveAccountInput{
		AccountId: &id, SourceParentId: &from, DestinationParentId: &to,
	})
	return err
}

func (e *estate) close(id string) error {
	_, err := e.organizations().CloseAccount(e.t.Context(), &organizations.CloseAccountInput{AccountId: &id})
	return err
}

// state is what DescribeAccount shows: State and Status.
func (e *estate) state(id string) [2]string {
	e.t.Helper()
	out, err := e.organizations().DescribeAccount(e.t.Context(), &organizations.DescribeAccountInput{AccountId: &id})
	check(e.t, err)
	return [2]string{string(out.Account.State), string(out.Account.Status)}
}

// calls is one call of each action, about payments where it is about an account.
func (e *estate) calls() map[string]func(*organizations.Client) error {
	ctx, id, ou := e.t.Context(), aws.String(payments), &e.live
	tags := []types.Tag{{Key: aws.String("removal-request"), Value: aws.String("7f3a")}}
	return map[string]func(*organizations.Client) error{
		"DescribeOrganization": func(c *organizations.Client) error { _, err := c.DescribeOrganization(ctx, nil); return err },
		"ListAccounts":         func(c *organizations.Client) error { _, err := c.ListAccounts(ctx, nil); return err },
		"ListRoots":            func(c *organizations.Client) error { _, err := c.ListRoots(ctx, nil); return err },
		"DescribeAccount": func(c *organizations.Client) error {
			_, err := c.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: id})
			return err
		},
		"DescribeOrganizationalUnit": func(c *organizations.Client) error {
			_, err := c.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: ou})
			return err
		},
		"ListAccountsForParent": func(c *organizations.Client) error {
			_, err := c.ListAccountsForParent(ctx, &organizations.ListAccountsForParentInput{ParentId: ou})
			return err
		},
		"ListChildren": func(c *organizations.Client) error {
			_, err := c.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: ou, ChildType: types.ChildTypeAccount})
			return err
		},
		"ListOrganizationalUnitsForParent": func(c *organizations.Client) error {
			_, err := c.ListOrganizationalUnitsForParent(ctx, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &e.root})
			return err
		},
		"ListParents": func(c *organizations.Client) error {
			_, err := c.ListParents(ctx, &organizations.ListParentsInput{ChildId: id})
			return err
		},
		"MoveAccount": func(c *organizations.Client) error {
			_, err := c.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: id, SourceParentId: ou, DestinationParentId: &e.root})
			return err
		},
		"CloseAccount": func(c *organizations.Client) error {
			_, err := c.CloseAccount(ctx, &organizations.CloseAccountInput{AccountId: id})
			return err
		},
		"ListTagsForResource": func(c *organizations.Client) error {
			_, err := c.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: id})
			return err
		},
		"TagResource": func(c *organizations.Client) error {
			_, err := c.TagResource(ctx, &organizations.TagResourceInput{ResourceId: id, Tags: tags})
			return err
		},
		"UntagResource": func(c *organizations.Client) error {
			_, err := c.UntagResource(ctx, &organizations.UntagResourceInput{ResourceId: id, TagKeys: []string{"removal-request"}})
			return err
		},
		"ListPoliciesForTarget": func(c *organizations.Client) error {
			_, err := c.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: id, Filter: types.PolicyTypeServiceControlPolicy})
			return err
		},
		"DescribePolicy": func(c *organizations.Client) error {
			_, err := c.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: aws.String("p-FullAWSAccess")})
			return err
		},
		"ListDelegatedAdministrators": func(c *organizations.Client) error {
			_, err := c.ListDelegatedAdministrators(ctx, &organizations.ListDelegatedAdministratorsInput{ServicePrincipal: aws.String("guardduty.amazonaws.com")})
			return err
		},
		"ListDelegatedServicesForAccount": func(c *organizations.Client) error {
			_, err := c.ListDelegatedServicesForAccount(ctx, &organizations.ListDelegatedServicesForAccountInput{AccountId: id})
			return err
		},
	}
}
