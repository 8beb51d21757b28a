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

// attempt is how long one delivery may take, turns waited for included.
const attempt = 90 * time.Second

// deliver sends the first of a thread's waiting messages, and those behind it
// that can go with it. It tells whether it could.
func (c *Chat) deliver(ctx context.Context, waiting []store.Message) bool {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	first := waiting[0]
	var with []int64
	err := c.store.Trying(ctx, first)
	if err == nil {
		with, err = c.send(ctx, waiting)
	}
	if err == nil {
		c.desk.Meter.Message(first.Kind, "sent")
		return true
	}
	if errors.Is(err, store.ErrLost) {
		return false // another process is at it
	}
	log := c.log.With("request", first.Request, "message", first.ID, "kind", first.Kind)
	// What became of it is recorded also when the time for sending is over.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), noteWithin)
	defer cancel()
	outcome := "retried"
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		outcome = "limited"
		err = c.store.Later(ctx, first.ID, time.Now().Add(limited.RetryAfter))
	} else if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok && slices.Contains(hopeless, answer.Err) {
		// Not the channel's fault but the message's: it would stop all behind it.
		outcome = "undeliverable"
		log.Error("Slack refuses a message for good", "error", answer.Err, "details", answer.ResponseMetadata.Messages)
		for _, m := range with {
			if err = c.store.Dead(ctx, m, answer.Err); err != nil {
				break
			}
		}
	} else if personal := slices.Contains([]string{store.Private, store.Pointer, store.Direct, store.Letter}, first.Kind); personal && first.Tries >= enough {
		outcome = "undeliverable"
		log.Error("somebody can't be told; giving up", "error", redactURL(err))
		err = c.store.Dead(ctx, first.ID, redactURL(err))
	} else {
		wait := min(30*time.Second, 250*time.Millisecond<<min(first.Tries, 10))
		log.Warn("deliver a message; trying again", "error", redactURL(err), "in", wait)
		err = c.store.Later(ctx, first.ID, time.Now().Add(wait))
	}
	c.desk.Meter.Message(first.Kind, outcome)
	if err != nil {
		log.Error("record the fate of a message", "error", err)
	}
	return false
}

// delivered records that messages were delivered: also where the time for sending
// is over, or they would be sent again.
func (c *Chat) delivered(ctx context.Context, d store.Delivery) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWithin)
	defer cancel()
	return c.store.Sent(ctx, time.Now(), d)
}

// noteWithin is how long the database may take to learn what became of a message.
const noteWithin = 10 * time.Second

// receipt records that a message was delivered, and where it stands.
type receipt func(place string, at store.Post, events ...store.Event) error

// enough is how often somebody is tried to be told privately: for a quarter of an hour.
const enough = 36

// hopeless are answers that the same message will always get.
var hopeless = []string{"invalid_blocks", "invalid_blocks_format", "msg_too_long", "no_text", "cant_update_message", "message_not_found", "edit_window_closed"}

// send sends the first message and returns the IDs that go with it.
func (c *Chat) send(ctx context.Context, waiting []store.Message) ([]int64, error) {
	first := waiting[0]
	with := []int64{first.ID}
	var r store.Request
	var err error
	if first.Request != "" {
		if r, err = c.store.Request(ctx, first.Request); err != nil {
			return with, err
		}
	}
	sent := func(place string, post store.Post, events ...store.Event) error {
		return c.delivered(ctx, store.Delivery{
			Messages: with, Thread: first.Thread, Place: place, Post: post, Events: append(c.desk.Receipt(first, r, post), events...),
		})
	}
	switch {
	case first.Request == "":
		return with, c.notice(ctx, first, sent)
	case r.Asker.Front != "slack" && c.store.Shared() && time.Since(first.At) < terminals:
		return with, c.store.Later(ctx, first.ID, first.At.Add(terminals)) // its terminal prints it
	case r.Asker.Front != "slack":
		return with, c.delivered(ctx, store.Delivery{Messages: with})
	}
	switch first.Kind {
	case store.Glass:
		return with, c.glass(ctx, first, r, sent)
	case store.Card:
		// It shows the request as it is now, so it stands for all that wait.
		for _, m := range waiting[1:] {
			if m.Kind == store.Card {
				with = append(with, m.ID)
			}
		}
		return with, c.cards(ctx, first, r, sent)
	case store.Private:
		at, err := c.private(ctx, first, r, escape(first.Body.Text))
		if err != nil {
			return with, err
		}
		return with, sent("", at)
	case store.Pointer:
		if first.Body.Other == r.ID && r.Asker.Channel == c.channelOf(r.Operation) {
			// Who is looking at the card is told nothing, and nothing is recorded as told.
			return with, c.delivered(ctx, store.Delivery{Messages: with})
		}
		return with, c.point(ctx, first, r, sent)
	case store.Direct:
		direct, _, _, err := c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{r.Asker.User}})
		if err != nil {
			return with, err
		}
		p, err := c.post(ctx, first, store.Post{Channel: direct.ID}, drawDirect(c.operationOf(r).Command, r, c.where(ctx, r.Card)))
		if err != nil {
			return with, err
		}
		return with, sent("", p.Post)
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
	return with, c.delivered(ctx, store.Delivery{Messages: with})
}

