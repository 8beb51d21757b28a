package bot_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// shelf is a world to tidy up: what there is to do, and what was done.
type shelf struct {
	mu        sync.Mutex
	plan      ops.Plan
	ran       []ops.Plan // the plan of each call of a step
	approvers []string   // that the last call was told
}

// put changes what there is to do.
func (s *shelf) put(p ops.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = p
}

// runs are the plans that steps were called with.
func (s *shelf) runs() []ops.Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ran)
}

// operation tidies the shelf up.
func (s *shelf) operation() ops.Operation {
	o := tidy(func(_ context.Context, run ops.Run) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ran, s.approvers = append(s.ran, run.Plan()), run.Approvers()
		return nil
	})
	o.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.plan, nil
	}
	return o
}

// hall is a house where an operation needs approvals, and where it is always noon.
func hall(t *testing.T, need int, operation ops.Operation) *house {
	t.Helper()
	h := build(t)
	h.stand(noon)
	h.terms = map[string]request.Terms{operation.Name: demands(need)}
	h.begin(operation)
	return h
}

// shelved is a hall with a shelf of so many boards.
func shelved(t *testing.T, need, boards int) (*house, *shelf) {
	t.Helper()
	s := &shelf{plan: *planOf(boards)}
	return hall(t, need, s.operation()), s
}

// within is the same house for a part of a test.
func (h *house) within(t *testing.T) *house {
	return &house{Desk: h.Desk, t: t, gh: h.gh, address: h.address, terms: h.terms, patience: h.patience, at: noon}
}

// waiting asks in the name of octocat and returns what waits for approvals then.
func (h *house) waiting() request.Request {
	h.t.Helper()
	return h.reach(h.ask().ID, request.Waiting)
}

func (h *house) reach(id string, s request.State) request.Request {
	h.t.Helper()
	return h.until(id, string(s), func(r request.Request) bool { return r.State == s })
}

// click stores that somebody pressed a button that was shown with r.
func (h *house) click(user, verb string, r request.Request, text string) request.Click {
	h.t.Helper()
	digest := ""
	if r.Plan != nil {
		digest = r.Plan.Digest()
	}
	c := request.Click{Request: r.ID, Verb: verb, Asker: by(user), Digest: digest, Text: text}
	if verb == request.Approve {
		c.Text, c.Name = "", text
	}
	if r.Plan != nil && !h.blind {
		h.show(r)
	}
	return h.clicked(c)
}

// show records that the plan of r has reached people, once: no front end is here
// that would deliver it.
func (h *house) show(r request.Request) {
	h.t.Helper()
	list, err := h.Store.Events(h.t.Context(), r.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	if !slices.ContainsFunc(list, func(e request.Event) bool { return e.Kind == "shown" && e.Data["digest"] == r.Digest() }) {
		h.deliver(r, request.Plan)
	}
}

// deliver records that a message of r was delivered.
func (h *house) deliver(r request.Request, kind string) {
	h.t.Helper()
	if err := h.Store.Record(h.t.Context(), h.Receipt(request.Message{Request: r.ID, Kind: kind}, r, store.Post{Channel: "C1", TS: "1.0"})...); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) clicked(c request.Click) request.Click {
	h.t.Helper()
	if err := h.Click(h.t.Context(), &c); err != nil {
		h.t.Fatal(err)
	}
	return c
}

// answer waits until a click is answered, and returns what whoever pressed is
// told by themselves; empty: the card tells it.
func (h *house) answer(c request.Click) string {
	h.t.Helper()
	patience := time.After(h.patience)
	for {
		now, err := h.Store.Click(h.t.Context(), c.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		if now.Done {
			if c.Verb == request.BreakGlass && !h.blind {
				if r := h.request(c.Request); r.Alone() {
					h.deliver(r, request.Glass)
				}
			}
			break
		}
		select {
		case <-h.Store.Woken():
		case <-time.After(50 * time.Millisecond):
		case <-patience:
			h.t.Fatalf("the click to %s isn't answered; events: %v", c.Verb, h.events(c.Request))
		}
	}
	var words []string
	list, err := h.Store.Unsent(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range list {
		if m.Thread != c.Thread() {
			continue
		}
		if m.Kind != request.Private || m.Body.For == nil || *m.Body.For != c.Asker || m.Request != c.Request {
			h.t.Errorf("the click of %s is answered with %+v", c.Asker.User, m)
		}
		words = append(words, m.Body.Text)
	}
	if len(words) > 1 {
		h.t.Errorf("the click of %s is answered %d times: %q", c.Asker.User, len(words), words)
	}
	return strings.Join(words, " / ")
}

// press presses a button and returns the answer.
func (h *house) press(user, verb string, r request.Request, text string) string {
	h.t.Helper()
	return h.answer(h.click(user, verb, r, text))
}

// last is the newest event of a request of one of the kinds.
func (h *house) last(id string, kinds ...string) request.Event {
	h.t.Helper()
	list, err := h.Store.Events(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range slices.Backward(list) {
		if slices.Contains(kinds, e.Kind) {
			return e
		}
	}
	h.t.Fatalf("there is no event of %v; events: %v", kinds, h.events(id))
	return request.Event{}
}

// says checks that words say what they should.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("people read %q, which doesn't say %q", text, w)
		}
	}
}

// restart ends the desk and begins another, with what happens in between.
func (h *house) restart(between func(), operations ...ops.Operation) {
	h.t.Helper()
	if err := h.Stop(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	between()
	if err := h.Store.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.begin(operations...)
}
