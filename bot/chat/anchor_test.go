package chat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// anchored is the head of the audit in a message's metadata; empty: none.
func anchored(t *testing.T, m slacktest.Message) string {
	t.Helper()
	var metadata struct {
		Type    string `json:"event_type"`
		Payload struct {
			Anchor string `json:"anchor"`
		} `json:"event_payload"`
	}
	if len(m.Metadata) == 0 {
		return ""
	}
	if err := json.Unmarshal(m.Metadata, &metadata); err != nil {
		t.Fatal(err)
	}
	if metadata.Payload.Anchor != "" && metadata.Type != "rootbot_message" {
		t.Errorf("an anchor in metadata of the type %q", metadata.Type)
	}
	return metadata.Payload.Anchor
}

// unanchored complains of a head of the audit in any of these messages.
func unanchored(t *testing.T, list ...slacktest.Message) {
	t.Helper()
	for _, m := range list {
		if anchored(t, m) != "" || strings.Contains(m.PlainText(), "Audit") {
			t.Errorf("there is a head of the audit in\n%s\n%s", m.PlainText(), m.Metadata)
		}
	}
}

// anchors are the heads that the bot reads in the log channel.
func (o *office) anchors() []string {
	o.t.Helper()
	heads, err := o.chat.Anchors(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	var list []string
	for _, h := range heads {
		list = append(list, h.String())
	}
	return list
}

// holds complains unless the audit holds against what the log channel says of it.
func (o *office) holds() {
	o.t.Helper()
	heads, err := o.chat.Anchors(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	if _, err := o.desk.Store.Verify(o.t.Context(), heads); err != nil {
		o.t.Errorf("the audit doesn't hold against its anchors: %v", err)
	}
}

func TestTheCardOfARunThatHasEndedTellsTheHeadOfTheAudit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(context.Context, ops.Run) error
		says string
	}{
		{"well", work, "Done"},
		{"badly", broken, "Failed"},
		{"nobody knows how", func(context.Context, ops.Run) error { return &ops.Error{Kind: ops.Unknown, What: "Who knows?"} }, "Not known"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			goOn := make(chan bool)
			o := start(t, tidy(func(ctx context.Context, run ops.Run) error { <-goOn; return test.do(ctx, run) }))
			o.types(o.ada, o.home, "")
			o.card("Running")
			o.quietly()
			unanchored(t, o.cards()...)
			close(goOn)
			card := o.card(test.says)
			o.quietly()
			events := o.recorded("anchored")
			if len(events) != 1 || events[0].Data["where"] != o.home.ID+"/"+card.TS {
				t.Fatalf("recorded are %+v", events)
			}
			head := fmt.Sprintf("%v:%v", events[0].Data["seq"], events[0].Data["hash"])
			contains(t, "the card", o.again(card).PlainText(), "Audit `"+head+"`")
			same(t, "its metadata", head, anchored(t, o.again(card)))
			same(t, "what is read back", []string{head}, o.anchors())
			unanchored(t, o.thread(card)...)
			o.holds()
			o.fine()
		})
	}
}

func TestWhatWasntRunTellsNoHeadOfTheAudit(t *testing.T) {
	t.Parallel()
	empty := func(o *ops.Operation) {
		o.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
			return ops.Plan{Summary: "All is tidy already."}, nil
		}
	}
	refused := func(o *ops.Operation) {
		o.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
			return ops.Plan{}, &ops.Error{Kind: ops.Refused, What: "Too much."}
		}
	}
	for _, test := range []struct {
		name, text, says string
		change           func(*ops.Operation)
	}{
		{"a preview", "plan", "Preview", nil},
		{"nothing to do", "", "Nothing to do", empty},
		{"a plan that a rule forbids", "", "Not run", refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			operation := tidy(work)
			if test.change != nil {
				test.change(&operation)
			}
			o := start(t, operation)
			o.types(o.ada, o.home, test.text)
			o.card(test.says)
			o.quietly()
			unanchored(t, o.cards()...)
			if len(o.recorded("anchored")) != 0 || len(o.anchors()) != 0 {
				t.Errorf("recorded are %+v", o.recorded("anchored"))
			}
		})
	}
	for _, action := range []string{"reject", "withdraw"} {
		t.Run("what people "+action, func(t *testing.T) {
			t.Parallel()
			o := meeting(t, &crew{})
			card := o.proposes(o.ada, ann)
			o.presses(o.grace, o.choice(card, ann), action)
			o.fills(o.grace, reason("No."))
			o.wait("ended", func() bool { return o.request().State.Ended() })
			o.quietly()
			unanchored(t, append(o.cards(), o.again(card))...)
			if n := len(o.recorded("anchored")); n != 0 {
				t.Errorf("%d anchors are recorded", n)
			}
		})
	}
}

