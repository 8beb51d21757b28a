package store_test

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// ill wants a *Fault that says why, of writing and of Ping.
func ill(t *testing.T, s *store.Store, why string) {
	t.Helper()
	for name, err := range map[string]error{
		"storing a request": s.Insert(t.Context(), asked(), request.Change{}), "Ping": s.Ping(t.Context()),
	} {
		fault, ok := errors.AsType[*store.Fault](err)
		if !ok || !strings.Contains(fault.Why, why) {
			t.Errorf("%s: %v; want a fault that says %q", name, err, why)
		}
	}
}

// well wants the store to work again by itself, and to say so a little later.
func well(t *testing.T, s *store.Store, before ...string) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); s.Ping(t.Context()) != nil; <-tick.C {
		if time.Since(begun) > 20*time.Second {
			t.Fatalf("the store doesn't get well: %v", s.Ping(t.Context()))
		}
	}
	insert(t, s, request.Change{Messages: []request.Message{{Kind: request.Card}}, Events: []request.Event{{At: noon, Kind: "asked"}}})
	same(t, "events", append(before, "asked"), events(t, s, ""))
	if _, err := s.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestAFullDisk(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	s := open(t, storetest.Address(t))
	var pages int
	if err := s.DB().QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages); err != nil {
		t.Fatal(err)
	}
	// SQLite has the same code for this as for a disk that is full: SQLITE_FULL.
	limit := func(n int) {
		t.Helper()
		var got int
		if err := s.DB().QueryRowContext(t.Context(), "PRAGMA max_page_count = "+strconv.Itoa(n)).Scan(&got); err != nil || got != n {
			t.Fatalf("%d pages: %v", got, err)
		}
	}
	limit(pages)
	long := request.Event{At: noon, Kind: "long", Data: map[string]any{"text": strings.Repeat("words ", 50_000)}}
	err := s.Record(t.Context(), long)
	if fault, ok := errors.AsType[*store.Fault](err); !ok || !strings.Contains(fault.Why, "full") {
		t.Errorf("recording on a full disk: %v", err)
	}
	if fault, ok := errors.AsType[*store.Fault](s.Ping(t.Context())); !ok || !strings.Contains(fault.Why, "full") {
		t.Errorf("Ping: %v", s.Ping(t.Context()))
	}
	same(t, "events on a full disk", []string{}, events(t, s, ""))
	limit(pages * 100)
	well(t, s)
}

func TestADatabaseFileThatIsTakenAway(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	path := storetest.File(t)
	s := open(t, "sqlite:"+path)
	insert(t, s, request.Change{Events: []request.Event{{At: noon, Kind: "before"}}})
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	ill(t, s, "gone")
	// Another one in its place isn't the database either.
	storetest.Write(t, path)
	ill(t, s, "another file")
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	well(t, s, "before")
}

func TestADamagedFileIsRefusedInWords(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	path := storetest.File(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4096; i < len(content); i++ {
		content[i] ^= 0x5a
	}
	damaged := filepath.Join(t.TempDir(), "damaged.db")
	if err := os.WriteFile(damaged, content, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), "sqlite:"+damaged, quiet)
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if !strings.Contains(err.Error(), "damaged") {
		t.Errorf("the error is %v", err)
	}
}

func TestAPostgreSQLThatGoesAwayAndComesBack(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	s := open(t, address)
	insert(t, s, request.Change{Events: []request.Event{{At: noon, Kind: "before"}}})
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(at.Path, "/")
	at.Path = "/postgres"
	admin, err := sql.Open("pgx", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	do := func(statement string) {
		t.Helper()
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	do("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false")
	do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "'")
	for name, err := range map[string]error{"storing a request": s.Insert(t.Context(), asked(), request.Change{}), "Ping": s.Ping(t.Context())} {
		if _, ok := errors.AsType[*store.Fault](err); !ok {
			t.Errorf("%s: %v; want a fault", name, err)
		}
	}
	do("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true")
	well(t, s, "before")
}

// After a failover, connections may still lead to the server that was demoted.
func TestAPostgreSQLThatCanOnlyBeReadForAWhileIsUsedAgain(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	address := storetest.Address(t)
	s := open(t, address)
	admin, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	do := func(statement string) {
		t.Helper()
		if _, err := admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(at.Path, "/")
	do("ALTER DATABASE " + name + " SET default_transaction_read_only = on")
	do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" + name + "' AND pid <> pg_backend_pid()")
	for range 3 { // the first may meet a connection that was cut
		err = s.Insert(t.Context(), asked(), request.Change{})
	}
	if fault, ok := errors.AsType[*store.Fault](err); !ok || !strings.Contains(fault.Why, "only be read") {
		t.Errorf("storing a request: %v", err)
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("it is ready")
	}
	do("SET default_transaction_read_only = off")
	do("ALTER DATABASE " + name + " RESET default_transaction_read_only")
	well(t, s)
}

// Somebody who waits for 2 s must not wait for longer than that.
func TestALockedPostgreSQLIsGivenUpInTime(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	s := open(t, storetest.Address(t))
	tx, err := s.DB().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(t.Context(), "LOCK TABLE requests"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begun := time.Now()
	err = s.Insert(ctx, asked(), request.Change{})
	if fault, ok := errors.AsType[*store.Fault](err); !ok || !strings.Contains(fault.Why, "slow") || time.Since(begun) > 2*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	well(t, s)
	if list, err := s.Unfinished(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("%d requests are there, want the one that was stored: %v", len(list), err)
	}
}
