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

// Deliver delivers the desk's messages until ctx ends: those of one thread one
// after another, those of different threads beside each other. What is being
// sent when ctx ends is finished; the rest waits in the store.
func (c *Chat) Deliver(ctx context.Context) {
	busy := map[string]bool{} // threads whose message is being sent
	done := make(chan string)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		soonest := time.Minute // to look again anyway
		waiting, err := c.store.Unsent(ctx)
		if err != nil && ctx.Err() == nil {
			c.log.Error("read the messages to be sent", "error", err)
			soonest = time.Second
		}
		heads := map[string][]store.Message{}
		var order []string
		for _, m := range waiting {
			if heads[m.Thread] == nil {
				order = append(order, m.Thread)
			}
			heads[m.Thread] = append(heads[m.Thread], m)
		}
		now := time.Now()
		for _, thread := range order {
			first := heads[thread][0]
			if busy[thread] || ctx.Err() != nil {
				continue
			}
			if wait := first.Due.Sub(now); wait > 0 {
				soonest = min(soonest, wait)
				continue
			}
			busy[thread] = true
			c.delivering.Go(func() {
				c.deliver(context.WithoutCancel(ctx), heads[thread])
				done <- thread
			})
		}
		timer.Reset(soonest)
		select {
		case <-ctx.Done():
			for len(busy) > 0 {
				delete(busy, <-done)
			}
			c.delivering.Wait()
			return
		case thread := <-done:
			delete(busy, thread)
		case <-c.store.Woken():
		case <-timer.C:
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
	var with []int64
	err := c.store.Trying(ctx, first.ID)
	if err == nil {
		with, err = c.send(ctx, waiting)
	}
	if err == nil {
		return
	}
	log := c.log.With("request", first.Request, "message", first.ID, "kind", first.Kind)
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		err = c.store.Later(ctx, first.ID, time.Now().Add(limited.RetryAfter))
	} else if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok && slices.Contains(hopeless, answer.Err) {
		// Not the channel's fault but the message's: it would stop all behind it.
		log.Error("Slack refuses a message for good", "error", answer.Err, "details", answer.ResponseMetadata.Messages)
		for _, m := range with {
			if err = c.store.Dead(ctx, m, answer.Err); err != nil {
				break
			}
		}
	} else if personal := slices.Contains([]string{store.Private, store.Pointer, store.Direct}, first.Kind); personal && first.Tries >= enough {
		log.Error("somebody can't be told; giving up", "error", redactURL(err))
		err = c.store.Dead(ctx, first.ID, redactURL(err))
	} else {
		wait := min(30*time.Second, 250*time.Millisecond<<min(first.Tries, 10))
		log.Warn("deliver a message; trying again", "error", redactURL(err), "in", wait)
		err = c.store.Later(ctx, first.ID, time.Now().Add(wait))
	}
	if err != nil {
		log.Error("record the fate of a message", "error", err)
	}
}

// enough is how often somebody is tried to be told privately: for a quarter of an hour.
const enough = 36

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
		return c.store.Sent(ctx, time.Now(), first.Thread, place, post, with...)
	}
	if r.Asker.Front != "slack" {
		return with, sent("", store.Post{})
	}
	switch first.Kind {
	case store.Card:
		// It shows the request as it is now, so it stands for all that wait.
		for _, m := range waiting[1:] {
			if m.Kind == store.Card {
				with = append(with, m.ID)
			}
		}
		return with, c.cards(ctx, first, r, sent)
	case store.Private:
		if err := c.private(ctx, first, r, escape(first.Body.Text)); err != nil {
			return with, err
		}
		return with, sent("", store.Post{})
	case store.Pointer:
		return with, c.point(ctx, first, r, sent)
	case store.Direct:
		direct, _, _, err := c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{r.Asker.User}})
		if err != nil {
			return with, err
		}
		if _, err := c.post(ctx, first, store.Post{Channel: direct.ID}, drawDirect(c.operationOf(r).Command, r, c.where(ctx, r.Card))); err != nil {
			return with, err
		}
		return with, sent("", store.Post{})
	}
	// All others stand in a card's thread: decisions where the operation is
	// asked for, log and result in the log channel.
	card, posted, err := c.store.Posted(ctx, r.Card, store.CardPlace)
	if logged, ok, e := c.store.Posted(ctx, r.Card, store.LogPlace); e == nil && ok && slices.Contains([]string{store.Log, store.LogFile, store.Result}, first.Kind) {
		card, posted = logged, true
	}
	if err != nil {
		return with, err
	}
	if !posted {
		return with, fmt.Errorf("the card of request %s isn't posted", r.ID)
	}
	switch first.Kind {
	case store.Plan:
		return with, c.postLong(ctx, first, card, drawPlan(r), sent)
	case store.Result:
		return with, c.postLong(ctx, first, card, drawResult(r), sent)
	case store.Note:
		return with, c.postLong(ctx, first, card, drawNote(first.Body.Text), sent)
	case store.Ask:
		return with, c.ask(ctx, first, r, card, sent)
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
		return c.sendLog(ctx, waiting, r, card)
	}
	return with, fmt.Errorf("a message of the unknown kind %q", first.Kind)
}

