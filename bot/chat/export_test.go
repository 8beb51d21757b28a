package chat

import (
	"context"
	"net/http"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
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
func (c *Chat) Presser(did slack.InteractionCallback) request.Asker { return c.presser(did, "") }

// What an ack's payload may be.
type (
	AckText    = ackText
	Suggestion = suggestion
)

// Choices are what is offered of what a search has found.
func Choices(found []ops.Option) Suggestion { return choices(found) }

// Reserved is the word of the bot's own that was typed; empty: it is none.
func Reserved(word string) string { return reserved(word) }

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

// Hasty has who asked told as soon as a message is so long on its way.
func (c *Chat) Hasty(told time.Duration) { c.toldWithin.Store(int64(told)) }

// Known tells whether Slack's word for a fault has a meaning.
func Known(code string) bool { _, ok := meanings[code]; return ok }

// Unwilling tells whether a message that Slack has answered with a word, so many tries
// after the first, is to be told in another way.
func Unwilling(code string, tries int) bool {
	return unwilling(slack.SlackErrorResponse{Err: code}, tries)
}

// FileAsText is what a message of a kind says in place of a file.
func FileAsText(kind, text string) string { return fileAsText(kind, file{text: text}) }

// Wire opens the chat and gives the desk what it needs of it, as the program does.
func (c *Chat) Wire(ctx context.Context) error {
	home, err := c.Open(ctx)
	if err != nil {
		return err
	}
	c.desk.Present = c.Present
	c.desk.Team.Workspace, c.desk.Team.Channel, c.desk.Team.People = home.Workspace, home.Channel, c.Person
	return nil
}

// ReplyURL is the response_url for the answers of a thread to a person.
func (c *Chat) ReplyURL(ctx context.Context, who request.Asker, thread string) string {
	return c.replyURL(ctx, who, thread)
}
