package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// Work is called for each job: carry the request on. A positive wait has it
// called again after that time; zero ends the job.
type Work func(ctx context.Context, request string, job int64) (wait time.Duration)

type worker struct {
	river.WorkerDefaults[carry]
	work Work
}

// JobTimeout covers a whole organisation's planning.
const jobTimeout = 30 * time.Minute

func (worker) Timeout(*river.Job[carry]) time.Duration { return jobTimeout }

func (w worker) Work(ctx context.Context, job *river.Job[carry]) error {
	if wait := w.work(ctx, job.Args.Request, job.ID); wait > 0 {
		return river.JobSnooze(wait)
	}
	return nil
}

// Answer is called for each click: find out what it does. It is called again
// after the wait that it returns, and never again after 0.
type Answer func(ctx context.Context, click int64) (wait time.Duration)

type answerer struct {
	river.WorkerDefaults[click]
	answer Answer
}

func (w answerer) Work(ctx context.Context, job *river.Job[click]) error {
	if wait := w.answer(ctx, job.Args.ID); wait > 0 {
		return river.JobSnooze(wait)
	}
	return nil
}

// Start begins to work: River wakes work for every request that isn't ended,
// and answer for every click that isn't answered, those that an earlier process
// left included. At most workers run at once.
func (s *Store) Start(ctx context.Context, workers int, work Work, answer Answer) error {
	// Nobody else can be at work in this file, so what looks busy was left by a
	// process that died.
	if _, err := s.db.ExecContext(ctx, `UPDATE requests SET leased_till = 0, carrier = 0 WHERE ended_at IS NULL`); err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `UPDATE river_job SET state = 'cancelled', finalized_at = CURRENT_TIMESTAMP
		WHERE state NOT IN ('cancelled', 'completed', 'discarded')`); err != nil {
		return fmt.Errorf("clear jobs: %w", err)
	}
	bundle := river.NewWorkers()
	river.AddWorker(bundle, &worker{work: work})
	river.AddWorker(bundle, &answerer{answer: answer})
	client, err := river.NewClient(riversqlite.New(s.db), &river.Config{
		Logger:               s.log,
		Workers:              bundle,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		FetchCooldown:        10 * time.Millisecond,
		FetchPollInterval:    250 * time.Millisecond,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: jobTimeout + time.Minute,
		SoftStopTimeout:      12 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("make the job engine: %w", err)
	}
	s.river = client
	unfinished, err := s.Unfinished(ctx)
	if err != nil {
		return err
	}
	clicks, err := s.unanswered(ctx)
	if err != nil {
		return err
	}
	if err := s.write(ctx, func(tx *sql.Tx) error {
		for _, r := range unfinished {
			if _, err := client.InsertTx(ctx, tx, carry{Request: r.ID}, nil); err != nil {
				return fmt.Errorf("insert job: %w", err)
			}
		}
		for _, id := range clicks {
			if _, err := client.InsertTx(ctx, tx, click{ID: id}, nil); err != nil {
				return fmt.Errorf("insert job: %w", err)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	// The context of Start would stop the engine as soon as it is cancelled;
	// Stop does that in its turn.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job engine: %w", err)
	}
	return nil
}

// Stop lets the steps at hand finish, for 12 s at most, and stops working.
func (s *Store) Stop(ctx context.Context) error {
	if s.river == nil {
		return nil
	}
	return s.river.Stop(ctx)
}
