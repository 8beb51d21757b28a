package scimsync

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
)

// account is what the log says of a run as a whole.
type account struct {
	attempted []change            // what the function said it was about to do
	faults    map[string][]string // its messages about faults, by the kind of fault
	lines     int                 // of the run
	strange   int                 // those in a form that nobody knows
	json      int                 // those in JSON that aren't Lambda's own
	failed    bool                // the run ended before its time, so that Lambda may start it again
	pretends  bool                // the function is in dry-run mode
	gap       string              // why the log doesn't tell what the function tried; empty: it does
}

// The kinds of faults. What is none of them is of the kind "".
const (
	noID       = "no ID"      // the function hadn't yet got the ID of a user or a group
	throttling = "throttling" // AWS slowed it down, once too often
	timeUp     = "timeout"    // Lambda stopped it
	dropped    = "dropped"    // a call failed, and the function went on
	crash      = "crash"      // it died
)

// faults are what makes a line one although the function goes on, and although
// Lambda says that it succeeded: unhandled rejections, exhausted retries, users
// that the function had not yet got an ID for.
var faults = []struct {
	kind    string
	pattern *regexp.Regexp
}{
	{noID, regexp.MustCompile(`\buser undefined\b|\bgroup undefined\b`)},
	{throttling, regexp.MustCompile(`ThrottlingException|TooManyRequestsException|Rate exceeded|throttled`)},
	{timeUp, regexp.MustCompile(`Task timed out after`)},
	{dropped, regexp.MustCompile(`Unhandled Promise Rejection|UnhandledPromiseRejection`)},
	{crash, regexp.MustCompile(`Runtime\.[A-Z]\w+|Uncaught Exception|"errorType"`)},
}

// faultIn is the kind of fault that a line tells of, of which p is the phrase; empty:
// none is known. The words count in a line that is a warning at least: in others they
// are counts, names of teams and what went well in the end. An ID that the function
// lacks is a fault at any level.
func (e entry) faultIn(p phrase) string {
	for _, f := range faults {
		counts := e.level == "ERROR" || e.level == "WARN" || e.failed != ""
		if f.kind == noID {
			counts = p.name != createGroup && p.name != createUser // which have a name, and no ID
		}
		if counts && f.pattern.MatchString(e.message) {
			return f.kind
		}
	}
	return ""
}

// kind is the kind of fault that a line tells of, of which p is the phrase.
func (e entry) kind(p phrase) string {
	switch {
	case e.failed == "timeout":
		return timeUp
	case e.faultIn(p) != "":
		return e.faultIn(p)
	case e.failed != "":
		return crash
	}
	return ""
}

// account reads the run's whole log once more and sums it up.
func (o *operation) account(ctx context.Context, run ops.Run, r result) (account, error) {
	told := account{faults: map[string][]string{}}
	g, err := o.settings.Vocabulary.compile()
	if err != nil {
		return told, err
	}
	if r.f.Blind != "" {
		told.gap = "its log couldn't be read"
		return told, nil
	}
	f := r.f
	events, err := o.read(ctx, run.Request(), r.inv, &f, r.inv.At.Add(-lag), true)
	if ctx.Err() != nil {
		return told, ctx.Err()
	}
	if err != nil {
		told.gap = "its log couldn't be read"
		if !f.Newest.IsZero() {
			told.gap = "its log couldn't be read to its end"
		}
		return told, nil
	}
	before := r.before.whole()
	names := before.with(r.after.whole())
	for _, e := range events {
		line, p, said := o.reading(e, g, names)
		told.lines++
		if strings.HasPrefix(e.text, "{") && !said.start && !said.report {
			told.json++
		}
		if !said.known && p.name == "" {
			told.strange++
		}
		if c, ok := p.change(before, names); ok {
			told.attempted = append(told.attempted, c.resolved(before, o.settings.EmailSuffix))
		}
		told.pretends = told.pretends || p.name == dryRun
		if line.Level == ops.Failure {
			kind := said.kind(p)
			told.faults[kind] = append(told.faults[kind], line.Text)
			told.failed = told.failed || said.failed != "" || kind == crash || kind == timeUp
		}
	}
	switch {
	case f.Reported.IsZero():
		told.gap = "its log has no end"
	case f.Start.IsZero():
		told.gap = "its log has no beginning"
	case told.strange > 0:
		told.gap = told.strangers()
	}
	return told, nil
}

// strangers says how much of the log is in a form that nobody knows.
func (a account) strangers() string {
	verb := "are"
	if a.strange == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %s %s in a form that I can't read", a.strange, ops.Count(a.lines, "log line"), verb)
}

