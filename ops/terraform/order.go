package terraform

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// form is what the order of one list means to a value that is made with it.
type form struct {
	kind formKind
	path []string // of a holder: the keys that lead to the list, any for each that isn't known
	of   *form    // of a list: its elements; nil: they are free
}

type formKind int

const (
	free   formKind = iota // the order means nothing to it
	size                   // a number that goes down with the list
	order                  // the number of an element
	listed                 // a list whose elements stand elsewhere once one is cut
	holder                 // an object or a list that holds such a list
)

// anyKey stands for each key that isn't known.
const anyKey = "*"

// under is the form of what a key leads to.
func (f form) under(key string) form {
	switch {
	case f.kind != holder:
		return form{}
	case key != anyKey && f.path[0] != anyKey && key != f.path[0]:
		return form{}
	case len(f.path) > 1:
		return form{kind: holder, path: f.path[1:], of: f.of}
	}
	return form{kind: listed, of: f.of}
}

// held is the form of an object, or a fixed list, that has a value of form f under a key.
func (f form) held(key string) form {
	switch f.kind {
	case listed:
		return form{kind: holder, path: []string{key}, of: f.of}
	case holder:
		return form{kind: holder, path: append([]string{key}, f.path...), of: f.of}
	}
	return form{}
}

// element is the form of an element of a list or an object.
func (f form) element() form {
	if f.kind == listed && f.of != nil {
		return *f.of
	}
	return f.under(anyKey)
}

// list is the form of a list with elements of form f.
func (f form) list() form {
	if f.kind == free || f.kind == size {
		return form{kind: listed}
	}
	return form{kind: listed, of: &f}
}

// ordering looks for a use of one list of locals that may count on the order of its
// elements: such a list can't lose one. What it can't tell, it takes for such a use.
type ordering struct {
	name   string                 // of the local
	place  Place                  // that is looked at
	found  *Place                 // the first use
	known  map[string]form        // of the locals that were looked at
	locals map[string]func() form // that look at the others
}

// forms are those of the variables in an expression.
type forms map[string]form

// against notes a use.
func (o *ordering) against() form {
	if o.found == nil {
		at := o.place
		o.found = &at
	}
	return form{} // no more is to be told of it
}

// isPeople tells whether a list under locals is one of users alone. In any other, as in
// pairs of a user and a role, what an element means may depend on where it stands.
func (r *removal) isPeople(list *node) bool {
	if list.parent == nil || list.parent.kind == '[' {
		return false
	}
	return !slices.ContainsFunc(list.children, func(n *node) bool {
		address, ok := reference(n.text)
		return n.kind != '"' || !r.users[strings.ToLower(strings.TrimSpace(n.text))] && !(ok && strings.HasPrefix(address, userType+"."))
	})
}

// positional is the place of a use of a list under locals that may count on the order;
// nil: there is none. Locals hold in their folder.
func (r *removal) positional(file string, list *node) *Place {
	folder := path.Dir(file)
	name, f := list.path()[1], form{kind: listed}
	for n := list; len(n.path()) > 2 || n.parent.kind == '['; n = n.parent {
		if n.parent.kind == '{' {
			f = f.held(n.key)
		} else {
			f = f.held(anyKey)
		}
	}
	asked := strings.Join(append([]string{folder, name}, f.path...), "\x00")
	if place, ok := r.uses[asked]; ok {
		return place
	}
	o := &ordering{name: name, known: map[string]form{name: f}, locals: map[string]func() form{}}
	var looks []func()
	for _, other := range slices.Sorted(maps.Keys(r.was)) {
		if path.Dir(other) == folder {
			looks = append(looks, o.json(other, r.was[other])...)
		}
	}
	for _, other := range r.other {
		if path.Dir(other.Path) == folder && IsConfig(other.Path) {
			looks = append(looks, o.hcl(other)...)
		}
	}
	for _, u := range r.Unread {
		if path.Dir(u.Path) == folder && r.was[u.Path] == "" {
			o.place = u.Place
			o.against()
		}
	}
	for _, local := range slices.Sorted(maps.Keys(o.locals)) {
		o.local(local)
	}
	for _, look := range looks {
		look()
	}
	r.uses[asked] = o.found
	return o.found
}

// local is the form of a local.
func (o *ordering) local(name string) form {
	f, known := o.known[name]
	if look := o.locals[name]; !known && look != nil {
		o.known[name] = form{} // one that needs itself is a mistake
		at := o.place
		f = look()
		o.known[name], o.place = f, at
	}
	return f
}

// isSet tells whether the order of an argument's values means nothing.
func isSet(labels []string, name string) bool {
	return len(labels) == 2 && (strings.HasPrefix(labels[0], "aws_iam_") && name == "users" || labels[0] == "aws_iam_policy_document")
}

