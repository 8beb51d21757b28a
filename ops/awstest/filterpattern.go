package awstest

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// filterPattern is a filter for unstructured log events: terms that must all be there, terms of which one must be, and terms
// that must not. The zero value matches everything.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
type filterPattern struct{ all, any, none []string }

var bareTerm = regexp.MustCompile(`^\w+$`)

// parseFilterPattern reads terms, "quoted" where they hold more than letters, digits and underscores, with ? or - in front
// for one-of and not. It refuses patterns for JSON and for space-delimited events, and regular expressions.
func parseFilterPattern(s string) (filterPattern, error) {
	var p filterPattern
	for rest := strings.TrimSpace(s); rest != ""; rest = strings.TrimSpace(rest) {
		list := &p.all
		switch rest[0] {
		case '?':
			list, rest = &p.any, rest[1:]
		case '-':
			list, rest = &p.none, rest[1:]
		case '{', '[', '%':
			return p, errors.New("awstest knows terms only")
		}
		if quoted, ok := strings.CutPrefix(rest, `"`); ok {
			term, after, closed := strings.Cut(quoted, `"`)
			if !closed || term == "" {
				return p, errors.New("a quote is not closed or holds nothing")
			}
			*list, rest = append(*list, term), after
			continue
		}
		term, after, _ := strings.Cut(rest, " ")
		if !bareTerm.MatchString(term) {
			return p, fmt.Errorf("the term %s must be in double quotes", term)
		}
		*list, rest = append(*list, term), after
	}
	return p, nil
}

// match compares with regard to case.
func (p filterPattern) match(message string) bool {
	for _, term := range p.all {
		if !strings.Contains(message, term) {
			return false
		}
	}
	for _, term := range p.none {
		if strings.Contains(message, term) {
			return false
		}
	}
	for _, term := range p.any {
		if strings.Contains(message, term) {
			return true
		}
	}
	return len(p.any) == 0
}
