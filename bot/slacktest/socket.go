package slacktest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// maxConnections is how many an app may have open at a time.
// See https://docs.slack.dev/apis/events-api/using-socket-mode/.
const maxConnections = 10

// maxAck is the size at which Slack drops an ack without a word.
const maxAck = 20 * 1024

// Connection is one Socket Mode connection of the app.
type Connection struct {
	w       *Workspace
	ws      *websocket.Conn
	done    chan struct{}
	closed  sync.Once
	writing sync.Mutex

	mu      sync.Mutex
	ice     bool
	leaving bool
	bye     *time.Timer
}

// appsConnectionsOpen gives an address that works once.
// See https://docs.slack.dev/reference/methods/apps.connections.open/.
func (w *Workspace) appsConnectionsOpen(*call) (any, error) {
	ticket := w.id("ticket")
	w.tickets[ticket] = true
	u := url.URL{Scheme: "ws", Host: w.host, Path: "/link/", RawQuery: url.Values{"ticket": {ticket}, "app_id": {w.AppID}}.Encode()}
	return object{"url": u.String()}, nil
}

var upgrader = websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}

// serveSocket speaks Socket Mode until the connection ends.
func (w *Workspace) serveSocket(rw http.ResponseWriter, r *http.Request) {
	ticket := r.URL.Query().Get("ticket")
	w.mu.Lock()
	fresh := w.tickets[ticket]
	delete(w.tickets, ticket)
	w.mu.Unlock()
	if !fresh {
		w.problem("Socket Mode address used twice, or not from apps.connections.open")
		http.Error(rw, "invalid ticket", http.StatusForbidden)
		return
	}
	ws, err := upgrader.Upgrade(rw, r, nil)
	if err != nil {
		return
	}
	c := &Connection{w: w, ws: ws, done: make(chan struct{})}
	// Whoever is handed an envelope for it from now on waits for the greeting.
	c.writing.Lock()
	n, ok := w.admit(c)
	switch {
	case !ok:
	case n > maxConnections:
		w.problem("connection %d, where an app may have %d", n, maxConnections)
		c.put(object{"type": "disconnect", "reason": "too_many_websockets", "debug_info": c.debugInfo()})
	default:
		c.put(object{
			"type": "hello", "num_connections": n, "debug_info": c.debugInfo(),
			"connection_info": object{"app_id": w.AppID},
		})
	}
	c.writing.Unlock()
	if !ok || n > maxConnections {
		c.Close()
		return
	}
	var pinger sync.WaitGroup
	pinger.Go(c.ping)
	c.read()
	c.Close()
	pinger.Wait()
}

// admit counts c in, unless it is one too many or the workspace is closing.
func (w *Workspace) admit(c *Connection) (n int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.closing:
		return 0, false
	default:
	}
	n = len(w.connections) + 1
	if n <= maxConnections {
		w.connections = append(w.connections, c)
		w.changedLocked()
	}
	return n, true
}

func (c *Connection) debugInfo() object {
	return object{"host": "applink-slacktest", "started": "2024-01-01 00:00:00.000", "build_number": 1, "approximate_connection_time": 18060}
}

// Connections lists the app's open connections, oldest first. A frozen one stays
// until the app hangs up.
func (w *Workspace) Connections() []*Connection {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.connections)
}

// Disconnect tells every connection to go, as Connection.Disconnect does.
func (w *Workspace) Disconnect(reason string) {
	for _, c := range w.Connections() {
		c.Disconnect(reason)
	}
}

// Reasons to Disconnect.
const (
	Warning          = "warning"           // it ends in about ten seconds
	RefreshRequested = "refresh_requested" // it ends now; open another one
	LinkDisabled     = "link_disabled"     // Socket Mode was turned off
)

// lingering is how long a connection that was told to go is kept for the acks
// that are on their way.
const lingering = 10 * time.Second

// Disconnect sends a disconnect message. After a Warning the connection goes on
// as before, for ten seconds, and is then told to go; after anything else it gets
// no more envelopes and is closed when the app closes it, or ten seconds later. Apps can connect again, whatever the
// reason: use Fail with apps.connections.open where they should not.
func (c *Connection) Disconnect(reason string) {
	if reason != Warning {
		c.mu.Lock()
		c.leaving = true
		if c.bye == nil {
			c.bye = time.AfterFunc(lingering, c.Close)
		}
		c.mu.Unlock()
	}
	c.write(object{"type": "disconnect", "reason": reason, "debug_info": object{"host": "applink-slacktest"}})
	if reason == Warning {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.bye == nil {
			c.bye = time.AfterFunc(lingering, func() {
				c.mu.Lock()
				c.bye = nil
				c.mu.Unlock()
				c.Disconnect(RefreshRequested)
			})
		}
	}
}

// Freeze makes the connection half-open: Slack hears nothing, says nothing and
// sends no pings, but goes on to hand it envelopes. All of it is lost.
func (c *Connection) Freeze() { c.freeze(true) }

// Thaw ends Freeze.
func (c *Connection) Thaw() { c.freeze(false) }

func (c *Connection) freeze(ice bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ice = ice
}

// Reset ends the connection with a TCP reset.
func (c *Connection) Reset() {
	reset(c.ws.NetConn())
	c.Close()
}

// Close ends the connection with a WebSocket close frame where that still goes
// through. Closing twice does nothing.
func (c *Connection) Close() {
	c.closed.Do(func() {
		c.w.mu.Lock()
		c.w.connections = slices.DeleteFunc(c.w.connections, func(o *Connection) bool { return o == c })
		c.w.changedLocked()
		c.w.mu.Unlock()
		c.mu.Lock()
		if c.bye != nil {
			c.bye.Stop()
		}
		c.mu.Unlock()
		close(c.done)
		if !c.frozen() {
			_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, ""), time.Now().Add(time.Second))
		}
		_ = c.ws.Close()
	})
}

func (c *Connection) frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ice
}

func (c *Connection) open() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.leaving
}

func (c *Connection) write(v any) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.put(v)
}

// hand writes an envelope. The time for its ack runs from then on.
func (c *Connection) hand(d *delivery, envelope any) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.w.mu.Lock()
	d.at = time.Now()
	c.w.mu.Unlock()
	c.put(envelope)
}

// put is write for who has writing locked.
func (c *Connection) put(v any) {
	if c.frozen() {
		return
	}
	body, err := json.Marshal(v)
	if err != nil {
		c.w.problem("slacktest cannot write an envelope: %v", err)
		return
	}
	_ = c.ws.SetWriteDeadline(time.Now().Add(5 * time.Second))
	_ = c.ws.WriteMessage(websocket.TextMessage, body)
}

func (c *Connection) ping() {
	if c.w.opts.PingInterval < 0 {
		return
	}
	tick := time.NewTicker(c.w.opts.PingInterval)
	defer tick.Stop()
	for n := 0; ; n++ {
		if !c.frozen() {
			_ = c.ws.WriteControl(websocket.PingMessage, []byte("Ping from applink-slacktest"), time.Now().Add(5*time.Second))
		}
		select {
		case <-tick.C:
		case <-c.done:
			return
		}
	}
}

// read takes acks until the connection ends. Frozen, it loses them.
func (c *Connection) read() {
	c.ws.SetPingHandler(func(data string) error {
		if !c.frozen() {
			_ = c.ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		}
		return nil
	})
	for {
		_, body, err := c.ws.ReadMessage()
		if err != nil {
			return
		}
		if !c.frozen() {
			c.w.acked(body)
		}
	}
}
