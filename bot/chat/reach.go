package chat

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// unreachable are the bot's channels that take no message, and why.
type unreachable struct {
	mu  sync.Mutex
	why map[string]string // by the channel's ID

	token string // why Slack takes nothing of the bot's at all; empty: it does
}

// trusted notes whether Slack accepts the bot's token.
func (c *Chat) trusted(err error) {
	u := &c.unreachable
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err == nil:
		u.token = ""
	case aboutOf(err) == aboutToken:
		u.token = explain(err, "SLACK_BOT_TOKEN").Error()
	}
}

// reached notes whether a channel takes messages. It returns err. When one of the
// bot's own takes none, the members are told by themselves, once a day.
func (c *Chat) reached(channel string, err error) error {
	if channel != c.channel && !slices.Contains(slices.Collect(maps.Values(c.places)), channel) {
		return err // a conversation with one person
	}
	why := ""
	if isClosed(err) {
		why = wordsOf(err)
	}
	u := &c.unreachable
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err == nil:
		if u.why[channel] != "" {
			delete(u.why, channel)
			c.log.Info("a channel takes messages again", "channel", channel)
		}
	case why != "" && u.why[channel] != why:
		u.why[channel] = why
		c.log.Error("a channel takes no messages; they wait", "channel", channel, "because", why)
		c.delivering.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), attempt)
			defer cancel()
			// The day is in the name, so that a day later it is told once more.
			what := fmt.Sprintf("channel/%s/%s", channel, time.Now().UTC().Format(time.DateOnly))
			text := fmt.Sprintf("I can't post in %s: %s. What I have to say there is kept, and nothing is lost: it follows once the channel takes it again. "+
				"Please unarchive it, or invite me again.", c.channelLabel(channel), why)
			if err := c.desk.Alarm(ctx, "", what, text); err != nil {
				c.log.Error("tell the members that a channel takes no messages", "error", err)
			}
		})
	}
	return err
}

// channelLabel is what people call one of the bot's channels.
func (c *Chat) channelLabel(channel string) string {
	if channel == c.channel {
		return c.channelName
	}
	for operation, id := range c.places {
		if id == channel {
			return "the channel of " + operation
		}
	}
	return channel
}

// Unreachable says which of the bot's channels take no messages, and why; all of them,
// where Slack doesn't accept the bot's token.
func (c *Chat) Unreachable() []string {
	c.unreachable.mu.Lock()
	defer c.unreachable.mu.Unlock()
	var list []string
	if c.unreachable.token != "" {
		list = append(list, "none takes messages: "+c.unreachable.token)
	}
	for channel, why := range c.unreachable.why {
		list = append(list, c.channelLabel(channel)+": "+why)
	}
	slices.Sort(list)
	return list
}

// keepHold tells other processes, and the next one, until when a method must not
// be called.
func (c *Chat) keepHold(method string, till time.Time) {
	if !c.store.Shared() {
		return // what ends with the process doesn't outlive it by much
	}
	c.delivering.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), storeWithin)
		defer cancel()
		if err := c.store.Hold(ctx, holdOf+method, till); err != nil {
			c.log.Warn("keep what Slack asked to wait for", "error", err)
		}
	})
}
