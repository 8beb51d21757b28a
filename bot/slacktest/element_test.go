package slacktest_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func TestEveryKindOfInputHoldsItsValue(t *testing.T) {
	s := begin(t, slacktest.Options{})
	options := []*slack.OptionBlockObject{slack.NewOptionBlockObject("1", text("One"), nil), slack.NewOptionBlockObject("2", text("Two"), nil)}
	day := slack.NewDatePickerBlockElement("a")
	day.InitialDate = "2026-03-02"
	kinds := []slack.BlockElement{
		slack.NewPlainTextInputBlockElement(nil, "a").WithInitialValue("as it was"),
		slack.NewURLTextInputBlockElement(nil, "a"),
		slack.NewNumberInputBlockElement(nil, "a", false),
		day,
		slack.NewTimePickerBlockElement("a"),
		slack.NewDateTimePickerBlockElement("a"),
		slack.NewCheckboxGroupsBlockElement("a", options...),
		slack.NewRadioButtonsBlockElement("a", options...),
		slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeStatic, nil, "a", options...).WithInitialOptions(options[1]),
		slack.NewOptionsSelectBlockElement(slack.OptTypeUser, nil, "a"),
		slack.NewOptionsMultiSelectBlockElement(slack.MultiOptTypeUser, nil, "a"),
		slack.NewOptionsSelectBlockElement(slack.OptTypeChannels, nil, "a"),
		slack.NewOptionsSelectBlockElement(slack.OptTypeConversations, nil, "a"),
	}
	values := []slacktest.Value{
		{},
		slacktest.Text("https://example.com/"), slacktest.Text("12"),
		{},
		{Time: "09:14"},
		{DateTime: 1772442840},
		slacktest.Pick("1", "2"), slacktest.Pick("2"),
		{},
		{Users: []string{s.ada.ID}},
		{Users: []string{s.ada.ID, s.grace.ID}},
		{Channels: []string{s.ops.ID}},
		{Conversations: []string{s.ops.ID}},
	}
	one := `{"text":{"type":"plain_text","text":"One","emoji":false},"value":"1"}`
	two := `{"text":{"type":"plain_text","text":"Two","emoji":false},"value":"2"}`
	want := []string{
		`{"type":"plain_text_input","value":"as it was"}`, `{"type":"url_text_input","value":"https://example.com/"}`,
		`{"type":"number_input","value":"12"}`, `{"type":"datepicker","selected_date":"2026-03-02"}`,
		`{"type":"timepicker","selected_time":"09:14"}`, `{"type":"datetimepicker","selected_date_time":1772442840}`,
		`{"type":"checkboxes","selected_options":[` + one + `,` + two + `]}`, `{"type":"radio_buttons","selected_option":` + two + `}`,
		`{"type":"multi_static_select","selected_options":[` + two + `]}`, `{"type":"users_select","selected_user":"` + s.ada.ID + `"}`,
		`{"type":"multi_users_select","selected_users":["` + s.ada.ID + `","` + s.grace.ID + `"]}`,
		`{"type":"channels_select","selected_channel":"` + s.ops.ID + `"}`, `{"type":"conversations_select","selected_conversation":"` + s.ops.ID + `"}`,
	}
	ask := form()
	ask.NotifyOnClose = true
	ask.Blocks.BlockSet = nil
	entered := map[string]slacktest.Value{}
	for i, e := range kinds {
		id := string(rune('a' + i))
		ask.Blocks.BlockSet = append(ask.Blocks.BlockSet, slack.NewInputBlock(id, text("L"), nil, e))
		entered[id] = values[i]
	}
	got := make(chan json.RawMessage, 2)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		switch d := e.Data.(type) {
		case slack.SlashCommand:
			if _, err := s.api.OpenView(d.TriggerID, ask); err != nil {
				t.Error(err)
			}
			ack(nil)(client, e)
		case slack.InteractionCallback:
			got <- e.Request.Payload
			ack(nil)(client, e)
		}
	})
	if _, err := s.Submit(t.Context(), s.ada.ID, s.ask().ID, entered); err != nil {
		t.Fatal(err)
	}
	var payload struct {
		Type string
		View struct {
			State struct{ Values map[string]map[string]any }
		}
	}
	if err := json.Unmarshal(<-got, &payload); err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		var state any
		if err := json.Unmarshal([]byte(w), &state); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(state, payload.View.State.Values[string(rune('a'+i))]["a"]); d != "" {
			t.Error(d)
		}
	}
	if _, err := s.CloseView(t.Context(), s.ada.ID, s.ask().ID); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(<-got, &payload); err != nil || payload.Type != "view_closed" {
		t.Errorf("closing sent %q, %v", payload.Type, err)
	}
	s.blameless()
}

