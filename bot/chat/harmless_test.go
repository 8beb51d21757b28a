package chat_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/ops"
)

// disguised are names that others choose, which are to look like lines of the bot's own.
var disguised = []string{
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
	each := func(word string) (list []string) {
		for _, name := range disguised {
			list = append(list, word+" "+name)
		}
		return list
	}
	operation := tidy(func(ctx context.Context, run ops.Run) error {
		section := ops.Section{Title: "section " + disguised[0]}
		for i, text := range each("outcome") {
			section.Outcomes = append(section.Outcomes, ops.Outcome{Text: text, State: ops.Confirmed, Why: disguised[i]})
			if err := run.Log(ctx, ops.Line{Text: "log " + disguised[i]}); err != nil {
				return err
			}
		}
		return run.Report(ctx, ops.Report{Summary: "summary " + disguised[0], Problems: each("problem"), Notes: each("remark"), Sections: []ops.Section{section}})
	})
	operation.Plan = func(context.Context, ops.Request, ops.Progress) (ops.Plan, error) {
		p := ops.Plan{Summary: "sum " + disguised[0], Target: disguised[1], Warnings: each("warning")}
		for _, text := range each("value") {
			p.Facts, p.Terms = append(p.Facts, ops.Fact{Label: text, Value: text}), append(p.Terms, ops.Fact{Label: "term " + text, Value: text})
		}
		p.Steps = []ops.Step{{Do: "tidy", Title: "title " + disguised[0], Effects: slices.Concat(each("effect"), each("effect"))}} // so many that there is a file, too
		return p, nil
	}
	o := start(t, operation)
	o.types(o.ada, o.home, "")
	card := o.card("Failed")
	o.quietly()
	var told strings.Builder
	for _, m := range append(append(o.thread(card), o.Direct(o.ada.ID)...), o.again(card)) {
		told.Write(m.Blocks)
		looksLikeItself(t, m)
	}
	if len(o.Files()) == 0 {
		t.Error("there is no file")
	}
	for _, f := range o.Files() {
		told.Write(f.Content)
		for line := range strings.SplitSeq(string(f.Content), "\n") {
			if strings.HasPrefix(line, "✅") || strings.HasPrefix(line, "*Deletions") || strings.ContainsAny(line, "\x1b\x07\r\u2028\u0085\u202e\u200b") {
				t.Errorf("a file has the line %q", line)
			}
		}
	}
	contains(t, "all of it", told.String(), "sum ", "warning ", "value ", "title ", "effect ", "term ", "log ", "summary ", "problem ", "remark ", "section ", "outcome ")
	o.fine()
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
	for _, name := range disguised {
		for _, o := range chat.Choices([]ops.Option{{Value: "p-1", Text: name, Note: name}}).Options {
			for _, text := range []string{o.Text.Text, o.Description.Text} {
				if strings.ContainsAny(text, "\n\r\x1b\x07\u2028\u0085\u202e\u200b") || o.Text.Emoji != nil && *o.Text.Emoji {
					t.Errorf("%q is offered as %q", name, text)
				}
			}
		}
	}
}
