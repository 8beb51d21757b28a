package service

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	// slug is what GitHub has as an organisation's login and a team's slug.
	slug = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	// teamAddress is the address of a team's page, or of one below it.
	teamAddress = regexp.MustCompile(`^(?:https?://)?[^/\s]+/orgs/([^/\s]+)/teams/([^/\s?#]+)`)
	ownAddress  = regexp.MustCompile(`^(?:https?://)?(?:www\.)?[^/\s]+\.[^/\s]+/(?:orgs/)?([^/\s?#]+)`)
	// channelAddress is the address of a channel or of a message in it, and what Slack
	// makes of a mention of one.
	channelAddress = regexp.MustCompile(`^(?:https?://[^/\s]+/(?:archives|client/[A-Z0-9]+)/|<#)([CG][A-Z0-9]{6,})`)
)

// nameFaults finds faults in the names of the team and of the log channel.
func (c *Config) nameFaults(at func(...string) int, add func(line int, format string, args ...any)) {
	for _, n := range []struct{ group, key, value, missing, problem string }{
		{"github", "organization", c.GitHub.Organization, "", organizationFault(c.GitHub.Organization)},
		{"github", "team", c.GitHub.Team, ": the slug of the team whose members may", teamFault(c.GitHub.Team, c.GitHub.Organization)},
		{"slack", "log_channel", c.Slack.LogChannel, ": a channel's name or ID", channelFault(c.Slack.LogChannel)},
	} {
		switch {
		case n.value == "":
			add(at(n.group), "%s.%s is missing%s", n.group, n.key, n.missing)
		case n.problem != "":
			add(at(n.group, n.key), "%s.%s: %s", n.group, n.key, n.problem)
		}
	}
}

// organizationFault says why a text can't be an organisation's login; empty: it can.
func organizationFault(text string) string {
	plain := strings.TrimPrefix(text, "@")
	if m := ownAddress.FindStringSubmatch(text); m != nil {
		plain = m[1]
	}
	switch {
	case text == "" || slug.MatchString(text):
		return ""
	case slug.MatchString(plain):
		return fmt.Sprintf("%q is not the organisation's login, as its address has it: write %s", text, plain)
	}
	return fmt.Sprintf("%q is not an organisation's login: that is the part behind github.com/ in its address", text)
}

// teamFault says why a text can't be a team's slug in an organisation; empty: it can.
func teamFault(text, organization string) string {
	owner, plain := "", text
	if m := teamAddress.FindStringSubmatch(text); m != nil {
		owner, plain = m[1], m[2]
	} else if before, after, ok := strings.Cut(strings.TrimPrefix(text, "@"), "/"); ok {
		owner, plain = before, after
	}
	switch {
	case text == "" || slug.MatchString(text):
		return ""
	case owner != "" && slug.MatchString(plain) && !strings.EqualFold(owner, organization):
		return fmt.Sprintf("%q is a team of %s, and github.organization is %s: write the slug of a team of that organisation", text, owner, organization)
	case strings.HasPrefix(text, "@") && slug.MatchString(text[1:]):
		return fmt.Sprintf("%q is not a slug: write %s", text, text[1:])
	case owner != "" && slug.MatchString(plain):
		return fmt.Sprintf("%q is not a slug: write %s", text, plain)
	}
	return fmt.Sprintf("%q is not a slug: that is the last part of the address of the team's page, in which no spaces are", text)
}

// channelFault says why a text can be neither a channel's name nor its ID; empty: it can.
// Slack gives no channel a name with white space or a point.
// https://docs.slack.dev/reference/methods/conversations.create#naming
func channelFault(text string) string {
	m := channelAddress.FindStringSubmatch(text)
	switch {
	case m != nil:
		return fmt.Sprintf("%q is not a channel's name or ID: write %s", text, m[1])
	case strings.ContainsAny(strings.TrimPrefix(text, "#"), " \t\r\n./:<>@#,|"):
		return fmt.Sprintf("%q can't be a channel's name: write its ID, which stands at the bottom of what Slack tells about the channel", text)
	}
	return ""
}
