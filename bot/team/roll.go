package team

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// roll keeps many people who are no members from using up GitHub's calls. While GitHub
// calls few people no members, it is asked about each who types a command. Once it has
// called many so, a login that isn't on the team's list as GitHub gave it within the last half minute is
// no member's: one call answers for all. The roll never says that a login is a member's.
type roll struct {
	mu     sync.Mutex
	each   *rate.Limiter // of people whom GitHub calls no members; nil: none yet
	logins []string
	at     time.Time // when GitHub gave the list; zero: it didn't
	tried  time.Time // when it was last asked for it
}

const (
	rollFor  = 30 * time.Second // how long a list holds, and how long one that couldn't be read isn't asked for
	fewAsk   = 10               // people who are no members may be asked about at once
	fewAgain = 6 * time.Second  // and one more that often

	rollWithin = 2 * time.Second // how long the list may take
)

// absent notes that GitHub has called a person no member.
func (r *roll) absent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.each == nil {
		r.each = rate.NewLimiter(rate.Every(fewAgain), fewAsk)
	}
	r.each.Allow()
}

// crowded tells whether GitHub has called many people no members.
func (r *roll) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.each != nil && r.each.Tokens() < 1
}

// lacks tells whether GitHub has called many people no members, and the list lacks a
// login. read reads the list, for one caller at a time; the others don't wait for it.
// Where there is no list, nothing is known to be lacking.
func (r *roll) lacks(ctx context.Context, login string, read func(context.Context) ([]string, error)) bool {
	if !r.crowded() {
		return false
	}
	r.mu.Lock()
	now := time.Now()
	mine := now.Sub(r.at) >= rollFor && now.Sub(r.tried) >= rollFor
	if mine {
		r.tried = now
	}
	r.mu.Unlock()
	if mine {
		limited, cancel := context.WithTimeout(ctx, rollWithin)
		logins, err := read(limited)
		cancel()
		if err == nil {
			r.mu.Lock()
			r.logins, r.at = logins, time.Now()
			r.mu.Unlock()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.at) < rollFor && !slices.ContainsFunc(r.logins, func(member string) bool { return strings.EqualFold(member, login) })
}
