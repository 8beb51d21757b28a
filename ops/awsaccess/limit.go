package awsaccess

import (
	"context"
	"sync"

	"github.com/aws/smithy-go/middleware"
	"golang.org/x/time/rate"
)

// Limit keeps the calls of each API under a rate, tries again included, so
// that a long look doesn't starve whoever else uses the account's quota. The
// calls are spread evenly. Identity Center allows about 20 calls a second per
// API: https://docs.aws.amazon.com/singlesignon/latest/userguide/limits.html
type Limit struct {
	PerSecond float64 // zero: no limit

	mu       sync.Mutex
	limiters map[string]*rate.Limiter
}

// Wait waits for the API's turn.
func (l *Limit) Wait(ctx context.Context, api string) error {
	if l.PerSecond <= 0 {
		return nil
	}
	l.mu.Lock()
	if l.limiters == nil {
		l.limiters = map[string]*rate.Limiter{}
	}
	limiter := l.limiters[api]
	if limiter == nil {
		limiter = rate.NewLimiter(rate.Limit(l.PerSecond), 1)
		l.limiters[api] = limiter
	}
	l.mu.Unlock()
	return limiter.Wait(ctx)
}

// Option is for a client's or a configuration's APIOptions.
func (l *Limit) Option(stack *middleware.Stack) error {
	// "Retry" is the SDK's retry loop: what stands behind it is passed by every try.
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("rootbot/limit",
		func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
			if err := l.Wait(ctx, middleware.GetServiceID(ctx)+"/"+middleware.GetOperationName(ctx)); err != nil {
				return middleware.FinalizeOutput{}, middleware.Metadata{}, err
			}
			return next.HandleFinalize(ctx, in)
		}), "Retry", middleware.After)
}
