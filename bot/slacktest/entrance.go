package slacktest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// entrance is how the app's requests arrive. It knows to the byte which of them had
// arrived when the app had read an answer. The server itself doesn't know: on a
// busy machine a request lies in its socket until the server is scheduled, and
// then looks as if the app had made it later than it did.
type entrance struct {
	net.Listener

	mu     sync.Mutex
	more   *sync.Cond       // there is one wire more, or the entrance is shut
	shut   bool             // it lets nobody in any more
	stands map[string]*wire // by the app's address
}

// wire is one TCP connection of the app's.
type wire struct {
	*net.TCPConn
	entrance *entrance
	raw      syscall.RawConn
	read     int64 // bytes that came over it
	used     int64 // those of requests that are over
}

func newEntrance(l net.Listener) *entrance {
	made := &entrance{Listener: l, stands: map[string]*wire{}}
	made.more = sync.NewCond(&made.mu)
	return made
}

// Accept is net.Listener's.
func (e *entrance) Accept() (net.Conn, error) {
	conn, err := e.Listener.Accept()
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.more.Broadcast()
	if err != nil {
		e.shut = errors.Is(err, net.ErrClosed)
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, tcp.Close())
	}
	made := &wire{TCPConn: tcp, entrance: e, raw: raw}
	e.stands[tcp.RemoteAddr().String()] = made
	return made, nil
}

// Read is net.Conn's. What it takes from the socket, it counts in the same moment,
// so that at no time bytes are neither in the socket nor counted.
func (c *wire) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	failed := c.raw.Read(func(socket uintptr) bool {
		c.entrance.mu.Lock()
		defer c.entrance.mu.Unlock()
		for {
			if n, err = syscall.Read(int(socket), p); err != syscall.EINTR {
				break
			}
		}
		c.read += int64(max(n, 0))
		return err != syscall.EAGAIN
	})
	switch {
	case failed != nil:
		return 0, failed
	case err != nil:
		return 0, &net.OpError{Op: "read", Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// Close is net.Conn's.
func (c *wire) Close() error {
	c.entrance.mu.Lock()
	if at := c.RemoteAddr().String(); c.entrance.stands[at] == c {
		delete(c.entrance.stands, at)
	}
	c.entrance.mu.Unlock()
	return c.TCPConn.Close()
}

// done says that the request that came over the wire is over.
func (c *wire) done() {
	c.entrance.mu.Lock()
	defer c.entrance.mu.Unlock()
	c.used = c.read
}

// begins is where in all that came over the wire the request at hand begins.
func (c *wire) begins() int64 {
	c.entrance.mu.Lock()
	defer c.entrance.mu.Unlock()
	return c.used
}

// waits tells whether there is something in the socket.
func (c *wire) waits() bool {
	n := 0
	_ = c.raw.Control(func(socket uintptr) {
		n, _, _ = syscall.Recvfrom(int(socket), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	return n > 0
}

// arrived tells how much of each wire had arrived at a moment after the call; ok is
// false if the entrance is shut.
func (e *entrance) arrived() (till map[*wire]int64, ok bool) {
	// What was dialled before now is accepted before this is.
	last, err := net.Dial("tcp", e.Addr().String())
	if err != nil {
		return nil, false
	}
	defer last.Close()
	e.mu.Lock()
	defer e.mu.Unlock()
	for e.stands[last.LocalAddr().String()] == nil {
		if e.shut {
			return nil, false
		}
		e.more.Wait()
	}
	till = map[*wire]int64{}
	for _, c := range e.stands {
		till[c] = c.read
		if c.waits() {
			till[c]++
		}
	}
	return till, true
}

type wireKey struct{}

func withWire(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, wireKey{}, conn)
}

// wireOf is the wire that a request came over.
func wireOf(r *http.Request) *wire { return r.Context().Value(wireKey{}).(*wire) }

// pause is a time in which the app is not to call.
type pause struct {
	until time.Time
	heard bool            // the app has read so
	late  map[*wire]int64 // how much had arrived by then
}

// early tells whether a call comes before the end of p, which may be nil. An app
// that has read of p when it makes the call has not listened. w.mu is locked.
func (w *Workspace) early(from *wire, what string, p *pause) bool {
	if p == nil {
		return false
	}
	left := time.Until(p.until)
	if left > 0 && p.heard && from.begins() >= p.late[from] {
		w.problemLocked("%s: called %s before Retry-After had passed", what, left.Round(time.Millisecond))
	}
	return left > 0
}

// tellToWait answers 429. It asks the app to hang up, because that is how an app
// shows that it has read an answer: what it sends from then on, it sends knowingly.
func (w *Workspace) tellToWait(rw http.ResponseWriter, p *pause, kind, body string) {
	conn, _, err := rw.(http.Hijacker).Hijack()
	if err != nil {
		w.problem("hijack a connection: %v", err)
		return
	}
	defer conn.Close()
	left := max(time.Until(p.until), time.Millisecond)
	answer := http.Response{
		StatusCode: http.StatusTooManyRequests, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header:        http.Header{"Content-Type": {kind}, "Retry-After": {strconv.Itoa(int((left + time.Second - 1) / time.Second))}},
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
	if answer.Write(conn) != nil {
		return
	}
	read := make(chan struct{})
	defer close(read)
	go func() {
		select {
		case <-w.closing:
			conn.Close()
		case <-read:
		}
	}()
	for rest := make([]byte, 512); err == nil; {
		_, err = conn.Read(rest)
	}
	late, ok := w.entrance.arrived()
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !p.heard {
		p.heard, p.late = true, late
	}
}
