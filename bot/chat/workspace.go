package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
)

// mostAnswered is how many bytes of one answer of Slack's are read.
const mostAnswered = 4 << 20

// call calls a method of Slack's that answers more than slack-go reads. Its errors
// are those of slack-go.
func (c *Chat) call(ctx context.Context, method string, values url.Values, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.settings.APIURL+method, strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Authorization", "Bearer "+c.settings.BotToken)
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusTooManyRequests {
		if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil {
			return &slack.RateLimitedError{RetryAfter: time.Duration(seconds) * time.Second}
		}
	}
	if response.StatusCode != http.StatusOK {
		return slack.StatusCodeError{Code: response.StatusCode, Status: response.Status}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, mostAnswered))
	if err != nil {
		return err
	}
	var said slack.SlackResponse
	if err := json.Unmarshal(body, &said); err != nil {
		return err
	}
	if err := said.Err(); err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// whoami is what Slack says of the bot's token.
// https://docs.slack.dev/reference/methods/auth.test
type whoami struct {
	slack.AuthTestResponse
	OrgWide bool `json:"is_enterprise_install"`
}

// locate finds out which workspace the bot is in, and returns the bot's name
// there. An error is for people.
func (c *Chat) locate(ctx context.Context) (string, error) {
	auth, err := steadily(ctx, func() (auth whoami, err error) {
		err = c.call(ctx, "auth.test", nil, &auth)
		return auth, err
	})
	if err != nil {
		if said := explain(err, "SLACK_BOT_TOKEN"); said != nil {
			return "", said
		}
		return "", fmt.Errorf("ask Slack at %s who the bot is: %w", c.settings.APIURL, err)
	}
	workspace := auth.TeamID
	if auth.OrgWide && !strings.HasPrefix(workspace, "T") {
		if workspace, err = c.onlyWorkspace(ctx); err != nil {
			return "", err
		}
	}
	if workspace == "" {
		return "", fmt.Errorf("auth.test at %s doesn't say which workspace SLACK_BOT_TOKEN is of: check that it is the bot token of an app that is installed to one workspace", c.settings.APIURL)
	}
	c.workspace, c.enterprise = workspace, auth.EnterpriseID
	c.home, c.self, c.botID = auth.URL, auth.UserID, auth.BotID
	c.warnOfMove(ctx, auth.Team)
	return auth.User, nil
}

// warnOfMove logs that the database is another workspace's, by its links and channels: a
// token of the wrong workspace lets other people in than those who asked and linked.
func (c *Chat) warnOfMove(ctx context.Context, name string) {
	if c.store == nil {
		return
	}
	had, err := c.store.Workspaces(ctx)
	if err != nil {
		c.log.Warn("look whose workspace the database is", "error", err)
		return
	}
	others := slices.DeleteFunc(had, func(id string) bool { return id == c.workspace })
	if len(others) == 0 {
		return
	}
	c.log.Warn(fmt.Sprintf("SLACK_BOT_TOKEN is of the Slack workspace %s (%s), and the links and channels in the database are of %s too: look whether SLACK_BOT_TOKEN and DATABASE_URL belong together. If the bot has moved, people link their GitHub accounts anew",
		c.workspace, name, strings.Join(others, ", ")), "workspace", c.workspace, "others", others)
}

// onlyWorkspace is the one workspace that an app has which is installed to a whole
// organisation. With several the bot couldn't tell whose members it serves.
// https://docs.slack.dev/reference/methods/auth.teams.list
func (c *Chat) onlyWorkspace(ctx context.Context) (string, error) {
	const what = "SLACK_BOT_TOKEN is of an org-wide install, for all workspaces of the organisation: "
	const next = "install it to one workspace, and set SLACK_BOT_TOKEN to the bot token of that install"
	more := ""
	teams, err := steadily(ctx, func() (teams []slack.Team, err error) {
		teams, more, err = c.api.ListTeamsContext(ctx, slack.ListTeamsParameters{Limit: 100})
		return teams, err
	})
	switch answer, refused := errors.AsType[slack.SlackErrorResponse](err); {
	case refused:
		return "", fmt.Errorf(what+"Slack doesn't say to which of them the app was added (%s); "+next, answer.Err)
	case err != nil:
		return "", fmt.Errorf(what+"Slack doesn't say to which of them the app was added; "+next+": %w", err)
	case more != "":
		return "", errors.New(what + "the app was added to more than one of them; " + next)
	case len(teams) != 1 || teams[0].ID == "":
		return "", fmt.Errorf(what+"the app was added to %d of them; "+next, len(teams))
	}
	return teams[0].ID, nil
}

// served returns the bot's own workspace where the bot serves whom a payload is
// about, and otherwise the workspace that speaks against it; empty: the payload
// names none. Whether that person belongs to the workspace, only users.info tells.
//
// enterprise is the Grid that the payload is from, place the workspace where the
// app is, or where it was used, and home one that the person is of; each may be
// empty, and place and home may be the Grid's ID. On a Grid place and home may be
// any of its workspaces. Identities are kept under the bot's own workspace alone, so
// that a click finds the link that a command made.
// https://github.com/slackapi/bolt-js/issues/1875
func (c *Chat) served(enterprise, place, home string) string {
	if enterprise != "" && (enterprise == c.enterprise || c.enterprise == "" && place == c.workspace) {
		return c.workspace
	}
	named := ""
	for _, id := range []string{home, place, enterprise} {
		switch {
		case id == "":
		case id != c.workspace && id != c.enterprise:
			return id
		default:
			named = c.workspace
		}
	}
	return named
}

// typist names the person who typed a command.
// https://docs.slack.dev/interactivity/implementing-slash-commands
func (c *Chat) typist(typed slack.SlashCommand) request.Asker {
	return c.asker(c.served(typed.EnterpriseID, typed.TeamID, ""), typed.UserID, typed.ChannelID)
}
