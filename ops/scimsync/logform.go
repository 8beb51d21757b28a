package scimsync

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// entry is what a line of the log says. The function's runtime and logger decide
// how: the function may be replaced by one in another language.
type entry struct {
	level   string // DEBUG, INFO, WARN or ERROR; empty: the line doesn't say
	message string
	start   bool   // the run began
	report  bool   // the run ended, as Lambda says
	end     bool   // the function's code ended; Lambda's report is still to come
	id      string // the request ID of a start or a report
	owner   string // the request ID in the line's envelope; empty: it has none
	failed  string // how Lambda says that the run ended, where it didn't succeed: "timeout", "error"
	known   bool   // the form of the line is known, and the level that it names
	vague   bool   // the line names a level that isn't known
	headed  bool   // the level stands in the line's head, so what follows is the message and no other line
}

// form is one way to write a line of a log.
type form struct {
	name    string
	pattern *regexp.Regexp                  // with the groups level, message and owner, as far as the form has them
	level   string                          // of the lines, where the pattern has no group for it
	failed  string                          // what such a line says of the run's end
	outside bool                            // never within the envelope of another form: Lambda's own, or a mere word
	read    func(text string) (entry, bool) // in place of a pattern
	head    bool                            // in place of a pattern: the level stands in the line's head
}

// forms are tried in this order. Each is documented by those who write it:
//
//	https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
//	https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
//	https://getpino.io/#/docs/api?id=loggerlevel-string-gettersetter
//	https://github.com/trentm/node-bunyan#levels
//	https://pkg.go.dev/log/slog
//	https://learn.microsoft.com/en-us/dotnet/core/extensions/console-log-formatter
var forms = []form{
	{name: "Lambda's own lines", read: lambdaLine, outside: true},
	{name: "Lambda: the process ended", pattern: regexp.MustCompile(`^RequestId: (?P<owner>\S+) (Error: |Process exited before completing request)`), level: "ERROR", failed: "error", outside: true},
	{name: "Lambda: the time was up", pattern: regexp.MustCompile(`^\S+Z (?P<owner>\S+) Task timed out after `), level: "ERROR", failed: "timeout", outside: true},
	{name: "JSON", read: jsonEntry},
	{name: "Node on Lambda", pattern: regexp.MustCompile(`(?s)^\d{4}-\d\d-\d\dT[\d:.]+Z\t(?P<owner>[^\t]*)\t(?P<level>TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\t(?P<message>.*)$`)},
	{name: "Python on Lambda", pattern: regexp.MustCompile(`(?s)^\[(?P<level>[A-Za-z]+)\]\t[^\t]*Z\t(?P<owner>[^\t]*)\t(?P<message>.*)$`)},
	{name: "Python on Lambda: an exception that nobody caught", pattern: regexp.MustCompile(`(?s)^\[ERROR\] \S+(Error|Exception|Exit|Interrupt)\b.*\nTraceback \(most recent call last\)`), level: "ERROR", failed: "error"},
	{name: "Python's logging", pattern: regexp.MustCompile(`(?s)^(?P<level>DEBUG|INFO|WARNING|ERROR|CRITICAL):[\w.]*:(?P<message>.*)$`)},
	{name: "glog, klog", pattern: regexp.MustCompile(`(?s)^(?P<level>[IWEF])\d{4} [\d:.]+\s+\d+ [^\s:]+:\d+\] (?P<message>.*)$`)},
	{name: "Ruby's Logger", pattern: regexp.MustCompile(`(?s)^[DIWEFA], \[[^\]]+\]\s+(?P<level>[A-Z]+) -- [^:]*: (?P<message>.*)$`)},
	{name: ".NET's console", pattern: regexp.MustCompile(`(?s)^(?P<level>trce|dbug|info|warn|fail|crit): (?P<message>.*)$`)},
	{name: "logfmt, slog, logrus", read: logfmtEntry},
	{name: "a crash of Python", pattern: regexp.MustCompile(`^(Traceback \(most recent call last\)|Fatal Python error|Segmentation fault)`), level: "ERROR"},
	{name: "a crash of Go", pattern: regexp.MustCompile(`^(panic: |fatal error: )`), level: "ERROR"},
	{name: "a crash of Rust", pattern: regexp.MustCompile(`^thread '[^']*' (\(\d+\) )?panicked at `), level: "ERROR"},
	{name: "a crash of Java or .NET", pattern: regexp.MustCompile(`^(Exception in thread |Unhandled exception[.:]|Caused by: )`), level: "ERROR"},
	{name: "boto's errors", pattern: regexp.MustCompile(`^An error occurred \(\w[\w.]*\) when calling the \w+ operation`), level: "ERROR"},
	{name: "an error and its stack", pattern: regexp.MustCompile(`^(Uncaught )?([\w$.]+\.)?[A-Z]?[\w$]*(Error|Exception)\b(:| \[|\s*$|\s*\n\s+at )`), level: "ERROR"},
	{name: "a level in the head", head: true},
	{name: "Go's log", pattern: regexp.MustCompile(`(?s)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?P<message>.*)$`)},
	{name: "the rest of a stack", pattern: regexp.MustCompile(`^(\s|$|\.\.\. \d+ more|goroutine \d+ \[|created by |exit status \d|Node\.js v\d|[\w./*()]+\.[\w.*()]+\(.*\)$)`)},
}

