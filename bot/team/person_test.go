package team_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// chat knows one person; everybody else is nobody.
func chat(user string, p team.Person) func(context.Context, string) (team.Person, error) {
	return func(_ context.Context, asked string) (team.Person, error) {
		if asked != user {
			return team.Person{}, errors.New("user_not_found")
		}
		return p, nil
	}
}

func TestOnlyFullMembersOfTheWorkspaceAreLetIn(t *testing.T) {
	t.Parallel()
	home := []string{"T1"}
	for _, test := range []struct {
		name   string
		person team.Person
		says   string // empty: they are let in
	}{
		{"a full member is let in", team.Person{Workspaces: home}, ""},
		{"a full member whose address is known is let in", team.Person{Workspaces: home, Email: "otter@justice.example"}, ""},
		{"a full member of several workspaces of a grid is let in", team.Person{Workspaces: []string{"T8", "T1", "T9"}}, ""},
		{"a full member of other workspaces of the grid is turned away", team.Person{Workspaces: []string{"T8", "T9", "T11"}}, "not of the workspace"},
		{"a person of whom no workspace is told is turned away for that", team.Person{}, "doesn't say which workspaces"},
		{"a deactivated person of whom no workspace is told is turned away as deactivated", team.Person{Deleted: true}, "deactivated"},
		{"somebody of a workspace in another case is turned away", team.Person{Workspaces: []string{"t1"}}, "not of the workspace"},
		{"a guest is turned away", team.Person{Workspaces: home, Guest: true}, "Guests may not"},
		{"a guest of several workspaces of the grid is turned away", team.Person{Workspaces: []string{"T8", "T1"}, Guest: true}, "Guests may not"},
		{"somebody of a shared channel is turned away", team.Person{Workspaces: []string{"T2"}, Stranger: true}, "not of the workspace"},
		{"somebody of a shared channel is turned away whatever workspace they name", team.Person{Workspaces: home, Stranger: true}, "not of the workspace"},
		{"a bot is turned away", team.Person{Workspaces: home, Bot: true}, "Bots may not"},
		{"somebody whose account is deactivated is turned away", team.Person{Workspaces: home, Deleted: true}, "deactivated"},
		{"a guest whose account is deactivated is turned away", team.Person{Workspaces: home, Deleted: true, Guest: true}, "deactivated"},
		{"a bot of another workspace is turned away", team.Person{Workspaces: []string{"T2"}, Bot: true}, "not of the workspace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			m := members(t, gh, token)
			m.People = chat("U1", test.person)
			got, err := m.Person(t.Context(), "T1", "U1")
			identity, refusal := m.Identify(t.Context(), "T1", "U1")
			if test.says == "" {
				if err != nil || refusal != nil {
					t.Errorf("Person: %v; Identify: %v", err, refusal)
				}
				test.person.IDs = []string{"U1"}
				if diff := cmp.Diff(test.person, got); diff != "" {
					t.Errorf("the person (-want +got):\n%s", diff)
				}
				return
			}
			says(t, err, ops.Refused, test.says, organization+"/"+slug)
			says(t, refusal, ops.Refused, test.says, organization+"/"+slug)
			if diff := cmp.Diff(team.Person{}, got); diff != "" || identity != (team.Identity{}) {
				t.Errorf("beside the error: %+v, %+v", got, identity)
			}
			// Not even whether they would be a member is looked up.
			if calls := gh.Calls(); len(calls) > 0 {
				t.Errorf("GitHub was asked %v", calls)
			}
		})
	}
}

func TestSomebodyOfWhomTheChatSaysNothingIsTurnedAway(t *testing.T) {
	t.Parallel()
	const words = "Slack didn't say who you are"
	for _, test := range []struct {
		name   string
		people func(context.Context, string) (team.Person, error)
	}{
		{"nobody can be asked", nil},
		{"Slack doesn't know them", chat("U2", team.Person{Workspaces: []string{"T1"}})},
		{"Slack answers with an error beside a person", func(context.Context, string) (team.Person, error) {
			return team.Person{Workspaces: []string{"T1"}}, errors.New("ratelimited")
		}},
		{"the error is one in words for people", func(context.Context, string) (team.Person, error) {
			return team.Person{Workspaces: []string{"T1"}}, &ops.Error{Kind: ops.Internal, What: "secret"}
		}},
		{"the caller has left", func(ctx context.Context, _ string) (team.Person, error) {
			return team.Person{Workspaces: []string{"T1"}}, context.Canceled
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := members(t, world(t), token)
			m.People = test.people
			p, err := m.Person(t.Context(), "T1", "U1")
			says(t, err, ops.Unavailable, words, organization+"/"+slug, "Try again")
			identity, err := m.Identify(t.Context(), "T1", "U1")
			says(t, err, ops.Unavailable, words)
			_, err = m.MayLink(t.Context(), "T1", "U1", team.Account{ID: 1, Login: "ada-lovelace"})
			says(t, err, ops.Unavailable, words)
			if diff := cmp.Diff(team.Person{}, p); diff != "" || identity != (team.Identity{}) {
				t.Errorf("beside the error: %+v, %+v", p, identity)
			}
		})
	}
}

func TestTheChatIsAskedEachTimeAndOnlyAboutItsOwnPeople(t *testing.T) {
	t.Parallel()
	m := members(t, world(t), token)
	var asked []string
	m.People = func(_ context.Context, user string) (team.Person, error) {
		asked = append(asked, user)
		return team.Person{Workspaces: []string{"T1"}, Deleted: len(asked) > 2}, nil
	}
	for _, other := range []struct{ workspace, user string }{{"T2", "U1"}, {"", "U1"}, {"T1", ""}, {"", ""}, {"T1 ", "U1"}} {
		_, err := m.Person(t.Context(), other.workspace, other.user)
		says(t, err, ops.Refused, "not of the workspace", organization+"/"+slug)
	}
	if len(asked) > 0 {
		t.Fatalf("the chat was asked about %q", asked)
	}
	for range 2 {
		if _, err := m.Person(t.Context(), "T1", "U1"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := m.Person(t.Context(), "T1", "U1")
	says(t, err, ops.Refused, "deactivated")
	if diff := cmp.Diff([]string{"U1", "U1", "U1"}, asked); diff != "" {
		t.Errorf("the chat was asked about (-want +got):\n%s", diff)
	}
}
