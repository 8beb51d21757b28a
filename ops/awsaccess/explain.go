package awsaccess

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
)

// Explain turns an error of an AWS call into words for people: which action
// was refused to which role, which service is throttling or doesn't answer.
// Errors that it doesn't know keep AWS's own code and message, which name
// things and hold no secrets. Nil stays nil.
func Explain(err error, role string) error {
	if err == nil {
		return nil
	}
	if halt, ok := errors.AsType[*ops.HaltError](err); ok {
		return halt
	}
	if _, ok := errors.AsType[*ops.Error](err); ok {
		return err
	}
	call := innermost(err)
	if call == nil {
		return err
	}
	action := prefix(call.Service()) + ":" + call.Operation()
	if action == "lambda:Invoke" {
		action = "lambda:InvokeFunction"
	}
	said := &ops.Error{Kind: ops.Unavailable, Err: err}
	api, answered := errors.AsType[smithy.APIError](err)
	switch {
	case answered && slices.Contains([]string{"AccessDenied", "AccessDeniedException"}, api.ErrorCode()) && call.Service() == "STS":
		// The call is one, the permissions it takes are three; only the text tells which is missing.
		if m := denied.FindStringSubmatch(api.ErrorMessage()); m != nil {
			action = m[1]
		}
		said.What = fmt.Sprintf("AWS doesn't let the bot assume the role %s (%s was refused).", role, action)
		said.Next = "The bot's own identity and the role's trust policy must both allow sts:AssumeRole, sts:SetSourceIdentity and sts:TagSession; manifests/iam has both."
	case answered && slices.Contains([]string{"AccessDenied", "AccessDeniedException"}, api.ErrorCode()):
		said.What = fmt.Sprintf("AWS refused %s to the role %s.", action, role)
		said.Next = "The role's policy must allow it; manifests/iam has the policy."
	case answered && slices.Contains([]string{"UnrecognizedClientException", "InvalidClientTokenId", "ExpiredToken", "ExpiredTokenException", "SignatureDoesNotMatch", "InvalidSignatureException"}, api.ErrorCode()):
		said.What = fmt.Sprintf("AWS doesn't accept the bot's credentials (%s at %s).", api.ErrorCode(), action)
		said.Next = "Whoever runs the bot must renew them."
	case answered && Throttled(err):
		said.What = fmt.Sprintf("AWS is throttling %s, and went on doing so after several tries.", action)
		said.Next, said.Passing = "Try again in a few minutes.", true
	case answered:
		said.Passing = api.ErrorFault() == smithy.FaultServer
		said.What = fmt.Sprintf("AWS answered %s with %s: %s", action, api.ErrorCode(), sentence(api.ErrorMessage()))
	case errors.Is(err, context.DeadlineExceeded) || isTimeout(err):
		said.Passing = true
		said.What = fmt.Sprintf("AWS did not answer %s in time.", action)
		said.Next = "Try again; if it goes on, look at the bot's network."
	default:
		said.Passing = true
		said.What = fmt.Sprintf("AWS could not be reached for %s.", action)
		said.Next = "Try again; if it goes on, look at the bot's network and credentials."
	}
	return said
}

var denied = regexp.MustCompile(`is not authorized to perform: (sts:[A-Za-z]+)`)

// Throttled tells whether AWS asked to slow down.
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/CommonErrors.html
func Throttled(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && slices.Contains([]string{"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"}, api.ErrorCode())
}

// innermost finds the call that failed: a refusal of sts:AssumeRole is wrapped
// in the error of the call that wanted the credentials.
func innermost(err error) *smithy.OperationError {
	var found *smithy.OperationError
	for {
		call, ok := errors.AsType[*smithy.OperationError](err)
		if !ok {
			return found
		}
		found, err = call, call.Err
	}
}

// prefix is the IAM prefix of a service as the SDK names it.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
func prefix(service string) string {
	if service == "CloudWatch Logs" {
		return "logs"
	}
	return strings.ToLower(strings.ReplaceAll(service, " ", ""))
}

func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}
