package service_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/cmd/internal/service"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/catalog"
	"github.com/aws-root-account/rootbot/ops/githubtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// turn is what happens to the world right before a step does its work, after a wait
// of hours. Its outcome is the same for every step of every operation in the catalog.
type turn struct {
	name  string
	world func(*promise)
	plan  func(*ops.Plan) error // what becomes of a plan that is made from then on
	do    error                 // what the step says instead of doing its work
	holds request.State         // where the run is held, if a change was still to be made
	says  string
}

var turns = []turn{
	{name: "nothing happens"},
	{name: "the requester leaves the team", world: func(p *promise) { p.w.GitHub.RemoveMember(worldtest.Team, "otter") }, holds: request.Failed, says: "otter"},
	{name: "an approver leaves the team", world: func(p *promise) { p.w.GitHub.RemoveMember(worldtest.Team, "badger") }, holds: request.Waiting, says: "badger"},
	{name: "the target becomes protected", holds: request.Failed, says: "It is protected.", plan: func(*ops.Plan) error {
		return &ops.Error{Kind: ops.Refused, What: "It is protected."}
	}},
	{name: "the target is renamed", holds: request.Failed, says: "There is no such thing.", plan: func(*ops.Plan) error {
		return &ops.Error{Kind: ops.Invalid, What: "There is no such thing."}
	}},
	{name: "the target is moved", holds: request.Waiting, says: "Move it from elsewhere", plan: func(p *ops.Plan) error {
		if len(p.Steps) > 0 {
			p.Steps[0].Effects = append([]string{"Move it from elsewhere"}, p.Steps[0].Effects...)
		}
		return nil
	}},
	{name: "the settings change", holds: request.Waiting, says: "Time of grace", plan: func(p *ops.Plan) error {
		p.Terms = append(slices.DeleteFunc(slices.Clone(p.Terms), func(f ops.Fact) bool { return f.Label == "Time of grace" }), ops.Fact{Label: "Time of grace", Value: "a moment"})
		return nil
	}},
	{name: "people undo it by hand", holds: request.Waiting, says: "It was put back by hand.", do: &ops.Error{Kind: ops.Lifted, What: "It was put back by hand."}},
	{name: "GitHub is away", holds: request.Running, says: "503", world: func(p *promise) {
		p.w.GitHub.Fail("/orgs/*/teams/*/memberships/", githubtest.Fault{Status: 503})
	}},
}

// promise is one run of one operation in a world of its own.
type promise struct {
	t    *testing.T
	w    *worldtest.World
	s    *service.Service
	name string

	mu      sync.Mutex
	ahead   time.Duration
	turn    turn
	at      int  // the step before which the world turns
	turned  bool // it has
	since   int64
	touched map[int]bool // steps that changed something
}

func (p *promise) now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Add(p.ahead)
}

func (p *promise) forward(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ahead += d
}

// TestMain has many worlds played beside each other: they wait more than they work.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	debug.SetGCPercent(400) // each test throws a whole world away
	os.Exit(m.Run())
}

// environment is the process's: one world at a time is opened from it.
var environment sync.Mutex

// newPromise opens a world and a desk in it, in which an operation's run meets a turn
// before its n-th step.
func newPromise(t *testing.T, name string, at int, happens turn) *promise {
	t.Helper()
	p := &promise{t: t, name: name, at: at, turn: happens, touched: map[int]bool{}}
	p.w = worldtest.New(worldtest.Options{Size: 24, Teams: 9, Grace: 24 * time.Hour, Now: p.now})
	t.Cleanup(p.w.Close)
	// AWS's clock isn't the desk's.
	p.w.AWS.Organization().SetClosing(awstest.ClosingStep{State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: 100 * time.Millisecond, State: "CLOSED"})
	config, err := service.ParseConfig("rootbot.yaml", []byte(p.w.Config()))
	if err != nil {
		t.Fatal(err)
	}
	env := p.w.Env()
	env["DATABASE_URL"] = "sqlite:" + storetest.File(t)
	environment.Lock()
	for key, value := range env {
		os.Setenv(key, value)
	}
	p.s, err = service.New(t.Context(), config, service.ReadEnvironment(func(key string) string { return env[key] }), service.Log(io.Discard, slog.LevelInfo))
	environment.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	desk := p.s.Desk
	desk.Now, desk.Team.Workspace = p.now, "T1"
	desk.Team.People = func(context.Context, string) (team.Person, error) {
		return team.Person{Workspaces: []string{"T1"}}, nil
	}
	for i, o := range desk.Operations {
		terms := desk.Terms[o.Name]
		terms.Approval.Count = max(terms.Approval.Count, o.Approval.Count, 1)
		terms.Place, terms.Expiry = "", 1000*time.Hour
		desk.Terms[o.Name] = terms
		desk.Operations[i] = p.tampered(o)
	}
	if err := desk.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		desk.Stop(ctx)
		p.s.Close()
	})
	return p
}

