package team_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

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

func TestAMemberWaitsForNoList(t *testing.T) {
	t.Parallel()
	gh := world(t)
	members := members(t, gh, token)
	for i := range 12 {
		gh.AddToOrganization(fmt.Sprintf("rook%02d", i))
		if err := members.Member(t.Context(), fmt.Sprintf("rook%02d", i)); ops.KindOf(err) != ops.Refused {
			t.Fatal(err)
		}
	}
	gh.Fail("/orgs/*/teams/*/members", githubtest.Fault{Hang: true})
	lists := func() (n int) {
		for _, c := range gh.Calls() {
			if strings.HasSuffix(c.Path, "/members") {
				n++
			}
		}
		return n
	}
	reading := make(chan error, 1)
	go func() { reading <- typed(t, members, "rook00") }()
	if err := gh.Wait(t.Context(), func() bool { return lists() > 0 }); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := typed(t, members, "ada-lovelace"); err != nil || time.Since(began) > time.Second {
		t.Errorf("a member, while the list hangs, is told after %v: %v", time.Since(began), err)
	}
	if err := <-reading; ops.KindOf(err) != ops.Refused {
		t.Errorf("a stranger for whom the list hung: %v", err)
	}
	if err := typed(t, members, "rook01"); ops.KindOf(err) != ops.Refused || lists() != 1 {
		t.Errorf("another, soon after: %v, and the list was asked for %d times", err, lists())
	}
}
