package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// Link says that a person of the chat has proved to be a GitHub account. One to the
// account of a member of the team gives their rights once it counts.
type Link struct {
	Workspace string
	User      string // ID in the workspace
	GitHub    int64  // GitHub's numeric ID of the account: its login can be renamed
	Login     string // as it was then
	At        time.Time
	How       string // "device flow"

	// Asked is when the log channel was first to be told of the link: that another
	// member must confirm it, or that it stands since before links were confirmed.
	// Zero: it gives no rights, so there was nothing to tell.
	Asked time.Time
	Told  time.Time // the log channel has been told; zero: not yet

	Confirmed   time.Time // zero: not yet
	ConfirmedBy string    // a GitHub login, ByOperator with the name of a terminal's user, or ByUpgrade
}

// What Link.ConfirmedBy is, or begins with, where no member of the team confirmed it.
const (
	ByUpgrade  = "upgrade"   // it stood before links were confirmed
	ByOperator = "terminal:" // the operator of the bot did, who is named behind it
)

// Counts tells whether the link may give the rights of a member: it is confirmed,
// and the log channel has been told of it first.
func (l Link) Counts() bool {
	return !l.Confirmed.IsZero() && (l.ConfirmedBy == ByUpgrade || !l.Told.IsZero())
}

// Key tells this link from every other: whose it is, to which account and since when.
func (l Link) Key() string { return fmt.Sprintf("%s:%d:%d", l.User, l.GitHub, l.At.UnixMicro()) }

// ClaimedError says that a GitHub account is linked to somebody else, or that
// the person is linked to another account.
type ClaimedError struct{ Link Link } // the one that stands

func (e *ClaimedError) Error() string {
	return fmt.Sprintf("GitHub account %d is linked to %s of workspace %s", e.Link.GitHub, e.Link.User, e.Link.Workspace)
}

const selectLink = `SELECT workspace, person, github, login, at, how, asked_at, told_at, confirmed_at, confirmed_by FROM links `

func readLink(row interface{ Scan(...any) error }) (Link, error) {
	var l Link
	var at, asked, told, confirmed sql.NullInt64
	err := row.Scan(&l.Workspace, &l.User, &l.GitHub, &l.Login, &at, &l.How, &asked, &told, &confirmed, &l.ConfirmedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return l, ErrNotFound
	}
	if err != nil {
		return l, fmt.Errorf("read link: %w", err)
	}
	l.At, l.Asked, l.Told, l.Confirmed = moment(at), moment(asked), moment(told), moment(confirmed)
	return l, nil
}

// AddLink stores a link with what is recorded and told with it, in the place of
// those that it is put over. What else stands in its way is a *ClaimedError; then
// nothing is written. ErrLost says that a link which it was to replace is gone.
func (s *Store) AddLink(ctx context.Context, l Link, c request.Change, over ...Link) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		for _, old := range over {
			if err := changed(tx.ExecContext(ctx, `DELETE FROM links`+thisLink, old.Workspace, old.User, old.GitHub, old.At.UnixMicro())); err != nil {
				return err
			}
		}
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
		if _, err := tx.ExecContext(ctx, `INSERT INTO links (workspace, person, github, login, at, how, asked_at, told_at, confirmed_at, confirmed_by)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			l.Workspace, l.User, l.GitHub, l.Login, l.At.UnixMicro(), l.How, micros(l.Asked), micros(l.Told), micros(l.Confirmed), l.ConfirmedBy); err != nil {
			return fmt.Errorf("insert link: %w", err)
		}
		return s.apply(ctx, tx, request.Request{}, c)
	})
}

// thisLink finds one link as it was read; its arguments are $1 to $4.
const thisLink = ` WHERE workspace = $1 AND person = $2 AND github = $3 AND at = $4`

// changed returns ErrLost where a statement found nothing to change.
func changed(result sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("change link: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrLost)
	}
	return nil
}

func (s *Store) changeLink(ctx context.Context, l Link, c request.Change, query string, args ...any) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		args := append([]any{l.Workspace, l.User, l.GitHub, l.At.UnixMicro()}, args...)
		if err := changed(tx.ExecContext(ctx, query, args...)); err != nil {
			return err
		}
		return s.apply(ctx, tx, request.Request{}, c)
	})
}

// AskAboutLink notes that the log channel is to be told of a link, once; then it is ErrLost.
func (s *Store) AskAboutLink(ctx context.Context, l Link, at time.Time, c request.Change) error {
	return s.changeLink(ctx, l, c, `UPDATE links SET asked_at = $5`+thisLink+` AND asked_at IS NULL`, at.UnixMicro())
}

// ToldOfLink notes that the log channel has been told of a link. One that is gone needs no note.
func (s *Store) ToldOfLink(ctx context.Context, l Link, at time.Time) error {
	err := s.changeLink(ctx, l, request.Change{}, `UPDATE links SET told_at = $5`+thisLink+` AND told_at IS NULL`, at.UnixMicro())
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// ConfirmLink notes who confirmed a link. ErrLost says that it is gone, or was
// confirmed before.
func (s *Store) ConfirmLink(ctx context.Context, l Link, by string, at time.Time, c request.Change) error {
	return s.changeLink(ctx, l, c, `UPDATE links SET confirmed_at = $5, confirmed_by = $6, asked_at = COALESCE(asked_at, $5)`+thisLink+` AND confirmed_at IS NULL`, at.UnixMicro(), by)
}

// EndLink takes a link away; ErrLost if it is gone.
func (s *Store) EndLink(ctx context.Context, l Link, c request.Change) error {
	return s.changeLink(ctx, l, c, `DELETE FROM links`+thisLink)
}

// LinkOf reads a person's link; ErrNotFound if there is none.
func (s *Store) LinkOf(ctx context.Context, workspace, user string) (Link, error) {
	return readLink(s.row(ctx, selectLink+`WHERE workspace = $1 AND person = $2`, workspace, user))
}

// LinkTo reads the link to a GitHub account; ErrNotFound if there is none.
func (s *Store) LinkTo(ctx context.Context, github int64) (Link, error) {
	return readLink(s.row(ctx, selectLink+`WHERE github = $1`, github))
}

// Links reads the links of a workspace; an empty one: of all.
func (s *Store) Links(ctx context.Context, workspace string) ([]Link, error) {
	rows, err := s.query(ctx, selectLink+`WHERE workspace = $1 OR CAST($1 AS TEXT) = '' ORDER BY workspace, person`, workspace)
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
