package service

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // the image has no time zones of its own
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/catalog"
)

// Config is what the settings file says. Secrets are never in it.
type Config struct {
	GitHub struct {
		Organization string `yaml:"organization"`
		Team         string `yaml:"team"`      // slug
		ClientID     string `yaml:"client_id"` // of the GitHub App; empty: nobody can link
		SAML         struct {
			Domains []string `yaml:"domains"` // of addresses that single sign-on is trusted for; none: it isn't used
		} `yaml:"saml"`
	} `yaml:"github"`
	Slack struct {
		LogChannel string `yaml:"log_channel"` // name or ID
	} `yaml:"slack"`
	Identities []Identity     `yaml:"identities"`
	BreakGlass []string       `yaml:"break_glass"` // GitHub logins who may have something run alone in an emergency
	FreshProof *time.Duration `yaml:"fresh_proof"` // how old a proof of who decides may be; nil: none is asked for
	Audit      struct {
		Bucket string        `yaml:"bucket"` // with Object Lock; empty: none
		Prefix string        `yaml:"prefix"`
		Region string        `yaml:"region"`
		Role   string        `yaml:"role"`
		Retain time.Duration `yaml:"retain"`
	} `yaml:"audit"`

	WorkingHours struct {
		From string `yaml:"from"` // "09:00"
		To   string `yaml:"to"`   // "18:00"
		Zone string `yaml:"zone"` // "Europe/London"
	} `yaml:"working_hours"` // when reminders are due, Monday to Friday

	Operations []OperationConfig `yaml:"-"` // those that have settings
	Hash       string            `yaml:"-"` // SHA-256 of the file
}

// OperationConfig is what the file says of one operation.
type OperationConfig struct {
	Settings   catalog.Settings
	Terms      request.Terms
	BreakGlass []string      // as Config has it; it holds for every operation
	FreshProof time.Duration // likewise; 0: none is asked for
}

// Digest is the same for the same settings and terms, however the file says them, and
// whatever else says how a request is decided: a process that asks for no proof must
// not count the approvals of a request that another asks one for.
func (o OperationConfig) Digest() (string, error) {
	hours := o.Terms.Hours
	zone := ""
	if hours.Zone != nil {
		zone = hours.Zone.String()
	}
	terms := o.Terms
	terms.Hours = request.Hours{}
	alone := slices.Clone(o.BreakGlass)
	for i, login := range alone {
		alone[i] = strings.ToLower(login)
	}
	slices.Sort(alone)
	text, err := json.Marshal([]any{o.Settings, terms, hours.Begin, hours.End, zone, slices.Compact(alone), o.FreshProof})
	if err != nil {
		return "", fmt.Errorf("operations.%s: %w", o.Settings.Name(), err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(text)), nil
}

// termsConfig are the desk's settings of an operation, beside its own.
type termsConfig struct {
	Channel    string          `yaml:"channel"`
	Requesters string          `yaml:"requesters"`
	Approvals  *int            `yaml:"approvals"`
	Expiry     time.Duration   `yaml:"expiry"`
	Reminders  []time.Duration `yaml:"reminders"`
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
	faultLine    = regexp.MustCompile(`(?s)^line (\d+): (.*)$`)
	unknownField = regexp.MustCompile(`(?s)^field (.*) not found in type .*$`)
	wrongType    = regexp.MustCompile("(?s)^cannot unmarshal !!\\S+ (?:`(.*)` )?into (.*)$")
)

// kindOf says in words what a setting of a Go type takes.
func kindOf(goType string) string {
	switch {
	case goType == "time.Duration":
		return "a duration, such as 5m or 72h"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case goType == "string":
		return "a text"
	}
	return "keys with values"
}

// keyAt is the path of the key whose value stands in a line.
func keyAt(node *yaml.Node, line int) []string {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key, value := node.Content[i], node.Content[i+1]
			if path := keyAt(value, line); path != nil {
				return append([]string{key.Value}, path...)
			}
			if key.Line == line && value.Line == line && value.Kind != yaml.MappingNode {
				return []string{key.Value}
			}
		}
	case yaml.DocumentNode, yaml.SequenceNode:
		for _, child := range node.Content {
			if path := keyAt(child, line); path != nil {
				return path
			}
		}
	}
	return nil
}

var plainKey = regexp.MustCompile(`^[a-z][a-z_-]*$`)

// named is a path of keys in words. What no setting can be called is quoted, as
// all that stands in the file is.
func named(keys []string) string {
	var names []string
	for _, key := range keys {
		if !plainKey.MatchString(key) {
			key = strconv.Quote(key)
		}
		names = append(names, key)
	}
	return strings.Join(names, ".")
}

