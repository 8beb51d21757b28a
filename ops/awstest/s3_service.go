package awstest

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// s3Service is Amazon S3, as far as it takes to keep small objects under Object Lock and to read them back: REST with XML.
// Which resource each action needs, and which condition keys it has, is the Actions table of
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
func s3Service() *service {
	return &service{
		name:   "s3",
		wire:   s3Wire(),
		action: s3Action,
		calls: map[string]call{
			"PutObject": s3Call("PutObject", onObject, putObject,
				"content-type", "content-encoding", "content-md5", "if-none-match", "x-amz-meta-*", "x-amz-server-side-encryption",
				"x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-sdk-checksum-algorithm",
				"x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme", "x-amz-checksum-sha1",
				"x-amz-checksum-sha256", "x-amz-trailer", "x-amz-decoded-content-length"),
			"GetObject":           s3Call("GetObject", onObject, getObject, "x-amz-checksum-mode"),
			"GetObjectVersion":    s3Call("GetObjectVersion", onObject, getObject, "x-amz-checksum-mode", "versionId"),
			"HeadObject":          s3Call("GetObject", onObject, getObject, "x-amz-checksum-mode"),
			"HeadObjectVersion":   s3Call("GetObjectVersion", onObject, getObject, "x-amz-checksum-mode", "versionId"),
			"DeleteObject":        s3Call("DeleteObject", onObject, deleteObject, "x-amz-bypass-governance-retention"),
			"DeleteObjectVersion": s3Call("DeleteObjectVersion", onObject, deleteVersion, "x-amz-bypass-governance-retention", "versionId"),

			"HeadBucket": s3Call("ListBucket", onBucket, headBucket),
			"ListObjectsV2": s3Call("ListBucket", onBucket, listObjects,
				"list-type", "prefix", "start-after", "max-keys", "continuation-token"),
			"ListObjectVersions": s3Call("ListBucketVersions", onBucket, listVersions,
				"versions", "prefix", "key-marker", "version-id-marker", "max-keys"),
			"GetBucketVersioning":        s3Call("GetBucketVersioning", onBucket, getBucketVersioning, "versioning"),
			"GetObjectLockConfiguration": s3Call("GetBucketObjectLockConfiguration", onBucket, getLockConfiguration, "object-lock"),
		},
	}
}

// s3Answer is an answer; xml, if there is one, is its body.
type s3Answer struct {
	status int // 0 is 200
	header map[string]string
	body   []byte
	xml    any
}

// s3Wire is S3's protocol; HEAD has neither answers nor errors in its body.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func s3Wire() wire {
	send := func(w http.ResponseWriter, r *request, a s3Answer) {
		w.Header().Del("X-Amzn-Requestid")
		w.Header().Set("X-Amz-Request-Id", r.id)
		w.Header().Set("X-Amz-Id-2", randomSecret(48))
		if a.xml != nil {
			text, _ := xml.Marshal(a.xml)
			a.body = append([]byte(xml.Header), text...)
			w.Header().Set("Content-Type", "application/xml")
		}
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		if a.status != http.StatusNoContent {
			w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
		}
		w.WriteHeader(max(a.status, http.StatusOK))
		if r.http.Method != http.MethodHead {
			w.Write(a.body)
		}
	}
	return wire{
		invalidKey: "InvalidAccessKeyId", invalidToken: "InvalidToken", badSignature: "SignatureDoesNotMatch",
		expired: "ExpiredToken", noCredentials: "AccessDenied", accessDenied: "AccessDenied", throttled: "SlowDown",
		unknownAction: "NotImplemented", frontStatus: 403, deniedStatus: 403, throttledStatus: 503,
		statuses: map[string]int{
			"PermanentRedirect": 301, "ExpiredToken": 400, "InvalidToken": 400, "NoSuchBucket": 404, "NoSuchKey": 404,
			"NoSuchVersion": 404, "ObjectLockConfigurationNotFoundError": 404, "MethodNotAllowed": 405, "OperationAborted": 409,
			"ConditionalRequestConflict": 409, "MissingContentLength": 411, "PreconditionFailed": 412, "NotImplemented": 501,
		},
		answer: func(w http.ResponseWriter, r *request, out any) { send(w, r, out.(s3Answer)) },
		fail: func(w http.ResponseWriter, r *request, f *failure) {
			members := map[string]any{"RequestId": r.id, "Resource": r.http.URL.Path}
			maps.Copy(members, f.fields)
			var b bytes.Buffer
			write := func(name string, value any) {
				fmt.Fprintf(&b, "<%s>", name)
				xml.EscapeText(&b, []byte(fmt.Sprint(value)))
				fmt.Fprintf(&b, "</%s>", name)
			}
			b.WriteString(xml.Header + "<Error>")
			write("Code", f.code)
			write("Message", f.message)
			for _, name := range slices.Sorted(maps.Keys(members)) {
				write(name, members[name])
			}
			b.WriteString("</Error>")
			header := map[string]string{"Content-Type": "application/xml"}
			maps.Copy(header, f.header)
			send(w, r, s3Answer{status: f.status, header: header, body: b.Bytes()})
		},
	}
}

