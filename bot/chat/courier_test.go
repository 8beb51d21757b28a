package chat_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

func times(n int, f slacktest.Fault) []slacktest.Fault { return slices.Repeat([]slacktest.Fault{f}, n) }

func TestNothingIsLostAndNothingToldTwice(t *testing.T) {
	t.Parallel()
	const files = "files.completeUploadExternal"
	for _, test := range []struct {
		name   string
		method string
		faults []slacktest.Fault
	}{
		{"posting is told to wait", "chat.postMessage", times(1, slacktest.Fault{RetryAfter: time.Second})},
		{"the answer comes with 500, three times", "chat.postMessage", times(3, slacktest.Fault{Status: 500})},
		{"the connection is cut before, three times", "chat.postMessage", times(3, slacktest.Fault{Cut: true})},
		{"the connection is cut after the card is posted", "chat.postMessage", times(1, slacktest.Fault{CutAfter: true})},
		{"the connection is cut after every post", "chat.postMessage", times(4, slacktest.Fault{CutAfter: true})},
		{"the connection is cut after a later post", "chat.postMessage", append(make([]slacktest.Fault, 2), slacktest.Fault{CutAfter: true}, slacktest.Fault{Cut: true}, slacktest.Fault{CutAfter: true})},
		{"Slack has an error of its own", "chat.postMessage", times(2, slacktest.Fault{Error: "internal_error"})},
		{"looking for what was posted fails too", "chat.postMessage", []slacktest.Fault{{CutAfter: true}}},
		{"editing is told to wait", "chat.update", times(1, slacktest.Fault{RetryAfter: time.Second})},
		{"editing fails three times", "chat.update", []slacktest.Fault{{Status: 500}, {Cut: true}, {CutAfter: true}}},
		{"a file's address fails", "files.getUploadURLExternal", []slacktest.Fault{{Status: 500}, {Cut: true}}},
		{"a file's content fails", "upload", []slacktest.Fault{{Status: 500}, {Cut: true}}},
		{"a file's end fails", files, []slacktest.Fault{{Status: 500}, {Cut: true}}},
		{"the connection is cut after a file is shared", files, []slacktest.Fault{{CutAfter: true}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			operation := tidy(work)
			if strings.HasPrefix(test.method, "files.") || test.method == "upload" {
				operation.Do["tidy"] = func(ctx context.Context, run ops.Run) error {
					return run.Log(ctx, numbered(120)...)
				}
			}
			o := start(t, operation)
			if strings.HasPrefix(test.name, "looking") {
				o.Fail("conversations.history", slacktest.Fault{Status: 500}, slacktest.Fault{Cut: true})
				o.Fail("conversations.replies", slacktest.Fault{Status: 500})
			}
			o.Fail(test.method, test.faults...)
			o.types(o.ada, o.home, "")
			o.card("Done")
			o.quietly()
			if n := len(o.cards()); n != 1 {
				t.Fatalf("%d cards:\n%s", n, o.story())
			}
			if card := o.cards()[0]; !strings.Contains(card.PlainText(), "Done") {
				t.Errorf("the card says in the end\n%s", card.PlainText())
			}
			want := []string{"Plan", "Log", "Result"}
			if strings.HasPrefix(test.method, "files.") || test.method == "upload" {
				want = []string{"Plan", "Log", "file The whole log", "Result"}
				if n := len(o.Files()); n != 1 || o.Files()[0].Lines() != 120 {
					t.Errorf("%d files", n)
				}
			}
			same(t, "its thread", want, o.replies(o.cards()[0]))
			o.fine()
		})
	}
}

func TestSlacksPaceIsKept(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{RateLimit: true})
	o.begin(tidy(func(ctx context.Context, run ops.Run) error {
		for _, line := range numbered(60) {
			if err := run.Log(ctx, line); err != nil {
				return err
			}
		}
		return nil
	}))
	o.types(o.ada, o.home, "")
	o.card("Done")
	o.quietly()
	if n := o.Count("chat.postMessage"); n > 15 {
		t.Errorf("%d posts for 60 lines logged one by one", n)
	}
	o.fine()
}

