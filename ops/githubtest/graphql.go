package githubtest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

const graphPath = "/graphql"

// graphError is one of the errors that come with status 200.
type graphError struct {
	kind       string // "NOT_FOUND"; validation has none
	message    string
	at         position
	path       []any
	extensions map[string]any
	unknown    bool // GitHub may well know it: a problem
}

func (e *graphError) json() map[string]any {
	m := map[string]any{"message": e.message}
	if e.kind != "" {
		m["type"] = e.kind
	}
	if e.path != nil {
		m["path"] = e.path
	}
	if e.extensions != nil {
		m["extensions"] = e.extensions
	}
	if e.at.line > 0 {
		m["locations"] = []map[string]any{{"line": e.at.line, "column": e.at.column}}
	}
	return m
}

// graphErrors answers with errors and no data: the query wasn't executed.
func graphErrors(errors ...*graphError) answer {
	list := []map[string]any{}
	for _, e := range errors {
		list = append(list, e.json())
	}
	return answer{status: http.StatusOK, body: map[string]any{"errors": list}}
}

// queryGraph is the one endpoint of the GraphQL API. Every query costs one point.
// https://docs.github.com/en/graphql/guides/forming-calls-with-graphql
func queryGraph(s *Server, r *request) answer {
	var asked struct {
		Query         any             `json:"query"`
		Variables     json.RawMessage `json:"variables"`
		OperationName string          `json:"operationName"`
	}
	variables := map[string]any{}
	if json.Unmarshal(r.content, &asked) != nil || len(asked.Variables) > 0 && decodeNumbers(asked.Variables, &variables) != nil {
		return refuse(http.StatusBadRequest, "Problems parsing JSON", docGraph)
	}
	text, _ := asked.Query.(string)
	if strings.TrimSpace(text) == "" {
		return graphErrors(&graphError{message: "A query attribute must be specified and must be a string."})
	}
	q, err := parseQuery(text)
	if err != nil {
		return s.refuseGraph(r, err)
	}
	if asked.OperationName != "" && asked.OperationName != q.name {
		return s.refuseGraph(r, &graphError{message: `No operation named "` + asked.OperationName + `"`})
	}
	if errors := validate(q); len(errors) > 0 {
		return s.refuseGraph(r, errors...)
	}
	values, errors := coerce(q, variables)
	if len(errors) > 0 {
		return s.refuseGraph(r, errors...)
	}
	if errors := unscoped(q, r.who); len(errors) > 0 {
		return graphErrors(errors...)
	}
	return execute(s, r.who, q, values)
}

// refuseGraph answers with errors and writes down what GitHub may know.
func (s *Server) refuseGraph(r *request, errors ...*graphError) answer {
	for _, e := range errors {
		if e.unknown {
			s.problem("%s %s: at [%d, %d]: %s (githubtest knows a corner of GraphQL)", r.Method, r.URL.Path, e.at.line, e.at.column, e.message)
		}
	}
	return graphErrors(errors...)
}

// decodeNumbers is json.Unmarshal that tells 1 from 1.0.
func decodeNumbers(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(into)
}
