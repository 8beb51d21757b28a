package request

import (
	"fmt"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
)

// UnknownLogin begins what stands for the login of a person who may ask without one:
// their ID in the chat follows.
const UnknownLogin = "slack."

// Why a request ended, in words for people.
func givenReason(c *change) string { return c.Reason }

func onlyPreview(*change) string { return "This was only a preview. " + ops.ChangedNothing.Words() }
func summary(c *change) string   { return c.Plan.Summary }
func reported(c *change) string  { return c.r.Report.Summary }
func storedTooLate(*change) string {
	return "It was stored too late: the requester had been told that it wasn't taken."
}

func rejectedBy(c *change) string {
	return Sentence(fmt.Sprintf("%s rejected it: %s", c.Review.By, c.Review.Reason)) + c.stands()
}

func nobodyDecided(c *change) string {
	return fmt.Sprintf("Nobody decided by %s UTC.", c.r.ExpiresAt.Format("2 Jan 15:04")) + c.stands()
}

func notRestored(c *change) string { return "It is not restored completely. " + c.r.Report.Summary }

func restoredBy(c *change) string {
	return fmt.Sprintf("%s restored it: %s", c.r.Restoring.By, c.r.Restoring.Reason)
}

// needsTheChat says why a request of a terminal can't be run: it never waits for approvals.
func needsTheChat(c *change) string {
	why := strings.TrimSpace(c.r.Why + " It needs " + Approvals(c.r.Missing()) + ", and approvals are given in the chat: ask for it there. " + ops.ChangedNothing.Words())
	c.r.Need = 0
	return why
}

func withdrawnBy(c *change) string {
	reason := c.Review.By + " withdrew it"
	if strings.HasPrefix(c.Review.By, UnknownLogin) {
		reason = "The requester withdrew it"
	}
	if c.Review.Reason != "" {
		reason += ": " + c.Review.Reason
	}
	return Sentence(reason) + c.stands()
}

func leftAsPeopleMadeIt(c *change) string {
	return Sentence(fmt.Sprintf("%s ended it: %s", c.Review.By, c.Review.Reason)) + " It stays as people made it. " + c.was.Lifted
}

// stands is how much of a request had been done when it ended, behind a sentence.
func (c *change) stands() string {
	if words := c.Changed.Words(); words != "" {
		return " " + words
	}
	return ""
}

// news tells the new effects and terms of a plan that must be shown again.
func news(r Request, beyond, terms []string) string {
	text := "The plan has changed since it was made."
	if r.Need > 0 {
		text = "The plan has changed since it was approved, so it must be approved again."
	}
	if !r.ActedAt.IsZero() {
		text += " " + ops.ChangedPart.Words()
	}
	if len(beyond) > 0 {
		text += "\nNew in it:\n• " + Listed(beyond)
	}
	if len(terms) > 0 {
		text += "\nSettings that have changed:\n• " + Listed(terms)
	}
	return text
}

// othersEnd is what the requester reads by themselves when another person has ended
// their request; empty: how it ended says all.
func (c *change) othersEnd() string {
	if c.Event != EventWithdrawn || c.Review.Same(c.r.requester()) {
		return ""
	}
	target := ""
	if c.r.Plan != nil && c.r.Plan.Target != "" {
		target = " for " + c.r.Plan.Target
	}
	text := fmt.Sprintf("%s withdrew your request%s: %s", c.Review.By, target, Sentence(c.Review.Reason))
	if c.r.Need > 0 && len(c.r.Reviews) > 0 {
		text += fmt.Sprintf(" %d of %s had been given.", len(c.r.Reviews), Approvals(c.r.Need))
	}
	return text + c.stands()
}

// Sentence puts a full stop behind a text that a person typed, if it has none.
func Sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// Approvals writes a number of approvals.
func Approvals(n int) string { return ops.Count(n, "approval") }

// Listed writes points, one a line, as they may be shown.
func Listed(points []string) string {
	lines := make([]string, len(points))
	for i, point := range points {
		lines[i] = ops.Visible(point)
	}
	return strings.Join(lines, "\n• ")
}

func logins(reviews []Review) []string {
	list := []string{}
	for _, review := range reviews {
		list = append(list, review.By)
	}
	return list
}

// redacted are the values of a form without secrets.
func redacted(inputs ops.Inputs) ops.Inputs {
	if inputs == nil {
		return nil
	}
	kept := ops.Inputs{}
	for name, values := range inputs {
		for _, value := range values {
			kept[name] = append(kept[name], ops.Redact(value))
		}
	}
	return kept
}
