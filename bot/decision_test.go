package bot_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// needing is a plan that demands approvals by itself.
func needing(count int, why string) *ops.Plan {
	p := planOf(2)
	p.Approval = ops.Rule{Count: count, Why: why}
	return p
}

// decided makes a review one of noon.
func decided(r request.Review) *request.Review {
	r.At = noon
	return &r
}

var (
	fortnight = planOf(3) // has an effect more than planOf(2)
	rejection = request.Review{By: "hubot", User: "U2", Digest: planOf(2).Digest(), Reason: "Not on a Friday."}
	recall    = request.Review{By: "hubot", User: "U2", Reason: "wrong shelf"}
	expiry    = noon.Add(72 * time.Hour)
	anHour    = noon.Add(time.Hour) // noon is within working hours
)

// waitsAnew is how a request waits for the approvals of a plan shown at noon.
func waitsAnew(need int) func(*request.Request) {
	return func(r *request.Request) {
		r.PlannedAt, r.Progress = noon, ""
		r.Need, r.ExpiresAt, r.RemindAt, r.Reminders, r.Reviews = need, expiry, anHour, 0, nil
		r.Step, r.StepBegun = 0, time.Time{}
	}
}

// decisions are what people, and time, may do to a request.
var decisions = []step{
	{
		name: "a plan waits for the approvals that the terms demand",
		from: request.Planning, h: bot.Happening{Kind: "planned", Plan: planOf(2), Terms: demands(2)}, want: request.Waiting,
		after: func(r *request.Request) { waitsAnew(2)(r); r.Plan = planOf(2) },
		tells: []string{request.Plan, request.Ask, request.Card}, says: map[string]any{"digest": planOf(2).Digest()},
	},
	{
		name: "a plan raises the approvals that are needed, and says why",
		from: request.Planning, h: bot.Happening{Kind: "planned", Plan: needing(2, "It is a lot."), Terms: demands(1)}, want: request.Waiting,
		after: func(r *request.Request) { waitsAnew(2)(r); r.Plan, r.Why = needing(2, "It is a lot."), "It is a lot." },
		tells: []string{request.Plan, request.Ask, request.Card},
	},
	{
		name: "what was asked for at a terminal doesn't wait for approvals",
		from: request.Planning, change: func(r *request.Request) { r.Asker = request.Asker{Front: "terminal", Login: "octocat"} },
		h: bot.Happening{Kind: "planned", Plan: needing(2, "It is a lot."), Terms: demands(1)}, want: request.Refused,
		after: func(r *request.Request) {
			r.Plan, r.PlannedAt, r.Progress, r.Why = needing(2, "It is a lot."), noon, "", "It is a lot."
			r.Changed = ops.ChangedNothing
			r.Reason = "It is a lot. It needs 2 approvals, and approvals are given in the chat: ask for it there. Nothing was changed."
		},
		tells: []string{request.Plan, request.Card, request.Result},
	},
	{
		name: "a plan never lowers the approvals that are needed",
		from: request.Planning, h: bot.Happening{Kind: "planned", Plan: needing(1, "It is a bit."), Terms: demands(2)}, want: request.Waiting,
		after: func(r *request.Request) { waitsAnew(2)(r); r.Plan, r.Why = needing(1, "It is a bit."), "It is a bit." },
		tells: []string{request.Plan, request.Ask, request.Card},
	},
	{
		name: "a plan with nothing to do ends at once, though approvals are needed",
		from: request.Planning, h: bot.Happening{Kind: "planned", Plan: planOf(0), Terms: demands(1)}, want: request.Succeeded,
		after: func(r *request.Request) {
			r.Plan, r.PlannedAt, r.Progress, r.Need, r.Changed = planOf(0), noon, "", 1, ops.ChangedNothing
		},
		tells: []string{request.Plan, request.Card, request.Result},
	},
	{
		name: "a preview of a plan that needs approvals asks nobody",
		from: request.Planning, change: func(r *request.Request) { r.Preview, r.Held = true, "" },
		h: bot.Happening{Kind: "planned", Plan: planOf(2), Terms: demands(1)}, want: request.Succeeded,
		after: func(r *request.Request) {
			r.Plan, r.PlannedAt, r.Progress, r.Need, r.Changed = planOf(2), noon, "", 1, ops.ChangedNothing
		},
		tells: []string{request.Plan, request.Card},
	},
	{
		name: "the last approval that was needed lets it run",
		from: request.Waiting, h: bot.Happening{Kind: "approved", Review: review("hubot", planOf(2)), Click: 7}, want: request.Approved, by: "hubot",
		after: func(r *request.Request) { r.Reviews = []request.Review{*decided(review("hubot", planOf(2)))} },
		tells: []string{request.Ask, request.Card}, says: map[string]any{"digest": planOf(2).Digest()},
	},
	{
		name: "the first approval of two lets it wait on",
		from: request.Waiting, change: waits(2), h: bot.Happening{Kind: "approved", Review: review("hubot", planOf(2)), Click: 7}, want: request.Waiting, by: "hubot",
		after: func(r *request.Request) { r.Reviews = []request.Review{*decided(review("hubot", planOf(2)))} },
		tells: []string{request.Ask, request.Card},
	},
	{
		name: "a member rejects it with a reason",
		from: request.Waiting, h: bot.Happening{Kind: "rejected", Review: rejection, Click: 7}, want: request.Refused, by: "hubot",
		after: func(r *request.Request) {
			r.Decided, r.Reason = decided(rejection), "hubot rejected it: Not on a Friday."
		},
		tells: []string{request.Card, request.Ask, request.Direct}, says: map[string]any{"reason": "Not on a Friday."},
	},
	{
		name: "it is withdrawn before anybody was admitted, which nobody else hears of",
		from: request.Asked, h: bot.Happening{Kind: "withdrawn", Review: recall, Click: 7}, want: request.Withdrawn, by: "hubot",
		after: func(r *request.Request) { r.Decided, r.Reason = decided(recall), "hubot withdrew it: wrong shelf." },
		tells: []string{request.Private},
	},
	{
		name: "it is withdrawn while it is being planned",
		from: request.Planning, h: bot.Happening{Kind: "withdrawn", Review: recall, Click: 7}, want: request.Withdrawn, by: "hubot",
		after: func(r *request.Request) {
			r.Decided, r.Progress, r.Reason = decided(recall), "", "hubot withdrew it: wrong shelf."
		},
		tells: []string{request.Card},
	},
	{
		name: "it is withdrawn while it waits",
		from: request.Waiting, h: bot.Happening{Kind: "withdrawn", Review: recall, Click: 7}, want: request.Withdrawn, by: "hubot",
		after: func(r *request.Request) { r.Decided, r.Reason = decided(recall), "hubot withdrew it: wrong shelf." },
		tells: []string{request.Card, request.Ask, request.Direct},
	},
	{
		name: "nobody decides in time",
		from: request.Waiting, change: func(r *request.Request) { r.ExpiresAt = noon }, h: bot.Happening{Kind: "expired", Changed: ops.ChangedNothing}, want: request.Expired,
		after: func(r *request.Request) {
			r.Reason, r.Changed = "Nobody decided by 2 Mar 12:00 UTC. Nothing was changed.", ops.ChangedNothing
		},
		tells: []string{request.Card, request.Ask, request.Direct},
	},
	{
		name: "people are reminded",
		from: request.Waiting, h: bot.Happening{Kind: "reminded", Terms: demands(1)}, want: request.Waiting,
		after: func(r *request.Request) { r.Reminders, r.RemindAt = 1, noon.Add(4*time.Hour) },
		tells: []string{request.Note},
	},
	{
		name: "people are reminded for the last time",
		from: request.Waiting, change: func(r *request.Request) { r.Reminders = 3 }, h: bot.Happening{Kind: "reminded", Terms: demands(1)}, want: request.Waiting,
		after: func(r *request.Request) { r.Reminders, r.RemindAt = 4, time.Time{} },
		tells: []string{request.Note},
	},
	{
		name: "a plan with a new effect must be approved again",
		from: request.Approved, change: agreed(), h: bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(1)}, want: request.Waiting,
		after: func(r *request.Request) { waitsAnew(1)(r); r.Plan = fortnight },
		tells: []string{request.Note, request.Plan, request.Ask, request.Card},
		says:  map[string]any{"digest": fortnight.Digest(), "beyond": []string{"dust of shelf 3"}},
	},
	{
		name: "a plan that has grown in the middle of a run must be approved again, from its first step on",
		from: request.Running, change: func(r *request.Request) { agreed()(r); r.Step, r.StepBegun = 1, time.Time{} },
		h: bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(1)}, want: request.Waiting,
		after: func(r *request.Request) { waitsAnew(1)(r); r.Plan = fortnight },
		tells: []string{request.Note, request.Plan, request.Ask, request.Card},
	},
	{
		name: "a plan that has grown, and that nobody must approve, is shown and run",
		from: request.Approved, h: bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(0)}, want: request.Approved,
		after: func(r *request.Request) { r.Plan, r.PlannedAt = fortnight, noon },
		tells: []string{request.Note, request.Plan},
	},
	{
		name: "a plan that has only shrunk is what is run",
		from: request.Approved, change: agreed(), h: bot.Happening{Kind: "replanned", Plan: planOf(1)}, want: request.Approved,
		after: func(r *request.Request) { r.Plan, r.PlannedAt = planOf(1), noon },
		says:  map[string]any{"digest": planOf(1).Digest()},
	},
	{
		name: "a plan that has nothing left to do ends it",
		from: request.Approved, h: bot.Happening{Kind: "replanned", Plan: planOf(0)}, want: request.Succeeded,
		after: func(r *request.Request) { r.Plan, r.PlannedAt = planOf(0), noon },
		tells: []string{request.Card, request.Result},
	},
	{
		name: "a run that is under way keeps its plan",
		from: request.Running, change: func(r *request.Request) { r.Step, r.StepBegun = 1, time.Time{} },
		h: bot.Happening{Kind: "replanned", Plan: planOf(1)}, want: request.Running,
		after: func(r *request.Request) { r.PlannedAt = noon },
	},
	{
		name: "who may not any more is stopped though it was approved",
		from: request.Approved, change: agreed(), h: bot.Happening{Kind: "refused", Login: "octocat", Reason: "Not any more.", Fault: ops.Refused}, want: request.Refused,
		after: func(r *request.Request) { r.Reason = "Not any more." },
		tells: []string{request.Card, request.Ask, request.Direct, request.Result},
	},
	{
		name: "a step after which nothing can be taken back any more",
		from: request.Running, change: func(r *request.Request) { r.UndoUntil = noon.Add(time.Hour) }, h: bot.Happening{Kind: "step-ended"}, want: request.Running,
		after: func(r *request.Request) { r.Step, r.StepBegun, r.UndoUntil = 1, time.Time{}, time.Time{} },
		tells: []string{request.Ask},
	},
	{
		name: "a step that fails can be restored on, and says until when no longer",
		from: request.Running, change: func(r *request.Request) { r.ActedAt, r.UndoUntil = noon, noon.Add(time.Hour) }, h: bot.Happening{Kind: "step-failed", Reason: "No broom.", Fault: ops.Unavailable, Changed: ops.ChangedPart}, want: request.Failed,
		after: func(r *request.Request) { r.Reason, r.UndoUntil, r.Changed = "No broom.", time.Time{}, ops.ChangedPart },
		tells: []string{request.Card, request.Ask, request.LogFile, request.Result},
	},
	{
		name: "a member restores what the run did, which is told where it was approved and in the log channel",
		from: request.Running, change: func(r *request.Request) { r.ActedAt, r.UndoUntil = noon, noon.Add(time.Hour) },
		h: bot.Happening{Kind: "undo", Review: recall, Click: 7, Effects: []string{"dust comes back"}}, want: request.Undoing, by: "hubot",
		after: func(r *request.Request) {
			r.Restoring, r.StepBegun, r.UndoUntil = decided(recall), time.Time{}, time.Time{}
		},
		tells: []string{request.Note, request.Restore, request.Ask, request.Card}, says: map[string]any{"reason": "wrong shelf"},
	},
	{
		name: "a member restores what a run did that has failed",
		from: request.Failed, change: func(r *request.Request) { r.ActedAt, r.Reason, r.Changed = noon, "No broom.", ops.ChangedPart },
		h: bot.Happening{Kind: "undo", Review: recall, Click: 7}, want: request.Undoing, by: "hubot",
		after: func(r *request.Request) {
			r.Restoring, r.StepBegun, r.EndedAt, r.Reason, r.Changed = decided(recall), time.Time{}, time.Time{}, "", ""
		},
		tells: []string{request.Restore, request.Ask, request.Card},
	},
	{
		name: "an approver may not any more in the middle of a run, so it waits for another one",
		from: request.Running, change: func(r *request.Request) { agreed("hubot", "monalisa")(r); r.ActedAt = noon },
		h: bot.Happening{Kind: "lapsed", Lost: request.Review{By: "hubot"}, Reason: "hubot has left.", Terms: demands(2)}, want: request.Waiting,
		after: func(r *request.Request) { r.Reviews, r.StepBegun = r.Reviews[1:], time.Time{}; waits(2)(r) },
		tells: []string{request.Note, request.Ask, request.Card}, says: map[string]any{"login": "hubot"},
	},
	{
		name: "people undid what the run had done, so it waits for what they decide",
		from: request.Running, change: func(r *request.Request) { agreed()(r); r.ActedAt = noon },
		h: bot.Happening{Kind: "lifted", Reason: "The dust is back.", Terms: demands(1)}, want: request.Waiting,
		after: func(r *request.Request) { r.Lifted, r.StepBegun = "The dust is back.", time.Time{}; waits(1)(r) },
		tells: []string{request.Note, request.Ask, request.Card}, says: map[string]any{"reason": "The dust is back."},
	},
	{
		name: "a member has it done again",
		from: request.Waiting, change: func(r *request.Request) {
			agreed()(r)
			r.ActedAt, r.StartedAt, r.Step, r.Lifted = noon, noon, 1, "The dust is back."
		},
		h: bot.Happening{Kind: "again", Review: review("hubot", planOf(2)), Click: 7}, want: request.Approved, by: "hubot",
		after: func(r *request.Request) { r.Lifted, r.Step = "", 0 },
		tells: []string{request.Ask, request.Card},
	},
	{
		name: "a member leaves it as people made it",
		from: request.Waiting, change: func(r *request.Request) {
			agreed()(r)
			r.ActedAt, r.StartedAt, r.Step, r.Lifted = noon, noon, 1, "The dust is back."
		},
		h: bot.Happening{Kind: "end", Review: recall, Click: 7, Changed: ops.ChangedPart}, want: request.Withdrawn, by: "hubot",
		after: func(r *request.Request) {
			r.Decided, r.Lifted, r.Changed = decided(recall), "", ops.ChangedPart
			r.Reason = "hubot ended it: wrong shelf. It stays as people made it. The dust is back."
		},
		tells: []string{request.Card, request.Ask, request.Direct, request.LogFile, request.Result},
	},
	{
		name: "what was done is taken back",
		from: request.Undoing, change: waits(1), h: bot.Happening{Kind: "undone"}, want: request.Undone, by: "hubot",
		after: func(r *request.Request) { r.Reason = "hubot restored it: wrong shelf" },
		tells: []string{request.Card, request.Ask, request.Direct, request.LogFile, request.Result},
	},
	{
		name: "taking it back fails",
		from: request.Undoing, change: waits(1), h: bot.Happening{Kind: "step-failed", Reason: "No dust.", Fault: ops.Unavailable}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "No dust." },
		tells: []string{request.Card, request.Ask, request.Direct, request.LogFile, request.Result}, says: map[string]any{"reason": "No dust."},
	},
	{
		name: "nobody knows whether it was taken back",
		from: request.Undoing, change: waits(1), h: bot.Happening{Kind: "step-failed", Reason: "Dark.", Fault: ops.Unknown}, want: request.Unknown,
		after: func(r *request.Request) { r.Reason = "Dark." },
		tells: []string{request.Card, request.Ask, request.Direct, request.LogFile, request.Result},
	},
	{
		name: "the bot can't wait for approvals any longer",
		from: request.Waiting, h: bot.Happening{Kind: "gave-up", Reason: "Not offered."}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "Not offered." },
		tells: []string{request.Card, request.Ask, request.Direct, request.Result},
	},
	{
		name: "the bot can't wait for approvals of more after a part was done, and tells the result once",
		from: request.Waiting, change: func(r *request.Request) { r.StartedAt = noon.Add(-time.Second) },
		h: bot.Happening{Kind: "gave-up", Reason: "Not offered."}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "Not offered." },
		tells: []string{request.Card, request.Ask, request.Direct, request.LogFile, request.Result},
	},
	{
		name: "the bot can't go on taking it back",
		from: request.Undoing, change: waits(1), h: bot.Happening{Kind: "gave-up", Reason: "Not offered."}, want: request.Failed,
		after: func(r *request.Request) { r.Reason = "Not offered." },
		tells: []string{request.Card, request.Ask, request.Direct, request.LogFile, request.Result},
	},
}

