package team_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

const (
	organization = "ministryofjustice"
	slug         = "aws-root-account-admin-team"
	token        = "ghp_reader"
)

// world is a GitHub with the team, one active member, one who was invited, one
// in a child team, and one in the organisation only.
func world(t *testing.T) *githubtest.Server {
	t.Helper()
	return worldOf(t, githubtest.Options{})
}

func worldOf(t *testing.T, options githubtest.Options) *githubtest.Server {
	t.Helper()
	options.Organization = organization
	gh := githubtest.New(options)
	t.Cleanup(gh.Close)
	gh.AddTeam(slug)
	gh.AddTeam("night-watch", slug)
	gh.AddMember(slug, "Ada-Lovelace")
	gh.AddPending(slug, "pending-pete")
	gh.AddMember("night-watch", "owl")
	gh.AddToOrganization("plain-jane")
	gh.AddUser("stranger")
	gh.AddToken(token, "reader", "read:org")
	return gh
}

// full says of everybody that they are a full member of workspace T1.
func full(context.Context, string) (team.Person, error) {
	return team.Person{Workspaces: []string{"T1"}}, nil
}

func members(t *testing.T, gh *githubtest.Server, token string) *team.Team {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	client, err := githubaccess.New(gh.URL(), githubaccess.Token{Value: token, Next: transport})
	if err != nil {
		t.Fatal(err)
	}
	return &team.Team{
		GitHub: client, Organization: organization, Slug: slug, Channel: "#aws-root-account", Workspace: "T1",
		Identities: map[string]string{"U1": "ada-lovelace", "U2": "ADA-LOVELACE", "U9": "", "": "ada-lovelace"},
		People:     full,
	}
}

func TestIdentifyByTheSettings(t *testing.T) {
	for _, test := range []struct {
		name, user, login string
	}{
		{"a person of the settings", "U1", "ada-lovelace"},
		{"a second account of the same person", "U2", "ADA-LOVELACE"},
		{"a person whom the settings don't name", "U3", ""},
		{"a person without a login in the settings", "U9", ""},
		{"an ID in another case is another ID", "u1", ""},
		{"nobody", "", ""},
		{"an ID of another workspace", "T2/U1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := members(t, world(t), token).Identify(t.Context(), "T1", test.user)
			if test.login != "" {
				if got.Login != test.login || err != nil {
					t.Errorf("Identify: %v, %v", got, err)
				}
				return
			}
			says(t, err, ops.Refused, slug)
			if got != (team.Identity{}) {
				t.Errorf("Identify: %v beside an error", got)
			}
		})
	}
	t.Run("no identities at all", func(t *testing.T) {
		_, err := (&team.Team{Organization: organization, Slug: slug, Workspace: "T1", People: full}).Identify(t.Context(), "T1", "U1")
		says(t, err, ops.Refused, slug)
	})
	for _, test := range []struct{ name, serves, workspace string }{
		{"a person of another workspace", "T1", "T2"},
		{"a person of no workspace", "T1", ""},
		{"a workspace in another case is another workspace", "T1", "t1"},
		{"nobody while the bot's own workspace isn't known", "", "T1"},
		{"nobody of no workspace while the bot's own isn't known", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := members(t, world(t), token)
			m.Workspace = test.serves
			identity, err := m.Identify(t.Context(), test.workspace, "U1")
			says(t, err, ops.Refused, "not of the workspace")
			if identity != (team.Identity{}) {
				t.Errorf("Identify: %v beside an error", identity)
			}
		})
	}
}

func says(t *testing.T, err error, kind ops.Kind, words ...string) {
	t.Helper()
	if err == nil {
		t.Error("it was allowed")
		return
	}
	if got := ops.KindOf(err); got != kind {
		t.Errorf("the kind is %d, want %d: %v", got, kind, err)
	}
	told := ops.Words(err, "")
	if strings.Contains(told, "othing was") {
		t.Errorf("people read %q: what was done is for the desk to say", told)
	}
	for _, word := range words {
		if !strings.Contains(told, word) {
			t.Errorf("people read %q, which doesn't say %q", told, word)
		}
	}
	if strings.Contains(told, token) || strings.Contains(err.Error(), token) {
		t.Error("the error shows the token")
	}
}

