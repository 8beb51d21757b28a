// Package service puts the rooms together: settings and environment to desk,
// store, team and front end. It is shared by cmd/rootbot and cmd/sandbox, which
// must run the very same thing, and so it can't live in either's package main.
package service

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Environment is what comes from the environment: secrets and addresses. The
// AWS SDK reads its own variables besides.
type Environment struct {
	SlackAppToken string // SLACK_APP_TOKEN
	SlackBotToken string // SLACK_BOT_TOKEN
	SlackAPIURL   string // SLACK_API_URL

	GitHubToken        string // GITHUB_TOKEN
	GitHubAppID        string // GITHUB_APP_ID
	GitHubInstallation string // GITHUB_APP_INSTALLATION_ID
	GitHubKey          string // GITHUB_APP_PRIVATE_KEY: PEM or a file's path
	GitHubAPIURL       string // GITHUB_API_URL
	GitHubGraphQLURL   string // GITHUB_GRAPHQL_URL
	GitHubURL          string // GITHUB_URL: where people sign in

	DatabaseURL string // DATABASE_URL
	Listen      string // ROOTBOT_LISTEN
}

// ReadEnvironment reads variables with get, os.Getenv for one, and fills in
// the addresses that hold where nothing is set.
func ReadEnvironment(get func(string) string) Environment {
	or := func(name, otherwise string) string {
		if v := get(name); v != "" {
			return v
		}
		return otherwise
	}
	return Environment{
		SlackAppToken:      get("SLACK_APP_TOKEN"),
		SlackBotToken:      get("SLACK_BOT_TOKEN"),
		SlackAPIURL:        strings.TrimSuffix(or("SLACK_API_URL", "https://slack.com/api/"), "/") + "/",
		GitHubToken:        get("GITHUB_TOKEN"),
		GitHubAppID:        get("GITHUB_APP_ID"),
		GitHubInstallation: get("GITHUB_APP_INSTALLATION_ID"),
		GitHubKey:          get("GITHUB_APP_PRIVATE_KEY"),
		GitHubAPIURL:       or("GITHUB_API_URL", githubaccess.DefaultURL),
		GitHubGraphQLURL:   or("GITHUB_GRAPHQL_URL", "https://api.github.com/graphql"),
		GitHubURL:          strings.TrimSuffix(or("GITHUB_URL", "https://github.com/"), "/") + "/",
		DatabaseURL:        or("DATABASE_URL", "sqlite:rootbot.db"),
		Listen:             or("ROOTBOT_LISTEN", "127.0.0.1:9090"),
	}
}

// slackFaults finds what is wrong with Slack's tokens before Slack is asked.
// It never shows a token.
func (e Environment) slackFaults() error {
	var faults []error
	for _, t := range []struct{ name, value, prefix, kind string }{
		{"SLACK_APP_TOKEN", e.SlackAppToken, "xapp-", "an app-level token"},
		{"SLACK_BOT_TOKEN", e.SlackBotToken, "xoxb-", "a bot token"},
	} {
		switch {
		case t.value == "":
			faults = append(faults, fmt.Errorf("%s is not set: it takes %s, which begins with %s", t.name, t.kind, t.prefix))
		case !strings.HasPrefix(t.value, t.prefix):
			faults = append(faults, fmt.Errorf("%s is not %s: that begins with %s", t.name, t.kind, t.prefix))
		}
	}
	return errors.Join(faults...)
}

// github makes the client that the environment has credentials for. Its calls
// are counted below the credentials, so that those for a token are too.
func (e Environment) github(m *meter.Meter) (*github.Client, error) {
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.MaxIdleConnsPerHost = 16
	transport := meter.Transport(m, "github", meter.GitHubRoute, own)
	if e.GitHubAppID == "" && e.GitHubInstallation == "" && e.GitHubKey == "" {
		if e.GitHubToken == "" {
			return nil, errors.New("GitHub's credentials are not set: GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY, or GITHUB_TOKEN")
		}
		return githubaccess.New(e.GitHubAPIURL, githubaccess.Token{Value: e.GitHubToken, Next: transport})
	}
	if e.GitHubAppID == "" || e.GitHubInstallation == "" || e.GitHubKey == "" {
		return nil, errors.New("a GitHub App needs all three: GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY")
	}
	installation, err := strconv.ParseInt(e.GitHubInstallation, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("GITHUB_APP_INSTALLATION_ID: %q is not a number", e.GitHubInstallation)
	}
	text := []byte(e.GitHubKey)
	if !strings.Contains(e.GitHubKey, "-----BEGIN") {
		if text, err = os.ReadFile(e.GitHubKey); err != nil {
			return nil, errors.New("GITHUB_APP_PRIVATE_KEY is neither a key in PEM form nor the path of a file that can be read")
		}
	}
	key, err := githubaccess.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("GITHUB_APP_PRIVATE_KEY: %w", err)
	}
	return githubaccess.New(e.GitHubAPIURL, &githubaccess.App{
		ID: e.GitHubAppID, Installation: installation, Key: key, Address: e.GitHubAPIURL, Next: transport,
	})
}

// loadAWS reads the SDK's configuration. The client is the SDK's own buildable
// one: a client of another kind makes loading fail where AWS_CA_BUNDLE is set.
// The SDK has no limit of its own for how long an answer may take.
func loadAWS(ctx context.Context) (aws.Config, error) {
	client := awshttp.NewBuildableClient().WithTimeout(30 * time.Second).WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConnsPerHost = 16
	})
	config, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithHTTPClient(client), awsconfig.WithLogger(logging.Nop{}))
	if err != nil {
		return aws.Config{}, fmt.Errorf("read AWS's configuration: %w", err)
	}
	return config, nil
}
