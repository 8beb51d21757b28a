package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// Whoever owns the table of the audit can have it forget or change what is written.
func TestAnEventThatTheDatabaseDoesntKeepIsNoEvent(t *testing.T) {
	for _, test := range []struct{ name, sqlite, postgresql string }{
		{
			"a trigger that drops it", `CREATE TRIGGER mine BEFORE INSERT ON events WHEN NEW.kind = 'calling' BEGIN SELECT RAISE(IGNORE); END`,
			`CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.kind = 'calling' THEN RETURN NULL; END IF; RETURN NEW; END $$;
			 CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION mine()`,
		},
		{
			"a trigger that changes it", "",
			`CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.kind = 'calling' THEN NEW.by := 'another'; END IF; RETURN NEW; END $$;
			 CREATE TRIGGER mine BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION mine()`,
		},
		{"a rule in its place", "", `CREATE RULE mine AS ON INSERT TO events WHERE NEW.kind = 'calling' DO INSTEAD NOTHING`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			attack := test.sqlite
			if storetest.Kind() == storetest.PostgreSQL {
				attack = test.postgresql
			}
			if attack == "" {
				t.Skip("this database has no such thing")
			}
			s := open(t, storetest.Address(t))
			for statement := range strings.SplitSeq(attack, ";\n") {
				if _, err := s.DB().ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Record(t.Context(), request.Event{At: time.Now(), Kind: "calling", By: "octocat"})
			if err == nil {
				t.Error("it counts as recorded")
			}
			events, err := s.Events(t.Context(), "")
			if err != nil || len(events) != 0 {
				t.Errorf("%d events stand there: %v", len(events), err)
			}
		})
	}
}
