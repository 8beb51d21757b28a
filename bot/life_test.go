package bot_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// states and happenings are all there are.
var (
	states     = request.States()
	happenings = func() (kinds []string) {
		for _, kind := range request.EventKinds() {
			kinds = append(kinds, string(kind))
		}
		return kinds
	}()
)

func planOf(steps int) *ops.Plan {
	p := &ops.Plan{Summary: "tidy up"}
	for i := range steps {
		p.Steps = append(p.Steps, ops.Step{Do: "tidy", Title: fmt.Sprintf("Tidy shelf %d", i+1), Effects: []string{fmt.Sprintf("dust of shelf %d", i+1)}})
	}
	return p
}

// in is a request in a state, as its life up to there leaves it. It waits for
// one approval; past that it is one that needed none.
func in(s request.State) request.Request {
	r := request.Request{
		ID: "0197-one", Card: "0197-one", Operation: "tidy-up", State: s, Version: 3, At: noon.Add(-time.Minute),
		Asker: request.Asker{Front: "slack", Workspace: "T1", User: "U1", Channel: "C1"},
	}
	if s == request.Asked {
		return r
	}
	r.By, r.Held, r.AdmittedAt = "octocat", "tidy", noon.Add(-50*time.Second)
	if s == request.Planning {
		r.Progress = "3 of 4"
		return r
	}
	r.Plan, r.PlannedAt = planOf(2), noon.Add(-30*time.Second)
	r.Shown = r.Plan.Digest()
	switch s {
	case request.Waiting:
		waits(1)(&r)
		return r
	case request.Approved:
		return r
	}
	r.StartedAt, r.StepBegun = noon.Add(-20*time.Second), noon.Add(-10*time.Second)
	switch s {
	case request.Running:
	case request.Undoing:
		r.StepBegun, r.ActedAt, r.Restoring = time.Time{}, noon.Add(-15*time.Second), &request.Review{By: "hubot", User: "U2", At: noon.Add(-5 * time.Second), Reason: "wrong shelf"}
	default:
		r.EndedAt = noon.Add(-5 * time.Second)
	}
	return r
}

// waits makes a request one that needs, or needed, approvals.
func waits(need int) func(*request.Request) {
	return func(r *request.Request) {
		r.Need, r.ExpiresAt, r.RemindAt = need, noon.Add(72*time.Hour), noon.Add(time.Hour)
	}
}

// agreed makes a request one that was approved, by hubot if nobody else is named.
func agreed(logins ...string) func(*request.Request) {
	return func(r *request.Request) {
		if logins == nil {
			logins = []string{"hubot"}
		}
		waits(len(logins))(r)
		r.Reviews = nil
		for _, login := range logins {
			r.Reviews = append(r.Reviews, request.Review{By: login, User: "U-" + login, At: noon.Add(-25 * time.Second), Digest: r.Plan.Digest()})
		}
	}
}

// demands are terms under which a plan needs approvals.
func demands(count int) request.Terms {
	t := request.DefaultTerms()
	t.Approval.Count = count
	return t
}

// review is what somebody decides who was shown a plan.
func review(login string, p *ops.Plan) request.Review {
	return request.Review{By: login, User: "U-" + login, Digest: p.Digest()}
}

func kindsOf(list []request.Message) []string {
	var kinds []string
	for _, m := range list {
		kinds = append(kinds, m.Kind)
	}
	return kinds
}

// step is something that may happen, and what it makes of a request.
type step struct {
	name   string
	from   request.State
	change func(*request.Request) // what is different about the request; nil: nothing
	h      bot.Happening
	want   request.State
	after  func(*request.Request) // what else is different then
	by     string                 // who it is recorded to be done by; empty: the asker
	tells  []string               // kinds of messages
	says   map[string]any         // some of the event's data
}

