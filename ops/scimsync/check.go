package scimsync

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// planned is the data of the plan that is being run: once the function has been
// invoked, of the plan as it was right before.
func planned(ctx context.Context, run ops.Run) (data, error) {
	var kept data
	if known, err := run.Recall(ctx, "planned", &kept); known || err != nil {
		return kept, err
	}
	return shownPlan(run)
}

// shownPlan is the data of the plan that people have been shown last.
func shownPlan(run ops.Run) (data, error) {
	var kept data
	if err := json.Unmarshal(run.Plan().Data, &kept); err != nil {
		return kept, fmt.Errorf("decode the plan's data: %w", err)
	}
	return kept, nil
}

// result is what a run is judged by.
type result struct {
	now           time.Time
	inv           invocation
	f             following
	timeout       time.Duration // of the function
	before, after Directory
	asked         []string // the logins asked for
	expected      []change // what the plan said
	changed       []change // what differs in Identity Center
	missing       []change // of expected: the changes that aren't there
	beyond        loss     // what was taken away and not planned
	told          account
	altered       altered // renamed groups and users, and disabled users

	teams Teams    // GitHub's, after the run; nil: it wasn't asked, or didn't say
	due   []change // what a sync would still do with these teams
	deaf  string   // why GitHub couldn't be asked, in words
}

// check reads Identity Center again and reports what is true there. Calls that
// the function didn't wait for may still be under way when it ends, so what
// isn't there yet is looked for again until the time to settle is over.
func (o *operation) check(ctx context.Context, run ops.Run) error {
	r := result{now: run.Now()}
	if _, err := run.Recall(ctx, "invocation", &r.inv); err != nil {
		return err
	}
	if _, err := run.Recall(ctx, "following", &r.f); err != nil {
		return err
	}
	kept, err := planned(ctx, run)
	if err != nil {
		return err
	}
	o = o.under(kept.Terms)
	r.timeout, r.before, r.asked = o.settings.Timeout, kept.Before, kept.People
	if r.after, err = o.readDirectory(ctx, run.Request(), func(int, int) {}); err != nil {
		return o.unread(ctx, run, r.inv, err)
	}
	if r.before.Left == nil {
		r.after.Left = nil // an earlier version read no more, so there is nothing to compare with
	} else {
		r.altered = alterations(r.before.whole(), r.after.whole())
	}
	r.expected = intended(kept.Teams, r.before)
	r.changed = happened(r.before.whole(), r.after.whole())
	for _, c := range r.expected {
		if !there(c, r.after) {
			r.missing = append(r.missing, c)
		}
	}
	if r.told, err = o.account(ctx, run, r); err != nil {
		return err
	}
	r.beyond = lost(r.unplanned(r.changed))
	for _, c := range r.expected {
		if c.what == leave {
			delete(r.beyond.memberships, pair{c.group(), c.user()})
		}
	}
	if late := len(r.missing) + len(r.threats()); late > 0 && o.settling(run.Now(), r.f) {
		w := ops.Waiting{Until: o.settled(r.f), For: fmt.Sprintf("Identity Center doesn't show %s yet that the function may still be making; looking again until %s at most.",
			ops.Count(late, "change"), moment(o.settled(r.f)))}
		if err := o.tellWait(ctx, run, &r.f, w); err != nil {
			return err
		}
		if err := run.Remember(ctx, "following", r.f); err != nil {
			return err
		}
		return ops.Again(2 * time.Second)
	}
	if len(r.missing) > 0 || r.beyond.count() > 0 {
		if err := o.askGitHub(ctx, run, &r); err != nil {
			return err
		}
	}
	return run.Report(ctx, r.report())
}

// askGitHub reads the teams as they are now: what is due has changed since the plan
// was made, where people have joined or left.
func (o *operation) askGitHub(ctx context.Context, run ops.Run, r *result) error {
	teams, err := o.readTeams(ctx, func(int, int) {})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		r.deaf = ops.Words(err, run.Request().ID)
	default:
		r.teams, r.due = teams, intended(teams, r.after)
	}
	return nil
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

// settled is when nothing is waited for any more that may change by itself.
func (o *operation) settled(f following) time.Time { return f.Over.Add(2 * o.settings.Settle) }

func (o *operation) settling(now time.Time, f following) bool { return now.Before(o.settled(f)) }