func TestMember(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		login string
		world func(*githubtest.Server)
		token string   // empty: the good one
		kind  ops.Kind // Internal: may
		says  []string
	}{
		{name: "an active member may", login: "Ada-Lovelace"},
		{name: "the case of a login doesn't matter", login: "ada-LOVELACE"},
		{name: "a member of a child team is a member", login: "owl"},
		{name: "who was invited and hasn't accepted may not", login: "pending-pete", kind: ops.Refused, says: []string{"pending-pete", "pending", slug, "invitation"}},
		{name: "who is in the organisation only may not", login: "plain-jane", kind: ops.Refused, says: []string{"plain-jane", "not a member", slug, "#aws-root-account"}},
		{name: "who isn't in the organisation may not", login: "stranger", kind: ops.Refused, says: []string{"stranger", "not a member"}},
		{name: "a login that GitHub doesn't know may not", login: "nobody-at-all", kind: ops.Refused, says: []string{"nobody-at-all"}},
		{name: "who left the team may not any more", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.RemoveMember(slug, "ada-lovelace") }, kind: ops.Refused, says: []string{"not a member"}},
		{name: "an old login may not after a renaming", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.RenameUser("ada-lovelace", "countess") }, kind: ops.Refused},
		{name: "a team that isn't there lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.RemoveTeam(slug) }, kind: ops.Unavailable, says: []string{organization + "/" + slug, "github.team"}},
		{name: "a bad token lets nobody in", login: "Ada-Lovelace", token: "ghp_wrong", kind: ops.Unavailable, says: []string{"401"}},
		{name: "a token that may not read members lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.AddToken("ghp_poor", "poor", "repo") }, token: "ghp_poor", kind: ops.Unavailable, says: nil},
		{name: "a refusal of GitHub lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) {
			gh.Fail("/orgs", githubtest.Fault{Status: 403, Message: "Resource not accessible by integration"})
		}, kind: ops.Unavailable, says: []string{"403", "Resource not accessible"}},
		{name: "a used up rate limit lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.Fail("/orgs", githubtest.Fault{RateLimited: true}) }, kind: ops.Unavailable, says: []string{"rate limit", "resets at"}},
		{name: "a secondary rate limit lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) {
			gh.Fail("/orgs", githubtest.Fault{Secondary: true, RetryAfter: time.Minute})
		}, kind: ops.Unavailable, says: []string{"slow down", "1m0s"}},
		{name: "a GitHub in trouble lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) {
			gh.Fail("/orgs", githubtest.Fault{Status: 502, Body: "<html>Unicorn!</html>"})
		}, kind: ops.Unavailable, says: []string{"502", "githubstatus.com"}},
		{name: "half an answer lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.Fail("/orgs", githubtest.Fault{Cut: true}) }, kind: ops.Unavailable, says: nil},
		{name: "an answer that is no JSON lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) {
			gh.Fail("/orgs", githubtest.Fault{Status: 200, Body: "<html>proxy</html>"})
		}, kind: ops.Unavailable, says: nil},
		{name: "an answer without a state lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.Fail("/orgs", githubtest.Fault{Status: 200, Body: "{}"}) }, kind: ops.Refused},
		{name: "a GitHub that is gone lets nobody in", login: "Ada-Lovelace", world: func(gh *githubtest.Server) { gh.Close() }, kind: ops.Unavailable, says: []string{"could not be reached"}},
		{name: "a look for the team that fails lets nobody in", login: "stranger", world: func(gh *githubtest.Server) { gh.Fail("/orgs/*/teams/*$", githubtest.Fault{Status: 500}) }, kind: ops.Unavailable, says: []string{"500"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			if test.world != nil {
				test.world(gh)
			}
			with := token
			if test.token != "" {
				with = test.token
			}
			err := members(t, gh, with).Member(t.Context(), test.login)
			if test.kind == ops.Internal {
				if err != nil {
					t.Errorf("Member: %v", err)
				}
			} else {
				says(t, err, test.kind, test.says...)
			}
			if problems := gh.Problems(); len(problems) > 0 {
				t.Error(problems)
			}
		})
	}
}

func TestALoginIsOneSegmentOfTheAddress(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"", ".", "..", "ada-lovelace/../ada-lovelace", "../memberships/ada-lovelace", "x?y", "ada-lovelace#", "ada lovelace", "%61da-lovelace", "ada-lovelace/"} {
		t.Run("the login "+login+" is nobody", func(t *testing.T) {
			t.Parallel()
			if err := members(t, world(t), token).Member(t.Context(), login); err == nil {
				t.Error("it was allowed")
			}
		})
	}
}

func TestAGitHubThatHangsLetsNobodyIn(t *testing.T) {
	t.Parallel()
	t.Run("the caller's time is up", func(t *testing.T) {
		t.Parallel()
		gh := world(t)
		gh.Fail("/orgs", githubtest.Fault{Hang: true})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		says(t, members(t, gh, token).Member(ctx, "ada-lovelace"), ops.Unavailable, "did not answer in time")
	})
	t.Run("the client's patience ends", func(t *testing.T) {
		t.Parallel()
		gh := world(t)
		gh.Fail("/orgs", githubtest.Fault{Hang: true})
		m := members(t, gh, token)
		base := m.GitHub.BaseURL
		m.GitHub = github.NewClient(&http.Client{Transport: githubaccess.Token{Value: token}, Timeout: 50 * time.Millisecond})
		m.GitHub.BaseURL = base
		says(t, m.Member(t.Context(), "ada-lovelace"), ops.Unavailable, "did not answer in time")
	})
}

func TestEveryQuestionIsAskedOfGitHubAnew(t *testing.T) {
	t.Parallel()
	gh := world(t)
	m := members(t, gh, token)
	if err := m.Member(t.Context(), "ada-lovelace"); err != nil {
		t.Fatal(err)
	}
	gh.RemoveMember(slug, "ada-lovelace")
	says(t, m.Member(t.Context(), "ada-lovelace"), ops.Refused)
	gh.AddMember(slug, "ada-lovelace")
	if err := m.Member(t.Context(), "ada-lovelace"); err != nil {
		t.Errorf("after she came back: %v", err)
	}
}
