package chat

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"
)

const (
	connections = 2               // so that one may be renewed while the other listens
	storeWithin = 2 * time.Second // of the 3 s that Slack waits for an ack
	ackWithin   = 3 * time.Second
)

// Listen takes commands and clicks until ending ends, which is no error, or until
// Slack says something that no waiting mends.
func (c *Chat) Listen(ending context.Context) error {
	ctx, cancel := context.WithCancelCause(ending)
	defer cancel(nil)
	defer c.linking.stop()
	var wait sync.WaitGroup
	for range connections {
		wait.Go(func() {
			client := socketmode.New(c.api)
			consumed := make(chan struct{})
			go func() {
				defer close(consumed)
				c.consume(ctx, client, cancel)
			}()
			err := client.RunContext(ctx)
			if ctx.Err() == nil {
				if said := explain(err, "SLACK_APP_TOKEN"); said != nil {
					err = said
				}
				cancel(fmt.Errorf("connect to Slack: %w", err))
			}
			<-consumed
		})
	}
	wait.Wait()
	if ending.Err() != nil {
		return nil // signal.NotifyContext gives it a cause of its own
	}
	return context.Cause(ctx)
}

// consume handles what one client hears. Handlers run beside each other, as
// many as there are tokens; those under way when ctx ends are waited for. What
// Slack says that no waiting mends goes to fail: slack-go would try for ever.
func (c *Chat) consume(ctx context.Context, client *socketmode.Client, fail context.CancelCauseFunc) {
	var handling sync.WaitGroup
	defer handling.Wait()
	standing := false
	drop := func() {
		if standing {
			standing = false
			c.connected.Add(-1)
		}
	}
	defer drop()
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-client.Events:
			switch event.Type {
			case socketmode.EventTypeHello:
				if !standing {
					standing = true
					c.connected.Add(1)
				}
			case socketmode.EventTypeConnecting:
				drop()
			case socketmode.EventTypeConnectionError:
				failed, ok := event.Data.(*slack.ConnectionErrorEvent)
				if !ok {
					continue
				}
				if said := explain(failed.ErrorObj, "SLACK_APP_TOKEN"); said != nil {
					fail(fmt.Errorf("connect to Slack: %w", said))
					continue
				}
				c.log.Warn("connect to Slack", "error", failed.ErrorObj)
			case socketmode.EventTypeSlashCommand, socketmode.EventTypeInteractive, socketmode.EventTypeEventsAPI:
				c.handlers <- struct{}{}
				handling.Go(func() {
					defer func() { <-c.handlers }()
					// What was taken is finished, also when ctx ends meanwhile.
					c.handle(context.WithoutCancel(ctx), client, event)
				})
			}
		}
	}
}

func (c *Chat) handle(ctx context.Context, client *socketmode.Client, event socketmode.Event) {
	ctx, cancel := context.WithTimeout(ctx, ackWithin)
	defer cancel()
	var answer any
	func() {
		defer func() {
			if p := recover(); p != nil {
				const said = "Internal error; nothing was done. Try again, and tell whoever runs the bot if it goes on."
				c.log.Error("panic in a handler", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				answer = ephemeral(said)
				// The ack of a click shows nothing.
				if did, ok := event.Data.(slack.InteractionCallback); ok {
					answer = nil
					if did.ResponseURL != "" {
						c.later(ctx, did.ResponseURL, func(context.Context) string { return said })
					}
				}
			}
		}()
		switch data := event.Data.(type) {
		case slack.SlashCommand:
			answer = c.command(ctx, data)
		case slack.InteractionCallback:
			answer = c.interaction(ctx, data)
		}
	}()
	if event.Request == nil {
		return
	}
	if err := client.AckCtx(ctx, event.Request.EnvelopeID, answer); err != nil {
		c.log.Error("acknowledge", "type", event.Type, "error", err)
	}
}

// ephemeral is an ack's payload that only whoever typed the command sees.
func ephemeral(text string) any {
	return map[string]string{"response_type": "ephemeral", "text": text}
}
