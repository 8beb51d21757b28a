// Package removeuser takes an IAM user's power away at once and removes the
// user after a time of grace: by a pull request where Terraform owns the users,
// through the API where it doesn't.
//
// Credential power goes first, so that a failure half-way leaves less access
// and never more: deny-all is attached before anything else, because a user
// whose key was taken could make another one. Until the removal everything can
// be put back exactly, and the removal goes on only while the quarantine stands as
// this request made it. A user is told by the full address and, once that is
// known, by the unique ID; never by a part of a name.
package removeuser

import (
	"cmp"
	"context"
	_ "embed"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
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
	files    githubaccess.Files          // of the users' repository
	trail    map[string]*awsaccess.Limit // by Region
}

// Operation returns the card. The settings must have passed Check. The broker
// and the client may be nil where only the card is read.
func (s *Settings) Operation(broker *awsaccess.Broker, client *github.Client, _ string) ops.Operation {
	o := &operation{settings: *s, aws: broker, github: client, trail: map[string]*awsaccess.Limit{}}
	for _, region := range s.Regions {
		o.trail[region] = &awsaccess.Limit{PerSecond: 2}
	}
	return ops.Operation{
		Name:    s.Name(),
		Command: "/aws-remove-user",
		Doc: "Remove an AWS user\n" +
			"Takes an IAM user's access away at once, and removes the user after a time of grace in which everything can be put back.",
		Usage: []ops.Usage{{Form: "/aws-remove-user [e-mail address…]", For: "ask for the removal of one or more users, in a form"}},
		Form: []ops.Field{
			{Name: "emails", Label: "E-mail addresses", Hint: "One or more, in full, as the users are named.", List: true, Read: readAddresses, Check: s.checkAddress},
			{Name: "reason", Label: "Reason", Long: true},
			{Name: "ticket", Label: "Ticket", Hint: "A link or a number.", Optional: true},
			{Name: "confirmed", Label: "Other teams", Agree: []string{"I have checked that they don't need AWS in another team"}},
		},
		Approval: ops.Rule{Count: 1},
		Access:   ops.Access{Look: lookPolicy, Act: actPolicy},
		Split:    "emails",
		Lock:     func(r ops.Request) string { return s.Name() + " " + strings.ToLower(userOf(r)) },
		Plan:     o.plan,
		Do: map[string]func(context.Context, ops.Run) error{
			"quarantine": step.Retry(spelling(o.quarantine)),
			"grace":      step.Retry(spelling(o.grace)),
			"propose":    step.Retry(spelling(o.propose)),
			"merge":      step.Retry(spelling(o.merge)),
			"empty":      step.Retry(spelling(o.empty)),
			"delete":     step.Retry(spelling(o.delete)),
			"check":      step.Retry(spelling(o.check)),
			"restore":    step.Retry(spelling(o.restore)),
		},
		Undo:         "restore",
		UndoLabel:    "Restore",
		UndoPlan:     o.undoPlan,
		Again:        "Quarantine again",
		Irreversible: irreversible,
		Subject:      userOf,
	}
}

// userOf is the one user that a request is about, as the request was typed; in the
// middle of a plan and in a step, as the service has the name.
func userOf(r ops.Request) string {
	if len(r.Inputs["emails"]) == 0 {
		return ""
	}
	return r.Inputs["emails"][0]
}

// irreversible tells of each call of this operation whether Restore can't take it
// back. DeleteUserPermissionsBoundary can't be, where the removal makes that call.
func irreversible(c ops.Call) bool {
	switch c.Action {
	case "AttachUserPolicy", "PutUserPermissionsBoundary", "TagUser", "UntagUser", "UpdateAccessKey":
		return false
	case "DetachUserPolicy":
		return !slices.Contains(strings.Split(c.Target, ", "), "PolicyArn="+denyAll)
	}
	return true
}

// looking is the configuration for reads about one user.
func (o *operation) looking(r ops.Request, user, region string) (aws.Config, error) {
	return o.aws.Session(awsaccess.Stage{
		Role: o.settings.LookRole, Region: region, Policy: lookPolicy, Only: []string{"InspectTheUser", "SeeWhatTheyUsed"},
		Values: map[string]string{"user": user},
	}, r)
}

func (o *operation) reader(r ops.Request) (*iam.Client, error) {
	session, err := o.looking(r, userOf(r), globalRegion)
	if err != nil {
		return nil, err
	}
	return iam.NewFromConfig(session, patient), nil
}

// writer is a client that may do what the statements of the policy named by
// their Sid allow, to the one user. Of permissions boundaries it may set deny-all
// and the one given; empty: no other.
func (o *operation) writer(r ops.Request, boundary string, statements ...string) (*iam.Client, error) {
	session, err := o.aws.Session(awsaccess.Stage{
		Role: o.settings.ActRole, Region: globalRegion, Policy: actPolicy, Only: statements, Acts: true,
		Values: map[string]string{"user": userOf(r), "boundary": cmp.Or(boundary, denyAll)},
	}, r)
	if err != nil {
		return nil, err
	}
	return iam.NewFromConfig(session, patient), nil
}

// elsewhere is a client that may take the one user out of one group, and delete one
// virtual MFA device: neither is a part of the user, and the role may do so to all.
func (o *operation) elsewhere(r ops.Request, group, serial string) (*iam.Client, error) {
	open := map[string][]string{"group/*": nil, "mfa/*": nil}
	if group != "" {
		open["group/*"] = []string{"group/" + group, "group/*/" + group}
	}
	if _, device, ok := strings.Cut(serial, ":mfa/"); ok {
		open["mfa/*"] = []string{"mfa/" + device}
	}
	session, err := o.aws.Session(awsaccess.Stage{
		Role: o.settings.ActRole, Region: globalRegion, Policy: actPolicy, Only: []string{"DeleteElsewhere"}, Acts: true,
		Values: map[string]string{"user": userOf(r), "boundary": denyAll}, Narrow: open,
	}, r)
	if err != nil {
		return nil, err
	}
	return iam.NewFromConfig(session, patient), nil
}

// patient makes a client try again what IAM asks to be tried later: it is
// eventually consistent and locks users while it changes them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
func patient(c *iam.Options) { c.Retryer = awsaccess.Retryer(8) }
