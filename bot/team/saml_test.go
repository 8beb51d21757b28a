package team_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// at says of everybody that the chat has confirmed one address of theirs.
func at(address string) func(context.Context, string) (team.Person, error) {
	return func(context.Context, string) (team.Person, error) {
		return team.Person{Workspaces: []string{"T1"}, Email: address}, nil
	}
}

const (
	address = "amber.otter@" + domain
	bySAML  = "by the organisation's single sign-on, as " + address
)

func TestSingleSignOnIsOnlyAskedAboutConfirmedAddressesOfTheDomainsThatAreTrusted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		address string
		domains []string
	}{
		{"no domain is trusted", address, nil},
		{"no domain is trusted, and the address has none", "amber.otter", nil},
		{"an empty domain trusts nobody without one", "amber.otter@", []string{domain}},
		{"another domain is trusted", address, []string{"digital.example", "justice.test"}},
		{"the address is of a sub-domain", "amber.otter@digital." + domain, []string{domain}},
		{"the address is of the domain above", "amber.otter@example", []string{domain}},
		{"the address is of a domain that ends alike", "amber.otter@in" + domain, []string{domain}},
		{"the address is of a domain that begins alike", "amber.otter@" + domain + ".test", []string{domain}},
		{"the domain ends with a dot", address + ".", []string{domain}},
		{"no address is confirmed", "", []string{domain}},
		{"the address has no name", "@" + domain, []string{domain}},
		{"the address has no at sign", domain, []string{domain}},
		{"the address has two at signs", "mallory@evil.test@" + domain, []string{domain}},
		{"the address begins with the at sign of another", "@evil.test@" + domain, []string{domain}},
		{"a letter of the name only looks like one", "\u0430mber.otter@" + domain, []string{domain}},         // Cyrillic
		{"a letter of the domain only looks like one", "amber.otter@justic\u0435.example", []string{domain}}, // Cyrillic
		{"a letter of the name is wide", "\uff41mber.otter@" + domain, []string{domain}},
		{"a letter of the name has an accent of its own", "amber.otte\u0301r@" + domain, []string{domain}},
		{"a letter of the name becomes one of it in lower case", "amber.otter.k\u0130m@" + domain, []string{domain}},
		{"a letter of the domain becomes one of it in lower case", "amber.otter@\u212aing.example", []string{"king.example"}},
		{"the at sign is wide", "amber.otter\uff20" + domain, []string{domain}},
		{"something invisible stands in the name", "amber.\u200botter@" + domain, []string{domain}},
		{"the name isn't UTF-8", "amber\xffotter@" + domain, []string{domain}},
		{"a space stands before it", " " + address, []string{domain}},
		{"a space stands behind it", address + " ", []string{domain}},
		{"a line ends in it", "amber\n.otter@" + domain, []string{domain}},
		{"a NUL stands in it", "amber.otter\x00@" + domain, []string{domain}},
		{"a DEL stands in it", "amber.otter\x7f@" + domain, []string{domain}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			gh.AddOwner("reader")
			gh.AddToOrganization("amber-otter")
			gh.AddExternalIdentity(address, "amber-otter")
			m := members(t, gh, token)
			m.SAML = team.SAML{URL: gh.URL() + "graphql", Domains: test.domains}
			m.People = at(test.address)
			isNobody(t, m, "U7", ops.Refused, "don't know which GitHub login")
			if calls := gh.Calls(); len(calls) > 0 {
				t.Errorf("GitHub was asked %v", calls)
			}
		})
	}
}

