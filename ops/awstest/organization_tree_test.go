package awstest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func TestTheTree(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	inner := e.o.AddOU("Payments", e.live)
	e.o.Move(payments, inner)
	c, ctx := e.organizations(), t.Context()

	org, err := c.DescribeOrganization(ctx, nil)
	check(t, err)
	if o := org.Organization; *o.Id != e.o.ID() || *o.MasterAccountId != account || o.FeatureSet != "ALL" ||
		*o.Arn != "arn:aws:organizations::111111111111:organization/"+e.o.ID() || *o.MasterAccountArn != e.arn("account", account) {
		t.Errorf("organization is %+v", o)
	}
	roots, err := c.ListRoots(ctx, nil)
	check(t, err)
	if len(roots.Roots) != 1 || *roots.Roots[0].Id != e.root || *roots.Roots[0].Arn != e.arn("root", e.root) ||
		roots.Roots[0].PolicyTypes[0] != (types.PolicyTypeSummary{Type: "SERVICE_CONTROL_POLICY", Status: "ENABLED"}) {
		t.Errorf("roots are %+v", roots.Roots)
	}

	// From the account up to the root, as an operation does it.
	var path []string
	for id, kind := payments, types.ParentType(""); kind != types.ParentTypeRoot; {
		out, err := c.ListParents(ctx, &organizations.ListParentsInput{ChildId: &id})
		check(t, err)
		id, kind = *out.Parents[0].Id, out.Parents[0].Type
		path = append(path, id+" "+string(kind))
	}
	if diff := cmp.Diff([]string{inner + " ORGANIZATIONAL_UNIT", e.live + " ORGANIZATIONAL_UNIT", e.root + " ROOT"}, path); diff != "" {
		t.Errorf("parents (-want +got):\n%s", diff)
	}
	ou, err := c.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: &inner})
	check(t, err)
	place := e.o.ID() + "/" + e.root + "/" + e.live + "/" + inner + "/"
	if u := ou.OrganizationalUnit; *u.Name != "Payments" || *u.Arn != e.arn("ou", inner) || *u.Path != place {
		t.Errorf("OU is %+v", u)
	}
	one, err := c.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String(payments)})
	check(t, err)
	if !slices.Equal(one.Account.Paths, []string{place + payments + "/"}) {
		t.Errorf("paths are %v", one.Account.Paths)
	}

	children := func(parent string, kind types.ChildType) (ids []string) {
		p := organizations.NewListChildrenPaginator(c, &organizations.ListChildrenInput{ParentId: &parent, ChildType: kind, MaxResults: aws.Int32(2)})
		for p.HasMorePages() {
			page, err := p.NextPage(ctx)
			check(t, err)
			for _, child := range page.Children {
				ids = append(ids, *child.Id)
			}
		}
		return ids
	}
	var units []string
	p := organizations.NewListOrganizationalUnitsForParentPaginator(c, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &e.root})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		check(t, err)
		for _, u := range page.OrganizationalUnits {
			units = append(units, *u.Id)
		}
	}
	for _, test := range []struct {
		name      string
		got, want []string
	}{
		{"OUs of the root", units, []string{e.live, e.disabled, e.closed}},
		{"OUs of the root as children", children(e.root, "ORGANIZATIONAL_UNIT"), []string{e.live, e.disabled, e.closed}},
		{"accounts of the root", children(e.root, "ACCOUNT"), []string{account}},
		{"accounts of an OU", children(e.live, "ACCOUNT"), []string{staging}},
		{"accounts of the OU within", children(inner, "ACCOUNT"), []string{payments}},
		{"accounts of an empty OU", children(e.closed, "ACCOUNT"), nil},
		{"all accounts", e.o.Accounts(), []string{account, payments, staging}},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	e.noProblems()
}

