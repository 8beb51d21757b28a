// Package worldtest is an organisation to try the bot in: a Slack workspace, a
// GitHub organisation and an AWS account, all held in memory and talked to over
// the wire. cmd/sandbox shows it to people, and the tests of the built binary
// run against it. Everybody in it is an animal.
package worldtest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/catalog"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// What the world's settings and credentials are called.
const (
	Organization = "ministryofjustice"
	Team         = "aws-root-account-admin-team"
	Store        = "d-1234567890"
	Suffix       = "@digital.justice.gov.uk"
	Function     = "aws-sso-scim-github"
	Region       = "eu-west-2"
	LookRole     = "arn:aws:iam::111111111111:role/rootbot-scim-sync-look"
	ActRole      = "arn:aws:iam::111111111111:role/rootbot-scim-sync-act"
	botRole      = "arn:aws:iam::111111111111:role/rootbot"
	githubToken  = "ghp_sandbox"
)

// Options say how a world differs from the usual one. The zero value is useful.
type Options struct {
	Size      int                                // people; 0 is 200
	Teams     int                                // 0 is 40
	LogLag    func(message string) time.Duration // of CloudWatch Logs; nil is none
	Pace      time.Duration                      // how long each call of the function takes
	RateLimit bool                               // Slack's, about a message a second
	Grid      bool                               // the workspace is one of an Enterprise Grid's
	Grace     time.Duration                      // between a user's quarantine and removal; 0 is a week, below 0 is none
	Strangers int                                // further people like Outside
	Users     string                             // who owns the users: "terraform", the default, or "iam"
	Now       func() time.Time                   // the clock of GitHub; nil is time.Now
}

// World is a running world.
type World struct {
	Slack   *slacktest.Workspace
	GitHub  *githubtest.Server
	AWS     *awstest.Cloud
	Store   *awstest.IdentityStore
	IAM     *awstest.IAM // of the base account
	Sync    *awstest.Sync
	Member  slacktest.User // may
	Second  slacktest.User // may too
	Third   slacktest.User // may as well
	Outside slacktest.User // known, but not in the team

	Strangers []slacktest.User // as Outside is

	Unknown slacktest.User // nobody knows which GitHub login this is
	Log     slacktest.Channel
	Desk    slacktest.Channel // where users are asked to be removed
	General slacktest.Channel // the bot is not in it
	options Options
	client  string // ID of the GitHub App

	disabled, closed string // organizational units

	open      context.Context // until Close
	close     context.CancelFunc
	applying  sync.WaitGroup
	unapplied atomic.Int32 // of what applying does
	Joiner    string       // a login that the next sync puts into two teams
}

// New starts a world in which GitHub and Identity Center have drifted apart.
func New(o Options) *World {
	if o.Size == 0 {
		o.Size = 200
	}
	if o.Teams == 0 {
		o.Teams = 40
	}
	if o.Grace == 0 {
		o.Grace = 7 * 24 * time.Hour
	}
	if o.Users == "" {
		o.Users = "terraform"
	}
	w := &World{
		GitHub: githubtest.New(githubtest.Options{Organization: Organization, DeviceInterval: time.Second, Now: o.Now}),
		AWS:    awstest.New(awstest.Options{Region: Region, LogLag: o.LogLag}),
		Joiner: "quick-heron", options: o,
	}
	w.open, w.close = context.WithCancel(context.Background())
	w.chat(o)
	w.users()
	w.organisation(o)
	w.accounts()
	w.roles()
	w.Sync = w.AWS.AddSyncFunction(awstest.SyncFunction{
		Name: Function, Region: Region, IdentityStore: Store, EmailSuffix: Suffix, Pace: o.Pace,
		Teams: func() ([]awstest.Team, error) { return awstest.TeamsOf(w.GitHub.Teams())() },
	})
	return w
}

// Close stops the three servers.
func (w *World) Close() {
	w.close()
	w.applying.Wait()
	w.Slack.Close()
	w.GitHub.Close()
	w.AWS.Close()
}

// Problems is what the three servers find fault with in whoever called them; empty
// is what to hope for.
func (w *World) Problems() []string {
	var all []string
	for _, of := range []struct {
		who      string
		problems []string
	}{{"Slack", w.Slack.Problems()}, {"AWS", w.AWS.Problems()}, {"GitHub", w.GitHub.Problems()}} {
		for _, problem := range of.problems {
			all = append(all, of.who+" finds fault with the bot: "+problem)
		}
	}
	return all
}

