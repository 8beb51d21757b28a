package team_test

import (
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// The settings may know a person under another of their IDs than an old link does, and a
// linked account may have another login by now.
func TestALinkToAnotherLoginTellsNoAccount(t *testing.T) {
	t.Parallel()
	gh := world(t)
	m := registry(t, gh)
	link(t, m.Links, "U7", gh.ID("owl"), "owl")
	for _, login := range []string{"owl", "ada-lovelace"} {
		if got, err := m.Account(t.Context(), "T1", "U7", login); err != nil || got != gh.ID(login) {
			t.Errorf("%s has the account %d, %v; it is %d", login, got, err, gh.ID(login))
		}
	}
	id := gh.ID("owl")
	gh.RenameUser("owl", "Barn-Owl")
	if got, err := m.Account(t.Context(), "T1", "U7", "Barn-Owl"); err != nil || got != id {
		t.Errorf("after a renaming the account is %d, %v; it is %d", got, err, id)
	}
}

func TestAccountsAreToldByTheirNumbers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		world func(*githubtest.Server)
		known bool     // by number
		kind  ops.Kind // Internal: it is told
	}{
		{name: "a login of the settings", known: true},
		{name: "a GitHub that shows memberships and no users", world: func(gh *githubtest.Server) {
			gh.Fail("/users/", githubtest.Fault{Status: 404, Message: "Not Found"})
		}},
		{name: "a login that was renamed a moment ago", world: func(gh *githubtest.Server) { gh.RenameUser("ada-lovelace", "countess") }, kind: ops.Refused},
		{name: "a GitHub in trouble", world: func(gh *githubtest.Server) { gh.Fail("/users/", githubtest.Fault{Status: 502}) }, kind: ops.Unavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			gh := world(t)
			id := gh.ID("ada-lovelace")
			if test.world != nil {
				test.world(gh)
			}
			got, err := members(t, gh, token).Account(t.Context(), "T1", "U1", "ada-lovelace")
			if test.kind != ops.Internal {
				says(t, err, test.kind)
				return
			}
			if err != nil || (got == id) != test.known || got != 0 && got != id {
				t.Errorf("the account is %d, %v; it has the number %d", got, err, id)
			}
		})
	}
}
