package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// started is a store at work whose clicks go to a channel, and are answered if
// answer says so.
func started(t *testing.T, path string, answers chan int64, answer func(*store.Store, int64) time.Duration) *store.Store {
	t.Helper()
	s := open(t, path)
	if err := s.Start(t.Context(), 2, func(context.Context, string, int64) time.Duration { return 0 }, func(_ context.Context, id int64) time.Duration {
		wait := answer(s, id)
		answers <- id
		return wait
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.WithoutCancel(t.Context())) })
	return s
}

func pressed(t *testing.T, s *store.Store, id string) request.Click {
	t.Helper()
	c := request.Click{Request: id, Verb: "approve", At: noon, Digest: "abc", Text: "Shelf A", Asker: request.Asker{Front: "slack", Workspace: "T1", User: "U2", Channel: "C1"}}
	if err := s.InsertClick(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

func next(t *testing.T, answers chan int64) int64 {
	t.Helper()
	select {
	case id := <-answers:
		return id
	case <-time.After(10 * time.Second):
		t.Fatal("nobody was called for 10 s")
		return 0
	}
}

func TestAClickIsReadAsItWasWrittenAndAnsweredOnce(t *testing.T) {
	t.Parallel()
	answers := make(chan int64, 10)
	done := func(s *store.Store, id int64) time.Duration {
		c, err := s.Click(context.Background(), id)
		if err == nil {
			err = s.AnswerClick(context.Background(), c, request.Change{
				Events:   []request.Event{{At: noon, Request: c.Request, Kind: "too-late", By: "hubot"}},
				Messages: []request.Message{{Thread: "click/1", Request: c.Request, Kind: request.Private, Body: request.Body{Text: "No.", For: &c.Asker}}},
			})
		}
		if err != nil {
			t.Error(err)
		}
		return 0
	}
	path := storetest.Address(t)
	s := started(t, path, answers, done)
	r := insert(t, s, request.Change{})
	c := pressed(t, s, r.ID)
	if got := next(t, answers); got != c.ID || c.ID == 0 {
		t.Errorf("called for %d, want %d", got, c.ID)
	}
	got, err := s.Click(t.Context(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	c.Done = true
	same(t, "the click", c, got)
	same(t, "the request", r, newRequest(t, s, r.ID))
	same(t, "events", []string{"too-late"}, events(t, s, r.ID))
	list := unsent(t, s)
	same(t, "messages", []string{"private"}, kinds(list))
	same(t, "who is told", &c.Asker, list[0].Body.For)
	if _, err := s.Click(t.Context(), 99); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a click that isn't there: %v", err)
	}

	// After a restart only what wasn't answered is asked for again.
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := pressed(t, s, r.ID)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = started(t, path, answers, done)
	if got := next(t, answers); got != later.ID {
		t.Errorf("after the restart called for %d, want %d", got, later.ID)
	}
	last := pressed(t, s, r.ID)
	if got := next(t, answers); got != last.ID {
		t.Errorf("then called for %d, want %d", got, last.ID)
	}
}

func TestAnAnswerThatCantBeGivenYetIsAskedForAgain(t *testing.T) {
	t.Parallel()
	answers, calls := make(chan int64, 10), 0
	s := started(t, storetest.Address(t), answers, func(*store.Store, int64) time.Duration {
		if calls++; calls < 3 {
			return time.Millisecond
		}
		return 0
	})
	c := pressed(t, s, insert(t, s, request.Change{}).ID)
	for range 3 {
		if got := next(t, answers); got != c.ID {
			t.Errorf("called for %d, want %d", got, c.ID)
		}
	}
}

func TestAClickIsAnsweredWithTheChangeThatItMakesOrNotAtAll(t *testing.T) {
	t.Parallel()
	answers := make(chan int64, 10)
	s := started(t, storetest.Address(t), answers, func(*store.Store, int64) time.Duration { return 0 })
	r := insert(t, s, request.Change{})
	c := pressed(t, s, r.ID)
	next(t, answers)
	broken := errors.New("broken")
	if _, err := s.Update(t.Context(), r.ID, func(*request.Request) (request.Change, error) { return request.Change{Done: c.ID}, broken }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if got, err := s.Click(t.Context(), c.ID); err != nil || got.Done {
		t.Errorf("after a fault the click is answered: %v, %v", got.Done, err)
	}
	update(t, s, r.ID, func(r *request.Request) request.Change { r.State = request.Approved; return request.Change{Done: c.ID} })
	if got, err := s.Click(t.Context(), c.ID); err != nil || !got.Done {
		t.Errorf("after the change the click is answered: %v, %v", got.Done, err)
	}
}

func TestRequestsUnderOneCard(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	first, second, other := asked(), asked(), asked()
	second.Card = first.ID
	if err := s.InsertAll(t.Context(), "", []request.Request{first, second, other}, make([]request.Change, 3)); err != nil {
		t.Fatal(err)
	}
	list, err := s.OnCard(t.Context(), first.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "under the card", []request.Request{first, second}, list)
	update(t, s, second.ID, func(*request.Request) request.Change {
		var c request.Change
		for _, kind := range []string{request.Plan, request.Private, request.Pointer, request.Direct} {
			c.Messages = append(c.Messages, request.Message{Request: second.ID, Kind: kind})
		}
		return c
	})
	var threads []string
	for _, m := range unsent(t, s) {
		threads = append(threads, m.Thread)
	}
	same(t, "the threads", []string{first.ID, "private/" + second.ID, "pointer/" + second.ID, "direct/" + second.ID}, threads)
	bad := asked()
	bad.ID = first.ID
	third := asked()
	if err := s.InsertAll(t.Context(), "", []request.Request{third, bad}, make([]request.Change, 2)); err == nil {
		t.Error("a request was stored twice")
	}
	if _, err := s.Request(t.Context(), third.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("half of a group was stored: %v", err)
	}
}

func TestRecentRequests(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	var ids []string
	for i, who := range []string{"octocat", "hubot", "octocat"} {
		r := asked()
		r.By, r.At = who, noon.Add(time.Duration(i)*time.Minute)
		r.Operation = []string{"tidy-up", "tidy-up", "dust-off"}[i]
		if err := s.Insert(t.Context(), r, request.Change{}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r.ID)
	}
	for _, test := range []struct {
		word  string
		limit int
		want  []string
	}{
		{"", 10, []string{ids[2], ids[1], ids[0]}},
		{"", 2, []string{ids[2], ids[1]}},
		{"octocat", 10, []string{ids[2], ids[0]}},
		{"tidy-up", 10, []string{ids[1], ids[0]}},
		{"nobody", 10, nil},
		{"octo", 10, nil},
		{"%", 10, nil},
	} {
		list, err := s.Recent(t.Context(), test.word, test.limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list {
			got = append(got, r.ID)
		}
		same(t, "of "+test.word, test.want, got)
	}
}

// What is asked for costs what its answer is long, and not what ever was.
func TestNoQuestionAboutWhatWasDoneReadsAllRequests(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	s := open(t, storetest.Address(t))
	for name, query := range store.Questions {
		rows, err := s.DB().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, "a", "b", 3)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var does string
			if err := rows.Scan(&id, &parent, &unused, &does); err != nil {
				t.Fatal(err)
			}
			for _, table := range []string{"requests", "events"} {
				if strings.HasPrefix(does, "SCAN "+table) && !strings.Contains(does, "INDEX") || strings.Contains(does, "TEMP B-TREE FOR ORDER BY") && !strings.Contains(query, "UNION") {
					t.Errorf("%s: %s", name, does)
				}
			}
		}
	}
}

func TestARequestIsFoundByItsEnd(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	for _, end := range []string{r.ID, r.ID[len(r.ID)-8:], r.ID[len(r.ID)-20:]} {
		if found, err := s.Find(t.Context(), end); err != nil || found.ID != r.ID {
			t.Errorf("by %s: %v, %v", end, found.ID, err)
		}
	}
	for _, end := range []string{"", "-", "%", "01970000-0000-7000-8000-00000000cafe"} {
		if _, err := s.Find(t.Context(), end); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("by %q: %v", end, err)
		}
	}
}
