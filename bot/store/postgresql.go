package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
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
	river *river.Client[pgx.Tx]
	turn  chan struct{} // one of this process's transactions waits for the others', so that the rest need no connections to wait on
}

// parameters are every session's, where the address doesn't say otherwise: a
// process that is frozen in the middle of a transaction must not hold up the others.
var parameters = map[string]string{
	"application_name":                    "rootbot",
	"idle_in_transaction_session_timeout": "5s",
	"lock_timeout":                        "10s",
	"statement_timeout":                   "60s",
	"synchronous_commit":                  "on",
}

// mostConnections is how many one process opens at most. River listens on one.
const mostConnections = 12

func openPostgreSQL(ctx context.Context, address string) (*sql.DB, backend, error) {
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		// pgx takes the password out of what it says about an address.
		return nil, nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	for name, value := range parameters {
		if _, said := config.ConnConfig.RuntimeParams[name]; !said {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	config.MaxConns = max(mostConnections, config.MaxConns)
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	db.SetMaxIdleConns(0) // the pool keeps them
	return db, &postgres{pool: pool, db: db, turn: make(chan struct{}, 1)}, nil
}

// migrate brings the tables up to date while processes of the version before
// are at work. One does it at a time.
func (p *postgres) migrate(ctx context.Context, log *slog.Logger) error {
	lock, err := p.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, `SET lock_timeout = '60s'`); err != nil {
		return fmt.Errorf("wait for others to bring the tables up to date: %w", err)
	}
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrating); err != nil {
		return fmt.Errorf("wait for others to bring the tables up to date: %w", err)
	}
	// The session's locks and settings go with it.
	defer lock.Conn().Close(context.WithoutCancel(ctx))
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
	return nil
}

// write runs fn in a transaction that begins by waiting for its turn. Our
// statements go through database/sql, and River's through pgx, on one connection:
// pgx's transaction is begun on the connection that database/sql lends.
func (p *postgres) write(ctx context.Context, fn func(transaction) error) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for a turn to write: %w", ctx.Err())
	}
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
	if p.river != nil {
		in.insert = func(ctx context.Context, args river.JobArgs, opts *river.InsertOpts) error {
			return conn.Raw(func(any) error {
				_, err := p.river.InsertTx(ctx, tx, args, opts)
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
	p.river = client
	return startRiver(ctx, client)
}

func (p *postgres) stop(ctx context.Context) error {
	if p.river == nil {
		return nil
	}
	return p.river.Stop(ctx)
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
