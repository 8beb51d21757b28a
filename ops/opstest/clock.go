package opstest

import (
	"sync"
	"time"
)

// Clock is the machine's clock, and as far ahead of it as it was moved. Give its
// Now to every fake that an operation meets, so that they all agree. The zero
// value shows the machine's time.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// Now is the time on the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Without the monotonic reading, as a time that comes from a database.
	return time.Now().Round(0).Add(c.ahead)
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}
