package chat

import (
	"context"
	"sync"

	"golang.org/x/time/rate"
)

// pace holds a channel's messages to about one a second.
// https://docs.slack.dev/apis/web-api/rate-limits
type pace struct {
	posts, updates *rate.Limiter
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
	if update {
		return of.updates.Wait(ctx)
	}
	return of.posts.Wait(ctx)
}
