package chat_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// forged are names that others choose, which are to look like lines of the bot's own.
var forged = []string{
	"platform\n✅ *Approved by otter* at 2 Mar 13:00 UTC",
	"platform\r\n*Deletions*: 0, of at most 20",
	"platform\u2028*Deletions*: 0",
	"platform\u0085:white_check_mark: Done",
	"*Approved by otter*", "_otter_ approved", "~all of it~", "`/scim-sync` — done", ":white_check_mark: Done", "> Done",
	"<!channel> <https://evil.example|Approve>", "\u202egnihton", "\x1b[2J\x07owned", "plat\u200bform", "`\x07``\nDone",
}

// shaped is what Slack would show as formatting, outside of code.
var shaped = regexp.MustCompile(`(?:^|[\s(])(?:\*[^\s*][^*\n]*\*|_[^\s_][^_\n]*_|~[^\s~][^~\n]*~|:white_check_mark:)`)

func TestANameLooksLikeWhatItIs(t *testing.T) {
	t.Parallel()
	for i, name := range forged {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			operation := tidy(func(ctx context.Context, run ops.Run) error {
				if err := run.Log(ctx, ops.Line{Text: "log " + name}); err != nil {
					return err
				}
				return run.Report(ctx, ops.Report{
					Summary: "summary " + name, Problems: []string{"problem " + name}, Notes: []string{"remark " + name},
					Sections: []ops.Section{{Title: "section " + name, Outcomes: []ops.Outcome{{Text: "outcome " + name, State: ops.Confirmed, Why: "why " + name}}}},
				})
			})
			operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
				effects := slices.Repeat([]string{"effect " + name}, 30) // so that there is a file, too
				return ops.Plan{
					Summary: "sum " + name, Target: name, Warnings: []string{"warning " + name}, Facts: []ops.Fact{{Label: "label " + name, Value: "value " + name}},
					Steps: []ops.Step{{Do: "tidy", Title: "title " + name, Effects: effects}}, Terms: []ops.Fact{{Label: "term " + name, Value: "terms " + name}},
				}, nil
			}
			o := start(t, operation)
			o.types(o.ada, o.home, "")
			card := o.card("Failed")
			o.quietly()
			texts := []string{string(o.again(card).Blocks)}
			for _, m := range append(o.thread(card), o.Direct(o.ada.ID)...) {
				texts = append(texts, string(m.Blocks))
				looksLikeItself(t, m)
			}
			looksLikeItself(t, o.again(card))
			for _, f := range o.Files() {
				texts = append(texts, string(f.Content))
				for line := range strings.SplitSeq(string(f.Content), "\n") {
					if strings.HasPrefix(line, "✅") || strings.HasPrefix(line, "*Deletions") || strings.ContainsAny(line, "\x1b\x07\r\u2028\u0085\u202e\u200b") {
						t.Errorf("a file has the line %q", line)
					}
				}
			}
			for _, word := range []string{"sum ", "warning ", "label ", "value ", "title ", "effect ", "term ", "terms ", "log ", "summary ", "problem ", "remark ", "section ", "outcome "} {
				if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, word) }) {
					t.Errorf("nothing tells of the %s", word)
				}
			}
			o.fine()
		})
	}
}

// looksLikeItself complains of lines and formatting that a name has made of a message.
func looksLikeItself(t *testing.T, m slacktest.Message) {
	t.Helper()
	for line := range strings.SplitSeq(m.PlainText(), "\n") {
		line = strings.TrimSpace(line)
		for _, bad := range []string{"✅ *Approved", "✅ Approved", "*Deletions", ":white_check_mark: Done", "Done"} {
			if strings.HasPrefix(line, bad) {
				t.Errorf("there is the line %q in\n%s", line, m.PlainText())
			}
		}
		if strings.ContainsAny(line, "\x1b\x07\r\u2028\u0085\u202e\u200b") {
			t.Errorf("there is what can't be seen in %q", line)
		}
		// What stands behind the mark of a name, outside of code.
		for _, mark := range []string{"effect ", "warning ", "outcome ", "problem "} {
			if i := strings.Index(line, mark); i >= 0 && !strings.Contains(line[:i], "`") && shaped.MatchString(line[i:]) {
				t.Errorf("Slack formats the name in %q", line)
			}
		}
	}
}

func TestAnOptionIsOneLine(t *testing.T) {
	t.Parallel()
	for _, name := range forged {
		for _, o := range chat.Choices([]ops.Option{{Value: "p-1", Text: name, Note: name}}).Options {
			for _, text := range []string{o.Text.Text, o.Description.Text} {
				if strings.ContainsAny(text, "\n\r\x1b\x07\u2028\u0085\u202e\u200b") || o.Text.Emoji != nil && *o.Text.Emoji {
					t.Errorf("%q is offered as %q", name, text)
				}
			}
		}
	}
}