func TestAnApprovalThatDoesntCount(t *testing.T) {
	stolen := review("hubot", planOf(2))
	stolen.User = "U1"
	at := func(login string, p *ops.Plan) bot.Happening {
		return bot.Happening{Kind: "approved", Review: review(login, p), Click: 7}
	}
	for _, test := range []struct {
		name   string
		change func(*request.Request)
		h      bot.Happening
		now    time.Time
		says   string
	}{
		{"the asker's own", waits(1), at("octocat", planOf(2)), noon, "You asked for this, so somebody else must approve it."},
		{"the asker's own, in another case", waits(1), at("OctoCat", planOf(2)), noon, "You asked for this"},
		{"the asker's own, under another login", waits(1), bot.Happening{Kind: "approved", Review: stolen}, noon, "You asked for this"},
		{"a second one of one person", func(r *request.Request) { agreed()(r); r.Need = 2 }, at("hubot", planOf(2)), noon, "one person counts once"},
		{"a second one of one person, in another case", func(r *request.Request) { agreed()(r); r.Need = 2 }, at("HUBOT", planOf(2)), noon, "one person counts once"},
		{"one of another plan", waits(1), at("hubot", fortnight), noon, "The plan has changed since that button was shown"},
		{"one of no plan", waits(1), bot.Happening{Kind: "approved", Review: request.Review{By: "hubot"}}, noon, "The plan has changed"},
		{"one at the moment when the time is up", waits(1), at("hubot", planOf(2)), expiry, ""},
		{"one after the time was up", waits(1), at("hubot", planOf(2)), expiry.Add(time.Minute), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := in(request.Waiting)
			test.change(&r)
			got, change, err := bot.After(r, test.h, test.now)
			refused(t, err, test.says)
			same(t, "the request", r, got)
			same(t, "what is to be written", request.Change{}, change)
		})
	}
}