// there tells whether a change's result holds. What is deleted is told by its ID:
// somebody of the same name is somebody else.
func there(c change, d Directory) bool {
	switch c.what {
	case createGroup:
		return d.teams()[c.team] != ""
	case createUser:
		return d.logins()[c.login] != ""
	case join:
		return d.pairs()[pair{c.team, c.login}] != ""
	case leave:
		return d.whole().memberships()[Membership{Group: c.teamID, User: c.userID}] == ""
	case deleteGroup:
		return d.Groups[c.teamID] == ""
	default:
		_, kept := d.Users[c.userID]
		return !kept
	}
}

// unplanned are those of the changes that take something away and weren't in the
// plan.
func (r result) unplanned(changes []change) []change {
	gone := map[string]bool{} // IDs of users and groups
	left := map[Membership]bool{}
	for _, c := range r.expected {
		switch c.what {
		case deleteUser:
			gone[c.userID] = true
		case deleteGroup:
			gone[c.teamID] = true
		case leave:
			left[Membership{Group: c.teamID, User: c.userID}] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(changes), func(c change) bool {
		switch c.what {
		case deleteUser:
			return gone[c.userID]
		case deleteGroup:
			return gone[c.teamID]
		case leave: // who is deleted, or whose group is, leaves it
			return gone[c.userID] || gone[c.teamID] || left[Membership{Group: c.teamID, User: c.userID}]
		}
		return true
	})
}

// threats are removals that the log announces, that weren't in the plan and that
// Identity Center doesn't show.
func (r result) threats() []change {
	after := r.after.whole()
	return slices.DeleteFunc(r.unplanned(r.told.attempted), func(c change) bool {
		switch c.what {
		case deleteUser:
			_, kept := after.Users[c.userID]
			return !kept
		case deleteGroup:
			return after.Groups[c.teamID] == ""
		}
		return after.memberships()[Membership{Group: c.teamID, User: c.userID}] == ""
	})
}

// unplaced are removals that the log announces of an ID that neither reading of
// Identity Center has, so that the removed object isn't known.
func (r result) unplaced() []change {
	before, after := r.before.whole(), r.after.whole()
	known := func(d Directory, c change) bool {
		_, user := d.Users[c.userID]
		_, group := d.Groups[c.teamID]
		_, membership := d.Memberships[c.membershipID]
		switch c.what {
		case deleteUser:
			return user
		case deleteGroup:
			return group
		}
		return membership || user && group
	}
	return slices.DeleteFunc(slices.Clone(r.told.attempted), func(c change) bool {
		return !c.takes() || known(before, c) || known(after, c)
	})
}

// report tells what holds now: first what was taken away besides the plan.
func (r result) report() ops.Report {
	report := ops.Report{Alarm: r.alarm(), Problems: r.problems(), Notes: r.notes()}
	report.Sections = append(r.persons(), r.outcomes()...)
	if section := r.taken(); len(section.Outcomes) > 0 {
		report.Sections = append([]ops.Section{section}, report.Sections...)
	}
	if section := r.added(); len(section.Outcomes) > 0 {
		report.Sections = append(report.Sections, section)
	}
	report.Summary = r.summary()
	return report
}

// persons tells, for each login asked for, every team they are in, and since when.
func (r result) persons() []ops.Section {
	var sections []ops.Section
	was, is := r.before.teamsOf(), r.after.teamsOf()
	planned := func(what, login, team string) ops.Truth {
		if slices.ContainsFunc(r.expected, change{what: what, team: team, login: login}.same) ||
			slices.ContainsFunc(r.expected, change{what: deleteGroup, team: team}.same) {
			return ops.Confirmed
		}
		return "" // the section of what wasn't planned judges it
	}
	for _, login := range r.asked {
		section := ops.Section{Title: login}
		for _, team := range is[login] {
			outcome := ops.Outcome{Text: "in " + team + " since before this run"}
			if !slices.Contains(was[login], team) {
				outcome = ops.Outcome{Text: "in " + team + " since this run", State: planned(join, login, team)}
			}
			section.Outcomes = append(section.Outcomes, outcome)
		}
		for _, team := range was[login] {
			if !slices.Contains(is[login], team) {
				section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "no longer in " + team + ", since this run", State: planned(leave, login, team)})
			}
		}
		switch {
		case r.after.logins()[login] == "":
			section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "has no user in Identity Center"})
		case len(is[login]) == 0:
			section.Outcomes = append(section.Outcomes, ops.Outcome{Text: "is in no team in Identity Center"})
		}
		sections = append(sections, section)
	}
	return sections
}
