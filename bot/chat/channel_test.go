package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
)

// crowded is the API of a workspace of very many channels, without a network, so that
// its minutes can be a bubble's.
type crowded struct {
	t        *testing.T
	channels []map[string]any
	calls    map[string]int
	since    time.Time // a minute of listing
	listed   int       // in it
	broken   int       // the channel from which on listing fails; 0: it doesn't
	till     time.Time // Retry-After
	down     time.Time // Slack doesn't answer until then
}

func (w *crowded) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	method := path.Base(r.URL.Path)
	w.calls[method]++
	answer, header, status := any(map[string]any{"ok": false, "error": "channel_not_found"}), http.Header{"Content-Type": {"application/json"}}, 200
	switch method {
	case "auth.test":
		if time.Now().Before(w.down) {
			status, answer = 503, "no healthy upstream"
			break
		}
		answer = map[string]any{"ok": true, "team_id": "T0BENCH", "url": "https://bench.slack.example/", "user": "rootbot"}
	case "conversations.info":
		for _, channel := range w.channels {
			if channel["id"] == form.Get("channel") {
				answer = map[string]any{"ok": true, "channel": channel}
			}
		}
	case "conversations.list":
		now := time.Now()
		if now.Before(w.till) {
			w.t.Errorf("listed %v before Retry-After had passed", w.till.Sub(now))
		}
		if now.Sub(w.since) >= time.Minute {
			w.since, w.listed = now, 0
		}
		if w.listed++; w.listed > 20 {
			w.till = w.since.Add(time.Minute)
			header.Set("Retry-After", strconv.Itoa(int(time.Until(w.till).Seconds())))
			status, answer = 429, map[string]any{"ok": false, "error": "ratelimited"}
			break
		}
		if form.Get("exclude_archived") != "true" {
			w.t.Error("archived channels are listed")
		}
		from, _ := strconv.Atoi(form.Get("cursor"))
		if w.broken > 0 && from >= w.broken {
			answer = map[string]any{"ok": false, "error": "invalid_cursor"}
			break
		}
		to, next := min(from+100, len(w.channels)), ""
		if to < len(w.channels) {
			next = strconv.Itoa(to)
		}
		answer = map[string]any{"ok": true, "channels": w.channels[from:to], "response_metadata": map[string]any{"next_cursor": next}}
	}
	text, _ := json.Marshal(answer)
	return &http.Response{
		StatusCode: status, Status: http.StatusText(status), ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: header, Body: io.NopCloser(strings.NewReader(string(text))), ContentLength: int64(len(text)),
	}, nil
}

// crowd is a workspace of n channels: channel-0 and so on.
func crowd(t *testing.T, n int) *crowded {
	w := &crowded{t: t, calls: map[string]int{}}
	for i := range n {
		w.channels = append(w.channels, map[string]any{"id": fmt.Sprintf("C%07d", i), "name": fmt.Sprintf("channel-%d", i), "is_member": true})
	}
	return w
}

// open starts in the workspace with these channels in the settings.
func (w *crowded) open(ctx context.Context, s *store.Store, log string, places ...string) error {
	desk := &bot.Desk{Store: s, Log: quiet, Team: &team.Team{}, Terms: map[string]request.Terms{}}
	for i, place := range places {
		o := tidy(work)
		o.Name = fmt.Sprintf("tidy-%d", i)
		terms := request.DefaultTerms()
		terms.Place = place
		desk.Operations, desk.Terms[o.Name] = append(desk.Operations, o), terms
	}
	c := chat.New(desk, chat.Settings{AppToken: "xapp-1", BotToken: "xoxb-1", APIURL: "https://slack.example/api/", LogChannel: log}, quiet)
	c.Through(chat.Holds(w))
	return c.Wire(ctx)
}

// lists is how often channels were listed since it was asked last.
func (w *crowded) lists() int {
	defer func() { w.calls["conversations.list"] = 0 }()
	return w.calls["conversations.list"]
}

// memory is a store for a bubble.
func memory(t *testing.T) *store.Store {
	s, err := store.Open(t.Context(), "sqlite::memory:", quiet)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A start goes on once Slack answers, and doesn't wait for ever.
func TestAStartWhileSlackIsInTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := crowd(t, 1), memory(t)
		defer s.Close()
		w.down = time.Now().Add(time.Minute)
		if err := w.open(t.Context(), s, "channel-0"); err != nil {
			t.Errorf("a minute of trouble ends the start: %v", err)
		}
		w.down = time.Now().Add(time.Hour)
		if err := w.open(t.Context(), s, "channel-0"); err == nil || !strings.Contains(err.Error(), "Service Unavailable") {
			t.Errorf("an hour of trouble: %v", err)
		}
	})
}

func TestAListingThatFailsKeepsWhatItFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := crowd(t, 500), memory(t)
		defer s.Close()
		w.broken = 300
		w.channels[250]["is_member"] = false
		err := w.open(t.Context(), s, "channel-150", "channel-250", "channel-450")
		if err == nil || !strings.Contains(err.Error(), "invalid_cursor") {
			t.Fatalf("the start says %v", err)
		}
		known, err := s.Channels(t.Context(), "T0BENCH")
		if err != nil {
			t.Fatal(err)
		}
		// A channel that the bot isn't in is one that it couldn't work in.
		same(t, "what is remembered", map[string]store.Channel{
			"channel-150": {Workspace: "T0BENCH", Name: "channel-150", ID: "C0000150", Title: "channel-150"},
		}, known)
		w.lists()
		if err := w.open(t.Context(), s, "channel-150"); err != nil || w.lists() > 0 {
			t.Errorf("the next start looks for it again: %v", err)
		}
	})
}

func TestANumberSignMakesAName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, setting := range []string{"#GENERAL01", "#C0000001", "GeneRal01"} {
			w, s := crowd(t, 5), memory(t)
			defer s.Close()
			w.channels[3]["name"] = strings.ToLower(strings.TrimPrefix(setting, "#"))
			if err := w.open(t.Context(), s, setting); err != nil {
				t.Errorf("%s: %v", setting, err)
			}
			known, err := s.Channels(t.Context(), "T0BENCH")
			if err != nil || len(known) != 1 || known[strings.ToLower(strings.TrimPrefix(setting, "#"))].ID != "C0000003" {
				t.Errorf("%s is remembered as %v: %v", setting, known, err)
			}
		}
	})
}

func TestAStartInAWorkspaceOf9000Channels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := crowd(t, 9000), memory(t)
		defer s.Close()
		open := func(ctx context.Context, log string, places ...string) error { return w.open(ctx, s, log, places...) }
		listed := w.lists

		if err := open(t.Context(), "#channel-8500", "channel-8200", "channel-8300"); err != nil {
			t.Errorf("three names: %v", err)
		}
		if n := listed(); n != 86+4 { // pages, and what was told to wait
			t.Errorf("three names are found by %d calls", n)
		}
		if err := open(t.Context(), "channel-8500", "channel-8200", "C0008000"); err != nil || listed() > 0 {
			t.Errorf("the next start lists channels: %v", err)
		}
		if err := open(t.Context(), "channel-8500", "channel-199"); err != nil || listed() > 2 {
			t.Errorf("a listing goes on when all is found: %v", err)
		}
		limited, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		if err := open(limited, "no-such-channel"); err == nil || !strings.Contains(err.Error(), "rate limit") {
			t.Errorf("a start that is to end before Slack answers says %v", err)
		}
		<-time.After(time.Minute) // of the bubble: it takes no time
		err := open(t.Context(), "no-such-channel", "nor-this")
		for _, words := range []string{"slack.log_channel: Slack shows the bot no channel no-such-channel", "operations.tidy-0.channel: Slack shows the bot no channel nor-this"} {
			if err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("the error doesn't say %q: %v", words, err)
			}
		}
	})
}

