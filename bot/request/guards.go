package request

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// guards say why an event can't happen to a request though its state allows it; nil:
// it can.
var guards = map[EventKind]func(Request, Trigger, time.Time) *NotNowError{
	EventApproved: func(r Request, t Trigger, now time.Time) *NotNowError {
		return barred(r, t.Unproved, mistyped(r, t, "wasn't approved"), decidedAnew(r), tooLate(r, t, now), byRequester(r, t), twice(r, t), notThisPlan(r, t))
	},
	EventBreakGlass: func(r Request, t Trigger, now time.Time) *NotNowError {
		return barred(r, t.Unproved, mistyped(r, t, "isn't run"), unnamed(t),
			unexplained(t, "That needs a written reason, so it isn't run. Press the button again, and give one."),
			decidedAnew(r), tooLate(r, t, now), notThisPlan(r, t))
	},
	EventRejected: func(r Request, t Trigger, _ time.Time) *NotNowError {
		return barred(r, outdated(r, t), unexplained(t, "A rejection needs a reason, so it wasn't rejected. Press Reject again, and give one."), decidedAnew(r))
	},
	EventWithdrawn: func(r Request, t Trigger, _ time.Time) *NotNowError {
		switch {
		case (r.State == Approved || r.State == Running) && !r.Idle():
			return &NotNowError{Request: r}
		case r.State == Asked, r.State == Planning, t.Review.Same(r.requester()):
			return nil
		}
		return barred(r, unexplained(t, "This is someone else's request, so it needs a reason, and wasn't withdrawn. Press the button again, and give one."))
	},
	EventAgain: func(r Request, t Trigger, now time.Time) *NotNowError {
		return barred(r, t.Unproved, notLifted(r), tooLate(r, t, now), notThisPlan(r, t))
	},
	EventEnd: func(r Request, t Trigger, _ time.Time) *NotNowError {
		return barred(r, notLifted(r), unexplained(t, "That needs a reason, so it wasn't ended. Press the button again, and give one."))
	},
	EventReviewed: mayReview,
	EventUndo:     mayUndo,
	EventLapsed: func(r Request, _ Trigger, _ time.Time) *NotNowError {
		if len(r.Reviews) == 0 && r.Glass == nil {
			return &NotNowError{Request: r}
		}
		return nil
	},
}

// barred is the first of some reasons; nil where there is none.
func barred(r Request, reasons ...string) *NotNowError {
	if i := slices.IndexFunc(reasons, func(why string) bool { return why != "" }); i >= 0 {
		return &NotNowError{Request: r, Why: reasons[i]}
	}
	return nil
}

func mistyped(r Request, t Trigger, so string) string {
	if !t.Dangerous || t.Name == r.Plan.Target {
		return ""
	}
	return fmt.Sprintf("You typed “%s”; the name is “%s”, so it %s. Case and spaces count.", t.Name, r.Plan.Target, so)
}

func unnamed(t Trigger) string {
	if t.MayBreak {
		return ""
	}
	return "Only those whom the bot's settings name under break_glass may have something run alone. Your click changed nothing."
}

func unexplained(t Trigger, why string) string {
	if !ops.Blank(t.Review.Reason) {
		return ""
	}
	return why
}

func decidedAnew(r Request) string {
	if r.Lifted == "" {
		return ""
	}
	return "It was approved, and people undid what it had done: " + r.Lifted + " Decide what becomes of it by the newest buttons in the thread. Your click changed nothing."
}

func notLifted(r Request) string {
	if r.Lifted != "" {
		return ""
	}
	return "That was decided already. Your click changed nothing."
}

func tooLate(r Request, _ Trigger, now time.Time) string {
	if now.Before(r.ExpiresAt) {
		return ""
	}
	return fmt.Sprintf("That comes too late: the time to decide was over at %s UTC. Your click changed nothing.", r.ExpiresAt.Format("2 Jan 15:04:05"))
}

func byRequester(r Request, t Trigger) string {
	if !t.Review.Same(r.requester()) {
		return ""
	}
	return "You asked for this, so somebody else must approve it."
}

func twice(r Request, t Trigger) string {
	if !slices.ContainsFunc(r.Reviews, t.Review.Same) {
		return ""
	}
	return "You have approved this already; one person counts once."
}

// notThisPlan says why a decision is about an earlier plan, or about one that hasn't
// been shown.
func notThisPlan(r Request, t Trigger) string {
	if why := outdated(r, t); why != "" || t.Shown {
		return why
	}
	return "The plan hasn't reached Slack yet, so nobody can decide about it. Wait until it stands in the thread, then press again. Your click changed nothing."
}

// outdated is the answer to a button of an earlier plan.
func outdated(r Request, t Trigger) string {
	if t.Review.Digest == r.Digest() {
		return ""
	}
	return fmt.Sprintf("The plan has changed since that button was shown, at %s UTC. Look at the newest plan in the thread. Your click changed nothing.", r.PlannedAt.Format("2 Jan 15:04:05"))
}

func mayReview(r Request, t Trigger, _ time.Time) *NotNowError {
	switch {
	case r.Glass == nil:
		return barred(r, "That was run with its approvals, so there is nothing to look at afterwards.")
	case r.Looked != nil:
		return barred(r, r.Looked.By+" has looked at it already.")
	case t.Review.Same(*r.Glass), t.Review.Same(r.requester()):
		return barred(r, "Somebody else must look at it: neither who asked nor who had it run alone.")
	}
	return nil
}

func mayUndo(r Request, t Trigger, _ time.Time) *NotNowError {
	switch {
	case !r.FinalAt.IsZero():
		return barred(r, fmt.Sprintf("It can't be restored any more: something that can't be taken back was done at %s UTC. Your click changed nothing.", r.FinalAt.Format("2 Jan 15:04:05")))
	case !r.Acted() && r.State.Ended():
		return &NotNowError{Request: r}
	case !r.Acted():
		return barred(r, "There is nothing to restore: this request has changed nothing. Your click changed nothing.")
	}
	return barred(r, unexplained(t, "That needs a reason, so it isn't being restored. Press the button again, and give one."))
}

// Same tells whether two reviews are one person's: one GitHub login, which has no
// case, one GitHub account, whatever its login is by now, or one place in the chat.
func (a Review) Same(b Review) bool {
	return strings.EqualFold(a.By, b.By) || a.Account != 0 && a.Account == b.Account || a.User != "" && a.User == b.User
}

// requester is who asked, as a review names people.
func (r Request) requester() Review { return Review{By: r.By, Account: r.Account, User: r.Asker.User} }

// Conditions of transitions, after the event's effects.
func isPreview(c *change) bool      { return c.r.Preview }
func nothingToDo(c *change) bool    { return len(c.Plan.Steps) == 0 }
func needsApproval(c *change) bool  { return c.r.Need > 0 }
func cantBeApproved(c *change) bool { return c.r.Need > 0 && c.r.Asker.Login != "" }
func isAgreed(c *change) bool       { return c.r.Missing() == 0 }
func isRefusal(c *change) bool      { return c.Fault == ops.Refused || c.Fault == ops.Invalid }
func isUnknown(c *change) bool      { return c.Fault == ops.Unknown }
func isLast(c *change) bool         { return c.r.Step >= len(c.r.Plan.Steps) }
func isBad(c *change) bool          { return c.r.Report != nil && !c.r.Report.OK() }
func isLastAndBad(c *change) bool   { return isLast(c) && isBad(c) }
