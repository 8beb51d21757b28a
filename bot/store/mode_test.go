package store_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// The umask is the process's, so no other test runs beside this one.
func TestTheFilesOfADatabaseAreTheirOwnersAlone(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	before := syscall.Umask(0)
	defer syscall.Umask(before)
	for _, test := range []struct {
		name string
		mode os.FileMode // of a file that is there; 0: there is none
		says bool
	}{
		{"one that is made", 0, false},
		{"one that is there for its owner", 0o600, false},
		{"one that its group may read", 0o640, true},
		{"one that all may read", 0o644, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "rootbot.db")
			if test.mode != 0 {
				storetest.Write(t, path)
				if err := os.Chmod(path, test.mode); err != nil {
					t.Fatal(err)
				}
			}
			var log bytes.Buffer
			s, err := store.Open(t.Context(), "sqlite:"+path, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			insert(t, s, request.Change{})
			files, err := filepath.Glob(path + "*")
			if err != nil || len(files) < 2 {
				t.Fatalf("the files are %v: %v", files, err)
			}
			want := test.mode
			if want == 0 {
				want = 0o600
			}
			for _, file := range files {
				if stat, err := os.Stat(file); err != nil || stat.Mode().Perm() != want {
					t.Errorf("%s: %v, %v", filepath.Base(file), stat.Mode(), err)
				}
			}
			if said := strings.Contains(log.String(), "chmod 600 "+path); said != test.says {
				t.Errorf("it says %q", log.String())
			}
		})
	}
}
