package store

import (
	"context"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// UnsentOf reads the messages of one request that are still to be delivered, in order.
func (s *Store) UnsentOf(ctx context.Context, request string) ([]request.Message, error) {
	return s.messages(ctx, `SELECT `+messageColumns+` FROM messages WHERE request = $1 AND sent_at IS NULL AND dead = '' ORDER BY id`, request)
}

// Stalled tells for how long a request has been due without anybody at work on
// it; 0: it isn't.
func (s *Store) Stalled(ctx context.Context, id string) (time.Duration, error) {
	var till, due int64
	if err := s.row(ctx, `SELECT leased_till, due_at FROM requests WHERE id = $1`, id).Scan(&till, &due); err != nil {
		return 0, fmt.Errorf("look whether anybody is at work on request %s: %w", id, s.noted(err))
	}
	return max(0, time.Duration(s.clock(time.Now())-max(till, due))*time.Microsecond), nil
}
