package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// beside begins another process on the database of h.
func (h *house) beside(settle func(*bot.Desk), operations ...ops.Operation) *house {
	h.t.Helper()
	other := &house{t: h.t, gh: h.gh, address: h.address, terms: h.terms, patience: h.patience, settle: settle}
	other.begin(operations...)
	return other
}

// waitingFor has a desk wait for others only so long.
func waitingFor(limit time.Duration) func(*bot.Desk) {
	return func(d *bot.Desk) { d.WaitForOthers(limit) }
}

// settings has a desk say that all its settings have a digest.
func settings(digest string) func(*bot.Desk) {
	return func(d *bot.Desk) {
		d.SettingsOf = func(string) string { return digest }
		d.WaitForOthers(3 * time.Second)
	}
}

// notes are the notes of a request's thread that contain a text.
func (h *house) notes(id, text string) (n int) {
	h.t.Helper()
	for _, m := range h.told(id) {
		if strings.Contains(m.Body.Text, text) {
			n++
		}
	}
	return n
}

// noted waits until a request's people are told a text.
func (h *house) noted(id, text string) {
	h.t.Helper()
	h.until(id, "told "+text, func(request.Request) bool { return h.notes(id, text) > 0 })
}

// over are the requests that ended, of some.
func (h *house) over(requests []request.Request) (ids []string) {
	h.t.Helper()
	for _, r := range requests {
		if now := h.request(r.ID); now.State.Ended() {
			ids = append(ids, fmt.Sprintf("%s is %s: %s", ops.Short(r.ID), now.State, now.Reason))
		}
	}
	return ids
}

const unoffered = "No running bot offers tidy-up any more"

func dustOff() ops.Operation {
	o := tidy(nothing)
	o.Name, o.Command = "dust-off", "/dust-off"
	return o
}

// inGrace is an operation whose step waits until it is over.
func inGrace(begun chan<- bool, over <-chan struct{}) ops.Operation {
	o := called(1, tidy(func(context.Context, ops.Run) error {
		select {
		case begun <- true:
		default:
		}
		select {
		case <-over:
			return nil
		default:
			return ops.Again(200 * time.Millisecond)
		}
	}))
	return o
}

func TestAProcessThatLacksAnOperationEndsNothing(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	h := build(t)
	h.patience = time.Minute
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	h.settle = waitingFor(3 * time.Second)
	begun, over := make(chan bool, 1), make(chan struct{})
	h.begin(tidy(nothing), inGrace(begun, over))
	other := h.beside(waitingFor(3*time.Second), dustOff())
	running := h.askFor(1)
	<-begun
	var all []request.Request
	var slowest time.Duration
	for range 10 {
		r := h.waiting()
		slowest = max(slowest, r.AdmittedAt.Sub(r.At))
		all = append(all, r)
	}
	t.Logf("beside a process that lacks the operation, the slowest of 10 requests was admitted after %v", slowest)
	if slowest > 10*time.Second {
		t.Errorf("a request was admitted after %v: it was found by who looks for lost ones", slowest)
	}
	// What they wait for comes to both processes.
	for _, r := range all {
		h.wake(r.ID)
	}
	h.end()
	// Now the only one is the one without.
	for _, r := range append(slices.Clone(all), running) {
		other.wake(r.ID)
	}
	click := other.click("U2", request.Approve, all[0], "")
	if told := other.over(append(all, running)); len(told) > 0 {
		t.Errorf("ended by a process that lacks the operation: %q", told)
	}
	other.noted(all[0].ID, unoffered)
	other.noted(running.ID, "No running bot offers tidy-b any more")
	other.until(all[0].ID, "asked to wait", func(request.Request) bool { return other.notes(all[0].ID, "your click waits") > 0 })
	if told := other.over(append(all, running)); len(told) > 0 {
		t.Errorf("ended by a process that lacks the operation: %q", told)
	}
	// One that has it comes back: all goes on, and the click counts.
	close(over)
	h.begin(tidy(nothing), inGrace(begun, over))
	if r := h.ended(running.ID); r.State != request.Succeeded {
		t.Errorf("what was running ended as %s: %s", r.State, r.Reason)
	}
	if words := h.answer(click); !strings.Contains(words, "your click waits") || strings.Contains(words, " / ") {
		t.Errorf("who pressed reads %q", words)
	}
	if r := h.ended(all[0].ID); r.State != request.Succeeded {
		t.Errorf("what was approved ended as %s: %s", r.State, r.Reason)
	}
	for _, r := range all[1:] {
		h.press("U2", request.Approve, r, "")
		if r := h.ended(r.ID); r.State != request.Succeeded {
			t.Errorf("what waited ended as %s: %s", r.State, r.Reason)
		}
	}
}

