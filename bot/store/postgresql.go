package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Keys of advisory locks: any numbers, the same in all processes.
// https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
const (
	migrating = 0x726f6f74626f7401 // one process brings the tables up to date
	writing   = 0x726f6f74626f7402 // transactions that write follow one another
)

// postgres is a database that several processes may share.
type postgres struct {
	pool  *pgxpool.Pool
	db    *sql.DB // of the pool
	river atomic.Pointer[river.Client[pgx.Tx]]
	audit string // the table of the events; empty: as a session's search path has it
}

// parameters are every session's, where the address doesn't say otherwise: a
// process that is frozen in the middle of a transaction must not hold up the others.
var parameters = map[string]string{
	"idle_in_transaction_session_timeout": "5s",
	"lock_timeout":                        "10s",
	"statement_timeout":                   "60s",
	"synchronous_commit":                  "on",
}

// atStartup are the parameters that poolers let through when a connection begins;
// they refuse all others. https://www.pgbouncer.org/config.html#ignore_startup_parameters
var atStartup = []string{"application_name", "client_encoding", "options", "replication"}

// Connections that one process opens at most, where the address doesn't say otherwise
// by pool_max_conns, and that it needs at least. River listens on one.
const (
	mostConnections   = 12
	fewestConnections = 4
)

func openPostgreSQL(ctx context.Context, address string) (*sql.DB, backend, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		// pgx takes the password out of what it says about an address.
		return nil, nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if strings.Contains(config.ConnConfig.Host, "@") {
		// The rest of the password would stand in every error.
		return nil, nil, errors.New("DATABASE_URL: an @ in the password, or in the user's name, must be written as %40")
	}
	config.AfterConnect = settle(config.ConnConfig.RuntimeParams)
	if !strings.Contains(address, "pool_max_conns") {
		config.MaxConns = mostConnections
	}
	config.MaxConns = max(fewestConnections, config.MaxConns)
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	elsewhere := func(f *pgconn.FallbackConfig) bool {
		return f.Host != config.ConnConfig.Host || f.Port != config.ConnConfig.Port
	}
	if slices.ContainsFunc(config.ConnConfig.Fallbacks, elsewhere) && config.ConnConfig.ValidateConnect == nil {
		// Of several servers, the one that can be written.
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	db.SetMaxIdleConns(0) // the pool keeps them
	return db, &postgres{pool: pool, db: db}, nil
}

// settle takes out of what is sent when a connection begins the parameters that a
// pooler refuses there, and returns what sets them, and ours, on a new connection.
func settle(startup map[string]string) func(context.Context, *pgx.Conn) error {
	if startup["application_name"] == "" {
		startup["application_name"] = "rootbot"
	}
	wanted := maps.Clone(parameters)
	for name, value := range startup {
		if !slices.Contains(atStartup, name) {
			wanted[name] = value
			delete(startup, name)
		}
	}
	literal := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	var settings []string
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		settings = append(settings, fmt.Sprintf("set_config(%s, %s, false)", literal(name), literal(wanted[name])))
	}
	query := "SELECT " + strings.Join(settings, ", ")
	return func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.PgConn().Exec(ctx, query).ReadAll(); err != nil {
			return fmt.Errorf("set the limits of a session: %w", err)
		}
		return nil
	}
}

// errTransactionMode is of a pooler that gives each transaction another session.
var errTransactionMode = errors.New("DATABASE_URL leads through a connection pooler that takes the session away after each transaction (PgBouncer's pool_mode = transaction or statement), and rootbot needs its sessions' locks, settings and notifications: set pool_mode = session for this database, or name PostgreSQL itself")

// sessions finds out whether sessions are this process's for as long as their
// connections are open. Between transactions, one that is pooled by transaction is
// lent to who asks next, or the next transaction is given another.
func (p *postgres) sessions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*p.pool.Config().ConnConfig.ConnectTimeout)
	defer cancel()
	one, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer one.Release()
	other, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database a second time; rootbot needs up to %d connections: %w", p.pool.Config().MaxConns, err)
	}
	defer other.Release()
	for range 3 {
		before, err := sessionOf(ctx, one)
		if err != nil {
			return err
		}
		if err := simply(ctx, other, "BEGIN"); err != nil {
			return err
		}
		lent, err := sessionOf(ctx, other)
		if err != nil {
			return err
		}
		if lent == before {
			return errTransactionMode
		}
		after, err := sessionOf(ctx, one)
		if err != nil {
			return err
		}
		if after != before {
			return errTransactionMode
		}
		if err := simply(ctx, other, "ROLLBACK"); err != nil {
			return err
		}
	}
	return nil
}

// roomFor is how long a pooler may take to give all connections at the start.
const roomFor = 3 * time.Second

// warnOfPooler logs that a pooler gives fewer connections than the process may open:
// calls wait for those, and time out. Behind a pooler the server's process is another
// than the one that was told when the connection began.
func (p *postgres) warnOfPooler(ctx context.Context, log *slog.Logger) error {
	most := p.pool.Config().MaxConns
	limited, cancel := context.WithTimeout(ctx, roomFor)
	defer cancel()
	conns := make(chan *pgxpool.Conn, most)
	given := 0
	defer func() {
		for range given {
			(<-conns).Release()
		}
	}()
	first, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	conns <- first
	given++
	if pid, err := sessionOf(ctx, first); err != nil || pid == int64(first.Conn().PgConn().PID()) {
		return err
	}
	var asking sync.WaitGroup
	var all atomic.Int32
	for range most - 1 {
		asking.Go(func() {
			if conn, err := p.pool.Acquire(limited); err == nil {
				all.Add(1)
				conns <- conn
			}
		})
	}
	asking.Wait()
	given += int(all.Load())
	if given < int(most) {
		log.Warn(fmt.Sprintf("the connection pooler of DATABASE_URL gives rootbot %d of the %d connections that it may open: raise the pooler's default_pool_size, or write pool_max_conns=%d into DATABASE_URL, %d at least",
			given, most, max(given, fewestConnections), fewestConnections))
	}
	return ctx.Err()
}

