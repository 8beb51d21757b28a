package bot_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// wild is an operation in a world that moves whenever it can: it does one thing that
// can be restored, waits, and does two things that can't be.
type wild struct {
	h *house

	mu        sync.Mutex
	slots     [][]string // what happens at each moment at which the world can move
	slot      int
	protected bool
	away      bool
	lifted    bool
	extra     string
	terms     string
	gone      map[string]bool // users who may not any more
	shown     map[string]bool // effects that were approved
	approved  string          // terms that were approved
	did       []string        // calls that were made
	restored  bool
	broken    []string // promises that were broken
}

// fate is how one world moves, and what people decide when the run waits for them.
type fate struct {
	Moves     [][]string // at each moment at which the world can move
	Decisions []string
}

var manyWorlds = flag.Int("worlds", 20, "how many worlds that move are played; -every plays at least 60")

// moves are what the world can do.
var moves = []string{
	"lose the requester", "lose the approver", "regain them", "protect", "unprotect", "AWS is away", "AWS is back",
	"grow", "shrink", "other terms", "same terms", "lift", "put back", "an hour passes", "restore",
}

// move has the world move, at the next moment.
func (w *wild) move(ctx context.Context, run ops.Run) {
	w.mu.Lock()
	if w.slot >= len(w.slots) {
		w.mu.Unlock()
		return
	}
	all := w.slots[w.slot]
	w.slot++
	w.mu.Unlock()
	for _, m := range all {
		w.do(ctx, m, run.Request().ID)
	}
}

func (w *wild) do(ctx context.Context, m, id string) {
	switch m {
	case "an hour passes":
		w.h.forward(time.Hour)
		return
	case "restore":
		r, err := w.h.Store.Request(ctx, id)
		if err != nil {
			return
		}
		c := request.Click{Request: id, Verb: request.Undo, Asker: by("U4"), Digest: r.Digest(), Text: "because"}
		if w.h.Click(ctx, &c) == nil {
			w.h.answer(c)
		}
		return
	case "lose the requester", "lose the approver":
		w.become(map[string]string{"lose the requester": "U1", "lose the approver": "U2"}[m], true)
		return
	case "regain them":
		w.become("U1", false)
		w.become("U2", false)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch m {
	case "protect", "unprotect":
		w.protected = m == "protect"
	case "AWS is away", "AWS is back":
		w.away = m == "AWS is away"
	case "grow", "shrink":
		w.extra = map[string]string{"grow": "an effect that nobody saw"}[m]
	case "other terms", "same terms":
		w.terms = map[string]string{"other terms": "1 minute", "same terms": "1 week"}[m]
	case "lift", "put back":
		w.lifted = m == "lift" && len(w.did) > 0
	}
}

func (w *wild) become(user string, gone bool) {
	w.h.becomes(user, team.Person{Workspaces: []string{"T1"}, Guest: gone})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone[user] = gone
}

func (w *wild) plan(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.away:
		return ops.Plan{}, &ops.Error{Kind: ops.Unavailable, What: "AWS is away.", Passing: true}
	case w.protected:
		return ops.Plan{}, &ops.Error{Kind: ops.Refused, What: "It is protected."}
	}
	p := ops.Plan{Summary: "tidy up", Terms: []ops.Fact{{Label: "Time of grace", Value: w.terms}}, Steps: []ops.Step{
		{Do: "box", Title: "Box", Effects: []string{"box"}}, {Do: "wait", Title: "Wait"}, {Do: "burn", Title: "Burn", Effects: []string{"burn 1", "burn 2"}},
	}}
	if w.extra != "" {
		p.Steps[2].Effects = append(p.Steps[2].Effects, w.extra)
	}
	return p, nil
}

// call makes a call as a client of AWS does, and looks whether it should have been.
func (w *wild) call(ctx context.Context, run ops.Run, action string, final bool) error {
	call := ops.Call{Service: "fire", Action: action, Target: "box"}
	if err := w.h.Called(ctx, run.Request(), call); err != nil {
		return err
	}
	w.mu.Lock()
	broken := func(format string, args ...any) {
		w.broken = append(w.broken, action+": "+fmt.Sprintf(format, args...))
	}
	if final {
		r, err := w.h.Store.Request(ctx, run.Request().ID)
		if err != nil {
			broken("%v", err)
		}
		for _, review := range r.Reviews {
			if w.gone[review.User] {
				broken("%s, who approved it, may not any more", review.By)
			}
		}
		switch {
		case w.gone["U1"]:
			broken("the requester may not any more")
		case w.protected || w.away:
			broken("protected: %v, away: %v", w.protected, w.away)
		case w.extra != "" && !w.shown[w.extra]:
			broken("nobody was shown %s", w.extra)
		case w.terms != w.approved:
			broken("approved with %s, and now it is %s", w.approved, w.terms)
		case w.restored:
			broken("it was restored")
		}
	}
	w.did = append(w.did, action)
	w.mu.Unlock()
	call.Outcome = "done"
	return w.h.Called(ctx, run.Request(), call)
}

