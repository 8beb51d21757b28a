package store_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// pgbouncer starts a PgBouncer before the PostgreSQL at an address, and returns the
// same database's address behind it. Each has a line of its configuration for itself.
func pgbouncer(t *testing.T, address string, settings ...string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer" // outside of a user's path
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("ROOTBOT_MUST_TEST") != "" {
			t.Fatal("there is no pgbouncer, and ROOTBOT_MUST_TEST wants everything tested")
		}
		t.Skip("SKIPPED: NOTHING IS TESTED BEHIND PgBouncer: there is no pgbouncer")
	}
	behind, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().(*net.TCPAddr)
	free.Close()
	file := filepath.Join(t.TempDir(), "pgbouncer.ini")
	config := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nauth_type = any\nunix_socket_dir =\n%s\n",
		behind.Hostname(), behind.Port(), behind.User.Username(), at.Port, strings.Join(settings, "\n"))
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, file)
	if os.Getuid() == 0 {
		unprivileged(t, command, file) // PgBouncer refuses root
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		conn, err := net.Dial("tcp", at.String())
		if err == nil {
			conn.Close()
			break
		}
		if time.Since(begun) > 20*time.Second {
			t.Fatal(err)
		}
	}
	before := *behind
	before.Host = at.String()
	return before.String()
}

// unprivileged has a command run as nobody, who may read the file.
func unprivileged(t *testing.T, command *exec.Cmd, file string) {
	t.Helper()
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	// Nobody may enter the test's own folder.
	open, err := os.MkdirTemp("", "pgbouncer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	path := filepath.Join(open, "pgbouncer.ini")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mine := range []string{open, path} {
		if err := os.Chown(mine, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	command.Args[1], command.Dir = path, open
}

// ask asks PostgreSQL itself for one number.
func ask(t *testing.T, address, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBehindPgBouncerInItsDefaultsTheBotWorksWithItsLimits(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	address := storetest.Database(t)
	s := open(t, pgbouncer(t, address)+"&lock_timeout=7s")
	insert(t, s, request.Change{Events: []request.Event{{At: time.Now(), Kind: "asked"}}})
	if err := s.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	limits := map[string]string{}
	for _, name := range []string{"application_name", "idle_in_transaction_session_timeout", "lock_timeout", "statement_timeout", "synchronous_commit"} {
		var value string
		if err := s.DB().QueryRowContext(t.Context(), "SELECT current_setting($1)", name).Scan(&value); err != nil {
			t.Fatal(err)
		}
		limits[name] = value
	}
	same(t, "the limits of a session", map[string]string{
		"application_name": "rootbot", "idle_in_transaction_session_timeout": "5s", "lock_timeout": "7s", "statement_timeout": "1min", "synchronous_commit": "on",
	}, limits)
	woken := make(chan struct{}, 1)
	if err := s.Start(t.Context(), 2, func(context.Context, string, int64) time.Duration {
		select {
		case woken <- struct{}{}:
		default:
		}
		return 0
	}, func(context.Context, int64) time.Duration { return 0 }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.WithoutCancel(t.Context())) })
	r := insert(t, s, request.Change{Wake: true})
	select {
	case <-woken:
	case <-time.After(20 * time.Second):
		t.Errorf("nobody was woken for request %s", r.ID)
	}
}

func TestAPoolerThatTakesTheSessionAwayIsRefusedInOneLine(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	for name, settings := range map[string][]string{
		"by transaction":                                 {"pool_mode = transaction"},
		"by transaction, the servers in turn":            {"pool_mode = transaction", "server_round_robin = 1", "min_pool_size = 3"},
		"by transaction, with one server":                {"pool_mode = transaction", "default_pool_size = 1"},
		"by transaction, whatever stands in the address": {"pool_mode = transaction", "ignore_startup_parameters = extra_float_digits,lock_timeout,statement_timeout"},
		"by statement":                                   {"pool_mode = statement"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := storetest.Database(t)
			s, err := store.Open(t.Context(), pgbouncer(t, address, settings...), quiet)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if text := err.Error(); !strings.HasPrefix(text, "DATABASE_URL leads through a connection pooler") || strings.Contains(text, "\n") {
				t.Errorf("it says %q", text)
			}
			if n := ask(t, address, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"); n != 0 {
				t.Errorf("%d locks stay held", n)
			}
		})
	}
}

func TestAPoolerWithFewConnectionsIsToldAtTheStart(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	behind := pgbouncer(t, storetest.Database(t), "pool_mode = session", "default_pool_size = 5")
	for _, test := range []struct{ name, more, says string }{
		{"for what the bot may open", "", "gives rootbot 5 of the 12 connections that it may open: raise the pooler's default_pool_size, or write pool_max_conns=5 into DATABASE_URL, 4 at least"},
		{"for what the address lets it open", "&pool_max_conns=5", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			s, err := store.Open(t.Context(), behind+test.more, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if said := log.String(); !strings.Contains(said, test.says) || test.says == "" && said != "" {
				t.Errorf("the log says %q, not %q", said, test.says)
			}
		})
	}
}
