// Package processtest runs the built program as whoever runs it for real does:
// as a process with an environment, signals and an exit status. A test binary
// that uses it hands its TestMain to Main:
//
//	func TestMain(m *testing.M) { processtest.Main(m, 12) }
//
//	p := processtest.Launch(t, processtest.Binary(t), dir, env, "serve")
//	p.Logged("serving", 1)
//	p.Kill()
package processtest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// program is what is built.
const program = "github.com/aws-root-account/rootbot/cmd/rootbot"

// folder holds the binaries for as long as the tests run.
var folder string

// Main runs a package's tests, so many of them beside each other, and takes the
// binaries away afterwards. Such tests mostly wait, so there may be more of them
// than there are cores.
func Main(m *testing.M, parallel int) {
	flag.Parse()
	code, err := run(m, parallel)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M, parallel int) (int, error) {
	// What the command line says goes first.
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", strconv.Itoa(parallel)); err != nil {
			return 0, err
		}
	}
	var err error
	if folder, err = os.MkdirTemp("", "rootbot-test-"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	return m.Run(), nil
}

// Binary is the program's path, built with the race detector where the test has
// it.
func Binary(t testing.TB) string {
	t.Helper()
	if !Raced {
		return Shipped(t)
	}
	// SQLite was translated from C: what the detector finds there says nothing about us, and costs most of the time.
	return built(t, &raced, "race", "1", "-race", "-gcflags=modernc.org/...=-race=false")
}

// Shipped is the path of the program as it is shipped.
func Shipped(t testing.TB) string {
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
	if folder == "" {
		t.Fatal("TestMain doesn't call processtest.Main")
	}
	b.once.Do(func() {
		b.path = filepath.Join(folder, name, "rootbot")
		cmd := exec.Command("go", append(append([]string{"build", "-buildvcs=false"}, flags...), "-o", b.path, program)...)
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
