package worldtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// What is about accounts: the world's AWS is the management account's.
const (
	AccountsLook = "arn:aws:iam::111111111111:role/rootbot-delete-account-look"
	AccountsAct  = "arn:aws:iam::111111111111:role/rootbot-delete-account-act"
	AccountsRepo = Organization + "/aws-root-account"
	Sinking      = "777777777777" // an account that nobody needs
	SinkingName  = "pond-monitoring-dev"
	defined      = "management-account/terraform/organizations-accounts-workloads.tf"
)

// accounts makes an organisation of accounts: one to be closed, one that is
// production, one that is protected, and those that are needed.
func (w *World) accounts() {
	o := w.AWS.Organization()
	workloads, platform := o.AddOU("Workloads", ""), o.AddOU("Platform", "")
	w.disabled, w.closed = o.AddOU("Disabled accounts", ""), o.AddOU("Closed accounts", "")
	o.AttachPolicy(o.AddPolicy("deny-all", `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`), w.disabled)
	// What takes AWS hours.
	o.SetClosing(awstest.ClosingStep{State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: time.Second, State: "CLOSED"})
	joined := time.Now().AddDate(-3, 0, 0)
	for _, a := range []struct {
		id, name, parent string
		tags             map[string]string
	}{
		{Sinking, SinkingName, workloads, map[string]string{"owner": "Ponds: ponds@example.gov.uk", "is-production": "false", "source-code": "https://github.com/" + Organization + "/pond-monitoring"}},
		{"777777777778", "pond-monitoring-prod", workloads, map[string]string{"owner": "Ponds: ponds@example.gov.uk", "is-production": "true"}},
		{"444444444444", "log-archive", platform, map[string]string{"owner": "Platform: platform@example.gov.uk"}},
	} {
		o.AddAccount(a.id, a.name, "aws-root+"+a.name+"@example.gov.uk", func(account *awstest.OrgAccount) {
			account.Parent, account.Tags, account.Joined = a.parent, a.tags, joined
		})
	}
	month := time.Now().UTC()
	month = time.Date(month.Year(), month.Month(), 1, 0, 0, 0, 0, time.UTC)
	w.AWS.CostExplorer().SetCost(Sinking, month.AddDate(0, -1, 0).Format("2006-01"), "Amazon Simple Storage Service", 3.2)
	w.AWS.CostExplorer().SetCost("777777777778", month.AddDate(0, -1, 0).Format("2006-01"), "Amazon Relational Database Service", 840)
	w.GitHub.AddRepository(AccountsRepo, githubtest.RepositoryOptions{DefaultBranch: "main", Files: map[string]string{
		defined: "resource \"aws_organizations_account\" \"pond_monitoring_prod\" {\n  name = \"pond-monitoring-prod\"\n}\n",
	}})
	w.GitHub.AddCollaborator(AccountsRepo, "otter", "read")
}

// closable are the settings of closing accounts.
func (w *World) closable() string {
	return fmt.Sprintf(`  delete-account:
    channel: %s
    look_role: %s
    act_role: %s
    disabled_ou: %s
    closed_ou: %s
    protected: {accounts: ["444444444444"]}
    grace: %s
    repository: %s
    poll: 200ms
`, w.Desk.Name, AccountsLook, AccountsAct, w.disabled, w.closed, max(0, w.options.Grace), AccountsRepo)
}

func (w *World) closingRoles(trust string, access ops.Access) {
	fill := strings.NewReplacer("${account}", "111111111111", "${target}", "*", "${protected}", "444444444444")
	w.AWS.AddRole(awstest.Role{ARN: AccountsLook, Trust: trust, Policy: fill.Replace(access.Look)})
	w.AWS.AddRole(awstest.Role{ARN: AccountsAct, Trust: trust, Policy: fill.Replace(access.Act)})
}
