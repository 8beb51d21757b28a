package audit

import (
	"fmt"
	"iter"
	"strings"

	"github.com/aws-root-account/rootbot/bot/request"
)

// UnapprovedError names the first event for which the record has no cause: a run
// that began without the approvals it needed, or a call of AWS outside a run.
type UnapprovedError struct {
	Seq int64
	Why string // in words for people
}

func (e *UnapprovedError) Error() string { return fmt.Sprintf("event %d: %s", e.Seq, e.Why) }

// Approved returns nil if every run that needed approvals has them in the record
// before it began, of the plan that it began with, and if every call that changes
// something at AWS lies within a run. Otherwise it returns an *UnapprovedError for
// the first event of which that can't be said, or the error of events.
func Approved(events iter.Seq2[request.Event, error]) error {
	requests := map[string]*course{}
	for e, err := range events {
		if err != nil {
			return err
		}
		if e.Request == "" || e.Request == anchors {
			continue
		}
		c := requests[e.Request]
		if c == nil {
			c = &course{said: map[string]bool{}}
			requests[e.Request] = c
		}
		if why := c.take(e); why != "" {
			return &UnapprovedError{e.Seq, why}
		}
	}
	return nil
}

// anchors stands for a request where the bot puts the head of the record into a bucket.
const anchors = "audit"

// course is what the events of one request have come to.
type course struct {
	said    map[string]bool // who approved which plan, or had it run alone
	running bool
}

// take takes the next event of a request, and says what is wrong with it.
func (c *course) take(e request.Event) string {
	said := func(kind, login, digest string) string { return kind + " " + strings.ToLower(login) + " " + digest }
	digest, _ := e.Data["digest"].(string)
	switch e.Kind {
	case "approved", "break-glass":
		c.said[said(e.Kind, e.By, digest)] = true
	case "started":
		c.running = true
		need, known := e.Data["need"].(float64)
		if !known {
			return "" // it needed none, or is older than this record of it
		}
		if alone, _ := e.Data["alone"].(string); alone != "" {
			if !c.said[said("break-glass", alone, digest)] {
				return fmt.Sprintf("the run began as if %s had it run alone, of which nothing is recorded", alone)
			}
			return ""
		}
		approved, _ := e.Data["approved"].([]any)
		for _, login := range approved {
			if !c.said[said("approved", text(login), digest)] {
				return fmt.Sprintf("the run began with an approval by %s, of which nothing is recorded", text(login))
			}
		}
		if len(approved) < int(need) {
			return fmt.Sprintf("the run began with %d of the %d approvals that it needed", len(approved), int(need))
		}
	case "undo":
		c.running = true
	case "stale", "lapsed", "lifted":
		c.running = false
	case "calling", "acting":
		if !c.running {
			return "a change was made outside a run: nothing recorded allows it"
		}
	}
	if _, ended := e.Data["state"]; ended && e.Kind != "refused" && e.Kind != "too-late" {
		c.running = false
	}
	return ""
}