func TestWhatIsNotInTheTree(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	c, ctx := e.organizations(), t.Context()
	gone := "ou-" + e.root[2:] + "-00000000"
	for _, test := range []struct {
		name, code string
		do         func(id string) error
		missing    string
		malformed  string
	}{
		{"a parent of accounts", "ParentNotFoundException", func(id string) error {
			_, err := c.ListAccountsForParent(ctx, &organizations.ListAccountsForParentInput{ParentId: &id})
			return err
		}, gone, payments},
		{"a parent of OUs", "ParentNotFoundException", func(id string) error {
			_, err := c.ListOrganizationalUnitsForParent(ctx, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &id})
			return err
		}, "r-0000", "r-0"},
		{"a parent of children", "ParentNotFoundException", func(id string) error {
			_, err := c.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: &id, ChildType: "ACCOUNT"})
			return err
		}, gone, ""},
		{"a child", "ChildNotFoundException", func(id string) error {
			_, err := c.ListParents(ctx, &organizations.ListParentsInput{ChildId: &id})
			return err
		}, nobodyIs, e.root},
		{"an OU", "OrganizationalUnitNotFoundException", func(id string) error {
			_, err := c.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: &id})
			return err
		}, gone, e.root},
		{"a resource with tags", "TargetNotFoundException", func(id string) error {
			_, err := c.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &id})
			return err
		}, nobodyIs, "x"},
		{"a target of policies", "TargetNotFoundException", func(id string) error {
			_, err := c.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: &id, Filter: "SERVICE_CONTROL_POLICY"})
			return err
		}, gone, "p-FullAWSAccess"},
		{"a policy", "PolicyNotFoundException", func(id string) error {
			_, err := c.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &id})
			return err
		}, "p-00000000", "FullAWSAccess"},
		{"a delegate", "AccountNotFoundException", func(id string) error {
			_, err := c.ListDelegatedServicesForAccount(ctx, &organizations.ListDelegatedServicesForAccountInput{AccountId: &id})
			return err
		}, nobodyIs, "1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			want(t, test.do(test.missing), test.code, "doesn't exist")
			want(t, test.do(test.malformed), "InvalidInputException", "")
		})
	}
	_, err := c.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: &e.root, ChildType: "ROOT"})
	want(t, err, "InvalidInputException", "ChildType")
	e.noProblems()
}

func TestMovingAccounts(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	gone := "ou-" + e.root[2:] + "-00000000"
	for _, test := range []struct{ name, id, from, to, code string }{
		{"to where it should be", payments, e.live, e.disabled, ""},
		{"once more", payments, e.live, e.disabled, "AccountNotFoundException"},
		{"to where it is", payments, e.disabled, e.disabled, "DuplicateAccountException"},
		{"from elsewhere", payments, e.root, e.closed, "AccountNotFoundException"},
		{"from nowhere", payments, gone, e.closed, "SourceParentNotFoundException"},
		{"to nowhere", payments, e.disabled, gone, "DestinationParentNotFoundException"},
		{"nobody", nobodyIs, e.root, e.closed, "AccountNotFoundException"},
		{"to an account", payments, e.disabled, staging, "InvalidInputException"},
		{"on to the last place", payments, e.disabled, e.closed, ""},
		{"to the root", payments, e.closed, e.root, ""},
		{"the management account", account, e.root, e.live, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			want(t, e.move(test.id, test.from, test.to), test.code, "")
		})
	}
	if e.account(payments).Parent != e.root || e.account(account).Parent != e.live {
		t.Errorf("accounts are %+v and %+v", e.account(payments), e.account(account))
	}
	e.noProblems()
}

func TestEmptyPagesAndTokens(t *testing.T) {
	e := newEstate(t, awstest.Options{PageSize: 2}, allowAll)
	e.o.SetEmptyPages(2)
	c := e.organizations()
	var sizes []int
	var ids []string
	p := organizations.NewListAccountsPaginator(c, &organizations.ListAccountsInput{})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		check(t, err)
		sizes = append(sizes, len(page.Accounts))
		for _, a := range page.Accounts {
			ids = append(ids, *a.Id)
		}
		if page.NextToken != nil {
			_, err = c.ListAccountsForParent(t.Context(), &organizations.ListAccountsForParentInput{ParentId: &e.live, NextToken: page.NextToken})
			want(t, err, "InvalidInputException", "NextToken")
		}
	}
	if !slices.Equal(sizes, []int{0, 0, 2, 0, 0, 1, 0}) || !slices.Equal(ids, []string{account, payments, staging}) {
		t.Errorf("pages of %v, accounts %v", sizes, ids)
	}
	first, err := c.ListAccountsForParent(t.Context(), &organizations.ListAccountsForParentInput{ParentId: &e.live})
	check(t, err)
	_, err = c.ListAccountsForParent(t.Context(), &organizations.ListAccountsForParentInput{ParentId: &e.closed, NextToken: first.NextToken})
	want(t, err, "InvalidInputException", "NextToken")
	e.noProblems()
}

// A list that changes while it is read skips and repeats nobody who stays.
func TestAccountsComeAndGoWhileTheyAreListed(t *testing.T) {
	e := newEstate(t, awstest.Options{PageSize: 1}, allowAll)
	var ids []string
	p := organizations.NewListAccountsPaginator(e.organizations(), &organizations.ListAccountsInput{})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		check(t, err)
		for _, a := range page.Accounts {
			ids = append(ids, *a.Id)
			if *a.Id == payments {
				e.o.RemoveAccount(payments)
				e.o.AddAccount("555555555555", "new", "new@example.org")
			}
		}
	}
	if !slices.Equal(ids, []string{account, payments, staging, "555555555555"}) {
		t.Errorf("accounts are %v", ids)
	}
	e.noProblems()
}

