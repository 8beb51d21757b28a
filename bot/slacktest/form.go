package slacktest

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value is what a user enters into one input of a form. The field that fits the
// input counts; the zero value leaves the input as the app filled it in.
type Value struct {
	Text          string   // plain text, e-mail, URL and number inputs
	Options       []string // the values of what is chosen in menus, checkboxes and radio buttons
	Users         []string
	Channels      []string
	Conversations []string
	Date          string // 2006-01-02
	Time          string // 15:04
	DateTime      int64  // seconds since 1970
	Clear         bool   // empty what the app filled in
}

// Text is a Value for a text input.
func Text(s string) Value { return Value{Text: s} }

// Pick is a Value for a menu, checkboxes or radio buttons: the values of the
// options, not their texts.
func Pick(values ...string) Value { return Value{Options: values} }

// Option is one choice of a menu.
type Option struct {
	Text  string
	Value string

	raw object
}

// Submit enters values, by block_id, into a modal that a user has on top and
// presses its submit button. Slack's own checks (required, too long, no e-mail
// address) come back as an error, and the app never hears of them. Errors that
// the app answers with are in Ack.Errors and stay in the view; otherwise the
// modal closes, or becomes what the app answers with.
// See https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload/.
func (w *Workspace) Submit(ctx context.Context, userID, viewID string, values map[string]Value) (Ack, error) {
	w.mu.Lock()
	payload, v, err := w.viewSubmission(userID, viewID, values)
	w.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	return w.deliver(ctx, &delivery{kind: "interactive", payload: payload, take: func(a *Ack) error {
		return w.submitted(v, a)
	}})
}

func (w *Workspace) viewSubmission(userID, viewID string, values map[string]Value) (object, *view, error) {
	u, v, err := w.has(userID, viewID)
	if err != nil {
		return nil, nil, err
	}
	stack := w.stacks[userID]
	switch {
	case v.Type != string(modal):
		return nil, nil, refused("a Home tab has no submit button")
	case stack[len(stack)-1] != v:
		return nil, nil, refused("another modal is on top of %q", v.Title)
	}
	state, left := object{}, len(values)
	for _, c := range controls(v.Blocks) {
		value, given := values[c.block]
		if given && c.kind == "input" {
			left--
		}
		if str(c.element, "type") == "button" || c.kind != "input" && chosenAmong(c.element) == nil {
			continue
		}
		entered, err := w.state(c.element, value, v.ID)
		if err != nil {
			return nil, nil, refused("%s: %v", c.block, err)
		}
		if c.kind == "input" && !optional(v.Blocks, c.block) && blank(entered) {
			return nil, nil, refused("%s: please complete this required field", c.block)
		}
		state[c.block] = object{str(c.element, "action_id"): entered}
	}
	if left != 0 {
		return nil, nil, refused("there are no such inputs in %q: %s", v.Title, listed(unknown(v.Blocks, values)))
	}
	v.Errors = nil
	o := w.viewObject(v)
	o["state"] = object{"values": state}
	payload := w.interaction("view_submission", u)
	payload["view"], payload["response_urls"] = o, []any{}
	return payload, v, nil
}

