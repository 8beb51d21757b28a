package githubtest_test

import (
	"net/http"
	"testing"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestUsersByID(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddUser("Alice")
	app := gh.AddApp(githubtest.App{Slug: "rootbot"})
	c := client(t, gh, "reader")
	for login, kind := range map[string]string{"Alice": "User", "reader": "User", org: "Organization", app.Slug + "[bot]": "Bot"} {
		u, _, err := c.Users.GetByID(t.Context(), gh.ID(login))
		if err != nil || u.GetLogin() != login || u.GetType() != kind || u.GetID() != gh.ID(login) {
			t.Errorf("%s: got %v, %v", login, u, err)
		}
	}
	_, _, err := c.Users.GetByID(t.Context(), app.ID)
	refused(t, err, http.StatusNotFound, "Not Found")
}

func TestAnIDStaysWhenTheLoginChanges(t *testing.T) {
	gh := start(t, githubtest.Options{})
	gh.AddUser("alice")
	id := gh.ID("ALICE")
	gh.RenameUser("alice", "alicia")
	equal(t, gh.ID("alicia"), id)
	c := client(t, gh, "reader")
	u, _, err := c.Users.GetByID(t.Context(), id)
	if err != nil || u.GetLogin() != "alicia" {
		t.Errorf("got %v, %v", u, err)
	}
	_, _, err = c.Users.Get(t.Context(), "alice")
	refused(t, err, http.StatusNotFound, "Not Found")

	gh.AddUser("alice")
	u, _, err = c.Users.GetByID(t.Context(), id)
	if err != nil || u.GetLogin() != "alicia" || gh.ID("alice") == id {
		t.Errorf("got %v, %v", u, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("the ID of nobody")
		}
	}()
	gh.ID("nobody")
}

func TestWhatIsntAnIDIsAnotherEndpoint(t *testing.T) {
	gh := loud(t, githubtest.Options{})
	resp, _ := raw(t, gh, "GET", "/user/repos")
	equal(t, resp.StatusCode, http.StatusNotFound)
	equal(t, len(gh.Problems()), 1)
}
