package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
)

// quiet is River's driver for a SQLite file that one process has to itself: what River
// tells its other half goes through memory. River's own writes it into a table and reads
// that twenty times a second.
type quiet struct {
	*riversqlite.Driver
	told *told
}

func newQuiet(db *sql.DB) *quiet {
	return &quiet{riversqlite.New(db), &told{more: make(chan struct{}, 1)}}
}

func (q *quiet) GetExecutor() riverdriver.Executor {
	return quietExecutor{q.Driver.GetExecutor(), q.told}
}

func (q *quiet) UnwrapExecutor(tx *sql.Tx) riverdriver.ExecutorTx {
	return quietTx{q.Driver.UnwrapExecutor(tx), q.told}
}

func (q *quiet) UnwrapTx(tx riverdriver.ExecutorTx) *sql.Tx {
	if quiet, ok := tx.(quietTx); ok {
		tx = quiet.ExecutorTx
	}
	return q.Driver.UnwrapTx(tx)
}

func (q *quiet) GetListener(*riverdriver.GetListenenerParams) riverdriver.Listener { return q.told }

type quietExecutor struct {
	riverdriver.Executor
	told *told
}

func (e quietExecutor) Begin(ctx context.Context) (riverdriver.ExecutorTx, error) {
	tx, err := e.Executor.Begin(ctx)
	return quietTx{tx, e.told}, err
}

func (e quietExecutor) NotifyMany(_ context.Context, params *riverdriver.NotifyManyParams) error {
	e.told.tell(params)
	return nil
}

type quietTx struct {
	riverdriver.ExecutorTx
	told *told
}

func (t quietTx) Begin(ctx context.Context) (riverdriver.ExecutorTx, error) {
	tx, err := t.ExecutorTx.Begin(ctx)
	return quietTx{tx, t.told}, err
}

func (t quietTx) NotifyMany(_ context.Context, params *riverdriver.NotifyManyParams) error {
	t.told.tell(params)
	return nil
}

// told holds River's notifications until they are read. One may be read before its transaction is
// committed: who acts on it needs the one connection that the transaction has.
type told struct {
	mu     sync.Mutex
	topics []string
	waits  []riverdriver.Notification
	more   chan struct{}
}

func (t *told) tell(params *riverdriver.NotifyManyParams) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if slices.Contains(t.topics, params.Topic) {
		for _, payload := range params.Payload {
			t.waits = append(t.waits, riverdriver.Notification{Topic: params.Topic, Payload: payload})
		}
	}
	select {
	case t.more <- struct{}{}:
	default:
	}
}

func (t *told) Connect(context.Context) error { return nil }

func (t *told) Listen(_ context.Context, topic string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.topics = append(t.topics, topic)
	return nil
}

func (t *told) Unlisten(_ context.Context, topic string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.topics = slices.DeleteFunc(t.topics, func(other string) bool { return other == topic })
	return nil
}

func (t *told) Close(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.topics, t.waits = nil, nil
	return nil
}

func (t *told) WaitForNotification(ctx context.Context) (*riverdriver.Notification, error) {
	for {
		t.mu.Lock()
		if len(t.waits) > 0 {
			first := t.waits[0]
			t.waits = t.waits[1:]
			t.mu.Unlock()
			return &first, nil
		}
		t.mu.Unlock()
		select {
		case <-t.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *told) Ping(context.Context) error { return nil }
func (t *told) Schema() string             { return "" }
func (t *told) SetAfterConnectExec(string) {}

// wake has River look for a queue's jobs. River itself says nothing of a job that is
// inserted within 10 ms after another one, also where that is committed earlier.
func (q *quiet) wake(queue string) {
	payload, err := json.Marshal(map[string]string{"queue": queue})
	if err == nil {
		q.told.tell(&riverdriver.NotifyManyParams{Topic: insertTopic, Payload: []string{string(payload)}})
	}
}

// insertTopic is the topic of River's producers. Its payload names the queue that has a
// job: {"queue":"default"}.
const insertTopic = "river_insert"

// rounding is by how much a time may be later in the database, which keeps milliseconds.
const rounding = 10 * time.Millisecond

// wakeSnoozed has River look for each job that is to come back, at its time, until the
// client stops: else that would be when River polls next.
func (q *quiet) wakeSnoozed(client *river.Client[*sql.Tx]) {
	snoozed, _ := client.Subscribe(river.EventKindJobSnoozed)
	go func() {
		for e := range snoozed {
			time.AfterFunc(time.Until(e.Job.ScheduledAt)+rounding, func() { q.wake(e.Job.Queue) })
		}
	}()
}
