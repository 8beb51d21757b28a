package chat_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// request is one of Ada's as it is drawn.
func requestIn(state request.State, change func(*request.Request)) request.Request {
	r := request.Request{
		ID: "01970000-0000-7000-8000-00000000cafe", Operation: "tidy-up", State: state, At: noon, AdmittedAt: noon, By: "ada",
		Asker: request.Asker{Front: "slack", User: "U0ADA"}, Inputs: ops.Inputs{"people": {"octocat", "hubot"}},
	}
	if state != request.Asked && state != request.Planning {
		r.Plan, r.PlannedAt, r.StartedAt = shelves(2), noon.Add(time.Second), noon.Add(2*time.Second)
	}
	if state.Ended() {
		r.EndedAt = noon.Add(time.Minute)
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestDrawings(t *testing.T) {
	t.Parallel()
	report := &ops.Report{
		Summary: "2 of 3 boxes are there.", Problems: []string{"box 3 fell"}, Notes: []string{"It was loud."},
		Sections: []ops.Section{{Title: "Shelf 1", Outcomes: []ops.Outcome{
			{Text: "box 1", State: ops.Confirmed}, {Text: "box 2"}, {Text: "box 3", State: ops.Failed, Why: "it fell"}, {Text: "box 4", State: ops.Missing},
		}}},
	}
	for _, test := range []struct {
		name  string
		r     request.Request
		kind  string
		lines []ops.Line
	}{
		{"card-planning", requestIn(request.Planning, nil), request.Card, nil},
		{"card-progress", requestIn(request.Planning, func(r *request.Request) { r.Progress = "3 of 4 <shelves>" }), request.Card, nil},
		{"card-approved", requestIn(request.Approved, func(r *request.Request) { r.StartedAt = time.Time{} }), request.Card, nil},
		{"card-running", requestIn(request.Running, func(r *request.Request) { r.Step = 1 }), request.Card, nil},
		{"card-succeeded", requestIn(request.Succeeded, func(r *request.Request) { r.Report = &ops.Report{Summary: "All is tidy."} }), request.Card, nil},
		{"card-preview", requestIn(request.Succeeded, func(r *request.Request) { r.Preview, r.StartedAt, r.Changed = true, time.Time{}, ops.ChangedNothing }), request.Card, nil},
		{"card-again", requestIn(request.Succeeded, func(r *request.Request) { r.Again = "01970000-0000-7000-8000-00000000beef" }), request.Card, nil},
		{"card-failed", requestIn(request.Failed, func(r *request.Request) { r.Reason = "No broom. Buy one." }), request.Card, nil},
		{"card-refused", requestIn(request.Refused, func(r *request.Request) { r.Reason = "Too much." }), request.Card, nil},
		{"card-unknown", requestIn(request.Unknown, func(r *request.Request) { r.Reason = "Was it me?" }), request.Card, nil},
		{"plan", requestIn(request.Approved, nil), request.Plan, nil},
		{"plan-long", requestIn(request.Approved, func(r *request.Request) { r.Plan = shelves(30) }), request.Plan, nil},
		{"log", requestIn(request.Running, nil), request.Log, []ops.Line{
			{At: noon, Text: "dusting"}, {At: noon, Level: ops.Change, Text: "dusted <b>"}, {At: noon, Level: ops.Warning, Text: "```loud```"}, {At: noon.Add(time.Second), Level: ops.Failure, Text: "fell\nand broke"},
		}},
		{"result-succeeded", requestIn(request.Succeeded, func(r *request.Request) {
			r.Report = &ops.Report{Summary: "All is tidy.", Sections: []ops.Section{{Title: "Shelf 1", Outcomes: outcomes(2, ops.Confirmed)}}}
		}), request.Result, nil},
		{"result-failed", requestIn(request.Failed, func(r *request.Request) { r.Reason, r.Report = report.Summary, report }), request.Result, nil},
		{"result-alarm", requestIn(request.Failed, func(r *request.Request) { r.Reason = "Not tidy."; r.Report = alarming(2) }), request.Result, nil},
		{"result-alarm-long", requestIn(request.Failed, func(r *request.Request) { r.Reason = "Not tidy."; r.Report = alarming(30) }), request.Result, nil},
		{"result-unknown", requestIn(request.Unknown, func(r *request.Request) { r.Reason = "Was it me?" }), request.Result, nil},
		{"result-refused", requestIn(request.Refused, func(r *request.Request) { r.Reason = "Too much." }), request.Result, nil},
		{"result-long", requestIn(request.Failed, func(r *request.Request) {
			r.Reason = "Much is missing."
			r.Report = &ops.Report{Summary: "Much is missing.", Problems: []string{"boxes fell"}, Sections: []ops.Section{
				{Title: "Shelf 1", Outcomes: outcomes(400, ops.Confirmed)}, {Title: "Shelf 2", Outcomes: outcomes(30, ops.Missing)},
			}}
		}), request.Result, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, list := drawn(t, drawing{r: test.r, kind: test.kind, lines: test.lines})
			var text strings.Builder
			for _, m := range list {
				text.WriteString(shape(t, m))
			}
			golden(t, test.name+".txt", text.String())
			for _, m := range list {
				harmless(t, m, "U0ADA", "U0GRACE", "U0HEDY")
			}
		})
	}
}

// alarming is a report of so many boxes taken away that nobody was shown.
func alarming(n int) *ops.Report {
	return &ops.Report{
		Summary: "Not tidy.", Alarm: fmt.Sprintf("%d boxes were taken away that were not in the plan. Most likely the list was <empty>. Don't run it again before a plan looks right.", n),
		Sections: []ops.Section{
			{Title: "Shelf 1", Outcomes: []ops.Outcome{{Text: "box 0", State: ops.NotKnown, Why: "the shelf couldn't be read"}, {Text: "box", State: ops.Confirmed}}},
			{Title: "Shelf 2", Outcomes: outcomes(n, ops.Beyond)},
		},
	}
}

// removal is one of Ada's requests that people decide.
func removal(name string, state request.State, change func(*request.Request)) request.Request {
	r := request.Request{
		ID: "01970000-0000-7000-8000-00000000cafe", Operation: "let-go", State: state, At: noon, AdmittedAt: noon, By: "ada", Need: 1,
		Asker:     request.Asker{Front: "slack", User: "U0ADA"},
		Inputs:    ops.Inputs{"emails": {name}, "reason": {"has left"}, "ticket": {"T-1"}, "confirmed": {"yes"}},
		PlannedAt: noon.Add(time.Second), ExpiresAt: noon.Add(72 * time.Hour),
		Plan: &ops.Plan{Summary: "Lets " + name + " go.", Target: name, Steps: []ops.Step{
			{Do: "go", Title: "Let " + name + " go", Effects: []string{"take the badge of " + name}}, {Do: "wait", Title: "Wait in case of an error"},
		}},
	}
	if state.Ended() {
		r.EndedAt = noon.Add(time.Hour)
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestDrawingsOfWhatPeopleDecide(t *testing.T) {
	t.Parallel()
	const ann, bob, cleo = "ann@example.com", "bob@example.com", "cleo@example.com"
	review := func(by, reason string) request.Review {
		return request.Review{By: by, User: "U0" + strings.ToUpper(by), At: noon.Add(time.Hour), Reason: reason}
	}
	approved := func(r *request.Request) { r.Reviews = []request.Review{review("grace", "")} }
	running := func(r *request.Request) {
		approved(r)
		r.StartedAt = noon.Add(time.Hour)
	}
	rejected := func(r *request.Request) {
		why := review("grace", "Still <needed> & liked.")
		r.Decided, r.Reason = &why, "grace rejected it: "+why.Reason
	}
	withdrawn := func(r *request.Request) {
		why := review("ada", "")
		r.Decided, r.Reason, r.Changed = &why, "ada withdrew it.", ops.ChangedNothing
	}
	expired := func(r *request.Request) { r.Reason = "Nobody decided by 5 Mar 12:00 UTC. Nothing was changed." }
	undoing := func(r *request.Request) {
		running(r)
		why := review("hedy", "The wrong Ann.")
		r.Decided = &why
	}
	undone := func(r *request.Request) {
		undoing(r)
		r.Reason = ann + " can come in again."
	}
	acted := func(r *request.Request) {
		running(r)
		r.ActedAt = noon.Add(time.Hour)
	}
	tried := func(r *request.Request) {
		acted(r)
		why := review("hedy", "The wrong Ann.")
		r.Restoring, r.Reason = &why, "AWS refused it. Part of it was done, and stays as it is."
	}
	waits := func(r *request.Request) {
		acted(r)
		r.Waits = ops.Waiting{For: "Ann has no access. <Grace>, please merge https://github.com/example/people/pull/1?a=b&c=d, then she is removed.", Until: noon.Add(48 * time.Hour), Person: true}
	}
	lifted := func(r *request.Request) {
		acted(r)
		r.Lifted = "Somebody has given Ann her badge back: see https://example.com/log."
	}
	done := func(r *request.Request) {
		running(r)
		r.Report = &ops.Report{Summary: ann + " is gone."}
	}
	offered := func(r *request.Request) {
		running(r)
		r.Step, r.UndoUntil = 1, noon.Add(7*24*time.Hour)
	}
	for _, test := range []struct {
		name string
		d    drawing
	}{
		{"card-waiting", drawing{r: removal(ann, request.Waiting, nil), kind: request.Card}},
		{"card-one-of-two", drawing{r: removal(ann, request.Waiting, func(r *request.Request) { approved(r); r.Need = 2 }), kind: request.Card}},
		{"card-agreed", drawing{r: removal(ann, request.Approved, approved), kind: request.Card}},
		{"card-grace", drawing{r: removal(ann, request.Running, offered), kind: request.Card}},
		{"card-rejected", drawing{r: removal(ann, request.Refused, rejected), kind: request.Card}},
		{"card-withdrawn", drawing{r: removal(ann, request.Withdrawn, withdrawn), kind: request.Card}},
		{"card-expired", drawing{r: removal(ann, request.Expired, expired), kind: request.Card}},
		{"card-undoing", drawing{r: removal(ann, request.Undoing, undoing), kind: request.Card}},
		{"card-a-week-later", drawing{r: removal(ann, request.Succeeded, func(r *request.Request) { done(r); r.EndedAt = noon.Add(7 * 24 * time.Hour) }), kind: request.Card}},
		{"card-undone", drawing{r: removal(ann, request.Undone, undone), kind: request.Card}},
		{"card-nothing-to-do", drawing{r: removal(ann, request.Succeeded, func(r *request.Request) {
			r.Plan.Steps, r.Plan.Summary, r.Need, r.Reason = nil, "There is no "+ann+".", 0, "There is no "+ann+"."
		}), kind: request.Card}},
		{"card-of-a-group", drawing{r: removal(ann, request.Waiting, nil), kind: request.Card, others: []request.Request{
			removal(bob, request.Refused, rejected), removal(cleo, request.Running, running), removal("dan@example.com", request.Planning, nil),
		}}},
		{"ask-waiting", drawing{r: removal(ann, request.Waiting, nil), kind: request.Ask}},
		{"ask-one-of-two", drawing{r: removal(ann, request.Waiting, func(r *request.Request) { approved(r); r.Need = 3 }), kind: request.Ask}},
		{"ask-why", drawing{r: removal(ann, request.Waiting, func(r *request.Request) { r.Why = "It takes 12 <keys>, more than the 5 allowed." }), kind: request.Ask}},
		{"ask-agreed", drawing{r: removal(ann, request.Approved, approved), kind: request.Ask}},
		{"ask-grace", drawing{r: removal(ann, request.Running, offered), kind: request.Ask}},
		{"ask-grace-acted", drawing{r: removal(ann, request.Running, func(r *request.Request) { offered(r); r.ActedAt = noon.Add(time.Hour) }), kind: request.Ask}},
		{"ask-waits", drawing{r: removal(ann, request.Running, waits), kind: request.Ask}},
		{"ask-held-up", drawing{r: removal(ann, request.Running, func(r *request.Request) { waits(r); r.HeldUp = "GitHub doesn't answer, until 2 Mar 14:00 UTC." }), kind: request.Ask}},
		{"ask-lifted", drawing{r: removal(ann, request.Waiting, lifted), kind: request.Ask}},
		{"ask-failed-acted", drawing{r: removal(ann, request.Failed, func(r *request.Request) { acted(r); r.Reason = "No door." }), kind: request.Ask}},
		{"ask-restore-again", drawing{r: removal(ann, request.Failed, tried), kind: request.Ask}},
		{"card-waits", drawing{r: removal(ann, request.Running, waits), kind: request.Card}},
		{"card-held-up", drawing{r: removal(ann, request.Running, func(r *request.Request) { acted(r); r.HeldUp = "GitHub doesn't answer, until 2 Mar 14:00 UTC." }), kind: request.Card}},
		{"card-lifted", drawing{r: removal(ann, request.Running, lifted), kind: request.Card}},
		{"card-restore-tried", drawing{r: removal(ann, request.Failed, tried), kind: request.Card}},
		{"result-acted", drawing{r: removal(ann, request.Failed, func(r *request.Request) { acted(r); r.Reason = "No door." }), kind: request.Result}},
		{"result-restore-again", drawing{r: removal(ann, request.Failed, tried), kind: request.Result}},
		{"restore", drawing{r: removal(ann, request.Undoing, func(r *request.Request) {
			tried(r)
			r.Reviews = append(r.Reviews, review("ada", ""))
		}), kind: request.Restore, text: "give badge <1> back\nopen the door"}},
		{"note-mention", drawing{r: removal(ann, request.Running, waits), kind: request.Note, text: "Please merge https://github.com/example/people/pull/1.", call: true}},
		{"direct-text", drawing{r: removal(ann, request.Withdrawn, withdrawn), kind: request.Direct, text: "Grace withdrew *your* request to let Ann go: \"No.\" Nothing was changed."}},
		{"ask-rejected", drawing{r: removal(ann, request.Refused, rejected), kind: request.Ask}},
		{"ask-withdrawn", drawing{r: removal(ann, request.Withdrawn, withdrawn), kind: request.Ask}},
		{"ask-undone", drawing{r: removal(ann, request.Undone, undone), kind: request.Ask}},
		{"direct-done", drawing{r: removal(ann, request.Succeeded, done), kind: request.Direct}},
		{"direct-rejected", drawing{r: removal(ann, request.Refused, rejected), kind: request.Direct}},
		{"direct-expired", drawing{r: removal(ann, request.Expired, expired), kind: request.Direct}},
		{"direct-undone", drawing{r: removal(ann, request.Undone, undone), kind: request.Direct}},
		{"note", drawing{r: removal(ann, request.Waiting, nil), kind: request.Note, text: "The plan has changed.\n• take key <1> of " + ann}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, list := drawn(t, test.d)
			var text strings.Builder
			for _, m := range list {
				text.WriteString(shape(t, m))
				if test.d.kind != request.Restore {
					harmless(t, m, "U0ADA", "U0GRACE", "U0HEDY")
				}
			}
			golden(t, test.name+".txt", stamps.ReplaceAllString(text.String(), "/p…|"))
		})
	}
}

// stamps are times in addresses of messages, which the workspace makes up.
var stamps = regexp.MustCompile(`/p[0-9]{16}\|`)
