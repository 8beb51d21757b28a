package awsaccess_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// bodies notes whether net/http would be given a request's body with WriteTo.
type bodies struct{ shortcut bool }

var errEnough = errors.New("enough")

func (b *bodies) Do(r *http.Request) (*http.Response, error) {
	_, b.shortcut = r.Body.(io.WriterTo)
	return nil, errEnough
}

func TestARequestIsReadWithoutWriteTo(t *testing.T) {
	t.Parallel()
	var seen bodies
	for _, test := range []struct {
		name   string
		client aws.HTTPClient
		want   bool
	}{
		{"the SDK alone", &seen, true}, // once this is false, HTTPClient can go
		{"through HTTPClient", awsaccess.HTTPClient(&seen), false},
	} {
		c := sts.NewFromConfig(aws.Config{
			Region: "eu-west-2", HTTPClient: test.client, Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
			Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		})
		if _, err := c.GetCallerIdentity(t.Context(), nil); !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		if seen.shortcut != test.want {
			t.Errorf("%s: the body has WriteTo: %t", test.name, seen.shortcut)
		}
	}
}
