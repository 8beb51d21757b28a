package audit_test

import (
	"encoding/json"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

var (
	renew = flag.Bool("update", false, "write the golden files anew")
	noon  = time.Date(2026, time.March, 2, 12, 0, 0, 123456000, time.UTC)
)

const (
	cafe   = "01970000-0000-7000-8000-00000000cafe"
	digest = "1a2b3c4d00000000000000000000000000000000000000000000000000000000"
	other  = "5e6f7a8b00000000000000000000000000000000000000000000000000000000"
	hash   = "c0ffee0000000000000000000000000000000000000000000000000000000000"
	emails = "user@example.com"
)

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *renew {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is another; if that is meant, run the test with -update (-want +got):\n%s", path, diff)
	}
}

// plan is what happens to the otter's request.
var plan = ops.Plan{
	Summary: "Takes the access of " + emails + " away.", Target: emails,
	Facts:    []ops.Fact{{Label: "Last used", Value: "2026-02-27"}},
	Warnings: []string{"Two of its keys were used this week."},
	Approval: ops.Rule{Count: 2, Why: "It is an administrator."},
	Steps: []ops.Step{
		{Do: "deny", Title: "Take the access away", Effects: []string{"delete access key AKIA…ABCD", "deactivate MFA device otter-phone"}},
		{Do: "wait", Title: "Wait in case of an error"},
	},
}

var report = ops.Report{
	Summary: "The access is gone.", Alarm: "A key of another user is gone. Don't run it again.", Problems: []string{"One key was there again."}, Notes: []string{"It took 4 s."},
	Sections: []ops.Section{{Title: "Keys", Outcomes: []ops.Outcome{
		{Text: "AKIA…ABCD", State: ops.Confirmed}, {Text: "AKIA…WXYZ", State: ops.Failed, Why: "somebody made it again"}, {Text: "none other"},
	}}},
}

// event is one that was read from the store: its data is decoded JSON.
func event(t *testing.T, kind, by string, data map[string]any) request.Event {
	t.Helper()
	text, err := json.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	e := request.Event{At: noon, Request: cafe, Kind: kind, By: by, Hash: hash}
	if err := json.Unmarshal(text, &e.Data); err != nil {
		t.Fatal(err)
	}
	return e
}

type data = map[string]any

