package chaos_test

import (
	"database/sql"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// database is what the bot keeps its requests in.
type database struct {
	name     string
	replicas int           // how many processes serve it
	resumes  time.Duration // within which a kill must be made good
	address  func(t *testing.T) string
	differ   bool // each replica has settings of its own
}

var databases = []database{
	{"SQLite", 1, 5 * time.Second, func(*testing.T) string { return "sqlite:rootbot.db" }, false},
	// Who is dead is only known when its lease has run out.
	{"PostgreSQL", 2, 90 * time.Second, postgres, false},
	// And whether somebody comes back with the settings of who is dead, after a minute.
	{"PostgreSQL with two settings", 2, 150 * time.Second, postgres, true},
}

// here skips a test, loudly, whose database isn't.
func (d database) here(t *testing.T) {
	t.Helper()
	if d.replicas == 1 || strings.HasPrefix(os.Getenv("DATABASE_URL"), "postgres") {
		return
	}
	if os.Getenv("ROOTBOT_MUST_TEST") != "" {
		t.Fatal("DATABASE_URL names no PostgreSQL, and ROOTBOT_MUST_TEST wants everything tested")
	}
	t.Skip("SKIPPED: NO REPLICA WAS KILLED: DATABASE_URL names no PostgreSQL of which one is superuser")
}

// each is how many connections to PostgreSQL a test takes at most, by experience.
const each = 12

var (
	served sync.Once
	places chan struct{} // as many as PostgreSQL has connections for
)

// postgres makes a database of the test's own, once there is room for one more.
func postgres(t *testing.T) string {
	t.Helper()
	server, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", server.String())
	if err != nil {
		t.Fatal(err)
	}
	served.Do(func() {
		most := 100
		if err := db.QueryRow("SELECT setting::int FROM pg_settings WHERE name = 'max_connections'").Scan(&most); err != nil {
			t.Error(err)
		}
		places = make(chan struct{}, max(1, most/each-1))
	})
	places <- struct{}{}
	name := "chaos_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		<-places
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
		db.Close()
		<-places
	})
	here := *server
	here.Path = "/" + name
	return storetest.Patient(here)
}

// unanswered are the calls of AWS that the record has the beginning of and not
// the end: whoever made them died over them, or before it could note the answer.
func (s *scene) unanswered() []string {
	s.Helper()
	driver, address, sqlite := "pgx", s.bots[0].env["DATABASE_URL"], false
	if address, sqlite = strings.CutPrefix(address, "sqlite:"); sqlite {
		driver, address = "sqlite", filepath.Join(s.dir, address)
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT kind, data FROM events WHERE kind IN ('calling', 'called') ORDER BY seq")
	if err != nil {
		s.Fatal(err)
	}
	defer rows.Close()
	var calling []string
	for rows.Next() {
		var kind, data string
		if err := rows.Scan(&kind, &data); err != nil {
			s.Fatal(err)
		}
		var call struct{ Service, Action, Target string }
		if err := json.Unmarshal([]byte(data), &call); err != nil {
			s.Fatal(err)
		}
		name := call.Service + ":" + call.Action + " " + call.Target
		if kind == "calling" {
			calling = append(calling, name)
		} else if i := slices.Index(calling, name); i >= 0 {
			calling = slices.Delete(calling, i, i+1)
		}
	}
	if err := rows.Err(); err != nil {
		s.Fatal(err)
	}
	return calling
}
