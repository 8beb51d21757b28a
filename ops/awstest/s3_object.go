package awstest

import (
	"net/http"
	"strings"
	"time"
)

// putObject writes a version.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func putObject(r *request, in *s3Input) (any, error) {
	if len(in.key) > maxKey {
		return nil, fail(400, "KeyTooLongError", "Your key is too long")
	}
	o := Object{Key: in.key, Body: in.body, ContentType: in.given["content-type"]}
	size := 0
	for name, value := range in.given {
		if name, ok := strings.CutPrefix(name, "x-amz-meta-"); ok {
			if o.Metadata == nil {
				o.Metadata = map[string]string{}
			}
			o.Metadata[name] = value
			size += len(name) + len(value)
		}
	}
	if size > maxMetadata {
		return nil, fail(400, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	if kind, ok := in.given["x-amz-server-side-encryption"]; ok && kind != "AES256" {
		r.cloud.problem("%s: x-amz-server-side-encryption %s, which awstest doesn't have", r.name(), kind)
		return nil, fail(501, "NotImplemented", "awstest doesn't have the encryption %s", kind)
	}
	var given bool
	var err error
	if o.Checksum, given, err = in.checkDigest(); err != nil {
		return nil, err
	}
	if o.Mode, o.RetainUntil, err = in.retention(r.cloud.now()); err != nil {
		return nil, err
	}
	if (o.Mode != "" || in.bucket.Default.Mode != "") && !given {
		return nil, fail(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with "+
			"Object Lock parameters")
	}
	switch match, ok := in.given["if-none-match"]; {
	case ok && match != "*":
		return nil, fail(501, "NotImplemented", "A header you provided implies functionality that is not implemented").with("Header", "If-None-Match")
	case ok && in.bucket.current(in.key) != nil:
		return nil, fail(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold").with("Condition", "If-None-Match")
	}
	put := in.bucket.put(r.cloud, o)
	header := in.versionHeader(put)
	header["Etag"] = put.ETag
	header["X-Amz-Server-Side-Encryption"] = "AES256"
	put.checksumHeader(header)
	return s3Answer{header: header}, nil
}

// retention is the one that the parameters ask for; no mode is none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
func (in *s3Input) retention(now time.Time) (mode string, until time.Time, err error) {
	invalid := func(text string) (string, time.Time, error) {
		return "", time.Time{}, fail(400, "InvalidArgument", "%s", text)
	}
	mode, hasMode := in.given["x-amz-object-lock-mode"]
	text, hasUntil := in.given["x-amz-object-lock-retain-until-date"]
	switch {
	case !hasMode && !hasUntil:
		return "", time.Time{}, nil
	case !hasMode || !hasUntil:
		return invalid("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	case !in.bucket.ObjectLock:
		return "", time.Time{}, fail(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
	case mode != governance && mode != compliance:
		return invalid("Unknown wormMode directive.")
	}
	if until, err = parseLockTime(text); err != nil {
		return invalid("The retain until date must be provided in ISO 8601 format")
	}
	if !until.After(now) {
		return invalid("The retain until date must be in the future!")
	}
	return mode, until, nil
}

// versionHeader begins the header of an answer about a version.
func (in *s3Input) versionHeader(o *Object) map[string]string {
	header := map[string]string{}
	if in.bucket.Versioned {
		header["X-Amz-Version-Id"] = o.VersionID
	}
	if o.DeleteMarker {
		header["X-Amz-Delete-Marker"] = "true"
	}
	return header
}

func (o *Object) checksumHeader(header map[string]string) {
	header["X-Amz-Checksum-"+o.Checksum] = checksumOf(o.Checksum, o.Body)
	header["X-Amz-Checksum-Type"] = "FULL_OBJECT"
}

// found is the version that the call means.
func (in *s3Input) found(r *request) (*Object, error) {
	all := in.bucket.objects[in.key]
	id, named := in.given["versionId"]
	if named && !versionID.MatchString(id) {
		return nil, fail(400, "InvalidArgument", "Invalid version id specified").with("ArgumentName", "versionId").with("ArgumentValue", id)
	}
	o := in.bucket.current(in.key)
	if named {
		o = in.bucket.version(in.key, id)
	}
	switch {
	case o != nil && o.DeleteMarker:
		f := fail(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
		f.header = in.versionHeader(o)
		f.header["Allow"] = http.MethodDelete
		f.header["Last-Modified"] = o.Modified.Format(http.TimeFormat)
		return nil, f.with("Method", r.http.Method).with("ResourceType", "DeleteMarker")
	case o != nil:
		return o, nil
	}
	if err := in.may(r, "ListBucket", onBucket); err != nil {
		return nil, err // who may not list is not told what is there
	}
	if named {
		return nil, fail(404, "NoSuchVersion", "The specified version does not exist.").with("Key", in.key).with("VersionId", id)
	}
	f := fail(404, "NoSuchKey", "The specified key does not exist.").with("Key", in.key)
	if len(all) > 0 {
		f.header = in.versionHeader(all[len(all)-1])
	}
	return nil, f
}

// getObject is HeadObject too, which only shows no body. The retention is shown to those who may see it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
func getObject(r *request, in *s3Input) (any, error) {
	o, err := in.found(r)
	if err != nil {
		return nil, err
	}
	header := in.versionHeader(o)
	header["Accept-Ranges"] = "bytes"
	header["Content-Type"] = o.ContentType
	header["Etag"] = o.ETag
	header["Last-Modified"] = o.Modified.Format(http.TimeFormat)
	header["X-Amz-Server-Side-Encryption"] = "AES256"
	for name, value := range o.Metadata {
		header["X-Amz-Meta-"+name] = value
	}
	if mode, ok := in.given["x-amz-checksum-mode"]; ok {
		if mode != "ENABLED" {
			return nil, fail(400, "InvalidArgument", "Value for x-amz-checksum-mode header is invalid.")
		}
		o.checksumHeader(header)
	}
	if o.Mode != "" && in.may(r, "GetObjectRetention", onObject) == nil {
		header["X-Amz-Object-Lock-Mode"] = o.Mode
		header["X-Amz-Object-Lock-Retain-Until-Date"] = o.RetainUntil.Format(lockTime)
	}
	return s3Answer{header: header, body: o.Body}, nil
}

// deleteObject hides the object behind a delete marker, whatever retention its versions have; without versions it is gone.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html
func deleteObject(r *request, in *s3Input) (any, error) {
	out := s3Answer{status: http.StatusNoContent}
	if marker := in.bucket.hide(r.cloud, in.key); marker != nil {
		out.header = in.versionHeader(marker)
	}
	return out, nil
}

// deleteVersion removes one version for good, unless its retention forbids. One that isn't there is no error.
func deleteVersion(r *request, in *s3Input) (any, error) {
	id := in.given["versionId"]
	if !versionID.MatchString(id) {
		return nil, fail(400, "InvalidArgument", "Invalid version id specified").with("ArgumentName", "versionId").with("ArgumentValue", id)
	}
	o := in.bucket.version(in.key, id)
	if o == nil {
		return s3Answer{status: http.StatusNoContent, header: map[string]string{"X-Amz-Version-Id": id}}, nil
	}
	if o.locked(r.cloud.now()) && (o.Mode == compliance || !in.bypasses()) {
		return nil, fail(403, "AccessDenied", "Access Denied because object protected by object lock.")
	}
	in.bucket.remove(r.cloud, in.key, id)
	return s3Answer{status: http.StatusNoContent, header: in.versionHeader(o)}, nil
}
