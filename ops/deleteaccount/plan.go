package deleteaccount

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// plan says what would be done to the account as it is now. In the middle of a
// run it reads everything that may stop it once more, and takes over what was
// only for people to weigh. What this request has done by then neither refuses
// the plan nor gives it an effect that wasn't shown.
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
	if err != nil {
		return ops.Plan{}, o.explainLook(err)
	}
	if err := meant(r, a); err != nil {
		return ops.Plan{}, err
	}
	d, err := o.facts(ctx, r, client, a)
	if err != nil {
		return ops.Plan{}, err
	}
	defined, err := o.mayBe(ctx, r, client, d)
	if err != nil {
		return ops.Plan{}, err
	}
	p := ops.Plan{Target: a.Name, Summary: o.summary(r, d), Steps: o.steps(r, d), Terms: o.terms(d)}
	if r.Shown != nil {
		p.Facts, p.Warnings = r.Shown.Facts, r.Shown.Warnings
	} else {
		if p.Facts, p.Warnings, err = o.evidence(ctx, r, client, &d, progress); err != nil {
			return ops.Plan{}, err
		}
		facts, warnings := defined.tell()
		p.Facts, p.Warnings = append(p.Facts, facts...), append(p.Warnings, warnings...)
	}
	if p.Data, err = json.Marshal(d); err != nil {
		return ops.Plan{}, fmt.Errorf("encode the plan's data: %w", err)
	}
	return p, nil
}

// meant tells whether the account is the one that the requester named.
func meant(r ops.Request, a *Account) error {
	typed := only(r, "name")
	switch {
	case a == nil && r.Shown != nil:
		return gone(&Account{ID: targetOf(r), Name: typed})
	case a == nil:
		return invalid("There is no account %s in the organisation.", targetOf(r))
	case a.Name == typed:
		return nil
	case r.Shown != nil:
		return &ops.Error{
			Kind: ops.Refused, What: fmt.Sprintf("Account %s was called %s when this was asked for. It is called %s now.", a.ID, typed, a.Name),
			Next: "If it is still to be closed, ask for it by its new name.",
		}
	}
	return invalid("What was typed is not exactly the name of account %s. Case and spaces count.", a.ID)
}

// facts is what a plan has for its steps.
func (o *operation) facts(ctx context.Context, r ops.Request, client *organizations.Client, a *Account) (data, error) {
	d := data{Account: *a, Origin: a.Path, Mark: a.Tags[tagRequest], Grace: o.settings.Grace, QuotaWait: quotaDays}
	for _, u := range []struct {
		key, id string
		to      *Unit
	}{{"disabled_ou", o.settings.DisabledOU, &d.Disabled}, {"closed_ou", o.settings.ClosedOU, &d.Closed}} {
		if u.id == "" {
			continue
		}
		var err error
		if *u.to, err = readUnit(ctx, client, u.id); err != nil {
			return d, o.explainLook(err, awsaccess.Named{What: "an organizational unit " + u.id, Setting: "operations." + o.settings.Name() + "." + u.key})
		}
	}
	if r.Shown == nil || len(r.Shown.Data) == 0 {
		return d, nil
	}
	shown, err := decode(*r.Shown)
	if err != nil {
		return d, err
	}
	if (d.shelved() || shown.Disabled.ID == a.Parent || shown.Closed.ID == a.Parent) && len(shown.Origin) > 0 {
		d.Origin = shown.Origin
	}
	d.Mark = shown.Mark
	if shown.Disabled.ID == d.Disabled.ID {
		d.Left, d.Before = shown.Left, shown.Before
	}
	return d, nil
}

// shelved tells whether the account is in one of the units that a run moves it to.
func (d *data) shelved() bool {
	return d.Account.Parent == d.Disabled.ID || d.Account.Parent == d.Closed.ID
}

// home is the unit that the account was in before this request moved it.
func (d *data) home() Unit { return d.Origin[len(d.Origin)-1] }

// The tags of an account that is being closed.
const (
	tagRequest = "closure-request" // the request's ID
	tagFrom    = "closure-from"    // the unit that it was in
)

// ours tells whether the account is in the middle of this very request.
func ours(r ops.Request, a *Account) bool { return a.Tags[tagRequest] == r.ID }

