package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/aws-root-account/rootbot/ops"
)

// State is where a request stands in its life.
type State string

// States. Those from Succeeded on are ends.
const (
	Asked     State = "asked"    // stored; who asked is not checked yet
	Planning  State = "planning" // looking
	Waiting   State = "waiting"  // for approvals
	Approved  State = "approved" // may run
	Running   State = "running"
	Undoing   State = "undoing" // taking back what was done
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Refused   State = "refused"   // by a rule, or by a person who rejected it
	Withdrawn State = "withdrawn" // by who asked, or by a member
	Expired   State = "expired"   // nobody approved in time
	Undone    State = "undone"
	Unknown   State = "unknown" // it can't be known what happened; people must look
)

// Ended tells whether nothing more happens to a request in this state.
func (s State) Ended() bool {
	switch s {
	case Succeeded, Failed, Refused, Withdrawn, Expired, Undone, Unknown:
		return true
	}
	return false
}

// Asker is who asked, as their front end names them, and where.
type Asker struct {
	Front     string `json:"front"`               // "slack", "terminal"
	Workspace string `json:"workspace,omitempty"` // of the chat
	User      string `json:"user,omitempty"`      // ID in the workspace
	Channel   string `json:"channel,omitempty"`   // where it was asked
	Login     string `json:"login,omitempty"`     // what a terminal's token proves
	Taker     string `json:"taker,omitempty"`     // the process that took it, of several: it was told where to answer
}

// Request is one request and where it stands.
type Request struct {
	ID        string    `json:"-"` // version 7 UUID
	Operation string    `json:"-"`
	State     State     `json:"-"`
	Version   int64     `json:"-"` // counts changes
	Card      string    `json:"-"` // ID of the request whose card shows this one; often its own
	Held      string    `json:"-"` // ops.Operation.Lock's answer
	Plan      *ops.Plan `json:"-"`
	At        time.Time `json:"-"` // asked
	EndedAt   time.Time `json:"-"`
	Carrier   int64     `json:"-"` // the job that carries it on; set by the store

	Asker      Asker       `json:"asker"`
	By         string      `json:"by,omitempty"`      // GitHub login, once it is known
	Account    int64       `json:"account,omitempty"` // GitHub's number of that account; 0: not known
	Inputs     ops.Inputs  `json:"inputs,omitempty"`
	Preview    bool        `json:"preview,omitempty"`
	Again      string      `json:"again,omitempty"`      // the request that this one repeats
	AdmittedAt time.Time   `json:"admitted_at,omitzero"` // the asker was known and allowed to ask
	PlannedAt  time.Time   `json:"planned_at,omitzero"`
	StartedAt  time.Time   `json:"started_at,omitzero"`
	Step       int         `json:"step,omitempty"`      // the step at hand
	StepBegun  time.Time   `json:"step_begun,omitzero"` // when it was first called
	Progress   string      `json:"progress,omitempty"`  // where planning stands
	Reason     string      `json:"reason,omitempty"`    // why it ended as it did, in words
	Shown      string      `json:"shown,omitempty"`     // digest of the plan that people were shown, where Plan is a later look with nothing new in it
	Need       int         `json:"need,omitempty"`      // approvals that it needs
	Why        string      `json:"why,omitempty"`       // why the plan itself demands approvals
	Reviews    []Review    `json:"reviews,omitempty"`   // approvals of the plan as it is
	Decided    *Review     `json:"decided,omitempty"`   // who rejected, withdrew or undid it
	ExpiresAt  time.Time   `json:"expires_at,omitzero"` // of its waiting for approvals
	RemindAt   time.Time   `json:"remind_at,omitzero"`  // when to remind next
	Reminders  int         `json:"reminders,omitempty"` // that were sent
	UndoUntil  time.Time   `json:"undo_until,omitzero"` // people can restore it until then at least, as the step at hand says
	ActedAt    time.Time   `json:"acted_at,omitzero"`   // when the first change was about to be made; zero: none was
	FinalAt    time.Time   `json:"final_at,omitzero"`   // when the first change that can't be taken back was about to be made; zero: none was
	Restoring  *Review     `json:"restoring,omitempty"` // who has it restored, or had that tried last
	Lifted     string      `json:"lifted,omitempty"`    // how people undid by hand what the run had done, while it waits for what they decide
	Waits      ops.Waiting `json:"waits,omitzero"`      // what the step at hand waits for, as it says; zero: it doesn't say
	HeldUp     string      `json:"held_up,omitempty"`   // why the run can't go on to its next change for now, and until when that is waited for
	HeldSince  time.Time   `json:"held_since,omitzero"` // since when
	Changed    ops.Changed `json:"changed,omitempty"`   // how much had been done when it ended
	Settings   string      `json:"settings,omitempty"`  // digest of its operation's settings, as they were when it was last planned
	Glass      *Review     `json:"glass,omitempty"`     // who had it run alone, in an emergency, in place of its approvals
	Looked     *Review     `json:"looked,omitempty"`    // who looked at that afterwards
	Report     *ops.Report `json:"report,omitempty"`
}

