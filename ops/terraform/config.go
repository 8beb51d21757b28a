// Package terraform reads Terraform's files as far as that can be done without
// Terraform: no state, no provider, no other module than the folder at hand.
//
// What a file says is worth as much as what it doesn't say, so nothing is passed
// over in silence: a value that depends on something else than the files is not
// known, and says so; a file that can't be read is named with its line. The package
// speaks to nobody and writes nothing.
package terraform

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// File is a file of a configuration.
type File struct {
	Path   string // as the repository has it
	Text   []byte
	Unseen string // why its text isn't known, in words that follow "is"; empty: it is
}

// Place is where something stands.
type Place struct {
	Path string
	Line int // from 1
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.Path, p.Line) }

// Before orders places by file and line.
func (p Place) Before(q Place) int {
	return cmp.Or(cmp.Compare(p.Path, q.Path), cmp.Compare(p.Line, q.Line))
}

func placeOf(r hcl.Range) Place { return Place{r.Filename, r.Start.Line} }

// Unread is a file that isn't what its name says, or a block in it.
type Unread struct {
	Place
	Why   string // in a few words, for people
	Block bool   // it is a block, and the rest of the file was looked through
}

// Config is the configurations that some files make up: one in each folder.
type Config struct {
	modules map[string]*module // by folder
	Unread  []Unread
}

// module is the files of one folder.
type module struct {
	bodies    []hcl.Body // of the files with blocks
	locals    map[string]hcl.Expression
	variables map[string]hcl.Expression // as given in a file of values, or else their defaults
	known     map[string]cty.Value      // locals and variables that were evaluated; NilVal: evaluation is under way
}

// IsConfig tells whether Terraform reads a file of that name as configuration, and
// IsValues whether as values of variables without being told to.
// https://developer.hashicorp.com/terraform/language/files
func IsConfig(name string) bool {
	return strings.HasSuffix(name, ".tf") || strings.HasSuffix(name, ".tf.json")
}

// IsValues is described with IsConfig.
// https://developer.hashicorp.com/terraform/language/values/variables#variable-definitions-tfvars-files
func IsValues(name string) bool {
	base := strings.TrimSuffix(path.Base(name), ".json")
	return base == "terraform.tfvars" || strings.HasSuffix(base, ".auto.tfvars")
}

// Read reads files. Those that are neither configuration nor values are passed over.
func Read(files []File) *Config {
	c := &Config{modules: map[string]*module{}}
	files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	for _, values := range []bool{false, true} { // values count more than defaults
		for _, f := range files {
			if values && IsValues(f.Path) || !values && IsConfig(f.Path) {
				c.add(f, values)
			}
		}
	}
	slices.SortFunc(c.Unread, func(a, b Unread) int { return a.Before(b.Place) })
	return c
}

func (c *Config) add(f File, values bool) {
	if f.Unseen != "" {
		c.Unread = append(c.Unread, Unread{Place: Place{f.Path, 1}, Why: f.Unseen})
		return
	}
	folder := path.Dir(f.Path)
	m := c.modules[folder]
	if m == nil {
		m = &module{locals: map[string]hcl.Expression{}, variables: map[string]hcl.Expression{}, known: map[string]cty.Value{}}
		c.modules[folder] = m
	}
	body, problems := parse(f)
	c.note(f.Path, problems)
	switch {
	case body == nil:
	case values:
		attributes, problems := body.JustAttributes()
		c.note(f.Path, problems)
		for name, a := range attributes {
			m.variables[name] = a.Expr
		}
	default:
		m.bodies = append(m.bodies, body)
		c.note(f.Path, m.define(body))
		if own, ok := body.(*hclsyntax.Body); ok {
			for _, a := range own.Attributes {
				c.note(f.Path, hcl.Diagnostics{{Severity: hcl.DiagError, Subject: &a.SrcRange}}) // Terraform has none outside of blocks
			}
		}
	}
}

func parse(f File) (hcl.Body, hcl.Diagnostics) {
	var file *hcl.File
	var problems hcl.Diagnostics
	if strings.HasSuffix(f.Path, ".json") {
		file, problems = json.Parse(bytes.TrimPrefix(f.Text, []byte("\ufeff")), f.Path)
	} else {
		file, problems = hclsyntax.ParseConfig(f.Text, f.Path, hcl.InitialPos)
	}
	if file == nil {
		return nil, problems
	}
	return file.Body, problems
}

// note keeps the first problem of a file: the others mostly follow from it.
func (c *Config) note(file string, problems hcl.Diagnostics) {
	for _, p := range problems {
		if p.Severity != hcl.DiagError || slices.ContainsFunc(c.Unread, func(u Unread) bool { return u.Path == file }) {
			continue
		}
		place := Place{Path: file, Line: 1}
		if p.Subject != nil && p.Subject.Start.Line > 0 {
			place.Line = p.Subject.Start.Line
		}
		c.Unread = append(c.Unread, Unread{Place: place, Why: "not valid Terraform"})
	}
}