// doubled is the first key that a mapping has twice, and the line of the other.
// The YAML package would find it as well, by holding each key against each.
func doubled(node *yaml.Node) (again *yaml.Node, first int) {
	lines := map[string]int{}
	for i, child := range node.Content {
		if again, first := doubled(child); again != nil {
			return again, first
		}
		if node.Kind != yaml.MappingNode || i%2 == 1 || child.Kind != yaml.ScalarNode {
			continue
		}
		if line := lines[child.Value]; line > 0 {
			return child, line
		}
		lines[child.Value] = child.Line
	}
	return nil, 0
}

// oneLine keeps what stands in the file from ending a line of the error.
func oneLine(problem string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, problem)
}

// ParseConfig is ReadConfig for a text; path is for its errors only.
func ParseConfig(path string, text []byte) (*Config, error) {
	faulty := &ConfigError{File: path}
	add := func(line int, format string, args ...any) {
		faulty.Faults = append(faulty.Faults, LineFault{line, oneLine(fmt.Sprintf(format, args...))})
	}
	if !utf8.Valid(text) {
		add(1, "the settings must be in UTF-8") // YAML may be in UTF-16, whose lines no editor would find
		return nil, faulty
	}
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		line, problem := splitLine(strings.TrimPrefix(err.Error(), "yaml: "))
		add(line, "%s", problem)
		return nil, faulty
	}
	if again, first := doubled(&root); again != nil {
		add(again.Line, "mapping key %q already defined at line %d", again.Value, first)
		return nil, faulty // what a mapping with the same key twice means, nobody knows
	}
	config := &Config{Hash: fmt.Sprintf("%x", sha256.Sum256(text))}
	settings := catalog.All()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	terms := make([]*termsConfig, len(settings))
	for i := range terms {
		terms[i] = newTerms()
	}
	target := document(config, settings, terms)
	if top(&root) != nil && top(&root).Kind != yaml.MappingNode {
		add(top(&root).Line, "the settings must be keys with values, such as github: and slack:")
		return nil, faulty
	}
	if !decoded(decoder, target.Interface(), &root, add) {
		return nil, faulty
	}
	keyFaults(&root, add)
	at := func(keys ...string) int { return lineOf(&root, keys...) }
	config.nameFaults(at, add)
	config.whoFaults(at, add)
	hours, faults := config.hours()
	for _, err := range faults {
		add(at("working_hours"), "working_hours: %v", err)
	}
	config.offer(&root, settings, terms, hours, add)
	if len(faulty.Faults) > 0 {
		slices.SortStableFunc(faulty.Faults, func(a, b LineFault) int { return a.Line - b.Line })
		return nil, faulty
	}
	return config, nil
}

// decoded decodes the settings and adds their faults. It tells whether they
// could be read at all.
func decoded(decoder *yaml.Decoder, target any, root *yaml.Node, add func(int, string, ...any)) bool {
	if err := decoder.Decode(target); err != nil && !errors.Is(err, io.EOF) {
		wrong, ok := errors.AsType[*yaml.TypeError](err)
		if !ok {
			line, problem := splitLine(strings.TrimPrefix(err.Error(), "yaml: "))
			add(line, "%s", problem)
			return false
		}
		for _, text := range wrong.Errors {
			line, problem := splitLine(text)
			if m := unknownField.FindStringSubmatch(problem); m != nil {
				problem = fmt.Sprintf("unknown setting %q", m[1])
			}
			if m := wrongType.FindStringSubmatch(problem); m != nil {
				problem = fmt.Sprintf("%s: %q is not %s", named(keyAt(root, line)), m[1], kindOf(m[2]))
			}
			add(line, "%s", problem)
		}
	}
	var more yaml.Node
	if err := decoder.Decode(&more); err == nil {
		add(more.Line, "a second document: there must be one")
	} else if !errors.Is(err, io.EOF) {
		line, problem := splitLine(strings.TrimPrefix(err.Error(), "yaml: "))
		add(line, "%s", problem)
	}
	return true
}

// keyFaults adds what stands where the keys of the settings and of the operations should.
func keyFaults(root *yaml.Node, add func(int, string, ...any)) {
	// What is offered is read off the keys of these two, as they stand there.
	for _, mapping := range []*yaml.Node{top(root), child(top(root), "operations")} {
		for i := 0; mapping != nil && i < len(mapping.Content); i += 2 {
			if key := mapping.Content[i]; mapping.Kind == yaml.MappingNode && (key.Kind == yaml.AliasNode || key.Tag == "!!merge") {
				add(key.Line, "an alias or << can't stand for a key here: write it out")
			}
		}
		if mapping != nil && mapping.Kind == yaml.AliasNode {
			add(mapping.Line, "an alias can't stand for the operations: write them out")
		}
	}
}

