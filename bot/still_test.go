package bot_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// eleventhHour is what happens when a plan is made again before its run: after
// the approval, and after those who asked and approved were looked up once.
type eleventhHour struct {
	mu     sync.Mutex
	happen func()
}

func (e *eleventhHour) set(happen func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.happen = happen
}

// operation is o, at the planning of which that happens.
func (e *eleventhHour) operation(o ops.Operation) ops.Operation {
	look := o.Plan
	o.Plan = func(ctx context.Context, r ops.Request, p ops.Progress) (ops.Plan, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if r.Shown != nil && e.happen != nil {
			e.happen()
		}
		return look(ctx, r, p)
	}
	return o
}

// roles are those who must still be who they were when a request is run.
var roles = map[string]func(r *request.Request, them request.Review){
	"who asked": func(r *request.Request, them request.Review) { r.By, r.Asker = them.By, by(them.User) },
	"who approved": func(r *request.Request, them request.Review) {
		r.Reviews = []request.Review{{By: "hubot", User: "U2"}, them}
	},
	"who had it run alone": func(r *request.Request, them request.Review) { r.Glass = &them },
	"who approved what somebody else had run alone": func(r *request.Request, them request.Review) {
		r.Reviews, r.Glass = []request.Review{them}, &request.Review{By: "hubot", User: "U2"}
	},
}

func TestWhoAskedAndWhoApprovedMustStillBeWhoTheyWere(t *testing.T) {
	t.Parallel()
	unlink := func(h *house) {
		if _, err := h.Unlink(h.t.Context(), by("U7")); err != nil {
			h.t.Error(err)
		}
	}
	for _, test := range []struct {
		name   string
		change func(*house) // U7 is owl, and only the link says so
		kind   ops.Kind     // Internal: it is run
		says   string
	}{
		{name: "nothing has changed", change: func(*house) {}},
		{name: "their login has another case by now", change: func(h *house) { h.gh.RenameUser("owl", "OWL") }},
		{"they have left the team", func(h *house) { h.gh.RemoveMember(admins, "owl") }, ops.Refused, "is not a member of the team"},
		{"they are only invited by now", func(h *house) { h.gh.AddPending(admins, "owl") }, ops.Refused, "pending"},
		{"their account in the chat is deactivated", func(h *house) {
			h.becomes("U7", team.Person{Workspaces: []string{"T1"}, Deleted: true})
		}, ops.Refused, "deactivated"},
		{"they are a guest by now", func(h *house) { h.becomes("U7", team.Person{Workspaces: []string{"T1"}, Guest: true}) }, ops.Refused, "is a guest in"},
		{"they have left the workspace", func(h *house) { h.becomes("U7", team.Person{Workspaces: []string{"T2"}}) }, ops.Refused, "not of the workspace"},
		{"the chat says nothing of them", func(h *house) { h.becomes("U7", team.Person{}) }, ops.Unavailable, "isn't shown by Slack"},
		{"they have another login", func(h *house) { h.gh.RenameUser("owl", "barn-owl") }, ops.Refused, "was owl on GitHub then and is barn-owl now"},
		{"they have another login, and somebody else has theirs", func(h *house) {
			h.gh.RenameUser("owl", "barn-owl")
			h.gh.AddMember(admins, "owl")
		}, ops.Refused, "was owl on GitHub then and is barn-owl now"},
		{"they have unlinked their account", unlink, ops.Refused, "isn't known on GitHub any more"},
		{"they have linked another account", func(h *house) {
			h.gh.AddMember(admins, "crow")
			unlink(h)
			h.links("U7", "crow")
		}, ops.Refused, "was owl on GitHub then and is crow now"},
		{"somebody else has linked their account", func(h *house) {
			unlink(h)
			h.links("U8", "owl")
		}, ops.Refused, "isn't known on GitHub any more"},
		{"they have proved their account anew, and nobody has confirmed it", func(h *house) {
			unlink(h)
			h.announced(h.proves("U7", "owl"))
		}, ops.Refused, "has a link to GitHub that no other member has confirmed"},
		{"the settings give them another login", func(h *house) { h.Team.Identities["U7"] = "monalisa" }, ops.Refused, "was owl on GitHub then and is monalisa now"},
		{"the settings give their login to somebody else", func(h *house) { h.Team.Identities["U8"] = "owl" }, ops.Refused, "give to somebody else"},
		{"GitHub doesn't show their account", func(h *house) { h.gh.Fail("/user", githubtest.Fault{Status: 502}) }, ops.Unavailable, "502"},
		{"GitHub doesn't show their membership", func(h *house) {
			h.gh.Fail("/orgs/*/teams/*/memberships/owl", githubtest.Fault{Status: 502})
		}, ops.Unavailable, "502"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := idle(t)
			h.BreakGlass = []string{"Owl", "hubot"}
			h.gh.AddMember(admins, "owl")
			h.links("U7", "owl")
			requests := map[string]request.Request{}
			for role, plays := range roles {
				r := in(request.Approved)
				plays(&r, request.Review{By: "owl", User: "U7"})
				requests[role] = r
				if err := h.Still(t.Context(), r); err != nil {
					t.Fatalf("%s, before it: %v", role, err)
				}
			}
			test.change(h)
			for role, r := range requests {
				err := h.Still(t.Context(), r)
				if test.kind == ops.Internal {
					if err != nil {
						t.Errorf("%s: %v", role, err)
					}
					continue
				}
				fault(t, err, test.kind, test.says)
				if !strings.Contains(test.says, " now") {
					fault(t, err, test.kind, "er owl ")
				}
				if words := ops.Words(err, ""); strings.Contains(strings.ToLower(words), "you") { // others read it
					t.Errorf("%s reads: %s", role, words)
				}
			}
		})
	}
	t.Run("who asked at a terminal has their token's login for good", func(t *testing.T) {
		t.Parallel()
		h := idle(t)
		r := in(request.Approved)
		r.Asker = request.Asker{Front: "terminal", Login: "octocat"}
		if err := h.Still(t.Context(), r); err != nil {
			t.Error(err)
		}
		h.gh.RemoveMember(admins, "octocat")
		fault(t, h.Still(t.Context(), r), ops.Refused, "not a member")
	})
}

