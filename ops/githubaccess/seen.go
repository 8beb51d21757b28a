package githubaccess

import (
	"bytes"
	"context"
	"net/http"
	"sync"
)

// mostSeen is how many answers are kept of what is asked again and again.
const mostSeen = 200

type repeatedKey struct{}

// Repeatedly marks reads that are made again and again to see whether anything has
// changed. While nothing has, GitHub says just that, and doesn't count the call.
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
func Repeatedly(ctx context.Context) context.Context {
	return context.WithValue(ctx, repeatedKey{}, true)
}

// seen are the last answers to what is asked again and again. The zero value has none.
type seen struct {
	mu      sync.Mutex
	answers map[string]kept // by what was asked
	order   []string        // the oldest first
}

type kept struct {
	tag    string
	header http.Header
	text   []byte
}

func seenKey(r *http.Request) string { return r.URL.String() + " " + r.Header.Get("Accept") }

// conditional is a request for something only if it isn't as in a kept answer.
func (s *seen) conditional(r *http.Request) (*http.Request, kept) {
	if r.Method != http.MethodGet || r.Context().Value(repeatedKey{}) == nil || r.Header.Get("If-None-Match") != "" {
		return r, kept{}
	}
	s.mu.Lock()
	had := s.answers[seenKey(r)]
	s.mu.Unlock()
	if had.tag != "" {
		r = r.Clone(r.Context())
		r.Header.Set("If-None-Match", had.tag)
	}
	return r, had
}

// resolve puts the kept answer where GitHub says that it still holds, and keeps a new
// one. What GitHub says of the call itself, such as its quota, is passed on.
func (s *seen) resolve(r *http.Request, had kept, response *http.Response) {
	body, _ := response.Body.(*answer)
	switch {
	case body == nil || r.Method != http.MethodGet || r.Context().Value(repeatedKey{}) == nil:
	case response.StatusCode == http.StatusNotModified && had.tag != "":
		for _, name := range []string{"Content-Type", "Link", "ETag"} {
			if values := had.header[http.CanonicalHeaderKey(name)]; len(values) > 0 {
				response.Header[http.CanonicalHeaderKey(name)] = values
			}
		}
		response.StatusCode, response.Status = http.StatusOK, "200 OK"
		response.ContentLength = int64(len(had.text))
		response.Body = &answer{Reader: bytes.NewReader(had.text), text: had.text, whole: true}
	case response.StatusCode == http.StatusOK && body.whole && response.Header.Get("ETag") != "":
		s.keep(seenKey(r), kept{response.Header.Get("ETag"), response.Header.Clone(), body.text})
	}
}

func (s *seen) keep(key string, k kept) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.answers == nil {
		s.answers = map[string]kept{}
	}
	if _, ok := s.answers[key]; !ok {
		s.order = append(s.order, key)
	}
	s.answers[key] = k
	if len(s.order) > mostSeen {
		delete(s.answers, s.order[0])
		s.order = s.order[1:]
	}
}
