package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Own tells the other processes which GitHub token stands in this one's environment,
// from the next Join on: whoever can enter it has that token, so it proves nobody to
// them. Only a digest is stored. An empty token is none.
func (s *Store) Own(token string) { s.processes.token = digestOf(token) }

// Owned tells whether another living process has said that a token is its own.
func (s *Store) Owned(ctx context.Context, token string) (bool, error) {
	if token == "" {
		return false, nil
	}
	holders, err := column[string](ctx, s.backend.run(), `SELECT id FROM processes WHERE token = $1`, digestOf(token))
	if err != nil {
		return false, fmt.Errorf("look whose the token is: %w", s.noted(err))
	}
	all, err := s.Processes(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range all {
		for _, id := range holders {
			if p.ID == id && p.Lives && id != s.id {
				return true, nil
			}
		}
	}
	return false, nil
}

// digestOf is the same for the same token, and tells nothing of it: tokens are long
// and drawn by chance.
func digestOf(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte("rootbot token " + token))
	return hex.EncodeToString(sum[:])
}
