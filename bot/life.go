package bot

import (
	"fmt"
	"time"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// kind is what can happen to a request.
type kind string

const (
	admitted   kind = "admitted"   // the asker is known and may ask
	turnedAway kind = "refused"    // the asker may not, or asked for what can't be
	planned    kind = "planned"    // the plan is there
	unplanned  kind = "unplanned"  // the plan couldn't be made
	outdated   kind = "outdated"   // the plan is too old to be run
	started    kind = "started"    // the run began
	stepBegun  kind = "step-begun" // a step was called for the first time
	stepEnded  kind = "step-ended" // a step did its work
	stepFailed kind = "step-failed"
	gaveUp     kind = "gave-up" // the bot can't go on
)

// happening is one thing that happens to a request.
type happening struct {
	kind    kind
	login   string    // admitted: who the asker is
	held    string    // admitted: what the request holds from now on
	plan    *ops.Plan // planned
	reason  string    // why, in words for people
	fault   ops.Kind  // what kind of fault the reason is
	pointer string    // turnedAway: the request to look at instead
}

// from says in which states a thing can happen.
var from = map[kind][]store.State{
	admitted:   {store.Asked},
	turnedAway: {store.Asked, store.Approved},
	planned:    {store.Planning},
	unplanned:  {store.Planning},
	outdated:   {store.Approved},
	started:    {store.Approved},
	stepBegun:  {store.Running},
	stepEnded:  {store.Running},
	stepFailed: {store.Running},
	gaveUp:     {store.Asked, store.Planning, store.Approved, store.Running},
}

// after is the life of a request: what it is after a thing has happened to it,
// and what is to be written with that. It is a pure function. A thing that
// can't happen in the request's state is an error.
func after(r store.Request, h happening, now time.Time) (store.Request, store.Change, error) {
	if !can(h.kind, r.State) {
		return r, store.Change{}, fmt.Errorf("a request that is %s can't be %s", r.State, h.kind)
	}
	data := map[string]any{}
	var tell []store.Message
	say := func(kind string, body store.Body) {
		tell = append(tell, store.Message{Request: r.ID, Kind: kind, Body: body})
	}
	end := func(state store.State, reason string) {
		r.State, r.Reason, r.EndedAt, r.Progress = state, reason, now, ""
		data["state"] = state
		say(store.Card, store.Body{})
	}
	if h.reason != "" {
		data["reason"] = h.reason
	}
	switch h.kind {
	case admitted:
		r.State, r.By, r.Held = store.Planning, h.login, h.held
		say(store.Card, store.Body{})
		say(store.Pointer, store.Body{Other: r.ID})
	case turnedAway:
		before := r.State
		r.By = h.login
		if before == store.Asked {
			// Nothing public for a stranger: not even a card.
			r.State, r.Reason, r.EndedAt = store.Refused, h.reason, now
		} else {
			end(store.Refused, h.reason)
			say(store.Result, store.Body{})
		}
		if h.pointer == "" {
			say(store.Private, store.Body{Text: h.reason})
		} else {
			data["instead"] = h.pointer
			say(store.Pointer, store.Body{Text: h.reason, Other: h.pointer})
		}
	case planned:
		r.Plan, r.PlannedAt, r.Progress = h.plan, now, ""
		data["digest"] = h.plan.Digest()
		data["effects"] = h.plan.Effects()
		say(store.Plan, store.Body{})
		switch {
		case r.Preview:
			end(store.Succeeded, "This was only a preview: nothing was run.")
		case h.plan.Approval.Count > 0:
			end(store.Refused, h.plan.Approval.Why+" Nothing was run.")
			say(store.Result, store.Body{})
		default:
			r.State = store.Approved
		}
	case unplanned:
		state := store.Failed
		if h.fault == ops.Refused || h.fault == ops.Invalid {
			state = store.Refused
		}
		end(state, h.reason)
		say(store.Result, store.Body{})
	case outdated:
		r.State = store.Planning
	case started:
		r.State, r.StartedAt, r.Step, r.StepBegun = store.Running, now, 0, time.Time{}
		say(store.Card, store.Body{})
	case stepBegun:
		r.StepBegun = now
		data["step"] = r.Plan.Steps[r.Step].Title
		say(store.Card, store.Body{})
	case stepEnded:
		data["step"] = r.Plan.Steps[r.Step].Title
		r.Step, r.StepBegun = r.Step+1, time.Time{}
		if r.Step < len(r.Plan.Steps) {
			break
		}
		if r.Report != nil && !r.Report.OK() {
			end(store.Failed, r.Report.Summary)
		} else {
			end(store.Succeeded, "")
		}
		data["report"] = r.Report
		say(store.LogFile, store.Body{})
		say(store.Result, store.Body{})
	case stepFailed:
		data["step"] = r.Plan.Steps[r.Step].Title
		state := store.Failed
		if h.fault == ops.Unknown {
			state = store.Unknown
		}
		end(state, h.reason)
		say(store.LogFile, store.Body{})
		say(store.Result, store.Body{})
	case gaveUp:
		end(store.Failed, h.reason)
		say(store.Result, store.Body{})
	}
	return r, store.Change{
		Events:   []store.Event{event(r, now, string(h.kind), data)},
		Messages: tell,
	}, nil
}

func can(k kind, s store.State) bool {
	for _, state := range from[k] {
		if state == s {
			return true
		}
	}
	return false
}
