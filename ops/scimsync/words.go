package scimsync

import (
	"fmt"
	"strings"
)

// plural writes "1 team", "2 teams", "2 people".
func plural(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	default:
		return fmt.Sprintf("%d %ss", n, one)
	}
}

func list(words []string) string {
	if len(words) == 0 {
		return "no team"
	}
	return strings.Join(words, ", ")
}

// summary counts changes in one line.
func summary(changes []change) string {
	count := map[string]int{}
	teams := map[string]bool{}
	for _, c := range changes {
		count[c.what]++
		if c.what == join || c.what == leave {
			teams[c.team] = true
		}
	}
	var parts []string
	add := func(n int, text string) {
		if n > 0 {
			parts = append(parts, text)
		}
	}
	add(count[deleteUser], "delete "+plural(count[deleteUser], "user"))
	add(count[deleteGroup], "delete "+plural(count[deleteGroup], "group"))
	add(count[leave], "remove "+plural(count[leave], "membership"))
	add(count[createGroup], "create "+plural(count[createGroup], "group"))
	add(count[createUser], "create "+plural(count[createUser], "user"))
	add(count[join], "add "+plural(count[join], "membership"))
	if len(parts) == 0 {
		return "Identity Center is as GitHub is: the sync has nothing to change."
	}
	text := "The sync will " + and(parts)
	if len(teams) > 0 {
		text += ", in " + plural(len(teams), "team")
	}
	return text + "."
}

func and(parts []string) string {
	if len(parts) < 2 {
		return strings.Join(parts, "")
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
