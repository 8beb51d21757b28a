package service_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/bot/store/storetest"
	"github.com/aws-root-account/rootbot/cmd/internal/service"
	"github.com/aws-root-account/rootbot/ops"
)

func TestNothingFromOutsideCommandsATerminal(t *testing.T) {
	t.Parallel()
	const evil = "\x1b[2J\x1b[1;1H\x1b]0;owned\x07\r\u202e\u009b2J"
	const forged = "\n✅ Approved by otter"
	outside := "name" + evil + forged
	db, err := store.Open(t.Context(), "sqlite:"+storetest.File(t), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := request.Request{
		ID: "01970000-0000-7000-8000-00000000cafe", Operation: "scim-sync", At: time.Now(), State: request.Planning, Progress: outside, Reason: "bad: " + outside,
		Plan: &ops.Plan{
			Summary: outside, Warnings: []string{outside}, Facts: []ops.Fact{{Label: "Group", Value: outside}}, Terms: []ops.Fact{{Label: outside, Value: outside}},
			Steps: []ops.Step{{Title: outside, Effects: []string{outside}}},
		},
		Report: &ops.Report{
			Summary: outside, Alarm: outside, Problems: []string{outside}, Notes: []string{outside},
			Sections: []ops.Section{{Title: outside, Outcomes: []ops.Outcome{{Text: outside, State: ops.Confirmed, Why: outside}}}},
		},
	}
	if err := db.Insert(t.Context(), r, request.Change{Lines: []ops.Line{{Key: "1", At: time.Now(), Text: outside}}}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{request.Card, request.Plan, request.Log, request.Result, request.Note, request.Private, request.Pointer} {
		var out bytes.Buffer
		if err := service.Print(t.Context(), db, &out, r, request.Message{Kind: kind, Body: request.Body{Text: evil, From: 1, To: 9}}); err != nil {
			t.Fatal(err)
		}
		if out.Len() == 0 {
			t.Errorf("%s: nothing is printed", kind)
		}
		if strings.ContainsAny(out.String(), "\x1b\x07\r\u202e\u009b") || strings.Contains(out.String(), forged) {
			t.Errorf("%s: it prints %q", kind, out.String())
		}
		if !strings.Contains(out.String(), `\x1b[2J`) {
			t.Errorf("%s: it doesn't show what stood there: %q", kind, out.String())
		}
	}
	var log bytes.Buffer
	service.Log(&log, slog.LevelInfo).Error("failed: "+evil, "text", evil)
	if strings.ContainsAny(log.String(), "\x1b\x07\r\u202e\u009b") {
		t.Errorf("the log has %q", log.String())
	}
}

func TestATerminalShowsAnAlarmFirst(t *testing.T) {
	t.Parallel()
	r := request.Request{State: request.Failed, Reason: "205 users were deleted.", Report: &ops.Report{
		Summary: "205 users were deleted.", Alarm: "The sync deleted 205 users that were not in the plan. Don't run it again.", Problems: []string{"mona is gone."},
	}}
	var out bytes.Buffer
	if err := service.Print(t.Context(), nil, &out, r, request.Message{Kind: request.Result}); err != nil {
		t.Fatal(err)
	}
	const want = `
! The sync deleted 205 users that were not in the plan. Don't run it again.
Result: failed. 205 users were deleted.
  ! mona is gone.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
