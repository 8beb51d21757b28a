package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

func TestSIGTERMEndsAnIdleBotWithStatus0(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	t.Logf("it took %v", s.bot.Terminate())
	if !strings.Contains(s.bot.Err.String(), `"msg":"stopped"`) {
		t.Error("its log doesn't say that it stopped")
	}
	if s.bot.Out.String() != "" {
		t.Errorf("it printed %q", s.bot.Out.String())
	}
}

func TestARunThatSIGTERMInterruptedGoesOnAfterTheNextStart(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	g := s.hold(6)
	s.types(s.Member, s.General, s.Joiner)
	s.middle(g)
	t.Logf("it took %v", s.bot.Terminate())
	if _, ok := s.result(0); ok {
		t.Error("there is a result, though the function is still running")
	}
	s.serve()
	g.open()
	s.ended(0)
	s.whole()
}

// Neither AWS nor Slack answers any more.
func TestWhatHangsDoesNotHoldSIGTERMUp(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.AWS.Fail("identitystore:*", awstest.Fault{Hang: true})
	s.types(s.Member, s.General, s.Joiner)
	s.untilAWS("the look", func() bool { return s.AWS.Count("identitystore:*") > 0 })
	s.until("the card", func() bool { return len(s.cards()) == 1 })
	s.Slack.SetDelay("*", time.Minute)
	t.Logf("it took %v", s.bot.Terminate())
	s.Slack.SetDelay("*", 0)
	s.AWS.Heal("*")
	s.serve()
	s.ended(0)
	s.whole()
}

func TestARequestThatSIGTERMFoundUncheckedIsNotLost(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.GitHub.SetDelay(time.Second)
	s.types(s.Member, s.General, s.Joiner)
	s.bot.Terminate() // in the middle of the check of who asks
	s.GitHub.SetDelay(0)
	s.serve()
	s.ended(0)
	s.whole()
}

func TestATerminalsRunGoesOnWhenTheBotIsStarted(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	g := s.hold(6)
	s.bot = processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "run", "scim-sync")
	s.bot.Printed(&s.bot.Out, "START RequestId", 1)
	// Ctrl-C.
	s.bot.Signal(os.Interrupt)
	if code := s.bot.Exit(processtest.StopWithin); code != 1 {
		t.Errorf("the exit status is %d", code)
	}
	if said := s.bot.Err.String(); !strings.Contains(said, "rootbot: interrupted: request ") || strings.Count(said, "\n") != 1 {
		t.Errorf("it said\n%s", said)
	}
	g.open()
	s.serve()
	s.bot.Logged("request step-ended", 2)
	s.bot.Terminate()
	s.invoked(1)
	ended := 0
	for _, e := range s.lives() {
		if e.By != "otter" && e.By != "terminal:" {
			t.Errorf("an event is by %q", e.By)
		}
		if e.Kind == "step-ended" {
			ended++
		}
	}
	if ended != 3 {
		t.Errorf("%d of 3 steps have ended", ended)
	}
	if n := s.Slack.Count("chat.postMessage"); n != 0 {
		t.Errorf("%d messages were posted about what was asked from a terminal", n)
	}
}

// A terminal's run has no card, so there is nothing to point to.
func TestAnAskerInSlackIsToldOfATerminalsRun(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	g := s.hold(6)
	s.bot = processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "run", "scim-sync")
	s.bot.Printed(&s.bot.Out, "START RequestId", 1)
	s.bot.Kill()
	s.serve()
	s.types(s.Second, s.Log, "")
	said := s.whispered(s.Second, 0)
	g.open()
	s.bot.Logged("request step-ended", 2)
	s.bot.Terminate()
	if !strings.Contains(said, "already under way") || !strings.Contains(said, "otter") {
		t.Errorf("badger was told %q", said)
	}
	s.invoked(1)
}

func TestATerminationWhileTheStartWaitsIsNoFault(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"auth.test", "conversations.list"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := worldtest.New(small)
			t.Cleanup(w.Close)
			s := &scene{T: t, World: w, dir: t.TempDir(), env: w.Env()}
			s.env["DATABASE_URL"], s.env["ROOTBOT_LISTEN"] = "sqlite:"+filepath.Join(s.dir, "rootbot.db"), "127.0.0.1:0"
			s.settings(s.Config())
			s.Slack.Fail(method, slacktest.Fault{RetryAfter: time.Minute})
			p := processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "serve")
			if err := s.Slack.Wait(t.Context(), func() bool { return s.Slack.Count(method) > 0 }); err != nil {
				t.Fatal(err)
			}
			p.Signal(syscall.SIGTERM)
			if code := p.Exit(25 * time.Second); code != 0 {
				t.Errorf("it exits with %d", code)
			}
		})
	}
}