// Digest is that of the plan as people were shown it; empty without a plan.
func (r Request) Digest() string {
	if r.Shown != "" || r.Plan == nil {
		return r.Shown
	}
	return r.Plan.Digest()
}

// Alone tells whether somebody has the plan as it is run alone.
func (r Request) Alone() bool {
	return r.Glass != nil && !r.Glass.Fallen && r.Glass.Digest == r.Digest()
}

// Acted tells whether the run has changed something, or may have, that can be
// taken back: nothing irreversible was done since, and it isn't restored.
func (r Request) Acted() bool {
	return !r.ActedAt.IsZero() && r.FinalAt.IsZero() && r.State != Undoing && r.State != Undone
}

// Missing is how many approvals the plan as it is still needs.
func (r Request) Missing() int {
	if r.Alone() {
		return 0
	}
	return max(0, r.Need-len(r.Reviews))
}

// Review is what one person decided, and when.
type Review struct {
	By      string    `json:"by"`                // GitHub login
	Account int64     `json:"account,omitempty"` // GitHub's number of that account; 0: not known
	User    string    `json:"user,omitempty"`    // ID in the chat
	At      time.Time `json:"at"`
	Digest  string    `json:"digest,omitempty"` // of the plan that was approved
	Reason  string    `json:"reason,omitempty"`
	Fallen  bool      `json:"fallen,omitempty"` // the plan has changed since; for good, also if it is again what it was
}

// For is the request as its operation sees it.
func (r Request) For() ops.Request {
	return ops.Request{ID: r.ID, Operation: r.Operation, By: r.By, Inputs: r.Inputs, Preview: r.Preview, At: r.At}
}

// Change is what is written together with a request.
type Change struct {
	Events   []Event
	Messages []Message
	Lines    []ops.Line // a log message for those that are new is added
	Memory   map[string]any
	Wake     bool  // a River job shall carry the request on
	Done     int64 // the click that was answered with this change; 0: none
}

// ErrTaken is what is returned for what was taken before: it arrived twice.
var ErrTaken = errors.New("this was taken before")

// keepOrigins is how long what was taken is remembered.
const keepOrigins = 48 * time.Hour

