package bot_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestTheDoor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		asker request.Asker
		world func(*githubtest.Server)
		says  []string
		by    string
	}{
		{name: "a stranger", asker: by("U99"), says: []string{"don't know which GitHub login", admins, "Nothing was changed"}, by: "slack:T1/U99"},
		{name: "a person of another workspace", asker: request.Asker{Front: "slack", Workspace: "T2", User: "U1"}, says: []string{"not of the workspace", "Nothing was changed"}, by: "slack:T2/U1"},
		{name: "nobody in particular", asker: request.Asker{Front: "slack", Workspace: "T1"}, says: []string{"not of the workspace"}, by: "slack:T1"},
		{name: "somebody who isn't in the team", asker: by("U3"), says: []string{"mallory", "not a member", admins, "Nothing was changed"}, by: "mallory"},
		{name: "somebody at a terminal who isn't in the team", asker: request.Asker{Front: "terminal", Login: "mallory"}, says: []string{"mallory", "not a member"}, by: "mallory"},
		{name: "somebody whom GitHub's trouble hides", asker: by("U1"), world: func(gh *githubtest.Server) { gh.Fail("", githubtest.Fault{Status: 503}) }, says: []string{"can't check", "503", "Nothing was changed"}, by: "octocat"},
		{name: "a GitHub that can't be reached", asker: by("U1"), world: func(gh *githubtest.Server) { gh.Close() }, says: []string{"could not be reached", "Nothing was changed"}, by: "octocat"},
	} {
		t.Run(test.name+" is turned away", func(t *testing.T) {
			t.Parallel()
			operation := tidy(nothing)
			looked := false
			operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
				looked = true
				return *planOf(1), nil
			}
			h := open(t, operation)
			if test.world != nil {
				test.world(h.gh)
			}
			r := h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: test.asker}).ID)
			if r.State != request.Refused || looked {
				t.Errorf("it ended as %s; the world was looked at: %v", r.State, looked)
			}
			for _, words := range test.says {
				if !strings.Contains(r.Reason, words) {
					t.Errorf("the reason %q doesn't say %q", r.Reason, words)
				}
			}
			told := h.told(r.ID)
			same(t, "what is told", []string{request.Private}, kindsOf(told))
			same(t, "the words", r.Reason, told[0].Body.Text)
			list, err := h.Store.Events(t.Context(), r.ID)
			if err != nil {
				t.Fatal(err)
			}
			if len(list) != 2 || list[1].Kind != "refused" || list[1].Data["reason"] != r.Reason || test.by != "" && list[1].By != test.by {
				t.Errorf("the record: %+v; want a refusal of %s with its reason", list, test.by)
			}
		})
	}
	t.Run("a member at a terminal is let in", func(t *testing.T) {
		t.Parallel()
		h := open(t, tidy(nothing))
		r := h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: request.Asker{Front: "terminal", Login: "hubot"}}).ID)
		if r.State != request.Succeeded || r.By != "hubot" {
			t.Errorf("it ended as %s by %q: %s", r.State, r.By, r.Reason)
		}
	})
}

func TestWhoMayNotAnyMoreIsStoppedBeforeTheRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		world func(*house)
		says  string
	}{
		{"who left the team", func(h *house) { h.gh.RemoveMember(admins, "octocat") }, "not a member"},
		{"who is another login by now", func(h *house) { h.Team.Identities["U1"] = "hubot" }, ""},
		{"who is no login any more", func(h *house) { delete(h.Team.Identities, "U1") }, "isn't known on GitHub any more"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ran := false
			operation := tidy(func(context.Context, ops.Run) error { ran = true; return nil })
			var h *house
			operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
				test.world(h)
				return *planOf(1), nil
			}
			h = open(t, operation)
			r := h.ended(h.ask().ID)
			if r.State != request.Refused || ran || r.By != "octocat" || !strings.Contains(r.Reason, test.says) {
				t.Errorf("it ended as %s by %q (%s); a step was called: %v", r.State, r.By, r.Reason, ran)
			}
			same(t, "events", []string{"asked", "admitted", "planned", "refused"}, h.events(r.ID))
			told := kindsOf(h.told(r.ID))
			if len(told) < 3 {
				t.Fatalf("told: %v", told)
			}
			same(t, "what is told in the end", []string{request.Card, request.Result}, told[len(told)-2:])
		})
	}
}

