package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/jackc/pgx/v5/pgconn"
	sqlite3 "modernc.org/sqlite/lib"
)

// Fault is something that is wrong with the database itself: what fails for it
// was not done, and goes again once it is mended.
type Fault struct {
	Why string // in words for people
	Err error
}

func (f *Fault) Error() string { return f.Why + ": " + f.Err.Error() }

func (f *Fault) Unwrap() error { return f.Err }

// sqliteFaults are SQLite's words for what is wrong with a file.
// https://sqlite.org/rescode.html
var sqliteFaults = map[int]string{
	sqlite3.SQLITE_FULL:     "the disk of the database is full",
	sqlite3.SQLITE_IOERR:    "the disk of the database can't be read or written",
	sqlite3.SQLITE_CORRUPT:  "the database file is damaged",
	sqlite3.SQLITE_NOTADB:   "the database file is damaged",
	sqlite3.SQLITE_READONLY: "the database file can't be written",
	sqlite3.SQLITE_CANTOPEN: "the database file can't be opened",
	sqlite3.SQLITE_BUSY:     "the database file is locked by another program",
	sqlite3.SQLITE_LOCKED:   "the database file is locked by another program",
	sqlite3.SQLITE_PERM:     "the database file can't be written",
}

// postgresFaults are the classes of PostgreSQL's codes, or codes, that are about
// the server and not about a statement.
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var postgresFaults = []struct{ code, why string }{
	{"53100", "the disk of the database is full"},
	{"53", "the database has no resources left"},
	{"08", "the database can't be reached"},
	{"57P", "the database is being shut down"},
	{"57014", "the database was too slow"},
	{"58", "the disk of the database can't be read or written"},
	{"XX", "the database is damaged"},
	{"25006", "the database can only be read"},
	{"25P03", "the database was too slow"},
	{"55P03", "the database is locked"},
	{"28", "the database doesn't let the bot in"},
	{"3D", "the database doesn't exist"},
}

// explain makes a *Fault of what is wrong with the database; other errors stay
// as they are.
func explain(err error) error {
	if _, ok := errors.AsType[*Fault](err); ok || err == nil {
		return err
	}
	if why := sqliteFaults[sqliteCode(err)]; why != "" {
		return &Fault{Why: why, Err: err}
	}
	_, unconnected := errors.AsType[*pgconn.ConnectError](err)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, known := range postgresFaults {
			if strings.HasPrefix(e.Code, known.code) {
				return &Fault{Why: known.why, Err: err}
			}
		}
		if !unconnected {
			return err
		}
	}
	_, cut := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &Fault{Why: "the database is too slow, or can't be reached", Err: err}
	case unconnected, cut, errors.Is(err, net.ErrClosed), pgconn.SafeToRetry(err):
		return &Fault{Why: "the database can't be reached", Err: err}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return &Fault{Why: "the database file can't be opened", Err: err}
	}
	return err
}

// trouble is the newest fault, and when it was met.
type trouble struct {
	fault *Fault
	at    time.Time
}

// remembered is how long a fault that was met makes the database count as ill.
const remembered = 5 * time.Second

// noted explains an error, and remembers a fault for whoever asks how it goes.
func (s *Store) noted(err error) error {
	s.backend.failed(err)
	err = explain(err)
	if fault, ok := errors.AsType[*Fault](err); ok {
		s.trouble.Store(&trouble{fault, time.Now()})
	}
	return err
}

// Ping tells what is wrong with the database: it stores a request and an event and
// takes both back, commits what else it writes, reads, and recalls what went wrong
// in the last seconds. A *Fault says why in words for people.
func (s *Store) Ping(ctx context.Context) error {
	before := s.trouble.Load()
	if err := s.write(ctx, func(tx transaction) error { return s.tryToStore(ctx, tx) }); err != nil {
		return fmt.Errorf("write to the database: %w", err)
	}
	var n int
	if err := s.noted(s.row(ctx, `SELECT COUNT(*) FROM requests WHERE ended_at IS NULL`).Scan(&n)); err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	if before != nil && time.Since(before.at) < remembered {
		return before.fault
	}
	return nil
}

// tryToStore does with the database what a command does, and leaves nothing of it
// but the row that is committed to see that it can be.
func (s *Store) tryToStore(ctx context.Context, tx transaction) error {
	if _, err := tx.ExecContext(ctx, `SAVEPOINT trial`); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO requests (id, operation, state, version, card, held, body, created_at) VALUES ($1, '', 'asked', 1, $1, '', '{}', 0)`, "trial "+s.id); err != nil {
		return fmt.Errorf("store a request: %w", err)
	}
	if err := insertEvents(ctx, tx, request.Event{At: time.Now(), Kind: "trial"}); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `ROLLBACK TO SAVEPOINT trial`); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO duties (name, holder, till) VALUES ('ping', $1, 0) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder`, s.id)
	return err
}
