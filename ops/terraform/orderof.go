package terraform

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// form is the form of an expression's value.
func (o *ordering) form(e hcl.Expression, with forms) form {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return o.reference(e.Traversal, with)
	case *hclsyntax.RelativeTraversalExpr:
		return o.steps(o.form(e.Source, with), e.Traversal)
	case *hclsyntax.IndexExpr:
		o.plain(e.Key, with)
		key, _ := e.Key.Value(nil)
		return o.step(o.form(e.Collection, with), key)
	case *hclsyntax.FunctionCallExpr:
		return o.call(e, with)
	case *hclsyntax.ForExpr:
		return o.loop(e, with)
	case *hclsyntax.ConditionalExpr:
		o.plain(e.Condition, with)
		return o.either(o.form(e.TrueResult, with), o.form(e.FalseResult, with))
	case *hclsyntax.ParenthesesExpr:
		return o.form(e.Expression, with)
	case *hclsyntax.TemplateWrapExpr:
		return o.form(e.Wrapped, with)
	case *hclsyntax.TemplateExpr:
		for _, part := range e.Parts {
			o.plain(part, with)
		}
		return form{}
	case *hclsyntax.TupleConsExpr:
		var all form
		for _, one := range e.Exprs {
			all = o.either(all, o.form(one, with).held(anyKey))
		}
		return all
	case *hclsyntax.ObjectConsExpr:
		var all form
		for _, item := range e.Items {
			o.plain(item.KeyExpr, with)
			all = o.either(all, o.form(item.ValueExpr, with).held(anyKey))
		}
		return all
	case *hclsyntax.ObjectConsKeyExpr:
		if hcl.ExprAsKeyword(e.Wrapped) != "" && !e.ForceNonLiteral {
			return form{}
		}
		return o.form(e.Wrapped, with)
	case *hclsyntax.BinaryOpExpr:
		left, right := o.plain(e.LHS, with), o.plain(e.RHS, with)
		if e.Op.Type == cty.Bool { // a comparison
			return form{}
		}
		return o.either(left, right)
	}
	for _, t := range e.Variables() {
		if o.reference(t, with).kind != free {
			return o.against()
		}
	}
	return form{}
}

// plain is the form of what must be no list.
func (o *ordering) plain(e hcl.Expression, with forms) form {
	f := o.form(e, with)
	if f.kind != free && f.kind != size {
		return o.against()
	}
	return f
}

func (o *ordering) reference(t hcl.Traversal, with forms) form {
	root := t.RootName()
	f, bound := with[root]
	switch name, ok := attribute(t); {
	case root == "local" && !ok:
		return o.against() // all of them
	case root == "local":
		return o.steps(o.local(name), t[2:])
	case root == "each" && (name == "key" || f.kind == free):
		return form{}
	case root == "each" && name != "value":
		return o.against()
	case root == "each":
		return o.steps(f, t[2:])
	case !bound:
		return form{}
	}
	return o.steps(f, t[1:])
}

// steps is the form of what steps lead to.
func (o *ordering) steps(f form, steps hcl.Traversal) form {
	for _, step := range steps {
		switch step := step.(type) {
		case hcl.TraverseAttr:
			f = o.step(f, cty.StringVal(step.Name))
		case hcl.TraverseIndex:
			f = o.step(f, step.Key)
		default:
			return o.against()
		}
	}
	if f.kind == order {
		return o.against()
	}
	return f
}

func (o *ordering) step(f form, key cty.Value) form {
	if f.kind == listed {
		return o.against()
	}
	if name, known := asText(key); known && key.Type() == cty.String {
		return f.under(name)
	}
	return f.under(anyKey)
}

// either is the form of a value that has one of two forms, or both.
func (o *ordering) either(a, b form) form {
	switch {
	case a.kind == free:
		return b
	case b.kind == free:
		return a
	case a.kind != b.kind || len(a.path) != len(b.path) || (a.of == nil) != (b.of == nil):
		return o.against()
	}
	both := form{kind: a.kind}
	for i, key := range a.path {
		if key != b.path[i] {
			key = anyKey
		}
		both.path = append(both.path, key)
	}
	if a.of != nil {
		of := o.either(*a.of, *b.of)
		both.of = &of
	}
	return both
}

// loop is the form of what a for expression makes.
func (o *ordering) loop(e *hclsyntax.ForExpr, with forms) form {
	over := o.form(e.CollExpr, with)
	inner := forms{}
	maps.Copy(inner, with)
	delete(inner, e.KeyVar)
	if over.kind == listed && e.KeyVar != "" {
		inner[e.KeyVar] = form{kind: order}
	}
	inner[e.ValVar] = over.element()
	if e.CondExpr != nil {
		o.plain(e.CondExpr, inner)
	}
	value := o.form(e.ValExpr, inner)
	isList := over.kind == listed || value.kind == listed || value.kind == holder
	if e.KeyExpr == nil {
		if isList {
			return value.list()
		}
		return form{}
	}
	o.plain(e.KeyExpr, inner)
	if e.Group && isList {
		value = value.list()
	}
	return value.held(anyKey)
}

// call is the form of a function's result.
// https://developer.hashicorp.com/terraform/language/functions
func (o *ordering) call(e *hclsyntax.FunctionCallExpr, with forms) form {
	var all form
	args := make([]form, len(e.Args))
	for i, arg := range e.Args {
		args[i] = o.form(arg, with)
		if e.ExpandFinal && i == len(e.Args)-1 {
			args[i] = args[i].element()
		}
		if args[i].kind != free {
			all = args[i]
		}
	}
	if all.kind == free {
		return form{}
	}
	first, simple := args[0], all.kind == listed && all.of == nil
	switch e.Name {
	case "toset", "setunion", "setintersection", "setsubtract", "alltrue", "anytrue":
		if simple {
			return form{}
		}
	case "contains":
		if simple && args[len(args)-1].kind == free {
			return form{}
		}
	case "length":
		if first.kind == listed {
			return form{kind: size}
		}
		return form{}
	case "format", "tostring", "tonumber":
		if all.kind == size {
			return form{}
		}
	case "keys":
		if first.kind == holder {
			return form{}
		}
	case "values":
		if first.kind == holder {
			return first.under(anyKey).list()
		}
	case "lookup":
		if first.kind == holder {
			return o.either(first.under(anyKey), args[len(args)-1])
		}
	case "flatten":
		return o.flat(first)
	case "setproduct":
		if simple {
			return form{kind: listed}
		}
	case "concat", "distinct", "compact", "sort", "reverse", "tolist", "tomap", "merge", "sensitive", "nonsensitive", "try", "coalescelist":
		all = form{}
		for _, f := range args {
			all = o.either(all, f)
		}
		return all
	}
	return o.against()
}

// flat is the form of a list that isn't one of lists any more.
func (o *ordering) flat(f form) form {
	switch {
	case f.kind == holder && len(f.path) == 1:
		f = form{kind: listed, of: f.of}
	case f.kind != listed:
		return o.against()
	}
	for f.of != nil && f.of.kind == listed {
		f = *f.of
	}
	return f
}
