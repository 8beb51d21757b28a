package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// process is one run of the binary.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   output // standard output
	err   output // standard error
	begun time.Time
	ended chan struct{}
}

// launch starts the binary with nothing in its environment but env. It is
// killed, by its process ID, when the test ends.
func launch(t *testing.T, path, dir string, env map[string]string, args ...string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	for _, name := range slices.Sorted(maps.Keys(env)) {
		p.cmd.Env = append(p.cmd.Env, name+"="+env[name])
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.begun = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		p.decent()
		if t.Failed() {
			t.Logf("standard error of process %d:\n%s", p.cmd.Process.Pid, p.err.String())
		}
	})
	return p
}

// kill is kill -9.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// exit waits until the process has ended by itself and returns its status.
func (p *process) exit(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.kill()
		p.t.Fatalf("the process hadn't ended after %v", limit)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stopWithin is what whoever sends SIGTERM waits before SIGKILL.
const stopWithin = 25 * time.Second

// terminate sends SIGTERM and wants the process to leave with status 0 in time.
func (p *process) terminate() time.Duration {
	p.t.Helper()
	begun := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("send SIGTERM: %v", err)
	}
	if code := p.exit(stopWithin); code != 0 {
		p.t.Errorf("after SIGTERM the exit status is %d", code)
	}
	return time.Since(begun)
}

// logged waits until the process has logged a message so often.
func (p *process) logged(message string, times int) {
	p.t.Helper()
	p.printed(&p.err, `"msg":"`+message+`"`, times)
}

// printed waits until a text stands so often in what the process has printed.
func (p *process) printed(where *output, what string, times int) {
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

// listening waits until the process serves and returns the address of its
// health checks.
func (p *process) listening() string {
	p.t.Helper()
	p.logged("serving", 1)
	for line := range strings.Lines(p.err.String()) {
		var entry struct{ Msg, Listen string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
			return entry.Listen
		}
	}
	p.t.Fatal("the log doesn't say where the bot listens")
	return ""
}

// decent looks for what no program should ever print.
func (p *process) decent() {
	p.t.Helper()
	for _, text := range []string{p.out.String(), p.err.String()} {
		for _, bad := range append(secrets(p.cmd.Env), "panic", "goroutine ", "DATA RACE") {
			if strings.Contains(text, bad) {
				p.t.Errorf("the bot printed %q:\n%s", bad, text)
			}
		}
	}
}

// secrets are the values in an environment that may stand nowhere else.
func secrets(env []string) []string {
	var values []string
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "SLACK_APP_TOKEN", "SLACK_BOT_TOKEN", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN":
			if value != "" {
				values = append(values, value)
			}
		}
	}
	return values
}

// output is what a process has printed so far. The zero value is nothing yet.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed when more is printed; nil while nobody waits
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.text.Write(p)
}

// read returns the text so far and a channel that is closed when there is more.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.text.String(), o.more
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}

// within waits with one of the fakes' Wait functions. It gives up when the
// limit has passed or the process has ended.
func (p *process) within(limit time.Duration, wait func(context.Context, func() bool) error, holds func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
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
