package scimsync_test

import (
	"testing"

	"github.com/aws-root-account/rootbot/ops/scimsync"
)

// Wherever a logger writes its level, it is read.
func TestLevelsOfLoggers(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"Rust's env_logger":                        "[2026-01-02T06:00:00Z ERROR sync] it broke",
		"Rust's tracing":                           "2026-01-02T06:00:00.000Z ERROR sync: it broke",
		"winston with a time":                      "2026-01-02T06:00:00.000Z error: it broke",
		"winston with brackets":                    "2026-01-02T06:00:00.000Z [error] it broke",
		"winston with a label":                     "2026-01-02T06:00:00.000Z [sync] error: it broke",
		"Monolog":                                  "[2026-01-02 06:00:00] production.ERROR: it broke",
		"Monolog with microseconds":                "[2026-01-02T06:00:00.123456+00:00] sync.CRITICAL: it broke [] []",
		"zap in capitals":                          "2026-01-02T06:00:00.000Z\tERROR\tsync/main.go:10\tit broke",
		"zap in small letters":                     "2026-01-02T06:00:00.000Z\terror\tsync/main.go:10\tit broke",
		"NLog":                                     "2026-01-02 06:00:00.1234|ERROR|Sync|it broke",
		"charm's log":                              "2026/01/02 06:00:00 ERRO it broke",
		"logrus on a terminal":                     "ERRO[0000] it broke",
		"logrus on a terminal, fatal":              "FATA[0012] it broke",
		"structlog":                                "2026-01-02 06:00:00 [error    ] it broke         user=x",
		"slf4j's simple logger":                    "[main] ERROR Sync - it broke",
		"log4j":                                    "06:00:00.123 [main] ERROR com.example.Sync - it broke",
		"Spring":                                   "2026-01-02 06:00:00.123 ERROR 1 --- [main] c.e.Sync : it broke",
		"java.util.logging":                        "Jan 02, 2026 6:00:00 AM com.example.Sync run\nSEVERE: it broke",
		"java.util.logging's second line":          "SEVERE: it broke",
		"pino-pretty":                              "[06:00:00.000] ERROR (8): it broke",
		"signale":                                  "\u2716  error     it broke",
		"a name, a level":                          "sync - ERROR - it broke",
		"a name, a colon, a level":                 "sync:ERROR:it broke",
		"a level, a time":                          "ERROR 2026-01-02 06:00:00,123 it broke",
		"a level in brackets, a name":              "[ERROR] sync: it broke",
		"a time, a level in brackets, a name":      "2026-01-02 06:00:00,123 [ERROR] sync: it broke",
		"an hour, a level in brackets":             "06:00:00 [CRITICAL] it broke",
		"syslog":                                   "<11>1 2026-01-02T06:00:00Z host sync 1 - - it broke",
		"a line for systemd":                       "<3>it broke",
		"boto":                                     "An error occurred (AccessDeniedException) when calling the DeleteUser operation: no",
		"loguru's JSON":                            `{"text":"x","record":{"level":{"name":"ERROR","no":40},"message":"it broke"}}`,
		"tslog's JSON":                             `{"0":"it broke","_meta":{"logLevelId":5,"logLevelName":"ERROR"}}`,
		"Datadog's status":                         `{"status":"error","message":"it broke"}`,
		"a priority":                               `{"priority":"ERROR","message":"it broke"}`,
		"the journal's priority":                   `{"priority":"3","message":"it broke"}`,
		"a type":                                   `{"type":"error","message":"it broke"}`,
		"Logback's number":                         `{"message":"it broke","level_value":40000}`,
		"OpenTelemetry's number, underlined":       `{"severity_number":17,"body":"it broke"}`,
		"a level and its name":                     `{"log_level_name":"ERROR","message":"it broke"}`,
		"a severity cut short":                     `{"sev":"error","msg":"it broke"}`,
		"a level of an event":                      `{"event_level":"Error","msg":"it broke"}`,
		"a level as a text":                        `{"levelText":"ERROR","m":"it broke"}`,
		"a severity in logfmt, cut short":          `ts=x sev=error msg="it broke"`,
		"syslog's severity":                        `{"syslog":{"severity":3},"message":"it broke"}`,
		"a traceback beside INFO":                  `{"level":"INFO","message":"done","exception":"Traceback (most recent call last):\n  File \"x.py\"\nKeyError: 'x'"}`,
		"a stack beside INFO":                      `{"level":"info","message":"done","stack":"Error: it broke\n    at handler (index.js:1:1)"}`,
		"an error with a stack beside INFO":        `{"level":"info","msg":"done","err":{"type":"Error","stack":"Error: it broke\n    at handler (index.js:1:1)"}}`,
		"a traceback in Python's text beside INFO": "[INFO]\t2026-01-02T06:00:01.123Z\t6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b\tdone\nTraceback (most recent call last):\n  File \"x.py\"\nKeyError: 'x'",
	} {
		if e := scimsync.ReadEntry(text); e.Level != "ERROR" || !e.Known {
			t.Errorf("%s: level %q of %q, known %v", name, e.Level, text, e.Known)
		}
	}
}

// A line that merely mentions a level isn't one of that level.
func TestLevelsThatAreOnlyMentioned(t *testing.T) {
	t.Parallel()
	for text, level := range map[string]string{
		"2026-01-02 06:00:01 INFO error: none":                                                  "INFO",
		"[main] INFO Sync - ERROR count 0":                                                      "INFO",
		"sync - INFO - error - there was none":                                                  "INFO",
		"2026-01-02T06:00:00.000Z [info] [error] is a team":                                     "INFO",
		"<14>1 2026-01-02T06:00:00Z host sync 1 - - ERROR count 0":                              "INFO",
		"INFO[0000] ERROR count 0":                                                              "INFO",
		"level=info status=error msg=fine":                                                      "INFO",
		`{"level":"info","access_level":"admin","sev":30,"message":"fine"}`:                     "INFO",
		`{"level":"info","status":"error","message":"fine"}`:                                    "INFO",
		`{"level":"INFO","message":"ERROR count 0"}`:                                            "INFO",
		`{"level":"INFO","message":"fine","stack":"python3.13"}`:                                "INFO",
		`{"level":"DEBUG","message":"fine","exception":"Traceback (most recent call last):\n"}`: "DEBUG",
		`{"status":"ok","type":"sync","priority":"high","message":"fine"}`:                      "",
		"creating group error":                                                                  "",
		"team error-pages unchanged":                                                            "",
		"error handling is on":                                                                  "",
		"found 0 errors":                                                                        "",
		"there was no ERROR today":                                                              "",
		"2026/01/02 06:00:00 error handling is on":                                              "",
		"2026/01/02 06:00:00 creating group ERROR":                                              "",
		"2026-01-02T06:00:01.123Z\tid\tINFO\tERROR count 0":                                     "INFO",
		"2026-01-02T06:00:01.123Z\tid\tINFO\tFINE":                                              "INFO",
	} {
		if e := scimsync.ReadEntry(text); e.Level != level {
			t.Errorf("level %q of %q, want %q", e.Level, text, level)
		}
	}
}
