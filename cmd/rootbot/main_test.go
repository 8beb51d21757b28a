// These tests know the program as whoever runs it does: as a binary, its
// environment, its exit status, and what Slack, GitHub and AWS get to see.
package main_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// folder holds the binaries for as long as the tests run.
var folder string

func TestMain(m *testing.M) {
	flag.Parse()
	// Nearly all the time goes into waiting for a log to be asked for again, so
	// more tests than there are cores may run beside each other.
	if err := flag.Set("test.parallel", "12"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var err error
	if folder, err = os.MkdirTemp("", "rootbot-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// binary is the program as the other tests run it: with the race detector
// where they have it themselves.
func binary(t testing.TB) string {
	t.Helper()
	if !raceEnabled {
		return stripped(t)
	}
	return built(t, &raced, "race", "1", "-race")
}

// stripped is the program as it is shipped.
func stripped(t testing.TB) string {
	t.Helper()
	return built(t, &shipped, "stripped", "0", "-trimpath", "-ldflags=-s -w")
}

type build struct {
	once sync.Once
	path string
	err  error
}

var raced, shipped build

func built(t testing.TB, b *build, name, cgo string, flags ...string) string {
	t.Helper()
	b.once.Do(func() {
		b.path = filepath.Join(folder, name, "rootbot")
		cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false"}, flags...), "-o", b.path, ".")...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}
