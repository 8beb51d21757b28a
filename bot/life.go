package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// kind is what can happen to a request.
type kind string

const (
	admitted   kind = "admitted"    // the asker is known and may ask
	turnedAway kind = "refused"     // the asker may not, or asked for what can't be
	planned    kind = "planned"     // the plan is there
	unplanned  kind = "unplanned"   // the plan couldn't be made
	reviewed   kind = "approved"    // a member approved the plan
	glass      kind = "break-glass" // somebody has it run alone, in an emergency
	looked     kind = "reviewed"    // somebody else has looked at that afterwards
	rejected   kind = "rejected"    // a member rejected it
	withdrawn  kind = "withdrawn"   // the asker or a member took it back
	expired    kind = "expired"     // nobody decided in time
	reminded   kind = "reminded"    // people were reminded to decide
	stale      kind = "stale"       // the plan has an effect or a term that nobody was shown
	lapsed     kind = "lapsed"      // somebody who approved may not any more, in the middle of a run
	lifted     kind = "lifted"      // people undid by hand what the run had done
	again      kind = "again"       // a member has that done again
	leftAsIs   kind = "end"         // a member leaves it as people made it
	replanned  kind = "replanned"   // the plan was made again and has no new effect
	started    kind = "started"     // the run began
	stepBegun  kind = "step-begun"  // a step was called for the first time
	stepEnded  kind = "step-ended"  // a step did its work
	stepFailed kind = "step-failed"
	undoing    kind = "undo"    // a member takes the run back
	undone     kind = "undone"  // what the run did is taken back
	gaveUp     kind = "gave-up" // the bot can't go on
	voided     kind = "voided"  // it was stored after its asker was told that it wasn't
)

// unknownLogin begins what stands for the login of somebody who may ask without
// one: their ID in the chat follows.
const unknownLogin = "slack."

// happening is one thing that happens to a request.
type happening struct {
	kind     kind
	login    string         // admitted: who the asker is
	account  int64          // admitted: GitHub's number of that account; 0: not known
	held     string         // admitted: what the request holds from now on
	plan     *ops.Plan      // planned, stale, replanned
	terms    request.Terms  // planned, stale, reminded: the operation's
	review   request.Review // reviewed, rejected, withdrawn, undoing: by whom
	reason   string         // why, in words for people
	fault    ops.Kind       // what kind of fault the reason is
	few      string         // planned: that too few people could approve, in words
	pointer  string         // turnedAway: the request to look at instead
	quiet    bool           // turnedAway: the first of the group was told the same
	click    int64          // the click that this answers
	shown    bool           // reviewed, glass: the plan with the review's digest has reached people
	changed  ops.Changed    // of ends: how much had been done; empty: what the request itself says
	effects  []string       // undoing: what will be done; nil: not known yet
	settings string         // planned, stale: digest of the operation's settings
	lost     request.Review // lapsed: whose approval doesn't count any more
}

// from says in which states a thing can happen.
var from = map[kind][]request.State{
	admitted:   {request.Asked},
	turnedAway: {request.Asked, request.Approved},
	planned:    {request.Planning},
	unplanned:  {request.Planning},
	reviewed:   {request.Waiting},
	glass:      {request.Waiting},
	looked:     {request.Approved, request.Running, request.Undoing, request.Succeeded, request.Failed, request.Refused, request.Withdrawn, request.Expired, request.Undone, request.Unknown, request.Waiting},
	rejected:   {request.Waiting},
	withdrawn:  {request.Asked, request.Planning, request.Waiting},
	expired:    {request.Waiting},
	reminded:   {request.Waiting},
	stale:      {request.Approved, request.Running},
	lapsed:     {request.Approved, request.Running},
	lifted:     {request.Running},
	again:      {request.Waiting},
	leftAsIs:   {request.Waiting},
	replanned:  {request.Approved, request.Running},
	started:    {request.Approved},
	stepBegun:  {request.Running},
	stepEnded:  {request.Running},
	stepFailed: {request.Running, request.Undoing},
	undoing:    {request.Waiting, request.Approved, request.Running, request.Failed, request.Unknown, request.Expired, request.Refused, request.Withdrawn, request.Succeeded},
	undone:     {request.Undoing},
	voided:     {request.Asked, request.Planning, request.Waiting, request.Approved},
	gaveUp:     {request.Asked, request.Planning, request.Waiting, request.Approved, request.Running, request.Undoing},
}

