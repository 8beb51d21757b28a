package chat_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/chat"
)

// road is the way to Slack, where each call takes as long as a test wants.
type road struct {
	begun  time.Time
	dials  func(nth int) time.Duration // before the call is sent
	takes  func(nth int) time.Duration // until it is answered
	limits func(nth int) int           // seconds of Retry-After; 0: it is answered well

	mu     sync.Mutex
	sent   []time.Duration
	under  int // way now
	beside int // each other at most
}

func (w *road) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	nth := len(w.sent)
	w.sent = append(w.sent, 0)
	w.mu.Unlock()
	if w.dials != nil {
		<-time.After(w.dials(nth))
	}
	w.mu.Lock()
	w.sent[nth] = time.Since(w.begun)
	w.under++
	w.beside = max(w.beside, w.under)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.under--
		w.mu.Unlock()
	}()
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteRequest != nil {
		trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
	select {
	case <-time.After(w.takes(nth)):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}"))}
	if w.limits != nil && w.limits(nth) > 0 {
		answer.StatusCode = http.StatusTooManyRequests
		answer.Header.Set("Retry-After", string(rune('0'+w.limits(nth))))
	}
	return answer, nil
}

// outcome is what came of a call, and when.
type outcome struct {
	What string
	At   time.Duration
}

// calls makes calls at their times and tells what came of them.
func (w *road) calls(path string, at ...time.Duration) []outcome {
	w.begun = time.Now()
	transport := chat.Holds(w)
	came := make([]outcome, len(at))
	var all sync.WaitGroup
	for i, at := range at {
		all.Go(func() {
			<-time.After(at)
			r, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://slack.com/"+path, strings.NewReader("a=b"))
			answer, err := transport.RoundTrip(r)
			came[i].At = time.Since(w.begun)
			limited, ok := errors.AsType[*slack.RateLimitedError](err)
			switch {
			case ok:
				came[i].What = "given back for " + limited.RetryAfter.String()
			case err != nil:
				came[i].What = err.Error()
			default:
				answer.Body.Close()
				came[i].What = answer.Status + http.StatusText(answer.StatusCode)
			}
		})
	}
	all.Wait()
	return came
}

const (
	ms      = time.Millisecond
	ok      = "OK"
	limited = "Too Many Requests"
)

func always[T any](v T) func(int) T { return func(int) T { return v } }

