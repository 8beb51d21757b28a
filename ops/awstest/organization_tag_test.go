package awstest_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func (e *estate) tag(id string, pairs ...string) error {
	var tags []types.Tag
	for i := 0; i < len(pairs); i += 2 {
		tags = append(tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	_, err := e.organizations().TagResource(e.t.Context(), &organizations.TagResourceInput{ResourceId: &id, Tags: tags})
	return err
}

func (e *estate) untag(id string, keys ...string) error {
	_, err := e.organizations().UntagResource(e.t.Context(), &organizations.UntagResourceInput{ResourceId: &id, TagKeys: keys})
	return err
}

// tags are what ListTagsForResource tells.
func (e *estate) tags(id string) map[string]string {
	e.t.Helper()
	all := map[string]string{}
	p := organizations.NewListTagsForResourcePaginator(e.organizations(), &organizations.ListTagsForResourceInput{ResourceId: &id})
	for p.HasMorePages() {
		page, err := p.NextPage(e.t.Context())
		check(e.t, err)
		for _, t := range page.Tags {
			all[*t.Key] = *t.Value
		}
	}
	return all
}

func TestTagsOfAccounts(t *testing.T) {
	e := newEstate(t, awstest.Options{PageSize: 2}, allowAll)
	e.o.ChangeAccount(payments, func(a *awstest.OrgAccount) { a.Tags = map[string]string{"owner": "Payments: a@example.org"} })
	check(t, e.tag(payments, "is-production", "true", "Owner", "x", "application", ""))
	check(t, e.tag(payments, "is-production", "false"))
	check(t, e.untag(payments, "Owner", "nothing"))
	wanted := map[string]string{"owner": "Payments: a@example.org", "is-production": "false", "application": ""}
	if diff := cmp.Diff(wanted, e.tags(payments)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(wanted, e.account(payments).Tags); diff != "" {
		t.Errorf("tags of the account (-want +got):\n%s", diff)
	}
	check(t, e.tag(e.live, "estate", "main"))
	check(t, e.tag(e.root, "estate", "all"))
	if got := e.tags(e.live)["estate"] + e.tags(e.root)["estate"]; got != "mainall" {
		t.Errorf("tags of OU and root: %s", got)
	}
	e.noProblems()
	want(t, e.tag("p-FullAWSAccess", "a", "b"), "TargetNotFoundException", "awstest doesn't have")
	if p := e.Problems(); len(p) != 1 {
		t.Errorf("problems: %q", p)
	}
}

func TestTagsThatAreRefused(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	long := strings.Repeat("ä", 128)
	check(t, e.tag(payments, long, strings.Repeat("ß", 256)))
	for _, test := range []struct {
		name   string
		err    error
		reason types.InvalidInputExceptionReason
	}{
		{"a key without characters", e.tag(payments, "", "x"), "MIN_LENGTH_EXCEEDED"},
		{"a long key", e.tag(payments, long+"x", ""), "MAX_LENGTH_EXCEEDED"},
		{"a long value", e.tag(payments, "a", strings.Repeat("x", 257)), "MAX_LENGTH_EXCEEDED"},
		{"AWS's own", e.tag(payments, "a", "b", "AWS:a", "b"), "INVALID_SYSTEM_TAGS_PARAMETER"},
		{"a character", e.tag(payments, "a", "b;c"), "INVALID_PATTERN"},
		{"the same twice", e.tag(payments, "a", "b", "a", "b"), "DUPLICATE_TAG_KEY"},
		{"AWS's own taken away", e.untag(payments, "aws:a"), "INVALID_SYSTEM_TAGS_PARAMETER"},
	} {
		if e, ok := errors.AsType[*types.InvalidInputException](test.err); !ok || e.Reason != test.reason {
			t.Errorf("%s: %v, want %s", test.name, test.err, test.reason)
		}
	}
	var pairs []string
	for n := range 49 {
		pairs = append(pairs, fmt.Sprint("key ", n), "x")
	}
	check(t, e.tag(payments, pairs...))
	if err := e.tag(payments, "one", "more"); violation(err) != "MAX_TAG_LIMIT_EXCEEDED" {
		t.Errorf("the 51st tag: %v", err)
	}
	check(t, e.tag(payments, "key 1", "y"))
	if n := len(e.tags(payments)); n != 50 {
		t.Errorf("%d tags", n)
	}
	e.noProblems()
}

func TestServiceControlPolicies(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	const denyAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":["sts:*"],"Resource":"*"}]}`
	id := e.o.AddPolicy("quarantine", denyAll)
	e.o.AttachPolicy(id, e.disabled)
	e.o.Move(payments, e.disabled)
	policies := func(target string) (names []string) {
		out, err := e.organizations().ListPoliciesForTarget(t.Context(), &organizations.ListPoliciesForTargetInput{TargetId: &target, Filter: "SERVICE_CONTROL_POLICY"})
		check(t, err)
		for _, p := range out.Policies {
			names = append(names, *p.Name)
		}
		return names
	}
	for target, wanted := range map[string][]string{
		payments: {"FullAWSAccess"}, e.disabled: {"FullAWSAccess", "quarantine"}, e.root: {"FullAWSAccess"},
	} {
		if diff := cmp.Diff(wanted, policies(target)); diff != "" {
			t.Errorf("policies of %s (-want +got):\n%s", target, diff)
		}
	}
	out, err := e.organizations().DescribePolicy(t.Context(), &organizations.DescribePolicyInput{PolicyId: &id})
	check(t, err)
	if p := out.Policy; *p.Content != denyAll || p.PolicySummary.AwsManaged || p.PolicySummary.Type != "SERVICE_CONTROL_POLICY" ||
		*p.PolicySummary.Arn != "arn:aws:organizations::111111111111:policy/"+e.o.ID()+"/service_control_policy/"+id {
		t.Errorf("policy is %+v", p)
	}
	e.o.DetachPolicy("p-FullAWSAccess", e.disabled)
	if diff := cmp.Diff([]string{"quarantine"}, policies(e.disabled)); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	_, err = e.organizations().ListPoliciesForTarget(t.Context(), &organizations.ListPoliciesForTargetInput{TargetId: aws.String(payments), Filter: "POLICY"})
	want(t, err, "InvalidInputException", "policy type")
	e.noProblems()
	_, err = e.organizations().ListPoliciesForTarget(t.Context(), &organizations.ListPoliciesForTargetInput{TargetId: aws.String(payments), Filter: "TAG_POLICY"})
	want(t, err, "InvalidInputException", "awstest doesn't have")
	if p := e.Problems(); len(p) != 1 {
		t.Errorf("problems: %q", p)
	}
}

func TestDelegatedAdministrators(t *testing.T) {
	e := newEstate(t, awstest.Options{PageSize: 1}, allowAll)
	const guardDuty, config = "guardduty.amazonaws.com", "config.amazonaws.com"
	e.o.RegisterDelegatedAdministrator(payments, guardDuty, config)
	e.o.RegisterDelegatedAdministrator(staging, config)
	c := e.organizations()
	services := func(id string) (names []string, err error) {
		p := organizations.NewListDelegatedServicesForAccountPaginator(c, &organizations.ListDelegatedServicesForAccountInput{AccountId: &id})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			if err != nil {
				return nil, err
			}
			for _, s := range page.DelegatedServices {
				names = append(names, *s.ServicePrincipal)
			}
		}
		return names, nil
	}
	administrators := func(service *string) (ids []string) {
		p := organizations.NewListDelegatedAdministratorsPaginator(c, &organizations.ListDelegatedAdministratorsInput{ServicePrincipal: service})
		for p.HasMorePages() {
			page, err := p.NextPage(t.Context())
			check(t, err)
			for _, a := range page.DelegatedAdministrators {
				ids = append(ids, *a.Id)
				if a.State != "ACTIVE" || a.DelegationEnabledDate.IsZero() {
					t.Errorf("administrator is %+v", a)
				}
			}
		}
		return ids
	}
	got, err := services(payments)
	check(t, err)
	for _, test := range []struct {
		name      string
		got, want []string
	}{
		{"services of one", got, []string{guardDuty, config}},
		{"all administrators", administrators(nil), []string{payments, staging}},
		{"those of a service", administrators(aws.String(guardDuty)), []string{payments}},
		{"those of another", administrators(aws.String("sso.amazonaws.com")), nil},
	} {
		if diff := cmp.Diff(test.want, test.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	_, err = c.ListDelegatedAdministrators(t.Context(), &organizations.ListDelegatedAdministratorsInput{ServicePrincipal: aws.String("sso")})
	want(t, err, "InvalidInputException", "service principal")
	e.o.DeregisterDelegatedAdministrator(payments, config)
	if got, err = services(payments); err != nil || len(got) != 1 {
		t.Errorf("services are %v, %v", got, err)
	}
	e.o.DeregisterDelegatedAdministrator(payments)
	for _, id := range []string{payments, account} {
		_, err = services(id)
		want(t, err, "AccountNotRegisteredException", "")
	}
	e.noProblems()
}
