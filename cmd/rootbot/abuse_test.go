package main_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// way is one way in that somebody may try who gets nothing done by it. Whoever
// tries it is answered, and the audit names them.
type way struct {
	name string

	// login is who the settings say that the user of this way is on GitHub: a
	// member of the team, where github says nothing else. Empty: nobody.
	login  string
	user   slacktest.User // what is peculiar about them
	github func(gh *githubtest.Server, login string)

	before func(*intruder) // what goes before, all of it allowed
	try    func(*intruder) // tries it, and sets what they read

	says  []string // words of what they read
	kind  string   // of the event in the audit; empty: "refused"
	tells []string // words of that event
	by    string   // whom it names, %s for the ID of whoever tries it; empty: whoever tries it

	plans bool     // whoever tries it may have a plan made: AWS may be read
	lets  []string // kinds of events that must come with it
	again bool     // it is a replay: the first was answered, and this one is nothing new
	actor string   // ID of somebody of the world who tries it; empty: a user of its own
}

// house is a bot with settings of its own, and the ways into it.
type house struct {
	name     string
	grid     string      // "yes" or "no": whether its workspace is one of an Enterprise Grid's; empty: by the test's name
	settings []string    // texts of the settings and what stands there instead, in turns
	world    func(*keep) // what is peculiar about its world
	ready    func(*keep) // what goes before all ways
	ways     []way
	proof    func(*keep) // the same doors open for who may
}

var houses = []house{usual, onGrid, careful, approverGone, approverUnsure, requesterGone, troubled, slowed, placed, linked, teamless}

// TestNoWayInGetsAnythingDone tries each way with the bot as it is shipped,
// against a Slack, a GitHub and an AWS that are as strict as the real ones, and
// in the end opens the bot's database: 0 of them get anything done, and each of
// them is in the audit.
func TestNoWayInGetsAnythingDone(t *testing.T) {
	t.Parallel()
	n := 0
	for _, h := range houses {
		n += len(h.ways)
		t.Run(h.name, func(t *testing.T) {
			t.Parallel()
			h.stand(t)
		})
	}
	for _, w := range badSettings {
		n++
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			w.start(t)
		})
	}
	if n < 270 {
		t.Errorf("there are only %d ways", n)
	}
	t.Logf("%d ways in", n)
}

// keep is a house while ways into it are tried.
type keep struct {
	*scene
	house     house
	grid      bool
	ears      *ears
	third     slacktest.User // a member of the team beside the world's two
	intruders []*intruder

	users    map[string]awstest.IAMUser // as they were before anything was tried
	looked   map[string]bool            // logins for whom AWS may have been read
	ran      map[string]string          // whom the requests are about that were run by those who may
	standing asked                      // waits for an approval all the time
	past     asked                      // was withdrawn
	broken   asked                      // runs because somebody broke the glass
}

// intruder is somebody who tries a way in.
type intruder struct {
	*keep
	*scene // of the keep, with the test of this very way
	way    way
	number int
	who    slacktest.User
	card   asked // a request of their own

	from, to time.Time      // when it was tried
	heard    map[string]int // how much somebody had been told before, by their ID
	said     string         // what they read
}

// stand starts the bot and has each way tried.
func (h house) stand(t *testing.T) {
	grid := slacktest.GridFor(t.Name())
	if h.grid != "" {
		grid = h.grid == "yes"
	}
	k := &keep{
		scene: beginIn(t, worldtest.Options{Size: 24, Teams: 10, Users: "iam", Grid: grid}), house: h, grid: grid, ears: listen(t),
		users: map[string]awstest.IAMUser{}, looked: map[string]bool{}, ran: map[string]string{},
	}
	k.people()
	if h.world != nil {
		h.world(k)
	}
	k.settings(k.config())
	k.serve()
	directory := k.Store.Snapshot()
	if h.ready != nil {
		h.ready(k)
	}
	t.Run("ways", func(t *testing.T) {
		for _, i := range k.intruders {
			t.Run(i.way.name, i.tries)
		}
	})
	if h.proof != nil && !t.Failed() {
		h.proof(k)
	}
	k.bot.Terminate()
	k.nothingDone(directory)
	events := k.record()
	for _, i := range k.intruders {
		i.recorded(events)
	}
}

