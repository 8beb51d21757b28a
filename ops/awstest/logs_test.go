package awstest_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// filter searches to the end and returns the messages, and how many events each page had.
func (w *world) filter(in cloudwatchlogs.FilterLogEventsInput) (messages []string, pages []int) {
	w.t.Helper()
	if in.LogGroupName == nil && in.LogGroupIdentifier == nil {
		in.LogGroupName = aws.String(group)
	}
	p := cloudwatchlogs.NewFilterLogEventsPaginator(w.logs(), &in)
	seen := map[string]bool{}
	for p.HasMorePages() {
		page, err := p.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		pages = append(pages, len(page.Events))
		for _, e := range page.Events {
			if seen[*e.EventId] {
				w.t.Errorf("event %s twice", *e.EventId)
			}
			seen[*e.EventId] = true
			messages = append(messages, *e.Message)
		}
	}
	return messages, pages
}

func TestFilterLogEvents(t *testing.T) {
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	w := newWorld(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	for _, e := range []struct{ stream, text string }{
		{"a/1", "START id-1\n"}, {"a/1", "hello id-1 world\n"}, {"b/1", "hello id-2\n"}, {"b/1", "bye id-2 world\n"}, {"a/1", "END id-1\n"},
	} {
		w.PutLogEvent(group, e.stream, e.text)
		now = now.Add(time.Second)
	}
	at := func(s int) *int64 {
		return aws.Int64(time.Date(2026, 11, 22, 10, 0, s, 0, time.UTC).UnixMilli())
	}
	first, all := "START id-1\n", []string{"START id-1\n", "hello id-1 world\n", "hello id-2\n", "bye id-2 world\n", "END id-1\n"}
	for _, test := range []struct {
		name string
		in   cloudwatchlogs.FilterLogEventsInput
		want []string
	}{
		{"everything", cloudwatchlogs.FilterLogEventsInput{}, all},
		{"by the group's name as identifier", cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: aws.String(group)}, all},
		{"by the group's ARN", cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: aws.String("arn:aws:logs:eu-west-2:111111111111:log-group:" + group)}, all},
		{"a quoted term", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"id-1"`)}, []string{first, all[1], all[4]}},
		{"two terms", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"id-1" hello`)}, []string{all[1]}},
		{"a phrase", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"id-1 world"`)}, []string{all[1]}},
		{"one of two terms", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`?START ?bye`)}, []string{first, all[3]}},
		{"a term and not another", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"id-1" -hello`)}, []string{first, all[4]}},
		{"another case", cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`HELLO`)}, nil},
		{"one stream", cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"b/1"}}, all[2:4]},
		{"a stream's prefix", cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("a/")}, []string{first, all[1], all[4]}},
		{"from a time on", cloudwatchlogs.FilterLogEventsInput{StartTime: at(3)}, all[3:]},
		{"up to a time", cloudwatchlogs.FilterLogEventsInput{EndTime: at(1)}, all[:2]},
		{"small pages", cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(2)}, all},
		{
			"latest first",
			cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(3), StartFromHead: aws.Bool(false)},
			[]string{all[4], all[3], all[2], all[1], all[0]},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, _ := w.filter(test.in)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	w.noProblems()
}

func TestFilterLogEventsRefusals(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.PutLogEvent(group, "a", "x")
	_, err := w.logs().FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/other")})
	want(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = w.logs().FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group)},
		func(o *cloudwatchlogs.Options) { o.Region = "us-east-1" })
	want(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	w.noProblems()
	for name, in := range map[string]cloudwatchlogs.FilterLogEventsInput{
		"no group":                   {},
		"two groups":                 {LogGroupName: aws.String(group), LogGroupIdentifier: aws.String(group)},
		"streams and a prefix":       {LogGroupName: aws.String(group), LogStreamNames: []string{"a"}, LogStreamNamePrefix: aws.String("a")},
		"a limit of 10001":           {LogGroupName: aws.String(group), Limit: aws.Int32(10001)},
		"a token of its own making":  {LogGroupName: aws.String(group), NextToken: aws.String("abc")},
		"a UUID without quotes":      {LogGroupName: aws.String(group), FilterPattern: aws.String("7b27cdbf-a5ec")},
		"a quote that isn't closed":  {LogGroupName: aws.String(group), FilterPattern: aws.String(`"a`)},
		"a pattern for JSON records": {LogGroupName: aws.String(group), FilterPattern: aws.String(`{ $.a = 1 }`)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.logs().FilterLogEvents(t.Context(), &in)
			want(t, err, "InvalidParameterException", "")
		})
	}
	if n := len(w.Problems()); n != 3 {
		t.Errorf("problems: %q", w.Problems())
	}
}

