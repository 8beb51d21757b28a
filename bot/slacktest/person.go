package slacktest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// Command types a slash command as a user does, and waits for the app to
// acknowledge it: at most three seconds, then ErrNoAck. What the ack's payload
// says is shown to the user, or to all with "response_type":"in_channel". The
// error tells too what Slack's window would not let the user do.
// See https://docs.slack.dev/interactivity/implementing-slash-commands/.
func (w *Workspace) Command(ctx context.Context, userID, channelID, command, text string) (Ack, error) {
	w.mu.Lock()
	u, ch, err := w.sees(userID, channelID)
	switch {
	case err != nil:
	case ch.Archived:
		err = refused("#%s is archived", ch.Name)
	case w.opts.Commands != nil && !slices.Contains(w.opts.Commands, command):
		err = refused("%s is not a valid command", command)
	}
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	h := w.hook("commands", u.ID, ch, nil)
	payload := object{
		"token": verification, "team_id": w.TeamID, "team_domain": teamDomain,
		"channel_id": ch.ID, "channel_name": nameInCommands(ch), "user_id": u.ID, "user_name": u.Name,
		"command": command, "text": strings.TrimSpace(text), "api_app_id": w.AppID,
		"is_enterprise_install": "false", "response_url": h.url, "trigger_id": w.trigger(u.ID),
	}
	w.commandFromGrid(u, payload)
	w.mu.Unlock()
	return w.deliver(ctx, &delivery{kind: "slash_commands", payload: payload, take: func(a *Ack) error {
		if a.Payload == nil {
			return nil
		}
		m, err := w.respond(h, a.Payload, true)
		if err != nil {
			return badAck("%s", explain(err))
		}
		if m != nil {
			shown := m.snapshot()
			a.Message = &shown
		}
		return nil
	}})
}

// nameInCommands is what Slack calls a channel in a slash command's payload.
func nameInCommands(ch *channel) string {
	switch {
	case ch.partner != "":
		return "directmessage"
	case ch.Private:
		return "privategroup"
	}
	return ch.Name
}

// sees finds a user and a channel this user can look into.
func (w *Workspace) sees(userID, channelID string) (*User, *channel, error) {
	u, err := w.actor(userID)
	if err != nil {
		return nil, nil, err
	}
	ch := w.channel(channelID)
	switch {
	case ch == nil:
		return nil, nil, refused("there is no channel %s", channelID)
	case !ch.member(userID) && (ch.Private || u.Restricted || u.Stranger):
		return nil, nil, refused("%s cannot see channel %s", u.Name, channelID)
	}
	return u, ch, nil
}

// Click clicks the button with that action_id in a message, confirming it where
// it asks, and waits for the app to acknowledge it.
// See https://docs.slack.dev/reference/interaction-payloads/block_actions-payload/.
func (w *Workspace) Click(ctx context.Context, userID, channelID, ts, actionID string) (Ack, error) {
	return w.act(ctx, userID, channelID, ts, actionID, Value{})
}

// Choose picks in a select menu, overflow menu, date picker or the like that
// stands in a message; see Click.
func (w *Workspace) Choose(ctx context.Context, userID, channelID, ts, actionID string, value Value) (Ack, error) {
	return w.act(ctx, userID, channelID, ts, actionID, value)
}

func (w *Workspace) act(ctx context.Context, userID, channelID, ts, actionID string, value Value) (Ack, error) {
	w.mu.Lock()
	payload, err := w.blockActions(userID, channelID, ts, actionID, value)
	w.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	return w.deliver(ctx, &delivery{kind: "interactive", payload: payload, take: w.ignored})
}

// ignored is what Slack makes of the payload in the ack of block_actions.
func (w *Workspace) ignored(a *Ack) error {
	if payload := string(a.Payload); payload != "" && payload != "{}" {
		w.problemLocked("ack of block_actions with a payload, which Slack ignores")
	}
	return nil
}

