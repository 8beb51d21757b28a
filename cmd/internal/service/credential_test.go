package service_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

// whole is an environment with nothing wrong in it. The secrets are put together
// here so that no scanner takes them for real ones.
func whole() map[string]string {
	return map[string]string{
		"SLACK_APP_TOKEN": "xapp-" + "1-A0123456789-1234567890123-abcdef",
		"SLACK_BOT_TOKEN": "xoxb-" + "123456789012-1234567890123-AbCdEfGhIjKl",
		"GITHUB_TOKEN":    "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
	}
}

// fault is why the bot doesn't start in an environment; empty: it would.
func fault(t *testing.T, set map[string]string) string {
	t.Helper()
	err := service.Serve(t.Context(), &service.Config{}, service.ReadEnvironment(func(name string) string { return set[name] }), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("it serves without an operation")
	}
	if strings.Contains(err.Error(), "no operation has settings") { // what is looked at next
		return ""
	}
	return err.Error()
}

func TestAFaultInTheEnvironmentIsToldAtTheStartByItsVariable(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	public := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)}))
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	app := func(private string) map[string]string {
		return map[string]string{"GITHUB_TOKEN": "", "GITHUB_APP_ID": "1", "GITHUB_APP_INSTALLATION_ID": "2", "GITHUB_APP_PRIVATE_KEY": private}
	}
	bot, application := whole()["SLACK_BOT_TOKEN"], whole()["SLACK_APP_TOKEN"]
	for _, test := range []struct {
		name  string
		set   map[string]string
		words []string // none: it starts
	}{
		{"nothing is wrong", nil, nil},
		{"a line end behind every variable", map[string]string{"SLACK_APP_TOKEN": application + "\n", "SLACK_BOT_TOKEN": bot + "\r\n", "GITHUB_TOKEN": whole()["GITHUB_TOKEN"] + "\n", "GITHUB_API_URL": "https://api.github.com/\n", "DATABASE_URL": "sqlite::memory:\n"}, nil},
		{"white space and a byte order mark before a token", map[string]string{"SLACK_APP_TOKEN": "\ufeff \t" + application}, nil},
		{"a line end behind the App's IDs", merged(app(private), map[string]string{"GITHUB_APP_ID": "1\n", "GITHUB_APP_INSTALLATION_ID": " 2\n"}), nil},
		{"the App's client ID", merged(app(private), map[string]string{"GITHUB_APP_ID": "Iv23liAbCdEfGhIjKlMn"}), nil},
		{"an address of GitHub without the slash at its end", map[string]string{"GITHUB_API_URL": "https://github.example/api/v3"}, nil},
		{"an App and a token, which is told and no fault", merged(app(private), map[string]string{"GITHUB_TOKEN": "ghp_" + "person"}), nil},
		{"a key with its line ends as letters", app(strings.ReplaceAll(private, "\n", `\n`)), nil},
		{"a key as base64", app(base64.StdEncoding.EncodeToString([]byte(private)) + "\n"), nil},
		{"a key in a file", app(write("key.pem", private) + "\n"), nil},
		{"a file with base64 of a key", app(write("base64", base64.StdEncoding.EncodeToString([]byte(private)))), nil},

		{"a log for debugging", map[string]string{"ROOTBOT_LOG": "debug\n"}, nil},

		{"nothing is set", map[string]string{"SLACK_APP_TOKEN": "", "SLACK_BOT_TOKEN": "", "GITHUB_TOKEN": ""}, []string{"SLACK_APP_TOKEN is not set", "SLACK_BOT_TOKEN is not set", "GITHUB_APP_ID"}},
		{"nothing but white space", map[string]string{"SLACK_BOT_TOKEN": " \n"}, []string{"SLACK_BOT_TOKEN is not set"}},
		{"tokens in each other's place", map[string]string{"SLACK_APP_TOKEN": bot, "SLACK_BOT_TOKEN": application}, []string{"SLACK_APP_TOKEN is not an app-level token: it holds a bot token of Slack, which belongs into SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN is not a bot token"}},
		{"a user's token", map[string]string{"SLACK_BOT_TOKEN": "xoxp-" + "12345678-s3cret"}, []string{"SLACK_BOT_TOKEN is not a bot token: it holds a user's token", "begins with xoxb-"}},
		{"a token that is rotated", map[string]string{"SLACK_BOT_TOKEN": "xoxe." + "xoxb-1-s3cret"}, []string{"SLACK_BOT_TOKEN", "switch off token rotation"}},
		{"a token of GitHub for Slack", map[string]string{"SLACK_BOT_TOKEN": "ghp_" + "s3cret"}, []string{"SLACK_BOT_TOKEN", "belongs into GITHUB_TOKEN"}},
		{"a token of Slack for GitHub", map[string]string{"GITHUB_TOKEN": bot}, []string{"GITHUB_TOKEN is not a token of GitHub", "belongs into SLACK_BOT_TOKEN"}},
		{"a prefix alone", map[string]string{"SLACK_BOT_TOKEN": "xoxb-"}, []string{"SLACK_BOT_TOKEN holds nothing but xoxb-"}},
		{"quotation marks around a token", map[string]string{"SLACK_BOT_TOKEN": `"` + bot + `"`}, []string{`SLACK_BOT_TOKEN begins with "`}},
		{"quotation marks around the App's IDs", merged(app(private), map[string]string{"GITHUB_APP_ID": `"1"`, "GITHUB_APP_INSTALLATION_ID": `'2'`}), []string{`GITHUB_APP_ID begins with ": take away the marks around it`, `GITHUB_APP_INSTALLATION_ID begins with '`}},
		{"quotation marks around addresses", map[string]string{"GITHUB_API_URL": `"https://github.example/api/v3"`, "DATABASE_URL": `"postgres://rootbot:s3cret@db/rootbot"`, "ROOTBOT_LISTEN": `":9090"`, "ROOTBOT_LOG": `"info"`}, []string{`GITHUB_API_URL begins with "`, `DATABASE_URL begins with "`, `ROOTBOT_LISTEN begins with "`, `ROOTBOT_LOG begins with "`}},
		{"an address that nobody replaced", map[string]string{"DATABASE_URL": "${DATABASE_URL}"}, []string{"DATABASE_URL begins with $"}},
		{"a port alone to listen at", map[string]string{"ROOTBOT_LISTEN": "9090"}, []string{"ROOTBOT_LISTEN is not an address to listen at, such as 127.0.0.1:9090"}},
		{"every address to listen at", map[string]string{"ROOTBOT_LISTEN": ":9090"}, nil},
		{"a variable that nobody replaced", map[string]string{"GITHUB_TOKEN": "${GITHUB_TOKEN}"}, []string{"GITHUB_TOKEN begins with $"}},
		{"a line end within a token", map[string]string{"SLACK_APP_TOKEN": "xapp-1-\ns3cret"}, []string{"SLACK_APP_TOKEN holds a character that can't be part of it", "U+000A"}},
		{"a placeholder", map[string]string{"SLACK_BOT_TOKEN": "xoxb-…"}, []string{"SLACK_BOT_TOKEN holds a character", "U+2026"}},
		{"a space without width behind a token", map[string]string{"GITHUB_TOKEN": "ghp_" + "s3cret\u200b"}, []string{"GITHUB_TOKEN holds a character", "U+200B"}},
		{"half of an App beside a token", map[string]string{"GITHUB_APP_ID": "1"}, []string{"not set: GITHUB_APP_INSTALLATION_ID, GITHUB_APP_PRIVATE_KEY", "GITHUB_TOKEN is set too"}},
		{"an App's name in place of its ID", merged(app(private), map[string]string{"GITHUB_APP_ID": "rootbot"}), []string{"GITHUB_APP_ID is not an App's ID"}},
		{"an address in place of an installation's ID", merged(app(private), map[string]string{"GITHUB_APP_INSTALLATION_ID": "https://github.com/settings/installations/2"}), []string{"GITHUB_APP_INSTALLATION_ID is not a number", "last part"}},
		{"a public key", app(public), []string{"GITHUB_APP_PRIVATE_KEY: this is the public key"}},
		{"a key that is cut off", app(private[:400]), []string{"GITHUB_APP_PRIVATE_KEY: the private key is cut off"}},
		{"a file that isn't there", app(folder + "/nowhere.pem"), []string{"GITHUB_APP_PRIVATE_KEY: " + folder + "/nowhere.pem can't be read: no such file or directory"}},
		{"a folder", app(folder), []string{"GITHUB_APP_PRIVATE_KEY: " + folder + " can't be read: is a directory"}},
		{"a file with a public key", app(write("public.pem", public)), []string{"public.pem: this is the public key"}},
		{"an empty file", app(write("empty.pem", "\n")), []string{"empty.pem: it is empty"}},
		{"a secret that is neither key nor path", app("s3cret"), []string{"GITHUB_APP_PRIVATE_KEY is neither a key in PEM form, nor base64 of one, nor the path of a file"}},
		{"an address that is none", map[string]string{"SLACK_API_URL": "slack.com/api"}, []string{"SLACK_API_URL is not an address"}},
		{"another that is none", map[string]string{"GITHUB_GRAPHQL_URL": "graphql"}, []string{"GITHUB_GRAPHQL_URL is not an address"}},
		{"half of a key of AWS", map[string]string{"AWS_ACCESS_KEY_ID": "AKIA" + "0"}, []string{"AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY isn't"}},
		{"a line end within a secret of AWS", map[string]string{"AWS_ACCESS_KEY_ID": "AKIA" + "0", "AWS_SECRET_ACCESS_KEY": "s3c\nret"}, []string{"AWS_SECRET_ACCESS_KEY holds a character"}},
		{"a session's key without its token", map[string]string{"AWS_ACCESS_KEY_ID": "ASIA" + "0", "AWS_SECRET_ACCESS_KEY": "s3cret"}, []string{"AWS_SESSION_TOKEN is not set"}},
		{"a level of the log that isn't one", map[string]string{"ROOTBOT_LOG": "verbose"}, []string{"ROOTBOT_LOG is not debug, info or warn"}},
		{"a level of the log in capitals", map[string]string{"ROOTBOT_LOG": "DEBUG"}, []string{"ROOTBOT_LOG is not debug, info or warn"}},
		{"a token where the level of the log belongs, and no bot token", map[string]string{"ROOTBOT_LOG": bot, "SLACK_BOT_TOKEN": ""}, []string{"ROOTBOT_LOG is not debug, info or warn: it holds a bot token of Slack, which belongs into SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN is not set"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			said := fault(t, merged(whole(), test.set))
			if len(test.words) == 0 && said != "" {
				t.Errorf("it doesn't start: %s", said)
			}
			for _, word := range test.words {
				if !strings.Contains(said, word) {
					t.Errorf("it doesn't say %q:\n%s", word, said)
				}
			}
			for _, secret := range []string{"s3c", "MII", bot, application} {
				if strings.Contains(said, secret) {
					t.Errorf("it shows a secret:\n%s", said)
				}
			}
		})
	}
}

