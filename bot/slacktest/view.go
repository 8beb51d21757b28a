package slacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// View is a modal or a Home tab as one person sees it.
// See https://docs.slack.dev/surfaces/modals/.
type View struct {
	ID              string
	Type            string // "modal" or "home"
	User            string // who sees it
	Title           string // the rest is "" for what is not there
	Submit          string
	Close           string
	CallbackID      string
	PrivateMetadata string
	ExternalID      string
	Hash            string
	RootViewID      string
	PreviousViewID  string
	Blocks          json.RawMessage
	Errors          map[string]string // by block_id, shown since the last submission
	NotifyOnClose   bool
}

// Buttons lists what can be clicked in the view, but for submit and close.
func (v View) Buttons() []Button { return buttons(v.Blocks) }

// PlainText is everything a person would read in the view; see Message.PlainText.
func (v View) PlainText() string {
	return strings.Join(texts(v.lines(reader{mrkdwn: decode, plain: decode})), "\n")
}

func (v View) lines(r reader) []line {
	var all []line
	if v.Title != "" {
		all = append(all, line{text: v.Title})
	}
	for _, b := range list(v.Blocks) {
		all = append(all, r.block(b)...)
		if e, ok := v.Errors[str(b, "block_id")]; ok {
			all = append(all, line{text: "⚠ " + e})
		}
	}
	var ends []string
	for _, s := range []string{v.Close, v.Submit} {
		if s != "" {
			ends = append(ends, "[ "+s+" ]")
		}
	}
	if ends != nil {
		all = append(all, line{text: strings.Join(ends, "  ")})
	}
	return all
}

type view struct {
	View
	request object // as the app sent it, with the IDs filled in
}

func (v *view) snapshot() View {
	c := v.View
	c.Errors = maps.Clone(v.Errors)
	return c
}

// Views lists the modals a user has open, the one on top last.
func (w *Workspace) Views(userID string) []View {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []View
	for _, v := range w.stacks[userID] {
		all = append(all, v.snapshot())
	}
	return all
}

// Home returns the Home tab that was published for a user, and whether one was.
func (w *Workspace) Home(userID string) (View, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.homes[userID]
	if v == nil {
		return View{}, false
	}
	return v.snapshot(), true
}

// trigger is what lets an app open a modal for the person who did something.
// See https://docs.slack.dev/interactivity/handling-user-interaction/.
type trigger struct {
	user string
	at   time.Time
	used bool
}

const triggerLife = 3 * time.Second

func (w *Workspace) trigger(user string) string {
	id := fmt.Sprintf("%d.%s", w.opts.Now().UnixMilli(), w.id("trigger"))
	w.triggers[id] = &trigger{user: user, at: w.opts.Now()}
	return id
}

func (w *Workspace) exchange(id string) (user string, err error) {
	t := w.triggers[id]
	switch {
	case t == nil:
		return "", apiError("invalid_trigger_id")
	case t.used:
		return "", apiError("exchanged_trigger_id")
	case w.opts.Now().Sub(t.at) > w.opts.TriggerLife:
		return "", apiError("expired_trigger_id")
	}
	t.used = true
	return t.user, nil
}

// requested reads and checks the view in a call.
func (w *Workspace) requested(c *call, on surface) (object, error) {
	raw := c.arg("view")
	if len(raw) > 250_000 {
		return nil, apiError("view_too_large")
	}
	var request object
	if json.Unmarshal([]byte(raw), &request) != nil || request == nil {
		return nil, invalid("invalid_arguments", []string{"must provide an object [json-pointer:/view]"})
	}
	if faults := w.checkView(request, on); faults != nil {
		return nil, invalid("invalid_arguments", faults)
	}
	return request, nil
}

// fillView makes v show request.
func (w *Workspace) fillView(v *view, request object) {
	v.request = request
	v.Type = str(request, "type")
	v.Title = decode(str(obj(request, "title"), "text"))
	v.Submit = decode(str(obj(request, "submit"), "text"))
	v.Close = decode(str(obj(request, "close"), "text"))
	v.CallbackID = str(request, "callback_id")
	v.PrivateMetadata = str(request, "private_metadata")
	v.ExternalID = str(request, "external_id")
	v.NotifyOnClose, _ = request["notify_on_close"].(bool)
	v.Blocks, _ = json.Marshal(request["blocks"])
	v.Hash = w.ts() + "." + v.ID
	v.Errors = nil
}

func (w *Workspace) newView(user string, request object) *view {
	v := &view{View: View{ID: w.id("V"), User: user}}
	w.fillView(v, request)
	v.RootViewID = v.ID
	return v
}

func (w *Workspace) show(v *view) { w.tell(Event{Kind: Viewed, View: v.snapshot(), UserID: v.User}) }

