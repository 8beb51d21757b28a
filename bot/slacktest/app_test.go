package slacktest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// story is a workspace with two people, a channel they share with the bot, and
// a client of the app that posts there.
type story struct {
	*slacktest.Workspace
	t          *testing.T
	api        *slack.Client
	ada, grace slacktest.User
	ops        slacktest.Channel
}

// moment is when stories that need a clock begin.
var moment = time.Date(2026, 3, 2, 9, 14, 0, 0, time.UTC)

func begin(t *testing.T, o slacktest.Options) *story {
	t.Helper()
	w := slacktest.New(o)
	t.Cleanup(w.Close)
	s := &story{Workspace: w, t: t}
	s.ada = w.AddUser(slacktest.User{RealName: "Ada Lovelace", Name: "ada", Email: "ada@example.gov.uk"})
	s.grace = w.AddUser(slacktest.User{RealName: "Grace Hopper", Name: "grace", Email: "grace@example.gov.uk"})
	s.ops = w.AddChannel(slacktest.Channel{Name: "ops", Members: []string{s.ada.ID, s.grace.ID, w.BotUserID}})
	s.api = slack.New(w.BotToken, slack.OptionAPIURL(w.URL()), slack.OptionAppLevelToken(w.AppToken))
	return s
}

// connect runs a Socket Mode client; do answers each of its events. It returns
// once the app has been greeted.
func (s *story) connect(do func(*socketmode.Client, socketmode.Event)) *socketmode.Client {
	s.t.Helper()
	client := socketmode.New(s.api)
	ctx, cancel := context.WithCancel(context.Background())
	hello := make(chan struct{}, 100)
	gone := make(chan struct{}, 2)
	go func() {
		defer func() { gone <- struct{}{} }()
		if err := client.RunContext(ctx); !errors.Is(err, context.Canceled) {
			s.t.Errorf("socket mode ended: %v", err)
		}
	}()
	go func() {
		defer func() { gone <- struct{}{} }()
		for {
			select {
			case e := <-client.Events:
				if e.Type == socketmode.EventTypeHello {
					hello <- struct{}{}
				}
				if do != nil {
					do(client, e)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		<-gone
		<-gone
	})
	<-hello
	return client
}

// ack acknowledges everything that asks for it with payload.
func ack(payload any) func(*socketmode.Client, socketmode.Event) {
	return func(client *socketmode.Client, e socketmode.Event) {
		if e.Request != nil && e.Request.EnvelopeID != "" {
			_ = client.AckCtx(context.Background(), e.Request.EnvelopeID, payload)
		}
	}
}

func (s *story) post(options ...slack.MsgOption) string {
	s.t.Helper()
	_, ts, err := s.api.PostMessage(s.ops.ID, options...)
	if err != nil {
		s.t.Fatal(err)
	}
	return ts
}

func (s *story) wait(holds func() bool) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Wait(ctx, holds); err != nil {
		s.t.Fatal(err)
	}
}

// blameless fails the test where the workspace has found anything wrong.
func (s *story) blameless() {
	s.t.Helper()
	for _, p := range s.Problems() {
		s.t.Error("problem:", p)
	}
}

func text(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

func mrkdwn(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.MarkdownType, s, false, false)
}

func button(id, value, label string) *slack.ButtonBlockElement {
	return slack.NewButtonBlockElement(id, value, text(label))
}

func failed(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}
