//go:build race

package chat_test

// abreast is how many tests run beside each other.
const abreast = "8"
