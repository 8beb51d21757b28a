package chat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// What people read where the bot itself is at fault.
var (
	noDatabase = unable("The bot can't write to its database.", "Try again in a minute, and tell who runs the bot if it goes on.")
	noReading  = unable("The bot can't read its database.", "Try again in a minute.")
	noForm     = unable("Slack didn't open the form.", "Try again.")
)

// unable is what people read where nothing came of what they did.
func unable(what, next string) string {
	return (&ops.Error{What: what, Changed: ops.ChangedNothing, Next: next}).Words()
}

const (
	mostTyped = 20_000 // bytes behind a command that are read
	mostSaid  = 500    // characters of what is wrong with them: Slack drops an ack of 20 kB, and & alone takes ten bytes there
)

// command takes a slash command. It returns the ack's payload: an answer at
// once, or nil when the request was stored and will be answered, or a form opens.
func (c *Chat) command(ctx context.Context, typed slack.SlashCommand) any {
	if typed.Command == "/rootbot" {
		return c.about(ctx, typed)
	}
	c.heard(typed.ChannelID, typed.ChannelName)
	who := c.typist(typed)
	i := slices.IndexFunc(c.desk.Operations, func(o ops.Operation) bool { return o.Command == typed.Command })
	if i < 0 {
		command := cut(typed.Command, 100)
		c.turnAway(ctx, who, "command "+command, "There is no such command.")
		return ephemeral(unable("This bot doesn't offer `"+escape(command)+"`.", "Type `/rootbot`: it says what there is."))
	}
	o := c.desk.Operations[i]
	if len(typed.Text) > mostTyped {
		said := unable("That is more than anybody types.", "")
		c.turnAway(ctx, who, o.Command, said)
		return ephemeral(said)
	}
	words := strings.FieldsFunc(typed.Text, separates)
	first := ""
	if len(words) > 0 {
		first = reserved(words[0])
	}
	preview := false
	switch {
	case first == "help":
		return ephemeral(help(o))
	case c.places[o.Name] != "" && typed.ChannelID != c.places[o.Name]:
		c.turnAway(ctx, who, o.Command, "It was typed in another channel than the one where it is decided.")
		return ephemeral(unable(fmt.Sprintf("`%s` is decided in <#%s>.", o.Command, c.places[o.Name]), "Please type it there."))
	case o.Asks():
	case first == "plan":
		preview, words = true, words[1:]
		fallthrough
	default:
		if i := slices.IndexFunc(words, func(word string) bool { return reserved(word) != "" }); i >= 0 {
			c.turnAway(ctx, who, o.Command, "A word of the bot's own stood where none is expected.")
			return ephemeral(unable(fmt.Sprintf("“%s” is a word of mine, and it stands alone or first: `%s %s`.", escape(cut(words[i], 40)), o.Command, reserved(words[i])),
				"Type `"+o.Command+" help` for what can be typed."))
		}
	}
	from := origin(typed.TriggerID, typed.UserID, typed.ChannelID, typed.Command, typed.Text)
	if o.Asks() {
		c.openForm(ctx, o, who, typed, from, words)
		return nil
	}
	inputs, err := o.Words(words)
	if err != nil {
		c.turnAway(ctx, who, o.Command, "What was typed behind the command was wrong.")
		return ephemeral(unable(escape(cut(ops.Words(err, ""), mostSaid)), "Type `"+o.Command+" help` for what can be typed."))
	}
	_, err = c.request(ctx, bot.Asking{
		Operation: o.Name, Inputs: inputs, Preview: preview, Asker: who, Origin: from, Reply: c.sealed(who, typed.ResponseURL),
	})
	switch {
	case errors.Is(err, store.ErrTaken):
		c.turnAway(ctx, who, o.Command, twice)
		return nil
	case err != nil:
		return ephemeral(refusal(err))
	}
	return nil
}

// reserved is the word of the bot's own that a person typed, in whatever case, and with
// what phones and shells put around it: “Plan.”, “--plan”; empty: it is none.
func reserved(word string) string {
	word = strings.ToLower(strings.Trim(word, "-–—.!?:\"'`“”‘’"))
	if word == "plan" || word == "help" {
		return word
	}
	return ""
}

// twice is why what arrives once more is left alone: whoever did it was
// answered the first time.
const twice = "It arrived twice; the first counts."

// origin tells one thing that somebody did from every other. Slack gives each a
// trigger of its own; without one nothing can be told.
// https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses
func origin(trigger string, parts ...string) string {
	if trigger == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join(append(parts, trigger), "\x00")))
	return hex.EncodeToString(sum[:])
}

// again tells whether something arrived before that is stored nowhere else, and
// records that it did. What can't be told apart is done rather twice than never.
func (c *Chat) again(ctx context.Context, who request.Asker, tried, origin string) bool {
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	err := c.store.Take(stored, origin)
	if errors.Is(err, store.ErrTaken) {
		c.turnAway(ctx, who, tried, twice)
		return true
	}
	if err != nil {
		c.log.Error("remember what arrived", "tried", tried, "error", err)
	}
	return false
}

