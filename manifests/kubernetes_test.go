package manifests_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/aws-root-account/rootbot/bot/meter"
)

// alerts is kubernetes/alerts.yaml.
type alerts struct {
	Version  string `yaml:"apiVersion"`
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec struct {
		Groups []struct {
			Name  string
			Rules []alert
		}
	}
}

type alert struct {
	Name        string `yaml:"alert"`
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

// dashboard is what is looked at of kubernetes/grafana-dashboard.json.
type dashboard struct {
	Schema     int `json:"schemaVersion"`
	Templating struct {
		List []struct {
			Name, Type string
			Definition string
		}
	}
	Panels []dashboardPanel
}

type dashboardPanel struct {
	ID                       int
	Type, Title, Description string
	Datasource               struct{ UID string }
	GridPos                  struct{ X, Y, W, H int }
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct {
		RefID, Expr, LegendFormat string
		Datasource                struct{ UID string }
	}
}

func readAlerts(t *testing.T) alerts {
	t.Helper()
	var a alerts
	decoder := yaml.NewDecoder(bytes.NewReader(readKubernetes(t, "alerts.yaml")))
	decoder.KnownFields(true)
	if err := decoder.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	var d dashboard
	if err := json.Unmarshal(readKubernetes(t, "grafana-dashboard.json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func readKubernetes(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// metered are the labels of each series' name that a bot tells, and the values
// that each label can have, where the meter knows them beforehand.
func metered(t *testing.T) map[string]map[string][]string {
	t.Helper()
	m := meter.New()
	m.Offer("scim-sync")
	m.Connections(2)
	m.Acked("slash_commands", time.Second)
	m.Envelope("slash_commands", "done")
	m.Reconnected("refresh")
	m.Gap(time.Second)
	for _, outcome := range []string{"sent", "retried", "limited", "undeliverable"} {
		m.Message("card", outcome)
	}
	m.Courier(true)
	m.Request("scim-sync", "running")
	m.Step("scim-sync", "done")
	m.Unplanned("scim-sync")
	m.Refused("stranger")
	m.Panicked()
	for _, to := range []string{"slack", "github", "aws"} {
		for _, outcome := range []string{meter.OK, meter.Limited, meter.Refused, meter.Failed, meter.Cut} {
			m.Called(to, "users.info", outcome, time.Second)
		}
	}
	m.AssumedRole(nil, time.Now())
	m.AssumedRole(errors.New("denied"), time.Now())
	m.Watch(func(context.Context) (meter.Backlog, error) {
		return meter.Backlog{Open: map[[2]string]int{{"scim-sync", "running"}: 1}}, nil
	})
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]map[string][]string{}
	for _, family := range families {
		labels := map[string][]string{}
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = append(labels[label.GetName()], label.GetValue())
			}
		}
		name := family.GetName()
		if family.GetType().String() != "HISTOGRAM" {
			series[name] = labels
			continue
		}
		series[name+"_sum"], series[name+"_count"] = labels, labels
		series[name+"_bucket"] = maps.Clone(labels)
		series[name+"_bucket"]["le"] = nil
	}
	return series
}

var (
	quoted   = regexp.MustCompile(`"[^"]*"`)
	named    = regexp.MustCompile(`\b(?:rootbot|go|process)_[a-z0-9_]+`)
	folded   = regexp.MustCompile(`\b(?:sum|max|min)\b`)
	selector = regexp.MustCompile(`\b([a-z_][a-z0-9_]*)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|without|on|ignoring)\s*\(([^)]*)\)`)
	showing  = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
)

// scraped are the labels that Prometheus adds to what it scrapes, and Kubernetes' to those.
var scraped = []string{"instance", "job", "namespace", "pod"}

// faults are what is wrong with a PromQL expression whose result is shown with
// the text: metrics, labels and values that the bot doesn't tell.
func exprFaults(expr, text string, series map[string]map[string][]string) []string {
	var faults []string
	labels := map[string]bool{}
	for _, name := range named.FindAllString(quoted.ReplaceAllString(expr, `""`), -1) {
		if _, ok := series[name]; !ok {
			faults = append(faults, "there is no metric "+name)
		}
		for label := range series[name] {
			labels[label] = true
		}
	}
	if len(named.FindAllString(expr, -1)) == 0 {
		faults = append(faults, "it is about no metric")
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		of, ok := series[s[1]]
		if !ok {
			faults = append(faults, "there is no metric "+s[1])
		}
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			values, ok := of[m[1]]
			if !ok && !slices.Contains(scraped, m[1]) {
				faults = append(faults, s[1]+" has no label "+m[1])
			}
			for value := range strings.SplitSeq(m[3], "|") {
				if ok && !slices.Contains(values, value) {
					faults = append(faults, s[1]+" has no "+m[1]+" "+value)
				}
			}
		}
	}
	var kept []string
	for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(g[1], ",") {
			label = strings.TrimSpace(label)
			kept = append(kept, label)
			if !labels[label] && !slices.Contains(scraped, label) {
				faults = append(faults, "nothing in it has the label "+label)
			}
		}
	}
	for _, shown := range showing.FindAllStringSubmatch(text, -1) {
		label := shown[1]
		aggregated := folded.MatchString(expr)
		if aggregated && !slices.Contains(kept, label) || !aggregated && !labels[label] && !slices.Contains(scraped, label) {
			faults = append(faults, "its result has no label "+label)
		}
	}
	return faults
}

