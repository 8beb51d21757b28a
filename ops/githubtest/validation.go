package githubtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// validation is what is wrong with a query whoever asks it.
type validation struct {
	q      *query
	schema map[string]map[string]graphField
	used   map[string]bool // variables
	errors []*graphError
}

// validate compares a query with the schema. Its errors come all at once.
func validate(q *query) []*graphError {
	v := &validation{q: q, schema: schema(), used: map[string]bool{}}
	v.selections("Query", q.fields, q.path())
	for _, declared := range q.variables {
		v.declaration(declared)
	}
	return v.errors
}

// fail adds an error with GitHub's code for it; details are names and values, in turns.
func (v *validation) fail(e *graphError, path []any, code string, details ...string) {
	e.path, e.extensions = path, map[string]any{"code": code}
	for i := 0; i < len(details); i += 2 {
		e.extensions[details[i]] = details[i+1]
	}
	v.errors = append(v.errors, e)
}

func (v *validation) declaration(declared variable) {
	name, written := declared.name, declared.written()
	switch {
	case !slices.Contains(scalars, declared.kind):
		v.fail(&graphError{message: fmt.Sprintf("%s isn't a defined input type (on $%s)", declared.kind, name), at: declared.at, unknown: true},
			v.q.path(), "variableRequiresValidType", "typeName", declared.kind, "variableName", name)
	case declared.defaulted && !(graphArgument{kind: declared.kind, required: declared.required}).takes(declared.otherwise.value):
		v.fail(&graphError{message: fmt.Sprintf("Default value for $%s doesn't match type %s", name, written), at: declared.at},
			v.q.path(), "defaultValueInvalidType", "variableName", name, "typeName", written)
	case !v.used[name]:
		v.fail(&graphError{message: fmt.Sprintf("Variable $%s is declared by %s but not used", name, v.q.label()), at: declared.at},
			v.q.path(), "variableNotUsed", "variableName", name)
	}
}

func (v *validation) selections(kind string, list []*selection, path []any) {
	seen := map[string]bool{}
	for _, asked := range list {
		path := append(slices.Clone(path), asked.name)
		field, ok := v.schema[kind][asked.name]
		if !ok {
			v.fail(&graphError{message: fmt.Sprintf("Field '%s' doesn't exist on type '%s'", asked.name, kind), at: asked.at, unknown: true},
				path, "undefinedField", "typeName", kind, "fieldName", asked.name)
			continue
		}
		v.arguments(asked, field, path)
		scalar := slices.Contains(scalars, field.kind)
		switch {
		case scalar && asked.braces:
			v.fail(&graphError{message: fmt.Sprintf("Selections can't be made on scalars (field '%s' returns %s but has selections)", asked.name, field.kind), at: asked.at},
				path, "selectionMismatch", "nodeName", "field '"+asked.name+"'", "typeName", field.kind)
		case !scalar && !asked.braces:
			v.fail(&graphError{message: fmt.Sprintf("Field must have selections (field '%s' returns %s but has no selections. Did you mean '%s { ... }'?)", asked.name, field.kind, asked.name), at: asked.at},
				path, "selectionMismatch", "nodeName", "field '"+asked.name+"'", "typeName", field.kind)
		case seen[asked.name] && !scalar:
			v.errors = append(v.errors, &graphError{message: "githubtest doesn't know how to merge fields", at: asked.at, path: path, unknown: true})
		default:
			v.selections(field.kind, asked.fields, path)
		}
		seen[asked.name] = true
	}
}

func (v *validation) arguments(asked *selection, field graphField, path []any) {
	given := map[string]bool{}
	for _, a := range asked.arguments {
		path := append(slices.Clone(path), a.name)
		wanted, ok := field.argument(a.name)
		given[a.name] = true
		switch {
		case !ok:
			v.fail(&graphError{message: fmt.Sprintf("Field '%s' doesn't accept argument '%s'", asked.name, a.name), at: a.at, unknown: true},
				path, "argumentNotAccepted", "name", asked.name, "typeName", "Field", "argumentName", a.name)
			v.used[a.value.variable] = true
		case a.value.variable != "":
			v.variable(a, wanted, path)
		case !wanted.takes(a.value.value):
			v.fail(&graphError{message: fmt.Sprintf("Argument '%s' on Field '%s' has an invalid value (%s). Expected type '%s'.", a.name, asked.name, a.value.text, wanted.written()), at: asked.at},
				path, "argumentLiteralsIncompatible", "typeName", "Field", "argumentName", a.name)
		}
	}
	var missing []string
	for _, wanted := range field.arguments {
		if wanted.required && !given[wanted.name] {
			missing = append(missing, wanted.name)
		}
	}
	if len(missing) > 0 {
		names := strings.Join(missing, ", ")
		v.fail(&graphError{message: fmt.Sprintf("Field '%s' is missing required arguments: %s", asked.name, names), at: asked.at},
			path, "missingRequiredArguments", "className", "Field", "name", asked.name, "arguments", names)
	}
}