// turnAway records what somebody tried that came to nothing.
func (c *Chat) turnAway(ctx context.Context, who request.Asker, tried, why string) {
	if why == twice {
		fated(ctx, "duplicate")
	}
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if err := c.desk.Refuse(stored, who, tried, why); err != nil {
		c.log.Error("record a refusal", "tried", tried, "error", err)
	}
}

// separates tells what stands between the values of a list.
func separates(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) }

// request stores what is asked for, in the time that Slack leaves for it.
func (c *Chat) request(ctx context.Context, a bot.Asking) (request.Request, error) {
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if no := c.turnsAway(stored, a.Operation, "to ask for "+a.Operation, a.Asker); no != nil {
		return request.Request{}, no
	}
	r, err := c.desk.Ask(stored, a)
	if err != nil && !errors.Is(err, store.ErrTaken) {
		c.log.Error("store a request", "operation", a.Operation, "error", err)
		fated(ctx, "unstored")
		if r.ID != "" {
			c.delivering.Go(func() { c.desk.VoidRequest(context.WithoutCancel(ctx), r.ID) })
		}
	}
	return r, err
}

// asker names a person.
func (c *Chat) asker(workspace, user, channel string) request.Asker {
	return request.Asker{Front: request.Chat, Workspace: workspace, User: user, Channel: channel}
}

// presser names the person who pressed a button or sent a form. A view says where
// the app is; the team beside it may be the sender's own.
// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
func (c *Chat) presser(did slack.InteractionCallback, channel string) request.Asker {
	place := cmp.Or(did.View.AppInstalledTeamID, did.View.TeamID, did.Team.ID)
	return c.asker(c.served(cmp.Or(did.Enterprise.ID, did.Team.EnterpriseID), place, did.User.TeamID), did.User.ID, channel)
}

// refusal is what somebody reads whose request couldn't be stored.
func refusal(err error) string {
	if _, ok := errors.AsType[*ops.Error](err); ok {
		return escape(ops.WordsChanged(err, "", ops.ChangedNothing))
	}
	return noDatabase
}

// answers is how many may be found out and told beside each other after the ack.
const answers = 256

// later answers somebody through a response_url, after the ack. It tells whether
// there is room for that; where there isn't, nobody is answered.
func (c *Chat) later(ctx context.Context, to answering, text func(context.Context) string) bool {
	return c.draws(ctx, to, func(ctx context.Context) drawing { return drawing{text: text(ctx)} })
}

// draws is later for an answer that may have buttons.
func (c *Chat) draws(ctx context.Context, to answering, answer func(context.Context) drawing) bool {
	select {
	case c.answering <- struct{}{}:
	default:
		fated(ctx, "busy")
		return false
	}
	ctx = context.WithoutCancel(ctx)
	c.delivering.Go(func() {
		defer func() { <-c.answering }()
		// What is found out slowly must still be told.
		asking, asked := context.WithTimeout(ctx, 30*time.Second)
		said := answer(asking)
		asked()
		c.whisper(ctx, to, said)
	})
	return true
}

// whisperFor is how long an answer through a response_url is tried, waiting for Slack
// included: the address is good for 30 minutes, but a person doesn't wait as long.
const whisperFor = 2 * time.Minute

// answering is where to answer a person for their eyes only.
type answering struct{ url, channel, user string }

func answerOf(typed slack.SlashCommand) answering {
	return answering{typed.ResponseURL, typed.ChannelID, typed.UserID}
}

func answerTo(did slack.InteractionCallback) answering {
	return answering{did.ResponseURL, did.Channel.ID, did.User.ID}
}

// whisper says something through a response_url: without its buttons where Slack
// refuses those. Slack takes them at another address than everything else, which may be
// barred here: then it is said where the person is, or by direct message.
func (c *Chat) whisper(ctx context.Context, to answering, d drawing) {
	if to.url == "" {
		return // Slack gave no address
	}
	unlimited := ctx
	ctx, cancel := context.WithTimeout(ctx, whisperFor)
	defer cancel()
	message := &slack.WebhookMessage{Text: cutEscaped(d.text, sectionLimit), ResponseType: slack.ResponseTypeEphemeral}
	if len(d.blocks) > 0 {
		message.Blocks = &slack.Blocks{BlockSet: d.blocks}
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := slack.PostWebhookCustomHTTPContext(ctx, to.url, c.http, message)
		if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code == http.StatusBadRequest {
			message.Blocks = nil
		}
		if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			err = &backoff.RetryAfterError{Duration: limited.RetryAfter}
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(5))
	if err != nil {
		c.log.Error("answer through response_url", "error", redactURL(err))
		c.whisperElsewhere(unlimited, to, d)
	}
}

// whisperElsewhere says something without a response_url.
func (c *Chat) whisperElsewhere(ctx context.Context, to answering, d drawing) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	said := []slack.MsgOption{slack.MsgOptionText(cutEscaped(d.text, sectionLimit), false)}
	if len(d.blocks) > 0 {
		said = append(said, slack.MsgOptionBlocks(d.blocks...))
	}
	_, err := c.api.PostEphemeralContext(ctx, to.channel, to.user, said...)
	if err != nil {
		_, _, err = c.api.PostMessageContext(ctx, to.user, said...)
	}
	if err != nil {
		c.log.Error("answer a person by themselves", "user", to.user, "error", err)
	}
}
