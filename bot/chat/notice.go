package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// notice delivers what is told beside requests.
func (c *Chat) notice(ctx context.Context, m request.Message, sent receipt) error {
	var p posting
	var err error
	switch m.Kind {
	case request.Linking:
		return c.tellLink(ctx, m, sent)
	case request.Announce:
		text := escape(m.Body.Text)
		if m.Body.For != nil {
			text = "<@" + m.Body.For.User + "> " + text
		}
		p, err = c.tell(ctx, m, store.Post{Channel: c.channel}, drawNotice(text))
	case request.Anchor:
		d := drawNotice("Audit")
		d.blocks, d.anchor = []slack.Block{small("Audit `" + m.Body.Text + "`, the end of the record, to check it by")}, m.Body.Text
		p, err = c.tell(ctx, m, store.Post{Channel: c.channel}, d)
	case request.Private: // the answer to a click that is about no request
		text := escape(m.Body.Text)
		if m.Body.About != nil {
			text = "<@" + m.Body.About.User + "> " + text
		}
		at, e := c.private(ctx, m, request.Request{}, text)
		if e != nil {
			return e
		}
		return sent("", at)
	case request.Letter:
		direct, e := c.direct(ctx, m.Body.For.User)
		if e != nil {
			return e
		}
		text := linked(m.Body.Text)
		if m.Body.About != nil {
			text = "<@" + m.Body.About.User + "> " + text
		}
		p, err = c.tell(ctx, m, direct, drawNotice(text))
	default:
		return fmt.Errorf("a message of the unknown kind %q", m.Kind)
	}
	if err != nil {
		return err
	}
	if head, err := store.ParseHead(m.Body.Text); m.Kind == request.Anchor && err == nil {
		return sent("", p.Post, anchored(head, p.Post))
	}
	return sent("", p.Post)
}

func drawNotice(text string) drawing {
	return drawing{text: text, blocks: []slack.Block{section(cutEscaped(text, sectionLimit))}}
}

// Anchor is a head of the audit as it stands in Slack, and where: the channel's ID, a
// slash and the message's timestamp, as events have it.
type Anchor struct {
	store.Head
	Where string
}

// Anchors reads the heads of the audit that the bot has posted in the log
// channel, the newest first. Open must have returned.
func (c *Chat) Anchors(ctx context.Context) ([]store.Head, error) {
	standing, err := c.Standing(ctx)
	var heads []store.Head
	for _, a := range standing {
		heads = append(heads, a.Head)
	}
	return heads, err
}

// Standing is Anchors with where each of them stands.
func (c *Chat) Standing(ctx context.Context) ([]Anchor, error) {
	var anchors []Anchor
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
				anchors = append(anchors, Anchor{head, place(store.Post{Channel: c.channel, TS: m.Timestamp})})
			}
		}
		if params.Cursor = page.ResponseMetaData.NextCursor; params.Cursor == "" {
			return anchors, nil
		}
	}
}

// LogChannel is the ID of the log channel. Open must have returned.
func (c *Chat) LogChannel() string { return c.channel }

// place is where a message stands, as events have it.
func place(at store.Post) string { return at.Channel + "/" + at.TS }

// anchor is the head of the audit for a card whose run has ended; empty while
// none has.
func (c *Chat) anchor(ctx context.Context, shown []request.Request) (store.Head, error) {
	if !slices.ContainsFunc(shown, func(r request.Request) bool { return r.State.Ended() && !r.StartedAt.IsZero() }) {
		return store.Head{}, nil
	}
	return c.store.Head(ctx)
}

// anchored is what is recorded when a head stands in the log channel.
func anchored(head store.Head, at store.Post) request.Event {
	return request.Event{At: time.Now().UTC(), Kind: "anchored", Data: map[string]any{"seq": head.Seq, "hash": head.Hash, "where": place(at)}}
}
