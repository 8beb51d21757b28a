package awsaccess

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// ranOut tells whether a code says that temporary credentials have run out. AWS goes by
// its own clock, and credentials can be ended early.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
func ranOut(code string) bool {
	return slices.Contains([]string{"ExpiredToken", "ExpiredTokenException"}, code)
}

// isRanOut tells that of the error of a call, and not of one that was made to get
// credentials for it.
func isRanOut(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	return ok && innermost(err) == nil && ranOut(api.ErrorCode())
}

// renewing makes a call once more, with new credentials, where AWS says that those of a
// cache have run out: it has done nothing then. The SDK keeps one identity for all tries
// of a call, so its own tries wouldn't help.
func renewing(credentials aws.CredentialsProvider) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		cache, ok := credentials.(interface{ Invalidate() })
		if !ok {
			return nil
		}
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("rootbot:renew",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				request, isHTTP := in.Request.(*smithyhttp.Request)
				if isHTTP {
					in.Request = request.Clone()
				}
				out, metadata, err := next.HandleFinalize(ctx, in)
				if !isRanOut(err) {
					return out, metadata, err
				}
				cache.Invalidate()
				if !isHTTP || request.RewindStream() != nil {
					return out, metadata, err
				}
				in.Request = request
				return next.HandleFinalize(ctx, in)
			}), "GetIdentity", middleware.Before)
	}
}
