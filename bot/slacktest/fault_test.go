package slacktest_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/slacktest"
)

func TestFaults(t *testing.T) {
	limited := func(t *testing.T, err error) {
		e, ok := errors.AsType[*slack.RateLimitedError](err)
		if !ok || e.RetryAfter != 2*time.Second {
			t.Errorf("error is %v", err)
		}
	}
	status := func(code int) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			if e, ok := errors.AsType[slack.StatusCodeError](err); !ok || e.Code != code {
				t.Errorf("error is %v", err)
			}
		}
	}
	lost := func(t *testing.T, err error) {
		if _, ok := errors.AsType[slack.SlackErrorResponse](err); ok || err == nil {
			t.Errorf("error is %v", err)
		}
	}
	for name, test := range map[string]struct {
		fault  slacktest.Fault
		check  func(*testing.T, error)
		posted int
		status int
	}{
		"429 with Retry-After":       {slacktest.Fault{RetryAfter: 1100 * time.Millisecond}, limited, 0, 429},
		"500":                        {slacktest.Fault{Status: 500}, status(500), 0, 500},
		"502":                        {slacktest.Fault{Status: 502}, status(502), 0, 502},
		"an error":                   {slacktest.Fault{Error: "channel_not_found"}, func(t *testing.T, err error) { failed(t, err, "channel_not_found") }, 0, 200},
		"cut before":                 {slacktest.Fault{Cut: true}, lost, 0, 0},
		"cut after it was done":      {slacktest.Fault{CutAfter: true}, lost, 1, 0},
		"slow":                       {slacktest.Fault{Delay: 20 * time.Millisecond}, func(t *testing.T, err error) { failedNot(t, err) }, 1, 200},
		"none, as the zero value is": {slacktest.Fault{}, func(t *testing.T, err error) { failedNot(t, err) }, 1, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"chat.postMessage", "*", ""} {
				s := begin(t, slacktest.Options{})
				s.Fail(method, test.fault)
				_, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
				test.check(t, err)
				if n := len(s.Messages(s.ops.ID)); n != test.posted {
					t.Errorf("%d messages were posted", n)
				}
				if c := s.Calls(); len(c) != 1 || c[0].Status != test.status {
					t.Errorf("calls are %+v", c)
				}
				s.blameless()
			}
		})
	}
}

func failedNot(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestFaultsComeInOrderAndEnd(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.Fail("chat.postMessage", slacktest.Fault{Status: 500}, slacktest.Fault{})
	s.Fail("chat.postMessage", slacktest.Fault{Error: "fatal_error"})
	var got []string
	for range 4 {
		_, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
		if err == nil {
			got = append(got, "ok")
			continue
		}
		got = append(got, err.Error())
	}
	if all := strings.Join(got, ", "); all != "slack server error: 500 Internal Server Error, ok, fatal_error, ok" {
		t.Error(all)
	}
	if n := s.Count("chat.postMessage"); n != 4 {
		t.Errorf("%d calls", n)
	}
}

func TestCallingBeforeRetryAfterIsAProblem(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.Fail("users.info", slacktest.Fault{RetryAfter: time.Minute})
	if _, err := s.api.GetUserInfo(s.ada.ID); err == nil {
		t.Error("was answered")
	}
	s.blameless()
	s.hammers(t)
	if p := s.Problems(); !strings.Contains(p[0], "users.info: called ") || !strings.Contains(p[0], "Retry-After") {
		t.Errorf("problems are %q", p)
	}
}

// hammers calls users.info until that is found fault with: the workspace hears a
// moment later that the app has read that it must wait.
func (s *story) hammers(t *testing.T) {
	t.Helper()
	for n := len(s.Problems()); len(s.Problems()) == n && t.Context().Err() == nil; {
		if _, err := s.api.GetUserInfo(s.ada.ID); err == nil {
			t.Fatal("was answered")
		}
	}
}

// A call that was under way is no fault of the app's, however late the workspace
// gets round to it.
func TestWhatWasUnderWayWhenTheAppReadThatItMustWaitIsNoProblem(t *testing.T) {
	s := begin(t, slacktest.Options{})
	address := strings.TrimSuffix(strings.TrimPrefix(s.URL(), "http://"), "/api/")
	dial := func() (net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn, bufio.NewReader(conn)
	}
	request := "GET /api/users.info?user=" + s.ada.ID + " HTTP/1.1\r\nHost: slack\r\nAuthorization: Bearer " + s.BotToken + "\r\n\r\n"
	begun, rest := request[:20], request[20:]
	write := func(conn net.Conn, what string) {
		t.Helper()
		if _, err := io.WriteString(conn, what); err != nil {
			t.Fatal(err)
		}
	}
	told := func(from *bufio.Reader) {
		t.Helper()
		answer, err := http.ReadResponse(from, nil)
		if err != nil || answer.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("the answer is %v, %v", answer, err)
		}
		answer.Body.Close()
	}
	early, answers := dial()
	late, after := dial()
	write(early, begun)
	s.Fail("users.info", slacktest.Fault{RetryAfter: time.Minute})
	s.hammers(t)
	n := len(s.Problems())

	write(early, rest)
	told(answers)
	if problems := s.Problems(); len(problems) != n {
		t.Errorf("found fault with what had been under way: %q", problems[n:])
	}
	write(late, request)
	told(after)
	if problems := s.Problems(); len(problems) != n+1 {
		t.Errorf("%d problems, though a call was made over an old connection once the app knew", len(problems)-n)
	}
}

