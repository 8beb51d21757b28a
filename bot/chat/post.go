package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/store"
)

const eventType = "rootbot_message"

// posting is a message that stands.
type posting struct {
	store.Post
	to    int64 // up to which line of the log it goes
	found bool  // it stood already
}

// post posts a message, in the thread of at if that has a TS. A message that
// was tried before is looked for first: only the answer may have been lost.
func (c *Chat) post(ctx context.Context, m store.Message, at store.Post, d drawing) (posting, error) {
	key := fmt.Sprintf("%s/%d/%s", m.Request, m.ID, m.Body.Other)
	if m.Tries > 0 {
		to := m.Body.To
		found, err := c.look(ctx, m, at, func(s slack.Message) bool {
			payload := s.Metadata.EventPayload
			if n, ok := payload["to"].(float64); ok {
				to = int64(n)
			}
			return s.Metadata.EventType == eventType && payload["message"] == key
		})
		if err != nil || found.TS != "" {
			return posting{found, to, true}, err
		}
	}
	if err := c.turn(ctx, at.Channel, false); err != nil {
		return posting{}, err
	}
	payload := map[string]any{"message": key, "to": m.Body.To}
	if d.anchor != "" {
		payload["anchor"] = d.anchor
	}
	options := []slack.MsgOption{
		slack.MsgOptionText(cut(d.text, sectionLimit), false), slack.MsgOptionBlocks(d.blocks...), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: payload}),
	}
	if at.TS != "" {
		options = append(options, slack.MsgOptionTS(at.TS))
	}
	channel, ts, err := c.api.PostMessageContext(ctx, at.Channel, options...)
	return posting{Post: store.Post{Channel: channel, TS: ts}, to: m.Body.To}, c.reached(at.Channel, err)
}

// span is the first of several log messages, going up to the end of the last.
func span(first, last store.Message) store.Message {
	first.Body.To = last.Body.To
	return first
}

func (c *Chat) update(ctx context.Context, at store.Post, d drawing) error {
	if err := c.turn(ctx, at.Channel, true); err != nil {
		return err
	}
	options := []slack.MsgOption{slack.MsgOptionText(cut(d.text, sectionLimit), false), slack.MsgOptionBlocks(d.blocks...)}
	if d.anchor != "" {
		options = append(options, slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"anchor": d.anchor}}))
	}
	_, _, _, err := c.api.UpdateMessageContext(ctx, at.Channel, at.TS, options...)
	return c.reached(at.Channel, err)
}

// retire has a message say that a newer one stands below. One that is gone, or
// can't be edited any more, doesn't hold up the newer one.
func (c *Chat) retire(ctx context.Context, at store.Post, d drawing) error {
	err := c.update(ctx, at, d)
	if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok && slices.Contains(hopeless, answer.Err) {
		c.log.Warn("Slack doesn't let an old message be edited", "channel", at.Channel, "ts", at.TS, "error", answer.Err)
		return nil
	}
	return err
}

// upload puts a file into a thread.
func (c *Chat) upload(ctx context.Context, m store.Message, thread store.Post, f file) error {
	if m.Tries > 0 {
		found, err := c.look(ctx, m, thread, func(s slack.Message) bool {
			return slices.ContainsFunc(s.Files, func(there slack.File) bool { return there.Name == f.name })
		})
		if err != nil || found.TS != "" {
			return err
		}
	}
	if err := c.turn(ctx, thread.Channel, false); err != nil {
		return err
	}
	_, err := c.api.UploadFileContext(ctx, slack.UploadFileParameters{
		Content: f.text, FileSize: len(f.text), Filename: f.name, Title: f.title, Channel: thread.Channel, ThreadTimestamp: thread.TS,
	})
	return c.reached(thread.Channel, err)
}

// look finds a message of the bot's own since m was written; the zero Post if
// there is none.
func (c *Chat) look(ctx context.Context, m store.Message, at store.Post, is func(slack.Message) bool) (store.Post, error) {
	oldest := fmt.Sprintf("%d.000000", m.At.Add(-time.Minute).Unix())
	cursor := ""
	for {
		var messages []slack.Message
		var err error
		if at.TS != "" {
			messages, _, cursor, err = c.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
				ChannelID: at.Channel, Timestamp: at.TS, Oldest: oldest, Limit: 200, Cursor: cursor, IncludeAllMetadata: true,
			})
		} else {
			var page *slack.GetConversationHistoryResponse
			page, err = c.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
				ChannelID: at.Channel, Oldest: oldest, Limit: 200, Cursor: cursor, IncludeAllMetadata: true,
			})
			if page != nil {
				messages, cursor = page.Messages, page.ResponseMetaData.NextCursor
			}
		}
		if err != nil {
			return store.Post{}, fmt.Errorf("look for a message that may have been posted: %w", c.reached(at.Channel, err))
		}
		for _, s := range messages {
			if is(s) {
				return store.Post{Channel: at.Channel, TS: s.Timestamp}, nil
			}
		}
		if cursor == "" {
			return store.Post{}, nil
		}
	}
}
