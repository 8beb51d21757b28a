package main_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// person is the environment with a token of the bot's own not in it, but another of its
// owner's: the bot's tells who the bot is.
func (s *scene) person() map[string]string {
	env := maps.Clone(s.env)
	env["GITHUB_TOKEN"] = "ghp_" + "laptop"
	s.GitHub.AddToken(env["GITHUB_TOKEN"], "otter", "read:org")
	return env
}

// laptop starts rootbot run as somebody would elsewhere, with settings of their own.
func (s *scene) laptop(words ...string) *processtest.Process {
	s.Helper()
	other := filepath.Join(s.dir, "laptop.yaml")
	if err := os.WriteFile(other, []byte(hasty(s.Config())+"    expiry: 1h\n"), 0o600); err != nil {
		s.Fatal(err)
	}
	env := s.person()
	env["ROOTBOT_CONFIG"] = other
	return processtest.Launch(s.T, processtest.Binary(s.T), s.dir, env, append([]string{"run"}, words...)...)
}

// exits wants a process to end well, and to have said what it should.
func exits(t *testing.T, p *processtest.Process, words ...string) {
	t.Helper()
	if code := p.Exit(patience); code != 0 {
		t.Errorf("the exit status is %d", code)
	}
	for _, word := range words {
		if n := strings.Count(p.Out.String(), word); n != 1 {
			t.Errorf("it says %q %d times:\n%s", word, n, p.Out.String())
		}
	}
}

func TestATerminalAtWorkBesideTheBotRefusesNobody(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.env["DATABASE_URL"] = storetest.Empty(t)
	s.serve()
	g := s.hold(6)
	run := s.laptop("scim-sync", s.Joiner)
	select {
	case <-g.reached:
	case <-run.Ended():
		t.Fatalf("the run has ended:\n%s", run.Out.String())
	case <-time.After(patience):
		t.Fatal("the function wasn't run")
	}
	const commands = 12
	for i := range commands {
		who := []slacktest.User{s.Member, s.Second, s.Third}[i%3]
		s.types(who, s.Log, "plan")
	}
	planned := func() (n int) {
		for i := range s.cards() {
			if strings.Contains(s.thread(i), "*Plan*") {
				n++
			}
		}
		return n
	}
	refused := func() (words []string) {
		for _, who := range []slacktest.User{s.Member, s.Second, s.Third} {
			for _, m := range s.Slack.Ephemerals(who.ID) {
				words = append(words, m.PlainText())
			}
		}
		return words
	}
	s.until("the plans", func() bool { return planned()+len(refused()) >= commands })
	if n, words := planned(), refused(); n != commands || len(words) > 0 {
		t.Errorf("%d of %d commands were answered with a plan; members were told %q", n, commands, words)
	}
	g.open()
	exits(t, run, "Result: succeeded.", "REPORT RequestId")
	s.invoked(1)
	s.bot.Terminate()
}

func TestATerminalBesideTheBotEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.env["DATABASE_URL"] = storetest.Empty(t)
	s.serve()
	for i := range 6 {
		run := s.laptop
		if i%2 == 1 { // with the bot's own settings, so that either may carry it
			run = func(words ...string) *processtest.Process {
				return processtest.Launch(t, processtest.Binary(t), s.dir, s.person(), append([]string{"run"}, words...)...)
			}
		}
		exits(t, run("scim-sync", "--plan"), "Plan: The sync will delete 1 user", "preview")
	}
	// Who can enter the bot's container has the bot's token, and isn't its owner for that.
	clear(t, processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "run", "scim-sync"), 1, "GITHUB_TOKEN is the one that rootbot serve runs with")
	if n := len(s.cards()); n > 0 {
		t.Errorf("%d cards tell of what was asked for in a terminal", n)
	}
	s.bot.Terminate()
}

// The bot carries on what a terminal left, and a terminal follows what the bot carries.
func TestARunThatTheBotCarriesEndsInTheTerminalToo(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.env["DATABASE_URL"] = storetest.Empty(t)
	s.serve()
	g := s.hold(6)
	run := processtest.Launch(t, processtest.Binary(t), s.dir, s.person(), "run", "scim-sync", s.Joiner)
	run.Printed(&run.Out, "START RequestId", 1)
	run.Freeze()
	// Once its lease is over, the bot takes its request and reads on.
	read := s.AWS.Count("logs:FilterLogEvents")
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	if err := s.AWS.Wait(ctx, func() bool { return s.AWS.Count("logs:FilterLogEvents") > read+1 }); err != nil {
		t.Fatalf("wait for the bot to go on: %v", err)
	}
	g.open()
	s.bot.Logged("request step-ended", 2)
	run.Thaw()
	exits(t, run, "Result: succeeded.")
	s.invoked(1)
	s.bot.Terminate()
}
