// Package removeuser takes an IAM user's power away at once and removes the
// user after a time of grace: by a pull request where Terraform owns the users,
// through the API where it doesn't.
//
// Credential power goes first, so that a failure half-way leaves less access
// and never more: deny-all is attached before anything else, because a user
// whose key was taken could make another one. Until the removal everything can
// be put back exactly. A user is told by the full address, never by a part of it.
package removeuser

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
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
			{Name: "emails", Label: "E-mail addresses", Hint: "One or more, in full, as the users are named.", List: true, Check: s.checkAddress},
			{Name: "reason", Label: "Reason", Long: true},
			{Name: "ticket", Label: "Ticket", Hint: "A link or a number.", Optional: true},
			{Name: "confirmed", Label: "Other teams", Agree: []string{"I have checked that they don't need AWS in another team"}},
		},
		Approval: ops.Rule{Count: 1},
		Access:   ops.Access{Look: lookPolicy, Act: actPolicy},
		Split:    "emails",
		Lock:     func(r ops.Request) string { return s.Name() + " " + userOf(r) },
		Plan:     o.plan,
		Do: map[string]func(context.Context, ops.Run) error{
			"quarantine": step.Retry(o.quarantine),
			"grace":      step.Retry(o.grace),
			"propose":    step.Retry(o.propose),
			"merge":      step.Retry(o.merge),
			"delete":     step.Retry(o.delete),
			"check":      step.Retry(o.check),
			"restore":    step.Retry(o.restore),
		},
		Undo:      "restore",
		UndoLabel: "Restore",
	}
}

// userOf is the one user that a request is about.
func userOf(r ops.Request) string {
	if len(r.Inputs["emails"]) == 0 {
		return ""
	}
	return r.Inputs["emails"][0]
}

// looking is the configuration for reads about one user.
func (o *operation) looking(r ops.Request, user, region string) (aws.Config, error) {
	return o.aws.Session(awsaccess.Stage{Role: o.settings.LookRole, Region: region, Policy: lookPolicy, Values: map[string]string{"user": user}}, r)
}

func (o *operation) reader(r ops.Request) (*iam.Client, error) {
	session, err := o.looking(r, userOf(r), globalRegion)
	if err != nil {
		return nil, err
	}
	return iam.NewFromConfig(session, patient), nil
}

// writer is a client that may do what the statements of the policy named by
// their Sid allow, to the one user.
func (o *operation) writer(r ops.Request, statements ...string) (*iam.Client, error) {
	session, err := o.aws.Session(awsaccess.Stage{
		Role: o.settings.ActRole, Region: globalRegion, Policy: actPolicy, Only: statements, Tags: true,
		Values: map[string]string{"user": userOf(r)},
	}, r)
	if err != nil {
		return nil, err
	}
	return iam.NewFromConfig(session, patient), nil
}

// patient makes a client try again what IAM asks to be tried later: it is
// eventually consistent and locks users while it changes them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html
func patient(c *iam.Options) {
	c.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
		s.MaxAttempts = 8
		s.MaxBackoff = 5 * time.Second
		s.Retryables = append(s.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{
			"ConcurrentModification": {}, "ConcurrentModificationException": {}, "EntityTemporarilyUnmodifiable": {}, "Throttling": {},
		}})
	})
}

// data is what a plan keeps for its steps, and for whoever makes a like user.
type data struct {
	User  *User  `json:"user,omitempty"` // nil: not in IAM
	Roles []Role `json:"roles,omitempty"`
}

func kept(run ops.Run) (data, error) {
	var d data
	if err := json.Unmarshal(run.Plan().Data, &d); err != nil {
		return d, fmt.Errorf("decode the plan's data: %w", err)
	}
	return d, nil
}

// is refuses another user than the one that was shown: the same name made anew
// is another principal. An empty ID is nobody, who can't be harmed.
func (d data) is(name, id string) error {
	if d.User == nil || id == "" || d.User.ID == id {
		return nil
	}
	return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("The IAM user %s is another one now: %s was to be removed, and %s is there. Nothing more was done.", name, d.User.ID, id)}
}

