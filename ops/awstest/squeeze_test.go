package awstest_test

import (
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/organizations"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// seenEncoding notes how the last answer came.
type seenEncoding struct {
	http.RoundTripper
	uncompressed bool
	length       int64
}

func (s *seenEncoding) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		s.uncompressed, s.length = answer.Uncompressed, answer.ContentLength
	}
	return answer, err
}

func TestLongAnswersAreCompressedForThoseWhoTakeIt(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	manyAccounts(e.o, 20)
	for _, test := range []struct {
		name       string
		plain      bool
		pageSize   int
		compressed bool
	}{
		{"long", false, 20, true},
		{"short", false, 1, false},
		{"long, for one who doesn't", true, 20, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			e.SetPageSize(test.pageSize)
			transport := &http.Transport{DisableCompression: test.plain}
			t.Cleanup(transport.CloseIdleConnections)
			seen := &seenEncoding{RoundTripper: transport}
			cfg := e.session()
			cfg.HTTPClient = &http.Client{Transport: seen}
			out, err := organizations.NewFromConfig(cfg).ListAccounts(t.Context(), nil)
			check(t, err)
			if len(out.Accounts) != test.pageSize || seen.uncompressed != test.compressed || seen.length < 0 != test.compressed {
				t.Errorf("%d accounts, compressed %t, length %d", len(out.Accounts), seen.uncompressed, seen.length)
			}
		})
	}
}
