package chat

import (
	"context"
	"errors"
	"fmt"
	"net/url"
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

// user is what Slack says of a person, with what slack-go doesn't read.
// https://docs.slack.dev/reference/objects/user-object
type user struct {
	slack.User
	Teams []string `json:"teams"` // of the Grid, where Slack answers in its newer way
}

// Person asks Slack about a person.
func (c *Chat) Person(ctx context.Context, id string) (team.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	u, err := patiently(ctx, func() (user, error) {
		var answer struct{ User user }
		err := c.call(ctx, "users.info", url.Values{"user": {id}}, &answer)
		return answer.User, err
	})
	if err != nil {
		return team.Person{}, fmt.Errorf("ask Slack about %s: %w", id, err)
	}
	listed := slices.Concat(u.Enterprise.Teams, u.Teams)
	p := team.Person{
		IDs: distinct(id, u.ID, u.Enterprise.ID), Workspaces: distinct(append(listed, u.TeamID)...),
		// Slack calls strangers also people of another workspace of the same Grid, and
		// none whom it meets in a shared channel: only the lists can be trusted.
		Stranger: u.IsStranger && !slices.Contains(listed, c.workspace),
		Guest:    u.IsRestricted || u.IsUltraRestricted, Bot: u.IsBot || id == "USLACKBOT", Deleted: u.Deleted,
	}
	if u.IsEmailConfirmed {
		p.Email = u.Profile.Email
	}
	return p, nil
}

// distinct are those of some IDs that are there, each once, in their order.
func distinct(ids ...string) []string {
	var list []string
	for _, id := range ids {
		if id != "" && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// Present returns nil if a person is in an operation's channel; an *ops.Error
// says why not. On a Grid the channel may list them by another of their IDs.
func (c *Chat) Present(ctx context.Context, user, place string) error {
	unknown := func(err error) error {
		return &ops.Error{Kind: ops.Unavailable, Err: err, What: "Slack didn't say whether you may ask for this.", Next: "Try again in a minute."}
	}
	channel, err := c.find(ctx, strings.TrimPrefix(place, "#"))
	if err != nil || channel == nil {
		return unknown(err)
	}
	ids := []string{user}
	if c.enterprise != "" {
		p, err := c.Person(ctx, user)
		if err != nil {
			return unknown(err)
		}
		ids = p.IDs
	}
	params := &slack.GetUsersInConversationParameters{ChannelID: channel.ID, Limit: 1000}
	for {
		members, next, err := c.api.GetUsersInConversationContext(ctx, params)
		switch {
		case err != nil:
			return unknown(err)
		case slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(members, id) }):
			return nil
		case next == "":
			return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("Only members of #%s may ask for this.", channel.Name)}
		}
		params.Cursor = next
	}
}
