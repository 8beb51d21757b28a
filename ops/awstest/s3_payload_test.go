package awstest_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// crc is a checksum as its header has it.
func crc(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	return base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

func TestEveryChecksumIsTheSDKs(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	c, ctx := w.s3(), t.Context()
	for _, algorithm := range []types.ChecksumAlgorithm{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} {
		_, err := c.PutObject(ctx, put("a", "hello", func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm }))
		check(t, err)
		out, err := c.GetObject(ctx, get("a"))
		check(t, err)
		if text := read(t, out.Body); text != "hello" { // the SDK checks what it reads
			t.Errorf("%s: got %q", algorithm, text)
		}
		o, _ := w.Object(anchors, "a")
		if o.Checksum != strings.ToLower(string(algorithm)) {
			t.Errorf("%s: kept as %s", algorithm, o.Checksum)
		}
	}
	w.AddObject(anchors, awstest.Object{Key: "a", Body: []byte("another")})
	out, err := c.GetObject(ctx, get("a"))
	check(t, err)
	if text := read(t, out.Body); text != "another" || out.ChecksumCRC64NVME == nil {
		t.Errorf("got %q with %v", text, out.ChecksumCRC64NVME)
	}
	w.noProblems()
}

func TestWrongDigestsAreRefused(t *testing.T) {
	for _, test := range []struct {
		name       string
		change     func(*s3.PutObjectInput)
		code, part string
	}{
		{"CRC32", func(in *s3.PutObjectInput) { in.ChecksumCRC32 = aws.String(crc("other")) }, "BadDigest", "The CRC32 you specified"},
		{"SHA256", func(in *s3.PutObjectInput) {
			in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(make([]byte, 32)))
		}, "BadDigest", "The SHA256 you specified"},
		{"MD5", func(in *s3.PutObjectInput) {
			in.ContentMD5 = aws.String(base64.StdEncoding.EncodeToString(make([]byte, 16)))
		}, "BadDigest", "Content-MD5"},
		{"no base64", func(in *s3.PutObjectInput) { in.ChecksumCRC32 = aws.String("!") }, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid."},
		{"of another length", func(in *s3.PutObjectInput) { in.ChecksumSHA1 = aws.String(crc("hello")) }, "InvalidRequest", "x-amz-checksum-sha1"},
		{"MD5 of another length", func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String(crc("hello")) }, "InvalidDigest", "invalid"},
		{"two", func(in *s3.PutObjectInput) {
			in.ChecksumCRC32 = aws.String(crc("hello"))
			in.ChecksumSHA1 = aws.String("qvTGHdzF6KLavt4PO0gs2a6pQ00=")
		}, "InvalidRequest", "Expecting a single x-amz-checksum- header"},
		{"another algorithm", func(in *s3.PutObjectInput) {
			in.ChecksumAlgorithm = types.ChecksumAlgorithmSha1
			in.ChecksumCRC32 = aws.String(crc("hello"))
		}, "BadDigest", "SHA1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, _ := newBucket(t, allowAll)
			_, err := w.s3().PutObject(t.Context(), put("a", "hello", test.change))
			want(t, err, test.code, test.part)
			if all := w.ObjectVersions(anchors); len(all) != 0 {
				t.Errorf("written all the same: %+v", all)
			}
			w.noProblems()
		})
	}
}

// overTLS is a client that reaches S3 through a proxy with TLS: then the SDK sends checksums behind the body, which it doesn't
// sign.
func (w *world) overTLS() *s3.Client {
	w.t.Helper()
	target, err := url.Parse(w.URL())
	check(w.t, err)
	proxy := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}})
	w.t.Cleanup(proxy.Close)
	cfg := w.s3Config()
	cfg.BaseEndpoint, cfg.HTTPClient = aws.String(proxy.URL), proxy.Client()
	return s3.NewFromConfig(cfg)
}

