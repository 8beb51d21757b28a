package manifests_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/manifests"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/anchor"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// placeholders are what an installer fills in, each with a value as long as AWS
// takes it.
var placeholders = map[string]string{
	"account":        "111111111111",
	"region":         "ap-southeast-1",
	"identity_store": "01234567-89ab-cdef-0123-456789abcdef",
	"function":       strings.Repeat("f", 64),
	"log_group":      "/" + strings.Repeat("g", 511),
	"bot_role":       "arn:aws:iam::111111111111:role/" + strings.Repeat("r", 64),
	"user":           "*",
	"target":         "*",
	"protected":      "444444444444",
	"boundary":       "arn:aws:iam::111111111111:policy/" + strings.Repeat("b", 128),
	"bucket":         strings.Repeat("b", 63),
	"prefix":         "rootbot/",
}

var placeholder = regexp.MustCompile(`\$\{[^}]*\}?`)

type policy struct {
	Version   string
	Statement []statement
}

type statement struct {
	Sid       string
	Effect    string
	Principal map[string]words
	Action    words
	Resource  words
	Condition map[string]map[string]words
}

// words are one string or several, as IAM has it.
type words []string

func (w *words) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*w = words{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(w))
}

// policies are the generated policies by the names of their files.
func policies(t *testing.T) map[string]policy {
	t.Helper()
	found := map[string]policy{}
	for name, content := range files(t) {
		if !strings.HasPrefix(name, "iam/") {
			continue
		}
		// NotAction, NotResource and NotPrincipal are refused as unknown.
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.DisallowUnknownFields()
		var p policy
		if err := decoder.Decode(&p); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		found[path.Base(name)] = p
	}
	return found
}

