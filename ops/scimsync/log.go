package scimsync

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/aws-root-account/rootbot/ops"
)

// event is one line of the function's log.
type event struct {
	id, stream string
	at         time.Time
	text       string
}

// events reads the log from a time on: all that matches the pattern and, where
// stream isn't empty, stands in that stream. Pages may be empty and yet have a
// successor; the paginator goes on. The limit of the SDK's own retries applies.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func (o *operation) events(ctx context.Context, r ops.Request, pattern, stream string, from, to time.Time) ([]event, error) {
	session, err := o.acting(r)
	if err != nil {
		return nil, err
	}
	client := cloudwatchlogs.NewFromConfig(session, func(c *cloudwatchlogs.Options) {
		c.APIOptions = append(c.APIOptions, o.awsLimit.Option)
	})
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(o.settings.logGroup()), StartTime: aws.Int64(from.UnixMilli())}
	if pattern != "" {
		in.FilterPattern = aws.String(`"` + pattern + `"`)
	}
	if stream != "" {
		in.LogStreamNames = []string{stream}
	}
	if !to.IsZero() {
		in.EndTime = aws.Int64(to.UnixMilli())
	}
	var events []event
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(client, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the log of %s: %w", o.settings.Function, err)
		}
		for _, e := range page.Events {
			// Lambda's note about the runtime belongs to the stream, not to a run.
			if strings.HasPrefix(aws.ToString(e.Message), "INIT_START ") {
				continue
			}
			events = append(events, event{
				id: aws.ToString(e.EventId), stream: aws.ToString(e.LogStreamName),
				at: time.UnixMilli(aws.ToInt64(e.Timestamp)).UTC(), text: strings.TrimRight(aws.ToString(e.Message), "\n\t "),
			})
		}
	}
	// Streams are merged by time only.
	slices.SortStableFunc(events, func(a, b event) int { return a.at.Compare(b.at) })
	return events, nil
}

// starts lists the request IDs of the runs that the log shows since a time.
func (o *operation) starts(ctx context.Context, r ops.Request, since time.Time) ([]string, error) {
	var ids []string
	for _, pattern := range []string{"START RequestId", "platform.start"} {
		events, err := o.events(ctx, r, pattern, "", since.Add(-time.Second), time.Time{})
		if isNoLog(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if said := parseEntry(e.text); said.start && said.id != "" && !slices.Contains(ids, said.id) {
				ids = append(ids, said.id)
			}
		}
	}
	return ids, nil
}

func isNoLog(err error) bool {
	_, ok := errors.AsType[*types.ResourceNotFoundException](err)
	return ok
}

// reading is one line as people see it.
func (o *operation) reading(e event, g grammar, names Directory) (ops.Line, phrase, entry) {
	said := parseEntry(e.text)
	p := g.parse(said.message)
	line := ops.Line{Key: e.id, At: e.at, Level: ops.Info, Text: names.annotate(said.message, p)}
	switch {
	case said.level == "ERROR" || said.failed != "" || said.faultIn(p) != "":
		line.Level = ops.Failure
	case said.level == "WARN" || p.name == dryRun:
		line.Level = ops.Warning
	case p.name == mention:
		line.Level = ops.Reading
	case p.name != "":
		line.Level = ops.Change
	}
	return line, p, said
}

// annotate puts names beside the IDs of a message: "group platform (a1b2…)".
// A membership, which has no name, is told by its user and group.
func (d Directory) annotate(message string, p phrase) string {
	slices.SortFunc(p.at, func(a, b span) int { return b.start - a.start })
	for _, s := range p.at {
		id := message[s.start:s.end]
		text := id
		switch s.kind {
		case "user":
			text = d.user(id)
		case "group":
			text = d.group(id)
		case "membership":
			if m, ok := d.Memberships[id]; ok {
				text = fmt.Sprintf("%s of user %s in group %s", id, d.user(m.User), d.group(m.Group))
			}
		}
		message = message[:s.start] + text + message[s.end:]
	}
	return message
}

// knows tells whether all IDs that a phrase names are known.
func (d Directory) knows(p phrase) bool {
	if id := p.args["user"]; id != "" && id != "undefined" && d.Users[id].Login == "" {
		return false
	}
	id := p.args["group"]
	return id == "" || id == "undefined" || d.Groups[id] != ""
}
