package chat

import (
	"context"
	"net/http"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/store"
)

// Through has a transport carry all that is said to Slack.
func (c *Chat) Through(transport http.RoundTripper) { c.http.Transport = transport }

// Command takes a slash command and returns the ack's payload.
func (c *Chat) Command(ctx context.Context, typed slack.SlashCommand) any {
	return c.command(ctx, typed)
}

// Interaction takes a click or a form and returns the ack's payload.
func (c *Chat) Interaction(ctx context.Context, did slack.InteractionCallback) any {
	return c.interaction(ctx, did)
}

// Take decodes what came over a socket, does it, and returns the ack's payload.
func (c *Chat) Take(ctx context.Context, kind string, payload []byte) (any, bool) {
	return c.answer(ctx, envelope{id: "1", kind: kind, payload: payload, came: time.Now()})
}

// Presser is whom the bot takes to have pressed a button or sent a form.
func (c *Chat) Presser(did slack.InteractionCallback) store.Asker { return c.presser(did, "") }

// Settle waits until all is said that comes after an ack.
func (c *Chat) Settle() { c.delivering.Wait() }

// Holds keeps to what Slack asks to wait for, in what goes through next.
func Holds(next http.RoundTripper) http.RoundTripper { return &holds{next: next} }

// Calm has the bot take as much of one person as comes.
func (c *Chat) Calm() {
	c.storms.mu.Lock()
	defer c.storms.mu.Unlock()
	c.storms.calm = true
}

// Patient gives forms more time than Slack leaves for them.
func (c *Chat) Patient(may, open time.Duration) {
	c.mayWithin.Store(int64(may))
	c.openWithin.Store(int64(open))
}