func TestPoliciesAllowNamedActionsOnly(t *testing.T) {
	sid := regexp.MustCompile(`^[A-Za-z0-9]+$`)
	action := regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9]+$`)
	for name, p := range policies(t) {
		if p.Version != "2012-10-17" || len(p.Statement) == 0 {
			t.Errorf("%s is not a policy", name)
		}
		seen := map[string]bool{}
		for _, s := range p.Statement {
			if !sid.MatchString(s.Sid) || seen[s.Sid] {
				t.Errorf("%s: a statement's name is %q, which IAM doesn't take or which another one has", name, s.Sid)
			}
			seen[s.Sid] = true
			if s.Effect != "Allow" && s.Effect != "Deny" {
				t.Errorf("%s: %s has the effect %q", name, s.Sid, s.Effect)
			}
			if len(s.Action) == 0 {
				t.Errorf("%s: %s names no action", name, s.Sid)
			}
			for _, a := range s.Action {
				if !action.MatchString(a) {
					t.Errorf("%s: %s has the action %q", name, s.Sid, a)
				}
			}
			trust := strings.HasSuffix(name, "-trust.json")
			if trust != (len(s.Principal) > 0) || trust == (len(s.Resource) > 0) {
				t.Errorf("%s: %s: a trust policy names principals, every other one resources", name, s.Sid)
			}
			for _, principals := range s.Principal {
				for _, principal := range principals {
					if strings.ContainsAny(principal, "*?") {
						t.Errorf("%s: %s trusts %q", name, s.Sid, principal)
					}
				}
			}
		}
	}
}

func TestEveryPlaceholderIsKnownToTheReadmeAndToTerraform(t *testing.T) {
	readme, err := os.ReadFile("iam/README.md")
	if err != nil {
		t.Fatal(err)
	}
	terraform, err := os.ReadFile("iam/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	_, values, found := strings.Cut(string(terraform), "\n  values = {\n")
	values, _, _ = strings.Cut(values, "\n  }\n")
	if !found {
		t.Fatal("iam/main.tf has no local named values")
	}
	used := map[string]bool{}
	for name, content := range files(t) {
		for _, m := range placeholder.FindAllString(string(content), -1) {
			key := strings.TrimSuffix(strings.TrimPrefix(m, "${"), "}")
			if _, ok := placeholders[key]; !ok && !isAccount(key) {
				t.Errorf("%s: %s is no placeholder that an installer knows", name, m)
			}
			used[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(placeholders)) {
		if !used[key] {
			t.Errorf("${%s} is in no policy", key)
		}
		if !strings.Contains(string(readme), "`${"+key+"}`") {
			t.Errorf("iam/README.md doesn't say what ${%s} is", key)
		}
		if !regexp.MustCompile(`(?m)^    ` + key + ` +=`).MatchString(values) {
			t.Errorf("iam/main.tf has no value for ${%s}", key)
		}
	}
}

// withRoles are the operations, and the audit, which has a role like theirs.
func withRoles() []ops.Operation {
	return append(operations(), ops.Operation{Name: "audit", Access: ops.Access{Act: anchor.Policy}})
}

func TestTheBotMayAssumeTheOperationsRolesAndNothingElse(t *testing.T) {
	all := policies(t)
	var roles words
	for _, o := range withRoles() {
		for _, stage := range []struct{ name, policy string }{{"look", o.Access.Look}, {"act", o.Access.Act}} {
			file := o.Name + "-" + stage.name + ".json"
			if _, ok := all[file]; ok != (stage.policy != "") {
				t.Errorf("%s is generated: %v", file, ok)
			}
			if stage.policy == "" {
				continue
			}
			if _, ok := all[o.Name+"-trust.json"]; !ok {
				t.Errorf("the roles of %s have no trust policy", o.Name)
			}
			roles = append(roles, "arn:aws:iam::${"+manifests.AccountOf(o.Name)+"}:role/rootbot-"+o.Name+"-"+stage.name)
		}
	}
	var want []statement
	for _, s := range all["rootbot.json"].Statement {
		want = append(want, statement{Sid: s.Sid, Effect: "Allow", Resource: roles})
	}
	actions := []words{{"sts:AssumeRole"}, {"sts:SetSourceIdentity"}, {"sts:TagSession"}}
	if len(want) != len(actions) {
		t.Fatalf("%d statements, want one for each of %v", len(want), actions)
	}
	for i := range want {
		want[i].Action = actions[i]
	}
	if diff := cmp.Diff(want, all["rootbot.json"].Statement); diff != "" {
		t.Errorf("-want +have\n%s", diff)
	}
}

// isAccount tells whether a placeholder is that of an operation's account; the
// readme and Terraform have a rule for all of those.
func isAccount(key string) bool {
	return slices.ContainsFunc(withRoles(), func(o ops.Operation) bool { return manifests.AccountOf(o.Name) == key })
}

func TestFilledInThePoliciesFitASession(t *testing.T) {
	broker := awsaccess.New(aws.Config{})
	for name, content := range files(t) {
		if !strings.HasSuffix(name, "-look.json") && !strings.HasSuffix(name, "-act.json") {
			continue
		}
		// The broker refuses what is longer than STS takes.
		_, err := broker.Session(awsaccess.Stage{
			Role: "arn:aws:iam::111111111111:role/" + strings.TrimSuffix(path.Base(name), ".json"), Region: placeholders["region"],
			Policy: string(content), Values: placeholders,
		}, ops.Request{ID: "0199b2d4-7c3a-7000-8000-000000000000", By: "octocat"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTerraformMakesTheRoles(t *testing.T) {
	t.Parallel()
	// A folder of providers for "terraform init -plugin-dir": nothing is fetched.
	plugins := os.Getenv("ROOTBOT_TERRAFORM_PLUGINS")
	if plugins == "" {
		t.Skip("SKIPPED: iam/main.tf IS NOT TESTED: ROOTBOT_TERRAFORM_PLUGINS names no folder with the AWS provider")
	}
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("SKIPPED: iam/main.tf IS NOT TESTED: there is no terraform here")
	}
	if _, err := os.Stat(filepath.Join(plugins, "registry.terraform.io/hashicorp/aws")); err != nil {
		t.Skipf("SKIPPED: iam/main.tf IS NOT TESTED: the provider hashicorp/aws is not in %s; ROOTBOT_TERRAFORM_PLUGINS may name another folder", plugins)
	}
	folder := t.TempDir()
	sources, err := filepath.Glob("iam/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(sources, "testdata/main.tftest.hcl") {
		if info, err := os.Stat(file); err != nil || info.IsDir() {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"fmt", "-check", "-diff", "-no-color"},
		{"init", "-backend=false", "-input=false", "-no-color", "-plugin-dir=" + plugins},
		{"validate", "-no-color"},
		{"test", "-no-color"},
	} {
		command := exec.CommandContext(t.Context(), terraform, args...)
		command.Dir = folder
		// Nothing of this machine's settings, and no call home.
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "CHECKPOINT_DISABLE=1", "TMPDIR=" + t.TempDir()}
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("terraform %s: %v\n%s", args[0], err, out)
		}
	}
}