func TestAnOperationThatIsntOfferedForATime(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	h := build(t)
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	begun, over := make(chan bool, 1), make(chan struct{})
	h.begin(tidy(nothing), inGrace(begun, over))
	running, waiting := h.askFor(1), h.waiting()
	<-begun
	var click request.Click
	for range 2 {
		h.end()
		h.begin(dustOff())
		h.noted(running.ID, "No running bot offers tidy-b any more, so this waits. What was done stays; Restore waits as well.")
		h.noted(waiting.ID, unoffered)
		if click.ID == 0 {
			click = h.click("U2", request.Approve, waiting, "")
		}
		h.until(waiting.ID, "asked to wait", func(request.Request) bool { return h.notes(waiting.ID, "your click waits") > 0 })
	}
	if told := h.over([]request.Request{running, waiting}); len(told) > 0 {
		t.Errorf("ended while nobody offered it: %q", told)
	}
	if n, m := h.notes(running.ID, "No running bot offers"), h.notes(waiting.ID, unoffered+", so this"); n != 1 || m != 1 {
		t.Errorf("people were told %d and %d times", n, m)
	}
	h.end()
	close(over)
	h.begin(tidy(nothing), inGrace(begun, over))
	for _, r := range []request.Request{running, waiting} {
		if r := h.ended(r.ID); r.State != request.Succeeded {
			t.Errorf("it ended as %s: %s", r.State, r.Reason)
		}
	}
	if words := h.answer(click); strings.Count(words, "your click waits") != 1 {
		t.Errorf("who pressed reads %q", words)
	}
}

// tells is an operation that notes who has called its step.
func tells(name string, mu *sync.Mutex, who map[string][]string) ops.Operation {
	return tidy(func(_ context.Context, run ops.Run) error {
		mu.Lock()
		defer mu.Unlock()
		who[run.Request().ID] = append(who[run.Request().ID], name)
		return nil
	})
}

func TestARequestIsLeftToWhoHasItsSettings(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	h := build(t)
	h.patience = time.Minute
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	h.settle = settings("old")
	var mu sync.Mutex
	who := map[string][]string{}
	h.begin(tells("old", &mu, who))
	other := h.beside(settings("new"), tells("new", &mu, who))
	var slowest time.Duration
	for i := range 12 {
		asked, want := h, "old"
		if i%2 == 1 {
			asked, want = other, "new"
		}
		begun := time.Now()
		r := asked.waiting()
		if r.Settings != want {
			t.Errorf("the settings of what was asked for are %q", r.Settings)
		}
		// Either process may find the click; the one with its settings answers it.
		h.press("U2", request.Approve, r, "")
		r = h.ended(r.ID)
		slowest = max(slowest, time.Since(begun))
		mu.Lock()
		if got := who[r.ID]; r.State != request.Succeeded || !slices.Equal(got, []string{want}) {
			t.Errorf("it ended as %s (%s), done by %v, not by %s", r.State, r.Reason, got, want)
		}
		mu.Unlock()
		if events := h.events(r.ID); slices.Contains(events, "adopted") {
			t.Errorf("it was adopted: %v", events)
		}
	}
	t.Logf("the slowest was asked for, approved and done after %v", slowest)
	if slowest > 10*time.Second {
		t.Errorf("one took %v: it was found by who looks for lost ones", slowest)
	}
	// Once no process has the settings any more, one with the operation answers the click
	// and goes on with the request.
	asked := h.waiting()
	left := time.Now()
	h.end()
	other.press("U2", request.Approve, asked, "")
	r := other.ended(asked.ID)
	if took := r.EndedAt.Sub(left); took < 3*time.Second {
		t.Errorf("it was adopted after %v already", took)
	}
	if r.State != request.Succeeded || r.Settings != "new" || !slices.Equal(who[r.ID], []string{"new"}) {
		t.Errorf("it ended as %s (%s) with the settings %q, done by %v", r.State, r.Reason, r.Settings, who[r.ID])
	}
	same(t, "adopted", map[string]any{"before": "old", "now": "new"}, other.last(asked.ID, "adopted").Data)
}

