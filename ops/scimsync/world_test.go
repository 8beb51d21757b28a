package scimsync_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
	"github.com/aws-root-account/rootbot/ops/scimsync"
)

const (
	lookRole = "arn:aws:iam::111111111111:role/rootbot-scim-sync-look"
	actRole  = "arn:aws:iam::111111111111:role/rootbot-scim-sync-act"
	botRole  = "arn:aws:iam::111111111111:role/rootbot"
	suffix   = "@digital.justice.gov.uk"
	storeID  = "d-1234567890"
	function = "aws-sso-scim-github"
	logGroup = "/aws/lambda/" + function
	request  = "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f"
)

// world is a GitHub and an AWS, and the settings that join them. Its story, as
// far as change doesn't tell another one:
//
//	team        on GitHub            in Identity Center
//	platform    octocat mona hubot   octocat leaver
//	security    mona                 mona octocat
//	newcomers   hubot                –
//	retired     –                    octocat
//
// hubot has no user yet, leaver is in no team any more. Beside them stand what
// the function leaves alone: the teams to ignore, the group azure-aws-sso-admins
// and the user entra@example.org, who come from Entra ID.
type world struct {
	*testing.T
	aws      *awstest.Cloud
	github   *githubtest.Server
	sync     *awstest.Sync
	store    *awstest.IdentityStore
	clock    *opstest.Clock
	settings *scimsync.Settings
	base     aws.Config
	client   *github.Client
	record   awsaccess.Recorder // nil: nothing is recorded
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldWith(t, awstest.Options{})
}

func newWorldWith(t *testing.T, o awstest.Options) *world {
	t.Helper()
	w := &world{T: t, clock: &opstest.Clock{}, settings: settings()}
	if faults := w.settings.Check(); len(faults) > 0 {
		t.Fatalf("settings: %v", faults)
	}

	w.github = githubtest.New(githubtest.Options{Organization: "ministryofjustice", Now: w.clock.Now})
	t.Cleanup(w.github.Close)
	for team, logins := range map[string][]string{
		"platform": {"Octocat", "mona", "hubot"}, "security": {"mona"}, "newcomers": {"hubot"},
		"all-org-members": {"Octocat", "mona", "hubot", "stranger"}, "business-units": {"stranger"},
	} {
		w.github.AddTeam(team)
		for _, login := range logins {
			w.github.AddMember(team, login)
		}
	}
	w.github.AddToken("ghp_reader", "reader")
	client, err := githubaccess.New(w.github.URL(), githubaccess.Token{Value: "ghp_reader"})
	if err != nil {
		t.Fatal(err)
	}
	w.client = client

	o.Now = w.clock.Now
	w.aws = awstest.New(o)
	t.Cleanup(w.aws.Close)
	w.sync = w.aws.AddSyncFunction(awstest.SyncFunction{EmailSuffix: suffix, Teams: func() ([]awstest.Team, error) {
		return awstest.TeamsOf(w.github.Teams())()
	}})
	w.store = w.aws.IdentityStore(storeID)
	for _, login := range []string{"octocat", "mona", "leaver"} {
		w.store.AddUser(login + suffix)
	}
	w.store.AddUser("entra@example.org", awstest.Email{Value: "entra@example.org", Type: "EntraId"})
	for group, users := range map[string][]string{
		"platform": {"octocat" + suffix, "leaver" + suffix}, "security": {"mona" + suffix, "octocat" + suffix},
		"retired": {"octocat" + suffix}, "azure-aws-sso-admins": {"entra@example.org"},
	} {
		w.store.AddGroup(group)
		w.store.AddMember(group, users...)
	}
	access := w.settings.Operation(nil, nil, "").Access
	w.role(lookRole, w.fill(access.Look))
	w.role(actRole, w.fill(access.Act))
	w.base = aws.Config{
		Region: "eu-west-2", BaseEndpoint: aws.String(w.aws.URL()),
		Credentials: credentials.NewStaticCredentialsProvider(w.aws.AccessKeyID, w.aws.SecretAccessKey, ""),
		HTTPClient:  awshttp.NewBuildableClient(),
		// As many tries as the SDK makes, without its waits.
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
	return w
}

// settings are an installer's, without a limit on the rate of calls.
func settings() *scimsync.Settings {
	s := scimsync.Defaults()
	s.LookRole, s.ActRole, s.IdentityStore = lookRole, actRole, storeID
	s.CallsPerSecond = 0
	return s
}

// role puts a role of the bot's into the world.
func (w *world) role(arn, policy string) {
	w.aws.AddRole(awstest.Role{ARN: arn, Policy: policy, Trust: strings.ReplaceAll(awsaccess.Trust, "${bot_role}", botRole)})
}

// fill puts the settings into a policy, as an installer would.
func (w *world) fill(policy string) string {
	return strings.NewReplacer("${account}", "111111111111", "${region}", w.settings.Region, "${function}", w.settings.Function,
		"${log_group}", cmp.Or(w.settings.LogGroup, "/aws/lambda/"+w.settings.Function), "${identity_store}", w.settings.IdentityStore).Replace(policy)
}

// walk is one /scim-sync by octocat, with people to report on in particular.
func (w *world) walk(people ...string) *opstest.Walk {
	r := ops.Request{ID: request, Operation: "scim-sync", By: "octocat", Inputs: ops.Inputs{}, At: w.clock.Now()}
	if len(people) > 0 {
		r.Inputs["people"] = people
	}
	return &opstest.Walk{Operation: w.operation, Request: r, Clock: w.clock, Waiting: w.rest, Limit: 500}
}

func (w *world) operation() ops.Operation {
	broker := awsaccess.New(w.base)
	broker.Record = w.record
	return w.settings.Operation(broker, w.client, "ministryofjustice")
}

// rest waits until no function runs.
func (w *world) rest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return w.aws.Wait(ctx, func() bool {
		return !slices.ContainsFunc(w.aws.Invocations(w.settings.Function), func(i awstest.InvocationState) bool { return i.Running })
	})
}

