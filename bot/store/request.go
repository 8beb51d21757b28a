package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// ErrTaken is what is returned for what was taken before: it arrived twice.
var ErrTaken = errors.New("this was taken before")

// keepOrigins is how long what was taken is remembered.
const keepOrigins = 48 * time.Hour

// takeOrigin remembers where something came from; ErrTaken if it came before.
// An empty origin is nowhere in particular.
func takeOrigin(ctx context.Context, tx transaction, origin string) error {
	if origin == "" {
		return nil
	}
	now := time.Now()
	result, err := tx.ExecContext(ctx, `INSERT INTO taken (origin, at) VALUES ($1, $2) ON CONFLICT (origin) DO NOTHING`, origin, now.UnixMicro())
	if err != nil {
		return fmt.Errorf("remember an origin: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrTaken)
	}
	return nil
}

// Take remembers where something came from that is stored nowhere else;
// ErrTaken if it came before.
func (s *Store) Take(ctx context.Context, origin string) error {
	return s.write(ctx, func(tx transaction) error { return takeOrigin(ctx, tx, origin) })
}

// Taken tells whether something with an origin came before. An empty one is nowhere in
// particular.
func (s *Store) Taken(ctx context.Context, origin string) (bool, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM taken WHERE origin = $1`, origin).Scan(&n)
	return n > 0, s.noted(err)
}

// HeldError says that another unfinished request holds what this one needs.
type HeldError struct{ By string } // the other's ID

func (e *HeldError) Error() string { return "held by request " + e.By }

// ErrStale is what Update returns when somebody else changed the request first.
var ErrStale = errors.New("the request was changed meanwhile")

// Insert stores a new request.
func (s *Store) Insert(ctx context.Context, r request.Request, c request.Change) error {
	return s.InsertAll(ctx, "", []request.Request{r}, []request.Change{c})
}

// InsertAll stores several new requests, all or none. With an origin that was
// taken before, it stores nothing and returns ErrTaken.
func (s *Store) InsertAll(ctx context.Context, origin string, requests []request.Request, changes []request.Change) error {
	return s.accept(ctx, func(tx transaction) error {
		if err := takeOrigin(ctx, tx, origin); err != nil {
			return err
		}
		for i, r := range requests {
			body, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("encode request: %w", err)
			}
			if r.Card == "" {
				r.Card = r.ID
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO requests (id, operation, state, version, card, held, body, asked_by, created_at, ended_at, due_at, progress)
				VALUES ($1, $2, $3, 1, $4, '', $5, $6, $7, $8, $9, $10)`, r.ID, r.Operation, r.State, r.Card, string(body), strings.ToLower(r.By), micros(r.At), micros(r.EndedAt), s.clock(time.Now()), plain(r.Progress)); err != nil {
				return fmt.Errorf("insert request: %w", err)
			}
			if err := s.apply(ctx, tx, r, changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Update reads a request, lets fn change it, and writes it with what fn
// returns, all in one transaction. fn must not touch the database. An error of
// fn is returned as it is and nothing is written.
func (s *Store) Update(ctx context.Context, id string, fn func(*request.Request) (request.Change, error)) (request.Request, error) {
	var r request.Request
	var c request.Change
	err := s.writeAndWake(ctx, func(tx transaction) error {
		var err error
		if r, err = read(tx.QueryRowContext(ctx, selectRequest+" WHERE id = $1", id)); err != nil {
			return err
		}
		plan := r.Plan
		if c, err = fn(&r); err != nil {
			return err
		}
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		if r.Held != "" {
			var other string
			err := tx.QueryRowContext(ctx, `SELECT id FROM requests WHERE held = $1 AND ended_at IS NULL AND id <> $2`, plain(r.Held), id).Scan(&other)
			if err == nil {
				return &HeldError{By: other}
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("look for who holds %s: %w", r.Held, err)
			}
		}
		result, err := tx.ExecContext(ctx, `UPDATE requests SET state = $1, version = version + 1, held = $2, body = $3, asked_by = $4, ended_at = $5,
			due_at = CASE WHEN $6 THEN $7 ELSE due_at END, progress = $10 WHERE id = $8 AND version = $9`,
			r.State, plain(r.Held), string(body), strings.ToLower(r.By), micros(r.EndedAt), c.Wake, s.clock(time.Now()), id, r.Version, plain(r.Progress))
		if err != nil {
			return fmt.Errorf("update request: %w", err)
		}
		if n, _ := result.RowsAffected(); n != 1 {
			return ErrStale
		}
		r.Version++
		if r.Plan != plan {
			var stored any // NULL is no plan
			if r.Plan != nil {
				text, err := json.Marshal(r.Plan)
				if err != nil {
					return fmt.Errorf("encode plan: %w", err)
				}
				stored = string(text)
			}
			if _, err := tx.ExecContext(ctx, `UPDATE requests SET plan = $1 WHERE id = $2`, stored, id); err != nil {
				return fmt.Errorf("store plan: %w", err)
			}
		}
		return s.apply(ctx, tx, r, c)
	})
	if err != nil {
		return request.Request{}, err
	}
	return r, nil
}

// Note writes what belongs to a request and leaves it as it is: log lines, memory,
// messages. r needs only its ID, Card and Asker. A job is one that must still carry the
// request, else nothing is written and it is ErrLost; 0: no job writes it.
func (s *Store) Note(ctx context.Context, r request.Request, job int64, c request.Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		if job != 0 {
			var carrier int64
			if err := tx.QueryRowContext(ctx, `SELECT carrier FROM requests WHERE id = $1`, r.ID).Scan(&carrier); err != nil {
				return fmt.Errorf("look who carries the request: %w", err)
			}
			if carrier != job {
				return ErrLost
			}
		}
		return s.apply(ctx, tx, r, c)
	})
}

