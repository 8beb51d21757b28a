package chat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// A half-open connection must be noticed within 10 s.
func TestAHalfOpenConnectionIsReplacedWhileTheOtherServes(t *testing.T) {
	t.Parallel()
	for _, pings := range []time.Duration{0, -1} { // whether Slack pings too must not matter
		t.Run(fmt.Sprintf("Slack pings every %v", pings), func(t *testing.T) {
			t.Parallel()
			o := build(t, slacktest.Options{PingInterval: pings})
			o.begin(tidy(work))
			frozen := o.Connections()[0]
			frozen.Freeze()
			begun := time.Now()
			answered := 0
			o.waitFor("replaced", 10*time.Second, func() bool {
				// What Slack hands to the frozen one nobody can save.
				if ack, err := o.Command(t.Context(), o.ada.ID, o.home.ID, "/tidy-up", "help"); err == nil && ack.Message != nil {
					answered++
				}
				there := o.Connections()
				return len(there) == 2 && !slices.Contains(there, frozen)
			})
			if answered == 0 {
				t.Error("nobody was answered meanwhile")
			}
			t.Logf("replaced after %v, %d answered meanwhile", time.Since(begun).Round(time.Millisecond), answered)
			for range 4 {
				if said := o.types(o.ada, o.home, "help"); said == "" {
					t.Error("no help came")
				}
			}
		})
	}
}

func TestAQuietConnectionStays(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{PingInterval: -1})
	o.begin(tidy(work))
	before := o.Connections()
	if patiently(7*time.Second, 100*time.Millisecond, func() bool { return !slices.Equal(before, o.Connections()) }) {
		t.Errorf("the connections were renewed though Slack answers its pings")
	}
}

// While one is renewed, envelopes go to whatever connection there is; none may
// be lost.
func TestRenewingAConnectionLosesNothing(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{slacktest.RefreshRequested, slacktest.Warning} {
		for _, all := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, all at once: %v", reason, all), func(t *testing.T) {
				t.Parallel()
				o := start(t, tidy(work))
				old := o.Connections()
				leaving := old
				if !all {
					leaving = old[:1]
				}
				lost, sent := 0, 0
				for _, c := range leaving {
					c.Disconnect(reason)
				}
				o.wait("renewed", func() bool {
					sent++
					if _, err := o.Command(t.Context(), o.ada.ID, o.home.ID, "/tidy-up", "help"); err != nil && !(all && err == slacktest.ErrNoConnection) {
						lost++
					}
					there := o.Connections()
					return len(there) == 2 && !slices.ContainsFunc(leaving, func(c *slacktest.Connection) bool { return slices.Contains(there, c) })
				})
				if lost > 0 {
					t.Errorf("%d of %d commands were lost", lost, sent)
				}
				o.fine()
			})
		}
	}
}

func TestSocketModeThatIsSwitchedOffEndsTheBot(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.Disconnect(slacktest.LinkDisabled)
	select {
	case err := <-o.listened:
		if err == nil || !strings.Contains(err.Error(), "switched off") {
			t.Errorf("the error is %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it still listens")
	}
}

func TestOpeningConnectionsIsNeverHammered(t *testing.T) {
	t.Parallel()
	t.Run("Slack asks to wait", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		o.Fail("apps.connections.open", slacktest.Fault{RetryAfter: 3 * time.Second})
		begun := time.Now()
		for _, c := range o.Connections() {
			c.Reset()
		}
		o.wait("connected again", func() bool { return len(o.Connections()) == 2 })
		if took := time.Since(begun); took < 3*time.Second {
			t.Errorf("it was connected after %v", took)
		}
		o.fine() // who calls before Retry-After has passed is found fault with
	})
	t.Run("Slack has an error of its own", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		o.Fail("apps.connections.open", times(1000, slacktest.Fault{Status: 503})...)
		before := o.Count("apps.connections.open")
		for _, c := range o.Connections() {
			c.Reset()
		}
		const seconds = 6
		patiently(seconds*time.Second, time.Second, func() bool { return false })
		if n := o.Count("apps.connections.open") - before; n < 3 || n > 4+seconds {
			t.Errorf("in %d s it was tried %d times", seconds, n)
		}
	})
}

