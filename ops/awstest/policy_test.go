package awstest_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const storeARN = "arn:aws:identitystore::111111111111:identitystore/d-1234567890"

// allow is a policy of one statement; more is put in front of its other elements.
func allow(action, more string, resources ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + statement("Allow", action, more, resources...) + `]}`
}

func statement(effect, action, more string, resources ...string) string {
	return `{` + more + `"Effect":"` + effect + `","Action":"` + action + `","Resource":["` + strings.Join(resources, `","`) + `"]}`
}

func listUsers(t *testing.T, cfg aws.Config) error {
	_, err := identitystore.NewFromConfig(cfg).ListUsers(t.Context(), &identitystore.ListUsersInput{IdentityStoreId: aws.String(storeID)})
	return err
}

func TestRolePolicyAndSessionPolicyMustBothAllow(t *testing.T) {
	const users = "arn:aws:identitystore:::user/*"
	list := allow("identitystore:ListUsers", "", storeARN, users)
	deny := func(p string) string {
		return strings.TrimSuffix(p, "]}") + "," + statement("Deny", "identitystore:List*", "", "*") + "]}"
	}
	const who = "User: arn:aws:sts::111111111111:assumed-role/rootbot-scim-sync-look/octocat is not authorized to perform: identitystore:ListUsers on resource: "
	for _, test := range []struct{ name, role, session, refusal string }{
		{"the role alone", list, "", ""},
		{"both", allowAll, list, ""},
		{"upper case in the action", allow("IdentityStore:listusers", "", "*"), "", ""},
		{"wildcards", allow("identitystore:List?sers", "", "arn:aws:identitystore::*:identitystore/d-*", "arn:aws:identitystore:::user/*"), "", ""},
		{
			"the role doesn't", allow("identitystore:ListGroups", "", "*"), "",
			who + storeARN + " because no identity-based policy allows the identitystore:ListUsers action",
		},
		{"the role doesn't, whatever the session says", allow("identitystore:ListGroups", "", "*"), allowAll, "no identity-based policy"},
		{
			"the session doesn't", allowAll, allow("identitystore:ListGroups", "", "*"),
			who + storeARN + " because no session policy allows the identitystore:ListUsers action",
		},
		{"the role not on the store", allow("identitystore:ListUsers", "", users), "", "on resource: " + storeARN},
		{"the role not on users", allow("identitystore:ListUsers", "", storeARN), "", "on resource: " + users + " because"},
		{"the role on one user only", allow("identitystore:ListUsers", "", storeARN, "arn:aws:identitystore:::user/1234567890-x"), "", "on resource: " + users},
		{"the session not on users", allowAll, allow("identitystore:ListUsers", "", storeARN), "on resource: " + users + " because no session policy"},
		{"the session on another store", allowAll, allow("identitystore:ListUsers", "", storeARN+"1", users), "no session policy"},
		{"the role denies", deny(allowAll), list, who + storeARN + " with an explicit deny in an identity-based policy"},
		{"the session denies", list, deny(allowAll), who + storeARN + " with an explicit deny in a session policy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, test.role)
			w.IdentityStore(storeID)
			err := listUsers(t, w.session(func(in *sts.AssumeRoleInput) {
				if test.session != "" {
					in.Policy = &test.session
				}
			}))
			if test.refusal == "" && err != nil {
				t.Error(err)
			} else if test.refusal != "" {
				want(t, err, "AccessDeniedException", test.refusal)
			}
			calls := w.Calls()
			last := calls[len(calls)-1]
			if last.Allowed != (test.refusal == "") || last.SessionPolicy != test.session {
				t.Errorf("ledger says %+v", last)
			}
			w.noProblems()
		})
	}
}

