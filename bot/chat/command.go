package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cenkalti/backoff/v5"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

const (
	noDatabase = "The bot can't write to its database, so nothing was done. Try again in a minute, and tell whoever runs the bot if it goes on."
	noForm     = "Slack didn't open the form, so nothing was done. Try again."
)

// command takes a slash command. It returns the ack's payload: an answer at
// once, or nil when the request was stored and will be answered, or a form opens.
func (c *Chat) command(ctx context.Context, typed slack.SlashCommand) any {
	if typed.Command == "/rootbot" {
		return c.about(ctx, typed)
	}
	i := slices.IndexFunc(c.desk.Operations, func(o ops.Operation) bool { return o.Command == typed.Command })
	if i < 0 {
		return ephemeral("This bot doesn't offer `" + escape(typed.Command) + "`. Nothing was done.")
	}
	o := c.desk.Operations[i]
	words := strings.FieldsFunc(typed.Text, separates)
	preview := false
	switch {
	case len(words) > 0 && words[0] == "help":
		return ephemeral(help(o))
	case c.places[o.Name] != "" && typed.ChannelID != c.places[o.Name]:
		return ephemeral(fmt.Sprintf("Please type `%s` in <#%s>, where it is decided. Nothing was done here.", o.Command, c.places[o.Name]))
	case len(words) > 0 && words[0] == "plan" && !o.Asks():
		preview, words = true, words[1:]
	}
	if o.Asks() {
		c.openForm(ctx, o, typed, words)
		return nil
	}
	inputs, err := o.Words(words)
	if err != nil {
		return ephemeral(escape(ops.Words(err, "")) + " Nothing was done. Type `" + o.Command + " help` for what can be typed.")
	}
	r, err := c.request(ctx, bot.Asking{
		Operation: o.Name, Inputs: inputs, Preview: preview, Asker: c.asker(typed.TeamID, typed.UserID, typed.ChannelID),
	})
	if err != nil {
		return ephemeral(refusal(err))
	}
	c.replies.keep(r.ID, typed.ResponseURL)
	return nil
}

// separates tells what stands between the values of a list.
func separates(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) }

// request stores what is asked for, in the time that Slack leaves for it.
func (c *Chat) request(ctx context.Context, a bot.Asking) (store.Request, error) {
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	r, err := c.desk.Ask(stored, a)
	if err != nil {
		c.log.Error("store a request", "operation", a.Operation, "error", err)
	}
	return r, err
}

// asker names a person.
func (c *Chat) asker(workspace, user, channel string) store.Asker {
	return store.Asker{Front: "slack", Workspace: workspace, User: user, Channel: channel}
}

// presser names who pressed or sent a form: in a shared channel that may be a
// user of another workspace than the one the message is in.
// https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
func (c *Chat) presser(did slack.InteractionCallback, channel string) store.Asker {
	return c.asker(cmp.Or(did.User.TeamID, did.Team.ID), did.User.ID, channel)
}

// refusal is what somebody reads whose request couldn't be stored.
func refusal(err error) string {
	if _, ok := errors.AsType[*ops.Error](err); ok {
		return escape(ops.Words(err, ""))
	}
	return noDatabase
}

// Present tells whether somebody is a full member of the workspace and is in
// an operation's channel; an *ops.Error says why not.
// https://docs.slack.dev/reference/objects/user-object
func (c *Chat) Present(ctx context.Context, who store.Asker, place string) error {
	no := func(what string) error {
		return &ops.Error{Kind: ops.Refused, What: what + " Nothing was done."}
	}
	unknown := func(err error) error {
		return &ops.Error{Kind: ops.Unavailable, Err: err, What: "Slack didn't say whether you may ask for this, so nothing was done.", Next: "Try again in a minute."}
	}
	user, err := c.api.GetUserInfoContext(ctx, who.User)
	switch {
	case err != nil:
		return unknown(err)
	case who.Workspace != c.workspace || user.TeamID != c.workspace || user.IsStranger:
		return no("You are not of this workspace.")
	case user.Deleted || user.IsBot:
		return no("Only people may ask for this.")
	case user.IsRestricted || user.IsUltraRestricted:
		return no("Guests may not ask for this.")
	}
	channel, err := c.find(ctx, strings.TrimPrefix(place, "#"))
	if err != nil || channel == nil {
		return unknown(err)
	}
	params := &slack.GetUsersInConversationParameters{ChannelID: channel.ID, Limit: 1000}
	for {
		members, next, err := c.api.GetUsersInConversationContext(ctx, params)
		switch {
		case err != nil:
			return unknown(err)
		case slices.Contains(members, who.User):
			return nil
		case next == "":
			return no(fmt.Sprintf("Only members of #%s may ask for this.", channel.Name))
		}
		params.Cursor = next
	}
}

