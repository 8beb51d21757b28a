package bot

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/store"
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
	stale      kind = "stale"       // the plan has an effect that nobody was shown
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
	kind    kind
	login   string       // admitted: who the asker is
	account int64        // admitted: GitHub's number of that account; 0: not known
	held    string       // admitted: what the request holds from now on
	plan    *ops.Plan    // planned, stale, replanned
	terms   Terms        // planned, stale, reminded: the operation's
	review  store.Review // reviewed, rejected, withdrawn, undoing: by whom
	reason  string       // why, in words for people
	fault   ops.Kind     // what kind of fault the reason is
	pointer string       // turnedAway: the request to look at instead
	quiet   bool         // turnedAway: the first of the group was told the same
	click   int64        // the click that this answers
}

// from says in which states a thing can happen.
var from = map[kind][]store.State{
	admitted:   {store.Asked},
	turnedAway: {store.Asked, store.Approved},
	planned:    {store.Planning},
	unplanned:  {store.Planning},
	reviewed:   {store.Waiting},
	glass:      {store.Waiting},
	looked:     {store.Approved, store.Running, store.Undoing, store.Succeeded, store.Failed, store.Refused, store.Withdrawn, store.Expired, store.Undone, store.Unknown, store.Waiting},
	rejected:   {store.Waiting},
	withdrawn:  {store.Asked, store.Planning, store.Waiting},
	expired:    {store.Waiting},
	reminded:   {store.Waiting},
	stale:      {store.Approved, store.Running},
	replanned:  {store.Approved, store.Running},
	started:    {store.Approved},
	stepBegun:  {store.Running},
	stepEnded:  {store.Running},
	stepFailed: {store.Running, store.Undoing},
	undoing:    {store.Running},
	undone:     {store.Undoing},
	voided:     {store.Asked, store.Planning, store.Waiting, store.Approved},
	gaveUp:     {store.Asked, store.Planning, store.Waiting, store.Approved, store.Running, store.Undoing},
}

// NotNowError says that a thing can't happen to a request as it stands.
type NotNowError struct {
	Request store.Request
	Why     string // in words for people; empty: its state says it
}

func (e *NotNowError) Error() string {
	return fmt.Sprintf("request %s is %s: %s", e.Request.ID, e.Request.State, e.Why)
}

