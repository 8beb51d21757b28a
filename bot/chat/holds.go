package chat

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptrace"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/store"
)

// holds keep everything that calls Slack from calling a method before the time
// that Slack has asked to wait for: one answer counts for all channels and all
// callers, and, through the store, for the process that delivers next. Once a
// caller has read that answer, no call of that method leaves before the time.
// The zero value with a next is ready.
type holds struct {
	next http.RoundTripper
	keep func(method string, till time.Time) // where others find it; may be nil

	mu    sync.Mutex
	lanes map[string]*lane // by method
}

// lane is the way on which the calls of one method leave. It is wide: calls leave
// beside each other. It is narrow after a hold, until all calls that have waited
// are through: each waits for the answer to the one before it, so that one of them
// alone runs into the next hold.
type lane struct {
	till    time.Time // Slack takes no call before
	single  bool      // it is always narrow
	narrow  bool
	taken   bool                       // it is narrow, and a call waits for its answer
	waiting int                        // calls
	changed chan struct{}              // closed when those that wait are to look again
	leaving map[chan struct{}]struct{} // calls that are not sent yet; each is closed once it is
}

const (
	// patience is how long a call waits, for a hold to end and then for its turn,
	// before holds give it back to the caller, to be made later.
	patience = 2 * time.Second
	// turnMost is how long those that wait stand behind a call that gets no answer.
	turnMost = time.Second
)

// single is the method that is only ever called once at a time: Slack limits it
// the most, and both connections want it at the same time.
const single = "apps.connections.open"

// RoundTrip is http.RoundTripper's. A call that would have to wait long is
// answered by a *slack.RateLimitedError.
func (h *holds) RoundTrip(r *http.Request) (*http.Response, error) {
	method := meter.SlackMethod(r)
	if method == "response_url" {
		return h.next.RoundTrip(r) // each is a place of its own
	}
	l := h.lane(method)
	sent, over, err := h.enter(r.Context(), l)
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	defer over()
	defer sent()
	response, err := h.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(),
		&httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent() }})))
	if err == nil && response.StatusCode == http.StatusTooManyRequests {
		seconds, wrong := strconv.Atoi(response.Header.Get("Retry-After"))
		if wrong != nil || seconds < 1 {
			seconds = 1
		}
		sent()
		h.told(r.Context(), method, time.Now().Add(time.Duration(seconds)*time.Second))
	}
	return response, err
}

// lane is a method's.
func (h *holds) lane(method string) *lane {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.lanes[method]
	if l == nil {
		one := method == single
		l = &lane{single: one, narrow: one, changed: make(chan struct{}), leaving: map[chan struct{}]struct{}{}}
		if h.lanes == nil {
			h.lanes = map[string]*lane{}
		}
		h.lanes[method] = l
	}
	return l
}

// enter waits until a call may leave. The caller calls sent once the call has
// left, and over once it was answered; each may be called twice.
func (h *holds) enter(ctx context.Context, l *lane) (sent, over func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for free := time.Now(); ; {
		now := time.Now()
		wait := l.till.Sub(now)
		switch {
		case wait > patience:
			return nil, nil, &slack.RateLimitedError{RetryAfter: wait}
		case wait > 0:
			free = l.till
		case !l.narrow || !l.taken:
			sent, over = h.leave(l)
			return sent, over, nil
		default:
			if wait = free.Add(patience).Sub(now); wait <= 0 {
				return nil, nil, &slack.RateLimitedError{RetryAfter: time.Second}
			}
		}
		if err := h.wait(ctx, l, wait); err != nil {
			return nil, nil, err
		}
	}
}

// wait waits until the lane has changed, for so long at most. h.mu is locked before
// and afterwards.
func (h *holds) wait(ctx context.Context, l *lane, most time.Duration) error {
	changed := l.changed
	l.waiting++
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		l.waiting--
	}()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-changed:
	}
	return nil
}

// leave lets a call leave; h.mu is locked.
func (h *holds) leave(l *lane) (sent, over func()) {
	gone := make(chan struct{})
	l.leaving[gone] = struct{}{}
	sent = sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(l.leaving, gone)
		close(gone)
	})
	if !l.narrow {
		return sent, func() {}
	}
	l.taken = true
	next := sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		l.taken = false
		if l.waiting == 0 && !time.Now().Before(l.till) {
			l.narrow = l.single
		}
		close(l.changed)
		l.changed = make(chan struct{})
	})
	late := time.AfterFunc(turnMost, next)
	return sent, func() {
		late.Stop()
		next()
	}
}

// told takes over that Slack asked to wait. It returns once each call that was let
// go before has left, so that whoever hears of it knows: Slack hears no more.
func (h *holds) told(ctx context.Context, method string, till time.Time) {
	h.hold(method, till, true)
	l := h.lane(method)
	h.mu.Lock()
	leaving := slices.Collect(maps.Keys(l.leaving))
	h.mu.Unlock()
	ctx, cancel := context.WithDeadline(ctx, till)
	defer cancel()
	for _, gone := range leaving {
		select {
		case <-gone:
		case <-ctx.Done():
		}
	}
}

func (h *holds) hold(method string, till time.Time, tell bool) {
	l := h.lane(method)
	h.mu.Lock()
	longer := till.After(l.till)
	if longer {
		l.till, l.narrow = till, true
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
