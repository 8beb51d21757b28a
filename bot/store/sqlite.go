package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrInUse is what Open returns when another process has the file.
var ErrInUse = errors.New("the database is in use by another rootbot; SQLite serves one process at a time, PostgreSQL any number")

// sqliteFile is a SQLite file that is this process's alone.
type sqliteFile struct {
	db    *sql.DB
	path  string
	file  os.FileInfo // as it was opened; nil for a database in memory
	river atomic.Pointer[river.Client[*sql.Tx]]

	driver *quiet // of river
}

// openSQLite opens a file. It is this process's alone until it is closed:
// SQLite's exclusive locking mode ends with the process, however it ends.
func openSQLite(_ context.Context, path string) (*sql.DB, backend, error) {
	if err := makeFile(path); err != nil {
		return nil, nil, err
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(1000)", "locking_mode(EXCLUSIVE)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)"},
	}.Encode()
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", path, err)
	}
	db := sql.OpenDB(preparing{connector})
	db.SetMaxOpenConns(1)
	return db, &sqliteFile{db: db, path: path}, nil
}

// mine is what the owner of a file may do to it: plans, reasons and links stand in
// the database, which are nobody else's.
const mine fs.FileMode = 0o600

// inMemory is the path of a database that is no file.
const inMemory = ":memory:"

// makeFile makes a database's file, if there is none, for its owner alone: SQLite
// would leave that to the umask. Those beside it get the same rights from SQLite.
func makeFile(path string) error {
	if path == inMemory {
		return nil
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mine)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if folder := filepath.Dir(path); errors.Is(err, fs.ErrNotExist) {
		return &Fault{Why: fmt.Sprintf("the database %s can't be made: the folder %s doesn't exist", path, folder), Err: fs.ErrNotExist}
	}
	if err != nil {
		return &Fault{Why: fmt.Sprintf("the database %s can't be made", path), Err: err}
	}
	return file.Close()
}

// tellWide tells of the database's files that others than their owner may read.
func (f *sqliteFile) tellWide(log *slog.Logger) {
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		file, err := os.Stat(f.path + suffix)
		if err == nil && file.Mode().IsRegular() && file.Mode().Perm()&^mine != 0 {
			log.Warn("others than its owner may read or write a file of the database; plans, reasons and links stand in it",
				"file", f.path+suffix, "mode", fmt.Sprintf("%04o", file.Mode().Perm()), "next", "chmod 600 "+f.path+suffix)
		}
	}
}

func (f *sqliteFile) migrate(ctx context.Context, log *slog.Logger) error {
	f.tellWide(log)
	err := f.tables(ctx, log)
	if err == nil {
		err = f.take(ctx)
	}
	switch {
	case sqliteCode(err) == sqlite3.SQLITE_BUSY || sqliteCode(err) == sqlite3.SQLITE_LOCKED:
		return fmt.Errorf("open %s: %w", f.path, ErrInUse)
	case err != nil:
		return fmt.Errorf("open %s: %w", f.path, err)
	}
	if f.path == inMemory {
		return nil
	}
	if f.file, err = os.Stat(f.path); err != nil {
		return fmt.Errorf("open %s: %w", f.path, err)
	}
	return nil
}

func (f *sqliteFile) tables(ctx context.Context, log *slog.Logger) error {
	if err := gooseUp(ctx, f.db, goose.DialectSQLite3, "sqlite", log,
		goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: chainEvents}, nil))); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riversqlite.New(f.db), &rivermigrate.Config{Logger: log})
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
func (f *sqliteFile) take(ctx context.Context) error {
	_, err := f.db.ExecContext(ctx, `PRAGMA user_version = 1`)
	return err
}

func (f *sqliteFile) write(ctx context.Context, fn func(transaction) error) error {
	if err := f.check(ctx); err != nil {
		return err
	}
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	in := transaction{statements: tx}
	queues := map[string]bool{}
	if client := f.river.Load(); client != nil {
		in.insert = func(ctx context.Context, jobs []river.InsertManyParams) error {
			for _, job := range jobs {
				queues[job.InsertOpts.Queue] = true
			}
			_, err := client.InsertManyTx(ctx, tx, jobs)
			return err
		}
	}
	if err := fn(in); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	for queue := range queues {
		f.driver.wake(queue)
	}
	return nil
}

// start begins with what an earlier process left: nobody else can be at work in
// this file, so what looks busy was left by a process that died.
func (f *sqliteFile) start(ctx context.Context, config *river.Config) error {
	for _, statement := range []string{
		`UPDATE requests SET leased_till = 0, carrier = 0 WHERE ended_at IS NULL`,
		`DELETE FROM river_leader`, // else River waits for the dead process's term to end before it sees to timers
		`UPDATE river_job SET state = 'cancelled', finalized_at = CURRENT_TIMESTAMP WHERE state NOT IN ('cancelled', 'completed', 'discarded')`,
	} {
		if _, err := f.db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("release what an earlier process had: %w", err)
		}
	}
	f.driver = newQuiet(f.db)
	config.FetchPollInterval = 5 * time.Second // in case a word is lost: all else comes through the driver
	client, err := river.NewClient(f.driver, config)
	if err != nil {
		return fmt.Errorf("make the job engine: %w", err)
	}
	f.river.Store(client) // from here on f.driver is read
	f.driver.wakeSnoozed(client)
	return startRiver(ctx, client)
}

func (f *sqliteFile) stop(ctx context.Context) error {
	if client := f.river.Load(); client != nil {
		return client.Stop(ctx)
	}
	return nil
}

// check tells whether the file that is open is still the one at its path: on a
// file that was taken away, SQLite would go on writing what nobody ever reads.
func (f *sqliteFile) check(context.Context) error {
	if f.file == nil {
		return nil
	}
	there, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &Fault{Why: "the database file is gone from " + f.path, Err: err}
	case err != nil:
		return &Fault{Why: "the database file can't be looked at", Err: err}
	case !os.SameFile(there, f.file):
		return &Fault{Why: "another file stands in the place of the database at " + f.path + "; restart the bot to use it", Err: fs.ErrExist}
	}
	return nil
}

func (f *sqliteFile) failed(error)   {}
func (f *sqliteFile) events() string { return "events" }

func (f *sqliteFile) ahead(context.Context) (time.Duration, error) { return 0, nil }
func (f *sqliteFile) run() statements                              { return f.db }
func (f *sqliteFile) shared() bool                                 { return false }
func (f *sqliteFile) close() error                                 { return f.db.Close() }

// sqliteCode is SQLite's primary result code; 0 for what isn't SQLite's.
// https://sqlite.org/rescode.html
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}
