package awstest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func TestTheLedgerTellsWhoDidWhat(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allow("identitystore:ListUsers", "", "*"))
	w.IdentityStore(storeID)
	policy := allow("identitystore:*", "", "*")
	cfg := w.session(everything, func(in *sts.AssumeRoleInput) { in.Policy = &policy })
	listUsers(t, cfg)
	identitystore.NewFromConfig(cfg).ListGroups(t.Context(), &identitystore.ListGroupsInput{IdentityStoreId: here, MaxResults: aws.Int32(5)})
	listUsers(t, w.config("ASIAUNKNOWN", "x", "y"))
	listUsers(t, cfg)

	keys, _ := cfg.Credentials.Retrieve(t.Context())
	session := awstest.Call{
		Service: "identitystore", Principal: "arn:aws:sts::111111111111:assumed-role/rootbot-scim-sync-look/octocat", RoleARN: roleARN,
		SourceIdentity: "octocat", SessionTags: map[string]string{"request": "7f3a", "operation": "scim-sync"}, SessionPolicy: policy,
		AccessKeyID: keys.AccessKeyID, Region: "eu-west-2",
	}
	users, groups := session, session
	users.Action, users.Allowed, users.Params = "ListUsers", true, []byte(`{"IdentityStoreId":"d-1234567890"}`)
	groups.Action, groups.ErrorCode, groups.Params = "ListGroups", "AccessDeniedException", []byte(`{"IdentityStoreId":"d-1234567890","MaxResults":5}`)
	want := []awstest.Call{
		{
			Service: "sts", Action: "AssumeRole", Principal: "arn:aws:sts::111111111111:assumed-role/rootbot/task", RoleARN: "arn:aws:iam::111111111111:role/rootbot",
			SessionTags: map[string]string{}, AccessKeyID: w.AccessKeyID, Region: "eu-west-2", Allowed: true,
		},
		users, groups,
		{Service: "identitystore", Action: "ListUsers", AccessKeyID: "ASIAUNKNOWN", Region: "eu-west-2", ErrorCode: "UnrecognizedClientException"},
		users,
	}
	got := w.Calls()
	var assumed struct {
		RoleArn, SourceIdentity string
		DurationSeconds         int
	}
	decode(t, got[0].Params, &assumed)
	if assumed.RoleArn != roleARN || assumed.SourceIdentity != "octocat" || assumed.DurationSeconds != 3600 {
		t.Errorf("parameters of AssumeRole: %s", got[0].Params)
	}
	got[0].Params = nil
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(awstest.Call{}, "RequestID", "At")); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	for action, n := range map[string]int{"identitystore:ListUsers": 3, "identitystore:*": 4, "*": 5, "lambda:InvokeFunction": 0} {
		if got := w.Count(action); got != n {
			t.Errorf("Count(%s) is %d, want %d", action, got, n)
		}
	}
	w.noProblems()
}

func TestWaitEndsWithItsContext(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Wait(ctx, func() bool { return false }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := w.Wait(ctx, func() bool { return true }); err != nil {
		t.Errorf("what is so already needs no waiting: %v", err)
	}
}

func ExampleNew() {
	c := awstest.New(awstest.Options{})
	defer c.Close()
	c.AddRole(awstest.Role{
		ARN: "arn:aws:iam::111111111111:role/reader",
		Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",
			"Principal":{"AWS":"arn:aws:iam::111111111111:role/rootbot"}}]}`,
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"identitystore:ListGroups","Resource":"*"}]}`,
	})
	c.IdentityStore("d-1234567890").AddGroup("platform")

	cfg := aws.Config{
		Region: "eu-west-2", BaseEndpoint: aws.String(c.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, ""),
	}
	session, err := sts.NewFromConfig(cfg).AssumeRole(context.Background(), &sts.AssumeRoleInput{
		RoleArn: aws.String("arn:aws:iam::111111111111:role/reader"), RoleSessionName: aws.String("octocat"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	k := session.Credentials
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*k.AccessKeyId, *k.SecretAccessKey, *k.SessionToken)
	groups, err := identitystore.NewFromConfig(cfg).ListGroups(context.Background(), &identitystore.ListGroupsInput{IdentityStoreId: aws.String("d-1234567890")})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(*groups.Groups[0].DisplayName, c.Count("identitystore:ListGroups"), c.Problems())
	// Output: platform 1 []
}
