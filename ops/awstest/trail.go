package awstest

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Trail is what CloudTrail has recorded in one Region: the management events that LookupEvents finds for 90 days. Each
// account sees its own only.
type Trail struct {
	cloud     *Cloud
	region    string
	perSecond int
	events    []*recordedEvent
	throttles map[string]*throttle // by account
}

// TrailEvent is one recorded call. The zero value of most fields stands for an AssumeRole by an IAM user.
type TrailEvent struct {
	Time     time.Time // zero is now
	Account  string    // whose event it is, that of the user; "" is the Cloud's own
	Username string    // of the IAM user who called

	EventName   string // "" is AssumeRole
	EventSource string // "" is sts.amazonaws.com
	ReadOnly    bool   // AssumeRole always is

	// RoleARN, SessionName and Duration are what AssumeRole was asked for; SessionName of "" is Username, Duration of 0 was not
	// given, which means an hour.
	RoleARN, SessionName string
	Duration             time.Duration

	// ErrorCode is that of a call that failed, such as "AccessDenied": such a call has no response.
	ErrorCode string

	AccessKeyID string         // "" makes one
	ID          string         // "" makes one
	Detail      map[string]any // further members of CloudTrailEvent, or others instead of those that are made
}

type recordedEvent struct {
	TrailEvent
	serial    int64
	resources []answer
	text      string
}

// Trail is CloudTrail's record in a Region; "" is the Cloud's own.
func (c *Cloud) Trail(region string) *Trail {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trail(cmp.Or(region, c.opts.Region))
}

func (c *Cloud) trail(region string) *Trail {
	if c.trails == nil {
		c.trails = map[string]*Trail{}
	}
	t := c.trails[region]
	if t == nil {
		t = &Trail{cloud: c, region: region, perSecond: 2, throttles: map[string]*throttle{}}
		c.trails[region] = t
	}
	return t
}

// SetRate changes how many LookupEvents an account may make a second in this Region, 2 at first as with AWS; 0 is as many as it
// likes.
func (t *Trail) SetRate(perSecond int) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.perSecond = perSecond
	clear(t.throttles)
}

// Add records events. AWS does so some minutes after the call; a Time in the past is all there is to that here.
func (t *Trail) Add(events ...TrailEvent) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	for _, e := range events {
		t.record(e)
	}
	t.cloud.touch()
}

func (t *Trail) record(e TrailEvent) {
	c := t.cloud
	if e.Time.IsZero() {
		e.Time = c.now()
	}
	e.Time = whole(e.Time)
	e.Account = cmp.Or(e.Account, c.opts.Account)
	e.EventName = cmp.Or(e.EventName, "AssumeRole")
	e.EventSource = cmp.Or(e.EventSource, "sts.amazonaws.com")
	e.ReadOnly = e.ReadOnly || e.EventName == "AssumeRole"
	serial := c.next()
	e.ID = cmp.Or(e.ID, stableUUID("event", t.region, strconv.FormatInt(serial, 10)))
	e.AccessKeyID = cmp.Or(e.AccessKeyID, stableID("AKIA", e.Account, e.Username))
	e.SessionName = cmp.Or(e.SessionName, e.Username)
	r := &recordedEvent{TrailEvent: e, serial: serial}
	if e.RoleARN != "" {
		r.resources = []answer{{"ResourceType": "AWS::IAM::Role", "ResourceName": e.RoleARN}}
	}
	text, err := json.Marshal(r.detail(c, t.region))
	if err != nil {
		c.problem("trail event %s: %v", e.EventName, err)
	}
	r.text = string(text)
	t.events = append(t.events, r)
}

// detail is the member CloudTrailEvent.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html#cloudtrail-integration_examples-sts-api
func (r *recordedEvent) detail(c *Cloud, region string) answer {
	who := answer{
		"type": "IAMUser", "principalId": stableID("AIDA", r.Account, r.Username), "accountId": r.Account,
		"arn": "arn:aws:iam::" + r.Account + ":user/" + r.Username, "accessKeyId": r.AccessKeyID, "userName": r.Username,
	}
	if u := c.iam(r.Account).now.user(r.Username); u != nil {
		who["principalId"], who["arn"] = u.ID, u.arn(r.Account)
	}
	d := answer{
		"eventVersion": "1.11", "userIdentity": who, "eventTime": r.Time.Format(time.RFC3339), "eventSource": r.EventSource,
		"eventName": r.EventName, "awsRegion": region, "sourceIPAddress": "192.0.2.1", "userAgent": "aws-cli/2.31.0",
		"requestParameters": nil, "responseElements": nil, "requestID": stableUUID("request", r.ID), "eventID": r.ID,
		"readOnly": r.ReadOnly, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": r.Account,
		"eventCategory": "Management",
	}
	if r.EventName == "AssumeRole" {
		r.assumeRole(d)
	}
	if r.ErrorCode != "" {
		d["errorCode"], d["errorMessage"], d["responseElements"] = r.ErrorCode, r.ErrorCode, nil
	}
	maps.Copy(d, r.Detail)
	return d
}

func (r *recordedEvent) assumeRole(d answer) {
	params := answer{"roleArn": r.RoleARN, "roleSessionName": r.SessionName}
	lives := time.Hour
	if r.Duration > 0 {
		lives = r.Duration
		params["durationSeconds"] = int(lives.Seconds())
	}
	d["requestParameters"] = params
	parts, ok := arnParts(r.RoleARN)
	if !ok {
		return
	}
	name := parts[5][strings.LastIndex(parts[5], "/")+1:]
	d["resources"] = []answer{{"accountId": parts[4], "type": "AWS::IAM::Role", "ARN": r.RoleARN}}
	d["sharedEventID"] = stableUUID("shared", r.ID)
	d["responseElements"] = answer{
		"credentials": answer{
			"accessKeyId": strings.Replace(stableID("AKIA", r.ID), "AKIA", "ASIA", 1), "sessionToken": "FwoGZXIvYXdzE…",
			"expiration": r.Time.Add(lives).Format("Jan 2, 2006 3:04:05 PM"),
		},
		"assumedRoleUser": answer{
			"assumedRoleId": stableID("AROA", r.RoleARN) + ":" + r.SessionName,
			"arn":           "arn:aws:sts::" + parts[4] + ":assumed-role/" + name + "/" + r.SessionName,
		},
	}
}

// newestFirst is the order of LookupEvents.
func newestFirst(a, b *recordedEvent) int {
	return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(b.serial, a.serial))
}

// attribute is the value of one of the keys that events can be looked up by; ok is false for a key there isn't.
func (r *recordedEvent) attribute(key string) (values []string, ok bool) {
	switch key {
	case "EventId":
		return []string{r.ID}, true
	case "EventName":
		return []string{r.EventName}, true
	case "EventSource":
		return []string{r.EventSource}, true
	case "Username":
		return []string{r.Username}, true
	case "AccessKeyId":
		return []string{r.AccessKeyID}, true
	case "ReadOnly":
		return []string{strconv.FormatBool(r.ReadOnly)}, true
	case "ResourceName", "ResourceType":
		for _, resource := range r.resources {
			values = append(values, resource[key].(string))
		}
		return values, true
	}
	return nil, false
}

func (r *recordedEvent) has(key, value string) bool {
	values, _ := r.attribute(key)
	return slices.Contains(values, value)
}
