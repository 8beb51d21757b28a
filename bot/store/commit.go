package store

import (
	"context"
	"database/sql"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
)

// Writers that wait for the database at the same time share one commit, each in a
// savepoint of its own: the commit is what takes time, on a disk as on a server. What is
// asked for goes before background work.
const (
	mostIntake     = 64 // PostgreSQL keeps as many subtransactions of a session in memory
	mostBackground = 16 // so that a command waits for a short commit at most
	leastRest      = 4  // background writers that go on beside commands
	commitWithin   = 15 * time.Second
)

// writer is a function that waits to be run in a transaction. It may be run twice, in
// another goroutine than its caller's, which may have given up: what it leaves to its
// caller counts only where write returns no error.
type writer struct {
	do      func(transaction) error
	intake  bool                     // it stores what a person asks for
	in      *commit                  // that it has begun in; nil: it waits
	jobs    []river.InsertManyParams // that it inserts
	err     error
	gone    bool          // its caller has given up
	settled bool          // err is final
	done    chan struct{} // closed then
}

// commit is one that is under way. It ends when all callers have given up.
type commit struct {
	waiting int // writers whose callers haven't given up
	cancel  context.CancelFunc
}

// commits are the writers that wait. One goroutine runs them, while there are any.
type commits struct {
	mu      sync.Mutex
	intake  []*writer
	rest    []*writer
	owed    []river.InsertManyParams // jobs of requests and clicks of an earlier commit
	running bool
	under   *commit // the newest; nil: there was none
	closed  bool
	ended   sync.WaitGroup
}

// closeWithin is how long closing waits for a commit under way, before it ends that.
const closeWithin = 2 * time.Second

// close returns once nothing is under way any more.
func (c *commits) close() {
	ended := make(chan struct{})
	go func() {
		c.ended.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return
	case <-time.After(closeWithin):
	}
	c.mu.Lock()
	c.closed = true
	if c.under != nil {
		c.under.cancel()
	}
	c.mu.Unlock()
	<-ended
}

// share has a writer run with others, and returns once it is committed, or ctx ends:
// then it may be committed later, unless it still waits.
func (s *Store) share(ctx context.Context, w *writer) error {
	w.done = make(chan struct{})
	c := &s.commits
	c.mu.Lock()
	if w.intake {
		c.intake = append(c.intake, w)
	} else {
		c.rest = append(c.rest, w)
	}
	c.begin(s)
	c.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
	}
	switch begun, settled := c.giveUp(w); {
	case settled:
		<-w.done
		return w.err
	case begun:
		return s.noted(fmt.Errorf("wait for a commit: %w", ctx.Err()))
	}
	return s.noted(fmt.Errorf("wait for a turn to write: %w", ctx.Err()))
}

// giveUp says that the caller of a writer doesn't wait any more. It tells whether the
// writer has begun, and whether its outcome is settled already.
func (c *commits) giveUp(w *writer) (begun, settled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.settled {
		return true, true
	}
	if w.in == nil {
		is := func(other *writer) bool { return other == w }
		c.intake, c.rest = slices.DeleteFunc(c.intake, is), slices.DeleteFunc(c.rest, is)
		return false, false
	}
	w.gone = true
	if w.in.waiting--; w.in.waiting == 0 && w.in.cancel != nil {
		w.in.cancel()
	}
	return true, false
}

// start puts writers into a commit.
func (c *commits) start(batch []*writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	c.mu.Lock()
	defer c.mu.Unlock()
	under := &commit{cancel: cancel}
	for _, w := range batch {
		w.in = under
		if !w.gone {
			under.waiting++
		}
	}
	if c.closed || batch != nil && under.waiting == 0 {
		cancel()
	}
	c.under = under
	return ctx, cancel
}

// begin has the writers run, if nothing does. c.mu is held.
func (c *commits) begin(s *Store) {
	if c.running {
		return
	}
	c.running = true
	c.ended.Go(func() {
		for batch, owed := c.next(); batch != nil || owed != nil; batch, owed = c.next() {
			s.commit(batch, owed)
		}
	})
}