func TestAlertsAreAboutWhatTheBotTells(t *testing.T) {
	series := metered(t)
	a := readAlerts(t)
	if a.Version != "monitoring.coreos.com/v1" || a.Kind != "PrometheusRule" || a.Metadata.Name != "rootbot" {
		t.Errorf("it is a %s %s called %s", a.Version, a.Kind, a.Metadata.Name)
	}
	names := map[string]bool{}
	for _, group := range a.Spec.Groups {
		for _, rule := range group.Rules {
			if !regexp.MustCompile(`^Rootbot[A-Z][A-Za-z]+$`).MatchString(rule.Name) || names[rule.Name] {
				t.Errorf("the name %q is taken or isn't as it should be", rule.Name)
			}
			names[rule.Name] = true
			for _, fault := range exprFaults(rule.Expr, rule.Annotations["summary"]+rule.Annotations["description"], series) {
				t.Errorf("%s: %s", rule.Name, fault)
			}
			if _, err := time.ParseDuration(rule.For); rule.For != "" && err != nil {
				t.Errorf("%s: %v", rule.Name, err)
			}
			if severity := rule.Labels["severity"]; severity != "critical" && severity != "warning" {
				t.Errorf("%s has the severity %q", rule.Name, severity)
			}
			if n := len(rule.Annotations["summary"]); n < 10 || n > 80 {
				t.Errorf("%s has a summary of %d characters", rule.Name, n)
			}
			if n := len(rule.Annotations["description"]); n < 100 || !strings.HasSuffix(rule.Annotations["description"], ".") {
				t.Errorf("%s has a description of %d characters", rule.Name, n)
			}
		}
	}
	for _, about := range []string{
		"RootbotDown", "RootbotNoSlackConnection", "RootbotFewSlackConnections", "RootbotAcksSlow", "RootbotEnvelopesNotTaken", "RootbotPanic",
		"RootbotMessagesLate", "RootbotMessagesUndeliverable", "RootbotDatabaseDown", "RootbotNobodyDelivers", "RootbotAssumeRoleFailing",
		"RootbotGitHubFailing", "RootbotRequestUnknown",
	} {
		if !names[about] {
			t.Errorf("there is no %s", about)
		}
	}
}

