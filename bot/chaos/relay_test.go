package chaos_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// call is one call that a process made.
type call struct {
	name    string // such as "slack chat.postMessage"
	number  int    // from 1, among those of this name
	writes  bool   // it changes something, or people see it
	replica int    // who made it, from 0
	at      time.Time

	answered time.Time // zero: not yet, or never
}

func (c call) String() string { return fmt.Sprintf("%s #%d", c.name, c.number) }

// point is where a process is killed: before a call is carried out, or after
// that, when it has no answer yet.
type point struct {
	call  string // as call.String has it; "" is nowhere
	after bool
}

func (p point) String() string {
	if p.after {
		return "after " + p.call
	}
	return "before " + p.call
}

// relay stands between the processes and the world, and sees every call.
type relay struct {
	kill    point
	freezes bool // who stands at the kill point is frozen, and not killed
	reached chan *held

	mu     sync.Mutex
	starts map[string]bool // names of calls that were made before begin
	counts map[string]int  // nil: before begin
	calls  []call
	over   bool
	hit    bool // somebody stands at the kill point, or stood there
}

// held is the call at the kill point.
type held struct {
	call
	drop chan struct{} // close it once the process is dead
}

func newRelay(kill point) *relay {
	return &relay{kill: kill, reached: make(chan *held, 1), starts: map[string]bool{}}
}

// begin has the calls be counted from now on: what a process does to start is
// none of the operation's.
func (r *relay) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts = map[string]int{}
}

// end returns the calls since begin. Nobody is killed any more; who already
// stands at the kill point is.
func (r *relay) end() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	return slices.Clone(r.calls)
}

// wasHit says whether anybody came to the kill point.
func (r *relay) wasHit() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.hit
}

// starting says whether processes make a call just to start.
func (r *relay) starting(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts[name]
}

// made are the calls since begin.
func (r *relay) made() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// env is the environment of a replica, all of whose calls come here first. The
// WebSocket and the response_urls are Slack's own.
func (r *relay) env(t *testing.T, w *worldtest.World, replica int) map[string]string {
	t.Helper()
	env := w.Env()
	through := func(address string, name func(*http.Request, []byte) (string, bool)) string {
		there, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
		server := httptest.NewServer(&httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.Out.URL.Scheme, p.Out.URL.Host = there.Scheme, there.Host
				p.Out.Host = p.In.Host // it is signed
			},
			Transport: hop{r, replica, name, transport},
			ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
				panic(http.ErrAbortHandler) // cut, as it was to us
			},
			ErrorLog: log.New(io.Discard, "", 0),
		})
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
			transport.CloseIdleConnections()
		})
		return server.URL
	}
	env["SLACK_API_URL"] = through(env["SLACK_API_URL"], slackCall) + "/api/"
	github := through(env["GITHUB_API_URL"], githubCall) + "/"
	env["GITHUB_API_URL"], env["GITHUB_URL"], env["GITHUB_GRAPHQL_URL"] = github, github, github+"graphql"
	env["AWS_ENDPOINT_URL"] = through(env["AWS_ENDPOINT_URL"], awsCall)
	return env
}

// hop takes a call on, and holds the one at the kill point.
type hop struct {
	relay   *relay
	replica int
	name    func(*http.Request, []byte) (name string, writes bool)
	next    http.RoundTripper
}

var errDropped = errors.New("the call died with who made it")

func (h hop) RoundTrip(request *http.Request) (*http.Response, error) {
	var body []byte
	if request.Body != nil {
		var err error
		if body, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
	}
	name, writes := h.name(request, body)
	index, at := h.relay.count(call{name: name, writes: writes, replica: h.replica})
	if at != nil && !h.relay.kill.after {
		h.relay.reached <- at
		<-at.drop
		if !h.relay.freezes {
			return nil, errDropped
		}
		at = nil
	}
	response, err := h.next.RoundTrip(request)
	if at != nil && err == nil {
		// Whoever answered has done it all by the end of the answer.
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		h.relay.reached <- at
		<-at.drop
		return nil, errDropped
	}
	h.relay.answered(index)
	return response, err
}

func (r *relay) answered(index int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if index >= 0 {
		r.calls[index].answered = time.Now()
	}
}

// count notes a call and returns where it is among the calls, below 0 for
// nowhere; and the call, if it is the one to be held.
func (r *relay) count(c call) (int, *held) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c.at = time.Now()
	if r.counts == nil {
		r.starts[c.name] = true
		return -1, nil
	}
	r.counts[c.name]++
	c.number = r.counts[c.name]
	r.calls = append(r.calls, c)
	index := len(r.calls) - 1
	if r.over || c.String() != r.kill.call {
		return index, nil
	}
	r.hit = true
	return index, &held{c, make(chan struct{})}
}

func slackCall(request *http.Request, _ []byte) (string, bool) {
	method := strings.TrimPrefix(request.URL.Path, "/api/")
	_, verb, _ := strings.Cut(method, ".")
	for _, write := range []string{"post", "update", "delete", "publish", "push", "getUpload", "completeUpload", "add"} {
		if strings.HasPrefix(verb, write) {
			return "slack " + method, true
		}
	}
	return "slack " + method, method == "views.open"
}

func githubCall(request *http.Request, body []byte) (string, bool) {
	writes := request.Method != http.MethodGet
	if strings.HasSuffix(request.URL.Path, "/graphql") {
		writes = bytes.Contains(body, []byte("mutation"))
	}
	return "github " + request.Method + " " + random.ReplaceAllString(request.URL.Path, "*"), writes
}

// random are the IDs that are others in each run.
var random = regexp.MustCompile(`[0-9a-f]{7,}(-[0-9a-f]{4,})*`)

func awsCall(request *http.Request, body []byte) (string, bool) {
	// Credential=<key>/<date>/<region>/<service>/aws4_request
	service := "aws"
	if _, scope, ok := strings.Cut(request.Header.Get("Authorization"), "Credential="); ok {
		if parts := strings.Split(scope, "/"); len(parts) > 3 {
			service = parts[3]
		}
	}
	action := request.Method + " " + request.URL.Path
	if target := request.Header.Get("X-Amz-Target"); target != "" {
		action = target[strings.LastIndex(target, ".")+1:]
	} else if form, err := url.ParseQuery(string(body)); err == nil && form.Get("Action") != "" {
		action = form.Get("Action")
	} else if service == "lambda" && strings.HasSuffix(request.URL.Path, "/invocations") {
		action = "Invoke"
	}
	reads := slices.ContainsFunc([]string{"List", "Get", "Describe", "Lookup", "Filter", "AssumeRole", "Generate", "GET "}, func(verb string) bool {
		return strings.HasPrefix(action, verb)
	})
	return service + " " + action, !reads
}
