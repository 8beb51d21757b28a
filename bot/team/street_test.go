package team_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// street leads out of a bubble of synctest to a GitHub that goes by the bubble's
// clock. That stands still while anybody is on the way, so that minutes of
// waiting between calls take no time.
type street struct {
	gh   *githubtest.Server
	pace http.RoundTripper
	work chan func() // made outside, as done: who waits for them stops the clock
	done chan struct{}
	at   atomic.Int64

	one  sync.Mutex // on the way at a time
	mu   sync.Mutex
	keys []string // secrets that GitHub gave out
}

func newStreet(t *testing.T, options githubtest.Options) *street {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	s := &street{pace: transport, work: make(chan func()), done: make(chan struct{})}
	s.at.Store(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()) // when every bubble begins
	options.Now = func() time.Time { return time.Unix(0, s.at.Load()) }
	s.gh = worldOf(t, options)
	go func() {
		for job := range s.work {
			job()
			s.done <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		close(s.work)
		transport.CloseIdleConnections()
	})
	return s
}

// bubble runs a test in a bubble.
func (s *street) bubble(t *testing.T, test func(*testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t)
		// Clients watch the clock for a while after an answer that was an error.
		<-time.After(time.Minute)
	})
}

// do does something outside, such as changing the world.
func (s *street) do(job func()) {
	s.one.Lock()
	defer s.one.Unlock()
	s.at.Store(time.Now().UnixNano())
	s.work <- job
	<-s.done
}

func (s *street) RoundTrip(r *http.Request) (response *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	// Nothing that belongs to the bubble may be waited for outside.
	outside, err := http.NewRequest(r.Method, r.URL.String(), r.Body)
	if err != nil {
		return nil, err
	}
	outside.Header = r.Header.Clone()
	s.do(func() {
		if response, err = s.pace.RoundTrip(outside); err != nil {
			return
		}
		defer response.Body.Close()
		body, broken := io.ReadAll(response.Body)
		s.keep(body)
		response.Body = io.NopCloser(bytes.NewReader(body))
		if broken != nil {
			response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), iotest.ErrReader(broken)))
		}
	})
	return response, err
}

func (s *street) keep(body []byte) {
	var keys struct {
		Device  string `json:"device_code"`
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &keys) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range []string{keys.Device, keys.Access, keys.Refresh} {
		if key != "" {
			s.keys = append(s.keys, key)
		}
	}
}

// team is one whose people prove who they are to an App's client ID.
func (s *street) team(t *testing.T, id string) *team.Team {
	t.Helper()
	m := members(t, s.gh, token)
	m.Device = team.Device{ClientID: id, URL: s.gh.URL(), HTTP: &http.Client{Transport: s}}
	return m
}

// silent checks that an error shows no key to anybody.
func (s *street) silent(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := err; e != nil; e = errors.Unwrap(e) {
		for _, key := range append([]string{"ghu_", "ghr_"}, s.keys...) {
			if strings.Contains(e.Error(), key) || strings.Contains(ops.Words(e, ""), key) {
				t.Errorf("an error shows a key: %q", e)
			}
		}
	}
}
