package bot_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
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
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const admins = "aws-root-account-admin-team"

var quiet = slog.New(slog.DiscardHandler)

// These tests wait more than they work, so many may run beside each other.
func TestMain(m *testing.M) {
	flag.Parse()
	flag.Set("test.parallel", "8")
	debug.SetGCPercent(400) // each test throws a whole world away
	flag.Set("rapid.checks", "1000")
	if testing.Short() {
		flag.Set("rapid.checks", "5000") // of which a fifth is played
	}
	flag.Set("rapid.nofailfile", "true")
	os.Exit(storetest.Everywhere(m))
}

// house is a desk with a real database and a GitHub: octocat (U1 and, in another
// case, U6), hubot (U2 and U5) and monalisa (U4) may, mallory (U3) has a login
// and may not.
type house struct {
	*bot.Desk
	t       *testing.T
	gh      *githubtest.Server
	address string
	terms   map[string]request.Terms // of the next desk

	patience time.Duration   // how long until waits
	blind    bool            // nothing that the desk tells reaches anybody
	settle   func(*bot.Desk) // changes the next desk before it begins; nil: nothing

	mu     sync.Mutex
	people map[string]team.Person // of whom the chat says otherwise than of most
	at     time.Time              // what the desk's clock shows; zero: it runs
	add    time.Duration          // what the desk's clock is ahead
}

func open(t *testing.T, operations ...ops.Operation) *house {
	t.Helper()
	h := build(t)
	h.begin(operations...)
	return h
}

// build makes a house in which no desk has begun yet.
func build(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, patience: 20 * time.Second, address: storetest.Address(t)}
	h.gh = githubtest.New(githubtest.Options{DeviceInterval: time.Second})
	t.Cleanup(h.gh.Close)
	h.gh.AddTeam(admins)
	h.gh.AddMember(admins, "octocat")
	h.gh.AddMember(admins, "hubot")
	h.gh.AddMember(admins, "monalisa")
	h.gh.AddToOrganization("mallory")
	h.gh.AddToken("ghp_reader", "reader")
	return h
}

// begin opens the database and starts a desk on it.
func (h *house) begin(operations ...ops.Operation) {
	h.t.Helper()
	h.furnish(operations...)
	if err := h.Start(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// furnish opens the database and puts a desk there that hasn't begun: it records
// and answers questions, and carries nothing on.
func (h *house) furnish(operations ...ops.Operation) {
	h.t.Helper()
	s, err := store.Open(h.t.Context(), h.address, quiet)
	if err != nil {
		h.t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	h.t.Cleanup(transport.CloseIdleConnections)
	client, err := githubaccess.New(h.gh.URL(), githubaccess.Token{Value: "ghp_reader", Next: transport})
	if err != nil {
		h.t.Fatal(err)
	}
	h.Desk = &bot.Desk{
		Store: s, Operations: operations, Terms: h.terms, Log: quiet, Now: h.now,
		Team: &team.Team{
			GitHub: client, Organization: h.gh.Organization(), Slug: admins, Channel: "#aws-root-account", Workspace: "T1", People: h.person, Links: s,
			Identities: map[string]string{"U1": "octocat", "U2": "hubot", "U3": "mallory", "U4": "monalisa", "U5": "HUBOT", "U6": "OctoCat"},
		},
	}
	if h.settle != nil {
		h.settle(h.Desk)
	}
	desk := h.Desk
	h.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		desk.Stop(ctx)
		s.Close()
	})
}

// person says of everybody that they are a full member of workspace T1, unless
// the test says otherwise. The zero person is one of whom the chat says nothing.
func (h *house) person(_ context.Context, user string) (team.Person, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch p, ok := h.people[user]; {
	case !ok:
		return team.Person{Workspaces: []string{"T1"}}, nil
	case p.Workspaces == nil:
		return p, errors.New("ratelimited")
	default:
		return p, nil
	}
}

// becomes changes what the chat says of somebody.
func (h *house) becomes(user string, p team.Person) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.people == nil {
		h.people = map[string]team.Person{}
	}
	h.people[user] = p
}