// place is the bucket and the key that a request is about: in its path, or the bucket before .localhost in the host's name.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func (r *request) place() (bucket, key string) {
	path := strings.TrimPrefix(r.http.URL.Path, "/")
	host, _, _ := strings.Cut(r.http.Host, ":")
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok {
		return bucket, path
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}

// s3Action tells the call by its method and by the parameter that stands for what part of a bucket or an object it is about. A
// part that awstest doesn't have is refused as a parameter of the whole.
func s3Action(r *request) string {
	bucket, key := r.place()
	query := r.http.URL.Query()
	what := r.http.Method
	switch {
	case bucket == "":
		return ""
	case key != "":
		what += " object"
		if query.Has("versionId") {
			what += " version"
		}
	case query.Get("list-type") == "2":
		what += " list"
	case query.Has("object-lock"):
		what += " lock"
	case query.Has("versions"):
		what += " versions"
	case query.Has("versioning"):
		what += " versioning"
	case len(query) > 0:
		return ""
	}
	return map[string]string{
		"PUT object": "PutObject", "GET object": "GetObject", "GET object version": "GetObjectVersion",
		"HEAD object": "HeadObject", "HEAD object version": "HeadObjectVersion",
		"DELETE object": "DeleteObject", "DELETE object version": "DeleteObjectVersion",
		"HEAD": "HeadBucket", "GET list": "ListObjectsV2", "GET lock": "GetObjectLockConfiguration",
		"GET versioning": "GetBucketVersioning", "GET versions": "ListObjectVersions",
	}[what]
}

// s3Call makes a call that takes these parameters, and x-amz-expected-bucket-owner. Those ending in * stand for many.
func s3Call(iam string, on func(*s3Input) string, run func(*request, *s3Input) (any, error), parameters ...string) call {
	return call{
		iam:       iam,
		decode:    func(r *request) (any, error) { return r.decodeS3(parameters) },
		resources: func(_ *request, in any) []string { return []string{on(in.(*s3Input))} },
		keys:      func(r *request, in any) conditionKeys { return in.(*s3Input).keys(r, iam) },
		also:      func(r *request, in any) []permission { return in.(*s3Input).also(r, iam) },
		run: func(r *request, given any) (any, error) {
			in := given.(*s3Input)
			var err error
			if in.bucket, err = r.bucket(in); err != nil { // it may have gone or changed since
				return nil, err
			}
			if in.bucket.Account != r.who.account {
				action := "s3:" + iam
				return nil, r.refuse(action, on(in), "because no resource-based policy allows the "+action+" action")
			}
			if err := r.readPayload(in); err != nil {
				return nil, err
			}
			return run(r, in)
		},
	}
}

func onBucket(in *s3Input) string { return "arn:aws:s3:::" + in.name }
func onObject(in *s3Input) string { return "arn:aws:s3:::" + in.name + "/" + in.key }
