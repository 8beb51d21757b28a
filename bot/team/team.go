// Package team answers who may: which GitHub login a person of the chat is, by
// the map in the settings, and whether that login is an active member of the
// team, by asking GitHub each time. What isn't known is refused.
package team

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Team is the GitHub team whose members may.
type Team struct {
	GitHub       *github.Client
	Organization string
	Slug         string

	// Workspace is the one that Identities' people are of. Empty: not known yet,
	// and nobody of the chat is let in.
	Workspace string

	// Identities is the GitHub login by the person's ID in the chat. It is
	// reviewed by whoever reviews the settings.
	Identities map[string]string

	// Channel is where people are sent who are refused: its name, with #.
	Channel string
}

// Name is the team's full name: organization/slug.
func (t *Team) Name() string { return t.Organization + "/" + t.Slug }

// Login tells which GitHub login the person with this ID in a workspace is.
func (t *Team) Login(workspace, user string) (string, error) {
	if workspace == "" || workspace != t.Workspace {
		return "", &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("You are not of the workspace that this bot serves, so I can't tell whether you belong to the GitHub team %s. Nothing was done.", t.Name())}
	}
	if login := t.Identities[user]; login != "" && user != "" {
		return login, nil
	}
	return "", &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("I don't know which GitHub login you are, so I can't tell whether you belong to the GitHub team %s. Nothing was done.", t.Name()),
		Next: "Ask in " + t.Channel + " to be added to the bot's identities.",
	}
}

var loginPattern = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,38})$`)

// Member returns nil if the login is an active member of the team now, child
// teams included, and otherwise why not. It asks GitHub at each call.
// https://docs.github.com/en/rest/teams/members#get-team-membership-for-a-user
func (t *Team) Member(ctx context.Context, login string) error {
	// go-github puts the login into the address as it is.
	if !loginPattern.MatchString(login) {
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("%q can't be a GitHub login, so nothing was done.", login), Next: "Ask in " + t.Channel + " to have the bot's identities corrected."}
	}
	membership, _, err := t.GitHub.Teams.GetTeamMembershipBySlug(ctx, t.Organization, t.Slug, login)
	if githubaccess.NotFound(err) {
		return t.missing(ctx, login)
	}
	if err != nil {
		return t.unknown(err, login)
	}
	if state := membership.GetState(); state != "active" {
		return &ops.Error{
			Kind: ops.Refused,
			What: fmt.Sprintf("Your GitHub login %s is not an active member of the team %s: the membership is %s. Nothing was done.", login, t.Name(), state),
			Next: "Accept GitHub's invitation, then try again.",
		}
	}
	return nil
}

// missing tells a login that isn't a member from a team that isn't there:
// GitHub answers 404 to both.
func (t *Team) missing(ctx context.Context, login string) error {
	if _, _, err := t.GitHub.Teams.GetTeamBySlug(ctx, t.Organization, t.Slug); err != nil {
		if githubaccess.NotFound(err) {
			err = &ops.Error{
				Kind: ops.Unavailable, Err: err,
				What: fmt.Sprintf("GitHub shows the bot no team %s.", t.Name()),
				Next: "Check github.organization and github.team in the bot's settings, and that the bot may read the organisation's members.",
			}
		}
		return t.unknown(err, login)
	}
	return &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("Your GitHub login %s is not a member of the team %s. Nothing was done.", login, t.Name()),
		Next: "Ask in " + t.Channel + " who can help you.",
	}
}

// unknown refuses because membership can't be checked.
func (t *Team) unknown(err error, login string) error {
	explained := githubaccess.Explain(fmt.Errorf("look up %s in team %s: %w", login, t.Name(), err))
	return &ops.Error{
		Kind: ops.Unavailable, Err: err,
		What: fmt.Sprintf("I can't check whether %s is a member of the team %s, so nothing was done.", login, t.Name()),
		Next: strings.TrimSpace(ops.Words(explained, "")),
	}
}
