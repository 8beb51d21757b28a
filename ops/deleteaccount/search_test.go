package deleteaccount_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// search is what octocat finds in the form's field.
func (w *world) search(card ops.Operation, words string) ([]ops.Option, error) {
	return card.Form[0].Search(w.Context(), ops.Request{Operation: card.Name, By: "octocat"}, words)
}

// found are the IDs of what octocat finds, in order.
func (w *world) found(card ops.Operation, words string) []string {
	w.Helper()
	options, err := w.search(card, words)
	if err != nil {
		w.Fatal(err)
	}
	var ids []string
	for _, option := range options {
		ids = append(ids, option.Value)
	}
	return ids
}

func TestSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.o.AddAccount("666666666666", "Bog-Monitoring", "bog@example.org")
	w.o.AddAccount("777777777777", "pond", "zzz@example.org")
	w.o.AddAccount("888888888888", "old-pond", "old@example.org", func(a *awstest.OrgAccount) { a.State = "CLOSED" })
	w.o.AddAccount("100000222222", "heron", "heron@example.org")
	w.o.AddAccount("100000000001", "pond-monitoring-dev", "twin@example.org")
	w.o.AddAccount("100000000002", "pond-monitoring-dev", "aws-root+pond@example.org")
	w.o.AddAccount("100000000003", "pond-m\u043enitoring-dev", "cyrillic@example.org")
	card := w.operation()
	const twin, other, cyrillic = "100000000001", "100000000002", "100000000003"
	for _, test := range []struct {
		name, words string
		want        []string
	}{
		{"by its ID", sinking, []string{sinking}},
		{"by the beginning of its ID", "2222", []string{sinking, "100000222222"}},
		{"by the end of its ID", "222222", []string{sinking, "100000222222"}},
		{"by its name, of which there are two more", sinkingName, []string{twin, other, sinking}},
		{"by its name in another case", "HERON", []string{"100000222222"}},
		{"by a name in another case", "bog-", []string{"666666666666"}},
		{"by its address", sinkingEmail, []string{sinking}},
		{"by a part of its address", "zzz@", []string{"777777777777"}},
		{"by a domain", "@example.gov.uk", []string{sinking, neighbour, rooted, auditor}},
		{"with spaces around", "  heron ", []string{"100000222222"}},
		{"the exact name before names that begin so, those before names that have it within, those before addresses", "pond", []string{
			"777777777777", twin, other, sinking, neighbour, cyrillic, "888888888888",
		}},
		{"a look-alike by its own letters", "pond-m\u043e", []string{cyrillic}},
		{"not a look-alike by other letters", "pond-mo", []string{twin, other, sinking, neighbour}},
		{"nothing", "crane", nil},
		{"nothing by characters that would be a pattern", "*", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, w.found(card, test.words)); diff != "" {
				t.Errorf("found (-want +got):\n%s", diff)
			}
		})
	}
	// Whoever is found is told from their likes.
	options, err := w.search(card, "")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, option := range options {
		texts[option.Text] = true
		if !strings.HasPrefix(option.Text, option.Value+" ") || card.Form[0].Check(option.Value) != nil {
			t.Errorf("option %+v", option)
		}
	}
	if len(options) != 12 || len(texts) != 12 {
		t.Errorf("%d options with %d texts", len(options), len(texts))
	}
	note := func(id string) string {
		return options[slices.IndexFunc(options, func(o ops.Option) bool { return o.Value == id })].Note
	}
	if got := note("888888888888"); got != "CLOSED, old@example.org" {
		t.Errorf("the note of a closed account is %q", got)
	}
	if got := note(sinking); got != sinkingEmail {
		t.Errorf("the note of an open account is %q", got)
	}
	if n := w.aws.Count("organizations:ListAccounts"); n != 1 {
		t.Errorf("the accounts were listed %d times", n)
	}
	w.untouched()
}

// An organisation of 2,500 accounts is searched while somebody types.
func TestSearchIsFast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 2495 {
		id := fmt.Sprintf("6%011d", n)
		w.o.AddAccount(id, fmt.Sprintf("team-%04d-production", n), fmt.Sprintf("aws-root+team-%04d@example.gov.uk", n))
	}
	card := w.operation()
	began := time.Now()
	if err := w.aws.Wait(t.Context(), func() bool { return slices.Equal(w.found(card, "team-0007"), []string{"600000000007"}) }); err != nil {
		t.Fatal(err)
	}
	first := time.Since(began)
	var worst time.Duration
	for _, words := range []string{"", "t", "team-", "team-2494", "600000001234", "EXAMPLE.gov.uk", "production", "nobody has this"} {
		var ids []string
		best := time.Hour // what it takes, without what the machine's other work takes
		for range 5 {
			began := time.Now()
			ids = w.found(card, words)
			best = min(best, time.Since(began))
		}
		worst = max(worst, best)
		if words == "t" && len(ids) != len(w.found(card, "")) {
			t.Errorf("%d found by %q: as many as fit are shown elsewhere, with how many more there are", len(ids), words)
		}
	}
	t.Logf("the first search with reading the accounts took %v, the slowest of the others %v", first, worst)
	if worst > 300*time.Millisecond {
		t.Errorf("a search took %v", worst)
	}
	if n := w.aws.Count("organizations:ListAccounts"); n != 125 {
		t.Errorf("%d calls of ListAccounts", n)
	}
	if diff := cmp.Diff([]string{"600000002494"}, w.found(card, "team-2494-production")); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	w.untouched()
}

func TestSearchWhileTheAccountsAreBeingRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bubble(-4*time.Minute, func(t *testing.T, _ func(func())) {
		gate := make(chan struct{})
		var readings atomic.Int32
		w.meet("ListAccounts", func(*http.Request) error {
			readings.Add(1)
			<-gate
			return nil
		})
		card := w.operation()
		// Whoever began it may go.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if options, err := card.Form[0].Search(ctx, ops.Request{By: "octocat"}, "pond"); err != nil || len(options) != 1 || options[0].Value != "" {
			t.Errorf("of somebody who has gone: %v, %+v", err, options)
		}
		for range 3 {
			began := time.Now()
			options, err := w.search(card, "pond")
			if err != nil || len(options) != 1 || options[0].Value != "" || options[0].Text != "Still reading the accounts: type again in a moment" {
				t.Errorf("%v, options %+v", err, options)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v of the 3 s that there are", took)
			}
		}
		if wrong := card.Match(w.walkFor(sinking, "x").Request.Inputs); len(wrong) > 0 {
			t.Errorf("wrong %v", wrong)
		}
		close(gate)
		synctest.Wait()
		if got := w.found(card, sinking); len(got) != 1 {
			t.Errorf("found %v", got)
		}
		if n := readings.Load(); n != 1 {
			t.Errorf("the accounts were listed %d times", n)
		}
	})
	w.untouched()
}

// Many letters, typed by many people, are one reading.
func TestSearchByMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	card := w.operation()
	var people sync.WaitGroup
	for range 20 {
		people.Go(func() {
			for n := range len(sinkingName) {
				if options, err := w.search(card, sinkingName[:n]); err != nil || len(options) == 0 {
					t.Errorf("%v, options %+v", err, options)
				}
				card.Match(w.walk().Request.Inputs)
			}
		})
	}
	people.Wait()
	if n := w.aws.Count("organizations:ListAccounts"); n != 1 {
		t.Errorf("the accounts were listed %d times", n)
	}
	w.untouched()
}

func TestSearchIsReadAnew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bubble(-4*time.Minute, func(t *testing.T, outside func(func())) {
		var away atomic.Bool
		w.meet("ListAccounts", func(*http.Request) error {
			if away.Load() {
				return errors.New("no route")
			}
			return nil
		})
		card := w.operation()
		if got := w.found(card, "late"); len(got) > 0 {
			t.Fatalf("found %v", got)
		}
		outside(func() { w.o.AddAccount("999999999999", "late", "late@example.org") })
		<-time.After(5*time.Minute - time.Second)
		if got := w.found(card, "late"); len(got) > 0 {
			t.Errorf("found %v before the list is old", got)
		}
		<-time.After(time.Second)
		// The old list serves at once, while the new one is being read.
		if got := w.found(card, sinking); len(got) != 1 {
			t.Errorf("found %v", got)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{"999999999999"}, w.found(card, "late")); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		if n := w.aws.Count("organizations:ListAccounts"); n != 2 {
			t.Errorf("the accounts were listed %d times", n)
		}
		// What can't be read then doesn't take the old list away.
		away.Store(true)
		<-time.After(5 * time.Minute)
		w.found(card, sinking)
		<-time.After(2 * time.Minute)
		if got := w.found(card, sinking); len(got) != 1 {
			t.Errorf("found %v", got)
		}
		<-time.After(2 * time.Minute)
	})
	w.untouched()
}

func TestSearchThatAWSRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ruin func(*world)
		want string
	}{
		{"the list", func(w *world) { w.aws.Fail("organizations:ListAccounts", awstest.Fault{Code: "AccessDeniedException"}) }, "AWS refused organizations:ListAccounts to the role " + lookRole + "."},
		{"the second page", func(w *world) {
			w.aws.SetPageSize(2)
			w.aws.Fail("organizations:ListAccounts", awstest.Fault{Code: "AccessDeniedException", Skip: 1})
		}, "AWS refused organizations:ListAccounts"},
		{"the role", func(w *world) { w.aws.Fail("sts:AssumeRole", awstest.Fault{Code: "AccessDenied"}) }, "AWS doesn't let the bot assume the role " + lookRole},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.ruin(w)
			card := w.operation()
			for range 2 {
				options, err := w.search(card, "pond")
				w.refused(err, ops.Unavailable, test.want)
				if len(options) > 0 {
					t.Errorf("options %+v", options)
				}
			}
			// Once it is allowed, it is found without a restart.
			w.aws.Heal("*")
			if got := w.found(card, sinking); len(got) != 1 {
				t.Errorf("found %v", got)
			}
			w.untouched()
		})
	}
	t.Run("for want of a network", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.bubble(-4*time.Minute, func(t *testing.T, _ func(func())) {
			w.meet("ListAccounts", func(*http.Request) error { return errors.New("no route") })
			card := w.operation()
			if options, err := w.search(card, "pond"); err != nil || len(options) != 1 || options[0].Value != "" {
				t.Errorf("while it is tried again: %v, %+v", err, options)
			}
			<-time.After(2 * time.Minute)
			_, err := w.search(card, "pond")
			w.refused(err, ops.Unavailable, "AWS could not be reached for organizations:ListAccounts.")
			<-time.After(2 * time.Minute)
		})
		w.untouched()
	})
}