// everyKind has each kind of event at least once, a second after the other.
func everyKind(t *testing.T) []request.Event {
	t.Helper()
	slack := request.Asker{Front: "slack", Workspace: "T1", User: "U0TTER", Channel: "C1"}
	list := []request.Event{
		event(t, "process-started", "", data{"version": "v1.2.3", "settings": other, "operations": []string{"remove-user", "scim-sync"}}),
		event(t, "asked", "slack:T1/U0TTER", data{
			"operation": "remove-user", "inputs": ops.Inputs{"emails": {emails}, "reason": {"has left"}}, "preview": false, "again": "", "asker": slack,
		}),
		event(t, "asked", "terminal:", data{"operation": "scim-sync", "inputs": nil, "preview": true, "again": cafe, "asker": request.Asker{Front: "terminal", Login: "otter"}}),
		event(t, "asked", "terminal:", data{"operation": "scim-sync", "inputs": nil, "asker": request.Asker{Front: "terminal"}}),
		event(t, "admitted", "otter", nil),
		event(t, "admitted", "slack.U0STOAT", nil),
		event(t, "refused", "slack:T1/U0STOAT", data{"reason": "You aren't in the team. Nothing was done."}),
		event(t, "refused", "otter", data{"reason": "It is under way.", "instead": "01970000-0000-7000-8000-00000000beef"}),
		event(t, "refused", "slack:T1/U0STOAT", data{"reason": "You aren't in the team.", "tried": "approve", "state": request.Waiting}),
		event(t, "refused", "slack:T1/U0STOAT", data{"reason": "There is no such request.", "tried": "approve"}),
		event(t, "unplanned", "otter", data{"reason": "AWS doesn't answer. Nothing was run.", "state": request.Failed}),
		event(t, "planned", "otter", data{"digest": digest, "plan": plan.WithoutData()}),
		event(t, "planned", "otter", data{"digest": digest, "plan": plan.WithoutData(), "state": request.Succeeded}),
		event(t, "shown", "", data{"digest": digest, "channel": "C1", "ts": "1772452801.000100"}),
		event(t, "reminded", "otter", nil),
		event(t, "approved", "badger", data{"digest": digest}),
		event(t, "approved", "stoat", data{"digest": digest, "reason": "Agreed with the team.", "proved": noon.Add(-time.Minute)}),
		event(t, "too-late", "weasel", data{"tried": "reject", "reason": "It has failed before.", "state": request.Failed}),
		event(t, "rejected", "badger", data{"reason": "Still needed.", "state": request.Refused}),
		event(t, "withdrawn", "otter", data{"state": request.Withdrawn}),
		event(t, "expired", "otter", data{"state": request.Expired}),
		event(t, "stale", "otter", data{"digest": other, "plan": plan.WithoutData(), "beyond": []string{"delete access key AKIA…WXYZ", "delete the login profile"}}),
		event(t, "replanned", "otter", data{"digest": digest}),
		event(t, "break-glass", "badger", data{"digest": digest, "missing": 2, "proved": noon.Add(-time.Minute), "reason": "The account is being misused now."}),
		event(t, "break-glass", "badger", nil),
		event(t, "started", "otter", nil),
		event(t, "step-begun", "otter", data{"step": "Take the access away"}),
		event(t, "calling", "otter", data{"service": "iam", "action": "DeleteAccessKey", "target": "UserName=" + emails}),
		event(t, "called", "otter", data{
			"service": "iam", "action": "DeleteAccessKey", "target": "UserName=" + emails, "aws_request": "5f1c0000-0000-4000-8000-000000000001", "outcome": "done",
		}),
		event(t, "called", "otter", data{"service": "iam", "action": "PutUserPolicy", "target": "UserName=" + emails, "aws_request": "5f1c0000-0000-4000-8000-000000000002", "outcome": "failed", "error": "AccessDenied"}),
		event(t, "called", "slack.U0STOAT", data{"service": "lambda", "action": "Invoke", "target": "scim", "outcome": "throttled"}),
		event(t, "called", "", data{"service": "iam", "action": "GetUser", "outcome": "unknown"}),
		event(t, "called", "otter", data{"service": "iam"}),
		event(t, "told", "", data{"message": "result", "channel": "C1", "ts": "1772452802.000200"}),
		event(t, "told", "", data{"message": "direct", "to": "slack:T1/U0TTER"}),
		event(t, "step-ended", "otter", data{"step": "Take the access away"}),
		event(t, "step-ended", "otter", data{"step": "Wait in case of an error", "report": report, "state": request.Failed}),
		event(t, "step-failed", "otter", data{"step": "Take the access away", "reason": "AWS says no.", "state": request.Failed}),
		event(t, "step-failed", "otter", data{"step": "Take the access away", "reason": "It isn't known how far it came.", "state": request.Unknown}),
		event(t, "undo", "badger", data{"reason": "The wrong one."}),
		event(t, "undone", "badger", data{"state": request.Undone}),
		event(t, "gave-up", "otter", data{"reason": "The operation isn't offered any more.", "state": request.Failed}),
		event(t, "reviewed", "stoat", data{"reason": "It was right."}),
		event(t, "linked", "otter", data{"user": "slack:T1/U0TTER", "github": "otter", "github_id": 4711, "how": "device flow"}),
		event(t, "unlinked", "slack:T1/U0TTER", data{"github": "otter", "github_id": 4711}),
		event(t, "proved", "otter", data{"user": "slack:T1/U0TTER", "github": "otter", "github_id": 4711, "how": "device flow"}),
		event(t, "claimed", "slack:T1/U0STOAT", data{"github": "otter", "github_id": 4711, "owner": "U0TTER", "reason": "It is linked to somebody else."}),
		event(t, "settings", "", data{"hash": other, "before": digest}),
		event(t, "anchored", "", data{"seq": 41, "hash": hash, "where": "C1/1772452803.000300"}),
		event(t, "anchored-daily", "", data{"seq": 41, "hash": hash, "where": "the log channel"}),
		event(t, "anchored-vault", "", data{"seq": 41, "hash": hash, "where": "s3://anchors/41"}),
		event(t, "restored", "terminal:marten", data{"reason": "The disk broke.", "void": []string{"42:" + hash}}),
		event(t, "process-stopped", "", nil),
		event(t, "unshown", "", data{"digest": digest, "reason": "Slack refuses it (msg_too_long)"}),
		event(t, "channel-renamed", "", data{"settings": "slack.log_channel", "channel": "C1", "was": "home", "now": "house", "other": "C2"}),
		event(t, "link-confirmed", "badger", data{"user": "slack:T1/U0TTER", "github": "otter", "github_id": 4711}),
		event(t, "link-revoked", "badger", data{"user": "slack:T1/U0TTER", "github": "otter", "github_id": 4711}),
		event(t, "adopted", "otter", data{"before": digest, "now": other}),
		event(t, "acting", "otter", data{"step": "Open a pull request"}),
		event(t, "lapsed", "otter", data{"login": "badger", "reason": "badger has left the team."}),
		event(t, "lifted", "otter", data{"reason": "deny-all was detached."}),
		event(t, "again", "badger", data{"proved": noon.Add(-time.Minute), "reason": "It was detached by mistake."}),
		event(t, "end", "badger", data{"reason": "They are needed.", "state": request.Withdrawn, "changed": ops.ChangedPart}),
		event(t, "voided", "otter", data{"state": request.Withdrawn}),
		event(t, "alarm", "", data{"name": "unwritten-log", "text": "The log channel takes nothing.", "to": "U0BADGER"}),
		event(t, "asked", "marten", data{"operation": "mop", "inputs": ops.Inputs{"rooms": {"hall", "loft"}, "soap": nil}}),
		event(t, "asked", "marten", data{"operation": "mop", "inputs": "all", "plan": data{"loft": 1}, "report": data{"loft": 2}}),
		event(t, "dusted", "marten", data{"shelf": 3, "boxes": []string{"a", "b"}, "why": ""}),
		event(t, "mopped", "", nil),
	}
	for i := range list {
		list[i].Seq, list[i].At = int64(i+1), noon.Add(time.Duration(i)*time.Second)
		switch list[i].Kind {
		case "process-started", "process-stopped", "linked", "unlinked", "proved", "claimed", "link-confirmed", "link-revoked", "alarm", "settings", "restored", "anchored", "anchored-daily", "anchored-vault":
			list[i].Request = ""
		}
	}
	return list
}

// ofAll are events as the store hands them out.
func ofAll(list []request.Event) iter.Seq2[request.Event, error] {
	return func(yield func(request.Event, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}