// Whoever comes when there is too much to do is told so within Slack's 3 s, and
// nothing is done.
func TestWhoFindsTheBotBusyIsToldSo(t *testing.T) {
	t.Parallel()
	const handlers = 32
	held, entered := make(chan bool), make(chan bool, handlers)
	operation := tidy(work)
	operation.Form = []ops.Field{{Name: "people", Label: "GitHub logins", List: true, Optional: true, Check: func(string) error {
		entered <- true
		<-held
		return nil
	}}}
	o := start(t, operation, new(crew).letGo())
	var whispered sync.WaitGroup
	whispered.Add(1)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "more to do") || !strings.Contains(string(body), "ephemeral") {
			t.Errorf("whoever clicked is told %s", body)
		}
		whispered.Done()
	}))
	defer hook.Close()
	var typing sync.WaitGroup
	for range handlers {
		typing.Go(func() { o.Command(context.Background(), o.ada.ID, o.home.ID, "/tidy-up", "octocat") })
	}
	for range handlers {
		<-entered
	}
	// Nobody is free now, so what comes waits: for longer than is left for storing.
	values := map[string]any{"state": map[string]any{"values": map[string]any{"reason": map[string]any{"reason": map[string]any{"type": "plain_text_input", "value": "x"}}}}, "callback_id": "ask:let-go"}
	var waiting sync.WaitGroup
	late := []struct {
		name, kind string
		payload    map[string]any
		says       []string // in the ack
	}{
		{"a command", "slash_commands", map[string]any{"command": "/tidy-up", "text": "hubot", "user_id": o.grace.ID}, []string{"more to do", "Nothing was changed", "ephemeral"}},
		{"a form", "interactive", map[string]any{"type": "view_submission", "view": values}, []string{"more to do", "errors", `"reason"`}},
		{"a search", "interactive", map[string]any{"type": "block_suggestion", "block_id": "account"}, []string{"more to do", "options"}},
		{"a click", "interactive", map[string]any{"type": "block_actions", "response_url": hook.URL}, nil},
		{"a click without an address", "interactive", map[string]any{"type": "block_actions"}, nil},
	}
	for _, l := range late {
		waiting.Go(func() {
			ack, err := o.Send(t.Context(), l.kind, l.payload)
			if err != nil {
				t.Errorf("%s: %v", l.name, err)
			}
			for _, want := range l.says {
				if !strings.Contains(string(ack.Payload), want) {
					t.Errorf("%s: the ack %s doesn't say %q", l.name, ack.Payload, want)
				}
			}
			if l.says == nil && ack.Payload != nil {
				t.Errorf("%s: the ack says %s", l.name, ack.Payload)
			}
		})
	}
	waiting.Wait()
	close(held)
	whispered.Wait()
	typing.Wait()
	for _, r := range o.requests() {
		if r.Asker.User != o.ada.ID {
			t.Errorf("somebody was told that nothing was done, and stored is %+v", r)
		}
	}
}

// Slack's own words are all that a payload has to be.
func TestWhatCantBeReadIsLeftUnacknowledged(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{AckTimeout: 300 * time.Millisecond})
	o.begin(tidy(work))
	for _, kind := range []string{"slash_commands", "interactive", "something_new"} {
		if ack, err := o.Send(t.Context(), kind, "no object"); !errors.Is(err, slacktest.ErrNoAck) {
			t.Errorf("%s: %s, %v", kind, ack.Payload, err)
		}
	}
	if said := o.types(o.ada, o.home, "help"); said == "" {
		t.Error("no help came afterwards")
	}
}