func (w *World) chat(o Options) {
	commands := []string{"/rootbot"}
	for _, s := range catalog.All() {
		commands = append(commands, s.Operation(nil, nil, "").Command)
	}
	w.Slack = slacktest.New(slacktest.Options{RateLimit: o.RateLimit, Grid: o.Grid, Commands: commands})
	w.Member = w.Slack.AddUser(slacktest.User{ID: "U0OTTER", Name: "otter", RealName: "Otter"})
	w.Second = w.Slack.AddUser(slacktest.User{ID: "U0BADGER", Name: "badger", RealName: "Badger"})
	w.Third = w.Slack.AddUser(slacktest.User{ID: "U0STOAT", Name: "stoat", RealName: "Stoat"})
	w.Outside = w.Slack.AddUser(slacktest.User{ID: "U0MAGPIE", Name: "magpie", RealName: "Magpie"})
	w.Unknown = w.Slack.AddUser(slacktest.User{ID: "U0FOX", Name: "fox", RealName: "Fox"})
	everybody := []string{w.Member.ID, w.Second.ID, w.Third.ID, w.Outside.ID, w.Unknown.ID}
	for i := range o.Strangers {
		name := fmt.Sprintf("rook%03d", i)
		w.Strangers = append(w.Strangers, w.Slack.AddUser(slacktest.User{ID: fmt.Sprintf("U0ROOK%03d", i), Name: name, RealName: name}))
		everybody = append(everybody, w.Strangers[i].ID)
		w.GitHub.AddToOrganization(name)
	}
	w.Log = w.Slack.AddChannel(slacktest.Channel{ID: "C0ROOTACCOUNT", Name: "aws-root-account", Members: append(slices.Clone(everybody), w.Slack.BotUserID)})
	w.Desk = w.Slack.AddChannel(slacktest.Channel{ID: "C0RELIABILITY", Name: "reliability-eng", Members: append(slices.Clone(everybody), w.Slack.BotUserID)})
	w.General = w.Slack.AddChannel(slacktest.Channel{ID: "C0GENERAL", Name: "general", Members: everybody})
}

// organisation makes teams and people, the same ones each time, and then lets
// the two sides drift apart.
func (w *World) organisation(o Options) {
	people := logins(o.Size)
	slugs := slugs(o.Teams)
	w.Store = w.AWS.IdentityStore(Store)
	for _, login := range append([]string{"otter", "badger", "stoat", "magpie"}, people...) {
		w.GitHub.AddUser(login)
		w.Store.AddUser(login + Suffix)
	}
	for i, slug := range slugs {
		w.GitHub.AddTeam(slug)
		w.Store.AddGroup(slug)
		for j := range 3 + (i*7)%9 {
			w.join(slug, people[(i*11+j*13)%len(people)])
		}
	}
	// Everybody is in a team, or the sync would delete them.
	for i, login := range people {
		w.join(slugs[i%len(slugs)], login)
	}
	w.GitHub.AddTeam(Team)
	w.Store.AddGroup(Team)
	for _, login := range []string{"otter", "badger", "stoat"} {
		w.join(Team, login)
	}
	w.join(slugs[0], "magpie")
	w.GitHub.AddTeam("all-org-members")
	for _, login := range people {
		w.GitHub.AddMember("all-org-members", login)
	}
	// An App would be installed for real; a token serves rootbot run as well.
	w.GitHub.AddFineGrainedToken(githubToken, "otter", map[string]string{"members": "read", "contents": "write", "pull_requests": "write"}, UsersRepo, AccountsRepo)
	w.GitHub.AddCollaborator(UsersRepo, "otter", "write")
	// Who types a code for this App proves to be who they are. The fox is on GitHub, and nobody knows it.
	w.client = w.GitHub.AddApp(githubtest.App{Permissions: map[string]string{"members": "read"}}).ClientID
	w.GitHub.AddUser("fox")

	// The drift. On GitHub: somebody is new, in two teams; a team is new;
	// somebody has changed teams; somebody has left altogether.
	w.GitHub.AddUser(w.Joiner)
	w.GitHub.AddMember(slugs[1], w.Joiner)
	w.GitHub.AddMember(slugs[2], w.Joiner)
	w.GitHub.AddTeam("prison-visits-alerts")
	w.GitHub.AddMember("prison-visits-alerts", people[3])
	w.GitHub.AddMember("prison-visits-alerts", people[4])
	moved := w.GitHub.Direct()[slugs[5]][0]
	w.GitHub.RemoveMember(slugs[5], moved)
	if !slices.Contains(w.GitHub.Direct()[slugs[6]], moved) {
		w.GitHub.AddMember(slugs[6], moved)
	}
	// In Identity Center: what nobody on GitHub knows any more, and what came
	// from Entra ID and is none of the sync's business.
	w.Store.AddUser("late-lark" + Suffix)
	w.Store.AddMember(slugs[7], "late-lark"+Suffix)
	w.Store.AddGroup("retired-service")
	w.Store.AddUser("entra.ibis@example.gov.uk", awstest.Email{Value: "entra.ibis@example.gov.uk", Type: "EntraId", Primary: true})
	w.Store.AddGroup("azure-aws-sso-analysts")
	w.Store.AddMember("azure-aws-sso-analysts", "entra.ibis@example.gov.uk")
}

