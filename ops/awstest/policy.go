package awstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// policyKind is where a policy is attached, which decides the elements it may have.
type policyKind int

const (
	identityPolicy policyKind = iota // of a role, or passed for a session
	trustPolicy                      // who may assume a role
)

// policy is a parsed policy document. The zero value allows nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type policy struct{ statements []statement }

type statement struct {
	sid        string
	allow      bool
	actions    []string
	resources  []string
	principals []principalMatch
	conditions []condition
}

// statementID is what a Sid may be.
var statementID = regexp.MustCompile(`^[A-Za-z0-9]*$`)

// principalMatch is one entry of a trust policy's Principal: kind AWS, Service or Federated.
type principalMatch struct{ kind, value string }

// parsePolicy reads a policy document; it errors on whatever IAM would refuse and on the elements this engine doesn't judge
// (NotAction, NotResource, NotPrincipal).
func parsePolicy(text []byte, kind policyKind) (*policy, error) {
	doc, err := object(text)
	if err != nil {
		return nil, err
	}
	var statements []json.RawMessage
	for key, raw := range doc {
		switch key {
		case "Version":
			var version string
			if err := json.Unmarshal(raw, &version); err != nil || version != "2012-10-17" {
				return nil, fmt.Errorf("Version %s: want \"2012-10-17\"", raw)
			}
		case "Id":
		case "Statement":
			if statements, err = list[json.RawMessage](raw); err != nil {
				return nil, fmt.Errorf("Statement: %w", err)
			}
		default:
			return nil, fmt.Errorf("unknown element %s", key)
		}
	}
	if doc["Version"] == nil {
		return nil, errors.New(`no Version: without "2012-10-17" policy variables are not replaced`)
	}
	if len(statements) == 0 {
		return nil, errors.New("no Statement")
	}
	p := &policy{}
	for i, raw := range statements {
		s, err := parseStatement(raw, kind)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i, err)
		}
		if s.sid != "" && slices.ContainsFunc(p.statements, func(other statement) bool { return other.sid == s.sid }) {
			return nil, fmt.Errorf("statement %d: Sid %s is there twice", i, s.sid)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(raw json.RawMessage, kind policyKind) (statement, error) {
	var s statement
	fields, err := object(raw)
	if err != nil {
		return s, err
	}
	for key, raw := range fields {
		var err error
		switch {
		case key == "Sid":
			if err = json.Unmarshal(raw, &s.sid); err == nil && !statementID.MatchString(s.sid) {
				err = fmt.Errorf("%q: letters and digits only", s.sid)
			}
		case key == "Effect":
			var effect string
			json.Unmarshal(raw, &effect)
			if effect != "Allow" && effect != "Deny" {
				return s, fmt.Errorf("Effect %s", raw)
			}
			s.allow = effect == "Allow"
		case key == "Action":
			s.actions, err = list[string](raw)
		case key == "Resource" && kind == identityPolicy:
			s.resources, err = list[string](raw)
		case key == "Principal" && kind == trustPolicy:
			s.principals, err = parsePrincipal(raw)
		case key == "Condition":
			s.conditions, err = parseConditions(raw)
		default:
			return s, fmt.Errorf("element %s is unknown here", key)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", key, err)
		}
	}
	switch {
	case fields["Effect"] == nil:
		return s, errors.New("no Effect")
	case len(s.actions) == 0:
		return s, errors.New("no Action")
	case kind == identityPolicy && len(s.resources) == 0:
		return s, errors.New("no Resource")
	case kind == trustPolicy && len(s.principals) == 0:
		return s, errors.New("no Principal")
	}
	for _, a := range s.actions {
		if a != "*" && strings.Count(a, ":") != 1 {
			return s, fmt.Errorf("Action %q is not of the form service:Action", a)
		}
	}
	for _, r := range s.resources {
		if _, ok := arnParts(r); !ok && r != "*" {
			return s, fmt.Errorf("Resource %q is neither an ARN nor *", r)
		}
	}
	return s, nil
}

func parsePrincipal(raw json.RawMessage) ([]principalMatch, error) {
	var star string
	if json.Unmarshal(raw, &star) == nil {
		if star != "*" {
			return nil, fmt.Errorf("%q", star)
		}
		return []principalMatch{{"AWS", "*"}}, nil
	}
	kinds, err := object(raw)
	if err != nil {
		return nil, err
	}
	var all []principalMatch
	for kind, raw := range kinds {
		if !slices.Contains([]string{"AWS", "Service", "Federated"}, kind) {
			return nil, fmt.Errorf("unknown kind %s", kind)
		}
		values, err := list[string](raw)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			if v != "*" && strings.ContainsAny(v, "*?") {
				return nil, fmt.Errorf("%q: a principal's ARN may not have wildcards", v)
			}
			all = append(all, principalMatch{kind, v})
		}
	}
	return all, nil
}

// covers tells whether the entry of a trust policy means p: an account means everyone in it, a role all of its sessions.
func (m principalMatch) covers(p *principal) bool {
	if m.kind != "AWS" {
		return false
	}
	return slices.Contains([]string{"*", p.account, "arn:aws:iam::" + p.account + ":root", p.roleARN, p.arn}, m.value)
}

// verdict is what one policy says about one action on one resource.
type verdict int

const (
	silent verdict = iota // denied because nothing allows it
	allowed
	denied // explicitly
)

// question is one action on one resource, with the condition keys of the call. who is asked about by trust policies only.
type question struct {
	action, resource string
	keys             conditionKeys
	who              *principal
}

// judge evaluates the policy: an explicit Deny wins. An error says that a statement that concerns the question could not be
// judged; then the verdict is denied.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (p *policy) judge(q question) (verdict, error) {
	result := silent
	for _, s := range p.statements {
		applies, err := s.applies(q)
		switch {
		case err != nil:
			return denied, err
		case !applies:
		case !s.allow:
			return denied, nil
		default:
			result = allowed
		}
	}
	return result, nil
}

func (s *statement) applies(q question) (bool, error) {
	if !slices.ContainsFunc(s.actions, func(a string) bool { return matchFold(a, q.action) }) {
		return false, nil
	}
	if s.principals != nil && !slices.ContainsFunc(s.principals, func(m principalMatch) bool { return m.covers(q.who) }) {
		return false, nil
	}
	if s.resources != nil {
		found := false
		for _, r := range s.resources {
			pattern, present, err := q.keys.expand(r)
			if err != nil {
				return false, fmt.Errorf("Resource %q: %w", r, err)
			}
			found = found || present && pattern.match(q.resource)
		}
		if !found {
			return false, nil
		}
	}
	for _, c := range s.conditions {
		holds, err := c.holds(q.keys)
		if err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

// object reads a JSON object and refuses a key that is there twice, as IAM does.
func object(raw []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	m := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := t.(string)
		if m[key] != nil {
			return nil, fmt.Errorf("%s is there twice", key)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		m[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something follows the JSON object")
	}
	return m, nil
}

// list reads one value or a list of them.
func list[T any](raw json.RawMessage) ([]T, error) {
	if b := bytes.TrimSpace(raw); len(b) > 0 && b[0] == '[' {
		var many []T
		err := json.Unmarshal(raw, &many)
		return many, err
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, err
	}
	return []T{one}, nil
}
