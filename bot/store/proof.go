package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// Proof says that a person of the chat has signed in to a GitHub account.
type Proof struct {
	Workspace string
	User      string // ID in the workspace
	GitHub    int64  // GitHub's numeric ID of the account
	Login     string // as it was then
	At        time.Time
}

// AddProof stores a proof, in the place of the person's earlier one, with what is
// recorded and told with it.
func (s *Store) AddProof(ctx context.Context, p Proof, c request.Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO proofs (workspace, person, github, login, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (workspace, person) DO UPDATE SET github = excluded.github, login = excluded.login, at = excluded.at`,
			p.Workspace, p.User, p.GitHub, p.Login, p.At.UnixMicro()); err != nil {
			return fmt.Errorf("insert proof: %w", err)
		}
		return s.apply(ctx, tx, request.Request{}, c)
	})
}

// ProofOf reads a person's newest proof; ErrNotFound if there is none.
func (s *Store) ProofOf(ctx context.Context, workspace, user string) (Proof, error) {
	var p Proof
	var at int64
	err := s.row(ctx, `SELECT workspace, person, github, login, at FROM proofs WHERE workspace = $1 AND person = $2`, workspace, user).
		Scan(&p.Workspace, &p.User, &p.GitHub, &p.Login, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("read proof: %w", err)
	}
	p.At = time.UnixMicro(at).UTC()
	return p, nil
}
