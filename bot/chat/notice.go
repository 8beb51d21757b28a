package chat

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/store"
)

// notice delivers what is told beside requests.
func (c *Chat) notice(ctx context.Context, m store.Message, sent receipt) error {
	var p posting
	var err error
	switch m.Kind {
	case store.Announce:
		p, err = c.post(ctx, m, store.Post{Channel: c.channel}, drawNotice("<@"+m.Body.For.User+"> "+escape(m.Body.Text)))
	case store.Anchor:
		d := drawNotice("Audit")
		d.blocks, d.anchor = []slack.Block{small("Audit `" + m.Body.Text + "`")}, m.Body.Text
		p, err = c.post(ctx, m, store.Post{Channel: c.channel}, d)
	case store.Letter:
		direct, _, _, e := c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{m.Body.For.User}})
		if e != nil {
			return e
		}
		text := escape(m.Body.Text)
		if m.Body.About != nil {
			text = "<@" + m.Body.About.User + "> " + text
		}
		p, err = c.post(ctx, m, store.Post{Channel: direct.ID}, drawNotice(text))
	default:
		return fmt.Errorf("a message of the unknown kind %q", m.Kind)
	}
	if err != nil {
		return err
	}
	return sent("", p.Post)
}

func drawNotice(text string) drawing {
	return drawing{text: text, blocks: []slack.Block{section(cutEscaped(text, sectionLimit))}}
}

// glassPlace is where the notice stands that something runs without its
// approvals; when somebody said so follows, in microseconds.
const glassPlace = "glass/"

// glass makes or brings up to date the notice that something runs alone: for
// everybody in the log channel, loudly, until somebody has looked at it. A second
// time is another notice, for what is only edited makes no noise.
func (c *Chat) glass(ctx context.Context, m store.Message, r store.Request, sent receipt) error {
	if r.Glass == nil {
		return sent("", store.Post{})
	}
	d := drawGlass(c.operationOf(r).Command, r, c.where(ctx, r.Card))
	place := glassPlace + strconv.FormatInt(r.Glass.At.UnixMicro(), 10)
	places, err := c.store.Places(ctx, m.Thread, glassPlace)
	if err != nil {
		return err
	}
	at, posted := places[place]
	if !posted {
		p, err := c.post(ctx, m, store.Post{Channel: c.channel}, d)
		if err != nil {
			return err
		}
		for _, old := range places {
			if err := c.retire(ctx, old, drawNotice("🚨 *Break glass*: its plan changed, and it was done again; the newest notice is below.")); err != nil {
				return err
			}
		}
		at, posted = p.Post, p.found
	}
	if posted {
		if err := c.update(ctx, at, d); err != nil {
			return err
		}
	}
	return sent(place, at)
}

func drawGlass(command string, r store.Request, where string) drawing {
	var b sheet
	target := ""
	if r.Plan != nil && r.Plan.Target != "" {
		target = " for " + escape(r.Plan.Target)
	}
	title := fmt.Sprintf("🚨 *Break glass*: %s had `%s`%s run alone, without the %s that it needs.", person(*r.Glass), command, target, approvals(max(1, r.Need-len(r.Reviews))))
	b.add("<!channel> " + title)
	b.add("Reason: " + escape(cut(r.Glass.Reason, lineLimit)))
	b.add(cutEscaped(state(r), lineLimit))
	if !r.Alone() {
		b.add("The plan has changed since, so that doesn't count for it any more.")
	}
	if where != "" {
		b.add(fmt.Sprintf("<%s|Here is the thread>.", where))
	}
	if r.Looked != nil {
		b.add(fmt.Sprintf("Looked at by %s at %s: %s", person(*r.Looked), moment(r.Looked.At), escape(cut(r.Looked.Reason, lineLimit))))
		return drawing{text: "Break glass: looked at", blocks: b.blocks()}
	}
	b.add("*Another member of the team must look at this afterwards*: was it needed, and did it do what it should?")
	button := slack.NewButtonBlockElement(bot.Reviewed, r.ID+":"+r.Digest(), plain("I have looked at it"))
	return drawing{
		text:   fmt.Sprintf("<!channel> Break glass: `%s`%s runs without its approvals", command, target),
		blocks: append(b.blocks(), slack.NewActionBlock("looked", button)),
	}
}

// Anchors reads the heads of the audit that the bot has posted in the log
// channel, the newest first. Open must have returned.
func (c *Chat) Anchors(ctx context.Context) ([]store.Head, error) {
	var heads []store.Head
	params := &slack.GetConversationHistoryParameters{ChannelID: c.channel, Limit: 200, IncludeAllMetadata: true}
	for {
		page, err := patiently(ctx, func() (*slack.GetConversationHistoryResponse, error) {
			return c.api.GetConversationHistoryContext(ctx, params)
		})
		if err != nil {
			return nil, fmt.Errorf("read the anchors in the log channel: %w", err)
		}
		for _, m := range page.Messages {
			text, ok := m.Metadata.EventPayload["anchor"].(string)
			// Anybody's app may post such metadata.
			if !ok || m.Metadata.EventType != eventType || m.User != c.self && (c.botID == "" || m.BotID != c.botID) {
				continue
			}
			if head, err := store.ParseHead(text); err == nil {
				heads = append(heads, head)
			}
		}
		if params.Cursor = page.ResponseMetaData.NextCursor; params.Cursor == "" {
			return heads, nil
		}
	}
}

// anchor is the head of the audit for a card whose run has ended; empty while
// none has.
func (c *Chat) anchor(ctx context.Context, shown []store.Request) (store.Head, error) {
	if !slices.ContainsFunc(shown, func(r store.Request) bool { return r.State.Ended() && !r.StartedAt.IsZero() }) {
		return store.Head{}, nil
	}
	return c.store.Head(ctx)
}

// anchored is what is recorded when a head stands in the log channel.
func anchored(head store.Head, at store.Post) store.Event {
	return store.Event{At: time.Now().UTC(), Kind: "anchored", Data: map[string]any{"seq": head.Seq, "hash": head.Hash, "where": at.Channel + "/" + at.TS}}
}