// colours are what loggers write for terminals.
// https://en.wikipedia.org/wiki/ANSI_escape_code#SGR
var colours = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// levels are what loggers call their levels, in small letters.
var levels = map[string][]string{
	"DEBUG": {"trace", "debug", "verbose", "silly", "fine", "finer", "finest", "config", "trce", "dbug", "vrb", "dbg", "trc", "trac", "debu", "d"},
	"INFO":  {"info", "information", "informational", "notice", "inf", "http", "log", "default", "i"},
	"WARN":  {"warn", "warning", "wrn", "w"},
	"ERROR": {"error", "err", "eror", "erro", "fail", "failure", "fatal", "ftl", "fata", "critical", "crit", "severe", "alert", "emerg", "emergency", "panic", "pani", "dpanic", "pnc", "e", "f", "a"},
}

// levelOf is a level by a logger's word or number for it; empty: none is known.
func levelOf(word string) string {
	word = strings.ToLower(strings.TrimSpace(colours.ReplaceAllString(word, "")))
	for _, level := range slices.Sorted(maps.Keys(levels)) {
		if slices.Contains(levels[level], word) {
			return level
		}
	}
	// Pino's and Bunyan's numbers.
	switch n, err := strconv.Atoi(word); {
	case err != nil || n < 10 || n > 60:
		return ""
	case n < 30:
		return "DEBUG"
	case n < 40:
		return "INFO"
	case n < 50:
		return "WARN"
	}
	return "ERROR"
}

// parseEntry reads a line. A logger may have written into the envelope of the
// runtime's own; then the graver level of the two holds.
func parseEntry(text string) entry {
	said := parseLayers(colours.ReplaceAllString(text, ""))
	if lesser(said.level) && traceback.MatchString(said.message) {
		said.level = "ERROR" // a logger wrote an exception that it was given
	}
	return said
}

func parseLayers(text string) entry {
	said := parseForm(text, false, false)
	if said.start || said.report || said.message == text || said.message == "" {
		return said
	}
	inner := parseForm(said.message, true, said.headed)
	if inner.vague && said.level != "ERROR" { // the envelope has only the stream's level
		said.message, said.known = inner.message, false
		return said
	}
	if !inner.known {
		return said
	}
	if grave(inner.level) > grave(said.level) {
		said.level = inner.level
	}
	said.message = inner.message
	return said
}

// trace is a stack of calls that an exception left behind, also within JSON.
var trace = regexp.MustCompile(`Traceback \(most recent call last\)|(?:\n|\\n)(?:\s|\\t)*at \S`)

// traceback is Python's.
var traceback = regexp.MustCompile(`(?m)^Traceback \(most recent call last\):`)

// lesser tells whether a level doesn't rule out that what the line shows is an error.
func lesser(level string) bool { return level == "INFO" || level == "WARN" }

func grave(level string) int { return slices.Index([]string{"DEBUG", "INFO", "WARN", "ERROR"}, level) }

// parseForm reads a line by the first form that fits. Inside an envelope, which has
// its own level, only what names a level counts.
// headed: the envelope is a line's head, which no other head follows.
func parseForm(text string, inside, headed bool) entry {
	for _, f := range forms {
		if inside && (f.outside || f.pattern != nil && f.pattern.SubexpIndex("level") < 0) {
			continue
		}
		if f.head {
			if said, ok := headEntry(text, inside); ok && !headed {
				said.known, said.headed = true, true
				return said
			}
			continue
		}
		if f.read != nil {
			if said, ok := f.read(text); ok && !(inside && (said.start || said.report || said.level == "" && !said.vague)) {
				said.known = !said.vague
				return said
			}
			continue
		}
		m := f.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		part := func(group string) string {
			if i := f.pattern.SubexpIndex(group); i >= 0 {
				return m[i]
			}
			return ""
		}
		said := entry{level: f.level, message: text, owner: part("owner"), failed: f.failed, known: true}
		if f.pattern.SubexpIndex("message") >= 0 {
			said.message = part("message")
		}
		if f.pattern.SubexpIndex("level") >= 0 {
			said.level = levelOf(part("level"))
			said.vague = said.level == ""
			said.known = !said.vague
		}
		return said
	}
	return entry{message: text}
}

