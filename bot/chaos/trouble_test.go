package chaos_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// TestChaosSlackInTrouble has Slack refuse, break and cut off what is posted. It
// takes a message a second in a channel, as Slack does, and finds fault with
// whoever doesn't wait for as long as Retry-After says.
func TestChaosSlackInTrouble(t *testing.T) {
	t.Parallel()
	calm := begin(t, processtest.Binary(t), databases[0], small, nil)
	scimSync(calm)
	calm.stop()

	limited := small
	limited.RateLimit = true
	for _, trouble := range []struct {
		name  string
		fault slacktest.Fault
		times int
	}{
		{"429", slacktest.Fault{RetryAfter: time.Second}, 5},
		{"500", slacktest.Fault{Status: 500}, 3},
		{"cut before it is done", slacktest.Fault{Cut: true}, 3},
		{"cut after it is done", slacktest.Fault{CutAfter: true}, 3},
	} {
		for first, from := range map[int]string{0: "from the first message on", 2: "from the third message on"} {
			t.Run(trouble.name+" "+from, func(t *testing.T) {
				t.Parallel()
				s := begin(t, processtest.Binary(t), databases[0], limited, nil)
				faults := append(make([]slacktest.Fault, first), slices.Repeat([]slacktest.Fault{trouble.fault}, trouble.times)...)
				s.Slack.Fail("chat.postMessage", faults...)
				scimSync(s)
				s.stop()
				s.whole()
				if diff := gocmp.Diff(calm.outcome(), s.outcome()); diff != "" {
					t.Errorf("this is not what comes of a Slack without trouble (-without +with):\n%s", diff)
				}
				if n := s.Slack.Count("chat.postMessage"); n < first+trouble.times {
					t.Errorf("only %d messages were tried to be posted", n)
				}
			})
		}
	}
}

// TestChaosSIGTERM ends the bot while five people wait for their answers.
func TestChaosSIGTERM(t *testing.T) {
	t.Parallel()
	s := begin(t, processtest.Binary(t), databases[0], small, nil)
	c := gather(s, 5)
	s.Slack.SetDelay("users.info", 6*time.Second)
	for i := range c.people {
		command, text := mixed(i)
		c.types(i, command, text)
	}
	for _, typed := range c.typed {
		if typed.err != nil || c.answered(typed) > 0 {
			t.Fatalf("%s typed, with %v, and has %d answers", typed.who, typed.err, c.answered(typed))
		}
	}
	t.Logf("it took %v", s.bots[0].Terminate())
	s.Slack.SetDelay("users.info", 0)
	s.serve(s.bots[0])
	c.answers(patience)
	s.stop()
	for _, typed := range c.typed {
		if n := c.answered(typed); n != 1 {
			t.Errorf("%s was answered %d times", typed.who, n)
		}
	}
	if said := s.bots[0].Err.String(); !strings.Contains(said, `"msg":"stopped"`) {
		t.Error("its log doesn't say that it stopped")
	}
}
