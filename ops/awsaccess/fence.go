package awsaccess

import (
	"context"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"

	"github.com/aws-root-account/rootbot/ops"
)

// triesKey is where a recorded call counts its tries: an *int.
type triesKey struct{}

// fencing has fence asked before each try of a recorded call but the first.
func fencing(fence func(context.Context, ops.Request) error, r ops.Request) func(*middleware.Stack) error {
	return func(stack *middleware.Stack) error {
		// Each try passes "Signing", which is the last before the request is sent.
		return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("rootbot:fence",
			func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
				tries, recorded := middleware.GetStackValue(ctx, triesKey{}).(*int)
				if !recorded {
					return next.HandleFinalize(ctx, in)
				}
				if *tries++; *tries > 1 {
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
				return next.HandleFinalize(ctx, in)
			}), "Signing", middleware.Before)
	}
}
