package chat

import (
	"cmp"
	"fmt"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// state is how a card says where its request stands. said makes mrkdwn of what
// the run itself says: linked, or escape where no link may stand.
func state(r request.Request, said func(string) string) string {
	switch r.State {
	case request.Planning:
		if r.Progress != "" {
			return "🔎 *Looking* — " + line(r.Progress)
		}
		return "🔎 *Looking* at what would be done"
	case request.Waiting:
		if r.Lifted != "" {
			return "✋ *Stopped* — " + said(cut(ops.Visible(r.Lifted), lineLimit))
		}
		return fmt.Sprintf("⏳ *Waiting* for %s, until %s", approvals(r.Missing()), moment(r.ExpiresAt))
	case request.Approved:
		return "▶️ *About to run*"
	case request.Running:
		return running(r, said)
	case request.Succeeded:
		switch {
		case r.Preview:
			return "📋 *Preview* — " + line(r.Plan.Summary) + unchanged(r)
		case len(r.Plan.Steps) == 0:
			return "✅ *Nothing to do* — " + line(r.Plan.Summary)
		case r.Report != nil:
			return "✅ *Done* — " + line(r.Report.Summary)
		}
		return "✅ *Done*"
	case request.Failed:
		return "❌ *Failed* — " + line(r.Reason)
	case request.Refused:
		return "⛔ *Not run* — " + line(r.Reason)
	case request.Withdrawn:
		return "↩️ *Withdrawn* — " + line(r.Reason) + unchanged(r)
	case request.Expired:
		return "⌛ *Expired* — " + line(r.Reason)
	case request.Undoing:
		by := cmp.Or(r.Restoring, r.Decided, &request.Review{})
		return "↩️ *Being restored* by " + person(*by) + ": " + item(by.Reason, lineLimit)
	case request.Undone:
		return "↩️ *Restored* — " + line(r.Reason)
	case request.Unknown:
		return "❓ *Not known* — " + line(r.Reason)
	}
	return "⏳ *Asked*"
}

// running is what a run is at: what it waits for, if it says that, else its step.
func running(r request.Request, said func(string) string) string {
	switch {
	case r.Lifted != "":
		return "✋ *Stopped* — " + said(cut(ops.Visible(r.Lifted), lineLimit))
	case r.Waits.For != "":
		text := "⏳ " + said(cut(ops.Visible(r.Waits.For), sectionLimit/2))
		if !r.Waits.Until.IsZero() {
			text += " Until " + moment(r.Waits.Until) + "."
		}
		return text
	}
	step := r.Plan.Steps[min(r.Step, len(r.Plan.Steps)-1)]
	return fmt.Sprintf("▶️ *Running* — step %d of %d: %s", r.Step+1, len(r.Plan.Steps), item(step.Title, lineLimit))
}

// unchanged says that nothing was changed, where that is known.
func unchanged(r request.Request) string {
	if r.Changed != ops.ChangedNothing {
		return ""
	}
	return " " + r.Changed.Words()
}

// heldUp says why a run can't go on, as a line of its own; empty: it can.
func heldUp(r request.Request) string {
	if r.HeldUp == "" || r.State.Ended() {
		return ""
	}
	return "⏸ " + linked(cut(ops.Visible(r.HeldUp), sectionLimit/2))
}

// decisions are who decided what, and when.
func decisions(r request.Request) []string {
	var lines []string
	for _, review := range r.Reviews {
		lines = append(lines, fmt.Sprintf("Approved by %s at %s", person(review), moment(review.At)))
	}
	if r.Glass != nil {
		what := "🚨 Run alone, without its approvals,"
		if !r.Alone() {
			what = "🚨 Break glass for an earlier plan"
		}
		lines = append(lines, fmt.Sprintf("%s by %s at %s: %s", what, person(*r.Glass), moment(r.Glass.At), item(r.Glass.Reason, lineLimit)))
	}
	if r.Looked != nil {
		lines = append(lines, fmt.Sprintf("Looked at afterwards by %s at %s", person(*r.Looked), moment(r.Looked.At)))
	}
	// While it is being restored, its state says by whom.
	if r.Restoring != nil && r.State != request.Undoing {
		verb := "Restore tried"
		if r.State == request.Undone {
			verb = "Restored"
		}
		lines = append(lines, fmt.Sprintf("%s by %s at %s: %s", verb, person(*r.Restoring), moment(r.Restoring.At), item(r.Restoring.Reason, lineLimit)))
	}
	if r.Decided != nil && r.State != request.Undoing && (r.Restoring == nil || *r.Decided != *r.Restoring) {
		verb := map[request.State]string{request.Refused: "Rejected", request.Withdrawn: "Withdrawn", request.Undone: "Restored"}[r.State]
		lines = append(lines, fmt.Sprintf("%s by %s at %s", cmp.Or(verb, "Decided"), person(*r.Decided), moment(r.Decided.At)))
	}
	return lines
}
