package scimsync

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

const (
	pollEvery = 1500 * time.Millisecond
	// lag is how late a line may come: lines older than the newest by more than
	// this are not asked for again.
	lag = time.Minute
	// grace is how long beyond the function's timeout its end is waited for.
	grace = time.Minute
)

// following is where the log of the run has been read to.
type following struct {
	Newest   time.Time `json:"newest"`            // time of the newest line so far
	Stream   string    `json:"stream,omitempty"`  // where the run's lines stand
	Start    time.Time `json:"start,omitzero"`    // its START line
	End      time.Time `json:"end,omitzero"`      // its REPORT line
	Reported time.Time `json:"reported,omitzero"` // when REPORT was first seen, by the desk's clock
	Blind    string    `json:"blind,omitempty"`   // why the log can't be read
	Lost     bool      `json:"lost,omitempty"`    // the end wasn't seen in time
	Names    Directory `json:"names,omitzero"`    // of IDs that the run made
	Renamed  time.Time `json:"renamed,omitzero"`  // when Names was last read
	Trouble  string    `json:"trouble,omitempty"` // of the last try
}

// follow tells the log of exactly this run as it arrives, until its REPORT line
// and a last sweep. What it knows is in the log itself and in following, so it
// goes on after a restart of the bot.
func (o *operation) follow(ctx context.Context, run ops.Run) error {
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
	from := inv.At.Add(-lag)
	if !f.Newest.IsZero() && f.Newest.Add(-lag).After(from) {
		from = f.Newest.Add(-lag)
	}
	last := !f.Reported.IsZero() && !run.Now().Before(f.Reported.Add(o.settings.Settle))
	events, err := o.read(ctx, run.Request(), inv, &f, from, last)
	f.Trouble = ""
	switch denied, ok := errors.AsType[smithy.APIError](err); {
	case err == nil:
	case ctx.Err() != nil:
		return ctx.Err()
	case ok && strings.HasPrefix(denied.ErrorCode(), "AccessDenied"):
		// Waiting won't help, and the function runs on: the check goes by
		// Identity Center alone.
		f.Blind = ops.Words(awsaccess.Explain(err, o.settings.ActRole), run.Request().ID)
		return run.Remember(ctx, "following", f)
	case isNoLog(err):
		f.Trouble = fmt.Sprintf("The log group %s doesn't exist.", o.settings.logGroup())
	default:
		f.Trouble = ops.Words(awsaccess.Explain(err, o.settings.ActRole), run.Request().ID)
	}
	if err := o.tell(ctx, run, kept, &f, events); err != nil {
		return err
	}
	f.Lost = f.Reported.IsZero() && run.Now().After(inv.At.Add(o.settings.Timeout+grace))
	if err := run.Remember(ctx, "following", f); err != nil {
		return err
	}
	if (last && err == nil) || f.Lost {
		return nil
	}
	return ops.Again(pollEvery)
}

// read reads the run's lines. The last time it reads all that its stream has
// between the run's START and REPORT: Node prints some errors without the
// request ID, and a stream carries one run at a time.
func (o *operation) read(ctx context.Context, r ops.Request, inv invocation, f *following, from time.Time, last bool) ([]event, error) {
	events, err := o.events(ctx, r, inv.ID, "", from, time.Time{})
	if err != nil || !last || f.Stream == "" {
		return events, err
	}
	start := f.Start
	if start.IsZero() {
		start = inv.At.Add(-lag)
	}
	// EndTime is exclusive of later lines in whole milliseconds.
	swept, err := o.events(ctx, r, "", f.Stream, start, f.End.Add(time.Millisecond))
	return merge(events, own(swept, inv.ID)), err
}

// own is the part of a stream that lies between the lines of other runs that
// begin or end them.
func own(events []event, id string) []event {
	from, ended := 0, false
	for i, e := range events {
		switch said := parseEntry(e.text); {
		case said.id == id:
			ended = ended || said.report
		case said.id != "" && ended:
			return events[from:i]
		case said.id != "":
			from = i + 1
		}
	}
	return events[from:]
}

// tell logs events, with the names of all IDs that can be named.
func (o *operation) tell(ctx context.Context, run ops.Run, kept data, f *following, events []event) error {
	g, err := o.settings.Vocabulary.compile()
	if err != nil {
		return err
	}
	names := kept.Before.with(f.Names)
	lines := make([]ops.Line, 0, len(events))
	for _, e := range events {
		line, p, said := o.reading(e, g, names)
		// A group or user that the run has just made: read the names again, once
		// for all lines at hand.
		if !names.knows(p) && run.Now().Sub(f.Renamed) > pollEvery {
			f.Renamed = run.Now()
			if fresh, err := o.readNames(ctx, run.Request()); err == nil {
				f.Names = fresh.without(kept.Before)
				names = names.with(fresh)
				line, _, _ = o.reading(e, g, names)
			}
		}
		if e.at.After(f.Newest) {
			f.Newest = e.at
		}
		switch {
		case said.start && f.Start.IsZero():
			f.Stream, f.Start = e.stream, e.at
		case said.report && f.Reported.IsZero():
			f.Stream, f.End, f.Reported = e.stream, e.at, run.Now()
		}
		lines = append(lines, line)
	}
	return run.Log(ctx, lines...)
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
