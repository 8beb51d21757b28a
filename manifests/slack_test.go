package manifests_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// app is what rootbot needs of the manifest.
type app struct {
	Features struct {
		AppHome struct {
			Messages bool `yaml:"messages_tab_enabled"`
		} `yaml:"app_home"`
		Bot struct {
			AlwaysOnline bool `yaml:"always_online"`
		} `yaml:"bot_user"`
		Commands []command `yaml:"slash_commands"`
	}
	OAuth struct {
		Scopes map[string][]string
	} `yaml:"oauth_config"`
	Settings struct {
		Interactivity struct {
			Enabled bool `yaml:"is_enabled"`
		}
		OrgDeploy  bool `yaml:"org_deploy_enabled"`
		SocketMode bool `yaml:"socket_mode_enabled"`
	}
}

type command struct {
	Command, Description string
	Hint                 string `yaml:"usage_hint"`
	Escape               bool   `yaml:"should_escape"`
}

func slackApp(t *testing.T) app {
	t.Helper()
	var a app
	if err := yaml.Unmarshal(files(t)["slack/app.yaml"], &a); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTheAppHasEveryCommandOfTheCatalog(t *testing.T) {
	var want []command
	for _, o := range operations() {
		want = append(want, command{Command: o.Command, Description: o.Title()})
	}
	want = append(want, command{Command: "/rootbot", Description: "What there is to ask for, what is open, what was, and who you are"})
	have := slackApp(t).Features.Commands
	for i, c := range have {
		if !strings.Contains(c.Hint, "help") || strings.Contains(c.Hint, c.Command) {
			t.Errorf("the hint of %s is %q", c.Command, c.Hint)
		}
		have[i].Hint = ""
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("-catalog +manifest\n%s", diff)
	}
}

func TestTheAppIsSetUpForSocketMode(t *testing.T) {
	a := slackApp(t)
	for what, ok := range map[string]bool{
		"Socket Mode is on":                             a.Settings.SocketMode,
		"buttons work":                                  a.Settings.Interactivity.Enabled,
		"it is for one workspace":                       !a.Settings.OrgDeploy,
		"the bot is always shown online":                a.Features.Bot.AlwaysOnline,
		"the bot can answer people by direct message":   a.Features.AppHome.Messages,
		"it asks for nothing in the name of its users":  len(a.OAuth.Scopes) == 1 && len(a.OAuth.Scopes["bot"]) > 0,
		"its commands need no address of the installer": !strings.Contains(string(files(t)["slack/app.yaml"]), "url:"),
	} {
		if !ok {
			t.Errorf("doesn't hold: %s", what)
		}
	}
}

// readChannels and so on are the scopes for a log channel that may be public or
// private: Slack has one for each.
var (
	none         = []string{}
	write        = []string{"chat:write"}
	readChannels = []string{"channels:read", "groups:read"}
	readHistory  = []string{"channels:history", "groups:history", "im:history"}
	writeFiles   = []string{"files:write"}
)

// scopes are what Slack demands for what bot/chat calls, by slack-go's names.
// https://docs.slack.dev/reference/methods names them for each method.
var scopes = map[string][]string{
	"auth.test":                     none,
	"users.info":                    {"users:read"},
	"AuthTestContext":               none,         // auth.test
	"GetConversationInfoContext":    readChannels, // conversations.info
	"GetConversationsContext":       readChannels, // conversations.list
	"GetConversationHistoryContext": readHistory,  // conversations.history
	"GetConversationRepliesContext": readHistory,  // conversations.replies
	"ListTeamsContext":              none,         // auth.teams.list
	"GetUsersInConversationContext": readChannels, // conversations.members
	"OpenConversationContext":       {"im:write"}, // conversations.open
	"OpenViewContext":               none,         // views.open
	"PostMessageContext":            write,        // chat.postMessage, to a user's ID too
	"PostEphemeralContext":          write,        // chat.postEphemeral
	"StartSocketModeContext":        none,         // apps.connections.open, with the app's token
	"UpdateMessageContext":          write,        // chat.update
	"GetUploadURLExternalContext":   writeFiles,
	"CompleteUploadExternalContext": writeFiles,
	"PostWebhookCustomHTTPContext":  none, // a response_url is its own permission
}

// calls finds what bot/chat asks of Slack: the methods called on a client that
// a field named api holds, and slack-go's functions that take a context.
func calls(t *testing.T) []string {
	t.Helper()
	sources, err := filepath.Glob("../bot/chat/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range sources {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				// What slack-go doesn't read is asked by the method's name.
				if on, ok := call.Fun.(*ast.SelectorExpr); ok && on.Sel.Name == "call" && len(call.Args) > 1 {
					if name, ok := call.Args[1].(*ast.BasicLit); ok {
						found = append(found, strings.Trim(name.Value, `"`))
					}
				}
			}
			called, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch on := called.X.(type) {
			case *ast.SelectorExpr:
				if on.Sel.Name == "api" {
					found = append(found, called.Sel.Name)
				}
			case *ast.Ident:
				if on.Name == "api" || on.Name == "slack" && strings.HasSuffix(called.Sel.Name, "Context") {
					found = append(found, called.Sel.Name)
				}
			}
			return true
		})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func TestTheAppHasTheScopesThatTheBotNeedsAndNoMore(t *testing.T) {
	found := calls(t)
	if len(found) < 5 {
		t.Errorf("only %v are found in bot/chat", found)
	}
	want := []string{"commands"}
	for _, method := range found {
		needed, known := scopes[method]
		if !known {
			t.Errorf("bot/chat calls %s: add the scopes that Slack demands for it to this test", method)
		}
		want = append(want, needed...)
	}
	slices.Sort(want)
	have := slackApp(t).OAuth.Scopes["bot"]
	slices.Sort(have)
	if diff := cmp.Diff(slices.Compact(want), have); diff != "" {
		t.Errorf("-needed +manifest\n%s", diff)
	}
}

