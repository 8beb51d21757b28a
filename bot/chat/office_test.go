package chat_test

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/crowdtest"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const admins = "aws-root-account-admin-team"

var (
	quiet = slog.New(slog.DiscardHandler)
	renew = flag.Bool("update", false, "write the golden files anew")
)

// These tests wait more than they work, so several run beside each other; but
// each office asks its database for work all the time, which under the race
// detector is much work.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() == "" {
		flag.Set("test.parallel", abreast)
	}
	debug.SetGCPercent(400) // each test throws a whole world away
	os.Exit(m.Run())
}

// office is a workspace with the bot in it. Ada, Grace and Hedy may, Mallory has
// a login and may not, Nemo has none.
type office struct {
	*slacktest.Workspace
	t       testing.TB
	gh      *githubtest.Server
	address string
	desk    *bot.Desk
	chat    *chat.Chat
	terms   map[string]request.Terms
	setUp   func(*bot.Desk) // what is particular about this desk; nil: nothing
	log     *slog.Logger    // the operator's
	storms  bool            // the bot keeps one person's storm from the others; else it takes as much as comes
	ahead   atomic.Int64    // how far the desk's clock is ahead of the real one

	ada, grace, hedy, mallory, nemo slacktest.User

	home    slacktest.Channel // the log channel; everybody is in it
	place   slacktest.Channel // where an operation with a form is asked for; everybody is in it
	general slacktest.Channel // all are in it but the bot
	lobby   slacktest.Channel // all are in it, the bot too

	listened chan error
	leave    func() // what the bot's process does when it ends
}

func build(t testing.TB, options slacktest.Options) *office {
	t.Helper()
	options.TriggerLife = 20 * time.Second // so that forms open on a busy machine, too
	options.Grid = options.Grid || slacktest.GridFor(t.Name())
	crowdtest.Enter(t)
	o := &office{t: t, Workspace: slacktest.New(options), address: storetest.Address(t), log: quiet}
	t.Cleanup(o.Close)
	o.ada = o.AddUser(slacktest.User{ID: "U0ADA", RealName: "Ada"})
	o.grace = o.AddUser(slacktest.User{ID: "U0GRACE", RealName: "Grace"})
	o.mallory = o.AddUser(slacktest.User{ID: "U0MALLORY", RealName: "Mallory"})
	o.nemo = o.AddUser(slacktest.User{ID: "U0NEMO", RealName: "Nemo"})
	o.hedy = o.AddUser(slacktest.User{ID: "U0HEDY", RealName: "Hedy"})
	people := []string{o.ada.ID, o.grace.ID, o.hedy.ID, o.mallory.ID, o.nemo.ID}
	o.home = o.AddChannel(slacktest.Channel{ID: "C0HOME001", Name: "aws-root-account", Members: append(slices.Clone(people), o.BotUserID)})
	o.place = o.AddChannel(slacktest.Channel{ID: "C0PLACE01", Name: "reliability-eng", Members: append(slices.Clone(people), o.BotUserID)})
	o.lobby = o.AddChannel(slacktest.Channel{ID: "C0LOBBY01", Name: "lobby", Members: append(slices.Clone(people), o.BotUserID)})
	o.general = o.AddChannel(slacktest.Channel{ID: "C0GENERAL", Name: "general", Members: people})
	o.onGitHub(githubtest.Options{})
	return o
}

// onGitHub gives the office's people a GitHub.
func (o *office) onGitHub(options githubtest.Options) {
	o.gh = githubtest.New(options)
	o.t.Cleanup(o.gh.Close)
	o.gh.AddTeam(admins)
	for _, login := range []string{"ada", "grace", "hedy"} {
		o.gh.AddMember(admins, login)
	}
	o.gh.AddToOrganization("mallory")
	o.gh.AddToken("ghp_reader", "reader")
}

func (o *office) settings() chat.Settings {
	return chat.Settings{AppToken: o.AppToken, BotToken: o.BotToken, APIURL: o.apiURL(), LogChannel: "aws-root-account"}
}

// apiURL is what SLACK_API_URL would be.
func (o *office) apiURL() string { return strings.TrimSuffix(o.URL(), "/") + "/" }

