package awstest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func remove(key, version string) *s3.DeleteObjectInput {
	return &s3.DeleteObjectInput{Bucket: aws.String(anchors), Key: aws.String(key), VersionId: aws.String(version)}
}

func TestRetentionKeepsAVersion(t *testing.T) {
	bypass := func(in *s3.DeleteObjectInput) { in.BypassGovernanceRetention = aws.Bool(true) }
	plain := func(*s3.DeleteObjectInput) {}
	const protected = "object protected by object lock"
	for _, test := range []struct {
		name, policy string
		mode         types.ObjectLockMode
		after        time.Duration
		change       func(*s3.DeleteObjectInput)
		want         string
	}{
		{"compliance", allowAll, types.ObjectLockModeCompliance, 0, plain, protected},
		{"compliance, bypassed", allowAll, types.ObjectLockModeCompliance, 0, bypass, protected},
		{"compliance, a moment before the end", allowAll, types.ObjectLockModeCompliance, time.Hour - time.Millisecond, plain, protected},
		{"compliance, at the end", allowAll, types.ObjectLockModeCompliance, time.Hour, plain, ""},
		{"governance", allowAll, types.ObjectLockModeGovernance, 0, plain, protected},
		{"governance, bypassed", allowAll, types.ObjectLockModeGovernance, 0, bypass, ""},
		{"governance, at the end", allowAll, types.ObjectLockModeGovernance, time.Hour, plain, ""},
		{
			"governance, bypassed without permission", allow("s3:DeleteObjectVersion", "", "*"), types.ObjectLockModeGovernance, 0, bypass,
			"s3:BypassGovernanceRetention on resource: arn:aws:s3:::" + anchors + "/a",
		},
		{
			"without permission for a version", allow("s3:DeleteObject", "", "*"), types.ObjectLockModeGovernance, time.Hour, plain,
			"s3:DeleteObjectVersion on resource: arn:aws:s3:::" + anchors + "/a",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, now := newBucket(t, test.policy)
			*now = now.Truncate(time.Millisecond)
			o := w.AddObject(anchors, awstest.Object{Key: "a", Mode: string(test.mode), RetainUntil: now.Add(time.Hour)})
			*now = now.Add(test.after)
			in := remove("a", o.VersionID)
			test.change(in)
			_, err := w.s3().DeleteObject(t.Context(), in)
			left := w.ObjectVersions(anchors)
			if test.want == "" {
				check(t, err)
				if len(left) != 0 {
					t.Errorf("still there: %+v", left)
				}
			} else {
				want(t, err, "AccessDenied", test.want)
				if diff := cmp.Diff([]awstest.Object{o}, left); diff != "" {
					t.Errorf("versions (-want +got):\n%s", diff)
				}
			}
			w.noProblems()
		})
	}
}

func TestRetentionHidesNothing(t *testing.T) {
	w, now := newBucket(t, allowAll)
	o := w.AddObject(anchors, awstest.Object{Key: "a", Body: []byte("1"), Mode: "COMPLIANCE", RetainUntil: now.Add(time.Hour)})
	c := w.s3()
	_, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(anchors), Key: aws.String("a")})
	check(t, err)
	_, err = c.PutObject(t.Context(), put("a", "2"))
	check(t, err)
	all := w.ObjectVersions(anchors)
	if len(all) != 3 || cmp.Diff(o, all[2]) != "" || !all[1].DeleteMarker || all[1].Mode != "" || all[0].Mode != "" {
		t.Errorf("versions are %+v", all)
	}
	w.noProblems()
}

func TestRetentionsThatAreRefused(t *testing.T) {
	for _, test := range []struct {
		name, bucket string
		change       func(*s3.PutObjectInput, time.Time)
		code, part   string
	}{
		{"without Object Lock", "plain", func(*s3.PutObjectInput, time.Time) {}, "InvalidRequest", "Bucket is missing Object Lock Configuration"},
		{"a mode alone", anchors, func(in *s3.PutObjectInput, _ time.Time) { in.ObjectLockRetainUntilDate = nil }, "InvalidArgument", "must both be supplied"},
		{"a time alone", anchors, func(in *s3.PutObjectInput, _ time.Time) { in.ObjectLockMode = "" }, "InvalidArgument", "must both be supplied"},
		{"an unknown mode", anchors, func(in *s3.PutObjectInput, _ time.Time) { in.ObjectLockMode = "STRICT" }, "InvalidArgument", "wormMode"},
		{"until now", anchors, func(in *s3.PutObjectInput, now time.Time) { in.ObjectLockRetainUntilDate = &now }, "InvalidArgument", "must be in the future!"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, now := newBucket(t, allowAll)
			*now = now.Truncate(time.Millisecond)
			w.AddBucket(awstest.Bucket{Name: "plain", Versioned: true})
			in := put("a", "1", lock(types.ObjectLockModeCompliance, now.Add(time.Hour)))
			in.Bucket = aws.String(test.bucket)
			test.change(in, *now)
			_, err := w.s3().PutObject(t.Context(), in)
			want(t, err, test.code, test.part)
			if all := w.ObjectVersions(test.bucket); len(all) != 0 {
				t.Errorf("written all the same: %+v", all)
			}
			w.noProblems()
		})
	}
}

