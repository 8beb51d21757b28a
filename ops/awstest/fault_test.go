package awstest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go/transport/http"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func TestPlannedFaults(t *testing.T) {
	status := func(err error) int {
		if e, ok := errors.AsType[*http.ResponseError](err); ok {
			return e.HTTPStatusCode()
		}
		return 0
	}
	for _, test := range []struct {
		name, action string
		fault        awstest.Fault
		service      string
		code         string
		status       int
		part         string
	}{
		{"throttling in JSON", "identitystore:ListUsers", awstest.Fault{Code: "ThrottlingException"}, "identitystore", "ThrottlingException", 400, "Rate exceeded"},
		{"throttling of Lambda", "lambda:InvokeFunction", awstest.Fault{Code: "TooManyRequestsException"}, "lambda", "TooManyRequestsException", 429, "Rate exceeded"},
		{"throttling of STS", "sts:*", awstest.Fault{Code: "Throttling"}, "sts", "Throttling", 400, "Rate exceeded"},
		{"access denied", "identitystore:List*", awstest.Fault{Code: "AccessDeniedException"}, "identitystore", "AccessDeniedException", 400, "is not authorized to perform: identitystore:ListUsers"},
		{"an internal error", "*", awstest.Fault{Code: "InternalServerException"}, "identitystore", "InternalServerException", 500, ""},
		{"Lambda's own error", "lambda:InvokeFunction", awstest.Fault{Code: "ServiceException", Message: "An error occurred"}, "lambda", "ServiceException", 500, "An error occurred"},
		{"unavailable", "identitystore:ListUsers", awstest.Fault{Code: "ServiceUnavailableException"}, "identitystore", "ServiceUnavailableException", 503, ""},
		{"a status of its own", "identitystore:ListUsers", awstest.Fault{Code: "Odd", Status: 418}, "identitystore", "Odd", 418, "Odd"},
		{"an expired token", "identitystore:ListUsers", awstest.Fault{Code: "ExpiredTokenException"}, "identitystore", "ExpiredTokenException", 400, "expired"},
		{"another action", "identitystore:ListGroups", awstest.Fault{Code: "InternalServerException"}, "identitystore", "", 0, ""},
		{"a short delay", "identitystore:ListUsers", awstest.Fault{Delay: time.Millisecond}, "identitystore", "", 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			w.IdentityStore(storeID)
			w.AddFunction(awstest.Function{Name: function})
			cfg := w.session()
			test.fault.Times = 1
			w.Fail(test.action, test.fault)
			err := everyServiceBut(t, cfg, test.service)
			want(t, err, test.code, test.part)
			if status(err) != test.status {
				t.Errorf("status %d, want %d", status(err), test.status)
			}
			if err := everyServiceBut(t, cfg, test.service); err != nil {
				t.Errorf("after one time: %v", err)
			}
			w.noProblems()
		})
	}
}

// everyServiceBut makes the one call of everyService that goes to service.
func everyServiceBut(t *testing.T, cfg aws.Config, service string) error {
	t.Helper()
	switch service {
	case "sts":
		return everyService(t, cfg)["sts"]
	case "lambda":
		_, err := lambda.NewFromConfig(cfg).Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(function)})
		return err
	}
	return listUsers(t, cfg)
}

func TestFaultsHitTheCallsTheyAreMeantFor(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IdentityStore(storeID)
	cfg := w.session()
	w.Fail("identitystore:ListUsers", awstest.Fault{Code: "A", Skip: 1, Times: 1})
	w.Fail("identitystore:ListUsers", awstest.Fault{Code: "B", When: func(c awstest.Call) bool { return c.RoleARN != roleARN }})
	var got []string
	for range 3 {
		got = append(got, code(listUsers(t, cfg)))
	}
	if got[0] != "" || got[1] != "A" || got[2] != "" {
		t.Errorf("codes are %q", got)
	}
	w.Fail("identitystore:*", awstest.Fault{Code: "C"})
	for range 2 {
		want(t, listUsers(t, cfg), "C", "")
	}
	w.Heal("identitystore:*")
	if err := listUsers(t, cfg); err != nil {
		t.Errorf("healed: %v", err)
	}
}

func TestAConnectionIsCut(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	store := w.IdentityStore(storeID)
	c := w.store()
	group := func(name string) error {
		_, err := c.CreateGroup(t.Context(), &identitystore.CreateGroupInput{IdentityStoreId: here, DisplayName: &name})
		return err
	}
	w.Fail("identitystore:CreateGroup", awstest.Fault{Cut: true, Times: 1})
	w.Fail("identitystore:CreateGroup", awstest.Fault{CutAfter: true, Times: 1})
	for _, test := range []struct {
		name string
		made bool
	}{{"before", false}, {"after", true}} {
		if err := group(test.name); err == nil || code(err) != "" {
			t.Errorf("cut %s: %v", test.name, err)
		}
		if made := store.GroupID(test.name) != ""; made != test.made {
			t.Errorf("cut %s: made %t", test.name, made)
		}
	}
	calls := w.Calls()
	if last := calls[len(calls)-1]; last.ErrorCode != "Cut" || !last.Allowed {
		t.Errorf("ledger says %+v", last)
	}
}

func TestAnAnswerThatNeverComes(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddFunction(awstest.Function{Name: function})
	c := w.lambda()
	w.Fail("lambda:InvokeFunction", awstest.Fault{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function)})
		ended <- err
	}()
	w.wait("the call", func() bool { return w.Count("lambda:InvokeFunction") == 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n := len(w.Invocations(function)); n != 0 {
		t.Errorf("%d invocations", n)
	}
}

func TestDelays(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IdentityStore(storeID)
	cfg := w.session()
	w.SetDelay("*", time.Hour)
	w.SetDelay("identitystore:*", 20*time.Millisecond)
	began := time.Now()
	if err := listUsers(t, cfg); err != nil || time.Since(began) < 20*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestThrottle(t *testing.T) {
	now := time.Now()
	w := newWorld(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	w.IdentityStore(storeID)
	cfg := w.session()
	w.Throttle("identitystore:*", 3)
	refused := 0
	for range 5 {
		if err := listUsers(t, cfg); err != nil {
			want(t, err, "ThrottlingException", "Rate exceeded")
			refused++
		}
	}
	if refused != 2 || w.Throttled("identitystore:*") != 2 {
		t.Errorf("%d refused, Throttled says %d", refused, w.Throttled("identitystore:*"))
	}
	now = now.Add(time.Second)
	if err := listUsers(t, cfg); err != nil {
		t.Errorf("a second later: %v", err)
	}
	w.Throttle("identitystore:*", 0)
	for range 10 {
		if err := listUsers(t, cfg); err != nil {
			t.Errorf("without a throttle: %v", err)
		}
	}
	w.noProblems()
}

func TestTheSDKRetriesWhatItShould(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IdentityStore(storeID)
	cfg := w.session()
	cfg.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	w.Fail("identitystore:ListUsers", awstest.Fault{Code: "ThrottlingException", Times: 1})
	w.Fail("identitystore:ListUsers", awstest.Fault{Cut: true, Times: 1})
	if err := listUsers(t, cfg); err != nil {
		t.Error(err)
	}
	if n := w.Count("identitystore:ListUsers"); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
}
