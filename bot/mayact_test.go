package bot_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// turn is what the world does to a run that waits for its last, irreversible step,
// and what must become of the run.
type turn struct {
	name  string
	world func(*house, *grace)
	want  request.State // once it would have gone on
	says  []string      // its reason, or the note to people
	after func(*testing.T, *house, *grace, request.Request)
}

// turns are played on a run that was approved by hubot and has done its first step.
var turns = []turn{
	{
		name: "nothing happens", world: func(*house, *grace) {}, want: request.Succeeded,
	},
	{
		name:  "the requester leaves the team",
		world: func(h *house, _ *grace) { h.gh.RemoveMember(admins, "octocat") },
		want:  request.Failed, says: []string{"octocat is not a member", "Part of it was done"},
		after: func(t *testing.T, h *house, g *grace, r request.Request) {
			h.press("U4", request.Undo, r, "no one is left to answer for it")
			same(t, "what it ends as", request.Undone, h.ended(r.ID).State)
			same(t, "what was done", []string{"boxed", "put back"}, g.done())
		},
	},
	{
		name:  "the approver leaves the team",
		world: func(h *house, _ *grace) { h.gh.RemoveMember(admins, "hubot") },
		want:  request.Waiting, says: []string{"hubot is not a member", "Part of it was done", "somebody else must approve"},
		after: func(t *testing.T, h *house, g *grace, r request.Request) {
			h.press("U4", request.Approve, r, "")
			same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
			same(t, "what was done", []string{"boxed", "boxed", "burnt"}, g.done())
		},
	},
	{
		name:  "the approver becomes a guest",
		world: func(h *house, _ *grace) { h.becomes("U2", team.Person{Workspaces: []string{"T1"}, Guest: true}) },
		want:  request.Waiting, says: []string{"is a guest in the workspace"},
	},
	{
		name: "the target becomes protected",
		world: func(_ *house, g *grace) {
			g.change(func() { g.unplannable = &ops.Error{Kind: ops.Refused, What: "The box is protected."} })
		},
		want: request.Failed, says: []string{"The box is protected.", "Part of it was done"},
	},
	{
		name:  "the plan grows",
		world: func(_ *house, g *grace) { g.change(func() { g.more = "more ashes" }) },
		want:  request.Waiting, says: []string{"more ashes", "approved again"},
	},
	{
		name:  "the settings get a shorter time",
		world: func(_ *house, g *grace) { g.change(func() { g.hours = "1 minute" }) },
		want:  request.Waiting, says: []string{"Time of grace: 1 hour, now 1 minute"},
	},
	{
		name:  "people undo what it did",
		world: func(_ *house, g *grace) { g.change(func() { g.lifted = true }) },
		want:  request.Waiting, says: []string{"The box was opened by hand."},
		after: func(t *testing.T, h *house, g *grace, r request.Request) {
			says(t, h.press("U4", request.Approve, r, ""), "people undid what it had done")
			g.change(func() { g.lifted = false })
			h.press("U4", request.QuarantineAgain, r, "")
			same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
			same(t, "what was done", []string{"boxed", "boxed", "burnt"}, g.done())
		},
	},
	{
		name:  "people undo what it did, and leave it so",
		world: func(_ *house, g *grace) { g.change(func() { g.lifted = true }) },
		want:  request.Waiting,
		after: func(t *testing.T, h *house, g *grace, r request.Request) {
			says(t, h.press("U4", request.End, r, ""), "needs a reason")
			h.press("U4", request.End, r, "they stay")
			got := h.ended(r.ID)
			same(t, "what it ends as", request.Withdrawn, got.State)
			says(t, got.Reason, "monalisa ended it: they stay.", "opened by hand")
			same(t, "what was done", []string{"boxed"}, g.done())
		},
	},
	{
		name:  "GitHub is away",
		world: func(h *house, _ *grace) { h.gh.Fail("/orgs/", githubtest.Fault{Status: 503}) },
		want:  request.Running, says: []string{"Waiting until", "503", "Part of it was done"},
		after: func(t *testing.T, h *house, g *grace, r request.Request) {
			h.gh.ClearFaults()
			h.forward(2 * time.Minute)
			h.wake(r.ID)
			same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
		},
	},
	{
		name: "AWS is away for a day",
		world: func(_ *house, g *grace) {
			g.change(func() { g.unplannable = &ops.Error{Kind: ops.Unavailable, What: "AWS is away."} })
		},
		want: request.Running, says: []string{"Waiting until 3 Mar", "AWS is away.", "Part of it was done"},
		after: func(t *testing.T, h *house, g *grace, r request.Request) {
			h.forward(25 * time.Hour)
			h.wake(r.ID)
			got := h.ended(r.ID)
			same(t, "what it ends as", request.Failed, got.State)
			says(t, got.Reason, "AWS is away.", "Part of it was done")
			h.press("U4", request.Undo, got, "it takes too long")
			same(t, "what it ends as then", request.Undone, h.ended(r.ID).State)
		},
	},
}

