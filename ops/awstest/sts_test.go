package awstest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// everything is an AssumeRole that uses all three actions.
func everything(in *sts.AssumeRoleInput) {
	in.SourceIdentity = aws.String("octocat")
	in.Tags = []types.Tag{{Key: aws.String("request"), Value: aws.String("7f3a")}, {Key: aws.String("operation"), Value: aws.String("scim-sync")}}
}

func TestAssumeRole(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	before := time.Now()
	out, err := w.sts().AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat"), DurationSeconds: aws.Int32(900),
		SourceIdentity: aws.String("octocat"), Policy: aws.String(allowAll),
	})
	if err != nil {
		t.Fatal(err)
	}
	const arn = "arn:aws:sts::111111111111:assumed-role/rootbot-scim-sync-look/octocat"
	if *out.AssumedRoleUser.Arn != arn || !strings.HasSuffix(*out.AssumedRoleUser.AssumedRoleId, ":octocat") {
		t.Errorf("AssumedRoleUser is %s %s", *out.AssumedRoleUser.Arn, *out.AssumedRoleUser.AssumedRoleId)
	}
	if *out.SourceIdentity != "octocat" {
		t.Errorf("SourceIdentity %s", *out.SourceIdentity)
	}
	if d := out.Credentials.Expiration.Sub(before); d < 14*time.Minute || d > 16*time.Minute {
		t.Errorf("expires after %v", d)
	}
	k := out.Credentials
	me, err := sts.NewFromConfig(w.config(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken)).GetCallerIdentity(t.Context(), nil)
	if err != nil || *me.Arn != arn || *me.Account != account || *me.UserId != *out.AssumedRoleUser.AssumedRoleId {
		t.Errorf("caller is %+v, %v", me, err)
	}
	w.noProblems()
}

func TestAssumeRoleParameters(t *testing.T) {
	long := strings.Repeat("a", 65)
	big := strings.Replace(allowAll, `"Action":"*"`, `"Sid":"`+strings.Repeat("a", 2048)+`","Action":"*"`, 1)
	tags := func(pairs ...string) []types.Tag {
		var all []types.Tag
		for i := 0; i < len(pairs); i += 2 {
			all = append(all, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
		return all
	}
	for _, test := range []struct {
		name       string
		change     func(*sts.AssumeRoleInput)
		code, part string
	}{
		{"a session name with a space", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a b") }, "ValidationError", "roleSessionName"},
		{"a session name of one letter", func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a") }, "ValidationError", "roleSessionName"},
		{"a session name of 65 letters", func(in *sts.AssumeRoleInput) { in.RoleSessionName = &long }, "ValidationError", "roleSessionName"},
		{"a source identity with a slash", func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("a/b") }, "ValidationError", "sourceIdentity"},
		{"a source identity of one letter", func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("a") }, "ValidationError", "sourceIdentity"},
		{"899 seconds", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(899) }, "ValidationError", "durationSeconds"},
		{"3601 seconds when chained", func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(3601) }, "ValidationError", "role chaining"},
		{"a policy over 2048 characters", func(in *sts.AssumeRoleInput) { in.Policy = &big }, "ValidationError", "'policy'"},
		{"a policy that isn't JSON", func(in *sts.AssumeRoleInput) { in.Policy = aws.String("{") }, "MalformedPolicyDocument", ""},
		{"a policy with NotAction", func(in *sts.AssumeRoleInput) {
			in.Policy = aws.String(strings.Replace(allowAll, `"Action"`, `"NotAction"`, 1))
		}, "MalformedPolicyDocument", "NotAction"},
		{"a tag key twice", func(in *sts.AssumeRoleInput) { in.Tags = tags("request", "1", "Request", "2") }, "ValidationError", "Duplicate tag keys"},
		{"a tag key of AWS", func(in *sts.AssumeRoleInput) { in.Tags = tags("aws:x", "1") }, "ValidationError", "aws:"},
		{"a tag value with a bracket", func(in *sts.AssumeRoleInput) { in.Tags = tags("x", "<1>") }, "ValidationError", "tags.member.value"},
		{"a tag value of 257 characters", func(in *sts.AssumeRoleInput) { in.Tags = tags("x", strings.Repeat("a", 257)) }, "ValidationError", "tags.member.value"},
		{"a transitive key that is no tag", func(in *sts.AssumeRoleInput) {
			in.Tags, in.TransitiveTagKeys = tags("x", "1"), []string{"y"}
		}, "ValidationError", "transitive"},
		{"51 tags", func(in *sts.AssumeRoleInput) {
			for i := range 51 {
				in.Tags = append(in.Tags, tags("k"+strings.Repeat("x", i), "1")...)
			}
		}, "ValidationError", "'tags'"},
		{"tags too large to pack", func(in *sts.AssumeRoleInput) {
			for i := range 20 {
				in.Tags = append(in.Tags, tags("k"+strings.Repeat("x", i), strings.Repeat("v", 200))...)
			}
		}, "PackedPolicyTooLarge", ""},
		{
			"a role that doesn't exist", func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(roleARN + "x") }, "AccessDenied",
			"is not authorized to perform: sts:AssumeRole on resource: " + roleARN + "x",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			in := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")}
			test.change(in)
			_, err := w.sts().AssumeRole(t.Context(), in)
			want(t, err, test.code, test.part)
		})
	}
}

