package removeuser

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// edit takes one user out of the two files that define users, and changes
// nothing else in them: the text around what goes stays as it is, byte by byte.
type edit struct {
	users, members string // the files without the user
	resource       string // the user's name in Terraform; empty: not defined
	inUsers        bool
	inMembers      bool
}

func (e edit) found() bool { return e.inUsers || e.inMembers }

// removeFrom edits the texts of the files. The user is found by the full name.
func removeFrom(users, members, name string) (edit, error) {
	e := edit{users: users, members: members}
	found, err := elements(users, "resource")
	if err != nil {
		return e, fmt.Errorf("the file of users: %w", err)
	}
	for _, element := range found {
		var block struct {
			User map[string]struct {
				Name string `json:"name"`
			} `json:"aws_iam_user"`
		}
		var kinds map[string]json.RawMessage
		if err := json.Unmarshal([]byte(users[element.start:element.end]), &kinds); err != nil {
			return e, fmt.Errorf("the file of users: %w", err)
		}
		if err := json.Unmarshal([]byte(users[element.start:element.end]), &block); err != nil {
			return e, fmt.Errorf("the file of users: %w", err)
		}
		for resource, user := range block.User {
			if !strings.EqualFold(user.Name, name) {
				continue
			}
			if len(block.User) != 1 || len(kinds) != 1 {
				return e, fmt.Errorf("the file of users: %s shares a block with others", name)
			}
			if e.inUsers {
				return e, fmt.Errorf("the file of users: %s is defined twice", name)
			}
			e.resource, e.inUsers = resource, true
			e.users = cutElement(users, found, element)
		}
	}
	if !e.inUsers {
		return e, nil
	}
	var groups struct {
		Resource struct {
			Membership map[string]json.RawMessage `json:"aws_iam_group_membership"`
		} `json:"resource"`
	}
	if json.Unmarshal([]byte(members), &groups) == nil && len(groups.Resource.Membership) > 1 {
		return e, errors.New("the file of members: there are several groups in it")
	}
	listed, err := elements(members, "resource", "aws_iam_group_membership", "*", "users")
	if err != nil {
		return e, fmt.Errorf("the file of members: %w", err)
	}
	for _, element := range listed {
		var reference string
		if err := json.Unmarshal([]byte(members[element.start:element.end]), &reference); err != nil {
			return e, fmt.Errorf("the file of members: %w", err)
		}
		if reference == "${aws_iam_user."+e.resource+".name}" {
			if e.inMembers {
				return e, fmt.Errorf("the file of members: %s is listed twice", name)
			}
			e.inMembers = true
			e.members = cutElement(members, listed, element)
		}
	}
	return e, e.check()
}

// check makes sure that both texts are JSON still.
func (e edit) check() error {
	for _, text := range []string{e.users, e.members} {
		if !json.Valid([]byte(text)) {
			return fmt.Errorf("taking %s out would leave no valid JSON", e.resource)
		}
	}
	return nil
}

// extent is where an element of an array stands in a text.
type extent struct{ start, end int }

// elements finds the elements of the array at a path of keys; "*" is any one
// key of an object that has just one.
func elements(text string, path ...string) ([]extent, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	for _, key := range path {
		if err := enter(decoder, key); err != nil {
			return nil, err
		}
	}
	if open, err := decoder.Token(); err != nil || open != json.Delim('[') {
		return nil, fmt.Errorf("no list at %s", strings.Join(path, "."))
	}
	var found []extent
	for decoder.More() {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, err
		}
		end := int(decoder.InputOffset())
		found = append(found, extent{end - len(raw), end})
	}
	return found, nil
}

// enter moves the decoder to the value of a key of the object that comes next.
func enter(decoder *json.Decoder, key string) error {
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return fmt.Errorf("no object with the key %q", key)
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return err
		}
		if name == key || key == "*" {
			return nil
		}
		var skipped json.RawMessage
		if err := decoder.Decode(&skipped); err != nil {
			return err
		}
	}
	return fmt.Errorf("no key %q", key)
}

// cutElement takes an element out, with the comma that then is too many.
func cutElement(text string, all []extent, which extent) string {
	start, end := which.start, which.end
	switch {
	case which != all[len(all)-1]:
		// Up to where the next one begins.
		for _, e := range all {
			if e.start > which.start {
				end = e.start
				break
			}
		}
	case len(all) > 1:
		// The last: from where the one before ends.
		start = all[len(all)-2].end
	default:
		// The only one: the space on both sides goes as well.
		start -= len(text[:start]) - len(bytes.TrimRight([]byte(text[:start]), " \t\r\n"))
		end += len(text[end:]) - len(strings.TrimLeft(text[end:], " \t\r\n"))
	}
	return text[:start] + text[end:]
}
