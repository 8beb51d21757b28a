// Package deleteaccount closes an AWS account: it disables the account first,
// by moving it to where a policy denies everything, which can be taken back;
// then, after a time of grace, it closes it, and follows that until it is done.
//
// A closed account can be had back for 90 days, and through AWS's support only.
// So the plan holds all that somebody must know who agrees to it, and what can't
// be read from outside is stated by whoever asks. An account is told by its ID;
// its name is typed in full by who asks and by who approves.
package deleteaccount

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

//go:embed look.json
var lookPolicy string

//go:embed act.json
var actPolicy string

// globalRegion is where the calls of global services are signed for.
const globalRegion = "us-east-1"

type operation struct {
	settings Settings
	aws      *awsaccess.Broker
	github   *github.Client
	found    accounts
}

// Operation returns the card. The settings must have passed Check. The broker
// and the client may be nil where only the card is read.
func (s *Settings) Operation(broker *awsaccess.Broker, client *github.Client, _ string) ops.Operation {
	o := &operation{settings: *s, aws: broker, github: client}
	return ops.Operation{
		Name:    s.Name(),
		Command: "/aws-delete-account",
		Doc: "Delete an AWS account\n" +
			"Disables an account, which can be taken back, and after a time of grace closes it, which can't but through AWS's support, for 90 days.",
		Usage: []ops.Usage{{Form: "/aws-delete-account", For: "ask for an account to be closed, in a form"}},
		Form: []ops.Field{
			{Name: "account", Label: "Account", Hint: "Type a part of its name, ID or e-mail address.", Search: o.search, Check: checkID},
			{Name: "name", Label: "The account's name, in full", Hint: "Exactly as AWS has it: case and spaces count.", Retype: true},
			{Name: "reason", Label: "Reason", Long: true},
			{Name: "agreement", Label: "The owner's agreement", Hint: "A link or a ticket."},
			{Name: "confirmed", Label: "What can't be seen from outside", Agree: []string{
				"Domains registered or hosted in it were moved",
				"Marketplace subscriptions in it were ended",
				"Nothing in it needs a backup any more",
			}},
		},
		Match:     o.match,
		Approval:  ops.Rule{Count: 2},
		Dangerous: true,
		Counts:    []string{closeAction},
		Access:    ops.Access{Look: lookPolicy, Act: actPolicy},
		Lock:      func(r ops.Request) string { return s.Name() + " " + targetOf(r) },
		Plan:      o.plan,
		Do: map[string]func(context.Context, ops.Run) error{
			"disable": persevere(o.disable),
			"grace":   o.grace,
			"close":   persevere(o.close),
			"follow":  persevere(o.follow),
			"archive": persevere(o.archive),
			"restore": persevere(o.restore),
		},
		Undo:      "restore",
		UndoLabel: "Restore",
	}
}

// closeAction is the call that counts against the quota.
const closeAction = "CloseAccount"

// perseverance is how long a step is tried again while something is out of reach.
const perseverance = 6 * time.Hour

// persevere makes a step go on trying while its trouble may pass. Each trouble
// has its own time: a step may wait for days before it meets one.
func persevere(step func(context.Context, ops.Run) error) func(context.Context, ops.Run) error {
	return func(ctx context.Context, run ops.Run) error {
		err := step(ctx, run)
		var since time.Time // of the trouble; zero: there is none
		if _, failed := run.Recall(ctx, "trouble", &since); failed != nil {
			return errors.Join(err, failed)
		}
		switch {
		case !ops.IsPassing(err) && since.IsZero():
			return err
		case !ops.IsPassing(err):
			return errors.Join(err, run.Remember(ctx, "trouble", time.Time{}))
		case since.IsZero():
			if err := run.Remember(ctx, "trouble", run.Now().UTC()); err != nil {
				return err
			}
		case run.Now().After(since.Add(perseverance)):
			return err
		}
		words := ops.Words(err, run.Request().ID)
		if err := run.Log(ctx, ops.Line{Key: "again " + words, Level: ops.Warning, Text: "This is tried again every two minutes: " + words}); err != nil {
			return err
		}
		return ops.Again(2 * time.Minute)
	}
}

func checkID(id string) error {
	if !accountID.MatchString(id) {
		return &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf("%q is not an account: choose one from the list.", id)}
	}
	return nil
}

// targetOf is the ID of the account that a request is about.
func targetOf(r ops.Request) string { return only(r, "account") }

func only(r ops.Request, field string) string {
	if len(r.Inputs[field]) == 0 {
		return ""
	}
	return r.Inputs[field][0]
}

