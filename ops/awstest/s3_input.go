package awstest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// s3Input is what a call to S3 was given.
type s3Input struct {
	name   string // of the bucket
	key    string
	given  map[string]string // query parameters and headers by their names, those of headers in lower case
	bucket *bucket
	body   []byte // as it is meant, without what was put around it on its way
}

// s3Headers are the headers without x-amz- that S3 takes as parameters of one call or another.
var s3Headers = []string{
	"cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type", "expires",
	"if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "range",
}

// s3Plumbing are the headers with x-amz- that every call may have.
var s3Plumbing = []string{"x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-user-agent"}

// decodeS3 reads the parameters, and refuses those that the call doesn't take and a bucket that isn't there: S3 says so even to
// those who may do nothing with it.
func (r *request) decodeS3(parameters []string) (any, error) {
	in := &s3Input{given: map[string]string{}}
	in.name, in.key = r.place()
	for name, values := range r.http.URL.Query() {
		if name != "x-id" { // the call's name, for logs
			in.given[name] = strings.Join(values, ",")
		}
	}
	for name, values := range r.http.Header {
		name = strings.ToLower(name)
		parameter := strings.HasPrefix(name, "x-amz-") && !slices.Contains(s3Plumbing, name)
		if parameter || slices.Contains(s3Headers, name) {
			in.given[name] = strings.Join(values, ",")
		}
	}
	shown := map[string]string{"Bucket": in.name}
	if in.key != "" {
		shown["Key"] = in.key
	}
	maps.Copy(shown, in.given)
	r.entry.Params, _ = json.Marshal(shown)

	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(in.given)) {
		takes := func(parameter string) bool { return globOf(parameter).match(name) }
		if name != "x-amz-expected-bucket-owner" && !slices.ContainsFunc(parameters, takes) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		names := strings.Join(unknown, ", ")
		r.entry.Action = "" // it may well be another
		r.cloud.problem("%s: parameters %s, which awstest doesn't have", r.name(), names)
		return nil, fail(501, "NotImplemented", "awstest doesn't have the parameters %s of %s", names, r.action)
	}
	var err error
	in.bucket, err = r.bucket(in)
	return in, err
}

// bucket is the bucket that the call is about.
func (r *request) bucket(in *s3Input) (*bucket, error) {
	b := r.cloud.buckets[in.name]
	owner, expects := in.given["x-amz-expected-bucket-owner"]
	switch {
	case b == nil:
		return nil, fail(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", in.name)
	case b.Region != r.signature.region:
		f := fail(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified "+
			"endpoint. Please send all future requests to this endpoint.")
		f.header = map[string]string{"X-Amz-Bucket-Region": b.Region}
		return nil, f.with("Bucket", in.name).with("Endpoint", "s3."+b.Region+".amazonaws.com")
	case expects && owner != b.Account:
		return nil, fail(403, "AccessDenied", "Access Denied")
	}
	return b, nil
}

// keys are the condition keys that an action has in this call; those of one action don't show in another's.
func (in *s3Input) keys(r *request, action string) conditionKeys {
	k := conditionKeys{}
	k.set("s3:authType", "REST-HEADER")
	k.set("s3:signatureversion", signatureAlgorithm)
	k.set("s3:x-amz-content-sha256", r.http.Header.Get("X-Amz-Content-Sha256"))
	k.set("s3:ResourceAccount", in.bucket.Account)
	k.set("aws:ResourceAccount", in.bucket.Account)
	take := func(key, parameter string) {
		if value, ok := in.given[parameter]; ok {
			k.set(key, value)
		}
	}
	switch action {
	case "ListBucket", "ListBucketVersions":
		take("s3:prefix", "prefix")
		take("s3:max-keys", "max-keys")
	case "GetObjectVersion", "DeleteObjectVersion":
		take("s3:VersionId", "versionId")
	case "PutObject":
		k.set("s3:ObjectCreationOperation", "true")
		take("s3:if-none-match", "if-none-match")
		take("s3:x-amz-server-side-encryption", "x-amz-server-side-encryption")
		maps.Copy(k, in.lockKeys(r))
	case "PutObjectRetention":
		maps.Copy(k, in.lockKeys(r))
	}
	return k
}

// lockKeys are the condition keys of the retention that is asked for. AWS doesn't say how it rounds the days that remain; here
// a part of one counts as one.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-retention-limits
func (in *s3Input) lockKeys(r *request) conditionKeys {
	k := conditionKeys{}
	if mode, ok := in.given["x-amz-object-lock-mode"]; ok {
		k.set("s3:object-lock-mode", mode)
	}
	if text, ok := in.given["x-amz-object-lock-retain-until-date"]; ok {
		k.set("s3:object-lock-retain-until-date", text)
		if until, err := parseLockTime(text); err == nil {
			const day = 24 * 60 * 60 * 1e9
			k.set("s3:object-lock-remaining-retention-days", strconv.FormatInt((until.Sub(r.cloud.now()).Nanoseconds()+day-1)/day, 10))
		}
	}
	return k
}

// also is what the parameters need beside the action itself.
func (in *s3Input) also(r *request, action string) []permission {
	needs := func(name string) []permission { return []permission{{"s3:" + name, in.keys(r, name)}} }
	_, mode := in.given["x-amz-object-lock-mode"]
	_, until := in.given["x-amz-object-lock-retain-until-date"]
	switch {
	case action == "PutObject" && (mode || until):
		return needs("PutObjectRetention")
	case in.bypasses():
		return needs("BypassGovernanceRetention")
	}
	return nil
}

func (in *s3Input) bypasses() bool {
	return strings.EqualFold(in.given["x-amz-bypass-governance-retention"], "true")
}

// may tells whether the caller's policies allow a further action on the bucket or, with a key, on the object.
func (in *s3Input) may(r *request, action string, on func(*s3Input) string) error {
	return r.authorize("s3:"+action, []string{on(in)}, in.keys(r, action))
}
