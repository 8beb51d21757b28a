package bot_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// vault takes heads, unless it is shut.
type vault struct {
	mu    sync.Mutex
	shut  int // how often it doesn't take one
	heads []store.Head
	came  chan store.Head
}

func newVault(shut int) *vault { return &vault{shut: shut, came: make(chan store.Head, 100)} }

func (v *vault) put(_ context.Context, h store.Head) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	defer func() { v.came <- h }()
	if v.shut > 0 {
		v.shut--
		return "", errors.New("the vault is shut")
	}
	v.heads = append(v.heads, h)
	return "s3://vault/" + h.String(), nil
}

// taken are the heads that it has.
func (v *vault) taken() []store.Head {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Clone(v.heads)
}

// calls waits until the vault has been called so often.
func (h *house) calls(v *vault, n int) {
	h.t.Helper()
	patience := time.After(h.patience)
	for range n {
		select {
		case <-v.came:
		case <-patience:
			h.t.Fatalf("the vault isn't called; events: %v", h.events(""))
		}
	}
}

// anchors waits until so many events of a kind are recorded.
func (h *house) anchors(kind string, n int) []request.Event {
	h.t.Helper()
	patience, tick := time.After(h.patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		if found := h.kept(kind); len(found) >= n {
			return found
		}
		select {
		case <-tick.C:
		case <-patience:
			h.t.Fatalf("%d times %s isn't recorded; events: %v", n, kind, h.events(""))
		}
	}
}

func TestTheVaultHasTheHeadAfterEachRun(t *testing.T) {
	t.Parallel()
	v := newVault(0)
	h := build(t)
	h.stand(noon)
	h.settle = func(d *bot.Desk) { d.Vault = v.put }
	operation := tidy(nothing)
	broken := called(1, tidy(func(context.Context, ops.Run) error { return &ops.Error{Kind: ops.Unavailable, What: "No broom."} }))
	h.begin(operation, broken)
	h.calls(v, 1) // that it has begun
	h.anchors("anchored-vault", 1)

	run := func(want request.State, ask func() request.Request) {
		t.Helper()
		calls := len(v.taken())
		r := h.ended(ask().ID)
		if r.State != want {
			t.Errorf("it ended as %s: %s", r.State, r.Reason)
		}
		h.calls(v, 1)
		list := h.anchors("anchored-vault", calls+1)
		head := v.taken()[calls]
		same(t, "the record", map[string]any{"seq": float64(head.Seq), "hash": head.Hash, "where": "s3://vault/" + head.String()}, list[calls].Data)
		all, err := h.Store.Events(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		if end := all[len(all)-1]; head.Seq < end.Seq {
			t.Errorf("the run ended with event %d and the vault has %d", end.Seq, head.Seq)
		}
	}
	run(request.Succeeded, h.ask)
	// What isn't run changes nothing in the world.
	h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U3")}).ID)
	h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1"), Preview: true}).ID)
	run(request.Failed, func() request.Request { return h.askFor(1) })

	if len(v.came) > 0 {
		t.Errorf("the vault was called %d times more", len(v.came))
	}
	heads := v.taken()
	if _, err := h.Store.Verify(t.Context(), heads); err != nil {
		t.Errorf("what the vault has doesn't verify: %v", err)
	}
	for i := 1; i < len(heads); i++ {
		if heads[i].Seq <= heads[i-1].Seq {
			t.Errorf("the vault has %v", heads)
		}
	}
}

func TestAVaultThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	v := newVault(2)
	h := build(t)
	h.stand(noon)
	h.settle = func(d *bot.Desk) { d.Vault = v.put }
	h.begin(tidy(nothing))
	h.calls(v, 1)
	r := h.ended(h.ask().ID)
	h.calls(v, 1)
	if r.State != request.Succeeded || len(h.kept("anchored-vault")) > 0 {
		t.Errorf("it ended as %s; recorded are %v", r.State, h.kept("anchored-vault"))
	}
	// The next desk tries at once, though nothing was run under it.
	h.restart(func() {}, tidy(nothing))
	h.calls(v, 1)
	list := h.anchors("anchored-vault", 1)
	if head := v.taken()[0]; list[0].Data["hash"] != head.Hash {
		t.Errorf("recorded is %+v, the vault has %v", list, head)
	}
	if _, err := h.Store.Verify(t.Context(), v.taken()); err != nil {
		t.Error(err)
	}
}

