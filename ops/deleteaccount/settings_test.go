package deleteaccount_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/deleteaccount"
)

func TestCheckFindsEveryFault(t *testing.T) {
	t.Parallel()
	const one, two = "ou-abcd-11111111", "ou-abcd-22222222"
	for _, test := range []struct {
		name   string
		change func(*deleteaccount.Settings)
		want   []ops.Fault
	}{
		{"nothing is wrong", func(*deleteaccount.Settings) {}, nil},
		{"nothing is wrong without what is optional", func(s *deleteaccount.Settings) {
			s.DisabledOU, s.ClosedOU, s.Repository, s.Paths, s.Grace, s.WarnSpend = "", "", "", nil, 0, 0
		}, nil},
		{"roles are missing", func(s *deleteaccount.Settings) { s.LookRole, s.ActRole = "", "" }, []ops.Fault{
			{Key: "look_role", Problem: "missing: the ARN of a role in the management account"},
			{Key: "act_role", Problem: "missing: the ARN of a role in the management account"},
		}},
		{"roles are something else", func(s *deleteaccount.Settings) {
			s.LookRole, s.ActRole = "rootbot", "arn:aws:iam::111111111111:user/x"
		}, []ops.Fault{
			{Key: "look_role", Problem: `"rootbot" is not the ARN of a role`},
			{Key: "act_role", Problem: `"arn:aws:iam::111111111111:user/x" is not the ARN of a role`},
		}},
		{"units are something else", func(s *deleteaccount.Settings) { s.DisabledOU, s.ClosedOU = "Disabled accounts", "r-abcd" }, []ops.Fault{
			{Key: "disabled_ou", Problem: `"Disabled accounts" is not the ID of an organizational unit, such as ou-abcd-11111111`},
			{Key: "closed_ou", Problem: `"r-abcd" is not the ID of an organizational unit, such as ou-abcd-11111111`},
		}},
		{"units are the same", func(s *deleteaccount.Settings) { s.ClosedOU = s.DisabledOU }, []ops.Fault{
			{Key: "closed_ou", Problem: "it is the same as disabled_ou"},
		}},
		{"the grace is negative", func(s *deleteaccount.Settings) { s.Grace = -time.Second }, []ops.Fault{{Key: "grace", Problem: "-1s is below 0"}}},
		{"a grace without a unit", func(s *deleteaccount.Settings) { s.DisabledOU = "" }, []ops.Fault{
			{Key: "grace", Problem: "without disabled_ou there is nothing to restore, so it must be 0s"},
		}},
		{"protected things are something else", func(s *deleteaccount.Settings) {
			s.Protected.Accounts = []string{"111111111111", "11111111111", "x"}
			s.Protected.OUs = []string{"ou-abcd-33333333", "Platform"}
		}, []ops.Fault{
			{Key: "protected.accounts", Problem: `"11111111111" is not an account's ID of twelve digits; put it in quotes`},
			{Key: "protected.accounts", Problem: `"x" is not an account's ID of twelve digits; put it in quotes`},
			{Key: "protected.ous", Problem: `"Platform" is not the ID of an organizational unit, such as ou-abcd-11111111`},
		}},
		{"the units of closing are protected themselves", func(s *deleteaccount.Settings) { s.Protected.OUs = []string{one, two} }, []ops.Fault{
			{Key: "protected.ous", Problem: `"ou-abcd-11111111" is disabled_ou: what is moved there couldn't be closed`},
			{Key: "protected.ous", Problem: `"ou-abcd-22222222" is closed_ou: what is moved there couldn't be closed`},
		}},
		{"a percentage below 0", func(s *deleteaccount.Settings) { s.Quota.Percent = -1 }, quotaFault},
		{"a percentage above 100", func(s *deleteaccount.Settings) { s.Quota.Percent = 101 }, quotaFault},
		{"no minimum", func(s *deleteaccount.Settings) { s.Quota.Minimum = 0 }, quotaFault},
		{"a maximum below the minimum", func(s *deleteaccount.Settings) { s.Quota.Maximum = 249 }, quotaFault},
		{"the repository is something else", func(s *deleteaccount.Settings) { s.Repository = "https://github.com/a/b" }, []ops.Fault{
			{Key: "repository", Problem: `"https://github.com/a/b" is not a repository, as owner/name`},
		}},
		{"a repository without paths", func(s *deleteaccount.Settings) { s.Paths = nil }, []ops.Fault{
			{Key: "paths", Problem: "missing: the files in which accounts are defined"},
		}},
		{"paths that are no patterns", func(s *deleteaccount.Settings) { s.Paths = []string{"terraform/[.tf", "*.tf", "a/b["} }, []ops.Fault{
			{Key: "paths", Problem: `"terraform/[.tf" is not a pattern`},
			{Key: "paths", Problem: `"a/b[" is not a pattern`},
		}},
		{"a negative spend", func(s *deleteaccount.Settings) { s.WarnSpend = -0.5 }, []ops.Fault{{Key: "warn_spend", Problem: "-0.5 is below 0"}}},
		{"no time between polls", func(s *deleteaccount.Settings) { s.Poll = 0 }, []ops.Fault{{Key: "poll", Problem: "0s is not a time to wait"}}},
		{"several at once", func(s *deleteaccount.Settings) { s.LookRole, s.Poll, s.WarnSpend = "", -time.Second, -1 }, []ops.Fault{
			{Key: "look_role", Problem: "missing: the ARN of a role in the management account"},
			{Key: "warn_spend", Problem: "-1 is below 0"},
			{Key: "poll", Problem: "-1s is not a time to wait"},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := deleteaccount.Defaults()
			s.LookRole, s.ActRole, s.DisabledOU, s.ClosedOU, s.Repository = lookRole, actRole, one, two, repo
			test.change(s)
			if diff := cmp.Diff(test.want, s.Check()); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

var quotaFault = []ops.Fault{{Key: "quota", Problem: "percent must be from 0 to 100, and minimum from 1 to maximum"}}

// Without settings it must be said what is missing, not more.
func TestDefaultsLackOnlyWhatNobodyCanKnow(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, f := range deleteaccount.Defaults().Check() {
		keys = append(keys, f.Key)
	}
	if diff := cmp.Diff([]string{"look_role", "act_role", "grace"}, keys); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
