package slacktest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func TestAMethodIsAnsweredAsOftenAsItsTierAllows(t *testing.T) {
	s := begin(t, slacktest.Options{Limits: slacktest.Tiers(time.Minute)})
	list := func() error { _, _, err := s.api.GetConversations(&slack.GetConversationsParameters{}); return err }
	for range 20 {
		failedNot(t, list())
	}
	limited, ok := errors.AsType[*slack.RateLimitedError](list())
	if !ok || limited.RetryAfter < 58*time.Second || limited.RetryAfter > time.Minute {
		t.Errorf("the 21st call is answered %v", limited)
	}
	_, err := s.api.AuthTest() // of no tier
	failedNot(t, err)
	if len(s.Problems()) > 0 {
		t.Errorf("it wasn't told before: %q", s.Problems())
	}
}

func TestAPageMayHaveLessThanWasAskedFor(t *testing.T) {
	s := begin(t, slacktest.Options{PageMost: 2})
	for _, name := range []string{"a", "b", "c"} {
		s.AddChannel(slacktest.Channel{Name: name})
	}
	page, next, err := s.api.GetConversations(&slack.GetConversationsParameters{Limit: 999})
	failedNot(t, err)
	if len(page) != 2 || next == "" {
		t.Errorf("a page has %d channels, and %q follows", len(page), next)
	}
}

func TestAChannelThatIsRenamedKeepsItsID(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.Rename(s.ops.ID, "operations")
	channel, err := s.api.GetConversationInfo(&slack.GetConversationInfoInput{ChannelID: s.ops.ID})
	failedNot(t, err)
	if channel.Name != "operations" {
		t.Errorf("it is called %s", channel.Name)
	}
}
