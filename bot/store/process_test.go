package store_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// join makes a store's process known, until the test ends.
func join(t *testing.T, s *store.Store, p store.Process) {
	t.Helper()
	if err := s.Join(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.WithoutCancel(t.Context())) })
}

// known are the processes as a store knows them, by their IDs.
func known(t *testing.T, s *store.Store) map[string]store.Process {
	t.Helper()
	list, err := s.Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]store.Process{}
	for _, p := range list {
		all[p.ID] = p
	}
	return all
}

func statement(t *testing.T, s *store.Store, query string, args ...any) {
	t.Helper()
	if _, err := s.DB().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func TestAProcessIsKnownAsItIs(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	want := store.Process{Front: "slack", Operations: map[string]string{"tidy-up": "digest", "dust-off": ""}, Only: "0199"}
	join(t, s, want)
	want.ID, want.Lives = s.ID(), true
	same(t, "the processes", map[string]store.Process{s.ID(): want}, known(t, s), cmpopts.IgnoreFields(store.Process{}, "Silent"))
	if silent := known(t, s)[s.ID()].Silent; silent > 10*time.Second {
		t.Errorf("it has said nothing for %v", silent)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	want.Lives = !s.Shared() // who else could read it?
	same(t, "after it was stopped", map[string]store.Process{s.ID(): want}, known(t, s), cmpopts.IgnoreFields(store.Process{}, "Silent"))
}

func TestAFileHasNoOtherProcessThanThisOne(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	address := storetest.Address(t)
	s := open(t, address)
	join(t, s, store.Process{})
	if err := s.Close(); err != nil { // as one that died left it
		t.Fatal(err)
	}
	s = open(t, address)
	join(t, s, store.Process{})
	same(t, "the processes", []string{s.ID()}, slices.Collect(maps.Keys(known(t, s))))
}

func TestWhoSaysNothingIsDeadAndLaterForgotten(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	s, other := open(t, address), open(t, address)
	join(t, s, store.Process{})
	join(t, other, store.Process{})
	for _, test := range []struct {
		name         string
		silent       time.Duration
		lives, known bool
	}{
		{"one beat was missed", 10 * time.Second, true, true},
		{"nothing was said for long", 20 * time.Second, false, true},
		{"nothing was said for ten minutes", 11 * time.Minute, false, false},
	} {
		statement(t, s, `UPDATE processes SET beat_at = $1 WHERE id = $2`, time.Now().Add(-test.silent).UnixMicro(), other.ID())
		p := known(t, s)[other.ID()]
		if p.Lives != test.lives || p.Silent < test.silent-2*time.Second || p.Silent > test.silent+2*time.Second {
			t.Errorf("%s: it lives: %v, silent for %v", test.name, p.Lives, p.Silent)
		}
		if err := s.ForgetProcesses(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, got := known(t, s)[other.ID()]; got != test.known {
			t.Errorf("%s: it is known: %v", test.name, got)
		}
	}
	if err := other.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !known(t, s)[other.ID()].Lives {
		t.Error("who says that it lives again doesn't")
	}
}

// Who stood still, or had no database, can't tell for how long others were gone.
func TestHowLongAProcessHasWatchedTheOthers(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	s := open(t, storetest.Address(t))
	if d := s.Watched(); d != 0 {
		t.Errorf("before it joined it has watched for %v", d)
	}
	join(t, s, store.Process{})
	first := s.Watched()
	if err := s.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := s.Watched(); d <= first || d > time.Minute {
		t.Errorf("it has watched for %v, and for %v at first", d, first)
	}
	s.StoodStill(time.Hour)
	if d := s.Watched(); d != 0 {
		t.Errorf("it stood still and has watched for %v", d)
	}
	before := time.Now()
	if err := s.Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if d := s.Watched(); d > time.Since(before) {
		t.Errorf("it stood still until now and has watched for %v", d)
	}
}

// worker is a store whose work and clicks come to a channel.
func worker(t *testing.T, address string, p store.Process) (*store.Store, chan string) {
	t.Helper()
	s := open(t, address)
	join(t, s, p)
	calls := make(chan string, 100)
	if err := s.Start(t.Context(), 2, gang(calls), func(context.Context, int64) time.Duration { calls <- "a click"; return 0 }); err != nil {
		t.Fatal(err)
	}
	return s, calls
}

func comes(t *testing.T, what string, calls chan string, want string) {
	t.Helper()
	select {
	case got := <-calls:
		if got != want {
			t.Errorf("%s: it was called for %s, not for %s", what, got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s: it wasn't called", what)
	}
}

func TestWhatIsHandedOverComesToThatProcessAlone(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	a, toA := worker(t, address, store.Process{})
	b, toB := worker(t, address, store.Process{})
	for range 10 {
		r := insert(t, a, request.Change{})
		if err := a.HandOver(t.Context(), r.ID, b.ID()); err != nil {
			t.Fatal(err)
		}
		comes(t, "a request", toB, r.ID)
	}
	if err := b.HandOverClick(t.Context(), 7, a.ID()); err != nil {
		t.Fatal(err)
	}
	comes(t, "a click", toA, "a click")
	if len(toA) > 0 || len(toB) > 0 {
		t.Error("what was handed over came to both")
	}
	// To one that has just stopped: nothing is lost.
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := insert(t, a, request.Change{})
	if err := a.HandOver(t.Context(), r.ID, b.ID()); err != nil {
		t.Fatal(err)
	}
	statement(t, a, `UPDATE processes SET beat_at = 0 WHERE id = $1`, b.ID())
	if err := a.ForgetProcesses(t.Context()); err != nil {
		t.Fatal(err)
	}
	comes(t, "what waits for a process that is forgotten", toA, r.ID)
}

func TestWhatWaitsForAProcessThatStopsComesToTheOthers(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	a, toA := worker(t, address, store.Process{})
	b := open(t, address)
	join(t, b, store.Process{})
	r := insert(t, a, request.Change{})
	if err := a.HandOver(t.Context(), r.ID, b.ID()); err != nil {
		t.Fatal(err)
	}
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	comes(t, "what b had", toA, r.ID)
}

func TestAProcessOfOneRequestGetsNothingElse(t *testing.T) {
	t.Parallel()
	address := storetest.Address(t)
	own, other := asked(), asked()
	s := open(t, address)
	// What others left: due for so long that it is lost.
	if err := s.Insert(t.Context(), other, request.Change{Wake: true}); err != nil {
		t.Fatal(err)
	}
	statement(t, s, `UPDATE requests SET due_at = 1 WHERE id = $1`, other.ID)
	click := request.Click{Request: other.ID, Verb: "approve", At: noon}
	if err := s.InsertClick(t.Context(), &click); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, calls := worker(t, address, store.Process{Only: own.ID})
	if err := s.Insert(t.Context(), own, request.Change{Wake: true}); err != nil {
		t.Fatal(err)
	}
	comes(t, "its own request", calls, own.ID)
	// Its own is looked for, if it is lost.
	statement(t, s, `UPDATE requests SET due_at = 1`)
	comes(t, "its own request that was lost", calls, own.ID)
	if len(calls) > 0 {
		t.Errorf("it was called for %s", <-calls)
	}
}

func TestWhoHoldsALease(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	wants := func(what string, job int64, want bool) {
		t.Helper()
		if got, err := s.HoldsLease(t.Context(), r.ID, job); err != nil || got != want {
			t.Errorf("%s: job %d holds it: %v, %v", what, job, got, err)
		}
	}
	claim := func(job int64, at time.Time) {
		t.Helper()
		if got, err := s.Claim(t.Context(), r.ID, job, at, time.Minute); err != nil || !got {
			t.Fatal(got, err)
		}
	}
	wants("nobody has claimed it", 1, false)
	claim(1, time.Now().Add(-time.Hour))
	wants("its lease has run out", 1, false)
	claim(1, time.Now())
	wants("it was claimed", 1, true)
	wants("it was claimed", 2, false)
	claim(2, time.Now().Add(time.Hour))
	wants("another has it", 1, false)
	wants("another has it", 2, true)
	if err := s.Release(t.Context(), r.ID, 2, time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	wants("it was released", 2, false)
}

func TestFollowingARequest(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{Messages: []request.Message{{Kind: request.Card}, {Kind: request.Private, Body: request.Body{Text: "x"}}}})
	insert(t, s, request.Change{Messages: []request.Message{{Kind: request.Card}}})
	statement(t, s, `UPDATE messages SET request = $1 WHERE request = '' AND id <= 2`, r.ID)
	list, err := s.UnsentOf(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "its messages", []string{request.Card, request.Private}, kinds(list))
	if err := s.Sent(t.Context(), noon, store.Delivery{Messages: []int64{list[0].ID}}); err != nil {
		t.Fatal(err)
	}
	if list, err = s.UnsentOf(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	same(t, "what isn't sent yet", []string{request.Private}, kinds(list))

	stalled := func(what string, least, most time.Duration) {
		t.Helper()
		if got, err := s.Stalled(t.Context(), r.ID); err != nil || got < least || got > most {
			t.Errorf("%s: it stalls for %v, %v", what, got, err)
		}
	}
	statement(t, s, `UPDATE requests SET due_at = $1 WHERE id = $2`, time.Now().Add(-time.Minute).UnixMicro(), r.ID)
	stalled("nobody came", 59*time.Second, 70*time.Second)
	if got, err := s.Claim(t.Context(), r.ID, 1, time.Now(), time.Minute); err != nil || !got {
		t.Fatal(got, err)
	}
	stalled("somebody is at it", 0, 0)
	if err := s.Release(t.Context(), r.ID, 1, time.Now(), time.Hour); err != nil {
		t.Fatal(err)
	}
	stalled("it waits", 0, 0)
}
