package scimsync

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

func list(words []string) string {
	if len(words) == 0 {
		return "no team"
	}
	return strings.Join(words, ", ")
}

// summary counts changes in one line.
func summary(changes []change) string {
	gone := lost(changes)
	count := map[string]int{}
	teams := map[string]bool{}
	for _, c := range changes {
		count[c.what]++
		if c.what == join {
			teams[c.team] = true
		}
	}
	for m := range gone.memberships {
		teams[m.team] = true
	}
	var parts []string
	add := func(n int, text string) {
		if n > 0 {
			parts = append(parts, text)
		}
	}
	add(count[deleteUser], "delete "+ops.Count(count[deleteUser], "user"))
	add(count[deleteGroup], "delete "+ops.Count(count[deleteGroup], "group"))
	add(len(gone.memberships), "remove "+ops.Count(len(gone.memberships), "membership"))
	add(count[createGroup], "create "+ops.Count(count[createGroup], "group"))
	add(count[createUser], "create "+ops.Count(count[createUser], "user"))
	add(count[join], "add "+ops.Count(count[join], "membership"))
	if len(parts) == 0 {
		return "Identity Center is as GitHub is: the sync has nothing to change."
	}
	text := "The sync will " + and(parts)
	if len(teams) > 0 {
		text += ", in " + ops.Count(len(teams), "team")
	}
	return text + "."
}

func and(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// moment is a time of these minutes, as people read it.
func moment(t time.Time) string { return t.UTC().Format("15:04:05") + " UTC" }

// minute is the end of a wait: the next full minute, so that it is over by then.
func minute(t time.Time) string {
	full := t.UTC().Truncate(time.Minute)
	if full.Before(t) {
		full = full.Add(time.Minute)
	}
	return full.Format("15:04") + " UTC"
}

// limit writes a function's time limit: "5-minute", "30-second".
func limit(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d-minute", d/time.Minute)
	}
	return fmt.Sprintf("%d-second", d/time.Second)
}

// firstSentence is what stands before the first full stop that ends a sentence,
// without it.
func firstSentence(text string) string {
	first, _, _ := strings.Cut(text, ". ")
	return strings.TrimSuffix(first, ".")
}

// some names the first few and counts the others: "otter, badger and 3 more".
func some(names []string, most int) string {
	if len(names) <= most {
		return and(names)
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}
