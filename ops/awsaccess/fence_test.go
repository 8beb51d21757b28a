package awsaccess_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// soon is the SDK's own way to try again, without its pauses.
func soon() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 5, time.Microsecond })
}

func TestEachFurtherTryOfARecordedCallIsFenced(t *testing.T) {
	t.Parallel()
	const ann = "ann@example.gov.uk"
	lost, broken := &ops.HaltError{Err: errors.New("somebody else has it")}, errors.New("no database")
	tagging := func(ctx context.Context, c *iam.Client) error {
		_, err := c.TagUser(ctx, tag(ann))
		return err
	}
	reading := func(ctx context.Context, c *iam.Client) error {
		_, err := c.GetUser(ctx, &iam.GetUserInput{UserName: aws.String(ann)})
		return err
	}
	for _, test := range []struct {
		name    string
		looks   bool // its session doesn't act
		faults  int  // of AWS, before it answers well
		cut     bool // each fault comes after the call was carried out
		fence   func(asked int) error
		call    func(context.Context, *iam.Client) error
		asked   int // of the fence
		tries   int // of AWS
		outcome string
		halted  bool
		kind    ops.Kind // of the error; Internal: there is none
	}{
		{name: "the first try was allowed by the record", call: tagging, fence: func(int) error { return lost }, tries: 1, outcome: "done"},
		{name: "who still has the request tries on", faults: 3, call: tagging, fence: func(int) error { return nil }, asked: 3, tries: 4, outcome: "done"},
		{name: "who has lost it doesn't", faults: 3, call: tagging, fence: func(int) error { return lost }, asked: 1, tries: 1, outcome: "unknown", halted: true},
		{
			name: "who loses it between the tries doesn't", faults: 3, cut: true, call: tagging, asked: 2, tries: 2, outcome: "unknown", halted: true,
			fence: func(asked int) error {
				if asked < 2 {
					return nil
				}
				return lost
			},
		},
		{name: "who can't tell doesn't", faults: 3, call: tagging, fence: func(int) error { return broken }, asked: 1, tries: 1, outcome: "unknown", kind: ops.Unavailable},
		{name: "what only reads is tried on", faults: 3, call: reading, fence: func(int) error { return lost }, tries: 4},
		{name: "nobody asks for a session that only looks", looks: true, faults: 3, call: tagging, fence: func(int) error { return lost }, tries: 4},
		{name: "without a fence it is tried on", faults: 3, call: tagging, tries: 4, outcome: "done"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cloud, broker := newCloud(t)
			cloud.IAM("222222222222").AddUser(awstest.IAMUser{Name: ann})
			if test.faults > 0 {
				fault := awstest.Fault{Code: "ServiceFailure", Status: 500, Times: test.faults}
				if test.cut {
					fault = awstest.Fault{CutAfter: true, Times: test.faults}
				}
				cloud.Fail("iam:*", fault)
			}
			n, asked := &notes{}, 0
			broker.Record = n.record
			if test.fence != nil {
				broker.Fence = func(_ context.Context, r ops.Request) error {
					if r.By != "octocat" {
						t.Errorf("the fence is asked about %+v", r)
					}
					asked++
					return test.fence(asked)
				}
			}
			config, err := broker.Session(stage(func(s *awsaccess.Stage) { s.Acts, s.Policy = !test.looks, everything }), request("octocat"))
			if err != nil {
				t.Fatal(err)
			}
			config.Retryer = soon
			err = test.call(t.Context(), iam.NewFromConfig(config))
			if ops.Halted(err) != test.halted || ops.KindOf(err) != test.kind || (err != nil) != (test.halted || test.kind != ops.Internal) {
				t.Errorf("the call's error is %v", err)
			}
			if test.kind != ops.Internal && !errors.Is(err, broken) {
				t.Errorf("the call's error is %v, and its cause isn't told", err)
			}
			if asked != test.asked {
				t.Errorf("the fence was asked %d times, want %d", asked, test.asked)
			}
			if got := cloud.Count("iam:*"); got != test.tries {
				t.Errorf("AWS was called %d times, want %d", got, test.tries)
			}
			outcome := ""
			if len(n.calls) > 0 {
				outcome = n.calls[len(n.calls)-1].Outcome
			}
			if outcome != test.outcome {
				t.Errorf("the record says %q, want %q", outcome, test.outcome)
			}
		})
	}
}
