package awsaccess

import (
	"context"
	"errors"
	"net/http"
	"time"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// Observer is told of each call of AWS once it is over, with all its attempts: of
// which service ("iam", as IAM writes it) and action ("DeleteUser"), how it ended
// (ok; limited: told to slow down; refused: any other 4xx; failed: 5xx; cut: no
// answer, or none that could be read) and how long it took.
type Observer func(service, action, outcome string, took time.Duration)

// observing tells observe of the calls that are made. It goes after the recorder,
// so that a call that couldn't be recorded, and so isn't made, isn't told of.
func observing(observe Observer) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("rootbot:observe", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			began := time.Now()
			out, metadata, err := next.HandleInitialize(ctx, in)
			// Another call's error within this one's is that of sts:AssumeRole, which
			// was told of by itself: without credentials this one wasn't made.
			if _, another := errors.AsType[*smithy.OperationError](err); !another {
				observe(prefix(awsmiddleware.GetServiceID(ctx)), awsmiddleware.GetOperationName(ctx), ended(err), time.Since(began))
			}
			return out, metadata, err
		}), middleware.After)
	}
}

// ended is the outcome of a call for an Observer.
func ended(err error) string {
	response, _ := errors.AsType[*awshttp.ResponseError](err)
	switch {
	case err == nil:
		return "ok"
	case response == nil || response.HTTPResponse() == nil:
		return "cut"
	case Throttled(err) || response.HTTPStatusCode() == http.StatusTooManyRequests:
		return "limited"
	case response.HTTPStatusCode() >= 500:
		return "failed"
	case response.HTTPStatusCode() >= 400:
		return "refused"
	}
	return "cut"
}