// sendLog posts the lines of the first message and of those behind it that fit.
func (c *Chat) sendLog(ctx context.Context, waiting []store.Message, r store.Request, card store.Post) ([]int64, error) {
	first := waiting[0]
	with, last := []int64{first.ID}, first
	for _, m := range waiting[1:] {
		if m.Kind == store.Card {
			continue
		}
		if m.Kind != store.Log || m.Request != r.ID || m.Body.To-first.Body.From >= batch {
			break
		}
		with, last = append(with, m.ID), m
	}
	lines, err := c.store.Lines(ctx, r.ID, first.Body.From, last.Body.To)
	if err != nil {
		return with, err
	}
	if shown := visible(lines); len(shown) > 0 {
		p, err := c.post(ctx, span(first, last), card, drawLog(shown))
		if err != nil {
			return with, err
		}
		// An earlier try whose answer was lost may have had fewer lines.
		with = with[:0]
		for _, m := range waiting {
			if m.Kind == store.Log && m.Request == r.ID && m.Body.To <= p.to {
				with = append(with, m.ID)
			}
		}
	}
	return with, c.store.Sent(ctx, time.Now(), first.Thread, "", card, with...)
}

// cards makes the card, or brings it up to date: where the operation is asked
// for, and in the log channel where that is another.
func (c *Chat) cards(ctx context.Context, m store.Message, r store.Request, sent func(string, store.Post) error) error {
	all, err := c.store.OnCard(ctx, r.Card)
	if err != nil {
		return err
	}
	// Who was turned away at the door has no card.
	shown := slices.DeleteFunc(all, func(r store.Request) bool { return r.AdmittedAt.IsZero() })
	if len(shown) == 0 {
		return sent("", store.Post{})
	}
	drawn := drawCard(c.operationOf(r), shown)
	err = c.placeCards(ctx, m, r, drawn)
	if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok && slices.Contains(hopeless, answer.Err) {
		// Without a card nothing could be told at all.
		c.log.Error("Slack refuses a card; making a plain one", "request", r.ID, "error", answer.Err, "details", answer.ResponseMetadata.Messages)
		err = c.placeCards(ctx, m, r, drawNote(drawn.text))
	}
	if err != nil {
		return err
	}
	return sent("", store.Post{})
}

