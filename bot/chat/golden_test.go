package chat_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// request is one of Ada's as it is drawn.
func requestIn(state store.State, change func(*store.Request)) store.Request {
	r := store.Request{
		ID: "01970000-0000-7000-8000-00000000cafe", Operation: "tidy-up", State: state, At: noon, AdmittedAt: noon, By: "ada",
		Asker: store.Asker{Front: "slack", User: "U0ADA"}, Inputs: ops.Inputs{"people": {"octocat", "hubot"}},
	}
	if state != store.Asked && state != store.Planning {
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
		r     store.Request
		kind  string
		lines []ops.Line
	}{
		{"card-planning", requestIn(store.Planning, nil), store.Card, nil},
		{"card-progress", requestIn(store.Planning, func(r *store.Request) { r.Progress = "3 of 4 <shelves>" }), store.Card, nil},
		{"card-approved", requestIn(store.Approved, func(r *store.Request) { r.StartedAt = time.Time{} }), store.Card, nil},
		{"card-running", requestIn(store.Running, func(r *store.Request) { r.Step = 1 }), store.Card, nil},
		{"card-succeeded", requestIn(store.Succeeded, func(r *store.Request) { r.Report = &ops.Report{Summary: "All is tidy."} }), store.Card, nil},
		{"card-preview", requestIn(store.Succeeded, func(r *store.Request) { r.Preview, r.StartedAt, r.Changed = true, time.Time{}, ops.ChangedNothing }), store.Card, nil},
		{"card-again", requestIn(store.Succeeded, func(r *store.Request) { r.Again = "01970000-0000-7000-8000-00000000beef" }), store.Card, nil},
		{"card-failed", requestIn(store.Failed, func(r *store.Request) { r.Reason = "No broom. Buy one." }), store.Card, nil},
		{"card-refused", requestIn(store.Refused, func(r *store.Request) { r.Reason = "Too much." }), store.Card, nil},
		{"card-unknown", requestIn(store.Unknown, func(r *store.Request) { r.Reason = "Was it me?" }), store.Card, nil},
		{"plan", requestIn(store.Approved, nil), store.Plan, nil},
		{"plan-long", requestIn(store.Approved, func(r *store.Request) { r.Plan = shelves(30) }), store.Plan, nil},
		{"log", requestIn(store.Running, nil), store.Log, []ops.Line{
			{At: noon, Text: "dusting"}, {At: noon, Level: ops.Change, Text: "dusted <b>"}, {At: noon, Level: ops.Warning, Text: "```loud```"}, {At: noon.Add(time.Second), Level: ops.Failure, Text: "fell\nand broke"},
		}},
		{"result-succeeded", requestIn(store.Succeeded, func(r *store.Request) {
			r.Report = &ops.Report{Summary: "All is tidy.", Sections: []ops.Section{{Title: "Shelf 1", Outcomes: outcomes(2, ops.Confirmed)}}}
		}), store.Result, nil},
		{"result-failed", requestIn(store.Failed, func(r *store.Request) { r.Reason, r.Report = report.Summary, report }), store.Result, nil},
		{"result-alarm", requestIn(store.Failed, func(r *store.Request) { r.Reason = "Not tidy."; r.Report = alarming(2) }), store.Result, nil},
		{"result-alarm-long", requestIn(store.Failed, func(r *store.Request) { r.Reason = "Not tidy."; r.Report = alarming(30) }), store.Result, nil},
		{"result-unknown", requestIn(store.Unknown, func(r *store.Request) { r.Reason = "Was it me?" }), store.Result, nil},
		{"result-refused", requestIn(store.Refused, func(r *store.Request) { r.Reason = "Too much." }), store.Result, nil},
		{"result-long", requestIn(store.Failed, func(r *store.Request) {
			r.Reason = "Much is missing."
			r.Report = &ops.Report{Summary: "Much is missing.", Problems: []string{"boxes fell"}, Sections: []ops.Section{
				{Title: "Shelf 1", Outcomes: outcomes(400, ops.Confirmed)}, {Title: "Shelf 2", Outcomes: outcomes(30, ops.Missing)},
			}}
		}), store.Result, nil},
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
func removal(name string, state store.State, change func(*store.Request)) store.Request {
	r := store.Request{
		ID: "01970000-0000-7000-8000-00000000cafe", Operation: "let-go", State: state, At: noon, AdmittedAt: noon, By: "ada", Need: 1,
		Asker:     store.Asker{Front: "slack", User: "U0ADA"},
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
	review := func(by, reason string) store.Review {
		return store.Review{By: by, User: "U0" + strings.ToUpper(by), At: noon.Add(time.Hour), Reason: reason}
	}
	approved := func(r *store.Request) { r.Reviews = []store.Review{review("grace", "")} }
	running := func(r *store.Request) {
		approved(r)
		r.StartedAt = noon.Add(time.Hour)
	}
	rejected := func(r *store.Request) {
		why := review("grace", "Still <needed> & liked.")
		r.Decided, r.Reason = &why, "grace rejected it: "+why.Reason
	}
	withdrawn := func(r *store.Request) {
		why := review("ada", "")
		r.Decided, r.Reason, r.Changed = &why, "ada withdrew it.", ops.ChangedNothing
	}
	expired := func(r *store.Request) { r.Reason = "Nobody decided by 5 Mar 12:00 UTC. Nothing was changed." }
	undoing := func(r *store.Request) {
		running(r)
		why := review("hedy", "The wrong Ann.")
		r.Decided = &why
	}
	undone := func(r *store.Request) {
		undoing(r)
		r.Reason = ann + " can come in again."
	}
	acted := func(r *store.Request) {
		running(r)
		r.ActedAt = noon.Add(time.Hour)
	}
	tried := func(r *store.Request) {
		acted(r)
		why := review("hedy", "The wrong Ann.")
		r.Restoring, r.Reason = &why, "AWS refused it. Part of it was done, and stays as it is."
	}
	waits := func(r *store.Request) {
		acted(r)
		r.Waits = ops.Waiting{For: "Ann has no access. <Grace>, please merge https://github.com/example/people/pull/1?a=b&c=d, then she is removed.", Until: noon.Add(48 * time.Hour), Person: true}
	}
	lifted := func(r *store.Request) {
		acted(r)
		r.Lifted = "Somebody has given Ann her badge back: see https://example.com/log."
	}
	done := func(r *store.Request) {
		running(r)
		r.Report = &ops.Report{Summary: ann + " is gone."}
	}
	offered := func(r *store.Request) {
		running(r)
		r.Step, r.UndoUntil = 1, noon.Add(7*24*time.Hour)
	}
	for _, test := range []struct {
		name string
		d    drawing
	}{
		{"card-waiting", drawing{r: removal(ann, store.Waiting, nil), kind: store.Card}},
		{"card-one-of-two", drawing{r: removal(ann, store.Waiting, func(r *store.Request) { approved(r); r.Need = 2 }), kind: store.Card}},
		{"card-agreed", drawing{r: removal(ann, store.Approved, approved), kind: store.Card}},
		{"card-grace", drawing{r: removal(ann, store.Running, offered), kind: store.Card}},
		{"card-rejected", drawing{r: removal(ann, store.Refused, rejected), kind: store.Card}},
		{"card-withdrawn", drawing{r: removal(ann, store.Withdrawn, withdrawn), kind: store.Card}},
		{"card-expired", drawing{r: removal(ann, store.Expired, expired), kind: store.Card}},
		{"card-undoing", drawing{r: removal(ann, store.Undoing, undoing), kind: store.Card}},
		{"card-a-week-later", drawing{r: removal(ann, store.Succeeded, func(r *store.Request) { done(r); r.EndedAt = noon.Add(7 * 24 * time.Hour) }), kind: store.Card}},
		{"card-undone", drawing{r: removal(ann, store.Undone, undone), kind: store.Card}},
		{"card-nothing-to-do", drawing{r: removal(ann, store.Succeeded, func(r *store.Request) {
			r.Plan.Steps, r.Plan.Summary, r.Need, r.Reason = nil, "There is no "+ann+".", 0, "There is no "+ann+"."
		}), kind: store.Card}},
		{"card-of-a-group", drawing{r: removal(ann, store.Waiting, nil), kind: store.Card, others: []store.Request{
			removal(bob, store.Refused, rejected), removal(cleo, store.Running, running), removal("dan@example.com", store.Planning, nil),
		}}},
		{"ask-waiting", drawing{r: removal(ann, store.Waiting, nil), kind: store.Ask}},
		{"ask-one-of-two", drawing{r: removal(ann, store.Waiting, func(r *store.Request) { approved(r); r.Need = 3 }), kind: store.Ask}},
		{"ask-why", drawing{r: removal(ann, store.Waiting, func(r *store.Request) { r.Why = "It takes 12 <keys>, more than the 5 allowed." }), kind: store.Ask}},
		{"ask-agreed", drawing{r: removal(ann, store.Approved, approved), kind: store.Ask}},
		{"ask-grace", drawing{r: removal(ann, store.Running, offered), kind: store.Ask}},
		{"ask-grace-acted", drawing{r: removal(ann, store.Running, func(r *store.Request) { offered(r); r.ActedAt = noon.Add(time.Hour) }), kind: store.Ask}},
		{"ask-waits", drawing{r: removal(ann, store.Running, waits), kind: store.Ask}},
		{"ask-held-up", drawing{r: removal(ann, store.Running, func(r *store.Request) { waits(r); r.HeldUp = "GitHub doesn't answer, until 2 Mar 14:00 UTC." }), kind: store.Ask}},
		{"ask-lifted", drawing{r: removal(ann, store.Waiting, lifted), kind: store.Ask}},
		{"ask-failed-acted", drawing{r: removal(ann, store.Failed, func(r *store.Request) { acted(r); r.Reason = "No door." }), kind: store.Ask}},
		{"ask-restore-again", drawing{r: removal(ann, store.Failed, tried), kind: store.Ask}},
		{"card-waits", drawing{r: removal(ann, store.Running, waits), kind: store.Card}},
		{"card-held-up", drawing{r: removal(ann, store.Running, func(r *store.Request) { acted(r); r.HeldUp = "GitHub doesn't answer, until 2 Mar 14:00 UTC." }), kind: store.Card}},
		{"card-lifted", drawing{r: removal(ann, store.Running, lifted), kind: store.Card}},
		{"card-restore-tried", drawing{r: removal(ann, store.Failed, tried), kind: store.Card}},
		{"result-acted", drawing{r: removal(ann, store.Failed, func(r *store.Request) { acted(r); r.Reason = "No door." }), kind: store.Result}},
		{"result-restore-again", drawing{r: removal(ann, store.Failed, tried), kind: store.Result}},
		{"restore", drawing{r: removal(ann, store.Undoing, func(r *store.Request) {
			tried(r)
			r.Reviews = append(r.Reviews, review("ada", ""))
		}), kind: store.Restore, text: "give badge <1> back\nopen the door"}},
		{"note-mention", drawing{r: removal(ann, store.Running, waits), kind: store.Note, text: "Please merge https://github.com/example/people/pull/1.", call: true}},
		{"direct-text", drawing{r: removal(ann, store.Withdrawn, withdrawn), kind: store.Direct, text: "Grace withdrew *your* request to let Ann go: \"No.\" Nothing was changed."}},
		{"ask-rejected", drawing{r: removal(ann, store.Refused, rejected), kind: store.Ask}},
		{"ask-withdrawn", drawing{r: removal(ann, store.Withdrawn, withdrawn), kind: store.Ask}},
		{"ask-undone", drawing{r: removal(ann, store.Undone, undone), kind: store.Ask}},
		{"direct-done", drawing{r: removal(ann, store.Succeeded, done), kind: store.Direct}},
		{"direct-rejected", drawing{r: removal(ann, store.Refused, rejected), kind: store.Direct}},
		{"direct-expired", drawing{r: removal(ann, store.Expired, expired), kind: store.Direct}},
		{"direct-undone", drawing{r: removal(ann, store.Undone, undone), kind: store.Direct}},
		{"note", drawing{r: removal(ann, store.Waiting, nil), kind: store.Note, text: "The plan has changed.\n• take key <1> of " + ann}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, list := drawn(t, test.d)
			var text strings.Builder
			for _, m := range list {
				text.WriteString(shape(t, m))
				if test.d.kind != store.Restore {
					harmless(t, m, "U0ADA", "U0GRACE", "U0HEDY")
				}
			}
			golden(t, test.name+".txt", stamps.ReplaceAllString(text.String(), "/p…|"))
		})
	}
}

// stamps are times in addresses of messages, which the workspace makes up.
var stamps = regexp.MustCompile(`/p[0-9]{16}\|`)
