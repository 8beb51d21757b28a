package awsaccess

import (
	"context"
	"net/http"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/aws-root-account/rootbot/ops"
)

// triesKey is where a recorded call keeps what became of its tries: a *tries.
type triesKey struct{}

// tries are those of one call.
type tries struct {
	made      int
	uncertain bool // one may have been carried out, though its answer doesn't say so
}

// uncertain tells whether AWS may have carried out a call in spite of an error: there was
// no answer, half of one, or one of a server in trouble.
func uncertain(err error) bool {
	status := statusOf(err)
	return status < http.StatusBadRequest || status == http.StatusRequestTimeout || status >= http.StatusInternalServerError
}

// fencing has fence asked before each try of a recorded call but the first, and keeps
// what became of each. Nil: nothing is asked.
func fencing(fence func(context.Context, ops.Request) error, r ops.Request) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		// Each try passes "Signing", which is the last before the request is sent.
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("rootbot:fence",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				tries, recorded := middleware.GetStackValue(ctx, triesKey{}).(*tries)
				if !recorded {
					return next.HandleFinalize(ctx, in)
				}
				if tries.made++; tries.made > 1 && fence != nil {
					if err := fence(ctx, r); ops.Halted(err) {
						return middleware.FinalizeOutput{}, middleware.Metadata{}, err
					} else if err != nil {
						return middleware.FinalizeOutput{}, middleware.Metadata{}, &ops.Error{
							Kind: ops.Unavailable, Err: err, Passing: true,
							What: "AWS didn't answer " + awsmiddleware.GetOperationName(ctx) + " well, and the bot couldn't make sure that it may try again, so it didn't.",
							Next: "Tell whoever runs the bot.",
						}
					}
				}
				out, metadata, err := next.HandleFinalize(ctx, in)
				tries.uncertain = tries.uncertain || err != nil && uncertain(err)
				return out, metadata, err
			}), "Signing", middleware.Before)
	}
}
