package terraform

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Argument is a text somewhere in the arguments of a block.
type Argument struct {
	Place
	Keys []string // that lead to it: the argument's name first
	Text Text
}

// Maker is a block of which the files don't tell what comes of its arguments: a module, or a
// resource by which AWS makes others.
type Maker struct {
	Place
	Name      string // "module.pond", "aws_cloudformation_stack.pond"
	Arguments []Argument
}

// Modules are the module blocks that make anything.
func (c *Config) Modules() []Maker {
	return c.makers("module", func(labels []string) string { return "module." + labels[0] })
}

// Makers are the resource blocks of some types, with all that stands in them.
func (c *Config) Makers(kinds ...string) []Maker {
	return c.makers("resource", func(labels []string) string {
		if !slices.Contains(kinds, labels[0]) {
			return ""
		}
		return labels[0] + "." + labels[1]
	})
}

func (c *Config) makers(kind string, name func(labels []string) string) []Maker {
	repeating := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "for_each"}, {Name: "count"}}}
	var all []Maker
	c.each(kind, func(m *module, block *hcl.Block) {
		one := Maker{Place: placeOf(block.DefRange), Name: name(block.Labels)}
		if one.Name == "" {
			return
		}
		found, _ := content(block.Body, repeating)
		instances := m.instances(found)
		for _, i := range instances {
			m.arguments(nil, block.Body, i.with, func(a Argument) { one.Arguments = append(one.Arguments, a) })
		}
		slices.SortStableFunc(one.Arguments, func(a, b Argument) int { return a.Before(b.Place) })
		if len(instances) > 0 {
			all = append(all, one)
		}
	})
	slices.SortStableFunc(all, func(a, b Maker) int { return a.Before(b.Place) })
	return all
}

// arguments tells of every text in a block and the blocks within it.
func (m *module) arguments(keys []string, body hcl.Body, with scope, tell func(Argument)) {
	attributes, _ := body.JustAttributes()
	for name, a := range attributes {
		within := append(slices.Clone(keys), name)
		at := placeOf(a.Range)
		if v := m.value(a.Expr, with); v.IsKnown() {
			m.walk(within, v, at, tell)
			continue
		}
		text := m.text(a.Expr, with)
		text.Place = at
		tell(Argument{Place: at, Keys: within, Text: text})
	}
	if own, ok := body.(*hclsyntax.Body); ok && len(keys) < deepest { // in JSON, blocks are attributes
		for _, inner := range own.Blocks {
			m.arguments(append(slices.Clone(keys), inner.Type), inner.Body, with, tell)
		}
	}
}