// mayBe refuses an account that may not be closed at all, and says how far it could be
// seen that Terraform doesn't define it.
func (o *operation) mayBe(ctx context.Context, r ops.Request, client *organizations.Client, d data) (inTerraform, error) {
	a := &d.Account
	organization, err := client.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	if err != nil {
		return inTerraform{}, o.explainLook(fmt.Errorf("read the organisation: %w", err))
	}
	if a.ID == aws.ToString(organization.Organization.MasterAccountId) {
		return inTerraform{}, refused("%s is the management account. It can't be closed while the organisation lives.", a)
	}
	if err := o.protected(ctx, client, d); err != nil {
		return inTerraform{}, err
	}
	if err := o.mayBeIn(r, d); err != nil {
		return inTerraform{}, err
	}
	defined, err := o.stillDefined(ctx, r, a)
	if err != nil || a.State != active {
		return defined, err
	}
	services, err := delegations(ctx, client, a.ID)
	if err != nil {
		return inTerraform{}, o.explainLook(err)
	}
	if len(services) > 0 {
		return inTerraform{}, refused("%s is a delegated administrator of %s. Deregister it first.", a, strings.Join(services, ", "))
	}
	return defined, nil
}

// protected refuses an account that the bot's settings protect.
func (o *operation) protected(ctx context.Context, client *organizations.Client, d data) error {
	s, a := o.settings.Protected, &d.Account
	if slices.Contains(s.Accounts, a.ID) {
		return refused("%s is protected by the bot's settings.", a)
	}
	for _, key := range slices.Sorted(maps.Keys(s.Tags)) {
		if tag, is := a.tagged(key, s.Tags[key]); is {
			return refused("%s is protected by its tag %s=%s.", a, tag, a.Tags[tag])
		}
	}
	if len(s.OUs) == 0 {
		return nil
	}
	in, from, err := o.units(ctx, client, d)
	if err != nil {
		return o.explainLook(err)
	}
	for _, unit := range s.OUs {
		is := func(u Unit) bool { return u.ID == unit }
		if i := slices.IndexFunc(in, is); i >= 0 {
			return refused("%s is in the organizational unit %s, which is protected by the bot's settings.", a, in[i])
		}
		if i := slices.IndexFunc(from, is); i >= 0 {
			return refused("%s came from the organizational unit %s, which is protected by the bot's settings.", a, from[i])
		}
	}
	return nil
}

// units are those that an account is in and, where it was disabled, those that it
// came from. That this request has moved it somewhere doesn't count. AWS can't
// move a unit, so what a unit is in stays as it was.
func (o *operation) units(ctx context.Context, client *organizations.Client, d data) (in, from []Unit, err error) {
	a := &d.Account
	if in = a.Path; d.home().ID != a.Parent {
		in, from = nil, slices.Clone(d.Origin)
	}
	was := a.Tags[tagFrom] // set by this request, or by an earlier one
	if !d.shelved() || was == d.home().ID || !unitID.MatchString(was) {
		return in, from, nil
	}
	path, err := readPath(ctx, client, was)
	if _, none := typed[*types.ChildNotFoundException](err); none {
		return in, from, nil
	}
	if err != nil {
		return nil, nil, err
	}
	unit, err := readUnit(ctx, client, was)
	return in, append(append(from, path...), unit), err
}

// mayBeIn refuses what isn't in a state to be closed.
func (o *operation) mayBeIn(r ops.Request, d data) error {
	a := &d.Account
	closing := a.State == pending || a.gone()
	if err := a.stopped(); err != nil {
		return err
	}
	switch {
	case a.State == active, closing && ours(r, a):
		return nil
	case closing && r.Shown != nil && (o.settings.DisabledOU == "" || d.shelved() && a.Tags[tagRequest] == d.Mark):
		// No tag tells that this request has closed it, perhaps because AWS let it set none.
		// There is nothing left but to follow it.
		return nil
	case a.State == pending:
		return refused("%s is being closed already.", a)
	case a.gone():
		return refused("%s is closed already; its state is %s.", a, a.State)
	}
	return refused("The state of %s is %s, so it isn't known whether it can be closed.", a, a.State)
}