// argument judges what an argument of a block gets.
func (o *ordering) argument(labels []string, name string, top bool, f form) {
	switch f.kind {
	case size:
		if top && name == "count" { // the last one goes, and not the user's
			o.against()
		}
	case listed:
		if f.of != nil || !isSet(labels, name) {
			o.against()
		}
	case holder:
		if !(top && name == "for_each") && !(len(labels) == 2 && labels[0] == "aws_iam_policy_document") {
			o.against()
		}
	}
}

// hcl are the looks to take at a file of HCL's own syntax, whose locals it notes.
func (o *ordering) hcl(f File) []func() {
	parsed, problems := parse(f)
	body, _ := parsed.(*hclsyntax.Body)
	var looks []func()
	if body == nil || problems.HasErrors() {
		looks = append(looks, o.unread(f.Path, string(f.Text)))
	}
	if body == nil {
		return looks
	}
	for _, block := range body.Blocks {
		if block.Type != "locals" {
			looks = append(looks, func() { o.block(block.Body, block.Labels, true, nil) })
			continue
		}
		for name, a := range block.Body.Attributes {
			o.locals[name] = func() form {
				o.place = placeOf(a.SrcRange)
				return o.form(a.Expr, nil)
			}
		}
	}
	return looks
}

// unread takes a file that can't be read for a use if it has the list's name.
func (o *ordering) unread(file, text string) func() {
	return func() {
		if strings.Contains(text, o.name) {
			o.place = Place{file, 1}
			o.against()
		}
	}
}

// block looks at the arguments of a block, and at the blocks in it.
func (o *ordering) block(body *hclsyntax.Body, labels []string, top bool, with forms) {
	attributes := slices.SortedFunc(maps.Values(body.Attributes), func(a, b *hclsyntax.Attribute) int {
		return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte
	})
	if a := body.Attributes["for_each"]; a != nil && top {
		o.place = placeOf(a.SrcRange)
		with = forms{"each": o.form(a.Expr, nil).element()}
	}
	for _, a := range attributes {
		o.place = placeOf(a.SrcRange)
		o.argument(labels, a.Name, top, o.form(a.Expr, with))
	}
	for _, inner := range body.Blocks {
		o.block(inner.Body, labels, false, with)
	}
}

// labelled is how many keys lead to a block in JSON: its type and its labels.
var labelled = map[string]int{"resource": 3, "data": 3, "ephemeral": 3, "module": 2, "output": 2, "variable": 2, "provider": 2, "check": 2, "terraform": 1, "import": 1, "moved": 1, "removed": 1}

// json are the looks to take at a JSON file, whose locals it notes.
func (o *ordering) json(file, text string) []func() {
	root, err := parseJSON(text)
	if err != nil {
		return []func(){o.unread(file, text)}
	}
	at := func(n *node) { o.place = Place{file, lineOf(text, n.start)} }
	var looks []func()
	root.each(func(n *node) {
		keys := n.path()
		switch {
		case n.parent == nil || n.inComment():
		case len(keys) == 2 && keys[0] == "locals" && n.parent.kind == '{':
			o.locals[n.key] = func() form { return o.node(n, at, nil) }
		case n.kind == '{' && len(keys) > 0 && len(keys) == labelled[keys[0]]:
			looks = append(looks, func() {
				var with forms
				for _, child := range n.children {
					if child.key == "for_each" {
						with = forms{"each": o.node(child, at, nil).element()}
					}
				}
				for _, child := range n.children {
					f := o.node(child, at, with)
					at(child)
					o.argument(keys[1:], child.key, true, f)
				}
			})
		}
	})
	return looks
}

// node is the form of a value in JSON, whose texts are templates.
func (o *ordering) node(n *node, at func(*node), with forms) form {
	var all form
	switch n.kind {
	case '"':
		if !strings.Contains(n.text, "${") && !strings.Contains(n.text, "%{") {
			return form{}
		}
		at(n)
		template, problems := hclsyntax.ParseTemplate([]byte(n.text), o.place.Path, hcl.InitialPos)
		if problems.HasErrors() {
			o.unread(o.place.Path, n.text)()
			return form{}
		}
		return o.form(template, with)
	case '[':
		for _, child := range n.children {
			all = o.either(all, o.node(child, at, with).held(anyKey))
		}
	case '{':
		for _, child := range n.children {
			if child.key == comment {
				continue
			}
			o.node(&node{kind: '"', text: child.key, start: child.from}, at, with)
			all = o.either(all, o.node(child, at, with).held(child.key))
		}
	}
	return all
}
