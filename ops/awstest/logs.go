package awstest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// logsService is the CloudWatch Logs API.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
func logsService() *service {
	return &service{
		name:   "logs",
		wire:   jsonWire("message"),
		action: targetAction("Logs_20140328"),
		calls: map[string]call{
			"FilterLogEvents": jsonCall("FilterLogEvents",
				func(r *request, in *filterInput) []string {
					k, _ := in.key(r)
					return []string{"arn:aws:logs:" + k.region + ":" + k.account + ":log-group:" + k.name + ":log-stream:"}
				},
				filterLogEvents),
		},
	}
}

type logGroup struct {
	streams []string
	events  []logEvent
}

type logEvent struct {
	serial              int64
	stream, message     string
	timestamp, ingested int64 // milliseconds
}

// AddLogGroup makes an empty log group in the Cloud's account and Region; Lambda makes its own at the first invocation.
func (c *Cloud) AddLogGroup(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logGroup(resourceKey{c.opts.Account, c.opts.Region, name})
}

// PutLogEvent writes an event now, into a log group of the Cloud's account and Region; group and stream are made as needed.
func (c *Cloud) PutLogEvent(group, stream, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(resourceKey{c.opts.Account, c.opts.Region, group}, stream, message)
}

// SetLogLag changes Options.LogLag for events to come; nil is no lag.
func (c *Cloud) SetLogLag(lag func(message string) time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logLag = lag
}

// SetEmptyPages makes FilterLogEvents answer n empty pages with a token before every page with events, and end with an empty
// page: that is how CloudWatch Logs behaves when it has much to search. 0, the start, is none.
func (c *Cloud) SetEmptyPages(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.emptyPages = n
}

// Log is everything that was written to a log group of the Cloud's account and Region, in order, whether it can be found yet
// or not.
func (c *Cloud) Log(group string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	if g := c.groups[resourceKey{c.opts.Account, c.opts.Region, group}]; g != nil {
		for _, e := range g.events {
			all = append(all, e.message)
		}
	}
	return all
}

func (c *Cloud) logGroup(k resourceKey) *logGroup {
	g := c.groups[k]
	if g == nil {
		g = &logGroup{}
		c.groups[k] = g
	}
	return g
}

func (c *Cloud) write(k resourceKey, stream, message string) {
	g := c.logGroup(k)
	if !slices.Contains(g.streams, stream) {
		g.streams = append(g.streams, stream)
	}
	now := c.now()
	var lag time.Duration
	if c.logLag != nil {
		lag = c.logLag(message)
	}
	g.events = append(g.events, logEvent{
		serial: c.next(), stream: stream, message: message,
		timestamp: now.UnixMilli(), ingested: now.Add(lag).UnixMilli(),
	})
	c.touch()
	if lag > 0 {
		time.AfterFunc(lag, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.touch()
		})
	}
}

