package opstest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// Settings are what an installer writes under operations.count-accounts in rootbot.yaml.
type Settings struct {
	LookRole string `yaml:"look_role"` // ARN, in the management account
}

// Defaults returns the settings that hold where the installer sets nothing.
func Defaults() *Settings { return &Settings{} }

// Name is the operation's key in the settings.
func (*Settings) Name() string { return "count-accounts" }

// Check finds what can't work, all of it.
func (s *Settings) Check() []ops.Fault {
	if fault := awsaccess.RoleFault(s.LookRole); fault != "" {
		return []ops.Fault{{Key: "look_role", Problem: fault}}
	}
	return nil
}

// lookPolicy is all that the operation may do. It stands in a file look.json beside the
// code, embedded: the same text becomes a policy of manifests/iam.
const lookPolicy = `{
  "Version": "2012-10-17",
  "Statement": [
    {"Sid": "ListTheAccounts", "Effect": "Allow", "Action": "organizations:ListAccounts", "Resource": "*"}
  ]
}`

type operation struct {
	settings Settings
	aws      *awsaccess.Broker
}

// Operation returns the card. The broker may be nil where only the card is read.
func (s *Settings) Operation(broker *awsaccess.Broker, _ *github.Client, _ string) ops.Operation {
	o := &operation{settings: *s, aws: broker}
	return ops.Operation{
		Name:    s.Name(),
		Command: "/aws-count-accounts",
		Doc: "Count AWS accounts\n" +
			"Says how many accounts the organisation has, and in which state they are.",
		Usage:  []ops.Usage{{Form: "/aws-count-accounts", For: "count the accounts"}},
		Access: ops.Access{Look: lookPolicy},
		Plan:   o.plan,
		Do:     map[string]func(context.Context, ops.Run) error{"count": o.count},
	}
}

// plan has one step without effects: nothing changes, so it needs no approval.
func (o *operation) plan(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
	return ops.Plan{
		Summary: "Count the organisation's accounts.",
		Steps:   []ops.Step{{Do: "count", Title: "List the accounts"}},
	}, nil
}

// count may run twice, because a process may die: it only reads, so that does no harm.
func (o *operation) count(ctx context.Context, run ops.Run) error {
	session, err := o.aws.Session(awsaccess.Stage{Role: o.settings.LookRole, Region: "us-east-1", Policy: lookPolicy}, run.Request())
	if err != nil {
		return err
	}
	all, byState := 0, map[string]int{}
	pages := organizations.NewListAccountsPaginator(organizations.NewFromConfig(session), nil)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return awsaccess.Explain(err, o.settings.LookRole)
		}
		for _, account := range page.Accounts {
			all++
			byState[string(account.State)]++
		}
	}
	var outcomes []ops.Outcome
	for state, n := range byState {
		outcomes = append(outcomes, ops.Outcome{Text: fmt.Sprintf("%s: %d", state, n)})
	}
	slices.SortFunc(outcomes, func(a, b ops.Outcome) int { return strings.Compare(a.Text, b.Text) })
	return run.Report(ctx, ops.Report{
		Summary:  fmt.Sprintf("The organisation has %d accounts.", all),
		Sections: []ops.Section{{Title: "By state", Outcomes: outcomes}},
	})
}

// A whole operation that only reads, and how it is tried against an AWS in memory. In
// the repository it is a folder below ops and a line in ops/catalog.
func Example_operation() {
	const role = "arn:aws:iam::111111111111:role/rootbot-count-accounts-look"
	cloud := awstest.New(awstest.Options{PageSize: 2}) // small pages show whether the paginator is used
	defer cloud.Close()
	organization := cloud.Organization() // which has its management account
	organization.AddAccount("222222222222", "ponds", "aws-root+ponds@example.org")
	organization.AddAccount("333333333333", "lakes", "aws-root+lakes@example.org")
	organization.AddAccount("444444444444", "puddles", "aws-root+puddles@example.org", func(a *awstest.OrgAccount) { a.State = "CLOSED" })
	trust := strings.ReplaceAll(awsaccess.Trust, "${bot_role}", "arn:aws:iam::111111111111:role/rootbot")
	cloud.AddRole(awstest.Role{ARN: role, Trust: trust, Policy: lookPolicy})

	settings := Defaults()
	settings.LookRole = role
	broker := awsaccess.New(aws.Config{
		BaseEndpoint: aws.String(cloud.URL()),
		Credentials:  credentials.NewStaticCredentialsProvider(cloud.AccessKeyID, cloud.SecretAccessKey, ""),
	})
	walk := &opstest.Walk{
		Operation: func() ops.Operation { return settings.Operation(broker, nil, "") },
		Request:   ops.Request{ID: "0199a3c2-7d51-7c0a-9f3e-5b6f1d2c3e4f", Operation: settings.Name(), By: "octocat"},
	}
	err := walk.Run(context.Background())
	report, _ := walk.Report()
	fmt.Println("plan:  ", walk.Plan().Summary)
	fmt.Println("result:", report.Summary, err)
	for _, outcome := range report.Sections[0].Outcomes {
		fmt.Println("       ", outcome.Text)
	}

	// The ledger tells who called what; the fake tells what it finds fault with.
	for _, call := range cloud.Calls() {
		if call.SourceIdentity == "" {
			fmt.Println("call:  ", call.Name(), call.Allowed)
			continue
		}
		fmt.Printf("call:   %s %v, in the name of %s\n", call.Name(), call.Allowed, call.SourceIdentity)
	}
	fmt.Println("faults:", cloud.Problems())

	// Without the permission, the error says which one is missing, and to whom.
	cloud.AddRole(awstest.Role{ARN: role, Trust: trust})
	walk = &opstest.Walk{Operation: walk.Operation, Request: walk.Request}
	fmt.Println("denied:", ops.Words(walk.Run(context.Background()), walk.Request.ID))
	// Output:
	// plan:   Count the organisation's accounts.
	// result: The organisation has 4 accounts. <nil>
	//         ACTIVE: 3
	//         CLOSED: 1
	// call:   sts:AssumeRole true
	// call:   organizations:ListAccounts true, in the name of octocat
	// call:   organizations:ListAccounts true, in the name of octocat
	// faults: []
	// denied: AWS refused organizations:ListAccounts to the role arn:aws:iam::111111111111:role/rootbot-count-accounts-look. No identity-based policy allows it. The role's policy must allow it; manifests/iam has the policy. The role must also be one of the organisation's management account: AWS Organizations refuses others in the same words.
}
