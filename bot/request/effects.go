package request

import (
	"fmt"
	"slices"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// effects are what events change in a request beside its state, and what of that is
// recorded.
var effects = map[EventKind]func(*change){
	EventAdmitted:   onAdmitted,
	EventRefused:    onRefused,
	EventPlanned:    onPlanned,
	EventApproved:   onApproved,
	EventBreakGlass: onBreakGlass,
	EventReviewed:   func(c *change) { c.r.Looked = &c.Review },
	EventRejected:   func(c *change) { c.r.Decided = &c.Review },
	EventWithdrawn:  func(c *change) { c.r.Decided = &c.Review },
	EventEnd:        func(c *change) { c.r.Decided = &c.Review },
	EventReminded:   onReminded,
	EventStale:      onStale,
	EventLapsed:     onLapsed,
	EventLifted:     onLifted,
	EventAgain:      func(c *change) { c.r.Lifted, c.r.Step, c.r.StepBegun = "", 0, time.Time{} },
	EventReplanned:  onReplanned,
	EventStarted:    onStarted,
	EventStepBegun:  onStepBegun,
	EventStepEnded:  onStepEnded,
	EventStepFailed: func(c *change) { c.data["step"] = c.was.stepAtHand() },
	EventUndo:       onUndo,
	EventUndone:     func(c *change) { c.by = c.r.Restoring.By },
}

func onAdmitted(c *change) {
	c.r.By, c.r.Account, c.r.Held, c.r.AdmittedAt = c.Login, c.Account, c.Held, c.now
	c.by = c.Login
}

func onRefused(c *change) {
	if c.Login != "" {
		c.r.By, c.by = c.Login, c.Login
	}
	if c.Pointer != "" {
		c.data["instead"] = c.Pointer
	}
}

func onPlanned(c *change) {
	c.Changed = ops.ChangedNothing // whatever it ends as
	c.planned()
	c.r.Progress = ""
}

// planned replaces the plan by another one, which must be shown yet.
func (c *change) planned() {
	c.data["digest"], c.data["plan"] = c.Plan.Digest(), c.Plan.WithoutData()
	c.r.Plan, c.r.PlannedAt, c.r.Settings, c.r.Shown = c.Plan, c.now, c.Settings, ""
	c.r.Need, c.r.Why = c.Terms.Need(*c.Plan)
	if c.r.Need > 0 {
		c.data["need"] = c.r.Need
	}
}

func onApproved(c *change) {
	c.data["digest"] = c.Review.Digest
	c.r.Reviews = append(slices.Clone(c.r.Reviews), c.Review)
}

func onBreakGlass(c *change) {
	c.data["digest"], c.data["missing"] = c.Review.Digest, c.was.Missing()
	c.r.Glass, c.r.Looked = &c.Review, nil
}

func onReminded(c *change) {
	c.r.Reminders++
	c.r.RemindAt = c.Terms.Remind(c.r.Reminders, c.now)
}

func onStale(c *change) {
	beyond, terms := c.Plan.Beyond(*c.was.Plan), c.Plan.NewTerms(*c.was.Plan)
	c.planned()
	if c.r.Need > c.was.Need && c.was.Need > 0 {
		terms = append(terms, fmt.Sprintf("Approvals: %d, now %d", c.was.Need, c.r.Need))
	}
	c.data["beyond"] = beyond
	if len(terms) > 0 {
		c.data["terms"] = terms
	}
	c.r.Step, c.r.StepBegun, c.r.Reviews = 0, time.Time{}, nil
	c.stopWaiting()
	c.supersede()
	c.text = news(c.r, beyond, terms)
}

func onLapsed(c *change) {
	c.data["login"] = c.Lost.By
	c.r.Reviews = slices.DeleteFunc(slices.Clone(c.r.Reviews), func(review Review) bool { return review.Same(c.Lost) })
	if c.r.Glass != nil && c.r.Glass.Same(c.Lost) {
		c.supersede()
		c.fell = true
	}
	c.stopWaiting()
	c.r.StepBegun = time.Time{}
	c.text = c.Reason + " " + ops.ChangedPart.Words() + " Before it goes on, somebody else must approve it."
}

func onLifted(c *change) {
	c.r.Lifted, c.r.StepBegun = c.Reason, time.Time{}
	c.stopWaiting()
	c.text = c.Reason
}

// supersede ends what a break glass was for; nil: there was none.
func (c *change) supersede() {
	if c.r.Glass != nil {
		fallen := *c.r.Glass
		fallen.Fallen = true
		c.r.Glass = &fallen
	}
}

// stopWaiting forgets what the step at hand waited for.
func (c *change) stopWaiting() {
	c.r.UndoUntil, c.r.Waits, c.r.HeldUp, c.r.HeldSince = time.Time{}, ops.Waiting{}, "", time.Time{}
}

func onReplanned(c *change) {
	c.data["digest"] = c.Plan.Digest()
	c.r.PlannedAt, c.r.HeldUp, c.r.HeldSince = c.now, "", time.Time{}
	if c.was.State == Approved {
		// Nothing has been done yet, so the steps go by the world as it is now.
		c.r.Shown, c.r.Plan = c.was.Digest(), c.Plan
	}
}

func onStarted(c *change) {
	if c.r.Need > 0 {
		// The approvals on record count: a reader of the record can compare the two.
		c.data["digest"], c.data["need"], c.data["approved"] = c.r.Digest(), c.r.Need, logins(c.r.Reviews)
		if c.r.Alone() {
			c.data["alone"] = c.r.Glass.By
		}
	}
	c.r.StartedAt, c.r.Step, c.r.StepBegun = c.now, 0, time.Time{}
}

func onStepBegun(c *change) {
	c.r.StepBegun = c.now
	c.data["step"] = c.r.stepAtHand()
}

func onStepEnded(c *change) {
	c.data["step"] = c.r.stepAtHand()
	c.r.Step, c.r.StepBegun = c.r.Step+1, time.Time{}
	if c.r.Step < len(c.r.Plan.Steps) {
		c.said = !c.r.UndoUntil.IsZero() || c.r.Waits != (ops.Waiting{})
		c.r.UndoUntil, c.r.Waits = time.Time{}, ops.Waiting{}
		return
	}
	c.data["report"] = c.r.Report
	if c.r.Report != nil && c.r.Report.Final && c.r.FinalAt.IsZero() {
		c.r.FinalAt = c.now
	}
}

func onUndo(c *change) {
	c.r.Restoring, c.r.StepBegun = &c.Review, time.Time{}
	c.stopWaiting()
	c.r.Lifted = ""
	c.r.EndedAt, c.r.Reason, c.r.Report, c.r.Changed = time.Time{}, "", nil, ""
	c.data["reason"], c.data["effects"] = c.Review.Reason, c.Effects
	if len(c.Effects) > 0 {
		c.text = "Restoring will:\n• " + Listed(c.Effects)
	}
}

// stepAtHand is the title of the step at hand, or of the last one.
func (r Request) stepAtHand() string { return r.Plan.Steps[min(r.Step, len(r.Plan.Steps)-1)].Title }