var steps = []step{
	{
		name: "somebody who may ask is admitted, and holds what they need",
		from: request.Asked, h: bot.Happening{Kind: "admitted", Login: "octocat", Held: "tidy"}, want: request.Planning,
		after: func(r *request.Request) { r.By, r.Held, r.AdmittedAt = "octocat", "tidy", noon },
		tells: []string{request.Card, request.Pointer},
	},
	{
		name: "a stranger is turned away and nobody else hears of it",
		from: request.Asked, h: bot.Happening{Kind: "refused", Reason: "Who are you?", Fault: ops.Refused}, want: request.Refused,
		after: func(r *request.Request) { r.Reason = "Who are you?" },
		tells: []string{request.Private}, says: map[string]any{"reason": "Who are you?"},
	},
	{
		name: "a known person who may not is turned away under their login",
		from: request.Asked, h: bot.Happening{Kind: "refused", Login: "mallory", Reason: "No.", Fault: ops.Refused}, want: request.Refused,
		after: func(r *request.Request) { r.By, r.Reason = "mallory", "No." },
		tells: []string{request.Private},
	},
	{
		name: "a second asker is pointed to the first",
		from: request.Asked, h: bot.Happening{Kind: "refused", Login: "octocat", Reason: "Busy.", Fault: ops.Busy, Pointer: "0197-zero"}, want: request.Refused,
		after: func(r *request.Request) { r.By, r.Reason = "octocat", "Busy." },
		tells: []string{request.Pointer}, says: map[string]any{"instead": "0197-zero"},
	},
	{
		name: "who may not any more is stopped before the run",
		from: request.Approved, h: bot.Happening{Kind: "refused", Login: "octocat", Reason: "Not any more.", Fault: ops.Refused}, want: request.Refused,
		after: func(r *request.Request) { r.Reason = "Not any more." },
		tells: []string{request.Card, request.Result},
	},
	{
		name: "a plan is shown and may be run",
		from: request.Planning, h: bot.Happening{Kind: "planned", Plan: planOf(2)}, want: request.Approved,
		after: func(r *request.Request) { r.Plan, r.PlannedAt, r.Progress = planOf(2), noon, "" },
		tells: []string{request.Plan}, says: map[string]any{"digest": planOf(2).Digest(), "plan": *planOf(2)},
	},
	{
		name: "the plan of a preview is the end of it",
		from: request.Planning, change: func(r *request.Request) { r.Preview, r.Held = true, "" },
		h: bot.Happening{Kind: "planned", Plan: planOf(2)}, want: request.Succeeded,
		after: func(r *request.Request) {
			r.Plan, r.PlannedAt, r.Progress, r.Changed = planOf(2), noon, "", ops.ChangedNothing
		},
		tells: []string{request.Plan, request.Card},
	},
	{
		name: "what can't be planned fails",
		from: request.Planning, h: bot.Happening{Kind: "unplanned", Reason: "AWS is away.", Fault: ops.Unavailable}, want: request.Failed,
		after: func(r *request.Request) { r.Reason, r.Progress = "AWS is away.", "" },
		tells: []string{request.Card, request.Result}, says: map[string]any{"reason": "AWS is away."},
	},
	{
		name: "a fault of the program while planning fails",
		from: request.Planning, h: bot.Happening{Kind: "unplanned", Reason: "Internal error.", Fault: ops.Internal}, want: request.Failed,
		after: func(r *request.Request) { r.Reason, r.Progress = "Internal error.", "" },
		tells: []string{request.Card, request.Result},
	},
	{
		name: "a plan that the operation refuses is refused",
		from: request.Planning, h: bot.Happening{Kind: "unplanned", Reason: "Too many.", Fault: ops.Refused}, want: request.Refused,
		after: func(r *request.Request) { r.Reason, r.Progress = "Too many.", "" },
		tells: []string{request.Card, request.Result},
	},
	{
		name: "what is asked for and can't be is refused",
		from: request.Planning, h: bot.Happening{Kind: "unplanned", Reason: "No such login.", Fault: ops.Invalid}, want: request.Refused,
		after: func(r *request.Request) { r.Reason, r.Progress = "No such login.", "" },
		tells: []string{request.Card, request.Result},
	},
	{
		name: "a run begins with its first step",
		from: request.Approved, change: func(r *request.Request) { r.Step, r.StepBegun = 1, noon }, h: bot.Happening{Kind: "started"}, want: request.Running,
		after: func(r *request.Request) { r.StartedAt, r.Step, r.StepBegun = noon, 0, time.Time{} },
		tells: []string{request.Card},
	},
	{
		name: "a step is called for the first time",
		from: request.Running, change: func(r *request.Request) { r.StepBegun = time.Time{} }, h: bot.Happening{Kind: "step-begun"}, want: request.Running,
		after: func(r *request.Request) { r.StepBegun = noon },
		tells: []string{request.Card}, says: map[string]any{"step": "Tidy shelf 1"},
	},
	{
		name: "after a step comes the next",
		from: request.Running, h: bot.Happening{Kind: "step-ended"}, want: request.Running,
		after: func(r *request.Request) { r.Step, r.StepBegun = 1, time.Time{} },
		says:  map[string]any{"step": "Tidy shelf 1"},
	},
	{
		name: "after the last step all is done",
		from: request.Running, change: func(r *request.Request) { r.Step = 1 }, h: bot.Happening{Kind: "step-ended"}, want: request.Succeeded,
		after: func(r *request.Request) { r.Step, r.StepBegun = 2, time.Time{} },
		tells: []string{request.Card, request.LogFile, request.Result}, says: map[string]any{"step": "Tidy shelf 2"},
	},
	{
		name: "a good report is a success",
		from: request.Running, change: func(r *request.Request) { r.Step, r.Report = 1, &ops.Report{Summary: "clean"} }, h: bot.Happening{Kind: "step-ended"}, want: request.Succeeded,
		after: func(r *request.Request) { r.Step, r.StepBegun = 2, time.Time{} },
		tells: []string{request.Card, request.LogFile, request.Result}, says: map[string]any{"report": &ops.Report{Summary: "clean"}},
	},
	{
		name: "a report with problems is a failure",
		from: request.Running, change: func(r *request.Request) {
			r.Step, r.Report = 1, &ops.Report{Summary: "still dusty", Problems: []string{"dust"}}
		}, h: bot.Happening{Kind: "step-ended"}, want: request.Failed,
		after: func(r *request.Request) { r.Step, r.StepBegun, r.Reason = 2, time.Time{}, "still dusty" },
		tells: []string{request.Card, request.LogFile, request.Result},
	},
	{
		name: "a report of something that isn't there is a failure",
		from: request.Running, change: func(r *request.Request) {
			r.Step = 1
			r.Report = &ops.Report{Summary: "missing", Sections: []ops.Section{{Outcomes: []ops.Outcome{{State: ops.Confirmed}, {State: ops.Missing}}}}}
		}, h: bot.Happening{Kind: "step-ended"}, want: request.Failed,
		after: func(r *request.Request) { r.Step, r.StepBegun, r.Reason = 2, time.Time{}, "missing" },
		tells: []string{request.Card, request.LogFile, request.Result},
	},
	{
		name: "a step that fails ends the run",
		from: request.Running, h: bot.Happening{Kind: "step-failed", Reason: "No broom.", Fault: ops.Unavailable}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "No broom." },
		tells: []string{request.Card, request.LogFile, request.Result}, says: map[string]any{"step": "Tidy shelf 1", "reason": "No broom."},
	},
	{
		name: "a step of which nobody knows whether it was done ends the run as unknown",
		from: request.Running, h: bot.Happening{Kind: "step-failed", Reason: "Dark.", Fault: ops.Unknown}, want: request.Unknown,
		after: func(r *request.Request) { r.Reason = "Dark." },
		tells: []string{request.Card, request.LogFile, request.Result},
	},
	{
		name: "the bot can't go on for somebody who wasn't admitted yet, and tells them alone",
		from: request.Asked, h: bot.Happening{Kind: "gave-up", Reason: "Not offered."}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "Not offered." },
		tells: []string{request.Private},
	},
	{
		name: "the bot can't go on with a plan",
		from: request.Planning, h: bot.Happening{Kind: "gave-up", Reason: "Not offered."}, want: request.Failed,
		after: func(r *request.Request) { r.Reason, r.Progress = "Not offered.", "" },
		tells: []string{request.Card, request.Result},
	},
	{
		name: "the bot can't begin a run",
		from: request.Approved, h: bot.Happening{Kind: "gave-up", Reason: "Not offered."}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "Not offered." },
		tells: []string{request.Card, request.Result},
	},
	{
		name: "the bot can't go on with a run, and tells its log as after any run",
		from: request.Running, h: bot.Happening{Kind: "gave-up", Reason: "Not offered."}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "Not offered." },
		tells: []string{request.Card, request.LogFile, request.Result},
	},
}

