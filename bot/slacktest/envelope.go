package slacktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of whoever sends an envelope and waits for the app to acknowledge it.
// People see them as "dispatch_failed" and "operation_timeout".
var (
	ErrNoConnection = errors.New("dispatch_failed: the app has no Socket Mode connection")
	ErrNoAck        = errors.New("operation_timeout: the app did not acknowledge in time")
	ErrBadAck       = errors.New("dispatch_failed: the app's answer makes no sense")
	ErrClosed       = errors.New("the workspace was closed")
)

// Ack is how the app took an envelope.
type Ack struct {
	EnvelopeID string
	Payload    json.RawMessage // nil when there was none
	After      time.Duration   // between the envelope and the ack
	Late       bool            // there was none in time
	Over       *Connection     // which the envelope was handed to

	Message *Message          // what the payload of a command's ack showed
	Errors  map[string]string // the errors of a form, by block_id
	Options []Option          // the answer to Suggest
}

// delivery is one sending of an envelope, kept to the end: the ack may be late,
// and the envelope may be sent again.
type delivery struct {
	id      string
	kind    string
	payload any
	attempt int       // 0 for the first
	at      time.Time // when Slack wrote it: what waits for its turn in Slack isn't the app's to answer yet
	acked   bool
	late    bool
	take    func(*Ack) error // what the ack's payload does; under the lock
	waiting chan result
}

type result struct {
	ack Ack
	err error
}

// Send sends an envelope of any type and waits for its ack. type is one of
// "slash_commands", "interactive" and "events_api"; the payload is what JSON
// makes of it. The ack's payload does nothing.
func (w *Workspace) Send(ctx context.Context, envelopeType string, payload any) (Ack, error) {
	return w.deliver(ctx, &delivery{kind: envelopeType, payload: payload})
}

// Resend sends an envelope once more, with its old ID. Slack does that with
// events that were not acknowledged, and never with commands and clicks.
func (w *Workspace) Resend(ctx context.Context, envelopeID string) (Ack, error) {
	w.mu.Lock()
	before := w.deliveries[envelopeID]
	w.mu.Unlock()
	if len(before) == 0 {
		return Ack{}, fmt.Errorf("send %s again: there was no such envelope", envelopeID)
	}
	d := before[0]
	return w.deliver(ctx, &delivery{id: d.id, kind: d.kind, payload: d.payload, take: d.take, attempt: len(before)})
}

// Event sends an events_api envelope around an inner event, which names its type
// in "type". See https://docs.slack.dev/apis/events-api/.
func (w *Workspace) Event(ctx context.Context, inner map[string]any) (Ack, error) {
	w.mu.Lock()
	payload := object{
		"token": verification, "team_id": w.TeamID, "context_team_id": w.TeamID, "context_enterprise_id": nil,
		"api_app_id": w.AppID, "event": inner, "type": "event_callback", "event_id": w.id("Ev"),
		"event_time": w.opts.Now().Unix(), "is_ext_shared_channel": false,
		"authorizations": []object{{"enterprise_id": nil, "team_id": w.TeamID, "user_id": w.BotUserID, "is_bot": true, "is_enterprise_install": false}},
	}
	if w.opts.onGrid() {
		payload["context_enterprise_id"], payload["enterprise_id"] = GridID, GridID
	}
	w.mu.Unlock()
	return w.Send(ctx, "events_api", payload)
}

// OpenHome lets a user look at the app's Home tab: app_home_opened.
func (w *Workspace) OpenHome(ctx context.Context, userID string) (Ack, error) {
	w.mu.Lock()
	if _, err := w.actor(userID); err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	ch, _ := w.direct(userID)
	inner := object{"type": "app_home_opened", "user": userID, "channel": ch.ID, "tab": "home", "event_ts": w.ts()}
	if v := w.homes[userID]; v != nil {
		inner["view"] = w.viewObject(v)
	}
	w.mu.Unlock()
	return w.Event(ctx, inner)
}