// tries has a way tried, and says what whoever tried it read.
func (i *intruder) tries(t *testing.T) {
	here := *i.keep.scene
	here.T = t
	i.scene = &here
	if i.way.before != nil {
		i.way.before(i)
	}
	i.heard = map[string]int{}
	for _, u := range i.scene.Slack.Users() {
		i.heard[u.ID] = len(i.toldPrivately(u))
	}
	calls := len(i.scene.AWS.Calls())
	i.from = time.Now().Truncate(time.Microsecond)
	defer func() { i.to = time.Now() }()
	i.way.try(i)
	if i.said == "" && !i.way.again {
		t.Error("they read nothing")
	}
	for _, words := range i.way.says {
		if !strings.Contains(i.said, words) {
			t.Errorf("they don't read %q", words)
		}
	}
	for _, c := range i.scene.AWS.Calls()[calls:] {
		if !i.way.plans || acts(c) {
			t.Errorf("AWS was called: %s as %s", c.Name(), c.RoleARN)
		}
	}
	if i.way.again {
		i.said = "(nothing more: the first was answered)"
	}
	t.Logf("%s → %s", i.way.name, strings.ReplaceAll(i.said, "\n", " ⏎ "))
}

// acts tells whether a call has a role that changes something, or takes one on.
func acts(c awstest.Call) bool {
	for _, role := range []string{worldtest.ActRole, worldtest.UsersAct} {
		if c.RoleARN == role || c.Service == "sts" && strings.Contains(string(c.Params), role) {
			return true
		}
	}
	return false
}

// nothingDone wants AWS and GitHub as they were, but for what was run by those who may.
func (k *keep) nothingDone(directory awstest.Snapshot) {
	k.Helper()
	for _, c := range k.AWS.Calls() {
		var p struct{ SourceIdentity string }
		if c.Service == "sts" {
			if err := json.Unmarshal(c.Params, &p); err != nil {
				k.Fatal(err)
			}
		} else {
			p.SourceIdentity = c.SourceIdentity
		}
		if !k.looked[p.SourceIdentity] {
			k.Errorf("AWS was called for %q: %s", p.SourceIdentity, c.Name())
		}
		if request := c.SessionTags["request"]; acts(c) && c.Service != "sts" && k.ran[request] == "" {
			k.Errorf("%s was called as %s for request %s", c.Name(), c.RoleARN, request)
		}
	}
	k.invoked(0)
	if diff := cmp.Diff(directory, k.Store.Snapshot()); diff != "" {
		k.Errorf("Identity Center has changed:\n%s", diff)
	}
	touched := map[string]bool{}
	for _, email := range k.ran {
		touched[email] = true
	}
	if n := len(k.IAM.Users()); n != len(k.users) {
		k.Errorf("there are %d IAM users, not %d", n, len(k.users))
	}
	for name, before := range k.users {
		if now, _ := k.IAM.User(name); !touched[name] && !cmp.Equal(before, now) {
			k.Errorf("IAM user %s has changed:\n%s", name, cmp.Diff(before, now))
		}
	}
	for _, c := range k.GitHub.Calls() {
		if free := strings.HasPrefix(c.Path, "/login/") || c.Path == "/graphql"; c.Method != "GET" && !free {
			k.Errorf("GitHub was called: %s %s", c.Method, c.Path)
		}
	}
	for _, m := range k.everything() {
		raw := m.Text + strings.ReplaceAll(string(m.Blocks), `\u003c`, "<")
		if strings.Contains(raw, "<!here") || strings.Contains(raw, "<@U0VICTIM>") {
			k.Errorf("somebody is called by what somebody else has typed:\n%s", raw)
		}
		for _, i := range k.intruders {
			// The members who may confirm a link are called to it, and some who try are members.
			called := strings.Contains(raw, "says to be the GitHub account")
			known := called || i.way.before != nil || i.way.plans || i.way.lets != nil || i.way.actor != ""
			if !known && strings.Contains(raw, "<@"+i.who.ID+">") {
				k.Errorf("everybody reads that this was tried: %s\n%s", i.way.name, raw)
			}
		}
	}
}

// everything is what stands in the channels, for everybody to read.
func (k *keep) everything() []slacktest.Message {
	var all []slacktest.Message
	for _, c := range k.Slack.Channels() {
		for _, m := range k.Slack.Messages(c.ID) {
			all = append(append(all, m), k.Slack.Thread(c.ID, m.TS)...)
		}
	}
	return all
}

