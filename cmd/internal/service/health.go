package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// health is what whoever watches over the process is told.
type health struct {
	service  *Service
	face     *chat.Chat
	stopping func() bool

	mu   sync.Mutex
	last answer // to /readyz

	asked time.Time // when GitHub was asked last
	said  error     // what came of it
}

// answer is one to /readyz.
type answer struct {
	status      int
	text        string
	at          time.Time
	stopping    bool
	connections int // to Slack
}

const (
	lookWithin = 2 * time.Second  // for each answer to whoever watches
	askGitHub  = 15 * time.Second // how often GitHub is asked at most
	askAgain   = 5 * time.Second  // the same, while something is wrong there

	// An answer writes to the database, and anybody who reaches the port may ask.
	keepAnswer = time.Second
)

// serve answers /healthz (the process runs), /readyz (it can do its work; else
// 503 and why) and /metrics (for Prometheus).
func (h *health) serve() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", h.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.service.Meter.Registry(), promhttp.HandlerOpts{}))
	return mux
}

// ready writes a line for each thing that the bot needs, and what is wrong with it.
func (h *health) ready(w http.ResponseWriter, r *http.Request) {
	a := h.answer(r.Context())
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(a.status)
	fmt.Fprint(w, a.text)
}

// answer looks how it goes, once a second at most.
func (h *health) answer(ctx context.Context) answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.last.at) >= keepAnswer || h.stopping() != h.last.stopping || h.face.Connections() != h.last.connections {
		// Others get the same answer, so who asked first may not end it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookWithin)
		defer cancel()
		h.last = h.look(ctx)
		h.last.at = time.Now()
	}
	return h.last
}

func (h *health) look(ctx context.Context) answer {
	var b strings.Builder
	status, stopping := http.StatusOK, h.stopping()
	line := func(what string, wrong error, fine string) {
		if wrong != nil {
			status, fine = http.StatusServiceUnavailable, "not ready: "+wrong.Error()
		}
		fmt.Fprintf(&b, "%s: %s\n", what, ops.Visible(fine))
	}
	if stopping {
		line("process", errors.New("it is stopping"), "")
	}
	line("database", h.database(ctx), "ready")
	var lonely error
	n := h.face.Connections()
	if n == 0 {
		lonely = errors.New("no connection to Slack")
	}
	line("slack", lonely, fmt.Sprintf("ready, connections: %d", n))
	for _, channel := range h.face.Unreachable() {
		line("slack channel", errors.New(channel), "")
	}
	line("github", h.github(ctx), "ready")
	// Which roles there are depends on what is asked for, so this alone makes nobody unready.
	fmt.Fprintf(&b, "aws: %s\n", h.service.roles)
	if status == http.StatusOK {
		fmt.Fprintln(&b, "ready")
	}
	return answer{status: status, text: b.String(), stopping: stopping, connections: n}
}

func (h *health) database(ctx context.Context) error {
	err := h.service.Store.Ping(ctx)
	if fault, ok := errors.AsType[*store.Fault](err); ok {
		return errors.New(fault.Why)
	}
	if err != nil {
		h.service.log.Warn("the database doesn't answer", "error", err)
		return errors.New("the database doesn't answer")
	}
	return nil
}

// github tells whether GitHub shows the bot what it needs, as of a moment ago.
func (h *health) github(ctx context.Context) error {
	every := askGitHub
	if h.said != nil {
		every = askAgain
	}
	if time.Since(h.asked) < every {
		return h.said
	}
	err := h.service.visibleTeam(ctx)
	if err != nil && (h.said == nil || h.said.Error() != err.Error()) {
		h.service.log.Warn("GitHub doesn't show the bot what it needs", "error", err)
	}
	h.asked, h.said = time.Now(), err
	return err
}

// roles is how assuming AWS roles went last. The zero value: not at all yet.
type roles struct {
	mu                 sync.Mutex
	succeeded, refused time.Time
	outcome            string
}

func (r *roles) note(outcome string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if outcome == meter.OK {
		r.succeeded = at
		return
	}
	r.refused, r.outcome = at, outcome
}

// String says when a role was assumed last, and whether that failed since.
func (r *roles) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	text := "no role was assumed yet"
	if !r.succeeded.IsZero() {
		text = "a role was assumed last at " + at(r.succeeded)
	}
	if r.refused.After(r.succeeded) {
		text += fmt.Sprintf(", and not at %s (%s)", at(r.refused), r.outcome)
	}
	return text
}

// observe counts the calls of AWS.
func observe(m *meter.Meter, r *roles) awsaccess.Observer {
	return func(service, action, outcome string, took time.Duration) {
		m.Called("aws", service+":"+action, outcome, took)
		if service != "sts" || action != "AssumeRole" {
			return
		}
		r.note(outcome, time.Now())
		var err error
		if outcome != meter.OK {
			err = errors.New(outcome)
		}
		m.AssumedRole(err, time.Now())
	}
}
