package worldtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// Where the users of the base account live.
const (
	UsersAccount = "222222222222"
	UsersRepo    = Organization + "/aws-user-management-account-users"
	UsersBranch  = "master"
	UsersFile    = "terraform/gds_users.tf.json"
	MembersFile  = "terraform/iam_crossaccountaccess_members.tf.json"
	UsersLook    = "arn:aws:iam::222222222222:role/rootbot-remove-user-look"
	UsersAct     = "arn:aws:iam::222222222222:role/rootbot-remove-user-act"
	Domain       = "digital.cabinet-office.gov.uk"

	UsersBoundary = "arn:aws:iam::222222222222:policy/deployers" // a permissions boundary that the settings list
)

// Leaver is a user with everything that can hang on one.
const Leaver = "solitary.stork@" + Domain

// users makes the base account: its users, what they did, and the repository
// that Terraform makes them from. Merging a pull request there applies it.
func (w *World) users() {
	w.IAM = w.AWS.IAM(UsersAccount)
	w.IAM.AddPolicy("arn:aws:iam::222222222222:policy/deployers")
	used := time.Now().UTC().AddDate(0, 0, -3).Truncate(time.Second)
	w.IAM.AddUser(awstest.IAMUser{
		Name: Leaver, Created: used.AddDate(-2, 0, 0), PasswordLastUsed: used,
		Tags: map[string]string{"team": "payments"}, Boundary: "arn:aws:iam::222222222222:policy/deployers",
		Login: &awstest.LoginProfile{},
		AccessKeys: []awstest.AccessKey{
			{ID: "AKIA0000000000000001", LastUsed: used, Service: "s3", Region: "eu-west-2"},
			{ID: "AKIA0000000000000002", Inactive: true},
		},
		SSHKeys: []awstest.SSHKey{{}}, Certificates: []awstest.Certificate{{}},
		Credentials: []awstest.ServiceCredential{{}, {Service: "cassandra.amazonaws.com"}},
		MFA: []awstest.MFADevice{
			{Serial: "arn:aws:iam::222222222222:mfa/" + Leaver},
			{Serial: "arn:aws:iam::222222222222:u2f/user/" + Leaver + "/key"},
			{Serial: "GAHT12345678"},
		},
		Inline:   map[string]string{"notes": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListAllMyBuckets","Resource":"*"}]}`},
		Attached: []string{"arn:aws:iam::222222222222:policy/deployers"},
		Groups:   []string{"CrossAccountAccess", "Auditors"},
	})
	names := []string{Leaver, "solitary.stork@softwire.com", "brisk.adder@" + Domain, "calm.bittern@" + Domain}
	for _, name := range names[1:] {
		w.IAM.AddUser(awstest.IAMUser{Name: name, Groups: []string{"CrossAccountAccess"}})
	}
	w.AWS.Organization().AddAccount(UsersAccount, "base", "aws-root+base@example.gov.uk")
	w.AWS.Organization().AddAccount("666666666666", "payments-staging", "aws-root+payments-staging@example.gov.uk")
	w.AWS.Organization().Delegate(UsersAccount)
	w.AWS.Organization().AddAccount("555555555555", "payments-prod", "aws-root+payments-prod@example.gov.uk")
	w.AWS.Trail("eu-west-2").Add(
		awstest.TrailEvent{Account: UsersAccount, Time: used, Username: Leaver, RoleARN: "arn:aws:iam::555555555555:role/Admin"},
		awstest.TrailEvent{Account: UsersAccount, Time: used.AddDate(0, 0, -20), Username: Leaver, RoleARN: "arn:aws:iam::666666666666:role/ReadOnly"},
	)
	w.GitHub.AddRepository(UsersRepo, githubtest.RepositoryOptions{
		DefaultBranch: UsersBranch, Files: terraform(names),
		OnMerge: func(githubtest.Pull) { w.apply() },
	})
}

// apply does what Terraform's apply does some time after a merge: who isn't in
// the repository any more goes. It can't delete who still has a policy, so it
// comes late enough here for that to be gone.
func (w *World) apply() {
	text, _ := w.GitHub.File(UsersRepo, UsersBranch, UsersFile)
	for _, name := range w.IAM.Users() {
		if strings.Contains(text, `"`+name+`"`) {
			continue
		}
		w.unapplied.Add(1)
		w.applying.Go(func() {
			defer w.unapplied.Add(-1)
			stripped := func() bool {
				u, ok := w.IAM.User(name)
				return !ok || len(u.Attached) == 0 && len(u.Inline) == 0
			}
			if w.AWS.Wait(w.open, stripped) == nil {
				_ = w.IAM.RemoveUser(name) // its refusal is Terraform's failed apply
			}
		})
	}
}

// Applying tells whether Terraform hasn't done yet what was merged.
func (w *World) Applying() bool { return w.unapplied.Load() > 0 }

// resource is a user's name in Terraform.
func resource(name string) string {
	local, domain, _ := strings.Cut(name, "@")
	if domain != Domain {
		local += "-" + domain
	}
	return strings.NewReplacer(".", "_").Replace(local)
}

// terraform is the two files that define users.
func terraform(names []string) map[string]string {
	type block = map[string]any
	var users []block
	var members []string
	sorted := slices.Clone(names)
	slices.SortFunc(sorted, func(a, b string) int { return strings.Compare(resource(a), resource(b)) })
	for _, name := range sorted {
		users = append(users, block{"aws_iam_user": block{resource(name): block{"name": name, "force_destroy": true}}})
		members = append(members, fmt.Sprintf("${aws_iam_user.%s.name}", resource(name)))
	}
	pretty := func(v any) string {
		text, err := json.MarshalIndent(v, "", "    ")
		if err != nil {
			panic(err)
		}
		return string(text) + "\n"
	}
	return map[string]string{
		UsersFile: pretty(block{"resource": users}),
		MembersFile: pretty(block{"resource": block{"aws_iam_group_membership": block{
			"crossaccountaccess-members": block{"name": "crossaccountaccess-membership", "users": members, "group": "CrossAccountAccess"},
		}}}),
	}
}
