package chat

import (
	"context"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

const eventType = "rootbot_message"

// keyOf tells a message of the bot's from every other.
func keyOf(m request.Message) string { return fmt.Sprintf("%s/%d/%s", m.Request, m.ID, m.Body.Other) }

// posted looks for a message that an earlier try may have posted. whole tells
// whether it says everything by itself.
func (c *Chat) posted(ctx context.Context, m request.Message, at store.Post) (p posting, whole bool, err error) {
	p.to, p.found = m.Body.To, true
	p.Post, err = c.look(ctx, m, at, func(s slack.Message) bool {
		payload := s.Metadata.EventPayload
		if s.Metadata.EventType != eventType || payload["message"] != keyOf(m) {
			return false
		}
		if n, ok := payload["to"].(float64); ok {
			p.to = int64(n)
		}
		whole, _ = payload["whole"].(bool)
		return true
	})
	return p, whole, err
}

// post posts a message, in the thread of at if that has a TS.
func (c *Chat) post(ctx context.Context, m request.Message, at store.Post, d drawing) (posting, error) {
	if err := c.turn(ctx, at.Channel, false); err != nil {
		return posting{}, err
	}
	payload := map[string]any{"message": keyOf(m), "to": m.Body.To}
	if d.anchor != "" {
		payload["anchor"] = d.anchor
	}
	if d.whole {
		payload["whole"] = true
	}
	options := []slack.MsgOption{slack.MsgOptionText(d.shown(), false), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl()}
	if len(d.blocks) > 0 {
		options = append(options, slack.MsgOptionBlocks(d.blocks...))
	}
	if at.TS != "" {
		options = append(options, slack.MsgOptionTS(at.TS))
	}
	marked := slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: payload})
	channel, ts, err := c.api.PostMessageContext(ctx, at.Channel, append(options, marked)...)
	if strings.Contains(codeOf(err), "metadata") {
		c.log.Warn("Slack refuses a message's metadata; posting it without", "request", m.Request, "message", m.ID, "error", err)
		channel, ts, err = c.api.PostMessageContext(ctx, at.Channel, options...)
	}
	return posting{Post: store.Post{Channel: channel, TS: ts}, to: m.Body.To}, c.reached(at.Channel, err)
}

// shown is a drawing's text as it is sent: below blocks notifications show it,
// without them it is the message.
func (d drawing) shown() string {
	if len(d.blocks) > 0 {
		return cutEscaped(d.text, sectionLimit)
	}
	return cutEscaped(d.text, partLimit+1)
}

// span is the first of several log messages, going up to the end of the last.
func span(first, last request.Message) request.Message {
	first.Body.To = last.Body.To
	return first
}

func (c *Chat) update(ctx context.Context, at store.Post, d drawing) error {
	if err := c.turn(ctx, at.Channel, true); err != nil {
		return err
	}
	// Without blocks those that stand there would stay.
	options := []slack.MsgOption{slack.MsgOptionText(d.shown(), false), slack.MsgOptionBlocks(d.blocks...)}
	if d.anchor != "" {
		options = append(options, slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"anchor": d.anchor}}))
	}
	_, _, _, err := c.api.UpdateMessageContext(ctx, at.Channel, at.TS, options...)
	return err // whether the channel takes messages, posting tells
}

// look finds a message of the bot's own since m was written; the zero Post if
// there is none.
func (c *Chat) look(ctx context.Context, m request.Message, at store.Post, is func(slack.Message) bool) (store.Post, error) {
	oldest := fmt.Sprintf("%d.000000", m.At.Unix()-60)
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
		if about := aboutOf(err); codeOf(err) != "" && about != aboutNow && about != aboutThread {
			// Rather told twice than never; whether the channel takes messages, posting tells.
			c.log.Warn("Slack doesn't let the bot look for a message that may have been posted", "request", m.Request, "message", m.ID, "error", err)
			return store.Post{}, nil
		}
		if err != nil {
			return store.Post{}, fmt.Errorf("look for a message that may have been posted: %w", err)
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