func TestAnAccountIsWhatATestMakesOfIt(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	joined := time.Date(2019, 3, 4, 5, 6, 7, 8e6, time.UTC)
	e.o.AddAccount("555555555555", "old", "old@example.org", func(a *awstest.OrgAccount) {
		a.Joined, a.JoinedMethod, a.Parent, a.Tags = joined, "INVITED", e.disabled, map[string]string{"owner": "x"}
	})
	out, err := e.organizations().DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: aws.String("555555555555")})
	check(t, err)
	if a := out.Account; !a.JoinedTimestamp.Equal(joined) || a.JoinedMethod != "INVITED" || *a.Arn != e.arn("account", "555555555555") {
		t.Errorf("account is %+v", a)
	}
	policy := e.o.AddPolicy("deny", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	e.o.AttachPolicy(policy, "555555555555")
	e.o.RegisterDelegatedAdministrator("555555555555", "sso.amazonaws.com", "guardduty.amazonaws.com")
	policies := []string{policy, "p-FullAWSAccess"}
	slices.Sort(policies)
	if diff := cmp.Diff(awstest.OrgAccount{
		ID: "555555555555", Name: "old", Email: "old@example.org", State: "ACTIVE", Joined: joined, JoinedMethod: "INVITED",
		Parent: e.disabled, Tags: map[string]string{"owner": "x"}, Policies: policies,
		Services: []string{"guardduty.amazonaws.com", "sso.amazonaws.com"},
	}, e.account("555555555555")); diff != "" {
		t.Errorf("account (-want +got):\n%s", diff)
	}
	e.noProblems()

	deep := e.live
	for n := range 4 {
		deep = e.o.AddOU(fmt.Sprint("level ", n), deep)
	}
	e.noProblems()
	e.o.AddOU("too deep", deep)
	e.o.AddOU("Live", "")
	e.o.AddOU("nowhere", "ou-x")
	e.o.Move(payments, "ou-x")
	e.o.Move(nobodyIs, e.live)
	e.o.RemoveAccount(account)
	e.o.RemoveOU(e.live)
	e.o.RemoveOU("ou-x")
	e.o.RemoveOU(e.root)
	e.o.AttachPolicy("p-x", payments)
	e.o.DetachPolicy("p-FullAWSAccess", payments)
	e.o.DetachPolicy(policy, payments)
	e.o.RegisterDelegatedAdministrator(account, "sso.amazonaws.com")
	e.o.RegisterDelegatedAdministrator(payments, "sso")
	e.o.AddPolicy("bad", "{")
	if p := e.Problems(); len(p) != 15 {
		t.Errorf("%d problems:\n%s", len(p), strings.Join(p, "\n"))
	}
}

func TestOrganizationalUnitsCanGo(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	client := e.organizations()
	for _, account := range []string{payments, staging} {
		e.o.Move(account, e.root)
	}
	e.o.RemoveOU(e.live)
	_, err := client.DescribeOrganizationalUnit(t.Context(), &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: &e.live})
	if _, ok := errors.AsType[*types.OrganizationalUnitNotFoundException](err); !ok {
		t.Errorf("described: %v", err)
	}
	_, err = client.ListParents(t.Context(), &organizations.ListParentsInput{ChildId: &e.live})
	if _, ok := errors.AsType[*types.ChildNotFoundException](err); !ok {
		t.Errorf("listed: %v", err)
	}
	err = e.move(payments, e.root, e.live)
	if _, ok := errors.AsType[*types.DestinationParentNotFoundException](err); !ok {
		t.Errorf("moved: %v", err)
	}
	e.noProblems()
}

func manyAccounts(o *awstest.Organization, n int) {
	for i := range n {
		id := fmt.Sprintf("5%011d", i)
		o.AddAccount(id, "account-"+id, id+"@example.org")
	}
}

func TestManyAccountsAreListed(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	manyAccounts(e.o, 2497)
	began := time.Now()
	pages, seen := 0, map[string]bool{}
	p := organizations.NewListAccountsPaginator(e.organizations(), &organizations.ListAccountsInput{})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		check(t, err)
		pages++
		for _, a := range page.Accounts {
			seen[*a.Id] = true
		}
	}
	if pages != 125 || len(seen) != 2500 {
		t.Errorf("%d accounts in %d pages", len(seen), pages)
	}
	t.Logf("%v a page", time.Since(began)/125)
}

func BenchmarkListAccounts(b *testing.B) {
	c := awstest.New(awstest.Options{})
	defer c.Close()
	c.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allowAll})
	manyAccounts(c.Organization(), 2499)
	w := &world{Cloud: c}
	session, err := w.sts().AssumeRole(b.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")})
	if err != nil {
		b.Fatal(err)
	}
	k := session.Credentials
	client := organizations.NewFromConfig(w.config(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken))
	token := (*string)(nil)
	for b.Loop() {
		out, err := client.ListAccounts(b.Context(), &organizations.ListAccountsInput{NextToken: token})
		if err != nil {
			b.Fatal(err)
		}
		token = out.NextToken
	}
}
