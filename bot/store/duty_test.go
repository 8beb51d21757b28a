package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

func lead(t *testing.T, s *store.Store, lasting time.Duration) bool {
	t.Helper()
	got, err := s.Lead(t.Context(), "courier", lasting)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOneProcessHasADuty(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	a, b := open(t, address), open(t, address)
	if !lead(t, a, time.Hour) || lead(t, b, time.Hour) || !lead(t, a, time.Hour) {
		t.Error("who has it keeps it, and nobody else gets it")
	}
	if err := b.Resign(t.Context(), "courier"); err != nil {
		t.Fatal(err)
	}
	if lead(t, b, time.Hour) {
		t.Error("it was given away by who hadn't it")
	}
	if err := a.Resign(t.Context(), "courier"); err != nil {
		t.Fatal(err)
	}
	if !lead(t, b, time.Millisecond) {
		t.Error("nobody has it, and it can't be had")
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); !lead(t, a, time.Hour); <-tick.C {
		if time.Since(begun) > 5*time.Second {
			t.Fatal("whose time is over still has it")
		}
	}
}

func TestWhatMustNotBeCalledIsKnownToOthers(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	till := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	for what, at := range map[string]time.Time{"long": till, "over": time.Now().Add(-time.Second)} {
		if err := s.Hold(t.Context(), what, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Hold(t.Context(), "long", till.Add(-time.Minute)); err != nil { // no hold is made shorter
		t.Fatal(err)
	}
	holds, err := s.Holds(t.Context())
	if err != nil || len(holds) != 1 || holds["long"].Sub(till).Abs() > time.Second {
		t.Errorf("the holds are %v, %v; want one until %v", holds, err, till)
	}
}

// What is recorded before it is done isn't done by who has lost the request.
func TestWhoHasLostARequestRecordsNothingToBeDone(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	e := request.Event{At: noon, Request: r.ID, Kind: "calling"}
	try := func(job int64, want error) {
		t.Helper()
		if err := s.RecordAs(t.Context(), r.ID, job, e); !errors.Is(err, want) {
			t.Errorf("job %d: %v, want %v", job, err, want)
		}
	}
	claim := func(job int64, at time.Time) {
		t.Helper()
		if got, err := s.Claim(t.Context(), r.ID, job, at, time.Minute); !got || err != nil {
			t.Fatal(got, err)
		}
	}
	try(1, store.ErrLost) // nobody has it
	claim(1, time.Now().Add(-2*time.Minute))
	try(1, store.ErrLost) // its time is over
	claim(2, time.Now())
	try(1, store.ErrLost) // another has it
	try(2, nil)
	same(t, "events", []string{"calling"}, events(t, s, r.ID))
}

// A process that dies while it works leaves a lease, and one that dies before or
// after leaves nothing: both are found. What somebody is at work on is left alone.
func TestWhatADeadProcessLeftIsTakenUpByAnother(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	dead := open(t, address) // it never starts its engine, so nobody of it does anything
	working, left, click := insert(t, dead, request.Change{}), insert(t, dead, request.Change{}), request.Click{Request: "r", Verb: "approve", At: noon}
	if err := dead.InsertClick(t.Context(), &click); err != nil {
		t.Fatal(err)
	}
	kept := insert(t, dead, request.Change{})
	for id, lasting := range map[string]time.Duration{working.ID: 3 * time.Second, kept.ID: time.Hour} {
		if got, err := dead.Claim(t.Context(), id, 1, time.Now(), lasting); !got || err != nil {
			t.Fatal(got, err)
		}
	}
	// One that was approved at once: who waited for that puts it off for long, and
	// then dies over it.
	late := insert(t, dead, request.Change{})
	claimed := time.Now().Add(-time.Second)
	if got, err := dead.Claim(t.Context(), late.ID, 1, claimed, time.Minute); !got || err != nil {
		t.Fatal(got, err)
	}
	update(t, dead, late.ID, func(*request.Request) request.Change { return request.Change{Wake: true} })
	if err := dead.Release(t.Context(), late.ID, 1, claimed, time.Hour); err != nil {
		t.Fatal(err)
	}
	// One that was put off for long, and whose next worker died.
	again := insert(t, dead, request.Change{})
	if got, err := dead.Claim(t.Context(), again.ID, 1, claimed, time.Minute); !got || err != nil {
		t.Fatal(got, err)
	}
	if err := dead.Release(t.Context(), again.ID, 1, claimed, time.Hour); err != nil {
		t.Fatal(err)
	}
	if got, err := dead.Claim(t.Context(), again.ID, 2, time.Now(), time.Second); !got || err != nil {
		t.Fatal(got, err)
	}
	alive := open(t, address)
	calls := make(chan string, 10)
	if err := alive.Start(t.Context(), 2, gang(calls), func(_ context.Context, id int64) time.Duration {
		calls <- fmt.Sprint("click ", id)
		return 0
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { alive.Stop(context.WithoutCancel(t.Context())) })
	want := map[string]bool{late.ID: true, again.ID: true, working.ID: true, left.ID: true, fmt.Sprint("click ", click.ID): true}
	begun := time.Now()
	for len(want) > 0 {
		select {
		case id := <-calls:
			if id == kept.ID {
				t.Fatal("somebody else is at work on what was taken up")
			}
			delete(want, id)
		case <-time.After(40 * time.Second):
			t.Fatalf("not taken up: %v", want)
		}
	}
	t.Logf("all was taken up after %v", time.Since(begun).Round(time.Second))
}

// Two processes write at once into one chain of events.
func TestProcessesShareOneChain(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	stores := []*store.Store{open(t, address), open(t, address), open(t, address)}
	const each = 60
	var wait sync.WaitGroup
	for i, s := range stores {
		for worker := range 3 {
			wait.Go(func() {
				for n := range each / 3 {
					if err := s.Record(t.Context(), request.Event{At: noon, Kind: "x", By: fmt.Sprint(i, worker, n)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wait.Wait()
	if head, broken := verify(t, stores[0]); broken != 0 || head.Seq != each*int64(len(stores)) {
		t.Errorf("the head is %v, event %d is broken", head, broken)
	}
}

// Processes that start at once bring the tables up to date once.
func TestProcessesMayStartAtOnce(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Empty(t)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			s, err := store.Open(t.Context(), address, quiet)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Record(t.Context(), request.Event{At: noon, Kind: "x"}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if head, broken := verify(t, open(t, address)); broken != 0 || head.Seq != 4 {
		t.Errorf("the head is %v, event %d is broken", head, broken)
	}
}

// A migration of the next version while processes of this one are at work, and one
// of this version that starts afterwards.
func TestProcessesGoOnBesideTheNextVersion(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	s := open(t, address)
	over := make(chan bool)
	var working sync.WaitGroup
	done := 0
	working.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			r := insert(t, s, request.Change{Events: []request.Event{{At: noon, Kind: "asked"}}, Messages: []request.Message{{Kind: request.Card}}})
			update(t, s, r.ID, func(r *request.Request) request.Change { r.Progress = "x"; return request.Change{} })
			done++
		}
	})
	next := open(t, address)
	// What a migration may do: add.
	for _, statement := range []string{
		"ALTER TABLE requests ADD COLUMN colour TEXT NOT NULL DEFAULT ''", "CREATE INDEX requests_colour ON requests (colour)",
		"CREATE TABLE paint (name TEXT PRIMARY KEY)", "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)",
	} {
		if _, err := next.DB().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, address) // rolled back to this version
	insert(t, again, request.Change{})
	close(over)
	working.Wait()
	if done == 0 {
		t.Error("nothing was done meanwhile")
	}
}
