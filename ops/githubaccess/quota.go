package githubaccess

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
)

const (
	// reserveParts and leastReserve are how many of an hour's calls only questions about
	// membership may use: a tenth, and a hundred at least.
	reserveParts = 10
	leastReserve = 100
	// sameHour is how far two answers may differ in when one hour is over: GitHub's
	// servers don't agree to the second.
	sameHour = 30 * time.Second
)

// Sparing returns a client that asks in the same name and of the same hour as client,
// and leaves the last of the hour's calls alone: a read of it waits for the next hour, or
// is refused by an *ops.Error that says when that begins, while a tenth of the calls is
// left, or fewer than a hundred. It is for what can wait, so that client can always
// ask who is a member. Writes are few and are part of what has begun: they are let
// through. client must be of New.
func Sparing(client *github.Client) *github.Client {
	spares := github.NewClient(&http.Client{Transport: sparing{client.Client().Transport}, CheckRedirect: follow})
	spares.BaseURL, spares.UserAgent = client.BaseURL, client.UserAgent
	return spares
}

type spareKey struct{}

type sparing struct{ next http.RoundTripper }

func (s sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	return s.next.RoundTrip(r.WithContext(context.WithValue(r.Context(), spareKey{}, true)))
}

// quota is what GitHub last said of the calls of an hour. The zero value: nothing yet.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#checking-the-status-of-your-rate-limit
type quota struct {
	mu        sync.Mutex
	limit     int // an hour; 0: not known, or there is none
	remaining int
	reset     time.Time
}

// heard takes in what an answer says. Answers overtake each other: of one hour, the one
// that leaves fewest counts. GraphQL counts by itself.
func (q *quota) heard(h http.Header) {
	limit, err := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	remaining, none := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	reset, never := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
	if resource := h.Get("X-RateLimit-Resource"); err != nil || none != nil || never != nil || resource != "" && resource != "core" {
		return
	}
	at := time.Unix(reset, 0)
	q.mu.Lock()
	defer q.mu.Unlock()
	switch later := at.Sub(q.reset); {
	case later > sameHour:
		q.limit, q.remaining, q.reset = limit, remaining, at
	case later > -sameHour:
		q.limit, q.remaining = limit, min(q.remaining, remaining)
	}
}

// spent tells whether what is left is the reserve, how many calls that is, and when the
// next hour begins.
func (q *quota) spent(now time.Time) (left int, reset time.Time, yes bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	// Half of a small limit is left to those who spare.
	reserve := min(max(q.limit/reserveParts, leastReserve), q.limit/2)
	return q.remaining, q.reset, q.limit > 0 && q.remaining <= reserve && now.Before(q.reset)
}

// spare has a read that is to leave the reserve alone wait until a time at most; an
// error says why it can't be made.
func (q *quota) spare(r *http.Request, till time.Time) error {
	if r.Context().Value(spareKey{}) == nil {
		return nil
	}
	for {
		left, reset, yes := q.spent(time.Now())
		if !yes {
			return nil
		}
		next := reset.Add(time.Second)
		if deadline, ok := r.Context().Deadline(); next.After(till) || ok && next.After(deadline) {
			return &ops.Error{
				Kind: ops.Unavailable, Passing: true,
				What: fmt.Sprintf("Of the calls that GitHub allows the bot an hour %d are left, and the bot keeps them for checking who is a member.", left),
				Next: "GitHub's next hour begins at " + reset.UTC().Format("15:04:05") + " UTC; try again then.",
			}
		}
		if err := sleep(r.Context(), time.Until(next)); err != nil {
			return err
		}
	}
}
