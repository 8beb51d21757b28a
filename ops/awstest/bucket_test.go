package awstest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func TestObjectsAreListedInPages(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	w.SetPageSize(4)
	var all []string
	for _, key := range []string{"a", "b/1", "b/10", "b/2", "b/a&<b", "b/ü", "c"} {
		w.AddObject(anchors, awstest.Object{Key: key, Body: []byte(key)})
		all = append(all, key)
	}
	w.AddObject(anchors, awstest.Object{Key: "b/hidden"})
	w.RemoveObject(anchors, "b/hidden")
	c, ctx := w.s3(), t.Context()
	for _, test := range []struct {
		name  string
		in    s3.ListObjectsV2Input
		want  []string
		pages []int32
	}{
		{"all", s3.ListObjectsV2Input{}, all, []int32{4, 3}},
		{"by prefix", s3.ListObjectsV2Input{Prefix: aws.String("b/")}, all[1:6], []int32{4, 1}},
		{"after a key", s3.ListObjectsV2Input{Prefix: aws.String("b/"), StartAfter: aws.String("b/10")}, all[3:6], []int32{3}},
		{"in small pages", s3.ListObjectsV2Input{MaxKeys: aws.Int32(3)}, all, []int32{3, 3, 1}},
		{"in pages too large", s3.ListObjectsV2Input{MaxKeys: aws.Int32(5000), Prefix: aws.String("c")}, all[6:], []int32{1}},
		{"none", s3.ListObjectsV2Input{Prefix: aws.String("x")}, nil, []int32{0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			var pages []int32
			test.in.Bucket = aws.String(anchors)
			p := s3.NewListObjectsV2Paginator(c, &test.in)
			for p.HasMorePages() {
				page, err := p.NextPage(ctx)
				check(t, err)
				pages = append(pages, *page.KeyCount)
				for _, o := range page.Contents {
					got = append(got, *o.Key)
					if *o.Size != int64(len(*o.Key)) || o.LastModified.IsZero() || o.ETag == nil {
						t.Errorf("listed %+v", o)
					}
				}
				if *page.MaxKeys > 1000 {
					t.Errorf("MaxKeys is %d", *page.MaxKeys)
				}
				w.AddObject(anchors, awstest.Object{Key: "a", Body: []byte("a")}) // behind what is still to come
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.pages, pages); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
		})
	}
	none, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(anchors), MaxKeys: aws.Int32(0)})
	check(t, err)
	if *none.KeyCount != 0 || *none.MaxKeys != 0 || *none.IsTruncated {
		t.Errorf("a list of nothing is %+v", none)
	}
	for _, in := range []s3.ListObjectsV2Input{{MaxKeys: aws.Int32(-1)}, {ContinuationToken: aws.String("x")}} {
		in.Bucket = aws.String(anchors)
		_, err := c.ListObjectsV2(ctx, &in)
		want(t, err, "InvalidArgument", "")
	}
	first, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(anchors)})
	check(t, err)
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{
		Bucket: aws.String(anchors), Prefix: aws.String("b/"), ContinuationToken: first.NextContinuationToken,
	})
	want(t, err, "InvalidArgument", "continuation token")
	w.noProblems()
}

func TestBucketsThatAreNotThere(t *testing.T) {
	w, _ := newBucket(t, "")
	w.AddBucket(awstest.Bucket{Name: "elsewhere", Region: "eu-west-1", ObjectLock: true})
	c, ctx := w.s3(), t.Context()
	_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("missing"), Key: aws.String("a")})
	want(t, err, "NoSuchBucket", "does not exist") // even for those who may do nothing
	_, err = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("elsewhere")})
	want(t, err, "PermanentRedirect", "specified endpoint")
	_, err = c.PutObject(ctx, put("a", "1"))
	want(t, err, "AccessDenied", "s3:PutObject on resource: arn:aws:s3:::"+anchors+"/a because no identity-based policy")
	w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allowAll})
	w.OnCall("s3:PutObject", func(awstest.Call) { w.RemoveBucket(anchors) })
	_, err = c.PutObject(ctx, put("a", "1"))
	want(t, err, "NoSuchBucket", "")
	w.noProblems()
}

