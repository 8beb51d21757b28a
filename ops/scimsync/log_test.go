package scimsync_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/scimsync"
)

// The lines of Lambda's JSON log format.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
func jsonStart(id string) string {
	return fmt.Sprintf(`{"time":"2026-01-02T06:00:00.000Z","type":"platform.start","record":{"requestId":%q,"version":"$LATEST"}}`, id)
}

func jsonReport(id, status string) string {
	return fmt.Sprintf(`{"time":"2026-01-02T06:00:09.000Z","type":"platform.report","record":{"requestId":%q,"metrics":{"durationMs":9000.5,"billedDurationMs":9001,"memorySizeMB":512,"maxMemoryUsedMB":120},"status":%q}}`, id, status)
}

func jsonLine(id, level string, message any) string {
	raw, _ := json.Marshal(map[string]any{"timestamp": "2026-01-02T06:00:01.000Z", "level": level, "requestId": id, "message": message})
	return string(raw)
}

// speaks replaces the function by one that only prints.
func (w *world) speaks(run func(*awstest.Invocation)) {
	w.aws.AddFunction(awstest.Function{Name: function, Timeout: time.Minute, Run: run})
}

func TestLogInJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		status  string
		lines   func(w *world, id string) []string
		told    string
		problem string
	}{
		{
			"messages are named and told by their level", "success", func(w *world, id string) []string {
				return []string{jsonLine(id, "INFO", "creating group membership for user "+w.store.UserID("mona"+suffix)+" in group "+w.store.GroupID("platform"))}
			}, "change creating group membership for user mona (", "",
		},
		{"a warning", "success", func(_ *world, id string) []string {
			return []string{jsonLine(id, "WARN", "cannot find it")}
		}, "warning cannot find it\n", ""},
		{"an error is a problem", "success", func(_ *world, id string) []string {
			return []string{jsonLine(id, "ERROR", "it broke")}
		}, "error it broke\n", "The function logged an error: it broke"},
		{
			"an error that is an object", "error", func(_ *world, id string) []string {
				return []string{jsonLine(id, "ERROR", map[string]string{"errorType": "ThrottlingException", "errorMessage": "Rate exceeded"})}
			}, "error {", "AWS slowed the function down and it lost a change.",
		},
		{"a timeout that only the report tells", "timeout", func(*world, string) []string { return nil }, "error {", "The function was stopped at its 5-minute limit."},
		{"a crash that only the report tells", "error", func(*world, string) []string { return nil }, "error {", "The function crashed half way."},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.speaks(func(inv *awstest.Invocation) {
				inv.OmitReport()
				inv.Print(jsonStart(inv.RequestID))
				for _, line := range test.lines(w, inv.RequestID) {
					inv.Print(line)
				}
				inv.Print(jsonReport(inv.RequestID, test.status))
			})
			began := w.clock.Now()
			walk := w.walk()
			report := w.run(walk)
			if w.clock.Now().Sub(began) > time.Minute {
				t.Errorf("took %v: the report wasn't recognised", w.clock.Now().Sub(began))
			}
			if !strings.Contains(text(walk.Lines()), test.told) {
				t.Errorf("no %q in the log:\n%s", test.told, text(walk.Lines()))
			}
			if got := truth(report); test.problem == "" && !slices.Contains(got, "People: mona is not in platform (failed), the function came to its end without trying it") && !slices.Contains(got, "People: mona is not in platform"+missing+", the function tried to add them and it didn't take") {
				t.Errorf("outcomes:\n%s", strings.Join(got, "\n"))
			}
			if test.problem == "" && len(report.Problems) > 0 {
				t.Errorf("problems %q", report.Problems)
			}
			if test.problem != "" {
				failing(t, report, test.problem)
			}
			w.done(1)
		})
	}
}

// Words that tell of a fault in an error are counts and names in other lines.
func TestWordsThatAreNoFaults(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"creating group throttled-services", "creating group undefined", "team 'throttled-queue' unchanged", `poll complete: {"throttled": 0, "members_added": 1}`,
		"0 calls were throttled", "retry after ThrottlingException succeeded on attempt 2", "runtime: Runtime.NodeJS", "Rate exceeded is tried again",
	} {
		for level, want := range map[string]string{"INFO": "", "DEBUG": "", "ERROR": "error"} {
			text := "2026-01-02T06:00:01.123Z\t6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b\t" + level + "\t" + line
			is, _, _, _, err := scimsync.Read(scimsync.Defaults().Vocabulary, text, directory)
			if err != nil || (is == "error") != (want == "error") {
				t.Errorf("%s of %s: %q: %v", is, level, line, err)
			}
		}
	}
	w := newWorld(t)
	w.sync.Update(func(f *awstest.SyncFunction) {
		f.Faults.Noise = []string{`[INFO] poll complete: {"throttled": 0}`, "retry after ThrottlingException succeeded"}
	})
	if report := w.run(w.walk()); !report.OK() {
		t.Errorf("problems %q", report.Problems)
	}
}

