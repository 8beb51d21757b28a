// Package request is what a request for an operation is, from the moment it is asked
// for to its end: its state, who decided about it, the events that are recorded of it,
// the messages that tell people of it, and the clicks that people answer with. It
// imports package ops alone.
//
// A request is stored as asked before it is acknowledged. The desk (package bot) finds
// out whether its requester may ask for it, and admits it; makes a plan, which people
// are shown; waits for the approvals that the plan needs; and walks the plan's steps.
// Whatever happens on that way is a [Trigger], and [Apply] is all that it can do to the
// request: the table of transitions says for each state and event what the request
// becomes and what people are told. Package store writes both at once, and a front end
// such as package chat delivers the messages.
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
//	    approved --> withdrawn: voided
//	    waiting --> failed: gave-up
//	    approved --> failed: gave-up
package request
