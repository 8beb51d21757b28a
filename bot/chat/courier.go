package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// attempt is how long one delivery may take, turns waited for included.
const attempt = 90 * time.Second

// deliver sends the first of a thread's waiting messages, and those behind it
// that can go with it. It tells whether it could.
func (c *Chat) deliver(ctx context.Context, waiting []request.Message) bool {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	first := waiting[0]
	var with []int64
	err := c.store.Trying(ctx, first)
	if err == nil {
		with, err = c.send(ctx, waiting)
		c.trusted(err)
	}
	if err == nil {
		c.desk.Meter.Message(first.Kind, "sent")
		return true
	}
	if errors.Is(err, store.ErrLost) {
		return false // another process is at it
	}
	// What became of it is recorded also when the time for sending is over.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), noteWithin)
	defer cancel()
	outcome, err := c.undelivered(ctx, first, with, err)
	c.desk.Meter.Message(first.Kind, outcome)
	if err != nil {
		c.log.Error("record the fate of a message", "request", first.Request, "message", first.ID, "error", err)
	}
	return false
}

// undelivered has a message that couldn't be sent tried again, or gives it up, with
// those that go with it. It returns what that is called.
func (c *Chat) undelivered(ctx context.Context, m request.Message, with []int64, why error) (outcome string, err error) {
	log := c.log.With("request", m.Request, "message", m.ID, "kind", m.Kind)
	personal := slices.Contains([]string{request.Private, request.Pointer, request.Direct, request.Letter}, m.Kind)
	limited, isLimited := errors.AsType[*slack.RateLimitedError](why)
	if !personal {
		c.overdue(ctx, m, why)
	}
	refused := refuses(why) && unwilling(why, m.Tries)
	switch {
	case isLimited:
		return "limited", c.store.Later(ctx, m.ID, time.Now().Add(limited.RetryAfter))
	case refused && c.needed(ctx, m):
		wait := min(5*time.Minute, 2*time.Second<<min(m.Tries, 10))
		log.Error("Slack refuses what people need in any form; trying again", "error", redactURL(why), "in", wait)
		c.alarm(ctx, m, why)
		if m.Kind == request.Plan && m.Tries >= triesOfPlan && !strings.HasPrefix(m.Thread, aside) {
			return "retried", c.setAside(ctx, m, why)
		}
		return "retried", c.store.Later(ctx, m.ID, time.Now().Add(wait))
	case refused, personal && m.Tries >= enough:
		log.Error("a message can't be delivered in any form; giving up", "error", redactURL(why))
		for _, id := range with {
			if err := c.store.Dead(ctx, id, redactURL(why)); err != nil {
				return "undeliverable", err
			}
		}
		return "undeliverable", nil
	}
	wait := min(30*time.Second, 250*time.Millisecond<<min(m.Tries, 10))
	log.Warn("deliver a message; trying again", "error", redactURL(why), "in", wait)
	return "retried", c.store.Later(ctx, m.ID, time.Now().Add(wait))
}

// triesOfPlan is how often a plan that Slack takes in no form holds up its thread: for
// about two minutes.
const triesOfPlan = 6

// aside begins the threads of what is still tried, but holds up nothing.
const aside = "aside/"

// setAside has a plan that Slack takes in no form tried on beside its thread, which goes
// on: without buttons, until the plan is shown.
func (c *Chat) setAside(ctx context.Context, m request.Message, why error) error {
	r, err := c.store.Request(ctx, m.Request)
	if err != nil {
		return err
	}
	err = c.store.TellOnce(ctx, fmt.Sprintf("%s%d", aside, m.ID), request.Change{
		Events:   []request.Event{{At: time.Now().UTC(), Request: m.Request, Kind: unshown, Data: map[string]any{"digest": r.Digest(), "reason": wordsOf(why)}}},
		Messages: []request.Message{{Thread: aside + m.Request, Request: m.Request, Kind: m.Kind, Due: time.Now().Add(asideFor)}},
	})
	if err != nil && !errors.Is(err, store.ErrTaken) {
		return err
	}
	return c.store.Dead(ctx, m.ID, redactURL(why))
}

// unshown is the kind of the event that a plan couldn't be shown.
const unshown = "unshown"

// asideFor is when what was set aside is tried again.
const asideFor = 2 * time.Minute

