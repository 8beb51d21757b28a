package chat_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
)

// outbox is an office whose bot only delivers; what it is to deliver is written
// by deliver's caller.
func outbox(t *testing.T) (*office, *store.Store) {
	t.Helper()
	o := build(t, slacktest.Options{})
	s, err := store.Open(t.Context(), o.address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return o, s
}

// deliver delivers what waits in the store until it is all delivered or given
// up, or for as long as patience lasts.
func deliver(t testing.TB, o *office, s *store.Store, patience time.Duration, done func() bool) bool {
	t.Helper()
	c := face(s, o.settings())
	if err := c.Wire(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan bool)
	go func() { defer close(stopped); c.Deliver(ctx) }()
	defer func() { cancel(); <-stopped }()
	return patiently(patience, 40*time.Millisecond, done)
}

func emptied(s *store.Store) func() bool {
	return func() bool {
		list, err := s.Unsent(context.Background())
		// What is to be said on another day isn't due.
		list = slices.DeleteFunc(list, func(m request.Message) bool { return m.Due.After(time.Now().Add(time.Minute)) })
		return err == nil && len(list) == 0
	}
}

func (o *office) stored(s *store.Store, r request.Request, kinds ...string) request.Request {
	o.t.Helper()
	if r.ID == "" {
		r.ID = uuid.Must(uuid.NewV7()).String()
	}
	if r.At.IsZero() {
		r.At = time.Now()
	}
	var c request.Change
	for _, kind := range kinds {
		c.Messages = append(c.Messages, request.Message{Request: r.ID, Kind: kind})
	}
	if err := s.Insert(o.t.Context(), r, c); err != nil {
		o.t.Fatal(err)
	}
	if r.Plan != nil {
		if _, err := s.Update(o.t.Context(), r.ID, func(now *request.Request) (request.Change, error) {
			plan := *r.Plan
			now.Plan = &plan
			return request.Change{}, nil
		}); err != nil {
			o.t.Fatal(err)
		}
	}
	return r
}

func (o *office) of(state request.State) request.Request {
	return request.Request{Operation: "tidy-up", State: state, By: "ada", AdmittedAt: time.Now(), Asker: request.Asker{Front: "slack", Workspace: o.TeamID, User: o.ada.ID, Channel: o.home.ID}}
}
