package awsaccess_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// notes are what a recorder was told.
type notes struct {
	mu    sync.Mutex
	calls []ops.Call
	by    []string
	fail  func(ops.Call) error
}

func (n *notes) record(_ context.Context, r ops.Request, c ops.Call) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.calls, n.by = append(n.calls, c), append(n.by, r.By)
	if n.fail != nil {
		return n.fail(c)
	}
	return nil
}

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

func TestCallsThatChangeSomethingAreRecordedBeforeAndAfter(t *testing.T) {
	t.Parallel()
	const ann = "ann@example.gov.uk"
	lost := errors.New("disk full")
	for _, test := range []struct {
		name  string
		tags  bool
		cloud func(*awstest.Cloud)
		fail  func(ops.Call) error
		call  func(context.Context, *iam.Client) error
		want  []ops.Call
		fails bool
		tries int // of the call at AWS
	}{
		{
			name: "one that is carried out", tags: true, tries: 1,
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.TagUser(ctx, tag(ann))
				return err
			},
			want: []ops.Call{{Service: "iam", Action: "TagUser", Target: "UserName=" + ann}, {Service: "iam", Action: "TagUser", Target: "UserName=" + ann, Outcome: "done", AWSRequest: "some"}},
		},
		{
			name: "one that AWS refuses", tags: true, fails: true, tries: 1,
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String(ann), AccessKeyId: aws.String("AKIA0000000000000000")})
				return err
			},
			want: []ops.Call{
				{Service: "iam", Action: "DeleteAccessKey", Target: "AccessKeyId=AKIA0000000000000000, UserName=" + ann},
				{Service: "iam", Action: "DeleteAccessKey", Target: "AccessKeyId=AKIA0000000000000000, UserName=" + ann, Outcome: "failed", AWSRequest: "some", Fault: "NoSuchEntity"},
			},
		},
		{
			name: "one whose answer is lost", tags: true, fails: true, tries: 1,
			cloud: func(c *awstest.Cloud) { c.Fail("iam:TagUser", awstest.Fault{CutAfter: true}) },
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.TagUser(ctx, tag(ann))
				return err
			},
			want: []ops.Call{{Service: "iam", Action: "TagUser", Target: "UserName=" + ann}, {Service: "iam", Action: "TagUser", Target: "UserName=" + ann, Outcome: "unknown"}},
		},
		{
			name: "one that AWS answers with a fault of its own", tags: true, fails: true, tries: 1,
			cloud: func(c *awstest.Cloud) { c.Fail("iam:TagUser", awstest.Fault{Status: 500, Code: "ServiceFailure"}) },
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.TagUser(ctx, tag(ann), func(o *iam.Options) { o.RetryMaxAttempts = 1 })
				return err
			},
			want: []ops.Call{{Service: "iam", Action: "TagUser", Target: "UserName=" + ann}, {Service: "iam", Action: "TagUser", Target: "UserName=" + ann, Outcome: "unknown", AWSRequest: "some", Fault: "ServiceFailure"}},
		},
		{
			name: "one whose first answer is lost, and whose second try finds it done", tags: true, fails: true, tries: 2,
			cloud: func(c *awstest.Cloud) { c.Fail("iam:DeleteUser", awstest.Fault{CutAfter: true, Times: 1}) },
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String(ann)}, func(o *iam.Options) {
					o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) { o.MaxBackoff = time.Millisecond })
				})
				return err
			},
			want: []ops.Call{{Service: "iam", Action: "DeleteUser", Target: "UserName=" + ann}, {Service: "iam", Action: "DeleteUser", Target: "UserName=" + ann, Outcome: "unknown", AWSRequest: "some", Fault: "NoSuchEntity"}},
		},
		{
			name: "one that can't be recorded isn't made", tags: true, fails: true,
			fail: func(ops.Call) error { return lost },
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.TagUser(ctx, tag(ann))
				if ops.KindOf(err) != ops.Unavailable || !errors.Is(err, lost) {
					t.Errorf("the error is %v", err)
				}
				return err
			},
			want: []ops.Call{{Service: "iam", Action: "TagUser", Target: "UserName=" + ann}},
		},
		{
			name: "one whose end can't be recorded is no success", tags: true, fails: true, tries: 1,
			fail: func(c ops.Call) error {
				if c.Outcome != "" {
					return lost
				}
				return nil
			},
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.TagUser(ctx, tag(ann))
				return err
			},
			want: []ops.Call{{Service: "iam", Action: "TagUser", Target: "UserName=" + ann}, {Service: "iam", Action: "TagUser", Target: "UserName=" + ann, Outcome: "done", AWSRequest: "some"}},
		},
		{
			name: "not one that only reads", tags: true, tries: 1,
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.GetUser(ctx, &iam.GetUserInput{UserName: aws.String(ann)})
				return err
			},
		},
		{
			name: "not those of a session that only looks", tries: 1,
			call: func(ctx context.Context, c *iam.Client) error {
				_, err := c.TagUser(ctx, tag(ann))
				return err
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cloud, broker := newCloud(t)
			cloud.IAM("222222222222").AddUser(awstest.IAMUser{Name: ann})
			if test.cloud != nil {
				test.cloud(cloud)
			}
			n := &notes{fail: test.fail}
			broker.Record = n.record
			config, err := broker.Session(stage(func(s *awsaccess.Stage) { s.Acts, s.Policy = test.tags, everything }), request("octocat"))
			if err != nil {
				t.Fatal(err)
			}
			if err := test.call(t.Context(), iam.NewFromConfig(config)); (err != nil) != test.fails {
				t.Errorf("the call's error is %v", err)
			}
			for i := range n.calls {
				if n.calls[i].AWSRequest != "" {
					n.calls[i].AWSRequest = "some"
				}
			}
			if diff := cmp.Diff(test.want, n.calls, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("recorded (-want +got)\n%s", diff)
			}
			if slices.ContainsFunc(n.by, func(by string) bool { return by != "octocat" }) {
				t.Errorf("they are recorded of %q", n.by)
			}
			if got := cloud.Count("iam:*"); got != test.tries {
				t.Errorf("AWS was called %d times, want %d", got, test.tries)
			}
		})
	}
}

func tag(user string) *iam.TagUserInput {
	return &iam.TagUserInput{UserName: aws.String(user), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("otters")}}}
}

// Another worker goes on with a request under a lease of its own, with the credentials of
// the one before.
func TestAWorkersCallsAreRecordedUnderItsOwnLease(t *testing.T) {
	t.Parallel()
	cloud, broker := newCloud(t)
	var leases []int64
	broker.Record = func(_ context.Context, r ops.Request, _ ops.Call) error {
		leases = append(leases, r.Lease)
		return nil
	}
	for lease := range int64(3) {
		r := request("octocat")
		r.Lease = lease
		config, err := broker.Session(stage(func(s *awsaccess.Stage) { s.Acts, s.Policy = true, everything }), r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = iam.NewFromConfig(config).TagUser(t.Context(), tag("ann@example.gov.uk"))
	}
	if diff := cmp.Diff([]int64{0, 0, 1, 1, 2, 2}, leases); diff != "" {
		t.Errorf("leases (-want +got):\n%s", diff)
	}
	if n := cloud.Count("sts:AssumeRole"); n != 1 {
		t.Errorf("the role was assumed %d times", n)
	}
}
