package slacktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxText is how long a message's text may be.
// See https://docs.slack.dev/changelog/2018-truncating-really-long-messages.
const maxText = 40000

// content is what a message says, checked.
type content struct {
	text        string
	blocks      json.RawMessage // nil when there are none
	attachments json.RawMessage
	metadata    json.RawMessage
	hasBlocks   bool // blocks were given, be it an empty list
	hasMetadata bool
}

func (c content) empty() bool { return c.text == "" && c.blocks == nil && c.attachments == nil }

// content reads text, blocks, attachments and metadata out of a call.
func (w *Workspace) content(c *call) (content, error) {
	var said content
	said.text = c.arg("text")
	if utf8.RuneCountInString(said.text) > maxText {
		return said, apiError("msg_too_long")
	}
	if raw := c.arg("blocks"); raw != "" {
		blocks, err := w.checkBlocks(raw, message)
		if err != nil {
			return said, err
		}
		said.blocks, said.hasBlocks = blocks, true
	}
	if raw := c.arg("attachments"); raw != "" && raw != "[]" {
		var list []object
		if json.Unmarshal([]byte(raw), &list) != nil {
			return said, apiError("invalid_attachments")
		}
		said.attachments = json.RawMessage(raw)
	}
	if raw := c.arg("metadata"); raw != "" {
		said.hasMetadata = true
		if raw == "{}" {
			return said, nil
		}
		var meta struct {
			EventType    string  `json:"event_type"`
			EventPayload *object `json:"event_payload"`
		}
		switch {
		case json.Unmarshal([]byte(raw), &meta) != nil:
			return said, apiError("invalid_metadata_format")
		case meta.EventType == "" || meta.EventPayload == nil:
			return said, apiError("invalid_metadata_schema")
		}
		said.metadata = json.RawMessage(raw)
	}
	return said, nil
}

