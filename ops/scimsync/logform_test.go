package scimsync_test

import (
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/scimsync"
)

// Whatever runtime and logger the function has, its errors are seen, and a line in
// a form that nobody knows is neither good nor bad.
func TestFormsOfLogs(t *testing.T) {
	const id = "6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b"
	for _, test := range []struct {
		name, text string
		level      string // as people see it
		message    string // empty: the text as it is
		strange    bool
	}{
		{"Node's text", "2026-01-02T06:00:01.123Z\t" + id + "\tERROR\tit broke", "error", "it broke", false},
		{"Python's text", "[ERROR]\t2026-01-02T06:00:01.123Z\t" + id + "\tFailed to create user", "error", "Failed to create user", false},
		{"Python's text, a warning", "[WARNING]\t2026-01-02T06:00:01.123Z\t" + id + "\tslow", "warning", "slow", false},
		{"Python's text, critical", "[CRITICAL]\t2026-01-02T06:00:01.123Z\t" + id + "\tbroken", "error", "broken", false},
		{"Python's text, a change", "[INFO]\t2026-01-02T06:00:01.123Z\t" + id + "\tdeleting user u1", "change", "deleting user mona (u1)", false},
		{"an exception of Python that nobody caught", "[ERROR] BlastRadiusError: 60 changes\nTraceback (most recent call last):\n  File \"x.py\", line 1", "error", "", false},
		{"a level in brackets", "[ERROR] it broke", "error", "it broke", false},
		{"a level in brackets and small letters", "[error] it broke", "error", "it broke", false},
		{"Python's logging", "ERROR:root:it broke", "error", "it broke", false},
		{"Python's logging with the name of a module", "CRITICAL:sync.users:it broke", "error", "it broke", false},
		{"Python's logging, all well", "INFO:root:ERROR count 0", "info", "ERROR count 0", false},
		{"a handler of its own", "2026-01-02 06:00:01,123 - root - ERROR - it broke", "error", "it broke", false},
		{"a handler of its own, all well", "2026-01-02 06:00:01,123 - root - INFO - no ERROR here", "info", "no ERROR here", false},
		{"Java on Lambda", "2026-01-02 06:00:01 " + id + " ERROR Sync:42 - it broke", "error", "", false},
		{"logback", "06:00:01.123 [main] ERROR org.example.Sync - it broke", "error", "", false},
		{"Rust's tracing", "2026-01-02T06:00:01.123456Z ERROR sync: it broke", "error", "", false},
		{"pino", `{"level":50,"time":1767333601123,"pid":7,"hostname":"x","msg":"it broke"}`, "error", "it broke", false},
		{"pino, fatal", `{"level":60,"time":1767333601123,"msg":"it broke"}`, "error", "it broke", false},
		{"pino, a warning", `{"level":40,"time":1767333601123,"msg":"slow"}`, "warning", "slow", false},
		{"pino, all well", `{"level":30,"time":1767333601123,"msg":"deleting user u1"}`, "change", "deleting user mona (u1)", false},
		{"bunyan", `{"name":"sync","hostname":"x","pid":7,"level":50,"msg":"it broke","time":"2026-01-02T06:00:01.123Z","v":0}`, "error", "it broke", false},
		{"winston", `{"level":"error","message":"it broke"}`, "error", "it broke", false},
		{"zap", `{"level":"fatal","ts":1767333601.1,"caller":"a.go:1","msg":"it broke"}`, "error", "it broke", false},
		{"slog's JSON", `{"time":"2026-01-02T06:00:01Z","level":"ERROR","msg":"it broke"}`, "error", "it broke", false},
		{"Powertools", `{"level":"ERROR","location":"x","message":"it broke","function_request_id":"` + id + `"}`, "error", "it broke", false},
		{"python-json-logger", `{"levelname":"ERROR","message":"it broke"}`, "error", "it broke", false},
		{"structlog", `{"event":"it broke","level":"error"}`, "error", "it broke", false},
		{"Google's severity", `{"severity":"CRITICAL","message":"it broke"}`, "error", "it broke", false},
		{"Elastic's common schema", `{"log.level":"error","message":"it broke"}`, "error", "it broke", false},
		{"Elastic's common schema, nested", `{"log":{"level":"error"},"message":"it broke"}`, "error", "it broke", false},
		{"Serilog", `{"@t":"2026-01-02","@l":"Error","@m":"it broke"}`, "error", "it broke", false},
		{"keys in capitals", `{"Level":"Error","Message":"it broke"}`, "error", "it broke", false},
		{"GELF", `{"version":"1.1","host":"x","short_message":"it broke","level":3}`, "error", "it broke", false},
		{"GELF, all well", `{"version":"1.1","host":"x","short_message":"fine","level":6}`, "info", "fine", false},
		{"an error as JSON without a level", `{"errorType":"Error","errorMessage":"it broke","stackTrace":[]}`, "error", "it broke", false},
		{"metrics of CloudWatch", `{"_aws":{"Timestamp":1},"errors":0}`, "info", "", false},
		{"a logger's JSON in Node's text", "2026-01-02T06:00:01.123Z\t" + id + "\tINFO\t{\"level\":\"error\",\"message\":\"it broke\"}", "error", "it broke", false},
		{"a logger's JSON in Lambda's", `{"timestamp":"2026-01-02T06:00:01Z","level":"INFO","requestId":"` + id + `","message":{"level":50,"msg":"it broke"}}`, "error", "it broke", false},
		{"a logger's text in Node's", "2026-01-02T06:00:01.123Z\t" + id + "\tINFO\ttime=x level=error msg=\"it broke\"", "error", "it broke", false},
		{"slog's text", `time=2026-01-02T06:00:01Z level=ERROR msg="it broke" user=mona`, "error", "it broke", false},
		{"logrus", `level=error msg=broken`, "error", "broken", false},
		{"logrus, all well", `time="2026-01-02T06:00:01Z" level=info msg="deleting user u1"`, "change", "deleting user mona (u1)", false},
		{"glog", "E0102 06:00:01.123456       7 sync.go:12] it broke", "error", "it broke", false},
		{"Ruby", "E, [2026-01-02T06:00:01.123456 #7] ERROR -- : it broke", "error", "it broke", false},
		{".NET", "fail: Sync.Program[0]", "error", "Sync.Program[0]", false},
		{"a colour of the terminal", "\x1b[31mERROR\x1b[0m it broke", "error", "it broke", false},
		{"winston, with colours", `{"level":"\u001b[31merror\u001b[39m","message":"it broke"}`, "error", "it broke", false},
		{"zap's console", "2026-01-02T06:00:01.123Z\tERROR\tsync/main.go:12\tit broke", "error", "", false},
		{"zerolog's console", "6:00AM ERR it broke user=mona", "error", "it broke user=mona", false},
		{"loguru", "2026-01-02 06:00:01.123 | ERROR    | sync.users:make:12 - it broke", "error", "", false},
		{"Serilog's console", "[06:00:01 ERR] it broke", "error", "it broke", false},
		{"Serilog's JSON with an exception and no level", `{"@t":"2026-01-02","@mt":"it broke","@x":"System.Exception: no"}`, "error", "it broke", false},
		{"Python's number", `{"levelno":40,"message":"it broke"}`, "error", "it broke", false},
		{"Python's number, a warning", `{"levelno":30,"message":"slow"}`, "warning", "slow", false},
		{"OpenTelemetry's number", `{"SeverityNumber":17,"Body":"it broke"}`, "error", "it broke", false},
		{"OpenTelemetry's number, all well", `{"SeverityNumber":9,"Body":"fine"}`, "info", "fine", false},
		{"Monolog", `{"message":"it broke","context":{},"level":400,"level_name":"ERROR","channel":"sync","extra":{}}`, "error", "it broke", false},
		{"Monolog, its number alone", `{"level":400,"message":"it broke"}`, "error", "it broke", false},
		{"Monolog, a warning", `{"level":300,"level_name":"WARNING","message":"slow"}`, "warning", "slow", false},
		{"Monolog, all well", `{"level":250,"level_name":"NOTICE","message":"fine","context":{}}`, "info", "fine", false},
		{"Google's number", `{"severity":500,"message":"it broke"}`, "error", "it broke", false},
		{"Google's number, a warning", `{"severity":400,"message":"slow"}`, "warning", "slow", false},
		{"Google's number, all well", `{"severity":300,"message":"fine"}`, "info", "fine", false},
		{"hclog", `{"@level":"error","@message":"it broke"}`, "error", "it broke", false},
		{"a number that two loggers have, and a word", `{"level":40,"levelname":"ERROR","message":"it broke"}`, "error", "it broke", false},
		{"a level twice, once not known", `{"severity":"low","level":"info","message":"fine"}`, "info", "fine", false},
		{"an error without a level", `{"message":"it broke","error":"AccessDeniedException: not authorised"}`, "error", "it broke", false},
		{"an error that is an object, without a level", `{"msg":"it broke","err":{"type":"AccessDenied"}}`, "error", "it broke", false},
		{"an error without a level, in Node's text", "2026-01-02T06:00:01.123Z\t" + id + "\tINFO\t{\"msg\":\"it broke\",\"err\":{\"type\":\"AccessDenied\"}}", "error", "it broke", false},
		{"an error and an empty level", `{"level":"","message":"it broke","error":"AccessDeniedException"}`, "error", "it broke", false},
		{"an error that there wasn't", `{"message":"fine","error":null,"err":""}`, "info", "fine", false},
		{"an error beside a level that says all is well", `{"level":"info","message":"tried again","error":"Throttling"}`, "info", "tried again", false},
		{"a level that is null", `{"level":null,"message":"fine"}`, "info", "fine", false},
		{"a word for a level that nobody knows", `{"level":"exception","message":"it broke"}`, "info", "it broke", true},
		{"a number for a level that nobody knows", `{"LogLevel":4,"Message":"it broke"}`, "info", "it broke", true},
		{"a level that is an object", `{"level":{"name":"ERROR"},"message":"it broke"}`, "error", "it broke", false},
		{"a level that is an object with a name that nobody knows", `{"level":{"name":"exception"},"message":"it broke"}`, "info", "it broke", true},
		{"a nested level that nobody knows", `{"log":{"level":"exception"},"message":"it broke"}`, "info", "it broke", true},
		{"a level that nobody knows in Node's text", "2026-01-02T06:00:01.123Z\t" + id + "\tINFO\t{\"level\":\"exception\",\"msg\":\"it broke\"}", "info", "it broke", true},
		{"a level that nobody knows in an error of Node's", "2026-01-02T06:00:01.123Z\t" + id + "\tERROR\t{\"level\":\"exception\",\"msg\":\"it broke\"}", "error", "", false},
		{"a level that nobody knows in Python's text", "[EXCEPTION]\t2026-01-02T06:00:01.123Z\t" + id + "\tit broke", "info", "it broke", true},
		{"a level that nobody knows, and a change", `{"level":"exception","message":"deleting user u1"}`, "change", "deleting user mona (u1)", true},
		{"a bare level", "ERROR it broke", "error", "it broke", false},
		{"a bare level and a colon", "ERROR: it broke", "error", "it broke", false},
		{"a bare level in small letters", "error: it broke", "error", "it broke", false},
		{"Go's log", "2026/01/02 06:00:01 deleting user u1", "change", "deleting user mona (u1)", false},
		{"Go's log with a level", "2026/01/02 06:00:01 ERROR it broke user=mona", "error", "it broke user=mona", false},
		{"a panic of Go", "panic: runtime error: index out of range", "error", "", false},
		{"a fatal error of Go", "fatal error: concurrent map writes", "error", "", false},
		{"a panic of Rust", "thread 'main' panicked at src/main.rs:1:1:", "error", "", false},
		{"a traceback", "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: it broke", "error", "", false},
		{"a traceback's last line", "ValueError: it broke", "error", "", false},
		{"Java's stack", "Exception in thread \"main\" java.lang.RuntimeException: it broke", "error", "", false},
		{"Java's exception alone", "java.lang.IllegalStateException: it broke", "error", "", false},
		{"Java's cause", "Caused by: java.io.IOException: it broke", "error", "", false},
		{"Node's stack", "Error: it broke\n    at handler (file:///var/task/index.js:60:11)", "error", "", false},
		{"Node's stack, the first line alone", "TypeError: it broke", "error", "", false},
		{"a line of a stack", "    at handler (file:///var/task/index.js:60:11)", "info", "", false},
		{"a line of Go's stack", "main.main()", "info", "", false},
		{"a goroutine", "goroutine 1 [running]:", "info", "", false},
		{"Lambda's start in JSON", jsonStart(id), "info", "", false},
		{"Lambda's report of a timeout in JSON", jsonReport(id, "timeout"), "error", "", false},
		{"the end of the code in JSON", strings.Replace(jsonReport(id, "failure"), "platform.report", "platform.runtimeDone", 1), "error", "", false},
		{"a level inside a message that has one", "2026-01-02T06:00:01.123Z\t" + id + "\tDEBUG\tError: not found, so it is made", "info", "Error: not found, so it is made", false},
		{"words that nobody knows", "Sync process completed.", "info", "", true},
		{"words with a level among them", "there was no ERROR today", "info", "", true},
		{"JSON that says nothing", `{"a":1}`, "info", "", true},
		{"broken JSON", `{"level":"ERROR","message":`, "info", "", true},
		{"what the vocabulary knows, as it is", "deleting user u1", "change", "deleting user mona (u1)", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			level, _, _, named, err := scimsync.Read(scimsync.Defaults().Vocabulary, test.text, directory)
			if err != nil {
				t.Fatal(err)
			}
			if level != test.level {
				t.Errorf("level %s, want %s", level, test.level)
			}
			if test.message != "" && named != test.message {
				t.Errorf("message %q, want %q", named, test.message)
			}
			if known := scimsync.ReadEntry(test.text).Known; known == test.strange {
				t.Errorf("the form is known: %v", known)
			}
		})
	}
}