// cards makes the card, or brings it up to date: where the operation is asked
// for, and in the log channel where that is another.
func (c *Chat) cards(ctx context.Context, m store.Message, r store.Request, sent receipt) error {
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
	head, err := c.anchor(ctx, shown)
	if err != nil {
		return err
	}
	if head.Seq > 0 {
		drawn.anchor = head.String()
		drawn.blocks = append(drawn.blocks, small("Audit `"+drawn.anchor+"`"))
	}
	logged, err := c.placeCards(ctx, m, r, drawn)
	if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok && slices.Contains(hopeless, answer.Err) {
		// Without a card nothing could be told at all.
		c.log.Error("Slack refuses a card; making a plain one", "request", r.ID, "error", answer.Err, "details", answer.ResponseMetadata.Messages)
		logged, err = c.placeCards(ctx, m, r, drawNote(drawn.text))
		head = store.Head{}
	}
	if err != nil {
		return err
	}
	if head.Seq > 0 {
		return sent("", store.Post{}, anchored(head, logged))
	}
	return sent("", store.Post{})
}

// placeCards puts a drawing where the cards of a request belong, and returns
// where the one in the log channel stands.
func (c *Chat) placeCards(ctx context.Context, m store.Message, r store.Request, drawn drawing) (logged store.Post, err error) {
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
			return logged, err
		}
		found := posted
		if !posted {
			keyed := m
			keyed.Body.Other = place
			var p posting
			if p, err = c.post(ctx, keyed, store.Post{Channel: channel}, drawn); err != nil {
				return logged, err
			}
			if err := c.delivered(ctx, store.Delivery{Thread: r.Card, Place: place, Post: p.Post}); err != nil {
				return logged, err
			}
			at, found = p.Post, p.found
		}
		// One that stands already, also by a try whose answer was lost, is behind the times.
		if found {
			if err := c.update(ctx, at, drawn); err != nil {
				return logged, err
			}
		}
		if channel == c.channel {
			logged = at
		}
	}
	return logged, nil
}

// ask makes or brings up to date who must decide. The buttons of an earlier
// plan go.
func (c *Chat) ask(ctx context.Context, m store.Message, r store.Request, card store.Post, sent receipt) error {
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
			if err := c.retire(ctx, at, drawNote("This plan was replaced by a newer one, below.")); err != nil {
				return err
			}
		}
	}
	label := ""
	if o, ok := c.desk.Operation(r.Operation); ok {
		label = o.UndoLabel
	}
	alone := len(c.desk.BreakGlass) > 0
	at, posted := places[place]
	if !posted {
		p, err := c.post(ctx, m, card, drawAsk(r, label, alone))
		if err != nil {
			return err
		}
		at, posted = p.Post, p.found
	}
	if posted {
		if err := c.update(ctx, at, drawAsk(r, label, alone)); err != nil {
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

// point tells the asker where a card is.
func (c *Chat) point(ctx context.Context, m store.Message, r store.Request, sent receipt) error {
	other, err := c.store.Request(ctx, m.Body.Other)
	if err != nil {
		return err
	}
	card, posted, err := c.store.Posted(ctx, other.Card, store.CardPlace)
	switch {
	case err != nil:
		return err
	case !posted && other.Asker.Front != "slack":
		// It was asked for elsewhere, so there is nothing to point to.
		at, err := c.private(ctx, m, r, escape(m.Body.Text))
		if err != nil {
			return err
		}
		return sent("", at)
	case !posted:
		return fmt.Errorf("the card of request %s isn't posted yet", m.Body.Other)
	}
	text := escape(m.Body.Text)
	if m.Body.Other == r.ID {
		text = fmt.Sprintf("I'm on it: follow <%s|the thread> in <#%s>.", c.link(card), card.Channel)
	} else {
		text += fmt.Sprintf(" <%s|Here it is>, in <#%s>.", c.link(card), card.Channel)
	}
	at, err := c.private(ctx, m, r, text)
	if err != nil {
		return err
	}
	return sent("", at)
}

// postLong posts a drawing in a thread, and what doesn't fit in it as a file.
func (c *Chat) postLong(ctx context.Context, m store.Message, thread store.Post, d drawing, sent receipt) error {
	p, err := c.post(ctx, m, thread, d)
	if err != nil {
		return err
	}
	if d.file.name != "" {
		if err := c.upload(ctx, m, thread, d.file); err != nil {
			return err
		}
	}
	return sent("", p.Post)
}