func TestTheDashboardIsAboutWhatTheBotTells(t *testing.T) {
	series := metered(t)
	d := readDashboard(t)
	if d.Schema < 39 || len(d.Templating.List) == 0 || d.Templating.List[0].Type != "datasource" || d.Templating.List[0].Name != "datasource" {
		t.Errorf("schema %d with the variables %+v", d.Schema, d.Templating.List)
	}
	for _, variable := range d.Templating.List[1:] {
		if name := named.FindString(variable.Definition); series[name] == nil {
			t.Errorf("the variable %s asks for %q", variable.Name, variable.Definition)
		}
	}
	var rows []string
	ids, shown := map[int]bool{}, map[string]bool{}
	for i, p := range d.Panels {
		if p.ID <= 0 || ids[p.ID] {
			t.Errorf("%s has the ID %d, which is taken or none", p.Title, p.ID)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.Y < 0 || g.X+g.W > 24 {
			t.Errorf("%s lies outside of the grid: %+v", p.Title, g)
		}
		for _, other := range d.Panels[:i] {
			if o := other.GridPos; g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("%s and %s overlap", p.Title, other.Title)
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("panel %d, %q, lacks a title, a description, a unit, the data source or a query", p.ID, p.Title)
		}
		for _, target := range p.Targets {
			expr := target.Expr
			for _, fault := range exprFaults(strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h").Replace(expr), target.LegendFormat, series) {
				t.Errorf("%s: %s in %s", p.Title, fault, expr)
			}
			if target.LegendFormat == "" || target.RefID == "" || target.Datasource.UID != "${datasource}" {
				t.Errorf("%s: the query %s lacks a legend, an ID or the data source", p.Title, expr)
			}
			for _, name := range named.FindAllString(expr, -1) {
				shown[strings.TrimSuffix(name, "_bucket")] = true
				// Every replica tells the same of these.
				shared := strings.HasPrefix(name, "rootbot_outbox_") || name == "rootbot_requests_open"
				if shared && !strings.HasPrefix(expr, "max") {
					t.Errorf("%s doesn't take the greatest of what all replicas tell alike: %s", p.Title, expr)
				}
				if !strings.Contains(expr, name+`{job=~"$job"`) {
					t.Errorf("%s isn't of the chosen job: %s", p.Title, expr)
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"Slack", "Outbox", "Requests", "Calls", "Process"}, rows); diff != "" {
		t.Errorf("rows (-want +got)\n%s", diff)
	}
	for name := range series {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "rootbot_") && !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}

func TestFaultyExpressionsAreFound(t *testing.T) {
	series := metered(t)
	for _, test := range []struct{ expr, text, want string }{
		{`rootbot_nothing > 0`, "", "there is no metric rootbot_nothing"},
		{`sum(rate(rootbot_acks_seconds[5m]))`, "", "there is no metric rootbot_acks_seconds"},
		{`rootbot_panics_total{type="x"}`, "", "rootbot_panics_total has no label type"},
		{`rootbot_envelopes_total{outcome=~"busy|late"}`, "", "rootbot_envelopes_total has no outcome late"},
		{`sum by (kind) (rootbot_envelopes_total)`, "", "nothing in it has the label kind"},
		{`sum by (type) (rootbot_envelopes_total)`, "{{outcome}}", "its result has no label outcome"},
		{`rootbot_courier`, "of {{ $labels.operation }}", "its result has no label operation"},
		{`up == 0`, "", "it is about no metric"},
		{`sum by (type, job) (rootbot_envelopes_total{outcome=~"busy|unstored",job=~"x"})`, "{{type}} of {{ $labels.job }}", ""},
	} {
		want := []string{test.want}
		if test.want == "" {
			want = nil
		}
		if diff := cmp.Diff(want, exprFaults(test.expr, test.text, series)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.expr, diff)
		}
	}
}

func TestPrometheusAcceptsTheAlerts(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("SKIPPED: kubernetes/alerts.yaml IS NOT TESTED WITH PROMETHEUS: there is no promtool here")
	}
	var document struct{ Spec any }
	if err := yaml.Unmarshal(readKubernetes(t, "alerts.yaml"), &document); err != nil {
		t.Fatal(err)
	}
	rules, err := yaml.Marshal(document.Spec)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, rules, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), promtool, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