func merged(one, other map[string]string) map[string]string {
	all := maps.Clone(one)
	maps.Copy(all, other)
	return all
}

func TestOneGitHubIsAskedAtItsOwnAddresses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name          string
		set           map[string]string
		graphQL, home string
	}{
		{"github.com", nil, "https://api.github.com/graphql", "https://github.com/"},
		{"github.com, written out", map[string]string{"GITHUB_API_URL": "https://api.github.com"}, "https://api.github.com/graphql", "https://github.com/"},
		{"a server of one's own", map[string]string{"GITHUB_API_URL": "https://github.example/api/v3"}, "https://github.example/api/graphql", "https://github.example/"},
		{"an enterprise at ghe.com", map[string]string{"GITHUB_API_URL": "https://api.acme.ghe.com/"}, "https://api.acme.ghe.com/graphql", "https://acme.ghe.com/"},
		{"a GitHub at another address", map[string]string{"GITHUB_API_URL": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080/graphql", "http://127.0.0.1:8080/"},
		{
			"each address that is set",
			map[string]string{"GITHUB_API_URL": "https://github.example/api/v3", "GITHUB_GRAPHQL_URL": "https://proxy.example/graphql", "GITHUB_URL": "https://sign-in.example"},
			"https://proxy.example/graphql", "https://sign-in.example/",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env := service.ReadEnvironment(func(name string) string { return test.set[name] })
			if env.GitHubGraphQLURL != test.graphQL || env.GitHubURL != test.home {
				t.Errorf("GraphQL is asked at %s, and people sign in at %s", env.GitHubGraphQLURL, env.GitHubURL)
			}
		})
	}
}
