package githubtest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestUsers(t *testing.T) {
	gh := start(t, githubtest.Options{})
	id := gh.AddUser("Alice-B")
	c := client(t, gh, "reader")

	u, _, err := c.Users.Get(t.Context(), "alice-b")
	if err != nil {
		t.Fatal(err)
	}
	if u.GetLogin() != "Alice-B" || u.GetID() != id || u.GetType() != "User" {
		t.Errorf("got %v", u)
	}
	if again := gh.AddUser("ALICE-B"); again != id {
		t.Errorf("added twice: %d and %d", id, again)
	}
	me, _, err := c.Users.Get(t.Context(), "")
	if err != nil || me.GetLogin() != "reader" {
		t.Errorf("got %v, %v", me, err)
	}
	_, _, err = c.Users.Get(t.Context(), "nobody")
	refused(t, err, http.StatusNotFound, "Not Found")

	o, _, err := c.Users.Get(t.Context(), org)
	if err != nil || o.GetType() != "Organization" {
		t.Errorf("got %v, %v", o, err)
	}
	equal(t, gh.Users(), []string{"Alice-B", "reader"})
}

func TestARenamedUserKeepsEverythingButTheLogin(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("platform")
	id := gh.AddUser("alice")
	gh.AddMember("platform", "alice")
	gh.AddToken("hers", "alice")
	gh.RenameUser("alice", "alicia")

	c := client(t, gh, "hers")
	me, _, err := c.Users.Get(t.Context(), "")
	if err != nil || me.GetLogin() != "alicia" || me.GetID() != id {
		t.Errorf("got %v, %v", me, err)
	}
	_, _, err = c.Users.Get(t.Context(), "alice")
	refused(t, err, http.StatusNotFound, "Not Found")
	equal(t, gh.Teams(), map[string][]string{"platform": {"alicia"}})
	if other := gh.AddUser("alice"); other == id {
		t.Error("the next owner of the login has the same ID")
	}
	if _, _, err = c.Teams.GetTeamMembershipBySlug(t.Context(), org, "platform", "alice"); err == nil {
		t.Error("the next owner of the login is in the team")
	}
}

func TestOrganization(t *testing.T) {
	gh := start(t, githubtest.Options{Organization: "Cabinet-Office"})
	c := client(t, gh, "reader")
	o, _, err := c.Organizations.Get(t.Context(), "cabinet-office")
	if err != nil || o.GetLogin() != "Cabinet-Office" || o.GetID() == 0 {
		t.Errorf("got %v, %v", o, err)
	}
	byID, _, err := c.Organizations.GetByID(t.Context(), o.GetID())
	if err != nil || byID.GetLogin() != "Cabinet-Office" {
		t.Errorf("got %v, %v", byID, err)
	}
	_, _, err = c.Organizations.Get(t.Context(), org)
	refused(t, err, http.StatusNotFound, "Not Found")
	_, _, err = c.Teams.ListTeams(t.Context(), org, nil)
	refused(t, err, http.StatusNotFound, "Not Found")
}

func TestOrganizationMembers(t *testing.T) {
	gh := start(t, githubtest.Options{PageSize: 2})
	gh.AddTeam("platform")
	gh.AddToOrganization("carol")
	gh.AddOwner("Olga")
	gh.AddPending("platform", "percy")
	gh.AddUser("stranger")
	c := client(t, gh, "reader")

	for _, tc := range []struct {
		role string
		want []string
	}{
		{"", []string{"carol", "Olga", "reader"}},
		{"admin", []string{"Olga"}},
		{"member", []string{"carol", "reader"}},
	} {
		got := []string{}
		opts := &github.ListMembersOptions{Role: tc.role}
		for {
			users, resp, err := c.Organizations.ListMembers(t.Context(), org, opts)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, logins(users)...)
			if opts.Page = resp.NextPage; resp.NextPage == 0 {
				break
			}
		}
		equal(t, got, tc.want)
	}
	_, _, err := c.Organizations.ListMembers(t.Context(), org, &github.ListMembersOptions{Role: "boss"})
	refused(t, err, http.StatusUnprocessableEntity, "Validation Failed")

	for login, want := range map[string]string{"carol": "active member", "olga": "active admin", "percy": "pending member"} {
		m, _, err := c.Organizations.GetOrgMembership(t.Context(), login, org)
		if err != nil || m.GetState()+" "+m.GetRole() != want || !strings.EqualFold(m.GetUser().GetLogin(), login) {
			t.Errorf("%s: got %v, %v", login, m, err)
		}
	}
	for _, login := range []string{"stranger", "nobody"} {
		_, _, err := c.Organizations.GetOrgMembership(t.Context(), login, org)
		refused(t, err, http.StatusNotFound, "Not Found")
	}
}