// match finds what doesn't fit together in a form: the name that was typed and
// the account that was chosen. Where the account isn't known yet, the plan does.
func (o *operation) match(inputs ops.Inputs) map[string]string {
	r := ops.Request{Inputs: inputs}
	if name, ok := o.found.name(targetOf(r)); ok && name != only(r, "name") {
		return map[string]string{"name": fmt.Sprintf("That is not exactly the name of account %s. Case and spaces count.", targetOf(r))}
	}
	return nil
}

func (o *operation) looking(r ops.Request, target string) (aws.Config, error) {
	return o.aws.Session(awsaccess.Stage{Role: o.settings.LookRole, Region: globalRegion, Policy: lookPolicy, Values: map[string]string{"target": target}}, r)
}

func (o *operation) reader(r ops.Request) (*organizations.Client, error) {
	session, err := o.looking(r, targetOf(r))
	if err != nil {
		return nil, err
	}
	return organizations.NewFromConfig(session, patient), nil
}

// writer is a client that may do what the statements of the policy named by
// their Sid allow, to the one account.
func (o *operation) writer(r ops.Request, statements ...string) (*organizations.Client, error) {
	session, err := o.aws.Session(awsaccess.Stage{
		Role: o.settings.ActRole, Region: globalRegion, Policy: actPolicy, Only: statements, Tags: true,
		// What is protected is denied by the role's own policy; none of the statements here names it.
		Values: map[string]string{"target": targetOf(r), "protected": ""},
	}, r)
	if err != nil {
		return nil, err
	}
	return organizations.NewFromConfig(session, patient), nil
}

// patient makes a client try again what Organizations asks to be tried later:
// it throttles at a few calls a second.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
func patient(c *organizations.Options) {
	c.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = 10
		s.MaxBackoff = 5 * time.Second
		s.Retryables = append(s.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{"TooManyRequestsException": {}, "ConcurrentModificationException": {}}})
	})
}

func (o *operation) explainLook(err error) error { return awsaccess.Explain(err, o.settings.LookRole) }

func (o *operation) explainAct(err error) error { return awsaccess.Explain(err, o.settings.ActRole) }

// data is what a plan keeps for its steps.
type data struct {
	Account  Account `json:"account"`
	Disabled Unit    `json:"disabled,omitzero"`
	Closed   Unit    `json:"closed,omitzero"`
}

// place is where the account is meant to be when it is closed.
func (d *data) place() Unit {
	if d.Disabled.ID != "" {
		return d.Disabled
	}
	return d.Account.parent()
}

func kept(run ops.Run) (data, error) {
	var d data
	if err := json.Unmarshal(run.Plan().Data, &d); err != nil {
		return d, fmt.Errorf("decode the plan's data: %w", err)
	}
	return d, nil
}

func (o *operation) plan(ctx context.Context, r ops.Request, progress ops.Progress) (ops.Plan, error) {
	id := targetOf(r)
	if err := checkID(id); err != nil {
		return ops.Plan{}, err
	}
	client, err := o.reader(r)
	if err != nil {
		return ops.Plan{}, err
	}
	a, err := readAccount(ctx, client, id)
	switch {
	case err != nil:
		return ops.Plan{}, o.explainLook(err)
	case a == nil:
		return ops.Plan{}, invalid("There is no account %s in the organisation.", id)
	case a.Name != only(r, "name"):
		return ops.Plan{}, invalid("What was typed is not exactly the name of account %s. Case and spaces count.", id)
	}
	organization, err := client.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err != nil {
		return ops.Plan{}, o.explainLook(fmt.Errorf("read the organisation: %w", err))
	}
	if err := o.mayBe(r, a, aws.ToString(organization.Organization.MasterAccountId)); err != nil {
		return ops.Plan{}, err
	}
	d := data{Account: *a}
	for _, u := range []struct {
		id string
		to *Unit
	}{{o.settings.DisabledOU, &d.Disabled}, {o.settings.ClosedOU, &d.Closed}} {
		if u.id != "" {
			if *u.to, err = readUnit(ctx, client, u.id); err != nil {
				return ops.Plan{}, o.explainLook(err)
			}
		}
	}
	p := ops.Plan{Target: a.Name, Summary: o.summary(a), Steps: o.steps(r, d)}
	if p.Data, err = json.Marshal(d); err != nil {
		return ops.Plan{}, fmt.Errorf("encode the plan's data: %w", err)
	}
	if err := o.stillDefined(ctx, a); err != nil {
		return ops.Plan{}, err
	}
	if a.State == active {
		services, err := delegations(ctx, client, a.ID)
		if err != nil {
			return ops.Plan{}, o.explainLook(err)
		}
		if len(services) > 0 {
			return ops.Plan{}, refused("%s is a delegated administrator of %s. Deregister it first.", a, strings.Join(services, ", "))
		}
	}
	if r.Shown != nil {
		// A second look, in the course of the run: the evidence has been weighed.
		p.Facts, p.Warnings = r.Shown.Facts, r.Shown.Warnings
		return p, nil
	}
	p.Facts, p.Warnings, err = o.evidence(ctx, r, client, a, progress)
	return p, err
}