// toldWithin is how long a message may be on its way before the requester is told why.
const toldWithin = 2 * time.Minute

// overdue tells the requester by themselves, once a day, why what they wait for can't be
// shown.
func (c *Chat) overdue(ctx context.Context, m request.Message, why error) {
	what, ok := map[string]string{
		request.Card: "card", request.Plan: "plan", request.Ask: "decision", request.Log: "log", request.LogFile: "log", request.Result: "result", request.Note: "news",
	}[m.Kind]
	left := time.Duration(0)
	if limited, ok := errors.AsType[*slack.RateLimitedError](why); ok {
		left = limited.RetryAfter
	}
	if !ok || m.Request == "" || m.Tries < 2 && left == 0 || time.Since(m.At)+left < time.Duration(c.toldWithin.Load()) {
		return
	}
	r, err := c.store.Request(ctx, m.Request)
	if err != nil || r.Asker.Front != "slack" || r.Asker.User == "" {
		return
	}
	where := c.channelOf(r.Operation)
	if slices.Contains([]string{request.Log, request.LogFile, request.Result}, m.Kind) {
		where = c.channel
	}
	text := fmt.Sprintf("I can't show the %s of `%s`%s in %s: %s. I go on trying. Type `/rootbot requests` to see where it stands.",
		what, c.operationOf(r).Command, unescape(target(r)), c.channelLabel(where), wordsOf(why))
	err = c.store.TellOnce(ctx, fmt.Sprintf("overdue/%s/%s", r.ID, time.Now().UTC().Format(time.DateOnly)), request.Change{
		Messages: []request.Message{{Request: r.ID, Kind: request.Letter, Body: request.Body{Text: text, For: &r.Asker}}},
	})
	if err != nil && !errors.Is(err, store.ErrTaken) {
		c.log.Error("tell who asked that a message can't be shown", "request", r.ID, "error", err)
	}
}

// needed tells whether what follows must wait for a message: a plan that people
// are to decide about comes before the buttons for that, and a card before its thread.
func (c *Chat) needed(ctx context.Context, m request.Message) bool {
	if m.Kind == request.Card {
		return true
	}
	if m.Kind != request.Plan {
		return false
	}
	r, err := c.store.Request(ctx, m.Request)
	return err != nil || r.State == request.Waiting
}

