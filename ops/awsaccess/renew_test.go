package awsaccess_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// AWS may end credentials before the bot's clock does: the call is made once more, with
// new ones.
func TestCredentialsThatRunOutAreRenewed(t *testing.T) {
	invoke := func(ctx context.Context, config aws.Config) error {
		_, err := lambda.NewFromConfig(config).Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String("sync"), Payload: []byte(`{"a":1}`)})
		return err
	}
	for _, test := range []struct {
		name, at, code string
		times          int
		acts, passing  bool // passing: there is an error, which may pass
		sessions       int
	}{
		{"a session that looks", "lambda:InvokeFunction", "ExpiredTokenException", 1, false, false, 2},
		{"a session that acts", "lambda:InvokeFunction", "ExpiredTokenException", 1, true, false, 2},
		{"a session's new one too", "lambda:InvokeFunction", "ExpiredTokenException", 2, false, true, 2},
		{"the bot's own", "sts:AssumeRole", "ExpiredToken", 1, false, false, 2},
		{"the bot's own, and its new ones", "sts:AssumeRole", "ExpiredToken", 9, false, true, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			cloud, _ := newCloud(t)
			cloud.AddFunction(awstest.Function{Name: "sync", Account: "222222222222"})
			cloud.Fail(test.at, awstest.Fault{Code: test.code, Status: 403, Times: test.times})
			made := 0
			own := aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
				made++
				return credentials.NewStaticCredentialsProvider(cloud.AccessKeyID, cloud.SecretAccessKey, "").Retrieve(ctx)
			}))
			broker := awsaccess.New(aws.Config{Region: "us-east-1", BaseEndpoint: aws.String(cloud.URL()), Retryer: func() aws.Retryer { return aws.NopRetryer{} }, Credentials: own})
			var told []string
			broker.Record = func(_ context.Context, _ ops.Request, c ops.Call) error {
				told = append(told, c.Outcome)
				return nil
			}
			fenced := 0
			broker.Fence = func(context.Context, ops.Request) error { fenced++; return nil }
			config, err := broker.Session(stage(func(s *awsaccess.Stage) {
				s.Acts = test.acts
				s.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
			}), request("octocat"))
			if err != nil {
				t.Fatal(err)
			}
			err = invoke(t.Context(), config)
			if (err != nil) != test.passing || test.passing && !ops.IsPassing(awsaccess.Explain(err, role)) {
				t.Errorf("error %v", awsaccess.Explain(err, role))
			}
			if n := cloud.Count("sts:AssumeRole"); n != test.sessions {
				t.Errorf("%d sessions", n)
			}
			if test.at == "sts:AssumeRole" && made != 2 {
				t.Errorf("the bot's own credentials were got %d times", made)
			}
			if test.acts && (len(told) != 2 || told[1] != "done" || fenced != 1) {
				t.Errorf("recorded %q, asked %d times whether it may go on", told, fenced)
			}
		})
	}
}
