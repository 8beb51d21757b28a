package request

import (
	"strings"
	"time"

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
	Undoing   State = "undoing" // the run is being restored
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Refused   State = "refused"   // by a rule, or by a person who rejected it
	Withdrawn State = "withdrawn" // by who asked, or by a member
	Expired   State = "expired"   // no member approved in time
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

// Front ends.
const (
	Chat     = "slack"
	Terminal = "terminal"
)

// Asker is who asked, as their front end names them, and where.
type Asker struct {
	Front     string `json:"front"`               // Chat or Terminal
	Workspace string `json:"workspace,omitempty"` // of the chat
	User      string `json:"user,omitempty"`      // ID in the workspace
	Channel   string `json:"channel,omitempty"`   // where it was asked
	Login     string `json:"login,omitempty"`     // what a terminal's token proves
}

// Name names an asker in the audit whose login isn't known.
func (a Asker) Name() string { return a.Front + ":" + strings.Trim(a.Workspace+"/"+a.User, "/") }

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
	Holder    int64     `json:"-"` // lease of the worker that holds it; set by the store
	Lease     int64     `json:"-"` // of the worker that this value was given to, its fencing token; 0: no worker's
	Progress  string    `json:"-"` // where planning stands

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

// Alone tells whether a break glass has the plan as it is run without its approvals.
func (r Request) Alone() bool {
	return r.Glass != nil && !r.Glass.Fallen && r.Glass.Digest == r.Digest()
}

// Acted tells whether the run has changed something, or may have, that can be
// taken back: nothing irreversible was done since, and it isn't restored.
func (r Request) Acted() bool {
	return !r.ActedAt.IsZero() && r.FinalAt.IsZero() && r.State != Undoing && r.State != Undone
}

// Idle tells whether a run waits and has changed nothing yet, so that it can be
// withdrawn although it may go on by itself.
func (r Request) Idle() bool {
	return (r.State == Approved || r.State == Running) && r.ActedAt.IsZero() && (r.HeldUp != "" || r.Waits != (ops.Waiting{}))
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
	Proved  time.Time `json:"proved,omitzero"`  // when they last proved who they are; zero: no new proof was asked for
	Fallen  bool      `json:"fallen,omitempty"` // the plan has changed since; for good, also if it is again what it was
}

// For is the request as its operation sees it.
func (r Request) For() ops.Request {
	return ops.Request{ID: r.ID, Operation: r.Operation, By: r.By, Inputs: r.Inputs, Preview: r.Preview, At: r.At, Lease: r.Lease}
}

// Change holds the events, messages and log lines that are written together with a request.
type Change struct {
	Events   []Event
	Messages []Message
	Lines    []ops.Line // a log message for those that are new is added
	Memory   map[string]any
	Wake     bool   // a River job shall carry the request on
	Done     int64  // the click that was answered with this change; 0: none
	Reply    *Reply // where to answer the requester; nil: nowhere in particular
}
