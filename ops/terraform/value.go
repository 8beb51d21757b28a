package terraform

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Text is a text as the files say it. The zero value: not known, and nothing is.
type Text struct {
	Place
	Value string // where it is known
	Known bool

	// Parts are the texts that an unknown text is made of or made with, as far as
	// they are known: of replace(local.secret, "{email}", "pond") they are "{email}"
	// and "pond".
	Parts []string

	pattern []string // of an unknown text that is a template: what stands between the unknown pieces
}

// shortest is how many letters a pattern must have to say anything.
const shortest = 3

// MayBe tells whether an unknown text may be s: whether the pieces that are known of it
// fit, and have letters enough to say anything. Case doesn't count.
func (t Text) MayBe(s string) bool {
	if t.Known || len(strings.Join(t.pattern, "")) < shortest {
		return false
	}
	s = strings.ToLower(s)
	first, last := strings.ToLower(t.pattern[0]), strings.ToLower(t.pattern[len(t.pattern)-1])
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, piece := range t.pattern[1 : len(t.pattern)-1] {
		_, rest, found := strings.Cut(s, strings.ToLower(piece))
		if !found {
			return false
		}
		s = rest
	}
	return true
}

// scope holds the values of each and count for an expression.
type scope map[string]cty.Value

// text evaluates an expression that should be a text.
func (m *module) text(e hcl.Expression, with scope) Text {
	t := Text{Place: placeOf(e.Range())}
	if value, ok := asText(m.value(e, with)); ok {
		t.Value, t.Known = value, true
		return t
	}
	t.Parts = m.parts(e, with, 0)
	if template, ok := syntax(e).(*hclsyntax.TemplateExpr); ok {
		t.pattern = []string{""}
		for _, part := range template.Parts {
			if value, ok := asText(m.value(part, with)); ok {
				t.pattern[len(t.pattern)-1] += value
			} else {
				t.pattern = append(t.pattern, "")
			}
		}
	}
	return t
}

// asText is a value as a text, if it is one that is known.
func asText(v cty.Value) (string, bool) {
	if !v.IsKnown() || v.IsNull() {
		return "", false
	}
	switch v.Type() {
	case cty.String:
		return v.AsString(), true
	case cty.Number:
		return v.AsBigFloat().Text('f', -1), true
	}
	return "", false
}

// syntax is an expression in HCL's own syntax, also where it stands in a JSON text;
// nil if it can't be.
func syntax(e hcl.Expression) hclsyntax.Expression {
	if own, ok := e.(hclsyntax.Expression); ok {
		return own
	}
	literal, problems := e.Value(nil) // JSON: the text as it stands there
	text, ok := asText(literal)
	if problems.HasErrors() || !ok {
		return nil
	}
	template, problems := hclsyntax.ParseTemplate([]byte(text), e.Range().Filename, e.StartRange().Start)
	if problems.HasErrors() {
		return nil
	}
	return template
}

// deepest is how many expressions within each other are looked into.
const deepest = 20

// parts are the known texts that an expression is made with.
func (m *module) parts(e hcl.Expression, with scope, depth int) []string {
	if e == nil || depth > deepest {
		return nil
	}
	if value, ok := asText(m.value(e, with)); ok {
		return []string{value}
	}
	var inner []hclsyntax.Expression
	switch e := syntax(e).(type) {
	case *hclsyntax.TemplateExpr:
		inner = e.Parts
	case *hclsyntax.TemplateWrapExpr:
		inner = []hclsyntax.Expression{e.Wrapped}
	case *hclsyntax.ParenthesesExpr:
		inner = []hclsyntax.Expression{e.Expression}
	case *hclsyntax.FunctionCallExpr:
		inner = e.Args
	case *hclsyntax.ConditionalExpr:
		inner = []hclsyntax.Expression{e.TrueResult, e.FalseResult}
	case *hclsyntax.TupleConsExpr:
		inner = e.Exprs
	case *hclsyntax.ScopeTraversalExpr:
		if name, ok := attribute(e.Traversal); ok && e.Traversal.RootName() == "local" && len(e.Traversal) == 2 {
			return m.parts(m.locals[name], nil, depth+1)
		}
	}
	var all []string
	for _, one := range inner {
		all = append(all, m.parts(one, with, depth+1)...)
	}
	return all
}

