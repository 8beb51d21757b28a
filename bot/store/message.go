package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

func insertMessage(ctx context.Context, tx transaction, m request.Message, now time.Time) error {
	m.Body.Text = ops.Redact(m.Body.Text)
	body, err := json.Marshal(m.Body)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO messages (thread, request, kind, body, created_at, due_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		plain(m.Thread), m.Request, m.Kind, string(body), now.UnixMicro(), max(now.UnixMicro(), m.Due.UnixMicro())); err != nil {
		return fmt.Errorf("insert message: %w", err)
	}
	return nil
}

// perMessage is the most lines that one log message is about.
const perMessage = 50

// insertLines adds the lines whose keys are new and returns the log messages for them.
func insertLines(ctx context.Context, tx transaction, id string, lines []ops.Line, now time.Time) ([]request.Message, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(seq), 0) FROM lines WHERE request = $1`, id).Scan(&last); err != nil {
		return nil, fmt.Errorf("count lines: %w", err)
	}
	first := last + 1
	for _, line := range lines {
		if line.At.IsZero() {
			line.At = now
		}
		if line.Level == "" {
			line.Level = ops.Info
		}
		if line.Key == "" {
			line.Key = uuid.NewString()
		}
		result, err := tx.ExecContext(ctx, `INSERT INTO lines (request, seq, key, at, level, text) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (request, key) DO NOTHING`, id, last+1, plain(line.Key), line.At.UnixMicro(), line.Level, plain(ops.Redact(line.Text)))
		if err != nil {
			return nil, fmt.Errorf("insert line: %w", err)
		}
		if n, _ := result.RowsAffected(); n == 1 {
			last++
		}
	}
	if last < first {
		return nil, nil
	}
	var messages []request.Message
	for from := first; from <= last; from += perMessage {
		messages = append(messages, request.Message{Request: id, Kind: request.Log, Body: request.Body{From: from, To: min(last, from+perMessage-1)}})
	}
	return messages, nil
}

// Line is a stored line of a log, with its place in it: from 1.
type Line struct {
	Seq int64
	ops.Line
}

// Lines reads the lines from one place to another, both included; to 0 is the end.
func (s *Store) Lines(ctx context.Context, request string, from, to int64) ([]Line, error) {
	rows, err := s.query(ctx, `SELECT seq, key, at, level, text FROM lines WHERE request = $1 AND seq >= $2 AND (CAST($3 AS BIGINT) = 0 OR seq <= $3) ORDER BY seq`, request, from, to)
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	defer rows.Close()
	var lines []Line
	for rows.Next() {
		var l Line
		var at sql.NullInt64
		if err := rows.Scan(&l.Seq, &l.Key, &at, &l.Level, &l.Text); err != nil {
			return nil, fmt.Errorf("read lines: %w", err)
		}
		l.At = moment(at)
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

// Unsent reads the messages that are still to be delivered, in order, at most
// 200 of each thread.
func (s *Store) Unsent(ctx context.Context) ([]request.Message, error) {
	return s.messages(ctx, `SELECT `+messageColumns+` FROM (
			SELECT *, ROW_NUMBER() OVER (PARTITION BY thread ORDER BY id) AS place FROM messages WHERE sent_at IS NULL AND dead = ''
		) AS waiting WHERE place <= 200 ORDER BY id`)
}

// Waiting reads a thread's messages that are still to be delivered, in order, at
// most 200.
func (s *Store) Waiting(ctx context.Context, thread string) ([]request.Message, error) {
	return s.messages(ctx, `SELECT `+messageColumns+` FROM messages WHERE thread = $1 AND sent_at IS NULL AND dead = '' ORDER BY id LIMIT 200`, thread)
}

const messageColumns = `id, thread, request, kind, body, created_at, due_at, tries`

func (s *Store) messages(ctx context.Context, query string, args ...any) ([]request.Message, error) {
	rows, err := s.query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	defer rows.Close()
	var list []request.Message
	for rows.Next() {
		var m request.Message
		var body string
		var at, due sql.NullInt64
		if err := rows.Scan(&m.ID, &m.Thread, &m.Request, &m.Kind, &body, &at, &due, &m.Tries); err != nil {
			return nil, fmt.Errorf("read messages: %w", err)
		}
		if err := json.Unmarshal([]byte(body), &m.Body); err != nil {
			return nil, fmt.Errorf("decode message %d: %w", m.ID, err)
		}
		m.At, m.Due = moment(at), moment(due)
		list = append(list, m)
	}
	return list, rows.Err()
}

// Turn is a thread in which something waits to be delivered.
type Turn struct {
	Thread string
	Due    time.Time // of its first message: nothing in it goes before
	At     time.Time // that was written
}

// Heads reads the threads in which something waits, the longest waiting first.
func (s *Store) Heads(ctx context.Context) ([]Turn, error) {
	rows, err := s.query(ctx, `SELECT thread, due_at, created_at FROM messages WHERE id IN (
			SELECT MIN(id) FROM messages WHERE sent_at IS NULL AND dead = '' GROUP BY thread) ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read what waits: %w", err)
	}
	defer rows.Close()
	var list []Turn
	for rows.Next() {
		var h Turn
		var due, at sql.NullInt64
		if err := rows.Scan(&h.Thread, &due, &at); err != nil {
			return nil, fmt.Errorf("read what waits: %w", err)
		}
		h.Due, h.At = moment(due), moment(at)
		list = append(list, h)
	}
	return list, rows.Err()
}