func TestAChannelKeepsItsIDWhateverBecomesOfItsName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		setting string
		change  func(*office)
		refused []string // the start says so
		told    []string // in the log channel
		event   map[string]any
	}{
		{name: "it keeps its name", setting: "#aws-root-account"},
		{
			name: "it was renamed", setting: "aws-root-account",
			change: func(o *office) { o.Rename(o.home.ID, "root-accounts") },
			told:   []string{"#aws-root-account", "C0HOME001", "slack.log_channel", "is called #root-accounts now", "Write C0HOME001 there"},
			event:  map[string]any{"channel": "C0HOME001", "was": "aws-root-account", "now": "root-accounts"},
		},
		{
			name: "it was renamed, and another has its name", setting: "aws-root-account",
			change: func(o *office) {
				o.Rename(o.home.ID, "root-accounts")
				o.AddChannel(slacktest.Channel{ID: "C0USURPER", Name: "aws-root-account", Members: []string{o.BotUserID}})
			},
			told:  []string{"is called #root-accounts now", "C0USURPER, is called #aws-root-account now; I don't use that one"},
			event: map[string]any{"channel": "C0HOME001", "was": "aws-root-account", "now": "root-accounts", "other": "C0USURPER"},
		},
		{
			name: "it was renamed, and the settings have its ID", setting: "C0HOME001",
			change: func(o *office) { o.Rename(o.home.ID, "root-accounts") },
			told:   []string{"#aws-root-account (C0HOME001)", "is called #root-accounts now"},
			event:  map[string]any{"channel": "C0HOME001", "was": "aws-root-account", "now": "root-accounts"},
		},
		{
			name: "it was archived, and another has its name", setting: "aws-root-account",
			change: func(o *office) {
				o.Rename(o.home.ID, "root-accounts")
				o.Archive(o.home.ID, true)
				o.AddChannel(slacktest.Channel{ID: "C0USURPER", Name: "aws-root-account", Members: []string{o.BotUserID}})
			},
			refused: []string{"slack.log_channel", "aws-root-account (found earlier as C0HOME001) is archived", "ID of another"},
		},
		{
			name: "the bot was put out of it", setting: "aws-root-account",
			change:  func(o *office) { o.Kick(o.home.ID, o.BotUserID) },
			refused: []string{"slack.log_channel", "not in the channel aws-root-account (found earlier as C0HOME001)", "/invite @rootbot"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, s := outbox(t)
			settings := o.settings()
			settings.LogChannel = test.setting
			if err := face(s, settings).Wire(t.Context()); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(o)
			}
			for range 2 { // it is told at one start, and not at the next
				c := face(s, settings)
				err := c.Wire(t.Context())
				for _, words := range test.refused {
					if err == nil || !strings.Contains(err.Error(), words) {
						t.Errorf("the error doesn't say %q: %v", words, err)
					}
				}
				if test.refused != nil {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				stopped := make(chan bool)
				go func() { defer close(stopped); c.Deliver(ctx) }()
				o.wait("the channel told", func() bool { return len(o.Messages(o.home.ID)) > 0 || test.told == nil })
				cancel()
				<-stopped
			}
			if test.told == nil {
				return
			}
			if n := len(o.Messages(o.home.ID)); n != 1 {
				t.Errorf("told %d times:\n%s", n, o.story())
			}
			contains(t, "what is told", o.Messages(o.home.ID)[0].PlainText(), test.told...)
			events, err := s.Events(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			events = slices.DeleteFunc(events, func(e request.Event) bool { return e.Kind != "channel-renamed" })
			if len(events) != 1 {
				t.Fatalf("recorded is %+v", events)
			}
			test.event["settings"] = "slack.log_channel"
			same(t, "what is recorded", test.event, events[0].Data)
		})
	}
}

// byPlace is an office where everybody in #reliability-eng may ask for letting
// somebody go.
func byPlace(t *testing.T, options slacktest.Options) *office {
	o := build(t, options)
	terms := request.DefaultTerms()
	terms.Place, terms.Requesters, terms.Approval = "reliability-eng", request.ByPlace, ops.Rule{Count: 1}
	o.terms = map[string]request.Terms{"let-go": terms}
	o.begin(new(crew).letGo())
	return o
}

func TestAChannelThatIsRenamedWhileTheBotRuns(t *testing.T) {
	t.Parallel()
	for _, private := range []bool{false, true} {
		t.Run(fmt.Sprintf("private: %t", private), func(t *testing.T) {
			t.Parallel()
			o := build(t, slacktest.Options{})
			o.place.Private = private
			o.AddChannel(o.place)
			terms := request.DefaultTerms()
			terms.Place, terms.Requesters, terms.Approval = "reliability-eng", request.ByPlace, ops.Rule{Count: 1}
			o.terms = map[string]request.Terms{"let-go": terms}
			o.begin(new(crew).letGo())
			listed := o.Count("conversations.list")
			o.Rename(o.place.ID, "platform-eng")
			o.proposes(o.nemo, ann) // who is nobody on GitHub
			o.wait("the log channel told", func() bool {
				return slices.ContainsFunc(o.cards(), func(m slacktest.Message) bool {
					return strings.Contains(m.PlainText(), "#reliability-eng (C0PLACE01), which the settings name at operations.let-go.channel, is called #platform-eng now")
				})
			})
			if n := len(o.recorded("channel-renamed")); n != 1 {
				t.Errorf("%d times recorded", n)
			}
			if n := o.Count("conversations.list") - listed; n > 1 {
				t.Errorf("channels are listed %d times for one request", n)
			}
			o.fine()
		})
	}
}

func TestWhoAsksWhileSlackAsksToWait(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method string
		wait         time.Duration
		says         []string // what the person reads; nil: the form opens
	}{
		{"for who is in the channel", "conversations.members", time.Second, nil},
		{"for who a person is", "users.info", time.Second, nil},
		{"for the form", "views.open", time.Second, nil},
		{"for the form, for longer than a form can wait", "views.open", time.Minute, []string{"too many questions", "open a form again in 60 seconds", "Nothing was changed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := byPlace(t, slacktest.Options{})
			o.Fail(test.method, slacktest.Fault{RetryAfter: test.wait})
			o.commands(o.nemo, o.place, "/let-go", ann)
			if test.says == nil {
				o.form(o.nemo)
			} else {
				contains(t, "the answer", o.hears(o.nemo, 1), test.says...)
			}
			o.fine()
		})
	}
}