// end stops the desk and closes its database.
func (h *house) end() {
	h.t.Helper()
	if err := h.Stop(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if err := h.Store.Close(); err != nil {
		h.t.Fatal(err)
	}
}

// mustStop tells the desk to stop and doesn't wait until it has.
func (h *house) mustStop() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	h.Stop(ctx)
}

// crash goes on with a copy of the database as it is on the disk now; the old
// desk is left to itself.
func (h *house) crash(operations ...ops.Operation) {
	h.t.Helper()
	storetest.OnlyOn(h.t, storetest.SQLite)
	to := filepath.Join(h.t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(strings.TrimPrefix(h.address, "sqlite:") + suffix)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			h.t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, content, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	h.address = "sqlite:" + to
	h.begin(operations...)
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.at.IsZero() {
		return h.at.Add(h.add)
	}
	return time.Now().Add(h.add)
}

// stand stops the desk's clock at a time.
func (h *house) stand(at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at, h.add = at, 0
}

func (h *house) forward(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.add += d
}

func by(user string) request.Asker {
	return request.Asker{Front: "slack", Workspace: "T1", User: user, Channel: "C1"}
}

// called is an operation under another name, beside which others may stand.
func called(i int, o ops.Operation) ops.Operation {
	o.Name, o.Command = "tidy-"+string(rune('a'+i)), fmt.Sprintf("/tidy-%d", i)
	return o
}

// askFor asks for what is called so in the name of octocat.
func (h *house) askFor(i int) request.Request {
	h.t.Helper()
	return h.asking(bot.Asking{Operation: called(i, ops.Operation{}).Name, Asker: by("U1")})
}

// ask asks for the tidying up in the name of octocat.
func (h *house) ask() request.Request {
	h.t.Helper()
	return h.asking(bot.Asking{Operation: "tidy-up", Asker: by("U1")})
}

func (h *house) asking(a bot.Asking) request.Request {
	h.t.Helper()
	r, err := h.Ask(h.t.Context(), a)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *house) request(id string) request.Request {
	h.t.Helper()
	r, err := h.Store.Request(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// until waits for a request to be as it should.
func (h *house) until(id, what string, ok func(request.Request) bool) request.Request {
	h.t.Helper()
	patience := time.NewTimer(h.patience)
	defer patience.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		r := h.request(id)
		if ok(r) {
			return r
		}
		select {
		case <-h.Store.Woken():
		case <-tick.C:
		case <-patience.C:
			h.t.Fatalf("after %v the request isn't %s; it is %s, step %d, %q; events: %v", h.patience, what, r.State, r.Step, r.Reason, h.events(id))
		}
	}
}

func (h *house) ended(id string) request.Request {
	h.t.Helper()
	return h.until(id, "ended", func(r request.Request) bool { return r.State.Ended() })
}

func (h *house) events(id string) []string {
	h.t.Helper()
	list, err := h.Store.Events(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	var kinds []string
	for _, e := range list {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// wake has a request carried on now, whatever it waits for.
func (h *house) wake(id string) {
	h.t.Helper()
	// An answer to no click leaves the request as it is.
	if err := h.Store.AnswerClick(h.t.Context(), request.Click{Request: id}, request.Change{Wake: true}); err != nil {
		h.t.Fatal(err)
	}
}

// told are the messages of a request, none of which are sent here.
func (h *house) told(id string) []request.Message {
	h.t.Helper()
	list, err := h.Store.Unsent(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return slices.DeleteFunc(list, func(m request.Message) bool { return m.Request != id })
}

func (h *house) lines(id string) []string {
	h.t.Helper()
	list, err := h.Store.Lines(h.t.Context(), id, 1, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	var texts []string
	for _, l := range list {
		texts = append(texts, l.Text)
	}
	return texts
}

// tidy is an operation with one step.
func tidy(do func(context.Context, ops.Run) error) ops.Operation {
	return ops.Operation{
		Name: "tidy-up", Command: "/tidy-up", Doc: "Tidies up",
		Form: []ops.Field{{Name: "people", Label: "GitHub logins", List: true, Optional: true}},
		Plan: func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) { return *planOf(1), nil },
		Do:   map[string]func(context.Context, ops.Run) error{"tidy": do},
	}
}

func nothing(context.Context, ops.Run) error { return nil }
