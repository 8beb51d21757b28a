package chat

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// linking are those who have been given a code. It is in memory alone, for a
// code is a key; who has one when the bot stops is told.
type linking struct {
	mu      sync.Mutex
	cancels map[string]context.CancelCauseFunc // by the person's ID
	stopped bool
}

// mostLinking is how many may have a code at once.
const mostLinking = 100

// reasons why a code isn't waited for any more.
var (
	errStopped  = &ops.Error{Kind: ops.Unavailable, What: "The bot was restarted meanwhile.", Next: "Type `/rootbot link` or `/rootbot prove` again, for a new code."}
	errReplaced = &ops.Error{Kind: ops.Refused, What: "You were given a newer code, so this one doesn't count any more."}
)

// begin makes room for one more code; one that the person has already is void.
func (l *linking) begin(ctx context.Context, user string) (context.Context, func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return nil, nil, errStopped
	}
	if old := l.cancels[user]; old != nil {
		old(errReplaced)
		delete(l.cancels, user)
	}
	if len(l.cancels) >= mostLinking {
		return nil, nil, &ops.Error{Kind: ops.Busy, What: "Too many people are proving who they are just now.", Next: "Try again in a quarter of an hour."}
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	if l.cancels == nil {
		l.cancels = map[string]context.CancelCauseFunc{}
	}
	l.cancels[user] = cancel
	return ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if context.Cause(ctx) != errReplaced {
			delete(l.cancels, user)
		}
		cancel(nil)
	}, nil
}

func (l *linking) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	for _, cancel := range l.cancels {
		cancel(errStopped)
	}
}

// proving is what a person proves by a code, and what for.
type proving struct {
	tried string                                                       // the command
	may   func(context.Context) error                                  // nil: they may have a code
	take  func(context.Context, team.Account) error                    // takes the account in which the code was typed
	done  func(ctx context.Context, account team.Account) (say string) // once it is taken, as mrkdwn
}

// linkBy ties the account that a person proves to be theirs to them.
func (c *Chat) linkBy(who request.Asker) proving {
	return proving{
		tried: "/rootbot link",
		may:   func(ctx context.Context) error { return c.desk.MayBegin(ctx, who) },
		take:  func(ctx context.Context, account team.Account) error { return c.desk.Link(ctx, who, account) },
		done: func(ctx context.Context, _ team.Account) string {
			identity, no := c.desk.Identify(ctx, who)
			if no == nil {
				identity.How = "as you have just proved"
				no = c.desk.Team.Member(ctx, identity.Login)
			}
			return c.whoami(identity, no)
		},
	}
}

// proveBy has a person prove anew who they are, for a decision that needs that.
func (c *Chat) proveBy(who request.Asker) proving {
	var until time.Time
	return proving{
		tried: "/rootbot prove",
		may:   func(ctx context.Context) error { return c.desk.MayProve(ctx, who) },
		take: func(ctx context.Context, account team.Account) (err error) {
			until, err = c.desk.Prove(ctx, who, account)
			return err
		},
		done: func(_ context.Context, account team.Account) string {
			return fmt.Sprintf("You have proved that you are %s on GitHub. Until %s UTC your decisions need no other proof: press the button again.", escape(account.Login), clock(until))
		},
	}
}

// proves has a person prove which GitHub account is theirs: it shows them a code,
// waits until it was typed at GitHub, and tells them what came of it.
func (c *Chat) proves(ctx context.Context, who request.Asker, p proving, answer answering) {
	ctx = context.WithoutCancel(ctx)
	c.delivering.Go(func() {
		account, err := c.proof(ctx, who, p, answer)
		if err == nil {
			err = p.take(ctx, account)
		}
		c.later(ctx, answer, func(ctx context.Context) string {
			if err != nil {
				c.log.Warn(p.tried, "by", who.User, "error", err)
				return c.refused(ctx, who, "", "", p.tried, err, ops.ChangedNothing)
			}
			return p.done(ctx, account)
		})
	})
}

// proof is the account in which a person types the code that they are shown.
func (c *Chat) proof(ctx context.Context, who request.Asker, p proving, answer answering) (team.Account, error) {
	if err := p.may(ctx); err != nil {
		return team.Account{}, err
	}
	code, err := c.desk.Team.Device.Begin(ctx)
	if err != nil {
		return team.Account{}, err
	}
	waiting, end, err := c.linking.begin(ctx, who.User)
	if err != nil {
		return team.Account{}, err
	}
	defer end()
	c.later(ctx, answer, func(context.Context) string {
		return fmt.Sprintf("Open %s, sign in as yourself and type the code `%s`: it is for you alone and good until %s UTC. "+
			"GitHub will show the app's name and ask whether it may know who you are. It learns nothing else, and the key is thrown away at once.", escape(code.Where), escape(code.User), code.Expires.UTC().Format("15:04"))
	})
	account, err := code.Proof(waiting, c.desk.Team.GitHub)
	if waiting.Err() != nil {
		err = context.Cause(waiting)
	}
	return account, err
}

// unlink forgets which GitHub account somebody has proved to be theirs.
func (c *Chat) unlink(ctx context.Context, who request.Asker) string {
	login, err := c.desk.Unlink(ctx, who)
	if err != nil {
		return c.refused(ctx, who, "", "", "/rootbot unlink", err, ops.ChangedNothing)
	}
	return fmt.Sprintf("I have forgotten that you are %s on GitHub. The record keeps that you were, from when to when.", escape(login))
}
