package manifests

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/aws-root-account/rootbot/ops"
)

//go:embed slack/app.yaml.tmpl
var appTemplate string

// slackApp is Slack's manifest of the app, with the commands of the operations.
// https://docs.slack.dev/reference/app-manifest
func slackApp(operations []ops.Operation) ([]byte, error) {
	parsed, err := template.New("app.yaml.tmpl").Funcs(template.FuncMap{"quote": quote, "hint": hint}).Parse(appTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse the template of Slack's manifest: %w", err)
	}
	var b bytes.Buffer
	if err := parsed.Execute(&b, operations); err != nil {
		return nil, fmt.Errorf("make Slack's manifest: %w", err)
	}
	return b.Bytes(), nil
}

// quote writes a string as YAML: a string of JSON is one of YAML, too.
func quote(s string) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(s)
	return strings.TrimSuffix(b.String(), "\n"), err
}

// hint is what may stand behind the command, which Slack shows while it is typed.
func hint(o ops.Operation) string {
	var forms []string
	for _, u := range o.Usage {
		if form := strings.TrimSpace(strings.TrimPrefix(u.Form, o.Command)); form != "" {
			forms = append(forms, form)
		}
	}
	return strings.Join(append(forms, "help"), " | ")
}
