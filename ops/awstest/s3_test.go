package awstest_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const anchors = "rootbot-audit-anchors"

// s3Config is a session's configuration with what the SDK's own loading sets: checksums wherever they are possible.
func (w *world) s3Config() aws.Config {
	w.t.Helper()
	cfg := w.session()
	cfg.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
	cfg.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	return cfg
}

func (w *world) s3() *s3.Client { return s3.NewFromConfig(w.s3Config()) }

// newBucket is a world with a bucket under Object Lock and a clock that can be set.
func newBucket(t *testing.T, policy string) (w *world, now *time.Time) {
	t.Helper()
	at := time.Now()
	w = newWorld(t, awstest.Options{Now: func() time.Time { return at }}, policy)
	w.AddBucket(awstest.Bucket{Name: anchors, ObjectLock: true})
	return w, &at
}

func put(key, body string, change ...func(*s3.PutObjectInput)) *s3.PutObjectInput {
	in := &s3.PutObjectInput{Bucket: aws.String(anchors), Key: aws.String(key), Body: strings.NewReader(body)}
	for _, f := range change {
		f(in)
	}
	return in
}

// lock asks for a retention.
func lock(mode types.ObjectLockMode, until time.Time) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.ObjectLockMode, in.ObjectLockRetainUntilDate = mode, &until }
}

func once(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func get(key string) *s3.GetObjectInput {
	return &s3.GetObjectInput{Bucket: aws.String(anchors), Key: aws.String(key)}
}

func read(t *testing.T, r io.ReadCloser) string {
	t.Helper()
	defer r.Close()
	b, err := io.ReadAll(r)
	check(t, err)
	return string(b)
}

func TestAnAnchorIsWrittenAndReadBack(t *testing.T) {
	w, now := newBucket(t, allowAll)
	c, ctx := w.s3(), t.Context()
	const key, body = "anchors/2026/a b+c=%é//1.json", `{"head":"abc"}`
	until := now.AddDate(1, 0, 0).UTC().Truncate(time.Millisecond)
	made, err := c.PutObject(ctx, put(key, body, lock(types.ObjectLockModeCompliance, until), once, func(in *s3.PutObjectInput) {
		in.ContentType = aws.String("application/json")
		in.Metadata = map[string]string{"sequence": "17", "Head": "abc"}
	}))
	check(t, err)
	if made.VersionId == nil || made.ETag == nil || made.ChecksumCRC32 == nil || made.ServerSideEncryption != types.ServerSideEncryptionAes256 {
		t.Errorf("put answers %+v", made)
	}
	got, err := c.GetObject(ctx, get(key))
	check(t, err)
	if text := read(t, got.Body); text != body || *got.ContentType != "application/json" || *got.ContentLength != int64(len(body)) ||
		*got.VersionId != *made.VersionId || *got.ETag != *made.ETag || *got.ChecksumCRC32 != *made.ChecksumCRC32 ||
		got.ObjectLockMode != types.ObjectLockModeCompliance || !got.ObjectLockRetainUntilDate.Equal(until) ||
		!got.LastModified.Equal(now.Truncate(time.Second)) || cmp.Diff(map[string]string{"sequence": "17", "head": "abc"}, got.Metadata) != "" {
		t.Errorf("got %q, %+v", text, got)
	}
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(anchors), Key: aws.String(key), VersionId: made.VersionId})
	check(t, err)
	if *head.ContentLength != int64(len(body)) || !head.ObjectLockRetainUntilDate.Equal(until) || *head.VersionId != *made.VersionId || head.ChecksumCRC32 != nil {
		t.Errorf("head is %+v", head)
	}
	o, ok := w.Object(anchors, key)
	want := awstest.Object{
		Key: key, Body: []byte(body), ContentType: "application/json", Metadata: map[string]string{"sequence": "17", "head": "abc"},
		Mode: "COMPLIANCE", RetainUntil: until, Checksum: "crc32", VersionID: *made.VersionId, ETag: *made.ETag,
		Modified: now.UTC().Truncate(time.Second),
	}
	if diff := cmp.Diff(want, o); diff != "" || !ok {
		t.Errorf("object (-want +got):\n%s", diff)
	}
	var params map[string]string
	for _, call := range w.Calls() {
		if call.Name() == "s3:PutObject" {
			decode(t, call.Params, &params)
		}
	}
	if params["Bucket"] != anchors || params["Key"] != key || params["x-amz-object-lock-mode"] != "COMPLIANCE" || params["if-none-match"] != "*" {
		t.Errorf("the ledger has %v", params)
	}
	w.noProblems()
}

