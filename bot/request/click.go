package request

import "time"

// Click is what somebody pressed, stored before it is acknowledged and
// answered afterwards: whether it may is found out by asking GitHub.
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
	Name   string `json:"name,omitempty"` // what had to be typed in full
}
