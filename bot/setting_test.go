package bot_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
)

// Who decides is a setting like any other: it holds for a run that waits, too.
func TestSettingsOfWhoDecidesHoldForARunThatWaits(t *testing.T) {
	t.Parallel()
	t.Run("more approvals are needed by now", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := g.opened(t)
		r := h.offered()
		h.restart(func() { h.terms = map[string]request.Terms{"tidy-up": demands(2)} }, g.operation())
		h.forward(time.Hour)
		h.wake(r.ID)
		r = h.reach(r.ID, request.Waiting)
		same(t, "the approvals that are missing", 2, r.Missing())
		if !slices.ContainsFunc(h.told(r.ID), func(m request.Message) bool { return strings.Contains(m.Body.Text, "Approvals: 1, now 2") }) {
			t.Error("nobody is told why")
		}
		h.press("U2", request.Approve, r, "")
		h.press("U4", request.Approve, r, "")
		same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
	})
	t.Run("fewer approvals are needed by now", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := g.opened(t)
		r := h.offered()
		h.restart(func() { h.terms = map[string]request.Terms{"tidy-up": demands(0)} }, g.operation())
		h.forward(time.Hour)
		h.wake(r.ID)
		same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
	})
	t.Run("who had it run alone isn't named any more", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := build(t)
		h.stand(noon)
		h.terms = map[string]request.Terms{"tidy-up": demands(1)}
		h.settle = func(d *bot.Desk) {
			d.BreakGlass = []string{"hubot"}
			g.record = d.Called
		}
		h.begin(g.operation())
		r := h.waiting()
		h.show(r)
		h.press("U2", request.BreakGlass, r, burns)
		h.deliver(r, request.Glass)
		h.wake(r.ID)
		r = h.until(r.ID, "open to be restored", func(r request.Request) bool { return !r.UndoUntil.IsZero() })
		h.restart(func() { h.settle = func(d *bot.Desk) { d.BreakGlass, g.record = []string{"monalisa"}, d.Called } }, g.operation())
		h.forward(time.Hour)
		h.wake(r.ID)
		r = h.reach(r.ID, request.Waiting)
		same(t, "what was done", []string{"boxed"}, g.done())
		if r.Alone() || !slices.ContainsFunc(h.told(r.ID), func(m request.Message) bool { return strings.Contains(m.Body.Text, "don't name hubot") }) {
			t.Errorf("it is run alone still: %v", r.Alone())
		}
		h.press("U4", request.Approve, r, "")
		same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
	})
}
