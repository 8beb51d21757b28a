package service

import (
	"context"
	"io"

	"github.com/aws-root-account/rootbot/bot/store"
)

// Print writes what a message says at a terminal.
func Print(ctx context.Context, s *store.Store, out io.Writer, r store.Request, m store.Message) error {
	return (&Service{Store: s}).print(ctx, terminal{out}, r, m)
}
