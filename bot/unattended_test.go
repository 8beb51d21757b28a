package bot_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

func TestTimeToRestoreThatEndsWhileTheBotIsStoppedIsGivenAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		stopped time.Duration
		till    time.Time // until when it waits; zero: it goes on
	}{
		{"it is back in time", 50 * time.Minute, time.Time{}},
		{"it is back a few minutes later", 65 * time.Minute, time.Time{}},
		{"it is back two days later", 48 * time.Hour, noon.Add(49 * time.Hour)},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := &grace{}
			h := g.opened(t)
			r := h.offered()
			h.restart(func() { h.forward(test.stopped) }, g.operation())
			if test.till.IsZero() {
				h.forward(time.Hour - min(test.stopped, time.Hour))
				h.wake(r.ID)
				same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
				return
			}
			r = h.until(r.ID, "given time again", func(r request.Request) bool { return r.UndoUntil.Equal(test.till) })
			says(t, r.Waits.For, "at 2 Mar 13:00 UTC", "goes on only at 4 Mar 13:00 UTC", "press Restore")
			h.wake(r.ID)
			same(t, "what was done", []string{"boxed"}, g.done())
			h.restart(func() {}, g.operation())
			h.wake(r.ID)
			same(t, "what was done after another restart", []string{"boxed"}, g.done())
			h.forward(time.Hour)
			h.wake(r.ID)
			same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
			notes := 0
			for _, m := range h.told(r.ID) {
				if m.Kind == request.Note && m.Body.Mention && strings.Contains(m.Body.Text, "The bot was stopped") {
					notes++
				}
			}
			same(t, "how often people are called to it", 1, notes)
		})
	}
}
