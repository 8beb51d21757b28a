package request

import (
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// Terms are the desk's conditions for one operation: where it is asked for, by
// whom, and how it is decided. They are the installer's to set.
type Terms struct {
	Place      string          // where it is asked for and decided; empty: anywhere, and decided in the log channel
	Requesters string          // ByTeam or ByPlace
	Approval   ops.Rule        // beyond what a plan demands by itself
	Expiry     time.Duration   // how long a request waits for its approvals
	Reminders  []time.Duration // of working time, each after the one before
	Hours      Hours
}

// Who may ask.
const (
	ByTeam  = "team"    // members of the GitHub team
	ByPlace = "channel" // every full member of the workspace who is in the operation's place
)

// Need is how many approvals a plan needs, and why if the plan itself says so.
func (t Terms) Need(p ops.Plan) (int, string) {
	if p.Approval.Count > t.Approval.Count {
		return p.Approval.Count, p.Approval.Why
	}
	return t.Approval.Count, p.Approval.Why
}

// Remind is when to remind for the n-th time, from 0; the zero time: never.
func (t Terms) Remind(n int, now time.Time) time.Time {
	if n >= len(t.Reminders) {
		return time.Time{}
	}
	return t.Hours.After(now, t.Reminders[n])
}

// Hours are working hours, Monday to Friday.
type Hours struct {
	Begin, End time.Duration // since midnight
	Zone       *time.Location
}

// NextDay is when the next working day after t's begins.
func (h Hours) NextDay(t time.Time) time.Time {
	year, month, day := t.In(h.Zone).Date()
	for {
		day++
		begin := time.Date(year, month, day, 0, 0, int(h.Begin.Seconds()), 0, h.Zone)
		// Noon is on every day; midnight isn't, where clocks change.
		if weekday := time.Date(year, month, day, 12, 0, 0, 0, h.Zone).Weekday(); weekday != time.Saturday && weekday != time.Sunday {
			return begin.UTC()
		}
	}
}

// After is the time when d of working time have passed since t.
func (h Hours) After(t time.Time, d time.Duration) time.Time {
	if h.End <= h.Begin {
		return t.Add(d)
	}
	year, month, day := t.In(h.Zone).Date()
	for ; ; day++ {
		// Noon is on every day; midnight isn't, where clocks change.
		if weekday := time.Date(year, month, day, 12, 0, 0, 0, h.Zone).Weekday(); weekday == time.Saturday || weekday == time.Sunday {
			continue
		}
		// time.Date counts wall-clock hours, so days with a change of time are right.
		begin := time.Date(year, month, day, 0, 0, int(h.Begin.Seconds()), 0, h.Zone)
		end := time.Date(year, month, day, 0, 0, int(h.End.Seconds()), 0, h.Zone)
		if begin.Before(t) {
			begin = t
		}
		left := end.Sub(begin)
		switch {
		case left <= 0:
		case d > left:
			d -= left
		default:
			return begin.Add(d).UTC()
		}
	}
}

// DefaultTerms hold where nothing is set.
func DefaultTerms() Terms {
	return Terms{
		Requesters: ByTeam,
		Expiry:     72 * time.Hour,
		Reminders:  []time.Duration{time.Hour, 4 * time.Hour, 12 * time.Hour, 24 * time.Hour},
		Hours:      OfficeHours(),
	}
}

// OfficeHours are 09:00 to 18:00 in London, summer time included.
func OfficeHours() Hours {
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		zone = time.UTC // a system without time zones, and a binary without them
	}
	return Hours{Begin: 9 * time.Hour, End: 18 * time.Hour, Zone: zone}
}
