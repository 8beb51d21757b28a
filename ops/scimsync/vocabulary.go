package scimsync

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/aws-root-account/rootbot/ops"
)

// Vocabulary is what the function's messages look like: regular expressions by
// the name of what they announce. The groups named user, group and membership
// match IDs, which are shown with their names; user_name and group_name match
// names. A message that none matches is shown as it is.
type Vocabulary map[string]string

// The names in a Vocabulary.
const (
	createGroup = "create_group"
	createUser  = "create_user"
	join        = "join"
	leave       = "leave"
	deleteGroup = "delete_group"
	deleteUser  = "delete_user"
	mention     = "mention" // names an ID without changing anything
	dryRun      = "dry_run" // the function only pretends
)

var vocabularyNames = []string{createGroup, createUser, join, leave, deleteGroup, deleteUser, mention, dryRun}

// defaultVocabulary is that of ministryofjustice/moj-terraform-scim-github.
func defaultVocabulary() Vocabulary {
	return Vocabulary{
		createGroup: `^creating group (?P<group_name>\S+)$`,
		createUser:  `^creating user (?P<user_name>\S+)$`,
		join:        `^creating group membership for user (?P<user>\S+) in group (?P<group>\S+)$`,
		leave:       `^deleting membership (?P<membership>\S+)$`,
		deleteGroup: `^deleting group (?P<group>\S+)$`,
		deleteUser:  `^deleting user (?P<user>\S+)$`,
		mention:     `[Gg]roup memberships for group (?P<group>[0-9A-Za-z-]+)`,
		dryRun:      `(?i)^(\[dry-run\] would |mode: dry-run)`,
	}
}

func (v Vocabulary) check() []ops.Fault {
	var faults []ops.Fault
	for _, name := range slices.Sorted(maps.Keys(v)) {
		key := "vocabulary." + name
		if !slices.Contains(vocabularyNames, name) {
			faults = append(faults, ops.Fault{Key: key, Problem: fmt.Sprintf("unknown; known are %v", vocabularyNames)})
		} else if _, err := regexp.Compile(v[name]); err != nil {
			faults = append(faults, ops.Fault{Key: key, Problem: err.Error()})
		}
	}
	return faults
}

// grammar is a compiled Vocabulary, in the order in which it is tried.
type grammar []struct {
	name    string
	pattern *regexp.Regexp
}

func (v Vocabulary) compile() (grammar, error) {
	var g grammar
	for _, name := range vocabularyNames {
		if v[name] == "" {
			continue
		}
		pattern, err := regexp.Compile(v[name])
		if err != nil {
			return nil, fmt.Errorf("vocabulary.%s: %w", name, err)
		}
		g = append(g, struct {
			name    string
			pattern *regexp.Regexp
		}{name, pattern})
	}
	return g, nil
}

// phrase is what a message announces.
type phrase struct {
	name string            // of the Vocabulary; empty: nothing known
	args map[string]string // by the name of the group: user, group, membership, user_name, group_name
	at   []span            // where IDs stand in the message
}

type span struct {
	start, end int
	kind       string
}

func (g grammar) parse(message string) phrase {
	for _, entry := range g {
		m := entry.pattern.FindStringSubmatchIndex(message)
		if m == nil {
			continue
		}
		p := phrase{name: entry.name, args: map[string]string{}}
		for i, group := range entry.pattern.SubexpNames() {
			if group == "" || m[2*i] < 0 {
				continue
			}
			p.args[group] = message[m[2*i]:m[2*i+1]]
			if group == "user" || group == "group" || group == "membership" {
				p.at = append(p.at, span{m[2*i], m[2*i+1], group})
			}
		}
		return p
	}
	return phrase{}
}