// The successor of the function says in its own words what it does.
func TestVocabularyOfAnotherFunction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings.Vocabulary["join"] = `^DID add (?P<user_name>\S+) -> '(?P<group_name>[^']+)'$`
	w.settings.Vocabulary["leave"] = `^DID remove (?P<user_name>\S+) -> '(?P<group_name>[^']+)'$`
	w.speaks(func(inv *awstest.Invocation) {
		inv.Log("INFO", "DID add mona -> 'Platform'")
		inv.Log("INFO", "DID remove octocat -> 'security'")
		inv.Log("INFO", "creating user hubot"+suffix)
	})
	walk := w.walk()
	report := w.run(walk)
	for _, line := range []string{"change DID add mona -> 'Platform'\n", "change DID remove octocat -> 'security'\n"} {
		if !strings.Contains(text(walk.Lines()), line) {
			t.Errorf("no %q in the log:\n%s", line, text(walk.Lines()))
		}
	}
	got := truth(report)
	for _, line := range []string{
		"People: mona is not in platform" + missing + ", the function tried to add them and it didn't take",
		"People: octocat is still in security" + missing + ", the function tried to remove them and it didn't take",
		"People: hubot was not created" + missing + ", the function tried to create them and it didn't take",
		"People: hubot is not in platform (failed), the function came to its end without trying it",
	} {
		if !slices.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, strings.Join(got, "\n"))
		}
	}
	w.done(1)
}

func TestLinesNobodyKnows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	odd := []string{
		"creating group membership for user 00000000-0000 in group 11111111-1111",
		"deleting membership 22222222-2222", "deleting user 33333333-3333", "deleting group 44444444-4444",
		"creating group", "{", `{"level":3}`, `{"message":null}`, "\t\t\t", "", strings.Repeat("long ", 2000),
		"Fetching group memberships for group ",
	}
	w.speaks(func(inv *awstest.Invocation) {
		for _, line := range odd {
			inv.Log("INFO", line)
		}
		inv.Print(inv.RequestID + " {\"type\":\"platform.start\"")
	})
	walk := w.walk()
	report := w.run(walk)
	if report.Count(ops.Confirmed) != 0 || report.Count(ops.Missing) != 0 || len(report.Problems) > 0 {
		t.Errorf("report %+v", report)
	}
	log := text(walk.Lines())
	for _, line := range odd {
		if !strings.Contains(log, strings.TrimSpace(line)) {
			t.Errorf("the log lacks %.80q", line)
		}
	}
	w.done(1)
}

// Many errors are counted, not all shown.
func TestManyErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.speaks(func(inv *awstest.Invocation) {
		for i := range 25 {
			inv.Log("ERROR", fmt.Sprintf("error %d %s\nand a stack", i, strings.Repeat("x", 300)))
		}
	})
	report := w.run(w.walk())
	failing(t, report, "The function logged an error: error 0 x", "And 15 errors more in the log.")
	if len(report.Problems) != 11 {
		t.Errorf("%d problems: %q", len(report.Problems), report.Problems)
	}
	for _, p := range report.Problems {
		if len(p) > 300 || strings.Contains(p, "stack") {
			t.Errorf("a long problem: %q", p)
		}
	}
}

// The last sweep of the stream takes what has no request ID, and nothing of the
// run that comes next in the same process.
func TestNextRunInTheSameStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.walk())
	const next = "6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b"
	w.speaks(func(inv *awstest.Invocation) {
		inv.OmitReport()
		inv.LogWithoutID("WARN", "of this run")
		inv.Print("REPORT RequestId: " + inv.RequestID + "\tDuration: 1 ms\n")
		inv.Print("START RequestId: " + next + " Version: $LATEST\n")
		inv.Print("2026-01-02T06:00:01.123Z\t" + next + "\tERROR\tof the next run\n")
	})
	walk := w.walk()
	report := w.run(walk)
	log := text(walk.Lines())
	if !report.OK() || strings.Contains(log, next) || strings.Contains(log, "of the next run") || !strings.Contains(log, "warning of this run\n") {
		t.Errorf("problems %q, log:\n%s", report.Problems, log)
	}
	w.done(2)
}

// CloudWatch Logs refuses times before 1970.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
func TestLogWithoutItsFirstLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run(w.walk())
	w.aws.SetLogLag(func(message string) time.Duration {
		if strings.HasPrefix(message, "START") {
			return time.Hour
		}
		return 0
	})
	if report := w.run(w.walk()); !report.OK() {
		t.Errorf("problems %q", report.Problems)
	}
	for _, call := range w.aws.Calls() {
		var in struct{ StartTime, EndTime *int64 }
		if call.Name() != "logs:FilterLogEvents" {
			continue
		}
		if err := json.Unmarshal(call.Params, &in); err != nil {
			t.Fatal(err)
		}
		if in.StartTime != nil && *in.StartTime < 0 || in.EndTime != nil && *in.EndTime < 0 {
			t.Errorf("a time before 1970: %s", call.Params)
		}
	}
	w.done(2)
}
