package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/ops"
)

// envelope is what Slack hands over and wants acknowledged within 3 s.
type envelope struct {
	conn    *connection
	id      string
	kind    string // "slash_commands", "interactive", "events_api"
	payload json.RawMessage
	came    time.Time
}

// origin stands for a trigger where Slack gave none: the same envelope is the same
// thing that somebody did.
func (e envelope) origin() string { return "envelope/" + e.id }

// How much is taken at once. An envelope that has waited for so long that storing it
// might come too late is answered by that the bot is busy, and so is one that finds
// the queue full: nobody is left without an answer.
const (
	handlers = 32
	queued   = 2000
)

var tooBusy = unable("The bot has more to do just now than it can take.", "Try again in a minute.")

// intake is what has come and isn't taken yet.
type intake struct {
	queue    chan envelope
	next     chan envelope // the oldest, for the handler that is free first
	handling sync.WaitGroup

	mu    sync.Mutex
	ended bool
}

func newIntake() intake {
	return intake{queue: make(chan envelope, queued), next: make(chan envelope)}
}

// begin starts those who handle what comes.
func (c *Chat) begin() {
	c.intake.handling.Go(c.dispatch)
	c.intake.handling.Go(c.recordStorms)
	for range handlers {
		c.intake.handling.Go(func() {
			for e := range c.intake.next {
				c.handle(e)
			}
		})
	}
}

// dispatch gives envelopes to the handlers. One that none of them takes in time is
// excused in time, also while all of them wait for something slow.
func (c *Chat) dispatch() {
	defer close(c.intake.next)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for e := range c.intake.queue {
		left := time.Until(e.came.Add(waitWithin))
		if left <= 0 {
			c.excuse(e)
			continue
		}
		timer.Reset(left)
		select {
		case c.intake.next <- e:
		case <-timer.C:
			c.excuse(e)
		}
	}
}

// end has what was taken handled to its end. What comes later isn't acknowledged.
func (c *Chat) end() {
	c.intake.mu.Lock()
	c.intake.ended = true
	close(c.intake.queue)
	c.intake.mu.Unlock()
	close(c.storms.over)
	c.intake.handling.Wait()
}

// take puts what came into the queue.
func (c *Chat) take(e envelope) {
	switch taken, ended := c.intake.put(e); {
	case ended:
		e.conn.pending.Add(-1)
	case !taken:
		c.excuse(e)
	}
}

func (i *intake) put(e envelope) (taken, ended bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ended {
		return false, true
	}
	select {
	case i.queue <- e:
		return true, false
	default:
		return false, false
	}
}

type fateKey struct{}

// fated notes what became of the envelope that ctx is about, where that is
// anything but being done.
func fated(ctx context.Context, fate string) {
	if noted, ok := ctx.Value(fateKey{}).(*atomic.Value); ok {
		noted.Store(fate) // perhaps after the ack, by an answer that takes its time
	}
}

// handle does what an envelope asks for and acknowledges it.
func (c *Chat) handle(e envelope) {
	var fate atomic.Value
	fate.Store("done")
	ctx, cancel := context.WithDeadline(context.WithValue(context.Background(), fateKey{}, &fate), e.came.Add(answerBy))
	defer cancel()
	answer, known := c.answer(ctx, e)
	if !known {
		e.conn.pending.Add(-1)
		c.desk.Meter.Envelope(e.kind, "unknown")
		return
	}
	c.acknowledge(e, answer)
	c.desk.Meter.Envelope(e.kind, fate.Load().(string))
}

