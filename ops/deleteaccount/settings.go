package deleteaccount

import (
	"fmt"
	"path"
	"regexp"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Settings are what an installer may choose.
type Settings struct {
	LookRole   string        `yaml:"look_role"`   // ARN, in the management account
	ActRole    string        `yaml:"act_role"`    // ARN, in the management account
	DisabledOU string        `yaml:"disabled_ou"` // where nobody can use an account, and it can be restored from; empty: no such step
	ClosedOU   string        `yaml:"closed_ou"`   // where a closed account is moved; empty: it stays
	Protected  Protected     `yaml:"protected"`
	Grace      time.Duration `yaml:"grace"` // between disabling and closing; 0: none
	Quota      Quota         `yaml:"quota"`
	Repository string        `yaml:"repository"` // owner/name of the Terraform that makes accounts; empty: it isn't looked at
	Branch     string        `yaml:"branch"`     // of that repository; empty: its default
	Paths      []string      `yaml:"paths"`      // its files, as in path.Match
	WarnSpend  float64       `yaml:"warn_spend"` // US dollars a month from which on the approvers are warned
	Poll       time.Duration `yaml:"poll"`       // how often the state of a closing account is read
}

// Protected are accounts that are never closed.
type Protected struct {
	Accounts []string          `yaml:"accounts"` // IDs
	OUs      []string          `yaml:"ous"`      // IDs, with all below them
	Tags     map[string]string `yaml:"tags"`     // with one of these
}

// Quota is how many accounts may be closed in 30 days: a percentage of the
// members, but not fewer than a minimum and not more than a maximum.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
type Quota struct {
	Percent int `yaml:"percent"`
	Minimum int `yaml:"minimum"`
	Maximum int `yaml:"maximum"`
}

// of is the quota of an organisation with so many accounts.
func (q Quota) of(members int) int { return min(q.Maximum, max(q.Minimum, members*q.Percent/100)) }

// Defaults returns the settings that hold where the installer sets nothing.
func Defaults() *Settings {
	return &Settings{
		Grace:     14 * 24 * time.Hour,
		Quota:     Quota{Percent: 20, Minimum: 250, Maximum: 1000},
		Paths:     []string{"management-account/terraform/organizations-accounts*.tf"},
		WarnSpend: 100,
		Poll:      time.Minute,
	}
}

// Name is the operation's key in the settings.
func (*Settings) Name() string { return "delete-account" }

var (
	accountID  = regexp.MustCompile(`^\d{12}$`)
	unitID     = regexp.MustCompile(`^ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$`)
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
			add(r.key, "missing: the ARN of a role in the management account")
		} else if fault := awsaccess.RoleFault(r.role); fault != "" {
			add(r.key, "%s", fault)
		}
	}
	for _, u := range []struct{ key, unit string }{{"disabled_ou", s.DisabledOU}, {"closed_ou", s.ClosedOU}} {
		if u.unit != "" && !unitID.MatchString(u.unit) {
			add(u.key, "%q is not the ID of an organizational unit, such as ou-abcd-11111111", u.unit)
		}
	}
	if s.DisabledOU != "" && s.DisabledOU == s.ClosedOU {
		add("closed_ou", "it is the same as disabled_ou")
	}
	switch {
	case s.Grace < 0:
		add("grace", "%v is below 0", s.Grace)
	case s.Grace > 0 && s.DisabledOU == "":
		add("grace", "without disabled_ou there is nothing to restore, so it must be 0s")
	}
	for _, id := range s.Protected.Accounts {
		if !accountID.MatchString(id) {
			add("protected.accounts", "%q is not an account's ID of twelve digits; put it in quotes", id)
		}
	}
	for _, id := range s.Protected.OUs {
		switch {
		case !unitID.MatchString(id):
			add("protected.ous", "%q is not the ID of an organizational unit, such as ou-abcd-11111111", id)
		case id == s.DisabledOU:
			add("protected.ous", "%q is disabled_ou: what is moved there couldn't be closed", id)
		case id == s.ClosedOU:
			add("protected.ous", "%q is closed_ou: what is moved there couldn't be closed", id)
		}
	}
	if q := s.Quota; q.Percent < 0 || q.Percent > 100 || q.Minimum < 1 || q.Maximum < q.Minimum {
		add("quota", "percent must be from 0 to 100, and minimum from 1 to maximum")
	}
	if s.Repository != "" {
		if !repository.MatchString(s.Repository) {
			add("repository", "%q is not a repository, as owner/name", s.Repository)
		}
		if len(s.Paths) == 0 {
			add("paths", "missing: the files in which accounts are defined")
		}
	}
	for _, pattern := range s.Paths {
		if _, err := path.Match(pattern, ""); err != nil {
			add("paths", "%q is not a pattern", pattern)
		}
	}
	if s.WarnSpend < 0 {
		add("warn_spend", "%v is below 0", s.WarnSpend)
	}
	if s.Poll <= 0 {
		add("poll", "%v is not a time to wait", s.Poll)
	}
	return faults
}
