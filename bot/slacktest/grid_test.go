package slacktest_test

import (
	"slices"
	"testing"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// clicked has people click a button, and returns the payloads that the app got.
func (s *story) clicked(people ...slacktest.User) []slack.InteractionCallback {
	s.t.Helper()
	got := make(chan slack.InteractionCallback, len(people))
	s.connect(func(client *socketmode.Client, e socketmode.Event) {
		if did, ok := e.Data.(slack.InteractionCallback); ok {
			got <- did
			client.Ack(*e.Request)
		}
	})
	ts := s.post(slack.MsgOptionBlocks(slack.NewActionBlock("decide", button("approve", "r1", "Approve"))))
	var all []slack.InteractionCallback
	for _, who := range people {
		if _, err := s.Click(s.t.Context(), who.ID, s.ops.ID, ts, "approve"); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, <-got)
	}
	return all
}

func TestOnAGridAPayloadNamesTheGridAndAnyOfAPersonsWorkspaces(t *testing.T) {
	s := begin(t, slacktest.Options{Grid: true})
	var people []slacktest.User
	for _, id := range []string{"U0A", "U0B", "U0C", "U0D"} {
		people = append(people, s.AddUser(slacktest.User{ID: id}))
	}
	people = append(people, s.AddUser(slacktest.User{ID: "U0E", TeamID: "T0FAR"}))
	teams, told := map[string]bool{}, map[string]bool{}
	for i, did := range s.clicked(people...) {
		if did.Team.ID != s.TeamID || did.Team.EnterpriseID != slacktest.GridID || did.Enterprise.ID != slacktest.GridID || did.User.ID != people[i].ID {
			t.Errorf("the payload is of %+v, %+v, %+v", did.Team, did.Enterprise, did.User)
		}
		teams[did.User.TeamID] = true
		u, err := s.api.GetUserInfoContext(t.Context(), people[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		told[u.TeamID] = true
		if member := people[i].TeamID == s.TeamID; member != slices.Contains(u.Enterprise.Teams, s.TeamID) {
			t.Errorf("%s is a member: %t; Slack says %+v", u.ID, member, u.Enterprise)
		}
	}
	for _, team := range []string{s.TeamID, slacktest.SisterTeamID, slacktest.GridID, "T0FAR"} {
		if !teams[team] {
			t.Errorf("no payload has a user of the team %s", team)
		}
	}
	for _, team := range []string{"", s.TeamID, slacktest.SisterTeamID, slacktest.GridID, "T0FAR"} {
		if !told[team] {
			t.Errorf("users.info calls nobody a user of the team %q", team)
		}
	}
	auth, err := s.api.AuthTestContext(t.Context())
	if err != nil || auth.TeamID != s.TeamID || auth.EnterpriseID != slacktest.GridID {
		t.Errorf("auth.test: %+v, %v", auth, err)
	}
	s.blameless()
}

func TestAnOrgWideInstallIsOfNoWorkspace(t *testing.T) {
	s := begin(t, slacktest.Options{OrgWide: 2})
	for _, did := range s.clicked(s.ada) {
		if did.Team.ID != "" || did.Enterprise.ID != slacktest.GridID || !did.IsEnterpriseInstall {
			t.Errorf("the payload is of %+v, %+v", did.Team, did.Enterprise)
		}
	}
	auth, err := s.api.AuthTestContext(t.Context())
	if err != nil || auth.TeamID != slacktest.GridID {
		t.Errorf("auth.test: %+v, %v", auth, err)
	}
	teams, _, err := s.api.ListTeamsContext(t.Context(), slack.ListTeamsParameters{})
	if err != nil || len(teams) != 2 || teams[0].ID != s.TeamID || teams[1].ID != slacktest.SisterTeamID {
		t.Errorf("auth.teams.list: %+v, %v", teams, err)
	}
	if _, _, err := s.api.GetConversationsContext(t.Context(), &slack.GetConversationsParameters{}); err == nil || err.Error() != "missing_argument" {
		t.Errorf("conversations.list without a team: %v", err)
	}
	if list, _, err := s.api.GetConversationsContext(t.Context(), &slack.GetConversationsParameters{TeamID: s.TeamID}); err != nil || len(list) == 0 {
		t.Errorf("conversations.list: %+v, %v", list, err)
	}
	s.blameless()
}

func TestHalfOfAllTestsPlayOnAGridUnlessTheyAreTold(t *testing.T) {
	for want, name := range map[bool]string{true: "TestA", false: "TestB"} {
		if slacktest.GridFor(name) != want {
			t.Skip("the environment decides")
		}
	}
	for _, all := range []string{"yes", "no"} {
		t.Setenv("SLACKTEST_GRID", all)
		for _, name := range []string{"TestA", "TestB"} {
			if slacktest.GridFor(name) != (all == "yes") {
				t.Errorf("%s with SLACKTEST_GRID=%s", name, all)
			}
		}
	}
}
