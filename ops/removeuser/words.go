package removeuser

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

func day(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006")
}

// moment is a time as messages tell it.
func moment(t time.Time) string { return t.UTC().Format("2 Jan 15:04") + " UTC" }

func number(n int) string {
	if n == 10 {
		return "ten"
	}
	return fmt.Sprint(n)
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return ops.Count(int(d/time.Minute), "minute") + " ago"
	case d < 48*time.Hour:
		return ops.Count(int(d/time.Hour), "hour") + " ago"
	}
	return ops.Count(int(d/(24*time.Hour)), "day") + " ago"
}

// and lists things as people say them: "a, b and c".
func and(things []string) string {
	if len(things) < 2 {
		return strings.Join(things, "")
	}
	last := len(things) - 1
	return strings.Join(things[:last], ", ") + " and " + things[last]
}
