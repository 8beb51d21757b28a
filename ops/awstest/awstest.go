// Package awstest is an AWS held in memory, in the manner of net/http/httptest: a server that the real SDK clients talk to
// through AWS_ENDPOINT_URL, and that is as strict as the real thing. Every request is checked for its SigV4 signature, every
// call is allowed or refused by the caller's policies, role sessions expire, lists are paged, logs lag behind. A test sets a
// world up (roles, an identity store, a function), lets the program at it, and asserts what the world looks like afterwards;
// the ledger tells who called what, with which session. What the fake doesn't know it refuses and names in Problems.
//
// A [Cloud] is one AWS for all Regions and accounts. The service of a request is told by the credential scope in its
// Authorization header, so one address serves all of them. Each service is one file and one line in the service table.
//
// Nothing here imports testing: cmd/sandbox runs the same fake.
package awstest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options says what a Cloud is like. The zero value is useful.
type Options struct {
	// Now is the clock for sessions, throttles and logs; nil is time.Now. A test may run it ahead to let sessions expire or
	// log events arrive. Signatures are dated by the SDK's own clock, so they are always checked against the real one.
	Now func() time.Time

	// Region is where things are made when they don't say otherwise; "" is eu-west-2.
	Region string

	// Account is the account of the bot's own identity and of things that don't say otherwise; "" is 111111111111.
	Account string

	// Principal is the ARN of the bot's own identity, a role session; "" is
	// arn:aws:sts::ACCOUNT:assumed-role/rootbot/task.
	Principal string

	// Policy is the identity policy of the bot's own role, as JSON. "" allows sts:AssumeRole, sts:SetSourceIdentity and
	// sts:TagSession on every role and nothing else.
	Policy string

	// PageSize is the most items one page of a list holds, whatever MaxResults asks for; 0 is AWS's own, 100 mostly.
	PageSize int

	// LogLag says how long a log event takes from being written to being found; nil is no lag.
	LogLag func(message string) time.Duration

	// Addr is where to listen; "" is a free port of 127.0.0.1.
	Addr string
}

// Cloud is a running AWS. Its methods may be called at any time from any goroutine.
type Cloud struct {
	// AccessKeyID and SecretAccessKey are the bot's own credentials. They stand for the session of a task's role, but come
	// without a session token so that two environment variables are enough.
	AccessKeyID, SecretAccessKey string

	opts     Options
	url      string
	server   *http.Server
	services map[string]*service
	ctx      context.Context
	cancel   context.CancelFunc
	runs     sync.WaitGroup

	mu           sync.Mutex
	changed      chan struct{}
	problems     []string
	ledger       []*Call
	principals   map[string]*principal
	roles        map[string]*role
	faults       []*plannedFault
	delays       []plannedDelay
	throttles    []*throttle
	stores       map[string]*IdentityStore
	functions    map[resourceKey]*function
	groups       map[resourceKey]*logGroup
	hooks        []plannedHook
	iams         map[string]*IAM   // by account
	trails       map[string]*Trail // by Region
	buckets      map[string]*bucket
	organization *Organization
	costs        *CostExplorer
	logLag       func(string) time.Duration
	emptyPages   int
	pageSize     int
	serial       int64
}

// resourceKey is where a named resource is.
type resourceKey struct{ account, region, name string }

// New starts an AWS. It panics when it cannot listen, as net/http/httptest does.
func New(o Options) *Cloud {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Region == "" {
		o.Region = "eu-west-2"
	}
	if o.Account == "" {
		o.Account = "111111111111"
	}
	if o.Principal == "" {
		o.Principal = "arn:aws:sts::" + o.Account + ":assumed-role/rootbot/task"
	}
	if o.Policy == "" {
		o.Policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
			"Action":["sts:AssumeRole","sts:SetSourceIdentity","sts:TagSession"],"Resource":"arn:aws:iam::*:role/*"}]}`
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	c := &Cloud{
		opts:       o,
		services:   serviceTable(),
		changed:    make(chan struct{}),
		principals: map[string]*principal{},
		roles:      map[string]*role{},
		stores:     map[string]*IdentityStore{},
		functions:  map[resourceKey]*function{},
		groups:     map[resourceKey]*logGroup{},
		buckets:    map[string]*bucket{},
		logLag:     o.LogLag,
		pageSize:   o.PageSize,
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.addBase()

	l, err := net.Listen("tcp", o.Addr)
	if err != nil {
		panic(fmt.Sprintf("awstest: listen on %s: %v", o.Addr, err))
	}
	c.url = "http://" + l.Addr().String()
	c.server = &http.Server{
		Handler:     http.HandlerFunc(c.serve),
		BaseContext: func(net.Listener) context.Context { return c.ctx },
		ErrorLog:    log.New(io.Discard, "", 0),
	}
	go c.server.Serve(l)
	return c
}

// URL is the address for AWS_ENDPOINT_URL, without a trailing slash.
func (c *Cloud) URL() string { return c.url }

// Env is what a program needs in its environment to use this AWS as the bot, as KEY=value.
func (c *Cloud) Env() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + c.url,
		"AWS_REGION=" + c.opts.Region,
		"AWS_ACCESS_KEY_ID=" + c.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.SecretAccessKey,
		"AWS_EC2_METADATA_DISABLED=true",
	}
}

// Close stops the server, cuts what is open, ends the context of functions that still run and waits for them to return.
func (c *Cloud) Close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.server.Close()
	c.runs.Wait()
}

// Problems says what the fake was asked for and doesn't know: an unknown service, action or parameter, a policy it can't
// judge, a setup that makes no sense. A test does well to want none at its end.
func (c *Cloud) Problems() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.problems)
}

// SetPageSize changes Options.PageSize; 0 is AWS's own.
func (c *Cloud) SetPageSize(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pageSize = n
}

// Wait returns nil as soon as ok does, and the context's error when that comes first. It calls ok at once and each time
// something has changed: a request was answered, a line was logged or became visible, a function ended. ok may call methods
// of c; requests that it sends are changes too.
func (c *Cloud) Wait(ctx context.Context, ok func() bool) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if ok() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// touch wakes everyone in Wait. The caller holds mu.
func (c *Cloud) touch() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// problem notes what the fake can't do. The caller holds mu.
func (c *Cloud) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
	c.touch()
}

func (c *Cloud) now() time.Time { return c.opts.Now() }

// next is a number that no other thing of this Cloud has. The caller holds mu.
func (c *Cloud) next() int64 {
	c.serial++
	return c.serial
}

// sleep waits for d, or less when ctx or the Cloud ends; it tells whether it waited in full.
func (c *Cloud) sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
