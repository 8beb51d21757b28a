// Package slacktest is a Slack workspace in memory, in the manner of
// net/http/httptest: real Slack clients talk to it over the wire, and a test or
// a sandbox plays the people in it.
//
//	w := slacktest.New(slacktest.Options{})
//	defer w.Close()
//	ada := w.AddUser(slacktest.User{RealName: "Ada Lovelace"})
//	ops := w.AddChannel(slacktest.Channel{Name: "ops", Members: []string{ada.ID, w.BotUserID}})
//
//	// Start the app against w.URL(), w.AppToken and w.BotToken, then:
//	ack, err := w.Command(ctx, ada.ID, ops.ID, "/scim-sync", "octocat")
//	err = w.Wait(ctx, func() bool { return len(w.Messages(ops.ID)) == 1 })
//
// It is as strict as Slack: it refuses what it does not know, checks every
// Block Kit limit, delivers a command once and never again, and hangs up when
// it is told to. It has a memory: ask what the workspace looks like afterwards
// (Messages, Thread, Ephemerals, Views, Transcript), not which calls were made.
// Problems lists everything a well-behaved app would not have done.
//
// Two clocks run here. What people could read off a clock (message timestamps,
// the life of a trigger_id and of a response_url) follows Options.Now; what goes
// over the wire (the time to acknowledge, Retry-After, pings) follows real time.
package slacktest

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Tokens, IDs and names of a workspace whose Options name no others.
const (
	DefaultAppToken = "xapp-1-A0ROOTBOT-1234567890-slacktest"
	DefaultBotToken = "xoxb-1234567890-1234567890-slacktest"
	DefaultTeamID   = "T0EXAMPLE"
	teamDomain      = "example"
	teamURL         = "https://example.slack.com/"
	verification    = "slacktest-verification-token"
)

// Options say how a workspace differs from the default one; the zero value is
// useful.
type Options struct {
	Addr         string           // address to listen on; "" is 127.0.0.1 and a free port
	AppToken     string           // xapp-…; "" is DefaultAppToken
	BotToken     string           // xoxb-…; "" is DefaultBotToken
	TeamID       string           // "" is DefaultTeamID
	Grid         bool             // the workspace is one of an Enterprise Grid's
	OrgWide      int              // the app is installed to the whole Grid, and was added to so many of its workspaces; 0 is to the workspace
	BotName      string           // the bot's name; "" is "rootbot"
	Commands     []string         // slash commands the app has registered; nil is any
	Scopes       []string         // scopes of the bot token; nil is every one but chat:write.public
	Now          func() time.Time // nil is time.Now
	Location     *time.Location   // of the times in a transcript; nil is UTC
	PingInterval time.Duration    // between WebSocket pings; 0 is 5 s, negative is none
	AckTimeout   time.Duration    // how long Slack waits for an ack; 0 is its 3 s
	TriggerLife  time.Duration    // how long a trigger_id opens a modal; 0 is Slack's 3 s
	RateLimit    bool             // answer 429 to more than about one message a second in a channel
	Limits       map[string]Limit // how often methods are answered before 429; see Tiers; nil is always
	FilesURL     string           // where files are uploaded to, without a slash at its end; "" is where all else is
	PageMost     int              // the most that one page of a list has, whatever was asked for; 0 is Slack's most
}

// Workspace is a Slack workspace with one app installed. Make one with New or
// Listen. Its methods may be called from any goroutine.
type Workspace struct {
	AppToken  string // accepted by apps.connections.open only
	BotToken  string // accepted by every other method
	TeamID    string
	AppID     string
	BotID     string // of the bot, as in auth.test
	BotUserID string // of the bot's user, as in <@…>

	opts     Options
	host     string
	server   *http.Server
	entrance *entrance
	served   chan struct{}
	closing  chan struct{}
	closed   sync.Once
	handlers sync.WaitGroup

	mu          sync.Mutex
	changed     chan struct{}
	serial      int
	lastTS      int64
	users       []*User
	channels    []*channel
	ephemerals  []*Message
	files       []*file
	uploads     map[string]*file
	stacks      map[string][]*view
	homes       map[string]*view
	triggers    map[string]*trigger
	hooks       map[string]*hook
	suggested   map[string][]Option
	tickets     map[string]bool
	connections []*Connection
	turn        int
	deliveries  map[string][]*delivery
	subscribers []*subscriber
	calls       []Call
	problems    []string
	faults      map[string][]Fault
	refusals    []*refusal
	delays      map[string]time.Duration
	buckets     map[string]*bucket
	windows     map[string]*window
	waits       map[string]*pause
}

// New starts a workspace. It panics where Listen returns an error, as
// httptest.NewServer does.
func New(o Options) *Workspace {
	w, err := Listen(o)
	if err != nil {
		panic(err)
	}
	return w
}