func TestBucketsThatMakeNoSense(t *testing.T) {
	for _, test := range []struct {
		do   func(*awstest.Cloud)
		want string
	}{
		{func(c *awstest.Cloud) { c.AddBucket(awstest.Bucket{Name: "Anchors"}) }, "a name is"},
		{func(c *awstest.Cloud) {
			c.AddBucket(awstest.Bucket{Name: "anchors", Default: awstest.DefaultRetention{Mode: "GOVERNANCE", Days: 1}})
		}, "without Object Lock"},
		{func(c *awstest.Cloud) {
			c.AddBucket(awstest.Bucket{Name: "anchors", ObjectLock: true, Default: awstest.DefaultRetention{Mode: "STRICT", Days: 1}})
		}, "neither GOVERNANCE nor COMPLIANCE"},
		{func(c *awstest.Cloud) {
			c.AddBucket(awstest.Bucket{Name: "anchors", ObjectLock: true, Default: awstest.DefaultRetention{Mode: "COMPLIANCE", Days: 1, Years: 1}})
		}, "either days or years"},
		{func(c *awstest.Cloud) { c.AddBucket(awstest.Bucket{Name: "locked"}) }, "can't be turned off"},
		{func(c *awstest.Cloud) {
			c.AddBucket(awstest.Bucket{Name: "locked", ObjectLock: true, Region: "us-east-1"})
		}, "exists in eu-west-2"},
		{func(c *awstest.Cloud) {
			c.AddBucket(awstest.Bucket{Name: "locked", ObjectLock: true, Default: awstest.DefaultRetention{Mode: "COMPLIANCE", Days: 36501}})
		}, "up to 36500 days"},
		{func(c *awstest.Cloud) {
			c.AddBucket(awstest.Bucket{Name: "versioned", Versioned: true})
			c.AddBucket(awstest.Bucket{Name: "versioned"})
		}, "only be suspended"},
		{func(c *awstest.Cloud) { c.AddObject("locked", awstest.Object{Key: "a", Mode: "COMPLIANCE"}) }, "a mode and a time"},
		{func(c *awstest.Cloud) {
			c.AddObject("locked", awstest.Object{Key: "a", Mode: "STRICT", RetainUntil: day})
		}, "neither GOVERNANCE nor COMPLIANCE"},
		{func(c *awstest.Cloud) {
			c.AddBucket(awstest.Bucket{Name: "plain"})
			c.AddObject("plain", awstest.Object{Key: "a", Mode: "COMPLIANCE", RetainUntil: day})
		}, "without Object Lock"},
		{func(c *awstest.Cloud) { c.AddObject("locked", awstest.Object{Key: "a", Checksum: "md5"}) }, "no checksum md5"},
		{func(c *awstest.Cloud) { c.AddObject("locked", awstest.Object{}) }, "a key has"},
		{func(c *awstest.Cloud) { c.Objects("missing") }, "objects: no such bucket"},
		{func(c *awstest.Cloud) { c.ObjectVersions("missing") }, "object versions: no such bucket"},
		{func(c *awstest.Cloud) { c.Object("missing", "a") }, "object a: no such bucket"},
		{func(c *awstest.Cloud) { c.AddObject("missing", awstest.Object{Key: "a"}) }, "add object a: no such bucket"},
		{func(c *awstest.Cloud) { c.RemoveObject("missing", "a") }, "remove object a: no such bucket"},
		{func(c *awstest.Cloud) { c.RemoveVersion("missing", "a", "1") }, "remove version 1 of a: no such bucket"},
		{func(c *awstest.Cloud) { c.RemoveVersion("locked", "a", "1") }, "no such version"},
		{func(c *awstest.Cloud) { c.Fail("s3:PutObjectRetention", awstest.Fault{}) }, "no service has the action"},
	} {
		t.Run(test.want, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			w.AddBucket(awstest.Bucket{Name: "locked", ObjectLock: true})
			test.do(w.Cloud)
			if p := w.Problems(); len(p) != 1 || !strings.Contains(p[0], test.want) {
				t.Errorf("problems %q don't say %s", p, test.want)
			}
		})
	}
}

func TestHandsOnABucket(t *testing.T) {
	w, now := newBucket(t, allowAll)
	o := w.AddObject(anchors, awstest.Object{
		Key: "a", Body: bytes.Repeat([]byte("a"), 10), Mode: "COMPLIANCE", RetainUntil: now.AddDate(1, 0, 0), Metadata: map[string]string{"a": "b"},
	})
	o.Body[0], o.Metadata["a"] = 'x', "x" // a copy
	if kept, _ := w.Object(anchors, "a"); kept.Body[0] != 'a' || kept.Metadata["a"] != "b" || kept.ContentType != "binary/octet-stream" || kept.Checksum != "crc64nvme" {
		t.Errorf("object is %+v", kept)
	}
	w.RemoveVersion(anchors, "a", o.VersionID)
	if all := w.ObjectVersions(anchors); all != nil {
		t.Errorf("versions are %+v", all)
	}
	w.noProblems()
}