// Where an operation is decided elsewhere, its card stands in the log channel too.
func TestTheCardInTheLogChannelTellsTheHeadOfTheAudit(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{grace: true})
	card := o.proposes(o.ada, ann)
	o.presses(o.grace, o.choice(card, ann), "approve")
	offer := o.buttons(card, "Restore", "undo")
	o.quietly()
	unanchored(t, append(o.cards(), o.again(card))...)
	o.presses(o.hedy, offer, "undo")
	o.fills(o.hedy, reason("The wrong Ann."))
	logged := o.card("Restored")
	o.quietly()
	logged = o.again(logged)
	events := o.recorded("anchored")
	if len(events) == 0 {
		t.Fatalf("nothing is anchored:\n%s", o.story())
	}
	last := events[len(events)-1]
	head := fmt.Sprintf("%v:%v", last.Data["seq"], last.Data["hash"])
	contains(t, "the card", logged.PlainText(), "Audit `"+head+"`")
	same(t, "where it is recorded to stand", o.home.ID+"/"+logged.TS, last.Data["where"])
	same(t, "what is read back", []string{head}, o.anchors())
	o.holds()
	o.fine()
}

// What happens to a request after its end is anchored as well.
func TestACardThatIsBroughtUpToDateTellsTheNewestHead(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{})
	o.presses(o.grace, o.sealed(o.proposes(o.ada, ann), ann), "break-glass")
	o.fills(o.grace, reason("Now."))
	notice := o.notice("Done")
	o.card("Audit")
	o.quietly()
	before := o.anchors()
	o.presses(o.hedy, notice, "reviewed")
	o.fills(o.hedy, reason("Fine."))
	o.card("Looked at afterwards")
	o.quietly()
	after := o.anchors()
	if len(before) != 1 || len(after) != 1 || before[0] == after[0] {
		t.Errorf("before: %q, after: %q", before, after)
	}
	reviewed := o.recorded("reviewed")[0].Seq
	if head, err := store.ParseHead(after[0]); err != nil || head.Seq < reviewed {
		t.Errorf("the head is %v, and event %d is behind it (%v)", head, reviewed, err)
	}
	o.holds()
	o.fine()
}

