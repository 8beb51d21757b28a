package chat

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// patiently calls Slack again when Slack asks to wait, as long as the end of ctx leaves
// time for that. Where it doesn't, a *slack.RateLimitedError is returned at once: it
// says until when Slack has to be waited for.
func patiently[T any](ctx context.Context, call func() (T, error)) (T, error) {
	for {
		answer, err := call()
		wait, limited := limitOf(err)
		if !limited {
			return answer, err
		}
		if till, ends := ctx.Deadline(); ends && time.Until(till) < wait {
			return answer, &slack.RateLimitedError{RetryAfter: wait}
		}
		if err := sleep(ctx, wait); err != nil {
			return answer, err
		}
	}
}

// limitOf tells how long Slack asks to wait, and whether it asks. Where it says so
// without a number that can be read, a second is waited.
// https://docs.slack.dev/apis/web-api/rate-limits
func limitOf(err error) (time.Duration, bool) {
	if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
		return limited.RetryAfter, true
	}
	status, _ := errors.AsType[slack.StatusCodeError](err)
	code := codeOf(err)
	return time.Second, status.Code == http.StatusTooManyRequests || code == "ratelimited" || code == "rate_limited"
}

// sleep waits, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// troubleAtStart is how long a call of the start is tried again while Slack is in trouble.
const troubleAtStart = 2 * time.Minute

// steadily is patiently for the start, where one bad answer among many would throw away
// all earlier pages: while Slack is in trouble, it is called again.
func steadily[T any](ctx context.Context, call func() (T, error)) (T, error) {
	begun := time.Now()
	for wait := 250 * time.Millisecond; ; wait = min(2*wait, 15*time.Second) {
		answer, err := patiently(ctx, call)
		status, isStatus := errors.AsType[slack.StatusCodeError](err)
		trouble := isStatus && status.Code >= http.StatusInternalServerError || codeOf(err) != "" && aboutOf(err) == aboutNow
		if !trouble || time.Since(begun)+wait > troubleAtStart {
			return answer, err
		}
		if err := sleep(ctx, wait); err != nil {
			return answer, err
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
	if wait := waits(err, "ask who you are"); wait != nil {
		return team.Person{}, wait
	}
	if said := barred(err); said != nil {
		return team.Person{}, said
	}
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
		if wait := waits(err, "ask who is in the channel"); wait != nil {
			return wait
		}
		if said := barred(err); said != nil {
			return said
		}
		return &ops.Error{Kind: ops.Unavailable, Err: err, What: "Slack didn't say whether you may ask for this.", Of: "isn't shown by Slack just now.", Next: "Try again in a minute."}
	}
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	channel := c.channels.named(place)
	if channel.ID == "" {
		return unknown(fmt.Errorf("the channel %s wasn't found at the start", place))
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
		var next string
		members, err := patiently(ctx, func() (members []string, err error) {
			members, next, err = c.api.GetUsersInConversationContext(ctx, params)
			return members, err
		})
		switch {
		case err != nil:
			return unknown(err)
		case slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(members, id) }):
			return nil
		case next == "":
			return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("Only members of #%s may ask for this.", channel.Title), Of: fmt.Sprintf("isn't in #%s any more.", channel.Title)}
		}
		params.Cursor = next
	}
}
