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

// Start begins to work: River wakes work for every request that isn't ended,
// those that an earlier process left included. At most workers run at once.
func (s *Store) Start(ctx context.Context, workers int, work Work) error {
	// Nobody else can be at work in this file, so what looks busy was left by a
	// process that died.
	if _, err := s.db.ExecContext(ctx, `UPDATE requests SET leased_till = 0 WHERE leased_till <> 0`); err != nil {
		return fmt.Errorf("release leases: %w", err)
	}
	if _, err := s.db.ExecContext(ctx, `UPDATE river_job SET state = 'cancelled', finalized_at = CURRENT_TIMESTAMP
		WHERE kind = $1 AND state NOT IN ('cancelled', 'completed', 'discarded')`, carry{}.Kind()); err != nil {
		return fmt.Errorf("clear jobs: %w", err)
	}
	bundle := river.NewWorkers()
	river.AddWorker(bundle, &worker{work: work})
	client, err := river.NewClient(riversqlite.New(s.db), &river.Config{
		Logger:               s.log,
		Workers:              bundle,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		FetchCooldown:        10 * time.Millisecond,
		FetchPollInterval:    250 * time.Millisecond,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: jobTimeout + time.Minute,
		SoftStopTimeout:      20 * time.Second,
	})
	if err != nil {
		return fmt.Errorf("make the job engine: %w", err)
	}
	s.river = client
	unfinished, err := s.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, r := range unfinished {
		if err := s.write(ctx, func(tx *sql.Tx) error {
			_, err := client.InsertTx(ctx, tx, carry{Request: r.ID}, nil)
			return err
		}); err != nil {
			return fmt.Errorf("insert job: %w", err)
		}
	}
	// The context of Start would stop the engine as soon as it is cancelled;
	// Stop does that in its turn.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job engine: %w", err)
	}
	return nil
}

// Stop lets the steps at hand finish, for 20 s at most, and stops working.
func (s *Store) Stop(ctx context.Context) error {
	if s.river == nil {
		return nil
	}
	return s.river.Stop(ctx)
}
