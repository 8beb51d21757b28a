// Package request is what a request for an operation is, from the moment it is asked
// for to its end: its state, who decided about it, the events that are recorded of it,
// the messages that tell people of it, and the clicks that people answer with. It
// imports package ops alone.
//
// # The way of a request
//
// A front end such as package chat stores a request as asked, and acknowledges it to
// the requester only then. River wakes a desk (package bot), which claims the request, so
// that one process at a time works on it. The desk asks GitHub whether the requester may
// ask for the operation, and admits or refuses the request. The operation makes a plan,
// which only reads the world, and the front end shows the plan. Members approve or reject
// it; an approval names the digest of the plan, and counts if that plan was shown. When
// the approvals suffice, the desk asks again about the people, the record, the plan and
// the settings, and begins to run the plan's steps. It asks the same before each change
// that follows a wait or can't be taken back, and records each change before it is made.
// A step that waits gives the request back, and another process may go on with it. A
// member may have the request restored from its first change until one that can't be
// taken back. The report that a step has read back from the world is the result, and the
// front end tells it.
//
// Whatever happens on that way is a [Trigger], and [Apply] is all that it can do to the
// request: the table of transitions says for each state and event what the request
// becomes and what people are told. Package store writes the request, its events and its
// messages at once.
//
// # States
//
//	stateDiagram-v2
//	    [*] --> asked
//	    asked --> planning: admitted
//	    asked --> refused: refused
//	    asked --> withdrawn: withdrawn, voided
//	    asked --> failed: gave-up
//	    planning --> succeeded: planned
//	    planning --> refused: planned, unplanned
//	    planning --> waiting: planned
//	    planning --> approved: planned
//	    planning --> failed: unplanned, gave-up
//	    planning --> withdrawn: withdrawn, voided
//	    waiting --> withdrawn: withdrawn, end, voided
//	    approved --> withdrawn: withdrawn, voided
//	    running --> withdrawn: withdrawn
//	    waiting --> approved: approved, break-glass, again
//	    waiting --> refused: rejected
//	    waiting --> expired: expired
//	    approved --> refused: refused
//	    approved --> succeeded: replanned
//	    approved --> waiting: stale, lapsed
//	    running --> waiting: stale, lapsed, lifted
//	    running --> approved: stale
//	    approved --> running: started
//	    running --> failed: step-ended, step-failed, gave-up
//	    running --> succeeded: step-ended
//	    running --> unknown: step-failed
//	    undoing --> unknown: step-failed
//	    undoing --> failed: step-failed, undone, gave-up
//	    waiting --> undoing: undo
//	    approved --> undoing: undo
//	    running --> undoing: undo
//	    succeeded --> undoing: undo
//	    failed --> undoing: undo
//	    refused --> undoing: undo
//	    withdrawn --> undoing: undo
//	    expired --> undoing: undo
//	    unknown --> undoing: undo
//	    undoing --> undone: undone
//	    waiting --> failed: gave-up
//	    approved --> failed: gave-up
package request
