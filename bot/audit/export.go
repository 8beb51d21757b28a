// Package audit hands out what the bot has recorded. The store's chain of events
// is the one account of what happened, and nobody reads it there. A program
// reads an export: every event as a line, in a form of rootbot's own or in that
// of the Open Cybersecurity Schema Framework, which log stores know without
// knowing rootbot. A person reads a story: one request from the ask to the
// result, and at its end what to search for in CloudTrail, AWS's own account of
// the same. Two accounts that are kept apart and agree are hard to doubt.
//
// Export gives events as they are: the hash of a line is that of the chain. What
// people typed may stand in them, so the forms that somebody opens by hand are
// made harmless: no cell of the table is a formula, nothing of a story commands
// the terminal, and no form holds characters that can't be seen.
package audit

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// Formats are the names of the forms that Export writes.
//
//   - jsonl: each line is an object with seq, at (RFC 3339, with microseconds),
//     request, kind, by, data and hash. Nothing is changed.
//   - csv: the same as a table with a header (RFC 4180), data as JSON. A cell
//     that a spreadsheet would take as a formula has an apostrophe before it,
//     and characters that can't be seen are written out.
//   - ocsf: each line is an event of OCSF 1.3.0.
var Formats = []string{"jsonl", "csv", "ocsf"}

// Export writes events to w as they come, in the named form. It ends at the
// first error, of events or of w; what was read before has been written.
func Export(w io.Writer, format string, events iter.Seq2[request.Event, error]) error {
	if !slices.Contains(Formats, format) {
		return fmt.Errorf("there is no form %q to export to; there are: %s", format, strings.Join(Formats, ", "))
	}
	out := bufio.NewWriterSize(w, 64<<10)
	write := func(e request.Event) error { return writeLine(out, plain(e)) }
	switch format {
	case "csv":
		write = func(e request.Event) error { return writeEvent(out, e) }
		if err := writeRow(out, "seq", "at", "request", "kind", "by", "data", "hash"); err != nil {
			return err
		}
	case "ocsf":
		write = func(e request.Event) error { return writeLine(out, inOCSF(e)) }
	}
	for e, err := range events {
		if err == nil {
			if err = write(e); err != nil {
				err = fmt.Errorf("export event %d: %w", e.Seq, err)
			}
		}
		if err != nil {
			return errors.Join(err, out.Flush())
		}
	}
	return out.Flush()
}

// inFull is RFC 3339 with all the digits that the store keeps.
const inFull = "2006-01-02T15:04:05.000000Z07:00"

// line is an event as the form jsonl has it.
type line struct {
	Seq     int64          `json:"seq"`
	At      string         `json:"at"`
	Request string         `json:"request"`
	Kind    string         `json:"kind"`
	By      string         `json:"by"`
	Data    map[string]any `json:"data"`
	Hash    string         `json:"hash"`
}

func plain(e request.Event) line {
	return line{Seq: e.Seq, At: stamp(e.At), Request: e.Request, Kind: e.Kind, By: e.By, Data: e.Data, Hash: e.Hash}
}

func stamp(t time.Time) string { return t.UTC().Format(inFull) }

// writeLine writes v as one line of JSON. Characters that can't be seen are
// escaped, which changes nothing for who decodes it.
func writeLine(w io.Writer, v any) error {
	text, err := compact(v)
	if err != nil {
		return err
	}
	_, err = w.Write(append(seen(text), '\n'))
	return err
}

// compact is v as JSON, with <, > and & as they are.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// seen escapes what isn't graphic in a JSON text. Outside of strings there is
// nothing of that kind.
func seen(text []byte) []byte {
	if bytes.IndexFunc(text, ops.Hidden) < 0 {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		if !ops.Hidden(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		if first, second := utf16.EncodeRune(r); first != unicode.ReplacementChar {
			b = fmt.Appendf(b, `\u%04x\u%04x`, first, second)
			continue
		}
		b = fmt.Appendf(b, `\u%04x`, r)
	}
	return b
}

// writeEvent writes an event as a row of the table.
func writeEvent(w io.Writer, e request.Event) error {
	data, err := compact(e.Data)
	if err != nil {
		return err
	}
	return writeRow(w, strconv.FormatInt(e.Seq, 10), stamp(e.At), e.Request, e.Kind, e.By, string(seen(data)), e.Hash)
}

func writeRow(w io.Writer, row ...string) error {
	for i, cell := range row {
		row[i] = ops.Cell(cell)
	}
	var b bytes.Buffer
	table := csv.NewWriter(&b)
	table.UseCRLF = true
	if err := table.Write(row); err != nil {
		return err
	}
	table.Flush()
	_, err := w.Write(b.Bytes())
	return errors.Join(table.Error(), err)
}
