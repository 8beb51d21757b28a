package slacktest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// forms runs an app that opens form for /ask and answers submissions with what
// answer gives.
func forms(s *story, answer func(slack.InteractionCallback) any) {
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		switch d := e.Data.(type) {
		case slack.SlashCommand:
			_, _ = s.api.OpenView(d.TriggerID, form())
			ack(nil)(client, e)
		case slack.InteractionCallback:
			ack(answer(d))(client, e)
		}
	})
}

func (s *story) ask() slacktest.View {
	s.t.Helper()
	if _, err := s.Command(s.t.Context(), s.ada.ID, s.ops.ID, "/ask", ""); err != nil {
		s.t.Fatal(err)
	}
	all := s.Views(s.ada.ID)
	if len(all) != 1 {
		s.t.Fatalf("Ada has %d modals open", len(all))
	}
	return all[0]
}

func filled() map[string]slacktest.Value {
	return map[string]slacktest.Value{
		"email": slacktest.Text("octo@example.gov.uk"), "reason": slacktest.Text("left"), "stage": slacktest.Pick("1"),
	}
}

func TestAFormIsSubmittedWithWhatWasEntered(t *testing.T) {
	s := begin(t, slacktest.Options{})
	got := make(chan slack.InteractionCallback, 1)
	forms(s, func(cb slack.InteractionCallback) any { got <- cb; return nil })
	v := s.ask()
	if want := "Remove a user\nE-mail\n[ ________________________ ]\nReason\n[ ________________________ ]\nStage (optional)\n[ Pick ▾ ]\n[ Cancel ]  [ Ask ]"; v.PlainText() != want {
		t.Errorf("the form reads\n%s\nwant\n%s", v.PlainText(), want)
	}
	if _, err := s.Submit(t.Context(), s.ada.ID, v.ID, filled()); err != nil {
		t.Fatal(err)
	}
	cb := <-got
	if cb.Type != slack.InteractionTypeViewSubmission || cb.View.ID != v.ID || cb.View.CallbackID != "ask:remove-user" || cb.User.ID != s.ada.ID || cb.View.Hash == "" || cb.View.RootViewID != v.ID {
		t.Errorf("payload is %+v", cb)
	}
	in := cb.View.State.Values
	if in["email"]["value"].Value != "octo@example.gov.uk" || in["reason"]["value"].Value != "left" || in["stage"]["menu"].SelectedOption.Value != "1" {
		t.Errorf("state is %+v", in)
	}
	if len(s.Views(s.ada.ID)) != 0 {
		t.Error("the modal is still open")
	}
	s.blameless()
}

func TestSlackChecksAFormBeforeTheAppDoes(t *testing.T) {
	s := begin(t, slacktest.Options{})
	forms(s, func(slack.InteractionCallback) any { t.Error("the app was asked"); return nil })
	v := s.ask()
	for name, change := range map[string]func(map[string]slacktest.Value){
		"a required field is empty":   func(in map[string]slacktest.Value) { delete(in, "reason") },
		"no e-mail address":           func(in map[string]slacktest.Value) { in["email"] = slacktest.Text("octo") },
		"too long":                    func(in map[string]slacktest.Value) { in["reason"] = slacktest.Text("a long story") },
		"an option that is not there": func(in map[string]slacktest.Value) { in["stage"] = slacktest.Pick("9") },
		"two options":                 func(in map[string]slacktest.Value) { in["stage"] = slacktest.Pick("0", "1") },
		"an input that is not there":  func(in map[string]slacktest.Value) { in["colour"] = slacktest.Text("blue") },
	} {
		t.Run(name, func(t *testing.T) {
			in := filled()
			change(in)
			if _, err := s.Submit(t.Context(), s.ada.ID, v.ID, in); err == nil {
				t.Error("it was submitted")
			}
		})
	}
	if _, err := s.Submit(t.Context(), s.grace.ID, v.ID, filled()); err == nil {
		t.Error("Grace submitted Ada's form")
	}
}

func TestErrorsStayInTheForm(t *testing.T) {
	s := begin(t, slacktest.Options{})
	faults := map[string]string{"email": "Nobody has this address"}
	forms(s, func(slack.InteractionCallback) any { return slack.NewErrorsViewSubmissionResponse(faults) })
	v := s.ask()
	a, err := s.Submit(t.Context(), s.ada.ID, v.ID, filled())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(faults, a.Errors); d != "" {
		t.Error(d)
	}
	if all := s.Views(s.ada.ID); len(all) != 1 || !strings.Contains(all[0].PlainText(), "⚠ Nobody has this address") {
		t.Errorf("Ada sees %+v", all)
	}
	s.blameless()
}

func TestAnswersToASubmission(t *testing.T) {
	next := form()
	next.Title = text("Really?")
	broken := form()
	broken.Title = text(x(25))
	for name, test := range map[string]struct {
		answer any
		titles string
		bad    bool
	}{
		"update replaces the modal":          {slack.NewUpdateViewSubmissionResponse(&next), "Really?", false},
		"push puts one on top":               {slack.NewPushViewSubmissionResponse(&next), "Remove a user,Really?", false},
		"clear closes all":                   {slack.NewClearViewSubmissionResponse(), "", false},
		"errors need a field that is there":  {slack.NewErrorsViewSubmissionResponse(map[string]string{"x": "y"}), "Remove a user", true},
		"errors need errors":                 {slack.NewErrorsViewSubmissionResponse(nil), "Remove a user", true},
		"a broken view changes nothing":      {slack.NewUpdateViewSubmissionResponse(&broken), "Remove a user", true},
		"an unknown response_action is none": {map[string]string{"response_action": "dance"}, "Remove a user", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, slacktest.Options{})
			forms(s, func(slack.InteractionCallback) any { return test.answer })
			_, err := s.Submit(t.Context(), s.ada.ID, s.ask().ID, filled())
			if (err != nil) != test.bad || (len(s.Problems()) != 0) != test.bad {
				t.Errorf("error %v, problems %q", err, s.Problems())
			}
			var titles []string
			for _, v := range s.Views(s.ada.ID) {
				titles = append(titles, v.Title)
			}
			if got := strings.Join(titles, ","); got != test.titles {
				t.Errorf("modals are %q, want %q", got, test.titles)
			}
		})
	}
}

