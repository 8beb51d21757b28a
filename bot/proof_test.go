package bot_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

func TestWhichDecisionsNeedANewProofAndForHowLong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		verb     string
		harmless bool
		off      bool
		change   func(h *house) // U7 is owl by a link, and has signed in a moment ago
		after    time.Duration
		refused  bool
		unproven bool
	}{
		{name: "approving what is dangerous", verb: request.Approve},
		{name: "approving it without a proof", verb: request.Approve, unproven: true, refused: true},
		{name: "approving what isn't dangerous without a proof", verb: request.Approve, harmless: true, unproven: true},
		{name: "without the setting", verb: request.Approve, off: true, unproven: true},
		{name: "quarantining again", verb: request.QuarantineAgain, unproven: true, refused: true},
		{name: "breaking the glass for something harmless", verb: request.BreakGlass, harmless: true, unproven: true, refused: true},
		{name: "rejecting", verb: request.Reject, unproven: true},
		{name: "withdrawing", verb: request.Withdraw, unproven: true},
		{name: "restoring", verb: request.Undo, unproven: true},
		{name: "a moment before the proof is too old", verb: request.Approve, after: 10*time.Minute - time.Microsecond},
		{name: "when the proof is too old", verb: request.Approve, after: 10 * time.Minute, refused: true},
		{name: "a login that was renamed since", verb: request.Approve, change: func(h *house) { h.gh.RenameUser("owl", "barn-owl") }},
		{name: "a proof of the account that was theirs before", verb: request.Approve, refused: true, change: func(h *house) {
			if _, err := h.Unlink(h.t.Context(), by("U7")); err != nil {
				h.t.Error(err)
			}
			h.gh.AddMember(admins, "crow")
			h.links("U7", "crow")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			h.FreshProof = 10 * time.Minute
			if test.off {
				h.FreshProof = 0
			}
			r := in(request.Waiting)
			h.Operations = []ops.Operation{{Name: r.Operation, Dangerous: !test.harmless}}
			h.gh.AddMember(admins, "owl")
			h.links("U7", "owl")
			if !test.unproven {
				until, err := h.Prove(t.Context(), by("U7"), h.account("owl"))
				if err != nil || !until.Equal(noon.Add(10*time.Minute)) {
					t.Fatalf("proved until %v: %v", until, err)
				}
			}
			if test.change != nil {
				test.change(h)
			}
			h.stand(noon.Add(test.after))
			login, err := h.Member(t.Context(), by("U7"))
			if err != nil {
				t.Fatal(err)
			}
			err = h.Fresh(t.Context(), r, test.verb, by("U7"), login)
			if test.refused {
				fault(t, err, ops.Refused, "a new proof that you are "+login, "`/rootbot prove`", "10 minutes")
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// dangerous is tidying up something whose name must be typed.
func dangerous(target string) ops.Operation {
	o := tidy(nothing)
	o.Dangerous = true
	o.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
		p := *planOf(1)
		p.Target = target
		return p, nil
	}
	return o
}

func TestADecisionKeepsWhenItsProofWasGiven(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, verb string
		fresh      time.Duration
		want       time.Time
	}{
		{"an approval", request.Approve, 10 * time.Minute, noon},
		{"a break glass", request.BreakGlass, 10 * time.Minute, noon},
		{"an approval that needs no proof", request.Approve, 0, time.Time{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := build(t)
			h.stand(noon)
			h.terms = map[string]request.Terms{"tidy-up": demands(2)}
			h.settle = func(d *bot.Desk) { d.FreshProof, d.BreakGlass = test.fresh, []string{"hubot"} }
			h.begin(dangerous("shelf one"))
			if _, err := h.Prove(t.Context(), by("U2"), h.account("hubot")); err != nil {
				t.Fatal(err)
			}
			h.stand(noon.Add(time.Minute))
			r := h.waiting()
			h.show(r)
			if words := h.answer(h.clicked(request.Click{Request: r.ID, Verb: test.verb, Asker: by("U2"), Digest: r.Digest(), Name: "shelf one", Text: burns})); words != "" {
				t.Fatalf("who pressed reads %q", words)
			}
			now := h.request(r.ID)
			decision := now.Glass
			if test.verb == request.Approve {
				decision = &now.Reviews[0]
			}
			same(t, "the proof of the decision", test.want, decision.Proved)
			var recorded any
			if !test.want.IsZero() {
				recorded = test.want.Format(time.RFC3339Nano)
			}
			same(t, "the proof in the record", recorded, h.last(r.ID, "approved", "break-glass").Data["proved"])
		})
	}
}

func TestAProofMustBeOfTheAccountThatThePersonHas(t *testing.T) {
	t.Parallel()
	h := idle(t)
	h.FreshProof = 10 * time.Minute
	h.gh.AddMember(admins, "owl")
	h.links("U7", "owl")
	_, err := h.Prove(t.Context(), by("U7"), h.account("monalisa"))
	fault(t, err, ops.Refused, "You are owl on GitHub here", "typed in as monalisa")
	// A login that another person took over is another account.
	_, err = h.Prove(t.Context(), by("U7"), team.Account{ID: 1, Login: "owl"})
	fault(t, err, ops.Refused, "typed in as owl")
	if _, err := h.Store.ProofOf(t.Context(), "T1", "U7"); err == nil {
		t.Error("the proof is kept")
	}
}

// An approval is of a plan with its terms, of which the proof is one.
func TestApprovalsFromBeforeTheSettingDoNotCount(t *testing.T) {
	storetest.OnlyOn(t, storetest.SQLite)
	t.Parallel()
	h := build(t)
	h.terms = map[string]request.Terms{"tidy-up": demands(2)}
	h.settle = settings("old")
	var runs atomic.Int32
	o := dangerous("shelf one")
	o.Do["tidy"] = func(context.Context, ops.Run) error { runs.Add(1); return nil }
	h.begin(o)
	r := h.waiting()
	if words := h.press("U2", request.Approve, r, "shelf one"); words != "" {
		t.Fatalf("hubot reads %q", words)
	}
	h.settle = func(d *bot.Desk) { settings("new")(d); d.FreshProof = 10 * time.Minute }
	h.restart(func() {}, o)
	for _, user := range []string{"U4", "U2"} {
		login := map[string]string{"U4": "monalisa", "U2": "hubot"}[user]
		if _, err := h.Prove(t.Context(), by(user), h.account(login)); err != nil {
			t.Fatal(err)
		}
	}
	if words := h.press("U4", request.Approve, r, "shelf one"); words != "" {
		t.Fatalf("monalisa reads %q", words)
	}
	now := h.until(r.ID, "stale", func(r request.Request) bool { return r.State == request.Waiting && len(r.Reviews) == 0 })
	if runs.Load() > 0 || now.Digest() == r.Digest() {
		t.Errorf("it ran %d times; the plan's digest is %s, and was %s", runs.Load(), now.Digest(), r.Digest())
	}
	h.noted(r.ID, "Who approves: not set, now has signed in to GitHub within 10 minutes")
	for _, user := range []string{"U4", "U2"} {
		if words := h.press(user, request.Approve, now, "shelf one"); words != "" {
			t.Errorf("%s reads %q", user, words)
		}
	}
	if r := h.ended(r.ID); r.State != request.Succeeded || runs.Load() != 1 {
		t.Errorf("it ended as %s (%s) after %d runs", r.State, r.Reason, runs.Load())
	}
}

func TestABotThatAsksForNoProofSaysWhichOneItIs(t *testing.T) {
	storetest.OnlyOn(t, storetest.PostgreSQL)
	t.Parallel()
	h := build(t)
	h.settle = settings("old")
	h.begin(tidy(nothing))
	fault(t, h.MayProve(t.Context(), by("U2")), ops.Refused, "the settings have no fresh_proof")
	h.beside(settings("old"), tidy(nothing))
	fault(t, h.MayProve(t.Context(), by("U2")), ops.Refused, "the settings have no fresh_proof")
	h.beside(func(d *bot.Desk) { settings("new")(d); d.FreshProof = 10 * time.Minute }, tidy(nothing))
	fault(t, h.MayProve(t.Context(), by("U2")), ops.Refused, "its settings have no fresh_proof", "Another bot, with other settings", "type `/rootbot prove` again")
}
