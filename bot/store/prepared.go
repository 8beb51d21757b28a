package store

import (
	"context"
	"database/sql"
	"sync"
)

// prepared runs statements on SQLite that are parsed once: half the time of a
// small one is its parsing. There is one connection, so nothing is parsed for
// another one either. PostgreSQL's driver does this by itself.
type prepared struct {
	db *sql.DB

	mu     sync.Mutex
	known  map[string]*sql.Stmt
	wanted map[string]bool // by transactions, which have the connection
}

func newPrepared(db *sql.DB) *prepared {
	return &prepared{db: db, known: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
}

// of is a query that was prepared; nil: it wasn't, and is wanted.
func (p *prepared) of(query string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := p.known[query]
	if found == nil {
		p.wanted[query] = true
	}
	return found
}

// prepare makes a query that is run at once, outside of any transaction.
func (p *prepared) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if found := p.of(query); found != nil {
		return found, nil
	}
	made, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.wanted, query)
	if found := p.known[query]; found != nil {
		made.Close()
		return found, nil
	}
	p.known[query] = made
	return made, nil
}

// catchUp prepares what transactions wanted. What can't be is run as it is.
func (p *prepared) catchUp(ctx context.Context) {
	p.mu.Lock()
	if len(p.wanted) == 0 {
		p.mu.Unlock()
		return
	}
	wanted := p.wanted
	p.wanted = map[string]bool{}
	p.mu.Unlock()
	for query := range wanted {
		if _, err := p.prepare(ctx, query); err != nil {
			return
		}
	}
}

func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	stmt, err := p.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.ExecContext(ctx, args...)
}

func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := p.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	stmt, err := p.prepare(ctx, query)
	if err != nil {
		return p.db.QueryRowContext(ctx, query, args...) // which has the same to say
	}
	return stmt.QueryRowContext(ctx, args...)
}

// preparedTx is the same within a transaction.
type preparedTx struct {
	*prepared
	tx *sql.Tx
}

func (p preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := p.of(query); stmt != nil {
		return p.tx.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	}
	return p.tx.ExecContext(ctx, query, args...)
}

func (p preparedTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := p.of(query); stmt != nil {
		return p.tx.StmtContext(ctx, stmt).QueryContext(ctx, args...)
	}
	return p.tx.QueryContext(ctx, query, args...)
}

func (p preparedTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if stmt := p.of(query); stmt != nil {
		return p.tx.StmtContext(ctx, stmt).QueryRowContext(ctx, args...)
	}
	return p.tx.QueryRowContext(ctx, query, args...)
}
