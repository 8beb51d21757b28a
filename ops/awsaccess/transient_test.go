package awsaccess_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// answering is a network on which every call gets the same answer.
type answering struct {
	status int
	body   string
	err    error
	calls  int
}

func (a *answering) Do(r *http.Request) (*http.Response, error) {
	a.calls++
	if a.err != nil {
		return nil, a.err
	}
	var body io.Reader = strings.NewReader(a.body)
	if a.body == "half" {
		body = io.MultiReader(strings.NewReader("<DeleteUserRes"), broken{})
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (a *answering) config(retryer aws.Retryer) aws.Config {
	return aws.Config{
		Region: "us-east-1", HTTPClient: awsaccess.HTTPClient(a), Retryer: func() aws.Retryer { return retryer },
		Credentials: credentials.NewStaticCredentialsProvider("AKIA", "secret", ""),
	}
}

func xmlError(code string) string {
	return fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>Words.</Message></Error></ErrorResponse>`, code)
}

// TestTransient plays answers of IAM, by XML, and of Organizations, by JSON.
func TestTransient(t *testing.T) {
	for _, test := range []struct {
		name      string
		status    int
		code      string // empty: no body that the SDK can read
		transient bool
	}{
		{"503 ServiceUnavailable", 503, "ServiceUnavailable", true},
		{"500 InternalFailure", 500, "InternalFailure", true},
		{"500 InternalError", 500, "InternalError", true},
		{"500 with a code that nobody knows", 500, "Wobble", true},
		{"501 with a code that nobody knows", 501, "Wobble", true},
		{"408 RequestTimeout", 408, "RequestTimeout", true},
		{"400 RequestTimeout", 400, "RequestTimeout", true},
		{"503 RequestThrottled", 503, "RequestThrottled", true},
		{"400 Throttling", 400, "Throttling", true},
		{"400 ThrottlingException", 400, "ThrottlingException", true},
		{"400 ThrottledException", 400, "ThrottledException", true},
		{"400 TooManyRequestsException", 400, "TooManyRequestsException", true},
		{"400 TooManyRequests", 400, "TooManyRequests", true},
		{"503 SlowDown", 503, "SlowDown", true},
		{"400 RequestLimitExceeded", 400, "RequestLimitExceeded", true},
		{"400 PriorRequestNotComplete", 400, "PriorRequestNotComplete", true},
		{"409 ConcurrentModification", 409, "ConcurrentModification", true},
		{"400 ConcurrentModificationException", 400, "ConcurrentModificationException", true},
		{"409 EntityTemporarilyUnmodifiable", 409, "EntityTemporarilyUnmodifiable", true},
		{"409 OperationAborted", 409, "OperationAborted", true},
		{"400 FinalizingOrganizationException", 400, "FinalizingOrganizationException", true},
		{"400 PolicyChangesInProgressException", 400, "PolicyChangesInProgressException", true},
		{"400 IDPCommunicationError", 400, "IDPCommunicationError", true},
		{"400 ServiceUnavailableException", 400, "ServiceUnavailableException", true},
		{"429 with a code that nobody knows", 429, "Wobble", true},
		{"429 with a page for browsers", 429, "", true},
		{"502 with a page for browsers", 502, "", true},
		{"403 with a page for browsers, of a proxy", 403, "", false},
		{"403 AccessDenied", 403, "AccessDenied", false},
		{"404 NoSuchEntity", 404, "NoSuchEntity", false},
		{"409 LimitExceeded, which is a quota", 409, "LimitExceeded", false},
		{"409 DeleteConflict", 409, "DeleteConflict", false},
		{"400 ValidationError", 400, "ValidationError", false},
		{"400 ServiceQuotaExceededException", 400, "ServiceQuotaExceededException", false},
	} {
		for _, wire := range []string{"XML", "JSON"} {
			t.Run(test.name+" by "+wire, func(t *testing.T) {
				network := &answering{status: test.status, body: xmlError(test.code)}
				if wire == "JSON" {
					network.body = fmt.Sprintf(`{"__type":%q,"Message":"Words."}`, test.code)
				}
				if test.code == "" {
					network.body = "<html>"
				}
				call := func(retryer aws.Retryer) error {
					if wire == "XML" {
						_, err := iam.NewFromConfig(network.config(retryer)).DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: aws.String("jo")})
						return err
					}
					_, err := organizations.NewFromConfig(network.config(retryer)).DescribeOrganization(t.Context(), &organizations.DescribeOrganizationInput{})
					return err
				}
				err := call(aws.NopRetryer{})
				if awsaccess.Transient(err) != test.transient || ops.IsPassing(awsaccess.Explain(err, role)) != test.transient {
					t.Errorf("transient %v, passing %v: %v", awsaccess.Transient(err), ops.IsPassing(awsaccess.Explain(err, role)), err)
				}
				if retries := awsaccess.Retryer(3).IsErrorRetryable(err); retries != test.transient {
					t.Errorf("the SDK tries again: %v: %v", retries, err)
				}
			})
		}
	}
}

func TestTransientWithoutAnAnswer(t *testing.T) {
	for _, test := range []struct {
		name    string
		network *answering
	}{
		{"a reset", &answering{err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}},
		{"no connection", &answering{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}},
		{"a connection closed early", &answering{err: io.EOF}},
		{"half an answer", &answering{status: 200, body: "half"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := iam.NewFromConfig(test.network.config(aws.NopRetryer{})).ListUsers(t.Context(), &iam.ListUsersInput{})
			if err == nil || !awsaccess.Transient(err) || !ops.IsPassing(awsaccess.Explain(err, role)) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a call that the SDK refuses to send", func(t *testing.T) {
		network := &answering{status: 200}
		_, err := iam.NewFromConfig(network.config(aws.NopRetryer{})).DeleteUser(t.Context(), &iam.DeleteUserInput{})
		if err == nil || network.calls > 0 || awsaccess.Transient(err) || ops.KindOf(awsaccess.Explain(err, role)) != ops.Internal {
			t.Errorf("%d calls: %v", network.calls, err)
		}
	})
	t.Run("a run that the desk has stopped", func(t *testing.T) {
		stopped := &ops.HaltError{Err: errors.New("not any more")}
		if err := (&smithy.OperationError{ServiceID: "IAM", Err: stopped}); awsaccess.Transient(err) || awsaccess.Retryer(3).IsErrorRetryable(err) {
			t.Error("it is tried again")
		}
	})
}
