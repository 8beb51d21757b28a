package main_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// These are the hands of whoever tries a way in: what Slack lets people do, and
// what only somebody does who writes Slack's envelopes themselves.

// moment is how long an answer may take.
const moment = 30 * time.Second

// ears are addresses that private answers are sent to.
type ears struct {
	url  string
	mu   sync.Mutex
	said map[string]chan string
}

func listen(t *testing.T) *ears {
	t.Helper()
	e := &ears{said: map[string]chan string{}}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.at(r.URL.Path) <- words(body)
	}))
	t.Cleanup(server.Close)
	e.url = server.URL
	return e
}

func (e *ears) at(path string) chan string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.said[path] == nil {
		e.said[path] = make(chan string, 100)
	}
	return e.said[path]
}

// words is what somebody reads of an ack's payload or of a private answer: the
// text of a message, or what is wrong with a form.
func words(payload []byte) string {
	var answer struct {
		Text         string            `json:"text"`
		ResponseType string            `json:"response_type"`
		Errors       map[string]string `json:"errors"`
	}
	if len(payload) == 0 || json.Unmarshal(payload, &answer) != nil {
		return ""
	}
	if answer.Text != "" && answer.ResponseType != "ephemeral" {
		return "for everybody: " + answer.Text
	}
	all := []string{answer.Text}
	for _, block := range slices.Sorted(maps.Keys(answer.Errors)) {
		all = append(all, fmt.Sprintf("[%.40s] %s", block, answer.Errors[block]))
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(strings.TrimSpace(strings.Join(all, "\n")))
}

// people brings those into the world who try the ways in, and the team's third member.
func (k *keep) people() {
	k.third = k.Slack.AddUser(slacktest.User{ID: "U0HERON", Name: "heron"})
	k.GitHub.AddMember(worldtest.Team, "heron")
	k.everywhere(k.third)
	for _, w := range k.house.ways {
		i := &intruder{keep: k, scene: k.scene, way: w, number: len(k.intruders) + 1}
		if w.actor != "" {
			at := slices.IndexFunc(k.Slack.Users(), func(u slacktest.User) bool { return u.ID == w.actor })
			i.who = k.Slack.Users()[at]
			k.intruders = append(k.intruders, i)
			continue
		}
		w.user.ID = fmt.Sprintf("U0ROW%03d", i.number)
		w.user.Name = fmt.Sprintf("row%d", i.number)
		i.who = k.Slack.AddUser(w.user)
		k.everywhere(i.who)
		switch {
		case w.login == "":
		case w.github != nil:
			w.github(k.GitHub, w.login)
		default:
			k.GitHub.AddMember(worldtest.Team, w.login)
		}
		k.intruders = append(k.intruders, i)
	}
	for _, name := range k.IAM.Users() {
		k.users[name], _ = k.IAM.User(name)
	}
}

func (k *keep) everywhere(u slacktest.User) {
	for _, c := range []slacktest.Channel{k.Log, k.Desk, k.General} {
		k.Slack.Invite(c.ID, u.ID)
	}
}

// config is the world's settings with the house's own, and those identities
// that the ways need.
func (k *keep) config() string {
	identities := "  - {slack: U0HERON, github: heron}\n"
	for _, i := range k.intruders {
		if i.way.login != "" {
			identities += fmt.Sprintf("  - {slack: %s, github: %s}\n", i.who.ID, i.way.login)
		}
	}
	text := strings.Replace(k.Config(), "identities:\n", "identities:\n"+identities, 1)
	text = strings.Replace(text, "    domains:", "    regions: [eu-west-2]\n    domains:", 1)
	for n := 0; n < len(k.house.settings); n += 2 {
		if !strings.Contains(text, k.house.settings[n]) {
			k.Fatalf("the settings don't say %q:\n%s", k.house.settings[n], text)
		}
		text = strings.Replace(text, k.house.settings[n], k.house.settings[n+1], 1)
	}
	return text
}

// wait waits for something that Slack sees.
func (i *intruder) wait(what string, holds func() bool) {
	i.Helper()
	if err := i.bot.Within(moment, i.Slack.Wait, holds); err != nil {
		i.Fatalf("wait for %s: %v", what, err)
	}
}

// toldPrivately is all that somebody was told for their eyes only.
func (i *intruder) toldPrivately(u slacktest.User) []slacktest.Message {
	return append(i.Slack.Ephemerals(u.ID), i.Slack.Direct(u.ID)...)
}

// news waits until somebody was told something since it was tried, and returns it.
func (i *intruder) news(u slacktest.User) string {
	i.Helper()
	count := func() int { return len(i.toldPrivately(u)) }
	i.wait("an answer to "+u.Name, func() bool { return count() > i.heard[u.ID] })
	all := i.toldPrivately(u)
	slices.SortFunc(all, func(a, b slacktest.Message) int { return strings.Compare(a.TS, b.TS) })
	return all[len(all)-1].PlainText()
}

// hears has whoever tries it read what they are told.
func (i *intruder) hears() { i.Helper(); i.said = i.news(i.who) }

// types types a command as people do, and reads the answer.
func (i *intruder) types(where slacktest.Channel, command, text string) {
	i.Helper()
	ack, err := i.Slack.Command(i.Context(), i.who.ID, where.ID, command, text)
	if err != nil {
		i.Fatal(err)
	}
	if ack.Message != nil {
		i.said = ack.Message.PlainText()
		return
	}
	i.hears()
}

// presses clicks a button as people do, and reads the answer.
func (i *intruder) presses(m slacktest.Message, action string) {
	i.Helper()
	i.clicks(i.who, m, action)
	i.hears()
}

// clicks has anybody click a button.
func (i *intruder) clicks(u slacktest.User, m slacktest.Message, action string) slacktest.Ack {
	i.Helper()
	ack, err := i.Slack.Click(i.Context(), u.ID, m.Channel, m.TS, action)
	if err != nil {
		i.Fatal(err)
	}
	return ack
}

// object is a JSON object.
type object = map[string]any

// sends sends an envelope that no window of Slack's would send. The answer is
// the ack's, or comes to the address in the envelope, or to them in Slack.
func (i *intruder) sends(kind string, payload object) slacktest.Ack {
	i.Helper()
	ack, err := i.Slack.Send(i.Context(), kind, payload)
	if err != nil {
		i.Fatalf("send %s: %v", kind, err)
	}
	if i.said = words(ack.Payload); i.said != "" || i.way.again || i.from.IsZero() {
		return ack
	}
	if _, ok := payload["response_url"]; ok {
		i.said = i.listens()
		return ack
	}
	i.hears()
	return ack
}

// listens waits for an answer at their own address.
func (i *intruder) listens() string {
	i.Helper()
	select {
	case said := <-i.ears.at(strings.TrimPrefix(i.address(), i.ears.url)):
		return said
	case <-time.After(moment):
		i.Fatal("there is no answer")
		return ""
	}
}

// address is where they want to be answered.
func (i *intruder) address() string { return fmt.Sprintf("%s/%d", i.ears.url, i.number) }

// trigger is what Slack would tell their doings apart by.
func (i *intruder) trigger() string { return fmt.Sprintf("%d.trigger", i.number) }

// command is the payload of a command, with what is peculiar about it.
func (i *intruder) command(command, text string, peculiar object) object {
	p := object{
		"team_id": i.Slack.TeamID, "user_id": i.who.ID, "user_name": i.who.Name, "channel_id": i.Log.ID,
		"command": command, "text": text, "response_url": i.address(), "trigger_id": i.trigger(),
	}
	maps.Copy(p, peculiar)
	return p
}

// click is the payload of a click on a button that no message has.
func (i *intruder) click(action, value string, peculiar object) object {
	p := object{
		"type": "block_actions", "api_app_id": i.Slack.AppID, "response_url": i.address(), "trigger_id": i.trigger(),
		"team": object{"id": i.Slack.TeamID}, "channel": object{"id": i.Desk.ID},
		"user":      object{"id": i.who.ID, "name": i.who.Name, "team_id": i.Slack.TeamID},
		"container": object{"type": "message", "channel_id": i.Desk.ID, "message_ts": "1.000000"},
		"actions":   []any{object{"type": "button", "action_id": action, "block_id": "decide", "value": value, "action_ts": "1.000000"}},
	}
	maps.Copy(p, peculiar)
	return p
}

// form is the payload of a form that was filled in, whatever the form was.
func (i *intruder) form(callback, metadata string, fields object) object {
	return object{
		"type": "view_submission", "api_app_id": i.Slack.AppID, "trigger_id": i.trigger(),
		"team": object{"id": i.Slack.TeamID}, "user": object{"id": i.who.ID, "name": i.who.Name, "team_id": i.Slack.TeamID},
		"view": object{
			"id": "V0FORGED", "hash": "1.hash", "type": "modal", "callback_id": callback, "private_metadata": metadata,
			"state": object{"values": fields},
		},
	}
}

// text and ticked are fields of a form, as Slack sends them.
func text(name, value string) object {
	return object{name: object{"type": "plain_text_input", "value": value}}
}

func ticked(name, value string) object {
	return object{name: object{"type": "checkboxes", "selected_options": []any{
		object{"value": value, "text": object{"type": "plain_text", "text": "I have checked that"}},
	}}}
}

// removal is the form that asks to remove somebody, with what is peculiar
// about it: another text in a field, or a field that isn't there, nil.
func (i *intruder) removal(peculiar object) object {
	fields := object{
		"emails": text("emails", i.victim()), "reason": text("reason", "has left"),
		"ticket": text("ticket", ""), "confirmed": ticked("confirmed", "yes"),
	}
	for name, value := range peculiar {
		switch value := value.(type) {
		case nil:
			delete(fields, name)
		case string:
			fields[name] = text(name, value)
		default:
			fields[name] = value
		}
	}
	return i.form("ask:remove-user", i.Desk.ID, fields)
}

// decision is the form of a decision about a request.
func (i *intruder) decision(verb string, about asked, reason string) object {
	return i.form("decide:"+verb, metadata(about.value()), object{"reason": text("reason", reason)})
}

// metadata is what the bot's forms of decisions carry with them.
func metadata(value string) string {
	kept, _ := json.Marshal(object{"value": value, "channel": "C0RELIABILITY"})
	return string(kept)
}

// victim is an IAM user of this way's own.
func (i *intruder) victim() string {
	name := fmt.Sprintf("row.%d@%s", i.number, worldtest.Domain)
	i.keep.exists(name)
	return name
}

// exists has IAM have a user.
func (k *keep) exists(name string) {
	if _, there := k.users[name]; !there {
		k.users[name] = k.IAM.AddUser(awstest.IAMUser{Name: name, AccessKeys: []awstest.AccessKey{{}}})
	}
}

// asked is a request that somebody may have made, with its buttons.
type asked struct {
	email, id, digest string
	message           slacktest.Message
}

func (a asked) value() string { return a.id + ":" + a.digest }

// asks has somebody who may ask for a removal, with the form, and waits until
// it waits for approvals.
func (i *intruder) asks(u slacktest.User, login, email string) asked {
	i.Helper()
	i.keep.exists(email)
	i.looked[login] = true
	if _, err := i.Slack.Command(i.Context(), u.ID, i.Desk.ID, "/aws-remove-user", email); err != nil {
		i.Fatal(err)
	}
	i.wait("the form", func() bool { return len(i.Slack.Views(u.ID)) > 0 })
	views := i.Slack.Views(u.ID)
	ack, err := i.Slack.Submit(i.Context(), u.ID, views[len(views)-1].ID, map[string]slacktest.Value{"reason": slacktest.Text("has left"), "confirmed": slacktest.Pick("yes")})
	if err != nil || len(ack.Errors) > 0 {
		i.Fatalf("ask for the removal of %s: %v, %v", email, err, ack.Errors)
	}
	return i.offered(email, "approve")
}

// offered waits for a button under the card of a request.
func (i *intruder) offered(email, action string) asked {
	i.Helper()
	a := asked{email: email}
	i.wait("the button "+action+" for "+email, func() bool {
		for _, card := range i.Slack.Messages(i.Desk.ID) {
			for _, m := range i.Slack.Thread(i.Desk.ID, card.TS) {
				for _, b := range m.Buttons() {
					if b.ActionID == action && strings.Contains(m.PlainText(), email) {
						a.message = m
						a.id, a.digest, _ = strings.Cut(b.Value, ":")
						return true
					}
				}
			}
		}
		return false
	})
	return a
}

// carriedOut has somebody who may approve a request, which then runs.
func (i *intruder) carriedOut(u slacktest.User, a asked) {
	i.Helper()
	i.ran[a.id] = a.email
	i.clicks(u, a.message, "approve")
	i.offered(a.email, "undo")
}

// setting is somebody who sets the scene, before anything is tried.
func (k *keep) setting() *intruder {
	return &intruder{keep: k, scene: k.scene, who: k.Member, heard: map[string]int{}}
}

// public is what everybody reads of a request: its card.
func (i *intruder) public(a asked) string {
	for _, card := range i.Slack.Messages(i.Desk.ID) {
		if card.TS == cmp.Or(a.message.ThreadTS, a.message.TS) {
			return card.PlainText()
		}
	}
	return ""
}

var codeShown = regexp.MustCompile("`([A-Z]{4}-[A-Z]{4})`")

// code has somebody ask for a code, and returns what they are to type.
func (i *intruder) code(u slacktest.User) string {
	i.Helper()
	before := len(i.Slack.Ephemerals(u.ID))
	if _, err := i.Slack.Command(i.Context(), u.ID, i.Log.ID, "/rootbot", "link"); err != nil {
		i.Fatal(err)
	}
	code := ""
	i.wait("a code", func() bool {
		for _, m := range i.Slack.Ephemerals(u.ID)[before:] {
			if shown := codeShown.FindStringSubmatch(m.PlainText()); shown != nil {
				code = shown[1]
			}
		}
		return code != ""
	})
	return code
}

// links has somebody prove that a GitHub account is theirs.
func (i *intruder) links(u slacktest.User, login string) {
	i.Helper()
	code := i.code(u)
	before := len(i.Slack.Ephemerals(u.ID))
	if err := i.GitHub.Authorize(code, login); err != nil {
		i.Fatal(err)
	}
	i.wait("the link", func() bool { return len(i.Slack.Ephemerals(u.ID)) > before })
	said := i.Slack.Ephemerals(u.ID)[before].PlainText()
	switch {
	case strings.Contains(said, "You are "+login):
	case strings.Contains(said, "before another member confirms it"):
		i.confirmed(u, login)
	default:
		i.Fatalf("after linking they read %q", said)
	}
}

// confirmed has another member confirm a link.
func (i *intruder) confirmed(u slacktest.User, login string) {
	i.Helper()
	var asked slacktest.Message
	i.wait("the question about a link", func() bool {
		for _, m := range i.Slack.Messages(i.Log.ID) {
			if text := m.PlainText(); strings.Contains(text, "<@"+u.ID+"> says to be") && strings.Contains(text, login) {
				asked = m
			}
		}
		return asked.TS != ""
	})
	done := func(said string) bool {
		return strings.Contains(said, "<@"+u.ID+"> is "+login+" on GitHub: you have confirmed it")
	}
	before, letters := len(i.Slack.Ephemerals(i.Second.ID)), len(i.Slack.Direct(u.ID))
	i.clicks(i.Second, asked, "link-confirm")
	i.wait("the linker's letter", func() bool { return len(i.Slack.Direct(u.ID)) > letters })
	i.wait("the confirmation", func() bool {
		for _, m := range i.Slack.Ephemerals(i.Second.ID)[before:] {
			if done(m.PlainText()) {
				return true
			}
		}
		return false
	})
}

// forgets has somebody unlink their account.
func (i *intruder) forgets(u slacktest.User) {
	i.Helper()
	before := len(i.Slack.Ephemerals(u.ID))
	if _, err := i.Slack.Command(i.Context(), u.ID, i.Log.ID, "/rootbot", "unlink"); err != nil {
		i.Fatal(err)
	}
	i.wait("the end of a link", func() bool { return len(i.Slack.Ephemerals(u.ID)) > before })
}
