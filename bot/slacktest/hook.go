package slacktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

// hook is a response_url: five answers to one interaction, within half an hour.
// See https://docs.slack.dev/interactivity/handling-user-interaction/#message_responses.
type hook struct {
	url     string
	at      time.Time
	uses    int
	user    string
	channel *channel
	origin  *Message // what replace_original and delete_original mean; nil for nothing yet
}

const (
	hookUses = 5
	hookLife = 30 * time.Minute
)

// hook makes a response_url; kind is "commands" or "actions".
func (w *Workspace) hook(kind, user string, ch *channel, origin *Message) *hook {
	key := w.id("hook")
	h := &hook{at: w.opts.Now(), user: user, channel: ch, origin: origin}
	h.url = fmt.Sprintf("%s/%s/%s/%s", w.base(), kind, w.TeamID, key)
	w.hooks[key] = h
	return h
}

func (w *Workspace) serveHook(rw http.ResponseWriter, r *http.Request) {
	answered, after := w.faulty(rw, r, "response_url")
	if answered {
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return
	}
	status, code := w.useHook(r.PathValue("key"), body)
	if after() {
		return
	}
	if code != "" {
		writeJSON(rw, status, object{"ok": false, "error": code})
		return
	}
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(rw, "ok")
}

func (w *Workspace) useHook(key string, body []byte) (status int, code string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hooks[key]
	switch {
	case h == nil:
		w.problemLocked("response_url that was not given out")
		return http.StatusNotFound, "invalid_url"
	case w.opts.Now().Sub(h.at) > hookLife:
		w.problemLocked("response_url used after 30 minutes")
		return http.StatusNotFound, "expired_url"
	case h.uses >= hookUses:
		w.problemLocked("response_url used more than 5 times")
		return http.StatusNotFound, "used_url"
	}
	if _, err := w.respond(h, body, false); err != nil {
		w.problemLocked("response_url: %s", explain(err))
		return http.StatusBadRequest, err.Error()
	}
	h.uses++
	return 0, ""
}

// respond carries out an answer to an interaction: the payload of a command's
// ack, which may be empty, or what was sent to a response_url. m is what there
// is to see now, or nil.
func (w *Workspace) respond(h *hook, body []byte, ack bool) (m *Message, err error) {
	var answer struct {
		Text            string          `json:"text"`
		Blocks          json.RawMessage `json:"blocks"`
		Attachments     json.RawMessage `json:"attachments"`
		ResponseType    string          `json:"response_type"`
		ThreadTS        string          `json:"thread_ts"`
		ReplaceOriginal bool            `json:"replace_original"`
		DeleteOriginal  bool            `json:"delete_original"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return nil, apiError("invalid_payload")
	}
	said := content{text: answer.Text, attachments: present(answer.Attachments)}
	if raw := present(answer.Blocks); raw != nil {
		if said.blocks, err = w.checkBlocks(string(raw), message); err != nil {
			return nil, err
		}
		said.hasBlocks = true
	}
	switch {
	case answer.DeleteOriginal:
		w.erase(h.origin)
		h.origin = nil
		return nil, nil
	case said.empty() && ack:
		return nil, nil
	case said.empty():
		return nil, apiError("no_text")
	case utf8.RuneCountInString(said.text) > maxText:
		return nil, apiError("msg_too_long")
	case answer.ReplaceOriginal && h.origin != nil:
		said.hasBlocks = true
		w.edit(h.origin, said, true)
		kind := Edited
		if h.origin.VisibleTo != "" {
			kind = Ephemeral
		}
		w.tell(Event{Kind: kind, Message: h.origin.snapshot(), UserID: h.origin.VisibleTo})
		return h.origin, nil
	case answer.ThreadTS != "" && h.channel.find(answer.ThreadTS) == nil:
		return nil, apiError("thread_not_found")
	}
	switch answer.ResponseType {
	case "in_channel":
		m = w.say(h.channel, w.BotUserID, answer.ThreadTS, said)
		w.tell(Event{Kind: Posted, Message: m.snapshot()})
	case "", "ephemeral":
		m = w.whisper(h.channel, h.user, answer.ThreadTS, said)
	default:
		return nil, apiError("invalid_response_type")
	}
	if h.origin == nil {
		h.origin = m
	}
	return m, nil
}

// present is raw unless it says that there is nothing.
func present(raw json.RawMessage) json.RawMessage {
	if s := string(raw); s == "" || s == "null" || s == "[]" {
		return nil
	}
	return raw
}

// explain says what the error code alone does not.
func explain(err error) string {
	if e, ok := errors.AsType[*slackError](err); ok && e.messages != nil {
		return e.code + ": " + listed(e.messages)
	}
	return err.Error()
}

// badAck says why ErrBadAck.
func badAck(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadAck, fmt.Sprintf(format, args...))
}

// erase takes a message away, wherever it stands; nil is nothing.
func (w *Workspace) erase(m *Message) {
	if m == nil {
		return
	}
	if m.VisibleTo == "" {
		w.remove(w.channel(m.Channel), m)
		return
	}
	w.ephemerals = slices.DeleteFunc(w.ephemerals, func(o *Message) bool { return o == m })
	w.tell(Event{Kind: Deleted, Message: m.snapshot(), UserID: m.VisibleTo})
}
