package chaos_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/crowdtest"
	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

const (
	strangers = 100             // who type a command a second
	cardsIn   = 2 * time.Second // how long a member waits for a card meanwhile
	asksAMin  = 60              // of GitHub, about all strangers together
)

// TestChaosStrangers has people type who belong to the organisation and not to the
// team: GitHub must be asked about each.
func TestChaosStrangers(t *testing.T) {
	length := 5 * time.Second
	if loaded() {
		length = time.Minute
	}
	s := begin(t, processtest.Binary(t), databases[0], worldtest.Options{Size: 24, Teams: 10, Strangers: strangers}, nil)
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	var typing sync.WaitGroup
	var unacked atomic.Int64
	typing.Go(func() {
		tick := time.NewTicker(time.Second / strangers)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-tick.C:
				typing.Go(func() {
					if _, err := s.Slack.Command(t.Context(), s.Strangers[i%strangers].ID, s.Log.ID, "/scim-sync", "plan"); err != nil {
						unacked.Add(1)
					}
				})
			case <-ctx.Done():
				return
			}
		}
	})
	slowest, cards := time.Duration(0), 0
	member := time.NewTicker(length / 5)
	defer member.Stop()
	for ctx.Err() == nil {
		select {
		case <-member.C:
			cards++
			typing.Go(func() {
				if _, err := s.Slack.Command(t.Context(), s.Member.ID, s.Log.ID, "/scim-sync", "plan"); err != nil {
					t.Error(err)
				}
			})
			at, given := time.Now(), crowdtest.Given()
			s.wait("a card for the member", s.Slack.Wait, func() bool { return len(s.Slack.Messages(s.Log.ID)) >= cards })
			slowest = max(slowest, min(time.Since(at), crowdtest.Given()-given))
		case <-ctx.Done():
		}
	}
	typing.Wait()
	s.wait("the members' plans", s.Slack.Wait, func() bool {
		for _, m := range s.Slack.Messages(s.Log.ID) {
			if !strings.Contains(m.PlainText(), "Preview") {
				return false
			}
		}
		return true
	})
	s.stop()
	if n := unacked.Load(); n > 0 {
		t.Errorf("%d commands weren't acknowledged in time", n)
	}
	asked := 0
	for _, c := range s.GitHub.Calls() {
		if strings.Contains(c.Path, "/teams/"+worldtest.Team) && !strings.HasSuffix(c.Path, "/memberships/"+s.Member.Name) {
			asked++
		}
	}
	if n := len(s.Slack.Messages(s.Log.ID)); n != cards {
		t.Errorf("there are %d cards of a member's %d commands", n, cards)
	}
	if loaded() && slowest > cardsIn { // beside other tests it says nothing
		t.Errorf("the member waited %v for a card", slowest)
	}
	if asked > asksAMin {
		t.Errorf("GitHub was asked %d times about strangers", asked)
	}
	t.Logf("in %v: the slowest of a member's %d cards after %v; GitHub was asked %d times about strangers", length, cards, slowest.Round(time.Millisecond), asked)
}