func TestEveryScopeIsExplained(t *testing.T) {
	var root yaml.Node
	if err := yaml.Unmarshal(files(t)["slack/app.yaml"], &root); err != nil {
		t.Fatal(err)
	}
	node := root.Content[0]
	for _, key := range []string{"oauth_config", "scopes", "bot"} {
		i := slices.IndexFunc(node.Content, func(n *yaml.Node) bool { return n.Value == key })
		if i < 0 {
			t.Fatalf("the manifest has no %s", key)
		}
		node = node.Content[i+1]
	}
	for _, scope := range node.Content {
		if scope.HeadComment == "" {
			t.Errorf("nothing says what %s is for", scope.Value)
		}
	}
}

// The schema is Slack's own, as published at
// https://github.com/slackapi/manifest-schema.
func TestTheAppKeepsToSlacksSchema(t *testing.T) {
	var manifest any
	if err := yaml.Unmarshal(files(t)["slack/app.yaml"], &manifest); err != nil {
		t.Fatal(err)
	}
	for _, fault := range schemaFaults(t, manifest) {
		t.Error(fault)
	}
}

func TestTheSchemaCheckFindsFaults(t *testing.T) {
	for _, test := range []struct{ name, manifest, fault string }{
		{"a key that is missing", `{}`, "display_information is missing"},
		{"a key that Slack doesn't know", `{display_information: {name: a, colour: red}}`, "colour is unknown"},
		{"a text that is too long", `{display_information: {name: ` + strings.Repeat("a", 36) + `}}`, "name: longer than 35"},
		{"a text where yes or no belongs", `{display_information: {name: a}, settings: {socket_mode_enabled: "on"}}`, "is not a boolean"},
		{"a command without its slash", `{display_information: {name: a}, features: {slash_commands: [{command: sync, description: b}]}}`, "doesn't match"},
		{"an empty list", `{display_information: {name: a}, features: {slash_commands: []}}`, "fewer than 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var manifest any
			if err := yaml.Unmarshal([]byte(test.manifest), &manifest); err != nil {
				t.Fatal(err)
			}
			found := schemaFaults(t, manifest)
			if len(found) != 1 || !strings.Contains(found[0], test.fault) {
				t.Errorf("found %q, want one with %q", found, test.fault)
			}
		})
	}
}

