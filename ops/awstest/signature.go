package awstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	signatureAlgorithm = "AWS4-HMAC-SHA256"
	signatureTime      = "20060102T150405Z"
	signatureSkew      = 5 * time.Minute
)

// signature is what a request's Authorization header says.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
type signature struct {
	accessKeyID, day, region, service string
	headers                           []string
	value                             string
}

// parseSignature takes the Authorization header apart; ok is false when it isn't one of Signature Version 4.
func parseSignature(header string) (s signature, ok bool) {
	rest, ok := strings.CutPrefix(header, signatureAlgorithm+" ")
	if !ok {
		return s, false
	}
	for part := range strings.SplitSeq(rest, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch key {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[4] != "aws4_request" {
				return s, false
			}
			s.accessKeyID, s.day, s.region, s.service = scope[0], scope[1], scope[2], scope[3]
		case "SignedHeaders":
			s.headers = strings.Split(value, ";")
		case "Signature":
			s.value = value
		}
	}
	return s, s.accessKeyID != "" && len(s.headers) > 0 && s.value != ""
}

// fault says in AWS's words what is wrong with the signature of a request; "" is nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func (s signature) fault(r *http.Request, body []byte, secret string, now time.Time) string {
	const mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret " +
		"Access Key and signing method. Consult the service documentation for details."
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(signatureTime, date)
	if err != nil || !strings.HasPrefix(date, s.day) {
		return "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"
	}
	switch {
	case at.Before(now.Add(-signatureSkew)):
		return "Signature expired: " + date + " is now earlier than " + now.Add(-signatureSkew).UTC().Format(signatureTime)
	case at.After(now.Add(signatureSkew)):
		return "Signature not yet current: " + date + " is still later than " + now.Add(signatureSkew).UTC().Format(signatureTime)
	}
	if !slices.Contains(s.headers, "host") {
		return "'Host' must be a 'SignedHeader' in the AWS Authorization."
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.headers, name) {
			return "'" + name + "' must be a 'SignedHeader' in the AWS Authorization."
		}
	}
	hash := hexSum(body)
	switch declared := r.Header.Get("X-Amz-Content-Sha256"); {
	case s.service == "s3" && declared != "":
		hash = declared // it may say that the body isn't signed; whether it fits is asked later
	case declared != "" && declared != hash:
		return mismatch
	}
	scope := strings.Join([]string{s.day, s.region, s.service, "aws4_request"}, "/")
	toSign := strings.Join([]string{signatureAlgorithm, date, scope, hexSum([]byte(s.canonicalRequest(r, hash)))}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.day, s.region, s.service, "aws4_request", toSign} {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(part))
		key = m.Sum(nil)
	}
	if !hmac.Equal([]byte(hex.EncodeToString(key)), []byte(s.value)) {
		return mismatch
	}
	return ""
}

func (s signature) canonicalRequest(r *http.Request, bodyHash string) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if s.service == "s3" {
		path = r.URL.Path
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + encodePath(path) + "\n" + canonicalQuery(r.URL.Query()) + "\n")
	for _, name := range s.headers {
		values := slices.Clone(r.Header.Values(name))
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length":
			values = []string{strconv.FormatInt(r.ContentLength, 10)}
		}
		for i, v := range values {
			values[i] = strings.Join(strings.Fields(v), " ")
		}
		b.WriteString(name + ":" + strings.Join(values, ",") + "\n")
	}
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + bodyHash)
	return b.String()
}

// encodePath encodes a path: as it was sent and so once more, which is what every service but S3 signs, or as it was meant.
func encodePath(path string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for _, c := range []byte(path) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

func canonicalQuery(q url.Values) string {
	for _, values := range q {
		slices.Sort(values)
	}
	return strings.ReplaceAll(q.Encode(), "+", "%20")
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