var (
	lambdaOther = regexp.MustCompile(`^(INIT_START|INIT_REPORT|RESTORE_START|RESTORE_REPORT|EXTENSION|TELEMETRY|LOGS|XRAY|RECOMMENDATIONS)\b`)
	reportState = regexp.MustCompile(`\tStatus: (\w+)`)
)

// lambdaLine reads what Lambda writes in its text format.
func lambdaLine(text string) (entry, bool) {
	switch id := word(text, "RequestId: "); {
	case strings.HasPrefix(text, "START RequestId: "):
		return entry{message: text, start: true, id: id}, true
	case strings.HasPrefix(text, "REPORT RequestId: "):
		said := entry{message: strings.Join(strings.Split(text, "\t"), "  "), report: true, id: id}
		if m := reportState.FindStringSubmatch(text); m != nil && m[1] != "success" {
			said.failed = m[1]
		}
		return said, true
	case strings.HasPrefix(text, "END RequestId: "):
		return entry{message: text, end: true, owner: id}, true
	}
	return entry{message: text}, lambdaOther.MatchString(text)
}

// word is the one that follows a label.
func word(text, label string) string {
	_, after, _ := strings.Cut(text, label)
	if i := strings.IndexAny(after, " \t\n"); i >= 0 {
		after = after[:i]
	}
	return after
}

// What the loggers that write JSON call the parts of a line, in small letters.
var (
	levelKeys   = []string{"level", "severity", "levelname", "loglevel", "loglevelname", "lvl", "@l", "severitytext"} // without dots and the like
	weakKeys    = []string{"status", "priority", "type", "kind"}                                                      // they may hold a level, and something else
	levelBoxes  = []string{"log", "record", "_meta", "meta", "fields", "syslog"}                                      // objects that may hold the level
	traceKeys   = []string{"exception", "exc_info", "exc_text", "stack", "stacktrace", "stack_trace", "error", "err", "@x"}
	messageKeys = []string{"message", "msg", "short_message", "@message", "@m", "@mt", "event", "body", "text", "errormessage"}
	ownerKeys   = []string{"requestid", "awsrequestid", "aws_request_id", "function_request_id"}
	errorKeys   = []string{"error", "err", "errortype", "stacktrace", "stack", "exception", "@x"}
)

// object is a JSON object whose keys are compared without case.
type object map[string]json.RawMessage

func parseObject(text []byte) (object, bool) {
	var raw map[string]json.RawMessage
	if !strings.HasPrefix(string(text), "{") || json.Unmarshal(text, &raw) != nil {
		return nil, false
	}
	o := object{}
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		o[strings.ToLower(key)] = raw[key] // the last one is the one in small letters
	}
	return o, true
}

// text is the first of the keys' values that is there: a string, or JSON as it is.
func (o object) text(keys ...string) (string, bool) {
	for _, key := range keys {
		raw, ok := o[key]
		if !ok {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
		}
		return text, true
	}
	return "", false
}

// jsonEntry reads a line that is a JSON object: Lambda's, or a logger's.
func jsonEntry(text string) (entry, bool) {
	line, ok := parseObject([]byte(text))
	if !ok {
		return entry{}, false
	}
	if kind, _ := line.text("type"); strings.HasPrefix(kind, "platform.") {
		return platformEntry(text, kind, line), true
	}
	said := entry{message: text}
	if message, ok := line.text(messageKeys...); ok {
		said.message = message
	}
	said.owner, _ = line.text(ownerKeys...)
	said.level, ok = levelIn(line)
	if said.level == "" && slices.ContainsFunc(errorKeys, func(key string) bool { return !nothing[string(line[key])] }) {
		said.level = "ERROR"
	}
	if lesser(said.level) && slices.ContainsFunc(traceKeys, func(key string) bool { text, _ := line.text(key); return trace.MatchString(text) }) {
		said.level = "ERROR"
	}
	said.vague = ok && said.level == ""
	_, metric := line["_aws"] // CloudWatch's embedded metrics
	return said, said.level != "" || said.vague || said.message != text || metric
}

// nothing is what a key holds, as JSON, where there was no error.
var nothing = map[string]bool{"": true, "null": true, "false": true, "0": true, `""`: true, "{}": true, "[]": true}

// levelIn is the level that a line in JSON names. A logger may write it twice, as a
// number and as a word, and two loggers' numbers differ: then the gravest counts.
// there: the line names one, known or not.
func levelIn(line object) (level string, there bool) {
	_, gelf := line["short_message"]
	level, there = levelUnder(line, gelf)
	if level != "" {
		return level, true
	}
	if level, ok := numbered(line); ok {
		return level, true
	}
	for _, box := range levelBoxes {
		nested, ok := parseObject(line[box])
		if !ok {
			continue
		}
		is, ok := levelUnder(nested, box == "syslog")
		if is != "" {
			return is, true
		}
		there = there || ok
	}
	for _, key := range weakKeys {
		if word, _ := line.text(key); len(word) > 2 && levelNamed(word) != "" {
			return levelNamed(word), true
		}
	}
	return "", there
}