// viewsOpen: see https://docs.slack.dev/reference/methods/views.open/.
func (w *Workspace) viewsOpen(c *call) (any, error) {
	request, err := w.requested(c, modal)
	if err != nil {
		return nil, err
	}
	if w.taken(str(request, "external_id"), nil) {
		return nil, apiError("duplicate_external_id")
	}
	user, err := w.exchange(c.arg("trigger_id"))
	if err != nil {
		return nil, err
	}
	v := w.newView(user, request)
	w.stacks[user] = []*view{v}
	w.show(v)
	return object{"view": w.viewObject(v)}, nil
}

// viewsPush puts a modal on top of those the person has open, three at most.
// See https://docs.slack.dev/reference/methods/views.push/.
func (w *Workspace) viewsPush(c *call) (any, error) {
	request, err := w.requested(c, modal)
	if err != nil {
		return nil, err
	}
	user, err := w.exchange(c.arg("trigger_id"))
	if err != nil {
		return nil, err
	}
	v, err := w.push(user, request)
	if err != nil {
		return nil, err
	}
	return object{"view": w.viewObject(v)}, nil
}

func (w *Workspace) push(user string, request object) (*view, error) {
	stack := w.stacks[user]
	switch {
	case len(stack) == 0:
		return nil, apiError("not_found")
	case len(stack) >= 3:
		return nil, apiError("push_limit_reached")
	}
	v := w.newView(user, request)
	v.RootViewID, v.PreviousViewID = stack[0].ID, stack[len(stack)-1].ID
	w.stacks[user] = append(stack, v)
	w.show(v)
	return v, nil
}

// viewsUpdate: see https://docs.slack.dev/reference/methods/views.update/.
func (w *Workspace) viewsUpdate(c *call) (any, error) {
	v := w.view(c.arg("view_id"), c.arg("external_id"))
	if v == nil {
		return nil, apiError("not_found")
	}
	request, err := w.requested(c, surface(v.Type))
	switch {
	case err != nil:
		return nil, err
	case c.arg("hash") != "" && c.arg("hash") != v.Hash:
		return nil, apiError("hash_conflict")
	case w.taken(str(request, "external_id"), v):
		return nil, apiError("duplicate_external_id")
	}
	w.fillView(v, request)
	w.show(v)
	return object{"view": w.viewObject(v)}, nil
}

// viewsPublish: see https://docs.slack.dev/reference/methods/views.publish/.
func (w *Workspace) viewsPublish(c *call) (any, error) {
	u := w.user(c.arg("user_id"))
	if u == nil || u.Deleted {
		return nil, apiError("user_not_found")
	}
	request, err := w.requested(c, home)
	if err != nil {
		return nil, err
	}
	v := w.homes[u.ID]
	switch {
	case v == nil:
		v = w.newView(u.ID, request)
		w.homes[u.ID] = v
	case c.arg("hash") != "" && c.arg("hash") != v.Hash:
		return nil, apiError("hash_conflict")
	default:
		w.fillView(v, request)
	}
	w.show(v)
	return object{"view": w.viewObject(v)}, nil
}

// view finds a modal or Home tab by either of its IDs.
func (w *Workspace) view(id, external string) *view {
	var found *view
	match := func(v *view) {
		if v.ID == id && id != "" || v.ExternalID == external && external != "" {
			found = v
		}
	}
	for _, stack := range w.stacks {
		for _, v := range stack {
			match(v)
		}
	}
	for _, v := range w.homes {
		match(v)
	}
	return found
}

func (w *Workspace) taken(external string, by *view) bool {
	if external == "" {
		return false
	}
	v := w.view("", external)
	return v != nil && v != by
}

// leave closes one of a person's modals, and with clear all of them.
func (w *Workspace) leave(v *view, clear bool) {
	w.stacks[v.User] = slices.DeleteFunc(w.stacks[v.User], func(o *view) bool { return clear || o == v })
	w.show(v)
}

func (w *Workspace) viewObject(v *view) object {
	o := object{
		"id": v.ID, "team_id": w.TeamID, "app_id": w.AppID, "app_installed_team_id": w.TeamID, "bot_id": w.BotID,
		"private_metadata": "", "callback_id": "", "external_id": "", "title": nil, "close": nil, "submit": nil,
		"clear_on_close": false, "notify_on_close": false, "state": object{"values": object{}},
		"hash": v.Hash, "root_view_id": v.RootViewID, "previous_view_id": nil,
	}
	if w.opts.OrgWide > 0 {
		o["app_installed_team_id"] = GridID
	}
	maps.Copy(o, v.request)
	if v.PreviousViewID != "" {
		o["previous_view_id"] = v.PreviousViewID
	}
	return o
}