// takeOrigin remembers where something came from; ErrTaken if it came before.
// An empty origin is nowhere in particular.
func takeOrigin(ctx context.Context, tx transaction, origin string) error {
	if origin == "" {
		return nil
	}
	now := time.Now()
	result, err := tx.ExecContext(ctx, `INSERT INTO taken (origin, at) VALUES ($1, $2) ON CONFLICT (origin) DO NOTHING`, origin, now.UnixMicro())
	if err != nil {
		return fmt.Errorf("remember an origin: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrTaken)
	}
	return nil
}

// Take remembers where something came from that is stored nowhere else;
// ErrTaken if it came before.
func (s *Store) Take(ctx context.Context, origin string) error {
	return s.write(ctx, func(tx transaction) error { return takeOrigin(ctx, tx, origin) })
}

// HeldError says that another unfinished request holds what this one needs.
type HeldError struct{ By string } // the other's ID

func (e *HeldError) Error() string { return "held by request " + e.By }

// ErrStale is what Update returns when somebody else changed the request first.
var ErrStale = errors.New("the request was changed meanwhile")

// Insert stores a new request.
func (s *Store) Insert(ctx context.Context, r Request, c Change) error {
	return s.InsertAll(ctx, "", []Request{r}, []Change{c})
}

// InsertAll stores several new requests, all or none. With an origin that was
// taken before, it stores nothing and returns ErrTaken.
func (s *Store) InsertAll(ctx context.Context, origin string, requests []Request, changes []Change) error {
	return s.accept(ctx, func(tx transaction) error {
		if err := takeOrigin(ctx, tx, origin); err != nil {
			return err
		}
		for i, r := range requests {
			body, err := json.Marshal(r)
			if err != nil {
				return fmt.Errorf("encode request: %w", err)
			}
			if r.Card == "" {
				r.Card = r.ID
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO requests (id, operation, state, version, card, held, body, asked_by, created_at, ended_at, due_at)
				VALUES ($1, $2, $3, 1, $4, '', $5, $6, $7, $8, $9)`, r.ID, r.Operation, r.State, r.Card, string(body), strings.ToLower(r.By), micros(r.At), micros(r.EndedAt), s.clock(time.Now())); err != nil {
				return fmt.Errorf("insert request: %w", err)
			}
			if err := s.apply(ctx, tx, r, changes[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Update reads a request, lets fn change it, and writes it with what fn
// returns, all in one transaction. fn must not touch the database. An error of
// fn is returned as it is and nothing is written.
func (s *Store) Update(ctx context.Context, id string, fn func(*Request) (Change, error)) (Request, error) {
	var r Request
	var c Change
	err := s.writeAndWake(ctx, func(tx transaction) error {
		var err error
		if r, err = read(tx.QueryRowContext(ctx, selectRequest+" WHERE id = $1", id)); err != nil {
			return err
		}
		plan := r.Plan
		if c, err = fn(&r); err != nil {
			return err
		}
		body, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		if r.Held != "" {
			var other string
			err := tx.QueryRowContext(ctx, `SELECT id FROM requests WHERE held = $1 AND ended_at IS NULL AND id <> $2`, plain(r.Held), id).Scan(&other)
			if err == nil {
				return &HeldError{By: other}
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return fmt.Errorf("look for who holds %s: %w", r.Held, err)
			}
		}
		result, err := tx.ExecContext(ctx, `UPDATE requests SET state = $1, version = version + 1, held = $2, body = $3, asked_by = $4, ended_at = $5,
			due_at = CASE WHEN $6 THEN $7 ELSE due_at END WHERE id = $8 AND version = $9`,
			r.State, plain(r.Held), string(body), strings.ToLower(r.By), micros(r.EndedAt), c.Wake, s.clock(time.Now()), id, r.Version)
		if err != nil {
			return fmt.Errorf("update request: %w", err)
		}
		if n, _ := result.RowsAffected(); n != 1 {
			return ErrStale
		}
		r.Version++
		if r.Plan != plan {
			var stored any // NULL is no plan
			if r.Plan != nil {
				text, err := json.Marshal(r.Plan)
				if err != nil {
					return fmt.Errorf("encode plan: %w", err)
				}
				stored = string(text)
			}
			if _, err := tx.ExecContext(ctx, `UPDATE requests SET plan = $1 WHERE id = $2`, stored, id); err != nil {
				return fmt.Errorf("store plan: %w", err)
			}
		}
		return s.apply(ctx, tx, r, c)
	})
	return r, err
}

func (s *Store) writeAndWake(ctx context.Context, fn func(transaction) error) error {
	if err := s.write(ctx, fn); err != nil {
		return err
	}
	s.notify()
	return nil
}

func (s *Store) notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) apply(ctx context.Context, tx transaction, r Request, c Change) error {
	now := time.Now()
	if err := insertEvents(ctx, tx, c.Events...); err != nil {
		return err
	}
	for key, v := range c.Memory {
		value, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encode memory %s: %w", key, err)
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO memory (request, key, value) VALUES ($1, $2, $3)
			ON CONFLICT (request, key) DO UPDATE SET value = excluded.value`, r.ID, plain(key), string(value)); err != nil {
			return fmt.Errorf("remember %s: %w", key, err)
		}
	}
	logged, err := insertLines(ctx, tx, r.ID, c.Lines, now)
	if err != nil {
		return err
	}
	for _, m := range append(logged, c.Messages...) {
		if m.Thread == "" {
			m.Thread = m.ThreadFor(r)
		}
		if err := insertMessage(ctx, tx, m, m.TakerFor(r), now); err != nil {
			return err
		}
	}
	if c.Done != 0 {
		if _, err := tx.ExecContext(ctx, `UPDATE clicks SET done_at = $1 WHERE id = $2`, now.UnixMicro(), c.Done); err != nil {
			return fmt.Errorf("record that a click was answered: %w", err)
		}
	}
	if c.Wake {
		if err := tx.job(ctx, carry{Request: r.ID}); err != nil {
			return err
		}
	}
	return nil
}

// Tell writes what is recorded and told about no request.
func (s *Store) Tell(ctx context.Context, c Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error { return s.apply(ctx, tx, Request{}, c) })
}

// TellOnce does what Tell does, once for each origin; then it is ErrTaken.
func (s *Store) TellOnce(ctx context.Context, origin string, c Change) error {
	return s.writeAndWake(ctx, func(tx transaction) error {
		if err := takeOrigin(ctx, tx, origin); err != nil {
			return err
		}
		return s.apply(ctx, tx, Request{}, c)
	})
}

const selectRequest = `SELECT id, operation, state, version, card, held, body, plan, created_at, ended_at, carrier FROM requests`

func read(row interface{ Scan(...any) error }) (Request, error) {
	var r Request
	var body string
	var plan sql.NullString
	var created, ended sql.NullInt64
	err := row.Scan(&r.ID, &r.Operation, &r.State, &r.Version, &r.Card, &r.Held, &body, &plan, &created, &ended, &r.Carrier)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("read request: %w", err)
	}
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return r, fmt.Errorf("decode request %s: %w", r.ID, err)
	}
	if plan.Valid {
		r.Plan = &ops.Plan{}
		if err := json.Unmarshal([]byte(plan.String), r.Plan); err != nil {
			return r, fmt.Errorf("decode plan of request %s: %w", r.ID, err)
		}
	}
	r.At, r.EndedAt = moment(created), moment(ended)
	return r, nil
}