// next are the writers of the next commit, and jobs that are to be inserted with it.
func (c *commits) next() (batch []*writer, owed []river.InsertManyParams) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(mostIntake, len(c.intake))
	batch = append(batch, c.intake[:n]...)
	c.intake = slices.Delete(c.intake, 0, n)
	n = min(len(c.rest), max(leastRest, mostBackground-n))
	batch = append(batch, c.rest[:n]...)
	c.rest = slices.Delete(c.rest, 0, n)
	owed, c.owed = c.owed, nil
	for _, w := range batch {
		w.in = &commit{waiting: 1} // until it is begun
	}
	c.running = batch != nil || owed != nil
	return batch, owed
}

// commit runs writers in one transaction. Where that can't go on for all, each gets a
// transaction of its own.
func (s *Store) commit(batch []*writer, owed []river.InsertManyParams) {
	ctx, cancel := s.commits.start(batch)
	defer cancel()
	begun, whole := false, false
	err := s.backend.write(ctx, func(tx transaction) error {
		begun = true
		tx.statements = bound{ctx, tx.statements}
		tx.queue, tx.events = s.queue, s.backend.events()
		jobs := owed
		for _, w := range batch {
			if err := w.run(ctx, tx, len(batch) > 1 || owed != nil); err != nil {
				return err
			}
			if !w.intake {
				jobs = append(jobs, w.jobs...)
			}
		}
		if len(jobs) > 0 {
			if err := tx.insert(ctx, jobs); err != nil {
				return fmt.Errorf("insert jobs: %w", err)
			}
		}
		whole = true
		return nil
	})
	if err != nil && begun && !whole && (len(batch) > 1 || batch != nil && owed != nil) {
		for _, w := range batch {
			s.commit([]*writer{w}, nil)
		}
		if owed != nil {
			s.commit(nil, owed)
		}
		return
	}
	err = s.noted(err)
	if err != nil && owed != nil {
		s.log.Error("wake River for what was stored; it is looked for later", "error", err)
	}
	s.commits.mu.Lock()
	defer s.commits.mu.Unlock()
	for _, w := range batch {
		if w.err == nil {
			w.err = err
		} else {
			w.err = s.noted(w.err)
		}
		// No job works on a request whose requester was told that it isn't stored.
		if w.intake && w.err == nil && !w.gone {
			s.commits.owed = append(s.commits.owed, w.jobs...)
		}
		w.settled = true
		close(w.done)
	}
}

// run runs a writer in a transaction. Its own error is kept with it, and what it did is
// taken back; an error is the transaction's. shared: others' work stands in it too.
func (w *writer) run(ctx context.Context, tx transaction, shared bool) error {
	w.jobs, w.err = nil, nil
	tx.jobs = &w.jobs
	if !shared {
		w.err = w.safely(tx)
		return w.err
	}
	if _, err := tx.ExecContext(ctx, `SAVEPOINT writer`); err != nil {
		return fmt.Errorf("begin a writer's part: %w", err)
	}
	w.err = w.safely(tx)
	if w.err != nil {
		w.jobs = nil
		if _, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT writer`); err != nil {
			return fmt.Errorf("take a writer's part back: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, `RELEASE SAVEPOINT writer`); err != nil {
		return fmt.Errorf("end a writer's part: %w", err)
	}
	return nil
}

// safely makes a writer's panic its own error: it would end the process.
func (w *writer) safely(tx transaction) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.do(tx)
}

// bound are statements that run until a commit's context ends: a writer's own would
// end the connection, and with it what the others write.
type bound struct {
	ctx context.Context
	in  statements
}

func (b bound) ExecContext(_ context.Context, query string, args ...any) (sql.Result, error) {
	return b.in.ExecContext(b.ctx, query, args...)
}

func (b bound) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return b.in.QueryContext(b.ctx, query, args...)
}

func (b bound) QueryRowContext(_ context.Context, query string, args ...any) *sql.Row {
	return b.in.QueryRowContext(b.ctx, query, args...)
}
