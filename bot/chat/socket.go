package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/slack-go/slack"
	"golang.org/x/time/rate"
)

const (
	connections = 2                       // so that one may be renewed, or be dead, while the other listens
	storeWithin = 2 * time.Second         // of the 3 s that Slack waits for an ack
	waitWithin  = 1500 * time.Millisecond // before that begins
	answerBy    = 2400 * time.Millisecond // all of it, so that the ack is there in time
	ackWithin   = 3 * time.Second

	lifeUnsaid = time.Hour        // of a connection, where Slack doesn't say
	lifeLeast  = time.Minute      // before that, only Slack has it renewed
	lingering  = 2 * time.Second  // how long an old connection listens beside its successor
	warning    = 20 * time.Second // within which Slack ends one that it has warned: it says about ten
	waitMost   = 30 * time.Second
)

// sockets are the connections that stand, and the pace at which others are opened.
type sockets struct {
	mu       sync.Mutex
	standing map[*connection]struct{}
	since    time.Time // none stands; zero: one does, or none ever did
	opening  *rate.Limiter
}

func newSockets() sockets {
	return sockets{standing: map[*connection]struct{}{}, opening: rate.NewLimiter(1, 2*connections)}
}

// stand counts a connection in, or out.
func (c *Chat) stand(conn *connection, there bool) {
	s := &c.sockets
	s.mu.Lock()
	defer s.mu.Unlock()
	if there {
		if !s.since.IsZero() {
			c.desk.Meter.Gap(time.Since(s.since))
			s.since = time.Time{}
		}
		s.standing[conn] = struct{}{}
	} else if _, was := s.standing[conn]; was {
		delete(s.standing, conn)
		if len(s.standing) == 0 {
			s.since = time.Now()
		}
	}
	c.desk.Meter.Connections(len(s.standing))
}

// others are the connections that stand beside one.
func (s *sockets) others(conn *connection) []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Keys(s.standing)), func(o *connection) bool { return o == conn })
}

// Connections tells how many Socket Mode connections stand.
func (c *Chat) Connections() int {
	c.sockets.mu.Lock()
	defer c.sockets.mu.Unlock()
	return len(c.sockets.standing)
}

// Listen takes commands and clicks until ending ends, which is no error, or until
// Slack says something that no waiting mends.
func (c *Chat) Listen(ending context.Context) error {
	ctx, cancel := context.WithCancelCause(ending)
	defer cancel(nil)
	defer c.linking.stop()
	c.begin()
	var wait sync.WaitGroup
	for nth := range connections {
		wait.Go(func() {
			if err := c.keep(ctx, nth); err != nil {
				cancel(fmt.Errorf("connect to Slack: %w", err))
			}
		})
	}
	wait.Wait()
	c.end()
	if ending.Err() != nil {
		return nil // signal.NotifyContext gives it a cause of its own
	}
	return context.Cause(ctx)
}

// keep keeps one connection standing until ctx ends. One that Slack wants renewed,
// or that is old, goes on listening until its successor was greeted; that happens
// at different times for each, so that another one is always there. An error is
// one that no waiting mends.
func (c *Chat) keep(ctx context.Context, nth int) error {
	var leaving sync.WaitGroup
	defer leaving.Wait()
	var old *connection
	defer func() {
		if old != nil {
			c.stand(old, false)
			old.leave(ctx, false)
		}
	}()
	share := 0.85 * float64(nth+1) / connections // of its life that the first one is kept
	for reason := ""; ; share = 0.85 {
		conn, err := c.connect(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		c.stand(conn, true)
		if reason != "" {
			c.desk.Meter.Reconnected(reason)
			c.log.Info("connected anew to Slack", "because", reason)
		}
		if retired, warned := old, reason == "warning"; retired != nil {
			leaving.Go(func() { retired.leave(ctx, warned) })
		}
		old = conn
		go func() {
			conn.read(c.take)
			c.stand(conn, false)
		}()
		life := time.NewTimer(max(lifeLeast, time.Duration(share*float64(cmp.Or(conn.life, lifeUnsaid)))))
		select {
		case <-ctx.Done():
			life.Stop()
			return nil
		case <-life.C:
			reason = "renewed"
		case <-conn.gone:
			old, reason = nil, "lost"
			if conn.silent.Load() {
				reason = "silent"
			}
			c.log.Warn("a connection to Slack is gone", "because", reason, "error", conn.why)
		case said := <-conn.told:
			if words := fatal[said]; words != "" {
				return fmt.Errorf("%s (%s): check SLACK_APP_TOKEN", words, said)
			}
			reason = said
			if said != "warning" {
				// It gets no more envelopes, so it doesn't count any more.
				reason = "refresh"
				c.stand(conn, false)
			}
		}
		life.Stop()
	}
}

// connect opens a connection, and tries again for as long as it takes: about once
// a second, and never before the time that Slack has asked to wait for. An error
// is one that no waiting mends, or the end of ctx.
func (c *Chat) connect(ctx context.Context) (*connection, error) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = waitMost
	return backoff.Retry(ctx, func() (*connection, error) {
		if err := c.sockets.opening.Wait(ctx); err != nil {
			return nil, backoff.Permanent(err)
		}
		conn, err := c.dial(ctx)
		if err == nil {
			return conn, nil
		}
		if ctx.Err() != nil {
			return nil, backoff.Permanent(ctx.Err())
		}
		if said := explain(err, "SLACK_APP_TOKEN"); said != nil {
			return nil, backoff.Permanent(said)
		}
		c.desk.Meter.Reconnected("failed")
		c.log.Warn("connect to Slack", "error", redactURL(err))
		if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			return nil, &backoff.RetryAfterError{Duration: limited.RetryAfter}
		}
		return nil, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0))
}
