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

// Deliver delivers the desk's messages until ctx ends: those of one request one
// after another, those of different requests beside each other. What is being
// sent when ctx ends is finished; the rest waits in the store.
func (c *Chat) Deliver(ctx context.Context) {
	busy := map[string]bool{} // requests whose message is being sent
	done := make(chan string)
	for {
		var due <-chan time.Time
		waiting, err := c.store.Unsent(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Error("read the messages to be sent", "error", err)
			due = time.After(time.Second)
		}
		heads := map[string][]store.Message{}
		var order []string
		for _, m := range waiting {
			if heads[m.Request] == nil {
				order = append(order, m.Request)
			}
			heads[m.Request] = append(heads[m.Request], m)
		}
		now := time.Now()
		for _, request := range order {
			first := heads[request][0]
			if busy[request] || ctx.Err() != nil {
				continue
			}
			if wait := first.Due.Sub(now); wait > 0 {
				if due == nil {
					due = time.After(wait)
				}
				continue
			}
			busy[request] = true
			c.delivering.Go(func() {
				c.deliver(context.WithoutCancel(ctx), heads[request])
				done <- request
			})
		}
		select {
		case <-ctx.Done():
			for len(busy) > 0 {
				delete(busy, <-done)
			}
			c.delivering.Wait()
			return
		case request := <-done:
			delete(busy, request)
		case <-c.store.Woken():
		case <-due:
		}
	}
}

// attempt is how long one delivery may take, turns waited for included.
const attempt = 90 * time.Second

// deliver sends the first of a request's waiting messages, and those behind it
// that can go with it.
func (c *Chat) deliver(ctx context.Context, waiting []store.Message) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	first := waiting[0]
	with, err := c.send(ctx, waiting)
	if err == nil {
		return
	}
	log := c.log.With("request", first.Request, "message", first.ID, "kind", first.Kind)
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		c.paces.hold(c.channel, time.Now().Add(limited.RetryAfter))
		err = c.store.Later(ctx, first.ID, time.Now().Add(limited.RetryAfter))
	} else if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok && slices.Contains(hopeless, answer.Err) {
		// Not the channel's fault but the message's: it would stop all behind it.
		log.Error("Slack refuses a message for good", "error", answer.Err, "details", answer.ResponseMetadata.Messages)
		for _, m := range with {
			if err = c.store.Dead(ctx, m, answer.Err); err != nil {
				break
			}
		}
	} else {
		wait := min(30*time.Second, 250*time.Millisecond<<min(first.Tries, 10))
		log.Warn("deliver a message; trying again", "error", redactURL(err), "in", wait)
		err = c.store.Later(ctx, first.ID, time.Now().Add(wait))
	}
	if err != nil {
		log.Error("record the fate of a message", "error", err)
	}
}

// hopeless are answers that the same message will always get.
var hopeless = []string{"invalid_blocks", "invalid_blocks_format", "msg_too_long", "no_text", "cant_update_message", "message_not_found", "edit_window_closed"}

// send sends the first message and returns the IDs that go with it.
func (c *Chat) send(ctx context.Context, waiting []store.Message) ([]int64, error) {
	first := waiting[0]
	with := []int64{first.ID}
	r, err := c.store.Request(ctx, first.Request)
	if err != nil {
		return with, err
	}
	sent := func(place string, post store.Post) error {
		return c.store.Sent(ctx, time.Now(), r.ID, place, post, with...)
	}
	if r.Asker.Front != "slack" {
		return with, sent("", store.Post{})
	}
	card, posted, err := c.store.Posted(ctx, r.ID, store.CardPlace)
	if err != nil {
		return with, err
	}
	switch first.Kind {
	case store.Card:
		// It shows the request as it is now, so it stands for all that wait.
		for _, m := range waiting[1:] {
			if m.Kind == store.Card {
				with = append(with, m.ID)
			}
		}
		if posted {
			if err := c.update(ctx, card, drawCard(r)); err != nil {
				return with, err
			}
			return with, sent("", card)
		}
		if card, _, err = c.post(ctx, first, store.Post{Channel: c.channel}, drawCard(r)); err != nil {
			return with, err
		}
		return with, sent(store.CardPlace, card)
	case store.Private:
		if err := c.private(ctx, r, escape(first.Body.Text)); err != nil {
			return with, err
		}
		return with, sent("", store.Post{})
	case store.Pointer:
		return with, c.point(ctx, first, r, sent)
	}
	// All others stand in the card's thread.
	if !posted {
		return with, fmt.Errorf("the card of request %s isn't posted", r.ID)
	}
	switch first.Kind {
	case store.Plan:
		return with, c.postLong(ctx, first, card, drawPlan(r), sent)
	case store.Result:
		return with, c.postLong(ctx, first, card, drawResult(r), sent)
	case store.LogFile:
		lines, err := c.store.Lines(ctx, r.ID, 1, 0)
		if err != nil {
			return with, err
		}
		if len(lines) > wholeLog {
			if err := c.upload(ctx, first, card, drawLogFile(r, lines)); err != nil {
				return with, err
			}
		}
		return with, sent("", card)
	case store.Log:
		last := first
		for _, m := range waiting[1:] {
			if m.Kind == store.Card {
				continue
			}
			if m.Kind != store.Log || m.Body.To-first.Body.From >= batch {
				break
			}
			with, last = append(with, m.ID), m
		}
		lines, err := c.store.Lines(ctx, r.ID, first.Body.From, last.Body.To)
		if err != nil {
			return with, err
		}
		shown := visible(lines)
		if len(shown) == 0 {
			return with, sent("", card)
		}
		_, to, err := c.post(ctx, span(first, last), card, drawLog(shown))
		if err != nil {
			return with, err
		}
		// An earlier try whose answer was lost may have had fewer lines.
		with = with[:0]
		for _, m := range waiting {
			if m.Kind == store.Log && m.Body.To <= to {
				with = append(with, m.ID)
			}
		}
		return with, sent("", card)
	}
	return with, fmt.Errorf("a message of the unknown kind %q", first.Kind)
}

