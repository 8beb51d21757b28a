package request

import "time"

// Click is a press of a button, or a form of one, stored before it is acknowledged and
// answered afterwards: GitHub is asked whether the person may decide.
type Click struct {
	ID      int64     `json:"-"` // set by the store
	Request string    `json:"-"`
	Verb    string    `json:"-"` // "approve", "reject", …
	At      time.Time `json:"-"`
	Done    bool      `json:"-"` // answered
	Origin  string    `json:"-"` // what tells it from every other click; empty: nothing does

	Asker  Asker  `json:"asker"`          // who pressed, and where
	Digest string `json:"digest"`         // of the plan that the button was shown with
	Text   string `json:"text,omitempty"` // a reason
	Name   string `json:"name,omitempty"` // the name that a dangerous operation has people type in full
}
