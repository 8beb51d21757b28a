package store_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

func TestOpen(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	for _, name := range []string{"plain.db", "with space.db", "100%.db", "100%41.db", "what?.db", "a?_pragma=x&b#c.db", "ä+;='\".db", "%2e%2e.db"} {
		t.Run("a path with "+name, func(t *testing.T) {
			t.Parallel()
			folder := filepath.Join(t.TempDir(), strings.TrimSuffix(name, ".db"))
			if err := os.Mkdir(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(folder, name)
			storetest.Write(t, path)
			s := open(t, "sqlite:"+path)
			r := insert(t, s, request.Change{})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				if !strings.HasPrefix(e.Name(), name) {
					t.Errorf("there is a file %q beside %q", e.Name(), name)
				}
			}
			same(t, "the request after reopening", r, newRequest(t, open(t, "sqlite:"+path), r.ID))
		})
	}
	for _, test := range []struct{ name, address, says string }{
		{"another database", "mysql://rootbot:secret@db/rootbot", "mysql"},
		{"a PostgreSQL that isn't there", "postgres://rootbot:secret@127.0.0.1:1/rootbot", "can't be reached"},
		{"a wrong address", "postgres://rootbot:secret@127.0.0.1:port/rootbot", "DATABASE_URL"},
		{"a password with an @", "postgres://rootbot:pass@secret@127.0.0.1:1/rootbot", "an @ in the password, or in the user's name, must be written as %40"},
		{"no path", "sqlite:", "sqlite"},
		{"a file in the place of a URL's host", "sqlite://data/rootbot.db", "DATABASE_URL: write sqlite:data/rootbot.db for a path from here, or sqlite:/data/rootbot.db"},
		{"a URL without a path", "sqlite://", "sqlite:<path>"},
		{"nothing", "", "DATABASE_URL"},
		{"a folder that isn't there", "sqlite:/nowhere/at/all/rootbot.db", "/nowhere/at/all/rootbot.db"},
	} {
		t.Run(test.name+" is refused", func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), test.address, quiet)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error says %q; want %q in it and no secret", err, test.says)
			}
		})
	}
	t.Run("the path of a URL is one from the root", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "rootbot.db")
		open(t, "sqlite://"+path).Close()
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		if file, ok := store.File("sqlite://" + path); !ok || file != path {
			t.Errorf("the file is %q", file)
		}
	})
	t.Run("a relative path is one from here", func(t *testing.T) {
		t.Chdir(t.TempDir())
		open(t, "sqlite:relative.db").Close()
		if _, err := os.Stat("relative.db"); err != nil {
			t.Error(err)
		}
	})
	t.Run("a file that is no database is refused and left alone", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "letter.txt")
		letter := []byte(strings.Repeat("Dear sirs, this is a letter. ", 100))
		if err := os.WriteFile(path, letter, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := store.Open(t.Context(), "sqlite:"+path, quiet); err == nil {
			s.Close()
			t.Error("it was opened")
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(letter) {
			t.Errorf("the file was changed (%v)", err)
		}
	})
}

func TestOneProcessHasTheDatabase(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	for _, test := range []struct {
		name string
		path func(t testing.TB) string
		use  func(t *testing.T, s *store.Store)
	}{
		{"a database that was just made", func(t testing.TB) string { return filepath.Join(t.TempDir(), "new.db") }, func(*testing.T, *store.Store) {}},
		{"a database that was there and is only open", storetest.File, func(*testing.T, *store.Store) {}},
		{"a database that has been written", storetest.File, func(t *testing.T, s *store.Store) { insert(t, s, request.Change{}) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := test.path(t)
			first := open(t, "sqlite:"+path)
			test.use(t, first)
			second, err := store.Open(t.Context(), "sqlite:"+path, quiet)
			if err == nil {
				second.Close()
			}
			if !errors.Is(err, store.ErrInUse) {
				t.Errorf("the second got %v, want ErrInUse", err)
			}
			if err := first.Ping(t.Context()); err != nil {
				t.Errorf("the first is disturbed: %v", err)
			}
			insert(t, first, request.Change{})
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			open(t, "sqlite:"+path)
		})
	}
}

func TestMigrationsMayRunAgain(t *testing.T) {
	t.Parallel()
	path := "sqlite:" + filepath.Join(t.TempDir(), "rootbot.db")
	if storetest.Kind() == storetest.PostgreSQL {
		path = storetest.Address(t)
	}
	var r request.Request
	for i := range 3 {
		s := open(t, path)
		if i == 0 {
			r = insert(t, s, request.Change{Messages: []request.Message{{Kind: request.Card}}, Events: []request.Event{{At: noon, Kind: "asked"}}})
		}
		same(t, fmt.Sprintf("the request after start %d", i), r, newRequest(t, s, r.ID))
		same(t, "messages", []string{"card"}, kinds(unsent(t, s)))
		same(t, "events", []string{"asked"}, events(t, s, ""))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// crash copies the files of a database while it is open, as a power cut would
// leave them.
func crash(t *testing.T, address string) string {
	t.Helper()
	path := strings.TrimPrefix(address, "sqlite:")
	to := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		from, err := os.Open(path + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(from)
		from.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "sqlite:" + to
}