func TestATriggerLivesThreeSecondsAndOnce(t *testing.T) {
	now := moment
	s := begin(t, slacktest.Options{Now: func() time.Time { return now }})
	var trigger string
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if c, ok := e.Data.(slack.SlashCommand); ok {
			trigger = c.TriggerID
			ack(nil)(client, e)
		}
	})
	command := func() {
		if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/ask", ""); err != nil {
			t.Fatal(err)
		}
	}
	command()
	v, err := s.api.OpenView(trigger, form())
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.api.OpenView(trigger, form())
	failed(t, err, "exchanged_trigger_id")
	command()
	now = now.Add(3001 * time.Millisecond)
	_, err = s.api.OpenView(trigger, form())
	failed(t, err, "expired_trigger_id")

	next := form()
	next.Title = text("Changed")
	_, err = s.api.UpdateView(next, "", "an old hash", v.ID)
	failed(t, err, "hash_conflict")
	if _, err := s.api.UpdateView(next, "", v.Hash, v.ID); err != nil {
		t.Fatal(err)
	}
	_, err = s.api.UpdateView(next, "", "", "V0NOWHERE")
	failed(t, err, "not_found")
	for _, want := range []string{"", "", "push_limit_reached"} {
		command()
		if _, err := s.api.PushView(trigger, form()); want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("push: %v, want %q", err, want)
		}
	}
	all := s.Views(s.ada.ID)
	if len(all) != 3 || all[0].Title != "Changed" || all[2].PreviousViewID != all[1].ID {
		t.Errorf("modals are %+v", all)
	}
	if _, err := s.CloseView(t.Context(), s.ada.ID, all[2].ID); err != nil || len(s.Views(s.ada.ID)) != 2 {
		t.Errorf("closing: %v", err)
	}
}

func TestAHomeTabIsPublishedAndClicked(t *testing.T) {
	s := begin(t, slacktest.Options{})
	got := make(chan slack.InteractionCallback, 1)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		ack(nil)(client, e)
		if cb, ok := e.Data.(slack.InteractionCallback); ok {
			got <- cb
		}
	})
	page := slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: []slack.Block{
		section("Nothing is waiting for you."), slack.NewActionBlock("", button("refresh", "", "Refresh")),
	}}}
	if _, err := s.api.PublishView(s.ada.ID, page, ""); err != nil {
		t.Fatal(err)
	}
	v, ok := s.Home(s.ada.ID)
	if !ok || v.PlainText() != "Nothing is waiting for you.\n[ Refresh ]" {
		t.Errorf("home is %v %+v", ok, v)
	}
	if _, err := s.ClickView(t.Context(), s.ada.ID, v.ID, "refresh"); err != nil {
		t.Fatal(err)
	}
	if cb := <-got; cb.Container.Type != "view" || cb.View.ID != v.ID || cb.TriggerID == "" {
		t.Errorf("payload is %+v", cb)
	}
	if _, ok := s.Home(s.grace.ID); ok {
		t.Error("Grace has a home")
	}
	s.blameless()
}

func TestAMenuAsksTheApp(t *testing.T) {
	s := begin(t, slacktest.Options{})
	ask := form()
	least := 1
	accounts := &slack.SelectBlockElement{Type: slack.OptTypeExternal, ActionID: "account", MinQueryLength: &least}
	ask.Blocks.BlockSet = []slack.Block{slack.NewInputBlock("account", text("Account"), nil, accounts)}
	got := make(chan slack.InteractionCallback, 1)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		switch d := e.Data.(type) {
		case slack.SlashCommand:
			_, _ = s.api.OpenView(d.TriggerID, ask)
			ack(nil)(client, e)
		case slack.InteractionCallback:
			if d.Type == slack.InteractionTypeBlockSuggestion {
				ack(slack.OptionsResponse{Options: []*slack.OptionBlockObject{slack.NewOptionBlockObject("123", text("prod "+d.Value), nil)}})(client, e)
				return
			}
			ack(nil)(client, e)
			got <- d
		}
	})
	v := s.ask()
	if _, err := s.Submit(t.Context(), s.ada.ID, v.ID, map[string]slacktest.Value{"account": slacktest.Pick("123")}); err == nil {
		t.Error("an option was chosen that the app had not offered")
	}
	a, err := s.Suggest(t.Context(), s.ada.ID, v.ID, "account", "we")
	if err != nil || len(a.Options) != 1 || a.Options[0].Text != "prod we" || a.Options[0].Value != "123" {
		t.Fatalf("options are %+v, %v", a.Options, err)
	}
	if _, err := s.Submit(t.Context(), s.ada.ID, v.ID, map[string]slacktest.Value{"account": slacktest.Pick("123")}); err != nil {
		t.Fatal(err)
	}
	if cb := <-got; cb.View.State.Values["account"]["account"].SelectedOption.Text.Text != "prod we" {
		t.Errorf("state is %+v", cb.View.State)
	}
	s.blameless()
}