func TestWhatMayHappen(t *testing.T) {
	for _, test := range slices.Concat(steps, decisions, emergencies, voids) {
		t.Run(test.name, func(t *testing.T) {
			r := in(test.from)
			if test.change != nil {
				test.change(&r)
			}
			want := r
			if want.State = test.want; test.want.Ended() {
				want.EndedAt = noon
			}
			if test.after != nil {
				test.after(&want)
			}
			got, change, err := bot.After(r, test.h, noon)
			if err != nil {
				t.Fatal(err)
			}
			// A preview's and a plan's words at the end are their own.
			ignore := cmpopts.IgnoreFields(request.Request{}, "Version", "Shown")
			if test.want == request.Succeeded {
				ignore = cmpopts.IgnoreFields(request.Request{}, "Version", "Shown", "Reason")
			}
			if diff := cmp.Diff(want, got, ignore); diff != "" {
				t.Errorf("the request then (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.tells, kindsOf(change.Messages), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what is told (-want +got):\n%s", diff)
			}
			for _, m := range change.Messages {
				if m.Request != r.ID {
					t.Errorf("a message %s belongs to request %q", m.Kind, m.Request)
				}
			}
			if len(change.Events) != 1 {
				t.Fatalf("%d events, want one", len(change.Events))
			}
			e := change.Events[0]
			by := test.by
			if by == "" {
				by = got.By
			}
			if by == "" {
				by = "slack:T1/U1"
			}
			wantEvent := request.Event{At: noon, Request: r.ID, Kind: test.h.Kind, By: by}
			if diff := cmp.Diff(wantEvent, e, cmpopts.IgnoreFields(request.Event{}, "Data")); diff != "" {
				t.Errorf("the event (-want +got):\n%s", diff)
			}
			for key, value := range test.says {
				if diff := cmp.Diff(value, e.Data[key]); diff != "" {
					t.Errorf("the event's %s (-want +got):\n%s", key, diff)
				}
			}
			if test.want.Ended() && test.from != request.Asked && e.Data["state"] != test.want {
				t.Errorf("the event says the end is %v, want %v", e.Data["state"], test.want)
			}
		})
	}
}

