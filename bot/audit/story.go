package audit

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Story writes the story of one request for a person at a terminal: what was
// asked, by whom, and how it ended; then its events, a line each, with plans and
// reports below; and at the end what to search for in CloudTrail. Nothing that
// somebody typed can command the terminal or pass for a line of its own.
func Story(w io.Writer, r request.Request, events []request.Event) error {
	t := &teller{out: bufio.NewWriter(w)}
	t.ask(r)
	t.line("")
	for _, e := range events {
		entry := newEntry(e)
		t.line("%s  %s", moment(e.At), entry.sentence())
		if p := entry.plan(); p != nil {
			t.plan(*p)
		}
		if report := entry.report(); report != nil {
			t.report(*report)
		}
	}
	if len(events) == 0 {
		t.line("Nothing is recorded about it.")
	}
	t.line("")
	t.trail(r)
	return t.out.Flush()
}

func moment(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

// teller writes lines. What goes wrong is told by the flush at the end.
type teller struct{ out *bufio.Writer }

func (t *teller) line(format string, args ...any) {
	fmt.Fprintln(t.out, ops.Visible(fmt.Sprintf(format, args...)))
}

// ask tells what was asked and how it ended.
func (t *teller) ask(r request.Request) {
	what := r.Operation
	if r.Preview {
		what += ", only a preview"
	}
	t.line("%s", what)
	for _, name := range slices.Sorted(maps.Keys(r.Inputs)) {
		t.line("  %s: %s", name, strings.Join(r.Inputs[name], ", "))
	}
	t.line("asked by     %s", asker(r))
	t.line("asked at     %s", moment(r.At))
	t.line("request      %s (%s)", r.ID, ops.Short(r.ID))
	if r.Again != "" {
		t.line("again        it runs %s again", r.Again)
	}
	if !r.State.Ended() {
		t.line("ended        not yet: it is %s", r.State)
		return
	}
	ended := fmt.Sprintf("ended        %s, as %s", moment(r.EndedAt), r.State)
	why := r.Reason
	if why == "" && r.Report != nil {
		why = r.Report.Summary
	}
	if why != "" {
		ended += ": " + why
	}
	t.line("%s", ended)
}

// asker is who asked, under every name that is known.
func asker(r request.Request) string {
	p := by(r.By, r.Asker)
	who := cmp.Or(p.login, r.Asker.Login)
	switch r.Asker.Front {
	case request.Chat:
		p := person{workspace: r.Asker.Workspace, user: r.Asker.User}
		if who != "" {
			who += ", "
		}
		who += "Slack user " + p.place()
		if r.Asker.Channel != "" {
			who += ", in channel " + r.Asker.Channel
		}
	case request.Terminal:
		who = cmp.Or(who, "somebody") + ", at a terminal"
	}
	return cmp.Or(who, r.By, "nobody that is known")
}

const indent = "                         " // as wide as a moment and what parts it from the sentence

// plan tells a plan below the sentence that it came with.
func (t *teller) plan(p ops.Plan) {
	if p.Target != "" {
		t.line("%starget: %s", indent, p.Target)
	}
	for _, warning := range p.Warnings {
		t.line("%s! %s", indent, warning)
	}
	for _, f := range p.Facts {
		t.line("%s%s: %s", indent, f.Label, f.Value)
	}
	if p.Approval.Count > 0 {
		t.line("%sneeds %d to approve: %s", indent, p.Approval.Count, p.Approval.Why)
	}
	for i, step := range p.Steps {
		t.line("%s%d. %s", indent, i+1, step.Title)
		for _, effect := range step.Effects {
			t.line("%s   - %s", indent, effect)
		}
	}
}

// report tells a report below the sentence that it came with.
func (t *teller) report(r ops.Report) {
	if r.Alarm != "" {
		t.line("%s! %s", indent, r.Alarm)
	}
	t.line("%sresult: %s", indent, r.Summary)
	for _, problem := range r.Problems {
		t.line("%s! %s", indent, problem)
	}
	for _, note := range r.Notes {
		t.line("%s%s", indent, note)
	}
	for _, section := range r.Sections {
		t.line("%s%s", indent, section.Title)
		for _, o := range section.Outcomes {
			outcome := o.Text
			if o.State != "" {
				outcome += " — " + string(o.State)
			}
			if o.Why != "" {
				outcome += ": " + o.Why
			}
			t.line("%s   - %s", indent, outcome)
		}
	}
}

// trail tells what to search for in CloudTrail. Username is there, for the
// session of a role, the session's name.
// https://docs.aws.amazon.com/cli/latest/reference/cloudtrail/lookup-events.html
func (t *teller) trail(r request.Request) {
	if r.By == "" || r.AdmittedAt.IsZero() {
		t.line("In CloudTrail there is nothing of it: whoever asked was not admitted, so AWS was not called.")
		return
	}
	session := awsaccess.SessionName(r.For())
	t.line("In CloudTrail")
	t.line("  source identity  %s (userIdentity.sessionContext.sourceIdentity)", awsaccess.SourceIdentity(r.By))
	t.line("  session name     %s (the end of userIdentity.arn)", session)
	t.line("  session tag      request=%s (in AssumeRole's own record, for sessions that act)", r.ID)
	t.line("")
	t.line("  aws cloudtrail lookup-events --lookup-attributes AttributeKey=Username,AttributeValue=%s", quoted(session))
	t.line("")
	t.line("It looks in one account and one Region, 90 days back. Calls of IAM are recorded in us-east-1.")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_.@-]+$`)

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
