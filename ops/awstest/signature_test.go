package awstest_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// everyService makes one allowed call to each service with a configuration.
func everyService(t *testing.T, cfg aws.Config) map[string]error {
	t.Helper()
	errs := map[string]error{}
	_, errs["sts"] = sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), nil)
	_, errs["identitystore"] = identitystore.NewFromConfig(cfg).ListUsers(t.Context(),
		&identitystore.ListUsersInput{IdentityStoreId: aws.String(storeID)})
	_, errs["lambda"] = lambda.NewFromConfig(cfg).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(function)})
	return errs
}

func TestCredentialsAreChecked(t *testing.T) {
	now := time.Now()
	w := newWorld(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	w.IdentityStore(storeID)
	w.AddFunction(awstest.Function{Name: function})
	good := w.session()
	keys, err := good.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other, _ := w.session().Credentials.Retrieve(t.Context())

	for _, test := range []struct {
		name       string
		cfg        aws.Config
		query, rpc string // the codes of STS and of the rest
		part       string
	}{
		{"a session works", good, "", "", ""},
		{
			"an unknown access key", w.config("ASIAUNKNOWN", keys.SecretAccessKey, keys.SessionToken),
			"InvalidClientTokenId", "UnrecognizedClientException", "security token included in the request is invalid",
		},
		{
			"a wrong secret", w.config(keys.AccessKeyID, "wrong", keys.SessionToken),
			"SignatureDoesNotMatch", "InvalidSignatureException", "does not match the signature you provided",
		},
		{
			"no session token", w.config(keys.AccessKeyID, keys.SecretAccessKey, ""),
			"InvalidClientTokenId", "UnrecognizedClientException", "is invalid",
		},
		{
			"another session's token", w.config(keys.AccessKeyID, keys.SecretAccessKey, other.SessionToken),
			"InvalidClientTokenId", "UnrecognizedClientException", "is invalid",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for service, err := range everyService(t, test.cfg) {
				code := test.rpc
				if service == "sts" {
					code = test.query
				}
				want(t, err, code, test.part)
			}
		})
	}

	now = now.Add(time.Hour)
	for service, err := range everyService(t, good) {
		code := map[bool]string{true: "ExpiredToken", false: "ExpiredTokenException"}[service == "sts"]
		want(t, err, code, "The security token included in the request is expired")
	}
	if err := everyService(t, w.base())["sts"]; err != nil {
		t.Errorf("the bot's own credentials don't expire: %v", err)
	}
	w.noProblems()
}

// send signs a request as the SDK would and lets tamper change it afterwards.
func send(t *testing.T, w *world, service, target, body string, at time.Time, tamper func(*http.Request)) (int, string) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL()+"/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", target)
	creds := aws.Credentials{AccessKeyID: w.AccessKeyID, SecretAccessKey: w.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(context.Background(), creds, r, hash(body), service, "eu-west-2", at); err != nil {
		t.Fatal(err)
	}
	tamper(r)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

func TestSignatureCoversTheRequest(t *testing.T) {
	const target, body = "AWSIdentityStore.ListUsers", `{"IdentityStoreId":"d-1234567890"}`
	for _, test := range []struct {
		name   string
		at     time.Time
		tamper func(*http.Request)
		want   string
	}{
		{"as it was signed", time.Now(), func(*http.Request) {}, "AccessDeniedException"},
		{"another body", time.Now(), func(r *http.Request) {
			r.Body = io.NopCloser(strings.NewReader(strings.Replace(body, "d-1", "d-2", 1)))
		}, "InvalidSignatureException"},
		{"another target", time.Now(), func(r *http.Request) {
			r.Header.Set("X-Amz-Target", "AWSIdentityStore.ListGroups")
		}, "InvalidSignatureException"},
		{"another path", time.Now(), func(r *http.Request) { r.URL.Path = "/x" }, "InvalidSignatureException"},
		{"another query", time.Now(), func(r *http.Request) { r.URL.RawQuery = "x=1" }, "InvalidSignatureException"},
		{"a header that isn't signed", time.Now(), func(r *http.Request) { r.Header.Set("X-Amz-Extra", "x") }, "must be a 'SignedHeader'"},
		{"signed six minutes ago", time.Now().Add(-6 * time.Minute), func(*http.Request) {}, "Signature expired"},
		{"signed in six minutes", time.Now().Add(6 * time.Minute), func(*http.Request) {}, "Signature not yet current"},
		{"not signed", time.Now(), func(r *http.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationToken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			if status, answer := send(t, w, "identitystore", target, body, test.at, test.tamper); status < 400 || !strings.Contains(answer, test.want) {
				t.Errorf("got %d %s, want %s", status, answer, test.want)
			}
		})
	}
}

func TestAFunctionsARNIsSignedAsItIsSent(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddFunction(awstest.Function{Name: function})
	out, err := w.lambda().Invoke(t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String("arn:aws:lambda:eu-west-2:111111111111:function:" + function), Qualifier: aws.String("$LATEST"),
	})
	if err != nil || string(out.Payload) != "null" {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestWhatIsUnknownIsRefusedAndNamed(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IdentityStore(storeID)
	if status, answer := send(t, w, "budgets", "AWSBudgetServiceGateway.DescribeBudgets", "{}", time.Now(), func(*http.Request) {}); status != 404 {
		t.Errorf("unknown service: %d %s", status, answer)
	}
	_, err := w.store().DescribeIdentityStore(t.Context(), &identitystore.DescribeIdentityStoreInput{IdentityStoreId: aws.String(storeID)})
	want(t, err, "UnknownOperationException", "DescribeIdentityStore")
	_, err = w.store().CreateUser(t.Context(), &identitystore.CreateUserInput{IdentityStoreId: aws.String(storeID), Title: aws.String("x")})
	want(t, err, "SerializationException", "Title")
	_, err = w.sts().GetSessionToken(t.Context(), nil)
	want(t, err, "InvalidAction", "GetSessionToken")
	w.Count("identitystore:ListUser")
	w.Fail("lambda:Invoke", awstest.Fault{})
	w.Trigger("nothing")

	problems := strings.Join(w.Problems(), "\n")
	for _, part := range []string{
		`"budgets"`, "identitystore DescribeIdentityStore", `unknown field "Title"`,
		"sts GetSessionToken", "no service has the action identitystore:ListUser", "lambda:Invoke", "trigger nothing",
	} {
		if !strings.Contains(problems, part) {
			t.Errorf("problems don't mention %s:\n%s", part, problems)
		}
	}
}
