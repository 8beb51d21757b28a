package chat

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// patiently calls Slack again when Slack asks to wait, as long as the end of ctx leaves
// time for that. Where it doesn't, the *slack.RateLimitedError is returned at once: it
// says until when Slack has to be waited for.
func patiently[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for {
		answer, err := call()
		limited, ok := errors.AsType[*slack.RateLimitedError](err)
		if !ok {
			return answer, err
		}
		if till, ends := ctx.Deadline(); ends && time.Until(till) < limited.RetryAfter {
			return answer, err
		}
		timer := time.NewTimer(limited.RetryAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer, ctx.Err()
		}
	}
}

// waits words that Slack asked to wait; nil: err says something else.
func waits(err error, what string) *ops.Error {
	limited, ok := errors.AsType[*slack.RateLimitedError](err)
	if !ok {
		return nil
	}
	return &ops.Error{
		Kind: ops.Unavailable, Err: err, Passing: true,
		What: fmt.Sprintf("Slack has had too many questions of mine: it lets me %s again in %s.", what, seconds(limited.RetryAfter)),
		Next: "Try again then.",
	}
}

// barred words that Slack doesn't let the bot ask, which no waiting mends; nil: err says
// something else.
func barred(err error) *ops.Error {
	if aboutOf(err) != aboutToken {
		return nil
	}
	return &ops.Error{
		Kind: ops.Unavailable, Err: err,
		What: "Slack doesn't answer the bot: " + wordsOf(err) + " (" + codeOf(err) + ").",
		Next: "Tell the people who run the bot: it needs another token or scope.",
	}
}

// seconds words how long something takes.
func seconds(d time.Duration) string {
	if n := int(math.Ceil(d.Seconds())); n != 1 {
		return fmt.Sprintf("%d seconds", n)
	}
	return "1 second"
}

// Person asks Slack about somebody.
// https://docs.slack.dev/reference/objects/user-object
func (c *Chat) Person(ctx context.Context, user string) (team.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	u, err := patiently(ctx, func() (*slack.User, error) { return c.api.GetUserInfoContext(ctx, user) })
	if wait := waits(err, "ask who you are"); wait != nil {
		return team.Person{}, wait
	}
	if said := barred(err); said != nil {
		return team.Person{}, said
	}
	if err != nil {
		return team.Person{}, fmt.Errorf("ask Slack about %s: %w", user, err)
	}
	p := team.Person{
		Workspaces: append([]string{u.TeamID}, u.Enterprise.Teams...),
		Stranger:   u.IsStranger, Guest: u.IsRestricted || u.IsUltraRestricted, Bot: u.IsBot || user == "USLACKBOT", Deleted: u.Deleted,
	}
	if u.IsEmailConfirmed {
		p.Email = u.Profile.Email
	}
	return p, nil
}

// Present returns nil if somebody is in an operation's channel; an *ops.Error
// says why not.
func (c *Chat) Present(ctx context.Context, user, place string) error {
	unknown := func(err error) error {
		if wait := waits(err, "ask who is in the channel"); wait != nil {
			return wait
		}
		if said := barred(err); said != nil {
			return said
		}
		return &ops.Error{Kind: ops.Unavailable, Err: err, What: "Slack didn't say whether you may ask for this.", Next: "Try again in a minute."}
	}
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	channel := c.channels.named(place)
	if channel.ID == "" {
		return unknown(fmt.Errorf("the channel %s wasn't found at the start", place))
	}
	params := &slack.GetUsersInConversationParameters{ChannelID: channel.ID, Limit: 1000}
	for {
		var next string
		members, err := patiently(ctx, func() (members []string, err error) {
			members, next, err = c.api.GetUsersInConversationContext(ctx, params)
			return members, err
		})
		switch {
		case err != nil:
			return unknown(err)
		case slices.Contains(members, user):
			return nil
		case next == "":
			return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("Only members of #%s may ask for this.", channel.Title)}
		}
		params.Cursor = next
	}
}
