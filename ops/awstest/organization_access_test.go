package awstest_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func TestOrganizationsActionsNeedTheirResources(t *testing.T) {
	everything := []string{"*"}
	e := newEstate(t, awstest.Options{}, allowAll)
	onAccount := []string{e.arn("account", payments)}
	onOU := []string{e.arn("ou", e.live)}
	resources := map[string][]string{
		"DescribeOrganization": everything, "ListAccounts": everything, "ListRoots": everything, "ListDelegatedAdministrators": everything,
		"DescribeAccount": onAccount, "CloseAccount": onAccount, "ListParents": onAccount, "ListTagsForResource": onAccount,
		"TagResource": onAccount, "UntagResource": onAccount, "ListPoliciesForTarget": onAccount, "ListDelegatedServicesForAccount": onAccount,
		"DescribeOrganizationalUnit": onOU, "ListAccountsForParent": onOU, "ListChildren": onOU,
		"ListOrganizationalUnitsForParent": {e.arn("root", e.root)},
		"MoveAccount":                      {e.arn("account", payments), e.arn("ou", e.live), e.arn("root", e.root)},
		"DescribePolicy":                   {"arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"},
	}
	for action := range e.calls() {
		t.Run(action, func(t *testing.T) {
			needed, ok := resources[action]
			if !ok {
				t.Fatal("no resources are known")
			}
			e := newEstate(t, awstest.Options{}, allow("organizations:"+action, "", needed...))
			e.o.RegisterDelegatedAdministrator(payments, "guardduty.amazonaws.com")
			do := e.calls()[action]
			check(t, do(e.organizations()))
			for _, missing := range needed {
				some := slices.DeleteFunc(slices.Clone(needed), func(arn string) bool { return arn == missing })
				some = append(some, "arn:aws:organizations::111111111111:account/o-*/999999999999", "arn:aws:organizations::111111111111:ou/o-*/ou-x")
				e.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allow("organizations:"+action, "", some...)})
				want(t, do(e.organizations()), "AccessDeniedException", "is not authorized to perform: organizations:"+action+" on resource: "+missing+" because")
			}
			e.noProblems()
		})
	}
}

