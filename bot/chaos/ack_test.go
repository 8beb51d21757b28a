package chaos_test

import (
	"net/http"
	"testing"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// TestChaosKillRightAfterTheAck kills all processes as soon as somebody has their
// ack: what they asked for is stored by then, and perhaps not more.
func TestChaosKillRightAfterTheAck(t *testing.T) {
	t.Parallel()
	for _, on := range databases {
		t.Run("on "+on.name, func(t *testing.T) {
			on.here(t)
			t.Parallel()
			s := begin(t, processtest.Binary(t), on, operations[0].options, nil)
			// However slow the killer is, nobody gets further than to ask who it is.
			s.GitHub.Fail("", githubtest.Fault{Status: http.StatusInternalServerError})
			ack, err := s.Slack.Command(t.Context(), s.Member.ID, s.Log.ID, "/scim-sync", s.Joiner)
			for _, b := range s.bots {
				b.Kill()
				b.Process = nil
			}
			if err != nil || ack.Message != nil {
				t.Fatalf("the ack is %+v, %v", ack.Message, err)
			}
			s.GitHub.ClearFaults()
			for _, b := range s.bots {
				s.serve(b)
			}
			s.wait("the result", s.Slack.Wait, func() bool {
				all := s.Slack.Messages(s.Log.ID)
				return len(all) > 0 && len(results(s, all[0])) > 0 && ended(all[0])
			})
			s.stop()
			s.whole()
			if n := len(s.AWS.Invocations(worldtest.Function)); n != 1 {
				t.Errorf("the function was invoked %d times", n)
			}
		})
	}
}
