package service_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/cmd/internal/service"
)

func TestTheOperatorListsConfirmsAndRemovesLinks(t *testing.T) {
	t.Parallel()
	env := service.Environment{DatabaseURL: "sqlite:" + t.TempDir() + "/rootbot.db"}
	open := func() *store.Store {
		db, err := store.Open(t.Context(), env.DatabaseURL, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	db, now := open(), time.Now().UTC()
	for i, login := range []string{"owl", "crow"} {
		if err := db.AddLink(t.Context(), store.Link{Workspace: "T1", User: "U7" + login, GitHub: int64(i + 1), Login: login, At: now, How: "device flow", Asked: now}, request.Change{}); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	var out bytes.Buffer
	for _, test := range []struct {
		name string
		do   func() error
		says []string
		err  string
	}{
		{name: "the list", do: func() error { return service.LinkList(t.Context(), env, &out) }, says: []string{"owl", "T1/U7owl", "waits for a member to confirm it until"}},
		{name: "a confirmation", do: func() error { return service.LinkConfirm(t.Context(), env, "OWL", &out) }, says: []string{"T1/U7owl is owl (ID 1)", "once the bot has told"}},
		{name: "a second confirmation", do: func() error { return service.LinkConfirm(t.Context(), env, "owl", &out) }, err: "was confirmed by terminal:"},
		{name: "a removal by number", do: func() error { return service.LinkRemove(t.Context(), env, "2", &out) }, says: []string{"Removed: T1/U7crow isn't crow"}},
		{name: "a removal of what is gone", do: func() error { return service.LinkRemove(t.Context(), env, "crow", &out) }, err: "there is no link to the GitHub account"},
		{name: "the list after that", do: func() error { return service.LinkList(t.Context(), env, &out) }, says: []string{"counts once the log channel was told, confirmed by terminal:"}},
	} {
		out.Reset()
		err := test.do()
		if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v", test.name, err)
		}
		for _, words := range test.says {
			if !strings.Contains(out.String(), words) {
				t.Errorf("%s says %q, without %q", test.name, out.String(), words)
			}
		}
	}
	db = open()
	defer db.Close()
	events, err := db.Events(t.Context(), "")
	if err != nil || len(events) != 2 || events[0].Kind != "link-confirmed" || events[1].Kind != "link-revoked" || !strings.HasPrefix(events[1].By, "terminal:") {
		t.Errorf("recorded are %+v, %v", events, err)
	}
}
