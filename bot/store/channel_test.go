package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

func TestAChannelIsKeptAndWhatIsToldOfItIsToldOnce(t *testing.T) {
	t.Parallel()
	s := open(t, "sqlite::memory:")
	keep := func(name, id, title string) {
		t.Helper()
		if err := s.KeepChannel(t.Context(), store.Channel{Workspace: "T1", Name: name, ID: id, Title: title}, request.Change{
			Events: []request.Event{{At: noon, Kind: "channel-renamed", Data: map[string]any{"now": title}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, title := range []string{"home", "home", "house", "house", "home"} {
		keep("home", "C1", title)
	}
	keep("place", "C2", "place")
	list, err := s.Channels(t.Context(), "T1")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]store.Channel{
		"home": {Workspace: "T1", Name: "home", ID: "C1", Title: "home"}, "place": {Workspace: "T1", Name: "place", ID: "C2", Title: "place"},
	}, list); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if other, err := s.Channels(t.Context(), "T2"); err != nil || len(other) > 0 {
		t.Errorf("another workspace has %v, %v", other, err)
	}
	events, err := s.Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var told []any
	for _, e := range events {
		told = append(told, e.Data["now"])
	}
	if diff := cmp.Diff([]any{"home", "house", "home", "place"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