func TestAWaitingRunIsAskedAboutAgainBeforeWhatCantBeTakenBack(t *testing.T) {
	t.Parallel()
	for _, test := range turns {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := &grace{hours: "1 hour"}
			h := g.opened(t)
			r := h.offered()
			test.world(h, g)
			h.forward(time.Hour)
			h.wake(r.ID)
			r = h.until(r.ID, string(test.want), func(r request.Request) bool {
				return r.State == test.want && (test.want != request.Running || r.HeldUp != "")
			})
			read := r.Reason + r.HeldUp
			for _, m := range h.told(r.ID) {
				if m.Kind == request.Note {
					read += "\n" + m.Body.Text
				}
			}
			says(t, read, test.says...)
			if test.want != request.Succeeded && slices.Contains(g.done(), "burnt") {
				t.Errorf("what was done: %v", g.done())
			}
			if test.after != nil {
				test.after(t, h, g, r)
			}
		})
	}
}

func TestAnApprovalCountsOnlyForAPlanThatWasShown(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	h.blind = true
	r := h.waiting()
	says(t, h.press("U2", request.Approve, r, ""), "hasn't reached Slack yet", "changed nothing")
	same(t, "the request", r, h.request(r.ID))
	h.show(r)
	if got := h.press("U2", request.Approve, r, ""); got != "" {
		t.Errorf("who approved is told %q", got)
	}
	h.ended(r.ID)
	same(t, "how often it ran", 1, len(s.runs()))
}

func TestAnApprovalThatTheRecordDoesntHaveIsNone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		forge func(*request.Request)
		says  string
	}{
		{"an approval that nobody gave", func(r *request.Request) {
			r.State, r.Reviews = request.Approved, []request.Review{{By: "hubot", User: "U2", At: noon, Digest: r.Digest()}}
		}, "no approval of this plan by hubot"},
		{"fewer approvals than it needs", func(r *request.Request) { r.State, r.Need = request.Approved, 0 }, "doesn't have the approvals"},
		{"a plan that nobody made", func(r *request.Request) {
			r.Plan = planOf(3)
			r.State, r.Reviews = request.Approved, []request.Review{{By: "hubot", User: "U2", At: noon, Digest: r.Plan.Digest()}}
		}, "doesn't have this plan"},
		{"a break glass that nobody asked for", func(r *request.Request) {
			r.State, r.Glass = request.Approved, &request.Review{By: "hubot", User: "U2", At: noon.Add(-time.Hour), Digest: r.Digest()}
		}, "had this plan run alone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, s := shelved(t, 1, 1)
			r := h.waiting()
			h.show(r)
			h.deliver(r, request.Glass)
			if _, err := h.Store.Update(t.Context(), r.ID, func(r *request.Request) (request.Change, error) {
				test.forge(r)
				return request.Change{Wake: true}, nil
			}); err != nil {
				t.Fatal(err)
			}
			r = h.ended(r.ID)
			if r.State != request.Refused || len(s.runs()) > 0 {
				t.Errorf("it ended as %s after %d runs", r.State, len(s.runs()))
			}
			says(t, r.Reason, test.says, "audit verify", "Nothing was changed")
		})
	}
}