func TestRetentionNeedsAChecksum(t *testing.T) {
	w, now := newBucket(t, allowAll)
	locked := lock(types.ObjectLockModeCompliance, now.Add(time.Hour))
	c, ctx := s3.NewFromConfig(w.session()), t.Context() // a configuration made by hand, which makes the SDK send none
	refused := func() {
		t.Helper()
		_, err := c.PutObject(ctx, put("a", "hello", locked))
		want(t, err, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required")
	}
	refused()
	_, err := c.PutObject(ctx, put("a", "hello"))
	check(t, err)
	_, err = c.PutObject(ctx, put("a", "hello", locked, func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = types.ChecksumAlgorithmSha256 }))
	check(t, err)
	_, err = c.PutObject(ctx, put("a", "hello", locked, func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String("XUFAKrxLKna5cZ2REBfFkg==") }))
	check(t, err)
	w.AddBucket(awstest.Bucket{Name: anchors, ObjectLock: true, Default: awstest.DefaultRetention{Mode: "GOVERNANCE", Days: 1}})
	locked = func(*s3.PutObjectInput) {}
	refused()
	w.noProblems()
}

func TestDefaultRetention(t *testing.T) {
	policy := allow("s3:*Object*", "", "*")
	w, now := newBucket(t, policy[:len(policy)-2]+","+statement("Deny", "s3:PutObjectRetention", "", "*")+"]}")
	c, ctx := w.s3(), t.Context()
	for _, test := range []struct {
		give awstest.DefaultRetention
		want time.Time
	}{
		{awstest.DefaultRetention{Mode: "GOVERNANCE", Days: 30}, now.AddDate(0, 0, 30)},
		{awstest.DefaultRetention{Mode: "COMPLIANCE", Years: 7}, now.AddDate(7, 0, 0)},
	} {
		w.AddBucket(awstest.Bucket{Name: anchors, ObjectLock: true, Default: test.give})
		_, err := c.PutObject(ctx, put("a", "1"))
		check(t, err)
		if o, _ := w.Object(anchors, "a"); o.Mode != test.give.Mode || !o.RetainUntil.Equal(test.want.Truncate(time.Millisecond)) {
			t.Errorf("%+v made %s until %s, want %s", test.give, o.Mode, o.RetainUntil, test.want)
		}
		out, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: aws.String(anchors)})
		check(t, err)
		given := awstest.DefaultRetention{
			Mode: string(out.ObjectLockConfiguration.Rule.DefaultRetention.Mode),
			Days: int(aws.ToInt32(out.ObjectLockConfiguration.Rule.DefaultRetention.Days)), Years: int(aws.ToInt32(out.ObjectLockConfiguration.Rule.DefaultRetention.Years)),
		}
		if given != test.give || out.ObjectLockConfiguration.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
			t.Errorf("configuration is %+v, want %+v", given, test.give)
		}
	}
	_, err := c.PutObject(ctx, put("a", "1", lock(types.ObjectLockModeGovernance, now.Add(time.Hour))))
	want(t, err, "AccessDenied", "s3:PutObjectRetention on resource: arn:aws:s3:::"+anchors+"/a with an explicit deny")
	w.noProblems()
}

func TestConfigurationOfABucket(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	w.AddBucket(awstest.Bucket{Name: "plain"})
	c, ctx := w.s3(), t.Context()
	_, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: aws.String("plain")})
	want(t, err, "ObjectLockConfigurationNotFoundError", "does not exist")
	out, err := c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: aws.String(anchors)})
	check(t, err)
	if out.ObjectLockConfiguration.Rule != nil || out.ObjectLockConfiguration.ObjectLockEnabled != "Enabled" {
		t.Errorf("configuration is %+v", out.ObjectLockConfiguration)
	}
	versioning, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String(anchors)})
	check(t, err)
	if versioning.Status != types.BucketVersioningStatusEnabled {
		t.Errorf("versioning is %q", versioning.Status)
	}
	head, err := c.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: aws.String(anchors), ExpectedBucketOwner: aws.String(account)})
	check(t, err)
	if *head.BucketRegion != "eu-west-2" {
		t.Errorf("bucket is %+v", head)
	}
	_, err = c.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{
		Bucket: aws.String(anchors), ExpectedBucketOwner: aws.String("222222222222"),
	})
	want(t, err, "AccessDenied", "Access Denied")
	if n := strings.Count(strings.Join(names(w), " "), "s3:GetBucketObjectLockConfiguration"); n != 3 {
		t.Errorf("the ledger has %v", names(w))
	}
	w.noProblems()
}

func names(w *world) []string {
	var all []string
	for _, call := range w.Calls() {
		all = append(all, call.Name())
	}
	return all
}
