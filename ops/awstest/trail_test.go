package awstest_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const adminRole = "arn:aws:iam::333333333333:role/Admin"

func (w *world) cloudtrail() *cloudtrail.Client { return cloudtrail.NewFromConfig(w.session()) }

func by(key types.LookupAttributeKey, value string) []types.LookupAttribute {
	return []types.LookupAttribute{{AttributeKey: key, AttributeValue: &value}}
}

func TestAnAssumedRoleIsFound(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	at := time.Now().AddDate(0, 0, -3).UTC().Truncate(time.Second)
	user := w.IAM("").AddUser(awstest.IAMUser{Name: "x@example.org", Path: "/people/"})
	w.Trail("").Add(
		awstest.TrailEvent{Time: at, Username: "x@example.org", RoleARN: adminRole, Duration: 8 * time.Hour},
		awstest.TrailEvent{Time: at, Username: "X@example.org", RoleARN: adminRole},
		awstest.TrailEvent{Time: at, Username: "x@example.org", RoleARN: adminRole, Account: "222222222222"})
	w.Trail("us-east-1").Add(awstest.TrailEvent{Time: at, Username: "x@example.org", RoleARN: adminRole})
	out, err := w.cloudtrail().LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{LookupAttributes: by("Username", "x@example.org")})
	check(t, err)
	if len(out.Events) != 1 || out.NextToken != nil {
		t.Fatalf("got %d events, token %v", len(out.Events), out.NextToken)
	}
	e := out.Events[0]
	if *e.Username != "x@example.org" || *e.EventName != "AssumeRole" || *e.EventSource != "sts.amazonaws.com" || !e.EventTime.Equal(at) ||
		*e.ReadOnly != "true" || *e.Resources[0].ResourceName != adminRole || *e.Resources[0].ResourceType != "AWS::IAM::Role" {
		t.Errorf("event is %+v", e)
	}
	type detail struct {
		EventTime, EventSource, AwsRegion, RecipientAccountId string
		UserIdentity                                          struct{ Type, UserName, Arn, AccountId, PrincipalId string }
		RequestParameters                                     struct {
			RoleArn, RoleSessionName string
			DurationSeconds          int
		}
		ResponseElements struct {
			Credentials     struct{ Expiration string }
			AssumedRoleUser struct{ Arn string }
		}
		ErrorCode string
	}
	var want, got detail
	want.EventTime, want.EventSource, want.AwsRegion, want.RecipientAccountId = at.Format(time.RFC3339), "sts.amazonaws.com", "eu-west-2", account
	want.UserIdentity = struct{ Type, UserName, Arn, AccountId, PrincipalId string }{
		"IAMUser", "x@example.org",
		"arn:aws:iam::111111111111:user/people/x@example.org", account, user.ID,
	}
	want.RequestParameters.RoleArn, want.RequestParameters.RoleSessionName, want.RequestParameters.DurationSeconds = adminRole, "x@example.org", 28800
	want.ResponseElements.Credentials.Expiration = at.Add(8 * time.Hour).Format("Jan 2, 2006 3:04:05 PM")
	want.ResponseElements.AssumedRoleUser.Arn = "arn:aws:sts::333333333333:assumed-role/Admin/x@example.org"
	decode(t, []byte(*e.CloudTrailEvent), &got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CloudTrailEvent (-want +got):\n%s", diff)
	}
	w.noProblems()
}

