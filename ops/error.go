package ops

import (
	"errors"
	"slices"
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
	Lifted           // people undid by hand what this run had done
)

// String is the kind's name, in lower case.
func (k Kind) String() string {
	if names := [...]string{"internal", "refused", "invalid", "busy", "unavailable", "unknown", "lifted"}; k >= 0 && int(k) < len(names) {
		return names[k]
	}
	return "internal"
}

// Changed tells how much of a request's work had been done when an error arose.
type Changed string

// The zero Changed says nothing. The desk fills it in from the request's record,
// a front end where there is no request; an operation never does.
const (
	ChangedNothing Changed = "nothing"
	ChangedPart    Changed = "part"
	ChangedAll     Changed = "everything"
	ChangedUnknown Changed = "unknown"
)

// Words says it in one sentence; empty for the zero value.
func (c Changed) Words() string {
	return map[Changed]string{
		ChangedNothing: "Nothing was changed.",
		ChangedPart:    "Part of it was done, and stays as it is.",
		ChangedAll:     "Everything that was to be changed had been changed by then.",
		ChangedUnknown: "It isn't known how much of it was done.",
	}[c]
}

// Error is a fault in words for people. What and Next never speak of what was or
// wasn't changed: the same error may arise when nothing was done and when half of
// it was.
type Error struct {
	Kind Kind
	What string // what happened: whole sentences
	Next string // what to do now: whole sentences; may be empty
	Err  error  // the cause, for the operator's log only

	// Of is What for readers other than the person whom it refuses: a sentence without
	// its subject ("is not a member of the team."). Empty: What does for every reader.
	Of string

	// Changed is how much had been done, which stands between What and Next.
	Changed Changed

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
func (e *Error) Words() string {
	words := []string{e.What, e.Changed.Words(), e.Next}
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}

// HaltError is what Run.MayAct, and a call of AWS that would change something,
// return when the desk has stopped the run before the change. A step returns it
// as it is, or wrapped. The desk knows why.
type HaltError struct{ Err error }

func (e *HaltError) Error() string { return "the run was stopped before the change: " + e.Err.Error() }

func (e *HaltError) Unwrap() error { return e.Err }

// Halted tells whether the desk has stopped the run.
func Halted(err error) bool {
	_, ok := errors.AsType[*HaltError](err)
	return ok
}

// IsPassing tells whether the first *Error in err's tree is Passing. A run that
// the desk has stopped is not tried again by its step.
func IsPassing(err error) bool {
	if Halted(err) {
		return false
	}
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
func Words(err error, request string) string { return WordsChanged(err, request, "") }

// WordsChanged is Words with how much had been done by then.
func WordsChanged(err error, request string, changed Changed) string {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind == Internal {
		e = &Error{What: "Internal error (request " + Short(request) + ").", Next: "The bot's own log says more under that number."}
	}
	told := *e
	if told.Changed == "" {
		told.Changed = changed
	}
	return told.Words()
}

// Short is how a request's ID is shown to people: its last 8 characters, which
// of a version 7 UUID are random.
func Short(id string) string {
	if len(id) <= 8 {
		return id
	}
	return id[len(id)-8:]
}
