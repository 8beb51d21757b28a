// Package store keeps what must outlive the process: requests, their log and
// memory, the events of the audit, and the messages that are still to be
// delivered, in SQL. A change of a request, its events, its messages and the
// River job that carries it on are written in one transaction; River only
// wakes, the rows decide. The job of what is newly asked for follows the
// transaction, so that what was stored too late can be taken back.
//
// There are two databases. A SQLite file is one process's; a PostgreSQL is
// shared by as many as there are. On both, transactions that write follow one
// another: SQLite has it so, and on PostgreSQL each takes a lock first. It is
// what the chain of events needs, and what makes the same SQL right on both.
//
// Migrations only ever add, so that processes of the version before go on
// beside those of the next: what isn't used any more goes one version later.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
)

//go:embed migrations
var migrations embed.FS

// ErrNotFound is what is returned for a request that isn't there.
var ErrNotFound = errors.New("no such request")

// Store is an open database. Its methods may be called from several goroutines.
type Store struct {
	db      *sql.DB
	backend backend
	log     *slog.Logger
	wake    chan struct{}
	id      string       // of this process, among those that share the database
	queue   string       // of River, where this process puts jobs
	ahead   atomic.Int64 // how far the database's clock is ahead of ours, in microseconds
	trouble atomic.Pointer[trouble]
	rousing rousing
	commits commits

	processes processes
}

// backend is what differs between the databases.
type backend interface {
	// migrate brings the tables up to date.
	migrate(ctx context.Context, log *slog.Logger) error
	// write runs fn in a transaction. Those that write follow one another.
	write(ctx context.Context, fn func(transaction) error) error
	// run is where single statements run.
	run() statements
	// start makes the job engine and starts it.
	start(ctx context.Context, config *river.Config) error
	// stop lets the jobs at hand finish.
	stop(ctx context.Context) error
	// check tells what is wrong with the database that a query wouldn't show.
	check(ctx context.Context) error
	// ahead is how far the database's clock is ahead of ours.
	ahead(ctx context.Context) (time.Duration, error)
	// failed is told of every error, to mend what it shows.
	failed(err error)
	// events is the name of the table of the audit, as SQL has it.
	events() string
	// shared tells whether other processes may be at work in the database.
	shared() bool
	close() error
}

// statements is where SQL runs: a database, or a transaction in it.
type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// transaction is one that writes.
type transaction struct {
	statements
	insert func(context.Context, []river.InsertManyParams) error // nil: there is no engine yet
	jobs   *[]river.InsertManyParams                             // that are inserted with it
	queue  string                                                // of those
	events string                                                // the table of the audit
}

// job has a job done once the transaction is committed. Before Start there is no
// engine to do it; Start finds the rows without a job itself.
func (tx transaction) job(args river.JobArgs) {
	if tx.insert != nil {
		*tx.jobs = append(*tx.jobs, river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{Queue: tx.queue}})
	}
}

// Open opens the database that an address names, "sqlite:rootbot.db" or
// "postgres://user@host/name", and brings its tables up to date. A file is this
// process's alone until Close. No error shows a password.
func Open(ctx context.Context, address string, log *slog.Logger) (*Store, error) {
	s := &Store{log: log, wake: make(chan struct{}, 1), id: uuid.NewString(), queue: river.QueueDefault}
	scheme, _, _ := strings.Cut(address, ":")
	path, isFile := File(address)
	var err error
	switch {
	case isFile && strings.HasPrefix(path, "//"):
		path = strings.TrimPrefix(path, "//")
		return nil, fmt.Errorf("DATABASE_URL: write sqlite:%s for a path from here, or sqlite:/%s for one from the root: behind sqlite:// the host of a URL would stand", path, path)
	case isFile:
		s.db, s.backend, err = openSQLite(ctx, path)
	case scheme == "postgres" || scheme == "postgresql":
		s.db, s.backend, err = openPostgreSQL(ctx, address)
	default:
		// In an address of another form a password may stand before the first colon.
		if !plainScheme.MatchString(scheme) {
			scheme = "what it begins with"
		}
		return nil, fmt.Errorf("DATABASE_URL: %s is not served; use sqlite:<path> or postgres://<user>@<host>/<database>", scheme)
	}
	if err != nil {
		return nil, err
	}
	err = s.backend.migrate(ctx, log)
	if err == nil {
		err = s.setClock(ctx)
	}
	if err != nil {
		s.backend.close()
		return nil, explain(err)
	}
	return s, nil
}

// File is the path of the SQLite file that an address names, and whether it names one:
// "sqlite:/var/rootbot.db" and the URL "sqlite:///var/rootbot.db" name the same.
func File(address string) (path string, ok bool) {
	path, ok = strings.CutPrefix(address, "sqlite:")
	if rest, isURL := strings.CutPrefix(path, "///"); isURL {
		path = "/" + strings.TrimLeft(rest, "/")
	}
	return path, ok && strings.Trim(path, "/") != ""
}

// plainScheme is what an address of a database may begin with.
var plainScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]{0,20}$`)

// gooseUp runs our own migrations.
func gooseUp(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string, log *slog.Logger, options ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db, files, append(options, goose.WithSlog(log))...)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring tables up to date: %w", err)
	}
	return nil
}

// Close closes the database. Stop must have returned, if Start has.
func (s *Store) Close() error {
	s.processes.stop()
	s.commits.close()
	return s.backend.close()
}

// Shared tells whether other processes may be at work in the same database.
func (s *Store) Shared() bool { return s.backend.shared() }

// ID tells this process from the others that share the database.
func (s *Store) ID() string { return s.id }

// Woken receives after every change of this process that wrote messages.
func (s *Store) Woken() <-chan struct{} { return s.wake }

// setClock finds out how far the database's clock is ahead of ours: leases are
// compared with those of other processes, whose clocks may be others.
func (s *Store) setClock(ctx context.Context) error {
	ahead, err := s.backend.ahead(ctx)
	if err == nil {
		s.ahead.Store(ahead.Microseconds())
	}
	return err
}

// clock is a time of ours by the database's clock, in microseconds.
func (s *Store) clock(t time.Time) int64 { return t.UnixMicro() + s.ahead.Load() }

// write runs fn in a transaction, which others may share. fn must only run statements:
// it may be run twice, and what it leaves to its caller counts only without an error.
func (s *Store) write(ctx context.Context, fn func(transaction) error) error {
	return s.share(ctx, &writer{do: fn})
}

// exec runs one statement that writes.
func (s *Store) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if err := s.backend.check(ctx); err != nil {
		return nil, s.noted(err)
	}
	result, err := s.backend.run().ExecContext(ctx, query, args...)
	return result, s.noted(err)
}

// query runs a query.
func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := s.backend.run().QueryContext(ctx, query, args...)
	return rows, s.noted(err)
}

// row runs a query for one row.
func (s *Store) row(ctx context.Context, query string, args ...any) *sql.Row {
	return s.backend.run().QueryRowContext(ctx, query, args...)
}

// plain is a text as both databases take it: PostgreSQL refuses bytes that are
// no UTF-8, and the zero byte.
func plain(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// micros is a time as the tables have it; the zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// moment is micros' inverse.
func moment(t sql.NullInt64) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return time.UnixMicro(t.Int64).UTC()
}
