package chat

import (
	"context"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"golang.org/x/time/rate"

	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/store"
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

// holds keep everything that calls Slack from calling a method before the time
// that Slack has asked to wait for: one answer counts for all channels and all
// callers, and, through the store, for the process that delivers next.
type holds struct {
	next http.RoundTripper
	keep func(method string, till time.Time) // where others find it

	mu   sync.Mutex
	till map[string]time.Time
}

// patience is how long a call waits for a hold to end before it is given back
// to whoever made it, to be made later.
const patience = 2 * time.Second

// RoundTrip is http.RoundTripper's. A call that would have to wait long is
// answered by a *slack.RateLimitedError.
func (h *holds) RoundTrip(r *http.Request) (*http.Response, error) {
	method := meter.SlackMethod(r)
	if method == "response_url" {
		return h.next.RoundTrip(r) // each is a place of its own
	}
	for {
		h.mu.Lock()
		left := time.Until(h.till[method])
		h.mu.Unlock()
		switch {
		case left <= 0:
			response, err := h.next.RoundTrip(r)
			if err == nil && response.StatusCode == http.StatusTooManyRequests {
				seconds, wrong := strconv.Atoi(response.Header.Get("Retry-After"))
				if wrong != nil || seconds < 1 {
					seconds = 1
				}
				h.hold(method, time.Now().Add(time.Duration(seconds)*time.Second), true)
			}
			return response, err
		case left > patience:
			if r.Body != nil {
				r.Body.Close()
			}
			return nil, &slack.RateLimitedError{RetryAfter: left}
		}
		timer := time.NewTimer(left)
		select {
		case <-r.Context().Done():
			timer.Stop()
			if r.Body != nil {
				r.Body.Close()
			}
			return nil, r.Context().Err()
		case <-timer.C:
		}
	}
}

func (h *holds) hold(method string, till time.Time, tell bool) {
	h.mu.Lock()
	longer := till.After(h.till[method])
	if longer {
		h.till[method] = till
	}
	h.mu.Unlock()
	if longer && tell && h.keep != nil {
		h.keep(method, till)
	}
}

const holdOf = "slack/"

// restore takes over what another process was told.
func (h *holds) restore(ctx context.Context, from *store.Store) error {
	known, err := from.Holds(ctx)
	if err != nil {
		return err
	}
	for what, till := range known {
		if strings.HasPrefix(what, holdOf) {
			h.hold(path.Base(what), till, false)
		}
	}
	return nil
}
