package awstest

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"maps"
	"regexp"
	"slices"
	"time"
)

// Object is one version of an object in a bucket, or a delete marker. What S3 makes itself, [Cloud.AddObject] need not be told.
type Object struct {
	Key         string
	Body        []byte
	ContentType string            // "" is binary/octet-stream
	Metadata    map[string]string // names in lower case

	// Mode, GOVERNANCE or COMPLIANCE, and RetainUntil are the retention that keeps the version from being deleted; "" is none.
	Mode        string
	RetainUntil time.Time

	// Checksum is the algorithm of the checksum that the object came with, as the ends of the headers' names have it ("crc32");
	// "" is crc64nvme, which S3 makes itself.
	Checksum string

	VersionID    string // made; null in a bucket without versions
	ETag         string // made
	Modified     time.Time
	DeleteMarker bool
}

// maxKey and maxMetadata are the most bytes of a key and of all metadata.
const (
	maxKey      = 1024
	maxMetadata = 2048
)

// versionID is what the ID of a version looks like.
var versionID = regexp.MustCompile(`^(null|[\w.]{32})$`)

// complete fills in what a description leaves out.
func (o *Object) complete() {
	sum := md5.Sum(o.Body)
	o.ETag = `"` + hex.EncodeToString(sum[:]) + `"`
	o.ContentType = cmp.Or(o.ContentType, "binary/octet-stream")
	o.Checksum = cmp.Or(o.Checksum, "crc64nvme")
}

// fault says why S3 wouldn't have the object in a bucket; "" is no reason.
func (o *Object) fault(b *bucket) string {
	switch {
	case o.Key == "" || len(o.Key) > maxKey:
		return "a key has 1 to 1024 bytes"
	case (o.Mode == "") != o.RetainUntil.IsZero():
		return "a mode and a time, or neither"
	case o.Mode != "" && !b.ObjectLock:
		return "a retention in a bucket without Object Lock"
	case o.Mode != "" && o.Mode != governance && o.Mode != compliance:
		return "the mode is neither GOVERNANCE nor COMPLIANCE"
	case o.Checksum != "" && s3Checksums[o.Checksum] == nil:
		return "no checksum " + o.Checksum
	}
	return ""
}

// clone is a copy that shares nothing.
func (o *Object) clone() Object {
	c := *o
	c.Body, c.Metadata = slices.Clone(o.Body), cloneMap(maps.Clone(o.Metadata))
	return c
}

// locked tells whether a retention keeps the version from being deleted.
func (o *Object) locked(now time.Time) bool { return o.Mode != "" && now.Before(o.RetainUntil) }

const lockTime = "2006-01-02T15:04:05.000Z"

// parseLockTime reads the time of a retention.
func parseLockTime(text string) (time.Time, error) { return time.Parse(time.RFC3339, text) }
