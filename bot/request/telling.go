package request

import (
	"fmt"
	"time"
)

// teller makes the messages that a change is told by; it may make none.
type teller func(*change) []Message

// says is a teller of one message.
func says(kind string, body func(*change) Body) teller {
	return func(c *change) []Message {
		m := Message{Request: c.r.ID, Kind: kind}
		if body != nil {
			m.Body = body(c)
		}
		return []Message{m}
	}
}

// only has a teller tell if a condition holds.
func only(when func(*change) bool, tell ...teller) teller {
	return func(c *change) (list []Message) {
		if when(c) {
			for _, t := range tell {
				list = append(list, t(c)...)
			}
		}
		return list
	}
}

// What people are told.
var (
	card    = says(Card, nil)
	plan    = says(Plan, nil)
	ask     = says(Ask, nil)
	logFile = says(LogFile, nil)
	result  = says(Result, nil)
	glass   = says(Glass, nil)
	restore = says(Restore, func(c *change) Body { return Body{Text: c.text} })

	notice            = only(func(c *change) bool { return c.r.Glass != nil }, glass)
	noticeIfFallen    = only(func(c *change) bool { return c.fell }, glass)
	ownPointer        = only(func(c *change) bool { return c.r.Card == c.r.ID }, says(Pointer, func(c *change) Body { return Body{Other: c.r.ID} }))
	privateReason     = says(Private, func(c *change) Body { return Body{Text: c.r.Reason} })
	tooFew            = only(func(c *change) bool { return c.Few != "" }, says(Note, func(c *change) Body { return Body{Text: c.Few} }))
	loudNews          = says(Note, func(c *change) Body { return Body{Text: c.text, Mention: !c.was.ActedAt.IsZero()} })
	loudNote          = says(Note, func(c *change) Body { return Body{Text: c.text, Mention: true} })
	reminder          = says(Note, func(c *change) Body { return Body{Text: c.reminder()} })
	askIfItSaid       = only(func(c *change) bool { return c.said }, ask)
	askIfHeld         = only(func(c *change) bool { return c.was.HeldUp != "" }, ask)
	whatRestoringDoes = only(func(c *change) bool { return c.text != "" }, says(Note, func(c *change) Body { return Body{Text: c.text} }))

	// turnedAway tells the requester alone: a stranger's request has no card.
	turnedAway = func(c *change) []Message {
		switch {
		case c.Pointer != "":
			return says(Pointer, func(c *change) Body { return Body{Text: c.Reason, Other: c.Pointer} })(c)
		case !c.Quiet:
			return privateReason(c)
		}
		return nil
	}

	// ending tells the end of a request that has a card. A request that waited in the
	// middle of a run ends like a run: its log and its result are told.
	ending = func(c *change) (list []Message) {
		for _, t := range []teller{
			card,
			only(func(c *change) bool { return c.waited() || !c.was.ActedAt.IsZero() || c.was.State == Undoing }, ask),
			only((*change).waited, says(Direct, func(c *change) Body { return Body{Text: c.othersEnd()} })),
			notice,
			only((*change).waitedInRun, logFile, result),
		} {
			list = append(list, t(c)...)
		}
		return list
	}

	// storyUnlessTold tells log and result, unless the ending has.
	storyUnlessTold = only(func(c *change) bool { return !c.waitedInRun() },
		only(func(c *change) bool { return !c.was.StartedAt.IsZero() }, logFile), result)
)

func (c *change) waited() bool { return !c.was.ExpiresAt.IsZero() }

func (c *change) waitedInRun() bool { return c.was.State == Waiting && !c.was.StartedAt.IsZero() }

func (c *change) reminder() string {
	what := Approvals(c.r.Missing())
	if c.r.Lifted != "" {
		what = "a member to decide what becomes of it"
	}
	return fmt.Sprintf("Still waiting for %s, until %s UTC: %s", what, c.r.ExpiresAt.Format("2 Jan 15:04"), c.r.Plan.Summary)
}

func glassDue(c *change) []Message { return []Message{ReviewDue(c.r, c.Terms.Hours, c.now)} }

// ReviewDue is the reminder, on the next working day, that a run without its approvals
// has still to be looked at.
func ReviewDue(r Request, hours Hours, now time.Time) Message {
	if hours.Zone == nil {
		hours = OfficeHours()
	}
	due := hours.NextDay(now)
	return Message{
		// Beside everything else: nothing must wait for it.
		Thread: "glassdue/" + r.ID + due.Format("/20060102"), Request: r.ID, Kind: GlassDue, Due: due,
	}
}
