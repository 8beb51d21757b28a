// Package crowdtest lets as many tests work beside each other as the machine
// carries. A test with a bot in it waits more than it works, so two dozen of them
// fit on two cores that have nothing else to do. The same two dozen starve each
// other on cores that others keep busy: all of them are late then, also where
// lateness is what they look for. A test calls Enter before its bot begins.
package crowdtest

import (
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	few      = 4                     // tests always find room
	beat     = 10 * time.Millisecond // how often the crowd looks how late it is woken
	starved  = 4 * time.Millisecond  // that late on the average, nobody else is let in
	patience = 5 * time.Minute       // a test waits no longer, so that tests which wait for each other end
	apart    = 75 * time.Millisecond // between two that come in, so that the first one's weight is felt
)

// crowd are the tests that work.
type crowd struct {
	begin sync.Once

	mu     sync.Mutex
	given  time.Duration // that the process has been awake on time
	late   time.Duration // how late the crowd is woken, on the average of the last second or so
	inside map[testing.TB]int
	came   time.Time // the last one
}

var here = crowd{inside: map[testing.TB]int{}}

// Enter waits until the machine has room for a test. It leaves when it ends. A test
// that is inside already gets more room at once.
func Enter(t testing.TB) {
	t.Helper()
	here.begin.Do(func() { go here.watch() })
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for begun := time.Now(); !here.admits(t, time.Since(begun) > patience); {
		<-tick.C
	}
	t.Cleanup(func() { here.leave(t) })
}

// Given is a clock that stands still while the machine doesn't let the process work.
// A test measures its patience by it where it waits for what must come some day;
// what the bot promises in time is measured by a real clock.
func Given() time.Duration {
	here.begin.Do(func() { go here.watch() })
	here.mu.Lock()
	defer here.mu.Unlock()
	return here.given
}

// Share is the part of the machine's cores that the process gets while others work:
// 1 if they are all its own, but for a tenth.
func Share() (float64, error) {
	var before, after syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		return 0, err
	}
	began := time.Now()
	var all sync.WaitGroup
	for range runtime.NumCPU() {
		all.Go(func() {
			for time.Since(began) < 300*time.Millisecond {
			}
		})
	}
	all.Wait()
	took := time.Since(began) * time.Duration(runtime.NumCPU())
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
		return 0, err
	}
	worked := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	share := float64(worked) / float64(took)
	if share > 0.9 {
		share = 1
	}
	return share, nil
}

func (c *crowd) admits(t testing.TB, anyway bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	room := len(c.inside) < few || c.late < starved && time.Since(c.came) > apart
	if !room && !anyway && c.inside[t] == 0 {
		return false
	}
	c.inside[t]++
	c.came = time.Now()
	return true
}

func (c *crowd) leave(t testing.TB) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inside[t]--; c.inside[t] == 0 {
		delete(c.inside, t)
	}
}

// watch measures how late the process is woken when it wants to be: by the machine,
// or by its own tests.
func (c *crowd) watch() {
	tick := time.NewTimer(beat)
	for {
		due := time.Now().Add(beat)
		tick.Reset(beat)
		<-tick.C
		late := time.Since(due)
		c.mu.Lock()
		c.late += (late - c.late) / 64
		c.given += beat
		c.mu.Unlock()
	}
}
