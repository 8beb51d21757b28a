package deleteaccount

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
)

// control is a service control policy and where it is attached.
type control struct {
	id, name string
	at       Unit
}

func (c control) String() string { return fmt.Sprintf("%s (%s) at %s", c.name, c.id, c.at.Name) }

func texts(controls []control) []string {
	var list []string
	for _, c := range controls {
		list = append(list, c.String())
	}
	return list
}

// controls are the service control policies at each place of a path. AWS lists for a
// place what is attached to itself; what it inherits is attached further up.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListPoliciesForTarget.html
func controls(ctx context.Context, client *organizations.Client, path []Unit) ([]control, error) {
	var list []control
	for _, target := range path {
		pages := organizations.NewListPoliciesForTargetPaginator(client, &organizations.ListPoliciesForTargetInput{TargetId: &target.ID, Filter: types.PolicyTypeServiceControlPolicy})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("list the policies of %s: %w", target, err)
			}
			for _, p := range page.Policies {
				list = append(list, control{id: aws.ToString(p.Id), name: aws.ToString(p.Name), at: target})
			}
		}
	}
	return list, nil
}

// fullAccess is AWS's own policy that allows everything.
const fullAccess = "p-FullAWSAccess"

// within are the places from the root down to a unit, and the service control policies
// that apply in it.
func within(ctx context.Context, client *organizations.Client, unit Unit) ([]Unit, []control, error) {
	path, err := readPath(ctx, client, unit.ID)
	if err != nil {
		return nil, nil, err
	}
	path = append(path, unit)
	list, err := controls(ctx, client, path)
	return path, list, err
}

// gained are the places on the path of the unit for disabled accounts that an account comes
// into only by the move.
func (d *data) gained(path []Unit) []Unit {
	home := d.Origin
	if slices.Contains(home, d.Disabled) {
		home = home[:1] // it is there already; where it was before isn't known
	}
	return slices.DeleteFunc(slices.Clone(path), func(u Unit) bool { return slices.Contains(home, u) })
}

// disabling lists the service control policies in the unit for disabled accounts, the
// inherited ones too, and what they leave usable: that the unit is called so denies
// nothing, and what denies where the account is already denies it no more there than it
// does now: such policies except those who work in the accounts. The plan keeps that, so
// that the run can tell whether people have changed it.
func (o *operation) disabling(ctx context.Context, client *organizations.Client, d *data, attached []control) (facts []ops.Fact, warning string, err error) {
	unit := d.Disabled
	path, list, err := within(ctx, client, unit)
	if err != nil {
		return nil, "", err
	}
	news := d.gained(path)
	own := func(c control) bool { return c.id != fullAccess }
	if d.Before = nil; !slices.Contains(d.Origin, unit) {
		for _, c := range slices.DeleteFunc(slices.Clone(attached), func(c control) bool { return !own(c) }) {
			d.Before = append(d.Before, c.id)
		}
	}
	facts = []ops.Fact{{Label: "Service control policies in " + unit.Name, Value: strings.Join(texts(list), "; ")}}
	left, err := leaves(ctx, client, news, list, d.Before)
	if err != nil {
		return facts, fmt.Sprintf("Whether the policies in %s take the account's access away isn't known: %s", unit, ops.Words(o.explainLook(err), "")), nil
	}
	d.Left = &left
	const goesOn = "It would stay usable until it is closed, and nothing would show whether it is still needed. Approve only if that is meant."
	switch {
	case left.grade() == usableByFew:
		return append(facts, ops.Fact{Label: "Usable in " + unit.Name, Value: left.String()}), "", nil
	case left.grade() == usableInPart:
		return facts, fmt.Sprintf("The policies in %s leave the account usable in part: %s. %s", unit, left, goesOn), nil
	case left.grade() == unusable:
		return facts, "", nil
	case !slices.ContainsFunc(list, own):
		return facts, fmt.Sprintf("Moving the account to %s takes no access away: nothing but FullAWSAccess applies there. %s", unit, goesOn), nil
	case !slices.ContainsFunc(list, func(c control) bool { return own(c) && slices.Contains(news, c.at) }):
		return facts, fmt.Sprintf("Moving the account to %s takes no access away: every policy there applies where the account comes from, too, or is FullAWSAccess. %s", unit, goesOn), nil
	}
	return facts, fmt.Sprintf("No policy in %s denies everything that is allowed where the account comes from, so moving the account there may take little access away. %s", unit, goesOn), nil
}