func TestMenusInMessagesAreChosenFrom(t *testing.T) {
	s := begin(t, slacktest.Options{})
	got := make(chan *slack.BlockAction, 1)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if cb, ok := e.Data.(slack.InteractionCallback); ok {
			ack(nil)(client, e)
			got <- cb.ActionCallback.BlockActions[0]
		}
	})
	ts := s.post(slack.MsgOptionBlocks(accessory(menu(3, 5))))
	if _, err := s.Choose(t.Context(), s.ada.ID, s.ops.ID, ts, "menu", slacktest.Pick("2")); err != nil {
		t.Fatal(err)
	}
	if a := <-got; a.SelectedOption.Value != "2" || a.ActionID != "menu" {
		t.Errorf("action is %+v", a)
	}
	if _, err := s.Choose(t.Context(), s.ada.ID, s.ops.ID, ts, "menu", slacktest.Pick("7")); err == nil {
		t.Error("an option was chosen that is not there")
	}
	s.blameless()
}

func TestAPayloadForAClickIsAProblem(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.connect(ack(map[string]string{"text": "thanks"}))
	ts := s.post(slack.MsgOptionBlocks(slack.NewActionBlock("", button("b", "v", "B"))))
	if _, err := s.Click(t.Context(), s.ada.ID, s.ops.ID, ts, "b"); err != nil {
		t.Fatal(err)
	}
	if p := s.Problems(); len(p) != 1 {
		t.Errorf("problems are %q", p)
	}
}

func TestWhatAPersonReads(t *testing.T) {
	s := begin(t, slacktest.Options{})
	style := func(text string) slack.RichTextSectionElement { return slack.NewRichTextSectionTextElement(text, nil) }
	for name, test := range map[string]struct {
		block slack.Block
		want  string
	}{
		"mrkdwn stays, escapes do not": {section("*a* &lt;b&gt; &amp;amp; <@U1>"), "*a* <b> &amp; <@U1>"},
		"code stays fenced":            {section("x\n```\ny\n```"), "x\n```\ny\n```"},
		"fields in a row": {
			slack.NewSectionBlock(nil, []*slack.TextBlockObject{mrkdwn("*A*\n1"), mrkdwn("*B*\n2")}, nil), "*A*\n1\n*B*\n2",
		},
		"an image by what it shows": {slack.NewImageBlock("https://e.example/i.png", "a chart", "", text("Costs")), "Costs\n🖼  a chart"},
		"context in one line":       {slack.NewContextBlock("", mrkdwn("a"), mrkdwn("b")), "a  b"},
		"markdown":                  {slack.NewMarkdownBlock("", "# a & b"), "# a & b"},
		"a menu":                    {accessory(menu(1, 1)), "s\n[ Pick ▾ ]"},
		"an overflow menu": {
			accessory(slack.NewOverflowBlockElement("o", slack.NewOptionBlockObject("1", text("One"), nil))), "s\n[ ⋯ One ]",
		},
		"rich text": {
			slack.NewRichTextBlock("",
				slack.NewRichTextSection(style("see "), slack.NewRichTextSectionLinkElement("https://e.example", "this", nil), slack.NewRichTextSectionUserElement("U1", nil), slack.NewRichTextSectionEmojiElement("eyes", 0, nil)),
				slack.NewRichTextList(slack.RTEListBullet, 0, slack.NewRichTextSection(style("a & b")), slack.NewRichTextSection(style("c"))),
				&slack.RichTextQuote{Type: slack.RTEQuote, Elements: []slack.RichTextSectionElement{style("q")}},
				&slack.RichTextPreformatted{Type: slack.RTEPreformatted, Elements: []slack.RichTextSectionElement{style("x\ny")}},
			),
			"see <https://e.example|this><@U1>:eyes:\n• a & b\n• c\n> q\nx\ny",
		},
	} {
		t.Run(name, func(t *testing.T) {
			ts := s.post(slack.MsgOptionBlocks(test.block))
			for _, m := range s.Messages(s.ops.ID) {
				if m.TS == ts && m.PlainText() != test.want {
					t.Errorf("reads %q, want %q", m.PlainText(), test.want)
				}
			}
		})
	}
}
