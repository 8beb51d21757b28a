package storetest

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver

	"github.com/aws-root-account/rootbot/bot/store"
)

// server is the PostgreSQL that DATABASE_URL names; nil: it names none.
func server() *url.URL {
	address, err := url.Parse(os.Getenv("DATABASE_URL"))
	if err != nil || !strings.HasPrefix(address.Scheme, "postgres") {
		return nil
	}
	return address
}

// here is where Address makes its databases: SQLite unless Everywhere says otherwise.
var here = SQLite

// Kinds of databases.
const (
	SQLite     = "SQLite"
	PostgreSQL = "PostgreSQL"
)

// Everywhere runs the tests on SQLite and then once more on a PostgreSQL, if
// DATABASE_URL names one of which one is superuser; it says loudly if not, and
// fails where ROOTBOT_MUST_TEST wants everything tested. ROOTBOT_TEST_ON=PostgreSQL
// leaves out SQLite. It returns the exit status.
func Everywhere(m *testing.M) int {
	code := 0
	if os.Getenv("ROOTBOT_TEST_ON") != PostgreSQL || server() == nil {
		code = m.Run()
	}
	switch {
	case server() != nil:
		here = PostgreSQL
		code = max(code, m.Run())
		if err := dropTemplate(); err != nil {
			fmt.Fprintln(os.Stderr, "drop the blank database:", err)
			code = max(code, 1)
		}
	case os.Getenv("ROOTBOT_MUST_TEST") != "":
		fmt.Fprintln(os.Stderr, "DATABASE_URL names no PostgreSQL, and ROOTBOT_MUST_TEST wants everything tested")
		return 1
	default:
		fmt.Fprintln(os.Stderr, "SKIPPED: NOTHING IS TESTED ON PostgreSQL: DATABASE_URL names none of which one is superuser")
	}
	return code
}

// Kind is which database Address makes now.
func Kind() string { return here }

// OnlyOn skips a test that is about another kind of database.
func OnlyOn(t testing.TB, kind string) {
	t.Helper()
	if here != kind {
		t.Skipf("it is about %s", kind)
	}
}

// Address is that of a database that has been brought up to date and never been
// used. It goes when the test ends.
func Address(t testing.TB) string {
	t.Helper()
	if here == SQLite {
		return "sqlite:" + File(t)
	}
	return Database(t)
}

// template is a PostgreSQL database from which others are copied.
var template struct {
	sync.Mutex
	name string
}

// Database makes a database on the PostgreSQL that DATABASE_URL names, which
// must name one, and returns its address.
func Database(t testing.TB) string {
	t.Helper()
	wanted(t)
	name, err := copied()
	if err != nil {
		t.Fatal(err)
	}
	return dropped(t, name)
}

// wanted skips a test loudly where there is no PostgreSQL, and fails it where
// ROOTBOT_MUST_TEST wants everything tested.
func wanted(t testing.TB) {
	t.Helper()
	if server() == nil {
		if os.Getenv("ROOTBOT_MUST_TEST") != "" {
			t.Fatal("DATABASE_URL names no PostgreSQL, and ROOTBOT_MUST_TEST wants everything tested")
		}
		t.Skip("SKIPPED: NOTHING IS TESTED ON PostgreSQL: DATABASE_URL names none of which one is superuser")
	}
}

// Empty makes a PostgreSQL database without tables and returns its address.
func Empty(t testing.TB) string {
	t.Helper()
	wanted(t)
	name := fresh("empty")
	if err := administer("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	return dropped(t, name)
}

// dropped is the address of a database that goes when the test ends.
func dropped(t testing.TB, name string) string {
	t.Helper()
	t.Cleanup(func() {
		if err := administer("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return on(name)
}

func on(name string) string {
	address := *server()
	address.Path = "/" + name
	return Patient(address)
}

// Patient is an address at which connecting takes as long as it takes on a machine that
// is busy with other tests.
func Patient(address url.URL) string {
	query := address.Query()
	query.Set("connect_timeout", "60")
	address.RawQuery = query.Encode()
	return address.String()
}

func copied() (string, error) {
	template.Lock() // PostgreSQL copies a template for one at a time
	defer template.Unlock()
	if template.name == "" {
		name := fresh("blank")
		if err := administer("CREATE DATABASE " + name); err != nil {
			return "", err
		}
		s, err := store.Open(context.Background(), on(name), slog.New(slog.DiscardHandler))
		if err != nil {
			return "", err
		}
		if err := s.Close(); err != nil {
			return "", err
		}
		template.name = name
	}
	name := fresh("test")
	return name, administer("CREATE DATABASE " + name + " TEMPLATE " + template.name)
}

func dropTemplate() error {
	template.Lock()
	defer template.Unlock()
	if template.name == "" {
		return nil
	}
	return administer("DROP DATABASE " + template.name + " WITH (FORCE)")
}

func fresh(what string) string {
	return "rootbot_" + what + "_" + strings.ReplaceAll(uuid.NewString(), "-", "")[:12]
}

// administer runs a statement as the server's superuser.
func administer(statement string) error {
	db, err := sql.Open("pgx", server().String())
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
