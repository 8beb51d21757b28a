package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// asking is an app that opens a form with one field for each command; the reasons that
// are sent come out of the channel.
func asking(t *testing.T, w *slacktest.Workspace) <-chan string {
	t.Helper()
	reasons, hello := make(chan string, 10), make(chan bool, 10)
	api := slack.New(w.BotToken, slack.OptionAPIURL(w.URL()), slack.OptionAppLevelToken(w.AppToken))
	client := socketmode.New(api)
	go client.RunContext(t.Context())
	words := func(s string) *slack.TextBlockObject {
		return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
	}
	field := slack.NewInputBlock("reason", words("Reason"), nil, slack.NewPlainTextInputBlockElement(nil, "reason"))
	field.Optional = true
	form := slack.ModalViewRequest{Type: slack.VTModal, Title: words("Ask"), Submit: words("Send"), Blocks: slack.Blocks{BlockSet: []slack.Block{field}}}
	go func() {
		for {
			select {
			case <-t.Context().Done():
				return
			case e := <-client.Events:
				if e.Type == socketmode.EventTypeHello {
					hello <- true
				}
				if e.Request != nil && e.Request.EnvelopeID != "" {
					_ = client.AckCtx(context.Background(), e.Request.EnvelopeID, nil)
				}
				switch data := e.Data.(type) {
				case slack.SlashCommand:
					if _, err := api.OpenView(data.TriggerID, form); err != nil {
						t.Error(err)
					}
				case slack.InteractionCallback:
					reasons <- data.View.State.Values["reason"]["reason"].Value
				}
			}
		}
	}()
	<-hello
	return reasons
}

// newest is the ID of the form that a person sees; empty: none.
func newest(w *slacktest.Workspace, u slacktest.User) string {
	views := w.Views(u.ID)
	if len(views) == 0 {
		return ""
	}
	return views[len(views)-1].ID
}

func TestWhatIsFilledInGoesWithItsForm(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		lines []string
		sent  string
	}{
		{"it is sent", []string{"/ask", "fill reason has left", "submit"}, "has left"},
		{"the form is closed", []string{"/ask", "fill reason has left", "cancel", "/ask", "submit"}, ""},
		{"another person sends their own", []string{"/ask", "fill reason has left", "as badger", "/ask", "submit"}, ""},
		{"who comes back fills in anew", []string{"/ask", "fill reason has left", "as badger", "as otter", "submit"}, ""},
		{"another form is opened", []string{"/ask", "fill reason has left", "/ask", "submit"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := slacktest.New(slacktest.Options{})
			t.Cleanup(w.Close)
			otter, badger := w.AddUser(slacktest.User{Name: "otter"}), w.AddUser(slacktest.User{Name: "badger"})
			channel := w.AddChannel(slacktest.Channel{Name: "general", Members: []string{otter.ID, badger.ID, w.BotUserID}})
			reasons := asking(t, w)
			world := &worldtest.World{Slack: w, Member: otter, Second: badger}
			s := &seat{w: world, out: io.Discard, user: otter, channel: channel, values: map[string]slacktest.Value{}}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for i, line := range test.lines {
				before := newest(w, s.user)
				if err := s.do(ctx, line); err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if line == "/ask" {
					if err := w.Wait(ctx, func() bool { return newest(w, s.user) != before }); err != nil {
						t.Fatalf("%v: %v", test.lines[:i+1], err)
					}
				}
			}
			if got := <-reasons; got != test.sent {
				t.Errorf("sent is %q, and not %q", got, test.sent)
			}
		})
	}
}