// logged is what a thread shows of the log: its lines, without clock and mark.
func logged(thread []slacktest.Message) []string {
	var lines []string
	for _, m := range thread {
		if !strings.HasPrefix(m.Text, "Log") {
			continue
		}
		for _, l := range strings.Split(m.PlainText(), "\n") {
			if i := strings.Index(l, "line "); i >= 0 {
				lines = append(lines, l[i:])
			}
		}
	}
	return lines
}

func TestTheLogArrivesInOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		calls  int // of Log
		each   int // lines
		levels map[int]ops.Level
		posts  int // at most
		file   bool
	}{
		{name: "one by one", calls: 40, each: 1, posts: 6},
		{name: "a hundred at once", calls: 1, each: 100, posts: 1},
		{name: "a long one: the thread carries what matters", calls: 10, each: 30, levels: map[int]ops.Level{5: ops.Change, 150: ops.Change, 200: ops.Warning, 299: ops.Failure}, posts: 6, file: true},
		{name: "a long one at once", calls: 1, each: 300, levels: map[int]ops.Level{299: ops.Failure}, posts: 2, file: true},
		{name: "a long one where all matters", calls: 1, each: 500, levels: nil, posts: 10, file: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lines := numbered(test.calls * test.each)
			var want []string
			for i := range lines {
				lines[i].Level = test.levels[i]
				if test.each == 500 {
					lines[i].Level = ops.Failure
				}
				if i < 100 || lines[i].Level != "" {
					want = append(want, lines[i].Text)
				}
			}
			o := start(t, tidy(func(ctx context.Context, run ops.Run) error {
				for part := range slices.Chunk(lines, test.each) {
					if err := run.Log(ctx, part...); err != nil {
						return err
					}
				}
				return nil
			}))
			o.types(o.ada, o.home, "")
			card := o.card("Done")
			o.quietly()
			same(t, "what the thread shows", want, logged(o.thread(card)))
			posts := 0
			for _, m := range o.thread(card) {
				if strings.HasPrefix(m.Text, "Log") {
					posts++
				}
			}
			if posts > test.posts {
				t.Errorf("the log came in %d messages, want at most %d", posts, test.posts)
			}
			if !test.file {
				if n := len(o.Files()); n != 0 {
					t.Errorf("%d files", n)
				}
				o.fine()
				return
			}
			files := o.Files()
			if len(files) != 1 || files[0].ThreadTS != card.TS {
				t.Fatalf("files: %d", len(files))
			}
			text := strings.Split(strings.TrimSpace(string(files[0].Content)), "\n")
			if len(text) != len(lines) {
				t.Errorf("%d lines in the file, want %d", len(text), len(lines))
			}
			for i, l := range text {
				if !strings.HasSuffix(l, lines[i].Text) {
					t.Fatalf("line %d of the file is %q", i+1, l)
				}
			}
			o.fine()
		})
	}
}

func TestTheCardIsEditedInPlaceAfterARestart(t *testing.T) {
	t.Parallel()
	begun := make(chan bool, 100)
	o := start(t, tidy(func(ctx context.Context, run ops.Run) error {
		if err := run.Log(ctx, ops.Line{Key: "a", Text: "line 1."}); err != nil {
			return err
		}
		select {
		case begun <- true:
		default:
		}
		return ops.Again(50 * time.Millisecond)
	}))
	o.types(o.ada, o.home, "")
	<-begun
	first := o.card("Running")
	o.leave()
	o.begin(tidy(func(ctx context.Context, run ops.Run) error {
		return run.Log(ctx, ops.Line{Key: "a", Text: "line 1."}, ops.Line{Key: "b", Text: "line 2."})
	}))
	last := o.card("Done")
	o.quietly()
	if len(o.cards()) != 1 || first.TS != last.TS {
		t.Errorf("%d cards", len(o.cards()))
	}
	same(t, "the log", []string{"line 1.", "line 2."}, logged(o.thread(last)))
	replies := o.replies(last)
	same(t, "the end", "Result", replies[len(replies)-1])
	o.fine()
}

