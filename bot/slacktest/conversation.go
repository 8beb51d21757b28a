package slacktest

import (
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Channel is a public or private channel.
// See https://docs.slack.dev/reference/objects/conversation-object/.
type Channel struct {
	ID       string // "" gets one
	Name     string // without the #
	Private  bool
	Archived bool
	Members  []string // user IDs; the bot is a member only when it is named
}

// channel is a Channel or, with a partner, the bot's direct messages with
// somebody.
type channel struct {
	Channel
	partner  string
	messages []*Message // replies among them, oldest first
}

func (c *channel) member(user string) bool { return slices.Contains(c.Members, user) }

func (c *channel) find(ts string) *Message {
	i := slices.IndexFunc(c.messages, func(m *Message) bool { return m.TS == ts })
	if i < 0 {
		return nil
	}
	return c.messages[i]
}

func (c *channel) replies(ts string) []*Message {
	var all []*Message
	for _, m := range c.messages {
		if m.ThreadTS == ts && m.TS != ts {
			all = append(all, m)
		}
	}
	return all
}

// AddChannel adds c, or changes the channel that has its ID, and returns it with
// what was left out filled in.
func (w *Workspace) AddChannel(c Channel) Channel {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.ID == "" {
		c.ID = w.id("C")
	}
	c.Name = strings.TrimPrefix(c.Name, "#")
	if c.Name == "" {
		c.Name = strings.ToLower(c.ID)
	}
	c.Members = slices.Clone(c.Members)
	if old := w.channel(c.ID); old != nil {
		old.Channel = c
	} else {
		w.channels = append(w.channels, &channel{Channel: c})
	}
	w.changedLocked()
	return c
}

// Channels lists the channels in the order they came, without direct messages.
func (w *Workspace) Channels() []Channel {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Channel
	for _, c := range w.channels {
		if c.partner == "" {
			one := c.Channel
			one.Members = slices.Clone(c.Members)
			all = append(all, one)
		}
	}
	return all
}

// Invite makes users members of a channel. It does nothing for those who are,
// nor in a channel that is not there.
func (w *Workspace) Invite(channelID string, userIDs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.channel(channelID)
	for _, id := range userIDs {
		if c != nil && !c.member(id) {
			c.Members = append(c.Members, id)
		}
	}
	w.changedLocked()
}

// Kick takes users out of a channel.
func (w *Workspace) Kick(channelID string, userIDs ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.channel(channelID); c != nil {
		c.Members = slices.DeleteFunc(c.Members, func(id string) bool { return slices.Contains(userIDs, id) })
	}
	w.changedLocked()
}

// Archive closes a channel, or opens it again: an archived one takes no message.
func (w *Workspace) Archive(channelID string, archived bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.channel(channelID); c != nil {
		c.Archived = archived
	}
	w.changedLocked()
}

// Rename gives a channel another name. Its ID stays.
func (w *Workspace) Rename(channelID, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.channel(channelID); c != nil {
		c.Name = name
	}
	w.changedLocked()
}

func (w *Workspace) channel(id string) *channel {
	i := slices.IndexFunc(w.channels, func(c *channel) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return w.channels[i]
}

// direct finds or opens the direct messages between the bot and a user.
func (w *Workspace) direct(user string) (c *channel, opened bool) {
	for _, c := range w.channels {
		if c.partner == user {
			return c, false
		}
	}
	c = &channel{Channel: Channel{ID: w.id("D"), Private: true, Members: []string{w.BotUserID, user}}, partner: user}
	w.channels = append(w.channels, c)
	w.changedLocked()
	return c, true
}

// visible is the channel of that ID if the bot may know of it.
func (w *Workspace) visible(id string) (*channel, error) {
	c := w.channel(id)
	if c == nil || c.Private && !c.member(w.BotUserID) {
		return nil, apiError("channel_not_found")
	}
	return c, nil
}

// readable is the channel of that ID if the bot may read what is said there.
func (w *Workspace) readable(id string) (*channel, error) {
	c, err := w.visible(id)
	if err == nil && !c.member(w.BotUserID) {
		return nil, apiError("not_in_channel")
	}
	return c, err
}

// writable is the channel of that ID, or of that name, or with that user, if the
// bot may post there.
func (w *Workspace) writable(id string) (*channel, error) {
	if u := w.user(id); u != nil {
		if u.Deleted || id == w.BotUserID {
			return nil, apiError("channel_not_found")
		}
		c, _ := w.direct(id)
		return c, nil
	}
	for _, c := range w.channels {
		if c.Name != "" && c.Name == strings.TrimPrefix(id, "#") {
			id = c.ID
		}
	}
	c, err := w.visible(id)
	switch {
	case err != nil:
		return nil, err
	case c.Archived:
		return nil, apiError("is_archived")
	case !c.member(w.BotUserID) && !w.hasScope("chat:write.public"):
		return nil, apiError("not_in_channel")
	}
	return c, nil
}

func (w *Workspace) channelObject(c *channel) object {
	o := object{
		"id": c.ID, "created": 1700000000, "is_archived": c.Archived, "is_private": c.Private, "is_mpim": false,
		"is_im": c.partner != "", "is_channel": c.partner == "", "is_group": false, "is_shared": false,
		"is_ext_shared": false, "is_org_shared": false, "is_pending_ext_shared": false, "context_team_id": w.TeamID,
	}
	if c.partner != "" {
		o["user"], o["is_open"], o["is_channel"] = c.partner, true, false
		return o
	}
	o["name"], o["name_normalized"], o["creator"] = c.Name, c.Name, "U0CREATOR"
	o["is_general"], o["is_member"], o["num_members"] = false, c.member(w.BotUserID), len(c.Members)
	o["topic"] = object{"value": "", "creator": "", "last_set": 0}
	o["purpose"] = o["topic"]
	return o
}

// conversationsList does not filter by what type's scope the token has.
func (w *Workspace) conversationsList(c *call) (any, error) {
	if w.opts.OrgWide > 0 && c.arg("team_id") != w.TeamID {
		return nil, apiError("missing_argument")
	}
	limit, err := c.limit(100, 999)
	if err != nil {
		return nil, err
	}
	types := []string{"public_channel"}
	if c.arg("types") != "" {
		types = strings.Split(c.arg("types"), ",")
	}
	for i, t := range types {
		types[i] = strings.TrimSpace(t)
		if !slices.Contains([]string{"public_channel", "private_channel", "im", "mpim"}, types[i]) {
			return nil, apiError("invalid_types")
		}
	}
	var all []any
	for _, ch := range w.channels {
		kind := "public_channel"
		switch {
		case ch.partner != "":
			kind = "im"
		case ch.Private:
			kind = "private_channel"
		}
		hidden := ch.Private && !ch.member(w.BotUserID) || ch.Archived && c.flag("exclude_archived")
		if slices.Contains(types, kind) && !hidden {
			all = append(all, w.channelObject(ch))
		}
	}
	page, next, err := paged(all, c.arg("cursor"), limit)
	if err != nil {
		return nil, err
	}
	return object{"channels": page, "response_metadata": object{"next_cursor": next}}, nil
}

func (w *Workspace) conversationsInfo(c *call) (any, error) {
	ch, err := w.visible(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	o := w.channelObject(ch)
	if !c.flag("include_num_members") {
		delete(o, "num_members")
	}
	return object{"channel": o}, nil
}

func (w *Workspace) conversationsMembers(c *call) (any, error) {
	limit, err := c.limit(100, 1000)
	if err != nil {
		return nil, err
	}
	ch, err := w.visible(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	var all []any
	for _, id := range ch.Members {
		all = append(all, id)
	}
	page, next, err := paged(all, c.arg("cursor"), limit)
	if err != nil {
		return nil, err
	}
	return object{"members": page, "response_metadata": object{"next_cursor": next}}, nil
}

func (w *Workspace) conversationsJoin(c *call) (any, error) {
	ch, err := w.visible(c.arg("channel"))
	switch {
	case err != nil:
		return nil, err
	case ch.Private:
		return nil, apiError("method_not_supported_for_channel_type")
	case ch.Archived:
		return nil, apiError("is_archived")
	case ch.member(w.BotUserID):
		return object{
			"channel": w.channelObject(ch), "warning": "already_in_channel",
			"response_metadata": object{"warnings": []string{"already_in_channel"}},
		}, nil
	}
	ch.Members = append(ch.Members, w.BotUserID)
	w.changedLocked()
	return object{"channel": w.channelObject(ch)}, nil
}

// conversationsOpen opens direct messages with one person; with several of them
// is not supported.
func (w *Workspace) conversationsOpen(c *call) (any, error) {
	if id := c.arg("channel"); id != "" {
		ch, err := w.visible(id)
		if err != nil || ch.partner == "" {
			return nil, apiError("channel_not_found")
		}
		return object{"channel": w.channelObject(ch), "no_op": true, "already_open": true}, nil
	}
	users := strings.Split(c.arg("users"), ",")
	if users[0] == "" || len(users) > 1 {
		return nil, apiError("invalid_arguments")
	}
	u := w.user(users[0])
	switch {
	case u == nil:
		return nil, apiError("user_not_found")
	case u.Deleted:
		return nil, apiError("user_disabled")
	case u.ID == w.BotUserID:
		return nil, apiError("cannot_dm_bot")
	}
	ch, opened := w.direct(u.ID)
	if !c.flag("return_im") {
		return object{"no_op": !opened, "already_open": !opened, "channel": object{"id": ch.ID}}, nil
	}
	return object{"no_op": !opened, "already_open": !opened, "channel": w.channelObject(ch)}, nil
}

// paged cuts the page that cursor names out of all. next is "" on the last page.
func paged(all []any, cursor string, limit int) (page []any, next string, err error) {
	from := 0
	if cursor != "" {
		raw, err := base64.StdEncoding.DecodeString(cursor)
		n, ok := strings.CutPrefix(string(raw), "next:")
		from, err = cursorAt(n, ok && err == nil)
		if err != nil || from > len(all) {
			return nil, "", apiError("invalid_cursor")
		}
	}
	to := min(from+limit, len(all))
	if to < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte("next:" + strconv.Itoa(to)))
	}
	return append([]any{}, all[from:to]...), next, nil
}

func cursorAt(n string, ok bool) (int, error) {
	if !ok {
		return 0, errors.New("not a cursor")
	}
	return strconv.Atoi(n)
}

// conversationsHistory gives what is at the top level of a channel, newest first.
// See https://docs.slack.dev/reference/methods/conversations.history/.
func (w *Workspace) conversationsHistory(c *call) (any, error) {
	ch, err := w.readable(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	var all []*Message
	for _, m := range ch.messages {
		if m.ThreadTS == "" || m.ThreadTS == m.TS || m.Broadcast {
			all = append(all, m)
		}
	}
	slices.Reverse(all)
	return w.history(c, ch, all)
}

// conversationsReplies gives a thread with its parent, oldest first.
// See https://docs.slack.dev/reference/methods/conversations.replies/.
func (w *Workspace) conversationsReplies(c *call) (any, error) {
	ch, err := w.readable(c.arg("channel"))
	if err != nil {
		return nil, err
	}
	parent := ch.find(c.arg("ts"))
	if parent == nil {
		return nil, apiError("thread_not_found")
	}
	if parent.ThreadTS != "" && parent.ThreadTS != parent.TS {
		return w.history(c, ch, []*Message{parent})
	}
	return w.history(c, ch, append([]*Message{parent}, ch.replies(parent.TS)...))
}

func (w *Workspace) history(c *call, ch *channel, all []*Message) (any, error) {
	limit, err := c.limit(100, 999)
	if err != nil {
		return nil, err
	}
	oldest, latest, inclusive := c.arg("oldest"), c.arg("latest"), c.flag("inclusive")
	var within []any
	for _, m := range all {
		after := oldest == "" || later(m.TS, oldest) || inclusive && m.TS == oldest
		before := latest == "" || later(latest, m.TS) || inclusive && m.TS == latest
		if after && before || c.method == "conversations.replies" && m == all[0] {
			within = append(within, w.messageObject(ch, m, c.flag("include_all_metadata")))
		}
	}
	page, next, err := paged(within, c.arg("cursor"), limit)
	if err != nil {
		return nil, err
	}
	return object{
		"messages": page, "has_more": next != "", "pin_count": 0,
		"response_metadata": object{"next_cursor": next},
	}, nil
}

// later reports whether timestamp a is after b; what is no number counts as 0.
func later(a, b string) bool {
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	return x > y
}
