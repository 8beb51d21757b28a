package request

import (
	"fmt"

	"github.com/aws-root-account/rootbot/ops"
)

// EventKind is what can happen to a request. The value is the kind of the event that
// is recorded, so it never changes.
type EventKind string

// Kinds of events that can change a request.
const (
	EventAdmitted   EventKind = "admitted"    // the requester is known and may ask
	EventRefused    EventKind = "refused"     // the requester may not, or asked for what can't be
	EventPlanned    EventKind = "planned"     // the plan is there
	EventUnplanned  EventKind = "unplanned"   // the plan couldn't be made
	EventApproved   EventKind = "approved"    // a member approved the plan
	EventBreakGlass EventKind = "break-glass" // a member has it run without its approvals, in an emergency
	EventReviewed   EventKind = "reviewed"    // another member has looked at that afterwards
	EventRejected   EventKind = "rejected"    // a member rejected it
	EventWithdrawn  EventKind = "withdrawn"   // the requester or a member took it back
	EventExpired    EventKind = "expired"     // no member decided in time
	EventReminded   EventKind = "reminded"    // people were reminded to decide
	EventStale      EventKind = "stale"       // the plan has an effect or a term that was never shown
	EventLapsed     EventKind = "lapsed"      // an approver may not approve any more, in the middle of a run
	EventLifted     EventKind = "lifted"      // people undid by hand what the run had done
	EventAgain      EventKind = "again"       // a member has that done again
	EventEnd        EventKind = "end"         // a member leaves it as people made it
	EventReplanned  EventKind = "replanned"   // the plan was made again and has no new effect
	EventStarted    EventKind = "started"     // the run began
	EventStepBegun  EventKind = "step-begun"  // a step was called for the first time
	EventStepEnded  EventKind = "step-ended"  // a step did its work
	EventStepFailed EventKind = "step-failed"
	EventUndo       EventKind = "undo"    // a member has the run restored
	EventUndone     EventKind = "undone"  // what the run did is restored
	EventGaveUp     EventKind = "gave-up" // the bot can't go on
	EventVoided     EventKind = "voided"  // it was stored after its requester was told that it wasn't
)

// Trigger is an event that happens to a request, with what comes with it.
type Trigger struct {
	Event   EventKind
	Login   string    // admitted, refused: who the requester is
	Account int64     // admitted: GitHub's number of that account; 0: not known
	Held    string    // admitted: what the request holds from now on
	Plan    *ops.Plan // planned, stale, replanned
	Terms   Terms     // planned, stale, reminded, lapsed, lifted, break-glass: the operation's
	Review  Review    // approved, rejected, withdrawn, undo, …: by whom
	Reason  string    // why, in words for people
	Fault   ops.Kind  // what kind of fault the reason is
	Few     string    // planned: that too few people could approve, in words
	Pointer string    // refused: the request to look at instead
	Quiet   bool      // refused: the first of the group was told the same
	Click   int64     // the click that this answers
	Shown   bool      // approved, break-glass, again: the plan with the review's digest has reached people

	// Of clicks:
	Name      string // approved, break-glass: the name that was typed
	Dangerous bool   // approved, break-glass: the name must be typed in full
	MayBreak  bool   // break-glass: the settings name the person
	Unproved  string // why the decision needs a new proof of who makes it, in words; empty: it doesn't, or has it

	Changed  ops.Changed // of ends: how much had been done; empty: what the request itself says
	Effects  []string    // undo: what will be done; nil: not known yet
	Settings string      // planned, stale: digest of the operation's settings
	Lost     Review      // lapsed: whose approval doesn't count any more
}

// NotNowError says that an event can't happen to a request as it stands.
type NotNowError struct {
	Request Request
	Why     string // in words for people; empty: its state says it
}

func (e *NotNowError) Error() string {
	return fmt.Sprintf("request %s is %s: %s", e.Request.ID, e.Request.State, e.Why)
}
