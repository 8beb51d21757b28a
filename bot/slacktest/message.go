package slacktest

import (
	"encoding/json"
	"slices"
	"strings"
)

// Message is a message as it stands, in a channel, a thread, or before one
// person's eyes. See https://docs.slack.dev/reference/events/message/.
type Message struct {
	TS          string // its ID within the channel
	ThreadTS    string // the parent's TS for a reply; "" for others
	Channel     string // channel ID; a "D…" for direct messages
	User        string // who wrote it
	VisibleTo   string // user ID; "" for everybody: the message is not ephemeral
	Text        string // mrkdwn; only a fallback when there are Blocks
	Blocks      json.RawMessage
	Attachments json.RawMessage
	Metadata    json.RawMessage // {"event_type":…,"event_payload":…}
	Files       []File
	Reactions   []Reaction
	Edited      int  // how many times
	Broadcast   bool // a reply that is shown in the channel too
	Tombstone   bool // was deleted, but has replies

	editedTS string
}

// Reaction is an emoji under a message, by its name without colons.
type Reaction struct {
	Name  string
	Users []string
}

// Button is something to click in a message or a view.
type Button struct {
	ActionID string
	BlockID  string
	Text     string
	Value    string
	Style    string // "primary", "danger" or ""
	URL      string // opened as well as sent
	Confirm  string // what is asked before the click counts; "" for nothing
}

func (m *Message) snapshot() Message {
	c := *m
	c.Files = slices.Clone(m.Files)
	c.Reactions = make([]Reaction, len(m.Reactions))
	for i, r := range m.Reactions {
		c.Reactions[i] = Reaction{r.Name, slices.Clone(r.Users)}
	}
	return c
}

// Buttons lists what can be clicked in the message, in reading order.
func (m Message) Buttons() []Button { return buttons(m.Blocks) }

func buttons(blocks json.RawMessage) []Button {
	var all []Button
	for _, found := range controls(blocks) {
		e := found.element
		if str(e, "type") != "button" {
			continue
		}
		all = append(all, Button{
			ActionID: str(e, "action_id"), BlockID: found.block, Text: decode(str(obj(e, "text"), "text")),
			Value: str(e, "value"), Style: str(e, "style"), URL: str(e, "url"),
			Confirm: decode(str(obj(obj(e, "confirm"), "text"), "text")),
		})
	}
	return all
}

// PlainText is everything a person would read in the message: the text, or the
// blocks instead, then the names of the files. mrkdwn is left as it is, but for
// &amp;, &lt; and &gt;, which are read as the characters they stand for. A button
// reads "[ Approve ]".
func (m Message) PlainText() string {
	lines := reader{mrkdwn: decode, plain: decode}.message(&m)
	return strings.Join(texts(lines), "\n")
}

// Messages lists what is at the top level of a channel, oldest first. Replies
// are in Thread.
func (w *Workspace) Messages(channelID string) []Message {
	return w.collect(channelID, func(m *Message) bool { return m.ThreadTS == "" || m.ThreadTS == m.TS })
}

// Thread lists the replies to a message, oldest first, without the message.
func (w *Workspace) Thread(channelID, ts string) []Message {
	return w.collect(channelID, func(m *Message) bool { return m.ThreadTS == ts && m.TS != ts })
}

// Direct lists the direct messages between the bot and a user, oldest first.
func (w *Workspace) Direct(userID string) []Message {
	w.mu.Lock()
	id := ""
	for _, c := range w.channels {
		if c.partner == userID {
			id = c.ID
		}
	}
	w.mu.Unlock()
	return w.Messages(id)
}

func (w *Workspace) collect(channelID string, wanted func(*Message) bool) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Message
	if c := w.channel(channelID); c != nil {
		for _, m := range c.messages {
			if wanted(m) {
				all = append(all, m.snapshot())
			}
		}
	}
	return all
}

// Ephemerals lists the messages that only this user sees, oldest first.
func (w *Workspace) Ephemerals(userID string) []Message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Message
	for _, m := range w.ephemerals {
		if m.VisibleTo == userID {
			all = append(all, m.snapshot())
		}
	}
	return all
}