// deliver hands d to exactly one connection, in turn, and waits.
func (w *Workspace) deliver(ctx context.Context, d *delivery) (Ack, error) {
	w.mu.Lock()
	if d.id == "" {
		d.id = fmt.Sprintf("00000000-0000-4000-8000-%s", w.id("")[1:])
	}
	c := w.next()
	if c == nil {
		w.mu.Unlock()
		return Ack{}, ErrNoConnection
	}
	envelope := object{
		"envelope_id": d.id, "type": d.kind, "payload": d.payload,
		"accepts_response_payload": d.kind != "events_api",
	}
	if d.kind == "events_api" {
		envelope["retry_attempt"], envelope["retry_reason"] = 0, ""
		if d.attempt > 0 {
			envelope["retry_attempt"], envelope["retry_reason"] = d.attempt, "timeout"
		}
	}
	d.waiting = make(chan result, 1)
	w.deliveries[d.id] = append(w.deliveries[d.id], d)
	w.mu.Unlock()
	c.hand(d, envelope)

	timer := time.NewTimer(w.opts.AckTimeout)
	defer timer.Stop()
	select {
	case r := <-d.waiting:
		r.ack.Over = c
		return r.ack, r.err
	case <-timer.C:
	case <-ctx.Done():
		return Ack{EnvelopeID: d.id, Over: c}, fmt.Errorf("wait for the ack of %s: %w", d.kind, context.Cause(ctx))
	case <-w.closing:
		return Ack{EnvelopeID: d.id, Over: c}, ErrClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case r := <-d.waiting:
		r.ack.Over = c
		return r.ack, r.err
	default:
	}
	d.late = true
	w.changedLocked()
	return Ack{EnvelopeID: d.id, After: time.Since(d.at), Late: true, Over: c}, ErrNoAck
}

// next is the connection whose turn it is.
func (w *Workspace) next() *Connection {
	var open []*Connection
	for _, c := range w.connections {
		if c.open() {
			open = append(open, c)
		}
	}
	if len(open) == 0 {
		return nil
	}
	w.turn++
	return open[w.turn%len(open)]
}

// acked takes what the app wrote, over whichever connection.
func (w *Workspace) acked(body []byte) {
	var ack struct {
		EnvelopeID string          `json:"envelope_id"`
		Payload    json.RawMessage `json:"payload"`
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.changedLocked()
	if err := json.Unmarshal(body, &ack); err != nil || ack.EnvelopeID == "" {
		w.problemLocked("message over Socket Mode that is no ack: %.80s", body)
		return
	}
	sent := w.deliveries[ack.EnvelopeID]
	if sent == nil {
		w.problemLocked("ack of an envelope that was not sent: %s", ack.EnvelopeID)
		return
	}
	i := slices.IndexFunc(sent, func(d *delivery) bool { return !d.acked })
	if i < 0 {
		w.problemLocked("ack of %s came more often than the envelope", sent[0].kind)
		return
	}
	d := sent[i]
	after := time.Since(d.at)
	switch {
	case len(body) >= maxAck:
		w.problemLocked("ack of %s is %d bytes, and dropped: Slack takes less than %d", d.kind, len(body), maxAck)
		return
	case d.late || after > w.opts.AckTimeout:
		d.acked = true
		w.problemLocked("ack of %s came after %s, too late", d.kind, after.Round(time.Millisecond))
		return
	}
	d.acked = true
	r := result{ack: Ack{EnvelopeID: d.id, After: after}}
	if payload := string(ack.Payload); payload != "" && payload != "null" {
		r.ack.Payload = ack.Payload
		if d.kind == "events_api" {
			w.problemLocked("ack of an event with a payload, which Slack ignores")
		}
	}
	if d.take != nil {
		if r.err = d.take(&r.ack); r.err != nil {
			w.problemLocked("ack of %s: %v", d.kind, r.err)
		}
	}
	d.waiting <- r
}
