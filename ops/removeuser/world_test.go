package removeuser_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
	"github.com/aws-root-account/rootbot/ops/opstest"
	"github.com/aws-root-account/rootbot/ops/removeuser"
)

const (
	account  = "222222222222"
	lookRole = "arn:aws:iam::" + account + ":role/rootbot-remove-user-look"
	actRole  = "arn:aws:iam::" + account + ":role/rootbot-remove-user-act"
	botRole  = "arn:aws:iam::111111111111:role/rootbot"
	request  = "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f"

	leaver   = "jo.doe@digital.cabinet-office.gov.uk"
	namesake = "jo.doe@softwire.com"

	limits = "arn:aws:iam::" + account + ":policy/limits" // a permissions boundary that the settings list

	repo        = "alphagov/aws-user-management-account-users"
	branch      = "remove-aws-user-jo-doe-1d2c3e4f"
	usersFile   = "terraform/gds_users.tf.json"
	membersFile = "terraform/iam_crossaccountaccess_members.tf.json"
)

// Times are told in UTC wherever the machine stands. Each test has an AWS and a
// GitHub of its own, so there is more to throw away than to keep.
func TestMain(m *testing.M) {
	time.Local = time.FixedZone("elsewhere", 5*60*60)
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}

// world is an AWS and a GitHub, and the settings that join them. In both are
// the leaver, with everything that can hang on a user, and two who stay: a
// namesake in another domain and somebody else.
type world struct {
	*testing.T
	aws      *awstest.Cloud
	iam      *awstest.IAM
	github   *githubtest.Server
	clock    *opstest.Clock
	settings *removeuser.Settings
	base     aws.Config
	token    string
	next     http.RoundTripper // to GitHub; nil: the usual one
	others   []awstest.IAMUser // who must stay as they are
	applied  error             // how Terraform's last apply ended
	record   awsaccess.Recorder
}