// join puts somebody into a team on both sides.
func (w *World) join(slug, login string) {
	if !slices.Contains(w.GitHub.Direct()[slug], login) {
		w.GitHub.AddMember(slug, login)
		w.Store.AddMember(slug, login+Suffix)
	}
}

func (w *World) roles() {
	access := map[string]ops.Access{}
	for _, s := range catalog.All() {
		access[s.Name()] = s.Operation(nil, nil, "").Access
	}
	fill := strings.NewReplacer("${account}", "111111111111", "${region}", Region, "${identity_store}", Store,
		"${function}", Function, "${log_group}", "/aws/lambda/"+Function, "${bot_role}", botRole)
	trust := fill.Replace(awsaccess.Trust)
	w.AWS.AddRole(awstest.Role{ARN: LookRole, Trust: trust, Policy: fill.Replace(access["scim-sync"].Look)})
	w.AWS.AddRole(awstest.Role{ARN: ActRole, Trust: trust, Policy: fill.Replace(access["scim-sync"].Act)})
	fill = strings.NewReplacer("${account}", UsersAccount, "${user}", "*", "${boundary}", UsersBoundary)
	w.AWS.AddRole(awstest.Role{ARN: UsersLook, Trust: trust, Policy: fill.Replace(access["remove-user"].Look)})
	w.AWS.AddRole(awstest.Role{ARN: UsersAct, Trust: trust, Policy: fill.Replace(access["remove-user"].Act)})
	w.closingRoles(trust, access["delete-account"])
}

// Config is the world's settings file.
func (w *World) Config() string {
	strangers := ""
	for _, u := range w.Strangers {
		strangers += fmt.Sprintf("  - {slack: %s, github: %s}\n", u.ID, u.Name)
	}
	return fmt.Sprintf(`github: {organization: %s, team: %s, client_id: %s}
slack: {log_channel: %s}
identities:
  - {slack: %s, github: otter}
  - {slack: %s, github: badger}
  - {slack: %s, github: stoat}
  - {slack: %s, github: magpie}
%soperations:
%s  remove-user:
    channel: %s
    look_role: %s
    act_role: %s
    domains: [%s]
    protected: ["break-glass-*"]
    grace: %s
    users: %s
    repository: %s
    boundaries: [%s]
    poll: 200ms
  scim-sync:
    look_role: %s
    act_role: %s
    region: %s
    function: %s
    timeout: 5m
    identity_store: %s
    email_suffix: "%s"
    ignore_teams: [all-org-members, business-units]
    ignore_groups: ["azure-aws-sso-*"]
    max_deletions: 20
`, Organization, Team, w.client, w.Log.Name, w.Member.ID, w.Second.ID, w.Third.ID, w.Outside.ID, strangers, w.closable(),
		w.Desk.Name, UsersLook, UsersAct, Domain, max(0, w.options.Grace), w.options.Users, UsersRepo, UsersBoundary,
		LookRole, ActRole, Region, Function, Store, Suffix)
}

// Env is what the bot's environment needs, as the real one would have it.
func (w *World) Env() map[string]string {
	env := map[string]string{
		"SLACK_APP_TOKEN": slacktest.DefaultAppToken,
		"SLACK_BOT_TOKEN": slacktest.DefaultBotToken,
		"SLACK_API_URL":   w.Slack.URL(),
		"GITHUB_TOKEN":    githubToken, // for rootbot run; the bot itself is the App
		"GITHUB_API_URL":  w.GitHub.URL(),
		"GITHUB_URL":      w.GitHub.URL(),

		"GITHUB_GRAPHQL_URL": w.GitHub.URL() + "graphql",
		// Nothing of the machine's own AWS configuration may get in.
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
	}
	for _, pair := range w.AWS.Env() {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return env
}
