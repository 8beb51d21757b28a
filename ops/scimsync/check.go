package scimsync

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// planned is the data of the plan that is being run.
func planned(run ops.Run) (data, error) {
	var kept data
	if err := json.Unmarshal(run.Plan().Data, &kept); err != nil {
		return kept, fmt.Errorf("decode the plan's data: %w", err)
	}
	return kept, nil
}

// account is what the log says of a run as a whole.
type account struct {
	attempted []change // what the function said it was about to do
	problems  []string
	notes     []string
}

// check reads Identity Center again and reports what is true there. Calls that
// the function didn't wait for may still be under way when it ends, so what
// isn't there yet is looked for again until the time to settle is over.
func (o *operation) check(ctx context.Context, run ops.Run) error {
	var inv invocation
	if _, err := run.Recall(ctx, "invocation", &inv); err != nil {
		return err
	}
	var f following
	if _, err := run.Recall(ctx, "following", &f); err != nil {
		return err
	}
	kept, err := planned(run)
	if err != nil {
		return err
	}
	after, err := o.readDirectory(ctx, run.Request(), func(int, int) {})
	if err != nil {
		return o.unread(ctx, run, inv, err)
	}
	expected := intended(kept.Teams, kept.Before)
	changed := happened(kept.Before, after)
	var missing int
	for _, c := range expected {
		if !there(c, after) {
			missing++
		}
	}
	if missing > 0 && o.settling(run.Now(), inv, f) {
		return ops.Again(2 * time.Second)
	}
	told, err := o.listen(ctx, run, inv, f, kept.Before, after)
	if err != nil {
		return err
	}
	report := ops.Report{Problems: told.problems, Notes: told.notes}
	report.Sections = append(o.persons(run.Request(), kept.Before, after), o.outcomes(expected, changed, told, after)...)
	report.Summary = told.summary(report, changed)
	return run.Report(ctx, report)
}

// readFor is how long reading the result is tried when Identity Center can't be read.
const readFor = 2 * time.Minute

// unread tries again to read the result, for a while: the function has run, and
// what it did is what people must know.
func (o *operation) unread(ctx context.Context, run ops.Run, inv invocation, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if run.Begun().IsZero() || run.Now().Before(run.Begun().Add(readFor)) {
		return ops.Again(5 * time.Second)
	}
	return &ops.Error{
		Kind: ops.Unknown, Err: err,
		What: fmt.Sprintf("The function has run (request ID %s), but its result couldn't be read back. %s", inv.ID, ops.Words(err, run.Request().ID)),
		Next: "Look at Identity Center with /scim-sync plan.",
	}
}

// settling tells whether something may still change by itself: for a while
// after the function's end, and where its end can't be seen, as long as it may run.
func (o *operation) settling(now time.Time, inv invocation, f following) bool {
	if f.Reported.IsZero() {
		return now.Before(inv.At.Add(o.settings.Timeout))
	}
	return now.Before(f.Reported.Add(3 * o.settings.Settle))
}

// listen reads the run's whole log once more and sums it up.
func (o *operation) listen(ctx context.Context, run ops.Run, inv invocation, f following, before, after Directory) (account, error) {
	var told account
	g, err := o.settings.Vocabulary.compile()
	if err != nil {
		return told, err
	}
	problem := func(text string) {
		if !slices.Contains(told.problems, text) {
			told.problems = append(told.problems, text)
		}
	}
	if f.Blind != "" {
		problem("The log of the run couldn't be read, so its end wasn't seen. " + f.Blind)
		return told, nil
	}
	if f.Lost {
		problem(strings.TrimSpace(fmt.Sprintf("The end of the run was not seen within its timeout of %v and a minute more. It may still be running. %s", o.settings.Timeout, f.Trouble)))
	}
	events, err := o.read(ctx, run.Request(), inv, &f, inv.At.Add(-lag), !f.Reported.IsZero())
	if err != nil {
		if !f.Lost {
			problem("The log of the run couldn't be read again to look for faults in it.")
		}
		return told, nil
	}
	names := before.with(after)
	faults := 0
	pretends := false
	for _, e := range events {
		line, p, said := o.reading(e, g, names)
		if c, ok := p.change(before, names); ok {
			told.attempted = append(told.attempted, c)
		}
		pretends = pretends || p.name == dryRun
		if line.Level != ops.Failure {
			continue
		}
		faults++
		switch {
		case undefinedUser.MatchString(said.message):
			problem("The function tried to add a user before it had the user's ID (“user undefined”), so a membership is missing. Running it again repairs that.")
		case throttled.MatchString(said.message):
			problem("AWS throttled the function.")
		case timedOut.MatchString(said.message):
			problem(fmt.Sprintf("The function was stopped at its timeout. Lambda may start it again by itself, up to twice, under the same request ID %s.", inv.ID))
		case crashed.MatchString(said.message):
			problem("The function crashed on the way, although Lambda may call the run a success.")
		default:
			problem("The function logged an error: " + firstLine(line.Text))
		}
	}
	if pretends {
		problem("The function is in dry-run mode, so it changed nothing: its environment variable NOT_DRY_RUN isn't set to true.")
	}
	if len(told.problems) > 10 {
		told.problems = append(told.problems[:10], fmt.Sprintf("And %s more in the log.", plural(faults-10, "line")))
	}
	return told, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if runes := []rune(line); len(runes) > 200 {
		line = string(runes[:200]) + "…"
	}
	return line
}

