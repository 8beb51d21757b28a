package awstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// conditionKeys are the condition keys of a call and their values. Keys are kept in lower case: IAM compares them so.
type conditionKeys map[string][]string

func (k conditionKeys) set(name string, values ...string) { k[strings.ToLower(name)] = values }

// knownKeys are the keys a policy may ask about here even when a call doesn't have them; a trailing * stands for a tag's key.
var knownKeys = []string{
	"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:principalisawsservice", "aws:principaltag/*",
	"aws:userid", "aws:requestedregion", "aws:securetransport", "aws:sourceidentity", "aws:multifactorauthpresent",
	"aws:requesttag/*", "aws:tagkeys", "aws:resourcetag/*", "iam:resourcetag/*", "iam:policyarn", "iam:permissionsboundary",
	"organizations:policytype", "organizations:serviceprincipal",
	"sts:sourceidentity", "sts:rolesessionname", "sts:externalid", "sts:transitivetagkeys",
	"s3:prefix", "s3:max-keys", "s3:versionid", "s3:if-none-match", "s3:objectcreationoperation", "s3:object-lock-mode",
	"s3:object-lock-retain-until-date", "s3:object-lock-remaining-retention-days", "s3:x-amz-server-side-encryption",
}

// get returns the values of a key; absent keys have none. It errors on a key this engine never fills in: a condition on it
// would silently never hold, or always.
func (k conditionKeys) get(name string) ([]string, bool, error) {
	if values, ok := k[strings.ToLower(name)]; ok {
		return values, true, nil
	}
	if slices.ContainsFunc(knownKeys, func(known string) bool { return matchFold(known, name) }) {
		return nil, false, nil
	}
	return nil, false, fmt.Errorf("condition key %s is unknown to awstest", name)
}

// expand replaces the policy variables in a pattern. present is false when a variable has no value: then the pattern matches
// nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func (k conditionKeys) expand(s string) (pattern glob, present bool, err error) {
	present = true
	for {
		before, rest, found := strings.Cut(s, "${")
		pattern = append(pattern, globOf(before)...)
		if !found {
			return pattern, present, nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, false, errors.New("${ without }")
		}
		s = after
		name, fallback, hasFallback := strings.Cut(name, ",")
		if name = strings.TrimSpace(name); name == "*" || name == "?" || name == "$" {
			pattern = pattern.literal(name)
			continue
		}
		values, ok, err := k.get(name)
		switch {
		case err != nil:
			return nil, false, fmt.Errorf("policy variable ${%s}: %w", name, err)
		case ok && len(values) == 1:
			pattern = pattern.literal(values[0])
		case hasFallback:
			pattern = pattern.literal(strings.Trim(strings.TrimSpace(fallback), "'"))
		default:
			present = false
		}
	}
}

// condition is one operator on one key. The values are alternatives.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	operator           string
	forAny, forAll     bool
	ifExists, negative bool
	key                string
	values             []string
	compare            func(want glob, have string) bool
}

// comparisons are the operators; one that negates holds when no value compares.
var comparisons = map[string]struct {
	negative bool
	compare  func(want glob, have string) bool
}{
	"StringEquals":              {false, func(w glob, h string) bool { return w.String() == h }},
	"StringNotEquals":           {true, func(w glob, h string) bool { return w.String() == h }},
	"StringEqualsIgnoreCase":    {false, func(w glob, h string) bool { return strings.EqualFold(w.String(), h) }},
	"StringNotEqualsIgnoreCase": {true, func(w glob, h string) bool { return strings.EqualFold(w.String(), h) }},
	"StringLike":                {false, glob.match},
	"StringNotLike":             {true, glob.match},
	"ArnEquals":                 {false, arnLike},
	"ArnLike":                   {false, arnLike},
	"ArnNotEquals":              {true, arnLike},
	"ArnNotLike":                {true, arnLike},
	"NumericEquals":             {false, numeric(func(have, want float64) bool { return have == want })},
	"NumericNotEquals":          {true, numeric(func(have, want float64) bool { return have == want })},
	"NumericLessThan":           {false, numeric(func(have, want float64) bool { return have < want })},
	"NumericLessThanEquals":     {false, numeric(func(have, want float64) bool { return have <= want })},
	"NumericGreaterThan":        {false, numeric(func(have, want float64) bool { return have > want })},
	"NumericGreaterThanEquals":  {false, numeric(func(have, want float64) bool { return have >= want })},
	"Bool":                      {false, func(w glob, h string) bool { return strings.EqualFold(w.String(), h) }},
	"Null":                      {false, nil},
}

