package scimsync_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestAWordThatIsNobodysLoginInTheOrganisationIsDoubtful(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		words []string
		world func(*world)
		kind  ops.Kind
		says  []string // nil: nothing is doubtful
	}{
		{name: "nobody is named"},
		{name: "a member of a team, in another case", words: []string{"OCTOCAT", "mona"}},
		{name: "a member of the organisation who is in no team that counts", words: []string{"stranger"}},
		{
			name: "a typing error that is somebody's login", words: []string{"octocat", "plna"},
			world: func(w *world) { w.github.AddUser("plna") }, kind: ops.Invalid,
			says: []string{"“plna” is the GitHub login of nobody in the organisation ministryofjustice.", "Did you mean `/scim-sync plan`?", "`/scim-sync user:plna`"},
		},
		{
			name: "a typing error that is nobody's login", words: []string{"Hlep"}, kind: ops.Invalid,
			says: []string{"GitHub has no user Hlep.", "Did you mean `/scim-sync help`?", "Check the spelling"},
		},
		{
			name: "a person who has left", words: []string{"leaver"}, kind: ops.Invalid,
			world: func(w *world) { w.github.AddUser("leaver") },
			says:  []string{"“leaver” is the GitHub login of nobody in the organisation", "If you do mean the GitHub user leaver, type `/scim-sync user:leaver`."},
		},
		{name: "a person who has left, named for certain", words: []string{"user:leaver", "User:plna"}},
		{
			name: "a member whose membership the bot may not see", words: []string{"hubot"},
			world: func(w *world) { w.github.Fail("/orgs/*/memberships", githubtest.Fault{Status: 404}) },
		},
		{
			name: "GitHub can't say", words: []string{"octocat"},
			world: func(w *world) { w.github.Fail("/orgs/", githubtest.Fault{RateLimited: true}) }, kind: ops.Unavailable,
			says: []string{"GitHub's rate limit for the bot is used up"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if test.world != nil {
				test.world(w)
			}
			o := w.operation()
			for _, word := range test.words {
				if err := o.Form[0].Check(word); err != nil {
					t.Errorf("%s: %v", word, err)
				}
			}
			err := o.Doubt(t.Context(), ops.Request{Inputs: ops.Inputs{"people": test.words}})
			if (err == nil) != (test.says == nil) || err != nil && ops.KindOf(err) != test.kind {
				t.Fatalf("the doubt is %v", err)
			}
			for _, words := range test.says {
				if !strings.Contains(ops.Words(err, ""), words) {
					t.Errorf("it doesn't say %q: %v", words, err)
				}
			}
		})
	}
}

// A login that is named for certain is reported on as any other.
func TestTheResultSpeaksOfALoginHoweverItWasTyped(t *testing.T) {
	t.Parallel()
	of := func(word string) ops.Section {
		w := newWorld(t)
		report := w.run(w.walk(word))
		w.done(1)
		return report.Sections[0]
	}
	want := of("octocat")
	if want.Title != "octocat" || len(want.Outcomes) == 0 || strings.Contains(want.Outcomes[0].Text, "no user") {
		t.Fatalf("of octocat it says %+v", want)
	}
	for _, word := range []string{"user:octocat", "User:OctoCat", "OCTOCAT"} {
		if diff := cmp.Diff(want, of(word)); diff != "" {
			t.Errorf("%s (-octocat +%s):\n%s", word, word, diff)
		}
	}
}
