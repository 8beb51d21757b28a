package slacktest_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func TestACommandIsDeliveredAndItsAckIsShownToTheAsker(t *testing.T) {
	s := begin(t, slacktest.Options{Commands: []string{"/scim-sync"}})
	got := make(chan slack.SlashCommand, 1)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if cmd, ok := e.Data.(slack.SlashCommand); ok {
			got <- cmd
			ack(map[string]string{"text": "On it, <@" + cmd.UserID + ">"})(client, e)
		}
	})
	a, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/scim-sync", "octocat ")
	if err != nil {
		t.Fatal(err)
	}
	cmd := <-got
	if !strings.HasPrefix(cmd.ResponseURL, "http://127.0.0.1:") || cmd.TriggerID == "" || cmd.Token == "" {
		t.Errorf("command lacks a response_url, trigger_id or token: %+v", cmd)
	}
	cmd.ResponseURL, cmd.TriggerID, cmd.Token = "", "", ""
	want := slack.SlashCommand{
		TeamID: s.TeamID, TeamDomain: "example", ChannelID: s.ops.ID, ChannelName: "ops", UserID: s.ada.ID,
		UserName: "ada", Command: "/scim-sync", Text: "octocat", APIAppID: s.AppID,
	}
	if d := cmp.Diff(want, cmd); d != "" {
		t.Error(d)
	}
	if a.Late || a.After > time.Second || a.Message == nil {
		t.Errorf("ack is %+v", a)
	}
	if all := s.Ephemerals(s.ada.ID); len(all) != 1 || all[0].PlainText() != "On it, <@"+s.ada.ID+">" {
		t.Errorf("Ada sees %+v", all)
	}
	if len(s.Ephemerals(s.grace.ID)) != 0 || len(s.Messages(s.ops.ID)) != 0 {
		t.Error("others see the ack of a command")
	}
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/nonsense", ""); err == nil {
		t.Error("a command that is not registered was sent")
	}
	s.blameless()
}

func TestACommandsAckCanBeForAll(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.connect(ack(map[string]string{"text": "hello all", "response_type": "in_channel"}))
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); err != nil {
		t.Fatal(err)
	}
	if all := s.Messages(s.ops.ID); len(all) != 1 || all[0].Text != "hello all" {
		t.Errorf("the channel holds %+v", all)
	}
}

func TestACommandWithoutAConnectionFails(t *testing.T) {
	s := begin(t, slacktest.Options{})
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); !errors.Is(err, slacktest.ErrNoConnection) {
		t.Errorf("error is %v", err)
	}
}

func TestALateAckIsAProblemAndDoesNothing(t *testing.T) {
	s := begin(t, slacktest.Options{AckTimeout: 50 * time.Millisecond})
	held := make(chan socketmode.Event, 1)
	client := s.connect(func(_ *socketmode.Client, e socketmode.Event) {
		if e.Type == socketmode.EventTypeSlashCommand {
			held <- e
		}
	})
	a, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", "")
	if !errors.Is(err, slacktest.ErrNoAck) || !a.Late {
		t.Fatalf("ack %+v, error %v", a, err)
	}
	ack(map[string]string{"text": "sorry"})(client, <-held)
	s.wait(func() bool { return len(s.Problems()) == 1 })
	if p := s.Problems()[0]; !strings.Contains(p, "too late") {
		t.Errorf("problem is %q", p)
	}
	if len(s.Ephemerals(s.ada.ID)) != 0 {
		t.Error("a late ack was shown")
	}
}

func TestAnOversizedAckIsDropped(t *testing.T) {
	s := begin(t, slacktest.Options{AckTimeout: 200 * time.Millisecond})
	conn := dial(t, s)
	go func() {
		for {
			var envelope struct {
				EnvelopeID string `json:"envelope_id"`
			}
			if conn.ReadJSON(&envelope) != nil {
				return
			}
			if envelope.EnvelopeID != "" {
				_ = conn.WriteJSON(map[string]any{"envelope_id": envelope.EnvelopeID, "payload": map[string]string{"text": strings.Repeat("x", 20*1024)}})
			}
		}
	}()
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); !errors.Is(err, slacktest.ErrNoAck) {
		t.Errorf("error is %v", err)
	}
	if p := strings.Join(s.Problems(), "\n"); !strings.Contains(p, "dropped") {
		t.Errorf("problems are %q", p)
	}
}

func TestInvalidBlocksInAnAckAreAProblem(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.connect(ack(map[string]any{"blocks": []any{map[string]any{"type": "blink"}}}))
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); !errors.Is(err, slacktest.ErrBadAck) {
		t.Errorf("error is %v", err)
	}
	if len(s.Problems()) != 1 {
		t.Errorf("problems are %q", s.Problems())
	}
}

