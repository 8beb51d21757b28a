package scimsync

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws-root-account/rootbot/ops"
)

// outcomes holds what was expected against what is there, by person; then the
// groups.
func (r result) outcomes() []ops.Section {
	people, groups := ops.Section{Title: "People"}, ops.Section{Title: "Groups"}
	for _, login := range r.people() {
		people.Outcomes = append(people.Outcomes, r.person(login)...)
	}
	for _, c := range r.expected {
		switch {
		case c.what != createGroup && c.what != deleteGroup:
		case slices.ContainsFunc(r.missing, c.same):
			groups.Outcomes = append(groups.Outcomes, r.judge(c))
		case c.what == createGroup:
			groups.Outcomes = append(groups.Outcomes, ops.Outcome{Text: c.team + ": group created", State: ops.Confirmed})
		default:
			groups.Outcomes = append(groups.Outcomes, ops.Outcome{Text: c.group() + ": group deleted", State: ops.Confirmed, Why: c.with()})
		}
	}
	sections := []ops.Section{people, groups, r.strays()}
	if r.unended() {
		why := r.told.gap
		if r.f.Blind == "" && r.f.Trouble == "" {
			why = "Lambda's report line, which says so, didn't come"
		}
		sections = append(sections, ops.Section{Title: "The function", Outcomes: []ops.Outcome{{Text: "whether it came to its end", State: ops.NotKnown, Why: why}}})
	}
	return slices.DeleteFunc(sections, func(s ops.Section) bool { return len(s.Outcomes) == 0 })
}

// strays is the section of the removals of unknown IDs.
func (r result) strays() ops.Section {
	section := ops.Section{Title: "Announced removals"}
	for _, c := range r.unplaced() {
		text := fmt.Sprintf("whether user %s was deleted", cmp.Or(c.userID, c.login))
		switch {
		case c.what == deleteGroup:
			text = fmt.Sprintf("whether group %s was deleted", cmp.Or(c.teamID, c.team))
		case c.what == leave && c.membershipID != "":
			text = fmt.Sprintf("whether membership %s was removed", c.membershipID)
		case c.what == leave:
			text = fmt.Sprintf("whether user %s was removed from group %s", cmp.Or(c.userID, c.login), cmp.Or(c.teamID, c.team))
		}
		if slices.ContainsFunc(section.Outcomes, func(o ops.Outcome) bool { return o.Text == text }) {
			continue // the line stands twice in the log
		}
		section.Outcomes = append(section.Outcomes, ops.Outcome{Text: text, State: ops.NotKnown, Why: "the function announced it, and Identity Center had no such ID before the run"})
	}
	return section
}

// unended tells whether nothing shows that the function came to its end: neither
// Lambda's report nor one planned change. A log that Lambda writes no lines of its own
// into never shows an end; where nothing was planned, the function's time limit is one.
func (r result) unended() bool {
	switch {
	case !r.f.Reported.IsZero() || len(r.missing) < len(r.expected):
		return false
	case len(r.expected) == 0 && r.told.json > 0:
		return r.f.Over.Before(r.inv.At.Add(r.timeout))
	}
	return true
}

// people are the logins of the planned changes, sorted.
func (r result) people() []string {
	logins := map[string]bool{}
	for _, c := range r.expected {
		if c.login != "" {
			logins[c.login] = true
		}
	}
	return slices.Sorted(maps.Keys(logins))
}

// person tells what became of one person: what is done in one line for each kind
// of change, and each change that isn't.
func (r result) person(login string) []ops.Outcome {
	teams := map[string][]string{} // by the kind of change
	var missing []ops.Outcome
	name := login
	for _, c := range r.expected {
		if c.login == login {
			name = c.user()
		}
		switch {
		case c.login != login:
		case slices.ContainsFunc(r.missing, c.same):
			missing = append(missing, r.judge(c))
		default:
			teams[c.what] = append(teams[c.what], c.team)
		}
	}
	var done []ops.Outcome
	say := func(text, before string, list []string) {
		o := ops.Outcome{Text: name + " " + text, State: ops.Confirmed}
		if len(list) > 0 {
			o.Why = before + " " + and(list)
		}
		done = append(done, o)
	}
	if teams[createUser] != nil {
		say("created", "", nil)
	}
	if teams[join] != nil {
		say("added", "to", teams[join])
	}
	if teams[deleteUser] != nil {
		say("deleted", "left", teams[leave])
	} else if teams[leave] != nil {
		say("removed", "from", teams[leave])
	}
	return append(done, missing...)
}

