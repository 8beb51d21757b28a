package chat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

const (
	noDatabase = "The bot can't write to its database, so nothing was done. Try again in a minute, and tell whoever runs the bot if it goes on."
	noForm     = "Slack didn't open the form, so nothing was done. Try again."
)

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
	who := c.asker(typed.TeamID, typed.UserID, typed.ChannelID)
	i := slices.IndexFunc(c.desk.Operations, func(o ops.Operation) bool { return o.Command == typed.Command })
	if i < 0 {
		command := cut(typed.Command, 100)
		c.turnAway(ctx, who, "command "+command, "There is no such command.")
		return ephemeral("This bot doesn't offer `" + escape(command) + "`. Nothing was done.")
	}
	o := c.desk.Operations[i]
	if len(typed.Text) > mostTyped {
		const said = "That is more than anybody types. Nothing was done."
		c.turnAway(ctx, who, o.Command, said)
		return ephemeral(said)
	}
	words := strings.FieldsFunc(typed.Text, separates)
	preview := false
	switch {
	case len(words) > 0 && words[0] == "help":
		return ephemeral(help(o))
	case c.places[o.Name] != "" && typed.ChannelID != c.places[o.Name]:
		c.turnAway(ctx, who, o.Command, "It was typed in another channel than the one where it is decided.")
		return ephemeral(fmt.Sprintf("Please type `%s` in <#%s>, where it is decided. Nothing was done here.", o.Command, c.places[o.Name]))
	case len(words) > 0 && words[0] == "plan" && !o.Asks():
		preview, words = true, words[1:]
	}
	from := origin(typed.TriggerID, typed.UserID, typed.ChannelID, typed.Command, typed.Text)
	if o.Asks() {
		if !c.again(ctx, who, o.Command, from) {
			c.openForm(ctx, o, typed, words)
		}
		return nil
	}
	inputs, err := o.Words(words)
	if err != nil {
		c.turnAway(ctx, who, o.Command, "What was typed behind the command was wrong.")
		return ephemeral(escape(cut(ops.Words(err, ""), mostSaid)) + " Nothing was done. Type `" + o.Command + " help` for what can be typed.")
	}
	r, err := c.request(ctx, bot.Asking{
		Operation: o.Name, Inputs: inputs, Preview: preview, Asker: who, Origin: from,
	})
	switch {
	case errors.Is(err, store.ErrTaken):
		c.turnAway(ctx, who, o.Command, twice)
		return nil
	case err != nil:
		return ephemeral(refusal(err))
	}
	c.replies.keep(r.ID, typed.ResponseURL)
	return nil
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
func (c *Chat) again(ctx context.Context, who store.Asker, tried, origin string) bool {
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
func (c *Chat) turnAway(ctx context.Context, who store.Asker, tried, why string) {
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
func (c *Chat) request(ctx context.Context, a bot.Asking) (store.Request, error) {
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
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
func (c *Chat) asker(workspace, user, channel string) store.Asker {
	who := store.Asker{Front: "slack", Workspace: workspace, User: user, Channel: channel}
	if c.store.Shared() {
		who.Taker = c.store.ID()
	}
	return who
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
	case slices.Contains([]string{"requests", "whoami", "link", "unlink"}, topic) && len(words) == 1, topic == "history" && len(words) <= 2:
	default:
		return ephemeral("There is no `/rootbot " + escape(cut(typed.Text, 100)) + "`; there are `/rootbot`, `/rootbot requests`, `/rootbot history [operation|person]`, `/rootbot whoami`, `/rootbot link` and `/rootbot unlink`.")
	}
	switch topic {
	case "link":
		if c.again(ctx, asker, "/rootbot link", origin(typed.TriggerID, typed.UserID, typed.ChannelID, typed.Command, typed.Text)) {
			return nil
		}
		c.prove(ctx, asker, typed.ResponseURL)
		return nil
	case "unlink":
		if !c.later(ctx, typed.ResponseURL, func(ctx context.Context) string { return c.unlink(ctx, asker) }) {
			return ephemeral(tooBusy)
		}
		return nil
	}
	if !c.later(ctx, typed.ResponseURL, func(ctx context.Context) string {
		identity, err := c.desk.Identify(ctx, asker)
		if err == nil {
			err = c.desk.Team.Shows(ctx, identity.Login)
		}
		switch topic {
		case "", "help":
			return c.overview(ctx, asker, err)
		case "whoami":
			return c.whoami(identity, err)
		}
		if err != nil {
			return c.refuse(ctx, asker, identity, "/rootbot "+topic, err)
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
	}) {
		return ephemeral(tooBusy)
	}
	return nil
}

// answers is how many may be found out and told beside each other after the ack.
const answers = 256

// later answers somebody through a response_url, after the ack. It tells whether
// there is room for that; where there isn't, nobody is answered.
func (c *Chat) later(ctx context.Context, url string, text func(context.Context) string) bool {
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
		said := text(asking)
		asked()
		c.whisper(ctx, url, said)
	})
	return true
}

// whisper says something through a response_url.
func (c *Chat) whisper(ctx context.Context, url, text string) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	message := &slack.WebhookMessage{Text: cut(text, sectionLimit), ResponseType: slack.ResponseTypeEphemeral}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		return struct{}{}, slack.PostWebhookCustomHTTPContext(ctx, url, c.http, message)
	}, backoff.WithMaxTries(5))
	if err != nil {
		c.log.Error("answer through response_url", "error", redactURL(err))
	}
}

