package slacktest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// dial opens a Socket Mode connection without the help of a client.
func dial(t *testing.T, s *story) *websocket.Conn {
	t.Helper()
	_, url, err := s.api.StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s.wait(func() bool { return len(s.Connections()) > 0 })
	return conn
}

type greeting struct {
	Type           string `json:"type"`
	Reason         string `json:"reason"`
	NumConnections int    `json:"num_connections"`
	EnvelopeID     string `json:"envelope_id"`
	ConnectionInfo struct {
		AppID string `json:"app_id"`
	} `json:"connection_info"`
	DebugInfo struct {
		Host                      string `json:"host"`
		ApproximateConnectionTime int    `json:"approximate_connection_time"`
	} `json:"debug_info"`
}

func read(t *testing.T, conn *websocket.Conn) greeting {
	t.Helper()
	var g greeting
	if err := conn.ReadJSON(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAConnectionIsGreetedAndPinged(t *testing.T) {
	s := begin(t, slacktest.Options{PingInterval: 5 * time.Millisecond})
	conn := dial(t, s)
	pings := 0
	conn.SetPingHandler(func(string) error {
		if pings++; pings == 3 {
			return errors.New("enough")
		}
		return nil
	})
	g := read(t, conn)
	if g.Type != "hello" || g.NumConnections != 1 || g.ConnectionInfo.AppID != s.AppID || g.DebugInfo.Host == "" || g.DebugInfo.ApproximateConnectionTime == 0 {
		t.Errorf("hello is %+v", g)
	}
	if _, _, err := conn.ReadMessage(); err == nil || err.Error() != "enough" {
		t.Errorf("%d pings, then %v", pings, err)
	}
}

func TestNothingComesBeforeTheGreeting(t *testing.T) {
	s := begin(t, slacktest.Options{AckTimeout: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	defer sending.Wait()
	defer cancel()
	for range 4 {
		sending.Go(func() {
			for ctx.Err() == nil {
				_, _ = s.Event(ctx, map[string]any{"type": "app_home_opened"})
			}
		})
	}
	for range 50 {
		conn := dial(t, s)
		if g := read(t, conn); g.Type != "hello" {
			t.Fatalf("a connection began with %+v", g)
		}
		_ = conn.Close()
		s.wait(func() bool { return len(s.Connections()) == 0 })
	}
}

func TestAnAddressWorksOnce(t *testing.T) {
	s := begin(t, slacktest.Options{})
	_, url, err := s.api.StartSocketModeContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := websocket.DefaultDialer.Dial(url, nil); err == nil {
		t.Error("an address worked twice")
	}
}

func TestTheEleventhConnectionIsRefused(t *testing.T) {
	s := begin(t, slacktest.Options{})
	for n := 1; n <= 10; n++ {
		if g := read(t, dial(t, s)); g.NumConnections != n {
			t.Errorf("hello %d says %d", n, g.NumConnections)
		}
	}
	if g := read(t, dial(t, s)); g.Type != "disconnect" || g.Reason != "too_many_websockets" {
		t.Errorf("the eleventh got %+v", g)
	}
	if p := s.Problems(); len(p) != 1 {
		t.Errorf("problems are %q", p)
	}
}

func TestEachEnvelopeGoesToOneConnectionInTurn(t *testing.T) {
	s := begin(t, slacktest.Options{})
	counts := make(chan int, 6)
	for i := range 2 {
		s.connect(func(client *socketmode.Client, e socketmode.Event) {
			if e.Type == socketmode.EventTypeSlashCommand {
				counts <- i
				ack(nil)(client, e)
			}
		})
	}
	for range 6 {
		if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); err != nil {
			t.Fatal(err)
		}
	}
	var got []int
	for range 6 {
		got = append(got, <-counts)
	}
	slices.Sort(got)
	if !slices.Equal(got, []int{0, 0, 0, 1, 1, 1}) {
		t.Errorf("connections got %v", got)
	}
	s.blameless()
}

func TestAClientReconnectsWhenItIsToldTo(t *testing.T) {
	for _, reason := range []string{slacktest.Warning, slacktest.RefreshRequested, slacktest.LinkDisabled} {
		t.Run(reason, func(t *testing.T) {
			s := begin(t, slacktest.Options{})
			s.connect(ack(nil))
			before := s.Connections()[0]
			s.Disconnect(reason)
			s.wait(func() bool {
				all := s.Connections()
				return len(all) == 1 && all[0] != before
			})
			if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); err != nil {
				t.Fatal(err)
			}
			s.blameless()
		})
	}
}

func TestAClientReconnectsAfterAConnectionIsLost(t *testing.T) {
	for name, lose := range map[string]func(*slacktest.Connection){
		"closed": (*slacktest.Connection).Close,
		"reset":  (*slacktest.Connection).Reset,
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, slacktest.Options{})
			s.connect(ack(nil))
			before := s.Connections()[0]
			lose(before)
			s.wait(func() bool {
				all := s.Connections()
				return len(all) == 1 && all[0] != before
			})
			s.blameless()
		})
	}
}

func TestAFrozenConnectionLosesEnvelopes(t *testing.T) {
	s := begin(t, slacktest.Options{AckTimeout: 50 * time.Millisecond, PingInterval: 5 * time.Millisecond})
	s.connect(ack(nil))
	c := s.Connections()[0]
	c.Freeze()
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); !errors.Is(err, slacktest.ErrNoAck) {
		t.Errorf("error is %v", err)
	}
	if len(s.Connections()) != 1 {
		t.Error("a frozen connection is gone")
	}
	c.Thaw()
	if _, err := s.Command(t.Context(), s.ada.ID, s.ops.ID, "/x", ""); err != nil {
		t.Errorf("after the thaw: %v", err)
	}
	s.blameless()
}

func TestAFrozenConnectionIsNoticedByTheClient(t *testing.T) {
	s := begin(t, slacktest.Options{PingInterval: 20 * time.Millisecond})
	s.api = slack.New(s.BotToken, slack.OptionAPIURL(s.URL()), slack.OptionAppLevelToken(s.AppToken))
	client := socketmode.New(s.api, socketmode.OptionPingInterval(200*time.Millisecond))
	go func() {
		for range client.Events {
		}
	}()
	go func() { _ = client.RunContext(t.Context()) }()
	s.wait(func() bool { return len(s.Connections()) == 1 })
	before := s.Connections()[0]
	before.Freeze()
	s.wait(func() bool {
		all := s.Connections()
		return len(all) == 1 && all[0] != before
	})
}

func TestAcksThatMakeNoSense(t *testing.T) {
	s := begin(t, slacktest.Options{})
	conn := dial(t, s)
	read(t, conn)
	for _, body := range []string{`{`, `{"payload":{}}`, `{"envelope_id":"nobody's"}`} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	s.wait(func() bool { return len(s.Problems()) == 3 })
	if p := strings.Join(s.Problems(), "\n"); !strings.Contains(p, "no ack") || !strings.Contains(p, "not sent") {
		t.Errorf("problems are %q", p)
	}
}

func TestConnectionsNeedTheAppToken(t *testing.T) {
	s := begin(t, slacktest.Options{})
	for name, try := range map[string]struct{ app, want string }{
		"a bot token":   {s.BotToken, "not_allowed_token_type"},
		"a wrong token": {"xapp-wrong", "invalid_auth"},
	} {
		t.Run(name, func(t *testing.T) {
			api := slack.New(s.BotToken, slack.OptionAPIURL(s.URL()), slack.OptionAppLevelToken(try.app))
			_, _, err := api.StartSocketModeContext(t.Context())
			failed(t, err, try.want)
		})
	}
}
