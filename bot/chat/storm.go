package chat

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// What one person may do before the bot looks at nothing more of theirs, and what all
// those may ask together whom the bot doesn't know, or whom GitHub has just called no
// members: to look one of them up takes up to three of GitHub's calls. One person's storm costs the
// others nothing: it ends before anything is stored, and before Slack or GitHub is
// asked about anybody.
var (
	perPerson = limit{burst: 40, every: time.Second}
	perSearch = limit{burst: 60, every: 250 * time.Millisecond} // Slack asks at each pause in typing
	byUnknown = limit{burst: 60, every: time.Second}
	byOutside = limit{burst: 10, every: 6 * time.Second}

	perRefused = limit{burst: 5, every: 10 * time.Second} // of a person who was refused a moment ago
)

// countedFor is how long what isn't looked at is counted in one record.
const countedFor = time.Minute

var (
	tooOften   = unable("You have done more than the bot takes from one person at a time.", "Try again in a minute.")
	errOutside = &ops.Error{Kind: ops.Busy, What: "More people who were no members of the team a moment ago ask for things just now than the bot can look up.", Next: "Try again in a minute."}
	errTooMany = &ops.Error{Kind: ops.Busy, What: "More people whom the bot doesn't know ask for things just now than it can look up.", Next: "Try again in a minute."}
)

// limit is how much may come at once, and how often one more.
type limit struct {
	burst int
	every time.Duration
}

func (l limit) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(l.every), l.burst) }

// storms keep one person's storm from the others.
type storms struct {
	mu      sync.Mutex
	calm    bool                     // nothing is limited: for tests that do what no person does
	people  map[string]*rate.Limiter // by what they do, and personKey
	unknown *rate.Limiter
	outside *rate.Limiter
	passed  map[string]*passed // by personKey
	over    chan struct{}
}

// passed is what of a person's wasn't looked at.
type passed struct {
	who        request.Asker
	tried, why string // the first time
	times      int
	since      time.Time
}

func newStorms() storms {
	return storms{people: map[string]*rate.Limiter{}, unknown: byUnknown.limiter(), outside: byOutside.limiter(), passed: map[string]*passed{}, over: make(chan struct{})}
}

// personKey tells people apart: the same ID in another workspace is another person's.
func personKey(who request.Asker) string { return who.Workspace + "/" + who.User }

// takes tells whether one more thing of a person's is looked at.
func (s *storms) takes(who request.Asker, what string, most limit, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calm {
		return true
	}
	if len(s.people) > 10_000 {
		maps.DeleteFunc(s.people, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(l.Burst()) })
	}
	by := what + personKey(who)
	l := s.people[by]
	if l == nil {
		l = most.limiter()
		s.people[by] = l
	}
	return l.AllowN(now, 1)
}

// pass counts what isn't looked at, and tells whether it is the first of its minute.
func (s *storms) pass(who request.Asker, tried, why string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.passed[personKey(who)]
	if p == nil {
		s.passed[personKey(who)] = &passed{who: who, tried: tried, why: why, times: 1, since: now}
		return true
	}
	p.times++
	return false
}

// counted takes out what was counted for a minute, or all.
func (s *storms) counted(all bool, now time.Time) []*passed {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*passed
	for _, by := range slices.Sorted(maps.Keys(s.passed)) {
		if p := s.passed[by]; all || now.Sub(p.since) >= countedFor {
			list = append(list, p)
			delete(s.passed, by)
		}
	}
	return list
}

// recordStorms records what was counted, one record for a person and a minute, until
// the bot stops.
func (c *Chat) recordStorms() {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for over := false; !over; {
		select {
		case <-tick.C:
		case <-c.storms.over:
			over = true
		}
		for _, p := range c.storms.counted(over, time.Now()) {
			c.turnAway(context.Background(), p.who, p.tried, fmt.Sprintf("%s That was the answer %d times within a minute.", p.why, p.times))
		}
	}
}

// stormed tells whether a person has done too much for one more thing to be looked at.
func (c *Chat) stormed(ctx context.Context, who request.Asker, what, tried string, most limit) (first, yes bool) {
	if c.storms.takes(who, what, most, time.Now()) {
		return false, false
	}
	fated(ctx, "storm")
	return c.storms.pass(who, tried, tooOften, time.Now()), true
}

// turnsAway returns why something isn't even stored: the person was refused a moment
// ago, or too many ask whom the bot doesn't know or GitHub has called no members. It is
// counted.
func (c *Chat) turnsAway(ctx context.Context, operation, tried string, who request.Asker) error {
	no := c.desk.Lately(operation, who)
	if no == nil {
		no = c.tooMany(ctx, operation, who)
	}
	return c.counted(ctx, tried, who, no)
}

// overdone is turnsAway for forms that are to open, and for questions: the bot stores
// only refusals of those. A person who was refused a moment ago is asked about, and
// recorded, a few times more.
func (c *Chat) overdone(ctx context.Context, operation, tried string, who request.Asker) error {
	no := c.desk.Lately(operation, who)
	if no == nil || c.storms.takes(who, "refused/", perRefused, time.Now()) {
		no = c.tooMany(ctx, operation, who)
	}
	return c.counted(ctx, tried, who, no)
}

// tooMany returns why a person isn't looked up now, among all of whom the bot knows as little.
func (c *Chat) tooMany(ctx context.Context, operation string, who request.Asker) error {
	switch {
	case c.desk.Outside(who) && (operation == "" || c.desk.TermsOf(operation).Requesters != request.ByPlace):
		return c.storms.crowded(c.storms.outside, errOutside, time.Now())
	case !c.desk.Acquainted(ctx, who):
		return c.storms.crowded(c.storms.unknown, errTooMany, time.Now())
	}
	return nil
}

// counted counts a refusal; nil is none.
func (c *Chat) counted(ctx context.Context, tried string, who request.Asker, no error) error {
	if no != nil {
		fated(ctx, "storm")
		c.storms.pass(who, tried, refusal(no), time.Now())
	}
	return no
}

// crowded returns why one more thing isn't looked up of those who share a limit.
func (s *storms) crowded(most *rate.Limiter, no error, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calm || most.AllowN(now, 1) {
		return nil
	}
	return no
}
