package deleteaccount_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
)

// pond is a block that makes an account, as the real repository has them.
func pond(name, email, more string) string {
	return "resource \"aws_organizations_account\" \"pond\" {\n  name  = " + name + "\n  email = " + email + "\n" + more + "}\n"
}

const ignoring = "  lifecycle {\n    ignore_changes = [\n      email,\n      iam_user_access_to_billing,\n      name,\n      role_name,\n    ]\n  }\n"

const (
	folder = "management-account/terraform/"
	theirs = `"someone+else@example.gov.uk"` // an address of another account, which is there where the sinking one isn't found
)

// What Terraform defines is read as Terraform reads it.
func TestTerraformIsReadAsHCL(t *testing.T) {
	t.Parallel()
	// The account's address is aws-root+pond-monitoring-dev@example.gov.uk.
	for _, test := range []defining{
		{"a comment", map[string]string{"organizations-accounts-a.tf": "# removed 2026: name = \"" + sinkingName + "\"\n// \"" + sinking + "\"\n/* email = \"" + sinkingEmail + "\" */\n"}, "", ""},
		{"another account's tag", map[string]string{"organizations-accounts-a.tf": pond(`"other"`, theirs, "  tags = { application = \""+sinkingName+"\", id = \""+sinking+"\" }\n")}, "", ""},
		{"another resource", map[string]string{"organizations-accounts-a.tf": "resource \"aws_budgets_budget\" \"b\" {\n  name = \"" + sinkingName + "\"\n}\n"}, "", ""},
		{"the name, in a file that paths don't name", map[string]string{"main.tf": pond(`"`+sinkingName+`"`, `var.unknown`, "")}, "main.tf#L2", ""},
		{"a name with an escape", map[string]string{"organizations-accounts-a.tf": pond(`"pond\u002dmonitoring-dev"`, theirs, "")}, "organizations-accounts-a.tf#L2", ""},
		{"an address in another case", map[string]string{"organizations-accounts-a.tf": pond(`"other"`, `"AWS-Root+Pond-Monitoring-Dev@example.gov.uk"`, "")}, "organizations-accounts-a.tf#L3", ""},
		{"a name made of a local of another file", map[string]string{"organizations-accounts-a.tf": pond(`"${local.app}-dev"`, theirs, ""), "locals.tf": "locals {\n  app = \"pond-${local.what}\"\n  what = lower(\"MONITORING\")\n}\n"}, "organizations-accounts-a.tf#L2", ""},
		{"a name made of a variable with a default", map[string]string{"organizations-accounts-a.tf": pond(`format("%s-dev", var.app)`, theirs, ""), "variables.tf": "variable \"app\" {\n  default = \"x\"\n}\n", "terraform.tfvars": "app = \"pond-monitoring\"\n"}, "organizations-accounts-a.tf#L2", ""},
		{"for_each over a map", map[string]string{"organizations-accounts-a.tf": "locals {\n  all = { other = {}, pond-monitoring-dev = {} }\n}\n" + strings.Replace(pond("each.key", `"${each.key}@${var.domain}"`, ""), "{\n", "{\n  for_each = local.all\n", 1)}, "organizations-accounts-a.tf#L7", ""},
		{"for_each over a set, and replace() into a template that is secret", map[string]string{"organizations-accounts-a.tf": strings.Replace(pond(`"Pond ${each.key}"`, `replace(local.template, "{email}", each.value)`, ignoring), "{\n", "{\n  for_each = toset([\"other\", \"pond-monitoring-dev\"])\n", 1), "s.tf": "locals {\n  template = data.aws_secretsmanager_secret_version.s.secret_string\n}\n"}, "organizations-accounts-a.tf#L4", ""},
		{"a drifted name, and the address's local part", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch Training"`, `replace(local.t, "{email}", "pond-monitoring-dev")`, ignoring)}, "organizations-accounts-a.tf#L3", ""},
		{"the local part in another case, in a template", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch Training"`, `"aws-root+Pond-Monitoring-Dev@${var.domain}"`, ignoring)}, "organizations-accounts-a.tf#L3", ""},
		{"JSON", map[string]string{"organizations-accounts-a.tf.json": "\ufeff{\"//\": \"" + sinkingName + "\", \"resource\": [{\"aws_organizations_account\": {\"p\": [\r\n{\"//\": \"x\", \"name\": \"${local.n}\", \"email\": \"a@b\"}]}}], \"locals\": {\"n\": \"" + sinkingName + "\"}}"}, "organizations-accounts-a.tf.json#L2", ""},
		{"an import block", map[string]string{"imports.tf": "import {\n  to = aws_organizations_account.pond\n  id = \"" + sinking + "\"\n}\n"}, "imports.tf#L3", ""},
		{"an import block of something else", map[string]string{"imports.tf": "import {\n  to = aws_organizations_policy_attachment.pond\n  id = \"" + sinking + "\"\n}\n"}, "", ""},
		{"import blocks in JSON, one of something else", map[string]string{"imports.tf.json": "{\"import\": [{\"to\": \"aws_organizations_policy_attachment.pond\", \"id\": \"" + sinking + "\"},\n{\"to\": \"aws_organizations_account.pond[\\\"a\\\"]\", \"id\": \"" + sinking + "\"}]}"}, "imports.tf.json#L2", ""},
		{"import blocks made by for_each", map[string]string{"imports.tf": "import {\n  for_each = { a = \"" + sinking + "\" }\n  to = aws_organizations_account.pond[each.key]\n  id = each.value\n}\n"}, "imports.tf#L4", ""},
		{"an import block with an expression", map[string]string{"imports.tf": "import {\n  to = aws_organizations_account.pond\n  id = var.x\n}\n"}, "", folder + "imports.tf:3 (the ID that it imports is an expression)"},
		{"a removed block", map[string]string{"organizations-accounts-a.tf": "removed {\n  from = aws_organizations_account.pond_monitoring_dev\n  lifecycle {\n    destroy = false\n  }\n}\nmoved {\n  from = aws_organizations_account.a\n  to   = aws_organizations_account.b\n}\n"}, "", ""},
		{"a module that gets the name", map[string]string{"organizations-accounts-a.tf": "module \"pond\" {\n  source = \"../account\"\n  account_name = \"" + sinkingName + "\"\n}\n"}, "organizations-accounts-a.tf#L3", ""},
		{"a module that gets a map of accounts", map[string]string{"organizations-accounts-a.tf": "module \"ponds\" {\n  source = \"../account\"\n  accounts = { pond-monitoring-dev = { owner = var.x } }\n}\n"}, "organizations-accounts-a.tf#L3", ""},
		{"a count of 0", map[string]string{"organizations-accounts-a.tf": strings.Replace(pond(`"`+sinkingName+`"`, theirs, ""), "{\n", "{\n  count = 0\n", 1)}, "", ""},
	} {
		t.Run(test.name, test.look)
	}
}

// What the files don't tell is named, with file and line, for the approvers to look at.
func TestWhatTerraformsFilesDontTell(t *testing.T) {
	t.Parallel()
	for _, test := range []defining{
		{"a name and an address that may have changed", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch Training"`, `replace(local.t, "{email}", "pond-watch")`, ignoring)}, "", folder + `organizations-accounts-a.tf:1 (called "Pond Watch Training" there; name and address may have changed since, and Terraform ignores that)`},
		{"an old name, and an address that is a variable", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch"`, "var.email", "")}, "", folder + `organizations-accounts-a.tf:1 (called "Pond Watch" there, as no other account of the organisation is, and its address is an expression)`},
		{"an old name, and an address that is a secret", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch"`, `jsondecode(data.aws_secretsmanager_secret_version.e.secret_string)["pond"]`, "")}, "", folder + `organizations-accounts-a.tf:1 (called "Pond Watch" there, as`},
		{"an old name, and a variable whose default is another account's address", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch"`, "var.email", "") + "variable \"email\" {\n  default = \"Someone+Else@example.gov.uk\"\n}\n"}, "", ""},
		{"an old name and an old address, as they stand there", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch"`, `"watch@example.gov.uk"`, "")}, "", folder + `organizations-accounts-a.tf:1 (called "Pond Watch" there with the address watch@example.gov.uk, and no account of the organisation has that name or address, so AWS may have it under new ones)`},
		{"an old name and an old address, of which the name's changes are ignored", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch"`, `"watch@example.gov.uk"`, "  lifecycle {\n    ignore_changes = [name]\n  }\n")}, "", "with the address watch@example.gov.uk, and no account"},
		{"another account's name, and an address that is a variable", map[string]string{"organizations-accounts-a.tf": pond(`"pond-monitoring-prod"`, "var.email", "")}, "", ""},
		{"… in JSON, of which every change is ignored", map[string]string{"a.tf.json": `{"resource":{"aws_organizations_account":{"p":{"name":"Pond Watch","email":"x@y","lifecycle":{"ignore_changes":"all"}}}}}`}, "", folder + `a.tf.json:1 (called "Pond Watch" there`},
		{"another account's, by its name", map[string]string{"organizations-accounts-a.tf": pond(`"pond-monitoring-prod"`, `replace(local.t, "{email}", "pond-watch")`, ignoring)}, "", ""},
		{"another account's, by its local part", map[string]string{"organizations-accounts-a.tf": pond(`"Pond Watch"`, `replace(local.t, "{email}", "pond-monitoring-prod")`, ignoring)}, "", ""},
		{"another account's of the same name, by its address", map[string]string{"organizations-accounts-a.tf": pond(`"`+sinkingName+`"`, `"aws-root+sandbox@example.gov.uk"`, "")}, "", ""},
		{"the name, with an address that is nobody's", map[string]string{"organizations-accounts-a.tf": pond(`"`+sinkingName+`"`, `"moved@example.gov.uk"`, "")}, "organizations-accounts-a.tf#L2", ""},
		{"an expression that fits", map[string]string{"organizations-accounts-a.tf": pond(`"pond-${var.what}-dev"`, `var.email`, "")}, "", "it may well be this account: its name or address is an expression that fits"},
		{"an expression that says nothing", map[string]string{"organizations-accounts-a.tf": pond(`var.name`, `var.email`, "")}, "", folder + "organizations-accounts-a.tf:1 (its name is an expression)"},
		{"for_each over what isn't known", map[string]string{"organizations-accounts-a.tf": strings.Replace(pond("each.key", `each.value.email`, ""), "{\n", "{\n  for_each = jsondecode(file(\"accounts.json\"))\n", 1)}, "", folder + "organizations-accounts-a.tf:1 (its for_each depends on more than these files)"},
		{"locals that need each other", map[string]string{"organizations-accounts-a.tf": pond("local.a", `local.b`, "") + "locals {\n  a = local.b\n  b = local.a\n}\n"}, "", "its name is an expression"},
		{"what isn't HCL", map[string]string{"organizations-accounts-a.tf": "locals {\n  a = \n}\n"}, "", folder + "organizations-accounts-a.tf:2 (not valid Terraform)"},
		{"what isn't HCL and has the name", map[string]string{"organizations-accounts-a.tf": "locals {\n  a = \n}\n# \"" + sinkingName + "\"\nname = \"" + sinkingName + "\"\n"}, "organizations-accounts-a.tf#L5", ""},
	} {
		t.Run(test.name, test.look)
	}
}

// defining is a case of files that may define the account.
type defining struct {
	name    string
	files   map[string]string // within the folder
	refused string            // file and line, as in a link; empty: it isn't
	unseen  string            // a part of the warning; empty: there is none
}

func (d defining) look(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if d.refused == "" {
		w.o.AddAccount("666666666666", "Someone Else", strings.Trim(theirs, `"`))
	}
	files := map[string]string{}
	for name, text := range d.files {
		files[folder+name] = text
	}
	w.github.Commit(repo, "main", files, "Accounts")
	plan, err := w.walk().Look(t.Context())
	if d.refused != "" {
		w.refused(err, ops.Refused, "is still defined in "+repo, "/blob/main/"+folder+d.refused+" ")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(plan.Warnings, func(s string) bool { return strings.Contains(s, "can't be seen here") })
	switch {
	case (i >= 0) != (d.unseen != ""):
		t.Errorf("warnings %q", plan.Warnings)
	case i >= 0 && !strings.Contains(plan.Warnings[i], d.unseen):
		t.Errorf("warning %q, want %q in it", plan.Warnings[i], d.unseen)
	}
	if got := fact(plan, "Terraform"); !strings.HasPrefix(got, "nothing found by name, ID or address in ") {
		t.Errorf("fact %q", got)
	}
	for _, raw := range []string{"Invalid expression", "Expected", "Argument or block"} {
		if strings.Contains(strings.Join(plan.Warnings, " "), raw) {
			t.Errorf("a parser's words: %q", plan.Warnings)
		}
	}
	w.untouched()
}

// What GitHub has shown once under its SHA isn't read again: a run makes its plan
// many times.
func TestTerraformsFilesAreReadOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	card := w.operation()
	walk.Operation = func() ops.Operation { return card }
	const blobs = "/repos/*/*/git/blobs"
	for range 3 {
		w.look(walk)
	}
	if n := w.github.Count(blobs); n != 1 {
		t.Errorf("%d reads", n)
	}
	w.github.Commit(repo, "main", map[string]string{accounts: pond(`"`+sinkingName+`"`, `"a@b"`, "")}, "Again")
	_, err := walk.Look(t.Context())
	w.refused(err, ops.Refused, "is still defined")
}