func TestAChannelTakesAboutAMessageASecond(t *testing.T) {
	s := begin(t, slacktest.Options{RateLimit: true})
	other := s.AddChannel(slacktest.Channel{Name: "other", Members: []string{s.BotUserID}})
	var err error
	posted := 0
	for ; err == nil && posted < 10; posted++ {
		_, _, err = s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
	}
	e, ok := errors.AsType[*slack.RateLimitedError](err)
	if !ok || e.RetryAfter != time.Second || posted < 3 {
		t.Errorf("after %d: %v", posted, err)
	}
	if _, _, err := s.api.PostMessage(other.ID, slack.MsgOptionText("hello", false)); err != nil {
		t.Errorf("in another channel: %v", err)
	}
	s.blameless()
}

func TestADelayEndsWithItsCall(t *testing.T) {
	s := begin(t, slacktest.Options{})
	s.SetDelay("", time.Hour)
	done := make(chan error, 1)
	go func() {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"auth.test", nil)
		_, err := http.DefaultClient.Do(r)
		done <- err
	}()
	s.Close()
	if err := <-done; err == nil {
		t.Error("a closed workspace answered")
	}
}

func TestWhatIsRefusedIsRefusedUntilThatEnds(t *testing.T) {
	s := begin(t, slacktest.Options{})
	end := s.Refuse("chat.postMessage", "invalid_blocks", func(args map[string]string) bool { return args["blocks"] != "" })
	blocks := slack.MsgOptionBlocks(slack.NewSectionBlock(slack.NewTextBlockObject("mrkdwn", "hello", false, false), nil, nil))
	for range 2 {
		_, _, err := s.api.PostMessage(s.ops.ID, blocks)
		failed(t, err, "invalid_blocks")
	}
	_, _, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
	failedNot(t, err)
	end()
	_, _, err = s.api.PostMessage(s.ops.ID, blocks)
	failedNot(t, err)
}

func TestWhatPeopleDoToAChannelAndItsMessages(t *testing.T) {
	s := begin(t, slacktest.Options{})
	_, parent, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
	failedNot(t, err)
	_, reply, err := s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false), slack.MsgOptionTS(parent))
	failedNot(t, err)
	s.Delete(s.ops.ID, parent)
	if m := s.Messages(s.ops.ID); len(m) != 1 || !m[0].Tombstone {
		t.Errorf("a message with a reply leaves %+v", m)
	}
	s.Delete(s.ops.ID, reply)
	_, _, _, err = s.api.UpdateMessage(s.ops.ID, reply, slack.MsgOptionText("hello", false))
	failed(t, err, "message_not_found")
	s.Archive(s.ops.ID, true)
	_, _, err = s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
	failed(t, err, "is_archived")
	s.Archive(s.ops.ID, false)
	_, _, err = s.api.PostMessage(s.ops.ID, slack.MsgOptionText("hello", false))
	failedNot(t, err)
}
