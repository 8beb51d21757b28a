// Package storetest makes databases for tests: bringing one up to date takes
// longer than most tests, so it is done once a process and copied.
package storetest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws-root-account/rootbot/bot/store"
)

// blank is a database that has been brought up to date and never been used.
var blank = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "rootbot-store")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "blank.db")
	s, err := store.Open(context.Background(), "sqlite:"+path, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// File is the path of a database that has been brought up to date and never been
// used. It is removed with the test's temporary folder.
func File(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rootbot.db")
	Write(t, path)
	return path
}

// Write makes such a database at a path where there is no file yet.
func Write(t testing.TB, path string) {
	t.Helper()
	content, err := blank()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