func TestTrustNeedsEachOfThreeActions(t *testing.T) {
	statement := func(action string) string {
		return `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/rootbot"},"Action":"` + action + `"}`
	}
	actions := []string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"}
	for _, missing := range actions {
		var there []string
		for _, a := range actions {
			if a != missing {
				there = append(there, statement(a))
			}
		}
		t.Run("trust without "+missing, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			w.AddRole(awstest.Role{ARN: roleARN, Trust: `{"Version":"2012-10-17","Statement":[` + strings.Join(there, ",") + `]}`})
			in := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")}
			everything(in)
			_, err := w.sts().AssumeRole(t.Context(), in)
			want(t, err, "AccessDenied", "User: arn:aws:sts::111111111111:assumed-role/rootbot/task is not authorized to perform: "+missing+
				" on resource: "+roleARN+" because no role trust policy allows the "+missing+" action")
			if missing != "sts:AssumeRole" {
				plain := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")}
				if _, err := w.sts().AssumeRole(t.Context(), plain); err != nil {
					t.Errorf("an action that isn't used isn't needed: %v", err)
				}
			}
			w.noProblems()
		})
		t.Run("caller without "+missing, func(t *testing.T) {
			policy := strings.Replace(`{"Version":"2012-10-17","Statement":[
				{"Effect":"Allow","Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession"],"Resource":"*"}]}`, missing, "sts:Other", 1)
			w := newWorld(t, awstest.Options{Policy: policy}, allowAll)
			in := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")}
			everything(in)
			_, err := w.sts().AssumeRole(t.Context(), in)
			want(t, err, "AccessDenied", "because no identity-based policy allows the "+missing+" action")
		})
	}
}

func TestTrustPolicy(t *testing.T) {
	trust := func(principal, condition string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal +
			`,"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession"]` + condition + `}]}`
	}
	bot := `{"AWS":"arn:aws:iam::111111111111:role/rootbot"}`
	for _, test := range []struct {
		name, trust string
		change      func(*sts.AssumeRoleInput)
		refused     bool
	}{
		{"the role", trust(bot, ""), everything, false},
		{"the account", trust(`{"AWS":"arn:aws:iam::111111111111:root"}`, ""), everything, false},
		{"the account's number", trust(`{"AWS":"111111111111"}`, ""), everything, false},
		{"the session", trust(`{"AWS":"arn:aws:sts::111111111111:assumed-role/rootbot/task"}`, ""), everything, false},
		{"another role", trust(`{"AWS":"arn:aws:iam::111111111111:role/other"}`, ""), everything, true},
		{"another account", trust(`{"AWS":"arn:aws:iam::222222222222:root"}`, ""), everything, true},
		{"a service", trust(`{"Service":"lambda.amazonaws.com"}`, ""), everything, true},
		{"a source identity is required and there", trust(bot, `,"Condition":{"StringLike":{"sts:SourceIdentity":"*"}}`), everything, false},
		{
			"a source identity is required and missing", trust(bot, `,"Condition":{"StringLike":{"sts:SourceIdentity":"*"}}`),
			func(*sts.AssumeRoleInput) {}, true,
		},
		{"a tag is required and there", trust(bot, `,"Condition":{"StringEquals":{"aws:RequestTag/operation":"scim-sync"}}`), everything, false},
		{
			"a tag is required and missing", trust(bot, `,"Condition":{"StringEquals":{"aws:RequestTag/operation":"scim-sync"}}`),
			func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("octocat") }, true,
		},
		{"only these tag keys", trust(bot, `,"Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":["request","operation"]}}`), everything, false},
		{"an external ID is required and missing", trust(bot, `,"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}`), everything, true},
		{
			"an external ID is required and there", trust(bot, `,"Condition":{"StringEquals":{"sts:ExternalId":"x1"}}`),
			func(in *sts.AssumeRoleInput) { everything(in); in.ExternalId = aws.String("x1") }, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			w.AddRole(awstest.Role{ARN: roleARN, Trust: test.trust})
			in := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")}
			test.change(in)
			_, err := w.sts().AssumeRole(t.Context(), in)
			if test.refused {
				want(t, err, "AccessDenied", "no role trust policy")
			} else if err != nil {
				t.Error(err)
			}
			w.noProblems()
		})
	}
}

