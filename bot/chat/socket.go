package chat

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

const (
	connections = 2               // so that one may be renewed while the other listens
	storeWithin = 2 * time.Second // of the 3 s that Slack waits for an ack
	ackWithin   = 3 * time.Second
)

// Listen takes commands and clicks until ctx ends, which is no error, or until
// Slack says something that no waiting mends.
func (c *Chat) Listen(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wait sync.WaitGroup
	for range connections {
		wait.Go(func() {
			client := socketmode.New(c.api)
			consumed := make(chan struct{})
			go func() {
				defer close(consumed)
				c.consume(ctx, client)
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
	if cause := context.Cause(ctx); cause != context.Canceled {
		return cause
	}
	return nil
}

// consume handles what one client hears. Handlers run beside each other, as
// many as there are tokens; those under way when ctx ends are waited for.
func (c *Chat) consume(ctx context.Context, client *socketmode.Client) {
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
				c.log.Warn("connect to Slack", "error", fmt.Sprint(event.Data))
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
				c.log.Error("panic in a handler", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				answer = ephemeral("Internal error; nothing was done. Try again, and tell whoever runs the bot if it goes on.")
			}
		}()
		switch data := event.Data.(type) {
		case slack.SlashCommand:
			answer = c.command(ctx, data)
		case slack.InteractionCallback:
			c.interaction(ctx, data)
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

// command takes a slash command. It returns the ack's payload: an answer at
// once, or nil when the request was stored and will be answered.
func (c *Chat) command(ctx context.Context, typed slack.SlashCommand) any {
	var operation ops.Operation
	for _, o := range c.desk.Operations {
		if o.Command == typed.Command {
			operation = o
		}
	}
	if operation.Command == "" {
		return ephemeral("This bot doesn't offer `" + escape(typed.Command) + "`. Nothing was done.")
	}
	words := strings.Fields(typed.Text)
	asking := bot.Asking{Operation: operation.Name, Asker: c.asker(typed.TeamID, typed.UserID, typed.ChannelID)}
	switch {
	case len(words) > 0 && words[0] == "help":
		return ephemeral(help(operation))
	case len(words) > 0 && words[0] == "plan":
		asking.Preview, words = true, words[1:]
	}
	inputs, err := operation.Words(words)
	if err != nil {
		return ephemeral(escape(ops.Words(err, "")) + " Nothing was done. Type `" + operation.Command + " help` for what can be typed.")
	}
	asking.Inputs = inputs
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	r, err := c.desk.Ask(stored, asking)
	if err != nil {
		c.log.Error("store a command", "operation", operation.Name, "error", err)
		return ephemeral("The bot can't write to its database, so nothing was done. Try again in a minute, and tell whoever runs the bot if it goes on.")
	}
	c.replies.keep(r.ID, typed.ResponseURL)
	return nil
}

// asker names a person. A user of another workspace gets no user ID that the
// identities could know.
func (c *Chat) asker(workspace, user, channel string) store.Asker {
	a := store.Asker{Front: "slack", Workspace: workspace, User: user, Channel: channel}
	if workspace != c.workspace {
		a.User = workspace + "/" + user
	}
	return a
}

// The button that asks for the same thing again.
const actionRetry = "retry"

// interaction takes clicks.
func (c *Chat) interaction(ctx context.Context, click slack.InteractionCallback) {
	if click.Type != slack.InteractionTypeBlockActions {
		return
	}
	for _, action := range click.ActionCallback.BlockActions {
		if action.ActionID == actionRetry {
			c.retry(ctx, click, action.Value)
		}
	}
}

// retry asks once more for what a request asked for, in the name of whoever clicked.
func (c *Chat) retry(ctx context.Context, click slack.InteractionCallback, value string) {
	no := func(text string) {
		// The answer must not delay the ack.
		c.delivering.Go(func() {
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
			defer cancel()
			if err := slack.PostWebhookCustomHTTPContext(late, click.ResponseURL, c.http, &slack.WebhookMessage{Text: text, ResponseType: slack.ResponseTypeEphemeral}); err != nil {
				c.log.Error("answer a click", "error", redactURL(err))
			}
		})
	}
	id, digest, _ := strings.Cut(value, ":")
	before, err := c.store.Request(ctx, id)
	switch {
	case err == store.ErrNotFound:
		no("I don't know the request that this button belongs to. Nothing was done; type the command again.")
		return
	case err != nil:
		c.log.Error("read the request of a click", "error", err)
		no("The bot can't read its database, so nothing was done. Try again in a minute.")
		return
	case digest != digestOf(before) || !retryable(before):
		no("This button doesn't apply any more. Nothing was done; type the command again.")
		return
	}
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	r, err := c.desk.Ask(stored, bot.Asking{Again: id, Asker: c.asker(click.Team.ID, click.User.ID, click.Channel.ID)})
	if err != nil {
		c.log.Error("store a click", "error", err)
		no("The bot can't write to its database, so nothing was done. Try again in a minute.")
		return
	}
	c.replies.keep(r.ID, click.ResponseURL)
}

// retryable tells whether a request may be asked for once more.
func retryable(r store.Request) bool {
	return r.State == store.Failed || r.State == store.Unknown
}

func digestOf(r store.Request) string {
	if r.Plan == nil {
		return ""
	}
	return r.Plan.Digest()
}
