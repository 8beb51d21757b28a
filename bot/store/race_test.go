//go:build race

package store_test

// slow is how much slower things are than without the race detector.
const slow = 20
