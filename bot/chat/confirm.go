package chat

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// linkVerbs are the buttons of what the log channel is told of a link.
var linkVerbs = []string{bot.ConfirmsLink, bot.RevokesLink}

// linkPlace is where a link's message stands in its thread.
const linkPlace = "link"

// clickLink takes a button of a link.
func (c *Chat) clickLink(ctx context.Context, did slack.InteractionCallback, action *slack.BlockAction) {
	from := origin(did.TriggerID, did.User.ID, action.ActionID, action.Value, action.ActionTs)
	click := request.Click{Verb: action.ActionID, Asker: c.presser(did, did.Channel.ID), Digest: action.Value, Origin: from}
	if err := c.decide(ctx, click, did.ResponseURL); err != nil {
		c.later(ctx, answerTo(did), func(context.Context) string { return refusal(err) })
	}
}

// tellLink makes or brings up to date what the log channel is told of a link.
func (c *Chat) tellLink(ctx context.Context, m request.Message, sent receipt) error {
	links, err := c.store.Links(ctx, m.Body.For.Workspace)
	if err != nil {
		return err
	}
	d := drawing{}
	i := slices.IndexFunc(links, func(l store.Link) bool { return l.Key() == m.Body.Other })
	switch {
	case i < 0 && m.Body.Text == "":
		d = drawNotice("A link of <@" + m.Body.For.User + "> to a GitHub account has ended.")
	case i < 0:
		d = drawNotice("<@" + m.Body.For.User + "> " + escape(m.Body.Text))
	default:
		d = c.drawLink(ctx, links[i])
	}
	at, posted, err := c.store.Posted(ctx, m.Thread, linkPlace)
	if err != nil {
		return err
	}
	if posted {
		at, err = c.amend(ctx, m, at, store.Post{Channel: c.channel}, d)
	} else {
		var p posting
		p, err = c.tell(ctx, m, store.Post{Channel: c.channel}, d)
		at = p.Post
	}
	if err == nil && i >= 0 {
		err = c.store.ToldOfLink(ctx, links[i], c.desk.Clock())
	}
	if err != nil {
		return err
	}
	return sent(linkPlace, at)
}

// drawLink is what the log channel is told of a link that stands.
func (c *Chat) drawLink(ctx context.Context, l store.Link) drawing {
	who, login := "<@"+l.User+">", escape(l.Login)
	account := fmt.Sprintf("the GitHub account *%s* (ID %d)", login, l.GitHub)
	var text, call string
	switch {
	case l.ConfirmedBy == store.ByUpgrade:
		text = fmt.Sprintf("%s is linked to %s since %s, from before links were confirmed. The link counts. If the account isn't theirs, revoke the link.", who, account, moment(l.At))
	case !l.Confirmed.IsZero():
		text = fmt.Sprintf("%s is linked to %s, a member of the team %s. %s confirmed it at %s.", who, account, escape(c.desk.Team.Name()), escape(l.ConfirmedBy), moment(l.Confirmed))
	default:
		members, err := c.desk.Members(ctx)
		if err != nil {
			c.log.Warn("find out who can confirm a link", "by", l.User, "error", err)
		}
		delete(members, l.User)
		call = calling(slices.Sorted(maps.Keys(members))...)
		text = fmt.Sprintf("%s says to be %s, a member of the team %s: a code was typed in that account. *The link counts only once another member confirms it, by %s.* Ask %s in person first: if that account isn't theirs, its owner was tricked into typing the code, so revoke the link.",
			who, account, escape(c.desk.Team.Name()), moment(bot.ConfirmTill(l)), who)
	}
	names := fmt.Sprintf("%s is the GitHub account %s.", who, login)
	sure := func(title, text, yes string) *slack.ConfirmationBlockObject {
		return slack.NewConfirmationBlockObject(plain(title), slack.NewTextBlockObject(slack.MarkdownType, text, false, true), plain(yes), plain("Cancel"))
	}
	var buttons []slack.BlockElement
	if l.Confirmed.IsZero() {
		buttons = append(buttons, slack.NewButtonBlockElement(bot.ConfirmsLink, l.Key(), plain(cut("Confirm that "+l.User+" is "+l.Login, buttonLimit))).
			WithStyle(slack.StylePrimary).WithConfirm(sure("Confirm the link", names+" They get all rights of that member.", "Confirm")))
	}
	buttons = append(buttons, slack.NewButtonBlockElement(bot.RevokesLink, l.Key(), plain(cut("Revoke the link to "+l.Login, buttonLimit))).
		WithStyle(slack.StyleDanger).WithConfirm(sure("Revoke the link", names+" They lose the rights that the link gives, at once.", "Revoke")))
	if call != "" {
		text = call + " " + text
	}
	return drawing{text: text, call: call, blocks: []slack.Block{section(text), slack.NewActionBlock("", buttons...)}}
}
