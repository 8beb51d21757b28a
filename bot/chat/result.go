package chat

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// resultPlace begins the places of a request's results: it may end, be restored,
// and end once more. When it ended follows, in microseconds.
func resultPlace(r request.Request) string { return "result/" + r.ID + "/" }

// result posts the outcome, and takes the buttons off an earlier one. One whose
// request was asked for again meanwhile is brought up to date.
func (c *Chat) result(ctx context.Context, m request.Message, r request.Request, card store.Post, sent receipt) error {
	places, err := c.store.Places(ctx, r.Card, resultPlace(r))
	if err != nil {
		return err
	}
	place := resultPlace(r) + strconv.FormatInt(r.EndedAt.UnixMicro(), 10)
	newer, err := c.newer(ctx, r)
	if err != nil {
		return err
	}
	d := c.drawn(ctx, r, newer)
	at, posted := places[place]
	if m.Body.Other != "" {
		// Only to be brought up to date.
		if posted {
			err = c.retire(ctx, m, at, d)
		}
		if err != nil {
			return err
		}
		return c.delivered(ctx, store.Delivery{Messages: []int64{m.ID}})
	}
	delete(places, place)
	for _, name := range slices.Sorted(maps.Keys(places)) {
		ended, err := c.endedBefore(ctx, r, strings.TrimPrefix(name, resultPlace(r)))
		if err == nil {
			err = c.retire(ctx, m, places[name], ended)
		}
		if err != nil {
			return err
		}
	}
	if posted {
		// An earlier try got so far.
		at, err = c.amend(ctx, m, at, card, d)
		if err != nil {
			return err
		}
		return sent(place, at)
	}
	p, err := c.tell(ctx, m, card, d)
	if err != nil {
		return err
	}
	if p.away {
		place = ""
	}
	return sent(place, p.Post)
}

// drawn is a request's result, with the people whom an alarm calls.
func (c *Chat) drawn(ctx context.Context, r request.Request, newer string) drawing {
	call := ""
	if r.Report != nil && r.Report.Alarm != "" {
		known, err := c.desk.Members(ctx)
		members := slices.Sorted(maps.Keys(known))
		if err != nil {
			// Rather too many than nobody.
			c.log.Warn("find out who is a member, to call them", "request", r.ID, "error", err)
			if members, err = c.desk.Team.Known(ctx); err != nil {
				c.log.Error("find out whom to call", "request", r.ID, "error", err)
			}
		}
		call = calling(append(people(r), members...)...)
	}
	return drawResult(c.operationOf(r), r, newer, call)
}

// endedBefore is an earlier end of a request, as the record has it, without
// buttons. at is when that was, in microseconds.
func (c *Chat) endedBefore(ctx context.Context, r request.Request, at string) (drawing, error) {
	events, err := c.store.Events(ctx, r.ID)
	if err != nil {
		return drawing{}, err
	}
	before := r
	for _, e := range events {
		if state, ok := e.Data["state"].(string); ok && strconv.FormatInt(e.At.UnixMicro(), 10) == at {
			before.State, before.EndedAt = request.State(state), e.At
			before.Reason, _ = e.Data["reason"].(string)
		}
	}
	if before.Reason == "" && r.Report != nil {
		before.Reason = r.Report.Summary
	}
	d := drawNotice("*Result* — " + state(before, escape) + "\nA newer result stands below.")
	d.text = "Result: " + unstarred(state(before, escape))
	return d, nil
}

// newer is where the same thing was asked for again, later than by r, in words;
// empty: nowhere.
func (c *Chat) newer(ctx context.Context, r request.Request) (string, error) {
	if !retryable(r) {
		return "", nil
	}
	recent, err := c.store.Recent(ctx, r.Operation, lookBack)
	if err != nil {
		return "", err
	}
	for _, n := range recent {
		if follows(n, r) {
			text := fmt.Sprintf("%s asked for it again at %s", name(n), moment(n.At))
			if where := c.where(ctx, n.Card); where != "" {
				text = fmt.Sprintf("%s asked for it again at %s: <%s|here it is>", name(n), moment(n.At), where)
			}
			return text + ".", nil
		}
	}
	return "", nil
}

// lookBack is among how many newer requests of an operation the same thing is
// looked for.
const lookBack = 20

// follows tells whether n asks for what r asked for before it, and was let in.
func follows(n, r request.Request) bool {
	later := n.At.After(r.At) || n.At.Equal(r.At) && n.ID > r.ID
	same := n.Operation == r.Operation && maps.EqualFunc(n.Inputs, r.Inputs, slices.Equal)
	return later && n.ID != r.ID && !n.AdmittedAt.IsZero() && !n.Preview && (n.Again == r.ID || same)
}