// change is what a phrase announces, in names.
func (p phrase) change(before, names Directory) (change, bool) {
	switch p.name {
	case createGroup:
		return change{what: createGroup, team: strings.ToLower(p.args["group_name"])}, true
	case createUser:
		return change{what: createUser, login: p.args["user_name"]}, true
	case join:
		return change{what: join, team: p.team(names), login: p.login(names)}, true
	case leave:
		if p.args["membership"] == "" {
			return change{what: leave, team: p.team(before), login: p.login(before)}, true
		}
		m := before.Memberships[p.args["membership"]]
		return change{what: leave, team: before.Groups[m.Group], login: before.Users[m.User].Login}, true
	case deleteGroup:
		return change{what: deleteGroup, team: p.team(before)}, true
	case deleteUser:
		return change{what: deleteUser, login: p.login(before)}, true
	}
	return change{}, false
}

// team is the name of the group that a phrase names, by ID or by name.
func (p phrase) team(d Directory) string {
	if id := p.args["group"]; id != "" {
		return d.Groups[id]
	}
	return strings.ToLower(p.args["group_name"])
}

// login is that of the user whom a phrase names, by ID or by name.
func (p phrase) login(d Directory) string {
	if id := p.args["user"]; id != "" {
		return d.Users[id].Login
	}
	return p.args["user_name"]
}

// there tells whether a change's result holds.
func there(c change, d Directory) bool {
	switch c.what {
	case createGroup:
		return d.teams()[c.team] != ""
	case createUser:
		return d.logins()[c.login] != ""
	case join:
		return d.pairs()[pair{c.team, c.login}] != ""
	case leave:
		return d.pairs()[pair{c.team, c.login}] == ""
	case deleteGroup:
		return d.teams()[c.team] == ""
	default:
		return d.logins()[c.login] == ""
	}
}

// outcomes holds what was expected against what is there, by team; then what
// changed besides.
func (o *operation) outcomes(expected, changed []change, told account, after Directory) []ops.Section {
	sections := map[string]*ops.Section{}
	var titles []string
	add := func(title string, outcome ops.Outcome) {
		if sections[title] == nil {
			sections[title] = &ops.Section{Title: title}
			titles = append(titles, title)
		}
		sections[title].Outcomes = append(sections[title].Outcomes, outcome)
	}
	const people, besides = "People", "Changed meanwhile, beyond the plan"
	for _, c := range expected {
		outcome := ops.Outcome{Text: c.done(), State: ops.Confirmed}
		if !there(c, after) {
			outcome.Text = "not " + c.done()
			outcome.State, outcome.Why = ops.Failed, "the log shows no attempt"
			if told.tried(c, o.settings.EmailSuffix) {
				outcome.State, outcome.Why = ops.Missing, ""
			}
		}
		title := c.team
		if title == "" {
			title = people
		}
		add(title, outcome)
	}
	slices.SortFunc(titles, func(a, b string) int {
		if (a == people) != (b == people) {
			if a == people {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, c := range changed {
		if slices.ContainsFunc(expected, c.same) {
			continue
		}
		text := c.done()
		if c.team != "" {
			text = c.team + ": " + text
		}
		add(besides, ops.Outcome{Text: text})
	}
	all := make([]ops.Section, len(titles))
	for i, title := range titles {
		all[i] = *sections[title]
	}
	return all
}

// tried tells whether the log announced the change. With a new user it
// announces a membership without saying whose.
func (a account) tried(c change, suffix string) bool {
	return slices.ContainsFunc(a.attempted, func(t change) bool {
		t.login = strings.TrimSuffix(strings.ToLower(t.login), strings.ToLower(suffix))
		return t.same(c) || c.what == join && t.what == join && t.login == "" && t.team == c.team
	})
}

// persons tells, for each login asked for, every team they are in, and since when.
func (o *operation) persons(r ops.Request, before, after Directory) []ops.Section {
	var sections []ops.Section
	was, is := before.teamsOf(), after.teamsOf()
	for _, word := range r.Inputs["people"] {
		login := strings.ToLower(word)
		section := ops.Section{Title: login}
		for _, team := range is[login] {
			outcome := ops.Outcome{Text: "in " + team + " since before this run"}
			if !slices.Contains(was[login], team) {
				outcome = ops.Outcome{Text: "in " + team + " since this run", State: ops.Confirmed}
			}
			section.Outcomes = append(section.Outcomes, outcome)
		}
		for _, team := range was[login] {
			if !slices.Contains(is[login], team) {
				section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "no longer in " + team + ", since this run", State: ops.Confirmed})
			}
		}
		switch {
		case after.logins()[login] == "":
			section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "has no user in Identity Center"})
		case len(is[login]) == 0:
			section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "is in no team in Identity Center"})
		}
		sections = append(sections, section)
	}
	return sections
}

// summary tells the outcome in one line.
func (a account) summary(report ops.Report, changed []change) string {
	count := map[string]int{}
	for _, c := range changed {
		count[c.what]++
	}
	var parts []string
	for _, p := range []struct {
		what, one, many, verb string
	}{
		{join, "membership", "memberships", "added"},
		{leave, "membership", "memberships", "removed"},
		{createUser, "user", "users", "created"},
		{deleteUser, "user", "users", "deleted"},
		{createGroup, "group", "groups", "created"},
		{deleteGroup, "group", "groups", "deleted"},
	} {
		if n := count[p.what]; n > 0 {
			parts = append(parts, plural(n, p.one, p.many)+" "+p.verb)
		}
	}
	text := "Nothing changed in Identity Center."
	if len(parts) > 0 {
		text = "Read back from Identity Center: " + and(parts) + "."
	}
	if n := report.Count(ops.Missing); n > 0 {
		text += fmt.Sprintf(" %s attempted but not there.", plural(n, "change was", "changes were"))
	}
	if n := report.Count(ops.Failed); n > 0 {
		text += fmt.Sprintf(" %s failed.", plural(n, "change", "changes"))
	}
	return text
}
