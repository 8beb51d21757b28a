package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// carried is what the buttons of a request carry.
func carried(r request.Request) string { return r.ID + ":" + r.Digest() }

// FuzzPayload looks for a click or a form, however made, that does what its
// request's state doesn't allow, is stored as another one than was sent, or is
// answered with more than text. Each "?" in a payload is the word.
func FuzzPayload(f *testing.F) {
	const who = `"user":{"id":"U0GRACE","team_id":"T0BENCH"},"team":{"id":"T0BENCH"},"channel":{"id":"C0PLACE01"},"response_url":"` + benchHook + `","trigger_id":"1.2.3"`
	pressed := func(actions ...string) string {
		return `{"type":"block_actions",` + who + `,"actions":[` + strings.Join(actions, ",") + `]}`
	}
	action := func(verb, value string) string {
		return fmt.Sprintf(`{"type":"button","block_id":"b","action_id":%q,"value":%q}`, verb, value)
	}
	sent := func(callback, metadata, values string) string {
		return fmt.Sprintf(`{"type":"view_submission",%s,"view":{"callback_id":%q,"private_metadata":%q,"state":{"values":%s}}}`, who, callback, metadata, values)
	}
	input := func(block, value string) string {
		return fmt.Sprintf(`%q:{%q:{"type":"plain_text_input","value":%q}}`, block, block, value)
	}
	const ticked = `"confirmed":{"confirmed":{"type":"checkboxes","selected_options":[{"value":"yes"}]}}`
	for i, r := range shelf() {
		f.Add(pressed(action("approve", r.ID+":?"), action("?", carried(r)), action("reject", "?")), "retry")
		for _, verb := range verbs {
			f.Add(pressed(action(verb, carried(r))), "")
			if i > 0 {
				continue
			}
			f.Add(pressed(action("?", carried(r)), action("?", carried(r)), action("?", "x"), action("?", "x")), verb)
			about := fmt.Sprintf(`{"value":%q,"channel":"C0PLACE01"}`, carried(r))
			f.Add(sent("decide:"+verb, about, "{"+input("reason", "?")+","+input("name", "?")+"}"), ann)
			f.Add(sent("decide:"+verb, about, "{"+input("reason", "?")+"}"), "has left\n✅ *Done*\r\n<!channel>")
		}
	}
	for _, word := range []string{
		"", ann, ann + " " + bob, ann + "," + ann, "<!channel>@x <@U0EVE>", "nobody", " \n", "\u202e@\x00\xff", strings.Repeat("a@b ", 60), strings.Repeat("&", 3000), "```@", "01970000-0000-7000-8000-000000000004:",
		`{"value":"01970000-0000-7000-8000-000000000001:x"}`,
	} {
		f.Add(sent("ask:let-go", "C0PLACE01", `{`+input("emails", "?")+`,`+input("reason", "?")+`,`+input("ticket", "?")+`,`+ticked+`}`), word)
		f.Add(sent("ask:tidy-up", "?", `{`+input("people", "?")+`}`), word)
		f.Add(sent("ask:burn-down", "?", `{`+input("emails", "x@y")+`,`+input("?", "?")+`}`), word)
		f.Add(sent("?", "?", `{"?":{"?":{"selected_options":[{"value":"?"},{"value":"?"}],"value":"?"}}}`), word)
		f.Add(sent("decide:reject", "?", `{`+input("reason", "?")+`}`), word)
		f.Add(pressed(action("retry", "?"), action("approve", "?"), action("?", "?")), word)
	}
	for _, payload := range []string{
		"", "null", "[]", "{}", "1", `"?"`, `{"type":"?"}`, `{"type":null}`, `{"type":"block_actions"}`, `{"type":"block_actions","actions":null}`, `{"type":"block_actions","actions":[null,{},[]]}`,
		`{"type":"block_actions","actions":[{"block_id":"b"},{"block_id":"b","action_id":null,"value":null},{"name":"approve","value":"?"}]}`, pressed(`{"block_id":"b","action_id":"approve","value":{"a":1}}`),
		`{"type":"block_actions","user":null,"team":null,"channel":null,"view":null,"message":null,"container":null,"state":null,"actions":[` + action("approve", carried(shelf()[0])) + `]}`,
		`{"type":"block_actions","message":{"blocks":[{"type":"actions","elements":[null,{"type":"button"},{"type":"?"}]},null,{"type":"rich_text","elements":[{"type":"rich_text_list","elements":[{"type":"rich_text_section","elements":[null]}]}]}]},"actions":[]}`,
		`{"type":"block_actions","state":{"values":{"a":{"b":{"selected_option":null,"value":null}}}},"actions":[]}`, `{"type":"block_actions","state":{"values":[]}}`,
		`{"type":"view_submission","view":{"callback_id":"ask:let-go"}}`, `{"type":"view_submission","view":null}`, `{"type":"view_submission","view":{"callback_id":"decide:reject","state":null,"private_metadata":"{}"}}`,
		sent("decide:reject", `{"value":"01970000-0000-7000-8000-000000009999:x"}`, `{`+input("reason", "x")+`}`),
		`{"type":"view_submission","view":{"callback_id":"ask:let-go"}}`, `{"type":"view_submission","view":null}`, `{"type":"view_submission","view":{"callback_id":"decide:reject","state":null,"private_metadata":"{}"}}`,
		sent("decide:reject", `{"value":"01970000-0000-7000-8000-000000009999:x"}`, `{`+input("reason", "x")+`}`), sent("decide:burn", `{}`, `{`+input("reason", "xoxb-"+"1234567890-abcdefgh")+`}`),
		`{"type":"view_submission","view":{"callback_id":"ask:let-go","state":{}}}`, `{"type":"view_submission","view":{"callback_id":"ask:let-go","state":{"values":null}}}`,
		sent("ask:let-go", "", "null"), sent("ask:tidy-up", "", `{"people":null}`), sent("ask:tidy-up", "", `{"people":{"people":null}}`), sent("ask:let-go", "", `{"emails":{"emails":{"selected_options":[null]}},`+ticked+`}`),
		strings.Replace(pressed(action("withdraw", carried(shelf()[0]))), "T0BENCH", "T0ELSEWHERE", 1), sent("ask:sweep-up", "", `{}`), sent("tidy-up", "", `{}`), sent("decide:", "null", "{}"), sent("decide:reject", "[]", `{`+input("reason", "x")+`}`), sent("decide:approve", "{", `{`+input("name", "x")+`}`),
		`{"type":"view_closed",` + who + `,"view":{"callback_id":"ask:let-go"}}`, `{"type":"shortcut","callback_id":"ask:let-go"}`, `{"type":"message_action","callback_id":"decide:approve"}`, `{"type":"block_suggestion","value":"?"}`,
		`{"type":"dialog_submission","state":"?","submission":{"a":"?"}}`, `{"type":"interactive_message","actions":[{"name":"approve","value":"?"}]}`,
		`{"type":"block_actions","x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, strings.Repeat(`{"view":`, 2000), `{"type":"view_submission","view":{"blocks":[{"type":"input","element":null},{"type":"section","accessory":{"type":"?"}}],"state":{"values":{}}}}`,
	} {
		f.Add(payload, "view_submission")
		f.Add(payload, strings.Repeat("long ", 2000))
	}
	shortly()
	f.Fuzz(func(t *testing.T, payload, word string) {
		if len(payload)+len(word) > 64<<10 {
			t.Skip("longer than any form that Slack shows")
		}
		quoted, err := json.Marshal(word)
		if err != nil {
			t.Fatal(err)
		}
		payload = strings.ReplaceAll(payload, `?`, string(quoted[1:len(quoted)-1]))
		var did slack.InteractionCallback
		if json.Unmarshal([]byte(payload), &did) != nil {
			return // no handler ever sees it
		}
		if _, err := url.Parse(did.ResponseURL); err != nil {
			did.ResponseURL = benchHook // else each answer is tried for seconds
		}
		atBench.Lock()
		defer atBench.Unlock()
		b := turn(t)
		if did.TriggerID != "" {
			did.TriggerID = b.trigger() // no two things that people do have the same
		}
		ack := b.chat.Interaction(context.Background(), did)
		b.answered(t)
		requests, clicks := b.came(t)
		asker := b.chat.Presser(did)
		for _, r := range requests {
			if r.State != request.Asked || r.By != "" || !r.AdmittedAt.IsZero() || r.Plan != nil || r.Preview {
				t.Errorf("stored is %+v", r)
			}
			asker.Channel = r.Asker.Channel
			same(t, "who asked", asker, r.Asker)
		}
		for _, c := range clicks {
			asker.Channel = c.Asker.Channel
			same(t, "who pressed", asker, c.Asker)
		}
		switch did.Type {
		case slack.InteractionTypeBlockActions:
			if ack != nil {
				t.Errorf("the ack of a click is %+v", ack)
			}
			b.pressed(t, did, requests, clicks)
		case slack.InteractionTypeViewSubmission:
			if len(b.answers)+len(b.views) > 0 {
				t.Errorf("a form is answered with %+v and %d forms", b.answers, len(b.views))
			}
			b.submitted(t, did, ack, requests, clicks)
		case slack.InteractionTypeBlockSuggestion:
			if _, ok := ack.(chat.Suggestion); !ok || len(requests)+len(clicks)+len(b.views)+len(b.answers) > 0 {
				t.Errorf("of a search came the ack %+v, %d requests, %d clicks, %+v and %d forms", ack, len(requests), len(clicks), b.answers, len(b.views))
			}
		default:
			if ack != nil || len(requests)+len(clicks)+len(b.views) > 0 || len(b.answers) > 1 {
				t.Errorf("of a %s came the ack %+v, %d requests, %d clicks, %+v and %d forms", did.Type, ack, len(requests), len(clicks), b.answers, len(b.views))
			}
		}
	})
}

// verbs are the buttons that there are.
var verbs = []string{"retry", request.Approve, request.Reject, request.Withdraw, request.Undo, request.BreakGlass, request.Reviewed, request.QuarantineAgain, request.End}

// onShelf finds a request that was there from the beginning.
func onShelf(id string) (request.Request, bool) {
	i := slices.IndexFunc(shelf(), func(r request.Request) bool { return r.ID == id })
	if i < 0 {
		return request.Request{}, false
	}
	return shelf()[i], true
}

// pressed holds what came of buttons against what their requests' states allow.
func (b *bench) pressed(t *testing.T, did slack.InteractionCallback, requests []request.Request, clicks []request.Click) {
	t.Helper()
	var again, decided, before []string
	answers, forms := 0, 0
	told := 0 // where there is somewhere to tell it
	if did.ResponseURL != "" {
		told = 1
	}
	if len(did.ActionCallback.BlockActions) == 0 {
		answers += told
	}
	for _, action := range did.ActionCallback.BlockActions {
		id, digest, _ := strings.Cut(action.Value, ":")
		r, known := onShelf(id)
		_, offered := b.desk.Operation(r.Operation)
		verb, button := action.ActionID, slices.Contains(verbs, action.ActionID)
		// One that has no inputs was asked for again.
		if verb == "retry" && known && (r.State != request.Failed && r.State != request.Unknown || digest != r.Digest() || !offered || r.Plan == nil) {
			answers++
			continue
		}
		// Two of one trigger are one that arrived twice.
		this := verb + "\x00" + action.Value + "\x00" + action.ActionTs
		if did.TriggerID != "" && slices.Contains(before, this) {
			continue
		}
		before = append(before, this)
		switch {
		case !button:
			answers += told
		case !known:
			answers++
		case verb == "retry" && r.Operation != "let-go":
			again = append(again, r.ID)
		case verb == "retry", b.opensForm(verb, r, did):
			if b.mayPress(verb, r, did) {
				forms++
			} else {
				answers += told
			}
		default:
			decided = append(decided, verb+" "+id+" "+digest)
		}
	}
	if did.TriggerID == "" {
		answers, forms = answers+forms, 0 // Slack opens no form
	}
	if len(b.answers) != answers || len(b.views) != forms {
		t.Errorf("%d answers and %d forms, want %d and %d: %+v", len(b.answers), len(b.views), answers, forms, b.answers)
	}
	var stored []string
	for _, c := range clicks {
		stored = append(stored, c.Verb+" "+c.Request+" "+c.Digest)
		if c.Text != "" || c.Name != "" || c.Asker.Channel != did.Channel.ID {
			t.Errorf("the click is %+v", c)
		}
	}
	same(t, "the clicks", decided, stored)
	var repeated []string
	for _, r := range requests {
		repeated = append(repeated, r.Again)
		if before, ok := onShelf(r.Again); ok {
			same(t, "the inputs", before.Inputs, r.Inputs)
			same(t, "the operation", before.Operation, r.Operation)
		}
	}
	slices.Sort(again)
	slices.Sort(repeated)
	same(t, "what runs again", again, repeated)
}

// opensForm tells whether a decision must come with more than a click.
func (b *bench) opensForm(verb string, r request.Request, did slack.InteractionCallback) bool {
	switch verb {
	case request.Reject, request.BreakGlass:
		return r.State == request.Waiting
	case request.Approve:
		return r.State == request.Waiting && r.Operation == "burn-down"
	case request.Withdraw:
		theirs := did.User.ID == r.Asker.User && b.chat.Presser(did).Workspace == benchTeam
		return !theirs && (r.State == request.Waiting || r.State == request.Asked)
	case request.Undo:
		return !r.UndoUntil.IsZero()
	case request.Reviewed:
		return r.Glass != nil
	}
	return false
}

// mayPress tells whether a form opens for who pressed.
func (b *bench) mayPress(verb string, r request.Request, did slack.InteractionCallback) bool {
	login := b.desk.Team.Identities[did.User.ID]
	switch {
	case b.chat.Presser(did).Workspace != benchTeam, did.User.ID == "U0GUEST", login != "ada" && login != "grace", verb == request.BreakGlass:
		return false
	case verb == request.Approve:
		return login != r.By && did.User.ID != r.Asker.User
	}
	return true
}

// submitted holds what came of a form against what was entered.
func (b *bench) submitted(t *testing.T, did slack.InteractionCallback, ack any, requests []request.Request, clicks []request.Click) {
	t.Helper()
	wrong := map[string]string{}
	if ack != nil {
		response, ok := ack.(*slack.ViewSubmissionResponse)
		if !ok || response.ResponseAction != slack.RAErrors || response.View != nil || len(response.Errors) == 0 {
			t.Fatalf("the ack of a form is %+v", ack)
		}
		wrong = response.Errors
	}
	for block, problem := range wrong {
		if n := utf8.RuneCountInString(problem); n == 0 || n > 150 || !utf8.ValidString(problem) {
			t.Errorf("the problem of %q is %q", block, problem)
		}
	}
	entered := map[string][]string{}
	if did.View.State != nil {
		for block, actions := range did.View.State.Values {
			for _, action := range actions {
				entered[block] = append(entered[block], action.Value)
				for _, option := range action.SelectedOptions {
					entered[block] = append(entered[block], option.Value)
				}
			}
		}
	}
	o, asks := b.desk.Operation(strings.TrimPrefix(did.View.CallbackID, "ask:"))
	switch verb, decides := strings.CutPrefix(did.View.CallbackID, "decide:"); {
	case decides:
		if len(requests) > 0 || len(clicks) > 1 || (len(clicks) == 1) != (len(wrong) == 0) {
			t.Errorf("%d requests and %d clicks of a decision, and the problems %q", len(requests), len(clicks), wrong)
		}
		acknowledged(t, ack)
		for _, c := range clicks {
			asDecided(t, did.View.PrivateMetadata, verb, c, entered)
		}
	case asks:
		if len(clicks) > 0 || (len(requests) == 0) != (len(wrong) > 0) {
			t.Errorf("%d clicks and %d requests, and the problems %q", len(clicks), len(requests), wrong)
		}
		asked := func(block string) bool {
			return slices.ContainsFunc(o.Form, func(f ops.Field) bool { return f.Name == block })
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(wrong)), func(block string) bool { return !asked(block) }) {
			acknowledged(t, ack)
		}
		for _, r := range requests {
			asEntered(t, o, r, entered)
		}
	case len(requests)+len(clicks) > 0 || len(wrong) != 1:
		t.Errorf("%d requests, %d clicks and the problems %q of the form %q", len(requests), len(clicks), wrong, did.View.CallbackID)
	}
}

// asDecided complains of a decision that is another one than was sent.
func asDecided(t *testing.T, metadata, verb string, c request.Click, entered map[string][]string) {
	t.Helper()
	var about struct{ Value, Channel string }
	if err := json.Unmarshal([]byte(metadata), &about); err != nil {
		t.Errorf("a decision is stored without what it is about: %v", err)
	}
	id, digest, _ := strings.Cut(about.Value, ":")
	lines := func(texts []string) (list []string) {
		for _, text := range texts {
			list = append(list, strings.Join(strings.Fields(text), " "))
		}
		return list
	}
	if !slices.Contains(verbs, c.Verb) || c.Verb != verb || c.Request != id || c.Digest != digest || c.Asker.Channel != about.Channel {
		t.Errorf("sent is %s of %+v, and stored %+v", verb, about, c)
	}
	if c.Text != "" && !slices.Contains(kept(lines(entered["reason"])), c.Text) || c.Name != "" && !slices.Contains(entered["name"], c.Name) {
		t.Errorf("entered is %q, and stored %+v", entered, c)
	}
	if verb == request.Approve && c.Name == "" || verb != request.Approve && c.Text == "" || strings.Contains(c.Text, "\n") {
		t.Errorf("a decision without what it must come with: %+v", c)
	}
}

// asEntered complains of a request that is another one than was entered.
func asEntered(t *testing.T, o ops.Operation, r request.Request, entered map[string][]string) {
	t.Helper()
	if r.Operation != o.Name || r.Again != "" {
		t.Errorf("stored is %+v", r)
	}
	for name, values := range r.Inputs {
		if !among(kept(entered[name]), values...) {
			t.Errorf("entered is %q, and stored %s %q", entered, name, values)
		}
	}
	for _, field := range o.Form {
		values := r.Inputs[field.Name]
		if len(values) == 0 && !field.Optional || len(values) > 1 && (!field.List || o.Split == field.Name) {
			t.Errorf("%s is %q", field.Name, values)
		}
		for _, value := range values {
			if strings.TrimSpace(value) != value || value == "" || field.Check != nil && among(entered[field.Name], value) && field.Check(value) != nil {
				t.Errorf("%s is %q", field.Name, value)
			}
		}
	}
}
