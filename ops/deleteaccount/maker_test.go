package deleteaccount_test

import (
	"fmt"
	"strings"
	"testing"
)

// block is a block of Terraform's in a file that defines accounts.
func block(head, body string) map[string]string {
	return map[string]string{"organizations-accounts-a.tf": head + " {\n" + body + "}\n"}
}

// An account may be made by more than Terraform's own resource: by modules, by Control
// Tower's account factory, by CloudFormation. What has its name, address or ID defines it.
func TestOtherMakersOfAccounts(t *testing.T) {
	t.Parallel()
	const at = "organizations-accounts-a.tf#L"
	stack := func(body string) map[string]string { return block(`resource "aws_cloudformation_stack" "pond"`, body) }
	for _, test := range []defining{
		{"a module's title", block(`module "pond"`, "  account = \"Pond-Monitoring-Dev\"\n"), at + "2", ""},
		{"a module's ID", block(`module "pond"`, "  source = \"../account\"\n  id = \""+sinkingName+"\"\n"), at + "3", ""},
		{"a module's list", block(`module "ponds"`, "  accounts = [\"x\", \""+sinkingName+"\"]\n"), at + "2", ""},
		{"a module for each of a set", block(`module "ponds"`, "  for_each = toset([\"monitoring-dev\"])\n  what = \"pond-${each.key}\"\n"), at + "3", ""},
		{"the account factory's module", block(`module "pond"`, "  control_tower_parameters = {\n    AccountEmail = \"old@example.gov.uk\"\n    AccountName = \""+sinkingName+"\"\n  }\n"), at + "2", ""},
		{"a product of Service Catalog", block(`resource "aws_servicecatalog_provisioned_product" "pond"`, "  name = \"pond\"\n  provisioning_parameters {\n    key = \"AccountName\"\n    value = \""+sinkingName+"\"\n  }\n"), at + "5", ""},
		{"another provider's account", block(`resource "awscc_organizations_account" "pond"`, "  account_name = \"old\"\n  email = \" AWS-Root+Pond-Monitoring-Dev@Example.gov.uk \"\n"), at + "3", ""},
		{"a stack's parameter", stack("  parameters = { Name = \"" + sinkingName + "\" }\n"), at + "2", ""},
		{"a stack's document", stack("  template_body = jsonencode({ Resources = { A = { Properties = { AccountName = \"" + sinkingName + "\" } } } })\n"), at + "2", ""},
		{"a stack's document in YAML", stack("  template_body = <<-EOT\n    Resources:\n      Properties:\n        Email: " + sinkingEmail + "\n  EOT\n"), at + "2", ""},
		{"a stack in a file that paths don't name", map[string]string{"stacks.tf": "resource \"aws_cloudformation_stack\" \"pond\" {\n  name = \"" + sinkingName + "\"\n}\n"}, "stacks.tf#L2", ""},
		{"a stack in JSON", map[string]string{"organizations-accounts-a.tf.json": `{"resource":{"aws_cloudformation_stack":{"p":{"parameters":{"Name":"` + sinkingName + `"}}}}}`}, "organizations-accounts-a.tf.json#L1", ""},

		{"an application and an environment", block(`module "pond"`, "  application = \"pond-monitoring\"\n  environment = \"dev\"\n"), "", folder + "organizations-accounts-a.tf:1 (module.pond may well be this account: its values fit the name or the address)"},
		{"an application for each of its environments", block(`module "pond"`, "  for_each = { pond = [\"dev\", \"prod\"] }\n  application = \"${each.key}-monitoring\"\n  environments = each.value\n"), "", "module.pond may well be this account"},
		{"a part of the address", block(`module "pond"`, "  mailbox = \"aws-root+pond-monitoring-dev\"\n"), "", "module.pond may well be this account"},
		{"an expression that fits", block(`module "pond"`, "  name = \"pond-${var.x}-dev\"\n"), "", "module.pond may well be this account"},
		{"a module with an expression", block(`module "pond"`, "  source = \"../account\"\n  name = var.unknown\n"), "", folder + "organizations-accounts-a.tf:1 (module.pond makes of its values what isn't in these files)"},
		{"a module that gets it as a tag", block(`module "pond"`, "  source = \"../account\"\n  tags = { name = \""+sinkingName+"\" }\n"), "", "module.pond makes of its values"},
		{"another account's module", block(`module "pond"`, "  name = \"pond-monitoring-prod\"\n  owner = \"dev\"\n"), "", ""},
		{"a module that is made no time", block(`module "pond"`, "  count = 0\n  name = \""+sinkingName+"\"\n"), "", ""},
		{"a module in a file that paths don't name", map[string]string{"main.tf": "module \"pond\" {\n  name = var.x\n}\n"}, "", ""},
		{"a stack of something else in a file that paths don't name", map[string]string{"main.tf": "resource \"aws_cloudformation_stack\" \"s\" {\n  name = \"network\"\n}\n"}, "", ""},
	} {
		t.Run(test.name, test.look)
	}
	t.Run("many modules are told in one line", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var modules strings.Builder
		for n := range 12 {
			fmt.Fprintf(&modules, "module \"lake_%d\" {\n  name = \"lake %d\"\n}\n", n, n)
		}
		w.github.Commit(repo, "main", map[string]string{folder + "organizations-accounts-a.tf": modules.String()}, "Lakes")
		plan := w.look(w.walk())
		if !warned(plan, "12 modules and other makers, which make of their values what isn't in these files (module.lake_0 at "+folder+"organizations-accounts-a.tf:1, ") || !warned(plan, ":28, 2 more).") || len(plan.Warnings) != 2 {
			t.Errorf("warnings %q", plan.Warnings)
		}
	})
}