func TestAClickCarriesTheMessageAndTheButton(t *testing.T) {
	s := begin(t, slacktest.Options{})
	got := make(chan slack.InteractionCallback, 1)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if cb, ok := e.Data.(slack.InteractionCallback); ok {
			ack(nil)(client, e)
			got <- cb
		}
	})
	ts := s.post(slack.MsgOptionText("fallback", false), slack.MsgOptionBlocks(
		slack.NewSectionBlock(mrkdwn("Remove *octocat*?"), nil, nil),
		slack.NewActionBlock("decide", button("approve", "r1:abc", "Approve").WithStyle(slack.StylePrimary), button("reject", "r1", "Reject")),
	))
	if _, err := s.Click(t.Context(), s.grace.ID, s.ops.ID, ts, "approve"); err != nil {
		t.Fatal(err)
	}
	cb := <-got
	if cb.Type != slack.InteractionTypeBlockActions || cb.User.ID != s.grace.ID || cb.User.TeamID != s.TeamID ||
		cb.Channel.ID != s.ops.ID || cb.Message.Timestamp != ts || cb.Container.MessageTs != ts || cb.ResponseURL == "" ||
		cb.TriggerID == "" || cb.Team.ID != s.TeamID || len(cb.Message.Blocks.BlockSet) != 2 {
		t.Errorf("payload is %+v", cb)
	}
	if a := cb.ActionCallback.BlockActions; len(a) != 1 || a[0].ActionID != "approve" || a[0].BlockID != "decide" ||
		a[0].Value != "r1:abc" || a[0].ActionTs == "" || a[0].Text.Text != "Approve" {
		t.Errorf("actions are %+v", a)
	}
	if _, err := s.Click(t.Context(), s.grace.ID, s.ops.ID, ts, "undo"); err == nil {
		t.Error("a button that is not there was clicked")
	}
	if _, err := s.Click(t.Context(), s.grace.ID, s.ops.ID, "1.000001", "approve"); err == nil {
		t.Error("a message that is not there was clicked")
	}
	b := s.Messages(s.ops.ID)[0].Buttons()
	want := []slacktest.Button{
		{ActionID: "approve", BlockID: "decide", Text: "Approve", Value: "r1:abc", Style: "primary"},
		{ActionID: "reject", BlockID: "decide", Text: "Reject", Value: "r1"},
	}
	if d := cmp.Diff(want, b); d != "" {
		t.Error(d)
	}
	if got, want := s.Messages(s.ops.ID)[0].PlainText(), "Remove *octocat*?\n[ Approve ]  [ Reject ]"; got != want {
		t.Errorf("text is %q, want %q", got, want)
	}
	s.blameless()
}

func TestWhoMayNotDoThings(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.connect(ack(nil))
	gone := s.AddUser(slacktest.User{RealName: "Gone", Deleted: true})
	guest := s.AddUser(slacktest.User{RealName: "Guest", UltraRestricted: true})
	secret := s.AddChannel(slacktest.Channel{Name: "secret", Private: true, Members: []string{s.BotUserID}})
	archived := s.AddChannel(slacktest.Channel{Name: "old", Archived: true, Members: []string{s.ada.ID}})
	for name, try := range map[string][2]string{
		"an unknown user":                   {"U0NOBODY", s.ops.ID},
		"a deactivated user":                {gone.ID, s.ops.ID},
		"a guest in another channel":        {guest.ID, s.ops.ID},
		"somebody outside of the channel":   {s.ada.ID, secret.ID},
		"anybody in an archived channel":    {s.ada.ID, archived.ID},
		"anybody in a channel not there":    {s.ada.ID, "C0NOWHERE"},
		"a guest in a channel not there":    {guest.ID, "C0NOWHERE"},
		"the unknown in an unknown channel": {"U0NOBODY", "C0NOWHERE"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Command(t.Context(), try[0], try[1], "/x", ""); err == nil || errors.Is(err, slacktest.ErrNoAck) {
				t.Errorf("error is %v", err)
			}
		})
	}
	if n := s.Count(""); n != 1 {
		t.Errorf("%d calls, want apps.connections.open alone", n)
	}
}

