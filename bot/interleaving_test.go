package bot_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// actions are what random interleavings are made of: what people, GitHub, AWS,
// time and power cuts do, and "go on", with which the desk does its next thing.
var actions = []string{"approve", "approve", "approve", "approve stale", "reject", "withdraw", "undo", "expire", "break glass", "restart", "lose", "regain", "change", "later", "go on", "go on", "go on"}

// people are the logins by account; the first asks.
var people = []struct{ user, login string }{{"U1", "octocat"}, {"U6", "OctoCat"}, {"U2", "hubot"}, {"U5", "HUBOT"}, {"U4", "monalisa"}}

// worlds are the plans that may be the right one at a time.
func worlds() []*ops.Plan {
	care := planOf(2)
	care.Summary = "tidy up, with care"
	return []*ops.Plan{planOf(1), planOf(2), planOf(3), care, needing(2, "It is a lot."), planOf(0)}
}

// play is a request's life as the desk would lead it, with what is known
// besides about who approved what.
type play struct {
	t       *rapid.T
	r       request.Request
	now     time.Time
	terms   request.Terms
	world   *ops.Plan
	members map[string]bool

	shown *ops.Plan       // that people saw last
	valid map[string]bool // who approved it, in lower case
	alone string          // who had it run alone, in lower case; empty: nobody
	runs  int             // since a plan was shown
	click int64
}

// happen makes a thing happen and checks what always holds.
func (p *play) happen(h bot.Happening) bool {
	p.now = p.now.Add(time.Second)
	before := p.r
	next, change, err := bot.After(before, h, p.now)
	if err != nil {
		if _, ok := errors.AsType[*request.NotNowError](err); !ok {
			p.t.Fatalf("%s of a request that is %s: %v", h.Kind, before.State, err)
		}
		if diff := difference(before, next); diff != "" || change.Done != 0 || len(change.Messages)+len(change.Events) > 0 {
			p.t.Fatalf("%s can't happen, and yet:\n%s%+v", h.Kind, diff, change)
		}
		return false
	}
	told := kindsOf(change.Messages)
	switch {
	case before.State.Ended() && !(h.Kind == "undo" && before.Acted() && next.State == request.Undoing):
		p.t.Fatalf("%s happened to a request that had ended as %s", h.Kind, before.State)
	case h.Click != 0 && (change.Done != h.Click || !change.Wake || len(told) == 0):
		p.t.Fatalf("the click to make it %s is answered with %v", h.Kind, told)
	case next.State == request.Running && next.Step >= len(next.Plan.Steps):
		p.t.Fatalf("it runs step %d of %d", next.Step, len(next.Plan.Steps))
	}
	if slices.Contains(told, request.Plan) {
		p.shown, p.valid, p.alone, p.runs = next.Plan, map[string]bool{}, "", 0
	}
	p.r = next
	return true
}

func (p *play) review(i int) request.Review {
	who := people[i]
	return request.Review{By: who.login, User: who.user, Digest: p.r.Plan.Digest(), Reason: "because"}
}

// goOn does what the desk would do next.
func (p *play) goOn() {
	need, _ := p.terms.Need(*p.world)
	switch p.r.State {
	case request.Asked:
		p.happen(bot.Happening{Kind: "admitted", Login: "octocat", Held: "tidy"})
	case request.Planning:
		p.happen(bot.Happening{Kind: "planned", Plan: p.world, Terms: p.terms})
	case request.Waiting:
		if !p.now.Before(p.r.ExpiresAt) {
			p.happen(bot.Happening{Kind: "expired"})
		} else if !p.r.RemindAt.IsZero() && !p.now.Before(p.r.RemindAt) {
			p.happen(bot.Happening{Kind: "reminded", Terms: p.terms})
		}
	case request.Approved:
		may := p.members["octocat"]
		for _, review := range p.r.Reviews {
			may = may && p.members[strings.ToLower(review.By)]
		}
		if p.r.Glass != nil {
			may = may && p.members[strings.ToLower(p.r.Glass.By)]
		}
		switch {
		case !may:
			p.happen(bot.Happening{Kind: "refused", Login: "octocat", Reason: "Not any more.", Fault: ops.Refused})
		case p.now.Sub(p.r.PlannedAt) <= time.Minute:
			p.start()
		case len(p.world.Beyond(*p.r.Plan)) > 0 || len(p.world.Steps) > 0 && need > p.r.Need-p.r.Missing():
			p.happen(bot.Happening{Kind: "stale", Plan: p.world, Terms: p.terms})
		default:
			p.happen(bot.Happening{Kind: "replanned", Plan: p.world})
		}
	case request.Running:
		switch {
		case !p.r.StepBegun.IsZero():
			p.happen(bot.Happening{Kind: "step-ended"})
		case p.now.Sub(p.r.PlannedAt) <= time.Minute:
			if p.happen(bot.Happening{Kind: "step-begun"}) && p.r.ActedAt.IsZero() {
				p.r.ActedAt = p.now // it makes its first call
			}
		case len(p.world.Beyond(*p.r.Plan)) > 0:
			p.happen(bot.Happening{Kind: "stale", Plan: p.world, Terms: p.terms})
		default:
			p.happen(bot.Happening{Kind: "replanned", Plan: p.world})
		}
	case request.Undoing:
		p.happen(bot.Happening{Kind: "undone"})
	}
}

