package deleteaccount_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/deleteaccount"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

const (
	management = "111111111111"
	lookRole   = "arn:aws:iam::" + management + ":role/rootbot-delete-account-look"
	actRole    = "arn:aws:iam::" + management + ":role/rootbot-delete-account-act"
	botRole    = "arn:aws:iam::" + management + ":role/rootbot"
	request    = "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f"

	sinking      = "222222222222" // to be closed
	sinkingName  = "pond-monitoring-dev"
	sinkingEmail = "aws-root+pond-monitoring-dev@example.gov.uk"
	sinkingText  = sinkingName + " (" + sinking + ")"
	neighbour    = "333333333333" // in the same unit
	rooted       = "444444444444" // in the root
	auditor      = "555555555555" // administers services

	repo     = "ministryofjustice/aws-root-account"
	accounts = "management-account/terraform/organizations-accounts-workloads.tf"

	day = 24 * time.Hour
)

// Times are told in UTC wherever the machine stands. Each test has an AWS and a
// GitHub of its own, so there is more to throw away than to keep.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// world is an AWS and a GitHub, and the settings that join them.
type world struct {
	*testing.T
	aws      *awstest.Cloud
	o        *awstest.Organization
	github   *githubtest.Server
	clock    *opstest.Clock
	settings *deleteaccount.Settings
	base     aws.Config
	token    string
	record   awsaccess.Recorder // of the calls that change something
	next     http.RoundTripper  // to GitHub

	workloads, ponds, disabled, closed string // units: ponds is in workloads
	denyAll                            string // the policy of the unit disabled
}

const denyAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, clock: &opstest.Clock{}, token: "github_pat_bot"}
	w.github = githubtest.New(githubtest.Options{Organization: "ministryofjustice", Now: w.clock.Now})
	t.Cleanup(w.github.Close)
	w.github.AddRepository(repo, githubtest.RepositoryOptions{DefaultBranch: "main", Files: map[string]string{
		accounts: "resource \"aws_organizations_account\" \"other\" {\n  name = \"other\"\n}\n", "README.md": "# Accounts\n",
	}})
	w.github.AddFineGrainedToken(w.token, "rootbot", map[string]string{"contents": "read"}, repo)
	w.github.AddCollaborator(repo, "rootbot", "read")

	w.aws = awstest.New(awstest.Options{Now: w.clock.Now})
	t.Cleanup(w.aws.Close)
	w.o = w.aws.Organization()
	w.workloads, w.disabled, w.closed = w.o.AddOU("Workloads", ""), w.o.AddOU("Disabled accounts", ""), w.o.AddOU("Closed accounts", "")
	w.ponds = w.o.AddOU("Ponds", w.workloads)
	w.denyAll = w.o.AddPolicy("deny-all", denyAll)
	w.o.AttachPolicy(w.denyAll, w.disabled)
	joined := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	w.add(sinking, sinkingName, w.ponds, map[string]string{"owner": "Ponds", "is-production": "false"})
	w.add(neighbour, "pond-monitoring-prod", w.ponds, map[string]string{"is-production": "true"})
	w.add(rooted, "sandbox", w.o.Root(), nil)
	w.add(auditor, "security", w.o.Root(), nil)
	w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Joined = joined })
	w.o.RegisterDelegatedAdministrator(auditor, "guardduty.amazonaws.com", "securityhub.amazonaws.com")
	w.o.SetClosing(awstest.ClosingStep{State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: time.Hour, State: "CLOSED"})

	w.settings = deleteaccount.Defaults()
	w.settings.LookRole, w.settings.ActRole = lookRole, actRole
	w.settings.DisabledOU, w.settings.ClosedOU = w.disabled, w.closed
	w.settings.Repository, w.settings.Poll = repo, 20*time.Minute
	if faults := w.settings.Check(); len(faults) > 0 {
		t.Fatalf("settings: %v", faults)
	}
	access := w.operation().Access
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

func (w *world) add(id, name, parent string, tags map[string]string) {
	w.o.AddAccount(id, name, "aws-root+"+name+"@example.gov.uk", func(a *awstest.OrgAccount) { a.Parent, a.Tags = parent, tags })
}

// bubble has waits cost nothing that the clients make themselves. Its time begins
// at now and as much later. The servers stand outside, and so does who changes
// the world meanwhile, by what do is given; a connection is never kept, for time
// would stand still with it.
func (w *world) bubble(later time.Duration, do func(t *testing.T, outside func(func()))) {
	now := time.Now().Add(later)
	w.base.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	w.next = &http.Transport{DisableKeepAlives: true}
	changes, changed := make(chan func()), make(chan struct{})
	defer close(changes)
	go func() {
		for change := range changes {
			change()
			changed <- struct{}{}
		}
	}()
	parent := w.T
	defer func() { w.T = parent }()
	synctest.Test(parent, func(t *testing.T) {
		w.T = t
		<-time.After(time.Until(now)) // a bubble's time begins in 2000
		do(t, func(change func()) {
			changes <- change
			<-changed
		})
	})
}

