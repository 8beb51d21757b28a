package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// stored is an event as its row has it.
type stored struct {
	request.Event
	data string
}

// Head is the newest event: what stands for the whole audit up to it. The zero
// value is that of an empty one.
type Head struct {
	Seq  int64
	Hash string
}

func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, h.Hash) }

// ParseHead reads what Head.String has written.
func ParseHead(text string) (Head, error) {
	number, hash, _ := strings.Cut(text, ":")
	seq, err := strconv.ParseInt(number, 10, 64)
	if _, notHex := hex.DecodeString(hash); err != nil || notHex != nil || seq < 1 || len(hash) != 2*sha256.Size {
		return Head{}, fmt.Errorf("%q is not an anchor: that is an event's number, a colon and 64 hexadecimal digits", text)
	}
	return Head{Seq: seq, Hash: strings.ToLower(hash)}, nil
}

// chain is the hash of an event: SHA-256 over the hash before it (64 hexadecimal
// digits, nothing for the first event) and seq, microseconds since 1970,
// request, kind, by and data as they are stored, each as a netstring: its length
// in bytes, a colon, its bytes and a comma. https://cr.yp.to/proto/netstrings.txt
func (e stored) chain(before string, micros int64) string {
	var form []byte
	form = append(form, before...)
	for _, field := range []string{strconv.FormatInt(e.Seq, 10), strconv.FormatInt(micros, 10), e.Request, e.Kind, e.By, e.data} {
		form = strconv.AppendInt(form, int64(len(field)), 10)
		form = append(form, ':')
		form = append(form, field...)
		form = append(form, ',')
	}
	sum := sha256.Sum256(form)
	return hex.EncodeToString(sum[:])
}

// errUnreadable is of an event that isn't what an event is.
var errUnreadable = errors.New("an event can't be read")

func head(ctx context.Context, q statements, table string) (Head, error) {
	var h Head
	err := q.QueryRowContext(ctx, `SELECT seq, hash FROM `+table+` ORDER BY seq DESC LIMIT 1`).Scan(&h.Seq, &h.Hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, nil
	}
	if err != nil {
		return h, fmt.Errorf("read the newest event: %w", err)
	}
	return h, nil
}

// Head reads the newest event.
func (s *Store) Head(ctx context.Context) (Head, error) {
	return head(ctx, s.backend.run(), s.backend.events())
}

// insertEvents adds events to the end of the chain. Transactions that write
// follow one another, so nobody else adds one meanwhile.
func insertEvents(ctx context.Context, tx transaction, events ...request.Event) error {
	if len(events) == 0 {
		return nil
	}
	last, err := head(ctx, tx, tx.events)
	if err != nil {
		return err
	}
	for _, event := range events {
		e := stored{Event: event}
		clean, err := ops.RedactJSON(e.Data)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", e.Kind, err)
		}
		data, err := json.Marshal(clean)
		if err != nil {
			return fmt.Errorf("encode event %s: %w", e.Kind, err)
		}
		e.Seq, e.data = last.Seq+1, string(data)
		e.Request, e.By = plain(e.Request), plain(ops.Redact(e.By))
		micros := e.At.UnixMicro()
		e.Hash = e.chain(last.Hash, micros)
		if err := insertEvent(ctx, tx, e, micros); err != nil {
			return fmt.Errorf("insert event %s: %w", e.Kind, err)
		}
		last = Head{e.Seq, e.Hash}
	}
	return nil
}

// errNotKept is of an event that the database took and doesn't have as it was.
var errNotKept = errors.New("the database doesn't keep the event as it was written: look at the rules and triggers of its table events")

// insertEvent adds one event and looks at the row that came of it: a rule or a
// trigger could drop it, or change it, without an error.
func insertEvent(ctx context.Context, tx transaction, e stored, micros int64) error {
	var kept stored
	var at int64
	err := tx.QueryRowContext(ctx, `INSERT INTO `+tx.events+` (seq, at, request, kind, by, data, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)
		RETURNING seq, at, request, kind, by, data, hash`, e.Seq, micros, e.Request, e.Kind, e.By, e.data, e.Hash).
		Scan(&kept.Seq, &at, &kept.Request, &kept.Kind, &kept.By, &kept.data, &kept.Hash)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return errNotKept
	case err != nil:
		return err
	case at != micros || kept.Seq != e.Seq || kept.Hash != e.Hash || kept.Request != e.Request || kept.Kind != e.Kind || kept.By != e.By || kept.data != e.data:
		return errNotKept
	}
	return nil
}