func TestConditionsOfOrganizations(t *testing.T) {
	for _, test := range []struct {
		name, action, condition string
		allowed                 bool
	}{
		{"an account with a tag", "CloseAccount", `"StringEquals":{"aws:ResourceTag/is-production":"false"}`, true},
		{"an account with another", "CloseAccount", `"StringEquals":{"aws:ResourceTag/is-production":"true"}`, false},
		{"an account without", "CloseAccount", `"Null":{"aws:ResourceTag/protected":"true"}`, true},
		{"a tag that the OUs haven't", "MoveAccount", `"StringEquals":{"aws:ResourceTag/is-production":"false"}`, false},
		{"a tag that all three have", "MoveAccount", `"StringEquals":{"aws:ResourceTag/estate":"main"}`, true},
		{"a tag that is named", "TagResource", `"ForAllValues:StringEquals":{"aws:TagKeys":["removal-request"]}`, true},
		{"a tag that isn't", "TagResource", `"ForAllValues:StringEquals":{"aws:TagKeys":["owner"]}`, false},
		{"a tag's value", "TagResource", `"StringEquals":{"aws:RequestTag/removal-request":"7f3a"}`, true},
		{"another value", "TagResource", `"StringEquals":{"aws:RequestTag/removal-request":"x"}`, false},
		{"a tag taken away", "UntagResource", `"ForAnyValue:StringEquals":{"aws:TagKeys":["removal-request"]}`, true},
		{"another one taken away", "UntagResource", `"ForAnyValue:StringEquals":{"aws:TagKeys":["owner"]}`, false},
		{"the type of policies", "ListPoliciesForTarget", `"StringEquals":{"organizations:PolicyType":"SERVICE_CONTROL_POLICY"}`, true},
		{"the type of a policy", "DescribePolicy", `"StringEquals":{"organizations:PolicyType":"TAG_POLICY"}`, false},
		{"a service", "ListDelegatedAdministrators", `"StringEquals":{"organizations:ServicePrincipal":"guardduty.amazonaws.com"}`, true},
		{"another service", "ListDelegatedAdministrators", `"StringEquals":{"organizations:ServicePrincipal":"sso.amazonaws.com"}`, false},
		{"the Region is always the same", "ListAccounts", `"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEstate(t, awstest.Options{}, allow("organizations:"+test.action, `"Condition":{`+test.condition+`},`, "*"))
			e.o.ChangeAccount(payments, func(a *awstest.OrgAccount) {
				a.Tags = map[string]string{"is-production": "false", "estate": "main"}
			})
			e.o.TagOU(e.live, map[string]string{"estate": "main"})
			e.o.TagOU(e.root, map[string]string{"estate": "main"})
			err := e.calls()[test.action](e.organizations())
			if test.allowed {
				check(t, err)
			} else {
				want(t, err, "AccessDeniedException", "no identity-based policy allows the organizations:"+test.action+" action")
			}
			e.noProblems()
		})
	}
}

func TestProtectedAccountsAreDenied(t *testing.T) {
	e := newEstate(t, awstest.Options{}, `{"Version":"2012-10-17","Statement":[`+
		statement("Allow", "organizations:CloseAccount", "", "arn:aws:organizations::111111111111:account/o-*/*")+","+
		statement("Deny", "organizations:CloseAccount", "", "arn:aws:organizations::*:account/*/"+payments)+`]}`)
	want(t, e.close(payments), "AccessDeniedException", "with an explicit deny in an identity-based policy")
	check(t, e.close(staging))
	if got := e.o.Closed(); !slices.Equal(got, []string{staging}) {
		t.Errorf("closed: %v", got)
	}
	e.noProblems()
}

func TestWhichAccountsMayUseAnAction(t *testing.T) {
	forEveryone := []string{"DescribeOrganization"}
	forManagement := []string{"MoveAccount", "CloseAccount", "TagResource", "UntagResource"}
	for name, prepare := range map[string]func(*estate){
		"delegate": func(e *estate) { e.o.RegisterDelegatedAdministrator(account, "guardduty.amazonaws.com") },
		"member":   func(*estate) {},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, awstest.Options{}, allowAll)
			e.o.SetManagement("222222222222")
			e.o.RegisterDelegatedAdministrator(payments, "guardduty.amazonaws.com")
			prepare(e)
			for action, do := range e.calls() {
				may := slices.Contains(forEveryone, action) || name == "delegate" && !slices.Contains(forManagement, action)
				if err := do(e.organizations()); may {
					check(t, err)
				} else {
					want(t, err, "AccessDeniedException", "You don't have permissions")
				}
			}
			e.noProblems()
		})
	}
	w := newWorld(t, awstest.Options{}, allowAll)
	_, err := w.organizations().DescribeOrganization(t.Context(), nil)
	want(t, err, "AWSOrganizationsNotInUseException", "not a member")
}

func TestRatesOfOrganizations(t *testing.T) {
	now := time.Now()
	e := newEstate(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	c := e.organizations()
	calls := func(action string, n int) int {
		passed := 0
		for range n {
			err := e.calls()[action](c)
			if err == nil {
				passed++
			} else if code(err) != "TooManyRequestsException" || httpStatus(err) != 400 {
				t.Fatalf("%s: %v", action, err)
			}
		}
		return passed
	}
	if got := calls("ListAccounts", 30); got != 30 {
		t.Errorf("without rates %d of 30 pass", got)
	}
	e.o.SetRates(true)
	for _, test := range []struct {
		action     string
		burst, per int // per 20 seconds, up to the burst
	}{{"ListAccounts", 12, 12}, {"DescribeAccount", 30, 30}, {"ListRoots", 2, 2}} {
		if got := calls(test.action, 40); got != test.burst {
			t.Errorf("%s: %d pass at once, want %d", test.action, got, test.burst)
		}
		now = now.Add(20 * time.Second)
		if got := calls(test.action, 40); got != test.per {
			t.Errorf("%s: %d pass later, want %d", test.action, got, test.per)
		}
	}
	check(t, e.close(payments))
	want(t, e.close(staging), "TooManyRequestsException", "Rate exceeded")
	now = now.Add(19 * time.Second)
	want(t, e.close(staging), "TooManyRequestsException", "Rate exceeded")
	now = now.Add(2 * time.Second)
	check(t, e.close(staging))
	e.noProblems()
}

// The faults of fault.go work for what is done here as for everything else.
func TestFaultsOfOrganizations(t *testing.T) {
	now := time.Now()
	e := newEstate(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	e.Fail("organizations:CloseAccount", awstest.Fault{
		Code: "ConstraintViolationException", Message: "Over.", Reason: "CLOSE_ACCOUNT_QUOTA_EXCEEDED", Times: 1,
	})
	err := e.close(payments)
	if reason := violation(err); reason != types.ConstraintViolationExceptionReasonCloseAccountQuotaExceeded {
		t.Errorf("got %v", err)
	}
	e.Fail("organizations:CloseAccount", awstest.Fault{CutAfter: true, Times: 1})
	if err := e.close(payments); err == nil || code(err) != "" {
		t.Errorf("an answer that got lost: %v", err)
	}
	if got := e.state(payments); got[0] != "PENDING_CLOSURE" || len(e.o.Closed()) != 1 {
		t.Errorf("it was done all the same, but the account shows %v", got)
	}
	e.Fail("organizations:CloseAccount", awstest.Fault{Cut: true, Times: 1})
	if err := e.close(staging); err == nil || e.account(staging).State != "ACTIVE" {
		t.Errorf("a call that got lost: %v, %+v", err, e.account(staging))
	}
	e.Fail("organizations:MoveAccount", awstest.Fault{Code: "ConcurrentModificationException", Times: 1})
	want(t, e.move(staging, e.live, e.disabled), "ConcurrentModificationException", "")
	e.Fail("organizations:Describe*", awstest.Fault{Code: "ServiceException", Times: 1})
	if err := e.calls()["DescribeAccount"](e.organizations()); code(err) != "ServiceException" || httpStatus(err) != 500 {
		t.Errorf("got %v", err)
	}
	e.Fail("organizations:ListRoots", awstest.Fault{Code: "TooManyRequestsException", Times: 1})
	want(t, e.calls()["ListRoots"](e.organizations()), "TooManyRequestsException", "Rate exceeded")

	e.Throttle("organizations:ListAccounts", 2)
	var got []string
	for range 3 {
		got = append(got, code(e.calls()["ListAccounts"](e.organizations())))
	}
	if strings.Join(got, ",") != ",,TooManyRequestsException" {
		t.Errorf("throttled: %q", got)
	}

	e.OnCall("organizations:MoveAccount", func(awstest.Call) { e.o.Move(staging, e.closed) })
	want(t, e.move(staging, e.live, e.disabled), "AccountNotFoundException", "")
	calls := e.Calls()
	if last := calls[len(calls)-1]; !last.Allowed || !strings.Contains(string(last.Params), `"SourceParentId":"`+e.live+`"`) {
		t.Errorf("ledger says %+v", last)
	}
	e.noProblems()
	_, err = e.organizations().CreateAccount(t.Context(), &organizations.CreateAccountInput{AccountName: aws.String("x"), Email: aws.String("x@example.org")})
	want(t, err, "UnknownOperationException", "CreateAccount")
	if p := e.Problems(); len(p) != 1 {
		t.Errorf("problems: %q", p)
	}
}