func (p *play) start() {
	if !p.happen(bot.Happening{Kind: "started"}) {
		p.t.Fatalf("a request that is %s can't be started", p.r.State)
	}
	if p.runs++; p.runs > 1 {
		p.t.Fatal("it runs twice")
	}
	need, _ := p.terms.Need(*p.shown)
	more, _ := p.terms.Need(*p.r.Plan)
	if n := len(p.valid); p.alone == "" && (n < need || n < more) {
		p.t.Fatalf("it runs with the approvals of %v; the plan that was shown needs %d, the one that runs %d", p.valid, need, more)
	}
	if beyond := p.r.Plan.Beyond(*p.shown); len(beyond) > 0 {
		p.t.Fatalf("it runs with %q, which nobody was shown", beyond)
	}
	if p.alone != "" && !p.members[p.alone] {
		p.t.Fatalf("%s, who isn't a member, has it run alone", p.alone)
	}
	for login := range p.valid {
		if !p.members[login] {
			p.t.Fatalf("it runs with the approval of %s, who isn't a member", login)
		}
	}
}

// approve presses Approve, with the digest of the plan as it is or of another.
func (p *play) approve(i int, digest string) {
	review, was := p.review(i), p.r
	review.Digest = digest
	login := strings.ToLower(review.By)
	if !p.members[login] {
		return // the desk refuses it before
	}
	counts := was.State == request.Waiting && login != "octocat" && !p.valid[login] && digest == p.shown.Digest() && p.now.Add(time.Second).Before(was.ExpiresAt)
	if got := p.happen(bot.Happening{Kind: "approved", Review: review, Click: p.click}); got != counts {
		p.t.Fatalf("the approval of %s counts: %v, want %v; the request is %s", review.By, got, counts, was.State)
	}
	if counts {
		p.valid[login] = true
	}
}

func (p *play) do(action string) {
	p.click++
	i := rapid.IntRange(0, len(people)-1).Draw(p.t, "who")
	login := strings.ToLower(people[i].login)
	switch action {
	case "go on":
		p.goOn()
	case "restart":
		// What isn't stored is lost.
		body, err := json.Marshal(p.r)
		if err != nil {
			p.t.Fatal(err)
		}
		again := request.Request{
			ID: p.r.ID, Operation: p.r.Operation, State: p.r.State, Version: p.r.Version, Card: p.r.Card, Held: p.r.Held, Plan: p.r.Plan, At: p.r.At, EndedAt: p.r.EndedAt,
		}
		if err := json.Unmarshal(body, &again); err != nil {
			p.t.Fatal(err)
		}
		p.r = again
	case "lose", "regain":
		p.members[login] = action == "regain"
	case "change":
		p.world = rapid.SampledFrom(worlds()).Draw(p.t, "world")
	case "later":
		p.now = p.now.Add(2 * time.Minute)
	case "expire":
		p.now = p.now.Add(73 * time.Hour)
	}
	if p.r.Plan == nil {
		return // there are no buttons yet
	}
	switch action {
	case "approve":
		p.approve(i, p.r.Plan.Digest())
	case "approve stale":
		p.approve(i, rapid.SampledFrom(worlds()).Draw(p.t, "plan").Digest())
	case "break glass":
		if was := p.r; p.members[login] && p.happen(bot.Happening{Kind: "break-glass", Review: p.review(i), Click: p.click}) {
			if was.State != request.Waiting || !p.now.Before(was.ExpiresAt) {
				p.t.Fatalf("what is %s is run alone", was.State)
			}
			p.alone = login
		}
	case "reject", "withdraw", "undo":
		if !p.members[login] {
			return
		}
		kind := map[string]string{"reject": "rejected", "withdraw": "withdrawn", "undo": "undo"}[action]
		p.happen(bot.Happening{Kind: kind, Review: p.review(i), Click: p.click})
	}
}

func TestThousandInterleavingsOfALife(t *testing.T) {
	ends := map[request.State]int{}
	rapid.Check(t, func(t *rapid.T) {
		p := &play{
			t: t, r: in(request.Asked), now: noon, terms: demands(rapid.IntRange(0, 2).Draw(t, "need")), world: planOf(1),
			members: map[string]bool{"octocat": true, "hubot": true, "monalisa": true},
		}
		// Most interleavings shall be past the planning before people come.
		for range rapid.IntRange(0, 2).Draw(t, "head start") {
			p.goOn()
		}
		for _, action := range rapid.SliceOfN(rapid.SampledFrom(actions), 5, 30).Draw(t, "actions") {
			p.do(action)
		}
		if p.r.State == request.Undoing {
			p.goOn() // few interleavings come so far
		}
		ends[p.r.State]++
	})
	for _, want := range []request.State{request.Succeeded, request.Refused, request.Withdrawn, request.Expired, request.Undone} {
		if ends[want] == 0 && !t.Failed() {
			t.Errorf("of all interleavings none ended as %s: %s", want, fmt.Sprint(ends))
		}
	}
}

// difference is what differs; cmp alone is slow where nearly nothing ever does.
func difference(want, got request.Request) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}