// refused checks that a thing couldn't happen, for a reason.
func refused(t *testing.T, err error, says string) {
	t.Helper()
	if err == nil {
		t.Fatal("it counts")
	}
	if !strings.Contains(err.Error(), says) {
		t.Errorf("the fault is %q, want %q", err, says)
	}
}

func TestTwoApprovalsAreOfTwoPeople(t *testing.T) {
	r := in(request.Waiting)
	waits(2)(&r)
	for i, login := range []string{"hubot", "monalisa"} {
		next, _, err := bot.After(r, bot.Happening{Kind: "approved", Review: review(login, planOf(2)), Click: int64(i + 1)}, noon)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Reviews) != i {
			t.Fatal("an approval changed the request that it was given")
		}
		r = next
	}
	if r.State != request.Approved || len(r.Reviews) != 2 {
		t.Errorf("it is %s with %d approvals", r.State, len(r.Reviews))
	}
}

func TestAClickIsAnsweredWithWhatItDoesAndWakesWhoCarriesOn(t *testing.T) {
	for _, test := range slices.Concat(decisions, emergencies) {
		t.Run(test.name, func(t *testing.T) {
			r := in(test.from)
			if test.change != nil {
				test.change(&r)
			}
			_, change, err := bot.After(r, test.h, noon)
			if err != nil {
				t.Fatal(err)
			}
			if change.Done != test.h.Click || change.Wake != (test.h.Click != 0) {
				t.Errorf("the click %d: answered %d, wakes %v", test.h.Click, change.Done, change.Wake)
			}
			if test.h.Click != 0 && len(change.Messages) == 0 {
				t.Error("nobody sees what the click did")
			}
		})
	}
}

