package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// Many write at once and share commits: each reads its own outcome, and what one is
// refused for, by a key of ours or by the database, takes nothing from the others.
func TestWhoSharesACommitHasTheirOwnOutcome(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	var worked sync.Map
	if err := s.Start(t.Context(), 4, func(_ context.Context, id string, _ int64) time.Duration {
		worked.Store(id, true)
		return 0
	}, func(context.Context, int64) time.Duration { return 0 }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.WithoutCancel(t.Context())) })
	twin := insert(t, s, request.Change{})
	refused := errors.New("no")
	const writers = 200
	var stored sync.Map
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			r := asked()
			change := request.Change{Wake: true, Events: []request.Event{{At: noon, Request: r.ID, Kind: "asked"}}}
			var err, want error
			switch i % 6 {
			case 5:
				_, err = s.Update(t.Context(), twin.ID, func(*request.Request) (request.Change, error) { panic("no") })
				if err != nil && strings.Contains(err.Error(), "panic: no") {
					err = refused
				}
				want = refused
			case 1:
				want = store.ErrTaken
				if err = s.InsertAll(t.Context(), fmt.Sprint("origin ", i), []request.Request{r}, []request.Change{change}); err == nil {
					stored.Store(r.ID, true)
					err = s.InsertAll(t.Context(), fmt.Sprint("origin ", i), []request.Request{asked()}, []request.Change{{}})
				}
			case 2:
				want = refused
				_, err = s.Update(t.Context(), twin.ID, func(r *request.Request) (request.Change, error) {
					r.Reason = "never"
					return request.Change{Events: []request.Event{{At: noon, Kind: "never"}}}, refused
				})
			case 3:
				second := asked()
				second.ID = twin.ID // which the database refuses, when the first is written
				if err = s.InsertAll(t.Context(), "", []request.Request{r, second}, []request.Change{change, {}}); err != nil {
					err = refused
				}
				want = refused
			default:
				if err = s.Insert(t.Context(), r, change); err == nil {
					stored.Store(r.ID, true)
				}
			}
			if !errors.Is(err, want) {
				t.Errorf("writer %d: %v, want %v", i, err, want)
			}
		})
	}
	all.Wait()
	list, err := s.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		if _, ours := stored.LoadAndDelete(r.ID); !ours && r.ID != twin.ID {
			t.Errorf("request %s is there, and nobody was told so", r.ID)
		}
		if r.Reason != "" {
			t.Error("what a writer took back is there")
		}
	}
	stored.Range(func(id, _ any) bool {
		t.Errorf("request %s isn't there, and its writer was told that it is", id)
		return true
	})
	if head, broken := verify(t, s); broken != 0 || head.Seq != int64(len(list)-1) {
		t.Errorf("the record has %d events and breaks at %d; there are %d requests", head.Seq, broken, len(list))
	}
	for _, r := range list {
		for deadline := time.After(10 * time.Second); r.ID != twin.ID; {
			if _, done := worked.Load(r.ID); done {
				break
			}
			select {
			case <-deadline:
				t.Fatalf("no job carries request %s on", r.ID)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}

// A person who is told that nothing was stored, because the time was over, finds that
// nothing is done: where it was stored all the same, no job works on it at once.
func TestNoJobWorksOnWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	worked := make(chan string, 1000)
	if err := s.Start(t.Context(), 4, func(_ context.Context, id string, _ int64) time.Duration {
		worked <- id
		return 0
	}, func(context.Context, int64) time.Duration { return 0 }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.WithoutCancel(t.Context())) })
	var given sync.Map
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%40)*200*time.Microsecond)
			defer cancel()
			r := asked()
			if err := s.Insert(ctx, r, request.Change{Wake: true}); err != nil {
				given.Store(r.ID, err)
			}
		})
	}
	all.Wait()
	last := insert(t, s, request.Change{Wake: true})
	list, err := s.Unfinished(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored := 0
	for _, r := range list {
		if _, up := given.Load(r.ID); up {
			stored++
		}
	}
	t.Logf("%d of those who gave up were stored all the same", stored)
	for id := ""; id != last.ID; {
		select {
		case id = <-worked:
		case <-time.After(20 * time.Second):
			t.Fatal("nobody is at work")
		}
		if err, up := given.Load(id); up {
			t.Errorf("request %s is worked on, and its requester was told: %v", id, err)
		}
	}
}
