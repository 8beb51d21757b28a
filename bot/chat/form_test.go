package chat_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

func TestAFormIsFilledInFromTheCommand(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	if said := o.commands(o.ada, o.place, "/let-go", ann+", "+bob); said != "" {
		t.Errorf("the ack says %q", said)
	}
	view := o.form(o.ada)
	same(t, "callback_id", "ask:let-go", view.CallbackID)
	golden(t, "form-ask.txt", o.RenderView(view))
	if n := len(o.requests()); n != 0 {
		t.Errorf("%d requests before the form is sent", n)
	}
	statement := slacktest.Pick("yes")
	for _, test := range []struct {
		name   string
		values map[string]slacktest.Value
		wrong  map[string]string
	}{
		{
			"what a check refuses is said at its field",
			map[string]slacktest.Value{"emails": slacktest.Text(ann + " nobody"), "reason": slacktest.Text("x"), "confirmed": statement},
			map[string]string{"emails": "nobody is no e-mail address."},
		},
		{
			"the same twice",
			map[string]slacktest.Value{"emails": slacktest.Text(ann + "\n" + ann), "reason": slacktest.Text("x"), "confirmed": statement},
			map[string]string{"emails": ann + " stands here twice."},
		},
		{
			"blanks",
			map[string]slacktest.Value{"emails": slacktest.Text(" , ;"), "reason": slacktest.Text(" \n"), "confirmed": statement},
			map[string]string{"emails": "Please fill this in.", "reason": "Please fill this in."},
		},
		{
			"a long wrong value is shortened",
			map[string]slacktest.Value{"emails": slacktest.Text(strings.Repeat("x", 400)), "reason": slacktest.Text("x"), "confirmed": statement},
			map[string]string{"emails": strings.Repeat("x", 149) + "…"},
		},
	} {
		ack := o.fills(o.ada, test.values)
		same(t, test.name, test.wrong, ack.Errors)
	}
	if _, err := o.Submit(t.Context(), o.ada.ID, view.ID, map[string]slacktest.Value{"reason": slacktest.Text("x")}); err == nil {
		t.Error("the form can be sent without the statement")
	}
	if n := len(o.requests()); n != 0 {
		t.Fatalf("%d requests of faulty forms", n)
	}
	ack := o.fills(o.ada, map[string]slacktest.Value{"emails": slacktest.Text(ann + ";\n" + bob), "reason": slacktest.Text(" has left "), "confirmed": statement})
	if len(ack.Errors) > 0 || len(o.Views(o.ada.ID)) != 0 {
		t.Fatalf("errors %v; %d forms are open", ack.Errors, len(o.Views(o.ada.ID)))
	}
	list := o.requests()
	if len(list) != 2 {
		t.Fatalf("%d requests", len(list))
	}
	for i, name := range []string{ann, bob} {
		same(t, "inputs", ops.Inputs{"emails": {name}, "reason": {"has left"}, "confirmed": {"yes"}}, list[i].Inputs)
		same(t, "who asks", request.Asker{Front: "slack", Workspace: o.TeamID, User: o.ada.ID, Channel: o.place.ID}, list[i].Asker)
	}
	o.fine()
}

func TestACommandTypedElsewherePointsToItsChannel(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	for _, where := range []slacktest.Channel{o.lobby, o.general, o.home} {
		contains(t, "the answer", o.commands(o.ada, where, "/let-go", ann), "/let-go", "<#"+o.place.ID+">", "Nothing was changed")
	}
	contains(t, "help", o.commands(o.nemo, o.general, "/let-go", "help"), "Let somebody go", "Takes their keys.", "[e-mail address…]")
	if n := len(o.Views(o.ada.ID)) + len(o.requests()) + o.Count("views.open"); n != 0 {
		t.Errorf("%d forms and requests", n)
	}
	o.fine()
}

func TestAStatementWithoutAHintCanBeAgreedTo(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{}, func(op *ops.Operation, _ *request.Terms) { op.Form[3].Hint = "" })
	o.commands(o.ada, o.place, "/let-go", ann)
	contains(t, "the form", o.form(o.ada).PlainText(), "Other teams")
	o.fine()
}

// sent is a form as Slack sends it, with values by block.
func (o *office) sent(who slacktest.User, callback string, values map[string]string) (slacktest.Ack, error) {
	state := map[string]any{}
	for block, value := range values {
		state[block] = map[string]any{block: map[string]any{"type": "plain_text_input", "value": value}}
	}
	return o.Send(o.t.Context(), "interactive", map[string]any{
		"type": "view_submission", "team": map[string]any{"id": o.TeamID}, "user": map[string]any{"id": who.ID, "team_id": o.TeamID},
		"view": map[string]any{"type": "modal", "callback_id": callback, "private_metadata": o.place.ID, "state": map[string]any{"values": state}},
	})
}

