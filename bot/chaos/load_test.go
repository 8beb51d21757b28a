package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/crowdtest"
	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

var small = worldtest.Options{Size: 24, Teams: 10}

// crowd are people who each type one command and get one private answer to it:
// nobody knows their GitHub logins.
type crowd struct {
	*scene
	people  []string
	channel string

	mu    sync.Mutex
	shown map[string]map[string]bool // the answers to each, by their timestamps
	more  chan struct{}
	typed []typing
}

// typing is what became of one command.
type typing struct {
	who   string
	ack   slacktest.Ack
	err   error
	began time.Time
}

func gather(s *scene, n int) *crowd {
	s.Helper()
	c := &crowd{scene: s, shown: map[string]map[string]bool{}, more: make(chan struct{})}
	for i := range n {
		name := fmt.Sprintf("rook%04d", i)
		c.people = append(c.people, s.Slack.AddUser(slacktest.User{ID: fmt.Sprintf("U0ROOK%04d", i), Name: name, RealName: name}).ID)
	}
	c.channel = s.Slack.AddChannel(slacktest.Channel{ID: "C0ROOKERY", Name: "rookery", Members: append([]string{s.Slack.BotUserID}, c.people...)}).ID
	events, cancel := s.Slack.Subscribe()
	s.Cleanup(cancel)
	go func() {
		for e := range events {
			if e.Kind == slacktest.Ephemeral {
				c.mu.Lock()
				if c.shown[e.UserID] == nil {
					c.shown[e.UserID] = map[string]bool{}
				}
				c.shown[e.UserID][e.Message.TS] = true
				close(c.more)
				c.more = make(chan struct{})
				c.mu.Unlock()
			}
		}
	}()
	return c
}

// mixed is a sync, which is stored before it is acknowledged, or for every other
// one who they are, which is found out meanwhile.
func mixed(i int) (command, text string) {
	if i%2 == 0 {
		return "/rootbot", "whoami"
	}
	return "/scim-sync", ""
}

// types has the i-th of the people type a command.
func (c *crowd) types(i int, command, text string) {
	t := typing{who: c.people[i], began: time.Now()}
	t.ack, t.err = c.Slack.Command(c.Context(), t.who, c.channel, command, text)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.typed = append(c.typed, t)
}

// answered says how many answers each has been shown who typed something.
func (c *crowd) answered(t typing) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.shown[t.who])
}

// answers waits until everybody is answered whose command was acknowledged.
func (c *crowd) answers(limit time.Duration) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), limit)
	defer cancel()
	for {
		c.mu.Lock()
		missing, more := 0, c.more
		for _, t := range c.typed {
			if t.err == nil && len(c.shown[t.who]) == 0 {
				missing++
			}
		}
		c.mu.Unlock()
		if missing == 0 {
			return
		}
		select {
		case <-more:
		case <-ctx.Done():
			c.Errorf("%d commands were acknowledged and not answered within %v", missing, limit)
			return
		}
	}
}

// way is something bad that happens to a connection.
type way struct {
	name  string
	loses bool // what was written to it may never arrive
	do    func(*slacktest.Connection)
}

var ways = []way{
	{"told to refresh", false, func(c *slacktest.Connection) { c.Disconnect(slacktest.RefreshRequested) }},
	{"warned", false, func(c *slacktest.Connection) { c.Disconnect(slacktest.Warning) }},
	{"reset", true, (*slacktest.Connection).Reset},
	{"closed", true, (*slacktest.Connection).Close},
	{"frozen", true, (*slacktest.Connection).Freeze},
}

const (
	perSecond = 50
	noticed   = 10 * time.Second // how long a dead connection may go unnoticed
)

func TestChaosLoad(t *testing.T) {
	if !loaded() {
		load(t, databases[0], 5*time.Second)
		return
	}
	// Beside the kills, which keep all cores busy, acks would be late for their sake.
	for _, on := range databases[:2] {
		t.Run("on "+on.name, func(t *testing.T) {
			on.here(t)
			t.Parallel()
			load(t, on, time.Minute)
		})
	}
}

