package chaos_test

import (
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/processtest"
)

// TestChaosFrozenReplica has a replica stand still right before it changes
// something at AWS, for so long that the other one does the work, and then go on
// as if nothing had happened.
func TestChaosFrozenReplica(t *testing.T) {
	t.Parallel()
	for _, on := range databases[1:] {
		for _, o := range operations {
			t.Run(o.name+" on "+on.name, func(t *testing.T) {
				on.here(t)
				t.Parallel()
				freeze(t, o, on)
			})
		}
	}
}

func freeze(t *testing.T, o operation, on database) {
	t.Helper()
	calm := begin(t, processtest.Binary(t), on, o.options, newRelay(point{}))
	o.play(calm)
	calls := calm.relay.end()
	calm.stop()

	freezing := newRelay(point{call: beforeActing(t, calls)})
	freezing.freezes = true
	s := begin(t, processtest.Binary(t), on, o.options, freezing)
	o.play(s)
	s.relay.end()
	if s.victim == nil {
		t.Fatalf("the bot never came to %s", freezing.kill)
	}
	thawed := time.Now()
	s.corpse.Thaw()
	close(s.victim.drop)
	// It notices that its request is somebody else's by now.
	s.corpse.Logged("request was taken over by another process", 1)
	s.corpse.Terminate()
	s.stop()
	s.whole()
	if diff := gocmp.Diff(calm.outcome(), s.outcome()); diff != "" {
		t.Errorf("this is not what comes of a run that nobody disturbs (-undisturbed +frozen %s):\n%s", freezing.kill, diff)
	}
	for _, c := range s.relay.made() {
		if c.replica == s.victim.replica && c.at.After(thawed) && c.writes {
			t.Errorf("the replica that was frozen before %s made the call %s afterwards", s.victim, c)
		}
	}
}

// beforeActing is the last call that only reads before the first that changes
// something at AWS.
func beforeActing(t *testing.T, calls []call) string {
	t.Helper()
	last := ""
	for _, c := range calls {
		switch {
		case strings.HasPrefix(c.name, "slack ") || strings.HasPrefix(c.name, "github "):
		case c.writes:
			return last
		default:
			last = c.String()
		}
	}
	t.Fatalf("nothing is changed at AWS in %v", calls)
	return ""
}