// Request reads one request; ErrNotFound if there is none.
func (s *Store) Request(ctx context.Context, id string) (Request, error) {
	r, err := read(s.row(ctx, selectRequest+" WHERE id = $1", plain(id)))
	return r, s.noted(err)
}

const endsWith = `SELECT id FROM requests WHERE id LIKE '%' || $1 LIMIT 2`

// Find reads the request that an ID, or the end of one, names; ErrNotFound if
// none or several do.
func (s *Store) Find(ctx context.Context, end string) (Request, error) {
	if strings.Trim(end, "0123456789abcdef-") != "" || end == "" {
		return Request{}, ErrNotFound
	}
	if len(end) == len(uuid.Nil.String()) {
		return s.Request(ctx, end)
	}
	// The IDs alone are in their index: no request is read to look at its ID.
	found, err := column[string](ctx, s.backend.run(), endsWith, end)
	if err != nil {
		return Request{}, fmt.Errorf("look for request %s: %w", end, s.noted(err))
	}
	if len(found) != 1 {
		return Request{}, ErrNotFound
	}
	return s.Request(ctx, found[0])
}

// Unfinished reads the requests that haven't ended, the oldest first.
func (s *Store) Unfinished(ctx context.Context) ([]Request, error) {
	return s.list(ctx, " WHERE ended_at IS NULL ORDER BY created_at, id")
}

// Newer reads the requests that were asked for after r and want to hold the same.
func (s *Store) Newer(ctx context.Context, r Request) ([]Request, error) {
	if r.Held == "" {
		return nil, nil
	}
	return s.list(ctx, " WHERE held = $1 AND id > $2 ORDER BY id", plain(r.Held), r.ID)
}

// OnCard reads the requests that a card shows, the first asked first.
func (s *Store) OnCard(ctx context.Context, card string) ([]Request, error) {
	return s.list(ctx, " WHERE card = $1 ORDER BY id", card)
}

const newest = ` ORDER BY created_at DESC, id DESC LIMIT `

// recentOf is of the operation $1 or of the person $2: each half has an index, and a
// condition with OR has none.
const recentOf = ` WHERE id IN (
	SELECT id FROM (SELECT id FROM requests WHERE operation = $1` + newest + `$3) AS these
	UNION SELECT id FROM (SELECT id FROM requests WHERE asked_by = $2` + newest + `$3) AS those)` + newest + `$3`

// Recent reads the newest requests that the person asked for or that are of
// the operation; an empty word matches all. At most limit are returned, and no more
// than that are read.
func (s *Store) Recent(ctx context.Context, word string, limit int) ([]Request, error) {
	if word == "" {
		return s.list(ctx, newest+`$1`, limit)
	}
	return s.list(ctx, recentOf, plain(word), strings.ToLower(plain(word)), limit) // a login has no case
}

func (s *Store) list(ctx context.Context, where string, args ...any) ([]Request, error) {
	rows, err := s.query(ctx, selectRequest+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	defer rows.Close()
	var list []Request
	for rows.Next() {
		r, err := read(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// Recall reads what a request's steps remember under a key into v.
func (s *Store) Recall(ctx context.Context, request, key string, v any) (bool, error) {
	var value string
	err := s.row(ctx, `SELECT value FROM memory WHERE request = $1 AND key = $2`, request, plain(key)).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("recall %s: %w", key, err)
	}
	if err := json.Unmarshal([]byte(value), v); err != nil {
		return false, fmt.Errorf("recall %s: %w", key, err)
	}
	return true, nil
}
