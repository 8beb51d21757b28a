package service

import (
	"context"
	"fmt"
	"io"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// terminal writes what a person at a terminal reads. Nothing in it commands the
// terminal or passes for a line of its own, wherever it comes from.
type terminal struct{ io.Writer }

// line writes one line.
func (t terminal) line(format string, args ...any) {
	fmt.Fprintln(t, ops.Visible(fmt.Sprintf(format, args...)))
}

// text writes what the bot itself says, which may be of several lines.
func (t terminal) text(text string) { fmt.Fprintln(t, ops.VisibleLines(text)) }

// print writes what a message says at a terminal.
func (s *Service) print(ctx context.Context, out terminal, r request.Request, m request.Message) error {
	switch m.Kind {
	case request.Card:
		if r.State == request.Planning && r.Progress != "" {
			out.line("… %s", r.Progress)
		}
	case request.Private, request.Note:
		out.text(m.Body.Text)
	case request.Pointer:
		if m.Body.Text != "" {
			out.text(m.Body.Text)
		}
	case request.Plan:
		out.plan(*r.Plan)
	case request.Log:
		lines, err := s.Store.Lines(ctx, r.ID, m.Body.From, m.Body.To)
		if err != nil {
			return err
		}
		for _, l := range lines {
			out.line("%s %-7s %s", l.At.Format("15:04:05"), l.Level, l.Text)
		}
	case request.Result:
		out.result(r)
	}
	return nil
}

func (t terminal) plan(p ops.Plan) {
	fmt.Fprintln(t)
	t.line("Plan: %s", p.Summary)
	for _, w := range p.Warnings {
		t.line("  Warning: %s", w)
	}
	for _, f := range p.Facts {
		t.line("  %s: %s", f.Label, f.Value)
	}
	for _, f := range p.Terms {
		t.line("  %s: %s", f.Label, f.Value)
	}
	for i, step := range p.Steps {
		t.line("  %d. %s", i+1, step.Title)
		for _, e := range step.Effects {
			t.line("     - %s", e)
		}
	}
	fmt.Fprintln(t)
}

func (t terminal) result(r request.Request) {
	fmt.Fprintln(t)
	if r.Report != nil && r.Report.Alarm != "" {
		t.line("! %s", r.Report.Alarm)
	}
	t.line("Result: %s. %s", r.State, r.Reason)
	if r.Report == nil {
		return
	}
	if r.Report.Summary != r.Reason {
		t.line("%s", r.Report.Summary)
	}
	for _, p := range r.Report.Problems {
		t.line("  ! %s", p)
	}
	for _, n := range r.Report.Notes {
		t.line("  %s", n)
	}
	for _, section := range r.Report.Sections {
		t.line("  %s", section.Title)
		for _, o := range section.Outcomes {
			text := o.Text
			if o.State != "" {
				text += " — " + string(o.State)
			}
			if o.Why != "" {
				text += ": " + o.Why
			}
			t.line("    - %s", text)
		}
	}
}
