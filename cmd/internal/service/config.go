package service

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/catalog"
)

// Config is what the settings file says. Secrets are never in it.
type Config struct {
	GitHub struct {
		Organization string `yaml:"organization"`
		Team         string `yaml:"team"` // slug
	} `yaml:"github"`
	Slack struct {
		LogChannel string `yaml:"log_channel"` // name or ID
	} `yaml:"slack"`
	Identities []Identity `yaml:"identities"`

	Operations []catalog.Settings `yaml:"-"` // those that have settings
}

// Identity says which GitHub login a Slack user is.
type Identity struct {
	Slack  string `yaml:"slack"`  // user ID: U… or W…
	GitHub string `yaml:"github"` // login
}

// ConfigError is all that is wrong with a settings file.
type ConfigError struct {
	File   string
	Faults []LineFault
}

// LineFault is one fault and the line it stands in.
type LineFault struct {
	Line    int // from 1; 0: of the file as a whole
	Problem string
}

func (e *ConfigError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s in the settings:", len(e.Faults), map[bool]string{true: "fault", false: "faults"}[len(e.Faults) == 1])
	for _, f := range e.Faults {
		fmt.Fprintf(&b, "\n  %s:%d: %s", e.File, f.Line, f.Problem)
	}
	return b.String()
}

// ReadConfig reads a settings file and finds all its faults at once.
func ReadConfig(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no settings file %s: name it with --config or ROOTBOT_CONFIG; the README shows one", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	return ParseConfig(path, text)
}

// unknownField is how the YAML decoder names a key that a struct doesn't have.
var (
	faultLine    = regexp.MustCompile(`^line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`^field (\S+) not found in type .*$`)
)

// ParseConfig is ReadConfig for a text; path is for its errors only.
func ParseConfig(path string, text []byte) (*Config, error) {
	faulty := &ConfigError{File: path}
	add := func(line int, format string, args ...any) {
		faulty.Faults = append(faulty.Faults, LineFault{line, fmt.Sprintf(format, args...)})
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		line, problem := splitLine(strings.TrimPrefix(err.Error(), "yaml: "))
		add(line, "%s", problem)
		return nil, faulty
	}
	config := &Config{}
	settings := catalog.All()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	target := document(config, settings)
	if err := decoder.Decode(target.Interface()); err != nil && !errors.Is(err, io.EOF) {
		wrong, ok := errors.AsType[*yaml.TypeError](err)
		if !ok {
			line, problem := splitLine(strings.TrimPrefix(err.Error(), "yaml: "))
			add(line, "%s", problem)
			return nil, faulty
		}
		for _, text := range wrong.Errors {
			line, problem := splitLine(text)
			if m := unknownField.FindStringSubmatch(problem); m != nil {
				problem = fmt.Sprintf("unknown setting %q", m[1])
			}
			add(line, "%s", problem)
		}
	}
	config.gather(target, settings, &root)
	at := func(keys ...string) int { return lineOf(&root, keys...) }
	if config.GitHub.Organization == "" {
		add(at("github"), "github.organization is missing")
	}
	if config.GitHub.Team == "" {
		add(at("github"), "github.team is missing: the slug of the team whose members may")
	}
	if config.Slack.LogChannel == "" {
		add(at("slack"), "slack.log_channel is missing: a channel's name or ID")
	}
	seen := map[string]bool{}
	for i, identity := range config.Identities {
		line := at("identities", strconv.Itoa(i))
		switch {
		case !slackUser.MatchString(identity.Slack):
			add(line, "identities: %q is not a Slack user ID, such as U0123ABCD", identity.Slack)
		case identity.GitHub == "":
			add(line, "identities: %s has no GitHub login", identity.Slack)
		case seen[identity.Slack]:
			add(line, "identities: %s stands here twice", identity.Slack)
		case seen[strings.ToLower(identity.GitHub)]:
			add(line, "identities: two Slack users claim the GitHub login %s", identity.GitHub)
		}
		seen[identity.Slack], seen[strings.ToLower(identity.GitHub)] = true, true
	}
	for _, s := range config.Operations {
		for _, f := range s.Check() {
			keys := append([]string{"operations", s.Name()}, strings.Split(f.Key, ".")...)
			add(at(keys...), "%s: %s", strings.Join(keys, "."), f.Problem)
		}
	}
	if len(faulty.Faults) > 0 {
		slices.SortStableFunc(faulty.Faults, func(a, b LineFault) int { return a.Line - b.Line })
		return nil, faulty
	}
	return config, nil
}

var slackUser = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)

func splitLine(text string) (int, string) {
	m := faultLine.FindStringSubmatch(text)
	if m == nil {
		return 0, text
	}
	line, _ := strconv.Atoi(m[1])
	return line, m[2]
}

// document makes a struct to decode the whole file into: Config and, under
// operations, a field for each operation's settings. The YAML package checks
// for unknown keys only in one decoding from the text, and what operations
// there are is the catalog's to say; so the struct's type is made here.
func document(config *Config, settings []catalog.Settings) reflect.Value {
	var fields []reflect.StructField
	for i, s := range settings {
		fields = append(fields, reflect.StructField{
			Name: "Operation" + strconv.Itoa(i), Type: reflect.TypeOf(s), Tag: reflect.StructTag(fmt.Sprintf(`yaml:"%s"`, s.Name())),
		})
	}
	whole := reflect.New(reflect.StructOf([]reflect.StructField{
		{Name: "Config", Type: reflect.TypeOf(config), Tag: `yaml:",inline"`},
		{Name: "Operations", Type: reflect.StructOf(fields), Tag: `yaml:"operations"`},
	}))
	whole.Elem().Field(0).Set(reflect.ValueOf(config))
	for i, s := range settings {
		whole.Elem().Field(1).Field(i).Set(reflect.ValueOf(s))
	}
	return whole
}

// gather keeps the settings of the operations that the file has settings for.
func (c *Config) gather(whole reflect.Value, settings []catalog.Settings, root *yaml.Node) {
	for i, s := range settings {
		value := whole.Elem().Field(1).Field(i)
		if !value.IsNil() && child(child(top(root), "operations"), s.Name()) != nil {
			c.Operations = append(c.Operations, value.Interface().(catalog.Settings))
		}
	}
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

// operations makes the cards of the operations that have settings.
func operationNames(list []ops.Operation) []string {
	var names []string
	for _, o := range list {
		names = append(names, o.Name)
	}
	return names
}
