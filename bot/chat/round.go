package chat

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// One process delivers at a time, so that each channel hears one message a second
// of all of them together, and each thread in order.
const (
	courier   = "courier"
	leadFor   = 15 * time.Second // a process that dies is missed for so long
	leadBeat  = 4 * time.Second
	pollEvery = 250 * time.Millisecond // for messages that another process wrote
	breath    = 50 * time.Millisecond  // between two looks while threads wait for room
	terminals = 2 * time.Minute        // what is asked from a terminal is told there, unless that was closed
)

// How many threads are delivered beside each other: of what one person is told,
// and of what stands in channels, where each waits for its turn.
const (
	mostPrivate = 32
	mostPublic  = 64
)

// Deliver delivers the desk's messages until ctx ends: those of one thread one
// after another, those of different threads beside each other. What is being
// sent when ctx ends is finished; the rest waits in the store. Of several
// processes with one database, one delivers; another takes over when it is gone.
func (c *Chat) Deliver(ctx context.Context) {
	defer c.delivering.Wait()
	defer c.desk.Meter.Courier(false)
	c.delivering.Go(func() { c.tellRenamed(ctx) })
	for ctx.Err() == nil {
		if leading, resign := c.lead(ctx); leading != nil {
			c.round(ctx, leading)
			resign()
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(leadBeat):
		}
	}
}

// lead takes the courier's duty and keeps it. It returns a context that ends when
// the duty is lost, so that nothing is sent any more that the next one sends; nil
// if another process has the duty. resign gives it away.
func (c *Chat) lead(ctx context.Context) (leading context.Context, resign func()) {
	leading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if !c.store.Shared() {
		c.leadsTill.Store(math.MaxInt64)
		c.leads.Store(true)
		c.desk.Meter.Courier(true)
		return leading, cancel
	}
	begun := time.Now()
	got, err := c.store.Lead(ctx, courier, leadFor)
	if err == nil && got {
		err = c.holds.restore(ctx, c.store)
	}
	if err != nil || !got {
		cancel()
		if err != nil && ctx.Err() == nil {
			c.log.Error("take the courier's duty", "error", err)
		}
		return nil, nil
	}
	c.leads.Store(true)
	c.leadsTill.Store(begun.Add(leadFor).UnixNano())
	c.desk.Meter.Courier(true)
	c.log.Info("this process delivers the messages")
	beaten := make(chan struct{})
	go func() {
		defer close(beaten)
		defer cancel()
		c.beat(leading, begun)
	}()
	return leading, func() {
		cancel()
		<-beaten
		c.leads.Store(false)
		c.desk.Meter.Courier(false)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeWithin)
		defer cancel()
		if err := c.store.Resign(ctx, courier); err != nil {
			c.log.Warn("give the courier's duty away", "error", err)
		}
	}
}

// errLate is of a process that was frozen for so long that another delivers by now.
var errLate = errors.New("another process delivers by now")

// turn waits for a channel's turn. A process that stood still while it waited
// must not send what another has sent since, so it looks at the clock: what ends
// its time may not have been woken yet.
func (c *Chat) turn(ctx context.Context, channel string, update bool) error {
	if err := c.paces.wait(ctx, channel, update); err != nil {
		return err
	}
	if time.Now().UnixNano() > c.leadsTill.Load() {
		return errLate
	}
	return nil
}

// beat keeps the courier's duty until ctx ends or it is lost.
func (c *Chat) beat(ctx context.Context, kept time.Time) {
	for {
		// Before the duty ends for others, it ends for us.
		limited, cancel := context.WithDeadline(ctx, kept.Add(leadFor-time.Second))
		timer := time.NewTimer(leadBeat)
		select {
		case <-ctx.Done():
			timer.Stop()
			cancel()
			return
		case <-timer.C:
		}
		now := time.Now()
		got, err := c.store.Lead(limited, courier, leadFor)
		over := limited.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && got:
			kept = now
			c.leadsTill.Store(now.Add(leadFor).UnixNano())
		case err == nil || over:
			c.log.Error("the courier's duty is lost", "error", err)
			return
		default:
			c.log.Warn("keep the courier's duty", "error", err)
		}
	}
}