func TestTeamsComeInPages(t *testing.T) {
	gh := start(t, githubtest.Options{})
	want := []string{}
	for i := range 205 {
		want = append(want, fmt.Sprintf("team-%03d", i))
		gh.AddTeam(want[i])
	}
	c := client(t, gh, "reader")
	for _, tc := range []struct{ perPage, pages int }{{0, 7}, {100, 3}, {500, 3}, {7, 30}} {
		t.Run(fmt.Sprintf("per_page %d", tc.perPage), func(t *testing.T) {
			var got []string
			pages := 0
			opts := &github.ListOptions{PerPage: tc.perPage}
			for {
				teams, resp, err := c.Teams.ListTeams(t.Context(), org, opts)
				if err != nil {
					t.Fatal(err)
				}
				pages++
				for _, team := range teams {
					got = append(got, team.GetSlug())
				}
				if resp.NextPage == 0 {
					break
				}
				if resp.LastPage != tc.pages {
					t.Errorf("last page %d", resp.LastPage)
				}
				opts.Page = resp.NextPage
			}
			equal(t, pages, tc.pages)
			equal(t, got, want)
		})
	}
	t.Run("behind the last one is nothing", func(t *testing.T) {
		teams, resp, err := c.Teams.ListTeams(t.Context(), org, &github.ListOptions{Page: 9})
		if err != nil || len(teams) != 0 || resp.PrevPage != 7 || resp.NextPage != 0 {
			t.Errorf("got %d teams, %+v, %v", len(teams), resp, err)
		}
	})
}

func TestLinksCanBeFollowed(t *testing.T) {
	gh := start(t, githubtest.Options{PageSize: 1})
	gh.AddTeam("platform")
	gh.AddMember("platform", "alice")
	gh.AddMember("platform", "bob")
	for _, path := range []string{"/orgs/" + org + "/members?role=all", "/orgs/" + org + "/teams/platform/members?role=all"} {
		resp, _ := raw(t, gh, "GET", path)
		next, _, _ := strings.Cut(strings.TrimPrefix(resp.Header.Get("Link"), "<"), ">")
		if !strings.Contains(next, "/organizations/") || !strings.Contains(next, "role=all") {
			t.Errorf("next is %q", next)
		}
		resp, body := raw(t, gh, "GET", strings.TrimPrefix(next, gh.URL()))
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, `"login":"bob"`) {
			t.Errorf("got %d %s", resp.StatusCode, body)
		}
	}
	resp, _ := raw(t, gh, "GET", "/orgs/"+org+"/teams")
	equal(t, resp.Header.Get("Link"), "")
}

func TestOneTeam(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("Platform & Ops")
	id := gh.AddTeam("on-call", "platform-ops")
	gh.AddMember("on-call", "alice")
	c := client(t, gh, "reader")

	team, _, err := c.Teams.GetTeamBySlug(t.Context(), org, "On-Call")
	if err != nil {
		t.Fatal(err)
	}
	if team.GetID() != id || team.GetParent().GetSlug() != "platform-ops" || team.GetMembersCount() != 1 || team.GetOrganization().GetLogin() != org {
		t.Errorf("got %v", team)
	}
	parent, _, err := c.Teams.GetTeamByID(t.Context(), team.GetOrganization().GetID(), team.GetParent().GetID())
	if err != nil || parent.GetName() != "Platform & Ops" || parent.Parent != nil || parent.GetMembersCount() != 1 {
		t.Errorf("got %v, %v", parent, err)
	}
	_, _, err = c.Teams.GetTeamBySlug(t.Context(), org, "nothing")
	refused(t, err, http.StatusNotFound, "Not Found")
	_, _, err = c.Teams.ListTeamMembersBySlug(t.Context(), org, "nothing", nil)
	refused(t, err, http.StatusNotFound, "Not Found")
}

