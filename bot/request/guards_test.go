package request_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// A press of each button is barred by what its form lacks, or by who pressed, and is
// let through where nothing is amiss.
func TestWhatBarsAClick(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	plan := &ops.Plan{Target: "Old Laptop", Steps: []ops.Step{{Do: "remove", Title: "Remove it"}}}
	waiting := request.Request{
		ID: "0197-one", State: request.Waiting, Plan: plan, By: "octocat", Asker: request.Asker{Front: "slack", User: "U1"},
		PlannedAt: noon, ExpiresAt: noon.Add(time.Hour), Need: 1,
	}
	lifted, acted := waiting, waiting
	lifted.Lifted, acted.ActedAt = "Grace detached a policy.", noon
	good := request.Trigger{
		Shown: true, Dangerous: true, Name: "Old Laptop", MayBreak: true,
		Review: request.Review{By: "hubot", User: "U2", Digest: plan.Digest(), Reason: "It is broken."},
	}
	for _, test := range []struct {
		name   string
		r      request.Request
		verb   string
		change func(*request.Trigger)
		why    string // empty: it counts
	}{
		{"an approval with the name typed in full", waiting, request.Approve, nil, ""},
		{"an approval with the name in another case", waiting, request.Approve, func(t *request.Trigger) { t.Name = "old laptop" }, "so it wasn't approved. Case and spaces count."},
		{"an approval with a space behind the name", waiting, request.Approve, func(t *request.Trigger) { t.Name = "Old Laptop " }, "You typed “Old Laptop ”"},
		{"an approval without a name where none is asked for", waiting, request.Approve, func(t *request.Trigger) { t.Name, t.Dangerous = "", false }, ""},
		{"an approval without the new proof that it needs", waiting, request.Approve, func(t *request.Trigger) { t.Unproved = "Prove it anew." }, "Prove it anew."},
		{"a break glass with its reason and name", waiting, request.BreakGlass, nil, ""},
		{"a break glass of a person whom the settings don't name", waiting, request.BreakGlass, func(t *request.Trigger) { t.MayBreak = false }, "Only those whom the bot's settings name"},
		{"a break glass with a reason of spaces", waiting, request.BreakGlass, func(t *request.Trigger) { t.Review.Reason = " \n" }, "needs a written reason"},
		{"a break glass with a mistyped name", waiting, request.BreakGlass, func(t *request.Trigger) { t.Name = "Old" }, "so it isn't run."},
		{"a break glass without the new proof that it needs", waiting, request.BreakGlass, func(t *request.Trigger) { t.Unproved = "Prove it anew." }, "Prove it anew."},
		{"a rejection with a reason", waiting, request.Reject, nil, ""},
		{"a rejection without one", waiting, request.Reject, func(t *request.Trigger) { t.Review.Reason = "" }, "A rejection needs a reason"},
		{"a rejection of an earlier plan", waiting, request.Reject, func(t *request.Trigger) { t.Review.Digest = "another" }, "The plan has changed since that button was shown"},
		{"another member's withdrawal with a reason", waiting, request.Withdraw, nil, ""},
		{"another member's withdrawal without one", waiting, request.Withdraw, func(t *request.Trigger) { t.Review.Reason = "" }, "This is someone else's request"},
		{"the requester's withdrawal without one", waiting, request.Withdraw, func(t *request.Trigger) { t.Review = request.Review{By: "OctoCat"} }, ""},
		{"an end without a reason", lifted, request.End, func(t *request.Trigger) { t.Review.Reason = "" }, "so it wasn't ended"},
		{"an end with one", lifted, request.End, nil, ""},
		{"a second quarantine without the new proof that it needs", lifted, request.QuarantineAgain, func(t *request.Trigger) { t.Unproved = "Prove it anew." }, "Prove it anew."},
		{"a second quarantine", lifted, request.QuarantineAgain, nil, ""},
		{"a restore without a reason", acted, request.Undo, func(t *request.Trigger) { t.Review.Reason = "" }, "so it isn't being restored"},
		{"a restore with one", acted, request.Undo, nil, ""},
		{"a restore of what changed nothing", waiting, request.Undo, nil, "There is nothing to restore"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			click := good
			click.Event = request.EventOf(test.verb)
			if test.change != nil {
				test.change(&click)
			}
			next, _, err := request.Apply(test.r, click, noon)
			no, barred := errors.AsType[*request.NotNowError](err)
			switch {
			case test.why == "" && err != nil:
				t.Errorf("it is barred: %v", err)
			case test.why == "" && next.State == request.Waiting:
				t.Error("it changes nothing")
			case test.why != "" && (!barred || !strings.Contains(no.Why, test.why)):
				t.Errorf("%v, not %q", err, test.why)
			}
		})
	}
}
