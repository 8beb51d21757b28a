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