// family is aws-root-account-admin-team with its child on-call and grandchild night, in whose places the people are.
func family(t *testing.T) *githubtest.Server {
	gh := start(t, githubtest.Options{})
	gh.AddTeam("admins")
	gh.AddTeam("on-call", "admins")
	gh.AddTeam("night", "on-call")
	gh.AddTeam("others")
	gh.AddMember("admins", "alice")
	gh.AddMaintainer("admins", "mary")
	gh.AddPending("admins", "percy")
	gh.AddMember("on-call", "carol")
	gh.AddPending("on-call", "pia")
	gh.AddMember("night", "Nora")
	gh.AddMember("others", "otto")
	gh.AddPending("admins", "otto")
	gh.AddOwner("olga")
	gh.AddMember("night", "olga")
	return gh
}

func TestTeamMembersIncludeThoseOfChildTeams(t *testing.T) {
	gh := family(t)
	c := client(t, gh, "reader")
	for _, tc := range []struct {
		slug, role string
		want       []string
	}{
		{"admins", "", []string{"alice", "carol", "mary", "Nora", "olga"}},
		{"admins", "maintainer", []string{"mary", "olga"}},
		{"admins", "member", []string{"alice", "carol", "Nora"}},
		{"on-call", "all", []string{"carol", "Nora", "olga"}},
		{"night", "", []string{"Nora", "olga"}},
	} {
		users, _, err := c.Teams.ListTeamMembersBySlug(t.Context(), org, tc.slug, &github.TeamListTeamMembersOptions{Role: tc.role})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, logins(users), tc.want)
	}
	_, _, err := c.Teams.ListTeamMembersBySlug(t.Context(), org, "admins", &github.TeamListTeamMembersOptions{Role: "owner"})
	refused(t, err, http.StatusUnprocessableEntity, "Validation Failed")

	equal(t, gh.Teams(), map[string][]string{
		"admins": {"alice", "carol", "mary", "Nora", "olga"}, "on-call": {"carol", "Nora", "olga"}, "night": {"Nora", "olga"}, "others": {"otto"},
	})
	equal(t, gh.Direct(), map[string][]string{
		"admins": {"alice", "mary"}, "on-call": {"carol"}, "night": {"Nora", "olga"}, "others": {"otto"},
	})
	equal(t, gh.Pending(), map[string][]string{"admins": {"otto", "percy"}, "on-call": {"pia"}})
}

func TestTeamMembership(t *testing.T) {
	gh := family(t)
	c := client(t, gh, "reader")
	for _, tc := range []struct{ name, login, want string }{
		{"a member is active, in any case", "ALICE", "active member"},
		{"a maintainer says so", "mary", "active maintainer"},
		{"an invitation is pending", "percy", "pending member"},
		{"a member of the organisation can be pending", "otto", "pending member"},
		{"a child team's member is active", "carol", "active member"},
		{"a grandchild team's member is active", "nora", "active member"},
		{"an owner is a maintainer", "olga", "active maintainer"},
		{"a child team's invitation is none", "pia", ""},
		{"a member of the organisation alone is none", "reader", ""},
		{"somebody GitHub doesn't know is none", "nobody", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, _, err := c.Teams.GetTeamMembershipBySlug(t.Context(), org, "admins", tc.login)
			if tc.want == "" {
				refused(t, err, http.StatusNotFound, "Not Found")
				return
			}
			if err != nil || m.GetState()+" "+m.GetRole() != tc.want {
				t.Errorf("got %v, %v", m, err)
			}
		})
	}
}

