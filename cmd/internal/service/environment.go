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
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Environment is what comes from the environment: secrets and addresses. The
// AWS SDK reads its own variables besides. No value has white space around it.
type Environment struct {
	SlackAppToken string // SLACK_APP_TOKEN
	SlackBotToken string // SLACK_BOT_TOKEN
	SlackAPIURL   string // SLACK_API_URL

	GitHubToken        string // GITHUB_TOKEN
	GitHubAppID        string // GITHUB_APP_ID
	GitHubInstallation string // GITHUB_APP_INSTALLATION_ID
	GitHubKey          string // GITHUB_APP_PRIVATE_KEY: PEM in any form that githubaccess.ParseKey reads, or a file's path
	GitHubAPIURL       string // GITHUB_API_URL
	GitHubGraphQLURL   string // GITHUB_GRAPHQL_URL
	GitHubURL          string // GITHUB_URL: where people sign in

	DatabaseURL string // DATABASE_URL
	Listen      string // ROOTBOT_LISTEN
	Log         string // ROOTBOT_LOG: debug, info or warn

	aws map[string]string // what of the SDK's variables is checked
}

// awsVariables are those of the AWS SDK that a wrong value makes it misunderstand
// in silence. https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
var awsVariables = []string{
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE",
	"AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
	"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
}

// ReadEnvironment reads variables with get, os.Getenv for one, and fills in
// the addresses that hold where nothing is set. White space around a value is
// cut: a secret that was piped through echo has a line end behind it.
func ReadEnvironment(get func(string) string) Environment {
	get = Trimmed(get)
	or := func(name, otherwise string) string {
		if v := get(name); v != "" {
			return v
		}
		return otherwise
	}
	env := Environment{
		SlackAppToken:      get("SLACK_APP_TOKEN"),
		SlackBotToken:      get("SLACK_BOT_TOKEN"),
		SlackAPIURL:        strings.TrimSuffix(or("SLACK_API_URL", "https://slack.com/api/"), "/") + "/",
		GitHubToken:        get("GITHUB_TOKEN"),
		GitHubAppID:        get("GITHUB_APP_ID"),
		GitHubInstallation: get("GITHUB_APP_INSTALLATION_ID"),
		GitHubKey:          get("GITHUB_APP_PRIVATE_KEY"),
		GitHubAPIURL:       strings.TrimSuffix(or("GITHUB_API_URL", githubaccess.DefaultURL), "/") + "/",
		DatabaseURL:        or("DATABASE_URL", "sqlite:rootbot.db"),
		Listen:             or("ROOTBOT_LISTEN", "127.0.0.1:9090"),
		Log:                or("ROOTBOT_LOG", "info"),
		aws:                map[string]string{},
	}
	graphQL, home := besides(env.GitHubAPIURL)
	env.GitHubGraphQLURL = or("GITHUB_GRAPHQL_URL", graphQL)
	env.GitHubURL = strings.TrimSuffix(or("GITHUB_URL", home), "/") + "/"
	for _, name := range awsVariables {
		env.aws[name] = get(name)
	}
	return env
}

// besides are the addresses of GraphQL and of the pages of the GitHub that has its API at
// an address, which ends in a slash: the token of one GitHub is not for another, and an
// account that a person proves there isn't the one of that number elsewhere.
// https://docs.github.com/en/enterprise-server@latest/graphql/guides/forming-calls-with-graphql#the-graphql-endpoint
// https://docs.github.com/en/enterprise-cloud@latest/admin/data-residency/network-details-for-ghecom
func besides(api string) (graphQL, home string) {
	if api == githubaccess.DefaultURL {
		return "https://api.github.com/graphql", "https://github.com/"
	}
	if root, ok := strings.CutSuffix(api, "/api/v3/"); ok {
		return root + "/api/graphql", root + "/"
	}
	if host, ok := strings.CutPrefix(api, "https://api."); ok && strings.HasSuffix(host, ".ghe.com/") {
		return api + "graphql", "https://" + host
	}
	return api + "graphql", api
}

// Trimmed reads variables with get and cuts the white space around them, and the
// byte order mark that some editors put before a file.
func Trimmed(get func(string) string) func(string) string {
	return func(name string) string {
		return strings.TrimFunc(get(name), func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
	}
}

// TrimAWS cuts the white space around the variables of this process that the AWS
// SDK reads by itself. It must be called before anything else runs.
func TrimAWS() error {
	for _, name := range awsVariables {
		value := os.Getenv(name)
		trimmed := Trimmed(func(string) string { return value })(name)
		if trimmed == value {
			continue
		}
		if err := os.Setenv(name, trimmed); err != nil {
			return fmt.Errorf("cut the white space around %s: %w", name, err)
		}
	}
	return nil
}

// github makes the client that the environment has credentials for. Its calls
// are counted below the credentials, so that those for a token are too.
func (e Environment) github(m *meter.Meter) (*github.Client, error) {
	own := http.DefaultTransport.(*http.Transport).Clone()
	own.MaxIdleConnsPerHost = 16
	transport := meter.Transport(m, "github", meter.GitHubRoute, own)
	if faults := e.githubFaults(); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if !e.isApp() {
		return githubaccess.New(e.GitHubAPIURL, githubaccess.Token{Value: e.GitHubToken, Next: transport})
	}
	key, err := e.privateKey()
	if err != nil {
		return nil, err
	}
	installation, err := strconv.ParseInt(e.GitHubInstallation, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("GITHUB_APP_INSTALLATION_ID: %w", err)
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