// judge tells why a planned change isn't there. What is due now comes first: who has
// come back to a team since the plan was made stays in it, and nothing has failed.
func (r result) judge(c change) ops.Outcome {
	tried := r.told.tried(c)
	switch {
	case r.teams != nil && !slices.ContainsFunc(r.due, c.same):
		return ops.Outcome{Text: c.undue(r.teams)}
	case tried:
		return ops.Outcome{Text: c.without(), State: ops.Missing, Why: c.triedTo()}
	case r.teams == nil:
		return ops.Outcome{Text: c.without(), State: ops.NotKnown, Why: "GitHub couldn't be asked whether that is still due"}
	case r.told.gap != "":
		return ops.Outcome{Text: c.without(), State: ops.Failed, Why: "whether the function tried isn't known: " + r.told.gap}
	case r.told.pretends:
		return ops.Outcome{Text: c.without(), State: ops.Failed, Why: "the function is in dry-run mode"}
	case r.told.failed:
		return ops.Outcome{Text: c.without(), State: ops.Failed, Why: "the function stopped before it got there"}
	}
	return ops.Outcome{Text: c.without(), State: ops.Failed, Why: "the function came to its end without trying it"}
}

// without tells how it is without the change.
func (c change) without() string {
	switch c.what {
	case createGroup:
		return "group " + c.team + " was not created"
	case createUser:
		return c.login + " was not created"
	case join:
		return c.login + " is not in " + c.team
	case leave:
		return c.user() + " is still in " + c.group()
	case deleteGroup:
		return "group " + c.group() + " was not deleted"
	default:
		return c.user() + " was not deleted"
	}
}

// triedTo tells that the function tried.
func (c change) triedTo() string {
	verb := map[string]string{createGroup: "create it", createUser: "create them", join: "add them", leave: "remove them", deleteGroup: "delete it", deleteUser: "delete them"}[c.what]
	return "the function tried to " + verb + " and it didn't take"
}

// undue tells how it is, and why that is right by now.
func (c change) undue(teams Teams) string {
	const since = " on GitHub after the plan was made"
	members, team := teams[c.team]
	switch {
	case c.what == createGroup && !team:
		return "group " + c.team + " is not needed: the team was deleted" + since
	case c.what == createUser && !teams.has(c.login):
		return c.login + " is not created: left all teams" + since
	case c.what == join && !team:
		return c.login + " is not added to " + c.team + ": the team was deleted" + since
	case c.what == join && !slices.Contains(members, c.login):
		return c.login + " is not added to " + c.team + ": left it" + since
	case c.what == leave && slices.Contains(members, c.login):
		return c.login + " stays in " + c.team + ": joined again" + since
	case c.what == deleteGroup && team:
		return "group " + c.team + " stays: the team was made again" + since
	case c.what == deleteUser && teams.has(c.login):
		return c.login + " stays: joined a team again" + since
	}
	return c.without() + ": it is not due any more"
}

// with names the members that a deleted group had; empty: none.
func (c change) with() string {
	if len(c.members) == 0 {
		return ""
	}
	return fmt.Sprintf("with %s: %s", ops.Count(len(c.members), "member"), strings.Join(c.members, ", "))
}

// verbs are how a summary tells the kinds of changes.
var verbs = []struct{ what, one, many, verb string }{
	{join, "membership", "memberships", "added"},
	{leave, "membership", "memberships", "removed"},
	{createUser, "user", "users", "created"},
	{deleteUser, "user", "users", "deleted"},
	{createGroup, "group", "groups", "created"},
	{deleteGroup, "group", "groups", "deleted"},
}

