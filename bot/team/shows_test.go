package team_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const memberships = "GET /orgs/*/teams/*/memberships"

func TestAnAnswerThatOnlyShowsSomethingIsThirtySecondsOldAtMost(t *testing.T) {
	t.Parallel()
	s := newStreet(t, githubtest.Options{})
	s.bubble(t, func(t *testing.T) {
		m := members(t, s.gh, token)
		client, err := githubaccess.New(s.gh.URL(), githubaccess.Token{Value: token, Next: s})
		if err != nil {
			t.Fatal(err)
		}
		m.GitHub = client
		show := func(login string, may bool, calls int) {
			t.Helper()
			if err := m.Shows(t.Context(), login); (err == nil) != may {
				t.Errorf("%s is shown things: %v", login, err)
			}
			if n := s.gh.Count(memberships); n != calls {
				t.Errorf("GitHub was asked %d times, want %d", n, calls)
			}
		}
		show("Ada-Lovelace", true, 1)
		<-time.After(29 * time.Second)
		show("Ada-Lovelace", true, 1)
		s.do(func() { s.gh.RemoveMember(slug, "ada-lovelace") })
		show("Ada-Lovelace", true, 1)
		// What is done is asked for each time, and isn't remembered either.
		for calls := 2; calls < 4; calls++ {
			says(t, m.Member(t.Context(), "Ada-Lovelace"), ops.Refused, "not a member")
			show("Ada-Lovelace", true, calls)
		}
		<-time.After(time.Second)
		show("Ada-Lovelace", false, 4)
		s.do(func() { s.gh.AddMember(slug, "Ada-Lovelace") })
		<-time.After(30*time.Second - 1)
		show("Ada-Lovelace", false, 4)
		if err := m.Member(t.Context(), "Ada-Lovelace"); err != nil {
			t.Error(err)
		}
		<-time.After(1)
		show("Ada-Lovelace", true, 6)
		// One person's answer is nobody else's.
		show("plain-jane", false, 7)
		show("Ada-Lovelace", true, 7)
		show("owl", true, 8)

		says(t, m.Shows(t.Context(), "plain-jane"), ops.Refused, "plain-jane", "not a member")
		<-time.After(time.Minute)
		s.do(func() { s.gh.Fail(memberships, githubtest.Fault{Status: 502, Times: 6}) })
		for _, calls := range []int{11, 14} { // each with three tries
			show("Ada-Lovelace", false, calls) // a fault is forgotten at once
		}
		show("Ada-Lovelace", true, 15)
		show("Ada-Lovelace", true, 15)
		// Nor does it take the place of an answer that is too old.
		<-time.After(31 * time.Second)
		s.do(func() { s.gh.Fail(memberships, githubtest.Fault{Status: 502, Times: 3}) })
		says(t, m.Shows(t.Context(), "Ada-Lovelace"), ops.Unavailable, "502")
	})
}

func TestManyMayBeShownThingsAtOnce(t *testing.T) {
	t.Parallel()
	gh := world(t)
	m := members(t, gh, token)
	var wait sync.WaitGroup
	for range 4 {
		for login, may := range map[string]bool{"Ada-Lovelace": true, "owl": true, "plain-jane": false, "pending-pete": false} {
			wait.Go(func() {
				if err := m.Shows(t.Context(), login); (err == nil) != may {
					t.Errorf("%s is shown things: %v", login, err)
				}
			})
		}
	}
	wait.Wait()
	for _, c := range gh.Calls() {
		if c.Method != http.MethodGet || !strings.HasPrefix(c.Path, "/orgs/") {
			t.Errorf("GitHub was asked %+v", c)
		}
	}
}
