package bot

import (
	"fmt"
	"strings"

	"github.com/aws-root-account/rootbot/bot/request"
)

// stands is how much of a request had been done when it ended, behind a sentence.
func stands(h happening) string {
	if words := h.changed.Words(); words != "" {
		return " " + words
	}
	return ""
}

// sentence puts a full stop behind a text that a person typed, if it has none.
func sentence(text string) string {
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "?") {
		return text
	}
	return text + "."
}

// told is what the requester reads by themselves when somebody else has ended
// their request; empty: how it ended says all.
func told(r request.Request, h happening) string {
	if h.kind != withdrawn || same(h.review, request.Review{By: r.By, Account: r.Account, User: r.Asker.User}) {
		return ""
	}
	target := ""
	if r.Plan != nil && r.Plan.Target != "" {
		target = " for " + r.Plan.Target
	}
	text := fmt.Sprintf("%s withdrew your request%s: %s", h.review.By, target, sentence(h.review.Reason))
	if r.Need > 0 && len(r.Reviews) > 0 {
		text += fmt.Sprintf(" %d of %s had been given.", len(r.Reviews), approvals(r.Need))
	}
	return text + stands(h)
}

func logins(reviews []request.Review) []string {
	list := []string{}
	for _, review := range reviews {
		list = append(list, review.By)
	}
	return list
}

// missing is how many approvals are still needed, in words.
func missing(r request.Request) string { return approvals(r.Missing()) }

func approvals(n int) string {
	if n == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", n)
}