// An error in any form makes a run a failure that changed all it should; what can't
// be read is a note.
func TestErrorsInAnyFormAreProblems(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, line    string
		problem, note string
	}{
		{"Python's", "[ERROR]\t2026-01-02T06:00:01.123Z\t6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b\tFailed to create user", "The function logged an error: Failed to create user", ""},
		{"pino's", `{"level":50,"msg":"it broke"}`, "The function logged an error: it broke", ""},
		{"a traceback", "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: it broke", "The function logged an error: ValueError: it broke", ""},
		{"a panic", "panic: it broke", "The function logged an error: panic: it broke", ""},
		{"Monolog's", `{"message":"it broke","level":400,"level_name":"ERROR"}`, "The function logged an error: it broke", ""},
		{"Google's", `{"severity":500,"message":"it broke"}`, "The function logged an error: it broke", ""},
		{"a level that nobody knows", `{"level":"exception","message":"it broke"}`, "", "1 of 19 log lines is in a form that I can't read, so what the function tried isn't known."},
		{"none that can be read", "?? it broke ??", "", "1 of 19 log lines is in a form that I can't read, so what the function tried isn't known."},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.sync.Update(func(f *awstest.SyncFunction) { f.Faults.Noise = []string{test.line} })
			report := w.run(w.walk())
			if report.Count(ops.Confirmed) != 7 {
				t.Errorf("report %+v", report)
			}
			if test.problem != "" {
				failing(t, report, test.problem)
			} else if !report.OK() || len(report.Notes) != 1 || report.Notes[0] != test.note {
				t.Errorf("problems %q, notes %q, want %q", report.Problems, report.Notes, test.note)
			}
			w.done(1)
		})
	}
}
