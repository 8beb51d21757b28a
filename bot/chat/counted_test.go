package chat_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// counted are the calls that a meter has counted, by method and outcome.
func counted(t *testing.T, m *meter.Meter) map[string]float64 {
	t.Helper()
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "rootbot_calls_total" {
			continue
		}
		for _, series := range family.GetMetric() {
			label := map[string]string{}
			for _, pair := range series.GetLabel() {
				label[pair.GetName()] = pair.GetValue()
			}
			calls[label["method"]+" "+label["outcome"]] = series.GetCounter().GetValue()
		}
	}
	return calls
}

func TestCallsOfSlackAreCounted(t *testing.T) {
	w := slacktest.New(slacktest.Options{})
	defer w.Close()
	ada := w.AddUser(slacktest.User{RealName: "Ada Lovelace"})
	room := w.AddChannel(slacktest.Channel{Name: "ops", Members: []string{ada.ID, w.BotUserID}})
	m := meter.New()
	own := http.DefaultTransport.(*http.Transport).Clone()
	defer own.CloseIdleConnections()
	client := &http.Client{Transport: meter.Transport(m, "slack", meter.SlackMethod, own)}
	api := slack.New(w.BotToken, slack.OptionAPIURL(w.URL()), slack.OptionHTTPClient(client))
	ctx := t.Context()
	post := func() error {
		_, _, err := api.PostMessageContext(ctx, room.ID, slack.MsgOptionText("Hello", false))
		return err
	}
	if err := post(); err != nil {
		t.Fatal(err)
	}
	// Of files, the client keeps silent about what it called in between.
	if _, err := api.UploadFileContext(ctx, slack.UploadFileParameters{Channel: room.ID, Filename: "log.txt", Content: "one line", FileSize: 8}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := api.PostMessageContext(ctx, "C0NOWHERE", slack.MsgOptionText("Hello", false)); err == nil || err.Error() != "channel_not_found" {
		t.Errorf("the caller got %v", err)
	}
	w.Fail("chat.postMessage", slacktest.Fault{Status: 503}, slacktest.Fault{Cut: true}, slacktest.Fault{CutAfter: true}, slacktest.Fault{RetryAfter: time.Second})
	for range 3 {
		if err := post(); err == nil {
			t.Error("no error")
		}
	}
	if limited, ok := errors.AsType[*slack.RateLimitedError](post()); !ok || limited.RetryAfter != time.Second {
		t.Errorf("the caller got %v", limited)
	}
	want := map[string]float64{
		"chat.postMessage ok": 1, "chat.postMessage refused": 1, "chat.postMessage failed": 1, "chat.postMessage cut": 2,
		"chat.postMessage limited": 1, "files.getUploadURLExternal ok": 1, "upload ok": 1, "files.completeUploadExternal ok": 1,
	}
	if diff := cmp.Diff(want, counted(t, m)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if p := w.Problems(); len(p) > 0 {
		t.Error(p)
	}
}

// What the bot itself says to Slack is counted too.
func TestTheBotsOwnCallsAreCounted(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{})
	m := meter.New()
	o.setUp = func(d *bot.Desk) { d.Meter = m }
	o.begin(tidy(work))
	o.types(o.ada, o.home, "")
	o.card("Done")
	o.quietly()
	got := counted(t, m)
	for _, want := range []string{"auth.test ok", "apps.connections.open ok", "users.info ok", "chat.postMessage ok"} {
		if got[want] == 0 {
			t.Errorf("%s isn't among what is counted: %v", want, got)
		}
	}
}
