package ops_test

import (
	"testing"

	"github.com/aws-root-account/rootbot/ops"
)

func TestTextFromOutsideIsHarmlessForWhoReadsIt(t *testing.T) {
	const (
		command = "\x1b[2J\x1b[1;1H\x1b]0;owned\x07\rok"
		turned  = "safe\u202egnp.exe"
	)
	for _, test := range []struct {
		name      string
		read      func(string) string
		text, had string
	}{
		{"a terminal shows a command", ops.Visible, command, `\x1b[2J\x1b[1;1H\x1b]0;owned\a\rok`},
		{"a terminal shows a line end within a line", ops.Visible, "one\ntwo\tthree", `one\ntwo\tthree`},
		{"a terminal shows a command of eight bits", ops.Visible, "\u009b2J\u200b", `\u009b2J\u200b`},
		{"a terminal shows what turns the direction", ops.Visible, turned, `safe\u202egnp.exe`},
		{"a terminal shows what is no text", ops.Visible, "a\xffb", `a\xffb`},
		{"a terminal gets all else as it is", ops.Visible, "Zoë › otter's “key” 🦦", "Zoë › otter's “key” 🦦"},
		{"lines stay lines", ops.VisibleLines, "one\r\ntwo\n\tthree\x1b[2J\rfour", "one\ntwo\n\tthree\\x1b[2J\\rfour"},
		{"a log shows what turns the direction", ops.Logged, turned + "\n\x1b", "safe\\u202egnp.exe\n\x1b"},
		{"a cell is no formula", ops.Cell, `=HYPERLINK("http://x","y")`, `'=HYPERLINK("http://x","y")`},
		{"a cell that adds", ops.Cell, "+1", "'+1"},
		{"a cell that takes away", ops.Cell, "-1", "'-1"},
		{"a cell that calls", ops.Cell, "@SUM(A1)", "'@SUM(A1)"},
		{"a cell in full width", ops.Cell, "＝1", "'＝1"},
		{"a cell with white space before it", ops.Cell, " \u00a0=1", "' \u00a0=1"},
		{"a cell with a tab before it", ops.Cell, "\t=1", `'\t=1`},
		{"a cell that is a word", ops.Cell, "a=1", "a=1"},
		{"an empty cell", ops.Cell, "", ""},
		{"a mention is none", ops.Code, "thanks @otter", "` thanks @otter `"},
		{"markup is none", ops.Code, "`` <!-- **x** [y](z)\n# title", "``` `` <!-- **x** [y](z) # title ```"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := test.read(test.text)
			if got != test.had {
				t.Errorf("it became\n%q, want\n%q", got, test.had)
			}
		})
	}
}
