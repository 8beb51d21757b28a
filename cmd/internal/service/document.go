package service

import (
	"fmt"
	"reflect"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/aws-root-account/rootbot/ops/catalog"
)

// document makes a struct to decode the whole file into: Config and, under
// operations, a field for each operation's settings and terms. The YAML package
// checks for unknown keys only in one decoding from the text, and what
// operations there are is the catalog's to say; so the struct's type is made here.
func document(config *Config, settings []catalog.Settings, terms []*termsConfig) reflect.Value {
	var fields []reflect.StructField
	for i, s := range settings {
		both := reflect.StructOf([]reflect.StructField{
			{Name: "Terms", Type: reflect.TypeOf(terms[i]), Tag: `yaml:",inline"`},
			{Name: "Settings", Type: reflect.TypeOf(s), Tag: `yaml:",inline"`},
		})
		fields = append(fields, reflect.StructField{
			Name: "Operation" + strconv.Itoa(i), Type: both, Tag: reflect.StructTag(fmt.Sprintf(`yaml:"%s"`, s.Name())),
		})
	}
	whole := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Config", Type: reflect.TypeOf(config), Tag: `yaml:",inline"`},
		{Name: "Operations", Type: reflect.StructOf(fields), Tag: `yaml:"operations"`},
	}))
	whole.Elem().Field(0).Set(reflect.ValueOf(config))
	for i, s := range settings {
		both := whole.Elem().Field(1).Field(i)
		both.Field(0).Set(reflect.ValueOf(terms[i]))
		both.Field(1).Set(reflect.ValueOf(s))
	}
	return whole
}

func top(root *yaml.Node) *yaml.Node {
	if root == nil || len(root.Content) == 0 {
		return nil
	}
	return root.Content[0]
}

// child is the value under a key of a mapping, or with an index of a sequence.
func child(node *yaml.Node, key string) *yaml.Node {
	if node == nil {
		return nil
	}
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == key {
				return node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(key); err == nil && i < len(node.Content) {
			return node.Content[i]
		}
	}
	return nil
}

// lineOf is the line of the deepest key of a path that the file has.
func lineOf(root *yaml.Node, keys ...string) int {
	node, line := top(root), 1
	for _, key := range keys {
		next := child(node, key)
		if next == nil {
			break
		}
		node = next
		line = node.Line
		// A mapping begins below its key; people look for the key.
		if node.Kind == yaml.MappingNode && node.Style&yaml.FlowStyle == 0 && line > 1 {
			line--
		}
	}
	return line
}
