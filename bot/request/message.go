package request

import "time"

// Kinds of messages. A message says what to tell; how it looks is its front
// end's business, which draws it from the request when it is delivered.
const (
	Card    = "card"    // the request's card, made or brought up to date
	Plan    = "plan"    // the plan, in the card's thread
	Log     = "log"     // lines Body.From to Body.To, in the thread
	LogFile = "logfile" // the whole log as a file, in the thread
	Result  = "result"  // the outcome, in the thread
	Ask     = "ask"     // who must decide, with the buttons for that, made or brought up to date
	Note    = "note"    // Body.Text, in the card's thread
	Direct  = "direct"  // how it ended, to the asker, by themselves
	Private = "private" // Body.Text, for one person's eyes only
	Pointer = "pointer" // Body.Text and where the card of Body.Other is, for one person's eyes only

	// Of no request, or beside it:
	Announce = "announce" // Body.Text, about Body.For if that is set, in the log channel
	Letter   = "letter"   // Body.Text to Body.For by themselves, about Body.About if that is set
	Anchor   = "anchor"   // Body.Text is a Head; in the log channel
	Glass    = "glass"    // that a request runs without its approvals, in the log channel, made or brought up to date
	Restore  = "restore"  // that what was approved is being restored, and by whom, in the log channel
	GlassDue = "glassdue" // that a run without its approvals has still to be looked at, in the log channel
	Linking  = "linking"  // the link whose Key is Body.Other, in the log channel, made or brought up to date; Body.Text is what became of it once it is gone
)

// Body is what a message says beyond what its request says.
type Body struct {
	Text  string `json:"text,omitempty"`
	From  int64  `json:"from,omitempty"`
	To    int64  `json:"to,omitempty"`
	Other string `json:"other,omitempty"` // another request; of a Letter: the alarm that it is
	For   *Asker `json:"for,omitempty"`   // who is meant by Private, Pointer, Announce and Letter; nil: who asked
	About *Asker `json:"about,omitempty"` // whom a Letter is about

	Mention bool `json:"mention,omitempty"` // call the people of the request: who asked and who approved
}

// Message is a message that is to be delivered, in the order of its thread.
type Message struct {
	ID      int64  // set by the store
	Thread  string // messages of one thread are delivered in order; empty: what suits the kind
	Request string
	Kind    string
	Body    Body
	Due     time.Time // not to be tried before
	Tries   int       // that were begun; some may have succeeded without our knowing
	At      time.Time // written
}

// ThreadFor is the thread of the request's card, but for messages to one person: a
// person who can't be reached must not hold up the messages that all members read.
func (m Message) ThreadFor(r Request) string {
	switch m.Kind {
	case Private, Pointer, Direct, Glass, Restore:
		return m.Kind + "/" + r.ID
	case Announce, Anchor:
		return m.Kind
	case Linking:
		return m.Kind + "/" + m.Body.Other
	case Letter:
		return m.Kind + "/" + m.Body.For.User
	}
	return r.Card
}

// Reply is where a front end can answer a person for their eyes only, wherever they
// are: a key to their conversation, which the front end has sealed.
type Reply struct {
	Sealed string
	Till   time.Time // it is of no use afterwards
}
