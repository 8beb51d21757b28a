package awsaccess_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	role    = "arn:aws:iam::222222222222:role/look"
	botRole = "arn:aws:iam::111111111111:role/rootbot"
	policy  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"identitystore:ListUsers","Resource":["arn:aws:identitystore::${account}:identitystore/${store}","arn:aws:identitystore:::user/*"]}]}`
)

func newCloud(t *testing.T) (*awstest.Cloud, *awsaccess.Broker) {
	t.Helper()
	cloud := awstest.New(awstest.Options{})
	t.Cleanup(cloud.Close)
	cloud.AddRole(awstest.Role{
		ARN: role, Trust: strings.ReplaceAll(awsaccess.Trust, "${bot_role}", botRole),
		Policy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	})
	return cloud, awsaccess.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(cloud.URL()), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(cloud.AccessKeyID, cloud.SecretAccessKey, ""),
	})
}

func stage(change ...func(*awsaccess.Stage)) awsaccess.Stage {
	s := awsaccess.Stage{Role: role, Region: "eu-west-2", Policy: policy, Values: map[string]string{"store": "d-1234567890"}}
	for _, f := range change {
		f(&s)
	}
	return s
}

func request(by string) ops.Request {
	return ops.Request{ID: "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f", Operation: "make-tea", By: by}
}

// session is the last call of sts:AssumeRole, as it was sent.
func session(t *testing.T, cloud *awstest.Cloud) (params struct {
	RoleArn, RoleSessionName, Policy, SourceIdentity string
	DurationSeconds                                  int
	Tags                                             []struct{ Key, Value string }
},
) {
	t.Helper()
	for _, call := range cloud.Calls() {
		if call.Name() == "sts:AssumeRole" {
			if err := json.Unmarshal(call.Params, &params); err != nil {
				t.Fatal(err)
			}
			if call.Region != "eu-west-2" {
				t.Errorf("STS was asked in %s", call.Region)
			}
		}
	}
	return params
}

func TestSession(t *testing.T) {
	for _, test := range []struct {
		name, by       string
		acts           bool
		source, called string
	}{
		{"for looking", "octocat", false, "octocat", "octocat@1d2c3e4f"},
		{"for acting", "octocat", true, "octocat", "octocat@1d2c3e4f"},
		{"a login of one letter", "x", true, "x@github", "x@1d2c3e4f"},
		{"a login of two letters", "xy", true, "xy", "xy@1d2c3e4f"},
		{"the longest login", strings.Repeat("a", 39), true, strings.Repeat("a", 39), strings.Repeat("a", 39) + "@1d2c3e4f"},
		{"a managed user's login", "mona_moj", true, "mona_moj", "mona_moj@1d2c3e4f"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cloud, broker := newCloud(t)
			config, err := broker.Session(stage(func(s *awsaccess.Stage) { s.Acts = test.acts }), request(test.by))
			if err != nil {
				t.Fatal(err)
			}
			if cloud.Count("sts:*") > 0 {
				t.Error("the role was assumed before anybody needed it")
			}
			if _, err := config.Credentials.Retrieve(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := session(t, cloud)
			if got.RoleArn != role || got.SourceIdentity != test.source || got.RoleSessionName != test.called || got.DurationSeconds > 3600 {
				t.Errorf("session %+v", got)
			}
			if !regexp.MustCompile(`^[\w+=,.@-]{2,64}$`).MatchString(got.SourceIdentity) {
				t.Errorf("source identity %q", got.SourceIdentity)
			}
			tags := map[string]string{}
			for _, tag := range got.Tags {
				tags[tag.Key] = tag.Value
			}
			want := map[string]string{"request": request("").ID, "operation": "make-tea", "requested-by": test.by}
			if diff := cmp.Diff(want, tags); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			if problems := cloud.Problems(); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

func TestSessionsAreShared(t *testing.T) {
	cloud, broker := newCloud(t)
	use := func(s awsaccess.Stage, r ops.Request) {
		t.Helper()
		config, err := broker.Session(s, r)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := config.Credentials.Retrieve(t.Context()); err != nil {
			t.Error(err)
		}
	}
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() { use(stage(), request("octocat")) })
	}
	wait.Wait()
	if n := cloud.Count("sts:AssumeRole"); n != 1 {
		t.Errorf("one stage of one request assumed the role %d times", n)
	}
	other := request("octocat")
	other.ID = "0199a3c2-7d51-7c0a-9f3e-000000000000"
	use(stage(), other)
	use(stage(func(s *awsaccess.Stage) { s.Acts = true }), request("octocat"))
	use(stage(func(s *awsaccess.Stage) { s.Values = map[string]string{"store": "d-0000000000"} }), request("octocat"))
	if n := cloud.Count("sts:AssumeRole"); n != 4 {
		t.Errorf("%d sessions for four different ones", n)
	}
}

func TestSessionPolicy(t *testing.T) {
	long := func(n int) string {
		const frame = `{"Statement":[{"Action":"a:b","Effect":"Allow","Resource":"arn:aws:a:::"}],"Version":"2012-10-17"}`
		return strings.Replace(frame, `:::"`, ":::"+strings.Repeat("x", n-len(frame))+`"`, 1)
	}
	for _, test := range []struct {
		name         string
		policy, role string
		values       map[string]string
		narrow       map[string][]string
		want, fault  string
	}{
		{
			name: "values, account and region are filled in, white space is taken out", role: role, values: map[string]string{"store": "d-1"},
			policy: "{\n  \"Resource\": [\"${store} of ${account} in ${region}\", \"${store}\"]\n}",
			want:   `{"Resource":["d-1 of 222222222222 in eu-west-2","d-1"]}`,
		},
		{
			name: "a value of its own for the account", role: role, values: map[string]string{"account": "333333333333"},
			policy: `{"Resource":"${account}"}`, want: `{"Resource":"333333333333"}`,
		},
		{
			name: "a value can't break out of its string", role: role, values: map[string]string{"store": `x","Action":"*`},
			policy: `{"Resource":"${store}"}`, want: `{"Resource":"x\",\"Action\":\"*"}`,
		},
		{
			name: "a value isn't filled in again", role: role, values: map[string]string{"store": "${account}"},
			policy: `{"Resource":"${store}"}`, want: `{"Resource":"${account}"}`,
		},
		{
			name: "IAM's own variables stay", role: role,
			policy: `{"Resource":"${aws:username}"}`, want: `{"Resource":"${aws:username}"}`,
		},
		{
			name: "resources that are open are narrowed", role: role, narrow: map[string][]string{"group/*": {"group/a", "group/*/a"}, "mfa/*": nil},
			policy: `{"Statement":[{"Resource":["x:${account}:group/*","x:mfa/*","x:user/jo"]},{"Resource":["x:mfa/*"]}]}`,
			want:   `{"Statement":[{"Resource":["x:222222222222:group/a","x:222222222222:group/*/a","x:user/jo"]}]}`,
		},
		{name: "a value that is missing", role: role, policy: `{"Resource":["${store}","${group}"]}`, fault: "no value for store, group"},
		{name: "a policy that isn't JSON", role: role, policy: `{`, fault: "session policy of " + role},
		{name: "a role that isn't an ARN", role: "look", policy: `{}`, fault: `role "look"`},
		{name: "as long as STS takes", role: role, policy: long(2048), want: long(2048)},
		{name: "one character longer", role: role, policy: long(2049), fault: "2049 characters, and STS takes 2048"},
		{name: "longer with white space alone", role: role, policy: strings.ReplaceAll(long(2048), ",", ",\n\t"), want: long(2048)},
	} {
		t.Run(test.name, func(t *testing.T) {
			cloud, broker := newCloud(t)
			config, err := broker.Session(awsaccess.Stage{Role: test.role, Region: "eu-west-2", Policy: test.policy, Values: test.values, Narrow: test.narrow}, request("octocat"))
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("got %v, want %q", err, test.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			// Some of these mean nothing to IAM; what was sent is what counts.
			config.Credentials.Retrieve(t.Context())
			if got := session(t, cloud).Policy; got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestSessionPolicyNarrows(t *testing.T) {
	cloud, broker := newCloud(t)
	cloud.AddFunction(awstest.Function{Name: "f", Account: "222222222222"})
	config, err := broker.Session(stage(), request("octocat"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = lambda.NewFromConfig(config).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("f")})
	said := awsaccess.Explain(err, role)
	if want := "AWS refused lambda:InvokeFunction to the role " + role + "."; ops.KindOf(said) != ops.Unavailable || !strings.HasPrefix(ops.Words(said, ""), want) {
		t.Errorf("got %v, want %s", said, want)
	}
}

// failed is an error as the SDK makes it of an answer.
func failed(service, operation, code, message string) error {
	return fmt.Errorf("look: %w", &smithy.OperationError{ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: message}})
}

func TestExplain(t *testing.T) {
	already := &ops.Error{Kind: ops.Refused, What: "No."}
	plain := errors.New("not AWS's")
	for _, test := range []struct {
		name  string
		err   error
		parts []string
	}{
		{"access denied", failed("identitystore", "ListUsers", "AccessDeniedException", "…"), []string{"AWS refused identitystore:ListUsers to the role " + role + ".", "manifests/iam"}},
		{"access denied to invoke", failed("Lambda", "Invoke", "AccessDeniedException", "…"), []string{"AWS refused lambda:InvokeFunction to the role " + role + "."}},
		{"access denied to the log", failed("CloudWatch Logs", "FilterLogEvents", "AccessDeniedException", "…"), []string{"AWS refused logs:FilterLogEvents to the role"}},
		{"access denied by IAM's protocol", failed("IAM", "DeleteUser", "AccessDenied", "…"), []string{"AWS refused iam:DeleteUser to the role"}},
		{
			"access denied to the role, within another call",
			&smithy.OperationError{ServiceID: "identitystore", OperationName: "ListUsers", Err: fmt.Errorf("get credentials: %w", failed("STS", "AssumeRole", "AccessDenied", "…"))},
			[]string{"AWS doesn't let the bot assume the role " + role, "sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"},
		},
		{
			"access denied to tag the session", failed("STS", "AssumeRole", "AccessDenied", "User: arn:aws:sts::111111111111:assumed-role/rootbot/task is not authorized to perform: sts:TagSession on resource: "+role),
			[]string{"(sts:TagSession was refused)"},
		},
		{"throttling", failed("identitystore", "ListUsers", "ThrottlingException", "Rate exceeded"), []string{"AWS is throttling identitystore:ListUsers", "Try again"}},
		{"throttling by Lambda", failed("Lambda", "Invoke", "TooManyRequestsException", "Rate exceeded"), []string{"AWS is throttling lambda:InvokeFunction"}},
		{"throttling by STS", failed("STS", "AssumeRole", "Throttling", "Rate exceeded"), []string{"AWS is throttling sts:AssumeRole"}},
		{"credentials that have expired", failed("STS", "AssumeRole", "ExpiredToken", "…"), []string{"AWS doesn't accept the bot's credentials, which have run out (ExpiredToken at sts:AssumeRole).", "renew", "clock"}},
		{"a session that has expired", failed("IAM", "ListUsers", "ExpiredToken", "…"), []string{"session of the role " + role + " has run out (ExpiredToken at iam:ListUsers)", "clock"}},
		{"credentials that nobody knows", failed("STS", "AssumeRole", "InvalidClientTokenId", "…"), []string{"AWS doesn't accept the bot's credentials"}},
		{"anything else that AWS says", failed("identitystore", "ListUsers", "ValidationException", " bad ID "), []string{"AWS answered identitystore:ListUsers with ValidationException: bad ID."}},
		{"a sentence that has its full stop", failed("identitystore", "ListUsers", "X", "Bad ID."), []string{"with X: Bad ID."}},
		{"no answer in time", &smithy.OperationError{ServiceID: "Lambda", OperationName: "Invoke", Err: context.DeadlineExceeded}, []string{"AWS did not answer lambda:InvokeFunction in time."}},
		{"no connection", &smithy.OperationError{ServiceID: "SFN", OperationName: "X", Err: errors.New("dial")}, []string{"AWS could not be reached for states:X."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := awsaccess.Explain(test.err, role)
			if ops.KindOf(got) != ops.Unavailable || !errors.Is(got, test.err) {
				t.Errorf("got %v of kind %v", got, ops.KindOf(got))
			}
			for _, part := range test.parts {
				if words := ops.Words(got, ""); !strings.Contains(words, part) {
					t.Errorf("got %q, want %q in it", words, part)
				}
			}
		})
	}
	if got := awsaccess.Explain(nil, role); got != nil {
		t.Errorf("nothing became %v", got)
	}
	if got := awsaccess.Explain(already, role); got != error(already) {
		t.Errorf("words became other words: %v", got)
	}
	if got := awsaccess.Explain(plain, role); got != plain {
		t.Errorf("another error became %v", got)
	}
}

func TestLimit(t *testing.T) {
	t.Run("spreads the calls of each API evenly", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limit := &awsaccess.Limit{PerSecond: 15}
			began := time.Now()
			var wait sync.WaitGroup
			for _, api := range []string{"users", "groups"} {
				for range 31 {
					wait.Go(func() {
						if err := limit.Wait(t.Context(), api); err != nil {
							t.Error(err)
						}
					})
				}
			}
			wait.Wait()
			if took := time.Since(began).Round(time.Millisecond); took != 2*time.Second {
				t.Errorf("31 calls of each of two APIs at 15 a second took %v, want 2s", took)
			}
		})
	})
	t.Run("zero is no limit", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limit, began := &awsaccess.Limit{}, time.Now()
			for range 1000 {
				if err := limit.Wait(t.Context(), "users"); err != nil {
					t.Error(err)
				}
			}
			if time.Since(began) != 0 {
				t.Error("waited")
			}
		})
	})
	t.Run("whoever leaves doesn't wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			limit := &awsaccess.Limit{PerSecond: 0.001}
			ctx, cancel := context.WithCancel(t.Context())
			limit.Wait(ctx, "users")
			time.AfterFunc(time.Second, cancel)
			if err := limit.Wait(ctx, "users"); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("counts the SDK's own tries again", func(t *testing.T) {
		cloud, broker := newCloud(t)
		cloud.IdentityStore("d-1234567890")
		config, err := broker.Session(stage(func(s *awsaccess.Stage) { s.Values = map[string]string{"store": "d-1234567890"} }), request("octocat"))
		if err != nil {
			t.Fatal(err)
		}
		limit := &awsaccess.Limit{PerSecond: 50}
		cloud.Fail("identitystore:ListUsers", awstest.Fault{Code: "ThrottlingException"})
		client := identitystore.NewFromConfig(config, func(o *identitystore.Options) {
			o.APIOptions = append(o.APIOptions, limit.Option)
			o.Retryer = eager{}
		})
		_, err = client.ListUsers(t.Context(), &identitystore.ListUsersInput{IdentityStoreId: aws.String("d-1234567890")})
		if !awsaccess.Throttled(err) {
			t.Errorf("got %v", err)
		}
		calls := cloud.Calls()
		first, last := calls[len(calls)-6].At, calls[len(calls)-1].At
		if n := cloud.Count("identitystore:ListUsers"); n != 6 || last.Sub(first) < 80*time.Millisecond {
			t.Errorf("%d tries within %v, want 6 within at least 100ms", n, last.Sub(first))
		}
	})
}

// eager tries six times, at once.
type eager struct{ aws.NopRetryer }

func (eager) IsErrorRetryable(error) bool                  { return true }
func (eager) MaxAttempts() int                             { return 6 }
func (eager) RetryDelay(int, error) (time.Duration, error) { return 0, nil }
func (eager) GetAttemptToken(context.Context) (func(error) error, error) {
	return func(error) error { return nil }, nil
}

// The bot's credentials alone make no session: the human and the request must be named.
func TestTrustDemandsWhoAndWhat(t *testing.T) {
	cloud, _ := newCloud(t)
	client := sts.NewFromConfig(aws.Config{
		Region: "eu-west-2", BaseEndpoint: aws.String(cloud.URL()), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(cloud.AccessKeyID, cloud.SecretAccessKey, ""),
	})
	tags := func(keys ...string) []types.Tag {
		var list []types.Tag
		for _, key := range keys {
			list = append(list, types.Tag{Key: aws.String(key), Value: aws.String("x")})
		}
		return list
	}
	for _, test := range []struct {
		name, source string
		tags         []types.Tag
		ok           bool
	}{
		{"the human and the request", "octocat", tags("request", "operation", "requested-by"), true},
		{"no human", "", tags("request", "operation", "requested-by"), false},
		{"no request", "octocat", tags("operation", "requested-by"), false},
		{"nothing", "", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := &sts.AssumeRoleInput{RoleArn: aws.String(role), RoleSessionName: aws.String("octocat"), Tags: test.tags}
			if test.source != "" {
				in.SourceIdentity = &test.source
			}
			if _, err := client.AssumeRole(t.Context(), in); (err == nil) != test.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTrustIsThreeStatements(t *testing.T) {
	var trust struct {
		Statement []struct{ Action string }
	}
	if err := json.Unmarshal([]byte(awsaccess.Trust), &trust); err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, s := range trust.Statement {
		actions = append(actions, s.Action)
	}
	if diff := cmp.Diff([]string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"}, actions); diff != "" {
		t.Error(diff)
	}
}
