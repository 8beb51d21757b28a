package anchor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/anchor"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	role   = "arn:aws:iam::222222222222:role/rootbot-audit-act"
	name   = "rootbot-audit"
	prefix = "rootbot/"
)

var noon = time.Now().UTC().Truncate(time.Second)

func fill(policy string) string {
	return strings.NewReplacer("${bucket}", name, "${prefix}", prefix).Replace(policy)
}

// vault is a bucket with Object Lock, and a role that may do what policy says.
func vault(t *testing.T, policy string) (*awstest.Cloud, anchor.Bucket) {
	t.Helper()
	cloud := awstest.New(awstest.Options{})
	t.Cleanup(cloud.Close)
	cloud.AddRole(awstest.Role{ARN: role, Trust: strings.ReplaceAll(awsaccess.Trust, "${bot_role}", "arn:aws:iam::111111111111:role/rootbot"), Policy: policy})
	cloud.AddBucket(awstest.Bucket{Name: name, Region: "eu-west-2", Account: "222222222222", ObjectLock: true})
	broker := awsaccess.New(aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(cloud.URL()), Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: credentials.NewStaticCredentialsProvider(cloud.AccessKeyID, cloud.SecretAccessKey, ""),
	})
	return cloud, anchor.Bucket{Broker: broker, Role: role, Region: "eu-west-2", Name: name, Prefix: prefix, Retain: 24 * time.Hour}
}

func hash(digit string) string { return strings.Repeat(digit, 64) }

func TestAnchorsAreKeptAndListed(t *testing.T) {
	t.Parallel()
	cloud, b := vault(t, fill(anchor.Policy))
	cloud.SetPageSize(2)
	want := []anchor.Anchor{{9, hash("a")}, {10, hash("b")}, {100, hash("c")}, {1 << 40, hash("d")}, {1 << 40, hash("e")}}
	for _, i := range []int{3, 0, 4, 2, 1, 1} {
		where, err := b.Put(t.Context(), want[i], noon)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(where, "s3://rootbot-audit/rootbot/0000") || !strings.HasSuffix(where, want[i].Hash) {
			t.Errorf("it is at %s", where)
		}
	}
	cloud.AddObject(name, awstest.Object{Key: prefix + "notes.txt"})
	cloud.AddObject(name, awstest.Object{Key: "elsewhere/00000000000000000007-" + hash("f")})
	found, err := b.List(t.Context())
	got := found.Anchors
	if err != nil || len(found.Hidden) > 0 || found.Blind != nil {
		t.Fatal(found, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
	for _, o := range cloud.Objects(name) {
		if strings.HasSuffix(o.Key, hash("a")) && (o.Mode != "COMPLIANCE" || !o.RetainUntil.Equal(noon.Add(24*time.Hour)) || string(o.Body) != "9:"+hash("a")+"\n") {
			t.Errorf("it is kept as %+v", o)
		}
	}
	for _, c := range cloud.Calls() {
		if !c.Allowed {
			t.Errorf("%s was refused", c.Name())
		}
	}
	if problems := cloud.Problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

// Object Lock keeps a version from being deleted, and not from being hidden.
func TestAnchorsBehindDeleteMarkersAreListedAndNamed(t *testing.T) {
	t.Parallel()
	cloud, b := vault(t, fill(anchor.Policy))
	cloud.SetPageSize(1)
	all := []anchor.Anchor{{1, hash("a")}, {2, hash("b")}, {3, hash("c")}}
	for _, a := range all {
		if _, err := b.Put(t.Context(), a, noon); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range cloud.Objects(name)[:2] {
		cloud.RemoveObject(name, o.Key)
	}
	if _, err := b.Put(t.Context(), all[0], noon); err != nil { // it is in front of the marker again
		t.Fatal(err)
	}
	cloud.AddObject(name, awstest.Object{Key: prefix + "00000000000000000004-" + hash("d")})
	gone := cloud.ObjectVersions(name)
	cloud.RemoveObject(name, gone[len(gone)-1].Key)
	cloud.RemoveVersion(name, gone[len(gone)-1].Key, gone[len(gone)-1].VersionID)
	found, err := b.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, found.Anchors); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(all[1:2], found.Hidden); diff != "" {
		t.Errorf("the hidden (-want +got)\n%s", diff)
	}
	if problems := cloud.Problems(); len(problems) > 0 {
		t.Error(problems)
	}
}

func TestEachActionOfThePolicyIsNeeded(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"s3:PutObject\"", "s3:PutObjectRetention", "s3:ListBucket\"", "s3:ListBucketVersions"} {
		t.Run(strings.Trim(action, `"`), func(t *testing.T) {
			t.Parallel()
			without := strings.Replace(action, "s3:", "s3:Not", 1)
			policy := strings.Replace(anchor.Policy, action, without, 1)
			if policy == anchor.Policy {
				t.Fatal("it isn't in the policy")
			}
			cloud, b := vault(t, fill(policy))
			_, put := b.Put(t.Context(), anchor.Anchor{Seq: 1, Hash: hash("a")}, noon)
			if action == "s3:ListBucket\"" {
				cloud.Fail("s3:ListBucketVersions", awstest.Fault{Code: "NotImplemented", Status: 501})
			}
			found, list := b.List(t.Context())
			if put == nil && list == nil && found.Blind == nil {
				t.Error("nothing failed without it")
			}
		})
	}
}

func TestWhereVersionsCannotBeListedTheAnchorsAre(t *testing.T) {
	t.Parallel()
	for code, status := range map[string]int{"NotImplemented": 501, "AccessDenied": 403, "MethodNotAllowed": 405} {
		cloud, b := vault(t, fill(anchor.Policy))
		want := anchor.Anchor{Seq: 1, Hash: hash("a")}
		if _, err := b.Put(t.Context(), want, noon); err != nil {
			t.Fatal(err)
		}
		cloud.Fail("s3:ListBucketVersions", awstest.Fault{Code: code, Status: status})
		found, err := b.List(t.Context())
		if err != nil || len(found.Anchors) != 1 || found.Anchors[0] != want || found.Blind == nil {
			t.Errorf("%s: %+v, %v", code, found, err)
		}
	}
}

func TestWhatIsWrongWithABucketIsSaid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		cloud func(*awstest.Cloud)
		says  string
	}{
		{"there is none", func(c *awstest.Cloud) { c.RemoveBucket(name) }, "there is no bucket rootbot-audit"},
		{"it has no Object Lock", func(c *awstest.Cloud) {
			c.RemoveBucket(name)
			c.AddBucket(awstest.Bucket{Name: name, Region: "eu-west-2", Account: "222222222222"})
		}, "Object Lock"},
		{"S3 is in trouble", func(c *awstest.Cloud) { c.Fail("s3:PutObject", awstest.Fault{Code: "InternalError", Status: 500}) }, "InternalError"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cloud, b := vault(t, fill(anchor.Policy))
			test.cloud(cloud)
			if _, err := b.Put(t.Context(), anchor.Anchor{Seq: 1, Hash: hash("a")}, noon); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v", err)
			}
		})
	}
}
