package processtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/crowdtest"
)

const (
	// StopWithin is what whoever sends SIGTERM waits before SIGKILL.
	StopWithin = 25 * time.Second

	// patience is how long what must come may take on a busy machine.
	patience = 40 * time.Second
)

// Process is one run of the binary. Make one with Launch.
type Process struct {
	Out   Output // standard output
	Err   Output // standard error
	Begun time.Time

	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{}
}

// Launch starts the binary with nothing in its environment but env. It is
// killed, by its process ID, when the test ends, and must not have printed what
// no program should: a secret, a panic, a data race. A test's first process waits
// until the machine has room for it.
func Launch(t testing.TB, path, dir string, env map[string]string, args ...string) *Process {
	t.Helper()
	crowdtest.Enter(t)
	p := &Process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		p.cmd.Env = append(p.cmd.Env, name+"="+env[name])
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.Out, &p.Err
	p.Begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		p.decent()
		if t.Failed() {
			t.Logf("standard error of process %d:\n%s", p.PID(), p.Err.String())
		}
	})
	return p
}

// PID is the process's ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Env is what the process was given.
func (p *Process) Env() []string { return p.cmd.Env }

// Kill is kill -9. It returns when the process is gone; a second one does nothing.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Ended is closed when the process has.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Signal sends a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("send %v: %v", s, err)
	}
}

// Freeze stops the process where it is, as a machine does that is out of memory
// or is being moved.
func (p *Process) Freeze() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
}

// Thaw ends Freeze.
func (p *Process) Thaw() {
	p.t.Helper()
	p.Signal(syscall.SIGCONT)
}

// Exit waits until the process has ended by itself and returns its status.
func (p *Process) Exit(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.Kill()
		p.t.Fatalf("the process hadn't ended after %v", limit)
	}
	return p.cmd.ProcessState.ExitCode()
}

// Terminate sends SIGTERM and wants the process to leave with status 0 in time.
func (p *Process) Terminate() time.Duration {
	p.t.Helper()
	begun := time.Now()
	p.Signal(syscall.SIGTERM)
	if code := p.Exit(StopWithin); code != 0 {
		p.t.Errorf("after SIGTERM the exit status is %d", code)
	}
	return time.Since(begun)
}

// Logged waits until the process has logged a message so often.
func (p *Process) Logged(message string, times int) {
	p.t.Helper()
	p.Printed(&p.Err, `"msg":"`+message+`"`, times)
}

// Printed waits until a text stands so often in what the process has printed.
func (p *Process) Printed(where *Output, what string, times int) {
	p.t.Helper()
	limit := time.After(patience)
	for {
		text, more := where.read()
		if strings.Count(text, what) >= times {
			return
		}
		select {
		case <-more:
		case <-p.ended:
			p.t.Fatalf("the bot ended with status %d and hadn't printed %q", p.cmd.ProcessState.ExitCode(), what)
		case <-limit:
			p.t.Fatalf("the bot doesn't print %q", what)
		}
	}
}

// Listening waits until the process serves and returns the address of its
// health checks.
func (p *Process) Listening() string {
	p.t.Helper()
	p.Logged("serving", 1)
	for line := range strings.Lines(p.Err.String()) {
		var entry struct{ Msg, Listen string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			return entry.Listen
		}
	}
	p.t.Fatal("the log doesn't say where the bot listens")
	return ""
}

// Get asks one of the health checks, such as "readyz".
func (p *Process) Get(path string) (status int, body string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Listening()+"/"+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// Resident returns the memory that the process itself has filled, in KiB, without the pages of the program's file, which
// the kernel takes back as it likes; and the most memory that it ever had, with those pages.
func (p *Process) Resident() (own, peak int) {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		p.t.Skipf("SKIPPED: resident memory is read from Linux's /proc: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "RssAnon: %d kB", &own)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	if own == 0 || peak == 0 {
		p.t.Fatal("/proc doesn't say RssAnon and VmHWM")
	}
	return own, peak
}

// decent looks for what no program should ever print.
func (p *Process) decent() {
	p.t.Helper()
	for _, text := range []string{p.Out.String(), p.Err.String()} {
		for _, bad := range append(Secrets(p.cmd.Env), "panic", "goroutine ", "DATA RACE") {
			if strings.Contains(text, bad) {
				p.t.Errorf("the bot printed %q:\n%s", bad, text)
			}
		}
	}
}

// longest is how long anything is waited for that still moves.
const longest = 5 * time.Minute

// Moving is a context for one of the fakes' Wait functions. It ends once nothing
// has happened for the limit: a slow machine takes longer over all of a run, and
// not over any one of its steps. Wait has the returned function instead of holds.
func Moving(ctx context.Context, limit time.Duration, holds func() bool) (context.Context, context.CancelFunc, func() bool) {
	ctx, cancel := context.WithTimeout(ctx, max(limit, longest))
	still := time.AfterFunc(limit, cancel)
	return ctx, func() { still.Stop(); cancel() }, func() bool {
		still.Reset(limit)
		return holds()
	}
}

// Within waits with one of the fakes' Wait functions. It gives up when nothing
// has happened for the limit, or the process has ended.
func (p *Process) Within(limit time.Duration, wait func(context.Context, func() bool) error, holds func() bool) error {
	ctx, cancel, holds := Moving(context.Background(), limit, holds)
	defer cancel()
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-over:
		}
	}()
	err := wait(ctx, holds)
	select {
	case <-p.ended:
		if err != nil {
			return errors.New("the process has ended")
		}
	default:
	}
	return err
}