func (o *operation) summary(r ops.Request, d data) string {
	a := &d.Account
	switch {
	case a.gone():
		return fmt.Sprintf("Account %s is closed.", a)
	case d.Grace > 0:
		return fmt.Sprintf("Disable account %s now, and close it %s later, on %s if this is approved at once, unless a member presses Restore.", a, ops.Span(d.Grace), moment(r.At.Add(d.Grace)))
	}
	return fmt.Sprintf("Close account %s.", a)
}

// terms are the settings that the approval is about.
func (o *operation) terms(d data) []ops.Fact {
	s := o.settings
	list := func(items []string) string {
		if len(items) == 0 {
			return "none"
		}
		return strings.Join(slices.Sorted(slices.Values(items)), ", ")
	}
	unit := func(u Unit) string {
		if u.ID == "" {
			return "none"
		}
		return u.String()
	}
	var tags []string
	for key, value := range s.Protected.Tags {
		tags = append(tags, key+"="+value)
	}
	grace := "none"
	if d.Grace > 0 {
		grace = ops.Span(d.Grace)
	}
	terms := []ops.Fact{
		{Label: "Time of grace", Value: grace},
		{Label: "Protected accounts", Value: list(s.Protected.Accounts)},
		{Label: "Protected units", Value: list(s.Protected.OUs)},
		{Label: "Protected tags", Value: list(tags)},
		{Label: "Quota of closings", Value: fmt.Sprintf("%d%% of the accounts in %s, but at least %d and at most %d", s.Quota.Percent, ops.Span(quotaDays), s.Quota.Minimum, s.Quota.Maximum)},
		{Label: "Wait for that quota", Value: ops.Span(d.QuotaWait) + " at most"},
		{Label: "Disabled accounts go to", Value: unit(d.Disabled)},
		{Label: "Closed accounts go to", Value: unit(d.Closed)},
	}
	if s.Repository == "" {
		return append(terms, ops.Fact{Label: "Terraform repository", Value: "none"})
	}
	branch := s.Branch
	if branch == "" {
		branch = "its default"
	}
	return append(terms,
		ops.Fact{Label: "Terraform repository", Value: s.Repository},
		ops.Fact{Label: "Terraform branch", Value: branch},
		ops.Fact{Label: "Terraform paths", Value: list(s.Paths)})
}

// steps are what would be done, with exact IDs, less what is done already. An
// effect reads the same whenever the plan is made: moved by hand, the account
// gives another one, which nobody was shown.
func (o *operation) steps(r ops.Request, d data) []ops.Step {
	a := d.Account
	var steps []ops.Step
	if d.Disabled.ID != "" {
		disable := ops.Step{Do: "disable", Title: "Disable " + a.Name}
		if !ours(r, &a) || a.Parent != d.Disabled.ID && a.Tags[tagFrom] != a.Parent && a.State == active {
			disable.Effects = append(disable.Effects, fmt.Sprintf("Tag account %s with %s and %s", &a, tagRequest, tagFrom))
		}
		if a.Parent != d.Disabled.ID && a.State == active {
			disable.Effects = append(disable.Effects, fmt.Sprintf("Move account %s from %s to %s", &a, a.parent(), d.Disabled))
		}
		steps = append(steps, disable)
	}
	if d.Grace > 0 {
		steps = append(steps, ops.Step{Do: "grace", Title: "Wait " + ops.Span(d.Grace) + ", in which a member can press Restore"})
	}
	shut := ops.Step{Do: "close", Title: "Close " + a.Name}
	if a.State == active {
		shut.Effects = []string{fmt.Sprintf("Close account %s in %s, with everything in it; AWS's support can reinstate it for 90 days", &a, d.place())}
	}
	steps = append(steps, shut, ops.Step{Do: "follow", Title: "Follow it until it is closed"})
	archive := ops.Step{Do: "archive", Title: "Say until when AWS's support can reinstate it"}
	if d.Closed.ID != "" {
		archive.Title = "Move it to " + d.Closed.Name
		if a.Parent != d.Closed.ID || d.Disabled.ID != "" && a.State == active {
			archive.Effects = []string{fmt.Sprintf("Move account %s from %s to %s", &a, d.place(), d.Closed)}
		}
	}
	return append(steps, archive)
}
