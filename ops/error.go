package ops

import (
	"errors"
	"strings"
)

// Kind sorts errors by what the person who asked can do about them.
type Kind int

// The zero Kind is a fault of the program; its details are for the operator's
// log, not for the person who asked.
const (
	Internal    Kind = iota
	Refused          // not allowed
	Invalid          // asked for something that can't be
	Busy             // somebody else is at it
	Unavailable      // a system that is needed doesn't answer, or says no
	Unknown          // it can't be known whether it was done
)

// String is the kind's name, in lower case.
func (k Kind) String() string {
	if names := [...]string{"internal", "refused", "invalid", "busy", "unavailable", "unknown"}; k >= 0 && int(k) < len(names) {
		return names[k]
	}
	return "internal"
}

// Error is a fault in words for people.
type Error struct {
	Kind Kind
	What string // what happened, and what was not done: whole sentences
	Next string // what to do now: whole sentences; may be empty
	Err  error  // the cause, for the operator's log only

	// Passing tells that it may be over by itself: worth another try.
	Passing bool
}

// Error has the words and the cause; only Words is shown to people.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Words()
	}
	return e.Words() + " (" + e.Err.Error() + ")"
}

func (e *Error) Unwrap() error { return e.Err }

// Words is what people read.
func (e *Error) Words() string { return strings.TrimSpace(e.What + " " + e.Next) }

// IsPassing tells whether the first *Error in err's tree is Passing.
func IsPassing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Passing
}

// KindOf is the kind of the first *Error in err's tree, Internal without one.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// Words is what people read of err: the words of its *Error, or, for a fault
// of the program, that there was one and where its details are.
func Words(err error, request string) string {
	if e, ok := errors.AsType[*Error](err); ok && e.Kind != Internal {
		return e.Words()
	}
	return "Internal error (request " + Short(request) + "); the bot's own log says more under that number."
}

// Short is how a request's ID is shown to people: its last 8 characters, which
// of a version 7 UUID are random.
func Short(id string) string {
	if len(id) <= 8 {
		return id
	}
	return id[len(id)-8:]
}
