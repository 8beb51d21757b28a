package awsaccess

import (
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// HTTPClient returns a client for the SDK that calls next, or a new one of the
// SDK's own for nil, and reads every answer to its end. The SDK closes a request
// as soon as the head of the answer is there; what it gives net/http to read the
// request from then answers WriteTo with io.EOF, which io.WriterTo doesn't allow,
// and where net/http was just about to find out that all of the request is
// written, it cuts the connection in the middle of the answer. So WriteTo is
// hidden: a closed Read may say io.EOF.
// https://github.com/aws/smithy-go/blob/v1.28.8/transport/http/internal/io/safe.go
func HTTPClient(next aws.HTTPClient) aws.HTTPClient {
	if next == nil {
		next = awshttp.NewBuildableClient()
	}
	return client{next}
}

type client struct{ next aws.HTTPClient }

func (c client) Do(r *http.Request) (*http.Response, error) {
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	return c.next.Do(r)
}