// placeCards puts a drawing where the cards of a request belong.
func (c *Chat) placeCards(ctx context.Context, m store.Message, r store.Request, drawn drawing) error {
	places := map[string]string{store.CardPlace: c.channelOf(r.Operation)}
	if c.channelOf(r.Operation) != c.channel {
		places[store.LogPlace] = c.channel
	}
	for _, place := range []string{store.CardPlace, store.LogPlace} {
		channel, wanted := places[place]
		if !wanted {
			continue
		}
		at, posted, err := c.store.Posted(ctx, r.Card, place)
		if err != nil {
			return err
		}
		found := posted
		if !posted {
			keyed := m
			keyed.Body.Other = place
			var p posting
			if p, err = c.post(ctx, keyed, store.Post{Channel: channel}, drawn); err != nil {
				return err
			}
			if err := c.store.Sent(ctx, time.Now(), r.Card, place, p.Post); err != nil {
				return err
			}
			at, found = p.Post, p.found
		}
		// One that stands already, also by a try whose answer was lost, is behind the times.
		if found {
			if err := c.update(ctx, at, drawn); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask makes or brings up to date who must decide. The buttons of an earlier
// plan go.
func (c *Chat) ask(ctx context.Context, m store.Message, r store.Request, card store.Post, sent func(string, store.Post) error) error {
	if r.Plan == nil {
		return sent("", card)
	}
	prefix := store.AskPlace + r.ID + "/"
	place := prefix + r.Digest()
	places, err := c.store.Places(ctx, r.Card, prefix)
	if err != nil {
		return err
	}
	for name, at := range places {
		if name != place {
			if err := c.update(ctx, at, drawNote("This plan was replaced by a newer one, below.")); err != nil {
				return err
			}
		}
	}
	label := ""
	if o, ok := c.desk.Operation(r.Operation); ok {
		label = o.UndoLabel
	}
	at, posted := places[place]
	if !posted {
		p, err := c.post(ctx, m, card, drawAsk(r, label))
		if err != nil {
			return err
		}
		at, posted = p.Post, p.found
	}
	if posted {
		if err := c.update(ctx, at, drawAsk(r, label)); err != nil {
			return err
		}
	}
	return sent(place, at)
}

// where is the address of a card; empty while it isn't posted.
func (c *Chat) where(ctx context.Context, card string) string {
	at, posted, err := c.store.Posted(ctx, card, store.CardPlace)
	if err != nil || !posted {
		return ""
	}
	return c.link(at)
}

// point tells the asker where a card is, unless they are looking at it.
func (c *Chat) point(ctx context.Context, m store.Message, r store.Request, sent func(string, store.Post) error) error {
	there := m.Body.Other == r.ID && r.Asker.Channel == c.channelOf(r.Operation)
	other, err := c.store.Request(ctx, m.Body.Other)
	if err != nil {
		return err
	}
	card, posted, err := c.store.Posted(ctx, other.Card, store.CardPlace)
	switch {
	case err != nil:
		return err
	case there:
		return sent("", store.Post{})
	case !posted && other.Asker.Front != "slack":
		// It was asked for elsewhere, so there is nothing to point to.
		if err := c.private(ctx, m, r, escape(m.Body.Text)); err != nil {
			return err
		}
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
	if err := c.private(ctx, m, r, text); err != nil {
		return err
	}
	return sent("", store.Post{})
}

// postLong posts a drawing in a thread, and what doesn't fit in it as a file.
func (c *Chat) postLong(ctx context.Context, m store.Message, thread store.Post, d drawing, sent func(string, store.Post) error) error {
	if _, err := c.post(ctx, m, thread, d); err != nil {
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
	if err := c.paces.wait(ctx, at.Channel, false); err != nil {
		return posting{}, err
	}
	options := []slack.MsgOption{
		slack.MsgOptionText(cut(d.text, sectionLimit), false), slack.MsgOptionBlocks(d.blocks...), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(),
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"message": key, "to": m.Body.To}}),
	}
	if at.TS != "" {
		options = append(options, slack.MsgOptionTS(at.TS))
	}
	channel, ts, err := c.api.PostMessageContext(ctx, at.Channel, options...)
	return posting{Post: store.Post{Channel: channel, TS: ts}, to: m.Body.To}, c.paces.heed(at.Channel, err)
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
	_, _, _, err := c.api.UpdateMessageContext(ctx, at.Channel, at.TS, slack.MsgOptionText(cut(d.text, sectionLimit), false), slack.MsgOptionBlocks(d.blocks...))
	return c.paces.heed(at.Channel, err)
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
	_, err := c.api.UploadFileContext(ctx, slack.UploadFileParameters{
		Content: f.text, FileSize: len(f.text), Filename: f.name, Title: f.title, Channel: thread.Channel, ThreadTimestamp: thread.TS,
	})
	return c.paces.heed(thread.Channel, err)
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
