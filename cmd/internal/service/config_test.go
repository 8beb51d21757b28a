package service_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

func TestAChannelWithANumberSignIsAName(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"#reliability-eng": "reliability-eng", "#Reliability-Eng": "reliability-eng", "reliability-eng": "reliability-eng",
		"#C0456EFGH": "c0456efgh", "C0456EFGH": "C0456EFGH",
	} {
		config, err := service.ParseConfig("rootbot.yaml", fmt.Appendf(nil, "%s%s    channel: %q\n", head, syncs, written))
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Operations[0].Terms.Place; got != want {
			t.Errorf("%s is %s, and not %s", written, got, want)
		}
	}
}

func TestWhatCanMeanNothingHereIsRefusedWithWhatToWrite(t *testing.T) {
	t.Parallel()
	const other = "slack: {log_channel: C0123ABCD}\n"
	github := func(organization, team string) string {
		return fmt.Sprintf("github: {organization: %q, team: %q}\n", organization, team) + other
	}
	for _, test := range []struct{ name, text, says string }{
		{"the slug of a team", github("acme", "root-team"), ""},
		{"a slug with capitals, a point and an underscore", github("Acme-2", "Root.team_2"), ""},
		{"the address of a team", github("acme", "https://github.com/orgs/acme/teams/root-team"), "github.team: \"https://github.com/orgs/acme/teams/root-team\" is not a slug: write root-team"},
		{"the address of its members", github("acme", "github.com/orgs/Acme/teams/root-team/members?query=x"), "write root-team"},
		{"the address of a team of another organisation", github("acme", "https://github.com/orgs/other/teams/root-team"), "is a team of other, and github.organization is acme"},
		{"a mention of a team", github("acme", "@acme/root-team"), "write root-team"},
		{"a team with its organisation", github("acme", "acme/root-team"), "write root-team"},
		{"a mention without the organisation", github("acme", "@root-team"), "write root-team"},
		{"a team's name as people see it", github("acme", "Root Team"), "the last part of the address of the team's page"},
		{"the address of an organisation", github("https://github.com/acme", "root-team"), "github.organization: \"https://github.com/acme\" is not the organisation's login, as its address has it: write acme"},
		{"the address of an organisation's page", github("https://github.com/orgs/acme/people", "root-team"), "write acme"},
		{"an organisation with an @", github("@acme", "root-team"), "write acme"},
		{"an organisation's name as people see it", github("Acme Limited", "root-team"), "the part behind github.com/"},
		{"the address of a channel", "github: {organization: acme, team: root-team}\nslack: {log_channel: \"https://acme.slack.com/archives/C0123ABCD/p1700000000000000\"}\n", "slack.log_channel: \"https://acme.slack.com/archives/C0123ABCD/p1700000000000000\" is not a channel's name or ID: write C0123ABCD"},
		{"a mention of a channel", "github: {organization: acme, team: root-team}\nslack: {log_channel: \"<#C0123ABCD|log>\"}\n", "write C0123ABCD"},
		{"a channel with spaces", "github: {organization: acme, team: root-team}\nslack: {log_channel: \"#root log\"}\n", "\"#root log\" can't be a channel's name"},
		{"a channel in another alphabet", "github: {organization: acme, team: root-team}\nslack: {log_channel: \"#журнал_1\"}\n", ""},
		{"the zone of the machine", github("acme", "root-team") + "working_hours: {zone: Local}\n", "\"Local\" is not a time zone, such as Europe/London"},
		{"the address of an operation's channel", github("acme", "root-team") + syncs + "    channel: https://app.slack.com/client/T0123ABCD/C0456EFGH\n", "operations.scim-sync.channel: \"https://app.slack.com/client/T0123ABCD/C0456EFGH\" is not a channel's name or ID: write C0456EFGH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := service.ParseConfig("rootbot.yaml", []byte(test.text))
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
				t.Errorf("it says %v; want %q", err, test.says)
			}
		})
	}
}