// clock has a desk do nothing but have its audit anchored, in a bubble of
// synctest, where hours take no time. The test is given a way to let minutes
// pass and another to record something.
func clock(t *testing.T, v *vault, test func(t *testing.T, h *house, pass func(time.Duration), record func())) {
	t.Helper()
	h := build(t)
	synctest.Test(t, func(t *testing.T) {
		h.t = t
		h.furnish()
		defer h.Store.Close()
		if v != nil {
			v.came = make(chan store.Head, 10000) // of this bubble
			h.Vault = v.put
		}
		record := func() {
			t.Helper()
			if err := h.Store.Record(t.Context(), request.Event{At: h.Now(), Kind: "asked"}); err != nil {
				t.Fatal(err)
			}
		}
		record()
		h.StartAnchoring(t.Context())
		defer h.StopAnchoring()
		synctest.Wait()
		test(t, h, func(d time.Duration) {
			// The tick is real; of the hours before it only the clock knows.
			if d > time.Minute {
				h.forward(d - time.Minute)
				d = time.Minute
			}
			<-time.After(d)
			synctest.Wait()
		}, record)
	})
}

func TestTheHeadIsToldOnceADay(t *testing.T) {
	t.Parallel()
	clock(t, nil, func(t *testing.T, h *house, pass func(time.Duration), record func()) {
		var want []string
		anchored := func(n int) {
			t.Helper()
			list := h.kept("anchored-daily")
			if len(list) != n {
				t.Fatalf("it is told %d times, want %d", len(list), n)
			}
			var told []string
			for _, m := range withoutStamps(h.told("")) {
				told = append(told, m.Body.Text)
				same(t, "the message", request.Message{Thread: "anchor", Kind: request.Anchor, Body: request.Body{Text: m.Body.Text}}, m)
			}
			same(t, "what is told", want, told)
		}
		expect := func() store.Head {
			t.Helper()
			head, err := h.Store.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, head.String())
			return head
		}
		anchored(0)
		pass(23*time.Hour + 59*time.Minute)
		anchored(0)
		head := expect()
		pass(time.Minute)
		anchored(1)
		same(t, "the record", map[string]any{"seq": float64(head.Seq), "hash": head.Hash, "where": "the log channel"}, h.kept("anchored-daily")[0].Data)

		// Days on which nothing happens need no anchor.
		for range 3 {
			pass(48 * time.Hour)
		}
		anchored(1)
		record()
		expect()
		pass(time.Minute)
		anchored(2)
		record()
		pass(23*time.Hour + 59*time.Minute)
		anchored(2)
		expect()
		pass(time.Minute)
		anchored(3)
		if _, err := h.Store.Verify(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

func TestTheVaultIsTriedAgainEachMinuteAndThenOnceADay(t *testing.T) {
	t.Parallel()
	v := newVault(3)
	clock(t, v, func(t *testing.T, h *house, pass func(time.Duration), record func()) {
		called := func(n, taken int) {
			t.Helper()
			if len(v.came) != n || len(v.taken()) != taken {
				t.Fatalf("the vault was called %d times and has %d heads, want %d and %d", len(v.came), len(v.taken()), n, taken)
			}
			same(t, "how often that is recorded", taken, len(h.kept("anchored-vault")))
		}
		called(1, 0)
		pass(59 * time.Second)
		called(1, 0)
		pass(time.Second)
		called(2, 0)
		record()
		pass(time.Minute)
		called(3, 0)
		pass(time.Minute)
		called(4, 1)
		pass(time.Minute)
		record() // no run
		pass(time.Minute)
		called(4, 1)

		pass(23 * time.Hour)
		called(4, 1)
		pass(58 * time.Minute)
		called(5, 2)
		// The vault's own event, and the chat's, are the end of a day that was quiet.
		pass(time.Minute)
		called(5, 2)

		// One that is shut on the day is tried again as well.
		record()
		v.mu.Lock()
		v.shut = 1
		v.mu.Unlock()
		pass(24 * time.Hour)
		called(6, 2)
		pass(time.Minute)
		called(7, 3)
		// What begins again, or ends, and has nothing new brings nothing new.
		h.StopAnchoring()
		h.StartAnchoring(t.Context())
		pass(time.Minute)
		called(7, 3)
		heads := v.taken()
		if _, err := h.Store.Verify(t.Context(), heads); err != nil {
			t.Error(err)
		}
		for i := 1; i < len(heads); i++ {
			if heads[i].Seq <= heads[i-1].Seq {
				t.Errorf("the vault has %v", heads)
			}
		}
	})
}

func TestAnEmptyAuditIsAnchoredNowhere(t *testing.T) {
	t.Parallel()
	v := newVault(0)
	h := build(t)
	synctest.Test(t, func(t *testing.T) {
		h.t = t
		h.furnish()
		defer h.Store.Close()
		v.came = make(chan store.Head, 100)
		h.Vault = v.put
		h.StartAnchoring(t.Context())
		h.forward(48 * time.Hour)
		<-time.After(5 * time.Minute)
		synctest.Wait()
		h.StopAnchoring()
		if len(v.came) > 0 || len(h.events("")) > 0 || len(h.told("")) > 0 {
			t.Errorf("the vault was called %d times; events: %v", len(v.came), h.events(""))
		}
	})
}
