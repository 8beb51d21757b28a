package scimsync

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

const (
	pollEvery = 1500 * time.Millisecond
	// lag is how late a line may come: lines older than the newest by more than
	// this are not asked for again, and after the function's end its report is waited
	// for so long.
	lag = time.Minute
	// grace is how long beyond the function's timeout its end is waited for.
	grace = time.Minute
	// quiet is how long a run says nothing before Identity Center is asked whether it
	// has come to its end.
	quiet = 10 * time.Second
)

// following is where the log of the run has been read to.
type following struct {
	Newest   time.Time `json:"newest"`            // time of the newest line so far
	Stream   string    `json:"stream,omitempty"`  // where the run's lines stand
	Start    time.Time `json:"start,omitzero"`    // its START line
	Ended    time.Time `json:"ended,omitzero"`    // its END line
	EndSeen  time.Time `json:"end_seen,omitzero"` // when END was first seen, by the desk's clock
	End      time.Time `json:"end,omitzero"`      // its REPORT line
	Reported time.Time `json:"reported,omitzero"` // when REPORT was first seen, by the desk's clock
	Faulty   bool      `json:"faulty,omitempty"`  // there was a line about a fault
	Blind    string    `json:"blind,omitempty"`   // why the log can't be read
	Trouble  string    `json:"trouble,omitempty"` // of the last try
	Names    Directory `json:"names,omitzero"`    // of IDs that the run made
	Renamed  time.Time `json:"renamed,omitzero"`  // when Names was last read

	Looks  int           `json:"looks,omitempty"`  // how often in a row Identity Center had every planned change
	Looked time.Time     `json:"looked,omitzero"`  // when it was last asked
	Took   time.Duration `json:"took,omitempty"`   // how long the answer took
	Over   time.Time     `json:"over,omitzero"`    // when following ended
	Told   string        `json:"waiting,omitzero"` // what people were last told that the run waits for
}

// confirmed tells whether Identity Center was found twice in a row to have every
// planned change.
func (f following) confirmed() bool { return f.Looks >= 2 }

// until is when a run has ended for sure, for Lambda stops it then: the function's time
// counts from its START line, or from the call while that line isn't there.
func (o *operation) until(inv invocation, f following) time.Time {
	if f.Start.After(inv.At) {
		return f.Start.Add(o.settings.Timeout)
	}
	return inv.At.Add(o.settings.Timeout)
}

// follow tells the log of exactly this run as it arrives, until its REPORT line
// and a last sweep. Where that line doesn't come, the run has ended when the function's
// code has and Identity Center has every planned change, or when the function's time
// is over: until then a function that has made every planned change may still take
// something away. What follow knows is in the log itself and in
// following, so it goes on after a restart of the bot.
func (o *operation) follow(ctx context.Context, run ops.Run) error {
	var inv invocation
	if _, err := run.Recall(ctx, "invocation", &inv); err != nil {
		return err
	}
	var f following
	if _, err := run.Recall(ctx, "following", &f); err != nil {
		return err
	}
	kept, err := planned(ctx, run)
	if err != nil {
		return err
	}
	o = o.under(kept.Terms)
	last := !f.Reported.IsZero() && !run.Now().Before(f.Reported.Add(o.settings.Settle))
	heard := false
	if f.Blind == "" {
		if heard, err = o.listen(ctx, run, inv, kept, &f, last); err != nil {
			return err
		}
	}
	if !last {
		if err := o.ask(ctx, run, inv, kept, &f); err != nil {
			return err
		}
	}
	over := last && heard || o.past(run.Now(), inv, f)
	if over {
		f.Over = run.Now()
	} else if err := o.tellWait(ctx, run, &f, o.waiting(run.Now(), inv, f)); err != nil {
		return err
	}
	if err := run.Remember(ctx, "following", f); err != nil {
		return err
	}
	if over {
		return nil
	}
	return ops.Again(pollEvery)
}

// past tells whether following ends although the log doesn't show the run's end.
func (o *operation) past(now time.Time, inv invocation, f following) bool {
	switch {
	case f.confirmed() && f.Reported.IsZero() && !f.EndSeen.IsZero():
		return !now.Before(f.EndSeen.Add(o.settings.Settle))
	case f.confirmed() && f.Reported.IsZero():
		return now.After(o.until(inv, f))
	case f.Blind != "" && !f.Reported.IsZero():
		return !now.Before(f.Reported.Add(o.settings.Settle))
	case f.Blind != "":
		return now.After(o.until(inv, f))
	case f.Reported.IsZero() && !f.EndSeen.IsZero() && now.After(f.EndSeen.Add(lag)):
		return true
	}
	return now.After(o.until(inv, f).Add(grace)) && (f.Reported.IsZero() || now.After(f.Reported.Add(lag)))
}