// round is what the process that leads delivers until ending or leading ends. Sending
// goes on until leading ends.
type round struct {
	chat            *Chat
	ending, leading context.Context
	busy            map[string]bool // threads that are being delivered
	begun           map[bool]int    // how many, by whether they are private
	done            chan string
	waiting         []string // threads that are due and wait for room
}

func (c *Chat) round(ending, leading context.Context) {
	r := &round{chat: c, ending: ending, leading: leading, busy: map[string]bool{}, begun: map[bool]int{}, done: make(chan string)}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var looked time.Time
	woken := true
	for ending.Err() == nil && leading.Err() == nil {
		soonest := time.Minute // to look again anyway
		if c.store.Shared() {
			soonest = pollEvery
		}
		if pause := breath - time.Since(looked); woken && len(r.waiting) > 0 && pause > 0 {
			soonest = pause
		} else if woken {
			looked, woken = time.Now(), false
			due, err := r.look()
			if err != nil && leading.Err() == nil {
				c.log.Error("read the messages to be sent", "error", err)
				due, woken = time.Second, true
			}
			soonest = min(soonest, due)
		}
		timer.Reset(soonest)
		select {
		case <-ending.Done():
		case <-leading.Done():
		case thread := <-r.done:
			r.finish(thread)
			r.fill()
			woken = woken || len(r.waiting) == 0
		case <-c.store.Woken():
			woken = true
		case <-timer.C:
			woken = true
		}
	}
	for len(r.busy) > 0 {
		r.finish(<-r.done)
	}
}

// look begins to deliver all threads that are due, and returns how long the next one has.
func (r *round) look() (next time.Duration, err error) {
	heads, err := r.chat.store.Heads(r.leading)
	next = time.Hour
	r.waiting = r.waiting[:0]
	for _, head := range heads {
		switch wait := time.Until(head.Due); {
		case r.busy[head.Thread]:
		case wait > 0:
			next = min(next, wait)
		case !r.start(head.Thread):
			r.waiting = append(r.waiting, head.Thread)
		}
	}
	return next, err
}

// start begins to deliver a thread, if there is room.
func (r *round) start(thread string) bool {
	private, most := private(thread), mostPublic
	if private {
		most = mostPrivate
	}
	if r.begun[private] >= most {
		return false
	}
	r.begun[private]++
	r.busy[thread] = true
	r.chat.delivering.Go(func() {
		r.chat.drain(r.ending, r.leading, thread)
		r.done <- thread
	})
	return true
}

func (r *round) finish(thread string) {
	delete(r.busy, thread)
	r.begun[private(thread)]--
}

// fill gives the room that there is to the threads that wait for it: they go before
// those that have come since.
func (r *round) fill() {
	kept := r.waiting[:0]
	for _, next := range r.waiting {
		if r.busy[next] {
			continue
		}
		if !r.start(next) {
			kept = append(kept, next) // the room of private threads is another
		}
	}
	r.waiting = kept
}

// private tells whether a thread is what one person is told.
func private(thread string) bool {
	kind, _, _ := strings.Cut(thread, "/")
	switch kind {
	case request.Private, request.Pointer, request.Direct, request.Letter, "click":
		return true
	}
	return false
}

// drain delivers a thread's messages until none is due, or one can't be delivered.
func (c *Chat) drain(ending, leading context.Context, thread string) {
	for ending.Err() == nil && leading.Err() == nil {
		waiting, err := c.store.Waiting(leading, thread)
		if err != nil {
			if leading.Err() == nil {
				c.log.Error("read the messages to be sent", "error", err)
			}
			return
		}
		if len(waiting) == 0 || waiting[0].Due.After(time.Now()) || !c.deliver(leading, waiting) {
			return
		}
	}
}

// Flush waits until what can be told has been told, or ctx ends. Where another
// process delivers, that one will.
func (c *Chat) Flush(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for c.leads.Load() {
		heads, err := c.store.Heads(ctx)
		due := false
		for _, head := range heads {
			due = due || !head.Due.After(time.Now())
		}
		if err != nil || !due {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