func TestTheEndpointIsAllThatIsSet(t *testing.T) {
	w := newWorld(t, awstest.Options{Policy: allowAll}, "")
	w.AddBucket(awstest.Bucket{Name: anchors, ObjectLock: true})
	for _, name := range []string{"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL_S3"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	for _, pair := range w.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
	cfg, err := config.LoadDefaultConfig(t.Context())
	check(t, err)
	c := s3.NewFromConfig(cfg)
	_, err = c.PutObject(t.Context(), put("a", "hello", lock(types.ObjectLockModeGovernance, time.Now().Add(time.Hour))))
	check(t, err)
	got, err := c.GetObject(t.Context(), get("a"))
	check(t, err)
	if text := read(t, got.Body); text != "hello" {
		t.Errorf("got %q", text)
	}
	w.noProblems()
}

func TestBucketInTheHostName(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	cfg := w.s3Config()
	there := strings.TrimPrefix(w.URL(), "http://")
	cfg.BaseEndpoint = aws.String("http://localhost:" + there[strings.Index(there, ":")+1:])
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !strings.HasPrefix(addr, anchors+".localhost:") {
			t.Errorf("dials %s", addr)
		}
		return new(net.Dialer).DialContext(ctx, network, there)
	}}}
	c := s3.NewFromConfig(cfg)
	_, err := c.PutObject(t.Context(), put("a/b", "hello"))
	check(t, err)
	if o, ok := w.Object(anchors, "a/b"); !ok || string(o.Body) != "hello" {
		t.Errorf("object is %+v", o)
	}
	_, err = c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(anchors)})
	check(t, err)
	w.noProblems()
}

func TestWritesOnlyOnce(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	c, ctx := w.s3(), t.Context()
	first, err := c.PutObject(ctx, put("a", "1", once))
	check(t, err)
	_, err = c.PutObject(ctx, put("a", "2", once))
	want(t, err, "PreconditionFailed", "pre-conditions")
	second, err := c.PutObject(ctx, put("a", "2"))
	check(t, err)
	if *first.VersionId == *second.VersionId {
		t.Error("two versions have one ID")
	}
	w.RemoveObject(anchors, "a")
	third, err := c.PutObject(ctx, put("a", "3", once))
	check(t, err)
	_, err = c.PutObject(ctx, put("a", "4", func(in *s3.PutObjectInput) { in.IfNoneMatch = first.ETag }))
	want(t, err, "NotImplemented", "header you provided")

	type version struct {
		ID, Body string
		Marker   bool
	}
	var got []version
	for _, o := range w.ObjectVersions(anchors) {
		got = append(got, version{o.VersionID, string(o.Body), o.DeleteMarker})
	}
	expected := []version{{*third.VersionId, "3", false}, {"", "", true}, {*second.VersionId, "2", false}, {*first.VersionId, "1", false}}
	expected[1].ID = got[1].ID
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	if all := w.Objects(anchors); len(all) != 1 || string(all[0].Body) != "3" {
		t.Errorf("objects are %+v", all)
	}
	old := get("a")
	old.VersionId = first.VersionId
	out, err := c.GetObject(ctx, old)
	check(t, err)
	if text := read(t, out.Body); text != "1" {
		t.Errorf("the first version is %q", text)
	}
	w.noProblems()
}

func TestWithoutVersions(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	w.AddBucket(awstest.Bucket{Name: "plain"})
	c, ctx := w.s3(), t.Context()
	for _, body := range []string{"1", "2"} {
		in := put("a", body)
		in.Bucket = aws.String("plain")
		out, err := c.PutObject(ctx, in)
		check(t, err)
		if out.VersionId != nil {
			t.Errorf("version is %s", *out.VersionId)
		}
	}
	versions := []awstest.Object{{Key: "a", Body: []byte("2"), VersionID: "null"}}
	if diff := cmp.Diff(versions, w.ObjectVersions("plain"), cmpopts.IgnoreFields(awstest.Object{}, "Modified", "ETag", "Checksum", "ContentType")); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
	status, err := c.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: aws.String("plain")})
	check(t, err)
	if status.Status != "" {
		t.Errorf("status is %s", status.Status)
	}
	out, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String("plain"), Key: aws.String("a")})
	check(t, err)
	if out.DeleteMarker != nil || len(w.ObjectVersions("plain")) != 0 {
		t.Errorf("delete answers %+v", out)
	}
	w.noProblems()
}

