//go:build race

package processtest

// Raced says whether the tests have the race detector.
const Raced = true
