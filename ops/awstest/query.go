package awstest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// queryWire is the awsQuery protocol: parameters as a form, answers in XML of this namespace.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func queryWire(namespace string) wire {
	return wire{
		invalidKey: "InvalidClientTokenId", badSignature: "SignatureDoesNotMatch", expired: "ExpiredToken",
		noCredentials: "MissingAuthenticationToken", accessDenied: "AccessDenied", throttled: "Throttling",
		unknownAction: "InvalidAction", frontStatus: 403, deniedStatus: 403, throttledStatus: 400,
		answer: func(w http.ResponseWriter, r *request, out any) {
			w.Header().Set("Content-Type", "text/xml")
			fmt.Fprintf(w, "<%sResponse xmlns=%q>", r.action, namespace)
			if out != nil {
				xml.NewEncoder(w).EncodeElement(out, xml.StartElement{Name: xml.Name{Local: r.action + "Result"}})
			}
			fmt.Fprintf(w, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>\n", r.id, r.action)
		},
		fail: func(w http.ResponseWriter, r *request, f *failure) {
			type fault struct {
				XMLName   xml.Name `xml:"ErrorResponse"`
				Namespace string   `xml:"xmlns,attr"`
				Type      string   `xml:"Error>Type"`
				Code      string   `xml:"Error>Code"`
				Message   string   `xml:"Error>Message"`
				RequestID string   `xml:"RequestId"`
			}
			out := fault{Namespace: namespace, Type: "Sender", Code: f.code, Message: f.message, RequestID: r.id}
			if f.status >= 500 {
				out.Type = "Receiver"
			}
			w.Header().Set("Content-Type", "text/xml")
			w.WriteHeader(f.status)
			xml.NewEncoder(w).Encode(out)
		},
	}
}

// queryAction reads the action out of the form; version is the API's.
func queryAction(version string) func(*request) string {
	return func(r *request) string {
		form, err := url.ParseQuery(string(r.body))
		if err != nil || r.http.Method != http.MethodPost || form.Get("Version") != version {
			return ""
		}
		return form.Get("Action")
	}
}

// queryCall is a call whose parameters are the form's fields of the same names as those of In: strings, booleans, numbers,
// lists of strings (Name.member.1) and of tags (Name.member.1.Key). Fields In doesn't have are refused. A field tagged
// `query:"required"` must be there; shapes says what the others may look like.
func queryCall[In any](iam string, shapes map[string]shape, resources func(*request, *In) []string, run func(*request, *In) (any, error)) call {
	return call{
		iam: iam,
		decode: func(r *request) (any, error) {
			in := new(In)
			return in, r.decodeForm(reflect.ValueOf(in).Elem(), shapes)
		},
		resources: func(r *request, in any) []string { return resources(r, in.(*In)) },
		run:       func(r *request, in any) (any, error) { return run(r, in.(*In)) },
	}
}

// shape is what the value of a parameter may be: ok says whether it is, and rule is that in the API's words.
type shape struct {
	ok   func(string) bool
	rule string
}

func (r *request) decodeForm(in reflect.Value, shapes map[string]shape) error {
	form, err := url.ParseQuery(string(r.body))
	if err != nil {
		return fail(400, "MalformedInput", "%v", err)
	}
	form.Del("Action")
	form.Del("Version")
	given := map[string]any{}
	for _, field := range reflect.VisibleFields(in.Type()) {
		if field.Anonymous {
			continue
		}
		value := in.FieldByIndex(field.Index)
		found, err := takeField(form, field.Name, value)
		if err != nil {
			return fail(400, "MalformedInput", "%s: %v", field.Name, err)
		}
		if !found {
			if field.Tag.Get("query") == "required" {
				return fail(400, "ValidationError", "1 validation error detected: Value null at '%s' failed to satisfy "+
					"constraint: Member must not be null", lowerFirst(field.Name))
			}
			continue
		}
		given[field.Name] = value.Interface()
		s, ok := shapes[field.Name]
		if text := fmt.Sprint(value.Interface()); ok && !s.ok(text) {
			return fail(400, "ValidationError", "%s", constraint(lowerFirst(field.Name), text, s.rule))
		}
	}
	r.entry.Params, _ = json.Marshal(given)
	if len(form) > 0 {
		names := slices.Sorted(maps.Keys(form))
		r.cloud.problem("%s: parameters %s, which awstest doesn't have", r.name(), strings.Join(names, ", "))
		return fail(400, "ValidationError", "awstest doesn't have the parameters %s", strings.Join(names, ", "))
	}
	return nil
}

// takeField moves what the form says about a field into it, and out of the form.
func takeField(form url.Values, name string, field reflect.Value) (found bool, err error) {
	take := func(name string) (string, bool) {
		values, ok := form[name]
		delete(form, name)
		return strings.Join(values, ""), ok
	}
	if field.Kind() != reflect.Slice {
		text, ok := take(name)
		if !ok {
			return false, nil
		}
		switch field.Kind() {
		case reflect.String:
			field.SetString(text)
		case reflect.Bool:
			var b bool
			b, err = strconv.ParseBool(text)
			field.SetBool(b)
		case reflect.Int:
			var n int
			n, err = strconv.Atoi(text)
			field.SetInt(int64(n))
		default:
			err = fmt.Errorf("awstest has no form of %s", field.Type())
		}
		return true, err
	}
	_, found = take(name) // an empty list is sent as its bare name
	for n := 1; ; n++ {
		member := fmt.Sprintf("%s.member.%d", name, n)
		switch list := field.Addr().Interface().(type) {
		case *[]string:
			text, ok := take(member)
			if !ok {
				return found, nil
			}
			*list = append(*list, text)
		case *[]sessionTag:
			key, hasKey := take(member + ".Key")
			value, hasValue := take(member + ".Value")
			if !hasKey && !hasValue {
				return found, nil
			}
			*list = append(*list, sessionTag{key, value})
		default:
			return false, fmt.Errorf("awstest has no form of %s", field.Type())
		}
		found = true
	}
}
