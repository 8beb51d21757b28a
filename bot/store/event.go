package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// Event is one entry of the audit: what happened to which request, and by whom.
type Event struct {
	Seq     int64 // order; set by the store
	At      time.Time
	Request string
	Kind    string         // "asked", "refused", "planned", "started", …
	By      string         // GitHub login, or "slack:<workspace>/<user>" while that isn't known; empty: the bot
	Data    map[string]any // no secrets, no texts of messages
}

func insertEvent(ctx context.Context, tx *sql.Tx, e Event) error {
	data, err := json.Marshal(e.Data)
	if err != nil {
		return fmt.Errorf("encode event %s: %w", e.Kind, err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO events (at, request, kind, by, data) VALUES ($1, $2, $3, $4, $5)`,
		e.At.UnixMicro(), e.Request, e.Kind, e.By, string(data)); err != nil {
		return fmt.Errorf("insert event %s: %w", e.Kind, err)
	}
	return nil
}

// Events reads the events of one request, or of all with an empty ID, in order.
func (s *Store) Events(ctx context.Context, request string) ([]Event, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT seq, at, request, kind, by, data FROM events WHERE $1 = '' OR request = $1 ORDER BY seq`, request)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	defer rows.Close()
	var events []Event
	for rows.Next() {
		var e Event
		var at sql.NullInt64
		var data string
		if err := rows.Scan(&e.Seq, &at, &e.Request, &e.Kind, &e.By, &data); err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if err := json.Unmarshal([]byte(data), &e.Data); err != nil {
			return nil, fmt.Errorf("decode event %d: %w", e.Seq, err)
		}
		e.At = moment(at)
		events = append(events, e)
	}
	return events, rows.Err()
}
