package awsaccess

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
)

// Named is a thing that a setting of the bot names and a call was about.
type Named struct {
	What    string // in words: "the function sync in eu-west-2"
	Setting string // its key: "operations.scim-sync.function"
}

// Explain turns an error of an AWS call into words for people: which action
// was refused to which role and on what, which service is throttling or doesn't
// answer. named are the things that the call was about and that settings name: a
// wrong name is refused like a missing permission, so both are told. Errors that
// Explain doesn't know keep AWS's own code and message, which name things and hold no
// secrets. Nil stays nil.
func Explain(err error, role string, named ...Named) error {
	if err == nil {
		return nil
	}
	if halt, ok := errors.AsType[*ops.HaltError](err); ok {
		return halt
	}
	if _, ok := errors.AsType[*ops.Error](err); ok {
		return err
	}
	if none, ok := errors.AsType[*ownError](err); ok {
		return unowned(err, none)
	}
	call := innermost(err)
	if call == nil {
		return err
	}
	f := fault{call: call, action: actionOf(call), role: role, named: named, said: &ops.Error{Kind: ops.Unavailable, Err: err, Passing: Transient(err)}}
	if api, answered := errors.AsType[smithy.APIError](err); answered {
		f.code, f.message = api.ErrorCode(), sentence(api.ErrorMessage())
		f.answered()
	} else {
		f.unanswered(err)
	}
	return f.said
}

// fault is a failed call of AWS, and what is said of it.
type fault struct {
	call          *smithy.OperationError
	action, role  string
	code, message string // AWS's own
	named         []Named
	said          *ops.Error
}

func (f *fault) sts() bool { return f.call.Service() == "STS" }

func (f *fault) has(codes ...string) bool { return slices.Contains(codes, f.code) }

// answered is for an answer with AWS's own code.
func (f *fault) answered() {
	switch {
	case denies(f.code) && f.sts():
		f.notAssumed()
	case denies(f.code):
		f.denied()
	case f.clock():
		f.said.What = fmt.Sprintf("AWS refused %s, because the bot's clock differs from AWS's (%s): %s", f.action, f.code, f.message)
		f.said.Next = "The clock of the bot's machine must be set right."
	case ranOut(f.code) && f.sts():
		f.said.What = fmt.Sprintf("AWS doesn't accept the bot's credentials, which have run out (%s at %s).", f.code, f.action)
		f.said.Next = "Where they aren't renewed by themselves, the operators of the bot must renew them. Look at the clock of the bot's machine too."
	case ranOut(f.code):
		f.said.What = fmt.Sprintf("AWS says that the bot's session of the role %s has run out (%s at %s), also of a new one.", f.role, f.code, f.action)
		f.said.Next = "Try again in a few minutes; if it goes on, look at the clock of the bot's machine."
	case f.has("UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidSignatureException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature", "IncompleteSignatureException", "InvalidAccessKeyId", "AuthFailure"):
		f.said.What = fmt.Sprintf("AWS doesn't accept the bot's credentials (%s at %s).", f.code, f.action)
		f.said.Next = "The operators of the bot must renew them."
	case f.has("PackedPolicyTooLarge", "PackedPolicyTooLargeException"):
		f.said.What = fmt.Sprintf("AWS can't make a session of the role %s, because its session policy and tags don't fit: %s", f.role, f.message)
		f.said.Next = podIdentity
	case f.has("RegionDisabledException"):
		f.said.What = fmt.Sprintf("AWS refused %s: %s", f.action, f.message)
		f.said.Next = "The Region in the bot's settings must be enabled in the account of " + f.role + "."
	case throttles(f.said.Err):
		f.said.What = fmt.Sprintf("AWS is throttling %s, and went on doing so after several tries.", f.action)
		f.said.Next = "Try again in a few minutes."
	default:
		f.said.What = fmt.Sprintf("AWS answered %s with %s: %s", f.action, f.code, f.message)
		switch {
		case f.said.Passing:
			f.said.Next = "Try again in a few minutes."
		case strings.Contains(f.code, "NotFound") && len(f.named) > 0:
			f.said.Next = f.check()
		case f.has("AWSOrganizationsNotInUseException"):
			f.said.Next = fmt.Sprintf("The role %s must be one of the organisation's management account.", f.role)
		}
	}
}

