package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Process is a process that works in the database, as the others know it: a row
// that it keeps young for as long as it lives.
type Process struct {
	ID         string
	Front      string            // the front end that it has; empty: any
	Operations map[string]string // what it offers, with the digest of each one's settings
	Only       string            // the only request that it carries on, by its own ID or its card's; empty: any

	Lives  bool          // it has said so lately, and wasn't stopped since
	Silent time.Duration // since it last said so
}

const (
	beatEvery  = 4 * time.Second
	deadAfter  = 15 * time.Second // of a process that says nothing
	rememberIt = 10 * time.Minute // that was there

	leaveWithin = time.Second // how long the database may take to learn that a process stops
)

// processes is what this process does to be known to the others.
type processes struct {
	self   Process
	token  string // a digest of the GitHub token in its environment; empty: none
	joined bool
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	last   time.Time // when it last said that it lives
	steady time.Time // since when it has done so without a gap
}

// Join makes this process known to the others, until Stop; its ID is the store's.
// It must be called before Start. A process that carries only one request gets
// no jobs but that one's, and looks for nothing that others lost.
func (s *Store) Join(ctx context.Context, p Process) error {
	p.ID = s.id
	s.processes.self, s.processes.joined = p, true
	if p.Only != "" {
		s.queue = queueOf(s.id)
	}
	if !s.Shared() {
		// Nobody else can be at work in this file.
		if _, err := s.exec(ctx, `DELETE FROM processes`); err != nil {
			return fmt.Errorf("forget earlier processes: %w", err)
		}
	}
	if err := s.beat(ctx); err != nil {
		return err
	}
	if !s.Shared() {
		return nil // whom would it tell?
	}
	ctx, s.processes.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.processes.done.Go(func() {
		tick := time.NewTicker(beatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			limited, cancel := context.WithTimeout(ctx, beatEvery)
			err := s.setClock(limited)
			if err == nil {
				err = s.beat(limited)
			}
			cancel()
			if err != nil && ctx.Err() == nil {
				s.log.Error("say that this process lives", "error", s.noted(err))
			}
		}
	})
	return nil
}

// stop ends saying that this process lives.
func (p *processes) stop() {
	if p.cancel != nil {
		p.cancel()
		p.done.Wait()
	}
}

// beat says that this process lives.
func (s *Store) beat(ctx context.Context) error {
	p := s.processes.self
	offers, err := json.Marshal(p.Operations)
	if err != nil {
		return fmt.Errorf("encode what this process offers: %w", err)
	}
	now := time.Now()
	if _, err := s.exec(ctx, `INSERT INTO processes (id, front, operations, carries, beat_at, token) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at`, p.ID, p.Front, string(offers), p.Only, s.clock(now), s.processes.token); err != nil {
		return fmt.Errorf("say that this process lives: %w", err)
	}
	s.processes.mu.Lock()
	defer s.processes.mu.Unlock()
	if now.Sub(s.processes.last) > deadAfter {
		s.processes.steady = now
	}
	s.processes.last = now
	return nil
}

// Watched is for how long this process has said without a gap that it lives. One
// that couldn't may take all others for dead when it is the first that can again.
func (s *Store) Watched() time.Duration {
	s.processes.mu.Lock()
	defer s.processes.mu.Unlock()
	if time.Since(s.processes.last) > deadAfter {
		return 0
	}
	return time.Since(s.processes.steady)
}

// Processes reads who works in the database, and who did lately.
func (s *Store) Processes(ctx context.Context) ([]Process, error) {
	now := s.clock(time.Now())
	rows, err := s.query(ctx, `SELECT id, front, operations, carries, beat_at, stopped_at FROM processes ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read the processes: %w", err)
	}
	defer rows.Close()
	var list []Process
	for rows.Next() {
		var p Process
		var offers string
		var beat int64
		var stopped sql.NullInt64
		if err := rows.Scan(&p.ID, &p.Front, &offers, &p.Only, &beat, &stopped); err != nil {
			return nil, fmt.Errorf("read the processes: %w", err)
		}
		if err := json.Unmarshal([]byte(offers), &p.Operations); err != nil {
			return nil, fmt.Errorf("decode what process %s offers: %w", p.ID, err)
		}
		p.Silent = max(0, time.Duration(now-beat)*time.Microsecond)
		p.Lives = !stopped.Valid && (p.Silent <= deadAfter || !s.Shared())
		list = append(list, p)
	}
	return list, rows.Err()
}

// HandOver leaves a request to another process.
func (s *Store) HandOver(ctx context.Context, request, process string) error {
	return s.handOver(ctx, process, carry{Request: request})
}

// HandOverClick leaves a click to another process.
func (s *Store) HandOverClick(ctx context.Context, id int64, process string) error {
	return s.handOver(ctx, process, click{ID: id})
}

func (s *Store) handOver(ctx context.Context, process string, args river.JobArgs) error {
	return s.write(ctx, func(tx transaction) error {
		tx.queue = queueOf(process)
		tx.job(args)
		return nil
	})
}

// queueOf is the queue of what only one process is to do.
func queueOf(process string) string { return "process-" + process }

// leave tells the others that this process gets nothing more to do. Who isn't told
// finds out when it has said nothing for long enough.
func (s *Store) leave(ctx context.Context) {
	s.processes.stop()
	if !s.processes.joined || !s.Shared() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	now := s.clock(time.Now())
	if _, err := s.exec(ctx, `UPDATE processes SET beat_at = $1, stopped_at = $1 WHERE id = $2 AND stopped_at IS NULL`, now, s.id); err != nil {
		s.log.Warn("say that this process stops", "error", err)
	}
}

// left gives to all what waits in the queue of this process, which is gone.
func (s *Store) left(ctx context.Context) {
	if !s.processes.joined || !s.Shared() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWithin)
	defer cancel()
	if err := unqueue(ctx, s.backend.run(), s.id); err != nil {
		s.log.Warn("give away what waits for this process; it is looked for later", "error", s.noted(err))
	}
}

// unqueue gives to all what waits in the queue of a process that is gone.
func unqueue(ctx context.Context, in statements, process string) error {
	_, err := in.ExecContext(ctx, `UPDATE river_job SET queue = $1 WHERE queue = $2 AND state IN ('available', 'retryable', 'scheduled')`,
		river.QueueDefault, queueOf(process))
	return err
}

// forgetProcesses forgets those that have long been gone.
func (s *Store) forgetProcesses(ctx context.Context) error {
	before := s.clock(time.Now().Add(-rememberIt))
	gone, err := column[string](ctx, s.backend.run(), `SELECT id FROM processes WHERE beat_at < $1`, before)
	if err != nil || len(gone) == 0 {
		return err
	}
	return s.write(ctx, func(tx transaction) error {
		for _, id := range gone {
			if err := unqueue(ctx, tx, id); err != nil {
				return fmt.Errorf("take over what waits for process %s: %w", id, err)
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM processes WHERE id = $1 AND beat_at < $2`, id, before); err != nil {
				return fmt.Errorf("forget process %s: %w", id, err)
			}
		}
		return nil
	})
}
