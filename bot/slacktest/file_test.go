package slacktest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func TestAFileIsUploadedIntoAThread(t *testing.T) {
	s := begin(t, slacktest.Options{})
	ts := s.post(slack.MsgOptionText("card", false))
	log := "one\ntwo\nthree"
	f, err := s.api.UploadFile(slack.UploadFileParameters{
		Filename: "run.log", Title: "The log", Reader: strings.NewReader(log), FileSize: len(log),
		Channel: s.ops.ID, ThreadTimestamp: ts, InitialComment: "what happened",
	})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Thread(s.ops.ID, ts)
	if len(r) != 1 || r[0].PlainText() != "what happened\n📎 run.log (3 lines)" || r[0].Files[0].ID != f.ID {
		t.Errorf("replies are %+v", r)
	}
	all := s.Files()
	if len(all) != 1 || string(all[0].Content) != log || all[0].Title != "The log" || all[0].ThreadTS != ts {
		t.Errorf("files are %+v", all)
	}
	replies, _, _, err := s.api.GetConversationReplies(&slack.GetConversationRepliesParameters{ChannelID: s.ops.ID, Timestamp: ts})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.api.GetFile(replies[1].Files[0].URLPrivate, &b); err != nil || b.String() != log {
		t.Errorf("read back %q, %v", b.String(), err)
	}
	s.blameless()
}

func TestUploadsThatDoNotGo(t *testing.T) {
	s := begin(t, slacktest.Options{})
	elsewhere := s.AddChannel(slacktest.Channel{Name: "elsewhere"})
	upload := func(channel, thread string, size int) error {
		_, err := s.api.UploadFile(slack.UploadFileParameters{
			Filename: "run.log", Content: "log", FileSize: size, Channel: channel, ThreadTimestamp: thread,
		})
		return err
	}
	for name, try := range map[string]struct {
		err  error
		want string
	}{
		"into a channel without the bot":  {upload(elsewhere.ID, "", 3), "not_in_channel"},
		"into a channel that is not":      {upload("C0NOWHERE", "", 3), "channel_not_found"},
		"into a thread that is not there": {upload(s.ops.ID, "1.000001", 3), "thread_not_found"},
		"of another size":                 {upload(s.ops.ID, "", 4), "400"},
	} {
		t.Run(name, func(t *testing.T) {
			if try.err == nil || !strings.Contains(try.err.Error(), try.want) {
				t.Errorf("error is %v, want %s", try.err, try.want)
			}
		})
	}
	s.Fail("upload", slacktest.Fault{Cut: true})
	if upload(s.ops.ID, "", 3) == nil {
		t.Error("a connection that was cut uploaded")
	}
	if len(s.Files()) != 0 || len(s.Messages(s.ops.ID)) != 0 {
		t.Error("something was shared")
	}
	if _, err := s.api.CompleteUploadExternalContext(t.Context(), slack.CompleteUploadExternalParameters{Files: []slack.FileSummary{{ID: "F0NOTHING"}}}); err == nil {
		t.Error("a file that is not there was shared")
	}
}