func unknown(blocks json.RawMessage, values map[string]Value) []string {
	var all []string
	for id := range values {
		if !slices.ContainsFunc(controls(blocks), func(c control) bool { return c.block == id && c.kind == "input" }) {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

func optional(blocks json.RawMessage, blockID string) bool {
	for _, b := range list(blocks) {
		if str(b, "block_id") == blockID {
			yes, _ := b["optional"].(bool)
			return yes
		}
	}
	return false
}

// submitted carries out the answer to a view_submission.
// See https://docs.slack.dev/surfaces/modals/#response_actions.
func (w *Workspace) submitted(v *view, a *Ack) error {
	var answer struct {
		ResponseAction string            `json:"response_action"`
		Errors         map[string]string `json:"errors"`
		View           object            `json:"view"`
	}
	if a.Payload != nil && json.Unmarshal(a.Payload, &answer) != nil {
		return ErrBadAck
	}
	switch answer.ResponseAction {
	case "":
		if len(answer.Errors) > 0 || answer.View != nil {
			return badAck("errors or view without a response_action")
		}
		w.leave(v, false)
	case "clear":
		w.leave(v, true)
	case "errors":
		if len(answer.Errors) == 0 {
			return badAck("response_action errors without errors")
		}
		for block, e := range answer.Errors {
			if !slices.ContainsFunc(controls(v.Blocks), func(c control) bool { return c.block == block && c.kind == "input" }) || e == "" {
				return badAck("an empty error, or one for %q, which is no input block", block)
			}
		}
		v.Errors, a.Errors = answer.Errors, answer.Errors
		w.show(v)
	case "update", "push":
		if faults := w.checkView(answer.View, modal); faults != nil {
			return badAck("%s", listed(faults))
		}
		if answer.ResponseAction == "update" {
			w.fillView(v, answer.View)
			w.show(v)
			return nil
		}
		if _, err := w.push(v.User, answer.View); err != nil {
			return badAck("%v", err)
		}
	default:
		return badAck("response_action %q", answer.ResponseAction)
	}
	return nil
}

// CloseView closes a modal as its close button does. The app is told, and waited
// for, where its view asked for that (notify_on_close).
func (w *Workspace) CloseView(ctx context.Context, userID, viewID string) (Ack, error) {
	w.mu.Lock()
	u, v, err := w.has(userID, viewID)
	if err == nil && v.Type != string(modal) {
		err = refused("a Home tab has no close button")
	}
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	w.leave(v, false)
	payload := w.interaction("view_closed", u)
	delete(payload, "trigger_id")
	payload["view"], payload["is_cleared"] = w.viewObject(v), false
	w.mu.Unlock()
	if !v.NotifyOnClose {
		return Ack{}, nil
	}
	return w.deliver(ctx, &delivery{kind: "interactive", payload: payload})
}

// Suggest types query into a menu of a modal whose options come from the app,
// and returns what it offers in Ack.Options. These can then be chosen in Submit.
// See https://docs.slack.dev/reference/interaction-payloads/block_suggestion-payload/.
func (w *Workspace) Suggest(ctx context.Context, userID, viewID, actionID, query string) (Ack, error) {
	w.mu.Lock()
	u, v, err := w.has(userID, viewID)
	if err != nil {
		w.mu.Unlock()
		return Ack{}, err
	}
	all := controls(v.Blocks)
	i := slices.IndexFunc(all, func(c control) bool { return str(c.element, "action_id") == actionID })
	if i < 0 || !strings.HasSuffix(str(all[i].element, "type"), "external_select") {
		w.mu.Unlock()
		return Ack{}, refused("there is no menu %q that asks the app", actionID)
	}
	least := 3.0
	if n, ok := all[i].element["min_query_length"].(float64); ok {
		least = n
	}
	if float64(utf8.RuneCountInString(query)) < least {
		w.mu.Unlock()
		return Ack{}, refused("the menu asks the app from %v characters on", least)
	}
	payload := w.interaction("block_suggestion", u)
	delete(payload, "trigger_id")
	payload["container"] = object{"type": "view", "view_id": v.ID}
	payload["view"], payload["action_id"], payload["block_id"], payload["value"] = w.viewObject(v), actionID, all[i].block, query
	w.mu.Unlock()
	return w.deliver(ctx, &delivery{kind: "interactive", payload: payload, take: func(a *Ack) error {
		var answer object
		if a.Payload == nil || json.Unmarshal(a.Payload, &answer) != nil {
			return badAck("no options")
		}
		c := checker{on: modal, id: func() string { return w.id("b") }}
		if c.choices("", answer); c.faults != nil {
			return badAck("%s", listed(c.faults))
		}
		for _, o := range optionsOf(answer) {
			a.Options = append(a.Options, Option{Text: decode(str(obj(o, "text"), "text")), Value: str(o, "value"), raw: o})
		}
		w.suggested[v.ID+"/"+actionID] = a.Options
		return nil
	}})
}

// state is what an element holds after value was entered into it.
func (w *Workspace) state(e object, value Value, viewID string) (object, error) {
	kind := str(e, "type")
	s := object{"type": kind}
	switch kind {
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		return s, enterText(s, e, value)
	case "static_select", "radio_buttons", "external_select", "overflow":
		chosen, err := w.chosen(e, value, viewID)
		s["selected_option"] = nil
		if err == nil && len(chosen) > 1 {
			err = refused("only one of the options can be chosen")
		}
		if len(chosen) > 0 {
			s["selected_option"] = chosen[0]
		}
		return s, err
	case "multi_static_select", "checkboxes", "multi_external_select":
		chosen, err := w.chosen(e, value, viewID)
		s["selected_options"] = append([]object{}, chosen...)
		if most, ok := e["max_selected_items"].(float64); ok && float64(len(chosen)) > most {
			err = refused("only %v of the options can be chosen", most)
		}
		return s, err
	case "datepicker":
		s["selected_date"] = orInitial(value.Date, e, "initial_date", value.Clear)
	case "timepicker":
		s["selected_time"] = orInitial(value.Time, e, "initial_time", value.Clear)
	case "datetimepicker":
		s["selected_date_time"] = e["initial_date_time"]
		if value.DateTime != 0 || value.Clear {
			s["selected_date_time"] = value.DateTime
		}
	case "users_select":
		s["selected_user"] = orInitial(first(value.Users), e, "initial_user", value.Clear)
	case "channels_select":
		s["selected_channel"] = orInitial(first(value.Channels), e, "initial_channel", value.Clear)
	case "conversations_select":
		s["selected_conversation"] = orInitial(first(value.Conversations), e, "initial_conversation", value.Clear)
	case "multi_users_select":
		s["selected_users"] = orInitials(value.Users, e, "initial_users", value.Clear)
	case "multi_channels_select":
		s["selected_channels"] = orInitials(value.Channels, e, "initial_channels", value.Clear)
	case "multi_conversations_select":
		s["selected_conversations"] = orInitials(value.Conversations, e, "initial_conversations", value.Clear)
	default:
		return nil, refused("nothing can be entered into a %s", kind)
	}
	return s, nil
}

// enterText puts text into a text input, with the checks Slack's window makes.
func enterText(s, e object, value Value) error {
	v, _ := orInitial(value.Text, e, "initial_value", value.Clear).(string)
	s["value"] = nil
	if v == "" {
		return nil
	}
	s["value"] = v
	n := float64(utf8.RuneCountInString(v))
	least, _ := e["min_length"].(float64)
	most, ok := e["max_length"].(float64)
	if !ok {
		most = 3000
	}
	switch str(e, "type") {
	case "plain_text_input":
		if n < least || n > most {
			return refused("%v characters, where %v to %v are asked for", n, least, most)
		}
	case "email_text_input":
		if at := strings.Index(v, "@"); at < 1 || at == len(v)-1 || strings.ContainsAny(v, " ,;") {
			return refused("%q is not an e-mail address", v)
		}
	case "url_text_input":
		if u, err := url.Parse(v); err != nil || u.Host == "" {
			return refused("%q is not a URL", v)
		}
	case "number_input":
		if _, err := strconv.ParseFloat(v, 64); err != nil {
			return refused("%q is not a number", v)
		}
	}
	return nil
}

func first(all []string) string {
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

func orInitial(s string, e object, name string, clear bool) any {
	switch initial := str(e, name); {
	case s != "":
		return s
	case initial != "" && !clear:
		return initial
	}
	return nil
}

func orInitials(all []string, e object, name string, clear bool) any {
	if len(all) == 0 && !clear && e[name] != nil {
		return e[name]
	}
	return append([]string{}, all...)
}

// chosen finds the options whose values were picked, or those picked beforehand.
func (w *Workspace) chosen(e object, value Value, viewID string) ([]object, error) {
	if len(value.Options) == 0 {
		if value.Clear {
			return nil, nil
		}
		all := objs(e, "initial_options")
		if o := obj(e, "initial_option"); o != nil {
			all = append(all, o)
		}
		return all, nil
	}
	offered := optionsOf(e)
	for _, o := range w.suggested[viewID+"/"+str(e, "action_id")] {
		offered = append(offered, o.raw)
	}
	var all []object
	for _, v := range value.Options {
		i := slices.IndexFunc(offered, func(o object) bool { return str(o, "value") == v })
		if i < 0 {
			return nil, refused("%q is not among the options", v)
		}
		all = append(all, offered[i])
	}
	return all, nil
}

// blank reports whether nothing was entered.
func blank(state object) bool {
	for name, v := range state {
		if name == "type" || v == nil {
			continue
		}
		switch v := v.(type) {
		case []object:
			return len(v) == 0
		case []string:
			return len(v) == 0
		}
		return false
	}
	return true
}
