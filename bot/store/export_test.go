package store

import "database/sql"

// DB is for tests that do what an attacker with the file could.
func (s *Store) DB() *sql.DB { return s.db }
