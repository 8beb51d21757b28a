package bot_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// deed is one thing that one person does to one request, or that happens to all.
type deed struct {
	Action string
	Who    int // of people
	On     int // the request
	World  int // of worlds
}

var deeds = rapid.Custom(func(t *rapid.T) deed {
	return deed{
		Action: rapid.SampledFrom(actions).Draw(t, "action"),
		Who:    rapid.IntRange(0, len(people)-1).Draw(t, "who"),
		On:     rapid.IntRange(0, 3).Draw(t, "on"),
		World:  rapid.IntRange(0, len(worlds())-1).Draw(t, "world"),
	}
})

// frenzy is a house in which much goes on at the same time, and what is known of it.
type frenzy struct {
	*house
	mu     sync.Mutex
	world  ops.Plan
	ran    map[string][]ops.Plan // the plans that a first step was called with, by request
	clicks []request.Click
}

func (f *frenzy) operation() ops.Operation {
	o := tidy(func(_ context.Context, run ops.Run) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ran[run.Request().ID] = append(f.ran[run.Request().ID], run.Plan())
		return nil
	})
	o.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.world, nil
	}
	return o
}

// do does a deed; clicks are made by somebody else meanwhile.
func (f *frenzy) do(d deed, r request.Request, beside *sync.WaitGroup) {
	verbs := map[string]string{"approve": request.Approve, "approve stale": request.Approve, "reject": request.Reject, "withdraw": request.Withdraw, "undo": request.Undo}
	if verb := verbs[d.Action]; verb != "" {
		r = f.request(r.ID)
		c := request.Click{Request: r.ID, Verb: verb, Asker: by(people[d.Who].user), Text: "because"}
		if d.Action == "approve stale" {
			c.Digest = worlds()[d.World].Digest()
		} else if r.Plan != nil {
			c.Digest = r.Plan.Digest()
		}
		beside.Go(func() {
			c = f.clicked(c)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.clicks = append(f.clicks, c)
		})
		return
	}
	beside.Wait()
	switch d.Action {
	case "lose":
		f.gh.RemoveMember(admins, people[d.Who].login)
	case "regain":
		f.gh.AddMember(admins, strings.ToLower(people[d.Who].login))
	case "change":
		f.mu.Lock()
		f.world = *worlds()[d.World]
		f.mu.Unlock()
	case "later":
		f.forward(2 * time.Minute)
	case "expire":
		f.forward(73 * time.Hour)
		f.wake(r.ID)
	case "restart":
		f.end()
		f.begin(f.operation())
	default:
		f.wake(r.ID)
	}
}

func TestWhateverHappensAtOnceTheDeskKeepsItsPromises(t *testing.T) {
	t.Parallel()
	for _, seed := range opstest.Some(t, 40, 5) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			f := &frenzy{house: build(t), world: *planOf(1), ran: map[string][]ops.Plan{}}
			f.stand(noon)
			need := seed % 3
			f.terms = map[string]request.Terms{"tidy-up": demands(need)}
			f.begin(f.operation())
			var asked []request.Request
			for range 4 {
				asked = append(asked, f.ask())
			}
			var beside sync.WaitGroup
			for _, d := range rapid.SliceOfN(deeds, 20, 30).Example(seed) {
				f.do(d, asked[d.On], &beside)
			}
			beside.Wait()
			// In the end all is as it was, and time is up for what still waits.
			for _, c := range f.clicks {
				f.answer(c)
			}
			for _, p := range people {
				f.gh.AddMember(admins, strings.ToLower(p.login))
			}
			f.forward(74 * time.Hour)
			for _, r := range asked {
				f.wake(r.ID)
			}
			for _, r := range asked {
				f.judge(f.settle(r.ID), need)
			}
		})
	}
}

// settle waits until a request has ended; one whose plan was made anew by the
// way waits for people again.
func (f *frenzy) settle(id string) request.Request {
	f.t.Helper()
	r := f.until(id, "ended or waiting", func(r request.Request) bool {
		return r.State.Ended() || r.State == request.Waiting && f.now().Before(r.ExpiresAt)
	})
	if !r.State.Ended() {
		return f.request(f.answered(f.click("U1", request.Withdraw, r, "")).Request)
	}
	return r
}

func (f *frenzy) answered(c request.Click) request.Click {
	f.t.Helper()
	f.answer(c)
	return c
}

// judge reads the record of a request that has ended.
func (f *frenzy) judge(r request.Request, need int) {
	t := f.t
	t.Helper()
	list, err := f.Store.Events(t.Context(), r.ID)
	if err != nil {
		t.Fatal(err)
	}
	approved, starts, ended, demanded := map[string]bool{}, 0, false, need
	digest := ""
	for _, e := range list {
		if ended && e.Kind != "too-late" && e.Kind != "refused" {
			t.Errorf("%s happened to a request that had ended; events: %v", e.Kind, f.events(r.ID))
		}
		_, ended = e.Data["state"].(string)
		ended = ended && (e.Data["tried"] == nil || request.State(e.Data["state"].(string)).Ended())
		switch e.Kind {
		case "planned", "stale":
			digest, approved, starts = e.Data["digest"].(string), map[string]bool{}, 0
			plan := e.Data["plan"].(map[string]any)
			demanded = need
			if rule, ok := plan["approval"].(map[string]any); ok {
				demanded = max(demanded, int(rule["Count"].(float64)))
			}
		case "approved":
			login := strings.ToLower(e.By)
			if login == "octocat" || approved[login] || e.Data["digest"] != digest {
				t.Errorf("the approval of %s counted; before: %v", e.By, approved)
			}
			approved[login] = true
		case "started":
			if starts++; starts > 1 || len(approved) < demanded {
				t.Errorf("run %d of a plan with the approvals of %v, want %d", starts, approved, demanded)
			}
		}
	}
	f.mu.Lock()
	calls := len(f.ran[r.ID])
	f.mu.Unlock()
	begun := 0
	for _, kind := range f.events(r.ID) {
		if kind == "step-begun" {
			begun++
		}
	}
	if calls != begun {
		t.Errorf("steps were called %d times and begun %d times; events: %v", calls, begun, f.events(r.ID))
	}
	if !slices.Contains(states, r.State) || !r.State.Ended() {
		t.Errorf("in the end it is %s", r.State)
	}
}
