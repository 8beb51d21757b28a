package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Work is called for each job: carry the request on. A positive wait has it
// called again after that time; zero ends the job.
type Work func(ctx context.Context, request string, job int64) (wait time.Duration)

type carry struct {
	Request string `json:"request"`
}

func (carry) Kind() string { return "carry" }

func (carry) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1000} }

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

type click struct {
	ID int64 `json:"id"`
}

func (click) Kind() string { return "click" }

func (click) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 1000} }

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
// and answer for every click that isn't answered, those that a process left
// that has died included. At most workers run at once.
func (s *Store) Start(ctx context.Context, workers int, work Work, answer Answer) error {
	bundle := river.NewWorkers()
	river.AddWorker(bundle, &worker{work: work})
	river.AddWorker(bundle, &answerer{answer: answer})
	if err := s.backend.start(ctx, &river.Config{
		Logger:               s.log,
		Workers:              bundle,
		Queues:               s.queues(workers),
		FetchCooldown:        10 * time.Millisecond,
		FetchPollInterval:    250 * time.Millisecond,
		JobTimeout:           jobTimeout,
		RescueStuckJobsAfter: jobTimeout + time.Minute,
		SoftStopTimeout:      12 * time.Second,
	}); err != nil {
		return err
	}
	due := int64(math.MaxInt64) // nobody else is there, and earlier jobs are gone
	if s.Shared() {
		due = s.clock(time.Now().Add(-lostAfter))
	}
	if err := s.rouse(ctx, due, math.MaxInt32); err != nil {
		return err
	}
	s.startRousing(ctx)
	return nil
}

// queues are those that this process works: everybody's, unless it carries only
// one request, and its own, where the others leave it what is its to do.
func (s *Store) queues(workers int) map[string]river.QueueConfig {
	queues := map[string]river.QueueConfig{}
	if s.processes.self.Only == "" {
		queues[river.QueueDefault] = river.QueueConfig{MaxWorkers: workers}
	}
	if s.processes.self.Only != "" || s.Shared() {
		queues[queueOf(s.id)] = river.QueueConfig{MaxWorkers: workers}
	}
	return queues
}

// startRiver starts the engine. The context of Start would stop it as soon as
// that is cancelled; Stop does that in its turn.
func startRiver[T any](ctx context.Context, client *river.Client[T]) error {
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job engine: %w", err)
	}
	return nil
}

// Stop lets the steps at hand finish, for 12 s at most, and stops working.
func (s *Store) Stop(ctx context.Context) error {
	s.leave(ctx)
	s.rousing.stop()
	err := s.backend.stop(ctx)
	s.left(ctx)
	return err
}

// accept runs fn in a transaction that stores what a person asks for. River gets its
// jobs with a later commit: a person who is told that nothing was stored, because it
// took too long, must find that nothing is done, also where the database commits it
// after all. A row whose job is never inserted is found by rouse; until then it can be
// taken back.
func (s *Store) accept(ctx context.Context, fn func(transaction) error) error {
	if err := s.share(ctx, &writer{do: fn, intake: true}); err != nil {
		return err
	}
	s.notify()
	return nil
}

// How what was lost is found: a process that dies leaves its jobs running for
// River, which would wait for them for half an hour, so the rows are looked at.
const (
	lostAfter  = 15 * time.Second // something that is due and that nobody is at work on
	lookEvery  = 4 * time.Second
	fewAtATime = 50
)

// rousing looks for what was lost.
type rousing struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (r *rousing) stop() {
	if r.cancel != nil {
		r.cancel()
		r.done.Wait()
	}
}

func (s *Store) startRousing(ctx context.Context) {
	ctx, s.rousing.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.rousing.done.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			err := s.setClock(ctx)
			if err == nil {
				err = s.rouse(ctx, s.clock(time.Now().Add(-lostAfter)), fewAtATime)
			}
			if err == nil && s.processes.self.Only == "" {
				err = errors.Join(s.forget(ctx), s.forgetProcesses(ctx))
			}
			if err != nil && ctx.Err() == nil {
				s.log.Error("look for what was lost", "error", s.noted(err))
			}
		}
	})
}

// lost are the requests whose lease has run out, since who ends a lease leaves none,
// and those without one that were due at $2; it is $1 now.
// Where this process carries only $3, nothing else is looked for; ” is all.
const lost = `(leased_till > 0 AND leased_till <= $1 OR leased_till = 0 AND due_at <= $2) AND ($3 = '' OR id = $3 OR card = $3)`

// rouse wakes somebody for requests and clicks that were due at a time of the
// database's clock and that nobody is at work on, the longest due first.
func (s *Store) rouse(ctx context.Context, due int64, most int) error {
	now, only := s.clock(time.Now()), s.processes.self.Only
	// Most of the time there are none, and a transaction would be for nothing.
	var n int
	if err := s.row(ctx, `SELECT (SELECT COUNT(*) FROM requests WHERE ended_at IS NULL AND `+lost+`)
		+ (SELECT COUNT(*) FROM clicks WHERE done_at IS NULL AND due_at <= $2 AND $3 = '')`, now, due, only).Scan(&n); err != nil || n == 0 {
		return err
	}
	return s.write(ctx, func(tx transaction) error {
		requests, err := column[string](ctx, tx, `UPDATE requests SET due_at = $1 WHERE id IN (
			SELECT id FROM requests WHERE ended_at IS NULL AND `+lost+` ORDER BY due_at LIMIT $4) RETURNING id`, now, due, only, most)
		if err != nil {
			return fmt.Errorf("look for lost requests: %w", err)
		}
		clicks, err := column[int64](ctx, tx, `UPDATE clicks SET due_at = $1 WHERE id IN (
			SELECT id FROM clicks WHERE done_at IS NULL AND due_at <= $2 AND $3 = '' ORDER BY due_at LIMIT $4) RETURNING id`, now, due, only, most)
		if err != nil {
			return fmt.Errorf("look for lost clicks: %w", err)
		}
		for _, id := range requests {
			tx.job(carry{Request: id})
		}
		for _, id := range clicks {
			tx.job(click{ID: id})
		}
		return nil
	})
}

// forget erases origins that are older than any repetition of Slack's, and replies that
// have expired.
func (s *Store) forget(ctx context.Context) error {
	now := time.Now()
	_, err := s.exec(ctx, `DELETE FROM taken WHERE at < $1`, now.Add(-keepOrigins).UnixMicro())
	if err == nil {
		_, err = s.exec(ctx, `DELETE FROM replies WHERE till < $1`, now.UnixMicro())
	}
	return err
}

// column reads a query's only column.
func column[T any](ctx context.Context, in statements, query string, args ...any) ([]T, error) {
	rows, err := in.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