func (w *wild) operation() ops.Operation {
	o := tidy(nil)
	o.Undo, o.UndoLabel = "restore", "Restore"
	o.UndoPlan = func(context.Context, ops.Run) ([]string, error) { return []string{"unbox"}, nil }
	o.Irreversible = func(c ops.Call) bool { return strings.HasPrefix(c.Action, "Burn") }
	o.Plan = w.plan
	o.Do = map[string]func(context.Context, ops.Run) error{
		"box": func(ctx context.Context, run ops.Run) error {
			w.move(ctx, run)
			return w.call(ctx, run, "Box", false)
		},
		"wait": func(ctx context.Context, run ops.Run) error {
			w.move(ctx, run)
			if run.Begun().IsZero() {
				return ops.Again(time.Millisecond)
			}
			return nil
		},
		"burn": func(ctx context.Context, run ops.Run) error {
			w.move(ctx, run)
			w.mu.Lock()
			lifted := w.lifted
			w.mu.Unlock()
			if lifted {
				return &ops.Error{Kind: ops.Lifted, What: "The box was opened by hand."}
			}
			if err := w.call(ctx, run, "Burn1", true); err != nil {
				return err
			}
			w.move(ctx, run)
			return w.call(ctx, run, "Burn2", true)
		},
		"restore": func(ctx context.Context, run ops.Run) error {
			w.mu.Lock()
			w.restored, w.lifted = true, false
			w.mu.Unlock()
			return w.call(ctx, run, "Unbox", false)
		},
	}
	return o
}

// approve has somebody approve the plan as it stands, which they were shown.
func (w *wild) approve(r request.Request, user string) {
	w.h.show(r)
	before := len(r.Reviews)
	w.h.press(user, request.Approve, r, "")
	if now := w.h.request(r.ID); len(now.Reviews) > before || now.State != request.Waiting {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.shown = map[string]bool{}
		for _, e := range r.Plan.Effects() {
			w.shown[e] = true
		}
		w.approved = r.Plan.Terms[0].Value
	}
}

// begin is a world at rest.
func (w *wild) begin(slots [][]string) {
	w.become("U1", false)
	w.become("U2", false)
	w.h.stand(noon)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.slots, w.slot = slots, 0
	w.protected, w.away, w.lifted, w.extra, w.terms = false, false, false, "", "1 week"
	w.shown, w.approved, w.did, w.restored, w.broken = nil, "", nil, false, nil
}

// settle goes on with what people decide, until the request has ended.
func (w *wild) settle(r request.Request, decisions []string) request.Request {
	for _, decision := range append(decisions, "expire", "expire") {
		r = w.h.until(r.ID, "at rest", func(r request.Request) bool { return r.State.Ended() || r.State == request.Waiting || r.HeldUp != "" })
		switch {
		case r.State.Ended():
			return r
		case r.HeldUp != "" && decision == "heal":
			w.do(w.h.t.Context(), "AWS is back", r.ID)
			w.h.wake(r.ID)
			w.h.until(r.ID, "asked again", func(now request.Request) bool { return now.HeldUp == "" || now.Version != r.Version })
		case decision == "expire" || r.HeldUp != "":
			w.h.forward(200 * time.Hour)
			w.h.wake(r.ID)
		case r.Lifted != "" && decision == "again":
			w.do(w.h.t.Context(), "put back", r.ID)
			w.h.show(r)
			w.h.press("U4", request.QuarantineAgain, r, "")
		case r.Lifted != "":
			w.h.press("U4", request.End, r, "because")
		default:
			w.approve(r, "U4")
		}
	}
	return w.h.ended(r.ID)
}

func TestAWorldThatMovesAtAnyMomentBreaksNoPromise(t *testing.T) {
	t.Parallel()
	h := build(t)
	w := &wild{h: h, gone: map[string]bool{}}
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	h.begin(w.operation())
	ends := map[request.State]int{}
	script := rapid.Custom(func(t *rapid.T) fate {
		return fate{
			rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom(moves), 0, 2), 5, 5).Draw(t, "moves"),
			rapid.SliceOfN(rapid.SampledFrom([]string{"heal", "again", "approve", "expire"}), 0, 3).Draw(t, "decisions"),
		}
	})
	count := *manyWorlds
	if opstest.Every() {
		count = max(count, 60)
	}
	for seed := range count {
		drawn := script.Example(seed)
		w.begin(drawn.Moves)
		r := w.h.waiting()
		w.approve(r, "U2")
		r = w.settle(r, drawn.Decisions)
		ends[r.State]++
		w.mu.Lock()
		done := slices.DeleteFunc(slices.Clone(w.did), func(s string) bool { return s == "Unbox" })
		switch {
		case len(w.broken) > 0:
			t.Errorf("%+v: %q", drawn, w.broken)
		case r.State == request.Succeeded && !slices.Contains(done, "Burn2"):
			t.Errorf("%+v: it is done, and did %q", drawn, w.did)
		case strings.Contains(r.Reason, ops.ChangedNothing.Words()) && len(done) > 0 && r.State != request.Undone:
			t.Errorf("%+v: people read %q, and it did %q", drawn, r.Reason, w.did)
		case r.State == request.Undone && slices.ContainsFunc(done, func(s string) bool { return strings.HasPrefix(s, "Burn") }):
			t.Errorf("%+v: it is restored, and did %q", drawn, w.did)
		case (r.State == request.Failed || r.State == request.Refused) && len(done) == 0 && !strings.Contains(r.Reason, ops.ChangedNothing.Words()):
			t.Errorf("%+v: people read %q, and it did nothing", drawn, r.Reason)
		}
		w.mu.Unlock()
	}
	ended := []request.State{request.Succeeded, request.Failed, request.Undone, request.Expired}
	if count >= 40 {
		ended = append(ended, request.Withdrawn)
	}
	for _, want := range ended {
		if ends[want] == 0 && !t.Failed() {
			t.Errorf("of all worlds none ended as %s: %v", want, ends)
		}
	}
}