// begin starts the bot's process; leave ends it.
func (o *office) begin(operations ...ops.Operation) {
	o.t.Helper()
	s, err := store.Open(o.t.Context(), o.address, o.log)
	if err != nil {
		o.t.Fatal(err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	client, err := githubaccess.New(o.gh.URL(), githubaccess.Token{Value: "ghp_reader", Next: transport})
	if err != nil {
		o.t.Fatal(err)
	}
	o.desk = &bot.Desk{
		Store: s, Operations: operations, Terms: o.terms, Log: o.log,
		Now: func() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) },
		Team: &team.Team{
			GitHub: client, Organization: o.gh.Organization(), Slug: admins, Channel: "#aws-root-account",
			Identities: map[string]string{o.ada.ID: "ada", o.grace.ID: "grace", o.hedy.ID: "hedy", o.mallory.ID: "mallory", "U0ALIEN": "ada"},
		},
	}
	if o.setUp != nil {
		o.setUp(o.desk)
	}
	o.chat = chat.New(o.desk, o.settings(), o.log)
	o.chat.Patient(8*time.Second, 8*time.Second)
	if !o.storms {
		o.chat.Calm()
	}
	if err := o.chat.Wire(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	if err := o.desk.Start(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	delivered, listened := make(chan bool), make(chan error, 1)
	face, desk := o.chat, o.desk
	go func() { defer close(delivered); face.Deliver(ctx) }()
	deaf := make(chan bool)
	go func() { defer close(deaf); listened <- face.Listen(ctx) }()
	o.listened = listened
	var once sync.Once
	o.leave = func() {
		once.Do(func() {
			cancel()
			<-deaf
			stopping, stop := context.WithTimeout(context.Background(), 5*time.Second)
			defer stop()
			desk.Stop(stopping)
			select {
			case <-delivered:
			case <-stopping.Done():
			}
			s.Close()
			transport.CloseIdleConnections()
		})
	}
	o.t.Cleanup(o.leave)
	o.wait("connected", func() bool { return o.chat.Connections() == 2 })
}

// start is an office where the bot is at work.
func start(t testing.TB, operations ...ops.Operation) *office {
	t.Helper()
	o := build(t, slacktest.Options{})
	o.begin(operations...)
	return o
}

// longest is how long a test waits for what must come some day. It is nobody's
// promise, so it isn't counted while the machine doesn't let the test work.
const longest = 20 * time.Second

// wait waits for the world to be as it should.
func (o *office) wait(what string, ok func() bool) {
	o.t.Helper()
	if !someDay(20*time.Millisecond, ok) {
		o.t.Fatalf("not %s after %v; problems: %v\n%s", what, longest, o.Problems(), o.story())
	}
}

// someDay tells whether ok holds before a test has waited its longest.
func someDay(every time.Duration, ok func() bool) bool {
	for end := crowdtest.Given() + longest; crowdtest.Given() < end; {
		if patiently(time.Second, every, ok) {
			return true
		}
	}
	return false
}

func (o *office) waitFor(what string, patience time.Duration, ok func() bool) {
	o.t.Helper()
	if !patiently(patience, 20*time.Millisecond, ok) {
		o.t.Fatalf("not %s after %v; problems: %v\n%s", what, patience, o.Problems(), o.story())
	}
}

// patiently tells whether ok holds before patience has ended.
func patiently(patience, every time.Duration, ok func() bool) bool {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			return ok()
		}
	}
	return true
}

// story is the workspace as its people see it.
func (o *office) story() string {
	var b strings.Builder
	o.Transcript(&b)
	return b.String()
}

// types types the command of tidy and returns what the ack shows at once.
func (o *office) types(who slacktest.User, where slacktest.Channel, text string) string {
	o.t.Helper()
	return o.commands(who, where, "/tidy-up", text)
}

// commands types a command and returns what the ack shows at once.
func (o *office) commands(who slacktest.User, where slacktest.Channel, command, text string) string {
	o.t.Helper()
	ack, err := o.Command(o.t.Context(), who.ID, where.ID, command, text)
	if err != nil {
		o.t.Fatal(err)
	}
	if ack.Message == nil {
		return ""
	}
	if ack.Message.VisibleTo != who.ID {
		o.t.Errorf("the ack is shown to %q", ack.Message.VisibleTo)
	}
	return ack.Message.PlainText()
}

// told is what one person was told that nobody else sees.
func (o *office) told(who slacktest.User) []string {
	var texts []string
	for _, m := range o.Ephemerals(who.ID) {
		texts = append(texts, m.PlainText())
	}
	return texts
}

// cards are the cards in the log channel.
func (o *office) cards() []slacktest.Message { return o.Messages(o.home.ID) }

// card waits for the only card to say something.
func (o *office) card(says string) slacktest.Message {
	o.t.Helper()
	o.wait("a card that says "+says, func() bool {
		return len(o.cards()) > 0 && strings.Contains(o.cards()[0].PlainText(), says)
	})
	return o.cards()[0]
}

// thread is what stands under a card, but for the card itself.
func (o *office) thread(card slacktest.Message) []slacktest.Message {
	return slices.DeleteFunc(o.Thread(o.home.ID, card.TS), func(m slacktest.Message) bool { return m.TS == card.TS })
}

// replies are how the replies under a card begin.
func (o *office) replies(card slacktest.Message) []string {
	var begins []string
	for _, m := range o.thread(card) {
		text := m.Text
		if len(m.Files) > 0 {
			text = "file " + m.Files[0].Title
		}
		begin, _, _ := strings.Cut(text, ":")
		begin, _, _ = strings.Cut(begin, ",")
		begins = append(begins, begin)
	}
	return begins
}

// quietly waits until nothing is to be delivered any more.
func (o *office) quietly() {
	o.t.Helper()
	if !someDay(100*time.Millisecond, emptied(o.desk.Store)) {
		o.t.Fatalf("not everything is delivered after %v; problems: %v\n%s", longest, o.Problems(), o.story())
	}
}

// fine complains of what a well-behaved bot wouldn't have done.
func (o *office) fine() {
	o.t.Helper()
	if problems := o.Problems(); problems != nil {
		o.t.Error(problems)
	}
}

// requests are all that were ever stored.
func (o *office) requests() []request.Request {
	o.t.Helper()
	events, err := o.desk.Store.Events(context.Background(), "")
	if err != nil {
		o.t.Fatal(err)
	}
	var list []request.Request
	for _, e := range events {
		if e.Kind == "asked" {
			r, err := o.desk.Store.Request(context.Background(), e.Request)
			if err != nil {
				o.t.Fatal(err)
			}
			list = append(list, r)
		}
	}
	return list
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// golden compares text with a file under testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *renew {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is another; if that is meant, run the test with -update (-want +got):\n%s", path, diff)
	}
}
