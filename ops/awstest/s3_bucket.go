package awstest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// headBucket tells that the bucket is there.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
func headBucket(_ *request, in *s3Input) (any, error) {
	return s3Answer{header: map[string]string{"Content-Type": "application/xml", "X-Amz-Bucket-Region": in.bucket.Region}}, nil
}

type bucketList struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name, Prefix          string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount, MaxKeys     int
	IsTruncated           bool
	Contents              []listedObject
}

type listedObject struct {
	Key, LastModified, ETag         string
	ChecksumAlgorithm, ChecksumType string
	Size                            int
	StorageClass                    string
}

// listToken is where the next page begins and which list it belongs to.
type listToken struct{ After, List string }

// maxKeys is the most objects of one page.
const maxKeys = 1000

// listObjects lists the objects that no delete marker hides, in the order of their keys.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func listObjects(r *request, in *s3Input) (any, error) {
	out := bucketList{
		Name: in.name, Prefix: in.given["prefix"], StartAfter: in.given["start-after"],
		ContinuationToken: in.given["continuation-token"],
	}
	var err error
	if out.MaxKeys, err = in.maxKeys(); err != nil {
		return nil, err
	}
	size := out.MaxKeys
	if r.cloud.pageSize > 0 {
		size = min(size, r.cloud.pageSize)
	}
	at := listToken{After: out.StartAfter, List: hexSum([]byte(in.name + "\x00" + out.Prefix))[:16]}
	if text, ok := in.given["continuation-token"]; ok {
		var given listToken
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(raw, &given) != nil || given.List != at.List {
			return nil, fail(400, "InvalidArgument", "The continuation token provided is incorrect").with("ArgumentName", "continuation-token")
		}
		at = given
	}
	keys := in.bucket.keys(out.Prefix, at.After)
	for _, key := range keys[:min(size, len(keys))] {
		o := in.bucket.current(key)
		out.Contents = append(out.Contents, listedObject{
			key, o.Modified.Format("2006-01-02T15:04:05.000Z"), o.ETag, strings.ToUpper(o.Checksum), "FULL_OBJECT", len(o.Body), "STANDARD",
		})
		at.After = key
	}
	out.KeyCount = len(out.Contents)
	if len(keys) > size && size > 0 {
		raw, _ := json.Marshal(at)
		out.IsTruncated, out.NextContinuationToken = true, base64.StdEncoding.EncodeToString(raw)
	}
	return s3Answer{xml: out}, nil
}

// maxKeys is how many of a list the caller wants at most.
func (in *s3Input) maxKeys() (int, error) {
	text, ok := in.given["max-keys"]
	if !ok {
		return maxKeys, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, fail(400, "InvalidArgument", "Provided max-keys not an integer or within integer range").
			with("ArgumentName", "max-keys").with("ArgumentValue", text)
	}
	return min(int(n), maxKeys), nil
}

type versionList struct {
	XMLName             xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListVersionsResult"`
	Name, Prefix        string
	KeyMarker           string
	VersionIdMarker     string
	NextKeyMarker       string `xml:",omitempty"`
	NextVersionIdMarker string `xml:",omitempty"`
	MaxKeys             int
	IsTruncated         bool
	Version             []listedVersion
	DeleteMarker        []listedMarker
}

type listedMarker struct {
	Key, VersionId string
	IsLatest       bool
	LastModified   string
}

type listedVersion struct {
	listedMarker
	ETag                            string
	ChecksumAlgorithm, ChecksumType string
	Size                            int
	StorageClass                    string
}

// listVersions lists all versions and delete markers in the order of their keys, the newest of each first.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html
func listVersions(r *request, in *s3Input) (any, error) {
	out := versionList{Name: in.name, Prefix: in.given["prefix"], KeyMarker: in.given["key-marker"], VersionIdMarker: in.given["version-id-marker"]}
	if out.VersionIdMarker != "" && out.KeyMarker == "" {
		return nil, fail(400, "InvalidArgument", "A version-id marker cannot be specified without a key marker.").
			with("ArgumentName", "version-id-marker").with("ArgumentValue", out.VersionIdMarker)
	}
	var err error
	if out.MaxKeys, err = in.maxKeys(); err != nil {
		return nil, err
	}
	size := out.MaxKeys
	if r.cloud.pageSize > 0 {
		size = min(size, r.cloud.pageSize)
	}
	for _, key := range slices.Sorted(maps.Keys(in.bucket.objects)) {
		if !strings.HasPrefix(key, out.Prefix) || key < out.KeyMarker || key == out.KeyMarker && out.VersionIdMarker == "" {
			continue
		}
		all := in.bucket.objects[key]
		passed := key != out.KeyMarker
		for i, o := range slices.Backward(all) {
			if !passed {
				passed = o.VersionID == out.VersionIdMarker
				continue
			}
			if len(out.Version)+len(out.DeleteMarker) == size {
				out.IsTruncated = size > 0
				return s3Answer{xml: out}, nil
			}
			marker := listedMarker{key, o.VersionID, i == len(all)-1, o.Modified.Format("2006-01-02T15:04:05.000Z")}
			if o.DeleteMarker {
				out.DeleteMarker = append(out.DeleteMarker, marker)
			} else {
				out.Version = append(out.Version, listedVersion{marker, o.ETag, strings.ToUpper(o.Checksum), "FULL_OBJECT", len(o.Body), "STANDARD"})
			}
			out.NextKeyMarker, out.NextVersionIdMarker = key, o.VersionID
		}
	}
	out.NextKeyMarker, out.NextVersionIdMarker = "", ""
	return s3Answer{xml: out}, nil
}

// getBucketVersioning shows no status for a bucket that never had versions.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html
func getBucketVersioning(_ *request, in *s3Input) (any, error) {
	out := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
		Status  string   `xml:",omitempty"`
	}{}
	if in.bucket.Versioned {
		out.Status = "Enabled"
	}
	return s3Answer{xml: out}, nil
}

type lockRule struct {
	Mode  string `xml:"DefaultRetention>Mode"`
	Days  int    `xml:"DefaultRetention>Days,omitempty"`
	Years int    `xml:"DefaultRetention>Years,omitempty"`
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html
func getLockConfiguration(_ *request, in *s3Input) (any, error) {
	if !in.bucket.ObjectLock {
		return nil, fail(404, "ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket").
			with("BucketName", in.name)
	}
	out := struct {
		XMLName           xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ObjectLockConfiguration"`
		ObjectLockEnabled string
		Rule              *lockRule
	}{ObjectLockEnabled: "Enabled"}
	if d := in.bucket.Default; d.Mode != "" {
		out.Rule = &lockRule{d.Mode, d.Days, d.Years}
	}
	return s3Answer{xml: out}, nil
}