func TestAMessageThatIsDueSoonDoesntWaitForOneThatIsDueLate(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	late, soon := o.stored(s, o.of(request.Planning), request.Card), o.stored(s, o.of(request.Planning), request.Card)
	list, err := s.Unsent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		due := time.Now().Add(15 * time.Second)
		if m.Request == soon.ID {
			due = time.Now().Add(2 * time.Second)
		}
		if err := s.Later(t.Context(), m.ID, due); err != nil {
			t.Fatal(err)
		}
	}
	if !deliver(t, o, s, 8*time.Second, func() bool { return len(o.cards()) > 0 }) {
		t.Errorf("a message that was due after 2 s wasn't delivered within 8 s; that of %s is due after 15 s", late.ID)
	}
}

// The card that an earlier try left shows the request as it was then.
func TestACardWhoseAnswerWasLostIsBroughtUpToDate(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.stored(s, o.of(request.Planning), request.Card)
	o.Fail("chat.postMessage", slacktest.Fault{CutAfter: true})
	moved := false
	done := func() bool {
		if !moved && len(o.cards()) == 1 {
			moved = true
			if _, err := s.Update(t.Context(), r.ID, func(r *request.Request) (request.Change, error) {
				r.State, r.Reason, r.EndedAt = request.Failed, "No broom.", time.Now()
				return request.Change{Messages: []request.Message{{Request: r.ID, Kind: request.Card}}}, nil
			}); err != nil {
				t.Error(err)
			}
		}
		return moved && emptied(s)()
	}
	if !deliver(t, o, s, 8*time.Second, done) {
		t.Fatal("not everything is delivered")
	}
	if len(o.cards()) != 1 || !strings.Contains(o.cards()[0].PlainText(), "No broom.") {
		t.Errorf("the request has failed, and the %d cards say\n%s", len(o.cards()), o.story())
	}
}

func TestACardThatSlackRefusesDoesntSilenceTheRequest(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.of(request.Failed)
	r.Reason, r.EndedAt = "No broom.", time.Now()
	o.stored(s, r, request.Card, request.Result)
	o.Fail("chat.postMessage", slacktest.Fault{Error: "invalid_blocks"})
	if !deliver(t, o, s, 4*time.Second, func() bool { return strings.Contains(o.story(), "No broom.") }) {
		list, _ := s.Unsent(t.Context())
		t.Errorf("4 s after Slack refused the card nobody has been told the result, and %d messages wait for the card", len(list))
	}
}

func TestATerminalsRequestsArentToldInSlack(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.of(request.Succeeded)
	r.Asker = request.Asker{Front: "terminal", Login: "ada"}
	r.EndedAt = time.Now()
	o.stored(s, r, request.Card, request.Result, request.Private)
	if !deliver(t, o, s, 5*time.Second, emptied(s)) {
		t.Error("its messages still wait")
	}
	if n := o.Count("chat.postMessage") + o.Count("chat.postEphemeral"); n != 0 {
		t.Errorf("%d messages in Slack", n)
	}
}