// point tells the asker where a card is, unless they are looking at it.
func (c *Chat) point(ctx context.Context, m store.Message, r store.Request, sent func(string, store.Post) error) error {
	there := m.Body.Other == r.ID && r.Asker.Channel == c.channel
	card, posted, err := c.store.Posted(ctx, m.Body.Other, store.CardPlace)
	switch {
	case err != nil:
		return err
	case there:
		return sent("", store.Post{})
	case !posted:
		return fmt.Errorf("the card of request %s isn't posted yet", m.Body.Other)
	}
	text := escape(m.Body.Text)
	if m.Body.Other == r.ID {
		text = fmt.Sprintf("I'm on it: follow <%s|the thread> in <#%s>.", c.link(card), card.Channel)
	} else {
		text += fmt.Sprintf(" <%s|Here it is>, in <#%s>.", c.link(card), card.Channel)
	}
	if err := c.private(ctx, r, text); err != nil {
		return err
	}
	return sent("", store.Post{})
}

// postLong posts a drawing in a thread, and what doesn't fit in it as a file.
func (c *Chat) postLong(ctx context.Context, m store.Message, thread store.Post, d drawing, sent func(string, store.Post) error) error {
	if _, _, err := c.post(ctx, m, thread, d); err != nil {
		return err
	}
	if d.file.name != "" {
		if err := c.upload(ctx, m, thread, d.file); err != nil {
			return err
		}
	}
	return sent("", thread)
}

const eventType = "rootbot_message"

// post posts a message, in the thread of at if that has a TS, and tells where
// it stands and up to which line of the log it goes. A message that was tried
// before is looked for first: only the answer may have been lost.
func (c *Chat) post(ctx context.Context, m store.Message, at store.Post, d drawing) (store.Post, int64, error) {
	key := fmt.Sprintf("%s/%d", m.Request, m.ID)
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
			return found, to, err
		}
	}
	if err := c.paces.wait(ctx, at.Channel, false); err != nil {
		return store.Post{}, 0, err
	}
	if err := c.store.Trying(ctx, m.ID); err != nil {
		return store.Post{}, 0, err
	}
	options := []slack.MsgOption{
		slack.MsgOptionText(d.text, false), slack.MsgOptionBlocks(d.blocks...), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"message": key, "to": m.Body.To}}),
	}
	if at.TS != "" {
		options = append(options, slack.MsgOptionTS(at.TS))
	}
	channel, ts, err := c.api.PostMessageContext(ctx, at.Channel, options...)
	return store.Post{Channel: channel, TS: ts}, m.Body.To, err
}

// span is the first of several log messages, going up to the end of the last.
func span(first, last store.Message) store.Message {
	first.Body.To = last.Body.To
	return first
}

func (c *Chat) update(ctx context.Context, at store.Post, d drawing) error {
	if err := c.paces.wait(ctx, at.Channel, true); err != nil {
		return err
	}
	_, _, _, err := c.api.UpdateMessageContext(ctx, at.Channel, at.TS, slack.MsgOptionText(d.text, false), slack.MsgOptionBlocks(d.blocks...))
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
	if err := c.paces.wait(ctx, thread.Channel, false); err != nil {
		return err
	}
	if err := c.store.Trying(ctx, m.ID); err != nil {
		return err
	}
	_, err := c.api.UploadFileContext(ctx, slack.UploadFileParameters{
		Content: f.text, FileSize: len(f.text), Filename: f.name, Title: f.title, Channel: thread.Channel, ThreadTimestamp: thread.TS,
	})
	return err
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