func TestWhoSingleSignOnSaysThatSomebodyIs(t *testing.T) {
	t.Parallel()
	saml := func(name, login string, options ...githubtest.ExternalIdentityOptions) func(*githubtest.Server, *team.Team) {
		return func(gh *githubtest.Server, _ *team.Team) {
			if login != "" {
				gh.AddToOrganization(login)
			}
			gh.AddExternalIdentity(name, login, options...)
		}
	}
	for _, test := range []struct {
		name    string
		address string // empty: the usual one
		worlds  []func(*githubtest.Server, *team.Team)
		login   string // empty: it isn't known
		kind    ops.Kind
		says    []string
	}{
		{name: "exactly one signs in by the address", worlds: []func(*githubtest.Server, *team.Team){saml(address, "amber-otter"), saml("eve@"+domain, "eve")}, login: "amber-otter"},
		{name: "the case of the address in the chat doesn't matter", address: "Amber.OTTER@Justice.Example", worlds: []func(*githubtest.Server, *team.Team){saml(address, "amber-otter")}, login: "amber-otter"},
		{name: "the case of the address at the provider doesn't matter once GitHub finds it", worlds: []func(*githubtest.Server, *team.Team){saml("Amber.Otter@"+domain, "amber-otter", githubtest.ExternalIdentityOptions{UserName: address})}, login: "amber-otter"},
		{name: "the address is the name's attribute and the NameID is a number", worlds: []func(*githubtest.Server, *team.Team){saml("00u1a2b3c4", "amber-otter", githubtest.ExternalIdentityOptions{SAMLUserName: address})}, login: "amber-otter"},
		{name: "a letter of the address at the provider only becomes one of it in lower case", address: "kim@" + domain, worlds: []func(*githubtest.Server, *team.Team){
			saml("\u212aim@"+domain, "eve", githubtest.ExternalIdentityOptions{UserName: "kim@" + domain}),
		}, kind: ops.Refused, says: []string{"don't know which"}},
		{name: "nobody signs in by the address", worlds: []func(*githubtest.Server, *team.Team){saml("eve@"+domain, "eve")}, kind: ops.Refused, says: []string{"don't know which"}},
		{name: "nobody has claimed the address yet", worlds: []func(*githubtest.Server, *team.Team){saml(address, "")}, kind: ops.Refused, says: []string{"don't know which"}},
		{name: "who has claimed the address isn't in the organisation", worlds: []func(*githubtest.Server, *team.Team){func(gh *githubtest.Server, _ *team.Team) {
			gh.AddExternalIdentity(address, "gone")
		}}, kind: ops.Refused, says: []string{"don't know which"}},
		{name: "the address is only what somebody was provisioned under", worlds: []func(*githubtest.Server, *team.Team){saml("eve@"+domain, "eve", githubtest.ExternalIdentityOptions{UserName: address})}, kind: ops.Refused, says: []string{"don't know which"}},
		{name: "the address is only one of somebody's addresses", worlds: []func(*githubtest.Server, *team.Team){saml("eve@"+domain, "eve", githubtest.ExternalIdentityOptions{Emails: []string{address}})}, kind: ops.Refused, says: []string{"don't know which"}},
		{name: "two sign in by the address", worlds: []func(*githubtest.Server, *team.Team){saml(address, "amber-otter"), saml(address, "eve")}, kind: ops.Refused, says: []string{"More than one GitHub login signs in as " + address, "#aws-root-account"}},
		{name: "two sign in by the address, by its name and by its attribute", worlds: []func(*githubtest.Server, *team.Team){saml(address, "amber-otter"), saml("00u1a2b3c4", "eve", githubtest.ExternalIdentityOptions{SAMLUserName: address})}, kind: ops.Refused, says: []string{"More than one"}},
		{name: "two sign in by the address, and a third was provisioned under it", worlds: []func(*githubtest.Server, *team.Team){
			saml("00u9z8y7x6", "carol", githubtest.ExternalIdentityOptions{UserName: address}), saml(address, "amber-otter"), saml(address, "eve"),
		}, kind: ops.Refused, says: []string{"More than one"}},
		{name: "somebody else has proved that the account is theirs", worlds: []func(*githubtest.Server, *team.Team){saml(address, "amber-otter"), func(gh *githubtest.Server, m *team.Team) {
			link(t, m.Links, "U8", gh.ID("amber-otter"), "amber-otter")
		}}, kind: ops.Refused, says: []string{"Somebody else has proved", "amber-otter", "#aws-root-account"}},
		{name: "somebody else has proved it and the login is another by now", worlds: []func(*githubtest.Server, *team.Team){saml(address, "amber-otter"), func(gh *githubtest.Server, m *team.Team) {
			link(t, m.Links, "U8", gh.ID("amber-otter"), "amber-otter")
			gh.RenameUser("amber-otter", "countess")
		}}, kind: ops.Refused, says: []string{"Somebody else has proved", "countess"}},
		{name: "the settings give the login to somebody else", worlds: []func(*githubtest.Server, *team.Team){saml(address, "Ada-Lovelace")}, kind: ops.Refused, says: []string{"settings say", "Ada-Lovelace", "somebody else", "#aws-root-account"}},
		{name: "the database is gone", worlds: []func(*githubtest.Server, *team.Team){saml(address, "amber-otter"), func(_ *githubtest.Server, m *team.Team) {
			m.Links.Close()
		}}, kind: ops.Unavailable, says: []string{"can't read its database"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			m := registry(t, gh)
			m.People = at(test.address)
			if test.address == "" {
				m.People = at(address)
			}
			for _, change := range test.worlds {
				change(gh, m)
			}
			if test.login != "" {
				is(t, m, "U7", test.login, bySAML)
			} else {
				isNobody(t, m, "U7", test.kind, test.says...)
			}
			if problems := gh.Problems(); problems != nil {
				t.Error(problems)
			}
		})
	}
}