func (o *operation) plan(ctx context.Context, r ops.Request, progress ops.Progress) (ops.Plan, error) {
	name := userOf(r)
	if err := o.settings.checkAddress(name); err != nil {
		return ops.Plan{}, &ops.Error{Kind: ops.Invalid, What: err.Error()}
	}
	if pattern := o.settings.protectedBy(name); pattern != "" {
		return ops.Plan{}, &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("%s is protected by the pattern %q in the bot's settings. Nothing was run.", name, pattern)}
	}
	client, err := o.reader(r)
	if err != nil {
		return ops.Plan{}, err
	}
	user, err := readUser(ctx, client, name)
	if err != nil {
		return ops.Plan{}, awsaccess.Explain(err, o.settings.LookRole)
	}
	defined := false
	if o.settings.Users == byTerraform {
		edit, err := o.readRepository(ctx, name)
		if err != nil {
			return ops.Plan{}, err
		}
		defined = edit.found()
	}
	if user == nil && !defined {
		return ops.Plan{Target: name, Summary: fmt.Sprintf("There is no IAM user %s: nothing to remove.", name)}, nil
	}
	if user != nil {
		if err := readUses(ctx, client, user); err != nil {
			return ops.Plan{}, awsaccess.Explain(err, o.settings.LookRole)
		}
		for key, value := range o.settings.ProtectedTags {
			if got, ok := user.Tags[key]; ok && got == value {
				return ops.Plan{}, &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("%s is protected by its tag %s=%s. Nothing was run.", name, key, value)}
			}
		}
	}
	p := ops.Plan{Target: name, Summary: o.summary(name, user)}
	p.Steps = o.steps(name, user, defined)
	var roles []Role
	if r.Shown != nil {
		// A second look, right before the run: the evidence has been weighed.
		p.Facts, p.Warnings = r.Shown.Facts, r.Shown.Warnings
		var before data
		if json.Unmarshal(r.Shown.Data, &before) == nil {
			roles = before.Roles
		}
	} else if user != nil {
		var unknown []string
		roles, unknown = o.readTrail(ctx, r, name, time.Now(), progress)
		p.Facts, p.Warnings = o.evidence(user, roles, unknown)
	}
	if was, ok := earlier(user); ok && r.Shown == nil {
		p.Warnings = append(p.Warnings, fmt.Sprintf("It is in quarantine since %s UTC, by request %s; the time of grace counts from then.", was.At.Format("2 Jan 15:04"), user.Tags[tagRequest]))
	}
	if r.Shown == nil && user != nil && !defined && o.settings.Users == byTerraform {
		p.Warnings = append(p.Warnings, fmt.Sprintf("%s is in IAM but not in %s: it isn't Terraform's, so no pull request can remove it. It will only be quarantined.", name, o.settings.Repository))
	}
	p.Data, err = json.Marshal(data{User: user, Roles: roles})
	if err != nil {
		return ops.Plan{}, fmt.Errorf("encode the plan's data: %w", err)
	}
	return p, nil
}

func (o *operation) summary(name string, user *User) string {
	if user == nil {
		return fmt.Sprintf("%s is no longer in IAM, but still defined in %s.", name, o.settings.Repository)
	}
	if o.settings.Grace > 0 {
		return fmt.Sprintf("Take all access from IAM user %s (%s) now, and remove the user after %s.", name, user.ID, span(o.settings.Grace))
	}
	return fmt.Sprintf("Take all access from IAM user %s (%s) now, and remove the user.", name, user.ID)
}