// variable compares the type of a variable with that of the argument it's given for.
func (v *validation) variable(a argument, wanted graphArgument, path []any) {
	name := a.value.variable
	v.used[name] = true
	i := slices.IndexFunc(v.q.variables, func(declared variable) bool { return declared.name == name })
	if i < 0 {
		v.fail(&graphError{message: fmt.Sprintf("Variable $%s is used by %s but not declared", name, v.q.label()), at: a.at},
			path, "variableNotDefined", "variableName", name)
		return
	}
	declared := v.q.variables[i]
	var mismatch string
	switch {
	case declared.kind != wanted.kind:
		mismatch = "Type mismatch"
	case wanted.required && !declared.required && (!declared.defaulted || declared.otherwise.value == nil):
		mismatch = "Nullability mismatch"
	default:
		return
	}
	v.fail(&graphError{message: fmt.Sprintf("%s on variable $%s and argument %s (%s / %s)", mismatch, name, a.name, declared.written(), wanted.written()), at: a.at},
		path, "variableMismatch", "variableName", name, "typeName", declared.written(), "argumentName", a.name, "errorMessage", mismatch)
}

func (a graphArgument) written() string {
	return variable{kind: a.kind, required: a.required}.written()
}

// takes reports whether a value that stands in the query is of the argument's type.
func (a graphArgument) takes(value any) bool {
	switch value.(type) {
	case nil:
		return !a.required
	case string:
		return a.kind == "String" || a.kind == "ID"
	case int64:
		return a.kind == "Int"
	case bool:
		return a.kind == "Boolean"
	}
	return false
}

// coerce is the values of a query's variables, as the call gives them and by their types. Those that aren't given and have
// no default aren't there; those that the query doesn't declare don't matter.
func coerce(q *query, given map[string]any) (map[string]any, []*graphError) {
	values := map[string]any{}
	var errors []*graphError
	for _, v := range q.variables {
		raw, ok := given[v.name]
		if !ok && v.defaulted {
			values[v.name] = v.otherwise.value
			continue
		}
		value, problem := v.coerce(raw)
		if problem == "" {
			if ok {
				values[v.name] = value
			}
			continue
		}
		errors = append(errors, &graphError{
			message: fmt.Sprintf("Variable $%s of type %s was provided invalid value", v.name, v.written()), at: v.at,
			extensions: map[string]any{"value": raw, "problems": []map[string]any{{"path": []any{}, "explanation": problem}}},
		})
	}
	return values, errors
}

// coerce is a value as it stands in JSON by the variable's type, or what GitHub says of it.
func (v variable) coerce(raw any) (value any, problem string) {
	ok := false
	switch raw := raw.(type) {
	case nil:
		if v.required {
			return nil, "Expected value to not be null"
		}
		return nil, ""
	case string:
		value, ok = raw, v.kind == "String" || v.kind == "ID"
	case bool:
		value, ok = raw, v.kind == "Boolean"
	case json.Number:
		whole, err := strconv.ParseInt(raw.String(), 10, 32)
		value, ok = whole, err == nil && v.kind == "Int"
	}
	if !ok {
		return nil, fmt.Sprintf("Could not coerce value %s to %s", encode(raw), v.kind)
	}
	return value, ""
}

// unscoped is what a classic token may not ask for. GitHub says so before it looks at anything else.
func unscoped(q *query, who caller) []*graphError {
	if !who.classic() {
		return nil
	}
	var errors []*graphError
	known := schema()
	var walk func(string, []*selection)
	walk = func(kind string, list []*selection) {
		for _, asked := range list {
			field := known[kind][asked.name]
			if len(field.scopes) > 0 && !who.scoped(field.scopes...) {
				errors = append(errors, &graphError{kind: "INSUFFICIENT_SCOPES", at: asked.at, message: fmt.Sprintf(
					"Your token has not been granted the required scopes to execute this query. The '%s' field requires one of the following scopes: ['%s'], but your token has only been granted the: ['%s'] scopes. Please modify your token's scopes at: https://github.com/settings/tokens.",
					asked.name, strings.Join(field.scopes, "', '"), strings.Join(who.token.scopes, "', '"))})
			}
			walk(field.kind, asked.fields)
		}
	}
	walk("Query", q.fields)
	return errors
}
