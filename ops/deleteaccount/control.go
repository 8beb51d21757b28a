package deleteaccount

import (
	"context"
	"encoding/json"
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

// disabling lists the service control policies in the unit for disabled accounts, the
// inherited ones too, and warns where moving an account there takes no access away: that
// the unit is called so denies nothing, and what denies at the root, or at another place
// of home, denies it no more there than it does now: such policies except those who work
// in the accounts. home is where the account is, from the root down, or was before it was
// disabled; the policies of before are those that apply to it there.
func (o *operation) disabling(ctx context.Context, client *organizations.Client, unit Unit, home []Unit, before []control) (there []string, warning string, err error) {
	path, err := readPath(ctx, client, unit.ID)
	if err != nil {
		return nil, "", err
	}
	list, err := controls(ctx, client, append(path, unit))
	if err != nil {
		return nil, "", err
	}
	news := []Unit{unit} // the places that an account comes into only by the move
	for _, at := range path {
		if !slices.ContainsFunc(home, func(u Unit) bool { return u.ID == at.ID }) {
			news = append(news, at)
		}
	}
	isNew := func(c control) bool { return slices.ContainsFunc(news, func(u Unit) bool { return u.ID == c.at.ID }) }
	own := slices.DeleteFunc(slices.Clone(list), func(c control) bool { return c.id == fullAccess || !isNew(c) })
	goesOn := " It would stay usable until it is closed, and nothing would show whether it is still needed. Approve only if that is meant."
	if len(own) == 0 {
		why := "nothing but FullAWSAccess applies there"
		if slices.ContainsFunc(list, func(c control) bool { return c.id != fullAccess }) {
			why = "every policy there applies where the account comes from, too, or is FullAWSAccess"
		}
		return texts(list), fmt.Sprintf("Moving the account to %s takes no access away: %s.%s", unit, why, goesOn), nil
	}
	allowed := map[string]bool{} // the places where a policy allows everything
	for _, c := range list {
		allowed[c.at.ID] = allowed[c.at.ID] || c.id == fullAccess
	}
	for _, c := range own {
		out, err := client.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &c.id})
		if err != nil {
			return texts(list), fmt.Sprintf("Whether the policies in %s take the account's access away isn't known: %s", unit, ops.Words(o.explainLook(err), "")), nil
		}
		denies, allows := meaning(aws.ToString(out.Policy.Content))
		if denies && !slices.ContainsFunc(before, func(b control) bool { return b.id == c.id }) {
			return texts(list), "", nil
		}
		allowed[c.at.ID] = allowed[c.at.ID] || allows
	}
	for _, at := range news {
		if !allowed[at.ID] {
			return texts(list), "", nil // what no policy allows at one of the places is denied
		}
	}
	return texts(list), fmt.Sprintf("No policy in %s denies everything that is allowed where the account comes from, so moving the account there may take little access away.%s", unit, goesOn), nil
}

// statement is one of a policy's.
type statement struct {
	Effect                      string
	Action, NotAction, Resource json.RawMessage
	Condition                   map[string]map[string]json.RawMessage
}

// meaning tells of a service control policy whether a statement denies everybody all
// actions, or all but some, and whether one may allow that. A denial for some Regions,
// resources or principals only leaves the account usable, and an Allow with exceptions
// does so too.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
func meaning(content string) (denies, allows bool) {
	var document struct{ Statement json.RawMessage }
	var statements []statement
	if json.Unmarshal([]byte(content), &document) != nil || json.Unmarshal(document.Statement, &statements) != nil {
		var one statement // a single statement may stand without its list
		if json.Unmarshal(document.Statement, &one) != nil {
			return false, false
		}
		statements = []statement{one}
	}
	for _, s := range statements {
		all := every(s.Action) || len(s.NotAction) > 0 && !every(s.NotAction)
		denies = denies || s.Effect == "Deny" && all && every(s.Resource) && s.forEverybody()
		allows = allows || s.Effect == "Allow" && all
	}
	return denies, allows
}

// forEverybody tells whether a statement's conditions do no more than except principals
// by their ARN, such as the role of those who look after the organisation.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (s statement) forEverybody() bool {
	for operator, keys := range s.Condition {
		switch strings.TrimSuffix(strings.ToLower(operator), "ifexists") {
		case "arnnotlike", "arnnotequals", "stringnotlike", "stringnotequals", "stringnotequalsignorecase":
		default:
			return false
		}
		for key, values := range keys {
			if !strings.EqualFold(key, "aws:PrincipalArn") || has(values, isAnyPrincipal) {
				return false
			}
		}
	}
	return true
}

// isAnyPrincipal tells whether a pattern fits every principal, or every role or user.
func isAnyPrincipal(arn string) bool {
	last := arn[strings.LastIndex(arn, ":")+1:]
	return slices.Contains([]string{"", "role", "role/", "user", "user/"}, strings.TrimRight(last, "*"))
}

// every tells whether a policy's word or list of words has the one for everything.
func every(words json.RawMessage) bool {
	return has(words, func(w string) bool { return strings.Trim(w, "*") == "" || w == "*:*" })
}

// has tells whether a word of a policy, or one in its list of words, is such a one.
func has(words json.RawMessage, is func(string) bool) bool {
	var one string
	var many []string
	if json.Unmarshal(words, &one) == nil {
		many = []string{one}
	} else if json.Unmarshal(words, &many) != nil {
		return false
	}
	return slices.ContainsFunc(many, is)
}