func TestWhatPeopleReadOfAChange(t *testing.T) {
	for _, test := range []struct {
		name   string
		from   request.State
		change func(*request.Request)
		h      bot.Happening
		says   []string
		hides  string
	}{
		{"a reminder says how many are missing and until when", request.Waiting, func(r *request.Request) { agreed()(r); r.Need = 3 }, bot.Happening{Kind: "reminded", Terms: demands(3)}, []string{"2 approvals", "5 Mar 12:00 UTC", "tidy up"}, ""},
		{"a reminder of the last that is missing", request.Waiting, nil, bot.Happening{Kind: "reminded", Terms: demands(1)}, []string{"1 approval,"}, ""},
		{"a grown plan says what is new", request.Approved, agreed(), bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(1)}, []string{"dust of shelf 3", "approved again"}, "shelf 2"},
		{"a grown plan that nobody must approve doesn't ask for it", request.Approved, nil, bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(0)}, []string{"dust of shelf 3"}, "approved again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := in(test.from)
			if test.change != nil {
				test.change(&r)
			}
			_, change, err := bot.After(r, test.h, noon)
			if err != nil {
				t.Fatal(err)
			}
			note := change.Messages[0]
			if note.Kind != request.Note {
				t.Fatalf("a %s is told first", note.Kind)
			}
			for _, words := range test.says {
				if !strings.Contains(note.Body.Text, words) {
					t.Errorf("the note %q doesn't say %q", note.Body.Text, words)
				}
			}
			if test.hides != "" && strings.Contains(note.Body.Text, test.hides) {
				t.Errorf("the note %q says %q", note.Body.Text, test.hides)
			}
		})
	}
}

// Half a run has happened when a plan turns out to have grown in its middle.
func TestARunThatStopsHalfWayNeverClaimsThatNothingWasRun(t *testing.T) {
	half := func() request.Request {
		r := in(request.Running)
		agreed()(&r)
		r.Step, r.StepBegun = 1, time.Time{}
		r, _, err := bot.After(r, bot.Happening{Kind: "stale", Plan: fortnight, Terms: demands(1)}, noon)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	reject := review("hubot", fortnight)
	reject.Reason = "Enough."
	for _, h := range []bot.Happening{
		{Kind: "expired"}, {Kind: "rejected", Review: reject, Click: 7}, {Kind: "withdrawn", Review: recall, Click: 7},
	} {
		t.Run("it is "+h.Kind, func(t *testing.T) {
			r, change, err := bot.After(half(), h, noon)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(r.Reason, "Nothing was changed") {
				t.Errorf("people read %q", r.Reason)
			}
			if diff := cmp.Diff([]string{request.Card, request.Ask, request.Direct, request.LogFile, request.Result}, kindsOf(change.Messages)); diff != "" {
				t.Errorf("what is told (-want +got):\n%s", diff)
			}
		})
	}
}
