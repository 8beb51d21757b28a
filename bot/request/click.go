package request

import (
	"fmt"
	"time"
)

// Click is a press of a button, or a form of one, stored before it is acknowledged and
// answered afterwards: GitHub is asked whether the person may decide.
type Click struct {
	ID      int64     `json:"-"` // set by the store
	Request string    `json:"-"`
	Verb    string    `json:"-"` // [Approve], [Reject], …
	At      time.Time `json:"-"`
	Done    bool      `json:"-"` // answered
	Origin  string    `json:"-"` // what tells it from every other click; empty: nothing does

	Reply  *Reply `json:"-"`              // where to answer; nil: nowhere in particular
	Asker  Asker  `json:"asker"`          // who pressed, and where
	Digest string `json:"digest"`         // of the plan that the button was shown with
	Text   string `json:"text,omitempty"` // a reason
	Name   string `json:"name,omitempty"` // the name that a dangerous operation has people type in full
}

// Thread is the thread of the private answers to a click.
func (c Click) Thread() string { return fmt.Sprintf("click/%d", c.ID) }

// Verbs of the buttons.
const (
	Approve         = "approve"
	BreakGlass      = "break-glass"      // have the plan run without its approvals
	End             = "end"              // leave it as people made it
	QuarantineAgain = "quarantine-again" // have done again what people undid by hand
	Reject          = "reject"
	Reviewed        = "reviewed" // have looked at a run without its approvals
	Undo            = "undo"
	Withdraw        = "withdraw"
)

// EventOf is what a press of a button makes happen to a request; empty: nothing that
// the table has.
func EventOf(verb string) EventKind {
	return map[string]EventKind{
		Approve: EventApproved, BreakGlass: EventBreakGlass, End: EventEnd, QuarantineAgain: EventAgain,
		Reject: EventRejected, Reviewed: EventReviewed, Undo: EventUndo, Withdraw: EventWithdrawn,
	}[verb]
}
