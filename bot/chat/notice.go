package chat

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/store"
)

// notice delivers what is told beside requests.
func (c *Chat) notice(ctx context.Context, m store.Message, sent receipt) error {
	var p posting
	var err error
	switch m.Kind {
	case store.Announce:
		text := escape(m.Body.Text)
		if m.Body.For != nil {
			text = "<@" + m.Body.For.User + "> " + text
		}
		p, err = c.tell(ctx, m, store.Post{Channel: c.channel}, drawNotice(text))
	case store.Anchor:
		d := drawNotice("Audit")
		d.blocks, d.anchor = []slack.Block{small("Audit `" + m.Body.Text + "`, the end of the record, to check it by")}, m.Body.Text
		p, err = c.tell(ctx, m, store.Post{Channel: c.channel}, d)
	case store.Letter:
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
	return sent("", p.Post)
}

func drawNotice(text string) drawing {
	return drawing{text: text, blocks: []slack.Block{section(cutEscaped(text, sectionLimit))}}
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
