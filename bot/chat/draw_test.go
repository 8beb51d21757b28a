package chat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// drawing is one message to be drawn: of a request, or of lines of its log.
type drawing struct {
	r      request.Request
	kind   string
	lines  []ops.Line
	text   string            // of a note
	call   bool              // the people of the request
	others []request.Request // on the same card
}

// drawn delivers drawings and returns the messages that came of them.
func drawn(t *testing.T, drawings ...drawing) (*office, []slacktest.Message) {
	t.Helper()
	o, s := outbox(t)
	for i, d := range drawings {
		d.r.Asker.Workspace, d.r.Asker.Channel = o.TeamID, o.home.ID
		if i > 0 {
			d.r.ID = fmt.Sprintf("01970000-0000-7000-8000-%012d", i)
		}
		r := o.stored(s, d.r)
		for n, other := range d.others {
			other.ID, other.Card, other.Asker = fmt.Sprintf("01970000-0000-7000-9000-%012d", n+1), r.ID, d.r.Asker
			o.stored(s, other)
		}
		if d.kind != request.Card {
			card, err := o.Say(o.ada.ID, o.home.ID, "", "the card stands here")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Sent(t.Context(), time.Now(), store.Delivery{Thread: r.ID, Place: store.CardPlace, Post: store.Post{Channel: o.home.ID, TS: card.TS}}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Update(t.Context(), r.ID, func(*request.Request) (request.Change, error) {
			if d.kind == request.Log {
				return request.Change{Lines: d.lines}, nil
			}
			return request.Change{Messages: []request.Message{{Request: r.ID, Kind: d.kind, Body: request.Body{Text: d.text, Mention: d.call}}}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if !deliver(t, o, s, 15*time.Second, emptied(s)) {
		t.Error("not everything is delivered after 15 s")
	}
	for _, call := range o.Calls() {
		if call.Error != "" {
			t.Errorf("Slack answers %s: %s to a text of %d characters and blocks of %d bytes", call.Method, call.Error,
				utf8.RuneCountInString(call.Args["text"]), len(call.Args["blocks"]))
		}
	}
	var list []slacktest.Message
	for _, m := range o.Messages(o.home.ID) {
		for _, m := range append([]slacktest.Message{m}, o.Thread(o.home.ID, m.TS)...) {
			if m.User == o.BotUserID {
				list = append(list, m)
			}
		}
	}
	return o, append(list, o.Direct(o.ada.ID)...)
}

// shape is a message as a golden file has it: what Slack was given.
func shape(t *testing.T, m slacktest.Message) string {
	t.Helper()
	var blocks []map[string]any
	if len(m.Blocks) > 0 {
		if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range blocks {
		if b["type"] != "actions" {
			delete(b, "block_id") // made up by the workspace
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(map[string]any{"text": m.Text, "blocks": blocks}); err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		fmt.Fprintf(&out, "\n--- %s (%s)\n%s", f.Name, f.Title, f.Content)
	}
	return out.String()
}

func shelves(n int) *ops.Plan {
	p := &ops.Plan{
		Summary: "Tidies shelves & <boxes>.", Warnings: []string{"It will be *loud*."},
		Facts: []ops.Fact{{Label: "Room", Value: "store `1`"}},
		Steps: []ops.Step{{Do: "tidy", Title: "Tidy up"}, {Do: "look", Title: "Look again"}},
	}
	for i := range n {
		p.Steps[0].Effects = append(p.Steps[0].Effects, fmt.Sprintf("dust of shelf %d", i+1))
	}
	return p
}

func outcomes(n int, state ops.Truth) []ops.Outcome {
	var list []ops.Outcome
	for i := range n {
		list = append(list, ops.Outcome{Text: fmt.Sprintf("box %d", i+1), State: state, Why: "it was seen"})
	}
	return list
}

var angle = regexp.MustCompile(`<[^>]*>?|>`)

// way is a link of the bot's own to one of its messages.
var way = regexp.MustCompile(`^<https://example\.slack\.com/archives/[A-Z0-9]+/p[0-9]+\|(Here is the thread|here it is|plan and decision|log and result)>$|^<https://(github|example)\.com/[^|>]*>$`)

// harmless complains of everything in a message that Slack would make a mention
// or a link, but for the people who are named, and the link to a card.
func harmless(t *testing.T, m slacktest.Message, people ...string) {
	t.Helper()
	texts := []string{m.Text}
	for _, o := range textObjects(t, m) {
		if o["type"] == "mrkdwn" {
			texts = append(texts, o["text"].(string))
		}
	}
	for _, text := range texts {
		for _, found := range angle.FindAllString(text, -1) {
			if !slices.ContainsFunc(people, func(id string) bool { return found == "<@"+id+">" }) && !way.MatchString(found) {
				t.Errorf("there is a %.80q in %.200q", found, text)
			}
		}
		if !utf8.ValidString(text) {
			t.Errorf("%.200q isn't UTF-8", text)
		}
		if n := strings.Count(text, "```"); strings.HasPrefix(m.Text, "Log") && n != 0 && (n != 2 || !strings.HasPrefix(text, "```") || !strings.HasSuffix(text, "```")) {
			t.Errorf("something gets out of the code in %.200q", text)
		}
	}
}

// textObjects are the text objects in a message's blocks.
func textObjects(t *testing.T, m slacktest.Message) []map[string]any {
	t.Helper()
	var blocks any
	if len(m.Blocks) == 0 {
		return nil
	}
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
		t.Fatal(err)
	}
	var found []map[string]any
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if _, ok := v["text"].(string); ok {
				found = append(found, v)
				return
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(blocks)
	return found
}

// Slack makes links of bare addresses and channel names, unless a text is
// verbatim or code.
// https://docs.slack.dev/reference/block-kit/composition-objects/text-object
func TestNothingBecomesALinkByItself(t *testing.T) {
	t.Parallel()
	bait := "see https://evil.example or #general"
	r := hostile(bait, 1)
	for _, kind := range []string{request.Card, request.Plan, request.Result} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			_, list := drawn(t, drawing{r: r, kind: kind})
			for _, m := range list {
				for _, o := range textObjects(t, m) {
					if o["type"] == "mrkdwn" && o["verbatim"] != true && strings.Contains(o["text"].(string), "evil.example") {
						t.Errorf("Slack would make a link in %.200q", o["text"])
					}
				}
			}
		})
	}
}

// Whatever doesn't fit into a message is in the file beside it.
func TestNothingIsLeftOutOfALongDrawing(t *testing.T) {
	t.Parallel()
	long := func(what string) string {
		return what + strings.Repeat(" and so on", 300) + " until the end of " + what + "."
	}
	plan := func() ops.Plan { return ops.Plan{Summary: "Long.", Steps: []ops.Step{{Do: "tidy", Title: "Tidy"}}} }
	for _, test := range []struct {
		name string
		kind string
		r    func(*request.Request)
		want string // of a note: its text
	}{
		{"a long line of a note", request.Note, func(*request.Request) {}, "New:\n" + long("line")},
		{"a long note", request.Note, func(*request.Request) {}, strings.Repeat("• a line that is new\n", 800) + "the last line"},
		{"a long effect", request.Plan, func(r *request.Request) { p := plan(); p.Steps[0].Effects = []string{long("effect")}; r.Plan = &p }, long("effect")},
		{"a long fact", request.Plan, func(r *request.Request) {
			p := plan()
			p.Facts = []ops.Fact{{Label: "L", Value: long("fact")}}
			r.Plan = &p
		}, long("fact")},
		{"a setting that an approval is about", request.Plan, func(r *request.Request) {
			p := plan()
			p.Terms = []ops.Fact{{Label: "Time of grace", Value: "14 days & nights"}}
			r.Plan = &p
		}, "*Time of grace*: 14 days & nights"},
		{"the last of many warnings", request.Plan, func(r *request.Request) {
			p := plan()
			for i := range 200 {
				p.Warnings = append(p.Warnings, strings.Repeat("w", 2000)+fmt.Sprintf(" warning %d.", i))
			}
			r.Plan = &p
		}, " warning 199."},
		{"a step behind many warnings", request.Plan, func(r *request.Request) {
			p := plan()
			for range 200 {
				p.Warnings = append(p.Warnings, strings.Repeat("w", 2000))
			}
			p.Steps = []ops.Step{{Do: "tidy", Title: "Tidy", Effects: []string{"the dust of ages"}}}
			r.Plan = &p
		}, "the dust of ages"},
		{"a long problem", request.Result, func(r *request.Request) { r.Report = &ops.Report{Problems: []string{long("problem")}} }, long("problem")},
		{"a long outcome", request.Result, func(r *request.Request) {
			r.Report = &ops.Report{Sections: []ops.Section{{Title: "T", Outcomes: []ops.Outcome{{Text: long("outcome"), State: ops.Failed}}}}}
		}, long("outcome")},
		{"a note beside many outcomes", request.Result, func(r *request.Request) {
			r.Report = &ops.Report{Notes: []string{"a note of its own"}, Sections: []ops.Section{{Title: "T", Outcomes: outcomes(500, ops.Confirmed)}}}
		}, "a note of its own"},
		{"the summary beside many outcomes", request.Result, func(r *request.Request) {
			r.State, r.Report = request.Succeeded, &ops.Report{Summary: "a summary of its own", Sections: []ops.Section{{Title: "T", Outcomes: outcomes(500, ops.Confirmed)}}}
		}, "a summary of its own"},
		{"a failure among many outcomes", request.Result, func(r *request.Request) {
			r.Report = &ops.Report{Sections: []ops.Section{{Title: "T", Outcomes: append(outcomes(500, ops.Confirmed), ops.Outcome{Text: "the one", State: ops.Failed, Why: "it fell apart"})}}}
		}, "it fell apart"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := hostile("word", 1)
			test.r(&r)
			o, list := drawn(t, drawing{r: r, kind: test.kind, text: test.want})
			var all strings.Builder
			for _, m := range list {
				all.WriteString(m.PlainText())
			}
			for _, f := range o.Files() {
				all.Write(f.Content)
			}
			if !strings.Contains(all.String(), test.want) {
				t.Errorf("%.60q…%.30q is neither in a message nor in a file", test.want, test.want[max(0, len(test.want)-30):])
			}
		})
	}
}

func TestACardIsDrawnTheSameEveryTime(t *testing.T) {
	t.Parallel()
	o, s := outbox(t)
	r := o.of(request.Planning)
	r.Inputs = ops.Inputs{}
	for i := range 12 {
		r.Inputs[fmt.Sprintf("field-%02d", i)] = []string{"x"}
	}
	r.At = noon
	o.stored(s, r, request.Card)
	o.stored(s, r, request.Card)
	if !deliver(t, o, s, 6*time.Second, emptied(s)) {
		t.Fatal("not delivered")
	}
	first, second := o.cards()[0].PlainText(), o.cards()[1].PlainText()
	cut := func(s string) string { head, _, _ := strings.Cut(s, "Looking"); return head }
	if cut(first) != cut(second) {
		t.Errorf("one is\n%s\nthe other\n%s", first, second)
	}
}

func TestANameThatLooksLikeASecretIsShownOnceAPlanHasFoundIt(t *testing.T) {
	t.Parallel()
	const name = "Token: hmpps2024"
	_, list := drawn(t,
		drawing{r: requestIn(request.Planning, func(r *request.Request) { r.Inputs = ops.Inputs{"people": {name}} }), kind: request.Card},
		drawing{r: requestIn(request.Running, func(r *request.Request) { r.Inputs = ops.Inputs{"people": {name}} }), kind: request.Card})
	if strings.Contains(list[0].PlainText(), "Running") { // each has a thread of its own, so they come in any order
		slices.Reverse(list)
	}
	if before := list[0].PlainText(); strings.Contains(before, name) || !strings.Contains(before, "Token: [redacted]") {
		t.Errorf("before: %s", before)
	}
	if after := list[1].PlainText(); !strings.Contains(after, name) {
		t.Errorf("after: %s", after)
	}
}
