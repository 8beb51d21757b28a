package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// ponds is an operation with a form in which one is chosen among many, two
// things are agreed to, and two fields must match. Its run has people reminded.
func ponds(asked *[]string, fault *error, remind func(time.Time) time.Time) ops.Operation {
	return ops.Operation{
		Name: "drain", Command: "/drain", Doc: "Drain a pond",
		Form: []ops.Field{
			{Name: "pond", Label: "Pond", Hint: "Type a part of its name.", Search: func(_ context.Context, r ops.Request, words string) ([]ops.Option, error) {
				*asked = append(*asked, r.Operation+" "+r.By+" "+words)
				if words == "many" {
					return slices.Repeat([]ops.Option{{Value: "p-2", Text: "A pond like others"}}, 300), *fault
				}
				return []ops.Option{{Value: "p-1", Text: "North pond\n" + strings.Repeat("very ", 30), Note: "with <!channel> ducks"}, {Text: "… type more"}}, *fault
			}, Check: func(value string) error {
				if !strings.HasPrefix(value, "p-") {
					return errors.New("Choose a pond.")
				}
				return nil
			}},
			{Name: "name", Label: "Its name"},
			{Name: "confirmed", Label: "Ducks", Hint: "Both matter.", Agree: []string{"They have left", "They know"}},
		},
		Match: func(inputs ops.Inputs) map[string]string {
			if inputs["name"][0] != "North" {
				return map[string]string{"name": "That is another pond."}
			}
			return nil
		},
		Plan: func(_ context.Context, r ops.Request, _ ops.Progress) (ops.Plan, error) {
			return ops.Plan{Summary: "Drains " + r.Inputs["pond"][0], Steps: []ops.Step{{Do: "drain", Title: "Drain", Effects: []string{"drain it"}}}}, nil
		},
		Do: map[string]func(context.Context, ops.Run) error{"drain": func(ctx context.Context, run ops.Run) error {
			for range 2 { // a step may run twice
				if err := run.Remind(ctx, remind(run.Now()), "The pond fills up again."); err != nil {
					return err
				}
			}
			return nil
		}},
	}
}

func TestWhatIsSearchedForIsChosen(t *testing.T) {
	t.Parallel()
	var asked []string
	var fault error
	o := start(t, ponds(&asked, &fault, func(now time.Time) time.Time { return now }))
	o.commands(o.ada, o.home, "/drain", "")
	view := o.form(o.ada)
	ack, err := o.Suggest(t.Context(), o.ada.ID, view.ID, "pond", "nor")
	if err != nil || len(ack.Options) != 2 || ack.Options[0].Value != "p-1" || !strings.HasPrefix(ack.Options[0].Text, "North pond very") || strings.Contains(ack.Options[0].Text, "\n") {
		t.Fatalf("found is %+v: %v", ack.Options, err)
	}
	same(t, "who searched for what", []string{"drain ada nor"}, asked)
	if ack, err := o.Suggest(t.Context(), o.ada.ID, view.ID, "pond", "many"); err != nil || len(ack.Options) != 100 {
		t.Errorf("of 300 there are %d: %v", len(ack.Options), err)
	}
	fault = &ops.Error{Kind: ops.Unavailable, What: "The ponds are under ice."}
	if ack, err := o.Suggest(t.Context(), o.ada.ID, view.ID, "pond", "x"); err != nil || len(ack.Options) != 1 || ack.Options[0].Text != "The ponds are under ice." {
		t.Errorf("of a fault there is %+v: %v", ack.Options, err)
	}
	fault = nil
	if _, err := o.Suggest(t.Context(), o.ada.ID, view.ID, "pond", "nor"); err != nil {
		t.Fatal(err)
	}
	both := slacktest.Pick("yes", "yes-2")
	for _, test := range []struct {
		name   string
		values map[string]slacktest.Value
		wrong  string
	}{
		{"what only says something can't be chosen", map[string]slacktest.Value{"pond": slacktest.Pick("-"), "name": slacktest.Text("North"), "confirmed": both}, "Choose a pond."},
		{"one of two statements isn't enough", map[string]slacktest.Value{"pond": slacktest.Pick("p-1"), "name": slacktest.Text("North"), "confirmed": slacktest.Pick("yes-2")}, "Please confirm all of it."},
		{"fields must match", map[string]slacktest.Value{"pond": slacktest.Pick("p-1"), "name": slacktest.Text("north"), "confirmed": both}, "That is another pond."},
	} {
		ack, err := o.Submit(t.Context(), o.ada.ID, view.ID, test.values)
		if err != nil || len(ack.Errors) != 1 || !strings.Contains(string(ack.Payload), test.wrong) {
			t.Errorf("%s: %v, %v", test.name, ack.Errors, err)
		}
	}
	o.fills(o.ada, map[string]slacktest.Value{"pond": slacktest.Pick("p-1"), "name": slacktest.Text("North"), "confirmed": both})
	card := o.card("Done")
	contains(t, "the card", card.PlainText(), "Pond: p-1", "Its name: North")
	if strings.Contains(card.PlainText(), "yes") {
		t.Errorf("the card tells of ticks:\n%s", card.PlainText())
	}
	o.wait("a reminder", func() bool { return strings.Contains(o.story(), "The pond fills up again.") })
	o.quietly()
	if n := strings.Count(o.story(), "The pond fills up again."); n != 1 {
		t.Errorf("people are reminded %d times", n)
	}
	o.fine()
}