// alarm tells the members by themselves that something can't be shown to them.
func (c *Chat) alarm(ctx context.Context, m request.Message, why error) {
	r, err := c.store.Request(ctx, m.Request)
	if err != nil {
		return
	}
	text := fmt.Sprintf("I can't show the %s of `%s`%s, which %s asked for: Slack refuses it (%s). I go on trying. It can't be decided before it is shown.",
		m.Kind, c.operationOf(r).Command, unescape(target(r)), r.By, codeOf(why))
	if err := c.desk.Alarm(ctx, r.ID, fmt.Sprintf("refused/%d", m.ID), text); err != nil {
		c.log.Error("tell the members that Slack refuses a message", "request", r.ID, "error", err)
	}
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
type receipt func(place string, at store.Post, events ...request.Event) error

// enough is how often somebody is tried to be told privately: for a quarter of an hour.
const enough = 36

// send sends the first message and returns the IDs that go with it.
func (c *Chat) send(ctx context.Context, waiting []request.Message) ([]int64, error) {
	first := waiting[0]
	with := []int64{first.ID}
	var r request.Request
	var err error
	if first.Request != "" {
		if r, err = c.store.Request(ctx, first.Request); err != nil {
			return with, err
		}
	}
	if first.Kind == request.Plan && r.Plan != nil {
		// The receipt is for the plan that is drawn: the newest, under its own digest.
		r.Shown, first.Body.Other = "", r.Plan.Digest()
	}
	sent := func(place string, post store.Post, events ...request.Event) error {
		then := c.desk.Then(first, r)
		if strings.HasPrefix(first.Thread, aside) && first.Kind == request.Plan {
			then = append(then, request.Message{Thread: r.Card, Request: r.ID, Kind: request.Ask}) // now it can be decided
		}
		return c.delivered(ctx, store.Delivery{
			Messages: with, Thread: first.Thread, Place: place, Post: post, Events: append(c.desk.Receipt(first, r, post), events...), Then: then,
		})
	}
	switch {
	case first.Request == "", slices.Contains([]string{request.Letter, request.Announce, request.Anchor}, first.Kind):
		return with, c.notice(ctx, first, sent)
	case slices.Contains([]string{request.Glass, request.GlassDue, request.Restore}, first.Kind):
		return with, c.loud(ctx, first, r, sent)
	case r.Asker.Front != "slack" && c.store.Shared() && time.Since(first.At) < terminals:
		return with, c.store.Later(ctx, first.ID, first.At.Add(terminals)) // its terminal prints it
	case r.Asker.Front != "slack":
		return with, c.delivered(ctx, store.Delivery{Messages: with})
	}
	switch first.Kind {
	case request.Card:
		// It shows the request as it is now, so it stands for all that wait.
		for _, m := range waiting[1:] {
			if m.Kind == request.Card {
				with = append(with, m.ID)
			}
		}
		return with, c.cards(ctx, first, r, sent)
	case request.Private:
		at, err := c.private(ctx, first, r, escape(first.Body.Text))
		if err != nil {
			return with, err
		}
		return with, sent("", at)
	case request.Pointer:
		if first.Body.Other == r.ID && r.Asker.Channel == c.channelOf(r.Operation) {
			// Who is looking at the card is told nothing, and nothing is recorded as told.
			return with, c.delivered(ctx, store.Delivery{Messages: with})
		}
		return with, c.point(ctx, first, r, sent)
	case request.Direct:
		direct, err := c.direct(ctx, r.Asker.User)
		if err != nil {
			return with, err
		}
		p, err := c.tell(ctx, first, direct, drawDirect(c.operationOf(r).Command, r, first.Body.Text, c.where(ctx, r.Card)))
		if err != nil {
			return with, err
		}
		return with, sent("", p.Post)
	}
	return c.inThread(ctx, waiting, first, r, sent)
}

// inThread sends a message that stands in a card's thread. Where that is gone, it begins
// anew. It returns the IDs of the messages that went with it.
func (c *Chat) inThread(ctx context.Context, waiting []request.Message, first request.Message, r request.Request, sent receipt) ([]int64, error) {
	with := []int64{first.ID}
	place, card, err := c.threadOf(ctx, first, r)
	if err != nil {
		return with, err
	}
	if with, err = c.reply(ctx, waiting, first, r, card, sent); !isGone(err) {
		return with, err
	}
	anew, err := c.cardAnew(ctx, first, r, place, card)
	if err != nil {
		return with, err
	}
	if with, err = c.reply(ctx, waiting, first, r, anew, sent); isGone(err) {
		// No thread takes it: it stands beside them.
		return c.reply(ctx, waiting, first, r, store.Post{Channel: place.channel}, sent)
	}
	return with, err
}

// reply sends a message that stands in a card's thread, and returns the IDs of the
// messages that go with it.
func (c *Chat) reply(ctx context.Context, waiting []request.Message, first request.Message, r request.Request, card store.Post, sent receipt) ([]int64, error) {
	with := []int64{first.ID}
	var d drawing
	switch first.Kind {
	case request.Log:
		return c.sendLog(ctx, waiting, r, card)
	case request.LogFile:
		lines, err := c.store.Lines(ctx, r.ID, 1, 0)
		if err == nil && hasFile(lines) {
			err = c.attach(ctx, first, card, drawing{file: drawLogFile(r, lines)})
		}
		if err != nil {
			return with, err
		}
		return with, sent("", card)
	case request.Ask:
		return with, c.ask(ctx, first, r, card, sent)
	case request.Result:
		return with, c.result(ctx, first, r, card, sent)
	case request.Plan:
		if r.Plan == nil {
			return with, c.delivered(ctx, store.Delivery{Messages: with})
		}
		d = drawPlan(r)
	case request.Note:
		call := ""
		if first.Body.Mention {
			call = calling(people(r)...)
		}
		if d = drawNote(first.Body.Text, call); d.file.name != "" {
			d.file.name = fmt.Sprintf("note-%d.txt", first.ID)
		}
	default:
		return with, fmt.Errorf("a message of the unknown kind %q", first.Kind)
	}
	p, err := c.tell(ctx, first, card, d)
	if err == nil {
		err = sent("", p.Post)
	}
	return with, err
}

// point tells the asker where a card is.
func (c *Chat) point(ctx context.Context, m request.Message, r request.Request, sent receipt) error {
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
