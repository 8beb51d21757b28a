package chat_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/ops"
)

// several is an office with several processes on one PostgreSQL.
func several(t *testing.T, n int, operations ...ops.Operation) *office {
	t.Helper()
	o := build(t, slacktest.Options{})
	o.address = storetest.Database(t)
	for range n {
		o.begin(operations...)
	}
	return o
}

// Whichever process takes a command, and whichever delivers: who may not is told
// so on the spot, also in a channel where the bot isn't.
func TestSeveralProcessesAnswerOnTheSpot(t *testing.T) {
	t.Parallel()
	o := several(t, 2, tidy(work))
	const commands = 8
	for range commands {
		o.types(o.mallory, o.general, "")
	}
	o.wait("all answered", func() bool { return len(o.told(o.mallory)) == commands })
	o.quietly()
	if n := len(o.Direct(o.mallory.ID)); n > 0 {
		t.Errorf("%d answers came by direct message", n)
	}
	if n := len(o.told(o.mallory)); n != commands {
		t.Errorf("%d answers to %d commands", n, commands)
	}
	o.fine()
}

// Several processes run each thing once and tell it once, in order, however the
// commands are shared out among them.
func TestSeveralProcessesDoEachThingOnce(t *testing.T) {
	t.Parallel()
	operation := tidy(work)
	operation.Lock = nil
	o := several(t, 3, operation)
	const commands = 6
	for i := range commands {
		o.types([]slacktest.User{o.ada, o.grace, o.hedy}[i%3], o.home, "")
	}
	o.waitFor("all done", 60*time.Second, func() bool {
		return len(o.cards()) == commands && !slices.ContainsFunc(o.cards(), func(m slacktest.Message) bool { return !strings.Contains(m.PlainText(), "Done") })
	})
	o.quietly()
	for _, card := range o.cards() {
		same(t, "a thread", []string{"Plan", "Log", "Result"}, o.replies(card))
	}
	o.fine()
}

// The process that delivers leaves, and another goes on where it was.
func TestAnotherProcessDeliversWhenOneLeaves(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{})
	o.address = storetest.Database(t)
	o.begin(tidy(work))
	leave := o.leave
	o.begin(tidy(work))
	for i := range 3 {
		o.types(o.ada, o.home, "")
		o.waitFor(fmt.Sprintf("card %d done", i), 30*time.Second, func() bool {
			return len(o.cards()) == i+1 && strings.Contains(o.cards()[i].PlainText(), "Done")
		})
		if i == 0 {
			leave()
		}
	}
	o.quietly()
	for _, card := range o.cards() {
		same(t, "a thread", []string{"Plan", "Log", "Result"}, o.replies(card))
	}
	o.fine()
}
