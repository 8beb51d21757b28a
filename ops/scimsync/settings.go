package scimsync

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Settings are what an installer may choose. Defaults has the values of the
// function as the Ministry of Justice runs it.
type Settings struct {
	LookRole       string        `yaml:"look_role"`        // ARN; reads Identity Center
	ActRole        string        `yaml:"act_role"`         // ARN; invokes the function and reads its log
	Region         string        `yaml:"region"`           // of the function and of Identity Center
	Function       string        `yaml:"function"`         // name, not ARN
	LogGroup       string        `yaml:"log_group"`        // empty: /aws/lambda/<function>
	Timeout        time.Duration `yaml:"timeout"`          // the function's own
	IdentityStore  string        `yaml:"identity_store"`   // d-…
	EmailSuffix    string        `yaml:"email_suffix"`     // behind the login in user names
	IgnoreTeams    []string      `yaml:"ignore_teams"`     // slugs that the function passes over
	IgnoreGroups   []string      `yaml:"ignore_groups"`    // patterns of groups it leaves alone, as in path.Match
	MaxDeletions   int           `yaml:"max_deletions"`    // more than these need an approval
	CallsPerSecond float64       `yaml:"calls_per_second"` // of each API, GitHub's and AWS's; 0: no limit
	Settle         time.Duration `yaml:"settle"`           // how long late changes and late log lines are waited for
	Vocabulary     Vocabulary    `yaml:"vocabulary"`       // what the function's log lines say
}

// Defaults returns the settings that hold where the installer sets nothing.
func Defaults() *Settings {
	return &Settings{
		Region:         "eu-west-2",
		Function:       "aws-sso-scim-github",
		Timeout:        5 * time.Minute,
		EmailSuffix:    "@digital.justice.gov.uk",
		IgnoreTeams:    []string{"all-org-members", "business-units"},
		IgnoreGroups:   []string{"azure-aws-sso-*"},
		MaxDeletions:   20,
		CallsPerSecond: 15,
		Settle:         4 * time.Second,
		Vocabulary:     defaultVocabulary(),
	}
}

// Name is the operation's key in the settings.
func (*Settings) Name() string { return "scim-sync" }

var (
	functionName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	storeID      = regexp.MustCompile(`^(d-[0-9a-f]{10}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)
	logGroupName = regexp.MustCompile(`^[\w./#-]+$`)
)

// Check finds what can't work, all of it.
func (s *Settings) Check() []ops.Fault {
	var faults []ops.Fault
	add := func(key, format string, args ...any) {
		faults = append(faults, ops.Fault{Key: key, Problem: fmt.Sprintf(format, args...)})
	}
	for _, r := range []struct{ key, role string }{{"look_role", s.LookRole}, {"act_role", s.ActRole}} {
		if r.role == "" {
			add(r.key, "missing: the ARN of a role, such as arn:aws:iam::111111111111:role/rootbot-scim-sync-look")
		} else if fault := awsaccess.RoleFault(r.role); fault != "" {
			add(r.key, "%s", fault)
		}
	}
	if fault := awsaccess.RegionFault(s.Region); fault != "" {
		add("region", "%s", fault)
	}
	if len(s.Function) > 64 || !functionName.MatchString(s.Function) {
		add("function", "%q can't be the name of a Lambda function", s.Function)
	}
	if s.LogGroup != "" && (len(s.LogGroup) > 512 || !logGroupName.MatchString(s.LogGroup)) {
		add("log_group", "%q can't be the name of a log group", s.LogGroup)
	}
	if s.IdentityStore == "" {
		add("identity_store", "missing: the ID of the identity store, such as d-1234567890")
	} else if !storeID.MatchString(s.IdentityStore) {
		add("identity_store", "%q is not the ID of an identity store, such as d-1234567890", s.IdentityStore)
	}
	// Lambda ends every invocation after 15 minutes at the latest.
	if s.Timeout <= 0 || s.Timeout > 15*time.Minute {
		add("timeout", "%v is not a function's timeout: 1s to 15m", s.Timeout)
	}
	if s.MaxDeletions < 0 {
		add("max_deletions", "%d is below 0", s.MaxDeletions)
	}
	if !(s.CallsPerSecond >= 0) { // NaN is neither above nor below
		add("calls_per_second", "%v is not a number from 0 on", s.CallsPerSecond)
	}
	if s.Settle < 0 || s.Settle > time.Minute {
		add("settle", "%v is not between 0s and 1m", s.Settle)
	}
	for _, pattern := range s.IgnoreGroups {
		if _, err := path.Match(pattern, ""); err != nil {
			add("ignore_groups", "%q is not a pattern", pattern)
		}
	}
	return append(faults, s.Vocabulary.check()...)
}

func (s *Settings) logGroup() string {
	if s.LogGroup != "" {
		return s.LogGroup
	}
	return "/aws/lambda/" + s.Function
}

// terms are the settings that a plan is about. They are kept with it, because its
// steps go by them and not by the settings of the day.
type terms struct {
	Region        string        `json:"region"`
	Function      string        `json:"function"`
	LogGroup      string        `json:"log_group"`
	Timeout       time.Duration `json:"timeout"`
	IdentityStore string        `json:"identity_store"`
	EmailSuffix   string        `json:"email_suffix"`
	IgnoreTeams   []string      `json:"ignore_teams"`
	IgnoreGroups  []string      `json:"ignore_groups"`
}

func (s *Settings) terms() terms {
	return terms{
		Region: s.Region, Function: s.Function, LogGroup: s.LogGroup, Timeout: s.Timeout, IdentityStore: s.IdentityStore,
		EmailSuffix: s.EmailSuffix, IgnoreTeams: s.IgnoreTeams, IgnoreGroups: s.IgnoreGroups,
	}
}

// facts tells people the terms that an approval is about.
func (s *Settings) facts() []ops.Fact {
	either := func(values ...string) string {
		if text := strings.Join(values, ", "); text != "" {
			return text
		}
		return "none"
	}
	return []ops.Fact{
		{Label: "Deletions without an approval", Value: strconv.Itoa(s.MaxDeletions)},
		{Label: "Function", Value: s.Function + " in " + s.Region},
		{Label: "Identity store", Value: s.IdentityStore},
		{Label: "Ignored teams", Value: either(s.IgnoreTeams...)},
		{Label: "Ignored groups", Value: either(s.IgnoreGroups...)},
		{Label: "E-mail suffix", Value: either(s.EmailSuffix)},
	}
}

// under is the operation with the settings that a plan was made with.
func (o *operation) under(t terms) *operation {
	if t.Function == "" { // a plan from before terms were kept
		return o
	}
	then := *o
	then.settings.Region, then.settings.Function, then.settings.LogGroup, then.settings.Timeout = t.Region, t.Function, t.LogGroup, t.Timeout
	then.settings.IdentityStore, then.settings.EmailSuffix = t.IdentityStore, t.EmailSuffix
	then.settings.IgnoreTeams, then.settings.IgnoreGroups = t.IgnoreTeams, t.IgnoreGroups
	return &then
}
