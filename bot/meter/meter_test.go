package meter_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/aws-root-account/rootbot/bot/meter"
)

// scrape is what Prometheus gets, as text.
func scrape(t *testing.T, m *meter.Meter) string {
	t.Helper()
	server := httptest.NewServer(promhttp.HandlerFor(m.Registry(), promhttp.HandlerOpts{}))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v: %s", response.StatusCode, err, text)
	}
	return string(text)
}

// told are the samples of the bot's own metrics that aren't 0, but the buckets
// and sums of histograms.
func told(t *testing.T, m *meter.Meter) map[string]string {
	t.Helper()
	samples := map[string]string{}
	for line := range strings.Lines(scrape(t, m)) {
		at := strings.LastIndex(line, " ")
		series, value := line[:max(at, 0)], strings.TrimSpace(line[at+1:])
		plain, _, _ := strings.Cut(series, "{")
		if strings.HasPrefix(line, "rootbot_") && value != "0" && !strings.HasSuffix(plain, "_bucket") && !strings.HasSuffix(plain, "_sum") {
			samples[series] = value
		}
	}
	return samples
}

// everything calls each method once.
func everything(m *meter.Meter) {
	m.Offer("make-tea")
	m.Connections(2)
	m.Acked("slash_commands", 30*time.Millisecond)
	m.Envelope("interactive", "done")
	m.Envelope("slash_commands", "duplicate")
	m.Reconnected("warning")
	m.Gap(1500 * time.Millisecond)
	m.Message("card", "sent")
	m.Courier(true)
	m.Request("make-tea", "running")
	m.Step("make-tea", "again")
	m.Unplanned("make-tea")
	m.Refused("stranger")
	m.Panicked()
	m.Called("slack", "chat.postMessage", meter.OK, time.Second)
	m.AssumedRole(nil, time.Unix(1767225600, 500e6))
	m.AssumedRole(errors.New("denied"), time.Unix(1767225700, 0))
	m.Watch(func(context.Context) (meter.Backlog, error) {
		return meter.Backlog{Messages: 3, Undeliverable: 1, Oldest: 90 * time.Second, Open: map[[2]string]int{{"make-tea", "running"}: 4}}, nil
	})
}