// refuse records what somebody tried who may not, and says why not.
func (c *Chat) refuse(ctx context.Context, who store.Asker, identity team.Identity, tried string, no error) string {
	who.Login = identity.Login
	words := noDatabase
	if _, ok := errors.AsType[*ops.Error](no); ok {
		words = ops.Words(no, "")
	} else {
		c.log.Error("answer a command", "tried", tried, "error", no)
	}
	c.turnAway(ctx, who, tried, words)
	return escape(words)
}

// overview is what somebody may do here, by what they are in the team; no says
// why they are nothing in it.
func (c *Chat) overview(ctx context.Context, who store.Asker, no error) string {
	var b strings.Builder
	if no != nil {
		fmt.Fprintf(&b, "%s\n", escape(ops.Words(no, "")))
	}
	for _, o := range c.desk.Operations {
		may, err := "you may ask for it", no
		if c.desk.TermsOf(o.Name).Requesters == bot.ByPlace {
			_, err = c.desk.MayAsk(ctx, o.Name, who)
		}
		if err != nil {
			may = "not for you"
			if words := ops.Words(err, ""); no == nil || words != ops.Words(no, "") {
				may += ": " + escape(words)
			}
		}
		fmt.Fprintf(&b, "*`%s`* — %s\n     %s", o.Command, escape(o.Title()), may)
		if place := c.places[o.Name]; place != "" {
			fmt.Fprintf(&b, ", in <#%s>", place)
		}
		fmt.Fprintf(&b, "; `%s help` says more\n", o.Command)
	}
	b.WriteString("`/rootbot requests` — what is open\n`/rootbot history [operation|person]` — what was\n`/rootbot whoami` — who I think you are\n" +
		"`/rootbot link` — prove which GitHub account is yours\n`/rootbot unlink` — forget it")
	return b.String()
}

func (c *Chat) whoami(who team.Identity, no error) string {
	switch {
	case who.Login == "":
		return escape(ops.Words(no, ""))
	case no != nil:
		// Nothing was to be done.
		words := strings.NewReplacer(" Nothing was done.", "", ", so nothing was done.", ".").Replace(ops.Words(no, ""))
		return fmt.Sprintf("You are %s on GitHub, %s. %s", escape(who.Login), escape(who.How), escape(words))
	}
	return fmt.Sprintf("You are %s on GitHub, %s, and a member of the team %s.", escape(who.Login), escape(who.How), escape(c.desk.Team.Name()))
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