// Progress says where the planning of a request stands, and has its card brought up to
// date; nothing happens to one that isn't being planned any more.
func (s *Store) Progress(ctx context.Context, r request.Request, text string) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		result, err := tx.ExecContext(ctx, `UPDATE requests SET progress = $1 WHERE id = $2 AND state = $3`, plain(text), r.ID, request.Planning)
		if err != nil {
			return fmt.Errorf("write progress: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.apply(ctx, tx, r, request.Change{Messages: []request.Message{{Request: r.ID, Kind: request.Card}}})
	})
}

func (s *Store) writeAndWake(ctx context.Context, fn func(transaction) error) error {
	if err := s.write(ctx, fn); err != nil {
		return err
	}
	s.notify()
	return nil
}

func (s *Store) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) apply(ctx context.Context, tx transaction, r request.Request, c request.Change) error {
	now := time.Now()
	if err := insertEvents(ctx, tx, c.Events...); err != nil {
		return err
	}
	for key, v := range c.Memory {
		value, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode memory %s: %w", key, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO memory (request, key, value) VALUES ($1, $2, $3)
			ON CONFLICT (request, key) DO UPDATE SET value = excluded.value`, r.ID, plain(key), string(value)); err != nil {
			return fmt.Errorf("remember %s: %w", key, err)
		}
	}
	logged, err := insertLines(ctx, tx, r.ID, c.Lines, now)
	if err != nil {
		return err
	}
	for _, m := range append(logged, c.Messages...) {
		if m.Thread == "" {
			m.Thread = m.ThreadFor(r)
		}
		if err := insertMessage(ctx, tx, m, now); err != nil {
			return err
		}
	}
	if err := insertReply(ctx, tx, r.ID, c.Reply); err != nil {
		return err
	}
	if c.Done != 0 {
		if _, err := tx.ExecContext(ctx, `UPDATE clicks SET done_at = $1 WHERE id = $2`, now.UnixMicro(), c.Done); err != nil {
			return fmt.Errorf("record that a click was answered: %w", err)
		}
	}
	if c.Wake {
		tx.job(carry{Request: r.ID})
	}
	return nil
}

// Tell writes what is recorded and told about no request.
func (s *Store) Tell(ctx context.Context, c request.Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error { return s.apply(ctx, tx, request.Request{}, c) })
}

// TellOnce does what Tell does, once for each origin; then it is ErrTaken.
func (s *Store) TellOnce(ctx context.Context, origin string, c request.Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		if err := takeOrigin(ctx, tx, origin); err != nil {
			return err
		}
		return s.apply(ctx, tx, request.Request{}, c)
	})
}

const selectRequest = `SELECT id, operation, state, version, card, held, body, plan, created_at, ended_at, carrier, progress FROM requests`

func read(row interface{ Scan(...any) error }) (request.Request, error) {
	var r request.Request
	var body string
	var plan sql.NullString
	var created, ended sql.NullInt64
	err := row.Scan(&r.ID, &r.Operation, &r.State, &r.Version, &r.Card, &r.Held, &body, &plan, &created, &ended, &r.Holder, &r.Progress)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("read request: %w", err)
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, fmt.Errorf("decode request %s: %w", r.ID, err)
	}
	if plan.Valid {
		r.Plan = &ops.Plan{}
		if err := json.Unmarshal([]byte(plan.String), r.Plan); err != nil {
			return r, fmt.Errorf("decode plan of request %s: %w", r.ID, err)
		}
	}
	r.At, r.EndedAt = moment(created), moment(ended)
	return r, nil
}

// Request reads one request; ErrNotFound if there is none.
func (s *Store) Request(ctx context.Context, id string) (request.Request, error) {
	r, err := read(s.row(ctx, selectRequest+" WHERE id = $1", plain(id)))
	return r, s.noted(err)
}

const endsWith = `SELECT id FROM requests WHERE id LIKE '%' || $1 LIMIT 2`

// Find reads the request that an ID, or the end of one, names; ErrNotFound if
// none or several do.
func (s *Store) Find(ctx context.Context, end string) (request.Request, error) {
	if strings.Trim(end, "0123456789abcdef-") != "" || end == "" {
		return request.Request{}, ErrNotFound
	}
	if len(end) == len(uuid.Nil.String()) {
		return s.Request(ctx, end)
	}
	// The IDs alone are in their index: no request is read to look at its ID.
	found, err := column[string](ctx, s.backend.run(), endsWith, end)
	if err != nil {
		return request.Request{}, fmt.Errorf("look for request %s: %w", end, s.noted(err))
	}
	if len(found) != 1 {
		return request.Request{}, ErrNotFound
	}
	return s.Request(ctx, found[0])
}

// Unfinished reads the requests that haven't ended, the oldest first.
func (s *Store) Unfinished(ctx context.Context) ([]request.Request, error) {
	return s.list(ctx, " WHERE ended_at IS NULL ORDER BY created_at, id")
}

// Newer reads the requests that were asked for after r and want to hold the same.
func (s *Store) Newer(ctx context.Context, r request.Request) ([]request.Request, error) {
	if r.Held == "" {
		return nil, nil
	}
	return s.list(ctx, " WHERE held = $1 AND id > $2 ORDER BY id", plain(r.Held), r.ID)
}

// OnCard reads the requests that a card shows, the first asked first.
func (s *Store) OnCard(ctx context.Context, card string) ([]request.Request, error) {
	return s.list(ctx, " WHERE card = $1 ORDER BY id", card)
}

const newest = ` ORDER BY created_at DESC, id DESC LIMIT `

// recentOf is of the operation $1 or of the person $2: each half has an index, and a
// condition with OR has none.
const recentOf = ` WHERE id IN (
	SELECT id FROM (SELECT id FROM requests WHERE operation = $1` + newest + `$3) AS these
	UNION SELECT id FROM (SELECT id FROM requests WHERE asked_by = $2` + newest + `$3) AS those)` + newest + `$3`

// Recent reads the newest requests that the person asked for or that are of
// the operation; an empty word matches all. At most limit are returned, and no more
// than that are read.
func (s *Store) Recent(ctx context.Context, word string, limit int) ([]request.Request, error) {
	if word == "" {
		return s.list(ctx, newest+`$1`, limit)
	}
	return s.list(ctx, recentOf, plain(word), strings.ToLower(plain(word)), limit) // a login has no case
}

func (s *Store) list(ctx context.Context, where string, args ...any) ([]request.Request, error) {
	rows, err := s.query(ctx, selectRequest+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	defer rows.Close()
	var list []request.Request
	for rows.Next() {
		r, err := read(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Recall reads what a request's steps remember under a key into v.
func (s *Store) Recall(ctx context.Context, request, key string, v any) (bool, error) {
	var value string
	err := s.row(ctx, `SELECT value FROM memory WHERE request = $1 AND key = $2`, request, plain(key)).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("recall %s: %w", key, err)
	}
	if err := json.Unmarshal([]byte(value), v); err != nil {
		return false, fmt.Errorf("recall %s: %w", key, err)
	}
	return true, nil
}