func invalid(format string, args ...any) error {
	return &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf(format, args...) + " Nothing was run."}
}

func refused(format string, args ...any) error {
	return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf(format, args...) + " Nothing was run."}
}

// The tags of an account that is being closed.
const (
	tagRequest = "closure-request" // the request's ID
	tagFrom    = "closure-from"    // the unit that it was in
)

// ours tells whether the account is in the middle of this very request.
func ours(r ops.Request, a *Account) bool { return a.Tags[tagRequest] == r.ID }

// mayBe returns nil if an account may be closed at all.
func (o *operation) mayBe(r ops.Request, a *Account, management string) error {
	s := o.settings.Protected
	switch {
	case a.ID == management:
		return refused("%s is the management account. It can't be closed while the organisation lives.", a)
	case slices.Contains(s.Accounts, a.ID):
		return refused("%s is protected by the bot's settings.", a)
	}
	for _, unit := range s.OUs {
		if a.in(unit) {
			return refused("%s is in the organizational unit %s, which is protected by the bot's settings.", a, unit)
		}
	}
	for key, value := range s.Tags {
		if got, ok := a.Tags[key]; ok && got == value {
			return refused("%s is protected by its tag %s=%s.", a, key, value)
		}
	}
	switch {
	case ours(r, a), a.State == active:
		return nil
	case o.settings.DisabledOU == "" && r.Shown != nil && (a.State == pending || a.gone()):
		// No tag tells that this request has closed it. There is nothing left but to follow it.
		return nil
	case a.State == pending:
		return refused("%s is being closed already.", a)
	case a.gone():
		return refused("%s is closed already; its state is %s.", a, a.State)
	}
	return refused("The state of %s is %s, so it isn't known whether it can be closed.", a, a.State)
}

func (o *operation) summary(a *Account) string {
	switch {
	case a.gone():
		return fmt.Sprintf("Account %s is closed.", a)
	case o.settings.Grace > 0:
		return fmt.Sprintf("Disable account %s now, and close it after %s.", a, span(o.settings.Grace))
	}
	return fmt.Sprintf("Close account %s.", a)
}

// steps are what would be done, with exact IDs, less what is done already. An
// effect reads the same whenever the plan is made: moved by somebody else, the
// account gives another one, which nobody was shown.
func (o *operation) steps(r ops.Request, d data) []ops.Step {
	a := d.Account
	var steps []ops.Step
	if d.Disabled.ID != "" {
		disable := ops.Step{Do: "disable", Title: "Disable " + a.Name}
		if !ours(r, &a) {
			disable.Effects = append(disable.Effects, fmt.Sprintf("Tag account %s with %s and %s", &a, tagRequest, tagFrom))
		}
		if a.Parent != d.Disabled.ID && a.State == active {
			disable.Effects = append(disable.Effects, fmt.Sprintf("Move account %s from %s to %s", &a, a.parent(), d.Disabled))
		}
		steps = append(steps, disable)
	}
	if o.settings.Grace > 0 {
		steps = append(steps, ops.Step{Do: "grace", Title: "Wait " + span(o.settings.Grace) + ", in which it can be put back"})
	}
	shut := ops.Step{Do: "close", Title: "Close " + a.Name}
	if a.State == active {
		shut.Effects = []string{fmt.Sprintf("Close account %s in %s, with everything in it; AWS's support can reinstate it for 90 days", &a, d.place())}
	}
	steps = append(steps, shut, ops.Step{Do: "follow", Title: "Follow it until it is closed"})
	archive := ops.Step{Do: "archive", Title: "Say until when it can be had back"}
	if d.Closed.ID != "" {
		archive.Title = "Move it to " + d.Closed.Name
		if a.Parent != d.Closed.ID || d.Disabled.ID != "" && a.State == active {
			archive.Effects = []string{fmt.Sprintf("Move account %s from %s to %s", &a, d.place(), d.Closed)}
		}
	}
	return append(steps, archive)
}

// span is a duration as people say it.
func span(d time.Duration) string {
	if days := int(d / (24 * time.Hour)); days > 0 && d%(24*time.Hour) == 0 {
		if days == 1 {
			return "1 day"
		}
		return fmt.Sprintf("%d days", days)
	}
	text := d.String() // "36h0m0s"
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, none) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// typed finds an error of AWS's by its type.
func typed[T error](err error) (T, bool) { return errors.AsType[T](err) }