func TestAsManyOptionsAreOfferedAsFit(t *testing.T) {
	t.Parallel()
	accounts := func(n int, name, note string) (list []ops.Option) {
		for i := range n {
			list = append(list, ops.Option{Value: fmt.Sprintf("%012d", i), Text: fmt.Sprintf("%012d %s", i, name), Note: note})
		}
		return list
	}
	long := strings.Repeat("x", 25)
	for _, test := range []struct {
		name  string
		found []ops.Option
		shown int // besides the one that says how many more there are
		more  string
	}{
		{name: "none", shown: 0},
		{name: "few", found: accounts(3, long, long), shown: 3},
		{name: "a hundred short ones", found: accounts(100, "a", ""), shown: 100},
		{name: "a hundred and one short ones", found: accounts(101, "a", ""), shown: 99, more: "2 more: type more of the name"},
		{name: "a hundred with notes", found: accounts(100, long, strings.Repeat("n", 45)), shown: 87, more: "13 more: type more of the name"},
		{name: "a hundred with &", found: accounts(100, strings.Repeat("&", 25), strings.Repeat("&", 45)), shown: 33, more: "67 more: type more of the name"},
		{name: "thousands", found: accounts(5000, long, strings.Repeat("n", 45)), shown: 87, more: "4913 more: type more of the name"},
		{name: "one whose value is longer than Slack takes", found: append(accounts(2, "a", ""), ops.Option{Value: strings.Repeat("v", 151), Text: "long"}), shown: 2, more: "1 more: type more of the name"},
		{name: "one without words", found: []ops.Option{{Value: "p-1", Text: " \n "}}, shown: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			offered := chat.Choices(test.found)
			body, err := json.Marshal(socketmode.Response{EnvelopeID: "00000000-0000-4000-8000-000000000000", Payload: offered})
			if err != nil || len(body) >= 20_000 {
				t.Errorf("the ack has %d bytes: %v", len(body), err)
			}
			if !strings.Contains(string(body), `"options":[`) {
				t.Errorf("the ack has no options: %s", body)
			}
			list, want := offered.Options, test.shown
			if test.more != "" {
				want++
			}
			if len(list) != want {
				t.Fatalf("%d options, %d wanted", len(list), want)
			}
			for i, o := range list[:test.shown] {
				if o.Value != test.found[i].Value || o.Text.Text == "" {
					t.Errorf("option %d is %+v", i, o)
				}
			}
			if last := list[max(0, want-1):]; test.more != "" && (last[0].Text.Text != test.more || last[0].Value != "-") {
				t.Errorf("the last option says %q", last[0].Text.Text)
			}
		})
	}
}