func (w *Workspace) blockActions(userID, channelID, ts, actionID string, value Value) (object, error) {
	u, ch, err := w.sees(userID, channelID)
	if err != nil {
		return nil, err
	}
	m := ch.find(ts)
	for _, e := range w.ephemerals {
		if e.TS == ts && e.Channel == ch.ID && e.VisibleTo == userID {
			m = e
		}
	}
	if m == nil {
		return nil, refused("%s sees no message %s in %s", u.Name, ts, ch.ID)
	}
	if m.User != w.BotUserID {
		return nil, refused("message %s is not the app's", ts)
	}
	action, err := w.action(m.Blocks, actionID, value)
	if err != nil {
		return nil, err
	}
	container := object{"type": "message", "message_ts": m.TS, "channel_id": ch.ID, "is_ephemeral": m.VisibleTo != ""}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload := w.interaction("block_actions", u)
	payload["container"] = container
	payload["channel"] = object{"id": ch.ID, "name": nameInCommands(ch)}
	payload["response_url"] = w.hook("actions", u.ID, ch, m).url
	payload["actions"] = []object{action}
	payload["state"] = object{"values": object{}}
	if m.VisibleTo == "" {
		payload["message"] = w.messageObject(ch, m, true)
	}
	return payload, nil
}

// ClickView clicks a button in a modal or Home tab a user has open.
func (w *Workspace) ClickView(ctx context.Context, userID, viewID, actionID string) (Ack, error) {
	w.mu.Lock()
	payload, err := w.viewActions(userID, viewID, actionID)
	w.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	return w.deliver(ctx, &delivery{kind: "interactive", payload: payload, take: w.ignored})
}

func (w *Workspace) viewActions(userID, viewID, actionID string) (object, error) {
	u, v, err := w.has(userID, viewID)
	if err != nil {
		return nil, err
	}
	action, err := w.action(v.Blocks, actionID, Value{})
	if err != nil {
		return nil, err
	}
	payload := w.interaction("block_actions", u)
	payload["container"] = object{"type": "view", "view_id": v.ID}
	payload["view"] = w.viewObject(v)
	payload["hash"] = v.Hash
	payload["actions"] = []object{action}
	return payload, nil
}

// has finds a user and a view this user has open.
func (w *Workspace) has(userID, viewID string) (*User, *view, error) {
	u, err := w.actor(userID)
	if err != nil {
		return nil, nil, err
	}
	v := w.view(viewID, "")
	if v == nil || v.User != userID || viewID == "" {
		return nil, nil, refused("%s has no view %s open", u.Name, viewID)
	}
	return u, v, nil
}

// interaction is what all interaction payloads have.
func (w *Workspace) interaction(kind string, u *User) object {
	payload := object{
		"type": kind, "token": verification, "api_app_id": w.AppID, "trigger_id": w.trigger(u.ID),
		"user": object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": w.userTeam(kind, u)},
		"team": object{"id": w.TeamID, "domain": teamDomain}, "enterprise": nil, "is_enterprise_install": false,
	}
	if kind == "view_submission" && w.foreign(u) {
		// See https://github.com/slackapi/bolt-js/issues/1614.
		payload["team"] = object{"id": u.TeamID, "domain": "foreign"}
		return payload
	}
	w.fromGrid(payload)
	return payload
}

// action finds an interactive element and writes down what a person did to it.
func (w *Workspace) action(blocks json.RawMessage, actionID string, value Value) (object, error) {
	all := controls(blocks)
	i := slices.IndexFunc(all, func(c control) bool { return str(c.element, "action_id") == actionID && c.kind != "input" })
	if i < 0 {
		var there []string
		for _, c := range all {
			there = append(there, str(c.element, "action_id"))
		}
		return nil, refused("there is no %q to click, only %q", actionID, there)
	}
	e := all[i].element
	action := object{"type": e["type"], "action_id": actionID, "block_id": all[i].block, "action_ts": w.ts()}
	if str(e, "type") == "button" {
		for _, name := range []string{"text", "value", "style", "url"} {
			if v, ok := e[name]; ok {
				action[name] = v
			}
		}
		return action, nil
	}
	state, err := w.state(e, value, "")
	if err != nil {
		return nil, err
	}
	for name, v := range state {
		action[name] = v
	}
	return action, nil
}