type filterInput struct {
	LogGroupName        string   `json:"logGroupName"`
	LogGroupIdentifier  string   `json:"logGroupIdentifier"`
	LogStreamNames      []string `json:"logStreamNames"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	StartTime           *int64   `json:"startTime"`
	EndTime             *int64   `json:"endTime"`
	FilterPattern       string   `json:"filterPattern"`
	NextToken           string   `json:"nextToken"`
	Limit               *int     `json:"limit"`
	Interleaved         *bool    `json:"interleaved"`
	StartFromHead       *bool    `json:"startFromHead"`
}

// key is the log group that is meant; ok is false when none or two are named.
func (in *filterInput) key(r *request) (k resourceKey, ok bool) {
	k = resourceKey{r.who.account, r.signature.region, in.LogGroupName}
	if in.LogGroupIdentifier != "" {
		k.name = in.LogGroupIdentifier
		if parts, isARN := arnParts(in.LogGroupIdentifier); isARN {
			k.account, k.region, k.name = parts[4], parts[3], strings.TrimPrefix(parts[5], "log-group:")
		}
	}
	return k, (in.LogGroupName == "") != (in.LogGroupIdentifier == "")
}

// logPage is what a token of FilterLogEvents stands for: where the search goes on, and for which search.
type logPage struct {
	Query  string
	After  int64 // serial of the last event that was found; 0 is none
	At     int64 // its time
	Served int   // empty pages since
	Last   bool  // only the empty page at the end is left
}

// filterLogEvents searches a log group for what has arrived in it. Times are inclusive at both ends.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func filterLogEvents(r *request, in *filterInput) (any, error) {
	invalid := func(format string, args ...any) error { return fail(400, "InvalidParameterException", format, args...) }
	k, ok := in.key(r)
	switch {
	case !ok:
		return nil, invalid("Exactly one of logGroupName and logGroupIdentifier must be specified")
	case in.LogStreamNames != nil && in.LogStreamNamePrefix != "":
		return nil, invalid("logStreamNamePrefix and logStreamNames can't both be specified")
	case in.LogStreamNames != nil && (len(in.LogStreamNames) == 0 || len(in.LogStreamNames) > 100):
		return nil, invalid("%s", constraint("logStreamNames", "…", "have length between 1 and 100"))
	case in.Limit != nil && (*in.Limit < 1 || *in.Limit > 10000):
		return nil, invalid("%s", constraint("limit", fmt.Sprint(*in.Limit), "have value between 1 and 10000"))
	case len(in.FilterPattern) > 1024:
		return nil, invalid("%s", constraint("filterPattern", in.FilterPattern, "have length less than or equal to 1024"))
	case k.account != r.who.account || k.region != r.signature.region:
		return nil, fail(400, "ResourceNotFoundException", "The specified log group does not exist.")
	}
	pattern, err := parseFilterPattern(in.FilterPattern)
	if err != nil {
		r.cloud.problem("%s: filter pattern %q: %v", r.name(), in.FilterPattern, err)
		return nil, invalid("Invalid filter pattern: %v", err)
	}
	g := r.cloud.groups[k]
	if g == nil {
		return nil, fail(400, "ResourceNotFoundException", "The specified log group does not exist.")
	}
	for _, name := range in.LogStreamNames {
		if !slices.Contains(g.streams, name) {
			return nil, fail(400, "ResourceNotFoundException", "The specified log stream does not exist.")
		}
	}
	at := logPage{Query: in.query(k)}
	if in.NextToken != "" {
		raw, err := base64.RawURLEncoding.DecodeString(in.NextToken)
		if err != nil || json.Unmarshal(raw, &at) != nil || at.Query != in.query(k) {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	backwards := in.StartFromHead != nil && !*in.StartFromHead
	found := g.search(in, pattern, r.cloud.now().UnixMilli(), at, backwards)
	return r.logAnswer(in, at, found), nil
}

// logAnswer is one page of what was found.
func (r *request) logAnswer(in *filterInput, at logPage, found []logEvent) any {
	out := answer{"events": []answer{}, "searchedLogStreams": []answer{}}
	token := func(p logPage) answer {
		raw, _ := json.Marshal(p)
		out["nextToken"] = base64.RawURLEncoding.EncodeToString(raw)
		return out
	}
	if at.Last {
		return out
	}
	if at.Served < r.cloud.emptyPages {
		at.Served++
		return token(at)
	}
	limit := 10000
	if in.Limit != nil {
		limit = *in.Limit
	}
	more := len(found) > limit
	found = found[:min(limit, len(found))]
	events := []answer{}
	for _, e := range found {
		events = append(events, answer{
			"eventId": fmt.Sprintf("%056d", e.serial), "ingestionTime": e.ingested,
			"timestamp": e.timestamp, "logStreamName": e.stream, "message": e.message,
		})
		at.After, at.At, at.Served = e.serial, e.timestamp, 0
	}
	out["events"] = events
	switch {
	case more:
		return token(at)
	case r.cloud.emptyPages > 0:
		at.Last = true
		return token(at)
	}
	return out
}

// query names the search a token belongs to.
func (in *filterInput) query(k resourceKey) string {
	in2 := *in
	in2.NextToken, in2.Limit = "", nil
	raw, _ := json.Marshal(in2)
	return hexSum(append(raw, fmt.Sprint(k)...))[:16]
}

// search returns the events that match and have arrived, in order, from where the last page ended.
func (g *logGroup) search(in *filterInput, pattern filterPattern, now int64, at logPage, backwards bool) []logEvent {
	order := func(a, b logEvent) int {
		c := cmp.Or(cmp.Compare(a.timestamp, b.timestamp), cmp.Compare(a.serial, b.serial))
		if backwards {
			return -c
		}
		return c
	}
	var found []logEvent
	for _, e := range g.events {
		switch {
		case e.ingested > now,
			in.StartTime != nil && e.timestamp < *in.StartTime,
			in.EndTime != nil && e.timestamp > *in.EndTime,
			in.LogStreamNames != nil && !slices.Contains(in.LogStreamNames, e.stream),
			!strings.HasPrefix(e.stream, in.LogStreamNamePrefix),
			!pattern.match(e.message),
			at.After > 0 && order(e, logEvent{timestamp: at.At, serial: at.After}) <= 0:
			continue
		}
		found = append(found, e)
	}
	slices.SortFunc(found, order)
	return found
}