// doer is an HTTP client that is a function.
type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// meet has calls of an action meet something on their way out.
func (w *world) meet(action string, do func(*http.Request) error) {
	next := w.base.HTTPClient
	w.base.HTTPClient = doer(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.Header.Get("X-Amz-Target"), "."+action) {
			if err := do(r); err != nil {
				return nil, err
			}
		}
		return next.Do(r)
	})
}

// role puts a role of the bot's into the world.
func (w *world) role(arn, policy string) {
	w.aws.AddRole(awstest.Role{ARN: arn, Policy: policy, Trust: strings.ReplaceAll(awsaccess.Trust, "${bot_role}", botRole)})
}

// fill puts the settings into a policy, as an installer would: for all accounts
// but a protected one.
func (w *world) fill(policy string) string {
	return strings.NewReplacer("${account}", management, "${target}", "*", "${protected}", "999999999999").Replace(policy)
}

// walk is one /aws-delete-account of the sinking account by octocat, approved by
// mona. The sessions of a process end before most waits do, so each wait is a
// restart.
func (w *world) walk() *opstest.Walk { return w.walkFor(sinking, sinkingName) }

func (w *world) walkFor(id, name string) *opstest.Walk {
	r := ops.Request{ID: request, Operation: "delete-account", By: "octocat", At: w.clock.Now(), Inputs: ops.Inputs{
		"account": {id}, "name": {name}, "reason": {"The pond is dry"}, "agreement": {"OPS-42"}, "confirmed": {ops.Agreed(0), ops.Agreed(1), ops.Agreed(2)},
	}}
	walk := &opstest.Walk{Operation: w.operation, Request: r, Approvers: []string{"mona", "hubot"}, Clock: w.clock}
	walk.Waiting = func(context.Context) error {
		walk.Restart()
		return nil
	}
	return walk
}

func (w *world) client() *github.Client {
	client, err := githubaccess.New(w.github.URL(), githubaccess.Token{Value: w.token, Next: w.next})
	if err != nil {
		w.Fatal(err)
	}
	return client
}

func (w *world) operation() ops.Operation {
	broker := awsaccess.New(w.base)
	broker.Record = w.record
	return w.settings.Operation(broker, w.client(), "ministryofjustice")
}

// run walks to the end and returns the report.
func (w *world) run(walk *opstest.Walk) ops.Report {
	w.Helper()
	if err := walk.Run(w.Context()); err != nil {
		w.Fatalf("step %q: %v\n%s", walk.At(), err, text(walk.Lines()))
	}
	report, ok := walk.Report()
	if !ok {
		w.Fatalf("no report\n%s", text(walk.Lines()))
	}
	return report
}

// until walks until the step of that name is at hand.
func (w *world) until(walk *opstest.Walk, step string) {
	w.Helper()
	if walk.At() == "" {
		w.look(walk)
	}
	for walk.At() != step {
		if err := walk.Step(w.Context()); err != nil {
			w.Fatalf("step %q: %v\n%s", walk.At(), err, text(walk.Lines()))
		}
	}
}

// graced walks into the time of grace, so that the run can be taken back. The
// clock is held.
func (w *world) graced(walk *opstest.Walk) {
	w.Helper()
	w.until(walk, "grace")
	for range 3 { // a process that dies offers nothing
		if walk.Offered().IsZero() {
			clock := walk.Clock
			walk.Clock = &opstest.Clock{}
			walk.Clock.Advance(time.Until(clock.Now()))
			err := walk.Step(w.Context())
			walk.Clock = clock
			if err != nil {
				w.Fatalf("step %q: %v", walk.At(), err)
			}
		}
	}
	if walk.Offered().IsZero() {
		w.Fatalf("taking it back isn't offered; at step %q", walk.At())
	}
}

