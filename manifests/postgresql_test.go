package manifests_test

import (
	"database/sql"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// postgres is a database of a real PostgreSQL for a superuser and for a role
// called bot that owns it, as an installer makes one.
func postgres(t *testing.T) (admin, bot *url.URL, as string) {
	t.Helper()
	server, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err != nil || !strings.HasPrefix(server.Scheme, "postgres") {
		if os.Getenv("ROOTBOT_MUST_TEST") != "" {
			t.Fatal("DATABASE_URL names no PostgreSQL, and ROOTBOT_MUST_TEST wants everything tested")
		}
		t.Skip("SKIPPED: postgresql/events.sql IS NOT TESTED: DATABASE_URL names no PostgreSQL of which one is superuser")
	}
	as = "rootbot_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	everywhere := connect(t, server)
	for _, statement := range []string{
		"CREATE ROLE " + as + " LOGIN PASSWORD 'horse'", "CREATE ROLE " + as + "_keeper", "GRANT " + as + "_keeper TO " + as, "CREATE DATABASE " + as + " OWNER " + as,
	} {
		must(t, everywhere, statement)
	}
	t.Cleanup(func() {
		for _, statement := range []string{"DROP DATABASE " + as + " WITH (FORCE)", "DROP ROLE " + as, "DROP ROLE " + as + "_keeper"} {
			if _, err := everywhere.Exec(statement); err != nil {
				t.Errorf("%s: %v", statement, err)
			}
		}
		everywhere.Close()
	})
	there, here := *server, *server
	there.Path, here.Path = "/"+as, "/"+as
	here.User = url.UserPassword(as, "horse")
	return &there, &here, as
}

func connect(t *testing.T, address *url.URL) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", address.String())
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func must(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// record starts and records an event, as the bot does.
func record(t *testing.T, address *url.URL) {
	t.Helper()
	s, err := store.Open(t.Context(), address.String(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Record(t.Context(), request.Event{At: time.Now(), Kind: "asked", By: "octocat"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

func TestOnPostgreSQLTheBotCanAddEventsAndNeitherChangeNorDeleteAny(t *testing.T) {
	admin, bot, as := postgres(t)
	db := connect(t, bot)
	t.Cleanup(func() { db.Close() })
	record(t, bot)
	for range 2 { // once more does no harm
		command := exec.CommandContext(t.Context(), "psql", "--no-psqlrc", "--dbname", admin.String(), "--set", "bot="+as, "--set", "keeper="+as+"_keeper", "--file", "postgresql/events.sql")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("psql: %v\n%s", err, out)
		}
	}
	record(t, bot) // it still starts, and writes
	must(t, db, "CREATE TABLE more (id BIGINT)")
	must(t, db, "ALTER TABLE requests ADD COLUMN colour TEXT")
	for _, statement := range []string{
		"UPDATE events SET by = 'x'", "DELETE FROM events", "TRUNCATE events", "DROP TABLE events", "DROP SCHEMA public CASCADE",
		"ALTER TABLE events RENAME TO others", "ALTER TABLE events DISABLE TRIGGER ALL", "DROP TRIGGER events_are_kept ON events", "ALTER TABLE events OWNER TO " + as,
		"CREATE OR REPLACE FUNCTION events_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$", "DROP FUNCTION events_are_kept() CASCADE",
		"GRANT ALL ON events TO " + as, "GRANT " + as + "_keeper TO " + as, "SET ROLE " + as + "_keeper", "SET session_replication_role = replica",
		"CREATE RULE hide AS ON INSERT TO events DO INSTEAD NOTHING", "CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION events_are_kept()",
		"CREATE OR REPLACE FUNCTION events_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$", "DROP FUNCTION events_only_grow() CASCADE",
		"CREATE OR REPLACE FUNCTION rootbot_audit.events_only_grow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
		"DROP FUNCTION rootbot_audit.events_only_grow() CASCADE", "DROP TRIGGER events_insert ON events", "DROP SCHEMA rootbot_audit CASCADE",
		"ALTER FUNCTION rootbot_audit.events_only_grow() SET search_path = public", "CREATE TABLE rootbot_audit.others (id BIGINT)",
		"CREATE FUNCTION rootbot_audit.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$", "ALTER TABLE events SET SCHEMA public",
		"CREATE TABLE child () INHERITS (events)", "CREATE INDEX mine ON events (by)", "ALTER TABLE events ENABLE ROW LEVEL SECURITY", "CREATE POLICY none ON events USING (false)",
		"INSERT INTO events VALUES (1, 1, '', 'asked', 'x', '{}', '') ON CONFLICT (seq) DO UPDATE SET by = 'x'", "ALTER DATABASE " + as + " RENAME TO " + as + "_gone",
	} {
		// A statement that does nothing but warn has changed nothing either: what counts is below.
		if _, err := db.Exec(statement); err == nil && !strings.HasPrefix(statement, "GRANT ALL") {
			t.Errorf("the bot could %s", statement)
		}
	}
	// A table that passes for the events is not taken for them.
	must(t, db, "CREATE TABLE public.events (seq BIGINT PRIMARY KEY, at BIGINT, request TEXT, kind TEXT, by TEXT, data TEXT, hash TEXT)")
	record(t, bot)
	must(t, db, "DROP TABLE public.events")
	var n int
	var by string
	if err := db.QueryRow("SELECT count(*), min(by) FROM events").Scan(&n, &by); err != nil || n != 3 || by != "octocat" {
		t.Errorf("there are %d events, by %q: %v", n, by, err)
	}
	owner := connect(t, admin)
	defer owner.Close()
	var others int
	if err := owner.QueryRow(`SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
		WHERE t.tgrelid = 'events'::regclass AND (pg_get_userbyid(p.proowner) <> $1 OR p.prosecdef)`, as+"_keeper").Scan(&others); err != nil || others != 0 {
		t.Errorf("%d functions of triggers aren't the keeper's: %v", others, err)
	}
	if _, err := owner.Exec("DELETE FROM events"); err == nil {
		t.Error("a superuser deletes events without a word")
	}
}
