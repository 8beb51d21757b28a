package service_test

import (
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/cmd/internal/service"
	"github.com/aws-root-account/rootbot/ops/catalog"
	"github.com/aws-root-account/rootbot/ops/deleteaccount"
	"github.com/aws-root-account/rootbot/ops/githubtest"
	"github.com/aws-root-account/rootbot/ops/removeuser"
)

// What no waiting mends is told to who runs the bot, by the setting or the variable.
func TestWhatGitHubDoesntShowTheBotIsToldByItsSetting(t *testing.T) {
	t.Parallel()
	gh := githubtest.New(githubtest.Options{Organization: "ministryofjustice"})
	t.Cleanup(gh.Close)
	gh.AddTeam("admins")
	gh.AddToken("ghp_reader", "otter")
	app := gh.AddApp(githubtest.App{})
	bare := gh.AddApp(githubtest.App{Permissions: map[string]string{}})
	as := func(a githubtest.App, change map[string]string) map[string]string {
		set := map[string]string{
			"GITHUB_TOKEN": "", "GITHUB_APP_ID": strconv.FormatInt(a.ID, 10), "GITHUB_APP_INSTALLATION_ID": strconv.FormatInt(a.InstallationID, 10), "GITHUB_APP_PRIVATE_KEY": a.PrivateKey,
		}
		maps.Copy(set, change)
		return set
	}
	for _, test := range []struct {
		name               string
		organization, team string
		saml               bool
		set                map[string]string
		fault              string // of GitHub's, to every call; "" is none
		words              []string
	}{
		{"all is shown", "ministryofjustice", "admins", false, nil, "", nil},
		{"all is shown to an App", "ministryofjustice", "admins", false, as(app, nil), "", nil},
		{"a wrong slug", "ministryofjustice", "admin", false, as(app, nil), "", []string{"github.team", "no team admin in ministryofjustice"}},
		{"a wrong organisation", "ministry", "admins", false, nil, "", []string{"github.organization", "no organisation ministry"}},
		{"a token that GitHub doesn't know", "ministryofjustice", "admins", false, map[string]string{"GITHUB_TOKEN": "ghp_forged"}, "", []string{"GITHUB_TOKEN isn't accepted"}},
		{"an App without Members: read", "ministryofjustice", "admins", false, as(bare, nil), "", []string{"Members: read"}},
		{"another App's key", "ministryofjustice", "admins", false, as(app, map[string]string{"GITHUB_APP_PRIVATE_KEY": bare.PrivateKey}), "", []string{"GITHUB_APP_PRIVATE_KEY must be a key of the App " + strconv.FormatInt(app.ID, 10)}},
		{"an installation that isn't there", "ministryofjustice", "admins", false, as(app, map[string]string{"GITHUB_APP_INSTALLATION_ID": "987654"}), "", []string{"no installation 987654", "GITHUB_APP_INSTALLATION_ID"}},
		{"a suspended installation", "ministryofjustice", "admins", false, as(app, nil), "This installation has been suspended", []string{"suspended", "an owner of ministryofjustice must unsuspend it"}},
		{"single sign-on that isn't there", "ministryofjustice", "admins", true, as(app, nil), "", []string{"github.saml", "no single sign-on of its own"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := map[string]string{"GITHUB_API_URL": gh.URL(), "GITHUB_TOKEN": "ghp_reader"}
			maps.Copy(set, test.set)
			if test.fault != "" {
				gh.Fail("POST /app/installations/*/access_tokens", githubtest.Fault{Status: http.StatusForbidden, Message: test.fault})
				defer gh.ClearFaults()
			}
			asked := &team.Team{Organization: test.organization, Slug: test.team}
			if test.saml {
				asked.SAML = team.SAML{URL: gh.URL() + "graphql", Domains: []string{"example.gov.uk"}}
			}
			err := service.Visible(t.Context(), service.ReadEnvironment(func(name string) string { return set[name] }), asked)
			if len(test.words) == 0 && err != nil {
				t.Error(err)
			}
			for _, word := range test.words {
				if err == nil || !strings.Contains(err.Error(), word) {
					t.Errorf("it doesn't say %q: %v", word, err)
				}
			}
		})
	}
	gh.EnableSAML()
	set := as(app, map[string]string{"GITHUB_API_URL": gh.URL()})
	asked := &team.Team{Organization: "ministryofjustice", Slug: "admins", SAML: team.SAML{URL: gh.URL() + "graphql", Domains: []string{"example.gov.uk"}}}
	if err := service.Visible(t.Context(), service.ReadEnvironment(func(name string) string { return set[name] }), asked); err != nil {
		t.Errorf("with single sign-on: %v", err)
	}
}