// tried tells whether the log announced the change. With a new user the function
// may announce a membership without saying whose.
func (a account) tried(c change) bool {
	return slices.ContainsFunc(a.attempted, func(t change) bool {
		return t.same(c) || c.what == join && c.userID == "" && t.what == join && t.login == "" && t.team == c.team
	})
}

// resolved is a change with the login as it is on GitHub, and with the IDs of who
// and what is removed, where the log has names alone.
func (c change) resolved(before Directory, suffix string) change {
	c.login = strings.TrimSuffix(strings.ToLower(c.login), strings.ToLower(suffix))
	if c.takes() && c.userID == "" && c.login != "" {
		c.userID = before.logins()[c.login]
	}
	if c.takes() && c.teamID == "" && c.team != "" {
		c.teamID = before.teams()[c.team]
	}
	c.name, c.title = before.Users[c.userID].Name, before.Titles[c.teamID]
	return c
}

// change is what a phrase announces, in names, and with the IDs of what there was.
func (p phrase) change(before, names Directory) (change, bool) {
	switch p.name {
	case createGroup:
		return change{what: createGroup, team: strings.ToLower(p.args["group_name"])}, true
	case createUser:
		return change{what: createUser, login: p.args["user_name"]}, true
	case join:
		return change{what: join, team: p.team(names), login: p.login(names)}, true
	case leave:
		c := change{what: leave, team: p.team(before), login: p.login(before), teamID: p.args["group"], userID: p.args["user"], membershipID: p.args["membership"]}
		if m, ok := before.Memberships[c.membershipID]; ok {
			c.team, c.login, c.teamID, c.userID = before.Groups[m.Group], before.Users[m.User].Login, m.Group, m.User
		}
		return c, true
	case deleteGroup:
		return change{what: deleteGroup, team: p.team(before), teamID: p.args["group"]}, true
	case deleteUser:
		return change{what: deleteUser, login: p.login(before), userID: p.args["user"]}, true
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

// Lambda tries an asynchronous invocation that failed twice more, after one minute
// and after two.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
const retryPauses = 3 * time.Minute

// again is when Lambda has surely made its last try of a run that failed.
func (r result) again() time.Time {
	end := r.f.End
	if end.IsZero() {
		end = r.f.Ended
	}
	if end.IsZero() {
		end = r.inv.At.Add(r.timeout)
	}
	return end.Add(2*r.timeout + retryPauses)
}

// problems are what went wrong with the run, for those who may press Run again.
func (r result) problems() []string {
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	press, hold := " Press Run again.", ""
	if r.told.failed && r.now.Before(r.again()) {
		press, hold = "", fmt.Sprintf(" Lambda may start it again by itself, up to twice, so wait until %s before you press Run again, or it runs twice.", minute(r.again()))
	}
	seen := r.told.faults
	if len(seen[timeUp]) > 0 {
		say("The function was stopped at its %s limit.%s", limit(r.timeout), hold)
	} else if r.told.failed {
		say("The function crashed half way. What follows is what Identity Center has now.%s", hold)
	}
	if len(seen[noID]) > 0 {
		repair := ""
		if press != "" {
			repair = " Press Run again: it puts that right."
		}
		say("%s%s", r.withoutTeams(), repair)
	}
	if n := len(seen[throttling]); n > 0 && len(r.missing) == 0 {
		say("AWS slowed the function down. Every planned change is there all the same.")
	} else if n > 0 && press != "" {
		say("AWS slowed the function down and it lost a change. Run again in a minute.")
	} else if n > 0 {
		say("AWS slowed the function down and it lost a change.")
	}
	if len(seen[dropped]) > len(seen[noID]) {
		say("The function went on after a call that failed: %s%s", sentence(reason(seen[dropped][0])), press)
	}
	if threats := lost(r.threats()); threats.count() > 0 {
		say("The function tried to remove more than was planned, and these are still there: %s.", threats.named())
	}
	if text := r.altered.problem(); text != "" {
		list = append(list, text)
	}
	if r.told.lines == 0 && r.f.Faulty {
		say("The function logged errors, and its log couldn't be read again to say which. They stand among the lines above.")
	}
	if r.told.pretends {
		say("The function is in dry-run mode: it only says what it would do. Its environment variable NOT_DRY_RUN must be set to true.")
	}
	if r.f.Reported.IsZero() && r.f.EndSeen.IsZero() && r.f.Blind == "" && len(r.missing) > 0 {
		trouble := ""
		if r.f.Trouble != "" {
			trouble = " " + r.f.Trouble
		}
		say("The function's end was not seen until %s.%s It may still be running, so wait until %s before you press Run again, or it runs twice.", moment(r.f.Over), trouble, minute(r.again()))
	}
	const most = 10
	for i, text := range seen[""] {
		if i == most {
			say("And %s more in the log.", ops.Count(len(seen[""])-most, "error"))
			break
		}
		say("The function logged an error: %s", firstLine(text))
	}
	return slices.Compact(list)
}

// withoutTeams names the users whom the run has made and left without a team, for
// want of their IDs.
func (r result) withoutTeams() string {
	made := map[string]bool{}
	for _, c := range r.changed {
		if c.what == createUser {
			made[c.login] = true
		}
	}
	teams := map[string][]string{}
	for _, c := range r.missing {
		if c.what == join && made[c.login] {
			teams[c.login] = append(teams[c.login], c.team)
		}
	}
	var nowhere, partly []string
	is := r.after.teamsOf()
	for _, c := range r.missing {
		switch {
		case c.what != join || teams[c.login] == nil:
		case len(is[c.login]) == 0:
			nowhere = append(nowhere, c.login)
		default:
			partly = append(partly, c.login+" in "+some(teams[c.login], 3))
		}
		delete(teams, c.login)
	}
	const fault = "(a known fault of the function)"
	switch {
	case len(nowhere) == 1:
		return nowhere[0] + " exists now but is in no team yet " + fault + "."
	case len(nowhere) > 1:
		return some(nowhere, 5) + " exist now but are in no team yet " + fault + "."
	case len(partly) > 0:
		return "Not yet added: " + some(partly, 5) + " " + fault + "."
	}
	return "The function lacked the ID of a new user or group " + fault + "."
}

var errorMessage = regexp.MustCompile(`"errorMessage":\s*"([^"\\]+)`)

// reason is what a message about an error says in words, where it is JSON.
func reason(text string) string {
	if m := errorMessage.FindStringSubmatch(text); m != nil {
		return firstLine(m[1])
	}
	return firstLine(text)
}

// sentence ends a text with a full stop.
func sentence(text string) string { return strings.TrimRight(text, ". ") + "." }

// firstLine is a fault as a report has it. The last line of a traceback of Python's
// is the one that says what happened.
func firstLine(text string) string {
	line, rest, _ := strings.Cut(text, "\n")
	if strings.HasPrefix(line, "Traceback ") && strings.TrimSpace(rest) != "" {
		rest = strings.TrimSpace(rest)
		line = strings.TrimSpace(rest[strings.LastIndex(rest, "\n")+1:])
	}
	if runes := []rune(line); len(runes) > 200 {
		line = string(runes[:200]) + "…"
	}
	return line
}

// lateFrom is how long after the function's time limit its result is read late.
const lateFrom = 15 * time.Minute

// late is how long after the call the result was read, where that was late: the bot was
// stopped meanwhile. 0: it wasn't.
func (r result) late() time.Duration {
	if since := r.now.Sub(r.inv.At); since > r.timeout+lateFrom {
		if since >= 2*time.Hour {
			return since.Truncate(time.Hour)
		}
		return since.Truncate(time.Minute)
	}
	return 0
}

// notes are worth knowing of the log.
func (r result) notes() []string {
	var list []string
	if r.late() > 0 {
		list = append(list, fmt.Sprintf("Identity Center was read only %s after the function was called, because the bot was stopped meanwhile. What others and scheduled runs changed in that time can't be told from what this run did.", ops.Span(r.late())))
	}
	all := ""
	if len(r.missing) == 0 && len(r.expected) > 0 {
		all = " Identity Center has every planned change."
	}
	switch {
	case r.f.Blind != "":
		list = append(list, strings.TrimSpace("The function's log couldn't be read, so faults that it tells of aren't known. "+sentence(r.f.Blind)+all))
	case r.f.Reported.IsZero() && r.f.Trouble != "":
		list = append(list, strings.TrimSpace("The function's log couldn't be read to its end. "+sentence(r.f.Trouble)+all))
	case r.f.Reported.IsZero() && r.told.json > 0:
		list = append(list, strings.TrimSpace("The function's log is in JSON without Lambda's own lines (its system log level is above INFO), so it doesn't tell the end of a run."+all))
	case r.f.Reported.IsZero() && all != "":
		list = append(list, "Lambda's report line didn't come; Identity Center has every planned change.")
	case r.f.Reported.IsZero() && !r.f.EndSeen.IsZero():
		list = append(list, "Lambda's report line didn't come.")
	case r.told.lines == 0:
		list = append(list, "The function's log couldn't be read again to look for faults in it.")
	}
	if r.told.strange > 0 {
		list = append(list, r.told.strangers()+", so what the function tried isn't known.")
	}
	list = append(list, r.altered.notes()...)
	if r.deaf != "" {
		list = append(list, "GitHub couldn't be asked which changes are still due. "+r.deaf)
	}
	if len(r.beyond.users)+len(r.beyond.groups) > 0 {
		list = append(list, "A user or a group that is made again has a new ID: what was assigned to the old one must be assigned anew.")
	}
	return list
}
