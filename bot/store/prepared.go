package store

import (
	"context"
	"database/sql/driver"
	"fmt"
)

// preparing opens connections to SQLite that parse a statement once: most of a small
// statement's time is its parsing, and River sends the same few all the time.
// PostgreSQL's driver prepares by itself.
type preparing struct{ driver.Connector }

// sqliteConn is what modernc.org/sqlite's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// sqliteStatement is what its statements can do.
type sqliteStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func (p preparing) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := p.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	able, ok := conn.(sqliteConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("SQLite's driver has connections of an unknown kind, %T", conn)
	}
	return &preparedConn{sqliteConn: able, known: map[string]*preparedStatement{}}, nil
}

// preparedConn is one connection. database/sql lets one goroutine at a time use it.
type preparedConn struct {
	sqliteConn
	known map[string]*preparedStatement
}

// preparedStatement is nil in preparedConn.known where its text came once: migrations come no second time.
type preparedStatement struct {
	sqliteStatement
	reading bool // its rows are being read
}

// statementsKept bounds what one connection keeps; there are about a hundred.
const statementsKept = 500

// prepared returns the statement of a text that came before; nil: the text is new, its statement is busy, or there are
// too many. Its error is SQLite's about the text.
func (c *preparedConn) prepared(ctx context.Context, query string) (*preparedStatement, error) {
	found, known := c.known[query]
	switch {
	case found != nil && !found.reading:
		return found, nil
	case found != nil:
		return nil, nil
	case !known:
		if len(c.known) < statementsKept {
			c.known[query] = nil
		}
		return nil, nil
	}
	made, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	able, ok := made.(sqliteStatement)
	if !ok {
		made.Close()
		return nil, fmt.Errorf("SQLite's driver has statements of an unknown kind, %T", made)
	}
	found = &preparedStatement{sqliteStatement: able}
	c.known[query] = found
	return found, nil
}

func (c *preparedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	statement, err := c.prepared(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case statement == nil:
		return c.sqliteConn.ExecContext(ctx, query, args)
	}
	return statement.ExecContext(ctx, args)
}

func (c *preparedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	statement, err := c.prepared(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case statement == nil:
		return c.sqliteConn.QueryContext(ctx, query, args)
	}
	rows, err := statement.QueryContext(ctx, args)
	if err != nil {
		return nil, err
	}
	statement.reading = true
	return preparedRows{rows, statement}, nil
}

func (c *preparedConn) Close() error {
	for _, statement := range c.known {
		if statement != nil {
			statement.Close()
		}
	}
	clear(c.known)
	return c.sqliteConn.Close()
}

// preparedRows let their statement be used again once they are closed.
type preparedRows struct {
	driver.Rows
	of *preparedStatement
}

func (r preparedRows) Close() error {
	r.of.reading = false
	return r.Rows.Close()
}