func TestPrivateWordsGoToTheAskerAlone(t *testing.T) {
	for _, test := range []struct {
		name string
		h    bot.Happening
		want []request.Message
	}{
		{
			"the reason of a refusal",
			bot.Happening{Kind: "refused", Reason: "Who are you?", Fault: ops.Refused},
			[]request.Message{{Request: "0197-one", Kind: request.Private, Body: request.Body{Text: "Who are you?"}}},
		},
		{
			"where the other request is",
			bot.Happening{Kind: "refused", Login: "octocat", Reason: "Busy.", Fault: ops.Busy, Pointer: "0197-zero"},
			[]request.Message{{Request: "0197-one", Kind: request.Pointer, Body: request.Body{Text: "Busy.", Other: "0197-zero"}}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, change, err := bot.After(in(request.Asked), test.h, noon)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, change.Messages); diff != "" {
				t.Errorf("what is told (-want +got):\n%s", diff)
			}
		})
	}
}

// voids are requests that were stored after their requester was told that they weren't.
var voids = func() (list []step) {
	for from, tells := range map[request.State][]string{
		request.Asked: nil, request.Planning: {request.Card}, request.Waiting: {request.Card, request.Ask, request.Direct}, request.Approved: {request.Card},
	} {
		list = append(list, step{
			name: "one that is " + string(from) + " was stored too late", from: from, h: bot.Happening{Kind: "voided", Changed: ops.ChangedNothing}, want: request.Withdrawn,
			after: func(r *request.Request) {
				r.Reason, r.Progress = "It was stored too late: the requester had been told that it wasn't taken.", ""
				if from != request.Asked {
					r.Changed = ops.ChangedNothing
				}
			},
			tells: tells,
		})
	}
	return list
}()

func TestWhatMayNotHappen(t *testing.T) {
	all := slices.Concat(steps, decisions, emergencies, voids)
	for _, s := range states {
		for _, kind := range happenings {
			if slices.ContainsFunc(all, func(test step) bool { return test.from == s && test.h.Kind == kind }) {
				continue
			}
			t.Run(fmt.Sprintf("a request that is %s can't be %s", s, kind), func(t *testing.T) {
				r := in(s)
				got, change, err := bot.After(r, bot.Happening{Kind: kind, Login: "mallory", Held: "else", Plan: planOf(1), Reason: "because", Review: review("hubot", planOf(2)), Click: 7}, noon)
				if no, ok := errors.AsType[*request.NotNowError](err); !ok || no.Request.ID != r.ID {
					t.Fatalf("it could, or the fault is another: %v", err)
				}
				if diff := cmp.Diff(r, got); diff != "" {
					t.Errorf("it changed all the same (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(request.Change{}, change, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("something was to be written (-want +got):\n%s", diff)
				}
			})
		}
	}
	t.Run("something unheard of", func(t *testing.T) {
		for _, s := range states {
			if _, _, err := bot.After(in(s), bot.Happening{Kind: "struck by lightning"}, noon); err == nil {
				t.Errorf("it happened to a request that is %s", s)
			}
		}
	})
}