// outdate has the results of earlier requests for the same things lose their
// buttons: the newer request is on its way.
func (c *Chat) outdate(ctx context.Context, shown []request.Request) error {
	recent, err := c.store.Recent(ctx, shown[0].Operation, lookBack)
	if err != nil {
		return err
	}
	var change request.Change
	for _, old := range recent {
		if !retryable(old) {
			continue
		}
		if i := slices.IndexFunc(shown, func(n request.Request) bool { return follows(n, old) }); i >= 0 {
			// Beside the threads: nothing there waits for it.
			change.Messages = append(change.Messages, request.Message{
				Thread: resultPlace(old), Request: old.ID, Kind: request.Result, Body: request.Body{Other: shown[i].ID},
			})
		}
	}
	if len(change.Messages) == 0 {
		return nil
	}
	return c.store.Tell(ctx, change)
}

// retryable tells whether a request may be asked for once more: not while what it
// did is half restored, nor where running it again may do more harm.
func retryable(r request.Request) bool {
	alarm := r.Report != nil && r.Report.Alarm != ""
	return (r.State == request.Failed || r.State == request.Unknown) && r.Restoring == nil && !alarm
}

var truths = map[ops.Truth]string{"": "•", ops.Confirmed: "✅", ops.Missing: "❌", ops.Failed: "❌", ops.NotKnown: "❓", ops.Beyond: "🚨"}

// drawResult draws the outcome. Alarms and problems come first,
// and a result that is too long for a message goes into a file as a whole. newer
// says where the same was asked for again; call mentions whom an alarm is for.
func drawResult(o ops.Operation, r request.Request, newer, call string) drawing {
	var b sheet
	var whole strings.Builder
	report := cmp.Or(r.Report, &ops.Report{})
	long := report.Count(ops.Beyond) > effectsShown
	add := func(mark, text, plain string) {
		if utf8.RuneCountInString(text) > lineLimit {
			long = true
		}
		b.add(mark + item(text, lineLimit))
		fmt.Fprintf(&whole, "%s%s\n", plain, ops.Visible(text))
	}
	if report.Alarm != "" {
		add("🚨 ", report.Alarm, "! ")
		b.add(call)
	}
	b.add("*Result* — " + strings.TrimSpace(state(r, escape)))
	fmt.Fprintf(&whole, "%s %s\n\n", r.State, ops.Visible(r.Reason))
	for _, p := range report.Problems {
		add("❗ ", p, "! ")
	}
	for _, n := range report.Notes {
		add("", n, "")
	}
	for _, s := range report.Sections {
		b.add("*" + item(s.Title, lineLimit) + "*")
		fmt.Fprintf(&whole, "%s\n", ops.Visible(s.Title))
		for _, outcome := range s.Outcomes {
			add(truths[outcome.State]+" ", told(outcome), "  - ")
		}
	}
	d := drawing{text: "Result: " + unstarred(state(r, escape)), call: call}
	if report.Alarm != "" {
		d.text = "Result: 🚨 " + line(report.Alarm)
	}
	if !b.fits() || long {
		b = *shortResult(r, report, call)
		d.file = file{name: r.Operation + "-" + ops.Short(r.ID) + "-result.txt", title: "The whole result", text: whole.String()}
	}
	var buttons []slack.BlockElement
	switch {
	case newer != "":
		b.add(newer)
	case retryable(r):
		buttons = append(buttons, button(actionRetry, "Run again", r, ""))
	}
	if r.State.Ended() && r.State != request.Succeeded && restorable(o, r) {
		buttons = append(buttons, button(request.Undo, restoreLabel(o, r), r, slack.StyleDanger))
		b.add(restoring(o, r))
	}
	d.blocks = b.blocks()
	if len(buttons) > 0 {
		d.blocks = append(d.blocks, slack.NewActionBlock("retry", buttons...))
	}
	return d
}

// told is an outcome in words.
func told(o ops.Outcome) string {
	text := o.Text
	if o.State != "" {
		text += " — " + string(o.State)
	}
	if o.Why != "" {
		text += ": " + o.Why
	}
	return text
}

// shortResult is a result without what went well.
func shortResult(r request.Request, report *ops.Report, call string) *sheet {
	var b sheet
	if report.Alarm != "" {
		b.add("🚨 " + item(report.Alarm, lineLimit))
		b.add(call)
	}
	b.add("*Result* — " + strings.TrimSpace(state(r, escape)))
	for _, p := range report.Problems {
		b.add("❗ " + item(p, lineLimit))
	}
	n := 0
	for _, s := range report.Sections {
		for _, o := range s.Outcomes {
			if !slices.Contains([]ops.Truth{ops.Missing, ops.Failed, ops.NotKnown, ops.Beyond}, o.State) {
				continue
			}
			if n++; n <= effectsShown {
				b.add(truths[o.State] + " " + item(s.Title+": "+o.Text+" — "+string(o.State), lineLimit))
			}
		}
	}
	if n > effectsShown {
		b.add(fmt.Sprintf("… and %d more.", n-effectsShown))
	}
	b.add(fmt.Sprintf("%d confirmed; all of it is in the file below.", report.Count(ops.Confirmed)))
	return &b
}