// offer adds the operations that have settings, and the faults of those.
func (c *Config) offer(root *yaml.Node, settings []catalog.Settings, terms []*termsConfig, hours request.Hours, add func(int, string, ...any)) {
	for i, s := range settings {
		node := child(child(top(root), "operations"), s.Name())
		if node == nil {
			continue // no settings, so it isn't offered
		}
		if node.Tag == "!!null" {
			terms[i], s = newTerms(), catalog.All()[i] // the decoder has made them nil
		}
		here := func(key string) int {
			return lineOf(root, append([]string{"operations", s.Name()}, strings.Split(key, ".")...)...)
		}
		t, problems := terms[i].terms(s.Operation(nil, nil, ""), hours)
		for _, f := range append(problems, s.Check()...) {
			add(here(f.Key), "operations.%s.%s: %s", s.Name(), f.Key, f.Problem)
		}
		o := OperationConfig{Settings: s, Terms: t, BreakGlass: c.BreakGlass}
		if c.FreshProof != nil {
			o.FreshProof = *c.FreshProof
		}
		c.Operations = append(c.Operations, o)
	}
}

func splitLine(text string) (int, string) {
	m := faultLine.FindStringSubmatch(text)
	if m == nil {
		return 0, text
	}
	line, _ := strconv.Atoi(m[1])
	return line, m[2]
}

func newTerms() *termsConfig {
	d := request.DefaultTerms()
	return &termsConfig{Requesters: d.Requesters, Expiry: d.Expiry, Reminders: d.Reminders}
}

// terms are the terms of an operation, and what is wrong with them.
func (c termsConfig) terms(o ops.Operation, hours request.Hours) (request.Terms, []ops.Fault) {
	var faults []ops.Fault
	place := c.Channel
	if name, ok := strings.CutPrefix(place, "#"); ok {
		place = strings.ToLower(name) // a name also where it looks like an ID, which has no small letters
	}
	t := request.Terms{
		Place: place, Requesters: c.Requesters, Approval: o.Approval,
		Expiry: c.Expiry, Reminders: c.Reminders, Hours: hours,
	}
	if problem := channelFault(c.Channel); problem != "" {
		faults = append(faults, ops.Fault{Key: "channel", Problem: problem})
	}
	switch {
	case c.Requesters != request.ByTeam && c.Requesters != request.ByPlace:
		faults = append(faults, ops.Fault{Key: "requesters", Problem: fmt.Sprintf("%q is neither team nor channel", c.Requesters)})
	case c.Requesters == request.ByPlace && c.Channel == "":
		faults = append(faults, ops.Fault{Key: "requesters", Problem: "channel needs a channel to be set"})
	}
	if c.Approvals != nil {
		if *c.Approvals < o.Approval.Count {
			faults = append(faults, ops.Fault{Key: "approvals", Problem: fmt.Sprintf("%d is fewer than the %d that this operation demands", *c.Approvals, o.Approval.Count)})
		}
		t.Approval.Count = *c.Approvals
	}
	if c.Expiry <= 0 {
		faults = append(faults, ops.Fault{Key: "expiry", Problem: fmt.Sprintf("%v is not a time to wait", c.Expiry)})
	}
	for _, d := range c.Reminders {
		if d <= 0 {
			faults = append(faults, ops.Fault{Key: "reminders", Problem: fmt.Sprintf("%v is not a time to wait", d)})
		}
	}
	return t, faults
}

// hours reads the working hours; office hours where nothing is set.
func (c *Config) hours() (request.Hours, []error) {
	hours := request.OfficeHours()
	var faults []error
	for _, w := range []struct {
		text string
		to   *time.Duration
	}{{c.WorkingHours.From, &hours.Begin}, {c.WorkingHours.To, &hours.End}} {
		if w.text == "" {
			continue
		}
		t, err := time.Parse("15:04", w.text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%q is not a time of day, such as 09:00", w.text))
		}
		*w.to = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	if c.WorkingHours.Zone != "" {
		zone, err := time.LoadLocation(c.WorkingHours.Zone)
		if err != nil || c.WorkingHours.Zone == "Local" { // which is another on each machine
			faults = append(faults, fmt.Errorf("%q is not a time zone, such as Europe/London", c.WorkingHours.Zone))
		} else {
			hours.Zone = zone
		}
	}
	if len(faults) == 0 && hours.End <= hours.Begin {
		faults = append(faults, errors.New("the end is not after the beginning"))
	}
	return hours, faults
}

func operationNames(list []ops.Operation) []string {
	var names []string
	for _, o := range list {
		names = append(names, o.Name)
	}
	return names
}