// load has people type at their pace while connections die.
func load(t *testing.T, on database, length time.Duration) {
	t.Helper()
	s := begin(t, processtest.Binary(t), on, small, nil)
	c := gather(s, int((length+2*patience).Seconds()*perSecond))

	ctx, stop := context.WithCancel(t.Context())
	var typing sync.WaitGroup
	typing.Go(func() {
		tick := time.NewTicker(time.Second / perSecond)
		defer tick.Stop()
		for i := 0; i < len(c.people); i++ {
			select {
			case <-tick.C:
				command, text := mixed(i)
				typing.Go(func() { c.types(i, command, text) })
			case <-ctx.Done():
				return
			}
		}
	})
	lossy, met := map[*slacktest.Connection]string{}, map[*slacktest.Connection]bool{}
	begun := time.Now()
	pause := time.NewTicker(700 * time.Millisecond)
	defer pause.Stop()
	for i := 0; i < len(ways) || time.Since(begun) < length; i++ {
		<-pause.C
		all, w := s.Slack.Connections(), ways[i%len(ways)]
		victim := all[slices.IndexFunc(all, func(c *slacktest.Connection) bool { return !met[c] })]
		met[victim] = true
		if w.loses {
			lossy[victim] = w.name
		}
		at := time.Now()
		w.do(victim)
		s.wait("another connection after one was "+w.name, s.Slack.Wait, func() bool {
			others := 0
			for _, o := range s.Slack.Connections() {
				if !met[o] {
					others++
				}
			}
			return others >= 2
		})
		if took := time.Since(at); took > noticed {
			t.Errorf("after %v the bot made up for a connection that was %s", took, w.name)
		} else {
			t.Logf("made up after %v for a connection that was %s", took.Round(time.Millisecond), w.name)
		}
	}
	took := time.Since(begun)
	stop()
	typing.Wait()
	c.answers(patience)
	s.stop()

	acked, lost, slowest := 0, map[string]int{}, time.Duration(0)
	for _, typed := range c.typed {
		answers := c.answered(typed)
		switch {
		case typed.err == nil:
			acked++
			slowest = max(slowest, typed.ack.After)
			if answers != 1 {
				t.Errorf("%s was answered %d times", typed.who, answers)
			}
		case errors.Is(typed.err, slacktest.ErrNoAck) && lossy[typed.ack.Over] != "":
			lost[lossy[typed.ack.Over]]++
			if answers > 1 {
				t.Errorf("%s was answered %d times", typed.who, answers)
			}
		default:
			t.Errorf("%s typed after %v: %v", typed.who, typed.began.Sub(begun), typed.err)
		}
	}
	t.Logf("%d commands in %v: %d acknowledged, the slowest after %v; Slack couldn't hand over %v", len(c.typed), took.Round(time.Second), acked, slowest.Round(time.Millisecond), lost)
	if fewest := int(took.Seconds() * perSecond / 2); acked < fewest {
		t.Errorf("only %d commands were acknowledged", acked)
	}
}

const (
	resident    = 100 << 10 // KiB that the bot stays under
	tooMuchToDo = "more to do just now than it can take"
)

// flood is how many commands come at once: fewer where others keep the machine's
// cores busy. With the race detector it is Slack that is slow, and not the bot.
func flood(t *testing.T) int {
	t.Helper()
	share, err := crowdtest.Share()
	if err != nil {
		t.Fatal(err)
	}
	if processtest.Raced {
		return int(1000 * share)
	}
	return int(5000 * share)
}

// floods is how many kinds of flood are played.
func floods() int {
	if loaded() {
		return 4
	}
	return 1
}

// TestChaosFlood runs beside nothing else: whoever types must not be what is slow.
func TestChaosFlood(t *testing.T) {
	for _, f := range []struct {
		name string
		on   database
		said func(int) (command, text string)
	}{
		{"of both kinds of command", databases[0], mixed},
		{"of what is stored", databases[0], func(int) (string, string) { return "/scim-sync", "" }},
		{"of what is found out", databases[0], func(int) (string, string) { return "/rootbot", "whoami" }},
		{"of what two replicas share", databases[1], mixed},
	}[:floods()] {
		t.Run(f.name, func(t *testing.T) {
			// The memory is that of the program as it is shipped.
			f.on.here(t)
			s := begin(t, processtest.Shipped(t), f.on, small, nil)
			many := flood(t)
			c := gather(s, many)
			begun := time.Now()
			var typing sync.WaitGroup
			for i := range many {
				command, text := f.said(i)
				typing.Go(func() { c.types(i, command, text) })
			}
			typing.Wait()
			acked := time.Since(begun)
			c.answers(2 * time.Minute)
			took := time.Since(begun)
			_, peak := s.bots[0].Resident()
			s.stop()
			unacked, busy := 0, 0
			for _, typed := range c.typed {
				if typed.err != nil {
					unacked++
					continue
				}
				if typed.ack.Message != nil && strings.Contains(typed.ack.Message.PlainText(), tooMuchToDo) {
					busy++
				}
				if n := c.answered(typed); n != 1 {
					t.Errorf("%s was answered %d times", typed.who, n)
				}
			}
			t.Logf("%d commands at once: acknowledged %.0f a second, answered after %v, %d of them with busy; %.1f MiB at the most",
				many, float64(many)/acked.Seconds(), took.Round(time.Millisecond), busy, float64(peak)/1024)
			if unacked > 0 {
				t.Errorf("%d commands weren't acknowledged in time", unacked)
			}
			if peak >= resident {
				t.Errorf("the bot had %d KiB resident", peak)
			}
		})
	}
}