func TestAYoungPlanIsMadeAgainBeforeAnApprovedRun(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 2)
	r := h.waiting()
	s.put(*planOf(1)) // in the same second
	h.press("U2", request.Approve, r, "")
	h.ended(r.ID)
	same(t, "what was run", []ops.Plan{*planOf(1)}, s.runs())

	r = h.waiting()
	s.put(*planOf(3))
	h.press("U2", request.Approve, r, "")
	r = h.until(r.ID, "waiting again", func(r request.Request) bool { return r.State == request.Waiting && len(r.Plan.Steps) == 3 })
	same(t, "what was run", 1, len(s.runs()))
}

func TestARunWaitsForGitHubBeforeItBegins(t *testing.T) {
	t.Parallel()
	h, s := shelved(t, 1, 1)
	r := h.waiting()
	c := h.click("U2", request.Approve, r, "")
	h.answer(c)
	h.ended(r.ID)
	r = h.waiting()
	h.show(r)
	h.gh.Fail("/orgs/*/teams/*/memberships/octocat$", githubtest.Fault{Status: 503})
	h.press("U2", request.Approve, r, "")
	r = h.until(r.ID, "held up", func(r request.Request) bool { return r.HeldUp != "" })
	says(t, r.HeldUp, "503", "Nothing was changed", "3 Mar 12:00 UTC")
	same(t, "its state", request.Approved, r.State)
	same(t, "how often it ran", 1, len(s.runs()))
	h.gh.ClearFaults()
	h.wake(r.ID)
	same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
}

// A bot that was stopped has asked no member in that time.
func TestARunThatIsHeldUpIsAskedAboutAgainAfterTheBotWasStopped(t *testing.T) {
	t.Parallel()
	g := &grace{}
	h := g.opened(t)
	r := h.offered()
	away := func(h *house) { h.gh.Fail("/orgs/", githubtest.Fault{Status: 503}) }
	away(h)
	h.forward(time.Hour)
	h.wake(r.ID)
	r = h.until(r.ID, "held up", func(r request.Request) bool { return r.HeldUp != "" })
	h.restart(func() { h.forward(30 * time.Hour) }, g.operation())
	h.wake(r.ID)
	r = h.until(r.ID, "held up anew", func(r request.Request) bool { return r.HeldSince.Equal(noon.Add(31*time.Hour)) || r.State.Ended() })
	same(t, "its state", request.Running, r.State)
	says(t, r.HeldUp, "Waiting until 4 Mar 19:00")
	h.forward(25 * time.Hour)
	h.wake(r.ID)
	same(t, "what it ends as", request.Failed, h.ended(r.ID).State)
}

