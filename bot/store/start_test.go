package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// The health check asks from the first second on; the race detector sees what it
// shares with the start.
func TestTheHealthCheckMayAskWhileTheStoreStarts(t *testing.T) {
	s := open(t, storetest.Address(t))
	asked := make(chan error, 1)
	go func() { asked <- s.Ping(t.Context()) }()
	idle := func(context.Context, string, int64) time.Duration { return 0 }
	if err := s.Start(t.Context(), 1, idle, func(context.Context, int64) time.Duration { return 0 }); err != nil {
		t.Fatal(err)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