// Record adds events that come with no change of a request.
func (s *Store) Record(ctx context.Context, events ...request.Event) error {
	return s.write(ctx, func(tx transaction) error { return insertEvents(ctx, tx, events...) })
}

// Events reads the events of one request, or of all with an empty ID, in order.
func (s *Store) Events(ctx context.Context, id string) ([]request.Event, error) {
	var events []request.Event
	where, args := "", []any{}
	if id != "" { // in one condition, no index would be used
		where, args = `WHERE request = $1`, []any{id}
	}
	for e, err := range s.events(ctx, where, args...) {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}

// EventsSince reads all events from a time on, in order, one by one. The
// database can't be used for anything else meanwhile.
func (s *Store) EventsSince(ctx context.Context, since time.Time) iter.Seq2[request.Event, error] {
	return s.events(ctx, `WHERE at >= $1`, since.UnixMicro())
}

// EventsOf reads the events of a kind, in order, one by one, as EventsSince does.
func (s *Store) EventsOf(ctx context.Context, kind string) iter.Seq2[request.Event, error] {
	return s.events(ctx, `WHERE kind = $1`, kind)
}

// LastEvent reads the newest event of a kind; ErrNotFound if there is none.
func (s *Store) LastEvent(ctx context.Context, kind string) (request.Event, error) {
	for e, err := range s.events(ctx, `WHERE seq = (SELECT MAX(seq) FROM `+s.backend.events()+` WHERE kind = $1)`, kind) {
		return e, err
	}
	return request.Event{}, ErrNotFound
}

// Calls are the times since when actions of AWS were called and went well, by
// their names. The newest are read first, and none but those: times are those of the
// processes that recorded them, whose clocks may differ by a little.
func (s *Store) Calls(ctx context.Context, since time.Time, actions []string) (map[string][]time.Time, error) {
	calls := map[string][]time.Time{}
	var first int64
	err := s.row(ctx, `SELECT COALESCE(MAX(seq), 0) FROM (SELECT seq FROM `+s.backend.events()+` WHERE kind = 'called' AND at < $1 ORDER BY seq DESC LIMIT 1) AS before`,
		since.Add(-clocksDiffer).UnixMicro()).Scan(&first)
	if err != nil {
		return nil, fmt.Errorf("read calls of AWS: %w", s.noted(err))
	}
	for e, err := range s.events(ctx, `WHERE kind = 'called' AND seq > $1 AND at >= $2`, first, since.UnixMicro()) {
		if err != nil {
			return nil, err
		}
		if action, _ := e.Data["action"].(string); slices.Contains(actions, action) && e.Data["outcome"] == "done" {
			calls[action] = append(calls[action], e.At)
		}
	}
	return calls, nil
}

// clocksDiffer is how far the clocks of processes may be apart.
const clocksDiffer = time.Hour

// FirstEvent reads the oldest event; ErrNotFound if there is none.
func (s *Store) FirstEvent(ctx context.Context) (request.Event, error) {
	for e, err := range s.events(ctx, `WHERE seq = (SELECT MIN(seq) FROM `+s.backend.events()+`)`) {
		return e, err
	}
	return request.Event{}, ErrNotFound
}

func (s *Store) events(ctx context.Context, where string, args ...any) iter.Seq2[request.Event, error] {
	return func(yield func(request.Event, error) bool) {
		for e, err := range s.rawEvents(ctx, where, args...) {
			if err == nil {
				if err = json.Unmarshal([]byte(e.data), &e.Data); err != nil {
					err = fmt.Errorf("decode event %d: %w", e.Seq, err)
				}
			}
			if !yield(e.Event, err) || err != nil {
				return
			}
		}
	}
}

// rawEvents reads events without decoding their data.
func (s *Store) rawEvents(ctx context.Context, where string, args ...any) iter.Seq2[stored, error] {
	return func(yield func(stored, error) bool) {
		rows, err := s.query(ctx, `SELECT seq, at, request, kind, by, data, hash FROM `+s.backend.events()+` `+where+` ORDER BY seq`, args...)
		if err != nil {
			yield(stored{}, fmt.Errorf("read events: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var e stored
			var micros int64
			if err := rows.Scan(&e.Seq, &micros, &e.Request, &e.Kind, &e.By, &e.data, &e.Hash); err != nil {
				yield(e, fmt.Errorf("%w: %w", errUnreadable, err))
				return
			}
			e.At = time.UnixMicro(micros).UTC()
			if !yield(e, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(stored{}, fmt.Errorf("read events: %w", err))
		}
	}
}
