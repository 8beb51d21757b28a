package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Link says that a person of the chat has proved to be a GitHub account.
type Link struct {
	Workspace string
	User      string // ID in the workspace
	GitHub    int64  // GitHub's numeric ID of the account: its login can be renamed
	Login     string // as it was then
	At        time.Time
	How       string // "device flow"
}

// ClaimedError says that a GitHub account is linked to somebody else, or that
// the person is linked to another account.
type ClaimedError struct{ Link Link } // the one that stands

func (e *ClaimedError) Error() string {
	return fmt.Sprintf("GitHub account %d is linked to %s of workspace %s", e.Link.GitHub, e.Link.User, e.Link.Workspace)
}

const selectLink = `SELECT workspace, person, github, login, at, how FROM links `

func readLink(row interface{ Scan(...any) error }) (Link, error) {
	var l Link
	var at sql.NullInt64
	err := row.Scan(&l.Workspace, &l.User, &l.GitHub, &l.Login, &at, &l.How)
	if errors.Is(err, sql.ErrNoRows) {
		return l, ErrNotFound
	}
	if err != nil {
		return l, fmt.Errorf("read link: %w", err)
	}
	l.At = moment(at)
	return l, nil
}

// AddLink stores a link with what is recorded and told with it. What stands in
// its way is a *ClaimedError; then nothing is written.
func (s *Store) AddLink(ctx context.Context, l Link, c Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		for _, there := range []struct {
			where string
			args  []any
		}{{`WHERE github = $1`, []any{l.GitHub}}, {`WHERE workspace = $1 AND person = $2`, []any{l.Workspace, l.User}}} {
			old, err := readLink(tx.QueryRowContext(ctx, selectLink+there.where, there.args...))
			if err == nil {
				return &ClaimedError{old}
			}
			if !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO links (workspace, person, github, login, at, how) VALUES ($1, $2, $3, $4, $5, $6)`,
			l.Workspace, l.User, l.GitHub, l.Login, l.At.UnixMicro(), l.How); err != nil {
			return fmt.Errorf("insert link: %w", err)
		}
		return s.apply(ctx, tx, Request{}, c)
	})
}

// RemoveLink takes a person's link away; ErrNotFound if there is none.
func (s *Store) RemoveLink(ctx context.Context, workspace, user string, c Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM links WHERE workspace = $1 AND person = $2`, workspace, user)
		if err != nil {
			return fmt.Errorf("remove link: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrNotFound)
		}
		return s.apply(ctx, tx, Request{}, c)
	})
}

// LinkOf reads a person's link; ErrNotFound if there is none.
func (s *Store) LinkOf(ctx context.Context, workspace, user string) (Link, error) {
	return readLink(s.row(ctx, selectLink+`WHERE workspace = $1 AND person = $2`, workspace, user))
}

// LinkTo reads the link to a GitHub account; ErrNotFound if there is none.
func (s *Store) LinkTo(ctx context.Context, github int64) (Link, error) {
	return readLink(s.row(ctx, selectLink+`WHERE github = $1`, github))
}

// Links reads the links of a workspace.
func (s *Store) Links(ctx context.Context, workspace string) ([]Link, error) {
	rows, err := s.query(ctx, selectLink+`WHERE workspace = $1 ORDER BY person`, workspace)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	defer rows.Close()
	var list []Link
	for rows.Next() {
		l, err := readLink(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, rows.Err()
}

// Workspaces are the IDs of those that links or found channels are of, in their order.
func (s *Store) Workspaces(ctx context.Context) ([]string, error) {
	rows, err := s.query(ctx, `SELECT workspace FROM links UNION SELECT workspace FROM channels ORDER BY workspace`)
	if err != nil {
		return nil, fmt.Errorf("list workspaces: %w", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("list workspaces: %w", err)
		}
		list = append(list, id)
	}
	return list, rows.Err()
}