// levelUnder is the gravest of the levels that stand right under the usual keys.
func levelUnder(line object, gelf bool) (level string, there bool) {
	for key, raw := range line {
		if string(raw) == "null" {
			continue
		}
		if !slices.Contains(levelKeys, plain(key)) {
			// Under another key a word counts, and only if it is a level.
			word, _ := line.text(key)
			if is := levelNamed(word); len(word) > 2 && levelLike.MatchString(plain(key)) && grave(is) > grave(level) {
				level, there = is, true
			}
			continue
		}
		word, _ := line.text(key)
		if nested, ok := parseObject(raw); ok {
			word, _ = nested.text("name", "label", "value")
		}
		there = true
		if is := levelBy(key, word, gelf); level == "" || grave(is) > grave(level) {
			level = is
		}
	}
	return level, there
}

// levelLike are other keys that say that they hold a level: "sev", "lev", "event_level",
// "level_text", "log-severity".
var levelLike = regexp.MustCompile(`^(?:sev|lev|lv)$|level|severity`)

// plain is a key without what parts its words: "log.level" and "log_level" are one.
func plain(key string) string {
	if key == "@l" {
		return key
	}
	return strings.NewReplacer(".", "", "_", "", "-", "", "@", "").Replace(key)
}

// levelBy is a level by the key of a line in JSON and what it holds. The numbers from
// 100 on are Google's in one key and Monolog's in the others; those of GELF are syslog's.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity
// https://github.com/Seldaek/monolog/blob/main/doc/01-usage.md#log-levels
// https://go2docs.graylog.org/current/getting_in_log_data/gelf.html
func levelBy(key, word string, gelf bool) string {
	n, err := strconv.Atoi(word)
	switch {
	case err == nil && gelf:
		return syslog(n)
	case err != nil || n < 100 || n > 800:
		return levelOf(word)
	case key == "severity":
		return counted(n, [3]int{200, 400, 500})
	}
	return counted(n, [3]int{200, 300, 400})
}

// counted is a level by its number and the least numbers of INFO, WARN and ERROR.
func counted(n int, least [3]int) string {
	level := "DEBUG"
	for i, name := range []string{"INFO", "WARN", "ERROR"} {
		if n >= least[i] {
			level = name
		}
	}
	return level
}

// numbered is the level of a line that has nothing but a number for it, in a key of
// Python's, OpenTelemetry's, Logback's or the journal's.
// https://docs.python.org/3/library/logging.html#logging-levels
// https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
// https://github.com/logfellow/logstash-logback-encoder#standard-fields
// https://www.freedesktop.org/software/systemd/man/latest/systemd.journal-fields.html#PRIORITY=
func numbered(line object) (string, bool) {
	for key := range line {
		text, _ := line.text(key)
		n, err := strconv.Atoi(text)
		least, known := map[string][3]int{"levelno": {20, 30, 40}, "severitynumber": {9, 13, 17}, "levelvalue": {20000, 30000, 40000}}[plain(key)]
		switch {
		case err != nil:
		case known:
			return counted(n, least), true
		case key == "priority" && n < 8:
			return syslog(n), true
		}
	}
	return "", false
}

// platformEntry reads what Lambda writes in its JSON format.
func platformEntry(text, kind string, line object) entry {
	said := entry{message: text}
	record, _ := parseObject(line["record"])
	id, _ := record.text("requestid")
	switch kind {
	case "platform.start":
		said.start, said.id = true, id
	case "platform.report", "platform.runtimeDone":
		said.report, said.id = true, id
		if status, ok := record.text("status"); ok && status != "success" {
			said.failed = status
		}
	}
	return said
}

var (
	logfmtLine    = regexp.MustCompile(`^(?:[\w.-]+=(?:"(?:[^"\\]|\\.)*"|[^\s"]*)\s+)*(?:level|lvl|severity|sev|log_?level)="?(\w+)"?(?:\s|$)`)
	logfmtMessage = regexp.MustCompile(`(?:^|\s)(?:msg|message)=(?:"([^"\\]*)"|([^\s"]+))`)
)

// logfmtEntry reads pairs of keys and values.
func logfmtEntry(text string) (entry, bool) {
	m := logfmtLine.FindStringSubmatch(text)
	if m == nil || levelOf(m[1]) == "" {
		return entry{}, false
	}
	said := entry{level: levelOf(m[1]), message: text}
	if m := logfmtMessage.FindStringSubmatch(text); m != nil {
		said.message = m[1] + m[2]
	}
	return said, true
}