func TestASecondAskerIsPointedToTheFirst(t *testing.T) {
	t.Parallel()
	goOn := make(chan bool)
	operation := tidy(func(context.Context, ops.Run) error { <-goOn; return nil })
	var locked sync.Map
	operation.Lock = func(r ops.Request) string { locked.Store(r.By, true); return "shelf" }
	h := open(t, operation)
	first := h.ask()
	h.until(first.ID, "running", func(r request.Request) bool { return r.State == request.Running })
	second := h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U2")}).ID)
	if second.State != request.Refused || second.By != "hubot" || !strings.Contains(second.Reason, "octocat") || !strings.Contains(second.Reason, "Your request was not started") {
		t.Errorf("the second ended as %s by %s: %q", second.State, second.By, second.Reason)
	}
	same(t, "what the second is told", []request.Message{{Thread: "pointer/" + second.ID, Request: second.ID, Kind: request.Pointer, Body: request.Body{Text: second.Reason, Other: first.ID}}},
		withoutStamps(h.told(second.ID)))
	list, err := h.Store.Events(t.Context(), second.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "the record's pointer", any(first.ID), list[len(list)-1].Data["instead"])

	// A stranger learns nothing about who is at work.
	stranger := h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U3")}).ID)
	if strings.Contains(stranger.Reason, "octocat") {
		t.Errorf("a stranger is told %q", stranger.Reason)
	}
	close(goOn)
	if r := h.ended(first.ID); r.State != request.Succeeded {
		t.Errorf("the first ended as %s", r.State)
	}
	if r := h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U2")}).ID); r.State != request.Succeeded {
		t.Errorf("once the first had ended, the second ended as %s: %s", r.State, r.Reason)
	}
	if _, blank := locked.Load(""); blank {
		t.Error("the card's Lock was given a request that is by nobody")
	}
}

func withoutStamps(list []request.Message) []request.Message {
	for i := range list {
		list[i].ID, list[i].At, list[i].Due, list[i].Tries = 0, time.Time{}, time.Time{}, 0
	}
	return list
}

func TestACardWhoseLockPanicsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	operation := tidy(nothing)
	operation.Lock = func(ops.Request) string { panic("secret") }
	h := open(t, operation)
	h.patience = 6 * time.Second
	if r := h.ended(h.ask().ID); r.State == request.Succeeded || strings.Contains(r.Reason, "secret") {
		t.Errorf("it ended as %s: %s", r.State, r.Reason)
	}
}

func TestAskingAgain(t *testing.T) {
	t.Parallel()
	operation := tidy(func(context.Context, ops.Run) error { return &ops.Error{Kind: ops.Unavailable, What: "AWS is away."} })
	h := open(t, operation)
	first := h.ended(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1"), Inputs: ops.Inputs{"people": {"a", "b"}}}).ID)
	again := h.asking(bot.Asking{Again: first.ID, Asker: by("U2")})
	r := h.ended(again.ID)
	if r.ID == first.ID || r.Again != first.ID || r.By != "hubot" || r.Operation != "tidy-up" || r.Preview {
		t.Errorf("again is %+v", r)
	}
	same(t, "its inputs", first.Inputs, r.Inputs)
	same(t, "the first", first, h.request(first.ID))
	stranger := h.ended(h.asking(bot.Asking{Again: first.ID, Asker: by("U3")}).ID)
	if stranger.State != request.Refused {
		t.Errorf("a stranger's again ended as %s", stranger.State)
	}
}
