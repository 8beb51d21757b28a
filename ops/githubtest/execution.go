package githubtest

import (
	"bytes"
	"net/http"
	"slices"
)

// execution is one query being answered.
type execution struct {
	s         *Server
	who       caller
	schema    map[string]map[string]graphField
	variables map[string]any
	errors    []map[string]any
}

// ordered is a JSON object whose names stand in the order in which the query has them.
type ordered []member

type member struct {
	name  string
	value any
}

func (o ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(encode(m.name))
		b.WriteByte(':')
		b.Write(encode(m.value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// execute answers a query that is valid. What can't be had is null, with an error that says where and why.
// https://spec.graphql.org/October2021/#sec-Execution
func execute(s *Server, who caller, q *query, variables map[string]any) answer {
	x := &execution{s: s, who: who, schema: schema(), variables: variables}
	data, ok := x.object("Query", nil, q.fields, nil)
	body := map[string]any{"data": data}
	if !ok {
		body["data"] = nil
	}
	if len(x.errors) > 0 {
		body["errors"] = x.errors
	}
	return answer{status: http.StatusOK, body: body}
}

// object is the fields that are asked for of a thing; false where one that is required can't be had.
func (x *execution) object(kind string, parent any, asked []*selection, path []any) (ordered, bool) {
	o := ordered{}
	for _, a := range asked {
		field, path := x.schema[kind][a.name], append(slices.Clone(path), a.name)
		if slices.ContainsFunc(o, func(m member) bool { return m.name == a.name }) {
			continue
		}
		value, err := field.resolve(x, parent, x.given(a))
		if err != nil {
			err.path, err.at = path, a.at
			x.errors = append(x.errors, err.json())
		}
		if err == nil {
			value = x.complete(field, value, a, path)
		}
		if value == nil && field.required {
			return nil, false
		}
		o = append(o, member{a.name, value})
	}
	return o, true
}

// complete is a thing, or a list of them, as JSON.
func (x *execution) complete(field graphField, value any, asked *selection, path []any) any {
	if things, ok := value.([]any); ok && field.list {
		field.list = false
		all := []any{}
		for i, thing := range things {
			all = append(all, x.complete(field, thing, asked, append(slices.Clone(path), i)))
		}
		return all
	}
	if value == nil || !asked.braces {
		return value
	}
	o, ok := x.object(field.kind, value, asked.fields, path)
	if !ok {
		return nil
	}
	return o
}

// given is the arguments of a field by name. Those that are null aren't there.
func (x *execution) given(asked *selection) map[string]any {
	values := map[string]any{}
	for _, a := range asked.arguments {
		value := a.value.value
		if a.value.variable != "" {
			value = x.variables[a.value.variable]
		}
		if value != nil {
			values[a.name] = value
		}
	}
	return values
}