// sessionOf is the server's process behind a connection now.
func sessionOf(ctx context.Context, conn *pgxpool.Conn) (pid int64, err error) {
	if err := conn.QueryRow(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid); err != nil {
		return 0, fmt.Errorf("ask the database for the session: %w", err)
	}
	return pid, nil
}

// simply runs a statement that nothing is prepared for. A pooler that gives each
// statement another session refuses transactions as a breach of protocol.
func simply(ctx context.Context, conn *pgxpool.Conn, statement string) error {
	_, err := conn.Exec(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	if breach, ok := errors.AsType[*pgconn.PgError](err); ok && breach.Code == protocolViolation {
		return errTransactionMode
	}
	if err != nil {
		return fmt.Errorf("try the database's sessions: %w", err)
	}
	return nil
}

// https://www.postgresql.org/docs/current/errcodes-appendix.html
const (
	protocolViolation = "08P01"
	readOnly          = "25006"
)

// migrate brings the tables up to date while processes of the version before
// are at work. One does it at a time.
func (p *postgres) migrate(ctx context.Context, log *slog.Logger) error {
	if err := p.sessions(ctx); err != nil {
		return err
	}
	if err := p.warnOfPooler(ctx, log); err != nil {
		return err
	}
	lock, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer lock.Release()
	// The session's settings go with the connection; the lock is given back before,
	// for a pooler may keep the session.
	defer lock.Conn().Close(context.WithoutCancel(ctx))
	if _, err := lock.Exec(ctx, `SET lock_timeout = '60s'`); err != nil {
		return fmt.Errorf("wait for others to bring the tables up to date: %w", err)
	}
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrating); err != nil {
		return fmt.Errorf("wait for others to bring the tables up to date: %w", err)
	}
	defer lock.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrating)
	if err := gooseUp(ctx, p.db, goose.DialectPostgres, "postgresql", log); err != nil {
		return err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(p.pool), &rivermigrate.Config{Logger: log})
	if err != nil {
		return fmt.Errorf("read River's migrations: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("bring River's tables up to date: %w", err)
	}
	return p.findEvents(ctx)
}

// keptEvents is where manifests/postgresql/events.sql puts the audit: a schema in
// which the bot's role can make nothing. It is named in full, so that no table that
// the role makes elsewhere passes for it.
const keptEvents = "rootbot_audit.events"

func (p *postgres) findEvents(ctx context.Context) error {
	var kept bool
	if err := p.pool.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, keptEvents).Scan(&kept); err != nil {
		return fmt.Errorf("look where the audit is: %w", err)
	}
	if kept {
		p.audit = keptEvents
	}
	return nil
}

func (p *postgres) events() string { return cmp.Or(p.audit, "events") }

// failed drops the connections to a server that can only be read any more: after a
// failover, new ones lead to the one that can be written.
func (p *postgres) failed(err error) {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && e.Code == readOnly {
		p.pool.Reset()
	}
}

// write runs fn in a transaction that begins by waiting for its turn. Our
// statements go through database/sql, and River's through pgx, on one connection:
// pgx's transaction is begun on the connection that database/sql lends.
func (p *postgres) write(ctx context.Context, fn func(transaction) error) error {
	conn, err := p.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	var tx pgx.Tx
	if err := conn.Raw(func(driver any) error {
		var err error
		tx, err = driver.(*stdlib.Conn).Conn().BeginTx(ctx, pgx.TxOptions{
			BeginQuery: fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d)", int64(writing)),
		})
		return err
	}); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	// A connection that failed is database/sql's to end, beside us: Raw leaves that alone.
	defer conn.Raw(func(any) error { return tx.Rollback(context.WithoutCancel(ctx)) })
	in := transaction{statements: conn}
	if client := p.river.Load(); client != nil {
		in.insert = func(ctx context.Context, jobs []river.InsertManyParams) error {
			return conn.Raw(func(any) error {
				_, err := client.InsertManyTx(ctx, tx, jobs)
				return err
			})
		}
	}
	if err := fn(in); err != nil {
		return err
	}
	if err := conn.Raw(func(any) error { return tx.Commit(ctx) }); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

func (p *postgres) start(ctx context.Context, config *river.Config) error {
	client, err := river.NewClient(riverpgxv5.New(p.pool), config)
	if err != nil {
		return fmt.Errorf("make the job engine: %w", err)
	}
	p.river.Store(client)
	return startRiver(ctx, client)
}

func (p *postgres) stop(ctx context.Context) error {
	if client := p.river.Load(); client != nil {
		return client.Stop(ctx)
	}
	return nil
}

func (p *postgres) check(context.Context) error { return nil }

func (p *postgres) ahead(ctx context.Context) (time.Duration, error) {
	before := time.Now()
	var there time.Time
	if err := p.db.QueryRowContext(ctx, `SELECT clock_timestamp()`).Scan(&there); err != nil {
		return 0, fmt.Errorf("connect to the database: %w", err)
	}
	now := time.Now()
	return there.Sub(before.Add(now.Sub(before) / 2)), nil
}

func (p *postgres) run() statements { return p.db }

func (p *postgres) shared() bool { return true }

func (p *postgres) close() error {
	err := p.db.Close()
	p.pool.Close()
	return err
}
