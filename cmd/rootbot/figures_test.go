package main_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/cmd/internal/world"
)

// The figures that are promised of the program as it is shipped.
const (
	sizeBelow  = 45e6 // bytes
	readyBelow = 500 * time.Millisecond
	idleBelow  = 40 << 10 // KiB
)

func TestTheShippedProgramIsSmallAndReadyAtOnce(t *testing.T) {
	path := stripped(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the binary has %.1f MB", float64(info.Size())/1e6)
	if info.Size() >= sizeBelow {
		t.Errorf("the binary has %d bytes", info.Size())
	}

	s := begin(t, world.Options{})
	best := time.Hour
	for range 3 {
		s.serveAs(path)
		ready(t, s.bot)
		took := time.Since(s.bot.begun)
		t.Logf("ready after %v, with %d KiB", took.Round(time.Millisecond), resident(t, s.bot))
		best = min(best, took)
		s.bot.terminate()
	}
	if best >= readyBelow {
		t.Errorf("the bot was ready after %v at the best", best)
	}

	s.serveAs(path)
	s.types(s.Member, s.Log, "")
	s.ended(0)
	ready(t, s.bot)
	idle := resident(t, s.bot)
	t.Logf("%.1f MiB resident after a run", float64(idle)/1024)
	if idle >= idleBelow {
		t.Errorf("the bot has %d KiB resident after a run", idle)
	}
	if status, body := get(t, s.bot, "healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d:\n%.300s", status, body)
	}
	status, body := get(t, s.bot, "metrics")
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
	s.bot.terminate()
}

// ready asks /readyz until it says yes. Slack has the bot's connections by
// then, so the bot will know in an instant.
func ready(t *testing.T, p *process) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < 10*time.Second; {
		if status, _ := get(t, p, "readyz"); status == http.StatusOK {
			return
		}
	}
	t.Fatal("the bot isn't ready")
}

func get(t *testing.T, p *process, path string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.listening()+"/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// resident is the memory of a process that is in use, in KiB.
func resident(t *testing.T, p *process) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Skipf("SKIPPED: resident memory is read from Linux's /proc: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		var kib int
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kib); n == 1 {
			return kib
		}
	}
	t.Fatal("/proc doesn't say VmRSS")
	return 0
}