func TestScopesThatTheSlackAppLacksAreNamed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		scopes []string // nil: all
		saml   bool
		says   string
	}{
		{"all are there", nil, false, ""},
		{"without chat:write and users:read", []string{"commands", "channels:read"}, false, "lacks the scope chat:write, users:read"},
		{"without any that finds channels", []string{"commands", "chat:write", "users:read"}, false, "lacks the scope channels:read"},
		{"private channels alone", []string{"commands", "chat:write", "users:read", "groups:read"}, false, ""},
		{"single sign-on without addresses", []string{"commands", "chat:write", "users:read", "groups:read"}, true, "lacks the scope users:read.email"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := slacktest.New(slacktest.Options{Scopes: test.scopes})
			t.Cleanup(w.Close)
			set := map[string]string{"SLACK_API_URL": w.URL(), "SLACK_BOT_TOKEN": slacktest.DefaultBotToken}
			asked := &team.Team{}
			if test.saml {
				asked.SAML.Domains = []string{"example.gov.uk"}
			}
			err := service.MissingScopes(t.Context(), service.ReadEnvironment(func(name string) string { return set[name] }), asked)
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// What an operation's settings name is looked for at the start, not only when a person
// asks for it.
func TestWhatOperationsNameAndGitHubDoesntShowIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	gh := githubtest.New(githubtest.Options{Organization: "ministryofjustice"})
	t.Cleanup(gh.Close)
	const repo = "ministryofjustice/users"
	gh.AddRepository(repo, githubtest.RepositoryOptions{DefaultBranch: "main", Files: map[string]string{"terraform/users.tf.json": "{}\n", "terraform/members.tf.json": "{}\n", "accounts/a.tf": "\n"}})
	gh.AddFineGrainedToken("github_pat_bot", "otter", map[string]string{"contents": "write", "pull_requests": "write"}, repo)
	users := func(change func(*removeuser.Settings)) *removeuser.Settings {
		s := removeuser.Defaults()
		s.Repository, s.Branch, s.UsersFile, s.MembersFile = repo, "main", "terraform/users.tf.json", "terraform/members.tf.json"
		change(s)
		return s
	}
	accounts := func(change func(*deleteaccount.Settings)) *deleteaccount.Settings {
		s := deleteaccount.Defaults()
		s.Repository, s.Paths = repo, []string{"accounts/*.tf"}
		change(s)
		return s
	}
	for _, test := range []struct {
		name     string
		settings catalog.Settings
		fault    int // status that GitHub answers with; 0: none
		says     []string
	}{
		{"all users are there", users(func(*removeuser.Settings) {}), 0, nil},
		{"nobody owns the users", users(func(s *removeuser.Settings) { s.Users, s.Repository = "iam", "" }), 0, nil},
		{"no such repository of users", users(func(s *removeuser.Settings) { s.Repository = "ministryofjustice/user" }), 0, []string{"operations.remove-user.repository", "no repository ministryofjustice/user"}},
		{"no such branch of users", users(func(s *removeuser.Settings) { s.Branch = "master" }), 0, []string{"operations.remove-user.branch", repo + " has no branch master"}},
		{"neither file of users", users(func(s *removeuser.Settings) { s.UsersFile, s.MembersFile = "a.json", "b.json" }), 0, []string{"operations.remove-user.users_file", "no file a.json", "operations.remove-user.members_file", "no file b.json"}},
		{"accounts on the default branch", accounts(func(*deleteaccount.Settings) {}), 0, nil},
		{"no repository to look at", accounts(func(s *deleteaccount.Settings) { s.Repository = "" }), 0, nil},
		{"no such repository of accounts", accounts(func(s *deleteaccount.Settings) { s.Repository = "ministryofjustice/account" }), 0, []string{"operations.delete-account.repository", "no repository ministryofjustice/account"}},
		{"no such branch of accounts", accounts(func(s *deleteaccount.Settings) { s.Branch = "trunk" }), 0, []string{"operations.delete-account.branch", repo + " has no branch trunk"}},
		{"one pattern that no file is like", accounts(func(s *deleteaccount.Settings) { s.Paths = append(s.Paths, "accounts/*.hcl") }), 0, []string{"operations.delete-account.paths", "is like accounts/*.hcl"}},
		{"GitHub refuses", accounts(func(*deleteaccount.Settings) {}), http.StatusUnauthorized, []string{"it can't be told", "delete-account", "GitHub doesn't accept the bot's credentials (401)."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.fault != 0 {
				gh.Fail("/repos/", githubtest.Fault{Status: test.fault})
				defer gh.ClearFaults()
			}
			set := map[string]string{"GITHUB_API_URL": gh.URL(), "GITHUB_TOKEN": "github_pat_bot"}
			var log strings.Builder
			if err := service.VisibleOperations(t.Context(), service.ReadEnvironment(func(name string) string { return set[name] }), service.Log(&log, slog.LevelInfo), service.OperationConfig{Settings: test.settings}); err != nil {
				t.Fatal(err)
			}
			if len(test.says) == 0 && log.Len() > 0 {
				t.Errorf("it logs %s", &log)
			}
			for _, words := range append(test.says, "") {
				if !strings.Contains(log.String(), words) {
					t.Errorf("it doesn't say %q: %s", words, &log)
				}
			}
			if log.Len() > 0 && !strings.Contains(log.String(), `"level":"WARN"`) {
				t.Errorf("it is no warning: %s", &log)
			}
		})
	}
	if p := gh.Problems(); len(p) > 0 {
		t.Error(p)
	}
}
