package meter

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Backlog is what the database holds that isn't finished. All replicas share it
// and tell the same.
type Backlog struct {
	Messages      int               // in the outbox, due or not
	Undeliverable int               // that were given up
	Oldest        time.Duration     // since the oldest message that is due was due; 0: none is
	Open          map[[2]string]int // requests, by operation and state
}

// readWithin is how long a scrape waits for the database. It is well under the
// 10 s that Prometheus waits for a scrape.
const readWithin = 2 * time.Second

// Watch has read asked at every scrape. Its ctx ends after 2 s; an error leaves
// the figures out and says that the database is down. The last Watch counts.
func (m *Meter) Watch(read func(context.Context) (Backlog, error)) {
	if m != nil {
		m.backlog.read.Store(&read)
	}
}

// backlog collects what Watch's function tells; before Watch, nothing.
type backlog struct {
	names *names
	read  atomic.Pointer[func(context.Context) (Backlog, error)]
}

var (
	databaseUp    = prometheus.NewDesc("rootbot_database_up", "Whether the database answered within 2 s of this scrape.", nil, nil)
	outbox        = prometheus.NewDesc("rootbot_outbox_messages", "Messages that are to be delivered, the same in every replica.", nil, nil)
	undeliverable = prometheus.NewDesc("rootbot_outbox_undeliverable", "Messages that were given up, the same in every replica.", nil, nil)
	oldest        = prometheus.NewDesc("rootbot_outbox_age_seconds", "How long the oldest message that is due has been so; 0: none is.", nil, nil)
	open          = prometheus.NewDesc("rootbot_requests_open", "Requests that haven't ended, the same in every replica.", []string{"operation", "state"}, nil)
)

// Describe is prometheus.Collector's.
func (b *backlog) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{databaseUp, outbox, undeliverable, oldest, open} {
		to <- d
	}
}

// Collect is prometheus.Collector's. It has no context of the scrape.
func (b *backlog) Collect(to chan<- prometheus.Metric) {
	read := b.read.Load()
	if read == nil {
		return
	}
	tell := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), readWithin)
	defer cancel()
	now, err := (*read)(ctx)
	if err != nil {
		tell(databaseUp, 0)
		return
	}
	tell(databaseUp, 1)
	tell(outbox, float64(now.Messages))
	tell(undeliverable, float64(now.Undeliverable))
	tell(oldest, now.Oldest.Seconds())
	// Two that aren't names become the same, and a series may be told only once.
	sums := map[[2]string]int{}
	for key, n := range now.Open {
		sums[[2]string{b.names.known("operation", key[0]), b.names.known("state", key[1])}] += n
	}
	for key, n := range sums {
		tell(open, float64(n), key[0], key[1])
	}
}
