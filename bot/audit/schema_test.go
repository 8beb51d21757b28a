package audit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"
)

// schema is the part of OCSF in testdata/ocsf-1.3.0.json, which says there where
// it is from.
type schema struct {
	Version string           `json:"version"`
	Classes map[string]shape `json:"classes"` // by class_uid
	Objects map[string]shape `json:"objects"`
}

type shape struct {
	AtLeastOne []string             `json:"at_least_one"`
	Attributes map[string]attribute `json:"attributes"`
}

type attribute struct {
	Type        string            `json:"type"`
	Requirement string            `json:"requirement"`
	Profile     string            `json:"profile"` // it is there in events of that profile only
	IsArray     bool              `json:"is_array"`
	Sibling     string            `json:"sibling"` // has the caption of an enum's value
	Enum        map[string]string `json:"enum"`
}

func published(t *testing.T) schema {
	t.Helper()
	text, err := os.ReadFile("testdata/ocsf-1.3.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var s schema
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// faults are what an event has that the schema doesn't allow.
func (s schema) faults(line []byte) []string {
	var e map[string]any
	if err := json.Unmarshal(line, &e); err != nil {
		return []string{err.Error()}
	}
	class, ok := s.Classes[fmt.Sprint(e["class_uid"])]
	if !ok {
		return []string{fmt.Sprintf("class_uid %v isn't one", e["class_uid"])}
	}
	var profiles []any
	metadata, _ := e["metadata"].(map[string]any)
	profiles, _ = metadata["profiles"].([]any)
	faults := s.in("", class, e, profiles)
	if metadata["version"] != s.Version {
		faults = append(faults, fmt.Sprintf("metadata.version %v", metadata["version"]))
	}
	uid, _ := e["class_uid"].(float64)
	id, _ := e["activity_id"].(float64)
	if e["type_uid"] != uid*100+id {
		faults = append(faults, fmt.Sprintf("type_uid %v of class %v and activity %v", e["type_uid"], uid, id))
	}
	return faults
}

func (s schema) in(path string, want shape, got map[string]any, profiles []any) []string {
	var faults []string
	fault := func(name, format string, args ...any) {
		faults = append(faults, path+name+" "+fmt.Sprintf(format, args...))
	}
	for _, name := range slices.Sorted(maps.Keys(want.Attributes)) {
		a := want.Attributes[name]
		here := a.Profile == "" || slices.Contains(profiles, any(a.Profile))
		v, ok := got[name]
		switch {
		case ok && !here:
			fault(name, "without its profile")
		case !ok && here && a.Requirement == "required":
			fault(name, "is missing")
		}
		if !ok {
			continue
		}
		list, isList := v.([]any)
		if isList != a.IsArray {
			fault(name, "is a list: %v", isList)
			continue
		}
		if !isList {
			list = []any{v}
		}
		for _, one := range list {
			faults = append(faults, s.value(path+name, a, one, profiles)...)
			if caption := a.Enum[text(one)]; a.Sibling != "" && got[a.Sibling] != nil && text(one) != "99" && got[a.Sibling] != caption {
				fault(a.Sibling, "is %v, and %s is %s", got[a.Sibling], name, caption)
			}
		}
	}
	for name := range got {
		if _, ok := want.Attributes[name]; !ok {
			fault(name, "isn't in the schema")
		}
	}
	if len(want.AtLeastOne) > 0 && !slices.ContainsFunc(want.AtLeastOne, func(name string) bool { return got[name] != nil }) {
		fault("", "has none of %v", want.AtLeastOne)
	}
	return faults
}

func (s schema) value(path string, a attribute, v any, profiles []any) []string {
	if a.Enum != nil {
		if _, ok := a.Enum[text(v)]; !ok {
			return []string{fmt.Sprintf("%s %v isn't one of the enum", path, v)}
		}
	}
	ok := false
	switch a.Type {
	case "integer_t", "long_t", "timestamp_t":
		n, isNumber := v.(float64)
		ok = isNumber && n == math.Trunc(n)
	case "string_t", "username_t":
		text, isText := v.(string)
		ok = isText && text != "" && len(text) <= 65_535
	case "json_t":
		ok = true
	case "object":
		_, ok = v.(map[string]any)
	default:
		inner, isObject := v.(map[string]any)
		want, known := s.Objects[a.Type]
		if isObject && known {
			return s.in(path+".", want, inner, profiles)
		}
	}
	if !ok {
		return []string{fmt.Sprintf("%s %v isn't a %s", path, v, a.Type)}
	}
	return nil
}

func text(v any) string {
	if n, ok := v.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