func TestAnEmptySearchAndAFullOneReachThePerson(t *testing.T) {
	t.Parallel()
	var asked []string
	var fault error
	operation := ponds(&asked, &fault, func(now time.Time) time.Time { return now })
	operation.Form[0].Search = func(_ context.Context, _ ops.Request, words string) ([]ops.Option, error) {
		if words == "zzz" {
			return nil, nil
		}
		return slices.Repeat([]ops.Option{{Value: "p-1", Text: strings.Repeat("&<>", 20), Note: strings.Repeat("&<>", 20)}}, 100), nil
	}
	o := start(t, operation)
	o.commands(o.ada, o.home, "/drain", "")
	view := o.form(o.ada)
	ack, err := o.Suggest(t.Context(), o.ada.ID, view.ID, "pond", "zzz")
	if err != nil || string(ack.Payload) != `{"options":[]}` {
		t.Errorf("nothing is told by %s: %v", ack.Payload, err)
	}
	ack, err = o.Suggest(t.Context(), o.ada.ID, view.ID, "pond", "")
	if err != nil || len(ack.Options) < 10 || !strings.HasSuffix(ack.Options[len(ack.Options)-1].Text, "more: type more of the name") {
		t.Errorf("much is told by %d options: %v", len(ack.Options), err)
	}
	o.fine()
}

func TestWhoMayNotAskFindsNothing(t *testing.T) {
	t.Parallel()
	var asked []string
	var fault error
	o := start(t, ponds(&asked, &fault, func(now time.Time) time.Time { return now }))
	for _, who := range []slacktest.User{o.mallory, o.nemo} {
		// Who may isn't found out in time, so the form opens.
		o.chat.Patient(100*time.Millisecond, 8*time.Second)
		o.SetDelay("users.info", time.Second)
		o.commands(who, o.home, "/drain", "")
		o.form(who)
		o.SetDelay("users.info", 0)
		ack, err := o.Suggest(t.Context(), who.ID, o.form(who).ID, "pond", "nor")
		if err != nil || len(ack.Options) != 1 || ack.Options[0].Value == "p-1" {
			t.Errorf("%s finds %+v: %v", who.Name, ack.Options, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("searched was %q", asked)
	}
}

func TestAReminderForLaterHoldsUpNothing(t *testing.T) {
	t.Parallel()
	var asked []string
	var fault error
	o := start(t, ponds(&asked, &fault, func(now time.Time) time.Time { return now.Add(76 * 24 * time.Hour) }))
	o.commands(o.ada, o.home, "/drain", "")
	if _, err := o.Suggest(t.Context(), o.ada.ID, o.form(o.ada).ID, "pond", "nor"); err != nil {
		t.Fatal(err)
	}
	o.fills(o.ada, map[string]slacktest.Value{"pond": slacktest.Pick("p-1"), "name": slacktest.Text("North"), "confirmed": slacktest.Pick("yes", "yes-2")})
	card := o.card("Done")
	o.wait("the result", func() bool { return strings.Contains(o.story(), "Result") })
	o.wait("all told but what is for later", func() bool {
		waiting, err := o.desk.Store.Unsent(context.Background())
		return err == nil && len(waiting) == 1 && waiting[0].Due.After(time.Now().Add(75*24*time.Hour))
	})
	if strings.Contains(o.story(), "fills up") || len(o.thread(card)) == 0 {
		t.Errorf("people are reminded at once")
	}
}

func TestAnAnswerThatIsTooLongForAnAckIsCut(t *testing.T) {
	t.Parallel()
	operation := tidy(work)
	operation.Doc = "Tidy up\n" + strings.Repeat("R&D and ", 2000)
	o := start(t, operation)
	said := o.types(o.nemo, o.home, "help")
	if !strings.HasPrefix(said, "*Tidy up*\nR&D and R&D") || !strings.HasSuffix(said, "…") || len(said) < 5000 {
		t.Errorf("help says %d bytes: %.60q", len(said), said)
	}
	o.fine()
}
