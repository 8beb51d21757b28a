package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"
	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// visibleTeam tells whether GitHub shows the bot what it needs to tell who may: nil,
// or what is wrong in the operator's words, by the setting or the variable.
func (s *Service) visibleTeam(ctx context.Context) error {
	team := s.Desk.Team
	_, response, err := team.GitHub.Teams.GetTeamBySlug(ctx, team.Organization, team.Slug)
	if err != nil {
		return s.explainTeam(ctx, response, err)
	}
	if len(team.SAML.Domains) > 0 {
		return s.visibleIdentities(ctx)
	}
	return nil
}

// explainTeam says why GitHub doesn't show the team. It answers 404 to a team that
// isn't there and to one that the bot may not see.
func (s *Service) explainTeam(ctx context.Context, response *github.Response, err error) error {
	team := s.Desk.Team
	if refused, ok := errors.AsType[*github.ErrorResponse](err); ok && refused.Response != nil && strings.HasSuffix(refused.Response.Request.URL.Path, "/access_tokens") {
		return s.explainApp(refused)
	}
	_, limited := errors.AsType[*github.RateLimitError](err)
	_, slowed := errors.AsType[*github.AbuseRateLimitError](err)
	switch {
	case limited, slowed, response == nil:
	case response.StatusCode == http.StatusUnauthorized && !s.env.isApp():
		return errors.New("GITHUB_TOKEN isn't accepted by GitHub (401): it is wrong, has expired or was revoked")
	case response.StatusCode == http.StatusForbidden && s.env.isApp():
		return fmt.Errorf("the GitHub App may not read the members of %s (403): give it the organisation permission Members: read, and have an owner of the organisation accept that", team.Organization)
	case response.StatusCode == http.StatusForbidden:
		return fmt.Errorf("GITHUB_TOKEN may not read the teams of %s (403): it needs the scope read:org, and where the organisation has single sign-on, to be authorised for that", team.Organization)
	case response.StatusCode == http.StatusNotFound:
		if _, _, err := team.GitHub.Organizations.Get(ctx, team.Organization); githubaccess.NotFound(err) {
			return fmt.Errorf("github.organization: GitHub shows the bot no organisation %s", team.Organization)
		}
		return fmt.Errorf("github.team: GitHub shows the bot no team %s in %s: look at its slug, and that the bot may read the organisation's members", team.Slug, team.Organization)
	}
	return errors.New(ops.Words(githubaccess.Explain(err), ""))
}

// explainApp says why GitHub gives the App no token.
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
func (s *Service) explainApp(refused *github.ErrorResponse) error {
	said := strings.TrimSuffix(ops.VisibleLines(refused.Message), ".")
	switch refused.Response.StatusCode {
	case http.StatusUnauthorized:
		return fmt.Errorf("GitHub doesn't accept the App's key (401: %s): GITHUB_APP_PRIVATE_KEY must be a key of the App %s, and this machine's clock must be right", said, s.env.GitHubAppID)
	case http.StatusForbidden:
		return fmt.Errorf("GitHub refuses the App's installation %s (403: %s): where it is suspended, an owner of %s must unsuspend it", s.env.GitHubInstallation, said, s.Desk.Team.Organization)
	case http.StatusNotFound:
		return fmt.Errorf("the GitHub App %s has no installation %s (GITHUB_APP_INSTALLATION_ID)", s.env.GitHubAppID, s.env.GitHubInstallation)
	}
	return errors.New(ops.Words(githubaccess.Explain(refused), ""))
}

// providerQuery asks for what team.SAML asks for, of nobody.
const providerQuery = `query($organization: String!, $name: String!) {
  organization(login: $organization) {
    samlIdentityProvider { externalIdentities(first: 1, userName: $name, membersOnly: true) { nodes { user { login } } } }
  }
}`

// visibleIdentities tells whether GitHub shows the bot who signs in as whom.
func (s *Service) visibleIdentities(ctx context.Context) error {
	team := s.Desk.Team
	body, err := json.Marshal(map[string]any{"query": providerQuery, "variables": map[string]string{
		"organization": team.Organization, "name": "nobody@" + team.SAML.Domains[0],
	}})
	if err != nil {
		return fmt.Errorf("encode a query: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, team.SAML.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("GITHUB_GRAPHQL_URL: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := team.GitHub.Client().Do(request)
	if err != nil {
		return errors.New(ops.Words(githubaccess.Explain(err), ""))
	}
	defer response.Body.Close()
	var answer struct {
		Data struct {
			Organization *struct {
				Provider *struct{} `json:"samlIdentityProvider"`
			} `json:"organization"`
		} `json:"data"`
		Errors []struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("github.saml: GitHub answered %d to %s", response.StatusCode, team.SAML.URL)
	}
	for _, e := range answer.Errors {
		return fmt.Errorf("github.saml: GitHub doesn't show the bot who signs in as whom (%s: %s): the App needs Members: read, a token admin:org of an owner", ops.Visible(e.Type), ops.Visible(e.Message))
	}
	if answer.Data.Organization == nil || answer.Data.Organization.Provider == nil {
		return fmt.Errorf("github.saml: %s has no single sign-on of its own that GitHub shows the bot: that of an enterprise isn't shown; take the setting away, or give the App Members: read", team.Organization)
	}
	return nil
}

// visibleOperations logs what the settings of the operations name and GitHub doesn't show
// the bot, by the setting. The other operations work all the same, so it is a warning.
func (s *Service) visibleOperations(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client := githubaccess.Sparing(s.Desk.Team.GitHub)
	for _, o := range s.config.Operations {
		named, ok := o.Settings.(interface {
			Visible(context.Context, *github.Client) ([]ops.Fault, error)
		})
		if !ok {
			continue
		}
		name := o.Settings.Name()
		faults, err := named.Visible(ctx, client)
		if err != nil && !errors.Is(err, context.Canceled) {
			s.log.Warn("it can't be told whether GitHub shows the bot what an operation needs", "operation", name, "error", ops.Words(err, ""))
		}
		for _, f := range faults {
			s.log.Warn("an operation's settings name what GitHub doesn't show the bot", "operation", name, "setting", "operations."+name+"."+f.Key, "error", f.Problem)
		}
	}
}

// scopes are what the bot can't work without. https://docs.slack.dev/reference/scopes
var scopes = []string{"chat:write", "commands", "users:read"}

// missingScopes compares the scopes of the bot's token, which Slack tells with every
// answer, with those that the bot can't work without. Nil: none is missing, or Slack
// doesn't say.
func (s *Service) missingScopes(ctx context.Context) error {
	api := slack.New(s.env.SlackBotToken, slack.OptionAPIURL(s.env.SlackAPIURL), slack.OptionHTTPClient(&http.Client{Timeout: lookWithin}))
	who, err := api.AuthTestContext(ctx)
	if err != nil || who.Header.Get("X-OAuth-Scopes") == "" {
		return nil // chat.Open says more about it
	}
	has := strings.FieldsFunc(who.Header.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	var missing []string
	needed := scopes
	if len(s.Desk.Team.SAML.Domains) > 0 {
		needed = append(slices.Clone(needed), "users:read.email")
	}
	for _, scope := range needed {
		if !slices.Contains(has, scope) {
			missing = append(missing, scope)
		}
	}
	if !slices.Contains(has, "channels:read") && !slices.Contains(has, "groups:read") {
		missing = append(missing, "channels:read")
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("the Slack app lacks the scope %s: add what is missing under OAuth & Permissions, as manifests/slack/app.yaml has it, and reinstall the app (missing_scope: SLACK_BOT_TOKEN)", strings.Join(missing, ", "))
}
