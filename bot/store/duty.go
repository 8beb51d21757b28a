package store

import (
	"context"
	"fmt"
	"time"
)

// Lead takes a duty that only one process may have at a time, or keeps it, for
// some time from now. It tells whether this process has it.
func (s *Store) Lead(ctx context.Context, duty string, lasting time.Duration) (bool, error) {
	now := s.clock(time.Now())
	result, err := s.exec(ctx, `INSERT INTO duties (name, holder, till) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, till = excluded.till
		WHERE duties.holder = excluded.holder OR duties.till <= $4`, duty, s.id, now+lasting.Microseconds(), now)
	if err != nil {
		return false, fmt.Errorf("take the duty %s: %w", duty, err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// Resign gives a duty to whoever wants it next.
func (s *Store) Resign(ctx context.Context, duty string) error {
	_, err := s.exec(ctx, `UPDATE duties SET till = 0 WHERE name = $1 AND holder = $2`, duty, s.id)
	return err
}

// Hold remembers until when something must not be called, for whichever process
// would be next to call it. A hold is never made shorter.
func (s *Store) Hold(ctx context.Context, what string, till time.Time) error {
	_, err := s.exec(ctx, `INSERT INTO holds (what, till) VALUES ($1, $2)
		ON CONFLICT (what) DO UPDATE SET till = excluded.till WHERE holds.till < excluded.till`, what, s.clock(till))
	return err
}

// Holds reads what must not be called now, and until when; what is over is forgotten.
func (s *Store) Holds(ctx context.Context) (map[string]time.Time, error) {
	now := time.Now()
	if _, err := s.exec(ctx, `DELETE FROM holds WHERE till <= $1`, s.clock(now)); err != nil {
		return nil, fmt.Errorf("forget old holds: %w", err)
	}
	rows, err := s.query(ctx, `SELECT what, till FROM holds`)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	defer rows.Close()
	holds := map[string]time.Time{}
	for rows.Next() {
		var what string
		var till int64
		if err := rows.Scan(&what, &till); err != nil {
			return nil, fmt.Errorf("read holds: %w", err)
		}
		holds[what] = time.UnixMicro(till - s.ahead.Load())
	}
	return holds, rows.Err()
}