func TestRestoring(t *testing.T) {
	t.Parallel()
	failed := func(h *house, g *grace) request.Request {
		g.change(func() { g.breaks = errors.New("no matches") })
		r := h.offered()
		h.forward(time.Hour)
		h.wake(r.ID)
		return h.reach(r.ID, request.Failed)
	}
	t.Run("is possible after a failure, and says what it does", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := g.opened(t)
		r := failed(h, g)
		says(t, r.Reason, "Part of it was done")
		h.press("U4", request.Undo, r, "wrong shelf")
		r = h.ended(r.ID)
		same(t, "what it ends as", request.Undone, r.State)
		same(t, "what was done", []string{"boxed", "put back"}, g.done())
		var announced, noted bool
		for _, m := range h.told(r.ID) {
			announced = announced || m.Kind == request.Restore
			noted = noted || m.Kind == request.Note && strings.Contains(m.Body.Text, "all out of the box")
		}
		if !announced || !noted {
			t.Errorf("it is announced: %v; what it does is told: %v", announced, noted)
		}
	})
	t.Run("that fails can be tried again", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := g.opened(t)
		r := failed(h, g)
		g.change(func() { g.fail = &ops.Error{Kind: ops.Unavailable, What: "No key."} })
		h.press("U4", request.Undo, r, "wrong shelf")
		r = h.ended(r.ID)
		same(t, "what it ends as", request.Failed, r.State)
		g.change(func() { g.fail = nil })
		h.press("U2", request.Undo, r, "again")
		same(t, "what it ends as then", request.Undone, h.ended(r.ID).State)
	})
	t.Run("is refused where people have acted since", func(t *testing.T) {
		t.Parallel()
		g := &grace{}
		h := g.opened(t)
		r := failed(h, g)
		g.change(func() { g.refuse = &ops.Error{Kind: ops.Refused, What: "The box is somebody else's by now."} })
		says(t, h.press("U4", request.Undo, r, "wrong shelf"), "somebody else's by now", "changed nothing")
		same(t, "the request", r, h.request(r.ID))
	})
	t.Run("is refused where a newer request has acted since", func(t *testing.T) {
		t.Parallel()
		g := &grace{lock: "box"}
		h := g.opened(t)
		r := failed(h, g)
		g.change(func() { g.breaks = nil })
		h.stand(noon)
		newer := h.offered()
		says(t, h.press("U4", request.Undo, r, "wrong shelf"), "newer request", "changed nothing")
		h.press("U4", request.Undo, newer, "wrong shelf")
		same(t, "what the newer one ends as", request.Undone, h.ended(newer.ID).State)
		h.press("U4", request.Undo, r, "wrong shelf")
		same(t, "what the older one ends as", request.Undone, h.ended(r.ID).State)
	})
	t.Run("is refused to the person whom it is about", func(t *testing.T) {
		t.Parallel()
		g := &grace{subject: "monalisa@example.org"}
		h := g.opened(t)
		r := failed(h, g)
		h.becomes("U4", team.Person{Workspaces: []string{"T1"}, Email: "Monalisa@example.org"})
		says(t, h.press("U4", request.Undo, r, "I want it back"), "about you", "another member")
		h.press("U2", request.Undo, r, "wrong shelf")
		same(t, "what it ends as", request.Undone, h.ended(r.ID).State)
	})
}

func TestABreakGlassRunsOnceItWasHeard(t *testing.T) {
	t.Parallel()
	letter := func(h *house, r request.Request, user, alarm string) {
		if err := h.Store.Record(h.t.Context(), h.Receipt(request.Message{Request: r.ID, Kind: request.Letter, Body: request.Body{For: new(by(user)), Other: alarm}}, r, store.Post{})...); err != nil {
			h.t.Fatal(err)
		}
	}
	notice := func(h *house, r request.Request, user string) { letter(h, r, user, bot.GlassAlarm(h.request(r.ID))) }
	for _, test := range []struct {
		name  string
		heard func(*house, request.Request)
		want  request.State
	}{
		{"in the log channel", func(h *house, r request.Request) { h.deliver(r, request.Glass) }, request.Succeeded},
		{"by another member, by direct message", func(h *house, r request.Request) { notice(h, r, "U4") }, request.Succeeded},
		{"not by another member, who got a letter about something else", func(h *house, r request.Request) { letter(h, r, "U4", "refused/7") }, request.Refused},
		{"by nobody but the requester and the one who presses", func(h *house, r request.Request) { notice(h, r, "U1"); notice(h, r, "U2") }, request.Refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &shelf{plan: *planOf(1)}
			h := fireHouse(t, s.operation())
			r := h.waiting()
			h.show(r)
			h.blind = true
			h.press("U2", request.BreakGlass, r, burns)
			same(t, "how often it ran unheard", 0, len(s.runs()))
			test.heard(h, h.request(r.ID))
			if test.want == request.Refused {
				h.wake(r.ID)
				same(t, "its state", request.Approved, h.request(r.ID).State)
				h.forward(11 * time.Minute)
			}
			h.wake(r.ID)
			r = h.ended(r.ID)
			if r.State != test.want || (len(s.runs()) > 0) != (test.want == request.Succeeded) {
				t.Errorf("it ended as %s after %d runs: %s", r.State, len(s.runs()), r.Reason)
			}
			if test.want == request.Refused {
				says(t, r.Reason, "Nobody but hubot could be told", "Nothing was changed")
			}
			due := slices.DeleteFunc(h.told(r.ID), func(m request.Message) bool { return m.Kind != request.GlassDue })
			if len(due) != 1 || !strings.HasSuffix(due[0].Thread, "/20260303") {
				t.Errorf("people are reminded to look at it: %+v", due)
			}
		})
	}
}

