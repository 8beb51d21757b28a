package store_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

func TestClaims(t *testing.T) {
	t.Parallel()
	const lease = 30 * time.Second
	type act struct {
		do  string // claim, renew, release
		job int64
		at  time.Duration
		got bool // what claim tells
	}
	for _, test := range []struct {
		name    string
		acts    []act
		carries int64
	}{
		{"the first job gets it", []act{{"claim", 1, 0, true}}, 1},
		{"nobody else gets it meanwhile", []act{{"claim", 1, 0, true}, {"claim", 2, time.Second, false}}, 1},
		{"not even the same job", []act{{"claim", 1, 0, true}, {"claim", 1, time.Second, false}}, 1},
		{"once released another gets it", []act{{"claim", 1, 0, true}, {"release", 1, 0, false}, {"claim", 2, 0, true}}, 2},
		{"once released the same gets it again", []act{{"claim", 1, 0, true}, {"release", 1, 0, false}, {"claim", 1, 0, true}}, 1},
		{"a lease ends by itself", []act{{"claim", 1, 0, true}, {"claim", 2, lease, true}}, 2},
		{"a renewed lease lasts longer", []act{{"claim", 1, 0, true}, {"renew", 1, 20 * time.Second, false}, {"claim", 2, lease, false}, {"claim", 2, 20*time.Second + lease, true}}, 2},
		{"nobody renews for another", []act{{"claim", 1, 0, true}, {"renew", 2, 20 * time.Second, false}, {"claim", 2, lease, true}}, 2},
		{"nobody releases for another", []act{{"claim", 1, 0, true}, {"release", 2, 0, false}, {"claim", 2, 0, false}}, 1},
		{"one that was overtaken can't release", []act{{"claim", 1, 0, true}, {"claim", 2, lease, true}, {"release", 1, lease, false}, {"claim", 1, lease, false}}, 2},
		{"who released still carries it", []act{{"claim", 1, 0, true}, {"release", 1, 0, false}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, storetest.Address(t))
			r := insert(t, s, request.Change{})
			for i, a := range test.acts {
				var got bool
				var err error
				switch now := noon.Add(a.at); a.do {
				case "claim":
					got, err = s.Claim(t.Context(), r.ID, a.job, now, lease)
				case "renew":
					err = s.Renew(t.Context(), r.ID, a.job, now, lease)
				case "release":
					err = s.Release(t.Context(), r.ID, a.job, now, 0)
				}
				if lost := errors.Is(err, store.ErrLost); lost && a.do == "renew" && a.job != 1 {
					continue // nobody renews for another
				}
				if err != nil || got != a.got {
					t.Fatalf("%d: job %d's %s: %v, %v; want %v", i, a.job, a.do, got, err, a.got)
				}
			}
			for job := int64(1); job <= 2; job++ {
				got, err := s.Carries(t.Context(), r.ID, job)
				if err != nil || got != (job == test.carries) {
					t.Errorf("job %d carries it: %v, %v", job, got, err)
				}
			}
		})
	}
	t.Run("a request that isn't there can't be claimed", func(t *testing.T) {
		t.Parallel()
		s := open(t, storetest.Address(t))
		if got, err := s.Claim(t.Context(), "nobody", 1, noon, lease); got || err != nil {
			t.Errorf("Claim: %v, %v", got, err)
		}
	})
	t.Run("of many at once one gets it", func(t *testing.T) {
		t.Parallel()
		s := open(t, storetest.Address(t))
		r := insert(t, s, request.Change{})
		var wait sync.WaitGroup
		got := make(chan int64, 10)
		for job := int64(1); job <= 10; job++ {
			wait.Go(func() {
				claimed, err := s.Claim(t.Context(), r.ID, job, noon, lease)
				if err != nil {
					t.Error(err)
				}
				if claimed {
					got <- job
				}
			})
		}
		wait.Wait()
		if n := len(got); n != 1 {
			t.Errorf("%d jobs got it", n)
		}
	})
}

// gang is a Work that tells which requests it was called for.
func gang(calls chan string) store.Work {
	return func(_ context.Context, request string, _ int64) time.Duration {
		calls <- request
		return 0
	}
}

