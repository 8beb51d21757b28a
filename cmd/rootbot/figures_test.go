package main_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// The figures that are promised of the program as it is shipped.
const (
	sizeBelow  = 45e6 // bytes
	readyBelow = 500 * time.Millisecond
	idleBelow  = 24 << 10 // KiB, without the program's file
)

func TestTheShippedProgramIsSmallAndReadyAtOnce(t *testing.T) {
	path := processtest.Shipped(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the binary has %.1f MB", float64(info.Size())/1e6)
	if info.Size() >= sizeBelow {
		t.Errorf("the binary has %d bytes", info.Size())
	}

	s := begin(t, worldtest.Options{})
	best := time.Hour
	for range 3 {
		s.serveAs(path)
		ready(t, s.bot)
		took := time.Since(s.bot.Begun)
		own, _ := s.bot.Resident()
		t.Logf("ready after %v, with %d KiB", took.Round(time.Millisecond), own)
		best = min(best, took)
		s.bot.Terminate()
	}
	if best >= readyBelow {
		t.Errorf("the bot was ready after %v at the best", best)
	}

	s.serveAs(path)
	s.types(s.Member, s.Log, "")
	s.ended(0)
	ready(t, s.bot)
	// Go gives memory back a while after it isn't used any more.
	idle := 0
	s.until(fmt.Sprintf("less than %d KiB of its own after a run", idleBelow), func() bool {
		idle, _ = s.bot.Resident()
		return idle < idleBelow
	})
	t.Logf("%.1f MiB of its own after a run", float64(idle)/1024)
	if status, body := s.bot.Get("healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d:\n%.300s", status, body)
	}
	status, body := s.bot.Get("metrics")
	for _, told := range []string{
		"rootbot_slack_connections 2\n",
		`rootbot_calls_total{method="GET /orgs/{org}/teams/{team}/memberships/{user}",outcome="ok",to="github"} `,
		`rootbot_calls_total{method="lambda:Invoke",outcome="ok",to="aws"} 1` + "\n",
		`rootbot_assume_roles_total{outcome="ok"} `,
		`rootbot_steps_total{operation="scim-sync",outcome="failed"} `,
	} {
		if status != http.StatusOK || !strings.Contains(body, told) {
			t.Errorf("/metrics answers %d and doesn't tell %s", status, told)
		}
	}
	s.bot.Terminate()
}

// ready asks /readyz until it says yes. Slack has the bot's connections by
// then, so the bot will know in an instant.
func ready(t *testing.T, p *processtest.Process) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if status, _ := p.Get("readyz"); status == http.StatusOK {
			return
		}
	}
	t.Fatal("the bot isn't ready")
}
