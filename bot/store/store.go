// Package store keeps what must outlive the process: requests, their log and
// memory, the events of the audit, and the messages that are still to be
// delivered, in SQL. A change of a request, its events, its messages and the
// River job that carries it on are written in one transaction; River only
// wakes, the rows decide.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations
var migrations embed.FS

// ErrInUse is what Open returns when another process has the database.
var ErrInUse = errors.New("the database is in use by another rootbot; SQLite serves one process at a time")

// ErrNotFound is what is returned for a request that isn't there.
var ErrNotFound = errors.New("no such request")

// Store is an open database. Its methods may be called from several goroutines.
type Store struct {
	db    *sql.DB
	river *river.Client[*sql.Tx]
	log   *slog.Logger
	wake  chan struct{}
}

// Open opens the database that an address names, "sqlite:rootbot.db", and
// brings its tables up to date. The file is this process's alone until Close:
// SQLite's exclusive locking mode ends with the process, however it ends.
func Open(ctx context.Context, address string, log *slog.Logger) (*Store, error) {
	path, ok := strings.CutPrefix(address, "sqlite:")
	if !ok || path == "" {
		scheme, _, _ := strings.Cut(address, ":")
		return nil, fmt.Errorf("DATABASE_URL: %q is not served; use sqlite:<path>", scheme)
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(1000)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"},
	}.Encode()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	s := &Store{db: db, log: log, wake: make(chan struct{}, 1)}
	err = s.migrate(ctx)
	if err == nil {
		err = s.take(ctx)
	}
	if err != nil {
		db.Close()
		if locked(err) {
			return nil, fmt.Errorf("open %s: %w", path, ErrInUse)
		}
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

func locked(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.db, files, goose.WithSlog(s.log),
		goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: chainEvents}, nil)))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring tables up to date: %w", err)
	}
	migrator, err := rivermigrate.New(riversqlite.New(s.db), &rivermigrate.Config{Logger: s.log})
	if err != nil {
		return fmt.Errorf("read River's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("bring River's tables up to date: %w", err)
	}
	return nil
}

// take makes the file this process's alone: the exclusive locking mode takes its
// lock with the first write, and where no migration was due there was none.
func (s *Store) take(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, `PRAGMA user_version = 1`)
	return err
}

// Close closes the database. Stop must have returned.
func (s *Store) Close() error { return s.db.Close() }

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
}

// Woken receives after every change that wrote messages.
func (s *Store) Woken() <-chan struct{} { return s.wake }

// write runs fn in a transaction.
func (s *Store) write(ctx context.Context, fn func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
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