func TestConditions(t *testing.T) {
	for _, test := range []struct {
		name, condition string
		allowed         bool
	}{
		{"tag equals", `"StringEquals":{"aws:PrincipalTag/operation":"scim-sync"}`, true},
		{"key in other case", `"StringEquals":{"AWS:principaltag/Operation":"scim-sync"}`, true},
		{"tag differs", `"StringEquals":{"aws:PrincipalTag/operation":"remove-user"}`, false},
		{"one of several", `"StringEquals":{"aws:PrincipalTag/operation":["remove-user","scim-sync"]}`, true},
		{"equals knows no wildcard", `"StringEquals":{"aws:PrincipalTag/operation":"scim-*"}`, false},
		{"like", `"StringLike":{"aws:PrincipalTag/operation":"scim-*"}`, true},
		{"not like", `"StringNotLike":{"aws:PrincipalTag/operation":"scim-*"}`, false},
		{"not equals", `"StringNotEquals":{"aws:PrincipalTag/operation":"scim-sync"}`, false},
		{"not equals, key absent", `"StringNotEquals":{"aws:PrincipalTag/other":"x"}`, true},
		{"equals, key absent", `"StringEquals":{"aws:PrincipalTag/other":"x"}`, false},
		{"equals if exists, key absent", `"StringEqualsIfExists":{"aws:PrincipalTag/other":"x"}`, true},
		{"equals if exists, key there", `"StringEqualsIfExists":{"aws:PrincipalTag/operation":"x"}`, false},
		{"ignore case", `"StringEqualsIgnoreCase":{"aws:PrincipalTag/operation":"SCIM-SYNC"}`, true},
		{"not ignore case", `"StringNotEqualsIgnoreCase":{"aws:PrincipalTag/operation":"SCIM-SYNC"}`, false},
		{"null of a key that is there", `"Null":{"aws:SourceIdentity":"false"}`, true},
		{"null of a key that is absent", `"Null":{"aws:MultiFactorAuthPresent":true}`, true},
		{"bool", `"Bool":{"aws:SecureTransport":true}`, true},
		{"bool, key absent", `"Bool":{"aws:MultiFactorAuthPresent":"true"}`, false},
		{"arn", `"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111111111111:role/rootbot-*"}`, true},
		{"arn, no wildcard over colons", `"ArnLike":{"aws:PrincipalArn":"arn:aws:*:role/rootbot-scim-sync-look"}`, false},
		{"arn not", `"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/rootbot-*"}`, false},
		{"any value of a single one", `"ForAnyValue:StringLike":{"aws:PrincipalTag/operation":["a*","s*"]}`, true},
		{"any value, key absent", `"ForAnyValue:StringLike":{"aws:TagKeys":"*"}`, false},
		{"all values, key absent", `"ForAllValues:StringLike":{"aws:TagKeys":"x"}`, true},
		{"a variable", `"StringEquals":{"aws:SourceIdentity":"${aws:PrincipalTag/requested-by}"}`, true},
		{"a variable with other value", `"StringEquals":{"aws:SourceIdentity":"${aws:PrincipalTag/operation}"}`, false},
		{"a variable without value", `"StringLike":{"aws:SourceIdentity":"${aws:PrincipalTag/nothing}*"}`, false},
		{"a variable's fallback", `"StringEquals":{"aws:SourceIdentity":"${aws:PrincipalTag/nothing, 'octocat'}"}`, true},
		{"two operators, one fails", `"Bool":{"aws:SecureTransport":true},"StringEquals":{"aws:userid":"x"}`, false},
		{"two keys, one fails", `"StringEquals":{"aws:SourceIdentity":"octocat","aws:RequestedRegion":"us-east-1"}`, false},
		{"the Region", `"StringEquals":{"aws:RequestedRegion":"eu-west-2"}`, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allow("identitystore:*", `"Condition":{`+test.condition+`},`, "*"))
			w.IdentityStore(storeID)
			cfg := w.session(everything, func(in *sts.AssumeRoleInput) {
				in.Tags = append(in.Tags, tag("requested-by", "octocat"))
			})
			if err := listUsers(t, cfg); (err == nil) != test.allowed {
				t.Errorf("got %v, want allowed %t", err, test.allowed)
			}
			w.noProblems()
		})
	}
}

func TestAPolicyThatCannotBeJudgedIsRefusedAndNamed(t *testing.T) {
	for _, test := range []struct{ name, policy, problem string }{
		{"an unknown key", allow("identitystore:*", `"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}},`, "*"), "aws:PrincipalOrgID"},
		{"an unknown key under a negative operator", allow("identitystore:*", `"Condition":{"StringNotEquals":{"aws:Colour":"red"}},`, "*"), "aws:Colour"},
		{"a placeholder that nobody filled in", allow("identitystore:*", "", "arn:aws:identitystore::111111111111:identitystore/${IDENTITY_STORE_ID}", "*"), "IDENTITY_STORE_ID"},
		{"a set operator missing", allow("identitystore:*", `"Condition":{"StringEquals":{"aws:PrincipalTag/x":"${"}},`, "*"), "without }"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, test.policy)
			w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: test.policy, Tags: map[string]string{"x": "1"}})
			w.IdentityStore(storeID)
			want(t, listUsers(t, w.session()), "AccessDeniedException", "explicit deny")
			if p := strings.Join(w.Problems(), "\n"); !strings.Contains(p, test.problem) {
				t.Errorf("problems %q don't mention %s", p, test.problem)
			}
		})
	}
}

func TestResourcesOfLambdaAndLogs(t *testing.T) {
	fn, logs := "arn:aws:lambda:eu-west-2:111111111111:function:"+function, "arn:aws:logs:eu-west-2:111111111111:log-group:"+group
	for _, test := range []struct{ name, policy, lambda, logs string }{
		{"the two exactly", `{"Version":"2012-10-17","Statement":[` + statement("Allow", "lambda:InvokeFunction", "", fn) + "," +
			statement("Allow", "logs:FilterLogEvents", "", logs+":*") + `]}`, "", ""},
		{"the log group without :*", `{"Version":"2012-10-17","Statement":[` + statement("Allow", "lambda:InvokeFunction", "", fn) + "," +
			statement("Allow", "logs:FilterLogEvents", "", logs) + `]}`, "", "on resource: " + logs + ":log-stream:"},
		{"another function", allow("lambda:InvokeFunction", "", fn+"-other"), "on resource: " + fn + " because", "logs:FilterLogEvents"},
		{"lambda:Invoke is no action", allow("lambda:Invoke", "", "*"), "lambda:InvokeFunction", "logs:FilterLogEvents"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, test.policy)
			w.AddFunction(awstest.Function{Name: function})
			w.AddLogGroup(group)
			_, err := w.lambda().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(function)})
			if test.lambda != "" {
				want(t, err, "AccessDeniedException", test.lambda)
			} else if err != nil {
				t.Error(err)
			}
			_, err = w.logs().FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group)})
			if test.logs != "" {
				want(t, err, "AccessDeniedException", test.logs)
			} else if err != nil {
				t.Error(err)
			}
			w.noProblems()
		})
	}
}

func TestANewPolicyHoldsForSessionsThatAreThere(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IdentityStore(storeID)
	cfg := w.session()
	if err := listUsers(t, cfg); err != nil {
		t.Fatal(err)
	}
	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll})
	want(t, listUsers(t, cfg), "AccessDeniedException", "no identity-based policy")
	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allowAll})
	if err := listUsers(t, cfg); err != nil {
		t.Error(err)
	}
	w.RemoveRole(roleARN)
	want(t, listUsers(t, cfg), "AccessDeniedException", "no identity-based policy")
}