// after is the life of a request: what it is after a thing has happened to it,
// and what is to be written with that. It is a pure function. A thing that
// can't happen to the request as it stands is a *NotNowError.
func after(r store.Request, h happening, now time.Time) (store.Request, store.Change, error) {
	if !slices.Contains(from[h.kind], r.State) {
		return r, store.Change{}, &NotNowError{Request: r}
	}
	was, data := r.State, map[string]any{}
	var tell []store.Message
	say := func(kind string, body store.Body) {
		tell = append(tell, store.Message{Request: r.ID, Kind: kind, Body: body})
	}
	notice := func() {
		if r.Glass != nil {
			say(store.Glass, store.Body{})
		}
	}
	end := func(state store.State, reason string) {
		waited, offered := !r.ExpiresAt.IsZero(), !r.UndoUntil.IsZero()
		r.State, r.Reason, r.EndedAt, r.Progress, r.UndoUntil = state, reason, now, "", time.Time{}
		data["state"] = state
		say(store.Card, store.Body{})
		if waited || offered || was == store.Undoing {
			say(store.Ask, store.Body{})
		}
		if waited {
			say(store.Direct, store.Body{})
		}
		notice()
		if was == store.Waiting && !r.StartedAt.IsZero() {
			// The plan grew in the middle of a run: what was done before stays done.
			r.Reason += " Part of it had been run before its plan changed."
			say(store.LogFile, store.Body{})
			say(store.Result, store.Body{})
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
		r.State, r.By, r.Account, r.Held, r.AdmittedAt = store.Planning, h.login, h.account, h.held, now
		by = h.login
		say(store.Card, store.Body{})
		if r.Card == r.ID {
			say(store.Pointer, store.Body{Other: r.ID})
		}
	case turnedAway:
		door := r.State == store.Asked
		if h.login != "" {
			r.By, by = h.login, h.login
		}
		if door {
			// Nothing public for a stranger: not even a card.
			r.State, r.Reason, r.EndedAt = store.Refused, h.reason, now
		} else {
			end(store.Refused, h.reason)
			say(store.Result, store.Body{})
		}
		switch {
		case h.pointer != "":
			data["instead"] = h.pointer
			say(store.Pointer, store.Body{Text: h.reason, Other: h.pointer})
		case door && !h.quiet:
			say(store.Private, store.Body{Text: h.reason})
		}
	case planned:
		data["digest"], data["plan"] = h.plan.Digest(), h.plan.WithoutData()
		r.Plan, r.PlannedAt, r.Progress = h.plan, now, ""
		r.Shown = ""
		r.Need, r.Why = h.terms.need(*h.plan)
		say(store.Plan, store.Body{})
		switch {
		case r.Preview:
			end(store.Succeeded, "This was only a preview: nothing was run.")
		case len(h.plan.Steps) == 0:
			end(store.Succeeded, h.plan.Summary)
			say(store.Result, store.Body{})
		case r.Need > 0 && r.Asker.Login != "":
			why := strings.TrimSpace(r.Why + " It needs " + missing(r) + ", and approvals are given in the chat: ask for it there. Nothing was run.")
			r.Need = 0 // it never waits
			end(store.Refused, why)
			say(store.Result, store.Body{})
		case r.Need > 0:
			wait(&r, h.terms, now)
			say(store.Ask, store.Body{})
			say(store.Card, store.Body{})
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
	case reviewed:
		data["digest"] = h.review.Digest
		if why := unfit(r, h.review, now); why != "" {
			return r, store.Change{}, &NotNowError{Request: r, Why: why}
		}
		r.Reviews = append(slices.Clone(r.Reviews), h.review)
		if r.Missing() == 0 {
			r.State = store.Approved
		}
		say(store.Ask, store.Body{})
		say(store.Card, store.Body{})
	case glass:
		data["digest"], data["missing"] = h.review.Digest, r.Missing()
		if why := past(r, h.review, now); why != "" {
			return r, store.Change{}, &NotNowError{Request: r, Why: why}
		}
		r.Glass, r.Looked, r.State = &h.review, nil, store.Approved
		say(store.Glass, store.Body{})
		say(store.Ask, store.Body{})
		say(store.Card, store.Body{})
	case looked:
		switch {
		case r.Glass == nil:
			return r, store.Change{}, &NotNowError{Request: r, Why: "That was run with its approvals, so there is nothing to look at afterwards."}
		case r.Looked != nil:
			return r, store.Change{}, &NotNowError{Request: r, Why: r.Looked.By + " has looked at it already."}
		case same(h.review, *r.Glass), same(h.review, store.Review{By: r.By, Account: r.Account, User: r.Asker.User}):
			return r, store.Change{}, &NotNowError{Request: r, Why: "Somebody else must look at it: neither who asked nor who had it run alone."}
		}
		r.Looked = &h.review
		say(store.Glass, store.Body{})
		say(store.Card, store.Body{})
	case rejected:
		r.Decided = &h.review
		end(store.Refused, fmt.Sprintf("%s rejected it: %s", h.review.By, h.review.Reason))
	case withdrawn:
		r.Decided = &h.review
		who := h.review.By
		if strings.HasPrefix(who, unknownLogin) {
			who = "Whoever asked"
		}
		if r.State == store.Asked {
			// There is no card yet that could tell it.
			r.State, r.Reason, r.EndedAt = store.Withdrawn, who+" withdrew it.", now
			say(store.Private, store.Body{Text: r.Reason})
			break
		}
		end(store.Withdrawn, who+" withdrew it.")
	case expired:
		reason := fmt.Sprintf("Nobody decided by %s UTC.", r.ExpiresAt.Format("2 Jan 15:04"))
		if r.StartedAt.IsZero() {
			reason += " Nothing was run."
		}
		end(store.Expired, reason)
	case reminded:
		r.Reminders++
		r.RemindAt = h.terms.remind(r.Reminders, now)
		say(store.Note, store.Body{Text: fmt.Sprintf("Still waiting for %s, until %s UTC: %s", missing(r), r.ExpiresAt.Format("2 Jan 15:04"), r.Plan.Summary)})
	case stale:
		beyond := h.plan.Beyond(*r.Plan)
		data["digest"], data["plan"], data["beyond"] = h.plan.Digest(), h.plan.WithoutData(), beyond
		r.Plan, r.PlannedAt, r.Step, r.StepBegun = h.plan, now, 0, time.Time{}
		r.Shown = ""
		r.Need, r.Why = h.terms.need(*h.plan)
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
		say(store.Note, store.Body{Text: since + " New in it:\n• " + strings.Join(beyond, "\n• ")})
		say(store.Plan, store.Body{})
		notice()
		if r.Need == 0 {
			r.State = store.Approved
			break
		}
		wait(&r, h.terms, now)
		say(store.Ask, store.Body{})
		say(store.Card, store.Body{})
	case replanned:
		data["digest"] = h.plan.Digest()
		r.PlannedAt = now
		if r.State != store.Approved {
			break
		}
		// Nothing has been done yet, so what is there now is what steps go by.
		r.Shown, r.Plan = r.Digest(), h.plan
		if len(h.plan.Steps) == 0 {
			end(store.Succeeded, h.plan.Summary)
			say(store.Result, store.Body{})
		}
	case started:
		r.State, r.StartedAt = store.Running, now
		r.Step, r.StepBegun = 0, time.Time{}
		say(store.Card, store.Body{})
		notice()
	case stepBegun:
		r.StepBegun = now
		data["step"] = r.Plan.Steps[r.Step].Title
		say(store.Card, store.Body{})
	case stepEnded:
		data["step"] = r.Plan.Steps[r.Step].Title
		r.Step, r.StepBegun = r.Step+1, time.Time{}
		if r.Step < len(r.Plan.Steps) {
			if !r.UndoUntil.IsZero() {
				r.UndoUntil = time.Time{}
				say(store.Ask, store.Body{})
			}
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
	case undoing:
		r.Decided, r.State, r.StepBegun, r.UndoUntil = &h.review, store.Undoing, time.Time{}, time.Time{}
		data["reason"] = h.review.Reason
		say(store.Ask, store.Body{})
		say(store.Card, store.Body{})
		notice()
	case undone:
		by = r.Decided.By
		end(store.Undone, fmt.Sprintf("%s took it back: %s", r.Decided.By, r.Decided.Reason))
		say(store.LogFile, store.Body{})
		say(store.Result, store.Body{})
	case voided:
		const reason = "It was stored too late: whoever asked had been told that nothing was done. Nothing was run."
		if r.State == store.Asked {
			r.State, r.Reason, r.EndedAt = store.Withdrawn, reason, now
			break
		}
		end(store.Withdrawn, reason)
	case gaveUp:
		if r.State == store.Asked {
			r.State, r.Reason, r.EndedAt = store.Failed, h.reason, now
			say(store.Private, store.Body{Text: h.reason})
			break
		}
		end(store.Failed, h.reason)
		if !r.StartedAt.IsZero() {
			say(store.LogFile, store.Body{})
		}
		say(store.Result, store.Body{})
	}
	if h.review.Reason != "" {
		data["reason"] = h.review.Reason
	}
	e := event(r, now, string(h.kind), data)
	if by != "" {
		e.By = by
	}
	return r, store.Change{
		Events: []store.Event{e}, Messages: tell, Done: h.click,
		// Whoever pressed a button, somebody else carries the request.
		Wake: h.click != 0,
	}, nil
}

// wait makes a request wait for approvals.
func wait(r *store.Request, terms Terms, now time.Time) {
	r.State, r.ExpiresAt, r.Reminders = store.Waiting, now.Add(terms.Expiry), 0
	r.RemindAt = terms.remind(0, now)
}

// unfit says why somebody's approval doesn't count; empty: it counts.
func unfit(r store.Request, review store.Review, now time.Time) string {
	switch {
	case !now.Before(r.ExpiresAt):
		return past(r, review, now)
	case same(review, store.Review{By: r.By, Account: r.Account, User: r.Asker.User}):
		return "Nobody can approve what they asked for themselves."
	case slices.ContainsFunc(r.Reviews, func(old store.Review) bool { return same(old, review) }):
		return "You have approved this already; one person counts once."
	}
	return past(r, review, now)
}

// past says why somebody's decision is about what isn't any more; empty: it is
// about what is.
func past(r store.Request, review store.Review, now time.Time) string {
	switch {
	case !now.Before(r.ExpiresAt):
		return fmt.Sprintf("That comes too late: the time to decide was over at %s UTC. Your click changed nothing.", r.ExpiresAt.Format("2 Jan 15:04:05"))
	case review.Digest != r.Digest():
		return changed(r)
	}
	return ""
}

// same tells whether two reviews are one person's: one GitHub login, which has
// no case, one GitHub account, whatever its login is by now, or one place in the
// chat.
func same(a, b store.Review) bool {
	return strings.EqualFold(a.By, b.By) || a.Account != 0 && a.Account == b.Account || a.User != "" && a.User == b.User
}

// changed is what somebody reads whose button belongs to an earlier plan.
func changed(r store.Request) string {
	return fmt.Sprintf("The plan has changed since that button was shown, at %s UTC. Look at the newest plan in the thread. Your click changed nothing.", r.PlannedAt.Format("2 Jan 15:04:05"))
}

// missing is how many approvals are still needed, in words.
func missing(r store.Request) string { return approvals(r.Missing()) }

func approvals(n int) string {
	if n == 1 {
		return "1 approval"
	}
	return fmt.Sprintf("%d approvals", n)
}
