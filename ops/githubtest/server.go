// Package githubtest is GitHub held in memory, in the manner of net/http/httptest: its REST API, a corner of its GraphQL
// API and its OAuth device flow, with one organisation, its people, their identities at its SAML provider, its teams and
// their child teams, its repositories and their pull requests, the tokens and the GitHub Apps that may ask, and the
// faults of the real one.
// Real clients talk to it; only their address differs (GITHUB_API_URL and GITHUB_URL = Server.URL). It is as strict as
// GitHub where a client could go wrong (credentials, clocks, permissions, paging, polling, rate limits) and answers 404 to
// what it doesn't know, which it also writes down: a test ends by looking at Server.Problems.
//
//	gh := githubtest.New(githubtest.Options{Organization: "ministryofjustice"})
//	defer gh.Close()
//	gh.AddTeam("aws-root-account-admin-team")
//	gh.AddMember("aws-root-account-admin-team", "alice")
//	gh.AddToken("ghp_reader", "reader")
//	// GITHUB_API_URL=gh.URL() GITHUB_TOKEN=ghp_reader
//
//	gh.AddRepository("ministryofjustice/users", githubtest.RepositoryOptions{Files: map[string]string{"a.json": "{}\n"}})
//	app := gh.AddApp(githubtest.App{Permissions: map[string]string{"contents": "write", "pull_requests": "write"}})
//	// … the bot opens a pull request; then a person merges it, and the test looks:
//	gh.Merge("ministryofjustice/users", 1, "alice")
//
//	// … the bot shows a person the code of app.ClientID; they type it in at github.com/login/device:
//	gh.Wait(ctx, func() bool { return len(gh.Codes()) == 1 })
//	gh.Authorize(gh.Codes()[0].UserCode, "alice")
//
//	gh.AddExternalIdentity("alice@example.com", "alice") // what GraphQL's samlIdentityProvider tells
//
// The methods that shape the world are the hand of an organisation's owner (Add…, Remove…, Rename…) or of a person (Merge,
// Authorize): they act at once, need no token and aren't calls. Naming a team or a repository that doesn't exist is a
// mistake in the test and panics.
//
// What is modelled and where it is documented: https://docs.github.com/en/rest. Repositories hold real git objects (every
// SHA is git's own), but files and directories only, no forks and no protected branches; files merge whole. GraphQL
// (https://docs.github.com/en/graphql) knows an organisation's external identities and nothing else, without aliases,
// fragments, directives and mutations. Of the ways to a user access token there are the device flow and the refresh; the
// pages that people see are not here.
package githubtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// largestBody is a blob's 100 MB in base64, and some.
const largestBody = 160 << 20

// Options say which GitHub to start. The zero value is a GitHub with the organisation "ministryofjustice", GitHub's own
// page sizes and limits, and the machine's clock, on a free port.
type Options struct {
	// Organization is the login of the one organisation. Empty: "ministryofjustice".
	Organization string
	// PageSize is the most entries that a page holds, whatever per_page or GraphQL's first asks for, so that three teams
	// can make two pages. 0: 100, GitHub's own.
	PageSize int
	// RateLimit is how many calls each caller has per hour, and as many again of GraphQL. 0: 5000, GitHub's own for tokens
	// and installations.
	RateLimit int
	// DeviceExpiry is how long the codes of the device flow last, in whole seconds. 0: 15 minutes, GitHub's own.
	DeviceExpiry time.Duration
	// DeviceInterval is how long a client of the device flow waits between two polls, in whole seconds. 0: 5 seconds,
	// GitHub's own.
	DeviceInterval time.Duration
	// Now is the clock that tokens, JSON web tokens, codes and rate limits go by. nil: time.Now. Delays run on real time.
	Now func() time.Time
	// Addr is where to listen. Empty: "127.0.0.1:0", a free port.
	Addr string
}

// Server is a running GitHub. Its methods may be called from any goroutine.
type Server struct {
	options  Options
	url      string
	http     *http.Server
	done     chan struct{}
	inflight sync.WaitGroup

	mu       sync.Mutex
	closed   bool
	changed  chan struct{}
	calls    []*Call
	bearers  []string // the token that each call brought
	problems []string
	faults   []*fault
	delay    time.Duration
	lastID   int64
	org      *organization
	users    map[string]*user
	teams    map[string]*team
	tokens   map[string]*token
	apps     map[int64]*App
	windows  map[string]*window

	devices      []*device
	userTokens   []*userToken
	identities   []*externalIdentity
	repositories map[string]*repository // by full name in lower case
	later        []func()               // what is to be called once mu is free
}

