package store_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/ops"
)

var quiet = slog.New(slog.DiscardHandler)

// noon is when everything happens here that needs a time.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 123456000, time.UTC)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(storetest.Everywhere(m))
}

func open(t *testing.T, address string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func asked() request.Request {
	id := uuid.Must(uuid.NewV7()).String()
	return request.Request{
		ID: id, Card: id, Operation: "tidy-up", State: request.Asked, Version: 1, At: noon,
		Asker:  request.Asker{Front: "slack", Workspace: "T0EXAMPLE", User: "U1", Channel: "C1"},
		Inputs: ops.Inputs{"people": {"octocat", "<!channel>"}},
	}
}

func insert(t *testing.T, s *store.Store, c request.Change) request.Request {
	t.Helper()
	r := asked()
	if err := s.Insert(t.Context(), r, c); err != nil {
		t.Fatal(err)
	}
	return r
}

func update(t *testing.T, s *store.Store, id string, fn func(*request.Request) request.Change) request.Request {
	t.Helper()
	r, err := s.Update(t.Context(), id, func(r *request.Request) (request.Change, error) { return fn(r), nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newRequest(t *testing.T, s *store.Store, id string) request.Request {
	t.Helper()
	r, err := s.Request(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func unsent(t *testing.T, s *store.Store) []request.Message {
	t.Helper()
	list, err := s.Unsent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// kinds are what waits to be delivered, in a form that reads well in a diff.
func kinds(list []request.Message) []string {
	var kinds []string
	for _, m := range list {
		if m.Kind == request.Log {
			kinds = append(kinds, fmt.Sprintf("log %d-%d", m.Body.From, m.Body.To))
			continue
		}
		kinds = append(kinds, m.Kind)
	}
	return kinds
}

func events(t *testing.T, s *store.Store, id string) []string {
	t.Helper()
	list, err := s.Events(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range list {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

func same(t *testing.T, what string, want, got any, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, append(options, cmpopts.EquateEmpty())...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestARequestIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	same(t, "after Insert", r, newRequest(t, s, r.ID))

	full := update(t, s, r.ID, func(r *request.Request) request.Change {
		r.State, r.By, r.Held, r.Step, r.Progress, r.Reason, r.Again = request.Running, "octocat", "tidy", 1, "3 of 4", "because", "before"
		r.Preview = true
		r.Need, r.Why, r.Reminders = 2, "much", 3
		r.Reviews = []request.Review{{By: "hubot", User: "U2", At: noon, Digest: "d"}}
		r.Decided = &request.Review{By: "monalisa", User: "U4", At: noon, Reason: "r"}
		r.AdmittedAt, r.ExpiresAt, r.RemindAt, r.UndoUntil = noon, noon.Add(time.Minute), noon.Add(time.Hour), noon.Add(2*time.Hour)
		r.PlannedAt, r.StartedAt, r.StepBegun = noon.Add(time.Second), noon.Add(2*time.Second), noon.Add(3*time.Second)
		r.Plan = &ops.Plan{
			Summary: "Tidy <up> & more", Facts: []ops.Fact{{Label: "a", Value: "ü"}}, Warnings: []string{"\x00 \u2028"},
			Steps:    []ops.Step{{Do: "tidy", Title: "Tidy", Effects: []string{"one", "two"}}},
			Approval: ops.Rule{Count: 2, Why: "much"}, Data: []byte(`{"a":[1,2]}`),
		}
		r.Report = &ops.Report{Summary: "s", Problems: []string{"p"}, Notes: []string{"n"}, Sections: []ops.Section{{
			Title: "team", Outcomes: []ops.Outcome{{Text: "t", State: ops.Missing, Why: "w"}},
		}}}
		return request.Change{}
	})
	got := newRequest(t, s, r.ID)
	same(t, "after Update", full, got)
	if got.Version != 2 {
		t.Errorf("after one change the version is %d, want 2", got.Version)
	}
	if full.Plan.Digest() != got.Plan.Digest() {
		t.Error("the plan's digest is another after it was stored")
	}

	update(t, s, r.ID, func(r *request.Request) request.Change { r.Plan = nil; return request.Change{} })
	if p := newRequest(t, s, r.ID).Plan; p != nil {
		t.Errorf("a plan that was taken away is read as %+v", p)
	}
}

func TestARequestThatIsntThere(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	if _, err := s.Request(t.Context(), "nobody"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Request: %v, want ErrNotFound", err)
	}
	called := false
	_, err := s.Update(t.Context(), "nobody", func(*request.Request) (request.Change, error) { called = true; return request.Change{}, nil })
	if !errors.Is(err, store.ErrNotFound) || called {
		t.Errorf("Update: %v and fn called: %v; want ErrNotFound and not called", err, called)
	}
	if n := len(unsent(t, s)); n != 0 {
		t.Errorf("%d messages", n)
	}
}

func TestAChangeIsWrittenWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	full := func(id string) request.Change {
		return request.Change{
			Events:   []request.Event{{At: noon, Request: id, Kind: "planned", By: "octocat", Data: map[string]any{"a": "b"}}},
			Messages: []request.Message{{Request: id, Kind: request.Card}},
			Lines:    []ops.Line{{Key: "k", Text: "line"}},
			Memory:   map[string]any{"key": "value"},
		}
	}
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		fn   func(*request.Request) (request.Change, error)
		want error // nil: any
	}{
		{"an error of fn is returned as it is", func(r *request.Request) (request.Change, error) { r.State = request.Failed; return full(r.ID), broken }, broken},
		{"memory that can't be JSON", func(r *request.Request) (request.Change, error) {
			r.State = request.Failed
			c := full(r.ID)
			c.Memory["z"] = make(chan int)
			return c, nil
		}, nil},
		{"an event that can't be JSON", func(r *request.Request) (request.Change, error) {
			r.State = request.Failed
			c := full(r.ID)
			c.Events = append(c.Events, request.Event{At: noon, Request: r.ID, Kind: "odd", Data: map[string]any{"f": func() {}}})
			return c, nil
		}, nil},
		{"somebody else was faster", func(r *request.Request) (request.Change, error) {
			r.State = request.Failed
			r.Version--
			return full(r.ID), nil
		}, store.ErrStale},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, storetest.Address(t))
			r := insert(t, s, request.Change{})
			_, err := s.Update(t.Context(), r.ID, test.fn)
			if err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("Update: %v, want %v", err, test.want)
			}
			same(t, "the request", r, newRequest(t, s, r.ID))
			same(t, "events", []string(nil), events(t, s, r.ID))
			same(t, "messages", []string(nil), kinds(unsent(t, s)))
			lines, err := s.Lines(t.Context(), r.ID, 1, 0)
			if err != nil || len(lines) != 0 {
				t.Errorf("lines %v, %v", lines, err)
			}
			var v any
			if there, err := s.Recall(t.Context(), r.ID, "key", &v); there || err != nil {
				t.Errorf("memory: %v, %v", there, err)
			}
		})
	}
}

func TestAFaultAtInsertLeavesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := asked()
	err := s.Insert(t.Context(), r, request.Change{
		Events: []request.Event{
			{At: noon, Request: r.ID, Kind: "asked"},
			{At: noon, Request: r.ID, Kind: "odd", Data: map[string]any{"f": func() {}}},
		},
	})
	if err == nil {
		t.Fatal("an event that can't be JSON was stored")
	}
	if _, err := s.Request(t.Context(), r.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Request: %v, want ErrNotFound", err)
	}
	same(t, "events", []string(nil), events(t, s, ""))
}

func TestChangesAtTheSameTimeAreAllKept(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	const n = 20
	var wait sync.WaitGroup
	for range n {
		wait.Go(func() {
			if _, err := s.Update(t.Context(), r.ID, func(r *request.Request) (request.Change, error) {
				r.Step++
				return request.Change{Lines: []ops.Line{{Text: "line"}}}, nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	got := newRequest(t, s, r.ID)
	if got.Step != n || got.Version != n+1 {
		t.Errorf("step %d, version %d; want %d and %d", got.Step, got.Version, n, n+1)
	}
	lines, err := s.Lines(t.Context(), r.ID, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range lines {
		if l.Seq != int64(i+1) {
			t.Fatalf("line %d has the place %d", i+1, l.Seq)
		}
	}
	if len(lines) != n {
		t.Errorf("%d lines, want %d", len(lines), n)
	}
}

func TestALockIsHeldByOneUnfinishedRequest(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	first, second, preview, other := insert(t, s, request.Change{}), insert(t, s, request.Change{}), insert(t, s, request.Change{}), insert(t, s, request.Change{})
	hold := func(name string) func(*request.Request) (request.Change, error) {
		return func(r *request.Request) (request.Change, error) {
			r.State, r.Held = request.Planning, name
			return request.Change{Messages: []request.Message{{Request: r.ID, Kind: request.Card}}}, nil
		}
	}
	try := func(id, name string) error {
		_, err := s.Update(t.Context(), id, hold(name))
		return err
	}
	if err := try(first.ID, "tidy"); err != nil {
		t.Fatal(err)
	}
	held, ok := errors.AsType[*store.HeldError](try(second.ID, "tidy"))
	if !ok || held.By != first.ID {
		t.Fatalf("the second got %+v, want a HeldError with the first's ID", held)
	}
	same(t, "the second request", second, newRequest(t, s, second.ID))
	same(t, "messages", []string{"card"}, kinds(unsent(t, s)))
	for _, free := range []struct {
		what, id, name string
	}{
		{"a preview, which holds nothing", preview.ID, ""},
		{"another preview", second.ID, ""},
		{"another lock", other.ID, "another"},
		{"the first, changed again", first.ID, "tidy"},
	} {
		if err := try(free.id, free.name); err != nil {
			t.Errorf("%s: %v", free.what, err)
		}
	}
	update(t, s, first.ID, func(r *request.Request) request.Change {
		r.State, r.EndedAt = request.Failed, noon
		return request.Change{}
	})
	if err := try(second.ID, "tidy"); err != nil {
		t.Errorf("after the end of the first: %v", err)
	}
	if _, ok := errors.AsType[*store.HeldError](try(other.ID, "tidy")); !ok {
		t.Error("a third could take the lock from the second")
	}
}

func TestMemory(t *testing.T) {
	t.Parallel()
	path := storetest.Address(t)
	s := open(t, path)
	r, other := insert(t, s, request.Change{}), insert(t, s, request.Change{})
	type thing struct {
		ID    string
		Since time.Time
	}
	remember := func(key string, v any) {
		update(t, s, r.ID, func(*request.Request) request.Change { return request.Change{Memory: map[string]any{key: v}} })
	}
	remember("invoked", thing{"one", noon})
	remember("invoked", thing{"two", noon})
	remember("null", nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	var got thing
	if there, err := s.Recall(t.Context(), r.ID, "invoked", &got); !there || err != nil {
		t.Fatalf("Recall: %v, %v", there, err)
	}
	same(t, "memory after a restart", thing{"two", noon}, got)
	for _, test := range []struct{ name, request, key string }{
		{"another key", r.ID, "Invoked"},
		{"another request", other.ID, "invoked"},
		{"a request that isn't there", "nobody", "invoked"},
	} {
		if there, err := s.Recall(t.Context(), test.request, test.key, &got); there || err != nil {
			t.Errorf("%s: %v, %v; want nothing", test.name, there, err)
		}
	}
	var number int
	if _, err := s.Recall(t.Context(), r.ID, "invoked", &number); err == nil {
		t.Error("a thing was recalled as a number")
	}
}

func TestEventsAreInOrder(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	var want []string
	var ids []string
	for i := range 3 {
		r := asked()
		ids = append(ids, r.ID)
		if err := s.Insert(t.Context(), r, request.Change{Events: []request.Event{{At: noon.Add(-time.Duration(i) * time.Hour), Request: r.ID, Kind: "asked", By: "slack:T/U", Data: map[string]any{"n": i}}}}); err != nil {
			t.Fatal(err)
		}
		want = append(want, r.ID+" asked")
	}
	for _, id := range ids {
		update(t, s, id, func(*request.Request) request.Change {
			return request.Change{Events: []request.Event{{At: noon, Request: id, Kind: "one"}, {At: noon, Request: id, Kind: "two"}}}
		})
		want = append(want, id+" one", id+" two")
	}
	all, err := s.Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, e := range all {
		got = append(got, e.Request+" "+e.Kind)
		if i > 0 && e.Seq <= all[i-1].Seq {
			t.Errorf("event %d has seq %d after %d", i, e.Seq, all[i-1].Seq)
		}
	}
	same(t, "all events", want, got)
	same(t, "one request's", []string{"asked", "one", "two"}, events(t, s, ids[1]))
	same(t, "the first event", request.Event{Seq: all[0].Seq, At: noon, Request: ids[0], Kind: "asked", By: "slack:T/U", Data: map[string]any{"n": 0.0}, Hash: all[0].Hash}, all[0])
	same(t, "nobody's", []string(nil), events(t, s, "nobody"))
}

// What a request's row doesn't hold is written beside it: its version stays, so that a
// log line stops no other change.
func TestNotesLeaveARequestAsItIs(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	if claimed, err := s.Claim(t.Context(), r.ID, 7, time.Now(), time.Minute); !claimed || err != nil {
		t.Fatalf("claimed %v: %v", claimed, err)
	}
	note := request.Change{Lines: []ops.Line{{Key: "first", At: noon, Text: "Swept."}}, Memory: map[string]any{"swept": true}}
	if err := s.Note(t.Context(), r, 6, note); !errors.Is(err, store.ErrLost) {
		t.Errorf("a job that the request was taken over from: %v, not %v", err, store.ErrLost)
	}
	if known, err := s.Recall(t.Context(), r.ID, "swept", new(bool)); known || err != nil {
		t.Errorf("what that job remembered is there: %v, %v", known, err)
	}
	for _, job := range []int64{0, 7} {
		if err := s.Note(t.Context(), r, job, note); err != nil {
			t.Fatalf("job %d: %v", job, err)
		}
	}
	if err := s.Progress(t.Context(), r, "12 of 20 teams"); err != nil {
		t.Fatal(err)
	}
	if now, err := s.Request(t.Context(), r.ID); err != nil || now.Version != 1 || now.Progress != "" {
		t.Errorf("version %d, progress %q of a request that isn't planned: %v", now.Version, now.Progress, err)
	}
	if _, err := s.Update(t.Context(), r.ID, func(r *request.Request) (request.Change, error) {
		r.State = request.Planning
		return request.Change{}, nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := s.Progress(t.Context(), r, "12 of 20 teams"); err != nil {
		t.Fatal(err)
	}
	now, err := s.Request(t.Context(), r.ID)
	if err != nil || now.Version != 2 || now.Progress != "12 of 20 teams" {
		t.Errorf("version %d, progress %q: %v", now.Version, now.Progress, err)
	}
	told, err := s.UnsentOf(t.Context(), r.ID)
	if err != nil || len(told) != 2 || told[0].Kind != request.Log || told[1].Kind != request.Card {
		t.Errorf("what is to be told: %v, %v", told, err)
	}
}
