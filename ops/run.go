package ops

import (
	"context"
	"fmt"
	"time"
)

// Run is what a step has at hand: the request, the plan as it was shown, a
// durable memory, and a voice.
//
// A step is short (seconds). One that waits for the world returns Again and is
// called again, perhaps by another process. A step may run twice, because a
// process can die between the work and its record: so it first looks whether
// its work has been done, and where that can't be known it returns an *Error of
// kind Unknown. It never guesses.
type Run interface {
	Request() Request
	Plan() Plan

	// Begun tells when this step was first called: the zero time if this is the
	// first call. A step that finds it set may have done its work already.
	Begun() time.Time

	// Now is the desk's clock.
	Now() time.Time

	// Log tells lines to the people who watch. A line whose Key was logged for
	// this request before is dropped.
	Log(ctx context.Context, lines ...Line) error

	// Remember stores v as JSON under key, durably, for this request's steps,
	// before it returns. Recall reads it into v and tells whether it was there.
	Remember(ctx context.Context, key string, v any) error
	Recall(ctx context.Context, key string, v any) (bool, error)

	// Attempted tells whether a call of AWS that changes something may have been
	// made for this request, also by a process that died in it: it is recorded
	// before it is made, and not made if it can't be. Services and actions are
	// named as in the record: "lambda", "Invoke".
	Attempted(ctx context.Context, service, action string) (bool, error)

	// Approvers are the GitHub logins of who approved.
	Approvers() []string

	// MayAct asks again, right before a change that isn't a call of AWS (a commit,
	// a pull request), whether the run may go on: people, plan and settings. It
	// returns a *HaltError if not, and then the change must not be made. Calls of
	// AWS through awsaccess are asked about by themselves.
	MayAct(ctx context.Context) error

	// OfferUndo tells people until when at least the run can be restored while this
	// step waits. That it can be is the desk's business: from the first effect on,
	// until something irreversible was tried. A step that offers it after that has read
	// back that it had no effect: a call whose answer was lost, and that AWS refuses now.
	OfferUndo(ctx context.Context, until time.Time) error

	// Waiting tells what the run waits for: on the card and where it was decided,
	// until the step ends or tells something else.
	Waiting(ctx context.Context, w Waiting) error

	// Remind has a text told in the thread at a time, also when the run has ended
	// by then. The same text is told once.
	Remind(ctx context.Context, at time.Time, text string) error

	// Report sets the outcome that is told when the run ends. The last one counts.
	Report(ctx context.Context, r Report) error
}

// Waiting is what a run waits for.
type Waiting struct {
	For   string    `json:"for"`            // whole sentences: what is so for people now, what must happen, and by whom; links are shown as links
	Until time.Time `json:"until,omitzero"` // when the waiting ends by itself; zero: when For has happened

	// Person tells that a person must do something: the people of the request are
	// reminded each working day.
	Person bool `json:"person,omitempty"`
}

// Level says who needs a line.
type Level string

// Levels of a Line. A thread counts what is only Reading, and carries the Info of a
// long log in its file alone.
const (
	Reading Level = "reading" // what the run looked at
	Info    Level = "info"
	Change  Level = "change"
	Warning Level = "warning"
	Failure Level = "error"
)

// Line is one line of the log of a run.
type Line struct {
	Key   string    // the same key is told once; empty: always told
	At    time.Time // when it happened; zero: now
	Level Level     // empty: Info
	Text  string
}

// AgainError is a step's wish to be called again.
type AgainError struct{ After time.Duration }

func (e *AgainError) Error() string { return fmt.Sprintf("again after %v", e.After) }

// Again makes the desk call the step once more after d.
func Again(d time.Duration) error { return &AgainError{After: d} }
