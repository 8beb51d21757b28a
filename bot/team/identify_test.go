package team_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const domain = "justice.example"

var proved = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// database is an empty one, and its file.
func database(t *testing.T) (s *store.Store, path string) {
	t.Helper()
	path = storetest.File(t)
	s, err := store.Open(t.Context(), "sqlite:"+path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, path
}

// inFile tells whether a text stands in a database's file, or in what is to be
// written to it.
func inFile(t *testing.T, path, text string) bool {
	t.Helper()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}

// link ties a user of workspace T1 to a GitHub account, as another member confirmed.
func link(t *testing.T, s *store.Store, user string, id int64, login string) {
	t.Helper()
	if err := s.AddLink(t.Context(), store.Link{Workspace: "T1", User: user, GitHub: id, Login: login, At: proved, How: team.HowDevice, Asked: proved, Told: proved, Confirmed: proved, ConfirmedBy: "hubot"}, request.Change{}); err != nil {
		t.Fatal(err)
	}
}

// registry is a team that knows people by the settings (U1 is ada-lovelace), by
// links and by single sign-on.
func registry(t *testing.T, gh *githubtest.Server) *team.Team {
	t.Helper()
	gh.EnableSAML()
	gh.AddOwner("reader") // whom GitHub shows external identities
	m := members(t, gh, token)
	m.Identities = map[string]string{"U1": "ada-lovelace"}
	m.Links, _ = database(t)
	m.SAML = team.SAML{URL: gh.URL() + "graphql", Domains: []string{domain}}
	m.People = func(_ context.Context, user string) (team.Person, error) {
		return team.Person{Workspaces: []string{"T1"}, Email: user + "@" + domain}, nil
	}
	return m
}

// is checks who somebody is, and by what.
func is(t *testing.T, m *team.Team, user, login, how string) {
	t.Helper()
	if got, err := m.Identify(t.Context(), "T1", user); err != nil || got != (team.Identity{Login: login, How: how}) {
		t.Errorf("%s is %+v, %v; want %s, %s", user, got, err, login, how)
	}
}

// isNobody checks that it isn't known who somebody is.
func isNobody(t *testing.T, m *team.Team, user string, kind ops.Kind, words ...string) {
	t.Helper()
	got, err := m.Identify(t.Context(), "T1", user)
	says(t, err, kind, words...)
	if got != (team.Identity{}) {
		t.Errorf("beside an error %s is %+v", user, got)
	}
}

const (
	bySettings = "by the bot's settings"
	byLink     = "by the link that you proved on 2 Mar 2026"
)

func TestTheSettingsWinOverALinkAndALinkOverSingleSignOn(t *testing.T) {
	t.Parallel()
	gh := world(t)
	m := registry(t, gh)
	gh.AddToOrganization("by-saml")
	gh.AddToOrganization("by-saml-too")
	gh.AddExternalIdentity("u1@"+domain, "by-saml")
	gh.AddExternalIdentity("u7@"+domain, "by-saml-too")
	link(t, m.Links, "U1", gh.AddUser("by-link"), "by-link")
	link(t, m.Links, "U7", gh.AddUser("by-link-too"), "by-link-too")

	is(t, m, "U1", "ada-lovelace", bySettings)
	if calls := gh.Calls(); len(calls) > 0 {
		t.Errorf("beside the settings GitHub was asked %v", calls)
	}
	is(t, m, "U7", "by-link-too", byLink)
	if n := gh.Count("/graphql"); n > 0 {
		t.Errorf("beside a link, single sign-on was asked %d times", n)
	}
	link, err := m.Links.LinkOf(t.Context(), "T1", "U7")
	if err := errors.Join(err, m.Links.EndLink(t.Context(), link, request.Change{})); err != nil {
		t.Fatal(err)
	}
	is(t, m, "U7", "by-saml-too", "by the organisation's single sign-on, as u7@"+domain)
	delete(m.Identities, "U1")
	is(t, m, "U1", "by-link", byLink)
	if problems := gh.Problems(); problems != nil {
		t.Error(problems)
	}
}

func TestALinkIsToTheAccountAndNotToItsLogin(t *testing.T) {
	t.Parallel()
	gh := world(t)
	m := registry(t, gh)
	link(t, m.Links, "U7", gh.ID("owl"), "owl")
	is(t, m, "U7", "owl", byLink)
	gh.RenameUser("owl", "Barn-Owl")
	is(t, m, "U7", "Barn-Owl", byLink)
	gh.AddMember(slug, "owl") // somebody else takes the name that was given up
	is(t, m, "U7", "Barn-Owl", byLink)
	if err := m.Member(t.Context(), "Barn-Owl"); err != nil {
		t.Errorf("after the renaming: %v", err)
	}
	// The other case of an ID, and another workspace, are somebody else.
	isNobody(t, m, "u7", ops.Refused)
	if _, err := m.Identify(t.Context(), "T2", "U7"); err == nil {
		t.Error("the same ID in another workspace is let in")
	}
}

func TestALinkThatDoesntSayWhoSomebodyIs(t *testing.T) {
	t.Parallel()
	account := func(body string) func(*githubtest.Server, *team.Team) {
		return func(gh *githubtest.Server, _ *team.Team) {
			gh.Fail("GET /user", githubtest.Fault{Status: 200, Body: body})
		}
	}
	fault := func(f githubtest.Fault) func(*githubtest.Server, *team.Team) {
		return func(gh *githubtest.Server, _ *team.Team) { gh.Fail("GET /user", f) }
	}
	for _, test := range []struct {
		name  string
		world func(*githubtest.Server, *team.Team)
		kind  ops.Kind
		says  []string
	}{
		{"the account is gone", fault(githubtest.Fault{Status: 404}), ops.Refused, []string{"owl", "is gone", "/rootbot unlink", "/rootbot link"}},
		{"the settings give the login to somebody else", func(_ *githubtest.Server, m *team.Team) { m.Identities["U8"] = "OWL" }, ops.Refused, []string{"owl", "somebody else", "#aws-root-account", "settings"}},
		{"the account was renamed to what the settings give somebody else", func(gh *githubtest.Server, m *team.Team) {
			m.Identities["U8"] = "snowy-owl"
			gh.RenameUser("owl", "Snowy-Owl")
		}, ops.Refused, []string{"Snowy-Owl", "somebody else", "#aws-root-account"}},
		{"GitHub answers with another account", account(`{"id":1,"login":"owl"}`), ops.Unavailable, []string{"can't check", slug}},
		{"GitHub answers with an account without a number", account(`{"login":"owl"}`), ops.Unavailable, []string{"can't check", slug}},
		{"GitHub answers with nothing", account(`{}`), ops.Unavailable, []string{"can't check", slug}},
		{"GitHub answers with what isn't JSON", account("<html>proxy</html>"), ops.Unavailable, []string{"can't check", slug}},
		{"GitHub is in trouble", fault(githubtest.Fault{Status: 502}), ops.Unavailable, []string{"502", slug}},
		{"GitHub refuses the bot", fault(githubtest.Fault{Status: 403}), ops.Unavailable, []string{"403", slug}},
		{"the bot's limit is used up", fault(githubtest.Fault{RateLimited: true}), ops.Unavailable, []string{"rate limit", slug}},
		{"half an answer comes", fault(githubtest.Fault{Cut: true}), ops.Unavailable, []string{"can't check", slug}},
		{"GitHub is gone", func(gh *githubtest.Server, _ *team.Team) { gh.Close() }, ops.Unavailable, []string{"could not be reached", slug}},
		{"the database is gone", func(_ *githubtest.Server, m *team.Team) { m.Links.Close() }, ops.Unavailable, []string{"can't read its database"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			m := registry(t, gh)
			// Somebody whom single sign-on would know all the same.
			gh.AddToOrganization("way-round")
			gh.AddExternalIdentity("u7@"+domain, "way-round")
			link(t, m.Links, "U7", gh.ID("owl"), "owl")
			test.world(gh, m)
			isNobody(t, m, "U7", test.kind, test.says...)
			if n := gh.Count("/graphql"); n > 0 {
				t.Error("single sign-on was asked instead")
			}
		})
	}
	t.Run("GitHub's login can't be one", func(t *testing.T) {
		t.Parallel()
		gh := world(t)
		m := registry(t, gh)
		link(t, m.Links, "U7", 7, "owl")
		gh.Fail("GET /user/7", githubtest.Fault{Status: 200, Body: `{"id":7,"login":"../memberships/ada-lovelace"}`})
		isNobody(t, m, "U7", ops.Unavailable, "can't check", slug)
	})
}

func TestWhoIsInNoneOfTheThreeIsSentToWhereTheyCanBe(t *testing.T) {
	t.Parallel()
	gh := world(t)
	m := registry(t, gh)
	isNobody(t, m, "U7", ops.Refused, "don't know which GitHub login you are", organization+"/"+slug, "#aws-root-account")
	m.Device.ClientID = "Iv23"
	isNobody(t, m, "U7", ops.Refused, "don't know which GitHub login you are", organization+"/"+slug, "`/rootbot link`")
	m.Links, m.SAML = nil, team.SAML{}
	isNobody(t, m, "U7", ops.Refused, "don't know which GitHub login you are")
}

func TestWhoMayTieThemselvesToAnAccount(t *testing.T) {
	t.Parallel()
	account := team.Account{ID: 4711, Login: "owl"}
	for _, test := range []struct {
		name  string
		user  string // U7
		world func(*githubtest.Server, *team.Team)
		kind  ops.Kind // Internal: they may
		owner string
		says  []string
	}{
		{name: "somebody of whom nothing is known may"},
		{name: "somebody whom single sign-on knows as the same may", world: func(gh *githubtest.Server, _ *team.Team) {
			gh.AddExternalIdentity("u7@"+domain, "owl")
		}},
		{
			name: "somebody whom single sign-on knows as another may not", world: func(gh *githubtest.Server, _ *team.Team) {
				gh.AddExternalIdentity("u7@"+domain, "pending-pete")
				gh.AddToOrganization("pending-pete")
			},
			kind: ops.Refused, says: []string{"pending-pete", "owl", "single sign-on", "your own account"},
		},
		{
			name: "somebody whom single sign-on knows twice may not", world: func(gh *githubtest.Server, _ *team.Team) {
				gh.AddExternalIdentity("u7@"+domain, "owl")
				gh.AddExternalIdentity("u7@"+domain, "plain-jane")
			},
			kind: ops.Refused, says: []string{"More than one"},
		},
		{name: "nobody may while single sign-on doesn't answer", world: func(gh *githubtest.Server, _ *team.Team) {
			gh.Fail("/graphql", githubtest.Fault{Status: 502})
		}, kind: ops.Unavailable, says: []string{"didn't say which login"}},
		{name: "whom the settings name may not", user: "U1", kind: ops.Refused, says: []string{"ada-lovelace", "they win over a link", "#aws-root-account"}},
		{name: "nobody may take what the settings give somebody else", world: func(_ *githubtest.Server, m *team.Team) {
			m.Identities["U8"] = "OWL"
		}, kind: ops.Refused, owner: "U8", says: []string{"owl", "is somebody else", "#aws-root-account"}},
		{name: "a guest may not", world: func(_ *githubtest.Server, m *team.Team) {
			m.People = chat("U7", team.Person{Workspaces: []string{"T1"}, Guest: true})
		}, kind: ops.Refused, says: []string{"Guests may not"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			m := registry(t, gh)
			if test.world != nil {
				test.world(gh, m)
			}
			user := "U7"
			if test.user != "" {
				user = test.user
			}
			owner, err := m.MayLink(t.Context(), "T1", user, account)
			if owner != test.owner {
				t.Errorf("the owner is %q, want %q", owner, test.owner)
			}
			if test.kind == ops.Internal {
				if err != nil {
					t.Errorf("MayLink: %v", err)
				}
				return
			}
			says(t, err, test.kind, test.says...)
		})
	}
}
