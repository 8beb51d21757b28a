package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

// told are six events of two requests and of none, with all sorts of texts.
func told(t *testing.T) (*store.Store, []request.Event) {
	t.Helper()
	s := open(t, storetest.Address(t))
	r := insert(t, s, request.Change{Events: []request.Event{{At: noon, Request: "r1", Kind: "asked", By: "slack:T1/U1", Data: map[string]any{"inputs": map[string]any{"emails": []string{"ann@example.gov.uk"}}}}}})
	update(t, s, r.ID, func(*request.Request) request.Change {
		return request.Change{Events: []request.Event{{At: noon.Add(time.Second), Request: "r1", Kind: "admitted", By: "octocat"}, {At: noon.Add(time.Second), Request: "r2", Kind: "planned", By: "grüße\n", Data: map[string]any{"n": 1, "deep": []any{nil, true, "</script>"}}}}}
	})
	for i := range 3 {
		if err := s.Record(t.Context(), request.Event{At: noon.Add(time.Duration(i) * time.Minute), Kind: "called", Data: map[string]any{"action": fmt.Sprint("Action", i)}}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 6 {
		t.Fatalf("%d events", len(all))
	}
	return s, all
}

// worked is how long this process has had a core to itself. What others do on the
// machine doesn't make it longer.
func worked(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// force does to the database what only its owner could: the triggers go first.
func force(t *testing.T, s *store.Store, statements ...string) {
	t.Helper()
	triggers := []string{"DROP TRIGGER IF EXISTS events_update", "DROP TRIGGER IF EXISTS events_delete", "DROP TRIGGER IF EXISTS events_insert"}
	if storetest.Kind() == storetest.PostgreSQL {
		triggers = []string{"DROP FUNCTION IF EXISTS events_only_grow CASCADE"}
	}
	for _, statement := range append(triggers, statements...) {
		if _, err := s.DB().ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func verify(t *testing.T, s *store.Store, anchors ...store.Head) (store.Head, int64) {
	t.Helper()
	head, err := s.Verify(t.Context(), anchors)
	if broken, ok := errors.AsType[*store.BrokenError](err); ok {
		if !strings.Contains(err.Error(), fmt.Sprintf("event %d: ", broken.Seq)) {
			t.Errorf("the error doesn't name the event: %v", err)
		}
		return head, broken.Seq
	}
	if err != nil {
		t.Fatal(err)
	}
	return head, 0
}

func TestAnAuditThatNobodyTouchedStands(t *testing.T) {
	t.Parallel()
	s, all := told(t)
	last := store.Head{Seq: 6, Hash: all[5].Hash}
	for _, anchors := range [][]store.Head{nil, {last}, {{Seq: 1, Hash: all[0].Hash}, {Seq: 4, Hash: all[3].Hash}, last, last}} {
		if head, broken := verify(t, s, anchors...); broken != 0 || head != last {
			t.Errorf("with %d anchors the head is %v, and event %d is broken", len(anchors), head, broken)
		}
	}
	head, err := s.Head(t.Context())
	if err != nil || head != last {
		t.Errorf("the head is %v (%v), want %v", head, err, last)
	}
	if parsed, err := store.ParseHead(head.String()); err != nil || parsed != head {
		t.Errorf("%v is read as %v: %v", head, parsed, err)
	}
	fresh := open(t, storetest.Address(t))
	if head, broken := verify(t, fresh); broken != 0 || head != (store.Head{}) {
		t.Errorf("an empty audit: %v, %d", head, broken)
	}
}

func TestEveryFlippedByteOfEveryEventIsFound(t *testing.T) {
	t.Parallel()
	s, all := told(t)
	force(t, s)
	flips := 0
	for _, e := range all {
		for _, column := range []string{"at", "request", "kind", "by", "data", "hash"} {
			var was any
			if err := s.DB().QueryRowContext(t.Context(), fmt.Sprintf(`SELECT %s FROM events WHERE seq = $1`, column), e.Seq).Scan(&was); err != nil {
				t.Fatal(err)
			}
			set := func(v any) {
				t.Helper()
				if _, err := s.DB().ExecContext(t.Context(), fmt.Sprintf(`UPDATE events SET %s = $1 WHERE seq = $2`, column), v, e.Seq); err != nil {
					t.Fatal(err)
				}
			}
			var others []any
			switch was := was.(type) {
			case int64:
				for bit := range 56 {
					others = append(others, was^(1<<bit))
				}
			case string:
				for i := range len(was) {
					for _, bit := range []byte{0x01, 0x20, 0x80} {
						b := []byte(was)
						b[i] ^= bit
						others = append(others, string(b))
					}
				}
				others = append(others, was+"x", was+" ", nil, []byte(was+"\x00"))
				if was != "" {
					others = append(others, "", was[:len(was)-1])
				}
			default:
				t.Fatalf("%s of event %d is a %T", column, e.Seq, was)
			}
			for _, other := range others {
				if other == nil {
					continue // the column is NOT NULL
				}
				if text := fmt.Sprintf("%s", other); storetest.Kind() == storetest.PostgreSQL && (!utf8.ValidString(text) || strings.Contains(text, "\x00")) {
					continue // PostgreSQL keeps no such text
				}
				set(other)
				if _, broken := verify(t, s); broken != e.Seq {
					t.Fatalf("%s of event %d made %q: event %d is named", column, e.Seq, other, broken)
				}
				flips++
			}
			set(was)
		}
	}
	if _, broken := verify(t, s); broken != 0 || flips < 700 {
		t.Errorf("after %d flips were undone, event %d is broken", flips, broken)
	}
}

func TestWhoeverChangesTheAuditIsFoundOut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		do       []string
		anchored []int64 // events whose heads are anchored
		broken   int64
	}{
		{"an event in the middle is deleted", []string{`DELETE FROM events WHERE seq = 3`}, nil, 3},
		{"the first event is deleted", []string{`DELETE FROM events WHERE seq = 1`}, nil, 1},
		{"an event is deleted and the rest moved up", []string{`DELETE FROM events WHERE seq = 3`, `UPDATE events SET seq = seq - 1 WHERE seq > 3`}, nil, 3},
		{"two events change places", []string{`UPDATE events SET seq = -seq WHERE seq IN (3, 4)`, `UPDATE events SET seq = 7 + seq WHERE seq < 0`}, nil, 3},
		{"an event is put between", []string{`UPDATE events SET seq = -seq WHERE seq > 3`, `UPDATE events SET seq = 1 - seq WHERE seq < 0`, `INSERT INTO events SELECT 4, at, request, kind, by, data, hash FROM events WHERE seq = 3`}, nil, 4},
		{"an event is put at the end", []string{`INSERT INTO events SELECT 7, at, request, kind, by, data, hash FROM events WHERE seq = 6`}, nil, 7},
		{"an event is moved to another request", []string{`UPDATE events SET request = 'r9' WHERE seq = 2`}, nil, 2},
		{"a text moves from one column to the next", []string{`UPDATE events SET kind = '', by = kind || by WHERE seq = 2`}, nil, 2},
		{"a number becomes a text", []string{`UPDATE events SET at = 'noon' WHERE seq = 5`}, nil, 5},
		{"the end is cut off, and the last event was anchored", []string{`DELETE FROM events WHERE seq > 4`}, []int64{6}, 5},
		{"all is deleted", []string{`DELETE FROM events`}, []int64{2}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Contains(test.name, "becomes a text") {
				storetest.OnlyOn(t, storetest.SQLite) // PostgreSQL's columns take no other type
			}
			t.Parallel()
			s, all := told(t)
			var anchors []store.Head
			for _, seq := range test.anchored {
				anchors = append(anchors, store.Head{Seq: seq, Hash: all[seq-1].Hash})
			}
			force(t, s, test.do...)
			if _, broken := verify(t, s, anchors...); broken != test.broken {
				t.Errorf("event %d is named, want %d", broken, test.broken)
			}
		})
	}
}

func TestOnlyAnAnchorShowsThatTheEndWasCutOff(t *testing.T) {
	t.Parallel()
	s, all := told(t)
	force(t, s, `DELETE FROM events WHERE seq > 4`)
	if _, broken := verify(t, s, store.Head{Seq: 3, Hash: all[2].Hash}); broken != 0 {
		t.Errorf("event %d is named, though no anchor is of what is gone", broken)
	}
}

func TestARecordThatWasWrittenAnewIsFoundByItsAnchors(t *testing.T) {
	t.Parallel()
	_, all := told(t)
	forged := open(t, storetest.Address(t))
	for _, e := range all {
		if e.Seq == 2 {
			e.By = "somebody-else"
		}
		if err := forged.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if _, broken := verify(t, forged); broken != 0 {
		t.Fatalf("the forged record isn't one: event %d", broken)
	}
	if _, broken := verify(t, forged, store.Head{Seq: 1, Hash: all[0].Hash}); broken != 0 {
		t.Errorf("an anchor from before the forgery finds event %d", broken)
	}
	if _, broken := verify(t, forged, store.Head{Seq: 5, Hash: all[4].Hash}); broken != 5 {
		t.Errorf("an anchor from after the forgery finds event %d", broken)
	}
	if _, broken := verify(t, forged, store.Head{Seq: 9, Hash: all[4].Hash}, store.Head{Seq: 9, Hash: all[5].Hash}); broken != 9 {
		t.Errorf("two anchors that contradict each other: event %d", broken)
	}
}

func TestTheDatabaseRefusesToChangeEvents(t *testing.T) {
	t.Parallel()
	s, _ := told(t)
	for _, statement := range []string{
		`UPDATE events SET by = 'x'`, `UPDATE events SET seq = 9 WHERE seq = 6`, `DELETE FROM events`, `DELETE FROM events WHERE seq = 6`,
		`INSERT OR REPLACE INTO events SELECT 6, at, request, 'x', by, data, hash FROM events WHERE seq = 6`,
		`REPLACE INTO events SELECT seq, at, request, 'x', by, data, hash FROM events`,
		`INSERT INTO events SELECT 0, at, request, kind, by, data, hash FROM events WHERE seq = 1`,
		`INSERT INTO events (seq, at, request, kind, by, data, hash) VALUES (3, 1, '', 'x', '', '{}', '') ON CONFLICT (seq) DO UPDATE SET kind = 'x'`,
	} {
		if _, err := s.DB().ExecContext(t.Context(), statement); err == nil {
			t.Errorf("it did %s", statement)
		}
	}
	if head, broken := verify(t, s); broken != 0 || head.Seq != 6 {
		t.Errorf("the head is %v, event %d is broken", head, broken)
	}
}

func TestEventsOfATimeBeforeTheChainAreChained(t *testing.T) {
	t.Parallel()
	storetest.OnlyOn(t, storetest.SQLite)
	path := storetest.File(t)
	before, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"DROP TRIGGER events_update", "DROP TRIGGER events_delete", "DROP TRIGGER events_insert", "DROP INDEX events_kind", "ALTER TABLE events DROP COLUMN hash",
		"DROP TABLE duties", "DROP TABLE holds", "DROP INDEX requests_asked_by", "DROP INDEX requests_newest", "DROP INDEX messages_waiting", "DROP INDEX messages_dead",
		"ALTER TABLE messages DROP COLUMN taker", "ALTER TABLE requests DROP COLUMN asked_by", "ALTER TABLE requests DROP COLUMN progress", "ALTER TABLE requests DROP COLUMN due_at", "ALTER TABLE clicks DROP COLUMN due_at", "ALTER TABLE clicks DROP COLUMN origin",
		"CREATE INDEX messages_unsent ON messages (id) WHERE sent_at IS NULL AND dead = ''",
		"DROP TABLE replies", "DROP TABLE proofs", "DROP TABLE channels", "DROP TABLE processes", "DROP TABLE links", "DROP TABLE taken", "DELETE FROM goose_db_version WHERE version_id > 1",
		`INSERT INTO events (at, request, kind, by, data) VALUES (1, 'r', 'asked', 'octocat', '{"n":1}'), (2, 'r', 'started', '', 'null')`,
	} {
		if _, err := before.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, "sqlite:"+path)
	if err := s.Record(t.Context(), request.Event{At: noon, Kind: "process-started"}); err != nil {
		t.Fatal(err)
	}
	if head, broken := verify(t, s); broken != 0 || head.Seq != 3 {
		t.Errorf("the head is %v, event %d is broken", head, broken)
	}
	if _, err := s.DB().ExecContext(t.Context(), `DELETE FROM events`); err == nil {
		t.Error("events can be deleted")
	}
}

func TestWhatIsNoAnchorIsRefused(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0a", 32)
	for _, text := range []string{"", ":", "1", "1:", "1:" + good[1:], "1:" + good + "0", "0:" + good, "-1:" + good, "x:" + good, "1:" + strings.Repeat("xy", 32), " 1:" + good} {
		if head, err := store.ParseHead(text); err == nil {
			t.Errorf("%q is read as %v", text, head)
		}
	}
}

// A million events are to be verified in 20 seconds.
func TestVerifyingIsFast(t *testing.T) {
	const n = 20_000
	s := open(t, storetest.Address(t))
	batch := make([]request.Event, 1000)
	for range n / len(batch) {
		for i := range batch {
			batch[i] = request.Event{At: noon, Request: "01970000-0000-7000-8000-00000000cafe", Kind: "called", By: "octocat", Data: map[string]any{
				"service": "iam", "action": "DeleteAccessKey", "target": "UserName=ann@example.gov.uk", "outcome": "done", "aws_request": "0123456789abcdef0123456789abcdef", "n": i,
			}}
		}
		if err := s.Record(t.Context(), batch...); err != nil {
			t.Fatal(err)
		}
	}
	began := worked(t)
	if head, broken := verify(t, s); broken != 0 || head.Seq != n {
		t.Fatalf("the head is %v, event %d is broken", head, broken)
	}
	took := worked(t) - began
	t.Logf("%d events in %v: a million in %v", n, took.Round(time.Millisecond), (took * (1_000_000 / n)).Round(time.Second/10))
	if million := took * (1_000_000 / n); million > slow*20*time.Second {
		t.Errorf("a million events would take %v", million)
	}
}
