package awsaccess_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

func TestEachCallIsObservedOnce(t *testing.T) {
	t.Parallel()
	const ann = "ann@example.gov.uk"
	tagging := func(ctx context.Context, config aws.Config) error {
		_, err := iam.NewFromConfig(config).TagUser(ctx, tag(ann))
		return err
	}
	for _, test := range []struct {
		name  string
		fault map[string]awstest.Fault
		broke bool // the recorder
		call  func(context.Context, aws.Config) error
		want  []string
	}{
		{name: "one that is carried out", call: tagging, want: []string{"sts:AssumeRole ok", "iam:TagUser ok"}},
		{
			name: "one that only reads, of a service with another name for IAM",
			call: func(ctx context.Context, config aws.Config) error {
				_, err := cloudwatchlogs.NewFromConfig(config).FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String("/none")})
				return err
			},
			want: []string{"sts:AssumeRole ok", "logs:FilterLogEvents refused"},
		},
		{
			name: "one that is tried three times", fault: map[string]awstest.Fault{"iam:TagUser": {Code: "ServiceFailure", Status: 500, Times: 2}},
			call: func(ctx context.Context, config aws.Config) error {
				config.Retryer = func() aws.Retryer { return eager{} }
				return tagging(ctx, config)
			},
			want: []string{"sts:AssumeRole ok", "iam:TagUser ok"},
		},
		{name: "one in AWS's trouble", fault: map[string]awstest.Fault{"iam:TagUser": {Code: "ServiceFailure", Status: 500}}, call: tagging, want: []string{"sts:AssumeRole ok", "iam:TagUser failed"}},
		{name: "one that is throttled", fault: map[string]awstest.Fault{"iam:TagUser": {Code: "Throttling"}}, call: tagging, want: []string{"sts:AssumeRole ok", "iam:TagUser limited"}},
		{name: "one without an answer", fault: map[string]awstest.Fault{"iam:TagUser": {CutAfter: true}}, call: tagging, want: []string{"sts:AssumeRole ok", "iam:TagUser cut"}},
		{name: "one whose role is refused isn't made", fault: map[string]awstest.Fault{"sts:AssumeRole": {Code: "AccessDenied"}}, call: tagging, want: []string{"sts:AssumeRole refused"}},
		{name: "one that can't be recorded isn't made, though its role was assumed", broke: true, call: tagging, want: []string{"sts:AssumeRole ok"}},
		{
			name: "one that isn't complete isn't made",
			call: func(ctx context.Context, config aws.Config) error {
				_, err := iam.NewFromConfig(config).TagUser(ctx, &iam.TagUserInput{})
				return err
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cloud, broker := newCloud(t)
			cloud.IAM("222222222222").AddUser(awstest.IAMUser{Name: ann})
			for action, fault := range test.fault {
				cloud.Fail(action, fault)
			}
			var mu sync.Mutex
			var got []string
			broker.Observe = func(service, action, outcome string, took time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				got = append(got, service+":"+action+" "+outcome)
				if took <= 0 {
					t.Errorf("%s:%s took %v", service, action, took)
				}
			}
			broker.Record = func(context.Context, ops.Request, ops.Call) error {
				if test.broke {
					return errors.New("disk full")
				}
				return nil
			}
			config, err := broker.Session(stage(func(s *awsaccess.Stage) { s.Acts, s.Policy = true, everything }), request("octocat"))
			if err != nil {
				t.Fatal(err)
			}
			test.call(t.Context(), config)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