func TestEventsAreFoundByOneAttributeAndTime(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	w := newWorld(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	trail := w.Trail("eu-west-2")
	trail.SetRate(0)
	trail.Add(
		awstest.TrailEvent{ID: "old", Time: ago(91), Username: "x", RoleARN: adminRole},
		awstest.TrailEvent{ID: "console", Time: ago(20), Username: "x", EventName: "ConsoleLogin", EventSource: "signin.amazonaws.com"},
		awstest.TrailEvent{ID: "first", Time: ago(30), Username: "x", RoleARN: adminRole},
		awstest.TrailEvent{ID: "refused", Time: ago(10), Username: "x", RoleARN: adminRole, ErrorCode: "AccessDenied", AccessKeyID: "AKIAAAAAAAAAAAAAAAAA"},
		awstest.TrailEvent{ID: "other", Time: ago(5), Username: "y", RoleARN: adminRole + "2"},
		awstest.TrailEvent{ID: "future", Time: ago(-1), Username: "x", RoleARN: adminRole})
	c := w.cloudtrail()
	for _, test := range []struct {
		name string
		in   cloudtrail.LookupEventsInput
		want []string // newest first
	}{
		{"all there are", cloudtrail.LookupEventsInput{}, []string{"other", "refused", "console", "first"}},
		{"by user", cloudtrail.LookupEventsInput{LookupAttributes: by("Username", "x")}, []string{"refused", "console", "first"}},
		{"by user and time", cloudtrail.LookupEventsInput{LookupAttributes: by("Username", "x"), StartTime: aws.Time(ago(20)), EndTime: aws.Time(ago(9))}, []string{"refused", "console"}},
		{"long ago", cloudtrail.LookupEventsInput{StartTime: aws.Time(ago(400)), EndTime: aws.Time(ago(90))}, nil},
		{"by name", cloudtrail.LookupEventsInput{LookupAttributes: by("EventName", "AssumeRole")}, []string{"other", "refused", "first"}},
		{"by source", cloudtrail.LookupEventsInput{LookupAttributes: by("EventSource", "signin.amazonaws.com")}, []string{"console"}},
		{"by ID", cloudtrail.LookupEventsInput{LookupAttributes: by("EventId", "first")}, []string{"first"}},
		{"by access key", cloudtrail.LookupEventsInput{LookupAttributes: by("AccessKeyId", "AKIAAAAAAAAAAAAAAAAA")}, []string{"refused"}},
		{"by whether it only read", cloudtrail.LookupEventsInput{LookupAttributes: by("ReadOnly", "false")}, []string{"console"}},
		{"by resource", cloudtrail.LookupEventsInput{LookupAttributes: by("ResourceName", adminRole)}, []string{"refused", "first"}},
		{"by type of resource", cloudtrail.LookupEventsInput{LookupAttributes: by("ResourceType", "AWS::IAM::Role")}, []string{"other", "refused", "first"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			out, err := c.LookupEvents(t.Context(), &test.in)
			check(t, err)
			for _, e := range out.Events {
				got = append(got, *e.EventId)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
	for _, test := range []struct {
		name, code string
		in         cloudtrail.LookupEventsInput
	}{
		{"two attributes", "InvalidLookupAttributesException", cloudtrail.LookupEventsInput{LookupAttributes: append(by("Username", "x"), by("EventName", "y")...)}},
		{"an attribute there isn't", "InvalidLookupAttributesException", cloudtrail.LookupEventsInput{LookupAttributes: by("RoleArn", "x")}},
		{"no results", "InvalidMaxResultsException", cloudtrail.LookupEventsInput{MaxResults: aws.Int32(0)}},
		{"too many results", "InvalidMaxResultsException", cloudtrail.LookupEventsInput{MaxResults: aws.Int32(51)}},
		{"times in the wrong order", "InvalidTimeRangeException", cloudtrail.LookupEventsInput{StartTime: aws.Time(ago(1)), EndTime: aws.Time(ago(2))}},
		{"a token that isn't one", "InvalidNextTokenException", cloudtrail.LookupEventsInput{NextToken: aws.String("x")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.LookupEvents(t.Context(), &test.in)
			want(t, err, test.code, "")
		})
	}
	w.noProblems()
}

func TestEventsArePaged(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	trail := w.Trail("")
	trail.SetRate(0)
	var all []string
	at := time.Now().Add(-time.Hour)
	for n := range 120 {
		id := fmt.Sprintf("event-%03d", n)
		all = append([]string{id}, all...)
		trail.Add(awstest.TrailEvent{ID: id, Time: at.Add(time.Duration(n/7) * time.Second), Username: "x", RoleARN: adminRole})
	}
	var got []string
	var sizes []int
	in := &cloudtrail.LookupEventsInput{LookupAttributes: by("Username", "x"), StartTime: aws.Time(at.AddDate(0, 0, -90))}
	p := cloudtrail.NewLookupEventsPaginator(w.cloudtrail(), in)
	for p.HasMorePages() {
		page, err := p.NextPage(t.Context())
		check(t, err)
		sizes = append(sizes, len(page.Events))
		for _, e := range page.Events {
			got = append(got, *e.EventId)
		}
		trail.Add(awstest.TrailEvent{Username: "x", RoleARN: adminRole}) // newer than all that is still to come
		if page.NextToken != nil {
			other := &cloudtrail.LookupEventsInput{LookupAttributes: by("Username", "y"), NextToken: page.NextToken}
			_, err := w.cloudtrail().LookupEvents(t.Context(), other)
			want(t, err, "InvalidNextTokenException", "other parameters")
		}
	}
	if diff := cmp.Diff(all, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{50, 50, 20}, sizes); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	w.noProblems()
}

func TestTwoLookupsASecond(t *testing.T) {
	now := time.Now()
	w := newWorld(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	london, virginia := w.cloudtrail(), cloudtrail.NewFromConfig(w.session(), func(o *cloudtrail.Options) { o.Region = "us-east-1" })
	lookup := func(c *cloudtrail.Client) string {
		_, err := c.LookupEvents(t.Context(), &cloudtrail.LookupEventsInput{})
		return code(err)
	}
	const no = "ThrottlingException"
	for n, test := range []struct {
		in    *cloudtrail.Client
		after time.Duration
		want  string
	}{
		{london, 0, ""},
		{london, 0, ""},
		{london, 0, no},
		{virginia, 0, ""},
		{virginia, 0, ""},
		{virginia, 0, no},
		{london, 500 * time.Millisecond, ""},
		{london, 0, no},
		{virginia, time.Second, ""},
		{virginia, 0, ""},
		{virginia, 0, no},
	} {
		now = now.Add(test.after)
		if got := lookup(test.in); got != test.want {
			t.Errorf("lookup %d: %q, want %q", n, got, test.want)
		}
	}
	w.Trail("").SetRate(5)
	for range 5 {
		if got := lookup(london); got != "" {
			t.Errorf("with a higher rate: %s", got)
		}
	}
	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allow("cloudtrail:LookupEvents", "", "arn:aws:cloudtrail:*:*:trail/*")})
	if got := lookup(london); got != "AccessDeniedException" {
		t.Errorf("LookupEvents knows no resources, but answers %q", got)
	}
	w.noProblems()
}