func TestMembershipsEnd(t *testing.T) {
	member := func(t *testing.T, gh *githubtest.Server, login string) bool {
		m, _, err := client(t, gh, "reader").Teams.GetTeamMembershipBySlug(t.Context(), org, "admins", login)
		return err == nil && m.GetState() == "active"
	}
	t.Run("when they're removed", func(t *testing.T) {
		gh := family(t)
		gh.RemoveMember("admins", "Alice")
		gh.RemoveMember("admins", "nobody")
		equal(t, member(t, gh, "alice"), false)
		if _, _, err := client(t, gh, "reader").Organizations.GetOrgMembership(t.Context(), "alice", org); err != nil {
			t.Errorf("alice has left the organisation too: %v", err)
		}
	})
	t.Run("when the child team goes", func(t *testing.T) {
		gh := family(t)
		gh.RemoveTeam("on-call")
		equal(t, member(t, gh, "carol"), false)
		equal(t, member(t, gh, "nora"), false)
		equal(t, gh.Teams(), map[string][]string{"admins": {"alice", "mary"}, "others": {"otto"}})
	})
	t.Run("when they leave the organisation", func(t *testing.T) {
		gh := family(t)
		gh.RemoveFromOrganization("alice")
		gh.RemoveFromOrganization("nobody")
		equal(t, member(t, gh, "alice"), false)
	})
	t.Run("but begin when an invitation is accepted", func(t *testing.T) {
		gh := family(t)
		gh.AddMember("admins", "percy")
		equal(t, member(t, gh, "percy"), true)
	})
	t.Run("and begin when a team moves below", func(t *testing.T) {
		gh := family(t)
		gh.AddTeam("others", "night")
		equal(t, member(t, gh, "otto"), true)
	})
}

func TestMistakesInATestPanic(t *testing.T) {
	for name, mistake := range map[string]func(*githubtest.Server){
		"an unknown team":            func(gh *githubtest.Server) { gh.AddMember("nothing", "alice") },
		"an unknown team to invite":  func(gh *githubtest.Server) { gh.AddPending("nothing", "alice") },
		"an unknown team to leave":   func(gh *githubtest.Server) { gh.RemoveMember("nothing", "alice") },
		"an unknown team to remove":  func(gh *githubtest.Server) { gh.RemoveTeam("nothing") },
		"an unknown parent":          func(gh *githubtest.Server) { gh.AddTeam("child", "nothing") },
		"a circle of teams":          func(gh *githubtest.Server) { gh.AddTeam("admins", "night") },
		"a team without a slug":      func(gh *githubtest.Server) { gh.AddTeam("&&&") },
		"a login that can't be":      func(gh *githubtest.Server) { gh.AddUser("alice@example.gov.uk") },
		"an unknown user to rename":  func(gh *githubtest.Server) { gh.RenameUser("nobody", "somebody") },
		"a login that's taken":       func(gh *githubtest.Server) { gh.RenameUser("alice", "mary") },
		"an empty token":             func(gh *githubtest.Server) { gh.AddToken("", "alice") },
		"a key that isn't one":       func(gh *githubtest.Server) { gh.AddApp(githubtest.App{PrivateKey: "secret"}) },
		"a fault with two answers":   func(gh *githubtest.Server) { gh.Fail("", githubtest.Fault{Status: 500, Hang: true}) },
		"a body without a status":    func(gh *githubtest.Server) { gh.Fail("", githubtest.Fault{Body: "x"}) },
		"a reset without a limit":    func(gh *githubtest.Server) { gh.Fail("", githubtest.Fault{Status: 500, Reset: gh.Calls()[0].At}) },
		"a pattern that can't be":    func(gh *githubtest.Server) { gh.Count("/orgs/[") },
		"a status that isn't one":    func(gh *githubtest.Server) { gh.Fail("", githubtest.Fault{Status: 99}) },
		"a retry without a fault":    func(gh *githubtest.Server) { gh.Fail("", githubtest.Fault{RetryAfter: 1}) },
		"a negative number of times": func(gh *githubtest.Server) { gh.Fail("", githubtest.Fault{Status: 500, Times: -1}) },
	} {
		t.Run(name, func(t *testing.T) {
			gh := family(t)
			raw(t, gh, "GET", "/user")
			defer func() {
				if recover() == nil {
					t.Error("it didn't panic")
				}
				gh.Teams()
			}()
			mistake(gh)
		})
	}
}