func TestATokenBelongsToItsSearch(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.PutLogEvent(group, "a", "x")
	w.PutLogEvent(group, "a", "x")
	out, err := w.logs().FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group), Limit: aws.Int32(1)})
	if err != nil || out.NextToken == nil {
		t.Fatalf("first page: %+v, %v", out, err)
	}
	_, err = w.logs().FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName:  aws.String(group),
		FilterPattern: aws.String("x"), NextToken: out.NextToken,
	})
	want(t, err, "InvalidParameterException", "nextToken")
}

func TestEmptyPagesComeBeforeEvents(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	for range 3 {
		w.PutLogEvent(group, "a", "x")
	}
	w.SetEmptyPages(2)
	messages, pages := w.filter(cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(2)})
	if diff := cmp.Diff([]int{0, 0, 2, 0, 0, 1, 0}, pages); diff != "" || len(messages) != 3 {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestTheLogGroupIsMadeByTheFirstInvocationAndLinesArriveLate(t *testing.T) {
	var ahead atomic.Int64
	w := newWorld(t, awstest.Options{
		Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
		LogLag: func(message string) time.Duration {
			if strings.HasPrefix(message, "REPORT") {
				return 20 * time.Minute
			}
			return 10 * time.Minute
		},
	}, allowAll)
	w.AddFunction(awstest.Function{Name: function, Run: func(inv *awstest.Invocation) {
		inv.Log("INFO", "hello")
		inv.LogWithoutID("ERROR", "stray")
	}})
	_, err := w.logs().FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group)})
	want(t, err, "ResourceNotFoundException", "The specified log group does not exist.")

	_, id := w.invoke(types.InvocationTypeEvent, "{}")
	w.idle(1)
	mine := cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"` + id + `"`)}
	if got, _ := w.filter(mine); len(got) != 0 {
		t.Errorf("at once: %q", got)
	}
	ahead.Store(int64(11 * time.Minute))
	if got, _ := w.filter(mine); len(got) != 3 {
		t.Errorf("after 11 minutes: %q", got)
	}
	ahead.Store(int64(21 * time.Minute))
	got, _ := w.filter(mine)
	inOrder(t, got, id, startLine, `TIME\tID\tINFO\thello\n`, endLine, reportLine)
	if all, _ := w.filter(cloudwatchlogs.FilterLogEventsInput{}); len(all) != 6 {
		t.Errorf("without a pattern: %q", all)
	}
	w.noProblems()
}

// follow reads the log of an invocation as a bot would, until REPORT.
func TestALogIsFollowedToItsReport(t *testing.T) {
	w := newWorld(t, awstest.Options{LogLag: func(string) time.Duration { return 5 * time.Millisecond }}, allowAll)
	gate := make(chan struct{})
	w.AddFunction(awstest.Function{Name: function, Timeout: time.Minute, Run: func(inv *awstest.Invocation) {
		inv.Log("INFO", "one")
		<-gate
		inv.Log("INFO", "two")
	}})
	_, id := w.invoke(types.InvocationTypeEvent, "{}")
	client := w.logs()
	var got []string
	seen := map[string]bool{}
	w.wait("REPORT", func() bool {
		out, err := client.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(group), FilterPattern: aws.String(`"` + id + `"`)})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			if seen[*e.EventId] {
				continue
			}
			seen[*e.EventId] = true
			got = append(got, *e.Message)
			if strings.HasSuffix(*e.Message, "one\n") {
				close(gate)
			}
		}
		return len(got) > 0 && strings.HasPrefix(got[len(got)-1], "REPORT")
	})
	inOrder(t, got, id, startLine, `TIME\tID\tINFO\tone\n`, `TIME\tID\tINFO\ttwo\n`, endLine, reportLine)
	w.noProblems()
}
