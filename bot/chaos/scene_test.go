package chaos_test

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
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// patience is how long what must come may take on a busy machine.
const patience = 40 * time.Second

// scene is a world and the processes that serve it.
type scene struct {
	*testing.T
	*worldtest.World
	on    database
	relay *relay // nil: the processes call the world itself
	dir   string
	path  string // of the program
	bots  []*bot

	killed   chan struct{}        // closed when the kill point was reached and who stood there is dead
	victim   *held                // the call at the kill point
	corpse   *processtest.Process // the one that made it
	diedAt   time.Time
	restored time.Time // when the program was started anew
	gone     bool      // the kill is made good for: nothing more to do about it
}

// bot is a process and what it is started with.
type bot struct {
	*processtest.Process
	env map[string]string
}

// starting has a place for each of the scenes that begin at once: all of them
// would be so slow that people gave up.
var starting = make(chan struct{}, 4)

// begin makes a world and starts the bot, whose calls go through a relay if there
// is one. The fakes must have nothing to complain of in the end.
func begin(t *testing.T, path string, on database, o worldtest.Options, relay *relay) *scene {
	t.Helper()
	s := &scene{T: t, World: worldtest.New(o), on: on, relay: relay, dir: t.TempDir(), path: path, killed: make(chan struct{})}
	t.Cleanup(func() {
		if t.Failed() {
			var b strings.Builder
			s.Slack.Transcript(&b)
			t.Logf("what was said:\n%.40000s", b.String())
		}
		s.World.Close()
		for _, problem := range s.Problems() {
			t.Error(problem)
		}
	})
	// Without the pauses that a real AWS needs.
	settings := s.Config() + "    settle: 0s\n    calls_per_second: 0\n"
	s.settings("rootbot.yaml", settings)
	// How long a decision is waited for is an operation's setting, and nobody waits that long here.
	s.settings("other.yaml", strings.NewReplacer("  remove-user:\n", "  remove-user:\n    expiry: 71h\n", "  scim-sync:\n", "  scim-sync:\n    expiry: 71h\n").Replace(settings))
	address := on.address(t)
	starting <- struct{}{}
	defer func() { <-starting }()
	for i := range on.replicas {
		b := &bot{env: s.Env()}
		if relay != nil {
			b.env = relay.env(t, s.World, i)
		}
		maps.Copy(b.env, map[string]string{"DATABASE_URL": address, "ROOTBOT_LISTEN": "127.0.0.1:0"})
		if on.differ && i > 0 {
			b.env["ROOTBOT_CONFIG"] = "other.yaml"
		}
		s.bots = append(s.bots, b)
		s.serve(b)
	}
	if relay != nil {
		relay.begin()
		go s.hunt()
	}
	return s
}

func (s *scene) settings(name, text string) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// serve starts a process and returns when Slack has its connections.
func (s *scene) serve(b *bot) {
	s.Helper()
	// Those of a process that was killed are noticed a moment later.
	others := 0
	for _, o := range s.bots {
		if o != b && o.Process != nil && o != s.dead() {
			others += 2
		}
	}
	s.wait("the connections of an earlier process to end", s.Slack.Wait, func() bool { return len(s.Slack.Connections()) <= others })
	b.Process = processtest.Launch(s.T, s.path, s.dir, b.env, "serve")
	s.wait("the bot to connect", s.Slack.Wait, func() bool { return len(s.Slack.Connections()) >= others+2 })
}

// hunt kills the process that comes to the kill point. It ends with the test.
func (s *scene) hunt() {
	select {
	case at := <-s.relay.reached:
		s.corpse = s.bots[at.replica].Process
		s.victim, s.diedAt = at, time.Now()
		if s.relay.freezes {
			s.corpse.Freeze()
			s.diedAt = time.Now()
		} else {
			s.corpse.Kill()
			s.diedAt = time.Now()
			close(at.drop)
		}
		close(s.killed)
	case <-s.Context().Done():
	}
}

// dead is the bot that was killed, if one is and wasn't started again.
func (s *scene) dead() *bot {
	select {
	case <-s.killed:
		if s.restored.IsZero() {
			return s.bots[s.victim.replica]
		}
	default:
	}
	return nil
}

// revive does what is done about a dead process: SQLite's is started anew, and
// PostgreSQL's is left to the other replica.
func (s *scene) revive() {
	s.Helper()
	if b := s.dead(); b != nil && !s.gone {
		s.gone = true
		if s.on.replicas == 1 {
			begun := time.Now()
			s.serve(b)
			s.restored = begun
		}
	}
}

// until waits for something, over the death of a process if need be.
func (s *scene) until(what string, wait func(context.Context, func() bool) error, holds func() bool) {
	s.Helper()
	limit := patience
	if s.on.replicas > 1 {
		limit += s.on.resumes
	}
	deadline, cancel, holds := processtest.Moving(s.Context(), limit, holds)
	defer cancel()
	for {
		ctx, stop := context.WithCancel(deadline)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			if !s.gone {
				select {
				case <-s.killed:
					stop()
				case <-ctx.Done():
				}
			}
		}()
		err := wait(ctx, holds)
		stop()
		<-watched
		if err == nil {
			return
		}
		if s.dead() == nil || s.gone {
			s.Fatalf("wait for %s: %v", what, err)
		}
		s.revive()
	}
}

// wait waits for something that no kill may come between.
func (s *scene) wait(what string, wait func(context.Context, func() bool) error, holds func() bool) {
	s.Helper()
	ctx, cancel, holds := processtest.Moving(s.Context(), patience, holds)
	defer cancel()
	if err := wait(ctx, holds); err != nil {
		s.Fatalf("wait for %s: %v", what, err)
	}
}

// tryAgain is what people read whose wish the database of a busy machine took too
// long over.
const tryAgain = "nothing was done. Try again"

// does has a person do something. Whom the bot dies under tries again, as Slack
// tells them that it didn't work, and so does who is told to.
func (s *scene) does(what string, do func() (slacktest.Ack, error)) slacktest.Ack {
	s.Helper()
	for begun := time.Now(); ; {
		ack, err := do()
		told := ack.Message != nil && strings.Contains(ack.Message.PlainText(), tryAgain)
		for _, words := range ack.Errors {
			told = told || strings.Contains(words, tryAgain)
		}
		if err == nil && !(told && time.Since(begun) < patience) {
			return ack
		}
		if told {
			s.Logf("%s: told to try again", what)
			continue
		}
		if s.dead() == nil || s.gone {
			s.Fatalf("%s: %v", what, err)
		}
		s.revive()
	}
}

// stop ends all processes, so that what still waits to be said has been said.
func (s *scene) stop() {
	s.Helper()
	if s.relay != nil && s.relay.wasHit() {
		<-s.killed
	}
	s.revive()
	for _, b := range s.bots {
		if b != s.dead() {
			b.Terminate()
		}
	}
}
