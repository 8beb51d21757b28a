package awstest_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	account  = "111111111111"
	storeID  = "d-1234567890"
	roleARN  = "arn:aws:iam::111111111111:role/rootbot-scim-sync-look"
	function = "aws-sso-scim-github"
	group    = "/aws/lambda/" + function

	trustAll = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/rootbot"},"Action":"sts:AssumeRole"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/rootbot"},"Action":"sts:SetSourceIdentity"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/rootbot"},"Action":"sts:TagSession"}]}`

	allowAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
)

// world is a Cloud with one role, and what a test needs to talk to it.
type world struct {
	*awstest.Cloud
	t *testing.T
}

func newWorld(t *testing.T, o awstest.Options, policy string) *world {
	t.Helper()
	c := awstest.New(o)
	t.Cleanup(c.Close)
	c.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: policy})
	return &world{c, t}
}

// noProblems is for the end of a test that asks for nothing the fake doesn't know.
func (w *world) noProblems() {
	w.t.Helper()
	if p := w.Problems(); len(p) > 0 {
		w.t.Errorf("problems:\n%s", strings.Join(p, "\n"))
	}
}

func (w *world) config(key, secret, token string) aws.Config {
	return aws.Config{
		Region: "eu-west-2", BaseEndpoint: aws.String(w.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(key, secret, token),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
		HTTPClient:  awsaccess.HTTPClient(nil),
	}
}

func (w *world) base() aws.Config { return w.config(w.AccessKeyID, w.SecretAccessKey, "") }

func (w *world) sts() *sts.Client { return sts.NewFromConfig(w.base()) }

// session assumes the role with whatever change sets.
func (w *world) session(change ...func(*sts.AssumeRoleInput)) aws.Config {
	w.t.Helper()
	in := &sts.AssumeRoleInput{RoleArn: aws.String(roleARN), RoleSessionName: aws.String("octocat")}
	for _, f := range change {
		f(in)
	}
	out, err := w.sts().AssumeRole(w.t.Context(), in)
	if err != nil {
		w.t.Fatalf("assume %s: %v", *in.RoleArn, err)
	}
	return w.config(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
}

func (w *world) store() *identitystore.Client { return identitystore.NewFromConfig(w.session()) }
func (w *world) lambda() *lambda.Client       { return lambda.NewFromConfig(w.session()) }
func (w *world) logs() *cloudwatchlogs.Client { return cloudwatchlogs.NewFromConfig(w.session()) }

// wait is Wait with a limit that only a broken test meets.
func (w *world) wait(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if err := w.Wait(ctx, ok); err != nil {
		w.t.Fatalf("wait for %s: %v\nlog:\n%s", what, err, strings.Join(w.Log(group), ""))
	}
}

// idle waits until the function has run n times in all and none is running.
func (w *world) idle(n int) []awstest.InvocationState {
	w.t.Helper()
	var all []awstest.InvocationState
	w.wait("the function to end", func() bool {
		all = w.Invocations(function)
		for _, inv := range all {
			if inv.Running {
				return false
			}
		}
		return len(all) == n
	})
	return all
}

// code is the AWS error code of err, "" when it has none.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

func message(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorMessage()
	}
	return ""
}

// want checks an error by code and by a part of its message.
func want(t *testing.T, err error, wantCode, part string) {
	t.Helper()
	if code(err) != wantCode || !strings.Contains(message(err), part) {
		t.Errorf("got error %v, want %s with %q", err, wantCode, part)
	}
}

// check is for calls that a test can't go on without.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hash(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:])
}

func tag(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }

func decode(t *testing.T, raw []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("decode %s: %v", raw, err)
	}
}
