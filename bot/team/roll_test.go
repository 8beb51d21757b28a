package team_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// typed is what becomes of a login's command: refused at once in a crowd, or asked about.
func typed(t *testing.T, m *team.Team, login string) error {
	t.Helper()
	if err := m.Crowd(t.Context(), login); err != nil {
		return err
	}
	return m.Member(t.Context(), login)
}

// Many people who are no members cost one list, and members are asked about as ever.
func TestACrowdOfStrangersCostsFewOfGitHubsCalls(t *testing.T) {
	t.Parallel()
	gh := world(t)
	members := members(t, gh, token)
	for i := range 100 {
		login := fmt.Sprintf("rook%02d", i)
		gh.AddToOrganization(login)
		err := typed(t, members, login)
		if ops.KindOf(err) != ops.Refused || !strings.Contains(err.Error(), login+" is not a member of the team") {
			t.Fatalf("%s: %v", login, err)
		}
	}
	if n := len(gh.Calls()); n > 30 {
		t.Errorf("100 strangers cost %d calls", n)
	}
	for _, login := range []string{"ada-lovelace", "ADA-LOVELACE", "owl"} {
		if err := typed(t, members, login); err != nil {
			t.Errorf("%s, beside a crowd: %v", login, err)
		}
	}
	gh.RemoveMember("night-watch", "owl")
	if err := typed(t, members, "owl"); ops.KindOf(err) != ops.Refused {
		t.Errorf("owl, who has left since the list was read: %v", err)
	}
}

func TestWhereTheListCantBeReadEachIsAskedAbout(t *testing.T) {
	t.Parallel()
	gh := world(t)
	members := members(t, gh, token)
	gh.Fail("/orgs/*/teams/*/members", githubtest.Fault{Status: 502})
	for i := range 30 {
		gh.AddToOrganization(fmt.Sprintf("rook%02d", i))
		if err := typed(t, members, fmt.Sprintf("rook%02d", i)); ops.KindOf(err) != ops.Refused {
			t.Fatal(err)
		}
	}
	asked := 0
	for _, c := range gh.Calls() {
		if strings.Contains(c.Path, "/memberships/rook") {
			asked++
		}
	}
	if asked != 30 {
		t.Errorf("GitHub was asked about %d of 30", asked)
	}
	gh.AddMember(slug, "rook29")
	if err := typed(t, members, "rook29"); err != nil {
		t.Errorf("a member of a moment ago: %v", err)
	}
}
