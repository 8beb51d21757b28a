package bot_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

func TestAClickThatComesTooLateIsAnswered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		end  func(*house, request.Request)
		want request.State
		says []string
	}{
		{"it was rejected", func(h *house, r request.Request) { h.press("U2", request.Reject, r, "No.") }, request.Refused, []string{"hubot rejected it: No."}},
		{"it was withdrawn", func(h *house, r request.Request) { h.press("U1", request.Withdraw, r, "") }, request.Withdrawn, []string{"octocat withdrew it"}},
		{"it was run", func(h *house, r request.Request) { h.press("U2", request.Approve, r, ""); h.ended(r.ID) }, request.Succeeded, []string{"succeeded"}},
		{"it has expired", func(h *house, r request.Request) { h.forward(80 * time.Hour); h.wake(r.ID); h.ended(r.ID) }, request.Expired, []string{"Nobody decided"}},
	}
	h, s := shelved(t, 1, 1)
	var ended []request.Request
	for _, test := range tests {
		r := h.waiting()
		test.end(h, r)
		ended = append(ended, h.request(r.ID))
	}
	for _, when := range []string{"", " before a restart"} {
		if when != "" {
			h.end()
			h.begin(s.operation())
		}
		for i, test := range tests {
			t.Run(test.name+when, func(t *testing.T) {
				h, r := h.within(t), ended[i]
				for _, verb := range []string{request.Approve, request.Reject, request.Withdraw, request.Undo} {
					answer := h.press("U4", verb, r, "because")
					says(t, answer, append(test.says, "too late", string(test.want), r.EndedAt.Format("2 Jan 15:04:05")+" UTC", "changed nothing")...)
					e := h.last(r.ID, "too-late")
					if e.By != "monalisa" || e.Data["tried"] != verb || e.Data["reason"] != answer || e.Data["state"] != string(test.want) {
						t.Errorf("the record of the click: %+v", e)
					}
				}
				if r.State != test.want {
					t.Errorf("it ended as %s", r.State)
				}
				same(t, "what became of it", r, h.request(r.ID))
			})
		}
	}
	t.Run("it is being run", func(t *testing.T) {
		t.Parallel()
		begun, goOn := make(chan bool), make(chan bool)
		h := hall(t, 1, tidy(func(context.Context, ops.Run) error { close(begun); <-goOn; return nil }))
		r := h.waiting()
		h.press("U2", request.Approve, r, "")
		<-begun
		for _, verb := range []string{request.Approve, request.Reject, request.Withdraw} {
			says(t, h.press("U4", verb, r, "because"), "too late", "being run", "hubot approved it at 2 Mar 12:00:00 UTC", "changed nothing")
		}
		close(goOn)
		if r = h.ended(r.ID); r.State != request.Succeeded {
			t.Errorf("it ended as %s", r.State)
		}
	})
	t.Run("the time was up and nobody had noticed", func(t *testing.T) {
		t.Parallel()
		h, s := shelved(t, 1, 1)
		r := h.waiting()
		h.forward(80 * time.Hour)
		if got := h.press("U2", request.Approve, r, ""); got == "" {
			t.Error("it counts")
		}
		h.wake(r.ID)
		if r = h.ended(r.ID); r.State != request.Expired || len(s.runs()) > 0 {
			t.Errorf("it ended as %s", r.State)
		}
	})
	t.Run("nobody knows that button", func(t *testing.T) {
		t.Parallel()
		h, _ := shelved(t, 1, 1)
		h.patience = 6 * time.Second
		r := h.waiting()
		if got := h.press("U2", "dance", r, ""); got == "" {
			t.Error("it is answered with nothing")
		}
		same(t, "the request", r, h.request(r.ID))
	})
}