// Listen starts a workspace and reports an error where its address cannot be
// listened on. Close it when done.
func Listen(o Options) (*Workspace, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen for Slack clients: %w", err)
	}
	o.fill()
	w := &Workspace{
		AppToken:   o.AppToken,
		BotToken:   o.BotToken,
		TeamID:     o.TeamID,
		AppID:      "A0ROOTBOT",
		opts:       o,
		host:       l.Addr().String(),
		served:     make(chan struct{}),
		closing:    make(chan struct{}),
		changed:    make(chan struct{}),
		uploads:    map[string]*file{},
		stacks:     map[string][]*view{},
		homes:      map[string]*view{},
		triggers:   map[string]*trigger{},
		hooks:      map[string]*hook{},
		suggested:  map[string][]Option{},
		tickets:    map[string]bool{},
		deliveries: map[string][]*delivery{},
		faults:     map[string][]Fault{},
		delays:     map[string]time.Duration{},
		buckets:    map[string]*bucket{},
		windows:    map[string]*window{},
		waits:      map[string]*pause{},
	}
	bot := w.AddUser(User{ID: "U0ROOTBOT", Name: o.BotName, RealName: o.BotName, Bot: true})
	w.BotUserID = bot.ID
	w.BotID = "B0ROOTBOT"

	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", w.serveMethod)
	mux.HandleFunc("/link/", w.serveSocket)
	mux.HandleFunc("POST /upload/v1/{key}", w.serveUpload)
	mux.HandleFunc("GET /files-pri/{id}/{name}", w.serveFile)
	mux.HandleFunc("POST /commands/{team}/{key}", w.serveHook)
	mux.HandleFunc("POST /actions/{team}/{key}", w.serveHook)
	mux.HandleFunc("/", func(rw http.ResponseWriter, r *http.Request) {
		w.problem("request for %s %s, which Slack does not serve", r.Method, r.URL.Path)
		http.NotFound(rw, r)
	})
	w.entrance = newEntrance(l)
	w.server = &http.Server{Handler: w.counted(mux), ReadHeaderTimeout: 10 * time.Second, ConnContext: withWire}
	go func() {
		defer close(w.served)
		_ = w.server.Serve(w.entrance)
	}()
	return w, nil
}

func (o *Options) fill() {
	if o.AppToken == "" {
		o.AppToken = DefaultAppToken
	}
	if o.BotToken == "" {
		o.BotToken = DefaultBotToken
	}
	if o.TeamID == "" {
		o.TeamID = DefaultTeamID
	}
	if o.BotName == "" {
		o.BotName = "rootbot"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Location == nil {
		o.Location = time.UTC
	}
	if o.PingInterval == 0 {
		o.PingInterval = 5 * time.Second
	}
	if o.TriggerLife == 0 {
		o.TriggerLife = triggerLife
	}
	if o.AckTimeout == 0 {
		o.AckTimeout = 3 * time.Second
	}
}

// counted lets Close wait for the handlers that are under way.
func (w *Workspace) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		select {
		case <-w.closing:
			w.mu.Unlock()
			panic(http.ErrAbortHandler)
		default:
		}
		w.handlers.Add(1)
		w.mu.Unlock()
		defer w.handlers.Done()
		defer wireOf(r).done()
		h.ServeHTTP(rw, r)
	})
}

// Close hangs up on everybody, ends subscriptions and pending waits, and
// returns once nothing runs any more. What was in the workspace can still be
// read. Closing twice does nothing.
func (w *Workspace) Close() {
	w.closed.Do(func() {
		w.mu.Lock()
		close(w.closing)
		connections := slices.Clone(w.connections)
		subscribers := slices.Clone(w.subscribers)
		w.mu.Unlock()
		for _, c := range connections {
			c.Close()
		}
		for _, s := range subscribers {
			s.end()
		}
		_ = w.server.Close()
		<-w.served
		w.handlers.Wait()
	})
}

// URL is the address of the Web API, which ends in a slash:
// http://127.0.0.1:port/api/.
func (w *Workspace) URL() string { return w.base() + "/api/" }

func (w *Workspace) base() string { return (&url.URL{Scheme: "http", Host: w.host}).String() }

// Problems lists, oldest first, everything a well-behaved app would not have
// done: unknown methods, invalid blocks, late or oversized acks, calls made
// before Retry-After had passed, an eleventh connection. Nil is what to hope for.
func (w *Workspace) Problems() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.problems)
}

func (w *Workspace) problem(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problemLocked(format, args...)
}

func (w *Workspace) problemLocked(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
	w.changedLocked()
}

// id makes an ID that is unique in the workspace and the same in every run of
// the same story.
func (w *Workspace) id(prefix string) string {
	w.serial++
	return fmt.Sprintf("%s0%07d", prefix, w.serial)
}

// ts makes a message timestamp: now, and later than every one before.
func (w *Workspace) ts() string {
	now := max(w.opts.Now().UnixMicro(), w.lastTS+1)
	w.lastTS = now
	return fmt.Sprintf("%d.%06d", now/1e6, now%1e6)
}
