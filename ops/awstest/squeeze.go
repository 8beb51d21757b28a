package awstest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// squeezer holds an answer back until it is whole, and compresses a long one for a client that takes that, as those of net/http
// do unasked. AWS doesn't, but AWS isn't on the same machine. The SDK takes its request back as soon as it has the head of the
// answer; where that comes before net/http has noticed that all of the request is written, net/http closes the connection,
// and the client is left with as much of the answer as it has read by then: 4 KB.
type squeezer struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// gzipWriters are kept, for they are large.
var gzipWriters = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	return z
}}

// squeezeAt is a length that fits into the 4 KB with all headers.
const squeezeAt = 2048

func (s *squeezer) WriteHeader(status int) { s.status = status }

func (s *squeezer) Write(b []byte) (int, error) { return s.body.Write(b) }

// send lets the answer go.
func (s *squeezer) send(r *http.Request) {
	body := s.body.Bytes()
	if len(body) > squeezeAt && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		var small bytes.Buffer
		z := gzipWriters.Get().(*gzip.Writer)
		z.Reset(&small)
		z.Write(body)
		z.Close()
		gzipWriters.Put(z)
		body = small.Bytes()
		s.Header().Set("Content-Encoding", "gzip")
	}
	s.Header().Set("Content-Length", strconv.Itoa(len(body)))
	s.ResponseWriter.WriteHeader(max(s.status, http.StatusOK))
	s.ResponseWriter.Write(body)
}