// run walks to the end and returns the report.
func (w *world) run(walk *opstest.Walk) ops.Report {
	w.Helper()
	if err := walk.Run(w.Context()); err != nil {
		w.Fatalf("step %q: %v\n%s", walk.At(), err, text(walk.Lines()))
	}
	return w.report(walk)
}

func (w *world) report(walk *opstest.Walk) ops.Report {
	w.Helper()
	report, ok := walk.Report()
	if !ok {
		w.Fatalf("no report; at step %q\n%s", walk.At(), text(walk.Lines()))
	}
	return report
}

// look plans.
func (w *world) look(people ...string) ops.Plan {
	w.Helper()
	plan, err := w.walk(people...).Look(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return plan
}

// done checks what holds at the end of every run: the fakes understood every
// call, the function was invoked so many times, by this request's own session.
func (w *world) done(invokes int) {
	w.Helper()
	for _, p := range append(w.aws.Problems(), w.github.Problems()...) {
		w.Errorf("a fake had a problem: %s", p)
	}
	if n := w.aws.Count("lambda:InvokeFunction"); n != invokes {
		w.Errorf("%d calls of lambda:InvokeFunction, want %d", n, invokes)
	}
	for _, call := range w.aws.Calls() {
		switch {
		case call.Service == "sts" && call.Action != "AssumeRole":
			w.Errorf("a call of %s", call.Name())
		case call.Service == "sts":
		case call.SourceIdentity != "octocat" || call.SessionPolicy == "":
			w.Errorf("%s with source identity %q and session policy %q", call.Name(), call.SourceIdentity, call.SessionPolicy)
		case call.Service == "identitystore" && call.RoleARN != lookRole, call.Service != "identitystore" && call.RoleARN != actRole:
			w.Errorf("%s with the role %s", call.Name(), call.RoleARN)
		case call.RoleARN == actRole && (call.SessionTags["request"] != request || call.SessionTags["operation"] != "scim-sync" || call.SessionTags["requested-by"] != "octocat"):
			w.Errorf("%s with the tags %v", call.Name(), call.SessionTags)
		}
		if call.Service == "lambda" && (string(call.Payload) != "{}" || call.InvocationType != "Event") {
			w.Errorf("invoked with %s as %s", call.Payload, call.InvocationType)
		}
	}
}

// synced checks that Identity Center is what GitHub is.
func (w *world) synced() {
	w.Helper()
	for _, effect := range w.look().Steps[0].Effects[1:] {
		w.Errorf("not synced: %s", effect)
	}
}

// refused checks that planning or running ended with an error of a kind whose
// words have all the parts.
func refused(t *testing.T, err error, kind ops.Kind, parts ...string) {
	t.Helper()
	said, ok := errors.AsType[*ops.Error](err)
	if !ok {
		t.Errorf("got %v, which isn't in words for people", err)
		return
	}
	if said.Kind != kind {
		t.Errorf("kind %v, want %v: %v", said.Kind, kind, err)
	}
	for _, part := range parts {
		if !strings.Contains(said.Words(), part) {
			t.Errorf("words %q, want %q in them", said.Words(), part)
		}
	}
}

// speaksOfThePast complains of an error that says what was or wasn't done: that is
// the desk's to say.
func speaksOfThePast(t *testing.T, err error) {
	t.Helper()
	said, ok := errors.AsType[*ops.Error](err)
	if !ok {
		return
	}
	if past.MatchString(said.What + " " + said.Next) {
		t.Errorf("it speaks of what was done: %s", said.Words())
	}
}

var past = regexp.MustCompile(`(?i)\b(nothing|function) (more )?(was|were|has been)( not)? (run|done|changed|started)`)

// truth is a report's outcomes as lines: "platform: hubot added (confirmed)".
func truth(r ops.Report) []string {
	var lines []string
	for _, s := range r.Sections {
		for _, o := range s.Outcomes {
			line := s.Title + ": " + o.Text
			if o.State != "" {
				line += " (" + string(o.State) + ")"
			}
			if o.Why != "" {
				line += ", " + o.Why
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// failing checks that a report is a failure with the parts among its problems.
func failing(t *testing.T, r ops.Report, parts ...string) {
	t.Helper()
	if r.OK() {
		t.Errorf("the report is a success: %+v", r)
	}
	for _, part := range parts {
		if !strings.Contains(strings.Join(r.Problems, "\n"), part) {
			t.Errorf("no problem with %q; problems:\n%s", part, strings.Join(r.Problems, "\n"))
		}
	}
}

func text(lines []ops.Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(string(l.Level) + " " + l.Text + "\n")
	}
	return b.String()
}

func without[T comparable](list []T, one T) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return x == one })
}

// policy is a policy document that a test takes pieces out of.
type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid              string
	Effect           string
	Principal        json.RawMessage `json:",omitempty"`
	Action, Resource words           `json:",omitempty"`
}

// text is the document without what has become empty: what IAM wouldn't take.
func (p policy) text(t *testing.T) string {
	t.Helper()
	kept := p
	kept.Statement = slices.DeleteFunc(slices.Clone(p.Statement), func(s statement) bool {
		return len(s.Action) == 0 || len(s.Resource) == 0 && s.Principal == nil
	})
	if len(kept.Statement) == 0 {
		return ""
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// words is a string or a list of them.
type words []string

func (w *words) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(w))
}

func parsePolicy(t *testing.T, text string) policy {
	t.Helper()
	var p policy
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// impatient has GitHub's answers waited for only so long.
func (w *world) impatient(d time.Duration) {
	client := &http.Client{Transport: githubaccess.Token{Value: "ghp_reader"}, Timeout: d}
	base := w.client.BaseURL
	w.client = github.NewClient(client)
	w.client.BaseURL = base
}