// New starts a GitHub; Close stops it. It panics when it can't listen, as httptest.NewServer does, and on a DeviceExpiry or
// DeviceInterval that isn't whole seconds.
func New(options Options) *Server {
	if options.Organization == "" {
		options.Organization = "ministryofjustice"
	}
	if options.PageSize <= 0 || options.PageSize > largestPage {
		options.PageSize = largestPage
	}
	if options.RateLimit <= 0 {
		options.RateLimit = 5000
	}
	options.DeviceExpiry = wholeSeconds("DeviceExpiry", options.DeviceExpiry, 15*time.Minute)
	options.DeviceInterval = wholeSeconds("DeviceInterval", options.DeviceInterval, 5*time.Second)
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Addr == "" {
		options.Addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", options.Addr)
	if err != nil {
		panic(fmt.Sprintf("githubtest: listen on %s: %v", options.Addr, err))
	}
	s := &Server{
		options: options,
		url:     "http://" + listener.Addr().String() + "/",
		done:    make(chan struct{}),
		changed: make(chan struct{}),
		lastID:  1000,
		users:   map[string]*user{},
		teams:   map[string]*team{},
		tokens:  map[string]*token{},
		apps:    map[int64]*App{},
		windows: map[string]*window{},

		repositories: map[string]*repository{},
	}
	s.org = &organization{
		id: s.nextID(), login: options.Organization, created: options.Now(), members: map[*user]*orgMember{},
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve)}
	s.inflight.Go(func() { s.http.Serve(listener) })
	return s
}

// URL is the root of the REST API, "http://127.0.0.1:port/", and that of github.com itself: the device flow is at
// login/device/code and login/oauth/access_token below it, GraphQL at graphql. It ends in a slash and has no /api/v3, as
// GITHUB_API_URL does.
func (s *Server) URL() string { return s.url }

// Organization is the login of the organisation.
func (s *Server) Organization() string { return s.options.Organization }

// Close cuts every connection, those that hang included, and returns when no call is under way. Calls, Problems and the
// world can still be read. Closing twice does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.done)
	s.notify()
	s.mu.Unlock()
	s.http.Close()
	s.inflight.Wait()
}

// Problems lists what no client should have done: endpoints and methods that this GitHub doesn't know, API versions that
// don't exist, missing user agents, GraphQL that this GitHub doesn't know. Empty is what a test wants.
func (s *Server) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.problems)
}

// ErrClosed is what Wait returns when the server is closed before its condition holds.
var ErrClosed = errors.New("githubtest: closed")

// Wait returns nil as soon as ok does: at once, or after a change (a call that came in or was answered, a problem, a
// change of the world or of the faults). ok may call any method of the Server but Close and Wait. It returns the
// context's cause when that ends first and ErrClosed when the server closes first.
func (s *Server) Wait(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		changed, closed := s.changed, s.closed
		s.mu.Unlock()
		if ok() {
			return nil
		}
		if closed {
			return ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for GitHub to change: %w", context.Cause(ctx))
		}
	}
}

// notify wakes everyone in Wait. The caller holds mu.
func (s *Server) notify() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// edit runs a change of the world under the lock and tells Wait, even when the change panics; then it calls whom the
// change concerns.
func (s *Server) edit(change func()) {
	for _, call := range s.locked(change) {
		call()
	}
}

func (s *Server) locked(change func()) []func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	change()
	return s.concerned()
}

// concerned is whom the change at hand concerns, to be called without mu. The caller holds mu.
func (s *Server) concerned() []func() {
	calls := s.later
	s.later = nil
	return calls
}

// nextID numbers users, teams and the rest from one sequence. The caller holds mu.
func (s *Server) nextID() int64 {
	s.lastID++
	return s.lastID
}

// problem writes down what no client should have done. The caller holds mu.
func (s *Server) problem(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	call, ok := s.begin(r)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	status := 0
	defer func() { s.end(call, status) }()

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	f, delay := s.take(call)
	if !s.pause(r.Context(), delay) || f.Hang && !s.hang(r.Context()) {
		panic(http.ErrAbortHandler)
	}
	a := s.answer(r, body, f)
	for _, call := range a.then {
		call()
	}
	status = a.status
	a.write(w, f.Cut)
}

// pause waits and reports whether the call goes on: not if the client leaves or the server closes.
func (s *Server) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

// hang waits until the client leaves or the server closes, and reports that the call doesn't go on.
func (s *Server) hang(ctx context.Context) bool {
	select {
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}