func TestChecksumsBehindTheBody(t *testing.T) {
	w, now := newBucket(t, allowAll)
	c, ctx := w.overTLS(), t.Context()
	long := strings.Repeat("0123456789abcdef", 20000)
	for _, body := range []string{"hello", "", long, "5\r\nhello\r\n0\r\n\r\n"} {
		_, err := c.PutObject(ctx, put("a", body, lock(types.ObjectLockModeCompliance, now.Add(time.Hour))))
		check(t, err)
		if o, _ := w.Object(anchors, "a"); string(o.Body) != body || o.Checksum != "crc32" {
			t.Errorf("kept %q with %s", o.Body, o.Checksum)
		}
		out, err := c.GetObject(ctx, get("a"))
		check(t, err)
		if text := read(t, out.Body); text != body {
			t.Errorf("got %q", text)
		}
	}
	_, err := c.PutObject(ctx, put("a", "hello", func(in *s3.PutObjectInput) { in.Body = bufio.NewReader(strings.NewReader("hello")) }))
	want(t, err, "MissingContentLength", "Content-Length")
	unsigned := s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	_, err = s3.NewFromConfig(w.session()).PutObject(ctx, put("a", "", func(in *s3.PutObjectInput) { in.Body = bufio.NewReader(strings.NewReader("hello")) }), unsigned)
	want(t, err, "NotImplemented", "header you provided")
	_, err = c.PutObject(ctx, put("a", "hello", func(in *s3.PutObjectInput) {
		in.Body, in.ContentLength = bufio.NewReader(strings.NewReader("hello")), aws.Int64(5)
	}))
	check(t, err)
	w.noProblems()
}

// sendObject signs a PUT of an object as the SDK would, and lets tamper change it afterwards.
func sendObject(t *testing.T, w *world, body string, header map[string]string, tamper func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, w.URL()+"/"+anchors+"/a%20b", strings.NewReader(body))
	check(t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	creds := aws.Credentials{AccessKeyID: w.AccessKeyID, SecretAccessKey: w.SecretAccessKey}
	err = v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(context.Background(), creds, r, cmp.Or(header["X-Amz-Content-Sha256"], hash(body)), "s3", "eu-west-2", time.Now())
	check(t, err)
	tamper(r)
	resp, err := http.DefaultClient.Do(r)
	check(t, err)
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer)
}

func TestSignatureOfAnObject(t *testing.T) {
	const body = "hello"
	signed := map[string]string{"X-Amz-Content-Sha256": hash(body), "X-Amz-Checksum-Crc32": crc(body)}
	with := func(hash string) map[string]string { return map[string]string{"X-Amz-Content-Sha256": hash} }
	other := func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("HELLO")) }
	asSigned := func(*http.Request) {}
	algorithm := func(name string) map[string]string {
		return map[string]string{"X-Amz-Content-Sha256": hash(body), "X-Amz-Sdk-Checksum-Algorithm": name}
	}
	for _, test := range []struct {
		name   string
		header map[string]string
		tamper func(*http.Request)
		status int
		want   string
	}{
		{"as it was signed", signed, asSigned, 200, ""},
		{"another body", signed, other, 400, "XAmzContentSHA256Mismatch"},
		{"another body, not signed", with("UNSIGNED-PAYLOAD"), other, 200, ""},
		{"another key", signed, func(r *http.Request) { r.URL.RawPath, r.URL.Path = "", "/"+anchors+"/b" }, 403, "SignatureDoesNotMatch"},
		{"the key in other letters", signed, func(r *http.Request) { r.URL.RawPath = "/" + anchors + "/%61%20b" }, 200, ""},
		{"another parameter", signed, func(r *http.Request) { r.URL.RawQuery = "versionId=1" }, 403, "SignatureDoesNotMatch"},
		{"another checksum", signed, func(r *http.Request) { r.Header.Set("X-Amz-Checksum-Crc32", crc("HELLO")) }, 403, "SignatureDoesNotMatch"},
		{"a retention that isn't signed", signed, func(r *http.Request) { r.Header.Set("X-Amz-Object-Lock-Mode", "GOVERNANCE") }, 403, "must be a"},
		{"no hash", nil, asSigned, 400, "Missing required header for this request: x-amz-content-sha256"},
		{"a hash that is none", with("hello"), asSigned, 400, "InvalidArgument"},
		{"chunks that are signed", with("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), asSigned, 501, "NotImplemented"},
		{"chunks that aren't there", with("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), asSigned, 400, "aws-chunked"},
		{"an algorithm without a checksum", algorithm("CRC32"), asSigned, 400, "no corresponding x-amz-checksum-*"},
		{"an algorithm there isn't", algorithm("CRC16"), asSigned, 400, "Value for x-amz-sdk-checksum-algorithm header is invalid"},
		{"a retention until some day", map[string]string{
			"X-Amz-Content-Sha256": hash(body), "X-Amz-Object-Lock-Mode": "COMPLIANCE", "X-Amz-Object-Lock-Retain-Until-Date": "some day",
		}, asSigned, 400, "ISO 8601"},
		{"an unknown key", signed, func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), signedKey(r), "AKIAUNKNOWN", 1))
		}, 403, "InvalidAccessKeyId"},
		{"a token of nobody", signed, func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "x") }, 400, "InvalidToken"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{Policy: allowAll}, "")
			w.AddBucket(awstest.Bucket{Name: anchors, ObjectLock: true})
			status, answer := sendObject(t, w, body, test.header, test.tamper)
			if status != test.status || !strings.Contains(answer, test.want) {
				t.Errorf("got %d %s, want %d %s", status, answer, test.status, test.want)
			}
			if _, ok := w.Object(anchors, "a b"); ok != (test.status == 200) {
				t.Errorf("written: %t", ok)
			}
		})
	}
}