// Backlog is what isn't finished.
type Backlog struct {
	Messages      int               // that are still to be delivered
	Undeliverable int               // that were given up, or were tried many times
	Oldest        time.Duration     // since the oldest was due; 0: none is
	Open          map[[2]string]int // requests that haven't ended, by operation and state
}

// manyTries are about a minute of them.
const manyTries = 9

// Backlog counts what isn't finished.
func (s *Store) Backlog(ctx context.Context) (Backlog, error) {
	b := Backlog{Open: map[[2]string]int{}}
	now := time.Now()
	var due int64
	if err := s.row(ctx, `SELECT COUNT(*), COALESCE(MIN(due_at), 0), COALESCE(SUM(CASE WHEN tries >= $1 THEN 1 ELSE 0 END), 0)
		FROM messages WHERE sent_at IS NULL AND dead = ''`, manyTries).Scan(&b.Messages, &due, &b.Undeliverable); err != nil {
		return b, fmt.Errorf("count messages: %w", s.noted(err))
	}
	if due > 0 {
		b.Oldest = max(0, now.Sub(time.UnixMicro(due)))
	}
	var dead int
	if err := s.row(ctx, `SELECT COUNT(*) FROM messages WHERE dead <> ''`).Scan(&dead); err != nil {
		return b, fmt.Errorf("count messages: %w", s.noted(err))
	}
	b.Undeliverable += dead
	rows, err := s.query(ctx, `SELECT operation, state, COUNT(*) FROM requests WHERE ended_at IS NULL GROUP BY operation, state`)
	if err != nil {
		return b, fmt.Errorf("count requests: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var key [2]string
		var n int
		if err := rows.Scan(&key[0], &key[1], &n); err != nil {
			return b, fmt.Errorf("count requests: %w", err)
		}
		b.Open[key] = n
	}
	return b, rows.Err()
}

// Trying records that a message, as it was read, is about to be sent. It is
// ErrLost if somebody else has tried that since.
func (s *Store) Trying(ctx context.Context, m request.Message) error {
	result, err := s.exec(ctx, `UPDATE messages SET tries = tries + 1 WHERE id = $1 AND tries = $2 AND sent_at IS NULL AND dead = ''`, m.ID, m.Tries)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrLost)
	}
	return nil
}

// Post is where a message stands.
type Post struct{ Channel, TS string }

// Places of messages that are brought up to date where they stand.
const (
	CardPlace = "card"  // the card, where the operation is asked for
	LogPlace  = "log"   // the card in the log channel, where that is another one
	ReadPlace = "read/" // how many lines of the log are only reading; the request's ID follows
	AskPlace  = "ask/"  // who must decide; the request's ID and the plan's digest follow
)

// Delivery is what became of messages.
type Delivery struct {
	Messages []int64 // that were delivered
	Thread   string
	Place    string // which the message has from now on; empty: none
	Post     Post   // where it stands
	Events   []request.Event
	Then     []request.Message // that follow it, each with its thread
}

// Sent records that messages were delivered, and where the message stands that
// has a place.
func (s *Store) Sent(ctx context.Context, now time.Time, d Delivery) error {
	return s.write(ctx, func(tx transaction) error {
		if err := insertEvents(ctx, tx, d.Events...); err != nil {
			return err
		}
		for _, id := range d.Messages {
			if _, err := tx.ExecContext(ctx, `UPDATE messages SET sent_at = $1 WHERE id = $2`, now.UnixMicro(), id); err != nil {
				return fmt.Errorf("record delivery: %w", err)
			}
		}
		for _, m := range d.Then {
			if err := insertMessage(ctx, tx, m, now); err != nil {
				return err
			}
		}
		if d.Place == "" {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO posts (thread, place, channel, ts) VALUES ($1, $2, $3, $4)
			ON CONFLICT (thread, place) DO UPDATE SET channel = excluded.channel, ts = excluded.ts`, d.Thread, d.Place, d.Post.Channel, d.Post.TS); err != nil {
			return fmt.Errorf("record place: %w", err)
		}
		return nil
	})
}

// Later puts a message off.
func (s *Store) Later(ctx context.Context, id int64, due time.Time) error {
	_, err := s.exec(ctx, `UPDATE messages SET due_at = $1 WHERE id = $2`, due.UnixMicro(), id)
	return err
}

// Dead gives a message up, and says why.
func (s *Store) Dead(ctx context.Context, id int64, why string) error {
	_, err := s.exec(ctx, `UPDATE messages SET dead = $1 WHERE id = $2`, plain(why), id)
	return err
}

// Places reads where the messages of a thread stand whose places begin with a
// prefix, by place.
func (s *Store) Places(ctx context.Context, thread, prefix string) (map[string]Post, error) {
	rows, err := s.query(ctx, `SELECT place, channel, ts FROM posts WHERE thread = $1 AND place LIKE $2 || '%'`, thread, prefix)
	if err != nil {
		return nil, fmt.Errorf("look up posts: %w", err)
	}
	defer rows.Close()
	places := map[string]Post{}
	for rows.Next() {
		var place string
		var p Post
		if err := rows.Scan(&place, &p.Channel, &p.TS); err != nil {
			return nil, fmt.Errorf("look up posts: %w", err)
		}
		places[place] = p
	}
	return places, rows.Err()
}

// Posted tells where a thread's message of a place stands, if it does.
func (s *Store) Posted(ctx context.Context, thread, place string) (Post, bool, error) {
	var p Post
	err := s.row(ctx, `SELECT channel, ts FROM posts WHERE thread = $1 AND place = $2`, thread, place).Scan(&p.Channel, &p.TS)
	if errors.Is(err, sql.ErrNoRows) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("look up a post: %w", err)
	}
	return p, true, nil
}
