// Package meter is what the bot counts about itself, for Prometheus. Each thing
// that is counted is one method with the words for it, so that whoever counts
// knows no metric's name, and a nil *Meter, which counts nothing, will do in a
// test. No label holds what a person typed: words that aren't known beforehand
// must look like a name, and there may be only so many.
package meter

import (
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Meter counts for one process. Make one with New; nil counts nothing. Its
// methods may be called from several goroutines.
type Meter struct {
	registry *prometheus.Registry
	names    names

	connections, courier                        prometheus.Gauge
	acks, callSeconds                           *prometheus.HistogramVec
	envelopes, duplicates, reconnects, messages *prometheus.CounterVec
	requests, steps, refusals, calls, assumed   *prometheus.CounterVec
	unplanned                                   *prometheus.CounterVec
	gap, panics                                 prometheus.Counter
	assumedAt                                   *prometheus.GaugeVec // without labels: it isn't there before there is a time
	backlog                                     backlog
}

// What Slack sends over Socket Mode, and the words for how things end. An
// outcome that isn't among them is counted as other.
var (
	envelopeTypes    = []string{"slash_commands", "interactive", "events_api"}
	envelopeOutcomes = []string{"done", "duplicate", "busy", "unstored", "storm", "panic", "unknown"}
	reconnectReasons = []string{"refresh", "warning", "silent", "lost", "renewed", "failed"}
	messageOutcomes  = []string{"sent", "retried", "limited", "undeliverable"}
	stepOutcomes     = []string{"done", "again", "failed", "unknown", "lifted"}
	callOutcomes     = []string{OK, Limited, Refused, Failed, Cut}
	outside          = []string{"slack", "github", "aws"}
	assumeOutcomes   = []string{OK, Failed}
)

// Outcomes of a call to Slack, GitHub or AWS.
const (
	OK      = "ok"
	Limited = "limited" // told to slow down: 429, or GitHub's 403 that says so
	Refused = "refused" // any other 4xx, or Slack's "ok": false
	Failed  = "failed"  // 5xx
	Cut     = "cut"     // no answer came, or not all of it
)

// New returns a Meter in which nothing was counted yet.
func New() *Meter {
	m := &Meter{
		registry:    prometheus.NewRegistry(),
		connections: gauge("rootbot_slack_connections", "Socket Mode connections to Slack that stand."),
		courier:     gauge("rootbot_courier", "Whether this process delivers the messages of the outbox: 1, or 0 where another one does."),
		acks: histogram("rootbot_acks_seconds", "Time from an envelope's arrival until its ack was written to Slack, which waits 3 s.",
			[]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 1.5, 2, 2.5, 3}, "type"),
		envelopes:  counter("rootbot_envelopes_total", "Envelopes that came from Slack, by what became of them.", "type", "outcome"),
		duplicates: counter("rootbot_duplicates_total", "Envelopes that had come before and were dropped.", "type"),
		reconnects: counter("rootbot_reconnects_total", "Connections to Slack that were made anew, by the reason.", "reason"),
		gap:        prometheus.NewCounter(prometheus.CounterOpts{Name: "rootbot_slack_gap_seconds_total", Help: "Time in which no connection to Slack stood."}),
		messages:   counter("rootbot_messages_total", "Attempts to deliver a message of the outbox, by how they ended.", "kind", "outcome"),
		requests:   counter("rootbot_requests_total", "Requests that entered a state.", "operation", "state"),
		steps:      counter("rootbot_steps_total", "Steps that were walked, by how they ended; again: to be called once more.", "operation", "outcome"),
		unplanned:  counter("rootbot_unplanned_removals_total", "Runs after which something was gone that no plan had shown.", "operation"),
		refusals:   counter("rootbot_refusals_total", "People and things that were refused, by the kind of the reason.", "kind"),
		panics:     prometheus.NewCounter(prometheus.CounterOpts{Name: "rootbot_panics_total", Help: "Panics that were caught. Each is a bug."}),
		calls:      counter("rootbot_calls_total", "Calls of Slack, GitHub and AWS, by how they ended.", "to", "method", "outcome"),
		callSeconds: histogram("rootbot_call_seconds", "Time that a call of Slack, GitHub or AWS took; of AWS, with all its attempts.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30}, "to"),
		assumed: counter("rootbot_assume_roles_total", "AWS roles that were to be assumed, by how it ended.", "outcome"),
		assumedAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "rootbot_assume_role_success_timestamp_seconds", Help: "When an AWS role was assumed last, in Unix time. Left out before the first time.",
		}, nil),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.connections, m.courier, m.acks, m.envelopes, m.duplicates, m.reconnects, m.gap, m.messages, m.requests, m.steps,
		m.refusals, m.unplanned, m.panics, m.calls, m.callSeconds, m.assumed, m.assumedAt, &m.backlog,
	)
	m.backlog.names = &m.names
	// A counter that is born with its first event shows no increase: Prometheus
	// must have seen the 0 before it.
	for _, kind := range envelopeTypes {
		m.names.known("type", kind)
		m.duplicates.WithLabelValues(kind)
		for _, outcome := range envelopeOutcomes {
			m.envelopes.WithLabelValues(kind, outcome)
		}
	}
	for _, reason := range reconnectReasons {
		m.reconnects.WithLabelValues(reason)
	}
	for _, outcome := range assumeOutcomes {
		m.assumed.WithLabelValues(outcome)
	}
	return m
}

func gauge(name, help string) prometheus.Gauge {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}

// Registry is where everything is registered, what Go and the system know of
// the process included. It is nil for a nil Meter.
func (m *Meter) Registry() *prometheus.Registry {
	if m == nil {
		return nil
	}
	return m.registry
}