// The blocks of a configuration that say something of resources.
var blocks = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "locals"},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "resource", LabelNames: []string{"type", "name"}},
	{Type: "module", LabelNames: []string{"name"}},
	{Type: "import"},
}}

func content(body hcl.Body, schema *hcl.BodySchema) (*hcl.BodyContent, hcl.Diagnostics) {
	found, _, problems := body.PartialContent(schema)
	if found == nil {
		found = &hcl.BodyContent{}
	}
	return found, problems
}

// define takes the locals and variables out of a file.
func (m *module) define(body hcl.Body) hcl.Diagnostics {
	found, problems := content(body, blocks)
	for _, block := range found.Blocks {
		switch block.Type {
		case "locals":
			attributes, more := block.Body.JustAttributes()
			problems = append(problems, more...)
			for name, a := range attributes {
				m.locals[name] = a.Expr
			}
		case "variable":
			variable, _ := content(block.Body, &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "default"}}})
			if a := variable.Attributes["default"]; a != nil {
				m.variables[block.Labels[0]] = a.Expr
			}
		}
	}
	return problems
}

// Resource is one thing that a resource block makes: each of those that for_each or
// count makes of it is one.
type Resource struct {
	Place
	Address string // aws_organizations_account.pond["dev"]
	Texts   map[string]Text
	Ignored []string // attributes whose changes outside Terraform it ignores; "all": every one
	Why     string   // why it isn't known how many the block makes; empty: it is
}

// Ignores tells whether an attribute of the real thing may differ from what the
// files say, and Terraform does nothing about it.
func (r Resource) Ignores(attribute string) bool {
	return slices.Contains(r.Ignored, attribute) || slices.Contains(r.Ignored, "all")
}

// Resources are the resources of a type, with the texts of some attributes, in the
// order of their places.
func (c *Config) Resources(kind string, attributes ...string) []Resource {
	schema := &hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "for_each"}, {Name: "count"}}, Blocks: []hcl.BlockHeaderSchema{{Type: "lifecycle"}},
	}
	for _, name := range attributes {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	var all []Resource
	c.each("resource", func(m *module, block *hcl.Block) {
		if block.Labels[0] != kind {
			return
		}
		found, _ := content(block.Body, schema)
		for _, one := range m.instances(found) {
			r := Resource{Place: placeOf(block.DefRange), Address: kind + "." + block.Labels[1] + one.key, Texts: map[string]Text{}, Ignored: ignored(found), Why: one.why}
			for _, name := range attributes {
				if a := found.Attributes[name]; a != nil {
					r.Texts[name] = m.text(a.Expr, one.with)
				}
			}
			all = append(all, r)
		}
	})
	slices.SortStableFunc(all, func(a, b Resource) int { return a.Before(b.Place) })
	return all
}

// each does something with every block of a type.
func (c *Config) each(kind string, do func(*module, *hcl.Block)) {
	for _, m := range c.modules {
		for _, body := range m.bodies {
			found, _ := content(body, blocks)
			for _, block := range found.Blocks {
				if block.Type == kind {
					do(m, block)
				}
			}
		}
	}
}

// ignored are the attributes that a resource's lifecycle ignores changes of.
func ignored(resource *hcl.BodyContent) []string {
	var names []string
	for _, block := range resource.Blocks {
		found, _ := content(block.Body, &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "ignore_changes"}}})
		a := found.Attributes["ignore_changes"]
		if a == nil {
			continue
		}
		list, problems := hcl.ExprList(a.Expr)
		if problems.HasErrors() {
			list = []hcl.Expression{a.Expr} // the word all
		}
		for _, e := range list {
			if to, problems := hcl.RelTraversalForExpr(e); !problems.HasErrors() && len(to) > 0 {
				if first, ok := to[0].(hcl.TraverseAttr); ok {
					names = append(names, first.Name)
				}
			}
		}
	}
	return names
}

// Import is an import block: Terraform takes what has the ID for the resource.
type Import struct {
	Place
	To string // as written; empty: nothing is
	ID Text
}

// Imports are the import blocks.
func (c *Config) Imports() []Import {
	schema := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "to"}, {Name: "id"}, {Name: "for_each"}}}
	var all []Import
	c.each("import", func(m *module, block *hcl.Block) {
		found, _ := content(block.Body, schema)
		id := found.Attributes["id"]
		if id == nil {
			return
		}
		for _, one := range m.instances(found) {
			i := Import{Place: placeOf(id.Range), ID: m.text(id.Expr, one.with)}
			if to := found.Attributes["to"]; to != nil {
				if t, problems := hcl.AbsTraversalForExpr(to.Expr); !problems.HasErrors() {
					i.To = traversal(t)
				} else if names := to.Expr.Variables(); len(names) > 0 { // with each.key as an index
					i.To = traversal(names[0])
				}
			}
			all = append(all, i)
		}
	})
	slices.SortStableFunc(all, func(a, b Import) int { return a.Before(b.Place) })
	return all
}
