package awsaccess

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
)

// own are the bot's own credentials, whose want Explain tells from other trouble.
type own struct{ aws.CredentialsProvider }

func (o own) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := o.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = &ownError{err}
	}
	return credentials, err
}

// ownError says that the bot got no credentials of its own, so that no call was made.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }
func (e *ownError) Unwrap() error { return e.err }

// mostOfAReason is how many characters of the SDK's own reason are passed on.
const mostOfAReason = 400

// unowned is for a bot without credentials of its own. The SDK looks for them in many
// places, and its error is of the last: of a file, of STS, of a container's agent or of
// the machine's metadata.
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func unowned(err error, own *ownError) *ops.Error {
	said := &ops.Error{Kind: ops.Unavailable, Err: err, Passing: Transient(err)}
	reason := strings.TrimPrefix(own.Error(), "failed to refresh cached credentials, ")
	api, answered := errors.AsType[smithy.APIError](own)
	if answered {
		reason = strings.TrimPrefix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	}
	if runes := []rune(reason); len(runes) > mostOfAReason {
		reason = string(runes[:mostOfAReason]) + "…"
	}
	said.What = fmt.Sprintf("The bot got no AWS credentials of its own: %s", sentence(ops.Visible(ops.Redact(reason))))
	call := innermost(own)
	switch {
	case answered && mayPass(statusOf(err)), answered && isLater(api.ErrorCode()):
		said.Next = "Try again in a few minutes."
	case call != nil && call.Operation() == "AssumeRoleWithWebIdentity", strings.Contains(reason, "jwt"):
		said.Next = "The operators of the bot must look at AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN: that role must trust the token's identity provider and its service account."
	default:
		said.Next = "The operators of the bot must give its process a role (of the ECS task, of the EKS service account, of the machine), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
	}
	return said
}