// podIdentity is what helps where a session policy and tags don't fit. The session
// tags of EKS Pod Identity are transitive: they count in each session that the bot makes.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
const podIdentity = "On EKS Pod Identity, switch session tags off in the bot's association (disable_session_tags), or use IAM roles for service accounts (IRSA). " +
	"Elsewhere the bot's own session must carry fewer transitive tags."

// unanswered is for a call without an answer that the SDK can read.
func (f *fault) unanswered(err error) {
	timeout, _ := errors.AsType[net.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	switch status := statusOf(err); {
	case untrusted:
		f.said.What = fmt.Sprintf("The bot doesn't trust the certificate of the server that answered %s.", f.action)
		f.said.Next = "Look at the bot's network and its AWS_CA_BUNDLE."
	case status >= 400:
		f.said.What = fmt.Sprintf("AWS, or a proxy before it, answered %s with HTTP status %d and no reason that the bot can read.", f.action, status)
		f.said.Next = "Look at the bot's network."
		if f.said.Passing {
			f.said.Next = "Try again in a few minutes; if it goes on, look at the bot's network."
		}
	case errors.Is(err, context.DeadlineExceeded) || timeout != nil && timeout.Timeout():
		f.said.What = fmt.Sprintf("AWS did not answer %s in time.", f.action)
		f.said.Next = "Try again; if it goes on, look at the bot's network."
	case status > 0:
		f.said.What = fmt.Sprintf("AWS's answer to %s couldn't be read to its end.", f.action)
		f.said.Next = "Try again; if it goes on, look at the bot's network."
	case !f.said.Passing:
		f.said.Kind = ops.Internal
	default:
		f.said.What = fmt.Sprintf("AWS could not be reached for %s.", f.action)
		f.said.Next = "Try again; if it goes on, look at the bot's network and credentials."
	}
}

// clock tells whether AWS refused a signature for its time.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
func (f *fault) clock() bool {
	return f.has("RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture") ||
		f.has("SignatureDoesNotMatch", "InvalidSignatureException") && (strings.HasPrefix(f.message, "Signature expired") || strings.HasPrefix(f.message, "Signature not yet current"))
}

// check says which settings to look at.
func (f *fault) check() string {
	var parts []string
	for _, n := range f.named {
		parts = append(parts, fmt.Sprintf("whether there is %s (%s in the bot's settings)", n.What, n.Setting))
	}
	return "Check " + strings.Join(parts, ", and ") + "."
}

// Throttled tells whether AWS asked to slow down.
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/CommonErrors.html
func Throttled(err error) bool { return throttles(err) }

func throttles(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	return throttleCode(api.ErrorCode()) || statusOf(err) == 429
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

// actionOf is a call as IAM names it.
func actionOf(call *smithy.OperationError) string {
	action := prefix(call.Service()) + ":" + call.Operation()
	if name, ok := actions[action]; ok {
		return name
	}
	return action
}

// actions are the calls whose actions have another name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
var actions = map[string]string{
	"lambda:Invoke":         "lambda:InvokeFunction",
	"s3:ListObjectVersions": "s3:ListBucketVersions",
	"s3:ListObjectsV2":      "s3:ListBucket",
}

// prefixes are the IAM prefixes of services that aren't the SDK's name for them.
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
var prefixes = map[string]string{
	"CloudWatch Logs":             "logs",
	"Cost Explorer":               "ce",
	"EventBridge":                 "events",
	"Resource Groups Tagging API": "tag",
	"SESv2":                       "ses",
	"SFN":                         "states",
	"SSO Admin":                   "sso",
}

// prefix is the IAM prefix of a service as the SDK names it.
func prefix(service string) string {
	if known, ok := prefixes[service]; ok {
		return known
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