// steps are what would be done, with exact IDs, less what is done already. An
// effect reads the same before and after the quarantine, for the plan is made
// again when the grace has passed.
func (o *operation) steps(name string, u *User, defined bool) []ops.Step {
	var steps []ops.Step
	if u != nil {
		quarantine := ops.Step{Do: "quarantine", Title: "Quarantine " + name}
		if !slices.Contains(u.Attached, denyAll) {
			quarantine.Effects = append(quarantine.Effects, fmt.Sprintf("Attach %s to IAM user %s (%s)", denyAll, name, u.ID))
		}
		for _, k := range u.Keys {
			if k.Active {
				quarantine.Effects = append(quarantine.Effects, "Deactivate access key "+k.ID)
			}
		}
		if u.Tags[tagRequest] == "" {
			quarantine.Effects = append(quarantine.Effects, fmt.Sprintf("Tag IAM user %s with %s", name, strings.Join(ourTags, ", ")))
		}
		steps = append(steps, quarantine)
		if o.settings.Grace > 0 {
			steps = append(steps, ops.Step{Do: "grace", Title: "Wait " + span(o.settings.Grace) + ", in which everything can be put back"})
		}
	}
	switch {
	case o.settings.Users == byIAM && u != nil:
		steps = append(steps, ops.Step{Do: "delete", Title: "Delete " + name, Effects: deletions(u)})
	case o.settings.Users == byTerraform && defined:
		propose := ops.Step{Do: "propose", Title: "Open a pull request", Effects: []string{
			fmt.Sprintf("Open a pull request to %s (%s) that removes %s from %s and %s", o.settings.Repository, o.settings.Branch, name, o.settings.UsersFile, o.settings.MembersFile),
		}}
		merge := ops.Step{Do: "merge", Title: "Once it is merged, let Terraform remove the user"}
		if u != nil {
			merge.Effects = deletions(u)
		}
		steps = append(steps, propose, merge)
	}
	return append(steps, ops.Step{Do: "check", Title: "Look whether " + name + " is gone"})
}

// deletions are the effects of deleting a user, in the order in which it is done.
func deletions(u *User) []string {
	var effects []string
	for _, r := range strip(u) {
		effects = append(effects, r.effect)
	}
	return append(effects, fmt.Sprintf("Delete IAM user %s (%s)", u.Name, u.ID))
}

// evidence is what an approver should know.
func (o *operation) evidence(u *User, roles []Role, unknown []string) ([]ops.Fact, []string) {
	var facts []ops.Fact
	add := func(label string, values ...string) {
		if len(values) == 0 {
			values = []string{"none"}
		}
		facts = append(facts, ops.Fact{Label: label, Value: strings.Join(values, "; ")})
	}
	password := "none"
	if u.Login {
		password = "last used " + day(u.PasswordUsed)
	}
	add("IAM user", u.ARN+", created "+day(u.Created))
	add("Password", password)
	var keys, credentials, tags []string
	for _, k := range u.Keys {
		text := k.ID + ", inactive"
		if k.Active {
			text = k.ID + ", active"
		}
		text += ", made " + day(k.Created) + ", last used " + day(k.Used)
		if k.Service != "" && k.Service != "N/A" {
			text += " for " + k.Service + " in " + k.Region
		}
		keys = append(keys, text)
	}
	for _, c := range u.Credentials {
		credentials = append(credentials, c.ID+" for "+c.Service)
	}
	for _, key := range slices.Sorted(maps.Keys(u.Tags)) {
		tags = append(tags, key+"="+u.Tags[key])
	}
	add("Access keys", keys...)
	add("MFA devices", u.MFA...)
	add("Groups", u.Groups...)
	add("Inline policies", u.Inline...)
	add("Attached policies", u.Attached...)
	if u.Boundary != "" {
		add("Permissions boundary", u.Boundary)
	}
	add("SSH public keys", u.SSHKeys...)
	add("Signing certificates", u.Certificates...)
	add("Service-specific credentials", credentials...)
	add("Tags", tags...)
	var warnings, assumed []string
	for i, role := range roles {
		text := fmt.Sprintf("%s, %s, last %s", role.name(), times(role.Times), day(role.Last))
		assumed = append(assumed, text)
		if i == 0 {
			warnings = append(warnings, "They last used role "+role.name()+" "+ago(time.Since(role.Last))+". Does that team know?")
		}
	}
	if len(roles) == 0 && len(unknown) > 0 {
		assumed = []string{"not known"}
	}
	add(fmt.Sprintf("Roles assumed in %d days", trailDays), assumed...)
	unknown = append(unknown, "Which roles in other accounts trust this user: no AWS API lists them. CloudTrail shows what was used, not what may be used.")
	add("Not checked", unknown...)
	return facts, warnings
}
