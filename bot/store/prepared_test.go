package store

import (
	"database/sql"
	"fmt"
	"testing"

	"modernc.org/sqlite"
)

func TestAStatementThatComesAgainIsParsedOnce(t *testing.T) {
	connector, err := sqlite.NewConnector("file::memory:")
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(preparing{connector})
	defer db.Close()
	db.SetMaxOpenConns(1)
	must := func(query string, args ...any) {
		t.Helper()
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	parsed := func() (n int) {
		t.Helper()
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.Raw(func(c any) error {
			for _, statement := range c.(*preparedConn).known {
				if statement != nil {
					n++
				}
			}
			return nil
		})
		return n
	}
	must(`CREATE TABLE a (x INTEGER PRIMARY KEY); CREATE TABLE b (y)`)
	for x := range 5 {
		must(`INSERT INTO a (x) VALUES (?)`, x)
	}
	if n := parsed(); n != 1 {
		t.Errorf("after one statement came five times, %d are kept", n)
	}

	// Its error is its own, and it can be used again.
	if _, err := db.ExecContext(t.Context(), `INSERT INTO a (x) VALUES (?)`, 1); sqliteCode(err) != 19 {
		t.Errorf("a key that is there already: %v", err)
	}
	must(`INSERT INTO a (x) VALUES (?)`, 5)

	// While its rows are read, the same text reads others.
	const from = `SELECT x FROM a WHERE x >= ? ORDER BY x`
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	numbers := func(least int, each func()) (all []int) {
		t.Helper()
		rows, err := tx.QueryContext(t.Context(), from, least)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var x int
			if err := rows.Scan(&x); err != nil {
				t.Fatal(err)
			}
			all = append(all, x)
			each()
		}
		return all
	}
	numbers(0, func() {})
	inner := ""
	outer := numbers(3, func() { inner += fmt.Sprint(numbers(4, func() {})) })
	if fmt.Sprint(outer) != "[3 4 5]" || inner != "[4 5][4 5][4 5]" {
		t.Errorf("read %v, and within it %s", outer, inner)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}

	// A table that changes under it.
	const all = `SELECT * FROM b`
	for range 2 {
		must(all)
	}
	must(`ALTER TABLE b ADD COLUMN z`)
	must(`INSERT INTO b (y, z) VALUES (7, 8)`)
	var y, z int
	if err := db.QueryRowContext(t.Context(), all).Scan(&y, &z); err != nil || y != 7 || z != 8 {
		t.Errorf("after a column was added: %d and %d, %v", y, z, err)
	}

	for n := range 2 * statementsKept {
		must(fmt.Sprintf(`SELECT %d`, n))
		must(fmt.Sprintf(`SELECT %d`, n))
	}
	if n := parsed(); n > statementsKept {
		t.Errorf("%d statements are kept", n)
	}
}