// NotNowError says that a thing can't happen to a request as it stands.
type NotNowError struct {
	Request request.Request
	Why     string // in words for people; empty: its state says it
}

func (e *NotNowError) Error() string {
	return fmt.Sprintf("request %s is %s: %s", e.Request.ID, e.Request.State, e.Why)
}

// after is the life of a request: what it is after a thing has happened to it,
// and what is to be written with that. It is a pure function. A thing that
// can't happen to the request as it stands is a *NotNowError.
func after(r request.Request, h happening, now time.Time) (request.Request, request.Change, error) {
	if !slices.Contains(from[h.kind], r.State) {
		return r, request.Change{}, &NotNowError{Request: r}
	}
	if why, no := barred(r, h); no {
		return r, request.Change{}, &NotNowError{Request: r, Why: why}
	}
	was, data := r.State, map[string]any{}
	var tell []request.Message
	say := func(kind string, body request.Body) {
		tell = append(tell, request.Message{Request: r.ID, Kind: kind, Body: body})
	}
	notice := func() {
		if r.Glass != nil {
			say(request.Glass, request.Body{})
		}
	}
	end := func(state request.State, reason string) {
		waited, offered := !r.ExpiresAt.IsZero(), !r.ActedAt.IsZero()
		r.State, r.Reason, r.EndedAt, r.Progress = state, reason, now, ""
		r.UndoUntil, r.Waits, r.HeldUp, r.HeldSince, r.Lifted = time.Time{}, ops.Waiting{}, "", time.Time{}, ""
		r.Changed = h.changed
		data["state"] = state
		if r.Changed != "" {
			data["changed"] = r.Changed
		}
		say(request.Card, request.Body{})
		if waited || offered || was == request.Undoing {
			say(request.Ask, request.Body{})
		}
		if waited {
			say(request.Direct, request.Body{Text: told(r, h)})
		}
		notice()
		if was == request.Waiting && !r.StartedAt.IsZero() {
			// It waited in the middle of a run: what was done before stays done.
			say(request.LogFile, request.Body{})
			say(request.Result, request.Body{})
		}
	}
	by := r.By
	if h.review.By != "" {
		by = h.review.By
		h.review.At = now
	}
	if h.reason != "" {
		data["reason"] = h.reason
	}
	switch h.kind {
	case admitted:
		r.State, r.By, r.Account, r.Held, r.AdmittedAt = request.Planning, h.login, h.account, h.held, now
		by = h.login
		say(request.Card, request.Body{})
		if r.Card == r.ID {
			say(request.Pointer, request.Body{Other: r.ID})
		}
	case turnedAway:
		door := r.State == request.Asked
		if h.login != "" {
			r.By, by = h.login, h.login
		}
		if door {
			// Nothing public for a stranger: not even a card.
			r.State, r.Reason, r.EndedAt = request.Refused, h.reason, now
		} else {
			end(request.Refused, h.reason)
			say(request.Result, request.Body{})
		}
		switch {
		case h.pointer != "":
			data["instead"] = h.pointer
			say(request.Pointer, request.Body{Text: h.reason, Other: h.pointer})
		case door && !h.quiet:
			say(request.Private, request.Body{Text: h.reason})
		}
	case planned:
		h.changed = ops.ChangedNothing // whatever it ends as
		data["digest"], data["plan"] = h.plan.Digest(), h.plan.WithoutData()
		r.Plan, r.PlannedAt, r.Progress, r.Settings = h.plan, now, "", h.settings
		r.Shown = ""
		r.Need, r.Why = h.terms.Need(*h.plan)
		if r.Need > 0 {
			data["need"] = r.Need
		}
		say(request.Plan, request.Body{})
		switch {
		case r.Preview:
			end(request.Succeeded, "This was only a preview. "+ops.ChangedNothing.Words())
		case len(h.plan.Steps) == 0:
			end(request.Succeeded, h.plan.Summary)
			say(request.Result, request.Body{})
		case r.Need > 0 && r.Asker.Login != "":
			why := strings.TrimSpace(r.Why + " It needs " + missing(r) + ", and approvals are given in the chat: ask for it there. " + ops.ChangedNothing.Words())
			r.Need = 0 // it never waits
			end(request.Refused, why)
			say(request.Result, request.Body{})
		case r.Need > 0:
			wait(&r, h.terms, now)
			if h.few != "" {
				say(request.Note, request.Body{Text: h.few})
			}
			say(request.Ask, request.Body{})
			say(request.Card, request.Body{})
		default:
			r.State = request.Approved
		}
	case unplanned:
		state := request.Failed
		if h.fault == ops.Refused || h.fault == ops.Invalid {
			state = request.Refused
		}
		end(state, h.reason)
		say(request.Result, request.Body{})
	case reviewed:
		data["digest"] = h.review.Digest
		if why := unfit(r, h, now); why != "" {
			return r, request.Change{}, &NotNowError{Request: r, Why: why}
		}
		r.Reviews = append(slices.Clone(r.Reviews), h.review)
		if r.Missing() == 0 {
			r.State = request.Approved
		}
		say(request.Ask, request.Body{})
		say(request.Card, request.Body{})
	case glass:
		data["digest"], data["missing"] = h.review.Digest, r.Missing()
		if why := past(r, h, now); why != "" {
			return r, request.Change{}, &NotNowError{Request: r, Why: why}
		}
		r.Glass, r.Looked, r.State = &h.review, nil, request.Approved
		say(request.Glass, request.Body{})
		tell = append(tell, GlassDue(r, h.terms.Hours, now))
		say(request.Ask, request.Body{})
		say(request.Card, request.Body{})
	case looked:
		switch {
		case r.Glass == nil:
			return r, request.Change{}, &NotNowError{Request: r, Why: "That was run with its approvals, so there is nothing to look at afterwards."}
		case r.Looked != nil:
			return r, request.Change{}, &NotNowError{Request: r, Why: r.Looked.By + " has looked at it already."}
		case same(h.review, *r.Glass), same(h.review, request.Review{By: r.By, Account: r.Account, User: r.Asker.User}):
			return r, request.Change{}, &NotNowError{Request: r, Why: "Somebody else must look at it: neither who asked nor who had it run alone."}
		}
		r.Looked = &h.review
		say(request.Glass, request.Body{})
		say(request.Card, request.Body{})
	case rejected:
		r.Decided = &h.review
		end(request.Refused, sentence(fmt.Sprintf("%s rejected it: %s", h.review.By, h.review.Reason))+stands(h))
	case withdrawn:
		r.Decided = &h.review
		reason := h.review.By + " withdrew it"
		if strings.HasPrefix(h.review.By, unknownLogin) {
			reason = "The requester withdrew it"
		}
		if h.review.Reason != "" {
			reason += ": " + h.review.Reason
		}
		reason = sentence(reason) + stands(h)
		if r.State == request.Asked {
			// There is no card yet that could tell it.
			r.State, r.Reason, r.EndedAt = request.Withdrawn, reason, now
			say(request.Private, request.Body{Text: r.Reason})
			break
		}
		end(request.Withdrawn, reason)
	case expired:
		end(request.Expired, fmt.Sprintf("Nobody decided by %s UTC.", r.ExpiresAt.Format("2 Jan 15:04"))+stands(h))
	case reminded:
		r.Reminders++
		r.RemindAt = h.terms.Remind(r.Reminders, now)
		what := missing(r)
		if r.Lifted != "" {
			what = "a member to decide what becomes of it"
		}
		say(request.Note, request.Body{Text: fmt.Sprintf("Still waiting for %s, until %s UTC: %s", what, r.ExpiresAt.Format("2 Jan 15:04"), r.Plan.Summary)})
	case stale:
		beyond, terms := h.plan.Beyond(*r.Plan), h.plan.NewTerms(*r.Plan)
		data["digest"], data["plan"], data["beyond"] = h.plan.Digest(), h.plan.WithoutData(), beyond
		if len(terms) > 0 {
			data["terms"] = terms
		}
		r.Plan, r.PlannedAt, r.Step, r.StepBegun, r.Settings = h.plan, now, 0, time.Time{}, h.settings
		r.UndoUntil, r.Waits, r.HeldUp, r.HeldSince = time.Time{}, ops.Waiting{}, "", time.Time{}
		r.Shown = ""
		r.Need, r.Why = h.terms.Need(*h.plan)
		if r.Need > 0 {
			data["need"] = r.Need
		}
		r.Reviews = nil
		if r.Glass != nil {
			fallen := *r.Glass
			fallen.Fallen = true
			r.Glass = &fallen
		}
		since := "The plan has changed since it was made."
		if r.Need > 0 {
			since = "The plan has changed since it was approved, so it must be approved again."
		}
		if !r.ActedAt.IsZero() {
			since += " " + ops.ChangedPart.Words()
		}
		for _, news := range []struct {
			head string
			list []string
		}{{"New in it", beyond}, {"Settings that have changed", terms}} {
			if len(news.list) > 0 {
				since += "\n" + news.head + ":\n• " + listed(news.list)
			}
		}
		say(request.Note, request.Body{Text: since, Mention: !r.ActedAt.IsZero()})
		say(request.Plan, request.Body{})
		notice()
		if r.Need == 0 {
			r.State = request.Approved
			break
		}
		wait(&r, h.terms, now)
		say(request.Ask, request.Body{})
		say(request.Card, request.Body{})
	case lapsed:
		if len(r.Reviews) == 0 && r.Glass == nil {
			return r, request.Change{}, &NotNowError{Request: r}
		}
		data["login"] = h.lost.By
		r.Reviews = slices.DeleteFunc(slices.Clone(r.Reviews), func(review request.Review) bool { return same(review, h.lost) })
		if r.Glass != nil && same(*r.Glass, h.lost) {
			fallen := *r.Glass
			fallen.Fallen = true
			r.Glass = &fallen
			notice()
		}
		r.UndoUntil, r.Waits, r.HeldUp, r.HeldSince = time.Time{}, ops.Waiting{}, "", time.Time{}
		r.StepBegun = time.Time{}
		wait(&r, h.terms, now)
		say(request.Note, request.Body{Text: h.reason + " " + ops.ChangedPart.Words() + " Before it goes on, somebody else must approve it.", Mention: true})
		say(request.Ask, request.Body{})
		say(request.Card, request.Body{})
	case lifted:
		r.Lifted, r.StepBegun = h.reason, time.Time{}
		r.UndoUntil, r.Waits, r.HeldUp, r.HeldSince = time.Time{}, ops.Waiting{}, "", time.Time{}
		wait(&r, h.terms, now)
		say(request.Note, request.Body{Text: h.reason, Mention: true})
		say(request.Ask, request.Body{})
		say(request.Card, request.Body{})
	case again:
		if why := past(r, h, now); why != "" {
			return r, request.Change{}, &NotNowError{Request: r, Why: why}
		}
		r.State, r.Lifted, r.Step, r.StepBegun = request.Approved, "", 0, time.Time{}
		say(request.Ask, request.Body{})
		say(request.Card, request.Body{})
	case leftAsIs:
		r.Decided = &h.review
		left := r.Lifted
		end(request.Withdrawn, sentence(fmt.Sprintf("%s ended it: %s", h.review.By, h.review.Reason))+" It stays as people made it. "+left)
	case replanned:
		data["digest"] = h.plan.Digest()
		r.PlannedAt, r.HeldUp, r.HeldSince = now, "", time.Time{}
		if r.State != request.Approved {
			break
		}
		// Nothing has been done yet, so what is there now is what steps go by.
		r.Shown, r.Plan = r.Digest(), h.plan
		if len(h.plan.Steps) == 0 {
			end(request.Succeeded, h.plan.Summary)
			say(request.Result, request.Body{})
		}
	case started:
		if r.Need > 0 {
			// What counts is what is on record: whoever reads it can compare the two.
			data["digest"], data["need"], data["approved"] = r.Digest(), r.Need, logins(r.Reviews)
			if r.Alone() {
				data["alone"] = r.Glass.By
			}
		}
		r.State, r.StartedAt = request.Running, now
		r.Step, r.StepBegun = 0, time.Time{}
		say(request.Card, request.Body{})
		notice()
	case stepBegun:
		r.StepBegun = now
		data["step"] = r.Plan.Steps[r.Step].Title
		say(request.Card, request.Body{})
	case stepEnded:
		data["step"] = r.Plan.Steps[r.Step].Title
		r.Step, r.StepBegun = r.Step+1, time.Time{}
		if r.Step < len(r.Plan.Steps) {
			if !r.UndoUntil.IsZero() || r.Waits != (ops.Waiting{}) {
				r.UndoUntil, r.Waits = time.Time{}, ops.Waiting{}
				say(request.Ask, request.Body{})
			}
			break
		}
		if r.Report != nil && !r.Report.OK() {
			end(request.Failed, r.Report.Summary)
		} else {
			end(request.Succeeded, "")
		}
		if r.Report != nil && r.Report.Final && r.FinalAt.IsZero() {
			r.FinalAt = now
		}
		data["report"] = r.Report
		say(request.LogFile, request.Body{})
		say(request.Result, request.Body{})
	case stepFailed:
		data["step"] = r.Plan.Steps[r.Step].Title
		state := request.Failed
		if h.fault == ops.Unknown {
			state = request.Unknown
		}
		end(state, h.reason)
		say(request.LogFile, request.Body{})
		say(request.Result, request.Body{})
	case undoing:
		r.Restoring, r.State, r.StepBegun, r.UndoUntil = &h.review, request.Undoing, time.Time{}, time.Time{}
		r.Waits, r.HeldUp, r.HeldSince, r.Lifted = ops.Waiting{}, "", time.Time{}, ""
		r.EndedAt, r.Reason, r.Report, r.Changed = time.Time{}, "", nil, ""
		data["reason"], data["effects"] = h.review.Reason, h.effects
		will := ""
		if len(h.effects) > 0 {
			will = "Restoring will:\n• " + listed(h.effects)
			say(request.Note, request.Body{Text: will})
		}
		say(request.Restore, request.Body{Text: will})
		say(request.Ask, request.Body{})
		say(request.Card, request.Body{})
		notice()
	case undone:
		by = r.Restoring.By
		if r.Report != nil && !r.Report.OK() {
			end(request.Failed, "It is not restored completely. "+r.Report.Summary)
		} else {
			end(request.Undone, fmt.Sprintf("%s restored it: %s", r.Restoring.By, r.Restoring.Reason))
		}
		say(request.LogFile, request.Body{})
		say(request.Result, request.Body{})
	case voided:
		const reason = "It was stored too late: the requester had been told that it wasn't taken."
		if r.State == request.Asked {
			r.State, r.Reason, r.EndedAt = request.Withdrawn, reason, now
			break
		}
		end(request.Withdrawn, reason)
	case gaveUp:
		if r.State == request.Asked {
			r.State, r.Reason, r.EndedAt = request.Failed, h.reason, now
			say(request.Private, request.Body{Text: h.reason})
			break
		}
		end(request.Failed, h.reason)
		started := !r.StartedAt.IsZero()
		if started && was == request.Waiting {
			break // end has told it
		}
		if started {
			say(request.LogFile, request.Body{})
		}
		say(request.Result, request.Body{})
	}
	if !h.review.Proved.IsZero() {
		data["proved"] = h.review.Proved
	}
	if h.review.Reason != "" {
		data["reason"] = h.review.Reason
	}
	e := event(r, now, string(h.kind), data)
	if by != "" {
		e.By = by
	}
	return r, request.Change{
		Events: []request.Event{e}, Messages: tell, Done: h.click,
		// Whoever pressed a button, somebody else carries the request.
		Wake: h.click != 0,
	}, nil
}

// wait makes a request wait for approvals.
func wait(r *request.Request, terms request.Terms, now time.Time) {
	r.State, r.ExpiresAt, r.Reminders = request.Waiting, now.Add(terms.Expiry), 0
	r.RemindAt = terms.Remind(0, now)
}
