package removeuser_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// A pull request that stays open costs little of what GitHub allows the bot an hour.
func TestAPullRequestIsLookedAtMoreSeldomTheLongerItStaysAsItIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	walk := w.walk()
	w.until(walk, "merge")
	client, err := githubaccess.New(w.github.URL(), githubaccess.Token{Value: w.token, Next: w.next})
	if err != nil {
		t.Fatal(err)
	}
	// One process, whose sessions of AWS last as long as the walk.
	walk.Operation = func() ops.Operation { return w.settings.Operation(awsaccess.New(w.base), client, "alphagov") }
	walk.Fresh, walk.Waiting = true, nil
	walk.Restart()
	// looks are how long it takes from each look to the next, for some time.
	looks := func(most time.Duration) (pauses []time.Duration) {
		t.Helper()
		for end := w.clock.Now().Add(most); w.clock.Now().Before(end); {
			at := w.clock.Now()
			if err := walk.Step(t.Context()); err != nil || walk.At() != "merge" {
				t.Fatalf("at step %q: %v", walk.At(), err)
			}
			pauses = append(pauses, w.clock.Now().Sub(at).Round(time.Minute))
		}
		return pauses
	}
	first := looks(time.Hour)
	if first[0] != time.Minute || first[4] != time.Minute || len(first) > 20 {
		t.Errorf("in the first hour it is looked at after %v", first)
	}
	files := w.github.Count("GET /repos/*/*/contents/")
	looks(time.Hour)
	if later := looks(time.Hour); len(later) > 5 || later[0] > 15*time.Minute {
		t.Errorf("in the third hour after %v", later)
	}
	w.github.Comment(repo, 1, "ann", "In a minute.")
	if changed := looks(3 * time.Minute); len(changed) != 3 {
		t.Errorf("once it has changed, after %v", changed)
	}
	if before := w.github.Count("GET /repos/*/*/pulls/1$"); before == 0 {
		t.Error("it wasn't looked at")
	}
	counted := 0
	for _, call := range w.github.Calls() {
		if call.Path == "/repos/"+repo+"/pulls/1" && call.Status != http.StatusNotModified {
			counted++
		}
	}
	if files := w.github.Count("GET /repos/*/*/contents/") - files; files > 0 {
		t.Errorf("%d files are read again though the branch hasn't moved", files)
	}
	if counted > 4 {
		t.Errorf("GitHub counts %d of the looks", counted)
	}
	walk.Waiting = func(context.Context) error { w.mergeAndApply(); return nil }
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	w.done()
}

// Where GitHub can't be asked, it isn't asked more often.
func TestAPullRequestThatCantBeSeenIsLookedAtMoreSeldom(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	walk := w.walk()
	w.until(walk, "merge")
	walk.Fresh, walk.Waiting = true, nil
	w.github.Fail("GET /repos/*/*/pulls/1$", githubtest.Fault{Status: http.StatusNotFound})
	n := 0
	for end := w.clock.Now().Add(3 * time.Hour); w.clock.Now().Before(end); n++ {
		if err := walk.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n > 40 {
		t.Errorf("it was asked for %d times in three hours", n)
	}
	w.github.ClearFaults()
	walk.Waiting = func(context.Context) error { w.mergeAndApply(); return nil }
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	w.done()
}