// about answers /rootbot: what there is, what is open, what was, and who one is.
func (c *Chat) about(ctx context.Context, typed slack.SlashCommand) any {
	words := strings.Fields(typed.Text)
	topic := ""
	if len(words) > 0 {
		topic = words[0]
	}
	asker := c.asker(typed.TeamID, typed.UserID, typed.ChannelID)
	switch {
	case topic == "" || topic == "help":
	case slices.Contains([]string{"requests", "whoami"}, topic) && len(words) == 1, topic == "history" && len(words) <= 2:
	default:
		return ephemeral("There is no `/rootbot " + escape(cut(typed.Text, 100)) + "`; there are `/rootbot`, `/rootbot requests`, `/rootbot history [operation|person]` and `/rootbot whoami`.")
	}
	c.later(ctx, typed.ResponseURL, func(ctx context.Context) string {
		login, err := c.desk.Member(ctx, asker)
		switch topic {
		case "", "help":
			return c.overview(ctx, asker)
		case "whoami":
			return c.whoami(login, err)
		}
		if err != nil {
			return escape(ops.Words(err, ""))
		}
		var list []store.Request
		title := "Open requests"
		if topic == "requests" {
			list, err = c.store.Unfinished(ctx)
		} else {
			word := ""
			if title = "The newest requests"; len(words) == 2 {
				word = strings.TrimPrefix(words[1], "/")
				title += " for " + escape(word)
			}
			list, err = c.store.Recent(ctx, word, 20)
		}
		if err != nil {
			c.log.Error("list requests", "error", err)
			return "The bot can't read its database. Try again in a minute."
		}
		return c.listing(ctx, title, list)
	})
	return nil
}

// later answers somebody through a response_url, after the ack.
func (c *Chat) later(ctx context.Context, url string, text func(context.Context) string) {
	ctx = context.WithoutCancel(ctx)
	c.delivering.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		message := &slack.WebhookMessage{Text: cut(text(ctx), sectionLimit), ResponseType: slack.ResponseTypeEphemeral}
		_, err := backoff.Retry(ctx, func() (struct{}, error) {
			return struct{}{}, slack.PostWebhookCustomHTTPContext(ctx, url, c.http, message)
		}, backoff.WithMaxTries(5))
		if err != nil {
			c.log.Error("answer through response_url", "error", redactURL(err))
		}
	})
}

// overview is what somebody may do here.
func (c *Chat) overview(ctx context.Context, who store.Asker) string {
	var b strings.Builder
	for _, o := range c.desk.Operations {
		may := "you may ask for it"
		if _, err := c.desk.MayAsk(ctx, o.Name, who); err != nil {
			may = "not for you: " + escape(ops.Words(err, ""))
		}
		fmt.Fprintf(&b, "*`%s`* — %s\n     %s", o.Command, escape(o.Title()), may)
		if place := c.places[o.Name]; place != "" {
			fmt.Fprintf(&b, ", in <#%s>", place)
		}
		fmt.Fprintf(&b, "; `%s help` says more\n", o.Command)
	}
	b.WriteString("`/rootbot requests` — what is open\n`/rootbot history [operation|person]` — what was\n`/rootbot whoami` — who I think you are")
	return b.String()
}

func (c *Chat) whoami(login string, err error) string {
	switch {
	case login == "":
		return escape(ops.Words(err, ""))
	case err != nil:
		return fmt.Sprintf("You are %s on GitHub, by the identities in the bot's settings. %s", escape(login), escape(ops.Words(err, "")))
	}
	return fmt.Sprintf("You are %s on GitHub, by the identities in the bot's settings, and a member of the team %s.", escape(login), escape(c.desk.Team.Name()))
}

func (c *Chat) listing(ctx context.Context, title string, list []store.Request) string {
	if len(list) == 0 {
		return title + ": none."
	}
	var b strings.Builder
	fmt.Fprintf(&b, "*%s*", title)
	for i, r := range list {
		command := "`" + c.operationOf(r).Command + "`"
		if where := c.where(ctx, r.Card); where != "" {
			command = fmt.Sprintf("<%s|%s>", where, c.operationOf(r).Command)
		}
		target := ""
		if r.Plan != nil && r.Plan.Target != "" {
			target = " " + escape(r.Plan.Target)
		}
		line := fmt.Sprintf("\n• %s%s by %s, %s: %s", command, target, name(r), moment(r.At), cutEscaped(state(r), 150))
		if utf8.RuneCountInString(b.String())+utf8.RuneCountInString(line) > sectionLimit-50 {
			fmt.Fprintf(&b, "\n… and %d more", len(list)-i)
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