// summary tells the outcome in one line: what was taken away besides the plan, then
// how much of the plan is there.
func (r result) summary() string {
	text := r.beyond.happened()
	switch {
	case text == "":
		return r.planDone()
	case len(r.expected) == 0:
		return text
	case len(r.undone()) == 0:
		return text + " Every planned change is there."
	}
	return text + " " + r.planDone()
}

func (r result) planDone() string {
	if len(r.undone()) > 0 {
		return r.half()
	}
	count := map[string]int{}
	for _, c := range r.changed {
		count[c.what]++
	}
	count[leave] = len(lost(r.changed).memberships)
	var parts []string
	for _, v := range verbs {
		if n := count[v.what]; n > 0 {
			parts = append(parts, ops.Count(n, v.one, v.many)+" "+v.verb)
		}
	}
	if n := len(r.altered.disabled); n > 0 {
		parts = append(parts, ops.Count(n, "user")+" disabled")
	}
	if n := len(r.altered.users) + len(r.altered.groups); n > 0 {
		parts = append(parts, ops.Count(n, "name")+" changed")
	}
	text := "Nothing changed in Identity Center."
	if len(parts) > 0 {
		text = "Read back from Identity Center: " + and(parts) + "."
	}
	if n := len(r.unplaced()); n > 0 {
		text += " The function announced " + ops.Count(n, "removal") + " of what Identity Center didn't have before the run."
	}
	if r.unended() {
		text += " Whether the function came to its end isn't known."
	}
	return text
}

// half tells by name how far a plan is done.
func (r result) half() string {
	var counts, rest []string
	missing := r.undone()
	for _, v := range verbs {
		var all, done, open []string
		for _, c := range r.expected {
			absent := slices.ContainsFunc(r.missing, c.same)
			due := slices.ContainsFunc(missing, c.same)
			if c.what != v.what || absent && !due {
				continue
			}
			all = append(all, c.subject())
			if due {
				open = append(open, c.subject())
			} else {
				done = append(done, c.subject())
			}
		}
		if len(open) == 0 {
			continue
		}
		noun := v.many
		if len(all) == 1 {
			noun = v.one
		}
		if slices.Sort(all); (v.what == join || v.what == leave) && len(slices.Compact(slices.Clone(all))) == len(all) {
			noun = strings.TrimPrefix(ops.Count(len(all), "person", "people"), strconv.Itoa(len(all))+" ")
		}
		text := fmt.Sprintf("%d of %d %s %s", len(done), len(all), noun, v.verb)
		if slices.Sort(done); len(done) > 0 {
			text += " (" + some(slices.Compact(done), 5) + ")"
		}
		counts = append(counts, text)
		slices.Sort(open)
		rest = append(rest, fmt.Sprintf("Not %s: %s.", v.verb, some(slices.Compact(open), 5)))
	}
	text := "Half done: "
	if len(missing) == len(r.expected) {
		text = "Not done: "
	}
	text += and(counts) + ". " + strings.Join(rest, " ")
	if why := r.told.why(r); why != "" {
		text += " Why: " + why + "."
	}
	return text
}

// undone are the changes that are due still and not there.
func (r result) undone() []change {
	return slices.DeleteFunc(slices.Clone(r.missing), func(c change) bool {
		return r.teams != nil && !slices.ContainsFunc(r.due, c.same)
	})
}

// subject is whom or what a change is about.
func (c change) subject() string {
	if c.login != "" {
		return c.user()
	}
	return "group " + c.group()
}

// why is the one reason that a summary has room for; empty: none is known.
func (a account) why(r result) string {
	switch {
	case a.pretends:
		return "the function is in dry-run mode"
	case len(a.faults[timeUp]) > 0:
		return "stopped at its " + limit(r.timeout) + " limit"
	case a.failed:
		return "the function crashed"
	case len(a.faults[throttling]) > 0:
		return "AWS slowed the function down"
	case len(a.faults[noID]) > 0:
		return "the function lacked the ID of a new user or group"
	case a.gap != "":
		return "not known, for " + a.gap
	}
	return ""
}