func TestASingleSignOnThatDoesntAnswerLetsNobodyIn(t *testing.T) {
	t.Parallel()
	answers := func(status int, body string) func(*githubtest.Server, *team.Team) {
		return func(gh *githubtest.Server, _ *team.Team) {
			gh.Fail("POST /graphql", githubtest.Fault{Status: status, Body: body})
		}
	}
	whole := `{"organization":{"samlIdentityProvider":{"externalIdentities":{"nodes":[{"samlIdentity":{"nameId":"` + address + `"},"user":{"login":"amber-otter","databaseId":7}}]}}}}`
	for _, test := range []struct {
		name  string
		world func(*githubtest.Server, *team.Team)
		cause string
		lasts bool // no waiting mends it
	}{
		{"the organisation has no single sign-on of its own", func(gh *githubtest.Server, _ *team.Team) { gh.DisableSAML() }, "no SAML of its own", true},
		{"the bot may not read it, for its token's owner isn't one of the organisation", func(gh *githubtest.Server, _ *team.Team) {
			gh.AddToken(token, "plain-jane", "read:org")
		}, "no SAML of its own", true},
		{"the bot may not read it with a fine-grained token", func(gh *githubtest.Server, _ *team.Team) { gh.AddToken(token, "reader") }, "FORBIDDEN", true},
		{"there is no such organisation", func(_ *githubtest.Server, m *team.Team) { m.Organization = "ministryofsound" }, "NOT_FOUND", true},
		{"the token is bad", func(gh *githubtest.Server, _ *team.Team) { gh.RevokeToken(token) }, "401", true},
		{"GitHub says that it is forbidden", answers(200, `{"data":null,"errors":[{"type":"FORBIDDEN","message":"Resource not accessible by integration"}]}`), "Resource not accessible", true},
		{"GitHub answers with an error beside the data", answers(200, `{"data":`+whole+`,"errors":[{"type":"INTERNAL","message":"Something went wrong"}]}`), "Something went wrong", false},
		{"GitHub answers with no data", answers(200, `{"data":null}`), "no such organisation", false},
		{"GitHub answers with nothing", answers(200, `{}`), "no such organisation", false},
		{"GitHub answers with null", answers(200, `null`), "no such organisation", false},
		{"GitHub answers with HTML", answers(200, "<html>proxy</html>"), "invalid character", false},
		{"GitHub is in trouble", answers(500, ""), "500", false},
		{"GitHub is in trouble and answers with the data all the same", answers(502, `{"data":`+whole+`}`), "502", false},
		{"GitHub refuses the bot", answers(403, ""), "403", true},
		{"the hourly limit is used up", func(gh *githubtest.Server, _ *team.Team) {
			gh.Fail("/graphql", githubtest.Fault{RateLimited: true})
		}, "RATE_LIMITED", false},
		{"half an answer comes", func(gh *githubtest.Server, _ *team.Team) { gh.Fail("/graphql", githubtest.Fault{Cut: true}) }, "EOF", false},
		{"GitHub is gone", func(gh *githubtest.Server, _ *team.Team) { gh.Close() }, "", false},
		{"its address isn't one", func(_ *githubtest.Server, m *team.Team) { m.SAML.URL = "http://[::1" }, "GraphQL address", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			m := members(t, gh, token)
			m.SAML = team.SAML{URL: gh.URL() + "graphql", Domains: []string{domain}}
			m.People = at(address)
			gh.AddToOrganization("amber-otter")
			gh.AddExternalIdentity(address, "amber-otter")
			gh.AddOwner("reader")
			is(t, m, "U7", "amber-otter", bySAML)
			test.world(gh, m)
			got, err := m.Identify(t.Context(), "T1", "U7")
			next := "Try again in a minute"
			if test.lasts {
				next = "Tell the people who run the bot"
			}
			says(t, err, ops.Unavailable, "didn't say which login signs in as "+address, m.Name(), next)
			if ops.IsPassing(err) == test.lasts {
				t.Errorf("it passes: %v", !test.lasts)
			}
			if got != (team.Identity{}) {
				t.Errorf("beside the error: %+v", got)
			}
			if err != nil && !strings.Contains(err.Error(), test.cause) {
				t.Errorf("the operator reads %q, which doesn't say %q", err, test.cause)
			}
		})
	}
}

func TestAnIdentityWithoutAnAccountIsNobody(t *testing.T) {
	t.Parallel()
	for name, user := range map[string]string{
		"no account":                      `null`,
		"an account without a number":     `{"login":"amber-otter"}`,
		"an account without a login":      `{"databaseId":7}`,
		"a login that can't be one":       `{"login":"../memberships/ada-lovelace","databaseId":7}`,
		"a login that isn't one, but two": `{"login":"amber-otter ada-lovelace","databaseId":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			m := members(t, gh, token)
			m.SAML = team.SAML{URL: gh.URL() + "graphql", Domains: []string{domain}}
			m.People = at(address)
			gh.Fail("/graphql", githubtest.Fault{Status: 200, Body: `{"data":{"organization":{"samlIdentityProvider":{"externalIdentities":{"nodes":[{"samlIdentity":{"nameId":"` +
				address + `"},"user":` + user + `}]}}}}}`})
			isNobody(t, m, "U7", ops.Refused, "don't know which")
		})
	}
}
