package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// unfit says why an approval doesn't count; empty: it counts.
func unfit(r request.Request, h happening, now time.Time) string {
	switch {
	case !now.Before(r.ExpiresAt):
		return past(r, h, now)
	case same(h.review, request.Review{By: r.By, Account: r.Account, User: r.Asker.User}):
		return "You asked for this, so somebody else must approve it."
	case slices.ContainsFunc(r.Reviews, func(old request.Review) bool { return same(old, h.review) }):
		return "You have approved this already; one person counts once."
	}
	return past(r, h, now)
}

// barred tells whether a thing can't happen to a request though its state allows it,
// and why; empty: its state says that.
func barred(r request.Request, h happening) (why string, no bool) {
	switch h.kind {
	case reviewed, glass, rejected:
		if r.Lifted != "" {
			return "It was approved, and people undid what it had done: " + r.Lifted + " Decide what becomes of it by the newest buttons in the thread. Your click changed nothing.", true
		}
	case again, leftAsIs:
		if r.Lifted == "" {
			return "That was decided already. Your click changed nothing.", true
		}
	case undoing:
		switch {
		case !r.FinalAt.IsZero():
			return fmt.Sprintf("It can't be restored any more: something that can't be taken back was done at %s UTC. Your click changed nothing.", r.FinalAt.Format("2 Jan 15:04:05")), true
		case !r.Acted() && r.State.Ended():
			return "", true
		case !r.Acted():
			return "There is nothing to restore: this request has changed nothing. Your click changed nothing.", true
		}
	}
	return "", false
}

// past says why a decision doesn't count: it comes too late, or is about an earlier
// plan, or about one that hasn't been shown; empty: it counts.
func past(r request.Request, h happening, now time.Time) string {
	switch {
	case !now.Before(r.ExpiresAt):
		return fmt.Sprintf("That comes too late: the time to decide was over at %s UTC. Your click changed nothing.", r.ExpiresAt.Format("2 Jan 15:04:05"))
	case h.review.Digest != r.Digest():
		return changed(r)
	case !h.shown:
		return "The plan hasn't reached Slack yet, so nobody can decide about it. Wait until it stands in the thread, then press again. Your click changed nothing."
	}
	return ""
}

// same tells whether two reviews are one person's: one GitHub login, which has
// no case, one GitHub account, whatever its login is by now, or one place in the
// chat.
func same(a, b request.Review) bool {
	return strings.EqualFold(a.By, b.By) || a.Account != 0 && a.Account == b.Account || a.User != "" && a.User == b.User
}

// changed is the answer to a button of an earlier plan.
func changed(r request.Request) string {
	return fmt.Sprintf("The plan has changed since that button was shown, at %s UTC. Look at the newest plan in the thread. Your click changed nothing.", r.PlannedAt.Format("2 Jan 15:04:05"))
}
