package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cenkalti/backoff/v5"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// patiently calls Slack again when it says to wait, as long as ctx lasts.
func patiently[T any](ctx context.Context, call func() (T, error)) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		answer, err := call()
		if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
			return answer, backoff.RetryAfter(int(limited.RetryAfter.Seconds()))
		}
		if err != nil {
			return answer, backoff.Permanent(err)
		}
		return answer, nil
	}, backoff.WithMaxElapsedTime(0))
}

// Person asks Slack about somebody.
// https://docs.slack.dev/reference/objects/user-object
func (c *Chat) Person(ctx context.Context, user string) (team.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	u, err := patiently(ctx, func() (*slack.User, error) { return c.api.GetUserInfoContext(ctx, user) })
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
		return &ops.Error{Kind: ops.Unavailable, Err: err, What: "Slack didn't say whether you may ask for this.", Next: "Try again in a minute."}
	}
	channel, err := c.find(ctx, strings.TrimPrefix(place, "#"))
	if err != nil || channel == nil {
		return unknown(err)
	}
	params := &slack.GetUsersInConversationParameters{ChannelID: channel.ID, Limit: 1000}
	for {
		members, next, err := c.api.GetUsersInConversationContext(ctx, params)
		switch {
		case err != nil:
			return unknown(err)
		case slices.Contains(members, user):
			return nil
		case next == "":
			return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("Only members of #%s may ask for this.", channel.Name)}
		}
		params.Cursor = next
	}
}
