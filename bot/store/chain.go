package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// appendOnly has SQLite refuse what would change the audit. An INSERT that
// replaces a row fires no trigger of DELETE, so events may only come at the end.
// https://sqlite.org/lang_conflict.html
const appendOnly = `
CREATE TRIGGER events_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TRIGGER events_insert BEFORE INSERT ON events WHEN NEW.seq <= (SELECT MAX(seq) FROM events)
BEGIN SELECT RAISE(ABORT, 'events are only added at the end'); END;`

// chainEvents chains the events of a time before the chain, and closes the table.
func chainEvents(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT seq, at, request, kind, by, data FROM events ORDER BY seq`)
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var events []stored
	for rows.Next() {
		var e stored
		var micros int64
		if err := rows.Scan(&e.Seq, &micros, &e.Request, &e.Kind, &e.By, &e.data); err != nil {
			return fmt.Errorf("read events: %w", err)
		}
		e.At = time.UnixMicro(micros)
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	before := ""
	for _, e := range events {
		before = e.chain(before, e.At.UnixMicro())
		if _, err := tx.ExecContext(ctx, `UPDATE events SET hash = $1 WHERE seq = $2`, before, e.Seq); err != nil {
			return fmt.Errorf("chain event %d: %w", e.Seq, err)
		}
	}
	if _, err := tx.ExecContext(ctx, appendOnly); err != nil {
		return fmt.Errorf("close the events: %w", err)
	}
	return nil
}

// BrokenError names the first event that shows that the audit was changed.
type BrokenError struct {
	Seq int64  // of the event; where it is gone, of where it should stand
	Why string // in words for people
}

func (e *BrokenError) Error() string { return fmt.Sprintf("event %d: %s", e.Seq, e.Why) }

// Verify computes the whole chain anew and compares it with what was anchored
// elsewhere. It returns the head as it is now, and a *BrokenError for the first
// event that isn't as it was written. Who can rewrite the whole chain is found
// out, as is who cuts off its end, by anchors alone.
func (s *Store) Verify(ctx context.Context, anchors []Head) (Head, error) {
	anchored := map[int64]string{}
	for _, a := range anchors {
		if hash, ok := anchored[a.Seq]; ok && hash != a.Hash {
			return Head{}, &BrokenError{a.Seq, fmt.Sprintf("two anchors contradict each other: %s and %s", hash, a.Hash)}
		}
		anchored[a.Seq] = a.Hash
	}
	var last Head
	for e, err := range s.rawEvents(ctx, "") {
		if errors.Is(err, errUnreadable) {
			return last, &BrokenError{last.Seq + 1, err.Error()}
		}
		if err != nil {
			return last, err
		}
		switch {
		case e.Seq != last.Seq+1:
			return last, &BrokenError{last.Seq + 1, fmt.Sprintf("it is gone: after event %d comes event %d", last.Seq, e.Seq)}
		case e.chain(last.Hash, e.At.UnixMicro()) != e.Hash:
			return last, &BrokenError{e.Seq, "it is not as it was written, or the one before it isn't: the hash doesn't fit"}
		}
		if hash, ok := anchored[e.Seq]; ok && hash != e.Hash {
			return last, &BrokenError{e.Seq, fmt.Sprintf("it was written anew: its hash is %s, and %s was anchored", e.Hash, hash)}
		}
		last = Head{e.Seq, e.Hash}
	}
	for _, a := range anchors {
		if a.Seq > last.Seq {
			return last, &BrokenError{last.Seq + 1, fmt.Sprintf("it is gone, and all behind it: event %d was anchored, and the last one here is event %d", a.Seq, last.Seq)}
		}
	}
	return last, nil
}