func TestAClickThatWasStoredBeforeTheProcessDiedIsAnswered(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, user, verb string
		want             request.State
		says             string // empty: the card says it
	}{
		{"an approval", "U2", request.Approve, request.Succeeded, ""},
		{"a rejection", "U2", request.Reject, request.Refused, ""},
		{"the asker's withdrawal", "U1", request.Withdraw, request.Withdrawn, ""},
		{"one that doesn't count", "U1", request.Approve, request.Waiting, "You asked for this"},
		{"a stranger's", "U3", request.Reject, request.Waiting, "not a member"},
	}
	h, s := shelved(t, 1, 1)
	requests, clicks := make([]request.Request, len(tests)), make([]request.Click, len(tests))
	for i := range tests {
		requests[i] = h.waiting()
	}
	h.restart(func() {
		for i, test := range tests {
			clicks[i] = h.click(test.user, test.verb, requests[i], "because")
		}
	}, s.operation())
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := h.within(t)
			if got := h.answer(clicks[i]); test.says == "" && got != "" {
				t.Errorf("who pressed is told %q", got)
			} else {
				says(t, got, test.says)
			}
			h.reach(requests[i].ID, test.want)
		})
	}
	t.Run("one about a link", func(t *testing.T) {
		t.Parallel()
		h, s := shelved(t, 1, 1)
		h.gh.AddMember(admins, "owl")
		link := h.proves("U7", "owl")
		h.announced(link)
		c := request.Click{Asker: by("U4"), Verb: bot.ConfirmsLink, Digest: link.Key()}
		h.restart(func() {
			if err := h.Click(h.t.Context(), &c); err != nil {
				t.Fatal(err)
			}
		}, s.operation())
		says(t, h.answer(c), "is owl on GitHub: you have confirmed it")
		if l := h.linkOf("U7"); !l.Counts() {
			t.Errorf("the link doesn't count: %+v", l)
		}
	})
	t.Run("one about a link that the database refused to write for a moment", func(t *testing.T) {
		t.Parallel()
		storetest.OnlyOn(t, storetest.SQLite)
		h, s := shelved(t, 1, 1)
		h.gh.AddMember(admins, "owl")
		link := h.proves("U7", "owl")
		h.announced(link)
		h.end()
		db, err := sql.Open("sqlite", strings.TrimPrefix(h.address, "sqlite:"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(t.Context(), fmt.Sprintf(`CREATE TRIGGER full BEFORE UPDATE ON links WHEN CAST(strftime('%%s', 'now') AS INTEGER) < %d
			BEGIN SELECT RAISE(ABORT, 'disk I/O error'); END`, time.Now().Add(2*time.Second).Unix())); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		h.begin(s.operation())
		c := request.Click{Asker: by("U4"), Verb: bot.ConfirmsLink, Digest: link.Key()}
		if err := h.Click(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		says(t, h.answer(c), "is owl on GitHub: you have confirmed it")
	})
	t.Run("one whose answer was being looked for", func(t *testing.T) {
		t.Parallel()
		h, s := shelved(t, 1, 1)
		r := h.waiting()
		asked := len(h.gh.Calls())
		h.gh.Fail("", githubtest.Fault{Delay: time.Second, Times: 1})
		c := h.click("U2", request.Approve, r, "")
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := h.gh.Wait(ctx, func() bool { return len(h.gh.Calls()) > asked }); err != nil {
			t.Fatal(err)
		}
		other := &shelf{plan: s.plan}
		h.crash(other.operation())
		h.answer(c)
		if r = h.ended(r.ID); r.State != request.Succeeded || len(other.runs()) != 1 {
			t.Errorf("it ended as %s after %d runs", r.State, len(other.runs()))
		}
	})
	t.Run("approvals from before count after it", func(t *testing.T) {
		t.Parallel()
		h, s := shelved(t, 2, 1)
		r := h.waiting()
		h.press("U2", request.Approve, r, "")
		h.end()
		h.begin(s.operation())
		says(t, h.press("U5", request.Approve, r, ""), "one person counts once")
		h.press("U4", request.Approve, r, "")
		if r = h.ended(r.ID); r.State != request.Succeeded || len(s.runs()) != 1 {
			t.Errorf("it ended as %s", r.State)
		}
	})
}

func TestClicksAtTheSameMomentHaveOneOutcome(t *testing.T) {
	t.Parallel()
	type click struct{ user, verb string }
	const rounds = 1 // more need patience: under the race detector SQLite is slow
	halls, shelves := [3]*house{}, [3]*shelf{}
	for need := 1; need < len(halls); need++ {
		halls[need], shelves[need] = shelved(t, need, 1)
	}
	for _, test := range []struct {
		name   string
		need   int
		clicks []click
		want   []request.State
	}{
		{"two people approve", 1, []click{{"U2", request.Approve}, {"U4", request.Approve}}, []request.State{request.Succeeded}},
		{"one person approves twice", 1, []click{{"U2", request.Approve}, {"U2", request.Approve}}, []request.State{request.Succeeded}},
		{"one person approves twice where two must", 2, []click{{"U2", request.Approve}, {"U5", request.Approve}, {"U2", request.Approve}}, []request.State{request.Waiting}},
		{"two people approve where two must", 2, []click{{"U2", request.Approve}, {"U4", request.Approve}, {"U5", request.Approve}}, []request.State{request.Succeeded}},
		{"one approves and another rejects", 1, []click{{"U2", request.Approve}, {"U4", request.Reject}}, []request.State{request.Succeeded, request.Refused}},
		{"one approves and rejects", 1, []click{{"U2", request.Approve}, {"U2", request.Reject}}, []request.State{request.Succeeded, request.Refused}},
		{"one approves as the asker withdraws", 1, []click{{"U2", request.Approve}, {"U1", request.Withdraw}}, []request.State{request.Succeeded, request.Withdrawn}},
		{"everybody does everything", 1, []click{{"U2", request.Approve}, {"U4", request.Reject}, {"U1", request.Approve}, {"U1", request.Withdraw}, {"U4", request.Approve}, {"U3", request.Approve}}, []request.State{request.Succeeded, request.Refused, request.Withdrawn}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, s := halls[test.need].within(t), shelves[test.need]
			before := len(s.runs())
			var requests []request.Request
			for range rounds {
				requests = append(requests, h.waiting())
			}
			clicks := make([][]request.Click, len(requests))
			var wait sync.WaitGroup
			for i, r := range requests {
				clicks[i] = make([]request.Click, len(test.clicks))
				for j, c := range test.clicks {
					wait.Go(func() { clicks[i][j] = h.click(c.user, c.verb, r, "because") })
				}
			}
			wait.Wait()
			succeeded := 0
			for i, r := range requests {
				private := 0
				for _, c := range clicks[i] {
					if h.answer(c) != "" {
						private++
					}
				}
				r = h.until(r.ID, "settled", func(r request.Request) bool { return slices.Contains(test.want, r.State) })
				if r.State == request.Succeeded {
					succeeded++
				}
				effective := len(test.clicks) - private
				if want := max(1, len(r.Reviews)); effective != want {
					t.Errorf("%d clicks had an effect, want %d: %s, %v", effective, want, r.State, h.events(r.ID))
				}
			}
			if n := len(s.runs()) - before; n != succeeded {
				t.Errorf("%d runs of %d requests that succeeded", n, succeeded)
			}
		})
	}
}
