package main_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// whole wants what must hold after any kill -9: one card, one call of the
// function, one result, nothing said twice. The bot is stopped first, so that
// what still waits to be said has been said.
func (s *scene) whole() {
	s.Helper()
	s.bot.Terminate()
	s.invoked(1)
	s.told(0)
	if n := len(s.cards()); n != 1 {
		s.Errorf("there are %d cards", n)
	}
	seen := map[string]bool{}
	for _, m := range s.replies(0) {
		if text := m.PlainText(); seen[text] {
			s.Errorf("this is said twice:\n%s", text)
		} else {
			seen[text] = true
		}
	}
}

func TestALogGoesOnInItsThreadAfterTheBotWasKilled(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	g := s.hold(6)
	s.types(s.Member, s.Log, s.Joiner)
	s.middle(g)
	s.bot.Kill()
	before := len(s.replies(0))
	s.serve()
	g.open()
	s.ended(0)
	s.whole()
	if after := len(s.replies(0)); after <= before {
		t.Errorf("the thread had %d messages before and has %d after", before, after)
	}
}

func TestALogThatCameWhileTheBotWasDeadIsToldAfterwards(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	g := s.hold(6)
	s.types(s.Member, s.General, s.Joiner)
	s.middle(g)
	s.bot.Kill()
	g.open()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.AWS.Wait(ctx, func() bool {
		all := s.AWS.Invocations(worldtest.Function)
		return len(all) == 1 && !all[0].Running
	}); err != nil {
		t.Fatalf("wait for the function to end: %v", err)
	}
	s.serve()
	s.ended(0)
	s.whole()
}

func TestAKilledBotGoesOnWhereverItWas(t *testing.T) {
	t.Parallel()
	for _, at := range []struct {
		name  string
		slow  func(s *scene) // makes sure that the bot can't be further than that
		there func(s *scene) // waits until it is there
	}{
		{"right after the ack", func(s *scene) { s.GitHub.SetDelay(3 * time.Second) }, func(*scene) {}},
		{"while it looks", func(s *scene) { s.AWS.SetDelay("identitystore:*", 3*time.Second) }, func(s *scene) {
			s.untilAWS("the look", func() bool { return s.AWS.Count("identitystore:*") > 0 })
		}},
		{"before the function is invoked", func(s *scene) { s.AWS.SetDelay("sts:*", time.Second) }, func(s *scene) {
			s.until("the plan", func() bool { return strings.Contains(s.thread(0), "*Plan*") })
		}},
		{"after the end of the log", func(*scene) {}, func(s *scene) {
			s.until("the end of the log", func() bool { return strings.Contains(s.thread(0), "REPORT RequestId") })
		}},
		{"while it reads the result", func(*scene) {}, func(s *scene) {
			s.until("the end of the log", func() bool { return strings.Contains(s.thread(0), "REPORT RequestId") })
			s.AWS.SetDelay("identitystore:*", 3*time.Second)
			s.until("the last step", func() bool { return strings.Contains(s.cards()[0].PlainText(), "step 3 of 3") })
		}},
	} {
		t.Run(at.name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, small)
			s.serve()
			at.slow(s)
			s.types(s.Member, s.General, s.Joiner)
			at.there(s)
			s.bot.Kill()
			s.GitHub.SetDelay(0)
			s.AWS.SetDelay("identitystore:*", 0)
			s.AWS.SetDelay("sts:*", 0)
			s.serve()
			s.ended(0)
			s.whole()
		})
	}
}

func TestAMessageWhoseAnswerDiedWithTheBotIsNotPostedTwice(t *testing.T) {
	t.Parallel()
	for nth, name := range []string{"the card", "the plan", "the first of the log"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, small)
			s.serve()
			if name != "the first of the log" {
				// The run must not begin beside the message: whether who asked still
				// may is never answered.
				s.GitHub.Fail("/orgs/*/teams/*/memberships", githubtest.Fault{Times: 1, Delay: time.Millisecond})
				s.GitHub.Fail("/orgs/*/teams/*/memberships", githubtest.Fault{Hang: true})
			}
			// Slack takes the message, and its answer is lost.
			s.Slack.Fail("chat.postMessage", append(make([]slacktest.Fault, nth), slacktest.Fault{CutAfter: true})...)
			s.types(s.Member, s.Log, s.Joiner)
			s.until(name, func() bool {
				n := len(s.cards())
				for i := range s.cards() {
					n += len(s.replies(i))
				}
				return n > nth
			})
			s.bot.Kill()
			s.GitHub.ClearFaults()
			s.serve()
			s.ended(0)
			s.whole()
		})
	}
}

// Nobody can know whether Lambda took the call, and calling it again might run
// it twice.
func TestAnInvocationWhoseAnswerWasLostIsLeftToPeople(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.AWS.Fail("lambda:InvokeFunction", awstest.Fault{CutAfter: true})
	s.types(s.Member, s.Log, "")
	s.untilAWS("the call", func() bool { return len(s.AWS.Invocations(worldtest.Function)) > 0 })
	s.bot.Kill()
	s.AWS.Heal("*")
	s.serve()
	result := s.ended(0)
	s.bot.Terminate()
	s.invoked(1)
	if text := result.PlainText(); !strings.Contains(text, "Not known") || !strings.Contains(text, "not called a second time") {
		t.Errorf("the result is\n%s", text)
	}
	if card := s.cards()[0].PlainText(); !strings.Contains(card, "Not known") {
		t.Errorf("the card reads\n%s", card)
	}
	button(t, result)
}
