package opstest

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
)

// every is for CI: a test plays all of its cases there, and some of them elsewhere.
var every = flag.Bool("every", false, "play all cases where a test else draws some of them")

// Every tells whether all cases are to be played, which takes minutes.
func Every() bool { return *every }

// Some draws few of the numbers from 1 to n, other ones in each run, in order; all of
// them where every case is to be played, and a quarter of few with -short. A case's name holds its number, so that
// -every -run plays a case again.
func Some(t testing.TB, n, few int) []int {
	t.Helper()
	drawn := rand.Perm(n)
	switch {
	case Every():
	case testing.Short():
		drawn = drawn[:min(n, max(1, few/4))]
	default:
		drawn = drawn[:min(n, few)]
	}
	for i := range drawn {
		drawn[i]++
	}
	slices.Sort(drawn)
	return drawn
}

// SomeOf draws few of a test's rows, other ones in each run, in their order; all of them where every case is to be
// played. It is for the second of two tables that a test plays each with each: every row of the first is still played.
func SomeOf[T any](t testing.TB, rows []T, few int) []T {
	t.Helper()
	var drawn []T
	for _, n := range Some(t, len(rows), few) {
		drawn = append(drawn, rows[n-1])
	}
	return drawn
}