func TestAResponseURLAnswersFiveTimes(t *testing.T) {
	s := begin(t, slacktest.Options{})
	var cmd slack.SlashCommand
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if c, ok := e.Data.(slack.SlashCommand); ok {
			cmd = c
			ack(nil)(client, e)
		}
	})
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); err != nil {
		t.Fatal(err)
	}
	respond := func(options ...slack.MsgOption) error {
		_, _, err := s.api.PostMessage(s.ops.ID, append(options, slack.MsgOptionText("answer", false))...)
		return err
	}
	for _, step := range []struct {
		what               string
		option             slack.MsgOption
		ephemerals, public int
	}{
		{"an answer is for the asker", slack.MsgOptionResponseURL(cmd.ResponseURL, slack.ResponseTypeEphemeral), 1, 0},
		{"replace_original replaces it", slack.MsgOptionReplaceOriginal(cmd.ResponseURL), 1, 0},
		{"in_channel is for all", slack.MsgOptionResponseURL(cmd.ResponseURL, slack.ResponseTypeInChannel), 1, 1},
		{"delete_original deletes it", slack.MsgOptionDeleteOriginal(cmd.ResponseURL), 0, 1},
		{"a fifth goes", slack.MsgOptionResponseURL(cmd.ResponseURL, slack.ResponseTypeEphemeral), 1, 1},
	} {
		if err := respond(step.option); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if e, p := len(s.Ephemerals(s.ada.ID)), len(s.Messages(s.ops.ID)); e != step.ephemerals || p != step.public {
			t.Errorf("%s: there are %d ephemerals and %d messages", step.what, e, p)
		}
	}
	s.blameless()
	if err := respond(slack.MsgOptionResponseURL(cmd.ResponseURL, slack.ResponseTypeEphemeral)); err == nil {
		t.Error("a response_url answered six times")
	}
	if len(s.Problems()) != 1 {
		t.Errorf("problems are %q", s.Problems())
	}
}

func TestAResponseURLExpires(t *testing.T) {
	now := moment
	s := begin(t, slacktest.Options{Now: func() time.Time { return now }})
	urls := make(chan string, 1)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if cb, ok := e.Data.(slack.InteractionCallback); ok {
			urls <- cb.ResponseURL
			ack(nil)(client, e)
		}
	})
	ts := s.post(slack.MsgOptionBlocks(slack.NewActionBlock("", button("b", "v", "B"))))
	if _, err := s.Click(t.Context(), s.ada.ID, s.ops.ID, ts, "b"); err != nil {
		t.Fatal(err)
	}
	url := <-urls
	if _, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionReplaceOriginal(url), slack.MsgOptionText("done", false)); err != nil {
		t.Fatal(err)
	}
	if m := s.Messages(s.ops.ID)[0]; m.PlainText() != "done" || m.Edited != 1 {
		t.Errorf("message is %+v", m)
	}
	now = now.Add(31 * time.Minute)
	if _, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionReplaceOriginal(url), slack.MsgOptionText("late", false)); err == nil {
		t.Error("a response_url worked after 31 minutes")
	}
}

func TestButtonsInEphemeralMessagesCanBeClicked(t *testing.T) {
	s := begin(t, slacktest.Options{})
	got := make(chan slack.InteractionCallback, 1)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if cb, ok := e.Data.(slack.InteractionCallback); ok {
			ack(nil)(client, e)
			got <- cb
		}
	})
	ts, err := s.api.PostEphemeral(s.ops.ID, s.ada.ID, slack.MsgOptionBlocks(slack.NewActionBlock("", button("b", "v", "B"))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Click(t.Context(), s.grace.ID, s.ops.ID, ts, "b"); err == nil {
		t.Error("Grace clicked what only Ada sees")
	}
	if _, err := s.Click(t.Context(), s.ada.ID, s.ops.ID, ts, "b"); err != nil {
		t.Fatal(err)
	}
	if cb := <-got; !cb.Container.IsEphemeral {
		t.Errorf("container is %+v", cb.Container)
	}
}

func TestEventsAreSentAndSentAgain(t *testing.T) {
	s := begin(t, slacktest.Options{})
	attempts := make(chan int, 2)
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if e.Type == socketmode.EventTypeEventsAPI {
			attempts <- e.Request.RetryAttempt
			ack(nil)(client, e)
		}
	})
	a, err := s.OpenHome(t.Context(), s.ada.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resend(t.Context(), a.EnvelopeID); err != nil {
		t.Fatal(err)
	}
	if first, second := <-attempts, <-attempts; first != 0 || second != 1 {
		t.Errorf("attempts were %d and %d", first, second)
	}
	s.blameless()
}

func TestRawEnvelopes(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.connect(ack(map[string]string{"x": "y"}))
	a, err := s.Send(t.Context(), "interactive", map[string]any{"type": "shortcut", "callback_id": "c"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(json.RawMessage(`{"x":"y"}`), a.Payload); d != "" {
		t.Error(d)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Send(ctx, "interactive", map[string]any{"type": "shortcut"}); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}