func TestWork(t *testing.T) {
	t.Parallel()
	within := func(t *testing.T, calls chan string) string {
		t.Helper()
		select {
		case id := <-calls:
			return id
		case <-time.After(10 * time.Second):
			t.Fatal("nobody was called for 10 s")
			return ""
		}
	}
	t.Run("what is inserted with a wake-up is worked on", func(t *testing.T) {
		t.Parallel()
		s := open(t, storetest.Address(t))
		calls := make(chan string, 10)
		if err := s.Start(t.Context(), 2, gang(calls), nobody); err != nil {
			t.Fatal(err)
		}
		r := insert(t, s, request.Change{Wake: true})
		if got := within(t, calls); got != r.ID {
			t.Errorf("called for %s, want %s", got, r.ID)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("work that wants to wait is called again with the same job", func(t *testing.T) {
		t.Parallel()
		s := open(t, storetest.Address(t))
		jobs := make(chan int64, 10)
		count := 0
		if err := s.Start(t.Context(), 2, func(_ context.Context, _ string, job int64) time.Duration {
			jobs <- job
			if count++; count < 3 {
				return time.Millisecond
			}
			close(jobs)
			return 0
		}, nobody); err != nil {
			t.Fatal(err)
		}
		insert(t, s, request.Change{Wake: true})
		seen := map[int64]int{}
		for job := range jobs {
			seen[job]++
		}
		if len(seen) != 1 {
			t.Errorf("calls by job: %v, want three by one", seen)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("after a crash the unfinished go on, and only they", func(t *testing.T) {
		storetest.OnlyOn(t, storetest.SQLite)
		t.Parallel()
		path := storetest.Address(t)
		s := open(t, path)
		first, ended, last := insert(t, s, request.Change{}), insert(t, s, request.Change{}), insert(t, s, request.Change{})
		update(t, s, ended.ID, func(r *request.Request) request.Change {
			r.State, r.EndedAt = request.Succeeded, noon
			return request.Change{}
		})
		// A process that dies holds its claims: nobody releases them.
		if claimed, err := s.Claim(t.Context(), first.ID, 99, time.Now(), time.Hour); !claimed || err != nil {
			t.Fatal(claimed, err)
		}
		for range 2 {
			path = crash(t, path)
			after := open(t, path)
			list, err := after.Unfinished(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, r := range list {
				ids = append(ids, r.ID)
			}
			same(t, "unfinished", []string{first.ID, last.ID}, ids)

			calls := make(chan string, 10)
			claims := make(chan bool, 10)
			if err := after.Start(t.Context(), 2, func(ctx context.Context, id string, job int64) time.Duration {
				claimed, err := after.Claim(ctx, id, job, time.Now(), time.Hour)
				claims <- claimed && err == nil
				calls <- id
				return 0
			}, nobody); err != nil {
				t.Fatal(err)
			}
			got := []string{within(t, calls), within(t, calls)}
			slices.Sort(got)
			same(t, "called for", []string{first.ID, last.ID}, got)
			if one, two := <-claims, <-claims; !one || !two {
				t.Error("a claim of the dead process still holds")
			}
			// The next turn starts from the files as they are now, with jobs that
			// were done and claims that weren't released.
			defer after.Stop(context.WithoutCancel(t.Context()))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("stopping waits for the work at hand", func(t *testing.T) {
		t.Parallel()
		s := open(t, storetest.Address(t))
		begun, goOn := make(chan bool), make(chan bool)
		finished := false
		if err := s.Start(t.Context(), 1, func(context.Context, string, int64) time.Duration {
			close(begun)
			<-goOn
			finished = true
			return time.Hour
		}, nobody); err != nil {
			t.Fatal(err)
		}
		insert(t, s, request.Change{Wake: true})
		<-begun
		stopped := make(chan error)
		go func() { stopped <- s.Stop(context.WithoutCancel(t.Context())) }()
		close(goOn)
		if err := <-stopped; err != nil || !finished {
			t.Errorf("Stop: %v; the work is finished: %v", err, finished)
		}
	})
	t.Run("a store that was never started can be stopped", func(t *testing.T) {
		t.Parallel()
		if err := open(t, storetest.Address(t)).Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// nobody clicks in these tests.
func nobody(context.Context, int64) time.Duration { return 0 }