// A deployment switches fresh_proof on: for a while a process runs that asks for none.
func TestAClickIsLeftToWhoHasTheSettingsOfItsRequest(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	h := build(t)
	h.patience = time.Minute
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	o := dangerous("shelf one")
	h.settle = func(d *bot.Desk) {
		settings("new")(d)
		d.FreshProof = 10 * time.Minute
	}
	h.begin(o)
	other := h.beside(settings("old"), o)
	for range 6 {
		r := h.waiting()
		h.show(r)
		words := h.answer(h.clicked(request.Click{Request: r.ID, Verb: request.Approve, Asker: by("U2"), Digest: r.Digest(), Name: "shelf one"}))
		if !strings.Contains(words, "a new proof") || len(h.request(r.ID).Reviews) > 0 {
			t.Errorf("an approval without a proof is answered with %q", words)
		}
	}
	// A request from before the setting is decided without it.
	r := other.waiting()
	if words := h.press("U2", request.Approve, r, "shelf one"); words != "" {
		t.Errorf("where no proof is asked for, who pressed reads %q", words)
	}
	if r := h.ended(r.ID); r.State != request.Succeeded {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
}

func TestOtherSettingsAreTakenAtOnceWhereThereIsOneProcess(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	h := build(t)
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	h.settle = settings("old")
	h.begin(tidy(nothing))
	asked := h.waiting()
	h.end()
	h.settle = func(d *bot.Desk) { d.SettingsOf = func(string) string { return "new" } }
	h.begin(tidy(nothing))
	h.press("U2", request.Approve, asked, "")
	if r := h.ended(asked.ID); r.State != request.Succeeded || r.Settings != "new" {
		t.Errorf("it ended as %s (%s) with the settings %q", r.State, r.Reason, r.Settings)
	}
	events := h.events(asked.ID)
	if n := slices.Index(events, "adopted"); n < 0 || slices.Contains(events[n+1:], "adopted") {
		t.Errorf("it wasn't adopted once: %v", events)
	}
}

// A terminal's process has no people of the chat: whom it doesn't know it would refuse.
func TestATerminalCarriesItsOwnRequestOnly(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	h := build(t)
	h.settle = func(d *bot.Desk) { d.Front, d.SettingsOf = "slack", func(string) string { return "the bot's" } }
	h.begin(tidy(nothing))
	const own = "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f"
	begun, over := make(chan bool, 1), make(chan struct{})
	run := h.beside(func(d *bot.Desk) {
		d.Front, d.Only, d.SettingsOf = "terminal", own, func(string) string { return "a laptop's" }
		d.Team.Workspace, d.Team.People = "", func(context.Context, string) (team.Person, error) { return team.Person{}, errors.New("no chat here") }
	}, tidy(func(context.Context, ops.Run) error {
		select {
		case begun <- true:
		default:
		}
		select {
		case <-over:
			return nil
		default:
			return ops.Again(10 * time.Millisecond)
		}
	}))
	r := run.asking(bot.Asking{Operation: "tidy-up", Asker: request.Asker{Front: "terminal", Login: "hubot"}})
	if r.ID != own {
		t.Fatalf("its request is %s", r.ID)
	}
	<-begun
	for range 12 {
		if r := h.ended(h.ask().ID); r.State != request.Succeeded {
			t.Errorf("a member's request ended as %s: %s", r.State, r.Reason)
		}
	}
	// A click comes to who has the chat.
	if words := h.press("U1", request.Withdraw, h.request(own), ""); !strings.Contains(words, "being run") {
		t.Errorf("who pressed reads %q", words)
	}
	close(over)
	if r := run.ended(own); r.State != request.Succeeded {
		t.Errorf("the terminal's request ended as %s: %s", r.State, r.Reason)
	}
}

func TestWhatWasAskedForInAChatIsLeftToWhoHasIt(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	h := build(t)
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	h.settle = func(d *bot.Desk) { d.Front = "slack" }
	var mu sync.Mutex
	who := map[string][]string{}
	h.begin(tells("slack", &mu, who))
	other := h.beside(func(d *bot.Desk) { d.Front, d.Team.Workspace = "teams", "T2" }, tells("teams", &mu, who))
	for range 10 {
		r := h.waiting()
		if words := other.press("U2", request.Approve, r, ""); words != "" {
			t.Errorf("who pressed reads %q", words)
		}
		r = h.ended(r.ID)
		mu.Lock()
		if got := who[r.ID]; r.State != request.Succeeded || !slices.Equal(got, []string{"slack"}) {
			t.Errorf("it ended as %s (%s), done by %v", r.State, r.Reason, got)
		}
		mu.Unlock()
	}
}

func TestTheFenceOpensForWhoHasTheRequest(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan bool, 1), make(chan bool)
	faults := make(chan error, 4)
	var h *house
	h = open(t, tidy(func(ctx context.Context, run ops.Run) error {
		faults <- h.Fence(ctx, run.Request())
		begun <- true
		<-goOn
		faults <- h.Fence(ctx, run.Request())
		faults <- h.Fence(context.Background(), run.Request()) // another context is no way past it
		ownerless := run.Request()
		ownerless.Lease = 0
		faults <- h.Fence(ctx, ownerless)
		return nil
	}))
	r := h.ask()
	<-begun
	if err := <-faults; err != nil {
		t.Errorf("who has the request is fenced off: %v", err)
	}
	if got, err := h.Store.Claim(t.Context(), r.ID, 1<<40, time.Now().Add(time.Hour), time.Hour); err != nil || !got {
		t.Fatal(got, err)
	}
	close(goOn)
	for range 2 {
		if err := <-faults; !ops.Halted(err) || !errors.Is(err, store.ErrLost) {
			t.Errorf("who has lost the request gets %v", err)
		}
	}
	if err := <-faults; err != nil {
		t.Errorf("who works for no request is fenced off: %v", err)
	}
	h.mustStop()
}
