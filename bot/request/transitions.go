package request

import (
	"slices"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

//go:generate go test . -run TestTheChart -update

// transition is one row of the table of a request's life: what an event makes of a
// request in a state. Of several rows for a state and an event, the first holds whose
// condition does.
type transition struct {
	from []State
	on   EventKind
	when func(*change) bool   // nil: always
	to   State                // empty: the state stays
	why  func(*change) string // the reason of an end
	tell []teller             // what people are told, in order
}

// States that several rows begin in.
var (
	unfinished = []State{Planning, Waiting, Approved}
	active     = []State{Approved, Running}
	ended      = []State{Succeeded, Failed, Refused, Withdrawn, Expired, Undone, Unknown}
	undoable   = []State{Waiting, Approved, Running, Succeeded, Failed, Refused, Withdrawn, Expired, Unknown}
	anyPlanned = append([]State{Waiting, Approved, Running, Undoing}, ended...)
)

// transitions are a request's whole life. A state changes nowhere else.
var transitions = []transition{
	{[]State{Asked}, EventAdmitted, nil, Planning, nil, []teller{card, ownPointer}},
	{[]State{Asked}, EventRefused, nil, Refused, givenReason, []teller{turnedAway}},
	{[]State{Asked}, EventWithdrawn, nil, Withdrawn, withdrawnBy, []teller{privateReason}},
	{[]State{Asked}, EventGaveUp, nil, Failed, givenReason, []teller{privateReason}},
	{[]State{Asked}, EventVoided, nil, Withdrawn, storedTooLate, nil},

	{[]State{Planning}, EventPlanned, isPreview, Succeeded, onlyPreview, []teller{plan, ending}},
	{[]State{Planning}, EventPlanned, nothingToDo, Succeeded, summary, []teller{plan, ending, result}},
	{[]State{Planning}, EventPlanned, cantBeApproved, Refused, needsTheChat, []teller{plan, ending, result}},
	{[]State{Planning}, EventPlanned, needsApproval, Waiting, nil, []teller{plan, tooFew, ask, card}},
	{[]State{Planning}, EventPlanned, nil, Approved, nil, []teller{plan}},
	{[]State{Planning}, EventUnplanned, isRefusal, Refused, givenReason, []teller{ending, result}},
	{[]State{Planning}, EventUnplanned, nil, Failed, givenReason, []teller{ending, result}},
	{[]State{Planning, Waiting, Approved, Running}, EventWithdrawn, nil, Withdrawn, withdrawnBy, []teller{ending}},

	{[]State{Waiting}, EventApproved, isAgreed, Approved, nil, []teller{ask, card}},
	{[]State{Waiting}, EventApproved, nil, "", nil, []teller{ask, card}},
	{[]State{Waiting}, EventBreakGlass, nil, Approved, nil, []teller{glass, glassDue, ask, card}},
	{[]State{Waiting}, EventRejected, nil, Refused, rejectedBy, []teller{ending}},
	{[]State{Waiting}, EventExpired, nil, Expired, nobodyDecided, []teller{ending}},
	{[]State{Waiting}, EventReminded, nil, "", nil, []teller{reminder}},
	{[]State{Waiting}, EventAgain, nil, Approved, nil, []teller{ask, card}},
	{[]State{Waiting}, EventEnd, nil, Withdrawn, leftAsPeopleMadeIt, []teller{ending}},

	{[]State{Approved}, EventRefused, nil, Refused, givenReason, []teller{ending, result}},
	{[]State{Approved}, EventReplanned, nothingToDo, Succeeded, summary, []teller{ending, result}},
	{active, EventReplanned, nil, "", nil, []teller{askIfHeld}},
	{active, EventStale, needsApproval, Waiting, nil, []teller{loudNews, plan, notice, ask, card}},
	{active, EventStale, nil, Approved, nil, []teller{loudNews, plan, notice}},
	{active, EventLapsed, nil, Waiting, nil, []teller{noticeIfFallen, loudNote, ask, card}},
	{[]State{Approved}, EventStarted, nil, Running, nil, []teller{card, notice}},

	{[]State{Running}, EventLifted, nil, Waiting, nil, []teller{loudNote, ask, card}},
	{[]State{Running}, EventStepBegun, nil, "", nil, []teller{card}},
	{[]State{Running}, EventStepEnded, isLastAndBad, Failed, reported, []teller{ending, logFile, result}},
	{[]State{Running}, EventStepEnded, isLast, Succeeded, nil, []teller{ending, logFile, result}},
	{[]State{Running}, EventStepEnded, nil, "", nil, []teller{askIfItSaid}},
	{[]State{Running, Undoing}, EventStepFailed, isUnknown, Unknown, givenReason, []teller{ending, logFile, result}},
	{[]State{Running, Undoing}, EventStepFailed, nil, Failed, givenReason, []teller{ending, logFile, result}},

	{undoable, EventUndo, nil, Undoing, nil, []teller{whatRestoringDoes, restore, ask, card, notice}},
	{[]State{Undoing}, EventUndone, isBad, Failed, notRestored, []teller{ending, logFile, result}},
	{[]State{Undoing}, EventUndone, nil, Undone, restoredBy, []teller{ending, logFile, result}},

	{anyPlanned, EventReviewed, nil, "", nil, []teller{glass, card}},
	{unfinished, EventVoided, nil, Withdrawn, storedTooLate, []teller{ending}},
	{[]State{Planning, Waiting, Approved, Running, Undoing}, EventGaveUp, nil, Failed, givenReason, []teller{ending, storyUnlessTold}},
}

// States are all states that the table leads to, with the first.
func States() []State {
	list := []State{Asked}
	for _, row := range transitions {
		if row.to != "" && !slices.Contains(list, row.to) {
			list = append(list, row.to)
		}
	}
	return list
}

// EventKinds are all kinds of events that the table has.
func EventKinds() []EventKind {
	var list []EventKind
	for _, row := range transitions {
		if !slices.Contains(list, row.on) {
			list = append(list, row.on)
		}
	}
	return list
}

// change is a request on its way from one state to the next.
type change struct {
	Trigger
	was  Request
	r    Request
	now  time.Time
	by   string // who did it; empty: the requester
	data map[string]any
	text string // stale: the news; undo: the effects of restoring
	fell bool   // lapsed: a break glass doesn't count any more
	said bool   // step-ended: the step had said what it waits for, or until when it can be restored
}

// Apply is the life of a request. It returns the request after an event, and the
// events and messages to be written with it. It is a pure function. An event that can't happen
// to the request as it stands is a *NotNowError.
func Apply(r Request, t Trigger, now time.Time) (Request, Change, error) {
	rows := slices.DeleteFunc(slices.Clone(transitions), func(row transition) bool {
		return row.on != t.Event || !slices.Contains(row.from, r.State)
	})
	if len(rows) == 0 {
		return r, Change{}, &NotNowError{Request: r}
	}
	if guard := guards[t.Event]; guard != nil {
		if no := guard(r, t, now); no != nil {
			return r, Change{}, no
		}
	}
	c := &change{Trigger: t, was: r, r: r, now: now, by: r.By, data: map[string]any{}}
	if c.Review.By != "" {
		c.by, c.Review.At = c.Review.By, now
	}
	if t.Reason != "" {
		c.data["reason"] = t.Reason
	}
	if on := effects[t.Event]; on != nil {
		on(c)
	}
	row := rows[slices.IndexFunc(rows, func(row transition) bool { return row.when == nil || row.when(c) })]
	why := ""
	if row.why != nil {
		why = row.why(c)
	}
	switch {
	case row.to.Ended():
		c.end(row.to, why)
	case row.to == Waiting:
		c.wait()
	case row.to != "":
		c.r.State = row.to
	}
	if c.r.State.Ended() && c.r.Plan == nil {
		c.r.Inputs = redacted(c.r.Inputs) // no plan has found that a name in them matches
	}
	var tell []Message
	for _, teller := range row.tell {
		tell = append(tell, teller(c)...)
	}
	if !c.Review.Proved.IsZero() {
		c.data["proved"] = c.Review.Proved
	}
	if c.Review.Reason != "" {
		c.data["reason"] = c.Review.Reason
	}
	return c.r, Change{
		Events: []Event{c.event()}, Messages: tell, Done: t.Click,
		// A worker goes on with the request, whichever process took the click.
		Wake: t.Click != 0,
	}, nil
}

// event records the change.
func (c *change) event() Event {
	e := NewEvent(c.r, c.now, string(c.Event), c.data)
	if c.by != "" {
		e.By = c.by
	}
	return e
}

// NewEvent is an event of a request that its requester causes.
func NewEvent(r Request, at time.Time, kind string, data map[string]any) Event {
	by := r.By
	if by == "" {
		by = r.Asker.Name()
	}
	return Event{At: at, Request: r.ID, Kind: kind, By: by, Data: data}
}

// end ends a request. Nothing is known yet of one that ends as it was asked.
func (c *change) end(state State, why string) {
	r := &c.r
	r.State, r.Reason, r.EndedAt = state, why, c.now
	if c.was.State == Asked {
		return
	}
	r.Progress, r.UndoUntil, r.Waits, r.HeldUp, r.HeldSince, r.Lifted = "", time.Time{}, ops.Waiting{}, "", time.Time{}, ""
	r.Changed = c.Changed
	c.data["state"] = state
	if r.Changed != "" {
		c.data["changed"] = r.Changed
	}
}

// wait makes a request wait for approvals.
func (c *change) wait() {
	c.r.State, c.r.ExpiresAt, c.r.Reminders = Waiting, c.now.Add(c.Terms.Expiry), 0
	c.r.RemindAt = c.Terms.Remind(0, c.now)
}