// Offer says which operations there are, so that their counters stand at 0
// before anything happens.
func (m *Meter) Offer(operations ...string) {
	if m == nil {
		return
	}
	for _, operation := range operations {
		operation = m.names.known("operation", operation)
		for _, state := range []string{"succeeded", "failed", "unknown"} {
			m.requests.WithLabelValues(operation, m.names.known("state", state))
		}
		for _, outcome := range stepOutcomes {
			m.steps.WithLabelValues(operation, outcome)
		}
		m.unplanned.WithLabelValues(operation)
	}
}

// Connections says how many connections to Slack stand.
func (m *Meter) Connections(n int) {
	if m != nil {
		m.connections.Set(float64(n))
	}
}

// Acked counts an ack that was written, of an envelope of a type as Slack names
// it ("slash_commands"), and the time since the envelope came.
func (m *Meter) Acked(kind string, took time.Duration) {
	if m != nil {
		m.acks.WithLabelValues(m.names.known("type", kind)).Observe(took.Seconds())
	}
}

// Envelope counts an envelope and what became of it: done, duplicate, busy (too
// many under way), unstored (the database didn't take it), storm (more than is
// looked at of one person), panic, or unknown (of a type that the bot doesn't know).
func (m *Meter) Envelope(kind, outcome string) {
	if m == nil {
		return
	}
	kind = m.names.known("type", kind)
	m.envelopes.WithLabelValues(kind, among(envelopeOutcomes, outcome)).Inc()
	if outcome == "duplicate" {
		m.duplicates.WithLabelValues(kind).Inc()
	}
}

// Reconnected counts a connection that was made anew and why: refresh and warning
// (Slack asked for it), silent (no ping came), lost, renewed (before Slack would
// ask), or failed (it couldn't be made and is tried again).
func (m *Meter) Reconnected(reason string) {
	if m != nil {
		m.reconnects.WithLabelValues(among(reconnectReasons, reason)).Inc()
	}
}

// Gap adds to the time in which no connection to Slack stood.
func (m *Meter) Gap(d time.Duration) {
	if m != nil && d > 0 {
		m.gap.Add(d.Seconds())
	}
}

// Message counts an attempt to deliver a message of a kind and how it ended:
// sent, retried (it will be), limited (Slack said when to come again), or
// undeliverable (it was given up).
func (m *Meter) Message(kind, outcome string) {
	if m != nil {
		m.messages.WithLabelValues(m.names.known("kind", kind), among(messageOutcomes, outcome)).Inc()
	}
}

// Courier says whether this process delivers the outbox.
func (m *Meter) Courier(delivers bool) {
	if m == nil {
		return
	}
	m.courier.Set(0)
	if delivers {
		m.courier.Set(1)
	}
}

// Request counts a request that entered a state.
func (m *Meter) Request(operation, state string) {
	if m != nil {
		m.requests.WithLabelValues(m.names.known("operation", operation), m.names.known("state", state)).Inc()
	}
}

// Unplanned counts a run of an operation after which something was gone that no plan
// had shown.
func (m *Meter) Unplanned(operation string) {
	if m != nil {
		m.unplanned.WithLabelValues(m.names.known("operation", operation)).Inc()
	}
}

// Step counts a step that was walked: done, again, failed, unknown, or lifted (people
// had undone by hand what the run did before).
func (m *Meter) Step(operation, outcome string) {
	if m != nil {
		m.steps.WithLabelValues(m.names.known("operation", operation), among(stepOutcomes, outcome)).Inc()
	}
}

// Refused counts a refusal by the kind of its reason, never by its words.
func (m *Meter) Refused(kind string) {
	if m != nil {
		m.refusals.WithLabelValues(m.names.known("kind", kind)).Inc()
	}
}

// Panicked counts a panic that was caught.
func (m *Meter) Panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

// Called counts a call to slack, github or aws: its method without anything
// variable, how it ended, and how long it took.
func (m *Meter) Called(to, method, outcome string, took time.Duration) {
	if m == nil {
		return
	}
	to = among(outside, to)
	m.calls.WithLabelValues(to, m.names.known("method", method), among(callOutcomes, outcome)).Inc()
	m.callSeconds.WithLabelValues(to).Observe(took.Seconds())
}

// AssumedRole counts an AWS role that was assumed at a time, or, with an error,
// that was not.
func (m *Meter) AssumedRole(err error, at time.Time) {
	switch {
	case m == nil:
	case err != nil:
		m.assumed.WithLabelValues(Failed).Inc()
	default:
		m.assumed.WithLabelValues(OK).Inc()
		m.assumedAt.WithLabelValues().Set(float64(at.UnixMilli()) / 1000)
	}
}

// other stands for words that a label may not hold.
const other = "other"

func among(words []string, word string) string {
	if slices.Contains(words, word) {
		return word
	}
	return other
}

// most is how many different values a label may have.
const most = 200

// name is what a word in a label must look like: that of an operation or a kind,
// of an API's method ("chat.postMessage", "iam:DeleteUser"), or a route ("GET
// /orgs/{org}").
var name = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9 _.:/{}-]{0,79}$`)

// names remembers which values each label has had; the zero value has had none.
type names struct {
	mu   sync.Mutex
	seen map[string]map[string]bool
}

// known is the word, or other where it is no name or there are too many already.
func (n *names) known(label, word string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen[label][word] {
		return word
	}
	if len(n.seen[label]) >= most || !name.MatchString(word) {
		return other
	}
	if n.seen == nil {
		n.seen = map[string]map[string]bool{}
	}
	if n.seen[label] == nil {
		n.seen[label] = map[string]bool{}
	}
	n.seen[label][word] = true
	return word
}