// listen reads what is new in the log and tells it. It returns whether the log
// could be read.
func (o *operation) listen(ctx context.Context, run ops.Run, inv invocation, kept data, f *following, last bool) (bool, error) {
	from := inv.At.Add(-lag)
	if !f.Newest.IsZero() && f.Newest.Add(-lag).After(from) {
		from = f.Newest.Add(-lag)
	}
	events, err := o.read(ctx, run.Request(), inv, f, from, last)
	f.Trouble = ""
	switch denied, ok := errors.AsType[smithy.APIError](err); {
	case err == nil:
	case ctx.Err() != nil:
		return false, ctx.Err()
	case ok && strings.HasPrefix(denied.ErrorCode(), "AccessDenied"):
		// Trying again won't help, and the function runs on: Identity Center alone
		// tells what came of it.
		f.Blind = ops.Words(o.explainLog(err), run.Request().ID)
		return false, run.Log(ctx, ops.Line{Key: "blind", Level: ops.Warning, Text: "The function's log can't be read. " + f.Blind})
	case isNoLog(err):
		f.Trouble = fmt.Sprintf("The log group %s doesn't exist.", o.settings.logGroup())
	default:
		f.Trouble = ops.Words(o.explainLog(err), run.Request().ID)
	}
	return err == nil, o.tell(ctx, run, inv, kept, f, events)
}

// explainLog explains why the function's log can't be read.
func (o *operation) explainLog(err error) error {
	return awsaccess.Explain(err, o.settings.ActRole, awsaccess.Named{What: "the log group " + o.settings.logGroup(), Setting: "operations.scim-sync.log_group"})
}

// ask asks Identity Center whether it has every planned change, where the log says
// nothing for a while. It is asked seldom: the function draws on the same quota.
func (o *operation) ask(ctx context.Context, run ops.Run, inv invocation, kept data, f *following) error {
	since, apart := inv.At.Add(quiet), quiet
	switch {
	case !f.Reported.IsZero() || f.confirmed():
		return nil
	case !f.EndSeen.IsZero():
		since, apart = f.EndSeen.Add(o.settings.Settle), o.settings.Settle
	case f.Newest.Add(quiet).After(since):
		since = f.Newest.Add(quiet)
	}
	expected := intended(kept.Teams, kept.Before)
	if len(expected) == 0 || run.Now().Before(since) || run.Now().Before(f.Looked.Add(max(apart, 5*f.Took))) {
		return nil
	}
	began := run.Now()
	now, err := o.readGroups(ctx, run.Request(), func(name string) bool {
		return slices.ContainsFunc(expected, func(c change) bool { return c.team == name })
	}, func(int, int) {})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.Looked = run.Now()
	f.Took = f.Looked.Sub(began)
	if err != nil || slices.ContainsFunc(expected, func(c change) bool { return !there(c, now) }) {
		f.Looks = 0
		return nil
	}
	f.Looks++
	return nil
}

// waiting is what following waits for, in words; empty: nothing beyond the log's
// own lines.
func (o *operation) waiting(now time.Time, inv invocation, f following) ops.Waiting {
	late := o.until(inv, f).Add(grace)
	switch {
	case f.confirmed() && f.Reported.IsZero() && f.EndSeen.IsZero():
		why := "the function's log doesn't show its end"
		if f.Blind != "" || f.Trouble != "" {
			why = "the function's log can't be read"
		}
		return ops.Waiting{Until: o.until(inv, f), For: fmt.Sprintf("Identity Center has every planned change. Whether nothing else changes is looked at once more at %s, the function's time limit, because %s.",
			moment(o.until(inv, f)), why)}
	case f.Blind != "":
		return ops.Waiting{Until: o.until(inv, f), For: fmt.Sprintf("The function's log can't be read (%s). Waiting until %s, its time limit, then comparing Identity Center with the plan.",
			firstSentence(f.Blind), moment(o.until(inv, f)))}
	case !f.Reported.IsZero():
		return ops.Waiting{}
	case f.Trouble != "" && now.After(inv.At.Add(quiet)):
		return ops.Waiting{Until: late, For: fmt.Sprintf("The function's log can't be read now (%s). Trying again until %s, then comparing Identity Center with the plan.", firstSentence(f.Trouble), moment(late))}
	case !f.EndSeen.IsZero():
		return ops.Waiting{Until: f.EndSeen.Add(lag), For: fmt.Sprintf("The function ended at %s; waiting for its last log line, until %s at most.", moment(f.Ended), moment(f.EndSeen.Add(lag)))}
	case !f.Newest.IsZero() && now.After(f.Newest.Add(quiet)):
		return ops.Waiting{Until: late, For: fmt.Sprintf("The function's last log line came at %s; waiting for its end, until %s at most.", moment(f.Newest), moment(late))}
	case f.Newest.IsZero() && now.After(inv.At.Add(quiet)):
		return ops.Waiting{Until: late, For: fmt.Sprintf("Lambda took the call at %s; waiting for the function's first log line, until %s at most.", moment(inv.At), moment(late))}
	}
	return ops.Waiting{}
}