// tampered is an operation in whose world things happen.
func (p *promise) tampered(o ops.Operation) ops.Operation {
	look, does := o.Plan, o.Do
	o.Plan = func(ctx context.Context, r ops.Request, progress ops.Progress) (ops.Plan, error) {
		plan, err := look(ctx, r, progress)
		p.mu.Lock()
		defer p.mu.Unlock()
		if err == nil && p.turned && p.turn.plan != nil {
			if err := p.turn.plan(&plan); err != nil {
				return ops.Plan{}, err
			}
		}
		return plan, err
	}
	o.Do = map[string]func(context.Context, ops.Run) error{}
	for name, do := range does {
		o.Do[name] = func(ctx context.Context, run ops.Run) error {
			if p.s.Desk.Store != nil && p.turns(ctx, run, name) && p.turn.do != nil {
				return p.turn.do
			}
			return do(ctx, run)
		}
	}
	return o
}

// turns has the world turn when the step comes before which it shall.
func (p *promise) turns(ctx context.Context, run ops.Run, name string) bool {
	steps := run.Plan().Steps
	p.mu.Lock()
	due := !p.turned && p.at < len(steps) && steps[p.at].Do == name
	p.mu.Unlock()
	if !due {
		return false
	}
	head, err := p.s.Store.Head(ctx)
	if err != nil {
		p.t.Error(err)
	}
	if p.turn.world != nil {
		p.turn.world(p)
	}
	if p.turn.name != turns[0].name {
		p.forward(2 * time.Hour)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.turned, p.since = true, head.Seq
	return true
}

func (p *promise) request(id string) request.Request {
	p.t.Helper()
	r, err := p.s.Store.Request(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// until waits for a request, and moves the world on meanwhile: half of what the run
// waits for at a time, with every pull request merged.
func (p *promise) until(id string, ok func(request.Request) bool) request.Request {
	p.t.Helper()
	end := time.After(5 * time.Minute)
	for {
		r := p.request(id)
		if ok(r) {
			return r
		}
		if r.State == request.Running {
			for _, pull := range p.w.GitHub.Pulls(worldtest.UsersRepo) {
				if pull.State == "open" {
					p.w.GitHub.Merge(worldtest.UsersRepo, pull.Number, "stoat")
				}
			}
		}
		select {
		case <-p.s.Store.Woken():
		case <-time.After(150 * time.Millisecond):
			// Terraform takes no days to apply a merged pull request.
			if r.State == request.Running && r.HeldUp == "" && !p.w.Applying() {
				p.forward(max(13*time.Hour, r.Waits.Until.Sub(p.now())/2))
			}
			if err := p.s.Store.AnswerClick(p.t.Context(), request.Click{Request: id}, request.Change{Wake: true}); err != nil {
				p.t.Fatal(err)
			}
		case <-end:
			p.t.Fatalf("it is %s at step %d (%s%s) for 5 minutes", r.State, r.Step, r.Reason, r.HeldUp)
		}
	}
}

func (p *promise) press(user, verb string, r request.Request) {
	p.t.Helper()
	c := request.Click{Request: r.ID, Verb: verb, Digest: r.Digest(), Text: "because", Name: r.Plan.Target, Asker: request.Asker{Front: "slack", Workspace: "T1", User: user}}
	if err := p.s.Desk.Click(p.t.Context(), &c); err != nil {
		p.t.Fatal(err)
	}
	p.until(r.ID, func(request.Request) bool {
		now, err := p.s.Store.Click(p.t.Context(), c.ID)
		return err == nil && now.Done
	})
}

// run asks, has it approved by two, and returns the request once it has ended, waits
// for people or is held up.
func (p *promise) run() request.Request {
	p.t.Helper()
	o, _ := p.s.Desk.Operation(p.name)
	inputs, err := worldtest.Inputs(o)
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := p.s.Desk.Ask(p.t.Context(), bot.Asking{Operation: p.name, Inputs: inputs, Asker: request.Asker{Front: "slack", Workspace: "T1", User: p.w.Member.ID}})
	if err != nil {
		p.t.Fatal(err)
	}
	r = p.until(r.ID, func(r request.Request) bool { return r.State == request.Waiting || r.State.Ended() })
	if r.State != request.Waiting {
		p.t.Fatalf("it is %s: %s", r.State, r.Reason)
	}
	if err := p.s.Store.Record(p.t.Context(), p.s.Desk.Receipt(request.Message{Request: r.ID, Kind: request.Plan}, r, store.Post{Channel: "C1", TS: "1"})...); err != nil {
		p.t.Fatal(err)
	}
	for _, user := range []string{p.w.Second.ID, p.w.Third.ID} {
		if p.request(r.ID).State == request.Waiting {
			p.press(user, request.Approve, r)
		}
	}
	return p.until(r.ID, func(r request.Request) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return r.State.Ended() || p.turned && (r.State == request.Waiting || r.HeldUp != "")
	})
}

// changes are the changes on record, and those since the world turned.
func (p *promise) changes(id string) (all, since []string) {
	p.t.Helper()
	events, err := p.s.Store.Events(p.t.Context(), id)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind != "calling" && e.Kind != "acting" {
			continue
		}
		what := fmt.Sprint(e.Data["service"], " ", e.Data["action"], e.Data["step"])
		all = append(all, what)
		if p.turned && e.Seq > p.since {
			since = append(since, what)
		}
	}
	return all, since
}

// read is everything that people read about how a request stands.
func (p *promise) read(r request.Request) string {
	p.t.Helper()
	text := r.Reason + r.HeldUp + r.Lifted
	list, err := p.s.Store.Unsent(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, m := range list {
		if m.Request == r.ID && m.Kind == request.Note {
			text += "\n" + m.Body.Text
		}
	}
	return text
}

// TestWhatWasApprovedIsWhatHappens plays every turn before a step of every operation
// that there is, and before every step with -every. Right outcomes: no change after the turn, people asked or
// told, and, where an operation can restore, the way back.
func TestWhatWasApprovedIsWhatHappens(t *testing.T) {
	for _, settings := range catalog.All() {
		name := settings.Name()
		still := newPromise(t, name, 1<<30, turns[0])
		r := still.run()
		if r.State != request.Succeeded {
			t.Fatalf("%s, with nothing happening, ended as %s: %s", name, r.State, r.Reason)
		}
		last := still.lastChange(r)
		for _, turn := range turns {
			for _, n := range opstest.Some(t, len(r.Plan.Steps), 1) {
				at := n - 1
				t.Run(fmt.Sprintf("%s, before it is to %s, %s", name, r.Plan.Steps[at].Do, turn.name), func(t *testing.T) {
					t.Parallel()
					p := newPromise(t, name, at, turn)
					p.check(p.run(), at <= last)
				})
			}
		}
	}
}

// lastChange is the last step in which the run of a request changed something.
func (p *promise) lastChange(r request.Request) int {
	p.t.Helper()
	events, err := p.s.Store.Events(p.t.Context(), r.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	last, at := -1, 0
	for _, e := range events {
		switch e.Kind {
		case "calling", "acting":
			last = at
		case "step-ended":
			at++
		}
	}
	return last
}

// check holds what became of a run against what must: due tells that a change was
// still to be made when the world turned.
func (p *promise) check(r request.Request, due bool) {
	t := p.t
	t.Helper()
	all, since := p.changes(r.ID)
	read := p.read(r)
	lifted := p.turn.do != nil
	if p.turn.holds == "" || !due && !lifted {
		if r.State != request.Succeeded {
			t.Errorf("it ended as %s: %s", r.State, read)
		}
		return
	}
	if len(since) > 0 {
		t.Errorf("after the world had turned it made these changes: %q", since)
	}
	holds := p.turn.holds
	if len(all) == 0 && holds == request.Failed && r.State == request.Failed {
		holds = request.Failed
	}
	if r.State != holds && !(len(all) == 0 && p.turn.holds == request.Waiting && r.State == request.Failed) {
		t.Errorf("it is %s, want %s: %s", r.State, holds, read)
	}
	if !strings.Contains(read, p.turn.says) {
		t.Errorf("people read %q, which doesn't say %q", read, p.turn.says)
	}
	if r.State.Ended() && strings.Contains(r.Reason, ops.ChangedNothing.Words()) != (len(all) == 0) {
		t.Errorf("it made %d changes, and people read %q", len(all), r.Reason)
	}
	if o, _ := p.s.Desk.Operation(p.name); o.Undo != "" && r.Acted() {
		p.w.GitHub.ClearFaults()
		p.press(p.w.Third.ID, request.Undo, r)
		if r = p.until(r.ID, func(r request.Request) bool { return r.State.Ended() }); r.State != request.Undone && (p.turn.holds != request.Running || r.State != request.Succeeded) {
			// What was only held up may go on before it is restored.
			t.Errorf("restoring it ended as %s: %s", r.State, r.Reason)
		}
	}
}
