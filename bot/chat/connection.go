package chat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack/socketmode"
)

// How a connection is found to be half-open: Slack answers each ping, so one
// that says nothing for some time is dead. Slack itself pings too, but nobody
// promises how often.
const (
	pingEvery = time.Second
	silence   = 3 * time.Second
	greeted   = 10 * time.Second // how long Slack may take to answer and to say hello
	mostRead  = 4 << 20          // bytes of one message
	ackWrite  = 2 * time.Second
	mostAcked = 20_000 // bytes: Slack drops an ack of 20 kB and more without a word
)

// socketMessage is what Slack says over a connection.
type socketMessage struct {
	socketmode.Request
	Reason string `json:"reason"` // of a disconnect
}

// connection is one Socket Mode connection that Slack has greeted.
//
// It is ours and not socketmode.Client, which opens the next one only when the
// last is gone, and takes a minute to notice that one is half-open.
type connection struct {
	ws    *websocket.Conn
	first []byte        // what came first: hello, but who would refuse a command?
	life  time.Duration // how long Slack means to keep it, as far as it says
	told  chan string   // why Slack wants it renewed
	gone  chan struct{} // closed when nothing comes any more
	why   error         // why it is gone

	writing sync.Mutex
	heard   atomic.Int64 // when something came last
	pending atomic.Int64 // envelopes that aren't acknowledged
	silent  atomic.Bool  // it was ended because nothing came
}

// dial opens a connection and waits until Slack has greeted it.
// https://docs.slack.dev/apis/events-api/using-socket-mode
func (c *Chat) dial(ctx context.Context) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, greeted)
	defer cancel()
	_, address, err := c.api.StartSocketModeContext(ctx)
	if err != nil {
		return nil, err
	}
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: greeted}
	ws, response, err := dialer.DialContext(ctx, address, http.Header{"Origin": {"https://api.slack.com"}})
	if response != nil && response.Body != nil {
		response.Body.Close()
	}
	if err != nil {
		// The address is a key: it stays out of the error.
		return nil, fmt.Errorf("open a WebSocket: %w", errors.New(redactURL(err)))
	}
	ws.SetReadLimit(mostRead)
	ws.SetReadDeadline(time.Now().Add(greeted))
	_, first, err := ws.ReadMessage()
	var hello socketMessage
	if err == nil {
		err = json.Unmarshal(first, &hello)
	}
	if err == nil && hello.Type == socketmode.RequestTypeDisconnect {
		err = fmt.Errorf("no more connections are wanted: %s", hello.Reason)
	}
	if err != nil {
		ws.Close()
		return nil, fmt.Errorf("wait to be greeted: %w", err)
	}
	ws.SetReadDeadline(time.Time{})
	conn := &connection{
		ws: ws, first: first, life: time.Duration(hello.DebugInfo.ApproximateConnectionTime) * time.Second,
		told: make(chan string, 1), gone: make(chan struct{}),
	}
	conn.hear()
	ws.SetPongHandler(func(string) error { conn.hear(); return nil })
	ws.SetPingHandler(func(data string) error {
		conn.hear()
		// One that can't be answered will be found dead by its silence.
		ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(time.Second))
		return nil
	})
	return conn, nil
}

func (conn *connection) hear() { conn.heard.Store(time.Now().UnixNano()) }

// read hands on what comes until the connection ends, and then says why.
func (conn *connection) read(take func(envelope)) {
	defer close(conn.gone)
	watching := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() { conn.watch(watching) })
	defer watch.Wait()
	defer close(watching)
	defer conn.ws.Close()
	for message, err := conn.first, error(nil); ; _, message, err = conn.ws.ReadMessage() {
		if err != nil {
			conn.why = err
			return
		}
		conn.hear()
		var what socketMessage
		if err := json.Unmarshal(message, &what); err != nil {
			continue // a frame that can't be read doesn't speak against the connection
		}
		switch {
		case what.Type == socketmode.RequestTypeDisconnect:
			select {
			case conn.told <- what.Reason:
			default:
			}
		case what.EnvelopeID != "":
			conn.pending.Add(1)
			take(envelope{conn: conn, id: what.EnvelopeID, kind: what.Type, payload: what.Payload, came: time.Now()})
		}
	}
}

// watch pings, and ends a connection on which nothing comes any more. When this
// process itself stood still, that is no fault of the connection.
func (conn *connection) watch(over <-chan struct{}) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		now := time.Now()
		if now.Sub(last) > 2*pingEvery {
			conn.hear()
		}
		last = now
		if now.Sub(time.Unix(0, conn.heard.Load())) > silence {
			conn.silent.Store(true)
			conn.ws.Close()
			return
		}
		conn.ws.WriteControl(websocket.PingMessage, nil, now.Add(time.Second))
	}
}

// ack tells Slack that an envelope arrived, with what it is to show.
func (conn *connection) ack(body []byte) error {
	conn.writing.Lock()
	defer conn.writing.Unlock()
	if err := conn.ws.SetWriteDeadline(time.Now().Add(ackWrite)); err != nil {
		return err
	}
	return conn.ws.WriteMessage(websocket.TextMessage, body)
}

// leave ends a connection that another one has taken the place of. What has come
// over it is acknowledged first, and what is still on its way is taken. One that
// was only warned still gets envelopes: it stays until Slack gives it none, since
// after our goodbye nothing more can be acknowledged over it. The end of ctx cuts
// the waiting short.
func (conn *connection) leave(ctx context.Context, warned bool) {
	defer conn.ws.Close()
	timer := time.NewTimer(warning)
	defer timer.Stop()
	if warned {
		select {
		case <-conn.gone:
			return
		case <-conn.told:
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	timer.Reset(lingering)
	select {
	case <-conn.gone:
		return
	case <-ctx.Done():
	case <-timer.C:
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for timer.Reset(ackWithin); conn.pending.Load() > 0; {
		select {
		case <-conn.gone:
			return
		case <-tick.C:
			continue
		case <-timer.C:
		}
		break
	}
	conn.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	timer.Reset(ackWithin)
	select {
	case <-conn.gone:
	case <-timer.C:
	}
}