// Say posts as a person does: text in a channel, or a reply when threadTS is not
// "". Files may be attached by name and content. The app hears of it only
// through Event, if it should.
func (w *Workspace) Say(userID, channelID, threadTS, text string, files ...File) (Message, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u, err := w.actor(userID)
	if err != nil {
		return Message{}, err
	}
	ch := w.channel(channelID)
	switch {
	case ch == nil || !ch.member(u.ID):
		return Message{}, refused("%s is not in channel %s", u.Name, channelID)
	case ch.Archived:
		return Message{}, refused("#%s is archived", ch.Name)
	case threadTS != "" && ch.find(threadTS) == nil:
		return Message{}, refused("there is no message %s in #%s", threadTS, ch.Name)
	}
	m := w.say(ch, userID, threadTS, content{text: text})
	for _, f := range files {
		f.User = userID
		m.Files = append(m.Files, w.share(&file{File: f}, m))
	}
	w.tell(Event{Kind: Posted, Message: m.snapshot()})
	return m.snapshot(), nil
}

// Delete takes a message away, as an administrator or a retention rule does. One
// that has replies leaves a tombstone. It does nothing where there is no message.
func (w *Workspace) Delete(channelID, ts string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ch := w.channel(channelID)
	if ch == nil {
		return
	}
	if m := ch.find(ts); m != nil {
		w.remove(ch, m)
	}
}

func (w *Workspace) messageObject(ch *channel, m *Message, metadata bool) object {
	o := object{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text, "team": w.TeamID}
	if m.Tombstone {
		o["subtype"], o["hidden"] = "tombstone", true
	}
	if m.User == w.BotUserID {
		o["bot_id"], o["app_id"] = w.BotID, w.AppID
		o["bot_profile"] = object{
			"id": w.BotID, "app_id": w.AppID, "name": w.opts.BotName, "deleted": false, "updated": 1700000000, "team_id": w.TeamID,
		}
	}
	if m.Blocks != nil {
		o["blocks"] = m.Blocks
	}
	if m.Attachments != nil {
		o["attachments"] = m.Attachments
	}
	if m.Metadata != nil && metadata {
		o["metadata"] = m.Metadata
	}
	if m.Edited > 0 {
		o["edited"] = object{"user": m.User, "ts": m.editedTS}
	}
	if len(m.Files) > 0 {
		var files []object
		for _, f := range m.Files {
			files = append(files, w.fileObject(f))
		}
		o["files"], o["upload"] = files, false
	}
	if len(m.Reactions) > 0 {
		var reactions []object
		for _, r := range m.Reactions {
			reactions = append(reactions, object{"name": r.Name, "users": r.Users, "count": len(r.Users)})
		}
		o["reactions"] = reactions
	}
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		o["thread_ts"] = m.ThreadTS
		if parent := ch.find(m.ThreadTS); parent != nil {
			o["parent_user_id"] = parent.User
		}
		return o
	}
	if replies := ch.replies(m.TS); len(replies) > 0 {
		var users []string
		for _, r := range replies {
			if !slices.Contains(users, r.User) {
				users = append(users, r.User)
			}
		}
		o["thread_ts"], o["reply_count"], o["latest_reply"] = m.TS, len(replies), replies[len(replies)-1].TS
		o["reply_users"], o["reply_users_count"] = users, len(users)
	}
	return o
}

// control is an interactive element with the block it stands in.
type control struct {
	block   string
	kind    string // the block's type
	element object
}

// controls lists the interactive elements of blocks in reading order.
func controls(blocks json.RawMessage) []control {
	var all []control
	for _, b := range list(blocks) {
		id, kind := str(b, "block_id"), str(b, "type")
		switch kind {
		case "actions":
			for _, e := range objs(b, "elements") {
				all = append(all, control{id, kind, e})
			}
		case "section":
			if e := obj(b, "accessory"); e != nil && str(e, "type") != "image" {
				all = append(all, control{id, kind, e})
			}
		case "input":
			all = append(all, control{id, kind, obj(b, "element")})
		}
	}
	return all
}

// list, str, obj and objs read JSON without a schema: what is not there or is of
// another kind is the zero value.
func list(raw json.RawMessage) []object {
	var all []object
	_ = json.Unmarshal(raw, &all)
	return all
}

func str(o object, key string) string { s, _ := o[key].(string); return s }

func obj(o object, key string) object { v, _ := o[key].(object); return v }

func objs(o object, key string) []object {
	var all []object
	values, _ := o[key].([]any)
	for _, v := range values {
		one, _ := v.(object)
		all = append(all, one)
	}
	return all
}