// The notice can't have been delivered while the bot was stopped.
func TestABreakGlassIsHeardAlsoAfterTheBotWasStopped(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	h := fireHouse(t, s.operation())
	r := h.waiting()
	h.show(r)
	h.blind = true
	h.press("U2", request.BreakGlass, r, burns)
	h.restart(func() { h.forward(time.Hour) }, s.operation())
	h.wake(r.ID)
	h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1"), Preview: true}).ID) // by then it has been looked at
	same(t, "its state", request.Approved, h.request(r.ID).State)
	h.deliver(r, request.Glass)
	h.wake(r.ID)
	same(t, "what it ends as", request.Succeeded, h.ended(r.ID).State)
}

// A step whose calls are refused by AWS has changed nothing.
func TestACallThatAWSRefusesIsNoChange(t *testing.T) {
	t.Parallel()
	g := &grace{}
	h := g.opened(t)
	r := h.offered()
	g.change(func() { g.denied = &ops.Error{Kind: ops.Unavailable, What: "AWS refused it."} })
	h.forward(time.Hour)
	h.wake(r.ID)
	r = h.ended(r.ID)
	if !r.FinalAt.IsZero() || !r.Acted() {
		t.Errorf("it ended as %s, with nothing left to restore: %v", r.State, r.FinalAt)
	}
	says(t, r.Reason, "AWS refused it.", "Part of it was done")
	h.press("U4", request.Undo, r, "wrong shelf")
	same(t, "what it ends as", request.Undone, h.ended(r.ID).State)
}

func TestAFormIsntSentAgainInAnotherName(t *testing.T) {
	t.Parallel()
	o := tidy(func(context.Context, ops.Run) error { return errors.New("no broom") })
	o.Form = []ops.Field{{Name: "confirmed", Label: "Sure", Agree: []string{"I am"}}}
	h := open(t, o)
	r := h.ended(h.asking(bot.Asking{Operation: o.Name, Asker: by("U1"), Inputs: ops.Inputs{"confirmed": {"yes"}}}).ID)
	_, err := h.Ask(t.Context(), bot.Asking{Again: r.ID, Asker: by("U2")})
	fault(t, err, ops.Invalid, "can't be sent again by another")
	again, err := h.Ask(t.Context(), bot.Asking{Again: r.ID, Asker: by("U2"), Inputs: ops.Inputs{"confirmed": {"yes"}}})
	if err != nil || again.Again != r.ID {
		t.Errorf("%+v, %v", again, err)
	}
}

// An earlier version of the bot kept no note of what a run had changed.
func TestARunThatAnEarlierVersionBeganCanBeRestored(t *testing.T) {
	t.Parallel()
	g := &grace{}
	h := g.opened(t)
	r := h.offered()
	if err := h.Called(t.Context(), r.For(), ops.Call{Service: "iam", Action: "AttachUserPolicy", Outcome: "done"}); err != nil {
		t.Fatal(err)
	}
	h.restart(func() {
		if _, err := h.Store.Update(t.Context(), r.ID, func(r *request.Request) (request.Change, error) {
			r.ActedAt = time.Time{}
			return request.Change{}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}, g.operation())
	r = h.until(r.ID, "open to be restored", func(r request.Request) bool { return r.Acted() })
	h.press("U4", request.Undo, r, "wrong shelf")
	same(t, "what it ends as", request.Undone, h.ended(r.ID).State)
}