func newWorld(t *testing.T, users string) *world {
	t.Helper()
	w := &world{T: t, clock: &opstest.Clock{}, settings: settings(users), token: "github_pat_bot"}
	if faults := w.settings.Check(); len(faults) > 0 {
		t.Fatalf("settings: %v", faults)
	}

	w.github = githubtest.New(githubtest.Options{Organization: "alphagov", Now: w.clock.Now})
	t.Cleanup(w.github.Close)
	w.github.AddRepository(repo, githubtest.RepositoryOptions{DefaultBranch: "master", Files: map[string]string{
		usersFile: usersText, membersFile: membersText, "README.md": "# Users\n",
	}})
	w.mayGitHub(map[string]string{"contents": "write", "pull_requests": "write"})
	w.github.AddCollaborator(repo, "mona", "write")

	w.aws = awstest.New(awstest.Options{Now: w.clock.Now})
	t.Cleanup(w.aws.Close)
	w.iam = w.aws.IAM(account)
	w.iam.AddUser(everything(leaver))
	w.others = append(w.others, w.iam.AddUser(everything(namesake)),
		w.iam.AddUser(awstest.IAMUser{Name: "ann.other@softwire.com", AccessKeys: make([]awstest.AccessKey, 1), Groups: []string{"CrossAccountAccess"}}))
	w.aws.Organization().AddAccount(account, "gds-users", "aws-root+gds-users@example.org")
	w.aws.Organization().Delegate(account)
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

// settings are an installer's, with CloudTrail in one region.
func settings(users string) *removeuser.Settings {
	s := removeuser.Defaults()
	s.LookRole, s.ActRole = lookRole, actRole
	s.Domains = []string{"digital.cabinet-office.gov.uk", "softwire.com"}
	s.Regions = []string{"eu-west-2"}
	s.Users, s.Repository, s.Boundaries = users, repo, []string{limits}
	return s
}

// everything is a user with all that IAM can hang on one. Of the two keys one
// is active.
func everything(name string) awstest.IAMUser {
	longAgo := time.Now().AddDate(-2, 0, 0)
	arn := "arn:aws:iam::" + account + ":"
	local, _, _ := strings.Cut(name, ".gov")
	return awstest.IAMUser{
		Name: name, Path: "/people/", Created: longAgo, PasswordLastUsed: time.Now().AddDate(0, 0, -5),
		Tags: map[string]string{"team": "payments", "Owner": "ann.other@softwire.com"}, Boundary: limits,
		Login:        &awstest.LoginProfile{},
		AccessKeys:   []awstest.AccessKey{{LastUsed: time.Now().AddDate(0, 0, -3), Service: "s3", Region: "eu-west-2"}, {Inactive: true}},
		SSHKeys:      make([]awstest.SSHKey, 1),
		Certificates: make([]awstest.Certificate, 1),
		Credentials:  []awstest.ServiceCredential{{}, {Service: "cassandra.amazonaws.com", Inactive: true}},
		MFA:          []awstest.MFADevice{{}, {Serial: arn + "u2f/user/" + local + "/key-1"}, {Serial: fmt.Sprintf("GAHT%08d", len(name))}},
		Inline:       map[string]string{"own": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`},
		Attached:     []string{"arn:aws:iam::aws:policy/ReadOnlyAccess", arn + "policy/teams/payments"},
		Groups:       []string{"CrossAccountAccess", "/teams/payments"},
	}
}

// The files as they are in the repository, with an odd space here and there
// that must stay.
const usersText = `{
    "resource": [
        {
            "aws_iam_user": {
                "ann_other": {
                    "name": "ann.other@softwire.com",
                    "force_destroy": true
                }
            }
        },
        {
            "aws_iam_user": {
                "jo_doe": {
                    "name": "jo.doe@digital.cabinet-office.gov.uk",
                    "force_destroy": true
                }
            }
        },
        {
            "aws_iam_user":  {
                "jo_doe_softwire": { "name": "jo.doe@softwire.com", "force_destroy": true }
            }
        }
    ]
}
`

const membersText = `{
    "resource": {
        "aws_iam_group_membership": {
            "crossaccountaccess-members": {
                "name": "crossaccountaccess-membership",
                "users": [
                    "${aws_iam_user.ann_other.name}",
                    "${aws_iam_user.jo_doe.name}",
                    "${aws_iam_user.jo_doe_softwire.name}"
                ],
                "group":  "CrossAccountAccess"
            }
        }
    }
}
`

// role puts a role of the bot's into the world.
func (w *world) role(arn, policy string) {
	w.aws.AddRole(awstest.Role{ARN: arn, Policy: policy, Trust: strings.ReplaceAll(awsaccess.Trust, "${bot_role}", botRole)})
}

// fill puts the settings into a policy, as an installer would: for all users.
func (w *world) fill(policy string) string {
	return strings.NewReplacer("${account}", account, "${user}", "*", "${boundary}", limits).Replace(policy)
}

// mayGitHub gives the bot's token its permissions.
func (w *world) mayGitHub(permissions map[string]string) {
	w.github.AddFineGrainedToken(w.token, "rootbot-users", permissions, repo)
	w.github.AddCollaborator(repo, "rootbot-users", "write")
}

// walk is one /aws-remove-user of the leaver by octocat, approved by mona. The
// sessions of a process end long before the grace does, so each wait is a
// restart.
func (w *world) walk() *opstest.Walk { return w.walkFor(leaver) }

func (w *world) walkFor(user string) *opstest.Walk {
	r := ops.Request{ID: request, Operation: "remove-user", By: "octocat", At: w.clock.Now(), Inputs: ops.Inputs{
		"emails": {user}, "reason": {"Left the department"}, "ticket": {"OPS-42"}, "confirmed": {"yes"},
	}}
	walk := &opstest.Walk{Operation: w.operation, Request: r, Approvers: []string{"mona"}, Clock: w.clock, Limit: 300}
	walk.Waiting = func(context.Context) error {
		walk.Restart()
		if walk.At() == "merge" || walk.At() == "empty" {
			w.mergeAndApply()
		}
		return nil
	}
	return walk
}

// mergeAndApply is what people and Terraform do while the bot waits: the first
// time somebody merges, after that the users that aren't defined any more are
// destroyed, with everything that force_destroy knows.
func (w *world) mergeAndApply() {
	pulls := w.github.Pulls(repo)
	switch last := len(pulls) - 1; {
	case last < 0:
	case pulls[last].State == "open":
		if err := w.github.Merge(repo, pulls[last].Number, "ann"); err != nil {
			w.Errorf("merge: %v", err)
		}
	case pulls[last].Merged:
		w.apply()
	}
}

// apply is Terraform making the world what the branch says.
func (w *world) apply() {
	text, _ := w.github.File(repo, "master", usersFile)
	w.applied = nil
	for _, name := range w.iam.Users() {
		if !strings.Contains(text, `"`+name+`"`) {
			w.applied = errors.Join(w.applied, w.iam.RemoveUser(name))
		}
	}
}

func (w *world) operation() ops.Operation {
	client, err := githubaccess.New(w.github.URL(), githubaccess.Token{Value: w.token, Next: w.next})
	if err != nil {
		w.Fatal(err)
	}
	broker := awsaccess.New(w.base)
	broker.Record = w.record
	return w.settings.Operation(broker, client, "alphagov")
}

// asksAgain has the changes of a walk asked about right before they are made, as the
// desk does: before each that can't be taken back, and before the others when it last
// asked more than a minute ago. The plan is made again, and the walk is stopped if it
// has an effect that wasn't shown, other terms, or can't be made.
func (w *world) asksAgain(walk *opstest.Walk) {
	var asked time.Time
	walk.MayAct = func(ctx context.Context) error {
		shown, r := walk.Plan(), walk.Request
		r.Shown = &shown
		plan, err := w.operation().Plan(ctx, r, func(string, ...any) {})
		if err != nil {
			return &ops.HaltError{Err: err}
		}
		if more := append(plan.Beyond(shown), plan.NewTerms(shown)...); len(more) > 0 {
			return &ops.HaltError{Err: fmt.Errorf("nobody was shown: %s", strings.Join(more, "; "))}
		}
		asked = w.clock.Now()
		return nil
	}
	card := w.operation()
	w.record = func(ctx context.Context, _ ops.Request, call ops.Call) error {
		if call.Outcome != "" || !card.Irreversible(call) && w.clock.Now().Sub(asked) < time.Minute {
			return nil
		}
		return walk.MayAct(ctx)
	}
	walk.Restart()
}

// run walks to the end and returns the report.
func (w *world) run(walk *opstest.Walk) ops.Report {
	w.Helper()
	if err := walk.Run(w.Context()); err != nil {
		w.Fatalf("step %q: %v\n%s", walk.At(), err, text(walk.Lines()))
	}
	report, ok := walk.Report()
	if !ok {
		w.Fatalf("no report; at step %q\n%s", walk.At(), text(walk.Lines()))
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

// quarantined walks into the grace, so that the run can be taken back.
func (w *world) quarantined(walk *opstest.Walk) {
	w.Helper()
	w.until(walk, "grace")
	for range 3 { // a process that dies offers nothing
		if walk.Offered().IsZero() {
			if err := walk.Step(w.Context()); err != nil {
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

// user is a user as IAM has it; it must be there.
func (w *world) user(name string) awstest.IAMUser {
	w.Helper()
	user, ok := w.iam.User(name)
	if !ok {
		w.Fatalf("there is no IAM user %s", name)
	}
	return user
}

// firstPull is the one pull request that there is.
func (w *world) firstPull() githubtest.Pull {
	w.Helper()
	pulls := w.github.Pulls(repo)
	if len(pulls) != 1 {
		w.Fatalf("%d pull requests, want 1", len(pulls))
	}
	return pulls[0]
}

// done checks what holds at the end of everything: the fakes understood every
// call, each was made by the request's own narrowed session, changes by the
// acting role alone, and who stays is as before.
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
		case call.SourceIdentity != "octocat" || call.SessionPolicy == "":
			w.Errorf("%s with source identity %q and session policy %q", call.Name(), call.SourceIdentity, call.SessionPolicy)
		case changes(call) != (call.RoleARN == actRole):
			w.Errorf("%s with the role %s", call.Name(), call.RoleARN)
		case call.RoleARN == actRole && (tags["request"] != request || tags["operation"] != "remove-user" || tags["requested-by"] != "octocat"):
			w.Errorf("%s with the tags %v", call.Name(), tags)
		}
	}
	for _, other := range w.others {
		w.same(other)
	}
}

// same checks that a user is in every detail as it was.
func (w *world) same(was awstest.IAMUser) {
	w.Helper()
	now, _ := w.iam.User(was.Name)
	if diff := diffUsers(was, now); diff != "" {
		w.Errorf("%s has changed (-was +is):\n%s", was.Name, diff)
	}
}

// changes tells whether a call is a write.
func changes(c awstest.Call) bool {
	for _, read := range []string{"Get", "List", "Lookup", "Describe"} {
		if strings.HasPrefix(c.Action, read) {
			return false
		}
	}
	return c.Service != "sts"
}

// writes are the writes in the ledger that went well, in order.
func (w *world) writes() []string {
	var list []string
	for _, c := range w.aws.Calls() {
		if changes(c) && c.Allowed && c.ErrorCode == "" {
			list = append(list, c.Name())
		}
	}
	return list
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
	if strings.Contains(said.Words(), w.token) || strings.Contains(said.Words(), w.aws.SecretAccessKey) {
		w.Errorf("the words hold a secret: %s", said.Words())
	}
}

// truth is a report's outcomes as lines, those first that were asked for.
func truth(r ops.Report) []string {
	lines := slices.Clone(r.Problems)
	for _, s := range r.Sections {
		for _, o := range s.Outcomes {
			line := s.Title + ": " + o.Text
			if o.State != "" {
				line += " (" + string(o.State) + ")"
			}
			lines = append(lines, line)
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
