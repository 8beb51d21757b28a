package store

import (
	"context"
	"database/sql"
	"time"
)

// DB is for tests that do what an attacker with the file could.
func (s *Store) DB() *sql.DB { return s.db }

// Beat says that the process lives.
func (s *Store) Beat(ctx context.Context) error { return s.beat(ctx) }

// ForgetProcesses forgets those that have long been gone.
func (s *Store) ForgetProcesses(ctx context.Context) error { return s.forgetProcesses(ctx) }

// StoodStill has the process have stood still until now for so long.
func (s *Store) StoodStill(d time.Duration) {
	s.processes.mu.Lock()
	defer s.processes.mu.Unlock()
	s.processes.last = time.Now().Add(-d)
}

// Questions are the queries that look at what was done, by what they are about.
var Questions = map[string]string{
	"recent of an operation or a person": selectRequest + recentOf, "recent of all": selectRequest + newest + "$1", "the end of an ID": endsWith,
	"events of a request": "SELECT seq FROM events WHERE request = $1 ORDER BY seq", "events of a kind": "SELECT seq FROM events WHERE kind = $1 ORDER BY seq",
}
