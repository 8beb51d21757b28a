package slacktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Kind says what an Event tells.
type Kind string

// The kinds of Event.
const (
	Posted    Kind = "posted"    // a message or a reply
	Edited    Kind = "edited"    // a message was changed, or somebody reacted to it
	Deleted   Kind = "deleted"   // a message is gone
	Ephemeral Kind = "ephemeral" // a message that one person sees was shown or changed
	Viewed    Kind = "view"      // a modal or a Home tab was opened, changed or closed
	Uploaded  Kind = "file"      // a file was shared; its message follows as Posted
)

// Event is one change in the workspace that somebody could see.
type Event struct {
	Kind    Kind
	Message Message // for messages: as it is after the change, or was before it was deleted
	View    View    // for Viewed
	File    File    // for Uploaded
	UserID  string  // who sees it; "" is everybody in the channel
}

// Subscribe tells of everything that happens from now on, in order. The channel
// is never full: what is not read is kept. It is closed by cancel and by Close.
// Cancelling twice does nothing.
func (w *Workspace) Subscribe() (events <-chan Event, cancel func()) {
	s := &subscriber{out: make(chan Event), wake: make(chan struct{}, 1), done: make(chan struct{}), gone: make(chan struct{})}
	w.mu.Lock()
	select {
	case <-w.closing:
		w.mu.Unlock()
		close(s.out)
		return s.out, func() {}
	default:
	}
	w.subscribers = append(w.subscribers, s)
	w.mu.Unlock()
	go s.run()
	return s.out, func() {
		w.mu.Lock()
		w.subscribers = slices.DeleteFunc(w.subscribers, func(o *subscriber) bool { return o == s })
		w.mu.Unlock()
		s.end()
	}
}

type subscriber struct {
	out   chan Event
	wake  chan struct{}
	done  chan struct{}
	gone  chan struct{}
	once  sync.Once
	mu    sync.Mutex
	queue []Event
}

func (s *subscriber) push(e Event) {
	s.mu.Lock()
	s.queue = append(s.queue, e)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscriber) run() {
	defer close(s.gone)
	defer close(s.out)
	for {
		s.mu.Lock()
		batch := s.queue
		s.queue = nil
		s.mu.Unlock()
		for _, e := range batch {
			select {
			case s.out <- e:
			case <-s.done:
				return
			}
		}
		if len(batch) > 0 {
			continue
		}
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
	}
}

func (s *subscriber) end() {
	s.once.Do(func() { close(s.done) })
	<-s.gone
}

// tell passes e to the subscribers and wakes whoever waits.
func (w *Workspace) tell(e Event) {
	for _, s := range w.subscribers {
		s.push(e)
	}
	w.changedLocked()
}

func (w *Workspace) changedLocked() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// Wait returns nil once holds is true. It asks at once, and again whenever
// anything in the workspace changes: a message, a view, a call, a connection, an
// ack, a problem. It returns an error that wraps ctx's when ctx ends first.
func (w *Workspace) Wait(ctx context.Context, holds func() bool) error {
	for {
		w.mu.Lock()
		changed := w.changed
		w.mu.Unlock()
		if holds() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if holds() {
				return nil
			}
			return fmt.Errorf("wait for the workspace to change: %w", context.Cause(ctx))
		case <-w.closing:
			if holds() {
				return nil
			}
			return fmt.Errorf("wait for the workspace to change: %w", ErrClosed)
		}
	}
}