// arnLike compares part by part: a wildcard doesn't reach over a colon of the first five parts.
func arnLike(want glob, have string) bool {
	w, h := want.split(6), strings.SplitN(have, ":", 6)
	if len(w) != 6 || len(h) != 6 {
		return false
	}
	for i := range w {
		if !w[i].match(h[i]) {
			return false
		}
	}
	return true
}

// numeric compares numbers; what isn't one compares to nothing.
func numeric(compare func(have, want float64) bool) func(want glob, have string) bool {
	return func(want glob, have string) bool {
		w, wantErr := strconv.ParseFloat(want.String(), 64)
		h, haveErr := strconv.ParseFloat(have, 64)
		return wantErr == nil && haveErr == nil && compare(h, w)
	}
}

func parseConditions(raw json.RawMessage) ([]condition, error) {
	operators, err := object(raw)
	if err != nil {
		return nil, err
	}
	var all []condition
	for operator, raw := range operators {
		c := condition{operator: operator}
		name := operator
		if rest, ok := strings.CutPrefix(name, "ForAnyValue:"); ok {
			name, c.forAny = rest, true
		} else if rest, ok := strings.CutPrefix(name, "ForAllValues:"); ok {
			name, c.forAll = rest, true
		}
		name, c.ifExists = strings.CutSuffix(name, "IfExists")
		comparison, ok := comparisons[name]
		if !ok {
			return nil, fmt.Errorf("operator %s is unknown to awstest", operator)
		}
		c.negative, c.compare = comparison.negative, comparison.compare
		keys, err := object(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", operator, err)
		}
		for key, raw := range keys {
			if c.values, err = conditionValues(raw); err != nil {
				return nil, fmt.Errorf("%s %s: %w", operator, key, err)
			}
			c.key = key
			all = append(all, c)
		}
	}
	return all, nil
}

// conditionValues reads strings, and booleans and numbers as the strings they stand for.
func conditionValues(raw json.RawMessage) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	many, ok := v.([]any)
	if !ok {
		many = []any{v}
	}
	var values []string
	for _, v := range many {
		switch v := v.(type) {
		case string:
			values = append(values, v)
		case bool:
			values = append(values, strconv.FormatBool(v))
		case json.Number:
			values = append(values, v.String())
		default:
			return nil, fmt.Errorf("%v is not a string", v)
		}
	}
	return values, nil
}

// holds tells whether the condition is met. A key the call doesn't have fails every operator but the negative ones, Null,
// ForAllValues and those ending in IfExists.
func (c condition) holds(keys conditionKeys) (bool, error) {
	have, present, err := keys.get(c.key)
	if err != nil {
		return false, err
	}
	if c.compare == nil {
		return slices.Contains(c.values, strconv.FormatBool(!present)), nil
	}
	if !present {
		return c.ifExists || c.forAll || c.negative && !c.forAny, nil
	}
	var wants []glob
	for _, v := range c.values {
		w, ok, err := keys.expand(v)
		if err != nil {
			return false, err
		}
		if ok {
			wants = append(wants, w)
		}
	}
	one := func(h string) bool {
		return c.negative != slices.ContainsFunc(wants, func(w glob) bool { return c.compare(w, h) })
	}
	switch {
	case c.forAny:
		return slices.ContainsFunc(have, one), nil
	case c.forAll:
		return !slices.ContainsFunc(have, func(h string) bool { return !one(h) }), nil
	case len(have) != 1:
		return false, fmt.Errorf("%s on %s, which has several values: use ForAnyValue or ForAllValues", c.operator, c.key)
	}
	return one(have[0]), nil
}
