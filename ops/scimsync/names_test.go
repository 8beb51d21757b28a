package scimsync_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// People and groups that were made by hand are told as Identity Center has them, with
// their IDs, so that people find them there.
func TestNamesAsIdentityCenterHasThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	byHand := []string{"contractor@example.com", "Example.Person@Digital.Justice.gov.uk", "AWSControlTowerAdmin"}
	for _, name := range byHand {
		w.store.AddUser(name)
	}
	w.store.AddGroup("AWSControlTowerAdmins")
	w.store.AddMember("AWSControlTowerAdmins", "AWSControlTowerAdmin")
	effects := w.look().Effects()
	want := []string{"Delete group AWSControlTowerAdmins (" + w.store.GroupID("AWSControlTowerAdmins") + "), with 1 member: AWSControlTowerAdmin"}
	for _, name := range append(byHand, "leaver"+suffix) {
		want = append(want, "Delete user "+name+" ("+w.store.UserID(name)+")")
	}
	for _, effect := range want {
		if !slices.Contains(effects, effect) {
			t.Errorf("no %q in\n%s", effect, strings.Join(effects, "\n"))
		}
	}
	ids := map[string]string{}
	for _, name := range byHand {
		ids[name] = w.store.UserID(name)
	}
	report := w.run(w.walk())
	got := truth(report)
	for _, name := range byHand {
		if !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, "People: "+name+" deleted") }) {
			t.Errorf("%s (%s) isn't told as deleted in\n%s", name, ids[name], strings.Join(got, "\n"))
		}
	}
	w.done(1)
}

// before does something before the first call whose path has an ending.
type before struct {
	ending string
	do     func()
	once   sync.Once
	next   http.RoundTripper
}

func (b *before) RoundTrip(r *http.Request) (*http.Response, error) {
	if b.do != nil && strings.HasSuffix(r.URL.Path, b.ending) {
		b.once.Do(b.do)
	}
	return b.next.RoundTrip(r)
}

// One passing answer among many reads fails no plan, nor does a team that changes
// while the teams are read.
func TestALongReadOfGitHub(t *testing.T) {
	t.Parallel()
	members := func(slug string) string { return "/teams/" + slug + "/members" }
	for _, test := range []struct {
		name   string
		ending string // before which call the change comes; empty: at the beginning
		change func(*world)
		want   map[string]bool // whether the plan makes these groups
	}{
		{"one 502 with a page for browsers", "", func(w *world) {
			w.github.Fail("/orgs/*/teams/newcomers/members", githubtest.Fault{Status: 502, Body: "<html>", Times: 1})
		}, map[string]bool{"newcomers": true}},
		{"half an answer", "", func(w *world) {
			w.github.Fail("/orgs/*/teams/newcomers/members", githubtest.Fault{Cut: true, Times: 1})
		}, map[string]bool{"newcomers": true}},
		{"GitHub asks to wait a second", "", func(w *world) {
			w.github.Fail("/orgs/*/teams$", githubtest.Fault{Status: 503, RetryAfter: 1, Times: 1})
		}, map[string]bool{"newcomers": true}},
		{"a team is deleted", members("newcomers"), func(w *world) { w.github.RemoveTeam("newcomers") }, map[string]bool{"newcomers": false}},
		{"a team is renamed", members("newcomers"), func(w *world) {
			w.github.RemoveTeam("newcomers")
			w.github.AddTeam("starters")
			w.github.AddMember("starters", "hubot")
		}, map[string]bool{"newcomers": false, "starters": true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			hook := &before{ending: test.ending, do: func() { test.change(w) }, next: githubaccess.Token{Value: "ghp_reader"}}
			client, err := githubaccess.New(w.github.URL(), hook)
			if err != nil {
				t.Fatal(err)
			}
			w.client = client
			effects := w.look().Effects()
			got := map[string]bool{}
			for team := range test.want {
				got[team] = slices.Contains(effects, "Create group "+team)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("groups (-want +got):\n%s\n%s", diff, strings.Join(effects, "\n"))
			}
			w.done(0)
		})
	}
	t.Run("a team whose members are never shown is an error", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.github.Fail("/orgs/*/teams/newcomers/members", githubtest.Fault{Status: 404})
		_, err := w.walk().Look(t.Context())
		refused(t, err, ops.Unavailable, "GitHub lists some whose members it doesn't show")
		w.done(0)
	})
}