// attribute is the second step of a traversal: x of local.x.
func attribute(t hcl.Traversal) (string, bool) {
	if len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		return asText(step.Key)
	}
	return "", false
}

// traversal is a traversal as written, as far as it has names.
func traversal(t hcl.Traversal) string {
	names := []string{t.RootName()}
	for _, step := range t[1:] {
		if a, ok := step.(hcl.TraverseAttr); ok {
			names = append(names, a.Name)
		}
	}
	return strings.Join(names, ".")
}

// value evaluates an expression, as far as the files tell it: what depends on
// anything else is not known.
func (m *module) value(e hcl.Expression, with scope) (v cty.Value) {
	defer func() {
		if recover() != nil { // a function met what it didn't expect
			v = cty.DynamicVal
		}
	}()
	roots := map[string]map[string]cty.Value{"local": {}, "var": {}}
	known := map[string]cty.Value{}
	for _, t := range e.Variables() {
		root := t.RootName()
		named, ours := roots[root]
		switch name, ok := attribute(t); {
		case ours && ok:
			named[name] = m.named(root, name)
		case ours: // the whole object
			for name := range map[string]map[string]hcl.Expression{"local": m.locals, "var": m.variables}[root] {
				named[name] = m.named(root, name)
			}
		default:
			known[root] = cty.DynamicVal
		}
	}
	for root, named := range roots {
		known[root] = cty.ObjectVal(named)
	}
	maps.Copy(known, with)
	v, problems := e.Value(&hcl.EvalContext{Variables: known, Functions: functions})
	if problems.HasErrors() {
		return cty.DynamicVal
	}
	v, _ = v.UnmarkDeep()
	return v
}

// named is the value of a local or a variable. One that needs itself isn't known.
func (m *module) named(root, name string) cty.Value {
	key := root + "." + name
	if v, ok := m.known[key]; ok {
		if v == cty.NilVal {
			return cty.DynamicVal
		}
		return v
	}
	e := m.locals[name]
	if root == "var" {
		e = m.variables[name]
	}
	if e == nil {
		return cty.DynamicVal
	}
	m.known[key] = cty.NilVal
	m.known[key] = m.value(e, nil)
	return m.known[key]
}

// instance is one of those that a block makes.
type instance struct {
	key  string // ["dev"], [0]; empty: the only one
	with scope
	why  string // why it isn't known which there are
}

// mostInstances is how many a block may make: a count of millions is a mistake.
const mostInstances = 10_000

// instances are those that for_each or count makes of a block.
func (m *module) instances(block *hcl.BodyContent) []instance {
	each := func(key, value cty.Value) scope {
		return scope{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
	}
	var all []instance
	switch forEach, count := block.Attributes["for_each"], block.Attributes["count"]; {
	case forEach != nil:
		v := m.value(forEach.Expr, nil)
		if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
			return []instance{{with: each(cty.DynamicVal, cty.DynamicVal), why: "its for_each depends on more than these files"}}
		}
		for key, value := range v.Elements() {
			if v.Type().IsSetType() {
				key = value
			}
			name, _ := asText(key)
			all = append(all, instance{key: `["` + name + `"]`, with: each(key, value)})
		}
	case count != nil:
		text, _ := asText(m.value(count.Expr, nil))
		number, err := strconv.Atoi(text)
		if err != nil {
			return []instance{{with: scope{"count": cty.DynamicVal}, why: "its count depends on more than these files"}}
		}
		for i := range min(number, mostInstances) {
			all = append(all, instance{key: fmt.Sprintf("[%d]", i), with: scope{"count": cty.ObjectVal(map[string]cty.Value{"index": cty.NumberIntVal(int64(i))})}})
		}
	default:
		return []instance{{}}
	}
	return all[:min(len(all), mostInstances)]
}

// walk tells of every text in a value, and of what isn't known in it.
func (m *module) walk(keys []string, v cty.Value, at Place, tell func(Argument)) {
	switch {
	case v.IsKnown() && !v.IsNull() && v.CanIterateElements() && len(keys) <= deepest:
		for key, value := range v.Elements() {
			name, _ := asText(key)
			m.walk(append(slices.Clone(keys), name), value, at, tell)
		}
	default:
		text, known := asText(v)
		tell(Argument{Place: at, Keys: keys, Text: Text{Place: at, Value: text, Known: known}})
	}
}