// tellWait tells people what the run waits for, once. The caller remembers f.
func (o *operation) tellWait(ctx context.Context, run ops.Run, f *following, w ops.Waiting) error {
	if w.For == "" || w.For == f.Told {
		return nil
	}
	f.Told = w.For
	return run.Waiting(ctx, w)
}

// read reads the run's lines. The last time it reads all that its stream has
// between the run's START and REPORT: Node prints some errors without the
// request ID, and a stream carries one run at a time.
func (o *operation) read(ctx context.Context, r ops.Request, inv invocation, f *following, from time.Time, last bool) ([]event, error) {
	events, err := o.events(ctx, r, inv.ID, "", from, time.Time{})
	if err != nil || !last || f.Stream == "" {
		return events, err
	}
	start, end := f.Start, f.End
	if start.IsZero() {
		start = inv.At.Add(-lag)
	}
	if !end.IsZero() {
		end = end.Add(time.Millisecond) // EndTime is exclusive of later lines in whole milliseconds
	}
	swept, err := o.events(ctx, r, "", f.Stream, start, end)
	swept = own(swept, inv.ID)
	if end.IsZero() {
		// Where Lambda doesn't write where a run begins and ends, the next one is known
		// by its request ID.
		swept = slices.DeleteFunc(swept, func(e event) bool {
			owner := parseEntry(e.text).owner
			return requestID.MatchString(owner) && owner != inv.ID
		})
	}
	return merge(events, swept), err
}

var requestID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// own is the part of a stream that lies between the lines of other runs that
// begin or end them.
func own(events []event, id string) []event {
	from, begun, ended := 0, false, false
	for i, e := range events {
		switch said := parseEntry(e.text); {
		case said.id == id:
			begun, ended = begun || said.start, ended || said.report
		case said.id != "" && (ended || begun && said.start):
			return events[from:i]
		case said.id != "":
			from = i + 1
		}
	}
	return events[from:]
}

// tell logs events, with the names of all IDs that can be named.
func (o *operation) tell(ctx context.Context, run ops.Run, inv invocation, kept data, f *following, events []event) error {
	g, err := o.settings.Vocabulary.compile()
	if err != nil {
		return err
	}
	before := kept.Before.whole()
	names := before.with(f.Names)
	lines := make([]ops.Line, 0, len(events))
	for _, e := range events {
		line, p, said := o.reading(e, g, names)
		// A group or user that the run has just made: read the names again, once
		// for all lines at hand.
		if !names.knows(p) && run.Now().Sub(f.Renamed) > pollEvery {
			f.Renamed = run.Now()
			if fresh, err := o.readNames(ctx, run.Request()); err == nil {
				f.Names = fresh.without(before)
				names = names.with(fresh)
				line, _, _ = o.reading(e, g, names)
			}
		}
		f.note(e, said, inv.ID, run.Now())
		f.Faulty = f.Faulty || line.Level == ops.Failure
		lines = append(lines, line)
	}
	return run.Log(ctx, lines...)
}

// note keeps what a line says of where the run is.
func (f *following) note(e event, said entry, id string, now time.Time) {
	if e.at.After(f.Newest) {
		f.Newest = e.at
	}
	if f.Stream == "" {
		f.Stream = e.stream // of a line that bears the run's request ID
	}
	switch {
	case said.start && said.id == id && f.Start.IsZero():
		f.Stream, f.Start = e.stream, e.at
	case said.end && said.owner == id && f.EndSeen.IsZero():
		f.Ended, f.EndSeen = e.at, now
	case said.report && said.id == id && f.Reported.IsZero():
		f.Stream, f.End, f.Reported = e.stream, e.at, now
	}
}

// merge adds the events of b that a doesn't have, b first.
func merge(a, b []event) []event {
	seen := map[string]bool{}
	var all []event
	for _, e := range append(append([]event{}, b...), a...) {
		if !seen[e.id] {
			seen[e.id] = true
			all = append(all, e)
		}
	}
	return all
}
