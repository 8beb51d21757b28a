package deleteaccount

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
)

// usable is what service control policies leave of an account, as the one of them tells
// that denies most. The zero value: none denies nearly everything.
type usable struct {
	By         string   `json:"by,omitempty"`         // that policy, or the place at which only some actions are allowed
	Actions    []string `json:"actions,omitempty"`    // that all principals can still use, as patterns
	Principals []string `json:"principals,omitempty"` // who can still use everything, as patterns of ARNs
}

// Grades of access that is left, from the least on.
const (
	unusable     = iota
	usableByFew  // everything, by roles that are named in full
	usableInPart // what policies name
	usableByAll  // nearly everything
)

func (u usable) grade() int {
	named := func(arn string) bool {
		return !strings.ContainsAny(arn[strings.LastIndex(arn, "/")+1:], "*?") && strings.Contains(arn, ":role/")
	}
	switch {
	case u.By == "":
		return usableByAll
	case len(u.Actions) > 0 || slices.ContainsFunc(u.Principals, func(arn string) bool { return !named(arn) }):
		return usableInPart
	case len(u.Principals) > 0:
		return usableByFew
	}
	return unusable
}

// wider tells whether more is left than was.
func (u usable) wider(was usable) bool {
	more := func(now, was []string) bool {
		return slices.ContainsFunc(now, func(word string) bool { return !slices.Contains(was, word) })
	}
	switch now, then := u.grade(), was.grade(); {
	case now != then:
		return now > then
	case now == usableByAll:
		return false
	}
	return more(u.Actions, was.Actions) || more(u.Principals, was.Principals)
}

// mostNamed is how many patterns are named.
const mostNamed = 10

// String names the access that is left, and the policy that leaves it.
func (u usable) String() string {
	list := func(words []string) string {
		text := strings.Join(words[:min(len(words), mostNamed)], ", ")
		if more := len(words) - mostNamed; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		return text
	}
	var parts []string
	if len(u.Actions) > 0 {
		parts = append(parts, list(u.Actions)+" for everybody")
	}
	if len(u.Principals) > 0 {
		parts = append(parts, "everything for "+list(u.Principals))
	}
	switch {
	case u.By == "":
		return "no policy denies everything"
	case len(parts) == 0:
		return "nothing, by " + u.By
	}
	return strings.Join(parts, ", and ") + ", by " + u.By
}

// leaves reads what the policies at some places leave usable. Those that applied before, by
// their IDs, deny nothing more there.
func leaves(ctx context.Context, client *organizations.Client, places []Unit, list []control, before []string) (usable, error) {
	full := map[string]bool{}        // the places at which everything is allowed
	allowed := map[string][]string{} // actions allowed at the others
	var least usable
	keep := func(u usable) {
		if u.grade() < least.grade() {
			least = u
		}
	}
	for _, c := range list {
		if !slices.Contains(places, c.at) {
			continue
		}
		if c.id == fullAccess {
			full[c.at.ID] = true
			continue
		}
		out, err := client.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &c.id})
		if err != nil {
			return usable{}, fmt.Errorf("read the policy %s: %w", c, err)
		}
		for _, s := range statements(aws.ToString(out.Policy.Content)) {
			if left, denies := s.denies(); denies && !slices.Contains(before, c.id) {
				left.By = c.String()
				keep(left)
			}
			if s.Effect == "Allow" {
				full[c.at.ID] = full[c.at.ID] || s.nearlyAll()
				allowed[c.at.ID] = append(allowed[c.at.ID], words(s.Action)...)
			}
		}
	}
	for _, at := range places {
		if !full[at.ID] { // what no policy allows at one of the places is denied
			keep(usable{By: "what is allowed at " + at.Name, Actions: sorted(allowed[at.ID])})
		}
	}
	return least, nil
}

func sorted(words []string) []string { return slices.Compact(slices.Sorted(slices.Values(words))) }

// statement is one of a policy's.
type statement struct {
	Effect                      string
	Action, NotAction, Resource json.RawMessage
	Condition                   map[string]map[string]json.RawMessage
}

// statements are those of a policy; none where it isn't one.
func statements(content string) []statement {
	var document struct{ Statement json.RawMessage }
	if json.Unmarshal([]byte(content), &document) != nil {
		return nil
	}
	var list []statement
	if json.Unmarshal(document.Statement, &list) == nil {
		return list
	}
	var one statement // a single statement may stand without its list
	if json.Unmarshal(document.Statement, &one) != nil {
		return nil
	}
	return []statement{one}
}

// nearlyAll tells whether a statement is about all actions, or all but some.
func (s statement) nearlyAll() bool {
	return every(s.Action) || len(s.NotAction) > 0 && !every(s.NotAction)
}

// denies tells whether a statement denies nearly everything, and what it leaves: the
// actions and the principals that it excepts. A denial for some Regions or resources, or
// one that excepts every role or every user, leaves the account usable as it was.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
func (s statement) denies() (left usable, is bool) {
	if s.Effect != "Deny" || !s.nearlyAll() || !every(s.Resource) {
		return left, false
	}
	principals, only := s.exceptions()
	if !only || slices.ContainsFunc(principals, isAnyPrincipal) {
		return left, false
	}
	return usable{Actions: sorted(words(s.NotAction)), Principals: sorted(principals)}, true
}

// exceptions are the principals that a statement's conditions except by their ARN, such
// as the role of those who look after the organisation. only is false where a condition
// does anything else.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func (s statement) exceptions() (principals []string, only bool) {
	for operator, keys := range s.Condition {
		switch strings.TrimSuffix(strings.ToLower(operator), "ifexists") {
		case "arnnotlike", "arnnotequals", "stringnotlike", "stringnotequals", "stringnotequalsignorecase":
		default:
			return nil, false
		}
		for key, values := range keys {
			if !strings.EqualFold(key, "aws:PrincipalArn") {
				return nil, false
			}
			principals = append(principals, words(values)...)
		}
	}
	return principals, true
}

// isAnyPrincipal tells whether a pattern fits every principal, or every role or user.
func isAnyPrincipal(arn string) bool {
	last := strings.NewReplacer("*", "", "?", "", "/", "").Replace(arn[strings.LastIndex(arn, ":")+1:])
	return slices.Contains([]string{"", "role", "user"}, last)
}

// every tells whether a policy's word or list of words has the one for everything.
func every(raw json.RawMessage) bool {
	return slices.ContainsFunc(words(raw), func(w string) bool { return strings.Trim(w, "*") == "" || w == "*:*" })
}

// words are a policy's word or list of words; none where it is neither.
func words(raw json.RawMessage) []string {
	var one string
	var many []string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}