// signedKey is the access key of a signed request.
func signedKey(r *http.Request) string {
	_, after, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(after, "/")
	return key
}

func TestChunksThatAreBroken(t *testing.T) {
	const good = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n"
	for _, test := range []struct {
		name, body, length, want string
	}{
		{"whole", fmt.Sprintf(good, crc("hello")), "5", ""},
		{"in two", "2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:" + crc("hello") + "\r\n\r\n", "5", ""},
		{"another checksum", fmt.Sprintf(good, crc("HELLO")), "5", "BadDigest"},
		{"another length", fmt.Sprintf(good, crc("hello")), "6", "IncompleteBody"},
		{"no length", fmt.Sprintf(good, crc("hello")), "", "MissingContentLength"},
		{"cut", "5\r\nhel", "5", "IncompleteBody"},
		{"no end", "5\r\nhello\r\n", "5", "IncompleteBody"},
		{"no trailer", "5\r\nhello\r\n0\r\n\r\n", "5", "MalformedTrailerError"},
		{"another trailer", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:" + crc("hello") + "\r\n\r\n", "5", "MalformedTrailerError"},
		{"more behind it", fmt.Sprintf(good, crc("hello")) + "x", "5", "MalformedTrailerError"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{Policy: allowAll}, "")
			w.AddBucket(awstest.Bucket{Name: anchors})
			header := map[string]string{
				"X-Amz-Content-Sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Encoding": "aws-chunked", "X-Amz-Trailer": "x-amz-checksum-crc32",
			}
			if test.length != "" {
				header["X-Amz-Decoded-Content-Length"] = test.length
			}
			status, answer := sendObject(t, w, test.body, header, func(*http.Request) {})
			if (status == 200) != (test.want == "") || !strings.Contains(answer, test.want) {
				t.Errorf("got %d %s, want %s", status, answer, test.want)
			}
			if o, ok := w.Object(anchors, "a b"); ok != (test.want == "") || ok && string(o.Body) != "hello" {
				t.Errorf("kept %q", o.Body)
			}
			w.noProblems()
		})
	}
}

func TestObjectsAreSmall(t *testing.T) {
	w, _ := newBucket(t, allowAll)
	_, err := w.s3().PutObject(t.Context(), put("a", strings.Repeat("a", 8<<20)))
	want(t, err, "EntityTooLarge", "")
	if p := w.Problems(); len(p) != 1 || !strings.Contains(p[0], "more than 7340032 bytes") {
		t.Errorf("problems: %q", p)
	}
	w.AddBucket(awstest.Bucket{Name: "plain"})
	_, err = w.s3().PutObject(t.Context(), put(strings.Repeat("k", 1025), "1"))
	want(t, err, "KeyTooLongError", "")
	_, err = w.s3().PutObject(t.Context(), put("a", "1", func(in *s3.PutObjectInput) {
		in.Metadata = map[string]string{"a": strings.Repeat("a", 2048)}
	}))
	want(t, err, "MetadataTooLarge", "")
}

func TestCredentialsAreCheckedByS3(t *testing.T) {
	w, now := newBucket(t, allowAll)
	cfg := w.s3Config()
	keys, err := cfg.Credentials.Retrieve(t.Context())
	check(t, err)
	do := func(cfg aws.Config) error {
		_, err := s3.NewFromConfig(cfg).ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(anchors)})
		return err
	}
	check(t, do(cfg))
	want(t, do(w.config("ASIAUNKNOWN", keys.SecretAccessKey, keys.SessionToken)), "InvalidAccessKeyId", "")
	want(t, do(w.config(keys.AccessKeyID, "wrong", keys.SessionToken)), "SignatureDoesNotMatch", "does not match")
	want(t, do(w.config(keys.AccessKeyID, keys.SecretAccessKey, "wrong")), "InvalidToken", "")
	*now = now.Add(time.Hour)
	want(t, do(cfg), "ExpiredToken", "expired")
	w.noProblems()
}
