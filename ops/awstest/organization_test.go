package awstest_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func (w *world) organizations() *organizations.Client {
	return organizations.NewFromConfig(w.session())
}

func TestAccountsAreDescribedAndListed(t *testing.T) {
	w := newWorld(t, awstest.Options{PageSize: 0}, allowAll)
	o := w.Organization()
	names := map[string]string{account: "management"}
	for n := range 25 {
		id := fmt.Sprintf("3333333333%02d", n)
		names[id] = fmt.Sprintf("account-%d", n)
		o.AddAccount(id, names[id], names[id]+"@example.org")
	}
	o.AddAccount("333333333300", "payments-prod", "aws-root+payments-prod@example.org")
	names["333333333300"] = "payments-prod"
	c := w.organizations()
	one, err := c.DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: aws.String("333333333300")})
	check(t, err)
	if a := one.Account; *a.Name != "payments-prod" || *a.Email != "aws-root+payments-prod@example.org" || a.State != "ACTIVE" || a.JoinedTimestamp.IsZero() {
		t.Errorf("account is %+v", a)
	}
	got, sizes := map[string]string{}, []int{}
	p := organizations.NewListAccountsPaginator(c, &organizations.ListAccountsInput{})
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		check(t, err)
		sizes = append(sizes, len(page.Accounts))
		for _, a := range page.Accounts {
			got[*a.Id] = *a.Name
		}
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("accounts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{20, 6}, sizes); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	_, err = c.DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: aws.String("999999999999")})
	want(t, err, "AccountNotFoundException", "doesn't exist")
	_, err = c.DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: aws.String("12")})
	want(t, err, "InvalidInputException", "")
	_, err = c.ListAccounts(t.Context(), &organizations.ListAccountsInput{MaxResults: aws.Int32(21)})
	want(t, err, "InvalidInputException", "MaxResults")
	_, err = c.ListAccounts(t.Context(), &organizations.ListAccountsInput{NextToken: aws.String("x")})
	want(t, err, "InvalidInputException", "NextToken")
	w.noProblems()

	o.AddAccount("1", "short", "x@example.org")
	if p := w.Problems(); len(p) != 1 {
		t.Errorf("problems: %q", p)
	}
}

func TestWhoMayAskOrganizations(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	describe := func() error {
		_, err := w.organizations().DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: aws.String("333333333333")})
		return err
	}
	want(t, describe(), "AWSOrganizationsNotInUseException", "")
	o := w.Organization()
	o.AddAccount("333333333333", "payments-prod", "x@example.org")
	check(t, describe())
	o.SetManagement("999999999999")
	want(t, describe(), "AccessDeniedException", "You don't have permissions")
	o.Delegate(account)
	check(t, describe())

	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allow("organizations:DescribeAccount", "",
		"arn:aws:organizations::999999999999:account/o-*/333333333333")})
	check(t, describe())
	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allow("organizations:DescribeAccount", "",
		"arn:aws:organizations::999999999999:account/o-*/444444444444")})
	want(t, describe(), "AccessDeniedException", "organizations:DescribeAccount on resource: arn:aws:organizations::999999999999:account/o-")
	w.noProblems()
}