func TestChainedSessionsKeepSourceIdentityAndTransitiveTags(t *testing.T) {
	const second = "arn:aws:iam::222222222222:role/path/reader"
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddRole(awstest.Role{ARN: second, Trust: strings.ReplaceAll(trustAll, "role/rootbot", "role/rootbot-scim-sync-look")})
	chain := sts.NewFromConfig(w.session(everything, func(in *sts.AssumeRoleInput) { in.TransitiveTagKeys = []string{"request"} }))

	out, err := chain.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(second), RoleSessionName: aws.String("again")})
	if err != nil {
		t.Fatal(err)
	}
	if *out.AssumedRoleUser.Arn != "arn:aws:sts::222222222222:assumed-role/reader/again" || *out.SourceIdentity != "octocat" {
		t.Errorf("got %s as %s", *out.AssumedRoleUser.Arn, *out.SourceIdentity)
	}
	k := out.Credentials
	if _, err := sts.NewFromConfig(w.config(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken)).GetCallerIdentity(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	calls := w.Calls()
	if diff := cmp.Diff(map[string]string{"request": "7f3a"}, calls[len(calls)-1].SessionTags); diff != "" {
		t.Errorf("tags of the chained session (-want +got):\n%s", diff)
	}
	_, err = chain.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(second), RoleSessionName: aws.String("again"),
		SourceIdentity: aws.String("someone-else"),
	})
	want(t, err, "AccessDenied", "sts:SetSourceIdentity")
	_, err = chain.AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(second), RoleSessionName: aws.String("again"),
		Tags: []types.Tag{{Key: aws.String("Request"), Value: aws.String("other")}},
	})
	want(t, err, "ValidationError", "inherited")
	w.noProblems()
}

func TestTheBotsOwnIdentityCanOnlyAssumeRoles(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	for service, err := range everyService(t, w.base()) {
		if service == "sts" {
			continue
		}
		want(t, err, "AccessDeniedException", "because no identity-based policy allows")
	}
}

func TestARoleThatIAMWouldRefuseIsNamedAndAllowsNothing(t *testing.T) {
	for _, test := range []struct{ name, trust, policy, problem string }{
		{"no version", trustAll, `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`, "no Version"},
		{"an action without service", trustAll, strings.Replace(allowAll, `"Action":"*"`, `"Action":"ListUsers"`, 1), "service:Action"},
		{"a resource that is no ARN", trustAll, strings.Replace(allowAll, `"Resource":"*"`, `"Resource":"d-1234567890"`, 1), "neither an ARN"},
		{"an unknown operator", trustAll, strings.Replace(allowAll, `"Effect"`, `"Condition":{"StringSounds":{"aws:userid":"x"}},"Effect"`, 1), "StringSounds"},
		{"a key twice", trustAll, strings.Replace(allowAll, `"Effect"`, `"Effect":"Allow","Effect"`, 1), "twice"},
		{"a principal in a permission policy", trustAll, strings.Replace(allowAll, `"Effect"`, `"Principal":"*","Effect"`, 1), "Principal"},
		{"a resource in a trust policy", strings.Replace(trustAll, `"Effect"`, `"Resource":"*","Effect"`, 1), allowAll, "Resource"},
		{"a wildcard principal", strings.Replace(trustAll, "role/rootbot", "role/*", 1), allowAll, "wildcards"},
		{"a Sid with a hyphen", trustAll, strings.Replace(allowAll, `"Effect"`, `"Sid":"a-b","Effect"`, 1), "Sid"},
		{"a Sid twice", trustAll, `{"Version":"2012-10-17","Statement":[` + statement("Allow", "a:b", `"Sid":"A",`, "*") + "," +
			statement("Allow", "a:c", `"Sid":"A",`, "*") + `]}`, "twice"},
		{"no statement", trustAll, `{"Version":"2012-10-17","Statement":[]}`, "no Statement"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			w.AddRole(awstest.Role{ARN: roleARN, Trust: test.trust, Policy: test.policy})
			if p := strings.Join(w.Problems(), "\n"); !strings.Contains(p, test.problem) || !strings.Contains(p, roleARN) {
				t.Errorf("problems %q don't mention %q", p, test.problem)
			}
			in := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")}
			out, err := w.sts().AssumeRole(t.Context(), in)
			if test.trust != trustAll {
				want(t, err, "AccessDenied", "")
				return
			}
			k := out.Credentials
			err = everyService(t, w.config(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken))["identitystore"]
			want(t, err, "AccessDeniedException", "no identity-based policy")
		})
	}
}
