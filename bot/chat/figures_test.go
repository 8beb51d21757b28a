package chat_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
)

var figures = flag.Bool("figures", false, "run the benchmarks and write their table into the README")

// The table in the README is made by one command:
//
//	DATABASE_URL=postgres://… go test ./bot/chat -run TestTheTableOfFigures -figures
func TestTheTableOfFigures(t *testing.T) {
	const path, begin, end = "../../README.md", "<!-- figures -->\n", "<!-- /figures -->\n"
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("the README has no place for the table between %q and %q", begin, end)
	}
	if !*figures {
		return
	}
	var b strings.Builder
	b.WriteString("| | SQLite | PostgreSQL |\n|---|---|---|\n")
	for _, row := range []struct {
		what, metric string
		run          func(*testing.B, *office)
	}{
		{"ack, what is asked being stored before: p50, ms", "p50-ms", benchAck},
		{"the same: p99, ms", "p99-ms", benchAck},
		{"stored and acknowledged, when many come at once, a second", "envelopes/s", benchEnvelopes},
		{"messages delivered, to as many people, a second", "messages/s", benchOutbox},
	} {
		fmt.Fprintf(&b, "| %s |", row.what)
		for _, address := range []func(testing.TB) string{sqliteFile, storetest.Database} {
			result := testing.Benchmark(func(b *testing.B) { onDatabase(b, address, row.run) })
			figure := result.Extra[row.metric]
			fmt.Fprintf(&b, " %s |", strconv.FormatFloat(figure, 'f', max(0, 2-int(math.Log10(figure))), 64))
		}
		b.WriteString("\n")
	}
	if err := os.WriteFile(path, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func sqliteFile(t testing.TB) string { return "sqlite:" + storetest.File(t) }

// everyDatabase runs a benchmark on each kind of database that there is.
func everyDatabase(b *testing.B, run func(*testing.B, *office)) {
	b.Run(storetest.SQLite, func(b *testing.B) { onDatabase(b, sqliteFile, run) })
	b.Run(storetest.PostgreSQL, func(b *testing.B) { onDatabase(b, storetest.Database, run) })
}

func onDatabase(b *testing.B, address func(testing.TB) string, run func(*testing.B, *office)) {
	o := build(b, slacktest.Options{AckTimeout: time.Minute})
	o.address = address(b)
	run(b, o)
}

// asks types a command that is stored and then refused, and returns how long its
// ack took.
func (o *office) asks(b *testing.B) time.Duration {
	ack, err := o.Command(context.Background(), o.mallory.ID, o.home.ID, "/tidy-up", "octocat")
	if err != nil {
		b.Error(err)
	}
	return ack.After
}

// BenchmarkAck is the time from an envelope to its ack, one after another: what is
// asked is stored in between.
func BenchmarkAck(b *testing.B) { everyDatabase(b, benchAck) }

func benchAck(b *testing.B, o *office) {
	o.begin(tidy(work))
	var took []time.Duration
	for b.Loop() {
		took = append(took, o.asks(b))
	}
	slices.Sort(took)
	for _, percent := range []int{50, 99} {
		b.ReportMetric(float64(took[len(took)*percent/100].Microseconds())/1000, fmt.Sprintf("p%d-ms", percent))
	}
}

// BenchmarkEnvelopes is how many are stored and acknowledged in a second when many
// come at once.
func BenchmarkEnvelopes(b *testing.B) { everyDatabase(b, benchEnvelopes) }

func benchEnvelopes(b *testing.B, o *office) {
	o.begin(tidy(work))
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				o.asks(b)
			}
		})
	}
	wait.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "envelopes/s")
}

// BenchmarkOutbox is how many messages to as many people are delivered in a
// second; to one channel it would be Slack's one a second.
func BenchmarkOutbox(b *testing.B) { everyDatabase(b, benchOutbox) }

func benchOutbox(b *testing.B, o *office) {
	s, err := store.Open(b.Context(), o.address, quiet)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	var c request.Change
	for range b.N {
		c.Messages = append(c.Messages, request.Message{Kind: request.Letter, Body: request.Body{
			Text: "Hello.", For: &request.Asker{Front: "slack", Workspace: o.TeamID, User: o.AddUser(slacktest.User{}).ID},
		}})
	}
	if err := s.Tell(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	if !deliver(b, o, s, time.Minute, emptied(s)) {
		b.Error("not all is delivered after a minute")
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
