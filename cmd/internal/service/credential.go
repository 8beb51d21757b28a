package service

import (
	"cmp"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// faults are all things in the environment that no waiting mends, for a process
// that talks to Slack, GitHub and AWS. None of them shows a secret.
func (e Environment) faults() error {
	faults := present([]error{marked("DATABASE_URL", e.DatabaseURL), listenFault(e.Listen)})
	faults = append(append(faults, e.slackFaults()...), e.githubFaults()...)
	if len(faults) == 0 && e.isApp() {
		if _, err := e.privateKey(); err != nil {
			faults = append(faults, err)
		}
	}
	if _, err := e.Level(); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(append(faults, e.awsFaults()...)...)
}

// Level is how much the operator's log tells, from ROOTBOT_LOG. Any text but debug, info
// and warn is an error, beside which the level is info; Serve tells it with all other
// faults of the environment.
func (e Environment) Level() (slog.Level, error) {
	switch e.Log {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	}
	if err := marked("ROOTBOT_LOG", e.Log); err != nil {
		return slog.LevelInfo, err
	}
	return slog.LevelInfo, misplaced("ROOTBOT_LOG", e.Log, "debug, info or warn")
}

// kinds are what secrets begin with, and what they are.
// https://docs.slack.dev/authentication/tokens
// https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
var kinds = []struct{ prefix, kind, variable string }{
	{"xapp-", "an app-level token of Slack", "SLACK_APP_TOKEN"},
	{"xoxb-", "a bot token of Slack", "SLACK_BOT_TOKEN"},
	{"xoxe.xoxb-", "a bot token of Slack that ends after 12 hours: switch off token rotation for the Slack app", ""},
	{"xoxp-", "a user's token of Slack", ""},
	{"xoxe", "a refresh token or a user's token of Slack", ""},
	{"ghp_", "a personal token of GitHub", "GITHUB_TOKEN"},
	{"github_pat_", "a personal token of GitHub", "GITHUB_TOKEN"},
	{"gho_", "a token of GitHub", "GITHUB_TOKEN"},
	{"ghu_", "a token of GitHub", "GITHUB_TOKEN"},
	{"ghs_", "a token of GitHub that ends after an hour", ""},
	{"-----BEGIN", "a key in PEM form", "GITHUB_APP_PRIVATE_KEY"},
	{"AKIA", "an access key ID of AWS", "AWS_ACCESS_KEY_ID"},
	{"ASIA", "an access key ID of AWS", "AWS_ACCESS_KEY_ID"},
}

// secretKind is what a secret is by how it begins, and the variable that takes it;
// both are empty where that isn't known.
func secretKind(secret string) (kind, variable string) {
	for _, k := range kinds {
		if strings.HasPrefix(secret, k.prefix) {
			return k.kind, k.variable
		}
	}
	return "", ""
}

// misplaced says what stands in a variable in place of what it takes.
func misplaced(name, value, wanted string) error {
	kind, variable := secretKind(value)
	switch {
	case kind == "":
		return fmt.Errorf("%s is not %s", name, wanted)
	case variable != "" && variable != name:
		return fmt.Errorf("%s is not %s: it holds %s, which belongs into %s", name, wanted, kind, variable)
	}
	return fmt.Errorf("%s is not %s: it holds %s", name, wanted, kind)
}

// listenFault says why a text is no address to listen at; nil: it is one.
func listenFault(text string) error {
	if err := marked("ROOTBOT_LISTEN", text); err != nil {
		return err
	}
	if _, _, err := net.SplitHostPort(text); err != nil {
		return errors.New("ROOTBOT_LISTEN is not an address to listen at, such as 127.0.0.1:9090, or :9090 for all of the machine's")
	}
	return nil
}

// unsendable says why a value can't be sent as what it is meant to be; nil: it
// can. Header fields take no control characters, and no token has others than
// those of ASCII that can be seen. https://www.rfc-editor.org/rfc/rfc9110#section-5.5
func unsendable(name, value string) error {
	runes := []rune(value)
	for i, r := range runes {
		if r > ' ' && r < 0x7f {
			continue
		}
		if i == 0 || i == len(runes)-1 {
			return fmt.Errorf("%s holds a character that can't be part of it, at its beginning or its end (U+%04X)", name, r)
		}
		return fmt.Errorf("%s holds a character that can't be part of it, character %d of %d (U+%04X): white space, a line end or a placeholder in its middle", name, i+1, len(runes), r)
	}
	return marked(name, value)
}

// marked says that marks stand around a value, or a variable in its place, which begin no
// value; nil: none. docker run --env-file hands over quotation marks as they stand.
// https://docs.docker.com/reference/cli/docker/container/run/#env
func marked(name, value string) error {
	for _, mark := range []string{`"`, `'`, "`", "<", "$"} {
		if strings.HasPrefix(value, mark) {
			return fmt.Errorf("%s begins with %s: take away the marks around it, or have the variable in it replaced", name, mark)
		}
	}
	return nil
}

// slackFaults finds what is wrong with Slack's tokens before Slack is asked.
// It never shows a token.
func (e Environment) slackFaults() []error {
	var faults []error
	for _, t := range []struct{ name, value, prefix, kind string }{
		{"SLACK_APP_TOKEN", e.SlackAppToken, "xapp-", "an app-level token"},
		{"SLACK_BOT_TOKEN", e.SlackBotToken, "xoxb-", "a bot token"},
	} {
		wrong := unsendable(t.name, t.value)
		switch {
		case t.value == "":
			faults = append(faults, fmt.Errorf("%s is not set: it takes %s, which begins with %s", t.name, t.kind, t.prefix))
		case wrong != nil:
			faults = append(faults, wrong)
		case !strings.HasPrefix(t.value, t.prefix):
			faults = append(faults, fmt.Errorf("%w; that begins with %s", misplaced(t.name, t.value, t.kind), t.prefix))
		case t.value == t.prefix:
			faults = append(faults, fmt.Errorf("%s holds nothing but %s: it takes the whole of %s", t.name, t.prefix, t.kind))
		}
	}
	return present(append(faults, address("SLACK_API_URL", e.SlackAPIURL)))
}

var (
	appID        = regexp.MustCompile(`^(?:[1-9][0-9]*|Iv[0-9A-Za-z][0-9A-Za-z.]+)$`)
	installation = regexp.MustCompile(`^[1-9][0-9]{0,17}$`)
)

// isApp tells whether anything of a GitHub App is set.
func (e Environment) isApp() bool {
	return e.GitHubAppID != "" || e.GitHubInstallation != "" || e.GitHubKey != ""
}

// twice says that both kinds of GitHub's credentials are set; empty: they aren't.
func (e Environment) twice() string {
	if !e.isApp() || e.GitHubToken == "" {
		return ""
	}
	return "GITHUB_TOKEN is set beside GITHUB_APP_ID: the bot works as the GitHub App, and doesn't use the token; take GITHUB_TOKEN out of the environment of rootbot serve"
}

// githubFaults finds what is wrong with GitHub's credentials before GitHub is
// asked, but for what is wrong with a private key.
func (e Environment) githubFaults() []error {
	faults := []error{
		address("GITHUB_API_URL", e.GitHubAPIURL), address("GITHUB_GRAPHQL_URL", e.GitHubGraphQLURL), address("GITHUB_URL", e.GitHubURL),
	}
	if e.GitHubToken != "" {
		faults = append(faults, tokenFault(e.GitHubToken))
	}
	if !e.isApp() {
		if e.GitHubToken == "" {
			faults = append(faults, errors.New("GitHub's credentials are not set: GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY, or GITHUB_TOKEN"))
		}
		return present(faults)
	}
	var missing []string
	for _, v := range []struct{ name, value string }{
		{"GITHUB_APP_ID", e.GitHubAppID}, {"GITHUB_APP_INSTALLATION_ID", e.GitHubInstallation}, {"GITHUB_APP_PRIVATE_KEY", e.GitHubKey},
	} {
		if v.value == "" {
			missing = append(missing, v.name)
		}
	}
	if len(missing) > 0 {
		text := "a GitHub App needs all three of GITHUB_APP_ID, GITHUB_APP_INSTALLATION_ID and GITHUB_APP_PRIVATE_KEY; not set: " + strings.Join(missing, ", ")
		if e.GitHubToken != "" {
			text += ". GITHUB_TOKEN is set too: use one or the other"
		}
		faults = append(faults, errors.New(text))
	}
	if e.GitHubAppID != "" && !appID.MatchString(e.GitHubAppID) {
		faults = append(faults, cmp.Or(marked("GITHUB_APP_ID", e.GitHubAppID), errors.New("GITHUB_APP_ID is not an App's ID: that is a number, or the App's client ID, on the App's page under General")))
	}
	if e.GitHubInstallation != "" && !installation.MatchString(e.GitHubInstallation) {
		faults = append(faults, cmp.Or(marked("GITHUB_APP_INSTALLATION_ID", e.GitHubInstallation), errors.New("GITHUB_APP_INSTALLATION_ID is not a number: it is the last part of the address of the page where the organisation configures the App")))
	}
	return present(faults)
}

// tokenFault says why a value can't be a token of GitHub's; nil: it can.
func tokenFault(value string) error {
	if err := unsendable("GITHUB_TOKEN", value); err != nil {
		return err
	}
	if kind, variable := secretKind(value); kind != "" && variable != "GITHUB_TOKEN" && !strings.HasPrefix(value, "ghs_") {
		return misplaced("GITHUB_TOKEN", value, "a token of GitHub")
	}
	return nil
}

// present is what isn't nil.
func present(faults []error) []error {
	var some []error
	for _, fault := range faults {
		if fault != nil {
			some = append(some, fault)
		}
	}
	return some
}

// address says why a text is no address of a service; nil: it is one. A password
// may stand in it, so it isn't shown.
func address(name, text string) error {
	if err := marked(name, text); err != nil {
		return err
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme != "https" && parsed.Scheme != "http" || parsed.Host == "" {
		return fmt.Errorf("%s is not an address: it takes one that begins with https:// and a host", name)
	}
	return nil
}

// awsFaults finds what is wrong with AWS's credentials in the environment. With
// half of a key, the SDK looks elsewhere without a word.
func (e Environment) awsFaults() []error {
	var faults []error
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		if value := e.aws[name]; value != "" {
			faults = append(faults, unsendable(name, value))
		}
	}
	id, secret := e.aws["AWS_ACCESS_KEY_ID"], e.aws["AWS_SECRET_ACCESS_KEY"]
	switch {
	case id != "" && secret == "":
		faults = append(faults, errors.New("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY isn't: a key needs both"))
	case id == "" && secret != "":
		faults = append(faults, errors.New("AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID isn't: a key needs both"))
	case strings.HasPrefix(secret, "AKIA") && !strings.HasPrefix(id, "AKIA"):
		faults = append(faults, errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY stand in each other's place"))
	case strings.HasPrefix(id, "ASIA") && e.aws["AWS_SESSION_TOKEN"] == "":
		faults = append(faults, errors.New("AWS_ACCESS_KEY_ID is of a session (ASIA…), and AWS_SESSION_TOKEN is not set: such a key needs it"))
	}
	if text := e.aws["AWS_ENDPOINT_URL"]; text != "" {
		faults = append(faults, address("AWS_ENDPOINT_URL", text))
	}
	return present(faults)
}

// mostOfAKey is how large a file with a private key may be, in bytes.
const mostOfAKey = 64 << 10

// privateKey reads the App's private key. The error names the variable, and the
// file with why it can't be read; it never shows key material.
func (e Environment) privateKey() (*rsa.PrivateKey, error) {
	const name = "GITHUB_APP_PRIVATE_KEY"
	if githubaccess.IsKey(e.GitHubKey) {
		key, err := githubaccess.ParseKey([]byte(e.GitHubKey))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return key, nil
	}
	path := strings.TrimPrefix(e.GitHubKey, "file://")
	shown := "the file that it names"
	if looksLikePath(path) {
		shown = path
	}
	text, err := readFile(path)
	var outside *fs.PathError
	switch {
	case errors.As(err, &outside) && shown != path:
		return nil, fmt.Errorf("%s is neither a key in PEM form, nor base64 of one, nor the path of a file: %w", name, outside.Err)
	case errors.As(err, &outside):
		return nil, fmt.Errorf("%s: %s can't be read: %w", name, shown, outside.Err)
	case err != nil:
		return nil, fmt.Errorf("%s: %s: %w", name, shown, err)
	}
	key, err := githubaccess.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, shown, err)
	}
	return key, nil
}

// readFile reads a small file.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostOfAKey+1))
	if err == nil && len(text) > mostOfAKey {
		err = errors.New("it is too long for a key")
	}
	return text, err
}

// pathLike is what begins or ends as paths do, or is of small letters alone, which
// no key is.
var pathLike = regexp.MustCompile(`^(?:~|\.{0,2})/|\.(?:pem|key|txt|p8|der)$|^[a-z0-9._-]+(?:/[a-z0-9._-]+)+$`)

// looksLikePath tells whether a text is the path of a file and no secret that
// stands where a path may: only then it may be shown.
func looksLikePath(text string) bool {
	return len(text) <= 1024 && !strings.ContainsAny(text, "+=\n") && pathLike.MatchString(text)
}
