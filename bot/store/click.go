package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// InsertClick stores a click and wakes who answers it. It sets c.ID. One with
// an origin that was taken before isn't stored, and ErrTaken returned.
func (s *Store) InsertClick(ctx context.Context, c *request.Click) error {
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode click: %w", err)
	}
	stored := *c
	if err := s.accept(ctx, func(tx transaction) error {
		if err := takeOrigin(ctx, tx, stored.Origin); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `INSERT INTO clicks (request, verb, body, origin, at, due_at) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			plain(stored.Request), plain(stored.Verb), string(body), stored.Origin, stored.At.UnixMicro(), s.clock(time.Now())).Scan(&stored.ID); err != nil {
			return fmt.Errorf("insert click: %w", err)
		}
		tx.job(click{ID: stored.ID})
		return insertReply(ctx, tx, stored.Thread(), c.Reply)
	}); err != nil {
		return err
	}
	c.ID = stored.ID
	return nil
}

// Click reads one click; ErrNotFound if there is none.
func (s *Store) Click(ctx context.Context, id int64) (request.Click, error) {
	c := request.Click{ID: id}
	var body string
	var at, done sql.NullInt64
	err := s.row(ctx, `SELECT request, verb, body, at, done_at FROM clicks WHERE id = $1`, id).Scan(&c.Request, &c.Verb, &body, &at, &done)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("read click: %w", err)
	}
	if err := json.Unmarshal([]byte(body), &c); err != nil {
		return c, fmt.Errorf("decode click %d: %w", id, err)
	}
	c.At, c.Done = moment(at), done.Valid
	return c, nil
}

// AnswerClick records that a click was answered, with what that is told and
// recorded with. The request itself stays as it is.
func (s *Store) AnswerClick(ctx context.Context, c request.Click, change request.Change) error {
	change.Done = c.ID
	return s.writeAndWake(ctx, func(tx transaction) error {
		return s.apply(ctx, tx, request.Request{ID: c.Request, Card: c.Request}, change)
	})
}

// VoidClick takes back a click that may have been stored after whoever pressed
// was told that it wasn't. It tells whether there was one. Since transactions that
// write follow one another, none is stored once it has returned.
func (s *Store) VoidClick(ctx context.Context, origin string, e request.Event) (bool, error) {
	found := false
	err := s.write(ctx, func(tx transaction) error {
		result, err := tx.ExecContext(ctx, `UPDATE clicks SET done_at = $1 WHERE origin = $2 AND done_at IS NULL`, time.Now().UnixMicro(), origin)
		if err != nil {
			return fmt.Errorf("take a click back: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		found = true
		return insertEvents(ctx, tx, e)
	})
	return err == nil && found, err
}
