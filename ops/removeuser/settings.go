package removeuser

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/arn"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Who owns the users.
const (
	byTerraform = "terraform" // they live in a repository: removed by a merged pull request
	byIAM       = "iam"       // nobody: deleted through the API
)

// Settings are what an installer may choose.
type Settings struct {
	LookRole      string            `yaml:"look_role"`      // ARN, in the users' account
	ActRole       string            `yaml:"act_role"`       // ARN, in the users' account
	Domains       []string          `yaml:"domains"`        // of the addresses that may be removed
	Regions       []string          `yaml:"regions"`        // where CloudTrail is asked
	Protected     []string          `yaml:"protected"`      // names or patterns, as in path.Match, never to be touched
	ProtectedTags map[string]string `yaml:"protected_tags"` // users with one of these tags are never touched
	Grace         time.Duration     `yaml:"grace"`          // between quarantine and removal; 0: none
	Users         string            `yaml:"users"`          // terraform or iam
	Repository    string            `yaml:"repository"`     // owner/name, for terraform
	Branch        string            `yaml:"branch"`         // that pull requests are made to
	UsersFile     string            `yaml:"users_file"`     // where users are defined
	MembersFile   string            `yaml:"members_file"`   // where the group's members are listed
	Poll          time.Duration     `yaml:"poll"`           // how soon the pull request is looked at again; more seldom while it stays as it is
	Boundaries    []string          `yaml:"boundaries"`     // ARNs of the permissions boundaries that deny-all may take the place of, where it can't be attached
}

// Defaults returns the settings that hold where the installer sets nothing.
func Defaults() *Settings {
	return &Settings{
		Regions:     []string{"eu-west-2", "eu-west-1", "us-east-1"},
		Grace:       7 * 24 * time.Hour,
		Users:       byTerraform,
		Branch:      "master",
		UsersFile:   "terraform/gds_users.tf.json",
		MembersFile: "terraform/iam_crossaccountaccess_members.tf.json",
		Poll:        time.Minute,
	}
}

// Name is the operation's key in the settings.
func (*Settings) Name() string { return "remove-user" }

var (
	domainName = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+$`)
	repository = regexp.MustCompile(`^[\w.-]+/[\w.-]+$`)
)

// Check finds what can't work, all of it.
func (s *Settings) Check() []ops.Fault {
	var faults []ops.Fault
	add := func(key, format string, args ...any) {
		faults = append(faults, ops.Fault{Key: key, Problem: fmt.Sprintf(format, args...)})
	}
	for _, r := range []struct{ key, role string }{{"look_role", s.LookRole}, {"act_role", s.ActRole}} {
		if r.role == "" {
			add(r.key, "missing: the ARN of a role in the users' account")
		} else if fault := awsaccess.RoleFault(r.role); fault != "" {
			add(r.key, "%s", fault)
		}
	}
	if len(s.Domains) == 0 {
		add("domains", "missing: the domains of the addresses that may be removed")
	}
	for _, d := range s.Domains {
		if !domainName.MatchString(d) {
			add("domains", "%q is not a domain in lower case", d)
		}
	}
	if len(s.Regions) == 0 {
		add("regions", "missing: where CloudTrail is asked")
	}
	for _, r := range s.Regions {
		if fault := awsaccess.RegionFault(r); fault != "" {
			add("regions", "%s", fault)
		}
	}
	for _, pattern := range s.Protected {
		if _, err := path.Match(pattern, ""); err != nil {
			add("protected", "%q is not a pattern", pattern)
		}
	}
	for _, boundary := range s.Boundaries {
		if a, err := arn.Parse(boundary); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
			add("boundaries", "%q is not the ARN of a policy", boundary)
		}
	}
	if s.Grace < 0 {
		add("grace", "%v is below 0", s.Grace)
	}
	if s.Poll <= 0 {
		add("poll", "%v is not a time to wait", s.Poll)
	}
	switch {
	case s.Users != byTerraform && s.Users != byIAM:
		add("users", "%q is neither terraform nor iam", s.Users)
	case s.Users == byTerraform && !repository.MatchString(s.Repository):
		add("repository", "%q is not the repository of the users, as owner/name", s.Repository)
	case s.Users == byTerraform && s.Branch == "":
		add("branch", "missing")
	case s.Users == byTerraform && s.UsersFile == "":
		add("users_file", "missing")
	case s.Users == byTerraform && s.MembersFile == "":
		add("members_file", "missing")
	}
	for _, file := range []struct{ key, name string }{{"users_file", s.UsersFile}, {"members_file", s.MembersFile}} {
		if s.Users == byTerraform && file.name != "" && !strings.HasSuffix(file.name, ".json") {
			add(file.key, "%q is not the name of a JSON file, such as users.tf.json: the bot edits no other", file.name)
		}
	}
	return faults
}

// invalid is an error in words for whoever filled in a form.
func invalid(format string, args ...any) error {
	return &ops.Error{Kind: ops.Invalid, What: fmt.Sprintf(format, args...)}
}

// protectedBy is the pattern that protects a user, compared as IAM compares names:
// without case. Empty: none does.
func (s *Settings) protectedBy(name string) string {
	for _, pattern := range s.Protected {
		if matched, _ := path.Match(strings.ToLower(pattern), strings.ToLower(name)); matched {
			return pattern
		}
	}
	return ""
}

// mayBind refuses to have deny-all take the place of a permissions boundary that
// couldn't be put back.
func (s *Settings) mayBind(u *User) error {
	if u.Boundary == "" || slices.Contains(s.Boundaries, u.Boundary) {
		return nil
	}
	return &ops.Error{
		Kind: ops.Refused,
		What: fmt.Sprintf("%s can't be locked out: %s policies are attached, so IAM attaches no AWSDenyAll, and it can't take the place of the permissions boundary %s either, which the bot couldn't put back.",
			u.Name, number(len(u.Attached)), u.Boundary),
		Next: "Detach one policy, or add the boundary to boundaries in the bot's settings and to the policy of " + s.ActRole + ".",
	}
}

// terms are the settings that an approval is about.
func (s *Settings) terms() []ops.Fact {
	list := func(values []string) string { return cmp.Or(strings.Join(values, "; "), "none") }
	var tags []string
	for _, key := range slices.Sorted(maps.Keys(s.ProtectedTags)) {
		tags = append(tags, key+"="+s.ProtectedTags[key])
	}
	grace, owner := "none", "nobody: the bot deletes them"
	if s.Grace > 0 {
		grace = ops.Span(s.Grace)
	}
	if s.Users == byTerraform {
		owner = fmt.Sprintf("Terraform, in %s (%s): %s and %s", s.Repository, s.Branch, s.UsersFile, s.MembersFile)
	}
	return []ops.Fact{
		{Label: "Time of grace", Value: grace},
		{Label: "Protected names", Value: list(slices.Sorted(slices.Values(s.Protected)))},
		{Label: "Protected tags", Value: list(tags)},
		{Label: "Owner of the users", Value: owner},
	}
}

// source is where Terraform defines the users. The zero value: nowhere.
type source struct {
	Repository  string `json:"repository"` // owner/name
	Branch      string `json:"branch"`
	UsersFile   string `json:"users_file"`
	MembersFile string `json:"members_file"`
}

func (s *Settings) source() source { return source{s.Repository, s.Branch, s.UsersFile, s.MembersFile} }

func (s source) owner() (owner, name string) {
	owner, name, _ = strings.Cut(s.Repository, "/")
	return owner, name
}
