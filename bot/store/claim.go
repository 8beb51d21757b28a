package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// ErrLost is what is returned to whoever thinks to be at work on what somebody
// else has taken over.
var ErrLost = errors.New("somebody else has taken it over")

// Claim gives a job the request to work on until the lease ends. It tells
// whether it could: not while somebody else is at work, and not if a newer job
// has taken the request over. The newest job carries it; Carries tells whether
// that is this one. Times are ours; they are compared by the database's clock.
func (s *Store) Claim(ctx context.Context, id string, job int64, now time.Time, lease time.Duration) (bool, error) {
	result, err := s.exec(ctx, `UPDATE requests SET carrier = $1, leased_till = $2, due_at = $4 WHERE id = $3 AND leased_till <= $4 AND carrier <= $1`,
		job, s.clock(now.Add(lease)), id, s.clock(now))
	if err != nil {
		return false, fmt.Errorf("claim request: %w", err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// Superseded tells whether a newer job carries the request: this one is done.
func (s *Store) Superseded(ctx context.Context, id string, job int64) (bool, error) {
	var carrier int64
	err := s.row(ctx, `SELECT carrier FROM requests WHERE id = $1`, id).Scan(&carrier)
	return carrier > job, s.noted(err)
}

// Renew makes a claim last longer; ErrLost if it ended and another took it.
func (s *Store) Renew(ctx context.Context, id string, job int64, now time.Time, lease time.Duration) error {
	result, err := s.exec(ctx, `UPDATE requests SET leased_till = $1 WHERE id = $2 AND carrier = $3`, s.clock(now.Add(lease)), id, job)
	if err != nil {
		return fmt.Errorf("renew a claim: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrLost)
	}
	return nil
}

// Release ends the claim that was made at a time. The job comes back after a wait;
// if it doesn't, somebody else is woken. Who was woken since the claim stays due.
func (s *Store) Release(ctx context.Context, id string, job int64, claimed time.Time, wait time.Duration) error {
	_, err := s.exec(ctx, `UPDATE requests SET leased_till = 0, due_at = CASE WHEN due_at <= $1 THEN $2 ELSE due_at END WHERE id = $3 AND carrier = $4`,
		s.clock(claimed), s.clock(time.Now().Add(wait)), id, job)
	return err
}

// Carries tells whether the job still is the one to carry the request on.
func (s *Store) Carries(ctx context.Context, id string, job int64) (bool, error) {
	var carrier int64
	err := s.row(ctx, `SELECT carrier FROM requests WHERE id = $1`, id).Scan(&carrier)
	return carrier == job, s.noted(err)
}

// HoldsLease tells whether the job's claim still holds: it is the newest, and its
// lease hasn't run out.
func (s *Store) HoldsLease(ctx context.Context, id string, job int64) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM requests WHERE id = $1 AND carrier = $2 AND leased_till > $3`, id, job, s.clock(time.Now())).Scan(&n)
	return n == 1, s.noted(err)
}

// RecordAs adds events of what a job does to a request, if the job's claim still
// holds; else ErrLost. So what is recorded before it is done isn't done by a
// process that was frozen while another took its work over.
func (s *Store) RecordAs(ctx context.Context, id string, job int64, events ...request.Event) error {
	return s.write(ctx, func(tx transaction) error {
		result, err := tx.ExecContext(ctx, `UPDATE requests SET carrier = carrier WHERE id = $1 AND carrier = $2 AND leased_till > $3`, id, job, s.clock(time.Now()))
		if err != nil {
			return fmt.Errorf("look who carries the request: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrLost)
		}
		return insertEvents(ctx, tx, events...)
	})
}
