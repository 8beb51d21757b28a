// Package deleteaccount closes an AWS account. First it disables the account: it
// moves it to a unit where a policy denies everything, which a member can restore.
// After a time of grace it asks AWS to close the account, and follows that.
//
// Weeks may lie between an approval and the closing. So a plan carries its terms,
// the grace and what is protected among them, and is made anew in the middle of a
// run: it reads again whatever may stop it. The account bears the request's tag,
// and the run looks daily whether it is still disabled by that request. If people
// have lifted that, the run stops and says so.
//
// AWS's support can reinstate a closed account for 90 days. So the plan tells the
// approvers all that the bot can read; the requester states what it can't. An
// account is told by its ID; requester and approvers type its name in full.
package deleteaccount

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/step"
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
	files    githubaccess.Files // of the Terraform repository
}

// Operation returns the card. The settings must have passed Check. The broker
// and the client may be nil where only the card is read.
func (s *Settings) Operation(broker *awsaccess.Broker, client *github.Client, _ string) ops.Operation {
	o := &operation{settings: *s, aws: broker, github: client}
	return ops.Operation{
		Name:    s.Name(),
		Command: "/aws-delete-account",
		Doc: "Delete an AWS account\n" +
			"Disables an account, which Restore undoes, and closes it after a time of grace. AWS's support can reinstate a closed account for 90 days.",
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
			"disable": step.Retry(o.disable),
			"grace":   o.grace,
			"close":   step.Retry(o.close),
			"follow":  step.Retry(o.follow),
			"archive": told(step.Retry(o.archive), o.reportClosed),
			"restore": told(step.Retry(o.restore), o.reportRestored),
		},
		Undo:      "restore",
		UndoLabel: "Restore",
		UndoPlan:  o.undoPlan,
		Again:     "Disable again",
		Irreversible: func(c ops.Call) bool {
			return !slices.Contains([]string{"TagResource", "UntagResource", "MoveAccount"}, c.Action)
		},
	}
}

// closeAction is the call that counts against the quota.
const closeAction = "CloseAccount"

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
		Role: o.settings.ActRole, Region: globalRegion, Policy: actPolicy, Only: statements, Acts: true,
		// The role's own policy denies changes of protected accounts; none of the statements here names them.
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
func patient(c *organizations.Options) { c.Retryer = awsaccess.Retryer(10) }

func (o *operation) explainLook(err error, named ...awsaccess.Named) error {
	return awsaccess.Explain(err, o.settings.LookRole, named...)
}

func (o *operation) explainAct(err error) error { return awsaccess.Explain(err, o.settings.ActRole) }

// data is what a plan keeps for its steps.
type data struct {
	Account  Account  `json:"account"`
	Origin   []Unit   `json:"origin,omitempty"` // from the root down to where it was before this request moved it
	Mark     string   `json:"mark,omitempty"`   // the tag of a request that it had when the plan was shown
	Disabled Unit     `json:"disabled,omitzero"`
	Closed   Unit     `json:"closed,omitzero"`
	Before   []string `json:"before,omitempty"` // IDs of the policies that applied to the account already
	Left     *usable  `json:"left,omitempty"`   // what the approvers were told that stays usable in Disabled; nil: that isn't known

	// What the approval is about, and steps go by.
	Grace     time.Duration `json:"grace,omitempty"`
	QuotaWait time.Duration `json:"quota_wait,omitempty"`
}

// place is where the account is meant to be when it is closed.
func (d *data) place() Unit {
	if d.Disabled.ID != "" {
		return d.Disabled
	}
	return d.Account.parent()
}

func kept(run ops.Run) (data, error) { return decode(run.Plan()) }

func decode(p ops.Plan) (data, error) {
	var d data
	if err := json.Unmarshal(p.Data, &d); err != nil {
		return d, fmt.Errorf("decode the plan's data: %w", err)
	}
	return d, nil
}

func invalid(format string, args ...any) error {
	return &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf(format, args...)}
}

func refused(format string, args ...any) error {
	return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf(format, args...)}
}

// moment is a time as people read it.
func moment(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") }

// typed finds an error of AWS's by its type.
func typed[T error](err error) (T, bool) { return errors.AsType[T](err) }
