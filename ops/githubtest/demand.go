package githubtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// decode reads a call's JSON body, or says what GitHub says of one that can't be read.
func (r *request) decode(into any) (answer, bool) {
	if len(bytes.TrimSpace(r.content)) == 0 {
		return answer{}, true
	}
	err := json.Unmarshal(r.content, into)
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return answer{}, true
	case errors.As(err, &kind):
		return r.unprocessable(fmt.Sprintf("Invalid request.\n\nFor 'properties/%s', %s is not a %s.", kind.Field, kind.Value, kind.Type)), false
	}
	return refuse(http.StatusBadRequest, "Problems parsing JSON", r.route.doc), false
}

// supplied takes names and whether they're there, in turns, and refuses for those that aren't, as GitHub words it.
func (r *request) supplied(fields ...any) (answer, bool) {
	var missing []string
	for i := 0; i < len(fields); i += 2 {
		if !fields[i+1].(bool) {
			missing = append(missing, fmt.Sprintf("%q", fields[i]))
		}
	}
	switch len(missing) {
	case 0:
		return answer{}, true
	case 1:
		return r.unprocessable("Invalid request.\n\n" + missing[0] + " wasn't supplied."), false
	}
	return r.unprocessable("Invalid request.\n\n" + strings.Join(missing, ", ") + " weren't supplied."), false
}

func (r *request) unprocessable(message string) answer {
	return refuse(http.StatusUnprocessableEntity, message, r.route.doc)
}

// invalid is a 422 with the list of errors that most of GitHub's validations have.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api#validation-failed
func (r *request) invalid(errors ...map[string]any) answer {
	a := r.unprocessable("Validation Failed")
	a.body.(map[string]any)["errors"] = errors
	return a
}

// custom is the kind of validation error that says in words what is wrong.
func custom(resource, message string) map[string]any {
	return map[string]any{"resource": resource, "code": "custom", "message": message}
}

func faulty(resource, field, code string) map[string]any {
	return map[string]any{"resource": resource, "field": field, "code": code}
}

// wants reports whether a call's Accept asks for that media type of GitHub's: "raw" for application/vnd.github.raw+json
// and its older spellings.
// https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#media-types
func (r *request) wants(media string) bool {
	for accept := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		kind, found := strings.CutPrefix(strings.TrimSpace(accept), "application/vnd.github.")
		kind = strings.TrimPrefix(strings.TrimSuffix(kind, "+json"), "v3.")
		if found && kind == media {
			return true
		}
	}
	return false
}

// whole answers with bytes instead of JSON.
func whole(media string, data []byte) answer {
	if data == nil {
		data = []byte{}
	}
	return answer{status: http.StatusOK, raw: data, header: http.Header{"Content-Type": {"application/vnd.github." + media + "; charset=utf-8"}}}
}

// nullable tells what is null from what isn't there.
type nullable[T any] struct {
	set   bool
	value *T
}

func (n *nullable[T]) UnmarshalJSON(data []byte) error {
	n.set = true
	return json.Unmarshal(data, &n.value)
}

// unknown is the answer to what GitHub has and this one hasn't.
func (r *request) unknown(s *Server) answer {
	s.problem("%s %s (Accept %q): githubtest doesn't know this endpoint", r.Method, r.URL.Path, r.Header.Get("Accept"))
	return r.notFound()
}
