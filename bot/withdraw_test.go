package bot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestARunThatWaitsAndHasChangedNothingCanBeWithdrawn(t *testing.T) {
	t.Parallel()
	t.Run("while GitHub can't be asked", func(t *testing.T) {
		t.Parallel()
		h, s := shelved(t, 1, 1)
		r := h.waiting()
		h.show(r)
		h.gh.Fail("/orgs/*/teams/*/memberships/octocat$", githubtest.Fault{Status: 503})
		h.press("U2", request.Approve, r, "")
		r = h.until(r.ID, "held up", func(r request.Request) bool { return r.HeldUp != "" })
		says(t, h.press("U4", request.Withdraw, r, ""), "needs a reason")
		h.press("U1", request.Withdraw, r, "")
		r = h.ended(r.ID)
		same(t, "what it ends as", request.Withdrawn, r.State)
		same(t, "what was changed", ops.ChangedNothing, r.Changed)
		h.gh.ClearFaults()
		h.wake(r.ID)
		same(t, "how often it ran", 0, len(s.runs()))
	})
	t.Run("while its first step waits", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		o := g.operation()
		o.Do["box"] = func(ctx context.Context, run ops.Run) error {
			return errors.Join(run.Waiting(ctx, ops.Waiting{For: "Waiting for a key."}), ops.Again(50*time.Millisecond))
		}
		h := hall(t, 1, o)
		r := h.waiting()
		h.press("U2", request.Approve, r, "")
		r = h.until(r.ID, "waiting for a key", func(r request.Request) bool { return r.Waits.For != "" })
		h.press("U4", request.Withdraw, r, "not this box")
		same(t, "what it ends as", request.Withdrawn, h.ended(r.ID).State)
		same(t, "what was done", []string(nil), g.done())
	})
	t.Run("not once it has changed something", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := g.opened(t)
		r := h.offered()
		says(t, h.press("U1", request.Withdraw, r, ""), "too late")
		same(t, "its state", request.Running, h.request(r.ID).State)
	})
}