// schemaFaults checks a value against the parts of Slack's schema that it uses.
func schemaFaults(t *testing.T, value any) []string {
	t.Helper()
	text, err := fs.ReadFile(os.DirFS("testdata"), "slack-manifest.schema.2.json")
	if err != nil {
		t.Fatal(err)
	}
	c := checker{t: t}
	if err := json.Unmarshal(text, &c.schema); err != nil {
		t.Fatal(err)
	}
	c.check("manifest", c.schema, value)
	return c.faults
}

// checker checks a value against a JSON schema. A keyword that it doesn't know
// ends the test: nothing is passed over in silence.
type checker struct {
	t      *testing.T
	schema map[string]any
	faults []string
}

func (c *checker) check(at string, schema map[string]any, value any) {
	fault := func(format string, args ...any) {
		c.faults = append(c.faults, at+": "+fmt.Sprintf(format, args...))
	}
	object, _ := value.(map[string]any)
	list, _ := value.([]any)
	text, _ := value.(string)
	limit := func(keyword string) int {
		n, ok := schema[keyword].(float64)
		if !ok || n != math.Trunc(n) {
			c.t.Fatalf("%s: the schema's %s is %v", at, keyword, schema[keyword])
		}
		return int(n)
	}
	for keyword, rule := range schema {
		switch keyword {
		case "$schema", "title", "description", "default", "definitions", "_note", "properties":
		case "$ref":
			name := strings.TrimPrefix(rule.(string), "#/definitions/")
			target, ok := c.schema["definitions"].(map[string]any)[name].(map[string]any)
			if !ok {
				c.t.Fatalf("the schema has no %v", rule)
			}
			c.check(at, target, value)
		case "type":
			ok := false
			switch rule {
			case "object":
				_, ok = value.(map[string]any)
			case "array":
				_, ok = value.([]any)
			case "string":
				_, ok = value.(string)
			case "boolean":
				_, ok = value.(bool)
			case "integer":
				_, ok = value.(int)
			default:
				c.t.Fatalf("%s: the schema has the type %v", at, rule)
			}
			if !ok {
				fault("%v is not a %v", value, rule)
			}
		case "required":
			for _, key := range rule.([]any) {
				if _, ok := object[key.(string)]; !ok {
					fault("%v is missing", key)
				}
			}
		case "additionalProperties":
			if rule != false {
				c.t.Fatalf("%s: the schema's additionalProperties is %v", at, rule)
			}
			properties, _ := schema["properties"].(map[string]any)
			for key := range object {
				if _, ok := properties[key]; !ok {
					fault("%s is unknown", key)
				}
			}
		case "items":
			for i, item := range list {
				c.check(fmt.Sprintf("%s[%d]", at, i), rule.(map[string]any), item)
			}
		case "uniqueItems":
			for i, item := range list {
				if slices.Contains(list[:i], item) {
					fault("%v is there twice", item)
				}
			}
		case "minItems":
			if len(list) < limit(keyword) {
				fault("fewer than %d", limit(keyword))
			}
		case "maxItems":
			if len(list) > limit(keyword) {
				fault("more than %d", limit(keyword))
			}
		case "minLength":
			if utf8.RuneCountInString(text) < limit(keyword) {
				fault("shorter than %d", limit(keyword))
			}
		case "maxLength":
			if utf8.RuneCountInString(text) > limit(keyword) {
				fault("longer than %d", limit(keyword))
			}
		case "pattern":
			if !regexp.MustCompile(rule.(string)).MatchString(text) {
				fault("%q doesn't match %v", text, rule)
			}
		default:
			c.t.Fatalf("%s: this test doesn't know the schema's keyword %s", at, keyword)
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for key, below := range object {
		if rule, ok := properties[key].(map[string]any); ok {
			c.check(at+"."+key, rule, below)
		}
	}
}