// answer is the ack's payload; known tells whether the envelope is of a kind that
// the bot knows.
func (c *Chat) answer(ctx context.Context, e envelope) (answer any, known bool) {
	var typed slack.SlashCommand
	var did slack.InteractionCallback
	defer func() {
		if p := recover(); p != nil {
			said := unable("Internal error.", "Try again, and tell who runs the bot if it goes on.")
			c.log.Error("panic in a handler", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			c.desk.Meter.Panicked()
			fated(ctx, "panic")
			answer, known = ephemeral(said), true
			// The ack of a click shows nothing.
			if e.kind == socketmode.RequestTypeInteractive {
				answer = nil
				if did.ResponseURL != "" {
					c.later(ctx, answerTo(did), func(context.Context) string { return said })
				}
			}
		}
	}()
	var err error
	switch e.kind {
	case socketmode.RequestTypeSlashCommands:
		if typed, err = c.typedIn(e.payload); err == nil {
			typed.TriggerID = cmp.Or(typed.TriggerID, e.origin())
			if _, too := c.stormed(ctx, c.typist(typed), "", cut(typed.Command, 100), perPerson); too {
				return ephemeral(tooOften), true
			}
			return c.command(ctx, typed), true
		}
	case socketmode.RequestTypeInteractive:
		if did, err = c.decoded(e.payload); err == nil {
			did.TriggerID = cmp.Or(did.TriggerID, e.origin())
			what, most := "", perPerson
			if did.Type == slack.InteractionTypeBlockSuggestion {
				what, most = "search ", perSearch
			}
			if first, too := c.stormed(ctx, c.presser(did, did.Channel.ID), what, string(did.Type), most); too {
				return c.sorry(did, tooOften, first), true
			}
			return c.interaction(ctx, did), true
		}
	case socketmode.RequestTypeEventsAPI:
		return nil, true
	}
	c.log.Error("Slack sent what the bot doesn't understand", "type", cut(e.kind, 100), "error", err)
	return nil, false
}

// typedIn reads a command. A field of another type than slack-go has for it is forgiven
// where those that the bot goes by are as they should be: a text that couldn't be read
// would be none, which is another command.
func (c *Chat) typedIn(payload []byte) (typed slack.SlashCommand, err error) {
	if err = json.Unmarshal(payload, &typed); err == nil {
		return typed, nil
	}
	var needed struct {
		Team    string `json:"team_id"`
		Grid    string `json:"enterprise_id"`
		User    string `json:"user_id"`
		Channel string `json:"channel_id"`
		Command string `json:"command"`
		Text    string `json:"text"`
		Trigger string `json:"trigger_id"`
	}
	if json.Unmarshal(payload, &needed) != nil || needed.Command == "" || needed.User == "" {
		return typed, err
	}
	c.log.Warn("Slack sent a field of another type than the bot knows", "error", err)
	return typed, nil
}

// decoded reads what a person did. A field of another type than slack-go has for it is
// forgiven where the needed fields are there: encoding/json reads the rest.
func (c *Chat) decoded(payload []byte) (did slack.InteractionCallback, err error) {
	err = json.Unmarshal(payload, &did)
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return did, err
	}
	var kind struct{ Type slack.InteractionType } // which slack-go sets last
	if json.Unmarshal(payload, &kind) != nil || kind.Type == "" || did.User.ID == "" {
		return did, err
	}
	c.log.Warn("Slack sent a field of another type than the bot knows", "field", wrong.Field, "type", wrong.Value)
	did.Type = kind.Type
	return did, nil
}

// excuse tells whoever did something that the bot is busy, without touching
// anything that may be slow. An event isn't acknowledged: Slack sends it again.
func (c *Chat) excuse(e envelope) {
	c.desk.Meter.Envelope(e.kind, "busy")
	switch e.kind {
	case socketmode.RequestTypeSlashCommands:
		c.acknowledge(e, ephemeral(tooBusy))
	case socketmode.RequestTypeInteractive:
		did, err := c.decoded(e.payload)
		if err != nil {
			c.acknowledge(e, nil)
			return
		}
		c.acknowledge(e, c.sorry(did, tooBusy, true))
	default:
		e.conn.pending.Add(-1)
	}
}

// sorry is the ack's payload for a click or a form that the bot doesn't look at: it
// says why. The ack of a click shows nothing, so its sender reads it in private, if
// tell says so.
func (c *Chat) sorry(did slack.InteractionCallback, said string, tell bool) any {
	switch did.Type {
	case slack.InteractionTypeViewSubmission:
		if there := slices.Sorted(maps.Keys(typed(did))); len(there) > 0 {
			return slack.NewErrorsViewSubmissionResponse(map[string]string{cut(there[0], 100): said})
		}
	case slack.InteractionTypeBlockSuggestion:
		return choices([]ops.Option{{Text: said}})
	}
	if did.ResponseURL != "" && tell {
		c.later(context.Background(), answerTo(did), func(context.Context) string { return said })
	}
	return nil
}

// acknowledge tells Slack that an envelope arrived. Where its own connection is
// gone, another one does: that is better than none.
func (c *Chat) acknowledge(e envelope, answer any) {
	defer e.conn.pending.Add(-1)
	body, err := json.Marshal(socketmode.Response{EnvelopeID: e.id, Payload: answer})
	for said, ok := answer.(ackText); ok && err == nil && len(body) >= mostAcked && len(said.Text) > 0; {
		// Cut, so that what is left is read.
		said.Text = cutEscaped(said.Text, utf8.RuneCountInString(said.Text)*3/4)
		body, err = json.Marshal(socketmode.Response{EnvelopeID: e.id, Payload: said})
	}
	if err == nil && len(body) >= mostAcked {
		c.log.Error("an ack is too long for Slack, so it goes without its answer", "type", e.kind, "bytes", len(body))
		body, err = json.Marshal(socketmode.Response{EnvelopeID: e.id})
	}
	if err == nil {
		err = e.conn.ack(body)
	}
	for _, other := range c.sockets.others(e.conn) {
		if err == nil {
			break
		}
		err = other.ack(body)
	}
	if err != nil {
		c.log.Error("acknowledge", "type", e.kind, "error", err)
		return
	}
	c.desk.Meter.Acked(e.kind, time.Since(e.came))
}

// ackText is an ack's payload that only the person who typed the command sees.
type ackText struct {
	Type string `json:"response_type"`
	Text string `json:"text"`
}

func ephemeral(text string) any { return ackText{slack.ResponseTypeEphemeral, text} }
