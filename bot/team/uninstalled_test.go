package team_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Of an App that was uninstalled GitHub says "not found" when its token is asked for.
// That says nothing of any person: their link stands, and approvals don't lapse.
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
func TestAnUninstalledAppIsNoGoneAccount(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	gh := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"Not Found"}`)
	}))
	defer gh.Close()
	client, err := githubaccess.New(gh.URL+"/", &githubaccess.App{ID: "1", Installation: 2, Key: key, Address: gh.URL + "/"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), "sqlite::memory:", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	if err := s.AddLink(t.Context(), store.Link{
		Workspace: "T1", User: "U1", GitHub: 7, Login: "ada", At: now, How: team.HowDevice, Asked: now, Told: now, Confirmed: now, ConfirmedBy: "grace",
	}, request.Change{}); err != nil {
		t.Fatal(err)
	}
	m := &team.Team{
		GitHub: client, Organization: organization, Slug: slug, Workspace: "T1", Channel: "#x", Links: s, Identities: map[string]string{"U2": "ada-lovelace"},
		People: func(context.Context, string) (team.Person, error) {
			return team.Person{Workspaces: []string{"T1"}}, nil
		},
	}
	_, identify := m.Identify(t.Context(), "T1", "U1")
	_, account := m.Account(t.Context(), "T1", "U2", "ada-lovelace")
	for what, err := range map[string]error{"a linked person": identify, "a member": m.Member(t.Context(), "ada-lovelace"), "an account": account} {
		if ops.KindOf(err) != ops.Unavailable {
			t.Errorf("%s: %v: %s", what, ops.KindOf(err), ops.Words(err, ""))
		}
	}
}
