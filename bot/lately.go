package bot

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// refusedFor is how long a person who was refused as no member is refused again
// without being looked up: a storm of theirs costs Slack and GitHub one question.
const refusedFor = 30 * time.Second

// outsideFor is how long a person counts as an outsider whom GitHub has called no member.
const outsideFor = 10 * time.Minute

// lately is what this process found people of the chat to be.
type lately struct {
	mu      sync.Mutex
	refused map[string]refusal   // by nameOf: the same ID in another workspace is another person's
	members map[string]bool      // by nameOf: found to be a member since the process began; grants nothing
	outside map[string]time.Time // by nameOf: when GitHub called them no member
}

type refusal struct {
	err      error
	byGitHub bool // GitHub said that they are no member; else Slack or the settings spoke against them
	at       time.Time
}

// note keeps what was found of a person: by GitHub, or else before it was asked.
func (l *lately) note(name string, byGitHub bool, err error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused == nil {
		l.refused, l.members, l.outside = map[string]refusal{}, map[string]bool{}, map[string]time.Time{}
	}
	for other, old := range l.refused {
		if now.Sub(old.at) >= refusedFor {
			delete(l.refused, other)
		}
	}
	maps.DeleteFunc(l.outside, func(_ string, at time.Time) bool { return now.Sub(at) >= outsideFor })
	switch {
	case err == nil:
		l.members[name] = true
		delete(l.refused, name)
		delete(l.outside, name)
	case ops.KindOf(err) == ops.Refused:
		delete(l.members, name)
		l.refused[name] = refusal{err, byGitHub, now}
		if byGitHub {
			l.outside[name] = now
		}
	}
}

// Found keeps that a person was refused when what they may was asked for: known tells
// whether by GitHub. That they weren't isn't kept.
func (d *Desk) Found(a request.Asker, known bool, err error) {
	if a.Login == "" && ops.KindOf(err) == ops.Refused {
		d.lately.note(a.Name(), known, err, d.now())
	}
}

// forget forgets a refusal, for a person who has just proved who they are.
func (l *lately) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.refused, name)
	delete(l.outside, name)
}

// Outside tells whether GitHub called a person no member of the team in the last ten
// minutes, and hasn't called them one since. It says nothing of what they may.
func (d *Desk) Outside(a request.Asker) bool {
	d.lately.mu.Lock()
	defer d.lately.mu.Unlock()
	at, ok := d.lately.outside[a.Name()]
	return ok && d.now().Sub(at) < outsideFor
}

// Lately returns why a person was refused in the last 30 seconds for not being a
// member of the team; nil: they weren't, or the operation, if it isn't empty, is for
// others too. A person who was let in is asked about anew each time.
func (d *Desk) Lately(operation string, a request.Asker) error {
	if a.Login != "" || operation != "" && d.TermsOf(operation).Requesters == request.ByPlace {
		return nil
	}
	return d.refusedLately(a).err
}

// noMember returns what GitHub said against a person in the last 30 seconds; nil:
// nothing. Those of their requests and clicks that were stored before it said so
// needn't ask again.
func (d *Desk) noMember(operation string, a request.Asker) error {
	if known := d.refusedLately(a); known.byGitHub {
		return d.Lately(operation, a)
	}
	return nil
}

// inCrowd refuses a person who asks while many do who are no members, and who is none
// by the team's list. Nil says nothing.
func (d *Desk) inCrowd(ctx context.Context, operation string, a request.Asker) (string, error) {
	if a.Login != "" || d.TermsOf(operation).Requesters == request.ByPlace || !d.Team.Crowded() {
		return "", nil
	}
	identity, err := d.Identify(ctx, a)
	if err != nil {
		return "", nil // MayAsk says why
	}
	if err = d.Team.Crowd(ctx, identity.Login); err != nil {
		d.lately.note(a.Name(), true, err, d.now())
	}
	return identity.Login, err
}

func (d *Desk) refusedLately(a request.Asker) refusal {
	d.lately.mu.Lock()
	defer d.lately.mu.Unlock()
	if known := d.lately.refused[a.Name()]; d.now().Sub(known.at) < refusedFor {
		return known
	}
	return refusal{}
}

// Acquainted tells whether the settings or a link that counts name a person, or the bot has found
// them to be a member since it began. It says nothing of what they may.
func (d *Desk) Acquainted(ctx context.Context, a request.Asker) bool {
	d.lately.mu.Lock()
	member := d.lately.members[a.Name()]
	d.lately.mu.Unlock()
	if member || a.Workspace == d.Team.Workspace && d.Team.Identities[a.User] != "" {
		return true
	}
	link, err := d.Store.LinkOf(ctx, a.Workspace, a.User)
	return err == nil && link.Counts()
}
