package slacktest

import (
	"net"
	"net/http"
	"slices"
	"time"
)

// Fault is something that goes wrong with one call. Its fields are tried in the
// order they stand here; Delay comes before any of them. The zero value is a
// call that goes well.
type Fault struct {
	Delay      time.Duration // before anything else
	Cut        bool          // reset the connection before doing anything
	RetryAfter time.Duration // answer 429; calls that the app makes after it has read that, and before it has passed, are a problem
	Status     int           // answer with this HTTP status and a page of HTML, as Slack does for 5xx
	Error      string        // answer {"ok":false,"error":Error}
	CutAfter   bool          // do it, then reset the connection without an answer
}

// Fail makes the next calls of method go wrong, one fault each, after those that
// are queued already. method "" or "*" is any method; a method's own faults come
// first. Beside the Web API there are the methods "upload" (the address that
// files.getUploadURLExternal gives) and "response_url", which take Cut,
// CutAfter, RetryAfter, Status and Delay.
func (w *Workspace) Fail(method string, faults ...Fault) {
	if method == "" {
		method = "*"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[method] = append(w.faults[method], faults...)
}

// refusal is a rule by which calls are refused.
type refusal struct {
	method, code string
	when         func(args map[string]string) bool
}

// Refuse has every call of method whose arguments are such that when holds (nil is
// always) answered with an error code, until end is called. Faults come first. when
// must not use the workspace.
//
//	end := w.Refuse("chat.postMessage", "invalid_blocks", func(args map[string]string) bool { return args["blocks"] != "" })
func (w *Workspace) Refuse(method, code string, when func(args map[string]string) bool) (end func()) {
	r := &refusal{method, code, when}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusals = append(w.refusals, r)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.refusals = slices.DeleteFunc(w.refusals, func(o *refusal) bool { return o == r })
	}
}

// refuses tells with which code a call is refused; "" for not at all.
func (w *Workspace) refuses(method string, args map[string]string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.refusals {
		if r.method == method && (r.when == nil || r.when(args)) {
			return r.code
		}
	}
	return ""
}

// SetDelay delays every call of method ("" or "*" is any other) by d from now on;
// 0 ends it.
func (w *Workspace) SetDelay(method string, d time.Duration) {
	if method == "" {
		method = "*"
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.delays[method] = d
}

// before tells what is to happen to a call before it is looked at: a fault, a
// delay, and whether the app is to be told to come back later.
func (w *Workspace) before(from *wire, method, channel string) (f Fault, delay time.Duration, later *pause) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delay = w.delays["*"]
	if d, ok := w.delays[method]; ok {
		delay = d
	}
	if later = w.waits[method]; w.early(from, method, later) {
		return Fault{}, delay, later
	}
	for _, queue := range []string{method, "*"} {
		if faults := w.faults[queue]; len(faults) > 0 {
			f, w.faults[queue] = faults[0], faults[1:]
			break
		}
	}
	delay += f.Delay
	if f.Cut {
		return f, delay, nil
	}
	if f.RetryAfter > 0 {
		w.waits[method] = &pause{until: time.Now().Add(delay + f.RetryAfter)}
		return f, delay, w.waits[method]
	}
	if p := w.count(method); p != nil {
		return f, delay, p
	}
	if w.opts.RateLimit && method == "chat.postMessage" {
		return f, delay, w.fill(from, channel)
	}
	return f, delay, nil
}

// burst is how many messages a channel takes at once before it takes one a second.
// See https://docs.slack.dev/apis/web-api/rate-limits/.
const burst = 4

type bucket struct {
	room  float64
	at    time.Time
	pause *pause
}

// fill takes room for one message in channel, or tells until when there is none.
func (w *Workspace) fill(from *wire, channel string) *pause {
	now := time.Now()
	b := w.buckets[channel]
	if b == nil {
		b = &bucket{room: burst, at: now}
		w.buckets[channel] = b
	}
	if w.early(from, "chat.postMessage to "+channel, b.pause) {
		return b.pause
	}
	b.room = min(burst, b.room+now.Sub(b.at).Seconds())
	b.at = now
	if b.room < 1 {
		b.pause = &pause{until: now.Add(time.Second)}
		return b.pause
	}
	b.room--
	return nil
}

// sleep waits for d and reports whether anybody is still there.
func (w *Workspace) sleep(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	case <-w.closing:
		return false
	}
}

// cut resets the TCP connection under an HTTP answer.
func cut(rw http.ResponseWriter) {
	h, ok := rw.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	conn, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	reset(conn)
}

// reset closes conn so that its other end sees a reset and not an end.
func reset(conn net.Conn) {
	if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// faulty applies the next fault for what to a request that is no Web API call,
// and reports whether that has answered it. after is to be called once the
// request has been carried out; it reports the same.
func (w *Workspace) faulty(rw http.ResponseWriter, r *http.Request, what string) (answered bool, after func() bool) {
	f, delay, later := w.before(wireOf(r), what, "")
	switch {
	case !w.sleep(r, delay) || f.Cut:
		cut(rw)
		return true, nil
	case later != nil:
		w.tellToWait(rw, later, "text/plain; charset=utf-8", "ratelimited\n")
		return true, nil
	case f.Status != 0:
		http.Error(rw, http.StatusText(f.Status), f.Status)
		return true, nil
	}
	return false, func() bool {
		if f.CutAfter {
			cut(rw)
		}
		return f.CutAfter
	}
}