func TestWhoAsksFromAPlaceIsTakenForNobodyOnlyIfTheyAre(t *testing.T) {
	t.Parallel()
	h := idle(t)
	terms := demands(1)
	terms.Place, terms.Requesters = "#tidy", request.ByPlace
	h.Terms = map[string]request.Terms{"tidy-up": terms}
	h.Present = func(context.Context, string, string) error { return nil }
	h.links("U7", "owl")
	for user, want := range map[string]string{"U7": "owl", "U8": "slack.U8", "U1": "octocat"} {
		if login, err := h.MayAsk(t.Context(), "tidy-up", by(user)); login != want || err != nil {
			t.Errorf("%s is %q, %v; want %s", user, login, err, want)
		}
	}
	r := in(request.Approved)
	r.By, r.Asker = "owl", by("U7")
	r.By, r.Asker = request.UnknownLogin+"U8", by("U8")
	h.gh.AddMember(admins, "crow")
	h.links("U8", "crow")
	if err := h.Still(t.Context(), r); err != nil {
		t.Errorf("who has proved their account since they asked: %v", err)
	}
	r.Reviews = []request.Review{{By: "crow", User: "U9"}}
	fault(t, h.Still(t.Context(), r), ops.Refused, "was slack.U8 on GitHub then and is crow now")
	r.Reviews, r.By, r.Asker = nil, "owl", by("U7")
	h.gh.Fail("/user", githubtest.Fault{Status: 502, Times: 6})
	login, err := h.MayAsk(t.Context(), "tidy-up", by("U7"))
	fault(t, err, ops.Unavailable, "502")
	if login != "" {
		t.Errorf("they are %q", login)
	}
	fault(t, h.Still(t.Context(), r), ops.Unavailable, "502")
	if err := h.Still(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestARunIsStoppedBeforeItBeginsIfWhoIsBehindItMayNotAnyMore(t *testing.T) {
	t.Parallel()
	var hour eleventhHour
	s := &shelf{plan: *planOf(1)}
	h := build(t)
	h.stand(noon)
	h.terms = map[string]request.Terms{"tidy-up": demands(1)}
	h.settle = func(d *bot.Desk) { d.BreakGlass = []string{"owl-2", "owl-3"} }
	h.begin(hour.operation(s.operation()))
	for i, test := range []struct{ name, asker, presser, verb, text string }{
		{"who asked", "U70", "U2", request.Approve, ""},
		{"who approved", "U1", "U71", request.Approve, ""},
		{"who had it run alone", "U1", "U72", request.BreakGlass, "The roof burns."},
		{"who asked for it and had it run alone", "U73", "U73", request.BreakGlass, "The roof burns."},
	} {
		t.Run(test.name, func(t *testing.T) {
			login := fmt.Sprintf("owl-%d", i)
			h.gh.AddMember(admins, login)
			h.links(fmt.Sprintf("U7%d", i), login)
			hour.set(func() { h.gh.RemoveMember(admins, login) })
			r := h.reach(h.asking(bot.Asking{Operation: "tidy-up", Asker: by(test.asker)}).ID, request.Waiting)
			h.forward(2 * time.Minute) // it is planned again
			if got := h.press(test.presser, test.verb, r, test.text); got != "" {
				t.Errorf("who pressed is told %q", got)
			}
			r = h.ended(r.ID)
			if r.State != request.Refused || len(s.runs()) > 0 || !r.StartedAt.IsZero() {
				t.Errorf("it ended as %s after %d runs", r.State, len(s.runs()))
			}
			says(t, r.Reason, login+" is not a member", "Nothing was changed")
			if e := h.last(r.ID, "refused"); e.By != r.By || e.Data["reason"] != r.Reason {
				t.Errorf("the record: %+v", e)
			}
		})
	}
}

func TestOnePersonCountsOnceWhateverTheirLogin(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	h := build(t)
	h.stand(noon)
	h.terms = map[string]request.Terms{"tidy-up": demands(2)}
	h.begin(s.operation())
	h.gh.AddMember(admins, "owl")
	h.links("U7", "owl")

	// An approver who is renamed.
	r := h.waiting()
	h.press("U7", request.Approve, r, "")
	h.gh.RenameUser("owl", "barn-owl")
	says(t, h.press("U7", request.Approve, r, ""), "one person counts once")
	same(t, "the approvals", 1, len(h.request(r.ID).Reviews))
	h.press("U1", request.Withdraw, r, "")

	// An asker who is renamed.
	r = h.reach(h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U7")}).ID, request.Waiting)
	same(t, "who asked", "barn-owl", r.By)
	h.gh.RenameUser("barn-owl", "snowy-owl")
	says(t, h.press("U7", request.Approve, r, ""), "You asked for this")
	if got := h.press("U7", request.Withdraw, r, ""); got != "" {
		t.Errorf("who asked and withdraws is told %q", got)
	}
	h.reach(r.ID, request.Withdrawn)

	// An account that goes from one place in the chat to another.
	r = h.waiting()
	h.press("U7", request.Approve, r, "")
	if _, err := h.Unlink(t.Context(), by("U7")); err != nil {
		t.Fatal(err)
	}
	h.links("U8", "snowy-owl")
	says(t, h.press("U8", request.Approve, r, ""), "one person counts once")
	h.gh.RenameUser("snowy-owl", "owl")
	says(t, h.press("U8", request.Approve, r, ""), "one person counts once")
	if r = h.request(r.ID); r.State != request.Waiting || len(s.runs()) > 0 {
		t.Errorf("approved by one person from two places and under two logins it is %s", r.State)
	}
}