// record reads the audit, which must be whole. The bot must have stopped.
func (k *keep) record() []request.Event {
	k.Helper()
	s, err := store.Open(k.Context(), "sqlite:"+filepath.Join(k.dir, "rootbot.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		k.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Verify(k.Context(), nil); err != nil {
		k.Errorf("the audit isn't whole: %v", err)
	}
	events, err := s.Events(k.Context(), "")
	if err != nil {
		k.Fatal(err)
	}
	for _, e := range events {
		if slices.Contains([]string{"started", "step-begun", "calling", "called", "undo"}, e.Kind) && k.ran[e.Request] == "" {
			k.Errorf("request %s was run: %s by %s", e.Request, e.Kind, e.By)
		}
	}
	return events
}

// done are the kinds of events that tell that somebody got something done.
var done = []string{
	"admitted", "planned", "approved", "break-glass", "reviewed", "rejected", "withdrawn", "started",
	"step-begun", "step-ended", "calling", "called", "undo", "undone", "linked", "unlinked", "stale",
}

// recorded wants the attempt in the audit, and nothing that it got done.
func (i *intruder) recorded(events []request.Event) {
	t := i.keep.T
	t.Helper()
	var found, seen []string
	there := false
	for _, e := range events {
		if e.At.Before(i.from) || e.At.After(i.to) {
			continue
		}
		text := fmt.Sprint(e.Kind, " by ", e.By, ": ", e.Data)
		seen = append(seen, text)
		if i.is(e.By) && (e.Kind == i.way.kind || i.way.kind == "" && e.Kind == "refused") &&
			!slices.ContainsFunc(i.way.tells, func(words string) bool { return !strings.Contains(fmt.Sprint(e.Data), words) }) {
			there = true
		}
		allowed := i.way.plans && slices.Contains([]string{"admitted", "planned"}, e.Kind) || slices.Contains(i.way.lets, e.Kind)
		if slices.Contains(done, e.Kind) && !allowed || i.way.again && e.Kind == "asked" {
			t.Errorf("%s: it got something done: %s", i.way.name, text)
		}
		found = append(found, e.Kind)
	}
	if !there {
		t.Errorf("%s: the audit hasn't got it, only:\n%s", i.way.name, strings.Join(seen, "\n"))
	}
	for _, kind := range i.way.lets {
		if !slices.Contains(found, kind) {
			t.Errorf("%s: there is no event %q before it was stopped", i.way.name, kind)
		}
	}
}

// is tells whether an event names whoever tried.
func (i *intruder) is(by string) bool {
	if i.way.by != "" {
		// A payload of a Grid names the Grid beside the person's workspace.
		if i.keep.grid && by == "slack:"+i.keep.Slack.TeamID+"/"+i.who.ID {
			return true
		}
		return by == strings.ReplaceAll(i.way.by, "%s", i.who.ID)
	}
	return by == "slack:"+i.keep.Slack.TeamID+"/"+i.who.ID || i.login() != "" && strings.EqualFold(by, i.login())
}

// login is who the settings say that whoever tries it is on GitHub.
func (i *intruder) login() string {
	if i.way.actor != "" {
		return i.who.Name
	}
	return i.way.login
}

// start wants the bot not to start at all: there is no Slack that anybody could
// be told in, and no audit, but whoever starts it reads why.
func (b badSetting) start(t *testing.T) {
	s := begin(t, small)
	s.settings(strings.Replace(s.Config(), "identities:\n", "identities:\n"+b.identities, 1))
	p := processtest.Launch(t, processtest.Binary(t), s.dir, s.env, "serve")
	clear(t, p, 3, b.says...)
	if _, err := os.Stat(filepath.Join(s.dir, "rootbot.db")); err == nil {
		t.Error("it has made a database")
	}
	if n := s.AWS.Count("*") + s.GitHub.Count("") + len(s.Slack.Connections()); n > 0 {
		t.Errorf("it has talked to somebody: %d", n)
	}
	t.Logf("%s → %s", b.name, strings.ReplaceAll(strings.TrimSpace(p.Err.String()), "\n", " ⏎ "))
}

// badSetting is a settings file that gives one login to two people.
type badSetting struct {
	name, identities string
	says             []string
}

var badSettings = []badSetting{
	{"settings in which two Slack users claim one login", "  - {slack: U0SECOND, github: otter}\n", []string{"rootbot.yaml:", "two Slack users claim the GitHub login otter"}},
	{"settings in which a second Slack account has the login in another case", "  - {slack: U0SECOND, github: OTTER}\n", []string{"rootbot.yaml:", "two Slack users claim the GitHub login otter"}},
	{"settings in which one Slack user is two logins", "  - {slack: U0OTTER, github: sock-puppet}\n", []string{"rootbot.yaml:", "U0OTTER stands here twice"}},
	{"settings in which a Slack user is nobody on GitHub", "  - {slack: U0SECOND, github: ''}\n", []string{"rootbot.yaml:", "U0SECOND has no GitHub login"}},
}
