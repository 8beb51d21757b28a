package awstest

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	unsignedTrailers = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// readPayload reads the body and checks that it is what was signed, where it was. Checksums that follow the body become
// parameters like those that came before it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func (r *request) readPayload(in *s3Input) error {
	if len(r.body) >= maxBody {
		r.cloud.problem("%s: a body of more than %d bytes, which awstest doesn't take", r.name(), maxBody)
		return fail(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
	}
	in.body = r.body
	chunked := in.given["content-encoding"] == "aws-chunked"
	declared := r.http.Header.Get("X-Amz-Content-Sha256")
	switch {
	case r.http.ContentLength < 0 && !chunked:
		return fail(501, "NotImplemented", "A header you provided implies functionality that is not implemented").with("Header", "Transfer-Encoding")
	case declared == "":
		return fail(400, "InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
	case declared == unsignedTrailers:
		if !chunked {
			return fail(400, "InvalidRequest", "The content-encoding must be aws-chunked with x-amz-content-sha256 %s", declared)
		}
		return r.readChunks(in)
	case in.given["content-encoding"] != "" || strings.HasPrefix(declared, "STREAMING-"):
		r.cloud.problem("%s: content-encoding %q with x-amz-content-sha256 %s, which awstest doesn't have", r.name(), in.given["content-encoding"], declared)
		return fail(501, "NotImplemented", "A header you provided implies functionality that is not implemented")
	case declared == unsignedPayload:
		return nil
	case !sha256Hex.MatchString(declared):
		return fail(400, "InvalidArgument", "x-amz-content-sha256 must be %s, %s, or a valid sha256 value.", unsignedPayload, unsignedTrailers)
	case declared != hexSum(r.body):
		return fail(400, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return nil
}

// readChunks takes apart a body of aws-chunked: lengths in hex and chunks, then the trailer that x-amz-trailer announces.
func (r *request) readChunks(in *s3Input) error {
	size, err := strconv.Atoi(in.given["x-amz-decoded-content-length"])
	if err != nil {
		return fail(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	incomplete := fail(400, "IncompleteBody", "The request body terminated unexpectedly")
	rest := r.body
	line := func() (string, bool) {
		text, after, found := bytes.Cut(rest, []byte("\r\n"))
		rest = after
		return string(text), found
	}
	in.body = nil
	for {
		text, ok := line()
		n, err := strconv.ParseUint(text, 16, 31)
		if !ok || err != nil {
			return incomplete
		}
		if n == 0 {
			break
		}
		if uint64(len(rest)) < n+2 || string(rest[n:n+2]) != "\r\n" {
			return incomplete
		}
		in.body = append(in.body, rest[:n]...)
		rest = rest[n+2:]
	}
	if len(in.body) != size {
		return incomplete
	}
	name, announced := in.given["x-amz-trailer"]
	for {
		text, ok := line()
		trailer, value, pair := strings.Cut(text, ":")
		switch {
		case ok && text == "" && !announced && len(rest) == 0:
			return nil
		case !ok || !pair || !announced || !strings.EqualFold(trailer, name) || !strings.HasPrefix(name, "x-amz-checksum-"):
			return fail(400, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not "+
				"conform to our published schema.")
		}
		in.given[name] = strings.TrimSpace(value)
		announced = false
	}
}

// s3Checksums are the checksums that objects can have, by the ends of their headers' names.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var s3Checksums = map[string]func([]byte) []byte{
	"crc32":  func(b []byte) []byte { return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(b)) },
	"crc32c": func(b []byte) []byte { return binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli)) },
	"crc64nvme": func(b []byte) []byte {
		return binary.BigEndian.AppendUint64(nil, crc64.Checksum(b, nvme))
	},
	"sha1":   func(b []byte) []byte { sum := sha1.Sum(b); return sum[:] },
	"sha256": func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] },
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// checksumOf is the checksum of a body as headers have it.
func checksumOf(algorithm string, body []byte) string {
	return base64.StdEncoding.EncodeToString(s3Checksums[algorithm](body))
}

// checkDigest checks the body against the checksum and the MD5 that came with it. given says whether there was one, algorithm
// what the object is to have: S3 makes a checksum of its own where none came.
func (in *s3Input) checkDigest() (algorithm string, given bool, err error) {
	invalid := func(header string) error {
		return fail(400, "InvalidRequest", "Value for %s header is invalid.", header)
	}
	algorithm = "crc64nvme"
	for _, name := range slices.Sorted(maps.Keys(s3Checksums)) {
		header := "x-amz-checksum-" + name
		value, ok := in.given[header]
		sum, err := base64.StdEncoding.DecodeString(value)
		switch want := s3Checksums[name](in.body); {
		case !ok:
			continue
		case given:
			return "", false, fail(400, "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		case err != nil || len(sum) != len(want):
			return "", false, invalid(header)
		case !bytes.Equal(sum, want):
			return "", false, fail(400, "BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToUpper(name))
		}
		algorithm, given = name, true
	}
	if wanted, ok := in.given["x-amz-sdk-checksum-algorithm"]; ok {
		_, known := s3Checksums[strings.ToLower(wanted)]
		switch {
		case !known:
			return "", false, invalid("x-amz-sdk-checksum-algorithm")
		case !given:
			return "", false, fail(400, "InvalidRequest", "x-amz-sdk-checksum-algorithm specified, but no corresponding "+
				"x-amz-checksum-* or x-amz-trailer headers were found.")
		case !strings.EqualFold(wanted, algorithm):
			return "", false, fail(400, "BadDigest", "The %s you specified did not match the calculated checksum.", wanted)
		}
	}
	if value, ok := in.given["content-md5"]; ok {
		sum, err := base64.StdEncoding.DecodeString(value)
		switch want := md5.Sum(in.body); {
		case err != nil || len(sum) != len(want):
			return "", false, fail(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")
		case !bytes.Equal(sum, want[:]):
			return "", false, fail(400, "BadDigest", "The Content-MD5 you specified did not match what we received.")
		}
		given = true
	}
	return algorithm, given, nil
}
