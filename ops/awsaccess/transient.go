package awsaccess

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
)

// Transient tells whether the trouble that made a call of AWS fail may pass by
// itself. It is the one place that decides so: by the answer's HTTP status, by the
// codes that the SDK tries again, and by the codes whose meaning is "later", whatever
// their status. Credentials that have run out are transient: new ones take their place. A call without a readable answer (no connection, a reset, a timeout, half
// an answer) is transient; what the SDK refuses to send, and a certificate that the bot
// doesn't trust, isn't.
func Transient(err error) bool {
	if err == nil || ops.Halted(err) {
		return false
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return isLater(api.ErrorCode()) || ranOut(api.ErrorCode()) || api.ErrorFault() == smithy.FaultServer || mayPass(statusOf(err))
	}
	if status := statusOf(err); status >= http.StatusBadRequest {
		return mayPass(status)
	}
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); untrusted {
		return false
	}
	_, invalid := errors.AsType[smithy.InvalidParamsError](err)
	_, unwritten := errors.AsType[*smithy.SerializationError](err)
	return !invalid && !unwritten
}

// mayPass tells of an answer's HTTP status whether the same call may be answered
// otherwise later.
func mayPass(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}

// later are the words for "try it later" within AWS's codes of errors. Not every such
// code has a status of 5xx: IAM's EntityTemporarilyUnmodifiable is a 409, Organizations'
// FinalizingOrganizationException and PolicyChangesInProgressException are 400s, and STS's
// IDPCommunicationError, of an identity provider that STS couldn't reach, is one too.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_AttachPolicy.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
var later = regexp.MustCompile(`(?i)throttl|toomanyrequests|slowdown|temporar|concurrentmodif|inprogress|notready|finalizing|serviceunavailable|internal(error|failure|server|service)|servicefailure|operationaborted|^conditionalrequestconflict|timeout|timedout|priorrequestnotcomplete|^busy|communicationerror|ratelimit|rateexceeded`)

func isLater(code string) bool {
	_, retryable := retry.DefaultRetryableErrorCodes[code]
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	return retryable || throttled || later.MatchString(code)
}

// statusOf is the HTTP status of the answer; 0: there was none.
func statusOf(err error) int {
	response, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || response.HTTPResponse() == nil {
		return 0
	}
	return response.HTTPStatusCode()
}

// Retryer tries a call again whose trouble is Transient, tries times in all, with
// pauses that grow from under a second to five seconds. A caller that gives up, or that
// the desk stops, isn't tried again.
func Retryer(tries int) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = tries
		o.MaxBackoff = 5 * time.Second
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			if _, asked := errors.AsType[*ops.Error](err); asked || errors.Is(err, context.Canceled) {
				return aws.UnknownTernary
			}
			if api, ok := errors.AsType[smithy.APIError](err); ok && (isLater(api.ErrorCode()) || mayPass(statusOf(err))) {
				return aws.TrueTernary
			}
			return aws.BoolTernary(mayPass(statusOf(err)))
		}))
	})
}

// Tries is how often a session's clients try a call whose trouble is Transient, where an
// operation doesn't choose.
const Tries = 4