func TestEveryCountIsToldToPrometheus(t *testing.T) {
	m := meter.New()
	everything(m)
	want := map[string]string{
		`rootbot_slack_connections`:                                          "2",
		`rootbot_acks_seconds_count{type="slash_commands"}`:                  "1",
		`rootbot_envelopes_total{outcome="done",type="interactive"}`:         "1",
		`rootbot_envelopes_total{outcome="duplicate",type="slash_commands"}`: "1",
		`rootbot_duplicates_total{type="slash_commands"}`:                    "1",
		`rootbot_reconnects_total{reason="warning"}`:                         "1",
		`rootbot_slack_gap_seconds_total`:                                    "1.5",
		`rootbot_messages_total{kind="card",outcome="sent"}`:                 "1",
		`rootbot_courier`: "1",
		`rootbot_requests_total{operation="make-tea",state="running"}`:           "1",
		`rootbot_steps_total{operation="make-tea",outcome="again"}`:              "1",
		`rootbot_unplanned_removals_total{operation="make-tea"}`:                 "1",
		`rootbot_refusals_total{kind="stranger"}`:                                "1",
		`rootbot_panics_total`:                                                   "1",
		`rootbot_calls_total{method="chat.postMessage",outcome="ok",to="slack"}`: "1",
		`rootbot_call_seconds_count{to="slack"}`:                                 "1",
		`rootbot_assume_roles_total{outcome="ok"}`:                               "1",
		`rootbot_assume_roles_total{outcome="failed"}`:                           "1",
		`rootbot_assume_role_success_timestamp_seconds`:                          "1.7672256005e+09",
		`rootbot_database_up`:                                                    "1",
		`rootbot_outbox_messages`:                                                "3",
		`rootbot_outbox_undeliverable`:                                           "1",
		`rootbot_outbox_age_seconds`:                                             "90",
		`rootbot_requests_open{operation="make-tea",state="running"}`:            "4",
	}
	if diff := cmp.Diff(want, told(t, m)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	m.Courier(false)
	m.Connections(0)
	for _, gone := range []string{"rootbot_courier", "rootbot_slack_connections"} {
		if value, ok := told(t, m)[gone]; ok {
			t.Errorf("%s is %s", gone, value)
		}
	}
}

func TestPrometheusFindsNothingToComplainOf(t *testing.T) {
	m := meter.New()
	everything(m)
	text := scrape(t, m)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	for _, part := range []string{"go_goroutines ", "process_start_time_seconds "} {
		if !strings.Contains(text, "\n"+part) {
			t.Errorf("no %s", part)
		}
	}
}

func TestANilMeterCountsNothing(t *testing.T) {
	everything(nil)
	if (*meter.Meter)(nil).Registry() != nil {
		t.Error("it has a registry")
	}
	if meter.Transport(nil, "slack", meter.SlackMethod, nil) != http.DefaultTransport {
		t.Error("it has a transport of its own")
	}
}

// Prometheus shows no increase for a counter that begins at 1.
func TestCountersStandAtZeroBeforeAnythingHappens(t *testing.T) {
	m := meter.New()
	m.Offer("make-tea")
	text := scrape(t, m)
	for _, series := range []string{
		`rootbot_envelopes_total{outcome="unstored",type="slash_commands"}`, `rootbot_envelopes_total{outcome="busy",type="interactive"}`,
		`rootbot_duplicates_total{type="events_api"}`, `rootbot_panics_total`, `rootbot_reconnects_total{reason="silent"}`,
		`rootbot_assume_roles_total{outcome="failed"}`, `rootbot_requests_total{operation="make-tea",state="unknown"}`,
		`rootbot_steps_total{operation="make-tea",outcome="failed"}`, `rootbot_slack_gap_seconds_total`,
	} {
		if !strings.Contains(text, "\n"+series+" 0\n") {
			t.Errorf("no %s", series)
		}
	}
	for _, early := range []string{"rootbot_assume_role_success_timestamp_seconds", "rootbot_database_up", "rootbot_outbox"} {
		if strings.Contains(text, "\n"+early) {
			t.Errorf("%s is told before it is known", early)
		}
	}
}

func TestLabelsHoldNothingThatWasTyped(t *testing.T) {
	const secret = `xoxb-1"\n<script> ünd`
	m := meter.New()
	m.Envelope(secret, secret)
	m.Acked(secret, time.Second)
	m.Reconnected(secret)
	m.Message(secret, secret)
	m.Request(secret, secret)
	m.Step(secret, secret)
	m.Refused(secret)
	m.Refused(strings.Repeat("a", 81))
	m.Called(secret, secret, secret, time.Second)
	for i := range 1000 {
		m.Called("aws", fmt.Sprint("iam:Call", i), meter.OK, time.Second)
	}
	m.Watch(func(context.Context) (meter.Backlog, error) {
		return meter.Backlog{Open: map[[2]string]int{{secret, secret}: 1, {"1", secret}: 2}}, nil
	})
	got := told(t, m)
	for series, value := range map[string]string{
		`rootbot_envelopes_total{outcome="other",type="other"}`:          "1",
		`rootbot_messages_total{kind="other",outcome="other"}`:           "1",
		`rootbot_calls_total{method="other",outcome="other",to="other"}`: "1",
		`rootbot_calls_total{method="other",outcome="ok",to="aws"}`:      "800",
		`rootbot_refusals_total{kind="other"}`:                           "2",
		`rootbot_requests_open{operation="other",state="other"}`:         "3",
	} {
		if got[series] != value {
			t.Errorf("%s is %q, want %s", series, got[series], value)
		}
	}
	for series := range got {
		if strings.Contains(series, "script") || strings.Contains(series, "aaaaaaaa") {
			t.Error(series)
		}
	}
}

func TestTheTimeWithoutAConnectionOnlyGrows(t *testing.T) {
	m := meter.New()
	m.Gap(2 * time.Second)
	m.Gap(-time.Second)
	if got := told(t, m)["rootbot_slack_gap_seconds_total"]; got != "2" {
		t.Errorf("got %s", got)
	}
}

func TestADatabaseThatDoesNotAnswer(t *testing.T) {
	for name, read := range map[string]func(context.Context) (meter.Backlog, error){
		"says so": func(context.Context) (meter.Backlog, error) {
			return meter.Backlog{Messages: 7}, errors.New("disk full")
		},
		"hangs": func(ctx context.Context) (meter.Backlog, error) {
			<-ctx.Done()
			return meter.Backlog{}, ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := meter.New()
				m.Watch(read)
				began := time.Now()
				families, err := m.Registry().Gather()
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took > 2*time.Second {
					t.Errorf("the scrape took %v", took)
				}
				found := false
				for _, family := range families {
					switch family.GetName() {
					case "rootbot_database_up":
						found = true
						if v := family.GetMetric()[0].GetGauge().GetValue(); v != 0 {
							t.Errorf("up: %v", v)
						}
					case "rootbot_outbox_messages", "rootbot_outbox_age_seconds", "rootbot_outbox_undeliverable", "rootbot_requests_open":
						t.Errorf("%s is told all the same", family.GetName())
					}
				}
				if !found {
					t.Error("nothing says that the database is down")
				}
			})
		})
	}
}

func TestItCountsFromManySides(t *testing.T) {
	m := meter.New()
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range 50 {
				everything(m)
				m.Refused(fmt.Sprint("kind", i))
				if _, err := m.Registry().Gather(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if got := told(t, m)["rootbot_panics_total"]; got != "400" {
		t.Errorf("%s panics, want 400", got)
	}
}
