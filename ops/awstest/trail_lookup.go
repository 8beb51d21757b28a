package awstest

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// cloudTrailService is CloudTrail, as far as its event history goes.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/Welcome.html
func cloudTrailService() *service {
	return &service{
		name: "cloudtrail",
		wire: jsonWire("Message"),
		action: func(r *request) string { // the older SDKs send the long target, Go's the short one
			const short = "CloudTrail_20131101"
			return cmp.Or(targetAction(short)(r), targetAction("com.amazonaws.cloudtrail.v20131101."+short)(r))
		},
		calls: map[string]call{
			"LookupEvents": jsonCall("LookupEvents", func(*request, *lookupInput) []string { return []string{"*"} }, lookupEvents),
		},
	}
}

type lookupInput struct {
	LookupAttributes   []struct{ AttributeKey, AttributeValue string } `json:",omitempty"`
	StartTime, EndTime *float64                                        `json:",omitempty"`
	MaxResults         *int                                            `json:",omitempty"`
	NextToken          string                                          `json:",omitempty"`
}

// historyDays is how long events are found.
const historyDays = 90

// lookupToken is where the next page begins and which lookup it belongs to.
type lookupToken struct {
	After  int64
	At     int64
	Lookup string
}

// lookupEvents finds the account's events of the Region.
// https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
func lookupEvents(r *request, in *lookupInput) (any, error) {
	t := r.cloud.trail(r.signature.region)
	if t.over(r.who.account) {
		return nil, fail(400, "ThrottlingException", "Rate exceeded")
	}
	size := 50
	switch {
	case in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 50):
		return nil, fail(400, "InvalidMaxResultsException", "The maximum number of results must be between 1 and 50: %d", *in.MaxResults)
	case in.MaxResults != nil:
		size = *in.MaxResults
	}
	if r.cloud.pageSize > 0 {
		size = min(size, r.cloud.pageSize)
	}
	if in.StartTime != nil && in.EndTime != nil && *in.StartTime > *in.EndTime {
		return nil, fail(400, "InvalidTimeRangeException", "The start time is after the end time.")
	}
	if len(in.LookupAttributes) > 1 {
		return nil, fail(400, "InvalidLookupAttributesException", "You can specify only one lookup attribute.")
	}
	for _, a := range in.LookupAttributes {
		if _, ok := new(recordedEvent).attribute(a.AttributeKey); !ok || a.AttributeValue == "" {
			return nil, fail(400, "InvalidLookupAttributesException", "The lookup attribute %s=%q is invalid.", a.AttributeKey, a.AttributeValue)
		}
	}
	at, err := in.at(r)
	if err != nil {
		return nil, err
	}
	found := t.search(r.who.account, in, at)
	out := answer{"Events": []answer{}}
	events := []answer{}
	for _, e := range found[:min(size, len(found))] {
		events = append(events, answer{
			"EventId": e.ID, "EventName": e.EventName, "EventSource": e.EventSource, "Username": e.Username,
			"EventTime": e.Time.Unix(), "ReadOnly": strconv.FormatBool(e.ReadOnly), "AccessKeyId": e.AccessKeyID,
			"Resources": append([]answer{}, e.resources...), "CloudTrailEvent": e.text,
		})
		at.After, at.At = e.serial, e.Time.Unix()
	}
	out["Events"] = events
	if len(found) > size {
		raw, _ := json.Marshal(at)
		out["NextToken"] = base64.StdEncoding.EncodeToString(raw)
	}
	return out, nil
}

// over takes one call out of what the account may make a second.
func (t *Trail) over(account string) bool {
	if t.perSecond == 0 {
		return false
	}
	rate := float64(t.perSecond)
	if t.throttles[account] == nil {
		t.throttles[account] = &throttle{perSecond: rate, tokens: rate, at: t.cloud.now()}
	}
	return !t.throttles[account].take(t.cloud.now())
}

// at reads the token; all other parameters must be those of the first page.
func (in *lookupInput) at(r *request) (at lookupToken, err error) {
	same := *in
	same.NextToken, same.MaxResults = "", nil
	query, _ := json.Marshal(same)
	at = lookupToken{Lookup: hexSum(append(query, r.who.account+r.signature.region...))[:16]}
	if in.NextToken == "" {
		return at, nil
	}
	var given lookupToken
	raw, err := base64.StdEncoding.DecodeString(in.NextToken)
	if err == nil {
		err = json.Unmarshal(raw, &given)
	}
	if err != nil || given.Lookup != at.Lookup {
		return at, fail(400, "InvalidNextTokenException", "Invalid token or the token was used with other parameters.")
	}
	return given, nil
}

// search is what is found, newest first, after the end of the last page.
func (t *Trail) search(account string, in *lookupInput, at lookupToken) []*recordedEvent {
	from, to := t.cloud.now().AddDate(0, 0, -historyDays), t.cloud.now()
	if in.StartTime != nil {
		if start := epoch(*in.StartTime); start.After(from) {
			from = start
		}
	}
	if in.EndTime != nil {
		to = epoch(*in.EndTime)
	}
	last := &recordedEvent{serial: at.After, TrailEvent: TrailEvent{Time: time.Unix(at.At, 0)}}
	var found []*recordedEvent
	for _, e := range t.events {
		switch {
		case e.Account != account, e.Time.Before(from), e.Time.After(to):
		case len(in.LookupAttributes) == 1 && !e.has(in.LookupAttributes[0].AttributeKey, in.LookupAttributes[0].AttributeValue):
		case at.After != 0 && newestFirst(last, e) >= 0:
		default:
			found = append(found, e)
		}
	}
	slices.SortFunc(found, newestFirst)
	return found
}

// epoch is a time as the API's numbers have it, in seconds with a fraction.
func epoch(seconds float64) time.Time {
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9))
}
