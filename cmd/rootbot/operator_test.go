package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/processtest"
)

// logged is the first line of the bot's own log with a message, decoded.
func (s *scene) logged(msg string) map[string]any {
	s.Helper()
	for line := range strings.Lines(s.bot.Err.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil && entry["msg"] == msg {
			return entry
		}
	}
	return nil
}

func TestAnOperatorWhoAsksForThemGetsDecisionsAndProfiles(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.env["ROOTBOT_LOG"] = "debug"
	s.bot = processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "serve", "--pprof=127.0.0.1:0")
	s.until("the bot to connect", func() bool { return len(s.Slack.Connections()) >= 2 })
	address, _ := s.logged("serving profiles")["address"].(string)
	answer, err := http.Get(address + "heap?debug=1")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("the profile of the heap is answered with %d", answer.StatusCode)
	}
	if status, _ := s.bot.Get("debug/pprof/"); status != http.StatusNotFound {
		t.Errorf("ROOTBOT_LISTEN answers with %d where profiles would be", status)
	}

	s.types(s.Member, s.Log, "plan")
	s.until("the plan", func() bool { return s.logged("request planned") != nil })
	for msg, by := range map[string]string{"may ask": "slack:" + s.Slack.TeamID + "/" + s.Member.ID, "a plan is made": "otter"} {
		if entry := s.logged(msg); entry == nil || entry["by"] != by || entry["level"] != "DEBUG" || entry["operation"] != "scim-sync" || entry["request"] == "" {
			t.Errorf("of %q the log tells %v", msg, entry)
		}
	}
}
