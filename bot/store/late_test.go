package store_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// unanswered passes everything on between a client and a PostgreSQL, and returns
// the address to connect to. While silent, it keeps the answer to a COMMIT of what was
// asked to itself, and calls kept.
func unanswered(t *testing.T, address string, silent *atomic.Bool, kept func()) string {
	t.Helper()
	to, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to.Host)
			if err != nil {
				t.Error(err)
				client.Close()
				return
			}
			var told sync.Once
			var mute, stores atomic.Bool
			pass := func(to, from net.Conn, look func([]byte) bool) {
				defer to.Close()
				for buffer := make([]byte, 1<<16); ; {
					n, err := from.Read(buffer)
					if n > 0 && look(buffer[:n]) {
						_, err = to.Write(buffer[:n])
					}
					if err != nil {
						return
					}
				}
			}
			go pass(server, client, func(sent []byte) bool {
				// River commits for itself as well.
				if bytes.Contains(sent, []byte("INSERT INTO requests")) || bytes.Contains(sent, []byte("INSERT INTO clicks")) {
					stores.Store(true)
				}
				if silent.Load() && stores.Load() && bytes.Contains(sent, []byte("commit\x00")) {
					mute.Store(true)
				}
				return true
			})
			go pass(client, server, func([]byte) bool {
				if mute.Load() {
					told.Do(kept)
					return false
				}
				return true
			})
		}
	}()
	through := *to
	through.Host = listener.Addr().String()
	return through.String()
}

// Somebody was told that nothing was stored, because the database took too long
// over the commit. It was stored nevertheless, and nobody must be at work on it
// before it can be taken back.
func TestWhatMayHaveBeenStoredIsntWorkedOnAtOnce(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	var silent atomic.Bool
	committed, calls := make(chan struct{}, 10), make(chan string, 10)
	slow := open(t, unanswered(t, address, &silent, func() { committed <- struct{}{} }))
	for _, s := range []*store.Store{slow, open(t, address)} {
		if err := s.Start(t.Context(), 2, gang(calls), func(context.Context, int64) time.Duration { calls <- "a click"; return 0 }); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
			defer cancel()
			s.Stop(ctx)
		})
	}
	silent.Store(true)
	lost := asked()
	lost.ID = uuid.NewString()
	click := request.Click{Request: lost.ID, Verb: "approve", At: noon, Origin: "a click"}
	for what, try := range map[string]func(context.Context) error{
		"a request": func(ctx context.Context) error { return slow.Insert(ctx, lost, request.Change{Wake: true}) },
		"a click":   func(ctx context.Context) error { return slow.InsertClick(ctx, &click) },
	} {
		ctx, giveUp := context.WithCancel(t.Context())
		go func() {
			<-committed
			giveUp()
		}()
		if err := try(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("%s is stored with %v", what, err)
		}
	}
	silent.Store(false)
	fast := open(t, address)
	if got := newRequest(t, fast, lost.ID); got.State != lost.State {
		t.Fatalf("the request isn't stored: %+v", got)
	}
	if err := fast.InsertClick(t.Context(), &request.Click{Request: lost.ID, Origin: click.Origin}); !errors.Is(err, store.ErrTaken) {
		t.Fatalf("the click isn't stored: %v", err)
	}

	// What is stored after it is worked on at once.
	var before []string
	after := insert(t, slow, request.Change{Wake: true})
	for id := ""; id != after.ID; before = append(before, id) {
		select {
		case id = <-calls:
		case <-time.After(10 * time.Second):
			t.Fatal("nobody is at work")
		}
	}
	if want := []string{after.ID}; !slices.Equal(before, want) {
		t.Errorf("worked on is %v, want %v", before, want)
	}
	if taken, err := fast.VoidClick(t.Context(), click.Origin, request.Event{At: noon, Request: lost.ID, Kind: "voided"}); !taken || err != nil {
		t.Errorf("the click is taken back: %v, %v", taken, err)
	}
}

// Two processes that want to send the same.
func TestAMessageIsSentByWhoIsAtIt(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{})
	update(t, s, r.ID, func(*request.Request) request.Change {
		return request.Change{Messages: []request.Message{
			{Request: r.ID, Kind: request.Private, Body: request.Body{Text: "no", For: &request.Asker{Front: "slack", User: "U1"}}},
			{Request: r.ID, Kind: request.Card},
		}}
	})
	for _, m := range unsent(t, s) {
		if err := s.Trying(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		if err := s.Trying(t.Context(), m); !errors.Is(err, store.ErrLost) {
			t.Errorf("%s is tried by two: %v", m.Kind, err)
		}
	}
	for _, m := range unsent(t, s) {
		if err := s.Sent(t.Context(), noon, store.Delivery{Messages: []int64{m.ID}}); err != nil {
			t.Fatal(err)
		}
		if err := s.Trying(t.Context(), m); !errors.Is(err, store.ErrLost) {
			t.Errorf("%s is sent and tried again: %v", m.Kind, err)
		}
	}
}
