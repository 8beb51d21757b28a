package main_test

import (
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func TestASecondAskerIsPointedToTheFirstOnesThread(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	g := s.hold(6)
	s.types(s.Member, s.Log, "")
	s.middle(g)
	s.types(s.Second, s.General, "")
	s.types(s.Member, s.Log, "")
	link := "p" + strings.ReplaceAll(s.cards()[0].TS, ".", "")
	for _, who := range []slacktest.User{s.Second, s.Member} {
		said := s.whispered(who, 0)
		for _, want := range []string{link, "already under way", "otter", "Your request was not started"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s was told %q, without %q", who.Name, said, want)
			}
		}
	}
	// A preview disturbs nobody.
	s.types(s.Second, s.Log, "plan")
	s.until("the preview", func() bool { return len(s.cards()) == 2 && strings.Contains(s.cards()[1].PlainText(), "Preview") })
	g.open()
	s.ended(0)
	s.bot.Terminate()
	s.told(0)
	s.invoked(1)
	if n := len(s.cards()); n != 2 {
		t.Errorf("there are %d cards", n)
	}
}

func TestAPreviewShowsThePlanAndInvokesNothing(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	before := s.Store.Snapshot()
	s.types(s.Second, s.Log, "plan "+s.Joiner)
	s.until("the plan", func() bool { return strings.Contains(s.thread(0), "*Plan*") })
	s.bot.Terminate()
	thread := s.thread(0)
	for _, want := range []string{
		"Create user " + s.Joiner, "Add " + s.Joiner + " (new user) to team ", "Create group prison-visits-alerts",
		"Delete group retired-service", "Delete user late-lark", "Remove ", "with {}",
		s.Store.GroupID("retired-service"), s.Store.UserID("late-lark@digital.justice.gov.uk"),
	} {
		if !strings.Contains(thread, want) {
			t.Errorf("the plan doesn't say %q:\n%s", want, thread)
		}
	}
	if strings.Contains(thread, "entra.ibis") || strings.Contains(thread, "azure-aws-sso-analysts") {
		t.Errorf("the plan has what is none of the sync's business:\n%s", thread)
	}
	card := s.cards()[0]
	if text := card.PlainText(); !strings.Contains(text, "Nothing was changed") || len(card.Buttons()) > 0 {
		t.Errorf("the card reads\n%s", text)
	}
	s.invoked(0)
	for _, c := range s.AWS.Calls() {
		if strings.Contains(c.RoleARN, "act") {
			t.Errorf("a preview called %s as %s", c.Name(), c.RoleARN)
		}
	}
	if after := s.Store.Snapshot(); len(after.Users) != len(before.Users) || len(after.Groups) != len(before.Groups) {
		t.Error("a preview changed Identity Center")
	}
}

func TestHelpAndBadWordsAreAnsweredPrivatelyAtOnce(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	for _, who := range []slacktest.User{s.Member, s.Outside, s.Unknown} {
		ack := s.types(who, s.General, "help")
		if ack.Message == nil || ack.Message.VisibleTo != who.ID {
			t.Fatalf("help for %s is %+v", who.Name, ack.Message)
		}
		for _, want := range []string{"/scim-sync plan", "/scim-sync <github-login>…", "/scim-sync help"} {
			if !strings.Contains(ack.Message.PlainText(), want) {
				t.Errorf("help doesn't show %q:\n%s", want, ack.Message.PlainText())
			}
		}
	}
	for _, words := range []string{"-", "quick_heron!", "plan <!channel>", "a/../b", "quick-heron --force", strings.Repeat("x", 3000)} {
		ack := s.types(s.Member, s.Log, words)
		if ack.Message == nil || ack.Message.VisibleTo != s.Member.ID || !strings.Contains(ack.Message.PlainText(), "Nothing was changed") {
			t.Errorf("%.30q was answered with %+v", words, ack.Message)
			continue
		}
		if strings.Contains(ack.Message.Text, "<!") {
			t.Errorf("%.30q was answered with a mention: %s", words, ack.Message.Text)
		}
	}
	s.bot.Terminate()
	if n := len(s.cards()); n != 0 {
		t.Errorf("there are %d messages in public", n)
	}
	if n := s.AWS.Count("*"); n != 0 {
		t.Errorf("AWS was called %d times", n)
	}
}

func TestAPersonWhomGitHubDoesNotHaveIsNotSyncedFor(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.types(s.Member, s.Log, "quick-herno")
	s.until("the answer", func() bool { return len(s.Slack.Ephemerals(s.Member.ID)) > 0 })
	said := s.Slack.Ephemerals(s.Member.ID)[0].PlainText()
	s.bot.Terminate()
	if n := len(s.cards()); n != 0 {
		t.Errorf("there are %d messages in public", n)
	}
	if !strings.Contains(said, "quick-herno") || !strings.Contains(said, "Nothing was changed") {
		t.Errorf("the result is\n%s", said)
	}
	if strings.Contains(strings.ToLower(said), "nothing was changed. nothing was changed") {
		t.Errorf("the result says it twice:\n%s", said)
	}
	s.invoked(0)
}
