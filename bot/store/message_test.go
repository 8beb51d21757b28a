package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/ops"
)

func TestALineIsToldOncePerKey(t *testing.T) {
	t.Parallel()
	line := func(key, text string) ops.Line { return ops.Line{Key: key, Text: text, At: noon, Level: ops.Info} }
	for _, test := range []struct {
		name     string
		calls    [][]ops.Line
		lines    []string
		messages []string
	}{
		{"lines are numbered from 1", [][]ops.Line{{line("a", "A"), line("b", "B")}}, []string{"1 A", "2 B"}, []string{"log 1-2"}},
		{"a key that was told is dropped", [][]ops.Line{{line("a", "A")}, {line("a", "A again"), line("b", "B")}}, []string{"1 A", "2 B"}, []string{"log 1-1", "log 2-2"}},
		{"a key twice in one call is told once", [][]ops.Line{{line("a", "A"), line("a", "A again"), line("b", "B")}}, []string{"1 A", "2 B"}, []string{"log 1-2"}},
		{"nothing new is no message", [][]ops.Line{{line("a", "A")}, {line("a", "A")}, {}}, []string{"1 A"}, []string{"log 1-1"}},
		{"a dropped line leaves no gap", [][]ops.Line{{line("a", "A"), line("b", "B")}, {line("b", "B"), line("c", "C"), line("a", "A"), line("d", "D")}}, []string{"1 A", "2 B", "3 C", "4 D"}, []string{"log 1-2", "log 3-4"}},
		{"lines without a key are always told", [][]ops.Line{{line("", "A"), line("", "A")}, {line("", "A")}}, []string{"1 A", "2 A", "3 A"}, []string{"log 1-2", "log 3-3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, storetest.Address(t))
			r, other := insert(t, s, request.Change{}), insert(t, s, request.Change{})
			for _, lines := range test.calls {
				update(t, s, r.ID, func(*request.Request) request.Change { return request.Change{Lines: lines} })
			}
			all, err := s.Lines(t.Context(), r.ID, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, l := range all {
				got = append(got, fmt.Sprintf("%d %s", l.Seq, l.Text))
			}
			same(t, "lines", test.lines, got)
			same(t, "messages", test.messages, kinds(unsent(t, s)))

			// Keys and places are each request's own.
			update(t, s, other.ID, func(*request.Request) request.Change { return request.Change{Lines: test.calls[0]} })
			theirs, err := s.Lines(t.Context(), other.ID, 1, 1)
			if err != nil || len(theirs) != 1 || theirs[0].Seq != 1 {
				t.Errorf("the other request's lines: %+v, %v", theirs, err)
			}
		})
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	odd := []string{"", "a\nb", "nul \x00 here", "👩‍🚀 <!channel> & ```", strings.Repeat("long ", 20000)}
	var lines []ops.Line
	for _, text := range odd {
		lines = append(lines, ops.Line{Text: text})
	}
	lines[0].At, lines[0].Level = noon, ops.Failure
	update(t, s, r.ID, func(*request.Request) request.Change { return request.Change{Lines: lines} })
	got, err := s.Lines(t.Context(), r.ID, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range odd {
		// PostgreSQL takes no zero byte.
		if want := strings.ReplaceAll(text, "\x00", "\ufffd"); got[i].Text != want {
			t.Errorf("line %d is read as %.60q, want %.60q", i, got[i].Text, want)
		}
	}
	same(t, "the first line", store.Line{Seq: 1, Line: ops.Line{At: noon, Level: ops.Failure}}, got[0], cmpopts.IgnoreFields(ops.Line{}, "Key"))
	if got[1].Level != ops.Info || time.Since(got[1].At) > time.Minute {
		t.Errorf("a line without time and level has %v and %q", got[1].At, got[1].Level)
	}
	for _, test := range []struct {
		from, to int64
		want     int
	}{{1, 0, 5}, {2, 3, 2}, {5, 5, 1}, {6, 0, 0}, {4, 9, 2}} {
		some, err := s.Lines(t.Context(), r.ID, test.from, test.to)
		if err != nil || len(some) != test.want {
			t.Errorf("lines %d to %d: %d, %v; want %d", test.from, test.to, len(some), err, test.want)
		}
	}
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	a := insert(t, s, request.Change{Messages: []request.Message{}})
	b := insert(t, s, request.Change{})
	say := func(id string, kinds ...string) {
		update(t, s, id, func(*request.Request) request.Change {
			var c request.Change
			for _, k := range kinds {
				c.Messages = append(c.Messages, request.Message{Request: id, Kind: k, Body: request.Body{Text: k, Other: id}})
			}
			return c
		})
	}
	select {
	case <-s.Woken():
	default:
	}
	say(a.ID, request.Card, request.Plan)
	select {
	case <-s.Woken():
	case <-time.After(5 * time.Second):
		t.Error("nobody was woken")
	}
	say(b.ID, request.Card)
	say(a.ID, request.Result)
	// What is logged comes before what is said with it.
	update(t, s, a.ID, func(*request.Request) request.Change {
		return request.Change{Lines: []ops.Line{{Text: "x"}}, Messages: []request.Message{{Request: a.ID, Kind: request.LogFile}}}
	})
	list := unsent(t, s)
	same(t, "what waits", []string{"card", "plan", "card", "result", "log 1-1", "logfile"}, kinds(list))
	same(t, "the body", request.Body{Text: "plan", Other: a.ID}, list[1].Body)
	if list[0].Due.After(time.Now()) || list[0].At.IsZero() || list[0].Tries != 0 {
		t.Errorf("a new message is %+v; want it due, dated and untried", list[0])
	}

	if err := s.Trying(t.Context(), list[1]); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	if err := s.Later(t.Context(), list[1].ID, later); err != nil {
		t.Fatal(err)
	}
	if err := s.Dead(t.Context(), list[3].ID, "invalid_blocks"); err != nil {
		t.Fatal(err)
	}
	if err := s.Sent(t.Context(), noon, store.Delivery{Messages: []int64{list[0].ID}, Thread: a.ID, Place: store.CardPlace, Post: store.Post{Channel: "C", TS: "1.0"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Sent(t.Context(), noon, store.Delivery{Messages: []int64{list[4].ID, list[5].ID}}); err != nil {
		t.Fatal(err)
	}
	rest := unsent(t, s)
	same(t, "what waits then", []string{"plan", "card"}, kinds(rest))
	if rest[0].Tries != 1 || !rest[0].Due.Equal(later) {
		t.Errorf("the message that was put off: %+v, want 1 try and due %v", rest[0], later)
	}

	for _, test := range []struct {
		name, request, place string
		want                 store.Post
		there                bool
	}{
		{"a place that was told", a.ID, store.CardPlace, store.Post{Channel: "C", TS: "1.0"}, true},
		{"another place", a.ID, "elsewhere", store.Post{}, false},
		{"another request's", b.ID, store.CardPlace, store.Post{}, false},
	} {
		got, there, err := s.Posted(t.Context(), test.request, test.place)
		if err != nil || got != test.want || there != test.there {
			t.Errorf("%s: %v, %v, %v", test.name, got, there, err)
		}
	}
	if err := s.Sent(t.Context(), noon, store.Delivery{Thread: a.ID, Place: store.CardPlace, Post: store.Post{Channel: "C", TS: "2.0"}}); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := s.Posted(t.Context(), a.ID, store.CardPlace); got.TS != "2.0" {
		t.Errorf("the card is told to stand at %v", got)
	}
}

func TestOneRequestsMessagesDontHideAnothers(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	a, b := insert(t, s, request.Change{}), insert(t, s, request.Change{})
	update(t, s, a.ID, func(*request.Request) request.Change {
		var c request.Change
		for range 1500 {
			c.Messages = append(c.Messages, request.Message{Request: a.ID, Kind: request.Card})
		}
		return c
	})
	update(t, s, b.ID, func(*request.Request) request.Change {
		return request.Change{Messages: []request.Message{{Request: b.ID, Kind: request.Card}}}
	})
	for _, m := range unsent(t, s) {
		if m.Request == b.ID {
			return
		}
	}
	t.Error("a request's message can't be sent as long as 1,000 of another request wait")
}