// chatPostMessage: see https://docs.slack.dev/reference/methods/chat.postMessage/.
func (w *Workspace) chatPostMessage(c *call) (any, error) {
	ch, err := w.writable(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	said, err := w.content(c)
	if err != nil {
		return nil, err
	}
	if said.empty() {
		return nil, apiError("no_text")
	}
	thread := c.arg("thread_ts")
	if thread != "" {
		parent := ch.find(thread)
		if parent == nil {
			return nil, apiError("thread_not_found")
		}
		if parent.ThreadTS != "" && parent.ThreadTS != thread {
			w.problemLocked("chat.postMessage: thread_ts %s is a reply's; use its parent's", thread)
			thread = parent.ThreadTS
		}
	}
	m := w.say(ch, w.BotUserID, thread, said)
	m.Broadcast = thread != "" && c.flag("reply_broadcast")
	w.tell(Event{Kind: Posted, Message: m.snapshot()})
	return object{"channel": ch.ID, "ts": m.TS, "message": w.messageObject(ch, m, true)}, nil
}

// say adds a message to a channel and tells nobody yet.
func (w *Workspace) say(ch *channel, user, thread string, said content) *Message {
	m := &Message{
		TS: w.ts(), ThreadTS: thread, Channel: ch.ID, User: user,
		Text: said.text, Blocks: said.blocks, Attachments: said.attachments, Metadata: said.metadata,
	}
	ch.messages = append(ch.messages, m)
	return m
}

// chatUpdate changes a message. Blocks and metadata that are not mentioned stay.
// See https://docs.slack.dev/reference/methods/chat.update/.
func (w *Workspace) chatUpdate(c *call) (any, error) {
	ch, err := w.visible(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	m := ch.find(c.arg("ts"))
	switch {
	case m == nil || m.Tombstone:
		return nil, apiError("message_not_found")
	case ch.Archived:
		return nil, apiError("is_archived")
	case m.User != w.BotUserID:
		return nil, apiError("cant_update_message")
	}
	said, err := w.content(c)
	if err != nil {
		return nil, err
	}
	if said.empty() && !said.hasBlocks {
		return nil, apiError("no_text")
	}
	w.edit(m, said, c.has("text"))
	w.tell(Event{Kind: Edited, Message: m.snapshot()})
	return object{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": w.messageObject(ch, m, true)}, nil
}

func (w *Workspace) edit(m *Message, said content, hasText bool) {
	if hasText {
		m.Text = said.text
	}
	if said.hasBlocks {
		m.Blocks = said.blocks
	}
	if said.attachments != nil {
		m.Attachments = said.attachments
	}
	if said.hasMetadata {
		m.Metadata = said.metadata
	}
	m.Edited++
	m.editedTS = w.ts()
}

// chatDelete removes a message; one that has replies leaves a tombstone.
func (w *Workspace) chatDelete(c *call) (any, error) {
	ch, err := w.visible(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	m := ch.find(c.arg("ts"))
	switch {
	case m == nil || m.Tombstone:
		return nil, apiError("message_not_found")
	case m.User != w.BotUserID:
		return nil, apiError("cant_delete_message")
	}
	w.remove(ch, m)
	return object{"channel": ch.ID, "ts": m.TS}, nil
}

func (w *Workspace) remove(ch *channel, m *Message) {
	before := m.snapshot()
	if len(ch.replies(m.TS)) > 0 {
		*m = Message{TS: m.TS, ThreadTS: m.ThreadTS, Channel: m.Channel, User: m.User, Text: "This message was deleted.", Tombstone: true}
	} else {
		ch.messages = slices.DeleteFunc(ch.messages, func(o *Message) bool { return o == m })
	}
	w.tell(Event{Kind: Deleted, Message: before})
}

// chatPostEphemeral shows a message to one member of a channel.
// See https://docs.slack.dev/reference/methods/chat.postEphemeral/.
func (w *Workspace) chatPostEphemeral(c *call) (any, error) {
	ch, err := w.visible(c.arg("channel"))
	switch {
	case err != nil:
		return nil, err
	case ch.Archived:
		return nil, apiError("is_archived")
	case !ch.member(w.BotUserID):
		return nil, apiError("not_in_channel")
	}
	u := w.user(c.arg("user"))
	switch {
	case u == nil || u.Deleted:
		return nil, apiError("user_not_found")
	case !ch.member(u.ID):
		return nil, apiError("user_not_in_channel")
	}
	said, err := w.content(c)
	if err != nil {
		return nil, err
	}
	if said.empty() {
		return nil, apiError("no_text")
	}
	thread := c.arg("thread_ts")
	if thread != "" && ch.find(thread) == nil {
		return nil, apiError("thread_not_found")
	}
	return object{"message_ts": w.whisper(ch, u.ID, thread, said).TS}, nil
}

// whisper shows a message to one person.
func (w *Workspace) whisper(ch *channel, user, thread string, said content) *Message {
	m := &Message{
		TS: w.ts(), ThreadTS: thread, Channel: ch.ID, User: w.BotUserID, VisibleTo: user,
		Text: said.text, Blocks: said.blocks, Attachments: said.attachments,
	}
	w.ephemerals = append(w.ephemerals, m)
	w.tell(Event{Kind: Ephemeral, Message: m.snapshot(), UserID: user})
	return m
}

func (w *Workspace) chatGetPermalink(c *call) (any, error) {
	ch, err := w.visible(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	m := ch.find(c.arg("message_ts"))
	if m == nil {
		return nil, apiError("message_not_found")
	}
	return object{"channel": ch.ID, "permalink": permalink(m)}, nil
}

func permalink(m *Message) string {
	link := fmt.Sprintf("%sarchives/%s/p%s", teamURL, m.Channel, strings.ReplaceAll(m.TS, ".", ""))
	if m.ThreadTS != "" && m.ThreadTS != m.TS {
		link += fmt.Sprintf("?thread_ts=%s&cid=%s", m.ThreadTS, m.Channel)
	}
	return link
}

// reactionsAdd: see https://docs.slack.dev/reference/methods/reactions.add/.
func (w *Workspace) reactionsAdd(c *call) (any, error) {
	ch, err := w.readable(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	m := ch.find(c.arg("timestamp"))
	name := strings.Trim(c.arg("name"), ":")
	switch {
	case m == nil:
		return nil, apiError("message_not_found")
	case name == "":
		return nil, apiError("invalid_name")
	}
	i := slices.IndexFunc(m.Reactions, func(r Reaction) bool { return r.Name == name })
	if i < 0 {
		m.Reactions = append(m.Reactions, Reaction{Name: name})
		i = len(m.Reactions) - 1
	}
	if slices.Contains(m.Reactions[i].Users, w.BotUserID) {
		return nil, apiError("already_reacted")
	}
	m.Reactions[i].Users = append(m.Reactions[i].Users, w.BotUserID)
	w.tell(Event{Kind: Edited, Message: m.snapshot()})
	return object{}, nil
}
