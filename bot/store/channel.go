package store

import (
	"context"
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// Channel is a channel that the settings name, as it was found.
type Channel struct {
	Workspace string
	Name      string // as the settings write it: a name without #, or an ID
	ID        string
	Title     string // what the chat called it last
}

// Channels reads the channels of a workspace that were found, by the names that the
// settings have for them.
func (s *Store) Channels(ctx context.Context, workspace string) (map[string]Channel, error) {
	rows, err := s.query(ctx, `SELECT name, id, title FROM channels WHERE workspace = $1`, workspace)
	if err != nil {
		return nil, fmt.Errorf("read the channels: %w", err)
	}
	defer rows.Close()
	list := map[string]Channel{}
	for rows.Next() {
		c := Channel{Workspace: workspace}
		if err := rows.Scan(&c.Name, &c.ID, &c.Title); err != nil {
			return nil, fmt.Errorf("read the channels: %w", err)
		}
		list[c.Name] = c
	}
	return list, rows.Err()
}

// KeepChannel remembers a channel. What is recorded and told with it is written only
// if the channel was remembered with another title, or not at all: of several
// processes that see a channel renamed, one tells.
func (s *Store) KeepChannel(ctx context.Context, channel Channel, c request.Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO channels (workspace, name, id, title, found_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (workspace, name) DO UPDATE SET id = excluded.id, title = excluded.title, found_at = excluded.found_at
			WHERE channels.id <> excluded.id OR channels.title <> excluded.title`,
			channel.Workspace, plain(channel.Name), channel.ID, plain(channel.Title), time.Now().UnixMicro())
		if err != nil {
			return fmt.Errorf("remember a channel: %w", err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return s.apply(ctx, tx, request.Request{}, c)
	})
}