func TestEditingIsTriedEverLess(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.stored(s, o.of(request.Planning), request.Card)
	if !deliver(t, o, s, 5*time.Second, emptied(s)) {
		t.Fatal("the card isn't posted")
	}
	if _, err := s.Update(t.Context(), r.ID, func(*request.Request) (request.Change, error) {
		return request.Change{Messages: []request.Message{{Request: r.ID, Kind: request.Card}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	o.Fail("chat.update", times(100, slacktest.Fault{Status: 500})...)
	deliver(t, o, s, 10*time.Second, func() bool { return o.Count("chat.update") >= 4 })
	everLess(o, "chat.update")
}

func TestPrivateWordsAreDelivered(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		channel func(*office) slacktest.Channel
		faults  []slacktest.Fault // of chat.postEphemeral
		direct  bool
	}{
		{"where they were asked for", func(o *office) slacktest.Channel { return o.lobby }, nil, false},
		{"by direct message where the bot isn't", func(o *office) slacktest.Channel { return o.general }, nil, true},
		{"after 500, three times", func(o *office) slacktest.Channel { return o.lobby }, times(3, slacktest.Fault{Status: 500}), false},
		{"after the connection was cut, three times", func(o *office) slacktest.Channel { return o.lobby }, times(3, slacktest.Fault{Cut: true}), false},
		{"after Retry-After", func(o *office) slacktest.Channel { return o.lobby }, times(1, slacktest.Fault{RetryAfter: time.Second}), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o, s := outbox(t)
			r := o.of(request.Refused)
			r.EndedAt, r.Asker.Channel = time.Now(), test.channel(o).ID
			r = o.stored(s, r)
			if _, err := s.Update(t.Context(), r.ID, func(*request.Request) (request.Change, error) {
				return request.Change{Messages: []request.Message{{Request: r.ID, Kind: request.Private, Body: request.Body{Text: "No, <!channel> & co."}}}}, nil
			}); err != nil {
				t.Fatal(err)
			}
			o.Fail("chat.postEphemeral", test.faults...)
			if !deliver(t, o, s, 8*time.Second, emptied(s)) {
				t.Error("they still wait")
			}
			var got []string
			for _, m := range append(o.Ephemerals(o.ada.ID), o.Direct(o.ada.ID)...) {
				got = append(got, m.Text)
			}
			same(t, "what ada reads", []string{"No, &lt;!channel&gt; &amp; co."}, got)
			if test.direct != (len(o.Direct(o.ada.ID)) == 1) {
				t.Errorf("%d direct messages", len(o.Direct(o.ada.ID)))
			}
			o.fine()
		})
	}
}

func TestOneThreadsTroubleIsNotAnothers(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	stuck := o.of(request.Refused)
	stuck.EndedAt = time.Now()
	o.stored(s, stuck, request.Pointer)
	well := o.stored(s, o.of(request.Planning), request.Card)
	if !deliver(t, o, s, 5*time.Second, func() bool { return len(o.cards()) == 1 }) {
		t.Errorf("the card of %s isn't posted", well.ID)
	}
}

func TestNobodyIsTriedToBeToldForEver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind, method string
		fault        slacktest.Fault
	}{
		{request.Private, "chat.postEphemeral", slacktest.Fault{Status: 500}},
		{request.Direct, "conversations.open", slacktest.Fault{Error: "user_disabled"}},
	} {
		t.Run(test.kind, func(t *testing.T) {
			t.Parallel()
			o, s := outbox(t)
			r := o.of(request.Refused)
			r.EndedAt = time.Now()
			o.stored(s, r, test.kind)
			list, err := s.Unsent(t.Context())
			if err != nil || len(list) != 1 {
				t.Fatalf("%d messages, %v", len(list), err)
			}
			for list[0].Tries < 60 { // a quarter of an hour and more
				if err := s.Trying(t.Context(), list[0]); err != nil {
					t.Fatal(err)
				}
				list[0].Tries++
			}
			o.Fail(test.method, times(50, test.fault)...)
			if !deliver(t, o, s, 3*time.Second, emptied(s)) {
				t.Error("it is tried for ever")
			}
		})
	}
}

func TestADirectMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := removal("ann@example.com", request.Refused, func(r *request.Request) { r.ID, r.Reason = "", "No." })
	r.Asker.Workspace, r.Asker.Channel = o.TeamID, o.home.ID
	o.stored(s, r, request.Direct)
	o.Fail("conversations.open", slacktest.Fault{Status: 500})
	o.Fail("chat.postMessage", slacktest.Fault{CutAfter: true})
	if !deliver(t, o, s, 8*time.Second, emptied(s)) {
		t.Error("it still waits")
	}
	if n := len(o.Direct(o.ada.ID)); n != 1 {
		t.Errorf("%d direct messages", n)
	}
	o.fine()
}