func TestDeleteMarkers(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	o := w.AddObject(anchors, awstest.Object{Key: "a", Body: []byte("1")})
	c, ctx := w.s3(), t.Context()
	out, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(anchors), Key: aws.String("a")})
	check(t, err)
	if !*out.DeleteMarker || *out.VersionId == o.VersionID {
		t.Errorf("delete answers %+v", out)
	}
	_, err = c.GetObject(ctx, get("a"))
	want(t, err, "NoSuchKey", "does not exist")
	_, err = c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(anchors), Key: aws.String("a")})
	want(t, err, "NotFound", "")
	marker := get("a")
	marker.VersionId = out.VersionId
	_, err = c.GetObject(ctx, marker)
	want(t, err, "MethodNotAllowed", "not allowed against this resource")
	version := get("a")
	version.VersionId = &o.VersionID
	_, err = c.GetObject(ctx, version)
	check(t, err)
	version.VersionId = aws.String(strings.Repeat("0", 32))
	_, err = c.GetObject(ctx, version)
	want(t, err, "NoSuchVersion", "")
	version.VersionId = aws.String("1")
	_, err = c.GetObject(ctx, version)
	want(t, err, "InvalidArgument", "Invalid version id")

	gone, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(anchors), Key: aws.String("a"), VersionId: out.VersionId})
	check(t, err)
	if !*gone.DeleteMarker {
		t.Errorf("delete answers %+v", gone)
	}
	_, err = c.GetObject(ctx, get("a"))
	check(t, err)
	_, err = c.DeleteObject(ctx, remove("b", "null"))
	check(t, err)
	_, err = c.DeleteObject(ctx, remove("a", "1"))
	want(t, err, "InvalidArgument", "Invalid version id")
	mode := get("a")
	mode.ChecksumMode = "DISABLED"
	_, err = s3.NewFromConfig(w.session()).GetObject(ctx, mode)
	want(t, err, "InvalidArgument", "x-amz-checksum-mode")
	w.noProblems()
}

func TestS3Faults(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	c, ctx := w.s3(), t.Context()
	for _, code := range []string{"SlowDown", "InternalError", "ServiceUnavailable"} {
		w.Fail("s3:PutObject", awstest.Fault{Code: code, Times: 1})
		_, err := c.PutObject(ctx, put("a", "1"))
		want(t, err, code, "")
	}
	w.Fail("s3:PutObject", awstest.Fault{CutAfter: true, Times: 1})
	if _, err := c.PutObject(ctx, put("a", "1", once)); err == nil || code(err) != "" {
		t.Errorf("a connection that is cut: %v", err)
	}
	_, err := c.PutObject(ctx, put("a", "1", once))
	want(t, err, "PreconditionFailed", "")
	w.OnCall("s3:GetObject", func(awstest.Call) {
		w.AddObject(anchors, awstest.Object{Key: "a", Body: []byte("another")})
	})
	out, err := c.GetObject(ctx, get("a"))
	check(t, err)
	if text := read(t, out.Body); text != "another" {
		t.Errorf("got %q", text)
	}
	w.Throttle("s3:*", 1)
	_, err = c.GetObject(ctx, get("a"))
	check(t, err)
	_, err = c.GetObject(ctx, get("a"))
	want(t, err, "SlowDown", "")
	w.noProblems()
}

func TestWhatIsUnknownToS3IsRefusedAndNamed(t *testing.T) {
	w, now := newBucket(t, allowAll)
	c, ctx := w.s3(), t.Context()
	refused := map[string]error{}
	_, refused["x-amz-tagging"] = c.PutObject(ctx, put("a", "1", func(in *s3.PutObjectInput) { in.Tagging = aws.String("a=b") }))
	_, refused["legal-hold"] = c.PutObject(ctx, put("a", "1", func(in *s3.PutObjectInput) { in.ObjectLockLegalHoldStatus = "ON" }))
	_, refused["aws:kms"] = c.PutObject(ctx, put("a", "1", func(in *s3.PutObjectInput) { in.ServerSideEncryption = "aws:kms" }))
	_, refused["content-encoding \"gzip\""] = c.PutObject(ctx, put("a", "1", func(in *s3.PutObjectInput) { in.ContentEncoding = aws.String("gzip") }))
	_, refused["range"] = c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(anchors), Key: aws.String("a"), Range: aws.String("bytes=0-1")})
	_, refused["parameters retention"] = c.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
		Bucket: aws.String(anchors), Key: aws.String("a"), Retention: &types.ObjectLockRetention{Mode: "GOVERNANCE", RetainUntilDate: now},
	})
	_, refused["delimiter"] = c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(anchors), Delimiter: aws.String("/")})
	_, refused["?acl="] = c.GetBucketAcl(ctx, &s3.GetBucketAclInput{Bucket: aws.String(anchors)})
	_, refused["s3 GET /?x-id=ListBuckets"] = c.ListBuckets(ctx, nil)
	_, refused["POST /"+anchors+"?delete="] = c.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: aws.String(anchors), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("a")}}},
	})
	problems := strings.Join(w.Problems(), "\n")
	for part, err := range refused {
		want(t, err, "NotImplemented", "")
		if !strings.Contains(problems, part) {
			t.Errorf("problems don't mention %s:\n%s", part, problems)
		}
	}
	if all := w.ObjectVersions(anchors); len(all) != 0 {
		t.Errorf("written all the same: %+v", all)
	}
}