// first gives what one call finds that no other does.
func first[T any](v, others T) func(int) T {
	return func(nth int) T {
		if nth == 0 {
			return v
		}
		return others
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		path  string
		road  *road
		calls []time.Duration
		came  []outcome
		sent  []time.Duration
	}{
		{
			name: "calls go beside each other as long as Slack asks nobody to wait", path: "api/chat.postMessage",
			road:  &road{takes: always(300 * ms)},
			calls: []time.Duration{0, 100 * ms, 200 * ms},
			came:  []outcome{{ok, 300 * ms}, {ok, 400 * ms}, {ok, 500 * ms}},
			sent:  []time.Duration{0, 100 * ms, 200 * ms},
		},
		{
			name: "what comes in a short hold waits for its end, and then each for the answer to the one before it", path: "api/chat.postMessage",
			road:  &road{takes: always(100 * ms), limits: first(1, 0)},
			calls: []time.Duration{0, 200 * ms, 201 * ms, 202 * ms},
			came:  []outcome{{limited, 100 * ms}, {ok, 1200 * ms}, {ok, 1300 * ms}, {ok, 1400 * ms}},
			sent:  []time.Duration{0, 1100 * ms, 1200 * ms, 1300 * ms},
		},
		{
			name: "what comes in a long hold is given back", path: "api/chat.postMessage",
			road:  &road{takes: always(100 * ms), limits: first(5, 0)},
			calls: []time.Duration{0, 200 * ms},
			came:  []outcome{{limited, 100 * ms}, {"given back for 4.9s", 200 * ms}},
			sent:  []time.Duration{0},
		},
		{
			name: "of all that wait for the end of a hold, one alone runs into the next", path: "api/chat.postMessage",
			road:  &road{takes: always(100 * ms), limits: func(nth int) int { return []int{1, 1, 0, 0}[nth] }},
			calls: []time.Duration{0, 200 * ms, 201 * ms, 202 * ms},
			came:  []outcome{{limited, 100 * ms}, {limited, 1200 * ms}, {ok, 2300 * ms}, {ok, 2400 * ms}},
			sent:  []time.Duration{0, 1100 * ms, 2200 * ms, 2300 * ms},
		},
		{
			name: "a call that gets no answer is waited for for a second", path: "api/chat.postMessage",
			road: &road{limits: first(1, 0), takes: func(nth int) time.Duration {
				return []time.Duration{100 * ms, 10 * time.Second, 100 * ms, 100 * ms}[nth]
			}},
			calls: []time.Duration{0, 200 * ms, 201 * ms, 202 * ms},
			came:  []outcome{{limited, 100 * ms}, {ok, 11100 * ms}, {ok, 2200 * ms}, {ok, 2300 * ms}},
			sent:  []time.Duration{0, 1100 * ms, 2100 * ms, 2200 * ms},
		},
		{
			name: "whoever would wait longer than two seconds for their turn is given back", path: "api/chat.postMessage",
			road: &road{limits: first(1, 0), takes: func(nth int) time.Duration {
				return []time.Duration{100 * ms, 900 * ms, 900 * ms, 900 * ms, 900 * ms}[nth]
			}},
			calls: []time.Duration{0, 200 * ms, 201 * ms, 202 * ms, 203 * ms},
			came:  []outcome{{limited, 100 * ms}, {ok, 2000 * ms}, {ok, 2900 * ms}, {ok, 3800 * ms}, {"given back for 1s", 3100 * ms}},
			sent:  []time.Duration{0, 1100 * ms, 2000 * ms, 2900 * ms},
		},
		{
			name: "once all are through that waited, calls go beside each other again", path: "api/chat.postMessage",
			road:  &road{takes: always(500 * ms), limits: first(1, 0)},
			calls: []time.Duration{0, 600 * ms, 2100 * ms, 2200 * ms},
			came:  []outcome{{limited, 500 * ms}, {ok, 2000 * ms}, {ok, 2600 * ms}, {ok, 2700 * ms}},
			sent:  []time.Duration{0, 1500 * ms, 2100 * ms, 2200 * ms},
		},
		{
			name: "nobody hears of a hold before what was let go earlier is sent", path: "api/chat.postMessage",
			road: &road{takes: always(100 * ms), limits: first(3, 0), dials: func(nth int) time.Duration {
				return []time.Duration{0, 400 * ms}[nth]
			}},
			calls: []time.Duration{0, 50 * ms, 200 * ms},
			came:  []outcome{{limited, 450 * ms}, {ok, 550 * ms}, {"given back for 2.9s", 200 * ms}},
			sent:  []time.Duration{0, 450 * ms},
		},
		{
			name: "an address for an answer has no hold: each is a place of its own", path: "commands/T0/1/x",
			road:  &road{takes: always(100 * ms), limits: always(3)},
			calls: []time.Duration{0, 200 * ms},
			came:  []outcome{{limited, 100 * ms}, {limited, 300 * ms}},
			sent:  []time.Duration{0, 200 * ms},
		},
		{
			name: "two connections are opened one after the other, so that one alone is asked to wait", path: "api/apps.connections.open",
			road:  &road{takes: always(300 * ms), limits: first(3, 0)},
			calls: []time.Duration{0, 100 * ms},
			came:  []outcome{{limited, 300 * ms}, {"given back for 3s", 300 * ms}},
			sent:  []time.Duration{0},
		},
		{
			name: "a connection whose opening gets no answer doesn't keep the other one from being opened", path: "api/apps.connections.open",
			road:  &road{takes: first(10*time.Second, 100*ms)},
			calls: []time.Duration{0, 100 * ms, 2 * time.Second},
			came:  []outcome{{ok, 10 * time.Second}, {ok, 1100 * ms}, {ok, 2100 * ms}},
			sent:  []time.Duration{0, 1000 * ms, 2000 * ms},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				if diff := cmp.Diff(sorted(test.came), sorted(test.road.calls(test.path, test.calls...))); diff != "" {
					t.Error("what came of the calls:", diff)
				}
				if diff := cmp.Diff(test.sent, test.road.sent); diff != "" {
					t.Error("when they were sent:", diff)
				}
			})
		})
	}
}

// sorted is by time: which of those that wait goes first is nobody's promise.
func sorted(came []outcome) []outcome {
	return slices.SortedFunc(slices.Values(came), func(a, b outcome) int {
		if a.At != b.At {
			return int(a.At - b.At)
		}
		return strings.Compare(a.What, b.What)
	})
}

// Nobody's call may be lost in the crowd: with many callers and many holds, each
// call leaves outside of all holds or is given back.
func TestManyCallersKeepToManyHolds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &road{takes: func(nth int) time.Duration { return time.Duration(20+nth%7*30) * ms }, limits: func(nth int) int {
			if nth%9 == 4 {
				return 1
			}
			return 0
		}}
		var at []time.Duration
		for i := range 200 {
			at = append(at, time.Duration(i*i%3000)*ms)
		}
		came := w.calls("api/users.info", at...)
		given := 0
		for _, c := range came {
			if strings.HasPrefix(c.What, "given back") {
				given++
			}
		}
		if len(w.sent)+given != len(at) {
			t.Errorf("of %d calls %d were sent and %d given back", len(at), len(w.sent), given)
		}
		for _, hold := range came {
			for _, sent := range w.sent {
				if hold.What == limited && sent > hold.At && sent < hold.At+time.Second {
					t.Errorf("a call was sent at %v, though a caller was told at %v to wait for a second", sent, hold.At)
				}
			}
		}
	})
}