func TestAllAnchorsAreReadBackThoughTheChannelIsLong(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	var want []string
	for i := range 3 {
		o.types(o.ada, o.home, "")
		o.wait("another run", func() bool {
			list := o.cards()
			return len(list) == 191*i+1 && anchored(t, list[191*i]) != ""
		})
		o.quietly()
		for range 190 {
			if _, err := o.Say(o.hedy.ID, o.home.ID, "", "chatter Audit `1:"+strings.Repeat("a", 64)+"`"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, m := range slices.Backward(o.cards()) {
		if head := anchored(t, m); head != "" {
			want = append(want, head)
		}
	}
	before := o.Count("conversations.history")
	o.Fail("conversations.history", slacktest.Fault{}, slacktest.Fault{RetryAfter: time.Second})
	got := o.anchors()
	same(t, "what is read back, the newest first", want, got)
	if len(got) != 3 {
		t.Errorf("%d anchors", len(got))
	}
	if n := o.Count("conversations.history") - before; n < 4 {
		t.Errorf("it took %d calls, want three pages and one that was told to wait", n)
	}
	o.holds()
	// A channel that can't be read says so.
	o.Fail("conversations.history", slacktest.Fault{Error: "internal_error"})
	if heads, err := o.chat.Anchors(t.Context()); err == nil || heads != nil || !strings.Contains(err.Error(), "log channel") {
		t.Errorf("from a channel that can't be read come %v, %v", heads, err)
	}
	o.fine()
}

// forged is Slack where some messages are somebody else's: by TS, what is
// said of who has posted it.
func forged(t *testing.T, o *office, whose map[string]map[string]any) *httptest.Server {
	t.Helper()
	slack, err := url.Parse(o.apiURL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: slack.Scheme, Host: slack.Host}) },
		ModifyResponse: func(r *http.Response) error {
			if !strings.HasSuffix(r.Request.URL.Path, "/conversations.history") {
				return nil
			}
			var page map[string]any
			if err := json.NewDecoder(r.Body).Decode(&page); err != nil {
				return err
			}
			for _, m := range page["messages"].([]any) {
				message := m.(map[string]any)
				for key, value := range whose[message["ts"].(string)] {
					if delete(message, key); value != nil {
						message[key] = value
					}
				}
			}
			body, err := json.Marshal(page)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", fmt.Sprint(len(body)))
			return err
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server
}

// planted posts a head as the bot does, and returns the message's TS.
func (o *office) planted(kind, head string) string {
	o.t.Helper()
	metadata, err := json.Marshal(map[string]any{"event_type": kind, "event_payload": map[string]any{"anchor": head}})
	if err != nil {
		o.t.Fatal(err)
	}
	response, err := http.PostForm(o.apiURL()+"chat.postMessage", url.Values{
		"token": {o.BotToken}, "channel": {o.home.ID}, "text": {"Audit"}, "metadata": {string(metadata)},
	})
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct{ TS string }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.TS == "" {
		o.t.Fatalf("post: %v %+v", err, answer)
	}
	return answer.TS
}

func TestAnchorsOfSomebodyElseAreNone(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	head := func(digit string) string { return "7:" + strings.Repeat(digit, 64) }
	o.planted("rootbot_message", head("a"))
	other := o.planted("rootbot_message", head("b"))
	person := o.planted("rootbot_message", head("c"))
	nobody := o.planted("rootbot_message", head("d"))
	app := o.planted("rootbot_message", head("e"))
	asABot := o.planted("rootbot_message", head("f"))
	o.planted("another_kind", head("1"))
	for _, bad := range []string{"", "7", "x:" + strings.Repeat("2", 64), "0:" + strings.Repeat("2", 64), "7:" + strings.Repeat("2", 63), "7:" + strings.Repeat("z", 64)} {
		o.planted("rootbot_message", bad)
	}
	slack := forged(t, o, map[string]map[string]any{
		other:  {"user": "U0OTHER", "bot_id": "B0OTHER"},
		person: {"user": o.ada.ID, "bot_id": nil},
		nobody: {"user": nil, "bot_id": nil},
		app:    {"user": nil, "bot_id": "B0OTHER"},
		asABot: {"user": nil, "bot_id": o.BotID},
	})
	settings := o.settings()
	settings.APIURL = slack.URL + "/api/"
	c := face(s, settings)
	if err := c.Wire(t.Context()); err != nil {
		t.Fatal(err)
	}
	heads, err := c.Anchors(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range heads {
		got = append(got, h.String())
	}
	same(t, "what is read back", []string{head("f"), head("a")}, got)
}

func TestTheHeadOfTheAuditIsToldOnceADay(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.types(o.ada, o.home, "")
	o.card("Audit")
	o.quietly()
	run := o.anchors()
	if len(run) != 1 || len(o.cards()) != 1 {
		t.Fatalf("%d anchors on the first day:\n%s", len(run), o.story())
	}
	o.ahead.Store(int64(25 * time.Hour))
	// The first try's answer is lost.
	o.Fail("chat.postMessage", slacktest.Fault{CutAfter: true})
	o.restart()
	o.wait("told", func() bool { return len(o.cards()) == 2 })
	o.quietly()
	daily := o.cards()[1]
	events := o.recorded("anchored-daily")
	if len(events) != 1 {
		t.Fatalf("recorded are %+v", events)
	}
	head := fmt.Sprintf("%v:%v", events[0].Data["seq"], events[0].Data["hash"])
	contains(t, "the message", daily.PlainText(), "Audit `"+head+"`", "to check it by")
	same(t, "its metadata", head, anchored(t, daily))
	same(t, "what is read back", []string{head, run[0]}, o.anchors())
	told := o.recorded("told")
	if last := told[len(told)-1]; last.Data["message"] != "anchor" || last.Data["channel"] != o.home.ID || last.Data["ts"] != daily.TS {
		t.Errorf("recorded as told is %+v", last)
	}
	if daily.ThreadTS != "" || len(o.cards()) != 2 {
		t.Errorf("it isn't a message of its own, once:\n%s", o.story())
	}
	// Another process on the same day has nothing to tell.
	o.restart()
	o.types(o.ada, o.home, "")
	o.wait("another run", func() bool { return len(o.anchors()) == 3 })
	o.quietly()
	if n := len(o.recorded("anchored-daily")); n != 1 {
		t.Errorf("it was told %d times on a day", n)
	}
	o.holds()
	o.fine()
}
