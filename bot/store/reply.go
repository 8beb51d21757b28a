package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

func insertReply(ctx context.Context, tx transaction, thread string, r *request.Reply) error {
	if r == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO replies (thread, sealed, till) VALUES ($1, $2, $3) ON CONFLICT (thread) DO NOTHING`, thread, r.Sealed, r.Till.UnixMicro()); err != nil {
		return fmt.Errorf("insert a reply: %w", err)
	}
	return nil
}

// Reply reads where the answers of a thread go, which is a request's ID or that of the
// answers to a click; nil: nowhere in particular, or not any more.
func (s *Store) Reply(ctx context.Context, thread string) (*request.Reply, error) {
	var sealed string
	var till sql.NullInt64
	err := s.row(ctx, `SELECT sealed, till FROM replies WHERE thread = $1 AND till > $2`, thread, time.Now().UnixMicro()).Scan(&sealed, &till)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read a reply: %w", s.noted(err))
	}
	return &request.Reply{Sealed: sealed, Till: moment(till)}, nil
}

// DropReply erases where the answers of a thread go.
func (s *Store) DropReply(ctx context.Context, thread string) error {
	_, err := s.exec(ctx, `DELETE FROM replies WHERE thread = $1`, thread)
	return err
}