func (w *world) look(walk *opstest.Walk) ops.Plan {
	w.Helper()
	plan, err := walk.Look(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return plan
}

// again is the second look that is taken before something is changed.
func (w *world) again(walk *opstest.Walk, shown ops.Plan) (ops.Plan, error) {
	r := walk.Request
	r.Shown = &shown
	return w.operation().Plan(w.Context(), r, func(string, ...any) {})
}

// account is an account as Organizations has it; it must be there.
func (w *world) account(id string) awstest.OrgAccount {
	w.Helper()
	a, ok := w.o.Account(id)
	if !ok {
		w.Fatalf("there is no account %s", id)
	}
	return a
}

// same checks that an account is in every detail as it was.
func (w *world) same(was awstest.OrgAccount) {
	w.Helper()
	if diff := cmp.Diff(was, w.account(was.ID)); diff != "" {
		w.Errorf("%s has changed (-was +is):\n%s", was.Name, diff)
	}
}

// done checks what holds at the end of everything: the fakes understood every
// call, each was made by the request's own narrowed session, changes by the
// acting role alone, and nothing was closed or changed but the one account.
func (w *world) done() {
	w.Helper()
	for _, p := range append(w.aws.Problems(), w.github.Problems()...) {
		w.Errorf("a fake had a problem: %s", p)
	}
	for _, call := range w.aws.Calls() {
		tags := call.SessionTags
		switch {
		case call.Service == "sts" && call.Action != "AssumeRole":
			w.Errorf("a call of %s", call.Name())
		case call.Service == "sts":
		case call.SourceIdentity != "octocat" || call.SessionPolicy == "" || call.Region != "us-east-1":
			w.Errorf("%s in %s with source identity %q and session policy %q", call.Name(), call.Region, call.SourceIdentity, call.SessionPolicy)
		case changes(call) != (call.RoleARN == actRole):
			w.Errorf("%s with the role %s", call.Name(), call.RoleARN)
		case call.RoleARN == actRole && (tags["request"] != request || tags["operation"] != "delete-account" || tags["requested-by"] != "octocat"):
			w.Errorf("%s with the tags %v", call.Name(), tags)
		case call.RoleARN == actRole && !strings.Contains(string(call.Params), w.target()):
			w.Errorf("%s with %s", call.Name(), call.Params)
		}
	}
	if closed := w.o.Closed(); len(closed) > 1 {
		w.Errorf("closed %v", closed)
	}
}

// target is the account that the requests in the ledger are about.
func (w *world) target() string {
	for _, call := range w.aws.Calls() {
		if call.Action == "DescribeAccount" {
			_, id, _ := strings.Cut(string(call.Params), `"AccountId":"`)
			return id[:12]
		}
	}
	return ""
}

// changes tells whether a call is a write.
func changes(c awstest.Call) bool {
	return c.Service != "sts" && !slices.ContainsFunc([]string{"Get", "List", "Describe"}, func(read string) bool { return strings.HasPrefix(c.Action, read) })
}

// writes are the writes in the ledger that went well, in order.
func (w *world) writes() []string {
	var list []string
	for _, c := range w.aws.Calls() {
		if changes(c) && c.Allowed && c.ErrorCode == "" {
			list = append(list, c.Action)
		}
	}
	return list
}

// untouched checks that nothing was changed by the bot.
func (w *world) untouched() {
	w.Helper()
	if list := w.writes(); len(list) > 0 {
		w.Errorf("the bot called %v", list)
	}
	w.done()
}

// refused checks that planning or running ended with an error of a kind whose
// words have all the parts, and no secret.
func (w *world) refused(err error, kind ops.Kind, parts ...string) {
	w.Helper()
	said, ok := errors.AsType[*ops.Error](err)
	if !ok {
		w.Errorf("got %v, which isn't in words for people", err)
		return
	}
	if said.Kind != kind {
		w.Errorf("kind %v, want %v: %v", said.Kind, kind, err)
	}
	for _, part := range parts {
		if !strings.Contains(said.Words(), part) {
			w.Errorf("words %q, want %q in them", said.Words(), part)
		}
	}
	// How much was changed is the desk's to say: the same error arises before and after.
	for _, past := range []string{"othing was", "othing more", "wasn't", "so far", "half"} {
		if strings.Contains(said.What+said.Next, past) || said.Changed != "" {
			w.Errorf("the operation says what was changed: %s", said.Words())
		}
	}
	if strings.Contains(said.Words(), w.token) || strings.Contains(said.Words(), w.aws.SecretAccessKey) {
		w.Errorf("the words hold a secret: %s", said.Words())
	}
}

// unit is a unit as plans name it.
func (w *world) unit(id string) string {
	return map[string]string{w.workloads: "Workloads", w.ponds: "Ponds", w.disabled: "Disabled accounts", w.closed: "Closed accounts", w.o.Root(): "Root"}[id] + " (" + id + ")"
}

// at is a time as people read it.
func at(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

// truth is a report's outcomes as lines.
func truth(r ops.Report) []string {
	lines := slices.Clone(r.Problems)
	for _, s := range r.Sections {
		for _, o := range s.Outcomes {
			lines = append(lines, o.Text+" ("+string(o.State)+")")
		}
	}
	return lines
}

func text(lines []ops.Line) string {
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(string(l.Level) + " " + l.Text + "\n")
	}
	return b.String()
}

// fact is the value of the fact with that label.
func fact(p ops.Plan, label string) string {
	for _, f := range p.Facts {
		if f.Label == label {
			return f.Value
		}
	}
	return ""
}

// warned tells whether one of the warnings has the words.
func warned(p ops.Plan, words string) bool {
	return slices.ContainsFunc(p.Warnings, func(w string) bool { return strings.Contains(w, words) })
}