func TestAFormThatWasMadeUp(t *testing.T) {
	t.Parallel()
	fine := map[string]string{"emails": ann, "reason": "has left", "confirmed": "yes"}
	with := func(name, value string) map[string]string {
		all := map[string]string{name: value}
		for k, v := range fine {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	o := meeting(t, &crew{})
	for _, test := range []struct {
		name, callback string
		values         map[string]string
	}{
		{"a field that wasn't asked", "ask:let-go", with("admin", "true")},
		{"no fields", "ask:let-go", nil},
		{"an operation that isn't offered", "ask:burn-down", fine},
		{"no operation", "ask:", fine},
		{"a decision about nothing", "decide:approve", map[string]string{"name": ann}},
		{"a decision without a reason", "decide:reject", nil},
		{"nothing known", "x", fine},
	} {
		t.Run(test.name, func(t *testing.T) {
			ack, err := o.sent(o.ada, test.callback, test.values)
			if err != nil || ack.Late {
				t.Fatalf("no ack: %v", err)
			}
			if test.name == "a field that wasn't asked" {
				contains(t, "the ack", string(ack.Payload), "errors", "admin")
			}
			if n := len(o.requests()); n != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestWhatNobodyCanReadIsRefused(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	for _, test := range []struct{ name, text, says string }{
		{"a hundred kilobytes", strings.Repeat("<!here> long ", 8000), "longer than 3000 characters"},
		{"control characters", "bell \a null \x00 escape \x1b[31m", "can't be seen"},
		{"what turns the direction of writing", "back \u202e forth \u2066", "can't be seen"},
	} {
		for _, field := range []string{"emails", "reason", "ticket"} {
			t.Run(test.name+" in "+field, func(t *testing.T) {
				values := map[string]string{"emails": ann, "reason": "has left", "ticket": "T-1", "confirmed": "yes"}
				values[field] = test.text
				ack, err := o.sent(o.ada, "ask:let-go", values)
				if err != nil {
					t.Fatal(err)
				}
				contains(t, "the ack", string(ack.Payload), "errors", field, test.says)
			})
		}
	}
	card := o.proposes(o.ada, ann)
	value := o.choice(card, ann)
	o.presses(o.grace, value, "reject")
	view := o.form(o.grace)
	ack, err := o.Submit(t.Context(), o.grace.ID, view.ID, map[string]slacktest.Value{"reason": slacktest.Text("bell \a")})
	if err != nil {
		t.Fatal(err)
	}
	contains(t, "the answer to a rejection", string(ack.Payload), "can't be seen")
	if n := len(o.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestWhateverIsTypedIsHarmless(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, reason string }{
		{"mentions and links", "<!channel> <@U0GRACE> <https://evil.example|good> <#C0GENERAL>"},
		{"as much as a field takes", strings.Repeat("<!here> long ", 230)},
		{"lines that look like the bot's own", "has left\n✅ *Done*\nApproved by grace at 2 Mar 13:00 UTC"},
		{"code", "```\nhas left\n``` `x`"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := meeting(t, &crew{})
			if _, err := o.sent(o.ada, "ask:let-go", map[string]string{"emails": ann, "reason": test.reason, "ticket": test.reason, "confirmed": "yes"}); err != nil {
				t.Fatal(err)
			}
			o.wait("a card", func() bool { return len(o.Messages(o.place.ID)) == 1 })
			card := o.Messages(o.place.ID)[0]
			choice := o.choice(card, ann)
			o.presses(o.grace, choice, "reject")
			o.fills(o.grace, map[string]slacktest.Value{"reason": slacktest.Text(test.reason[:min(3000, len(test.reason))])})
			o.says(card, "Not run")
			o.quietly()
			card = o.again(card)
			for _, m := range append(append(append(o.under(card), card), o.cards()...), o.Direct(o.ada.ID)...) {
				harmless(t, m, "U0ADA", "U0GRACE")
				text := m.PlainText()
				if i := strings.IndexAny(text, "\x00\a\x1b\u202e\u2066"); i >= 0 {
					t.Errorf("there is a %q in\n%s", text[i:i+1], text)
				}
				if strings.Contains(text, "\nApproved by") || strings.Contains(text, "\n✅") {
					t.Errorf("somebody wrote lines as if they were the bot's:\n%s", text)
				}
			}
			o.fine()
		})
	}
}

func TestALongListIsAskedForAtOnce(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	var emails []string
	for i := range 6 {
		emails = append(emails, fmt.Sprintf("person-%d@example.com", i+1))
	}
	card := o.proposes(o.ada, strings.Join(emails, " "))
	o.wait("all planned", func() bool { return strings.Count(o.again(card).PlainText(), "Waiting") == len(emails) })
	contains(t, "the card", o.again(card).PlainText(), emails...)
	if n := len(o.Messages(o.place.ID)); n != 1 {
		t.Errorf("%d cards", n)
	}
}
