package chat

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"
)

// pace holds a channel's messages to about one a second and to what Slack asks for.
// https://docs.slack.dev/apis/web-api/rate-limits
type pace struct {
	posts, updates *rate.Limiter
	held           time.Time // no call before
}

type paces struct {
	mu        sync.Mutex
	byChannel map[string]*pace
}

func (p *paces) of(channel string) *pace {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.byChannel[channel]
	if found == nil {
		found = &pace{posts: rate.NewLimiter(1, 4), updates: rate.NewLimiter(1, 4)}
		p.byChannel[channel] = found
	}
	return found
}

// wait waits for the channel's turn.
func (p *paces) wait(ctx context.Context, channel string, update bool) error {
	of := p.of(channel)
	limiter := of.posts
	if update {
		limiter = of.updates
	}
	if err := limiter.Wait(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	held := time.Until(of.held)
	p.mu.Unlock()
	if held <= 0 {
		return nil
	}
	timer := time.NewTimer(held)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// heed holds the channel back where err says that Slack asks for it. It returns err.
func (p *paces) heed(channel string, err error) error {
	limited, ok := errors.AsType[*slack.RateLimitedError](err)
	if !ok {
		return err
	}
	of, until := p.of(channel), time.Now().Add(limited.RetryAfter)
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(of.held) {
		of.held = until
	}
	return err
}
