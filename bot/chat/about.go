package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// about answers /rootbot: what there is, what is open, what was, and who one is.
func (c *Chat) about(ctx context.Context, typed slack.SlashCommand) any {
	words := strings.Fields(typed.Text)
	topic := ""
	if len(words) > 0 {
		topic = strings.ToLower(words[0])
	}
	asker := c.typist(typed)
	switch {
	case topic == "" || topic == "help":
	case slices.Contains([]string{"requests", "whoami", "link", "unlink", "prove"}, topic) && len(words) == 1, topic == "history" && len(words) <= 2:
	default:
		return ephemeral("There is no `/rootbot " + escape(cut(typed.Text, 100)) + "`; there are `/rootbot`, `/rootbot requests`, `/rootbot history [operation|person]`, `/rootbot whoami`, `/rootbot link`, `/rootbot unlink` and `/rootbot prove`.")
	}
	switch topic {
	case "link", "prove":
		if c.again(ctx, asker, "/rootbot "+topic, origin(typed.TriggerID, typed.UserID, typed.ChannelID, typed.Command, typed.Text)) {
			return nil
		}
		c.proves(ctx, asker, map[string]proving{"link": c.linkBy(asker), "prove": c.proveBy(asker)}[topic], answerOf(typed))
		return nil
	case "unlink":
		if !c.later(ctx, answerOf(typed), func(ctx context.Context) string { return c.unlink(ctx, asker) }) {
			return ephemeral(tooBusy)
		}
		return nil
	}
	if !c.draws(ctx, answerOf(typed), func(ctx context.Context) drawing { return c.answerAbout(ctx, asker, words, topic) }) {
		return ephemeral(tooBusy)
	}
	return nil
}

// answerAbout answers a question about the bot itself.
func (c *Chat) answerAbout(ctx context.Context, asker request.Asker, words []string, topic string) drawing {
	var identity team.Identity
	err := c.overdone(ctx, "", strings.TrimSpace("/rootbot "+topic), asker)
	turned := err != nil
	if !turned {
		if identity, err = c.desk.Identify(ctx, asker); err == nil {
			err = c.desk.Team.Shows(ctx, identity.Login)
		}
		c.desk.Found(asker, identity.Login != "", err)
	}
	switch topic {
	case "", "help":
		return drawing{text: c.overview(ctx, asker, identity, err)}
	case "whoami":
		return drawing{text: c.whoami(identity, err)}
	}
	if turned {
		return drawing{text: refusal(err)} // it is counted
	}
	if err != nil {
		return drawing{text: c.refuse(ctx, asker, identity, "/rootbot "+topic, err)}
	}
	var d drawing
	if topic == "requests" {
		d, err = c.openRequests(ctx)
	} else {
		d, err = c.recent(ctx, words[1:])
	}
	if err != nil {
		c.log.Error("list requests", "error", err)
		return drawing{text: "The bot can't read its database. Try again in a minute."}
	}
	return d
}

// recent lists the newest requests: all, or those of an operation or a person.
func (c *Chat) recent(ctx context.Context, words []string) (drawing, error) {
	word, title := "", "The newest requests"
	if len(words) > 0 {
		word = strings.TrimPrefix(strings.TrimPrefix(words[0], "/"), "@")
		title += " for " + escape(word)
		// An operation is known by its command too.
		for _, o := range c.desk.Operations {
			if strings.EqualFold(o.Command, "/"+word) || strings.EqualFold(o.Name, word) {
				word = o.Name
			}
		}
	}
	list, err := c.store.Recent(ctx, word, 20)
	if err != nil {
		return drawing{}, err
	}
	if len(list) == 0 {
		if none := c.unknownWord(ctx, word); none != "" {
			return drawing{text: none}, nil
		}
	}
	return c.history(ctx, title, list), nil
}

// refuse records a question of a person who may not see the answer, and says why not.
func (c *Chat) refuse(ctx context.Context, who request.Asker, identity team.Identity, tried string, no error) string {
	return c.refused(ctx, who, identity.Login, "", tried, no, "")
}

// refused records a try of a person who may not, with the request that it was about
// (empty: none), and says why not, and how much it changed.
func (c *Chat) refused(ctx context.Context, who request.Asker, login, id, tried string, no error, changed ops.Changed) string {
	who.Login = login
	words := noDatabase
	if _, ok := errors.AsType[*ops.Error](no); ok {
		words = ops.WordsChanged(no, "", changed)
	} else {
		c.log.Error("answer a command", "tried", tried, "error", no)
	}
	if id == "" {
		c.turnAway(ctx, who, tried, words)
		return escape(words)
	}
	c.desk.Meter.Refused("click")
	stored, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if err := c.store.Record(stored, request.Event{
		At: time.Now().UTC(), Request: id, Kind: "refused", By: cmp.Or(login, who.Front+":"+who.Workspace+"/"+who.User),
		Data: map[string]any{"tried": tried, "reason": words},
	}); err != nil {
		c.log.Error("record a refusal", "tried", tried, "error", err)
	}
	return escape(words)
}

// overview lists the operations for one person: those that they may ask for, and
// the others. no says why they are no member of the team.
func (c *Chat) overview(ctx context.Context, who request.Asker, identity team.Identity, no error) string {
	var b strings.Builder
	var barred []string // commands, by the words of why
	for _, o := range c.desk.Operations {
		err := no
		if c.desk.TermsOf(o.Name).Requesters == request.ByPlace {
			_, err = c.desk.MayAsk(ctx, o.Name, who)
		}
		switch words := ops.Words(err, ""); {
		case err == nil:
			fmt.Fprintf(&b, "*`%s`* — %s\n     you may ask for it", o.Command, escape(o.Title()))
			if place := c.places[o.Name]; place != "" {
				fmt.Fprintf(&b, ", in <#%s>", place)
			}
			fmt.Fprintf(&b, "; `%s help` says more\n", o.Command)
		case no != nil && words == ops.Words(no, ""):
			barred = append(barred, "`"+o.Command+"`")
		default:
			fmt.Fprintf(&b, "*`%s`* — %s\n     not for you: %s\n", o.Command, escape(o.Title()), escape(words))
		}
	}
	if len(barred) > 0 {
		known := ""
		if identity.Login != "" {
			known = " (you are " + escape(identity.Login) + " on GitHub)"
		}
		fmt.Fprintf(&b, "You can't ask for these%s: %s. %s\n", known, strings.Join(barred, ", "), escape(ops.Words(no, "")))
	}
	b.WriteString("`/rootbot requests` — what is open\n`/rootbot history [operation|person]` — what was\n`/rootbot whoami` — who I think you are\n" +
		"`/rootbot link` — prove which GitHub account is yours\n`/rootbot unlink` — forget it")
	if c.desk.FreshProof > 0 {
		b.WriteString("\n`/rootbot prove` — prove anew who you are, for a decision that asks for it")
	}
	return b.String()
}

func (c *Chat) whoami(who team.Identity, no error) string {
	switch {
	case who.Login == "":
		return escape(ops.Words(no, ""))
	case no != nil:
		return fmt.Sprintf("You are %s on GitHub, %s. %s", escape(who.Login), escape(who.How), escape(ops.Words(no, "")))
	}
	return fmt.Sprintf("You are %s on GitHub, %s, and a member of the team %s.", escape(who.Login), escape(who.How), escape(c.desk.Team.Name()))
}
