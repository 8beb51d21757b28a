package slacktest_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestTheTranscript(t *testing.T) {
	now := moment
	s := begin(t, slacktest.Options{Now: func() time.Time { now = now.Add(20 * time.Second); return now }})
	s.AddChannel(slacktest.Channel{ID: "C0ROOT", Name: "aws-root-account", Members: []string{s.BotUserID}})
	s.AddChannel(slacktest.Channel{Name: "quiet"})

	if _, err := s.Say(s.grace.ID, s.ops.ID, "", "Could somebody remove *octocat*? They left on _Friday_ :wave:"); err != nil {
		t.Fatal(err)
	}
	card := s.post(slack.MsgOptionText("fallback", false), slack.MsgOptionBlocks(
		slack.NewHeaderBlock(text("Remove user octocat")),
		slack.NewSectionBlock(mrkdwn("<@"+s.ada.ID+"> asks to remove the user `octocat` &amp; everything they have in <https://example.com/iam|IAM>, see <#C0ROOT>. There are a few things that would go with them:\n• 2 access keys\n• a membership of the group `administrators`, which has been theirs since the very first day of this account\n&gt; Left on Friday."), []*slack.TextBlockObject{
			mrkdwn("*Stage*\nproduction"), mrkdwn("*Approvals*\n0 of 1"), mrkdwn("*Ticket*\nOPS-12"),
		}, nil),
		slack.NewDividerBlock(),
		slack.NewActionBlock("", button("approve", "r1", "Approve"), button("reject", "r1", "Reject")),
		slack.NewContextBlock("", mrkdwn("request 7f3a"), mrkdwn(":hourglass_flowing_sand: waiting")),
	))
	if _, err := s.api.PostEphemeral(s.ops.ID, s.ada.ID, slack.MsgOptionText("You can't approve your own request.", false)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Say(s.grace.ID, s.ops.ID, card, "Looks right to me"); err != nil {
		t.Fatal(err)
	}
	log := s.post(slack.MsgOptionText("Running", false), slack.MsgOptionTS(card))
	if _, _, _, err := s.api.UpdateMessage(s.ops.ID, log, slack.MsgOptionText(":white_check_mark: *Done*\n```\nDeleteAccessKey  AKIA…1\nDeleteUser       octocat\n```\nRead back: they are gone.", false)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.api.UploadFile(slack.UploadFileParameters{Filename: "run.log", Content: "a\nb\n", FileSize: 4, Channel: s.ops.ID, ThreadTimestamp: card}); err != nil {
		t.Fatal(err)
	}
	if err := s.api.AddReaction("tada", slack.NewRefToMessage(s.ops.ID, log)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.api.PostMessage(s.grace.ID, slack.MsgOptionText("octocat is gone.", false)); err != nil {
		t.Fatal(err)
	}

	var got bytes.Buffer
	if err := s.Transcript(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/transcript.txt", got.Bytes())
	for _, m := range append(s.Messages(s.ops.ID), s.Thread(s.ops.ID, card)...) {
		if one := s.Render(m); !strings.Contains(got.String(), one) {
			t.Errorf("a message alone is not like in the transcript:\n%s", one)
		}
	}
	s.blameless()
}

func TestAFormIsDrawn(t *testing.T) {
	s := begin(t, slacktest.Options{})
	forms(s, nil)
	golden(t, "testdata/form.txt", []byte(s.RenderView(s.ask())))
}

func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (write it anew with -update):\n%s", path, d)
	}
}
